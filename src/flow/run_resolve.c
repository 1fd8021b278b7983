/* What a node's end means for those after it: connections are delivered or skipped, nodes become ready or skipped. */
#include "flow/run_int.h"

#include <string.h>

void run_make_ready(struct flow_run *run, struct scope *scope, unsigned index, enum node_state state)
{
    run_node_at(run, scope, index)->state = state;
    scope->active++;
    if (run->ready_tail == run->ready_cap) {
        run->ready_cap = run->ready_cap == 0 ? 16 : run->ready_cap * 2;
        run->ready = mem_resize(run->ready, run->ready_cap * sizeof *run->ready);
    }
    run->ready[run->ready_tail++] = (struct place){.scope = scope->id, .node = index};
}

/* What the node has for the pin, now that it has ended. */
static bool pin_value(const struct node_run *node, const char *output, struct json **ret)
{
    if (node->state == NODE_FAILED && strcmp(output, "error") == 0)
        *ret = node->error;
    else if (node->state == NODE_SUCCEEDED && json_has(node->outputs, output))
        *ret = json_get(node->outputs, output);
    else
        return false;
    return true;
}

/* Its source may run again before it is read. */
static bool is_held(const struct flow_connection *connection)
{
    return connection->back || connection->leave != FLOW_NONE;
}

/* Yours. */
static struct json *delivered_value(const struct flow_run *run, const struct scope *scope,
                                    const struct flow_connection *connection)
{
    struct json *value = NULL;
    if (connection->kind == FLOW_CONNECTION_ITEM)
        return strcmp(connection->output, "index") == 0 ? json_int_new((int64_t)scope->index) : json_ref(scope->item);
    if (is_held(connection))
        return json_ref(scope->held[connection->slot]);
    (void)pin_value(run_node_at(run, scope, connection->from), connection->output, &value);
    return json_ref(value);
}

struct json *run_effective_inputs(const struct flow_run *run, const struct scope *scope, unsigned index)
{
    const struct flow_node *node = &run->flow->nodes[index];
    const struct node_run *state = run_node_at(run, scope, index);
    struct json *inputs = json_object_new();
    struct json_iter member;
    JSON_EACH(node->config, member) json_set(inputs, member.key, json_ref(member.value));
    for (unsigned i = 0; i < node->in_count; i++) {
        const struct flow_connection *connection = &run->flow->connections[node->in[i]];
        if (scope->connections[connection->slot] == CONNECTION_DELIVERED &&
            (!node->join_first || node->in[i] == state->first))
            json_set(inputs, connection->input, delivered_value(run, scope, connection));
    }
    return inputs;
}

void run_connection_settle(struct flow_run *run, struct scope *scope, unsigned index, bool delivered)
{
    const struct flow_connection *connection = &run->flow->connections[index];
    const struct flow_node *to = &run->flow->nodes[connection->to];
    scope->connections[connection->slot] = delivered ? CONNECTION_DELIVERED : CONNECTION_SKIPPED;
    if (connection->back) {
        scope->loops[run->flow->loops[to->heads].slot].delivered += delivered;
        return;
    }
    struct node_run *target = run_node_at(run, scope, connection->to);
    target->delivered += delivered;
    target->resolved++;
    if (target->state != NODE_IDLE)
        return;
    if (to->join_first && delivered) {
        target->first = index;
        run_make_ready(run, scope, connection->to, NODE_READY);
    } else if (target->resolved == to->needed) {
        run_make_ready(run, scope, connection->to, target->delivered > 0 ? NODE_READY : NODE_SKIPPED);
    }
}

static void hold(struct scope *scope, const struct flow_connection *connection, struct json *value)
{
    json_unref(scope->held[connection->slot]);
    scope->held[connection->slot] = json_ref(value);
    if (connection->leave != FLOW_NONE)
        scope->connections[connection->slot] = CONNECTION_HELD;
}

/* Each concluded node resolves its connections; what leaves a loop waits for that loop's end. */
static void resolve_outgoing(struct flow_run *run, struct scope *scope, unsigned index)
{
    const struct flow_node *node = &run->flow->nodes[index];
    const struct node_run *state = run_node_at(run, scope, index);
    for (unsigned i = 0; i < node->out_count; i++) {
        const struct flow_connection *connection = &run->flow->connections[node->out[i]];
        struct json *value = NULL;
        bool delivered = pin_value(state, connection->output, &value);
        if (delivered && connection->kind == FLOW_CONNECTION_RESULT) {
            json_unref(scope->result);
            scope->result = json_ref(value);
            scope->has_result = true;
        } else if (delivered && is_held(connection)) {
            hold(scope, connection, value);
        }
        if (connection->kind == FLOW_CONNECTION_PLAIN && connection->leave == FLOW_NONE)
            run_connection_settle(run, scope, node->out[i], delivered);
    }
}

static void note_result(struct flow_run *run, struct scope *scope, unsigned index)
{
    const struct flow_node *definition = &run->flow->nodes[index];
    const struct node_run *node = run_node_at(run, scope, index);
    run->records += node->records;
    struct json **place = scope->parent == NULL ? &run->leaf_outputs : &scope->leaf;
    bool of_item = scope->body->container != FLOW_NONE; /* also when it runs alone, as a distributed one */
    if (definition->out_count == 0 && (!of_item || *place == NULL || definition->slot >= scope->leaf_slot)) {
        json_unref(*place);
        *place = json_ref(node->outputs);
        scope->leaf_slot = definition->slot;
    }
    if (strcmp(definition->type, "respond") == 0) {
        json_unref(run->response);
        run->response = json_ref(node->outputs);
    }
}

void run_conclude(struct flow_run *run, struct scope *scope, unsigned index, enum node_state state)
{
    run_node_at(run, scope, index)->state = state;
    run->concluded += scope->parent == NULL;
    if (state == NODE_SUCCEEDED)
        note_result(run, scope, index);
    resolve_outgoing(run, scope, index);
    if (scope->body->loop_count > 0)
        run_loops_concluded(run, scope, index);
    if (scope->active > 0 && --scope->active == 0)
        run_scope_ended(run, scope);
}
