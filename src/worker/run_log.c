/* Log lines of a run. */
#include "worker/run_log.h"

#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

static void add(struct json *logs, const char *node_id, int64_t now_ms, const char *level, const char *message)
{
    if (json_count(logs) >= LIMIT_LOG_LINES)
        return;
    char at[ISO_TEXT_BYTES];
    clock_format_iso(now_ms, at);
    struct json *entry = json_object_new();
    json_set_str(entry, "timestamp", at);
    json_set_str(entry, "level", level);
    json_set_str(entry, "message", message);
    json_set_str(entry, "nodeId", node_id);
    json_push(logs, entry);
}

void run_log_attempt(struct json *logs, const struct flow_node *node, const struct run_event *event)
{
    char text[700];
    if (event->kind == RUN_EVENT_NODE_DONE) {
        (void)snprintf(text, sizeof text, "Node %s (%s) succeeded with %lld records.", node->id, node->type,
                       (long long)event->records);
        add(logs, node->id, event->now_ms, "info", text);
    } else if (event->kind == RUN_EVENT_NODE_FAILED) {
        (void)snprintf(text, sizeof text, "Node %s (%s) failed in attempt %d: %s", node->id, node->type, event->attempt,
                       event->error->message);
        add(logs, node->id, event->now_ms, "error", text);
    }
}

void run_log_lines(struct json *logs, const char *node_id, int64_t now_ms, const struct json *lines)
{
    for (size_t i = 0; i < json_count(lines); i++)
        add(logs, node_id, now_ms, json_get_str(json_at(lines, i), "level"),
            json_get_str(json_at(lines, i), "message"));
}
