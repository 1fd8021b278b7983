/* Field tables: one table per structure that comes from outside serves validation (the error names the path),
 * defaults, JSON Schema, forms and documentation. */
#pragma once
#include "json/json.h"

enum field_kind {
    FIELD_STRING, /* min..max code points */
    FIELD_INT,    /* min..max; a double without fraction is accepted */
    FIELD_NUMBER, /* min..max */
    FIELD_BOOL,
    FIELD_ENUM,    /* string, one of `values` */
    FIELD_OBJECT,  /* free-form, or checked against `fields` when given */
    FIELD_ARRAY,   /* min..max elements; each an object checked against `fields` when given */
    FIELD_STRINGS, /* array of strings, min..max elements */
    FIELD_ANY
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_kind kind;
    bool required;
    bool nullable;              /* null counts as absent */
    bool secret;                /* masked wherever shown */
    bool code;                  /* source text: {{ in it is no expression */
    int64_t min, max;           /* both 0 = unbounded */
    const char *const *values;  /* FIELD_ENUM, NULL-terminated */
    const char *pattern;        /* informational, for the schema; checked by the owner */
    const struct field *fields; /* nested table */
    const char *default_json;   /* JSON text, or NULL */
    const char *help;           /* one sentence */
    const char *label;          /* for forms; NULL: made from the name (timeoutMs: "Timeout ms") */
    const char *widget;         /* how a form edits it, one of field_widgets; NULL: by its kind */
    const char *group;          /* heading in a form; NULL: the first one */
};

/* NULL-terminated: code-javascript, sql, json, expression, secret, cron, password, textarea, key-value, connection. */
extern const char *const field_widgets[];

/* Checks `value` against the table; unknown members are ignored (api-contract 1.1). The first problem is reported with
 * its path, e.g. nodes[2].position. `value` must be an object. ERR_VALIDATION otherwise. */
enum err fields_check(const struct field *fields, const struct json *value, struct error *reterr) ERROR_MUST_CHECK;

/* All problems instead of the first: appends {field, message} objects to `problems`. Returns how many. */
size_t fields_check_all(const struct field *fields, const struct json *value, struct json *problems);

/* The row of that name; NULL: none. fields may be NULL. */
const struct field *fields_find(const struct field *fields, const char *name);

/* Adds the defaults of absent members. `object` must not be shared. */
void fields_apply_defaults(const struct field *fields, struct json *object);

/* JSON Schema (2020-12) of the table; yours. */
struct json *fields_schema(const struct field *fields);

/* What a page needs to make a form of the table; yours. An array in the table's order of {name, kind (string, integer,
 * number, boolean, enum, object, array, strings, any), label, help, required, nullable, secret} and, where they say
 * something, {default, values, min, max, pattern, widget, group, fields (the same again)}. */
struct json *fields_form(const struct field *fields);

/* UTF-8 code points of a string. */
size_t fields_code_points(const char *text);
