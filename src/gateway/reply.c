/* Envelopes and error bodies (api-contract 0 and 1.1). */
#include "gateway/http.h"

#include "base/clock.h"

static void frame(struct json *object, const struct http_request *request)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(clock_now_ms(), at);
    json_set_str(object, "timestamp", at);
    json_set_str(object, "path", request->uri);
}

static void send(struct http_request *request, int status, struct json *take_object)
{
    request->response.status = status;
    buf_clear(&request->response.body);
    json_print(take_object, &request->response.body);
    json_unref(take_object);
}

void http_reply(struct http_request *request, int status, struct json *take_payload)
{
    struct json *object = json_object_new();
    json_set(object, "data", take_payload);
    frame(object, request);
    send(request, status, object);
}

void http_reply_flat(struct http_request *request, int status, struct json *take_payload)
{
    struct json *object = json_object_new();
    struct json_iter member;
    JSON_EACH(take_payload, member) json_set(object, member.key, json_ref(member.value));
    json_set(object, "data", take_payload);
    frame(object, request);
    send(request, status, object);
}

void http_reply_empty(struct http_request *request)
{
    request->response.status = 204;
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{400, "Bad Request"},        {401, "Unauthorized"},         {403, "Forbidden"},
                   {404, "Not Found"},          {405, "Method Not Allowed"},   {409, "Conflict"},
                   {413, "Payload Too Large"},  {422, "Unprocessable Entity"}, {429, "Too Many Requests"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Internal Server Error";
}

void http_reply_error(struct http_request *request, const struct error *error, struct json *take_problems)
{
    int status = error_http_status(error->code);
    struct json *object = json_object_new(), *details = json_object_new();
    json_set_str(object, "code", error_id(error->code));
    json_set_str(object, "message", error->message[0] == '\0' ? error_text(error->code) : error->message);
    json_set_int(details, "statusCode", status);
    json_set_str(details, "message", error->message);
    json_set_str(details, "error", reason(status));
    if (error->field[0] != '\0')
        json_set_str(details, "field", error->field);
    if (take_problems != NULL)
        json_set(details, "errors", take_problems);
    json_set(object, "details", details);
    frame(object, request);
    if (status == 401)
        http_response_header(request, "WWW-Authenticate", "Bearer"); /* RFC 6750, 3 */
    if (status == 503 || status == 429)
        http_response_header(request, "Retry-After", "1");
    send(request, status, object);
}

void http_reply_each(struct http_request *request, const char *id_name,
                     enum err (*one)(void *user, const char *id, struct error *reterr), void *user)
{
    const struct json *ids = json_get(request->json, arena_printf(&request->arena, "%ss", id_name));
    struct json *answer = json_object_new(), *errors = json_array_new();
    int64_t done = 0;
    for (size_t i = 0; i < json_count(ids); i++) {
        const char *id = json_as_str(json_at(ids, i));
        struct error error = {0};
        if (one(user, id, &error) == ERR_OK) {
            done++;
            continue;
        }
        struct json *problem = json_object_new();
        json_set_str(problem, id_name, id);
        json_set_str(problem, "error", error.message);
        json_push(errors, problem);
    }
    json_set_int(answer, "successCount", done);
    json_set_int(answer, "failureCount", (int64_t)json_count(errors));
    json_set(answer, "errors", errors);
    http_reply(request, 200, answer);
}
