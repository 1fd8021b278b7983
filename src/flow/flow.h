/* A flow's definition: checked, resolved to indices, immutable. Belongs to one thread (it holds JSON values). */
#pragma once
#include "base/mem.h"
#include "expression/expression.h"
#include "flow/spec.h"
#include <limits.h>

enum flow_durability { FLOW_DURABLE_STEP, FLOW_DURABLE_RUN };
enum flow_history { FLOW_HISTORY_ALL, FLOW_HISTORY_ERRORS, FLOW_HISTORY_NONE };

struct flow_settings {
    enum flow_durability durability;
    enum flow_history history;
    int64_t timeout_ms;       /* of the whole run, pauses and waits included; 0 = none */
    int64_t max_steps;        /* node attempts of one run */
    int64_t max_output_bytes; /* all outputs of one run */
};

/* config.retry of a node: {maxAttempts 1..100, delayMs, maxDelayMs, factor, jitter 0..1} */
struct retry_policy {
    int max_attempts; /* 1 = no retry (default) */
    int64_t delay_ms, max_delay_ms;
    double factor, jitter;
};
/* Delay before attempt `next_attempt` (2, 3, …): delay * factor^(next-2), capped (max_delay_ms 0: a week), then
 * +-jitter by `unit` in [0,1). */
int64_t retry_delay_ms(const struct retry_policy *policy, int next_attempt, double unit);

#define FLOW_NONE UINT_MAX

/* A connection from a for-each's `item` or `index` leads inside it, one to its `result` gives an iteration's result:
 * both belong to the nodes inside and are none of the for-each's own. */
enum flow_connection_kind { FLOW_CONNECTION_PLAIN, FLOW_CONNECTION_ITEM, FLOW_CONNECTION_RESULT };

struct flow_node {
    const char *id, *type;
    const struct flow_node_spec *spec;
    const struct json *config;
    struct expressions *expressions; /* of the configuration; NULL: there are none */
    int64_t timeout_ms;              /* config.timeout, of one attempt */
    struct retry_policy retry;
    bool critical;      /* config.critical, false: a failure does not fail the run (contract 5.3) */
    unsigned *in, *out; /* indices into flow.connections, in definition order */
    unsigned in_count, out_count;
    bool error_connected; /* some connection leaves its `error` output */
    bool join_first;      /* starts with the first delivered connection */
    bool changing;        /* computed again, it may come to something else: its code, its expressions */
    bool effects;         /* it, or a node inside it, does something that is not to be done again lightly */
    unsigned needed;      /* incoming connections that must be resolved: all but those that lead back */
    unsigned parent;      /* the for-each that contains it, or FLOW_NONE */
    unsigned body, slot;  /* its place: flow.bodies[body].nodes[slot] */
    unsigned inner;       /* of a for-each: the body that it runs for each item, or FLOW_NONE */
    unsigned apart;       /* of a for-each with `distribute`: the body that child executions run, or FLOW_NONE */
    unsigned loop;        /* the innermost loop that starts it again, or FLOW_NONE */
    unsigned heads;       /* the loop whose first node it is, or FLOW_NONE */
};

struct flow_connection {
    unsigned from, to;          /* node indices */
    const char *output, *input; /* resolved pins (contract 7.5) */
    enum flow_connection_kind kind;
    bool back;      /* leads back to the first node of a loop */
    unsigned slot;  /* its place in the body of the nodes at its ends */
    unsigned leave; /* the outermost loop that it leaves, or FLOW_NONE: it counts when that loop has ended */
};

/* Nodes that run together: those of the flow itself (body 0), and those inside each for-each. */
struct flow_body {
    unsigned container; /* the for-each, or FLOW_NONE */
    unsigned *nodes, node_count;
    unsigned *connections, connection_count;
    unsigned *loops, loop_count;
    unsigned depth; /* 0 for the flow's own */
};

/* What a connection back starts again: every node that is reached through the loop's first node only. */
struct flow_loop {
    unsigned header, body, slot;    /* slot: its place in the body */
    unsigned parent;                /* the loop around it, or FLOW_NONE */
    unsigned *nodes, node_count;    /* the header included */
    unsigned *inside, inside_count; /* connections between these nodes, except those back to the header */
    unsigned *back, back_count;     /* those */
    unsigned *exits, exit_count;    /* connections whose outermost loop left is this one */
    int64_t max_iterations;
};

struct flow {
    char *id, *name;
    int version;
    struct flow_settings settings;
    struct flow_node *nodes;
    unsigned node_count;
    struct flow_connection *connections;
    unsigned connection_count;
    struct flow_body *bodies;
    unsigned body_count;
    struct flow_loop *loops;
    unsigned loop_count;
    bool pure;                 /* every node is pure */
    struct json *secret_names; /* object whose members are the secrets that its nodes may use; NULL: none */
    struct arena arena;
    struct json *definition; /* kept alive for the borrowed strings and configs */
    struct json *made;       /* array: configurations of nodes that the definition does not have */
};

/* Field tables of the API's flow body (contract 1.2; x and y accept numbers and numeric strings). */
extern const struct field flow_body_fields[];
extern const struct field flow_settings_fields[];
extern const struct field flow_node_settings_fields[]; /* what `config` of every node may have */

/* Structural validation for save and validate (contract 3.1): appends {code,message,nodeId?,field?} to both arrays.
 * Errors: NO_NODES, INVALID_CONNECTION, TOO_MANY_NODES, TOO_MANY_CONNECTIONS, INVALID_SETTINGS. Everything else
 * (ORPHANED_NODE, INVALID_NODE_ID, DUPLICATE_NODE_ID, UNKNOWN_NODE_TYPE, UNKNOWN_PIN, CYCLE: no node of it can ever
 * start, or it has several first nodes, INVALID_PARENT, INVALID_SCOPE, INVALID_CONFIG, MISSING_INPUT: required, and
 * neither configured nor connected, UNREACHABLE_NODE: waits for a cycle, INVALID_EXPRESSION, LITERAL_SECRET: a
 * password in plain text) are warnings, since the UI must stay able to save (7.4). */
void flow_validate(const struct json *definition, const struct flow_catalog *catalog, struct json *errors,
                   struct json *warnings);

/* Compiles {name, nodes, connections, settings?} for execution; all problems at once into `problems` (may be NULL) as
 * above, ERR_VALIDATION with the first in reterr. Such cycles, unknown types and pins, duplicate ids are errors here.
 */
enum err flow_compile(const char *id, int version, const struct json *definition, const struct flow_catalog *catalog,
                      struct flow **ret_flow, struct json *problems, struct error *reterr) ERROR_MUST_CHECK;
void flow_free(struct flow *flow);
int flow_find_node(const struct flow *flow, const char *node_id); /* index, or -1 */
