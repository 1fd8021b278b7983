/* if: sends a value on through `true` or `false`. */
#include "nodes/condition.h"
#include "nodes/node_int.h"

#include <stdio.h>
#include <string.h>

#define CONDITIONS_MAX 100

/* Stops at the first that decides. A broken condition is refused even when an earlier one has decided. */
static enum err decide(const struct node_call *call, const struct json *data, bool any, bool *ret, struct error *reterr)
{
    const struct json *list = json_get(call->inputs, "conditions");
    bool decided = false;
    *ret = !any;
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        char path[64];
        struct condition condition;
        (void)snprintf(path, sizeof path, "conditions[%zu]", i);
        enum err code = condition_parse(json_at(list, i), false, path, &condition, reterr);
        if (code != ERR_OK)
            return code;
        if (decided)
            continue;
        AUTO_VALUE struct value value = value_at_path(data, condition.field);
        bool holds = condition_holds(&condition, &value);
        decided = holds == any;
        *ret = decided ? any : !any;
    }
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    if (json_count(json_get(call->inputs, "conditions")) == 0)
        return error_set(reterr, ERR_VALIDATION, "conditions",
                         "conditions must have at least one {field, operator, value}.");
    bool any = strcmp(node_input_str(call, "combine", "all"), "any") == 0, result;
    code = decide(call, json_get(call->inputs, "data"), any, &result, reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(call, result ? "true" : "false", node_input_ref(call, "data"));
    call->records = 1;
    return ERR_OK;
}

static const char *const combines[] = {"all", "any", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "The value that is looked at and passed on."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "true", .type = "any", .description = "data, when the conditions hold."},
    {.name = "false", .type = "any", .description = "data, when they do not."},
    {0}};
static const struct field condition_fields[] = {
    {.name = "field",
     .kind = FIELD_STRING,
     .required = true,
     .max = 500,
     .help = "Dotted path in data, such as user.age or items.0.id; empty: data itself."},
    {.name = "operator",
     .kind = FIELD_STRING,
     .required = true,
     .values = condition_operators,
     .help = "How the field is compared with the value."},
    {.name = "value", .kind = FIELD_ANY, .help = "What it is compared with; not used by exists and empty."},
    {0}};
static const struct field fields[] = {
    {.name = "conditions",
     .kind = FIELD_ARRAY,
     .fields = condition_fields,
     .required = true,
     .max = CONDITIONS_MAX,
     .help = "What is asked of data."},
    {.name = "combine",
     .kind = FIELD_ENUM,
     .values = combines,
     .default_json = "\"all\"",
     .help = "Whether all conditions must hold or any one."},
    {.name = "data", .kind = FIELD_ANY, .help = "The value, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"Large orders", "Both conditions hold, so data leaves through true.",
     "{\"data\":{\"total\":120,\"customer\":{\"country\":\"ES\"}},\"conditions\":["
     "{\"field\":\"total\",\"operator\":\">=\",\"value\":100},{\"field\":\"customer.country\",\"operator\":\"equals\","
     "\"value\":\"ES\"}]}",
     "{\"true\":{\"total\":120,\"customer\":{\"country\":\"ES\"}}}"},
    {"Any of two", "Neither holds, so data leaves through false.",
     "{\"data\":{\"email\":\"\"},\"combine\":\"any\",\"conditions\":["
     "{\"field\":\"email\",\"operator\":\"not_empty\"},{\"field\":\"phone\",\"operator\":\"exists\"}]}",
     "{\"false\":{\"email\":\"\"}}"},
    {0}};
static const struct node_trouble troubles[] = {{"It always goes through false",
                                                "The path does not lead to a field, or the types differ for equals.",
                                                "Look at the node's input in the history; \"10\" does not equal 10."},
                                               {0}};

const struct node_type node_if = {
    .spec = {.type = "if", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data", .pure = true},
    .name = "If",
    .version = "1.0.0",
    .description = "Sends a value on through true or false.",
    .category = "logic",
    .icon = "branch",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "branch", "condition", NULL},
    .related = (const char *const[]){"switch", "data-filter", "merge", NULL},
    .purpose = "Use it to go one of two ways. What is connected to the other output is skipped.",
    .limitations =
        (const char *const[]){"It decides once for the whole of data; to split a list by record use data-filter.",
                              NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
