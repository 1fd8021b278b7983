/* The worker on its loop: deliveries, control messages, draining. */
#include "worker/worker_int.h"

#include "base/clock.h"
#include "broker/queues.h"
#include <stdlib.h>
#include <string.h>

#define RECALLED 16384
#define REPLICA_LAG_MS 10000 /* a flow that is younger, and unknown, may still come */

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *worker = mem_alloc(sizeof *worker);
    worker->options = *options;
    if (options->host != NULL)
        worker->blocking_host = *options->host;
    worker->blocking_host.http = NULL;
    worker->blocking_host.script = NULL;
    worker->id = mem_dup(options->id);
    worker->queue = mem_printf(QUEUE_WORKER_PREFIX "%s", options->id);
    worker->shards = options->shards == 0 ? 1 : options->shards;
    worker->outboxes = mem_array(worker->shards, sizeof *worker->outboxes);
    for (unsigned i = 0; i < worker->shards; i++)
        outbox_init(&worker->outboxes[i], worker, i);
    map_init(&worker->active);
    map_init(&worker->flows);
    recall_init(&worker->started_epochs, RECALLED);
    recall_init(&worker->orders, RECALLED);
    recall_init(&worker->watched, RECALLED);
    return worker;
}

/* Was delivered twice, or is older than what was here. */
static bool is_to_be_dropped(struct worker *worker, const struct json *item)
{
    const char *id = json_get_str(item, "id");
    return id == NULL || recall_get(&worker->started_epochs, id) >= json_get_int(item, "epoch", 0);
}

/* Cancelled before it arrived, of which who sent it may not have heard: it would count as the worker's for ever. */
static bool is_refused(struct worker *worker, const struct json *item, struct delivery_group *group)
{
    const char *id = json_get_str(item, "id");
    struct error error;
    if (recall_get(&worker->orders, id) != ORDER_CANCEL)
        return false;
    (void)error_set(&error, ERR_CANCELLED, NULL, "It was cancelled.");
    outbox_settle(outbox_of(worker, id), group);
    event_refused(worker, item, RUN_CANCELLED, &error);
    return true;
}

static void drop_older(struct worker *worker, const struct json *item)
{
    struct active *active = map_get(&worker->active, json_get_str(item, "id"));
    if (active == NULL)
        return;
    outbox_settle(active->outbox, active->group);
    active_free(active);
}

/* Whether the flows of all items can be had. A store that does not answer, or a replica that lags behind, is no fault
 * of theirs: the work goes back, and comes again. */
static bool are_flows_there(struct worker *worker, const struct json *work)
{
    int64_t now = loop_now_ms(worker->options.loop);
    for (size_t i = 0; i < json_count(work); i++) {
        const struct json *item = json_at(work, i);
        const char *flow_id = json_get_str(item, "flowId");
        struct error error = {0};
        struct flow_entry *flow = flow_id == NULL
                                      ? NULL
                                      : flow_entry_get(worker, flow_id, (int)json_get_int(item, "flowVersion", 1),
                                                       json_get_str(json_get(item, "options"), "untilNode"), &error);
        if (flow != NULL)
            flow_entry_release(worker, flow);
        else if (error_is_retryable(error.code) || error.code == ERR_IO ||
                 (error.code == ERR_NOT_FOUND && now - json_get_int(item, "createdMs", 0) < REPLICA_LAG_MS))
            return false;
    }
    return true;
}

static void on_work(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct worker *worker = user;
    struct error error = {0};
    AUTO_JSON struct json *message = NULL;
    if (worker->draining || atomic_load(&worker->full) ||
        message_parse(delivery->body, delivery->size, &message, &error) != ERR_OK) {
        broker_nack(consumer, delivery->tag, false);
        return;
    }
    const struct json *work = json_get(message, "work");
    size_t count = json_count(work);
    if (count == 0 || worker->active.count + count > worker->options.capacity || !are_flows_there(worker, work)) {
        broker_nack(consumer, delivery->tag, false); /* no room: it goes back to the shard owner at once */
        return;
    }
    struct delivery_group *group = mem_alloc(sizeof *group);
    *group = (struct delivery_group){.worker = worker, .tag = delivery->tag, .open = (unsigned)count + 1};
    unsigned duplicates = 0;
    for (size_t i = 0; i < count; i++) {
        const struct json *item = json_at(work, i);
        if (is_to_be_dropped(worker, item)) {
            duplicates++;
            continue;
        }
        drop_older(worker, item);
        if (is_refused(worker, item, group))
            continue;
        active_start(worker, item, group);
    }
    group->open -= duplicates + 1;
    if (group->open == 0) {
        broker_ack(consumer, delivery->tag);
        free(group);
    }
}

struct census {
    const struct json *shards;
    struct worker *worker;
};

static void tell_held(void *user, const char *key, void *value)
{
    const struct census *census = user;
    unsigned shard = id_shard(key, census->worker->shards);
    for (size_t i = 0; i < json_count(census->shards); i++)
        if (json_as_int(json_at(census->shards, i)) == (int64_t)shard)
            event_held(value);
}

/* Who became owner of a shard learns what of it is here. */
static void answer_census(struct worker *worker, const struct json *message)
{
    struct census census = {.worker = worker, .shards = json_get(message, "census")};
    if (json_is(census.shards, JSON_ARRAY))
        map_each(&worker->active, tell_held, &census);
}

static void leave_if_asked(struct worker *worker, const struct json *message)
{
    const char *id = json_get_str(message, "drain");
    if (id != NULL && strcmp(id, worker->id) == 0 && !worker->draining && worker->options.on_asked_to_leave != NULL)
        worker->options.on_asked_to_leave();
}

static void hand_signals(struct worker *worker, const struct json *signal)
{
    const char *id = json_get_str(signal, "id");
    struct active *active = id == NULL ? NULL : map_get(&worker->active, id);
    if (active != NULL)
        active_signals(active, signal);
}

/* The work may come later, or again. */
static void watch_execution(struct worker *worker, const char *id)
{
    struct active *active = id == NULL ? NULL : map_get(&worker->active, id);
    if (id != NULL && id_is_valid(id))
        recall_put(&worker->watched, id, 1);
    if (active != NULL)
        live_watch(active);
}

static void on_control(void *user, const void *body, size_t size)
{
    struct worker *worker = user;
    AUTO_JSON struct json *message = message_parse_topic(body, size);
    if (message == NULL)
        return;
    if (json_get_bool(message, "report", false))
        report_send(worker);
    if (json_get_bool(message, "vault", false) && worker->options.resolver != NULL)
        worker->options.resolver->forget(worker->options.resolver->user);
    leave_if_asked(worker, message);
    answer_census(worker, message);
    hand_signals(worker, json_get(message, "signal"));
    watch_execution(worker, json_get_str(message, "watch"));
    orders_hear(&worker->orders, message);
    int64_t now = loop_now_ms(worker->options.loop);
    const char *id;
    struct active *active;
    if ((id = json_get_str(message, "cancel")) != NULL && (active = map_get(&worker->active, id)) != NULL) {
        /* The store has it as cancelled already: nothing more is to be told. */
        flow_run_advance(active->run, &(struct run_event){.kind = RUN_EVENT_CANCEL, .now_ms = now});
        event_finished(active);
        active_free(active);
    } else if ((id = json_get_str(message, "pause")) != NULL && (active = map_get(&worker->active, id)) != NULL) {
        active_advance(active, &(struct run_event){.kind = RUN_EVENT_PAUSE, .now_ms = now});
    } else if ((id = json_get_str(message, "resume")) != NULL && (active = map_get(&worker->active, id)) != NULL) {
        active_advance(active, &(struct run_event){.kind = RUN_EVENT_RESUME, .now_ms = now});
    }
}

enum err worker_start(struct worker *worker, struct error *reterr)
{
    worker->connection = broker_connect(worker->options.broker, worker->options.loop);
    enum err code = queues_declare(worker->connection, worker->shards, reterr);
    if (code != ERR_OK)
        return code;
    code = queues_declare_worker(worker->connection, worker->queue, reterr);
    if (code != ERR_OK)
        return code;
    broker_subscribe(worker->connection, TOPIC_CONTROL, on_control, worker);
    /* A message holds an execution at least: what the orchestrator has room for is always delivered. */
    worker->consumer = broker_consume(worker->connection, worker->queue, worker->options.capacity, on_work, worker);
    worker->report_timer = loop_timer_new(worker->options.loop, report_send, worker);
    watch_start(worker);
    report_when_reachable(worker);
    return ERR_OK;
}

/* Said in so many words it is not taken for work that brought its worker down. */
static void give_back(void *user, const char *key, void *value)
{
    (void)key;
    const struct worker *worker = user;
    struct delivery_group *group = ((struct active *)value)->group;
    if (group == NULL || group->returned)
        return;
    group->returned = true;
    broker_nack(worker->consumer, group->tag, false);
}

static void check_drained(void *user)
{
    struct worker *worker = user;
    bool idle = worker->active.count == 0;
    for (unsigned i = 0; i < worker->shards; i++)
        idle &= outbox_is_idle(&worker->outboxes[i]);
    if (!idle && loop_monotonic_us(worker->options.loop) / 1000 < worker->drain_deadline_ms) {
        loop_timer_set(worker->drain_timer, 5);
        return;
    }
    map_each(&worker->active, give_back, worker);
    report_leaving(worker);
    worker->on_drained(worker->drained_user);
}

static void park_idle(void *user, const char *key, void *value)
{
    (void)key;
    struct active *active = value;
    if (flow_run_is_parkable(active->run)) {
        if (active->timer == NULL)
            active->timer = loop_timer_new(active->worker->options.loop, active_look, active);
        loop_timer_set(active->timer, 0); /* the map must not change now */
    }
    (void)user;
}

void worker_drain(struct worker *worker, int64_t deadline_ms, void (*on_drained)(void *user), void *user)
{
    worker->draining = true;
    atomic_store(&worker->stat_draining, true);
    worker->on_drained = on_drained;
    worker->drained_user = user;
    worker->drain_deadline_ms = loop_monotonic_us(worker->options.loop) / 1000 + deadline_ms;
    broker_consumer_set_prefetch(worker->consumer, 0);
    report_send(worker);
    map_each(&worker->active, park_idle, NULL);
    worker->drain_timer = loop_timer_new(worker->options.loop, check_drained, worker);
    loop_timer_set(worker->drain_timer, 0);
}

struct collected {
    void **values;
    size_t count;
};

static void collect(void *user, const char *key, void *value)
{
    (void)key;
    struct collected *all = user;
    all->values[all->count++] = value;
}

static void free_groups(struct worker *worker, struct collected *actives);

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->connection != NULL)
        broker_disconnect(worker->connection);
    struct collected actives = {.values = mem_array(worker->active.count, sizeof(void *))};
    map_each(&worker->active, collect, &actives);
    free_groups(worker, &actives);
    for (size_t i = 0; i < actives.count; i++)
        active_free(actives.values[i]);
    free(actives.values);
    watch_stop(worker);
    calls_free(worker);
    for (unsigned i = 0; i < worker->shards; i++)
        outbox_done(&worker->outboxes[i]);
    free(worker->outboxes);
    struct collected flows = {.values = mem_array(worker->flows.count, sizeof(void *))};
    map_each(&worker->flows, collect, &flows);
    for (size_t i = 0; i < flows.count; i++) {
        struct flow_entry *entry = flows.values[i];
        flow_free(entry->flow);
        free(entry);
    }
    free(flows.values);
    map_done(&worker->active);
    map_done(&worker->flows);
    recall_done(&worker->started_epochs);
    recall_done(&worker->orders);
    recall_done(&worker->watched);
    loop_timer_free(worker->drain_timer);
    loop_timer_free(worker->report_timer);
    loop_timer_free(worker->reach_timer);
    free(worker->id);
    free(worker->queue);
    free(worker);
}

/* Every open member of a group is an active execution, or waits in the outbox or an unconfirmed batch. */
static void drop_member(struct delivery_group *group)
{
    if (group != NULL && --group->open == 0)
        free(group);
}

static void free_groups(struct worker *worker, struct collected *actives)
{
    for (size_t i = 0; i < actives->count; i++)
        drop_member(((struct active *)actives->values[i])->group);
    for (unsigned n = 0; n < worker->shards; n++) {
        const struct outbox *outbox = &worker->outboxes[n];
        for (size_t i = 0; i < outbox->settling_count; i++)
            drop_member(outbox->settling[i]);
        for (struct outbox_batch *batch = outbox->batches; batch != NULL; batch = batch->next)
            for (size_t i = 0; i < batch->count; i++)
                drop_member(batch->groups[i]);
    }
}
