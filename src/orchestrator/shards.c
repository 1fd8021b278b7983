/* Who owns which shard. The broker decides: a shard is owned by the active consumer of its events queue. Orchestrators
 * tell each other what they own, and hand shards over until they are shared evenly. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/queues.h"
#include "dispatch/shares.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PRESENCE_MS 500
#define PEER_GONE_US INT64_C(2500000)  /* silent for so long, it counts no more */
#define PEER_STAYS_US INT64_C(3000000) /* it gets shards when it has been there for so long */
#define CLAIM_US INT64_C(1250000)      /* what no owner has named for so long is asked for: it tells each PRESENCE_MS */
#define CONTESTED_US INT64_C(2000000)  /* another claims the shard, and nothing came for so long: it is the other's */
#define CENSUS_US INT64_C(1000000)     /* workers answer within this time */
#define TAKE_OVER_MS 1200

struct shard *shards_of(struct orchestrator *o, const char *execution_id)
{
    return &o->shards[id_shard(execution_id, o->shard_count)];
}

bool shards_own(struct orchestrator *o, const char *id)
{
    return shards_of(o, id)->state == SHARD_OWNED;
}

bool shards_lead(const struct orchestrator *o)
{
    return o->shards[0].state == SHARD_OWNED;
}

static unsigned owned_count(const struct orchestrator *o)
{
    unsigned owned = 0;
    for (unsigned i = 0; i < o->shard_count; i++)
        owned += o->shards[i].state == SHARD_OWNED;
    return owned;
}

/* The worker's slots are dealt to the shards in turn, beginning at another one for each worker: all orchestrators
 * together have exactly its capacity, unless one of them would have nothing. */
unsigned shards_share(struct orchestrator *o, struct worker_entry *worker)
{
    if (worker->capacity == 0 || (worker->share_of == worker->capacity && worker->share_seen == o->shares))
        return worker->share = worker->capacity == 0 ? 0 : worker->share;
    uint64_t capacity = worker->capacity, first = hash_str(worker->id) % o->shard_count;
    unsigned share = 0;
    for (unsigned i = 0; i < o->shard_count; i++) {
        uint64_t turn = (i + first) % o->shard_count;
        if (o->shards[i].state == SHARD_OWNED)
            share += (unsigned)((turn + 1) * capacity / o->shard_count - turn * capacity / o->shard_count);
    }
    worker->share = share == 0 ? 1 : share;
    worker->share_of = worker->capacity;
    worker->share_seen = o->shares;
    return worker->share;
}

bool shards_are_censused(const struct shard *shard)
{
    const struct orchestrator *o = shard->orchestrator;
    return o->options.id == NULL ||
           (shard->census_us > 0 && loop_monotonic_us(o->options.loop) - shard->census_us >= CENSUS_US);
}

/* ---- gaining and losing */

static char *mark_of(const struct shard *shard)
{
    const char *id = shard->orchestrator->options.id;
    return mem_printf("%s since %" PRId64, id == NULL ? "standalone" : id, shard->owned_since_ms);
}

/* Of the lowest priority: it comes behind all others. */
void shards_mark(const struct shard *shard)
{
    AUTO_FREE char *mark = mark_of(shard);
    AUTO_JSON struct json *message = json_object_new();
    AUTO_BUF struct buf body = {0};
    json_set_int(message, "v", 1);
    json_set(message, "work", json_array_new());
    json_set_str(message, "mark", mark);
    json_print(message, &body);
    broker_publish(shard->orchestrator->connection, shard->submit_queue, 0, body.data, body.len, NULL, NULL);
}

void shards_marked(struct shard *shard, const char *mark)
{
    AUTO_FREE char *own = mark_of(shard);
    shard->emptied++;
    shard->caught_up |= mark != NULL && strcmp(mark, own) == 0;
}

static void acquire(struct shard *shard)
{
    struct orchestrator *o = shard->orchestrator;
    shard->state = SHARD_OWNED;
    shard->owned_since_ms = loop_now_ms(o->options.loop);
    shard->claimed_us = shard->census_us = 0;
    shard->caught_up = false;
    shard->submit_prefetch = 4 * LIMIT_BATCH / o->shard_count + 1;
    shard->submit_consumer =
        broker_consume(o->connection, shard->submit_queue, shard->submit_prefetch, orchestrator_on_submission, shard);
    shards_mark(shard);
    o->shares++;
    atomic_store(&o->stat_shards, owned_count(o));
    if (o->options.id == NULL)
        return;
    log_event(LOG_DEBUG, "shard taken", LOG_INT("shard", (int64_t)shard->number), LOG_END);
    loop_timer_set(o->presence_timer, 0); /* the others need not ask */
    waking_at(o, loop_now_ms(o->options.loop));
}

/* What it held of the shard is forgotten: the queue has it, or the store. */
static void leave(struct shard *shard)
{
    struct orchestrator *o = shard->orchestrator;
    if (shard->submit_consumer != NULL)
        broker_cancel(shard->submit_consumer);
    shard->state = SHARD_STANDBY;
    o->shares++;
    atomic_store(&o->stat_shards, owned_count(o));
    dispatch_drop_shard(o, shard);
    shard->submit_consumer = NULL;
    log_event(LOG_DEBUG, "shard left", LOG_INT("shard", (int64_t)shard->number), LOG_END);
}

void shards_delivered(struct shard *shard)
{
    shard->delivered_us = loop_monotonic_us(shard->orchestrator->options.loop);
    if (shard->state == SHARD_STANDBY && !shard->orchestrator->stopped)
        acquire(shard);
}

static void consume_events(struct shard *shard)
{
    struct orchestrator *o = shard->orchestrator;
    shard->events_consumer = broker_consume(o->connection, shard->events_queue, 4 * LIMIT_BATCH / o->shard_count + 16,
                                            orchestrator_on_events, shard);
}

static void probe(struct shard *shard)
{
    static const char nothing[] = "{\"v\":1,\"events\":[]}";
    broker_publish(shard->orchestrator->connection, shard->events_queue, 0, nothing, sizeof nothing - 1, NULL, NULL);
}

/* Everything that came is committed and acknowledged: the next in line gets what follows, and something to know by that
 * it is the next. */
void shards_settled(struct shard *shard)
{
    if (shard->state != SHARD_RELEASING || shard->unacked > 0 || shard->orchestrator->stopped)
        return;
    broker_cancel(shard->events_consumer);
    shard->state = SHARD_STANDBY;
    consume_events(shard);
    probe(shard);
}

static void release(struct shard *shard)
{
    leave(shard);
    shard->state = SHARD_RELEASING;
    broker_consumer_set_prefetch(shard->events_consumer, 0);
    shards_settled(shard);
}

/* ---- the others */

static struct peer *find_peer(struct orchestrator *o, const char *id)
{
    for (size_t i = 0; i < o->peer_count; i++)
        if (strcmp(o->peers[i].id, id) == 0)
            return &o->peers[i];
    o->peers = mem_resize(o->peers, (o->peer_count + 1) * sizeof *o->peers);
    o->peers[o->peer_count] = (struct peer){.id = mem_dup(id), .first_us = loop_monotonic_us(o->options.loop)};
    return &o->peers[o->peer_count++];
}

static void forget_silent(struct orchestrator *o, int64_t now)
{
    for (size_t i = 0; i < o->peer_count;) {
        if (now - o->peers[i].seen_us < PEER_GONE_US) {
            i++;
            continue;
        }
        free(o->peers[i].id);
        o->peers[i] = o->peers[--o->peer_count];
    }
}

/* What one is sent would wait in queues that the other does not look into. */
static void tell_other_division(struct orchestrator *o, const char *id, int64_t of)
{
    if (o->told_division == of)
        return;
    o->told_division = of;
    log_event(LOG_ERROR,
              "another orchestrator divides the executions otherwise; EVENT_SHARDS must be the same everywhere",
              LOG_STR("orchestratorId", id), LOG_INT("its", of), LOG_INT("here", (int64_t)o->shard_count), LOG_END);
}

static void on_presence(void *user, const void *body, size_t size)
{
    struct orchestrator *o = user;
    AUTO_JSON struct json *report = message_parse_topic(body, size);
    if (report == NULL)
        return;
    const char *id = json_get_str(report, "id");
    int64_t now = loop_monotonic_us(o->options.loop);
    if (id != NULL && strcmp(id, o->options.id) == 0)
        o->heard_us = now;
    if (id == NULL || strcmp(id, o->options.id) == 0)
        return;
    int64_t of = json_get_int(report, "of", 0);
    if (of != (int64_t)o->shard_count) {
        tell_other_division(o, id, of);
        return;
    }
    bool leaving = json_get_bool(report, "leaving", false);
    const struct json *shards = json_get(report, "shards");
    for (size_t i = 0; i < json_count(shards); i++) {
        int64_t number = json_as_int(json_at(shards, i));
        if (number >= 0 && number < (int64_t)o->shard_count)
            o->shards[number].claimed_us = leaving ? 0 : now;
    }
    struct peer *peer = find_peer(o, id);
    peer->seen_us = leaving ? 0 : now;
    if (leaving) {
        forget_silent(o, now);
        return;
    }
    peer->waiting = (uint64_t)json_get_int(report, "waiting", 0);
    peer->workers = (uint64_t)json_get_int(report, "workers", 0);
    scaler_hear(o->scaler, json_get(report, "scaling"));
}

/* Of each shard whether this one gives it away, among all that are there. */
static void find_surplus(const struct orchestrator *o, int64_t now, bool *ret)
{
    AUTO_FREE const char **owners = mem_array(o->peer_count + 1, sizeof *owners);
    AUTO_FREE size_t *shares = mem_array(o->shard_count, sizeof *shares);
    AUTO_FREE bool *owned = mem_array(o->shard_count, sizeof *owned);
    size_t count = 0;
    owners[count++] = o->options.id;
    for (size_t i = 0; i < o->peer_count; i++)
        if (now - o->peers[i].first_us >= PEER_STAYS_US)
            owners[count++] = o->peers[i].id;
    for (unsigned i = 0; i < o->shard_count; i++)
        owned[i] = o->shards[i].state == SHARD_OWNED;
    dispatch_shares(owners, count, o->shard_count, shares);
    dispatch_surplus(shares, owned, o->shard_count, ret);
}

size_t shards_waiting(struct orchestrator *o)
{
    size_t waiting = atomic_load(&o->stat_pending);
    for (unsigned i = 0; i < o->shard_count; i++)
        if (o->shards[i].state == SHARD_OWNED)
            waiting += broker_queue_depth(o->options.broker, o->shards[i].submit_queue);
    return waiting;
}

static void tell(struct orchestrator *o, bool leaving)
{
    struct buf body;
    buf_init(&body, 0);
    size_t waiting = shards_waiting(o), written = 0;
    buf_printf(&body, "{\"v\":1,\"id\":\"%s\",\"version\":\"" CAUDAL_VERSION "\",\"of\":%u,\"leaving\":%s,\"shards\":[",
               o->options.id, o->shard_count, leaving ? "true" : "false");
    for (unsigned i = 0; i < o->shard_count; i++) {
        if (o->shards[i].state != SHARD_OWNED)
            continue;
        buf_printf(&body, "%s%u", written++ > 0 ? "," : "", i);
    }
    struct orchestrator_stats stats;
    orchestrator_stats(o, &stats);
    buf_printf(&body, "],\"strategy\":\"%s\"", dispatch_strategy_name(o->strategy.strategy));
    buf_printf(&body,
               ",\"waiting\":%zu,\"pending\":%zu,\"inFlight\":%zu,\"workers\":%zu,\"dispatched\":%llu,"
               "\"finished\":%llu,\"reassigned\":%llu,\"failedWrites\":%llu,\"lastProgressMs\":%lld",
               waiting, stats.pending, stats.in_flight, stats.workers, (unsigned long long)stats.dispatched,
               (unsigned long long)stats.finished, (unsigned long long)stats.reassigned,
               (unsigned long long)stats.failed_writes, (long long)stats.last_progress_ms);
    ended_print(o->ended, &body);
    scaler_describe(o->scaler, &body);
    buf_add_char(&body, '}');
    broker_broadcast(o->connection, TOPIC_ORCHESTRATORS, body.data, body.len);
    buf_done(&body);
}

void shards_tell(struct orchestrator *o)
{
    tell(o, false);
}

/* Workers say in the shards' own queues what they hold of them. */
static void take_census(struct orchestrator *o, int64_t now)
{
    struct buf body;
    size_t count = 0;
    buf_init(&body, 0);
    buf_add_str(&body, "{\"v\":1,\"census\":[");
    for (unsigned i = 0; i < o->shard_count; i++) {
        struct shard *shard = &o->shards[i];
        if (shard->state != SHARD_OWNED || shard->census_us > 0)
            continue;
        buf_printf(&body, "%s%u", count++ > 0 ? "," : "", i);
        shard->census_us = now;
    }
    buf_printf(&body, "],\"of\":%u}", o->shard_count);
    if (count > 0) {
        broker_broadcast(o->connection, TOPIC_CONTROL, body.data, body.len);
        loop_timer_set(o->takeover_timer, TAKE_OVER_MS);
    }
    buf_done(&body);
}

static void look_at(struct shard *shard, bool surplus, int64_t now)
{
    int64_t age_us = shard->claimed_us == 0 ? INT64_MAX : now - shard->claimed_us;
    bool claimed = age_us < PEER_GONE_US;
    if (shard->state == SHARD_RELEASING)
        shards_settled(shard);
    else if (shard->state == SHARD_OWNED && claimed && now - shard->delivered_us > CONTESTED_US)
        leave(shard);
    else if (shard->state == SHARD_OWNED && surplus)
        release(shard);
    if ((shard->state == SHARD_STANDBY && age_us >= CLAIM_US) || (shard->state == SHARD_OWNED && claimed))
        probe(shard);
}

static void on_look(void *user)
{
    struct orchestrator *o = user;
    int64_t now = loop_monotonic_us(o->options.loop);
    if (o->stopped)
        return;
    loop_timer_set(o->presence_timer, PRESENCE_MS);
    forget_silent(o, now);
    AUTO_FREE bool *surplus = mem_array(o->shard_count, sizeof *surplus);
    find_surplus(o, now, surplus);
    for (unsigned i = 0; i < o->shard_count; i++)
        look_at(&o->shards[i], surplus[i], now);
    take_census(o, now);
    tell(o, false);
}

/* ---- beginning and end */

void shards_init(struct orchestrator *o)
{
    o->shard_count = o->options.shards == 0 ? 1 : o->options.shards;
    o->shards = mem_array(o->shard_count, sizeof *o->shards);
    for (unsigned i = 0; i < o->shard_count; i++)
        o->shards[i] = (struct shard){.orchestrator = o,
                                      .number = i,
                                      .events_queue = mem_printf(QUEUE_EVENTS_PREFIX "%u", i),
                                      .submit_queue = mem_printf(QUEUE_SUBMIT_PREFIX "%u", i)};
}

enum err shards_start(struct orchestrator *o, struct error *reterr)
{
    enum err code = queues_declare(o->connection, o->shard_count, reterr);
    if (code != ERR_OK)
        return code;
    for (unsigned i = 0; i < o->shard_count; i++) {
        consume_events(&o->shards[i]);
        if (o->options.id == NULL)
            acquire(&o->shards[i]);
    }
    if (o->options.id == NULL)
        return ERR_OK;
    o->presence_timer = loop_timer_new(o->options.loop, on_look, o);
    o->takeover_timer = loop_timer_new(o->options.loop, waking_take_over, o);
    broker_subscribe(o->connection, TOPIC_ORCHESTRATORS, on_presence, o);
    loop_timer_set(o->presence_timer, 0);
    return ERR_OK;
}

void shards_leave(struct orchestrator *o)
{
    if (o->options.id != NULL)
        tell(o, true);
}

void shards_done(struct orchestrator *o)
{
    for (unsigned i = 0; i < o->shard_count; i++) {
        free(o->shards[i].events_queue);
        free(o->shards[i].submit_queue);
    }
    free(o->shards);
    for (size_t i = 0; i < o->peer_count; i++)
        free(o->peers[i].id);
    free(o->peers);
    loop_timer_free(o->presence_timer);
    loop_timer_free(o->takeover_timer);
}
