/* limit: keeps some of many records. */
#include "nodes/records.h"

#include <string.h>

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = NULL;
    enum err code = records_check(call, "data", &data, reterr);
    if (code != ERR_OK)
        return code;
    size_t total = json_count(data), count = (size_t)json_get_int(call->inputs, "count", 10),
           offset = (size_t)json_get_int(call->inputs, "offset", 0);
    offset = offset > total ? total : offset;
    count = count > total - offset ? total - offset : count;
    bool from_end = strcmp(node_input_str(call, "from", "first"), "last") == 0;
    size_t start = from_end ? total - offset - count : offset;
    struct json *items = json_array_new();
    for (size_t i = start; i < start + count; i++)
        json_push(items, json_ref(json_at(data, i)));
    call->records = (int64_t)count;
    node_call_set(call, "items", items);
    node_call_set(call, "count", json_int_new(call->records));
    node_call_set(call, "total", json_int_new((int64_t)total));
    return ERR_OK;
}

static const char *const ends[] = {"first", "last", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "items", .type = "array", .description = "The records that were kept, in their order."},
    {.name = "count", .type = "number", .description = "How many were kept."},
    {.name = "total", .type = "number", .description = "How many came in."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "items", "data", "full"}, {"field-mapper", "items", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "count",
     .kind = FIELD_INT,
     .min = 0,
     .max = RECORDS_MAX,
     .default_json = "10",
     .label = "How many",
     .help = "At most so many records are kept."},
    {.name = "from",
     .kind = FIELD_ENUM,
     .values = ends,
     .default_json = "\"first\"",
     .label = "From the",
     .help = "Whether the first or the last records are kept."},
    {.name = "offset",
     .kind = FIELD_INT,
     .min = 0,
     .max = 1000000000,
     .default_json = "0",
     .label = "Leave out",
     .help = "So many records at that end are left out before."},
    {.name = "data", .kind = FIELD_ARRAY, .label = "Records", .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"The last two", "They keep their order.", "{\"data\":[1,2,3,4],\"count\":2,\"from\":\"last\"}",
     "{\"items\":[3,4],\"count\":2,\"total\":4}"},
    {"A page", "Three after the first two.", "{\"data\":[1,2,3,4],\"count\":3,\"offset\":2}",
     "{\"items\":[3,4],\"count\":2,\"total\":4}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"data must be an array", "A single record came in.", "Connect an output that is a list."}, {0}};

const struct node_type node_limit = {
    .spec = {.type = "limit",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Limit",
    .version = "1.0.0",
    .description = "Keeps the first or the last of many records.",
    .category = "transformation",
    .icon = "limit",
    .timeout_ms = 10000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "first", "last", "page", NULL},
    .related = (const char *const[]){"sort", "split", NULL},
    .purpose = "Use it to keep the best after sort, or one page of a list.",
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
