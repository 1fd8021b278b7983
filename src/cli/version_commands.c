/* caudal flow versions, diff, publish, rollback. */
#include "cli/cli.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_dash(const struct json *object, const char *key)
{
    const char *text = json_get_str(object, key);
    return text == NULL ? "-" : text;
}

/* 0: it is none, and that was said. */
static int version_of(const char *text)
{
    char *end;
    long version = strtol(text, &end, 10);
    if (*text != '\0' && *end == '\0' && version > 0 && version < 1000000000)
        return (int)version;
    (void)fprintf(stderr, "caudal: a version is a number from 1, not \"%s\"; caudal flow versions lists them.\n", text);
    return 0;
}

static int call(const struct cli *cli, const char *method, const char *path, const struct json *body, struct json **ret)
{
    char id[40];
    int code = client_find_flow(cli, cli->words[0], id);
    AUTO_FREE char *whole = mem_printf("/flows/%s%s", id, path);
    return code == EXIT_OK ? client_call(cli, method, whole, body, ret) : code;
}

int command_flow_versions(const struct cli *cli)
{
    AUTO_JSON struct json *versions = NULL;
    AUTO_JSON struct json *flow = NULL;
    int code = call(cli, "GET", "/versions", NULL, &versions);
    if (code == EXIT_OK)
        code = call(cli, "GET", "", NULL, &flow);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(versions);
    for (size_t i = 0; i < json_count(versions); i++) {
        const struct json *row = json_at(versions, i);
        int64_t version = json_get_int(row, "version", 0);
        const char *note = json_get_str(row, "changes"), *why = json_get_str(row, "publishNote");
        bool published = version == json_get_int(flow, "publishedVersion", 0);
        (void)printf("v%-4lld %s  %-16s %3lld nodes  %s%s%s%s\n", (long long)version, or_dash(row, "createdAt"),
                     or_dash(row, "createdBy"), (long long)json_get_int(row, "nodeCount", 0),
                     published ? "[published] " : "", note == NULL ? "" : note,
                     why == NULL ? "" : "  Published: ", why == NULL ? "" : why);
    }
    return EXIT_OK;
}

static void print_value(const char *sign, const struct json *value)
{
    AUTO_FREE char *text = json_dup_text(value);
    (void)printf("      %s %s\n", sign, text);
}

static void print_fields(const struct json *fields)
{
    for (size_t i = 0; i < json_count(fields); i++) {
        (void)printf("    %s\n", json_get_str(json_at(fields, i), "path"));
        print_value("-", json_get(json_at(fields, i), "before"));
        print_value("+", json_get(json_at(fields, i), "after"));
    }
}

static void print_nodes(const char *sign, const struct json *nodes)
{
    for (size_t i = 0; i < json_count(nodes); i++)
        (void)printf("  %s node %s (%s)\n", sign, json_get_str(json_at(nodes, i), "id"),
                     or_dash(json_at(nodes, i), "type"));
}

static void print_connections(const char *sign, const struct json *connections)
{
    for (size_t i = 0; i < json_count(connections); i++) {
        const struct json *row = json_at(connections, i);
        (void)printf("  %s %s.%s -> %s.%s\n", sign, or_dash(row, "fromNodeId"), or_dash(row, "fromOutput"),
                     or_dash(row, "toNodeId"), or_dash(row, "toInput"));
    }
}

int command_flow_diff(const struct cli *cli)
{
    AUTO_JSON struct json *diff = NULL;
    int before = version_of(cli->words[1]), after = before == 0 ? 0 : version_of(cli->words[2]);
    if (after == 0)
        return EXIT_USAGE;
    AUTO_FREE char *path = mem_printf("/versions/%d/diff/%d", before, after);
    int code = call(cli, "GET", path, NULL, &diff);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(diff);
    const struct json *nodes = json_get(diff, "nodes"), *changed = json_get(nodes, "changed");
    print_nodes("-", json_get(nodes, "removed"));
    print_nodes("+", json_get(nodes, "added"));
    for (size_t i = 0; i < json_count(changed); i++) {
        (void)printf("  * node %s (%s)\n", json_get_str(json_at(changed, i), "id"),
                     or_dash(json_at(changed, i), "type"));
        print_fields(json_get(json_at(changed, i), "fields"));
    }
    print_connections("-", json_get(json_get(diff, "connections"), "removed"));
    print_connections("+", json_get(json_get(diff, "connections"), "added"));
    if (json_count(json_get(diff, "settings")) > 0)
        (void)printf("  * settings\n");
    print_fields(json_get(diff, "settings"));
    (void)printf("%lld changes from v%d to v%d.\n", (long long)json_get_int(diff, "changes", 0), before, after);
    return EXIT_OK;
}

static int tell_flow(const struct cli *cli, const struct json *flow)
{
    if (cli->json)
        return cli_print_json(flow);
    (void)printf("%s  v%lld", json_get_str(flow, "id"), (long long)json_get_int(flow, "version", 0));
    if (json_get(flow, "publishedVersion") != NULL)
        (void)printf(", published v%lld", (long long)json_get_int(flow, "publishedVersion", 0));
    (void)printf("  %s\n", json_get_str(flow, "name"));
    return EXIT_OK;
}

int command_flow_publish(const struct cli *cli)
{
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *flow = NULL;
    int version = cli->word_count > 1 ? version_of(cli->words[1]) : 0;
    if (cli->word_count > 1 && version == 0)
        return EXIT_USAGE;
    if (version > 0)
        json_set_int(body, "version", version);
    if (cli->note != NULL)
        json_set_str(body, "note", cli->note);
    int code = call(cli, "POST", "/publish", body, &flow);
    return code == EXIT_OK ? tell_flow(cli, flow) : code;
}

/* Its answer is flat: the flow is asked for again. */
int command_flow_rollback(const struct cli *cli)
{
    AUTO_JSON struct json *flow = NULL;
    int version = version_of(cli->words[1]);
    if (version == 0)
        return EXIT_USAGE;
    AUTO_FREE char *path = mem_printf("/versions/%d/rollback", version);
    int code = call(cli, "POST", path, NULL, NULL);
    if (code == EXIT_OK)
        code = call(cli, "GET", "", NULL, &flow);
    return code == EXIT_OK ? tell_flow(cli, flow) : code;
}
