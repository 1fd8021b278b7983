/* Scopes: where the nodes of a flow, or of one iteration, have their states. */
#include "flow/run_int.h"

#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 65536

struct scope *run_scope_find(const struct flow_run *run, unsigned id)
{
    if (id == 0)
        return run->root;
    unsigned place = id % PLACES_MAX;
    struct scope *scope = place < run->scope_cap ? run->scopes[place] : NULL;
    return scope != NULL && scope->id == id ? scope : NULL;
}

/* Root takes place 0; the others the lowest that is free. FLOW_NONE: there is none. */
static unsigned take_place(struct flow_run *run)
{
    unsigned place = run->root == NULL ? 0 : run->scope_free;
    while (place < run->scope_cap && run->scopes[place] != NULL)
        place++;
    if (place >= PLACES_MAX)
        return FLOW_NONE;
    if (place >= run->scope_cap) {
        unsigned cap = run->scope_cap == 0 ? 1 : run->scope_cap * 2;
        run->scopes = mem_resize(run->scopes, cap * sizeof(struct scope *));
        memset(run->scopes + run->scope_cap, 0, (cap - run->scope_cap) * sizeof(struct scope *));
        run->scope_cap = cap;
    }
    run->scope_free = place + 1;
    return place;
}

static void write_prefix(struct scope *scope)
{
    const struct scope *parent = scope->parent;
    const struct node_run *each = &parent->nodes[scope->container];
    if (each->pass > 0)
        (void)snprintf(scope->prefix, sizeof scope->prefix, "%.60s%u-%zu.", parent->prefix, each->pass, scope->index);
    else
        (void)snprintf(scope->prefix, sizeof scope->prefix, "%.60s%zu.", parent->prefix, scope->index);
}

struct scope *run_scope_new(struct flow_run *run, unsigned body_index, struct scope *parent, unsigned container,
                            size_t index, const struct json *item)
{
    const struct flow_body *body = &run->flow->bodies[body_index];
    unsigned place = take_place(run);
    if (place == FLOW_NONE)
        return NULL;
    size_t nodes = body->node_count * sizeof(struct node_run), loops = body->loop_count * sizeof(struct loop_run);
    size_t held = body->loop_count > 0 ? body->connection_count * sizeof(struct json *) : 0;
    struct scope *scope = mem_alloc(sizeof *scope + nodes + loops + held + body->connection_count);
    char *room = (char *)(scope + 1);
    scope->id = place == 0 ? 0 : place + (++run->scope_serial % (UINT_MAX / PLACES_MAX)) * PLACES_MAX;
    scope->parent = parent;
    scope->container = container == FLOW_NONE ? 0 : run->flow->nodes[container].slot;
    scope->body = body;
    scope->nodes = (struct node_run *)(void *)room;
    scope->loops = (struct loop_run *)(void *)(room + nodes);
    scope->held = held == 0 ? NULL : (struct json **)(void *)(room + nodes + loops);
    scope->connections = (unsigned char *)(room + nodes + loops + held);
    scope->index = index;
    scope->item = json_ref(item);
    scope->deadline_ms = INT64_MAX;
    run->scopes[place] = scope;
    if (parent != NULL)
        write_prefix(scope);
    run_loops_init(run, scope);
    return scope;
}

void run_iteration(const struct scope *scope, const struct node_run *node, char out[RUN_ITERATION_BYTES_MAX])
{
    (void)snprintf(out, RUN_ITERATION_BYTES_MAX, "%.68s%u", scope->prefix, node->pass);
}

/* ---- what is over */

static void keep(struct flow_run *run, const struct scope *scope, unsigned index)
{
    const struct node_run *node = run_node_at(run, scope, index);
    if (node->attempts == NULL)
        return;
    if (run->kept == NULL)
        run->kept = mem_array(run->flow->node_count, sizeof *run->kept);
    struct kept *kept = &run->kept[index];
    char iteration[RUN_ITERATION_BYTES_MAX];
    run_iteration(scope, node, iteration);
    unsigned *of_kind = node->state == NODE_SUCCEEDED ? &kept->good : &kept->bad;
    struct json *entry = run_node_entry(run, index, node, iteration);
    kept->count++;
    if (kept->list == NULL)
        kept->list = json_array_new();
    if (++*of_kind <= LIMIT_HISTORY_ITERATIONS)
        json_push(kept->list, json_ref(entry));
    json_unref(kept->latest);
    kept->latest = entry;
}

static void node_done(struct flow_run *run, struct node_run *node)
{
    json_unref(node->inputs);
    json_unref(node->shown_inputs);
    json_unref(node->before);
    json_unref(node->outputs);
    json_unref(node->error);
    json_unref(node->waiting);
    json_unref(node->known_items);
    run_each_free(node->each);
    for (struct attempt *attempt = node->attempts, *next; attempt != NULL; attempt = next) {
        next = attempt->next;
        free(attempt->error);
        attempt->next = run->free_attempts;
        run->free_attempts = attempt;
    }
}

void run_node_reset(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    unsigned pass = node->pass + 1;
    struct json *before = run_outputs_before(node);
    keep(run, scope, index);
    node_done(run, node);
    *node = (struct node_run){.pass = pass, .before = before};
}

void run_scope_free(struct flow_run *run, struct scope *scope)
{
    unsigned place = scope->id % PLACES_MAX;
    for (unsigned i = 0; i < scope->body->node_count; i++)
        node_done(run, &scope->nodes[i]);
    for (unsigned i = 0; scope->held != NULL && i < scope->body->connection_count; i++)
        json_unref(scope->held[i]);
    json_unref(scope->item);
    json_unref(scope->result);
    json_unref(scope->leaf);
    free(scope->error);
    run->scopes[place] = NULL;
    if (place > 0 && place < run->scope_free)
        run->scope_free = place;
    free(scope);
}

void run_drop_child(struct flow_run *run, const struct scope *scope, unsigned index, const struct json *waiting)
{
    struct run_command *added = run_command_add(run, RUN_COMMAND_CANCEL_CHILD, scope->id, index);
    struct queued_command *queued = &run->commands[run->command_count - 1];
    added->checkpoint =
        (struct run_checkpoint){.node_id = run->flow->nodes[index].id, .waiting = queued->waiting = json_ref(waiting)};
}

void run_cancel_child(struct flow_run *run, const struct scope *scope, unsigned index)
{
    const struct node_run *node = run_node_at(run, scope, index);
    if (node->state == NODE_WAITING && node->wait == WAIT_CHILD)
        run_drop_child(run, scope, index, node->waiting);
}

static void abort_node(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    bool attempting = node->state != NODE_BACKOFF; /* else its attempts are over, each with an outcome of its own */
    switch (node->state) {
    case NODE_RUNNING:
        run_command_stop(run, scope->id, index, node->attempt);
        break;
    case NODE_ITERATING:
        run_each_abort(run, scope, index);
        break;
    case NODE_WAITING:
        run_cancel_child(run, scope, index);
        break;
    case NODE_BACKOFF:
        break;
    default: /* ready, or on its way to be skipped: never started */
        return;
    }
    run_leave_state(run, scope, node);
    node->state = NODE_ABORTED;
    node->ended_ms = run->now_ms;
    if (attempting)
        run_attempt_end(node, NODE_ABORTED, run->now_ms, NULL);
}

void run_scope_abort(struct flow_run *run, struct scope *scope)
{
    for (unsigned i = 0; i < scope->body->node_count && scope->busy > 0; i++)
        abort_node(run, scope, scope->body->nodes[i]);
    run_restored_drop(run, scope);
    scope->active = 0;
}

/* Of an iteration that is over, whichever way. */
static void scope_close(struct flow_run *run, struct scope *scope)
{
    for (unsigned i = 0; i < scope->body->node_count; i++)
        keep(run, scope, scope->body->nodes[i]);
    run_scope_free(run, scope);
}

void run_each_abort(struct flow_run *run, struct scope *scope, unsigned index)
{
    unsigned slot = run->flow->nodes[index].slot;
    for (unsigned i = 1; i < run->scope_cap; i++) {
        struct scope *inner = run->scopes[i];
        if (inner == NULL || inner->parent != scope || inner->container != slot)
            continue;
        run_scope_abort(run, inner);
        scope_close(run, inner);
    }
}

void run_scope_ended(struct flow_run *run, struct scope *scope)
{
    if (scope->parent == NULL || scope->ended)
        return;
    scope->ended = true;
    if (run->ended_tail == run->ended_cap) {
        run->ended_cap = run->ended_cap == 0 ? 16 : run->ended_cap * 2;
        run->ended = mem_resize(run->ended, run->ended_cap * sizeof *run->ended);
    }
    run->ended[run->ended_tail++] = scope->id;
}

void run_scope_fail(struct flow_run *run, struct scope *scope, const struct error *error)
{
    if (scope->parent == NULL) {
        run_end(run, RUN_FAILED, error);
        return;
    }
    if (scope->error == NULL) {
        scope->error = mem_alloc(sizeof *scope->error);
        *scope->error = *error;
    }
    run_scope_abort(run, scope);
    run_scope_ended(run, scope);
}

void run_scope_begin(struct flow_run *run, struct scope *scope)
{
    for (unsigned i = 0; i < scope->body->node_count; i++)
        if (run->flow->nodes[scope->body->nodes[i]].needed == 0)
            run_make_ready(run, scope, scope->body->nodes[i], NODE_READY);
    for (unsigned i = 0; i < scope->body->connection_count; i++)
        if (run->flow->connections[scope->body->connections[i]].kind == FLOW_CONNECTION_ITEM)
            run_connection_settle(run, scope, scope->body->connections[i], true);
    if (scope->active == 0)
        run_scope_ended(run, scope);
}

/* ---- the end of an iteration */

void run_each_take_ended(struct flow_run *run)
{
    struct scope *scope = run_scope_find(run, run->ended[run->ended_head++]);
    if (run->ended_head == run->ended_tail)
        run->ended_head = run->ended_tail = 0;
    if (scope == NULL)
        return;
    struct scope *parent = scope->parent;
    unsigned container = scope->body->container;
    struct each_run *each = run_node_at(run, parent, container)->each;
    struct error *error = scope->error;
    size_t index = scope->index;
    scope->error = NULL;
    json_unref(each->results[index]);
    each->results[index] = error != NULL ? NULL : json_ref(scope->has_result ? scope->result : scope->leaf);
    AUTO_JSON struct json *item = json_ref(scope->item);
    scope_close(run, scope);
    run_each_step(run, parent, container, index, item, error);
    free(error);
}
