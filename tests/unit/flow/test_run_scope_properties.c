/* Properties of runs over random flows of loops, for-each, waits and joins inside each other: every run ends, the same
 * events give the same commands, another order of events gives the same end, and so does going on from the checkpoints
 * of any moment. FLOW_SEED=n repeats one seed; FLOW_SEEDS=n runs more. */
#include "support/flow_kit.h"

#include "base/clock.h"
#include "base/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS 1000000
#define STEPS_MAX 60000

/* ---- random flows, made of blocks that follow each other */

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
    unsigned join = add_node(m, any_type(m), parent, "");
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

static void add_each(struct maker *m, struct end *end, int parent, unsigned depth)
{
    unsigned each = add_node(m, "each", parent, rng_below(m->rng, 3) == 0 ? "{'critical':false}" : "");
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
        unsigned kind = (unsigned)rng_below(m->rng, depth < 3 ? 6 : 3);
        if (kind == 5)
            add_each(m, end, parent, depth);
        else if (kind >= 3)
            add_loop(m, end, parent, depth);
        else if (kind == 2)
            add_diamond(m, end, parent);
        else
            add_plain(m, end, parent);
    }
}

static struct flow *random_flow(uint64_t seed)
{
    struct rng rng = {.state = seed};
    struct maker m = {.rng = &rng, .budget = 14};
    struct end end;
    buf_init(&m.nodes, 0);
    buf_init(&m.lines, 0);
    leave(&end, add_node(&m, "trigger", -1, ""), "out");
    add_blocks(&m, &end, -1, 0);
    if (getenv("FLOW_SEED") != NULL)
        print_message("%s\n%s\n", buf_str(&m.nodes), buf_str(&m.lines));
    struct flow *flow = kit_flow_of(buf_str(&m.nodes), m.lines.len == 0 ? "" : buf_str(&m.lines), NULL);
    buf_done(&m.nodes);
    buf_done(&m.lines);
    return flow;
}

/* ---- running one */

struct under_way {
    unsigned scope, node;
    int attempt;
    uint64_t name; /* of node and iteration */
};

struct kept {
    struct kept *next;
    struct run_checkpoint point;
    char iteration[RUN_ITERATION_BYTES_MAX];
};

struct play {
    const struct flow *flow;
    struct flow_run *run;
    uint64_t seed, digest;
    bool failures;
    struct rng order;
    int64_t now_ms;
    struct under_way *list;
    size_t count, cap;
    struct kept *kept;
    unsigned steps, passes, iterations, waits;
    bool finished;
};

static uint64_t draw(const struct play *p, uint64_t name, int attempt, uint64_t salt)
{
    uint64_t mixed[4] = {p->seed, name, (uint64_t)attempt, salt};
    return hash_bytes(mixed, sizeof mixed) >> 7;
}

static void keep(struct play *p, const struct run_checkpoint *point)
{
    struct kept *kept = p->kept;
    const char *iteration = point->iteration == NULL ? "0" : point->iteration;
    while (kept != NULL &&
           (strcmp(kept->point.node_id, point->node_id) != 0 || strcmp(kept->iteration, iteration) != 0))
        kept = kept->next;
    if (kept == NULL) {
        kept = mem_alloc(sizeof *kept);
        kept->next = p->kept;
        p->kept = kept;
    } else {
        json_unref((struct json *)kept->point.outputs);
    }
    (void)snprintf(kept->iteration, sizeof kept->iteration, "%s", iteration);
    kept->point = *point;
    kept->point.outputs = json_ref(point->outputs);
    kept->point.waiting = NULL;
    kept->point.iteration = kept->iteration;
    if (point->error_message != NULL)
        kept->point.error_message = "planned";
}

static void drop(struct play *p, size_t index)
{
    p->list[index] = p->list[--p->count];
}

static void on_start(struct play *p, const struct run_command *command)
{
    char key[ID_TEXT_BYTES_MAX];
    flow_run_idempotency_key(p->run, command->scope, command->node, key);
    uint64_t name = hash_str(key);
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].name == name)
            fail_msg("seed %llu: %s runs twice at once", (unsigned long long)p->seed, key);
    if (p->finished)
        fail_msg("seed %llu: %s starts after the end", (unsigned long long)p->seed, key);
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        p->list = mem_resize(p->list, p->cap * sizeof *p->list);
    }
    p->list[p->count++] =
        (struct under_way){.scope = command->scope, .node = command->node, .attempt = command->attempt, .name = name};
    p->digest = (p->digest ^ name ^ (uint64_t)command->attempt) * UINT64_C(1099511628211);
    p->passes += strstr(key, ":0") == NULL;
    p->iterations += strchr(strrchr(key, ':'), '.') != NULL;
}

static void take_commands(struct play *p)
{
    struct run_command command;
    while (flow_run_next_command(p->run, &command)) {
        p->digest = (p->digest ^ (uint64_t)command.kind) * UINT64_C(1099511628211);
        switch (command.kind) {
        case RUN_COMMAND_START_NODE:
            on_start(p, &command);
            break;
        case RUN_COMMAND_ABORT_NODE:
            for (size_t i = p->count; i-- > 0;)
                if (p->list[i].scope == command.scope && p->list[i].node == command.node)
                    drop(p, i);
            break;
        case RUN_COMMAND_CHECKPOINT:
            keep(p, &command.checkpoint);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            fail_msg("nobody has a child");
            break;
        case RUN_COMMAND_FINISH:
            assert_false(p->finished);
            p->finished = true;
            break;
        }
    }
}

static void advance(struct play *p, struct run_event event)
{
    event.now_ms = p->now_ms;
    flow_run_advance(p->run, &event);
    take_commands(p);
}

static struct json *outputs_of(const struct play *p, const struct under_way *at)
{
    struct json *outputs = json_object_new();
    uint64_t drawn = draw(p, at->name, 0, 1);
    if (p->flow->nodes[at->node].spec->container) {
        struct json *items = json_array_new();
        for (uint64_t i = 0; i < drawn % 4; i++)
            json_push(items, json_int_new((int64_t)(drawn % 1000 + i)));
        json_set(outputs, "items", items);
        json_set_int(outputs, "concurrency", 1 + (int64_t)(drawn / 4 % 3));
        json_set_bool(outputs, "continueOnError", drawn / 16 % 2 == 0);
        return outputs;
    }
    if (drawn % 5 != 2)
        json_set_int(outputs, "out", (int64_t)(drawn % 100000));
    if (drawn % 5 >= 2 && drawn % 5 < 4)
        json_set_int(outputs, "other", (int64_t)(drawn % 1000));
    return outputs;
}

static void end_one(struct play *p, size_t index)
{
    struct under_way at = p->list[index];
    struct error error;
    struct run_event event = {
        .kind = RUN_EVENT_NODE_DONE, .scope = at.scope, .node = at.node, .attempt = at.attempt, .records = 1};
    drop(p, index);
    if (p->failures && at.node != 0 && draw(p, at.name, at.attempt, 2) % 12 == 0) {
        (void)error_set(&error, ERR_NODE_RETRY, NULL, "planned");
        event.kind = RUN_EVENT_NODE_FAILED;
        event.error = &error;
        event.retryable = true;
    } else {
        event.take_outputs = outputs_of(p, &at);
        if (!p->flow->nodes[at.node].spec->pure && draw(p, at.name, 0, 3) % 5 == 0) {
            event.kind = RUN_EVENT_NODE_WAIT;
            event.wake_ms = p->now_ms + 20;
            p->waits++;
        }
    }
    advance(p, event);
}

static void step(struct play *p)
{
    int64_t due = flow_run_due_ms(p->run);
    p->now_ms += (int64_t)rng_below(&p->order, 5);
    if (p->count == 0 && due == INT64_MAX)
        fail_msg("seed %llu: the run hangs", (unsigned long long)p->seed);
    if (p->count == 0 || (due - p->now_ms < 1000 && rng_below(&p->order, 4) == 0)) {
        p->now_ms = due > p->now_ms ? due : p->now_ms;
        advance(p, (struct run_event){.kind = RUN_EVENT_TIME});
        return;
    }
    end_one(p, (size_t)rng_below(&p->order, p->count));
}

static void begin(struct play *p, int epoch)
{
    struct run_options options = {.execution_id = "e",
                                  .trigger = "manual",
                                  .created_ms = START_MS,
                                  .seed = p->seed,
                                  .epoch = epoch,
                                  .lost_epochs = epoch > 1 ? (1u << (epoch - 1)) - 1 : 0};
    p->run = flow_run_new(p->flow, &options, NULL);
}

static void crash(struct play *p)
{
    flow_run_free(p->run);
    p->count = 0;
    begin(p, 2);
    for (const struct kept *kept = p->kept; kept != NULL; kept = kept->next)
        flow_run_restore(p->run, &kept->point);
    advance(p, (struct run_event){.kind = RUN_EVENT_START});
}

/* Status, and what each node outside of for-each gave last. What was under way at a failure depends on the order. */
static uint64_t end_of(const struct play *p)
{
    uint64_t digest = hash_str(run_status_name(flow_run_status(p->run)));
    AUTO_JSON struct json *document = flow_run_document(p->run);
    const struct json *nodes = json_get(document, "nodes");
    if (flow_run_status(p->run) != RUN_SUCCESS)
        return digest;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        const char *iteration = json_get_str(node, "iteration");
        if (iteration != NULL && strchr(iteration, '.') != NULL) /* a failure elsewhere may have stopped it */
            continue;
        digest += hash_str(json_get_str(node, "nodeId")) * (uint64_t)(1 + json_get_int(node, "iterationCount", 1));
        AUTO_FREE char *output = json_dup_text(json_get(node, "output"));
        digest += hash_str(output) * 31 + hash_str(json_get_str(node, "status"));
    }
    return digest;
}

struct outcome {
    uint64_t end, digest;
    enum run_status status;
    unsigned steps, passes, iterations, waits;
};

static struct outcome play(const struct flow *flow, uint64_t seed, uint64_t order, bool failures, unsigned crash_after,
                           bool pauses)
{
    struct play p = {.flow = flow, .seed = seed, .failures = failures, .order = {.state = order}, .now_ms = START_MS};
    begin(&p, 1);
    advance(&p, (struct run_event){.kind = RUN_EVENT_START});
    while (!run_status_is_final(flow_run_status(p.run))) {
        if (++p.steps > STEPS_MAX)
            fail_msg("seed %llu: the run does not end", (unsigned long long)seed);
        if (pauses && rng_below(&p.order, 5) == 0) {
            advance(&p, (struct run_event){.kind = RUN_EVENT_PAUSE});
            if (p.count > 0)
                end_one(&p, 0);
            advance(&p, (struct run_event){.kind = RUN_EVENT_RESUME});
            continue;
        }
        step(&p);
        if (p.steps == crash_after && !run_status_is_final(flow_run_status(p.run)))
            crash(&p);
    }
    assert_true(p.finished);
    struct outcome outcome = {.end = end_of(&p),
                              .digest = p.digest,
                              .status = flow_run_status(p.run),
                              .steps = p.steps,
                              .passes = p.passes,
                              .iterations = p.iterations,
                              .waits = p.waits};
    flow_run_free(p.run);
    free(p.list);
    for (struct kept *kept = p.kept, *next; kept != NULL; kept = next) {
        next = kept->next;
        json_unref((struct json *)kept->point.outputs);
        free(kept);
    }
    return outcome;
}

static void must_agree(uint64_t seed, const char *what, struct outcome a, struct outcome b)
{
    if (a.status != b.status || a.end != b.end)
        fail_msg("FLOW_SEED=%llu: %s gave another end (%s, %s)", (unsigned long long)seed, what,
                 run_status_name(a.status), run_status_name(b.status));
}

static struct outcome check_seed(uint64_t seed)
{
    struct flow *flow = random_flow(seed);
    struct outcome first = play(flow, seed, seed, true, 0, false), again = play(flow, seed, seed, true, 0, false);
    if (first.digest != again.digest)
        fail_msg("FLOW_SEED=%llu: the same events gave other commands", (unsigned long long)seed);
    must_agree(seed, "another order", first, play(flow, seed, seed ^ 0x5555, true, 0, false));
    must_agree(seed, "pausing", first, play(flow, seed, seed ^ 0x7777, true, 0, true));
    struct outcome clean = play(flow, seed, seed, false, 0, false);
    assert_int_equal(clean.status, RUN_SUCCESS);
    struct rng rng = {.state = seed ^ 0x99};
    for (int i = 0; i < 3; i++)
        must_agree(seed, "a restart", clean,
                   play(flow, seed, seed ^ 0x1111, false, 1 + (unsigned)rng_below(&rng, clean.steps + 1), false));
    flow_free(flow);
    return clean;
}

static void test_random_flows(void **state)
{
    (void)state;
    const char *one = getenv("FLOW_SEED"), *many = getenv("FLOW_SEEDS");
    if (one != NULL) {
        (void)check_seed(strtoull(one, NULL, 10));
        return;
    }
    unsigned passes = 0, iterations = 0, waits = 0;
    uint64_t count = many == NULL ? 1500 : strtoull(many, NULL, 10);
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct outcome outcome = check_seed(seed);
        passes += outcome.passes > 0;
        iterations += outcome.iterations > 0;
        waits += outcome.waits > 0;
    }
    /* Seeds that never get there say nothing. */
    assert_true(passes > count / 10 && iterations > count / 10 && waits > count / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_flows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
