/* The registry: families, series and their values. */
#include "metrics/metrics_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_mutex_init(&metrics->collecting, NULL);
    return metrics;
}

static void metric_free(struct metric *metric)
{
    for (int i = 0; i < METRIC_MAX_LABELS; i++)
        free(metric->label_values[i]);
    free(metric);
}

static void family_free(struct metric_family *family)
{
    while (family->first != NULL) {
        struct metric *metric = family->first;
        family->first = metric->next;
        metric_free(metric);
    }
    pthread_rwlock_destroy(&family->lock);
    free(family);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->first != NULL) {
        struct metric_family *family = metrics->first;
        metrics->first = family->next;
        family_free(family);
    }
    while (metrics->collectors != NULL) {
        struct metrics_collector *collector = metrics->collectors;
        metrics->collectors = collector->next;
        free(collector);
    }
    pthread_mutex_destroy(&metrics->collecting);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

void metrics_free_ptr(struct metrics **metrics)
{
    metrics_free(*metrics);
}

static bool is_name(const char *name, bool colon)
{
    if (name == NULL || name[0] == '\0' || isdigit((unsigned char)name[0]))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && !(colon && *name == ':'))
            return false;
    return true;
}

static enum err check_labels(const struct metric_desc *desc, struct error *reterr)
{
    for (size_t i = 0; desc->labels[i] != NULL; i++) {
        if (i == METRIC_MAX_LABELS)
            return error_set(reterr, ERR_INTERNAL, "labels", "%s has more than %d labels", desc->name,
                             METRIC_MAX_LABELS);
        bool reserved = strncmp(desc->labels[i], "__", 2) == 0 ||
                        (desc->kind == METRIC_HISTOGRAM && strcmp(desc->labels[i], "le") == 0);
        if (!is_name(desc->labels[i], false) || reserved)
            return error_set(reterr, ERR_INTERNAL, "labels", "%s: \"%s\" cannot be the name of a label", desc->name,
                             desc->labels[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(desc->labels[i], desc->labels[j]) == 0)
                return error_set(reterr, ERR_INTERNAL, "labels", "%s has the label %s twice", desc->name,
                                 desc->labels[i]);
    }
    return ERR_OK;
}

static enum err check_bounds(const struct metric_desc *desc, struct error *reterr)
{
    size_t n = desc->bound_count;
    if (desc->kind != METRIC_HISTOGRAM)
        return n == 0 ? ERR_OK : error_set(reterr, ERR_INTERNAL, "bounds", "%s is no histogram", desc->name);
    if (n == 0 || n > METRIC_MAX_BOUNDS)
        return error_set(reterr, ERR_INTERNAL, "bounds", "%s needs 1 to %d bounds", desc->name, METRIC_MAX_BOUNDS);
    for (size_t i = 1; i < n; i++)
        if (desc->bounds[i] <= desc->bounds[i - 1])
            return error_set(reterr, ERR_INTERNAL, "bounds", "%s: bounds must rise", desc->name);
    return ERR_OK;
}

enum err metric_desc_check(const struct metric_desc *desc, struct error *reterr)
{
    if (!is_name(desc->name, true))
        return error_set(reterr, ERR_INTERNAL, "name", "\"%s\" cannot be the name of a metric",
                         desc->name == NULL ? "" : desc->name);
    if (desc->help == NULL || desc->help[0] == '\0')
        return error_set(reterr, ERR_INTERNAL, "help", "%s needs a sentence of help", desc->name);
    if (desc->decimals > 9)
        return error_set(reterr, ERR_INTERNAL, "decimals", "%s: at most 9 decimals", desc->name);
    enum err err = check_labels(desc, reterr);
    return err != ERR_OK ? err : check_bounds(desc, reterr);
}

static bool is_same_desc(const struct metric_desc *a, const struct metric_desc *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->decimals != b->decimals || a->bound_count != b->bound_count)
        return false;
    for (size_t i = 0; i < a->bound_count; i++)
        if (a->bounds[i] != b->bounds[i])
            return false;
    size_t i = 0;
    while (a->labels[i] != NULL && b->labels[i] != NULL && strcmp(a->labels[i], b->labels[i]) == 0)
        i++;
    return a->labels[i] == NULL && b->labels[i] == NULL;
}

static struct metric_family *family_new(const struct metric_desc *desc)
{
    struct metric_family *family = mem_alloc(sizeof *family);
    family->desc = desc;
    pthread_rwlock_init(&family->lock, NULL);
    return family;
}

static _Noreturn void abort_for(const char *reason)
{
    (void)fprintf(stderr, "caudal: metrics: %s\n", reason);
    abort();
}

struct metric_family *metrics_register(struct metrics *metrics, const struct metric_desc *desc)
{
    struct error error;
    if (metric_desc_check(desc, &error) != ERR_OK)
        abort_for(error.message);
    pthread_mutex_lock(&metrics->lock);
    struct metric_family *family = metrics->first;
    while (family != NULL && strcmp(family->desc->name, desc->name) != 0)
        family = family->next;
    if (family != NULL && !is_same_desc(family->desc, desc))
        abort_for(desc->name);
    if (family == NULL) {
        family = family_new(desc);
        if (metrics->last == NULL)
            metrics->first = family;
        else
            metrics->last->next = family;
        metrics->last = family;
    }
    pthread_mutex_unlock(&metrics->lock);
    if (desc->labels[0] == NULL && desc->kind != METRIC_HISTOGRAM)
        (void)metric_only(family); /* shown as 0 from the start, so that rate() sees the first increase */
    return family;
}

void metric_label_clean(const char *value, char out[METRIC_LABEL_BYTES + 1])
{
    size_t len = 0, n = strnlen(value, METRIC_LABEL_BYTES + 4);
    for (size_t i = 0; i < n;) {
        uint32_t code_point = 0;
        size_t used = utf8_decode(value + i, n - i, &code_point);
        const char *piece = used == 0 ? "\xef\xbf\xbd" : value + i; /* U+FFFD */
        size_t size = used == 0 ? 3 : used;
        if (len + size > METRIC_LABEL_BYTES)
            break;
        memcpy(out + len, piece, size);
        len += size;
        i += used == 0 ? 1 : used;
    }
    out[len] = '\0';
}

struct labels {
    char text[METRIC_MAX_LABELS][METRIC_LABEL_BYTES + 1];
    size_t count;
    uint64_t hash;
};

static void labels_clean(const struct metric_desc *desc, const char *const *values, struct labels *ret)
{
    ret->count = 0;
    ret->hash = 0;
    for (; desc->labels[ret->count] != NULL; ret->count++) {
        char *text = ret->text[ret->count];
        metric_label_clean(values[ret->count] == NULL ? "" : values[ret->count], text);
        ret->hash = ret->hash * 0x100000001B3u + hash_str(text);
    }
}

static struct metric *find_series(const struct metric_family *family, const struct labels *labels)
{
    struct metric *metric = family->buckets[labels->hash % METRIC_HASH_BUCKETS];
    for (; metric != NULL; metric = metric->next_in_bucket) {
        size_t i = 0;
        if (metric->hash == labels->hash)
            while (i < labels->count && strcmp(metric->label_values[i], labels->text[i]) == 0)
                i++;
        if (metric->hash == labels->hash && i == labels->count)
            return metric;
    }
    return NULL;
}

static struct metric *add_series(struct metric_family *family, const struct labels *labels)
{
    size_t counts = family->desc->kind == METRIC_HISTOGRAM ? family->desc->bound_count + 1 : 0;
    struct metric *metric = mem_alloc(sizeof *metric + counts * sizeof metric->counts[0]);
    metric->desc = family->desc;
    metric->hash = labels->hash;
    for (size_t i = 0; i < labels->count; i++)
        metric->label_values[i] = mem_dup(labels->text[i]);
    struct metric **bucket = &family->buckets[labels->hash % METRIC_HASH_BUCKETS];
    metric->next_in_bucket = *bucket;
    *bucket = metric;
    if (family->last == NULL)
        family->first = metric;
    else
        family->last->next = metric;
    family->last = metric;
    family->series++;
    return metric;
}

static struct metric *other_series(struct metric_family *family)
{
    if (family->other != NULL)
        return family->other;
    const char *values[METRIC_MAX_LABELS];
    for (int i = 0; i < METRIC_MAX_LABELS; i++)
        values[i] = METRIC_OTHER_LABEL;
    struct labels labels;
    labels_clean(family->desc, values, &labels);
    family->other = find_series(family, &labels);
    if (family->other == NULL)
        family->other = add_series(family, &labels);
    return family->other;
}

struct metric *metric_get(struct metric_family *family, const char *const *label_values)
{
    struct labels labels;
    labels_clean(family->desc, label_values, &labels);
    pthread_rwlock_rdlock(&family->lock);
    struct metric *metric = find_series(family, &labels);
    bool shared = metric == NULL && family->other != NULL;
    if (shared)
        metric = family->other;
    pthread_rwlock_unlock(&family->lock);
    if (metric == NULL) {
        size_t max = family->desc->max_series == 0 ? METRIC_MAX_SERIES : family->desc->max_series;
        pthread_rwlock_wrlock(&family->lock);
        metric = find_series(family, &labels); /* another thread may have been quicker */
        shared = metric == NULL && family->series >= max;
        if (metric == NULL)
            metric = shared ? other_series(family) : add_series(family, &labels);
        pthread_rwlock_unlock(&family->lock);
    }
    if (shared)
        atomic_fetch_add_explicit(&family->to_other, 1, memory_order_relaxed);
    return metric;
}

void metric_add(struct metric *metric, int64_t n)
{
    assert(metric->desc->kind == METRIC_GAUGE || (metric->desc->kind == METRIC_COUNTER && n >= 0));
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    assert(metric->desc->kind == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric)
{
    assert(metric->desc->kind != METRIC_HISTOGRAM);
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, int64_t value)
{
    assert(metric->desc->kind == METRIC_HISTOGRAM);
    size_t low = 0, high = metric->desc->bound_count; /* the first bound that is not below the value */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (metric->desc->bounds[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    atomic_fetch_add_explicit(&metric->counts[low], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, value, memory_order_relaxed);
}

void metrics_add_collector(struct metrics *metrics, metrics_collect *collect, void *user)
{
    struct metrics_collector *collector = mem_alloc(sizeof *collector);
    *collector = (struct metrics_collector){.collect = collect, .user = user};
    pthread_mutex_lock(&metrics->collecting);
    struct metrics_collector **end = &metrics->collectors;
    while (*end != NULL)
        end = &(*end)->next;
    *end = collector;
    pthread_mutex_unlock(&metrics->collecting);
}

void metrics_remove_collector(struct metrics *metrics, metrics_collect *collect, void *user)
{
    pthread_mutex_lock(&metrics->collecting);
    struct metrics_collector **at = &metrics->collectors;
    while (*at != NULL && ((*at)->collect != collect || (*at)->user != user))
        at = &(*at)->next;
    if (*at != NULL) {
        struct metrics_collector *gone = *at;
        *at = gone->next;
        free(gone);
    }
    pthread_mutex_unlock(&metrics->collecting);
}
