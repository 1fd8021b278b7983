/* Which nodes a run up to a chosen node needs. */
#include "flow/part.h"

#include "base/map.h"
#include <string.h>

/* Grows until nothing is added: backwards along connections, outwards to containers, inwards to what a needed
 * container holds. The chosen node itself brings what it contains too. */
static bool add(struct map *needed, const char *id)
{
    static char mark;
    return id != NULL && map_get(needed, id) == NULL && map_put(needed, id, &mark) == NULL;
}

static bool add_reaching(struct map *needed, const struct json *connections)
{
    bool grew = false;
    for (size_t i = 0; i < json_count(connections); i++) {
        const struct json *connection = json_at(connections, i);
        const char *to = json_get_str(connection, "toNodeId");
        if (to != NULL && map_get(needed, to) != NULL)
            grew |= add(needed, json_get_str(connection, "fromNodeId"));
    }
    return grew;
}

static bool add_containing(struct map *needed, const struct json *nodes)
{
    bool grew = false;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *id = json_get_str(json_at(nodes, i), "id"), *parent = json_get_str(json_at(nodes, i), "parentId");
        if (id == NULL || parent == NULL)
            continue;
        if (map_get(needed, id) != NULL)
            grew |= add(needed, parent);
        else if (map_get(needed, parent) != NULL)
            grew |= add(needed, id);
    }
    return grew;
}

static struct json *kept_nodes(const struct map *needed, const struct json *nodes)
{
    struct json *kept = json_array_new();
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *id = json_get_str(json_at(nodes, i), "id");
        if (id != NULL && map_get(needed, id) != NULL)
            json_push(kept, json_ref(json_at(nodes, i)));
    }
    return kept;
}

static struct json *kept_connections(const struct map *needed, const struct json *connections)
{
    struct json *kept = json_array_new();
    for (size_t i = 0; i < json_count(connections); i++) {
        const char *from = json_get_str(json_at(connections, i), "fromNodeId"),
                   *to = json_get_str(json_at(connections, i), "toNodeId");
        if (from != NULL && to != NULL && map_get(needed, from) != NULL && map_get(needed, to) != NULL)
            json_push(kept, json_ref(json_at(connections, i)));
    }
    return kept;
}

enum err flow_part_until(const struct json *definition, const char *node_id, struct json **ret, struct error *reterr)
{
    const struct json *nodes = json_get(definition, "nodes"), *connections = json_get(definition, "connections");
    struct map needed;
    bool found = false;
    for (size_t i = 0; i < json_count(nodes) && !found; i++) {
        const char *id = json_get_str(json_at(nodes, i), "id");
        found = id != NULL && strcmp(id, node_id) == 0;
    }
    if (!found)
        return error_set(reterr, ERR_NOT_FOUND, "untilNode", "untilNode: the flow has no node \"%.64s\".", node_id);
    map_init(&needed);
    (void)add(&needed, node_id);
    for (bool grew = true; grew;) {
        grew = add_reaching(&needed, connections);
        grew = add_containing(&needed, nodes) || grew;
    }
    struct json *part = json_object_new();
    struct json_iter member;
    JSON_EACH(definition, member) json_set(part, member.key, json_ref(member.value));
    json_set(part, "nodes", kept_nodes(&needed, nodes));
    json_set(part, "connections", kept_connections(&needed, connections));
    map_done(&needed);
    *ret = part;
    return ERR_OK;
}
