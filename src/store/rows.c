/* What every back end needs to turn rows into documents: names, pages, times, search. */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

/* Rows hold these numbers: they may never change. */
_Static_assert(RUN_PENDING == 0 && RUN_RUNNING == 1 && RUN_PAUSED == 2 && RUN_SUCCESS == 3 && RUN_FAILED == 4 &&
                   RUN_CANCELLED == 5 && RUN_TIMEOUT == 6,
               "stored status numbers");

static const char *const status_names[] = {"pending", "running", "paused", "success", "failed", "cancelled", "timeout"};

const char *store_status_name(int status)
{
    return status >= 0 && status <= RUN_TIMEOUT ? status_names[status] : "failed";
}

int store_status_parse(const char *name)
{
    for (int i = 0; name != NULL && i <= RUN_TIMEOUT; i++)
        if (strcmp(name, status_names[i]) == 0)
            return i;
    return -1;
}

/* ---- cursors: unpadded base64url of "<ms>,<id>" */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode_base64(const char *text, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;
        bits |= i + 1 < n ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < n ? (unsigned)(unsigned char)text[i + 2] : 0;
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        if (i + 1 < n)
            *out++ = alphabet[bits >> 6 & 63];
        if (i + 2 < n)
            *out++ = alphabet[bits & 63];
    }
    *out = '\0';
}

/* Returns the bytes written, or -1. */
static int decode_base64(const char *text, char *out, size_t cap)
{
    unsigned bits = 0, have = 0;
    size_t n = 0;
    for (; *text != '\0'; text++) {
        const char *at = strchr(alphabet, *text);
        if (at == NULL || n + 1 >= cap)
            return -1;
        bits = bits << 6 | (unsigned)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 255);
        }
    }
    out[n] = '\0';
    return (int)n;
}

static enum err parse_cursor(const char *text, struct store_page *page, struct error *reterr)
{
    char plain[STORE_ID_BYTES + 32];
    int n = strlen(text) > 2 * sizeof plain ? -1 : decode_base64(text, plain, sizeof plain);
    char *comma = n > 0 ? strchr(plain, ',') : NULL;
    char *end = NULL;
    errno = 0;
    if (comma != NULL)
        page->cursor_ms = strtoll(plain, &end, 10);
    if (comma == NULL || end != comma || end == plain || errno != 0 || strlen(plain) != (size_t)n || comma[1] == '\0' ||
        strlen(comma + 1) >= sizeof page->cursor_id)
        return error_set(reterr, ERR_VALIDATION, "cursor",
                         "The cursor is not one that a former page gave as nextCursor.");
    memcpy(page->cursor_id, comma + 1, strlen(comma + 1) + 1);
    page->has_cursor = true;
    return ERR_OK;
}

/* A whole number, as a number or as the text of a query parameter. */
static enum err parse_count(const struct json *filter, const char *key, int64_t max, int64_t *ret, struct error *reterr)
{
    const struct json *value = json_get(filter, key);
    if (value == NULL)
        return ERR_OK;
    int64_t number = 0;
    bool good = json_is(value, JSON_INT);
    if (good) {
        number = json_as_int(value);
    } else if (json_is(value, JSON_STRING)) {
        char *end = NULL;
        errno = 0;
        number = strtoll(json_as_str(value), &end, 10);
        good = errno == 0 && end != json_as_str(value) && *end == '\0';
    }
    if (!good || number < 1 || number > max)
        return error_set(reterr, ERR_VALIDATION, key, "%s must be a whole number from 1 to %" PRId64 ".", key, max);
    *ret = number;
    return ERR_OK;
}

enum err store_page_parse(const struct json *filter, struct store_page *ret, struct error *reterr)
{
    *ret = (struct store_page){.limit = 20, .page = 1};
    enum err code = parse_count(filter, "limit", 100, &ret->limit, reterr);
    if (code == ERR_OK)
        code = parse_count(filter, "page", 1000000000, &ret->page, reterr);
    const struct json *cursor = json_get(filter, "cursor");
    if (code != ERR_OK || cursor == NULL)
        return code;
    if (!json_is(cursor, JSON_STRING))
        return error_set(reterr, ERR_VALIDATION, "cursor",
                         "The cursor must be a text that a former page gave as nextCursor.");
    return parse_cursor(json_as_str(cursor), ret, reterr);
}

struct json *store_page_answer(const struct store_page *page, struct json *take_rows, int64_t total, int64_t next_ms,
                               const char *next_id)
{
    struct json *answer = json_object_new(), *pagination = json_object_new();
    json_set(answer, "data", take_rows);
    json_set_int(pagination, "page", page->page);
    json_set_int(pagination, "limit", page->limit);
    json_set_bool(pagination, "totalIsExact", total <= STORE_COUNT_MAX);
    total = total > STORE_COUNT_MAX ? STORE_COUNT_MAX : total;
    json_set_int(pagination, "total", total);
    json_set_int(pagination, "totalPages", (total + page->limit - 1) / page->limit);
    char plain[STORE_ID_BYTES + 32], cursor[2 * sizeof plain];
    if (next_id != NULL) {
        int n = snprintf(plain, sizeof plain, "%" PRId64 ",%s", next_ms, next_id);
        encode_base64(plain, (size_t)n < sizeof plain ? (size_t)n : sizeof plain - 1, cursor);
    }
    json_set_str(pagination, "nextCursor", next_id == NULL ? NULL : cursor);
    json_set(answer, "pagination", pagination);
    return answer;
}

/* ---- times */

enum err store_time_parse(const struct json *object, const char *key, int64_t otherwise, int64_t *ret,
                          struct error *reterr)
{
    const struct json *value = json_get(object, key);
    *ret = otherwise;
    if (value == NULL)
        return ERR_OK;
    if (!json_is(value, JSON_STRING) || clock_parse_iso(json_as_str(value), ret) != 0)
        return error_set(reterr, ERR_VALIDATION, key,
                         "%s must be an ISO 8601 date and time such as 2025-01-02T03:04:05.678Z.", key);
    return ERR_OK;
}

void store_set_time(struct json *object, const char *key, int64_t ms)
{
    char text[ISO_TEXT_BYTES];
    if (ms > 0)
        clock_format_iso(ms, text);
    json_set_str(object, key, ms > 0 ? text : NULL);
}

/* ---- search */

static unsigned next_code_point(const unsigned char **at)
{
    const unsigned char *p = *at;
    unsigned lead = *p++, n = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    unsigned code = n == 3 ? lead & 7 : n == 2 ? lead & 15 : n == 1 ? lead & 31 : lead;
    for (; n > 0 && (*p & 0xC0) == 0x80; n--)
        code = code << 6 | (*p++ & 63u);
    *at = p;
    return code;
}

static locale_t locale_utf8;

/* The process's own locale may know ASCII only. */
__attribute__((constructor)) static void load_locale(void)
{
    locale_utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

__attribute__((destructor)) static void free_locale(void)
{
    if (locale_utf8 != (locale_t)0)
        freelocale(locale_utf8);
}

static unsigned fold(unsigned code)
{
    if (code < 128)
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    return locale_utf8 == (locale_t)0 ? code : (unsigned)towlower_l((wint_t)code, locale_utf8);
}

static bool starts_with(const unsigned char *text, const unsigned char *part)
{
    while (*part != '\0') {
        if (*text == '\0' || fold(next_code_point(&text)) != fold(next_code_point(&part)))
            return false;
    }
    return true;
}

bool store_text_contains(const char *text, const char *part)
{
    const unsigned char *at = (const unsigned char *)text, *sought = (const unsigned char *)part;
    if (*sought == '\0')
        return true;
    for (; *at != '\0'; (void)next_code_point(&at))
        if (starts_with(at, sought))
            return true;
    return false;
}
