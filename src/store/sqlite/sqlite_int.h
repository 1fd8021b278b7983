/* What the files of the SQLite driver share. The only place, with them, that knows sqlite3.h. */
#pragma once
#include "store/sql/sql_int.h"
#include <sqlite3.h>

enum { STATEMENT_SLOTS = 512 };

/* A statement of the cache, or one for the occasion (without sql). */
struct sqlite_rows {
    struct sql_rows base; /* first */
    struct sqlite_session *session;
    const char *sql;
    sqlite3_stmt *statement;
};

struct sqlite_session {
    struct sql_session base; /* first */
    sqlite3 *db;
    struct sqlite_rows slots[STATEMENT_SLOTS];
};

static inline struct sqlite_session *sqlite_of(struct store_session *s)
{
    return (struct sqlite_session *)s;
}

extern const struct sql_driver sqlite_driver;

/* The error of the last call on `db`. Aborts on SQLITE_NOMEM. */
enum err sqlite_error(sqlite3 *db, struct error *reterr);

/* ---- schema.c */
int sqlite_schema_latest(void);
/* Applies the migrations up to `version`, in one transaction; ERR_CONFLICT if the file's schema is newer. */
enum err sqlite_schema_migrate(sqlite3 *db, int version, struct error *reterr) ERROR_MUST_CHECK;
