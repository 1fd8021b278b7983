/* Starts and stops the engine's loops. */
#include "gateway/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "nodes/http_client.h"
#include "script/script.h"
#include "worker/find_flow.h"
#include "worker/pool.h"
#include "worker/vault_resolver.h"
#include <pthread.h>
#include <stdlib.h>

#define LAST_EVENTS_MS 5000
#define SWEEP_INTERVAL_MS 10000
#define SCRIPT_TIMEOUT_MS_DEFAULT 10000
#define SCRIPT_MEMORY_MB_DEFAULT 256

/* A loop on a thread of its own. */
struct runner {
    struct loop *loop;
    pthread_t thread;
    bool runs, drained;
    struct engine *engine;
};

struct engine {
    struct engine_options options;
    struct runner orchestrating, working;
    struct orchestrator *orchestrator;
    struct worker *worker;
    struct vault_resolver *resolver;
    struct pool *pool;
    struct node_host host;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t deadline_ms;
};

static void *run_loop(void *user)
{
    loop_run(user);
    return NULL;
}

static void runner_start(struct runner *runner)
{
    if (runner->loop == NULL)
        return;
    if (pthread_create(&runner->thread, NULL, run_loop, runner->loop) != 0)
        abort();
    runner->runs = true;
}

static void on_drained(void *user)
{
    struct runner *runner = user;
    pthread_mutex_lock(&runner->engine->lock);
    runner->drained = true;
    pthread_cond_broadcast(&runner->engine->changed);
    pthread_mutex_unlock(&runner->engine->lock);
}

/* `drain` calls on_drained. */
static void runner_stop(struct runner *runner, loop_fn drain)
{
    if (!runner->runs)
        return;
    struct engine *engine = runner->engine;
    loop_post(runner->loop, drain, engine);
    pthread_mutex_lock(&engine->lock);
    while (!runner->drained)
        pthread_cond_wait(&engine->changed, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    loop_stop(runner->loop);
    pthread_join(runner->thread, NULL);
    runner->runs = false;
}

static enum err start_orchestrator(struct engine *engine, struct error *reterr)
{
    const struct engine_options *options = &engine->options;
    engine->orchestrating.loop = loop_new();
    engine->orchestrator =
        orchestrator_new(&(struct orchestrator_options){.id = options->orchestrator_id,
                                                        .shards = options->shards,
                                                        .loop = engine->orchestrating.loop,
                                                        .broker = options->broker,
                                                        .store = options->store,
                                                        .schedules = true,
                                                        .schedule_window_ms = options->schedule_window_ms,
                                                        .worker_timeout_ms = options->worker_timeout_ms,
                                                        .health_interval_ms = options->health_interval_ms,
                                                        .loss_limit = options->loss_limit,
                                                        .sweep_interval_ms = SWEEP_INTERVAL_MS,
                                                        .strategy = options->strategy,
                                                        .scaling = options->scaling,
                                                        .retention = true,
                                                        .retention_ms = options->retention_ms,
                                                        .retention_failed_ms = options->retention_failed_ms,
                                                        .retention_count = options->retention_count,
                                                        .metrics = options->metrics});
    enum err code = orchestrator_start(engine->orchestrator, reterr);
    if (code == ERR_OK && options->metrics != NULL)
        metrics_add_collector(options->metrics, orchestrator_collect, engine->orchestrator);
    return code;
}

/* Starts no process before the first script. */
static struct script_pool *make_script_pool(const struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    bool given = options->script_runners > 0;
    return script_pool_new(
        &(struct script_options){.loop = engine->working.loop,
                                 .runners = given ? options->script_runners : 2,
                                 .timeout_ms = given ? options->script_timeout_ms : SCRIPT_TIMEOUT_MS_DEFAULT,
                                 .memory_mb = given ? (size_t)options->script_memory_mb : SCRIPT_MEMORY_MB_DEFAULT});
}

static enum err start_worker(struct engine *engine, struct error *reterr)
{
    const struct engine_options *options = &engine->options;
    struct rng rng;
    rng_init_from_system(&rng);
    engine->working.loop = loop_new();
    engine->pool = pool_new(options->blocking_threads);
    engine->host.http = http_client_new(engine->working.loop,
                                        &(struct http_client_options){.deny_private = options->http_deny_private});
    engine->host.allow_command = options->allow_command;
    engine->host.command_environment = options->command_environment;
    engine->host.data_dir = options->data_dir;
    engine->host.find_flow = find_flow;
    engine->host.find_flow_user = options->store;
    engine->host.script = make_script_pool(engine);
    if (options->vault != NULL)
        engine->resolver = vault_resolver_new(options->vault, engine->working.loop);
    engine->worker = worker_new(
        &(struct worker_options){.id = options->worker_id,
                                 .shards = options->shards,
                                 .loop = engine->working.loop,
                                 .broker = options->broker,
                                 .store = options->store,
                                 .resolver = engine->resolver == NULL ? NULL : vault_resolver_get(engine->resolver),
                                 .catalog = node_registry_catalog(),
                                 .find_type = node_registry_find,
                                 .host = &engine->host,
                                 .pool = engine->pool,
                                 .capacity = options->capacity,
                                 .report_interval_ms = options->report_interval_ms,
                                 .memory_limit_bytes = options->memory_limit_bytes,
                                 .cpu_limit_cores = options->cpu_limit_cores,
                                 .on_asked_to_leave = options->on_asked_to_leave,
                                 .seed = rng_next(&rng)});
    enum err code = worker_start(engine->worker, reterr);
    if (code == ERR_OK && options->metrics != NULL)
        metrics_add_collector(options->metrics, worker_collect, engine->worker);
    return code;
}

enum err engine_start(const struct engine_options *options, struct engine **ret, struct error *reterr)
{
    struct engine *engine = mem_alloc(sizeof *engine);
    engine->options = *options;
    engine->orchestrating.engine = engine->working.engine = engine;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    /* The loops do not run yet: starting here is as good as on their threads. */
    enum err code = options->no_orchestrator ? ERR_OK : start_orchestrator(engine, reterr);
    if (code == ERR_OK && !options->no_worker)
        code = start_worker(engine, reterr);
    if (code != ERR_OK) {
        engine_free(engine);
        return code;
    }
    runner_start(&engine->orchestrating);
    runner_start(&engine->working);
    *ret = engine;
    return ERR_OK;
}

static void drain_worker(void *user)
{
    struct engine *engine = user;
    worker_drain(engine->worker, engine->deadline_ms, on_drained, &engine->working);
}

static void drain_orchestrator(void *user)
{
    struct engine *engine = user;
    orchestrator_drain(engine->orchestrator, LAST_EVENTS_MS, on_drained, &engine->orchestrating);
}

static enum err write_nothing(struct store_session *session, void *arg, struct error *reterr)
{
    (void)session;
    (void)arg;
    (void)reterr;
    return ERR_OK;
}

void engine_stop(struct engine *engine, int64_t deadline_ms)
{
    if (engine == NULL)
        return;
    engine->deadline_ms = deadline_ms;
    runner_stop(&engine->working, drain_worker);
    runner_stop(&engine->orchestrating, drain_orchestrator); /* what the worker sent last is applied */
    struct error error; /* in order: once this is answered, no earlier write will call back */
    if (engine->orchestrator != NULL && store_write(engine->options.store, write_nothing, NULL, &error) != ERR_OK)
        log_event(LOG_WARN, "the store does not take writes while stopping", LOG_CAUSE(&error), LOG_END);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->options.metrics != NULL && engine->orchestrator != NULL)
        metrics_remove_collector(engine->options.metrics, orchestrator_collect, engine->orchestrator);
    if (engine->options.metrics != NULL && engine->worker != NULL)
        metrics_remove_collector(engine->options.metrics, worker_collect, engine->worker);
    pool_free(engine->pool);
    worker_free(engine->worker);
    vault_resolver_free(engine->resolver);
    orchestrator_free(engine->orchestrator);
    script_pool_free(engine->host.script);
    http_client_free(engine->host.http);
    if (engine->working.loop != NULL)
        loop_free(engine->working.loop);
    if (engine->orchestrating.loop != NULL)
        loop_free(engine->orchestrating.loop);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->changed);
    free(engine);
}

const struct orchestrator *engine_orchestrator(const struct engine *engine)
{
    return engine->orchestrator;
}

const struct worker *engine_worker(const struct engine *engine)
{
    return engine->worker;
}
