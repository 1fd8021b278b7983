/* The queues that all services share. */
#pragma once
#include "broker/broker.h"

/* Given back more often, a message goes to the dead letters. Every lost connection gives back what it held, so this is
 * far above what a day of faults does to one that can be handled. */
#define QUEUE_DELIVERY_LIMIT 100
/* Of a dead letter that much is kept; a longer one cannot be sent again. */
#define DEAD_LETTER_BYTES (1 << 20)

/* Submissions and events of each shard, returns, and dead letters. Whoever starts first makes them. */
enum err queues_declare(struct broker_connection *connection, unsigned shards, struct error *reterr) ERROR_MUST_CHECK;
