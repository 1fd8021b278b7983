/* Shared by the files that read definitions. */
#pragma once
#include "flow/flow.h"

/* Problems as {code, message, nodeId?, field?}. */
void problem_add(struct json *list, const char *code, const char *node_id, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* All that `table` finds in `value`; `where` is the path of `value`. */
void problem_add_fields(struct json *problems, const char *code, const char *node_id, const char *where,
                        const struct field *table, const struct json *value);

/* Contract 7.5: the pin that a written name means, or NULL when the type has none of that name. */
const char *pins_resolve_output(const struct flow_node_spec *source, const struct flow_node_spec *target,
                                const char *written);
const char *pins_resolve_input(const struct flow_node_spec *source, const struct flow_node_spec *target,
                               const char *written);

/* bodies.c: who is inside whom. First of all parents, then, when the connections are read, the bodies. */
void bodies_find_parents(struct flow *flow, struct json *problems);
/* With both ends known: which kind it is, or INVALID_SCOPE. */
void bodies_check_connection(const struct flow *flow, struct flow_connection *connection, unsigned index,
                             struct json *problems);
void bodies_link(struct flow *flow);

/* distribute.c: what a for-each that has its items run elsewhere gets inside. Room for one node and three connections
 * of each is there. */
void distribute_add_nodes(struct flow *flow, const struct flow_catalog *catalog, struct json *problems);

/* loops.c: the loops of all bodies; CYCLE for what is none. */
void loops_find(struct flow *flow, struct json *problems);

/* Kahn's order over nodes: reached[i] when node i can become ready once all before it have ended. */
void graph_find_reached(const struct flow *flow, bool *reached);
bool graph_is_on_cycle(const struct flow *flow, unsigned node);

/* inputs.c: MISSING_INPUT, and INVALID_CONFIG of what the node type's own table refuses; expressions are not judged. */
void flow_warn_of_inputs(const struct flow *flow, struct json *warnings);

/* secrets.c */
void flow_find_secrets(struct flow *flow); /* sets secret_names */
void flow_warn_of_passwords(const struct flow *flow, struct json *warnings);
