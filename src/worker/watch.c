/* Keeps an eye on memory and processor: near their limits the worker takes no work, before the kernel ends it. */
#include "worker/worker_int.h"

#include "base/log.h"
#include "metrics/process.h"
#include <stdlib.h>

#define LOOK_MS 500
#define FULL_PERCENT 90 /* of the memory limit: from here on no work is taken */
#define ROOM_PERCENT 80 /* and below this it is again */

struct watch {
    struct worker *worker;
    struct loop_timer *timer;
    int64_t looked_us, cpu_us;
    bool failed;
};

static bool is_full(const struct worker *worker, int64_t memory, int64_t cpu_millis)
{
    const struct worker_options *options = &worker->options;
    int64_t percent = atomic_load(&worker->full) ? ROOM_PERCENT : FULL_PERCENT;
    if (options->memory_limit_bytes > 0 && memory > options->memory_limit_bytes / 100 * percent)
        return true;
    return options->cpu_limit_cores > 0 && cpu_millis > (int64_t)options->cpu_limit_cores * 1000;
}

static void apply(struct worker *worker, bool full)
{
    if (full == atomic_load(&worker->full))
        return;
    atomic_store(&worker->full, full);
    log_event(full ? LOG_WARN : LOG_INFO, full ? "no room for more work" : "room for work again",
              LOG_INT("memoryBytes", atomic_load(&worker->memory_bytes)),
              LOG_INT("cpuMillis", atomic_load(&worker->cpu_millis)), LOG_END);
    report_send(worker);
}

static void on_look(void *user)
{
    struct watch *watch = user;
    struct worker *worker = watch->worker;
    struct process_usage usage;
    struct error error;
    loop_timer_set(watch->timer, LOOK_MS);
    if (process_tree_read("/proc", &usage, &error) != ERR_OK) {
        if (!watch->failed)
            log_event(LOG_WARN, "memory and processor cannot be watched", LOG_CAUSE(&error), LOG_END);
        watch->failed = true;
        return;
    }
    int64_t now = loop_monotonic_us(worker->options.loop), cpu = usage.cpu_user_us + usage.cpu_system_us;
    if (watch->looked_us > 0 && now > watch->looked_us)
        atomic_store(&worker->cpu_millis, cpu > watch->cpu_us ? (cpu - watch->cpu_us) * 1000 / (now - watch->looked_us)
                                                              : 0); /* a child that ended takes its time along */
    watch->looked_us = now;
    watch->cpu_us = cpu;
    atomic_store(&worker->memory_bytes, usage.resident_bytes);
    apply(worker, is_full(worker, usage.resident_bytes, atomic_load(&worker->cpu_millis)));
}

void watch_start(struct worker *worker)
{
    if (worker->options.memory_limit_bytes == 0 && worker->options.cpu_limit_cores == 0)
        return;
    worker->watch = mem_alloc(sizeof *worker->watch);
    worker->watch->worker = worker;
    worker->watch->timer = loop_timer_new(worker->options.loop, on_look, worker->watch);
    loop_timer_set(worker->watch->timer, 0);
}

void watch_stop(struct worker *worker)
{
    if (worker->watch == NULL)
        return;
    loop_timer_free(worker->watch->timer);
    free(worker->watch);
    worker->watch = NULL;
}
