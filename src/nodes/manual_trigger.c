/* manual-trigger: starts a flow by hand or through the API. */
#include "nodes/node_int.h"

/* The run's input arrives as `output`, or as the inputs themselves. */
static enum err execute(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    const char *from = json_has(call->inputs, "output") ? "output" : "payload";
    node_call_set(call, "output", json_has(call->inputs, from) ? node_input_ref(call, from) : json_ref(call->inputs));
    call->records = 1;
    return ERR_OK;
}

static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "any",
     .description = "The input the run was started with; the payload when it had none."},
    {0}};
static const struct field fields[] = {
    {.name = "payload", .kind = FIELD_ANY, .help = "What the flow gets when it is started without an input."}, {0}};
static const struct node_example examples[] = {{"A default input", "Pressing Execute hands this payload to the flow.",
                                                "{\"payload\":{\"customer\":7}}", "{\"output\":{\"customer\":7}}"},
                                               {0}};
static const struct node_trouble troubles[] = {
    {"The next node gets an object instead of a list", "output is the run's whole input.",
     "Start the run with a list, or take the list out with set-fields or a path."},
    {0}};

const struct node_type node_manual_trigger = {
    .spec = {.type = "manual-trigger", .outputs = outputs, .fields = fields, .trigger = "manual", .pure = true},
    .name = "Manual Trigger",
    .version = "1.0.0",
    .description = "Starts the flow when a person presses Execute or the API is called.",
    .category = "logic",
    .icon = "play",
    .timeout_ms = 1000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"trigger", "start", "manual", NULL},
    .related = (const char *const[]){"webhook-trigger", "schedule-trigger", NULL},
    .purpose = "Marks where a flow begins when it is started by hand, and shows what it is started with.",
    .limitations =
        (const char *const[]){"Of several triggers only the one that fired runs; the others are skipped.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
