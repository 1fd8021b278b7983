/* Deliveries, confirms and notices on their way to a connection's loop. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct bytes *bytes_new(const void *data, size_t size)
{
    struct bytes *bytes = mem_alloc(sizeof *bytes + size);
    atomic_init(&bytes->refs, 1);
    bytes->size = size;
    if (size > 0 && data != NULL)
        memcpy(bytes->data, data, size);
    return bytes;
}

struct bytes *bytes_ref(struct bytes *bytes)
{
    atomic_fetch_add(&bytes->refs, 1);
    return bytes;
}

void bytes_unref(struct bytes *bytes)
{
    if (bytes != NULL && atomic_fetch_sub(&bytes->refs, 1) == 1)
        free(bytes);
}

void call_free(struct call *call)
{
    bytes_unref(call->body);
    bytes_unref(call->queue);
    bytes_unref(call->dead_from);
    bytes_unref(call->dead_reason);
    free(call);
}

static void call_run(struct call *call)
{
    if (call->consumer != NULL)
        call->consumer->on_delivery(call->consumer->user, &call->consumer->base, &call->delivery);
    else if (call->on_confirm != NULL)
        call->on_confirm(call->user, call->code);
    else
        call->on_message(call->user, call->body->data, call->body->size);
    call_free(call);
}

static struct call *unlink_call(struct rabbit_connection *connection, struct call **place)
{
    struct call *call = *place;
    *place = call->next;
    if (call->next == NULL)
        connection->last = place;
    connection->call_count--;
    return call;
}

static void on_calls(void *user);

static void post(struct rabbit_connection *connection)
{
    if (!connection->posted)
        loop_post(connection->loop, on_calls, connection);
    connection->posted = true;
}

/* One at a time, because a callback may disconnect, which empties the list, and even close the broker. */
static void on_calls(void *user)
{
    struct rabbit_connection *connection = user;
    struct rabbit *rabbit = (struct rabbit *)connection->base.broker;
    bool gone = false;
    pthread_mutex_lock(&rabbit->lock);
    connection->posted = false;
    connection->gone = &gone;
    for (size_t left = connection->call_count; left > 0 && connection->first != NULL; left--) {
        struct call *call = unlink_call(connection, &connection->first);
        pthread_mutex_unlock(&rabbit->lock);
        call_run(call);
        if (gone)
            return;
        pthread_mutex_lock(&rabbit->lock);
    }
    connection->gone = NULL;
    if (connection->first != NULL)
        post(connection);
    pthread_mutex_unlock(&rabbit->lock);
}

struct call *inbox_add(struct rabbit_connection *connection)
{
    struct call *call = mem_alloc(sizeof *call);
    *connection->last = call;
    connection->last = &call->next;
    connection->call_count++;
    post(connection);
    return call;
}

struct call *inbox_take_of(struct rabbit_connection *connection, const struct rabbit_consumer *consumer)
{
    for (struct call **place = &connection->first; *place != NULL; place = &(*place)->next)
        if ((*place)->consumer == consumer)
            return unlink_call(connection, place);
    return NULL;
}

size_t inbox_count_of(const struct rabbit_connection *connection, const struct rabbit_consumer *consumer)
{
    size_t count = 0;
    for (const struct call *call = connection->first; call != NULL; call = call->next)
        count += call->consumer == consumer;
    return count;
}

void inbox_drop_void(struct rabbit_connection *connection, const struct rabbit_consumer *consumer)
{
    char text[20];
    for (struct call **place = &connection->first; *place != NULL;) {
        tag_format((*place)->delivery.tag, text);
        if ((*place)->consumer == consumer && map_get(&consumer->unacked, text) == NULL)
            call_free(unlink_call(connection, place));
        else
            place = &(*place)->next;
    }
}

void inbox_empty(struct rabbit_connection *connection)
{
    while (connection->first != NULL)
        call_free(unlink_call(connection, &connection->first));
    loop_unpost(connection->loop, on_calls, connection);
}
