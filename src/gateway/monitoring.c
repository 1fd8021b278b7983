/* Routes of monitoring (api-contract 1.6). Averages and shares are of the newest SAMPLE_MAX executions; counts are of
 * all. */
#include "gateway/api_int.h"

#include "metrics/process.h"
#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_MAX 1000
#define SNAPSHOTS 1440 /* one a minute: a day */
#define MINUTE_MS 60000

struct snapshot {
    int64_t at_ms, active, waiting, completed, failed, resident_bytes, cpu_user_us, cpu_system_us;
    double average_ms;
};

struct monitor {
    struct snapshot snapshots[SNAPSHOTS];
    size_t count; /* ever taken */
    struct loop_timer *timer;
};

/* One aggregate: of all, of a flow, of a node type. */
struct tally {
    char *key, *name;
    int64_t count, good, bad, records, duration_ms, durations, last_ms, nodes;
};

struct tallies {
    struct tally *items;
    size_t count, cap;
};

static struct tally *tally_of(struct tallies *all, const char *key, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].key, key) == 0)
            return &all->items[i];
    if (all->count == all->cap) {
        all->cap = all->cap == 0 ? 16 : all->cap * 2;
        all->items = mem_resize(all->items, all->cap * sizeof *all->items);
    }
    all->items[all->count] = (struct tally){.key = mem_dup(key), .name = mem_dup(name)};
    return &all->items[all->count++];
}

static void tallies_done(struct tallies *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].key);
        free(all->items[i].name);
    }
    free(all->items);
}

static int64_t time_of(const struct json *object, const char *key)
{
    int64_t ms = 0;
    const char *text = json_get_str(object, key);
    return text != NULL && clock_parse_iso(text, &ms) == 0 ? ms : 0;
}

static void tally_add(struct tally *tally, const struct json *row)
{
    const char *status = json_get_str(row, "status");
    int64_t at = time_of(row, "startTime");
    bool good = strcmp(status, "success") == 0, bad = strcmp(status, "failed") == 0 || strcmp(status, "timeout") == 0;
    tally->count++;
    tally->good += good;
    tally->bad += bad;
    tally->records += json_get_int(row, "recordsProcessed", 0);
    if (json_get(row, "duration") != NULL) {
        tally->duration_ms += json_get_int(row, "duration", 0);
        tally->durations++;
    }
    if (at > tally->last_ms)
        tally->last_ms = at;
}

/* The newest executions, with their nodes when `detail`. */
struct sample {
    bool detail;
    const char *flow_id;
    struct json *rows, *counts;
    struct json *names; /* of their flows, by id; with `detail` */
};

static enum err read_details(struct store_session *session, const struct json *rows, struct json *into,
                             struct error *reterr)
{
    for (size_t i = 0; i < json_count(rows); i++) {
        struct json *detail = NULL;
        enum err code = store_execution_load_detail(session, json_get_str(json_at(rows, i), "id"), &detail, reterr);
        if (code != ERR_OK)
            return code;
        json_push(into, detail);
    }
    return ERR_OK;
}

/* What has been deleted has no name any more. */
static enum err read_names(struct store_session *session, struct sample *sample, struct error *reterr)
{
    sample->names = json_object_new();
    for (size_t i = 0; i < json_count(sample->rows); i++) {
        const char *id = json_get_str(json_at(sample->rows, i), "flowId");
        if (id == NULL || json_has(sample->names, id))
            continue;
        AUTO_JSON struct json *flow = NULL;
        struct error error = {0};
        enum err code = store_flow_load(session, id, &flow, &error);
        if (code != ERR_OK && code != ERR_NOT_FOUND) {
            *reterr = error;
            return code;
        }
        json_set_str(sample->names, id, flow == NULL ? "" : json_get_str(flow, "name"));
    }
    return ERR_OK;
}

static enum err read_sample(struct store_session *session, void *arg, struct error *reterr)
{
    struct sample *sample = arg;
    AUTO_JSON struct json *filter = json_object_new();
    json_set_int(filter, "limit", 100);
    if (sample->flow_id != NULL)
        json_set_str(filter, "flowId", sample->flow_id);
    sample->rows = json_array_new();
    enum err code = ERR_OK;
    while (code == ERR_OK && json_count(sample->rows) < SAMPLE_MAX) {
        AUTO_JSON struct json *page = NULL;
        code = store_execution_list(session, filter, &page, reterr);
        const struct json *rows = json_get(page, "data");
        if (code == ERR_OK && sample->detail)
            code = read_details(session, rows, sample->rows, reterr);
        for (size_t i = 0; code == ERR_OK && !sample->detail && i < json_count(rows); i++)
            json_push(sample->rows, json_ref(json_at(rows, i)));
        const char *next = json_get_str(json_get(page, "pagination"), "nextCursor");
        if (next == NULL)
            break;
        json_set_str(filter, "cursor", next);
    }
    return code == ERR_OK && sample->detail ? read_names(session, sample, reterr) : code;
}

static void sample_done(struct sample *sample)
{
    json_unref(sample->rows);
    json_unref(sample->counts);
    json_unref(sample->names);
}

static enum err take_sample(struct api *api, struct sample *sample, struct error *reterr)
{
    enum err code = store_counts(api->options.store, &sample->counts, reterr);
    if (code == ERR_OK)
        code = api_read(api, read_sample, sample, reterr);
    if (code != ERR_OK)
        sample_done(sample);
    return code;
}

static int64_t finished_good(const struct sample *sample)
{
    return json_get_int(sample->counts, "success", 0);
}

static int64_t finished_bad(const struct sample *sample)
{
    return json_get_int(sample->counts, "failed", 0) + json_get_int(sample->counts, "timeout", 0);
}

static double share(int64_t part, int64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static double average(const struct tally *tally)
{
    return tally->durations == 0 ? 0 : (double)tally->duration_ms / (double)tally->durations;
}

static void tally_nodes(struct tallies *types, const struct sample *sample)
{
    for (size_t i = 0; i < json_count(sample->rows); i++) {
        const struct json *nodes = json_get(json_at(sample->rows, i), "nodeExecutions");
        for (size_t n = 0; n < json_count(nodes); n++)
            tally_add(tally_of(types, json_get_str(json_at(nodes, n), "nodeType"), NULL), json_at(nodes, n));
    }
}

static void tally_flows(struct tallies *flows, const struct sample *sample)
{
    for (size_t i = 0; i < json_count(sample->rows); i++) {
        const struct json *row = json_at(sample->rows, i);
        const char *id = json_get_str(row, "flowId");
        struct tally *tally = tally_of(flows, id, json_get_str(sample->names, id));
        tally_add(tally, row);
        tally->nodes += (int64_t)json_count(json_get(row, "nodeExecutions"));
    }
}

static void set_at(struct json *object, const char *key, int64_t ms)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(ms, at);
    json_set_str(object, key, ms > 0 ? at : NULL);
}

static struct json *flow_metrics(const struct tally *tally)
{
    struct json *metrics = json_object_new();
    json_set_str(metrics, "flowId", tally->key);
    json_set_str(metrics, "flowName", tally->name == NULL ? "" : tally->name);
    json_set_int(metrics, "executionCount", tally->count);
    json_set_int(metrics, "successCount", tally->good);
    json_set_int(metrics, "failureCount", tally->bad);
    json_set_double(metrics, "averageExecutionTime", average(tally));
    json_set_int(metrics, "totalRecordsProcessed", tally->records);
    set_at(metrics, "lastExecutionTime", tally->last_ms);
    json_set_double(metrics, "successRate", share(tally->good, tally->good + tally->bad));
    json_set_double(metrics, "averageNodeCount", tally->count == 0 ? 0 : (double)tally->nodes / (double)tally->count);
    return metrics;
}

static struct json *node_metrics(const struct tally *tally)
{
    struct json *metrics = json_object_new();
    json_set_str(metrics, "nodeId", tally->key);
    json_set_str(metrics, "nodeType", tally->key);
    json_set_int(metrics, "executionCount", tally->count);
    json_set_int(metrics, "successCount", tally->good);
    json_set_int(metrics, "failureCount", tally->bad);
    json_set_double(metrics, "averageExecutionTime", average(tally));
    json_set_int(metrics, "totalRecordsProcessed", tally->records);
    json_set_int(metrics, "averageMemoryUsage", 0); /* nodes of all executions share one process */
    set_at(metrics, "lastExecutionTime", tally->last_ms);
    json_set_double(metrics, "errorRate", share(tally->bad, tally->count));
    return metrics;
}

static struct json *list_of(const struct tallies *all, struct json *(*show)(const struct tally *), size_t most)
{
    struct json *list = json_array_new();
    for (size_t i = 0; i < all->count && i < most; i++)
        json_push(list, show(&all->items[i]));
    return list;
}

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return (y->count > x->count) - (y->count < x->count);
}

static int by_bad(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return (y->bad > x->bad) - (y->bad < x->bad);
}

static struct json *top(struct tallies *types, int (*compare)(const void *, const void *), const char *member)
{
    struct json *list = json_array_new();
    bool failures = compare == by_bad;
    if (types->count > 0)
        qsort(types->items, types->count, sizeof *types->items, compare);
    for (size_t i = 0; i < types->count && i < 5; i++) {
        int64_t value = failures ? types->items[i].bad : types->items[i].count;
        if (value == 0)
            break;
        struct json *entry = json_object_new();
        json_set_str(entry, "nodeType", types->items[i].key);
        json_set_int(entry, member, value);
        json_push(list, entry);
    }
    return list;
}

static struct json *missing(const char *text)
{
    struct json *answer = json_object_new();
    json_set_str(answer, "error", text);
    return answer;
}

static enum err reply_tallies(struct api *api, struct http_request *request, bool nodes, const char *wanted,
                              struct error *reterr)
{
    struct sample sample = {.detail = true, .flow_id = nodes ? NULL : wanted};
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    struct tallies all = {0};
    (nodes ? tally_nodes : tally_flows)(&all, &sample);
    struct json *(*show)(const struct tally *) = nodes ? node_metrics : flow_metrics;
    struct json *answer = wanted == NULL ? list_of(&all, show, SIZE_MAX) : NULL;
    for (size_t i = 0; wanted != NULL && answer == NULL && i < all.count; i++)
        if (strcmp(all.items[i].key, wanted) == 0)
            answer = show(&all.items[i]);
    if (answer == NULL)
        answer = missing(nodes ? "Node metrics not found" : "Flow metrics not found");
    http_reply(request, 200, answer);
    tallies_done(&all);
    sample_done(&sample);
    return ERR_OK;
}

static enum err get_flows(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_tallies(api, request, false, NULL, reterr);
}

static enum err get_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_tallies(api, request, false, request->params[0], reterr);
}

static enum err get_nodes(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_tallies(api, request, true, NULL, reterr);
}

static enum err get_node(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_tallies(api, request, true, request->params[0], reterr);
}

static struct tally total_of(const struct sample *sample)
{
    struct tally total = {0};
    for (size_t i = 0; i < json_count(sample->rows); i++)
        tally_add(&total, json_at(sample->rows, i));
    return total;
}

static enum err get_stats(struct api *api, struct http_request *request, struct error *reterr)
{
    struct sample sample = {.detail = true};
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    struct tally total = total_of(&sample);
    struct tallies types = {0};
    tally_nodes(&types, &sample);
    int64_t good = finished_good(&sample), bad = finished_bad(&sample);
    struct json *stats = json_object_new();
    json_set_int(stats, "totalExecutions", good + bad);
    json_set_int(stats, "successfulExecutions", good);
    json_set_int(stats, "failedExecutions", bad);
    json_set_double(stats, "successRate", share(good, good + bad));
    json_set_int(stats, "totalRecordsProcessed", total.records);
    json_set_double(stats, "averageExecutionTime", average(&total));
    json_set(stats, "topFailedNodeTypes", top(&types, by_bad, "failureCount"));
    json_set(stats, "topExecutedNodeTypes", top(&types, by_count, "executionCount"));
    tallies_done(&types);
    sample_done(&sample);
    http_reply(request, 200, stats);
    return ERR_OK;
}

/* ---- the system */

static void take_snapshot(struct api *api, const struct sample *sample, struct snapshot *ret)
{
    struct process_usage usage = {0};
    struct error error;
    struct tally total = total_of(sample);
    *ret = (struct snapshot){.at_ms = clock_now_ms(),
                             .active = json_get_int(sample->counts, "running", 0),
                             .waiting = json_get_int(sample->counts, "pending", 0),
                             .completed = finished_good(sample),
                             .failed = finished_bad(sample),
                             .average_ms = average(&total)};
    (void)api;
    if (process_usage_read("/proc", &usage, &error) != ERR_OK)
        return;
    ret->resident_bytes = usage.resident_bytes;
    ret->cpu_user_us = usage.cpu_user_us;
    ret->cpu_system_us = usage.cpu_system_us;
}

static struct json *system_metrics(const struct api *api, const struct snapshot *s)
{
    static const char *const none[] = {"heapTotal", "heapUsed", "external", "arrayBuffers"};
    struct json *metrics = json_object_new(), *memory = json_object_new(), *cpu = json_object_new();
    set_at(metrics, "timestamp", s->at_ms);
    json_set_int(metrics, "activeExecutions", s->active);
    json_set_int(metrics, "queuedJobs", s->waiting);
    json_set_int(metrics, "completedExecutions", s->completed);
    json_set_int(metrics, "failedExecutions", s->failed);
    json_set_double(metrics, "averageExecutionTime", s->average_ms);
    json_set_int(memory, "rss", s->resident_bytes);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        json_set_int(memory, none[i], i < 2 ? s->resident_bytes : 0);
    json_set(metrics, "systemMemoryUsage", memory);
    json_set_int(cpu, "user", s->cpu_user_us);
    json_set_int(cpu, "system", s->cpu_system_us);
    json_set(metrics, "systemCpuUsage", cpu);
    json_set_int(metrics, "uptime", s->at_ms - api->started_ms);
    return metrics;
}

static void on_minute(void *user)
{
    struct api *api = user;
    struct sample sample = {0};
    struct error error;
    loop_timer_set(api->monitor->timer, MINUTE_MS);
    if (take_sample(api, &sample, &error) != ERR_OK) {
        log_event(LOG_WARN, "the minute's figures cannot be read", LOG_CAUSE(&error), LOG_END);
        return;
    }
    struct snapshot snapshot;
    take_snapshot(api, &sample, &snapshot);
    sample_done(&sample);
    pthread_mutex_lock(&api->lock);
    api->monitor->snapshots[api->monitor->count++ % SNAPSHOTS] = snapshot;
    pthread_mutex_unlock(&api->lock);
}

void api_monitor_start(struct api *api)
{
    api->monitor = mem_alloc(sizeof *api->monitor);
    api->monitor->timer = loop_timer_new(api->options.loop, on_minute, api);
    loop_timer_set(api->monitor->timer, MINUTE_MS);
}

void api_monitor_free(struct api *api)
{
    loop_timer_free(api->monitor->timer);
    free(api->monitor);
}

/* Snapshots since a time, oldest first, as `show` makes them. */
static struct json *history(struct api *api, int64_t since_ms,
                            struct json *(*show)(const struct api *, const struct snapshot *))
{
    struct json *list = json_array_new();
    pthread_mutex_lock(&api->lock);
    const struct monitor *monitor = api->monitor;
    for (size_t i = monitor->count > SNAPSHOTS ? monitor->count - SNAPSHOTS : 0; i < monitor->count; i++)
        if (monitor->snapshots[i % SNAPSHOTS].at_ms >= since_ms)
            json_push(list, show(api, &monitor->snapshots[i % SNAPSHOTS]));
    pthread_mutex_unlock(&api->lock);
    return list;
}

static bool is_running(const struct json *row)
{
    return strcmp(json_get_str(row, "status"), "running") == 0;
}

static struct json *running_jobs(const struct sample *sample)
{
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(sample->rows); i++) {
        const struct json *row = json_at(sample->rows, i);
        if (!is_running(row))
            continue;
        struct json *job = json_object_new();
        int64_t started = time_of(row, "startTime");
        json_set_str(job, "jobId", json_get_str(row, "id"));
        json_set_str(job, "executionId", json_get_str(row, "id"));
        json_set_int(job, "startTime", started);
        json_set_int(job, "duration", clock_now_ms() - started);
        json_set_int(job, "attempts", json_get_int(row, "retryCount", 0) + 1);
        json_push(list, job);
    }
    return list;
}

static enum err get_system(struct api *api, struct http_request *request, struct error *reterr)
{
    struct sample sample = {0};
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    struct snapshot snapshot;
    take_snapshot(api, &sample, &snapshot);
    struct json *answer = json_object_new(), *jobs = running_jobs(&sample);
    json_set(answer, "current", system_metrics(api, &snapshot));
    json_set_int(answer, "activeJobs", (int64_t)json_count(jobs));
    json_set(answer, "activeJobsList", jobs);
    sample_done(&sample);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static const struct field hours_fields[] = {
    {.name = "hours", .kind = FIELD_INT, .min = 1, .max = 24, .default_json = "24", .help = "How far back."}, {0}};
static const struct field limit_fields[] = {
    {.name = "limit", .kind = FIELD_INT, .min = 1, .max = 100, .default_json = "10", .help = "How many."}, {0}};

static enum err get_history(struct api *api, struct http_request *request, struct error *reterr)
{
    struct error error = {0};
    int64_t hours = api_query_int(request, "hours", 1, 24, 24, &error);
    if (error.code != ERR_OK) {
        *reterr = error;
        return error.code;
    }
    http_reply(request, 200, history(api, clock_now_ms() - hours * 60 * MINUTE_MS, system_metrics));
    return ERR_OK;
}

/* ---- single executions */

static struct json *execution_metrics(const struct json *detail)
{
    struct json *metrics = json_object_new();
    const struct json *nodes = json_get(detail, "nodeExecutions");
    const char *status = json_get_str(detail, "status");
    int64_t good = 0, bad = 0;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *state = json_get_str(json_at(nodes, i), "status");
        good += strcmp(state, "success") == 0;
        bad += strcmp(state, "failed") == 0;
    }
    json_set_str(metrics, "executionId", json_get_str(detail, "id"));
    json_set_str(metrics, "flowId", json_get_str(detail, "flowId"));
    json_set_str(metrics, "startTime", json_get_str(detail, "startTime"));
    json_set_str(metrics, "endTime", json_get_str(detail, "endTime"));
    json_set(metrics, "duration", json_ref(json_get(detail, "duration")));
    json_set_str(metrics, "status",
                 strcmp(status, "success") == 0   ? "completed"
                 : strcmp(status, "timeout") == 0 ? "failed"
                                                  : status);
    json_set_int(metrics, "nodeCount", (int64_t)json_count(nodes));
    json_set_int(metrics, "completedNodes", good);
    json_set_int(metrics, "failedNodes", bad);
    json_set_int(metrics, "recordsProcessed", json_get_int(detail, "recordsProcessed", 0));
    json_set_int(metrics, "memoryUsage", (int64_t)json_size(detail)); /* what it left: its inputs and outputs */
    json_set_int(metrics, "cpuUsage", 0);
    json_set_int(metrics, "errorCount", bad);
    json_set_int(metrics, "retryCount", json_get_int(detail, "retryCount", 0));
    return metrics;
}

struct one {
    const char *id;
    struct json *detail;
};

static enum err read_one(struct store_session *session, void *arg, struct error *reterr)
{
    struct one *one = arg;
    return store_execution_load_detail(session, one->id, &one->detail, reterr);
}

static enum err get_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    struct one one = {.id = request->params[0]};
    enum err code = api_read(api, read_one, &one, reterr);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code;
    http_reply(request, 200, code == ERR_OK ? execution_metrics(one.detail) : missing("Execution metrics not found"));
    json_unref(one.detail);
    return ERR_OK;
}

static enum err get_job(struct api *api, struct http_request *request, struct error *reterr)
{
    struct one one = {.id = request->params[0]};
    enum err code = api_read(api, read_one, &one, reterr);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code;
    struct json *job = code == ERR_OK ? json_object_new() : missing("Job not found");
    if (code == ERR_OK) {
        json_set_str(job, "executionId", one.id);
        json_set_int(job, "startTime", time_of(one.detail, "startTime"));
        json_set(job, "duration", json_ref(json_get(one.detail, "duration")));
        json_set_int(job, "memoryUsage", (int64_t)json_size(one.detail));
        json_set_int(job, "attempts", json_get_int(one.detail, "retryCount", 0) + 1);
    }
    json_unref(one.detail);
    http_reply(request, 200, job);
    return ERR_OK;
}

static int by_duration(const void *a, const void *b)
{
    int64_t x = json_get_int(*(struct json *const *)a, "duration", -1),
            y = json_get_int(*(struct json *const *)b, "duration", -1);
    return (y > x) - (y < x);
}

static int by_memory(const void *a, const void *b)
{
    int64_t x = json_get_int(*(struct json *const *)a, "memoryUsage", 0),
            y = json_get_int(*(struct json *const *)b, "memoryUsage", 0);
    return (y > x) - (y < x);
}

static enum err reply_ranking(struct api *api, struct http_request *request, int (*compare)(const void *, const void *),
                              struct error *reterr)
{
    struct error error = {0};
    int64_t limit = api_query_int(request, "limit", 1, 100, 10, &error);
    struct sample sample = {.detail = true};
    if (error.code != ERR_OK) {
        *reterr = error;
        return error.code;
    }
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    size_t count = 0;
    struct json **all = mem_array(json_count(sample.rows) + 1, sizeof *all), *answer = json_array_new();
    for (size_t i = 0; i < json_count(sample.rows); i++)
        if (json_get(json_at(sample.rows, i), "duration") != NULL)
            all[count++] = execution_metrics(json_at(sample.rows, i));
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++) {
        if ((int64_t)i < limit)
            json_push(answer, all[i]);
        else
            json_unref(all[i]);
    }
    free(all);
    sample_done(&sample);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static enum err get_slow(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_ranking(api, request, by_duration, reterr);
}

static enum err get_large(struct api *api, struct http_request *request, struct error *reterr)
{
    return reply_ranking(api, request, by_memory, reterr);
}

/* ---- the overall picture */

static struct json *check(const char *status, struct json *take_value)
{
    struct json *entry = json_object_new();
    json_set_str(entry, "status", status);
    json_set(entry, "value", take_value);
    return entry;
}

static struct json *text_value(const char *format, double value)
{
    char text[40];
    (void)snprintf(text, sizeof text,
                   strcmp(format, "MB") == 0  ? "%.0fMB"
                   : strcmp(format, "%") == 0 ? "%.1f%%"
                                              : "%.0fmin",
                   value);
    return json_string_new(text);
}

static enum err get_health(struct api *api, struct http_request *request, struct error *reterr)
{
    struct sample sample = {0};
    struct snapshot s;
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    take_snapshot(api, &sample, &s);
    double megabytes = (double)s.resident_bytes / 1048576, rate = share(s.completed, s.completed + s.failed);
    int score = 100;
    score -= megabytes > 800 ? 20 : megabytes > 600 ? 10 : 0;
    score -= rate < 90 ? 15 : rate < 95 ? 5 : 0;
    score -= s.active > 50 ? 10 : s.active > 30 ? 5 : 0;
    struct json *answer = json_object_new(), *checks = json_object_new();
    json_set_str(answer, "status", score < 70 ? "unhealthy" : score < 85 ? "degraded" : "healthy");
    json_set_int(answer, "healthScore", score);
    json_set(checks, "memoryUsage", check(megabytes < 800 ? "ok" : "warning", text_value("MB", megabytes)));
    json_set(checks, "successRate", check(rate >= 95 ? "ok" : rate >= 90 ? "warning" : "error", text_value("%", rate)));
    json_set(checks, "activeExecutions",
             check(s.active < 30   ? "ok"
                   : s.active < 50 ? "warning"
                                   : "error",
                   json_int_new(s.active)));
    json_set(checks, "uptime", check("ok", text_value("min", (double)(s.at_ms - api->started_ms) / MINUTE_MS)));
    json_set(answer, "checks", checks);
    set_at(answer, "timestamp", s.at_ms);
    sample_done(&sample);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static struct json *execution_point(const struct api *api, const struct snapshot *s)
{
    (void)api;
    struct json *point = json_object_new();
    set_at(point, "timestamp", s->at_ms);
    json_set_int(point, "completed", s->completed);
    json_set_int(point, "failed", s->failed);
    json_set_int(point, "active", s->active);
    return point;
}

static struct json *memory_point(const struct api *api, const struct snapshot *s)
{
    (void)api;
    struct json *point = json_object_new();
    set_at(point, "timestamp", s->at_ms);
    json_set_int(point, "memoryMB", s->resident_bytes >> 20);
    return point;
}

static struct json *current_of(const struct api *api, const struct snapshot *s, const struct tally *total)
{
    struct json *current = json_object_new();
    json_set_int(current, "activeExecutions", s->active);
    json_set_int(current, "completedExecutions", s->completed);
    json_set_int(current, "failedExecutions", s->failed);
    json_set_double(current, "successRate", share(s->completed, s->completed + s->failed));
    json_set_double(current, "averageExecutionTime", s->average_ms);
    json_set_int(current, "totalRecordsProcessed", total->records);
    json_set_int(current, "memoryUsageMB", s->resident_bytes >> 20);
    json_set_int(current, "uptime", s->at_ms - api->started_ms);
    return current;
}

static enum err get_dashboard(struct api *api, struct http_request *request, struct error *reterr)
{
    struct sample sample = {.detail = true};
    struct snapshot s;
    enum err code = take_sample(api, &sample, reterr);
    if (code != ERR_OK)
        return code;
    take_snapshot(api, &sample, &s);
    struct tally total = total_of(&sample);
    struct tallies types = {0}, flows = {0};
    tally_nodes(&types, &sample);
    tally_flows(&flows, &sample);
    int64_t hour_ago = clock_now_ms() - 60 * MINUTE_MS;
    struct json *answer = json_object_new(), *trends = json_object_new(), *nodes = json_object_new();
    json_set(answer, "current", current_of(api, &s, &total));
    json_set(trends, "executionHistory", history(api, hour_ago, execution_point));
    json_set(trends, "memoryHistory", history(api, hour_ago, memory_point));
    json_set(answer, "trends", trends);
    json_set(nodes, "mostExecuted", top(&types, by_count, "executionCount"));
    json_set(nodes, "mostFailed", top(&types, by_bad, "failureCount"));
    json_set(answer, "topNodes", nodes);
    json_set(answer, "flows", list_of(&flows, flow_metrics, 10));
    tallies_done(&types);
    tallies_done(&flows);
    sample_done(&sample);
    http_reply(request, 200, answer);
    return ERR_OK;
}

#define BASE "/api/v1/monitoring"
const struct route monitoring_routes[] = {
    {"GET", BASE "/system", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Present figures and running executions",
     get_system, &answer_system},
    {"GET", BASE "/system/history", ROLE_VIEWER, 0, NULL, hours_fields, 200, "monitoring",
     "Figures of each minute, a day at most", get_history, &answer_system_history},
    {"GET", BASE "/execution/:executionId", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Figures of one execution",
     get_execution, &answer_execution_metrics},
    {"GET", BASE "/flows", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Figures by flow", get_flows,
     &answer_flow_metrics_list},
    {"GET", BASE "/flows/:flowId", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Figures of one flow", get_flow,
     &answer_flow_metrics},
    {"GET", BASE "/nodes", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Figures by node type", get_nodes,
     &answer_node_metrics_list},
    {"GET", BASE "/nodes/:nodeType", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Figures of one node type",
     get_node, &answer_node_metrics},
    {"GET", BASE "/stats", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Totals", get_stats, &answer_stats},
    {"GET", BASE "/performance/slow-executions", ROLE_VIEWER, 0, NULL, limit_fields, 200, "monitoring",
     "The longest executions", get_slow, &answer_execution_metrics_list},
    {"GET", BASE "/performance/high-memory-executions", ROLE_VIEWER, 0, NULL, limit_fields, 200, "monitoring",
     "The executions with the most data", get_large, &answer_execution_metrics_list},
    {"GET", BASE "/jobs/:jobId", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "One execution as a job", get_job,
     &answer_job},
    {"GET", BASE "/health", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "A score of the system", get_health,
     &answer_score},
    {"GET", BASE "/dashboard", ROLE_VIEWER, 0, NULL, NULL, 200, "monitoring", "Everything a dashboard shows",
     get_dashboard, &answer_dashboard},
    {0}};
