/* What nodes that work on lists of records share: reading the list, lists of fields, keys that compare by value. */
#pragma once
#include "nodes/node_int.h"
#include "nodes/value.h"

#define RECORDS_MAX 1000000 /* most that a node makes */

/* node_inputs_check, and the pin `name` holds a list. VALIDATION otherwise. */
enum err records_check(const struct node_call *call, const char *name, const struct json **ret,
                       struct error *reterr) ERROR_MUST_CHECK;

/* A setting that is a field (dotted path) or a list of at most `max` of them, as read into `ret`; borrowed. NULL gives
 * none. */
enum err records_fields(const struct json *setting, const char *name, size_t max, const char **ret, size_t *ret_count,
                        struct error *reterr) ERROR_MUST_CHECK;

/* Appends a text that is the same for equal values and for no others: 1 and 1.0 are equal, members come in any order,
 * a missing value is null. */
void records_add_key(const struct json *value, struct buf *out);
/* Of the values at these paths, of the whole record when there are none; false: one of them is null or missing. */
bool records_add_keys(const struct json *record, const char *const *paths, size_t count, struct buf *out);

/* Text counts as a number when it reads as one: files and databases give numbers as text. */
bool records_number(const struct value *value, double *ret);
