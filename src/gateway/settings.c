/* Routes of settings: what may be changed while running. Kept in the store, told to the orchestrators. */
#include "gateway/api_int.h"

#include "broker/messages.h"

#define STRATEGY "loadBalanceStrategy"
#define SCALING "autoScaling"

static const char *const strategies[] = {"round_robin", "least_busy", "weighted", NULL};
static const struct field scaling_members[] = {
    {.name = "enabled", .kind = FIELD_BOOL, .help = "Whether workers are started and stopped as the load changes."},
    {.name = "min", .kind = FIELD_INT, .min = 0, .max = 10000, .help = "Workers that are kept at least."},
    {.name = "max", .kind = FIELD_INT, .min = 1, .max = 10000, .help = "Workers that are started at most."},
    {0}};
static const struct field setting_fields[] = {
    {.name = STRATEGY, .kind = FIELD_ENUM, .values = strategies, .help = "How the worker of an execution is chosen."},
    {.name = SCALING, .kind = FIELD_OBJECT, .fields = scaling_members, .help = "Auto-scaling of the workers."},
    {0}};

/* What is kept: each {"value": …}, or NULL. */
struct kept {
    struct json *strategy, *scaling;
};

static void kept_done(struct kept *kept)
{
    json_unref(kept->strategy);
    json_unref(kept->scaling);
}

static enum err read_one(struct store_session *session, const char *name, struct json **ret, struct error *reterr)
{
    enum err code = store_get(session, STORE_SETTINGS, name, ret, reterr);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err read_kept(struct store_session *session, void *arg, struct error *reterr)
{
    struct kept *kept = arg;
    enum err code = read_one(session, STRATEGY, &kept->strategy, reterr);
    return code == ERR_OK ? read_one(session, SCALING, &kept->scaling, reterr) : code;
}

/* In force: what is kept, else what the services were started with. */
static struct json *scaling_in_force(struct api *api, const struct kept *kept)
{
    static const char *const members[] = {"enabled", "min", "max"};
    struct json *scaling = api_cluster_scaling(api);
    const struct json *value = json_get(kept->scaling, "value");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_has(value, members[i]))
            json_set(scaling, members[i], json_ref(json_get(value, members[i])));
    return scaling;
}

static enum err get_settings(struct api *api, struct http_request *request, struct error *reterr)
{
    struct kept kept = {0};
    enum err code = api_read(api, read_kept, &kept, reterr);
    if (code == ERR_OK) {
        struct json *settings = json_object_new();
        const char *strategy = json_get_str(kept.strategy, "value");
        json_set_str(settings, STRATEGY, strategy != NULL ? strategy : api_cluster_strategy(api, &request->arena));
        json_set(settings, SCALING, scaling_in_force(api, &kept));
        http_reply(request, 200, settings);
    }
    kept_done(&kept);
    return code;
}

struct writing {
    struct json *strategy, *scaling; /* {"value": …}, or NULL */
    int64_t now_ms;
};

static enum err write_settings(struct store_session *session, void *arg, struct error *reterr)
{
    const struct writing *writing = arg;
    enum err code = ERR_OK;
    if (writing->strategy != NULL)
        code = store_put(session, STORE_SETTINGS, STRATEGY, writing->strategy, writing->now_ms, reterr);
    if (code == ERR_OK && writing->scaling != NULL)
        code = store_put(session, STORE_SETTINGS, SCALING, writing->scaling, writing->now_ms, reterr);
    return code;
}

/* All three members are kept, so that they hold together whatever the services are started with. */
static enum err merge_scaling(struct api *api, const struct json *changes, struct json **ret, struct error *reterr)
{
    static const char *const members[] = {"enabled", "min", "max"};
    struct kept kept = {0};
    enum err code = api_read(api, read_kept, &kept, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *present = scaling_in_force(api, &kept);
    kept_done(&kept);
    struct json *value = json_object_new();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct json *from = json_has(changes, members[i]) ? changes : present;
        json_set(value, members[i], json_ref(json_get(from, members[i])));
    }
    int64_t min = json_get_int(value, "min", 0), max = json_get_int(value, "max", 1);
    if (min > max) {
        json_unref(value);
        return error_set(reterr, ERR_VALIDATION, json_has(changes, "min") ? SCALING ".min" : SCALING ".max",
                         "autoScaling.min (%lld) must be at most autoScaling.max (%lld).", (long long)min,
                         (long long)max);
    }
    *ret = json_object_new();
    json_set(*ret, "value", value);
    return ERR_OK;
}

static enum err put_settings(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char read_them[] = "{\"v\":1,\"settings\":true}";
    const char *strategy = json_get_str(request->json, STRATEGY);
    const struct json *scaling = json_get(request->json, SCALING);
    struct writing writing = {.now_ms = clock_now_ms()};
    enum err code = ERR_OK;
    if (strategy != NULL) {
        writing.strategy = json_object_new();
        json_set_str(writing.strategy, "value", strategy);
    }
    if (scaling != NULL)
        code = merge_scaling(api, scaling, &writing.scaling, reterr);
    if (code == ERR_OK && (strategy != NULL || scaling != NULL))
        code = store_write(api->options.store, write_settings, &writing, reterr);
    json_unref(writing.strategy);
    json_unref(writing.scaling);
    if (code != ERR_OK)
        return code;
    broker_broadcast(api->connection, TOPIC_CONTROL, read_them, sizeof read_them - 1);
    return get_settings(api, request, reterr);
}

#define BASE "/api/v1"
const struct route settings_routes[] = {{"GET", BASE "/settings", ROLE_VIEWER, 0, NULL, NULL, 200, "operation",
                                         "Settings that can change while running", get_settings, &answer_settings},
                                        {"PUT", BASE "/settings", ROLE_ADMIN, 0, setting_fields, NULL, 200, "operation",
                                         "Change settings", put_settings, &answer_settings},
                                        {0}};
