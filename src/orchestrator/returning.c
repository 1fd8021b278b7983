/* Work that came back from a worker's queue: each item goes to its shard's events, behind what the worker has told. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

#define CONFIRM_WITHIN_US INT64_C(10000000)

static void returning_free_one(struct returning *returning)
{
    *returning->place = returning->next;
    if (returning->next != NULL)
        returning->next->place = returning->place;
    free(returning);
}

static void on_confirm(void *user, enum err code)
{
    struct returning *returning = user;
    returning->failed |= code != ERR_OK;
    if (--returning->open > 0)
        return;
    if (!returning->given_up && returning->failed)
        broker_nack(returning->orchestrator->return_consumer, returning->tag, true);
    else if (!returning->given_up)
        broker_ack(returning->orchestrator->return_consumer, returning->tag);
    returning_free_one(returning);
}

static void send(struct returning *returning, const struct shard *shard, const struct broker_delivery *delivery,
                 const struct json *work)
{
    struct json *message = json_object_new(), *mine = json_array_new();
    for (size_t i = 0; i < json_count(work); i++)
        if (shards_of(returning->orchestrator, json_get_str(json_at(work, i), "id")) == shard)
            json_push(mine, json_ref(json_at(work, i)));
    json_set_int(message, "v", 1);
    json_set_str(message, "from", delivery->dead_from);
    json_set_str(message, "reason", delivery->dead_reason);
    json_set(message, "work", mine);
    struct buf body;
    buf_init(&body, 0);
    json_print(message, &body);
    json_unref(message);
    broker_publish(returning->orchestrator->connection, shard->events_queue, 0, body.data, body.len, on_confirm,
                   returning);
    buf_done(&body);
}

static void on_return(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct orchestrator *o = user;
    struct error error = {0};
    AUTO_JSON struct json *message = NULL;
    if (message_parse(delivery->body, delivery->size, &message, &error) != ERR_OK) {
        broker_nack(consumer, delivery->tag, false);
        return;
    }
    if (delivery->dead_from != NULL && delivery->dead_reason != NULL)
        dispatch_worker_returned(o, delivery->dead_from, delivery->dead_reason);
    const struct json *work = json_get(message, "work");
    AUTO_FREE bool *wanted = mem_array(o->shard_count, sizeof *wanted);
    struct returning *returning = mem_alloc(sizeof *returning);
    *returning = (struct returning){.orchestrator = o,
                                    .tag = delivery->tag,
                                    .open = 1,
                                    .next = o->returning,
                                    .place = &o->returning,
                                    .give_up_us = loop_monotonic_us(o->options.loop) + CONFIRM_WITHIN_US};
    if (returning->next != NULL)
        returning->next->place = &returning->next;
    o->returning = returning;
    for (size_t i = 0; i < json_count(work); i++)
        wanted[shards_of(o, json_get_str(json_at(work, i), "id"))->number] = true;
    for (unsigned i = 0; i < o->shard_count; i++)
        returning->open += wanted[i];
    for (unsigned i = 0; i < o->shard_count; i++)
        if (wanted[i])
            send(returning, &o->shards[i], delivery, work);
    on_confirm(returning, ERR_OK); /* the one it began with */
}

/* Nobody knows whether such work arrived: it goes back into the queue, and is sent again. */
void returning_look(struct orchestrator *o)
{
    int64_t now = loop_monotonic_us(o->options.loop);
    for (struct returning *returning = o->returning; returning != NULL; returning = returning->next) {
        if (returning->given_up || now < returning->give_up_us)
            continue;
        returning->given_up = true;
        broker_nack(o->return_consumer, returning->tag, true);
    }
}

void returning_start(struct orchestrator *o)
{
    o->return_consumer = broker_consume(o->connection, QUEUE_REASSIGN, LIMIT_BATCH, on_return, o);
}

void returning_free(struct orchestrator *o)
{
    while (o->returning != NULL)
        returning_free_one(o->returning);
}
