/* libmicrohttpd behind http.h. */
#include "gateway/http.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/network.h"
#include "gateway/http_lanes.h"
#include "gateway/http_watch.h"
#include "gateway/origin.h"
#include "worker/pool.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* While it stops: answers end their connections, so that none is kept; then nothing is begun any more. */
enum serving { SERVING, LAST_ANSWERS, CLOSED };

struct http_server {
    struct http_options options;
    struct http_lanes *lanes;
    struct pool *pool;
    struct http_watch *watch;
    atomic_int open;
    atomic_int serving; /* enum serving */
};

/* A request with its transport. */
struct exchange {
    struct http_request request; /* first: the two are one */
    struct http_server *server;
    struct MHD_Connection *connection;
    struct buf body;
    enum { RECEIVING, HANDLING, ANSWERED } state;
    bool too_large;
    atomic_int phase; /* of a handler's answer against the connection's suspension */
};
enum { PHASE_RUNNING, PHASE_SUSPENDED, PHASE_COMPLETED };

static void add_cors(struct exchange *exchange, struct MHD_Response *response)
{
    const char *origin = http_request_header(&exchange->request, "Origin");
    const char *const *origins = exchange->server->options.origins;
    bool any = origin_list_is_open(origins);
    if (!origin_is_listed(origins, origin))
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", any ? "*" : origin);
    if (!any)
        MHD_add_response_header(response, "Vary", "Origin");
    MHD_add_response_header(response, "Access-Control-Expose-Headers",
                            "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After");
}

/* The socket goes on as a descriptor of its own, so that the new owner need not know this library and the server can
 * stop before it. */
static void on_upgrade(void *user, struct MHD_Connection *connection, void *state, const char *early, size_t size,
                       MHD_socket socket, struct MHD_UpgradeResponseHandle *handle)
{
    (void)user;
    struct exchange *exchange = state;
    const struct http_response *answer = &exchange->request.response;
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
        answer->upgraded(answer->upgraded_user, fd, early, size);
    else if (fd >= 0)
        close(fd);
    if (fd < 0)
        log_event(LOG_WARN, "an upgraded connection is dropped: no descriptor is free", LOG_INT("errno", errno),
                  LOG_END);
    http_lanes_end(exchange->server->lanes, connection, handle);
}

/* The client has the request's time, and more for so many bytes. */
static void give_time(const struct exchange *exchange, size_t bytes)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    int64_t ms = exchange->server->options.request_timeout_ms + (int64_t)(bytes / HTTP_SLOWEST_BYTES) * 1000;
    if (info != NULL && info->socket_context != NULL)
        http_watch_set(info->socket_context, clock_monotonic_us() + ms * 1000);
}

static void give_all_time(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL)
        http_watch_set(info->socket_context, HTTP_WATCH_NEVER);
}

static enum MHD_Result send_upgrade(struct exchange *exchange)
{
    const struct http_response *answer = &exchange->request.response;
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, NULL);
    if (response == NULL)
        return MHD_NO;
    for (unsigned i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    exchange->state = ANSWERED;
    if (exchange->server->options.finished != NULL)
        exchange->server->options.finished(exchange->server->options.app, &exchange->request);
    enum MHD_Result result = MHD_queue_response(exchange->connection, 101, response);
    MHD_destroy_response(response);
    return result;
}

static bool has_header(const struct http_response *answer, const char *name)
{
    for (unsigned i = 0; i < answer->header_count; i++)
        if (strcasecmp(answer->headers[i].name, name) == 0)
            return true;
    return false;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct http_response *answer = &exchange->request.response;
    if (answer->upgraded != NULL)
        return send_upgrade(exchange);
    size_t size = answer->body.len;
    bool empty = answer->status == 204 || answer->status == 304;
    give_time(exchange, size);
    char *bytes = empty ? NULL : buf_take(&answer->body);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        empty ? 0 : size, bytes, empty ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return MHD_NO;
    }
    if (!empty)
        MHD_add_response_header(response, "Content-Type",
                                answer->content_type == NULL ? "application/json; charset=utf-8"
                                                             : answer->content_type);
    if (!has_header(answer, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (unsigned i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    add_cors(exchange, response);
    if (exchange->too_large || atomic_load(&exchange->server->serving) != SERVING)
        MHD_add_response_header(response, "Connection", "close");
    exchange->state = ANSWERED;
    if (exchange->server->options.finished != NULL)
        exchange->server->options.finished(exchange->server->options.app, &exchange->request);
    enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Before authentication, rate limits and routing (contract 1.1). */
static enum MHD_Result answer_preflight(struct exchange *exchange)
{
    struct http_request *request = &exchange->request;
    const char *wanted = http_request_header(request, "Access-Control-Request-Headers");
    request->response.status = 204;
    http_response_header(request, "Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE");
    http_response_header(request, "Access-Control-Allow-Headers",
                         wanted == NULL ? "content-type, authorization" : wanted);
    http_response_header(request, "Access-Control-Max-Age", "600");
    return send_answer(exchange);
}

static void run_handler(void *user)
{
    struct exchange *exchange = user;
    if (exchange->server->options.handle(exchange->server->options.app, &exchange->request) == HTTP_DONE)
        http_complete(&exchange->request);
}

/* On the server's thread: an answer made at once needs no suspension; one that is made elsewhere may come before it. */
static enum MHD_Result handle_at_once(struct exchange *exchange)
{
    if (exchange->server->options.handle(exchange->server->options.app, &exchange->request) == HTTP_DONE)
        return send_answer(exchange);
    MHD_suspend_connection(exchange->connection);
    int expected = PHASE_RUNNING;
    if (!atomic_compare_exchange_strong(&exchange->phase, &expected, PHASE_SUSPENDED))
        http_lanes_resume(exchange->server->lanes, exchange->connection);
    return MHD_YES;
}

static bool parse_body(struct http_request *request, struct error *error)
{
    const char *type = http_request_header(request, "Content-Type");
    if (request->size == 0 || type == NULL || strncasecmp(type, "application/json", 16) != 0)
        return true;
    return json_parse(request->body, request->size, &request->json, error) == ERR_OK;
}

static enum MHD_Result dispatch(struct exchange *exchange)
{
    struct http_request *request = &exchange->request;
    struct http_server *server = exchange->server;
    struct error error = {0};
    bool at_once = false;
    request->body = buf_str(&exchange->body);
    request->size = exchange->body.len;
    give_all_time(exchange);
    if (strcmp(request->method, "OPTIONS") == 0)
        return answer_preflight(exchange);
    if (atomic_load(&server->serving) == CLOSED) {
        (void)error_set(&error, ERR_UNAVAILABLE, NULL, "This server is stopping; ask another one, or again later.");
    } else if (exchange->too_large) {
        (void)error_set(&error, ERR_TOO_LARGE, NULL, "The body has more than the %zu bytes that are allowed.",
                        server->options.max_body);
    } else if (server->options.admit(server->options.app, request, &at_once, &error) == ERR_OK &&
               parse_body(request, &error)) {
        exchange->state = HANDLING;
        if (at_once)
            return handle_at_once(exchange);
        MHD_suspend_connection(exchange->connection);
        atomic_store(&exchange->phase, PHASE_SUSPENDED);
        pool_submit(server->pool, NULL, run_handler, NULL, exchange);
        return MHD_YES;
    }
    http_reply_error(request, &error, NULL);
    return send_answer(exchange);
}

static struct exchange *exchange_new(struct http_server *server)
{
    struct exchange *exchange = mem_alloc(sizeof *exchange);
    exchange->server = server;
    arena_init(&exchange->request.arena);
    exchange->request.method = exchange->request.path = "";
    exchange->request.response.status = 200;
    exchange->request.received_us = clock_monotonic_us();
    buf_init(&exchange->body, server->options.max_body);
    atomic_fetch_add(&server->open, 1);
    return exchange;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version;
    struct exchange *exchange = *state;
    struct http_server *server = user;
    if (exchange->connection == NULL) { /* first call: on_uri made it, with the uri only */
        exchange->connection = connection;
        exchange->request.path = path;
        exchange->request.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
        unsigned long long announced = length == NULL ? 0 : strtoull(length, NULL, 10);
        exchange->too_large = announced > server->options.max_body;
        /* Most clients read an answer only after they sent the body: what is not far too much is read and dropped. */
        give_time(exchange, length == NULL || announced > server->options.max_body ? server->options.max_body
                                                                                   : (size_t)announced);
        bool waits = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Expect") != NULL;
        return exchange->too_large && (waits || announced > 8ULL * server->options.max_body) ? dispatch(exchange)
                                                                                             : MHD_YES;
    }
    if (exchange->state == ANSWERED)
        return MHD_YES;
    if (*upload_size > 0) {
        if (!exchange->too_large)
            buf_add(&exchange->body, upload, *upload_size);
        exchange->too_large |= exchange->body.overflow;
        *upload_size = 0;
        return MHD_YES;
    }
    return exchange->state == RECEIVING ? dispatch(exchange) : send_answer(exchange);
}

static void *on_uri(void *user, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *exchange = exchange_new(user);
    exchange->connection = connection;
    give_time(exchange, 0);
    exchange->connection = NULL; /* until on_request sees it */
    exchange->request.uri = arena_dup(&exchange->request.arena, uri);
    return exchange;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    const struct http_server *server = user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_watch_remove(server->watch, *state);
        *state = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *state = http_watch_add(server->watch, info->connect_fd,
                            clock_monotonic_us() + server->options.request_timeout_ms * 1000);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_server *server = user;
    struct exchange *exchange = *state;
    if (exchange == NULL)
        return;
    *state = NULL;
    exchange->connection = connection; /* on_request may never have seen it */
    give_time(exchange, (size_t)server->options.idle_timeout_s * HTTP_SLOWEST_BYTES); /* for the next one */
    json_unref(exchange->request.json);
    buf_done(&exchange->body);
    buf_done(&exchange->request.response.body);
    arena_done(&exchange->request.arena);
    free(exchange);
    atomic_fetch_sub(&server->open, 1);
}

void http_complete(struct http_request *request)
{
    struct exchange *exchange = (struct exchange *)request;
    int expected = PHASE_RUNNING;
    if (!atomic_compare_exchange_strong(&exchange->phase, &expected, PHASE_COMPLETED))
        http_lanes_resume(exchange->server->lanes, exchange->connection);
}

static struct MHD_Daemon *open_daemon(void *user, int fd)
{
    struct http_server *server = user;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL, on_request,
                            server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT,
                            server->options.idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)LIMIT_HEADER_BYTES, MHD_OPTION_CONNECTION_LIMIT,
                            LIMIT_CONNECTIONS / server->options.threads, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, server, MHD_OPTION_END);
}

static void server_free(struct http_server *server)
{
    pool_free(server->pool);
    if (server->lanes != NULL)
        http_lanes_free(server->lanes);
    http_watch_free(server->watch);
    free(server);
}

enum err http_start(const struct http_options *options, struct http_server **ret, struct error *reterr)
{
    struct http_server *server = mem_alloc(sizeof *server);
    server->options = *options;
    server->pool = pool_new(options->handler_threads);
    server->watch = http_watch_new();
    enum err code = http_lanes_start(&(struct http_lanes_options){.host = options->host,
                                                                  .port = options->port,
                                                                  .count = options->threads,
                                                                  .open = open_daemon,
                                                                  .user = server},
                                     &server->lanes, reterr);
    if (code != ERR_OK) {
        server_free(server);
        return code;
    }
    *ret = server;
    return ERR_OK;
}

int http_port(const struct http_server *server)
{
    return http_lanes_port(server->lanes);
}

static void wait_for_answers(struct http_server *server, int most_ms)
{
    for (int ms = 0; ms < most_ms && atomic_load(&server->open) > 0; ms += 10) {
        if (server->options.quiesced != NULL)
            server->options.quiesced(server->options.app);
        usleep(10000);
    }
}

void http_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    http_lanes_quiesce(server->lanes);
    atomic_store(&server->serving, LAST_ANSWERS);
    wait_for_answers(server, 10000);
    atomic_store(&server->serving, CLOSED); /* a kept connection may have brought one more meanwhile */
    wait_for_answers(server, 2000);
    server_free(server);
}

const char *http_request_peer(struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(((const struct exchange *)request)->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[ADDRESS_TEXT_BYTES] = "";
    if (info == NULL || info->client_addr == NULL)
        return "unknown";
    socklen_t size =
        info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, size, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
        return "unknown";
    return arena_dup(&request->arena, strncasecmp(text, "::ffff:", 7) == 0 ? text + 7 : text);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(((const struct exchange *)request)->connection, MHD_HEADER_KIND, name);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    enum MHD_Result found = MHD_lookup_connection_value_n(((const struct exchange *)request)->connection,
                                                          MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL);
    return found == MHD_YES && value == NULL ? "" : value;
}

struct each {
    void (*fn)(void *user, const char *name, const char *value);
    void *user;
};

static enum MHD_Result on_each(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct each *each = user;
    each->fn(each->user, name, value == NULL ? "" : value);
    return MHD_YES;
}

void http_request_each_header(const struct http_request *request,
                              void (*fn)(void *user, const char *name, const char *value), void *user)
{
    struct each each = {.fn = fn, .user = user};
    MHD_get_connection_values(((const struct exchange *)request)->connection, MHD_HEADER_KIND, on_each, &each);
}

void http_request_each_query(const struct http_request *request,
                             void (*fn)(void *user, const char *name, const char *value), void *user)
{
    struct each each = {.fn = fn, .user = user};
    MHD_get_connection_values(((const struct exchange *)request)->connection, MHD_GET_ARGUMENT_KIND, on_each, &each);
}

void http_response_header(struct http_request *request, const char *name, const char *value)
{
    struct http_response *response = &request->response;
    if (has_header(response, name))
        return;
    if (response->header_count < sizeof response->headers / sizeof *response->headers)
        response->headers[response->header_count++] =
            (struct http_header){arena_dup(&request->arena, name), arena_dup(&request->arena, value)};
}

void http_upgrade(struct http_request *request, const char *protocol, http_upgraded_fn fn, void *user)
{
    request->response.status = 101;
    request->response.upgraded = fn;
    request->response.upgraded_user = user;
    http_response_header(request, "Upgrade", protocol);
}
