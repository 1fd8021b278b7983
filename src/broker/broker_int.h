/* A back end's table. */
#pragma once
#include "broker/broker.h"
#include <stdatomic.h>

struct broker_counter {
    atomic_uint_least64_t messages, bytes;
};
struct broker {
    const struct broker_ops *ops;
    struct broker_counter queues[BROKER_KINDS_MAX], topics[BROKER_KINDS_MAX]; /* in the order of the tables */
};
struct broker_connection {
    struct broker *broker;
};
struct broker_consumer {
    struct broker_connection *connection;
};

struct broker_ops {
    const char *scheme; /* of its URL, with the colon */
    enum err (*open)(const char *url, const char *prefix, struct broker **ret, struct error *reterr);
    void (*close)(struct broker *broker);
    bool (*is_ready)(const struct broker *broker);
    bool (*is_blocked)(const struct broker *broker);
    struct broker_connection *(*connect)(struct broker *broker, struct loop *loop);
    void (*disconnect)(struct broker_connection *connection);
    enum err (*declare)(struct broker_connection *connection, const char *queue,
                        const struct broker_queue_options *options, struct error *reterr);
    void (*delete_queue)(struct broker_connection *connection, const char *queue);
    void (*publish)(struct broker_connection *connection, const char *queue, int priority, const void *body,
                    size_t size, broker_confirm_fn on_confirm, void *user);
    struct broker_consumer *(*consume)(struct broker_connection *connection, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user);
    void (*set_prefetch)(struct broker_consumer *consumer, unsigned prefetch);
    bool (*is_consuming)(struct broker_consumer *consumer);
    void (*cancel)(struct broker_consumer *consumer);
    void (*ack)(struct broker_consumer *consumer, uint64_t tag);
    void (*nack)(struct broker_consumer *consumer, uint64_t tag, bool requeue);
    void (*subscribe)(struct broker_connection *connection, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user);
    void (*broadcast)(struct broker_connection *connection, const char *topic, const void *body, size_t size);
    bool (*has_subscribers)(struct broker *broker, const char *topic);
    size_t (*queue_depth)(struct broker *broker, const char *queue);
    size_t (*queue_unacked)(struct broker *broker, const char *queue);
    void (*set_fault_hook)(struct broker *broker, int (*hook)(void *user, const char *queue), void *user);
};

void traffic_count_queue(struct broker *broker, const char *queue, size_t size);
void traffic_count_topic(struct broker *broker, const char *topic, size_t size);

/* is_ready, is_blocked and is_consuming of one that is no other program. */
bool broker_always_ready(const struct broker *broker);
bool broker_never_blocks(const struct broker *broker);
bool broker_always_consumes(struct broker_consumer *consumer);
extern const struct broker_ops broker_memory_ops;
extern const struct broker_ops broker_rabbitmq_ops, broker_rabbitmq_tls_ops;
