/* Executions: the hot insert, dispatching again, what a person does to them. Reading them stands in history.c. */
#include "store/sql/sql_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err sql_locate(struct store_session *s, const char *id, struct sql_locator *ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    *ret = (struct sql_locator){.key.id = id};
    enum err code =
        s->writable
            ? sql_query(s, &q, reterr,
                        "SELECT {key}, status, epoch, wake_ms, settled, lost, queue_ms, signals FROM executions WHERE "
                        "id=?{lock}",
                        "t", id)
            : sql_query(
                  s, &q, reterr,
                  "SELECT {key}, status, epoch, wake_ms, settled, lost, queue_ms, signals FROM executions WHERE id=?",
                  "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && row)
        *ret = (struct sql_locator){.key = {.seq = sql_int(q, 0), .id = id},
                                    .found = true,
                                    .status = (int)sql_int(q, 1),
                                    .epoch = (int)sql_int(q, 2),
                                    .wake_ms = sql_int(q, 3),
                                    .settled = sql_int(q, 4) != 0,
                                    .lost = (unsigned)sql_int(q, 5),
                                    .queued = sql_int(q, 6) != 0,
                                    .signals = sql_int(q, 7)};
    return code;
}

enum err sql_find_key(struct store_session *s, const char *id, struct sql_key *ret, struct error *reterr)
{
    *ret = (struct sql_key){.id = id};
    return sql_driver_of(s)->keyed_by_id
               ? ERR_OK
               : sql_number(s, &ret->seq, reterr, "SELECT {key} FROM executions WHERE id=?", "t", id);
}

enum err sql_locate_or_fail(struct store_session *s, const char *id, struct sql_locator *ret, struct error *reterr)
{
    enum err code = sql_locate(s, id, ret, reterr);
    if (code == ERR_OK && !ret->found)
        return error_set(reterr, ERR_NOT_FOUND, "id", "There is no execution %.60s.", id);
    return code;
}

/* ---- inserting */

static enum err find_text(struct store_session *s, const char *sql, const char *first, const char *second, char *out,
                          size_t cap, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    out[0] = '\0';
    enum err code = sql_query(s, &q, reterr, sql, second == NULL ? "t" : "tt", first, second);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && row)
        sql_copy(q, 0, out, cap);
    return code;
}

/* The same key stands for the same request. */
static enum err explain_key(struct store_session *s, const struct store_execution *row, const char *found,
                            struct error *reterr)
{
    int64_t hash = 0;
    enum err code = sql_number(s, &hash, reterr, "SELECT request_hash FROM executions WHERE id=?", "t", found);
    if (code == ERR_OK && hash != 0 && row->request_hash != 0 && hash != row->request_hash)
        return error_set(reterr, ERR_UNPROCESSABLE, "idempotencyKey",
                         "The idempotency key belongs to the execution %.60s, which was started with another body: use "
                         "another key for another start.",
                         found);
    return code != ERR_OK
               ? code
               : error_set(reterr, ERR_CONFLICT, found, "An execution with that idempotency key is there already.");
}

/* Which of the table's rules a refused insert broke; SQLite's message does not say it for foreign keys. */
static enum err explain_refusal(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    char found[sizeof reterr->field];
    enum err code = find_text(s, "SELECT id FROM flows WHERE id=?", row->flow_id, NULL, found, sizeof found, reterr);
    if (code != ERR_OK)
        return code;
    if (found[0] == '\0')
        return error_set(reterr, ERR_NOT_FOUND, "flowId", "There is no flow %.60s.", row->flow_id);
    if (row->schedule_id != NULL) {
        code = find_text(s, "SELECT id FROM schedules WHERE id=?", row->schedule_id, NULL, found, sizeof found, reterr);
        if (code != ERR_OK)
            return code;
        if (found[0] == '\0')
            return error_set(reterr, ERR_NOT_FOUND, "scheduleId", "There is no schedule %.60s.", row->schedule_id);
    }
    if (row->idempotency_key != NULL) {
        code = find_text(s, "{by_idempotency_key}", row->flow_id, row->idempotency_key, found, sizeof found, reterr);
        if (code != ERR_OK)
            return code;
        if (found[0] != '\0')
            return explain_key(s, row, found, reterr);
    }
    code = find_text(s, "SELECT id FROM executions WHERE id=?", row->id, NULL, found, sizeof found, reterr);
    if (code == ERR_OK && found[0] != '\0')
        return error_set(reterr, ERR_CONFLICT, "id", "The execution %.60s is there already.", row->id);
    return code != ERR_OK
               ? code
               : error_set(reterr, ERR_CONFLICT, "scheduleInstant", "The schedule has fired for that instant already.");
}

enum err sql_insert_document(struct store_session *s, const struct sql_key *key, const struct store_finish *finish,
                             struct error *reterr)
{
    if (finish->document_json == NULL && finish->document_packed == NULL && finish->result_json == NULL)
        return ERR_OK;
    AUTO_BUF struct buf document, result;
    buf_init(&document, 0);
    buf_init(&result, 0);
    if (finish->document_packed != NULL)
        buf_add(&document, finish->document_packed, finish->document_packed_bytes);
    else if (finish->document_json != NULL)
        store_pack(finish->document_json, strlen(finish->document_json), &document);
    if (finish->result_json != NULL)
        store_pack(finish->result_json, strlen(finish->result_json), &result);
    return sql_run(
        s, reterr,
        "INSERT INTO node_executions(execution, document, result) VALUES(?,?,?) ON CONFLICT(execution) DO UPDATE SET"
        " document=excluded.document, result=excluded.result",
        "kbb", key, document.data, document.len, result.data, result.len);
}

#define INSERT                                                                                                         \
    "INSERT INTO executions(id, flow_id, flow_version, schedule_id, schedule_instant_ms, trigger_kind, trigger_node,"  \
    " priority, status, epoch, retry_count, created_ms, started_ms, ended_ms, records, error_id, error_message,"       \
    " idempotency_key, wake_ms, settled, request_hash, waiting_for, parent_id, parent_node_id, parent_iteration,"      \
    " parent_waits, depth, body)"                                                                                      \
    " VALUES(?,?,?,?,?,?,?,?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"

static enum err insert_row(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    static const struct store_finish none = {.status = RUN_PENDING};
    static const char plain[] = INSERT, with_keys[] = "{with_unique_keys}" INSERT;
    const struct store_finish *finish = row->finish == NULL ? &none : row->finish;
    return sql_run(s, reterr, row->schedule_id == NULL && row->idempotency_key == NULL ? plain : with_keys,
                   "ttdtpttdddippitttpdittttddt", row->id, row->flow_id, row->flow_version, row->schedule_id,
                   row->schedule_id == NULL ? (int64_t)0 : row->schedule_instant_ms, row->trigger, row->trigger_node,
                   row->priority, (int)finish->status, row->retry_count, row->created_ms, finish->started_ms,
                   finish->ended_ms, finish->records, finish->error_id, finish->error_message, row->idempotency_key,
                   row->wake_ms, (int)(row->wake_ms > 0), row->request_hash, row->waiting_for, row->parent_id,
                   row->parent_node_id, row->parent_iteration, (int)row->parent_waits, row->depth, row->body);
}

static enum err insert_all(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    if (row->finish != NULL && row->finish->status < RUN_SUCCESS)
        return error_set(reterr, ERR_INTERNAL, "status", "An execution inserted with its end needs a final status.");
    enum err code = insert_row(s, row, reterr);
    if (code == ERR_CONFLICT && sql_constraint(s) != SQL_CONSTRAINT_NONE)
        return explain_refusal(s, row, reterr);
    if (code != ERR_OK)
        return code;
    struct sql_key key = {.seq = sql_driver_of(s)->last_seq(s), .id = row->id};
    if (row->input_json != NULL || row->metadata_json != NULL || row->restore_json != NULL || row->options_json != NULL)
        code = sql_run(s, reterr,
                       "INSERT INTO execution_inputs(execution, input, metadata, restore, options) VALUES(?,?,?,?,?)",
                       "ktttt", &key, row->input_json, row->metadata_json, row->restore_json, row->options_json);
    return code == ERR_OK && row->finish != NULL ? sql_insert_document(s, &key, row->finish, reterr) : code;
}

/* Whether an execution of the same flow waits for it, directly or through others. */
static enum err is_awaited_by_its_flow(struct store_session *s, const struct store_execution *row, bool *ret,
                                       struct error *reterr)
{
    char id[STORE_ID_BYTES] = "";
    enum err code = ERR_OK;
    *ret = false;
    if (row->parent_id != NULL && row->parent_waits)
        (void)snprintf(id, sizeof id, "%s", row->parent_id);
    for (int depth = 0; code == ERR_OK && !*ret && id[0] != '\0' && depth <= LIMIT_SUB_FLOW_DEPTH; depth++) {
        AUTO_RESET struct sql_rows *q = NULL;
        bool found = false;
        code = sql_query(s, &q, reterr, "SELECT flow_id, parent_id, parent_waits FROM executions WHERE id=?", "t", id);
        if (code == ERR_OK)
            code = sql_step(s, q, &found, reterr);
        id[0] = '\0';
        if (code != ERR_OK || !found)
            break;
        *ret = strcmp(sql_text(q, 0), row->flow_id) == 0;
        if (sql_text(q, 1) != NULL && sql_int(q, 2) != 0)
            sql_copy(q, 1, id, sizeof id);
    }
    return code;
}

enum err sql_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    bool within = row->body != NULL; /* it belongs to the slot of one that runs: that must not wait for it for ever */
    enum err code = within ? ERR_OK : is_awaited_by_its_flow(s, row, &within, reterr);
    if (code != ERR_OK)
        return code;
    if (row->finish == NULL && !row->unlimited && !within)
        return sql_limits_insert(s, row, insert_all, reterr);
    if (row->ret_waits != NULL)
        *row->ret_waits = row->wake_ms > 0;
    return insert_all(s, row, reterr);
}

/* ---- dispatching again */

static void add_member(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ",\"%s\":", key);
    struct json *value = json_string_new(text);
    json_print(value, out);
    json_unref(value);
}

/* A text that a worker would not understand must not travel: without its checkpoints an execution would do its effects
 * again. */
static bool is_json(struct sql_rows *q, int column)
{
    bool damaged = false;
    json_unref(sql_json(q, column, &damaged));
    return !damaged;
}

static void add_checkpoint(struct buf *out, struct sql_rows *q)
{
    AUTO_JSON struct json *id = json_string_new(sql_text(q, 0));
    buf_add_str(out, out->len == 0 ? "[{\"nodeId\":" : ",{\"nodeId\":");
    json_print(id, out);
    buf_printf(out, ",\"attempt\":%d", (int)sql_int(q, 1));
    add_member(out, "state", sql_text(q, 2));
    const char *outputs = sql_text(q, 3); /* goes through as it came */
    buf_add_str(out, ",\"outputs\":");
    buf_add_str(out, outputs == NULL ? "null" : outputs);
    buf_printf(out, ",\"records\":%lld,\"startedMs\":%lld,\"endedMs\":%lld,\"wakeMs\":%lld", (long long)sql_int(q, 4),
               (long long)sql_int(q, 5), (long long)sql_int(q, 6), (long long)sql_int(q, 7));
    add_member(out, "errorId", sql_text(q, 8));
    add_member(out, "errorMessage", sql_text(q, 9));
    add_member(out, "iteration", sql_text(q, 10));
    const char *waiting = sql_text(q, 11);
    if (waiting != NULL)
        buf_printf(out, ",\"waiting\":%s", waiting);
    const char *evaluated = sql_text(q, 14);
    if (evaluated != NULL)
        buf_printf(out, ",\"evaluated\":%s", evaluated);
    buf_printf(out, ",\"epoch\":%d,\"unknown\":%d}", (int)sql_int(q, 12), (int)sql_int(q, 13));
}

/* Former attempts count for the retry policy when they failed, whoever told so: not those of unknown outcome, nor one
 * of which a lost worker told later that it waits, or succeeded for nothing. A backoff is of the epoch in which its
 * attempt began to wait: whoever was lost since may have come as far, and have made the next one. */
static enum err load_checkpoints(struct store_session *s, const struct sql_key *key, struct arena *arena,
                                 const char **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_BUF struct buf out = {0};
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT node_id, attempt, state, outputs, records, started_ms, ended_ms, wake_ms, error_id, "
                  "error_message, iteration, waiting,"
                  " CASE c.state WHEN 'backoff' THEN coalesce((SELECT min(w.epoch) FROM attempts w WHERE w.execution ="
                  " c.execution AND w.node_id = c.node_id AND w.iteration = c.iteration AND w.attempt = c.attempt AND"
                  " w.state = 'waiting'), c.epoch) ELSE c.epoch END,"
                  " attempt - 1 - (SELECT count(DISTINCT a.attempt) FROM attempts a WHERE a.execution = c.execution AND"
                  " a.node_id = c.node_id AND a.iteration = c.iteration"
                  " AND a.attempt < c.attempt AND a.state IN ('backoff', 'failed')), evaluated FROM checkpoints c"
                  " WHERE execution=? ORDER BY ended_ms, node_id",
                  "k", key);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        if (!is_json(q, 3) || !is_json(q, 11) || !is_json(q, 14))
            return sql_damaged("execution", key->id, reterr);
        add_checkpoint(&out, q);
    }
    if (code == ERR_OK && out.len > 0) {
        buf_add_char(&out, ']');
        *ret = arena_dup_n(arena, out.data, out.len);
    }
    return code;
}

static enum err load_dispatch(struct store_session *s, const struct sql_key *key, struct arena *arena,
                              struct store_dispatch *ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT e.id, e.flow_id, e.trigger_kind, e.trigger_node, i.input, i.restore, e.flow_version, e.epoch,"
                  " e.priority, e.created_ms, e.status, i.options, e.signals, e.body, e.depth, CASE e.parent_waits "
                  "WHEN 1 THEN e.parent_id END FROM executions e LEFT JOIN execution_inputs i ON i.execution ="
                  " e.{key} WHERE e.{key}=?",
                  "k", key);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code != ERR_OK)
        return code;
    if (!is_json(q, 4) || !is_json(q, 5) || !is_json(q, 11))
        return sql_damaged("execution", sql_text(q, 0), reterr);
    *ret = (struct store_dispatch){.id = sql_dup(q, 0, arena),
                                   .flow_id = sql_dup(q, 1, arena),
                                   .trigger = sql_dup(q, 2, arena),
                                   .trigger_node = sql_dup(q, 3, arena),
                                   .input_json = sql_dup(q, 4, arena),
                                   .restore_json = sql_dup(q, 5, arena),
                                   .options_json = sql_dup(q, 11, arena),
                                   .flow_version = (int)sql_int(q, 6),
                                   .epoch = (int)sql_int(q, 7),
                                   .priority = (int)sql_int(q, 8),
                                   .created_ms = sql_int(q, 9),
                                   .paused = (int)sql_int(q, 10) == RUN_PAUSED,
                                   .signals = sql_int(q, 12),
                                   .body = sql_dup(q, 13, arena),
                                   .depth = (int)sql_int(q, 14),
                                   .parent_id = sql_dup(q, 15, arena)};
    if (ret->signals > 0)
        code = sql_signals_text(s, key, arena, &ret->signals_json, reterr);
    return code != ERR_OK ? code : load_checkpoints(s, key, arena, &ret->checkpoints_json, reterr);
}

#define LOST_OLDEST (1u << 29) /* stands for all before it, too */

/* The epochs as seen from the next one. */
static unsigned lost_after(unsigned lost, bool this_one)
{
    return ((lost & (LOST_OLDEST - 1)) << 1) | (lost & LOST_OLDEST) | this_one;
}

/* What a person has paused stays paused and parked: only the person's resume lets it go on. */
enum err sql_execution_reassign(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                struct store_dispatch *ret, struct error *reterr)
{
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code != ERR_OK)
        return code;
    if (at.status >= RUN_SUCCESS)
        return error_set(reterr, ERR_CONFLICT, "status", "The execution %.60s is final (%s).", id,
                         store_status_name(at.status));
    if (expected_epoch != 0 && at.epoch != expected_epoch)
        return error_set(reterr, ERR_CONFLICT, "epoch", "The execution %.60s stands at epoch %d, not %d.", id, at.epoch,
                         expected_epoch);
    if (at.queued)
        return error_set(reterr, ERR_CONFLICT, "status", "The execution %.60s waits for its turn.", id);
    struct store_dispatch dispatch;
    unsigned lost = lost_after(at.lost, !at.settled);
    code = load_dispatch(s, &at.key, arena, &dispatch, reterr); /* first: what cannot be read must not lose its epoch */
    if (code == ERR_OK)
        code = sql_run(
            s, reterr,
            "UPDATE executions SET epoch = epoch + 1, worker_id = NULL, waiting_for = NULL, wake_ms = CASE status WHEN "
            "2 THEN wake_ms END,"
            " status = CASE status WHEN 2 THEN 2 ELSE 0 END, lost = ?, settled = 0 WHERE {key}=?",
            "dk", (int)lost, &at.key);
    if (code != ERR_OK)
        return code;
    dispatch.epoch = at.epoch + 1;
    dispatch.lost_epochs = lost;
    *ret = dispatch;
    return ERR_OK;
}

static enum err read_ids(struct store_session *s, struct sql_rows *q, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *rows = json_array_new();
    bool row = false;
    enum err code;
    while ((code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *execution = json_object_new();
        json_set_str(execution, "id", sql_text(q, 0));
        json_set_int(execution, "epoch", sql_int(q, 1));
        json_set_int(execution, "priority", sql_int(q, 2));
        json_set_str(execution, "flowId", sql_text(q, 3));
        json_push(rows, execution);
    }
    if (code == ERR_OK)
        *ret = json_ref(rows);
    return code;
}

enum err sql_executions_unfinished(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                   struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT id, epoch, priority, flow_id FROM executions WHERE status <= 2 AND wake_ms IS NULL AND id > ?"
                  " ORDER BY id LIMIT ?",
                  "ti", after_id == NULL ? "" : after_id, (int64_t)limit);
    return code == ERR_OK ? read_ids(s, q, ret, reterr) : code;
}

enum err sql_executions_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                            struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT id, epoch, priority, flow_id FROM executions WHERE status <= 2 AND wake_ms IS NOT NULL AND"
                  " wake_ms <= ? AND queue_ms IS NULL ORDER BY wake_ms LIMIT ?",
                  "ii", now_ms, (int64_t)limit);
    return code == ERR_OK ? read_ids(s, q, ret, reterr) : code;
}

int64_t sql_executions_next_due_ms(struct store_session *s)
{
    int64_t due = INT64_MAX;
    struct error ignored; /* without an answer nothing is known to be due; the sweep asks again */
    if (sql_number(
            s, &due, &ignored,
            "SELECT wake_ms FROM executions WHERE status <= 2 AND wake_ms IS NOT NULL AND queue_ms IS NULL ORDER BY"
            " wake_ms LIMIT 1",
            "") != ERR_OK)
        return INT64_MAX;
    return due;
}

/* ---- what a person does */

static enum err refuse(const char *what, const char *id, int status, struct error *reterr)
{
    return error_set(reterr, ERR_CONFLICT, "status", "The execution %.60s cannot be %s: it is %s.", id, what,
                     store_status_name(status));
}

enum err sql_execution_fail(struct store_session *s, const char *id, int64_t now_ms, const struct error *why,
                            struct error *reterr)
{
    struct sql_locator at;
    struct sql_parent parent;
    const struct store_finish end = {
        .status = RUN_FAILED, .ended_ms = now_ms, .error_id = error_id(why->code), .error_message = why->message};
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK && at.status >= RUN_SUCCESS)
        return refuse("given up", id, at.status, reterr);
    if (code == ERR_OK)
        code = sql_parent_load(s, &at.key, &parent, reterr);
    if (code == ERR_OK)
        code = sql_run(s, reterr,
                       "UPDATE executions SET status=4, ended_ms=?, epoch=epoch+1, " SQL_LOSE_EPOCH ", wake_ms=NULL,"
                       " error_id=?, error_message=? WHERE {key}=?",
                       "ittk", now_ms, end.error_id, end.error_message, &at.key);
    return code == ERR_OK ? sql_parent_tell(s, &parent, id, &end, reterr) : code;
}

enum err sql_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    (void)now_ms;
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK && at.status > RUN_RUNNING)
        return refuse("paused", id, at.status, reterr);
    return code != ERR_OK ? code
                          : sql_run(s, reterr, "UPDATE executions SET status=2, wake_ms=? WHERE {key}=?", "ik",
                                    INT64_MAX, &at.key);
}

enum err sql_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK && at.status != RUN_PAUSED)
        return refuse("resumed", id, at.status, reterr);
    return code != ERR_OK ? code
                          : sql_run(s, reterr,
                                    "UPDATE executions SET status=0, wake_ms = CASE waiting_for WHEN 'schedule' THEN"
                                    " 9223372036854775806 ELSE ? END WHERE {key}=?", /* STORE_UNTIL_RELEASED_MS */
                                    "ik", now_ms, &at.key);
}

enum err sql_execution_delete(struct store_session *s, const char *id, struct error *reterr)
{
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK && at.status < RUN_SUCCESS)
        return refuse("deleted", id, at.status, reterr);
    return code != ERR_OK ? code : sql_run(s, reterr, "DELETE FROM executions WHERE {key}=?", "k", &at.key);
}

enum err sql_execution_keep(struct store_session *s, const char *id, bool keep, struct error *reterr)
{
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    return code == ERR_OK ? sql_run(s, reterr, "UPDATE executions SET kept=? WHERE {key}=?", "dk", (int)keep, &at.key)
                          : code;
}
