/* Searching texts for the secrets of a run. */
#include "worker/mask.h"

#include "base/base64.h"
#include "base/mem.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BEGINNING_MIN 6

static void wipe(char *bytes, size_t size)
{
    explicit_bzero(bytes, size);
    free(bytes);
}

void mask_done(struct mask *mask)
{
    for (size_t i = 0; i < mask->count; i++)
        wipe(mask->patterns[i].bytes, mask->patterns[i].size);
    free(mask->patterns);
    *mask = (struct mask){0};
}

bool mask_is_empty(const struct mask *mask)
{
    return mask->count == 0;
}

/* How much of a pattern tells too much. Addresses begin alike, and so do their encodings. */
static size_t least_of(size_t size, bool is_address)
{
    size_t least = is_address ? size / 2 : size / 4;
    return least < BEGINNING_MIN ? (size < BEGINNING_MIN ? size : BEGINNING_MIN) : least;
}

static void add_pattern(struct mask *mask, const char *bytes, size_t size)
{
    if (size == 0)
        return;
    for (size_t i = 0; i < mask->count; i++)
        if (mask->patterns[i].size == size && memcmp(mask->patterns[i].bytes, bytes, size) == 0)
            return;
    if (mask->count == mask->cap) {
        mask->cap = mask->cap == 0 ? 8 : mask->cap * 2;
        mask->patterns = mem_resize(mask->patterns, mask->cap * sizeof *mask->patterns);
    }
    mask->patterns[mask->count++] =
        (struct mask_pattern){.bytes = mem_dup_n(bytes, size), .size = size, .least = least_of(size, mask->is_address)};
}

static void add_buf(struct mask *mask, struct buf *form)
{
    add_pattern(mask, form->data, form->len);
    if (form->data != NULL)
        explicit_bzero(form->data, form->cap);
    buf_clear(form);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_url_forms(struct mask *mask, const char *secret, size_t size, struct buf *form)
{
    static const char *const digits[] = {"%%%02X", "%%%02x"};
    for (int variant = 0; variant < 4; variant++) {
        for (size_t i = 0; i < size; i++) {
            unsigned char c = (unsigned char)secret[i];
            if (is_unreserved(c))
                buf_add_char(form, secret[i]);
            else if (c == ' ' && variant >= 2)
                buf_add_char(form, '+');
            else
                buf_printf(form, variant % 2 == 0 ? digits[0] : digits[1], c);
        }
        add_buf(mask, form);
    }
}

static void add_json_form(struct mask *mask, const char *secret, size_t size, struct buf *form)
{
    struct json *text = json_string_new_n(secret, size);
    AUTO_BUF struct buf printed = {0};
    json_print(text, &printed);
    json_unref(text);
    if (printed.len > 2)
        buf_add(form, printed.data + 1, printed.len - 2); /* without the quotes */
    explicit_bzero(printed.data, printed.len);
    add_buf(mask, form);
}

/* The characters that depend on the secret alone, when so many bytes stand before it. */
static void add_base64_at(struct mask *mask, const char *secret, size_t size, size_t before, struct buf *form)
{
    AUTO_BUF struct buf padded = {0}, encoded = {0};
    buf_add(&padded, "\0\0", before);
    buf_add(&padded, secret, size);
    base64_add(&encoded, padded.data, padded.len);
    size_t from = (before * 8 + 5) / 6, until = (before + size) * 8 / 6;
    buf_add(form, encoded.data + from, until - from);
    explicit_bzero(padded.data, padded.len);
    explicit_bzero(encoded.data, encoded.len);
    add_pattern(mask, form->data, form->len);
    for (size_t i = 0; i < form->len; i++)
        form->data[i] = form->data[i] == '+' ? '-' : form->data[i] == '/' ? '_' : form->data[i];
    add_buf(mask, form);
}

static void add_hex(struct mask *mask, const char *secret, size_t size, struct buf *form)
{
    for (int upper = 0; upper < 2; upper++) {
        for (size_t i = 0; i < size; i++)
            buf_printf(form, upper ? "%02X" : "%02x", (unsigned char)secret[i]);
        add_buf(mask, form);
    }
}

void mask_add(struct mask *mask, const char *secret, size_t size)
{
    AUTO_BUF struct buf form = {0};
    size_t former = mask->count;
    mask->is_address = size > 3 && memmem(secret, size, "://", 3) != NULL;
    add_pattern(mask, secret, size);
    if (mask->count == former)
        return; /* known, or nothing */
    add_json_form(mask, secret, size, &form);
    add_url_forms(mask, secret, size, &form);
    if (size < MASK_ENCODED_MIN)
        return;
    for (size_t before = 0; before < 3; before++)
        add_base64_at(mask, secret, size, before, &form);
    add_hex(mask, secret, size, &form);
}

/* Marks each byte that belongs to some pattern, or to the beginning of one; NULL when none does. Secrets may overlap.
 */
static unsigned char *mark(const struct mask *mask, const char *text, size_t size, bool beginnings)
{
    unsigned char *marks = NULL;
    for (size_t i = 0; i < mask->count; i++) {
        const struct mask_pattern *pattern = &mask->patterns[i];
        const char *at = text, *end = text + size;
        size_t least = beginnings ? pattern->least : pattern->size;
        while ((at = memmem(at, (size_t)(end - at), pattern->bytes, least)) != NULL) {
            size_t n = least;
            while (n < pattern->size && at + n < end && at[n] == pattern->bytes[n])
                n++;
            if (marks == NULL)
                marks = mem_alloc(size);
            memset(marks + (at - text), 1, n);
            at++;
        }
    }
    return marks;
}

static void add_unmarked(const unsigned char *marks, const char *text, size_t size, struct buf *out)
{
    for (size_t i = 0; i < size; i++) {
        if (marks[i] == 0)
            buf_add_char(out, text[i]);
        else if (i == 0 || marks[i - 1] == 0)
            buf_add_str(out, MASK_TEXT);
    }
}

static bool hide_marked(const struct mask *mask, const char *text, size_t size, bool beginnings, struct buf *out)
{
    if (mask->count == 0 || text == NULL || size == 0)
        return false;
    AUTO_FREE unsigned char *marks = mark(mask, text, size, beginnings);
    if (marks == NULL)
        return false;
    add_unmarked(marks, text, size, out);
    return true;
}

bool mask_text(const struct mask *mask, const char *text, size_t size, struct buf *out)
{
    return hide_marked(mask, text, size, false, out);
}

/* ---- JSON */

typedef bool (*hide_fn)(const void *user, const char *text, size_t size, struct buf *out);

static struct json *hide(const struct json *value, hide_fn fn, const void *user);

static struct json *hide_array(const struct json *array, hide_fn fn, const void *user)
{
    struct json *copy = NULL;
    size_t count = json_count(array);
    for (size_t i = 0; i < count; i++) {
        const struct json *former = json_at(array, i);
        struct json *hidden = hide(former, fn, user);
        if (copy == NULL && hidden != former) {
            copy = json_array_new();
            for (size_t k = 0; k < i; k++)
                json_push(copy, json_ref(json_at(array, k)));
        }
        if (copy != NULL)
            json_push(copy, hidden);
        else
            json_unref(hidden);
    }
    return copy == NULL ? json_ref(array) : copy;
}

/* The members before `until`, as they are. */
static struct json *copy_before(const struct json *object, size_t until)
{
    struct json *copy = json_object_new();
    struct json_iter member;
    size_t i = 0;
    JSON_EACH(object, member)
    {
        if (i++ == until)
            break;
        json_set(copy, member.key, json_ref(member.value));
    }
    return copy;
}

static struct json *hide_object(const struct json *object, hide_fn fn, const void *user)
{
    struct json *copy = NULL;
    struct json_iter member;
    AUTO_BUF struct buf name = {0};
    size_t i = 0;
    JSON_EACH(object, member)
    {
        buf_clear(&name);
        struct json *hidden = hide(member.value, fn, user);
        bool renamed = fn(user, member.key, strlen(member.key), &name);
        if (copy == NULL && (renamed || hidden != member.value))
            copy = copy_before(object, i);
        if (copy != NULL)
            json_set(copy, renamed ? buf_str(&name) : member.key, hidden);
        else
            json_unref(hidden);
        i++;
    }
    return copy == NULL ? json_ref(object) : copy;
}

static struct json *hide(const struct json *value, hide_fn fn, const void *user)
{
    AUTO_BUF struct buf out = {0}, digits = {0};
    switch (json_kind(value)) {
    case JSON_STRING:
        return fn(user, json_as_str(value), json_as_str_len(value), &out) ? json_string_new_n(out.data, out.len)
                                                                          : json_ref(value);
    case JSON_INT:
    case JSON_DOUBLE: /* a secret of digits that went through a number */
        json_print(value, &digits);
        return fn(user, digits.data, digits.len, &out) ? json_string_new(MASK_TEXT) : json_ref(value);
    case JSON_ARRAY:
        return hide_array(value, fn, user);
    case JSON_OBJECT:
        return hide_object(value, fn, user);
    default:
        return json_ref(value);
    }
}

static bool hide_secrets(const void *user, const char *text, size_t size, struct buf *out)
{
    return mask_text(user, text, size, out);
}

static bool hide_beginnings(const void *user, const char *text, size_t size, struct buf *out)
{
    return hide_marked(user, text, size, true, out);
}

struct json *mask_json(const struct mask *mask, const struct json *value)
{
    return mask->count == 0 ? json_ref(value) : hide(value, hide_secrets, mask);
}

void mask_replace(const struct mask *mask, struct json **value)
{
    if (mask->count == 0 || *value == NULL)
        return;
    struct json *hidden = mask_json(mask, *value);
    json_unref(*value);
    *value = hidden;
}

void mask_replace_lines(const struct mask *mask, struct json **lines)
{
    if (mask->count == 0 || *lines == NULL)
        return;
    struct json *hidden = hide(*lines, hide_beginnings, mask);
    json_unref(*lines);
    *lines = hidden;
}

void mask_error(const struct mask *mask, struct error *error)
{
    AUTO_BUF struct buf out = {0};
    if (!hide_marked(mask, error->message, strlen(error->message), true, &out))
        return;
    struct error hidden = {0};
    (void)error_set(&hidden, error->code, NULL, "%s", buf_str(&out)); /* cut at a character's boundary */
    memcpy(error->message, hidden.message, sizeof error->message);
}

/* ---- passwords that were typed into a configuration */

/* Of scheme://user:password@host from `at` on, where :// stands: the password's place. */
static bool find_url_password(const char *at, const char *end, const char **ret_from, const char **ret_until)
{
    const char *authority = at + 3, *until = authority, *colon = NULL, *sign = NULL;
    while (until < end && (unsigned char)*until > ' ' && strchr("/?#\"'<>", *until) == NULL)
        until++;
    for (const char *c = authority; c < until; c++) {
        if (*c == ':' && colon == NULL)
            colon = c;
        if (*c == '@')
            sign = c;
    }
    if (colon == NULL || sign == NULL || colon + 1 >= sign)
        return false;
    *ret_from = colon + 1;
    *ret_until = sign;
    return true;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Of `password = value` or `password='value'` from `at` on, where the word stands. */
static bool find_word_password(const char *at, const char *end, const char **ret_from, const char **ret_until)
{
    const char *c = skip_blanks(at + 8, end);
    if (c == end || *c != '=')
        return false;
    c = skip_blanks(c + 1, end);
    char quote = c < end && (*c == '\'' || *c == '"') ? *c++ : '\0';
    const char *from = c;
    while (c < end && (quote != '\0' ? *c != quote : ((unsigned char)*c > ' ' && *c != '&' && *c != ';'))) {
        if (*c == '\\' && c + 1 < end)
            c++;
        c++;
    }
    *ret_from = from;
    *ret_until = c < end ? c : end;
    return from < c;
}

static bool find_password(const char *at, const char *end, const char **ret_from, const char **ret_until)
{
    size_t left = (size_t)(end - at);
    return (left > 3 && memcmp(at, "://", 3) == 0 && find_url_password(at, end, ret_from, ret_until)) ||
           (left > 9 && strncasecmp(at, "password", 8) == 0 && find_word_password(at, end, ret_from, ret_until));
}

bool mask_passwords(const char *text, size_t size, struct buf *out)
{
    const char *end = text + size, *copied = text;
    for (const char *at = text; at < end; at++) {
        const char *from, *until;
        if (!find_password(at, end, &from, &until))
            continue;
        buf_add(out, copied, (size_t)(from - copied));
        buf_add_str(out, MASK_TEXT);
        copied = until;
        at = until - 1;
    }
    if (copied == text)
        return false;
    buf_add(out, copied, (size_t)(end - copied));
    return true;
}

static bool hide_passwords(const void *user, const char *text, size_t size, struct buf *out)
{
    (void)user;
    return mask_passwords(text, size, out);
}

struct json *mask_json_passwords(const struct json *value)
{
    return hide(value, hide_passwords, NULL);
}

/* ---- the password inside a secret */

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 0x20);
    return at == NULL ? -1 : (int)(at - digits);
}

static void add_part(struct mask *mask, const char *from, const char *until)
{
    AUTO_BUF struct buf decoded = {0};
    if ((size_t)(until - from) >= MASK_ENCODED_MIN)
        mask_add(mask, from, (size_t)(until - from));
    for (const char *at = from; at < until; at++) {
        int high = *at == '%' && until - at > 2 ? digit_of(at[1]) : -1, low = high < 0 ? -1 : digit_of(at[2]);
        buf_add_char(&decoded, low < 0 ? *at : (char)(high * 16 + low));
        at += low < 0 ? 0 : 2;
    }
    if (decoded.len >= MASK_ENCODED_MIN)
        mask_add(mask, decoded.data, decoded.len);
    if (decoded.data != NULL)
        explicit_bzero(decoded.data, decoded.cap);
}

void mask_add_secret(struct mask *mask, const char *secret, size_t size)
{
    size_t former = mask->count;
    const char *end = secret + size;
    mask_add(mask, secret, size);
    for (const char *at = secret; at < end && mask->count != former; at++) {
        const char *from, *until;
        if (find_password(at, end, &from, &until)) {
            add_part(mask, from, until);
            at = until - 1;
        }
    }
}

/* ---- what a field table calls secret */

static struct json *hide_text(const struct field *field, const struct json *value)
{
    const char *text = json_as_str(value);
    if (text == NULL || *text == '\0')
        return json_ref(value);
    bool is_address =
        (field->widget != NULL && strcmp(field->widget, "connection") == 0) || strstr(text, "://") != NULL;
    return is_address ? mask_json_passwords(value) : json_string_new(MASK_TEXT);
}

static bool has_secrets(const struct field *fields)
{
    for (; fields != NULL && fields->name != NULL; fields++)
        if (fields->secret || (fields->kind == FIELD_OBJECT && has_secrets(fields->fields)))
            return true;
    return false;
}

/* The members that the table describes; yours. */
static struct json *hide_fields(const struct field *fields, const struct json *config)
{
    struct json *copy = NULL;
    for (; fields->name != NULL && json_is(config, JSON_OBJECT); fields++) {
        const struct json *value = json_get(config, fields->name);
        struct json *hidden = fields->secret ? hide_text(fields, value)
                              : fields->kind == FIELD_OBJECT && has_secrets(fields->fields)
                                  ? hide_fields(fields->fields, value)
                                  : json_ref(value);
        if (hidden == value) {
            json_unref(hidden);
            continue;
        }
        if (copy == NULL)
            copy = copy_before(config, SIZE_MAX);
        json_set(copy, fields->name, hidden);
    }
    return copy == NULL ? json_ref(config) : copy;
}

struct json *mask_json_fields(const struct field *fields, const struct json *config)
{
    if (!has_secrets(fields))
        return json_ref(config);
    AUTO_JSON struct json *hidden = hide_fields(fields, config);
    return mask_json_passwords(hidden);
}
