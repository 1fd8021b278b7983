/* Comparing two definitions. */
#include "flow/diff.h"

#include "base/map.h"
#include "base/mem.h"
#include <string.h>

static void add_change(struct json *list, const char *path, const struct json *before, const struct json *after)
{
    struct json *change = json_object_new();
    json_set_str(change, "path", path);
    json_set(change, "before", json_ref(before));
    json_set(change, "after", json_ref(after));
    json_push(list, change);
}

static void compare(struct json *list, const char *path, const struct json *before, const struct json *after);

static void compare_objects(struct json *list, const char *path, const struct json *before, const struct json *after)
{
    struct json_iter member;
    JSON_EACH(before, member)
    {
        AUTO_FREE char *inner = mem_printf("%s%s%s", path, *path == '\0' ? "" : ".", member.key);
        compare(list, inner, member.value, json_get(after, member.key));
    }
    JSON_EACH(after, member)
    {
        if (json_has(before, member.key))
            continue;
        AUTO_FREE char *inner = mem_printf("%s%s%s", path, *path == '\0' ? "" : ".", member.key);
        compare(list, inner, NULL, member.value);
    }
}

static void compare_arrays(struct json *list, const char *path, const struct json *before, const struct json *after)
{
    size_t most = json_count(before) > json_count(after) ? json_count(before) : json_count(after);
    for (size_t i = 0; i < most; i++) {
        AUTO_FREE char *inner = mem_printf("%s[%zu]", path, i);
        compare(list, inner, i < json_count(before) ? json_at(before, i) : NULL,
                i < json_count(after) ? json_at(after, i) : NULL);
    }
}

static void compare(struct json *list, const char *path, const struct json *before, const struct json *after)
{
    if (json_count(list) > FLOW_DIFF_FIELDS || json_equal(before, after))
        return;
    if (json_is(before, JSON_OBJECT) && json_is(after, JSON_OBJECT))
        compare_objects(list, path, before, after);
    else if (json_is(before, JSON_ARRAY) && json_is(after, JSON_ARRAY))
        compare_arrays(list, path, before, after);
    else
        add_change(list, path, before, after);
}

static struct json *changes_of(const char *path, const struct json *before, const struct json *after)
{
    struct json *list = json_array_new();
    compare(list, path, before, after);
    if (json_count(list) <= FLOW_DIFF_FIELDS)
        return list;
    json_unref(list);
    list = json_array_new();
    add_change(list, path, before, after);
    return list;
}

static struct json *name_of(const struct json *node)
{
    struct json *name = json_object_new();
    json_set_str(name, "id", json_get_str(node, "id"));
    json_set_str(name, "type", json_get_str(node, "type"));
    return name;
}

static void index_nodes(struct map *index, const struct json *nodes)
{
    map_init(index);
    for (size_t i = 0; i < json_count(nodes); i++)
        if (json_get_str(json_at(nodes, i), "id") != NULL)
            (void)map_put(index, json_get_str(json_at(nodes, i), "id"), json_at(nodes, i));
}

/* All members but the id and the place on the page. */
static struct json *node_changes(const struct json *before, const struct json *after)
{
    static const char *const members[] = {"type", "version", "parentId", "config"};
    struct json *all = json_array_new();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        AUTO_JSON struct json *found =
            changes_of(members[i], json_get(before, members[i]), json_get(after, members[i]));
        for (size_t k = 0; k < json_count(found); k++)
            json_push(all, json_ref(json_at(found, k)));
    }
    return all;
}

static void compare_node(const struct json *before, const struct json *after, struct json *changed, struct json *moved)
{
    struct json *fields = node_changes(before, after);
    if (!json_equal(json_get(before, "position"), json_get(after, "position")))
        json_push(moved, json_ref(json_get(after, "id")));
    if (json_count(fields) == 0) {
        json_unref(fields);
        return;
    }
    struct json *entry = name_of(after);
    json_set(entry, "fields", fields);
    json_push(changed, entry);
}

static size_t diff_nodes(struct json *diff, const struct json *before, const struct json *after)
{
    struct map old, new;
    struct json *added = json_array_new(), *removed = json_array_new(), *changed = json_array_new(),
                *moved = json_array_new(), *nodes = json_object_new();
    index_nodes(&old, before);
    index_nodes(&new, after);
    for (size_t i = 0; i < json_count(after); i++) {
        const struct json *node = json_at(after, i);
        const struct json *former = json_get_str(node, "id") == NULL ? NULL : map_get(&old, json_get_str(node, "id"));
        if (former == NULL)
            json_push(added, name_of(node));
        else
            compare_node(former, node, changed, moved);
    }
    for (size_t i = 0; i < json_count(before); i++) {
        const char *id = json_get_str(json_at(before, i), "id");
        if (id != NULL && map_get(&new, id) == NULL)
            json_push(removed, name_of(json_at(before, i)));
    }
    map_done(&old);
    map_done(&new);
    size_t count = json_count(added) + json_count(removed) + json_count(changed);
    json_set(nodes, "added", added);
    json_set(nodes, "removed", removed);
    json_set(nodes, "changed", changed);
    json_set(nodes, "moved", moved);
    json_set(diff, "nodes", nodes);
    return count;
}

/* As texts with a count, since the same connection may stand there twice. */
static void count_connections(struct map *counts, const struct json *list)
{
    map_init(counts);
    for (size_t i = 0; i < json_count(list); i++) {
        AUTO_FREE char *key = json_dup_text(json_at(list, i));
        (void)map_put(counts, key, (char *)map_get(counts, key) + 1);
    }
}

static struct json *beyond(const struct json *list, struct map *others)
{
    struct json *rest = json_array_new();
    for (size_t i = 0; i < json_count(list); i++) {
        AUTO_FREE char *key = json_dup_text(json_at(list, i));
        char *left = map_get(others, key);
        if (left != NULL)
            (void)map_put(others, key, left - 1);
        else
            json_push(rest, json_ref(json_at(list, i)));
    }
    return rest;
}

static size_t diff_connections(struct json *diff, const struct json *before, const struct json *after)
{
    struct map old, new;
    struct json *connections = json_object_new();
    count_connections(&old, before);
    count_connections(&new, after);
    struct json *added = beyond(after, &old), *removed = beyond(before, &new);
    map_done(&old);
    map_done(&new);
    size_t count = json_count(added) + json_count(removed);
    json_set(connections, "added", added);
    json_set(connections, "removed", removed);
    json_set(diff, "connections", connections);
    return count;
}

struct json *flow_diff(const struct json *before, const struct json *after)
{
    struct json *diff = json_object_new();
    size_t count = diff_nodes(diff, json_get(before, "nodes"), json_get(after, "nodes"));
    count += diff_connections(diff, json_get(before, "connections"), json_get(after, "connections"));
    struct json *settings = json_array_new();
    static const char none[] = "";
    AUTO_JSON struct json *empty = json_object_new();
    const struct json *old = json_get(before, "settings"), *new = json_get(after, "settings");
    compare(settings, none, old == NULL ? empty : old, new == NULL ? empty : new);
    count += json_count(settings);
    json_set(diff, "settings", settings);
    json_set_int(diff, "changes", (int64_t)count);
    return diff;
}
