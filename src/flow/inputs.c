/* What a node is known to miss, or to refuse, before it runs: for who draws the flow. */
#include "flow/flow_int.h"

#include <stdio.h>
#include <string.h>

/* Its value is known only when the node runs. */
static bool has_expression(const struct json *value)
{
    const char *text = json_as_str(value);
    struct json_iter member;
    if (text != NULL)
        return strstr(text, "{{") != NULL;
    for (size_t i = 0; json_is(value, JSON_ARRAY) && i < json_count(value); i++)
        if (has_expression(json_at(value, i)))
            return true;
    if (!json_is(value, JSON_OBJECT))
        return false;
    JSON_EACH(value, member)
    {
        if (has_expression(member.value))
            return true;
    }
    return false;
}

static bool is_connected(const struct flow *flow, const struct flow_node *node, const char *pin)
{
    for (unsigned i = 0; i < node->in_count; i++)
        if (strcmp(flow->connections[node->in[i]].input, pin) == 0)
            return true;
    return false;
}

static void warn_if_missing(const struct flow *flow, unsigned index, const char *name, struct json *warnings)
{
    const struct flow_node *node = &flow->nodes[index];
    char field[200];
    if (json_has(node->config, name) || is_connected(flow, node, name))
        return;
    (void)snprintf(field, sizeof field, "nodes[%u].config.%.100s", index, name);
    problem_add(warnings, "MISSING_INPUT", node->id, field,
                "%s is required: set it in the configuration or connect it.", field);
}

static void warn_of_missing(const struct flow *flow, unsigned index, struct json *warnings)
{
    const struct flow_node_spec *spec = flow->nodes[index].spec;
    for (const struct flow_pin *pin = spec->inputs; pin != NULL && pin->name != NULL; pin++)
        if (pin->required)
            warn_if_missing(flow, index, pin->name, warnings);
    for (const struct field *field = spec->fields; field != NULL && field->name != NULL; field++)
        if (field->required && flow_pin_find(spec->inputs, field->name) == NULL)
            warn_if_missing(flow, index, field->name, warnings);
}

/* One member at a time: what is absent is not its business, nor what every node may have, which is checked with it. */
static void warn_of_wrong(const struct flow *flow, unsigned index, struct json *warnings)
{
    const struct flow_node *node = &flow->nodes[index];
    struct json_iter member;
    JSON_EACH(node->config, member)
    {
        const struct field *field = fields_find(node->spec->fields, member.key);
        if (field == NULL || fields_find(flow_node_settings_fields, member.key) != NULL ||
            has_expression(member.value) || is_connected(flow, node, member.key))
            continue;
        const struct field alone[] = {*field, {.name = NULL}};
        AUTO_JSON struct json *config = json_object_new();
        json_set(config, member.key, json_ref(member.value));
        char where[40];
        (void)snprintf(where, sizeof where, "nodes[%u].config", index);
        problem_add_fields(warnings, "INVALID_CONFIG", node->id, where, alone, config);
    }
}

void flow_warn_of_inputs(const struct flow *flow, struct json *warnings)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        const struct flow_node *node = &flow->nodes[i];
        if (node->spec == NULL)
            continue;
        if (node->spec->trigger == NULL) /* a trigger gets what the run brings along */
            warn_of_missing(flow, i, warnings);
        warn_of_wrong(flow, i, warnings);
    }
}
