/* How executions ended and how long they took: a histogram by status, which Prometheus reads and gateways are told. */
#include "orchestrator/orchestrator_int.h"

#include <string.h>

static const int64_t bounds_ms[] = {1,    2,    5,     10,    20,    50,     100,    200,    500,     1000,
                                    2000, 5000, 10000, 20000, 60000, 120000, 300000, 600000, 1800000, 3600000};
const struct metric_desc orchestrator_ended_desc = {.name = "caudal_execution_duration_seconds",
                                                    .help = "From the start of an execution to its end.",
                                                    .kind = METRIC_HISTOGRAM,
                                                    .decimals = 3,
                                                    .labels = {"status"},
                                                    METRIC_BOUNDS(bounds_ms)};

void ended_init(struct orchestrator *o)
{
    if (o->options.metrics == NULL)
        o->own_metrics = metrics_new();
    o->ended =
        metrics_register(o->options.metrics != NULL ? o->options.metrics : o->own_metrics, &orchestrator_ended_desc);
}

void ended_done(struct orchestrator *o)
{
    metrics_free(o->own_metrics);
}

void ended_note(struct orchestrator *o, const struct json *event)
{
    enum run_status status;
    if (run_status_parse(json_get_str(event, "status"), &status) != ERR_OK)
        return;
    int64_t at = json_get_int(event, "at", 0), started = json_get_int(event, "startedMs", at);
    metric_observe(metric_with(o->ended, run_status_name(status)), at > started ? at - started : 0);
}

void orchestrator_ended(const struct orchestrator *o, struct orchestrator_ended *ret)
{
    static const enum run_status bad[] = {RUN_FAILED, RUN_TIMEOUT};
    struct metric_histogram one;
    *ret = (struct orchestrator_ended){0};
    metric_family_read(o->ended, &ret->durations);
    metric_histogram_read(metric_with(o->ended, run_status_name(RUN_SUCCESS)), &one);
    ret->success = one.count;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        metric_histogram_read(metric_with(o->ended, run_status_name(bad[i])), &one);
        ret->failed += one.count;
    }
}

void ended_print(const struct orchestrator *o, struct buf *body)
{
    struct orchestrator_ended ended;
    orchestrator_ended(o, &ended);
    buf_printf(body, ",\"success\":%llu,\"failed\":%llu,\"durations\":[", (unsigned long long)ended.success,
               (unsigned long long)ended.failed);
    for (size_t i = 0; i <= orchestrator_ended_desc.bound_count; i++)
        buf_printf(body, "%s%llu", i > 0 ? "," : "", (unsigned long long)ended.durations.counts[i]);
    buf_add_str(body, "]");
}
