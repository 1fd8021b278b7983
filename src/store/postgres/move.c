/* Moves all data from SQLite to PostgreSQL. Rows are copied table by table in the order of their keys, so that the
 * greatest key that the target holds says where an interrupted move goes on. */
#include "store/postgres/move_int.h"

#include "base/digest.h"
#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH_ROWS = 500,
    BATCH_BYTES = 4 << 20, /* a batch ends with the row that reaches it */
    PAGE_ROWS = 100,       /* read from PostgreSQL at a time */
    DAYS_MOST = 400        /* that get partitions of their own; what is older goes to the default one */
};

struct row {
    struct row *next;
    struct sql_value values[MOVE_COLUMNS_MAX];
};

struct move {
    const struct store_move_options *options;
    struct store_session *from; /* one snapshot for all */
    bool done_before;           /* everything was copied and compared by an earlier run */
};

/* ---- reading, the same on both sides */

static int column_count(const struct move_table *table)
{
    return (int)strlen(table->kinds);
}

/* Borrowed until the next step. */
static struct sql_value value_of(struct sql_rows *rows, int column, char kind)
{
    struct sql_value value = {.kind = SQL_NULL};
    if (rows->driver->is_null(rows, column))
        return value;
    if (kind == 'i')
        return (struct sql_value){.kind = SQL_INT, .number = sql_int(rows, column)};
    if (kind == 't')
        return (struct sql_value){.kind = SQL_TEXT, .text = sql_text(rows, column)};
    value.kind = SQL_BYTES;
    value.bytes = rows->driver->bytes(rows, column, &value.size);
    value.bytes = value.bytes == NULL ? "" : value.bytes; /* SQLite's of no bytes */
    return value;
}

static struct sql_value kept(struct arena *arena, struct sql_value value, size_t *bytes)
{
    if (value.kind == SQL_TEXT) {
        *bytes += strlen(value.text);
        value.text = arena_dup(arena, value.text);
    } else if (value.kind == SQL_BYTES) {
        *bytes += value.size;
        value.bytes = arena_dup_n(arena, value.bytes, value.size);
    }
    return value;
}

/* The first columns, which are the key, as a list. */
static void add_keys(struct buf *sql, const struct move_table *table, const char *ending)
{
    const char *at = table->columns;
    for (int i = 0; i < table->keys; i++) {
        size_t n = strcspn(at, ",");
        buf_printf(sql, "%s%.*s%s", i == 0 ? "" : ", ", (int)n, at, ending);
        at += n + strspn(at + n, ", ");
    }
}

/* The rows after a key (NULL: all), in order. */
static enum err read_after(struct store_session *s, const struct move_table *table, const struct sql_value *after,
                           int limit, struct sql_rows **ret, struct error *reterr)
{
    AUTO_BUF struct buf sql;
    buf_init(&sql, 0);
    buf_printf(&sql, "SELECT %s FROM %s AS source", table->columns,
               sql_driver_of(s)->keyed_by_id ? table->name : table->source);
    if (after != NULL) {
        buf_add_str(&sql, " WHERE (");
        add_keys(&sql, table, "");
        buf_add_str(&sql, ") > (");
        for (int i = 0; i < table->keys; i++)
            buf_add_str(&sql, i == 0 ? "?" : ", ?");
        buf_add_char(&sql, ')');
    }
    buf_add_str(&sql, " ORDER BY ");
    add_keys(&sql, table, "");
    if (limit > 0)
        buf_printf(&sql, " LIMIT %d", limit);
    return sql_query_once(s, ret, reterr, buf_str(&sql), after, after == NULL ? 0 : table->keys);
}

/* The greatest key of the target; *ret_any false: the table is empty. */
static enum err last_key(struct store_session *s, const struct move_table *table, struct arena *arena,
                         struct sql_value *ret, bool *ret_any, struct error *reterr)
{
    AUTO_BUF struct buf sql;
    AUTO_RESET struct sql_rows *rows = NULL;
    size_t bytes = 0;
    buf_init(&sql, 0);
    buf_add_str(&sql, "SELECT ");
    add_keys(&sql, table, "");
    buf_printf(&sql, " FROM %s ORDER BY ", table->name);
    add_keys(&sql, table, " DESC");
    buf_add_str(&sql, " LIMIT 1");
    enum err code = sql_query_once(s, &rows, reterr, buf_str(&sql), NULL, 0);
    if (code == ERR_OK)
        code = sql_step(s, rows, ret_any, reterr);
    for (int i = 0; code == ERR_OK && *ret_any && i < table->keys; i++)
        ret[i] = kept(arena, value_of(rows, i, table->kinds[i]), &bytes);
    return code;
}

/* ---- whether the target may be written to */

static enum err note_start(struct store_session *s, void *arg, struct error *reterr)
{
    const struct move *move = arg;
    enum err code = sql_run(
        s, reterr, "CREATE TABLE IF NOT EXISTS moved_from(source text NOT NULL, finished integer NOT NULL)", "");
    return code == ERR_OK
               ? sql_run(s, reterr, "INSERT INTO moved_from SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM moved_from)",
                         "t", move->options->source)
               : code;
}

static enum err note_end(struct store_session *s, void *arg, struct error *reterr)
{
    (void)arg;
    return sql_run(s, reterr, "UPDATE moved_from SET finished = 1", "");
}

/* What an earlier run has noted. */
static enum err read_note(struct move *move, struct store_session *to, bool *ret_found, struct error *reterr)
{
    int64_t there = 0;
    enum err code = sql_number(to, &there, reterr, "SELECT (to_regclass('moved_from') IS NOT NULL)::integer", "");
    AUTO_RESET struct sql_rows *rows = NULL;
    if (code == ERR_OK && there != 0)
        code = sql_query(to, &rows, reterr, "SELECT source, finished FROM moved_from", "");
    if (code == ERR_OK && there != 0)
        code = sql_step(to, rows, ret_found, reterr);
    if (code != ERR_OK || !*ret_found)
        return code;
    move->done_before = sql_int(rows, 1) != 0;
    if (strcmp(sql_text(rows, 0), move->options->source) != 0)
        return error_set(reterr, ERR_CONFLICT, "to", "The target has data that was moved from %.200s, not from %.200s.",
                         sql_text(rows, 0), move->options->source);
    return ERR_OK;
}

static enum err refuse_data(struct store_session *to, struct error *reterr)
{
    for (const struct move_table *table = move_tables; table->name != NULL; table++) {
        AUTO_RESET struct sql_rows *rows = NULL;
        bool row = false;
        enum err code = read_after(to, table, NULL, 1, &rows, reterr);
        if (code == ERR_OK)
            code = sql_step(to, rows, &row, reterr);
        if (code == ERR_OK && row)
            code = error_set(reterr, ERR_CONFLICT, "to",
                             "The target holds other data already (table %s): move to an empty database.", table->name);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err check_target(struct move *move, struct error *reterr)
{
    struct store_session *to = NULL;
    bool noted = false;
    enum err code = store_read_begin(move->options->to, &to, reterr);
    if (code != ERR_OK)
        return code;
    if (!sql_driver_of(to)->keyed_by_id || sql_driver_of(move->from)->keyed_by_id)
        code = error_set(reterr, ERR_VALIDATION, "to", "Data can be moved from SQLite to PostgreSQL only.");
    if (code == ERR_OK)
        code = read_note(move, to, &noted, reterr);
    if (code == ERR_OK && !noted)
        code = refuse_data(to, reterr);
    store_read_end(move->options->to, to);
    return code == ERR_OK && !noted ? store_write(move->options->to, note_start, move, reterr) : code;
}

/* ---- days */

static enum err prepare_day(struct store_session *s, void *arg, struct error *reterr)
{
    int64_t ignored = 0; /* its rows go to the default partition otherwise */
    return sql_number(s, &ignored, reterr, "SELECT caudal_prepare_day(?)::integer", "i", *(const int64_t *)arg);
}

/* So that retention drops them by the day, as if they had been written there. */
static enum err prepare_days(const struct move *move, struct error *reterr)
{
    AUTO_RESET struct sql_rows *rows = NULL;
    bool row = false;
    enum err code = sql_query(move->from, &rows, reterr,
                              "SELECT DISTINCT created_ms / 86400000 FROM executions ORDER BY 1 DESC LIMIT ?", "i",
                              (int64_t)DAYS_MOST);
    while (code == ERR_OK && (code = sql_step(move->from, rows, &row, reterr)) == ERR_OK && row) {
        int64_t day = sql_int(rows, 0);
        code = store_write(move->options->to, prepare_day, &day, reterr);
    }
    return code;
}

/* ---- copying */

struct batch {
    const struct move_table *table;
    struct row *first, **end;
    size_t rows, bytes;
};

static enum err insert_batch(struct store_session *s, void *arg, struct error *reterr)
{
    const struct batch *batch = arg;
    enum err code = ERR_OK;
    int64_t ignored;
    for (const struct row *row = batch->first; code == ERR_OK && row != NULL; row = row->next)
        code = sql_driver_of(s)->run(s, batch->table->insert, false, row->values, column_count(batch->table), &ignored,
                                     reterr);
    return code;
}

/* Takes rows until the batch is full or there are no more (*ret_more false). */
static enum err fill(const struct move *move, struct sql_rows *rows, struct arena *arena, struct batch *batch,
                     bool *ret_more, struct error *reterr)
{
    size_t most = move->options->batch_rows == 0 ? BATCH_ROWS : move->options->batch_rows;
    enum err code = ERR_OK;
    while (batch->rows < most && batch->bytes < BATCH_BYTES &&
           (code = sql_step(move->from, rows, ret_more, reterr)) == ERR_OK && *ret_more) {
        struct row *row = arena_alloc(arena, sizeof *row);
        for (int i = 0; i < column_count(batch->table); i++)
            row->values[i] = kept(arena, value_of(rows, i, batch->table->kinds[i]), &batch->bytes);
        *batch->end = row;
        batch->end = &row->next;
        batch->rows++;
    }
    return code;
}

static enum err copy_rows(const struct move *move, const struct move_table *table, struct sql_rows *rows,
                          int64_t *ret_copied, struct error *reterr)
{
    enum err code = ERR_OK;
    for (bool more = true; code == ERR_OK && more;) {
        AUTO_ARENA struct arena arena;
        arena_init(&arena);
        struct batch batch = {.table = table, .end = &batch.first};
        if (move->options->go_on != NULL && !move->options->go_on(move->options->user))
            return error_set(reterr, ERR_CANCELLED, NULL, "The move was interrupted; run again, it goes on.");
        code = fill(move, rows, &arena, &batch, &more, reterr);
        if (code == ERR_OK && batch.rows > 0)
            code = store_write(move->options->to, insert_batch, &batch, reterr);
        if (code == ERR_OK)
            *ret_copied += (int64_t)batch.rows;
    }
    return code;
}

static enum err copy_table(const struct move *move, const struct move_table *table, struct error *reterr)
{
    AUTO_ARENA struct arena arena;
    AUTO_RESET struct sql_rows *rows = NULL;
    struct sql_value after[MOVE_COLUMNS_MAX];
    struct store_session *to = NULL;
    bool any = false;
    int64_t copied = 0;
    arena_init(&arena);
    enum err code = store_read_begin(move->options->to, &to, reterr);
    if (code != ERR_OK)
        return code;
    code = last_key(to, table, &arena, after, &any, reterr);
    store_read_end(move->options->to, to);
    if (code == ERR_OK)
        code = read_after(move->from, table, any ? after : NULL, 0, &rows, reterr);
    if (code == ERR_OK)
        code = copy_rows(move, table, rows, &copied, reterr);
    if (code == ERR_OK && move->options->copied != NULL)
        move->options->copied(move->options->user, table->name, copied);
    return code;
}

/* ---- comparing */

struct sum {
    int64_t rows;
    unsigned char digest[DIGEST_BYTES]; /* of the digest before and the row */
};

static void add_row(struct sum *sum, const struct move_table *table, const struct sql_value *values, struct buf *text)
{
    buf_clear(text);
    buf_add(text, sum->digest, sizeof sum->digest);
    for (int i = 0; i < column_count(table); i++)
        if (values[i].kind == SQL_INT) {
            buf_printf(text, "i%" PRId64 ";", values[i].number);
        } else if (values[i].kind == SQL_TEXT) {
            buf_printf(text, "t%zu:%s", strlen(values[i].text), values[i].text);
        } else if (values[i].kind == SQL_BYTES) {
            buf_printf(text, "b%zu:", values[i].size);
            buf_add(text, values[i].bytes, values[i].size);
        } else {
            buf_add_char(text, 'n');
        }
    digest_sha256(text->data, text->len, sum->digest);
    sum->rows++;
}

/* Adds the rows of a result; *ret_count of them, the key of the last one in `after`. */
static enum err add_rows(struct store_session *s, const struct move_table *table, struct sql_rows *rows,
                         struct sum *sum, struct arena *arena, struct sql_value *after, int *ret_count,
                         struct error *reterr)
{
    AUTO_BUF struct buf text;
    bool row = false;
    size_t bytes = 0;
    enum err code;
    buf_init(&text, 0);
    while ((code = sql_step(s, rows, &row, reterr)) == ERR_OK && row) {
        AUTO_ARENA struct arena own;
        struct sql_value values[MOVE_COLUMNS_MAX];
        arena_init(&own);
        for (int i = 0; i < column_count(table); i++)
            values[i] = kept(&own, value_of(rows, i, table->kinds[i]), &bytes);
        add_row(sum, table, values, &text);
        if (++*ret_count == PAGE_ROWS)
            for (int i = 0; i < table->keys; i++)
                after[i] = kept(arena, values[i], &bytes);
    }
    return code;
}

/* Page by page: PostgreSQL gives a result as a whole. SQLite's order of keys is the same. */
static enum err sum_table(struct store_session *s, const struct move_table *table, struct sum *ret,
                          struct error *reterr)
{
    struct sql_value after[MOVE_COLUMNS_MAX];
    AUTO_ARENA struct arena keys;
    bool paged = sql_driver_of(s)->keyed_by_id;
    enum err code = ERR_OK;
    int count = PAGE_ROWS;
    arena_init(&keys);
    for (bool first = true; code == ERR_OK && count == PAGE_ROWS; first = false) {
        AUTO_RESET struct sql_rows *rows = NULL;
        count = 0;
        code = read_after(s, table, first ? NULL : after, paged ? PAGE_ROWS : 0, &rows, reterr);
        if (code == ERR_OK)
            code = add_rows(s, table, rows, ret, &keys, after, &count, reterr);
        if (!paged)
            break;
    }
    return code;
}

static enum err compare_table(const struct move *move, struct store_session *to, const struct move_table *table,
                              struct error *reterr)
{
    struct sum source = {0}, target = {0};
    struct store_move_table report = {.name = table->name};
    enum err code = sum_table(move->from, table, &source, reterr);
    if (code == ERR_OK)
        code = sum_table(to, table, &target, reterr);
    if (code != ERR_OK)
        return code;
    if (source.rows != target.rows || memcmp(source.digest, target.digest, sizeof source.digest) != 0)
        return error_set(
            reterr, ERR_CONFLICT, table->name,
            "The target differs from the source (%" PRId64 " and %" PRId64 " rows)%s", target.rows, source.rows,
            move->done_before ? ": a service has written to one of them since they were moved."
                              : ": something wrote to one of them meanwhile. Empty the target and move once more.");
    report.rows = source.rows;
    digest_hex(source.digest, report.checksum);
    if (move->options->verified != NULL)
        move->options->verified(move->options->user, &report);
    return ERR_OK;
}

static enum err compare(const struct move *move, struct error *reterr)
{
    struct store_session *to = NULL;
    enum err code = store_read_begin(move->options->to, &to, reterr);
    if (code != ERR_OK)
        return code;
    for (const struct move_table *table = move_tables; code == ERR_OK && table->name != NULL; table++)
        code = compare_table(move, to, table, reterr);
    store_read_end(move->options->to, to);
    return code;
}

static enum err run(struct move *move, struct error *reterr)
{
    enum err code = check_target(move, reterr);
    if (code == ERR_OK && !move->done_before)
        code = prepare_days(move, reterr);
    for (const struct move_table *table = move_tables; code == ERR_OK && !move->done_before && table->name != NULL;
         table++)
        code = copy_table(move, table, reterr);
    if (code == ERR_OK)
        code = compare(move, reterr);
    if (code == ERR_OK && !move->done_before)
        code = store_write(move->options->to, note_end, NULL, reterr);
    return code;
}

enum err store_move(const struct store_move_options *options, struct error *reterr)
{
    struct move move = {.options = options};
    enum err code = store_read_begin(options->from, &move.from, reterr);
    if (code != ERR_OK)
        return code;
    code = run(&move, reterr);
    store_read_end(options->from, move.from);
    return code;
}

enum err store_schema_version(struct store *store, int64_t *ret, struct error *reterr)
{
    struct store_session *s = NULL;
    enum err code = store_read_begin(store, &s, reterr);
    if (code != ERR_OK)
        return code;
    code = sql_number(s, ret, reterr, "SELECT max(version) FROM schema_version", "");
    store_read_end(store, s);
    return code;
}
