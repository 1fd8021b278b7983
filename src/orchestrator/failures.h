/* Flows that start when another one has failed. */
#pragma once
#include "store/store.h"

/* Within the write that makes the execution final: inserts one execution for each trigger that listens for it, due at
 * once; *ret_started is set when there is one. Those are never started for failures of their own, nor in a ring: the
 * flows whose failures led to this one are followed back through their parents, up to LIMIT_SUB_FLOW_DEPTH. */
enum err failures_start(struct store_session *session, const char *execution_id, int64_t now_ms, bool *ret_started,
                        struct error *reterr) ERROR_MUST_CHECK;
