/* A request while it is being put together: what the nodes that speak HTTP share. No I/O. */
#pragma once
#include "base/mem.h"
#include "nodes/http_client.h"
#include "nodes/node_int.h"

#define HTTP_DRAFT_HEADERS_MAX 120

struct http_draft {
    struct arena arena;
    struct http_header headers[HTTP_DRAFT_HEADERS_MAX];
    size_t count;
    struct buf body;
    bool has_body;
    char *url; /* heap */
};
void http_draft_init(struct http_draft *draft);
void http_draft_done(struct http_draft *draft);

/* Nothing happens when the header is there already, or there are too many. `name` is borrowed, `value` copied. */
void http_draft_header(struct http_draft *draft, const char *name, const char *value);
const char *http_draft_find(const struct http_draft *draft, const char *name); /* its value, NULL: not there */
/* Those of a JSON object, null ones left out. VALIDATION (field headers.…) for lists, objects and NUL characters. */
enum err http_draft_headers(struct http_draft *draft, const struct json *headers,
                            struct error *reterr) ERROR_MUST_CHECK;
/* Adds a parameter to the address. */
void http_draft_query(struct http_draft *draft, const char *name, const char *value);
/* The body as JSON, with its type. */
void http_draft_json(struct http_draft *draft, const struct json *body);

/* name=value&… of an object; lists repeat the name, null is left out. */
void http_add_pairs(struct buf *out, const struct json *object);
void http_add_pair(struct buf *out, const char *name, const struct json *value);

/* Bodies from the settings `body` and `bodyType` (json, text, form, multipart, binary). VALIDATION names body.… */
enum err http_body_add(const struct node_call *call, struct http_draft *draft, struct error *reterr) ERROR_MUST_CHECK;
/* The answer as a value. `type`: auto (JSON when it says so or says nothing and is; else text; else binary), json,
 * text, binary. Binary is {base64, contentType, size}. NODE when it is not of that type. */
enum err http_body_decode(const struct http_response *response, const char *type, struct json **ret,
                          struct error *reterr) ERROR_MUST_CHECK;
struct json *http_binary_json(const void *bytes, size_t n, const char *content_type);

/* An answer of 400 and above as an error: NODE_RETRY for 408, 429 and 5xx, else NODE. `who` begins the sentence. */
enum err http_status_error(const char *who, const struct http_response *response, struct error *reterr);
const char *http_answer_header(const struct http_response *response, const char *name); /* NULL: not there */
