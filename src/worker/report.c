/* What the worker tells of itself: to the orchestrators and gateways, and in its metrics. */
#include "worker/worker_int.h"

#include "metrics/metrics.h"
#include <unistd.h>

#define OVERDUE_MS 10000 /* beyond its time limit, a node that has not come back hangs */
#define REACH_MS 200     /* between two looks at whether work arrives */
#define REACH_SOON_MS 5  /* while it does not */

/* Progress is made while nothing is under way for longer than it may take: a worker may wait, but not hang. */
static void note_progress(struct worker *worker)
{
    int64_t now = loop_monotonic_us(worker->options.loop);
    for (const struct call *call = worker->calls; call != NULL; call = call->next)
        if (now - call->started_us > (call->node_call.timeout_ms + OVERDUE_MS) * 1000)
            return;
    worker->progress++;
    atomic_store(&worker->moved_ms, loop_now_ms(worker->options.loop));
}

/* Who hears of it may send work at once: it is told when that arrives, at first and after a lost connection. */
void report_when_reachable(void *user)
{
    struct worker *worker = user;
    bool ready = broker_consumer_is_ready(worker->consumer), before = worker->reachable;
    worker->reachable = ready;
    if (ready && !before)
        report_send(worker);
    if (ready && worker->reach_timer == NULL)
        return; /* over no network it stays so */
    if (worker->reach_timer == NULL)
        worker->reach_timer = loop_timer_new(worker->options.loop, report_when_reachable, worker);
    loop_timer_set(worker->reach_timer, ready ? REACH_MS : REACH_SOON_MS);
}

static void tell(struct worker *worker)
{
    struct worker_stats stats;
    char host[256] = "";
    struct json *report = json_object_new();
    note_progress(worker);
    worker_stats(worker, &stats);
    (void)gethostname(host, sizeof host - 1);
    json_set_int(report, "v", 1);
    json_set_str(report, "id", worker->id);
    json_set_str(report, "host", host);
    json_set_int(report, "pid", getpid());
    json_set_str(report, "version", CAUDAL_VERSION);
    json_set_int(report, "capacity", worker->options.capacity);
    json_set_int(report, "active", (int64_t)worker->active.count);
    json_set_bool(report, "draining", worker->draining);
    json_set_bool(report, "leaving", worker->leaving);
    json_set_bool(report, "full", stats.full);
    json_set_int(report, "progress", worker->progress);
    json_set_int(report, "started", (int64_t)stats.started);
    json_set_int(report, "finished", (int64_t)stats.finished);
    json_set_int(report, "failed", (int64_t)stats.failed);
    json_set_int(report, "memoryBytes", stats.memory_bytes);
    json_set_double(report, "cpuCores", (double)stats.cpu_millis / 1000);
    json_set_int(report, "intervalMs", worker->options.report_interval_ms);
    struct buf body;
    buf_init(&body, 0);
    json_print(report, &body);
    json_unref(report);
    broker_broadcast(worker->connection, TOPIC_WORKERS, body.data, body.len);
    buf_done(&body);
}

void report_send(void *user)
{
    struct worker *worker = user;
    loop_timer_set(worker->report_timer, worker->options.report_interval_ms);
    if ((worker->reachable || worker->draining) && !worker->leaving)
        tell(worker);
}

void report_leaving(struct worker *worker)
{
    worker->leaving = true;
    tell(worker);
}

void worker_stats(const struct worker *worker, struct worker_stats *ret)
{
    *ret = (struct worker_stats){.active = atomic_load(&worker->active_count),
                                 .capacity = worker->options.capacity,
                                 .started = atomic_load(&worker->started),
                                 .finished = atomic_load(&worker->finished),
                                 .failed = atomic_load(&worker->failed),
                                 .moved_ms = atomic_load(&worker->moved_ms),
                                 .memory_bytes = atomic_load(&worker->memory_bytes),
                                 .cpu_millis = atomic_load(&worker->cpu_millis),
                                 .full = atomic_load(&worker->full),
                                 .draining = atomic_load(&worker->stat_draining)};
}

void worker_collect(void *user, struct metrics_writer *writer)
{
    static const struct metric_desc active = {
        .name = "caudal_worker_executions", .help = "Executions on this worker.", .kind = METRIC_GAUGE};
    static const struct metric_desc capacity = {
        .name = "caudal_worker_capacity", .help = "Executions it may run at once.", .kind = METRIC_GAUGE};
    static const struct metric_desc ended = {.name = "caudal_worker_executions_total",
                                             .help = "Executions that ended on this worker.",
                                             .kind = METRIC_COUNTER,
                                             .labels = {"outcome"}};
    static const struct metric_desc memory = {.name = "caudal_worker_memory_bytes",
                                              .help = "Memory of the process and of what it started.",
                                              .kind = METRIC_GAUGE};
    static const struct metric_desc full = {.name = "caudal_worker_full",
                                            .help = "1 while no work is taken since memory or processor are used up.",
                                            .kind = METRIC_GAUGE};
    struct worker_stats stats;
    worker_stats(user, &stats);
    metrics_emit_with(writer, &active, stats.active, NULL);
    metrics_emit_with(writer, &capacity, stats.capacity, NULL);
    metrics_emit_with(writer, &ended, (int64_t)stats.finished, "success", NULL);
    metrics_emit_with(writer, &ended, (int64_t)stats.failed, "failed", NULL);
    metrics_emit_with(writer, &memory, stats.memory_bytes, NULL);
    metrics_emit_with(writer, &full, stats.full ? 1 : 0, NULL);
}
