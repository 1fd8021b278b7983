/* json: reads JSON text, writes values as JSON text, or picks parts of a value. */
#include "nodes/records.h"

#include "base/limits.h"
#include <string.h>

#define PATHS_MAX 100

static enum err parse(const struct json *data, struct json **ret, struct error *reterr)
{
    struct error cause = {0};
    if (!json_is(data, JSON_STRING))
        return error_set(reterr, ERR_VALIDATION, "data", "data must be text to be parsed as JSON, not %s.",
                         json_kind_name(data));
    if (json_parse(json_as_str(data), json_as_str_len(data), ret, &cause) == ERR_OK)
        return ERR_OK;
    return error_set(reterr, ERR_NODE, "data", "data is no valid JSON: %.300s", cause.message);
}

static enum err format(const struct node_call *call, const struct json *data, struct json **ret, struct error *reterr)
{
    struct buf out;
    buf_init(&out, LIMIT_OUTPUT_BYTES);
    (json_get_bool(call->inputs, "pretty", false) ? json_print_pretty : json_print)(data, &out);
    bool fits = !out.overflow;
    if (fits)
        *ret = json_string_new_n(buf_str(&out), out.len);
    buf_done(&out);
    return fits ? ERR_OK
                : error_set(reterr, ERR_LIMIT, "data", "The text would be larger than %d bytes.", LIMIT_OUTPUT_BYTES);
}

static struct json *at_path(const struct node_call *call, const struct json *data, const char *path)
{
    AUTO_VALUE struct value value = value_at_path(data, path);
    return value.present ? json_ref(value.json) : node_input_ref(call, "default");
}

/* One path gives its value, a list of paths an object. */
static enum err pick(const struct node_call *call, const struct json *data, struct json **ret, struct error *reterr)
{
    const char *paths[PATHS_MAX];
    size_t count = 0;
    const struct json *setting = json_get(call->inputs, "path");
    enum err code = records_fields(setting, "path", PATHS_MAX, paths, &count, reterr);
    if (code != ERR_OK)
        return code;
    if (setting == NULL)
        return error_set(reterr, ERR_VALIDATION, "path", "path is required for operation pick.");
    if (json_is(setting, JSON_STRING)) {
        *ret = at_path(call, data, paths[0]);
        return ERR_OK;
    }
    *ret = json_object_new();
    for (size_t i = 0; i < count; i++)
        json_set(*ret, paths[i], at_path(call, data, paths[i]));
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *data = json_get(call->inputs, "data");
    const char *operation = node_input_str(call, "operation", "parse");
    struct json *result = NULL;
    if (strcmp(operation, "parse") == 0)
        code = parse(data, &result, reterr);
    else if (strcmp(operation, "format") == 0)
        code = format(call, data, &result, reterr);
    else
        code = pick(call, data, &result, reterr);
    if (code != ERR_OK)
        return code;
    call->records = json_is(result, JSON_ARRAY) ? (int64_t)json_count(result) : 1;
    node_call_set(call, "result", result);
    return ERR_OK;
}

static const char *const operations[] = {"parse", "format", "pick", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "JSON text, or a value."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "result", .type = "any", .description = "The value, the text, or what was picked."}, {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "result", "data", "conditional"}, {"field-mapper", "result", "source", "conditional"}, {0}};
static const struct field fields[] = {
    {.name = "operation",
     .kind = FIELD_ENUM,
     .values = operations,
     .default_json = "\"parse\"",
     .help = "parse reads text, format writes text, pick takes parts of a value out."},
    {.name = "path",
     .kind = FIELD_ANY,
     .nullable = true,
     .help = "For pick: a dotted path gives its value, a list of paths an object with their values."},
    {.name = "default",
     .kind = FIELD_ANY,
     .label = "Otherwise",
     .help = "For pick: what stands for a missing value; null when absent."},
    {.name = "pretty", .kind = FIELD_BOOL, .default_json = "false", .help = "For format: with line breaks."},
    {.name = "data", .kind = FIELD_ANY, .help = "The text or the value, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"Read", "Text from a queue becomes a value.", "{\"data\":\"{\\\"id\\\":7,\\\"tags\\\":[\\\"new\\\"]}\"}",
     "{\"result\":{\"id\":7,\"tags\":[\"new\"]}}"},
    {"Pick", "Some fields of a nested value.",
     "{\"operation\":\"pick\",\"data\":{\"user\":{\"name\":\"Ana\",\"tags\":[\"a\",\"b\"]}},\"path\":[\"user.name\","
     "\"user.tags.1\",\"user.age\"],\"default\":0}",
     "{\"result\":{\"user.name\":\"Ana\",\"user.tags.1\":\"b\",\"user.age\":0}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"data is no valid JSON", "The text is cut short, or in another format.",
     "Look at the text in the input of the node."},
    {"data must be text to be parsed as JSON, not object", "It is a value already.",
     "Leave the node out: http-request and webhooks parse JSON by themselves."},
    {0}};

const struct node_type node_json = {
    .spec = {.type = "json",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "JSON",
    .version = "1.0.0",
    .description = "Reads JSON text, writes values as such, or picks parts of a value.",
    .category = "transformation",
    .icon = "json",
    .timeout_ms = 10000,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"transformation", "json", "parse", "format", NULL},
    .related = (const char *const[]){"csv", "set-fields", "field-mapper", NULL},
    .purpose = "Use it for JSON inside of text, and to take a few values out of a large answer.",
    .limitations = (const char *const[]){"At most 64 levels deep.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
