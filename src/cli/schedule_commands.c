/* caudal schedule … */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "/scheduler/schedules"

static const char *or_dash(const struct json *object, const char *key)
{
    const char *text = json_get_str(object, key);
    return text == NULL ? "-" : text;
}

int command_schedule_list(const struct cli *cli)
{
    AUTO_JSON struct json *page = NULL;
    char flow[40] = "";
    int code = cli->flow == NULL ? EXIT_OK : client_find_flow(cli, cli->flow, flow);
    if (code != EXIT_OK)
        return code;
    AUTO_FREE char *path =
        mem_printf(BASE "?limit=%lld%s%s", (long long)cli->limit, flow[0] == '\0' ? "" : "&flowId=", flow);
    code = client_call(cli, "GET", path, NULL, &page);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(json_get(page, "data"));
    const struct json *rows = json_get(page, "data");
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        (void)printf("%s  %-7s %-20s %-20s next %s  %s\n", json_get_str(row, "id"),
                     json_get_bool(row, "enabled", false) ? "on" : "paused", or_dash(row, "cronExpression"),
                     or_dash(row, "timezone"), or_dash(row, "nextRun"), json_get_str(row, "name"));
    }
    if (json_count(rows) == 0)
        (void)printf("No schedules.\n");
    return EXIT_OK;
}

/* By id, or by a name that only one has. */
static int find(const struct cli *cli, char ret_id[40])
{
    const char *wanted = cli->words[0];
    if (id_is_valid(wanted)) {
        (void)snprintf(ret_id, 40, "%s", wanted);
        return EXIT_OK;
    }
    AUTO_FREE char *escaped = client_escape(wanted);
    AUTO_FREE char *path = mem_printf(BASE "?limit=100&search=%s", escaped);
    AUTO_JSON struct json *page = NULL;
    int code = client_call(cli, "GET", path, NULL, &page);
    if (code != EXIT_OK)
        return code;
    const struct json *rows = json_get(page, "data");
    int found = 0;
    for (size_t i = 0; i < json_count(rows); i++)
        if (strcmp(json_get_str(json_at(rows, i), "name"), wanted) == 0) {
            (void)snprintf(ret_id, 40, "%s", json_get_str(json_at(rows, i), "id"));
            found++;
        }
    if (found == 1)
        return EXIT_OK;
    (void)fprintf(stderr, "caudal: %s schedule is named \"%s\"%s\n", found == 0 ? "no" : "more than one", wanted,
                  found == 0 ? "." : ": use its id.");
    return EXIT_REFUSED;
}

static int call(const struct cli *cli, const char *method, const char *action, const struct json *body,
                struct json **ret)
{
    char id[40];
    int code = find(cli, id);
    AUTO_FREE char *path = mem_printf(BASE "/%s%s", id, action);
    return code == EXIT_OK ? client_call(cli, method, path, body, ret) : code;
}

int command_schedule_next(const struct cli *cli)
{
    AUTO_JSON struct json *next = NULL;
    AUTO_FREE char *action = mem_printf("/next?count=%lld", (long long)cli->count);
    int code = call(cli, "GET", action, NULL, &next);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(next);
    const struct json *runs = json_get(next, "nextRuns");
    for (size_t i = 0; i < json_count(runs); i++)
        (void)printf("%s\n", json_as_str(json_at(runs, i)));
    if (json_count(runs) == 0)
        (void)printf("It has no next instant.\n");
    return EXIT_OK;
}

static int turn(const struct cli *cli, const char *action)
{
    AUTO_JSON struct json *schedule = NULL;
    int code = call(cli, "POST", action, NULL, &schedule);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(schedule);
    (void)printf("%s  %s  next %s\n", json_get_str(schedule, "id"),
                 json_get_bool(schedule, "enabled", false) ? "on" : "paused", or_dash(schedule, "nextRun"));
    return EXIT_OK;
}

int command_schedule_pause(const struct cli *cli)
{
    return turn(cli, "/disable");
}

int command_schedule_resume(const struct cli *cli)
{
    return turn(cli, "/enable");
}

int command_schedule_backfill(const struct cli *cli)
{
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *backfill = NULL;
    if (cli->from == NULL || cli->to == NULL) {
        (void)fprintf(stderr,
                      "caudal: schedule backfill needs --from and --to, such as --from 2026-01-01T00:00:00Z.\n");
        return EXIT_USAGE;
    }
    json_set_str(body, "from", cli->from);
    json_set_str(body, "to", cli->to);
    int code = call(cli, "POST", "/backfill", body, &backfill);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(backfill);
    (void)printf("%s  %lld instants  %s\n", json_get_str(backfill, "id"), (long long)json_get_int(backfill, "total", 0),
                 or_dash(backfill, "status"));
    return EXIT_OK;
}
