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
 */
#pragma once
#include "flow/flow.h"

#define ID_TEXT_BYTES_MAX 160

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
    NODE_ABORTED
};
const char *node_state_name(enum node_state state); /* "idle", "ready", "running", "waiting", "backoff", "success",
                                                       "failed", "skipped", "aborted" */
enum err node_state_parse(const char *name, enum node_state *ret) ERROR_MUST_CHECK; /* NULL is refused */

struct run_options {
    const char *execution_id; /* copied */
    const char *trigger;      /* "manual", "webhook", "schedule", "api" */
    const char *trigger_node; /* node id or NULL */
    int64_t created_ms;       /* the flow timeout counts from here */
    uint64_t seed;            /* for jitter */
    int epoch;                /* 1 = first dispatch */
    bool lost_epoch; /* an earlier epoch ended without a word (crash): nodes with effects and without a checkpoint
                      * may have run; their first attempt shows as "unknown" and the next one counts on */
};

/* A node's fact that survives a crash. */
struct run_checkpoint {
    const char *node_id;
    int attempt;
    enum node_state state; /* NODE_SUCCEEDED, NODE_FAILED (for good), NODE_WAITING, NODE_BACKOFF */
    const struct json *outputs;
    int64_t records, started_ms, ended_ms;
    int64_t wake_ms; /* WAITING, BACKOFF */
    const char *error_id, *error_message;
};

enum run_event_kind {
    RUN_EVENT_START,
    RUN_EVENT_NODE_DONE,
    RUN_EVENT_NODE_FAILED,
    RUN_EVENT_NODE_WAIT,
    RUN_EVENT_TIME,
    RUN_EVENT_PAUSE,
    RUN_EVENT_RESUME,
    RUN_EVENT_CANCEL
};

struct run_event {
    enum run_event_kind kind;
    int64_t now_ms;
    unsigned node;
    int attempt;               /* events of another attempt than the present one are ignored */
    struct json *take_outputs; /* DONE: object pin -> value; consumed */
    int64_t records;           /* DONE */
    int64_t wake_ms;           /* WAIT: the node is done at that time, with take_outputs */
    const struct error *error; /* FAILED; CANCEL: may carry the reason */
    bool retryable;            /* FAILED */
};

enum run_command_kind { RUN_COMMAND_START_NODE, RUN_COMMAND_ABORT_NODE, RUN_COMMAND_CHECKPOINT, RUN_COMMAND_FINISH };

struct run_command {
    enum run_command_kind kind;
    unsigned node;
    int attempt;
    struct json *inputs; /* START_NODE: effective inputs; valid until the run is freed or the node ends */
    struct run_checkpoint
        checkpoint;         /* CHECKPOINT: borrowed from the run; only of nodes with effects, waits, backoffs */
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

/* Stable over attempts and epochs: execution, node, iteration (see docs/decisions/0001). */
void flow_run_idempotency_key(const struct flow_run *run, unsigned node, char out[ID_TEXT_BYTES_MAX]);

/* The history document: {nodes:[{nodeId,nodeType,status,startTime,endTime,duration,recordsProcessed,errorMessage,
 * input,output,attempts:[{attempt,epoch,status,startTime,endTime,error}]}]}; nodes that never started are left out.
 * Yours. */
struct json *flow_run_document(const struct flow_run *run);
