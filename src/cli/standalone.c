/* caudal standalone: gateway, orchestrator and worker in this process, over SQLite and the broker inside it. */
#include "cli/cli.h"
#include "cli/demo.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "cache/cache.h"
#include "gateway/api.h"
#include "gateway/auth.h"
#include "gateway/engine.h"
#include "gateway/ws.h"
#include "metrics/process.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define DRAIN_MS 20000
#define CACHE_BYTES ((size_t)64 << 20)
#define DESCRIPTORS 65536
#define IDLE_TIMEOUT_S 65 /* above the 30 s between two pings of a page */

struct standalone {
    struct config config;
    struct store *store;
    struct broker *broker;
    struct cache *cache;
    struct auth *auth;
    struct engine *engine;
    struct metrics *metrics;
    struct loop *loop;
    pthread_t loop_thread;
    bool loop_runs;
    struct api *api;
    struct ws_hub *ws;
    struct http_server *http, *ws_http, *metrics_http;
    const char **origins; /* in the configuration's arena */
    char *files;
};

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

static void *run_loop(void *user)
{
    loop_run(user);
    return NULL;
}

/* The metrics port serves metrics and health, nothing else. */
static enum err admit_metrics(void *app, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    if (strcmp(request->path, "/metrics") != 0 && strncmp(request->path, "/api/v1/health", 14) != 0)
        return error_set(reterr, ERR_NOT_FOUND, NULL, "This port serves /metrics and /api/v1/health.");
    return api_admit(app, request, ret_inline, reterr);
}

static enum err admit_ws(void *app, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    if (strcmp(request->path, "/ws") != 0)
        return error_set(reterr, ERR_NOT_FOUND, NULL, "This port serves /ws.");
    return api_admit(app, request, ret_inline, reterr);
}

/* NULL-terminated; as long as the configuration. */
static const char **read_list(struct config *config, enum config_id id)
{
    size_t count = config_count(config, id);
    const char **list = arena_alloc(&config->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = config_item(config, id, i);
    return list;
}

/* Each connection is a descriptor, and the customary soft limit is below what may be connected. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > DESCRIPTORS ? DESCRIPTORS : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_event(LOG_WARN, "the limit of open descriptors cannot be raised", LOG_INT("errno", errno), LOG_END);
}

/* A service that listens on fewer ports than it was told to would look healthy to some and be gone for others. */
static enum err port_refused(const char *variable, enum err code, struct error *reterr)
{
    struct error cause = *reterr;
    return error_set(reterr, code, variable, "%s: %s", variable, cause.message);
}

static enum err start_http(struct standalone *s, struct error *reterr)
{
    const struct config *config = &s->config;
    struct http_options options = {.host = config_str(config, CONFIG_HOST),
                                   .port = (int)config_int(config, CONFIG_PORT),
                                   .threads = (unsigned)config_int(config, CONFIG_HTTP_THREADS),
                                   .handler_threads = (unsigned)config_int(config, CONFIG_HANDLER_THREADS),
                                   .max_body = (size_t)config_int(config, CONFIG_MAX_BODY_BYTES),
                                   .idle_timeout_s = IDLE_TIMEOUT_S,
                                   .request_timeout_ms = config_int(config, CONFIG_REQUEST_TIMEOUT_MS),
                                   .origins = s->origins,
                                   .admit = api_admit,
                                   .handle = api_handle,
                                   .finished = api_finished,
                                   .quiesced = api_quiesced,
                                   .app = s->api};
    enum err code = http_start(&options, &s->http, reterr);
    if (code != ERR_OK)
        return port_refused("PORT", code, reterr);
    options.threads = options.handler_threads = 1;
    options.quiesced = NULL;
    options.port = (int)config_int(config, CONFIG_WS_PORT);
    options.admit = admit_ws;
    code = http_start(&options, &s->ws_http, reterr);
    if (code != ERR_OK)
        return port_refused("WS_PORT", code, reterr);
    if (!config_bool(config, CONFIG_METRICS_ENABLED))
        return ERR_OK;
    options.port = (int)config_int(config, CONFIG_METRICS_PORT);
    options.admit = admit_metrics;
    options.finished = NULL;
    code = http_start(&options, &s->metrics_http, reterr);
    return code == ERR_OK ? ERR_OK : port_refused("METRICS_PORT", code, reterr);
}

static enum err start(struct standalone *s, struct error *reterr)
{
    const struct config *config = &s->config;
    s->files = mem_printf("%s/files", config_str(config, CONFIG_DATA_DIR));
    enum err code = make_directory(s->files, reterr);
    if (code == ERR_OK)
        code = store_open(config_str(config, CONFIG_DATABASE_URL), NULL, &s->store, reterr);
    if (code == ERR_OK)
        code = broker_open(config_str(config, CONFIG_RABBITMQ_URL), config_str(config, CONFIG_RABBITMQ_EXCHANGE),
                           &s->broker, reterr);
    if (code == ERR_OK)
        code = cache_open(config_str(config, CONFIG_REDIS_URL), config_bool(config, CONFIG_REDIS_CLUSTER_ENABLED),
                          CACHE_BYTES, &s->cache, reterr);
    if (code == ERR_OK)
        code = auth_start(config, s->store, s->cache, &s->auth, reterr);
    if (code != ERR_OK)
        return code;
    s->metrics = metrics_new();
    metrics_add_process(s->metrics);
    code = engine_start(
        &(struct engine_options){.store = s->store,
                                 .broker = s->broker,
                                 .capacity = (unsigned)config_int(config, CONFIG_MAX_CONCURRENT_FLOWS),
                                 .blocking_threads = (unsigned)config_int(config, CONFIG_MAX_CONCURRENT_NODES),
                                 .worker_timeout_ms = config_int(config, CONFIG_WORKER_TIMEOUT),
                                 .report_interval_ms = config_int(config, CONFIG_HEALTH_REPORT_INTERVAL),
                                 .retention_ms = config_int(config, CONFIG_RETENTION_DAYS) * 86400000,
                                 .retention_count = config_int(config, CONFIG_RETENTION_COUNT),
                                 .strategy = config_str(config, CONFIG_LOAD_BALANCE_STRATEGY),
                                 .worker_id = config_str(config, CONFIG_WORKER_ID),
                                 .data_dir = s->files,
                                 .http_deny_private = config_bool(config, CONFIG_HTTP_DENY_PRIVATE),
                                 .allow_command = config_bool(config, CONFIG_COMMAND_NODE_ENABLED),
                                 .command_environment = read_list(&s->config, CONFIG_COMMAND_NODE_ENVIRONMENT)},
        &s->engine, reterr);
    if (code != ERR_OK)
        return code;
    s->loop = loop_new();
    s->origins = read_list(&s->config, CONFIG_WS_CORS_ORIGINS);
    s->ws = ws_start(
        &(struct ws_options){.broker = s->broker, .store = s->store, .metrics = s->metrics, .origins = s->origins});
    s->api = api_new(&(struct api_options){.config = config,
                                           .store = s->store,
                                           .broker = s->broker,
                                           .loop = s->loop,
                                           .engine = s->engine,
                                           .metrics = s->metrics,
                                           .auth = s->auth,
                                           .cache = s->cache,
                                           .origins = s->origins,
                                           .ws = s->ws});
    if (pthread_create(&s->loop_thread, NULL, run_loop, s->loop) != 0)
        abort();
    s->loop_runs = true;
    return start_http(s, reterr);
}

/* New requests first, then what runs, then what holds the data. */
static void stop(struct standalone *s)
{
    ws_stop(s->ws);
    http_stop(s->ws_http);
    http_stop(s->metrics_http);
    http_stop(s->http);
    engine_stop(s->engine, DRAIN_MS);
    if (s->loop_runs) {
        loop_stop(s->loop);
        pthread_join(s->loop_thread, NULL);
    }
    api_free(s->api);
    ws_free(s->ws);
    if (s->loop != NULL)
        loop_free(s->loop);
    auth_free(s->auth);
    if (s->store != NULL)
        store_close(s->store);
    if (s->broker != NULL)
        broker_close(s->broker);
    cache_close(s->cache);
    if (s->metrics != NULL)
        metrics_free(s->metrics);
    free(s->files);
}

static void print_address(const struct standalone *s)
{
    const char *host = config_str(&s->config, CONFIG_HOST);
    log_event(LOG_INFO, "ready", LOG_STR("host", host), LOG_INT("port", http_port(s->http)),
              LOG_INT("wsPort", s->ws_http == NULL ? 0 : http_port(s->ws_http)),
              LOG_STR("database", s->files == NULL ? "" : config_str(&s->config, CONFIG_DATA_DIR)), LOG_END);
    (void)printf("Caudal %s is ready: http://%s:%d\n", CAUDAL_VERSION, host, http_port(s->http));
    (void)fflush(stdout);
}

int command_standalone(const struct cli *cli)
{
    struct standalone s = {0};
    struct error error = {0};
    sigset_t signals;
    int signal = 0;
    if (config_load(SERVICE_STANDALONE, config_from_environment, NULL, &s.config, &error) != ERR_OK)
        return cli_fail(&error);
    enum log_level level = LOG_INFO;
    (void)log_level_parse(config_str(&s.config, CONFIG_LOG_LEVEL), &level);
    log_start(&(struct log_options){
        .level = level,
        .service = "standalone",
        .format = strcmp(config_str(&s.config, CONFIG_LOG_FORMAT), "text") == 0 ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON});
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: only sigwait takes them */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a limit on files is a full disk: an error, not the end */
    raise_descriptor_limit();
    int code = EXIT_OK;
    if (start(&s, &error) != ERR_OK) {
        code = cli_fail(&error);
    } else {
        print_address(&s);
        if (cli->demo != NULL)
            demo_run(cli, http_port(s.http), cli->demo, s.files);
        (void)sigwait(&signals, &signal);
        log_event(LOG_INFO, "stopping", LOG_INT("signal", signal), LOG_END);
    }
    stop(&s);
    config_done(&s.config);
    return code;
}
