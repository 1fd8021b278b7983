/* The attempt ledger of an execution: every attempt of every node in the order of their starts, so that whatever may
 * have run twice can be seen. */
#include "gateway/api_int.h"

#include <stdio.h>
#include <stdlib.h>

struct ledger {
    const struct json *execution;
    bool final;
    struct row {
        struct json *json;
        size_t place; /* as the history tells it: the order of those that started in the same millisecond */
    } * rows;
    size_t count, cap;
};

/* An attempt of which no end was heard: it runs, or it did when its worker was lost. */
static const char *outcome_of(const struct ledger *ledger, const struct json *attempt)
{
    const char *status = json_get_str(attempt, "status");
    bool open = status == NULL || strcmp(status, "running") == 0;
    if (open && (ledger->final || json_get_int(attempt, "epoch", 0) < json_get_int(ledger->execution, "epoch", 0)))
        return "unknown";
    return status == NULL ? "unknown" : status;
}

static void add_row(struct ledger *ledger, const struct json *node, const struct json *attempt)
{
    static const char *const copied[] = {"attempt", "epoch", "worker", "startTime", "endTime", "error"};
    const char *iteration = json_get_str(attempt, "iteration");
    if (iteration == NULL)
        iteration = json_get_str(node, "iteration");
    struct json *row = json_object_new();
    json_set_str(row, "nodeId", json_get_str(node, "nodeId"));
    json_set_str(row, "nodeType", json_get_str(node, "nodeType"));
    json_set_str(row, "iteration", iteration == NULL ? "0" : iteration);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_set(row, copied[i], json_ref(json_get(attempt, copied[i])));
    json_set_str(row, "outcome", outcome_of(ledger, attempt));
    if (json_get(row, "worker") == NULL && /* the execution itself tells of its latest worker */
        json_get_int(attempt, "epoch", 0) == json_get_int(ledger->execution, "epoch", 0))
        json_set_str(row, "worker", json_get_str(ledger->execution, "workerId"));
    /* As the worker makes it (flow_run_idempotency_key). */
    AUTO_FREE char *key = mem_printf("%.60s:%.72s:%s", json_get_str(ledger->execution, "id"),
                                     json_get_str(node, "nodeId"), iteration == NULL ? "0" : iteration);
    json_set_str(row, "idempotencyKey", key);
    if (ledger->count == ledger->cap) {
        ledger->cap = ledger->cap == 0 ? 64 : ledger->cap * 2;
        ledger->rows = mem_resize(ledger->rows, ledger->cap * sizeof *ledger->rows);
    }
    ledger->rows[ledger->count] = (struct row){.json = row, .place = ledger->count};
    ledger->count++;
}

static void add_node(struct ledger *ledger, const struct json *node)
{
    const struct json *iterations = json_get(node, "iterations"), *attempts = json_get(node, "attempts");
    for (size_t i = 0; i < json_count(iterations); i++)
        add_node(ledger, json_at(iterations, i));
    for (size_t i = 0; i < json_count(attempts); i++)
        add_row(ledger, node, json_at(attempts, i));
}

/* ISO times order as texts; an attempt whose start nobody told comes last. */
static int compare(const void *a, const void *b)
{
    const struct row *first = a, *second = b;
    const char *one = json_get_str(first->json, "startTime"), *two = json_get_str(second->json, "startTime");
    int order = one == NULL || two == NULL ? (one == NULL) - (two == NULL) : strcmp(one, two);
    return order != 0 ? order : (first->place > second->place) - (first->place < second->place);
}

static enum err list_attempts(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *detail = NULL;
    enum run_status status;
    enum err code = api_execution_detail(api, request->params[0], &detail, reterr);
    if (code != ERR_OK)
        return code;
    struct ledger ledger = {.execution = detail};
    ledger.final = run_status_parse(json_get_str(detail, "status"), &status) == ERR_OK && run_status_is_final(status);
    const struct json *nodes = json_get(detail, "nodeExecutions");
    for (size_t i = 0; i < json_count(nodes); i++)
        add_node(&ledger, json_at(nodes, i));
    if (ledger.count > 0)
        qsort(ledger.rows, ledger.count, sizeof *ledger.rows, compare);
    struct json *list = json_array_new();
    for (size_t i = 0; i < ledger.count; i++)
        json_push(list, ledger.rows[i].json);
    free(ledger.rows);
    http_reply(request, 200, list);
    return ERR_OK;
}

const struct route attempt_routes[] = {
    {"GET", "/api/v1/scheduler/executions/:id/attempts", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "executions",
     "Every attempt of every node, in the order of their starts", list_attempts, &answer_attempts},
    {0}};
