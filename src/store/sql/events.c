/* Events of running executions: the hot path. No JSON is parsed here but of log lines. */
#include "store/sql/sql_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* An event counts for an unfinished execution at the event's epoch. */
#define COUNTS " WHERE {key} = ? AND epoch = ? AND status <= 2"

#define LOST_MAX 64 /* attempts of unknown outcome that one event tells of */

/* What an event is applied to. */
struct target {
    struct sql_key key;
    const struct store_event *event;
};

typedef enum err (*apply_fn)(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr);

static enum err apply_started(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr)
{
    return sql_expect(s, ret_counts, reterr,
                      "UPDATE executions SET status = CASE status WHEN 0 THEN 1 ELSE status END, worker_id = ?,"
                      " started_ms = coalesce(started_ms, ?)" COUNTS,
                      "tpkd", t->event->worker_id, t->event->at_ms, &t->key, t->event->epoch);
}

static const char *iteration_of(const struct run_checkpoint *checkpoint)
{
    return checkpoint->iteration == NULL ? "0" : checkpoint->iteration;
}

static enum err enter_attempt(struct store_session *s, const struct target *t, struct error *reterr)
{
    const struct run_checkpoint *c = &t->event->checkpoint;
    return sql_run(s, reterr,
                   "INSERT INTO attempts(execution, node_id, epoch, attempt, state, worker_id, started_ms, ended_ms,"
                   " error_message, iteration) SELECT {key}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM executions"
                   " WHERE {key} = ?1 ON CONFLICT(execution, epoch, node_id, iteration, attempt) DO UPDATE SET "
                   "state=excluded.state,"
                   " worker_id=excluded.worker_id, started_ms=excluded.started_ms, ended_ms=excluded.ended_ms,"
                   " error_message=excluded.error_message",
                   "ktddttpptt", &t->key, c->node_id, t->event->epoch, c->attempt, node_state_name(c->state),
                   t->event->worker_id, c->started_ms, c->ended_ms, c->error_message, iteration_of(c));
}

/* What its worker tells instead, now or later, counts more. */
static enum err enter_lost_attempts(struct store_session *s, const struct target *t, struct error *reterr)
{
    const struct run_checkpoint *c = &t->event->checkpoint;
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < json_count(c->lost_attempts) && i < LOST_MAX; i++) {
        const struct json *pair = json_at(c->lost_attempts, i);
        code =
            sql_run(s, reterr,
                    "INSERT INTO attempts(execution, node_id, epoch, attempt, state, started_ms, ended_ms, iteration)"
                    " SELECT {key}, ?2, ?3, ?4, 'unknown', 0, 0, ?5 FROM executions WHERE {key} = ?1 ON CONFLICT DO"
                    " NOTHING",
                    "ktddt", &t->key, c->node_id, (int)json_as_int(json_at(pair, 0)),
                    (int)json_as_int(json_at(pair, 1)), iteration_of(c));
    }
    return code;
}

static enum err apply_checkpoint(struct store_session *s, const struct target *t, bool *ret_counts,
                                 struct error *reterr)
{
    const struct run_checkpoint *c = &t->event->checkpoint;
    /* The beginning of a for-each's items is the end of no attempt. */
    enum err code = c->state == NODE_ITERATING ? ERR_OK : enter_attempt(s, t, reterr);
    if (code == ERR_OK)
        code = enter_lost_attempts(s, t, reterr);
    if (code == ERR_OK)
        code = sql_expect(
            s, ret_counts, reterr,
            "INSERT INTO checkpoints(execution, node_id, attempt, epoch, state, outputs, records, started_ms,"
            " ended_ms, wake_ms, error_id, error_message, iteration, waiting, evaluated) SELECT {key}, ?3, ?4, epoch,"
            " ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 FROM executions WHERE {key} = ?1 AND epoch = ?2 AND "
            "status <= 2{share}"
            " ON CONFLICT(execution, node_id, iteration) DO UPDATE SET attempt=excluded.attempt, "
            "epoch=excluded.epoch,"
            " state=excluded.state, outputs=excluded.outputs, records=excluded.records,"
            " started_ms=excluded.started_ms, ended_ms=excluded.ended_ms, wake_ms=excluded.wake_ms,"
            " error_id=excluded.error_id, error_message=excluded.error_message, waiting=excluded.waiting,"
            " evaluated=excluded.evaluated",
            "kdtdttipppttttt", &t->key, t->event->epoch, c->node_id, c->attempt, node_state_name(c->state),
            t->event->checkpoint_outputs_json, c->records, c->started_ms, c->ended_ms, c->wake_ms, c->error_id,
            c->error_message, iteration_of(c), t->event->checkpoint_waiting_json, t->event->checkpoint_evaluated_json);
    if (code == ERR_OK && *ret_counts && c->signal_id > 0)
        code = sql_run(s, reterr, "UPDATE signals SET taken=1, payload=NULL WHERE execution=? AND id=?", "ki", &t->key,
                       c->signal_id);
    if (code == ERR_OK && *ret_counts && t->event->checkpoint_token != NULL)
        code = sql_run(s, reterr,
                       "INSERT INTO wait_tokens(token, execution, node_id, iteration) VALUES(?,?,?,?) ON CONFLICT DO"
                       " NOTHING",
                       "tktt", t->event->checkpoint_token, &t->key, c->node_id, iteration_of(c));
    return code;
}

/* What a person has paused does not wake by the clock. A run that parked for a person who has resumed it meanwhile goes
 * on at once, and so does one that was sent a signal which it has not seen. An epoch parks once: the same event
 * delivered again must not undo a resume. */
static enum err apply_parked(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr)
{
    const struct store_finish *so_far = t->event->finish;
    enum err code = sql_expect(
        s, ret_counts, reterr,
        "UPDATE executions SET wake_ms = CASE WHEN settled = 1 OR status = 2 THEN wake_ms WHEN signals > ? THEN"
        " ? ELSE ? END,"
        " worker_id = CASE settled WHEN 1 THEN worker_id END, records = coalesce(?, records),"
        " status = CASE WHEN settled = 1 OR status = 2 THEN status ELSE 1 END, settled = 1" COUNTS,
        "iiipkd", t->event->signals_seen, t->event->at_ms,
        t->event->wake_ms == INT64_MAX ? t->event->at_ms : t->event->wake_ms, so_far == NULL ? 0 : so_far->records,
        &t->key, t->event->epoch);
    return code == ERR_OK && *ret_counts && so_far != NULL ? sql_insert_document(s, &t->key, so_far, reterr) : code;
}

static enum err apply_end(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr)
{
    const struct store_event *e = t->event;
    const struct store_finish *f = e->finish;
    if (e->discard)
        return sql_expect(s, ret_counts, reterr, "DELETE FROM executions" COUNTS, "kd", &t->key, e->epoch);
    if (f == NULL || f->status < RUN_SUCCESS)
        return error_set(reterr, ERR_INTERNAL, "status", "A finished execution needs a final status.");
    enum err code =
        sql_expect(s, ret_counts, reterr,
                   "UPDATE executions SET status=?, ended_ms=?, records=?, error_id=?, error_message=?, wake_ms=NULL,"
                   " worker_id=coalesce(?, worker_id), started_ms=coalesce(started_ms, ?)" COUNTS,
                   "diitttpkd", (int)f->status, f->ended_ms, f->records, f->error_id, f->error_message, e->worker_id,
                   f->started_ms, &t->key, e->epoch);
    if (code != ERR_OK || !*ret_counts)
        return code;
    code = sql_insert_document(s, &t->key, f, reterr);
    if (code == ERR_OK && !e->stepless)
        code = sql_run(s, reterr, "DELETE FROM checkpoints WHERE execution=?", "k", &t->key);
    if (code == ERR_OK && e->signalled)
        code = sql_run(s, reterr, "DELETE FROM signals WHERE execution=?", "k", &t->key);
    if (code == ERR_OK && !e->stepless &&
        (f->document_json != NULL ||
         f->document_packed != NULL)) /* the document tells of this epoch's attempts itself */
        code = sql_run(s, reterr, "DELETE FROM attempts WHERE execution=? AND epoch=?", "kd", &t->key, e->epoch);
    return code;
}

static enum err apply_finished(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr)
{
    struct sql_parent parent = {0};
    bool told = t->event->has_parent && t->event->finish != NULL;
    enum err code = told ? sql_parent_load(s, &t->key, &parent, reterr) : ERR_OK;
    if (code == ERR_OK)
        code = apply_end(s, t, ret_counts, reterr);
    return code == ERR_OK && told && *ret_counts
               ? sql_parent_tell(s, &parent, t->event->execution_id, t->event->finish, reterr)
               : code;
}

/* ---- logs: one row for each event's lines, however often it is delivered; the oldest rows go when there are more
 * lines than LIMIT_LOG_LINES. */

static enum err trim_logs(struct store_session *s, const struct sql_key *key, struct error *reterr)
{
    return sql_run(
        s, reterr,
        "DELETE FROM execution_logs WHERE execution=?1 AND chunk IN (SELECT chunk FROM (SELECT chunk, sum(lines) OVER"
        " (ORDER BY chunk DESC) - lines AS newer FROM execution_logs WHERE execution=?1) AS sums WHERE newer >= ?2)",
        "ki", key, (int64_t)LIMIT_LOG_LINES);
}

static enum err insert_logs(struct store_session *s, const struct sql_key *key, const struct buf *content,
                            int64_t lines, struct error *reterr)
{
    int64_t inserted = 0;
    enum err code = sql_change(
        s, &inserted, reterr,
        "INSERT INTO execution_logs(execution, chunk, lines, content) SELECT ?1, (SELECT coalesce(max(chunk), 0) + 1"
        " FROM execution_logs WHERE execution=?1), ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM execution_logs WHERE"
        " execution=?1 AND content=?3)",
        "kib", key, lines, content->data, content->len);
    return code == ERR_OK && inserted > 0 ? trim_logs(s, key, reterr) : code;
}

/* Logs are seldom and have several statements: the row is held while they run. */
static enum err apply_logs(struct store_session *s, const struct target *t, bool *ret_counts, struct error *reterr)
{
    const struct store_event *e = t->event;
    struct sql_locator at;
    enum err code = sql_locate(s, e->execution_id, &at, reterr);
    *ret_counts = code == ERR_OK && at.found && at.status < RUN_SUCCESS && at.epoch == e->epoch;
    if (!*ret_counts || e->logs_json == NULL)
        return code;
    AUTO_JSON struct json *lines = NULL;
    code = json_parse(e->logs_json, strlen(e->logs_json), &lines, reterr);
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
    return insert_logs(s, &t->key, &content, (int64_t)json_count(lines), reterr);
}

enum err sql_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                         struct error *reterr)
{
    static const apply_fn apply[] = {[STORE_EVENT_STARTED] = apply_started,
                                     [STORE_EVENT_CHECKPOINT] = apply_checkpoint,
                                     [STORE_EVENT_PARKED] = apply_parked,
                                     [STORE_EVENT_FINISHED] = apply_finished,
                                     [STORE_EVENT_LOGS] = apply_logs};
    if ((size_t)event->kind >= sizeof apply / sizeof *apply)
        return error_set(reterr, ERR_INTERNAL, "kind", "There is no event kind %d.", (int)event->kind);
    const char *node_id = event->checkpoint.node_id;
    if (event->kind == STORE_EVENT_CHECKPOINT && (node_id == NULL || node_id[0] == '\0'))
        return error_set(reterr, ERR_VALIDATION, "nodeId", "A checkpoint must name its node.");
    struct target target = {.event = event};
    bool counts = false;
    enum err code = sql_find_key(s, event->execution_id, &target.key, reterr);
    if (code == ERR_OK)
        code = apply[event->kind](s, &target, &counts, reterr);
    if (code == ERR_OK)
        *ret_applied = counts;
    return code;
}
