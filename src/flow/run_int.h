/* The run's inner structures, shared with its document. */
#pragma once
#include "base/clock.h"
#include "flow/run.h"

struct attempt {
    struct attempt *next;
    int number, epoch;
    enum node_state state; /* NODE_IDLE: unknown outcome */
    int64_t started_ms, ended_ms;
    char *error;
};

struct node_run {
    enum node_state state;
    enum node_state restored; /* NODE_IDLE: nothing known from before */
    int attempt, unknown;     /* unknown: attempts of lost epochs, which do not count for the retry policy */
    unsigned resolved, delivered;
    int64_t first_ms, started_ms, ended_ms, wake_ms, records;
    struct json *inputs, *outputs, *error; /* error: {code,message,nodeId} once failed for good */
    struct attempt *attempts, *last_attempt;
};

struct flow_run {
    const struct flow *flow;
    char *execution_id, *trigger, *trigger_node;
    struct json *input;
    int64_t created_ms, started_ms;
    struct rng rng;
    int epoch;
    bool lost_epoch, started, paused;
    enum run_status status;
    struct error error;
    struct node_run *nodes;
    unsigned char *connections; /* enum connection_state */
    unsigned *ready;            /* nodes to start, FIFO; at most once each */
    unsigned ready_head, ready_tail;
    unsigned running, timed, concluded; /* timed: WAITING or BACKOFF */
    int64_t steps, output_bytes;
    int last_leaf, last_respond;
    struct run_command *commands;
    size_t command_head, command_count, command_cap;
    struct arena arena;
};
