/* Routes that try out expressions. */
#include "gateway/api_int.h"

#include "expression/expression.h"
#include "expression/helpers.h"
#include "script/desk.h"
#include "worker/mask.h"
#include "worker/vault.h"
#include <stdlib.h>

#define EXPRESSION_CHARS_MAX 16384
#define VALUE_BYTES_MAX (256 << 10) /* shown of a value */

/* What the names stand for: an execution as history knows it, and what the request gives in its place. */
struct trial {
    struct api *api;
    const struct json *request;    /* the body */
    struct json *execution, *flow; /* NULL: none */
    const struct json *node;       /* of the flow: the one that the expression stands in, or NULL */
    int64_t now_ms;
    struct error error; /* what could not be looked up */
};

static const char *flow_id_of(const struct trial *trial)
{
    return json_get_str(trial->flow, "id");
}

/* ---- the names */

static const struct json *entry_of(const struct trial *trial, const char *node_id)
{
    const struct json *entries = json_get(trial->execution, "nodeExecutions");
    for (size_t i = 0, n = json_count(entries); i < n && node_id != NULL; i++) {
        const char *id = json_get_str(json_at(entries, i), "nodeId");
        if (id != NULL && strcmp(id, node_id) == 0)
            return json_at(entries, i);
    }
    return NULL;
}

static bool find_outputs(const struct trial *trial, const char *node_id, struct json **ret)
{
    const struct json *entry = entry_of(trial, node_id);
    const char *status = json_get_str(entry, "status");
    if (status == NULL)
        return false;
    if (strcmp(status, "failed") == 0) {
        struct json *error = json_object_new();
        json_set_str(error, "message", json_get_str(entry, "errorMessage"));
        json_set_str(error, "nodeId", node_id);
        *ret = json_object_new();
        json_set(*ret, "error", error);
        return true;
    }
    *ret = json_ref(json_get(entry, "output"));
    return *ret != NULL;
}

static bool find_nodes(const struct trial *trial, const char *id, struct json **ret)
{
    if (id != NULL)
        return find_outputs(trial, id, ret);
    const struct json *entries = json_get(trial->execution, "nodeExecutions");
    *ret = json_object_new();
    for (size_t i = 0, n = json_count(entries); i < n; i++) {
        const char *node_id = json_get_str(json_at(entries, i), "nodeId");
        struct json *outputs = NULL;
        if (node_id != NULL && find_outputs(trial, node_id, &outputs))
            json_set(*ret, node_id, outputs);
    }
    return true;
}

/* What the flow's connections brought to the node, as flow_run_delivered has it. */
static bool find_delivered(const struct trial *trial, struct json **ret)
{
    const struct json *connections = json_get(trial->flow, "connections");
    const char *to = json_get_str(trial->node, "id"), *only = NULL;
    bool one = true, any = false, connected = false;
    AUTO_JSON struct json *all = json_object_new();
    for (size_t i = 0, n = json_count(connections); i < n; i++) {
        const struct json *connection = json_at(connections, i);
        const char *target = json_get_str(connection, "toNodeId"), *pin = json_get_str(connection, "toInput");
        if (target == NULL || pin == NULL || strcmp(target, to) != 0)
            continue;
        AUTO_JSON struct json *outputs = NULL;
        const char *output = json_get_str(connection, "fromOutput");
        connected = true;
        one &= only == NULL || strcmp(only, pin) == 0;
        only = pin;
        if (!find_outputs(trial, json_get_str(connection, "fromNodeId"), &outputs) || output == NULL ||
            !json_has(outputs, output))
            continue;
        json_set(all, pin, json_ref(json_get(outputs, output)));
        any = true;
    }
    if (!connected) {
        *ret = json_ref(json_get(trial->execution, "input"));
        return trial->execution != NULL;
    }
    *ret = json_ref(one ? json_get(all, only) : all);
    return any;
}

static bool find_input(const struct trial *trial, struct json **ret)
{
    if (trial->node != NULL && trial->execution != NULL && !json_has(trial->request, "input"))
        return find_delivered(trial, ret);
    const struct json *from = json_has(trial->request, "input") ? trial->request : trial->execution;
    *ret = json_ref(json_get(from, "input"));
    return from != NULL;
}

static struct json *execution_of(const struct trial *trial)
{
    static const char *const same[] = {"id", "flowId", "trigger", "input"};
    struct json *execution = json_object_new();
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        json_set(execution, same[i], json_ref(json_get(trial->execution, same[i])));
    json_set(execution, "startedAt", json_ref(json_get(trial->execution, "startTime")));
    json_set_int(execution, "attempt", 1);
    return execution;
}

static struct json *flow_of(const struct trial *trial)
{
    struct json *flow = json_object_new();
    json_set_str(flow, "id", flow_id_of(trial));
    json_set_str(flow, "name", json_get_str(trial->flow, "name"));
    json_set(flow, "version", json_ref(json_get(trial->flow, "version")));
    return flow;
}

static bool find_variables(struct trial *trial, const char *name, struct json **ret)
{
    AUTO_JSON struct json *all = NULL;
    if (vault_variables(trial->api->options.vault, flow_id_of(trial), trial->now_ms, &all, &trial->error) != ERR_OK)
        return false;
    *ret = json_ref(name == NULL ? all : json_get(all, name));
    return name == NULL || json_has(all, name);
}

/* Whoever tries out an expression sees that a secret is there, never what it is: nor a part, nor a hash of it. */
static bool find_secret(struct trial *trial, const char *name, struct json **ret)
{
    if (name == NULL) {
        *ret = json_object_new();
        return true;
    }
    AUTO_BUF struct buf value;
    struct error error = {0};
    buf_init(&value, 0);
    enum err code = vault_secret(trial->api->options.vault, flow_id_of(trial), name, trial->now_ms, &value, &error);
    if (value.data != NULL)
        explicit_bzero(value.data, value.len);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        trial->error = error;
    *ret = code == ERR_OK ? json_string_new(MASK_TEXT) : NULL;
    return code == ERR_OK;
}

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    struct trial *trial = user;
    switch (name) {
    case NAME_INPUT:
        return find_input(trial, ret);
    case NAME_NODES:
        return find_nodes(trial, key, ret);
    case NAME_EXECUTION:
        *ret = trial->execution == NULL ? NULL : execution_of(trial);
        return trial->execution != NULL;
    case NAME_FLOW:
        *ret = trial->flow == NULL ? NULL : flow_of(trial);
        return trial->flow != NULL;
    case NAME_VARIABLES:
        return find_variables(trial, key, ret);
    case NAME_SECRETS:
        return find_secret(trial, key, ret);
    case NAME_ITEM:
    case NAME_INDEX:
        *ret = json_ref(json_get(trial->request, expression_name_text(name)));
        return json_has(trial->request, expression_name_text(name));
    default:
        return false;
    }
}

/* ---- the evaluation */

static enum err ask(const struct trial *trial, struct expression_job *job, const struct expression_source *source,
                    struct error *reterr)
{
    AUTO_BUF struct buf program, data;
    AUTO_JSON struct json *result = NULL;
    buf_init(&program, 0);
    buf_init(&data, 0);
    expression_job_program(job, &program);
    expression_job_data(job, source, &data);
    const struct script_request request = {.kind = SCRIPT_EXPRESSIONS,
                                           .realm = "",
                                           .program = buf_str(&program),
                                           .program_bytes = program.len,
                                           .data = buf_str(&data),
                                           .data_bytes = data.len};
    enum err code = script_desk_ask(trial->api->desk, &request, &result, NULL, reterr);
    return code == ERR_OK ? expression_job_answer(job, result, reterr) : code;
}

/* The value of config.expression; *ret_present false: undefined. */
static enum err evaluate(struct trial *trial, const struct json *config, struct json **ret, bool *ret_present,
                         struct error *reterr)
{
    const struct expression_source source = {.user = trial, .now_ms = trial->now_ms, .find = find};
    struct expressions *expressions = expressions_new(config, NULL);
    if (expressions == NULL) { /* text without expressions */
        *ret = json_ref(json_get(config, "expression"));
        *ret_present = true;
        return ERR_OK;
    }
    struct expression_job *job = expression_job_new(expressions, config, &source, reterr);
    enum err code = job == NULL ? reterr->code : ERR_OK;
    if (code == ERR_OK && expression_job_needs_script(job))
        code = ask(trial, job, &source, reterr);
    if (code == ERR_OK) {
        AUTO_JSON struct json *made = expression_job_take_inputs(job);
        *ret_present = json_has(made, "expression");
        *ret = json_ref(json_get(made, "expression"));
    }
    expression_job_free(job);
    expressions_free(expressions);
    return code;
}

static void answer(struct http_request *request, enum err code, struct json *take_value, bool present,
                   const struct error *error)
{
    struct json *result = json_object_new();
    if (code != ERR_OK) {
        json_set_str(result, "error", error->message);
        json_set_str(result, "code", error_id(code));
    } else {
        if (present)
            json_set(result, "value", json_ref(take_value));
        json_set_str(result, "type", present ? json_kind_name(take_value) : "undefined");
    }
    json_unref(take_value);
    http_reply(request, 200, result);
}

struct loading {
    const char *id;
    int version;
    struct json *loaded;
};

static enum err read_flow(struct store_session *session, void *arg, struct error *reterr)
{
    struct loading *loading = arg;
    if (loading->version > 0)
        return store_flow_load_version(session, loading->id, loading->version, &loading->loaded, reterr);
    return store_flow_load(session, loading->id, &loading->loaded, reterr);
}

static enum err load_context(struct trial *trial, struct error *reterr)
{
    const char *execution_id = json_get_str(trial->request, "executionId"),
               *node_id = json_get_str(trial->request, "nodeId"), *flow_id = json_get_str(trial->request, "flowId");
    enum err code =
        execution_id == NULL ? ERR_OK : api_execution_detail(trial->api, execution_id, &trial->execution, reterr);
    struct loading loading = {.id = flow_id != NULL ? flow_id : json_get_str(trial->execution, "flowId"),
                              .version = flow_id != NULL ? 0 : (int)json_get_int(trial->execution, "flowVersion", 0)};
    if (code == ERR_OK && loading.id != NULL)
        code = api_read(trial->api, read_flow, &loading, reterr);
    if (code != ERR_OK)
        return code;
    trial->flow = loading.loaded;
    const struct json *nodes = json_get(trial->flow, "nodes");
    for (size_t i = 0, n = json_count(nodes); node_id != NULL && i < n; i++) {
        const char *id = json_get_str(json_at(nodes, i), "id");
        if (id != NULL && strcmp(id, node_id) == 0)
            trial->node = json_at(nodes, i);
    }
    return ERR_OK;
}

static enum err evaluate_route(struct api *api, struct http_request *request, struct error *reterr)
{
    struct trial trial = {.api = api, .request = request->json, .now_ms = clock_now_ms()};
    enum err code = load_context(&trial, reterr);
    if (code == ERR_OK) {
        const char *text = json_get_str(request->json, "expression");
        AUTO_FREE char *wrapped = strstr(text, "{{") == NULL ? mem_printf("{{ %s }}", text) : mem_dup(text);
        AUTO_JSON struct json *config = json_object_new();
        struct json *value = NULL;
        struct error error = {0};
        bool present = false;
        json_set_str(config, "expression", wrapped);
        enum err outcome = evaluate(&trial, config, &value, &present, &error);
        if (outcome == ERR_OK && trial.error.code != ERR_OK) { /* it went on without what could not be read */
            outcome = trial.error.code;
            error = trial.error;
        }
        if (outcome == ERR_OK && json_size(value) > VALUE_BYTES_MAX)
            outcome = error_set(&error, ERR_LIMIT, NULL, "The value is larger than the %d bytes that are shown.",
                                VALUE_BYTES_MAX);
        answer(request, outcome, value, present, &error);
    }
    json_unref(trial.execution);
    json_unref(trial.flow);
    return code;
}

static const struct field evaluate_fields[] = {
    {.name = "expression",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = EXPRESSION_CHARS_MAX,
     .help = "Text with {{ expressions }}, or one expression without braces."},
    {.name = "executionId",
     .kind = FIELD_STRING,
     .nullable = true,
     .help = "Names stand for what they were in this execution."},
    {.name = "nodeId",
     .kind = FIELD_STRING,
     .nullable = true,
     .help = "The node that it shall stand in: input is what its connections brought."},
    {.name = "flowId",
     .kind = FIELD_STRING,
     .nullable = true,
     .help = "The flow, as it is now; without it that of the execution, in the version that ran."},
    {.name = "input", .kind = FIELD_ANY, .help = "What input shall be."},
    {.name = "item", .kind = FIELD_ANY, .help = "What item shall be."},
    {.name = "index", .kind = FIELD_INT, .nullable = true, .help = "What index shall be."},
    {0}};

static enum err list_helpers(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    (void)reterr;
    http_reply(request, 200, expression_helpers());
    return ERR_OK;
}

#define BASE "/api/v1/expressions"
const struct route expression_routes[] = {
    {"POST", BASE "/evaluate", ROLE_EDITOR, ROUTE_UNAUDITED, evaluate_fields, NULL, 200, "expressions",
     "Try out an expression; of secrets only their presence is shown", evaluate_route, &answer_evaluation},
    {"GET", BASE "/helpers", ROLE_VIEWER, ROUTE_INLINE, NULL, NULL, 200, "expressions",
     "Names and helpers that expressions and code know", list_helpers, &answer_helpers},
    {0}};
