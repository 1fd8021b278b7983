/* How executions ended and how long they took: a counter, and a histogram by status. */
#include "orchestrator/ended.h"

#include "json/json.h"
#include <stdlib.h>

static const int64_t bounds_ms[] = {1,    2,    5,     10,    20,    50,     100,    200,    500,     1000,
                                    2000, 5000, 10000, 20000, 60000, 120000, 300000, 600000, 1800000, 3600000};
const struct metric_desc ended_durations_desc = {.name = "caudal_execution_duration_seconds",
                                                 .help = "From the start of an execution to its end.",
                                                 .kind = METRIC_HISTOGRAM,
                                                 .decimals = 3,
                                                 .labels = {"status"},
                                                 METRIC_BOUNDS(bounds_ms)};
static const struct metric_desc total_desc = {
    .name = "caudal_executions_total", .help = "Executions that ended.", .kind = METRIC_COUNTER};

static const enum run_status outcomes[] = {RUN_SUCCESS, RUN_FAILED, RUN_CANCELLED, RUN_TIMEOUT};
#define OUTCOMES (sizeof outcomes / sizeof *outcomes)

struct ended {
    struct metrics *own;
    struct metric *total, *durations[OUTCOMES]; /* by outcome */
};

struct ended *ended_new(struct metrics *metrics)
{
    struct ended *ended = mem_alloc(sizeof *ended);
    if (metrics == NULL)
        metrics = ended->own = metrics_new();
    ended->total = metric_only(metrics_register(metrics, &total_desc));
    struct metric_family *durations = metrics_register(metrics, &ended_durations_desc);
    for (size_t i = 0; i < OUTCOMES; i++)
        ended->durations[i] = metric_with(durations, run_status_name(outcomes[i]));
    return ended;
}

void ended_free(struct ended *ended)
{
    if (ended == NULL)
        return;
    metrics_free(ended->own);
    free(ended);
}

void ended_note(struct ended *ended, enum run_status status, int64_t started_ms, int64_t ended_ms)
{
    for (size_t i = 0; i < OUTCOMES; i++)
        if (outcomes[i] == status) {
            metric_add(ended->total, 1);
            metric_observe(ended->durations[i], ended_ms > started_ms ? ended_ms - started_ms : 0);
        }
}

void ended_read(const struct ended *ended, struct ended_counts *ret)
{
    *ret = (struct ended_counts){0};
    for (size_t i = 0; i < OUTCOMES; i++) {
        struct metric_histogram one;
        metric_histogram_read(ended->durations[i], &one);
        if (outcomes[i] == RUN_SUCCESS)
            ret->success += one.count;
        if (outcomes[i] == RUN_FAILED || outcomes[i] == RUN_TIMEOUT)
            ret->failed += one.count;
        ret->durations.count += one.count;
        ret->durations.sum += one.sum;
        for (size_t k = 0; k <= ended_durations_desc.bound_count; k++)
            ret->durations.counts[k] += one.counts[k];
    }
}

void ended_print(const struct ended *ended, struct buf *body)
{
    struct ended_counts counts;
    ended_read(ended, &counts);
    buf_printf(body, ",\"success\":%llu,\"failed\":%llu,\"durations\":[", (unsigned long long)counts.success,
               (unsigned long long)counts.failed);
    for (size_t i = 0; i <= ended_durations_desc.bound_count; i++)
        buf_printf(body, "%s%llu", i > 0 ? "," : "", (unsigned long long)counts.durations.counts[i]);
    buf_add_str(body, "]");
}

static uint64_t count_of(const struct json *value)
{
    int64_t count = json_is(value, JSON_INT) ? json_as_int(value) : 0;
    return count > 0 ? (uint64_t)count : 0;
}

bool ended_parse(const struct json *message, struct ended_counts *ret)
{
    const struct json *durations = json_get(message, "durations");
    if (json_count(durations) != ended_durations_desc.bound_count + 1)
        return false;
    *ret = (struct ended_counts){.success = count_of(json_get(message, "success")),
                                 .failed = count_of(json_get(message, "failed"))};
    for (size_t i = 0; i <= ended_durations_desc.bound_count; i++) {
        ret->durations.counts[i] = count_of(json_at(durations, i));
        ret->durations.count += ret->durations.counts[i];
    }
    return true;
}
