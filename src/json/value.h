/* JavaScript's view of JSON values (properties, coercions, comparison; api-contract 4.3) and dotted paths. */
#pragma once
#include "json/json.h"

/* A value that may be missing (JavaScript's undefined), which is not the same as null. */
struct value {
    bool present;
    const struct json *json; /* borrowed */
    struct json *owned;      /* set when the value was made for this answer; value_done frees it */
};
void value_done(struct value *value);
#define AUTO_VALUE CLEANUP(value_done)

/* item[key]: members of objects; elements and `length` of arrays and strings (UTF-16 units); nothing of other kinds. */
struct value value_property(const struct json *item, const char *key);

/* A dotted path such as user.address.0.street. A member whose name is the whole rest of the path wins. "" is the value
 * itself. */
struct value value_at_path(const struct json *root, const char *path);

/* Sets a dotted path in `object`, which must not be shared; shared objects on the way are replaced by copies, what is
 * no object by a new one. */
void value_set_path(struct json *object, const char *path, struct json *take_value);

struct json *value_copy_shallow(const struct json *object); /* members are shared; yours */

double value_number_of(const struct value *value); /* NaN when it is no number */
void value_add_text(const struct value *value, struct buf *out);
void value_add_number_text(double number, struct buf *out);

enum value_order { VALUE_LESS = -1, VALUE_SAME = 0, VALUE_GREATER = 1, VALUE_UNORDERED = 2 };
enum value_order value_compare(const struct value *a, const struct value *b);
bool value_strict_equal(const struct value *a, const struct value *b);
int value_compare_utf16(const char *a, size_t a_len, const char *b, size_t b_len); /* <0, 0, >0 */
