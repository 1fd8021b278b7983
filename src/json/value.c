/* JavaScript's properties, coercions and comparison over JSON values. */
#include "json/value.h"

#include "base/mem.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void value_done(struct value *value)
{
    json_unref(value->owned);
    *value = (struct value){0};
}

static struct value present(const struct json *json)
{
    return (struct value){.present = true, .json = json};
}

static struct value made(struct json *owned)
{
    return (struct value){.present = true, .json = owned, .owned = owned};
}

/* A canonical array index: digits without leading zero. */
static bool parse_index(const char *text, size_t len, size_t *ret)
{
    if (len == 0 || len > 9 || (len > 1 && text[0] == '0'))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (size_t)(text[i] - '0');
    }
    *ret = n;
    return true;
}

static size_t sequence_bytes(unsigned char lead)
{
    return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
}

static size_t utf16_length(const char *text, size_t len)
{
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        units += (c & 0xC0) != 0x80;
        units += c >= 0xF0;
    }
    return units;
}

/* One UTF-16 unit; half of a surrogate pair has no UTF-8, it becomes U+FFFD. */
static struct value string_unit(const char *text, size_t len, size_t index)
{
    size_t unit = 0;
    for (size_t i = 0; i < len;) {
        size_t bytes = sequence_bytes((unsigned char)text[i]);
        if (bytes > len - i)
            bytes = len - i;
        if (unit == index || (bytes == 4 && unit + 1 == index))
            return made(bytes == 4 ? json_string_new("\xEF\xBF\xBD") : json_string_new_n(text + i, bytes));
        unit += bytes == 4 ? 2 : 1;
        i += bytes;
    }
    return (struct value){0};
}

struct value value_property(const struct json *item, const char *key)
{
    size_t index;
    switch (json_kind(item)) {
    case JSON_OBJECT: {
        const struct json *member = json_get(item, key);
        return member != NULL || json_has(item, key) ? present(member) : (struct value){0};
    }
    case JSON_ARRAY:
        if (strcmp(key, "length") == 0)
            return made(json_int_new((int64_t)json_count(item)));
        if (parse_index(key, strlen(key), &index) && index < json_count(item))
            return present(json_at(item, index));
        return (struct value){0};
    case JSON_STRING:
        if (strcmp(key, "length") == 0)
            return made(json_int_new((int64_t)utf16_length(json_as_str(item), json_as_str_len(item))));
        if (parse_index(key, strlen(key), &index))
            return string_unit(json_as_str(item), json_as_str_len(item), index);
        return (struct value){0};
    default:
        return (struct value){0};
    }
}

struct value value_at_path(const struct json *root, const char *path)
{
    struct value now = present(root);
    while (*path != '\0') {
        struct value whole = value_property(now.json, path);
        const char *dot = strchr(path, '.');
        if (whole.present || dot == NULL) {
            value_done(&now);
            return whole;
        }
        char part[256];
        size_t len = (size_t)(dot - path);
        if (len >= sizeof part) {
            value_done(&now);
            return (struct value){0};
        }
        memcpy(part, path, len);
        part[len] = '\0';
        struct value next = value_property(now.json, part);
        value_done(&now);
        if (!next.present)
            return next;
        now = next;
        path = dot + 1;
    }
    return now;
}

struct json *value_copy_shallow(const struct json *object)
{
    struct json *copy = json_object_new();
    struct json_iter member;
    JSON_EACH(object, member) json_set(copy, member.key, json_ref(member.value));
    return copy;
}

void value_set_path(struct json *object, const char *path, struct json *take_value)
{
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        AUTO_FREE char *part = mem_dup_n(path, (size_t)(dot - path));
        struct json *inner = value_copy_shallow(json_get(object, part)); /* of no object: empty */
        json_set(object, part, inner);
        object = inner;
    }
    json_set(object, path, take_value);
}

/* Bytes of the JavaScript white space at `text`, 0 when there is none. */
static size_t space_bytes(const char *text, size_t len)
{
    static const char *const wide[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"};
    if (len == 0)
        return 0;
    if (*text == ' ' || (*text >= '\t' && *text <= '\r'))
        return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (len >= strlen(wide[i]) && memcmp(text, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    bool en_space = len >= 3 && memcmp(text, "\xE2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 &&
                    (unsigned char)text[2] <= 0x8A;
    return en_space ? 3 : 0;
}

static void trim(const char **text, size_t *len)
{
    for (size_t n; (n = space_bytes(*text, *len)) > 0; *text += n)
        *len -= n;
    for (bool again = true; again;) {
        again = false;
        for (size_t n = 1; n <= 3 && n <= *len && !again; n++)
            if (space_bytes(*text + *len - n, n) == n) {
                *len -= n;
                again = true;
            }
    }
}

static double radix_number(const char *text, size_t len, int radix)
{
    double n = 0;
    for (size_t i = 0; i < len; i++) {
        int c = text[i] | 0x20;
        int digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= radix)
            return (double)NAN;
        n = n * radix + digit;
    }
    return len == 0 ? (double)NAN : n;
}

static size_t count_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* StrDecimalLiteral of ECMAScript; strtod alone would accept hexadecimal floats, nan and inf. */
static bool is_decimal(const char *text, size_t len)
{
    size_t i = len > 0 && (*text == '+' || *text == '-');
    size_t whole = count_digits(text + i, len - i), part = 0;
    i += whole;
    if (i < len && text[i] == '.') {
        i++;
        part = count_digits(text + i, len - i);
        i += part;
    }
    if (whole + part == 0)
        return false;
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        i += i < len && (text[i] == '+' || text[i] == '-');
        size_t exponent = count_digits(text + i, len - i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == len;
}

static double string_number(const char *text, size_t len)
{
    trim(&text, &len);
    if (len == 0)
        return 0;
    if (len > 2 && text[0] == '0') {
        int c = text[1] | 0x20, radix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
        if (radix != 0)
            return radix_number(text + 2, len - 2, radix);
    }
    size_t sign = *text == '+' || *text == '-';
    if (len - sign == 8 && memcmp(text + sign, "Infinity", 8) == 0)
        return *text == '-' ? -(double)INFINITY : (double)INFINITY;
    if (!is_decimal(text, len))
        return (double)NAN;
    char small[64];
    if (len < sizeof small) {
        memcpy(small, text, len);
        small[len] = '\0';
        return strtod(small, NULL);
    }
    AUTO_FREE char *copy = mem_dup_n(text, len);
    return strtod(copy, NULL);
}

double value_number_of(const struct value *value)
{
    if (!value->present)
        return (double)NAN;
    switch (json_kind(value->json)) {
    case JSON_NULL:
        return 0;
    case JSON_BOOL:
        return json_as_bool(value->json) ? 1 : 0;
    case JSON_INT:
    case JSON_DOUBLE:
        return json_as_double(value->json);
    case JSON_STRING:
        return string_number(json_as_str(value->json), json_as_str_len(value->json));
    default:
        break;
    }
    struct buf text;
    buf_init(&text, 0);
    value_add_text(value, &text);
    double n = string_number(buf_str(&text), text.len);
    buf_done(&text);
    return n;
}

/* Number::toString of ECMAScript: the shortest digits that read back, in its own notation. */
void value_add_number_text(double number, struct buf *out)
{
    if (isnan(number) || isinf(number) || number == 0) {
        buf_add_str(out, isnan(number) ? "NaN" : number == 0 ? "0" : number > 0 ? "Infinity" : "-Infinity");
        return;
    }
    char text[40], digits[24];
    for (int precision = 0; precision <= 16; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, fabs(number));
        if (strtod(text, NULL) == fabs(number))
            break;
    }
    int k = 0;
    for (const char *c = text; *c != 'e'; c++)
        if (*c != '.')
            digits[k++] = *c;
    digits[k] = '\0';
    int n = atoi(strchr(text, 'e') + 1) + 1;
    if (number < 0)
        buf_add_char(out, '-');
    if (n > 21 || n <= -6) {
        buf_printf(out, "%c%s%se%c%d", digits[0], k > 1 ? "." : "", digits + 1, n > 0 ? '+' : '-', abs(n - 1));
    } else if (n <= 0) {
        buf_printf(out, "0.%.*s%s", -n, "000000", digits);
    } else if (k <= n) {
        buf_add_str(out, digits);
        for (int i = k; i < n; i++)
            buf_add_char(out, '0');
    } else {
        buf_printf(out, "%.*s.%s", n, digits, digits + n);
    }
}

void value_add_text(const struct value *value, struct buf *out)
{
    if (!value->present) {
        buf_add_str(out, "undefined");
        return;
    }
    switch (json_kind(value->json)) {
    case JSON_NULL:
        buf_add_str(out, "null");
        return;
    case JSON_BOOL:
        buf_add_str(out, json_as_bool(value->json) ? "true" : "false");
        return;
    case JSON_INT:
        buf_printf(out, "%lld", (long long)json_as_int(value->json));
        return;
    case JSON_DOUBLE:
        value_add_number_text(json_as_double(value->json), out);
        return;
    case JSON_STRING:
        buf_add(out, json_as_str(value->json), json_as_str_len(value->json));
        return;
    case JSON_OBJECT:
        buf_add_str(out, "[object Object]");
        return;
    case JSON_ARRAY:
        for (size_t i = 0, n = json_count(value->json); i < n; i++) {
            struct value element = present(json_at(value->json, i));
            if (i > 0)
                buf_add_char(out, ',');
            if (element.json != NULL) /* null joins as nothing */
                value_add_text(&element, out);
        }
        return;
    }
}

int value_compare_utf16(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len, i = 0;
    while (i < n && a[i] == b[i])
        i++;
    if (i == n)
        return a_len < b_len ? -1 : a_len > b_len;
    unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
    /* Surrogates (4 bytes in UTF-8) sort before U+E000..U+FFFF in UTF-16. */
    if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0))
        return x >= 0xF0 ? -1 : 1;
    return x < y ? -1 : 1;
}

static enum value_order compare_numbers(double a, double b)
{
    return isnan(a) || isnan(b) ? VALUE_UNORDERED : a < b ? VALUE_LESS : a > b ? VALUE_GREATER : VALUE_SAME;
}

static bool is_texty(const struct value *value)
{
    enum json_kind kind = json_kind(value->json);
    return value->present && (kind == JSON_STRING || kind == JSON_ARRAY || kind == JSON_OBJECT);
}

enum value_order value_compare(const struct value *a, const struct value *b)
{
    enum json_kind x = json_kind(a->json), y = json_kind(b->json);
    if (x == JSON_INT && y == JSON_INT) {
        int64_t m = json_as_int(a->json), n = json_as_int(b->json);
        return m < n ? VALUE_LESS : m > n ? VALUE_GREATER : VALUE_SAME;
    }
    if (x == JSON_STRING && y == JSON_STRING)
        return (enum value_order)value_compare_utf16(json_as_str(a->json), json_as_str_len(a->json),
                                                     json_as_str(b->json), json_as_str_len(b->json));
    if (!is_texty(a) || !is_texty(b))
        return compare_numbers(value_number_of(a), value_number_of(b));
    struct buf one, two;
    buf_init(&one, 0);
    buf_init(&two, 0);
    value_add_text(a, &one);
    value_add_text(b, &two);
    int order = value_compare_utf16(buf_str(&one), one.len, buf_str(&two), two.len);
    buf_done(&one);
    buf_done(&two);
    return (enum value_order)order;
}

bool value_strict_equal(const struct value *a, const struct value *b)
{
    if (a->present != b->present)
        return false;
    if (!a->present)
        return true;
    enum json_kind x = json_kind(a->json), y = json_kind(b->json);
    if (x == JSON_STRING && y == JSON_STRING) {
        size_t n = json_as_str_len(a->json);
        return n == json_as_str_len(b->json) && memcmp(json_as_str(a->json), json_as_str(b->json), n) == 0;
    }
    if (x == JSON_INT && y == JSON_INT)
        return json_as_int(a->json) == json_as_int(b->json);
    bool numbers = (x == JSON_INT || x == JSON_DOUBLE) && (y == JSON_INT || y == JSON_DOUBLE);
    if (numbers)
        return json_as_double(a->json) == json_as_double(b->json);
    if (x != y)
        return false;
    return x == JSON_NULL || (x == JSON_BOOL && json_as_bool(a->json) == json_as_bool(b->json));
}
