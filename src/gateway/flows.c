/* Routes of flows and their versions (api-contract 1.2). */
#include "gateway/api_int.h"

#include "flow/diff.h"
#include "gateway/webhooks.h"
#include "nodes/script_check.h"
#include <stdio.h>
#include <stdlib.h>

struct change {
    const char *id;
    const struct json *document;
    struct json *loaded;
    int version;
    const char *author, *note; /* of a publication */
    int64_t now_ms;
};

static enum err read_flow(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    if (change->version > 0)
        return store_flow_load_version(session, change->id, change->version, &change->loaded, reterr);
    return store_flow_load(session, change->id, &change->loaded, reterr);
}

static enum err load(struct api *api, const char *id, int version, struct json **ret, struct error *reterr)
{
    struct change change = {.id = id, .version = version};
    enum err code = api_read(api, read_flow, &change, reterr);
    if (code == ERR_OK)
        *ret = change.loaded;
    return code;
}

/* Positions go out as numbers whatever they came as (contract 7.4, 19). */
static double coordinate(const struct json *value)
{
    const char *text = json_as_str(value);
    return text != NULL ? strtod(text, NULL) : json_as_double(value);
}

static bool is_coordinate(const struct json *value)
{
    const char *text = json_as_str(value);
    char *end;
    if (text == NULL)
        return json_is_number(value);
    (void)strtod(text, &end);
    return end != text && *end == '\0';
}

static enum err normal_nodes(const struct json *nodes, struct json **ret, struct error *reterr)
{
    static const char *const kept[] = {"id", "type", "version", "config", "parentId", "size"};
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i), *position = json_get(node, "position");
        struct json *copy = json_object_new(), *place = json_object_new();
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
            if (json_has(node, kept[k]))
                json_set(copy, kept[k], json_ref(json_get(node, kept[k])));
        for (int axis = 0; axis < 2; axis++) {
            const char *name = axis == 0 ? "x" : "y";
            if (!is_coordinate(json_get(position, name))) {
                char field[60];
                (void)snprintf(field, sizeof field, "nodes[%zu].position.%s", i, name);
                json_unref(copy);
                json_unref(place);
                json_unref(list);
                return error_set(reterr, ERR_VALIDATION, field, "%s must be a number, or a number in a string.", field);
            }
            json_set_double(place, name, coordinate(json_get(position, name)));
        }
        json_set(copy, "position", place);
        json_push(list, copy);
    }
    *ret = list;
    return ERR_OK;
}

/* What is kept of a body: known members, nodes in normal form. */
static enum err normal_flow(const struct json *body, struct json **ret, struct error *reterr)
{
    static const char *const kept[] = {"name", "description", "connections", "settings", "metadata", "status", "note"};
    struct json *document = json_object_new();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_has(body, kept[i]))
            json_set(document, kept[i], json_ref(json_get(body, kept[i])));
    if (json_has(body, "nodes")) {
        struct json *nodes = NULL;
        enum err code = normal_nodes(json_get(body, "nodes"), &nodes, reterr);
        if (code != ERR_OK) {
            json_unref(document);
            return code;
        }
        json_set(document, "nodes", nodes);
    }
    *ret = document;
    return ERR_OK;
}

static struct json *verdict(struct api *api, const struct json *definition)
{
    struct json *errors = json_array_new(), *warnings = json_array_new(), *result = json_object_new();
    flow_validate(definition, node_registry_catalog(), errors, warnings);
    node_scripts_check(api->desk, definition, warnings);
    json_set_bool(result, "valid", json_count(errors) == 0);
    json_set(result, "errors", errors);
    json_set(result, "warnings", warnings);
    return result;
}

/* *ret_warnings: an array of what is doubtful; yours. */
static enum err refuse_broken(struct api *api, const struct json *definition, struct json **ret_warnings,
                              struct error *reterr)
{
    AUTO_JSON struct json *result = verdict(api, definition);
    const struct json *first = json_at(json_get(result, "errors"), 0);
    if (first == NULL) {
        *ret_warnings = json_ref(json_get(result, "warnings"));
        return ERR_OK;
    }
    return error_set(reterr, ERR_VALIDATION, json_get_str(first, "field"), "%s", json_get_str(first, "message"));
}

struct listing {
    const struct json *filter;
    struct json *page;
    enum err (*list)(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
};

static enum err read_list(struct store_session *session, void *arg, struct error *reterr)
{
    struct listing *listing = arg;
    return listing->list(session, listing->filter, &listing->page, reterr);
}

static enum err list_flows(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {"status", "search", NULL};
    static const char *const known[] = {"draft", "active", "inactive", "archived", NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    const char *status = json_get_str(filter, "status");
    bool good = status == NULL;
    for (size_t i = 0; status != NULL && known[i] != NULL; i++)
        good |= strcmp(status, known[i]) == 0;
    if (code == ERR_OK && !good)
        code = error_set(reterr, ERR_VALIDATION, "status",
                         "status must be draft, active, inactive or archived, not \"%.40s\".", status);
    struct listing listing = {.filter = filter, .list = store_flow_list};
    if (code == ERR_OK)
        code = api_read(api, read_list, &listing, reterr);
    if (code != ERR_OK)
        return code;
    json_set_int(listing.page, "total", json_get_int(json_get(listing.page, "pagination"), "total", 0));
    http_reply(request, 200, listing.page);
    return ERR_OK;
}

static void add_warnings(struct json *flow, const struct json *warnings)
{
    if (json_count(warnings) > 0)
        json_set(flow, "warnings", json_ref(warnings));
}

static enum err write_new(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    return store_flow_insert(session, change->document, change->now_ms, reterr);
}

static enum err create_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *document = NULL;
    AUTO_JSON struct json *warnings = NULL;
    enum err code = normal_flow(request->json, &document, reterr);
    if (code == ERR_OK)
        code = refuse_broken(api, document, &warnings, reterr);
    if (code != ERR_OK)
        return code;
    char id[ID_TEXT_BYTES];
    id_new(id);
    json_set_str(document, "id", id);
    json_set_str(document, "status", "draft");
    json_set_str(document, "createdBy", request->principal->name);
    struct change change = {.id = id, .document = document, .now_ms = clock_now_ms()};
    code = store_write(api->options.store, write_new, &change, reterr);
    if (code != ERR_OK)
        return code;
    api_changed(api);
    struct json *flow = NULL;
    code = load(api, id, 0, &flow, reterr);
    if (code != ERR_OK)
        return code;
    add_warnings(flow, warnings);
    http_reply(request, 201, flow);
    return ERR_OK;
}

static enum err get_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *flow = NULL;
    enum err code = load(api, request->params[0], 0, &flow, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, flow);
    return code;
}

static enum err write_change(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    return store_flow_update(session, change->id, change->document, change->now_ms, reterr);
}

static bool is_active(const struct json *flow)
{
    const char *status = json_get_str(flow, "status");
    return status != NULL && strcmp(status, "active") == 0;
}

/* Writes what lets the webhooks of `active` count, if nobody else has them. */
static enum err write_active(struct api *api, const struct json *active, store_write_fn write, struct change *change,
                             struct error *reterr)
{
    pthread_mutex_lock(&api->activation);
    enum err code = api_webhooks_renew(api, clock_monotonic_us(), reterr);
    if (code == ERR_OK)
        code = webhook_check(api->webhooks, api->options.store, atomic_load(&api->generation), active, reterr);
    if (code == ERR_OK)
        code = store_write(api->options.store, write, change, reterr);
    if (code == ERR_OK)
        api_changed(api); /* before the next one is checked */
    pthread_mutex_unlock(&api->activation);
    return code;
}

/* `saved` is the flow as it will be. */
static enum err write_checked(struct api *api, const struct json *saved, struct change *change, struct error *reterr)
{
    int published = (int)json_get_int(saved, "publishedVersion", 0);
    if (!is_active(saved))
        return store_write(api->options.store, write_change, change, reterr);
    if (published == 0)
        return write_active(api, saved, write_change, change, reterr);
    AUTO_JSON struct json *used = NULL; /* its webhooks are those of the published version */
    enum err code = load(api, change->id, published, &used, reterr);
    return code == ERR_OK ? write_active(api, used, write_change, change, reterr) : code;
}

static void overlay(struct json *flow, const struct json *changes)
{
    struct json_iter member;
    JSON_EACH(changes, member) json_set(flow, member.key, json_ref(member.value));
}

/* Saves changes and answers with the whole flow. */
static enum err save(struct api *api, struct http_request *request, struct json *changes, const struct json *warnings,
                     bool flat, struct error *reterr)
{
    const char *id = request->params[0];
    struct change change = {.id = id, .document = changes, .now_ms = clock_now_ms()};
    AUTO_JSON struct json *saved = NULL;
    struct json *flow = NULL;
    json_set_str(changes, "updatedBy", request->principal->name);
    enum err code = load(api, id, 0, &saved, reterr);
    if (code != ERR_OK)
        return code;
    overlay(saved, changes);
    code = write_checked(api, saved, &change, reterr);
    if (code == ERR_OK)
        code = load(api, id, 0, &flow, reterr);
    if (code != ERR_OK)
        return code;
    api_changed(api);
    add_warnings(flow, warnings);
    if (flat)
        http_reply_flat(request, 200, flow);
    else
        http_reply(request, 200, flow);
    return ERR_OK;
}

static const char *const statuses[] = {"draft", "active", "inactive", "archived", NULL};
static const struct field status_fields[] = {{.name = "status",
                                              .kind = FIELD_ENUM,
                                              .nullable = true,
                                              .values = statuses,
                                              .help = "Only active flows answer webhooks and schedules."},
                                             {0}};

/* Any subset of the body's members: each is checked as in a whole body. */
static enum err check_partial(const struct json *merged, const struct json *body, struct error *reterr)
{
    enum err code = fields_check(flow_body_fields, merged, reterr);
    return code != ERR_OK ? code : fields_check(status_fields, body, reterr);
}

static enum err update_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *changes = NULL;
    AUTO_JSON struct json *merged = NULL;
    AUTO_JSON struct json *warnings = NULL;
    enum err code = load(api, request->params[0], 0, &merged, reterr);
    if (code != ERR_OK)
        return code;
    overlay(merged, request->json);
    code = check_partial(merged, request->json, reterr);
    if (code == ERR_OK)
        code = normal_flow(request->json, &changes, reterr);
    if (code == ERR_OK && (json_has(changes, "nodes") || json_has(changes, "connections")))
        code = refuse_broken(api, merged, &warnings, reterr);
    return code != ERR_OK ? code : save(api, request, changes, warnings, false, reterr);
}

static enum err write_delete(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    return store_flow_delete(session, change->id, reterr);
}

static enum err delete_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    struct change change = {.id = request->params[0]};
    enum err code = store_write(api->options.store, write_delete, &change, reterr);
    if (code != ERR_OK)
        return code;
    api_changed(api);
    http_reply_empty(request);
    return ERR_OK;
}

static enum err validate_stored(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *flow = NULL;
    enum err code = load(api, request->params[0], 0, &flow, reterr);
    if (code == ERR_OK)
        http_reply_flat(request, 200, verdict(api, flow));
    return code;
}

static enum err validate_body(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_flat(request, 200, verdict(api, request->json));
    return ERR_OK;
}

static enum err read_versions(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    return store_flow_versions(session, change->id, &change->loaded, reterr);
}

static enum err list_versions(struct api *api, struct http_request *request, struct error *reterr)
{
    struct change change = {.id = request->params[0]};
    enum err code = api_read(api, read_versions, &change, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, change.loaded);
    return code;
}

static int version_at(struct http_request *request, unsigned place, struct error *reterr)
{
    char *end;
    long version = strtol(request->params[place], &end, 10);
    if (*end == '\0' && version > 0 && version < 1000000000)
        return (int)version;
    (void)error_set(reterr, ERR_VALIDATION, "version",
                    "The version in the path must be a positive integer, not \"%.40s\".", request->params[place]);
    return 0;
}

static int version_of(struct http_request *request, struct error *reterr)
{
    return version_at(request, 1, reterr);
}

static enum err compare_versions(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *before = NULL;
    AUTO_JSON struct json *after = NULL;
    int first = version_at(request, 1, reterr), second = first == 0 ? 0 : version_at(request, 2, reterr);
    enum err code = second == 0 ? ERR_VALIDATION : load(api, request->params[0], first, &before, reterr);
    if (code == ERR_OK)
        code = load(api, request->params[0], second, &after, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, flow_diff(before, after));
    return code;
}

static enum err get_version(struct api *api, struct http_request *request, struct error *reterr)
{
    int version = version_of(request, reterr);
    struct json *flow = NULL;
    enum err code = version == 0 ? ERR_VALIDATION : load(api, request->params[0], version, &flow, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, flow);
    return code;
}

/* The content of an earlier version becomes the newest one. */
static enum err rollback(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *present = NULL;
    AUTO_JSON struct json *earlier = NULL;
    int version = version_of(request, reterr);
    enum err code = version == 0 ? ERR_VALIDATION : load(api, request->params[0], 0, &present, reterr);
    if (code == ERR_OK && version >= json_get_int(present, "version", 0))
        code = error_set(reterr, ERR_VALIDATION, "version", "version must be below the present version %lld.",
                         (long long)json_get_int(present, "version", 0));
    if (code == ERR_OK)
        code = load(api, request->params[0], version, &earlier, reterr);
    if (code != ERR_OK)
        return code;
    static const char *const content[] = {"nodes", "connections", "settings"};
    char note[60];
    (void)snprintf(note, sizeof note, "Rolled back to version %d", version);
    AUTO_JSON struct json *changes = json_object_new();
    for (size_t i = 0; i < sizeof content / sizeof *content; i++)
        json_set(changes, content[i], json_ref(json_get(earlier, content[i])));
    json_set_str(changes, "note", note);
    return save(api, request, changes, NULL, true, reterr);
}

static const struct field publish_fields[] = {
    {.name = "version",
     .kind = FIELD_INT,
     .nullable = true,
     .max = 1000000000,
     .help = "The version that triggers use from now on; the newest if absent, 0: always the newest."},
    {.name = "note", .kind = FIELD_STRING, .nullable = true, .max = LIMIT_DESCRIPTION_CHARS, .help = "Why."},
    {0}};

static enum err write_publish(struct store_session *session, void *arg, struct error *reterr)
{
    struct change *change = arg;
    return store_flow_publish(session, change->id, change->version, change->author, change->note, change->now_ms,
                              reterr);
}

/* From now on webhooks and schedules use that version; runs by hand use the newest. */
static enum err publish(struct api *api, struct http_request *request, struct error *reterr)
{
    const char *id = request->params[0];
    AUTO_JSON struct json *present = NULL;
    AUTO_JSON struct json *chosen = NULL;
    struct json *flow = NULL;
    enum err code = load(api, id, 0, &present, reterr);
    if (code != ERR_OK)
        return code;
    struct change change = {.id = id,
                            .version = (int)json_get_int(request->json, "version", json_get_int(present, "version", 1)),
                            .author = request->principal->name,
                            .note = json_get_str(request->json, "note"),
                            .now_ms = clock_now_ms()};
    code = load(api, id, change.version, &chosen, reterr);
    if (code != ERR_OK)
        return code;
    code = is_active(chosen) ? write_active(api, chosen, write_publish, &change, reterr)
                             : store_write(api->options.store, write_publish, &change, reterr);
    if (code == ERR_OK)
        code = load(api, id, 0, &flow, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, flow);
    return code;
}

const struct route flow_routes[] = {
    {"GET", "/api/v1/flows", ROLE_VIEWER, ROUTE_LIST, NULL, NULL, 200, "flows", "List flows", list_flows,
     &answer_flow_page},
    {"POST", "/api/v1/flows", ROLE_EDITOR, 0, flow_body_fields, NULL, 201, "flows", "Create a flow", create_flow,
     &answer_flow},
    {"POST", "/api/v1/flows/validate", ROLE_VIEWER, ROUTE_FLAT, flow_body_fields, NULL, 200, "flows",
     "Validate a definition without saving it", validate_body, &answer_flow_check},
    {"GET", "/api/v1/flows/:id", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "flows", "Get a flow", get_flow, &answer_flow},
    {"PUT", "/api/v1/flows/:id", ROLE_EDITOR, ROUTE_ID, status_fields, NULL, 200, "flows",
     "Change a flow; only the given members change", update_flow, &answer_flow},
    {"DELETE", "/api/v1/flows/:id", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 204, "flows",
     "Delete a flow with its schedules and executions", delete_flow, NULL},
    {"POST", "/api/v1/flows/:id/validate", ROLE_VIEWER, ROUTE_ID | ROUTE_FLAT, NULL, NULL, 200, "flows",
     "Validate a stored flow", validate_stored, &answer_flow_check},
    {"POST", "/api/v1/flows/:id/publish", ROLE_EDITOR, ROUTE_ID, publish_fields, NULL, 200, "flows",
     "Choose the version that webhooks and schedules use", publish, &answer_flow},
    {"GET", "/api/v1/flows/:id/versions", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "flows",
     "List the versions of a flow", list_versions, &answer_flow_versions},
    {"GET", "/api/v1/flows/:id/versions/:version", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "flows",
     "Get one version of a flow", get_version, &answer_flow},
    {"GET", "/api/v1/flows/:id/versions/:version/diff/:other", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "flows",
     "What another version changed", compare_versions, &answer_flow_diff},
    {"POST", "/api/v1/flows/:id/versions/:version/rollback", ROLE_EDITOR, ROUTE_ID | ROUTE_FLAT, NULL, NULL, 200,
     "flows", "Make an earlier version the newest", rollback, &answer_flow},
    {0}};
