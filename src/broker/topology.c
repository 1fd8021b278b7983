/* The topology as JSON and text. */
#include "broker/topology.h"

#include "base/mem.h"
#include "broker/queues.h"
#include <inttypes.h>
#include <string.h>

static struct json *arguments_of(const struct broker_queue_options *options, const char *exchange)
{
    struct queue_argument arguments[QUEUE_ARGUMENTS_MAX];
    size_t count = queue_arguments(options, exchange, arguments);
    struct json *object = json_object_new();
    for (size_t i = 0; i < count; i++)
        switch (arguments[i].kind) {
        case QUEUE_ARGUMENT_TEXT:
            json_set_str(object, arguments[i].key, arguments[i].text);
            break;
        case QUEUE_ARGUMENT_NUMBER:
            json_set_int(object, arguments[i].key, arguments[i].number);
            break;
        case QUEUE_ARGUMENT_TRUE:
            json_set_bool(object, arguments[i].key, true);
            break;
        }
    return object;
}

static struct json *exchange_new(const char *name, const char *help)
{
    struct json *exchange = json_object_new();
    json_set_str(exchange, "name", name);
    json_set_str(exchange, "type", "direct");
    json_set_bool(exchange, "durable", true);
    json_set_str(exchange, "help", help);
    return exchange;
}

static void add_queue(struct json *queues, const struct topology *topology, const struct queue_entry *entry,
                      const char *key)
{
    struct json *queue = json_object_new(), *bindings = json_array_new(), *binding = json_object_new();
    AUTO_FREE char *name = mem_printf("%s.%s", topology->exchange, key);
    json_set_str(queue, "name", name);
    json_set_bool(queue, "durable", true);
    json_set(queue, "arguments", arguments_of(&entry->options, topology->exchange));
    json_set_str(binding, "exchange", topology->exchange);
    json_set_str(binding, "routingKey", key);
    json_push(bindings, binding);
    json_set(queue, "bindings", bindings);
    json_set_str(queue, "messages", entry->messages);
    json_set_str(queue, "publishers", entry->publishers);
    json_set_str(queue, "consumers", entry->consumers);
    json_set_str(queue, "help", entry->help);
    json_push(queues, queue);
}

static void add_levels(struct json *queues, const struct topology *topology, const struct queue_entry *entry,
                       const char *name)
{
    for (unsigned level = 0; level < queue_levels(&entry->options); level++) {
        AUTO_FREE char *key = queue_key(name, level);
        add_queue(queues, topology, entry, key);
    }
}

static struct json *queues_of(const struct topology *topology)
{
    struct json *queues = json_array_new();
    for (const struct queue_entry *entry = queue_table; entry->name != NULL; entry++) {
        for (unsigned i = 0; entry->each == QUEUE_OF_SHARD && i < topology->shards; i++) {
            AUTO_FREE char *name = mem_printf("%s%u", entry->name, i);
            add_levels(queues, topology, entry, name);
        }
        AUTO_FREE char *other = mem_printf("%s%s", entry->name, entry->each == QUEUE_OF_WORKER ? "<WORKER_ID>" : "");
        if (entry->each != QUEUE_OF_SHARD)
            add_levels(queues, topology, entry, other);
    }
    return queues;
}

static struct json *topics_of(const char *exchange)
{
    struct json *topics = json_array_new();
    for (const struct topic_entry *entry = topic_table; entry->name != NULL; entry++) {
        struct json *topic = json_object_new(), *arguments = json_object_new();
        json_set_str(topic, "name", entry->name);
        json_set_str(topic, "exchange", exchange);
        json_set_str(topic, "routingKey", entry->name);
        json_set_str(topic, "queue",
                     "one of each subscriber's connection: exclusive, named by the broker, gone with it");
        json_set_int(arguments, "x-max-length", TOPIC_LENGTH_MAX);
        json_set(topic, "arguments", arguments);
        json_set_str(topic, "messages", entry->message);
        json_set_str(topic, "publishers", entry->publishers);
        json_set_str(topic, "subscribers", entry->subscribers);
        json_set_str(topic, "help", entry->help);
        json_push(topics, topic);
    }
    return topics;
}

struct json *topology_describe(const struct topology *topology)
{
    struct json *all = json_object_new(), *exchanges = json_array_new();
    AUTO_FREE char *topics = mem_printf("%s.topics", topology->exchange);
    json_push(exchanges,
              exchange_new(topology->exchange, "Work and events, each to its queue: persistent, confirmed."));
    json_push(exchanges, exchange_new(topics, "What everybody hears who is there; nothing is kept."));
    json_set(all, "exchanges", exchanges);
    json_set(all, "queues", queues_of(topology));
    json_set(all, "topics", topics_of(topics));
    return all;
}

static void print_arguments(const struct json *arguments, struct buf *out)
{
    struct json_iter argument;
    const char *between = "";
    JSON_EACH(arguments, argument)
    {
        AUTO_FREE char *text = json_dup_text(argument.value);
        buf_printf(out, "%s%s=%s", between, argument.key,
                   json_as_str(argument.value) == NULL ? text : json_as_str(argument.value));
        between = ", ";
    }
}

void topology_print_text(const struct topology *topology, struct buf *out)
{
    AUTO_JSON struct json *all = topology_describe(topology);
    const struct json *exchanges = json_get(all, "exchanges"), *queues = json_get(all, "queues"),
                      *topics = json_get(all, "topics");
    buf_add_str(out, "Exchanges (durable):\n");
    for (size_t i = 0; i < json_count(exchanges); i++)
        buf_printf(out, "  %-32s %-8s %s\n", json_get_str(json_at(exchanges, i), "name"),
                   json_get_str(json_at(exchanges, i), "type"), json_get_str(json_at(exchanges, i), "help"));
    buf_add_str(out, "\nQueues (durable):\n");
    for (size_t i = 0; i < json_count(queues); i++) {
        const struct json *queue = json_at(queues, i), *binding = json_at(json_get(queue, "bindings"), 0);
        buf_printf(out, "  %s\n    bound to %s with %s; ", json_get_str(queue, "name"),
                   json_get_str(binding, "exchange"), json_get_str(binding, "routingKey"));
        print_arguments(json_get(queue, "arguments"), out);
        buf_add_char(out, '\n');
    }
    buf_add_str(out, "\nTopics (each subscriber has an exclusive queue, bound while it is there):\n");
    for (size_t i = 0; i < json_count(topics); i++) {
        const struct json *topic = json_at(topics, i);
        buf_printf(out, "  %s with %s; ", json_get_str(topic, "exchange"), json_get_str(topic, "routingKey"));
        print_arguments(json_get(topic, "arguments"), out);
        buf_add_char(out, '\n');
    }
}
