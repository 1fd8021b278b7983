/* The parts that listen. */
#include "service/service_int.h"

#include <string.h>

#define IDLE_TIMEOUT_S 65 /* above the 30 s between two pings of a page */
#define REQUEST_TIMEOUT_MS 10000
#define BODY_BYTES 4096 /* nobody sends a body to the health routes */

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

/* A service that listens on fewer ports than it was told to would look healthy to some and be gone for others. */
static enum err open_port(struct http_options *options, const struct config *config, enum config_id port,
                          struct http_server **ret, struct error *reterr)
{
    struct error cause = {0};
    options->port = (int)config_int(config, port);
    enum err code = http_start(options, ret, &cause);
    const char *name = config_variables[port].name;
    return code == ERR_OK ? ERR_OK : error_set(reterr, code, name, "%s", cause.message);
}

static enum err open_gateway_http(struct service_state *s, struct error *reterr)
{
    const struct config *config = &s->config;
    struct http_options options = {.host = config_str(config, CONFIG_HOST),
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
    enum err code = open_port(&options, config, CONFIG_PORT, &s->http, reterr);
    if (code != ERR_OK)
        return code;
    options.threads = options.handler_threads = 1;
    options.quiesced = NULL;
    options.admit = admit_ws;
    code = open_port(&options, config, CONFIG_WS_PORT, &s->ws_http, reterr);
    options.admit = admit_metrics;
    options.finished = NULL;
    if (code == ERR_OK && config_bool(config, CONFIG_METRICS_ENABLED))
        code = open_port(&options, config, CONFIG_METRICS_PORT, &s->metrics_http, reterr);
    return code;
}

/* New requests end first. */
static void drain_gateway_http(struct service_state *s)
{
    ws_stop(s->ws);
    http_stop(s->ws_http);
    http_stop(s->metrics_http);
    http_stop(s->http);
}

static enum err open_health_http(struct service_state *s, struct error *reterr)
{
    const struct config *config = &s->config;
    static const char *const nobody[] = {NULL};
    struct http_options options = {.host = config_str(config, CONFIG_HOST),
                                   .threads = 1,
                                   .handler_threads = 1,
                                   .max_body = BODY_BYTES,
                                   .idle_timeout_s = IDLE_TIMEOUT_S,
                                   .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                   .origins = nobody,
                                   .admit = health_admit,
                                   .handle = health_handle,
                                   .app = s->health};
    enum err code = open_port(&options, config, CONFIG_PORT, &s->http, reterr);
    if (code != ERR_OK)
        return code;
    if (config_bool(config, CONFIG_METRICS_ENABLED))
        code = open_port(&options, config, CONFIG_METRICS_PORT, &s->metrics_http, reterr);
    if (code == ERR_OK && config->service == SERVICE_ORCHESTRATOR)
        code = open_port(&options, config, CONFIG_HEALTH_CHECK_PORT, &s->health_http, reterr);
    return code;
}

/* Probes are answered until everything else has ended. */
static void close_health_http(struct service_state *s)
{
    http_stop(s->health_http);
    http_stop(s->metrics_http);
    http_stop(s->http);
}

const struct part part_gateway_http = {.name = "listen", .open = open_gateway_http, .drain = drain_gateway_http};
const struct part part_health_http = {.name = "listen", .open = open_health_http, .close = close_health_http};
