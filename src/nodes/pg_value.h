/* PostgreSQL's text format to JSON and back, as node-postgres does it (api-contract 4.1). No connection needed. */
#pragma once
#include "json/json.h"

/* A value of that type (OID) in text format; NULL text is null. Types without a rule of their own are strings. Yours.
 */
struct json *pg_value_decode(unsigned type_oid, const char *text, size_t len);

/* A query parameter as text: lists become array literals, objects JSON. ERR_VALIDATION with `path` for text with a NUL.
 * *ret is NULL for null, else heap, yours. */
enum err pg_value_encode(const struct json *value, const char *path, char **ret, struct error *reterr) ERROR_MUST_CHECK;
