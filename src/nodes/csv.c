/* Reading and writing CSV. */
#include "nodes/csv.h"

#include "base/mem.h"
#include "nodes/value.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 1000

struct reader {
    const char *at, *end;
    const struct csv_options *options;
    size_t line;
    struct buf cell;
    bool was_quoted;
};

static bool is_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t more = c < 0x80                 ? 0
                      : c >= 0xC2 && c <= 0xDF ? 1
                      : (c & 0xF0) == 0xE0     ? 2
                      : c >= 0xF0 && c <= 0xF4 ? 3
                                               : 9;
        if (more == 9 || more >= len - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if (((unsigned char)text[i + k] & 0xC0) != 0x80)
                return false;
        i += 1 + more;
    }
    return true;
}

static enum err read_quoted(struct reader *reader, struct error *reterr)
{
    size_t first = reader->line;
    for (reader->at++; reader->at < reader->end; reader->at++) {
        if (*reader->at == '"') {
            reader->at++;
            if (reader->at == reader->end || *reader->at != '"')
                return ERR_OK;
        }
        reader->line += *reader->at == '\n';
        buf_add_char(&reader->cell, *reader->at);
    }
    return error_set(reterr, ERR_NODE, NULL, "The CSV text is broken: the quote opened in line %zu is never closed.",
                     first);
}

/* One cell; *ret_last when the row ends with it. */
static enum err read_cell(struct reader *reader, bool *ret_last, struct error *reterr)
{
    buf_clear(&reader->cell);
    reader->was_quoted = reader->at < reader->end && *reader->at == '"';
    if (reader->was_quoted) {
        enum err code = read_quoted(reader, reterr);
        if (code != ERR_OK)
            return code;
    } else {
        const char *from = reader->at;
        while (reader->at < reader->end && *reader->at != reader->options->delimiter && *reader->at != '\n' &&
               *reader->at != '\r')
            reader->at++;
        buf_add(&reader->cell, from, (size_t)(reader->at - from));
    }
    *ret_last = true;
    if (reader->at == reader->end)
        return ERR_OK;
    if (*reader->at == reader->options->delimiter) {
        *ret_last = false;
    } else if (*reader->at == '\r' && reader->at + 1 < reader->end && reader->at[1] == '\n') {
        reader->at++;
    } else if (*reader->at != '\n' && *reader->at != '\r') {
        return error_set(reterr, ERR_NODE, NULL, "The CSV text is broken: line %zu has text after a closing quote.",
                         reader->line);
    }
    reader->line += *ret_last;
    reader->at++;
    return ERR_OK;
}

static struct json *cell_value(const struct reader *reader)
{
    const char *text = buf_str(&reader->cell);
    size_t len = reader->cell.len;
    if (!reader->options->numbers || reader->was_quoted || len == 0 || len > 24 ||
        (*text != '-' && (*text < '0' || *text > '9')))
        return json_string_new_n(text, len);
    struct json *number = NULL;
    if (json_parse(text, len, &number, NULL) != ERR_OK)
        return json_string_new_n(text, len);
    AUTO_FREE char *again = json_dup_text(number); /* a number must print as it was read */
    if (json_is_number(number) && strcmp(again, text) == 0)
        return number;
    json_unref(number);
    return json_string_new_n(text, len);
}

/* The header, or names by number; the first row is then read again. */
static enum err read_columns(struct reader *reader, struct json *columns, struct error *reterr)
{
    struct reader start = *reader;
    for (bool last = reader->at == reader->end; !last;) {
        enum err code = read_cell(reader, &last, reterr);
        if (code != ERR_OK)
            return code;
        if (json_count(columns) == COLUMNS_MAX)
            return error_set(reterr, ERR_LIMIT, NULL, "The CSV text has more than %d columns.", COLUMNS_MAX);
        char name[32];
        (void)snprintf(name, sizeof name, "column%zu", json_count(columns) + 1);
        bool named = reader->options->has_header && reader->cell.len > 0;
        json_push(columns, named ? json_string_new_n(buf_str(&reader->cell), reader->cell.len) : json_string_new(name));
    }
    if (!reader->options->has_header) {
        start.cell = reader->cell;
        *reader = start;
    }
    return ERR_OK;
}

static enum err read_row(struct reader *reader, const struct json *columns, struct json *rows, struct error *reterr)
{
    size_t line = reader->line, i = 0;
    struct json *row = json_object_new();
    enum err code = ERR_OK;
    bool blank = false;
    for (bool last = false; !last && code == ERR_OK; i++) {
        code = read_cell(reader, &last, reterr);
        if (code != ERR_OK)
            break;
        blank = i == 0 && last && reader->cell.len == 0 && !reader->was_quoted;
        if (blank)
            break;
        if (i >= json_count(columns))
            code = error_set(reterr, ERR_NODE, NULL, "The CSV text is broken: line %zu has more than %zu cells.", line,
                             json_count(columns));
        else
            json_set(row, json_as_str(json_at(columns, i)), cell_value(reader));
    }
    if (code == ERR_OK && !blank && json_count(rows) == reader->options->max_rows)
        code = error_set(reterr, ERR_LIMIT, NULL, "The CSV text has more than %zu rows.", reader->options->max_rows);
    if (code != ERR_OK || blank) {
        json_unref(row);
        return code;
    }
    json_push(rows, row);
    return ERR_OK;
}

enum err csv_parse(const char *text, size_t len, const struct csv_options *options, struct json **ret_rows,
                   struct json **ret_columns, struct error *reterr)
{
    if (!is_utf8(text, len))
        return error_set(reterr, ERR_NODE, NULL, "The CSV text is no valid UTF-8; convert it first.");
    size_t mark = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    struct reader reader = {.at = text + mark, .end = text + len, .options = options, .line = 1};
    buf_init(&reader.cell, 0);
    struct json *rows = json_array_new(), *columns = json_array_new();
    enum err code = read_columns(&reader, columns, reterr);
    while (code == ERR_OK && reader.at < reader.end)
        code = read_row(&reader, columns, rows, reterr);
    buf_done(&reader.cell);
    if (code != ERR_OK) {
        json_unref(rows);
        json_unref(columns);
        return code;
    }
    *ret_rows = rows;
    *ret_columns = columns;
    return ERR_OK;
}

static void add_cell(struct buf *out, const char *text, size_t len, char delimiter)
{
    bool quote = false;
    for (size_t i = 0; i < len && !quote; i++)
        quote = text[i] == delimiter || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (!quote) {
        buf_add(out, text, len);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text[i]);
    }
    buf_add_char(out, '"');
}

static void add_value(struct buf *out, const struct json *value, char delimiter)
{
    struct buf text;
    if (value == NULL)
        return;
    buf_init(&text, 0);
    if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY))
        json_print(value, &text);
    else
        value_add_text(&(struct value){.present = true, .json = value}, &text);
    add_cell(out, buf_str(&text), text.len, delimiter);
    buf_done(&text);
}

enum err csv_format(const struct json *rows, char delimiter, struct buf *out, struct error *reterr)
{
    AUTO_JSON struct json *columns = json_object_new();
    struct json_iter column;
    size_t n = json_count(rows), place = 0;
    for (size_t i = 0; i < n; i++) {
        if (!json_is(json_at(rows, i), JSON_OBJECT)) {
            char field[64];
            (void)snprintf(field, sizeof field, "data[%zu]", i);
            return error_set(reterr, ERR_VALIDATION, field, "%s must be an object to be a row, not %s.", field,
                             json_kind_name(json_at(rows, i)));
        }
        JSON_EACH(json_at(rows, i), column) json_set(columns, column.key, NULL);
    }
    JSON_EACH(columns, column)
    {
        if (place++ > 0)
            buf_add_char(out, delimiter);
        add_cell(out, column.key, strlen(column.key), delimiter);
    }
    if (place > 0)
        buf_add_str(out, "\r\n");
    for (size_t i = 0; i < n && place > 0; i++) {
        bool first = true;
        JSON_EACH(columns, column)
        {
            if (!first)
                buf_add_char(out, delimiter);
            first = false;
            add_value(out, json_get(json_at(rows, i), column.key), delimiter);
        }
        buf_add_str(out, "\r\n");
    }
    return ERR_OK;
}
