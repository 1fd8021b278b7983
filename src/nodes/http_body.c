/* Bodies of HTTP requests and answers. */
#include "nodes/http_draft.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "nodes/value.h"
#include <stdio.h>
#include <string.h>

static enum err wrong(const struct json *body, const char *type, const char *what, struct error *reterr)
{
    return error_set(reterr, ERR_VALIDATION, "body", "body must be %s for bodyType %s, not %s.", what, type,
                     json_kind_name(body));
}

/* {base64, contentType?, fileName?}: what the nodes that read bytes give. */
static bool is_binary(const struct json *value)
{
    return json_is(value, JSON_OBJECT) && json_get_str(value, "base64") != NULL;
}

static enum err add_bytes(const struct json *value, const char *field, struct buf *out, struct error *reterr)
{
    const struct json *text = json_get(value, "base64");
    if (base64_decode(json_as_str(text), json_as_str_len(text), out))
        return ERR_OK;
    return error_set(reterr, ERR_VALIDATION, field, "%s.base64 must be text in base64.", field);
}

/* One line, and no quote that would end a parameter. */
static bool is_plain(const char *text)
{
    return strpbrk(text, "\r\n\"") == NULL;
}

static enum err add_part(struct http_draft *draft, const char *boundary, const char *name, const struct json *value,
                         struct error *reterr)
{
    const char *type = json_get_str(value, "contentType"), *file = json_get_str(value, "fileName");
    char field[120];
    (void)snprintf(field, sizeof field, "body.%.100s", name);
    if (!is_plain(name) || (type != NULL && !is_plain(type)) || (file != NULL && !is_plain(file)))
        return error_set(reterr, ERR_VALIDATION, field, "%s must not have quotes or line breaks in its name or type.",
                         field);
    buf_printf(&draft->body, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, name);
    enum err code = ERR_OK;
    if (is_binary(value)) {
        buf_printf(&draft->body, "; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", file == NULL ? name : file,
                   type == NULL ? "application/octet-stream" : type);
        code = add_bytes(value, field, &draft->body, reterr);
    } else {
        bool nested = json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
        buf_add_str(&draft->body, nested ? "\r\nContent-Type: application/json\r\n\r\n" : "\r\n\r\n");
        if (nested)
            json_print(value, &draft->body);
        else
            value_add_text(&(struct value){.present = true, .json = value}, &draft->body);
    }
    buf_add_str(&draft->body, "\r\n");
    return code;
}

static enum err add_multipart(struct http_draft *draft, const struct json *body, struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    struct json_iter member;
    if (!json_is(body, JSON_OBJECT))
        return wrong(body, "multipart", "an object", reterr);
    id_new(id); /* random: it cannot stand in what is sent but by intent of nobody */
    char *boundary = arena_printf(&draft->arena, "caudal-%s", id);
    JSON_EACH(body, member)
    {
        if (member.value == NULL)
            continue;
        enum err code = add_part(draft, boundary, member.key, member.value, reterr);
        if (code != ERR_OK)
            return code;
    }
    buf_printf(&draft->body, "--%s--\r\n", boundary);
    http_draft_header(draft, "Content-Type", arena_printf(&draft->arena, "multipart/form-data; boundary=%s", boundary));
    return ERR_OK;
}

static enum err add_binary(struct http_draft *draft, const struct json *body, struct error *reterr)
{
    if (!is_binary(body))
        return wrong(body, "binary", "an object with base64 and contentType", reterr);
    enum err code = add_bytes(body, "body", &draft->body, reterr);
    const char *type = json_get_str(body, "contentType");
    http_draft_header(draft, "Content-Type", type == NULL ? "application/octet-stream" : type);
    return code;
}

enum err http_body_add(const struct node_call *call, struct http_draft *draft, struct error *reterr)
{
    const struct json *body = json_get(call->inputs, "body");
    const char *type = node_input_str(call, "bodyType", "json"), *method = node_input_str(call, "method", "GET");
    bool takes_body = strcasecmp(method, "GET") != 0 && strcasecmp(method, "HEAD") != 0;
    draft->has_body = takes_body && json_has(call->inputs, "body") && (body != NULL || strcmp(type, "json") == 0);
    if (!draft->has_body)
        return ERR_OK;
    if (strcmp(type, "form") == 0) {
        if (!json_is(body, JSON_OBJECT))
            return wrong(body, type, "an object", reterr);
        http_add_pairs(&draft->body, body);
        http_draft_header(draft, "Content-Type", "application/x-www-form-urlencoded");
    } else if (strcmp(type, "text") == 0) {
        if (!json_is(body, JSON_STRING))
            return wrong(body, type, "a string", reterr);
        buf_add(&draft->body, json_as_str(body), json_as_str_len(body));
        http_draft_header(draft, "Content-Type", "text/plain; charset=utf-8");
    } else if (strcmp(type, "multipart") == 0) {
        return add_multipart(draft, body, reterr);
    } else if (strcmp(type, "binary") == 0) {
        return add_binary(draft, body, reterr);
    } else {
        http_draft_json(draft, body);
    }
    return ERR_OK;
}

static bool is_utf8(const char *text, size_t n)
{
    uint32_t code_point;
    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_decode(text + i, n - i, &code_point);
        if (step == 0)
            return false;
    }
    return true;
}

struct json *http_binary_json(const void *bytes, size_t n, const char *content_type)
{
    struct json *binary = json_object_new();
    struct buf text;
    buf_init(&text, 0);
    base64_add(&text, bytes, n);
    json_set(binary, "base64", json_string_new_n(buf_str(&text), text.len));
    json_set_str(binary, "contentType", content_type);
    json_set_int(binary, "size", (int64_t)n);
    buf_done(&text);
    return binary;
}

enum err http_body_decode(const struct http_response *response, const char *type, struct json **ret,
                          struct error *reterr)
{
    bool automatic = strcmp(type, "auto") == 0;
    bool says_json = strcmp(type, "json") == 0 || (automatic && strstr(response->content_type, "json") != NULL);
    if (strcmp(type, "binary") == 0) {
        *ret = http_binary_json(response->body, response->body_len, response->content_type);
        return ERR_OK;
    }
    if (response->body_len == 0) {
        *ret = says_json ? NULL : json_string_new("");
        return ERR_OK;
    }
    if (says_json || (automatic && response->content_type[0] == '\0')) {
        struct error error;
        if (json_parse(response->body, response->body_len, ret, &error) == ERR_OK)
            return ERR_OK;
        if (says_json)
            return error_set(reterr, ERR_NODE, NULL, "The answer %s JSON, but: %s",
                             automatic ? "says that it is" : "must be", error.message);
    }
    if (is_utf8(response->body, response->body_len))
        *ret = json_string_new_n(response->body, response->body_len);
    else if (automatic)
        *ret = http_binary_json(response->body, response->body_len, response->content_type);
    else
        return error_set(reterr, ERR_NODE, NULL, "The answer is no UTF-8 text (%.80s); set responseType to binary.",
                         response->content_type);
    return ERR_OK;
}
