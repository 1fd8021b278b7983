/* Starts and stops the engine's loops. */
#include "gateway/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "nodes/http_client.h"
#include "worker/pool.h"
#include <pthread.h>
#include <stdlib.h>

#define LAST_EVENTS_MS 5000

struct engine {
    struct store *store;
    struct loop *orchestrator_loop, *worker_loop;
    pthread_t orchestrator_thread, worker_thread;
    struct orchestrator *orchestrator;
    struct worker *worker;
    struct pool *pool;
    struct node_host host;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t deadline_ms;
    bool drained, called;
    const char *strategy;
    enum err call_code;
    struct error *call_error;
};

static void *run_loop(void *user)
{
    loop_run(user);
    return NULL;
}

static void signal_done(struct engine *engine, bool *flag)
{
    pthread_mutex_lock(&engine->lock);
    *flag = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void wait_for(struct engine *engine, bool *flag)
{
    pthread_mutex_lock(&engine->lock);
    while (!*flag)
        pthread_cond_wait(&engine->changed, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
}

static void engine_free(struct engine *engine)
{
    pool_free(engine->pool);
    worker_free(engine->worker);
    orchestrator_free(engine->orchestrator);
    http_client_free(engine->host.http);
    loop_free(engine->worker_loop);
    loop_free(engine->orchestrator_loop);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->changed);
    free(engine);
}

enum err engine_start(const struct engine_options *options, struct engine **ret, struct error *reterr)
{
    struct engine *engine = mem_alloc(sizeof *engine);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    engine->store = options->store;
    engine->orchestrator_loop = loop_new();
    engine->worker_loop = loop_new();
    engine->pool = pool_new(options->blocking_threads);
    engine->host.http =
        http_client_new(engine->worker_loop, &(struct http_client_options){.deny_private = options->http_deny_private});
    engine->host.data_dir = options->data_dir;
    engine->host.allow_command = options->allow_command;
    engine->host.command_environment = options->command_environment;
    struct rng rng;
    rng_init_from_system(&rng);
    engine->orchestrator =
        orchestrator_new(&(struct orchestrator_options){.loop = engine->orchestrator_loop,
                                                        .broker = options->broker,
                                                        .store = options->store,
                                                        .schedules = true,
                                                        .worker_timeout_ms = options->worker_timeout_ms,
                                                        .sweep_interval_ms = 10000,
                                                        .strategy = options->strategy,
                                                        .retention_ms = options->retention_ms,
                                                        .retention_count = options->retention_count});
    engine->worker = worker_new(&(struct worker_options){.id = options->worker_id,
                                                         .loop = engine->worker_loop,
                                                         .broker = options->broker,
                                                         .store = options->store,
                                                         .catalog = node_registry_catalog(),
                                                         .find_type = node_registry_find,
                                                         .host = &engine->host,
                                                         .pool = engine->pool,
                                                         .capacity = options->capacity,
                                                         .report_interval_ms = options->report_interval_ms,
                                                         .seed = rng_next(&rng)});
    /* The loops do not run yet: starting here is as good as on their threads. */
    enum err code = orchestrator_start(engine->orchestrator, reterr);
    if (code == ERR_OK)
        code = worker_start(engine->worker, reterr);
    if (code != ERR_OK) {
        engine_free(engine);
        return code;
    }
    if (pthread_create(&engine->orchestrator_thread, NULL, run_loop, engine->orchestrator_loop) != 0 ||
        pthread_create(&engine->worker_thread, NULL, run_loop, engine->worker_loop) != 0)
        abort();
    *ret = engine;
    return ERR_OK;
}

static void on_drained(void *user)
{
    struct engine *engine = user;
    signal_done(engine, &engine->drained);
}

static void drain(void *user)
{
    struct engine *engine = user;
    worker_drain(engine->worker, engine->deadline_ms, on_drained, engine);
}

static void on_orchestrator_drained(void *user)
{
    struct engine *engine = user;
    signal_done(engine, &engine->called);
}

static void drain_orchestrator(void *user)
{
    struct engine *engine = user;
    orchestrator_drain(engine->orchestrator, LAST_EVENTS_MS, on_orchestrator_drained, engine);
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
    loop_post(engine->worker_loop, drain, engine);
    wait_for(engine, &engine->drained);
    loop_stop(engine->worker_loop);
    pthread_join(engine->worker_thread, NULL);
    engine->called = false;
    loop_post(engine->orchestrator_loop, drain_orchestrator, engine); /* what the worker sent last is applied */
    wait_for(engine, &engine->called);
    loop_stop(engine->orchestrator_loop);
    pthread_join(engine->orchestrator_thread, NULL);
    struct error error; /* in order: once this is answered, no earlier write will call back */
    if (store_write(engine->store, write_nothing, NULL, &error) != ERR_OK)
        log_event(LOG_WARN, "the store does not take writes while stopping", LOG_CAUSE(&error), LOG_END);
    engine_free(engine);
}

const struct orchestrator *engine_orchestrator(const struct engine *engine)
{
    return engine->orchestrator;
}

const struct worker *engine_worker(const struct engine *engine)
{
    return engine->worker;
}

static void set_strategy(void *user)
{
    struct engine *engine = user;
    engine->call_code = orchestrator_set_strategy(engine->orchestrator, engine->strategy, engine->call_error);
    signal_done(engine, &engine->called);
}

enum err engine_set_strategy(struct engine *engine, const char *strategy, struct error *reterr)
{
    engine->strategy = strategy;
    engine->call_error = reterr;
    engine->called = false;
    loop_post(engine->orchestrator_loop, set_strategy, engine);
    wait_for(engine, &engine->called);
    return engine->call_code;
}
