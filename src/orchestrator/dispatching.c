/* From pending items to workers: who has room, who is next, what came of the hand-over. */
#include "orchestrator/orchestrator_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define CONFIRM_WITHIN_US INT64_C(10000000)
#define HANDOVER_LOOK_MS 1000

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
    if (submission == NULL || --submission->open > 0)
        return;
    broker_ack(o->submit_consumer, submission->tag);
    free(submission);
}

void dispatch_submit(struct orchestrator *o, struct json *take_item, struct submission *submission)
{
    const char *id = json_get_str(take_item, "id");
    int epoch = (int)json_get_int(take_item, "epoch", 1);
    if (id == NULL || recall_get(&o->submitted, id) >= epoch) {
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

static void handover_unlink(struct handover *handover)
{
    *handover->place = handover->next;
    if (handover->next != NULL)
        handover->next->place = handover->place;
}

/* A confirmed hand-over is the worker's; one that failed becomes pending again. */
static void on_handed_over(void *user, enum err code)
{
    struct handover *handover = user;
    struct orchestrator *o = handover->orchestrator;
    bool given_up = handover->given_up_us == 0;
    handover_unlink(handover);
    while (handover->items != NULL) {
        struct item *item = handover->items;
        handover->items = item->next;
        if (code == ERR_OK) {
            let_go(o, item);
        } else {
            dispatch_forget(o, json_get_str(item->json, "id"), (int)json_get_int(item->json, "epoch", 1));
            queue_push(o, item);
        }
    }
    free(handover);
    if (given_up)
        return;
    if (code == ERR_OK) {
        waking_more(o);
        return;
    }
    loop_timer_set(o->retry_timer, 200);
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

bool dispatch_is_in_flight(struct orchestrator *o, const char *id)
{
    const struct flight *flight = map_get(&o->flights, id);
    if (flight == NULL)
        return false;
    const struct worker_entry *worker = find_worker(o, flight->worker_id);
    if (worker != NULL && loop_monotonic_us(o->options.loop) / 1000 - worker->seen_ms < o->options.worker_timeout_ms)
        return true;
    dispatch_forget(o, id, flight->epoch);
    return false;
}

static int choose(struct orchestrator *o)
{
    struct dispatch_worker view[64];
    size_t count = o->worker_count < 64 ? o->worker_count : 64;
    int64_t now = loop_monotonic_us(o->options.loop) / 1000;
    for (size_t i = 0; i < count; i++) {
        const struct worker_entry *worker = o->workers[i];
        view[i] =
            (struct dispatch_worker){.id = worker->id,
                                     .capacity = worker->capacity,
                                     .active = worker->assigned,
                                     .weight = worker->capacity,
                                     .healthy = !worker->gone && now - worker->seen_ms < o->options.worker_timeout_ms};
    }
    return dispatch_choose(&o->strategy, view, count);
}

/* Hands out what is pending while somebody has room; items of one worker go in one message. */
void dispatch_pump(struct orchestrator *o)
{
    while (o->pending_count > 0) {
        struct item *heads[64] = {0}, **tails[64];
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
            if (order >= 0)
                json_set_bool(item->json, "paused", order == ORDER_PAUSE);
            if (heads[chosen] == NULL)
                tails[chosen] = &heads[chosen];
            *tails[chosen] = item;
            tails[chosen] = &item->next;
            o->workers[chosen]->assigned++; /* counted properly by remember() below */
            taken++;
        }
        for (size_t i = 0; i < 64 && i < o->worker_count; i++) {
            for (struct item *item = heads[i]; item != NULL; item = item->next)
                o->workers[i]->assigned--;
            if (heads[i] != NULL)
                hand_over(o, o->workers[i], heads[i]);
        }
        if (taken == 0)
            break;
    }
    if (broker_queue_depth(o->options.broker, QUEUE_SUBMIT) == 0)
        o->emptied++;
    broker_consumer_set_prefetch(o->submit_consumer, o->pending_count > 2 * LIMIT_BATCH ? 0 : 4 * LIMIT_BATCH);
}

void dispatch_worker_report(struct orchestrator *o, const struct json *report)
{
    const char *id = json_get_str(report, "id");
    int64_t capacity = json_get_int(report, "capacity", 0);
    if (id == NULL || capacity < 1)
        return;
    struct worker_entry *worker = find_worker(o, id);
    if (worker == NULL) {
        if (o->worker_count >= 64)
            return;
        worker = mem_alloc(sizeof *worker);
        worker->id = mem_dup(id);
        worker->queue = mem_printf(QUEUE_WORKER_PREFIX "%s", id);
        o->workers = mem_resize(o->workers, (o->worker_count + 1) * sizeof(struct worker_entry *));
        o->workers[o->worker_count++] = worker;
        atomic_store(&o->stat_workers, o->worker_count);
    }
    worker->capacity = json_get_bool(report, "draining", false) ? 0 : (unsigned)capacity;
    worker->seen_ms = loop_monotonic_us(o->options.loop) / 1000;
    worker->gone = false;
    dispatch_pump(o);
}

void dispatch_worker_gone(struct orchestrator *o, const char *queue)
{
    for (size_t i = 0; i < o->worker_count; i++)
        if (strcmp(o->workers[i]->queue, queue) == 0)
            o->workers[i]->gone = true;
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
    loop_timer_free(o->handover_timer);
    for (size_t i = 0; i < o->worker_count; i++) {
        free(o->workers[i]->id);
        free(o->workers[i]->queue);
        free(o->workers[i]);
    }
    free(o->workers);
}
