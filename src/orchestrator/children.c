/* Executions that others have started, and words from outside for those that run.
 *
 * A child is inserted in the write that applies its parent's checkpoint, as one that is due at once: nothing is
 * submitted that could be lost. Its end is a signal to the parent, inserted in the write that applies the end
 * (store/sql/children.c). A parked parent is due then; one that runs is handed its signals by the owner of its shard,
 * and what does not arrive there makes it due when it parks, or is handed over again by the sweep. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include <string.h>

#define SWEEP_MAX 500

static bool is_start(const struct store_event *event, const struct json *waiting, bool *ret_waits)
{
    const char *kind = json_get_str(waiting, "kind");
    *ret_waits = kind != NULL && strcmp(kind, "child") == 0 && event->checkpoint.state == NODE_WAITING;
    return *ret_waits || (kind != NULL && strcmp(kind, "start") == 0 && event->checkpoint.state == NODE_SUCCEEDED);
}

enum err children_start(struct store_session *session, const struct store_event *event, bool *ret_started,
                        struct error *reterr)
{
    AUTO_JSON struct json *waiting = NULL, *parent = NULL;
    bool waits;
    *ret_started = false;
    if (json_parse(event->checkpoint_waiting_json, strlen(event->checkpoint_waiting_json), &waiting, NULL) != ERR_OK ||
        !is_start(event, waiting, &waits))
        return ERR_OK;
    enum err code = store_execution_load(session, event->execution_id, &parent, reterr);
    if (code != ERR_OK)
        return code;
    const char *iteration = event->checkpoint.iteration;
    AUTO_FREE char *input = json_has(waiting, "input") ? json_dup_text(json_get(waiting, "input")) : NULL;
    const struct store_execution row = {.id = json_get_str(waiting, "childId"),
                                        .flow_id = json_get_str(waiting, "flowId"),
                                        .flow_version = (int)json_get_int(waiting, "flowVersion", 1),
                                        .trigger = "flow",
                                        .priority = (int)json_get_int(parent, "priority", 1),
                                        .input_json = input,
                                        .created_ms = event->at_ms,
                                        .wake_ms = event->at_ms,
                                        .parent_id = event->execution_id,
                                        .parent_node_id = event->checkpoint.node_id,
                                        .parent_iteration = iteration == NULL ? "0" : iteration,
                                        .parent_waits = waits,
                                        .depth = (int)json_get_int(waiting, "depth", 1),
                                        .body = json_get_str(waiting, "body")};
    if (row.id == NULL || row.flow_id == NULL)
        return ERR_OK;
    *ret_started = true; /* or the parent is told why not: it is due then */
    return store_child_insert(session, &row, reterr);
}

enum err children_drop(struct store_session *session, const struct json *event, int64_t now_ms, struct json **ret_ids,
                       struct error *reterr)
{
    const char *child = json_get_str(event, "childId"), *id = json_get_str(event, "id");
    return child == NULL || id == NULL
               ? ERR_OK
               : store_child_drop(session, id, (int)json_get_int(event, "epoch", 0), child, now_ms, ret_ids, reterr);
}

void children_tell_cancelled(struct orchestrator *o, const struct json *ids)
{
    for (size_t i = 0; i < json_count(ids); i++) {
        AUTO_FREE char *body = mem_printf("{\"cancel\":\"%s\"}", json_as_str(json_at(ids, i)));
        broker_broadcast(o->connection, TOPIC_CONTROL, body, strlen(body));
    }
}

/* ---- signals */

/* Whoever runs it gets all that nobody has taken: it knows by itself which are new. */
static void hand_over(struct orchestrator *o, const struct json *signals)
{
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    buf_add_str(&body, "{\"signal\":");
    json_print(signals, &body);
    buf_add_char(&body, '}');
    broker_broadcast(o->connection, TOPIC_CONTROL, body.data, body.len);
}

/* What the store does not answer now, the sweep finds. */
void signals_look(struct orchestrator *o, const char *id)
{
    AUTO_JSON struct json *signals = NULL;
    struct store_session *session;
    struct error error;
    if (!shards_own(o, id) || o->stopped)
        return;
    waking_at(o, loop_now_ms(o->options.loop));
    recall_put(&o->signalled, id, 1);
    if (map_get(&o->flights, id) == NULL || store_read_begin(o->options.store, &session, &error) != ERR_OK)
        return;
    enum err code = store_signals_load(session, id, &signals, &error);
    store_read_end(o->options.store, session);
    if (code == ERR_OK && signals != NULL)
        hand_over(o, signals);
}

static enum err read_open(struct orchestrator *o, struct json **ret_open, struct json **ret_orphaned)
{
    struct store_session *session;
    struct error error;
    enum err code = store_read_begin(o->options.store, &session, &error);
    if (code != ERR_OK)
        return code;
    code = store_signals_open(session, SWEEP_MAX, ret_open, &error);
    if (code == ERR_OK && shards_lead(o))
        code = store_children_orphaned(session, SWEEP_MAX, ret_orphaned, &error);
    store_read_end(o->options.store, session);
    return code;
}

void signals_sweep(struct orchestrator *o)
{
    AUTO_JSON struct json *open = NULL, *orphaned = NULL;
    if (read_open(o, &open, &orphaned) != ERR_OK)
        return;                                 /* the next sweep asks again */
    waking_at(o, loop_now_ms(o->options.loop)); /* another may have made something due whose word was lost */
    for (size_t i = 0; i < json_count(open); i++)
        signals_look(o, json_as_str(json_at(open, i)));
    for (size_t i = 0; i < json_count(orphaned); i++)
        apply_cancel(o, json_as_str(json_at(orphaned, i)));
}
