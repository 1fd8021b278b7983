/* The adapter of json-c; a struct json is a json_object under another name. */
#include "json/json.h"

#include "base/limits.h"
#include "base/mem.h"
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *raw(const struct json *value)
{
    return (struct json_object *)(uintptr_t)value;
}

static struct json *wrap(struct json_object *value)
{
    return (struct json *)value;
}

/* How many bytes stand in a JSON string as they are (RFC 8259, section 7) before the first that does not. Eight at a
 * time: (x - k) & ~x has a byte's highest bit where a byte of x is below k, k <= 0x80, and nowhere before the first
 * one. */
static bool word_is_plain(const char *text)
{
    const uint64_t ones = 0x0101010101010101U;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    return (found & ones * 0x80) == 0;
}

static size_t plain_span(const char *text, size_t n)
{
    static const bool escaped[256] = {[0 ... 0x1F] = true, ['"'] = true, ['\\'] = true};
    const size_t word = sizeof(uint64_t);
    size_t at = 0;
    while (n - at >= word && word_is_plain(text + at))
        at += word;
    if (n - at < word && n >= word && word_is_plain(text + n - word)) /* the last ones, with some before them */
        return n;
    while (at < n && !escaped[(unsigned char)text[at]])
        at++;
    return at;
}

/* json-c lets 'text', NaN and comments pass even when strict: outside of strings only RFC 8259's characters may stand.
 * Returns the place of the first other one, or `len`. *ret_exponent: a number has one, the only way to an infinite one.
 */
static size_t scan(const char *text, size_t len, bool *ret_exponent)
{
    static const char allowed[256] = {
        ['{'] = 1,  ['}'] = 1, ['['] = 1, [']'] = 1, [':'] = 1, [','] = 1, [' '] = 1, ['\t'] = 1, ['\n'] = 1,
        ['\r'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1,  ['7'] = 1,
        ['8'] = 1,  ['9'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['e'] = 2, ['E'] = 2, ['t'] = 1,  ['r'] = 1,
        ['u'] = 1,  ['f'] = 1, ['a'] = 1, ['l'] = 1, ['s'] = 1, ['n'] = 1, ['"'] = 1};
    *ret_exponent = false;
    for (size_t i = 0; i < len; i++) {
        char kind = allowed[(unsigned char)text[i]];
        if (kind == 0)
            return i;
        if (kind == 2 && i > 0 && text[i - 1] >= '.' && text[i - 1] <= '9')
            *ret_exponent = true;
        if (text[i] == '"')
            for (i++; i < len && (i += plain_span(text + i, len - i)) < len && text[i] != '"';)
                i += text[i] == '\\' ? 2 : 1;
    }
    return len;
}

static bool is_finite(const struct json *value)
{
    struct json_iter member;
    switch (json_kind(value)) {
    case JSON_DOUBLE:
        return isfinite(json_as_double(value));
    case JSON_ARRAY:
        for (size_t i = 0; i < json_count(value); i++)
            if (!is_finite(json_at(value, i)))
                return false;
        return true;
    case JSON_OBJECT:
        JSON_EACH(value, member)
        {
            if (!is_finite(member.value))
                return false;
        }
        return true;
    default:
        return true;
    }
}

enum err json_parse(const char *text, size_t len, struct json **ret, struct error *reterr)
{
    if (len > INT32_MAX - 1)
        return error_set(reterr, ERR_TOO_LARGE, NULL, "The JSON text is larger than 2 GiB.");
    bool exponent;
    size_t foreign = scan(text, len, &exponent);
    if (foreign < len)
        return error_set(reterr, ERR_VALIDATION, NULL, "The JSON text is broken at byte %zu: unexpected character.",
                         foreign);
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error status = json_tokener_get_error(tokener);
    if (status == json_tokener_continue) /* numbers at the very end need an end mark */
        value = json_tokener_parse_ex(tokener, "", 1), status = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    bool finite = status != json_tokener_success || !exponent || is_finite(wrap(value));
    if (status == json_tokener_success && len > 0 && finite) {
        *ret = wrap(value);
        return ERR_OK;
    }
    json_object_put(value);
    if (!finite)
        return error_set(reterr, ERR_VALIDATION, NULL,
                         "The JSON text has a number too large to be kept (above 1.8e308).");
    if (status == json_tokener_error_depth)
        return error_set(reterr, ERR_VALIDATION, NULL, "The JSON text is nested deeper than %d levels.",
                         LIMIT_JSON_DEPTH);
    if (status == json_tokener_continue || len == 0)
        return error_set(reterr, ERR_VALIDATION, NULL, "The JSON text ends too early, after %zu bytes.", len);
    return error_set(reterr, ERR_VALIDATION, NULL, "The JSON text is broken at byte %zu: %s.", end,
                     json_tokener_error_desc(status));
}

static void print_escape(unsigned char c, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', (char)c, '0', '0', hex[c >> 4], hex[c & 15]};
    size_t len = 2;
    switch (c) {
    case '\n':
        escape[1] = 'n';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    case '\t':
        escape[1] = 't';
        break;
    case '"':
    case '\\':
        break;
    default:
        escape[1] = 'u';
        len = 6;
    }
    buf_add(out, escape, len);
}

static void print_string(const char *text, size_t n, struct buf *out)
{
    bool fits = out->max == 0 && n + 2 < out->cap - out->len;
    if (!fits && !buf_reserve(out, n + 2))
        return;
    size_t at = plain_span(text, n);
    char *to = out->data + out->len;
    to[0] = '"';
    memcpy(to + 1, text, at);
    out->len += at + 1;
    out->data[out->len] = '\0';
    while (at < n) {
        print_escape((unsigned char)text[at++], out);
        size_t plain = plain_span(text + at, n - at);
        buf_add(out, text + at, plain);
        at += plain;
    }
    buf_add_char(out, '"');
}

/* The shortest text that reads back as the same double; JSON has no NaN and no infinity, they become null. */
static void print_double(double value, struct buf *out)
{
    if (!isfinite(value)) {
        buf_add_str(out, "null");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_add_str(out, text);
}

static void new_line(struct buf *out, int indent)
{
    if (indent < 0)
        return;
    buf_add_char(out, '\n');
    for (int i = 0; i < indent; i++)
        buf_add_str(out, "  ");
}

static void print(const struct json_object *value, struct buf *out, int indent);

static void print_array(const struct json_object *array, struct buf *out, int indent)
{
    int inner = indent < 0 ? -1 : indent + 1;
    size_t n = json_object_array_length(array);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        new_line(out, inner);
        print(json_object_array_get_idx(array, i), out, inner);
    }
    if (n > 0)
        new_line(out, indent);
    buf_add_char(out, ']');
}

static void print_object(const struct json_object *object, struct buf *out, int indent)
{
    int inner = indent < 0 ? -1 : indent + 1;
    const struct lh_entry *first = json_object_get_object(object)->head;
    buf_add_char(out, '{');
    for (const struct lh_entry *entry = first; entry != NULL; entry = entry->next) {
        const char *key = lh_entry_k(entry);
        if (entry != first)
            buf_add_char(out, ',');
        new_line(out, inner);
        print_string(key, strlen(key), out);
        buf_add_char(out, ':');
        if (indent >= 0)
            buf_add_char(out, ' ');
        print(lh_entry_v(entry), out, inner);
    }
    if (first != NULL)
        new_line(out, indent);
    buf_add_char(out, '}');
}

/* Each message and each history is printed: without a wrapper's call for each value. */
static void print(const struct json_object *value, struct buf *out, int indent)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        buf_add_str(out, json_object_get_boolean(value) ? "true" : "false");
        return;
    case json_type_int:
        buf_add_int(out, json_object_get_int64(value));
        return;
    case json_type_double:
        print_double(json_object_get_double(value), out);
        return;
    case json_type_string:
        print_string(json_object_get_string((struct json_object *)(uintptr_t)value),
                     (size_t)json_object_get_string_len(value), out);
        return;
    case json_type_array:
        print_array(value, out, indent);
        return;
    case json_type_object:
        print_object(value, out, indent);
        return;
    default:
        buf_add_str(out, "null");
    }
}

void json_print(const struct json *value, struct buf *out)
{
    print(raw(value), out, -1);
}

void json_print_pretty(const struct json *value, struct buf *out)
{
    print(raw(value), out, 0);
}

char *json_dup_text(const struct json *value)
{
    struct buf out;
    buf_init(&out, 0);
    json_print(value, &out);
    return buf_take(&out);
}

struct json *json_ref(const struct json *value)
{
    return wrap(json_object_get(raw(value)));
}

void json_unref(struct json *value)
{
    json_object_put(raw(value));
}

void json_unref_ptr(struct json **value)
{
    json_unref(*value);
}

struct json *json_dup(const struct json *value)
{
    struct json_object *copy = NULL;
    if (value != NULL && json_object_deep_copy(raw(value), &copy, NULL) != 0)
        abort();
    return wrap(copy);
}

struct json *json_object_new(void)
{
    return wrap(json_object_new_object());
}

struct json *json_array_new(void)
{
    return wrap(json_object_new_array());
}

struct json *json_string_new(const char *text)
{
    return text == NULL ? NULL : wrap(json_object_new_string(text));
}

struct json *json_string_new_n(const char *text, size_t n)
{
    return wrap(json_object_new_string_len(text, (int)n));
}

struct json *json_int_new(int64_t value)
{
    return wrap(json_object_new_int64(value));
}

struct json *json_double_new(double value)
{
    return isfinite(value) ? wrap(json_object_new_double(value)) : NULL;
}

struct json *json_bool_new(bool value)
{
    return wrap(json_object_new_boolean(value));
}

void json_set(struct json *object, const char *key, struct json *take_value)
{
    if (json_object_object_add(raw(object), key, raw(take_value)) != 0)
        abort();
}

void json_set_str(struct json *object, const char *key, const char *text)
{
    json_set(object, key, json_string_new(text));
}

void json_set_int(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, json_int_new(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
    json_set(object, key, json_bool_new(value));
}

void json_set_double(struct json *object, const char *key, double value)
{
    json_set(object, key, json_double_new(value));
}

void json_remove(struct json *object, const char *key)
{
    json_object_object_del(raw(object), key);
}

void json_push(struct json *array, struct json *take_value)
{
    if (json_object_array_add(raw(array), raw(take_value)) != 0)
        abort();
}

enum json_kind json_kind(const struct json *value)
{
    switch (json_object_get_type(raw(value))) {
    case json_type_null:
        return JSON_NULL;
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
        return JSON_INT;
    case json_type_double:
        return JSON_DOUBLE;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    }
    return JSON_NULL;
}

const char *json_kind_name(const struct json *value)
{
    static const char *const names[] = {"null", "boolean", "number", "number", "string", "array", "object"};
    return names[json_kind(value)];
}

bool json_is(const struct json *value, enum json_kind type)
{
    return json_kind(value) == type;
}

bool json_is_number(const struct json *value)
{
    return json_is(value, JSON_INT) || json_is(value, JSON_DOUBLE);
}

bool json_has(const struct json *object, const char *key)
{
    return json_is(object, JSON_OBJECT) && json_object_object_get_ex(raw(object), key, NULL);
}

struct json *json_get(const struct json *object, const char *key)
{
    struct json_object *value = NULL;
    if (json_is(object, JSON_OBJECT))
        (void)json_object_object_get_ex(raw(object), key, &value);
    return wrap(value);
}

const char *json_get_str(const struct json *object, const char *key)
{
    return json_as_str(json_get(object, key));
}

int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise)
{
    const struct json *value = json_get(object, key);
    return json_is_number(value) ? json_as_int(value) : otherwise;
}

double json_get_double(const struct json *object, const char *key, double otherwise)
{
    const struct json *value = json_get(object, key);
    return json_is_number(value) ? json_as_double(value) : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    const struct json *value = json_get(object, key);
    return json_is(value, JSON_BOOL) ? json_as_bool(value) : otherwise;
}

const char *json_as_str(const struct json *value)
{
    return json_is(value, JSON_STRING) ? json_object_get_string(raw(value)) : NULL;
}

size_t json_as_str_len(const struct json *value)
{
    return json_is(value, JSON_STRING) ? (size_t)json_object_get_string_len(raw(value)) : 0;
}

int64_t json_as_int(const struct json *value)
{
    return json_is_number(value) ? json_object_get_int64(raw(value)) : 0;
}

double json_as_double(const struct json *value)
{
    return json_is_number(value) ? json_object_get_double(raw(value)) : 0;
}

bool json_as_bool(const struct json *value)
{
    return json_is(value, JSON_BOOL) && json_object_get_boolean(raw(value));
}

size_t json_count(const struct json *container)
{
    if (json_is(container, JSON_ARRAY))
        return json_object_array_length(raw(container));
    return json_is(container, JSON_OBJECT) ? (size_t)json_object_object_length(raw(container)) : 0;
}

struct json *json_at(const struct json *array, size_t index)
{
    return json_is(array, JSON_ARRAY) ? wrap(json_object_array_get_idx(raw(array), index)) : NULL;
}

static bool iter_load(struct json_iter *iter, struct lh_entry *entry)
{
    if (entry == NULL)
        return false;
    iter->key = lh_entry_k(entry);
    iter->value = wrap((struct json_object *)(uintptr_t)lh_entry_v(entry));
    iter->next = entry->next;
    return true;
}

bool json_iter_first(const struct json *object, struct json_iter *iter)
{
    return json_is(object, JSON_OBJECT) && iter_load(iter, json_object_get_object(raw(object))->head);
}

bool json_iter_next(struct json_iter *iter)
{
    return iter_load(iter, iter->next);
}

static bool objects_equal(const struct json *a, const struct json *b)
{
    struct json_iter member;
    JSON_EACH(a, member)
    {
        if (!json_has(b, member.key) || !json_equal(member.value, json_get(b, member.key)))
            return false;
    }
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    enum json_kind kind = json_kind(a);
    if (a == b)
        return true;
    if (json_is_number(a) && json_is_number(b))
        return kind == JSON_INT && json_is(b, JSON_INT) ? json_as_int(a) == json_as_int(b)
                                                        : json_as_double(a) == json_as_double(b);
    if (kind != json_kind(b) || json_count(a) != json_count(b))
        return false;
    if (kind == JSON_OBJECT)
        return objects_equal(a, b);
    if (kind != JSON_ARRAY)
        return json_object_equal(raw(a), raw(b)) != 0;
    for (size_t i = 0; i < json_count(a); i++)
        if (!json_equal(json_at(a, i), json_at(b, i)))
            return false;
    return true;
}

/* Each node's outputs are measured: without a wrapper's call for each value. */
static size_t size_of(const struct json_object *value)
{
    size_t n = 2;
    switch (json_object_get_type(value)) {
    case json_type_int:
    case json_type_double:
        return 12;
    case json_type_string:
        return 2 + (size_t)json_object_get_string_len(value);
    case json_type_array:
        for (size_t i = 0, count = json_object_array_length(value); i < count; i++)
            n += 1 + size_of(json_object_array_get_idx(value, i));
        return n;
    case json_type_object:
        for (const struct lh_entry *entry = json_object_get_object(value)->head; entry != NULL; entry = entry->next)
            n += strlen(lh_entry_k(entry)) + 4 + size_of(lh_entry_v(entry));
        return n;
    default:
        return 5;
    }
}

size_t json_size(const struct json *value)
{
    return size_of(raw(value));
}
