/* What history keeps of a run. */
#include "flow/run_int.h"

#include "base/clock.h"

static void set_time(struct json *object, const char *key, int64_t ms)
{
    char text[ISO_TEXT_BYTES];
    if (ms == 0) {
        json_set(object, key, NULL);
        return;
    }
    clock_format_iso(ms, text);
    json_set_str(object, key, text);
}

static struct json *attempts_of(const struct node_run *node)
{
    struct json *list = json_array_new();
    for (const struct attempt *attempt = node->attempts; attempt != NULL; attempt = attempt->next) {
        struct json *entry = json_object_new();
        json_set_int(entry, "attempt", attempt->number);
        if (attempt->epoch > 0)
            json_set_int(entry, "epoch", attempt->epoch);
        json_set_str(entry, "status", attempt->state == NODE_IDLE ? "unknown" : node_state_name(attempt->state));
        set_time(entry, "startTime", attempt->started_ms);
        set_time(entry, "endTime", attempt->ended_ms);
        if (attempt->error != NULL)
            json_set_str(entry, "error", attempt->error);
        json_push(list, entry);
    }
    return list;
}

struct json *flow_run_document(const struct flow_run *run)
{
    struct json *document = json_object_new(), *nodes = json_array_new();
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        const struct node_run *node = &run->nodes[i];
        if (node->attempts == NULL)
            continue;
        struct json *entry = json_object_new();
        json_set_str(entry, "nodeId", run->flow->nodes[i].id);
        json_set_str(entry, "nodeType", run->flow->nodes[i].type);
        json_set_str(entry, "status", node_state_name(node->state));
        set_time(entry, "startTime", node->first_ms);
        set_time(entry, "endTime", node->ended_ms);
        if (node->ended_ms != 0)
            json_set_int(entry, "duration", node->ended_ms > node->first_ms ? node->ended_ms - node->first_ms : 0);
        else
            json_set(entry, "duration", NULL);
        json_set_int(entry, "recordsProcessed", node->records);
        json_set_str(entry, "errorMessage", json_get_str(node->error, "message"));
        json_set(entry, "input", json_ref(node->inputs));
        json_set(entry, "output", json_ref(node->outputs));
        json_set(entry, "attempts", attempts_of(node));
        json_push(nodes, entry);
    }
    json_set(document, "nodes", nodes);
    return document;
}
