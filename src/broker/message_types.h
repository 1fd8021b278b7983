/* What the messages hold: a field table for each, from which the schemas and pages come. Members that a table does not
 * name are ignored, those that it does not call required may be missing and then mean what their help says: services of
 * different versions understand each other as long as `v` is the same. */
#pragma once
#include "json/fields.h"

struct message_type {
    const char *name, *help; /* name NULL ends */
    const struct field *fields;
};
extern const struct message_type message_types[];

const struct message_type *message_type_find(const char *name);    /* NULL: there is none */
struct json *message_type_schema(const struct message_type *type); /* JSON Schema (2020-12); yours */
