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

/* A copy whose members are shared. */
static struct json *shallow_copy(const struct json *object)
{
    struct json *copy = json_object_new();
    struct json_iter member;
    JSON_EACH(object, member) json_set(copy, member.key, json_ref(member.value));
    return copy;
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

struct json *run_node_entry(const struct flow_run *run, unsigned index, const struct node_run *node,
                            const char *iteration)
{
    struct json *entry = json_object_new();
    json_set_str(entry, "nodeId", run->flow->nodes[index].id);
    json_set_str(entry, "nodeType", run->flow->nodes[index].type);
    json_set_str(entry, "status", node_state_name(node->state));
    set_time(entry, "startTime", node->first_ms);
    set_time(entry, "endTime", node->ended_ms);
    if (node->ended_ms != 0)
        json_set_int(entry, "duration", node->ended_ms > node->first_ms ? node->ended_ms - node->first_ms : 0);
    else
        json_set(entry, "duration", NULL);
    json_set_int(entry, "recordsProcessed", node->records);
    json_set_str(entry, "errorMessage", json_get_str(node->error, "message"));
    json_set(entry, "input", json_ref(node->shown_inputs != NULL ? node->shown_inputs : node->inputs));
    json_set(entry, "output", json_ref(node->outputs));
    json_set(entry, "attempts", attempts_of(node));
    if (iteration != NULL)
        json_set_str(entry, "iteration", iteration);
    return entry;
}

/* The latest iteration tells for the node; those before stand in it. */
static struct json *entry_of(const struct flow_run *run, unsigned index)
{
    const struct kept *kept = run->kept == NULL ? NULL : &run->kept[index];
    const struct flow_node *definition = &run->flow->nodes[index];
    bool here = &run->flow->bodies[definition->body] == run->root->body;
    const struct node_run *node = here ? run_node_at(run, run->root, index) : NULL;
    bool has_kept = kept != NULL && kept->count > 0;
    if (node != NULL && node->attempts == NULL)
        node = NULL;
    if (node == NULL && !has_kept)
        return NULL;
    char iteration[RUN_ITERATION_BYTES_MAX];
    if (node != NULL)
        run_iteration(run->root, node, iteration);
    bool several = has_kept || node->pass > 0; /* it may have been skipped in the passes before */
    struct json *entry =
        node != NULL ? run_node_entry(run, index, node, several ? iteration : NULL) : shallow_copy(kept->latest);
    if (!several)
        return entry;
    json_set_int(entry, "iterationCount", (has_kept ? kept->count : 0) + (node != NULL));
    json_set(entry, "iterations", has_kept ? json_ref(kept->list) : json_array_new());
    return entry;
}

struct json *flow_run_document(const struct flow_run *run)
{
    struct json *document = json_object_new(), *nodes = json_array_new();
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        struct json *entry = entry_of(run, i);
        if (entry != NULL)
            json_push(nodes, entry);
    }
    json_set(document, "nodes", nodes);
    if (flow_run_has_response(run))
        json_set_bool(document, "responded", true);
    return document;
}
