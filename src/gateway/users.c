/* Routes of users. */
#include "gateway/users.h"

#include <stdlib.h>

#define BASE "/api/v1/users"

static const struct field new_fields[] = {
    {.name = "username",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 64,
     .pattern = "^[A-Za-z0-9._@-]+$",
     .help = "Unique without regard to case."},
    {.name = "password",
     .kind = FIELD_STRING,
     .required = true,
     .secret = true,
     .max = AUTH_PASSWORD_MAX,
     .help = "10 bytes or more."},
    {.name = "role",
     .kind = FIELD_ENUM,
     .required = true,
     .values = role_names,
     .help = "viewer sees, operator also runs, editor also changes flows, admin also users and settings."},
    {0}};
static const struct field change_fields[] = {
    {.name = "password",
     .kind = FIELD_STRING,
     .secret = true,
     .max = AUTH_PASSWORD_MAX,
     .help = "A new one; ends the user's sessions."},
    {.name = "role", .kind = FIELD_ENUM, .values = role_names, .help = "The new role; holds at once."},
    {.name = "disabled", .kind = FIELD_BOOL, .help = "Shuts the user out; sessions end, API keys stop working."},
    {0}};

struct access {
    const char *id;
    user_apply_fn apply;
    void *arg;
    const struct json *document;
    struct json *loaded;
    int64_t now_ms;
};

static enum err read_user(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_get(session, STORE_USERS, access->id, &access->loaded, reterr);
}

enum err user_load(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    struct access access = {.id = id};
    enum err code = api_read(api, read_user, &access, reterr);
    if (code == ERR_OK)
        *ret = access.loaded;
    return code;
}

static enum err write_change(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    AUTO_JSON struct json *present = NULL;
    char at[ISO_TEXT_BYTES];
    enum err code = store_get(session, STORE_USERS, access->id, &present, reterr);
    if (code != ERR_OK)
        return code;
    struct json *user = json_dup(present);
    code = access->apply(session, user, access->arg, reterr);
    clock_format_iso(access->now_ms, at);
    json_set_str(user, "updatedAt", at);
    if (code == ERR_OK)
        code = store_put(session, STORE_USERS, access->id, user, access->now_ms, reterr);
    json_unref(access->loaded); /* of an attempt that was undone */
    access->loaded = user;
    return code;
}

enum err user_change(struct api *api, const char *id, user_apply_fn apply, void *arg, struct json **ret,
                     struct error *reterr)
{
    struct access access = {.id = id, .apply = apply, .arg = arg, .now_ms = clock_now_ms()};
    enum err code = store_write(api->options.store, write_change, &access, reterr);
    auth_forget_user(api->options.auth, id); /* even if the outcome is not known */
    if (code == ERR_OK && ret != NULL)
        *ret = access.loaded;
    else
        json_unref(access.loaded);
    return code;
}

void user_end_sessions(struct json *user, const char *id, const char *except)
{
    const struct json *all = json_get(user, "sessions");
    struct json *kept = json_array_new();
    for (size_t i = 0; i < json_count(all); i++) {
        const char *session = json_get_str(json_at(all, i), "id");
        bool goes = id == NULL ? except == NULL || strcmp(session, except) != 0 : strcmp(session, id) == 0;
        if (!goes)
            json_push(kept, json_ref(json_at(all, i)));
    }
    json_set(user, "sessions", kept);
}

struct json *user_view(const struct json *user)
{
    static const char *const shown[] = {"id", "username", "role", "disabled", "createdAt", "updatedAt"};
    struct json *view = json_object_new();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_set(view, shown[i], json_ref(json_get(user, shown[i])));
    json_set_bool(view, "disabled", json_get_bool(user, "disabled", false));
    json_set_int(view, "sessions", (int64_t)json_count(json_get(user, "sessions")));
    return view;
}

/* ---- reading */

static enum err read_users(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_all(session, STORE_USERS, &access->loaded, reterr);
}

static enum err list_users(struct api *api, struct http_request *request, struct error *reterr)
{
    struct access access = {0};
    enum err code = api_read(api, read_users, &access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(access.loaded); i++)
        json_push(list, user_view(json_at(access.loaded, i)));
    json_unref(access.loaded);
    http_reply(request, 200, list);
    return ERR_OK;
}

static enum err get_user(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *user = NULL;
    enum err code = user_load(api, request->params[0], &user, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, user_view(user));
    return code;
}

/* ---- writing */

static enum err write_new(struct store_session *session, void *arg, struct error *reterr)
{
    const struct access *access = arg;
    return store_put(session, STORE_USERS, access->id, access->document, access->now_ms, reterr);
}

static bool lower_username(char *name)
{
    for (; *name != '\0'; name++) {
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name | 0x20);
        if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || strchr("._@-", *name) != NULL))
            return false;
    }
    return true;
}

static enum err create_user(struct api *api, struct http_request *request, struct error *reterr)
{
    char *username = arena_dup(&request->arena, json_get_str(request->json, "username"));
    const char *password = json_get_str(request->json, "password");
    AUTO_FREE char *hash = NULL;
    char id[ID_TEXT_BYTES], at[ISO_TEXT_BYTES];
    struct access access = {.id = id, .now_ms = clock_now_ms()};
    if (!lower_username(username))
        return error_set(reterr, ERR_VALIDATION, "username",
                         "username may have letters, digits, '.', '_', '-' and '@'.");
    enum err code = auth_judge_password("password", password, username, reterr);
    if (code == ERR_OK)
        code = auth_hash_password(password, &hash, reterr);
    if (code != ERR_OK)
        return code;
    id_new(id);
    clock_format_iso(access.now_ms, at);
    AUTO_JSON struct json *user = json_object_new();
    json_set_str(user, "id", id);
    json_set_str(user, "username", username);
    json_set_str(user, "passwordHash", hash);
    json_set_str(user, "role", json_get_str(request->json, "role"));
    json_set_bool(user, "disabled", false);
    json_set_str(user, "createdAt", at);
    json_set_str(user, "updatedAt", at);
    json_set(user, "sessions", json_array_new());
    access.document = user;
    code = store_write(api->options.store, write_new, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 201, user_view(user));
    return code;
}

/* Without an administrator nobody could make one. */
static enum err check_not_last(struct store_session *session, const struct json *user, struct error *reterr)
{
    AUTO_JSON struct json *all = NULL;
    enum err code = store_all(session, STORE_USERS, &all, reterr);
    if (code != ERR_OK || role_parse(json_get_str(user, "role")) != ROLE_ADMIN)
        return code;
    for (size_t i = 0; i < json_count(all); i++) {
        const struct json *other = json_at(all, i);
        if (strcmp(json_get_str(other, "id"), json_get_str(user, "id")) != 0 &&
            role_parse(json_get_str(other, "role")) == ROLE_ADMIN && !json_get_bool(other, "disabled", false))
            return ERR_OK;
    }
    return error_set(reterr, ERR_CONFLICT, "role", "This is the last active administrator; make another one first.");
}

struct user_changes {
    const struct json *body; /* not shared while the request waits for the write */
    const char *hash;
};

static enum err apply_changes(struct store_session *session, struct json *user, void *arg, struct error *reterr)
{
    const struct user_changes *changes = arg;
    const char *role = json_get_str(changes->body, "role");
    bool disabled = json_get_bool(changes->body, "disabled", json_get_bool(user, "disabled", false));
    enum err code = ERR_OK;
    if (disabled || (role != NULL && role_parse(role) != ROLE_ADMIN))
        code = check_not_last(session, user, reterr);
    if (code != ERR_OK)
        return code;
    if (role != NULL)
        json_set_str(user, "role", role);
    json_set_bool(user, "disabled", disabled);
    if (changes->hash != NULL) {
        json_set_str(user, "passwordHash", changes->hash);
        json_remove(user, "initialPassword");
    }
    if (changes->hash != NULL || disabled)
        user_end_sessions(user, NULL, NULL);
    return ERR_OK;
}

static enum err change_user(struct api *api, struct http_request *request, struct error *reterr)
{
    const char *password = json_get_str(request->json, "password");
    AUTO_JSON struct json *present = NULL, *changed = NULL;
    AUTO_FREE char *hash = NULL;
    enum err code = user_load(api, request->params[0], &present, reterr);
    if (code == ERR_OK && password != NULL)
        code = auth_judge_password("password", password, json_get_str(present, "username"), reterr);
    if (code == ERR_OK && password != NULL)
        code = auth_hash_password(password, &hash, reterr);
    struct user_changes changes = {.body = request->json, .hash = hash};
    if (code == ERR_OK)
        code = user_change(api, request->params[0], apply_changes, &changes, &changed, reterr);
    if (code != ERR_OK)
        return code;
    if (hash != NULL && json_get_bool(present, "initialPassword", false))
        auth_remove_initial_password(api->options.auth);
    http_reply(request, 200, user_view(changed));
    return ERR_OK;
}

static enum err write_removal(struct store_session *session, void *arg, struct error *reterr)
{
    const struct access *access = arg;
    AUTO_JSON struct json *user = NULL;
    enum err code = store_get(session, STORE_USERS, access->id, &user, reterr);
    if (code == ERR_OK)
        code = check_not_last(session, user, reterr);
    return code == ERR_OK ? store_remove(session, STORE_USERS, access->id, reterr) : code;
}

static enum err delete_user(struct api *api, struct http_request *request, struct error *reterr)
{
    struct access access = {.id = request->params[0]};
    enum err code = store_write(api->options.store, write_removal, &access, reterr);
    auth_forget_user(api->options.auth, access.id);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}

const struct route user_routes[] = {
    {"GET", BASE, ROLE_ADMIN, 0, NULL, NULL, 200, "access", "List users", list_users, &answer_users},
    {"POST", BASE, ROLE_ADMIN, 0, new_fields, NULL, 201, "access", "Create a user", create_user, &answer_user},
    {"GET", BASE "/:id", ROLE_ADMIN, ROUTE_ID, NULL, NULL, 200, "access", "Get a user", get_user, &answer_user},
    {"PUT", BASE "/:id", ROLE_ADMIN, ROUTE_ID, change_fields, NULL, 200, "access",
     "Change a user's role or password, or disable them", change_user, &answer_user},
    {"DELETE", BASE "/:id", ROLE_ADMIN, ROUTE_ID, NULL, NULL, 204, "access",
     "Delete a user; their sessions and API keys stop working", delete_user, NULL},
    {0}};
