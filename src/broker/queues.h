/* What the services share on a broker: one table of queues and one of topics. They are declared, printed and documented
 * from it. */
#pragma once
#include "broker/broker.h"

/* Given back more often, a message goes to the dead letters. Every lost connection gives back what it held, so this is
 * far above what a day of faults does to one that can be handled. */
#define QUEUE_DELIVERY_LIMIT 100
/* Of a dead letter that much is kept; a longer one cannot be sent again. */
#define DEAD_LETTER_BYTES (1 << 20)
#define TOPIC_LENGTH_MAX 100000 /* messages kept for a subscriber who does not read */

enum queue_each { QUEUE_ONE, QUEUE_OF_SHARD, QUEUE_OF_WORKER };
struct queue_entry {
    const char *name; /* NULL ends; what a shard's number or a worker's id follows: see each */
    enum queue_each each;
    struct broker_queue_options options;
    const char *messages; /* names in message_types, separated by blanks; "": any that could not be handled */
    const char *publishers, *consumers, *help;
};
extern const struct queue_entry queue_table[];

struct topic_entry {
    const char *name; /* NULL ends */
    const char *message, *publishers, *subscribers, *help;
};
extern const struct topic_entry topic_table[];

/* The shared queues, of so many shards. Whoever starts first makes them. */
enum err queues_declare(struct broker_connection *connection, unsigned shards, struct error *reterr) ERROR_MUST_CHECK;
/* A worker's own; `queue` is its whole name. */
enum err queues_declare_worker(struct broker_connection *connection, const char *queue,
                               struct error *reterr) ERROR_MUST_CHECK;

/* ---- on a broker that others use, too: names there, and arguments */

#define QUEUE_ARGUMENTS_MAX 8
enum queue_argument_kind { QUEUE_ARGUMENT_TEXT, QUEUE_ARGUMENT_NUMBER, QUEUE_ARGUMENT_TRUE };
struct queue_argument {
    const char *key;
    enum queue_argument_kind kind;
    const char *text; /* borrowed from exchange and options */
    int64_t number;
};
size_t queue_arguments(const struct broker_queue_options *options, const char *exchange,
                       struct queue_argument ret[QUEUE_ARGUMENTS_MAX]);
unsigned queue_levels(const struct broker_queue_options *options);
/* Quorum queues know no priorities: each level above the lowest is a queue of its own. The routing key; with the
 * exchange and a dot before it, the queue's name. Yours. */
char *queue_key(const char *name, unsigned level);
