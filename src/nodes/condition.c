/* Conditions: operators over JavaScript's semantics. */
#include "nodes/condition.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

const char *const condition_basic_operators[] = {"equals", "not_equals", "greater_than", "less_than", "contains", NULL};
const char *const condition_operators[] = {"equals", "not_equals", "greater_than", "less_than", "contains",  ">=",
                                           "<=",     "exists",     "not_exists",   "empty",     "not_empty", NULL};

static const struct {
    const char *name;
    enum condition_operator operator;
} operators[] = {
    {"equals", CONDITION_EQUALS},
    {"not_equals", CONDITION_NOT_EQUALS},
    {"greater_than", CONDITION_GREATER},
    {"less_than", CONDITION_LESS},
    {"contains", CONDITION_CONTAINS},
    {">=", CONDITION_GREATER_EQUAL},
    {"<=", CONDITION_LESS_EQUAL},
    {"greater_or_equal", CONDITION_GREATER_EQUAL},
    {"less_or_equal", CONDITION_LESS_EQUAL},
    {"exists", CONDITION_EXISTS},
    {"not_exists", CONDITION_NOT_EXISTS},
    {"empty", CONDITION_EMPTY},
    {"not_empty", CONDITION_NOT_EMPTY},
};

enum condition_operator condition_operator_parse(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].name, name) == 0)
            return operators[i].operator;
    return CONDITION_NEVER;
}

enum err condition_parse(const struct json *json, bool basic, const char *path, struct condition *ret,
                         struct error *reterr)
{
    char field[160];
    if (!json_is(json, JSON_OBJECT))
        return error_set(reterr, ERR_VALIDATION, path, "%s must be an object {field, operator, value}, not %s.", path,
                         json_kind_name(json));
    *ret = (struct condition){.field = json_get_str(json, "field")};
    (void)snprintf(field, sizeof field, "%.100s.field", path);
    if (ret->field == NULL)
        return error_set(reterr, ERR_VALIDATION, field, "%s must be the name of a field, not %s.", field,
                         json_kind_name(json_get(json, "field")));
    ret->operator= condition_operator_parse(json_get_str(json, "operator"));
    if (basic && ret->operator> CONDITION_CONTAINS)
        ret->operator= CONDITION_NEVER;
    (void)snprintf(field, sizeof field, "%.100s.operator", path);
    if (!basic && ret->operator== CONDITION_NEVER)
        return error_set(
            reterr, ERR_VALIDATION, field,
            "%s must be one of equals, not_equals, greater_than, less_than, >=, <=, contains, exists, not_exists, "
            "empty, not_empty.",
            field);
    ret->value = value_property(json, "value");
    return ERR_OK;
}

static bool contains(const struct value *value, const struct value *part)
{
    if (json_is(value->json, JSON_STRING) && json_is(part->json, JSON_STRING))
        return json_as_str_len(part->json) == 0 || memmem(json_as_str(value->json), json_as_str_len(value->json),
                                                          json_as_str(part->json), json_as_str_len(part->json)) != NULL;
    struct buf text, piece;
    buf_init(&text, 0);
    buf_init(&piece, 0);
    value_add_text(value, &text);
    value_add_text(part, &piece);
    bool found = piece.len == 0 || memmem(buf_str(&text), text.len, buf_str(&piece), piece.len) != NULL;
    buf_done(&text);
    buf_done(&piece);
    return found;
}

/* Missing, null, "", [] and {}. */
static bool is_empty(const struct value *value)
{
    switch (json_kind(value->json)) {
    case JSON_NULL:
        return true;
    case JSON_STRING:
        return json_as_str_len(value->json) == 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_count(value->json) == 0;
    default:
        return false;
    }
}

bool condition_holds(const struct condition *condition, const struct value *value)
{
    const struct value *other = &condition->value;
    switch (condition->operator) {
    case CONDITION_EQUALS:
        return value_strict_equal(value, other);
    case CONDITION_NOT_EQUALS:
        return !value_strict_equal(value, other);
    case CONDITION_GREATER:
        return value_compare(value, other) == VALUE_GREATER;
    case CONDITION_LESS:
        return value_compare(value, other) == VALUE_LESS;
    case CONDITION_GREATER_EQUAL: {
        enum value_order order = value_compare(value, other);
        return order == VALUE_GREATER || order == VALUE_SAME;
    }
    case CONDITION_LESS_EQUAL: {
        enum value_order order = value_compare(value, other);
        return order == VALUE_LESS || order == VALUE_SAME;
    }
    case CONDITION_CONTAINS:
        return contains(value, other);
    case CONDITION_EXISTS:
        return value->present;
    case CONDITION_NOT_EXISTS:
        return !value->present;
    case CONDITION_EMPTY:
        return is_empty(value);
    case CONDITION_NOT_EMPTY:
        return !is_empty(value);
    case CONDITION_NEVER:
        return false;
    }
    return false;
}
