/* The opening handshake of RFC 6455, section 4.2, and which pages may do it. */
#include "gateway/api_int.h"
#include "gateway/auth.h"
#include "gateway/origin.h"
#include "gateway/ws_int.h"

#include <nettle/sha1.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */

struct token {
    const char *header, *wanted;
    bool found;
};

/* Headers are lists of tokens and may come more than once (RFC 9110, 5.6.1). */
static void look_for_token(void *user, const char *name, const char *value)
{
    struct token *token = user;
    size_t wanted = strlen(token->wanted);
    if (strcasecmp(name, token->header) != 0)
        return;
    while (*value != '\0') {
        value += strspn(value, " \t,");
        size_t n = strcspn(value, " \t,");
        token->found |= n == wanted && strncasecmp(value, token->wanted, n) == 0;
        value += n;
    }
}

static bool has_token(const struct http_request *request, const char *header, const char *wanted)
{
    struct token token = {.header = header, .wanted = wanted};
    http_request_each_header(request, look_for_token, &token);
    return token.found;
}

/* Browsers always say where the page is from; who says nothing is no page. */
static bool origin_is_allowed(const struct ws_hub *hub, const struct http_request *request)
{
    const char *origin = http_request_header(request, "Origin");
    return origin == NULL || origin_is_of_host(origin, http_request_header(request, "Host")) ||
           origin_is_listed(hub->options.origins, origin);
}

/* 426 is RFC 6455's answer to other versions, and RFC 9110's to no upgrade at all. */
static enum err answer_upgrade_required(struct http_request *request)
{
    struct error error = {0};
    (void)error_set(&error, ERR_VALIDATION, "Upgrade",
                    "This path speaks WebSocket: Upgrade: websocket, Connection: Upgrade, Sec-WebSocket-Version: 13.");
    http_reply_error(request, &error, NULL);
    request->response.status = 426;
    http_response_header(request, "Upgrade", "websocket");
    http_response_header(request, "Sec-WebSocket-Version", "13");
    return ERR_OK;
}

static bool key_is_valid(const char *key)
{
    unsigned char bytes[18];
    size_t size = 0;
    return key != NULL && strlen(key) == 24 &&
           sodium_base642bin(bytes, sizeof bytes, key, 24, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == 16;
}

static void accept_text(const char *key, char out[32])
{
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, strlen(key), (const uint8_t *)key);
    sha1_update(&sha1, sizeof ACCEPT_GUID - 1, (const uint8_t *)ACCEPT_GUID);
    sha1_digest(&sha1, sizeof digest, digest);
    (void)sodium_bin2base64(out, 32, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
}

struct admission {
    struct ws_hub *hub;
    int64_t until_us;
};

static void take(void *user, int take_fd, const void *early, size_t size)
{
    const struct admission *admission = user;
    ws_take(admission->hub, take_fd, early, size, admission->until_us);
}

enum err ws_handshake(struct ws_hub *hub, struct http_request *request, int64_t until_us, struct error *reterr)
{
    const char *key = http_request_header(request, "Sec-WebSocket-Key"),
               *version = http_request_header(request, "Sec-WebSocket-Version");
    char accept[32];
    if (!has_token(request, "Upgrade", "websocket") || !has_token(request, "Connection", "upgrade") ||
        version == NULL || strcmp(version, "13") != 0)
        return answer_upgrade_required(request);
    if (!key_is_valid(key))
        return error_set(reterr, ERR_VALIDATION, "Sec-WebSocket-Key",
                         "Sec-WebSocket-Key must be the base64 of 16 bytes.");
    if (!origin_is_allowed(hub, request))
        return error_set(reterr, ERR_FORBIDDEN, "Origin",
                         "Pages of %.200s may not connect; WS_CORS_ORIGINS lists those that may.",
                         http_request_header(request, "Origin"));
    if (atomic_load(&hub->count) >= hub->options.max_connections)
        return error_set(reterr, ERR_UNAVAILABLE, NULL, "All %u connections are taken.", hub->options.max_connections);
    accept_text(key, accept);
    http_response_header(request, "Sec-WebSocket-Accept", accept);
    struct admission *admission = arena_alloc(&request->arena, sizeof *admission);
    *admission = (struct admission){.hub = hub, .until_us = until_us};
    http_upgrade(request, "websocket", take, admission);
    return ERR_OK;
}

static enum err open_socket(struct api *api, struct http_request *request, struct error *reterr)
{
    if (api->options.ws == NULL)
        return error_set(reterr, ERR_NOT_FOUND, NULL, "This service has no WebSocket.");
    int64_t left_ms = request->principal->expires_ms - clock_now_ms();
    bool ends = request->principal->expires_ms > 0;
    return ws_handshake(api->options.ws, request, ends ? clock_monotonic_us() + left_ms * 1000 : INT64_MAX, reterr);
}

const struct route websocket_routes[] = {{"GET", "/ws", ROLE_VIEWER, ROUTE_INLINE, NULL, NULL, 101, "live",
                                          "Live events of executions, as a WebSocket", open_socket, NULL},
                                         {0}};
