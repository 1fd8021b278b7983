/* SQLite files below the data directory. */
#include "nodes/sqlite_file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "nodes/data_dir.h"
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 5000

static enum err late(const struct sqlite_file *file, struct error *reterr)
{
    return error_set(reterr, ERR_DEADLINE, NULL, "SQLite took longer than %lld ms; nothing was written.",
                     (long long)file->timeout_ms);
}

enum err sqlite_file_error(const struct sqlite_file *file, const char *field, struct error *reterr)
{
    const char *text = sqlite3_errmsg(file->db);
    switch (sqlite3_errcode(file->db) & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(reterr, ERR_NODE_RETRY, NULL, "The SQLite file is in use by someone else: %s.", text);
    case SQLITE_INTERRUPT:
        return late(file, reterr);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return error_set(reterr, ERR_IO, "path", "The SQLite file could not be used: %s.", text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return error_set(reterr, ERR_NODE, "path", "The file is no sound SQLite database: %s.", text);
    default:
        return error_set(reterr, ERR_NODE, field, "SQLite refused it: %s.", text);
    }
}

bool sqlite_file_is_late(const struct sqlite_file *file)
{
    return file->deadline_us > 0 && clock_monotonic_us() > file->deadline_us;
}

static int on_progress(void *user)
{
    return sqlite_file_is_late(user);
}

enum err sqlite_file_open(struct sqlite_file *file, const struct node_call *call, bool writes, struct error *reterr)
{
    const char *path = node_input_str(call, "path", "");
    AUTO_FREE char *real = NULL;
    if (strlen(path) != json_as_str_len(json_get(call->inputs, "path")))
        return error_set(reterr, ERR_VALIDATION, "path", "path must not contain a NUL character.");
    enum err code = data_dir_locate(call->host->data_dir, path, &real, reterr);
    if (code != ERR_OK)
        return code;
    int flags = (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    int status = sqlite3_open_v2(real, &file->db, flags, NULL);
    if (file->db == NULL)
        abort(); /* out of memory */
    if (status != SQLITE_OK)
        return sqlite_file_error(file, "path", reterr);
    int64_t wait_ms = call->timeout_ms > 0 && call->timeout_ms < BUSY_MS ? call->timeout_ms : BUSY_MS;
    /* The file may come from anywhere: its schema must not call functions with effects. */
    (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_busy_timeout(file->db, (int)wait_ms);
    file->timeout_ms = call->timeout_ms;
    file->deadline_us = call->timeout_ms > 0 ? clock_monotonic_us() + call->timeout_ms * 1000 : 0;
    sqlite3_progress_handler(file->db, 10000, on_progress, file);
    return ERR_OK;
}

void sqlite_file_close(struct sqlite_file *file)
{
    (void)sqlite3_close(file->db); /* NULL ok; no statement is left open */
    file->db = NULL;
}

int sqlite_file_bind(sqlite3_stmt *statement, int at, const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_NULL:
        return sqlite3_bind_null(statement, at);
    case JSON_BOOL:
        return sqlite3_bind_int(statement, at, json_as_bool(value));
    case JSON_INT:
        return sqlite3_bind_int64(statement, at, json_as_int(value));
    case JSON_DOUBLE:
        return sqlite3_bind_double(statement, at, json_as_double(value));
    case JSON_STRING:
        return sqlite3_bind_text64(statement, at, json_as_str(value), json_as_str_len(value), SQLITE_STATIC,
                                   SQLITE_UTF8);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return sqlite3_bind_text(statement, at, json_dup_text(value), -1, free);
    }
    return SQLITE_MISUSE;
}
