/* Order and cycles. */
#include "flow/flow_int.h"

#include <stdlib.h>

void graph_find_reached(const struct flow *flow, bool *reached)
{
    unsigned *open = mem_array(flow->node_count, sizeof *open), *ready = mem_array(flow->node_count, sizeof *ready);
    unsigned head = 0, tail = 0;
    for (unsigned i = 0; i < flow->node_count; i++)
        if ((open[i] = flow->nodes[i].in_count) == 0)
            ready[tail++] = i;
    while (head < tail) {
        const struct flow_node *node = &flow->nodes[ready[head]];
        reached[ready[head++]] = true;
        for (unsigned i = 0; i < node->out_count; i++) {
            unsigned to = flow->connections[node->out[i]].to;
            if (--open[to] == 0)
                ready[tail++] = to;
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
            if (seen[to])
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

int graph_find_cycle(const struct flow *flow)
{
    bool *reached = mem_array(flow->node_count, sizeof *reached);
    graph_find_reached(flow, reached);
    int found = -1;
    for (unsigned i = 0; i < flow->node_count && found < 0; i++)
        if (!reached[i] && graph_is_on_cycle(flow, i))
            found = (int)i;
    free(reached);
    return found;
}
