/* How nodes begin: triggers, inputs, what is known of them from earlier epochs. */
#include "flow/run_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES (RUN_ITERATION_BYTES_MAX + 160)

/* ---- what earlier epochs left */

static void restored_free(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    struct restored *known = value;
    json_unref(known->outputs);
    json_unref(known->waiting);
    json_unref(known->error);
    json_unref(known->evaluated);
    free(known);
}

void run_restored_free(struct flow_run *run)
{
    map_each(&run->restored, restored_free, NULL);
    map_done(&run->restored);
}

static bool awaits_child(const struct restored *known)
{
    return known->state == NODE_WAITING && run_wait_kind(known->waiting) == WAIT_CHILD;
}

static struct json *error_of(const struct run_checkpoint *known)
{
    if (known->error_id == NULL)
        return NULL;
    struct json *error = json_object_new();
    json_set_str(error, "code", known->error_id);
    json_set_str(error, "message", known->error_message == NULL ? "" : known->error_message);
    json_set_str(error, "nodeId", known->node_id);
    return error;
}

void flow_run_restore(struct flow_run *run, const struct run_checkpoint *known)
{
    if (run->started || flow_find_node(run->flow, known->node_id) < 0)
        return;
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "%.79s\x1f%.120s", known->iteration == NULL ? "0" : known->iteration,
                   known->node_id);
    struct restored *restored = mem_alloc(sizeof *restored);
    *restored = (struct restored){.state = known->state,
                                  .former = known->former,
                                  .attempt = known->attempt,
                                  .epoch = known->epoch,
                                  .unknown = known->unknown,
                                  .records = known->records,
                                  .started_ms = known->started_ms,
                                  .ended_ms = known->ended_ms,
                                  .wake_ms = known->wake_ms,
                                  .outputs = json_ref(known->outputs),
                                  .waiting = json_ref(known->waiting),
                                  .error = error_of(known),
                                  .evaluated = json_ref(known->evaluated)};
    struct restored *former = map_put(&run->restored, key, restored);
    run->restored_children += awaits_child(restored);
    if (former != NULL) {
        run->restored_children -= awaits_child(former);
        restored_free(NULL, NULL, former);
    }
}

static struct restored *take_restored(struct flow_run *run, const struct scope *scope, unsigned index)
{
    if (run->restored.count == 0)
        return NULL;
    char key[KEY_BYTES], iteration[RUN_ITERATION_BYTES_MAX];
    run_iteration(scope, run_node_at(run, scope, index), iteration);
    (void)snprintf(key, sizeof key, "%s\x1f%.120s", iteration, run->flow->nodes[index].id);
    struct restored *known = map_put(&run->restored, key, NULL);
    run->restored_children -= known != NULL && awaits_child(known);
    return known;
}

struct dropping {
    struct flow_run *run;
    const struct scope *scope;
};

/* Iterations of for-each beside each other have the same prefixes. */
static bool is_inside(const struct dropping *dropping, const char *key, int *ret_node)
{
    const struct flow *flow = dropping->run->flow;
    unsigned container = dropping->scope->body->container;
    *ret_node = flow_find_node(flow, strchr(key, '\x1f') + 1);
    unsigned around = flow->nodes[*ret_node].parent;
    while (around != container && around != FLOW_NONE)
        around = flow->nodes[around].parent;
    return around == container && strncmp(key, dropping->scope->prefix, strlen(dropping->scope->prefix)) == 0;
}

static void drop_child(void *user, const char *key, void *value)
{
    const struct dropping *dropping = user;
    struct restored *known = value;
    int node;
    if (!awaits_child(known) || !is_inside(dropping, key, &node))
        return;
    run_drop_child(dropping->run, dropping->scope, (unsigned)node, known->waiting);
    dropping->run->restored_children--;
    known->state = NODE_ABORTED;
}

void run_restored_drop(struct flow_run *run, const struct scope *scope)
{
    struct dropping dropping = {.run = run, .scope = scope};
    if (run->restored_children > 0)
        map_each(&run->restored, drop_child, &dropping);
}

/* Iterations, and their for-each, have been under way for as long as what is known of the nodes inside. */
static void note_beginning(struct scope *scope, int64_t began_ms)
{
    for (; scope->parent != NULL; scope = scope->parent) {
        struct node_run *each = &scope->parent->nodes[scope->container];
        if (began_ms < scope->started_ms) {
            scope->deadline_ms -= scope->deadline_ms == INT64_MAX ? 0 : scope->started_ms - began_ms;
            scope->started_ms = began_ms;
        }
        if (began_ms < each->started_ms)
            each->started_ms = each->first_ms = began_ms;
    }
}

static void take_over(struct flow_run *run, struct scope *scope, unsigned index, struct restored *take)
{
    struct node_run *node = run_node_at(run, scope, index);
    if (!take->former && take->started_ms > 0)
        note_beginning(scope, take->started_ms);
    node->attempt = take->attempt;
    node->unknown = take->unknown;
    node->since_epoch = take->epoch;
    node->records = take->records;
    node->first_ms = node->started_ms = take->started_ms;
    node->ended_ms = take->ended_ms;
    node->wake_ms = take->wake_ms;
    node->outputs = take->outputs;
    node->waiting = take->waiting;
    node->error = take->error;
    run_show_evaluated(run, index, node, take->evaluated);
    json_unref(take->evaluated);
    (void)run_attempt_add(run, node, node->attempt, take->epoch,
                          take->state == NODE_BACKOFF     ? NODE_FAILED
                          : take->state == NODE_ITERATING ? NODE_RUNNING
                                                          : take->state,
                          node->first_ms);
    free(take);
}

static void fail_again(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    const struct flow_node *definition = &run->flow->nodes[index];
    if (definition->error_connected || !definition->critical) {
        run_conclude(run, scope, index, NODE_FAILED);
        return;
    }
    struct error named;
    node->state = NODE_FAILED;
    (void)error_set(&named, error_parse_id(json_get_str(node->error, "code")), NULL, "node %s: %s", definition->id,
                    json_get_str(node->error, "message"));
    run_scope_fail(run, scope, &named);
}

/* One of unknown outcome for each lost epoch from that one on, the oldest first. */
static void add_lost_attempts(struct flow_run *run, struct node_run *node, int from_epoch)
{
    for (int ago = (int)sizeof run->lost_epochs * 8; ago > 0; ago--) {
        if ((run->lost_epochs >> (ago - 1) & 1) == 0 || run->epoch - ago < from_epoch)
            continue;
        (void)run_attempt_add(run, node, ++node->attempt, run->epoch - ago, NODE_IDLE, 0);
        node->unknown++;
    }
}

void run_lost_attempts_add(struct flow_run *run, struct node_run *node, unsigned index)
{
    if (node->since_epoch > 0 && run_has_effects(run, index))
        add_lost_attempts(run, node, node->since_epoch);
}

/* A retry runs the for-each again, whose settings may be others now, with the items that it had. */
static bool take_items(struct flow_run *run, struct node_run *node, unsigned index, struct restored *known)
{
    const struct json *items = json_get(known->outputs, "items");
    bool usable = run->flow->nodes[index].spec->container && json_is(items, JSON_ARRAY);
    if (usable && !known->former)
        return true;
    if (usable)
        node->known_items = json_ref(items);
    restored_free(NULL, NULL, known);
    return false;
}

/* A result, a wait, a backoff, a failure, items under way. Returns whether there was something. After a
 * backoff the next attempt may have been begun. */
static bool take_up(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct restored *known = take_restored(run, scope, index);
    if (known == NULL)
        return false;
    struct node_run *node = run_node_at(run, scope, index);
    enum node_state state = known->state;
    int attempts = known->former ? 0 : known->attempt - known->unknown;
    if (state == NODE_ITERATING && !take_items(run, node, index, known))
        return false;
    take_over(run, scope, index, known);
    if (!run_count_steps(run, attempts) || !run_count_outputs(run, node->outputs))
        return true;
    switch (state) {
    case NODE_SUCCEEDED:
        run_attempt_end(node, NODE_SUCCEEDED, node->ended_ms, NULL);
        run_conclude(run, scope, index, NODE_SUCCEEDED);
        return true;
    case NODE_FAILED:
        run_attempt_end(node, NODE_FAILED, node->ended_ms, json_get_str(node->error, "message"));
        fail_again(run, scope, index);
        return true;
    case NODE_BACKOFF:
        run_attempt_end(node, NODE_FAILED, node->ended_ms, json_get_str(node->error, "message"));
        run_lost_attempts_add(run, node, index);
        run_enter_state(run, scope, node, NODE_BACKOFF);
        return true;
    case NODE_WAITING:
        run_enter_state(run, scope, node, NODE_WAITING);
        node->wait = run_wait_kind(node->waiting);
        run->look_for_signals |= node->wait != WAIT_TIME;
        return true;
    case NODE_ITERATING:
        run_each_begin(run, scope, index, true);
        return true;
    default:
        return false;
    }
}

/* ---- beginning */

static void add_input_of_run(struct flow_run *run, unsigned index, struct json *inputs)
{
    if (strcmp(run->flow->nodes[index].spec->trigger, "manual") == 0) {
        if (run->input != NULL)
            json_set(inputs, "output", json_ref(run->input));
    } else {
        struct json_iter member;
        JSON_EACH(run->input, member) json_set(inputs, member.key, json_ref(member.value));
    }
}

void run_start_node(struct flow_run *run, struct place place)
{
    struct scope *scope = run_scope_find(run, place.scope);
    if (scope == NULL || scope->error != NULL)
        return; /* the iteration has failed meanwhile */
    struct node_run *node = run_node_at(run, scope, place.node);
    const struct flow_node *definition = &run->flow->nodes[place.node];
    if (node->state == NODE_SKIPPED) {
        run_conclude(run, scope, place.node, NODE_SKIPPED);
        return;
    }
    if (node->inputs == NULL)
        node->inputs = run_effective_inputs(run, scope, place.node);
    if (take_up(run, scope, place.node))
        return;
    if (definition->spec->trigger != NULL && definition->in_count == 0) {
        add_input_of_run(run, place.node, node->inputs);
    } else if (run->lost_epochs != 0 && node->attempt == 0 && run_has_effects(run, place.node)) {
        add_lost_attempts(run, node, 0);
    }
    run_start_attempt(run, scope, place.node);
}

static bool is_chosen_trigger(const struct flow_run *run, unsigned index, int chosen)
{
    return run->flow->nodes[index].spec->trigger == NULL || chosen < 0 || (int)index == chosen;
}

/* The trigger that fires: the named one, else the first of the run's kind (a sub-flow is started like by hand), else
 * the first. */
static int choose_trigger(const struct flow_run *run)
{
    int first = -1, of_kind = -1;
    const char *kind = run->trigger != NULL && strcmp(run->trigger, "flow") == 0 ? "manual" : run->trigger;
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        const struct flow_node *node = &run->flow->nodes[i];
        if (node->spec->trigger == NULL || node->in_count > 0)
            continue;
        if (run->trigger_node != NULL && strcmp(node->id, run->trigger_node) == 0)
            return (int)i;
        if (first < 0)
            first = (int)i;
        if (of_kind < 0 && kind != NULL && strcmp(node->spec->trigger, kind) == 0)
            of_kind = (int)i;
    }
    return of_kind >= 0 ? of_kind : first;
}

void run_begin(struct flow_run *run)
{
    const struct flow_body *body = run->root->body;
    if (body->container != FLOW_NONE) {
        run_scope_begin(run, run->root);
        return;
    }
    int chosen = choose_trigger(run);
    for (unsigned i = 0; i < body->node_count; i++)
        if (run->flow->nodes[body->nodes[i]].in_count == 0)
            run_make_ready(run, run->root, body->nodes[i],
                           is_chosen_trigger(run, body->nodes[i], chosen) ? NODE_READY : NODE_SKIPPED);
}
