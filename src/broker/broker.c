/* Chooses the back end by URL and passes calls on to it. */
#include "broker/broker_int.h"

#include <string.h>

static const struct broker_ops *const backends[] = {&broker_memory_ops, &broker_rabbitmq_ops, &broker_rabbitmq_tls_ops};

enum err broker_open(const char *url, const char *prefix, struct broker **ret, struct error *reterr)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strncmp(url, backends[i]->scheme, strlen(backends[i]->scheme)) == 0)
            return backends[i]->open(url, prefix, ret, reterr);
    return error_set(reterr, ERR_VALIDATION, "RABBITMQ_URL",
                     "RABBITMQ_URL must begin with memory:, amqp:// or amqps://.");
}

bool broker_is_ready(const struct broker *broker)
{
    return broker->ops->is_ready(broker);
}

bool broker_is_blocked(const struct broker *broker)
{
    return broker->ops->is_blocked(broker);
}

bool broker_always_ready(const struct broker *broker)
{
    (void)broker;
    return true;
}

bool broker_always_consumes(struct broker_consumer *consumer)
{
    (void)consumer;
    return true;
}

bool broker_never_blocks(const struct broker *broker)
{
    (void)broker;
    return false;
}

void broker_close(struct broker *broker)
{
    if (broker != NULL)
        broker->ops->close(broker);
}

struct broker_connection *broker_connect(struct broker *broker, struct loop *loop)
{
    return broker->ops->connect(broker, loop);
}

void broker_disconnect(struct broker_connection *connection)
{
    if (connection != NULL)
        connection->broker->ops->disconnect(connection);
}

enum err broker_declare(struct broker_connection *connection, const char *queue,
                        const struct broker_queue_options *options, struct error *reterr)
{
    return connection->broker->ops->declare(connection, queue, options, reterr);
}

void broker_delete_queue(struct broker_connection *connection, const char *queue)
{
    connection->broker->ops->delete_queue(connection, queue);
}

void broker_publish(struct broker_connection *connection, const char *queue, int priority, const void *body,
                    size_t size, broker_confirm_fn on_confirm, void *user)
{
    traffic_count_queue(connection->broker, queue, size);
    connection->broker->ops->publish(connection, queue, priority, body, size, on_confirm, user);
}

struct broker_consumer *broker_consume(struct broker_connection *connection, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user)
{
    return connection->broker->ops->consume(connection, queue, prefetch, on_delivery, user);
}

void broker_consumer_set_prefetch(struct broker_consumer *consumer, unsigned prefetch)
{
    consumer->connection->broker->ops->set_prefetch(consumer, prefetch);
}

bool broker_consumer_is_ready(struct broker_consumer *consumer)
{
    return consumer->connection->broker->ops->is_consuming(consumer);
}

void broker_cancel(struct broker_consumer *consumer)
{
    consumer->connection->broker->ops->cancel(consumer);
}

void broker_ack(struct broker_consumer *consumer, uint64_t tag)
{
    consumer->connection->broker->ops->ack(consumer, tag);
}

void broker_nack(struct broker_consumer *consumer, uint64_t tag, bool requeue)
{
    consumer->connection->broker->ops->nack(consumer, tag, requeue);
}

void broker_subscribe(struct broker_connection *connection, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user)
{
    connection->broker->ops->subscribe(connection, topic, on_message, user);
}

void broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size)
{
    traffic_count_topic(connection->broker, topic, size);
    connection->broker->ops->broadcast(connection, topic, body, size);
}

bool broker_has_subscribers(struct broker *broker, const char *topic)
{
    return broker->ops->has_subscribers(broker, topic);
}

size_t broker_queue_depth(struct broker *broker, const char *queue)
{
    return broker->ops->queue_depth(broker, queue);
}

size_t broker_queue_unacked(struct broker *broker, const char *queue)
{
    return broker->ops->queue_unacked(broker, queue);
}

void broker_set_fault_hook(struct broker *broker, int (*hook)(void *user, const char *queue), void *user)
{
    broker->ops->set_fault_hook(broker, hook, user);
}
