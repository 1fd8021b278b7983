/* From frames to deliveries. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

void tag_format(uint64_t tag, char out[20])
{
    for (int i = 15; i >= 0; i--, tag >>= 4)
        out[i] = "0123456789abcdef"[tag & 15];
    out[16] = '\0';
}

static void reset(struct feed *feed)
{
    bytes_unref(feed->message.body);
    bytes_unref(feed->message.dead_from);
    bytes_unref(feed->message.dead_reason);
    memset(&feed->message, 0, sizeof feed->message);
}

static void begin(struct feed *feed, const amqp_basic_deliver_t *deliver)
{
    reset(feed);
    feed->message.active = true;
    feed->message.tag = deliver->delivery_tag;
    feed->message.redelivered = deliver->redelivered != 0;
}

static const amqp_field_value_t *find(const amqp_table_t *table, const char *key)
{
    for (int i = 0; i < table->num_entries; i++)
        if (table->entries[i].key.len == strlen(key) && memcmp(table->entries[i].key.bytes, key, strlen(key)) == 0)
            return &table->entries[i].value;
    return NULL;
}

static struct bytes *text_of(const amqp_table_t *table, const char *key, size_t skip)
{
    const amqp_field_value_t *value = find(table, key);
    if (value == NULL || (value->kind != AMQP_FIELD_KIND_UTF8 && value->kind != AMQP_FIELD_KIND_BYTES) ||
        value->value.bytes.len < skip)
        return NULL;
    struct bytes *text = bytes_new(NULL, value->value.bytes.len - skip + 1);
    memcpy(text->data, (const char *)value->value.bytes.bytes + skip, text->size - 1);
    return text;
}

/* The queue's name as the program knows it: without prefix and level. */
static void read_death(struct rabbit *rabbit, struct feed *feed, const amqp_table_t *headers)
{
    feed->message.dead_reason = text_of(headers, DEATH_REASON, 0);
    feed->message.dead_from = text_of(headers, DEATH_QUEUE, 0);
    const amqp_field_value_t *deaths = find(headers, "x-death");
    if (feed->message.dead_reason != NULL || deaths == NULL || deaths->kind != AMQP_FIELD_KIND_ARRAY ||
        deaths->value.array.num_entries < 1 || deaths->value.array.entries[0].kind != AMQP_FIELD_KIND_TABLE)
        return;
    const amqp_table_t *latest = &deaths->value.array.entries[0].value.table;
    feed->message.dead_reason = text_of(latest, "reason", 0);
    feed->message.dead_from = text_of(latest, "queue", strlen(rabbit->prefix) + 1);
    if (feed->message.dead_from != NULL) {
        char *level = strrchr((char *)feed->message.dead_from->data, '~');
        if (level != NULL && level[1] >= '0' && level[1] <= '9' && level[2] == '\0')
            *level = '\0';
    }
}

static void describe(struct rabbit *rabbit, struct feed *feed, uint64_t size, const amqp_basic_properties_t *properties)
{
    if (size > LIMIT_MESSAGE_BYTES) {
        feed->message.refused = true;
        feed->message.body = bytes_new(NULL, 0);
        feed->message.filled = (size_t)size; /* what comes is not kept */
        return;
    }
    feed->message.body = bytes_new(NULL, (size_t)size);
    if ((properties->_flags & AMQP_BASIC_PRIORITY_FLAG) != 0)
        feed->message.priority = properties->priority;
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) == 0)
        return;
    const amqp_field_value_t *count = find(&properties->headers, "x-delivery-count");
    if (count != NULL && count->kind == AMQP_FIELD_KIND_I64 && count->value.i64 > 0)
        feed->message.redelivered = true;
    read_death(rabbit, feed, &properties->headers);
}

static void show(struct rabbit *rabbit, struct rabbit_consumer *consumer, unsigned number)
{
    struct feed *feed = &consumer->feeds[number];
    char text[20];
    struct held *held = mem_alloc(sizeof *held);
    *held = (struct held){
        .tag = feed->message.tag, .feed = number, .incarnation = feed->incarnation, .consuming = feed->consuming};
    uint64_t tag = ++rabbit->tag;
    tag_format(tag, text);
    (void)map_put(&consumer->unacked, text, held);
    feed->held++;
    struct call *call = inbox_add(consumer->connection);
    call->consumer = consumer;
    call->body = bytes_ref(feed->message.body);
    call->queue = bytes_ref(consumer->queue);
    call->dead_from = feed->message.dead_from == NULL ? NULL : bytes_ref(feed->message.dead_from);
    call->dead_reason = feed->message.dead_reason == NULL ? NULL : bytes_ref(feed->message.dead_reason);
    call->delivery = (struct broker_delivery){
        .tag = tag,
        .queue = (const char *)call->queue->data,
        .dead_reason = call->dead_reason == NULL ? NULL : (const char *)call->dead_reason->data,
        .dead_from = call->dead_from == NULL ? NULL : (const char *)call->dead_from->data,
        .body = call->body->data,
        .size = call->body->size,
        .priority = feed->message.priority,
        .redelivered = feed->message.redelivered};
}

static void announce(struct rabbit_consumer *consumer, const struct feed *feed)
{
    struct call *call = inbox_add(consumer->connection);
    call->on_message = consumer->on_message;
    call->user = consumer->user;
    call->body = bytes_ref(feed->message.body);
}

static bool complete(struct link *link, struct rabbit_consumer *consumer, unsigned number)
{
    struct rabbit *rabbit = link->rabbit;
    struct feed *feed = &consumer->feeds[number];
    int status = AMQP_STATUS_OK;
    pthread_mutex_lock(&rabbit->lock);
    bool wanted = consumer->connection != NULL && !consumer->cancelled;
    bool keeps = consumer->connection != NULL && feed_keeps_place(consumer, feed);
    feed->unshown |= keeps;
    wanted &= !keeps;
    if (wanted && !feed->message.refused && consumer->queue == NULL)
        announce(consumer, feed);
    else if (wanted && !feed->message.refused)
        show(rabbit, consumer, number);
    pthread_mutex_unlock(&rabbit->lock);
    if (feed->message.refused) {
        log_event(LOG_ERROR, "a message is larger than any may be", LOG_UINT("bytes", feed->message.filled),
                  LOG_STR("queue", consumer->queue == NULL ? NULL : (const char *)consumer->queue->data), LOG_END);
        if (consumer->queue != NULL)
            status = amqp_basic_nack(link->amqp, feed->channel, feed->message.tag, 0, 0);
    } else if (!wanted && !keeps && consumer->queue != NULL) {
        status = amqp_basic_nack(link->amqp, feed->channel, feed->message.tag, 0, 1);
    }
    reset(feed);
    return status == AMQP_STATUS_OK;
}

bool consuming_on_delivery(struct link *link, const amqp_frame_t *frame)
{
    struct rabbit_consumer *consumer = link->rabbit->channels[frame->channel].consumer;
    unsigned number = link->rabbit->channels[frame->channel].feed;
    struct feed *feed = &consumer->feeds[number];
    if (frame->frame_type == AMQP_FRAME_METHOD) {
        begin(feed, frame->payload.method.decoded);
        return true;
    }
    if (!feed->message.active)
        return true;
    if (frame->frame_type == AMQP_FRAME_HEADER) {
        if (feed->message.body != NULL)
            return false; /* no broker does that */
        describe(link->rabbit, feed, frame->payload.properties.body_size, frame->payload.properties.decoded);
    } else if (feed->message.body == NULL) {
        return false;
    } else if (!feed->message.refused) {
        amqp_bytes_t part = frame->payload.body_fragment;
        if (part.len > feed->message.body->size - feed->message.filled)
            return false;
        memcpy(feed->message.body->data + feed->message.filled, part.bytes, part.len);
        feed->message.filled += part.len;
    }
    /* One that is refused is answered at its header; its body comes, and is not looked at. */
    if (!feed->message.refused && feed->message.filled < feed->message.body->size)
        return true;
    return complete(link, consumer, number);
}

struct chosen {
    char (*keys)[20];
    size_t count;
    unsigned feed;
};

static void choose(void *user, const char *key, void *value)
{
    struct chosen *chosen = user;
    if (((const struct held *)value)->feed == chosen->feed)
        memcpy(chosen->keys[chosen->count++], key, 17);
}

void consuming_drop_held(struct rabbit_consumer *consumer, unsigned number)
{
    struct chosen chosen = {.keys = mem_array(consumer->unacked.count, sizeof *chosen.keys), .feed = number};
    map_each(&consumer->unacked, choose, &chosen);
    for (size_t i = 0; i < chosen.count; i++)
        free(map_put(&consumer->unacked, chosen.keys[i], NULL));
    free(chosen.keys);
    struct feed *feed = &consumer->feeds[number];
    feed->held = feed->held_before = 0;
    if (consumer->connection != NULL)
        inbox_drop_void(consumer->connection, consumer); /* what was not shown yet comes again */
    reset(feed);
}
