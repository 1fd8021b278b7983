/* for-each: runs the nodes placed inside it once for each item. The node itself only says what the items are; the run
 * goes through them (flow/run.h). */
#include "nodes/node_int.h"

#include "base/limits.h"
#include <string.h>

/* A number is that many items; of an object each member is one, as {key, value}. Yours; NULL with the reason. */
static struct json *items_of(const struct json *value, struct error *reterr)
{
    if (json_is(value, JSON_ARRAY))
        return json_ref(value);
    if (json_is(value, JSON_OBJECT)) {
        struct json *items = json_array_new();
        struct json_iter member;
        JSON_EACH(value, member)
        {
            struct json *item = json_object_new();
            json_set_str(item, "key", member.key);
            json_set(item, "value", json_ref(member.value));
            json_push(items, item);
        }
        return items;
    }
    if (json_is_number(value) && json_as_double(value) >= 0 && json_as_double(value) <= LIMIT_FOR_EACH_ITEMS) {
        struct json *items = json_array_new();
        for (int64_t i = 0, n = json_as_int(value); i < n; i++)
            json_push(items, json_int_new(i));
        return items;
    }
    (void)error_set(reterr, ERR_VALIDATION, "items",
                    "items must be an array, an object or a number from 0 to %d, not %s.", LIMIT_FOR_EACH_ITEMS,
                    json_is_number(value) ? "another number" : json_kind_name(value));
    return NULL;
}

/* What distribute.c makes of it is checked there; this says it before the first item. */
static enum err check_mode(const struct node_call *call, struct error *reterr)
{
    const char *flow = node_input_str(call, "flow", "");
    bool runs_flow = strcmp(node_input_str(call, "mode", "nodes"), "flow") == 0;
    if (runs_flow && *flow == '\0')
        return error_set(reterr, ERR_VALIDATION, "flow", "flow must be the id or the name of the flow to run.");
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check_mode(call, reterr);
    struct json *items = code == ERR_OK ? items_of(json_get(call->inputs, "items"), reterr) : NULL;
    if (items == NULL)
        return code == ERR_OK ? ERR_VALIDATION : code;
    node_call_set(call, "items", items);
    node_call_set(call, "concurrency", json_int_new(json_get_int(call->inputs, "concurrency", 1)));
    node_call_set(call, "continueOnError", json_bool_new(json_get_bool(call->inputs, "continueOnError", false)));
    node_call_set(call, "itemTimeoutMs", json_int_new(json_get_int(call->inputs, "itemTimeoutMs", 0)));
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "items",
     .type = "any",
     .required = true,
     .description = "An array; an object, of which each member is an item {key, value}; or a number of items 0, 1, …"},
    {.name = "result", .type = "any", .description = "From a node inside: what this iteration gives."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "results", .type = "array", .description = "What each iteration gave, in the order of the items."},
    {.name = "failures", .type = "array", .description = "With continueOnError: {index, item, error} of each failure."},
    {.name = "count", .type = "number", .description = "How many items there were."},
    {.name = "item", .type = "any", .description = "To nodes inside: the item."},
    {.name = "index", .type = "number", .description = "To nodes inside: its number, from 0."},
    {0}};
static const char *const modes[] = {"nodes", "flow", NULL};
static const struct field fields[] = {
    {.name = "items", .kind = FIELD_ANY, .help = "The items, when no connection brings them."},
    {.name = "concurrency",
     .kind = FIELD_INT,
     .min = 1,
     .max = LIMIT_FOR_EACH_CONCURRENCY,
     .default_json = "1",
     .help = "How many iterations run at once."},
    {.name = "continueOnError",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "Whether a failed iteration is noted in failures instead of failing the for-each."},
    {.name = "itemTimeoutMs",
     .kind = FIELD_INT,
     .min = 0,
     .max = 86400000,
     .default_json = "0",
     .help = "Longest time of one iteration, in milliseconds; 0 is none."},
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"nodes\"",
     .help = "nodes runs the nodes inside it, flow another flow, in an execution of its own for each item."},
    {.name = "flow",
     .kind = FIELD_STRING,
     .max = LIMIT_NAME_CHARS,
     .help = "With mode flow: which one, by its id or its name. Each item is the input of its trigger."},
    {.name = "version",
     .kind = FIELD_INT,
     .min = 0,
     .max = INT32_MAX,
     .default_json = "0",
     .help = "With mode flow: which version; 0 is the published one, or else the newest."},
    {.name = "distribute",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "Whether each item's nodes run in an execution of their own, which any worker may take."},
    {0}};
static const struct node_example examples[] = {
    {"Three times", "With a node inside that gives the item back as its result.", "{\"items\":3}",
     "{\"results\":[0,1,2],\"failures\":[],\"count\":3}"},
    {"Nothing to do", "Without items the flow goes on at once.", "{\"items\":[],\"concurrency\":5}",
     "{\"results\":[],\"failures\":[],\"count\":0}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"The nodes inside do not run", "They are not placed inside, or nothing leads from item to them.",
     "Set their parentId to the id of the for-each, and connect item or index to them."},
    {"results holds objects with the last node's outputs", "No connection leads to result.",
     "Connect the pin that you want to result."},
    {0}};

const struct node_type node_for_each = {
    .spec = {.type = "for-each",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "items",
             .pure = true,
             .container = true},
    .name = "For each",
    .version = "1.0.0",
    .description = "Runs the nodes inside it for each item.",
    .category = "logic",
    .icon = "repeat",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "loop", "iterate", NULL},
    .related = (const char *const[]){"split", "merge", NULL},
    .purpose = "Use it to do the same with each element of a list, some of them at once. Each iteration has its own "
               "attempts and retries, waits durably, and goes on from where it was after a restart.",
    .limitations = (const char *const[]){"At most 100000 items, 100 at once, four for-each inside each other.",
                                         "History keeps the first 100 iterations of a node and 100 failed ones in "
                                         "full and counts the rest.",
                                         NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
