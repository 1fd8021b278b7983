/* stop-with-error: fails the flow on purpose. */
#include "nodes/node_int.h"

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *own = node_input_str(call, "code", NULL),
               *message = node_input_str(call, "message", "The flow stopped itself.");
    return error_set(reterr, ERR_STOPPED, NULL, "%s%s%s", own == NULL ? "" : own, own == NULL ? "" : ": ", message);
}

static const struct flow_pin inputs[] = {
    {.name = "message", .type = "string", .description = "What went wrong."},
    {.name = "data", .type = "any", .description = "Brings the flow here; it is not used."},
    {0}};
static const struct flow_pin outputs[] = {{0}};
static const struct field fields[] = {
    {.name = "message",
     .widget = "textarea",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 400,
     .default_json = "\"The flow stopped itself.\"",
     .help = "A sentence for the person who reads it."},
    {.name = "code",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 64,
     .help = "A short code of your own, put before the message."},
    {.name = "data", .kind = FIELD_ANY, .help = "Takes a connection; its value is not used."},
    {0}};
/* The node has no output: what it gives is the error, whose text stands here as the test checks it. */
static const struct node_example examples[] = {{"No stock", "The execution fails with STOPPED_WITH_ERROR.",
                                                "{\"code\":\"NO_STOCK\",\"message\":\"Nothing is left of it.\"}",
                                                "{\"error\":\"NO_STOCK: Nothing is left of it.\"}"},
                                               {0}};
static const struct node_trouble troubles[] = {{"The flow goes on",
                                                "The node's error output is connected, or critical is false.",
                                                "Remove that connection, or set critical."},
                                               {0}};

const struct node_type node_stop_with_error = {
    .spec = {.type = "stop-with-error",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Stop With Error",
    .version = "1.0.0",
    .description = "Fails the flow on purpose, with a message.",
    .category = "logic",
    .icon = "stop",
    .timeout_ms = 1000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "error", "stop", NULL},
    .related = (const char *const[]){"if", "log", NULL},
    .purpose =
        "Use it at the end of a branch that must not be reached, so that the execution counts as failed and says why.",
    .limitations = (const char *const[]){"It is never retried.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
