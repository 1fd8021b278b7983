/* caudal flow … */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/local_run.h"
#include "nodes/node.h"
#include "nodes/script_check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT_TIMEOUT_MS 10000
#define SCRIPT_MEMORY_MB 128

static enum err read_json(const char *path, struct json **ret, struct error *reterr)
{
    struct buf text;
    buf_init(&text, 0);
    enum err code = cli_read_file(path, &text, reterr);
    if (code == ERR_OK && (code = json_parse(buf_str(&text), text.len, ret, reterr)) != ERR_OK)
        error_prefix_field(reterr, path);
    buf_done(&text);
    return code;
}

int command_flow_list(const struct cli *cli)
{
    AUTO_JSON struct json *page = NULL;
    AUTO_FREE char *path = mem_printf("/flows?limit=%lld%s%s", (long long)cli->limit,
                                      cli->status == NULL ? "" : "&status=", cli->status == NULL ? "" : cli->status);
    int code = client_call(cli, "GET", path, NULL, &page);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(json_get(page, "data"));
    const struct json *rows = json_get(page, "data");
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        (void)printf("%s  %-9s v%-3lld %3lld nodes  %s\n", json_get_str(row, "id"), json_get_str(row, "status"),
                     (long long)json_get_int(row, "version", 0), (long long)json_get_int(row, "nodeCount", 0),
                     json_get_str(row, "name"));
    }
    if (json_count(rows) == 0)
        (void)printf("No flows.\n");
    return EXIT_OK;
}

static void print_list(const char *kind, const struct json *list)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *problem = json_at(list, i);
        const char *node = json_get_str(problem, "nodeId"), *field = json_get_str(problem, "field");
        (void)printf("%s %s%s%s%s%s: %s\n", kind, json_get_str(problem, "code"), node == NULL ? "" : " node ",
                     node == NULL ? "" : node, field == NULL ? "" : " ", field == NULL ? "" : field,
                     json_get_str(problem, "message"));
    }
}

static bool is_broken_text(const struct json *problem)
{
    const char *code = json_get_str(problem, "code");
    return strcmp(code, "INVALID_EXPRESSION") == 0 || strcmp(code, "INVALID_CODE") == 0;
}

/* The warnings that are left; texts that fail whenever they run are errors. */
static struct json *sort_out(const struct json *warnings, struct json *errors)
{
    struct json *left = json_array_new();
    for (size_t i = 0; i < json_count(warnings); i++)
        json_push(is_broken_text(json_at(warnings, i)) ? errors : left, json_ref(json_at(warnings, i)));
    return left;
}

static void check_scripts(const struct json *definition, struct json *problems)
{
    struct script_desk *desk = script_desk_new(
        &(struct script_options){.runners = 1, .timeout_ms = SCRIPT_TIMEOUT_MS, .memory_mb = SCRIPT_MEMORY_MB});
    node_scripts_check(desk, definition, problems);
    script_desk_free(desk);
}

/* As strict as a run: what only warns when saving is an error here. */
int command_flow_validate(const struct cli *cli)
{
    AUTO_JSON struct json *definition = NULL;
    AUTO_JSON struct json *result = json_object_new();
    struct error error = {0};
    struct flow *flow = NULL;
    if (read_json(cli->words[0], &definition, &error) != ERR_OK ||
        fields_check(flow_body_fields, definition, &error) != ERR_OK)
        return cli_fail(&error);
    struct json *errors = json_array_new(), *warnings = json_array_new(), *problems = json_array_new();
    flow_validate(definition, node_registry_catalog(), errors, warnings);
    bool valid = flow_compile("validate", 1, definition, node_registry_catalog(), &flow, problems, &error) == ERR_OK;
    flow_free(flow);
    check_scripts(definition, warnings);
    struct json *left = sort_out(warnings, problems);
    valid &= json_count(problems) == 0;
    json_set_bool(result, "valid", valid);
    json_set(result, "errors", problems);
    json_set(result, "warnings", left);
    json_unref(errors);
    json_unref(warnings);
    if (cli->json)
        (void)cli_print_json(result);
    else {
        print_list("error", problems);
        if (valid)
            print_list("warning", left);
        (void)printf("%s: %s\n", cli->words[0], valid ? "valid" : "not valid");
    }
    return valid ? EXIT_OK : EXIT_FAILED;
}

static struct json *definition_of(const struct json *flow)
{
    static const char *const kept[] = {"name", "description", "nodes", "connections", "settings", "metadata", "status"};
    struct json *definition = json_object_new();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_get(flow, kept[i]) != NULL)
            json_set(definition, kept[i], json_ref(json_get(flow, kept[i])));
    return definition;
}

/* The id of the flow with exactly this name; "" when there is none. */
static int find_by_name(const struct cli *cli, const char *name, char ret_id[40])
{
    AUTO_FREE char *escaped = client_escape(name);
    AUTO_FREE char *path = mem_printf("/flows?limit=100&search=%s", escaped);
    AUTO_JSON struct json *page = NULL;
    int code = client_call(cli, "GET", path, NULL, &page);
    ret_id[0] = '\0';
    const struct json *rows = json_get(page, "data");
    for (size_t i = 0; i < json_count(rows); i++)
        if (strcmp(json_get_str(json_at(rows, i), "name"), name) == 0)
            (void)snprintf(ret_id, 40, "%s", json_get_str(json_at(rows, i), "id"));
    return code;
}

static int change_flow(const struct cli *cli, const char *id, const struct json *changes, struct json **ret_flow)
{
    AUTO_FREE char *path = mem_printf("/flows/%s", id);
    struct json *flow = NULL;
    int code = client_call(cli, "PUT", path, changes, &flow);
    if (ret_flow != NULL)
        *ret_flow = flow;
    else
        json_unref(flow);
    return code;
}

int cli_import(const struct cli *cli, const char *path, struct json **ret_flow)
{
    AUTO_JSON struct json *given = NULL;
    struct error error = {0};
    if (read_json(path, &given, &error) != ERR_OK || fields_check(flow_body_fields, given, &error) != ERR_OK)
        return cli_fail(&error);
    AUTO_JSON struct json *definition = definition_of(given);
    char id[40];
    int code = find_by_name(cli, json_get_str(definition, "name"), id);
    if (code != EXIT_OK)
        return code;
    struct json *flow = NULL;
    if (id[0] != '\0')
        return change_flow(cli, id, definition, ret_flow);
    code = client_call(cli, "POST", "/flows", definition, &flow);
    const char *status = json_get_str(definition, "status");
    if (code == EXIT_OK && status != NULL && strcmp(status, "draft") != 0) { /* creation always gives a draft */
        AUTO_JSON struct json *changes = json_object_new();
        json_set_str(changes, "status", status);
        code = change_flow(cli, json_get_str(flow, "id"), changes, ret_flow);
        json_unref(flow);
        return code;
    }
    if (ret_flow != NULL)
        *ret_flow = flow;
    else
        json_unref(flow);
    return code;
}

int command_flow_import(const struct cli *cli)
{
    int worst = EXIT_OK;
    for (int i = 0; i < cli->word_count; i++) {
        AUTO_JSON struct json *flow = NULL;
        int code = cli_import(cli, cli->words[i], &flow);
        if (code != EXIT_OK)
            worst = code;
        else if (cli->json)
            (void)cli_print_json(flow);
        else
            (void)printf("%s  v%lld  %s\n", json_get_str(flow, "id"), (long long)json_get_int(flow, "version", 0),
                         json_get_str(flow, "name"));
    }
    return worst;
}

int command_flow_export(const struct cli *cli)
{
    char id[40];
    int code = client_find_flow(cli, cli->words[0], id);
    if (code != EXIT_OK)
        return code;
    AUTO_FREE char *path = mem_printf("/flows/%s", id);
    AUTO_JSON struct json *flow = NULL;
    if ((code = client_call(cli, "GET", path, NULL, &flow)) != EXIT_OK)
        return code;
    AUTO_JSON struct json *definition = definition_of(flow);
    if (cli->output == NULL)
        return cli_print_json(definition);
    struct buf text;
    buf_init(&text, 0);
    json_print_pretty(definition, &text);
    FILE *file = fopen(cli->output, "we");
    bool good = file != NULL && fprintf(file, "%s\n", buf_str(&text)) > 0;
    good = file != NULL && fclose(file) == 0 && good;
    buf_done(&text);
    if (!good)
        (void)fprintf(stderr, "caudal: %s cannot be written: %m.\n", cli->output);
    return good ? EXIT_OK : EXIT_FAILED;
}

enum err cli_read_input(const char *given, struct json **ret, struct error *reterr)
{
    if (given == NULL)
        return ERR_OK;
    if (*given == '@')
        return read_json(given + 1, ret, reterr);
    enum err code = json_parse(given, strlen(given), ret, reterr);
    if (code != ERR_OK)
        error_prefix_field(reterr, "--input");
    return code;
}

/* Files of the flow are looked for beside it, in `data` if there is such a folder. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? mem_dup(".") : mem_dup_n(path, (size_t)(slash - path) + 1),
         *data = mem_printf("%s/data", folder);
    bool has_data = access(data, X_OK) == 0;
    free(has_data ? folder : data);
    return has_data ? data : folder;
}

/* Right here, without a service; history: the whole, whatever the flow says, since there is nowhere else to look. */
static int run_file(const struct cli *cli, const char *path, const struct json *input)
{
    AUTO_JSON struct json *definition = NULL;
    AUTO_JSON struct json *problems = json_array_new();
    AUTO_JSON struct json *execution = NULL;
    struct error error = {0};
    struct flow *flow = NULL;
    if (read_json(path, &definition, &error) != ERR_OK || fields_check(flow_body_fields, definition, &error) != ERR_OK)
        return cli_fail(&error);
    if (flow_compile("file", 1, definition, node_registry_catalog(), &flow, problems, &error) != ERR_OK) {
        print_list("error", problems);
        return EXIT_FAILED;
    }
    flow_free(flow);
    if (json_get(definition, "settings") != NULL)
        json_set_str(json_get(definition, "settings"), "history", "all");
    AUTO_FREE char *directory = directory_of(path);
    if (local_run(definition, input, directory, &execution, &error) != ERR_OK)
        return cli_fail(&error);
    if (cli->json)
        (void)cli_print_json(execution);
    else
        cli_print_execution(execution);
    return strcmp(json_get_str(execution, "status"), "success") == 0 ? EXIT_OK : EXIT_FAILED;
}

int command_flow_run(const struct cli *cli)
{
    AUTO_JSON struct json *input = NULL;
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *started = NULL;
    struct error error = {0};
    char id[40];
    if (cli_read_input(cli->input, &input, &error) != ERR_OK)
        return cli_fail(&error);
    if (access(cli->words[0], F_OK) == 0)
        return run_file(cli, cli->words[0], input);
    int code = client_find_flow(cli, cli->words[0], id);
    if (code != EXIT_OK)
        return code;
    if (cli->input != NULL)
        json_set(body, "input", json_ref(input));
    AUTO_FREE char *path = mem_printf("/flows/%s/run", id);
    code = client_call(cli, "POST", path, body, &started);
    if (code != EXIT_OK)
        return code;
    const char *execution = json_get_str(started, "executionId");
    if (!cli->detach)
        return cli_follow(cli, execution);
    if (cli->json)
        return cli_print_json(started);
    (void)printf("%s\n", execution);
    return EXIT_OK;
}
