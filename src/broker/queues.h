/* The queues that all services share. */
#pragma once
#include "broker/broker.h"

/* Submissions and events of each shard, and returns. Whoever starts first makes them. */
enum err queues_declare(struct broker_connection *connection, unsigned shards, struct error *reterr) ERROR_MUST_CHECK;
