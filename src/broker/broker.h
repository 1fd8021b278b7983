/* Moves work between services; holds nothing that the store does not know. Contract of every back end (RabbitMQ's
 * words):
 * - queues are durable, FIFO within a priority (0..9), higher priority first;
 * - a consumer holds at most `prefetch` unacknowledged deliveries of a queue;
 * - nack with requeue puts a delivery back at its place in front, marked redelivered; without, it is dead-lettered;
 * - a queue with ttl0 dead-letters what cannot be handed to a consumer at once;
 * - dead-lettering publishes to the queue's dead_letter_queue with reason expired | rejected | closed;
 * - a connection that closes gives its unacknowledged deliveries back: requeued, in a ttl0 queue dead-lettered at once
 *   if no other consumer can take them;
 * - single_active: only the longest-standing consumer receives; the next takes over when it goes.
 * - a queue with all options of an earlier declaration is the same queue; other options: ERR_CONFLICT.
 * Thread-safe. Deliveries, confirms and notices arrive on the connection's loop. */
#pragma once
#include "base/error.h"
#include "base/loop.h"

struct broker;
struct broker_connection;
struct broker_consumer;

struct broker_queue_options {
    bool ttl0, single_active;
    const char *dead_letter_queue; /* or NULL: dropped */
    size_t max_length;             /* 0 = unbounded; beyond, publishing is refused with ERR_UNAVAILABLE */
};

struct broker_delivery {
    uint64_t tag;
    const char *queue, *dead_reason; /* dead_reason: NULL, or why it was dead-lettered; dead_from: from where */
    const char *dead_from;
    const void *body; /* this and the texts: borrowed, during the call, also when acknowledged in it */
    size_t size;
    int priority;
    bool redelivered;
};
typedef void (*broker_delivery_fn)(void *user, struct broker_consumer *consumer,
                                   const struct broker_delivery *delivery);
typedef void (*broker_confirm_fn)(void *user, enum err code);

enum err broker_open(const char *url, struct broker **ret, struct error *reterr) ERROR_MUST_CHECK; /* memory: */
void broker_close(struct broker *broker); /* after all its connections */
struct broker_connection *broker_connect(struct broker *broker, struct loop *loop);
void broker_disconnect(
    struct broker_connection *connection); /* on its loop's thread, or with the loop stopped; no callback after */

enum err broker_declare(struct broker_connection *connection, const char *queue,
                        const struct broker_queue_options *options, struct error *reterr) ERROR_MUST_CHECK;
void broker_delete_queue(struct broker_connection *connection,
                         const char *queue); /* contents are dead-lettered as closed, and so is what its consumers still
                                                hold and give back; unknown: nothing */
/* Copies the body. on_confirm (may be NULL) says OK once the queue has it; an unknown queue: ERR_NOT_FOUND. */
void broker_publish(struct broker_connection *connection, const char *queue, int priority, const void *body,
                    size_t size, broker_confirm_fn on_confirm, void *user);
/* NULL: unknown queue. It lives as long as its connection, also when cancelled. */
struct broker_consumer *broker_consume(struct broker_connection *connection, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user);
void broker_consumer_set_prefetch(struct broker_consumer *consumer,
                                  unsigned prefetch); /* 0 stops further deliveries; what is on its way still comes */
void broker_cancel(struct broker_consumer *consumer); /* unacknowledged deliveries stay the connection's until acked or
                                                         disconnect; none comes after, on the loop's thread */
void broker_ack(struct broker_consumer *consumer, uint64_t tag);
void broker_nack(struct broker_consumer *consumer, uint64_t tag, bool requeue);
/* Fan-out: every subscriber of a topic gets each message published while it is there; best effort, nothing kept. */
void broker_subscribe(struct broker_connection *connection, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user);
void broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size);
bool broker_has_subscribers(struct broker *broker, const char *topic);
size_t broker_queue_depth(struct broker *broker, const char *queue); /* ready messages */
size_t broker_queue_unacked(struct broker *broker, const char *queue);
/* Test and simulator hook: what happens to a publication: 0 as usual, 1 lost (no confirm), 2 doubled,
 * 3 delayed (confirmed when the queue has it). The hook runs inside broker_publish and must not call the broker. */
void broker_set_fault_hook(struct broker *broker, int (*hook)(void *user, const char *queue), void *user);
