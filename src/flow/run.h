/* The run of one flow as a pure state machine: events in, commands out. No I/O, no clock, no randomness of its own.
 * The same events in the same order give the same commands.
 *
 * Readiness: a node is ready when each incoming connection is resolved (delivered or skipped); it is skipped when it
 * has incoming connections and all are skipped. A connection is delivered when its source succeeded and gave its pin a
 * value, skipped otherwise; a connection from `error` is delivered when the source failed for good, else skipped.
 * Failure: retryable errors follow the node's retry policy; then the `error` output if connected; then, with
 * critical=false, the node's connections are skipped and the run goes on; else the run fails and running nodes are
 * aborted. Inputs: configuration overlaid by delivered values, later connections overwrite (contract 5.3, 5.6).
 * Triggers: of the nodes whose spec is a trigger only options.trigger_node runs (NULL: those of kind options.trigger,
 * or else the first trigger); the others are skipped. The run's input reaches a manual trigger as `output`; its members
 * overlay the configuration of the other triggers.
 * Loops: a connection back to a loop's header starts the loop's nodes again once all of them have ended in this pass;
 * without one delivered the loop has ended, and only then the connections that leave it count, with the last value that
 * each of them delivered. For-each: its nodes run in a scope of their own for each item, at most `concurrency` at once.
 * A node's state is that of one iteration; its place is (scope, node), its name over crashes (node id, iteration).
 * Iteration texts: for each for-each around it from the outside `<item>.` (`<pass>-<item>.` when that for-each itself
 * is in pass > 0 of a loop), then the node's own pass: "0" for a node that runs once.
 * docs/internals/engine.md has the whole of it.
 */
#pragma once
#include "flow/flow.h"

#define RUN_ITERATION_BYTES_MAX 80
#define ID_TEXT_BYTES_MAX 224
#define RUN_WAKE_NEVER INT64_C(253402300799000) /* the end of the year 9999: a wait without a deadline */

enum run_status { RUN_PENDING, RUN_RUNNING, RUN_PAUSED, RUN_SUCCESS, RUN_FAILED, RUN_CANCELLED, RUN_TIMEOUT };
const char *run_status_name(enum run_status status); /* "pending" … "timeout" (contract 3.4) */
enum err run_status_parse(const char *name, enum run_status *ret) ERROR_MUST_CHECK;
bool run_status_is_final(enum run_status status);

enum node_state {
    NODE_IDLE,
    NODE_READY,
    NODE_RUNNING,
    NODE_WAITING,
    NODE_BACKOFF,
    NODE_SUCCEEDED,
    NODE_FAILED,
    NODE_SKIPPED,
    NODE_ABORTED,
    NODE_ITERATING /* a for-each: its items are under way */
};
const char *node_state_name(enum node_state state); /* "idle", "ready", "running", "waiting", "backoff", "success",
                                                       "failed", "skipped", "aborted", "iterating" */
enum err node_state_parse(const char *name, enum node_state *ret) ERROR_MUST_CHECK; /* NULL is refused */

struct run_options {
    const char *execution_id; /* copied */
    const char *trigger;      /* "manual", "webhook", "schedule", "api" */
    const char *trigger_node; /* node id or NULL */
    int64_t created_ms;       /* the flow timeout counts from here */
    const char *body;         /* for-each id or NULL: run its nodes alone, once, with input {item, index} */
    uint64_t seed;            /* for jitter */
    int epoch;                /* 1 = first dispatch */
    unsigned lost_epochs; /* those that ended without a word (crash): nodes with effects and without a checkpoint may
                           * have run in each of them, which shows as an attempt "unknown" for each, and the next one
                           * counts on; bit n: the epoch n + 1 before this one */
};

/* A node's fact that survives a crash. */
struct run_checkpoint {
    const char *node_id;
    const char *iteration; /* NULL: "0" */
    int attempt;
    /* In which it came to be, of a backoff that in which its attempt was first told of; 0: not known. Given with
     * flow_run_restore() alone. */
    int epoch;
    /* NODE_SUCCEEDED, NODE_FAILED (for good), NODE_WAITING, NODE_BACKOFF; NODE_ITERATING: a for-each has begun,
     * outputs are its plan {items, concurrency, continueOnError, itemTimeoutMs} */
    enum node_state state;
    bool former; /* of the execution that this one retries: its times say nothing here */
    const struct json *outputs;
    int64_t records, started_ms, ended_ms;
    int64_t wake_ms; /* WAITING, BACKOFF */
    const char *error_id, *error_message;
    /* What it waits for, or what its success brings about: {kind: "time" | "signal" | "child", …}; NULL: time. */
    const struct json *waiting;
    int64_t signal_id; /* SUCCEEDED: the signal that it took, or 0 */
    int unknown;       /* with flow_run_restore(): how many of its former attempts do not count, being of lost epochs */
    /* From the run: those, as array of [epoch, attempt]; NULL: none. */
    const struct json *lost_attempts;
    /* Members of its configuration as they came out of their expressions, as history shows them; NULL: none. */
    const struct json *evaluated;
};

/* A word from outside to a waiting node. Kept until a node takes it; each id counts once. */
struct run_signal {
    int64_t id;    /* rising */
    bool of_child; /* the end of a child execution: payload {status, result, error, executionId} */
    const char *name, *node_id, *iteration; /* which wait it is for: what is NULL fits any */
    struct json *payload;                   /* borrowed */
};

/* Whether a node that waits so (checkpoint.waiting) takes a signal of that name (or NULL). A wait without a name takes
 * any; one under a link (`token`) only what is named by it. */
bool run_waits_for_signal(const struct json *waiting, const char *name);

enum run_event_kind {
    RUN_EVENT_START,
    RUN_EVENT_NODE_DONE,
    RUN_EVENT_NODE_FAILED,
    RUN_EVENT_NODE_WAIT,
    RUN_EVENT_TIME,
    RUN_EVENT_PAUSE,
    RUN_EVENT_RESUME,
    RUN_EVENT_CANCEL,
    RUN_EVENT_SIGNAL
};

struct run_event {
    enum run_event_kind kind;
    int64_t now_ms;
    unsigned scope, node;      /* as commanded */
    int attempt;               /* events of another attempt than the present one are ignored */
    struct json *take_outputs; /* DONE: object pin -> value; consumed */
    int64_t records;           /* DONE */
    int64_t wake_ms;           /* WAIT: the node is done at that time, with take_outputs */
    const struct error *error; /* FAILED; CANCEL: may carry the reason */
    bool retryable;            /* FAILED */
    /* WAIT: for what; the outputs are those of the deadline then (time: of the success). {kind: "signal", name} takes a
     * signal, {kind: "child", …} the end of a child. DONE: goes into the checkpoint. Consumed. */
    struct json *take_waiting;
    const struct run_signal *signal; /* SIGNAL */
};

enum run_command_kind {
    RUN_COMMAND_START_NODE,
    RUN_COMMAND_ABORT_NODE,
    RUN_COMMAND_CHECKPOINT,
    RUN_COMMAND_CANCEL_CHILD,
    RUN_COMMAND_FINISH
};

struct run_command {
    enum run_command_kind kind;
    unsigned scope, node;
    int attempt;
    struct json *inputs; /* START_NODE: effective inputs; valid until the node ends */
    /* CHECKPOINT, valid until the next command is taken; only of nodes with effects, waits, backoffs.
     * CANCEL_CHILD: its `waiting` tells which, nobody waits for it any more. */
    struct run_checkpoint checkpoint;
    enum run_status status; /* FINISH */
};

struct flow_run;

/* The flow is borrowed and must outlive the run; input may be NULL. */
struct flow_run *flow_run_new(const struct flow *flow, const struct run_options *options, const struct json *input);
void flow_run_free(struct flow_run *run);

/* Before START: takes over what is known from earlier epochs (or, for a retry, from the failed execution). */
void flow_run_restore(struct flow_run *run, const struct run_checkpoint *checkpoint);

/* Handles one event; commands are appended. With status final every event is ignored. */
void flow_run_advance(struct flow_run *run, const struct run_event *event);

/* Takes the oldest command; false when there is none. */
bool flow_run_next_command(struct flow_run *run, struct run_command *ret);

enum run_status flow_run_status(const struct flow_run *run);
int64_t
flow_run_due_ms(const struct flow_run *run); /* earliest wait, backoff, node or flow deadline; INT64_MAX: none */
bool flow_run_is_parkable(const struct flow_run *run); /* nothing runs; it waits only for time (or is paused) */
const struct error *flow_run_error(const struct flow_run *run); /* code OK when none; message "node <id>: …" */
int64_t flow_run_records(const struct flow_run *run);
const struct json *
flow_run_result(const struct flow_run *run); /* outputs of the last respond node, else of the last ended leaf */
bool flow_run_has_response(
    const struct flow_run *run); /* the result is a respond node's: {statusCode, headers, body} */
const struct flow *flow_run_flow(const struct flow_run *run);
void flow_run_progress(const struct flow_run *run, unsigned *ret_done, unsigned *ret_total);
/* The state of each node, one entry for each node of the flow: of its iterations under way the one that is furthest
 * from its end (running before waiting before ready); without any, how those that are over have ended. */
void flow_run_node_states(const struct flow_run *run, enum node_state *ret);

/* Where a node is: false when it is inside no for-each (or the scope is gone), else the item and the index, borrowed.
 */
bool flow_run_scope(const struct flow_run *run, unsigned scope, const struct json **ret_item, int64_t *ret_index);
/* What an earlier node gave, as seen from that scope, its own nodes first, then those around it: its outputs, or
 * {error} when it failed for good; in a loop those of the latest pass that it ended. *ret is yours; false: nothing. */
bool flow_run_node_outputs(const struct flow_run *run, unsigned scope, const char *node_id, struct json **ret);
/* What connections delivered to a node: the value itself when all its connections lead to one input, else an object
 * input -> value. Of a node without connections the item that it runs for, or the run's input. *ret is yours; false:
 * nothing came. */
bool flow_run_delivered(const struct flow_run *run, unsigned scope, unsigned node, struct json **ret);
const struct json *flow_run_input(const struct flow_run *run);
const char *flow_run_trigger(const struct flow_run *run); /* NULL: unknown */
int64_t flow_run_started_ms(const struct flow_run *run);
/* History shows these instead of the effective inputs: after expressions were evaluated and secrets masked. */
void flow_run_show_inputs(struct flow_run *run, unsigned scope, unsigned node, struct json *take_inputs);
/* The iteration of the node that runs there (see above). */
void flow_run_iteration(const struct flow_run *run, unsigned scope, unsigned node, char out[RUN_ITERATION_BYTES_MAX]);
int64_t flow_run_signals_seen(const struct flow_run *run); /* the latest signal's id, or 0 */

/* Stable over attempts and epochs: execution, node, iteration (see docs/decisions/0001). */
void flow_run_idempotency_key(const struct flow_run *run, unsigned scope, unsigned node, char out[ID_TEXT_BYTES_MAX]);

/* The history document: {nodes:[{nodeId,nodeType,status,startTime,endTime,duration,recordsProcessed,errorMessage,
 * input,output,attempts:[{attempt,epoch,status,startTime,endTime,error}]}]}; nodes that never started are left out. A
 * node of a loop or a for-each is there once, as of its latest iteration, with `iteration`, `iterationCount` and
 * `iterations`: those before, of which the first LIMIT_HISTORY_ITERATIONS, and as many that failed, are kept. Yours. */
struct json *flow_run_document(const struct flow_run *run);
/* Of the nodes of such a document: the checkpoints [{nodeId, iteration?, attempt, state, outputs, records, startedMs,
 * endedMs}] that a retry from the failed node begins with: what succeeded, and the items of each for-each that did not.
 * Yours. */
struct json *flow_run_known(const struct json *nodes);
