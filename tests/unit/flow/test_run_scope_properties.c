/* Properties of runs over random flows of loops, for-each (in place and distributed), sub-flows, waits for times and
 * signals with deadlines, and joins, inside each other: every run ends, the same events give the same commands, another
 * order of events, pauses and parking give the same end, and so does going on from what was stored at any moment; what
 * is stored as over never starts again; a cancel ends all, children included; a retry of what failed does nothing again
 * that had succeeded. FLOW_SEED=n repeats one seed; FLOW_SEEDS=n runs more. */
#include "support/flow_kit.h"
#include "support/flow_random.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS 1000000
#define STEPS_MAX 60000

/* ---- the world: what is stored, who speaks to the run */

struct under_way {
    unsigned scope, node;
    int attempt;
    uint64_t name; /* of node and iteration */
};

/* A checkpoint, or a child that nobody waits for any more (drop). */
struct fact {
    bool drop;
    struct run_checkpoint point; /* outputs, waiting and error_message are ours */
    char iteration[RUN_ITERATION_BYTES_MAX];
};

struct kept {
    struct kept *next;
    struct fact fact;
};

/* A signal, or the end of a child. Sent ones are stored until a stored checkpoint has taken them. */
struct word {
    struct word *next;
    bool of_child, sent, gone;
    bool late; /* not before its wait is over */
    int64_t id;
    uint64_t name;
    int attempt;
    char text[40]; /* the signal's name, the child's id */
    const char *node_id;
    char iteration[RUN_ITERATION_BYTES_MAX];
};

enum mode { PLAIN, PAUSES, PARKS, CRASHES, CANCELS };

struct play {
    const struct flow *flow;
    struct flow_run *run;
    uint64_t seed, digest;
    bool failures;
    struct rng order;
    int64_t now_ms, last_id;
    struct under_way *list;
    size_t count, cap;
    struct kept *kept;
    struct fact *pending; /* told, and not stored yet */
    size_t pending_count, pending_cap;
    struct word *words;
    struct map over;         /* "node@iteration" of what is stored as over */
    struct map started;      /* the same of children that were started and not waited for */
    const struct map *never; /* what must not start; NULL: nothing */
    unsigned steps, passes, iterations, waits, signals, children, restarts;
    bool finished, paused;
};

static uint64_t draw(const struct play *p, uint64_t name, int attempt, uint64_t salt)
{
    uint64_t mixed[4] = {p->seed, name, (uint64_t)attempt, salt};
    return hash_bytes(mixed, sizeof mixed) >> 7;
}

static uint64_t name_of(const char *node_id, const char *iteration)
{
    AUTO_FREE char *key = mem_printf("e:%s:%s", node_id, iteration);
    return hash_str(key);
}

static bool has_type(const struct play *p, unsigned node, const char *type)
{
    return strcmp(p->flow->nodes[node].type, type) == 0;
}

static void fact_done(struct fact *fact)
{
    json_unref((struct json *)fact->point.outputs);
    json_unref((struct json *)fact->point.waiting);
    free((char *)fact->point.error_message);
}

static struct word *find_word(const struct play *p, const char *text)
{
    struct word *word = p->words;
    while (word != NULL && strcmp(word->text, text) != 0)
        word = word->next;
    return word;
}

static struct word *add_word(struct play *p, const char *text, const char *node_id, const char *iteration)
{
    struct word *word = mem_alloc(sizeof *word);
    (void)snprintf(word->text, sizeof word->text, "%s", text);
    (void)snprintf(word->iteration, sizeof word->iteration, "%s", iteration);
    word->name = name_of(node_id, iteration);
    word->node_id = node_id;
    word->next = p->words;
    p->words = word;
    return word;
}

static void mark(struct map *map, const struct fact *fact)
{
    static char is_there;
    AUTO_FREE char *key = mem_printf("%s@%s", fact->point.node_id, fact->iteration);
    (void)map_put(map, key, &is_there);
}

/* A child is inserted with the checkpoint that tells of it, as the store does it. */
static void store_child(struct play *p, const struct fact *fact)
{
    const char *kind = json_get_str(fact->point.waiting, "kind"), *id = json_get_str(fact->point.waiting, "childId");
    if (kind == NULL || id == NULL || find_word(p, id) != NULL)
        return;
    if (strcmp(kind, "child") == 0 && fact->point.state == NODE_WAITING) {
        struct word *word = add_word(p, id, fact->point.node_id, fact->iteration);
        word->of_child = true;
        word->attempt = fact->point.attempt;
        p->children++;
    } else if (strcmp(kind, "start") == 0 && fact->point.state == NODE_SUCCEEDED) {
        AUTO_FREE char *key = mem_printf("%s@%s", fact->point.node_id, fact->iteration);
        if (map_get(&p->started, key) != NULL)
            fail_msg("FLOW_SEED=%llu: %s starts two children", (unsigned long long)p->seed, key);
        mark(&p->started, fact);
    }
}

static void store_point(struct play *p, struct fact *fact)
{
    struct kept *kept = p->kept;
    while (kept != NULL && (strcmp(kept->fact.point.node_id, fact->point.node_id) != 0 ||
                            strcmp(kept->fact.iteration, fact->iteration) != 0))
        kept = kept->next;
    store_child(p, fact);
    for (struct word *word = p->words; word != NULL; word = word->next)
        word->gone |= word->sent && word->id == fact->point.signal_id;
    if (fact->point.state != NODE_WAITING && fact->point.state != NODE_BACKOFF)
        mark(&p->over, fact);
    if (kept == NULL) {
        kept = mem_alloc(sizeof *kept);
        kept->next = p->kept;
        p->kept = kept;
    } else {
        fact_done(&kept->fact);
    }
    kept->fact = *fact;
    kept->fact.point.iteration = kept->fact.iteration;
}

/* The oldest that was told is stored. */
static void store_one(struct play *p)
{
    struct fact fact = p->pending[0];
    memmove(p->pending, p->pending + 1, --p->pending_count * sizeof *p->pending);
    if (!fact.drop) {
        store_point(p, &fact);
        return;
    }
    struct word *word = find_word(p, json_get_str(fact.point.waiting, "childId"));
    if (word == NULL)
        fail_msg("FLOW_SEED=%llu: a child is dropped that was never started", (unsigned long long)p->seed);
    word->gone = true;
    fact_done(&fact);
}

static void tell(struct play *p, const struct run_checkpoint *point, bool drop)
{
    if (p->pending_count == p->pending_cap) {
        p->pending_cap = p->pending_cap == 0 ? 16 : p->pending_cap * 2;
        p->pending = mem_resize(p->pending, p->pending_cap * sizeof *p->pending);
    }
    struct fact *fact = &p->pending[p->pending_count++];
    *fact = (struct fact){.drop = drop, .point = *point};
    fact->point.outputs = json_ref(point->outputs);
    fact->point.waiting = json_ref(point->waiting);
    fact->point.iteration = NULL;
    (void)snprintf(fact->iteration, sizeof fact->iteration, "%s", point->iteration == NULL ? "0" : point->iteration);
    fact->point.error_message = mem_dup(point->error_message); /* it was the run's */
}

/* ---- what the run commands */

static void remove_at(struct play *p, size_t index)
{
    p->list[index] = p->list[--p->count];
}

/* A wait's signal may be sent as soon as somebody can know of the wait. */
static void foresee_signal(struct play *p, const struct run_command *command, uint64_t name)
{
    char text[40], iteration[RUN_ITERATION_BYTES_MAX];
    (void)snprintf(text, sizeof text, "w%llx", (unsigned long long)name);
    if (!has_type(p, command->node, "wait") || find_word(p, text) != NULL)
        return;
    flow_run_iteration(p->run, command->scope, command->node, iteration);
    struct word *word = add_word(p, text, p->flow->nodes[command->node].id, iteration);
    word->late = draw(p, name, 0, 4) % 3 == 0;
}

static void check_start(const struct play *p, const char *key)
{
    AUTO_FREE char *text = mem_dup(strchr(key, ':') + 1);
    *strrchr(text, ':') = '@';
    if (p->finished || p->paused)
        fail_msg("FLOW_SEED=%llu: %s starts %s", (unsigned long long)p->seed, key,
                 p->finished ? "after the end" : "while the run is paused");
    if (map_get(&p->over, text) != NULL)
        fail_msg("FLOW_SEED=%llu: %s is stored as over and starts again", (unsigned long long)p->seed, text);
    if (p->never != NULL && map_get(p->never, text) != NULL)
        fail_msg("FLOW_SEED=%llu: %s had succeeded and starts again", (unsigned long long)p->seed, text);
}

static void on_start(struct play *p, const struct run_command *command)
{
    char key[ID_TEXT_BYTES_MAX];
    flow_run_idempotency_key(p->run, command->scope, command->node, key);
    uint64_t name = hash_str(key);
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].name == name)
            fail_msg("FLOW_SEED=%llu: %s runs twice at once", (unsigned long long)p->seed, key);
    check_start(p, key);
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        p->list = mem_resize(p->list, p->cap * sizeof *p->list);
    }
    p->list[p->count++] =
        (struct under_way){.scope = command->scope, .node = command->node, .attempt = command->attempt, .name = name};
    foresee_signal(p, command, name);
    p->digest = (p->digest ^ name ^ (uint64_t)command->attempt) * UINT64_C(1099511628211);
    p->passes += strstr(key, ":0") == NULL;
    p->iterations += strchr(strrchr(key, ':'), '.') != NULL;
}

/* What is told is stored some time later, and in the same order. */
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
                    remove_at(p, i);
            break;
        case RUN_COMMAND_CHECKPOINT:
            tell(p, &command.checkpoint, false);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            tell(p, &command.checkpoint, true);
            break;
        case RUN_COMMAND_FINISH:
            assert_false(p->finished);
            p->finished = true;
            break;
        }
    }
    while (p->pending_count > (p->finished ? 0 : 3) || (p->pending_count > 0 && rng_below(&p->order, 3) == 0))
        store_one(p);
}

static void advance(struct play *p, struct run_event event)
{
    event.now_ms = p->now_ms;
    flow_run_advance(p->run, &event);
    take_commands(p);
}

/* ---- what nodes do */

static struct json *plan_of(uint64_t drawn)
{
    struct json *outputs = json_object_new(), *items = json_array_new();
    for (uint64_t i = 0; i < drawn % 4; i++)
        json_push(items, json_int_new((int64_t)(drawn % 1000 + i)));
    json_set(outputs, "items", items);
    json_set_int(outputs, "concurrency", 1 + (int64_t)(drawn / 4 % 3));
    json_set_bool(outputs, "continueOnError", drawn / 16 % 2 == 0);
    return outputs;
}

static struct json *outputs_of(const struct play *p, const struct under_way *at)
{
    uint64_t drawn = draw(p, at->name, 0, 1);
    if (p->flow->nodes[at->node].spec->container)
        return plan_of(drawn);
    struct json *outputs = json_object_new();
    if (drawn % 5 != 2)
        json_set_int(outputs, "out", (int64_t)(drawn % 100000));
    if (drawn % 5 >= 2 && drawn % 5 < 4)
        json_set_int(outputs, "other", (int64_t)(drawn % 1000));
    return outputs;
}

static void begin_wait(struct play *p, const struct under_way *at, struct run_event *event)
{
    char text[40];
    (void)snprintf(text, sizeof text, "w%llx", (unsigned long long)at->name);
    event->kind = RUN_EVENT_NODE_WAIT;
    event->take_outputs = json_object_new();
    event->take_waiting = json_object_new();
    json_set_str(event->take_waiting, "kind", "signal");
    json_set_str(event->take_waiting, "name", text);
    json_set_int(event->take_outputs, "timeout", (int64_t)(at->name % 1000));
    event->wake_ms = find_word(p, text)->late ? p->now_ms + 20 : RUN_WAKE_NEVER;
    p->signals++;
}

static void begin_child(struct play *p, const struct under_way *at, struct run_event *event)
{
    const char *mode = json_get_str(p->flow->nodes[at->node].config, "mode");
    char id[40];
    (void)snprintf(id, sizeof id, "c%llx-%d", (unsigned long long)at->name, at->attempt);
    event->take_outputs = json_object_new();
    event->take_waiting = json_object_new();
    json_set_str(event->take_waiting, "kind", mode == NULL ? "child" : "start");
    json_set_str(event->take_waiting, "childId", id);
    event->wake_ms = RUN_WAKE_NEVER;
    if (mode == NULL)
        event->kind = RUN_EVENT_NODE_WAIT;
    else
        json_set_int(event->take_outputs, "output", (int64_t)(at->name % 1000));
}

static void end_one(struct play *p, size_t index)
{
    struct under_way at = p->list[index];
    struct error error;
    struct run_event event = {
        .kind = RUN_EVENT_NODE_DONE, .scope = at.scope, .node = at.node, .attempt = at.attempt, .records = 1};
    remove_at(p, index);
    if (p->failures && at.node != 0 && draw(p, at.name, at.attempt, 2) % 12 == 0) {
        (void)error_set(&error, ERR_NODE_RETRY, NULL, "planned");
        event.kind = RUN_EVENT_NODE_FAILED;
        event.error = &error;
        event.retryable = true;
    } else if (has_type(p, at.node, "wait")) {
        begin_wait(p, &at, &event);
    } else if (has_type(p, at.node, "sub-flow")) {
        begin_child(p, &at, &event);
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

/* ---- what others say */

static bool is_sayable(const struct play *p, const struct word *word)
{
    AUTO_FREE char *key = mem_printf("%s@%s", word->node_id, word->iteration);
    return !word->sent && !word->gone && (!word->late || map_get(&p->over, key) != NULL);
}

static unsigned count_sayable(const struct play *p)
{
    unsigned count = 0;
    for (const struct word *word = p->words; word != NULL; word = word->next)
        count += is_sayable(p, word);
    return count;
}

static struct json *payload_of(const struct play *p, const struct word *word)
{
    struct json *payload = json_object_new();
    bool fails = p->failures && draw(p, word->name, word->attempt, 5) % 8 == 0;
    if (word->of_child) {
        json_set_str(payload, "status", fails ? "failed" : "success");
        json_set_str(payload, "executionId", word->text);
    }
    json_set_int(payload, "result", (int64_t)(draw(p, word->name, 0, 6) % 1000));
    return payload;
}

static void hear(struct play *p, const struct word *word)
{
    AUTO_JSON struct json *payload = payload_of(p, word);
    bool addressed = word->of_child || word->name % 2 == 0;
    struct run_signal signal = {.id = word->id,
                                .of_child = word->of_child,
                                .name = word->of_child ? NULL : word->text,
                                .node_id = addressed ? word->node_id : NULL,
                                .iteration = addressed ? word->iteration : NULL,
                                .payload = payload};
    advance(p, (struct run_event){.kind = RUN_EVENT_SIGNAL, .signal = &signal});
}

static void say_one(struct play *p, unsigned which)
{
    for (struct word *word = p->words; word != NULL; word = word->next)
        if (is_sayable(p, word) && which-- == 0) {
            word->sent = true;
            word->id = ++p->last_id;
            hear(p, word);
            return;
        }
}

/* ---- going on */

/* True: something happened. */
static bool act(struct play *p)
{
    unsigned words = count_sayable(p);
    uint64_t which = p->count + words == 0 ? 0 : rng_below(&p->order, p->count + words);
    if (p->count + words == 0)
        return false;
    if (which < p->count)
        end_one(p, (size_t)which);
    else
        say_one(p, (unsigned)(which - p->count));
    return true;
}

static void step(struct play *p)
{
    int64_t due = flow_run_due_ms(p->run);
    p->now_ms += (int64_t)rng_below(&p->order, 5);
    if (due - p->now_ms < 1000 && rng_below(&p->order, 4) == 0) {
        p->now_ms = due > p->now_ms ? due : p->now_ms;
        advance(p, (struct run_event){.kind = RUN_EVENT_TIME});
    } else if (act(p)) {
        return;
    } else if (p->pending_count > 0) {
        store_one(p);
    } else if (due < RUN_WAKE_NEVER) {
        p->now_ms = due > p->now_ms ? due : p->now_ms;
        advance(p, (struct run_event){.kind = RUN_EVENT_TIME});
    } else {
        fail_msg("FLOW_SEED=%llu: the run hangs", (unsigned long long)p->seed);
    }
}

static void begin(struct play *p, int epoch, bool lost)
{
    struct run_options options = {.execution_id = "e",
                                  .trigger = "manual",
                                  .created_ms = START_MS,
                                  .seed = p->seed,
                                  .epoch = epoch,
                                  .lost_epochs = lost ? 1 : 0};
    p->run = flow_run_new(p->flow, &options, NULL);
}

/* As worker/active.c takes up what the store has. */
static void go_on(struct play *p, bool lost)
{
    flow_run_free(p->run);
    p->count = 0;
    p->restarts++;
    begin(p, 2, lost);
    for (const struct kept *kept = p->kept; kept != NULL; kept = kept->next)
        flow_run_restore(p->run, &kept->fact.point);
    for (int64_t id = 1; id <= p->last_id; id++)
        for (const struct word *word = p->words; word != NULL; word = word->next)
            if (word->sent && !word->gone && word->id == id)
                hear(p, word);
    if (p->paused)
        advance(p, (struct run_event){.kind = RUN_EVENT_PAUSE});
    advance(p, (struct run_event){.kind = RUN_EVENT_START});
}

/* What was not stored yet is lost. */
static void crash(struct play *p)
{
    for (size_t i = 0; i < p->pending_count; i++)
        fact_done(&p->pending[i]);
    p->pending_count = 0;
    go_on(p, true);
}

static void park(struct play *p)
{
    while (p->pending_count > 0)
        store_one(p);
    go_on(p, false);
}

/* Some things happen meanwhile; none of them may start anything. */
static void pause(struct play *p)
{
    advance(p, (struct run_event){.kind = RUN_EVENT_PAUSE});
    p->paused = true;
    for (uint64_t n = rng_below(&p->order, 4); n > 0 && !run_status_is_final(flow_run_status(p->run)); n--)
        (void)act(p);
    if (p->count == 0 && flow_run_is_parkable(p->run))
        park(p);
    p->paused = false;
    advance(p, (struct run_event){.kind = RUN_EVENT_RESUME});
}

static void meddle(struct play *p, enum mode mode, unsigned when)
{
    bool drawn = rng_below(&p->order, 5) == 0;
    if (mode == PAUSES && drawn)
        pause(p);
    else if (mode == PARKS && drawn && flow_run_is_parkable(p->run))
        park(p);
    else if (mode == CRASHES && p->steps == when)
        crash(p);
    else if (mode == CANCELS && p->steps == when)
        advance(p, (struct run_event){.kind = RUN_EVENT_CANCEL});
}

/* Of several failures of an item the first counts, and which that is depends on the order; after a crash it may be
 * another child. */
static void leave_out(char *text, const char *before)
{
    for (char *at = text; (at = strstr(at, before)) != NULL;) {
        at += strlen(before);
        char *end = strchr(at, '"');
        memmove(at, end, strlen(end) + 1);
    }
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
        leave_out(output, "\"message\":\"");
        leave_out(output, "\"executionId\":\"");
        digest += hash_str(output) * 31 + hash_str(json_get_str(node, "status"));
    }
    return digest;
}

struct outcome {
    uint64_t end, digest;
    enum run_status status;
    unsigned steps, passes, iterations, waits, signals, children, restarts;
};

/* Nobody is left who works for a run that is over. */
static void check_end(const struct play *p)
{
    assert_true(p->finished);
    for (const struct word *word = p->words; word != NULL; word = word->next)
        if (word->of_child && !word->sent && !word->gone)
            fail_msg("FLOW_SEED=%llu: the run has ended and its child %s of %s@%s goes on", (unsigned long long)p->seed,
                     word->text, word->node_id, word->iteration);
}

static void run_to_its_end(struct play *p, enum mode mode, unsigned when)
{
    advance(p, (struct run_event){.kind = RUN_EVENT_START});
    while (!run_status_is_final(flow_run_status(p->run))) {
        if (++p->steps > STEPS_MAX)
            fail_msg("FLOW_SEED=%llu: the run does not end", (unsigned long long)p->seed);
        meddle(p, mode, when);
        if (!run_status_is_final(flow_run_status(p->run)))
            step(p);
    }
    check_end(p);
}

static void play_done(struct play *p)
{
    flow_run_free(p->run);
    free(p->list);
    free(p->pending);
    map_done(&p->over);
    map_done(&p->started);
    for (struct kept *kept = p->kept, *next; kept != NULL; kept = next) {
        next = kept->next;
        fact_done(&kept->fact);
        free(kept);
    }
    for (struct word *word = p->words, *next; word != NULL; word = next) {
        next = word->next;
        free(word);
    }
}

static void play_init(struct play *p, const struct flow *flow, uint64_t seed, uint64_t order)
{
    *p = (struct play){.flow = flow, .seed = seed, .order = {.state = order}, .now_ms = START_MS};
    map_init(&p->over);
    map_init(&p->started);
    begin(p, 1, false);
}

static struct outcome play(const struct flow *flow, uint64_t seed, uint64_t order, bool failures, enum mode mode,
                           unsigned when)
{
    struct play p;
    play_init(&p, flow, seed, order);
    p.failures = failures;
    run_to_its_end(&p, mode, when);
    struct outcome outcome = {.end = end_of(&p),
                              .digest = p.digest,
                              .status = flow_run_status(p.run),
                              .steps = p.steps,
                              .passes = p.passes,
                              .iterations = p.iterations,
                              .waits = p.waits,
                              .signals = p.signals,
                              .children = p.children,
                              .restarts = p.restarts};
    play_done(&p);
    return outcome;
}

/* ---- a retry from what failed */

static void take_known(struct play *again, struct map *never, const struct json *known)
{
    static char is_there;
    for (size_t i = 0; i < json_count(known); i++) {
        const struct json *entry = json_at(known, i);
        const char *iteration = json_get_str(entry, "iteration");
        struct run_checkpoint point = {.node_id = json_get_str(entry, "nodeId"),
                                       .iteration = iteration,
                                       .former = true,
                                       .attempt = (int)json_get_int(entry, "attempt", 1),
                                       .outputs = json_get(entry, "outputs"),
                                       .started_ms = json_get_int(entry, "startedMs", 0),
                                       .ended_ms = json_get_int(entry, "endedMs", 0)};
        assert_int_equal(node_state_parse(json_get_str(entry, "state"), &point.state), ERR_OK);
        flow_run_restore(again->run, &point);
        AUTO_FREE char *key = mem_printf("%s@%s", point.node_id, iteration == NULL ? "0" : iteration);
        if (point.state == NODE_SUCCEEDED)
            (void)map_put(never, key, &is_there);
    }
}

/* Nothing fails this time: it succeeds, and what had succeeded (as far as history keeps it) does not run again. */
static bool check_retry(const struct flow *flow, uint64_t seed)
{
    struct play first, again;
    struct map never;
    play_init(&first, flow, seed, seed);
    first.failures = true;
    run_to_its_end(&first, PLAIN, 0);
    bool failed = flow_run_status(first.run) == RUN_FAILED;
    if (failed) {
        AUTO_JSON struct json *document = flow_run_document(first.run);
        AUTO_JSON struct json *known = flow_run_known(json_get(document, "nodes"));
        map_init(&never);
        play_init(&again, flow, seed, seed ^ 0x2222);
        take_known(&again, &never, known);
        again.never = &never;
        run_to_its_end(&again, PLAIN, 0);
        if (flow_run_status(again.run) != RUN_SUCCESS)
            fail_msg("FLOW_SEED=%llu: the retry ended as %s: %s", (unsigned long long)seed,
                     run_status_name(flow_run_status(again.run)), flow_run_error(again.run)->message);
        play_done(&again);
        map_done(&never);
    }
    play_done(&first);
    return failed;
}

/* ---- the properties */

static void must_agree(uint64_t seed, const char *what, struct outcome a, struct outcome b)
{
    if (a.status != b.status || a.end != b.end)
        fail_msg("FLOW_SEED=%llu: %s gave another end (%s, %s)", (unsigned long long)seed, what,
                 run_status_name(a.status), run_status_name(b.status));
}

struct tally {
    unsigned passes, iterations, waits, signals, children, restarts, retries;
};

static void check_failures(const struct flow *flow, uint64_t seed, struct tally *tally)
{
    struct outcome first = play(flow, seed, seed, true, PLAIN, 0), again = play(flow, seed, seed, true, PLAIN, 0);
    if (first.digest != again.digest)
        fail_msg("FLOW_SEED=%llu: the same events gave other commands", (unsigned long long)seed);
    must_agree(seed, "another order", first, play(flow, seed, seed ^ 0x5555, true, PLAIN, 0));
    must_agree(seed, "pausing", first, play(flow, seed, seed ^ 0x7777, true, PAUSES, 0));
    must_agree(seed, "parking", first, play(flow, seed, seed ^ 0x8888, true, PARKS, 0));
    /* After a crash other attempts fail: only that it ends, and ends all, is the same. */
    (void)play(flow, seed, seed ^ 0x6666, true, CRASHES, 1 + (unsigned)(seed % (first.steps + 1)));
    tally->retries += check_retry(flow, seed);
}

static void check_seed(uint64_t seed, struct tally *tally)
{
    struct flow *flow = flow_random(seed);
    struct rng rng = {.state = seed ^ 0x99};
    check_failures(flow, seed, tally);
    struct outcome clean = play(flow, seed, seed, false, PLAIN, 0);
    assert_int_equal(clean.status, RUN_SUCCESS);
    for (int i = 0; i < 3; i++) {
        struct outcome crashed =
            play(flow, seed, seed ^ 0x1111, false, CRASHES, 1 + (unsigned)rng_below(&rng, clean.steps + 1));
        must_agree(seed, "a restart", clean, crashed);
        tally->restarts += crashed.restarts;
    }
    struct outcome cancelled =
        play(flow, seed, seed ^ 0x3333, false, CANCELS, 1 + (unsigned)rng_below(&rng, clean.steps + 1));
    if (cancelled.status != RUN_CANCELLED)
        must_agree(seed, "a cancel that came too late", clean, cancelled);
    tally->passes += clean.passes > 0;
    tally->iterations += clean.iterations > 0;
    tally->waits += clean.waits > 0;
    tally->signals += clean.signals > 0;
    tally->children += clean.children > 0;
    flow_free(flow);
}

static void test_random_flows(void **state)
{
    (void)state;
    const char *one = getenv("FLOW_SEED"), *many = getenv("FLOW_SEEDS");
    struct tally tally = {0};
    if (one != NULL) {
        check_seed(strtoull(one, NULL, 10), &tally);
        return;
    }
    uint64_t count = many == NULL ? 1500 : strtoull(many, NULL, 10);
    for (uint64_t seed = 1; seed <= count; seed++)
        check_seed(seed, &tally);
    /* Seeds that never get there say nothing. */
    uint64_t few = count / 10;
    assert_true(tally.passes > few && tally.iterations > few && tally.waits > few && tally.signals > few);
    assert_true(tally.children > few && tally.restarts > few && tally.retries > few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_flows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
