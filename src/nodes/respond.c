/* respond: what a webhook's caller, or the starter of the run, gets as the answer. */
#include "nodes/node_int.h"

#include "base/mem.h"
#include <ctype.h>
#include <string.h>

static bool is_header(const char *name, const struct json *value)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return false;
    const char *text = json_as_str(value);
    return *name != '\0' && (json_is_number(value) ||
                             (text != NULL && strpbrk(text, "\r\n") == NULL && strlen(text) == json_as_str_len(value)));
}

static enum err check_headers(const struct json *headers, struct error *reterr)
{
    struct json_iter header;
    if (json_count(headers) > 100)
        return error_set(reterr, ERR_VALIDATION, "headers", "headers must have at most 100 members.");
    JSON_EACH(headers, header)
    {
        if (!is_header(header.key, header.value))
            return error_set(reterr, ERR_VALIDATION, "headers",
                             "headers.%.60s must be a header name with a text or number without line breaks.",
                             header.key);
    }
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check_headers(json_get(call->inputs, "headers"), reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(call, "statusCode", json_int_new(json_get_int(call->inputs, "statusCode", 200)));
    node_call_set(call, "headers",
                  json_get(call->inputs, "headers") == NULL ? json_object_new() : node_input_ref(call, "headers"));
    node_call_set(call, "body", node_input_ref(call, "body"));
    call->records = 1;
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "body", .type = "any", .description = "The answer's body; JSON unless it is text."},
    {.name = "statusCode", .type = "number", .description = "HTTP status."},
    {.name = "headers", .type = "object", .description = "Further headers."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "body", .type = "any", .description = "The body as it is sent."},
    {.name = "statusCode", .type = "number", .description = "The status as it is sent."},
    {.name = "headers", .type = "object", .description = "The headers as they are sent."},
    {0}};
static const struct field fields[] = {
    {.name = "body", .kind = FIELD_ANY, .help = "The answer, when no connection brings it."},
    {.name = "statusCode",
     .label = "Status",
     .kind = FIELD_INT,
     .min = 200,
     .max = 599,
     .default_json = "200",
     .help = "HTTP status, 200 to 599."},
    {.name = "headers", .widget = "key-value", .kind = FIELD_OBJECT, .help = "Header names and their values."},
    {0}};
static const struct node_example examples[] = {
    {"Created", "The caller gets status 201 and the body as JSON.",
     "{\"statusCode\":201,\"headers\":{\"x-order\":\"12\"},\"body\":{\"id\":12}}",
     "{\"statusCode\":201,\"headers\":{\"x-order\":\"12\"},\"body\":{\"id\":12}}"},
    {0}};
static const struct node_trouble troubles[] = {{"The caller gets only an execution id", "The webhook answers at once.",
                                                "Set the trigger's responseMode to lastNode."},
                                               {0}};

const struct node_type node_respond = {
    .spec =
        {.type = "respond", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "body", .pure = true},
    .name = "Respond",
    .version = "1.0.0",
    .description = "Says what the caller of a webhook gets.",
    .category = "logic",
    .icon = "reply",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"webhook", "answer", "http", NULL},
    .related = (const char *const[]){"webhook-trigger", NULL},
    .purpose = "Use it to choose status, headers and body of the answer. It is also the result of a run.",
    .limitations = (const char *const[]){"When several respond nodes run, the last one counts.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
