/* Counters, gauges and histograms, and their exposition in the Prometheus text format 0.0.4.
 *
 * Values are 64-bit integers in a base unit; a descriptor's `decimals` says where the point goes when shown: durations
 * are kept in µs and shown in seconds with decimals = 6. Updates are single atomic additions.
 *
 *     static const int64_t bounds_us[] = {1000, 5000, 20000, 100000, 1000000};
 *     static const struct metric_desc request_time = {.name = "caudal_http_request_seconds", .help = "Time to answer.",
 *         .kind = METRIC_HISTOGRAM, .decimals = 6, .labels = {"route", "status"}, METRIC_BOUNDS(bounds_us)};
 *     struct metric_family *times = metrics_register(registry, &request_time);
 *     metric_observe(metric_with(times, "/flows", "200"), elapsed_us);
 *
 * Everything is thread-safe, apart from metrics_free. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include <stddef.h>
#include <stdint.h>

#define METRIC_MAX_LABELS 6
#define METRIC_MAX_BOUNDS 40
#define METRIC_LABEL_BYTES 128      /* of one label value; longer ones are cut at a character */
#define METRIC_MAX_SERIES 1000      /* of one family, unless its descriptor says otherwise */
#define METRIC_OTHER_LABEL "_other" /* every label of the series that stands for those above the maximum */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Static data: kept by reference. */
struct metric_desc {
    const char *name; /* [a-zA-Z_:][a-zA-Z0-9_:]*; unit as suffix, counters end in _total */
    const char *help; /* one sentence */
    enum metric_kind kind;
    unsigned decimals;                         /* 0..9: shown = kept / 10^decimals */
    const char *labels[METRIC_MAX_LABELS + 1]; /* names, NULL-terminated; not "le" for a histogram */
    const int64_t *bounds;                     /* METRIC_HISTOGRAM: ascending upper bounds, inclusive, base unit */
    size_t bound_count;
    size_t max_series; /* 0: METRIC_MAX_SERIES */
};
#define METRIC_BOUNDS(array) .bounds = (array), .bound_count = sizeof(array) / sizeof *(array)

struct metrics;       /* a registry */
struct metric_family; /* all series of one name */
struct metric;        /* one series; lives as long as its registry */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* when nobody updates any more */
void metrics_free_ptr(struct metrics **metrics);
#define AUTO_METRICS CLEANUP(metrics_free_ptr)

/* Whether a descriptor is right: name, labels, bounds, decimals. ERR_INTERNAL with the reason otherwise. */
enum err metric_desc_check(const struct metric_desc *desc, struct error *reterr) ERROR_MUST_CHECK;

/* Adds a family, or finds the one of that name (several services in one process share theirs). Aborts, with the reason
 * on standard error, on a descriptor that metric_desc_check refuses or that contradicts the one registered before:
 * that is a defect of this program. */
struct metric_family *metrics_register(struct metrics *metrics, const struct metric_desc *desc);

/* The series with these label values, one for each label of the descriptor, made when it is new. Keep the result where
 * the labels are known beforehand; a lookup costs a hash and a shared lock. Above the family's maximum everyone shares
 * the series METRIC_OTHER_LABEL, and caudal_metrics_other_total counts. A NULL value is "". */
struct metric *metric_get(struct metric_family *family, const char *const *label_values);
#define metric_with(family, ...) metric_get((family), (const char *const[METRIC_MAX_LABELS]){__VA_ARGS__})
#define metric_only(family) metric_get((family), (const char *const[METRIC_MAX_LABELS]){NULL}) /* without labels */

void metric_add(struct metric *metric, int64_t n);         /* counter (n >= 0) or gauge */
void metric_set(struct metric *metric, int64_t value);     /* gauge */
void metric_observe(struct metric *metric, int64_t value); /* histogram */
int64_t metric_value(const struct metric *metric);         /* counter or gauge */

/* A histogram at one moment. `counts` are per bucket, not cumulative; the last one is above all bounds. */
struct metric_histogram {
    uint64_t counts[METRIC_MAX_BOUNDS + 1];
    uint64_t count; /* their sum */
    int64_t sum;    /* of the values observed; may run one observation ahead of or behind `count` */
};
void metric_histogram_read(const struct metric *metric, struct metric_histogram *ret);
/* Of all series of the family together. */
void metric_family_read(struct metric_family *family, struct metric_histogram *ret);
/* later - earlier: what was observed in between. */
void metric_histogram_subtract(struct metric_histogram *later, const struct metric_histogram *earlier);

/* An estimate of the q-quantile (0..1), interpolated inside its bucket as Prometheus' histogram_quantile does; the
 * highest bound when it lies above all bounds; NaN when nothing was observed. In the base unit. */
double metric_histogram_quantile(const struct metric_desc *desc, const struct metric_histogram *histogram, double q);

/* For values that are read when asked for (queue depths, workers, the process): `collect` is called during each
 * exposition, from the thread that asked for it, and calls metrics_emit for each value. Values of one descriptor must
 * be emitted one after the other. Nothing is kept, so a label value that goes away goes away here too. */
struct metrics_writer;
typedef void metrics_collect(void *user, struct metrics_writer *writer);
void metrics_add_collector(struct metrics *metrics, metrics_collect *collect, void *user);
/* After it returns, `collect` is not running and will not be called again. Not from within a collector. */
void metrics_remove_collector(struct metrics *metrics, metrics_collect *collect, void *user);
/* Counters and gauges only. */
void metrics_emit(struct metrics_writer *writer, const struct metric_desc *desc, const char *const *label_values,
                  int64_t value);
#define metrics_emit_with(writer, desc, value, ...)                                                                    \
    metrics_emit((writer), (desc), (const char *const[METRIC_MAX_LABELS]){__VA_ARGS__}, (value))

/* Appends the exposition: families in order of registration, then the collectors'. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_print(struct metrics *metrics, struct buf *out);
