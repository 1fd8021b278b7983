/* The orchestrator and a worker, each on a loop and thread of its own: both in `standalone`, one in the services of
 * these names. */
#pragma once
#include "metrics/metrics.h"
#include "orchestrator/orchestrator.h"
#include "worker/worker.h"

struct engine;
struct engine_options {
    struct store *store;
    struct vault *vault; /* of the worker */
    struct broker *broker;
    struct metrics *metrics;         /* NULL: none */
    bool no_orchestrator, no_worker; /* what is elsewhere */
    unsigned shards;                 /* EVENT_SHARDS; 0: one */
    const char *orchestrator_id;     /* NULL: it is the only one */
    unsigned capacity, blocking_threads;
    int64_t worker_timeout_ms, health_interval_ms, report_interval_ms;
    unsigned loss_limit;                   /* MAX_WORKER_LOSSES */
    int64_t schedule_window_ms;            /* SCHEDULE_WINDOW_MS */
    int64_t retention_ms, retention_count; /* 0: everything is kept */
    int64_t retention_failed_ms;           /* 0: as the others */
    int64_t memory_limit_bytes;            /* of the process and what it started; 0: none */
    unsigned cpu_limit_cores;              /* 0: none */
    const char *strategy, *worker_id;
    const struct scaling_options *scaling; /* borrowed for the engine's life; NULL: none */
    const char *data_dir;                  /* files of nodes; borrowed for the engine's life; NULL: none */
    unsigned script_runners;               /* 0: two, with the limits of the configuration's defaults */
    int64_t script_timeout_ms, script_memory_mb;
    bool http_deny_private, allow_command;
    const char *const *command_environment; /* names, NULL-terminated, borrowed likewise; NULL: none */
    void (*on_asked_to_leave)(void);        /* the worker was told to drain (worker.h); on its loop's thread */
};

enum err engine_start(const struct engine_options *options, struct engine **ret, struct error *reterr) ERROR_MUST_CHECK;
/* Drains the worker for at most deadline_ms, then stops both; what is left unfinished goes on elsewhere, or at the next
 * start. */
void engine_stop(struct engine *engine, int64_t deadline_ms);
void engine_free(struct engine *engine);                                     /* after engine_stop; NULL ok */
const struct orchestrator *engine_orchestrator(const struct engine *engine); /* NULL: elsewhere */
const struct worker *engine_worker(const struct engine *engine);             /* NULL: elsewhere */
