/* The shared queues, with their options. */
#include "broker/queues.h"

#include "broker/messages.h"
#include <stdio.h>

enum err queues_declare(struct broker_connection *connection, unsigned shards, struct error *reterr)
{
    static const struct broker_queue_options
        plain = {0},
        returns = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT},
        submit = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT, .priorities = 3},
        shard = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT, .single_active = true};
    char name[64];
    enum err code = broker_declare(connection, QUEUE_DEAD, &plain, reterr);
    if (code == ERR_OK)
        code = broker_declare(connection, QUEUE_REASSIGN, &returns, reterr);
    for (unsigned i = 0; code == ERR_OK && i < shards; i++) {
        (void)snprintf(name, sizeof name, QUEUE_SUBMIT_PREFIX "%u", i);
        code = broker_declare(connection, name, &submit, reterr);
        if (code != ERR_OK)
            break;
        (void)snprintf(name, sizeof name, QUEUE_EVENTS_PREFIX "%u", i);
        code = broker_declare(connection, name, &shard, reterr);
    }
    return code;
}
