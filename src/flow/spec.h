/* What the flow core must know of a node type: its pins, whether it has effects, how its pins are resolved. */
#pragma once
#include "json/fields.h"

struct flow_pin {
    const char *name; /* NULL ends a list */
    const char *type; /* string number boolean array object date binary any */
    bool required;
    const char *description;
    const char *default_json;
};
const struct flow_pin *flow_pin_find(const struct flow_pin *pins, const char *name); /* NULL: none; pins may be NULL */

/* api-contract 3.5: a compatibility rule of a source type. */
struct flow_rule {
    const char *target_type; /* NULL ends a list */
    const char *output_pin, *target_input_pin, *compatibility;
};

struct flow_node_spec {
    const char *type;
    const struct flow_pin *inputs, *outputs; /* the `error` output exists on every node and is not listed */
    const struct flow_rule *rules;           /* may be NULL */
    const struct field *fields;              /* its configuration */
    const char *data_input; /* where the undeclared pin `input` leads (contract 7.5); NULL: first input */
    const char *trigger;    /* "manual", "webhook", "schedule", or NULL when it is no trigger */
    bool pure;              /* no effects, computed again rather than checkpointed */
    bool any_output;        /* output pins depend on the configuration (switch) */
    bool any_input;
    bool container;  /* runs the nodes whose parentId is its id once for each item (for-each) */
    bool join_first; /* with config.mode "first" the first delivered connection starts it, the others are ignored */
};

/* Looks a type up; borrowed, NULL when unknown. Aliases (postgres-query) are its business. */
struct flow_catalog {
    const struct flow_node_spec *(*find)(const struct flow_catalog *catalog, const char *type);
};
