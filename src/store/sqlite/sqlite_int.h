/* What the files of the SQLite back end share. The only place, with them, that knows sqlite3.h and zstd.h. */
#pragma once
#include "store/store_int.h"
#include <sqlite3.h>
#include <zstd.h>

enum { STATEMENT_SLOTS = 256 };

struct sqlite_session {
    struct store_session base; /* first */
    sqlite3 *db;
    ZSTD_DCtx *decompressor;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } slots[STATEMENT_SLOTS];
};

static inline struct sqlite_session *sqlite_of(struct store_session *s)
{
    return (struct sqlite_session *)s;
}

/* ---- statements. `sql` is a string literal (it is the cache's key and must live as long as the session).
 * `kinds` says what the further arguments are, one letter each: t text (NULL: null) · i int64_t · p int64_t, null when
 * <= 0 · d int · b blob (const void *, size_t; NULL: null). Texts and blobs must live until the statement is reset. */
enum err sqlite_query(struct store_session *s, sqlite3_stmt **ret, struct error *reterr, const char *sql,
                      const char *kinds, ...) ERROR_MUST_CHECK;
/* Runs a statement that gives no rows. */
enum err sqlite_run(struct store_session *s, struct error *reterr, const char *sql, const char *kinds,
                    ...) ERROR_MUST_CHECK;
enum err sqlite_step(struct store_session *s, sqlite3_stmt *statement, bool *ret_row,
                     struct error *reterr) ERROR_MUST_CHECK;
/* The single number of the first row; *ret untouched when there is no row. */
enum err sqlite_number(struct store_session *s, int64_t *ret, struct error *reterr, const char *sql, const char *kinds,
                       ...) ERROR_MUST_CHECK;
int64_t sqlite_changes(struct store_session *s);
void sqlite_reset(sqlite3_stmt **statement); /* for CLEANUP; the cache keeps it */
#define AUTO_RESET CLEANUP(sqlite_reset)
void sqlite_finalize(sqlite3_stmt **statement); /* for CLEANUP; statements of sqlite_prepare */
#define AUTO_FINALIZE CLEANUP(sqlite_finalize)
enum err sqlite_prepare(struct store_session *s, const char *sql, sqlite3_stmt **ret,
                        struct error *reterr) ERROR_MUST_CHECK; /* not cached */

/* The error of the last call on `db`. Aborts on SQLITE_NOMEM. */
enum err sqlite_error(sqlite3 *db, struct error *reterr);
bool sqlite_is_constraint(struct store_session *s);

/* ---- columns */
const char *sqlite_text(sqlite3_stmt *statement, int column); /* borrowed until the next step; NULL when null */
struct json *sqlite_json(sqlite3_stmt *statement, int column,
                         bool *damaged); /* yours; null when null; sets *damaged when it is no JSON */
/* Hands a decoded row out, or refuses it when a text of it was damaged: ERR_INTERNAL that names the noun and the id.
 * Consumes value. */
enum err sqlite_decoded(struct json *take_value, bool damaged, const char *noun, const char *id, struct json **ret,
                        struct error *reterr) ERROR_MUST_CHECK;
enum err sqlite_damaged(const char *noun, const char *id, struct error *reterr); /* returns ERR_INTERNAL */
char *sqlite_dup(sqlite3_stmt *statement, int column, struct arena *arena);

/* ---- compressed texts */
enum err sqlite_decompress(struct store_session *s, sqlite3_stmt *statement, int column, char **ret, size_t *ret_len,
                           struct error *reterr) ERROR_MUST_CHECK; /* heap; NULL when null */
/* The same as JSON; ERR_INTERNAL that names the execution when it is damaged. *ret is untouched when null. */
enum err sqlite_decompress_json(struct store_session *s, sqlite3_stmt *statement, int column, const char *id,
                                struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* ---- schema.c */
int sqlite_schema_latest(void);
/* Applies the migrations up to `version`, in one transaction; ERR_CONFLICT if the file's schema is newer. */
enum err sqlite_schema_migrate(sqlite3 *db, int version, struct error *reterr) ERROR_MUST_CHECK;

/* ---- lists.c: one page of a table, newest first. WHERE is added piece by piece. */
struct sqlite_where {
    struct buf sql;
    struct sqlite_value {
        bool is_text;
        const char *text; /* borrowed */
        int64_t number;
    } values[24];
    int count;
};
void sqlite_where_text(struct sqlite_where *where, const char *condition, const char *value);
void sqlite_where_number(struct sqlite_where *where, const char *condition, int64_t value);
struct sqlite_list {
    const char *table, *columns; /* the columns begin with the sort key (ms) and the id */
    const char *sort_key;
    const char *noun; /* of one row, for errors */
    struct json *(*row)(sqlite3_stmt *statement, bool *damaged);
};
/* Consumes `where`. */
enum err sqlite_list(struct store_session *s, const struct sqlite_list *list, struct sqlite_where *take_where,
                     const struct json *filter, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* ---- executions.c */
struct sqlite_locator {
    int64_t seq; /* 0: there is none */
    int status, epoch;
    int64_t wake_ms;    /* 0: not parked */
    bool settled, lost; /* see store_dispatch.lost_epoch */
};
enum err sqlite_locate(struct store_session *s, const char *id, struct sqlite_locator *ret,
                       struct error *reterr) ERROR_MUST_CHECK;
enum err sqlite_locate_or_fail(struct store_session *s, const char *id, struct sqlite_locator *ret,
                               struct error *reterr) ERROR_MUST_CHECK;
enum err sqlite_insert_document(struct store_session *s, int64_t seq, const struct store_finish *finish,
                                struct error *reterr) ERROR_MUST_CHECK;

/* ---- the verbs */
enum err sqlite_flow_insert(struct store_session *s, const struct json *flow, int64_t now_ms, struct error *reterr);
enum err sqlite_flow_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                            struct error *reterr);
enum err sqlite_flow_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sqlite_flow_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sqlite_flow_version(struct store_session *s, const char *id, int *ret, struct error *reterr);
enum err sqlite_flow_load_version(struct store_session *s, const char *id, int version, struct json **ret,
                                  struct error *reterr);
enum err sqlite_flow_find_by_name(struct store_session *s, const char *name, char ret_id[40], struct error *reterr);
enum err sqlite_flow_versions(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sqlite_flow_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sqlite_schedule_list(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr);
enum err sqlite_execution_list(struct store_session *s, const struct json *filter, struct json **ret,
                               struct error *reterr);
enum err sqlite_dead_letter_list(struct store_session *s, const struct json *filter, struct json **ret,
                                 struct error *reterr);
enum err sqlite_audit_prune(struct store_session *s, int64_t before_ms, size_t limit, struct error *reterr);
enum err sqlite_audit_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sqlite_schedule_insert(struct store_session *s, const struct json *schedule, int64_t now_ms,
                                struct error *reterr);
enum err sqlite_schedule_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                                struct error *reterr);
enum err sqlite_schedule_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sqlite_schedule_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sqlite_schedules_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                              struct error *reterr);
enum err sqlite_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr);
enum err sqlite_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                            struct error *reterr);
enum err sqlite_execution_reassign(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                   struct store_dispatch *ret, struct error *reterr);
enum err sqlite_executions_unfinished(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                      struct error *reterr);
enum err sqlite_executions_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                               struct error *reterr);
int64_t sqlite_executions_next_due_ms(struct store_session *s);
enum err sqlite_execution_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sqlite_execution_load_detail(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sqlite_execution_logs(struct store_session *s, const char *id, const char *level, const char *node_id,
                               struct json **ret, struct error *reterr);
enum err sqlite_execution_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sqlite_execution_cancel(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err sqlite_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err sqlite_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err sqlite_execution_counts(struct store_session *s, int64_t since_ms, struct json **ret, struct error *reterr);
enum err sqlite_retention_apply(struct store_session *s, int64_t before_ms, int64_t keep, size_t limit,
                                int64_t *ret_deleted, struct error *reterr);
enum err sqlite_put(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                    int64_t now_ms, struct error *reterr);
enum err sqlite_get(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                    struct error *reterr);
enum err sqlite_find(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                     struct error *reterr);
enum err sqlite_remove(struct store_session *s, enum store_table table, const char *id, struct error *reterr);
enum err sqlite_all(struct store_session *s, enum store_table table, struct json **ret, struct error *reterr);
