#include "support/flow_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct flow_pin ins[] = {{.name = "in", .type = "any"}, {.name = "data", .type = "any"}, {0}};
static const struct flow_pin outs[] = {{.name = "out", .type = "any"}, {.name = "other", .type = "any"}, {0}};
static const struct flow_pin each_ins[] = {{.name = "items", .type = "any"}, {.name = "result", .type = "any"}, {0}};
static const struct flow_pin each_outs[] = {{.name = "results", .type = "array"}, {.name = "failures", .type = "array"},
                                            {.name = "count", .type = "number"},  {.name = "item", .type = "any"},
                                            {.name = "index", .type = "number"},  {0}};
static const struct flow_pin child_ins[] = {{.name = "input", .type = "any"}, {.name = "index", .type = "number"}, {0}};
static const struct flow_pin child_outs[] = {
    {.name = "output", .type = "any"}, {.name = "executionId", .type = "string"}, {0}};
static const struct flow_pin wait_outs[] = {{.name = "output", .type = "any"}, {.name = "timeout", .type = "any"}, {0}};
static const struct flow_rule rules[] = {{"effect", "other", "in", "full"}, {0}};
static const struct field no_fields[] = {{0}};
static const struct field row_fields[] = {{.name = "body", .kind = FIELD_STRING, .code = true, .help = "Code."}, {0}};
static const struct field coded_fields[] = {
    {.name = "rows", .kind = FIELD_ARRAY, .fields = row_fields, .help = "Rows with code."}, {0}};
static const struct flow_pin coded_ins[] = {{.name = "in", .type = "any"}, {.name = "rows", .type = "any"}, {0}};
static const struct field typed_fields[] = {
    {.name = "count", .kind = FIELD_INT, .required = true, .min = 1, .max = 9, .help = "A count."}, {0}};
static const struct field strict_fields[] = {
    {.name = "text", .kind = FIELD_STRING, .required = true, .help = "A text."}, {0}};
static const struct flow_pin typed_ins[] = {
    {.name = "count", .type = "number", .required = true}, {.name = "in", .type = "any"}, {0}};
static const struct flow_node_spec specs[] = {
    {.type = "trigger", .outputs = outs, .fields = no_fields, .trigger = "manual", .pure = true},
    {.type = "hook", .outputs = outs, .fields = no_fields, .trigger = "webhook", .pure = true},
    {.type = "pure", .inputs = ins, .outputs = outs, .rules = rules, .fields = no_fields, .pure = true},
    {.type = "effect", .inputs = ins, .outputs = outs, .fields = no_fields, .data_input = "data"},
    {.type = "free", .fields = no_fields, .pure = true, .any_input = true, .any_output = true},
    {.type = "respond", .inputs = ins, .fields = no_fields, .pure = true},
    {.type = "each",
     .inputs = each_ins,
     .outputs = each_outs,
     .fields = no_fields,
     .data_input = "items",
     .pure = true,
     .container = true},
    {.type = "merge", .fields = no_fields, .pure = true, .join_first = true, .any_input = true, .outputs = outs},
    {.type = "wait", .inputs = ins, .outputs = wait_outs, .fields = no_fields},
    {.type = "sub-flow", .inputs = child_ins, .outputs = child_outs, .fields = no_fields},
    {.type = "coded", .inputs = coded_ins, .outputs = outs, .fields = coded_fields, .pure = true},
    {.type = "typed", .inputs = typed_ins, .outputs = outs, .fields = typed_fields, .pure = true},
    {.type = "strict", .inputs = ins, .outputs = outs, .fields = strict_fields, .pure = true}};

static const struct flow_node_spec *find(const struct flow_catalog *catalog, const char *type)
{
    (void)catalog;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (strcmp(specs[i].type, type) == 0)
            return &specs[i];
    return NULL;
}
const struct flow_catalog kit_catalog = {.find = find};

struct json *kit_json(const char *quoted)
{
    AUTO_FREE char *text = mem_dup(quoted);
    struct json *value = NULL;
    struct error error;
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK)
        fail_msg("broken JSON in a test: %s: %s", error.message, text);
    return value;
}

static struct flow *compile(const struct json *definition)
{
    struct flow *flow = NULL;
    struct error error;
    if (flow_compile("f1", 1, definition, &kit_catalog, &flow, NULL, &error) != ERR_OK)
        fail_msg("the flow does not compile: %s", error.message);
    return flow;
}

struct flow *kit_flow(const char *quoted)
{
    AUTO_JSON struct json *definition = kit_json(quoted);
    return compile(definition);
}

static void add_nodes(struct json *list, char *text)
{
    for (char *save, *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        struct json *node = json_object_new();
        char *colon = strchr(word, ':'), *config = strchr(word, '{');
        AUTO_FREE char *id = mem_dup_n(word, (size_t)(colon - word));
        AUTO_FREE char *type = config == NULL ? mem_dup(colon + 1) : mem_dup_n(colon + 1, (size_t)(config - colon - 1));
        char *parent = strchr(type, '@');
        if (parent != NULL) {
            *parent = '\0';
            json_set_str(node, "parentId", parent + 1);
        }
        json_set_str(node, "id", id);
        json_set_str(node, "type", type);
        json_set(node, "config", config == NULL ? json_object_new() : kit_json(config));
        json_push(list, node);
    }
}

static void set_end(struct json *connection, const char *node_key, const char *pin_key, char *end)
{
    char *dot = strchr(end, '.');
    if (dot != NULL)
        *dot = '\0';
    json_set_str(connection, node_key, end);
    json_set_str(connection, pin_key, dot == NULL ? "" : dot + 1);
}

static void add_connections(struct json *list, char *text)
{
    for (char *save, *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        struct json *connection = json_object_new();
        char *arrow = strchr(word, '>');
        *arrow = '\0';
        set_end(connection, "fromNodeId", "fromOutput", word);
        set_end(connection, "toNodeId", "toInput", arrow + 1);
        json_push(list, connection);
    }
}

struct json *kit_definition(const char *nodes, const char *connections)
{
    struct json *definition = json_object_new();
    struct json *node_list = json_array_new(), *connection_list = json_array_new();
    AUTO_FREE char *node_text = mem_dup(nodes), *connection_text = mem_dup(connections);
    add_nodes(node_list, node_text);
    add_connections(connection_list, connection_text);
    json_set_str(definition, "name", "kit");
    json_set(definition, "nodes", node_list);
    json_set(definition, "connections", connection_list);
    return definition;
}

struct flow *kit_flow_of(const char *nodes, const char *connections, const char *settings)
{
    AUTO_JSON struct json *definition = kit_definition(nodes, connections);
    if (settings != NULL)
        json_set(definition, "settings", kit_json(settings));
    return compile(definition);
}
