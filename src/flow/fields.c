/* Field tables of flow bodies (api-contract 1.2). */
#include "base/limits.h"
#include "flow/flow.h"

static const struct field position_fields[] = {
    {.name = "x", .kind = FIELD_ANY, .required = true, .help = "A number, or a number in a string."},
    {.name = "y", .kind = FIELD_ANY, .required = true, .help = "A number, or a number in a string."},
    {0}};

static const struct field node_fields[] = {
    {.name = "id", .kind = FIELD_STRING, .required = true, .min = 1, .max = LIMIT_NODE_ID_BYTES, .help = "Unique in the flow."},
    {.name = "type", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "A type of the catalog."},
    {.name = "version", .kind = FIELD_STRING, .required = true, .min = 1, .max = 20, .help = "Version of the type, such as 1.0.0."},
    {.name = "config", .kind = FIELD_OBJECT, .required = true, .help = "Input values of the node; also timeout, retry and critical."},
    {.name = "position", .kind = FIELD_OBJECT, .required = true, .fields = position_fields, .help = "Place on the canvas."},
    {0}};

static const struct field connection_fields[] = {
    {.name = "fromNodeId", .kind = FIELD_STRING, .required = true, .min = 0, .max = LIMIT_NODE_ID_BYTES, .help = "Source node."},
    {.name = "fromOutput", .kind = FIELD_STRING, .required = true, .min = 0, .max = 100, .help = "Output pin of the source; `error` on every node."},
    {.name = "toNodeId", .kind = FIELD_STRING, .required = true, .min = 0, .max = LIMIT_NODE_ID_BYTES, .help = "Target node."},
    {.name = "toInput", .kind = FIELD_STRING, .required = true, .min = 0, .max = 100, .help = "Input pin of the target."},
    {0}};

static const char *const durabilities[] = {"step", "run", NULL};
static const char *const histories[] = {"all", "errors", "none", NULL};

const struct field flow_settings_fields[] = {
    {.name = "durability", .kind = FIELD_ENUM, .values = durabilities, .default_json = "\"step\"", .help = "step: every node with effects is stored when it ends; run: only start and end are."},
    {.name = "history", .kind = FIELD_ENUM, .values = histories, .default_json = "\"all\"", .help = "Which executions are kept: all, those that did not succeed, none of those that succeeded."},
    {.name = "timeoutMs", .kind = FIELD_INT, .max = 31536000000, .default_json = "0", .help = "Longest time from acceptance to the end, waits included; 0 is none."},
    {.name = "maxSteps", .kind = FIELD_INT, .min = 1, .max = 10000000, .default_json = "100000", .help = "Most node attempts of one execution."},
    {.name = "maxOutputBytes", .kind = FIELD_INT, .min = 1, .max = 1073741824, .default_json = "67108864", .help = "Most bytes of all outputs of one execution."},
    {0}};

const struct field flow_body_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = LIMIT_NAME_CHARS, .help = "Unique."},
    {.name = "description", .kind = FIELD_STRING, .nullable = true, .min = 0, .max = LIMIT_DESCRIPTION_CHARS, .help = "What the flow is for."},
    {.name = "nodes", .kind = FIELD_ARRAY, .required = true, .min = 0, .max = LIMIT_FLOW_NODES, .fields = node_fields, .help = "The nodes."},
    {.name = "connections", .kind = FIELD_ARRAY, .required = true, .min = 0, .max = LIMIT_FLOW_CONNECTIONS, .fields = connection_fields, .help = "The connections between pins."},
    {.name = "settings", .kind = FIELD_OBJECT, .nullable = true, .fields = flow_settings_fields, .help = "How it runs."},
    {.name = "metadata", .kind = FIELD_OBJECT, .nullable = true, .help = "Free-form; kept and returned."},
    {0}};
