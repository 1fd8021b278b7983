/* HTTP and HTTPS requests on an event loop, with kept connections. All calls on the loop's thread. */
#pragma once
#include "base/error.h"
#include "base/loop.h"
#include <stdint.h>

struct http_client;
struct http_transfer;

struct http_client_options {
    long max_connections; /* kept open when idle; 0: 256 */
    long max_per_host;    /* at once to one host, further requests wait; 0: no limit */
    /* Refuse to connect to loopback, link-local, private and other addresses that are not public. Asked of the address
     * that is connected to, after the name is resolved and for each redirect. With a proxy that is the proxy's. */
    bool deny_private;
};

struct http_header {
    const char *name, *value;
};

/* Everything is copied by http_client_start. */
struct http_request {
    const char *method, *url;
    const struct http_header *headers; /* header_count of them; no CR, LF or NUL inside (refused) */
    size_t header_count;
    const void *body; /* NULL: none */
    size_t body_len;
    const char *user, *password; /* basic authentication, when user is not NULL */
    const char *bearer;          /* bearer token, when not NULL */
    int64_t timeout_ms;          /* of the whole transfer; 0: 30 s */
    size_t max_response_bytes;   /* after decompression; 0: 8 MiB */
    /* Up to 10, never from https to http. To another scheme, host or port go neither credentials nor headers, but those
     * that only say what is wanted and sent. */
    bool follow_redirects;
    const char *unix_socket;            /* path of the socket to connect to instead of the url's host; NULL: the host */
    const char *proxy;                  /* http://, https:// or socks5:// address; NULL: as the environment says */
    bool skip_tls_checks;               /* accept any certificate */
    const char *ca, *certificate, *key; /* PEM: whom to trust instead of the system's; the client's own; NULL: none */
};

struct http_response {
    int status;
    const char *content_type;          /* "" when absent */
    const struct http_header *headers; /* of the last answer, names in lower case, in order */
    size_t header_count;
    const char *body; /* NUL-terminated */
    size_t body_len;
};

/* Called once, never from inside http_client_start or _abort. On ERR_OK `response` is valid during the call, any status
 * included. Else `error` is: ERR_NODE_RETRY for what may pass (connection refused, reset, timeout), ERR_LIMIT for an
 * answer that is too large, ERR_NODE otherwise. */
typedef void (*http_done_fn)(void *user, const struct http_response *response, const struct error *error);

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options);
void http_client_free(
    struct http_client *client); /* unfinished transfers are dropped, their done is not called; NULL ok */

/* ERR_VALIDATION (field url, method, headers) when the request cannot be made. */
enum err http_client_start(struct http_client *client, const struct http_request *request, http_done_fn done,
                           void *user, struct http_transfer **ret, struct error *reterr) ERROR_MUST_CHECK;
void http_transfer_abort(struct http_transfer *transfer); /* no done follows; NULL ok */

struct loop *http_client_loop(struct http_client *client);
struct http_tokens *http_client_tokens(struct http_client *client); /* nodes/http_tokens.h; as long as the client */
bool http_address_is_private(const void *sockaddr);                 /* a struct sockaddr; true for other families too */

bool http_url_same_origin(const char *a, const char *b);         /* scheme, host and port (RFC 6454, 5) */
char *http_url_resolve(const char *base, const char *reference); /* RFC 3986, 5.2; yours; NULL: no address */
