/* data-filter: keeps the records that meet every condition (api-contract 4.3). */
#include "nodes/condition.h"
#include "nodes/node_int.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

#define CONDITIONS_MAX 1000

static enum err parse_conditions(const struct json *list, struct condition *conditions, size_t count,
                                 struct node_call *call, struct error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "conditions[%zu]", i);
        enum err code = condition_parse(json_at(list, i), true, path, &conditions[i], reterr);
        if (code != ERR_OK)
            return code;
        if (conditions[i].operator== CONDITION_NEVER)
            node_call_log(call, "warn",
                          "%s.operator is not one of equals, not_equals, greater_than, less_than, contains: no record "
                          "can pass it.",
                          path);
    }
    return ERR_OK;
}

static bool passes(const struct condition *conditions, size_t count, const struct json *item)
{
    for (size_t i = 0; i < count; i++) {
        struct value value = value_property(item, conditions[i].field);
        bool holds = condition_holds(&conditions[i], &value);
        if (value.owned != NULL)
            value_done(&value);
        if (!holds)
            return false;
    }
    return true;
}

static enum err filter(struct node_call *call, const struct json *data, const struct condition *conditions,
                       size_t count, struct error *reterr)
{
    struct json *kept = json_array_new();
    for (size_t i = 0, n = json_count(data); i < n; i++) {
        const struct json *item = json_at(data, i);
        if (item == NULL && count > 0) {
            char path[64];
            (void)snprintf(path, sizeof path, "data[%zu]", i);
            json_unref(kept);
            return error_set(reterr, ERR_NODE, path, "%s is null: a condition needs a record.", path);
        }
        if (passes(conditions, count, item))
            json_push(kept, json_ref(item));
    }
    call->records = (int64_t)json_count(kept);
    node_call_set(call, "filtered", kept);
    node_call_set(call, "filtered_count", json_int_new(call->records));
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = json_get(call->inputs, "data"), *list = json_get(call->inputs, "conditions");
    if (!json_is(data, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "data", "data must be an array of records, not %s.",
                         json_has(call->inputs, "data") ? json_kind_name(data) : "missing");
    if (!json_has(call->inputs, "conditions"))
        return error_set(reterr, ERR_VALIDATION, "conditions",
                         "conditions is required: an array of {field, operator, value}.");
    if (json_count(data) == 0)
        return filter(call, data, NULL, 0, reterr); /* even with broken conditions (api-contract 4.3) */
    if (!json_is(list, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "conditions",
                         "conditions must be an array of {field, operator, value}, not %s.", json_kind_name(list));
    size_t count = json_count(list);
    if (count > CONDITIONS_MAX)
        return error_set(reterr, ERR_VALIDATION, "conditions", "conditions must have at most %d entries, not %zu.",
                         CONDITIONS_MAX, count);
    struct condition few[8];
    struct condition *conditions = count <= 8 ? few : mem_array(count, sizeof *conditions);
    enum err code = parse_conditions(list, conditions, count, call, reterr);
    if (code == ERR_OK)
        code = filter(call, data, conditions, count, reterr);
    if (conditions != few)
        free(conditions);
    return code;
}

#define DEFAULT_CONDITIONS "[{\"field\":\"status\",\"operator\":\"equals\",\"value\":\"active\"}]"

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records to filter."},
    {.name = "conditions",
     .type = "array",
     .required = true,
     .description = "Conditions {field, operator, value}; all must hold.",
     .default_json = DEFAULT_CONDITIONS},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "filtered", .type = "array", .description = "The records that met every condition, in their order."},
    {.name = "filtered_count", .type = "number", .description = "How many there are."},
    {0}};
static const struct flow_rule rules[] = {{"field-mapper", "filtered", "source", "full"},
                                         {"mongodb-operations", "filtered", "document", "full"},
                                         {"postgresql-query", "filtered", "parameters", "partial"},
                                         {"data-filter", "filtered", "data", "full"},
                                         {0}};
static const struct field condition_fields[] = {
    {.name = "field",
     .kind = FIELD_STRING,
     .required = true,
     .help = "Name of a top-level field of the record; no dotted paths."},
    {.name = "operator",
     .kind = FIELD_STRING,
     .values = condition_basic_operators,
     .default_json = "\"equals\"",
     .help = "How the field is compared with the value; any other name is never true."},
    {.name = "value", .kind = FIELD_ANY, .help = "What the field is compared with."},
    {0}};
static const struct field fields[] = {
    {.name = "conditions",
     .kind = FIELD_ARRAY,
     .fields = condition_fields,
     .min = 0,
     .max = CONDITIONS_MAX,
     .default_json = DEFAULT_CONDITIONS,
     .help = "A record is kept when all conditions hold; an empty list keeps everything."},
    {.name = "data", .label = "Records", .kind = FIELD_ARRAY, .help = "The records, when no connection brings them."},
    {0}};
/* FIELD_ARRAY without a nested table takes elements of any kind, as primitive records are legal. */

static const struct node_example examples[] = {
    {"Active customers", "Keep the records whose status is active.",
     "{\"data\":[{\"name\":\"Ana\",\"status\":\"active\"},{\"name\":\"Luis\",\"status\":\"closed\"}],"
     "\"conditions\":[{\"field\":\"status\",\"operator\":\"equals\",\"value\":\"active\"}]}",
     "{\"filtered\":[{\"name\":\"Ana\",\"status\":\"active\"}],\"filtered_count\":1}"},
    {"A range", "Two conditions on one field; text that reads as a number is compared as one.",
     "{\"data\":[{\"total\":5},{\"total\":\"15\"},{\"total\":50}],\"conditions\":["
     "{\"field\":\"total\",\"operator\":\"greater_than\",\"value\":10},{\"field\":\"total\",\"operator\":\"less_than\","
     "\"value\":20}]}",
     "{\"filtered\":[{\"total\":\"15\"}],\"filtered_count\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"data must be an array of records", "The node got a single object, or nothing.",
     "Connect an output that is a list, such as result of a query."},
    {"Nothing passes equals", "equals compares without conversion: \"10\" is not 10.",
     "Give the value in the same JSON type as the field."},
    {"data[0] is null", "A record of the list is null.",
     "Remove such records before, or let the query leave them out."},
    {0}};

const struct node_type node_data_filter = {
    .spec = {.type = "data-filter",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Data Filter",
    .version = "1.0.0",
    .description = "Keeps the records of a list that meet every condition.",
    .category = "transformation",
    .icon = "filter",
    .timeout_ms = 10000,
    .retries = 2,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "filter", "data-processing", NULL},
    .related = (const char *const[]){"field-mapper", "postgresql-query", "mongodb-operations", NULL},
    .purpose = "Use it after a source of records to go on with those that matter. A record is kept when every "
               "condition holds; "
               "records are passed on unchanged and in their order.",
    .requirements = (const char *const[]){"data is a list.", NULL},
    .limitations = (const char *const[]){"Conditions are joined by AND; for OR use two filters and a merge, or an if.",
                                         "A condition names a top-level field, not a path.",
                                         "Objects and lists are never equal to anything.", NULL},
    .best_practices =
        (const char *const[]){"Filter in the query where you can: what is not fetched costs nothing.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
