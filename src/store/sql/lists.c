/* One page of a table, newest first, by page number or cursor. */
#include "store/sql/sql_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct sql_value *add(struct sql_where *where, const char *condition)
{
    if ((size_t)where->count >= sizeof where->values / sizeof *where->values)
        abort(); /* conditions are written in this folder, never by a client */
    buf_add_str(&where->sql, where->sql.len == 0 ? " WHERE " : " AND ");
    buf_add_str(&where->sql, condition);
    return &where->values[where->count++];
}

void sql_where_text(struct sql_where *where, const char *condition, const char *value)
{
    *add(where, condition) = (struct sql_value){.kind = SQL_TEXT, .text = value};
}

void sql_where_number(struct sql_where *where, const char *condition, int64_t value)
{
    *add(where, condition) = (struct sql_value){.kind = SQL_INT, .number = value};
}

/* Counting a million rows takes a database a tenth of a second and more, and nobody turns to page 50,000: beyond
 * STORE_COUNT_MAX the answer says that there are more. In order, so that an index leads and no whole table is read. */
static enum err count_anew(struct store_session *s, const char *sql, const struct sql_where *where, int64_t *ret,
                           struct error *reterr)
{
    AUTO_RESET struct sql_rows *rows = NULL;
    bool row = false;
    enum err code = sql_query_composed(s, &rows, reterr, sql, where->values, where->count);
    if (code == ERR_OK)
        code = sql_step(s, rows, &row, reterr);
    if (code == ERR_OK)
        *ret = sql_int(rows, 0);
    return code;
}

/* The question with its values; each text with its length, so that no two questions look alike. */
static char *key_of(const char *sql, const struct sql_where *where)
{
    struct buf key = {0};
    buf_add_str(&key, sql);
    for (int i = 0; i < where->count; i++) {
        const struct sql_value *value = &where->values[i];
        if (value->kind == SQL_TEXT)
            buf_printf(&key, " %zu:%s", strlen(value->text), value->text);
        else
            buf_printf(&key, " %" PRId64, value->number);
    }
    return buf_take(&key);
}

static enum err count_some(struct store_session *s, const struct sql_list *list, const struct sql_where *where,
                           int64_t *ret, struct error *reterr)
{
    AUTO_FREE char *sql =
        mem_printf("SELECT count(*) FROM (SELECT 1 FROM %s%s ORDER BY %s DESC, id DESC LIMIT %d) AS counted",
                   list->table, buf_str(&where->sql), list->sort_key, STORE_COUNT_MAX + 1);
    if (s->totals == NULL)
        return count_anew(s, sql, where, ret, reterr);
    AUTO_FREE char *key = key_of(sql, where);
    int64_t began_us = clock_monotonic_us();
    if (totals_find(s->totals, key, began_us, ret))
        return ERR_OK;
    enum err code = count_anew(s, sql, where, ret, reterr);
    int64_t now_us = clock_monotonic_us();
    if (code == ERR_OK)
        totals_keep(s->totals, key, *ret, totals_until_us(began_us, now_us));
    return code;
}

/* One row more than asked for tells whether there is a next page. */
static enum err read_page(struct store_session *s, const struct sql_list *list, struct sql_rows *statement,
                          const struct store_page *page, int64_t total, struct json **ret, struct error *reterr)
{
    struct json *rows = json_array_new();
    int64_t last_ms = 0, count = 0;
    char last_id[sizeof page->cursor_id] = "";
    for (;;) {
        bool row = false;
        enum err code = sql_step(s, statement, &row, reterr);
        if (code != ERR_OK) {
            json_unref(rows);
            return code;
        }
        if (!row || ++count > page->limit)
            break;
        last_ms = sql_int(statement, 0);
        sql_copy(statement, 1, last_id, sizeof last_id);
        bool damaged = false;
        struct json *value = list->row(statement, &damaged);
        code = sql_decoded(value, damaged, list->noun, last_id, &value, reterr);
        if (code != ERR_OK) {
            json_unref(rows);
            return code;
        }
        json_push(rows, value);
    }
    *ret = store_page_answer(page, rows, total, last_ms, count > page->limit ? last_id : NULL);
    return ERR_OK;
}

/* How many rows to ask for: one more than the page has. Few different numbers, so that their statements are prepared;
 * written into the text, since a plan without the number is for a tenth of the table. */
static int rows_asked(int64_t limit)
{
    static const int steps[] = {21, 51};
    size_t i = 0;
    while (i < sizeof steps / sizeof *steps && steps[i] <= limit)
        i++;
    return i < sizeof steps / sizeof *steps ? steps[i] : 101;
}

enum err sql_list(struct store_session *s, const struct sql_list *list, struct sql_where *take_where,
                  const struct json *filter, struct json **ret, struct error *reterr)
{
    struct store_page page;
    int64_t total = 0;
    AUTO_RESET struct sql_rows *statement = NULL;
    enum err code = store_page_parse(filter, &page, reterr);
    if (code == ERR_OK)
        code = count_some(s, list, take_where, &total, reterr);
    if (code == ERR_OK) {
        if (page.has_cursor) {
            AUTO_FREE char *after = mem_printf("(%s, id) < (?, ?)", list->sort_key);
            sql_where_number(take_where, after, page.cursor_ms);
            take_where->values[take_where->count++] = (struct sql_value){.kind = SQL_TEXT, .text = page.cursor_id};
        }
        int64_t before = page.has_cursor ? 0 : (page.page - 1) * page.limit;
        AUTO_FREE char *sql =
            mem_printf("SELECT %s FROM %s%s ORDER BY %s DESC, id DESC LIMIT %d OFFSET %" PRId64, list->columns,
                       list->table, buf_str(&take_where->sql), list->sort_key, rows_asked(page.limit), before);
        code = (before == 0 ? sql_query_composed : sql_query_once)(s, &statement, reterr, sql, take_where->values,
                                                                   take_where->count);
    }
    if (code == ERR_OK)
        code = read_page(s, list, statement, &page, total, ret, reterr);
    buf_done(&take_where->sql);
    return code;
}
