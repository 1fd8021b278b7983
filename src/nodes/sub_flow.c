/* sub-flow: starts an execution of another flow, and waits for its end or goes on. The node only says what to start:
 * the execution is inserted with the node's checkpoint (orchestrator/children.c). */
#include "nodes/node_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MAX_MS (INT64_C(10) * 366 * 86400 * 1000)

/* The same attempt begun twice at the same time has the same child. */
static void set_child_id(const struct node_call *call, struct json *waiting)
{
    char id[ID_TEXT_BYTES];
    struct rng rng = {.state = hash_str(call->idempotency_key) + (uint64_t)call->attempt};
    id_format(call->now_ms, &rng, id);
    json_set_str(waiting, "childId", id);
}

static enum err check_depth(const struct node_call *call, struct error *reterr)
{
    return call->depth < LIMIT_SUB_FLOW_DEPTH
               ? ERR_OK
               : error_set(
                     reterr, ERR_LIMIT, "flow",
                     "More than %d executions would have started each other as sub-flows: a flow may start itself, "
                     "but must come to an end.",
                     LIMIT_SUB_FLOW_DEPTH);
}

/* `body` is set by for-each with `distribute`: the nodes inside it, of this flow's same version. */
static enum err choose_flow(const struct node_call *call, struct json *waiting, struct error *reterr)
{
    const char *body = node_input_str(call, "body", NULL), *wanted = node_input_str(call, "flow", "");
    char id[NODE_FLOW_ID_BYTES];
    int version = 0;
    if (body != NULL) {
        json_set_str(waiting, "flowId", call->flow_id);
        json_set_int(waiting, "flowVersion", call->flow_version);
        json_set_str(waiting, "body", body);
        return ERR_OK;
    }
    if (*wanted == '\0')
        return error_set(reterr, ERR_VALIDATION, "flow", "flow must be the id or the name of the flow to start.");
    if (call->host == NULL || call->host->find_flow == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, "flow", "No flow can be started from here.");
    enum err code = call->host->find_flow(call->host->find_flow_user, wanted,
                                          (int)json_get_int(call->inputs, "version", 0), id, &version, reterr);
    if (code != ERR_OK)
        return code;
    json_set_str(waiting, "flowId", id);
    json_set_int(waiting, "flowVersion", version);
    return ERR_OK;
}

static void set_input(const struct node_call *call, struct json *waiting)
{
    struct json *input = node_input_ref(call, "input");
    if (node_input_str(call, "body", NULL) != NULL) {
        struct json *item = json_object_new();
        json_set(item, "item", input);
        json_set_int(item, "index", json_get_int(call->inputs, "index", 0));
        input = item;
    }
    json_set(waiting, "input", input);
}

/* A dotted path as a list of its members. */
static void set_pick(const struct node_call *call, struct json *waiting)
{
    const char *path = node_input_str(call, "outputPath", "");
    if (*path == '\0')
        return;
    struct json *pick = json_array_new();
    for (;;) {
        size_t n = strcspn(path, ".");
        json_push(pick, json_string_new_n(path, n));
        if (path[n] == '\0')
            break;
        path += n + 1;
    }
    json_set(waiting, "pick", pick);
}

/* Looking a flow up may block; the nodes of a for-each are of the flow that runs. */
static enum node_mode mode_of(const struct json *inputs)
{
    return json_get_str(inputs, "body") != NULL ? NODE_INLINE : NODE_BLOCKING;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    AUTO_JSON struct json *waiting = json_object_new();
    bool waits = strcmp(node_input_str(call, "mode", "wait"), "start") != 0;
    int64_t timeout_ms = json_get_int(call->inputs, "timeoutMs", 0);
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check_depth(call, reterr);
    json_set_str(waiting, "kind", waits ? "child" : "start");
    set_child_id(call, waiting);
    if (code == ERR_OK)
        code = choose_flow(call, waiting, reterr);
    if (code != ERR_OK)
        return code;
    json_set_int(waiting, "depth", call->depth + 1);
    set_input(call, waiting);
    call->records = 1;
    if (waits) {
        set_pick(call, waiting);
        node_call_wait_for(call, json_ref(waiting), timeout_ms > 0 ? call->now_ms + timeout_ms : RUN_WAKE_NEVER);
        return ERR_OK;
    }
    struct json *started = json_object_new();
    json_set_str(started, "executionId", json_get_str(waiting, "childId"));
    node_call_set(call, "output", started);
    node_call_set(call, "executionId", json_string_new(json_get_str(waiting, "childId")));
    call->waiting = json_ref(waiting);
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "input", .type = "any", .description = "What the flow's trigger hands to it."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "any",
     .description = "The result of the execution, or what outputPath names of it; with mode start {executionId}."},
    {.name = "executionId", .type = "string", .description = "The execution that was started."},
    {0}};
static const char *const modes[] = {"wait", "start", NULL};
static const struct field fields[] = {
    {.name = "flow",
     .kind = FIELD_STRING,
     .max = LIMIT_NAME_CHARS,
     .help = "The flow to start, by its id or its name."},
    {.name = "version",
     .kind = FIELD_INT,
     .min = 0,
     .max = INT32_MAX,
     .default_json = "0",
     .help = "Which version of it; 0 is the published one, or else the newest."},
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"wait\"",
     .help = "wait goes on with its result when it has ended; start goes on at once, whatever becomes of it."},
    {.name = "input", .kind = FIELD_ANY, .help = "What it gets, when no connection brings it."},
    {.name = "outputPath",
     .label = "Output path",
     .kind = FIELD_STRING,
     .max = 200,
     .help = "Only this part of the result, as a dotted path such as output.total."},
    {.name = "timeoutMs",
     .label = "Deadline (ms)",
     .kind = FIELD_INT,
     .min = 0,
     .max = TIMEOUT_MAX_MS,
     .default_json = "0",
     .help = "An execution that takes longer is cancelled, and the node fails; 0 is no limit."},
    {0}};
static const struct node_example examples[] = {
    {"Start and go on", "The other flow runs by itself; the output tells which execution it is.",
     "{\"flow\":\"Send the newsletter\",\"mode\":\"start\",\"input\":{\"issue\":7}}",
     "{\"output\":{\"executionId\":\"…\"},\"executionId\":\"…\"}"},
    {"One number of the result", "The flow goes on with the total that the other one gave.",
     "{\"flow\":\"Add up the orders\",\"outputPath\":\"output.total\",\"timeoutMs\":600000}", "{\"output\":1234}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"There is no flow …", "It was renamed or deleted, or is in another installation.",
     "Choose it again, or by its id."},
    {"More than 16 executions would have started each other", "Flows start each other in a circle.",
     "Let one of them decide with an if whether it goes on."},
    {0}};

const struct node_type node_sub_flow = {
    .spec = {.type = "sub-flow", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "input"},
    .name = "Sub-flow",
    .version = "1.0.0",
    .description = "Starts another flow, and waits for its result or goes on.",
    .category = "logic",
    .icon = "workflow",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "sub-flow", "reuse", NULL},
    .related = (const char *const[]){"for-each", "wait", "flow-failed-trigger", NULL},
    .purpose = "Use it for a part that several flows share, or that shall run on another worker with a history of its "
               "own. When the other flow fails or is cancelled, the node fails: its error output, its retries and "
               "critical apply. Cancelling an execution cancels those that it waits for.",
    .limitations = (const char *const[]){"At most 16 executions start each other one below the other.", NULL},
    .best_practices = (const char *const[]){"Set a deadline where the other flow may wait for a person.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .mode_of = mode_of,
    .execute = execute,
};
