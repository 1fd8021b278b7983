/* The names that expressions of a node see, out of its run. */
#pragma once
#include "expression/expression.h"
#include "flow/run.h"

struct call_names {
    const struct flow_run *run;
    const char *execution_id;
    unsigned scope, node;
    int attempt;
    struct expression_source source; /* to be handed on; valid as long as this stays where it is */
};
/* With the members before `source` set. */
void call_names_init(struct call_names *names, int64_t now_ms);
