/* flow-failed-trigger: where a flow begins that another one's failure starts (orchestrator/failures.c). */
#include "nodes/node_int.h"

#include "base/limits.h"

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    node_call_pass(call, "output", "failure");
    if (json_get(call->inputs, "failure") == NULL) /* started by hand */
        node_call_set(call, "output", json_object_new());
    call->records = 1;
    return ERR_OK;
}

static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "object",
     .description = "{executionId, flowId, flowName, flowVersion, status, error: {code, message}, trigger, startTime, "
                    "endTime} of the execution that failed."},
    {0}};
static const struct field fields[] = {
    {.name = "flows",
     .kind = FIELD_STRINGS,
     .max = 100,
     .help = "The flows, by their ids or names, whose failures start this one; none is any flow."},
    {.name = "failure",
     .kind = FIELD_OBJECT,
     .nullable = true,
     .help = "What failed: set when it fires; a value here is used when the flow is started by hand."},
    {0}};
static const struct node_example examples[] = {
    {"Whatever fails", "Started with the failure of any other flow; here it is given, as the platform does.",
     "{\"failure\":{\"flowName\":\"Nightly report\",\"status\":\"failed\",\"error\":{\"code\":\"NODE_FAILED\","
     "\"message\":\"node mail: refused\"}}}",
     "{\"output\":{\"flowName\":\"Nightly report\",\"status\":\"failed\",\"error\":{\"code\":\"NODE_FAILED\","
     "\"message\":\"node mail: refused\"}}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"It does not start", "The flow is not active, or its published version has no such trigger.",
     "Set it active, and publish the version that has the trigger."},
    {"A failure starts nothing", "It is the flow's own, or came of a failure that this flow was started for.",
     "Nothing: a flow is never started for its own failures, also not in a ring of flows."},
    {0}};

const struct node_type node_flow_failed_trigger = {
    .spec =
        {.type = "flow-failed-trigger", .outputs = outputs, .fields = fields, .trigger = "flow-failed", .pure = true},
    .name = "Flow Failed Trigger",
    .version = "1.0.0",
    .description = "Starts the flow when another one has failed.",
    .category = "logic",
    .icon = "alert-triangle",
    .timeout_ms = 1000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"trigger", "error", "failure", NULL},
    .related = (const char *const[]){"manual-trigger", "email-send", "sub-flow", NULL},
    .purpose = "Use it to tell somebody, or to clean up, when a flow ends as failed or takes longer than it may. A "
               "scheduled execution that is tried again counts with its last attempt only.",
    .limitations = (const char *const[]){"Cancelled executions have not failed.",
                                         "A flow is not started for its own failures, nor for those of flows that its "
                                         "own failure had started.",
                                         NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
