/* From a definition in JSON to a compiled flow. */
#include "flow/flow_int.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/utf8.h"
#include "flow/limits.h"
#include "flow/scripts.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names cut short by the formats may end inside a character, which would make the answer invalid JSON. */
static void repair_utf8(char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0, step; i < len; i += step) {
        uint32_t code_point;
        step = utf8_decode(text + i, len - i, &code_point);
        if (step == 0)
            text[i] = '?', step = 1;
    }
}

void problem_add(struct json *list, const char *code, const char *node_id, const char *field, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    repair_utf8(text);
    struct json *problem = json_object_new();
    json_set_str(problem, "code", code);
    json_set_str(problem, "message", text);
    if (node_id != NULL)
        json_set_str(problem, "nodeId", node_id);
    if (field != NULL)
        json_set_str(problem, "field", field);
    json_push(list, problem);
}

struct compiler {
    struct flow *flow;
    const struct json *definition;
    const struct flow_catalog *catalog;
    struct json *problems;
    struct map index; /* node id -> index + 1 */
};

void problem_add_fields(struct json *problems, const char *code, const char *node_id, const char *where,
                        const struct field *table, const struct json *value)
{
    if (!json_is(value, JSON_OBJECT)) {
        problem_add(problems, code, node_id, where, "%s must be an object, not %s.", where, json_kind_name(value));
        return;
    }
    struct json *found = json_array_new();
    (void)fields_check_all(table, value, found);
    for (size_t i = 0; i < json_count(found); i++) {
        char field[200];
        (void)snprintf(field, sizeof field, "%s.%s", where, json_get_str(json_at(found, i), "field"));
        problem_add(problems, code, node_id, field, "%s.%s", where, json_get_str(json_at(found, i), "message"));
    }
    json_unref(found);
}

static void read_common(struct compiler *c, struct flow_node *node, unsigned index)
{
    const struct json *retry = json_get(node->config, "retry");
    char where[40];
    (void)snprintf(where, sizeof where, "nodes[%u].config", index);
    problem_add_fields(c->problems, "INVALID_CONFIG", node->id, where, flow_node_settings_fields, node->config);
    bool container = node->spec != NULL && node->spec->container; /* takes as long as what is inside */
    node->timeout_ms = json_get_int(node->config, "timeout", container ? 0 : LIMIT_NODE_TIMEOUT_MS);
    node->critical = json_get_bool(node->config, "critical", true);
    node->retry = (struct retry_policy){.max_attempts = (int)json_get_int(retry, "maxAttempts", 1),
                                        .delay_ms = json_get_int(retry, "delayMs", 1000),
                                        .max_delay_ms = json_get_int(retry, "maxDelayMs", 30000),
                                        .factor = json_get_double(retry, "factor", 2),
                                        .jitter = json_get_double(retry, "jitter", 0.1)};
}

static void read_id(struct compiler *c, struct flow_node *node, unsigned index)
{
    char field[40];
    (void)snprintf(field, sizeof field, "nodes[%u].id", index);
    size_t len = strlen(node->id);
    if (len == 0 || len > LIMIT_NODE_ID_BYTES)
        problem_add(c->problems, "INVALID_NODE_ID", node->id, field, "%s must be a string of 1 to %d bytes.", field,
                    LIMIT_NODE_ID_BYTES);
    if (map_get(&c->index, node->id) != NULL)
        problem_add(c->problems, "DUPLICATE_NODE_ID", node->id, field,
                    "Two nodes have the id \"%.64s\"; each needs its own.", node->id);
    else
        (void)map_put(&c->index, node->id, (void *)(uintptr_t)(index + 1));
}

static void read_node(struct compiler *c, unsigned index, const struct json *json)
{
    struct flow_node *node = &c->flow->nodes[index];
    static const char *const missing = "";
    char field[40];
    (void)snprintf(field, sizeof field, "nodes[%u].type", index);
    node->id = json_get_str(json, "id") == NULL ? missing : json_get_str(json, "id");
    node->type = json_get_str(json, "type") == NULL ? missing : json_get_str(json, "type");
    node->config = json_get(json, "config");
    node->parent = node->inner = node->apart = node->loop = node->heads = FLOW_NONE;
    node->spec = c->catalog->find(c->catalog, node->type);
    if (node->spec == NULL)
        problem_add(c->problems, "UNKNOWN_NODE_TYPE", node->id, field,
                    "Node %.64s has the unknown type \"%.60s\"; the catalog lists the known ones.", node->id,
                    node->type);
    else if (!node->spec->pure && node->spec->trigger == NULL)
        c->flow->pure = false;
    const char *mode = json_get_str(node->config, "mode");
    node->join_first = node->spec != NULL && node->spec->join_first && mode != NULL && strcmp(mode, "first") == 0;
    read_id(c, node, index);
    read_common(c, node, index);
    node->expressions = expressions_new(node->config, node->spec == NULL ? NULL : node->spec->fields);
}

static int find_end(struct compiler *c, const struct json *json, const char *key, unsigned index)
{
    const char *id = json_get_str(json, key);
    uintptr_t found = id == NULL ? 0 : (uintptr_t)map_get(&c->index, id);
    char field[60];
    (void)snprintf(field, sizeof field, "connections[%u].%s", index, key);
    if (found == 0)
        problem_add(c->problems, "INVALID_CONNECTION", id, field,
                    "A connection names the node \"%.60s\", which does not exist.", id == NULL ? "" : id);
    return (int)found - 1;
}

static void add_unknown_pin(struct compiler *c, const struct flow_node *node, unsigned index, const char *key,
                            const char *written, const struct flow_pin *pins)
{
    bool is_output = strcmp(key, "fromOutput") == 0;
    char field[60], known[300] = "";
    (void)snprintf(field, sizeof field, "connections[%u].%s", index, key);
    for (size_t used = 0; pins != NULL && pins->name != NULL && used < sizeof known; pins++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", pins->name);
    if (is_output)
        problem_add(c->problems, "UNKNOWN_PIN", node->id, field,
                    "Node %.64s (%.60s) has no output \"%.60s\"; it has %s%serror.", node->id, node->type, written,
                    known, *known ? ", " : "");
    else
        problem_add(c->problems, "UNKNOWN_PIN", node->id, field,
                    "Node %.64s (%.60s) has no input \"%.60s\"; it has %s.", node->id, node->type, written,
                    *known ? known : "none");
}

static void read_connection(struct compiler *c, unsigned index, const struct json *json)
{
    int from = find_end(c, json, "fromNodeId", index), to = find_end(c, json, "toNodeId", index);
    if (from < 0 || to < 0)
        return;
    struct flow_node *source = &c->flow->nodes[from], *target = &c->flow->nodes[to];
    struct flow_connection *connection = &c->flow->connections[c->flow->connection_count++];
    const char *output = json_get_str(json, "fromOutput"), *input = json_get_str(json, "toInput");
    output = output == NULL ? "" : output;
    input = input == NULL ? "" : input;
    *connection = (struct flow_connection){
        .from = (unsigned)from, .to = (unsigned)to, .output = "", .input = "", .leave = FLOW_NONE};
    if (source->spec == NULL || target->spec == NULL) {
        source->out_count++;
        target->in_count++;
        return;
    }
    const char *out = pins_resolve_output(source->spec, target->spec, output);
    const char *in = pins_resolve_input(source->spec, target->spec, input);
    if (out == NULL)
        add_unknown_pin(c, source, index, "fromOutput", output, source->spec->outputs);
    if (in == NULL)
        add_unknown_pin(c, target, index, "toInput", input, target->spec->inputs);
    connection->output = out == NULL ? "" : out;
    connection->input = in == NULL ? "" : in;
    source->error_connected |= strcmp(connection->output, "error") == 0;
    bodies_check_connection(c->flow, connection, index, c->problems);
    source->out_count += connection->kind != FLOW_CONNECTION_ITEM;
    target->in_count += connection->kind != FLOW_CONNECTION_RESULT;
}

static void link_nodes(struct flow *flow)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct flow_node *node = &flow->nodes[i];
        node->in = arena_alloc(&flow->arena, node->in_count * sizeof *node->in);
        node->out = arena_alloc(&flow->arena, node->out_count * sizeof *node->out);
        node->in_count = node->out_count = 0;
    }
    for (unsigned i = 0; i < flow->connection_count; i++) {
        struct flow_node *from = &flow->nodes[flow->connections[i].from], *to = &flow->nodes[flow->connections[i].to];
        if (flow->connections[i].kind != FLOW_CONNECTION_ITEM)
            from->out[from->out_count++] = i;
        if (flow->connections[i].kind != FLOW_CONNECTION_RESULT)
            to->in[to->in_count++] = i;
    }
}

/* A node has effects when its type has, or when a node inside it has. */
static void find_effects(struct flow *flow)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        const struct flow_node_spec *spec = flow->nodes[i].spec;
        if (spec == NULL || spec->pure || spec->trigger != NULL)
            continue;
        for (unsigned n = i; n != FLOW_NONE && !flow->nodes[n].effects; n = flow->nodes[n].parent)
            flow->nodes[n].effects = true;
    }
}

static bool has_code(const struct flow *flow, const struct flow_node *node)
{
    if (node->spec == NULL)
        return false;
    bool has = flow_has_code(node->config, node->spec->fields);
    for (unsigned i = 0; !has && i < node->in_count; i++)
        has = flow_takes_code(node->spec->fields, flow->connections[node->in[i]].input);
    return has;
}

static void find_changing(struct flow *flow)
{
    for (unsigned i = 0; i < flow->node_count; i++)
        flow->nodes[i].changing = expressions_may_change(flow->nodes[i].expressions) || has_code(flow, &flow->nodes[i]);
}

static void read_settings(struct compiler *c)
{
    const struct json *settings = json_get(c->definition, "settings");
    if (settings != NULL)
        problem_add_fields(c->problems, "INVALID_SETTINGS", NULL, "settings", flow_settings_fields, settings);
    flow_limits_check(settings, c->problems);
    const char *durability = json_get_str(settings, "durability"), *history = json_get_str(settings, "history");
    c->flow->settings = (struct flow_settings){
        .durability = durability != NULL && strcmp(durability, "run") == 0 ? FLOW_DURABLE_RUN : FLOW_DURABLE_STEP,
        .history = history == NULL || strcmp(history, "all") == 0 ? FLOW_HISTORY_ALL
                   : strcmp(history, "none") == 0                 ? FLOW_HISTORY_NONE
                                                                  : FLOW_HISTORY_ERRORS,
        .timeout_ms = json_get_int(settings, "timeoutMs", 0),
        .max_steps = json_get_int(settings, "maxSteps", LIMIT_RUN_STEPS),
        .max_output_bytes = json_get_int(settings, "maxOutputBytes", LIMIT_OUTPUT_BYTES)};
}

static bool has_border_problem(const struct json *problems)
{
    for (size_t i = 0; i < json_count(problems); i++)
        if (strcmp(json_get_str(json_at(problems, i), "code"), "INVALID_SCOPE") == 0)
            return true;
    return false;
}

static void compile(struct compiler *c)
{
    const struct json *nodes = json_get(c->definition, "nodes"), *connections = json_get(c->definition, "connections");
    struct flow *flow = c->flow;
    size_t node_count = json_is(nodes, JSON_ARRAY) ? json_count(nodes) : 0;
    size_t connection_count = json_is(connections, JSON_ARRAY) ? json_count(connections) : 0;
    if (node_count == 0)
        problem_add(c->problems, "NO_NODES", NULL, "nodes", "The flow has no nodes; add at least one.");
    if (connections != NULL && !json_is(connections, JSON_ARRAY))
        problem_add(c->problems, "INVALID_CONNECTION", NULL, "connections", "connections must be an array, not %s.",
                    json_kind_name(connections));
    if (node_count > LIMIT_FLOW_NODES)
        problem_add(c->problems, "TOO_MANY_NODES", NULL, "nodes", "A flow may have %d nodes, not %zu.",
                    LIMIT_FLOW_NODES, node_count);
    if (connection_count > LIMIT_FLOW_CONNECTIONS)
        problem_add(c->problems, "TOO_MANY_CONNECTIONS", NULL, "connections",
                    "A flow may have %d connections, not %zu.", LIMIT_FLOW_CONNECTIONS, connection_count);
    if (node_count > LIMIT_FLOW_NODES || connection_count > LIMIT_FLOW_CONNECTIONS)
        return;
    /* Twice: a for-each may get a node and three connections of its own (distribute.c). */
    flow->nodes = arena_alloc(&flow->arena, 2 * node_count * sizeof *flow->nodes);
    flow->connections = arena_alloc(&flow->arena, (connection_count + 3 * node_count) * sizeof *flow->connections);
    flow->node_count = (unsigned)node_count;
    flow->pure = true;
    for (unsigned i = 0; i < node_count; i++)
        read_node(c, i, json_at(nodes, i));
    bodies_find_parents(flow, c->problems);
    for (unsigned i = 0; i < connection_count; i++)
        read_connection(c, i, json_at(connections, i));
    distribute_add_nodes(flow, c->catalog, c->problems);
    link_nodes(flow);
    find_effects(flow);
    find_changing(flow);
    read_settings(c);
    bodies_link(flow);
    if (has_border_problem(c->problems)) /* the bodies do not hold together */
        return;
    loops_find(flow, c->problems);
}

static struct flow *compile_new(const char *id, int version, const struct json *definition,
                                const struct flow_catalog *catalog, struct json *problems)
{
    struct flow *flow = mem_alloc(sizeof *flow);
    arena_init(&flow->arena);
    flow->id = mem_dup(id);
    const char *name = json_get_str(definition, "name");
    flow->name = mem_dup(name == NULL ? "" : name);
    flow->version = version;
    flow->definition = json_ref(definition);
    flow->made = json_array_new();
    struct compiler compiler = {.flow = flow, .definition = definition, .catalog = catalog, .problems = problems};
    map_init(&compiler.index);
    compile(&compiler);
    map_done(&compiler.index);
    flow_find_secrets(flow);
    return flow;
}

enum err flow_compile(const char *id, int version, const struct json *definition, const struct flow_catalog *catalog,
                      struct flow **ret_flow, struct json *problems, struct error *reterr)
{
    struct json *found = json_array_new();
    struct flow *flow = compile_new(id, version, definition, catalog, found);
    enum err code = ERR_OK;
    if (json_count(found) > 0) {
        const struct json *first = json_at(found, 0);
        size_t more = json_count(found) - 1;
        code = error_set(reterr, ERR_VALIDATION, json_get_str(first, "field"),
                         more > 0 ? "%s (and %zu more problems)" : "%s", json_get_str(first, "message"), more);
        for (size_t i = 0; problems != NULL && i <= more; i++)
            json_push(problems, json_ref(json_at(found, i)));
        flow_free(flow);
    } else {
        *ret_flow = flow;
    }
    json_unref(found);
    return code;
}

static void warn_orphans(const struct flow *flow, struct json *warnings)
{
    for (unsigned i = 0; i < flow->node_count; i++)
        if (flow->nodes[i].in_count == 0 && flow->nodes[i].out_count == 0 && flow->nodes[i].parent == FLOW_NONE)
            problem_add(warnings, "ORPHANED_NODE", flow->nodes[i].id, NULL, "Node %.64s has no connection.",
                        flow->nodes[i].id);
}

/* Behind a cycle: none of its inputs will ever be resolved. Those on the cycle itself are the business of CYCLE. */
static void warn_unreachable(const struct flow *flow, struct json *warnings)
{
    bool *reached = mem_array(flow->node_count, sizeof *reached);
    graph_find_reached(flow, reached);
    for (unsigned i = 0; i < flow->node_count; i++)
        if (!reached[i] && !graph_is_on_cycle(flow, i))
            problem_add(warnings, "UNREACHABLE_NODE", flow->nodes[i].id, "connections",
                        "Node %.64s waits for a cycle and can never run; break the cycle.", flow->nodes[i].id);
    free(reached);
}

struct expression_warnings {
    struct json *list;
    const struct flow_node *node;
    unsigned index;
};

static void warn_expression(void *user, const char *field, const char *message)
{
    const struct expression_warnings *warnings = user;
    char path[200];
    (void)snprintf(path, sizeof path, "nodes[%u].config.%s", warnings->index, field);
    problem_add(warnings->list, "INVALID_EXPRESSION", warnings->node->id, path, "%s: %s", path, message);
}

static void warn_expressions(const struct flow *flow, struct json *list)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        struct expression_warnings warnings = {list, &flow->nodes[i], i};
        expressions_each_problem(flow->nodes[i].expressions, warn_expression, &warnings);
    }
}

void flow_validate(const struct json *definition, const struct flow_catalog *catalog, struct json *errors,
                   struct json *warnings)
{
    static const char *const fatal[] = {"NO_NODES", "INVALID_CONNECTION", "TOO_MANY_NODES", "TOO_MANY_CONNECTIONS",
                                        "INVALID_SETTINGS"};
    struct json *found = json_array_new();
    struct flow *flow = compile_new("", 0, definition, catalog, found);
    for (size_t i = 0; i < json_count(found); i++) {
        const char *code = json_get_str(json_at(found, i), "code");
        bool is_error = false;
        for (size_t k = 0; k < sizeof fatal / sizeof *fatal; k++)
            is_error |= strcmp(code, fatal[k]) == 0;
        json_push(is_error ? errors : warnings, json_ref(json_at(found, i)));
    }
    warn_orphans(flow, warnings);
    warn_unreachable(flow, warnings);
    warn_expressions(flow, warnings);
    flow_warn_of_inputs(flow, warnings);
    flow_warn_of_passwords(flow, warnings);
    flow_free(flow);
    json_unref(found);
}

void flow_free(struct flow *flow)
{
    if (flow == NULL)
        return;
    for (unsigned i = 0; i < flow->node_count; i++)
        expressions_free(flow->nodes[i].expressions);
    json_unref(flow->definition);
    json_unref(flow->made);
    json_unref(flow->secret_names);
    free(flow->id);
    free(flow->name);
    arena_done(&flow->arena);
    free(flow);
}

int flow_find_node(const struct flow *flow, const char *node_id)
{
    for (unsigned i = 0; i < flow->node_count; i++)
        if (strcmp(flow->nodes[i].id, node_id) == 0)
            return (int)i;
    return -1;
}
