/* The WebSocket hub (api-contract 2a): live events of executions go to the pages that subscribed to them. It has a loop
 * and a thread of its own; connections come to it as sockets whose handshake is done.
 *
 * A reader who is too slow, says nothing for too long or leaves without a word is dropped without a Close frame, and so
 * is everybody when the hub stops: after an unclean end the page connects again, after a clean one it does not. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct broker;
struct http_request;
struct metrics;
struct store;
struct ws_hub;

struct ws_options {
    struct broker *broker; /* events: TOPIC_LIVE */
    struct store *store;   /* figures of channel system */
    struct metrics *metrics;
    const char *const
        *origins; /* of pages on other hosts, NULL-terminated, "*" allows all; borrowed for the hub's life */
    unsigned max_connections;              /* 0: LIMIT_WS_CONNECTIONS */
    int64_t ping_ms, silence_ms, stats_ms; /* 0: 30 s, 90 s, 5 s */
};

struct ws_hub *ws_start(const struct ws_options *options); /* borrows what the options point to, until ws_free */
void ws_stop(struct ws_hub *hub); /* drops every connection; from now on none is taken; NULL ok */
void ws_free(struct ws_hub *hub); /* after ws_stop, when no request can reach it any more; NULL ok */

/* Any thread. Checks the request (RFC 6455, 4.2.1; its Origin; the number of connections) and makes the answer: 101,
 * after which the hub has the socket until `until_us` (monotonic, INT64_MAX: for good), or 426. ERR_VALIDATION,
 * ERR_FORBIDDEN, ERR_UNAVAILABLE are answered by the caller. */
enum err ws_handshake(struct ws_hub *hub, struct http_request *request, int64_t until_us,
                      struct error *reterr) ERROR_MUST_CHECK;

/* Any thread. Whether somebody follows channel executions. */
bool ws_follows_all(const struct ws_hub *hub);

/* Any thread. Takes a non-blocking socket and copies the bytes that came with its handshake. From `until_us` on the
 * connection is dropped. */
void ws_take(struct ws_hub *hub, int take_fd, const void *early, size_t size, int64_t until_us);
