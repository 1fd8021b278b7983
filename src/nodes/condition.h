/* Conditions {field, operator, value} as data-filter, if and switch use them. */
#pragma once
#include "nodes/value.h"

enum condition_operator {
    CONDITION_EQUALS,
    CONDITION_NOT_EQUALS,
    CONDITION_GREATER,
    CONDITION_LESS,
    CONDITION_CONTAINS,
    CONDITION_GREATER_EQUAL,
    CONDITION_LESS_EQUAL,
    CONDITION_EXISTS,
    CONDITION_NOT_EXISTS,
    CONDITION_EMPTY,
    CONDITION_NOT_EMPTY,
    CONDITION_NEVER /* an operator that data-filter does not know: never true */
};

struct condition {
    const char *field;
    enum condition_operator operator;
    struct value value; /* borrows */
};

/* The operators of data-filter; of the others every name is CONDITION_NEVER there. NULL-terminated. */
extern const char *const condition_basic_operators[];
extern const char *const condition_operators[];

enum condition_operator condition_operator_parse(const char *name); /* all operators; CONDITION_NEVER when unknown */

/* Reads one condition; ERR_VALIDATION names `path`. With `basic`, data-filter's rules: unknown operators are never
 * true; else they are refused. */
enum err condition_parse(const struct json *json, bool basic, const char *path, struct condition *ret,
                         struct error *reterr) ERROR_MUST_CHECK;

/* Whether it holds for the field's value. */
bool condition_holds(const struct condition *condition, const struct value *value);
