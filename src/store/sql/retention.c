/* Deletes old executions and gives their pages back to the file system. */
#include "store/sql/sql_int.h"

#include "base/mem.h"

/* An execution ends after it was created, so the index on creation finds the old ones. */
static enum err delete_old(struct store_session *s, int64_t before_ms, int64_t limit, int64_t *deleted,
                           struct error *reterr)
{
    int64_t count = 0;
    enum err code = sql_change(
        s, &count, reterr,
        "DELETE FROM executions WHERE {key} IN (SELECT {key} FROM executions WHERE created_ms < ?1 AND status > 2"
        " AND coalesce(ended_ms, created_ms) < ?1 ORDER BY created_ms LIMIT ?2)",
        "ii", before_ms, limit - *deleted);
    *deleted += count;
    return code;
}

static enum err delete_beyond(struct store_session *s, const char *flow_id, int64_t keep, int64_t limit,
                              int64_t *deleted, struct error *reterr)
{
    int64_t count = 0;
    enum err code = sql_change(
        s, &count, reterr,
        "DELETE FROM executions WHERE {key} IN (SELECT {key} FROM executions WHERE flow_id = ? AND status > 2"
        " ORDER BY created_ms DESC, id DESC LIMIT ? OFFSET ?)",
        "tii", flow_id, limit - *deleted, keep);
    *deleted += count;
    return code;
}

static enum err delete_excess(struct store_session *s, int64_t keep, int64_t limit, int64_t *deleted,
                              struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, "SELECT id FROM flows ORDER BY id", "");
    while (code == ERR_OK && *deleted < limit && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row)
        code = delete_beyond(s, sql_text(q, 0), keep, limit, deleted, reterr);
    return code;
}

enum err sql_retention_apply(struct store_session *s, int64_t before_ms, int64_t keep, size_t limit,
                             int64_t *ret_deleted, struct error *reterr)
{
    int64_t deleted = 0, most = limit > INT32_MAX ? INT32_MAX : (int64_t)limit;
    enum err code = ERR_OK;
    if (before_ms > 0)
        code = sql_driver_of(s)->drop_old(s, before_ms, most, &deleted, reterr);
    if (code == ERR_OK && before_ms > 0 && deleted < most)
        code = delete_old(s, before_ms - sql_driver_of(s)->retention_grace_ms, most, &deleted, reterr);
    if (code == ERR_OK && before_ms > 0) /* what became of instants is told for as long */
        code = sql_instants_prune(s, before_ms, reterr);
    if (code == ERR_OK && keep > 0)
        code = delete_excess(s, keep, most, &deleted, reterr);
    if (code == ERR_OK)
        code = sql_driver_of(s)->give_back(s, reterr);
    if (code == ERR_OK)
        *ret_deleted = deleted;
    return code;
}
