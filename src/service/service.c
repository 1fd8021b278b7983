/* The life of a service: its list of parts, from open to close. */
#include "service/service_int.h"

#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS 65536

static const struct part *const standalone[] = {&part_files,   &part_metrics,      &part_store, &part_vault,
                                                &part_broker,  &part_cache,        &part_auth,  &part_engine,
                                                &part_gateway, &part_gateway_http, NULL};
static const struct part *const gateway[] = {&part_metrics, &part_store,        &part_vault,
                                             &part_broker,  &part_cache,        &part_auth,
                                             &part_gateway, &part_gateway_http, NULL};
static const struct part *const orchestrator[] = {&part_metrics, &part_store,       &part_broker, &part_engine,
                                                  &part_health,  &part_health_http, NULL};
static const struct part *const worker[] = {&part_files,  &part_metrics, &part_store,       &part_vault, &part_broker,
                                            &part_engine, &part_health,  &part_health_http, NULL};
static const struct part *const *const parts_of[SERVICE_COUNT] = {[SERVICE_GATEWAY] = gateway,
                                                                  [SERVICE_ORCHESTRATOR] = orchestrator,
                                                                  [SERVICE_WORKER] = worker,
                                                                  [SERVICE_STANDALONE] = standalone};

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

/* Many short turns of many threads, and often of other services on the same machine: who is woken waits until who has
 * the processor leaves it or has had its time, and finds more to do (docs/decisions/0185). Threads inherit it. A policy
 * that somebody chose stays; without the right to it, all goes on as before. */
static void prefer_throughput(void)
{
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

static char *instance_name(const struct config *config)
{
    char host[128] = "";
    if (config->service == SERVICE_WORKER || config->service == SERVICE_STANDALONE)
        return mem_dup(config_str(config, CONFIG_WORKER_ID));
    if (config_str(config, CONFIG_INSTANCE_ID) != NULL)
        return mem_dup(config_str(config, CONFIG_INSTANCE_ID));
    (void)gethostname(host, sizeof host - 1);
    return mem_printf("%s-%s-%d", config_service_name(config->service), host, (int)getpid());
}

static void start_log(const struct service_state *state)
{
    const struct config *config = &state->config;
    enum log_level level = LOG_INFO;
    (void)log_level_parse(config_str(config, CONFIG_LOG_LEVEL), &level);
    log_start(&(struct log_options){
        .level = level,
        .service = config_service_name(config->service),
        .instance = config->service == SERVICE_STANDALONE ? NULL : state->instance,
        .format = strcmp(config_str(config, CONFIG_LOG_FORMAT), "text") == 0 ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON});
}

static void block_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGTERM);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL); /* before any thread: only sigwait takes them */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a limit on files is a full disk: an error, not the end */
}

static enum err open_parts(struct service_state *state, const struct part *const *parts, size_t *ret_opened,
                           struct error *reterr)
{
    for (*ret_opened = 0; parts[*ret_opened] != NULL;) {
        const struct part *part = parts[(*ret_opened)++];
        enum err code = part->open(state, reterr);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static void close_parts(struct service_state *state, const struct part *const *parts, size_t opened)
{
    for (size_t i = opened; i-- > 0;)
        if (parts[i]->drain != NULL)
            parts[i]->drain(state);
    for (size_t i = opened; i-- > 0;)
        if (parts[i]->close != NULL)
            parts[i]->close(state);
}

static void serve(struct service_state *state, const sigset_t *signals)
{
    int signal = 0, port = http_port(state->http);
    log_event(LOG_INFO, "ready", LOG_STR("host", config_str(&state->config, CONFIG_HOST)), LOG_INT("port", port),
              LOG_INT("wsPort", state->ws_http == NULL ? 0 : http_port(state->ws_http)),
              LOG_INT("metricsPort", state->metrics_http == NULL ? 0 : http_port(state->metrics_http)), LOG_END);
    if (state->options.on_ready != NULL)
        state->options.on_ready(state->options.user, config_str(&state->config, CONFIG_HOST), port, state->files);
    (void)sigwait(signals, &signal);
    log_event(LOG_INFO, "stopping", LOG_INT("signal", signal), LOG_END);
}

bool service_run(const struct service_options *options, struct error *reterr)
{
    struct service_state state = {.options = *options};
    const struct part *const *parts = parts_of[options->service];
    sigset_t signals;
    size_t opened = 0;
    if (config_load(options->service, config_from_environment, NULL, &state.config, reterr) != ERR_OK)
        return false;
    state.instance = instance_name(&state.config);
    state.shards = options->service == SERVICE_STANDALONE
                       ? 1 /* one process has one writer of the store: docs/decisions/0003 */
                       : (unsigned)config_int(&state.config, CONFIG_EVENT_SHARDS);
    start_log(&state);
    block_signals(&signals);
    raise_descriptor_limit();
    prefer_throughput();
    bool good = open_parts(&state, parts, &opened, reterr) == ERR_OK;
    if (good)
        serve(&state, &signals);
    close_parts(&state, parts, opened);
    config_done(&state.config);
    log_start(&(struct log_options){.level = LOG_WARN}); /* the instance's name is gone */
    free(state.instance);
    return good;
}
