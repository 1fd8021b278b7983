/* What goes wrong, drawn from the seed. */
#include "sim.h"

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
    sim->jumped_at = sim->now;
    for (unsigned i = 0; i < SIM_LOOPS; i++)
        loop_virtual_jump(sim->loops[i], by);
    for (struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        e->timed = false; /* by another clock than those to come */
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
        sim_person_acts(sim);
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
    sim_schedule_stop(sim);
    sim_person_resumes(sim);
}

void sim_faults_step(struct sim *sim)
{
    if (sim->now >= sim->faults_end && sim->submitted == sim->wanted) {
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
    unsigned count = 0;
    enum sim_fault kind = SIM_LOSE; /* none that is drawn here */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((sim->faults & kinds[i]) != 0 && rng_below(&sim->fault_rng, ++count) == 0)
            kind = kinds[i];
    if (sim->now < sim->faults_end)
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
