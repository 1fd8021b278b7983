/* Collects events and publishes them once a loop turn; acknowledges work when its last events are confirmed. */
#include "worker/worker_int.h"

#include "base/limits.h"
#include <stdlib.h>

#define PUBLISH_AGAIN_MS 200

static void settle(struct delivery_group *group)
{
    if (--group->open > 0)
        return;
    broker_ack(group->worker->consumer, group->tag);
    free(group);
}

static void batch_free(struct outbox_batch *batch)
{
    *batch->place = batch->next;
    if (batch->next != NULL)
        batch->next->place = batch->place;
    loop_timer_free(batch->again);
    buf_done(&batch->body);
    free(batch->groups);
    free(batch);
}

static void on_confirm(void *user, enum err code);

static void publish(void *user)
{
    struct outbox_batch *batch = user;
    broker_publish(batch->worker->connection, batch->worker->events_queue, 0, batch->body.data, batch->body.len, on_confirm, batch);
}

/* Nothing is acknowledged before its events are safe: without a confirm they are published again. */
static void on_confirm(void *user, enum err code)
{
    struct outbox_batch *batch = user;
    if (code != ERR_OK) {
        if (batch->again == NULL)
            batch->again = loop_timer_new(batch->worker->options.loop, publish, batch);
        loop_timer_set(batch->again, PUBLISH_AGAIN_MS);
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        settle(batch->groups[i]);
    batch_free(batch);
}

static void flush(struct worker *worker)
{
    if (worker->outbox_count == 0)
        return;
    message_end(&worker->outbox);
    struct outbox_batch *batch = mem_alloc(sizeof *batch);
    *batch = (struct outbox_batch){.worker = worker, .groups = worker->settling, .count = worker->settling_count,
                                   .body = worker->outbox, .next = worker->batches, .place = &worker->batches};
    if (batch->next != NULL)
        batch->next->place = &batch->next;
    worker->batches = batch;
    worker->settling = NULL;
    worker->settling_count = worker->settling_cap = 0;
    worker->outbox_count = 0;
    buf_init(&worker->outbox, 0);
    publish(batch);
}

void outbox_flush(void *user)
{
    struct worker *worker = user;
    worker->flush_posted = false;
    flush(worker);
}

void outbox_event(struct worker *worker, const char *event_json, size_t size)
{
    if (worker->outbox_count == 0) {
        buf_printf(&worker->outbox, "{\"v\":1,\"worker\":\"%s\",\"events\":[", worker->id);
    } else {
        buf_add_char(&worker->outbox, ',');
    }
    buf_add(&worker->outbox, event_json, size);
    worker->outbox_count++;
    if (worker->outbox_count >= LIMIT_BATCH || worker->outbox.len > (size_t)(4 << 20)) {
        flush(worker);
    } else if (!worker->flush_posted) {
        worker->flush_posted = true;
        loop_timer_set(worker->flush_timer, 0);
    }
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
}

void outbox_free(struct worker *worker)
{
    while (worker->batches != NULL)
        batch_free(worker->batches);
    buf_done(&worker->outbox);
    free(worker->settling);
}
