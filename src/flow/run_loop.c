/* Loops: when a pass is over, and whether another one begins. */
#include "flow/run_int.h"

#include <stdlib.h>

void run_loops_init(const struct flow_run *run, struct scope *scope)
{
    for (unsigned i = 0; i < scope->body->loop_count; i++)
        scope->loops[i].open = run->flow->loops[scope->body->loops[i]].node_count;
}

static void drop(struct scope *scope, const struct flow_connection *connection)
{
    scope->connections[connection->slot] = CONNECTION_OPEN;
    json_unref(scope->held[connection->slot]);
    scope->held[connection->slot] = NULL;
}

static bool is_inside(const struct flow *flow, unsigned loop, unsigned outer)
{
    while (loop != FLOW_NONE && loop != outer)
        loop = flow->loops[loop].parent;
    return loop == outer;
}

/* The loops within begin anew; those around have its nodes to wait for again. */
static void reset_counts(const struct flow *flow, struct scope *scope, unsigned index)
{
    for (unsigned i = 0; i < scope->body->loop_count; i++) {
        unsigned other = scope->body->loops[i];
        if (other == index || !is_inside(flow, other, index))
            continue;
        scope->loops[i] = (struct loop_run){.open = flow->loops[other].node_count};
        for (unsigned k = 0; k < flow->loops[other].back_count; k++)
            drop(scope, &flow->connections[flow->loops[other].back[k]]);
    }
    for (unsigned l = index; l != FLOW_NONE; l = flow->loops[l].parent)
        scope->loops[flow->loops[l].slot].open += flow->loops[index].node_count;
}

static void fail_too_many(struct flow_run *run, struct scope *scope, const struct flow_loop *loop)
{
    struct error error;
    (void)error_set(&error, ERR_LIMIT, "maxIterations",
                    "node %s: the loop that begins here ran %lld times, which is its maxIterations.",
                    run->flow->nodes[loop->header].id, (long long)loop->max_iterations);
    run_scope_fail(run, scope, &error);
}

static void begin_pass(struct flow_run *run, struct scope *scope, unsigned index)
{
    const struct flow_loop *loop = &run->flow->loops[index];
    struct loop_run *state = &scope->loops[loop->slot];
    if (++state->pass >= loop->max_iterations) {
        fail_too_many(run, scope, loop);
        return;
    }
    state->delivered = 0;
    struct json *inputs = run_effective_inputs(run, scope, loop->header);
    for (unsigned i = 0; i < loop->inside_count; i++)
        drop(scope, &run->flow->connections[loop->inside[i]]);
    for (unsigned i = 0; i < loop->back_count; i++)
        drop(scope, &run->flow->connections[loop->back[i]]);
    run->concluded -= scope->parent == NULL ? loop->node_count : 0;
    for (unsigned i = 0; i < loop->node_count; i++)
        run_node_reset(run, scope, loop->nodes[i]);
    reset_counts(run->flow, scope, index);
    struct node_run *header = run_node_at(run, scope, loop->header);
    header->resolved = run->flow->nodes[loop->header].needed;
    header->delivered = 1;
    header->inputs = inputs;
    run_make_ready(run, scope, loop->header, NODE_READY);
}

static void end_loop(struct flow_run *run, struct scope *scope, const struct flow_loop *loop)
{
    for (unsigned i = 0; i < loop->exit_count; i++) {
        const struct flow_connection *connection = &run->flow->connections[loop->exits[i]];
        run_connection_settle(run, scope, loop->exits[i], scope->connections[connection->slot] == CONNECTION_HELD);
    }
}

/* A pass is over when all of the loop's nodes have ended, and the loops inside with them. From the inside to the
 * outside: a loop that goes on keeps those around it open. */
void run_loops_concluded(struct flow_run *run, struct scope *scope, unsigned index)
{
    const struct flow *flow = run->flow;
    unsigned innermost = flow->nodes[index].loop;
    for (unsigned l = innermost; l != FLOW_NONE; l = flow->loops[l].parent)
        scope->loops[flow->loops[l].slot].open--;
    for (unsigned l = innermost; l != FLOW_NONE; l = flow->loops[l].parent) {
        const struct loop_run *state = &scope->loops[flow->loops[l].slot];
        if (state->open > 0)
            return;
        if (state->delivered > 0) {
            begin_pass(run, scope, l);
            return;
        }
        end_loop(run, scope, &flow->loops[l]);
    }
}
