/* What states are called. */
#include "flow/run.h"

#include <string.h>

static const char *const status_names[] = {"pending", "running", "paused", "success", "failed", "cancelled", "timeout"};
static const char *const state_names[] = {
    [NODE_IDLE] = "idle",       [NODE_READY] = "ready",        [NODE_RUNNING] = "running", [NODE_WAITING] = "waiting",
    [NODE_BACKOFF] = "backoff", [NODE_SUCCEEDED] = "success",  [NODE_FAILED] = "failed",   [NODE_SKIPPED] = "skipped",
    [NODE_ABORTED] = "aborted", [NODE_ITERATING] = "iterating"};

const char *run_status_name(enum run_status status)
{
    return status_names[status];
}

enum err run_status_parse(const char *name, enum run_status *ret)
{
    for (size_t i = 0; name != NULL && i < sizeof status_names / sizeof *status_names; i++)
        if (strcmp(name, status_names[i]) == 0) {
            *ret = (enum run_status)i;
            return ERR_OK;
        }
    return ERR_VALIDATION;
}

bool run_status_is_final(enum run_status status)
{
    return status >= RUN_SUCCESS;
}

const char *node_state_name(enum node_state state)
{
    return state_names[state];
}

enum err node_state_parse(const char *name, enum node_state *ret)
{
    for (size_t i = 0; name != NULL && i < sizeof state_names / sizeof *state_names; i++)
        if (strcmp(state_names[i], name) == 0) {
            *ret = (enum node_state)i;
            return ERR_OK;
        }
    return ERR_VALIDATION;
}
