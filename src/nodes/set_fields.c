/* set-fields: sets fields of a record, or of each record of a list. */
#include "nodes/node_int.h"
#include "nodes/value.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 200
#define PATH_PARTS_MAX 32

static struct json *set_all(const struct json *record, const struct json *list, bool keep_only)
{
    struct json *copy = keep_only ? json_object_new() : value_copy_shallow(record);
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        const struct json *entry = json_at(list, i);
        value_set_path(copy, json_get_str(entry, "field"), json_ref(json_get(entry, "value")));
    }
    return copy;
}

static enum err check_paths(const struct json *list, struct error *reterr)
{
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        const char *path = json_get_str(json_at(list, i), "field");
        size_t parts = 1, len = strlen(path);
        for (const char *c = path; *c != '\0'; c++)
            parts += *c == '.';
        if (path[0] != '.' && path[len - 1] != '.' && strstr(path, "..") == NULL && parts <= PATH_PARTS_MAX)
            continue;
        char field[64];
        (void)snprintf(field, sizeof field, "fields[%zu].field", i);
        return error_set(reterr, ERR_VALIDATION, field, "%s must be names joined by single dots, at most %d of them.",
                         field, PATH_PARTS_MAX);
    }
    return ERR_OK;
}

static enum err set_list(struct node_call *call, const struct json *data, const struct json *list, bool keep_only,
                         struct error *reterr)
{
    size_t n = json_count(data);
    for (size_t i = 0; i < n; i++) {
        char field[64];
        (void)snprintf(field, sizeof field, "data[%zu]", i);
        if (!json_is(json_at(data, i), JSON_OBJECT))
            return error_set(reterr, ERR_VALIDATION, field, "%s must be an object, not %s.", field,
                             json_kind_name(json_at(data, i)));
    }
    struct json *records = json_array_new();
    for (size_t i = 0; i < n; i++)
        json_push(records, set_all(json_at(data, i), list, keep_only));
    node_call_set(call, "output", records);
    call->records = (int64_t)n;
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = json_get(call->inputs, "data"), *list = json_get(call->inputs, "fields");
    bool keep_only = json_get_bool(call->inputs, "keepOnlySet", false);
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check_paths(list, reterr);
    if (code != ERR_OK)
        return code;
    if (json_is(data, JSON_ARRAY)) {
        code = set_list(call, data, list, keep_only, reterr);
        if (code != ERR_OK)
            return code;
    } else if (data == NULL || json_is(data, JSON_OBJECT)) {
        node_call_set(call, "output", set_all(data, list, keep_only));
        call->records = 1;
    } else {
        return error_set(reterr, ERR_VALIDATION, "data", "data must be an object or a list of objects, not %s.",
                         json_kind_name(data));
    }
    node_call_set(call, "count", json_int_new(call->records));
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .description = "A record or a list of records; without it a new record is made."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "output", .type = "any", .description = "The changed record or records."},
    {.name = "count", .type = "number", .description = "How many records there are."},
    {0}};
static const struct field entry_fields[] = {
    {.name = "field",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 500,
     .help = "Dotted path, such as address.city; objects on the way are made."},
    {.name = "value", .kind = FIELD_ANY, .help = "What the field becomes; null when absent."},
    {0}};
static const struct field fields[] = {
    {.name = "fields",
     .kind = FIELD_ARRAY,
     .fields = entry_fields,
     .required = true,
     .max = FIELDS_MAX,
     .help = "The fields to set, in order."},
    {.name = "keepOnlySet",
     .label = "Keep only these",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "Leave out every field that is not set here."},
    {.name = "data", .kind = FIELD_ANY, .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"Add fields", "A nested field and a plain one.",
     "{\"data\":[{\"id\":1,\"address\":{\"zip\":\"28001\"}}],\"fields\":[{\"field\":\"address.city\",\"value\":"
     "\"Madrid\"},{\"field\":\"checked\",\"value\":true}]}",
     "{\"output\":[{\"id\":1,\"address\":{\"zip\":\"28001\",\"city\":\"Madrid\"},\"checked\":true}],\"count\":1}"},
    {"A new record", "Only what is set is kept.",
     "{\"data\":{\"id\":1},\"keepOnlySet\":true,\"fields\":[{\"field\":\"state\",\"value\":\"new\"}]}",
     "{\"output\":{\"state\":\"new\"},\"count\":1}"},
    {0}};
static const struct node_trouble troubles[] = {{"A dotted name became an object",
                                                "Dots in a field's name are steps of a path.",
                                                "Use field-mapper for names that hold a dot."},
                                               {0}};

const struct node_type node_set_fields = {
    .spec = {.type = "set-fields",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Set Fields",
    .version = "1.0.0",
    .description = "Sets fields of a record, or of each record of a list.",
    .category = "transformation",
    .icon = "edit",
    .timeout_ms = 10000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "set", "fields", NULL},
    .related = (const char *const[]){"field-mapper", "merge", NULL},
    .purpose = "Use it to add or overwrite fields without naming all the others.",
    .limitations =
        (const char *const[]){"A path cannot lead into a list; what stands in its way is replaced by an object.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
