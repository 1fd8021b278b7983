/* Words from outside that wait for a node to take them, and the links under which a person answers. */
#include "store/sql/sql_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include "flow/run.h"
#include <string.h>

/* ---- inserting. The execution's row is held meanwhile: its numbers follow each other. */

static enum err find_key(struct store_session *s, const struct sql_key *execution, const char *key, int64_t *ret,
                         struct error *reterr)
{
    *ret = 0;
    return key == NULL
               ? ERR_OK
               : sql_number(s, ret, reterr, "SELECT id FROM signals WHERE execution=? AND key=?", "kt", execution, key);
}

static enum err check_room(struct store_session *s, const struct sql_key *execution, struct error *reterr)
{
    int64_t kept = 0;
    enum err code = sql_number(
        s, &kept, reterr, "SELECT count(*) FROM signals WHERE execution=? AND taken=0 AND of_child=0", "k", execution);
    if (code == ERR_OK && kept >= LIMIT_SIGNALS)
        return error_set(reterr, ERR_LIMIT, NULL,
                         "The execution %.60s has %d signals that no node has taken; it keeps no more.", execution->id,
                         LIMIT_SIGNALS);
    return code;
}

/* What is parked is due now. Any other wait (for its schedule, for a person's resume) goes on. */
static enum err insert(struct store_session *s, const struct sql_locator *at, const struct store_signal *signal,
                       bool of_child, struct error *reterr)
{
    enum err code =
        sql_run(s, reterr,
                "INSERT INTO signals(execution, id, of_child, name, node_id, iteration, payload, key, at_ms)"
                " VALUES(?,?,?,?,?,?,?,?,?)",
                "kidttttti", &at->key, at->signals + 1, (int)of_child, signal->name, signal->node_id, signal->iteration,
                signal->payload_json, signal->key, signal->at_ms);
    return code != ERR_OK
               ? code
               : sql_run(s, reterr,
                         "UPDATE executions SET signals=?, wake_ms = CASE WHEN status = 1 AND settled = 1 AND"
                         " wake_ms > ? THEN ? ELSE wake_ms END WHERE {key}=?",
                         "iiik", at->signals + 1, signal->at_ms, signal->at_ms, &at->key);
}

enum err sql_signal_of_child(struct store_session *s, const struct store_signal *signal, struct error *reterr)
{
    struct sql_locator at;
    int64_t known = 0;
    enum err code = sql_locate(s, signal->execution_id, &at, reterr);
    if (code != ERR_OK || !at.found || at.status >= RUN_SUCCESS)
        return code; /* nobody is left to hear it */
    code = find_key(s, &at.key, signal->key, &known, reterr);
    return code != ERR_OK || known > 0 ? code : insert(s, &at, signal, true, reterr);
}

static bool fits(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

/* As the run takes it (flow/run_signal.c). */
static enum err find_awaited(struct store_session *s, const struct sql_key *execution,
                             const struct store_signal *signal, bool *ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false, damaged = false;
    enum err code = sql_query(
        s, &q, reterr, "SELECT node_id, iteration, waiting FROM checkpoints WHERE execution=? AND state='waiting'", "k",
        execution);
    *ret = false;
    while (code == ERR_OK && !*ret && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        AUTO_JSON struct json *waiting = sql_json(q, 2, &damaged);
        *ret = run_waits_for_signal(waiting, signal->name) && fits(signal->node_id, sql_text(q, 0)) &&
               fits(signal->iteration, sql_text(q, 1));
    }
    return code;
}

enum err sql_signal_insert(struct store_session *s, const struct store_signal *signal, struct store_receipt *ret,
                           struct error *reterr)
{
    struct sql_locator at;
    struct store_receipt receipt = {0};
    enum err code = sql_locate_or_fail(s, signal->execution_id, &at, reterr);
    if (code == ERR_OK && at.status >= RUN_SUCCESS)
        return error_set(reterr, ERR_CONFLICT, "status",
                         "The execution %.60s is %s: no node of it can take a signal any more.", signal->execution_id,
                         store_status_name(at.status));
    if (code == ERR_OK)
        code = find_key(s, &at.key, signal->key, &receipt.id, reterr);
    receipt.repeated = receipt.id > 0;
    if (code == ERR_OK)
        code = find_awaited(s, &at.key, signal, &receipt.awaited, reterr);
    if (code == ERR_OK && !receipt.repeated)
        code = check_room(s, &at.key, reterr);
    if (code == ERR_OK && !receipt.repeated) {
        receipt.id = at.signals + 1;
        code = insert(s, &at, signal, false, reterr);
    }
    if (code == ERR_OK)
        *ret = receipt;
    return code;
}

/* ---- reading */

static enum err read_signals(struct store_session *s, const struct sql_key *execution, struct json *list,
                             struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false, damaged = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT id, of_child, name, node_id, iteration, payload FROM signals WHERE execution=? AND"
                  " taken=0 ORDER BY id",
                  "k", execution);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *signal = json_object_new();
        json_set_int(signal, "id", sql_int(q, 0));
        json_set_bool(signal, "child", sql_int(q, 1) != 0);
        json_set_str(signal, "name", sql_text(q, 2));
        json_set_str(signal, "nodeId", sql_text(q, 3));
        json_set_str(signal, "iteration", sql_text(q, 4));
        json_set(signal, "payload", sql_json(q, 5, &damaged));
        json_push(list, signal);
    }
    return code == ERR_OK && damaged ? sql_damaged("execution", execution->id, reterr) : code;
}

enum err sql_signals_text(struct store_session *s, const struct sql_key *execution, struct arena *arena,
                          const char **ret, struct error *reterr)
{
    AUTO_JSON struct json *list = json_array_new();
    enum err code = read_signals(s, execution, list, reterr);
    if (code != ERR_OK || json_count(list) == 0)
        return code;
    AUTO_FREE char *text = json_dup_text(list);
    *ret = arena_dup(arena, text);
    return ERR_OK;
}

enum err sql_signals_load(struct store_session *s, const char *execution_id, struct json **ret, struct error *reterr)
{
    struct sql_locator at;
    enum err code = sql_locate(s, execution_id, &at, reterr);
    *ret = NULL;
    if (code != ERR_OK || !at.found || at.status >= RUN_SUCCESS)
        return code;
    AUTO_JSON struct json *answer = json_object_new();
    struct json *list = json_array_new();
    json_set_str(answer, "id", execution_id);
    json_set(answer, "signals", list);
    json_set_int(answer, "seen", at.signals);
    code = at.signals > 0 ? read_signals(s, &at.key, list, reterr) : ERR_OK;
    if (code == ERR_OK)
        *ret = json_ref(answer);
    return code;
}

enum err sql_ids(struct store_session *s, struct sql_rows *rows, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *ids = json_array_new();
    bool row = false;
    enum err code;
    while ((code = sql_step(s, rows, &row, reterr)) == ERR_OK && row)
        json_push(ids, json_string_new(sql_text(rows, 0)));
    if (code == ERR_OK)
        *ret = json_ref(ids);
    return code;
}

enum err sql_signals_open(struct store_session *s, size_t limit, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT DISTINCT e.id FROM signals g JOIN executions e ON e.{key} = g.execution WHERE"
                              " g.taken = 0 AND e.status <= 2 AND e.wake_ms IS NULL LIMIT ?",
                              "i", (int64_t)limit);
    return code == ERR_OK ? sql_ids(s, q, ret, reterr) : code;
}

/* ---- links */

static struct json *describe(struct sql_rows *q, int64_t now_ms, bool *damaged)
{
    struct json *wait = json_object_new();
    AUTO_JSON struct json *waiting = sql_json(q, 6, damaged);
    int64_t wake_ms = sql_int(q, 7);
    const char *state = sql_text(q, 5);
    bool waits = state != NULL && strcmp(state, "waiting") == 0 && sql_int(q, 4) < RUN_SUCCESS && wake_ms > now_ms;
    json_set_str(wait, "executionId", sql_text(q, 0));
    json_set_str(wait, "flowId", sql_text(q, 1));
    json_set_str(wait, "nodeId", sql_text(q, 2));
    json_set_str(wait, "iteration", sql_text(q, 3));
    json_set_str(wait, "state", sql_text(q, 8) != NULL ? "answered" : waits ? "open" : "over");
    store_set_time(wait, "until", wake_ms >= RUN_WAKE_NEVER ? 0 : wake_ms);
    json_set(wait, "approval", json_ref(json_get(waiting, "approval")));
    json_set(wait, "answer", sql_json(q, 8, damaged));
    return wait;
}

enum err sql_wait_load(struct store_session *s, const char *token, int64_t now_ms, struct json **ret,
                       struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false, damaged = false;
    enum err code = sql_query(
        s, &q, reterr,
        "SELECT e.id, e.flow_id, w.node_id, w.iteration, e.status, c.state, c.waiting, c.wake_ms, w.answer"
        " FROM wait_tokens w JOIN executions e ON e.{key} = w.execution LEFT JOIN checkpoints c ON c.execution"
        " = w.execution AND c.node_id = w.node_id AND c.iteration = w.iteration WHERE w.token=?",
        "t", token);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return error_set(reterr, ERR_NOT_FOUND, "token", "There is no such link.");
    if (code != ERR_OK)
        return code;
    struct json *wait = describe(q, now_ms, &damaged);
    return sql_decoded(wait, damaged, "execution", json_get_str(wait, "executionId"), ret, reterr);
}

/* The execution's row is held from here on: of two answers one is the first. */
enum err sql_wait_answer(struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
                         struct error *reterr)
{
    AUTO_JSON struct json *before = NULL, *wait = NULL;
    struct sql_locator at;
    enum err code = sql_wait_load(s, token, now_ms, &before, reterr);
    if (code == ERR_OK)
        code = sql_locate_or_fail(s, json_get_str(before, "executionId"), &at, reterr);
    if (code == ERR_OK) /* again, now that nobody else can change it */
        code = sql_wait_load(s, token, now_ms, &wait, reterr);
    if (code != ERR_OK)
        return code;
    const char *state = json_get_str(wait, "state");
    if (strcmp(state, "open") != 0)
        return error_set(reterr, ERR_CONFLICT, "state", "%s",
                         strcmp(state, "answered") == 0 ? "This has been answered already."
                                                        : "Nobody waits for this answer any more.");
    code = insert(s, &at,
                  &(struct store_signal){.name = token,
                                         .node_id = json_get_str(wait, "nodeId"),
                                         .iteration = json_get_str(wait, "iteration"),
                                         .payload_json = answer_json,
                                         .key = token,
                                         .at_ms = now_ms},
                  false, reterr);
    return code != ERR_OK ? code
                          : sql_run(s, reterr, "UPDATE wait_tokens SET answer=?, answered_ms=? WHERE token=?", "tit",
                                    answer_json, now_ms, token);
}
