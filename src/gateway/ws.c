/* The hub: who is connected, what is passed on to whom, when somebody is looked after. */
#include "gateway/ws_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/messages.h"
#include "gateway/api_int.h"
#include "worker/pool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PING_MS 30000    /* protocol pings, which keep proxies from closing a quiet connection */
#define SILENCE_MS 90000 /* three of them unanswered */
#define STATS_MS 5000
#define TICK_MS 1000

void ws_sweep(struct ws_hub *hub)
{
    if (!hub->any_dead)
        return;
    hub->any_dead = false;
    for (struct ws_connection *c = hub->first, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == WS_DEAD)
            ws_connection_free(c);
    }
}

/* ---- executions */

static void pass_on(struct ws_connection *connection, const struct buf *text)
{
    if (connection->last_event == connection->hub->event)
        return;
    connection->last_event = connection->hub->event;
    ws_connection_send(connection, text->data, text->len);
}

bool ws_follows_all(const struct ws_hub *hub)
{
    return atomic_load(&hub->all_count) > 0;
}

void ws_ask_to_watch(struct ws_hub *hub, const char *execution_id)
{
    char body[100];
    int n = snprintf(body, sizeof body, "{\"v\":1,\"watch\":\"%.40s\"}", execution_id);
    broker_broadcast(hub->broker, TOPIC_CONTROL, body, (size_t)n);
}

/* It begins, perhaps on a worker that was not there when it was asked for. */
static bool has_begun(const struct json *update)
{
    return !json_has(update, "currentNode") && strcmp(json_get_str(update, "status"), "running") == 0;
}

static void tell(struct ws_hub *hub, const struct json *update)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    if (!ws_update_format(update, &text)) {
        log_event(LOG_WARN, "a live event is not what it must be; nobody is told", LOG_END);
        return;
    }
    const struct ws_topic *topic = map_get(&hub->topics, json_get_str(update, "executionId"));
    bool watched = ws_follows_all(hub);
    if (topic != NULL && has_begun(update))
        ws_ask_to_watch(hub, topic->id);
    hub->event++;
    for (size_t i = 0; topic != NULL && i < topic->count; i++)
        pass_on(topic->members[i], &text);
    for (struct ws_connection *c = hub->first; watched && c != NULL; c = c->next)
        if (c->wants_all)
            pass_on(c, &text);
    ws_sweep(hub);
}

static void on_live(void *user, const void *body, size_t size)
{
    struct ws_hub *hub = user;
    if (hub->topics.count == 0 && !ws_follows_all(hub))
        return;
    AUTO_JSON struct json *live = message_parse_topic(body, size);
    if (live == NULL)
        log_event(LOG_WARN, "a live event cannot be read; nobody is told", LOG_UINT("bytes", size), LOG_END);
    for (size_t i = 0; message_update(live, i) != NULL; i++)
        tell(hub, message_update(live, i));
}

/* ---- figures of channel system */

/* On the pool's thread: the store may block. */
static void read_stats(void *user)
{
    struct ws_hub *hub = user;
    struct error error = {0};
    AUTO_JSON struct json *stats = NULL;
    if (api_job_stats(hub->options.store, &stats, &error) != ERR_OK) {
        log_event(LOG_WARN, "the figures for channel system cannot be read", LOG_CAUSE(&error), LOG_END);
        return;
    }
    json_set_str(stats, "type", "job_stats");
    hub->stats_text = json_dup_text(stats);
}

static void after_stats(void *user)
{
    struct ws_hub *hub = user;
    hub->reading_stats = false;
    for (struct ws_connection *c = hub->first; hub->stats_text != NULL && c != NULL; c = c->next)
        if (c->wants_system)
            ws_connection_send(c, hub->stats_text, strlen(hub->stats_text));
    free(hub->stats_text);
    hub->stats_text = NULL;
    ws_sweep(hub);
    if (hub->system_count > 0)
        loop_timer_set(hub->stats, hub->options.stats_ms);
}

static void on_stats(void *user)
{
    struct ws_hub *hub = user;
    if (hub->system_count == 0 || hub->reading_stats)
        return;
    hub->reading_stats = true;
    hub->stats_at_us = clock_monotonic_us();
    pool_submit(hub->pool, hub->loop, read_stats, after_stats, hub);
}

void ws_stats_start(struct ws_hub *hub)
{
    if (hub->system_count != 1 || hub->reading_stats)
        return;
    int64_t wait_ms =
        hub->stats_at_us == 0 ? 0 : hub->options.stats_ms - (clock_monotonic_us() - hub->stats_at_us) / 1000;
    loop_timer_set(hub->stats, wait_ms < 0 ? 0 : wait_ms); /* however often somebody comes and goes */
}

/* ---- connections come */

struct arrival {
    struct ws_hub *hub;
    int fd;
    struct buf early;
    int64_t until_us;
};

static void on_arrival(void *user)
{
    struct arrival *arrival = user;
    ws_connection_open(arrival->hub, arrival->fd, arrival->early.data, arrival->early.len, arrival->until_us);
    ws_sweep(arrival->hub);
    buf_done(&arrival->early);
    free(arrival);
}

void ws_take(struct ws_hub *hub, int take_fd, const void *early, size_t size, int64_t until_us)
{
    pthread_mutex_lock(&hub->lock);
    bool taken = !hub->stopped && atomic_fetch_add(&hub->count, 1) < hub->options.max_connections;
    if (taken) {
        struct arrival *arrival = mem_alloc(sizeof *arrival);
        *arrival = (struct arrival){.hub = hub, .fd = take_fd, .until_us = until_us};
        buf_init(&arrival->early, 0);
        buf_add(&arrival->early, early, size);
        loop_post(hub->loop, on_arrival, arrival);
    } else if (!hub->stopped) {
        atomic_fetch_sub(&hub->count, 1);
    }
    pthread_mutex_unlock(&hub->lock);
    if (!taken)
        close(take_fd);
}

/* ---- the hub itself */

static void on_tick(void *user)
{
    struct ws_hub *hub = user;
    int64_t now_us = clock_monotonic_us(), tick_ms = hub->options.ping_ms / 4;
    for (struct ws_connection *c = hub->first; c != NULL; c = c->next)
        ws_connection_tick(c, now_us);
    ws_sweep(hub);
    loop_timer_set(hub->tick, tick_ms < TICK_MS ? tick_ms : TICK_MS);
}

static void register_metrics(struct ws_hub *hub)
{
    static const struct metric_desc connections = {
        .name = "caudal_ws_connections", .help = "Open WebSocket connections.", .kind = METRIC_GAUGE};
    static const struct metric_desc sent = {.name = "caudal_ws_messages_sent_total",
                                            .help = "Messages given to WebSocket connections.",
                                            .kind = METRIC_COUNTER};
    static const struct metric_desc dropped = {.name = "caudal_ws_dropped_total",
                                               .help = "WebSocket connections dropped, by reason.",
                                               .kind = METRIC_COUNTER,
                                               .labels = {"reason"}};
    hub->gauge = metric_only(metrics_register(hub->options.metrics, &connections));
    hub->sent = metric_only(metrics_register(hub->options.metrics, &sent));
    hub->dropped = metrics_register(hub->options.metrics, &dropped);
}

static void *run_loop(void *user)
{
    loop_run(user);
    return NULL;
}

struct ws_hub *ws_start(const struct ws_options *options)
{
    struct ws_hub *hub = mem_alloc(sizeof *hub);
    hub->options = *options;
    if (options->max_connections == 0)
        hub->options.max_connections = LIMIT_WS_CONNECTIONS;
    if (options->ping_ms == 0)
        hub->options.ping_ms = PING_MS;
    if (options->silence_ms == 0)
        hub->options.silence_ms = SILENCE_MS;
    if (options->stats_ms == 0)
        hub->options.stats_ms = STATS_MS;
    pthread_mutex_init(&hub->lock, NULL);
    map_init(&hub->topics);
    register_metrics(hub);
    hub->loop = loop_new();
    hub->pool = pool_new(1);
    hub->broker = broker_connect(options->broker, hub->loop);
    broker_subscribe(hub->broker, TOPIC_LIVE, on_live, hub);
    hub->stats = loop_timer_new(hub->loop, on_stats, hub);
    hub->tick = loop_timer_new(hub->loop, on_tick, hub);
    loop_post(hub->loop, on_tick, hub);
    if (pthread_create(&hub->thread, NULL, run_loop, hub->loop) != 0)
        abort();
    return hub;
}

static void on_stop(void *user)
{
    struct ws_hub *hub = user;
    for (struct ws_connection *c = hub->first; c != NULL; c = c->next)
        ws_connection_drop(c, "stop");
    ws_sweep(hub);
}

void ws_stop(struct ws_hub *hub)
{
    if (hub == NULL)
        return;
    pthread_mutex_lock(&hub->lock);
    hub->stopped = true; /* what arrived before is posted, so it is opened before on_stop */
    pthread_mutex_unlock(&hub->lock);
    loop_post(hub->loop, on_stop, hub);
    loop_stop(hub->loop);
    pthread_join(hub->thread, NULL);
    pool_free(hub->pool);
    hub->pool = NULL;
    broker_disconnect(hub->broker);
}

void ws_free(struct ws_hub *hub)
{
    if (hub == NULL)
        return;
    loop_timer_free(hub->tick);
    loop_timer_free(hub->stats);
    loop_free(hub->loop);
    map_done(&hub->topics);
    free(hub->stats_text);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}
