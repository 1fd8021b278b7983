/* field-mapper: makes new records from fields of the old ones (api-contract 4.4). */
#include "nodes/node_int.h"
#include "nodes/value.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPING_MAX 1000

struct mapping {
    const char *source, *target;
    struct value constant; /* of `constant`; borrows */
    bool is_constant;
};

static enum err mapping_error(struct error *reterr, enum err code, size_t index, const char *member, const char *what)
{
    char path[64];
    (void)snprintf(path, sizeof path, "mapping[%zu]%s%s", index, *member != '\0' ? "." : "", member);
    return error_set(reterr, code, path, "%s %s", path, what);
}

/* *ret_used is false for a transformation that does not exist: its field is skipped. */
static enum err parse_mapping(const struct json *entry, size_t index, struct mapping *ret, bool *ret_used,
                              struct error *reterr)
{
    if (!json_is(entry, JSON_OBJECT))
        return mapping_error(reterr, ERR_VALIDATION, index, "",
                             "must be an object {sourceField, targetField, transformation}.");
    const char *name = json_get_str(entry, "transformation");
    const struct json *parameters = json_get(entry, "parameters");
    *ret = (struct mapping){.source = json_get_str(entry, "sourceField"), .target = json_get_str(entry, "targetField")};
    bool function = name != NULL && strcmp(name, "function") == 0;
    *ret_used = function || (name != NULL && (strcmp(name, "rename") == 0 || strcmp(name, "constant") == 0));
    if (!*ret_used)
        return ERR_OK;
    /* A function without a body gives the source value: that one works. */
    const struct json *body = json_get(parameters, "functionBody");
    if (function && body != NULL && !(json_is(body, JSON_STRING) && json_as_str_len(body) == 0))
        return mapping_error(reterr, ERR_UNSUPPORTED, index, "transformation",
                             "is function, and JavaScript is not part of this build yet; use rename or constant.");
    if (ret->target == NULL)
        return mapping_error(reterr, ERR_VALIDATION, index, "targetField", "must be the name of the new field.");
    ret->is_constant = strcmp(name, "constant") == 0;
    if (ret->is_constant)
        ret->constant = value_property(parameters, "constantValue");
    else if (ret->source == NULL)
        return mapping_error(reterr, ERR_VALIDATION, index, "sourceField",
                             "must be the name of a field of the record.");
    return ERR_OK;
}

static struct json *map_item(const struct json *item, const struct mapping *mappings, size_t count)
{
    struct json *mapped = json_object_new();
    for (size_t i = 0; i < count; i++) {
        const struct mapping *mapping = &mappings[i];
        struct value value = mapping->is_constant ? mapping->constant : value_property(item, mapping->source);
        if (value.present)
            json_set(mapped, mapping->target, json_ref(value.json));
        else
            json_remove(mapped, mapping->target); /* undefined: the key disappears */
        if (value.owned != NULL && !mapping->is_constant)
            value_done(&value);
    }
    return mapped;
}

static enum err map_all(struct node_call *call, const struct json *source, const struct mapping *mappings, size_t count,
                        struct error *reterr)
{
    if (!json_is(source, JSON_ARRAY)) {
        if (source == NULL)
            return error_set(reterr, ERR_NODE, "source",
                             "source is null: a mapping needs a record or a list of records.");
        node_call_set(call, "mapped", map_item(source, mappings, count));
        call->records = 1;
        return ERR_OK;
    }
    struct json *mapped = json_array_new();
    size_t n = json_count(source);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(source, i);
        if (item == NULL) {
            char path[64];
            (void)snprintf(path, sizeof path, "source[%zu]", i);
            json_unref(mapped);
            return error_set(reterr, ERR_NODE, path, "%s is null: a mapping needs a record.", path);
        }
        json_push(mapped, map_item(item, mappings, count));
    }
    node_call_set(call, "mapped", mapped);
    call->records = (int64_t)n;
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *source = json_get(call->inputs, "source"), *list = json_get(call->inputs, "mapping");
    if (!json_has(call->inputs, "source"))
        return error_set(reterr, ERR_VALIDATION, "source",
                         "source is required: connect a list of records or a record.");
    if (!json_is(list, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "mapping",
                         "mapping must be an array of {sourceField, targetField, transformation}, not %s.",
                         json_has(call->inputs, "mapping") ? json_kind_name(list) : "missing");
    size_t n = json_count(list), count = 0;
    if (n > MAPPING_MAX)
        return error_set(reterr, ERR_VALIDATION, "mapping", "mapping must have at most %d entries, not %zu.",
                         MAPPING_MAX, n);
    struct mapping few[16];
    struct mapping *mappings = n <= 16 ? few : mem_array(n, sizeof *mappings);
    enum err code = ERR_OK;
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        bool used = false;
        code = parse_mapping(json_at(list, i), i, &mappings[count], &used, reterr);
        count += code == ERR_OK && used;
    }
    if (code == ERR_OK)
        code = map_all(call, source, mappings, count, reterr);
    if (mappings != few)
        free(mappings);
    return code;
}

#define DEFAULT_MAPPING "[{\"sourceField\":\"id\",\"targetField\":\"identifier\",\"transformation\":\"rename\"}]"

static const char *const transformations[] = {"rename", "function", "constant", NULL};
static const struct flow_pin inputs[] = {
    {.name = "source", .type = "array", .required = true, .description = "The records, or one record."},
    {.name = "mapping",
     .type = "array",
     .required = true,
     .description = "Fields of the new record: {sourceField, targetField, transformation, parameters}.",
     .default_json = DEFAULT_MAPPING},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "mapped", .type = "array", .description = "The new records; one object when source was one."}, {0}};
static const struct flow_rule rules[] = {{"data-filter", "mapped", "data", "full"},
                                         {"mongodb-operations", "mapped", "document", "full"},
                                         {"postgresql-query", "mapped", "parameters", "partial"},
                                         {"field-mapper", "mapped", "source", "full"},
                                         {0}};
static const struct field parameter_fields[] = {
    {.name = "constantValue", .label = "Constant", .kind = FIELD_ANY, .help = "The value of a constant."},
    {.name = "functionBody",
     .label = "Function body",
     .widget = "code-javascript",
     .kind = FIELD_STRING,
     .help = "JavaScript function body with one argument, value."},
    {0}};
static const struct field mapping_fields[] = {
    {.name = "sourceField", .kind = FIELD_STRING, .help = "Top-level field of the record; not needed for a constant."},
    {.name = "targetField", .kind = FIELD_STRING, .required = true, .help = "Name of the field in the new record."},
    {.name = "transformation",
     .kind = FIELD_STRING,
     .values = transformations,
     .default_json = "\"rename\"",
     .help = "rename copies the value, constant sets one; function is not available yet."},
    {.name = "parameters",
     .kind = FIELD_OBJECT,
     .fields = parameter_fields,
     .nullable = true,
     .help = "constantValue, for a constant."},
    {0}};
static const struct field fields[] = {
    {.name = "mapping",
     .label = "Mappings",
     .kind = FIELD_ARRAY,
     .fields = mapping_fields,
     .min = 0,
     .max = MAPPING_MAX,
     .default_json = DEFAULT_MAPPING,
     .help = "The fields of the new records, in order; a later one with the same target wins."},
    {.name = "source", .label = "Records", .kind = FIELD_ANY, .help = "The records, when no connection brings them."},
    {0}};

static const struct node_example examples[] = {
    {"Rename and mark", "Only the mapped fields are in the new record.",
     "{\"source\":[{\"id\":7,\"name\":\"Ana\",\"secret\":\"x\"}],\"mapping\":["
     "{\"sourceField\":\"id\",\"targetField\":\"identifier\",\"transformation\":\"rename\"},"
     "{\"sourceField\":\"name\",\"targetField\":\"customer\",\"transformation\":\"rename\"},"
     "{\"targetField\":\"origin\",\"transformation\":\"constant\",\"parameters\":{\"constantValue\":\"crm\"}}]}",
     "{\"mapped\":[{\"identifier\":7,\"customer\":\"Ana\",\"origin\":\"crm\"}]}"},
    {"One record", "A single object gives a single object; a field that is missing stays missing.",
     "{\"source\":{\"a\":1},\"mapping\":[{\"sourceField\":\"a\",\"targetField\":\"x\",\"transformation\":\"rename\"},"
     "{\"sourceField\":\"b\",\"targetField\":\"y\",\"transformation\":\"rename\"}]}",
     "{\"mapped\":{\"x\":1}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"mapping[0].transformation is function", "JavaScript is not part of this build yet.", "Use rename or constant."},
    {"A field is missing in the result",
     "Its source field was missing in the record, or its transformation does not exist.",
     "Check the spelling of sourceField and transformation."},
    {"source[0] is null", "A record of the list is null.", "Filter such records out before."},
    {0}};

const struct node_type node_field_mapper = {
    .spec = {.type = "field-mapper",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "source",
             .pure = true},
    .name = "Field Mapper",
    .version = "1.0.0",
    .description = "Makes new records from fields of the old ones.",
    .category = "transformation",
    .icon = "transform",
    .timeout_ms = 15000,
    .retries = 2,
    .concurrency = 1,
    .batch_size = 2000,
    .tags = (const char *const[]){"transformation", "mapping", "field-transformation", NULL},
    .related = (const char *const[]){"data-filter", "postgresql-query", "mongodb-operations", NULL},
    .purpose = "Use it to give records the names and the shape that the next step expects. Each new record starts "
               "empty and gets "
               "only the mapped fields, in order.",
    .requirements = (const char *const[]){"source is a list of records, or one record.", NULL},
    .limitations =
        (const char *const[]){"Source fields are top-level fields, not paths; set-fields takes paths.",
                              "The transformation function needs JavaScript, which is not part of this build yet.",
                              NULL},
    .best_practices = (const char *const[]){"Map early: what is not mapped is not carried along.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
