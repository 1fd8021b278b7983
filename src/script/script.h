/* JavaScript for flows: a pool of runner processes, for the owner of a loop.
 *
 * A call runs in a process without files, network and other processes, in a world (global object) of its flow's
 * version whose built-ins are frozen; a mapping's functions run in a world made for that call. A call that takes longer
 * or needs more memory than it may ends with an error, and so does one whose runner dies; others that waited behind it
 * run elsewhere. Runners start when first needed. All functions on the loop's thread. */
#pragma once
#include "base/loop.h"
#include "json/json.h"

struct script_pool;
struct script_call;

struct script_options {
    struct loop *loop;
    const char *program; /* that has the command script-runner; NULL: this one */
    unsigned runners;    /* as many as work at a time; more only while calls are stuck */
    int64_t timeout_ms;  /* of one call, at most */
    size_t memory_mb;    /* that a call may use, at least 32 */
};

enum script_kind {
    SCRIPT_EXPRESSIONS, /* program: array of sources; gives an array: {v}, {} or {e: {message}} for each */
    SCRIPT_CODE,        /* program: {code, mode: once|each}; gives {v} or {} */
    SCRIPT_MAP,         /* program: array of function bodies; data: {v, u}; gives {v: [{v, u, x}]} (mapper.js) */
    SCRIPT_CHECK /* program: array of {as: expression|code|body, source}; gives {} or {e: {message, line?}} for each */
};

struct script_request {
    enum script_kind kind;
    const char *realm;          /* calls of the same text share a world: "flow id/version" */
    const char *program, *data; /* JSON texts, copied */
    size_t program_bytes, data_bytes;
    int64_t timeout_ms; /* 0: the pool's; never longer than that */
};

/* error.code: OK; LIMIT (time, memory, size); NODE (the script's own error, or its runner died); UNAVAILABLE (too many
 * calls wait); UNSUPPORTED (the engine is not installed). `result` and `logs` ([[level, text], …], may be NULL) are
 * borrowed for the call. */
struct script_answer {
    struct error error;
    const struct json *result, *logs;
    int line; /* of the source, of a script's own error; 0: unknown */
};
typedef void script_done_fn(void *user, const struct script_answer *answer);

struct script_pool *script_pool_new(const struct script_options *options);
void script_pool_free(struct script_pool *pool); /* calls under way are dropped without a word */

/* `done` follows later, never from within. */
struct script_call *script_pool_start(struct script_pool *pool, const struct script_request *request,
                                      script_done_fn *done, void *user);
void script_call_abort(struct script_call *call); /* `done` will not be called */

struct script_stats {
    unsigned runners;
    uint64_t calls, failed, killed; /* killed: runners, for time or memory */
};
void script_pool_stats(const struct script_pool *pool, struct script_stats *ret);
