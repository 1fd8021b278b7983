/* Paths of webhooks. */
#include "gateway/webhooks.h"

#include "base/limits.h"
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
    free(index);
}

/* Of two flows on one path an active one goes first; among equals the one that was there before. */
static void put(struct map *paths, struct webhook *webhook)
{
    struct webhook *former = map_get(paths, webhook->key);
    if (former != NULL && (former->active || !webhook->active)) {
        if (former->active && webhook->active)
            log_event(LOG_WARN, "two active flows listen on one webhook path; the first one answers",
                      LOG_STR("path", webhook->key), LOG_STR("flowId", former->flow_id),
                      LOG_STR("otherFlowId", webhook->flow_id), LOG_END);
        webhook_release(webhook);
        return;
    }
    webhook_release(map_put(paths, webhook->key, webhook));
}

static void add_node(struct map *paths, const struct json *flow, const struct json *node, const char *definition)
{
    const struct json *config = json_get(node, "config");
    const char *path = json_get_str(config, "path"), *method = json_get_str(config, "method"),
               *mode = json_get_str(config, "responseMode");
    const char *status = json_get_str(flow, "status");
    struct webhook *webhook = mem_alloc(sizeof *webhook);
    atomic_init(&webhook->users, 1);
    webhook->flow_id = mem_dup(json_get_str(flow, "id"));
    webhook->flow_name = mem_dup(json_get_str(flow, "name"));
    webhook->node_id = mem_dup(json_get_str(node, "id"));
    webhook->key =
        mem_printf("%s %s", method == NULL ? "POST" : method, path == NULL || *path == '\0' ? webhook->flow_id : path);
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
    if (code != ERR_OK)
        return code;
    AUTO_FREE char *definition = NULL;
    const struct json *nodes = json_get(flow, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *type = json_get_str(json_at(nodes, i), "type");
        if (type == NULL || strcmp(type, "webhook-trigger") != 0)
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
    code = read_all(session, &paths, reterr);
    store_read_end(store, session);
    pthread_rwlock_wrlock(&index->lock);
    if (code == ERR_OK && index->generation < generation) {
        struct map old = index->paths;
        index->paths = paths;
        index->generation = generation;
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

enum err webhook_find(struct webhook_index *index, struct store *store, unsigned generation, const char *method,
                      const char *path, struct webhook **ret, struct error *reterr)
{
    pthread_rwlock_rdlock(&index->lock);
    bool old = index->generation < generation;
    pthread_rwlock_unlock(&index->lock);
    enum err code = old ? rebuild(index, store, generation, reterr) : ERR_OK;
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
