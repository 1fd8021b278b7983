/* What the operating system says about this process, under the names every Prometheus client library uses. */
#pragma once
#include "metrics/metrics.h"

struct process_usage {
    int64_t resident_bytes, virtual_bytes;
    int64_t cpu_user_us, cpu_system_us;
    int64_t start_ms; /* Unix epoch */
    int64_t open_fds, max_fds;
    int64_t threads;
};

/* Reads `proc` (normally "/proc"): self/stat, self/limits, self/fd and stat. ERR_IO when one cannot be read or
 * understood; *ret is then untouched. */
enum err process_usage_read(const char *proc, struct process_usage *ret, struct error *reterr) ERROR_MUST_CHECK;

/* This process and all that it started and is still there: resident memory (what they share counted once, for this
 * process) and processor time; the other members are 0. Takes as long as there are processes on the machine. */
enum err process_tree_read(const char *proc, struct process_usage *ret, struct error *reterr) ERROR_MUST_CHECK;

/* Adds process_* and caudal_build_info to every exposition. They are absent while /proc cannot be read. */
void metrics_add_process(struct metrics *metrics);
