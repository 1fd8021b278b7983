/* Routes of login: a session has a refresh token, used once, and access tokens that live for minutes. */
#include "gateway/users.h"

#include "cache/cache.h"
#include <stdlib.h>

#define BASE "/api/v1/auth"
#define FAILURE_WINDOW_MS 300000
#define FAILURES_OF_USER 10 /* from one address */
#define FAILURES_OF_ADDRESS 50
#define GRACE_MS 30000 /* in which a refresh token may come a second time: two tabs, a lost answer */

/* cdr_ user id . session id . secret */
#define REFRESH_PREFIX "cdr_"
#define REFRESH_TEXT_BYTES (sizeof REFRESH_PREFIX + (size_t)2 * ID_TEXT_BYTES + AUTH_SECRET_TEXT_BYTES)

static const struct field login_fields[] = {
    {.name = "username", .kind = FIELD_STRING, .required = true, .min = 1, .max = 64, .help = "The user's name."},
    {.name = "password",
     .kind = FIELD_STRING,
     .required = true,
     .secret = true,
     .max = AUTH_PASSWORD_MAX,
     .help = "The user's password."},
    {0}};
static const struct field refresh_fields[] = {
    {.name = "refreshToken",
     .kind = FIELD_STRING,
     .required = true,
     .secret = true,
     .min = 1,
     .max = 200,
     .help = "The latest of the session; it is used up, the answer has the next."},
    {0}};
static const struct field logout_fields[] = {{.name = "all",
                                              .kind = FIELD_BOOL,
                                              .default_json = "false",
                                              .help = "End all sessions of the user, not only this."},
                                             {0}};
static const struct field password_fields[] = {{.name = "currentPassword",
                                                .kind = FIELD_STRING,
                                                .required = true,
                                                .secret = true,
                                                .max = AUTH_PASSWORD_MAX,
                                                .help = "The present one."},
                                               {.name = "newPassword",
                                                .kind = FIELD_STRING,
                                                .required = true,
                                                .secret = true,
                                                .max = AUTH_PASSWORD_MAX,
                                                .help = "10 bytes or more; the user's other sessions end."},
                                               {0}};

static enum err check_required(const struct api *api, struct error *reterr)
{
    if (auth_is_required(api->options.auth))
        return ERR_OK;
    return error_set(reterr, ERR_CONFLICT, NULL, "Nobody logs in to this service: it has no JWT_SECRET.");
}

/* ---- failures in a row are slowed down */

static void failure_keys(const struct http_request *request, const char *username, char **ret_user, char **ret_address)
{
    *ret_user = mem_printf("login:%s|%s", request->client, username);
    *ret_address = mem_printf("login:%s", request->client);
}

/* Counted before the password is looked at, so that many at once gain nothing. */
static enum err count_attempt(struct api *api, struct http_request *request, const char *username, struct error *reterr)
{
    AUTO_FREE char *user = NULL, *address = NULL;
    int64_t now_ms = clock_now_ms();
    failure_keys(request, username, &user, &address);
    int64_t of_user = cache_add(api->options.cache, user, 1, FAILURE_WINDOW_MS, now_ms),
            of_address = cache_add(api->options.cache, address, 1, FAILURE_WINDOW_MS, now_ms);
    if (of_user <= FAILURES_OF_USER && of_address <= FAILURES_OF_ADDRESS)
        return ERR_OK;
    http_response_header(request, "Retry-After", "300");
    return error_set(reterr, ERR_RATE_LIMIT, NULL, "Too many failed logins; try again in five minutes.");
}

static void forgive_attempt(struct api *api, const struct http_request *request, const char *username)
{
    AUTO_FREE char *user = NULL, *address = NULL;
    failure_keys(request, username, &user, &address);
    cache_remove(api->options.cache, user);
    (void)cache_add(api->options.cache, address, -1, FAILURE_WINDOW_MS, clock_now_ms());
}

/* ---- sessions */

static char *refresh_token(struct arena *arena, const char *user_id, const char *session_id, const char *secret)
{
    return arena_printf(arena, REFRESH_PREFIX "%s.%s.%s", user_id, session_id, secret);
}

static void reply_tokens(const struct api *api, struct http_request *request, const struct json *user,
                         const char *session_id, const char *refresh)
{
    struct json *answer = json_object_new();
    AUTO_FREE char *access = auth_access_token(api->options.auth, json_get_str(user, "id"), session_id, clock_now_ms());
    json_set_str(answer, "accessToken", access);
    json_set_str(answer, "refreshToken", refresh);
    json_set_str(answer, "tokenType", "Bearer");
    json_set_int(answer, "expiresIn", AUTH_ACCESS_MS / 1000);
    json_set(answer, "user", user_view(user));
    http_reply(request, 200, answer);
}

struct session_start {
    const char *id, *hash, *password_hash, *address, *agent;
    int64_t now_ms;
};

static void set_times(struct json *session, int64_t now_ms)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(now_ms, at);
    json_set_str(session, "usedAt", at);
    json_set_int(session, "rotatedMs", now_ms);
    json_set_int(session, "expiresMs", now_ms + AUTH_REFRESH_MS);
}

static enum err apply_start(struct store_session *store_session, struct json *user, void *arg, struct error *reterr)
{
    (void)store_session;
    const struct session_start *start = arg;
    const struct json *all = json_get(user, "sessions");
    const char *hash = json_get_str(user, "passwordHash");
    if (json_get_bool(user, "disabled", false) || hash == NULL || strcmp(hash, start->password_hash) != 0)
        return error_set(reterr, ERR_UNAUTHORIZED, NULL, "The user was changed at this moment; log in again.");
    struct json *kept = json_array_new(), *session = json_object_new();
    size_t count = json_count(all);
    for (size_t i = count >= AUTH_SESSIONS_MAX ? count - AUTH_SESSIONS_MAX + 1 : 0; i < count; i++)
        if (json_get_int(json_at(all, i), "expiresMs", 0) > start->now_ms)
            json_push(kept, json_ref(json_at(all, i)));
    json_set_str(session, "id", start->id);
    json_set_str(session, "hash", start->hash);
    json_set_str(session, "address", start->address);
    json_set_str(session, "userAgent", start->agent);
    set_times(session, start->now_ms);
    json_push(kept, session);
    json_set(user, "sessions", kept);
    return ERR_OK;
}

static enum err start_session(struct api *api, struct http_request *request, const struct json *user,
                              struct error *reterr)
{
    char id[ID_TEXT_BYTES], secret[AUTH_SECRET_TEXT_BYTES], hash[AUTH_HASH_TEXT_BYTES];
    const char *agent = http_request_header(request, "User-Agent");
    AUTO_JSON struct json *changed = NULL;
    id_new(id);
    auth_new_secret(secret);
    auth_hash_token(secret, hash);
    struct session_start start = {.id = id,
                                  .hash = hash,
                                  .password_hash = json_get_str(user, "passwordHash"),
                                  .address = request->client,
                                  .agent = agent == NULL ? NULL : arena_printf(&request->arena, "%.200s", agent),
                                  .now_ms = clock_now_ms()};
    enum err code = user_change(api, json_get_str(user, "id"), apply_start, &start, &changed, reterr);
    if (code == ERR_OK)
        reply_tokens(api, request, changed, id, refresh_token(&request->arena, json_get_str(user, "id"), id, secret));
    return code;
}

struct login_read {
    const char *username;
    struct json *user;
};

static enum err read_by_name(struct store_session *session, void *arg, struct error *reterr)
{
    struct login_read *read = arg;
    return store_find(session, STORE_USERS, read->username, &read->user, reterr);
}

static enum err check_login(struct api *api, const char *username, const char *password, struct json **ret,
                            struct error *reterr)
{
    struct login_read read = {.username = username};
    bool right = false;
    enum err code = api_read(api, read_by_name, &read, reterr);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code;
    code = auth_check_password(json_get_str(read.user, "passwordHash"), password, &right, reterr);
    if (code == ERR_OK && !right)
        code = error_set(reterr, ERR_UNAUTHORIZED, NULL, "The user name or the password is wrong.");
    if (code == ERR_OK && json_get_bool(read.user, "disabled", false))
        code = error_set(reterr, ERR_FORBIDDEN, NULL, "This user is disabled; an administrator can enable them.");
    if (code == ERR_OK)
        *ret = read.user;
    else
        json_unref(read.user);
    return code;
}

static enum err login(struct api *api, struct http_request *request, struct error *reterr)
{
    char *username = arena_dup(&request->arena, json_get_str(request->json, "username"));
    AUTO_JSON struct json *user = NULL;
    for (char *c = username; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    enum err code = check_required(api, reterr);
    if (code == ERR_OK)
        code = count_attempt(api, request, username, reterr);
    if (code != ERR_OK)
        return code;
    code = check_login(api, username, json_get_str(request->json, "password"), &user, reterr);
    if (code == ERR_OK)
        forgive_attempt(api, request, username);
    if (code == ERR_OK)
        code = start_session(api, request, user, reterr);
    if (code == ERR_OK || code == ERR_UNAUTHORIZED || code == ERR_FORBIDDEN)
        api_audit(api, request,
                  &(struct audit){.actor = username, .action = code == ERR_OK ? "login" : "login refused"});
    return code;
}

struct rotation {
    const char *session_id, *hash, *next_hash;
    int64_t now_ms;
    enum { ROTATED, UNKNOWN, REUSED } outcome;
};

static enum err apply_rotation(struct store_session *store_session, struct json *user, void *arg, struct error *reterr)
{
    (void)store_session;
    (void)reterr;
    struct rotation *rotation = arg;
    const struct json *all = json_get(user, "sessions");
    struct json *session = NULL;
    rotation->outcome = UNKNOWN;
    for (size_t i = 0; i < json_count(all); i++)
        if (strcmp(json_get_str(json_at(all, i), "id"), rotation->session_id) == 0)
            session = json_at(all, i);
    if (session == NULL || json_get_bool(user, "disabled", false) ||
        json_get_int(session, "expiresMs", 0) <= rotation->now_ms)
        return ERR_OK;
    const char *hash = json_get_str(session, "hash"), *former = json_get_str(session, "formerHash");
    bool is_former = former != NULL && strcmp(former, rotation->hash) == 0;
    if (!is_former && strcmp(hash, rotation->hash) != 0)
        return ERR_OK;
    if (is_former && rotation->now_ms - json_get_int(session, "rotatedMs", 0) > GRACE_MS) {
        rotation->outcome = REUSED; /* two hold the session, one of them stole it (RFC 9700, 4.14.2) */
        user_end_sessions(user, rotation->session_id, NULL);
        return ERR_OK;
    }
    rotation->outcome = ROTATED;
    if (!is_former)
        json_set_str(session, "formerHash", rotation->hash);
    json_set_str(session, "hash", rotation->next_hash);
    set_times(session, rotation->now_ms);
    return ERR_OK;
}

static bool parse_refresh(const char *token, char user_id[ID_TEXT_BYTES], char session_id[ID_TEXT_BYTES],
                          const char **ret_secret)
{
    enum { ID = ID_TEXT_BYTES - 1, PREFIX = sizeof REFRESH_PREFIX - 1 };
    if (strlen(token) != REFRESH_TEXT_BYTES - 2 || strncmp(token, REFRESH_PREFIX, PREFIX) != 0 ||
        token[PREFIX + ID] != '.' || token[PREFIX + ID + 1 + ID] != '.')
        return false;
    memcpy(user_id, token + PREFIX, ID);
    memcpy(session_id, token + PREFIX + ID + 1, ID);
    user_id[ID] = session_id[ID] = '\0';
    *ret_secret = token + PREFIX + ID + 1 + ID + 1;
    return id_is_valid(user_id) && id_is_valid(session_id);
}

static enum err refresh(struct api *api, struct http_request *request, struct error *reterr)
{
    char user_id[ID_TEXT_BYTES], session_id[ID_TEXT_BYTES], hash[AUTH_HASH_TEXT_BYTES], next[AUTH_SECRET_TEXT_BYTES],
        next_hash[AUTH_HASH_TEXT_BYTES];
    const char *secret = NULL;
    AUTO_JSON struct json *user = NULL;
    enum err code = check_required(api, reterr);
    if (code != ERR_OK)
        return code;
    struct rotation rotation = {
        .session_id = session_id, .hash = hash, .next_hash = next_hash, .now_ms = clock_now_ms(), .outcome = UNKNOWN};
    if (parse_refresh(json_get_str(request->json, "refreshToken"), user_id, session_id, &secret)) {
        auth_hash_token(secret, hash);
        auth_new_secret(next);
        auth_hash_token(next, next_hash);
        code = user_change(api, user_id, apply_rotation, &rotation, &user, reterr);
    }
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code;
    if (code == ERR_OK && rotation.outcome == ROTATED) {
        reply_tokens(api, request, user, session_id, refresh_token(&request->arena, user_id, session_id, next));
        return ERR_OK;
    }
    if (rotation.outcome == REUSED)
        api_audit(api, request,
                  &(struct audit){.actor = json_get_str(user, "username"), .action = "refresh token used twice"});
    return error_set(reterr, ERR_UNAUTHORIZED, "refreshToken", "The session has ended; log in again.");
}

struct end {
    const char *session_id;
};

static enum err apply_end(struct store_session *session, struct json *user, void *arg, struct error *reterr)
{
    (void)session;
    (void)reterr;
    const struct end *end = arg;
    user_end_sessions(user, end->session_id, NULL);
    return ERR_OK;
}

static enum err logout(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct principal *principal = request->principal;
    bool all = json_get_bool(request->json, "all", false);
    enum err code = check_required(api, reterr);
    if (code == ERR_OK && principal->session_id == NULL)
        code = error_set(reterr, ERR_CONFLICT, NULL, "An API key has no session to end; delete the key instead.");
    struct end end = {.session_id = all ? NULL : principal->session_id};
    if (code == ERR_OK)
        code = user_change(api, principal->id, apply_end, &end, NULL, reterr);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}

struct password_change {
    const char *former_hash, *hash, *session_id;
};

static enum err apply_password(struct store_session *session, struct json *user, void *arg, struct error *reterr)
{
    (void)session;
    const struct password_change *change = arg;
    const char *present = json_get_str(user, "passwordHash");
    if (present == NULL || strcmp(present, change->former_hash) != 0)
        return error_set(reterr, ERR_CONFLICT, NULL, "The password was changed by somebody else at this moment.");
    json_set_str(user, "passwordHash", change->hash);
    json_remove(user, "initialPassword");
    user_end_sessions(user, NULL, change->session_id);
    return ERR_OK;
}

static enum err change_password(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct principal *principal = request->principal;
    const char *next = json_get_str(request->json, "newPassword");
    AUTO_JSON struct json *user = NULL;
    AUTO_FREE char *hash = NULL;
    bool right = false;
    enum err code = check_required(api, reterr);
    if (code == ERR_OK && principal->session_id == NULL)
        code = error_set(reterr, ERR_FORBIDDEN, NULL, "An API key cannot change the password; log in.");
    if (code == ERR_OK)
        code = auth_judge_password("newPassword", next, principal->name, reterr);
    if (code == ERR_OK)
        code = count_attempt(api, request, principal->name, reterr);
    if (code == ERR_OK)
        code = user_load(api, principal->id, &user, reterr);
    if (code == ERR_OK)
        code = auth_check_password(json_get_str(user, "passwordHash"), json_get_str(request->json, "currentPassword"),
                                   &right, reterr);
    if (code == ERR_OK && !right)
        code = error_set(reterr, ERR_VALIDATION, "currentPassword", "The present password is another one.");
    if (code == ERR_OK)
        code = auth_hash_password(next, &hash, reterr);
    struct password_change change = {
        .former_hash = json_get_str(user, "passwordHash"), .hash = hash, .session_id = principal->session_id};
    if (code == ERR_OK)
        code = user_change(api, principal->id, apply_password, &change, NULL, reterr);
    if (code != ERR_OK)
        return code;
    forgive_attempt(api, request, principal->name);
    if (json_get_bool(user, "initialPassword", false))
        auth_remove_initial_password(api->options.auth);
    http_reply_empty(request);
    return ERR_OK;
}

static enum err get_me(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    const struct principal *principal = request->principal;
    struct json *answer = json_object_new();
    json_set_bool(answer, "loginRequired", auth_is_required(api->options.auth));
    json_set_str(answer, "id", principal->id);
    json_set_str(answer, "username", principal->name);
    json_set_str(answer, "role", role_name(principal->role));
    json_set_str(answer, "apiKeyId", principal->key_id);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static enum err get_status(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    struct json *answer = json_object_new();
    json_set_bool(answer, "loginRequired", auth_is_required(api->options.auth));
    http_reply(request, 200, answer);
    return ERR_OK;
}

const struct route session_routes[] = {
    {"GET", BASE "/status", ROLE_NONE, 0, NULL, NULL, 200, "access", "Whether this service needs a login", get_status,
     &answer_login_status},
    {"POST", BASE "/login", ROLE_NONE, ROUTE_UNAUDITED, login_fields, NULL, 200, "access",
     "Log in: an access token for 15 minutes and a refresh token", login, &answer_session},
    {"POST", BASE "/refresh", ROLE_NONE, ROUTE_UNAUDITED, refresh_fields, NULL, 200, "access",
     "New tokens for a refresh token", refresh, &answer_session},
    {"POST", BASE "/logout", ROLE_VIEWER, 0, logout_fields, NULL, 204, "access",
     "End this session, or all of the user's", logout, NULL},
    {"PUT", BASE "/password", ROLE_VIEWER, 0, password_fields, NULL, 204, "access", "Change one's own password",
     change_password, NULL},
    {"GET", BASE "/me", ROLE_VIEWER, 0, NULL, NULL, 200, "access", "Who asks, and in which role", get_me, &answer_me},
    {0}};
