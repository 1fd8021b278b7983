/* webhook-trigger: starts a flow by an HTTP request. */
#include "nodes/node_int.h"

#include "base/mem.h"

/* The request {body, headers, query, method} overlays the configuration, so `method` is the request's. */
static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    struct json *empty = json_object_new();
    node_call_set(call, "body", node_input_ref(call, "body"));
    node_call_set(call, "headers",
                  json_has(call->inputs, "headers") ? node_input_ref(call, "headers") : json_ref(empty));
    node_call_set(call, "query", json_has(call->inputs, "query") ? node_input_ref(call, "query") : json_ref(empty));
    node_call_set(call, "method", json_string_new(node_input_str(call, "method", "POST")));
    node_call_set(call, "output", node_input_ref(call, json_has(call->inputs, "output") ? "output" : "body"));
    json_unref(empty);
    call->records = 1;
    return ERR_OK;
}

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "ANY", NULL};
static const char *const modes[] = {"onReceived", "lastNode", NULL};
static const struct flow_pin outputs[] = {
    {.name = "output", .type = "any", .description = "The body of the request."},
    {.name = "body", .type = "any", .description = "The body: parsed when it is JSON, else text."},
    {.name = "headers", .type = "object", .description = "Request headers, names in lower case."},
    {.name = "query", .type = "object", .description = "Parameters of the query string."},
    {.name = "method", .type = "string", .description = "The request's method."},
    {0}};
static const struct field fields[] = {
    {.name = "path",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 200,
     .pattern = "^[A-Za-z0-9][A-Za-z0-9/_.-]*$",
     .help = "Where the webhook listens, below /webhooks/; the flow's id when absent."},
    {.name = "method",
     .kind = FIELD_ENUM,
     .values = methods,
     .default_json = "\"POST\"",
     .help = "The method that is accepted."},
    {.name = "responseMode",
     .label = "Answer",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"onReceived\"",
     .help = "onReceived answers at once with the execution's id, lastNode answers with the flow's result."},
    {.name = "headers", .widget = "key-value", .kind = FIELD_OBJECT, .help = "Headers for a run by hand."},
    {.name = "query", .widget = "key-value", .kind = FIELD_OBJECT, .help = "Query parameters for a run by hand."},
    {.name = "body", .kind = FIELD_ANY, .help = "A body for a run by hand."},
    {0}};
static const struct node_example examples[] = {
    {"An order arrives", "POST with a JSON body; the flow goes on with it.",
     "{\"path\":\"orders\",\"method\":\"POST\",\"responseMode\":\"lastNode\",\"headers\":{\"content-type\":"
     "\"application/json\"},"
     "\"query\":{\"source\":\"shop\"},\"body\":{\"order\":12}}",
     "{\"body\":{\"order\":12},\"headers\":{\"content-type\":\"application/json\"},\"query\":{\"source\":\"shop\"},"
     "\"method\":\"POST\",\"output\":{\"order\":12}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"The caller gets 404", "The flow is not active, or path or method differ.",
     "Activate the flow and compare path and method."},
    {"The caller waits long", "responseMode is lastNode and the flow takes its time.",
     "Use onReceived, or answer early with a respond node."},
    {0}};

const struct node_type node_webhook_trigger = {
    .spec = {.type = "webhook-trigger", .outputs = outputs, .fields = fields, .trigger = "webhook", .pure = true},
    .name = "Webhook Trigger",
    .version = "1.0.0",
    .description = "Starts the flow when an HTTP request arrives.",
    .category = "logic",
    .icon = "webhook",
    .timeout_ms = 1000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"trigger", "webhook", "http", NULL},
    .related = (const char *const[]){"respond", "manual-trigger", "schedule-trigger", NULL},
    .purpose = "Lets other systems start the flow by HTTP, answered at once or with the flow's result.",
    .requirements = (const char *const[]){"The flow is active.", NULL},
    .limitations = (const char *const[]){"Request bodies are limited to 8 MiB.", NULL},
    .best_practices = (const char *const[]){"Check a secret header with an if node when the address is public.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
