/* A node type: one file each, listed in registry.c. The engine owns retries, timeouts and checkpoints; a node does its
 * work once. */
#pragma once
#include "flow/run.h"

struct node_call;

/* How a node runs. */
enum node_mode {
    NODE_INLINE,  /* quick, in memory, on the caller's thread */
    NODE_ASYNC,   /* starts, then completes through node_call_done/failed/wait on the loop's thread */
    NODE_BLOCKING /* on a thread of the bounded pool; its JSON values belong to that thread meanwhile */
};

struct node_example {
    const char *title, *description, *configuration_json, *expected_output_json;
};
struct node_trouble {
    const char *issue, *description, *solution;
};

/* Everything the catalog shows and the engine needs. Strings in English, plain. */
struct node_type {
    struct flow_node_spec spec;
    const char *name, *version, *description, *category, *icon;
    int timeout_ms, retries, concurrency, batch_size; /* catalog `configuration` (contract 4), informational */
    const char *const *tags, *const *related;         /* NULL-terminated */
    const char *purpose;
    const char *const *requirements, *const *limitations, *const *best_practices; /* may be NULL */
    const struct node_example *examples;                                          /* ends with title NULL */
    const struct node_trouble *troubles; /* ends with issue NULL, may be NULL */
    enum node_mode mode;
    /* Where it depends on the inputs; NULL: always `mode`. */
    enum node_mode (*mode_of)(const struct json *inputs);
    /* INLINE, BLOCKING: do it, fill the result by node_call_* setters, or return the error (ERR_NODE, ERR_NODE_RETRY,
     * …). ASYNC: start it; an error returned means that it did not start; else exactly one of
     * node_call_done/failed/wait follows later on the loop's thread. */
    enum err (*execute)(struct node_call *call, struct error *reterr);
    /* ASYNC: stops it early; no completion follows. NULL for the others. */
    void (*abort)(struct node_call *call);
};

#define NODE_FLOW_ID_BYTES 40

/* The services a node may use; of the loop it runs on. */
struct node_host {
    struct script_pool *script;             /* script/script.h; NULL where JavaScript cannot run */
    struct http_client *http;               /* nodes/http_client.h; NULL inside BLOCKING nodes */
    bool allow_command;                     /* the command node may run programs */
    const char *const *command_environment; /* variables it hands on, NULL-terminated; NULL: none */
    const char *data_dir;                   /* the only folder whose files nodes read and write; NULL: they refuse */
    /* Finds the flow with that id or name, and the version that runs: version 0 is the published one, or else the
     * newest. NOT_FOUND when there is none. NULL: no flow can be started from here. */
    enum err (*find_flow)(void *user, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES], int *ret_version,
                          struct error *reterr);
    void *find_flow_user;
};

/* One attempt of one node. The engine makes it; the fields are the node's to read. */
struct node_call {
    const struct node_type *type;
    const struct json *inputs; /* effective inputs, object */
    const char *execution_id, *flow_id, *node_id;
    const char *iteration;   /* "0" outside of loops and for-each (flow/run.h) */
    int flow_version, depth; /* depth: how many executions started each other before this one */
    char idempotency_key[ID_TEXT_BYTES_MAX];
    int attempt;
    int64_t now_ms, timeout_ms; /* start of the attempt; at most this long (0 = unlimited) */
    struct node_host *host;
    const struct expression_source *names; /* what JavaScript sees of the run; NULL: nothing */
    const char *realm;                     /* the world its JavaScript runs in: "flow id/version" */
    void *state;                           /* the node's own, for ASYNC; it frees it before it completes or in abort */
    /* results, set through the functions below */
    struct json *outputs; /* object pin -> value */
    int64_t records, wake_ms;
    struct json *logs; /* array of {level,message} */
    struct error error;
    bool is_wait;
    struct json *waiting; /* flow/run.h: what it waits for, or what its success brings about; NULL: time */
    /* ASYNC completion, set by the engine; called once with the result fields filled */
    void (*on_complete)(struct node_call *call, enum err code);
    void *engine; /* the engine's own */
};

void node_call_set(struct node_call *call, const char *pin, struct json *take_value);
void node_call_log(struct node_call *call, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The attempt is done at wake_ms, with the outputs set so far; allowed in INLINE nodes before returning ERR_OK. */
void node_call_wait(struct node_call *call, int64_t wake_ms);
/* It is done when what `waiting` says has come (flow/run.h); at wake_ms it is too late, with the outputs set so far. */
void node_call_wait_for(struct node_call *call, struct json *take_waiting, int64_t wake_ms);
void node_call_done(struct node_call *call);                              /* ASYNC only */
void node_call_failed(struct node_call *call, const struct error *error); /* ASYNC only */
void node_call_free_results(struct node_call *call);

enum node_mode node_mode_of(const struct node_type *type, const struct json *inputs);

/* The registry. */
const struct node_type *const *node_registry_all(void);       /* NULL-terminated, by type */
const struct node_type *node_registry_find(const char *type); /* knows the aliases postgres-query and aggregate; NULL */
const struct flow_catalog *node_registry_catalog(void);

/* Catalog documents in the shapes of api-contract 1.5: NodeDefinition (as /catalog/metadata) and the documentation
 * object. */
struct json *node_type_definition(const struct node_type *type);
struct json *node_type_documentation(const struct node_type *type);

/* docs/reference/nodes.md: every type with its settings, outputs, limits and examples. Adds to `out`. */
void node_reference_markdown(struct buf *out);
