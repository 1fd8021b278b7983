/* What has to come of an execution: its run in an ideal world, where nobody dies, waits are over at once, and what
 * fails for good fails last, so that whatever can run does. That runs come to the same in any order is held by
 * tests/unit/flow/test_run_scope_properties.c. */
#include "sim.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1000000
#define FAR_MS 100000  /* longer than a wait of its own, shorter than the time of an item */
#define STARTS_MAX 400 /* beyond, the flow is too large for a history anyway */

struct started {
    unsigned scope, node;
    int attempt;
    struct json *inputs;
    bool fails, of_child; /* what is left to be told of it: that it fails; of_child: by its child */
    char child[40];
};

struct play {
    struct sim *sim;
    const struct sim_flow *flow;
    unsigned index;
    bool mended, finished;
    struct map ended_inside; /* of items */
    struct flow_run *run;
    struct sim_expected *expected;
    struct started *list;
    size_t count, cap;
    int64_t now_ms, last_signal;
};

static void put(struct play *p, struct started started)
{
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        p->list = mem_resize(p->list, p->cap * sizeof *p->list);
    }
    p->list[p->count++] = started;
}

static struct started take(struct play *p, size_t index)
{
    struct started taken = p->list[index];
    memmove(&p->list[index], &p->list[index + 1], (--p->count - index) * sizeof *p->list);
    return taken;
}

static void forget(struct play *p, unsigned scope, unsigned node, const char *child)
{
    for (size_t i = p->count; i-- > 0;)
        if (child != NULL ? strcmp(p->list[i].child, child) == 0 : p->list[i].scope == scope && p->list[i].node == node)
            json_unref(take(p, i).inputs);
}

static void take_commands(struct play *p)
{
    struct run_command command;
    while (flow_run_next_command(p->run, &command))
        switch (command.kind) {
        case RUN_COMMAND_START_NODE:
            put(p, (struct started){.scope = command.scope,
                                    .node = command.node,
                                    .attempt = command.attempt,
                                    .inputs = json_ref(command.inputs)});
            break;
        case RUN_COMMAND_ABORT_NODE:
            forget(p, command.scope, command.node, NULL);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            forget(p, 0, 0, json_get_str(command.checkpoint.waiting, "childId"));
            break;
        case RUN_COMMAND_CHECKPOINT:
            break;
        case RUN_COMMAND_FINISH:
            p->finished = true;
            break;
        }
}

static void advance(struct play *p, struct run_event event)
{
    event.now_ms = p->now_ms;
    flow_run_advance(p->run, &event);
    take_commands(p);
}

static struct run_event event_of(const struct started *at, enum run_event_kind kind)
{
    return (struct run_event){.kind = kind, .scope = at->scope, .node = at->node, .attempt = at->attempt, .records = 1};
}

static void tell_failed(struct play *p, const struct started *at)
{
    struct error error;
    struct run_event event = event_of(at, RUN_EVENT_NODE_FAILED);
    (void)error_set(&error, ERR_NODE_RETRY, NULL, "It was meant to fail.");
    event.error = &error;
    event.retryable = true;
    advance(p, event);
}

static void tell_signal(struct play *p, struct run_signal signal)
{
    signal.id = ++p->last_signal;
    advance(p, (struct run_event){.kind = RUN_EVENT_SIGNAL, .signal = &signal});
}

/* ---- waits */

static void expect_signal(struct play *p, const struct started *at, const char *node_id, const char *iteration)
{
    struct run_event event = event_of(at, RUN_EVENT_NODE_WAIT);
    int64_t timeout_ms = json_get_int(at->inputs, "timeoutMs", 0);
    bool signalled = sim_is_signalled(p->flow, node_id);
    event.take_waiting = json_object_new();
    json_set_str(event.take_waiting, "kind", "signal");
    json_set_str(event.take_waiting, "name", node_id);
    event.take_outputs = json_object_new();
    if (timeout_ms > 0)
        json_set(event.take_outputs, "timeout", json_object_new());
    event.wake_ms = signalled || timeout_ms == 0 ? RUN_WAKE_NEVER : p->now_ms + timeout_ms;
    p->expected->failed |= !signalled && timeout_ms == 0; /* its item's time will end it */
    advance(p, event);
    if (!signalled)
        return;
    struct sim_wait *wait = mem_alloc(sizeof *wait);
    (void)snprintf(wait->node, sizeof wait->node, "%s", node_id);
    (void)snprintf(wait->iteration, sizeof wait->iteration, "%s", iteration);
    wait->next = p->expected->waits;
    p->expected->waits = wait;
    AUTO_JSON struct json *payload = sim_payload(node_id);
    tell_signal(p,
                (struct run_signal){.node_id = node_id, .iteration = iteration, .name = node_id, .payload = payload});
}

/* ---- children */

static void tell_child_end(struct play *p, const char *id, enum run_status status, const struct json *result)
{
    AUTO_JSON struct json *payload = json_object_new();
    json_set_str(payload, "status", run_status_name(status));
    json_set_str(payload, "executionId", id);
    json_set(payload, "result", json_ref(result));
    tell_signal(p, (struct run_signal){.of_child = true, .payload = payload});
}

static const struct sim_expected *expect_execution(struct play *p, const struct json *inputs)
{
    const char *body = json_get_str(inputs, "body"), *flow = json_get_str(inputs, "flow");
    AUTO_JSON struct json *input = json_ref(json_get(inputs, "input"));
    if (body != NULL) {
        struct json *item = json_object_new();
        json_set(item, "item", input);
        json_set_int(item, "index", json_get_int(inputs, "index", 0));
        input = item;
    }
    unsigned index = body != NULL ? p->index : sim_flow_index(p->sim, flow);
    if (index == p->sim->flow_count)
        abort(); /* flows are drawn to start each other only */
    const struct sim_expected *expected = sim_expect(p->sim, index, body, p->mended, input);
    p->expected->children++;
    p->expected->executions += 1 + expected->executions;
    p->expected->starts += expected->starts;
    return expected;
}

static void expect_child(struct play *p, const struct started *at)
{
    const char *mode = json_get_str(at->inputs, "mode");
    bool waits = mode == NULL || strcmp(mode, "start") != 0;
    struct run_event event = event_of(at, waits ? RUN_EVENT_NODE_WAIT : RUN_EVENT_NODE_DONE);
    const struct sim_expected *child = expect_execution(p, at->inputs);
    struct started failing = *at;
    (void)snprintf(failing.child, sizeof failing.child, "c%u", p->expected->children);
    event.take_waiting = json_object_new();
    event.take_outputs = json_object_new();
    json_set_str(event.take_waiting, "kind", waits ? "child" : "start");
    json_set_str(event.take_waiting, "childId", failing.child);
    event.wake_ms = RUN_WAKE_NEVER;
    if (!waits) {
        json_set(event.take_outputs, "output", json_object_new());
        json_set_str(event.take_outputs, "executionId", failing.child);
    }
    failing.inputs = NULL;
    failing.fails = failing.of_child = true;
    bool fails = waits && child->status != RUN_SUCCESS;
    p->expected->failed |= fails;
    advance(p, event);
    if (waits && !fails)
        tell_child_end(p, failing.child, child->status, child->result);
    else if (fails)
        put(p, failing);
}

/* ---- going on */

static void count_pair(struct map *pairs, const char *node_id, uint64_t hash)
{
    AUTO_FREE char *key = mem_printf("%s#%llx", node_id, (unsigned long long)hash);
    sim_count_add(pairs, key, 1);
}

static void go_on(struct play *p, struct started at)
{
    const struct flow_node *node = &p->flow->flow->nodes[at.node];
    enum sim_kind kind = sim_kind_of(node->type);
    char iteration[RUN_ITERATION_BYTES_MAX];
    struct sim_outcome outcome;
    flow_run_iteration(p->run, at.scope, at.node, iteration);
    sim_behave(p->flow, p->mended, node->id, iteration, at.attempt, kind, at.inputs, &outcome);
    if (at.attempt == 1)
        count_pair(&p->expected->begun, node->id, outcome.hash);
    if (at.attempt == 1 && !outcome.for_good)
        count_pair(strchr(iteration, '.') == NULL ? &p->expected->ended : &p->ended_inside, node->id, outcome.hash);
    p->expected->starts++;
    struct run_event event = event_of(&at, kind == KIND_SLEEP ? RUN_EVENT_NODE_WAIT : RUN_EVENT_NODE_DONE);
    event.wake_ms = p->now_ms + 1;
    event.take_outputs = outcome.outputs;
    if (kind == KIND_EACH &&
        json_has(at.inputs, "v")) /* in any order: each of its items may come before one that fails */
        json_set_int(outcome.outputs, "concurrency", (int64_t)json_count(json_get(outcome.outputs, "items")));
    p->expected->failed |= outcome.for_good;
    if (outcome.for_good && at.attempt >= node->retry.max_attempts)
        put(p, (struct started){.scope = at.scope, .node = at.node, .attempt = at.attempt, .fails = true});
    else if (outcome.fails)
        tell_failed(p, &at);
    else if (kind == KIND_SIGNAL)
        expect_signal(p, &at, node->id, iteration);
    else if (kind == KIND_CHILD)
        expect_child(p, &at);
    else
        advance(p, event);
    json_unref(at.inputs);
}

static void fail(struct play *p, struct started at)
{
    if (at.of_child)
        tell_child_end(p, at.child, RUN_FAILED, NULL);
    else
        tell_failed(p, &at);
}

/* What fails for good comes last, but for what waits until the time of its item is over. */
static bool step(struct play *p)
{
    size_t next = 0;
    while (next < p->count && p->list[next].fails)
        next++;
    int64_t due = flow_run_due_ms(p->run);
    if (next < p->count) {
        go_on(p, take(p, next));
    } else if (due < RUN_WAKE_NEVER && (p->count == 0 || due - p->now_ms < FAR_MS)) {
        p->now_ms = due > p->now_ms ? due : p->now_ms;
        advance(p, (struct run_event){.kind = RUN_EVENT_TIME});
    } else if (p->count > 0) {
        fail(p, take(p, 0));
    } else {
        sim_problem(p->sim, "a flow without faults hangs");
        return false;
    }
    return true;
}

static void add_pair(void *user, const char *key, void *value)
{
    sim_count_add(user, key, (uintptr_t)value);
}

static void play(struct play *p, const char *body, const struct json *input)
{
    struct run_options options = {
        .execution_id = "e", .trigger = "manual", .created_ms = START_MS, .epoch = 1, .body = body};
    map_init(&p->ended_inside);
    p->now_ms = START_MS;
    p->run = flow_run_new(p->flow->flow, &options, input);
    advance(p, (struct run_event){.kind = RUN_EVENT_START});
    while (!p->finished && p->expected->starts < STARTS_MAX && step(p)) {
    }
    p->expected->status = flow_run_status(p->run);
    p->expected->result = json_ref(flow_run_result(p->run));
    p->expected->loose = p->flow->bounded;
    p->expected->took_ms = p->now_ms - START_MS;
    if (!p->expected->failed)
        map_each(&p->ended_inside, add_pair, &p->expected->ended);
    map_done(&p->ended_inside);
    while (p->count > 0)
        json_unref(take(p, 0).inputs);
    free(p->list);
    flow_run_free(p->run);
}

const struct sim_expected *sim_expect(struct sim *sim, unsigned flow, const char *body, bool mended,
                                      const struct json *input)
{
    AUTO_FREE char *key = mem_printf("%s/%s/%d/%llx", sim->flows[flow].id, body == NULL ? "" : body, mended,
                                     (unsigned long long)sim_hash_value(input));
    struct sim_expected *expected = map_get(&sim->expectations, key);
    if (expected != NULL)
        return expected;
    expected = mem_alloc(sizeof *expected);
    map_init(&expected->begun);
    map_init(&expected->ended);
    (void)map_put(&sim->expectations, key, expected);
    struct play p = {.sim = sim, .flow = &sim->flows[flow], .index = flow, .mended = mended, .expected = expected};
    play(&p, body, input);
    return expected;
}

static void expected_free(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    struct sim_expected *expected = value;
    while (expected->waits != NULL) {
        struct sim_wait *wait = expected->waits;
        expected->waits = wait->next;
        free(wait);
    }
    json_unref(expected->result);
    map_done(&expected->begun);
    map_done(&expected->ended);
    free(expected);
}

void sim_expectations_forget(struct sim *sim)
{
    map_each(&sim->expectations, expected_free, NULL);
    map_done(&sim->expectations);
    map_init(&sim->expectations);
}
