/* Executions that others have started: their end is told to the parent in the same transaction, a cancelled one takes
 * along those that it waits for. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum err sql_parent_load(struct store_session *s, const struct sql_key *child, struct sql_parent *ret,
                         struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    *ret = (struct sql_parent){0};
    enum err code = sql_query(s, &q, reterr,
                              "SELECT parent_id, parent_node_id, parent_iteration, parent_waits FROM executions WHERE"
                              " {key}=?",
                              "k", child);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code != ERR_OK || !row || sql_text(q, 0) == NULL)
        return code;
    sql_copy(q, 0, ret->id, sizeof ret->id);
    sql_copy(q, 1, ret->node_id, sizeof ret->node_id);
    sql_copy(q, 2, ret->iteration, sizeof ret->iteration);
    ret->waits = sql_int(q, 3) != 0;
    return ERR_OK;
}

static void add_member(struct buf *out, const char *key, const char *text)
{
    AUTO_JSON struct json *value = json_string_new(text);
    buf_printf(out, ",\"%s\":", key);
    json_print(value, out);
}

enum err sql_parent_tell(struct store_session *s, const struct sql_parent *parent, const char *child_id,
                         const struct store_finish *end, struct error *reterr)
{
    char key[STORE_ID_BYTES + 8];
    AUTO_BUF struct buf payload;
    buf_init(&payload, 0);
    if (!parent->waits)
        return ERR_OK;
    buf_printf(&payload, "{\"status\":\"%s\"", run_status_name(end->status));
    add_member(&payload, "executionId", child_id);
    buf_printf(&payload, ",\"result\":%s", end->result_json == NULL ? "null" : end->result_json);
    if (end->error_id != NULL) {
        AUTO_JSON struct json *code_text = json_string_new(end->error_id);
        buf_add_str(&payload, ",\"error\":{\"code\":");
        json_print(code_text, &payload);
        add_member(&payload, "message", end->error_message);
        buf_add_char(&payload, '}');
    }
    buf_add_char(&payload, '}');
    (void)snprintf(key, sizeof key, "child:%s", child_id);
    return sql_signal_of_child(s,
                               &(struct store_signal){.execution_id = parent->id,
                                                      .node_id = parent->node_id,
                                                      .iteration = parent->iteration,
                                                      .payload_json = buf_str(&payload),
                                                      .key = key,
                                                      .at_ms = end->ended_ms},
                               reterr);
}

/* Looked up first: a refused insert would end a deferred transaction. */
static enum err is_known(struct store_session *s, const char *sql, const char *id, bool *ret, struct error *reterr)
{
    int64_t count = 0;
    enum err code = sql_number(s, &count, reterr, sql, "t", id);
    *ret = count > 0;
    return code;
}

enum err sql_child_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    bool inserted = false, flow = false;
    struct sql_parent parent = {.waits = row->parent_waits};
    char why[160];
    enum err code = is_known(s, "SELECT count(*) FROM executions WHERE id=?", row->id, &inserted, reterr);
    if (code != ERR_OK || inserted)
        return code;
    code = is_known(s, "SELECT count(*) FROM flows WHERE id=?", row->flow_id, &flow, reterr);
    if (code != ERR_OK || flow)
        return code == ERR_OK ? sql_execution_insert(s, row, reterr) : code;
    (void)snprintf(parent.id, sizeof parent.id, "%s", row->parent_id);
    (void)snprintf(parent.node_id, sizeof parent.node_id, "%s", row->parent_node_id);
    (void)snprintf(parent.iteration, sizeof parent.iteration, "%s", row->parent_iteration);
    (void)snprintf(why, sizeof why, "There is no flow %.60s any more.", row->flow_id);
    const struct store_finish end = {
        .status = RUN_FAILED, .ended_ms = row->created_ms, .error_id = error_id(ERR_NOT_FOUND), .error_message = why};
    return sql_parent_tell(s, &parent, row->id, &end, reterr);
}

/* ---- cancelling */

static enum err cancel_one(struct store_session *s, const char *id, int64_t now_ms, struct json *ids,
                           struct error *reterr)
{
    struct sql_locator at;
    struct sql_parent parent;
    const struct store_finish end = {.status = RUN_CANCELLED,
                                     .ended_ms = now_ms,
                                     .error_id = error_id(ERR_CANCELLED),
                                     .error_message = "It was cancelled."};
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK && at.status >= RUN_SUCCESS)
        return error_set(reterr, ERR_CONFLICT, "status", "The execution %.60s cannot be cancelled: it is %s.", id,
                         store_status_name(at.status));
    if (code == ERR_OK)
        code = sql_parent_load(s, &at.key, &parent, reterr);
    if (code == ERR_OK)
        code = sql_run(s, reterr,
                       "UPDATE executions SET status=5, ended_ms=?, epoch=epoch+1, " SQL_LOSE_EPOCH
                       ", wake_ms=NULL, waiting_for=NULL WHERE"
                       " {key}=?",
                       "ik", now_ms, &at.key);
    if (code == ERR_OK)
        code = sql_parent_tell(s, &parent, id, &end, reterr);
    if (code == ERR_OK)
        json_push(ids, json_string_new(id));
    return code;
}

static enum err find_awaited(struct store_session *s, const char *parent_id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code =
        sql_query(s, &q, reterr, "SELECT id FROM executions WHERE parent_id=? AND parent_waits = 1 AND status <= 2",
                  "t", parent_id);
    return code == ERR_OK ? sql_ids(s, q, ret, reterr) : code;
}

static enum err cancel_awaited(struct store_session *s, const char *parent_id, int64_t now_ms, struct json *ids,
                               struct error *reterr)
{
    AUTO_JSON struct json *children = NULL;
    enum err code = find_awaited(s, parent_id, &children, reterr);
    for (size_t i = 0; code == ERR_OK && i < json_count(children); i++) {
        code = cancel_one(s, json_as_str(json_at(children, i)), now_ms, ids, reterr);
        if (code == ERR_CONFLICT) /* it ended by itself */
            code = ERR_OK;
    }
    return code;
}

enum err sql_execution_cancel_all(struct store_session *s, const char *id, int64_t now_ms, struct json **ret_ids,
                                  struct error *reterr)
{
    AUTO_JSON struct json *ids = json_array_new();
    enum err code = cancel_one(s, id, now_ms, ids, reterr);
    for (size_t i = 0; code == ERR_OK && i < json_count(ids); i++) /* it grows meanwhile */
        code = cancel_awaited(s, json_as_str(json_at(ids, i)), now_ms, ids, reterr);
    if (code == ERR_OK && ret_ids != NULL)
        *ret_ids = json_ref(ids);
    return code;
}

enum err sql_child_drop(struct store_session *s, const char *parent_id, int epoch, const char *child_id, int64_t now_ms,
                        struct json **ret_ids, struct error *reterr)
{
    struct sql_locator at;
    int64_t dropped = 0;
    struct error gone = {0};
    *ret_ids = NULL;
    enum err code = sql_locate(s, parent_id, &at, reterr);
    if (code != ERR_OK || !at.found || at.epoch != epoch)
        return code;
    code =
        sql_change(s, &dropped, reterr,
                   "UPDATE executions SET parent_waits=0 WHERE id=? AND parent_id=? AND parent_waits=1 AND status <= 2",
                   "tt", child_id, parent_id);
    if (code != ERR_OK || dropped == 0)
        return code;
    code = sql_execution_cancel_all(s, child_id, now_ms, ret_ids, &gone);
    if (code == ERR_CONFLICT || code == ERR_NOT_FOUND)
        return ERR_OK;
    if (code != ERR_OK)
        *reterr = gone;
    return code;
}

enum err sql_children_orphaned(struct store_session *s, size_t limit, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT c.id FROM executions c WHERE c.status <= 2 AND c.parent_waits = 1 AND NOT EXISTS"
                              " (SELECT 1 FROM executions p WHERE p.id = c.parent_id AND p.status <= 2) LIMIT ?",
                              "i", (int64_t)limit);
    return code == ERR_OK ? sql_ids(s, q, ret, reterr) : code;
}
