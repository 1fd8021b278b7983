/* Routes of API keys: a key acts for the user who made it, in a role of its own that is never above theirs. */
#include "gateway/users.h"

#include <stdlib.h>

#define BASE "/api/v1/api-keys"
#define KEYS_MAX 5000
#define SHOWN_BYTES 8 /* of a key, in lists: enough to tell two apart */

static const struct field new_fields[] = {{.name = "name",
                                           .kind = FIELD_STRING,
                                           .required = true,
                                           .min = 1,
                                           .max = LIMIT_NAME_CHARS,
                                           .help = "What the key is for."},
                                          {.name = "role",
                                           .kind = FIELD_ENUM,
                                           .values = role_names,
                                           .default_json = "\"viewer\"",
                                           .help = "At most the role of the user who makes it."},
                                          {.name = "expiresAt",
                                           .kind = FIELD_STRING,
                                           .nullable = true,
                                           .max = 40,
                                           .help = "RFC 3339, in the future; null: never."},
                                          {0}};

struct access {
    const char *id, *owner; /* owner NULL: anybody's */
    const struct json *document;
    struct json *loaded;
    int64_t now_ms;
};

static struct json *view_of(const struct json *key)
{
    static const char *const shown[] = {"id",       "name",      "prefix",    "role",      "userId",
                                        "username", "createdAt", "expiresAt", "lastUsedAt"};
    struct json *view = json_object_new();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_set(view, shown[i], json_ref(json_get(key, shown[i])));
    return view;
}

static enum err read_keys(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_all(session, STORE_API_KEYS, &access->loaded, reterr);
}

static bool is_of(const struct json *key, const char *owner)
{
    const char *user = json_get_str(key, "userId");
    return owner == NULL || (user != NULL && strcmp(user, owner) == 0);
}

static const char *owner_filter(const struct http_request *request)
{
    return request->principal->role == ROLE_ADMIN ? NULL : request->principal->id;
}

static enum err list_keys(struct api *api, struct http_request *request, struct error *reterr)
{
    struct access access = {0};
    enum err code = api_read(api, read_keys, &access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(access.loaded); i++)
        if (is_of(json_at(access.loaded, i), owner_filter(request)))
            json_push(list, view_of(json_at(access.loaded, i)));
    json_unref(access.loaded);
    http_reply(request, 200, list);
    return ERR_OK;
}

static enum err write_key(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    AUTO_JSON struct json *all = NULL;
    enum err code = store_all(session, STORE_API_KEYS, &all, reterr);
    if (code == ERR_OK && json_count(all) >= KEYS_MAX)
        code = error_set(reterr, ERR_CONFLICT, NULL, "There are %d API keys already; delete those no longer used.",
                         KEYS_MAX);
    return code == ERR_OK ? store_put(session, STORE_API_KEYS, access->id, access->document, access->now_ms, reterr)
                          : code;
}

static enum err judge(const struct http_request *request, enum role *ret_role, struct error *reterr)
{
    const char *role = json_get_str(request->json, "role"), *expires = json_get_str(request->json, "expiresAt");
    int64_t expires_ms = 0;
    *ret_role = role == NULL ? ROLE_VIEWER : role_parse(role);
    if (*ret_role > request->principal->role)
        return error_set(reterr, ERR_FORBIDDEN, "role", "The key's role may be at most yours, %s.",
                         role_name(request->principal->role));
    if (request->principal->key_id != NULL)
        return error_set(reterr, ERR_FORBIDDEN, NULL, "An API key cannot make another; log in.");
    if (expires != NULL && (clock_parse_iso(expires, &expires_ms) != 0 || expires_ms <= clock_now_ms()))
        return error_set(reterr, ERR_VALIDATION, "expiresAt",
                         "expiresAt must be a time in the future such as 2030-01-31T00:00:00Z, or null.");
    return ERR_OK;
}

static enum err create_key(struct api *api, struct http_request *request, struct error *reterr)
{
    enum role role = ROLE_VIEWER;
    char id[ID_TEXT_BYTES], at[ISO_TEXT_BYTES], secret[AUTH_SECRET_TEXT_BYTES], hash[AUTH_HASH_TEXT_BYTES];
    struct access access = {.id = id, .now_ms = clock_now_ms()};
    if (!auth_is_required(api->options.auth))
        return error_set(reterr, ERR_CONFLICT, NULL, "This service needs no key: it has no JWT_SECRET.");
    enum err code = judge(request, &role, reterr);
    if (code != ERR_OK)
        return code;
    id_new(id);
    auth_new_secret(secret);
    const char *key = arena_printf(&request->arena, "cdl_%s", secret);
    auth_hash_token(key, hash);
    clock_format_iso(access.now_ms, at);
    AUTO_JSON struct json *document = json_object_new();
    json_set_str(document, "id", id);
    json_set_str(document, "name", json_get_str(request->json, "name"));
    json_set_str(document, "hash", hash);
    json_set_str(document, "prefix", arena_printf(&request->arena, "%.*s", SHOWN_BYTES, key));
    json_set_str(document, "role", role_name(role));
    json_set_str(document, "userId", request->principal->id);
    json_set_str(document, "username", request->principal->name);
    json_set_str(document, "createdAt", at);
    json_set_str(document, "expiresAt", json_get_str(request->json, "expiresAt"));
    json_set_str(document, "lastUsedAt", NULL);
    access.document = document;
    code = store_write(api->options.store, write_key, &access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *answer = view_of(document);
    json_set_str(answer, "key", key); /* this once */
    http_reply(request, 201, answer);
    return ERR_OK;
}

static enum err remove_key(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    json_unref(access->loaded); /* of an attempt that was undone */
    access->loaded = NULL;
    enum err code = store_get(session, STORE_API_KEYS, access->id, &access->loaded, reterr);
    if (code == ERR_OK && !is_of(access->loaded, access->owner))
        code = error_set(reterr, ERR_NOT_FOUND, "id", "There is no such API key of yours.");
    return code == ERR_OK ? store_remove(session, STORE_API_KEYS, access->id, reterr) : code;
}

static enum err delete_key(struct api *api, struct http_request *request, struct error *reterr)
{
    struct access access = {.id = request->params[0], .owner = owner_filter(request)};
    enum err code = store_write(api->options.store, remove_key, &access, reterr);
    if (access.loaded != NULL)
        auth_forget_key(api->options.auth, json_get_str(access.loaded, "hash"));
    json_unref(access.loaded);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}

const struct route api_key_routes[] = {
    {"GET", BASE, ROLE_VIEWER, 0, NULL, NULL, 200, "access", "List one's API keys; an administrator sees all",
     list_keys, &answer_api_keys},
    {"POST", BASE, ROLE_VIEWER, 0, new_fields, NULL, 201, "access", "Create an API key, shown this once", create_key,
     &answer_new_api_key},
    {"DELETE", BASE "/:id", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 204, "access", "Delete an API key", delete_key, NULL},
    {0}};
