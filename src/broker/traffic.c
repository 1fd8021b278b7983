/* Counts what is published, by kind of queue. */
#include "broker/broker_int.h"
#include "broker/queues.h"

#include <string.h>

static bool is_of(const struct queue_entry *entry, const char *queue)
{
    return entry->each == QUEUE_ONE ? strcmp(entry->name, queue) == 0
                                    : strncmp(entry->name, queue, strlen(entry->name)) == 0;
}

static void count(struct broker_counter *counter, size_t size)
{
    atomic_fetch_add_explicit(&counter->messages, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counter->bytes, size, memory_order_relaxed);
}

void traffic_count_queue(struct broker *broker, const char *queue, size_t size)
{
    for (size_t i = 0; i < BROKER_KINDS_MAX && queue_table[i].name != NULL; i++)
        if (is_of(&queue_table[i], queue)) {
            count(&broker->queues[i], size);
            return;
        }
}

void traffic_count_topic(struct broker *broker, const char *topic, size_t size)
{
    for (size_t i = 0; i < BROKER_KINDS_MAX && topic_table[i].name != NULL; i++)
        if (strcmp(topic_table[i].name, topic) == 0) {
            count(&broker->topics[i], size);
            return;
        }
}

static struct broker_traffic read_counter(const char *name, const struct broker_counter *counter)
{
    return (struct broker_traffic){
        .name = name, .messages = atomic_load(&counter->messages), .bytes = atomic_load(&counter->bytes)};
}

size_t broker_traffic(const struct broker *broker, struct broker_traffic ret[BROKER_TRAFFIC_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < BROKER_KINDS_MAX && queue_table[i].name != NULL; i++)
        ret[n++] = read_counter(queue_table[i].name, &broker->queues[i]);
    for (size_t i = 0; i < BROKER_KINDS_MAX && topic_table[i].name != NULL; i++)
        ret[n++] = read_counter(topic_table[i].name, &broker->topics[i]);
    return n;
}
