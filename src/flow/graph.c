/* Order: what can become ready. */
#include "flow/flow_int.h"

#include <stdlib.h>

void graph_find_reached(const struct flow *flow, bool *reached)
{
    unsigned *open = mem_array(flow->node_count, sizeof *open), *ready = mem_array(flow->node_count, sizeof *ready);
    unsigned head = 0, tail = 0;
    for (unsigned i = 0; i < flow->node_count; i++) {
        for (unsigned k = 0; k < flow->nodes[i].in_count; k++) {
            const struct flow_connection *c = &flow->connections[flow->nodes[i].in[k]];
            open[i] += !c->back && c->kind == FLOW_CONNECTION_PLAIN;
        }
        if (open[i] == 0)
            ready[tail++] = i;
    }
    while (head < tail) {
        const struct flow_node *node = &flow->nodes[ready[head]];
        reached[ready[head++]] = true;
        for (unsigned i = 0; i < node->out_count; i++) {
            const struct flow_connection *c = &flow->connections[node->out[i]];
            if (!c->back && c->kind == FLOW_CONNECTION_PLAIN && --open[c->to] == 0)
                ready[tail++] = c->to;
        }
    }
    free(open);
    free(ready);
}

bool graph_is_on_cycle(const struct flow *flow, unsigned node)
{
    bool *seen = mem_array(flow->node_count, sizeof *seen);
    unsigned *todo = mem_array(flow->node_count + 1, sizeof *todo);
    unsigned count = 0;
    todo[count++] = node;
    while (count > 0 && !seen[node]) {
        const struct flow_node *from = &flow->nodes[todo[--count]];
        for (unsigned i = 0; i < from->out_count; i++) {
            unsigned to = flow->connections[from->out[i]].to;
            if (seen[to] || flow->connections[from->out[i]].kind != FLOW_CONNECTION_PLAIN)
                continue;
            seen[to] = true;
            todo[count++] = to;
        }
    }
    bool found = seen[node];
    free(seen);
    free(todo);
    return found;
}
