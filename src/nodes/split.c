/* split: makes many items of one list: each element of a field, or chunks. */
#include "nodes/records.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

static enum err too_many(struct error *reterr)
{
    return error_set(reterr, ERR_LIMIT, "data", "It would make more than %d items.", RECORDS_MAX);
}

static enum err chunks(const struct json *data, size_t size, struct json *items, struct error *reterr)
{
    if (!json_is(data, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "data", "data must be an array to be split into chunks, not %s.",
                         json_kind_name(data));
    struct json *chunk = NULL;
    for (size_t i = 0, n = json_count(data); i < n; i++) {
        if (i % size == 0) {
            if (json_count(items) == RECORDS_MAX)
                return too_many(reterr);
            chunk = json_array_new();
            json_push(items, chunk);
        }
        json_push(chunk, json_ref(json_at(data, i)));
    }
    return ERR_OK;
}

/* The record with one element in place of the list. */
static struct json *with_element(const struct json *record, const char *path, const char *as,
                                 const struct json *element)
{
    struct json *copy = value_copy_shallow(record);
    value_set_path(copy, as == NULL ? path : as, json_ref(element));
    if (as != NULL && strcmp(as, path) != 0 && json_has(copy, path))
        json_remove(copy, path);
    return copy;
}

static enum err split_record(const struct node_call *call, const struct json *record, const char *where,
                             struct json *items, struct error *reterr)
{
    const char *path = node_input_str(call, "field", ""), *as = node_input_str(call, "as", NULL);
    bool keep = strcmp(node_input_str(call, "include", "element"), "record") == 0;
    AUTO_VALUE struct value value = value_at_path(record, path);
    char field[160];
    (void)snprintf(field, sizeof field, "%s%s%.100s", where, *path != '\0' ? "." : "", path);
    if (value.json == NULL && *path != '\0')
        return ERR_OK; /* a record without that list makes no items */
    if (!json_is(value.json, JSON_ARRAY))
        return error_set(reterr, ERR_NODE, field, "%s must be an array to be split, not %s.", field,
                         json_kind_name(value.json));
    if (keep && (*path == '\0' || !json_is(record, JSON_OBJECT)))
        return error_set(reterr, ERR_VALIDATION, "include",
                         "include record needs records with a field that holds the list; use include element.");
    size_t n = json_count(value.json);
    if (n > RECORDS_MAX - json_count(items))
        return too_many(reterr);
    for (size_t i = 0; i < n; i++) {
        const struct json *element = json_at(value.json, i);
        json_push(items, keep ? with_element(record, path, as, element) : json_ref(element));
    }
    return ERR_OK;
}

static enum err elements(const struct node_call *call, const struct json *data, struct json *items,
                         struct error *reterr)
{
    bool has_field = *node_input_str(call, "field", "") != '\0';
    if (!has_field || !json_is(data, JSON_ARRAY))
        return split_record(call, data, "data", items, reterr);
    enum err code = ERR_OK;
    for (size_t i = 0, n = json_count(data); i < n && code == ERR_OK; i++) {
        char where[40];
        (void)snprintf(where, sizeof where, "data[%zu]", i);
        code = split_record(call, json_at(data, i), where, items, reterr);
    }
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *data = json_get(call->inputs, "data");
    struct json *items = json_array_new();
    if (strcmp(node_input_str(call, "mode", "elements"), "chunks") == 0)
        code = chunks(data, (size_t)json_get_int(call->inputs, "size", 100), items, reterr);
    else
        code = elements(call, data, items, reterr);
    if (code != ERR_OK) {
        json_unref(items);
        return code;
    }
    call->records = (int64_t)json_count(items);
    node_call_set(call, "items", items);
    node_call_set(call, "count", json_int_new(call->records));
    return ERR_OK;
}

static const char *const modes[] = {"elements", "chunks", NULL};
static const char *const includes[] = {"element", "record", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "A list, a record with a list, or such records."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "items", .type = "array", .description = "The items, or the chunks."},
    {.name = "count", .type = "number", .description = "How many there are."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "items", "data", "full"}, {"field-mapper", "items", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"elements\"",
     .help = "elements takes each element of a list out, chunks cuts a list into lists of a size."},
    {.name = "field",
     .kind = FIELD_STRING,
     .max = 500,
     .help = "Dotted path of the list in data, or in each record of it; without it data is the list."},
    {.name = "include",
     .kind = FIELD_ENUM,
     .values = includes,
     .default_json = "\"element\"",
     .help = "Items are the elements, or records with an element in place of the list."},
    {.name = "as",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 200,
     .label = "Name of the element",
     .help = "With include record: where the element goes; the list's own place when absent."},
    {.name = "size",
     .kind = FIELD_INT,
     .min = 1,
     .max = RECORDS_MAX,
     .default_json = "100",
     .label = "Size of a chunk",
     .help = "With mode chunks: how many elements one has; the last may have fewer."},
    {.name = "data", .kind = FIELD_ANY, .help = "The list, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"Lines of orders", "Each line becomes a record with its order's fields.",
     "{\"data\":[{\"id\":7,\"lines\":[{\"sku\":\"a\"},{\"sku\":\"b\"}]},{\"id\":8}],\"field\":\"lines\",\"include\":"
     "\"record\",\"as\":\"line\"}",
     "{\"items\":[{\"id\":7,\"line\":{\"sku\":\"a\"}},{\"id\":7,\"line\":{\"sku\":\"b\"}}],\"count\":2}"},
    {"Chunks", "For a service that takes two at a time.", "{\"data\":[1,2,3],\"mode\":\"chunks\",\"size\":2}",
     "{\"items\":[[1,2],[3]],\"count\":2}"},
    {0}};
static const struct node_trouble troubles[] = {{"data[2].lines must be an array to be split",
                                                "A record holds one value where the others hold a list.",
                                                "Filter it out, or make it a list before."},
                                               {0}};

const struct node_type node_split = {
    .spec = {.type = "split",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Split",
    .version = "1.0.0",
    .description = "Makes items of the elements of a list, or chunks of it.",
    .category = "transformation",
    .icon = "split",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "explode", "unwind", "chunk", NULL},
    .related = (const char *const[]){"summarize", "limit", "join-data", NULL},
    .purpose = "Use it before nodes that take flat records, and before for-each to work in chunks.",
    .limitations = (const char *const[]){"At most 1000000 items.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
