/* The parts of services, apart from those that listen. */
#include "service/service_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/process.h"
#include "orchestrator/scaling_driver.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_WITHIN_MS INT64_C(60000)
#define STORE_AGAIN_MS 500
#define CACHE_BYTES ((size_t)64 << 20)

/* ---- the directory for files of nodes */

static enum err make_directory(const char *path, struct error *reterr)
{
    AUTO_FREE char *copy = mem_dup(path);
    for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        if (mkdir(copy, 0750) != 0 && errno != EEXIST)
            return error_set(reterr, ERR_IO, "DATA_DIR", "The directory %s cannot be made: %m.", copy);
    }
    if (mkdir(copy, 0750) != 0 && errno != EEXIST)
        return error_set(reterr, ERR_IO, "DATA_DIR", "The directory %s cannot be made: %m.", copy);
    return ERR_OK;
}

static enum err open_files(struct service_state *s, struct error *reterr)
{
    s->files = mem_printf("%s/files", config_str(&s->config, CONFIG_DATA_DIR));
    return make_directory(s->files, reterr);
}

static void close_files(struct service_state *s)
{
    free(s->files);
}

/* ---- store, broker, cache, access, metrics */

static bool is_told_to_stop(void)
{
    sigset_t pending;
    (void)sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

/* Where services start at the same time, the database or its schema may come a little later. */
static enum err open_store(struct service_state *s, struct error *reterr)
{
    const struct store_options options = {.read_only = s->config.service == SERVICE_WORKER,
                                          .max_readers = (size_t)config_int(&s->config, CONFIG_DATABASE_POOL_SIZE)};
    int64_t until_us = clock_monotonic_us() + STORE_WITHIN_MS * 1000;
    enum err code = store_open(config_str(&s->config, CONFIG_DATABASE_URL), &options, &s->store, reterr);
    while (code == ERR_STORE_BUSY && s->config.service != SERVICE_STANDALONE && clock_monotonic_us() < until_us &&
           !is_told_to_stop()) {
        log_event(LOG_WARN, "the store is not there yet", LOG_CAUSE(reterr), LOG_END);
        (void)poll(NULL, 0, STORE_AGAIN_MS);
        code = store_open(config_str(&s->config, CONFIG_DATABASE_URL), &options, &s->store, reterr);
    }
    return code;
}

static void close_store(struct service_state *s)
{
    if (s->store != NULL)
        store_close(s->store);
}

/* Where no secret opens, the key is missing or another one: better said now than by each node that needs one. */
static enum err refuse_keys(const struct service_state *s, const struct vault_survey *survey, struct error *reterr)
{
    if (config_count(&s->config, CONFIG_SECRETS_KEY) == 0)
        return error_set(reterr, ERR_VALIDATION, "SECRETS_KEY",
                         "SECRETS_KEY is not set, and %zu secrets are stored, sealed under a key: start with that key, "
                         "or with SECRETS_UNREADABLE=accept to give them new values",
                         survey->secrets);
    return error_set(reterr, ERR_VALIDATION, "SECRETS_KEY",
                     "SECRETS_KEY opens none of the %zu secrets that are stored: add the key that they were sealed "
                     "with, or start with SECRETS_UNREADABLE=accept to give them new values",
                     survey->secrets);
}

static enum err check_keys(const struct service_state *s, struct error *reterr)
{
    struct vault_survey survey = {0};
    enum err code = vault_survey(s->vault, &survey, reterr);
    if (code != ERR_OK)
        return code;
    if (survey.secrets > 0 && survey.readable == 0 &&
        strcmp(config_str(&s->config, CONFIG_SECRETS_UNREADABLE), "refuse") == 0)
        return refuse_keys(s, &survey, reterr);
    if (survey.readable < survey.secrets)
        log_event(LOG_WARN, "no key in SECRETS_KEY opens some of the secrets",
                  LOG_INT("unreadable", (int64_t)(survey.secrets - survey.readable)),
                  LOG_INT("secrets", (int64_t)survey.secrets), LOG_END);
    return ERR_OK;
}

static enum err open_vault(struct service_state *s, struct error *reterr)
{
    struct seal_ring keys = {0};
    enum err code = ERR_OK;
    size_t count = config_count(&s->config, CONFIG_SECRETS_KEY);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        const char *word = config_item(&s->config, CONFIG_SECRETS_KEY, i);
        code = seal_ring_add(&keys, word, strlen(word), reterr);
    }
    if (code == ERR_OK)
        s->vault = vault_new(s->store, &keys);
    seal_ring_wipe(&keys);
    return code == ERR_OK ? check_keys(s, reterr) : code;
}

static void close_vault(struct service_state *s)
{
    vault_free(s->vault);
}

static void collect_traffic(void *user, struct metrics_writer *writer)
{
    static const struct metric_desc messages = {.name = "caudal_messages_total",
                                                .help = "Messages that this process published.",
                                                .kind = METRIC_COUNTER,
                                                .labels = {"to"}};
    static const struct metric_desc bytes = {.name = "caudal_message_bytes_total",
                                             .help = "Bytes of the messages that this process published.",
                                             .kind = METRIC_COUNTER,
                                             .labels = {"to"}};
    struct broker_traffic traffic[BROKER_TRAFFIC_MAX];
    size_t count = broker_traffic(user, traffic);
    for (size_t i = 0; i < count; i++)
        metrics_emit_with(writer, &messages, (int64_t)traffic[i].messages, traffic[i].name);
    for (size_t i = 0; i < count; i++)
        metrics_emit_with(writer, &bytes, (int64_t)traffic[i].bytes, traffic[i].name);
}

static enum err open_broker(struct service_state *s, struct error *reterr)
{
    enum err code = broker_open(config_str(&s->config, CONFIG_RABBITMQ_URL),
                                config_str(&s->config, CONFIG_RABBITMQ_EXCHANGE), &s->broker, reterr);
    if (code == ERR_OK)
        metrics_add_collector(s->metrics, collect_traffic, s->broker);
    return code;
}

static void close_broker(struct service_state *s)
{
    if (s->broker == NULL)
        return;
    metrics_remove_collector(s->metrics, collect_traffic, s->broker);
    broker_close(s->broker);
}

static enum err open_cache(struct service_state *s, struct error *reterr)
{
    return cache_open(config_str(&s->config, CONFIG_REDIS_URL), config_bool(&s->config, CONFIG_REDIS_CLUSTER_ENABLED),
                      CACHE_BYTES, &s->cache, reterr);
}

static void close_cache(struct service_state *s)
{
    cache_close(s->cache);
}

static enum err open_auth(struct service_state *s, struct error *reterr)
{
    return auth_start(&s->config, s->store, s->cache, &s->auth, reterr);
}

static void close_auth(struct service_state *s)
{
    auth_free(s->auth);
}

static enum err open_metrics(struct service_state *s, struct error *reterr)
{
    (void)reterr;
    s->metrics = metrics_new();
    metrics_add_process(s->metrics);
    return ERR_OK;
}

static void close_metrics(struct service_state *s)
{
    metrics_free(s->metrics);
}

/* ---- the orchestrator, the worker, or both */

/* NULL-terminated; as long as the configuration. */
static const char **read_list(struct config *config, enum config_id id)
{
    size_t count = config_count(config, id);
    const char **list = arena_alloc(&config->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = config_item(config, id, i);
    return list;
}

/* The worker was told to leave: the same as a signal from outside. */
static void on_asked_to_leave(void)
{
    (void)kill(getpid(), SIGTERM);
}

/* In the configuration's arena. */
static const struct scaling_options *read_scaling(struct config *config)
{
    struct scaling_options *scaling = arena_alloc(&config->arena, sizeof *scaling);
    *scaling = (struct scaling_options){
        .enabled = config_bool(config, CONFIG_AUTO_SCALING_ENABLED),
        .min = (unsigned)config_int(config, CONFIG_MIN_WORKERS),
        .max = (unsigned)config_int(config, CONFIG_MAX_WORKERS),
        .high_mark = config_int(config, CONFIG_QUEUE_HIGH_WATER_MARK),
        .low_mark = config_int(config, CONFIG_QUEUE_LOW_WATER_MARK),
        .cooldown_ms = config_int(config, CONFIG_AUTO_SCALING_COOLDOWN_MS),
        .driver = config_str(config, CONFIG_AUTO_SCALING_DRIVER),
        .command = read_list(config, CONFIG_AUTO_SCALING_COMMAND),
        .docker_socket = config_str(config, CONFIG_AUTO_SCALING_DOCKER_SOCKET),
        .docker_template = config_str(config, CONFIG_AUTO_SCALING_DOCKER_TEMPLATE),
        .kubernetes_url = config_str(config, CONFIG_AUTO_SCALING_KUBERNETES_URL),
        .kubernetes_account = config_str(config, CONFIG_AUTO_SCALING_KUBERNETES_ACCOUNT),
        .kubernetes_deployment = config_str(config, CONFIG_AUTO_SCALING_KUBERNETES_DEPLOYMENT)};
    return scaling;
}

static enum err open_engine(struct service_state *s, struct error *reterr)
{
    const struct config *config = &s->config;
    enum service service = config->service;
    bool alone = service == SERVICE_STANDALONE, runs = service != SERVICE_ORCHESTRATOR,
         dispatches = service != SERVICE_WORKER;
    struct engine_options options = {.store = s->store,
                                     .vault = s->vault,
                                     .broker = s->broker,
                                     .metrics = s->metrics,
                                     .shards = s->shards,
                                     .no_orchestrator = !dispatches,
                                     .no_worker = !runs,
                                     .orchestrator_id = alone ? NULL : s->instance};
    if (dispatches) {
        options.worker_timeout_ms = config_int(config, CONFIG_WORKER_TIMEOUT);
        options.loss_limit = (unsigned)config_int(config, CONFIG_MAX_WORKER_LOSSES);
        options.health_interval_ms = config_int(config, CONFIG_WORKER_HEALTH_CHECK_INTERVAL);
        options.schedule_window_ms = config_int(config, CONFIG_SCHEDULE_WINDOW_MS);
        options.retention_ms = config_int(config, CONFIG_RETENTION_DAYS) * 86400000;
        options.retention_failed_ms = config_int(config, CONFIG_RETENTION_FAILED_DAYS) * 86400000;
        options.retention_count = config_int(config, CONFIG_RETENTION_COUNT);
        options.strategy = config_str(config, CONFIG_LOAD_BALANCE_STRATEGY);
        options.scaling = alone ? NULL : read_scaling(&s->config);
    }
    if (runs) {
        options.capacity = (unsigned)config_int(config, CONFIG_MAX_CONCURRENT_FLOWS);
        options.blocking_threads = (unsigned)config_int(config, CONFIG_MAX_CONCURRENT_NODES);
        options.report_interval_ms = config_int(config, CONFIG_HEALTH_REPORT_INTERVAL);
        options.memory_limit_bytes = config_int(config, CONFIG_MEMORY_LIMIT_MB) << 20;
        options.cpu_limit_cores = alone ? 0 : (unsigned)config_int(config, CONFIG_CPU_LIMIT_CORES);
        options.worker_id = config_str(config, CONFIG_WORKER_ID);
        options.data_dir = s->files;
        options.http_deny_private = config_bool(config, CONFIG_HTTP_DENY_PRIVATE);
        options.script_runners = (unsigned)config_int(config, CONFIG_SCRIPT_RUNNERS);
        options.script_timeout_ms = config_int(config, CONFIG_SCRIPT_TIMEOUT_MS);
        options.script_memory_mb = config_int(config, CONFIG_SCRIPT_MEMORY_MB);
        options.allow_command = config_bool(config, CONFIG_COMMAND_NODE_ENABLED);
        options.command_environment = read_list(&s->config, CONFIG_COMMAND_NODE_ENVIRONMENT);
        options.on_asked_to_leave = alone ? NULL : on_asked_to_leave;
    }
    return engine_start(&options, &s->engine, reterr);
}

static void drain_engine(struct service_state *s)
{
    bool runs = s->config.service != SERVICE_ORCHESTRATOR;
    engine_stop(s->engine, runs ? config_int(&s->config, CONFIG_DRAIN_TIMEOUT_MS) : 0);
}

static void close_engine(struct service_state *s)
{
    engine_free(s->engine);
}

/* ---- the gateway */

static void *run_loop(void *user)
{
    loop_run(user);
    return NULL;
}

static enum err open_gateway(struct service_state *s, struct error *reterr)
{
    (void)reterr;
    s->loop = loop_new();
    s->origins = read_list(&s->config, CONFIG_WS_CORS_ORIGINS);
    s->ws = ws_start(
        &(struct ws_options){.broker = s->broker, .store = s->store, .metrics = s->metrics, .origins = s->origins});
    s->api = api_new(&(struct api_options){.config = &s->config,
                                           .store = s->store,
                                           .vault = s->vault,
                                           .broker = s->broker,
                                           .shards = s->shards,
                                           .loop = s->loop,
                                           .orchestrator = s->engine == NULL ? NULL : engine_orchestrator(s->engine),
                                           .metrics = s->metrics,
                                           .auth = s->auth,
                                           .cache = s->cache,
                                           .origins = s->origins,
                                           .ws = s->ws});
    if (pthread_create(&s->loop_thread, NULL, run_loop, s->loop) != 0)
        abort();
    s->loop_runs = true;
    return ERR_OK;
}

static void close_gateway(struct service_state *s)
{
    if (s->loop_runs) {
        loop_stop(s->loop);
        pthread_join(s->loop_thread, NULL);
    }
    api_free(s->api);
    ws_free(s->ws);
    loop_free(s->loop);
}

/* ---- services without an API */

static enum err open_health(struct service_state *s, struct error *reterr)
{
    (void)reterr;
    s->health = health_new(s);
    return ERR_OK;
}

static void close_health(struct service_state *s)
{
    health_free(s->health);
}

const struct part part_files = {.name = "files", .open = open_files, .close = close_files};
const struct part part_store = {.name = "store", .open = open_store, .close = close_store};
const struct part part_vault = {.name = "vault", .open = open_vault, .close = close_vault};
const struct part part_broker = {.name = "broker", .open = open_broker, .close = close_broker};
const struct part part_cache = {.name = "cache", .open = open_cache, .close = close_cache};
const struct part part_auth = {.name = "auth", .open = open_auth, .close = close_auth};
const struct part part_metrics = {.name = "metrics", .open = open_metrics, .close = close_metrics};
const struct part part_engine = {.name = "engine", .open = open_engine, .drain = drain_engine, .close = close_engine};
const struct part part_gateway = {.name = "gateway", .open = open_gateway, .close = close_gateway};
const struct part part_health = {.name = "health", .open = open_health, .close = close_health};
