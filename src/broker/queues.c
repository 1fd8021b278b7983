/* The shared queues and topics, with their options. */
#include "broker/queues.h"

#include "base/mem.h"
#include "broker/messages.h"
#include <stdio.h>

const struct queue_entry queue_table[] = {
    {.name = QUEUE_DEAD,
     .messages = "",
     .publishers = "the broker",
     .consumers = "any orchestrator",
     .help = "What could not be read, or was given back more often than the delivery limit allows; it is kept in the "
             "store for a person."},
    {.name = QUEUE_REASSIGN,
     .options = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT},
     .messages = "work",
     .publishers = "the broker",
     .consumers = "any orchestrator",
     .help = "Work that came back from a worker's queue: the worker refused it, went away, or had no room."},
    {.name = QUEUE_SUBMIT_PREFIX,
     .each = QUEUE_OF_SHARD,
     .options = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT, .priorities = 3},
     .messages = "work",
     .publishers = "gateways; orchestrators for schedules, retries and sweeps",
     .consumers = "the shard's owner",
     .help = "Executions whose row is committed."},
    {.name = QUEUE_EVENTS_PREFIX,
     .each = QUEUE_OF_SHARD,
     .options = {.dead_letter_queue = QUEUE_DEAD, .delivery_limit = QUEUE_DELIVERY_LIMIT, .single_active = true},
     .messages = "events returned",
     .publishers = "workers; orchestrators for work that came back",
     .consumers = "the shard's owner, which is whoever the broker lets receive",
     .help = "What happened to the shard's executions, in order."},
    {.name = QUEUE_WORKER_PREFIX,
     .each = QUEUE_OF_WORKER,
     .options = {.dead_letter_queue = QUEUE_REASSIGN, .ttl0 = true},
     .messages = "work",
     .publishers = "the owners of the executions' shards",
     .consumers = "the worker",
     .help = "What the worker is to run now: what it cannot take at once goes back."},
    {0}};

const struct topic_entry topic_table[] = {
    {TOPIC_CONTROL, "control", "gateways and orchestrators", "every service",
     "Orders and questions; who misses one learns of it from the store."},
    {TOPIC_WORKERS, "worker", "workers", "gateways and orchestrators", "Health and figures of each worker, by and by."},
    {TOPIC_ORCHESTRATORS, "orchestrator", "orchestrators", "gateways and orchestrators",
     "Health and figures of each orchestrator, and which shards it owns, by and by."},
    {TOPIC_GATEWAYS, "gateway", "gateways", "gateways", "Figures of each gateway, by and by."},
    {TOPIC_LIVE, "live", "orchestrators, gateways, and workers for who watches", "gateways", "Progress of executions."},
    {0}};

enum err queues_declare(struct broker_connection *connection, unsigned shards, struct error *reterr)
{
    enum err code = ERR_OK;
    for (const struct queue_entry *entry = queue_table; code == ERR_OK && entry->name != NULL; entry++) {
        char name[64];
        if (entry->each == QUEUE_ONE)
            code = broker_declare(connection, entry->name, &entry->options, reterr);
        for (unsigned i = 0; entry->each == QUEUE_OF_SHARD && code == ERR_OK && i < shards; i++) {
            (void)snprintf(name, sizeof name, "%s%u", entry->name, i);
            code = broker_declare(connection, name, &entry->options, reterr);
        }
    }
    return code;
}

enum err queues_declare_worker(struct broker_connection *connection, const char *queue, struct error *reterr)
{
    const struct queue_entry *entry = queue_table;
    while (entry->each != QUEUE_OF_WORKER)
        entry++;
    return broker_declare(connection, queue, &entry->options, reterr);
}

static void add(struct queue_argument *ret, size_t *count, struct queue_argument argument)
{
    ret[(*count)++] = argument;
}

size_t queue_arguments(const struct broker_queue_options *options, const char *exchange,
                       struct queue_argument ret[QUEUE_ARGUMENTS_MAX])
{
    size_t n = 0;
    add(ret, &n, (struct queue_argument){"x-queue-type", QUEUE_ARGUMENT_TEXT, "quorum", 0});
    if (options->ttl0)
        add(ret, &n, (struct queue_argument){"x-message-ttl", QUEUE_ARGUMENT_NUMBER, NULL, 0});
    if (options->single_active)
        add(ret, &n, (struct queue_argument){"x-single-active-consumer", QUEUE_ARGUMENT_TRUE, NULL, 1});
    if (options->dead_letter_queue != NULL) {
        add(ret, &n, (struct queue_argument){"x-dead-letter-exchange", QUEUE_ARGUMENT_TEXT, exchange, 0});
        add(ret, &n,
            (struct queue_argument){"x-dead-letter-routing-key", QUEUE_ARGUMENT_TEXT, options->dead_letter_queue, 0});
    }
    if (options->max_length > 0) { /* a quorum queue refuses from the publication on that finds more than that */
        add(ret, &n,
            (struct queue_argument){"x-max-length", QUEUE_ARGUMENT_NUMBER, NULL, (int64_t)options->max_length - 1});
        add(ret, &n, (struct queue_argument){"x-overflow", QUEUE_ARGUMENT_TEXT, "reject-publish", 0});
    }
    if (options->delivery_limit > 0)
        add(ret, &n,
            (struct queue_argument){"x-delivery-limit", QUEUE_ARGUMENT_NUMBER, NULL, (int64_t)options->delivery_limit});
    return n;
}

unsigned queue_levels(const struct broker_queue_options *options)
{
    return options->priorities <= 1                  ? 1
           : options->priorities > BROKER_PRIORITIES ? BROKER_PRIORITIES
                                                     : options->priorities;
}

char *queue_key(const char *name, unsigned level)
{
    return level == 0 ? mem_dup(name) : mem_printf("%s~%u", name, level);
}
