/* JSON values: parse, build, read, print. JSON null is the NULL pointer. Reference counts are not atomic:
 * a value belongs to one thread; between threads JSON travels as text. Values are immutable once shared. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct json;
enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Strict RFC 8259, valid UTF-8, at most LIMIT_JSON_DEPTH deep, nothing after the value. ERR_VALIDATION otherwise.
 * A JSON text of `null` gives OK and *ret = NULL. */
enum err json_parse(const char *text, size_t len, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
void json_print(const struct json *value, struct buf *out);        /* compact */
void json_print_pretty(const struct json *value, struct buf *out); /* two spaces */
char *json_dup_text(const struct json *value);                     /* compact, heap, yours */

struct json *json_ref(const struct json *value); /* NULL stays NULL */
void json_unref(struct json *value);
void json_unref_ptr(struct json **value); /* for CLEANUP */
#define AUTO_JSON CLEANUP(json_unref_ptr)
struct json *json_dup(const struct json *value); /* deep copy */

struct json *json_object_new(void);
struct json *json_array_new(void);
struct json *json_string_new(const char *text); /* NULL gives null */
struct json *json_string_new_n(const char *text, size_t n);
struct json *json_int_new(int64_t value);
struct json *json_double_new(double value); /* null when it is not finite, as in ECMAScript's JSON.stringify */
struct json *json_bool_new(bool value);

/* Containers take the value over. An existing key is replaced, keeping its place. */
void json_set(struct json *object, const char *key, struct json *take_value);
void json_set_str(struct json *object, const char *key, const char *text); /* NULL stores null */
void json_set_int(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_set_double(struct json *object, const char *key, double value);
void json_remove(struct json *object, const char *key);
void json_push(struct json *array, struct json *take_value);

enum json_kind json_kind(const struct json *value);
const char *json_kind_name(const struct json *value); /* "null", "boolean", "number", "string", "array", "object" */
bool json_is(const struct json *value, enum json_kind type);
bool json_is_number(const struct json *value);

/* Borrowed reads; a wrong type gives the neutral value. */
bool json_has(const struct json *object, const char *key);
struct json *json_get(const struct json *object, const char *key);    /* NULL if absent, null or not an object */
const char *json_get_str(const struct json *object, const char *key); /* NULL if absent or no string */
int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise);
double json_get_double(const struct json *object, const char *key, double otherwise);
bool json_get_bool(const struct json *object, const char *key, bool otherwise);
const char *json_as_str(const struct json *value); /* NULL if no string */
size_t json_as_str_len(const struct json *value);
int64_t json_as_int(const struct json *value);
double json_as_double(const struct json *value); /* of an int too */
bool json_as_bool(const struct json *value);
size_t json_count(const struct json *container); /* elements of an array, members of an object, 0 otherwise */
struct json *json_at(const struct json *array, size_t index);

/* Members in insertion order. The object must not change meanwhile. */
struct json_iter {
    const char *key;
    struct json *value;
    void *next;
};
bool json_iter_first(const struct json *object, struct json_iter *iter);
bool json_iter_next(struct json_iter *iter);
#define JSON_EACH(object, iter)                                                                                        \
    for (bool more_##iter = json_iter_first(object, &iter); more_##iter; more_##iter = json_iter_next(&iter))

/* Numbers by value: 1 equals 1.0. Members in any order. */
bool json_equal(const struct json *a, const struct json *b);
size_t json_size(const struct json *value); /* approximate bytes of its compact text, without printing it */
