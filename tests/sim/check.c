/* The model: what was committed, what nodes did, and the promises (requirements E-bis) that both must keep. */
#include "sim.h"

#include "base/mem.h"
#include "broker/messages.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MS 2000 /* what was under way when a person spoke may still arrive */
#define YEARS_MS (INT64_C(100) * 365 * 86400 * 1000)

static struct sim *watched;

struct sim *sim_watched(void)
{
    return watched;
}

void sim_watch(struct sim *sim)
{
    if (sim == NULL && watched != NULL)
        free(watched->pending_facts);
    watched = sim;
}

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

struct sim_execution *sim_find(struct sim *sim, const char *id)
{
    for (unsigned i = 0; i < sim->execution_count; i++)
        if (strcmp(sim->executions[i].id, id) == 0)
            return &sim->executions[i];
    return NULL;
}

static unsigned node_index(const char *node_id)
{
    return (unsigned)(node_id[1] - '0') % SIM_NODES;
}

/* ---- what the store was told: tentative until the commit */

enum fact {
    FACT_INSERTED,
    FACT_EPOCH,
    FACT_CHECKPOINT,
    FACT_PARKED,
    FACT_FINISHED,
    FACT_CANCELLED,
    FACT_PAUSED,
    FACT_RESUMED
};

struct tentative {
    struct sim_execution *execution;
    enum fact fact;
    int epoch, status;
    bool waits;
    unsigned node;
    enum node_state state;
};

static void suppose(struct tentative fact)
{
    struct sim *sim = watched;
    if (fact.execution == NULL)
        return;
    if (sim->fact_count == sim->fact_cap) {
        sim->fact_cap = sim->fact_cap == 0 ? 64 : sim->fact_cap * 2;
        sim->pending_facts = mem_resize(sim->pending_facts, sim->fact_cap * sizeof *sim->pending_facts);
    }
    sim->pending_facts[sim->fact_count++] = fact;
}

/* Never more under way at once than the flow's limits allow. */
static void take_slot(struct sim *sim, struct sim_execution *e)
{
    const struct sim_flow *flow = &sim->flows[e->flow];
    int held = 0, of_key = 0;
    e->holds = true;
    for (unsigned i = 0; i < sim->execution_count; i++) {
        const struct sim_execution *other = &sim->executions[i];
        held += other->holds && other->flow == e->flow;
        of_key += other->holds && other->flow == e->flow && other->key == e->key;
    }
    if (flow->concurrency > 0 && held > flow->concurrency)
        sim_problem(sim, "%d executions of flow %u are under way, it allows %d", held, e->flow, flow->concurrency);
    if (flow->per_key > 0 && of_key > flow->per_key)
        sim_problem(sim, "%d executions of flow %u and key %d are under way, it allows %d", of_key, e->flow, e->key,
                    flow->per_key);
}

static void take_finished(struct sim *sim, struct sim_execution *e, int status, int epoch)
{
    if (e->final >= 0 && (e->final != status || e->final_epoch != epoch))
        sim_problem(sim, "execution %s was %s and became %s", e->id, run_status_name((enum run_status)e->final),
                    run_status_name((enum run_status)status));
    if (epoch != e->epoch)
        sim_problem(sim, "execution %s stands at epoch %d and was finished by epoch %d", e->id, e->epoch, epoch);
    e->final = status;
    e->final_epoch = epoch;
    e->holds = false;
}

static void take_fact(struct sim *sim, const struct tentative *fact)
{
    struct sim_execution *e = fact->execution;
    static const char *const names[] = {"inserted", "epoch",     "checkpoint", "parked",
                                        "finished", "cancelled", "paused",     "resumed"};
    sim_trace(sim, "committed %s %s epoch %d node %u state %d status %d", e->id + 24, names[fact->fact], fact->epoch,
              fact->node, (int)fact->state, fact->status);
    if ((fact->fact == FACT_CHECKPOINT || fact->fact == FACT_PARKED) && fact->epoch != e->epoch)
        sim_problem(sim, "execution %s stands at epoch %d and took an event of epoch %d", e->id, e->epoch, fact->epoch);
    switch (fact->fact) {
    case FACT_INSERTED:
        e->epoch = 1;
        if (!fact->waits)
            take_slot(sim, e);
        break;
    case FACT_EPOCH:
        if (e->final >= 0)
            sim_problem(sim, "execution %s is final and was sent out again", e->id);
        e->epoch = fact->epoch;
        take_slot(sim, e);
        break;
    case FACT_CHECKPOINT:
        if (fact->state == NODE_SUCCEEDED)
            e->nodes[fact->node].checkpoint_epoch = fact->epoch;
        break;
    case FACT_PARKED:
        if (fact->epoch < 64)
            e->parked |= UINT64_C(1) << fact->epoch;
        break;
    case FACT_FINISHED:
        take_finished(sim, e, fact->status, fact->epoch);
        break;
    case FACT_CANCELLED:
        e->epoch++;
        take_finished(sim, e, RUN_CANCELLED, e->epoch);
        e->cancelled_at = sim->now;
        break;
    case FACT_PAUSED:
        e->paused_at = sim->now;
        break;
    case FACT_RESUMED:
        e->paused_at = 0;
        break;
    }
}

void sim_on_commit(struct sim *sim, bool committed)
{
    for (size_t i = 0; committed && i < sim->fact_count; i++)
        take_fact(sim, &sim->pending_facts[i]);
    sim->fact_count = 0;
}

/* ---- the store's verbs, by way of the linker (--wrap) */

enum err __real_store_execution_insert(struct store_session *s, const struct store_execution *row,
                                       struct error *reterr);
enum err __real_store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                                  struct error *reterr);
enum err __real_store_execution_reassign(struct store_session *s, const char *id, int expected_epoch,
                                         struct arena *arena, struct store_dispatch *ret, struct error *reterr);
enum err __real_store_execution_cancel(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err __real_store_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err __real_store_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err __wrap_store_execution_insert(struct store_session *s, const struct store_execution *row,
                                       struct error *reterr);
enum err __wrap_store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                                  struct error *reterr);
enum err __wrap_store_execution_reassign(struct store_session *s, const char *id, int expected_epoch,
                                         struct arena *arena, struct store_dispatch *ret, struct error *reterr);
enum err __wrap_store_execution_cancel(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err __wrap_store_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err __wrap_store_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);

static void note(const char *id, enum fact fact)
{
    if (watched != NULL)
        suppose((struct tentative){.execution = sim_find(watched, id), .fact = fact});
}

enum err __wrap_store_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    enum err code = __real_store_execution_insert(s, row, reterr);
    if (code == ERR_OK && watched != NULL)
        suppose((struct tentative){.execution = sim_find(watched, row->id),
                                   .fact = FACT_INSERTED,
                                   .waits = row->ret_waits != NULL && *row->ret_waits});
    return code;
}

/* Planted defects of the event's way into the store. False: the event is lost. */
static bool plant_event(struct sim *sim, struct store_event *event)
{
    const struct sim_execution *e = sim_find(sim, event->execution_id);
    switch (sim->plant) {
    case SIM_PLANT_OLDER_EPOCH:
        if (e != NULL && event->epoch < e->epoch)
            event->epoch = e->epoch;
        return true;
    case SIM_PLANT_LOSE_CHECKPOINT:
        return event->kind != STORE_EVENT_CHECKPOINT || event->checkpoint.state != NODE_SUCCEEDED;
    case SIM_PLANT_FORGET_WAIT:
        if (event->kind == STORE_EVENT_PARKED && event->wake_ms != INT64_MAX)
            event->wake_ms += YEARS_MS;
        return true;
    case SIM_PLANT_EARLY_WAIT:
        if (event->kind == STORE_EVENT_CHECKPOINT && event->checkpoint.state == NODE_WAITING)
            event->checkpoint.wake_ms = event->at_ms;
        if (event->kind == STORE_EVENT_PARKED && event->wake_ms != INT64_MAX)
            event->wake_ms = event->at_ms;
        return true;
    default:
        return true;
    }
}

enum err __wrap_store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                                  struct error *reterr)
{
    if (watched == NULL)
        return __real_store_event_apply(s, event, ret_applied, reterr);
    struct store_event changed = *event;
    bool applied = true;
    enum err code = plant_event(watched, &changed) ? __real_store_event_apply(s, &changed, &applied, reterr) : ERR_OK;
    *ret_applied = applied; /* what a planted defect loses is acknowledged all the same */
    if (code != ERR_OK || !applied)
        return code;
    struct tentative fact = {.execution = sim_find(watched, event->execution_id), .epoch = event->epoch};
    if (event->kind == STORE_EVENT_CHECKPOINT) {
        fact.fact = FACT_CHECKPOINT;
        fact.node = node_index(event->checkpoint.node_id);
        fact.state = event->checkpoint.state;
    } else if (event->kind == STORE_EVENT_PARKED) {
        fact.fact = FACT_PARKED;
    } else if (event->kind == STORE_EVENT_FINISHED) {
        fact.fact = FACT_FINISHED;
        fact.status = (int)event->finish->status;
    } else {
        return code;
    }
    suppose(fact);
    return code;
}

enum err __wrap_store_execution_reassign(struct store_session *s, const char *id, int expected_epoch,
                                         struct arena *arena, struct store_dispatch *ret, struct error *reterr)
{
    if (watched != NULL && watched->plant == SIM_PLANT_DROP_REASSIGN)
        return error_set(reterr, ERR_CONFLICT, "epoch", "planted");
    enum err code = __real_store_execution_reassign(s, id, expected_epoch, arena, ret, reterr);
    if (code == ERR_OK && watched != NULL)
        suppose((struct tentative){.execution = sim_find(watched, id), .fact = FACT_EPOCH, .epoch = ret->epoch});
    return code;
}

enum err __wrap_store_execution_cancel(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err code = __real_store_execution_cancel(s, id, now_ms, reterr);
    if (code == ERR_OK)
        note(id, FACT_CANCELLED);
    return code;
}

enum err __wrap_store_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err code = __real_store_execution_pause(s, id, now_ms, reterr);
    if (code == ERR_OK)
        note(id, FACT_PAUSED);
    return code;
}

enum err __wrap_store_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err code = __real_store_execution_resume(s, id, now_ms, reterr);
    if (code == ERR_OK)
        note(id, FACT_RESUMED);
    return code;
}

/* ---- what nodes do */

static const struct sim_flow *flow_of(const struct sim *sim, const struct sim_execution *e)
{
    return &sim->flows[e->flow];
}

static int lost_epochs(const struct sim_execution *e, int before)
{
    int lost = 0;
    for (int epoch = 1; epoch < before; epoch++)
        lost += epoch >= 64 || (e->parked >> epoch & 1) == 0;
    return lost;
}

/* Whether a source that brought nothing may have: it failed, or nothing led to it. */
static bool may_bring_nothing(const struct sim_flow *flow, const struct sim_execution *e, unsigned source)
{
    if (flow->kinds[source] == KIND_FLAKY && e->nodes[source].starts > 0)
        return true;
    for (unsigned i = 0; i < flow->count; i++)
        if (flow->from[source][i] && !may_bring_nothing(flow, e, i))
            return false;
    return source != 0;
}

static void check_inputs(struct sim *sim, const struct sim_execution *e, unsigned index, const struct json *inputs)
{
    const struct sim_flow *flow = flow_of(sim, e);
    for (unsigned source = 0; source < flow->count; source++) {
        char pin[24];
        (void)snprintf(pin, sizeof pin, "from_n%u", source);
        if (!flow->from[index][source])
            continue;
        const struct json *value = json_get(inputs, pin);
        const struct sim_node *from = &e->nodes[source];
        const char *id = json_get_str(value, "execution");
        if (value == NULL && !may_bring_nothing(flow, e, source))
            sim_problem(sim, "node n%u of %s started before its input from n%u", index, e->id, source);
        if (value == NULL)
            continue;
        if (id == NULL || strcmp(id, e->id) != 0 || strcmp(json_get_str(value, "node"), pin + 5) != 0)
            sim_problem(sim, "node n%u of %s got an input that n%u did not make", index, e->id, source);
        if (!from->done)
            sim_problem(sim, "node n%u of %s has an input of n%u, which has not ended", index, e->id, source);
        if (flow->kinds[source] == KIND_WAIT && sim->wall_max < from->wake_ms)
            sim_problem(sim, "node n%u of %s started %lld ms before the wait n%u was over", index, e->id,
                        (long long)(from->wake_ms - sim->wall_max), source);
    }
}

/* What a person said holds for everybody who could hear it. */
static void check_orders(struct sim *sim, const struct sim_worker *worker, const struct sim_execution *e,
                         unsigned index)
{
    int64_t since = e->cancelled_at > 0 ? e->cancelled_at : e->paused_at;
    if (since == 0 || e->unheard || sim->now <= since + GRACE_MS ||
        (worker->last_hung > 0 && worker->last_hung >= since))
        return;
    sim_problem(sim, "node n%u of %s started %lld ms after a person %s it", index, e->id, (long long)(sim->now - since),
                e->cancelled_at > 0 ? "cancelled" : "paused");
}

static void check_repeat(struct sim *sim, struct sim_execution *e, unsigned index, int epoch, int attempt)
{
    struct sim_node *node = &e->nodes[index];
    const struct sim_flow *flow = flow_of(sim, e);
    enum sim_kind kind = flow->kinds[index];
    for (unsigned i = 0; i < node->starts && i < SIM_STARTS; i++)
        if (node->seen[i].epoch == epoch && node->seen[i].attempt == attempt)
            sim_problem(sim, "node n%u of %s started twice as attempt %d of epoch %d", index, e->id, attempt, epoch);
    if (node->starts < SIM_STARTS) {
        node->seen[node->starts].epoch = epoch;
        node->seen[node->starts].attempt = attempt;
    }
    node->starts++;
    if (kind == KIND_START || kind == KIND_PURE)
        return;
    if (node->checkpoint_epoch > 0 && epoch > node->checkpoint_epoch)
        sim_problem(sim, "node n%u of %s was stored as done by epoch %d and started again in epoch %d", index, e->id,
                    node->checkpoint_epoch, epoch);
    if (node->done && node->done_epoch < epoch && node->done_epoch < 64 && (e->parked >> node->done_epoch & 1) != 0)
        sim_problem(sim, "node n%u of %s had ended when epoch %d parked and started again in epoch %d", index, e->id,
                    node->done_epoch, epoch);
    unsigned allowed = (unsigned)flow->attempts[index] * (1 + (unsigned)lost_epochs(e, e->epoch));
    if (node->starts > allowed)
        sim_problem(sim, "node n%u of %s started %u times, with %d epochs lost and %d attempts allowed", index, e->id,
                    node->starts, lost_epochs(e, e->epoch), flow->attempts[index]);
}

static void check_key(struct sim *sim, struct sim_node *node, const struct sim_execution *e,
                      const struct node_call *call, int epoch)
{
    char key[ID_TEXT_BYTES_MAX + 16];
    (void)snprintf(key, sizeof key, "%s", call->idempotency_key);
    if (sim->plant == SIM_PLANT_UNSTABLE_KEY)
        (void)snprintf(key, sizeof key, "%s:%d", call->idempotency_key, epoch);
    if (node->key[0] == '\0')
        (void)snprintf(node->key, sizeof node->key, "%s", key);
    if (strcmp(node->key, key) != 0)
        sim_problem(sim, "the idempotency key of %s of %s was %s and is %s", call->node_id, e->id, node->key, key);
}

void sim_on_node_start(struct sim_worker *worker, const struct node_call *call, int epoch)
{
    struct sim *sim = worker->sim;
    struct sim_execution *e = sim_find(sim, call->execution_id);
    unsigned index = node_index(call->node_id);
    sim_trace(sim, "%s starts %s of %s epoch %d attempt %d", worker->id, call->node_id, call->execution_id + 24, epoch,
              call->attempt);
    if (e == NULL || e->epoch == 0) {
        sim_problem(sim, "execution %s runs and was never stored", call->execution_id);
        return;
    }
    if (epoch > e->epoch)
        sim_problem(sim, "execution %s runs at epoch %d, of which the store knows nothing", e->id, epoch);
    if (e->final >= 0 && e->final_epoch == epoch)
        sim_problem(sim, "node %s of %s started after its own epoch ended it", call->node_id, e->id);
    if (epoch == e->epoch && e->final < 0 && !e->holds)
        sim_problem(sim, "node %s of %s started before its turn had come", call->node_id, e->id);
    check_orders(sim, worker, e, index);
    check_key(sim, &e->nodes[index], e, call, epoch);
    check_repeat(sim, e, index, epoch, call->attempt);
    check_inputs(sim, e, index, call->inputs);
}

void sim_on_node_done(struct sim_worker *worker, const struct node_call *call, int epoch)
{
    struct sim_execution *e = sim_find(worker->sim, call->execution_id);
    if (e == NULL)
        return;
    struct sim_node *node = &e->nodes[node_index(call->node_id)];
    node->done = true;
    node->done_epoch = epoch > node->done_epoch ? epoch : node->done_epoch;
}

void sim_on_node_wait(struct sim_worker *worker, const struct node_call *call, int64_t wake_ms)
{
    struct sim_execution *e = sim_find(worker->sim, call->execution_id);
    if (e == NULL)
        return;
    struct sim_node *node = &e->nodes[node_index(call->node_id)];
    node->wake_ms = node->waiting && node->wake_ms < wake_ms ? node->wake_ms : wake_ms;
    node->waiting = node->done = true;
}

/* ---- the end */

bool sim_all_final(struct sim *sim)
{
    for (unsigned i = 0; i < sim->execution_count; i++)
        if (sim->executions[i].final < 0 && sim->executions[i].epoch > 0)
            return false;
    return store_pending(sim->store) == 0;
}

static void check_execution(struct sim *sim, struct store_session *session, const struct sim_execution *e)
{
    struct json *stored = NULL;
    struct error error;
    enum err code = store_execution_load(session, e->id, &stored, &error);
    const char *status = json_get_str(stored, "status");
    if (code == ERR_NOT_FOUND && e->accepted)
        sim_problem(sim, "execution %s was accepted and is not there", e->id);
    else if (code == ERR_OK && !e->accepted && !e->uncertain)
        sim_problem(sim, "execution %s was refused and is there", e->id);
    else if (code == ERR_OK && e->final < 0)
        sim_problem(sim, "execution %s is stuck: %s at epoch %d", e->id, status, e->epoch);
    else if (code == ERR_OK && strcmp(status, run_status_name((enum run_status)e->final)) != 0)
        sim_problem(sim, "execution %s is stored as %s and ended as %s", e->id, status,
                    run_status_name((enum run_status)e->final));
    else if (code != ERR_OK && code != ERR_NOT_FOUND)
        sim_problem(sim, "execution %s cannot be read: %s", e->id, error.message);
    json_unref(stored);
    const struct sim_flow *flow = flow_of(sim, e);
    for (unsigned i = 0; e->final == RUN_SUCCESS && i < flow->count; i++)
        if (!e->nodes[i].done && !may_bring_nothing(flow, e, i))
            sim_problem(sim, "execution %s succeeded without its node n%u", e->id, i);
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
    for (unsigned i = 0; i < sim->execution_count; i++)
        check_execution(sim, session, &sim->executions[i]);
    store_read_end(sim->store, session);
    if (sim->problem[0] == '\0')
        check_slots(sim);
}
