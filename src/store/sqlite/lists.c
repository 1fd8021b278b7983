/* One page of a table, newest first, by page number or cursor. */
#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"
#include <stdlib.h>

static struct sqlite_value *add(struct sqlite_where *where, const char *condition)
{
    if ((size_t)where->count >= sizeof where->values / sizeof *where->values)
        abort(); /* conditions are written in this folder, never by a client */
    buf_add_str(&where->sql, where->sql.len == 0 ? " WHERE " : " AND ");
    buf_add_str(&where->sql, condition);
    return &where->values[where->count++];
}

void sqlite_where_text(struct sqlite_where *where, const char *condition, const char *value)
{
    *add(where, condition) = (struct sqlite_value){.is_text = true, .text = value};
}

void sqlite_where_number(struct sqlite_where *where, const char *condition, int64_t value)
{
    *add(where, condition) = (struct sqlite_value){.number = value};
}

static enum err bind_all(struct store_session *s, sqlite3_stmt *statement, const struct sqlite_where *where,
                         struct error *reterr)
{
    for (int i = 0; i < where->count; i++) {
        const struct sqlite_value *value = &where->values[i];
        int status = value->is_text ? sqlite3_bind_text(statement, i + 1, value->text, -1, SQLITE_STATIC)
                                    : sqlite3_bind_int64(statement, i + 1, value->number);
        if (status != SQLITE_OK)
            return sqlite_error(sqlite_of(s)->db, reterr);
    }
    return ERR_OK;
}

static enum err count_all(struct store_session *s, const char *table, const struct sqlite_where *where, int64_t *ret,
                          struct error *reterr)
{
    AUTO_FREE char *sql = mem_printf("SELECT count(*) FROM %s%s", table, buf_str(&where->sql));
    AUTO_FINALIZE sqlite3_stmt *statement = NULL;
    bool row = false;
    enum err code = sqlite_prepare(s, sql, &statement, reterr);
    if (code == ERR_OK)
        code = bind_all(s, statement, where, reterr);
    if (code == ERR_OK)
        code = sqlite_step(s, statement, &row, reterr);
    if (code == ERR_OK)
        *ret = sqlite3_column_int64(statement, 0);
    return code;
}

/* One row more than asked for tells whether there is a next page. */
static enum err read_page(struct store_session *s, const struct sqlite_list *list, sqlite3_stmt *statement,
                          const struct store_page *page, int64_t total, struct json **ret, struct error *reterr)
{
    struct json *rows = json_array_new();
    int64_t last_ms = 0, count = 0;
    char last_id[sizeof page->cursor_id] = "";
    for (;;) {
        bool row = false;
        enum err code = sqlite_step(s, statement, &row, reterr);
        if (code != ERR_OK) {
            json_unref(rows);
            return code;
        }
        if (!row || ++count > page->limit)
            break;
        last_ms = sqlite3_column_int64(statement, 0);
        (void)sqlite3_snprintf((int)sizeof last_id, last_id, "%s", sqlite_text(statement, 1));
        bool damaged = false;
        struct json *value = list->row(statement, &damaged);
        code = sqlite_decoded(value, damaged, list->noun, last_id, &value, reterr);
        if (code != ERR_OK) {
            json_unref(rows);
            return code;
        }
        json_push(rows, value);
    }
    *ret = store_page_answer(page, rows, total, last_ms, count > page->limit ? last_id : NULL);
    return ERR_OK;
}

enum err sqlite_list(struct store_session *s, const struct sqlite_list *list, struct sqlite_where *take_where,
                     const struct json *filter, struct json **ret, struct error *reterr)
{
    struct store_page page;
    int64_t total = 0;
    AUTO_FINALIZE sqlite3_stmt *statement = NULL;
    enum err code = store_page_parse(filter, &page, reterr);
    if (code == ERR_OK)
        code = count_all(s, list->table, take_where, &total, reterr);
    if (code == ERR_OK) {
        if (page.has_cursor) {
            AUTO_FREE char *after = mem_printf("(%s, id) < (?, ?)", list->sort_key);
            sqlite_where_number(take_where, after, page.cursor_ms);
            take_where->values[take_where->count++] = (struct sqlite_value){.is_text = true, .text = page.cursor_id};
        }
        AUTO_FREE char *sql =
            mem_printf("SELECT %s FROM %s%s ORDER BY %s DESC, id DESC LIMIT %lld OFFSET %lld", list->columns,
                       list->table, buf_str(&take_where->sql), list->sort_key, (long long)page.limit + 1,
                       page.has_cursor ? 0LL : (long long)((page.page - 1) * page.limit));
        code = sqlite_prepare(s, sql, &statement, reterr);
    }
    if (code == ERR_OK)
        code = bind_all(s, statement, take_where, reterr);
    if (code == ERR_OK)
        code = read_page(s, list, statement, &page, total, ret, reterr);
    buf_done(&take_where->sql);
    return code;
}
