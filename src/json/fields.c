/* Checking, defaults and schemas from field tables. */
#include "json/fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t fields_code_points(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

struct problems {
    struct json *list; /* collect all, or NULL: stop at the first */
    struct error *first;
    size_t count;
};

/* Where a value stands; written down only when there is something to say about it. */
struct place {
    const struct place *within; /* NULL: the whole */
    const char *name;           /* NULL: an element of an array */
    size_t index;
};

static size_t write_path(const struct place *place, char *out, size_t cap)
{
    size_t used = place->within == NULL ? 0 : write_path(place->within, out, cap);
    if (used < cap && place->name != NULL)
        used += (size_t)snprintf(out + used, cap - used, "%s%s", used > 0 ? "." : "", place->name);
    else if (used < cap)
        used += (size_t)snprintf(out + used, cap - used, "[%zu]", place->index);
    return used;
}

#define PATH_BYTES 192

/* "" for the whole. */
static const char *path_of(const struct place *place, char out[PATH_BYTES])
{
    out[0] = '\0';
    if (place != NULL)
        (void)write_path(place, out, PATH_BYTES);
    return out;
}

static bool problem(struct problems *problems, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool problem(struct problems *problems, const char *path, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    problems->count++;
    if (problems->list != NULL) {
        struct json *entry = json_object_new();
        json_set_str(entry, "field", path);
        json_set_str(entry, "message", message);
        json_push(problems->list, entry);
    } else if (problems->count == 1) {
        (void)error_set(problems->first, ERR_VALIDATION, path, "%s", message);
    }
    return problems->list == NULL;
}

static const char *unit(enum field_kind kind)
{
    return kind == FIELD_STRING ? "characters" : kind == FIELD_ARRAY || kind == FIELD_STRINGS ? "elements" : "";
}

static bool out_of_range(const struct field *field, double n)
{
    return (field->min != 0 || field->max != 0) && (n < (double)field->min || n > (double)field->max);
}

static bool check_object(const struct field *fields, const struct json *value, const struct place *place,
                         struct problems *out);

static bool check_type(const struct field *field, const struct json *value)
{
    switch (field->kind) {
    case FIELD_STRING:
    case FIELD_ENUM:
        return json_is(value, JSON_STRING);
    case FIELD_INT:
        return json_is(value, JSON_INT) ||
               (json_is(value, JSON_DOUBLE) && floor(json_as_double(value)) == json_as_double(value));
    case FIELD_NUMBER:
        return json_is_number(value);
    case FIELD_BOOL:
        return json_is(value, JSON_BOOL);
    case FIELD_OBJECT:
        return json_is(value, JSON_OBJECT);
    case FIELD_ARRAY:
    case FIELD_STRINGS:
        return json_is(value, JSON_ARRAY);
    case FIELD_ANY:
        return true;
    }
    return false;
}

static const char *const kind_names[] = {"a string", "an integer", "a number", "true or false",
                                         "a string", "an object",  "an array", "an array of strings",
                                         "any value"};

static bool check_elements(const struct field *field, const struct json *value, const struct place *place,
                           struct problems *out)
{
    char path[PATH_BYTES];
    for (size_t i = 0, n = json_count(value); i < n; i++) {
        struct place inner = {.within = place, .index = i};
        const struct json *element = json_at(value, i);
        if (field->kind == FIELD_STRINGS && !json_is(element, JSON_STRING)) {
            if (problem(out, path_of(&inner, path), "%s must be a string, not %s.", path, json_kind_name(element)))
                return true;
        } else if (field->kind == FIELD_ARRAY && field->fields != NULL &&
                   check_object(field->fields, element, &inner, out)) {
            return true;
        }
    }
    return false;
}

static bool check_enum(const struct field *field, const struct json *value, const struct place *place,
                       struct problems *out)
{
    char path[PATH_BYTES], text[512];
    for (size_t i = 0; field->values[i] != NULL; i++)
        if (strcmp(field->values[i], json_as_str(value)) == 0)
            return false;
    size_t used = (size_t)snprintf(text, sizeof text, "%s must be one of", path_of(place, path));
    for (size_t i = 0; field->values[i] != NULL && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %s", i > 0 ? "," : "", field->values[i]);
    return problem(out, path, "%s.", text);
}

/* Returns true when checking should stop. */
static bool check_value(const struct field *field, const struct json *value, const struct place *place,
                        struct problems *out)
{
    char path[PATH_BYTES];
    if (!check_type(field, value))
        return problem(out, path_of(place, path), "%s must be %s, not %s.", path, kind_names[field->kind],
                       json_kind_name(value));
    double n = field->kind == FIELD_STRING ? (double)fields_code_points(json_as_str(value))
               : field->kind == FIELD_INT || field->kind == FIELD_NUMBER    ? json_as_double(value)
               : field->kind == FIELD_ARRAY || field->kind == FIELD_STRINGS ? (double)json_count(value)
                                                                            : (double)field->min;
    if (out_of_range(field, n)) {
        bool counted = *unit(field->kind) != '\0';
        return problem(out, path_of(place, path), "%s must %s %lld to %lld%s%s.", path, counted ? "have" : "be from",
                       (long long)field->min, (long long)field->max, counted ? " " : "", unit(field->kind));
    }
    if (field->kind == FIELD_ENUM)
        return check_enum(field, value, place, out);
    if (field->kind == FIELD_OBJECT && field->fields != NULL)
        return check_object(field->fields, value, place, out);
    return check_elements(field, value, place, out);
}

static bool check_object(const struct field *fields, const struct json *value, const struct place *place,
                         struct problems *out)
{
    char path[PATH_BYTES];
    if (!json_is(value, JSON_OBJECT))
        return problem(out, path_of(place, path), "%s must be an object, not %s.", place == NULL ? "The body" : path,
                       json_kind_name(value));
    for (const struct field *field = fields; field->name != NULL; field++) {
        struct place inner = {.within = place, .name = field->name};
        const struct json *member = json_get(value, field->name);
        bool has = member != NULL || json_has(value, field->name);
        bool absent = member == NULL && (!has || (field->kind != FIELD_ANY && (field->nullable || !field->required)));
        if (absent && !field->required)
            continue;
        if (absent ? problem(out, path_of(&inner, path), "%s is required.", path)
                   : check_value(field, member, &inner, out))
            return true;
    }
    return false;
}

enum err fields_check(const struct field *fields, const struct json *value, struct error *reterr)
{
    struct problems out = {.first = reterr};
    (void)check_object(fields, value, NULL, &out);
    return out.count > 0 ? ERR_VALIDATION : ERR_OK;
}

size_t fields_check_all(const struct field *fields, const struct json *value, struct json *problems)
{
    struct problems out = {.list = problems};
    (void)check_object(fields, value, NULL, &out);
    return out.count;
}

const struct field *fields_find(const struct field *fields, const char *name)
{
    for (; fields != NULL && fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

void fields_apply_defaults(const struct field *fields, struct json *object)
{
    for (const struct field *field = fields; field->name != NULL; field++) {
        if (field->default_json == NULL || json_has(object, field->name))
            continue;
        struct json *value = NULL;
        if (json_parse(field->default_json, strlen(field->default_json), &value, NULL) == ERR_OK)
            json_set(object, field->name, value);
    }
}

static struct json *schema_of(const struct field *field)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", "string",
                                        "object", "array",   "array",  NULL};
    struct json *schema =
        field->kind == FIELD_OBJECT && field->fields != NULL ? fields_schema(field->fields) : json_object_new();
    if (types[field->kind] != NULL && field->nullable) {
        struct json *both = json_array_new();
        json_push(both, json_string_new(types[field->kind]));
        json_push(both, json_string_new("null"));
        json_set(schema, "type", both);
    } else if (types[field->kind] != NULL) {
        json_set_str(schema, "type", types[field->kind]);
    }
    if (field->help != NULL)
        json_set_str(schema, "description", field->help);
    if (field->label != NULL)
        json_set_str(schema, "title", field->label);
    if (field->pattern != NULL)
        json_set_str(schema, "pattern", field->pattern);
    if (field->secret)
        json_set_bool(schema, "writeOnly", true);
    if (field->min != 0 || field->max != 0) {
        bool text = field->kind == FIELD_STRING, list = field->kind == FIELD_ARRAY || field->kind == FIELD_STRINGS;
        json_set_int(schema, text ? "minLength" : list ? "minItems" : "minimum", field->min);
        json_set_int(schema, text ? "maxLength" : list ? "maxItems" : "maximum", field->max);
    }
    if (field->values != NULL) {
        struct json *values = json_array_new();
        for (size_t i = 0; field->values[i] != NULL; i++)
            json_push(values, json_string_new(field->values[i]));
        json_set(schema, "enum", values);
    }
    if (field->kind == FIELD_STRINGS) {
        struct json *items = json_object_new();
        json_set_str(items, "type", "string");
        json_set(schema, "items", items);
    } else if (field->kind == FIELD_ARRAY) {
        json_set(schema, "items", field->fields != NULL ? fields_schema(field->fields) : json_object_new());
    }
    struct json *value = NULL;
    if (field->default_json != NULL &&
        json_parse(field->default_json, strlen(field->default_json), &value, NULL) == ERR_OK)
        json_set(schema, "default", value);
    return schema;
}

struct json *fields_schema(const struct field *fields)
{
    struct json *schema = json_object_new(), *properties = json_object_new(), *required = json_array_new();
    json_set_str(schema, "type", "object");
    for (const struct field *field = fields; field->name != NULL; field++) {
        json_set(properties, field->name, schema_of(field));
        if (field->required)
            json_push(required, json_string_new(field->name));
    }
    json_set(schema, "properties", properties);
    if (json_count(required) > 0)
        json_set(schema, "required", required);
    else
        json_unref(required);
    return schema;
}
