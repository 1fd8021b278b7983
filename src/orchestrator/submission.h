/* Acceptance: the execution's row first, then the message that moves it. */
#pragma once
#include "broker/broker.h"
#include "store/store.h"

/* Appends one work item (broker/messages.h) of a freshly inserted execution. */
void submission_item(struct buf *out, const struct store_execution *row);
/* The whole submit message for one execution to its shard, published without waiting: what is lost here, the sweeper
 * finds. */
void submission_publish(struct broker_connection *connection, unsigned shards, const struct store_execution *row);
