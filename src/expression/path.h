/* Plain paths and literals: the expressions that need no JavaScript.
 *
 * input.a.b[0]["c d"]?.e, nodes.x.output, item, now, 12, 'text', true, null, undefined. What path_parse takes has
 * exactly the value that JavaScript gives it, with one exception: integers beyond 2^53 stay exact. A secret that
 * does not exist is an error in both. */
#pragma once
#include "base/mem.h"
#include "expression/names.h"
#include "json/value.h"

struct path_step {
    const char *key;
    bool optional; /* ?. */
    size_t end;    /* of the step in the source */
};

struct path {
    bool is_literal;
    struct value literal; /* owned by the path */
    enum expression_name root;
    struct path_step *steps;
    unsigned count;
    const char *source; /* in the arena */
};

/* False: it is no plain path (it may be any other JavaScript). Steps live in the arena; path_done frees the literal. */
bool path_parse(const char *source, size_t len, struct arena *arena, struct path *ret);
void path_done(struct path *path);

enum path_outcome {
    PATH_VALUE,       /* *ret is yours (NULL is null) */
    PATH_UNDEFINED,   /* nothing is there */
    PATH_ERROR,       /* a member of undefined or null; reterr says which */
    PATH_NEEDS_SCRIPT /* it reaches into what JavaScript's own objects have: only JavaScript knows */
};
enum path_outcome path_evaluate(const struct path *path, const struct expression_source *source, struct json **ret,
                                struct error *reterr);

/* Whether values of JSON inherit a member of that name in JavaScript. */
bool path_is_inherited(const char *name);
