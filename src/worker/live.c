/* What somebody who watches an execution is told of its nodes as they begin and end. It goes straight to the gateways,
 * at most once in LIVE_MS for each execution, with all that has changed since; nothing of it is stored. Executions that
 * nobody watches cost nothing. */
#include "worker/worker_int.h"

#include "broker/messages.h"
#include <stdlib.h>
#include <string.h>

#define LIVE_MS 40
#define UNTOLD UINT8_MAX

struct live {
    struct loop_timer *timer;
    bool posted;
    unsigned char *told; /* enum node_state by node, as it was told last */
    enum node_state *now;
};

static struct json *update_new(const struct active *active)
{
    const struct flow_run *run = active->run;
    unsigned done, total;
    struct json *update = message_update_new(active->id, flow_run_flow(run)->id, run_status_name(flow_run_status(run)),
                                             flow_run_records(run), loop_now_ms(active->worker->options.loop));
    flow_run_progress(run, &done, &total);
    json_set_int(update, "progress", total == 0 ? 0 : done * 100 / total);
    return update;
}

/* What is to be told: node -> state; NULL: nothing. The last one that began, or else that changed, is in *ret. */
static struct json *take_changes(struct active *active, const struct flow_node **ret)
{
    struct live *live = active->live;
    const struct flow *flow = flow_run_flow(active->run);
    struct json *changes = NULL;
    bool runs = false;
    flow_run_node_states(active->run, live->now);
    for (unsigned i = 0; i < flow->node_count; i++) {
        enum node_state state = live->now[i];
        bool told = live->told[i] == UNTOLD ? state == NODE_IDLE : live->told[i] == state;
        if (told || state == NODE_READY)
            continue;
        live->told[i] = (unsigned char)state;
        if (changes == NULL)
            changes = json_object_new();
        json_set_str(changes, flow->nodes[i].id, node_state_name(state));
        if (state == NODE_RUNNING || !runs)
            *ret = &flow->nodes[i];
        runs |= state == NODE_RUNNING;
    }
    return changes;
}

void live_flush(struct active *active)
{
    const struct flow_node *node = NULL;
    struct json *changes = active->live == NULL ? NULL : take_changes(active, &node);
    if (changes == NULL)
        return;
    const char *state = json_get_str(changes, node->id);
    AUTO_JSON struct json *update = update_new(active);
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    json_set_str(update, "currentNode", node->id);
    json_set_str(update, "nodeStatus", state);
    if (strcmp(state, node_state_name(NODE_RUNNING)) == 0) { /* of what has ended the orchestrator tells */
        AUTO_FREE char *text = mem_printf("Node %s started.", node->id);
        json_set_str(update, "message", text);
    }
    json_set(update, "nodes", changes);
    json_print(update, &body);
    broker_broadcast(active->worker->connection, TOPIC_LIVE, body.data, body.len);
}

static void on_time(void *user)
{
    struct active *active = user;
    active->live->posted = false;
    live_flush(active);
}

void live_changed(struct active *active)
{
    struct live *live = active->live;
    if (live == NULL || live->posted)
        return;
    live->posted = true;
    loop_timer_set(live->timer, LIVE_MS);
}

void live_watch(struct active *active)
{
    const struct flow *flow = flow_run_flow(active->run);
    if (active->live == NULL) {
        active->live = mem_alloc(sizeof *active->live);
        active->live->timer = loop_timer_new(active->worker->options.loop, on_time, active);
        active->live->told = mem_array(flow->node_count, sizeof *active->live->told);
        active->live->now = mem_array(flow->node_count, sizeof *active->live->now);
    }
    memset(active->live->told, UNTOLD, flow->node_count); /* whoever is new learns of all */
    live_changed(active);
}

void live_free(struct active *active)
{
    if (active->live == NULL)
        return;
    loop_timer_free(active->live->timer);
    free(active->live->told);
    free(active->live->now);
    free(active->live);
}
