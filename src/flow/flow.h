/* A flow's definition: checked, resolved to indices, immutable. Belongs to one thread (it holds JSON values). */
#pragma once
#include "base/mem.h"
#include "flow/spec.h"

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

struct flow_node {
    const char *id, *type;
    const struct flow_node_spec *spec;
    const struct json *config;
    int64_t timeout_ms; /* config.timeout, of one attempt */
    struct retry_policy retry;
    bool critical;      /* config.critical, false: a failure does not fail the run (contract 5.3) */
    unsigned *in, *out; /* indices into flow.connections, in definition order */
    unsigned in_count, out_count;
    bool error_connected; /* some connection leaves its `error` output */
};

struct flow_connection {
    unsigned from, to;          /* node indices */
    const char *output, *input; /* resolved pins (contract 7.5) */
};

struct flow {
    char *id, *name;
    int version;
    struct flow_settings settings;
    struct flow_node *nodes;
    unsigned node_count;
    struct flow_connection *connections;
    unsigned connection_count;
    bool pure; /* every node is pure */
    struct arena arena;
    struct json *definition; /* kept alive for the borrowed strings and configs */
};

/* Field tables of the API's flow body (contract 1.2; x and y accept numbers and numeric strings). */
extern const struct field flow_body_fields[];
extern const struct field flow_settings_fields[];
extern const struct field flow_node_settings_fields[]; /* what `config` of every node may have */

/* Structural validation for save and validate (contract 3.1): appends {code,message,nodeId?,field?} to both arrays.
 * Errors: NO_NODES, INVALID_CONNECTION, TOO_MANY_NODES, TOO_MANY_CONNECTIONS, INVALID_SETTINGS. Everything else
 * (ORPHANED_NODE, INVALID_NODE_ID, DUPLICATE_NODE_ID, UNKNOWN_NODE_TYPE, UNKNOWN_PIN, CYCLE, INVALID_CONFIG,
 * UNREACHABLE_NODE: waits for a cycle) are warnings, since the UI must stay able to save (7.4). */
void flow_validate(const struct json *definition, const struct flow_catalog *catalog, struct json *errors,
                   struct json *warnings);

/* Compiles {name, nodes, connections, settings?} for execution; all problems at once into `problems` (may be NULL) as
 * above, ERR_VALIDATION with the first in reterr. Cycles, unknown types and pins, duplicate ids are errors here. */
enum err flow_compile(const char *id, int version, const struct json *definition, const struct flow_catalog *catalog,
                      struct flow **ret_flow, struct json *problems, struct error *reterr) ERROR_MUST_CHECK;
void flow_free(struct flow *flow);
int flow_find_node(const struct flow *flow, const char *node_id); /* index, or -1 */
