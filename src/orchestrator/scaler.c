/* The auto-scaler: the leader looks at queues and workers, decides (dispatch/scaling.h), and has its driver do it. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dispatch/scaling.h"
#include "orchestrator/scaling_driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 500
#define LEADS_MS 3000 /* so long a leader listens at least before it decides */
#define STARTS_WITHIN_MS 30000
#define LEAVES_WITHIN_MS 30000
#define AGAIN_MS 5000    /* after a failure */
#define LATE_INTERVALS 3 /* reports that may be missing before a worker counts as gone */
#define MOST_AT_ONCE 50

/* A worker that was called for and has not reported yet. */
struct called {
    char id[32];
    int64_t until_ms;
};

struct scaler {
    struct orchestrator *orchestrator;
    const struct scaling_options *options;
    struct scaling_driver *driver;
    struct loop_timer *timer;
    struct scaling_rules rules;
    bool enabled, applying;
    struct scaling_state state;
    enum scaling_reason reason;
    int64_t leads_since_ms; /* 0: another does */
    int64_t decided_at_ms;  /* wall clock, of `reason` */
    int64_t again_ms;       /* not before then is the driver called */
    int64_t listens_since_ms;
    unsigned present, told, telling; /* told: the target that a driver by number has; telling: that it is being told */
    struct called *called;           /* by this leader, and by those before it */
    size_t called_count;
    struct rng rng;
    struct error failure; /* of the driver's last call */
};

static int64_t now_of(const struct scaler *scaler)
{
    return loop_monotonic_us(scaler->orchestrator->options.loop) / 1000;
}

bool scaler_started(const char *worker_id)
{
    return strncmp(worker_id, SCALER_PREFIX, strlen(SCALER_PREFIX)) == 0;
}

/* ---- what there is */

static bool is_present(const struct orchestrator *o, const struct worker_entry *worker, int64_t now)
{
    return !worker->gone && !worker->stalled && worker->capacity > 0 && now >= worker->leaves_ms &&
           (worker->interval_ms == 0 || dispatch_silent_ms(o, worker->seen_ms) < LATE_INTERVALS * worker->interval_ms);
}

/* Its report is of a moment ago; what this orchestrator gave it is known now, and the others give it as much. */
static uint64_t busy_of(const struct orchestrator *o, const struct worker_entry *worker)
{
    size_t owned = atomic_load(&o->stat_shards);
    uint64_t given = owned == 0 ? 0 : (uint64_t)worker->assigned * o->shard_count / owned;
    uint64_t busy = given > worker->active ? given : worker->active;
    return worker->full || busy > worker->capacity ? worker->capacity : busy;
}

/* Silent, or without its consumer, for a moment: it is there again or gone for good within the worker's time-out. Who
 * is on his way out is not. */
static bool is_doubtful(const struct orchestrator *o, const struct worker_entry *worker, int64_t now)
{
    return worker->capacity > 0 && now >= worker->leaves_ms &&
           dispatch_silent_ms(o, worker->seen_ms) < o->options.worker_timeout_ms;
}

/* It has just begun to lead, or to listen: another orchestrator knows, or knew, of more workers. Who is not heard of
 * within the worker's time-out does not count for anybody. */
static bool is_gathering(const struct scaler *scaler, int64_t now)
{
    const struct orchestrator *o = scaler->orchestrator;
    uint64_t most = 0;
    for (size_t i = 0; i < o->peer_count; i++)
        most = o->peers[i].workers > most ? o->peers[i].workers : most;
    return now - scaler->leads_since_ms < LEADS_MS ||
           (most > o->worker_count && now - scaler->listens_since_ms < o->options.worker_timeout_ms);
}

static struct scaling_view look(const struct scaler *scaler, int64_t now)
{
    struct orchestrator *o = scaler->orchestrator;
    struct scaling_view view = {.now_ms = now,
                                .waiting = shards_waiting(o),
                                .coming = (unsigned)scaler->called_count,
                                .gathering = is_gathering(scaler, now)};
    for (size_t i = 0; i < o->worker_count; i++) {
        const struct worker_entry *worker = o->workers[i];
        if (!is_present(o, worker, now)) {
            view.doubtful += is_doubtful(o, worker, now);
            continue;
        }
        view.workers++;
        view.slots += worker->capacity;
        view.busy += busy_of(o, worker);
    }
    for (size_t i = 0; i < o->peer_count; i++)
        view.waiting += o->peers[i].waiting;
    return view;
}

/* Those that have come, or had their time. */
static void forget_called(struct scaler *scaler, int64_t now)
{
    const struct orchestrator *o = scaler->orchestrator;
    for (size_t i = 0; i < scaler->called_count;) {
        bool over = now >= scaler->called[i].until_ms;
        for (size_t w = 0; w < o->worker_count && !over; w++)
            over = strcmp(o->workers[w]->id, scaler->called[i].id) == 0;
        if (over)
            scaler->called[i] = scaler->called[--scaler->called_count];
        else
            i++;
    }
}

/* ---- the driver */

static void on_applied(void *user, const struct error *error)
{
    struct scaler *scaler = user;
    scaler->applying = false;
    if (error == NULL) {
        scaler->told = scaler->telling;
        scaler->failure = (struct error){0};
        return;
    }
    scaler->failure = *error;
    scaler->again_ms = now_of(scaler) + AGAIN_MS;
    scaler->called_count = 0; /* those that come are counted all the same */
    log_event(LOG_WARN, "workers cannot be started or stopped", LOG_STR("driver", scaler->driver->ops->name),
              LOG_CAUSE(&scaler->failure), LOG_END);
}

static void apply_order(struct scaler *scaler, const char *const *start, size_t count)
{
    struct scaling_order order = {
        .target = scaler->state.target, .present = scaler->present, .start = start, .start_count = count};
    scaler->applying = true;
    scaler->telling = scaler->state.target;
    scaler->driver->ops->apply(scaler->driver, &order, on_applied, scaler);
}

static struct called *add_called(struct scaler *scaler, int64_t now)
{
    scaler->called = mem_resize(scaler->called, (scaler->called_count + 1) * sizeof *scaler->called);
    scaler->called[scaler->called_count] = (struct called){.until_ms = now + STARTS_WITHIN_MS};
    return &scaler->called[scaler->called_count++];
}

/* The other orchestrators hear of them before they are started: one of them may have to go on. */
static void start_workers(struct scaler *scaler, unsigned count, int64_t now)
{
    const char *names[MOST_AT_ONCE];
    size_t first = scaler->called_count;
    count = count > MOST_AT_ONCE ? MOST_AT_ONCE : count;
    for (unsigned i = 0; i < count; i++) {
        struct called *called = add_called(scaler, now);
        (void)snprintf(called->id, sizeof called->id, SCALER_PREFIX "%010llx",
                       (unsigned long long)(rng_next(&scaler->rng) >> 24));
    }
    for (unsigned i = 0; i < count; i++)
        names[i] = scaler->called[first + i].id;
    shards_tell(scaler->orchestrator);
    apply_order(scaler, names, count);
}

void scaler_hear(struct scaler *scaler, const struct json *told)
{
    const struct json *called = json_get(told, "called");
    if (scaler == NULL || !json_is(called, JSON_ARRAY))
        return;
    for (size_t i = 0; i < json_count(called) && i < MOST_AT_ONCE; i++) {
        const char *id = json_as_str(json_at(called, i));
        bool known = id == NULL || strlen(id) >= sizeof scaler->called->id || !scaler_started(id);
        for (size_t k = 0; k < scaler->called_count && !known; k++)
            known = strcmp(scaler->called[k].id, id) == 0;
        if (known)
            continue;
        struct called *added = add_called(scaler, now_of(scaler));
        (void)snprintf(added->id, sizeof added->id, "%s", id);
    }
}

/* The one with the least to do among those that were started by a scaler. */
static struct worker_entry *least_busy(const struct scaler *scaler, int64_t now)
{
    const struct orchestrator *o = scaler->orchestrator;
    struct worker_entry *least = NULL;
    for (size_t i = 0; i < o->worker_count; i++) {
        struct worker_entry *worker = o->workers[i];
        if (is_present(o, worker, now) && scaler_started(worker->id) &&
            (least == NULL || busy_of(o, worker) < busy_of(o, least)))
            least = worker;
    }
    return least;
}

static void drain_workers(struct scaler *scaler, unsigned count, int64_t now)
{
    struct worker_entry *worker;
    for (; count > 0 && (worker = least_busy(scaler, now)) != NULL; count--) {
        char body[160];
        int length = snprintf(body, sizeof body, "{\"v\":1,\"drain\":\"%s\"}", worker->id);
        worker->leaves_ms = now + LEAVES_WITHIN_MS; /* if it is still there then, it did not hear */
        log_event(LOG_INFO, "a worker is drained", LOG_STR("worker", worker->id), LOG_END);
        broker_broadcast(scaler->orchestrator->connection, TOPIC_CONTROL, body, (size_t)length);
    }
}

static void reconcile(struct scaler *scaler, const struct scaling_view *view)
{
    unsigned target = scaler->state.target, starts = scaling_starts(&scaler->state, &scaler->rules, view);
    int64_t now = view->now_ms;
    if (scaler->applying || now < scaler->again_ms)
        return;
    if (scaler->driver->ops->by_number && scaler->told != target)
        apply_order(scaler, NULL, 0);
    else if (!scaler->driver->ops->by_number && starts > 0)
        start_workers(scaler, starts, now);
    else if (!scaler->driver->ops->by_number && scaler->present > target)
        drain_workers(scaler, scaler->present - target, now);
}

/* ---- looking and deciding */

static void note(struct scaler *scaler, enum scaling_reason reason, unsigned before, const struct scaling_view *view)
{
    scaler->reason = reason;
    scaler->decided_at_ms = loop_now_ms(scaler->orchestrator->options.loop);
    log_event(LOG_INFO, "another number of workers", LOG_INT("from", before), LOG_INT("to", scaler->state.target),
              LOG_STR("why", scaling_reason_name(reason)), LOG_INT("waiting", (int64_t)view->waiting),
              LOG_INT("busy", (int64_t)view->busy), LOG_INT("slots", (int64_t)view->slots), LOG_END);
}

static void on_look(void *user)
{
    static const char ask[] = "{\"v\":1,\"report\":true}";
    struct scaler *scaler = user;
    int64_t now = now_of(scaler);
    loop_timer_set(scaler->timer, LOOK_MS);
    forget_called(scaler, now);
    if (scaler->orchestrator->stopped || !scaler->enabled || !shards_lead(scaler->orchestrator)) {
        scaler->leads_since_ms = 0;
        scaler->state = (struct scaling_state){0};
        atomic_store(&scaler->orchestrator->stat_target, 0);
        return;
    }
    if (scaler->leads_since_ms == 0) {
        scaler->leads_since_ms = now;
        broker_broadcast(scaler->orchestrator->connection, TOPIC_CONTROL, ask, sizeof ask - 1);
    }
    struct scaling_view view = look(scaler, now);
    scaler->present = view.workers;
    if (view.gathering)
        return;
    if (!scaler->state.known)
        scaler->told = view.workers;
    unsigned before = scaler->state.known ? scaler->state.target : view.workers;
    enum scaling_reason reason = scaling_decide(&scaler->state, &scaler->rules, &view);
    atomic_store(&scaler->orchestrator->stat_target, scaler->state.target);
    if (reason != SCALING_STEADY)
        note(scaler, reason, before, &view);
    reconcile(scaler, &view);
}

void scaler_configure(struct scaler *scaler, const struct json *settings)
{
    if (scaler == NULL)
        return;
    scaler->enabled = json_get_bool(settings, "enabled", scaler->options->enabled);
    scaler->rules.min = (unsigned)json_get_int(settings, "min", scaler->options->min);
    scaler->rules.max = (unsigned)json_get_int(settings, "max", scaler->options->max);
    loop_timer_set(scaler->timer, 0);
}

void scaler_describe(const struct scaler *scaler, struct buf *out)
{
    if (scaler == NULL)
        return;
    bool leads = scaler->leads_since_ms > 0 && scaler->state.known;
    struct json *told = json_object_new();
    json_set_str(told, "driver", scaler->driver->ops->name);
    json_set_bool(told, "enabled", scaler->enabled);
    json_set_int(told, "min", scaler->rules.min);
    json_set_int(told, "max", scaler->rules.max);
    json_set_bool(told, "leads", leads);
    if (leads) {
        json_set_int(told, "target", scaler->state.target);
        json_set_int(told, "workers", scaler->present);
        json_set_int(told, "starting", (int64_t)scaler->called_count);
        struct json *called = json_array_new();
        for (size_t i = 0; i < scaler->called_count; i++)
            json_push(called, json_string_new(scaler->called[i].id));
        json_set(told, "called", called);
        json_set_str(told, "reason", scaling_reason_name(scaler->reason));
        json_set_int(told, "decidedMs", scaler->decided_at_ms);
        if (scaler->failure.code != ERR_OK)
            json_set_str(told, "error", scaler->failure.message);
    }
    buf_add_str(out, ",\"scaling\":");
    json_print(told, out);
    json_unref(told);
}

enum err scaler_new(struct orchestrator *o, struct scaler **ret, struct error *reterr)
{
    const struct scaling_options *options = o->options.scaling;
    if (options == NULL)
        return ERR_OK;
    struct scaler *scaler = mem_alloc(sizeof *scaler);
    *scaler = (struct scaler){.orchestrator = o,
                              .options = options,
                              .rules = {.high_mark = (uint64_t)options->high_mark,
                                        .low_mark = (uint64_t)options->low_mark,
                                        .cooldown_ms = options->cooldown_ms}};
    enum err code = scaling_driver_open(options, o->options.loop, &scaler->driver, reterr);
    if (code != ERR_OK) {
        free(scaler);
        return code;
    }
    rng_init_from_system(&scaler->rng);
    scaler->listens_since_ms = now_of(scaler);
    scaler->timer = loop_timer_new(o->options.loop, on_look, scaler);
    *ret = scaler;
    scaler_configure(scaler, NULL);
    return ERR_OK;
}

void scaler_free(struct scaler *scaler)
{
    if (scaler == NULL)
        return;
    loop_timer_free(scaler->timer);
    scaling_driver_close(scaler->driver);
    free(scaler->called);
    free(scaler);
}
