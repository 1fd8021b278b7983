/* log: writes a line into the execution's log. */
#include "nodes/node_int.h"

#include "base/mem.h"

#define DATA_BYTES_MAX 4096

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *level = node_input_str(call, "level", "info"), *message = node_input_str(call, "message", "");
    const struct json *data = json_get(call->inputs, "data");
    if (data == NULL) {
        node_call_log(call, level, "%s", message);
    } else if (json_size(data) > DATA_BYTES_MAX) { /* not printed: it might be megabytes */
        node_call_log(call, level, "%s [%s of about %zu bytes]", message, json_kind_name(data), json_size(data));
    } else {
        AUTO_FREE char *text = json_dup_text(data);
        node_call_log(call, level, "%s%s%s", message, *message != '\0' ? " " : "", text);
    }
    node_call_set(call, "output", json_ref(data));
    call->records = 1;
    return ERR_OK;
}

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .description = "Added to the line as JSON and passed on."},
    {.name = "message", .type = "string", .description = "The text of the line."},
    {0}};
static const struct flow_pin outputs[] = {{.name = "output", .type = "any", .description = "data, unchanged."}, {0}};
static const struct field fields[] = {
    {.name = "message", .widget = "textarea", .kind = FIELD_STRING, .max = 4000, .help = "The text of the line."},
    {.name = "level",
     .kind = FIELD_ENUM,
     .values = levels,
     .default_json = "\"info\"",
     .help = "How important the line is."},
    {.name = "data", .kind = FIELD_ANY, .help = "Something to show, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"A warning", "The log shows: stock is low {\"left\":2}",
     "{\"level\":\"warn\",\"message\":\"stock is low\",\"data\":{\"left\":2}}", "{\"output\":{\"left\":2}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"The log shows only a size", "data is larger than 4 KB.", "Log the part that matters; the history has the whole."},
    {0}};

const struct node_type node_log = {
    .spec = {.type = "log", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data", .pure = true},
    .name = "Log",
    .version = "1.0.0",
    .description = "Writes a line into the execution's log.",
    .category = "logic",
    .icon = "list",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"log", "debug", NULL},
    .related = (const char *const[]){"stop-with-error", NULL},
    .purpose = "Use it to see what passes at a point of the flow.",
    .limitations = (const char *const[]){"Lines are cut at 8 KB.", NULL},
    .best_practices =
        (const char *const[]){"Do not log passwords and tokens: logs are shown to everyone who may see the flow.",
                              NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
