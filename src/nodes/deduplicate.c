/* deduplicate: keeps one of the records that are alike. */
#include "nodes/records.h"

#include "base/map.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 20

/* keep[i]: record i stays. With `last` the records are read backwards, so that the first of a key seen is its last. */
static size_t mark(const struct json *data, const char *const *paths, size_t path_count, bool last, bool *keep)
{
    struct map seen;
    struct buf key;
    size_t kept = 0, n = json_count(data);
    map_init(&seen);
    buf_init(&key, 0);
    for (size_t i = 0; i < n; i++) {
        size_t at = last ? n - 1 - i : i;
        buf_clear(&key);
        (void)records_add_keys(json_at(data, at), paths, path_count, &key);
        keep[at] = map_get(&seen, buf_str(&key)) == NULL;
        if (keep[at]) {
            (void)map_put(&seen, buf_str(&key), &seen);
            kept++;
        }
    }
    buf_done(&key);
    map_done(&seen);
    return kept;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = NULL;
    const char *paths[FIELDS_MAX];
    size_t path_count = 0;
    enum err code = records_check(call, "data", &data, reterr);
    if (code == ERR_OK)
        code = records_fields(json_get(call->inputs, "fields"), "fields", FIELDS_MAX, paths, &path_count, reterr);
    if (code != ERR_OK)
        return code;
    bool *keep = mem_array(json_count(data) + 1, sizeof *keep);
    size_t kept = mark(data, paths, path_count, strcmp(node_input_str(call, "keep", "first"), "last") == 0, keep);
    struct json *unique = json_array_new(), *duplicates = json_array_new();
    for (size_t i = 0, n = json_count(data); i < n; i++)
        json_push(keep[i] ? unique : duplicates, json_ref(json_at(data, i)));
    free(keep);
    call->records = (int64_t)kept;
    node_call_set(call, "unique", unique);
    node_call_set(call, "count", json_int_new((int64_t)kept));
    node_call_set(call, "duplicateCount", json_int_new((int64_t)json_count(duplicates)));
    node_call_set(call, "duplicates", duplicates);
    return ERR_OK;
}

static const char *const ends[] = {"first", "last", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "unique", .type = "array", .description = "One record of each kind, in their order."},
    {.name = "duplicates", .type = "array", .description = "The others."},
    {.name = "count", .type = "number", .description = "How many were kept."},
    {.name = "duplicateCount", .type = "number", .description = "How many were left out."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "unique", "data", "full"}, {"field-mapper", "unique", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "fields",
     .kind = FIELD_ANY,
     .nullable = true,
     .help = "A field, or a list of fields (dotted paths), that make records alike; without it the whole record."},
    {.name = "keep",
     .kind = FIELD_ENUM,
     .values = ends,
     .default_json = "\"first\"",
     .help = "Which one of those that are alike is kept."},
    {.name = "data", .kind = FIELD_ARRAY, .label = "Records", .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"The newest of each customer", "The last record with an e-mail address wins.",
     "{\"data\":[{\"mail\":\"a@x\",\"v\":1},{\"mail\":\"b@x\",\"v\":2},{\"mail\":\"a@x\",\"v\":3}],\"fields\":\"mail\","
     "\"keep\":\"last\"}",
     "{\"unique\":[{\"mail\":\"b@x\",\"v\":2},{\"mail\":\"a@x\",\"v\":3}],\"count\":2,\"duplicateCount\":1,"
     "\"duplicates\":[{\"mail\":\"a@x\",\"v\":1}]}"},
    {0}};
static const struct node_trouble troubles[] = {{"Records that look alike are both kept",
                                                "A number and its text are different: 1 is not \"1\".",
                                                "Bring the field to one type before, or choose the fields to compare."},
                                               {0}};

const struct node_type node_deduplicate = {
    .spec = {.type = "deduplicate",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Deduplicate",
    .version = "1.0.0",
    .description = "Keeps one of the records that are alike.",
    .category = "transformation",
    .icon = "unique",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "unique", "distinct", NULL},
    .related = (const char *const[]){"sort", "join-data", "summarize", NULL},
    .purpose = "Use it to clean a list before it is written or sent.",
    .limitations = (const char *const[]){"It compares the records of one input; what earlier executions saw is not "
                                         "remembered. Give a table a unique key for that.",
                                         NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
