/* Documents of a scope. */
#include "gateway/scoped.h"

#include "broker/messages.h"
#include <stdlib.h>

struct access {
    const struct scoped_kind *kind;
    const char *flow_id, *id; /* flow_id NULL: global */
    const struct json *document;
    struct json *loaded;
    int64_t now_ms;
    bool create;
};

static bool is_of_flow(const struct http_request *request)
{
    const struct route *route = request->route;
    return (route->flags & ROUTE_ID) != 0;
}

static const char *flow_of(const struct http_request *request)
{
    return is_of_flow(request) ? request->params[0] : NULL;
}

static const char *name_of(const struct http_request *request)
{
    return request->params[is_of_flow(request) ? 1 : 0];
}

struct json *scoped_view(const struct json *document)
{
    static const char *const shown[] = {"name",      "scope",     "flowId",    "description",
                                        "createdAt", "createdBy", "updatedAt", "updatedBy"};
    struct json *view = json_object_new();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_set(view, shown[i], json_ref(json_get(document, shown[i])));
    return view;
}

void scoped_changed(struct api *api)
{
    static const char changed[] = "{\"v\":1,\"vault\":true}";
    vault_forget(api->options.vault);
    broker_broadcast(api->connection, TOPIC_CONTROL, changed, sizeof changed - 1);
}

/* ---- reading */

static enum err check_flow(struct store_session *session, const char *flow_id, struct error *reterr)
{
    int version;
    return flow_id == NULL ? ERR_OK : store_flow_version(session, flow_id, false, &version, reterr);
}

static enum err read_list(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    enum err code = check_flow(session, access->flow_id, reterr);
    if (code != ERR_OK)
        return code;
    return store_scope_list(session, access->kind->table, access->flow_id == NULL ? VAULT_GLOBAL : access->flow_id,
                            NULL, VAULT_SCOPE_MAX, &access->loaded, reterr);
}

enum err scoped_list(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                     struct error *reterr)
{
    struct access access = {.kind = kind, .flow_id = flow_of(request)};
    enum err code = api_read(api, read_list, &access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(access.loaded); i++)
        json_push(list, kind->view(api, json_at(access.loaded, i)));
    json_unref(access.loaded);
    http_reply(request, 200, list);
    return ERR_OK;
}

static enum err not_found(const struct access *access, const char *name, struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND, "name", "There is no %s %.70s %s.", access->kind->noun, name,
                     access->flow_id == NULL ? "that is global" : "of this flow");
}

static enum err read_one(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    enum err code = check_flow(session, access->flow_id, reterr);
    return code == ERR_OK ? store_get(session, access->kind->table, access->id, &access->loaded, reterr) : code;
}

enum err scoped_get(struct api *api, struct http_request *request, const struct scoped_kind *kind, struct error *reterr)
{
    const char *name = name_of(request);
    enum err code = vault_check_name(name, reterr);
    if (code != ERR_OK)
        return code;
    struct access access = {
        .kind = kind, .flow_id = flow_of(request), .id = vault_id(&request->arena, flow_of(request), name)};
    code = api_read(api, read_one, &access, reterr);
    if (code == ERR_NOT_FOUND && access.loaded == NULL && strcmp(reterr->field, "id") == 0)
        return not_found(&access, name, reterr);
    if (code != ERR_OK)
        return code;
    http_reply(request, 200, kind->view(api, access.loaded));
    json_unref(access.loaded);
    return ERR_OK;
}

/* ---- writing */

static enum err check_room(struct store_session *session, const struct access *access, struct error *reterr)
{
    AUTO_JSON struct json *list = NULL;
    enum err code =
        store_scope_list(session, access->kind->table, access->flow_id == NULL ? VAULT_GLOBAL : access->flow_id, NULL,
                         VAULT_SCOPE_MAX, &list, reterr);
    if (code == ERR_OK && json_count(list) >= VAULT_SCOPE_MAX)
        code = error_set(reterr, ERR_CONFLICT, "name", "There are %d %ss already; delete those no longer used.",
                         VAULT_SCOPE_MAX, access->kind->noun);
    return code;
}

/* Who made it, and what is said of it, stay; `loaded` is what was there, or NULL. */
static struct json *merge(const struct access *access, const struct json *present)
{
    static const char *const kept[] = {"createdAt", "createdBy"};
    struct json *document = json_dup(access->document);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (present != NULL)
            json_set(document, kept[i], json_dup(json_get(present, kept[i])));
    if (present != NULL && !json_has(document, "description"))
        json_set(document, "description", json_dup(json_get(present, "description")));
    return document;
}

static enum err write_one(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    AUTO_JSON struct json *present = NULL;
    json_unref(access->loaded); /* of an attempt that was undone */
    access->loaded = NULL;
    enum err code = check_flow(session, access->flow_id, reterr);
    if (code != ERR_OK)
        return code;
    code = store_get(session, access->kind->table, access->id, &present, reterr);
    if (code == ERR_OK && access->create)
        return error_set(reterr, ERR_CONFLICT, "name", "There is a %s %s already; PUT changes it.", access->kind->noun,
                         json_get_str(access->document, "name"));
    if (code == ERR_NOT_FOUND)
        code = check_room(session, access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *document = merge(access, present);
    code = store_put(session, access->kind->table, access->id, document, access->now_ms, reterr);
    access->loaded = document;
    return code;
}

static struct json *new_document(const struct http_request *request, const char *name, int64_t now_ms)
{
    struct json *document = json_object_new();
    const char *flow_id = flow_of(request);
    char at[ISO_TEXT_BYTES];
    clock_format_iso(now_ms, at);
    json_set_str(document, "name", name);
    json_set_str(document, "scope", flow_id == NULL ? "global" : "flow");
    json_set_str(document, "flowId", flow_id);
    if (json_has(request->json, "description"))
        json_set_str(document, "description", json_get_str(request->json, "description"));
    json_set_str(document, "createdAt", at);
    json_set_str(document, "createdBy", request->principal->name);
    json_set_str(document, "updatedAt", at);
    json_set_str(document, "updatedBy", request->principal->name);
    return document;
}

enum err scoped_write(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                      enum scoped_write how, struct error *reterr)
{
    const struct route *route = request->route;
    const char *name = how == SCOPED_CREATE ? json_get_str(request->json, "name") : name_of(request);
    struct access access = {
        .kind = kind, .flow_id = flow_of(request), .now_ms = clock_now_ms(), .create = how == SCOPED_CREATE};
    enum err code = vault_check_name(name, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *document = new_document(request, name, access.now_ms);
    code = kind->set_value(api, request->json, document, reterr);
    if (code != ERR_OK)
        return code;
    access.id = vault_id(&request->arena, access.flow_id, name);
    access.document = document;
    code = store_write(api->options.store, write_one, &access, reterr);
    scoped_changed(api); /* even if the outcome is not known */
    if (code == ERR_OK)
        http_reply(request, route->status, kind->view(api, access.loaded));
    json_unref(access.loaded);
    return code;
}

static enum err remove_one(struct store_session *session, void *arg, struct error *reterr)
{
    const struct access *access = arg;
    return store_remove(session, access->kind->table, access->id, reterr);
}

enum err scoped_delete(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                       struct error *reterr)
{
    const char *name = name_of(request);
    struct access access = {
        .kind = kind, .flow_id = flow_of(request), .id = vault_id(&request->arena, flow_of(request), name)};
    enum err code = vault_check_name(name, reterr);
    if (code != ERR_OK)
        return code;
    code = store_write(api->options.store, remove_one, &access, reterr);
    scoped_changed(api);
    if (code == ERR_NOT_FOUND)
        return not_found(&access, name, reterr);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}
