/* The orchestrator's metrics. */
#include "orchestrator/orchestrator_int.h"

#include "metrics/metrics.h"

void orchestrator_collect(void *user, struct metrics_writer *writer)
{
    static const struct metric_desc dispatched = {
        .name = "caudal_dispatched_total", .help = "Executions handed to workers.", .kind = METRIC_COUNTER};
    static const struct metric_desc reassigned = {.name = "caudal_reassigned_total",
                                                  .help = "Executions handed out again after a loss or a wait.",
                                                  .kind = METRIC_COUNTER};
    static const struct metric_desc failed = {.name = "caudal_store_failed_writes_total",
                                              .help = "Batches of events the store did not take at once.",
                                              .kind = METRIC_COUNTER};
    static const struct metric_desc waiting = {
        .name = "caudal_executions_waiting", .help = "Executions waiting for a worker.", .kind = METRIC_GAUGE};
    static const struct metric_desc running = {
        .name = "caudal_executions_running", .help = "Executions on workers.", .kind = METRIC_GAUGE};
    static const struct metric_desc workers = {
        .name = "caudal_workers", .help = "Workers heard of lately.", .kind = METRIC_GAUGE};
    static const struct metric_desc shards = {
        .name = "caudal_shards_owned", .help = "Shards of executions that it owns.", .kind = METRIC_GAUGE};
    static const struct metric_desc wanted = {.name = "caudal_workers_wanted",
                                              .help = "Workers that there shall be, as the orchestrator that scales "
                                                      "decided last; 0 from the others.",
                                              .kind = METRIC_GAUGE};
    struct orchestrator_stats stats;
    orchestrator_stats(user, &stats);
    metrics_emit_with(writer, &dispatched, (int64_t)stats.dispatched, NULL);
    metrics_emit_with(writer, &reassigned, (int64_t)stats.reassigned, NULL);
    metrics_emit_with(writer, &failed, (int64_t)stats.failed_writes, NULL);
    metrics_emit_with(writer, &waiting, (int64_t)stats.pending, NULL);
    metrics_emit_with(writer, &running, (int64_t)stats.in_flight, NULL);
    metrics_emit_with(writer, &workers, (int64_t)stats.workers, NULL);
    metrics_emit_with(writer, &shards, (int64_t)stats.shards, NULL);
    metrics_emit_with(writer, &wanted, (int64_t)stats.wanted, NULL);
}
