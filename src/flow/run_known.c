/* What a retry from the failed node takes over out of history. */
#include "flow/run.h"

#include "base/clock.h"
#include <string.h>

enum { EVALUATED_TEXT_MAX = 1024 };

static int64_t time_of(const struct json *entry, const char *key)
{
    int64_t ms = 0;
    return json_get_str(entry, key) != NULL && clock_parse_iso(json_get_str(entry, key), &ms) == 0 ? ms : 0;
}

/* A for-each that did not succeed shows its plan as its output. */
static bool find_state(const struct json *entry, enum node_state *ret)
{
    const char *status = json_get_str(entry, "status");
    bool succeeded = status != NULL && strcmp(status, node_state_name(NODE_SUCCEEDED)) == 0;
    *ret = succeeded ? NODE_SUCCEEDED : NODE_ITERATING;
    return succeeded || json_is(json_get(json_get(entry, "output"), "items"), JSON_ARRAY);
}

/* Short values: what a connection brought is brought again, and a configuration holds little else. */
static struct json *evaluated_of(const struct json *entry)
{
    struct json *evaluated = json_object_new();
    struct json_iter member;
    JSON_EACH(json_get(entry, "input"), member)
    {
        if (!json_is(member.value, JSON_ARRAY) && !json_is(member.value, JSON_OBJECT) &&
            json_as_str_len(member.value) <= EVALUATED_TEXT_MAX)
            json_set(evaluated, member.key, json_ref(member.value));
    }
    return evaluated;
}

static void add(struct json *list, const struct json *entry)
{
    enum node_state state;
    if (!find_state(entry, &state))
        return;
    struct json *checkpoint = json_object_new();
    json_set_str(checkpoint, "nodeId", json_get_str(entry, "nodeId"));
    if (json_get_str(entry, "iteration") != NULL)
        json_set_str(checkpoint, "iteration", json_get_str(entry, "iteration"));
    json_set_int(checkpoint, "attempt", (int64_t)json_count(json_get(entry, "attempts")));
    json_set_str(checkpoint, "state", node_state_name(state));
    json_set(checkpoint, "outputs", json_ref(json_get(entry, "output")));
    json_set_int(checkpoint, "records", json_get_int(entry, "recordsProcessed", 0));
    json_set_int(checkpoint, "startedMs", time_of(entry, "startTime"));
    json_set_int(checkpoint, "endedMs", time_of(entry, "endTime"));
    json_set(checkpoint, "evaluated", evaluated_of(entry));
    json_push(list, checkpoint);
}

struct json *flow_run_known(const struct json *nodes)
{
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *iterations = json_get(json_at(nodes, i), "iterations");
        for (size_t k = 0; k < json_count(iterations); k++)
            add(list, json_at(iterations, k));
        add(list, json_at(nodes, i));
    }
    return list;
}
