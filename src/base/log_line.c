/* Formats one event as a bounded line of JSON or text. */
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Kept free for the closing of a line: ,"truncated":true} and the newline. */
#define TAIL_BYTES 24

struct line {
    char *out;
    size_t len, max;
    bool full; /* an addition did not fit; the line is then as it was before the value began */
};

static void add(struct line *line, const char *bytes, size_t n)
{
    if (line->full || n > line->max - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->out + line->len, bytes, n);
    line->len += n;
}

static void add_str(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/* Writes the escaped form of the character at `bytes` and tells how many bytes it took. */
static size_t escape_character(enum log_format format, const char *bytes, size_t n, char out[16])
{
    static const char plain[] = "\"\\\n\r\t", letter[] = "\"\\nrt";
    uint32_t code_point = 0;
    size_t used = utf8_decode(bytes, n, &code_point);
    const char *special = used == 1 && code_point != 0 ? strchr(plain, (int)code_point) : NULL;
    if (used == 0)
        (void)snprintf(out, 16, format == LOG_FORMAT_JSON ? "\\\\x%02x" : "\\x%02x", (unsigned char)*bytes);
    else if (special != NULL)
        (void)snprintf(out, 16, "\\%c", letter[special - plain]);
    else if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x2028 ||
             code_point == 0x2029)
        (void)snprintf(out, 16, "\\u%04x", (unsigned)code_point);
    else
        (void)snprintf(out, 16, "%.*s", (int)used, bytes);
    return used == 0 ? 1 : used;
}

static size_t bounded_length(const char *bytes, size_t len)
{
    /* Nothing is read beyond what can be shown. */
    return len == SIZE_MAX ? strnlen(bytes, LOG_VALUE_BYTES + 1) : len;
}

static void add_escaped(struct line *line, enum log_format format, const char *bytes, size_t len)
{
    size_t n = bounded_length(bytes, len), shown = 0;
    for (size_t i = 0; i < n;) {
        char piece[16];
        size_t used = escape_character(format, bytes + i, n - i, piece), size = strlen(piece);
        if (shown + size > LOG_VALUE_BYTES) {
            add_str(line, "…");
            return;
        }
        add(line, piece, size);
        shown += size;
        i += used;
    }
}

/* Text values stay bare when nothing in them could be taken for something else. */
static bool is_bare(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)bytes[i] <= ' ' || strchr("\"=\\", bytes[i]) != NULL || (unsigned char)bytes[i] >= 0x7F)
            return false;
    return n > 0;
}

static void add_text(struct line *line, enum log_format format, const char *bytes, size_t len)
{
    if (bytes == NULL) {
        add_str(line, "null");
        return;
    }
    bool bare = format == LOG_FORMAT_TEXT && is_bare(bytes, bounded_length(bytes, len));
    add_str(line, bare ? "" : "\"");
    add_escaped(line, format, bytes, len);
    add_str(line, bare ? "" : "\"");
}

static void add_key(struct line *line, enum log_format format, const char *key)
{
    add_str(line, format == LOG_FORMAT_JSON ? ",\"" : " ");
    add_escaped(line, format, key, SIZE_MAX);
    add_str(line, format == LOG_FORMAT_JSON ? "\":" : "=");
}

static void add_pair(struct line *line, enum log_format format, const char *key, const char *text)
{
    add_key(line, format, key);
    add_text(line, format, text, SIZE_MAX);
}

static void add_field(struct line *line, enum log_format format, const struct log_field *field)
{
    char number[40] = "null"; /* stays so for NaN and infinity, which JSON does not have */
    if (field->kind == LOG_KIND_CAUSE) {
        add_pair(line, format, "code", error_id(field->value.cause->code));
        add_pair(line, format, "error", field->value.cause->message);
        if (field->value.cause->field[0] != '\0')
            add_pair(line, format, "field", field->value.cause->field);
        return;
    }
    add_key(line, format, field->key);
    if (field->kind == LOG_KIND_STR) {
        add_text(line, format, field->value.text.bytes, field->value.text.len);
        return;
    }
    if (field->kind == LOG_KIND_INT)
        (void)snprintf(number, sizeof number, "%" PRId64, field->value.integer);
    else if (field->kind == LOG_KIND_UINT)
        (void)snprintf(number, sizeof number, "%" PRIu64, field->value.natural);
    else if (field->kind == LOG_KIND_BOOL)
        (void)snprintf(number, sizeof number, "%s", field->value.truth ? "true" : "false");
    else if (isfinite(field->value.number))
        (void)snprintf(number, sizeof number, "%.15g", field->value.number);
    add_str(line, number);
}

static void add_head(struct line *line, enum log_format format, int64_t now_ms, enum log_level level,
                     const char *service, const char *instance, const char *message)
{
    char time[ISO_TEXT_BYTES];
    clock_format_iso(now_ms, time);
    if (format == LOG_FORMAT_JSON) {
        add_str(line, "{\"time\":\"");
        add_str(line, time);
        add_str(line, "\"");
        add_pair(line, format, "level", log_level_name(level));
        add_pair(line, format, "service", service);
        if (instance != NULL)
            add_pair(line, format, "instance", instance);
        add_pair(line, format, "message", message);
        return;
    }
    char start[ISO_TEXT_BYTES + 16];
    (void)snprintf(start, sizeof start, "%s %-5s ", time, log_level_name(level));
    add_str(line, start);
    add_escaped(line, format, service, SIZE_MAX);
    add_str(line, ": ");
    add_escaped(line, format, message == NULL ? "" : message, SIZE_MAX);
}

size_t log_line_format(enum log_format format, int64_t now_ms, enum log_level level, const char *service,
                       const char *instance, const char *message, const struct log_field *fields,
                       char out[LOG_LINE_BYTES + 1])
{
    struct line line = {.out = out, .max = LOG_LINE_BYTES - TAIL_BYTES};
    bool truncated = false;
    add_head(&line, format, now_ms, level, service, instance, message);
    for (const struct log_field *field = fields; field->kind != LOG_KIND_END; field++) {
        size_t before = line.len;
        add_field(&line, format, field);
        if (line.full) { /* whole fields only: a smaller one may still fit */
            line.len = before;
            line.full = false;
            truncated = true;
        }
    }
    line.max = LOG_LINE_BYTES;
    if (truncated)
        add_str(&line, format == LOG_FORMAT_JSON ? ",\"truncated\":true" : " truncated=true");
    add_str(&line, format == LOG_FORMAT_JSON ? "}\n" : "\n");
    out[line.len] = '\0';
    return line.len;
}
