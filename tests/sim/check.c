/* The promises (requirements E-bis), held against what nodes did and what was committed. */
#include "sim.h"

#include "base/mem.h"
#include "broker/messages.h"
#include "flow/schedule.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_EPOCHS 30 /* one attempt stands for all before that many (docs/decisions/0113) */
#define GRACE_MS 2000    /* what was under way when a person spoke may still arrive */

void sim_trace(struct sim *sim, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sim->digest = (sim->digest ^ hash_str(text)) * UINT64_C(1099511628211);
    if (sim->tracing)
        (void)fprintf(stderr, "%9lld %s\n", (long long)(sim->now % 1000000000), text);
}

void sim_problem(struct sim *sim, const char *format, ...)
{
    if (sim->problem[0] != '\0')
        return;
    char text[500];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(sim->problem, sizeof sim->problem, "seed %llu at %lld ms: %s", (unsigned long long)sim->seed,
                   (long long)(sim->now - INT64_C(1750000000000)), text);
    sim_trace(sim, "PROBLEM %s", text);
}

struct sim_execution *sim_find(const struct sim *sim, const char *id)
{
    return map_get(&sim->by_id, id);
}

struct sim_place *sim_place(struct sim_execution *execution, const char *node_id, const char *iteration)
{
    AUTO_FREE char *name = mem_printf("%s@%s", node_id, iteration == NULL ? "0" : iteration);
    struct sim_place *place = map_get(&execution->places, name);
    if (place != NULL)
        return place;
    place = mem_alloc(sizeof *place);
    place->attempts = 1;
    place->next = execution->first_place;
    execution->first_place = place;
    (void)map_put(&execution->places, name, place);
    place->name = mem_dup(name);
    return place;
}

int sim_lost_epochs(const struct sim_execution *e, int before)
{
    int lost = 0;
    for (int epoch = 1; epoch < before; epoch++)
        lost += epoch >= 64 || (e->parked >> epoch & 1) == 0;
    return lost;
}

/* ---- what nodes do */

/* Whether something else than what is expected may come of it: what a person did to it, or what its former run had. */
static bool is_free(const struct sim_execution *e)
{
    return e->disturbed || e->retries != NULL || e->expected->loose;
}

/* It got what it has to get, which follows from all that ran before it. */
static void check_hash(struct sim *sim, const struct sim_execution *e, const struct node_call *call, uint64_t hash)
{
    AUTO_FREE char *key = mem_printf("%s#%llx", call->node_id, (unsigned long long)hash);
    if (is_free(e) || map_get(&e->expected->begun, key) != NULL)
        return;
    AUTO_FREE char *inputs = json_dup_text(call->inputs);
    sim_problem(sim, "node %s@%s of %s got what it should never get: %.200s", call->node_id, call->iteration, e->id,
                inputs);
}

/* Values tell who made them. */
static void check_value(struct sim *sim, struct sim_execution *e, const struct node_call *call,
                        const struct json *value)
{
    const char *id = json_get_str(value, "execution"), *node = json_get_str(value, "node");
    for (size_t i = 0; json_is(value, JSON_ARRAY) && i < json_count(value); i++)
        check_value(sim, e, call, json_at(value, i));
    if (id == NULL || node == NULL || strcmp(id, e->id) != 0)
        return;
    const struct sim_place *from = sim_place(e, node, json_get_str(value, "iteration"));
    if (!from->done)
        sim_problem(sim, "node %s@%s of %s has an input of %s, which has not ended", call->node_id, call->iteration,
                    e->id, from->name);
    if (from->waiting && sim->wall_max < from->wake_ms)
        sim_problem(sim, "node %s@%s of %s started %lld ms before the wait %s was over", call->node_id, call->iteration,
                    e->id, (long long)(from->wake_ms - sim->wall_max), from->name);
}

/* What a person said holds for everybody who could hear it. */
static void check_orders(struct sim *sim, const struct sim_worker *worker, const struct sim_execution *e,
                         const struct sim_place *place)
{
    const struct sim_execution *parent = e->parent_waits ? e->parent : NULL;
    bool orphan = parent != NULL && parent->cancelled_at > 0 && e->final < 0;
    int64_t since = e->cancelled_at > 0 ? e->cancelled_at : orphan ? parent->cancelled_at : e->paused_at;
    if (since == 0 || e->unheard || sim->now <= since + GRACE_MS ||
        (worker->last_hung > 0 && worker->last_hung >= since))
        return;
    sim_problem(sim, "node %s of %s started %lld ms after %s", place->name, e->id, (long long)(sim->now - since),
                e->cancelled_at > 0 ? "a person cancelled it"
                : orphan            ? "its parent was cancelled"
                                    : "a person paused it");
}

static bool has_effects(enum sim_kind kind)
{
    return kind == KIND_EFFECT || kind == KIND_BLOCKING || kind == KIND_SLEEP || kind == KIND_SIGNAL ||
           kind == KIND_CHILD;
}

static void check_repeat(struct sim *sim, const struct sim_execution *e, struct sim_place *place, int epoch,
                         int attempt)
{
    for (unsigned i = 0; i < place->starts && i < SIM_STARTS; i++)
        if (place->seen[i].epoch == epoch && place->seen[i].attempt == attempt)
            sim_problem(sim, "node %s of %s started twice as attempt %d of epoch %d", place->name, e->id, attempt,
                        epoch);
    if (place->starts < SIM_STARTS) {
        place->seen[place->starts].epoch = epoch;
        place->seen[place->starts].attempt = attempt;
    }
    place->starts++;
    if (place->never)
        sim_problem(sim, "node %s of %s had succeeded in the execution that it retries and started again", place->name,
                    e->id);
    if (!has_effects(place->kind))
        return;
    if (place->checkpoint_epoch > 0 && epoch > place->checkpoint_epoch)
        sim_problem(sim, "node %s of %s was stored as done by epoch %d and started again in epoch %d", place->name,
                    e->id, place->checkpoint_epoch, epoch);
    if (place->done && place->kind != KIND_CHILD && place->done_epoch < epoch && place->done_epoch < 64 &&
        (e->parked >> place->done_epoch & 1) != 0)
        sim_problem(sim, "node %s of %s had ended when epoch %d parked and started again in epoch %d", place->name,
                    e->id, place->done_epoch, epoch);
    int lost = sim_lost_epochs(e, e->epoch);
    if (place->starts > (unsigned)place->attempts * (1 + (unsigned)lost))
        sim_problem(sim, "node %s of %s started %u times, with %d epochs lost and %d attempts allowed", place->name,
                    e->id, place->starts, lost, place->attempts);
}

static void check_key(struct sim *sim, struct sim_place *place, const struct sim_execution *e,
                      const struct node_call *call, int epoch)
{
    char key[sizeof place->key];
    (void)snprintf(key, sizeof key, "%s", call->idempotency_key);
    if (sim->plant == SIM_PLANT_UNSTABLE_KEY)
        (void)snprintf(key, sizeof key, "%.200s:%d", call->idempotency_key, epoch);
    if (place->key[0] == '\0')
        (void)snprintf(place->key, sizeof place->key, "%s", key);
    if (strcmp(place->key, key) != 0)
        sim_problem(sim, "the idempotency key of %s of %s was %s and is %s", place->name, e->id, place->key, key);
}

static void count_kinds(struct sim *sim, const struct node_call *call, enum sim_kind kind)
{
    const char *dot = strrchr(call->iteration, '.');
    sim->iterations += dot != NULL;
    sim->passes += strcmp(dot == NULL ? call->iteration : dot + 1, "0") != 0;
    const char *mode = json_get_str(call->inputs, "mode");
    sim->firsts += kind == KIND_MERGE && mode != NULL && strcmp(mode, "first") == 0;
}

void sim_on_node_start(struct sim_worker *worker, const struct node_call *call, int epoch, uint64_t hash)
{
    struct sim *sim = worker->sim;
    struct sim_execution *e = sim_find(sim, call->execution_id);
    sim_trace(sim, "%s starts %s@%s of %s epoch %d attempt %d", worker->id, call->node_id, call->iteration,
              call->execution_id + 24, epoch, call->attempt);
    if (e == NULL || e->epoch == 0) {
        sim_problem(sim, "execution %s runs and was never stored", call->execution_id);
        return;
    }
    struct sim_place *place = sim_place(e, call->node_id, call->iteration);
    place->kind = sim_kind_of(call->type->spec.type);
    place->attempts = (int)json_get_int(json_get(call->inputs, "retry"), "maxAttempts", 1);
    count_kinds(sim, call, place->kind);
    if (epoch > e->epoch)
        sim_problem(sim, "execution %s runs at epoch %d, of which the store knows nothing", e->id, epoch);
    if (e->final >= 0 && e->final_epoch == epoch)
        sim_problem(sim, "node %s of %s started after its own epoch ended it", place->name, e->id);
    if (epoch == e->epoch && e->final < 0 && !e->holds)
        sim_problem(sim, "node %s of %s started before its turn had come", place->name, e->id);
    check_orders(sim, worker, e, place);
    check_key(sim, place, e, call, epoch);
    check_repeat(sim, e, place, epoch, call->attempt);
    struct json_iter input;
    JSON_EACH(call->inputs, input) check_value(sim, e, call, input.value);
    check_hash(sim, e, call, hash);
}

void sim_on_node_done(struct sim_worker *worker, const struct node_call *call, int epoch, uint64_t hash)
{
    struct sim_execution *e = sim_find(worker->sim, call->execution_id);
    if (e == NULL)
        return;
    struct sim_place *place = sim_place(e, call->node_id, call->iteration);
    place->done = true;
    place->done_epoch = epoch > place->done_epoch ? epoch : place->done_epoch;
    AUTO_FREE char *once = mem_printf("%s#%llx", place->name, (unsigned long long)hash);
    AUTO_FREE char *pair = mem_printf("%s#%llx", call->node_id, (unsigned long long)hash);
    if (map_get(&e->done, once) == NULL)
        sim_count_add(&e->pairs, pair, 1);
    sim_count_add(&e->done, once, 1);
}

void sim_on_node_wait(struct sim_worker *worker, const struct node_call *call, int64_t wake_ms)
{
    struct sim_execution *e = sim_find(worker->sim, call->execution_id);
    if (e == NULL)
        return;
    struct sim_place *place = sim_place(e, call->node_id, call->iteration);
    place->wake_ms = place->waiting && place->wake_ms < wake_ms ? place->wake_ms : wake_ms;
    place->waiting = true;
}

/* ---- the end */

bool sim_all_final(struct sim *sim)
{
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (e->final < 0 && e->epoch > 0)
            return false;
    return store_pending(sim->store) == 0 && sim_schedule_is_filled(sim);
}

static void check_status(struct sim *sim, const struct sim_execution *e)
{
    enum run_status expected = e->expected->status;
    bool known = e->retries == NULL || (!e->expected->loose && expected == RUN_SUCCESS); /* of loops that are bounded */
    const char *name = run_status_name((enum run_status)e->final);
    bool replaced = e->scheduled && !e->filled && sim->schedule.overlap == SCHEDULE_CANCEL;
    if (e->final == RUN_CANCELLED && e->cancelled_at == 0 && !e->parent_waits && !replaced)
        sim_problem(sim, "execution %s was cancelled, and nobody said so", e->id);
    if (e->final == RUN_CANCELLED || e->disturbed || !known)
        return;
    if (e->final != (int)expected)
        sim_problem(sim, "execution %s ended as %s, it should have as %s", e->id, name, run_status_name(expected));
}

struct counting {
    struct sim *sim;
    const struct sim_execution *execution;
};

static void check_pair(void *user, const char *key, void *value)
{
    const struct counting *counting = user;
    uintptr_t wanted = (uintptr_t)value, got = sim_count(&counting->execution->pairs, key);
    if (got < wanted)
        sim_problem(counting->sim, "execution %s succeeded, but its node %s ended %zu times instead of %zu",
                    counting->execution->id, key, (size_t)got, (size_t)wanted);
}

/* All that had to happen has, and gave what it had to give. */
static void check_success(struct sim *sim, const struct sim_execution *e, const struct json *detail)
{
    struct counting counting = {.sim = sim, .execution = e};
    unsigned children = 0;
    if (e->final != RUN_SUCCESS || is_free(e))
        return;
    map_each(&e->expected->ended, check_pair, &counting);
    if (sim_hash_value(json_get(detail, "result")) != sim_hash_value(e->expected->result))
        sim_problem(sim, "execution %s gave another result than it should", e->id);
    for (const struct sim_execution *other = sim->executions; other != NULL; other = other->next)
        children += other->parent == e && other->epoch > 0;
    if (children > e->expected->children || (children < e->expected->children && !e->expected->failed))
        sim_problem(sim, "execution %s started %u executions, it should have started %u", e->id, children,
                    e->expected->children);
}

/* "node@iteration" and "/epoch" of each attempt that the ledger shows. */
static void read_ledger(const struct json *nodes, struct map *ledger)
{
    static char is_there;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i), *attempts = json_get(node, "attempts");
        read_ledger(json_get(node, "iterations"), ledger);
        for (size_t k = 0; k < json_count(attempts); k++) {
            const struct json *attempt = json_at(attempts, k);
            const char *iteration = json_get_str(attempt, "iteration");
            if (iteration == NULL)
                iteration = json_get_str(node, "iteration");
            AUTO_FREE char *key =
                mem_printf("%s@%s/%d", json_get_str(node, "nodeId"), iteration == NULL ? "0" : iteration,
                           (int)json_get_int(attempt, "epoch", 0));
            (void)map_put(ledger, key, &is_there);
        }
    }
}

/* What is stored as done shows an attempt for each epoch in which it may have run. */
static void check_ledger(struct sim *sim, const struct sim_execution *e, const struct json *detail)
{
    struct map ledger;
    map_init(&ledger);
    read_ledger(json_get(detail, "nodeExecutions"), &ledger);
    for (const struct sim_place *place = e->first_place; place != NULL; place = place->next)
        for (unsigned i = 0; has_effects(place->kind) && place->checkpoint_epoch > 0 && i < place->starts &&
                             i < SIM_STARTS && e->final == RUN_SUCCESS;
             i++) {
            AUTO_FREE char *key = mem_printf("%s/%d", place->name, place->seen[i].epoch);
            if (map_get(&ledger, key) == NULL && place->seen[i].epoch > place->checkpoint_epoch - LEDGER_EPOCHS)
                sim_problem(sim, "node %s of %s ran in epoch %d and shows no attempt of it", place->name, e->id,
                            place->seen[i].epoch);
        }
    map_done(&ledger);
}

static void check_execution(struct sim *sim, struct store_session *session, const struct sim_execution *e)
{
    AUTO_JSON struct json *detail = NULL;
    struct error error;
    enum err code = store_execution_load_detail(session, e->id, &detail, &error);
    const char *status = json_get_str(detail, "status");
    if (code == ERR_NOT_FOUND && e->accepted)
        sim_problem(sim, "execution %s was accepted and is not there", e->id);
    else if (code == ERR_OK && !e->accepted && !e->uncertain && e->epoch == 0)
        sim_problem(sim, "execution %s was refused and is there", e->id);
    else if (code == ERR_OK && e->final < 0)
        sim_problem(sim, "execution %s is stuck: %s at epoch %d", e->id, status, e->epoch);
    else if (code == ERR_OK && strcmp(status, run_status_name((enum run_status)e->final)) != 0)
        sim_problem(sim, "execution %s is stored as %s and ended as %s", e->id, status,
                    run_status_name((enum run_status)e->final));
    else if (code != ERR_OK && code != ERR_NOT_FOUND)
        sim_problem(sim, "execution %s cannot be read: %s", e->id, error.message);
    if (code != ERR_OK || e->final < 0)
        return;
    check_status(sim, e);
    check_success(sim, e, detail);
    check_ledger(sim, e, detail);
}
/* A slot ends with its holder: nothing is held for executions that are over. */
static void check_slots(struct sim *sim)
{
    size_t owned = 0;
    for (unsigned i = 0; i < sim->orchestrator_count; i++) {
        struct orchestrator_stats stats;
        orchestrator_stats(sim->orchestrators[i].orchestrator, &stats);
        owned += stats.shards;
        if (stats.in_flight + stats.pending > 0)
            sim_problem(sim, "all is over and orchestrator %s holds %zu in flight, %zu pending",
                        sim->orchestrators[i].id, stats.in_flight, stats.pending);
    }
    if (owned != sim->shards)
        sim_problem(sim, "all is over and of %u shards %zu are owned", sim->shards, owned);
    for (unsigned i = 0; i < sim->worker_count; i++) {
        struct worker_stats worker;
        worker_stats(sim->workers[i].worker, &worker);
        if (worker.active > 0)
            sim_problem(sim, "all is over and worker %s still runs %u", sim->workers[i].id, worker.active);
    }
    static const char *const queues[] = {QUEUE_SUBMIT_PREFIX "0", QUEUE_EVENTS_PREFIX "0", QUEUE_REASSIGN,
                                         QUEUE_WORKER_PREFIX "w0"};
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        if (broker_queue_depth(sim->broker, queues[i]) + broker_queue_unacked(sim->broker, queues[i]) > 0)
            sim_problem(sim, "all is over and %s holds %zu messages and %zu unacknowledged", queues[i],
                        broker_queue_depth(sim->broker, queues[i]), broker_queue_unacked(sim->broker, queues[i]));
}

void sim_check_end(struct sim *sim)
{
    struct store_session *session;
    struct error error;
    if (store_read_begin(sim->store, &session, &error) != ERR_OK) {
        sim_problem(sim, "the store cannot be read: %s", error.message);
        return;
    }
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        check_execution(sim, session, e);
    sim_schedule_check(sim, session);
    store_read_end(sim->store, session);
    if (sim->problem[0] == '\0')
        check_slots(sim);
}
