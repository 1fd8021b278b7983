/* Routing, authorisation, and what all routes share. */
#include "gateway/api_int.h"

#include "base/network.h"
#include "broker/messages.h"
#include "gateway/limit.h"
#include "gateway/origin.h"
#include "gateway/page.h"
#include "orchestrator/ended.h"
#include "orchestrator/submission.h"
#include "worker/vault.h"
#include <stdio.h>
#include <stdlib.h>

#define DESK_TIMEOUT_MS 2000 /* of what a person tries out, and of checks of syntax */
#define DESK_MEMORY_MB 128

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

/* ---- who asks */

static bool is_proxy(const struct api *api, const char *address)
{
    for (size_t i = 0; i < api->proxy_count; i++)
        if (network_contains(&api->proxies[i], address))
            return true;
    return false;
}

/* X-Forwarded-For grows to the right; what stands left of the last trusted proxy's entry may be made up. */
static const char *client_address(const struct api *api, struct http_request *request)
{
    const char *peer = http_request_peer(request), *forwarded = http_request_header(request, "X-Forwarded-For");
    if (forwarded == NULL || !is_proxy(api, peer))
        return peer;
    char *list = arena_dup(&request->arena, forwarded), *comma;
    const char *client = peer;
    struct network parsed;
    do {
        comma = strrchr(list, ',');
        char *entry = comma == NULL ? list : comma + 1;
        entry += strspn(entry, " \t");
        entry[strcspn(entry, " \t")] = '\0';
        if (!network_parse(entry, &parsed) || strchr(entry, '/') != NULL)
            return client;
        client = entry;
        if (comma != NULL)
            *comma = '\0';
    } while (comma != NULL && is_proxy(api, client));
    return client;
}

/* Without a login a page on another site must not act through the browser of somebody on this machine: neither by
 * sending a form here, nor by leading its own name to this address (DNS rebinding). */
static enum err check_page(const struct api *api, const struct http_request *request, struct error *reterr)
{
    const char *host = http_request_header(request, "Host"), *origin = http_request_header(request, "Origin");
    const char *const *origins = api->options.origins;
    if (host != NULL && !origin_host_is_local(host) && !origin_host_is_listed(origins, host))
        return error_set(reterr, ERR_FORBIDDEN, "Host",
                         "Without JWT_SECRET this service answers to localhost only, not to %.100s; WS_CORS_ORIGINS "
                         "may name other sites.",
                         host);
    if (origin != NULL && strcmp(request->method, "GET") != 0 && !origin_is_of_host(origin, host) &&
        !origin_is_listed(origins, origin))
        return error_set(reterr, ERR_FORBIDDEN, "Origin",
                         "Pages of %.100s may not use this service; WS_CORS_ORIGINS lists those that may.", origin);
    return ERR_OK;
}

static enum err check_rate(struct api *api, struct http_request *request, const struct credential *credential,
                           struct error *reterr)
{
    struct limit_state state;
    const char *who = request->client;
    if (credential->kind == CREDENTIAL_SESSION)
        who = credential->user_id;
    else if (credential->kind == CREDENTIAL_KEY && auth_knows_key(api->options.auth, credential))
        who = credential->key_hash;
    limit_take(api->options.cache, who, api->rate_limit, clock_now_ms(), &state);
    http_response_header(request, "X-RateLimit-Limit",
                         arena_printf(&request->arena, "%lld", (long long)api->rate_limit));
    http_response_header(request, "X-RateLimit-Remaining",
                         arena_printf(&request->arena, "%lld", (long long)state.remaining));
    http_response_header(request, "X-RateLimit-Reset", arena_printf(&request->arena, "%lld", (long long)state.wait_s));
    if (!state.exceeded)
        return ERR_OK;
    http_response_header(request, "Retry-After", arena_printf(&request->arena, "%lld", (long long)state.wait_s));
    return error_set(reterr, ERR_RATE_LIMIT, NULL,
                     "More than %lld requests in a minute (API_RATE_LIMIT); go on in %lld seconds.",
                     (long long)api->rate_limit, (long long)state.wait_s);
}

/* What can be said without waiting; the rest is said by `identify`. */
static enum err admit_client(struct api *api, struct http_request *request, const struct route *route,
                             struct error *reterr)
{
    struct credential *credential = arena_alloc(&request->arena, sizeof *credential);
    enum err code = ERR_OK;
    if (route->role == ROLE_NONE && (route->flags & ROUTE_UNLIMITED) != 0)
        return ERR_OK;
    request->client = client_address(api, request);
    if (route->role > ROLE_NONE && auth_is_required(api->options.auth))
        code = auth_read(api->options.auth, request, credential, reterr);
    else if (route->role > ROLE_NONE)
        code = check_page(api, request, reterr);
    request->credential = credential;
    struct error limited;
    if (api->rate_limit > 0 && (route->flags & ROUTE_UNLIMITED) == 0 &&
        check_rate(api, request, credential, &limited) != ERR_OK) {
        *reterr = limited;
        return limited.code;
    }
    return code;
}

static enum err identify(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct route *route = request->route;
    struct principal *principal = arena_alloc(&request->arena, sizeof *principal);
    enum err code = ERR_OK;
    if (route->role == ROLE_NONE)
        return ERR_OK;
    request->principal = principal;
    if (!auth_is_required(api->options.auth))
        auth_local(principal);
    else
        code = auth_resolve(api->options.auth, request, request->credential, principal, reterr);
    if (code == ERR_OK && principal->role < route->role)
        code = error_set(reterr, ERR_FORBIDDEN, NULL, "This needs the role %s; %s has the role %s.",
                         role_name(route->role), principal->key_id == NULL ? principal->name : "the API key",
                         role_name(principal->role));
    return code;
}

static void audit(struct api *api, const struct http_request *request)
{
    const struct route *route = request->route;
    if (request->principal == NULL || strcmp(route->method, "GET") == 0 || (route->flags & ROUTE_UNAUDITED) != 0)
        return;
    AUTO_FREE char *action = mem_printf("%s %s", route->method, route->pattern);
    api_audit(api, request,
              &(struct audit){.actor = request->principal->name, .action = action, .target = request->path});
}

/* ---- requests */

enum err api_admit(void *user, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    struct api *api = user;
    bool path_known = false;
    const struct route *route = find_route(request, &path_known);
    if (route == NULL && !path_known)
        route = page_route(api->page, request);
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
    bool waits = route->role > ROLE_NONE && auth_is_required(api->options.auth);
    *ret_inline = (route->flags & ROUTE_INLINE) != 0 && !waits &&
                  ((route->flags & ROUTE_WEBHOOK) == 0 || api_webhook_is_at_hand(api, request));
    return admit_client(api, request, route, reterr);
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
    enum err code = identify(api, request, &error);
    if (code == ERR_OK)
        code = check_body(route, request, &error);
    bool later = false; /* here, not in the request: once that is handed on, it may be answered and gone */
    /* cppcheck-suppress autoVariables; read before this function returns, and never after */
    request->later = &later;
    request->response.status = 200;
    if (code == ERR_OK)
        code = route->handle(api, request, &error);
    if (code == ERR_OK && !later)
        audit(api, request);
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

/* This gateway looks flows up anew at once, the others when they hear of it. */
void api_changed(struct api *api)
{
    static const char changed[] = "{\"v\":1,\"flows\":true}";
    atomic_fetch_add(&api->generation, 1);
    if (api->options.orchestrator == NULL)
        broker_broadcast(api->connection, TOPIC_CONTROL, changed, sizeof changed - 1);
}

static void on_control(void *user, const void *body, size_t size)
{
    struct api *api = user;
    AUTO_JSON struct json *message = message_parse_topic(body, size);
    if (json_get_bool(message, "flows", false))
        atomic_fetch_add(&api->generation, 1);
    if (json_get_bool(message, "vault", false))
        vault_forget(api->options.vault);
}

void api_control(struct api *api, const char *verb, const char *execution_id)
{
    char body[100];
    int n = snprintf(body, sizeof body, "{\"v\":1,\"%s\":\"%s\"}", verb, execution_id);
    broker_broadcast(api->connection, TOPIC_CONTROL, body, (size_t)n);
}

static void read_access_settings(struct api *api)
{
    const struct config *config = api->options.config;
    if (config_is_set(config, CONFIG_API_RATE_LIMIT) || auth_is_required(api->options.auth))
        api->rate_limit = config_int(config, CONFIG_API_RATE_LIMIT);
    size_t count = config_count(config, CONFIG_TRUSTED_PROXIES);
    api->proxies = mem_array(count + 1, sizeof *api->proxies);
    for (size_t i = 0; i < count; i++)
        if (network_parse(config_item(config, CONFIG_TRUSTED_PROXIES, i), &api->proxies[api->proxy_count]))
            api->proxy_count++;
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
    api->page = page_open(options->config);
    api->desk = script_desk_new(
        &(struct script_options){.runners = 1, .timeout_ms = DESK_TIMEOUT_MS, .memory_mb = DESK_MEMORY_MB});
    api->started_ms = clock_now_ms();
    read_access_settings(api);
    atomic_init(&api->generation, 1);
    api->shards = options->shards == 0 ? 1 : options->shards;
    api->submit_queues = mem_array(api->shards, sizeof *api->submit_queues);
    for (unsigned i = 0; i < api->shards; i++)
        api->submit_queues[i] = mem_printf(QUEUE_SUBMIT_PREFIX "%u", i);
    pthread_mutex_init(&api->lock, NULL);
    pthread_mutex_init(&api->activation, NULL);
    map_init(&api->waiters);
    api->requests = metrics_register(options->metrics, &requests);
    api->durations = metrics_register(options->metrics, &durations);
    api->connection = broker_connect(options->broker, options->loop);
    api->submissions = submissions_new(api->connection, api->shards);
    broker_subscribe(api->connection, TOPIC_CONTROL, on_control, api);
    id_new(api->id);
    api->ended = ended_new(options->metrics);
    api_cluster_start(api);
    metrics_add_collector(options->metrics, api_collect, api);
    api_waiters_start(api);
    api_monitor_start(api);
    api_timeline_start(api);
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    metrics_remove_collector(api->options.metrics, api_collect, api);
    submissions_flush(api->submissions);
    broker_disconnect(api->connection);
    submissions_free(api->submissions);
    api_timeline_free(api);
    script_desk_free(api->desk);
    api_monitor_free(api);
    api_waiters_free(api);
    api_cluster_free(api);
    ended_free(api->ended);
    map_done(&api->waiters);
    pthread_mutex_destroy(&api->lock);
    page_close(api->page);
    pthread_mutex_destroy(&api->activation);
    for (unsigned i = 0; i < api->shards; i++)
        free(api->submit_queues[i]);
    free(api->submit_queues);
    free(api->proxies);
    free(api);
}
