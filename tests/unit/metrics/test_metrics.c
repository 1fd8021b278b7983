/* The registry, its exposition, its bounds, and many threads at once (run it under ThreadSanitizer too). */
#include "metrics/metrics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t bounds_us[] = {1000, 2500, 1000000};
static const struct metric_desc requests = {
    .name = "t_requests_total", .help = "Requests.", .kind = METRIC_COUNTER, .labels = {"route", "status"}};
static const struct metric_desc depth = {.name = "t_depth", .help = "Depth\\of\nit.", .kind = METRIC_GAUGE};
static const struct metric_desc cpu_time = {
    .name = "t_cpu_seconds_total", .help = "CPU.", .kind = METRIC_COUNTER, .decimals = 6};
static const struct metric_desc latency = {.name = "t_seconds",
                                           .help = "Time.",
                                           .kind = METRIC_HISTOGRAM,
                                           .decimals = 6,
                                           .labels = {"op"},
                                           METRIC_BOUNDS(bounds_us)};

static void expect_print(struct metrics *metrics, const char *expected)
{
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    metrics_print(metrics, &out);
    assert_string_equal(buf_str(&out), expected);
}

static void prints_every_kind(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric_family *counted = metrics_register(metrics, &requests);
    struct metric_family *timed = metrics_register(metrics, &latency);
    struct metric *gauge = metric_only(metrics_register(metrics, &depth));
    metric_add(metric_only(metrics_register(metrics, &cpu_time)), 1500001);
    metric_add(metric_with(counted, "/flows", "200"), 2);
    metric_add(metric_with(counted, "a\"b\\c\nd", NULL), 1);
    metric_set(gauge, 7);
    metric_add(gauge, -10);
    struct metric *series = metric_with(timed, "read");
    static const int64_t observed[] = {0, 1000, 1001, 2500, 999999, 1000001};
    for (size_t i = 0; i < sizeof observed / sizeof *observed; i++)
        metric_observe(series, observed[i]);
    expect_print(metrics,
                 "# HELP t_requests_total Requests.\n# TYPE t_requests_total counter\n"
                 "t_requests_total{route=\"/flows\",status=\"200\"} 2\n"
                 "t_requests_total{route=\"a\\\"b\\\\c\\nd\",status=\"\"} 1\n"
                 "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n"
                 "t_seconds_bucket{op=\"read\",le=\"0.001\"} 2\n"
                 "t_seconds_bucket{op=\"read\",le=\"0.0025\"} 4\n"
                 "t_seconds_bucket{op=\"read\",le=\"1\"} 5\n"
                 "t_seconds_bucket{op=\"read\",le=\"+Inf\"} 6\n"
                 "t_seconds_sum{op=\"read\"} 2.004501\n"
                 "t_seconds_count{op=\"read\"} 6\n"
                 "# HELP t_depth Depth\\\\of\\nit.\n# TYPE t_depth gauge\nt_depth -3\n"
                 "# HELP t_cpu_seconds_total CPU.\n# TYPE t_cpu_seconds_total counter\nt_cpu_seconds_total 1.500001\n");
    assert_int_equal(metric_value(gauge), -3);
}

static void decimals_are_exact(void **state)
{
    (void)state;
    static const struct metric_desc exact = {.name = "t_exact", .help = "h", .kind = METRIC_GAUGE, .decimals = 3};
    static const struct {
        int64_t value;
        const char *shown;
    } cases[] = {{0, "0"},        {1, "0.001"},
                 {-1, "-0.001"},  {1000, "1"},
                 {-1500, "-1.5"}, {INT64_MAX, "9223372036854775.807"},
                 {100, "0.1"},    {INT64_MIN, "-9223372036854775.808"}};
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric *gauge = metric_only(metrics_register(metrics, &exact));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[128];
        (void)snprintf(expected, sizeof expected, "# HELP t_exact h\n# TYPE t_exact gauge\nt_exact %s\n",
                       cases[i].shown);
        metric_set(gauge, cases[i].value);
        expect_print(metrics, expected);
    }
}

static void the_same_labels_are_the_same_series(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_register(metrics, &requests);
    assert_ptr_equal(metrics_register(metrics, &requests), family);
    assert_ptr_equal(metric_with(family, "a", "b"), metric_with(family, "a", "b"));
    assert_ptr_not_equal(metric_with(family, "a", "b"), metric_with(family, "ab", ""));
    assert_ptr_not_equal(metric_with(family, "a", "b"), metric_with(family, "b", "a"));
    assert_ptr_equal(metric_with(family, "a", ""), metric_with(family, "a", NULL));
}

static void label_values_are_valid_and_bounded(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_register(metrics, &requests);
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer + METRIC_LABEL_BYTES - 1, "é", 2); /* the cut must not halve it */
    metric_add(metric_with(family, "\xff\xc0z", longer), 1);
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    metrics_print(metrics, &out);
    char expected[512];
    (void)snprintf(expected, sizeof expected, "{route=\"\xef\xbf\xbd\xef\xbf\xbdz\",status=\"%.*s\"} 1\n",
                   METRIC_LABEL_BYTES - 1, longer);
    assert_non_null(strstr(buf_str(&out), expected));
}

static void cardinality_is_bounded(void **state)
{
    (void)state;
    static const struct metric_desc few = {
        .name = "t_few_total", .help = "h", .kind = METRIC_COUNTER, .labels = {"id"}, .max_series = 2};
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_register(metrics, &few);
    for (int i = 0; i < 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "id%d", i);
        metric_add(metric_with(family, id), 1);
    }
    metric_add(metric_with(family, "id1"), 1);
    expect_print(metrics,
                 "# HELP t_few_total h\n# TYPE t_few_total counter\n"
                 "t_few_total{id=\"id0\"} 1\nt_few_total{id=\"id1\"} 2\nt_few_total{id=\"_other\"} 98\n"
                 "# HELP caudal_metrics_other_total Look-ups that got the shared series because the metric has its "
                 "maximum of label combinations.\n# TYPE caudal_metrics_other_total counter\n"
                 "caudal_metrics_other_total{metric=\"t_few_total\"} 98\n");
}

static void wrong_descriptors_are_refused(void **state)
{
    (void)state;
    static const int64_t falling[] = {2, 1};
    static const struct metric_desc wrong[] = {
        {.name = "1x", .help = "h"},
        {.name = "a-b", .help = "h"},
        {.help = "h"},
        {.name = "x", .help = ""},
        {.name = "x", .help = "h", .decimals = 10},
        {.name = "x", .help = "h", .labels = {"a", "a"}},
        {.name = "x", .help = "h", .labels = {"a:b"}},
        {.name = "x", .help = "h", .labels = {"__a"}},
        {.name = "x", .help = "h", .labels = {"a", "b", "c", "d", "e", "f", "g"}},
        {.name = "x", .help = "h", .kind = METRIC_HISTOGRAM},
        {.name = "x", .help = "h", .kind = METRIC_HISTOGRAM, .labels = {"le"}, METRIC_BOUNDS(bounds_us)},
        {.name = "x", .help = "h", .kind = METRIC_HISTOGRAM, METRIC_BOUNDS(falling)},
        {.name = "x", .help = "h", .kind = METRIC_GAUGE, METRIC_BOUNDS(bounds_us)},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error;
        if (metric_desc_check(&wrong[i], &error) != ERR_INTERNAL)
            fail_msg("case %zu was accepted", i);
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(metric_desc_check(&latency, NULL), ERR_OK);
}

static void a_contradiction_aborts(void **state)
{
    (void)state;
    static const struct metric_desc other = {.name = "t_depth", .help = "Other.", .kind = METRIC_COUNTER};
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        struct metrics *metrics = metrics_new();
        (void)metrics_register(metrics, &depth);
        (void)metrics_register(metrics, &other);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void quantiles_interpolate(void **state)
{
    (void)state;
    static const int64_t tens[] = {10, 20, 40};
    static const struct metric_desc desc = {.name = "t_q", .help = "h", .kind = METRIC_HISTOGRAM, METRIC_BOUNDS(tens)};
    AUTO_METRICS struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_register(metrics, &desc);
    struct metric_histogram now, before;
    metric_family_read(family, &before);
    assert_true(isnan(metric_histogram_quantile(&desc, &before, 0.5)));
    struct metric *series = metric_only(family);
    for (int i = 0; i < 10; i++)
        metric_observe(series, 5);
    for (int i = 0; i < 10; i++)
        metric_observe(series, 30);
    metric_histogram_read(series, &now);
    static const struct {
        double q, expected;
    } cases[] = {{0, 0}, {0.25, 5}, {0.5, 10}, {0.75, 30}, {1, 40}, {-1, 0}, {2, 40}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_float_equal(metric_histogram_quantile(&desc, &now, cases[i].q), cases[i].expected, 1e-9);
    assert_int_equal(now.count, 20);
    assert_int_equal(now.sum, 350);

    before = now;
    metric_observe(series, 41);
    metric_family_read(family, &now);
    metric_histogram_subtract(&now, &before);
    assert_int_equal(now.count, 1);
    assert_int_equal(now.sum, 41);
    assert_float_equal(metric_histogram_quantile(&desc, &now, 0.5), 40, 1e-9); /* above all bounds: the highest */
}

static void on_collect(void *user, struct metrics_writer *writer)
{
    static const struct metric_desc queue = {.name = "t_queue", .help = "q", .kind = METRIC_GAUGE, .labels = {"name"}};
    metrics_emit_with(writer, &queue, (*(int *)user)++, "high");
    metrics_emit_with(writer, &queue, 5, "lo\"w");
}

static void collectors_are_asked_each_time(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    int value = 1, unused = 0;
    metrics_add_collector(metrics, on_collect, &value);
    expect_print(metrics,
                 "# HELP t_queue q\n# TYPE t_queue gauge\nt_queue{name=\"high\"} 1\nt_queue{name=\"lo\\\"w\"} 5\n");
    expect_print(metrics,
                 "# HELP t_queue q\n# TYPE t_queue gauge\nt_queue{name=\"high\"} 2\nt_queue{name=\"lo\\\"w\"} 5\n");
    metrics_remove_collector(metrics, on_collect, &unused); /* another one: nothing happens */
    metrics_remove_collector(metrics, on_collect, &value);
    expect_print(metrics, "");
    assert_int_equal(value, 3);
}

#define THREADS 4
#define ROUNDS 5000

static struct shared {
    struct metrics *metrics;
    _Atomic int running;
} shared;

static void *update_many(void *user)
{
    int id = *(int *)user;
    struct metric_family *counted = metrics_register(shared.metrics, &requests);
    struct metric_family *timed = metrics_register(shared.metrics, &latency);
    struct metric *gauge = metric_only(metrics_register(shared.metrics, &depth));
    for (int i = 0; i < ROUNDS; i++) {
        char route[16];
        (void)snprintf(route, sizeof route, "r%d", i % 50);
        metric_add(metric_with(counted, route, "200"), 1);
        metric_observe(metric_with(timed, id % 2 == 0 ? "even" : "odd"), i);
        metric_add(gauge, i % 2 == 0 ? 3 : -2);
    }
    atomic_fetch_sub(&shared.running, 1);
    return NULL;
}

/* In a scrape taken at any moment the buckets rise and the last one is the count. */
static void check_consistent(const char *text)
{
    unsigned long long last = 0, value = 0;
    for (const char *at = strstr(text, "t_seconds_bucket"); at != NULL; at = strstr(at + 1, "\nt_seconds_")) {
        at += *at == '\n';
        assert_int_equal(sscanf(strchr(at, '}'), "} %llu", &value), 1);
        bool bucket = strncmp(at, "t_seconds_bucket", 16) == 0;
        if (bucket && strstr(at, "le=\"0.001\"") != NULL && strstr(at, "le=\"0.001\"") < strchr(at, '\n'))
            last = 0;
        if (bucket)
            assert_true(value >= last);
        else if (strncmp(at, "t_seconds_count", 15) == 0)
            assert_int_equal(value, last);
        last = bucket ? value : last;
    }
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    pthread_t threads[THREADS];
    int ids[THREADS];
    shared.metrics = metrics;
    atomic_store(&shared.running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, update_many, &ids[i]), 0);
    }
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    do {
        buf_clear(&out);
        metrics_print(metrics, &out);
        check_consistent(buf_str(&out));
    } while (atomic_load(&shared.running) > 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    struct metric_family *counted = metrics_register(metrics, &requests);
    int64_t total = 0;
    for (int i = 0; i < 50; i++) {
        char route[16];
        (void)snprintf(route, sizeof route, "r%d", i);
        assert_int_equal(metric_value(metric_with(counted, route, "200")), THREADS * ROUNDS / 50);
        total += metric_value(metric_with(counted, route, "200"));
    }
    assert_int_equal(total, THREADS * ROUNDS);
    assert_int_equal(metric_value(metric_only(metrics_register(metrics, &depth))), THREADS * ROUNDS / 2);
    struct metric_histogram all;
    metric_family_read(metrics_register(metrics, &latency), &all);
    assert_int_equal(all.count, THREADS * ROUNDS);
    assert_int_equal(all.sum, (int64_t)THREADS * ROUNDS * (ROUNDS - 1) / 2);
    assert_int_equal(all.counts[0], THREADS * 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_every_kind),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(the_same_labels_are_the_same_series),
        cmocka_unit_test(label_values_are_valid_and_bounded),
        cmocka_unit_test(cardinality_is_bounded),
        cmocka_unit_test(wrong_descriptors_are_refused),
        cmocka_unit_test(a_contradiction_aborts),
        cmocka_unit_test(quantiles_interpolate),
        cmocka_unit_test(collectors_are_asked_each_time),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
