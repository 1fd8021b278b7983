/* Runs a flow of pure inline nodes from beginning to end on the caller's thread: nothing outside is touched, so nothing
 * must be remembered before it has ended. */
#pragma once
#include "nodes/node.h"

struct pure_result {
    enum run_status status;
    int64_t started_ms, ended_ms, records;
    struct error error;  /* code OK when it succeeded */
    struct buf document; /* history, packed (store_pack); empty when the flow keeps none of this outcome */
    char *result_json;   /* NULL: no result */
    bool responded;      /* the result is a respond node's */
};

/* False when the run did not come to its end here (a retry's delay, JavaScript): then it must run durably, from the
 * beginning. The flow is borrowed; all JSON values belong to this thread. */
bool pure_run(const struct flow *flow, const struct run_options *options, const struct json *input,
              struct pure_result *ret) ERROR_MUST_CHECK;
void pure_result_done(struct pure_result *result);

/* Whether pure_run can run it: every node is pure and inline, and no expression needs JavaScript for sure. */
bool pure_run_is_possible(const struct flow *flow);
