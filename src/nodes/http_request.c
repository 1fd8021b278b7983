/* http-request: calls a web service. */
#include "nodes/http_client.h"
#include "nodes/http_paging.h"
#include "nodes/node_int.h"
#include "nodes/value.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 100
#define TIMEOUT_DEFAULT_MS 30000
#define RESPONSE_DEFAULT_BYTES (8 << 20)

struct request_state {
    struct http_transfer *transfer;
    struct http_paging *paging; /* NULL: one request */
};

static void state_free(struct node_call *call)
{
    struct request_state *state = call->state;
    call->state = NULL;
    if (state == NULL)
        return;
    http_paging_free(state->paging);
    free(state);
}

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c) != NULL;
}

static void add_encoded(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c != '\0' && is_plain(c))
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* name=value&… of an object; lists repeat the name, null is left out. */
static void add_pair(struct buf *out, const char *name, const struct json *value)
{
    if (json_is(value, JSON_ARRAY)) {
        for (size_t i = 0, n = json_count(value); i < n; i++)
            add_pair(out, name, json_at(value, i));
        return;
    }
    if (value == NULL)
        return;
    if (out->len > 0)
        buf_add_char(out, '&');
    add_encoded(out, name, strlen(name));
    buf_add_char(out, '=');
    struct buf text;
    buf_init(&text, 0);
    if (json_is(value, JSON_OBJECT))
        json_print(value, &text);
    else
        value_add_text(&(struct value){.present = true, .json = value}, &text);
    add_encoded(out, buf_str(&text), text.len);
    buf_done(&text);
}

static void add_pairs(struct buf *out, const struct json *object)
{
    struct json_iter member;
    JSON_EACH(object, member) add_pair(out, member.key, member.value);
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
        add_pair(&query, member.key, member.value);
    if (has_parameter) {
        AUTO_JSON struct json *text = json_string_new(value);
        add_pair(&query, name, text);
    }
    size_t base = strcspn(url, "#"); /* the query goes before a fragment */
    const char *mark = memchr(url, '?', base);
    const char *join = query.len == 0 ? "" : mark == NULL ? "?" : mark + 1 == url + base ? "" : "&";
    char *whole = mem_printf("%.*s%s%s%s", (int)base, url, join, buf_str(&query), url + base);
    buf_done(&query);
    return whole;
}

/* Everything a request needs while it is being started. */
struct draft {
    struct arena arena;
    struct http_header headers[HEADERS_MAX + 3];
    size_t count;
    struct buf body;
    bool has_body;
    char *url;
};

static void draft_done(struct draft *draft)
{
    arena_done(&draft->arena);
    buf_done(&draft->body);
    free(draft->url);
}

static bool has_header(const struct draft *draft, const char *name)
{
    for (size_t i = 0; i < draft->count; i++)
        if (strcasecmp(draft->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_header(struct draft *draft, const char *name, const char *value)
{
    if (!has_header(draft, name))
        draft->headers[draft->count++] = (struct http_header){.name = name, .value = value};
}

static enum err add_headers(const struct node_call *call, struct draft *draft, struct error *reterr)
{
    const struct json *headers = json_get(call->inputs, "headers");
    struct json_iter header;
    if (json_count(headers) > HEADERS_MAX)
        return error_set(reterr, ERR_VALIDATION, "headers", "headers must have at most %d members, not %zu.",
                         HEADERS_MAX, json_count(headers));
    JSON_EACH(headers, header)
    {
        enum json_kind kind = json_kind(header.value);
        if (kind == JSON_NULL)
            continue;
        if (kind == JSON_ARRAY || kind == JSON_OBJECT ||
            (kind == JSON_STRING && strlen(json_as_str(header.value)) != json_as_str_len(header.value)))
            return error_set(reterr, ERR_VALIDATION, "headers", "headers.%.60s must be text or a number, not %s.",
                             header.key,
                             kind == JSON_STRING ? "text with a NUL character" : json_kind_name(header.value));
        struct buf text;
        buf_init(&text, 0);
        value_add_text(&(struct value){.present = true, .json = header.value}, &text);
        draft->headers[draft->count++] =
            (struct http_header){.name = header.key, .value = arena_dup(&draft->arena, buf_str(&text))};
        buf_done(&text);
    }
    return ERR_OK;
}

static enum err add_body(const struct node_call *call, struct draft *draft, struct error *reterr)
{
    const struct json *body = json_get(call->inputs, "body");
    const char *type = node_input_str(call, "bodyType", "json");
    const char *method = node_input_str(call, "method", "GET");
    bool takes_body = strcasecmp(method, "GET") != 0 && strcasecmp(method, "HEAD") != 0;
    draft->has_body = takes_body && json_has(call->inputs, "body") && (body != NULL || strcmp(type, "json") == 0);
    if (!draft->has_body)
        return ERR_OK;
    if (strcmp(type, "form") == 0) {
        if (!json_is(body, JSON_OBJECT))
            return error_set(reterr, ERR_VALIDATION, "body", "body must be an object for bodyType form, not %s.",
                             json_kind_name(body));
        add_pairs(&draft->body, body);
        add_header(draft, "Content-Type", "application/x-www-form-urlencoded");
    } else if (strcmp(type, "text") == 0) {
        if (!json_is(body, JSON_STRING))
            return error_set(reterr, ERR_VALIDATION, "body", "body must be a string for bodyType text, not %s.",
                             json_kind_name(body));
        buf_add(&draft->body, json_as_str(body), json_as_str_len(body));
        add_header(draft, "Content-Type", "text/plain; charset=utf-8");
    } else {
        json_print(body, &draft->body);
        add_header(draft, "Content-Type", "application/json");
    }
    return ERR_OK;
}

static enum err set_auth(const struct node_call *call, struct http_request *request, struct error *reterr)
{
    const struct json *auth = json_get(call->inputs, "auth");
    const char *type = auth == NULL ? "none" : json_get_str(auth, "type");
    if (strcmp(type, "basic") == 0) {
        request->user = json_get_str(auth, "username");
        request->password = json_get_str(auth, "password");
        if (request->user == NULL)
            return error_set(reterr, ERR_VALIDATION, "auth.username", "auth.username is required for auth.type basic.");
    } else if (strcmp(type, "bearer") == 0) {
        request->bearer = json_get_str(auth, "token");
        if (request->bearer == NULL || strpbrk(request->bearer, "\r\n") != NULL)
            return error_set(reterr, ERR_VALIDATION, "auth.token",
                             "auth.token is required for auth.type bearer: one line of text.");
    }
    return ERR_OK;
}

/* JSON when it says so, or says nothing and is; else text. Bytes that are no UTF-8 cannot stand in JSON. */
static enum err decode_body(const struct http_response *response, struct json **ret, struct error *reterr)
{
    bool says_json = strstr(response->content_type, "json") != NULL;
    if (response->body_len == 0) {
        *ret = says_json ? NULL : json_string_new("");
        return ERR_OK;
    }
    if (says_json || response->content_type[0] == '\0') {
        struct error error;
        if (json_parse(response->body, response->body_len, ret, &error) == ERR_OK)
            return ERR_OK;
        if (says_json)
            return error_set(reterr, ERR_NODE, NULL, "The answer says that it is JSON, but: %s", error.message);
    }
    for (size_t i = 0; i < response->body_len;) {
        unsigned char c = (unsigned char)response->body[i];
        size_t more = c < 0x80                 ? 0
                      : c >= 0xC2 && c <= 0xDF ? 1
                      : (c & 0xF0) == 0xE0     ? 2
                      : c >= 0xF0 && c <= 0xF4 ? 3
                                               : 9;
        for (size_t k = 1; k <= more; k++)
            if (more == 9 || i + k >= response->body_len || ((unsigned char)response->body[i + k] & 0xC0) != 0x80)
                return error_set(reterr, ERR_NODE, NULL,
                                 "The answer is no UTF-8 text (%.80s); binary answers are not supported.",
                                 response->content_type);
        i += 1 + more;
    }
    *ret = json_string_new_n(response->body, response->body_len);
    return ERR_OK;
}

static enum err status_error(const struct http_response *response, struct error *reterr)
{
    int status = response->status;
    bool retry = status == 408 || status == 429 || status >= 500;
    size_t shown = response->body_len > 200 ? 200 : response->body_len;
    for (size_t i = 0; i < shown; i++)
        if ((unsigned char)response->body[i] < 0x20 || (unsigned char)response->body[i] >= 0x7F)
            shown = i; /* one line, plain text only */
    return error_set(reterr, retry ? ERR_NODE_RETRY : ERR_NODE, NULL, "The server answered %d%s%.*s", status,
                     shown > 0 ? ": " : ".", (int)shown, response->body);
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

static enum err start(struct node_call *call, struct error *reterr);

/* *ret_more: another page was asked for. */
static enum err take(struct node_call *call, const struct http_response *response, bool *ret_more, struct error *reterr)
{
    struct request_state *state = call->state;
    if (response->status >= 400 && json_get_bool(call->inputs, "failOnStatus", true))
        return status_error(response, reterr);
    struct json *body = NULL;
    enum err code = decode_body(response, &body, reterr);
    if (code != ERR_OK)
        return code;
    struct json *headers = headers_of(response);
    if (state->paging == NULL) {
        set_outputs(call, response->status, body, headers);
        return ERR_OK;
    }
    code = http_paging_add(state->paging, body, response->body_len, json_get_str(headers, "link"), ret_more, reterr);
    json_unref(body);
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

static void on_response(void *user, const struct http_response *response, const struct error *failure)
{
    struct node_call *call = user;
    struct request_state *state = call->state;
    struct error error = {0};
    bool more = false;
    state->transfer = NULL;
    if (failure != NULL)
        error = *failure;
    else
        (void)take(call, response, &more, &error);
    if (error.code == ERR_OK && more)
        return;
    state_free(call);
    if (error.code != ERR_OK)
        node_call_failed(call, &error);
    else
        node_call_done(call);
}

/* Sends what `draft` has collected. */
static enum err send_draft(struct node_call *call, struct draft *draft, struct error *reterr)
{
    struct request_state *state = call->state;
    int64_t timeout_ms = json_get_int(call->inputs, "timeout", TIMEOUT_DEFAULT_MS);
    if (call->timeout_ms > 0 && call->timeout_ms < timeout_ms)
        timeout_ms = call->timeout_ms;
    draft->url = build_url(call, state->paging);
    struct http_request request = {.method = node_input_str(call, "method", "GET"),
                                   .url = draft->url,
                                   .timeout_ms = timeout_ms,
                                   .max_response_bytes =
                                       (size_t)json_get_int(call->inputs, "maxResponseBytes", RESPONSE_DEFAULT_BYTES),
                                   .follow_redirects = json_get_bool(call->inputs, "followRedirects", true)};
    enum err code = set_auth(call, &request, reterr);
    if (code == ERR_OK)
        code = add_headers(call, draft, reterr);
    if (code == ERR_OK)
        code = add_body(call, draft, reterr);
    if (code != ERR_OK)
        return code;
    int page = http_paging_count(state->paging);
    if (call->idempotency_key[0] != '\0') /* each page is a piece of work of its own */
        add_header(draft, "Idempotency-Key",
                   page == 0 ? call->idempotency_key
                             : arena_printf(&draft->arena, "%s/page-%d", call->idempotency_key, page + 1));
    request.headers = draft->headers;
    request.header_count = draft->count;
    request.body = draft->has_body ? (draft->body.len > 0 ? draft->body.data : "") : NULL;
    request.body_len = draft->body.len;
    return http_client_start(call->host->http, &request, on_response, call, &state->transfer, reterr);
}

static enum err start(struct node_call *call, struct error *reterr)
{
    struct draft *draft = mem_alloc(sizeof *draft);
    enum err code = send_draft(call, draft, reterr);
    draft_done(draft);
    free(draft);
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    if (strlen(node_input_str(call, "url", "")) != json_as_str_len(json_get(call->inputs, "url")))
        return error_set(reterr, ERR_VALIDATION, "url", "url must not contain NUL characters.");
    struct request_state *state = mem_alloc(sizeof *state);
    call->state = state;
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
static const char *const body_types[] = {"json", "text", "form", NULL};
static const char *const auth_types[] = {"none", "basic", "bearer", NULL};
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
     .description = "The answer: parsed when it is JSON, else text. With paging: the items of all pages."},
    {.name = "statusCode", .type = "number", .description = "The answer's status."},
    {.name = "headers", .type = "object", .description = "The answer's headers, names in lower case."},
    {.name = "pages", .type = "number", .description = "With paging: how many pages were read."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "response", "data", "full"}, {"field-mapper", "response", "source", "full"}, {0}};
static const struct field auth_fields[] = {
    {.name = "type",
     .kind = FIELD_ENUM,
     .values = auth_types,
     .required = true,
     .help = "none, basic (username, password) or bearer (token)."},
    {.name = "username", .kind = FIELD_STRING, .max = 500, .help = "For basic authentication."},
    {.name = "password",
     .widget = "password",
     .kind = FIELD_STRING,
     .max = 500,
     .secret = true,
     .help = "For basic authentication."},
    {.name = "token", .kind = FIELD_STRING, .max = 8000, .secret = true, .help = "For bearer authentication."},
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
     .help = "How the body is written: json, text or form."},
    {.name = "auth",
     .label = "Authentication",
     .kind = FIELD_OBJECT,
     .fields = auth_fields,
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
    .limitations = (const char *const[]){"Binary answers are refused.",
                                         "A redirected PUT, PATCH or DELETE is sent again with its method.", NULL},
    .best_practices = (const char *const[]){"Set a timeout that fits the service.",
                                            "Keep tokens in auth, where they are masked.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_ASYNC,
    .execute = execute,
    .abort = abort_request,
};
