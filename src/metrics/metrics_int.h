/* Between metrics.c, which keeps the values, and exposition.c, which prints them. */
#pragma once
#include "metrics/metrics.h"
#include <pthread.h>
#include <stdatomic.h>

struct metric {
    const struct metric_desc *desc;
    struct metric *next_in_bucket, *next; /* hash chain; order of creation */
    uint64_t hash;
    char *label_values[METRIC_MAX_LABELS];
    _Atomic int64_t value;     /* a histogram's sum */
    _Atomic uint64_t counts[]; /* histograms: bound_count + 1 */
};

#define METRIC_HASH_BUCKETS 64

struct metric_family {
    const struct metric_desc *desc;
    struct metric_family *next;
    pthread_rwlock_t lock; /* over the lists; values are atomic */
    struct metric *buckets[METRIC_HASH_BUCKETS];
    struct metric *first, *last, *other;
    size_t series;
    _Atomic uint64_t to_other;
};

struct metrics_collector {
    struct metrics_collector *next;
    metrics_collect *collect;
    void *user;
};

struct metrics {
    pthread_mutex_t lock;       /* over `first`, `last` and `collectors` */
    pthread_mutex_t collecting; /* held while collectors run, so that removal can wait for them */
    struct metric_family *first, *last;
    struct metrics_collector *collectors;
};

/* Label values as they are kept and shown: valid UTF-8, at most METRIC_LABEL_BYTES. */
void metric_label_clean(const char *value, char out[METRIC_LABEL_BYTES + 1]);
