/* Opens SQLite files and their connections; transactions. */
#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_TIMEOUT_MS = 5000 };

struct store_backend {
    char *path;
    bool in_memory; /* one connection */
    bool temporary; /* the file goes away on close */
    char *folder;   /* of the temporary file */
};

static void on_contains(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]), *part = (const char *)sqlite3_value_text(values[1]);
    sqlite3_result_int(context, text != NULL && part != NULL && store_text_contains(text, part));
}

/* auto_vacuum must come before the first table, so before journal_mode too, which writes the file. A commit is durable:
 * synchronous=FULL syncs the log at each. */
static const char pragmas_file[] = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                   "PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=67108864;";
static const char pragmas_lost[] = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=OFF;";
static const char pragmas_temporary[] =
    "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;";
static const char pragmas_all[] =
    "PRAGMA foreign_keys=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;";

static enum err open_db(const struct store_backend *backend, bool writer, sqlite3 **ret, struct error *reterr)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int status = sqlite3_open_v2(backend->path, &db, flags, NULL);
    if (db == NULL)
        abort();
    if (status == SQLITE_OK)
        status = sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    if (status == SQLITE_OK && writer)
        status = sqlite3_exec(db,
                              backend->in_memory   ? pragmas_lost
                              : backend->temporary ? pragmas_temporary
                                                   : pragmas_file,
                              NULL, NULL, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_exec(db, pragmas_all, NULL, NULL, NULL);
    if (status == SQLITE_OK && !writer)
        status = sqlite3_exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-8192;", NULL, NULL, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_create_function_v2(db, "contains", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, on_contains,
                                            NULL, NULL, NULL);
    if (status != SQLITE_OK) {
        enum err code = sqlite_error(db, reterr);
        (void)sqlite3_close(db);
        return code;
    }
    *ret = db;
    return ERR_OK;
}

static void backend_close(struct store_backend *backend)
{
    if (backend->temporary) {
        static const char *const endings[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < 3; i++) {
            AUTO_FREE char *path = mem_printf("%s%s", backend->path, endings[i]);
            (void)unlink(path); /* SQLite has removed two of them */
        }
        (void)rmdir(backend->folder);
    }
    free(backend->path);
    free(backend->folder);
    free(backend);
}

/* :memory: with threads needs several connections to one database: a file of its own that is not synced. */
static enum err make_temporary(struct store_backend *backend, struct error *reterr)
{
    const char *where = getenv("TMPDIR");
    char *folder = mem_printf("%s/caudal-XXXXXX", where == NULL || where[0] == '\0' ? "/tmp" : where);
    if (mkdtemp(folder) == NULL) {
        enum err code =
            error_set(reterr, ERR_IO, NULL, "No temporary folder %s can be made for sqlite::memory:.", folder);
        free(folder);
        return code;
    }
    backend->temporary = true;
    backend->folder = folder;
    backend->path = mem_printf("%s/store.db", folder);
    return ERR_OK;
}

static enum err backend_open(const char *url, const struct store_options *options, struct store_backend **ret,
                             struct error *reterr)
{
    const char *path = url + strlen("sqlite:");
    if (path[0] == '\0')
        return error_set(reterr, ERR_VALIDATION, "url",
                         "The store's URL names no file: write sqlite:PATH, such as sqlite:caudal.db.");
    struct store_backend *backend = mem_alloc(sizeof *backend);
    backend->in_memory = strcmp(path, ":memory:") == 0 && options->manual;
    enum err code = ERR_OK;
    if (strcmp(path, ":memory:") == 0 && !options->manual)
        code = make_temporary(backend, reterr);
    else
        backend->path = mem_dup(path);
    if (code != ERR_OK) {
        backend_close(backend);
        return code;
    }
    *ret = backend;
    return ERR_OK;
}

static void session_close(struct store_session *s)
{
    struct sqlite_session *session = sqlite_of(s);
    for (size_t i = 0; i < STATEMENT_SLOTS; i++)
        (void)sqlite3_finalize(session->slots[i].statement);
    sql_session_done(&session->base);
    if (sqlite3_close(session->db) != SQLITE_OK)
        abort(); /* a statement was leaked */
    free(session);
}

static enum err session_open(struct store_backend *backend, bool writer, struct store_session **ret,
                             struct error *reterr)
{
    sqlite3 *db = NULL;
    enum err code = open_db(backend, writer, &db, reterr);
    if (code != ERR_OK)
        return code;
    struct sqlite_session *session = mem_alloc(sizeof *session);
    session->base = (struct sql_session){.base.ops = &store_sqlite_ops, .driver = &sqlite_driver};
    session->db = db;
    if (writer)
        code = sqlite_schema_migrate(db, sqlite_schema_latest(), reterr);
    if (code != ERR_OK) {
        session_close(&session->base.base);
        return code;
    }
    *ret = &session->base.base;
    return ERR_OK;
}

/* ---- transactions */

static enum err begin(struct store_session *s, enum store_transaction kind, struct error *reterr)
{
    return kind == STORE_TRANSACTION_READ ? sql_run(s, reterr, "BEGIN", "") : sql_run(s, reterr, "BEGIN IMMEDIATE", "");
}

static enum err settle(struct store_session *s, struct error *reterr)
{
    (void)s;
    (void)reterr;
    return ERR_OK; /* each statement was answered */
}

static bool again(struct store_session *s)
{
    (void)s;
    return false; /* it has waited for the lock already */
}

static bool in_transaction(struct store_session *s)
{
    return sqlite3_get_autocommit(sqlite_of(s)->db) == 0;
}

static void rollback(struct store_session *s)
{
    struct error ignored; /* a rollback fails only when there is no transaction any more */
    if (in_transaction(s) && sql_run(s, &ignored, "ROLLBACK", "") != ERR_OK)
        return;
}

static enum err commit(struct store_session *s, struct error *reterr)
{
    if (!in_transaction(s))
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The store gave the transaction up before its commit.");
    enum err code = sql_run(s, reterr, "COMMIT", "");
    if (code == ERR_OK)
        return code;
    /* The log may hold the commit, though it was not synced: after a crash now it could come back. */
    bool unknown = sqlite3_extended_errcode(sqlite_of(s)->db) == SQLITE_IOERR_FSYNC;
    rollback(s);
    return unknown ? error_set(reterr, ERR_STORE_UNKNOWN, NULL, "The store's file could not be synced.") : code;
}

static enum err savepoint(struct store_session *s, struct error *reterr)
{
    return sql_run(s, reterr, "SAVEPOINT member", "");
}

static enum err savepoint_release(struct store_session *s, struct error *reterr)
{
    return sql_run(s, reterr, "RELEASE member", "");
}

static enum err savepoint_rollback(struct store_session *s, struct error *reterr)
{
    enum err code = sql_run(s, reterr, "ROLLBACK TO member", "");
    return code == ERR_OK ? savepoint_release(s, reterr) : code;
}

static void stats(struct store_backend *backend, struct store_stats *ret)
{
    struct stat file;
    if (backend->in_memory)
        return;
    AUTO_FREE char *wal = mem_printf("%s-wal", backend->path);
    ret->db_bytes = stat(backend->path, &file) == 0 ? (int64_t)file.st_size : 0;
    ret->wal_bytes = stat(wal, &file) == 0 ? (int64_t)file.st_size : 0;
}

const struct store_backend_ops store_sqlite_ops = {
    .scheme = "sqlite:",
    .open = backend_open,
    .close = backend_close,
    .session_open = session_open,
    .session_close = session_close,
    .begin = begin,
    .settle = settle,
    .again = again,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .savepoint_release = savepoint_release,
    .savepoint_rollback = savepoint_rollback,
    .in_transaction = in_transaction,
    .stats = stats,
};
