/* Order and cycles. */
#include "flow/flow_int.h"

#include <stdlib.h>

int graph_find_cycle(const struct flow *flow)
{
    unsigned *open = mem_array(flow->node_count, sizeof *open), *ready = mem_array(flow->node_count, sizeof *ready);
    unsigned head = 0, tail = 0;
    for (unsigned i = 0; i < flow->node_count; i++)
        if ((open[i] = flow->nodes[i].in_count) == 0)
            ready[tail++] = i;
    while (head < tail) {
        const struct flow_node *node = &flow->nodes[ready[head++]];
        for (unsigned i = 0; i < node->out_count; i++) {
            unsigned to = flow->connections[node->out[i]].to;
            if (--open[to] == 0)
                ready[tail++] = to;
        }
    }
    int found = -1;
    for (unsigned i = 0; i < flow->node_count && found < 0; i++)
        if (open[i] > 0)
            found = (int)i;
    free(open);
    free(ready);
    return found;
}
