/* Shared by the files that read definitions. */
#pragma once
#include "flow/flow.h"

/* Problems as {code, message, nodeId?, field?}. */
void problem_add(struct json *list, const char *code, const char *node_id, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Contract 7.5: the pin that a written name means, or NULL when the type has none of that name. */
const char *pins_resolve_output(const struct flow_node_spec *source, const struct flow_node_spec *target,
                                const char *written);
const char *pins_resolve_input(const struct flow_node_spec *source, const struct flow_node_spec *target,
                               const char *written);

/* Kahn's order over nodes: reached[i] when node i can become ready once all before it have ended. */
void graph_find_reached(const struct flow *flow, bool *reached);
bool graph_is_on_cycle(const struct flow *flow, unsigned node);
/* The first node on a cycle, or -1. */
int graph_find_cycle(const struct flow *flow);
