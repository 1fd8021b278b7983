/* The SQLite driver: prepared statements of a session, errors of SQLite in our words, columns. */
#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool means_full(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

/* SQLite says FULL for ENOSPC alone; a quota or a size limit is an I/O error to it, whose errno it keeps, except at
 * COMMIT: there only errno itself tells (sqlite_step clears it). */
static bool disk_is_full(sqlite3 *db, int number)
{
    return means_full(number) || means_full(sqlite3_system_errno(db));
}

enum err sqlite_error(sqlite3 *db, struct error *reterr)
{
    int number = errno; /* before anything changes it */
    int extended = sqlite3_extended_errcode(db);
    const char *text = sqlite3_errmsg(db);
    switch (extended & 0xff) {
    case SQLITE_NOMEM:
        abort();
    case SQLITE_FULL:
        return error_set(reterr, ERR_STORE_FULL, NULL, "The store's disk is full.");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (disk_is_full(db, number))
            return error_set(reterr, ERR_STORE_FULL, NULL, "The store's disk is full (%s).", text);
        return error_set(reterr, ERR_STORE_BUSY, NULL,
                         "The store's file cannot be read or written: %s (code %d, errno %d).", text, extended, number);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(reterr, ERR_STORE_BUSY, NULL, "Another process holds the store's lock.");
    case SQLITE_READONLY:
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The store's file may not be written.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The store's file is damaged or no database: %s.", text);
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
    case SQLITE_INTERRUPT:
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The store cannot be used now: %s.", text);
    case SQLITE_TOOBIG:
        return error_set(reterr, ERR_TOO_LARGE, NULL, "A value is larger than the store can hold.");
    case SQLITE_CONSTRAINT:
        return error_set(reterr, ERR_CONFLICT, NULL, "Something with that id or name is there already (%s).", text);
    default:
        return error_set(reterr, ERR_INTERNAL, NULL, "SQLite: %s (code %d).", text, extended);
    }
}

static enum sql_constraint constraint(struct store_session *s)
{
    switch (sqlite3_extended_errcode(sqlite_of(s)->db)) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return SQL_CONSTRAINT_PRIMARY_KEY;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return SQL_CONSTRAINT_REFERENCE;
    default:
        return (sqlite3_errcode(sqlite_of(s)->db) & 0xff) == SQLITE_CONSTRAINT ? SQL_CONSTRAINT_UNIQUE
                                                                               : SQL_CONSTRAINT_NONE;
    }
}

/* ---- statements */

static enum err prepare(struct sqlite_session *session, const char *sql, unsigned flags, struct sqlite_rows *rows,
                        struct error *reterr)
{
    AUTO_FREE char *text = sql_translate(&sqlite_driver, sql, '?');
    if (sqlite3_prepare_v3(session->db, text, -1, flags, &rows->statement, NULL) != SQLITE_OK)
        return sqlite_error(session->db, reterr);
    rows->base.driver = &sqlite_driver;
    rows->session = session;
    return ERR_OK;
}

/* Literals have addresses of their own, so the address is key enough. */
static enum err cached(struct sqlite_session *session, const char *sql, struct sqlite_rows **ret, struct error *reterr)
{
    size_t at = ((uintptr_t)sql * 0x9E3779B97F4A7C15u) >> 55;
    for (size_t i = 0; i < STATEMENT_SLOTS; i++, at = (at + 1) % STATEMENT_SLOTS) {
        struct sqlite_rows *slot = &session->slots[at];
        if (slot->sql != NULL && slot->sql != sql)
            continue;
        enum err code = slot->sql == sql ? ERR_OK : prepare(session, sql, SQLITE_PREPARE_PERSISTENT, slot, reterr);
        if (code == ERR_OK) {
            slot->sql = sql;
            *ret = slot;
        }
        return code;
    }
    return error_set(reterr, ERR_INTERNAL, NULL, "The store has more statements than its cache has room.");
}

static int bind_one(sqlite3_stmt *statement, int i, const struct sql_value *value)
{
    switch (value->kind) {
    case SQL_TEXT:
        return sqlite3_bind_text(statement, i, value->text, -1, SQLITE_STATIC);
    case SQL_INT:
        return sqlite3_bind_int64(statement, i, value->number);
    case SQL_BYTES:
        return sqlite3_bind_blob64(statement, i, value->bytes, (sqlite3_uint64)value->size, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, i);
    }
}

static void reset(struct sql_rows *base)
{
    struct sqlite_rows *rows = (struct sqlite_rows *)base;
    if (rows->sql == NULL) {
        (void)sqlite3_finalize(rows->statement); /* repeats the error that step has reported */
        free(rows);
        return;
    }
    (void)sqlite3_reset(rows->statement);
    (void)sqlite3_clear_bindings(rows->statement); /* they point into the caller's memory */
}

static enum err query(struct store_session *s, const char *sql, bool is_literal, const struct sql_value *values,
                      int count, struct sql_rows **ret, struct error *reterr)
{
    struct sqlite_session *session = sqlite_of(s);
    struct sqlite_rows *rows = is_literal ? NULL : mem_alloc(sizeof *rows);
    enum err code = is_literal ? cached(session, sql, &rows, reterr) : prepare(session, sql, 0, rows, reterr);
    if (code != ERR_OK) {
        if (!is_literal)
            free(rows);
        return code;
    }
    if (sqlite3_bind_parameter_count(rows->statement) != count)
        code = error_set(reterr, ERR_INTERNAL, NULL, "A statement is given %d values: %.100s", count, sql);
    for (int i = 0; code == ERR_OK && i < count; i++)
        if (bind_one(rows->statement, i + 1, &values[i]) != SQLITE_OK)
            code = sqlite_error(session->db, reterr);
    if (code == ERR_OK)
        *ret = &rows->base;
    else
        reset(&rows->base);
    return code;
}

static enum err step(struct sql_rows *base, bool *ret_row, struct error *reterr)
{
    struct sqlite_rows *rows = (struct sqlite_rows *)base;
    errno = 0;
    int status = sqlite3_step(rows->statement);
    *ret_row = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : sqlite_error(rows->session->db, reterr);
}

static enum err run(struct store_session *s, const char *sql, bool now, const struct sql_value *values, int count,
                    int64_t *ret_changed, struct error *reterr)
{
    (void)now; /* nothing is deferred here */
    AUTO_RESET struct sql_rows *rows = NULL;
    bool row = false;
    enum err code = query(s, sql, true, values, count, &rows, reterr);
    if (code == ERR_OK)
        code = step(rows, &row, reterr);
    if (code == ERR_OK)
        *ret_changed = sqlite3_changes64(sqlite_of(s)->db);
    return code;
}

static enum err expect(struct store_session *s, const char *sql, const struct sql_value *values, int count,
                       bool *ret_met, struct error *reterr)
{
    int64_t changed = 0;
    enum err code = run(s, sql, true, values, count, &changed, reterr);
    if (code == ERR_OK)
        *ret_met = changed > 0;
    return code;
}

static int64_t last_seq(struct store_session *s)
{
    return sqlite3_last_insert_rowid(sqlite_of(s)->db);
}

/* ---- columns */

static const char *text(struct sql_rows *rows, int column)
{
    return (const char *)sqlite3_column_text(((struct sqlite_rows *)rows)->statement, column);
}

static int64_t number(struct sql_rows *rows, int column)
{
    return sqlite3_column_int64(((struct sqlite_rows *)rows)->statement, column);
}

static const void *bytes(struct sql_rows *rows, int column, size_t *ret_size)
{
    sqlite3_stmt *statement = ((struct sqlite_rows *)rows)->statement;
    const void *blob = sqlite3_column_blob(statement, column);
    *ret_size = (size_t)sqlite3_column_bytes(statement, column);
    return blob;
}

static bool is_null(struct sql_rows *rows, int column)
{
    return sqlite3_column_type(((struct sqlite_rows *)rows)->statement, column) == SQLITE_NULL;
}

/* ---- retention */

enum { PAGES_PER_CALL = 4096 }; /* moving pages costs I/O: a bounded share for each call */

static enum err drop_old(struct store_session *s, int64_t before_ms, int64_t failed_before_ms, int64_t limit,
                         int64_t *ret_deleted, struct error *reterr)
{
    (void)s;
    (void)limit;
    (void)before_ms;
    (void)failed_before_ms;
    (void)ret_deleted;
    (void)reterr;
    return ERR_OK; /* there is one table */
}

static enum err give_back(struct store_session *s, struct error *reterr)
{
    AUTO_RESET struct sql_rows *rows = NULL;
    AUTO_FREE char *sql = mem_printf("PRAGMA incremental_vacuum(%d)", PAGES_PER_CALL);
    bool row = true;
    enum err code = query(s, sql, false, NULL, 0, &rows, reterr);
    while (code == ERR_OK && row)
        code = step(rows, &row, reterr);
    return code;
}

static const struct sql_word words[] = {
    {"key", "seq"},
    {"lock", ""},
    {"share", ""},
    {"newline", "char(10)"},
    {"wanted", "json_each(?1) w"},
    {"by_idempotency_key", "SELECT id FROM executions WHERE flow_id=? AND idempotency_key=?"},
    {"with_unique_keys", ""},
    {NULL, NULL}};

const struct sql_driver sqlite_driver = {
    .words = words,
    .query = query,
    .run = run,
    .expect = expect,
    .step = step,
    .reset = reset,
    .text = text,
    .number = number,
    .bytes = bytes,
    .is_null = is_null,
    .last_seq = last_seq,
    .constraint = constraint,
    .drop_old = drop_old,
    .give_back = give_back,
};
