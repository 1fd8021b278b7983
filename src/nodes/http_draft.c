/* Requests while they are put together. */
#include "nodes/http_draft.h"

#include "nodes/sigv4.h"
#include "nodes/value.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_draft_init(struct http_draft *draft)
{
    *draft = (struct http_draft){0};
    arena_init(&draft->arena);
    buf_init(&draft->body, 0);
}

void http_draft_done(struct http_draft *draft)
{
    arena_done(&draft->arena);
    buf_done(&draft->body);
    free(draft->url);
}

const char *http_draft_find(const struct http_draft *draft, const char *name)
{
    for (size_t i = 0; i < draft->count; i++)
        if (strcasecmp(draft->headers[i].name, name) == 0)
            return draft->headers[i].value;
    return NULL;
}

void http_draft_header(struct http_draft *draft, const char *name, const char *value)
{
    if (http_draft_find(draft, name) == NULL && draft->count < HTTP_DRAFT_HEADERS_MAX)
        draft->headers[draft->count++] = (struct http_header){.name = name, .value = arena_dup(&draft->arena, value)};
}

enum err http_draft_headers(struct http_draft *draft, const struct json *headers, struct error *reterr)
{
    enum { OWN = 100 };
    struct json_iter header;
    if (json_count(headers) > OWN)
        return error_set(reterr, ERR_VALIDATION, "headers", "headers must have at most %d members, not %zu.", OWN,
                         json_count(headers));
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
        http_draft_header(draft, header.key, buf_str(&text));
        buf_done(&text);
    }
    return ERR_OK;
}

void http_add_pair(struct buf *out, const char *name, const struct json *value)
{
    if (json_is(value, JSON_ARRAY)) {
        for (size_t i = 0, n = json_count(value); i < n; i++)
            http_add_pair(out, name, json_at(value, i));
        return;
    }
    if (value == NULL)
        return;
    if (out->len > 0)
        buf_add_char(out, '&');
    sigv4_encode(out, name, strlen(name), false);
    buf_add_char(out, '=');
    struct buf text;
    buf_init(&text, 0);
    if (json_is(value, JSON_OBJECT))
        json_print(value, &text);
    else
        value_add_text(&(struct value){.present = true, .json = value}, &text);
    sigv4_encode(out, buf_str(&text), text.len, false);
    buf_done(&text);
}

void http_add_pairs(struct buf *out, const struct json *object)
{
    struct json_iter member;
    JSON_EACH(object, member) http_add_pair(out, member.key, member.value);
}

void http_draft_query(struct http_draft *draft, const char *name, const char *value)
{
    struct buf pair;
    buf_init(&pair, 0);
    AUTO_JSON struct json *text = json_string_new(value);
    http_add_pair(&pair, name, text);
    char *url = draft->url;
    size_t base = strcspn(url, "#"); /* the query goes before a fragment */
    const char *mark = memchr(url, '?', base);
    const char *join = mark == NULL ? "?" : mark + 1 == url + base ? "" : "&";
    draft->url = mem_printf("%.*s%s%s%s", (int)base, url, join, buf_str(&pair), url + base);
    free(url);
    buf_done(&pair);
}

void http_draft_json(struct http_draft *draft, const struct json *body)
{
    buf_clear(&draft->body);
    json_print(body, &draft->body);
    draft->has_body = true;
    http_draft_header(draft, "Content-Type", "application/json");
}

enum err http_status_error(const char *who, const struct http_response *response, struct error *reterr)
{
    int status = response->status;
    bool retry = status == 408 || status == 429 || status >= 500;
    size_t shown = response->body_len > 200 ? 200 : response->body_len;
    for (size_t i = 0; i < shown; i++)
        if ((unsigned char)response->body[i] < 0x20 || (unsigned char)response->body[i] >= 0x7F)
            shown = i; /* one line, plain text only */
    return error_set(reterr, retry ? ERR_NODE_RETRY : ERR_NODE, NULL, "%s answered %d%s%.*s", who, status,
                     shown > 0 ? ": " : ".", (int)shown, response->body);
}

const char *http_answer_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}
