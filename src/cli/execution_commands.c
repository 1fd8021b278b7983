/* caudal execution … */
#include "cli/cli.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 200

int command_execution_list(const struct cli *cli)
{
    AUTO_JSON struct json *page = NULL;
    char flow[40] = "";
    int code = cli->flow == NULL ? EXIT_OK : client_find_flow(cli, cli->flow, flow);
    if (code != EXIT_OK)
        return code;
    AUTO_FREE char *path = mem_printf("/scheduler/executions?limit=%lld&flowId=%s&status=%s", (long long)cli->limit,
                                      flow, cli->status == NULL ? "" : cli->status);
    code = client_call(cli, "GET", path, NULL, &page);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(json_get(page, "data"));
    const struct json *rows = json_get(page, "data");
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        const char *error = json_get_str(row, "errorMessage");
        (void)printf("%s  %-9s  %s  %8lld ms  %s\n", json_get_str(row, "id"), json_get_str(row, "status"),
                     json_get_str(row, "startTime"), (long long)json_get_int(row, "duration", 0),
                     error == NULL ? "" : error);
    }
    if (json_count(rows) == 0)
        (void)printf("No executions.\n");
    return EXIT_OK;
}

static int load(const struct cli *cli, const char *id, struct json **ret)
{
    AUTO_FREE char *escaped = client_escape(id);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s", escaped);
    return client_call(cli, "GET", path, NULL, ret);
}

void cli_print_execution(const struct json *execution)
{
    const struct json *nodes = json_get(execution, "nodeExecutions");
    const char *error = json_get_str(execution, "errorMessage");
    (void)printf("%s  %s", json_get_str(execution, "id"), json_get_str(execution, "status"));
    if (json_get(execution, "waitingFor") != NULL)
        (void)printf("  waits for its %s", json_get_str(execution, "waitingFor"));
    if (json_get(execution, "duration") != NULL)
        (void)printf("  %lld ms", (long long)json_get_int(execution, "duration", 0));
    (void)printf("  %lld records\n", (long long)json_get_int(execution, "recordsProcessed", 0));
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        const char *failure = json_get_str(node, "errorMessage");
        (void)printf("  %-8s %-20s %-20s %6lld ms %8lld records%s%s\n", json_get_str(node, "status"),
                     json_get_str(node, "nodeId"), json_get_str(node, "nodeType"),
                     (long long)json_get_int(node, "duration", 0), (long long)json_get_int(node, "recordsProcessed", 0),
                     failure == NULL ? "" : "  ", failure == NULL ? "" : failure);
    }
    if (error != NULL)
        (void)printf("Error: %s\n", error);
    if (json_get(execution, "result") != NULL) {
        (void)printf("Result:\n");
        (void)cli_print_json(json_get(execution, "result"));
    }
}

int command_execution_show(const struct cli *cli)
{
    AUTO_JSON struct json *execution = NULL;
    int code = load(cli, cli->words[0], &execution);
    if (code != EXIT_OK)
        return code;
    if (cli->json)
        return cli_print_json(execution);
    cli_print_execution(execution);
    return EXIT_OK;
}

/* Log lines come newest first; those beyond the `seen` oldest are new. */
static int print_new_logs(const struct cli *cli, const char *id, size_t *seen)
{
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/logs", id);
    AUTO_JSON struct json *lines = NULL;
    int code = client_call(cli, "GET", path, NULL, &lines);
    if (code != EXIT_OK)
        return code;
    for (size_t i = json_count(lines); i > 0 && json_count(lines) > *seen; i--) {
        const struct json *line = json_at(lines, i - 1);
        if (json_count(lines) - i >= *seen)
            (void)printf("%s %-5s %s\n", json_get_str(line, "timestamp"), json_get_str(line, "level"),
                         json_get_str(line, "message"));
    }
    *seen = json_count(lines);
    (void)fflush(stdout);
    return EXIT_OK;
}

static bool is_final(const char *status)
{
    return strcmp(status, "success") == 0 || strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0 ||
           strcmp(status, "timeout") == 0;
}

int cli_follow(const struct cli *cli, const char *execution_id)
{
    size_t seen = 0;
    for (;;) {
        AUTO_JSON struct json *execution = NULL;
        int code = load(cli, execution_id, &execution);
        if (code == EXIT_OK && !cli->json)
            code = print_new_logs(cli, execution_id, &seen);
        if (code != EXIT_OK)
            return code;
        const char *status = json_get_str(execution, "status");
        if (is_final(status)) {
            if (cli->json)
                (void)cli_print_json(execution);
            else
                cli_print_execution(execution);
            return strcmp(status, "success") == 0 ? EXIT_OK : EXIT_FAILED;
        }
        if (cli->terminal && !cli->json)
            (void)fprintf(stderr, "\r%s, %zu nodes \r", status, json_count(json_get(execution, "nodeExecutions")));
        (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

int command_execution_follow(const struct cli *cli)
{
    return cli_follow(cli, cli->words[0]);
}

int command_execution_cancel(const struct cli *cli)
{
    AUTO_FREE char *escaped = client_escape(cli->words[0]);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/cancel", escaped);
    AUTO_JSON struct json *execution = NULL;
    int code = client_call(cli, "POST", path, NULL, &execution);
    if (code == EXIT_OK && cli->json)
        (void)cli_print_json(execution);
    else if (code == EXIT_OK)
        (void)printf("%s  %s\n", json_get_str(execution, "id"), json_get_str(execution, "status"));
    return code;
}

int command_execution_retry(const struct cli *cli)
{
    AUTO_FREE char *escaped = client_escape(cli->words[0]);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/retry", escaped);
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *started = NULL;
    json_set_str(body, "from", cli->failed ? "failed" : "whole");
    int code = client_call(cli, "POST", path, body, &started);
    if (code == EXIT_OK && cli->json)
        (void)cli_print_json(started);
    else if (code == EXIT_OK)
        (void)printf("%s\n", json_get_str(started, "executionId"));
    return code;
}

/* Once more from the beginning, as an execution of its own. */
int command_execution_rerun(const struct cli *cli)
{
    AUTO_FREE char *escaped = client_escape(cli->words[0]);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/rerun", escaped);
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *started = NULL;
    struct json *input = NULL;
    struct error error = {0};
    if (cli_read_input(cli->input, &input, &error) != ERR_OK)
        return cli_fail(&error);
    if (cli->input != NULL)
        json_set(body, "input", input);
    json_set_str(body, "version", cli->same ? "same" : "newest");
    int code = client_call(cli, "POST", path, body, &started);
    if (code == EXIT_OK && cli->json)
        (void)cli_print_json(started);
    else if (code == EXIT_OK)
        (void)printf("%s\n", json_get_str(started, "executionId"));
    return code;
}

int command_execution_delete(const struct cli *cli)
{
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *done = NULL;
    struct json *ids = json_array_new();
    for (int i = 0; i < cli->word_count; i++)
        json_push(ids, json_string_new(cli->words[i]));
    json_set(body, "executionIds", ids);
    int code = client_call(cli, "POST", "/scheduler/executions/bulk/delete", body, &done);
    if (code != EXIT_OK)
        return code;
    const struct json *errors = json_get(done, "errors");
    if (cli->json)
        (void)cli_print_json(done);
    else
        (void)printf("%lld deleted.\n", (long long)json_get_int(done, "successCount", 0));
    for (size_t i = 0; !cli->json && i < json_count(errors); i++)
        (void)fprintf(stderr, "caudal: %s\n", json_get_str(json_at(errors, i), "error"));
    return json_count(errors) == 0 ? EXIT_OK : EXIT_REFUSED;
}

int command_execution_attempts(const struct cli *cli)
{
    AUTO_FREE char *escaped = client_escape(cli->words[0]);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/attempts", escaped);
    AUTO_JSON struct json *rows = NULL;
    int code = client_call(cli, "GET", path, NULL, &rows);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(rows);
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        const char *start = json_get_str(row, "startTime"), *end = json_get_str(row, "endTime"),
                   *worker = json_get_str(row, "worker"), *error = json_get_str(row, "error");
        (void)printf("%-24s %-24s %-20s %-8s #%-3lld %-9s %-16s %s\n", start == NULL ? "-" : start,
                     end == NULL ? "-" : end, json_get_str(row, "nodeId"), json_get_str(row, "iteration"),
                     (long long)json_get_int(row, "attempt", 0), json_get_str(row, "outcome"),
                     worker == NULL ? "-" : worker, error == NULL ? "" : error);
    }
    if (json_count(rows) == 0)
        (void)printf("No attempts.\n");
    return EXIT_OK;
}

int command_execution_signal(const struct cli *cli)
{
    AUTO_FREE char *escaped = client_escape(cli->words[0]);
    AUTO_FREE char *path = mem_printf("/scheduler/executions/%s/signal", escaped);
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *sent = NULL;
    struct json *payload = NULL;
    struct error error = {0};
    if (cli_read_input(cli->input, &payload, &error) != ERR_OK)
        return cli_fail(&error);
    if (cli->input != NULL)
        json_set(body, "payload", payload);
    if (cli->name != NULL)
        json_set_str(body, "name", cli->name);
    if (cli->node != NULL)
        json_set_str(body, "nodeId", cli->node);
    int code = client_call(cli, "POST", path, body, &sent);
    if (code == EXIT_OK && cli->json)
        (void)cli_print_json(sent);
    else if (code == EXIT_OK)
        (void)printf("%s\n", json_get_bool(sent, "awaited", false) ? "Sent." : "Sent; nobody waits for it yet.");
    return code;
}
