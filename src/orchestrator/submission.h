/* Acceptance: the execution's row first, then the message that moves it. */
#pragma once
#include "broker/broker.h"
#include "store/store.h"

/* Appends one work item (broker/messages.h) of a freshly inserted execution. */
void submission_item(struct buf *out, const struct store_execution *row);
/* Submit messages of a process that accepts many: of each shard and priority one is on its way, and what is accepted
 * meanwhile goes along in the next. Thread-safe. */
struct submissions;
struct submissions *submissions_new(struct broker_connection *connection, unsigned shards);
void submissions_add(struct submissions *submissions, const struct store_execution *row);
/* Sends what waits, without waiting for anything; before the connection is closed. */
void submissions_flush(struct submissions *submissions);
void submissions_free(struct submissions *submissions); /* after the connection is closed; NULL is fine */

/* The whole submit message for one execution to its shard, published without waiting: what is lost here, the sweeper
 * finds. */
void submission_publish(struct broker_connection *connection, unsigned shards, const struct store_execution *row);
