/* Collects events and publishes them once a loop turn, one message at a time so that none overtakes another;
 * acknowledges work when its last events are confirmed. What is not confirmed in time is published again: events may
 * come twice. */
#include "worker/worker_int.h"

#include "base/limits.h"
#include <stdlib.h>

#define PUBLISH_AGAIN_MS 200
#define CONFIRM_WITHIN_MS 10000
#define MESSAGE_MAX ((size_t)4 << 20)

/* One publication of the first batch; those that were given up may still be confirmed. */
struct publication {
    struct publication *next, **place;
    struct worker *worker;
    uint64_t serial; /* of its batch */
};

static void settle(struct delivery_group *group)
{
    if (--group->open > 0)
        return;
    broker_ack(group->worker->consumer, group->tag);
    free(group);
}

static void batch_free(struct outbox_batch *batch)
{
    buf_done(&batch->body);
    free(batch->groups);
    free(batch);
}

static void publication_free(struct publication *publication)
{
    *publication->place = publication->next;
    if (publication->next != NULL)
        publication->next->place = publication->place;
    free(publication);
}

static void on_confirm(void *user, enum err code);

static void publish(struct worker *worker)
{
    const struct outbox_batch *batch = worker->batches;
    struct publication *publication = mem_alloc(sizeof *publication);
    *publication = (struct publication){
        .next = worker->publications, .place = &worker->publications, .worker = worker, .serial = batch->serial};
    if (publication->next != NULL)
        publication->next->place = &publication->next;
    worker->publications = publication;
    loop_timer_set(worker->confirm_timer, CONFIRM_WITHIN_MS);
    broker_publish(worker->connection, worker->events_queue, 0, batch->body.data, batch->body.len, on_confirm,
                   publication);
}

void outbox_again(void *user)
{
    struct worker *worker = user;
    if (worker->batches != NULL)
        publish(worker);
}

static void on_confirm(void *user, enum err code)
{
    struct publication *publication = user;
    struct worker *worker = publication->worker;
    struct outbox_batch *batch = worker->batches;
    bool is_first = batch != NULL && batch->serial == publication->serial;
    publication_free(publication);
    if (!is_first)
        return; /* another publication of it was confirmed before */
    if (code != ERR_OK) {
        loop_timer_set(worker->confirm_timer, PUBLISH_AGAIN_MS);
        return;
    }
    worker->batches = batch->next;
    loop_timer_set(worker->confirm_timer, -1);
    for (size_t i = 0; i < batch->count; i++)
        settle(batch->groups[i]);
    batch_free(batch);
    if (worker->batches != NULL)
        publish(worker);
}

static void add_batch(struct worker *worker, struct outbox_batch *batch)
{
    struct outbox_batch **last = &worker->batches;
    while (*last != NULL)
        last = &(*last)->next;
    *last = batch;
    if (worker->batches == batch)
        publish(worker);
}

static void flush(struct worker *worker)
{
    struct delivery_group **groups = worker->settling;
    size_t count = worker->settling_count;
    worker->settling = NULL;
    worker->settling_count = worker->settling_cap = 0;
    if (worker->outbox_count == 0) { /* work that was dropped: there is nothing to tell of it */
        for (size_t i = 0; i < count; i++)
            settle(groups[i]);
        free(groups);
        return;
    }
    message_end(&worker->outbox);
    struct outbox_batch *batch = mem_alloc(sizeof *batch);
    *batch = (struct outbox_batch){
        .serial = ++worker->batch_serial, .groups = groups, .count = count, .body = worker->outbox};
    worker->outbox_count = 0;
    buf_init(&worker->outbox, 0);
    add_batch(worker, batch);
}

void outbox_flush(void *user)
{
    struct worker *worker = user;
    worker->flush_posted = false;
    flush(worker);
}

static void flush_soon(struct worker *worker)
{
    if (worker->flush_posted)
        return;
    worker->flush_posted = true;
    loop_timer_set(worker->flush_timer, 0);
}

void outbox_event(struct worker *worker, const char *event_json, size_t size)
{
    if (worker->outbox_count == 0)
        buf_printf(&worker->outbox, "{\"v\":1,\"worker\":\"%s\",\"events\":[", worker->id);
    else
        buf_add_char(&worker->outbox, ',');
    buf_add(&worker->outbox, event_json, size);
    worker->outbox_count++;
    if (worker->outbox_count >= LIMIT_BATCH || worker->outbox.len > MESSAGE_MAX)
        flush(worker);
    else
        flush_soon(worker);
}

void outbox_settle(struct worker *worker, struct delivery_group *group)
{
    if (group == NULL)
        return;
    if (worker->settling_count == worker->settling_cap) {
        worker->settling_cap = worker->settling_cap == 0 ? 64 : worker->settling_cap * 2;
        worker->settling = mem_resize(worker->settling, worker->settling_cap * sizeof(struct delivery_group *));
    }
    worker->settling[worker->settling_count++] = group;
    flush_soon(worker);
}

void outbox_free(struct worker *worker)
{
    while (worker->batches != NULL) {
        struct outbox_batch *batch = worker->batches;
        worker->batches = batch->next;
        batch_free(batch);
    }
    while (worker->publications != NULL)
        publication_free(worker->publications);
    loop_timer_free(worker->confirm_timer);
    buf_done(&worker->outbox);
    free(worker->settling);
}
