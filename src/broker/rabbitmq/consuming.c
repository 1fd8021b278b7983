/* The consuming connection: what consumers and subscribers want is compared with what the broker was told, and the
 * difference said. A consumer has a channel for each priority of its queue. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_US 1000000 /* after the broker took a queue or a channel away */
#define PREFETCH_MAX 65535

void consumer_free(struct rabbit_consumer *consumer)
{
    for (unsigned i = 0; i < consumer->feed_count; i++) {
        consuming_drop_held(consumer, i);
        bytes_unref(consumer->feeds[i].message.body);
        bytes_unref(consumer->feeds[i].message.dead_from);
        bytes_unref(consumer->feeds[i].message.dead_reason);
    }
    map_done(&consumer->unacked);
    bytes_unref(consumer->queue);
    free(consumer->topic);
    free(consumer);
}

/* ---- channels, on the thread */

static bool open_channel(struct link *link, struct rabbit_consumer *consumer, unsigned number)
{
    struct rabbit *rabbit = link->rabbit;
    int most = amqp_get_channel_max(link->amqp);
    amqp_channel_t limit = most <= 0 || most > CHANNELS_MAX ? CHANNELS_MAX : (amqp_channel_t)most;
    for (unsigned tried = 0; tried < limit; tried++) { /* not the one just closed: something of it may be on its way */
        rabbit->last_channel = rabbit->last_channel >= limit || rabbit->last_channel < SPARE_CHANNEL
                                   ? SPARE_CHANNEL + 1
                                   : (amqp_channel_t)(rabbit->last_channel + 1);
        if (rabbit->last_channel > limit || rabbit->channels[rabbit->last_channel].consumer != NULL)
            continue;
        amqp_channel_t channel = rabbit->last_channel;
        if (!link_channel_open(link, channel))
            return false;
        rabbit->channels[channel].consumer = consumer;
        rabbit->channels[channel].feed = number;
        pthread_mutex_lock(&rabbit->lock);
        consumer->feeds[number].channel = channel;
        consumer->feeds[number].incarnation++;
        consumer->feeds[number].prefetch = 0;
        pthread_mutex_unlock(&rabbit->lock);
        return true;
    }
    log_event(LOG_ERROR, "RabbitMQ allows no more channels", LOG_UINT("channels", limit), LOG_END);
    consumer->feeds[number].retry_at_us = clock_monotonic_us() + AGAIN_US;
    return true;
}

static void forget_channel(struct rabbit *rabbit, struct rabbit_consumer *consumer, unsigned number)
{
    struct feed *feed = &consumer->feeds[number];
    if (feed->channel == 0)
        return;
    rabbit->channels[feed->channel].consumer = NULL;
    pthread_mutex_lock(&rabbit->lock);
    feed->channel = 0;
    feed->prefetch = 0;
    feed->partial = feed->unshown = false;
    consuming_drop_held(consumer, number);
    pthread_mutex_unlock(&rabbit->lock);
}

static bool close_channel(struct link *link, struct rabbit_consumer *consumer, unsigned number)
{
    struct error error = {0};
    amqp_channel_t channel = consumer->feeds[number].channel;
    if (channel == 0)
        return true;
    enum answer answer =
        link_answer(link, channel, amqp_channel_close(link->amqp, channel, AMQP_REPLY_SUCCESS), &error);
    forget_channel(link->rabbit, consumer, number);
    return answer != ANSWER_LOST;
}

static bool refused(struct link *link, struct rabbit_consumer *consumer, unsigned number, const struct error *error)
{
    log_event(LOG_WARN, "RabbitMQ refuses a consumer; trying on",
              LOG_STR("queue", consumer->queue == NULL ? consumer->topic : (const char *)consumer->queue->data),
              LOG_CAUSE(error), LOG_END);
    forget_channel(link->rabbit, consumer, number);
    consumer->feeds[number].retry_at_us = clock_monotonic_us() + AGAIN_US;
    return true;
}

static void format_tag(const struct feed *feed, char out[32])
{
    (void)snprintf(out, 32, "c%u.%u", feed->incarnation, feed->consuming);
}

static bool begin_consuming(struct link *link, struct rabbit_consumer *consumer, unsigned number, unsigned prefetch,
                            bool partial)
{
    struct rabbit *rabbit = link->rabbit;
    struct feed *feed = &consumer->feeds[number];
    struct error error = {0};
    char tag[32];
    AUTO_FREE char *key = queue_key((const char *)consumer->queue->data, number);
    AUTO_FREE char *queue = mem_printf("%s.%s", rabbit->prefix, key);
    pthread_mutex_lock(&rabbit->lock);
    feed->consuming++;
    feed->held_before = feed->held;
    feed->prefetch = prefetch;
    feed->partial = partial;
    feed->begun = false;
    pthread_mutex_unlock(&rabbit->lock);
    format_tag(feed, tag);
    (void)amqp_basic_qos(link->amqp, feed->channel, 0, (uint16_t)prefetch, 0);
    enum answer answer = link_last_answer(link, feed->channel, &error);
    if (answer == ANSWER_OK) {
        (void)amqp_basic_consume(link->amqp, feed->channel, text_bytes(queue), text_bytes(tag), 0, 0, 0,
                                 amqp_empty_table);
        answer = link_last_answer(link, feed->channel, &error);
    }
    pthread_mutex_lock(&rabbit->lock);
    feed->begun = answer == ANSWER_OK;
    pthread_mutex_unlock(&rabbit->lock);
    return answer == ANSWER_OK || (answer == ANSWER_REFUSED && refused(link, consumer, number, &error));
}

bool consuming_end(struct link *link, struct rabbit_consumer *consumer, unsigned number)
{
    struct feed *feed = &consumer->feeds[number];
    struct error error = {0};
    char tag[32];
    format_tag(feed, tag);
    (void)amqp_basic_cancel(link->amqp, feed->channel, text_bytes(tag));
    enum answer answer = link_last_answer(link, feed->channel, &error);
    pthread_mutex_lock(&link->rabbit->lock);
    feed->prefetch = 0;
    feed->partial = false;
    pthread_mutex_unlock(&link->rabbit->lock);
    return answer == ANSWER_OK || (answer == ANSWER_REFUSED && refused(link, consumer, number, &error));
}

static bool begin_listening(struct link *link, struct rabbit_consumer *consumer)
{
    struct error error = {0};
    struct feed *feed = &consumer->feeds[0];
    AUTO_FREE char *exchange = mem_printf("%s.topics", link->rabbit->prefix);
    amqp_table_entry_t bound = {.key = text_bytes("x-max-length"),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = TOPIC_LENGTH_MAX}};
    amqp_table_t arguments = {.num_entries = 1, .entries = &bound};
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(link->amqp, feed->channel, amqp_empty_bytes, 0, 0, 1, 1, arguments);
    enum answer answer = link_last_answer(link, feed->channel, &error);
    if (answer == ANSWER_OK) {
        AUTO_FREE char *queue = mem_dup_n(ok->queue.bytes, ok->queue.len);
        (void)amqp_queue_bind(link->amqp, feed->channel, text_bytes(queue), text_bytes(exchange),
                              text_bytes(consumer->topic), amqp_empty_table);
        answer = link_last_answer(link, feed->channel, &error);
        if (answer == ANSWER_OK) {
            (void)amqp_basic_consume(link->amqp, feed->channel, text_bytes(queue), amqp_empty_bytes, 0, 1, 1,
                                     amqp_empty_table);
            answer = link_last_answer(link, feed->channel, &error);
        }
    }
    if (answer == ANSWER_OK)
        feed->prefetch = 1;
    return answer == ANSWER_OK || (answer == ANSWER_REFUSED && refused(link, consumer, 0, &error));
}

/* ---- what is wanted, and what is */

enum step { STEP_NONE, STEP_OPEN, STEP_BEGIN, STEP_END, STEP_CLOSE };

static unsigned wanted_of(const struct rabbit_consumer *consumer)
{
    return consumer->cancelled || consumer->orphaned ? 0
           : consumer->wanted > PREFETCH_MAX         ? PREFETCH_MAX
                                                     : consumer->wanted;
}

bool feed_keeps_place(const struct rabbit_consumer *consumer, const struct feed *feed)
{
    return consumer->single_active && !consumer->orphaned &&
           (consumer->cancelled ? feed->held == 0 : consumer->wanted == 0 || feed->unshown);
}

bool feed_must_end(const struct rabbit_consumer *consumer, const struct feed *feed)
{
    if (feed->prefetch == 0 || consumer->queue == NULL || feed_keeps_place(consumer, feed))
        return false;
    unsigned wanted = wanted_of(consumer);
    bool all_new = feed->partial && feed->held_before == 0;
    bool same = feed->partial ? feed->prefetch <= wanted : feed->prefetch == wanted;
    return !same || all_new;
}

/* One step towards it; the frames that the step leads to are read before the next. */
static enum step next_step(const struct rabbit_consumer *consumer, const struct feed *feed, int64_t now_us,
                           unsigned *ret_prefetch, bool *ret_partial)
{
    unsigned wanted = wanted_of(consumer);
    if (feed->prefetch > 0 && feed_keeps_place(consumer, feed))
        return feed->held == 0 && (consumer->cancelled || wanted > 0) ? STEP_CLOSE : STEP_NONE;
    if (feed->prefetch > 0)
        return feed_must_end(consumer, feed) ? STEP_END : STEP_NONE;
    if (feed->channel != 0 && wanted == 0 && feed->held == 0 && consumer->cancelled)
        return STEP_CLOSE;
    if (wanted <= feed->held || now_us < feed->retry_at_us)
        return STEP_NONE;
    *ret_prefetch = wanted - feed->held;
    *ret_partial = feed->held > 0;
    return feed->channel == 0 ? STEP_OPEN : STEP_BEGIN;
}

static bool take_step(struct link *link, struct rabbit_consumer *consumer, unsigned number, bool *ret_more)
{
    unsigned prefetch = 0;
    bool partial = false;
    pthread_mutex_lock(&link->rabbit->lock);
    enum step step = next_step(consumer, &consumer->feeds[number], clock_monotonic_us(), &prefetch, &partial);
    pthread_mutex_unlock(&link->rabbit->lock);
    *ret_more |= step != STEP_NONE;
    switch (step) {
    case STEP_NONE:
        return true;
    case STEP_OPEN:
        return open_channel(link, consumer, number);
    case STEP_BEGIN:
        return consumer->queue == NULL ? begin_listening(link, consumer)
                                       : begin_consuming(link, consumer, number, prefetch, partial);
    case STEP_END:
        return consuming_end(link, consumer, number);
    case STEP_CLOSE:
        return verdicts_send(link) && close_channel(link, consumer, number);
    }
    return true;
}

static void remove_consumer(struct rabbit *rabbit, struct rabbit_consumer *consumer)
{
    pthread_mutex_lock(&rabbit->lock);
    struct rabbit_consumer **place = &rabbit->consumers;
    while (*place != consumer)
        place = &(*place)->next;
    *place = consumer->next;
    verdicts_forget(rabbit, consumer);
    pthread_mutex_unlock(&rabbit->lock);
    consumer_free(consumer);
}

static struct rabbit_consumer *first_consumer(struct rabbit *rabbit)
{
    pthread_mutex_lock(&rabbit->lock);
    struct rabbit_consumer *consumer = rabbit->consumers;
    pthread_mutex_unlock(&rabbit->lock);
    return consumer;
}

/* The list begins with the youngest; what the oldest consumers hold must be first in the queue again. */
static struct rabbit_consumer *oldest_gone(struct rabbit *rabbit)
{
    struct rabbit_consumer *oldest = NULL;
    pthread_mutex_lock(&rabbit->lock);
    for (struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL; consumer = consumer->next)
        if (consumer->connection == NULL)
            oldest = consumer;
    pthread_mutex_unlock(&rabbit->lock);
    return oldest;
}

static bool close_gone(struct link *link)
{
    struct rabbit_consumer *consumer;
    while ((consumer = oldest_gone(link->rabbit)) != NULL) {
        if (!verdicts_send(link)) /* its last words were said before */
            return false;
        for (unsigned i = 0; i < consumer->feed_count; i++)
            if (!close_channel(link, consumer, i))
                return false;
        remove_consumer(link->rabbit, consumer);
    }
    return true;
}

static bool reconcile(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    pthread_mutex_lock(&rabbit->lock);
    bool dirty = rabbit->dirty;
    rabbit->dirty = false;
    pthread_mutex_unlock(&rabbit->lock);
    if (!dirty)
        return true;
    bool more = false;
    if (!close_gone(link))
        return false;
    for (struct rabbit_consumer *consumer = first_consumer(rabbit); consumer != NULL; consumer = consumer->next)
        for (unsigned i = 0; i < consumer->feed_count; i++)
            if (!take_step(link, consumer, i, &more))
                return false;
    if (more) {
        pthread_mutex_lock(&rabbit->lock);
        rabbit->dirty = true;
        pthread_mutex_unlock(&rabbit->lock);
    }
    return true;
}

/* ---- the link */

static bool on_up(struct link *link)
{
    link->rabbit->last_channel = SPARE_CHANNEL;
    pthread_mutex_lock(&link->rabbit->lock);
    link->rabbit->dirty = true;
    pthread_mutex_unlock(&link->rabbit->lock);
    return link_channel_open(link, CONTROL_CHANNEL) && queues_declare_all(link, CONTROL_CHANNEL);
}

static void on_down(struct link *link)
{
    for (struct rabbit_consumer *consumer = first_consumer(link->rabbit); consumer != NULL; consumer = consumer->next)
        for (unsigned i = 0; i < consumer->feed_count; i++)
            forget_channel(link->rabbit, consumer, i);
}

static bool work(struct link *link)
{
    publishing_expire(link->rabbit);
    return verdicts_send_due(link) && queues_work(link, CONTROL_CHANNEL) && reconcile(link) &&
           queues_count(link, CONTROL_CHANNEL);
}

/* A feed that lost its place is looked at again when its time has come. */
static int next_ms(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    int64_t next_us = INT64_MAX, now_us = clock_monotonic_us();
    publishing_expire(rabbit);
    pthread_mutex_lock(&rabbit->lock);
    for (const struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL; consumer = consumer->next)
        for (unsigned i = 0; i < consumer->feed_count; i++)
            if (consumer->feeds[i].retry_at_us > 0 && consumer->feeds[i].prefetch == 0 &&
                consumer->feeds[i].retry_at_us < next_us)
                next_us = consumer->feeds[i].retry_at_us;
    if (next_us <= now_us)
        rabbit->dirty = true;
    int verdicts_ms = verdicts_wait_ms(rabbit);
    bool busy = rabbit->dirty || rabbit->requests != NULL;
    pthread_mutex_unlock(&rabbit->lock);
    int ms = busy ? 0 : next_us - now_us > 1000000 ? 1000 : (int)((next_us - now_us) / 1000) + 1;
    return verdicts_ms >= 0 && verdicts_ms < ms ? verdicts_ms : ms;
}

/* The broker took the queue from under it: it may have been deleted by somebody else, who does not know of us. */
static void on_taken_away(struct link *link, struct rabbit_consumer *consumer, unsigned number)
{
    struct rabbit *rabbit = link->rabbit;
    struct request *request = NULL;
    pthread_mutex_lock(&rabbit->lock);
    consumer->feeds[number].prefetch = 0;
    consumer->feeds[number].retry_at_us = clock_monotonic_us() + AGAIN_US;
    const struct known *known = consumer->queue == NULL || consumer->orphaned
                                    ? NULL
                                    : map_get(&rabbit->queues, (const char *)consumer->queue->data);
    if (known != NULL && known->declared) {
        request = mem_alloc(sizeof *request);
        *request = (struct request){.abandoned = true, .name = mem_dup(known->name), .options = known->options};
        request->options.dead_letter_queue = mem_dup(known->options.dead_letter_queue);
        *rabbit->last_request = request;
        rabbit->last_request = &request->next;
    }
    rabbit->dirty = true;
    pthread_mutex_unlock(&rabbit->lock);
}

static bool on_frame(struct link *link, const amqp_frame_t *frame)
{
    struct rabbit *rabbit = link->rabbit;
    if (frame->channel > CHANNELS_MAX)
        return false;
    struct rabbit_consumer *consumer = rabbit->channels[frame->channel].consumer;
    bool is_method = frame->frame_type == AMQP_FRAME_METHOD;
    if (is_method && frame->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = frame->payload.method.decoded;
        log_event(LOG_WARN, "RabbitMQ closed a channel",
                  LOG_STR_N("error", close->reply_text.bytes, close->reply_text.len), LOG_END);
        link_close_ok(link, frame->channel);
        if (consumer == NULL)
            return frame->channel > SPARE_CHANNEL; /* without the control channel: anew */
        unsigned number = rabbit->channels[frame->channel].feed;
        forget_channel(rabbit, consumer, number);
        on_taken_away(link, consumer, number);
        return true;
    }
    if (consumer == NULL)
        return true;
    if (is_method && frame->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        on_taken_away(link, consumer, rabbit->channels[frame->channel].feed);
    else if (!is_method || frame->payload.method.id == AMQP_BASIC_DELIVER_METHOD)
        return consuming_on_delivery(link, frame);
    return true;
}

const struct link_ops consuming_ops = {
    .name = "consuming", .on_up = on_up, .on_down = on_down, .work = work, .on_frame = on_frame, .next_ms = next_ms};

/* ---- calls from other threads */

static void touch(struct rabbit *rabbit)
{
    rabbit->dirty = true;
    link_wake(&rabbit->consuming);
}

static struct rabbit_consumer *consumer_new(struct rabbit *rabbit, struct rabbit_connection *connection, unsigned feeds)
{
    struct rabbit_consumer *consumer = mem_alloc(sizeof *consumer + feeds * sizeof consumer->feeds[0]);
    consumer->base.connection = &connection->base;
    consumer->rabbit = rabbit;
    consumer->connection = connection;
    consumer->feed_count = feeds;
    consumer->next = rabbit->consumers;
    map_init(&consumer->unacked);
    rabbit->consumers = consumer;
    touch(rabbit);
    return consumer;
}

struct broker_consumer *rabbit_consume(struct broker_connection *base, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user)
{
    struct rabbit *rabbit = (struct rabbit *)base->broker;
    struct rabbit_consumer *consumer = NULL;
    pthread_mutex_lock(&rabbit->lock);
    const struct known *known = map_get(&rabbit->queues, queue);
    if (known != NULL && known->declared) {
        consumer = consumer_new(rabbit, (struct rabbit_connection *)base, queue_levels(&known->options));
        consumer->queue = bytes_new(queue, strlen(queue) + 1);
        consumer->single_active = known->options.single_active;
        consumer->wanted = prefetch;
        consumer->on_delivery = on_delivery;
        consumer->user = user;
    }
    pthread_mutex_unlock(&rabbit->lock);
    return consumer == NULL ? NULL : &consumer->base;
}

void rabbit_set_prefetch(struct broker_consumer *base, unsigned prefetch)
{
    struct rabbit_consumer *consumer = (struct rabbit_consumer *)base;
    pthread_mutex_lock(&consumer->rabbit->lock);
    if (consumer->wanted != prefetch) {
        consumer->wanted = prefetch;
        touch(consumer->rabbit);
    }
    pthread_mutex_unlock(&consumer->rabbit->lock);
}

bool rabbit_is_consuming(struct broker_consumer *base)
{
    struct rabbit_consumer *consumer = (struct rabbit_consumer *)base;
    bool consuming = true;
    pthread_mutex_lock(&consumer->rabbit->lock);
    for (unsigned i = 0; i < consumer->feed_count; i++)
        consuming &= consumer->feeds[i].prefetch > 0 && consumer->feeds[i].begun &&
                     !feed_keeps_place(consumer, &consumer->feeds[i]);
    pthread_mutex_unlock(&consumer->rabbit->lock);
    return consuming;
}

/* Under the lock. Yours; NULL: a second time, or of a lost connection. */
static struct held *take_held(struct rabbit_consumer *consumer, uint64_t tag)
{
    char text[20];
    tag_format(tag, text);
    struct held *held = map_put(&consumer->unacked, text, NULL);
    if (held == NULL)
        return NULL;
    struct feed *feed = &consumer->feeds[held->feed];
    feed->held--;
    feed->held_before -= held->consuming != feed->consuming;
    return held;
}

/* Under the lock. */
static void judge(struct rabbit_consumer *consumer, uint64_t tag, bool ack, bool requeue)
{
    struct rabbit *rabbit = consumer->rabbit;
    struct held *held = take_held(consumer, tag);
    if (held == NULL)
        return;
    const struct feed *feed = &consumer->feeds[held->feed];
    verdicts_add(consumer, held, ack, requeue);
    if (feed->partial || feed->unshown || feed->prefetch == 0)
        rabbit->dirty = true;
    free(held);
}

/* Under the lock: what is given back alone would come again behind what is kept back. */
static void keep_back(struct rabbit_consumer *consumer, uint64_t tag)
{
    struct held *held = take_held(consumer, tag);
    if (held != NULL)
        consumer->feeds[held->feed].unshown = true;
    free(held);
}

void rabbit_ack(struct broker_consumer *base, uint64_t tag)
{
    struct rabbit_consumer *consumer = (struct rabbit_consumer *)base;
    pthread_mutex_lock(&consumer->rabbit->lock);
    judge(consumer, tag, true, false);
    pthread_mutex_unlock(&consumer->rabbit->lock);
}

void rabbit_nack(struct broker_consumer *base, uint64_t tag, bool requeue)
{
    struct rabbit_consumer *consumer = (struct rabbit_consumer *)base;
    pthread_mutex_lock(&consumer->rabbit->lock);
    judge(consumer, tag, false, requeue);
    pthread_mutex_unlock(&consumer->rabbit->lock);
}

void rabbit_cancel(struct broker_consumer *base)
{
    struct rabbit_consumer *consumer = (struct rabbit_consumer *)base;
    pthread_mutex_lock(&consumer->rabbit->lock);
    consumer->cancelled = true;
    bool keeps = consumer->single_active && inbox_count_of(consumer->connection, consumer) == consumer->unacked.count;
    struct call *call;
    while ((call = inbox_take_of(consumer->connection, consumer)) != NULL) { /* not shown is not delivered */
        if (keeps)
            keep_back(consumer, call->delivery.tag);
        else
            judge(consumer, call->delivery.tag, false, true);
        call_free(call);
    }
    touch(consumer->rabbit);
    pthread_mutex_unlock(&consumer->rabbit->lock);
}

void rabbit_subscribe(struct broker_connection *base, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user)
{
    struct rabbit *rabbit = (struct rabbit *)base->broker;
    pthread_mutex_lock(&rabbit->lock);
    struct rabbit_consumer *consumer = consumer_new(rabbit, (struct rabbit_connection *)base, 1);
    consumer->topic = mem_dup(topic);
    consumer->wanted = 1;
    consumer->on_message = on_message;
    consumer->user = user;
    pthread_mutex_unlock(&rabbit->lock);
}

void consumers_close(struct rabbit *rabbit, struct rabbit_connection *connection)
{
    for (struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL; consumer = consumer->next)
        if (consumer->connection == connection)
            consumer->connection = NULL;
    touch(rabbit);
}

bool rabbit_has_subscribers(struct broker *broker, const char *topic)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    pthread_mutex_lock(&rabbit->lock);
    bool found = false;
    for (const struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL && !found;
         consumer = consumer->next)
        found = consumer->connection != NULL && consumer->topic != NULL && strcmp(consumer->topic, topic) == 0;
    const struct unheard *unheard = map_get(&rabbit->unheard, topic);
    found |= unheard == NULL || unheard->until_us < clock_monotonic_us();
    pthread_mutex_unlock(&rabbit->lock);
    return found;
}

size_t rabbit_queue_unacked(struct broker *broker, const char *name)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    size_t unacked = 0;
    pthread_mutex_lock(&rabbit->lock);
    for (const struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL; consumer = consumer->next)
        if (consumer->connection != NULL && consumer->queue != NULL && !consumer->orphaned &&
            strcmp((const char *)consumer->queue->data, name) == 0)
            unacked += consumer->unacked.count;
    pthread_mutex_unlock(&rabbit->lock);
    return unacked;
}
