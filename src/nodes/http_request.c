/* http-request: calls a web service, page after page, again where that is allowed. */
#include "nodes/http_auth.h"
#include "nodes/http_paging.h"
#include "nodes/http_tokens.h"

#include "base/clock.h"
#include "base/limits.h"
#include "nodes/value.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_DEFAULT_MS 30000
#define RESPONSE_DEFAULT_BYTES (8 << 20)
#define RETRIES_MAX 20
#define RETRY_WAIT_DEFAULT_MS 1000
#define RETRY_WAIT_MAX_MS 300000
#define STATUSES_MAX 50

struct request_state {
    struct http_transfer *transfer;
    struct http_paging *paging;       /* NULL: one request */
    struct loop_timer *timer;         /* before a request is sent again; NULL until then */
    char *token_key, *token;          /* of oauth2 */
    bool is_token, has_renewed_token; /* the transfer asks for a token; one was refused already */
    int retries;                      /* of this page */
    int64_t started_us;
};

static void state_free(struct node_call *call)
{
    struct request_state *state = call->state;
    call->state = NULL;
    if (state == NULL)
        return;
    http_paging_free(state->paging);
    loop_timer_free(state->timer);
    free(state->token_key);
    if (state->token != NULL)
        explicit_bzero(state->token, strlen(state->token));
    free(state->token);
    free(state);
}

static void finish(struct node_call *call, const struct error *error)
{
    struct error copy = *error;
    state_free(call);
    if (copy.code != ERR_OK)
        node_call_failed(call, &copy);
    else
        node_call_done(call);
}

/* The page's parameter replaces one of that name in `query`. */
static char *build_url(const struct node_call *call, const struct http_paging *paging)
{
    const char *url = http_paging_url(paging), *name, *value;
    if (url != NULL)
        return mem_dup(url); /* the server's own address of the page: it has the query already */
    url = node_input_str(call, "url", "");
    bool has_parameter = http_paging_parameter(paging, &name, &value);
    struct buf query;
    buf_init(&query, 0);
    struct json_iter member;
    JSON_EACH(json_get(call->inputs, "query"), member)
    if (!has_parameter || strcmp(member.key, name) != 0)
        http_add_pair(&query, member.key, member.value);
    if (has_parameter) {
        AUTO_JSON struct json *text = json_string_new(value);
        http_add_pair(&query, name, text);
    }
    size_t base = strcspn(url, "#"); /* the query goes before a fragment */
    const char *mark = memchr(url, '?', base);
    const char *join = query.len == 0 ? "" : mark == NULL ? "?" : mark + 1 == url + base ? "" : "&";
    char *whole = mem_printf("%.*s%s%s%s", (int)base, url, join, buf_str(&query), url + base);
    buf_done(&query);
    return whole;
}

static struct json *headers_of(const struct http_response *response)
{
    struct json *headers = json_object_new();
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];
        const char *before = json_get_str(headers, header->name);
        AUTO_FREE char *joined = before == NULL ? NULL : mem_printf("%s, %s", before, header->value);
        json_set_str(headers, header->name, joined != NULL ? joined : header->value);
    }
    return headers;
}

static void set_outputs(struct node_call *call, int status, struct json *take_body, struct json *take_headers)
{
    call->records = json_is(take_body, JSON_ARRAY) ? (int64_t)json_count(take_body) : 1;
    node_call_set(call, "response", take_body);
    node_call_set(call, "statusCode", json_int_new(status));
    node_call_set(call, "headers", take_headers);
}

/* ---- again */

/* Seconds or a date (RFC 9110, 10.2.3) of the header Retry-After, in ms from now; -1: none. */
static int64_t retry_after_ms(const struct http_response *response)
{
    const char *text = http_answer_header(response, "retry-after");
    if (text == NULL || *text == '\0')
        return -1;
    char *end;
    long long seconds = strtoll(text, &end, 10);
    if (*end == '\0')
        return seconds < 0 ? -1 : seconds > 1000000 ? INT64_C(1000000000) : seconds * 1000;
    time_t when = curl_getdate(text, NULL);
    int64_t left = when < 0 ? -1 : (int64_t)when * 1000 - clock_now_ms();
    return when < 0 ? -1 : left < 0 ? 0 : left;
}

static bool is_retry_status(const struct node_call *call, int status)
{
    const struct json *list = json_get(call->inputs, "retryStatuses");
    if (list == NULL)
        return status == 429 || status == 502 || status == 503 || status == 504;
    for (size_t i = 0; i < json_count(list); i++)
        if (json_as_int(json_at(list, i)) == status)
            return true;
    return false;
}

static int64_t left_ms(const struct node_call *call)
{
    const struct request_state *state = call->state;
    return call->timeout_ms <= 0 ? INT64_MAX : call->timeout_ms - (clock_monotonic_us() - state->started_us) / 1000;
}

static enum err start(struct node_call *call, struct error *reterr);

static void on_timer(void *user)
{
    struct node_call *call = user;
    struct error error = {0};
    if (start(call, &error) != ERR_OK)
        finish(call, &error);
}

/* True: the request is sent again later. A wait that the node's time limit does not hold is not begun. */
static bool retry(struct node_call *call, const struct http_response *response)
{
    struct request_state *state = call->state;
    int64_t asked_ms = retry_after_ms(response),
            wait_ms = json_get_int(call->inputs, "retryWaitMs", RETRY_WAIT_DEFAULT_MS);
    if (!is_retry_status(call, response->status) || state->retries >= json_get_int(call->inputs, "maxRetries", 0))
        return false;
    for (int i = 0; i < state->retries && wait_ms < RETRY_WAIT_MAX_MS; i++)
        wait_ms *= 2;
    wait_ms = asked_ms >= 0 ? asked_ms : wait_ms > RETRY_WAIT_MAX_MS ? RETRY_WAIT_MAX_MS : wait_ms;
    if (wait_ms > RETRY_WAIT_MAX_MS || wait_ms >= left_ms(call)) {
        node_call_log(call, "warn", "The server answered %d and wants to be asked in %lld ms, which is too late.",
                      response->status, (long long)wait_ms);
        return false;
    }
    state->retries++;
    node_call_log(call, "info", "The server answered %d; retry %d follows in %lld ms.", response->status,
                  state->retries, (long long)wait_ms);
    if (state->timer == NULL)
        state->timer = loop_timer_new(http_client_loop(call->host->http), on_timer, call);
    loop_timer_set(state->timer, wait_ms);
    return true;
}

/* A token that the server does not take (any more) is asked for once again. */
static bool renew_token(struct node_call *call, const struct http_response *response)
{
    struct request_state *state = call->state;
    if (state->token_key == NULL || response->status != 401 || state->has_renewed_token)
        return false;
    state->has_renewed_token = true;
    http_tokens_forget(http_client_tokens(call->host->http), state->token_key);
    free(state->token);
    state->token = NULL;
    return true;
}

/* ---- answers */

/* *ret_more: another page was asked for. */
static enum err take(struct node_call *call, const struct http_response *response, bool *ret_more, struct error *reterr)
{
    struct request_state *state = call->state;
    if (response->status >= 400 && json_get_bool(call->inputs, "failOnStatus", true))
        return http_status_error("The server", response, reterr);
    struct json *body = NULL;
    enum err code = http_body_decode(response, node_input_str(call, "responseType", "auto"), &body, reterr);
    if (code != ERR_OK)
        return code;
    struct json *headers = headers_of(response);
    if (state->paging == NULL) {
        set_outputs(call, response->status, body, headers);
        return ERR_OK;
    }
    code = http_paging_add(state->paging, body, response->body_len, json_get_str(headers, "link"), ret_more, reterr);
    json_unref(body);
    state->retries = 0;
    if (code == ERR_OK && *ret_more)
        code = start(call, reterr);
    if (code == ERR_OK && !*ret_more) {
        set_outputs(call, response->status, http_paging_take_items(state->paging), json_ref(headers));
        node_call_set(call, "pages", json_int_new(http_paging_count(state->paging)));
        if (http_paging_is_cut(state->paging))
            node_call_log(call, "warn", "There are more than the %d pages that were read (paging.maxPages).",
                          http_paging_count(state->paging));
    }
    json_unref(headers);
    return code;
}

/* Keeps the token and sends the request it is for. */
static enum err take_token(struct node_call *call, const struct http_response *response, struct error *reterr)
{
    struct request_state *state = call->state;
    char *token = NULL;
    int64_t until_ms = 0, now_ms = clock_now_ms();
    enum err code = http_auth_token_read(response, now_ms, &token, &until_ms, reterr);
    if (code != ERR_OK)
        return code;
    if (until_ms > now_ms)
        http_tokens_put(http_client_tokens(call->host->http), state->token_key, token, until_ms);
    free(state->token);
    state->token = token; /* for this request even when it is too short-lived to be kept */
    return start(call, reterr);
}

static void on_response(void *user, const struct http_response *response, const struct error *failure)
{
    struct node_call *call = user;
    struct request_state *state = call->state;
    struct error error = {0};
    bool goes_on = state->is_token;
    state->transfer = NULL;
    state->is_token = false;
    if (failure != NULL)
        error = *failure;
    else if (goes_on)
        (void)take_token(call, response, &error);
    else if (renew_token(call, response))
        goes_on = start(call, &error) == ERR_OK;
    else if (retry(call, response))
        goes_on = true;
    else
        (void)take(call, response, &goes_on, &error);
    if (error.code == ERR_OK && goes_on)
        return;
    finish(call, &error);
}

/* ---- requests */

static int64_t timeout_of(const struct node_call *call)
{
    int64_t timeout_ms = json_get_int(call->inputs, "timeout", TIMEOUT_DEFAULT_MS), left = left_ms(call);
    return left < timeout_ms ? (left > 0 ? left : 1) : timeout_ms;
}

static void set_network(const struct node_call *call, struct http_request *request)
{
    const struct json *tls = json_get(call->inputs, "tls");
    request->proxy = node_input_str(call, "proxy", NULL);
    request->skip_tls_checks = !json_get_bool(tls, "verify", true);
    request->ca = json_get_str(tls, "ca");
    request->certificate = json_get_str(tls, "certificate");
    request->key = json_get_str(tls, "key");
}

static enum err send_request(struct node_call *call, struct http_draft *draft, struct http_request *request,
                             struct error *reterr)
{
    struct request_state *state = call->state;
    request->url = draft->url;
    request->headers = draft->headers;
    request->header_count = draft->count;
    request->body = draft->has_body ? buf_str(&draft->body) : NULL;
    request->body_len = draft->body.len;
    request->timeout_ms = timeout_of(call);
    set_network(call, request);
    return http_client_start(call->host->http, request, on_response, call, &state->transfer, reterr);
}

/* Sends what `draft` has collected. */
static enum err send_draft(struct node_call *call, struct http_draft *draft, struct error *reterr)
{
    struct request_state *state = call->state;
    struct http_request request = {.method = node_input_str(call, "method", "GET"),
                                   .max_response_bytes =
                                       (size_t)json_get_int(call->inputs, "maxResponseBytes", RESPONSE_DEFAULT_BYTES),
                                   .follow_redirects = json_get_bool(call->inputs, "followRedirects", true)};
    draft->url = build_url(call, state->paging);
    enum err code = http_draft_headers(draft, json_get(call->inputs, "headers"), reterr);
    if (code == ERR_OK)
        code = http_body_add(call, draft, reterr);
    if (code != ERR_OK)
        return code;
    int page = http_paging_count(state->paging);
    AUTO_FREE char *key =
        page == 0 ? mem_dup(call->idempotency_key) : mem_printf("%s/page-%d", call->idempotency_key, page + 1);
    if (call->idempotency_key[0] != '\0') /* each page is a piece of work of its own */
        http_draft_header(draft, "Idempotency-Key", key);
    code = http_auth_apply(json_get(call->inputs, "auth"), state->token, clock_now_ms(), draft, &request, reterr);
    return code == ERR_OK ? send_request(call, draft, &request, reterr) : code;
}

static enum err ask_for_token(struct node_call *call, struct http_draft *draft, struct error *reterr)
{
    struct request_state *state = call->state;
    struct http_request request = {.max_response_bytes = 1 << 20};
    enum err code = http_auth_token_request(json_get(call->inputs, "auth"), draft, &request, reterr);
    if (code == ERR_OK)
        code = send_request(call, draft, &request, reterr);
    if (code == ERR_VALIDATION && strcmp(reterr->field, "url") == 0)
        (void)snprintf(reterr->field, sizeof reterr->field, "auth.tokenUrl");
    state->is_token = code == ERR_OK;
    return code;
}

/* The next request: for a token, if one is needed and none is at hand. */
static enum err start(struct node_call *call, struct error *reterr)
{
    struct request_state *state = call->state;
    struct http_draft *draft = mem_alloc(sizeof *draft);
    http_draft_init(draft);
    if (state->token_key != NULL && state->token == NULL)
        state->token =
            mem_dup(http_tokens_find(http_client_tokens(call->host->http), state->token_key, clock_now_ms()));
    enum err code = state->token_key != NULL && state->token == NULL ? ask_for_token(call, draft, reterr)
                                                                     : send_draft(call, draft, reterr);
    http_draft_done(draft);
    free(draft);
    return code;
}

static enum err check(const struct node_call *call, struct error *reterr)
{
    const struct json *statuses = json_get(call->inputs, "retryStatuses"), *tls = json_get(call->inputs, "tls");
    if (strlen(node_input_str(call, "url", "")) != json_as_str_len(json_get(call->inputs, "url")))
        return error_set(reterr, ERR_VALIDATION, "url", "url must not contain NUL characters.");
    for (size_t i = 0; i < json_count(statuses); i++) {
        int64_t status = json_as_int(json_at(statuses, i));
        if (!json_is_number(json_at(statuses, i)) || status < 400 || status > 599)
            return error_set(reterr, ERR_VALIDATION, "retryStatuses",
                             "retryStatuses must hold statuses from 400 to 599, such as 429 and 503.");
    }
    if ((json_get_str(tls, "certificate") == NULL) != (json_get_str(tls, "key") == NULL))
        return error_set(reterr, ERR_VALIDATION, "tls.key", "tls.certificate and tls.key go together.");
    const char *proxy = node_input_str(call, "proxy", NULL);
    if (proxy != NULL && strncasecmp(proxy, "http://", 7) != 0 && strncasecmp(proxy, "https://", 8) != 0 &&
        strncasecmp(proxy, "socks5://", 9) != 0 && strncasecmp(proxy, "socks5h://", 10) != 0)
        return error_set(reterr, ERR_VALIDATION, "proxy", "proxy must begin with http://, https:// or socks5://.");
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check(call, reterr);
    if (code != ERR_OK)
        return code;
    struct request_state *state = mem_alloc(sizeof *state);
    call->state = state;
    state->started_us = clock_monotonic_us();
    state->token_key = http_auth_token_key(json_get(call->inputs, "auth"));
    code = http_paging_new(json_get(call->inputs, "paging"), node_input_str(call, "url", ""), &state->paging, reterr);
    if (code == ERR_OK)
        code = start(call, reterr);
    if (code != ERR_OK)
        state_free(call);
    return code;
}

static void abort_request(struct node_call *call)
{
    const struct request_state *state = call->state;
    if (state != NULL)
        http_transfer_abort(state->transfer);
    state_free(call);
}

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", NULL};
static const char *const body_types[] = {"json", "text", "form", "multipart", "binary", NULL};
static const char *const response_types[] = {"auto", "json", "text", "binary", NULL};
static const struct flow_pin inputs[] = {
    {.name = "url", .type = "string", .required = true, .description = "Address, http or https."},
    {.name = "method", .type = "string", .description = "HTTP method.", .default_json = "\"GET\""},
    {.name = "headers", .type = "object", .description = "Header names and values.", .default_json = "{}"},
    {.name = "query", .type = "object", .description = "Parameters added to the address; lists repeat the name."},
    {.name = "body", .type = "any", .description = "What is sent."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "response",
     .type = "any",
     .description = "The answer: parsed when it is JSON, else text or {base64, contentType, size}. With paging: the "
                    "items of all pages."},
    {.name = "statusCode", .type = "number", .description = "The answer's status."},
    {.name = "headers", .type = "object", .description = "The answer's headers, names in lower case."},
    {.name = "pages", .type = "number", .description = "With paging: how many pages were read."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "response", "data", "full"}, {"field-mapper", "response", "source", "full"}, {0}};
#define NETWORK "Network"
static const struct field tls_fields[] = {
    {.name = "verify",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .label = "Check certificates",
     .help = "false accepts any certificate: anyone on the way can read and change what is sent."},
    {.name = "ca",
     .kind = FIELD_STRING,
     .max = 200000,
     .widget = "textarea",
     .label = "Authorities",
     .help = "Certificates in PEM to trust instead of the system's."},
    {.name = "certificate",
     .kind = FIELD_STRING,
     .max = 200000,
     .widget = "textarea",
     .help = "The client's own certificate in PEM, where the server wants one."},
    {.name = "key", .kind = FIELD_STRING, .max = 50000, .secret = true, .help = "Its private key in PEM."},
    {0}};
static const struct field fields[] = {
    {.name = "url", .label = "Address", .kind = FIELD_STRING, .min = 1, .max = 8000, .help = "Address, http or https."},
    {.name = "method",
     .kind = FIELD_ENUM,
     .values = methods,
     .default_json = "\"GET\"",
     .help = "HTTP method of the request."},
    {.name = "headers",
     .widget = "key-value",
     .kind = FIELD_OBJECT,
     .help = "Header names and values; they win over those the node adds."},
    {.name = "query",
     .label = "Query parameters",
     .widget = "key-value",
     .kind = FIELD_OBJECT,
     .help = "Parameters added to the address."},
    {.name = "body", .kind = FIELD_ANY, .help = "What is sent, except with GET and HEAD; nothing when absent."},
    {.name = "bodyType",
     .kind = FIELD_ENUM,
     .values = body_types,
     .default_json = "\"json\"",
     .help = "How the body is written; multipart and binary take {base64, contentType, fileName} for bytes."},
    {.name = "auth",
     .label = "Authentication",
     .kind = FIELD_OBJECT,
     .fields = http_auth_fields,
     .nullable = true,
     .help = "Authentication at the server."},
    {.name = "timeout",
     .label = "Time limit (ms)",
     .kind = FIELD_INT,
     .min = 1,
     .max = 3600000,
     .default_json = "30000",
     .help = "Milliseconds until the answer must be complete."},
    {.name = "followRedirects",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .help = "Follow up to 10 redirects; to another site without headers and auth, and never from https to http."},
    {.name = "failOnStatus",
     .label = "Fail on error status",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .help = "Fail on status 400 and above; 408, 429 and 5xx may be retried."},
    {.name = "maxResponseBytes",
     .label = "Largest answer (bytes)",
     .kind = FIELD_INT,
     .min = 1,
     .max = LIMIT_OUTPUT_BYTES,
     .default_json = "8388608",
     .help = "A larger answer fails the node."},
    {.name = "responseType",
     .kind = FIELD_ENUM,
     .values = response_types,
     .default_json = "\"auto\"",
     .label = "Answer as",
     .help = "auto goes by what the answer says and is; binary gives {base64, contentType, size}."},
    {.name = "maxRetries",
     .kind = FIELD_INT,
     .min = 0,
     .max = RETRIES_MAX,
     .default_json = "0",
     .group = "Retries",
     .help = "How often a request is sent again within this attempt, after one of retryStatuses."},
    {.name = "retryStatuses",
     .kind = FIELD_ARRAY,
     .nullable = true,
     .max = STATUSES_MAX,
     .default_json = "[429,502,503,504]",
     .group = "Retries",
     .help =
         "Statuses after which it is sent again, when Retry-After says, else after retryWaitMs, doubled each time."},
    {.name = "retryWaitMs",
     .kind = FIELD_INT,
     .min = 1,
     .max = RETRY_WAIT_MAX_MS,
     .default_json = "1000",
     .group = "Retries",
     .label = "Wait (ms)",
     .help = "Milliseconds before the first retry, when the server does not say."},
    {.name = "proxy",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 2000,
     .secret = true,
     .group = NETWORK,
     .help = "Address of a proxy, http://, https:// or socks5://, with user and password if it wants them."},
    {.name = "tls",
     .kind = FIELD_OBJECT,
     .fields = tls_fields,
     .nullable = true,
     .group = NETWORK,
     .label = "TLS",
     .help = "Certificates of https addresses."},
    {.name = "paging",
     .kind = FIELD_OBJECT,
     .fields = http_paging_fields,
     .nullable = true,
     .help = "Read all pages of a list: one request after the other."},
    {0}};
static const struct node_example examples[] = {
    {"Read a list", "A GET with a query parameter; JSON answers are parsed.",
     "{\"url\":\"http://localhost:8080/orders\",\"query\":{\"status\":\"open\"}}",
     "{\"response\":[{\"id\":1,\"status\":\"open\"}],\"statusCode\":200,\"headers\":{\"content-type\":\"application/"
     "json\",\"content-length\":\"26\"}}"},
    {"Read all pages", "Page after page, until one has fewer than 100 items.",
     "{\"url\":\"http://localhost:8080/orders\",\"query\":{\"limit\":100},\"paging\":{\"mode\":\"page\",\"parameter\":"
     "\"page\",\"pageSize\":100}}",
     "{\"response\":[{\"id\":1},{\"id\":2}],\"statusCode\":200,\"headers\":{\"content-type\":\"application/"
     "json\"},\"pages\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"The connection failed", "Nothing listens at that address, or a firewall is between.",
     "Try the address from the worker's machine."},
    {"No complete answer within 30000 ms", "The server is slow.", "Raise timeout, and give the node a retry policy."},
    {"… leads to an address of this machine or a private network", "HTTP_DENY_PRIVATE is set on this worker.",
     "Use the public address, or ask whoever runs Caudal."},
    {"The server of auth.tokenUrl answered 401", "Client id or secret is wrong, or it wants them in the body.",
     "Check them, and try clientAuth body."},
    {"The answer is larger than 8388608 bytes", "The limit protects the worker's memory.",
     "Ask for less, page by page, or raise maxResponseBytes."},
    {0}};

const struct node_type node_http_request = {
    .spec = {.type = "http-request",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "body"},
    .name = "HTTP Request",
    .version = "1.0.0",
    .description = "Calls a web service and hands its answer on.",
    .category = "external-api",
    .icon = "http",
    .timeout_ms = TIMEOUT_DEFAULT_MS,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"http", "api", "rest", NULL},
    .related = (const char *const[]){"data-filter", "field-mapper", "if", NULL},
    .purpose = "Use it to read from or write to anything that speaks HTTP. Each request carries an Idempotency-Key "
               "that stays the "
               "same over retries, so that a careful server does the work once.",
    .limitations = (const char *const[]){"Retries, waits and pages all count towards the time limit of the attempt.",
                                         "A redirected PUT, PATCH or DELETE is sent again with its method.", NULL},
    .best_practices = (const char *const[]){"Set a timeout that fits the service.",
                                            "Keep tokens in auth, where they are masked.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_ASYNC,
    .execute = execute,
    .abort = abort_request,
};
