/* One WebSocket connection: frames between the socket and wslay, which knows RFC 6455; bounds of time and size. */
#include "gateway/ws_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#define READ_BUDGET (64 << 10)        /* bytes taken from one connection before the others have their turn */
#define SEND_BUFFER_BYTES (128 << 10) /* the kernel's: a slow reader is noticed by the queue here */
#define LINGER_US 5000000             /* for the peer to read our Close before the socket goes */

void ws_connection_drop(struct ws_connection *c, const char *why)
{
    if (c->state == WS_DEAD)
        return;
    c->state = WS_DEAD;
    c->why = why;
    c->hub->any_dead = true;
}

void ws_connection_free(struct ws_connection *c)
{
    struct ws_hub *hub = c->hub;
    if (c->why != NULL)
        metric_add(metric_with(hub->dropped, c->why), 1);
    ws_unsubscribe_everything(c);
    *(c->prev == NULL ? &hub->first : &c->prev->next) = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    loop_watch_free(c->watch);
    wslay_event_context_free(c->frames);
    metric_set(hub->gauge,
               (int64_t)atomic_fetch_sub(&hub->count, 1) - 1); /* first: who sees the end finds the place free */
    close(c->fd);
    buf_done(&c->early);
    free(c->topics);
    free(c);
}

/* ---- what wslay calls */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *bytes, size_t size, int flags, void *user)
{
    (void)flags;
    struct ws_connection *c = user;
    if (c->early_at < c->early.len) {
        size_t n = c->early.len - c->early_at < size ? c->early.len - c->early_at : size;
        memcpy(bytes, c->early.data + c->early_at, n);
        c->early_at += n;
        return (ssize_t)n;
    }
    if (c->budget == 0) {
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    ssize_t n = recv(c->fd, bytes, size < c->budget ? size : c->budget, MSG_DONTWAIT);
    if (n > 0) {
        c->seen_us = clock_monotonic_us();
        c->budget -= (size_t)n;
        return n;
    }
    bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    c->ended = !later;
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *bytes, size_t size, int flags, void *user)
{
    struct ws_connection *c = user;
    ssize_t n = send(c->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL | ((flags & WSLAY_MSG_MORE) != 0 ? MSG_MORE : 0));
    if (n > 0)
        return n;
    bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* Answers with this Close; nothing more is read. */
static void refuse(struct ws_connection *c, uint16_t code, const char *why)
{
    if (wslay_event_queue_close(c->frames, code, (const uint8_t *)why, strlen(why)) == WSLAY_ERR_NOMEM)
        abort();
    wslay_event_shutdown_read(c->frames);
}

static void on_message(wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    (void)frames;
    struct ws_connection *c = user;
    if (message->opcode == WSLAY_TEXT_FRAME)
        ws_receive(c, (const char *)message->msg, message->msg_length);
    else if (message->opcode == WSLAY_BINARY_FRAME)
        refuse(c, WSLAY_CODE_UNSUPPORTED_DATA, "messages are JSON texts");
} /* control frames are wslay's: it answers ping and close */

/* RFC 6455, 5.5.1: a Close has no body or one that begins with a code; wslay lets half a code pass. */
static void on_frame(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *frame,
                     void *user)
{
    (void)frames;
    if (frame->opcode == WSLAY_CONNECTION_CLOSE && frame->payload_length == 1)
        refuse(user, WSLAY_CODE_PROTOCOL_ERROR, "half a code");
}

/* A reset, which closing with unread bytes would cause, could overtake the Close: what still comes is read for a while.
 */
static void linger(struct ws_connection *c)
{
    c->state = WS_LINGERING;
    c->linger_until_us = clock_monotonic_us() + LINGER_US;
    (void)shutdown(c->fd, SHUT_WR);
    loop_watch_set(c->watch, 1);
}

/* For a frame with a bad head wslay queues a Close without a code. This one says 1002, where nothing half written is
 * before it. */
static void close_bad_head(struct ws_connection *c)
{
    static const uint8_t frame[] = {0x88, 2, WSLAY_CODE_PROTOCOL_ERROR >> 8, WSLAY_CODE_PROTOCOL_ERROR & 0xff};
    if (wslay_event_get_queued_msg_count(c->frames) == 1 &&
        send(c->fd, frame, sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof frame)
        linger(c);
}

static void read_frames(struct ws_connection *c)
{
    if (wslay_event_recv(c->frames) == 0)
        return;
    if (c->ended)
        ws_connection_drop(c, "gone");
    else
        close_bad_head(c);
}

/* ---- the socket */

static void queue(struct ws_connection *c, uint8_t opcode, const char *text, size_t size)
{
    if (c->state != WS_OPEN)
        return;
    const struct wslay_event_msg message = {.opcode = opcode, .msg = (const uint8_t *)text, .msg_length = size};
    if (wslay_event_queue_msg(c->frames, &message) == WSLAY_ERR_NOMEM)
        abort(); /* otherwise: a Close is on its way, nothing may follow it */
}

/* Writes what the socket takes, then decides how the connection goes on. */
static void flush(struct ws_connection *c)
{
    if (c->state != WS_OPEN)
        return;
    if (wslay_event_send(c->frames) != 0) {
        ws_connection_drop(c, "gone");
    } else if (wslay_event_get_close_sent(c->frames) && wslay_event_get_close_received(c->frames)) {
        ws_connection_drop(c, NULL);
    } else if (wslay_event_get_close_sent(c->frames)) {
        linger(c);
    } else if (wslay_event_get_queued_msg_count(c->frames) > LIMIT_WS_QUEUE_MESSAGES ||
               wslay_event_get_queued_msg_length(c->frames) > LIMIT_WS_QUEUE_BYTES) {
        ws_connection_drop(c, "slow");
    } else {
        loop_watch_set(c->watch,
                       (wslay_event_want_read(c->frames) ? 1 : 0) | (wslay_event_want_write(c->frames) ? 2 : 0));
    }
}

static void discard(struct ws_connection *c)
{
    char bytes[READ_BUDGET];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        ws_connection_drop(c, "protocol");
}

static void on_ready(void *user, int fd, int events)
{
    (void)fd;
    struct ws_connection *c = user;
    struct ws_hub *hub = c->hub;
    if (c->state == WS_LINGERING)
        discard(c);
    c->budget = READ_BUDGET;
    if (c->state == WS_OPEN && (events & 1) != 0)
        read_frames(c);
    flush(c);
    ws_sweep(hub);
}

void ws_connection_open(struct ws_hub *hub, int take_fd, const void *early, size_t size, int64_t until_us)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                           .send_callback = on_send,
                                                           .on_frame_recv_start_callback = on_frame,
                                                           .on_msg_recv_callback = on_message};
    struct ws_connection *c = mem_alloc(sizeof *c);
    int yes = 1, bytes = SEND_BUFFER_BYTES;
    *c = (struct ws_connection){
        .hub = hub, .fd = take_fd, .next = hub->first, .seen_us = clock_monotonic_us(), .budget = READ_BUDGET};
    c->pinged_us = c->seen_us;
    c->until_us = until_us;
    (void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* both only tune */
    (void)setsockopt(take_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    buf_init(&c->early, 0);
    buf_add(&c->early, early, size);
    if (wslay_event_context_server_init(&c->frames, &callbacks, c) != 0)
        abort();
    wslay_event_config_set_max_recv_msg_length(c->frames, LIMIT_WS_FRAME_BYTES);
    if (hub->first != NULL)
        hub->first->prev = c;
    hub->first = c;
    c->watch = loop_watch_new(hub->loop, take_fd, 1, on_ready, c);
    metric_set(hub->gauge, atomic_load(&hub->count));
    read_frames(c);
    flush(c);
}

void ws_connection_queue(struct ws_connection *c, const char *text, size_t size)
{
    queue(c, WSLAY_TEXT_FRAME, text, size);
    metric_add(c->hub->sent, 1);
}

void ws_connection_send(struct ws_connection *c, const char *text, size_t size)
{
    ws_connection_queue(c, text, size);
    flush(c);
}

void ws_connection_tick(struct ws_connection *c, int64_t now_us)
{
    const struct ws_options *options = &c->hub->options;
    if (c->state == WS_LINGERING && now_us >= c->linger_until_us)
        ws_connection_drop(c, "protocol");
    if (c->state != WS_OPEN)
        return;
    if (now_us >= c->until_us) {
        ws_connection_drop(c, "expired");
    } else if (now_us - c->seen_us >= options->silence_ms * 1000) {
        ws_connection_drop(c, "silent");
    } else if (now_us - c->pinged_us >= options->ping_ms * 1000) {
        c->pinged_us = now_us;
        queue(c, WSLAY_PING, NULL, 0);
        flush(c);
    }
}
