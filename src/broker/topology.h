/* The topology that the services declare, for people and other programs; made from queue_table and topic_table. */
#pragma once
#include "json/json.h"

struct topology {
    const char *exchange; /* RABBITMQ_EXCHANGE */
    unsigned shards;      /* EVENT_SHARDS */
};

/* {exchanges: [{name, type, durable, help}], queues: [{name, durable, arguments, bindings: [{exchange, routingKey}],
 * messages, publishers, consumers, help}], topics: [{name, exchange, routingKey, arguments, …}]}; yours. A worker's
 * queue has <WORKER_ID> for its id. */
struct json *topology_describe(const struct topology *topology);
void topology_print_text(const struct topology *topology, struct buf *out);
struct json *topology_asyncapi(const struct topology *topology, const char *version); /* AsyncAPI 2.6; yours */
void topology_print_markdown(struct buf *out);                                        /* docs/reference/messages.md */
