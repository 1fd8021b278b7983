/* The messages of api-contract 2a: subscriptions come in, updates go out. */
#include "gateway/ws_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "json/json.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- who follows what */

static bool follows(const struct ws_connection *c, const struct ws_topic *topic)
{
    for (size_t i = 0; i < c->topic_count; i++)
        if (c->topics[i] == topic)
            return true;
    return false;
}

static enum err follow(struct ws_connection *c, const char *id, struct error *reterr)
{
    struct ws_topic *topic = map_get(&c->hub->topics, id);
    if (topic != NULL && follows(c, topic))
        return ERR_OK;
    if (c->topic_count >= LIMIT_WS_SUBSCRIPTIONS)
        return error_set(reterr, ERR_LIMIT, "executionId",
                         "A connection follows at most %d executions; unsubscribe from one first, or subscribe to "
                         "channel executions.",
                         LIMIT_WS_SUBSCRIPTIONS);
    if (topic == NULL) {
        topic = mem_alloc(sizeof *topic);
        topic->id = mem_dup(id);
        (void)map_put(&c->hub->topics, id, topic);
    }
    if (topic->count == topic->cap) {
        topic->cap = topic->cap == 0 ? 2 : topic->cap * 2;
        topic->members = mem_resize(topic->members, topic->cap * sizeof(struct ws_connection *));
    }
    topic->members[topic->count++] = c;
    if (c->topics == NULL)
        c->topics = mem_array(LIMIT_WS_SUBSCRIPTIONS, sizeof(struct ws_topic *));
    c->topics[c->topic_count++] = topic;
    ws_ask_to_watch(c->hub, id);
    return ERR_OK;
}

static void leave(struct ws_connection *c, struct ws_topic *topic)
{
    for (size_t i = 0; i < c->topic_count; i++)
        if (c->topics[i] == topic) {
            c->topics[i] = c->topics[--c->topic_count];
            break;
        }
    for (size_t i = 0; i < topic->count; i++)
        if (topic->members[i] == c) {
            topic->members[i] = topic->members[--topic->count];
            break;
        }
    if (topic->count > 0)
        return;
    (void)map_put(&c->hub->topics, topic->id, NULL);
    free(topic->members);
    free(topic->id);
    free(topic);
}

static void want_all(struct ws_connection *c, bool wanted)
{
    if (wanted && !c->wants_all)
        atomic_fetch_add(&c->hub->all_count, 1);
    else if (!wanted && c->wants_all)
        atomic_fetch_sub(&c->hub->all_count, 1);
    c->wants_all = wanted;
}

static void want_system(struct ws_connection *c, bool wanted)
{
    bool first = wanted && !c->wants_system;
    c->hub->system_count += (size_t)wanted - (size_t)c->wants_system;
    c->wants_system = wanted;
    if (first)
        ws_stats_start(c->hub);
}

void ws_unsubscribe_everything(struct ws_connection *c)
{
    while (c->topic_count > 0)
        leave(c, c->topics[c->topic_count - 1]);
    want_all(c, false);
    want_system(c, false);
}

/* ---- what clients say */

static enum err on_execution(struct ws_connection *c, const struct json *message, bool subscribe, struct error *reterr)
{
    const char *given = json_get_str(message, "executionId");
    if (given == NULL || !id_is_valid(given))
        return error_set(reterr, ERR_VALIDATION, "executionId", "executionId must be the UUID of an execution.");
    char id[ID_TEXT_BYTES] = "";
    for (size_t i = 0; i < sizeof id - 1 && given[i] != '\0'; i++)
        id[i] = (char)tolower((unsigned char)given[i]);
    if (subscribe)
        return follow(c, id, reterr);
    struct ws_topic *topic = map_get(&c->hub->topics, id);
    if (topic != NULL && follows(c, topic))
        leave(c, topic);
    return ERR_OK;
}

static enum err on_executions(struct ws_connection *c, const struct json *message, bool subscribe, struct error *reterr)
{
    (void)message;
    (void)reterr;
    want_all(c, subscribe);
    return ERR_OK;
}

static enum err on_system(struct ws_connection *c, const struct json *message, bool subscribe, struct error *reterr)
{
    (void)message;
    (void)reterr;
    want_system(c, subscribe);
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*on_subscription)(struct ws_connection *c, const struct json *message, bool subscribe,
                                struct error *reterr);
} channels[] = {{"execution", on_execution}, {"executions", on_executions}, {"system", on_system}};

static enum err on_subscription(struct ws_connection *c, const struct json *message, bool subscribe,
                                struct error *reterr)
{
    const char *channel = json_get_str(message, "channel");
    for (size_t i = 0; channel != NULL && i < sizeof channels / sizeof *channels; i++)
        if (strcmp(channel, channels[i].name) == 0)
            return channels[i].on_subscription(c, message, subscribe, reterr);
    return error_set(reterr, ERR_VALIDATION, "channel", "channel must be execution, executions or system.");
}

static enum err understand(struct ws_connection *c, const char *text, size_t size, struct error *reterr)
{
    AUTO_JSON struct json *message = NULL;
    enum err code = json_parse(text, size, &message, reterr);
    if (code != ERR_OK)
        return code;
    if (!json_is(message, JSON_OBJECT))
        return error_set(reterr, ERR_VALIDATION, NULL, "A message must be a JSON object, not %s.",
                         json_kind_name(message));
    const char *type = json_get_str(message, "type");
    if (type != NULL && strcmp(type, "ping") == 0) {
        static const char pong[] = "{\"type\":\"pong\"}";
        ws_connection_queue(c, pong, sizeof pong - 1);
        return ERR_OK;
    }
    if (type != NULL && strcmp(type, "subscribe") == 0)
        return on_subscription(c, message, true, reterr);
    if (type != NULL && strcmp(type, "unsubscribe") == 0)
        return on_subscription(c, message, false, reterr);
    return error_set(reterr, ERR_VALIDATION, "type", "type must be ping, subscribe or unsubscribe.");
}

void ws_receive(struct ws_connection *c, const char *text, size_t size)
{
    struct error error = {0};
    if (understand(c, text, size, &error) == ERR_OK)
        return;
    AUTO_JSON struct json *answer = json_object_new();
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    json_set_str(answer, "type", "error");
    json_set_str(answer, "code", error_id(error.code));
    json_set_str(answer, "message", error.message);
    if (error.field[0] != '\0')
        json_set_str(answer, "field", error.field);
    json_print(answer, &out);
    ws_connection_queue(c, out.data, out.len);
}

/* ---- what they are told */

bool ws_update_format(const struct json *live, struct buf *out)
{
    static const char *const fields[] = {"executionId", "status",           "progress", "currentNode", "nodeStatus",
                                         "nodes",       "recordsProcessed", "message",  "timestamp"};
    if (json_get_str(live, "executionId") == NULL || json_get_str(live, "status") == NULL)
        return false;
    AUTO_JSON struct json *update = json_object_new();
    json_set_str(update, "type", "execution_update");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (json_has(live, fields[i]))
            json_set(update, fields[i], json_ref(json_get(live, fields[i])));
    json_print(update, out);
    return true;
}
