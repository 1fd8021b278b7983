/* Shared by the hub's files. Everything here belongs to the hub's thread unless it says otherwise. */
#pragma once
#include "base/buf.h"
#include "base/loop.h"
#include "base/map.h"
#include "gateway/ws.h"
#include "metrics/metrics.h"
#include <pthread.h>
#include <stdatomic.h>

struct broker_connection;
struct json;
struct pool;
struct wslay_event_context;

/* Who follows one execution. */
struct ws_topic {
    char *id;
    struct ws_connection **members;
    size_t count, cap;
};

struct ws_connection {
    struct ws_hub *hub;
    struct ws_connection *prev, *next;
    int fd;
    struct loop_watch *watch;
    struct wslay_event_context *frames;
    struct buf early; /* bytes that came with the handshake */
    size_t early_at, budget;
    enum { WS_OPEN, WS_LINGERING /* our Close is out; what still comes is thrown away */, WS_DEAD } state;
    const char *why; /* WS_DEAD: the reason, static; a label of caudal_ws_dropped_total, or NULL after a proper end */
    int64_t seen_us, pinged_us, linger_until_us, until_us;
    struct ws_topic **topics;
    size_t topic_count;
    bool ended; /* the socket has nothing more to read */
    bool wants_all, wants_system;
    uint64_t last_event; /* hub->event of the last one it got: once, by however many channels */
};

struct ws_hub {
    struct ws_options options;
    struct loop *loop;
    pthread_t thread;
    struct broker_connection *broker;
    struct pool *pool;
    pthread_mutex_t lock;
    bool stopped;      /* under lock */
    atomic_uint count; /* connections, those on their way included; any thread */
    struct ws_connection *first;
    struct map topics;     /* execution id -> struct ws_topic */
    atomic_uint all_count; /* any thread may read it */
    size_t system_count;
    uint64_t event;
    bool any_dead;
    struct loop_timer *tick, *stats;
    bool reading_stats;
    int64_t stats_at_us;
    char *stats_text; /* the pool's thread while reading_stats */
    struct metric *gauge, *sent;
    struct metric_family *dropped;
};

/* ws_connection.c: framing and the socket */
void ws_connection_open(struct ws_hub *hub, int take_fd, const void *early, size_t size, int64_t until_us);
void ws_connection_free(struct ws_connection *connection);
/* Queues a text message and writes what the socket takes. A dead or closing connection ignores it. */
void ws_connection_send(struct ws_connection *connection, const char *text, size_t size);
void ws_connection_queue(struct ws_connection *connection, const char *text, size_t size); /* from within ws_receive */
void ws_connection_drop(struct ws_connection *connection, const char *why);                /* ws_sweep frees it */
void ws_connection_tick(struct ws_connection *connection, int64_t now_us);

/* ws_messages.c: what clients say and what they are told */
void ws_receive(struct ws_connection *connection, const char *text, size_t size);
/* The execution_update of a live event: the contract's fields, nodeStatus and nodes; false: it is none. */
bool ws_update_format(const struct json *live, struct buf *out);
void ws_unsubscribe_everything(struct ws_connection *connection);

/* ws.c */
void ws_ask_to_watch(struct ws_hub *hub, const char *execution_id); /* whoever runs it: nodes are told of, too */
void ws_sweep(struct ws_hub *hub);                                  /* frees the dead; at the end of each callback */
void ws_stats_start(struct ws_hub *hub);                            /* somebody follows channel system now */
