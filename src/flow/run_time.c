/* What the clock does to a run: waits end, attempts are due again, deadlines pass. */
#include "flow/run_int.h"

static int64_t flow_deadline(const struct flow_run *run)
{
    return run->flow->settings.timeout_ms > 0 ? run->created_ms + run->flow->settings.timeout_ms : INT64_MAX;
}

static int64_t node_due(const struct flow_run *run, const struct scope *scope, unsigned index)
{
    const struct node_run *node = run_node_at(run, scope, index);
    int64_t timeout = run->flow->nodes[index].timeout_ms;
    if ((node->state == NODE_RUNNING || node->state == NODE_ITERATING) && timeout > 0)
        return node->started_ms + timeout;
    return !run->paused && (node->state == NODE_WAITING || node->state == NODE_BACKOFF) ? node->wake_ms : INT64_MAX;
}

static void on_late(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    struct error error;
    (void)error_set(&error, ERR_DEADLINE, "timeout", "The node took longer than %lld ms.",
                    (long long)run->flow->nodes[index].timeout_ms);
    if (node->state == NODE_ITERATING) {
        run_fail_for_good(run, scope, index, &error);
        return;
    }
    run_command_stop(run, scope->id, index, node->attempt);
    run_node_failed(run, scope, index, &error, true);
}

static void on_wait_over(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    if (node->wait == WAIT_CHILD) {
        struct error error;
        (void)error_set(&error, ERR_DEADLINE, "timeoutMs", "The sub-flow's execution %s did not end in time.",
                        json_get_str(node->waiting, "childId"));
        run_cancel_child(run, scope, index);
        run_node_failed(run, scope, index, &error, true);
        return;
    }
    run_leave_state(run, scope, node);
    node->ended_ms = run->now_ms;
    run_attempt_end(node, NODE_SUCCEEDED, run->now_ms, NULL);
    node->state = NODE_SUCCEEDED;
    if (node->wait == WAIT_SIGNAL) /* a signal that comes later must not be taken instead after a crash */
        run_checkpoint(run, scope, index, NULL);
    run_conclude(run, scope, index, NODE_SUCCEEDED);
}

static void node_is_due(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    switch (node->state) {
    case NODE_BACKOFF:
        run_leave_state(run, scope, node);
        run_start_attempt(run, scope, index);
        return;
    case NODE_WAITING:
        on_wait_over(run, scope, index);
        return;
    default:
        on_late(run, scope, index);
        return;
    }
}

static void scope_is_late(struct flow_run *run, struct scope *scope)
{
    struct error error;
    (void)error_set(&error, ERR_DEADLINE, "itemTimeoutMs", "The iteration took longer than its itemTimeoutMs.");
    run_scope_fail(run, scope, &error);
}

/* Anything may happen to the scope meanwhile: it is looked up again for each node. */
static void look_at_scope(struct flow_run *run, unsigned id)
{
    struct scope *scope = run_scope_find(run, id);
    if (scope->error == NULL && scope->deadline_ms <= run->now_ms && !scope->ended)
        scope_is_late(run, scope);
    for (unsigned i = 0; (scope = run_scope_find(run, id)) != NULL && scope->busy > 0 && i < scope->body->node_count;
         i++) {
        if (run_status_is_final(run->status))
            return;
        if (node_due(run, scope, scope->body->nodes[i]) <= run->now_ms)
            node_is_due(run, scope, scope->body->nodes[i]);
    }
}

void run_on_time(struct flow_run *run)
{
    if (run->now_ms >= flow_deadline(run)) {
        struct error error;
        (void)error_set(&error, ERR_DEADLINE, "settings.timeoutMs", "The execution took longer than %lld ms.",
                        (long long)run->flow->settings.timeout_ms);
        run_end(run, RUN_TIMEOUT, &error);
        return;
    }
    for (unsigned i = 0; i < run->scope_cap && !run_status_is_final(run->status); i++)
        if (run->scopes[i] != NULL)
            look_at_scope(run, run->scopes[i]->id);
}

static int64_t scope_due(const struct flow_run *run, const struct scope *scope)
{
    int64_t due = scope->deadline_ms;
    unsigned left = scope->busy;
    for (unsigned i = 0; i < scope->body->node_count && left > 0; i++) {
        enum node_state state = scope->nodes[i].state;
        if (state != NODE_RUNNING && state != NODE_WAITING && state != NODE_BACKOFF && state != NODE_ITERATING)
            continue;
        left--;
        int64_t at = node_due(run, scope, scope->body->nodes[i]);
        due = at < due ? at : due;
    }
    return due;
}

int64_t flow_run_due_ms(const struct flow_run *run)
{
    int64_t due = flow_deadline(run);
    for (unsigned i = 0; i < run->scope_cap; i++) {
        int64_t at = run->scopes[i] == NULL ? INT64_MAX : scope_due(run, run->scopes[i]);
        due = at < due ? at : due;
    }
    return due;
}
