/* Prepared statements of a session, errors of SQLite in our words, columns. */
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

bool sqlite_is_constraint(struct store_session *s)
{
    return (sqlite3_errcode(sqlite_of(s)->db) & 0xff) == SQLITE_CONSTRAINT;
}

enum err sqlite_prepare(struct store_session *s, const char *sql, sqlite3_stmt **ret, struct error *reterr)
{
    sqlite3 *db = sqlite_of(s)->db;
    return sqlite3_prepare_v3(db, sql, -1, 0, ret, NULL) == SQLITE_OK ? ERR_OK : sqlite_error(db, reterr);
}

/* Literals have addresses of their own, so the address is key enough. */
static enum err cached(struct sqlite_session *session, const char *sql, sqlite3_stmt **ret, struct error *reterr)
{
    size_t at = ((uintptr_t)sql * 0x9E3779B97F4A7C15u) >> 56;
    for (size_t i = 0; i < STATEMENT_SLOTS; i++, at = (at + 1) % STATEMENT_SLOTS) {
        if (session->slots[at].sql == sql) {
            *ret = session->slots[at].statement;
            return ERR_OK;
        }
        if (session->slots[at].sql != NULL)
            continue;
        if (sqlite3_prepare_v3(session->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
            return sqlite_error(session->db, reterr);
        session->slots[at].sql = sql;
        session->slots[at].statement = *ret;
        return ERR_OK;
    }
    return error_set(reterr, ERR_INTERNAL, NULL, "The store has more statements than its cache has room.");
}

static int bind_text(sqlite3_stmt *statement, int i, const char *text)
{
    return text == NULL ? sqlite3_bind_null(statement, i) : sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
}

static int bind_one(sqlite3_stmt *statement, int i, char kind, va_list *args)
{
    int64_t number = 0;
    const void *blob = NULL;
    switch (kind) {
    case 't':
        return bind_text(statement, i, va_arg(*args, const char *));
    case 'i':
        return sqlite3_bind_int64(statement, i, va_arg(*args, int64_t));
    case 'p':
        number = va_arg(*args, int64_t);
        return number <= 0 ? sqlite3_bind_null(statement, i) : sqlite3_bind_int64(statement, i, number);
    case 'd':
        return sqlite3_bind_int(statement, i, va_arg(*args, int));
    case 'b':
        blob = va_arg(*args, const void *);
        size_t bytes = va_arg(*args, size_t);
        return blob == NULL ? sqlite3_bind_null(statement, i)
                            : sqlite3_bind_blob64(statement, i, blob, (sqlite3_uint64)bytes, SQLITE_STATIC);
    default:
        return SQLITE_MISUSE;
    }
}

static enum err query_list(struct store_session *s, sqlite3_stmt **ret, struct error *reterr, const char *sql,
                           const char *kinds, va_list *args)
{
    enum err code = cached(sqlite_of(s), sql, ret, reterr);
    if (code == ERR_OK && (size_t)sqlite3_bind_parameter_count(*ret) != strlen(kinds))
        return error_set(reterr, ERR_INTERNAL, NULL, "A statement is given %zu values: %.100s", strlen(kinds), sql);
    for (int i = 1; code == ERR_OK && kinds[i - 1] != '\0'; i++)
        if (bind_one(*ret, i, kinds[i - 1], args) != SQLITE_OK)
            code = sqlite_error(sqlite_of(s)->db, reterr);
    return code;
}

enum err sqlite_query(struct store_session *s, sqlite3_stmt **ret, struct error *reterr, const char *sql,
                      const char *kinds, ...)
{
    va_list args;
    va_start(args, kinds);
    enum err code = query_list(s, ret, reterr, sql, kinds, &args);
    va_end(args);
    return code;
}

enum err sqlite_step(struct store_session *s, sqlite3_stmt *statement, bool *ret_row, struct error *reterr)
{
    errno = 0;
    int status = sqlite3_step(statement);
    *ret_row = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : sqlite_error(sqlite_of(s)->db, reterr);
}

enum err sqlite_run(struct store_session *s, struct error *reterr, const char *sql, const char *kinds, ...)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    va_list args;
    va_start(args, kinds);
    enum err code = query_list(s, &statement, reterr, sql, kinds, &args);
    va_end(args);
    bool row = false;
    return code == ERR_OK ? sqlite_step(s, statement, &row, reterr) : code;
}

enum err sqlite_number(struct store_session *s, int64_t *ret, struct error *reterr, const char *sql, const char *kinds,
                       ...)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    va_list args;
    va_start(args, kinds);
    enum err code = query_list(s, &statement, reterr, sql, kinds, &args);
    va_end(args);
    bool row = false;
    if (code == ERR_OK)
        code = sqlite_step(s, statement, &row, reterr);
    if (code == ERR_OK && row)
        *ret = sqlite3_column_int64(statement, 0);
    return code;
}

int64_t sqlite_changes(struct store_session *s)
{
    return sqlite3_changes64(sqlite_of(s)->db);
}

void sqlite_reset(sqlite3_stmt **statement)
{
    if (*statement == NULL)
        return;
    (void)sqlite3_reset(*statement);          /* repeats the error that step has reported */
    (void)sqlite3_clear_bindings(*statement); /* they point into the caller's memory */
}

void sqlite_finalize(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement); /* repeats the error that step has reported */
}

const char *sqlite_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

struct json *sqlite_json(sqlite3_stmt *statement, int column, bool *damaged)
{
    const char *text = sqlite_text(statement, column);
    struct json *value = NULL;
    if (text != NULL && json_parse(text, (size_t)sqlite3_column_bytes(statement, column), &value, NULL) != ERR_OK) {
        *damaged = true;
        return NULL;
    }
    return value;
}

enum err sqlite_damaged(const char *noun, const char *id, struct error *reterr)
{
    return error_set(reterr, ERR_INTERNAL, "id",
                     "What the store holds of the %s %.60s is damaged: restore it from a backup, or delete it.", noun,
                     id == NULL ? "" : id);
}

enum err sqlite_decoded(struct json *take_value, bool damaged, const char *noun, const char *id, struct json **ret,
                        struct error *reterr)
{
    if (!damaged) {
        *ret = take_value;
        return ERR_OK;
    }
    enum err code = sqlite_damaged(noun, id, reterr); /* the id may live in the value */
    json_unref(take_value);
    return code;
}

char *sqlite_dup(sqlite3_stmt *statement, int column, struct arena *arena)
{
    return arena_dup(arena, sqlite_text(statement, column));
}

/* ---- compressed texts */

enum { TEXT_MAX = 1 << 28 }; /* of one decompressed text: more is damage */

enum err sqlite_decompress(struct store_session *s, sqlite3_stmt *statement, int column, char **ret, size_t *ret_len,
                           struct error *reterr)
{
    struct sqlite_session *session = sqlite_of(s);
    const void *blob = sqlite3_column_blob(statement, column);
    size_t bytes = (size_t)sqlite3_column_bytes(statement, column);
    *ret = NULL;
    *ret_len = 0;
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return ERR_OK;
    if (blob == NULL)
        bytes = 0; /* an empty blob is no frame: refused below */
    unsigned long long size = ZSTD_getFrameContentSize(blob, bytes);
    if (size > TEXT_MAX)
        return error_set(reterr, ERR_INTERNAL, NULL, "A compressed text in the store is damaged.");
    if (session->decompressor == NULL && (session->decompressor = ZSTD_createDCtx()) == NULL)
        abort();
    char *text = mem_alloc((size_t)size + 1);
    size_t got = ZSTD_decompressDCtx(session->decompressor, text, (size_t)size, blob, bytes);
    if (ZSTD_isError(got) || got != size) {
        free(text);
        return error_set(reterr, ERR_INTERNAL, NULL, "A compressed text in the store is damaged.");
    }
    *ret = text;
    *ret_len = (size_t)size;
    return ERR_OK;
}

enum err sqlite_decompress_json(struct store_session *s, sqlite3_stmt *q, int column, const char *id, struct json **ret,
                                struct error *reterr)
{
    size_t len = 0;
    AUTO_FREE char *text = NULL;
    struct error ignored; /* of the parser: the client sent nothing wrong */
    enum err code = sqlite_decompress(s, q, column, &text, &len, reterr);
    if (code == ERR_INTERNAL || (code == ERR_OK && text != NULL && json_parse(text, len, ret, &ignored) != ERR_OK))
        code = sqlite_damaged("execution", id, reterr);
    return code;
}
