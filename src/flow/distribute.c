/* A for-each whose items run elsewhere: in child executions of another flow (mode `flow`), or of this one
 * (`distribute`). Such a for-each gets a sub-flow node of its own making inside, so that the run knows one way to go
 * through items. */
#include "flow/flow_int.h"

#include "base/limits.h"
#include <stdio.h>
#include <string.h>

static bool runs_a_flow(const struct flow_node *node)
{
    const char *mode = json_get_str(node->config, "mode");
    return mode != NULL && strcmp(mode, "flow") == 0;
}

static void connect(struct flow *flow, unsigned from, const char *output, unsigned to, const char *input,
                    enum flow_connection_kind kind)
{
    flow->connections[flow->connection_count++] =
        (struct flow_connection){.from = from, .output = output, .to = to, .input = input, .kind = kind};
    flow->nodes[kind == FLOW_CONNECTION_ITEM ? to : from].out_count += kind != FLOW_CONNECTION_ITEM;
    if (kind == FLOW_CONNECTION_ITEM)
        flow->nodes[to].in_count++;
}

static struct json *config_of(struct flow *flow, unsigned index)
{
    static const char *const copied[] = {"flow", "version", "timeoutMs"};
    const struct flow_node *node = &flow->nodes[index];
    struct json *config = json_object_new();
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (json_has(node->config, copied[i]))
            json_set(config, copied[i], json_ref(json_get(node->config, copied[i])));
    if (!runs_a_flow(node))
        json_set_str(config, "body", node->id);
    json_push(flow->made, config);
    return config;
}

static void add_node(struct flow *flow, unsigned index, const struct flow_node_spec *spec)
{
    unsigned made = flow->node_count++;
    const struct json *config = config_of(flow, index);
    char id[LIMIT_NODE_ID_BYTES + 8];
    (void)snprintf(id, sizeof id, "%.64s.item", flow->nodes[index].id);
    flow->nodes[made] = (struct flow_node){.id = arena_dup(&flow->arena, id),
                                           .type = spec->type,
                                           .spec = spec,
                                           .config = config,
                                           .expressions = expressions_new(config, spec->fields),
                                           .timeout_ms = LIMIT_NODE_TIMEOUT_MS,
                                           .retry = {.max_attempts = 1},
                                           .critical = true,
                                           .parent = index,
                                           .inner = FLOW_NONE,
                                           .apart = FLOW_NONE,
                                           .loop = FLOW_NONE,
                                           .heads = FLOW_NONE};
    connect(flow, index, "item", made, "input", FLOW_CONNECTION_ITEM);
    connect(flow, index, "index", made, "index", FLOW_CONNECTION_ITEM);
    connect(flow, made, "output", index, "result", FLOW_CONNECTION_RESULT);
}

void distribute_add_nodes(struct flow *flow, const struct flow_catalog *catalog, struct json *problems)
{
    const struct flow_node_spec *spec = catalog->find(catalog, "sub-flow");
    for (unsigned i = 0, count = flow->node_count; i < count; i++) {
        struct flow_node *node = &flow->nodes[i];
        bool distribute = json_get_bool(node->config, "distribute", false);
        if (node->spec == NULL || !node->spec->container || (!distribute && !runs_a_flow(node)))
            continue;
        flow->pure = false;
        if (spec == NULL) {
            problem_add(problems, "UNKNOWN_NODE_TYPE", node->id, "nodes",
                        "Node %.64s needs the node type sub-flow, which is not there.", node->id);
            continue;
        }
        node->apart = 0; /* bodies.c gives it its number */
        add_node(flow, i, spec);
    }
}
