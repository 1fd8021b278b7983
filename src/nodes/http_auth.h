/* Authentication of HTTP requests, by the setting `auth`. No I/O. */
#pragma once
#include "nodes/http_draft.h"

extern const struct field http_auth_fields[]; /* the node's field `auth` */

/* Adds what the kind asks for to a request that is otherwise complete (signatures cover it). `token`: the access token,
 * for oauth2. VALIDATION names auth.… */
enum err http_auth_apply(const struct json *auth, const char *token, int64_t now_ms, struct http_draft *draft,
                         struct http_request *request, struct error *reterr) ERROR_MUST_CHECK;

/* oauth2, client credentials (RFC 6749, 4.4): under which key the token is kept; NULL: another kind. Yours. */
char *http_auth_token_key(const struct json *auth);
/* The request for a token. VALIDATION names auth.… */
enum err http_auth_token_request(const struct json *auth, struct http_draft *draft, struct http_request *request,
                                 struct error *reterr) ERROR_MUST_CHECK;
/* The answer's token, yours, and until when it holds. NODE or NODE_RETRY otherwise (field auth.tokenUrl). */
enum err http_auth_token_read(const struct http_response *response, int64_t now_ms, char **ret, int64_t *ret_until_ms,
                              struct error *reterr) ERROR_MUST_CHECK;
