/* What a failed execution starts: the flows that listen for it, in the write that makes it final. */
#include "orchestrator/failures.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <string.h>

static bool is_text(const struct json *object, const char *key, const char *text)
{
    const char *its = json_get_str(object, key);
    return its != NULL && strcmp(its, text) == 0;
}

/* The flows whose failures led to this one, itself first. */
static enum err load_chain(struct store_session *session, const struct json *failed, struct json *chain,
                           struct error *reterr)
{
    AUTO_JSON struct json *at = json_ref(failed);
    enum err code = ERR_OK;
    json_push(chain, json_string_new(json_get_str(at, "flowId")));
    while (code == ERR_OK && is_text(at, "trigger", "flow-failed") && json_get_str(at, "parentExecutionId") != NULL &&
           json_count(chain) <= LIMIT_SUB_FLOW_DEPTH) {
        struct json *former = NULL;
        code = store_execution_load(session, json_get_str(at, "parentExecutionId"), &former, reterr);
        if (code == ERR_NOT_FOUND) { /* deleted since */
            code = ERR_OK;
            break;
        }
        if (code != ERR_OK)
            break;
        json_unref(at);
        at = former;
        json_push(chain, json_string_new(json_get_str(at, "flowId")));
    }
    return code;
}

static bool holds(const struct json *texts, const char *text)
{
    for (size_t i = 0; text != NULL && i < json_count(texts); i++)
        if (json_as_str(json_at(texts, i)) != NULL && strcmp(json_as_str(json_at(texts, i)), text) == 0)
            return true;
    return false;
}

/* A child of the same flow (an item of a for-each, say) is told to its parent, whose failure counts. */
static enum err is_part(struct store_session *session, const struct json *failed, bool *ret, struct error *reterr)
{
    AUTO_JSON struct json *parent = NULL;
    *ret = false;
    if (!is_text(failed, "trigger", "flow") || json_get_str(failed, "parentExecutionId") == NULL)
        return ERR_OK;
    enum err code = store_execution_load(session, json_get_str(failed, "parentExecutionId"), &parent, reterr);
    *ret = code == ERR_OK && is_text(parent, "flowId", json_get_str(failed, "flowId"));
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static struct json *failure_of(const struct json *failed, const char *flow_name)
{
    static const char *const copied[] = {"flowId", "flowVersion", "status", "trigger", "startTime", "endTime"};
    struct json *failure = json_object_new(), *error = json_object_new(), *input = json_object_new();
    json_set_str(failure, "executionId", json_get_str(failed, "id"));
    json_set_str(failure, "flowName", flow_name);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_set(failure, copied[i], json_ref(json_get(failed, copied[i])));
    json_set_str(error, "code", json_get_str(failed, "errorCode"));
    json_set_str(error, "message", json_get_str(failed, "errorMessage"));
    json_set(failure, "error", error);
    json_set(input, "failure", failure);
    return input;
}

/* Due at once, under an id that follows from who failed and who listens: a repeated write inserts it once. */
static enum err start(struct store_session *session, const struct json *failed, const struct json *listener,
                      const char *node_id, const char *input, int depth, int64_t now_ms, struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    AUTO_FREE char *seed =
        mem_printf("%s/%s/%s", json_get_str(failed, "id"), json_get_str(listener, "flowId"), node_id);
    struct rng rng = {.state = hash_str(seed)};
    id_format(now_ms, &rng, id);
    const struct store_execution row = {.id = id,
                                        .flow_id = json_get_str(listener, "flowId"),
                                        .flow_version = (int)json_get_int(listener, "version", 1),
                                        .trigger = "flow-failed",
                                        .trigger_node = node_id,
                                        .priority = 1,
                                        .input_json = input,
                                        .created_ms = now_ms,
                                        .wake_ms = now_ms,
                                        .parent_id = json_get_str(failed, "id"),
                                        .depth = depth};
    return store_child_insert(session, &row, reterr);
}

static bool listens(const struct json *node, const char *flow_id, const char *flow_name)
{
    const struct json *flows = json_get(json_get(node, "config"), "flows");
    return is_text(node, "type", "flow-failed-trigger") &&
           (json_count(flows) == 0 || holds(flows, flow_id) || holds(flows, flow_name));
}

static enum err start_listeners(struct store_session *session, const struct json *failed, const struct json *listeners,
                                int64_t now_ms, bool *ret_started, struct error *reterr)
{
    AUTO_JSON struct json *chain = json_array_new(), *flow = NULL;
    const char *flow_id = json_get_str(failed, "flowId");
    enum err code = load_chain(session, failed, chain, reterr);
    if (code != ERR_OK || json_count(chain) > LIMIT_SUB_FLOW_DEPTH)
        return code;
    code = store_flow_load(session, flow_id, &flow, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *failure = failure_of(failed, json_get_str(flow, "name"));
    AUTO_FREE char *input = json_dup_text(failure);
    for (size_t i = 0; code == ERR_OK && i < json_count(listeners); i++) {
        const struct json *listener = json_at(listeners, i), *nodes = json_get(listener, "nodes");
        if (holds(chain, json_get_str(listener, "flowId")))
            continue;
        for (size_t k = 0; code == ERR_OK && k < json_count(nodes); k++) {
            const struct json *node = json_at(nodes, k);
            if (json_get_str(node, "id") == NULL || !listens(node, flow_id, json_get_str(flow, "name")))
                continue;
            code = start(session, failed, listener, json_get_str(node, "id"), input, (int)json_count(chain), now_ms,
                         reterr);
            *ret_started = true;
        }
    }
    return code;
}

enum err failures_start(struct store_session *session, const char *execution_id, int64_t now_ms, bool *ret_started,
                        struct error *reterr)
{
    AUTO_JSON struct json *listeners = NULL, *failed = NULL;
    bool part = false;
    enum err code = store_flow_listeners(session, &listeners, reterr);
    if (code != ERR_OK || json_count(listeners) == 0)
        return code;
    code = store_execution_load(session, execution_id, &failed, reterr);
    if (code == ERR_OK)
        code = is_part(session, failed, &part, reterr);
    if (code != ERR_OK || part || (!is_text(failed, "status", "failed") && !is_text(failed, "status", "timeout")))
        return code;
    return start_listeners(session, failed, listeners, now_ms, ret_started, reterr);
}
