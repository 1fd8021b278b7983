/* Flows are made of blocks that follow each other. */
#include "support/flow_random.h"

#include "base/clock.h"
#include "support/flow_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct maker {
    struct rng *rng;
    struct buf nodes, lines;
    unsigned count, budget;
};

struct end { /* where the next block begins */
    char from[40];
};

static unsigned add_node(struct maker *m, const char *type, int parent, const char *config)
{
    buf_printf(&m->nodes, "%sn%u:%s", m->count == 0 ? "" : " ", m->count, type);
    if (parent >= 0)
        buf_printf(&m->nodes, "@n%d", parent);
    buf_add_str(&m->nodes, config);
    m->budget -= m->budget > 0;
    return m->count++;
}

static void add_line(struct maker *m, const char *from, unsigned to, const char *pin)
{
    buf_printf(&m->lines, "%s%s>n%u.%s", m->lines.len == 0 ? "" : " ", from, to, pin);
}

static const char *any_type(struct maker *m)
{
    return rng_below(m->rng, 2) == 0 ? "pure" : "effect";
}

static const char *any_config(struct maker *m)
{
    static const char *const configs[] = {"", "", "{'critical':false}", "{'retry':{'maxAttempts':2,'delayMs':5}}"};
    return configs[rng_below(m->rng, 4)];
}

static void leave(struct end *end, unsigned node, const char *pin)
{
    (void)snprintf(end->from, sizeof end->from, "n%u.%s", node, pin);
}

static void add_blocks(struct maker *m, struct end *end, int parent, unsigned depth);

static void add_plain(struct maker *m, struct end *end, int parent)
{
    unsigned node = add_node(m, any_type(m), parent, any_config(m));
    add_line(m, end->from, node, "in");
    leave(end, node, "out");
}

static void add_diamond(struct maker *m, struct end *end, int parent)
{
    char left[40], right[40];
    unsigned a = add_node(m, any_type(m), parent, any_config(m)), b = add_node(m, any_type(m), parent, any_config(m));
    bool first = rng_below(m->rng, 4) == 0; /* whichever comes first, or both */
    unsigned join = first ? add_node(m, "merge", parent, "{'mode':'first'}") : add_node(m, any_type(m), parent, "");
    add_line(m, end->from, a, "in");
    add_line(m, end->from, b, "in");
    (void)snprintf(left, sizeof left, "n%u.out", a);
    (void)snprintf(right, sizeof right, "n%u.%s", b, rng_below(m->rng, 2) == 0 ? "out" : "other");
    add_line(m, left, join, "in");
    add_line(m, right, join, "data");
    leave(end, join, "out");
}

static void add_loop(struct maker *m, struct end *end, int parent, unsigned depth)
{
    char entry[40], back[48];
    unsigned header = add_node(m, any_type(m), parent, "");
    (void)snprintf(entry, sizeof entry, "%s", end->from);
    add_line(m, entry, header, "in");
    leave(end, header, "out");
    add_blocks(m, end, parent, depth + 1);
    unsigned last = add_node(m, any_type(m), parent, "");
    add_line(m, end->from, last, "in");
    (void)snprintf(back, sizeof back, "n%u.other", last);
    add_line(m, back, header, "data");
    leave(end, last, "out");
    if (rng_below(m->rng, 2) == 0) { /* a join with what is before the loop */
        unsigned join = add_node(m, any_type(m), parent, "");
        add_line(m, end->from, join, "in");
        if (strstr(entry, ".item") == NULL)
            add_line(m, entry, join, "data");
        leave(end, join, "out");
    }
}

static void add_wait(struct maker *m, struct end *end, int parent)
{
    char late[40];
    unsigned wait = add_node(m, "wait", parent, ""), then = add_node(m, any_type(m), parent, "");
    add_line(m, end->from, wait, "in");
    leave(end, wait, "output");
    add_line(m, end->from, then, "in");
    (void)snprintf(late, sizeof late, "n%u.timeout", wait);
    add_line(m, late, then, "data");
    leave(end, then, "out");
}

static void add_child(struct maker *m, struct end *end, int parent)
{
    static const char *const configs[] = {"", "{'mode':'start'}", "{'critical':false}",
                                          "{'retry':{'maxAttempts':2,'delayMs':5}}"};
    char failed[40];
    unsigned child = add_node(m, "sub-flow", parent, configs[rng_below(m->rng, 4)]);
    add_line(m, end->from, child, "input");
    leave(end, child, "output");
    if (rng_below(m->rng, 2) == 0)
        return;
    unsigned then = add_node(m, any_type(m), parent, "");
    add_line(m, end->from, then, "in");
    (void)snprintf(failed, sizeof failed, "n%u.error", child);
    add_line(m, failed, then, "data");
    leave(end, then, "out");
}

static void add_each(struct maker *m, struct end *end, int parent, unsigned depth)
{
    static const char *const configs[] = {"", "{'critical':false}", "{'v':'{{now}}'}", "{'distribute':true}"};
    unsigned each = add_node(m, "each", parent, configs[rng_below(m->rng, 4)]);
    struct end inside;
    add_line(m, end->from, each, "items");
    leave(&inside, each, "item");
    add_plain(m, &inside, (int)each);
    add_blocks(m, &inside, (int)each, depth + 1);
    if (rng_below(m->rng, 3) > 0)
        add_line(m, inside.from, each, "result");
    leave(end, each, "results");
}

static void add_blocks(struct maker *m, struct end *end, int parent, unsigned depth)
{
    for (unsigned n = 1 + (unsigned)rng_below(m->rng, 3); n > 0 && m->budget > 0; n--) {
        unsigned kind = (unsigned)rng_below(m->rng, depth < 3 ? 8 : 5);
        if (kind == 7)
            add_each(m, end, parent, depth);
        else if (kind >= 5)
            add_loop(m, end, parent, depth);
        else if (kind == 4)
            add_child(m, end, parent);
        else if (kind == 3)
            add_wait(m, end, parent);
        else if (kind == 2)
            add_diamond(m, end, parent);
        else
            add_plain(m, end, parent);
    }
}

static void draw(struct maker *m, struct end *end)
{
    buf_init(&m->nodes, 0);
    buf_init(&m->lines, 0);
    leave(end, add_node(m, "trigger", -1, ""), "out");
    add_blocks(m, end, -1, 0);
}

struct json *flow_random_definition(struct rng *rng, unsigned size)
{
    struct maker m = {.rng = rng, .budget = size};
    struct end end;
    draw(&m, &end);
    buf_add_str(&m.nodes, " end:respond");
    buf_printf(&m.lines, "%sn0.out>end.in", m.lines.len == 0 ? "" : " ");
    if (strcmp(end.from, "n0.out") != 0)
        buf_printf(&m.lines, " %s>end.data", end.from);
    struct json *definition = kit_definition(buf_str(&m.nodes), buf_str(&m.lines));
    buf_done(&m.nodes);
    buf_done(&m.lines);
    return definition;
}

struct flow *flow_random(uint64_t seed)
{
    struct rng rng = {.state = seed};
    struct maker m = {.rng = &rng, .budget = 14};
    struct end end;
    draw(&m, &end);
    if (getenv("FLOW_SEED") != NULL)
        print_message("%s\n%s\n", buf_str(&m.nodes), buf_str(&m.lines));
    struct flow *flow = kit_flow_of(buf_str(&m.nodes), m.lines.len == 0 ? "" : buf_str(&m.lines), NULL);
    buf_done(&m.nodes);
    buf_done(&m.lines);
    return flow;
}
