/* Prints a registry in the Prometheus text format 0.0.4. */
#include "metrics/metrics_int.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct metrics_writer {
    struct buf *out;
    const struct metric_desc *current; /* whose HELP and TYPE were printed last */
};

static void add_escaped(struct buf *out, const char *text, bool quoted)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || (quoted && *text == '"'))
            buf_add_char(out, '\\');
        if (*text == '\n')
            buf_add_str(out, "\\n");
        else
            buf_add_char(out, *text);
    }
}

/* The integer with its decimal point, exactly; trailing zeros are left out. */
static void add_decimal(struct buf *out, int64_t value, unsigned decimals)
{
    uint64_t scale = 1, magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    buf_printf(out, "%s%" PRIu64, value < 0 ? "-" : "", magnitude / scale);
    uint64_t rest = magnitude % scale;
    if (rest == 0)
        return;
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%0*" PRIu64, (int)decimals, rest);
    while (n > 0 && digits[n - 1] == '0')
        digits[--n] = '\0';
    buf_printf(out, ".%s", digits);
}

static void add_head(struct buf *out, const struct metric_desc *desc)
{
    buf_printf(out, "# HELP %s ", desc->name);
    add_escaped(out, desc->help, false);
    buf_printf(out, "\n# TYPE %s %s\n", desc->name, kind_names[desc->kind]);
}

/* name{a="1",b="2" — the caller may add `le` and closes. */
static void add_labels(struct buf *out, const char *name, const char *suffix, const struct metric_desc *desc,
                       const char *const *values)
{
    buf_printf(out, "%s%s", name, suffix);
    for (size_t i = 0; desc->labels[i] != NULL; i++) {
        buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', desc->labels[i]);
        add_escaped(out, values[i], true);
        buf_add_char(out, '"');
    }
}

static void add_sample(struct buf *out, const struct metric_desc *desc, const char *suffix, const char *const *values,
                       int64_t value, unsigned decimals)
{
    add_labels(out, desc->name, suffix, desc, values);
    buf_add_str(out, desc->labels[0] == NULL ? " " : "} ");
    add_decimal(out, value, decimals);
    buf_add_char(out, '\n');
}

static void add_histogram(struct buf *out, const struct metric *metric)
{
    const struct metric_desc *desc = metric->desc;
    const char *const *values = (const char *const *)metric->label_values;
    struct metric_histogram now;
    metric_histogram_read(metric, &now);
    uint64_t so_far = 0;
    for (size_t i = 0; i <= desc->bound_count; i++) {
        so_far += now.counts[i];
        add_labels(out, desc->name, "_bucket", desc, values);
        buf_printf(out, "%cle=\"", desc->labels[0] == NULL ? '{' : ',');
        if (i < desc->bound_count)
            add_decimal(out, desc->bounds[i], desc->decimals);
        else
            buf_add_str(out, "+Inf");
        buf_printf(out, "\"} %" PRIu64 "\n", so_far);
    }
    add_sample(out, desc, "_sum", values, now.sum, desc->decimals);
    add_sample(out, desc, "_count", values, (int64_t)now.count, 0);
}

static void add_family(struct buf *out, struct metric_family *family)
{
    pthread_rwlock_rdlock(&family->lock);
    if (family->first != NULL)
        add_head(out, family->desc);
    for (const struct metric *metric = family->first; metric != NULL; metric = metric->next) {
        if (family->desc->kind == METRIC_HISTOGRAM)
            add_histogram(out, metric);
        else
            add_sample(out, family->desc, "", (const char *const *)metric->label_values, metric_value(metric),
                       family->desc->decimals);
    }
    pthread_rwlock_unlock(&family->lock);
}

void metrics_emit(struct metrics_writer *writer, const struct metric_desc *desc, const char *const *label_values,
                  int64_t value)
{
    assert(desc->kind != METRIC_HISTOGRAM);
    char clean[METRIC_MAX_LABELS][METRIC_LABEL_BYTES + 1];
    const char *values[METRIC_MAX_LABELS] = {NULL};
    for (size_t i = 0; desc->labels[i] != NULL; i++) {
        metric_label_clean(label_values[i] == NULL ? "" : label_values[i], clean[i]);
        values[i] = clean[i];
    }
    if (writer->current != desc)
        add_head(writer->out, desc);
    writer->current = desc;
    add_sample(writer->out, desc, "", values, value, desc->decimals);
}

static void add_other_counts(struct metrics_writer *writer, struct metric_family *first)
{
    static const struct metric_desc desc = {
        .name = "caudal_metrics_other_total",
        .help = "Look-ups that got the shared series because the metric has its maximum of label combinations.",
        .kind = METRIC_COUNTER,
        .labels = {"metric"}};
    for (struct metric_family *family = first; family != NULL; family = family->next) {
        uint64_t n = atomic_load_explicit(&family->to_other, memory_order_relaxed);
        if (n > 0)
            metrics_emit_with(writer, &desc, (int64_t)n, family->desc->name);
    }
}

void metrics_print(struct metrics *metrics, struct buf *out)
{
    struct metrics_writer writer = {.out = out};
    pthread_mutex_lock(&metrics->lock);
    for (struct metric_family *family = metrics->first; family != NULL; family = family->next)
        add_family(out, family);
    add_other_counts(&writer, metrics->first);
    pthread_mutex_unlock(&metrics->lock);
    pthread_mutex_lock(&metrics->collecting);
    for (struct metrics_collector *collector = metrics->collectors; collector != NULL; collector = collector->next)
        collector->collect(collector->user, &writer);
    pthread_mutex_unlock(&metrics->collecting);
}
