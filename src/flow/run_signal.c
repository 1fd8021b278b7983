/* Words from outside, and the ends of children: kept until a waiting node takes them. */
#include "flow/run_int.h"

#include "base/limits.h"
#include <stdlib.h>
#include <stdlib.h>
#include <string.h>

static void signal_free(struct queued_signal *signal)
{
    free(signal->name);
    free(signal->node_id);
    free(signal->iteration);
    json_unref(signal->payload);
    free(signal);
}

void run_signals_free(struct flow_run *run)
{
    while (run->signals != NULL) {
        struct queued_signal *next = run->signals->next;
        signal_free(run->signals);
        run->signals = next;
    }
}

void run_on_signal(struct flow_run *run, const struct run_signal *signal)
{
    if (signal->id <= run->signals_seen)
        return;
    run->signals_seen = signal->id;
    struct queued_signal *queued = mem_alloc(sizeof *queued);
    *queued = (struct queued_signal){.id = signal->id,
                                     .of_child = signal->of_child,
                                     .name = mem_dup(signal->name),
                                     .node_id = mem_dup(signal->node_id),
                                     .iteration = mem_dup(signal->iteration),
                                     .payload = json_ref(signal->payload)};
    *run->last_signal = queued;
    run->last_signal = &queued->next;
    run->look_for_signals = true;
}

static bool fits(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

bool run_waits_for_signal(const struct json *waiting, const char *name)
{
    const char *token = json_get_str(waiting, "token"), *wanted = json_get_str(waiting, "name");
    if (run_wait_kind(waiting) != WAIT_SIGNAL)
        return false;
    if (token != NULL)
        return name != NULL && strcmp(name, token) == 0;
    return wanted == NULL || fits(name, wanted);
}

/* The time of an iteration around it is over: the clock says so next. */
static bool is_late(const struct flow_run *run, const struct scope *scope)
{
    while (scope != NULL && scope->deadline_ms > run->now_ms)
        scope = scope->parent;
    return scope != NULL;
}

static bool is_for(const struct flow_run *run, const struct scope *scope, unsigned index,
                   const struct queued_signal *signal)
{
    const struct node_run *node = run_node_at(run, scope, index);
    if (node->state != NODE_WAITING || node->wait != (signal->of_child ? WAIT_CHILD : WAIT_SIGNAL) ||
        !fits(signal->node_id, run->flow->nodes[index].id) || is_late(run, scope))
        return false;
    if (signal->of_child) /* of that very child: a former attempt may have had another */
        return fits(json_get_str(node->waiting, "childId"), json_get_str(signal->payload, "executionId"));
    if (!run_waits_for_signal(node->waiting, signal->name))
        return false;
    char iteration[RUN_ITERATION_BYTES_MAX];
    run_iteration(scope, node, iteration);
    return fits(signal->iteration, iteration);
}

static bool find_waiting(const struct flow_run *run, const struct queued_signal *signal, struct place *ret)
{
    for (unsigned i = 0; i < run->scope_cap; i++) {
        const struct scope *scope = run->scopes[i];
        for (unsigned k = 0; scope != NULL && scope->busy > 0 && k < scope->body->node_count; k++)
            if (is_for(run, scope, scope->body->nodes[k], signal)) {
                *ret = (struct place){.scope = scope->id, .node = scope->body->nodes[k]};
                return true;
            }
    }
    return false;
}

static void child_failed(struct flow_run *run, struct scope *scope, unsigned index, const struct json *payload)
{
    const struct json *reason = json_get(payload, "error");
    const char *message = json_get_str(reason, "message"), *status = json_get_str(payload, "status");
    struct error error;
    (void)error_set(&error, ERR_NODE, NULL, "The sub-flow's execution %s ended as %s: %s",
                    json_get_str(payload, "executionId"), status == NULL ? "failed" : status,
                    message == NULL ? "it gave no reason" : message);
    run_node_failed(run, scope, index, &error, true);
}

/* A child's result, or the part of it that the node wants. Borrowed. */
static const struct json *result_of(const struct node_run *node, const struct queued_signal *signal)
{
    const struct json *result = json_get(signal->payload, "result"), *pick = json_get(node->waiting, "pick");
    for (size_t i = 0; i < json_count(pick); i++) {
        const char *member = json_as_str(json_at(pick, i));
        result = json_is(result, JSON_ARRAY) ? json_at(result, strtoul(member, NULL, 10)) : json_get(result, member);
    }
    return result;
}

/* Of a child that succeeded late: in an epoch that was lost its deadline may have passed, and the next attempt been
 * made. What counts is the attempt that succeeded. */
static void add_lost_after_deadline(struct flow_run *run, struct node_run *node, unsigned index)
{
    int number = node->attempt;
    if (node->wait == WAIT_CHILD && node->wake_ms <= run->now_ms)
        run_lost_attempts_add(run, node, index);
    node->attempt = number;
}

static void take(struct flow_run *run, struct place place, const struct queued_signal *signal)
{
    struct scope *scope = run_scope_find(run, place.scope);
    struct node_run *node = run_node_at(run, scope, place.node);
    const char *status = json_get_str(signal->payload, "status");
    node->signal_id = signal->id;
    if (signal->of_child && (status == NULL || strcmp(status, "success") != 0)) {
        child_failed(run, scope, place.node, signal->payload);
        return;
    }
    struct json *outputs = json_object_new();
    json_set(outputs, "output", json_ref(signal->of_child ? result_of(node, signal) : signal->payload));
    if (signal->of_child)
        json_set_str(outputs, "executionId", json_get_str(signal->payload, "executionId"));
    else if (json_has(node->waiting, "token")) /* a person's answer goes one of two ways */
        json_set(outputs, json_get_bool(signal->payload, "approved", false) ? "approved" : "rejected",
                 json_ref(signal->payload));
    json_unref(node->outputs);
    node->outputs = outputs;
    run_leave_state(run, scope, node);
    node->ended_ms = run->now_ms;
    node->records = 1;
    run_attempt_end(node, NODE_SUCCEEDED, run->now_ms, NULL);
    node->state = NODE_SUCCEEDED;
    add_lost_after_deadline(run, node, place.node);
    run_checkpoint(run, scope, place.node, NULL);
    if (run_count_outputs(run, node->outputs))
        run_conclude(run, scope, place.node, NODE_SUCCEEDED);
}

/* The oldest signal that somebody waits for is taken by the first who does; then it is looked again. */
void run_match_signals(struct flow_run *run)
{
    for (struct queued_signal **at = &run->signals; *at != NULL; at = &(*at)->next) {
        struct queued_signal *signal = *at;
        struct place place;
        if (!find_waiting(run, signal, &place))
            continue;
        *at = signal->next;
        if (*at == NULL)
            run->last_signal = at;
        take(run, place, signal);
        signal_free(signal);
        return;
    }
    run->look_for_signals = false;
}
