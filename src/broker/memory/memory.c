/* The in-process broker: queues under one lock, deliveries and confirms handed to each connection's loop in bursts. */
#include "broker/broker_int.h"

#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES BROKER_PRIORITIES
#define DELAY_MS 20 /* of a publication that the fault hook delays */

/* Bytes that messages, calls and queues share: a message's body, a queue's name. */
struct body {
    atomic_uint refs;
    size_t size;
    unsigned char bytes[];
};

struct message {
    struct message *next;
    struct body *body;
    const char *dead_reason; /* static */
    struct body *dead_from;  /* a queue's name */
    uint64_t tag, order;     /* of the delivery; of arrival in the queue: its place */
    int priority;
    unsigned given_back; /* how often */
    bool redelivered;
};

struct list {
    struct message *first, *last;
};

struct queue {
    struct body *name;
    char *dead_letter_queue;
    bool ttl0, single_active, visiting, deleted;
    unsigned refs; /* the broker's and each consumer's */
    unsigned priorities, delivery_limit;
    size_t max_length, depth, unacked;
    struct list ready[PRIORITIES];
    struct consumer **consumers; /* in order of arrival */
    size_t consumer_count, next_consumer;
};

struct consumer {
    struct broker_consumer base;
    struct queue *queue;
    unsigned prefetch, held;
    broker_delivery_fn on_delivery;
    void *user;
    struct map unacked;    /* tag text -> message */
    struct consumer *next; /* of the connection */
};

/* What a connection's loop still has to call. It owns what it shows: the message may go while the call runs. */
struct call {
    struct call *next;
    struct consumer *consumer; /* delivery */
    struct broker_delivery delivery;
    struct body *queue_name, *dead_from;
    broker_confirm_fn on_confirm;
    enum err code;
    void (*on_message)(void *user, const void *body, size_t size);
    void *user;
    struct body *body;
};

/* A publication that the fault hook holds back. */
struct delayed {
    struct delayed *next;
    struct message *message;
    char *queue;
    int64_t due_us;
    broker_confirm_fn on_confirm;
    void *user;
};

struct subscription {
    struct subscription *next;
    char *topic;
    void (*on_message)(void *user, const void *body, size_t size);
    void *user;
};

struct connection {
    struct broker_connection base;
    struct loop *loop;
    struct consumer *consumers;
    struct subscription *subscriptions;
    struct call *first, **last;
    size_t call_count;
    bool posted;
    bool *gone; /* while its calls run: set when one of them disconnects */
    struct delayed *delayed, **last_delayed;
    struct loop_timer *delay;
    struct connection *next, **place;
};

struct memory {
    struct broker base;
    pthread_mutex_t lock;
    struct map queues;
    struct connection *connections;
    uint64_t tag, order;
    int (*fault)(void *user, const char *queue);
    void *fault_user;
};

static struct body *body_new(const void *bytes, size_t size)
{
    struct body *body = mem_alloc(sizeof *body + size);
    atomic_init(&body->refs, 1);
    body->size = size;
    if (size > 0)
        memcpy(body->bytes, bytes, size);
    return body;
}

static struct body *body_ref(struct body *body)
{
    atomic_fetch_add(&body->refs, 1);
    return body;
}

static void body_unref(struct body *body)
{
    if (body != NULL && atomic_fetch_sub(&body->refs, 1) == 1)
        free(body);
}

static void message_free(struct message *message)
{
    body_unref(message->body);
    body_unref(message->dead_from);
    free(message);
}

static struct memory *memory_of(struct broker *broker)
{
    return (struct memory *)broker;
}

static struct memory *memory_of_connection(struct broker_connection *connection)
{
    return memory_of(connection->broker);
}

/* ---- calls on loops */

static void tag_text(uint64_t tag, char out[20])
{
    for (int i = 15; i >= 0; i--, tag >>= 4)
        out[i] = "0123456789abcdef"[tag & 15];
    out[16] = '\0';
}

static void call_free(struct call *call)
{
    body_unref(call->body);
    body_unref(call->queue_name);
    body_unref(call->dead_from);
    free(call);
}

static void call_run(struct call *call)
{
    if (call->consumer != NULL)
        call->consumer->on_delivery(call->consumer->user, &call->consumer->base, &call->delivery);
    else if (call->on_confirm != NULL)
        call->on_confirm(call->user, call->code);
    else
        call->on_message(call->user, call->body->bytes, call->body->size);
    call_free(call);
}

static struct call *call_take(struct connection *connection)
{
    struct call *call = connection->first;
    connection->first = call->next;
    if (connection->first == NULL)
        connection->last = &connection->first;
    connection->call_count--;
    return call;
}

static void on_calls(void *user);

static void wake(struct connection *connection)
{
    if (!connection->posted)
        loop_post(connection->loop, on_calls, connection);
    connection->posted = true;
}

static void on_delay(void *user);

/* On the loop's thread, where timers must be made. */
static void arm_delay(struct connection *connection)
{
    if (connection->delayed == NULL)
        return;
    if (connection->delay == NULL)
        connection->delay = loop_timer_new(connection->loop, on_delay, connection);
    int64_t left_us = connection->delayed->due_us - loop_monotonic_us(connection->loop);
    loop_timer_set(connection->delay, left_us <= 0 ? 0 : (left_us + 999) / 1000);
}

/* One at a time from the connection's list, because a callback may disconnect, which empties it, and even close the
 * broker. What these calls cause waits for the next turn. */
static void on_calls(void *user)
{
    struct connection *connection = user;
    struct memory *memory = memory_of_connection(&connection->base);
    bool gone = false;
    pthread_mutex_lock(&memory->lock);
    connection->posted = false;
    connection->gone = &gone;
    arm_delay(connection);
    for (size_t left = connection->call_count; left > 0 && connection->first != NULL; left--) {
        struct call *call = call_take(connection);
        pthread_mutex_unlock(&memory->lock);
        call_run(call);
        if (gone)
            return;
        pthread_mutex_lock(&memory->lock);
    }
    connection->gone = NULL;
    if (connection->first != NULL)
        wake(connection);
    pthread_mutex_unlock(&memory->lock);
}

static struct call *call_add(struct connection *connection)
{
    struct call *call = mem_alloc(sizeof *call);
    *connection->last = call;
    connection->last = &call->next;
    connection->call_count++;
    wake(connection);
    return call;
}

static void confirm(struct connection *connection, broker_confirm_fn on_confirm, void *user, enum err code)
{
    if (on_confirm == NULL)
        return;
    struct call *call = call_add(connection);
    call->on_confirm = on_confirm;
    call->user = user;
    call->code = code;
}

/* ---- queues */

/* By order of arrival: what was given back finds its place near the front, the rest goes to the end. */
static void list_add(struct list *list, struct message *message)
{
    if (list->last == NULL || list->last->order < message->order) {
        message->next = NULL;
        *(list->last == NULL ? &list->first : &list->last->next) = message;
        list->last = message;
        return;
    }
    struct message **place = &list->first;
    while ((*place)->order < message->order)
        place = &(*place)->next;
    message->next = *place;
    *place = message;
}

static unsigned level_of(const struct queue *queue, const struct message *message)
{
    unsigned levels = queue->priorities > 1 ? queue->priorities : 1, priority = (unsigned)message->priority;
    return priority < levels ? priority : levels - 1;
}

static void queue_unref(struct queue *queue)
{
    if (--queue->refs > 0)
        return;
    body_unref(queue->name);
    free(queue->consumers);
    free(queue->dead_letter_queue);
    free(queue);
}

static struct message *queue_pop(struct queue *queue)
{
    for (int p = PRIORITIES - 1; p >= 0; p--) {
        struct list *list = &queue->ready[p];
        struct message *message = list->first;
        if (message == NULL)
            continue;
        list->first = message->next;
        if (list->first == NULL)
            list->last = NULL;
        queue->depth--;
        return message;
    }
    return NULL;
}

static struct consumer *free_consumer(struct queue *queue)
{
    size_t n = queue->consumer_count;
    if (queue->single_active)
        return n > 0 && queue->consumers[0]->held < queue->consumers[0]->prefetch ? queue->consumers[0] : NULL;
    for (size_t i = 0; i < n; i++) {
        struct consumer *consumer = queue->consumers[(queue->next_consumer + i) % n];
        if (consumer->held < consumer->prefetch) {
            queue->next_consumer = (queue->next_consumer + i + 1) % n;
            return consumer;
        }
    }
    return NULL;
}

static void hand_out(struct memory *memory, struct consumer *consumer, struct message *message)
{
    char text[20];
    message->tag = ++memory->tag;
    tag_text(message->tag, text);
    (void)map_put(&consumer->unacked, text, message);
    consumer->held++;
    consumer->queue->unacked++;
    struct call *call = call_add((struct connection *)consumer->base.connection);
    call->consumer = consumer;
    call->body = body_ref(message->body);
    call->queue_name = body_ref(consumer->queue->name);
    call->dead_from = message->dead_from == NULL ? NULL : body_ref(message->dead_from);
    call->delivery =
        (struct broker_delivery){.tag = message->tag,
                                 .queue = (const char *)call->queue_name->bytes,
                                 .dead_reason = message->dead_reason,
                                 .dead_from = call->dead_from == NULL ? NULL : (const char *)call->dead_from->bytes,
                                 .body = call->body->bytes,
                                 .size = call->body->size,
                                 .priority = message->priority,
                                 .redelivered = message->redelivered};
}

static void put(struct memory *memory, struct queue *queue, struct message *message);

/* A new message in the queue of dead letters, or nothing when that is not there or was already passed on this way. */
static void dead_letter(struct memory *memory, struct queue *queue, struct message *message, const char *reason)
{
    struct queue *target = queue->dead_letter_queue == NULL ? NULL : map_get(&memory->queues, queue->dead_letter_queue);
    if (target == NULL || target->visiting) {
        message_free(message);
        return;
    }
    body_unref(message->dead_from);
    message->dead_from = body_ref(queue->name);
    message->dead_reason = reason;
    message->given_back = 0;
    message->redelivered = false;
    bool visiting = queue->visiting;
    queue->visiting |= strcmp(reason, "rejected") != 0; /* what a consumer rejects may come round again */
    put(memory, target, message);
    queue->visiting = visiting;
}

/* Hands out what can be handed out; a ttl0 queue passes on the rest for that reason, a deleted one as closed. */
static void pump(struct memory *memory, struct queue *queue, const char *reason)
{
    struct consumer *consumer;
    while (queue->depth > 0 && (consumer = free_consumer(queue)) != NULL)
        hand_out(memory, consumer, queue_pop(queue));
    struct message *message;
    while ((queue->ttl0 || queue->deleted) && (message = queue_pop(queue)) != NULL)
        dead_letter(memory, queue, message, queue->deleted ? "closed" : reason);
}

static void put(struct memory *memory, struct queue *queue, struct message *message)
{
    message->order = ++memory->order;
    list_add(&queue->ready[level_of(queue, message)], message);
    queue->depth++;
    pump(memory, queue, "expired");
}

/* Takes a delivery from who holds it; NULL: nobody of that tag. */
static struct message *take_unacked(struct consumer *consumer, uint64_t tag)
{
    char text[20];
    tag_text(tag, text);
    struct message *message = map_put(&consumer->unacked, text, NULL);
    if (message != NULL) {
        consumer->held--;
        consumer->queue->unacked--;
    }
    return message;
}

/* Back to its place, unless it came back too often; the caller pumps. */
static void requeue(struct memory *memory, struct consumer *consumer, struct message *message, bool redelivered)
{
    struct queue *queue = consumer->queue;
    message->redelivered |= redelivered;
    message->given_back += redelivered;
    if (queue->delivery_limit > 0 && message->given_back > queue->delivery_limit) {
        dead_letter(memory, queue, message, "delivery_limit");
        return;
    }
    list_add(&queue->ready[level_of(queue, message)], message);
    queue->depth++;
}

/* ---- operations */

static enum err memory_open(const char *url, const char *prefix, struct broker **ret, struct error *reterr)
{
    (void)prefix; /* nobody else is here */
    if (strcmp(url, "memory:") != 0)
        return error_set(
            reterr, ERR_VALIDATION, "RABBITMQ_URL",
            "RABBITMQ_URL must be exactly memory: for the broker in the process, without anything after the colon.");
    struct memory *memory = mem_alloc(sizeof *memory);
    memory->base.ops = &broker_memory_ops;
    pthread_mutex_init(&memory->lock, NULL);
    map_init(&memory->queues);
    *ret = &memory->base;
    return ERR_OK;
}

static void queue_free(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    struct queue *queue = value;
    struct message *message;
    while ((message = queue_pop(queue)) != NULL)
        message_free(message);
    queue_unref(queue);
}

static void memory_close(struct broker *broker)
{
    struct memory *memory = memory_of(broker);
    map_each(&memory->queues, queue_free, NULL);
    map_done(&memory->queues);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static struct broker_connection *memory_connect(struct broker *broker, struct loop *loop)
{
    struct memory *memory = memory_of(broker);
    struct connection *connection = mem_alloc(sizeof *connection);
    connection->base.broker = broker;
    connection->loop = loop;
    connection->last = &connection->first;
    connection->last_delayed = &connection->delayed;
    pthread_mutex_lock(&memory->lock);
    connection->next = memory->connections;
    connection->place = &memory->connections;
    if (connection->next != NULL)
        connection->next->place = &connection->next;
    memory->connections = connection;
    pthread_mutex_unlock(&memory->lock);
    return &connection->base;
}

static void leave_queue(struct consumer *consumer)
{
    struct queue *queue = consumer->queue;
    for (size_t i = 0; i < queue->consumer_count; i++)
        if (queue->consumers[i] == consumer) {
            memmove(&queue->consumers[i], &queue->consumers[i + 1],
                    (queue->consumer_count - i - 1) * sizeof(struct consumer *));
            queue->consumer_count--;
            queue->next_consumer -= i < queue->next_consumer; /* whose turn it is stays */
            break;
        }
}

struct returned {
    struct message **messages;
    size_t count;
};

static void collect(void *user, const char *key, void *value)
{
    (void)key;
    struct returned *returned = user;
    returned->messages[returned->count++] = value;
}

static int newest_first(const void *a, const void *b)
{
    const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;
    return x->order < y->order ? 1 : x->order > y->order ? -1 : 0;
}

static void requeue_all(struct memory *memory, struct consumer *consumer)
{
    struct returned returned = {.messages = mem_array(consumer->unacked.count, sizeof(struct message *))};
    map_each(&consumer->unacked, collect, &returned);
    qsort(returned.messages, returned.count, sizeof *returned.messages,
          newest_first); /* each then goes to the front at once */
    for (size_t i = 0; i < returned.count; i++)
        requeue(memory, consumer, take_unacked(consumer, returned.messages[i]->tag), true);
    free(returned.messages);
}

static void release_delayed(struct connection *connection, int64_t until_us, bool confirmed)
{
    struct memory *memory = memory_of_connection(&connection->base);
    struct delayed *delayed;
    while ((delayed = connection->delayed) != NULL && delayed->due_us <= until_us) {
        connection->delayed = delayed->next;
        if (delayed->next == NULL)
            connection->last_delayed = &connection->delayed;
        struct queue *queue = map_get(&memory->queues, delayed->queue);
        if (confirmed)
            confirm(connection, delayed->on_confirm, delayed->user, queue == NULL ? ERR_NOT_FOUND : ERR_OK);
        if (queue != NULL)
            put(memory, queue, delayed->message);
        else
            message_free(delayed->message);
        free(delayed->queue);
        free(delayed);
    }
}

static void on_delay(void *user)
{
    struct connection *connection = user;
    struct memory *memory = memory_of_connection(&connection->base);
    pthread_mutex_lock(&memory->lock);
    release_delayed(connection, loop_monotonic_us(connection->loop), true);
    arm_delay(connection);
    pthread_mutex_unlock(&memory->lock);
}

/* Everything goes back before anything is handed out again: a queue's order is that of all its consumers together. */
static void close_consumers(struct memory *memory, struct connection *connection)
{
    for (struct consumer *consumer = connection->consumers; consumer != NULL; consumer = consumer->next)
        leave_queue(consumer);
    for (struct consumer *consumer = connection->consumers; consumer != NULL; consumer = consumer->next)
        requeue_all(memory, consumer);
    while (connection->consumers != NULL) {
        struct consumer *consumer = connection->consumers;
        connection->consumers = consumer->next;
        pump(memory, consumer->queue, "closed");
        map_done(&consumer->unacked);
        queue_unref(consumer->queue);
        free(consumer);
    }
}

static void memory_disconnect(struct broker_connection *base)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    pthread_mutex_lock(&memory->lock);
    *connection->place = connection->next;
    if (connection->next != NULL)
        connection->next->place = connection->place;
    while (connection->first != NULL)
        call_free(call_take(connection));
    close_consumers(memory, connection);
    release_delayed(connection, INT64_MAX, false); /* sent is sent */
    while (connection->subscriptions != NULL) {
        struct subscription *subscription = connection->subscriptions;
        connection->subscriptions = subscription->next;
        free(subscription->topic);
        free(subscription);
    }
    pthread_mutex_unlock(&memory->lock);
    loop_unpost(connection->loop, on_calls, connection);
    loop_timer_free(connection->delay);
    if (connection->gone != NULL)
        *connection->gone = true;
    free(connection);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum err memory_declare(struct broker_connection *connection, const char *name,
                               const struct broker_queue_options *options, struct error *reterr)
{
    struct memory *memory = memory_of_connection(connection);
    enum err code = ERR_OK;
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    if (queue == NULL) {
        queue = mem_alloc(sizeof *queue);
        *queue = (struct queue){.name = body_new(name, strlen(name) + 1),
                                .ttl0 = options->ttl0,
                                .single_active = options->single_active,
                                .dead_letter_queue = mem_dup(options->dead_letter_queue),
                                .max_length = options->max_length,
                                .priorities = options->priorities,
                                .delivery_limit = options->delivery_limit,
                                .refs = 1};
        (void)map_put(&memory->queues, name, queue);
    } else if (queue->ttl0 != options->ttl0 || queue->single_active != options->single_active ||
               queue->max_length != options->max_length || queue->priorities != options->priorities ||
               queue->delivery_limit != options->delivery_limit ||
               !same_text(queue->dead_letter_queue, options->dead_letter_queue)) {
        code = error_set(reterr, ERR_CONFLICT, name,
                         "The queue %s is there with other options; declare it with the same ones, or delete it first.",
                         name);
    }
    pthread_mutex_unlock(&memory->lock);
    return code;
}

static void memory_delete_queue(struct broker_connection *connection, const char *name)
{
    struct memory *memory = memory_of_connection(connection);
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    if (queue != NULL) {
        (void)map_put(&memory->queues, name, NULL);
        queue->deleted = true;
        queue->consumer_count = 0; /* they may still acknowledge what they hold */
        pump(memory, queue, "closed");
        queue_unref(queue);
    }
    pthread_mutex_unlock(&memory->lock);
}

static struct message *message_new(struct body *take_body, int priority)
{
    struct message *message = mem_alloc(sizeof *message);
    message->body = take_body;
    message->priority = priority < 0 ? 0 : priority >= PRIORITIES ? PRIORITIES - 1 : priority;
    return message;
}

static void memory_publish(struct broker_connection *base, const char *name, int priority, const void *bytes,
                           size_t size, broker_confirm_fn on_confirm, void *user)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    struct body *body = body_new(bytes, size);
    pthread_mutex_lock(&memory->lock);
    int fault = memory->fault == NULL ? 0 : memory->fault(memory->fault_user, name);
    struct queue *queue = map_get(&memory->queues, name);
    if (queue == NULL || (queue->max_length > 0 && queue->depth >= queue->max_length)) {
        confirm(connection, on_confirm, user, queue == NULL ? ERR_NOT_FOUND : ERR_UNAVAILABLE);
        body_unref(body);
    } else if (fault == 1) {
        body_unref(body);
    } else if (fault == 3) {
        struct delayed *delayed = mem_alloc(sizeof *delayed);
        *delayed = (struct delayed){.message = message_new(body, priority),
                                    .queue = mem_dup(name),
                                    .on_confirm = on_confirm,
                                    .user = user,
                                    .due_us = loop_monotonic_us(connection->loop) + DELAY_MS * 1000};
        *connection->last_delayed = delayed;
        connection->last_delayed = &delayed->next;
        wake(connection);
    } else {
        if (fault == 2)
            put(memory, queue, message_new(body_ref(body), priority));
        put(memory, queue, message_new(body, priority));
        confirm(connection, on_confirm, user, ERR_OK);
    }
    pthread_mutex_unlock(&memory->lock);
}

static struct broker_consumer *memory_consume(struct broker_connection *base, const char *name, unsigned prefetch,
                                              broker_delivery_fn on_delivery, void *user)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    struct consumer *consumer = NULL;
    if (queue != NULL) {
        consumer = mem_alloc(sizeof *consumer);
        *consumer = (struct consumer){.base.connection = base,
                                      .queue = queue,
                                      .prefetch = prefetch,
                                      .on_delivery = on_delivery,
                                      .user = user,
                                      .next = connection->consumers};
        map_init(&consumer->unacked);
        connection->consumers = consumer;
        queue->consumers = mem_resize(queue->consumers, (queue->consumer_count + 1) * sizeof(struct consumer *));
        queue->consumers[queue->consumer_count++] = consumer;
        queue->refs++;
        pump(memory, queue, "expired");
    }
    pthread_mutex_unlock(&memory->lock);
    return consumer == NULL ? NULL : &consumer->base;
}

static void memory_set_prefetch(struct broker_consumer *base, unsigned prefetch)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    bool more = prefetch > consumer->prefetch;
    consumer->prefetch = prefetch;
    if (more)
        pump(memory, consumer->queue, "expired");
    pthread_mutex_unlock(&memory->lock);
}

/* What the consumer was not shown yet was not delivered. */
static void take_back_calls(struct memory *memory, struct connection *connection, struct consumer *consumer)
{
    struct call **place = &connection->first;
    while (*place != NULL) {
        struct call *call = *place;
        if (call->consumer != consumer) {
            place = &call->next;
            continue;
        }
        *place = call->next;
        connection->call_count--;
        requeue(memory, consumer, take_unacked(consumer, call->delivery.tag), false);
        call_free(call);
    }
    connection->last = place;
}

static void memory_cancel(struct broker_consumer *base)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    consumer->prefetch = 0;
    leave_queue(consumer);
    take_back_calls(memory, (struct connection *)base->connection, consumer);
    pump(memory, consumer->queue, "expired");
    pthread_mutex_unlock(&memory->lock);
}

static void memory_ack(struct broker_consumer *base, uint64_t tag)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    struct message *message = take_unacked(consumer, tag);
    if (message != NULL)
        message_free(message);
    pump(memory, consumer->queue, "expired");
    pthread_mutex_unlock(&memory->lock);
}

static void memory_nack(struct broker_consumer *base, uint64_t tag, bool back)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    struct message *message = take_unacked(consumer, tag);
    if (message != NULL && back)
        requeue(memory, consumer, message, true);
    else if (message != NULL)
        dead_letter(memory, consumer->queue, message, consumer->queue->deleted ? "closed" : "rejected");
    pump(memory, consumer->queue, "expired");
    pthread_mutex_unlock(&memory->lock);
}

static void memory_subscribe(struct broker_connection *base, const char *topic,
                             void (*on_message)(void *user, const void *body, size_t size), void *user)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    struct subscription *subscription = mem_alloc(sizeof *subscription);
    *subscription = (struct subscription){.topic = mem_dup(topic), .on_message = on_message, .user = user};
    pthread_mutex_lock(&memory->lock);
    subscription->next = connection->subscriptions;
    connection->subscriptions = subscription;
    pthread_mutex_unlock(&memory->lock);
}

static void memory_broadcast(struct broker_connection *base, const char *topic, const void *bytes, size_t size)
{
    struct memory *memory = memory_of_connection(base);
    struct body *body = body_new(bytes, size);
    pthread_mutex_lock(&memory->lock);
    for (struct connection *connection = memory->connections; connection != NULL; connection = connection->next)
        for (struct subscription *subscription = connection->subscriptions; subscription != NULL;
             subscription = subscription->next) {
            if (strcmp(subscription->topic, topic) != 0)
                continue;
            struct call *call = call_add(connection);
            call->on_message = subscription->on_message;
            call->user = subscription->user;
            call->body = body_ref(body);
        }
    pthread_mutex_unlock(&memory->lock);
    body_unref(body);
}

static bool memory_has_subscribers(struct broker *broker, const char *topic)
{
    struct memory *memory = memory_of(broker);
    bool found = false;
    pthread_mutex_lock(&memory->lock);
    for (struct connection *connection = memory->connections; connection != NULL; connection = connection->next)
        for (struct subscription *subscription = connection->subscriptions; subscription != NULL;
             subscription = subscription->next)
            found |= strcmp(subscription->topic, topic) == 0;
    pthread_mutex_unlock(&memory->lock);
    return found;
}

static size_t memory_queue_depth(struct broker *broker, const char *name)
{
    struct memory *memory = memory_of(broker);
    pthread_mutex_lock(&memory->lock);
    const struct queue *queue = map_get(&memory->queues, name);
    size_t depth = queue == NULL ? 0 : queue->depth;
    pthread_mutex_unlock(&memory->lock);
    return depth;
}

static size_t memory_queue_unacked(struct broker *broker, const char *name)
{
    struct memory *memory = memory_of(broker);
    pthread_mutex_lock(&memory->lock);
    const struct queue *queue = map_get(&memory->queues, name);
    size_t unacked = queue == NULL ? 0 : queue->unacked;
    pthread_mutex_unlock(&memory->lock);
    return unacked;
}

static void memory_set_fault_hook(struct broker *broker, int (*hook)(void *user, const char *queue), void *user)
{
    struct memory *memory = memory_of(broker);
    pthread_mutex_lock(&memory->lock);
    memory->fault = hook;
    memory->fault_user = user;
    pthread_mutex_unlock(&memory->lock);
}

const struct broker_ops broker_memory_ops = {.scheme = "memory:",
                                             .open = memory_open,
                                             .close = memory_close,
                                             .is_ready = broker_always_ready,
                                             .is_blocked = broker_never_blocks,
                                             .connect = memory_connect,
                                             .disconnect = memory_disconnect,
                                             .declare = memory_declare,
                                             .delete_queue = memory_delete_queue,
                                             .publish = memory_publish,
                                             .consume = memory_consume,
                                             .set_prefetch = memory_set_prefetch,
                                             .is_consuming = broker_always_consumes,
                                             .cancel = memory_cancel,
                                             .ack = memory_ack,
                                             .nack = memory_nack,
                                             .subscribe = memory_subscribe,
                                             .broadcast = memory_broadcast,
                                             .has_subscribers = memory_has_subscribers,
                                             .queue_depth = memory_queue_depth,
                                             .queue_unacked = memory_queue_unacked,
                                             .set_fault_hook = memory_set_fault_hook};
