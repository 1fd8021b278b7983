/* Properties of runs over random flows and random orders of events. FLOW_SEED=n repeats one seed; FLOW_SEEDS=n runs
 * more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "flow/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 24
#define COMMANDS_MAX 4096
#define START_MS 1000000

/* ---- a random flow of pure and of effect nodes */

static const struct flow_pin pins_in[] = {{.name = "in", .type = "any"}, {0}};
static const struct flow_pin pins_out[] = {{.name = "out", .type = "any"}, {.name = "other", .type = "any"}, {0}};
static const struct field no_fields[] = {{0}};
static const struct flow_node_spec pure = {
    .type = "pure", .inputs = pins_in, .outputs = pins_out, .fields = no_fields, .pure = true};
static const struct flow_node_spec effect = {
    .type = "effect", .inputs = pins_in, .outputs = pins_out, .fields = no_fields};
static const struct flow_node_spec trigger = {
    .type = "trigger", .outputs = pins_out, .fields = no_fields, .trigger = "manual", .pure = true};

static const struct flow_node_spec *find(const struct flow_catalog *catalog, const char *type)
{
    (void)catalog;
    return strcmp(type, "pure") == 0      ? &pure
           : strcmp(type, "effect") == 0  ? &effect
           : strcmp(type, "trigger") == 0 ? &trigger
                                          : NULL;
}

static void add_node(struct json *nodes, unsigned index, struct rng *rng)
{
    struct json *node = json_object_new(), *config = json_object_new();
    char id[16];
    (void)snprintf(id, sizeof id, "n%u", index);
    json_set_str(node, "id", id);
    json_set_str(node, "type", index == 0 ? "trigger" : rng_below(rng, 2) == 0 ? "pure" : "effect");
    if (rng_below(rng, 4) == 0)
        json_set_bool(config, "critical", false);
    if (rng_below(rng, 3) == 0) {
        struct json *retry = json_object_new();
        json_set_int(retry, "maxAttempts", 1 + (int64_t)rng_below(rng, 4));
        json_set_int(retry, "delayMs", (int64_t)rng_below(rng, 50));
        json_set(config, "retry", retry);
    }
    json_set(node, "config", config);
    json_push(nodes, node);
}

static struct flow *random_flow(struct rng *rng)
{
    struct json *definition = json_object_new(), *nodes = json_array_new(), *connections = json_array_new();
    unsigned count = 2 + (unsigned)rng_below(rng, NODES_MAX - 1);
    static const char *const outputs[] = {"out", "out", "out", "other", "error"};
    for (unsigned i = 0; i < count; i++)
        add_node(nodes, i, rng);
    for (unsigned to = 1; to < count; to++)
        for (unsigned k = 1 + (unsigned)rng_below(rng, 3); k > 0; k--) {
            char from_id[16], to_id[16];
            struct json *connection = json_object_new();
            (void)snprintf(from_id, sizeof from_id, "n%u", (unsigned)rng_below(rng, to));
            (void)snprintf(to_id, sizeof to_id, "n%u", to);
            json_set_str(connection, "fromNodeId", from_id);
            json_set_str(connection, "fromOutput", outputs[rng_below(rng, 5)]);
            json_set_str(connection, "toNodeId", to_id);
            json_set_str(connection, "toInput", "in");
            json_push(connections, connection);
        }
    json_set_str(definition, "name", "random");
    json_set(definition, "nodes", nodes);
    json_set(definition, "connections", connections);
    const struct flow_catalog catalog = {.find = find};
    struct flow *flow = NULL;
    struct error error;
    if (flow_compile("flow", 1, definition, &catalog, &flow, NULL, &error) != ERR_OK)
        fail_msg("a random flow does not compile: %s", error.message);
    json_unref(definition);
    return flow;
}

/* ---- what happened */

enum outcome { OUTCOME_NONE, OUTCOME_GOOD, OUTCOME_BAD };

struct history {
    unsigned running[NODES_MAX], attempts[NODES_MAX]; /* running: attempt, 0 none */
    bool started[NODES_MAX], concluded[NODES_MAX];
    uint64_t digest;
    unsigned commands;
    bool finished;
    struct run_checkpoint checkpoints[NODES_MAX]; /* the latest of each node; outputs are ours */
    bool known[NODES_MAX];
};

static void history_done(struct history *h)
{
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (h->known[i])
            json_unref((struct json *)h->checkpoints[i].outputs);
}

/* Whether an attempt succeeds, and what it gives, follows from seed, node and attempt alone: so do all replays. */
static enum outcome outcome_of(uint64_t seed, unsigned node, int attempt)
{
    uint64_t mixed[3] = {seed, node, (uint64_t)attempt};
    return hash_bytes(mixed, sizeof mixed) % 4 == 0 && node != 0 ? OUTCOME_BAD : OUTCOME_GOOD;
}

static bool waits(uint64_t seed, unsigned node)
{
    uint64_t mixed[2] = {seed ^ 77, node};
    return hash_bytes(mixed, sizeof mixed) % 6 == 0 && node != 0;
}

static struct json *outputs_of(uint64_t seed, unsigned node)
{
    struct json *outputs = json_object_new();
    uint64_t mixed[2] = {seed ^ 99, node};
    json_set_int(outputs, "out", node);
    if (hash_bytes(mixed, sizeof mixed) % 2 == 0)
        json_set_int(outputs, "other", -(int64_t)node);
    return outputs;
}

static void mix(struct history *h, uint64_t value)
{
    h->digest = (h->digest ^ value) * UINT64_C(1099511628211);
    h->commands++;
}

static void check_start(const struct flow *flow, const struct history *h, unsigned index)
{
    if (h->finished)
        fail_msg("node %u started after the end", index);
    if (h->running[index] != 0)
        fail_msg("node %u runs twice at once", index);
    for (unsigned k = 0; k < flow->nodes[index].in_count; k++) {
        unsigned source = flow->connections[flow->nodes[index].in[k]].from;
        if (h->running[source] != 0)
            fail_msg("node %u started while its source %u runs", index, source);
    }
}

static void keep_checkpoint(struct history *h, const struct run_command *command)
{
    if (h->known[command->node])
        json_unref((struct json *)h->checkpoints[command->node].outputs);
    h->checkpoints[command->node] = command->checkpoint;
    h->checkpoints[command->node].outputs = json_ref(command->checkpoint.outputs);
    if (h->checkpoints[command->node].error_message != NULL) /* borrowed from the run */
        h->checkpoints[command->node].error_message = "planned";
    h->known[command->node] = true;
}

static void take_commands(struct flow_run *run, struct history *h)
{
    struct run_command command;
    while (flow_run_next_command(run, &command)) {
        mix(h, (uint64_t)command.kind * 1000003 + command.node * 101 + (uint64_t)command.attempt);
        if (h->commands > COMMANDS_MAX)
            fail_msg("the run does not end");
        switch (command.kind) {
        case RUN_COMMAND_START_NODE:
            check_start(flow_run_flow(run), h, command.node);
            h->running[command.node] = (unsigned)command.attempt;
            h->started[command.node] = true;
            break;
        case RUN_COMMAND_ABORT_NODE:
            h->running[command.node] = 0;
            break;
        case RUN_COMMAND_CHECKPOINT:
            keep_checkpoint(h, &command);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            break;
        case RUN_COMMAND_FINISH:
            assert_false(h->finished);
            h->finished = true;
            break;
        }
    }
}

/* One of the running nodes ends, or time goes on. False: nothing can happen any more. */
static bool step(struct flow_run *run, struct history *h, uint64_t seed, struct rng *order, int64_t *now)
{
    unsigned running[NODES_MAX], count = 0;
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (h->running[i] != 0)
            running[count++] = i;
    int64_t due = flow_run_due_ms(run);
    if (count == 0 && due == INT64_MAX)
        return false;
    *now += (int64_t)rng_below(order, 5);
    if (count == 0 || (due != INT64_MAX && rng_below(order, 4) == 0 && due - *now < 10000)) {
        *now = due > *now ? due : *now;
        flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_TIME, .now_ms = *now});
        take_commands(run, h);
        return true;
    }
    unsigned node = running[rng_below(order, count)];
    int attempt = (int)h->running[node];
    h->running[node] = 0;
    struct error error;
    (void)error_set(&error, ERR_NODE_RETRY, NULL, "planned");
    struct run_event event = {
        .kind = RUN_EVENT_NODE_DONE, .now_ms = *now, .node = node, .attempt = attempt, .records = 1};
    if (outcome_of(seed, node, attempt) == OUTCOME_BAD) {
        event.kind = RUN_EVENT_NODE_FAILED;
        event.error = &error;
        event.retryable = true;
    } else {
        event.kind = waits(seed, node) ? RUN_EVENT_NODE_WAIT : RUN_EVENT_NODE_DONE;
        event.wake_ms = *now + 20;
        event.take_outputs = outputs_of(seed, node);
    }
    flow_run_advance(run, &event);
    take_commands(run, h);
    return true;
}

/* The end that a person sees: status and what each node gave. */
static uint64_t end_of(struct flow_run *run)
{
    struct json *document = flow_run_document(run);
    uint64_t digest = hash_str(run_status_name(flow_run_status(run)));
    const struct json *nodes = json_get(document, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        const char *status = json_get_str(node, "status");
        if (strcmp(status, "success") != 0) /* what was under way when the run failed depends on the order */
            continue;
        AUTO_FREE char *output = json_dup_text(json_get(node, "output"));
        digest += hash_str(json_get_str(node, "nodeId")) * 31 + hash_str(output);
    }
    json_unref(document);
    return digest;
}

static struct run_options options_of(uint64_t seed, int epoch)
{
    return (struct run_options){.execution_id = "01900000-0000-7000-8000-000000000000",
                                .trigger = "manual",
                                .created_ms = START_MS,
                                .seed = seed,
                                .epoch = epoch,
                                .lost_epochs = epoch > 1 ? (1u << (epoch - 1)) - 1 : 0};
}

/* ---- a person who pauses, resumes and cancels; limits of time */

enum meddling { MEDDLE_NOT, MEDDLE_PAUSE, MEDDLE_CANCEL };

struct meddler {
    struct rng rng;
    enum meddling kind;
    bool paused, cancelled;
};

static void person(struct flow_run *run, struct history *h, enum run_event_kind kind, int64_t now)
{
    flow_run_advance(run, &(struct run_event){.kind = kind, .now_ms = now});
    take_commands(run, h);
}

/* Before each step. While paused nothing may be started; after a cancel nothing may be commanded at all. */
static void meddle(struct meddler *m, struct flow_run *run, struct history *h, int64_t now)
{
    if (m->kind == MEDDLE_PAUSE && rng_below(&m->rng, 3) == 0) {
        m->paused = !m->paused;
        person(run, h, m->paused ? RUN_EVENT_PAUSE : RUN_EVENT_RESUME, now);
        if (!run_status_is_final(flow_run_status(run)) && (flow_run_status(run) == RUN_PAUSED) != m->paused)
            fail_msg("the run does not show that it is paused, or resumed");
    } else if (m->kind == MEDDLE_CANCEL && rng_below(&m->rng, 6) == 0) {
        person(run, h, RUN_EVENT_CANCEL, now);
        m->cancelled = true;
        assert_true(h->finished);
        assert_int_equal(flow_run_status(run), RUN_CANCELLED);
    }
}

/* Nothing left to do for a paused run but to be resumed. */
static void resume_at_rest(struct meddler *m, struct flow_run *run, struct history *h, int64_t now)
{
    if (!m->paused)
        fail_msg("the run hangs: nothing runs, nothing is due");
    if (!flow_run_is_parkable(run))
        fail_msg("a paused run at rest cannot be parked");
    m->paused = false;
    person(run, h, RUN_EVENT_RESUME, now);
}

static void check_nothing_started(const struct history *before, const struct history *after)
{
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (after->running[i] != 0 && after->running[i] != before->running[i])
            fail_msg("node %u was started while the run was paused", i);
}

static uint64_t run_meddled(const struct flow *flow, uint64_t seed, enum meddling kind, struct history *h,
                            enum run_status *ret_status)
{
    struct rng order = {.state = seed ^ 0x1234};
    struct meddler m = {.rng = {.state = seed ^ 0x4321}, .kind = kind};
    int64_t now = START_MS;
    struct run_options options = options_of(seed, 1);
    struct flow_run *run = flow_run_new(flow, &options, NULL);
    *h = (struct history){0};
    person(run, h, RUN_EVENT_START, now);
    while (!run_status_is_final(flow_run_status(run))) {
        meddle(&m, run, h, now);
        struct history before = *h;
        if (!run_status_is_final(flow_run_status(run)) && !step(run, h, seed, &order, &now))
            resume_at_rest(&m, run, h, now);
        else if (m.paused)
            check_nothing_started(&before, h);
    }
    assert_true(h->finished);
    unsigned commands = h->commands;
    for (unsigned i = 0; i < flow->node_count; i++) /* what comes late changes nothing */
        flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_NODE_DONE,
                                                  .now_ms = now,
                                                  .node = i,
                                                  .attempt = (int)h->running[i],
                                                  .take_outputs = json_object_new()});
    person(run, h, RUN_EVENT_RESUME, now);
    person(run, h, RUN_EVENT_TIME, now + 1000000);
    assert_int_equal(h->commands, commands);
    *ret_status = flow_run_status(run);
    uint64_t end = end_of(run);
    flow_run_free(run);
    return end;
}

static void check_meddling(const struct flow *flow, uint64_t seed, enum run_status status, uint64_t end)
{
    struct history paused, again, cancelled;
    enum run_status after_pause, after_again, after_cancel;
    uint64_t end_paused = run_meddled(flow, seed, MEDDLE_PAUSE, &paused, &after_pause);
    uint64_t end_again = run_meddled(flow, seed, MEDDLE_PAUSE, &again, &after_again);
    (void)run_meddled(flow, seed, MEDDLE_CANCEL, &cancelled, &after_cancel);
    if (paused.digest != again.digest || end_paused != end_again)
        fail_msg("FLOW_SEED=%llu: the same pauses gave other commands", (unsigned long long)seed);
    if (after_pause != status || (status == RUN_SUCCESS && end_paused != end))
        fail_msg("FLOW_SEED=%llu: pauses gave another end (%s, %s)", (unsigned long long)seed, run_status_name(status),
                 run_status_name(after_pause));
    if (after_cancel != RUN_CANCELLED && after_cancel != status)
        fail_msg("FLOW_SEED=%llu: a run with a cancel ended as %s", (unsigned long long)seed,
                 run_status_name(after_cancel));
    history_done(&paused);
    history_done(&again);
    history_done(&cancelled);
}

/* Runs to the end; with crash_after > 0 the run is dropped after so many steps and restored from its checkpoints. */
static uint64_t run_one(const struct flow *flow, uint64_t seed, uint64_t order_seed, int crash_after, struct history *h,
                        enum run_status *ret_status)
{
    *h = (struct history){0};
    struct rng order = {.state = order_seed};
    int64_t now = START_MS;
    struct run_options options = options_of(seed, 1);
    struct flow_run *run = flow_run_new(flow, &options, NULL);
    flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = now});
    take_commands(run, h);
    for (int steps = 1; !run_status_is_final(flow_run_status(run)); steps++) {
        if (!step(run, h, seed, &order, &now))
            fail_msg("the run hangs: nothing runs, nothing is due");
        if (steps == crash_after && !run_status_is_final(flow_run_status(run))) {
            flow_run_free(run);
            options = options_of(seed, 2);
            run = flow_run_new(flow, &options, NULL);
            for (unsigned i = 0; i < flow->node_count; i++) {
                h->running[i] = 0;
                if (h->known[i])
                    flow_run_restore(run, &h->checkpoints[i]);
            }
            flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = now});
            take_commands(run, h);
        }
    }
    assert_true(h->finished);
    *ret_status = flow_run_status(run);
    uint64_t end = end_of(run);
    flow_run_free(run);
    return end;
}

static void check_seed(uint64_t seed)
{
    struct rng rng = {.state = seed};
    struct flow *flow = random_flow(&rng);
    struct history first, second, other, crashed;
    enum run_status status, again, elsewhere, after_crash;
    uint64_t end = run_one(flow, seed, seed, 0, &first, &status);
    uint64_t end_again = run_one(flow, seed, seed, 0, &second, &again);
    if (first.digest != second.digest || end != end_again || status != again)
        fail_msg("FLOW_SEED=%llu: the same events gave other commands", (unsigned long long)seed);
    uint64_t end_other = run_one(flow, seed, seed ^ 0x5555, 0, &other, &elsewhere);
    if (status != elsewhere || (status == RUN_SUCCESS && end != end_other))
        fail_msg("FLOW_SEED=%llu: another order of events gave another end (%s, %s)", (unsigned long long)seed,
                 run_status_name(status), run_status_name(elsewhere));
    /* After a crash attempts count on, so an effect that failed in attempt 1 may now succeed: only runs without
     * failures must end alike. */
    bool clean = true;
    for (unsigned i = 0; i < flow->node_count; i++)
        clean &= outcome_of(seed, i, 1) == OUTCOME_GOOD && outcome_of(seed, i, 2) == OUTCOME_GOOD;
    uint64_t end_crashed = run_one(flow, seed, seed ^ 0x9999, 1 + (int)rng_below(&rng, 12), &crashed, &after_crash);
    if (clean && (status != after_crash || end != end_crashed))
        fail_msg("FLOW_SEED=%llu: going on from the checkpoints gave another end (%s, %s)", (unsigned long long)seed,
                 run_status_name(status), run_status_name(after_crash));
    check_meddling(flow, seed, status, end);
    history_done(&first);
    history_done(&second);
    history_done(&other);
    history_done(&crashed);
    flow_free(flow);
}

static void test_random_flows(void **state)
{
    (void)state;
    const char *one = getenv("FLOW_SEED"), *many = getenv("FLOW_SEEDS");
    if (one != NULL) {
        check_seed(strtoull(one, NULL, 10));
        return;
    }
    uint64_t count = many == NULL ? 4000 : strtoull(many, NULL, 10);
    for (uint64_t seed = 1; seed <= count; seed++)
        check_seed(seed);
}

/* Random seeds must reach every kind of end and of command, or they say nothing. */
static void test_the_seeds_reach_everything(void **state)
{
    (void)state;
    unsigned failed = 0, good = 0, checkpoints = 0, crashes_with_checkpoints = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng rng = {.state = seed};
        struct flow *flow = random_flow(&rng);
        struct history h;
        enum run_status status;
        (void)run_one(flow, seed, seed, 3, &h, &status);
        failed += status == RUN_FAILED;
        good += status == RUN_SUCCESS;
        for (unsigned i = 0; i < flow->node_count; i++)
            checkpoints += h.known[i];
        crashes_with_checkpoints += checkpoints > 0;
        history_done(&h);
        flow_free(flow);
    }
    assert_true(failed > 30 && good > 30 && checkpoints > 100 && crashes_with_checkpoints > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_flows),
                                       cmocka_unit_test(test_the_seeds_reach_everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
