/* Collects the events of a shard and publishes them, one message at a time so that none overtakes another: what comes
 * while one is under way goes together. After the confirm it rests for longer than that took, for what a message costs
 * the broker and the store hardly depends on how many events are in it; not when somebody waits for one of them.
 * Acknowledges work when its last events are confirmed. What is not confirmed in time is published again: events may
 * come twice. */
#include "worker/worker_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include <stdlib.h>

#define PUBLISH_AGAIN_MS 200
#define CONFIRM_WITHIN_MS 10000
#define MESSAGE_MAX ((size_t)4 << 20)
#define REST_TIMES 2 /* as long as the confirm took */
#define REST_MOST_US 40000

/* One publication of the first batch; those that were given up may still be confirmed. */
struct publication {
    struct publication *next, **place;
    struct outbox *outbox;
    uint64_t serial; /* of its batch */
    int64_t sent_us; /* monotonic */
};

static void settle(struct delivery_group *group)
{
    if (--group->open > 0)
        return;
    if (!group->returned)
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
static void flush_soon(struct outbox *outbox);

static void publish(struct outbox *outbox)
{
    const struct outbox_batch *batch = outbox->batches;
    struct publication *publication = mem_alloc(sizeof *publication);
    *publication = (struct publication){.next = outbox->publications,
                                        .place = &outbox->publications,
                                        .outbox = outbox,
                                        .serial = batch->serial,
                                        .sent_us = loop_monotonic_us(outbox->worker->options.loop)};
    if (publication->next != NULL)
        publication->next->place = &publication->next;
    outbox->publications = publication;
    loop_timer_set(outbox->confirm_timer, CONFIRM_WITHIN_MS);
    broker_publish(outbox->worker->connection, outbox->queue, 0, batch->body.data, batch->body.len, on_confirm,
                   publication);
}

/* No confirm came. */
static void on_again(void *user)
{
    struct outbox *outbox = user;
    if (outbox->batches != NULL)
        publish(outbox);
}

static void on_confirm(void *user, enum err code)
{
    struct publication *publication = user;
    struct outbox *outbox = publication->outbox;
    struct outbox_batch *batch = outbox->batches;
    bool is_first = batch != NULL && batch->serial == publication->serial;
    int64_t now_us = loop_monotonic_us(outbox->worker->options.loop), took_us = now_us - publication->sent_us;
    publication_free(publication);
    if (!is_first)
        return; /* another publication of it was confirmed before */
    if (code != ERR_OK) {
        loop_timer_set(outbox->confirm_timer, PUBLISH_AGAIN_MS);
        return;
    }
    outbox->batches = batch->next;
    loop_timer_set(outbox->confirm_timer, -1);
    for (size_t i = 0; i < batch->count; i++)
        settle(batch->groups[i]);
    batch_free(batch);
    outbox->rest_until_us = now_us + (took_us < REST_MOST_US / REST_TIMES ? took_us * REST_TIMES : REST_MOST_US);
    if (outbox->batches != NULL)
        publish(outbox);
    else if (outbox->count > 0)
        flush_soon(outbox);
}

static void add_batch(struct outbox *outbox, struct outbox_batch *batch)
{
    struct outbox_batch **last = &outbox->batches;
    while (*last != NULL)
        last = &(*last)->next;
    *last = batch;
    if (outbox->batches == batch)
        publish(outbox);
}

static void flush(struct outbox *outbox)
{
    struct delivery_group **groups = outbox->settling;
    size_t count = outbox->settling_count;
    outbox->settling = NULL;
    outbox->settling_count = outbox->settling_cap = 0;
    if (outbox->count == 0) { /* work that was dropped: there is nothing to tell of it */
        for (size_t i = 0; i < count; i++)
            settle(groups[i]);
        free(groups);
        return;
    }
    message_end(&outbox->body);
    struct outbox_batch *batch = mem_alloc(sizeof *batch);
    *batch =
        (struct outbox_batch){.serial = ++outbox->batch_serial, .groups = groups, .count = count, .body = outbox->body};
    outbox->count = 0;
    outbox->hurries = false;
    buf_init(&outbox->body, 0);
    add_batch(outbox, batch);
}

static void on_flush(void *user)
{
    struct outbox *outbox = user;
    if (outbox->count == 0 || outbox->batches == NULL)
        flush(outbox);
}

/* At the end of this turn of the loop, or of the rest; what is under way is waited for (on_confirm). */
static void flush_soon(struct outbox *outbox)
{
    int64_t left_us = outbox->rest_until_us - loop_monotonic_us(outbox->worker->options.loop);
    bool rests = outbox->count > 0 && !outbox->hurries && left_us > 0;
    loop_timer_set(outbox->flush_timer, rests ? (left_us + 999) / 1000 : 0);
}

void outbox_event(struct outbox *outbox, const char *event_json, size_t size, enum haste haste)
{
    if (outbox->count == 0)
        buf_printf(&outbox->body, "{\"v\":1,\"worker\":\"%s\",\"events\":[", outbox->worker->id);
    else
        buf_add_char(&outbox->body, ',');
    buf_add(&outbox->body, event_json, size);
    outbox->count++;
    outbox->hurries |= haste == HURRIES;
    if (outbox->count >= LIMIT_BATCH || outbox->body.len > MESSAGE_MAX)
        flush(outbox);
    else
        flush_soon(outbox);
}

void outbox_settle(struct outbox *outbox, struct delivery_group *group)
{
    if (group == NULL)
        return;
    if (outbox->settling_count == outbox->settling_cap) {
        outbox->settling_cap = outbox->settling_cap == 0 ? 64 : outbox->settling_cap * 2;
        outbox->settling = mem_resize(outbox->settling, outbox->settling_cap * sizeof(struct delivery_group *));
    }
    outbox->settling[outbox->settling_count++] = group;
    flush_soon(outbox);
}

struct outbox *outbox_of(struct worker *worker, const char *execution_id)
{
    return &worker->outboxes[id_shard(execution_id, worker->shards)];
}

bool outbox_is_idle(const struct outbox *outbox)
{
    return outbox->batches == NULL && outbox->count == 0;
}

void outbox_init(struct outbox *outbox, struct worker *worker, unsigned shard)
{
    struct loop *loop = worker->options.loop;
    *outbox = (struct outbox){.worker = worker, .queue = mem_printf(QUEUE_EVENTS_PREFIX "%u", shard)};
    buf_init(&outbox->body, 0);
    outbox->flush_timer = loop_timer_new(loop, on_flush, outbox);
    outbox->confirm_timer = loop_timer_new(loop, on_again, outbox);
}

void outbox_done(struct outbox *outbox)
{
    while (outbox->batches != NULL) {
        struct outbox_batch *batch = outbox->batches;
        outbox->batches = batch->next;
        batch_free(batch);
    }
    while (outbox->publications != NULL)
        publication_free(outbox->publications);
    loop_timer_free(outbox->confirm_timer);
    loop_timer_free(outbox->flush_timer);
    buf_done(&outbox->body);
    free(outbox->settling);
    free(outbox->queue);
}
