/* Routing, authorisation, and what all routes share. */
#include "gateway/api_int.h"

#include "broker/messages.h"
#include <stdio.h>
#include <stdlib.h>

static bool match(const struct route *route, struct http_request *request, bool *ret_path)
{
    const char *pattern = route->pattern, *path = request->path;
    unsigned params = 0;
    while (*pattern != '\0') {
        if (*pattern == '*') {
            request->rest = path;
            break;
        }
        if (*pattern == ':') {
            size_t n = strcspn(path, "/");
            if (n == 0 || params == sizeof request->params / sizeof *request->params)
                return false;
            request->params[params++] = arena_dup_n(&request->arena, path, n);
            path += n;
            pattern += strcspn(pattern, "/");
            continue;
        }
        if (*pattern++ != *path++)
            return false;
    }
    if (*pattern == '\0' && *path != '\0')
        return false;
    *ret_path = true;
    return strcmp(route->method, "*") == 0 || strcmp(route->method, request->method) == 0;
}

static const struct route *find_route(struct http_request *request, bool *ret_path)
{
    for (size_t t = 0; route_tables[t] != NULL; t++)
        for (const struct route *route = route_tables[t]; route->method != NULL; route++)
            if (match(route, request, ret_path))
                return route;
    return NULL;
}

enum err api_admit(void *user, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    (void)user;
    bool path_known = false;
    const struct route *route = find_route(request, &path_known);
    if (route == NULL && path_known)
        return error_set(reterr, ERR_METHOD_NOT_ALLOWED, NULL, "%s is not allowed on %s.", request->method,
                         request->path);
    if (route == NULL)
        return error_set(reterr, ERR_NOT_FOUND, NULL, "There is no route %s %s; /api/docs lists them.", request->method,
                         request->path);
    if ((route->flags & ROUTE_ID) != 0 && !id_is_valid(request->params[0]))
        return error_set(reterr, ERR_VALIDATION, "id", "The id in the path must be a UUID, not \"%.60s\".",
                         request->params[0]);
    request->route = route;
    *ret_inline = (route->flags & ROUTE_INLINE) != 0;
    return ERR_OK;
}

static enum err check_body(const struct route *route, struct http_request *request, struct error *reterr)
{
    if (route->body == NULL)
        return ERR_OK;
    if (request->json == NULL) {
        bool needed = false;
        for (const struct field *field = route->body; field->name != NULL; field++)
            needed |= field->required;
        if (needed)
            return error_set(reterr, ERR_VALIDATION, NULL,
                             "A JSON body is needed, with Content-Type: application/json.");
        request->json = json_object_new();
    }
    return fields_check(route->body, request->json, reterr);
}

int api_handle(void *user, struct http_request *request)
{
    struct api *api = user;
    const struct route *route = request->route;
    struct error error = {0};
    enum err code = check_body(route, request, &error);
    bool later = false; /* here, not in the request: once that is handed on, it may be answered and gone */
    /* cppcheck-suppress autoVariables; read before this function returns, and never after */
    request->later = &later;
    request->response.status = 200;
    if (code == ERR_OK)
        code = route->handle(api, request, &error);
    if (code != ERR_OK) {
        error.code = code;
        http_reply_error(request, &error, NULL);
        return HTTP_DONE;
    }
    return later ? HTTP_PENDING : HTTP_DONE;
}

void api_later(struct http_request *request)
{
    *request->later = true;
}

void api_finished(void *user, const struct http_request *request)
{
    struct api *api = user;
    const struct route *route = request->route;
    char status[12];
    (void)snprintf(status, sizeof status, "%d", request->response.status);
    const char *pattern = route == NULL ? "none" : route->pattern;
    metric_add(metric_with(api->requests, request->method, pattern, status), 1);
    metric_observe(metric_with(api->durations, pattern), clock_monotonic_us() - request->received_us);
}

enum err api_read(struct api *api, api_read_fn fn, void *arg, struct error *reterr)
{
    struct store_session *session;
    enum err code = store_read_begin(api->options.store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = fn(session, arg, reterr);
    store_read_end(api->options.store, session);
    return code;
}

int64_t api_query_int(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t otherwise,
                      struct error *reterr)
{
    const char *text = http_request_query(request, name);
    if (text == NULL)
        return otherwise;
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < min || value > max) {
        (void)error_set(reterr, ERR_VALIDATION, name, "%s must be an integer from %lld to %lld, not \"%.40s\".", name,
                        (long long)min, (long long)max, text);
        return otherwise;
    }
    return value;
}

enum err api_filter(struct http_request *request, const char *const *names, int64_t default_limit, struct json **ret,
                    struct error *reterr)
{
    struct error error = {0};
    int64_t page = api_query_int(request, "page", 1, 1000000, 1, &error);
    int64_t limit = api_query_int(request, "limit", 1, 100, default_limit, &error);
    if (error.code != ERR_OK) {
        *reterr = error;
        return error.code;
    }
    struct json *filter = json_object_new();
    json_set_int(filter, "page", page);
    json_set_int(filter, "limit", limit);
    if (http_request_query(request, "cursor") != NULL)
        json_set_str(filter, "cursor", http_request_query(request, "cursor"));
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *value = http_request_query(request, names[i]);
        if (value != NULL && *value != '\0')
            json_set_str(filter, names[i], value);
    }
    *ret = filter;
    return ERR_OK;
}

void api_changed(struct api *api)
{
    atomic_fetch_add(&api->generation, 1);
}

void api_control(struct api *api, const char *verb, const char *execution_id)
{
    char body[100];
    int n = snprintf(body, sizeof body, "{\"%s\":\"%s\"}", verb, execution_id);
    broker_broadcast(api->connection, TOPIC_CONTROL, body, (size_t)n);
}

struct api *api_new(const struct api_options *options)
{
    static const int64_t bounds_us[] = {100,   250,   500,    1000,   2500,    5000,    10000,
                                        20000, 50000, 100000, 250000, 1000000, 5000000, 30000000};
    static const struct metric_desc requests = {.name = "caudal_http_requests_total",
                                                .help = "Answered HTTP requests.",
                                                .kind = METRIC_COUNTER,
                                                .labels = {"method", "route", "status"}};
    static const struct metric_desc durations = {.name = "caudal_http_request_duration_seconds",
                                                 .help = "From the first byte to the answer.",
                                                 .kind = METRIC_HISTOGRAM,
                                                 .decimals = 6,
                                                 .labels = {"route"},
                                                 METRIC_BOUNDS(bounds_us)};
    struct api *api = mem_alloc(sizeof *api);
    api->options = *options;
    api->started_ms = clock_now_ms();
    atomic_init(&api->generation, 1);
    pthread_mutex_init(&api->lock, NULL);
    map_init(&api->waiters);
    api->requests = metrics_register(options->metrics, &requests);
    api->durations = metrics_register(options->metrics, &durations);
    api->connection = broker_connect(options->broker, options->loop);
    map_init(&api->workers);
    broker_subscribe(api->connection, TOPIC_WORKERS, api_on_worker_report, api);
    broker_broadcast(api->connection, TOPIC_CONTROL, "{\"report\":true}", 15);
    metrics_add_collector(options->metrics, api_collect, api);
    api_waiters_start(api);
    api_monitor_start(api);
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    metrics_remove_collector(api->options.metrics, api_collect, api);
    broker_disconnect(api->connection);
    api_monitor_free(api);
    api_waiters_free(api);
    api_workers_free(api);
    map_done(&api->waiters);
    pthread_mutex_destroy(&api->lock);
    free(api);
}
