/* merge: brings branches together. */
#include "nodes/node_int.h"

#include <string.h>

/* What came through connections (or stands in the configuration beside the node's own fields). */
static bool is_branch(const struct node_call *call, const char *name)
{
    if (node_is_engine_field(name))
        return false;
    for (const struct field *field = call->type->spec.fields; field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return false;
    return true;
}

static struct json *append(const struct node_call *call)
{
    struct json *all = json_array_new();
    struct json_iter input;
    JSON_EACH(call->inputs, input)
    {
        if (!is_branch(call, input.key))
            continue;
        if (!json_is(input.value, JSON_ARRAY)) {
            json_push(all, json_ref(input.value));
            continue;
        }
        for (size_t i = 0, n = json_count(input.value); i < n; i++)
            json_push(all, json_ref(json_at(input.value, i)));
    }
    return all;
}

static enum err combine(const struct node_call *call, struct json **ret, struct error *reterr)
{
    struct json *all = json_object_new();
    struct json_iter input, member;
    JSON_EACH(call->inputs, input)
    {
        if (!is_branch(call, input.key))
            continue;
        if (!json_is(input.value, JSON_OBJECT)) {
            json_unref(all);
            return error_set(reterr, ERR_VALIDATION, input.key,
                             "%.64s must be an object to be combined, not %s; use mode append for lists.", input.key,
                             json_kind_name(input.value));
        }
        JSON_EACH(input.value, member) json_set(all, member.key, json_ref(member.value));
    }
    *ret = all;
    return ERR_OK;
}

static struct json *gather(const struct node_call *call)
{
    struct json *all = json_object_new();
    struct json_iter input;
    JSON_EACH(call->inputs, input)
    {
        if (is_branch(call, input.key))
            json_set(all, input.key, json_ref(input.value));
    }
    return all;
}

/* The lists side by side: objects at the same place become one, the later input wins. */
static enum err by_position(const struct node_call *call, struct json **ret, struct error *reterr)
{
    struct json *all = json_array_new();
    struct json_iter input, member;
    size_t longest = 0;
    JSON_EACH(call->inputs, input)
    {
        if (!is_branch(call, input.key))
            continue;
        if (!json_is(input.value, JSON_ARRAY)) {
            json_unref(all);
            return error_set(reterr, ERR_VALIDATION, input.key,
                             "%.64s must be an array to be merged by position, not %s.", input.key,
                             json_kind_name(input.value));
        }
        longest = json_count(input.value) > longest ? json_count(input.value) : longest;
    }
    for (size_t i = 0; i < longest; i++) {
        struct json *one = json_object_new();
        JSON_EACH(call->inputs, input)
        {
            const struct json *element = is_branch(call, input.key) ? json_at(input.value, i) : NULL;
            if (json_is(element, JSON_OBJECT)) {
                JSON_EACH(element, member) json_set(one, member.key, json_ref(member.value));
            } else if (element != NULL) {
                json_set(one, input.key, json_ref(element));
            }
        }
        json_push(all, one);
    }
    *ret = all;
    return ERR_OK;
}

/* The run has started the node with one branch only (flow/run.h). */
static struct json *only_branch(const struct node_call *call)
{
    struct json_iter input;
    JSON_EACH(call->inputs, input)
    {
        if (is_branch(call, input.key))
            return json_ref(input.value);
    }
    return NULL;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *mode = node_input_str(call, "mode", "append");
    struct json *merged = NULL;
    if (strcmp(mode, "combine") == 0)
        code = combine(call, &merged, reterr);
    else if (strcmp(mode, "position") == 0)
        code = by_position(call, &merged, reterr);
    else if (strcmp(mode, "first") == 0)
        merged = only_branch(call);
    else
        merged = strcmp(mode, "append") == 0 ? append(call) : gather(call);
    if (code != ERR_OK)
        return code;
    call->records = (int64_t)(json_is(merged, JSON_ARRAY) ? json_count(merged) : 1);
    node_call_set(call, "output", merged);
    return ERR_OK;
}

static const char *const modes[] = {"append", "combine", "position", "wait", "first", NULL};
static const struct flow_pin inputs[] = {
    {.name = "input1", .type = "any", .description = "One branch; further inputs take any name you give them."},
    {.name = "input2", .type = "any", .description = "Another branch."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "any",
     .description = "append and position: a list; combine: one object; wait: an object with each input by its name; "
                    "first: the value that came first."},
    {0}};
static const struct field fields[] = {
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"append\"",
     .help = "append puts lists one after the other, combine merges objects (later "
             "inputs win), position merges the elements of lists one by one, wait keeps each "
             "input by its name, first goes on with the branch that ends first."},
    {0}};
static const struct node_example examples[] = {
    {"Two lists", "Values that are no list become one element.", "{\"mode\":\"append\",\"input1\":[1,2],\"input2\":3}",
     "{\"output\":[1,2,3]}"},
    {"Two objects", "The later input wins.", "{\"mode\":\"combine\",\"input1\":{\"a\":1,\"b\":1},\"input2\":{\"b\":2}}",
     "{\"output\":{\"a\":1,\"b\":2}}"},
    {"Wait for both", "Both results, by the inputs' names.", "{\"mode\":\"wait\",\"orders\":[1],\"stock\":{\"n\":2}}",
     "{\"output\":{\"orders\":[1],\"stock\":{\"n\":2}}}"},
    {"Side by side", "The first elements together, the second ones together.",
     "{\"mode\":\"position\",\"input1\":[{\"id\":1},{\"id\":2}],\"input2\":[{\"n\":5}]}",
     "{\"output\":[{\"id\":1,\"n\":5},{\"id\":2}]}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"A branch is missing in the result", "Two connections lead to the same input, and the later one wins.",
     "Give each connection an input name of its own."},
    {"input1 must be an object", "combine got something else.", "Use append for lists."},
    {0}};

const struct node_type node_merge = {
    .spec = {.type = "merge",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "input1",
             .pure = true,
             .any_input = true,
             .join_first = true},
    .name = "Merge",
    .version = "1.0.0",
    .description = "Brings branches together.",
    .category = "logic",
    .icon = "merge",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "join", "merge", NULL},
    .related = (const char *const[]){"if", "switch", "join-data", NULL},
    .purpose = "Use it where branches meet. It runs once all of them have ended, with mode first once one of "
               "them has; skipped branches bring nothing. To join lists by a key, use join-data.",
    .limitations = (const char *const[]){"combine merges top-level members only.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
