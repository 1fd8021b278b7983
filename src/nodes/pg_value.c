/* PostgreSQL's text format to JSON and back. */
#include "nodes/pg_value.h"

#include "base/clock.h"
#include "base/mem.h"
#include "nodes/value.h"
#include <libpq-fe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct json *(*decode_fn)(const char *text, size_t len);

static struct json *decode_text(const char *text, size_t len)
{
    return json_string_new_n(text, len);
}

static struct json *decode_int(const char *text, size_t len)
{
    (void)len;
    return json_int_new(strtoll(text, NULL, 10));
}

static struct json *decode_float(const char *text, size_t len)
{
    (void)len;
    double n = strtod(text, NULL);
    return isfinite(n) ? json_double_new(n) : NULL; /* JSON has no NaN and no Infinity */
}

static struct json *decode_bool(const char *text, size_t len)
{
    (void)len;
    return json_bool_new(*text == 't');
}

static struct json *decode_json(const char *text, size_t len)
{
    struct json *value = NULL;
    if (json_parse(text, len, &value, NULL) != ERR_OK) /* deeper than our limit */
        return json_string_new_n(text, len);
    return value;
}

static struct json *decode_bytea(const char *text, size_t len)
{
    (void)len;
    size_t n = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)text, &n); /* hex and escape format */
    if (bytes == NULL)
        abort();
    struct json *buffer = json_object_new(), *data = json_array_new();
    for (size_t i = 0; i < n; i++)
        json_push(data, json_int_new(bytes[i]));
    PQfreemem(bytes);
    json_set_str(buffer, "type", "Buffer");
    json_set(buffer, "data", data);
    return buffer;
}

/* +00, +05:30, -03:30:15 as seconds east of UTC. */
static bool parse_offset(const char *text, long *ret)
{
    int h = 0, m = 0, s = 0;
    if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d:%2d", &h, &m, &s) < 1)
        return false;
    *ret = (*text == '-' ? -1L : 1L) * (h * 3600L + m * 60 + s);
    return true;
}

/* date, timestamp, timestamptz in ISO style. Without zone they are in the process's local zone (api-contract 4.1). */
static struct json *decode_time(const char *text, size_t len)
{
    struct tm tm = {.tm_isdst = -1};
    int year = 0, used = 0, more = 0;
    if (strcmp(text, "infinity") == 0 || strcmp(text, "-infinity") == 0)
        return NULL; /* JavaScript's Infinity, null in JSON */
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &tm.tm_mon, &tm.tm_mday, &used) != 3 || used != 10 ||
        strstr(text, "BC") != NULL)
        return json_string_new_n(text, len); /* outside of the years 1 to 9999: as it is */
    tm.tm_year = year - 1900;
    tm.tm_mon--;
    const char *rest = text + used;
    int64_t ms = 0;
    if (*rest == ' ' && sscanf(rest, " %2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &more) == 3) {
        rest += more;
        if (*rest == '.') {
            int scale = 100;
            for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
                ms += (*rest - '0') * scale;
        }
    }
    long offset = 0;
    time_t seconds;
    if (parse_offset(rest, &offset))
        seconds = timegm(&tm) - offset;
    else
        seconds = mktime(&tm);
    char iso[ISO_TEXT_BYTES];
    clock_format_iso((int64_t)seconds * 1000 + ms, iso);
    return json_string_new(iso);
}

static void set_part(struct json *object, const char *name, double value)
{
    if (value != 0)
        json_set(object, name, floor(value) == value ? json_int_new((int64_t)value) : json_double_new(value));
}

/* 1 year 2 mons -3 days 04:05:06.789 -> {years, months, days, hours, minutes, seconds, milliseconds}, zeros left out.
 */
static struct json *decode_interval(const char *text, size_t len)
{
    struct json *parts = json_object_new();
    (void)len;
    for (const char *at = text; *at != '\0';) {
        char unit[16];
        int n = 0, used = 0, hours, minutes;
        double seconds;
        if (strcspn(at, " ") > strcspn(at, ":") && sscanf(at, "%*[+-]%n", &used) >= 0) {
            double sign = *at == '-' ? -1 : 1;
            if (sscanf(at + (*at == '-' || *at == '+'), "%d:%d:%lf", &hours, &minutes, &seconds) == 3) {
                set_part(parts, "hours", sign * hours);
                set_part(parts, "minutes", sign * minutes);
                set_part(parts, "seconds", sign * floor(seconds));
                set_part(parts, "milliseconds", sign * round((seconds - floor(seconds)) * 1e6) / 1e3);
            }
            break;
        }
        if (sscanf(at, "%d %15[a-z]%n", &n, unit, &used) != 2)
            break;
        set_part(parts, strncmp(unit, "year", 4) == 0 ? "years" : strncmp(unit, "mon", 3) == 0 ? "months" : "days", n);
        at += used + (at[used] == ' ');
    }
    return parts;
}

static struct json *decode_point(const char *text, size_t len)
{
    double x, y;
    if (sscanf(text, "(%lf,%lf)", &x, &y) != 2)
        return json_string_new_n(text, len);
    struct json *point = json_object_new();
    json_set_double(point, "x", x);
    json_set_double(point, "y", y);
    return point;
}

/* The built-in OIDs, which never change (pg_type.dat). `array`: of the array of it. */
static const struct {
    unsigned oid, array;
    decode_fn decode;
} types[] = {
    {16, 1000, decode_bool},   {17, 1001, decode_bytea},      {20, 1016, decode_text},   {21, 1005, decode_int},
    {23, 1007, decode_int},    {26, 1028, decode_int},        {25, 1009, decode_text},   {18, 1002, decode_text},
    {19, 1003, decode_text},   {114, 199, decode_json},       {3802, 3807, decode_json}, {600, 1017, decode_point},
    {700, 1021, decode_float}, {701, 1022, decode_float},     {790, 791, decode_text},   {1042, 1014, decode_text},
    {1043, 1015, decode_text}, {1082, 1182, decode_time},     {1083, 1183, decode_text}, {1114, 1115, decode_time},
    {1184, 1185, decode_time}, {1186, 1187, decode_interval}, {1266, 1270, decode_text}, {1700, 1231, decode_text},
    {2950, 2951, decode_text}, {869, 1041, decode_text},      {650, 651, decode_text},   {829, 1040, decode_text},
    {3904, 3905, decode_text}, {3906, 3907, decode_text},
};

/* One element of an array literal up to , or }; NULL stands for null unless quoted. */
static const char *decode_element(const char *at, decode_fn decode, struct json *list)
{
    struct buf text;
    buf_init(&text, 0);
    bool quoted = *at == '"';
    at += quoted;
    while (*at != '\0' && (quoted ? *at != '"' : *at != ',' && *at != '}')) {
        at += *at == '\\' && at[1] != '\0';
        buf_add_char(&text, *at++);
    }
    at += quoted && *at == '"';
    bool is_null = !quoted && strcmp(buf_str(&text), "NULL") == 0;
    json_push(list, is_null ? NULL : decode(buf_str(&text), text.len));
    buf_done(&text);
    return at;
}

/* {1,{2,3}} or [2:3]={1,2}; `open` lists are on a small stack, PostgreSQL has at most 6 dimensions. */
static struct json *decode_array(const char *text, decode_fn decode)
{
    struct json *open[8];
    int depth = 0;
    const char *at = *text == '[' ? strchr(text, '{') : text;
    struct json *root = NULL;
    while (at != NULL && *at != '\0') {
        if (*at == '{' && depth < 8) {
            struct json *list = json_array_new();
            if (depth > 0)
                json_push(open[depth - 1], list);
            else if (root == NULL)
                root = list;
            open[depth++] = list;
            at++;
        } else if (depth == 0) {
            break;
        } else if (*at == '}') {
            depth--;
            at++;
        } else if (*at == ',') {
            at++;
        } else {
            at = decode_element(at, decode, open[depth - 1]);
        }
    }
    return root != NULL ? root : json_array_new();
}

struct json *pg_value_decode(unsigned type_oid, const char *text, size_t len)
{
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].oid == type_oid)
            return types[i].decode(text, len);
        if (types[i].array == type_oid)
            return decode_array(text, types[i].decode);
    }
    return decode_text(text, len);
}

static void add_escaped(struct buf *out, const char *text, size_t n)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, text[i]);
    }
    buf_add_char(out, '"');
}

static void add_scalar(struct buf *out, const struct json *value)
{
    if (json_is(value, JSON_OBJECT))
        json_print(value, out);
    else
        value_add_text(&(struct value){.present = true, .json = value}, out);
}

static void add_array(struct buf *out, const struct json *list)
{
    buf_add_char(out, '{');
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        const struct json *element = json_at(list, i);
        if (i > 0)
            buf_add_char(out, ',');
        if (element == NULL) {
            buf_add_str(out, "NULL");
        } else if (json_is(element, JSON_ARRAY)) {
            add_array(out, element);
        } else {
            struct buf text;
            buf_init(&text, 0);
            add_scalar(&text, element);
            add_escaped(out, buf_str(&text), text.len);
            buf_done(&text);
        }
    }
    buf_add_char(out, '}');
}

enum err pg_value_encode(const struct json *value, const char *path, char **ret, struct error *reterr)
{
    *ret = NULL;
    if (value == NULL)
        return ERR_OK;
    struct buf text;
    buf_init(&text, 0);
    if (json_is(value, JSON_ARRAY))
        add_array(&text, value);
    else
        add_scalar(&text, value);
    if (memchr(buf_str(&text), '\0', text.len) != NULL) {
        buf_done(&text);
        return error_set(reterr, ERR_VALIDATION, path,
                         "%s must not contain a NUL character: PostgreSQL cannot store it.", path);
    }
    *ret = buf_take(&text);
    return ERR_OK;
}
