/* What expressions see of a run. */
#include "flow/run_int.h"

#include <string.h>

bool flow_run_scope(const struct flow_run *run, unsigned scope, const struct json **ret_item, int64_t *ret_index)
{
    const struct scope *in = run_scope_find(run, scope);
    if (in == NULL || in->body->container == FLOW_NONE)
        return false;
    *ret_item = in->item;
    *ret_index = (int64_t)in->index;
    return true;
}

/* Which of a node's iterations speaks for it. */
static int weight(enum node_state state)
{
    static const int weights[] = {
        [NODE_IDLE] = 0,  [NODE_SKIPPED] = 1, [NODE_ABORTED] = 2, [NODE_SUCCEEDED] = 3, [NODE_FAILED] = 4,
        [NODE_READY] = 5, [NODE_BACKOFF] = 6, [NODE_WAITING] = 7, [NODE_ITERATING] = 8, [NODE_RUNNING] = 9};
    return weights[state];
}

void flow_run_node_states(const struct flow_run *run, enum node_state *ret)
{
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        const struct kept *kept = run->kept == NULL ? NULL : &run->kept[i];
        ret[i] = kept == NULL || kept->count == 0 ? NODE_IDLE : kept->bad > 0 ? NODE_FAILED : NODE_SUCCEEDED;
    }
    for (unsigned s = 0; s < run->scope_cap; s++) {
        const struct scope *scope = run->scopes[s];
        for (unsigned i = 0; scope != NULL && i < scope->body->node_count; i++) {
            unsigned node = scope->body->nodes[i];
            enum node_state state = run_node_at(run, scope, node)->state;
            if (weight(state) > weight(ret[node]))
                ret[node] = state;
        }
    }
}

static bool has_given(const struct node_run *node, struct json **ret)
{
    if (node->state == NODE_SUCCEEDED) {
        *ret = json_ref(node->outputs);
        return true;
    }
    if (node->state == NODE_FAILED) {
        *ret = json_object_new();
        json_set(*ret, "error", json_ref(node->error));
        return true;
    }
    *ret = json_ref(node->before);
    return node->before != NULL;
}

bool flow_run_node_outputs(const struct flow_run *run, unsigned scope, const char *node_id, struct json **ret)
{
    int index = flow_find_node(run->flow, node_id);
    for (const struct scope *in = run_scope_find(run, scope); in != NULL && index >= 0; in = in->parent)
        if (&run->flow->bodies[run->flow->nodes[index].body] == in->body)
            return has_given(run_node_at(run, in, (unsigned)index), ret);
    return false;
}

/* A pass of its loop is over; the next one sees what it gave. */
struct json *run_outputs_before(const struct node_run *node)
{
    struct json *given;
    return has_given(node, &given) ? given : NULL;
}

/* A member of the configuration that no connection has replaced. */
static bool is_configured(const struct flow_node *node, const struct json *inputs, const char *name)
{
    return json_has(node->config, name) && json_get(inputs, name) == json_get(node->config, name);
}

static bool delivered_at(const struct flow_node *node, const struct json *inputs, const char *pin)
{
    return json_has(inputs, pin) && !is_configured(node, inputs, pin);
}

struct json *run_evaluated(const struct flow_run *run, unsigned index, const struct node_run *node)
{
    const struct flow_node *definition = &run->flow->nodes[index];
    struct json *evaluated = NULL;
    struct json_iter member;
    if (definition->expressions == NULL)
        return NULL;
    JSON_EACH(node->shown_inputs, member)
    {
        if (!is_configured(definition, node->inputs, member.key) ||
            json_equal(member.value, json_get(definition->config, member.key)))
            continue;
        evaluated = evaluated == NULL ? json_object_new() : evaluated;
        json_set(evaluated, member.key, json_ref(member.value));
    }
    return evaluated;
}

void run_show_evaluated(const struct flow_run *run, unsigned index, struct node_run *node, const struct json *evaluated)
{
    const struct flow_node *definition = &run->flow->nodes[index];
    struct json_iter member;
    if (evaluated == NULL || definition->expressions == NULL)
        return;
    struct json *shown = json_object_new();
    JSON_EACH(node->inputs, member)
    {
        bool known = is_configured(definition, node->inputs, member.key) && json_has(evaluated, member.key);
        json_set(shown, member.key, json_ref(known ? json_get(evaluated, member.key) : member.value));
    }
    json_unref(node->shown_inputs);
    node->shown_inputs = shown;
}

static bool has_one_pin(const struct flow *flow, const struct flow_node *node)
{
    for (unsigned i = 1; i < node->in_count; i++)
        if (strcmp(flow->connections[node->in[i]].input, flow->connections[node->in[0]].input) != 0)
            return false;
    return true;
}

static bool input_of_first(const struct flow_run *run, const struct scope *scope, struct json **ret)
{
    bool inside = scope->body->container != FLOW_NONE;
    *ret = json_ref(inside ? scope->item : run->input);
    return inside || run->input != NULL;
}

bool flow_run_delivered(const struct flow_run *run, unsigned scope, unsigned node, struct json **ret)
{
    const struct flow *flow = run->flow;
    const struct flow_node *definition = &flow->nodes[node];
    const struct scope *in = run_scope_find(run, scope);
    if (in == NULL)
        return false;
    if (definition->in_count == 0)
        return input_of_first(run, in, ret);
    const struct json *inputs = run_node_at(run, in, node)->inputs;
    const char *first = flow->connections[definition->in[0]].input;
    if (has_one_pin(flow, definition)) {
        if (!delivered_at(definition, inputs, first))
            return false;
        *ret = json_ref(json_get(inputs, first));
        return true;
    }
    *ret = json_object_new();
    for (unsigned i = 0; i < definition->in_count; i++) {
        const char *pin = flow->connections[definition->in[i]].input;
        if (delivered_at(definition, inputs, pin))
            json_set(*ret, pin, json_ref(json_get(inputs, pin)));
    }
    return true;
}

const struct json *flow_run_input(const struct flow_run *run)
{
    return run->input;
}

const char *flow_run_trigger(const struct flow_run *run)
{
    return run->trigger;
}

int64_t flow_run_started_ms(const struct flow_run *run)
{
    return run->started_ms;
}

void flow_run_show_inputs(struct flow_run *run, unsigned scope, unsigned node, struct json *take_inputs)
{
    const struct scope *in = run_scope_find(run, scope);
    if (in == NULL) {
        json_unref(take_inputs);
        return;
    }
    struct node_run *state = run_node_at(run, in, node);
    json_unref(state->shown_inputs);
    state->shown_inputs = take_inputs;
}
