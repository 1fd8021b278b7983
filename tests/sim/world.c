/* The world: who lives in it, who acts next, and how time goes on. */
#include "sim.h"

#include "base/mem.h"
#include "broker/queues.h"
#include "orchestrator/submission.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1750000000000)
#define PATIENCE_MS (20 * 60 * 1000) /* after the last fault everything must have ended within this time */
#define AFTERMATH_MS 30000           /* and what was held for it is given back within this one */
#define STEPS_MAX 3000000
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
                                                                      .strategy = strategies[rng_below(&sim->rng, 3)]});
    if (orchestrator_start(o->orchestrator, &error) != ERR_OK)
        sim_problem(sim, "the orchestrator does not start: %s", error.message);
}

void sim_worker_start(struct sim_worker *worker)
{
    struct sim *sim = worker->sim;
    struct error error;
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

/* ---- the gateway: row first, then the message (src/gateway/executions.c) */

static enum err write_row(struct store_session *session, void *arg, struct error *reterr)
{
    struct sim_execution *execution = arg;
    if (execution->sim->plant == SIM_PLANT_FORGET_ACCEPTED && execution == &execution->sim->executions[0])
        return ERR_OK;
    return store_execution_insert(session, &execution->row, reterr);
}

static void on_row_written(void *user, enum err code, const struct error *error)
{
    struct sim_execution *execution = user;
    struct sim *sim = execution->sim;
    sim_trace(sim, "submitted %s: %s", execution->id, error_id(code));
    execution->uncertain = code == ERR_STORE_UNKNOWN;
    execution->accepted = code == ERR_OK;
    if (code == ERR_OK && (!execution->waits || sim->plant == SIM_PLANT_IGNORE_LIMITS))
        submission_publish(sim->gateway, sim->shards, &execution->row);
    else if (code == ERR_CONFLICT || code == ERR_NOT_FOUND)
        sim_problem(sim, "the row of execution %s is refused: %s", execution->id, error->message);
}

static void submit(struct sim *sim)
{
    struct sim_execution *execution = &sim->executions[sim->execution_count++];
    int64_t wall = sim_wall(sim, LOOP_GATEWAY);
    execution->sim = sim;
    execution->final = -1;
    execution->flow = (unsigned)rng_below(&sim->rng, sim->flow_count);
    execution->key = (int)rng_below(&sim->rng, 3);
    id_format(wall, &sim->rng, execution->id);
    (void)snprintf(execution->input, sizeof execution->input, "{\"number\":%u,\"key\":%d}", sim->execution_count,
                   execution->key);
    execution->row = (struct store_execution){.id = execution->id,
                                              .flow_id = sim->flows[execution->flow].id,
                                              .flow_version = 1,
                                              .trigger = "manual",
                                              .priority = (int)rng_below(&sim->rng, 3),
                                              .input_json = execution->input,
                                              .ret_waits = &execution->waits,
                                              .created_ms = wall};
    store_write_async(sim->store, write_row, execution, on_row_written, execution);
    sim->next_submit = sim->execution_count == sim->wanted ? INT64_MAX : sim->now + (int64_t)rng_below(&sim->rng, 1500);
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
    int64_t next = least(least(sim->next_submit, sim->next_fault), sim_words_due(sim));
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
    unsigned choices[SIM_LOOPS + 5], count = 0;
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
        submit(sim);
    else if (chosen == SIM_LOOPS + 2)
        sim_faults_step(sim);
    else if (chosen == SIM_LOOPS + 3)
        restart(sim);
    else
        sim_words_step(sim);
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
    sim->flow_count = 1 + (unsigned)rng_below(&sim->rng, SIM_FLOWS);
    for (unsigned i = 0; i < sim->flow_count; i++)
        sim_flow_make(sim, &sim->flows[i]);
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
                        .next_submit = START_MS};
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
