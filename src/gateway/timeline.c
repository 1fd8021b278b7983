/* What the overview draws: how many executions ended well and badly every few seconds, how long they took, and what
 * waited and ran meanwhile. Orchestrators count, and gateways what they run themselves; each gateway keeps the
 * differences of the last hour in memory. */
#include "gateway/api_int.h"

#include "metrics/metrics.h"
#include "orchestrator/ended.h"
#include "orchestrator/orchestrator.h"
#include <math.h>
#include <stdlib.h>

#define STEP_MS 5000
#define POINTS 720 /* an hour */

struct point {
    int64_t at_ms;
    uint64_t success, failed;
    double p50, p95, p99; /* ms; NaN: nothing ended */
    size_t waiting, running, workers;
};

struct timeline {
    struct point points[POINTS]; /* under the api's lock */
    size_t count;                /* ever taken */
    struct map counted;          /* id -> struct ended_counts: its counts at the former step */
    struct loop_timer *timer;
};

/* What has been added up of this step. */
struct step {
    struct timeline *timeline;
    struct ended_counts sum;
};

static void subtract(struct ended_counts *later, const struct ended_counts *earlier)
{
    later->success -= earlier->success;
    later->failed -= earlier->failed;
    metric_histogram_subtract(&later->durations, &earlier->durations);
}

/* What somebody counted before this gateway first heard of it belongs to no step; counts that fell are those of one
 * that began anew. */
static void add_counts(struct step *step, const char *id, const struct ended_counts *now)
{
    struct ended_counts *former = map_get(&step->timeline->counted, id), gained = *now;
    if (former == NULL) {
        former = mem_alloc(sizeof *former);
        map_put(&step->timeline->counted, id, former);
        subtract(&gained, now);
    } else if (former->durations.count <= now->durations.count) {
        subtract(&gained, former);
    }
    *former = *now;
    step->sum.success += gained.success;
    step->sum.failed += gained.failed;
    step->sum.durations.count += gained.durations.count;
    for (size_t i = 0; i <= ended_durations_desc.bound_count; i++)
        step->sum.durations.counts[i] += gained.durations.counts[i];
}

static void add_report(void *user, const struct json *report)
{
    struct ended_counts now;
    if (ended_parse(report, &now))
        add_counts(user, json_get_str(report, "id"), &now);
}

static double quantile(const struct step *step, double q)
{
    return metric_histogram_quantile(&ended_durations_desc, &step->sum.durations, q);
}

static void on_step(void *user)
{
    struct api *api = user;
    struct step step = {.timeline = api->timeline};
    struct orchestrator_stats stats;
    loop_timer_set(api->timeline->timer, STEP_MS);
    struct ended_counts here;
    ended_read(api->ended, &here);
    add_counts(&step, "", &here);
    api_cluster_each(api, add_report, &step);
    api_cluster_tell(api);
    api_cluster_stats(api, &stats);
    struct point point = {.at_ms = clock_now_ms(),
                          .success = step.sum.success,
                          .failed = step.sum.failed,
                          .p50 = quantile(&step, 0.5),
                          .p95 = quantile(&step, 0.95),
                          .p99 = quantile(&step, 0.99),
                          .waiting = api_cluster_waiting(api),
                          .running = stats.in_flight,
                          .workers = stats.workers};
    pthread_mutex_lock(&api->lock);
    api->timeline->points[api->timeline->count++ % POINTS] = point;
    pthread_mutex_unlock(&api->lock);
}

void api_timeline_start(struct api *api)
{
    api->timeline = mem_alloc(sizeof *api->timeline);
    map_init(&api->timeline->counted);
    api->timeline->timer = loop_timer_new(api->options.loop, on_step, api);
    loop_timer_set(api->timeline->timer, 0); /* the first step is what the others begin from */
}

static void free_counts(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    free(value);
}

void api_timeline_free(struct api *api)
{
    loop_timer_free(api->timeline->timer);
    map_each(&api->timeline->counted, free_counts, NULL);
    map_done(&api->timeline->counted);
    free(api->timeline);
}

/* ---- the route */

static void set_ms(struct json *object, const char *key, double ms)
{
    if (isnan(ms))
        json_set(object, key, NULL);
    else
        json_set_double(object, key, round(ms * 10) / 10);
}

static struct json *point_json(const struct point *point)
{
    struct json *object = json_object_new();
    char at[ISO_TEXT_BYTES];
    clock_format_iso(point->at_ms, at);
    json_set_str(object, "at", at);
    json_set_int(object, "success", (int64_t)point->success);
    json_set_int(object, "failed", (int64_t)point->failed);
    set_ms(object, "p50", point->p50);
    set_ms(object, "p95", point->p95);
    set_ms(object, "p99", point->p99);
    json_set_int(object, "waiting", (int64_t)point->waiting);
    json_set_int(object, "running", (int64_t)point->running);
    json_set_int(object, "workers", (int64_t)point->workers);
    return object;
}

static enum err get_timeline(struct api *api, struct http_request *request, struct error *reterr)
{
    struct error error = {0};
    int64_t minutes = api_query_int(request, "minutes", 1, 60, 15, &error);
    int64_t since_ms = clock_now_ms() - minutes * 60000, after_ms = 0;
    const char *after = http_request_query(request, "after");
    if (error.code == ERR_OK && after != NULL && clock_parse_iso(after, &after_ms) != 0)
        error_set(&error, ERR_VALIDATION, "after", "after must be a date such as 2025-01-02T03:04:05.678Z.");
    if (error.code != ERR_OK) {
        *reterr = error;
        return error.code;
    }
    struct json *answer = json_object_new(), *points = json_array_new();
    pthread_mutex_lock(&api->lock);
    const struct timeline *timeline = api->timeline;
    for (size_t i = timeline->count > POINTS ? timeline->count - POINTS : 0; i < timeline->count; i++) {
        const struct point *point = &timeline->points[i % POINTS];
        if (point->at_ms >= since_ms && point->at_ms > after_ms)
            json_push(points, point_json(point));
    }
    pthread_mutex_unlock(&api->lock);
    json_set_int(answer, "stepMs", STEP_MS);
    json_set(answer, "points", points);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static const struct field timeline_query[] = {
    {.name = "minutes", .kind = FIELD_INT, .min = 1, .max = 60, .default_json = "15", .help = "How far back."},
    {.name = "after", .kind = FIELD_STRING, .help = "Only what came after this instant (ISO)."},
    {0}};
const struct route timeline_routes[] = {
    {"GET", "/api/v1/monitoring/timeline", ROLE_VIEWER, 0, NULL, timeline_query, 200, "monitoring",
     "Executions that ended, their durations, and what waited: every few seconds", get_timeline, &answer_timeline},
    {0}};
