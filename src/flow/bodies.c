/* Which nodes are inside which for-each, and which connections may cross its border. */
#include "flow/flow_int.h"

#include "base/limits.h"
#include <stdio.h>
#include <string.h>

static unsigned depth_of(const struct flow *flow, unsigned index)
{
    unsigned depth = 0;
    while (flow->nodes[index].parent != FLOW_NONE && depth <= LIMIT_FOR_EACH_DEPTH) {
        index = flow->nodes[index].parent;
        depth++;
    }
    return depth;
}

static void read_parent(struct flow *flow, const struct json *json, unsigned index, struct json *problems)
{
    struct flow_node *node = &flow->nodes[index];
    const char *parent = json_get_str(json, "parentId");
    char field[40];
    (void)snprintf(field, sizeof field, "nodes[%u].parentId", index);
    if (parent == NULL || *parent == '\0')
        return;
    int found = flow_find_node(flow, parent);
    if (found < 0 || flow->nodes[found].spec == NULL || !flow->nodes[found].spec->container) {
        problem_add(problems, "INVALID_PARENT", node->id, field, "%s must be the id of a for-each, not \"%.64s\".",
                    field, parent);
        return;
    }
    if (node->spec != NULL && node->spec->trigger != NULL) {
        problem_add(problems, "INVALID_PARENT", node->id, field, "A trigger cannot stand inside a for-each.");
        return;
    }
    node->parent = (unsigned)found;
}

void bodies_find_parents(struct flow *flow, struct json *problems)
{
    const struct json *nodes = json_get(flow->definition, "nodes");
    for (unsigned i = 0; i < flow->node_count; i++)
        read_parent(flow, json_at(nodes, i), i, problems);
    for (unsigned i = 0; i < flow->node_count; i++) {
        if (depth_of(flow, i) <= LIMIT_FOR_EACH_DEPTH)
            continue;
        problem_add(problems, "INVALID_PARENT", flow->nodes[i].id, "nodes",
                    "Node %.64s is inside more than %d for-each nodes, or inside itself.", flow->nodes[i].id,
                    LIMIT_FOR_EACH_DEPTH);
        flow->nodes[i].parent = FLOW_NONE; /* the others of a circle end here */
    }
}

static bool is_item_output(const char *output)
{
    return strcmp(output, "item") == 0 || strcmp(output, "index") == 0;
}

void bodies_check_connection(const struct flow *flow, struct flow_connection *connection, unsigned index,
                             struct json *problems)
{
    const struct flow_node *from = &flow->nodes[connection->from], *to = &flow->nodes[connection->to];
    bool item = from->spec->container && is_item_output(connection->output);
    bool result = to->spec->container && strcmp(connection->input, "result") == 0;
    char field[40];
    (void)snprintf(field, sizeof field, "connections[%u]", index);
    if (item && to->parent == connection->from && !result)
        connection->kind = FLOW_CONNECTION_ITEM;
    else if (result && from->parent == connection->to && !item)
        connection->kind = FLOW_CONNECTION_RESULT;
    else if (item)
        problem_add(problems, "INVALID_SCOPE", from->id, field,
                    "The output %s of the for-each %.64s leads to nodes inside it only (their parentId is its id).",
                    connection->output, from->id);
    else if (result)
        problem_add(problems, "INVALID_SCOPE", to->id, field,
                    "The input result of the for-each %.64s takes values from nodes inside it only.", to->id);
    else if (from->parent != to->parent)
        problem_add(problems, "INVALID_SCOPE", from->id, field,
                    "The connection from %.64s to %.64s crosses the border of a for-each; values go in through item "
                    "and index and come out through result.",
                    from->id, to->id);
}

/* A for-each with `distribute` keeps its nodes apart; what it runs itself has been made by distribute.c. */
static unsigned body_of_node(const struct flow *flow, unsigned index)
{
    unsigned parent = flow->nodes[index].parent;
    if (parent == FLOW_NONE)
        return 0;
    const struct flow_node *container = &flow->nodes[parent];
    bool made = index >= json_count(json_get(flow->definition, "nodes"));
    return container->apart != FLOW_NONE && !made ? container->apart : container->inner;
}

static void number_bodies(struct flow *flow)
{
    unsigned count = 1;
    for (unsigned i = 0; i < flow->node_count; i++)
        if (flow->nodes[i].spec != NULL && flow->nodes[i].spec->container)
            count += flow->nodes[i].apart != FLOW_NONE ? 2 : 1;
    flow->bodies = arena_alloc(&flow->arena, count * sizeof *flow->bodies);
    flow->bodies[flow->body_count++] = (struct flow_body){.container = FLOW_NONE};
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct flow_node *node = &flow->nodes[i];
        if (node->spec == NULL || !node->spec->container)
            continue;
        node->inner = flow->body_count;
        flow->bodies[flow->body_count++] = (struct flow_body){.container = i, .depth = depth_of(flow, i) + 1};
        if (node->apart == FLOW_NONE)
            continue;
        node->apart = flow->body_count;
        flow->bodies[flow->body_count++] = (struct flow_body){.container = i, .depth = depth_of(flow, i) + 1};
    }
}

/* Connections belong to the body of the node inside: that of their source, for `item` that of their target. */
static struct flow_body *body_of_connection(const struct flow *flow, const struct flow_connection *connection)
{
    bool item = connection->kind == FLOW_CONNECTION_ITEM;
    return &flow->bodies[flow->nodes[item ? connection->to : connection->from].body];
}

void bodies_link(struct flow *flow)
{
    number_bodies(flow);
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct flow_body *body = &flow->bodies[flow->nodes[i].body = body_of_node(flow, i)];
        flow->nodes[i].slot = body->node_count++;
    }
    for (unsigned i = 0; i < flow->connection_count; i++)
        flow->connections[i].slot = body_of_connection(flow, &flow->connections[i])->connection_count++;
    for (unsigned i = 0; i < flow->body_count; i++) {
        struct flow_body *body = &flow->bodies[i];
        body->nodes = arena_alloc(&flow->arena, body->node_count * sizeof *body->nodes);
        body->connections = arena_alloc(&flow->arena, body->connection_count * sizeof *body->connections);
    }
    for (unsigned i = 0; i < flow->node_count; i++)
        flow->bodies[flow->nodes[i].body].nodes[flow->nodes[i].slot] = i;
    for (unsigned i = 0; i < flow->connection_count; i++)
        body_of_connection(flow, &flow->connections[i])->connections[flow->connections[i].slot] = i;
}
