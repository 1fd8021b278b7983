/* The verbs of store.h, sent to the session's back end; what writes needs a session of store_write. */
#include "store/sql/sql_int.h"

#include <string.h>

static enum err refuse_read_only(const struct store_session *s, struct error *reterr)
{
    if (s->writable)
        return ERR_OK;
    return error_set(reterr, ERR_INTERNAL, NULL, "A verb that writes was called outside of store_write.");
}

/* For verbs that make something: what has an id of another length could not be paged through. */
static enum err refuse_insert(const struct store_session *s, const char *id, size_t id_bytes, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    if (refused != ERR_OK)
        return refused;
    if (id == NULL || id[0] == '\0' || strlen(id) >= id_bytes)
        return error_set(reterr, ERR_VALIDATION, "id", "id must be a text of 1 to %zu bytes.", id_bytes - 1);
    return ERR_OK;
}

enum err store_flow_insert(struct store_session *s, const struct json *flow, int64_t now_ms, struct error *reterr)
{
    enum err refused = refuse_insert(s, json_get_str(flow, "id"), STORE_FLOW_ID_BYTES, reterr);
    return refused != ERR_OK ? refused : sql_flow_insert(s, flow, now_ms, reterr);
}

enum err store_flow_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                           struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_flow_update(s, id, changes, now_ms, reterr);
}

enum err store_flow_delete(struct store_session *s, const char *id, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_flow_delete(s, id, reterr);
}

enum err store_flow_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    return sql_flow_load(s, id, ret, reterr);
}

enum err store_flow_version(struct store_session *s, const char *id, bool published, int *ret, struct error *reterr)
{
    return sql_flow_version(s, id, published, ret, reterr);
}

enum err store_flow_listeners(struct store_session *s, struct json **ret, struct error *reterr)
{
    return sql_flow_listeners(s, ret, reterr);
}

enum err store_flow_publish(struct store_session *s, const char *id, int version, const char *author, const char *note,
                            int64_t now_ms, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_flow_publish(s, id, version, author, note, now_ms, reterr);
}

enum err store_flow_load_version(struct store_session *s, const char *id, int version, struct json **ret,
                                 struct error *reterr)
{
    return sql_flow_load_version(s, id, version, ret, reterr);
}

enum err store_flow_start(struct store_session *s, const char *id, bool published, struct store_flow_start *ret,
                          struct error *reterr)
{
    return sql_flow_start(s, id, published, ret, reterr);
}

enum err store_limits_break(struct store_session *s, int64_t now_ms, struct store_place *at,
                            char ret_id[STORE_PLACE_BYTES], struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_limits_break(s, now_ms, at, ret_id, reterr);
}

enum err store_limits_admit(struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
                            struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_limits_admit(s, now_ms, tell, ret, reterr);
}

bool store_limits_waiting(struct store_session *s)
{
    return sql_limits_waiting(s);
}

enum err store_flows_stamp(struct store_session *s, int64_t *ret, struct error *reterr)
{
    return sql_flows_stamp(s, ret, reterr);
}

enum err store_flow_find_by_name(struct store_session *s, const char *name, char ret_id[40], struct error *reterr)
{
    return sql_flow_find_by_name(s, name, ret_id, reterr);
}

enum err store_flow_versions(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    return sql_flow_versions(s, id, ret, reterr);
}

enum err store_flow_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    return sql_flow_list(s, filter, ret, reterr);
}

enum err store_schedule_list(struct store_session *s, const struct json *filter, struct json **ret,
                             struct error *reterr)
{
    return sql_schedule_list(s, filter, ret, reterr);
}

enum err store_execution_list(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr)
{
    return sql_execution_list(s, filter, ret, reterr);
}

enum err store_dead_letter_list(struct store_session *s, const struct json *filter, struct json **ret,
                                struct error *reterr)
{
    return sql_dead_letter_list(s, filter, ret, reterr);
}

enum err store_audit_prune(struct store_session *s, int64_t before_ms, size_t limit, struct error *reterr)
{
    return sql_audit_prune(s, before_ms, limit, reterr);
}

enum err store_audit_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    return sql_audit_list(s, filter, ret, reterr);
}

enum err store_schedule_insert(struct store_session *s, const struct json *schedule, int64_t now_ms,
                               struct error *reterr)
{
    enum err refused = refuse_insert(s, json_get_str(schedule, "id"), STORE_ID_BYTES, reterr);
    return refused != ERR_OK ? refused : sql_schedule_insert(s, schedule, now_ms, reterr);
}

enum err store_schedule_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                               struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_schedule_update(s, id, changes, now_ms, reterr);
}

enum err store_schedule_delete(struct store_session *s, const char *id, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_schedule_delete(s, id, reterr);
}

enum err store_schedule_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    return sql_schedule_load(s, id, ret, reterr);
}

enum err store_schedules_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                             struct error *reterr)
{
    return sql_schedules_due(s, now_ms, limit, ret, reterr);
}

enum err store_instant_insert(struct store_session *s, const struct store_instant *instant, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_instant_insert(s, instant, reterr);
}

enum err store_instant_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    return sql_instant_list(s, filter, ret, reterr);
}

enum err store_schedule_unfinished(struct store_session *s, const char *schedule_id, size_t limit, struct json **ret,
                                   struct error *reterr)
{
    return sql_schedule_unfinished(s, schedule_id, limit, ret, reterr);
}

enum err store_backfill_unfinished(struct store_session *s, const char *schedule_id, const char *backfill_id,
                                   int64_t *ret, struct error *reterr)
{
    return sql_backfill_unfinished(s, schedule_id, backfill_id, ret, reterr);
}

enum err store_schedules_release(struct store_session *s, int64_t now_ms, int64_t *ret_released, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_schedules_release(s, now_ms, ret_released, reterr);
}

bool store_schedules_waiting(struct store_session *s)
{
    return sql_schedules_waiting(s);
}

enum err store_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    enum err refused = refuse_insert(s, row->id, STORE_ID_BYTES, reterr);
    return refused != ERR_OK ? refused : sql_execution_insert(s, row, reterr);
}

enum err store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                           struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_event_apply(s, event, ret_applied, reterr);
}

enum err store_execution_reassign(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                  struct store_dispatch *ret, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_reassign(s, id, expected_epoch, arena, ret, reterr);
}

enum err store_executions_unfinished(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                     struct error *reterr)
{
    return sql_executions_unfinished(s, after_id, limit, ret, reterr);
}

enum err store_executions_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                              struct error *reterr)
{
    return sql_executions_due(s, now_ms, limit, ret, reterr);
}

int64_t store_executions_next_due_ms(struct store_session *s)
{
    return sql_executions_next_due_ms(s);
}

enum err store_execution_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    return sql_execution_load(s, id, ret, reterr);
}

enum err store_execution_load_detail(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    return sql_execution_load_detail(s, id, ret, reterr);
}

enum err store_execution_logs(struct store_session *s, const char *id, const char *level, const char *node_id,
                              struct json **ret, struct error *reterr)
{
    return sql_execution_logs(s, id, level, node_id, ret, reterr);
}

enum err store_execution_delete(struct store_session *s, const char *id, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_delete(s, id, reterr);
}

enum err store_execution_cancel(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    return store_execution_cancel_all(s, id, now_ms, NULL, reterr);
}

enum err store_execution_cancel_all(struct store_session *s, const char *id, int64_t now_ms, struct json **ret_ids,
                                    struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_cancel_all(s, id, now_ms, ret_ids, reterr);
}

enum err store_signal_insert(struct store_session *s, const struct store_signal *signal, struct store_receipt *ret,
                             struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_signal_insert(s, signal, ret, reterr);
}

enum err store_signals_load(struct store_session *s, const char *execution_id, struct json **ret, struct error *reterr)
{
    return sql_signals_load(s, execution_id, ret, reterr);
}

enum err store_signals_open(struct store_session *s, size_t limit, struct json **ret, struct error *reterr)
{
    return sql_signals_open(s, limit, ret, reterr);
}

enum err store_wait_load(struct store_session *s, const char *token, int64_t now_ms, struct json **ret,
                         struct error *reterr)
{
    return sql_wait_load(s, token, now_ms, ret, reterr);
}

enum err store_wait_answer(struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
                           struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_wait_answer(s, token, answer_json, now_ms, reterr);
}

enum err store_child_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    enum err refused = refuse_insert(s, row->id, STORE_ID_BYTES, reterr);
    return refused != ERR_OK ? refused : sql_child_insert(s, row, reterr);
}

enum err store_child_drop(struct store_session *s, const char *parent_id, int epoch, const char *child_id,
                          int64_t now_ms, struct json **ret_ids, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_child_drop(s, parent_id, epoch, child_id, now_ms, ret_ids, reterr);
}

enum err store_children_orphaned(struct store_session *s, size_t limit, struct json **ret, struct error *reterr)
{
    return sql_children_orphaned(s, limit, ret, reterr);
}

enum err store_executions_ended(struct store_session *s, const struct json *ids, struct json **ret,
                                struct error *reterr)
{
    return sql_executions_ended(s, ids, ret, reterr);
}

enum err store_execution_fail(struct store_session *s, const char *id, int64_t now_ms, const struct error *why,
                              struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_fail(s, id, now_ms, why, reterr);
}

enum err store_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_pause(s, id, now_ms, reterr);
}

enum err store_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_resume(s, id, now_ms, reterr);
}

enum err store_execution_counts(struct store_session *s, int64_t since_ms, struct json **ret, struct error *reterr)
{
    return sql_execution_counts(s, since_ms, ret, reterr);
}

enum err store_execution_keep(struct store_session *s, const char *id, bool keep, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_execution_keep(s, id, keep, reterr);
}

enum err store_retention_apply(struct store_session *s, const struct store_retention *rule, size_t limit,
                               int64_t *ret_deleted, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_retention_apply(s, rule, limit, ret_deleted, reterr);
}

enum err store_put(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                   int64_t now_ms, struct error *reterr)
{
    enum err refused = refuse_insert(s, id, STORE_ID_BYTES, reterr);
    return refused != ERR_OK ? refused : sql_put(s, table, id, document, now_ms, reterr);
}

enum err store_get(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                   struct error *reterr)
{
    return sql_get(s, table, id, ret, reterr);
}

enum err store_find(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                    struct error *reterr)
{
    return sql_find(s, table, key, ret, reterr);
}

enum err store_remove(struct store_session *s, enum store_table table, const char *id, struct error *reterr)
{
    enum err refused = refuse_read_only(s, reterr);
    return refused != ERR_OK ? refused : sql_remove(s, table, id, reterr);
}

enum err store_all(struct store_session *s, enum store_table table, struct json **ret, struct error *reterr)
{
    return sql_all(s, table, ret, reterr);
}

enum err store_scope_list(struct store_session *s, enum store_table table, const char *scope, const char *after,
                          size_t limit, struct json **ret, struct error *reterr)
{
    return sql_scope_list(s, table, scope, after, limit, ret, reterr);
}
