/* Paths of webhooks. */
#include "gateway/webhooks.h"

#include "base/clock.h"
#include "base/limits.h"
#include "flow/limits.h"
#include "base/log.h"
#include "base/map.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct webhook_index {
    pthread_rwlock_t lock;
    struct map paths; /* "METHOD path" -> struct webhook */
    unsigned generation;
    int64_t stamp;            /* of the flows when they were read (store_flows_stamp) */
    pthread_mutex_t asking;   /* one asks the store, the others wait for what it says */
    _Atomic int64_t asked_us; /* when it was asked last: what was saved before that is known */
};

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "ANY"};

void webhook_release(struct webhook *webhook)
{
    if (webhook == NULL || atomic_fetch_sub(&webhook->users, 1) > 1)
        return;
    free(webhook->key);
    free(webhook->flow_id);
    free(webhook->flow_name);
    free(webhook->node_id);
    free(webhook->definition);
    free(webhook);
}

static void release_each(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    webhook_release(value);
}

struct webhook_index *webhook_index_new(void)
{
    struct webhook_index *index = mem_alloc(sizeof *index);
    pthread_rwlock_init(&index->lock, NULL);
    pthread_mutex_init(&index->asking, NULL);
    atomic_init(&index->asked_us, INT64_MIN);
    map_init(&index->paths);
    return index;
}

void webhook_index_free(struct webhook_index *index)
{
    if (index == NULL)
        return;
    map_each(&index->paths, release_each, NULL);
    map_done(&index->paths);
    pthread_rwlock_destroy(&index->lock);
    pthread_mutex_destroy(&index->asking);
    free(index);
}

/* Of two flows on one path an active one goes first; among equals the one that was there before. */
static void put(struct map *paths, struct webhook *webhook)
{
    struct webhook *former = map_get(paths, webhook->key);
    if (former != NULL && (former->active || !webhook->active)) {
        if (former->active && webhook->active) /* saved so before webhook_check was there */
            log_event(LOG_WARN, "two active flows listen on one webhook path; the first one answers",
                      LOG_STR("path", webhook->key), LOG_STR("flowId", former->flow_id),
                      LOG_STR("otherFlowId", webhook->flow_id), LOG_END);
        webhook_release(webhook);
        return;
    }
    webhook_release(map_put(paths, webhook->key, webhook));
}

static bool is_webhook(const struct json *node)
{
    const char *type = json_get_str(node, "type");
    return type != NULL && strcmp(type, "webhook-trigger") == 0;
}

static const char *method_of(const struct json *node)
{
    const char *method = json_get_str(json_get(node, "config"), "method");
    return method == NULL ? "POST" : method;
}

static const char *path_of(const struct json *flow, const struct json *node)
{
    const char *path = json_get_str(json_get(node, "config"), "path");
    return path == NULL || *path == '\0' ? json_get_str(flow, "id") : path;
}

static void add_node(struct map *paths, const struct json *flow, const struct json *node, const char *definition)
{
    const char *mode = json_get_str(json_get(node, "config"), "responseMode");
    const char *status = json_get_str(flow, "status");
    struct webhook *webhook = mem_alloc(sizeof *webhook);
    struct flow_limits limits;
    flow_limits_read(json_get(flow, "settings"), &limits);
    webhook->limited = flow_limits_any(&limits);
    webhook->priority = limits.priority;
    atomic_init(&webhook->users, 1);
    webhook->flow_id = mem_dup(json_get_str(flow, "id"));
    webhook->flow_name = mem_dup(json_get_str(flow, "name"));
    webhook->node_id = mem_dup(json_get_str(node, "id"));
    webhook->key = mem_printf("%s %s", method_of(node), path_of(flow, node));
    webhook->definition = mem_dup(definition);
    webhook->version = (int)json_get_int(flow, "version", 1);
    webhook->answers = mode != NULL && strcmp(mode, "lastNode") == 0;
    webhook->active = status != NULL && strcmp(status, "active") == 0;
    put(paths, webhook);
}

static enum err add_flow(struct store_session *session, struct map *paths, const char *id, struct error *reterr)
{
    AUTO_JSON struct json *flow = NULL;
    enum err code = store_flow_load(session, id, &flow, reterr);
    int published = (int)json_get_int(flow, "publishedVersion", 0);
    if (code == ERR_OK && published > 0) {
        json_unref(flow);
        flow = NULL;
        code = store_flow_load_version(session, id, published, &flow, reterr);
    }
    if (code != ERR_OK)
        return code;
    AUTO_FREE char *definition = NULL;
    const struct json *nodes = json_get(flow, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        if (!is_webhook(json_at(nodes, i)))
            continue;
        if (definition == NULL)
            definition = json_dup_text(flow);
        add_node(paths, flow, json_at(nodes, i), definition);
    }
    return ERR_OK;
}

static enum err read_all(struct store_session *session, struct map *paths, struct error *reterr)
{
    AUTO_JSON struct json *filter = json_object_new();
    json_set_int(filter, "limit", 100);
    for (;;) {
        AUTO_JSON struct json *page = NULL;
        enum err code = store_flow_list(session, filter, &page, reterr);
        const struct json *rows = json_get(page, "data");
        for (size_t i = 0; code == ERR_OK && i < json_count(rows); i++)
            code = add_flow(session, paths, json_get_str(json_at(rows, i), "id"), reterr);
        const char *next = json_get_str(json_get(page, "pagination"), "nextCursor");
        if (code != ERR_OK || next == NULL)
            return code;
        json_set_str(filter, "cursor", next);
    }
}

static enum err rebuild(struct webhook_index *index, struct store *store, unsigned generation, struct error *reterr)
{
    struct map paths;
    struct store_session *session;
    enum err code = store_read_begin(store, &session, reterr);
    if (code != ERR_OK)
        return code;
    map_init(&paths);
    int64_t stamp = 0;
    code = store_flows_stamp(session, &stamp, reterr);
    if (code == ERR_OK)
        code = read_all(session, &paths, reterr);
    store_read_end(store, session);
    pthread_rwlock_wrlock(&index->lock);
    if (code == ERR_OK && index->generation < generation) {
        struct map old = index->paths;
        index->paths = paths;
        index->generation = generation;
        index->stamp = stamp;
        paths = old;
    }
    pthread_rwlock_unlock(&index->lock);
    map_each(&paths, release_each, NULL);
    map_done(&paths);
    return code;
}

static struct webhook *look_up(struct webhook_index *index, const char *method, const char *path)
{
    char key[LIMIT_HEADER_BYTES];
    (void)snprintf(key, sizeof key, "%s %s", method, path);
    struct webhook *webhook = map_get(&index->paths, key);
    if (webhook != NULL)
        atomic_fetch_add(&webhook->users, 1);
    return webhook;
}

static enum err refresh(struct webhook_index *index, struct store *store, unsigned generation, struct error *reterr)
{
    pthread_rwlock_rdlock(&index->lock);
    bool old = index->generation < generation;
    pthread_rwlock_unlock(&index->lock);
    return old ? rebuild(index, store, generation, reterr) : ERR_OK;
}

bool webhook_is_at_hand(struct webhook_index *index, unsigned generation, const char *method, const char *path,
                        int64_t since_us)
{
    pthread_rwlock_rdlock(&index->lock);
    struct webhook *webhook = index->generation < generation ? NULL : look_up(index, method, path);
    bool active = webhook != NULL && webhook->active;
    pthread_rwlock_unlock(&index->lock);
    webhook_release(webhook);
    return active && atomic_load(&index->asked_us) >= since_us;
}

/* Raises the generation when what the store has is not what was read. */
static enum err ask(struct webhook_index *index, struct store *store, atomic_uint *generation, struct error *reterr)
{
    struct store_session *session;
    int64_t stamp = 0;
    enum err code = store_read_begin(store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = store_flows_stamp(session, &stamp, reterr);
    store_read_end(store, session);
    pthread_rwlock_rdlock(&index->lock);
    bool changed = index->generation > 0 && index->stamp != stamp;
    pthread_rwlock_unlock(&index->lock);
    if (code == ERR_OK && changed)
        atomic_fetch_add(generation, 1);
    return code;
}

enum err webhook_renew(struct webhook_index *index, struct store *store, int64_t since_us, atomic_uint *generation,
                       struct error *reterr)
{
    enum err code = ERR_OK;
    pthread_mutex_lock(&index->asking);
    if (atomic_load(&index->asked_us) < since_us) {
        int64_t now_us = clock_monotonic_us();
        code = ask(index, store, generation, reterr);
        if (code == ERR_OK)
            atomic_store(&index->asked_us, now_us);
    }
    pthread_mutex_unlock(&index->asking);
    return code;
}

static void list_each(void *user, const char *key, void *value)
{
    const struct webhook *webhook = value;
    struct json *entry = json_object_new();
    size_t method = strcspn(key, " ");
    json_set(entry, "method", json_string_new_n(key, method));
    json_set_str(entry, "path", key + method + 1);
    json_set_str(entry, "flowId", webhook->flow_id);
    json_set_str(entry, "flowName", webhook->flow_name);
    json_set_str(entry, "nodeId", webhook->node_id);
    json_set_bool(entry, "active", webhook->active);
    json_set_bool(entry, "waits", webhook->answers);
    json_push(user, entry);
}

enum err webhook_list(struct webhook_index *index, struct store *store, unsigned generation, struct json **ret,
                      struct error *reterr)
{
    enum err code = refresh(index, store, generation, reterr);
    if (code != ERR_OK)
        return code;
    *ret = json_array_new();
    pthread_rwlock_rdlock(&index->lock);
    map_each(&index->paths, list_each, *ret);
    pthread_rwlock_unlock(&index->lock);
    return ERR_OK;
}

/* Two methods meet when they are the same, or one is ANY. */
static bool meet(const char *one, const char *other)
{
    return strcmp(one, other) == 0 || strcmp(one, "ANY") == 0 || strcmp(other, "ANY") == 0;
}

static enum err check_others(struct webhook_index *index, const char *flow_id, const char *method, const char *path,
                             const char *field, struct error *reterr)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct webhook *other = meet(method, methods[i]) ? look_up(index, methods[i], path) : NULL;
        bool taken = other != NULL && other->active && strcmp(other->flow_id, flow_id) != 0;
        if (taken)
            (void)error_set(reterr, ERR_CONFLICT, field,
                            "The active flow \"%s\" listens on %s \"%.100s\" already: choose another path or method, "
                            "or deactivate that flow.",
                            other->flow_name, methods[i], path);
        webhook_release(other);
        if (taken)
            return ERR_CONFLICT;
    }
    return ERR_OK;
}

static enum err check_itself(const struct json *flow, size_t node, const char *field, struct error *reterr)
{
    const struct json *nodes = json_get(flow, "nodes"), *one = json_at(nodes, node);
    for (size_t i = 0; i < node; i++) {
        const struct json *other = json_at(nodes, i);
        if (is_webhook(other) && meet(method_of(one), method_of(other)) &&
            strcmp(path_of(flow, one), path_of(flow, other)) == 0)
            return error_set(reterr, ERR_CONFLICT, field,
                             "The nodes %.64s and %.64s of this flow listen on the same path \"%.100s\".",
                             json_get_str(other, "id"), json_get_str(one, "id"), path_of(flow, one));
    }
    return ERR_OK;
}

enum err webhook_check(struct webhook_index *index, struct store *store, unsigned generation, const struct json *flow,
                       struct error *reterr)
{
    const struct json *nodes = json_get(flow, "nodes");
    enum err code = refresh(index, store, generation, reterr);
    for (size_t i = 0; code == ERR_OK && i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        char field[60];
        if (!is_webhook(node))
            continue;
        (void)snprintf(field, sizeof field, "nodes[%zu].config.path", i);
        code = check_itself(flow, i, field, reterr);
        if (code != ERR_OK)
            break;
        pthread_rwlock_rdlock(&index->lock);
        code = check_others(index, json_get_str(flow, "id"), method_of(node), path_of(flow, node), field, reterr);
        pthread_rwlock_unlock(&index->lock);
    }
    return code;
}

enum err webhook_find(struct webhook_index *index, struct store *store, unsigned generation, const char *method,
                      const char *path, struct webhook **ret, struct error *reterr)
{
    enum err code = refresh(index, store, generation, reterr);
    if (code != ERR_OK)
        return code;
    bool other = false;
    pthread_rwlock_rdlock(&index->lock);
    struct webhook *found = look_up(index, method, path);
    if (found == NULL || !found->active) {
        struct webhook *any = look_up(index, "ANY", path);
        if (any != NULL) {
            webhook_release(found);
            found = any;
        }
    }
    for (size_t i = 0; found == NULL && !other && i < sizeof methods / sizeof *methods; i++) {
        struct webhook *listening = look_up(index, methods[i], path);
        other = listening != NULL;
        webhook_release(listening);
    }
    pthread_rwlock_unlock(&index->lock);
    if (found == NULL)
        return other ? error_set(reterr, ERR_METHOD_NOT_ALLOWED, NULL, "The webhook %s does not take %s.", path, method)
                     : error_set(reterr, ERR_NOT_FOUND, NULL, "No flow listens on the webhook path \"%.200s\".", path);
    if (!found->active) {
        (void)error_set(reterr, ERR_NOT_FOUND, NULL,
                        "The flow \"%s\" has this webhook, but it is not active; set its status to active.",
                        found->flow_name);
        webhook_release(found);
        return ERR_NOT_FOUND;
    }
    *ret = found;
    return ERR_OK;
}
