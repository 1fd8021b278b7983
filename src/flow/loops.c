/* Loops: what a connection back to an earlier node starts again.
 * In the graph of a body, a strongly connected part that is entered at one node only is a loop; that node is its
 * header, and the connections from within the part to it lead back. Without these the same is done again, for the loops
 * inside. What a loop starts again are the nodes that only its header leads to (those it dominates). */
#include "flow/flow_int.h"

#include "base/limits.h"
#include <stdlib.h>

struct search {
    struct flow *flow;
    const struct flow_body *body;
    struct json *problems;
    unsigned *part;  /* by slot: its strongly connected part */
    unsigned *order; /* slots in the order in which they were left */
    unsigned *stack, *next;
    bool *seen, *refused; /* refused: a part that is no loop was told of */
    unsigned *headers, header_count;
};

static struct flow_node *node_at(const struct search *s, unsigned slot)
{
    return &s->flow->nodes[s->body->nodes[slot]];
}

/* The connection's other end as a slot, when it counts: plain, and not known to lead back. */
static bool leads_to(const struct search *s, unsigned connection, bool forward, unsigned *ret)
{
    const struct flow_connection *c = &s->flow->connections[connection];
    if (c->back || c->kind != FLOW_CONNECTION_PLAIN)
        return false;
    *ret = s->flow->nodes[forward ? c->to : c->from].slot;
    return true;
}

static void leave_in_order(struct search *s, unsigned start, unsigned *count)
{
    unsigned depth = 0;
    s->seen[s->stack[depth++] = start] = true;
    s->next[start] = 0;
    while (depth > 0) {
        unsigned slot = s->stack[depth - 1], to;
        const struct flow_node *node = node_at(s, slot);
        if (s->next[slot] == node->out_count) {
            s->order[(*count)++] = slot;
            depth--;
        } else if (leads_to(s, node->out[s->next[slot]++], true, &to) && !s->seen[to]) {
            s->seen[s->stack[depth++] = to] = true;
            s->next[to] = 0;
        }
    }
}

static void mark_part(struct search *s, unsigned start, unsigned part)
{
    unsigned depth = 0;
    s->part[s->stack[depth++] = start] = part;
    while (depth > 0) {
        const struct flow_node *node = node_at(s, s->stack[--depth]);
        for (unsigned i = 0, from; i < node->in_count; i++)
            if (leads_to(s, node->in[i], false, &from) && s->part[from] == FLOW_NONE)
                s->part[s->stack[depth++] = from] = part;
    }
}

/* Kosaraju: the order of leaving, then the same backwards over the connections turned round. */
static void find_parts(struct search *s)
{
    unsigned n = s->body->node_count, left = 0, parts = 0;
    for (unsigned i = 0; i < n; i++) {
        s->seen[i] = false;
        s->part[i] = FLOW_NONE;
    }
    for (unsigned i = 0; i < n; i++)
        if (!s->seen[i])
            leave_in_order(s, i, &left);
    for (unsigned i = n; i-- > 0;)
        if (s->part[s->order[i]] == FLOW_NONE)
            mark_part(s, s->order[i], parts++);
}

/* Whether something within the part leads to the slot, and whether something else does. */
static void look_before(const struct search *s, unsigned slot, bool *ret_cyclic, bool *ret_entered)
{
    const struct flow_node *node = node_at(s, slot);
    *ret_cyclic = *ret_entered = false;
    for (unsigned i = 0, from; i < node->in_count; i++) {
        if (leads_to(s, node->in[i], false, &from) && s->part[from] == s->part[slot])
            *ret_cyclic = true;
        else if (!s->flow->connections[node->in[i]].back)
            *ret_entered = true;
    }
}

static void mark_back(struct search *s, unsigned header)
{
    struct flow_node *node = node_at(s, header);
    for (unsigned i = 0, from; i < node->in_count; i++)
        if (leads_to(s, node->in[i], false, &from) && s->part[from] == s->part[header])
            s->flow->connections[node->in[i]].back = true;
    s->headers[s->header_count++] = header;
}

static void refuse(struct search *s, unsigned slot, unsigned entries, unsigned second)
{
    for (unsigned i = 0; i < s->body->node_count; i++)
        s->refused[i] |= s->part[i] == s->part[slot];
    const char *id = node_at(s, slot)->id;
    if (entries == 0)
        problem_add(s->problems, "CYCLE", id, "connections",
                    "Node %.64s depends on itself, and nothing from outside starts the loop it is in.", id);
    else
        problem_add(s->problems, "CYCLE", id, "connections",
                    "The loop of %.64s is entered at %.64s too; let all connections into a loop lead to one node.", id,
                    node_at(s, second)->id);
}

/* One round: a header for each cyclic part. False when there was none. */
static bool cut_parts(struct search *s)
{
    unsigned n = s->body->node_count;
    bool found = false;
    find_parts(s);
    for (unsigned i = 0; i < n; i++)
        s->seen[i] = false; /* by part now: it was looked at in this round */
    for (unsigned slot = 0; slot < n; slot++) {
        bool cyclic, entered;
        look_before(s, slot, &cyclic, &entered);
        if (!cyclic || s->refused[slot] || s->seen[s->part[slot]])
            continue;
        s->seen[s->part[slot]] = true;
        unsigned entries = 0, first = slot, second = slot;
        for (unsigned i = 0; i < n; i++) {
            if (s->part[i] != s->part[slot])
                continue;
            look_before(s, i, &cyclic, &entered);
            if (!entered)
                continue;
            if (entries++ == 0)
                first = i;
            else
                second = i;
        }
        if (entries == 1) {
            mark_back(s, first);
            found = true;
        } else {
            refuse(s, first, entries, second);
        }
    }
    return found;
}

/* What is reached from the body's beginnings without passing `without` (FLOW_NONE: all). */
static void find_reached(struct search *s, unsigned without)
{
    unsigned depth = 0;
    for (unsigned i = 0; i < s->body->node_count; i++) {
        const struct flow_node *node = node_at(s, i);
        bool begins = i != without;
        for (unsigned k = 0, from; k < node->in_count && begins; k++)
            begins = !leads_to(s, node->in[k], false, &from);
        s->seen[i] = begins;
        if (begins)
            s->stack[depth++] = i;
    }
    while (depth > 0) {
        const struct flow_node *node = node_at(s, s->stack[--depth]);
        for (unsigned k = 0, to; k < node->out_count; k++)
            if (leads_to(s, node->out[k], true, &to) && to != without && !s->seen[to])
                s->seen[s->stack[depth++] = to] = true;
    }
}

static void add_loop(struct search *s, unsigned slot, const bool *reached)
{
    struct flow *flow = s->flow;
    struct flow_loop *loop = &flow->loops[flow->loop_count];
    find_reached(s, slot);
    *loop = (struct flow_loop){.header = s->body->nodes[slot],
                               .body = flow->nodes[s->body->nodes[slot]].body,
                               .parent = FLOW_NONE,
                               .max_iterations =
                                   json_get_int(node_at(s, slot)->config, "maxIterations", LIMIT_LOOP_ITERATIONS)};
    for (unsigned i = 0; i < s->body->node_count; i++)
        loop->node_count += reached[i] && !s->seen[i];
    loop->nodes = arena_alloc(&flow->arena, loop->node_count * sizeof *loop->nodes);
    loop->node_count = 0;
    for (unsigned i = 0; i < s->body->node_count; i++)
        if (reached[i] && !s->seen[i])
            loop->nodes[loop->node_count++] = s->body->nodes[i];
    flow->nodes[loop->header].heads = flow->loop_count++;
}

static bool contains(const struct flow_loop *loop, unsigned node)
{
    for (unsigned i = 0; i < loop->node_count; i++)
        if (loop->nodes[i] == node)
            return true;
    return false;
}

/* Loops of one body are inside each other or apart: the smallest that contains a node is its innermost. */
static void nest(struct flow *flow, unsigned first)
{
    for (unsigned l = first; l < flow->loop_count; l++) {
        struct flow_loop *loop = &flow->loops[l];
        for (unsigned i = 0; i < loop->node_count; i++) {
            unsigned *innermost = &flow->nodes[loop->nodes[i]].loop;
            if (*innermost == FLOW_NONE || flow->loops[*innermost].node_count > loop->node_count)
                *innermost = l;
        }
        for (unsigned o = first; o < flow->loop_count; o++)
            if (o != l && flow->loops[o].node_count > loop->node_count && contains(&flow->loops[o], loop->header) &&
                (loop->parent == FLOW_NONE || flow->loops[loop->parent].node_count > flow->loops[o].node_count))
                loop->parent = o;
    }
}

static unsigned outermost_left(const struct flow *flow, const struct flow_connection *c)
{
    unsigned left = FLOW_NONE;
    for (unsigned l = flow->nodes[c->from].loop; l != FLOW_NONE; l = flow->loops[l].parent)
        if (!contains(&flow->loops[l], c->to))
            left = l;
    return left;
}

static void push(unsigned *list, unsigned *count, unsigned value)
{
    if (list != NULL)
        list[*count] = value;
    ++*count;
}

/* Counts, or with the lists there fills them. */
static void list_connections(struct flow *flow, const struct flow_body *body)
{
    for (unsigned i = 0; i < body->connection_count; i++) {
        unsigned index = body->connections[i];
        struct flow_connection *c = &flow->connections[index];
        if (c->kind != FLOW_CONNECTION_PLAIN)
            continue;
        c->leave = outermost_left(flow, c);
        if (c->leave != FLOW_NONE)
            push(flow->loops[c->leave].exits, &flow->loops[c->leave].exit_count, index);
        for (unsigned l = flow->nodes[c->from].loop; l != FLOW_NONE; l = flow->loops[l].parent) {
            struct flow_loop *loop = &flow->loops[l];
            if (c->back && c->to == loop->header)
                push(loop->back, &loop->back_count, index);
            else if (contains(loop, c->to))
                push(loop->inside, &loop->inside_count, index);
        }
    }
}

static void describe(struct search *s)
{
    struct flow *flow = s->flow;
    struct flow_body *body = (struct flow_body *)s->body;
    unsigned first = flow->loop_count;
    bool *reached = mem_array(body->node_count, sizeof *reached);
    find_reached(s, FLOW_NONE);
    for (unsigned i = 0; i < body->node_count; i++)
        reached[i] = s->seen[i];
    for (unsigned i = 0; i < s->header_count; i++)
        if (flow->nodes[body->nodes[s->headers[i]]].heads == FLOW_NONE)
            add_loop(s, s->headers[i], reached);
    free(reached);
    nest(flow, first);
    list_connections(flow, body);
    body->loop_count = flow->loop_count - first;
    body->loops = arena_alloc(&flow->arena, body->loop_count * sizeof *body->loops);
    for (unsigned l = first; l < flow->loop_count; l++) {
        struct flow_loop *loop = &flow->loops[l];
        loop->slot = l - first;
        body->loops[l - first] = l;
        loop->inside = arena_alloc(&flow->arena, loop->inside_count * sizeof *loop->inside);
        loop->back = arena_alloc(&flow->arena, loop->back_count * sizeof *loop->back);
        loop->exits = arena_alloc(&flow->arena, loop->exit_count * sizeof *loop->exits);
        loop->inside_count = loop->back_count = loop->exit_count = 0;
    }
    list_connections(flow, body);
}

static void search_body(struct flow *flow, struct flow_body *body, struct json *problems)
{
    unsigned n = body->node_count;
    unsigned *room = mem_array((size_t)n * 5 + 1, sizeof *room);
    bool *flags = mem_array((size_t)n * 2 + 1, sizeof *flags);
    struct search s = {.flow = flow,
                       .body = body,
                       .problems = problems,
                       .part = room,
                       .order = room + n,
                       .stack = room + 2 * (size_t)n,
                       .next = room + 3 * (size_t)n,
                       .headers = room + 4 * (size_t)n,
                       .seen = flags,
                       .refused = flags + n};
    while (cut_parts(&s)) {
    }
    if (s.header_count > 0)
        describe(&s);
    free(room);
    free(flags);
}

void loops_find(struct flow *flow, struct json *problems)
{
    flow->loops = arena_alloc(&flow->arena, flow->node_count * sizeof *flow->loops);
    for (unsigned i = 0; i < flow->body_count; i++)
        search_body(flow, &flow->bodies[i], problems);
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct flow_node *node = &flow->nodes[i];
        for (unsigned k = 0; k < node->in_count; k++)
            node->needed += !flow->connections[node->in[k]].back;
    }
}
