/* The RabbitMQ back end's table, its opening and its end. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static enum err rabbit_open(const char *url, const char *prefix, struct broker **ret, struct error *reterr)
{
    struct address *addresses;
    size_t count;
    enum err code = addresses_parse(url, &addresses, &count, reterr);
    if (code != ERR_OK)
        return code;
    if (*prefix == '\0' || strlen(prefix) > 100) {
        addresses_free(addresses, count);
        return error_set(reterr, ERR_VALIDATION, "RABBITMQ_EXCHANGE", "RABBITMQ_EXCHANGE must have 1 to 100 bytes.");
    }
    struct rabbit *rabbit = mem_alloc(sizeof *rabbit);
    rabbit->base.ops = &broker_rabbitmq_ops;
    rabbit->prefix = mem_dup(prefix);
    rabbit->addresses = addresses;
    rabbit->address_count = count;
    pthread_mutex_init(&rabbit->lock, NULL);
    pthread_cond_init(&rabbit->answered, NULL);
    map_init(&rabbit->queues);
    map_init(&rabbit->unheard);
    rabbit->last_request = &rabbit->requests;
    rabbit->last_verdict = &rabbit->verdicts;
    id_new(rabbit->instance);
    rabbit->publishing = (struct link){.ops = &publishing_ops, .rabbit = rabbit};
    rabbit->consuming = (struct link){.ops = &consuming_ops, .rabbit = rabbit};
    link_start(&rabbit->publishing);
    link_start(&rabbit->consuming);
    *ret = &rabbit->base;
    return ERR_OK;
}

static void free_value(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    free(value);
}

static void rabbit_close(struct broker *broker)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    link_stop(&rabbit->publishing);
    link_stop(&rabbit->consuming);
    publishing_free(rabbit);
    verdicts_forget(rabbit, NULL);
    while (rabbit->consumers != NULL) {
        struct rabbit_consumer *consumer = rabbit->consumers;
        rabbit->consumers = consumer->next;
        consumer_free(consumer);
    }
    while (rabbit->requests != NULL) {
        struct request *request = rabbit->requests;
        rabbit->requests = request->next;
        request_free(request);
    }
    while (rabbit->knowns != NULL) {
        struct known *known = rabbit->knowns;
        rabbit->knowns = known->next;
        known_free(known);
    }
    map_done(&rabbit->queues);
    map_each(&rabbit->unheard, free_value, NULL);
    map_done(&rabbit->unheard);
    addresses_free(rabbit->addresses, rabbit->address_count);
    pthread_cond_destroy(&rabbit->answered);
    pthread_mutex_destroy(&rabbit->lock);
    free(rabbit->prefix);
    free(rabbit);
}

static bool rabbit_is_ready(const struct broker *broker)
{
    const struct rabbit *rabbit = (const struct rabbit *)broker;
    return atomic_load(&rabbit->publishing.up) && atomic_load(&rabbit->consuming.up) &&
           !atomic_load(&rabbit->publishing.blocked);
}

static bool rabbit_is_blocked(const struct broker *broker)
{
    const struct rabbit *rabbit = (const struct rabbit *)broker;
    return atomic_load(&rabbit->publishing.up) && atomic_load(&rabbit->publishing.blocked);
}

static struct broker_connection *rabbit_connect(struct broker *broker, struct loop *loop)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    struct rabbit_connection *connection = mem_alloc(sizeof *connection);
    connection->base.broker = broker;
    connection->loop = loop;
    connection->last = &connection->first;
    (void)rabbit;
    return &connection->base;
}

static void rabbit_disconnect(struct broker_connection *base)
{
    struct rabbit *rabbit = (struct rabbit *)base->broker;
    struct rabbit_connection *connection = (struct rabbit_connection *)base;
    pthread_mutex_lock(&rabbit->lock);
    publishing_forget(rabbit, connection);
    consumers_close(rabbit, connection);
    inbox_empty(connection);
    pthread_mutex_unlock(&rabbit->lock);
    if (connection->gone != NULL)
        *connection->gone = true;
    free(connection);
}

static struct publication *publication_new(struct rabbit_connection *connection, char *take_key, const void *body,
                                           size_t size)
{
    struct publication *publication = mem_alloc(sizeof *publication);
    *publication = (struct publication){.connection = connection, .key = take_key, .body = bytes_new(body, size)};
    return publication;
}

static void rabbit_publish(struct broker_connection *base, const char *queue, int priority, const void *body,
                           size_t size, broker_confirm_fn on_confirm, void *user)
{
    struct rabbit *rabbit = (struct rabbit *)base->broker;
    int level = priority < 0 ? 0 : priority >= BROKER_PRIORITIES ? BROKER_PRIORITIES - 1 : priority;
    struct publication *publication = publication_new((struct rabbit_connection *)base, NULL, body, size);
    publication->priority = level;
    publication->on_confirm = on_confirm;
    publication->user = user;
    pthread_mutex_lock(&rabbit->lock);
    const struct known *known = map_get(&rabbit->queues, queue);
    unsigned levels = known == NULL ? 1 : queue_levels(&known->options);
    publication->key = queue_key(queue, (unsigned)level < levels ? (unsigned)level : levels - 1);
    publishing_add(rabbit, publication, rabbit->fault == NULL ? 0 : rabbit->fault(rabbit->fault_user, queue));
    pthread_mutex_unlock(&rabbit->lock);
}

static void rabbit_broadcast(struct broker_connection *base, const char *topic, const void *body, size_t size)
{
    struct rabbit *rabbit = (struct rabbit *)base->broker;
    struct publication *publication = publication_new((struct rabbit_connection *)base, mem_dup(topic), body, size);
    publication->topic = true;
    pthread_mutex_lock(&rabbit->lock);
    publishing_add(rabbit, publication, 0);
    pthread_mutex_unlock(&rabbit->lock);
}

static void rabbit_set_fault_hook(struct broker *broker, int (*hook)(void *user, const char *queue), void *user)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    pthread_mutex_lock(&rabbit->lock);
    rabbit->fault = hook;
    rabbit->fault_user = user;
    pthread_mutex_unlock(&rabbit->lock);
}

#define TABLE(url_scheme)                                                                                              \
    {                                                                                                                  \
        .scheme = url_scheme, .open = rabbit_open, .close = rabbit_close, .is_ready = rabbit_is_ready,                 \
        .is_blocked = rabbit_is_blocked, .connect = rabbit_connect, .disconnect = rabbit_disconnect,                   \
        .declare = rabbit_declare, .delete_queue = rabbit_delete_queue, .publish = rabbit_publish,                     \
        .consume = rabbit_consume, .set_prefetch = rabbit_set_prefetch, .is_consuming = rabbit_is_consuming,           \
        .cancel = rabbit_cancel, .ack = rabbit_ack, .nack = rabbit_nack, .subscribe = rabbit_subscribe,                \
        .broadcast = rabbit_broadcast, .has_subscribers = rabbit_has_subscribers, .queue_depth = rabbit_queue_depth,   \
        .queue_unacked = rabbit_queue_unacked, .set_fault_hook = rabbit_set_fault_hook                                 \
    }

const struct broker_ops broker_rabbitmq_ops = TABLE("amqp:");
const struct broker_ops broker_rabbitmq_tls_ops = TABLE("amqps:");
