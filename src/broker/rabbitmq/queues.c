/* Queues on the broker: names, arguments, declaring, deleting, counting. Quorum queues throughout: they live on while a
 * majority of a cluster's nodes does. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRESH_US 50000
#define DECLARE_WITHIN_S 10

amqp_bytes_t text_bytes(const char *text)
{
    return amqp_cstring_bytes(text);
}

static char *physical(const struct rabbit *rabbit, const char *name, unsigned level)
{
    AUTO_FREE char *key = queue_key(name, level);
    return mem_printf("%s.%s", rabbit->prefix, key);
}

struct known *queues_find(struct rabbit *rabbit, const char *name)
{
    struct known *known = map_get(&rabbit->queues, name);
    if (known != NULL)
        return known;
    known = mem_alloc(sizeof *known);
    known->name = mem_dup(name);
    known->next = rabbit->knowns;
    rabbit->knowns = known;
    (void)map_put(&rabbit->queues, name, known);
    return known;
}

void known_free(struct known *known)
{
    free(known->name);
    free((char *)(uintptr_t)known->options.dead_letter_queue);
    free(known);
}

void request_free(struct request *request)
{
    free(request->name);
    free((char *)(uintptr_t)request->options.dead_letter_queue);
    free(request);
}

/* ---- arguments */

struct arguments {
    struct queue_argument listed[QUEUE_ARGUMENTS_MAX];
    amqp_table_entry_t entries[QUEUE_ARGUMENTS_MAX];
    amqp_table_t table;
};

static void fill(struct arguments *arguments, const struct rabbit *rabbit, const struct broker_queue_options *options)
{
    size_t count = queue_arguments(options, rabbit->prefix, arguments->listed);
    arguments->table = (amqp_table_t){.num_entries = (int)count, .entries = arguments->entries};
    for (size_t i = 0; i < count; i++) {
        const struct queue_argument *argument = &arguments->listed[i];
        amqp_field_value_t *value = &arguments->entries[i].value;
        arguments->entries[i] = (amqp_table_entry_t){.key = text_bytes(argument->key)};
        switch (argument->kind) {
        case QUEUE_ARGUMENT_TEXT:
            *value = (amqp_field_value_t){.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text_bytes(argument->text)};
            break;
        case QUEUE_ARGUMENT_NUMBER:
            *value = (amqp_field_value_t){.kind = AMQP_FIELD_KIND_I64, .value.i64 = argument->number};
            break;
        case QUEUE_ARGUMENT_TRUE:
            *value = (amqp_field_value_t){.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1};
            break;
        }
    }
}

/* ---- on a link's thread */

static enum answer declare_exchanges(struct link *link, amqp_channel_t channel, struct error *reterr)
{
    AUTO_FREE char *topics = mem_printf("%s.topics", link->rabbit->prefix);
    const char *names[] = {link->rabbit->prefix, topics};
    enum answer answer = ANSWER_OK;
    for (int i = 0; i < 2 && answer == ANSWER_OK; i++) {
        (void)amqp_exchange_declare(link->amqp, channel, text_bytes(names[i]), text_bytes("direct"), 0, 1, 0, 0,
                                    amqp_empty_table);
        answer = link_last_answer(link, channel, reterr);
    }
    return answer;
}

enum answer queues_declare_one(struct link *link, amqp_channel_t channel, const char *name,
                               const struct broker_queue_options *options, struct error *reterr)
{
    struct rabbit *rabbit = link->rabbit;
    struct arguments arguments;
    enum answer answer = ANSWER_OK;
    fill(&arguments, rabbit, options);
    for (unsigned level = 0; answer == ANSWER_OK && level < queue_levels(options); level++) {
        AUTO_FREE char *key = queue_key(name, level);
        AUTO_FREE char *queue = physical(rabbit, name, level);
        (void)amqp_queue_declare(link->amqp, channel, text_bytes(queue), 0, 1, 0, 0, arguments.table);
        answer = link_last_answer(link, channel, reterr);
        if (answer != ANSWER_OK)
            break;
        (void)amqp_queue_bind(link->amqp, channel, text_bytes(queue), text_bytes(rabbit->prefix), text_bytes(key),
                              amqp_empty_table);
        answer = link_last_answer(link, channel, reterr);
    }
    return answer;
}

static struct known *next_declared(struct known *known)
{
    while (known != NULL && !known->declared)
        known = known->next;
    return known;
}

/* Others declare meanwhile: what is sent is a copy. */
bool queues_declare_all(struct link *link, amqp_channel_t channel)
{
    struct rabbit *rabbit = link->rabbit;
    struct error error = {0};
    enum answer answer = declare_exchanges(link, channel, &error);
    if (answer == ANSWER_REFUSED)
        log_event(LOG_ERROR, "RabbitMQ refuses the exchange", LOG_STR("exchange", rabbit->prefix), LOG_CAUSE(&error),
                  LOG_END);
    if (answer != ANSWER_OK)
        return false;
    pthread_mutex_lock(&rabbit->lock);
    for (struct known *known = next_declared(rabbit->knowns); answer != ANSWER_LOST && known != NULL;
         known = next_declared(known->next)) {
        struct broker_queue_options options = known->options;
        AUTO_FREE char *name = mem_dup(known->name);
        AUTO_FREE char *dead = mem_dup(options.dead_letter_queue);
        options.dead_letter_queue = dead;
        pthread_mutex_unlock(&rabbit->lock);
        answer = queues_declare_one(link, channel, name, &options, &error);
        if (answer == ANSWER_REFUSED) {
            log_event(LOG_ERROR, "RabbitMQ refuses a queue", LOG_STR("queue", name), LOG_CAUSE(&error), LOG_END);
            answer = link_channel_open(link, channel) ? ANSWER_OK : ANSWER_LOST;
        }
        pthread_mutex_lock(&rabbit->lock);
    }
    pthread_mutex_unlock(&rabbit->lock);
    return answer == ANSWER_OK;
}

/* ---- deleting: no more in, what is in to the dead letters, then away */

static bool await_confirm(struct link *link)
{
    amqp_frame_t frame;
    bool good = link_await(link, SPARE_CHANNEL, &frame);
    bool confirmed = good && frame.payload.method.id == AMQP_BASIC_ACK_METHOD;
    if (good)
        amqp_maybe_release_buffers_on_channel(link->amqp, SPARE_CHANNEL);
    return confirmed;
}

static bool pass_on(struct link *link, const char *name, const char *target, const amqp_message_t *message)
{
    amqp_table_entry_t headers[] = {
        {.key = text_bytes(DEATH_REASON), .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text_bytes("closed")}},
        {.key = text_bytes(DEATH_QUEUE), .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text_bytes(name)}}};
    amqp_basic_properties_t properties = message->properties;
    properties._flags |= AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = 2;
    properties.headers = (amqp_table_t){.num_entries = 2, .entries = headers};
    return amqp_basic_publish(link->amqp, SPARE_CHANNEL, text_bytes(link->rabbit->prefix), text_bytes(target), 0, 0,
                              &properties, message->body) == AMQP_STATUS_OK &&
           await_confirm(link);
}

/* OK: empty. */
static enum answer drain(struct link *link, const char *queue, const char *name, const char *target,
                         struct error *reterr)
{
    for (;;) {
        amqp_rpc_reply_t reply = amqp_basic_get(link->amqp, SPARE_CHANNEL, text_bytes(queue), 0);
        enum answer answer = link_answer(link, SPARE_CHANNEL, reply, reterr);
        if (answer != ANSWER_OK || reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD)
            return answer;
        uint64_t tag = ((const amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag;
        amqp_message_t message;
        if (link_answer(link, SPARE_CHANNEL, amqp_read_message(link->amqp, SPARE_CHANNEL, &message, 0), reterr) !=
            ANSWER_OK)
            return ANSWER_LOST;
        bool good = target == NULL || pass_on(link, name, target, &message);
        amqp_destroy_message(&message);
        if (!good || amqp_basic_ack(link->amqp, SPARE_CHANNEL, tag, 0) != AMQP_STATUS_OK)
            return ANSWER_LOST;
        amqp_maybe_release_buffers_on_channel(link->amqp, SPARE_CHANNEL);
    }
}

static enum answer delete_level(struct link *link, const struct request *request, unsigned level, struct error *reterr)
{
    struct rabbit *rabbit = link->rabbit;
    AUTO_FREE char *key = queue_key(request->name, level);
    AUTO_FREE char *queue = physical(rabbit, request->name, level);
    if (!link_channel_open(link, SPARE_CHANNEL))
        return ANSWER_LOST;
    (void)amqp_queue_declare(link->amqp, SPARE_CHANNEL, text_bytes(queue), 1, 1, 0, 0, amqp_empty_table);
    enum answer answer = link_last_answer(link, SPARE_CHANNEL, reterr);
    if (answer != ANSWER_OK)
        return answer == ANSWER_REFUSED ? ANSWER_OK : answer; /* it is gone */
    (void)amqp_queue_unbind(link->amqp, SPARE_CHANNEL, text_bytes(queue), text_bytes(rabbit->prefix), text_bytes(key),
                            amqp_empty_table);
    answer = link_last_answer(link, SPARE_CHANNEL, reterr);
    if (answer == ANSWER_OK) {
        (void)amqp_confirm_select(link->amqp, SPARE_CHANNEL);
        answer = link_last_answer(link, SPARE_CHANNEL, reterr);
    }
    if (answer == ANSWER_OK)
        answer = drain(link, queue, request->name, request->options.dead_letter_queue, reterr);
    if (answer == ANSWER_OK) {
        (void)amqp_queue_delete(link->amqp, SPARE_CHANNEL, text_bytes(queue), 0, 0);
        answer = link_last_answer(link, SPARE_CHANNEL, reterr);
    }
    if (answer == ANSWER_OK)
        answer =
            link_answer(link, SPARE_CHANNEL, amqp_channel_close(link->amqp, SPARE_CHANNEL, AMQP_REPLY_SUCCESS), reterr);
    return answer;
}

static enum answer delete_queue(struct link *link, const struct request *request, struct error *reterr)
{
    enum answer answer = ANSWER_OK;
    for (unsigned level = 0; answer == ANSWER_OK && level < queue_levels(&request->options); level++)
        answer = delete_level(link, request, level, reterr);
    if (answer == ANSWER_REFUSED)
        log_event(LOG_WARN, "a queue is not deleted", LOG_STR("queue", request->name), LOG_CAUSE(reterr), LOG_END);
    return answer;
}

/* ---- requests */

static struct request *first_request(struct rabbit *rabbit)
{
    pthread_mutex_lock(&rabbit->lock);
    struct request *request = rabbit->requests;
    pthread_mutex_unlock(&rabbit->lock);
    return request;
}

static void conclude(struct rabbit *rabbit, struct request *request, enum err code, const struct error *error)
{
    pthread_mutex_lock(&rabbit->lock);
    rabbit->requests = request->next;
    if (rabbit->requests == NULL)
        rabbit->last_request = &rabbit->requests;
    request->done = true;
    request->code = code;
    request->error = *error;
    if (!request->deletes && code != ERR_OK) {
        struct known *known = map_get(&rabbit->queues, request->name);
        if (known != NULL)
            known->declared = false;
        log_event(LOG_ERROR, "RabbitMQ refuses a queue", LOG_STR("queue", request->name), LOG_CAUSE(error), LOG_END);
    }
    bool mine = request->deletes || request->abandoned;
    pthread_cond_broadcast(&rabbit->answered);
    pthread_mutex_unlock(&rabbit->lock);
    if (mine)
        request_free(request);
}

bool queues_work(struct link *link, amqp_channel_t channel)
{
    struct request *request;
    while ((request = first_request(link->rabbit)) != NULL) {
        struct error error = {0};
        enum answer answer = request->deletes
                                 ? delete_queue(link, request, &error)
                                 : queues_declare_one(link, channel, request->name, &request->options, &error);
        if (answer == ANSWER_LOST)
            return false; /* it stays for the next connection */
        bool refused = answer == ANSWER_REFUSED;
        bool reopen = refused && !request->deletes;
        conclude(link->rabbit, request, refused ? error.code : ERR_OK, &error);
        if (reopen && !link_channel_open(link, channel))
            return false;
    }
    return true;
}

enum err rabbit_declare(struct broker_connection *connection, const char *name,
                        const struct broker_queue_options *options, struct error *reterr)
{
    struct rabbit *rabbit = (struct rabbit *)connection->broker;
    pthread_mutex_lock(&rabbit->lock);
    struct known *known = queues_find(rabbit, name);
    if (known->declared) {
        const struct broker_queue_options *o = &known->options;
        const char *dead = o->dead_letter_queue;
        bool same =
            o->ttl0 == options->ttl0 && o->single_active == options->single_active &&
            o->max_length == options->max_length && queue_levels(o) == queue_levels(options) &&
            o->delivery_limit == options->delivery_limit &&
            (dead == NULL || options->dead_letter_queue == NULL ? dead == options->dead_letter_queue
                                                                : strcmp(dead, options->dead_letter_queue) == 0);
        pthread_mutex_unlock(&rabbit->lock);
        return same ? ERR_OK
                    : error_set(reterr, ERR_CONFLICT, name,
                                "The queue %s is there with other options; declare it with the same ones, or delete it "
                                "first.",
                                name);
    }
    free((char *)(uintptr_t)known->options.dead_letter_queue);
    known->options = *options;
    known->options.dead_letter_queue = mem_dup(options->dead_letter_queue);
    known->declared = true;
    struct request *request = mem_alloc(sizeof *request);
    *request = (struct request){.name = mem_dup(name), .options = *options};
    request->options.dead_letter_queue = mem_dup(options->dead_letter_queue);
    *rabbit->last_request = request;
    rabbit->last_request = &request->next;
    link_wake(&rabbit->consuming);
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += DECLARE_WITHIN_S;
    int waited = 0;
    while (!request->done && waited == 0 && atomic_load(&rabbit->consuming.failures) == 0)
        waited = pthread_cond_timedwait(&rabbit->answered, &rabbit->lock, &end);
    enum err code = request->done ? request->code : ERR_OK;
    if (code != ERR_OK)
        code = error_set(reterr, code == ERR_NOT_FOUND ? ERR_BROKER : code, name,
                         "RabbitMQ refuses the queue %s: %.300s", name, request->error.message);
    request->abandoned = !request->done;
    bool mine = request->done;
    pthread_mutex_unlock(&rabbit->lock);
    if (mine)
        request_free(request);
    return code;
}

void rabbit_delete_queue(struct broker_connection *connection, const char *name)
{
    struct rabbit *rabbit = (struct rabbit *)connection->broker;
    pthread_mutex_lock(&rabbit->lock);
    struct known *known = map_get(&rabbit->queues, name);
    struct request *request = mem_alloc(sizeof *request);
    *request = (struct request){.deletes = true, .name = mem_dup(name)};
    if (known != NULL && known->declared) {
        request->options = known->options;
        known->options.dead_letter_queue = NULL;
        known->declared = false;
        known->depth = 0;
    }
    for (struct rabbit_consumer *consumer = rabbit->consumers; consumer != NULL; consumer = consumer->next)
        if (consumer->queue != NULL && strcmp((const char *)consumer->queue->data, name) == 0)
            consumer->orphaned = true;
    rabbit->dirty = true;
    *rabbit->last_request = request;
    rabbit->last_request = &request->next;
    link_wake(&rabbit->consuming);
    pthread_mutex_unlock(&rabbit->lock);
}

/* ---- depths */

static enum answer count_one(struct link *link, amqp_channel_t channel, struct known *known, unsigned levels)
{
    struct rabbit *rabbit = link->rabbit;
    size_t depth = 0;
    for (unsigned level = 0; level < levels; level++) {
        struct error error = {0};
        AUTO_FREE char *queue = physical(rabbit, known->name, level);
        const amqp_queue_declare_ok_t *ok =
            amqp_queue_declare(link->amqp, channel, text_bytes(queue), 1, 1, 0, 0, amqp_empty_table);
        enum answer answer = link_last_answer(link, channel, &error);
        if (answer == ANSWER_REFUSED && link_channel_open(link, channel))
            break;
        if (answer != ANSWER_OK)
            return ANSWER_LOST;
        depth += ok->message_count;
        amqp_maybe_release_buffers_on_channel(link->amqp, channel);
    }
    pthread_mutex_lock(&rabbit->lock);
    known->depth = depth;
    known->fresh_us = clock_monotonic_us();
    known->asked = false;
    pthread_mutex_unlock(&rabbit->lock);
    return ANSWER_OK;
}

bool queues_count(struct link *link, amqp_channel_t channel)
{
    struct rabbit *rabbit = link->rabbit;
    pthread_mutex_lock(&rabbit->lock);
    struct known *known = rabbit->knowns;
    while (known != NULL) { /* they are never removed while the thread runs */
        bool asked = known->asked;
        unsigned levels = queue_levels(&known->options);
        pthread_mutex_unlock(&rabbit->lock);
        if (asked && count_one(link, channel, known, levels) != ANSWER_OK)
            return false;
        pthread_mutex_lock(&rabbit->lock);
        known = known->next;
    }
    pthread_mutex_unlock(&rabbit->lock);
    return true;
}

size_t rabbit_queue_depth(struct broker *broker, const char *name)
{
    struct rabbit *rabbit = (struct rabbit *)broker;
    pthread_mutex_lock(&rabbit->lock);
    struct known *known = queues_find(rabbit, name);
    if (!known->asked && clock_monotonic_us() - known->fresh_us >= FRESH_US) {
        known->asked = true;
        link_wake(&rabbit->consuming);
    }
    size_t depth = known->depth;
    pthread_mutex_unlock(&rabbit->lock);
    return depth;
}
