/* The adapter of libcurl's multi interface to the event loop. */
#include "nodes/http_client_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "nodes/http_tokens.h"
#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 500
#define HEADER_BYTES_MAX (256 << 10)
#define REDIRECTS_MAX 10

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static void clear_received(struct http_transfer *transfer)
{
    for (size_t i = 0; i < transfer->received_count; i++) {
        free((void *)(uintptr_t)transfer->received[i].name);
        free((void *)(uintptr_t)transfer->received[i].value);
    }
    transfer->received_count = transfer->received_bytes = 0;
}

static void transfer_free(struct http_transfer *transfer)
{
    curl_multi_remove_handle(transfer->client->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    if (transfer->before != NULL)
        transfer->before->next = transfer->next;
    else
        transfer->client->transfers = transfer->next;
    if (transfer->next != NULL)
        transfer->next->before = transfer->before;
    clear_received(transfer);
    free(transfer->received);
    free(transfer->body_sent);
    free(transfer->method);
    buf_done(&transfer->body);
    free(transfer);
}

static size_t on_body(char *bytes, size_t one, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    n *= one;
    buf_add(&transfer->body, bytes, n);
    if (!transfer->body.overflow)
        return n;
    transfer->is_too_large = true;
    return n + 1; /* tells curl to stop */
}

static size_t on_header(char *bytes, size_t one, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    n *= one;
    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) { /* a further answer: after 1xx or a redirect */
        clear_received(transfer);
        return n;
    }
    const char *colon = memchr(bytes, ':', n);
    if (colon == NULL)
        return n;
    transfer->received_bytes += n;
    if (transfer->received_count == HEADERS_MAX || transfer->received_bytes > HEADER_BYTES_MAX) {
        transfer->is_too_large = true;
        return n + 1;
    }
    const char *value = colon + 1, *end = bytes + n;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    char *name = mem_dup_n(bytes, (size_t)(colon - bytes));
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (transfer->received == NULL)
        transfer->received = mem_array(HEADERS_MAX, sizeof *transfer->received);
    transfer->received[transfer->received_count++] =
        (struct http_header){.name = name, .value = mem_dup_n(value, (size_t)(end - value))};
    return n;
}

static void fill_error(const struct http_transfer *transfer, CURLcode code, struct error *error)
{
    const char *text = transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(code);
    char *url = NULL;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (transfer->is_too_large) {
        (void)error_set(error, ERR_LIMIT, NULL, "The answer is larger than %zu bytes, or its headers than %d.",
                        transfer->max_bytes, HEADER_BYTES_MAX);
        return;
    }
    if (transfer->is_denied) {
        (void)error_set(
            error, ERR_NODE, transfer->is_mail ? "host" : "url",
            "%.200s leads to an address of this machine or a private network; HTTP_DENY_PRIVATE forbids that.", url);
        return;
    }
    if (transfer->is_mail && mail_reply_error(transfer, code, error))
        return;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        (void)error_set(error, ERR_NODE_RETRY, NULL, "No complete answer within %lld ms: %s.",
                        (long long)transfer->timeout_ms, text);
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        (void)error_set(error, ERR_NODE_RETRY, NULL, "The connection failed: %s.", text);
        return;
    default:
        (void)error_set(error, ERR_NODE, NULL, "The %s failed: %s.", transfer->is_mail ? "sending" : "request", text);
    }
}

/* ---- redirects, here and not in libcurl: that would send the caller's headers, keys among them, to other sites */

static bool part_equals(CURLU *a, CURLU *b, CURLUPart part)
{
    char *left = NULL, *right = NULL;
    bool same = curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(left, right) == 0;
    curl_free(left);
    curl_free(right);
    return same;
}

bool http_url_same_origin(const char *a, const char *b)
{
    CURLU *left = curl_url(), *right = curl_url();
    bool same = curl_url_set(left, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(right, CURLUPART_URL, b, 0) == CURLUE_OK && part_equals(left, right, CURLUPART_SCHEME) &&
                part_equals(left, right, CURLUPART_HOST) && part_equals(left, right, CURLUPART_PORT);
    curl_url_cleanup(left);
    curl_url_cleanup(right);
    return same;
}

char *http_url_resolve(const char *base, const char *reference)
{
    CURLU *url = curl_url();
    char *text = NULL, *resolved = NULL;
    if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, reference, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
        resolved = mem_dup(text);
    curl_free(text);
    curl_url_cleanup(url);
    return resolved;
}

/* Headers that say what is wanted and sent, and nothing about who asks. */
static bool may_travel(const char *line, bool with_body)
{
    static const char *const always[] = {"accept:", "accept-language:", "user-agent:", "idempotency-key:", "expect:"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strncasecmp(line, always[i], strlen(always[i])) == 0)
            return true;
    return with_body && strncasecmp(line, "content-type:", 13) == 0;
}

static void restrict_headers(struct http_transfer *transfer, bool same_site, bool with_body)
{
    struct curl_slist *kept = NULL;
    for (const struct curl_slist *line = transfer->headers; line != NULL; line = line->next) {
        bool about_body = strncasecmp(line->data, "content-", 8) == 0;
        if (same_site ? with_body || !about_body : may_travel(line->data, with_body))
            kept = curl_slist_append(kept, line->data);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, kept);
    curl_slist_free_all(transfer->headers);
    transfer->headers = kept;
    if (same_site)
        return;
    curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_PASSWORD, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_XOAUTH2_BEARER, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, CURLAUTH_NONE);
    curl_easy_setopt(transfer->easy, CURLOPT_SSLCERT_BLOB, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_SSLKEY_BLOB, NULL);
}

/* RFC 9110, 15.4: 303 asks for a GET; 301 and 302 turn a POST into one, as all clients do; 307 and 308 keep both. */
static bool drops_body(const struct http_transfer *transfer, long status)
{
    if (status == 303)
        return strcmp(transfer->method, "HEAD") != 0;
    return (status == 301 || status == 302) && strcmp(transfer->method, "POST") == 0;
}

/* True: the transfer goes on at another address, or has failed with *reterr. */
static bool redirect(struct http_transfer *transfer, struct error *reterr)
{
    long status = 0;
    char *target = NULL, *from = NULL;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &target);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &from);
    bool is_redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!transfer->follows || !is_redirect || target == NULL)
        return false;
    int64_t left_ms = transfer->timeout_ms - (clock_monotonic_us() - transfer->started_us) / 1000;
    bool to_http = strncasecmp(target, "http://", 7) == 0, to_https = strncasecmp(target, "https://", 8) == 0;
    if (!to_http && !to_https)
        (void)error_set(reterr, ERR_NODE, "url", "The server redirected to %.200s; only http and https are allowed.",
                        target);
    else if (to_http && strncasecmp(from, "https://", 8) == 0)
        (void)error_set(reterr, ERR_NODE, "url", "The server redirected from https to %.200s; that would not be safe.",
                        target);
    else if (transfer->redirects == REDIRECTS_MAX)
        (void)error_set(reterr, ERR_NODE, "url", "The server redirected more than %d times.", REDIRECTS_MAX);
    else if (left_ms <= 0)
        (void)error_set(reterr, ERR_NODE_RETRY, NULL, "No complete answer within %lld ms, redirects included.",
                        (long long)transfer->timeout_ms);
    if (reterr->code != ERR_OK)
        return true;
    AUTO_FREE char *url = mem_dup(target);
    bool body_goes = drops_body(transfer, status);
    transfer->redirects++;
    curl_multi_remove_handle(transfer->client->multi, transfer->easy);
    if (body_goes) {
        curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPGET, 1L);
        free(transfer->method);
        transfer->method = mem_dup("GET");
    }
    restrict_headers(transfer, http_url_same_origin(from, url), transfer->body_sent != NULL && !body_goes);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    clear_received(transfer);
    buf_clear(&transfer->body);
    if (curl_multi_add_handle(transfer->client->multi, transfer->easy) != CURLM_OK)
        abort(); /* it was in there a moment ago */
    return true;
}

static void finish(struct http_transfer *transfer, CURLcode code)
{
    struct error error = {0};
    long status = 0;
    const char *type = "";
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    for (size_t i = 0; i < transfer->received_count; i++)
        if (strcmp(transfer->received[i].name, "content-type") == 0)
            type = transfer->received[i].value;
    struct http_response response = {.status = (int)status,
                                     .content_type = type,
                                     .headers = transfer->received,
                                     .header_count = transfer->received_count,
                                     .body = buf_str(&transfer->body),
                                     .body_len = transfer->body.len};
    if (code != CURLE_OK)
        fill_error(transfer, code, &error);
    transfer->done(transfer->user, code == CURLE_OK ? &response : NULL, code == CURLE_OK ? NULL : &error);
}

static void collect(struct http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct http_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        struct error error = {0};
        if (code == CURLE_OK && redirect(transfer, &error)) {
            if (error.code == ERR_OK)
                continue;
            transfer->done(transfer->user, NULL, &error);
        } else {
            finish(transfer, code);
        }
        transfer_free(transfer);
    }
}

static void act(struct http_client *client, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    collect(client);
}

static void on_watch(void *user, int fd, int events)
{
    act(user, fd, ((events & 1) ? CURL_CSELECT_IN : 0) | ((events & 2) ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *user)
{
    act(user, CURL_SOCKET_TIMEOUT, 0);
}

static int on_socket_change(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    (void)easy;
    struct http_client *client = user;
    struct loop_watch *watch = socket_user;
    if (what == CURL_POLL_REMOVE) {
        loop_watch_free(watch);
        (void)curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    int events = (what & CURL_POLL_IN ? 1 : 0) | (what & CURL_POLL_OUT ? 2 : 0);
    if (watch == NULL)
        (void)curl_multi_assign(client->multi, fd, loop_watch_new(client->loop, fd, events, on_watch, client));
    else
        loop_watch_set(watch, events);
    return 0;
}

static int on_timer_change(CURLM *multi, long delay_ms, void *user)
{
    (void)multi;
    struct http_client *client = user;
    loop_timer_set(client->timer, delay_ms);
    return 0;
}

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options)
{
    pthread_once(&once, init_curl);
    struct http_client *client = mem_alloc(sizeof *client);
    client->loop = loop;
    client->timer = loop_timer_new(loop, on_timer, client);
    client->deny_private = options->deny_private;
    client->multi = curl_multi_init();
    if (client->multi == NULL)
        abort();
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
                      options->max_connections > 0 ? options->max_connections : 256L);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, options->max_per_host);
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    while (client->transfers != NULL)
        transfer_free(client->transfers);
    curl_multi_cleanup(client->multi); /* still calls on_socket_change */
    loop_timer_free(client->timer);
    http_tokens_free(client->tokens);
    free(client);
}

static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("!#$%&'*+-.^_`|~", *c) == NULL)
            return false;
    return *text != '\0';
}

static enum err check(const struct http_request *request, struct error *reterr)
{
    if (strncasecmp(request->url, "http://", 7) != 0 && strncasecmp(request->url, "https://", 8) != 0)
        return error_set(reterr, ERR_VALIDATION, "url", "url must begin with http:// or https://.");
    if (strpbrk(request->url, "\r\n\t ") != NULL)
        return error_set(reterr, ERR_VALIDATION, "url",
                         "url must not contain spaces or line breaks; write them as %%20.");
    CURLU *parts = curl_url();
    CURLUcode code = curl_url_set(parts, CURLUPART_URL, request->url, 0);
    curl_url_cleanup(parts);
    if (code != CURLUE_OK)
        return error_set(reterr, ERR_VALIDATION, "url", "url is not a valid address: %s.", curl_url_strerror(code));
    if (!is_token(request->method))
        return error_set(reterr, ERR_VALIDATION, "method", "method must be an HTTP method such as GET.");
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_token(header->name) || strpbrk(header->value, "\r\n") != NULL)
            return error_set(reterr, ERR_VALIDATION, "headers",
                             "headers has a name or value with characters HTTP does not allow: %.60s.", header->name);
    }
    return ERR_OK;
}

static void set_headers(struct http_transfer *transfer, const struct http_request *request)
{
    bool has_expect = false, has_type = false;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        /* curl drops "Name:" and wants "Name;" for an empty value */
        AUTO_FREE char *line = *header->value == '\0' ? mem_printf("%s;", header->name)
                                                      : mem_printf("%s: %s", header->name, header->value);
        transfer->headers = curl_slist_append(transfer->headers, line);
        has_expect |= strcasecmp(header->name, "expect") == 0;
        has_type |= strcasecmp(header->name, "content-type") == 0;
    }
    if (!has_expect) /* else bodies above 1 MiB wait a second for servers that ignore it */
        transfer->headers = curl_slist_append(transfer->headers, "Expect:");
    if (!has_type) /* else libcurl calls every POST a form */
        transfer->headers = curl_slist_append(transfer->headers, "Content-Type:");
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_body(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    if (request->body != NULL) {
        transfer->body_sent = mem_dup_n(request->body, request->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body_sent);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    }
    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (request->body == NULL)
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    } else if (strcmp(request->method, "GET") != 0 || request->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = user;
    (void)purpose;
    if (http_address_is_private(&address->addr)) {
        transfer->is_denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype, address->protocol);
}

static void set_pem(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};
    curl_easy_setopt(easy, option, &blob);
}

static void set_common(struct http_transfer *transfer, bool skip_tls_checks, const char *ca)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L); /* ten thousand waiting requests hold one each */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    if (transfer->client->deny_private) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    }
    if (skip_tls_checks) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (ca != NULL)
        set_pem(easy, CURLOPT_CAINFO_BLOB, ca);
}

static void set_network(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    if (request->proxy != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
    if (request->unix_socket != NULL)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    if (request->certificate != NULL)
        set_pem(easy, CURLOPT_SSLCERT_BLOB, request->certificate);
    if (request->key != NULL)
        set_pem(easy, CURLOPT_SSLKEY_BLOB, request->key);
}

static void set_options(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "caudal/" CAUDAL_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    if (request->user != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password == NULL ? "" : request->password);
    } else if (request->bearer != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, request->bearer);
    }
}

struct http_transfer *http_transfer_new(struct http_client *client, int64_t timeout_ms, size_t max_bytes,
                                        bool skip_tls_checks, const char *ca, http_done_fn done, void *user)
{
    struct http_transfer *transfer = mem_alloc(sizeof *transfer);
    *transfer = (struct http_transfer){.client = client,
                                       .done = done,
                                       .user = user,
                                       .next = client->transfers,
                                       .started_us = clock_monotonic_us(),
                                       .timeout_ms = timeout_ms > 0 ? timeout_ms : 30000,
                                       .max_bytes = max_bytes > 0 ? max_bytes : 8 << 20};
    buf_init(&transfer->body, transfer->max_bytes);
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        abort();
    if (client->transfers != NULL)
        client->transfers->before = transfer;
    client->transfers = transfer;
    set_common(transfer, skip_tls_checks, ca);
    return transfer;
}

enum err http_transfer_begin(struct http_transfer *transfer, struct http_transfer **ret, struct error *reterr)
{
    CURLMcode added = curl_multi_add_handle(transfer->client->multi, transfer->easy);
    if (added != CURLM_OK) {
        transfer_free(transfer);
        return error_set(reterr, ERR_INTERNAL, NULL, "The request could not be started: %s.",
                         curl_multi_strerror(added));
    }
    *ret = transfer;
    return ERR_OK;
}

enum err http_client_start(struct http_client *client, const struct http_request *request, http_done_fn done,
                           void *user, struct http_transfer **ret, struct error *reterr)
{
    enum err code = check(request, reterr);
    if (code != ERR_OK)
        return code;
    struct http_transfer *transfer = http_transfer_new(client, request->timeout_ms, request->max_response_bytes,
                                                       request->skip_tls_checks, request->ca, done, user);
    transfer->method = mem_dup(request->method);
    transfer->follows = request->follow_redirects;
    set_options(transfer, request);
    set_network(transfer, request);
    set_body(transfer, request);
    set_headers(transfer, request);
    return http_transfer_begin(transfer, ret, reterr);
}

void http_transfer_abort(struct http_transfer *transfer)
{
    if (transfer != NULL)
        transfer_free(transfer);
}

struct loop *http_client_loop(struct http_client *client)
{
    return client->loop;
}

struct http_tokens *http_client_tokens(struct http_client *client)
{
    if (client->tokens == NULL)
        client->tokens = http_tokens_new();
    return client->tokens;
}
