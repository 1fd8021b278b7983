/* Reading executions: lists, details, counts. */
#include "store/sql/sql_int.h"

#include <stdlib.h>
#include <string.h>

#define EXECUTION_COLUMNS                                                                                              \
    "created_ms, id, flow_id, schedule_id, status, ended_ms, records, error_message, retry_count, error_id, "          \
    "priority, "                                                                                                       \
    "flow_version, trigger_kind, wake_ms, waiting_for, parent_id, parent_node_id, kept"
enum { AFTER_EXECUTION = 18 }; /* the first column behind them */

/* startTime is the time of creation (contract 3.4). */
static struct json *decode(struct sql_rows *q)
{
    struct json *execution = json_object_new();
    int64_t created_ms = sql_int(q, 0), ended_ms = sql_int(q, 5);
    json_set_str(execution, "id", sql_text(q, 1));
    json_set_str(execution, "flowId", sql_text(q, 2));
    json_set_str(execution, "scheduleId", sql_text(q, 3));
    json_set_str(execution, "status", store_status_name((int)sql_int(q, 4)));
    store_set_time(execution, "startTime", created_ms < 1 ? 1 : created_ms);
    store_set_time(execution, "endTime", ended_ms);
    json_set(execution, "duration", ended_ms > 0 ? json_int_new(ended_ms - created_ms) : NULL);
    json_set_int(execution, "recordsProcessed", sql_int(q, 6));
    json_set_str(execution, "errorMessage", sql_text(q, 7));
    json_set_int(execution, "retryCount", sql_int(q, 8));
    json_set_str(execution, "errorCode", sql_text(q, 9));
    json_set_int(execution, "priority", sql_int(q, 10));
    json_set_int(execution, "flowVersion", sql_int(q, 11));
    json_set_str(execution, "trigger", sql_text(q, 12));
    int64_t wake_ms = sql_int(q, 13);
    store_set_time(execution, "waitingUntil", wake_ms >= RUN_WAKE_NEVER ? 0 : wake_ms);
    json_set_str(execution, "waitingFor", sql_text(q, 14));
    json_set_str(execution, "parentExecutionId", sql_text(q, 15));
    json_set_str(execution, "parentNodeId", sql_text(q, 16));
    json_set_bool(execution, "kept", sql_int(q, 17) != 0);
    return execution;
}

static struct json *decode_row(struct sql_rows *q, bool *damaged)
{
    (void)damaged; /* no JSON among its columns */
    return decode(q);
}

static enum err not_found(const char *id, struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND, "id", "There is no execution %.60s.", id);
}

enum err sql_execution_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, "SELECT " EXECUTION_COLUMNS " FROM executions WHERE id=?", "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return not_found(id, reterr);
    if (code == ERR_OK)
        *ret = decode(q);
    return code;
}

/* ---- node executions */

/* nodeId -> type, from the version that runs. */
static enum err load_types(struct store_session *s, const char *flow_id, int version, struct json **ret,
                           struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, "SELECT nodes FROM flow_versions WHERE flow_id=? AND version=?", "td",
                              flow_id, version);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code != ERR_OK)
        return code;
    bool damaged = false;
    AUTO_JSON struct json *nodes = row ? sql_json(q, 0, &damaged) : NULL;
    if (damaged)
        return sql_damaged("flow", flow_id, reterr);
    *ret = json_object_new();
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *id = json_get_str(json_at(nodes, i), "id");
        if (id != NULL)
            json_set_str(*ret, id, json_get_str(json_at(nodes, i), "type"));
    }
    return ERR_OK;
}

static void set_span(struct json *object, int64_t started_ms, int64_t ended_ms)
{
    store_set_time(object, "startTime", started_ms);
    store_set_time(object, "endTime", ended_ms);
    json_set(object, "duration", started_ms > 0 && ended_ms > 0 ? json_int_new(ended_ms - started_ms) : NULL);
}

static struct json *node_of_checkpoint(struct sql_rows *q, const struct json *types, int64_t created_ms, bool *damaged)
{
    struct json *node = json_object_new();
    const char *id = sql_text(q, 0);
    int64_t started_ms = sql_int(q, 4), wake_ms = sql_int(q, 6);
    json_set_str(node, "nodeId", id);
    const char *type = json_get_str(types, id), *dot = strrchr(id, '.');
    if (type == NULL && dot != NULL && strcmp(dot, ".item") == 0)
        type = "sub-flow"; /* of a for-each that runs its items elsewhere (flow/distribute.c) */
    json_set_str(node, "nodeType", type == NULL ? "unknown" : type);
    bool iterating = strcmp(sql_text(q, 1), node_state_name(NODE_ITERATING)) == 0;
    json_set_str(node, "status", iterating ? node_state_name(NODE_RUNNING) : sql_text(q, 1));
    /* The page formats every startTime (contract 8). */
    set_span(node, started_ms > 0 ? started_ms : created_ms, sql_int(q, 5));
    json_set_int(node, "recordsProcessed", sql_int(q, 3));
    json_set_str(node, "errorMessage", sql_text(q, 7));
    json_set(node, "output", iterating ? NULL : sql_json(q, 2, damaged));
    store_set_time(node, "waitingUntil", wake_ms >= RUN_WAKE_NEVER ? 0 : wake_ms);
    return node;
}

static struct json *find_node(const struct json *nodes, const char *id)
{
    for (size_t i = 0; id != NULL && i < json_count(nodes); i++) {
        const char *other = json_get_str(json_at(nodes, i), "nodeId");
        if (other != NULL && strcmp(other, id) == 0)
            return json_at(nodes, i);
    }
    return NULL;
}

static const char *iteration_of(const struct json *attempt, const struct json *node)
{
    const char *its = json_get_str(attempt, "iteration");
    its = its == NULL ? json_get_str(node, "iteration") : its;
    return its == NULL ? "0" : its;
}

/* What the node was in the iteration before, with what only a document tells, goes to the others of that kind. */
static void push_iteration(struct json *node)
{
    static const char *const of_document[] = {"input", "attempts"};
    if (json_get(node, of_document[0]) == NULL)
        return;
    struct json *before = json_object_new(), *iterations = json_ref(json_get(node, "iterations"));
    iterations = iterations == NULL ? json_array_new() : iterations;
    json_remove(node, "iterations");
    struct json_iter member;
    JSON_EACH(node, member) json_set(before, member.key, json_ref(member.value));
    json_remove(before, "iterationCount");
    json_push(iterations, before);
    json_set(node, "iterations", iterations);
    for (size_t i = 0; i < sizeof of_document / sizeof *of_document; i++)
        json_remove(node, of_document[i]);
}

/* What is known of that iteration of the node; NULL: nothing. */
static struct json *find_iteration(const struct json *nodes, const char *id, const char *iteration)
{
    struct json *node = find_node(nodes, id);
    if (node == NULL || strcmp(iteration_of(node, node), iteration) == 0)
        return node;
    const struct json *iterations = json_get(node, "iterations");
    for (size_t i = 0; i < json_count(iterations); i++)
        if (strcmp(iteration_of(json_at(iterations, i), node), iteration) == 0)
            return json_at(iterations, i);
    return NULL;
}

static void merge(struct json *into, struct json *take_node)
{
    struct json_iter member;
    JSON_EACH(take_node, member) json_set(into, member.key, json_ref(member.value));
    json_unref(take_node);
}

/* A node of a loop or a for-each is there once, as of the latest of its iterations that is known. */
static void add_iteration(struct json *nodes, struct json *take_node, const char *iteration)
{
    struct json *former = find_node(nodes, json_get_str(take_node, "nodeId"));
    if (strcmp(iteration, "0") != 0 || former != NULL) {
        json_set_str(take_node, "iteration", iteration);
        json_set_int(take_node, "iterationCount", json_get_int(former, "iterationCount", former == NULL ? 0 : 1) + 1);
    }
    if (former == NULL) {
        json_push(nodes, take_node);
        return;
    }
    push_iteration(former);
    merge(former, take_node);
}

/* Beside what a document tells of the epochs up to the one that is known: it has no node of an iteration under way. */
static enum err nodes_of_checkpoints(struct store_session *s, const struct sql_key *key, const struct json *types,
                                     int64_t created_ms, int64_t known_epoch, struct json *nodes, bool *damaged,
                                     struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT node_id, state, outputs, records, started_ms, ended_ms, wake_ms, error_message, "
                              "iteration, epoch FROM checkpoints"
                              " WHERE execution=? ORDER BY started_ms, node_id",
                              "k", key);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *known = find_iteration(nodes, sql_text(q, 0), sql_text(q, 8));
        if (known == NULL)
            add_iteration(nodes, node_of_checkpoint(q, types, created_ms, damaged), sql_text(q, 8));
        else if (sql_int(q, 9) > known_epoch)
            merge(known, node_of_checkpoint(q, types, created_ms, damaged));
    }
    return code;
}

/* One that is numbered so. What an attempt says nothing of stands for the node's own iteration; those before it stand
 * in `iterations`. */
static struct json *find_attempt(const struct json *node, int64_t epoch, int64_t from, int64_t to,
                                 const char *iteration)
{
    const struct json *attempts = json_get(node, "attempts"), *iterations = json_get(node, "iterations");
    struct json *found = NULL;
    for (size_t i = 0; i < json_count(attempts) && found == NULL; i++) {
        struct json *one = json_at(attempts, i);
        int64_t number = json_get_int(one, "attempt", 0);
        if (json_get_int(one, "epoch", 0) == epoch && number >= from && number <= to &&
            strcmp(iteration_of(one, node), iteration) == 0)
            found = one;
    }
    for (size_t i = 0; i < json_count(iterations) && found == NULL; i++)
        found = find_attempt(json_at(iterations, i), epoch, from, to, iteration);
    return found;
}

/* The run that came after did not know; a fenced off worker has told since. */
static bool is_unknown(const struct json *attempt)
{
    const char *status = json_get_str(attempt, "status");
    return status != NULL && strcmp(status, "unknown") == 0;
}

static void add_attempt(struct sql_rows *q, struct json *nodes, const struct json *types, int64_t created_ms)
{
    const char *id = sql_text(q, 0), *type = json_get_str(types, id);
    int64_t started_ms = sql_int(q, 5);
    struct json *node = find_node(nodes, id);
    if (node == NULL) { /* only a fenced off worker ran it */
        node = json_object_new();
        json_set_str(node, "nodeId", id);
        json_set_str(node, "nodeType", type == NULL ? "unknown" : type);
        json_set_str(node, "status", sql_text(q, 3));
        set_span(node, started_ms > 0 ? started_ms : created_ms, sql_int(q, 6));
        json_set_int(node, "recordsProcessed", 0);
        json_set_str(node, "errorMessage", sql_text(q, 7));
        json_push(nodes, node);
    }
    if (!json_is(json_get(node, "attempts"), JSON_ARRAY))
        json_set(node, "attempts", json_array_new());
    struct json *attempts = json_get(node, "attempts");
    const char *iteration = sql_text(q, 8);
    struct json *attempt = find_attempt(node, sql_int(q, 1), sql_int(q, 2), sql_int(q, 2), iteration);
    if (attempt != NULL && !is_unknown(attempt))
        return;
    if (attempt == NULL) {
        attempt = json_object_new();
        json_set_int(attempt, "attempt", sql_int(q, 2));
        json_set_int(attempt, "epoch", sql_int(q, 1));
        if (strcmp(iteration, "0") != 0 || json_get_str(node, "iteration") != NULL) /* the node's latest is another */
            json_set_str(attempt, "iteration", iteration);
        json_push(attempts, attempt);
    }
    json_set_str(attempt, "status", sql_text(q, 3));
    json_set_str(attempt, "worker", sql_text(q, 4));
    store_set_time(attempt, "startTime", started_ms);
    store_set_time(attempt, "endTime", sql_int(q, 6));
    json_set_str(attempt, "error", sql_text(q, 7));
}

/* Of a lost worker's last word that an attempt failed and another would follow: that one may have been made. */
static void add_unheard(struct json *node, const struct json *told)
{
    int64_t epoch = json_get_int(told, "epoch", 0), number = json_get_int(told, "attempt", 0) + 1;
    const char *iteration = iteration_of(told, node);
    if (find_attempt(node, epoch, number, INT64_MAX, iteration) != NULL)
        return;
    struct json *attempt = json_object_new();
    json_set_int(attempt, "attempt", number);
    json_set_int(attempt, "epoch", epoch);
    if (strcmp(iteration, "0") != 0)
        json_set_str(attempt, "iteration", iteration);
    json_set_str(attempt, "status", "unknown");
    json_set(attempt, "startTime", NULL);
    json_set(attempt, "endTime", NULL);
    json_push(json_get(node, "attempts"), attempt);
}

/* `lost` as seen from `epoch` (store_dispatch.lost_epochs). */
static void add_all_unheard(const struct json *nodes, int64_t epoch, unsigned lost)
{
    for (size_t n = 0; lost != 0 && n < json_count(nodes); n++) {
        const struct json *attempts = json_get(json_at(nodes, n), "attempts");
        for (size_t i = 0, count = json_count(attempts); i < count; i++) {
            const struct json *told = json_at(attempts, i);
            const char *status = json_get_str(told, "status");
            int64_t ago = epoch - json_get_int(told, "epoch", 0);
            bool is_lost = ago >= 1 && ago <= 30 && (lost >> (ago - 1) & 1) != 0;
            if (is_lost && status != NULL && strcmp(status, node_state_name(NODE_BACKOFF)) == 0)
                add_unheard(json_at(nodes, n), told);
        }
    }
}

static enum err add_attempts(struct store_session *s, const struct sql_key *key, const struct json *types,
                             int64_t created_ms, struct json *nodes, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT node_id, epoch, attempt, state, worker_id, started_ms, ended_ms, error_message, iteration"
                  " FROM attempts WHERE execution=? ORDER BY epoch, node_id, started_ms, iteration, attempt",
                  "k", key);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row)
        add_attempt(q, nodes, types, created_ms);
    return code;
}

/* What an unfinished execution waits for, node by node. */
static struct json *wait_of(struct sql_rows *q, bool *damaged)
{
    struct json *wait = json_object_new();
    AUTO_JSON struct json *waiting = sql_json(q, 2, damaged);
    const char *kind = json_get_str(waiting, "kind"), *token = json_get_str(waiting, "token");
    int64_t wake_ms = sql_int(q, 3);
    json_set_str(wait, "nodeId", sql_text(q, 0));
    json_set_str(wait, "iteration", sql_text(q, 1));
    json_set_str(wait, "kind", token != NULL ? "approval" : kind == NULL ? "time" : kind);
    store_set_time(wait, "since", sql_int(q, 4));
    store_set_time(wait, "until", wake_ms >= RUN_WAKE_NEVER ? 0 : wake_ms);
    if (json_get_str(waiting, "name") != NULL)
        json_set_str(wait, "name", json_get_str(waiting, "name"));
    if (json_get_str(waiting, "childId") != NULL)
        json_set_str(wait, "executionId", json_get_str(waiting, "childId"));
    if (token != NULL) {
        json_set_str(wait, "title", json_get_str(json_get(waiting, "approval"), "title"));
        json_set_str(wait, "token", token);
    }
    return wait;
}

static enum err load_waits(struct store_session *s, const struct sql_key *key, struct json *waits, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false, damaged = false;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT node_id, iteration, waiting, wake_ms, started_ms FROM checkpoints WHERE"
                              " execution=? AND state='waiting' ORDER BY node_id, iteration LIMIT 1000",
                              "k", key);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row)
        json_push(waits, wait_of(q, &damaged));
    return code == ERR_OK && damaged ? sql_damaged("execution", key->id, reterr) : code;
}

/* A document does not tell until when its nodes wait. */
static void set_waiting_until(struct json *nodes, const struct json *waits)
{
    for (size_t i = 0; i < json_count(waits); i++) {
        struct json *node = find_node(nodes, json_get_str(json_at(waits, i), "nodeId"));
        if (node != NULL && !json_has(node, "waitingUntil"))
            json_set(node, "waitingUntil", json_ref(json_get(json_at(waits, i), "until")));
    }
}

static enum err decode_detail(struct store_session *s, struct sql_rows *q, struct json *detail, struct error *reterr)
{
    AUTO_JSON struct json *document = NULL, *types = NULL;
    struct json *result = NULL;
    bool damaged = false;
    struct sql_key key = {.seq = sql_int(q, AFTER_EXECUTION), .id = json_get_str(detail, "id")};
    int64_t created_ms = sql_int(q, 0);
    json_set_int(detail, "epoch", sql_int(q, AFTER_EXECUTION + 1));
    json_set_str(detail, "workerId", sql_text(q, AFTER_EXECUTION + 2));
    json_set_str(detail, "triggerNode", sql_text(q, AFTER_EXECUTION + 3));
    json_set(detail, "input", sql_json(q, AFTER_EXECUTION + 4, &damaged));
    json_set(detail, "metadata", sql_json(q, AFTER_EXECUTION + 5, &damaged));
    enum err code = sql_decompress_json(s, q, AFTER_EXECUTION + 7, json_get_str(detail, "id"), &result, reterr);
    json_set(detail, "result", result);
    if (code == ERR_OK)
        code = sql_decompress_json(s, q, AFTER_EXECUTION + 6, json_get_str(detail, "id"), &document, reterr);
    if (code == ERR_OK)
        code = load_types(s, sql_text(q, 2), (int)sql_int(q, 11), &types, reterr);
    if (code != ERR_OK)
        return code;
    struct json *nodes = json_get(document, "nodes");
    nodes = json_is(nodes, JSON_ARRAY) ? json_ref(nodes) : json_array_new();
    json_set(detail, "nodeExecutions", nodes);
    struct json *waits = json_array_new();
    json_set(detail, "waits", waits);
    if (sql_int(q, 4) < RUN_SUCCESS)
        code = load_waits(s, &key, waits, reterr);
    if (code == ERR_OK && (document == NULL || json_has(document, "epoch"))) /* otherwise it tells all */
        code = nodes_of_checkpoints(s, &key, types, created_ms, json_get_int(document, "epoch", 0), nodes, &damaged,
                                    reterr);
    if (code == ERR_OK)
        set_waiting_until(nodes, waits);
    if (code == ERR_OK && damaged)
        return sql_damaged("execution", json_get_str(detail, "id"), reterr);
    if (code == ERR_OK)
        code = add_attempts(s, &key, types, created_ms, nodes, reterr);
    if (code == ERR_OK)
        add_all_unheard(nodes, json_get_int(detail, "epoch", 0), (unsigned)sql_int(q, AFTER_EXECUTION + 8));
    return code;
}

enum err sql_execution_load_detail(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(
        s, &q, reterr,
        "SELECT " EXECUTION_COLUMNS ", {key}, epoch, worker_id, trigger_node, i.input, i.metadata, n.document,"
        " n.result, e.lost FROM executions e LEFT JOIN execution_inputs i ON i.execution = e.{key} LEFT JOIN"
        " node_executions n ON n.execution = e.{key} WHERE e.id=?",
        "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return not_found(id, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *detail = decode(q);
    code = decode_detail(s, q, detail, reterr);
    if (code == ERR_OK)
        *ret = json_ref(detail);
    return code;
}

/* ---- how executions ended */

static enum err add_ended(struct store_session *s, struct sql_rows *q, struct json *list, struct error *reterr)
{
    AUTO_JSON struct json *document = NULL;
    struct json *ended = json_object_new(), *result = NULL;
    const char *id = sql_text(q, 0);
    bool gone = sql_text(q, 1) == NULL;
    json_push(list, ended);
    json_set_str(ended, "id", id);
    json_set_str(ended, "status", gone ? NULL : store_status_name((int)sql_int(q, 2)));
    if (gone)
        return ERR_OK;
    json_set_str(ended, "errorId", sql_text(q, 3));
    json_set_str(ended, "errorMessage", sql_text(q, 4));
    enum err code = sql_decompress_json(s, q, 5, id, &result, reterr);
    json_set(ended, "result", result);
    if (code == ERR_OK)
        code = sql_decompress_json(s, q, 6, id, &document, reterr);
    json_set_bool(ended, "responded", json_get_bool(document, "responded", false));
    return code;
}

enum err sql_executions_ended(struct store_session *s, const struct json *ids, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *list = json_array_new();
    AUTO_FREE char *wanted = json_dup_text(ids);
    bool row = false;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT w.value, e.id, e.status, e.error_id, e.error_message, n.result, n.document FROM "
                              "{wanted} LEFT JOIN executions e ON e.id = w.value LEFT JOIN node_executions n ON"
                              " n.execution = e.{key} WHERE e.id IS NULL OR e.status > 2",
                              "t", wanted);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row)
        code = add_ended(s, q, list, reterr);
    if (code == ERR_OK)
        *ret = json_ref(list);
    return code;
}

/* ---- lists and counts */

enum err sql_execution_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    static const struct sql_list list = {.table = "executions",
                                         .noun = "execution",
                                         .sort_key = "created_ms",
                                         .row = decode_row,
                                         .columns = EXECUTION_COLUMNS};
    struct sql_where where = {0};
    int64_t from_ms = 0, to_ms = 0;
    const char *flow_id = json_get_str(filter, "flowId"), *schedule_id = json_get_str(filter, "scheduleId");
    const char *status = json_get_str(filter, "status"), *search = json_get_str(filter, "search");
    enum err code = store_time_parse(filter, "startTimeFrom", INT64_MIN, &from_ms, reterr);
    if (code == ERR_OK)
        code = store_time_parse(filter, "startTimeTo", INT64_MAX, &to_ms, reterr);
    if (code != ERR_OK)
        return code;
    int number = store_status_parse(status);
    if (status != NULL && number < 0)
        return error_set(reterr, ERR_VALIDATION, "status",
                         "status must be one of pending, running, paused, success, failed, cancelled, timeout.");
    if (flow_id != NULL)
        sql_where_text(&where, "flow_id = ?", flow_id);
    if (schedule_id != NULL)
        sql_where_text(&where, "schedule_id = ?", schedule_id);
    if (json_get_str(filter, "parentExecutionId") != NULL)
        sql_where_text(&where, "parent_id = ?", json_get_str(filter, "parentExecutionId"));
    /* The conditions of the partial indices must stand there as literals, or SQLite does not use them. */
    if (number > RUN_SUCCESS)
        sql_where_number(&where, "status > 3 AND status = ?", number);
    else if (number >= 0 && number < RUN_SUCCESS)
        sql_where_number(&where, "status <= 2 AND status = ?", number);
    else if (number >= 0)
        sql_where_number(&where, "status = ?", number);
    if (from_ms != INT64_MIN)
        sql_where_number(&where, "created_ms >= ?", from_ms);
    if (to_ms != INT64_MAX)
        sql_where_number(&where, "created_ms <= ?", to_ms);
    if (search != NULL && search[0] != '\0')
        sql_where_text(&where, "contains(id || {newline} || flow_id || {newline} || coalesce(schedule_id, ''), ?)",
                       search);
    return sql_list(s, &list, &where, filter, ret, reterr);
}

enum err sql_execution_counts(struct store_session *s, int64_t since_ms, struct json **ret, struct error *reterr)
{
    /* Success, the many, is what the others leave: each other kind has an index of its own. */
    static const struct {
        const char *name, *sql;
    } kinds[] = {
        {"pending", "SELECT (SELECT count(*) FROM executions WHERE status <= 2 AND wake_ms IS NULL AND status = 0 AND "
                    "created_ms >= ?1)"
                    " + (SELECT count(*) FROM executions WHERE status <= 2 AND wake_ms IS NOT NULL AND status = 0 AND "
                    "created_ms >= ?1)"},
        {"running",
         "SELECT count(*) FROM executions WHERE status <= 2 AND wake_ms IS NULL AND status = 1 AND created_ms >= ?1"},
        {"paused", "SELECT count(*) FROM executions WHERE status <= 2 AND wake_ms IS NOT NULL AND status = 2 AND "
                   "created_ms >= ?1"},
        {"failed", "SELECT count(*) FROM executions WHERE status > 3 AND status = 4 AND created_ms >= ?1"},
        {"cancelled", "SELECT count(*) FROM executions WHERE status > 3 AND status = 5 AND created_ms >= ?1"},
        {"timeout", "SELECT count(*) FROM executions WHERE status > 3 AND status = 6 AND created_ms >= ?1"},
        {"waiting", "SELECT count(*) FROM executions WHERE status <= 2 AND wake_ms IS NOT NULL AND status = 1 AND "
                    "created_ms >= ?1"}};
    AUTO_JSON struct json *counts = json_object_new();
    int64_t all = 0;
    enum err code =
        sql_number(s, &all, reterr, "SELECT count(*) FROM executions WHERE created_ms >= ?1", "i", since_ms);
    for (size_t i = 0; code == ERR_OK && i < sizeof kinds / sizeof *kinds; i++) {
        int64_t count = 0;
        code = sql_number(s, &count, reterr, kinds[i].sql, "i", since_ms);
        json_set_int(counts, kinds[i].name, count);
        all -= count;
    }
    if (code != ERR_OK)
        return code;
    json_set_int(counts, "success", all);
    *ret = json_ref(counts);
    return ERR_OK;
}
