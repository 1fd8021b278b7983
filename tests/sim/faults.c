/* What goes wrong, and what people do, drawn from the seed. */
#include "sim.h"

#include "broker/messages.h"
#include <stdio.h>
#include <string.h>

bool sim_chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

static int64_t up_to(struct sim *sim, int64_t max)
{
    return (int64_t)rng_below(&sim->fault_rng, (uint64_t)max);
}

void sim_faults_init(struct sim *sim)
{
    sim->faults_end = sim->now + 5000 + up_to(sim, 60000);
    sim->next_fault = sim->now + up_to(sim, 2000);
    sim->lose_percent = sim->faults & SIM_LOSE ? (unsigned)up_to(sim, 15) : 0;
    sim->double_percent = sim->faults & SIM_DOUBLE ? (unsigned)up_to(sim, 15) : 0;
    sim->delay_percent = sim->faults & SIM_DELAY ? (unsigned)up_to(sim, 25) : 0;
    sim->store_percent = sim->faults & SIM_STORE ? (unsigned)up_to(sim, 20) : 0;
    sim->deaf_percent = sim->faults & SIM_WORDS ? (unsigned)up_to(sim, 25) : 0;
    sim->late_percent = sim->faults & SIM_WORDS ? (unsigned)up_to(sim, 25) : 0;
}

int sim_publish_fault(void *user, const char *queue)
{
    struct sim *sim = user;
    if (sim->quiet)
        return 0;
    int fault = sim_chance(&sim->fault_rng, sim->lose_percent)     ? 1
                : sim_chance(&sim->fault_rng, sim->double_percent) ? 2
                : sim_chance(&sim->fault_rng, sim->delay_percent)  ? 3
                                                                   : 0;
    if (fault != 0)
        sim_trace(sim, "publication to %s: %s", queue, fault == 1 ? "lost" : fault == 2 ? "doubled" : "delayed");
    sim->lost += fault == 1;
    sim->doubled += fault == 2;
    sim->delayed += fault == 3;
    return fault;
}

enum store_fault sim_commit_fault(void *user)
{
    struct sim *sim = user;
    enum store_fault fault = STORE_FAULT_NONE;
    if (sim->force)
        fault = sim->forced;
    else if (!sim->quiet && sim_chance(&sim->fault_rng, sim->store_percent))
        fault = (enum store_fault)(1 + rng_below(&sim->fault_rng, 4));
    if (fault != STORE_FAULT_NONE) {
        sim->failed_commits++;
        sim_trace(sim, "commit: fault %d", (int)fault);
    }
    sim_on_commit(sim, fault == STORE_FAULT_NONE || fault == STORE_FAULT_UNKNOWN_COMMITTED);
    return fault;
}

/* ---- crashes */

/* What the process had handed to the store is committed or not; nobody is left to hear of it. */
static void settle_store(struct sim *sim)
{
    sim->force = true;
    while (store_pending(sim->store) > 0) {
        sim->forced = !sim->quiet && sim_chance(&sim->fault_rng, 50) ? STORE_FAULT_UNKNOWN_LOST : STORE_FAULT_NONE;
        (void)store_pump(sim->store);
    }
    sim->force = false;
}

void sim_crash_orchestrator(struct sim *sim, unsigned index, int64_t down_ms)
{
    struct sim_orchestrator *o = &sim->orchestrators[index];
    if (o->orchestrator == NULL)
        return;
    sim_trace(sim, "the orchestrator %s crashes", o->id);
    sim->crashes++;
    settle_store(sim);
    orchestrator_free(o->orchestrator);
    o->orchestrator = NULL;
    o->up_at = sim->now + down_ms;
}

void sim_crash_worker(struct sim_worker *worker, int64_t down_ms)
{
    struct sim *sim = worker->sim;
    if (worker->worker == NULL)
        return;
    sim_trace(sim, "worker %s crashes", worker->id);
    sim->crashes++;
    worker_free(worker->worker);
    worker->worker = NULL;
    worker->hung_until = 0;
    worker->up_at = sim->now + down_ms;
}

/* Everything that was in its memory is gone, and everybody has to connect again. */
static void restart_broker(struct sim *sim)
{
    sim_trace(sim, "the broker starts again, empty");
    for (unsigned i = 0; i < sim->orchestrator_count; i++)
        sim_crash_orchestrator(sim, i, up_to(sim, 1000));
    for (unsigned i = 0; i < sim->worker_count; i++)
        sim_crash_worker(&sim->workers[i], up_to(sim, 1000));
    sim_words_forget(sim);
    broker_disconnect(sim->gateway);
    broker_close(sim->broker);
    sim_broker_start(sim);
}

static void hang(struct sim *sim)
{
    struct sim_worker *worker = &sim->workers[up_to(sim, sim->worker_count)];
    if (worker->worker == NULL)
        return;
    sim->hangs++;
    worker->hung_until = sim->now + up_to(sim, 30000);
    worker->last_hung = worker->hung_until;
    sim_trace(sim, "worker %s stands still until %lld", worker->id, (long long)worker->hung_until);
}

static void jump(struct sim *sim)
{
    int64_t by = up_to(sim, 40000) - 20000;
    sim_trace(sim, "the clocks jump by %lld ms", (long long)by);
    sim->jumps++;
    for (unsigned i = 0; i < SIM_LOOPS; i++)
        loop_virtual_jump(sim->loops[i], by);
}

/* ---- people */

struct order {
    struct sim_execution *execution;
    const char *verb;
    enum err (*write)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    int64_t now_ms;
};

static enum err write_order(struct store_session *session, void *arg, struct error *reterr)
{
    const struct order *order = arg;
    return order->write(session, order->execution->id, order->now_ms, reterr);
}

static bool stands_at(struct sim *sim, const char *id, const char *status)
{
    struct store_session *session;
    struct error error;
    AUTO_JSON struct json *execution = NULL;
    if (store_read_begin(sim->store, &session, &error) != ERR_OK)
        return false;
    bool stands = store_execution_load(session, id, &execution, &error) == ERR_OK &&
                  strcmp(json_get_str(execution, "status"), status) == 0;
    store_read_end(sim->store, session);
    return stands;
}

/* As the gateway does it: the store first, then whoever runs it is told. */
static void give(struct sim *sim, struct sim_execution *execution, const char *verb,
                 enum err (*write)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr))
{
    struct order order = {.execution = execution, .verb = verb, .write = write, .now_ms = sim_wall(sim, LOOP_GATEWAY)};
    struct error error;
    enum err code = store_write(sim->store, write_order, &order, &error);
    sim_trace(sim, "a person says %s %s: %s", verb, execution->id, error_id(code));
    if (code == ERR_STORE_UNKNOWN && stands_at(sim, execution->id,
                                               strcmp(verb, "cancel") == 0  ? "cancelled"
                                               : strcmp(verb, "pause") == 0 ? "paused"
                                                                            : "pending"))
        code = ERR_OK;
    if (code != ERR_OK || (sim->plant == SIM_PLANT_IGNORE_CANCEL && strcmp(verb, "cancel") == 0))
        return;
    char body[100];
    int n = snprintf(body, sizeof body, "{\"%s\":\"%s\"}", verb, execution->id);
    broker_broadcast(sim->gateway, TOPIC_CONTROL, body, (size_t)n);
}

static void act_as_person(struct sim *sim)
{
    if (sim->execution_count == 0)
        return;
    struct sim_execution *execution = &sim->executions[up_to(sim, sim->execution_count)];
    if (!execution->accepted)
        return;
    int64_t kind = up_to(sim, 10);
    if (kind < 3) {
        sim->cancels++;
        give(sim, execution, "cancel", store_execution_cancel);
    } else if (kind < 7) {
        sim->pauses++;
        give(sim, execution, "pause", store_execution_pause);
    } else {
        give(sim, execution, "resume", store_execution_resume);
    }
}

static void fault_once(struct sim *sim, enum sim_fault kind)
{
    switch (kind) {
    case SIM_CRASH_WORKER:
        sim_crash_worker(&sim->workers[up_to(sim, sim->worker_count)], up_to(sim, 5000));
        break;
    case SIM_CRASH_ORCHESTRATOR:
        sim_crash_orchestrator(sim, (unsigned)up_to(sim, sim->orchestrator_count), up_to(sim, 5000));
        break;
    case SIM_RESTART_BROKER:
        restart_broker(sim);
        break;
    case SIM_CLOCK:
        jump(sim);
        break;
    case SIM_HANG:
        hang(sim);
        break;
    case SIM_PERSON:
        act_as_person(sim);
        break;
    default:
        break; /* publications and commits have hooks of their own */
    }
}

/* The faults are over: everybody is up, and whatever a person has paused is resumed. */
static void calm(struct sim *sim)
{
    sim_trace(sim, "the faults are over");
    sim->quiet = true;
    sim->next_fault = INT64_MAX;
    for (unsigned i = 0; i < sim->worker_count; i++)
        if (sim->workers[i].hung_until > sim->now)
            sim->workers[i].hung_until = sim->now;
    for (unsigned i = 0; i < sim->execution_count; i++)
        if (sim->executions[i].paused_at > 0 && sim->executions[i].final < 0)
            give(sim, &sim->executions[i], "resume", store_execution_resume);
}

void sim_faults_step(struct sim *sim)
{
    if (sim->now >= sim->faults_end && sim->execution_count == sim->wanted) {
        calm(sim);
        return;
    }
    static const enum sim_fault kinds[] = {SIM_CRASH_WORKER,
                                           SIM_CRASH_WORKER,
                                           SIM_CRASH_ORCHESTRATOR,
                                           SIM_CRASH_ORCHESTRATOR,
                                           SIM_RESTART_BROKER,
                                           SIM_CLOCK,
                                           SIM_HANG,
                                           SIM_PERSON,
                                           SIM_PERSON,
                                           SIM_PERSON};
    enum sim_fault kind = kinds[up_to(sim, sizeof kinds / sizeof *kinds)];
    if (sim->faults & kind && sim->now < sim->faults_end)
        fault_once(sim, kind);
    int64_t next = sim->now + 1 + up_to(sim, sim_chance(&sim->fault_rng, 30) ? 50 : 3000);
    sim->next_fault = next;
}

void sim_faults_stop(struct sim *sim)
{
    sim->quiet = true;
    sim->force = true;
    sim->forced = STORE_FAULT_NONE;
}
