/* From pending items to workers: who has room, who is next, what came of the hand-over. */
#include "orchestrator/orchestrator_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_WITHIN_US INT64_C(10000000)
#define HANDOVER_LOOK_MS 1000
#define HEALTH_MS 1000
#define IDLE_MS 30000
#define REFUSED_MS 20 /* a worker that gave work back is left alone for so long, each time in a row twice as long, */
#define REFUSED_MAX_MS 640 /* up to so long: each offer costs a hand-over and an epoch */

static void item_free(struct item *item)
{
    json_unref(item->json);
    free(item);
}

static void queue_push(struct orchestrator *o, struct item *item)
{
    int64_t priority = json_get_int(item->json, "priority", 1);
    struct item_queue *queue = &o->pending[priority < 0 ? 0 : priority > 2 ? 2 : priority];
    if (queue->last == NULL || queue->first == NULL)
        queue->last = &queue->first;
    item->next = NULL;
    *queue->last = item;
    queue->last = &item->next;
    queue->count++;
    atomic_store(&o->stat_pending, ++o->pending_count);
}

static struct item *queue_pop(struct orchestrator *o)
{
    for (int priority = 2; priority >= 0; priority--) {
        struct item_queue *queue = &o->pending[priority];
        struct item *item = queue->first;
        if (item == NULL)
            continue;
        queue->first = item->next;
        queue->count--;
        atomic_store(&o->stat_pending, --o->pending_count);
        return item;
    }
    return NULL;
}

void dispatch_settle(struct orchestrator *o, struct submission *submission)
{
    (void)o;
    if (submission == NULL || --submission->open > 0)
        return;
    if (submission->returned)
        broker_nack(submission->consumer, submission->tag, true);
    else
        broker_ack(submission->consumer, submission->tag);
    free(submission);
}

void dispatch_submit(struct orchestrator *o, struct json *take_item, struct submission *submission)
{
    const char *id = json_get_str(take_item, "id");
    int epoch = (int)json_get_int(take_item, "epoch", 1);
    if (id == NULL || recall_get(&o->submitted, id) >= epoch || !shards_own(o, id)) {
        json_unref(take_item);
        dispatch_settle(o, submission);
        return;
    }
    recall_put(&o->submitted, id, epoch);
    struct item *item = mem_alloc(sizeof *item);
    *item = (struct item){.json = take_item, .submission = submission};
    (void)map_put(&o->held, id, item);
    queue_push(o, item);
}

/* It is a worker's now, or of no use any more. */
static void let_go(struct orchestrator *o, struct item *item)
{
    const char *id = json_get_str(item->json, "id");
    if (map_get(&o->held, id) == item)
        (void)map_put(&o->held, id, NULL);
    dispatch_settle(o, item->submission);
    item_free(item);
}

/* The shard is another's now: a submission goes back into its queue, the rest is found in the store. */
static void abandon(struct orchestrator *o, struct item *item)
{
    if (item->submission != NULL)
        item->submission->returned = true;
    let_go(o, item);
}

bool dispatch_is_held(struct orchestrator *o, const char *id)
{
    return map_get(&o->held, id) != NULL;
}

static struct worker_entry *find_worker(struct orchestrator *o, const char *id)
{
    for (size_t i = 0; i < o->worker_count; i++)
        if (strcmp(o->workers[i]->id, id) == 0)
            return o->workers[i];
    return NULL;
}

void dispatch_forget(struct orchestrator *o, const char *id, int epoch)
{
    struct flight *flight = map_get(&o->flights, id);
    if (flight == NULL || flight->epoch > epoch)
        return;
    struct worker_entry *worker = find_worker(o, flight->worker_id);
    if (worker != NULL && worker->assigned > 0)
        worker->assigned--;
    (void)map_put(&o->flights, id, NULL);
    atomic_store(&o->stat_in_flight, o->flights.count);
    free(flight->worker_id);
    free(flight);
}

static void remember(struct orchestrator *o, struct worker_entry *worker, const struct json *item)
{
    const char *id = json_get_str(item, "id");
    int epoch = (int)json_get_int(item, "epoch", 1);
    dispatch_forget(o, id, epoch);
    struct flight *flight = mem_alloc(sizeof *flight);
    *flight = (struct flight){.worker_id = mem_dup(worker->id), .epoch = epoch};
    struct flight *former = map_put(&o->flights, id, flight);
    if (former != NULL) {
        free(former->worker_id);
        free(former);
    }
    worker->assigned++;
    atomic_store(&o->stat_in_flight, o->flights.count);
}

/* What an orchestrator tells the others comes back to itself as workers' reports do: while it does not (the broker is
 * gone or takes nothing, the loop is late), nobody else can be heard either. */
int64_t dispatch_silent_ms(const struct orchestrator *o, int64_t since_ms)
{
    int64_t heard_us = o->options.id == NULL ? loop_monotonic_us(o->options.loop) : o->heard_us;
    return heard_us / 1000 - since_ms;
}

static bool is_alive(const struct orchestrator *o, const struct worker_entry *worker)
{
    return !worker->stalled && dispatch_silent_ms(o, worker->seen_ms) < o->options.worker_timeout_ms;
}

static void handover_unlink(struct handover *handover)
{
    *handover->place = handover->next;
    if (handover->next != NULL)
        handover->next->place = handover->place;
}

/* A confirmed hand-over is the worker's. One that failed may have arrived all the same: under a new epoch it goes out
 * again, so that nobody takes two runs for one. */
static void on_handed_over(void *user, enum err code)
{
    struct handover *handover = user;
    struct orchestrator *o = handover->orchestrator;
    bool given_up = handover->given_up_us == 0;
    handover_unlink(handover);
    while (handover->items != NULL) {
        struct item *item = handover->items;
        handover->items = item->next;
        const char *id = json_get_str(item->json, "id");
        int epoch = (int)json_get_int(item->json, "epoch", 1);
        if (code != ERR_OK)
            dispatch_forget(o, id, epoch);
        if (code != ERR_OK && shards_own(o, id))
            apply_reassign(o, id, epoch);
        let_go(o, item);
    }
    free(handover);
    if (given_up)
        return;
    if (code == ERR_OK) {
        waking_more(o);
        return;
    }
    apply_pump(o);
}

static void hand_over(struct orchestrator *o, struct worker_entry *worker, struct item *items)
{
    struct buf body;
    buf_init(&body, 0);
    message_begin(&body, "work");
    for (struct item *item = items; item != NULL; item = item->next) {
        if (item != items)
            buf_add_char(&body, ',');
        json_print(item->json, &body);
        remember(o, worker, item->json);
        atomic_fetch_add(&o->dispatched, 1);
    }
    message_end(&body);
    struct handover *handover = mem_alloc(sizeof *handover);
    *handover = (struct handover){.orchestrator = o,
                                  .items = items,
                                  .next = o->handovers,
                                  .place = &o->handovers,
                                  .given_up_us = loop_monotonic_us(o->options.loop) + CONFIRM_WITHIN_US};
    if (handover->next != NULL)
        handover->next->place = &handover->next;
    o->handovers = handover;
    worker->idle_since_ms = 0;
    broker_publish(o->connection, worker->queue, 0, body.data, body.len, on_handed_over, handover);
    buf_done(&body);
    orchestrator_progress(o);
}

/* Nobody knows whether such work arrived. The sweeper sends it again under a new epoch unless its end is heard of
 * before. */
void dispatch_look(void *user)
{
    struct orchestrator *o = user;
    int64_t now = loop_monotonic_us(o->options.loop);
    loop_timer_set(o->handover_timer, HANDOVER_LOOK_MS);
    returning_look(o);
    for (struct handover *handover = o->handovers; handover != NULL; handover = handover->next) {
        if (handover->given_up_us == 0 || now < handover->given_up_us)
            continue;
        handover->given_up_us = 0;
        while (handover->items != NULL) {
            struct item *item = handover->items;
            handover->items = item->next;
            dispatch_forget(o, json_get_str(item->json, "id"), (int)json_get_int(item->json, "epoch", 1));
            let_go(o, item);
        }
    }
}

bool dispatch_is_in_flight(struct orchestrator *o, const char *id, int epoch)
{
    const struct flight *flight = map_get(&o->flights, id);
    if (flight == NULL)
        return false;
    const struct worker_entry *worker = find_worker(o, flight->worker_id);
    if (worker != NULL && flight->epoch >= epoch && is_alive(o, worker))
        return true;
    dispatch_forget(o, id, flight->epoch);
    return false;
}

void dispatch_adopt(struct orchestrator *o, const char *worker_id, const struct json *event)
{
    const char *id = json_get_str(event, "id"), *kind = json_get_str(event, "kind");
    if (worker_id == NULL || kind == NULL || strcmp(kind, "held") != 0)
        return;
    int epoch = (int)json_get_int(event, "epoch", 1);
    const struct flight *flight = map_get(&o->flights, id);
    struct worker_entry *worker = find_worker(o, worker_id);
    if (worker == NULL || (flight != NULL && flight->epoch >= epoch) || recall_get(&o->submitted, id) > epoch ||
        recall_get(&o->orders, id) == ORDER_CANCEL)
        return;
    remember(o, worker, event);
}

/* ---- what a shard that is another's now had here */

struct leaving {
    struct orchestrator *orchestrator;
    const struct shard *shard;
    char **ids;
    size_t count, cap;
};

static void collect_leaving(void *user, const char *key, void *value)
{
    (void)value;
    struct leaving *leaving = user;
    if (shards_of(leaving->orchestrator, key) != leaving->shard)
        return;
    if (leaving->count == leaving->cap) {
        leaving->cap = leaving->cap == 0 ? 64 : leaving->cap * 2;
        leaving->ids = mem_resize(leaving->ids, leaving->cap * sizeof *leaving->ids);
    }
    leaving->ids[leaving->count++] = mem_dup(key);
}

void dispatch_drop_shard(struct orchestrator *o, const struct shard *shard)
{
    for (int priority = 0; priority <= 2; priority++) {
        struct item_queue *queue = &o->pending[priority];
        struct item *item = queue->first;
        *queue = (struct item_queue){0};
        while (item != NULL) {
            struct item *next = item->next;
            atomic_store(&o->stat_pending, --o->pending_count);
            if (shards_of(o, json_get_str(item->json, "id")) == shard)
                abandon(o, item);
            else
                queue_push(o, item);
            item = next;
        }
    }
    struct leaving leaving = {.orchestrator = o, .shard = shard};
    map_each(&o->flights, collect_leaving, &leaving);
    for (size_t i = 0; i < leaving.count; i++) {
        dispatch_forget(o, leaving.ids[i], INT_MAX);
        free(leaving.ids[i]);
    }
    free(leaving.ids);
}

static int choose(struct orchestrator *o)
{
    struct dispatch_worker view[DISPATCH_WORKERS_MAX];
    size_t count = o->worker_count;
    int64_t now = loop_monotonic_us(o->options.loop) / 1000;
    for (size_t i = 0; i < count; i++) {
        const struct worker_entry *worker = o->workers[i];
        view[i] = (struct dispatch_worker){.id = worker->id,
                                           .capacity = shards_share(o, o->workers[i]),
                                           .active = worker->assigned,
                                           .weight = worker->capacity,
                                           .healthy = !worker->gone && !worker->full && now >= worker->refused_ms &&
                                                      is_alive(o, worker)};
    }
    return dispatch_choose(&o->strategy, view, count);
}

/* Submissions come while there is not too much that waits for a worker. */
static void set_intake(struct orchestrator *o, bool open)
{
    unsigned prefetch = open ? 4 * LIMIT_BATCH / o->shard_count + 1 : 0;
    for (unsigned i = 0; i < o->shard_count; i++) {
        struct shard *shard = &o->shards[i];
        if (shard->submit_consumer == NULL || shard->submit_prefetch == prefetch)
            continue;
        shard->submit_prefetch = prefetch;
        broker_consumer_set_prefetch(shard->submit_consumer, prefetch);
    }
}

/* Hands out what is pending while somebody has room; items of one worker go in one message. */
void dispatch_pump(struct orchestrator *o)
{
    while (o->pending_count > 0) {
        struct item *heads[DISPATCH_WORKERS_MAX], **tails[DISPATCH_WORKERS_MAX];
        memset(heads, 0, o->worker_count * sizeof *heads);
        size_t taken = 0;
        int chosen;
        while (taken < LIMIT_BATCH && o->pending_count > 0 && (chosen = choose(o)) >= 0) {
            struct item *item = queue_pop(o);
            item->next = NULL;
            int order = recall_get(&o->orders, json_get_str(item->json, "id"));
            if (order == ORDER_CANCEL) {
                let_go(o, item);
                continue;
            }
            if (order == ORDER_PAUSE || order == ORDER_RESUME)
                json_set_bool(item->json, "paused", order == ORDER_PAUSE);
            if (heads[chosen] == NULL)
                tails[chosen] = &heads[chosen];
            *tails[chosen] = item;
            tails[chosen] = &item->next;
            o->workers[chosen]->assigned++; /* counted properly by remember() below */
            taken++;
        }
        for (size_t i = 0; i < o->worker_count; i++) {
            for (struct item *item = heads[i]; item != NULL; item = item->next)
                o->workers[i]->assigned--;
            if (heads[i] != NULL)
                hand_over(o, o->workers[i], heads[i]);
        }
        if (taken == 0)
            break;
    }
    set_intake(o, o->pending_count <= 2 * LIMIT_BATCH && !o->stopped);
}

void dispatch_worker_report(struct orchestrator *o, const struct json *report)
{
    const char *id = json_get_str(report, "id");
    int64_t capacity = json_get_int(report, "capacity", 0);
    if (id == NULL || capacity < 1)
        return;
    struct worker_entry *worker = find_worker(o, id);
    int64_t now = loop_monotonic_us(o->options.loop) / 1000;
    if (worker == NULL) {
        if (o->worker_count >= DISPATCH_WORKERS_MAX)
            return;
        worker = mem_alloc(sizeof *worker);
        worker->moved_ms = now;
        worker->id = mem_dup(id);
        worker->queue = mem_printf(QUEUE_WORKER_PREFIX "%s", id);
        o->workers = mem_resize(o->workers, (o->worker_count + 1) * sizeof(struct worker_entry *));
        o->workers[o->worker_count++] = worker;
        atomic_store(&o->stat_workers, o->worker_count);
    }
    worker->capacity = json_get_bool(report, "draining", false) ? 0 : (unsigned)capacity;
    worker->active = (unsigned)json_get_int(report, "active", 0);
    worker->full = json_get_bool(report, "full", false);
    if (worker->active < worker->capacity)
        worker->refusals = 0;
    worker->interval_ms = json_get_int(report, "intervalMs", 0);
    if (json_get_int(report, "active", 0) > 0 || worker->assigned == 0)
        worker->idle_since_ms = 0;
    else if (worker->idle_since_ms == 0)
        worker->idle_since_ms = now;
    int64_t progress = json_get_int(report, "progress", worker->progress);
    if (progress != worker->progress || json_get_int(report, "active", 0) == 0) {
        worker->moved_ms = now;
        worker->stalled = false;
    }
    worker->progress = progress;
    worker->seen_ms = now;
    worker->gone = false;
    dispatch_pump(o);
}

void dispatch_worker_returned(struct orchestrator *o, const char *queue, const char *reason)
{
    int64_t now = loop_monotonic_us(o->options.loop) / 1000;
    for (size_t i = 0; i < o->worker_count; i++) {
        struct worker_entry *worker = o->workers[i];
        if (strcmp(worker->queue, queue) != 0)
            continue;
        if (strcmp(reason, "rejected") != 0) {
            worker->gone = true;
        } else if (now >= worker->refused_ms) { /* else it was on its way when the worker refused, and counts once */
            int64_t pause_ms = REFUSED_MS << worker->refusals;
            worker->refused_ms = now + pause_ms;
            worker->refusals += pause_ms < REFUSED_MAX_MS;
        }
        loop_timer_set(o->retry_timer, REFUSED_MS);
    }
}

void dispatch_retry(void *user)
{
    struct orchestrator *o = user;
    int64_t now = loop_monotonic_us(o->options.loop) / 1000;
    bool again = false;
    dispatch_pump(o);
    for (size_t i = 0; i < o->worker_count; i++)
        again |= o->workers[i]->refused_ms > now;
    if (again && o->pending_count > 0)
        loop_timer_set(o->retry_timer, REFUSED_MS);
}

/* ---- health: a worker is well while it reports, and while what it has moves */

struct gone_flights {
    const struct worker_entry *worker;
    char **ids;
    size_t count;
};

static void collect_of_worker(void *user, const char *key, void *value)
{
    struct gone_flights *gone = user;
    const struct flight *flight = value;
    if (strcmp(flight->worker_id, gone->worker->id) == 0)
        gone->ids[gone->count++] = mem_dup(key);
}

/* Nothing is counted as the worker's own any more; `reassigns`: it goes to others. */
static size_t end_flights(struct orchestrator *o, const struct worker_entry *worker, bool reassigns)
{
    struct gone_flights gone = {.worker = worker, .ids = mem_array(o->flights.count, sizeof(char *))};
    size_t count = 0;
    map_each(&o->flights, collect_of_worker, &gone);
    for (size_t i = 0; i < gone.count; i++) {
        const struct flight *flight = map_get(&o->flights, gone.ids[i]);
        bool leaves = !reassigns || !dispatch_is_held(o, gone.ids[i]); /* else its hand-over is under way */
        if (leaves && reassigns)
            apply_reassign(o, gone.ids[i], flight->epoch);
        if (leaves)
            dispatch_forget(o, gone.ids[i], flight->epoch);
        count += leaves;
        free(gone.ids[i]);
    }
    free(gone.ids);
    return count;
}

static void give_to_others(struct orchestrator *o, const struct worker_entry *worker, const char *why)
{
    size_t count = end_flights(o, worker, true);
    if (count > 0)
        log_event(LOG_WARN, "a worker's executions go to others", LOG_STR("worker", worker->id), LOG_STR("why", why),
                  LOG_INT("executions", (int64_t)count), LOG_END);
}

static void worker_remove(struct orchestrator *o, size_t index)
{
    struct worker_entry *worker = o->workers[index];
    memmove(&o->workers[index], &o->workers[index + 1], (o->worker_count - index - 1) * sizeof(struct worker_entry *));
    atomic_store(&o->stat_workers, --o->worker_count);
    free(worker->id);
    free(worker->queue);
    free(worker);
}

void dispatch_check_health(void *user)
{
    struct orchestrator *o = user;
    int64_t now = loop_monotonic_us(o->options.loop) / 1000, timeout = o->options.worker_timeout_ms;
    loop_timer_set(o->health_timer, o->options.health_interval_ms > 0 ? o->options.health_interval_ms : HEALTH_MS);
    for (size_t i = 0; i < o->worker_count && !o->stopped;) {
        struct worker_entry *worker = o->workers[i];
        bool silent = dispatch_silent_ms(o, worker->seen_ms) >= timeout;
        if (worker->idle_since_ms > 0 && now - worker->idle_since_ms >= (timeout > IDLE_MS ? timeout : IDLE_MS))
            (void)end_flights(o, worker, false); /* they ended unheard of */
        if (worker->assigned == 0)
            worker->moved_ms = now;
        if (!silent && !worker->stalled && dispatch_silent_ms(o, worker->moved_ms) >= timeout) {
            worker->stalled = true;
            give_to_others(o, worker, "it moves nothing");
        } else if (silent && worker->assigned > 0) {
            give_to_others(o, worker, "it is silent");
        }
        if (silent && worker->assigned == 0)
            worker_remove(o, i);
        else
            i++;
    }
    apply_pump(o);
}

static void free_items(struct item *item)
{
    while (item != NULL) {
        struct item *next = item->next;
        if (item->submission != NULL && --item->submission->open == 0)
            free(item->submission);
        item_free(item);
        item = next;
    }
}

static void free_flight(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    struct flight *flight = value;
    free(flight->worker_id);
    free(flight);
}

void dispatch_free(struct orchestrator *o)
{
    for (int i = 0; i < 3; i++)
        free_items(o->pending[i].first);
    while (o->handovers != NULL) {
        struct handover *handover = o->handovers;
        handover_unlink(handover);
        free_items(handover->items);
        free(handover);
    }
    map_each(&o->flights, free_flight, NULL);
    map_done(&o->flights);
    map_done(&o->held);
    recall_done(&o->orders);
    recall_done(&o->suspects);
    recall_done(&o->signalled);
    loop_timer_free(o->handover_timer);
    for (size_t i = 0; i < o->worker_count; i++) {
        free(o->workers[i]->id);
        free(o->workers[i]->queue);
        free(o->workers[i]);
    }
    free(o->workers);
}
