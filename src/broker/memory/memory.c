/* The in-process broker: queues under one lock, deliveries and confirms handed to each connection's loop in bursts. */
#include "broker/broker_int.h"

#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES 10
#define DELAY_MS 20 /* of a publication that the fault hook delays */

struct body {
    atomic_uint refs;
    size_t size;
    unsigned char bytes[];
};

struct message {
    struct message *next;
    struct body *body;
    struct queue *queue;
    struct consumer *consumer; /* who holds it unacknowledged */
    const char *dead_reason;   /* static */
    char *dead_from;
    uint64_t tag;
    int priority;
    bool redelivered;
};

struct list {
    struct message *first, *last;
    size_t count;
};

struct queue {
    char *name, *dead_letter_queue;
    bool ttl0, single_active, visiting;
    size_t max_length, depth, unacked;
    struct list ready[PRIORITIES];
    struct consumer **consumers; /* in order of arrival */
    size_t consumer_count, next_consumer;
};

struct consumer {
    struct broker_consumer base;
    struct queue *queue;
    unsigned prefetch, held;
    bool cancelled;
    broker_delivery_fn on_delivery;
    void *user;
    struct map unacked; /* tag text -> message */
    struct consumer *next; /* of the connection */
};

/* What a connection's loop still has to call. */
struct call {
    struct call *next;
    struct consumer *consumer; /* delivery */
    struct message *message;
    broker_confirm_fn on_confirm;
    enum err code;
    void (*on_message)(void *user, const void *body, size_t size);
    void *user;
    struct body *body;
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
    bool posted, closed;
    unsigned refs; /* itself and posts under way */
    struct connection *next, **place;
};

struct memory {
    struct broker base;
    pthread_mutex_t lock;
    struct map queues;
    struct connection *connections;
    uint64_t tag;
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
    free(message->dead_from);
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

static void connection_unref(struct connection *connection)
{
    if (--connection->refs == 0)
        free(connection);
}

static void run_call(struct connection *connection, struct call *call)
{
    if (call->message != NULL) {
        const struct message *message = call->message;
        struct broker_delivery delivery = {.tag = message->tag, .queue = message->queue->name, .dead_reason = message->dead_reason,
                                           .dead_from = message->dead_from, .body = call->body->bytes, .size = call->body->size,
                                           .priority = message->priority, .redelivered = message->redelivered};
        call->consumer->on_delivery(call->consumer->user, &call->consumer->base, &delivery);
    } else if (call->on_confirm != NULL) {
        call->on_confirm(call->user, call->code);
    } else {
        call->on_message(call->user, call->body->bytes, call->body->size);
    }
    (void)connection;
}

static void call_free(struct call *call)
{
    body_unref(call->body);
    free(call);
}

/* One at a time from the connection's list: a callback may disconnect, which empties it. */
static void on_calls(void *user)
{
    struct connection *connection = user;
    struct memory *memory = memory_of_connection(&connection->base);
    pthread_mutex_lock(&memory->lock);
    connection->posted = false;
    struct call *until = NULL; /* what these calls cause waits for the next turn */
    for (struct call *call = connection->first; call != NULL; call = call->next)
        until = call;
    while (!connection->closed && connection->first != NULL) {
        struct call *call = connection->first;
        connection->first = call->next;
        if (connection->first == NULL)
            connection->last = &connection->first;
        pthread_mutex_unlock(&memory->lock);
        run_call(connection, call);
        bool last = call == until;
        call_free(call);
        pthread_mutex_lock(&memory->lock);
        if (last)
            break;
    }
    bool again = !connection->closed && connection->first != NULL && !connection->posted;
    if (again) {
        connection->posted = true;
        connection->refs++;
        loop_post(connection->loop, on_calls, connection);
    }
    connection_unref(connection);
    pthread_mutex_unlock(&memory->lock);
}

static struct call *call_add(struct connection *connection)
{
    struct call *call = mem_alloc(sizeof *call);
    *connection->last = call;
    connection->last = &call->next;
    if (!connection->posted) {
        connection->posted = true;
        connection->refs++;
        loop_post(connection->loop, on_calls, connection);
    }
    return call;
}

/* ---- queues */

static void list_push(struct list *list, struct message *message, bool front)
{
    if (front) {
        message->next = list->first;
        list->first = message;
        if (list->last == NULL)
            list->last = message;
    } else {
        message->next = NULL;
        if (list->last != NULL)
            list->last->next = message;
        else
            list->first = message;
        list->last = message;
    }
    list->count++;
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
        list->count--;
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
    message->consumer = consumer;
    tag_text(message->tag, text);
    (void)map_put(&consumer->unacked, text, message);
    consumer->held++;
    consumer->queue->unacked++;
    struct call *call = call_add((struct connection *)consumer->base.connection);
    call->consumer = consumer;
    call->message = message;
    call->body = body_ref(message->body);
}

static void put(struct memory *memory, struct queue *queue, struct message *message, bool front);

static void dead_letter(struct memory *memory, struct queue *queue, struct message *message, const char *reason)
{
    struct queue *target = queue->dead_letter_queue == NULL ? NULL : map_get(&memory->queues, queue->dead_letter_queue);
    if (target == NULL || target->visiting) { /* nowhere to go, or in a circle */
        message_free(message);
        return;
    }
    free(message->dead_from);
    message->dead_from = mem_dup(queue->name);
    message->dead_reason = reason;
    queue->visiting = true;
    put(memory, target, message, false);
    queue->visiting = false;
}

static void pump(struct memory *memory, struct queue *queue)
{
    struct consumer *consumer;
    while (queue->depth > 0 && (consumer = free_consumer(queue)) != NULL)
        hand_out(memory, consumer, queue_pop(queue));
    struct message *message;
    while (queue->ttl0 && (message = queue_pop(queue)) != NULL)
        dead_letter(memory, queue, message, "expired");
}

static void put(struct memory *memory, struct queue *queue, struct message *message, bool front)
{
    message->queue = queue;
    message->consumer = NULL;
    list_push(&queue->ready[message->priority], message, front);
    queue->depth++;
    pump(memory, queue);
}

/* ---- operations */

static enum err memory_open(const char *url, struct broker **ret, struct error *reterr)
{
    (void)url;
    (void)reterr;
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
    free(queue->consumers);
    free(queue->name);
    free(queue->dead_letter_queue);
    free(queue);
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
    connection->refs = 1;
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
            memmove(&queue->consumers[i], &queue->consumers[i + 1], (queue->consumer_count - i - 1) * sizeof(struct consumer *));
            queue->consumer_count--;
            queue->next_consumer = 0;
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
    return x->tag < y->tag ? 1 : x->tag > y->tag ? -1 : 0;
}

/* Back to the front, oldest foremost; a ttl0 queue passes on what nobody else takes at once. */
static void give_back(struct memory *memory, struct consumer *consumer)
{
    struct queue *queue = consumer->queue;
    struct returned returned = {.messages = mem_array(consumer->unacked.count, sizeof(struct message *))};
    map_each(&consumer->unacked, collect, &returned);
    qsort(returned.messages, returned.count, sizeof *returned.messages, newest_first);
    for (size_t i = 0; i < returned.count; i++) {
        struct message *message = returned.messages[i];
        message->redelivered = true;
        message->consumer = NULL;
        queue->unacked--;
        list_push(&queue->ready[message->priority], message, true);
        queue->depth++;
    }
    free(returned.messages);
    struct consumer *other;
    while (queue->depth > 0 && (other = free_consumer(queue)) != NULL)
        hand_out(memory, other, queue_pop(queue));
    struct message *message;
    while (queue->ttl0 && (message = queue_pop(queue)) != NULL)
        dead_letter(memory, queue, message, "closed");
}

static void memory_disconnect(struct broker_connection *base)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    pthread_mutex_lock(&memory->lock);
    connection->closed = true;
    *connection->place = connection->next;
    if (connection->next != NULL)
        connection->next->place = connection->place;
    for (struct consumer *consumer = connection->consumers; consumer != NULL; consumer = consumer->next)
        leave_queue(consumer);
    while (connection->first != NULL) {
        struct call *call = connection->first;
        connection->first = call->next;
        call_free(call);
    }
    connection->last = &connection->first;
    while (connection->consumers != NULL) {
        struct consumer *consumer = connection->consumers;
        connection->consumers = consumer->next;
        give_back(memory, consumer);
        pump(memory, consumer->queue); /* single active: the next one's turn */
        map_done(&consumer->unacked);
        free(consumer);
    }
    while (connection->subscriptions != NULL) {
        struct subscription *subscription = connection->subscriptions;
        connection->subscriptions = subscription->next;
        free(subscription->topic);
        free(subscription);
    }
    connection_unref(connection);
    pthread_mutex_unlock(&memory->lock);
}

static enum err memory_declare(struct broker_connection *connection, const char *name, const struct broker_queue_options *options, struct error *reterr)
{
    (void)reterr;
    struct memory *memory = memory_of_connection(connection);
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    if (queue == NULL) {
        queue = mem_alloc(sizeof *queue);
        queue->name = mem_dup(name);
        queue->ttl0 = options->ttl0;
        queue->single_active = options->single_active;
        queue->dead_letter_queue = mem_dup(options->dead_letter_queue);
        queue->max_length = options->max_length;
        (void)map_put(&memory->queues, name, queue);
    }
    pthread_mutex_unlock(&memory->lock);
    return ERR_OK;
}

static void memory_delete_queue(struct broker_connection *connection, const char *name)
{
    struct memory *memory = memory_of_connection(connection);
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    struct message *message;
    if (queue != NULL && queue->consumer_count == 0 && queue->unacked == 0) {
        while ((message = queue_pop(queue)) != NULL)
            dead_letter(memory, queue, message, "closed");
        (void)map_put(&memory->queues, name, NULL);
        queue_free(NULL, NULL, queue);
    }
    pthread_mutex_unlock(&memory->lock);
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

struct delayed {
    struct memory *memory;
    struct message *message;
    char *queue;
};

static void on_delayed(void *user)
{
    struct delayed *delayed = user;
    pthread_mutex_lock(&delayed->memory->lock);
    struct queue *queue = map_get(&delayed->memory->queues, delayed->queue);
    if (queue != NULL)
        put(delayed->memory, queue, delayed->message, false);
    else
        message_free(delayed->message);
    pthread_mutex_unlock(&delayed->memory->lock);
    free(delayed->queue);
    free(delayed);
}

static struct message *message_new(struct body *take_body, int priority)
{
    struct message *message = mem_alloc(sizeof *message);
    message->body = take_body;
    message->priority = priority < 0 ? 0 : priority >= PRIORITIES ? PRIORITIES - 1 : priority;
    return message;
}

static void memory_publish(struct broker_connection *base, const char *name, int priority, const void *bytes, size_t size,
                           broker_confirm_fn on_confirm, void *user)
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
    } else if (fault == 3) { /* only the simulator's virtual loop has delayed posts */
        struct delayed *delayed = mem_alloc(sizeof *delayed);
        *delayed = (struct delayed){.memory = memory, .message = message_new(body, priority), .queue = mem_dup(name)};
        loop_virtual_post_at(connection->loop, DELAY_MS, on_delayed, delayed);
        confirm(connection, on_confirm, user, ERR_OK);
    } else {
        if (fault == 2)
            put(memory, queue, message_new(body_ref(body), priority), false);
        put(memory, queue, message_new(body, priority), false);
        confirm(connection, on_confirm, user, ERR_OK);
    }
    pthread_mutex_unlock(&memory->lock);
}

static struct broker_consumer *memory_consume(struct broker_connection *base, const char *name, unsigned prefetch, broker_delivery_fn on_delivery, void *user)
{
    struct memory *memory = memory_of_connection(base);
    struct connection *connection = (struct connection *)base;
    pthread_mutex_lock(&memory->lock);
    struct queue *queue = map_get(&memory->queues, name);
    struct consumer *consumer = NULL;
    if (queue != NULL) {
        consumer = mem_alloc(sizeof *consumer);
        *consumer = (struct consumer){.base.connection = base, .queue = queue, .prefetch = prefetch, .on_delivery = on_delivery,
                                      .user = user, .next = connection->consumers};
        map_init(&consumer->unacked);
        connection->consumers = consumer;
        queue->consumers = mem_resize(queue->consumers, (queue->consumer_count + 1) * sizeof(struct consumer *));
        queue->consumers[queue->consumer_count++] = consumer;
        pump(memory, queue);
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
        pump(memory, consumer->queue);
    pthread_mutex_unlock(&memory->lock);
}

static void memory_cancel(struct broker_consumer *base)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    consumer->prefetch = 0;
    leave_queue(consumer);
    pump(memory, consumer->queue);
    pthread_mutex_unlock(&memory->lock);
}

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

static void memory_ack(struct broker_consumer *base, uint64_t tag)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    struct message *message = take_unacked(consumer, tag);
    if (message != NULL)
        message_free(message);
    pump(memory, consumer->queue);
    pthread_mutex_unlock(&memory->lock);
}

static void memory_nack(struct broker_consumer *base, uint64_t tag, bool requeue)
{
    struct memory *memory = memory_of_connection(base->connection);
    struct consumer *consumer = (struct consumer *)base;
    pthread_mutex_lock(&memory->lock);
    struct message *message = take_unacked(consumer, tag);
    if (message != NULL && requeue) {
        message->redelivered = true;
        put(memory, consumer->queue, message, true);
    } else if (message != NULL) {
        dead_letter(memory, consumer->queue, message, "rejected");
    }
    pump(memory, consumer->queue);
    pthread_mutex_unlock(&memory->lock);
}

static void memory_subscribe(struct broker_connection *base, const char *topic, void (*on_message)(void *user, const void *body, size_t size), void *user)
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
        for (struct subscription *subscription = connection->subscriptions; subscription != NULL; subscription = subscription->next) {
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
        for (struct subscription *subscription = connection->subscriptions; subscription != NULL; subscription = subscription->next)
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
    memory->fault = hook;
    memory->fault_user = user;
}

const struct broker_ops broker_memory_ops = {
    .scheme = "memory:", .open = memory_open, .close = memory_close, .connect = memory_connect, .disconnect = memory_disconnect,
    .declare = memory_declare, .delete_queue = memory_delete_queue, .publish = memory_publish, .consume = memory_consume,
    .set_prefetch = memory_set_prefetch, .cancel = memory_cancel, .ack = memory_ack, .nack = memory_nack,
    .subscribe = memory_subscribe, .broadcast = memory_broadcast, .has_subscribers = memory_has_subscribers,
    .queue_depth = memory_queue_depth, .queue_unacked = memory_queue_unacked, .set_fault_hook = memory_set_fault_hook};
