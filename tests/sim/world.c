/* The world: who lives in it, who acts next, and how time goes on. */
#include "sim.h"

#include "broker/queues.h"
#include "worker/find_flow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1750000000000)
#define PATIENCE_MS (15 * 60 * 1000) /* after the last fault everything must have ended within this time */
#define AFTERMATH_MS 30000           /* and what was held for it is given back within this one */
#define STEPS_MAX 400000
#define REPORT_INTERVAL_MS 1000
#define WORKER_TIMEOUT_MS 5000
#define SWEEP_INTERVAL_MS 10000

int64_t sim_wall(const struct sim *sim, unsigned loop)
{
    return loop_now_ms(sim->loops[loop]);
}

void sim_orchestrator_start(struct sim *sim, unsigned index)
{
    struct sim_orchestrator *o = &sim->orchestrators[index];
    static const char *const strategies[] = {"round_robin", "least_busy", "weighted"};
    struct error error;
    o->orchestrator = orchestrator_new(&(struct orchestrator_options){.id = sim->orchestrator_count > 1 ? o->id : NULL,
                                                                      .shards = sim->shards,
                                                                      .loop = sim->loops[LOOP_ORCHESTRATOR + index],
                                                                      .broker = sim->broker,
                                                                      .store = sim->store,
                                                                      .worker_timeout_ms = WORKER_TIMEOUT_MS,
                                                                      .sweep_interval_ms = SWEEP_INTERVAL_MS,
                                                                      .schedules = true,
                                                                      .strategy = strategies[rng_below(&sim->rng, 3)]});
    if (orchestrator_start(o->orchestrator, &error) != ERR_OK)
        sim_problem(sim, "the orchestrator does not start: %s", error.message);
}

void sim_worker_start(struct sim_worker *worker)
{
    struct sim *sim = worker->sim;
    struct error error;
    worker->host = (struct node_host){.find_flow = find_flow, .find_flow_user = sim->store};
    worker->slowness = sim_chance(&sim->rng, 15) ? 20 : 1;
    worker->worker = worker_new(&(struct worker_options){.id = worker->id,
                                                         .loop = sim->loops[worker->index],
                                                         .broker = sim->broker,
                                                         .store = sim->store,
                                                         .catalog = sim_catalog(),
                                                         .find_type = sim_find_type,
                                                         .host = &worker->host,
                                                         .shards = sim->shards,
                                                         .capacity = 1 + (unsigned)rng_below(&sim->rng, 6),
                                                         .report_interval_ms = REPORT_INTERVAL_MS,
                                                         .seed = rng_next(&sim->rng)});
    if (worker_start(worker->worker, &error) != ERR_OK)
        sim_problem(sim, "a worker does not start: %s", error.message);
}

void sim_broker_start(struct sim *sim)
{
    struct error error;
    if (broker_open("memory:", "", &sim->broker, &error) != ERR_OK)
        sim_problem(sim, "the broker does not open: %s", error.message);
    broker_set_fault_hook(sim->broker, sim_publish_fault, sim);
    sim->gateway = broker_connect(sim->broker, sim->loops[LOOP_GATEWAY]);
    if (queues_declare(sim->gateway, sim->shards, &error) != ERR_OK)
        sim_problem(sim, "the queues cannot be declared: %s", error.message);
}

/* ---- time */

struct candidate {
    unsigned loops[SIM_LOOPS];
    unsigned count;
    bool store, submit, fault, restart;
};

static bool loop_stands(const struct sim *sim, unsigned loop)
{
    return loop < SIM_WORKERS && sim->workers[loop].hung_until > sim->now;
}

static bool is_due_restart(const struct sim *sim)
{
    bool due = false;
    for (unsigned i = 0; i < sim->orchestrator_count; i++)
        due |= sim->orchestrators[i].orchestrator == NULL && sim->orchestrators[i].up_at <= sim->now;
    for (unsigned i = 0; i < sim->worker_count; i++)
        due |= sim->workers[i].worker == NULL && sim->workers[i].up_at <= sim->now;
    return due;
}

static void restart(struct sim *sim)
{
    for (unsigned i = 0; i < sim->orchestrator_count; i++)
        if (sim->orchestrators[i].orchestrator == NULL && sim->orchestrators[i].up_at <= sim->now)
            sim_orchestrator_start(sim, i);
    for (unsigned i = 0; i < sim->worker_count; i++)
        if (sim->workers[i].worker == NULL && sim->workers[i].up_at <= sim->now)
            sim_worker_start(&sim->workers[i]);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something can happen next. */
static int64_t next_time(const struct sim *sim)
{
    int64_t next = least(least(sim->next_submit, sim->next_fault), least(sim_words_due(sim), sim_signals_due(sim)));
    for (unsigned i = 0; i < SIM_LOOPS; i++) {
        int64_t due = loop_virtual_due_ms(sim->loops[i]);
        if (i < SIM_WORKERS && sim->workers[i].hung_until > due)
            due = due == INT64_MAX ? due : sim->workers[i].hung_until;
        next = least(next, due);
    }
    if (store_pending(sim->store) > 0)
        next = least(next, sim->store_at);
    for (unsigned i = 0; i < sim->orchestrator_count; i++)
        if (sim->orchestrators[i].orchestrator == NULL)
            next = least(next, sim->orchestrators[i].up_at);
    for (unsigned i = 0; i < sim->worker_count; i++)
        if (sim->workers[i].worker == NULL)
            next = least(next, sim->workers[i].up_at);
    return next;
}

static void advance(struct sim *sim, int64_t to)
{
    sim->now = to > sim->now ? to : sim->now;
    for (unsigned i = 0; i < SIM_LOOPS; i++) {
        if (!loop_stands(sim, i) && loop_virtual_due_ms(sim->loops[i]) > sim->now)
            (void)loop_virtual_step(sim->loops[i], sim->now); /* nothing is due: only its time goes on */
        sim->wall_max = sim_wall(sim, i) > sim->wall_max ? sim_wall(sim, i) : sim->wall_max;
    }
}

static void pump_store(struct sim *sim)
{
    (void)store_pump(sim->store);
    sim->store_at = sim->now + (sim_chance(&sim->rng, 10) ? (int64_t)rng_below(&sim->rng, 200) : 1);
}

/* One of those who could act now acts. */
static void step(struct sim *sim)
{
    unsigned choices[SIM_LOOPS + 6], count = 0;
    for (unsigned i = 0; i < SIM_LOOPS; i++)
        if (!loop_stands(sim, i) && loop_virtual_due_ms(sim->loops[i]) <= sim->now)
            choices[count++] = i;
    if (store_pending(sim->store) > 0 && sim->store_at <= sim->now)
        choices[count++] = SIM_LOOPS;
    if (sim->next_submit <= sim->now)
        choices[count++] = SIM_LOOPS + 1;
    if (sim->next_fault <= sim->now)
        choices[count++] = SIM_LOOPS + 2;
    if (is_due_restart(sim))
        choices[count++] = SIM_LOOPS + 3;
    if (sim_words_due(sim) <= sim->now)
        choices[count++] = SIM_LOOPS + 4;
    if (sim_signals_due(sim) <= sim->now)
        choices[count++] = SIM_LOOPS + 5;
    if (count == 0) {
        int64_t next = next_time(sim);
        advance(sim, next == INT64_MAX ? sim->now + 1000 : next);
        return;
    }
    unsigned chosen = choices[rng_below(&sim->rng, count)];
    sim->digest = (sim->digest ^ ((uint64_t)sim->now * 16 + chosen)) * UINT64_C(1099511628211);
    if (chosen < SIM_LOOPS)
        (void)loop_virtual_step(sim->loops[chosen], sim->now);
    else if (chosen == SIM_LOOPS)
        pump_store(sim);
    else if (chosen == SIM_LOOPS + 1)
        sim_submit(sim);
    else if (chosen == SIM_LOOPS + 2)
        sim_faults_step(sim);
    else if (chosen == SIM_LOOPS + 3)
        restart(sim);
    else if (chosen == SIM_LOOPS + 4)
        sim_words_step(sim);
    else
        sim_signals_step(sim);
}

/* ---- one history */

static void build(struct sim *sim)
{
    struct error error;
    for (unsigned i = 0; i < SIM_LOOPS; i++)
        sim->loops[i] = loop_virtual_new(START_MS);
    const struct store_options options = {.manual = true, .max_batch = 1 + (size_t)rng_below(&sim->rng, 20)};
    if (store_open("sqlite::memory:", &options, &sim->store, &error) != ERR_OK) {
        sim_problem(sim, "the store does not open: %s", error.message);
        return;
    }
    sim_flows_make(sim);
    sim_schedule_make(sim);
    store_set_fault_hook(sim->store, sim_commit_fault, sim);
    sim->orchestrator_count = 1 + (unsigned)rng_below(&sim->rng, SIM_ORCHESTRATORS);
    sim->shards = 1 + (unsigned)rng_below(&sim->rng, 4);
    for (unsigned i = 0; i < SIM_ORCHESTRATORS; i++)
        (void)snprintf(sim->orchestrators[i].id, sizeof sim->orchestrators[i].id, "o%u", i);
    sim_broker_start(sim);
    sim->worker_count = 1 + (unsigned)rng_below(&sim->rng, SIM_WORKERS);
    for (unsigned i = 0; i < SIM_WORKERS; i++) {
        sim->workers[i].sim = sim;
        sim->workers[i].index = i;
        (void)snprintf(sim->workers[i].id, sizeof sim->workers[i].id, "w%u", i);
    }
    sim->wanted = 3 + (unsigned)rng_below(&sim->rng, SIM_EXECUTIONS - 2);
    sim_faults_init(sim);
    restart(sim);
}

static void tear_down(struct sim *sim)
{
    sim_faults_stop(sim);
    if (sim->store == NULL)
        return;
    while (store_pump(sim->store) > 0) {
    }
    for (unsigned i = 0; i < sim->orchestrator_count; i++)
        orchestrator_free(sim->orchestrators[i].orchestrator);
    for (unsigned i = 0; i < sim->worker_count; i++)
        worker_free(sim->workers[i].worker);
    broker_disconnect(sim->gateway);
    for (unsigned i = 0; i < SIM_LOOPS; i++) /* what was posted to those who are gone frees itself */
        while (loop_virtual_step(sim->loops[i], sim->now + 1000)) {
        }
    broker_close(sim->broker);
    store_close(sim->store);
    for (unsigned i = 0; i < SIM_LOOPS; i++)
        loop_free(sim->loops[i]);
    sim_words_done(sim);
    sim_people_done(sim);
    sim_flows_done(sim);
    json_unref(sim->schedule.document);
}

bool sim_run(struct sim *sim, uint64_t seed, unsigned faults, enum sim_plant plant)
{
    bool tracing = sim->tracing;
    *sim = (struct sim){.seed = seed,
                        .faults = faults,
                        .plant = plant,
                        .tracing = tracing,
                        .now = START_MS,
                        .wall_max = START_MS,
                        .rng.state = seed,
                        .fault_rng.state = seed ^ UINT64_C(0x5eed),
                        .next_look = START_MS,
                        .next_submit = START_MS};
    map_init(&sim->expectations);
    map_init(&sim->by_id);
    sim_watch(sim);
    build(sim);
    int64_t until = sim->faults_end + PATIENCE_MS;
    bool over = false;
    while (sim->problem[0] == '\0' && sim->steps++ < STEPS_MAX && sim->now < until) {
        if (!over && sim->quiet && sim_all_final(sim)) {
            over = true;
            until = sim->now + AFTERMATH_MS;
        }
        step(sim);
    }
    if (sim->problem[0] == '\0')
        sim_check_end(sim);
    tear_down(sim);
    sim_watch(NULL);
    return sim->problem[0] == '\0';
}
