/* code: JavaScript of one's own, once for all records or once for each. */
#include "nodes/node_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include "expression/names.h"
#include "script/script.h"
#include <string.h>

/* `input` is what the node's own input is, whatever reached it otherwise. */
static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    const struct node_call *call = user;
    if (name != NAME_INPUT)
        return call->names != NULL && call->names->find(call->names->user, name, key, ret);
    *ret = node_input_ref(call, "input");
    return json_has(call->inputs, "input");
}

static void on_done(void *user, const struct script_answer *answer)
{
    struct node_call *call = user;
    call->state = NULL;
    for (size_t i = 0; i < json_count(answer->logs); i++)
        node_call_log(call, json_as_str(json_at(json_at(answer->logs, i), 0)), "%s",
                      json_as_str(json_at(json_at(answer->logs, i), 1)));
    if (answer->error.code != ERR_OK) {
        struct error error;
        (void)error_set(&error, answer->error.code, "code", "%s", answer->error.message);
        node_call_failed(call, &error);
        return;
    }
    const struct json *value = json_get(answer->result, "v");
    node_call_set(call, "output", json_ref(value));
    call->records = json_is(value, JSON_ARRAY) ? (int64_t)json_count(value) : value != NULL;
    node_call_done(call);
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    if (call->host == NULL || call->host->script == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, NULL, "This worker does not run JavaScript.");
    const char *source = json_get_str(call->inputs, "code");
    struct expression_needs needs = {.used = {[NAME_INPUT] = true}};
    const struct expression_source names = {.user = call, .now_ms = call->now_ms, .find = find};
    AUTO_BUF struct buf data;
    buf_init(&data, 0);
    expression_needs_add(&needs, source, strlen(source));
    expression_needs_print(&needs, &names, &data);
    expression_needs_done(&needs);
    AUTO_JSON struct json *program = json_object_new();
    json_set_str(program, "code", source);
    json_set_str(program, "mode", node_input_str(call, "mode", "once"));
    AUTO_FREE char *text = json_dup_text(program);
    call->state = script_pool_start(call->host->script,
                                    &(struct script_request){.kind = SCRIPT_CODE,
                                                             .realm = call->realm == NULL ? "" : call->realm,
                                                             .program = text,
                                                             .program_bytes = strlen(text),
                                                             .data = data.data,
                                                             .data_bytes = data.len,
                                                             .timeout_ms = call->timeout_ms},
                                    on_done, call);
    return ERR_OK;
}

static void abort_code(struct node_call *call)
{
    if (call->state != NULL)
        script_call_abort(call->state);
    call->state = NULL;
}

static const char *const modes[] = {"once", "each", NULL};
static const struct flow_pin inputs[] = {
    {.name = "input", .type = "any", .description = "What the code sees as input, and as items in the form of a list."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "any",
     .description = "What the code returns; in mode each the list of what it returned."},
    {0}};
static const struct field fields[] = {
    {.name = "code",
     .kind = FIELD_STRING,
     .widget = "code-javascript",
     .code = true,
     .required = true,
     .min = 1,
     .max = LIMIT_CODE_BYTES,
     .help =
         "Body of an async JavaScript function; return gives the output. It sees input, items, item and index, nodes, "
         "execution, flow, variables, secrets, now, $date, $text, $hash and $encode."},
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"once\"",
     .help =
         "once: it runs once for all items; each: for every item, and leaves out those for which it returns nothing."},
    {.name = "input", .kind = FIELD_ANY, .help = "The data, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"A sum", "Once for all items.",
     "{\"input\":[{\"price\":2},{\"price\":3}],\"code\":\"return items.reduce((sum, item) => sum + item.price, 0);\"}",
     "{\"output\":5}"},
    {"Some of them, changed", "Once for each item; those without a price are left out.",
     "{\"mode\":\"each\",\"input\":[{\"price\":2},{\"name\":\"x\"}],"
     "\"code\":\"if (item.price) return { ...item, index, tax: item.price * 0.2 };\"}",
     "{\"output\":[{\"price\":2,\"index\":0,\"tax\":0.4}]}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"Line 3: TypeError …", "The code threw an error in that line.", "Look at what the history shows as its input."},
    {"The script took longer than 10000 ms", "It loops, or the data are many.",
     "Send fewer items at a time, or raise SCRIPT_TIMEOUT_MS."},
    {"The built-in objects cannot be changed", "Globals and prototypes are frozen: no flow can touch another.",
     "Keep what you need in variables of your own."},
    {0}};

const struct node_type node_code = {
    .spec = {.type = "code", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "input"},
    .name = "Code",
    .version = "1.0.0",
    .description = "Runs JavaScript over the data.",
    .category = "transformation",
    .icon = "code",
    .timeout_ms = 10000,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"code", "javascript", "transformation", NULL},
    .related = (const char *const[]){"set-fields", "field-mapper", NULL},
    .purpose = "Use it for what no other node does.",
    .limitations = (const char *const[]){"No network, files, timers or modules.",
                                         "Each call has SCRIPT_TIMEOUT_MS and SCRIPT_MEMORY_MB.",
                                         "The result must be JSON of at most 16 MiB.", NULL},
    .best_practices = (const char *const[]){"Prefer an expression where one line is enough.",
                                            "console.log lands in the node's log; 100 lines are kept.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_ASYNC,
    .execute = execute,
    .abort = abort_code,
};
