/* Authentication of HTTP requests. */
#include "nodes/http_auth.h"

#include "base/base64.h"
#include "base/digest.h"
#include "nodes/sigv4.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES_MAX 16000
#define TOKEN_SECONDS_DEFAULT 300 /* of an answer that does not say */
#define TOKEN_MARGIN_MS 10000     /* a token is not used in its last seconds */

static const char *const auth_types[] = {"none", "basic", "bearer", "header", "query", "oauth2", "aws", NULL};
static const char *const client_auths[] = {"basic", "body", NULL};

const struct field http_auth_fields[] = {
    {.name = "type",
     .kind = FIELD_ENUM,
     .values = auth_types,
     .required = true,
     .label = "Kind",
     .help =
         "basic (username, password), bearer (token), header or query (name, value), oauth2 (client credentials), aws "
         "(Signature Version 4)."},
    {.name = "username", .kind = FIELD_STRING, .max = 500, .help = "For basic authentication."},
    {.name = "password",
     .kind = FIELD_STRING,
     .max = 500,
     .secret = true,
     .widget = "password",
     .help = "For basic authentication."},
    {.name = "token", .kind = FIELD_STRING, .max = 8000, .secret = true, .help = "For bearer authentication."},
    {.name = "name",
     .kind = FIELD_STRING,
     .max = 200,
     .help = "For header and query: the name of the header or parameter."},
    {.name = "value", .kind = FIELD_STRING, .max = 8000, .secret = true, .help = "For header and query: the key."},
    {.name = "tokenUrl",
     .kind = FIELD_STRING,
     .max = 2000,
     .label = "Token address",
     .help = "For oauth2: where the access token is asked for."},
    {.name = "clientId", .kind = FIELD_STRING, .max = 500, .label = "Client id", .help = "For oauth2: the client."},
    {.name = "clientSecret", .kind = FIELD_STRING, .max = 2000, .secret = true, .help = "For oauth2: its secret."},
    {.name = "scope", .kind = FIELD_STRING, .max = 2000, .help = "For oauth2: what is asked for, separated by spaces."},
    {.name = "audience",
     .kind = FIELD_STRING,
     .max = 2000,
     .help = "For oauth2: whom the token is for, where the server wants it."},
    {.name = "clientAuth",
     .kind = FIELD_ENUM,
     .values = client_auths,
     .default_json = "\"basic\"",
     .label = "Client credentials in",
     .help = "For oauth2: send id and secret as basic authentication or in the body."},
    {.name = "accessKeyId",
     .kind = FIELD_STRING,
     .max = 200,
     .label = "Access key id",
     .help = "For aws: the key's id."},
    {.name = "secretAccessKey", .kind = FIELD_STRING, .max = 500, .secret = true, .help = "For aws: the secret key."},
    {.name = "sessionToken", .kind = FIELD_STRING, .max = 4000, .secret = true, .help = "For aws: of temporary keys."},
    {.name = "region", .kind = FIELD_STRING, .max = 64, .help = "For aws: such as eu-west-1."},
    {.name = "service", .kind = FIELD_STRING, .max = 64, .help = "For aws: such as s3 or execute-api."},
    {0}};

/* A setting that the kind needs: one line of text. */
static enum err need(const struct json *auth, const char *name, const char **ret, struct error *reterr)
{
    const char *text = json_get_str(auth, name);
    char field[64];
    (void)snprintf(field, sizeof field, "auth.%s", name);
    if (text == NULL || *text == '\0' || strpbrk(text, "\r\n") != NULL ||
        strlen(text) != json_as_str_len(json_get(auth, name)))
        return error_set(reterr, ERR_VALIDATION, field, "%s is required for auth.type %s: one line of text.", field,
                         json_get_str(auth, "type"));
    *ret = text;
    return ERR_OK;
}

static enum err apply_aws(const struct json *auth, int64_t now_ms, struct http_draft *draft,
                          const struct http_request *request, struct error *reterr)
{
    struct sigv4_keys keys = {.session_token = json_get_str(auth, "sessionToken")};
    struct sigv4_headers headers;
    enum err code = need(auth, "accessKeyId", &keys.access_key, reterr);
    if (code == ERR_OK)
        code = need(auth, "secretAccessKey", &keys.secret_key, reterr);
    if (code == ERR_OK)
        code = need(auth, "region", &keys.region, reterr);
    if (code == ERR_OK)
        code = need(auth, "service", &keys.service, reterr);
    if (code == ERR_OK && keys.session_token != NULL)
        code = need(auth, "sessionToken", &keys.session_token, reterr);
    if (code != ERR_OK)
        return code;
    struct sigv4_request signed_request = {.method = request->method,
                                           .url = draft->url,
                                           .content_type = http_draft_find(draft, "Content-Type"),
                                           .body = buf_str(&draft->body),
                                           .body_len = draft->has_body ? draft->body.len : 0,
                                           .now_ms = now_ms};
    code = sigv4_sign(&keys, &signed_request, &headers, reterr);
    if (code != ERR_OK) {
        if (strcmp(reterr->field, "region") == 0)
            error_prefix_field(reterr, "auth");
        return code;
    }
    http_draft_header(draft, "X-Amz-Date", headers.date);
    http_draft_header(draft, "X-Amz-Content-Sha256", headers.content_hash);
    if (keys.session_token != NULL)
        http_draft_header(draft, "X-Amz-Security-Token", keys.session_token);
    http_draft_header(draft, "Authorization", headers.authorization);
    return ERR_OK;
}

static bool has_parameter(const char *url, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strpbrk(url, "?&"); at != NULL; at = strpbrk(at + 1, "?&"))
        if (strncmp(at + 1, name, n) == 0 && at[1 + n] == '=')
            return true;
    return false;
}

static enum err apply_key(const struct json *auth, bool in_header, struct http_draft *draft, struct error *reterr)
{
    const char *name = NULL, *value = NULL;
    enum err code = need(auth, "name", &name, reterr);
    if (code == ERR_OK)
        code = need(auth, "value", &value, reterr);
    if (code == ERR_OK && in_header)
        http_draft_header(draft, name, value);
    else if (code == ERR_OK && !has_parameter(draft->url, name)) /* the server's own address of a page may have it */
        http_draft_query(draft, name, value);
    return code;
}

enum err http_auth_apply(const struct json *auth, const char *token, int64_t now_ms, struct http_draft *draft,
                         struct http_request *request, struct error *reterr)
{
    const char *type = auth == NULL ? "none" : json_get_str(auth, "type");
    if (strcmp(type, "basic") == 0) {
        request->user = json_get_str(auth, "username");
        request->password = json_get_str(auth, "password");
        if (request->user == NULL)
            return error_set(reterr, ERR_VALIDATION, "auth.username", "auth.username is required for auth.type basic.");
        return ERR_OK;
    }
    if (strcmp(type, "bearer") == 0)
        return need(auth, "token", &request->bearer, reterr);
    if (strcmp(type, "header") == 0 || strcmp(type, "query") == 0)
        return apply_key(auth, strcmp(type, "header") == 0, draft, reterr);
    if (strcmp(type, "aws") == 0)
        return apply_aws(auth, now_ms, draft, request, reterr);
    if (strcmp(type, "oauth2") == 0)
        request->bearer = token;
    return ERR_OK;
}

/* ---- OAuth 2 */

char *http_auth_token_key(const struct json *auth)
{
    static const char *const parts[] = {"tokenUrl", "clientId", "clientSecret", "scope", "audience", "clientAuth"};
    const char *type = json_get_str(auth, "type");
    if (type == NULL || strcmp(type, "oauth2") != 0)
        return NULL;
    struct buf text;
    unsigned char digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    buf_init(&text, 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_print(json_get(auth, parts[i]), &text);
        buf_add_char(&text, '\n');
    }
    digest_sha256(buf_str(&text), text.len, digest); /* the secret is not kept in the clear as a key */
    digest_hex(digest, hex);
    buf_done(&text);
    return mem_dup(hex);
}

static void add_form(struct http_draft *draft, const char *name, const char *value)
{
    AUTO_JSON struct json *text = json_string_new(value);
    http_add_pair(&draft->body, name, text);
}

enum err http_auth_token_request(const struct json *auth, struct http_draft *draft, struct http_request *request,
                                 struct error *reterr)
{
    const char *url = NULL, *id = NULL, *secret = NULL;
    enum err code = need(auth, "tokenUrl", &url, reterr);
    if (code == ERR_OK)
        code = need(auth, "clientId", &id, reterr);
    if (code == ERR_OK)
        code = need(auth, "clientSecret", &secret, reterr);
    if (code != ERR_OK)
        return code;
    const char *where = json_get_str(auth, "clientAuth");
    add_form(draft, "grant_type", "client_credentials");
    if (json_get_str(auth, "scope") != NULL)
        add_form(draft, "scope", json_get_str(auth, "scope"));
    if (json_get_str(auth, "audience") != NULL)
        add_form(draft, "audience", json_get_str(auth, "audience"));
    if (where != NULL && strcmp(where, "body") == 0) {
        add_form(draft, "client_id", id);
        add_form(draft, "client_secret", secret);
    } else { /* RFC 6749, 2.3.1: both are form-encoded first */
        struct buf pair, text;
        buf_init(&pair, 0);
        buf_init(&text, 0);
        sigv4_encode(&pair, id, strlen(id), false);
        buf_add_char(&pair, ':');
        sigv4_encode(&pair, secret, strlen(secret), false);
        buf_add_str(&text, "Basic ");
        base64_add(&text, buf_str(&pair), pair.len);
        http_draft_header(draft, "Authorization", buf_str(&text));
        buf_done(&pair);
        buf_done(&text);
    }
    http_draft_header(draft, "Content-Type", "application/x-www-form-urlencoded");
    http_draft_header(draft, "Accept", "application/json");
    draft->has_body = true;
    draft->url = mem_dup(url);
    request->method = "POST";
    request->url = draft->url;
    return ERR_OK;
}

enum err http_auth_token_read(const struct http_response *response, int64_t now_ms, char **ret, int64_t *ret_until_ms,
                              struct error *reterr)
{
    if (response->status >= 400) {
        enum err code = http_status_error("The server of auth.tokenUrl", response, reterr);
        (void)snprintf(reterr->field, sizeof reterr->field, "auth.tokenUrl");
        return code;
    }
    AUTO_JSON struct json *answer = NULL;
    struct error ignored;
    enum err code = json_parse(response->body, response->body_len, &answer, &ignored);
    const char *token = code == ERR_OK ? json_get_str(answer, "access_token") : NULL;
    if (token == NULL || *token == '\0' || strlen(token) > TOKEN_BYTES_MAX || strpbrk(token, "\r\n") != NULL)
        return error_set(reterr, ERR_NODE, "auth.tokenUrl",
                         "The server of auth.tokenUrl answered %d, but with no access_token.", response->status);
    int64_t seconds = json_get_int(answer, "expires_in", TOKEN_SECONDS_DEFAULT);
    seconds = seconds < 0 ? 0 : seconds > 86400 ? 86400 : seconds;
    *ret = mem_dup(token);
    *ret_until_ms = now_ms + seconds * 1000 - TOKEN_MARGIN_MS;
    return ERR_OK;
}
