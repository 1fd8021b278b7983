/* Routes of those whom executions wait for: signals over the API, and the page of a wait for a person. */
#include "gateway/api_int.h"

#include "flow/approval.h"
#include "gateway/form.h"
#include "gateway/wait_page.h"
#include <stdlib.h>

#define PAYLOAD_BYTES_MAX (1 << 20)

/* ---- signals */

struct sending {
    struct store_signal signal;
    struct store_receipt receipt;
    struct json *nodes; /* of the version that runs */
};

static enum err read_nodes(struct store_session *session, void *arg, struct error *reterr)
{
    struct sending *sending = arg;
    AUTO_JSON struct json *execution = NULL, *flow = NULL;
    enum err code = store_execution_load(session, sending->signal.execution_id, &execution, reterr);
    if (code == ERR_OK)
        code = store_flow_load_version(session, json_get_str(execution, "flowId"),
                                       (int)json_get_int(execution, "flowVersion", 1), &flow, reterr);
    if (code == ERR_OK)
        sending->nodes = json_ref(json_get(flow, "nodes"));
    return code;
}

static bool is_wait(const struct json *node)
{
    const char *type = json_get_str(node, "type");
    return type != NULL && strcmp(type, "wait") == 0;
}

/* An expression may turn out to be it. */
static bool may_take_signals(const struct json *node)
{
    const char *mode = json_get_str(json_get(node, "config"), "mode");
    return is_wait(node) && mode != NULL && (strcmp(mode, "signal") == 0 || strstr(mode, "{{") != NULL);
}

/* A signal that no node of the flow could ever take is refused; one whose wait has not begun is kept for it. */
static enum err check_target(const struct json *nodes, const char *node_id, struct error *reterr)
{
    bool any = false;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        const char *id = json_get_str(node, "id");
        any |= may_take_signals(node);
        if (node_id == NULL || id == NULL || strcmp(id, node_id) != 0)
            continue;
        return may_take_signals(node)
                   ? ERR_OK
                   : error_set(reterr, ERR_CONFLICT, "nodeId",
                               "Node %.64s does not wait for signals: it must be a wait with mode signal.", node_id);
    }
    if (node_id != NULL)
        return error_set(reterr, ERR_NOT_FOUND, "nodeId", "The flow has no node %.64s.", node_id);
    return any ? ERR_OK
               : error_set(reterr, ERR_CONFLICT, NULL,
                           "The flow has no node that waits for a signal (a wait with mode signal).");
}

static enum err write_signal(struct store_session *session, void *arg, struct error *reterr)
{
    struct sending *sending = arg;
    return store_signal_insert(session, &sending->signal, &sending->receipt, reterr);
}

static enum err send_signal(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct json *body = request->json;
    const char *key = json_get_str(body, "idempotencyKey");
    AUTO_FREE char *payload = json_has(body, "payload") ? json_dup_text(json_get(body, "payload")) : NULL;
    AUTO_FREE char *named = NULL;
    if (key == NULL)
        key = http_request_header(request, "Idempotency-Key");
    if (payload != NULL && strlen(payload) > PAYLOAD_BYTES_MAX)
        return error_set(reterr, ERR_TOO_LARGE, "payload", "payload must have at most %d bytes.", PAYLOAD_BYTES_MAX);
    if (key != NULL && fields_code_points(key) > 200)
        return error_set(reterr, ERR_VALIDATION, "idempotencyKey", "The key must have at most 200 characters.");
    if (key != NULL)
        named = mem_printf("api:%s", key);
    struct sending sending = {.signal = {.execution_id = request->params[0],
                                         .name = json_get_str(body, "name"),
                                         .node_id = json_get_str(body, "nodeId"),
                                         .iteration = json_get_str(body, "iteration"),
                                         .payload_json = payload,
                                         .key = named,
                                         .at_ms = clock_now_ms()}};
    enum err code = api_read(api, read_nodes, &sending, reterr);
    if (code == ERR_OK)
        code = check_target(sending.nodes, sending.signal.node_id, reterr);
    json_unref(sending.nodes);
    if (code == ERR_OK)
        code = store_write(api->options.store, write_signal, &sending, reterr);
    if (code != ERR_OK)
        return code;
    api_control(api, "signals", request->params[0]);
    struct json *answer = json_object_new();
    json_set_str(answer, "executionId", request->params[0]);
    json_set_int(answer, "signalId", sending.receipt.id);
    json_set_bool(answer, "awaited", sending.receipt.awaited);
    json_set_bool(answer, "repeated", sending.receipt.repeated);
    http_reply(request, 202, answer);
    return ERR_OK;
}

static const struct field signal_fields[] = {
    {.name = "name",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 100,
     .help = "Only a wait for this name, or for any, takes it."},
    {.name = "nodeId",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = LIMIT_NODE_ID_BYTES,
     .help = "Only this node takes it."},
    {.name = "iteration",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = RUN_ITERATION_BYTES_MAX - 1,
     .help = "Only this iteration of the node takes it, as the execution's waits tell it."},
    {.name = "payload", .kind = FIELD_ANY, .help = "What the wait gives as its output; at most 1 MiB."},
    {.name = "idempotencyKey",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 200,
     .help = "A second signal with the same key is the first one; the header Idempotency-Key does the same."},
    {0}};

/* ---- links */

void api_show_links(const struct api *api, const struct json *waits)
{
    const char *key = auth_link_key(api->options.auth);
    for (size_t i = 0; i < json_count(waits); i++) {
        struct json *wait = json_at(waits, i);
        const char *reference = json_get_str(wait, "token");
        char link[APPROVAL_LINK_BYTES];
        if (reference == NULL)
            continue;
        AUTO_FREE char *url = mem_printf("/wait/%s", approval_link(key, reference, link) ? link : reference);
        json_set_str(wait, "url", url);
        json_remove(wait, "token");
    }
}

/* ---- the page */

struct answering {
    char reference[APPROVAL_REFERENCE_BYTES];
    const char *token; /* by which the wait is stored */
    const char *answer_json;
    int64_t now_ms;
    struct json *wait;
};

static enum err read_wait(struct store_session *session, void *arg, struct error *reterr)
{
    struct answering *answering = arg;
    return store_wait_load(session, answering->token, answering->now_ms, &answering->wait, reterr);
}

static enum err write_answer(struct store_session *session, void *arg, struct error *reterr)
{
    const struct answering *answering = arg;
    return store_wait_answer(session, answering->token, answering->answer_json, answering->now_ms, reterr);
}

/* By a signed link, by a token that a node made, or by one that was stored in clear before references were.
 * NOT_FOUND: there is no such link. */
static enum err find_wait(struct api *api, const struct http_request *request, struct answering *ret,
                          struct error *reterr)
{
    const char *link = request->params[0];
    *ret = (struct answering){.token = ret->reference, .now_ms = clock_now_ms()};
    if (approval_link_read(auth_link_key(api->options.auth), link, ret->reference))
        return api_read(api, read_wait, ret, reterr);
    if (!approval_is_token(link))
        return error_set(reterr, ERR_NOT_FOUND, "token", "There is no such link.");
    approval_reference(link, ret->reference);
    enum err code = api_read(api, read_wait, ret, reterr);
    if (code != ERR_NOT_FOUND)
        return code;
    ret->token = link;
    return api_read(api, read_wait, ret, reterr);
}

/* NULL without an error: there is no such link. */
static enum err load_wait(struct api *api, struct http_request *request, struct json **ret, struct error *reterr)
{
    struct answering answering;
    struct error error = {0};
    enum err code = find_wait(api, request, &answering, &error);
    *ret = answering.wait;
    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    if (code != ERR_OK)
        *reterr = error;
    return code;
}

static void reply_page(struct http_request *request, const struct json *wait, const struct json *form,
                       const struct json *problems, bool done)
{
    const char *state = json_get_str(wait, "state");
    bool open = state != NULL && strcmp(state, "open") == 0;
    request->response.status = wait == NULL ? 404 : done ? 200 : !open ? 410 : json_count(problems) > 0 ? 400 : 200;
    request->response.content_type = "text/html; charset=utf-8";
    http_response_header(request, "Content-Security-Policy", wait_page_policy());
    http_response_header(request, "Referrer-Policy", "no-referrer"); /* the address is the key */
    http_response_header(request, "Cache-Control", "no-store");
    http_response_header(request, "X-Robots-Tag", "noindex");
    http_response_header(request, "Vary", "Accept-Language");
    wait_page_add(&request->response.body, wait, form, problems, done,
                  wait_language_of(http_request_header(request, "Accept-Language")));
}

static enum err get_wait(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *wait = NULL;
    enum err code = load_wait(api, request, &wait, reterr);
    if (code == ERR_OK)
        reply_page(request, wait, NULL, NULL, false);
    return code;
}

static enum err store_answer(struct api *api, struct http_request *request, struct json *answer, bool *ret_done,
                             struct error *reterr)
{
    struct answering answering;
    struct error error = {0};
    char at[ISO_TEXT_BYTES];
    enum err code = find_wait(api, request, &answering, &error);
    json_unref(answering.wait);
    clock_format_iso(answering.now_ms, at);
    json_set_str(answer, "answeredAt", at);
    AUTO_FREE char *text = json_dup_text(answer);
    answering.answer_json = text;
    if (code == ERR_OK)
        code = store_write(api->options.store, write_answer, &answering, &error);
    *ret_done = code == ERR_OK;
    if (code == ERR_CONFLICT || code == ERR_NOT_FOUND)
        return ERR_OK; /* the page says what has become of it */
    if (code != ERR_OK)
        *reterr = error;
    return code;
}

static enum err post_wait(struct api *api, struct http_request *request, struct error *reterr)
{
    enum wait_language language = wait_language_of(http_request_header(request, "Accept-Language"));
    AUTO_JSON struct json *wait = NULL, *form = NULL, *answer = NULL, *problems = json_object_new();
    bool done = false;
    enum err code = load_wait(api, request, &wait, reterr);
    if (code != ERR_OK)
        return code;
    form = form_is_sent(request) ? form_body(request) : json_object_new();
    const char *state = json_get_str(wait, "state");
    if (state != NULL && strcmp(state, "open") == 0)
        answer = wait_answer_read(json_get(wait, "approval"), form, language, problems);
    if (answer != NULL) {
        code = store_answer(api, request, answer, &done, reterr);
        if (code != ERR_OK)
            return code;
        api_control(api, "signals", json_get_str(wait, "executionId"));
        json_unref(wait);
        wait = NULL;
        code = load_wait(api, request, &wait, reterr);
    }
    if (code == ERR_OK)
        reply_page(request, wait, form, problems, done);
    return code;
}

const struct route wait_routes[] = {{"POST", "/api/v1/scheduler/executions/:id/signal", ROLE_OPERATOR, ROUTE_ID,
                                     signal_fields, NULL, 202, "executions",
                                     "Send a signal to a node that waits for it, or will", send_signal, &answer_signal},
                                    {"GET", "/wait/:token", ROLE_NONE, ROUTE_PAGE, NULL, NULL, 200, "waits",
                                     "The page of a wait for a person (HTML)", get_wait, NULL},
                                    {"POST", "/wait/:token", ROLE_NONE, ROUTE_PAGE, NULL, NULL, 200, "waits",
                                     "Answer a wait for a person (a form)", post_wait, NULL},
                                    {0}};
