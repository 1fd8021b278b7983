/* Names out of a run. */
#include "worker/scope.h"

#include "base/clock.h"
#include <string.h>

static struct json *execution_of(const struct call_names *names)
{
    char started[ISO_TEXT_BYTES];
    struct json *execution = json_object_new();
    clock_format_iso(flow_run_started_ms(names->run), started);
    json_set_str(execution, "id", names->execution_id);
    json_set_str(execution, "flowId", flow_run_flow(names->run)->id);
    json_set_str(execution, "trigger", flow_run_trigger(names->run));
    json_set_str(execution, "startedAt", started);
    json_set_int(execution, "attempt", names->attempt);
    json_set(execution, "input", json_ref(flow_run_input(names->run)));
    return execution;
}

static struct json *flow_of(const struct call_names *names)
{
    const struct flow *flow = flow_run_flow(names->run);
    struct json *description = json_object_new();
    json_set_str(description, "id", flow->id);
    json_set_str(description, "name", flow->name);
    json_set_int(description, "version", flow->version);
    return description;
}

static bool find_nodes(const struct call_names *names, const char *id, struct json **ret)
{
    if (id != NULL)
        return flow_run_node_outputs(names->run, names->scope, id, ret);
    const struct flow *flow = flow_run_flow(names->run);
    *ret = json_object_new();
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct json *outputs;
        if (flow_run_node_outputs(names->run, names->scope, flow->nodes[i].id, &outputs))
            json_set(*ret, flow->nodes[i].id, outputs);
    }
    return true;
}

static bool find_item(const struct call_names *names, struct json **ret)
{
    const struct json *item;
    int64_t index;
    if (!flow_run_scope(names->run, names->scope, &item, &index))
        return false;
    *ret = json_ref(item);
    return true;
}

static bool find_index(const struct call_names *names, struct json **ret)
{
    const struct json *item;
    int64_t index;
    if (!flow_run_scope(names->run, names->scope, &item, &index))
        return false;
    *ret = json_int_new(index);
    return true;
}

static bool find_resolved(const struct json *values, const char *key, struct json **ret)
{
    *ret = json_ref(key == NULL ? values : json_get(values, key));
    return key == NULL ? values != NULL : json_has(values, key);
}

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    const struct call_names *names = user;
    switch (name) {
    case NAME_INPUT:
        return flow_run_delivered(names->run, names->scope, names->node, ret);
    case NAME_NODES:
        return find_nodes(names, key, ret);
    case NAME_EXECUTION:
        *ret = execution_of(names);
        return true;
    case NAME_FLOW:
        *ret = flow_of(names);
        return true;
    case NAME_ITEM:
        return find_item(names, ret);
    case NAME_INDEX:
        return find_index(names, ret);
    case NAME_VARIABLES:
        return find_resolved(names->variables, key, ret);
    case NAME_SECRETS:
        return find_resolved(names->secrets, key, ret);
    default:
        return false;
    }
}

void call_names_init(struct call_names *names, int64_t now_ms)
{
    names->source = (struct expression_source){.user = names, .now_ms = now_ms, .find = find};
}

void call_names_done(struct call_names *names)
{
    json_unref(names->variables);
    json_unref(names->secrets);
    names->variables = names->secrets = NULL;
}
