/* A connection to the broker and the thread that owns it: connecting with backoff, waiting for frames and for work. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_WITHIN_S 5
#define ANSWER_WITHIN_S 10
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define SEND_WITHIN_MS 30000u /* a peer that acknowledges nothing for so long is gone */
#define LOOK_MS 500           /* heartbeats are sent and missed while looking */
#define STOP_WITHIN_US INT64_C(5000000)
#define FRAME_BYTES 131072

void link_wake(struct link *link)
{
    uint64_t one = 1;
    if (!link->woken && write(link->wake_fd, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd of ours takes it */
    link->woken = true;
}

static void log_lost(const struct link *link, const struct error *error)
{
    log_event(LOG_WARN, "connection to RabbitMQ lost", LOG_STR("link", link->ops->name),
              LOG_STR("error", error->message), LOG_END);
}

static void drop(struct link *link)
{
    if (link->amqp == NULL)
        return;
    (void)amqp_destroy_connection(link->amqp);
    link->amqp = NULL;
    atomic_store(&link->blocked, false);
    if (atomic_exchange(&link->up, false))
        link->ops->on_down(link);
}

static void describe(amqp_rpc_reply_t reply, struct error *reterr)
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        (void)error_set(reterr, ERR_BROKER, NULL, "%s", amqp_error_string2(reply.library_error));
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply.reply.decoded;
        (void)error_set(reterr, ERR_BROKER, NULL, "%.*s", (int)close->reply_text.len,
                        (const char *)close->reply_text.bytes);
    } else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = reply.reply.decoded;
        (void)error_set(reterr, close->reply_code == AMQP_NOT_FOUND ? ERR_NOT_FOUND : ERR_CONFLICT, NULL, "%.*s",
                        (int)close->reply_text.len, (const char *)close->reply_text.bytes);
    } else {
        (void)error_set(reterr, ERR_BROKER, NULL, "The broker closed the connection.");
    }
}

void link_close_ok(struct link *link, amqp_channel_t channel)
{
    amqp_channel_close_ok_t ok = {0};
    (void)amqp_send_method(link->amqp, channel, AMQP_CHANNEL_CLOSE_OK_METHOD,
                           &ok); /* a failure shows in the next read */
}

enum answer link_answer(struct link *link, amqp_channel_t channel, amqp_rpc_reply_t reply, struct error *reterr)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return ANSWER_OK;
    describe(reply, reterr);
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        link_close_ok(link, channel);
        return ANSWER_REFUSED;
    }
    log_lost(link, reterr);
    return ANSWER_LOST;
}

enum answer link_last_answer(struct link *link, amqp_channel_t channel, struct error *reterr)
{
    return link_answer(link, channel, amqp_get_rpc_reply(link->amqp), reterr);
}

bool link_channel_open(struct link *link, amqp_channel_t channel)
{
    struct error error = {0};
    (void)amqp_channel_open(link->amqp, channel);
    return link_last_answer(link, channel, &error) == ANSWER_OK;
}

static amqp_socket_t *make_socket(struct link *link, const struct address *address)
{
    if (!address->tls)
        return amqp_tcp_socket_new(link->amqp);
    amqp_socket_t *socket = amqp_ssl_socket_new(link->amqp);
    if (socket == NULL)
        return NULL;
    amqp_ssl_socket_set_verify_peer(socket, address->verify);
    amqp_ssl_socket_set_verify_hostname(socket, address->verify);
    bool good = !address->verify || amqp_ssl_socket_set_cacert(socket, address->ca_file) == AMQP_STATUS_OK;
    if (good && address->cert_file != NULL && address->key_file != NULL)
        good = amqp_ssl_socket_set_key(socket, address->cert_file, address->key_file) == AMQP_STATUS_OK;
    return good ? socket : NULL; /* it goes with the connection */
}

static enum answer log_in(struct link *link, const struct address *address, struct error *reterr)
{
    amqp_table_entry_t capability = {.key = amqp_cstring_bytes("connection.blocked"),
                                     .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = 1, .entries = &capability}}},
        {.key = amqp_cstring_bytes("connection_name"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(link->ops->name)}}};
    amqp_table_t properties = {.num_entries = 2, .entries = entries};
    amqp_rpc_reply_t reply =
        amqp_login_with_properties(link->amqp, address->vhost, CHANNELS_MAX, FRAME_BYTES, address->heartbeat_s,
                                   &properties, AMQP_SASL_METHOD_PLAIN, address->user, address->password);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return ANSWER_OK;
    describe(reply, reterr);
    return ANSWER_LOST;
}

static bool try_address(struct link *link, const struct address *address, struct error *reterr)
{
    struct timeval connect = {.tv_sec = CONNECT_WITHIN_S}, answer = {.tv_sec = ANSWER_WITHIN_S};
    link->amqp = amqp_new_connection();
    amqp_socket_t *socket = make_socket(link, address);
    if (socket == NULL) {
        (void)error_set(reterr, ERR_BROKER, NULL, "The certificates for %s cannot be used.", address->host);
        return false;
    }
    (void)amqp_set_handshake_timeout(link->amqp, &connect);
    (void)amqp_set_rpc_timeout(link->amqp, &answer);
    int status = amqp_socket_open_noblock(socket, address->host, address->port, &connect);
    if (status != AMQP_STATUS_OK) {
        (void)error_set(reterr, ERR_BROKER, NULL, "%s:%d: %s", address->host, address->port,
                        amqp_error_string2(status));
        return false;
    }
    unsigned within = SEND_WITHIN_MS;
    (void)setsockopt(amqp_get_sockfd(link->amqp), IPPROTO_TCP, TCP_USER_TIMEOUT, &within, sizeof within);
    return log_in(link, address, reterr) == ANSWER_OK;
}

static void back_off(struct link *link)
{
    unsigned failures = atomic_fetch_add(&link->failures, 1);
    int64_t most = BACKOFF_FIRST_MS << (failures < 6 ? failures : 6);
    if (most > BACKOFF_MAX_MS)
        most = BACKOFF_MAX_MS;
    link->retry_at_us =
        clock_monotonic_us() + (most / 2 + (int64_t)rng_below(link->rng, (uint64_t)most / 2 + 1)) * 1000;
}

static void connect_link(struct link *link)
{
    struct rabbit *rabbit = link->rabbit;
    struct error error = {0};
    const struct address *address = &rabbit->addresses[link->next_address++ % rabbit->address_count];
    bool good = try_address(link, address, &error);
    if (good) {
        atomic_store(&link->up, true);
        good = link->ops->on_up(link);
        if (good)
            log_event(LOG_INFO, "connected to RabbitMQ", LOG_STR("link", link->ops->name),
                      LOG_STR("host", address->host), LOG_INT("port", address->port), LOG_END);
    } else if (atomic_load(&link->failures) == 0) {
        log_event(LOG_WARN, "RabbitMQ cannot be reached; trying on", LOG_STR("link", link->ops->name),
                  LOG_CAUSE(&error), LOG_END);
    }
    if (good) {
        atomic_store(&link->failures, 0);
        return;
    }
    drop(link);
    back_off(link);
    pthread_mutex_lock(&rabbit->lock);
    pthread_cond_broadcast(&rabbit->answered); /* who waits for a declaration waits no longer */
    pthread_mutex_unlock(&rabbit->lock);
}

/* ---- frames */

static bool dispatch(struct link *link, const amqp_frame_t *frame)
{
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->channel == 0) {
        amqp_method_number_t id = frame->payload.method.id;
        if (id == AMQP_CONNECTION_CLOSE_METHOD) {
            struct error error = {0};
            describe((amqp_rpc_reply_t){.reply_type = AMQP_RESPONSE_SERVER_EXCEPTION, .reply = frame->payload.method},
                     &error);
            log_lost(link, &error);
            return false;
        }
        bool blocked = id == AMQP_CONNECTION_BLOCKED_METHOD;
        if (blocked || id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
            atomic_store(&link->blocked, blocked);
            log_event(LOG_WARN, blocked ? "RabbitMQ takes no messages now" : "RabbitMQ takes messages again",
                      LOG_STR("link", link->ops->name), LOG_END);
        }
        return true;
    }
    bool good = frame->frame_type == AMQP_FRAME_HEARTBEAT || link->ops->on_frame(link, frame);
    amqp_maybe_release_buffers_on_channel(link->amqp, frame->channel);
    return good;
}

static bool lost(struct link *link, int status)
{
    struct error error = {0};
    (void)error_set(&error, ERR_BROKER, NULL, "%s", amqp_error_string2(status));
    log_lost(link, &error);
    return false;
}

bool link_await(struct link *link, amqp_channel_t channel, amqp_frame_t *ret)
{
    for (int64_t end_us = clock_monotonic_us() + ANSWER_WITHIN_S * INT64_C(1000000); clock_monotonic_us() < end_us;) {
        struct timeval wait = {.tv_sec = 1};
        int status = amqp_simple_wait_frame_noblock(link->amqp, ret, &wait);
        if (status == AMQP_STATUS_TIMEOUT)
            continue;
        if (status != AMQP_STATUS_OK)
            return lost(link, status);
        if (ret->channel == channel && ret->frame_type == AMQP_FRAME_METHOD)
            return true;
        if (!dispatch(link, ret))
            return false;
    }
    return false;
}

static bool read_frames(struct link *link)
{
    for (;;) {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(link->amqp, &frame, &(struct timeval){0});
        if (status == AMQP_STATUS_TIMEOUT)
            return true;
        if (status != AMQP_STATUS_OK)
            return lost(link, status);
        if (!dispatch(link, &frame) || !link->ops->work(link))
            return false;
    }
}

static void wait_for(struct link *link, int within_ms)
{
    struct pollfd fds[2] = {{.fd = link->wake_fd, .events = POLLIN}, {.events = POLLIN}};
    if (link->amqp != NULL)
        fds[1].fd = amqp_get_sockfd(link->amqp);
    (void)poll(fds, link->amqp != NULL ? 2 : 1, within_ms);
    uint64_t count;
    if ((fds[0].revents & POLLIN) != 0 && read(link->wake_fd, &count, sizeof count) < 0)
        return;
}

static bool must_stop(struct link *link)
{
    pthread_mutex_lock(&link->rabbit->lock);
    link->woken = false;
    bool stopping = link->stopping;
    pthread_mutex_unlock(&link->rabbit->lock);
    return stopping;
}

static int until_retry_ms(const struct link *link)
{
    int64_t left_us = link->retry_at_us - clock_monotonic_us();
    return left_us <= 0 ? 0 : (int)(left_us / 1000) + 1;
}

static void *run(void *user)
{
    struct link *link = user;
    bool stopping;
    while (!(stopping = must_stop(link)) ||
           (link->amqp != NULL && link->ops->next_ms(link) == 0 && clock_monotonic_us() < link->stop_at_us)) {
        if (link->amqp == NULL) {
            int left_ms = until_retry_ms(link);
            if (left_ms == 0)
                connect_link(link);
            else
                wait_for(link, left_ms < LOOK_MS ? left_ms : LOOK_MS);
            (void)link->ops->next_ms(link); /* what must not wait for a connection */
            continue;
        }
        if (!link->ops->work(link) || !read_frames(link)) {
            drop(link);
            back_off(link);
            continue;
        }
        int next_ms = link->ops->next_ms(link);
        wait_for(link, stopping && next_ms > 10 ? 10 : next_ms < LOOK_MS ? next_ms : LOOK_MS);
    }
    if (link->amqp != NULL && link->ops->work(link))
        (void)amqp_connection_close(link->amqp, AMQP_REPLY_SUCCESS);
    drop(link);
    return NULL;
}

void link_start(struct link *link)
{
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    link->rng = mem_alloc(sizeof *link->rng);
    rng_init_from_system(link->rng);
    if (link->wake_fd < 0 || pthread_create(&link->thread, NULL, run, link) != 0)
        abort();
}

void link_stop(struct link *link)
{
    pthread_mutex_lock(&link->rabbit->lock);
    link->stopping = true;
    link->stop_at_us = clock_monotonic_us() + STOP_WITHIN_US;
    link_wake(link);
    pthread_mutex_unlock(&link->rabbit->lock);
    pthread_join(link->thread, NULL);
    (void)close(link->wake_fd);
    free(link->rng);
}
