/* Moves work between services; holds nothing that the store does not know. Contract of every back end (RabbitMQ's
 * words):
 * - queues are durable, FIFO within a priority; what is urgent does not wait behind what is less so (see `priorities`);
 * - a consumer holds at most `prefetch` unacknowledged deliveries of a queue, over a network of each of its priorities;
 * - nack with requeue gives a delivery back, marked redelivered: in one process at its place, over a network perhaps
 *   behind the others; without, it is dead-lettered;
 * - a queue with ttl0 dead-letters what cannot be handed to a consumer at once;
 * - dead-lettering publishes to the queue's dead_letter_queue with reason expired | rejected | closed | delivery_limit;
 * - a connection that closes gives its unacknowledged deliveries back: requeued in front, those of a consumer in
 *   their order; in a ttl0 queue to another consumer or dead-lettered at once;
 * - single_active: only the longest-standing consumer receives; the next takes over when it goes;
 * - a queue with all options of an earlier declaration is the same queue; other options: ERR_CONFLICT.
 * Over a network, besides: publications are sent again after a lost connection unless they were confirmed, so they may
 * come twice; deliveries of a lost connection come again, and what is said about the former ones is ignored.
 * Thread-safe. Deliveries, confirms and notices arrive on the connection's loop. */
#pragma once
#include "base/error.h"
#include "base/loop.h"

struct broker;
struct broker_connection;
struct broker_consumer;

#define BROKER_PRIORITIES 10
struct broker_queue_options {
    bool ttl0, single_active;
    const char *dead_letter_queue; /* or NULL: dropped */
    size_t max_length;             /* 0 = unbounded; beyond, publishing is refused with ERR_UNAVAILABLE */
    unsigned priorities;           /* levels that are told apart, at most BROKER_PRIORITIES; higher ones count as the
                                      highest; 0 and 1: none */
    unsigned delivery_limit;       /* dead-lettered as delivery_limit when given back more often; 0: never */
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

/* url: memory:. prefix: of all names on a broker that others use, too (RABBITMQ_EXCHANGE). Does not wait for the
 * broker: it may come later, and go. */
enum err broker_open(const char *url, const char *prefix, struct broker **ret, struct error *reterr) ERROR_MUST_CHECK;
void broker_close(struct broker *broker);          /* after all its connections; what was published before is sent */
bool broker_is_ready(const struct broker *broker); /* connected, and not refusing publications */
bool broker_is_blocked(
    const struct broker *broker); /* it says that it takes no publications: its disk or memory is short */
struct broker_connection *broker_connect(struct broker *broker, struct loop *loop);
void broker_disconnect(
    struct broker_connection *connection); /* on its loop's thread, or with the loop stopped; no callback after */

/* Waits for the broker's word, for a moment only: a broker that does not answer is told when it is there. At start, not
 * in callbacks. */
enum err broker_declare(struct broker_connection *connection, const char *queue,
                        const struct broker_queue_options *options, struct error *reterr) ERROR_MUST_CHECK;
/* Its contents are dead-lettered as closed; unknown: nothing. What its consumers still hold is theirs; given back, it
 * is dead-lettered where the broker still has it. */
void broker_delete_queue(struct broker_connection *connection, const char *queue);
/* Copies the body. on_confirm (may be NULL) says OK once the queue has it; an unknown queue: ERR_NOT_FOUND. Without a
 * broker it waits for one for BROKER_PUBLISH_MS, then ERR_UNAVAILABLE: what had been sent may arrive all the same. */
#define BROKER_PUBLISH_MS 10000
void broker_publish(struct broker_connection *connection, const char *queue, int priority, const void *body,
                    size_t size, broker_confirm_fn on_confirm, void *user);
/* NULL: the queue was not declared through this broker. It lives as long as its connection, also when cancelled. */
struct broker_consumer *broker_consume(struct broker_connection *connection, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user);
void broker_consumer_set_prefetch(struct broker_consumer *consumer,
                                  unsigned prefetch); /* 0 stops further deliveries; what is on its way still comes.
                                                         Of a single_active queue it keeps its place until cancelled */
/* What comes is handed to it, as far as its prefetch lets it. Over a network false for a while: at first, after a lost
 * connection, without prefetch; what is published to a ttl0 queue then is not for it. */
bool broker_consumer_is_ready(struct broker_consumer *consumer);
void broker_cancel(struct broker_consumer *consumer); /* unacknowledged deliveries stay the connection's until acked or
                                                         disconnect; none comes after, on the loop's thread */
void broker_ack(struct broker_consumer *consumer, uint64_t tag);
void broker_nack(struct broker_consumer *consumer, uint64_t tag, bool requeue);
/* Fan-out: every subscriber of a topic gets each message published while it is there; best effort, nothing kept. */
void broker_subscribe(struct broker_connection *connection, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user);
void broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size);
/* Never wait. False: nobody listened a moment ago; over a network that is learnt from broadcasts. Ready messages: over
 * a network as of a moment ago when asked for regularly. Unacknowledged: held by consumers of this broker's process. */
bool broker_has_subscribers(struct broker *broker, const char *topic);
size_t broker_queue_depth(struct broker *broker, const char *queue);
size_t broker_queue_unacked(struct broker *broker, const char *queue);
/* What was published through this broker since it was opened, of each kind of queue and topic (queues.h): names as in
 * the tables, static. Returns how many. */
#define BROKER_KINDS_MAX 8
#define BROKER_TRAFFIC_MAX (2 * BROKER_KINDS_MAX)
struct broker_traffic {
    const char *name;
    uint64_t messages, bytes;
};
size_t broker_traffic(const struct broker *broker, struct broker_traffic ret[BROKER_TRAFFIC_MAX]);
/* Test and simulator hook: what happens to a publication: 0 as usual, 1 lost (no confirm), 2 doubled,
 * 3 delayed (confirmed when the queue has it). The hook runs inside broker_publish and must not call the broker. */
void broker_set_fault_hook(struct broker *broker, int (*hook)(void *user, const char *queue), void *user);
