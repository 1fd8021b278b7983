/* Events of running executions: the hot path. No JSON is parsed here but of log lines. */
#include "store/sqlite/sqlite_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static enum err apply_started(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr)
{
    return sqlite_run(s, reterr,
                      "UPDATE executions SET status = CASE status WHEN 0 THEN 1 ELSE status END, worker_id = ?,"
                      " started_ms = coalesce(started_ms, ?) WHERE seq=?",
                      "tpi", e->worker_id, e->at_ms, seq);
}

static enum err enter_attempt(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr)
{
    const struct run_checkpoint *c = &e->checkpoint;
    return sqlite_run(
        s, reterr,
        "INSERT OR REPLACE INTO attempts(execution, node_id, epoch, attempt, state, worker_id, started_ms, ended_ms,"
        " error_message) VALUES(?,?,?,?,?,?,?,?,?)",
        "itddttppt", seq, c->node_id, e->epoch, c->attempt, node_state_name(c->state), e->worker_id, c->started_ms,
        c->ended_ms, c->error_message);
}

static enum err check_checkpoint(const struct store_event *e, struct error *reterr)
{
    if (e->checkpoint.node_id == NULL || e->checkpoint.node_id[0] == '\0')
        return error_set(reterr, ERR_VALIDATION, "nodeId", "A checkpoint must name its node.");
    return ERR_OK;
}

static enum err apply_checkpoint(struct store_session *s, int64_t seq, const struct store_event *e,
                                 struct error *reterr)
{
    const struct run_checkpoint *c = &e->checkpoint;
    return sqlite_run(
        s, reterr,
        "INSERT OR REPLACE INTO checkpoints(execution, node_id, attempt, epoch, state, outputs, records, started_ms,"
        " ended_ms, wake_ms, error_id, error_message) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
        "itddttippptt", seq, c->node_id, c->attempt, e->epoch, node_state_name(c->state), e->checkpoint_outputs_json,
        c->records, c->started_ms, c->ended_ms, c->wake_ms, c->error_id, c->error_message);
}

/* What a person has paused does not wake by the clock. A run that parked for a person who has resumed it meanwhile goes
 * on at once. An epoch parks once: the same event delivered again must not undo a resume. */
static enum err apply_parked(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr)
{
    return sqlite_run(s, reterr,
                      "UPDATE executions SET wake_ms = CASE status WHEN 2 THEN wake_ms ELSE ?1 END, worker_id = NULL,"
                      " status = CASE status WHEN 2 THEN 2 ELSE 1 END, settled = 1 WHERE seq = ?2 AND settled = 0",
                      "ii", e->wake_ms == INT64_MAX ? e->at_ms : e->wake_ms, seq);
}

static enum err apply_finished(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr)
{
    if (e->discard)
        return sqlite_run(s, reterr, "DELETE FROM executions WHERE seq=?", "i", seq);
    const struct store_finish *f = e->finish;
    if (f == NULL || f->status < RUN_SUCCESS)
        return error_set(reterr, ERR_INTERNAL, "status", "A finished execution needs a final status.");
    enum err code =
        sqlite_run(s, reterr,
                   "UPDATE executions SET status=?, ended_ms=?, records=?, error_id=?, error_message=?, wake_ms=NULL,"
                   " worker_id=coalesce(?, worker_id), started_ms=coalesce(started_ms, ?) WHERE seq=?",
                   "diitttpi", (int)f->status, f->ended_ms, f->records, f->error_id, f->error_message, e->worker_id,
                   f->started_ms, seq);
    if (code == ERR_OK)
        code = sqlite_insert_document(s, seq, f, reterr);
    if (code == ERR_OK)
        code = sqlite_run(s, reterr, "DELETE FROM checkpoints WHERE execution=?", "i", seq);
    if (code == ERR_OK && (f->document_json != NULL ||
                           f->document_packed != NULL)) /* the document tells of this epoch's attempts itself */
        code = sqlite_run(s, reterr, "DELETE FROM attempts WHERE execution=? AND epoch=?", "id", seq, e->epoch);
    return code;
}

/* ---- logs: one row for each event's lines, however often it is delivered; the oldest rows go when there are more
 * lines than LIMIT_LOG_LINES. */

static enum err trim_logs(struct store_session *s, int64_t seq, struct error *reterr)
{
    return sqlite_run(
        s, reterr,
        "DELETE FROM execution_logs WHERE execution=?1 AND chunk IN (SELECT chunk FROM (SELECT chunk, sum(lines) OVER"
        " (ORDER BY chunk DESC) - lines AS newer FROM execution_logs WHERE execution=?1) WHERE newer >= ?2)",
        "ii", seq, (int64_t)LIMIT_LOG_LINES);
}

static enum err apply_logs(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr)
{
    AUTO_JSON struct json *lines = NULL;
    enum err code = e->logs_json == NULL ? ERR_OK : json_parse(e->logs_json, strlen(e->logs_json), &lines, reterr);
    if (code != ERR_OK)
        return code;
    if (!json_is(lines, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "logs",
                         "Log lines must be an array of {timestamp, level, message, nodeId}.");
    if (json_count(lines) == 0)
        return ERR_OK;
    AUTO_BUF struct buf content;
    buf_init(&content, 0);
    store_pack(e->logs_json, strlen(e->logs_json), &content);
    code = sqlite_run(
        s, reterr,
        "INSERT INTO execution_logs(execution, chunk, lines, content) SELECT ?1, (SELECT coalesce(max(chunk), 0) + 1 "
        "FROM"
        " execution_logs WHERE execution=?1), ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM execution_logs WHERE execution=?1"
        " AND content=?3)",
        "iib", seq, (int64_t)json_count(lines), content.data, content.len);
    return code == ERR_OK && sqlite_changes(s) > 0 ? trim_logs(s, seq, reterr) : code;
}

typedef enum err (*apply_fn)(struct store_session *s, int64_t seq, const struct store_event *e, struct error *reterr);

enum err sqlite_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                            struct error *reterr)
{
    static const apply_fn apply[] = {[STORE_EVENT_STARTED] = apply_started,
                                     [STORE_EVENT_CHECKPOINT] = apply_checkpoint,
                                     [STORE_EVENT_PARKED] = apply_parked,
                                     [STORE_EVENT_FINISHED] = apply_finished,
                                     [STORE_EVENT_LOGS] = apply_logs};
    if ((size_t)event->kind >= sizeof apply / sizeof *apply)
        return error_set(reterr, ERR_INTERNAL, "kind", "There is no event kind %d.", (int)event->kind);
    struct sqlite_locator at;
    enum err code = event->kind == STORE_EVENT_CHECKPOINT ? check_checkpoint(event, reterr) : ERR_OK;
    if (code == ERR_OK)
        code = sqlite_locate(s, event->execution_id, &at, reterr);
    if (code != ERR_OK)
        return code;
    bool counts = at.seq != 0 && at.status < RUN_SUCCESS && at.epoch == event->epoch;
    if (at.seq != 0 && event->kind == STORE_EVENT_CHECKPOINT)
        code = enter_attempt(s, at.seq, event, reterr);
    if (code == ERR_OK && counts)
        code = apply[event->kind](s, at.seq, event, reterr);
    if (code == ERR_OK)
        *ret_applied = counts;
    return code;
}
