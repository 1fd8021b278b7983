/* The orchestrator and a worker in this process, each on a loop and thread of its own: what `standalone` adds to a
 * gateway. */
#pragma once
#include "orchestrator/orchestrator.h"
#include "worker/worker.h"

struct engine;
struct engine_options {
    struct store *store;
    struct broker *broker;
    unsigned capacity, blocking_threads;
    int64_t worker_timeout_ms, report_interval_ms;
    int64_t retention_ms, retention_count; /* 0: everything is kept */
    const char *strategy, *worker_id;
    const char *data_dir; /* files of nodes; borrowed for the engine's life; NULL: none */
    bool http_deny_private, allow_command;
    const char *const *command_environment; /* names, NULL-terminated, borrowed likewise; NULL: none */
};

enum err engine_start(const struct engine_options *options, struct engine **ret, struct error *reterr) ERROR_MUST_CHECK;
/* Drains the worker for at most deadline_ms, then stops both; what is left unfinished goes on at the next start. */
void engine_stop(struct engine *engine, int64_t deadline_ms);
const struct orchestrator *engine_orchestrator(const struct engine *engine);
const struct worker *engine_worker(const struct engine *engine);
enum err engine_set_strategy(struct engine *engine, const char *strategy,
                             struct error *reterr) ERROR_MUST_CHECK; /* any thread */
