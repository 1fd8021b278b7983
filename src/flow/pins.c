/* Which declared pin a written pin name means (api-contract 7.5). */
#include "flow/flow_int.h"

#include <string.h>

const struct flow_pin *flow_pin_find(const struct flow_pin *pins, const char *name)
{
    for (; pins != NULL && pins->name != NULL; pins++)
        if (strcmp(pins->name, name) == 0)
            return pins;
    return NULL;
}

static const char *declared(const struct flow_pin *pins, const char *name)
{
    const struct flow_pin *pin = flow_pin_find(pins, name);
    return pin == NULL ? NULL : pin->name;
}

static const struct flow_rule *rule_for(const struct flow_node_spec *source, const struct flow_node_spec *target)
{
    for (const struct flow_rule *rule = source->rules; rule != NULL && rule->target_type != NULL; rule++)
        if (strcmp(rule->target_type, target->type) == 0)
            return rule;
    return NULL;
}

const char *pins_resolve_output(const struct flow_node_spec *source, const struct flow_node_spec *target,
                                const char *written)
{
    const char *pin = declared(source->outputs, written);
    if (pin != NULL || strcmp(written, "error") == 0)
        return pin != NULL ? pin : "error";
    if (*written != '\0' && strcmp(written, "output") != 0 && strcmp(written, "data") != 0)
        return source->any_output ? written : NULL;
    const struct flow_rule *rule = rule_for(source, target);
    if (rule != NULL)
        return rule->output_pin;
    return source->outputs != NULL && source->outputs->name != NULL ? source->outputs->name
           : source->any_output                                     ? written
                                                                    : NULL;
}

const char *pins_resolve_input(const struct flow_node_spec *source, const struct flow_node_spec *target,
                               const char *written)
{
    const char *pin = declared(target->inputs, written);
    if (pin != NULL)
        return pin;
    if (*written != '\0' && strcmp(written, "input") != 0 && strcmp(written, "data") != 0)
        return target->any_input ? written : NULL;
    const struct flow_rule *rule = rule_for(source, target);
    if (rule != NULL && (pin = declared(target->inputs, rule->target_input_pin)) != NULL)
        return pin;
    if (target->data_input != NULL)
        return target->data_input;
    return target->inputs != NULL && target->inputs->name != NULL ? target->inputs->name
           : target->any_input                                    ? "input"
                                                                  : NULL;
}
