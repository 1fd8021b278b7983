/* The run's inner structures, and what its files need of each other. */
#pragma once
#include "base/clock.h"
#include "base/map.h"
#include "flow/run.h"

/* HELD: delivered, and waiting for the end of the loop that it leaves. */
enum connection_state { CONNECTION_OPEN, CONNECTION_DELIVERED, CONNECTION_SKIPPED, CONNECTION_HELD };
enum wait_kind { WAIT_TIME, WAIT_SIGNAL, WAIT_CHILD };

struct attempt {
    struct attempt *next;
    int number, epoch;
    enum node_state state; /* NODE_IDLE: unknown outcome */
    int64_t started_ms, ended_ms;
    char *error;
};

/* A for-each while its items are under way. */
struct each_run {
    struct json *items;                /* array */
    struct json **results, **failures; /* by index */
    size_t count, next, ended, succeeded;
    unsigned open, concurrency;
    bool go_on; /* continueOnError */
    int64_t item_timeout_ms;
};

struct node_run {
    enum node_state state;
    enum wait_kind wait;
    int attempt, unknown; /* unknown: attempts of lost epochs, which do not count for the retry policy */
    int since_epoch;      /* of an attempt that was taken over: in which it was first told of; 0: it began here */
    unsigned pass;        /* how often a loop has started it again */
    unsigned resolved, delivered;
    unsigned first; /* join_first: the connection that started it */
    int64_t first_ms, started_ms, ended_ms, wake_ms, records, signal_id;
    struct json *inputs, *shown_inputs; /* shown: in history, in place of inputs */
    struct json *outputs, *error;       /* error: {code,message,nodeId} once failed for good */
    struct json *before;                /* outputs of the latest pass of a loop that is over */
    struct json *waiting;
    struct json *known_items; /* of the execution that this one retries; NULL: none */
    struct each_run *each;
    struct attempt *attempts, *last_attempt;
};

struct loop_run {
    unsigned open;      /* its nodes that have not ended in this pass */
    unsigned delivered; /* connections back */
    int64_t pass;
};

/* The nodes of one body while they run: the flow's own, or those of one iteration. */
struct scope {
    unsigned id, container; /* container: the for-each, a node of the parent */
    struct scope *parent;   /* NULL: the run's own */
    const struct flow_body *body;
    struct node_run *nodes;     /* by slot */
    unsigned char *connections; /* enum connection_state, by slot */
    struct json **held;         /* values of connections that lead back or leave a loop; NULL without loops */
    struct loop_run *loops;
    unsigned active; /* nodes between readiness and their end */
    unsigned busy;   /* of these: running, waiting, in backoff, iterating */
    bool ended;      /* it is in the queue of those that have */
    bool has_result;
    size_t index;
    struct json *item, *result, *leaf; /* leaf: outputs of the ended leaf that stands last in the definition */
    unsigned leaf_slot;
    int64_t started_ms, deadline_ms; /* deadline INT64_MAX: none */
    struct error *error;             /* NULL unless it failed */
    char prefix[RUN_ITERATION_BYTES_MAX];
};

struct place {
    unsigned scope, node;
};

/* Iterations of a node that are over. */
struct kept {
    struct json *list, *latest;
    unsigned count, good, bad;
};

struct restored {
    enum node_state state;
    bool former;
    int attempt, epoch, unknown;
    int64_t records, started_ms, ended_ms, wake_ms;
    struct json *outputs, *waiting, *error, *evaluated;
};

struct queued_command {
    struct run_command command;
    bool withdrawn;
    char *iteration, *message; /* what the command points to */
    struct json *inputs, *outputs, *waiting, *lost, *evaluated;
};

struct queued_signal {
    struct queued_signal *next;
    int64_t id;
    bool of_child;
    char *name, *node_id, *iteration;
    struct json *payload;
};

struct flow_run {
    const struct flow *flow;
    char *execution_id, *trigger, *trigger_node, *body;
    struct json *input;
    int64_t created_ms, started_ms, now_ms;
    struct rng rng;
    int epoch;
    unsigned lost_epochs;
    bool started, paused;
    enum run_status status;
    struct error error;
    struct scope *root;
    struct scope **scopes;                        /* by the low bits of their id; root is 0 */
    unsigned scope_cap, scope_serial, scope_free; /* scope_free: the lowest place that may be free */
    struct place *ready;                          /* nodes to start, FIFO */
    size_t ready_head, ready_tail, ready_cap;
    unsigned *ended; /* scopes whose nodes have all ended, FIFO */
    size_t ended_head, ended_tail, ended_cap;
    unsigned running, timed, concluded; /* timed: WAITING or BACKOFF; concluded: of root */
    int64_t steps, output_bytes, records;
    struct json *leaf_outputs, *response; /* of the last ended leaf of root; of the last respond node */
    struct map restored;                  /* "<iteration>\x1f<node id>" -> struct restored */
    unsigned restored_children;           /* of these: that wait for a child */
    struct kept *kept;                    /* by node; NULL: none yet */
    struct attempt *free_attempts;
    struct queued_signal *signals, **last_signal;
    int64_t signals_seen;
    bool look_for_signals; /* a signal came, or a wait for one began */
    struct queued_command *commands;
    size_t command_head, command_count, command_cap;
    struct arena arena;
};

static inline struct node_run *run_node_at(const struct flow_run *run, const struct scope *scope, unsigned index)
{
    return &scope->nodes[run->flow->nodes[index].slot];
}

/* run.c */
struct run_command *run_command_add(struct flow_run *run, enum run_command_kind kind, unsigned scope, unsigned node);
/* A node is to be stopped: the command to start it goes, when nobody has taken it yet. */
void run_command_stop(struct flow_run *run, unsigned scope, unsigned node, int attempt);
void run_checkpoint(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error);
void run_end(struct flow_run *run, enum run_status status, const struct error *error);
void run_end_limit(struct flow_run *run, const char *what, int64_t limit);

/* run_view.c */
struct json *run_outputs_before(const struct node_run *node); /* NULL: none; yours */

/* run_scope.c */
struct scope *run_scope_new(struct flow_run *run, unsigned body, struct scope *parent, unsigned container, size_t index,
                            const struct json *item);
void run_scope_free(struct flow_run *run, struct scope *scope);
struct scope *run_scope_find(const struct flow_run *run, unsigned id); /* NULL: gone */
void run_scope_begin(struct flow_run *run, struct scope *scope); /* what needs nothing, or the item only, is ready */
void run_scope_abort(struct flow_run *run, struct scope *scope); /* all that is under way in it, and inside it */
/* A child that a node waits for is of no use any more; nothing when it waits for none. */
void run_cancel_child(struct flow_run *run, const struct scope *scope, unsigned index);
void run_drop_child(struct flow_run *run, const struct scope *scope, unsigned index, const struct json *waiting);
/* It, or the whole run, has failed. */
void run_scope_fail(struct flow_run *run, struct scope *scope, const struct error *error);
void run_scope_ended(struct flow_run *run, struct scope *scope); /* queues it */
void run_iteration(const struct scope *scope, const struct node_run *node, char out[RUN_ITERATION_BYTES_MAX]);
/* The node is to run once more, or its scope goes: its state goes into history. */
void run_node_reset(struct flow_run *run, struct scope *scope, unsigned index);

/* run_each.c */
void run_each_begin(struct flow_run *run, struct scope *scope, unsigned index,
                    bool is_known);             /* known: its plan is out of a checkpoint */
void run_each_take_ended(struct flow_run *run); /* the oldest scope that has ended */
/* An iteration has ended, with an error or without (NULL); its scope is gone. */
void run_each_step(struct flow_run *run, struct scope *scope, unsigned index, size_t item_index, struct json *item,
                   const struct error *error);
void run_each_free(struct each_run *each);
void run_each_abort(struct flow_run *run, struct scope *scope, unsigned index); /* its iterations */

/* run_resolve.c */
void run_make_ready(struct flow_run *run, struct scope *scope, unsigned index, enum node_state state);
void run_conclude(struct flow_run *run, struct scope *scope, unsigned index, enum node_state state);
/* What history shows of a node in place of its configuration's own members (run_checkpoint.evaluated); yours, or NULL.
 */
struct json *run_evaluated(const struct flow_run *run, unsigned index, const struct node_run *node);
void run_show_evaluated(const struct flow_run *run, unsigned index, struct node_run *node,
                        const struct json *evaluated);
struct json *run_effective_inputs(const struct flow_run *run, const struct scope *scope, unsigned index);

/* run_loop.c */
void run_loops_init(const struct flow_run *run, struct scope *scope);
void run_loops_concluded(struct flow_run *run, struct scope *scope, unsigned index);
void run_connection_settle(struct flow_run *run, struct scope *scope, unsigned connection, bool delivered);

/* run_attempt.c */
bool run_has_effects(const struct flow_run *run, unsigned index);
/* Whether its end is to be known again after a crash. */
bool run_is_kept(const struct flow_run *run, unsigned index);
struct attempt *run_attempt_add(struct flow_run *run, struct node_run *node, int number, int epoch,
                                enum node_state state, int64_t started_ms);
void run_attempt_end(struct node_run *node, enum node_state state, int64_t ended_ms, const char *error);
void run_start_attempt(struct flow_run *run, struct scope *scope, unsigned index);
/* False: the flow's limit is passed, and the run has ended. */
bool run_count_steps(struct flow_run *run, int64_t steps);
bool run_count_outputs(struct flow_run *run, const struct json *outputs);
void run_on_done(struct flow_run *run, struct scope *scope, const struct run_event *event);
void run_on_wait(struct flow_run *run, struct scope *scope, const struct run_event *event);
void run_node_failed(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error,
                     bool retryable);
void run_fail_for_good(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error);
void run_leave_state(struct flow_run *run, struct scope *scope, struct node_run *node); /* it is under way no more */
void run_enter_state(struct flow_run *run, struct scope *scope, struct node_run *node, enum node_state state);

enum wait_kind run_wait_kind(const struct json *waiting);

/* run_start.c */
void run_start_node(struct flow_run *run, struct place place);
void run_begin(struct flow_run *run);
/* One of unknown outcome for each epoch that was lost since the present attempt, if that was taken over: the next one
 * may have been made in each. */
void run_lost_attempts_add(struct flow_run *run, struct node_run *node, unsigned index);
void run_restored_free(struct flow_run *run);
/* What is known of nodes in it, and inside it, will not be taken up: children that they wait for are cancelled. */
void run_restored_drop(struct flow_run *run, const struct scope *scope);
void run_set_error(struct flow_run *run, struct node_run *node, unsigned index, const char *code, const char *message);

/* run_time.c */
void run_on_time(struct flow_run *run);

/* run_signal.c */
void run_on_signal(struct flow_run *run, const struct run_signal *signal);
void run_match_signals(struct flow_run *run);
void run_signals_free(struct flow_run *run);

/* run_document.c */
struct json *run_node_entry(const struct flow_run *run, unsigned index, const struct node_run *node,
                            const char *iteration); /* iteration NULL: not told */
