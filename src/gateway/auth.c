#include "gateway/auth.h"

#include "base/log.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "config/config.h"
#include "gateway/http.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <jwt.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ISSUER "caudal"
#define KEY_USED_MS 3600000 /* lastUsedAt is this exact */

/* OWASP's recommendation for Argon2id: 19 MiB, two passes. Several at once are that many times the memory. */
#define ARGON_MEMORY ((size_t)19 << 20)
#define ARGON_PASSES 2
#define ARGON_AT_ONCE 4

struct auth {
    const struct config *config;
    struct store *store;
    struct cache *cache;
    const char *secret; /* NULL: nobody logs in */
    char *initial_password_file;
};

const char *const role_names[] = {"viewer", "operator", "editor", "admin", NULL};

const char *role_name(enum role role)
{
    return role == ROLE_NONE ? "none" : role_names[role - 1];
}

enum role role_parse(const char *name)
{
    for (int i = 0; name != NULL && role_names[i] != NULL; i++)
        if (strcmp(role_names[i], name) == 0)
            return (enum role)(i + 1);
    return ROLE_NONE;
}

bool auth_is_required(const struct auth *auth)
{
    return auth->secret != NULL;
}

void auth_local(struct principal *ret)
{
    *ret = (struct principal){.role = ROLE_ADMIN, .id = "local", .name = "local"};
}

/* ---- passwords and secrets */

static atomic_int hashing;

static enum err begin_hashing(struct error *reterr)
{
    if (atomic_fetch_add(&hashing, 1) < ARGON_AT_ONCE)
        return ERR_OK;
    atomic_fetch_sub(&hashing, 1);
    return error_set(reterr, ERR_UNAVAILABLE, NULL, "Too many logins at this moment; try again in a second.");
}

enum err auth_hash_password(const char *password, char **ret, struct error *reterr)
{
    char hash[crypto_pwhash_STRBYTES];
    enum err code = begin_hashing(reterr);
    if (code != ERR_OK)
        return code;
    if (crypto_pwhash_str_alg(hash, password, strlen(password), ARGON_PASSES, ARGON_MEMORY,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        abort(); /* only without memory */
    atomic_fetch_sub(&hashing, 1);
    *ret = mem_dup(hash);
    return ERR_OK;
}

enum err auth_check_password(const char *hash, const char *password, bool *ret_right, struct error *reterr)
{
    /* Of no password anybody knows: an unknown user takes as long as a wrong password. */
    static const char nobody[] =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    enum err code = begin_hashing(reterr);
    if (code != ERR_OK)
        return code;
    *ret_right =
        crypto_pwhash_str_verify(hash == NULL ? nobody : hash, password, strlen(password)) == 0 && hash != NULL;
    atomic_fetch_sub(&hashing, 1);
    return ERR_OK;
}

enum err auth_judge_password(const char *field, const char *password, const char *username, struct error *reterr)
{
    size_t n = strlen(password);
    if (n < AUTH_PASSWORD_MIN || n > AUTH_PASSWORD_MAX)
        return error_set(reterr, ERR_VALIDATION, field, "The password must have %d to %d bytes.", AUTH_PASSWORD_MIN,
                         AUTH_PASSWORD_MAX);
    if (strcasecmp(password, username) == 0)
        return error_set(reterr, ERR_VALIDATION, field, "The password must not be the user's name.");
    return ERR_OK;
}

void auth_hash_token(const char *token, char out[AUTH_HASH_TEXT_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const unsigned char *)token, strlen(token));
    (void)sodium_bin2hex(out, AUTH_HASH_TEXT_BYTES, digest, sizeof digest);
}

void auth_new_secret(char out[AUTH_SECRET_TEXT_BYTES])
{
    unsigned char bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2base64(out, AUTH_SECRET_TEXT_BYTES, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* ---- tokens */

char *auth_access_token(const struct auth *auth, const char *user_id, const char *session_id, int64_t now_ms)
{
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0 ||
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)auth->secret, (int)strlen(auth->secret)) != 0 ||
        jwt_add_grant(jwt, "iss", ISSUER) != 0 || jwt_add_grant(jwt, "sub", user_id) != 0 ||
        jwt_add_grant(jwt, "sid", session_id) != 0 || jwt_add_grant_int(jwt, "iat", (long)(now_ms / 1000)) != 0 ||
        jwt_add_grant_int(jwt, "exp", (long)((now_ms + AUTH_ACCESS_MS) / 1000)) != 0)
        abort(); /* only without memory */
    char *text = jwt_encode_str(jwt), *token = mem_dup(text);
    free(text);
    jwt_free(jwt);
    return token;
}

static bool copy_id(const char *id, char out[ID_TEXT_BYTES])
{
    if (id == NULL || !id_is_valid(id))
        return false;
    memcpy(out, id, ID_TEXT_BYTES);
    return true;
}

static enum err read_token(const struct auth *auth, const char *token, struct credential *ret, struct error *reterr)
{
    jwt_t *jwt = NULL;
    struct credential found = {.kind = CREDENTIAL_SESSION};
    bool good = jwt_decode(&jwt, token, (const unsigned char *)auth->secret, (int)strlen(auth->secret)) == 0 &&
                jwt_get_alg(jwt) == JWT_ALG_HS256; /* and not what the token says of itself (RFC 8725, 3.1) */
    const char *issuer = good ? jwt_get_grant(jwt, "iss") : NULL;
    good = issuer != NULL && strcmp(issuer, ISSUER) == 0 && copy_id(jwt_get_grant(jwt, "sub"), found.user_id) &&
           copy_id(jwt_get_grant(jwt, "sid"), found.session_id);
    found.expires_ms = good ? (int64_t)jwt_get_grant_int(jwt, "exp") * 1000 : 0;
    jwt_free(jwt);
    if (!good)
        return error_set(reterr, ERR_UNAUTHORIZED, "Authorization",
                         "The access token is not one of this service; get one with POST /api/v1/auth/login.");
    *ret = found;
    if (found.expires_ms <= clock_now_ms())
        return error_set(reterr, ERR_UNAUTHORIZED, "Authorization",
                         "The access token has expired; get another one with POST /api/v1/auth/refresh.");
    return ERR_OK;
}

enum err auth_read(const struct auth *auth, const struct http_request *request, struct credential *ret,
                   struct error *reterr)
{
    const char *header = http_request_header(request, "Authorization"), *token = NULL;
    *ret = (struct credential){.kind = CREDENTIAL_NONE};
    if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
        token = header + 7 + strspn(header + 7, " ");
    if (token == NULL && header == NULL)
        token = http_request_header(request, "X-Api-Key");
    if (token == NULL && header == NULL && strcmp(request->path, "/ws") == 0)
        token = http_request_query(request, "access_token");
    if (token == NULL)
        return error_set(reterr, ERR_UNAUTHORIZED, "Authorization",
                         "This needs a login: send Authorization: Bearer with the access token of POST "
                         "/api/v1/auth/login or with an API key.");
    if (strncmp(token, "cdl_", 4) != 0)
        return read_token(auth, token, ret, reterr);
    ret->kind = CREDENTIAL_KEY;
    auth_hash_token(token, ret->key_hash);
    return ERR_OK;
}

/* ---- what the cache and the store know */

struct lookup {
    enum store_table table;
    const char *key;
    struct json *loaded;
};

static enum err read_store(struct auth *auth, struct lookup *lookup, struct error *reterr)
{
    struct store_session *session;
    enum err code = store_read_begin(auth->store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = lookup->table == STORE_API_KEYS ? store_find(session, lookup->table, lookup->key, &lookup->loaded, reterr)
                                           : store_get(session, lookup->table, lookup->key, &lookup->loaded, reterr);
    store_read_end(auth->store, session);
    return code;
}

static bool read_cache(const struct auth *auth, const char *kind, const char *id, struct json **ret)
{
    AUTO_FREE char *key = mem_printf("%s:%s", kind, id);
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    return cache_get(auth->cache, key, clock_now_ms(), &text) && json_parse(text.data, text.len, ret, NULL) == ERR_OK;
}

static void write_cache(const struct auth *auth, const char *kind, const char *id, const struct json *value)
{
    AUTO_FREE char *key = mem_printf("%s:%s", kind, id), *text = json_dup_text(value);
    cache_put(auth->cache, key, text, strlen(text), AUTH_CACHE_MS, clock_now_ms());
}

static void forget(const struct auth *auth, const char *kind, const char *id)
{
    AUTO_FREE char *key = mem_printf("%s:%s", kind, id);
    cache_remove(auth->cache, key);
}

void auth_forget_user(const struct auth *auth, const char *user_id)
{
    forget(auth, "user", user_id);
}

void auth_forget_key(const struct auth *auth, const char *key_hash)
{
    forget(auth, "key", key_hash);
}

bool auth_knows_key(const struct auth *auth, const struct credential *credential)
{
    AUTO_FREE char *key = mem_printf("key:%s", credential->key_hash);
    return cache_get(auth->cache, key, clock_now_ms(), NULL);
}

/* {username, role, disabled, sessions: [id…]}: no hash leaves the store. */
static enum err load_account(struct auth *auth, const char *id, struct json **ret, struct error *reterr)
{
    if (read_cache(auth, "user", id, ret))
        return ERR_OK;
    struct lookup lookup = {.table = STORE_USERS, .key = id};
    enum err code = read_store(auth, &lookup, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *user = lookup.loaded;
    struct json *account = json_object_new(), *sessions = json_array_new();
    const struct json *all = json_get(user, "sessions");
    json_set_str(account, "username", json_get_str(user, "username"));
    json_set_str(account, "role", json_get_str(user, "role"));
    json_set_bool(account, "disabled", json_get_bool(user, "disabled", false));
    for (size_t i = 0; i < json_count(all); i++)
        json_push(sessions, json_string_new(json_get_str(json_at(all, i), "id")));
    json_set(account, "sessions", sessions);
    write_cache(auth, "user", id, account);
    *ret = account;
    return ERR_OK;
}

static bool has_session(const struct json *account, const char *id)
{
    const struct json *sessions = json_get(account, "sessions");
    for (size_t i = 0; i < json_count(sessions); i++)
        if (strcmp(json_as_str(json_at(sessions, i)), id) == 0)
            return true;
    return false;
}

struct key_use {
    char id[ID_TEXT_BYTES];
    int64_t now_ms;
};

static enum err write_use(struct store_session *session, void *arg, struct error *reterr)
{
    const struct key_use *use = arg;
    AUTO_JSON struct json *key = NULL;
    char at[ISO_TEXT_BYTES];
    enum err code = store_get(session, STORE_API_KEYS, use->id, &key, reterr);
    if (code != ERR_OK)
        return code == ERR_NOT_FOUND ? ERR_OK : code; /* deleted meanwhile */
    AUTO_JSON struct json *changed = json_dup(key);
    clock_format_iso(use->now_ms, at);
    json_set_str(changed, "lastUsedAt", at);
    return store_put(session, STORE_API_KEYS, use->id, changed, use->now_ms, reterr);
}

static void on_use_written(void *user, enum err code, const struct error *error)
{
    if (code != ERR_OK)
        log_event(LOG_WARN, "an API key's last use cannot be recorded", LOG_CAUSE(error), LOG_END);
    free(user);
}

static void record_use(struct auth *auth, const struct json *key)
{
    int64_t used_ms = 0, now_ms = clock_now_ms();
    const char *used = json_get_str(key, "lastUsedAt"), *id = json_get_str(key, "id");
    if (used != NULL && clock_parse_iso(used, &used_ms) == 0 && now_ms - used_ms < KEY_USED_MS)
        return;
    struct key_use *use = mem_alloc(sizeof *use);
    use->now_ms = now_ms;
    if (copy_id(id, use->id))
        store_write_async(auth->store, write_use, use, on_use_written, use);
    else
        free(use);
}

/* {id, userId, role, expiresAt} */
static enum err load_key(struct auth *auth, const char *hash, struct json **ret, struct error *reterr)
{
    static const char *const kept[] = {"id", "userId", "role", "expiresAt"};
    if (read_cache(auth, "key", hash, ret))
        return ERR_OK;
    struct lookup lookup = {.table = STORE_API_KEYS, .key = hash};
    enum err code = read_store(auth, &lookup, reterr);
    if (code != ERR_OK)
        return code;
    struct json *key = json_object_new();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        json_set(key, kept[i], json_ref(json_get(lookup.loaded, kept[i])));
    record_use(auth, lookup.loaded);
    json_unref(lookup.loaded);
    write_cache(auth, "key", hash, key);
    *ret = key;
    return ERR_OK;
}

static enum err refuse_gone(enum err code, const char *what, struct error *reterr)
{
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code; /* the store cannot say: no reason to send anybody to the login */
    return error_set(reterr, ERR_UNAUTHORIZED, "Authorization", "%s", what);
}

static enum err resolve_key(struct auth *auth, struct http_request *request, const struct credential *credential,
                            struct principal *ret, struct error *reterr)
{
    AUTO_JSON struct json *key = NULL, *owner = NULL;
    enum err code = load_key(auth, credential->key_hash, &key, reterr);
    if (code != ERR_OK)
        return refuse_gone(code, "The API key is not known; it may have been deleted.", reterr);
    const char *expires = json_get_str(key, "expiresAt"), *user_id = json_get_str(key, "userId");
    int64_t expires_ms = 0;
    if (expires != NULL && (clock_parse_iso(expires, &expires_ms) != 0 || expires_ms <= clock_now_ms()))
        return error_set(reterr, ERR_UNAUTHORIZED, "Authorization", "The API key expired on %s.", expires);
    code = user_id == NULL ? ERR_NOT_FOUND : load_account(auth, user_id, &owner, reterr);
    if (code != ERR_OK || json_get_bool(owner, "disabled", false))
        return refuse_gone(code, "The user of this API key is gone or disabled.", reterr);
    enum role role = role_parse(json_get_str(key, "role")), most = role_parse(json_get_str(owner, "role"));
    *ret = (struct principal){.role = role < most ? role : most,
                              .id = arena_dup(&request->arena, user_id),
                              .name = arena_dup(&request->arena, json_get_str(owner, "username")),
                              .key_id = arena_dup(&request->arena, json_get_str(key, "id")),
                              .expires_ms = expires_ms};
    return ERR_OK;
}

enum err auth_resolve(struct auth *auth, struct http_request *request, const struct credential *credential,
                      struct principal *ret, struct error *reterr)
{
    if (credential->kind == CREDENTIAL_KEY)
        return resolve_key(auth, request, credential, ret, reterr);
    AUTO_JSON struct json *account = NULL;
    enum err code = load_account(auth, credential->user_id, &account, reterr);
    if (code != ERR_OK || json_get_bool(account, "disabled", false) || !has_session(account, credential->session_id))
        return refuse_gone(code, "The session has ended; log in again with POST /api/v1/auth/login.", reterr);
    *ret = (struct principal){.role = role_parse(json_get_str(account, "role")),
                              .id = credential->user_id,
                              .name = arena_dup(&request->arena, json_get_str(account, "username")),
                              .session_id = credential->session_id,
                              .expires_ms = credential->expires_ms};
    return ERR_OK;
}

/* ---- the first administrator */

struct first {
    const struct json *user;
    bool made;
    int64_t now_ms;
};

static enum err write_first(struct store_session *session, void *arg, struct error *reterr)
{
    struct first *first = arg;
    AUTO_JSON struct json *users = NULL;
    enum err code = store_all(session, STORE_USERS, &users, reterr);
    first->made = code == ERR_OK && json_count(users) == 0;
    if (!first->made)
        return code;
    return store_put(session, STORE_USERS, json_get_str(first->user, "id"), first->user, first->now_ms, reterr);
}

static enum err has_users(struct auth *auth, bool *ret, struct error *reterr)
{
    struct store_session *session;
    AUTO_JSON struct json *users = NULL;
    enum err code = store_read_begin(auth->store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = store_all(session, STORE_USERS, &users, reterr);
    store_read_end(auth->store, session);
    *ret = json_count(users) > 0;
    return code;
}

/* Only its owner can read it; nothing of it comes into a log. */
static enum err write_password_file(const char *path, const char *password, struct error *reterr)
{
    AUTO_FREE char *line = mem_printf("%s\n", password);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good =
        fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    int problem = errno;
    if (fd >= 0)
        close(fd);
    errno = problem;
    return good ? ERR_OK : error_set(reterr, ERR_IO, "DATA_DIR", "%s cannot be written: %m.", path);
}

static struct json *new_admin(const char *username, const char *hash, bool invented, int64_t now_ms)
{
    struct json *user = json_object_new();
    char id[ID_TEXT_BYTES], at[ISO_TEXT_BYTES];
    id_new(id);
    clock_format_iso(now_ms, at);
    json_set_str(user, "id", id);
    json_set_str(user, "username", username);
    json_set_str(user, "passwordHash", hash);
    json_set_str(user, "role", role_name(ROLE_ADMIN));
    json_set_bool(user, "disabled", false);
    json_set_bool(user, "initialPassword", invented);
    json_set_str(user, "createdAt", at);
    json_set_str(user, "updatedAt", at);
    json_set(user, "sessions", json_array_new());
    return user;
}

static enum err make_first_admin(struct auth *auth, struct error *reterr)
{
    char invented[AUTH_SECRET_TEXT_BYTES];
    bool present = false;
    enum err code = has_users(auth, &present, reterr);
    if (code != ERR_OK || present)
        return code;
    AUTO_FREE char *hash = NULL, *username = mem_dup(config_str(auth->config, CONFIG_ADMIN_USERNAME));
    for (char *c = username; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c); /* as logins are compared */
    const char *password = config_str(auth->config, CONFIG_ADMIN_PASSWORD);
    bool invent = password == NULL;
    auth_new_secret(invented);
    if (invent)
        code = write_password_file(auth->initial_password_file, invented, reterr);
    if (code == ERR_OK)
        code = auth_hash_password(invent ? invented : password, &hash, reterr);
    if (code != ERR_OK)
        return code;
    struct first first = {.now_ms = clock_now_ms()};
    AUTO_JSON struct json *user = new_admin(username, hash, invent, first.now_ms);
    first.user = user;
    code = store_write(auth->store, write_first, &first, reterr);
    if (code == ERR_OK && first.made && invent)
        log_event(LOG_WARN, "the first administrator is made; the password is in a file: log in and change it",
                  LOG_STR("username", username), LOG_STR("file", auth->initial_password_file), LOG_END);
    return code;
}

void auth_remove_initial_password(const struct auth *auth)
{
    if (unlink(auth->initial_password_file) != 0 && errno != ENOENT)
        log_event(LOG_WARN, "the file of the first password cannot be removed",
                  LOG_STR("file", auth->initial_password_file), LOG_INT("errno", errno), LOG_END);
}

enum err auth_start(const struct config *config, struct store *store, struct cache *cache, struct auth **ret,
                    struct error *reterr)
{
    if (sodium_init() < 0)
        abort(); /* no randomness */
    struct auth *auth = mem_alloc(sizeof *auth);
    *auth = (struct auth){.config = config, .store = store, .cache = cache};
    auth->secret = config_str(config, CONFIG_JWT_SECRET);
    auth->initial_password_file = mem_printf("%s/initial-admin-password", config_str(config, CONFIG_DATA_DIR));
    enum err code = auth->secret == NULL ? ERR_OK : make_first_admin(auth, reterr);
    if (code == ERR_OK)
        *ret = auth;
    else
        auth_free(auth);
    return code;
}

const char *auth_link_key(const struct auth *auth)
{
    return auth->secret == NULL ? "" : auth->secret;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    free(auth->initial_password_file);
    free(auth);
}
