/* Shared by the files that find and evaluate expressions. */
#pragma once
#include "expression/expression.h"
#include "expression/path.h"
#include "expression/mixed.h"

/* A member (key) or an element (index). */
struct place_step {
    const char *key;
    size_t index;
};

/* One text of the configuration with expressions in it. */
struct place {
    struct place_step *steps;
    unsigned depth;
    const char *field;
    struct mixed mixed;
    const char *problem;   /* it is broken */
    unsigned first_source; /* its expressions stand one after the other */
};

struct source {
    const char *text;
    size_t len;
    bool is_path;
    struct path path;
};

struct expressions {
    struct arena arena;
    struct json *config;
    struct place *places; /* in the order of the document */
    struct source *sources;
    unsigned place_count, source_count;
    struct expression_needs needs;
    bool need_script;
};
