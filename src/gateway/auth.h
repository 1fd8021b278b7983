/* Who asks, and what they may do: users with passwords, sessions (a short-lived JWT, HS256, and a refresh token), API
 * keys. Without JWT_SECRET nobody logs in and everybody who reaches the loopback address is the administrator "local".
 *
 * A credential is read in two steps: auth_read checks form, signature and expiry without I/O; auth_resolve looks up
 * whether the user, the session or the key still exists, in the cache for at most AUTH_CACHE_MS, then in the store.
 * Changes made through any gateway that shares the cache hold at once. */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "json/json.h"

struct auth;
struct cache;
struct config;
struct http_request;
struct store;

#define AUTH_CACHE_MS 10000
#define AUTH_ACCESS_MS 900000             /* of an access token */
#define AUTH_REFRESH_MS (14 * 86400000LL) /* of a session that is not used */
#define AUTH_SESSIONS_MAX 50              /* of one user; the oldest ends when another begins */
#define AUTH_PASSWORD_MIN 10
#define AUTH_PASSWORD_MAX 1024
#define AUTH_HASH_TEXT_BYTES 65 /* SHA-256 in hexadecimal digits */

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_EDITOR, ROLE_ADMIN };
extern const char *const role_names[]; /* viewer, operator, editor, admin, NULL */
const char *role_name(enum role role);
enum role role_parse(const char *name); /* ROLE_NONE: there is no such role */

struct credential {
    enum { CREDENTIAL_NONE, CREDENTIAL_SESSION, CREDENTIAL_KEY } kind;
    char user_id[ID_TEXT_BYTES], session_id[ID_TEXT_BYTES]; /* SESSION; signed, so they can be trusted */
    char key_hash[AUTH_HASH_TEXT_BYTES];                    /* KEY; anybody's guess until it is resolved */
    int64_t expires_ms;                                     /* SESSION */
};

struct principal {
    enum role role;
    const char *id, *name;  /* of the user, in the request's arena */
    const char *session_id; /* or NULL */
    const char *key_id;     /* or NULL */
    int64_t expires_ms;     /* of the credential; 0: does not */
};

/* Makes the first administrator when login is required and there is no user. */
enum err auth_start(const struct config *config, struct store *store, struct cache *cache, struct auth **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
void auth_free(struct auth *auth); /* NULL ok */
bool auth_is_required(const struct auth *auth);
/* Under which links of waits are signed, the same on every gateway. Without JWT_SECRET it is empty: whoever reaches the
 * page reaches the API, too, which shows the links. */
const char *auth_link_key(const struct auth *auth);

/* Authorization: Bearer …, X-Api-Key, or access_token in the query of a WebSocket (browsers cannot set its headers).
 * UNAUTHORIZED when there is none or it is not valid; its kind is set even then, CREDENTIAL_NONE for what is forged. */
enum err auth_read(const struct auth *auth, const struct http_request *request, struct credential *ret,
                   struct error *reterr) ERROR_MUST_CHECK;
/* May wait for the store. UNAUTHORIZED when user, session or key is gone; STORE_* when that cannot be known. */
enum err auth_resolve(struct auth *auth, struct http_request *request, const struct credential *credential,
                      struct principal *ret, struct error *reterr) ERROR_MUST_CHECK;
/* Whether an API key was resolved of late, so is not made up. */
bool auth_knows_key(const struct auth *auth, const struct credential *credential);
void auth_local(struct principal *ret);

/* What was cached of a user or a key holds no longer; after the change is committed. */
void auth_forget_user(const struct auth *auth, const char *user_id);
void auth_forget_key(const struct auth *auth, const char *key_hash);

/* Argon2id. UNAVAILABLE when too many passwords are being checked: each takes memory. hash NULL: as long, and wrong. */
enum err auth_hash_password(const char *password, char **ret, struct error *reterr) ERROR_MUST_CHECK;
enum err auth_check_password(const char *hash, const char *password, bool *ret_right,
                             struct error *reterr) ERROR_MUST_CHECK;
/* VALIDATION naming `field` unless the password is long enough and not the name. */
enum err auth_judge_password(const char *field, const char *password, const char *username,
                             struct error *reterr) ERROR_MUST_CHECK;

void auth_hash_token(const char *token, char out[AUTH_HASH_TEXT_BYTES]);
#define AUTH_SECRET_TEXT_BYTES 44
void auth_new_secret(char out[AUTH_SECRET_TEXT_BYTES]); /* 256 random bits, base64url */
char *auth_access_token(const struct auth *auth, const char *user_id, const char *session_id,
                        int64_t now_ms); /* yours */
/* The initial password's file is removed once it is changed. */
void auth_remove_initial_password(const struct auth *auth);
