/* Routes of secrets: values that flows use as {{ secrets.NAME }}, and that nothing shows again. */
#include "gateway/scoped.h"

#include <stdlib.h>

#define BASE "/api/v1/secrets"
#define FLOW_BASE "/api/v1/flows/:id/secrets"
#define ROTATE_MS 5000 /* of one call */
#define ROTATE_PORTION 100
#define UNREADABLE_SHOWN 100

#define VALUE_FIELDS                                                                                                   \
    {.name = "value",                                                                                                  \
     .kind = FIELD_STRING,                                                                                             \
     .required = true,                                                                                                 \
     .secret = true,                                                                                                   \
     .min = VAULT_SECRET_MIN,                                                                                          \
     .max = VAULT_VALUE_BYTES,                                                                                         \
     .help = "Text of 8 characters or more, at most 16 KiB. Never shown again."},                                      \
    {                                                                                                                  \
        .name = "description", .kind = FIELD_STRING, .nullable = true, .max = LIMIT_DESCRIPTION_CHARS,                 \
        .help = "What it is for."                                                                                      \
    }
static const struct field new_fields[] = {{.name = "name",
                                           .kind = FIELD_STRING,
                                           .required = true,
                                           .min = 1,
                                           .max = VAULT_NAME_MAX,
                                           .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
                                           .help = "As in {{ secrets.NAME }}."},
                                          VALUE_FIELDS,
                                          {0}};
static const struct field put_fields[] = {VALUE_FIELDS, {0}};

static struct json *view(const struct api *api, const struct json *document)
{
    struct json *shown = scoped_view(document);
    json_set_bool(shown, "readable", vault_is_readable(api->options.vault, document));
    json_set_bool(shown, "current", vault_is_current(api->options.vault, document));
    return shown;
}

static enum err set_value(const struct api *api, const struct json *body, struct json *document, struct error *reterr)
{
    const struct json *value = json_get(body, "value");
    size_t size = json_as_str_len(value);
    enum err code = vault_has_key(api->options.vault, reterr);
    if (code != ERR_OK)
        return code;
    if (size > VAULT_VALUE_BYTES)
        return error_set(reterr, ERR_TOO_LARGE, "value", "value has %zu bytes, it may have %d.", size,
                         VAULT_VALUE_BYTES);
    if (strlen(json_as_str(value)) != size)
        return error_set(reterr, ERR_VALIDATION, "value",
                         "value must be text without NUL; encode other data in base64.");
    return vault_seal(api->options.vault, document, json_as_str(value), size, reterr);
}

static const struct scoped_kind secrets = {
    .table = STORE_SECRETS, .noun = "secret", .view = view, .set_value = set_value};

static enum err list_secrets(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_list(api, request, &secrets, reterr);
}

static enum err create_secret(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_write(api, request, &secrets, SCOPED_CREATE, reterr);
}

static enum err get_secret(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_get(api, request, &secrets, reterr);
}

static enum err put_secret(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_write(api, request, &secrets, SCOPED_PUT, reterr);
}

static enum err delete_secret(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_delete(api, request, &secrets, reterr);
}

/* ---- sealing all anew under the first key */

struct rotation {
    const struct api *api;
    struct arena *arena;
    int64_t now_ms;
    size_t total, stale, resealed, unreadable_count;
    struct json *unreadable;
    /* the portion under way; written again from scratch when it is repeated */
    char **ids;
    size_t count, sealed_now;
};

static void note_unreadable(struct rotation *rotation, const struct json *document)
{
    static const char *const shown[] = {"name", "scope", "flowId"};
    if (rotation->unreadable_count++ >= UNREADABLE_SHOWN)
        return;
    struct json *place = json_object_new();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_set(place, shown[i], json_dup(json_get(document, shown[i])));
    json_push(rotation->unreadable, place);
}

static char *id_of(struct arena *arena, const struct json *document)
{
    return vault_id(arena, json_get_str(document, "flowId"), json_get_str(document, "name"));
}

/* What is not sealed under the first key, and can be opened. */
static enum err find_stale(struct store_session *session, void *arg, struct error *reterr)
{
    struct rotation *rotation = arg;
    const struct vault *vault = rotation->api->options.vault;
    const char *after = NULL;
    size_t n = ROTATE_PORTION, cap = 0;
    enum err code = ERR_OK;
    while (n == ROTATE_PORTION) {
        AUTO_JSON struct json *list = NULL;
        code = store_scope_list(session, STORE_SECRETS, NULL, after, ROTATE_PORTION, &list, reterr);
        if (code != ERR_OK)
            return code;
        n = json_count(list);
        for (size_t i = 0; i < n; i++) {
            const struct json *document = json_at(list, i);
            rotation->total++;
            after = id_of(rotation->arena, document);
            if (vault_is_current(vault, document))
                continue;
            if (!vault_is_readable(vault, document)) {
                note_unreadable(rotation, document);
                continue;
            }
            if (rotation->stale == cap) {
                cap = cap == 0 ? ROTATE_PORTION : cap * 2;
                rotation->ids = mem_resize(rotation->ids, cap * sizeof *rotation->ids);
            }
            rotation->ids[rotation->stale++] = arena_dup(rotation->arena, after);
        }
    }
    return code;
}

/* Each is read again, and held: somebody may have given it another value meanwhile. */
static enum err reseal_portion(struct store_session *session, void *arg, struct error *reterr)
{
    struct rotation *rotation = arg;
    const struct vault *vault = rotation->api->options.vault;
    rotation->sealed_now = 0;
    for (size_t i = 0; i < rotation->count; i++) {
        AUTO_JSON struct json *present = NULL;
        const char *id = rotation->ids[rotation->resealed + i];
        enum err code = store_get(session, STORE_SECRETS, id, &present, reterr);
        if (code == ERR_NOT_FOUND || (code == ERR_OK && vault_is_current(vault, present)))
            continue;
        if (code != ERR_OK)
            return code;
        AUTO_JSON struct json *document = json_dup(present);
        if (vault_reseal(vault, document, NULL) != ERR_OK)
            continue; /* it is under another key since; the next call tells of it */
        code = store_put(session, STORE_SECRETS, id, document, rotation->now_ms, reterr);
        if (code != ERR_OK)
            return code;
        rotation->sealed_now++;
    }
    return ERR_OK;
}

static struct json *answer_of(const struct rotation *rotation, size_t sealed, bool done)
{
    struct json *answer = json_object_new();
    json_set_bool(answer, "done", done);
    json_set_int(answer, "total", (int64_t)rotation->total);
    json_set_int(answer, "resealed", (int64_t)sealed);
    json_set_int(answer, "remaining", (int64_t)(rotation->stale - rotation->resealed));
    json_set_int(answer, "unreadableCount", (int64_t)rotation->unreadable_count);
    json_set(answer, "unreadable", json_ref(rotation->unreadable));
    return answer;
}

/* In portions, each a write of its own: where it ends early, by its time or by a crash, the next call goes on. Values
 * do not change, so that nobody else must know. */
static enum err rotate(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *unreadable = json_array_new();
    struct rotation rotation = {
        .api = api, .arena = &request->arena, .now_ms = clock_now_ms(), .unreadable = unreadable};
    int64_t until_us = clock_monotonic_us() + ROTATE_MS * INT64_C(1000);
    size_t sealed = 0;
    enum err code = vault_has_key(api->options.vault, reterr);
    if (code == ERR_OK)
        code = api_read(api, find_stale, &rotation, reterr);
    while (code == ERR_OK && rotation.resealed < rotation.stale && clock_monotonic_us() < until_us) {
        size_t left = rotation.stale - rotation.resealed;
        rotation.count = left < ROTATE_PORTION ? left : ROTATE_PORTION;
        code = store_write(api->options.store, reseal_portion, &rotation, reterr);
        if (code == ERR_OK) {
            sealed += rotation.sealed_now;
            rotation.resealed += rotation.count;
        }
    }
    free(rotation.ids);
    if (code == ERR_OK)
        http_reply(request, 200, answer_of(&rotation, sealed, rotation.resealed == rotation.stale));
    return code;
}

const struct route secret_routes[] = {
    {"GET", BASE, ROLE_VIEWER, 0, NULL, NULL, 200, "secrets", "List the global secrets, without their values",
     list_secrets, &answer_secrets},
    {"POST", BASE, ROLE_EDITOR, 0, new_fields, NULL, 201, "secrets", "Create a global secret", create_secret,
     &answer_secret},
    {"POST", BASE "/rotate", ROLE_ADMIN, 0, NULL, NULL, 200, "secrets",
     "Seal all secrets anew under the first key of SECRETS_KEY; to be called again until done", rotate,
     &answer_rotation},
    {"GET", BASE "/:name", ROLE_VIEWER, 0, NULL, NULL, 200, "secrets", "Tell of a global secret, without its value",
     get_secret, &answer_secret},
    {"PUT", BASE "/:name", ROLE_EDITOR, 0, put_fields, NULL, 200, "secrets",
     "Create a global secret, or give it another value", put_secret, &answer_secret},
    {"DELETE", BASE "/:name", ROLE_EDITOR, 0, NULL, NULL, 204, "secrets", "Delete a global secret", delete_secret,
     NULL},
    {"GET", FLOW_BASE, ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "secrets",
     "List a flow's own secrets, without their values; they hide global ones of the same name", list_secrets,
     &answer_secrets},
    {"POST", FLOW_BASE, ROLE_EDITOR, ROUTE_ID, new_fields, NULL, 201, "secrets", "Create a secret of a flow",
     create_secret, &answer_secret},
    {"GET", FLOW_BASE "/:name", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "secrets",
     "Tell of a secret of a flow, without its value", get_secret, &answer_secret},
    {"PUT", FLOW_BASE "/:name", ROLE_EDITOR, ROUTE_ID, put_fields, NULL, 200, "secrets",
     "Create a secret of a flow, or give it another value", put_secret, &answer_secret},
    {"DELETE", FLOW_BASE "/:name", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 204, "secrets", "Delete a secret of a flow",
     delete_secret, NULL},
    {0}};
