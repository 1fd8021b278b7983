/* The names that expressions of a node see: of its run, and of the world around it. */
#pragma once
#include "expression/expression.h"
#include "flow/run.h"

/* Where variables and secrets come from. What a node refers to is asked for before each of its attempts. */
struct resolver_request {
    const char *flow_id;
    bool variables;             /* all that the flow sees */
    const struct json *secrets; /* object: name -> true; NULL: none */
};

/* error.code: OK, or why something could not be looked up: it fails the attempt of a node that needs what is missing,
 * and counts for its retry policy as other errors do. Objects name -> value, borrowed for the call; what does not exist
 * is left out, a flow's own stand in the place of global ones. */
struct resolver_answer {
    struct error error;
    const struct json *variables; /* any values */
    const struct json *secrets;   /* strings */
};
typedef void resolver_done_fn(void *user, const struct resolver_answer *answer);

/* All on the thread of the worker's loop, which must not be kept waiting. */
struct resolver {
    void *user;
    /* `done` is called once: from within, and NULL is returned; or later, and what is returned can be aborted. The
     * request is borrowed for the call. */
    void *(*start)(void *user, const struct resolver_request *request, resolver_done_fn *done, void *done_user);
    void (*abort)(void *user, void *started); /* `done` will not be called */
    void (*forget)(void *user);               /* something was changed: what is remembered holds no more */
};

struct call_names {
    const struct flow_run *run;
    const char *execution_id;
    unsigned scope, node;
    int attempt;
    struct json *variables, *secrets; /* as resolved; NULL: they were not asked for */
    struct expression_source source;  /* to be handed on; valid as long as this stays where it is */
};
/* With the members before `variables` set. */
void call_names_init(struct call_names *names, int64_t now_ms);
void call_names_done(struct call_names *names);
