/* field-mapper: makes new records from fields of the old ones (api-contract 4.4). */
#include "nodes/node_int.h"
#include "nodes/value.h"
#include "script/script.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPING_MAX 1000

struct mapping {
    const char *source, *target;
    struct value constant;   /* of `constant`; borrows */
    const char *body;        /* of `function` */
    const struct json *made; /* its results once they are there: {v, u, x}; borrowed */
    bool is_constant;
};

/* The mapping waits for its functions. */
struct waiting {
    struct node_call *call;
    struct script_call *script;
    struct mapping *mappings;
    size_t count;
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
    if (function && body != NULL && !json_is(body, JSON_STRING))
        return mapping_error(reterr, ERR_VALIDATION, index, "parameters.functionBody",
                             "must be a string: the body of a JavaScript function of value.");
    if (function && body != NULL && json_as_str_len(body) > 0)
        ret->body = json_as_str(body);
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

static bool is_listed(const struct json *list, size_t *at, size_t index)
{
    while (*at < json_count(list) && json_as_int(json_at(list, *at)) < (int64_t)index)
        (*at)++;
    return *at < json_count(list) && json_as_int(json_at(list, *at)) == (int64_t)index;
}

/* Where each list of a function's results is: items come in order. */
struct places {
    size_t undefined, thrown;
};

static struct value mapped_value(const struct json *item, size_t index, const struct mapping *mapping,
                                 struct places *places)
{
    if (mapping->is_constant)
        return (struct value){.present = mapping->constant.present, .json = mapping->constant.json};
    if (mapping->made == NULL || is_listed(json_get(mapping->made, "x"), &places->thrown, index))
        return value_property(item, mapping->source); /* a function that throws leaves the source value */
    if (is_listed(json_get(mapping->made, "u"), &places->undefined, index))
        return (struct value){0};
    return (struct value){.present = true, .json = json_at(json_get(mapping->made, "v"), index)};
}

static struct json *map_item(const struct json *item, size_t index, const struct mapping *mappings, size_t count,
                             struct places *places)
{
    struct json *mapped = json_object_new();
    for (size_t i = 0; i < count; i++) {
        AUTO_VALUE struct value value = mapped_value(item, index, &mappings[i], &places[i]);
        if (value.present)
            json_set(mapped, mappings[i].target, json_ref(value.json));
        else
            json_remove(mapped, mappings[i].target); /* undefined: the key disappears */
    }
    return mapped;
}

static void map_all(struct node_call *call, const struct json *source, const struct mapping *mappings, size_t count)
{
    struct places *places = mem_array(count + 1, sizeof *places);
    if (!json_is(source, JSON_ARRAY)) {
        node_call_set(call, "mapped", map_item(source, 0, mappings, count, places));
        call->records = 1;
    } else {
        struct json *mapped = json_array_new();
        size_t n = json_count(source);
        for (size_t i = 0; i < n; i++)
            json_push(mapped, map_item(json_at(source, i), i, mappings, count, places));
        node_call_set(call, "mapped", mapped);
        call->records = (int64_t)n;
    }
    free(places);
}

static enum err check_source(const struct json *source, struct error *reterr)
{
    if (source == NULL)
        return error_set(reterr, ERR_NODE, "source", "source is null: a mapping needs a record or a list of records.");
    for (size_t i = 0, n = json_is(source, JSON_ARRAY) ? json_count(source) : 0; i < n; i++)
        if (json_at(source, i) == NULL) {
            char path[64];
            (void)snprintf(path, sizeof path, "source[%zu]", i);
            return error_set(reterr, ERR_NODE, path, "%s is null: a mapping needs a record.", path);
        }
    return ERR_OK;
}

/* The values of one source field: {v: [value], u: [1 where it is undefined]} as two lists. */
static void add_column(const struct json *source, const char *field, struct json *values, struct json *undefined)
{
    bool many = json_is(source, JSON_ARRAY);
    struct json *column = json_array_new(), *missing = json_array_new();
    for (size_t i = 0, n = many ? json_count(source) : 1; i < n; i++) {
        AUTO_VALUE struct value value = value_property(many ? json_at(source, i) : source, field);
        json_push(column, json_ref(value.json));
        json_push(missing, json_int_new(!value.present));
    }
    json_push(values, column);
    json_push(undefined, missing);
}

static void waiting_free(struct waiting *waiting)
{
    free(waiting->mappings);
    free(waiting);
}

static void on_mapped(void *user, const struct script_answer *answer)
{
    struct waiting *waiting = user;
    struct node_call *call = waiting->call;
    const struct json *results = json_get(answer->result, "v");
    if (answer->error.code == ERR_OK) {
        for (size_t i = 0, k = 0; i < waiting->count; i++)
            if (waiting->mappings[i].body != NULL)
                waiting->mappings[i].made = json_at(results, k++);
        map_all(call, json_get(call->inputs, "source"), waiting->mappings, waiting->count);
    }
    waiting_free(waiting);
    call->state = NULL;
    if (answer->error.code == ERR_OK)
        node_call_done(call);
    else
        node_call_failed(call, &answer->error);
}

/* One call for all items and functions; takes the mappings over. */
static enum err start_functions(struct node_call *call, const struct json *source, struct mapping *take_mappings,
                                size_t count, struct error *reterr)
{
    if (call->host == NULL || call->host->script == NULL) {
        free(take_mappings);
        return error_set(reterr, ERR_UNSUPPORTED, "mapping",
                         "Mapping functions need JavaScript, which does not run here.");
    }
    AUTO_JSON struct json *bodies = json_array_new(), *data = json_object_new();
    struct json *values = json_array_new(), *undefined = json_array_new();
    json_set(data, "v", values);
    json_set(data, "u", undefined);
    for (size_t i = 0; i < count; i++)
        if (take_mappings[i].body != NULL) {
            json_push(bodies, json_string_new(take_mappings[i].body));
            add_column(source, take_mappings[i].source, values, undefined);
        }
    AUTO_FREE char *program = json_dup_text(bodies), *data_text = json_dup_text(data);
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    *waiting = (struct waiting){.call = call, .mappings = take_mappings, .count = count};
    call->state = waiting;
    waiting->script = script_pool_start(call->host->script,
                                        &(struct script_request){.kind = SCRIPT_MAP,
                                                                 .realm = "",
                                                                 .program = program,
                                                                 .program_bytes = strlen(program),
                                                                 .data = data_text,
                                                                 .data_bytes = strlen(data_text),
                                                                 .timeout_ms = call->timeout_ms},
                                        on_mapped, waiting);
    return ERR_OK;
}

static void abort_functions(struct node_call *call)
{
    struct waiting *waiting = call->state;
    if (waiting == NULL)
        return;
    script_call_abort(waiting->script);
    waiting_free(waiting);
    call->state = NULL;
}

/* With functions it waits for a runner of JavaScript. */
static enum node_mode mode_of(const struct json *inputs)
{
    const struct json *list = json_get(inputs, "mapping");
    for (size_t i = 0, n = json_is(list, JSON_ARRAY) ? json_count(list) : 0; i < n; i++) {
        const struct json *entry = json_at(list, i);
        const char *name = json_get_str(entry, "transformation");
        const char *body = json_get_str(json_get(entry, "parameters"), "functionBody");
        if (name != NULL && strcmp(name, "function") == 0 && body != NULL && *body != '\0')
            return NODE_ASYNC;
    }
    return NODE_INLINE;
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
    struct mapping *mappings = mem_array(n + 1, sizeof *mappings);
    enum err code = ERR_OK;
    bool functions = false;
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        bool used = false;
        code = parse_mapping(json_at(list, i), i, &mappings[count], &used, reterr);
        functions |= code == ERR_OK && used && mappings[count].body != NULL;
        count += code == ERR_OK && used;
    }
    if (code == ERR_OK)
        code = check_source(source, reterr);
    if (code == ERR_OK && functions)
        return start_functions(call, source, mappings, count, reterr);
    if (code == ERR_OK)
        map_all(call, source, mappings, count);
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
     .code = true,
     .help = "JavaScript function body with one argument, value; what it returns is the new value."},
    {0}};
static const struct field mapping_fields[] = {
    {.name = "sourceField", .kind = FIELD_STRING, .help = "Top-level field of the record; not needed for a constant."},
    {.name = "targetField", .kind = FIELD_STRING, .required = true, .help = "Name of the field in the new record."},
    {.name = "transformation",
     .kind = FIELD_STRING,
     .values = transformations,
     .default_json = "\"rename\"",
     .help = "rename copies the value, constant sets one, function computes one."},
    {.name = "parameters",
     .kind = FIELD_OBJECT,
     .fields = parameter_fields,
     .nullable = true,
     .help = "constantValue for a constant, functionBody for a function."},
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
    {"A function seems to do nothing", "It does not compile or throws: then the source value stays.",
     "Try it in a code node, which tells its errors."},
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
                              "Functions have no files, no network and SCRIPT_TIMEOUT_MS together for all records.",
                              NULL},
    .best_practices = (const char *const[]){"Map early: what is not mapped is not carried along.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .mode_of = mode_of,
    .execute = execute,
    .abort = abort_functions,
};
