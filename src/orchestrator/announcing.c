/* Tells who watches what was committed: the updates of one write together. */
#include "orchestrator/orchestrator_int.h"

#include <stdio.h>
#include <string.h>

#define UPDATES_MAX 64
#define MESSAGE_MAX ((size_t)256 << 10)

static void describe(const struct json *event, bool final, char *out, size_t cap)
{
    const char *status = json_get_str(event, "status"), *node = json_get_str(event, "nodeId"),
               *message = json_get_str(event, "errorMessage");
    out[0] = '\0';
    if (final)
        (void)snprintf(out, cap, "Execution %s%s%s", status, message != NULL ? ": " : ".",
                       message != NULL ? message : "");
    else if (node != NULL)
        (void)snprintf(out, cap, "Node %s finished.", node);
    else if (strcmp(json_get_str(event, "kind"), "started") == 0)
        (void)snprintf(out, cap, "Execution started.");
}

static struct json *make_update(const struct json *event)
{
    char text[640];
    bool final = strcmp(json_get_str(event, "kind"), "finished") == 0;
    struct json *live = message_update_new(json_get_str(event, "id"), json_get_str(event, "flowId"),
                                           final ? json_get_str(event, "status") : "running",
                                           json_get_int(event, "records", 0), json_get_int(event, "at", 0));
    describe(event, final, text, sizeof text);
    if (final || json_has(event, "progress")) /* a page would show a missing one as going back to 0 */
        json_set_int(live, "progress", final ? 100 : json_get_int(event, "progress", 0));
    if (json_get_str(event, "nodeId") != NULL)
        json_set_str(live, "currentNode", json_get_str(event, "nodeId"));
    json_set_str(live, "message", text);
    if (final && json_has(event, "result"))
        json_set_str(live, "result", json_get_str(event, "result"));
    if (final)
        json_set_bool(live, "responded", json_get_bool(event, "responded", false));
    if (final && json_has(event, "errorId")) {
        json_set_str(live, "errorId", json_get_str(event, "errorId"));
        json_set_str(live, "errorMessage", json_get_str(event, "errorMessage"));
    }
    return live;
}

void announcing_add(struct orchestrator *o, const struct json *event)
{
    if (!broker_has_subscribers(o->options.broker, TOPIC_LIVE))
        return;
    struct json *update = make_update(event);
    if (o->update_count == 1) { /* the first one becomes the message, which holds the others */
        o->updates.len--;
        buf_add_str(&o->updates, ",\"more\":[");
    } else if (o->update_count > 1) {
        buf_add_char(&o->updates, ',');
    }
    json_print(update, &o->updates);
    json_unref(update);
    if (++o->update_count == UPDATES_MAX || o->updates.len > MESSAGE_MAX)
        announcing_send(o);
}

void announcing_send(struct orchestrator *o)
{
    if (o->update_count == 0)
        return;
    if (o->update_count > 1)
        buf_add_str(&o->updates, "]}");
    broker_broadcast(o->connection, TOPIC_LIVE, o->updates.data, o->updates.len);
    o->update_count = 0;
    buf_done(&o->updates);
}
