/* Reading histograms: totals, differences, quantiles. */
#include "metrics/metrics_int.h"

#include <assert.h>
#include <math.h>

static void add_to(const struct metric *metric, struct metric_histogram *total)
{
    for (size_t i = 0; i <= metric->desc->bound_count; i++) {
        uint64_t n = atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
        total->counts[i] += n;
        total->count += n;
    }
    total->sum += atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void metric_histogram_read(const struct metric *metric, struct metric_histogram *ret)
{
    assert(metric->desc->kind == METRIC_HISTOGRAM);
    *ret = (struct metric_histogram){0};
    add_to(metric, ret);
}

void metric_family_read(struct metric_family *family, struct metric_histogram *ret)
{
    assert(family->desc->kind == METRIC_HISTOGRAM);
    *ret = (struct metric_histogram){0};
    pthread_rwlock_rdlock(&family->lock);
    for (const struct metric *metric = family->first; metric != NULL; metric = metric->next)
        add_to(metric, ret);
    pthread_rwlock_unlock(&family->lock);
}

void metric_histogram_subtract(struct metric_histogram *later, const struct metric_histogram *earlier)
{
    for (size_t i = 0; i <= METRIC_MAX_BOUNDS; i++)
        later->counts[i] -= earlier->counts[i];
    later->count -= earlier->count;
    later->sum -= earlier->sum;
}

double metric_histogram_quantile(const struct metric_desc *desc, const struct metric_histogram *histogram, double q)
{
    if (histogram->count == 0)
        return NAN;
    double share = q > 1 ? 1 : q > 0 ? q : 0, rank = share * (double)histogram->count, below = 0;
    for (size_t i = 0; i < desc->bound_count; i++) {
        double here = (double)histogram->counts[i], top = (double)desc->bounds[i];
        if (here > 0 && below + here >= rank) {
            /* Values are taken to start at 0; below a first bound that is not positive nothing is known. */
            double bottom = i > 0 ? (double)desc->bounds[i - 1] : top < 0 ? top : 0;
            return bottom + (top - bottom) * (rank - below) / here;
        }
        below += here;
    }
    return (double)desc->bounds[desc->bound_count - 1];
}
