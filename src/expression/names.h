/* The names that expressions and code know, and which of them a source refers to. */
#pragma once
#include "json/json.h"
#include "base/mem.h"

enum expression_name {
    NAME_INPUT,     /* what reached the node */
    NAME_NODES,     /* outputs of earlier nodes: nodes.<id>.<output> */
    NAME_EXECUTION, /* {id, flowId, trigger, startedAt, attempt, input} */
    NAME_FLOW,      /* {id, name, version} */
    NAME_VARIABLES,
    NAME_SECRETS,
    NAME_ITEM,  /* inside a for-each */
    NAME_INDEX, /* inside a for-each */
    NAME_NOW,   /* the moment of the evaluation, a Date */
    NAME_COUNT
};
const char *expression_name_text(enum expression_name name);
int expression_name_find(const char *text, size_t len); /* -1: none */
/* nodes, variables, secrets: single members of them are asked for, not the whole. */
bool expression_name_has_members(enum expression_name name);

/* What the names stand for. */
struct expression_source {
    void *user;
    int64_t now_ms;
    /* *ret is yours; false: undefined. `key`: that member of a name that has members; NULL: all of the name. */
    bool (*find)(void *user, enum expression_name name, const char *key, struct json **ret);
};

/* What a source refers to, rather too much than too little: words in strings count too. */
struct expression_needs {
    bool used[NAME_COUNT], whole[NAME_COUNT];
    struct json *members[NAME_COUNT]; /* object: key -> true; of those that have members */
};
void expression_needs_add(struct expression_needs *needs, const char *source, size_t len);
void expression_needs_add_texts(struct expression_needs *needs, const struct json *value); /* all texts in it */
void expression_needs_done(struct expression_needs *needs);

/* The values of what is needed as JSON: {"now":ms,"input":…,"nodes":{"id":…},…}; undefined ones are left out. */
void expression_needs_print(const struct expression_needs *needs, const struct expression_source *source,
                            struct buf *out);
