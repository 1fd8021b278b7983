/* The HTTP server: requests in, responses out. Only http.c and http_lanes.c know libmicrohttpd. */
#pragma once
#include "base/mem.h"
#include "json/fields.h"

struct http_server;
struct http_request;
struct principal;

struct http_header {
    const char *name, *value;
};

/* Has the socket of an upgraded connection, non-blocking, and the bytes that came before the answer (borrowed for the
 * call). On a server thread. */
typedef void (*http_upgraded_fn)(void *user, int take_fd, const void *early, size_t size);

struct http_response {
    int status;               /* 200 unless set */
    const char *content_type; /* static; application/json; charset=utf-8 unless set */
    struct buf body;
    struct http_header headers[12];
    unsigned header_count;     /* values live in the request's arena */
    http_upgraded_fn upgraded; /* status 101: see http_upgrade */
    void *upgraded_user;
};

struct http_request {
    const char *method, *path; /* path: decoded; uri: as it came, query included */
    const char *uri;
    const char *body;
    size_t size;
    struct arena arena;
    struct http_response response;
    const char *params[4];             /* values of :name segments, in order */
    const char *rest;                  /* what a trailing * stands for */
    const void *route;                 /* the application's */
    const struct principal *principal; /* the application's: who asks */
    const void *credential;            /* the application's, from `admit` to `handle` */
    const char *client;                /* the application's: address of who asks, in the arena */
    bool *later;                       /* the application's, during `handle` */
    struct json *json;                 /* the parsed body, or NULL */
    int64_t received_us;               /* monotonic */
};

#define HTTP_SLOWEST_BYTES 16384

struct http_options {
    const char *host;
    int port; /* 0: any free one */
    unsigned threads, handler_threads;
    size_t max_body;
    unsigned idle_timeout_s; /* connections that say nothing for so long are closed */
    /* So long a client may take for its request line and headers, for its body and for reading the answer: these two
     * get more time the larger they are, at HTTP_SLOWEST_BYTES a second. */
    int64_t request_timeout_ms;
    const char *const *origins; /* allowed by CORS, NULL-terminated; "*" allows all */
    /* On a server thread, with the whole request: finds the route and authenticates. ERR_OK: *ret_inline says whether
     * `handle` may run at once on this thread (it must not block), else it runs on a handler thread. */
    enum err (*admit)(void *app, struct http_request *request, bool *ret_inline, struct error *reterr);
    /* Fills request->response; or keeps the request, returns HTTP_PENDING and calls http_complete later. */
    int (*handle)(void *app, struct http_request *request);
    void (*finished)(void *app, const struct http_request *request); /* after the answer is made; for metrics */
    void (*quiesced)(void *app); /* while stopping, repeatedly: answers of requests that wait are to be given now */
    void *app;
};
enum { HTTP_DONE, HTTP_PENDING };

enum err http_start(const struct http_options *options, struct http_server **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
int http_port(const struct http_server *server);
void http_stop(struct http_server *server);       /* requests under way are answered first, within 10 s */
void http_complete(struct http_request *request); /* any thread, once */

/* The peer's address as text (an IPv4 one never as ::ffff:…), in the request's arena. */
const char *http_request_peer(struct http_request *request);
const char *http_request_header(const struct http_request *request, const char *name); /* NULL if absent */
const char *http_request_query(const struct http_request *request, const char *name);  /* decoded; NULL if absent */
void http_request_each_header(const struct http_request *request,
                              void (*fn)(void *user, const char *name, const char *value), void *user);
void http_request_each_query(const struct http_request *request,
                             void (*fn)(void *user, const char *name, const char *value), void *user);
/* Adds a header; one that is there already keeps its value. */
void http_response_header(struct http_request *request, const char *name, const char *value);
/* Answers 101 to that protocol. Once the answer is written the socket is `fn`'s; if the client goes before, nothing is
 * called. */
void http_upgrade(struct http_request *request, const char *protocol, http_upgraded_fn fn, void *user);

/* Bodies of api-contract 0. `take_payload` is consumed. */
void http_reply(struct http_request *request, int status, struct json *take_payload); /* {data,timestamp,path} */
void http_reply_flat(struct http_request *request, int status,
                     struct json *take_payload); /* the payload's members at top level too */
/* Does `one` for each id of the body's list `<id_name>s`, and answers {successCount,failureCount,errors}: what fails is
 * listed, the others are done. */
void http_reply_each(struct http_request *request, const char *id_name,
                     enum err (*one)(void *user, const char *id, struct error *reterr), void *user);
void http_reply_empty(struct http_request *request); /* 204 */
void http_reply_error(struct http_request *request, const struct error *error, struct json *take_problems);
