/* Attempts of nodes: how they begin, what comes of them. */
#include "flow/run_int.h"

#include <stdlib.h>
#include <string.h>

bool run_has_effects(const struct flow_run *run, unsigned index)
{
    const struct flow_node_spec *spec = run->flow->nodes[index].spec;
    return !spec->pure && spec->trigger == NULL;
}

/* Also what came first, and what expressions and code came to. */
bool run_is_kept(const struct flow_run *run, unsigned index)
{
    return run_has_effects(run, index) || run->flow->nodes[index].join_first || run->flow->nodes[index].changing;
}

struct attempt *run_attempt_add(struct flow_run *run, struct node_run *node, int number, int epoch,
                                enum node_state state, int64_t started_ms)
{
    struct attempt *attempt = run->free_attempts;
    if (attempt != NULL)
        run->free_attempts = attempt->next;
    else
        attempt = arena_alloc(&run->arena, sizeof *attempt);
    *attempt = (struct attempt){.number = number, .epoch = epoch, .state = state, .started_ms = started_ms};
    if (node->last_attempt != NULL)
        node->last_attempt->next = attempt;
    else
        node->attempts = attempt;
    node->last_attempt = attempt;
    return attempt;
}

void run_attempt_end(struct node_run *node, enum node_state state, int64_t ended_ms, const char *error)
{
    struct attempt *attempt = node->last_attempt;
    if (attempt == NULL)
        return;
    attempt->state = state;
    attempt->ended_ms = ended_ms;
    free(attempt->error);
    attempt->error = mem_dup(error);
}

void run_enter_state(struct flow_run *run, struct scope *scope, struct node_run *node, enum node_state state)
{
    node->state = state;
    scope->busy++;
    run->running += state == NODE_RUNNING;
    run->timed += state == NODE_WAITING || state == NODE_BACKOFF;
}

void run_leave_state(struct flow_run *run, struct scope *scope, struct node_run *node)
{
    scope->busy--;
    run->running -= node->state == NODE_RUNNING;
    run->timed -= node->state == NODE_WAITING || node->state == NODE_BACKOFF;
}

void run_set_error(struct flow_run *run, struct node_run *node, unsigned index, const char *code, const char *message)
{
    json_unref(node->error);
    node->error = json_object_new();
    json_set_str(node->error, "code", code);
    json_set_str(node->error, "message", message);
    json_set_str(node->error, "nodeId", run->flow->nodes[index].id);
}

bool run_count_steps(struct flow_run *run, int64_t steps)
{
    run->steps += steps;
    if (run->steps <= run->flow->settings.max_steps)
        return true;
    run_end_limit(run, "steps", run->flow->settings.max_steps);
    return false;
}

bool run_count_outputs(struct flow_run *run, const struct json *outputs)
{
    run->output_bytes += (int64_t)json_size(outputs);
    if (run->output_bytes <= run->flow->settings.max_output_bytes)
        return true;
    run_end_limit(run, "bytes of outputs", run->flow->settings.max_output_bytes);
    return false;
}

void run_start_attempt(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    if (!run_count_steps(run, 1))
        return;
    node->attempt++;
    node->since_epoch = 0;
    node->started_ms = run->now_ms;
    if (node->first_ms == 0)
        node->first_ms = run->now_ms;
    run_enter_state(run, scope, node, NODE_RUNNING);
    (void)run_attempt_add(run, node, node->attempt, run->epoch, NODE_RUNNING, run->now_ms);
    run_command_add(run, RUN_COMMAND_START_NODE, scope->id, index)->attempt = node->attempt;
}

static bool take_outputs(struct flow_run *run, struct scope *scope, const struct run_event *event)
{
    struct node_run *node = run_node_at(run, scope, event->node);
    json_unref(node->outputs);
    node->outputs = event->take_outputs;
    json_unref(node->waiting);
    node->waiting = event->take_waiting;
    node->records = event->records;
    run->output_bytes += (int64_t)json_size(node->outputs);
    if (run->output_bytes <= run->flow->settings.max_output_bytes)
        return true;
    run_leave_state(run, scope, node);
    node->state = NODE_FAILED;
    node->ended_ms = run->now_ms;
    run_attempt_end(node, NODE_FAILED, run->now_ms, "outputs over the limit");
    run_end_limit(run, "bytes of outputs", run->flow->settings.max_output_bytes);
    return false;
}

void run_on_done(struct flow_run *run, struct scope *scope, const struct run_event *event)
{
    struct node_run *node = run_node_at(run, scope, event->node);
    if (!take_outputs(run, scope, event))
        return;
    run_leave_state(run, scope, node);
    if (run->flow->nodes[event->node].spec->container) {
        run_each_begin(run, scope, event->node, false);
        return;
    }
    node->ended_ms = run->now_ms;
    run_attempt_end(node, NODE_SUCCEEDED, run->now_ms, NULL);
    node->state = NODE_SUCCEEDED;
    if (run_is_kept(run, event->node))
        run_checkpoint(run, scope, event->node, NULL);
    run_conclude(run, scope, event->node, NODE_SUCCEEDED);
}

enum wait_kind run_wait_kind(const struct json *waiting)
{
    const char *kind = json_get_str(waiting, "kind");
    return kind == NULL                  ? WAIT_TIME
           : strcmp(kind, "signal") == 0 ? WAIT_SIGNAL
           : strcmp(kind, "child") == 0  ? WAIT_CHILD
                                         : WAIT_TIME;
}

void run_on_wait(struct flow_run *run, struct scope *scope, const struct run_event *event)
{
    struct node_run *node = run_node_at(run, scope, event->node);
    if (!take_outputs(run, scope, event))
        return;
    run_leave_state(run, scope, node);
    run_enter_state(run, scope, node, NODE_WAITING);
    node->wait = run_wait_kind(node->waiting);
    node->wake_ms = event->wake_ms;
    node->last_attempt->state = NODE_WAITING;
    run->look_for_signals |= node->wait != WAIT_TIME && run->signals != NULL;
    run_checkpoint(run, scope, event->node, NULL);
}

/* Whether the run goes on after a failure of this node, here or around it. */
static bool is_survived(const struct flow_node *node, const struct scope *scope)
{
    return node->error_connected || !node->critical || scope->parent != NULL;
}

void run_fail_for_good(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error)
{
    struct node_run *node = run_node_at(run, scope, index);
    const struct flow_node *definition = &run->flow->nodes[index];
    if (node->state == NODE_ITERATING) {
        run_each_abort(run, scope, index);
        run_each_free(node->each);
        node->each = NULL;
        run_attempt_end(node, NODE_FAILED, run->now_ms, error->message);
    }
    if (node->state == NODE_ITERATING || node->state == NODE_RUNNING || node->state == NODE_WAITING)
        run_leave_state(run, scope, node);
    node->ended_ms = run->now_ms;
    node->state = NODE_FAILED;
    run_set_error(run, node, index, error_id(error->code), error->message);
    if (is_survived(definition, scope) && (definition->effects || run_is_kept(run, index)))
        run_checkpoint(run, scope, index, error);
    if (definition->error_connected || !definition->critical) {
        run_conclude(run, scope, index, NODE_FAILED);
        return;
    }
    run->concluded += scope->parent == NULL;
    struct error named;
    (void)error_set(&named, error->code, error->field, "node %s: %s", definition->id, error->message);
    run_scope_fail(run, scope, &named);
}

void run_node_failed(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error,
                     bool retryable)
{
    struct node_run *node = run_node_at(run, scope, index);
    const struct retry_policy *policy = &run->flow->nodes[index].retry;
    run_attempt_end(node, NODE_FAILED, run->now_ms, error->message);
    if (!retryable || node->attempt - node->unknown >= policy->max_attempts) {
        run_fail_for_good(run, scope, index, error);
        return;
    }
    run_leave_state(run, scope, node);
    run_enter_state(run, scope, node, NODE_BACKOFF);
    node->ended_ms = run->now_ms;
    node->wake_ms = run->now_ms + retry_delay_ms(policy, node->attempt - node->unknown + 1, rng_unit(&run->rng));
    run_checkpoint(run, scope, index, error);
    run_lost_attempts_add(run, node, index); /* who was lost in the wait may have come as far as this */
}
