/* The publishing connection: publications wait for it, are confirmed on it, and are sent again on the next one. Queues'
 * messages go over one channel with confirms, topics' over another without. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_CHANNEL 1
#define TOPIC_CHANNEL 2
#define WAITING_MAX 200000
#define WAITING_BYTES_MAX ((size_t)512 << 20)
#define DELAY_US 20000    /* of a publication that the fault hook delays */
#define UNHEARD_US 200000 /* for so long nobody listens to a topic that nobody listened to */
#define SENT_AT_ONCE 64   /* publications between two looks at what comes in */

static void append(struct publications *list, struct publication *publication)
{
    if (list->first == NULL)
        list->last = &list->first;
    publication->next = NULL;
    *list->last = publication;
    list->last = &publication->next;
}

static struct publication *unlink_at(struct publications *list, struct publication **place)
{
    struct publication *publication = *place;
    *place = publication->next;
    if (publication->next == NULL)
        list->last = place;
    return publication;
}

static void publication_free(struct publication *publication)
{
    free(publication->key);
    bytes_unref(publication->body);
    free(publication);
}

/* The end of a publication; its list has let go of it. */
static void conclude(struct rabbit *rabbit, struct publication *publication, enum err code)
{
    rabbit->publication_count--;
    rabbit->publication_bytes -= publication->body->size;
    if (publication->connection != NULL && publication->on_confirm != NULL) {
        struct call *call = inbox_add(publication->connection);
        call->on_confirm = publication->on_confirm;
        call->user = publication->user;
        call->code = code;
    }
    publication_free(publication);
}

static struct publication *doubled(const struct publication *publication)
{
    struct publication *twin = mem_alloc(sizeof *twin);
    *twin = (struct publication){.key = mem_dup(publication->key),
                                 .priority = publication->priority,
                                 .body = bytes_ref(publication->body),
                                 .deadline_us = publication->deadline_us};
    return twin;
}

static void admit(struct rabbit *rabbit, struct publications *list, struct publication *publication)
{
    publication->serial = ++rabbit->serial;
    rabbit->publication_count++;
    rabbit->publication_bytes += publication->body->size;
    append(list, publication);
    link_wake(&rabbit->publishing);
}

void publishing_add(struct rabbit *rabbit, struct publication *publication, int fault)
{
    int64_t now_us = clock_monotonic_us();
    publication->deadline_us = now_us + BROKER_PUBLISH_MS * INT64_C(1000);
    if (fault == 1) {
        publication_free(publication);
        return;
    }
    if (rabbit->publication_count >= WAITING_MAX || rabbit->publication_bytes >= WAITING_BYTES_MAX) {
        rabbit->publication_count++;
        rabbit->publication_bytes += publication->body->size;
        conclude(rabbit, publication, ERR_UNAVAILABLE);
        return;
    }
    if (fault == 2)
        admit(rabbit, &rabbit->waiting, doubled(publication));
    if (fault == 3)
        publication->due_us = now_us + DELAY_US;
    admit(rabbit, fault == 3 ? &rabbit->delayed : &rabbit->waiting, publication);
}

static void expire(struct rabbit *rabbit, struct publications *list, int64_t now_us)
{
    struct publication **place = &list->first;
    while (*place != NULL) {
        if ((*place)->sending || (*place)->deadline_us > now_us)
            place = &(*place)->next;
        else
            conclude(rabbit, unlink_at(list, place), ERR_UNAVAILABLE);
    }
}

void publishing_expire(struct rabbit *rabbit)
{
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&rabbit->lock);
    if (now_us >= rabbit->expire_at_us) {
        rabbit->expire_at_us = now_us + 250000;
        expire(rabbit, &rabbit->waiting, now_us);
        expire(rabbit, &rabbit->unconfirmed, now_us);
    }
    pthread_mutex_unlock(&rabbit->lock);
}

static void release_delayed(struct rabbit *rabbit, int64_t until_us, const struct rabbit_connection *of)
{
    struct publication **place = &rabbit->delayed.first;
    while (*place != NULL) {
        if ((*place)->due_us > until_us || (of != NULL && (*place)->connection != of))
            place = &(*place)->next;
        else
            append(&rabbit->waiting, unlink_at(&rabbit->delayed, place));
    }
}

void publishing_forget(struct rabbit *rabbit, struct rabbit_connection *connection)
{
    release_delayed(rabbit, INT64_MAX, connection); /* sent is sent */
    const struct publications *lists[] = {&rabbit->waiting, &rabbit->unconfirmed};
    for (int i = 0; i < 2; i++)
        for (struct publication *publication = lists[i]->first; publication != NULL; publication = publication->next)
            if (publication->connection == connection)
                publication->connection = NULL;
    link_wake(&rabbit->publishing);
}

static void free_list(struct publications *list)
{
    while (list->first != NULL)
        publication_free(unlink_at(list, &list->first));
}

void publishing_free(struct rabbit *rabbit)
{
    free_list(&rabbit->waiting);
    free_list(&rabbit->unconfirmed);
    free_list(&rabbit->delayed);
}

/* ---- on the thread */

/* What the former connection did not confirm goes first, in its order. */
static void send_again(struct rabbit *rabbit)
{
    if (rabbit->unconfirmed.first == NULL)
        return;
    for (struct publication *publication = rabbit->unconfirmed.first; publication != NULL;
         publication = publication->next)
        publication->returned = publication->sending = false;
    *rabbit->unconfirmed.last = rabbit->waiting.first;
    if (rabbit->waiting.first == NULL)
        rabbit->waiting.last = rabbit->unconfirmed.last;
    rabbit->waiting.first = rabbit->unconfirmed.first;
    rabbit->unconfirmed = (struct publications){0};
}

static bool on_up(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    struct error error = {0};
    rabbit->next_tag = 0;
    rabbit->returning[CONFIRM_CHANNEL] = rabbit->returning[TOPIC_CHANNEL] = false;
    if (!link_channel_open(link, TOPIC_CHANNEL) || !queues_declare_all(link, TOPIC_CHANNEL) ||
        !link_channel_open(link, CONFIRM_CHANNEL))
        return false;
    (void)amqp_confirm_select(link->amqp, CONFIRM_CHANNEL);
    return link_last_answer(link, CONFIRM_CHANNEL, &error) == ANSWER_OK;
}

static void on_down(struct link *link)
{
    pthread_mutex_lock(&link->rabbit->lock);
    send_again(link->rabbit);
    pthread_mutex_unlock(&link->rabbit->lock);
}

static struct publication *take_next(struct rabbit *rabbit, bool blocked)
{
    pthread_mutex_lock(&rabbit->lock);
    release_delayed(rabbit, clock_monotonic_us(), NULL);
    struct publication *publication =
        rabbit->waiting.first == NULL || blocked ? NULL : unlink_at(&rabbit->waiting, &rabbit->waiting.first);
    if (publication != NULL && !publication->topic) {
        publication->tag = ++rabbit->next_tag;
        publication->sending = true;
        append(&rabbit->unconfirmed, publication);
    }
    pthread_mutex_unlock(&rabbit->lock);
    return publication;
}

static int send_one(struct link *link, const struct publication *publication)
{
    struct rabbit *rabbit = link->rabbit;
    char exchange[160], id[64];
    (void)snprintf(exchange, sizeof exchange, "%s%s", rabbit->prefix, publication->topic ? ".topics" : "");
    (void)snprintf(id, sizeof id, "%s-%" PRIu64, rabbit->instance, publication->serial);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                                                    AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG,
                                          .delivery_mode = publication->topic ? 1 : 2,
                                          .message_id = amqp_cstring_bytes(id),
                                          .priority = (uint8_t)publication->priority,
                                          .content_type = amqp_cstring_bytes("application/json")};
    return amqp_basic_publish(link->amqp, publication->topic ? TOPIC_CHANNEL : CONFIRM_CHANNEL,
                              amqp_cstring_bytes(exchange), amqp_cstring_bytes(publication->key), 1, 0, &properties,
                              (amqp_bytes_t){.len = publication->body->size, .bytes = publication->body->data});
}

static bool work(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    struct publication *publication;
    for (int i = 0; i < SENT_AT_ONCE && (publication = take_next(rabbit, atomic_load(&link->blocked))) != NULL; i++) {
        int status = send_one(link, publication);
        pthread_mutex_lock(&rabbit->lock);
        publication->sending = false;
        if (publication->topic)
            conclude(rabbit, publication, ERR_OK);
        pthread_mutex_unlock(&rabbit->lock);
        if (status != AMQP_STATUS_OK)
            return false;
    }
    return true;
}

static int next_ms(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    pthread_mutex_lock(&rabbit->lock);
    int64_t left_us = INT64_MAX;
    if (rabbit->waiting.first != NULL && !atomic_load(&link->blocked))
        left_us = 0;
    else if (rabbit->delayed.first != NULL)
        left_us = rabbit->delayed.first->due_us - clock_monotonic_us();
    pthread_mutex_unlock(&rabbit->lock);
    return left_us <= 0 ? 0 : left_us > 1000000 ? 1000 : (int)(left_us / 1000) + 1;
}

static void confirm(struct rabbit *rabbit, uint64_t tag, bool multiple, bool good)
{
    pthread_mutex_lock(&rabbit->lock);
    struct publication **place = &rabbit->unconfirmed.first;
    while (*place != NULL && (*place)->tag <= tag) {
        if (!multiple && (*place)->tag != tag) {
            place = &(*place)->next;
            continue;
        }
        struct publication *publication = unlink_at(&rabbit->unconfirmed, place);
        conclude(rabbit, publication, !good ? ERR_UNAVAILABLE : publication->returned ? ERR_NOT_FOUND : ERR_OK);
    }
    pthread_mutex_unlock(&rabbit->lock);
}

/* The confirm comes after it. */
static void note_returned(struct rabbit *rabbit, amqp_bytes_t id)
{
    char text[96];
    const char *dash;
    if (id.len >= sizeof text)
        return;
    memcpy(text, id.bytes, id.len);
    text[id.len] = '\0';
    dash = strrchr(text, '-');
    uint64_t serial = dash == NULL ? 0 : strtoull(dash + 1, NULL, 10);
    pthread_mutex_lock(&rabbit->lock);
    for (struct publication *publication = rabbit->unconfirmed.first; publication != NULL;
         publication = publication->next)
        if (publication->serial == serial)
            publication->returned = true;
    pthread_mutex_unlock(&rabbit->lock);
}

static void note_unheard(struct rabbit *rabbit, amqp_bytes_t topic)
{
    AUTO_FREE char *name = mem_dup_n(topic.bytes, topic.len);
    pthread_mutex_lock(&rabbit->lock);
    struct unheard *unheard = map_get(&rabbit->unheard, name);
    if (unheard == NULL) {
        unheard = mem_alloc(sizeof *unheard);
        (void)map_put(&rabbit->unheard, name, unheard);
    }
    unheard->until_us = clock_monotonic_us() + UNHEARD_US;
    pthread_mutex_unlock(&rabbit->lock);
}

static bool on_method(struct link *link, amqp_channel_t channel, const amqp_method_t *method)
{
    if (method->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method->decoded;
        confirm(link->rabbit, ack->delivery_tag, ack->multiple != 0, true);
    } else if (method->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method->decoded;
        confirm(link->rabbit, nack->delivery_tag, nack->multiple != 0, false);
    } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
        const amqp_basic_return_t *returned = method->decoded;
        if (channel == TOPIC_CHANNEL)
            note_unheard(link->rabbit, returned->routing_key);
        link->rabbit->returning[channel] = true;
    } else {
        return method->id != AMQP_CHANNEL_CLOSE_METHOD; /* a defect of ours or of the broker: anew from the start */
    }
    return true;
}

static bool on_frame(struct link *link, const amqp_frame_t *frame)
{
    if (frame->channel > TOPIC_CHANNEL)
        return false;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return on_method(link, frame->channel, &frame->payload.method);
    if (frame->frame_type == AMQP_FRAME_HEADER && link->rabbit->returning[frame->channel]) {
        const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
        link->rabbit->returning[frame->channel] = false;
        if (frame->channel == CONFIRM_CHANNEL && (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
            note_returned(link->rabbit, properties->message_id);
    }
    return true;
}

const struct link_ops publishing_ops = {
    .name = "publishing", .on_up = on_up, .on_down = on_down, .work = work, .on_frame = on_frame, .next_ms = next_ms};
