/* Deletes old executions and gives their pages back to the file system. */
#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"

enum { PAGES_PER_CALL = 4096 }; /* moving pages costs I/O: a bounded share for each call */

/* An execution ends after it was created, so the index on creation finds the old ones. */
static enum err delete_old(struct store_session *s, int64_t before_ms, int64_t limit, int64_t *deleted,
                           struct error *reterr)
{
    enum err code = sqlite_run(
        s, reterr,
        "DELETE FROM executions WHERE seq IN (SELECT seq FROM executions WHERE created_ms < ?1 AND status > 2"
        " AND coalesce(ended_ms, created_ms) < ?1 ORDER BY created_ms LIMIT ?2)",
        "ii", before_ms, limit);
    if (code == ERR_OK)
        *deleted += sqlite_changes(s);
    return code;
}

static enum err delete_beyond(struct store_session *s, const char *flow_id, int64_t keep, int64_t limit,
                              int64_t *deleted, struct error *reterr)
{
    enum err code =
        sqlite_run(s, reterr,
                   "DELETE FROM executions WHERE seq IN (SELECT seq FROM executions WHERE flow_id = ? AND status > 2"
                   " ORDER BY created_ms DESC, id DESC LIMIT ? OFFSET ?)",
                   "tii", flow_id, limit - *deleted, keep);
    if (code == ERR_OK)
        *deleted += sqlite_changes(s);
    return code;
}

static enum err delete_excess(struct store_session *s, int64_t keep, int64_t limit, int64_t *deleted,
                              struct error *reterr)
{
    AUTO_RESET sqlite3_stmt *q = NULL;
    bool row = false;
    enum err code = sqlite_query(s, &q, reterr, "SELECT id FROM flows ORDER BY id", "");
    while (code == ERR_OK && *deleted < limit && (code = sqlite_step(s, q, &row, reterr)) == ERR_OK && row)
        code = delete_beyond(s, sqlite_text(q, 0), keep, limit, deleted, reterr);
    return code;
}

static enum err give_back(struct store_session *s, struct error *reterr)
{
    AUTO_FINALIZE sqlite3_stmt *statement = NULL;
    AUTO_FREE char *sql = mem_printf("PRAGMA incremental_vacuum(%d)", PAGES_PER_CALL);
    bool row = true;
    enum err code = sqlite_prepare(s, sql, &statement, reterr);
    while (code == ERR_OK && row)
        code = sqlite_step(s, statement, &row, reterr);
    return code;
}

enum err sqlite_retention_apply(struct store_session *s, int64_t before_ms, int64_t keep, size_t limit,
                                int64_t *ret_deleted, struct error *reterr)
{
    int64_t deleted = 0, most = limit > INT32_MAX ? INT32_MAX : (int64_t)limit;
    enum err code = ERR_OK;
    if (before_ms > 0)
        code = delete_old(s, before_ms, most, &deleted, reterr);
    if (code == ERR_OK && keep > 0)
        code = delete_excess(s, keep, most, &deleted, reterr);
    if (code == ERR_OK)
        code = give_back(s, reterr);
    if (code == ERR_OK)
        *ret_deleted = deleted;
    return code;
}
