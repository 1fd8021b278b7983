/* switch: sends a value on through the output of the first rule that holds. */
#include "nodes/condition.h"
#include "nodes/node_int.h"

#include <stdio.h>
#include <string.h>

#define RULES_MAX 100

/* The output's name of rule `i`, or NULL when it does not hold. */
static enum err try_rule(const struct json *rule, size_t i, const struct json *data, const char **ret_output,
                         struct error *reterr)
{
    char path[64];
    struct condition condition;
    (void)snprintf(path, sizeof path, "rules[%zu]", i);
    enum err code = condition_parse(rule, false, path, &condition, reterr);
    if (code != ERR_OK)
        return code;
    const char *output = json_get_str(rule, "output");
    if (strcmp(output, "error") == 0) {
        (void)snprintf(path, sizeof path, "rules[%zu].output", i);
        return error_set(reterr, ERR_VALIDATION, path, "%s must not be error: that output is for failures.", path);
    }
    AUTO_VALUE struct value value = value_at_path(data, condition.field);
    *ret_output = condition_holds(&condition, &value) ? output : NULL;
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *rules = json_get(call->inputs, "rules"), *data = json_get(call->inputs, "data");
    bool all = json_get_bool(call->inputs, "allMatches", false), matched = false;
    for (size_t i = 0, n = json_count(rules); i < n; i++) {
        const char *output = NULL;
        code = try_rule(json_at(rules, i), i, data, &output, reterr);
        if (code != ERR_OK)
            return code;
        if (output != NULL && (all || !matched))
            node_call_set(call, output, json_ref(data));
        matched |= output != NULL;
    }
    if (!matched)
        node_call_set(call, node_input_str(call, "fallback", "fallback"), json_ref(data));
    call->records = 1;
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "The value that is looked at and passed on."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "fallback", .type = "any", .description = "data, when no rule holds; the rules name the other outputs."},
    {0}};
static const struct field rule_fields[] = {
    {.name = "output",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 64,
     .help = "Name of the output data leaves through."},
    {.name = "field",
     .kind = FIELD_STRING,
     .required = true,
     .max = 500,
     .help = "Dotted path in data; empty: data itself."},
    {.name = "operator",
     .kind = FIELD_STRING,
     .required = true,
     .values = condition_operators,
     .help = "How the field is compared with the value."},
    {.name = "value", .kind = FIELD_ANY, .help = "What the field is compared with."},
    {0}};
static const struct field fields[] = {
    {.name = "rules",
     .kind = FIELD_ARRAY,
     .fields = rule_fields,
     .required = true,
     .min = 1,
     .max = RULES_MAX,
     .help = "Tried in order."},
    {.name = "fallback",
     .label = "Output for the rest",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 64,
     .default_json = "\"fallback\"",
     .help = "Output for what no rule takes."},
    {.name = "allMatches",
     .label = "All that match",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "Send through every rule that holds, not only the first."},
    {.name = "data", .kind = FIELD_ANY, .help = "The value, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"By country", "The second rule is the first that holds.",
     "{\"data\":{\"country\":\"PT\"},\"rules\":[{\"output\":\"spain\",\"field\":\"country\",\"operator\":\"equals\","
     "\"value\":\"ES\"},"
     "{\"output\":\"portugal\",\"field\":\"country\",\"operator\":\"equals\",\"value\":\"PT\"}]}",
     "{\"portugal\":{\"country\":\"PT\"}}"},
    {"Nothing fits", "What no rule takes leaves through fallback.",
     "{\"data\":3,\"rules\":[{\"output\":\"many\",\"field\":\"\",\"operator\":\"greater_than\",\"value\":10}]}",
     "{\"fallback\":3}"},
    {0}};
static const struct node_trouble troubles[] = {{"A branch never runs", "An earlier rule takes its values.",
                                                "Order the rules from narrow to wide, or set allMatches."},
                                               {0}};

const struct node_type node_switch = {
    .spec = {.type = "switch",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "data",
             .pure = true,
             .any_output = true},
    .name = "Switch",
    .version = "1.0.0",
    .description = "Sends a value on through the output of the first rule that holds.",
    .category = "logic",
    .icon = "switch",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "branch", "rules", NULL},
    .related = (const char *const[]){"if", "merge", NULL},
    .purpose = "Use it to go one of several ways. What is connected to the other outputs is skipped.",
    .limitations = (const char *const[]){"It decides once for the whole of data.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
