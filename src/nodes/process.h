/* A program run from the event loop: no shell, in a process group of its own, its output bounded. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"
#include <stdint.h>

struct process;

/* Everything is copied. */
struct process_options {
    const char *const *arguments; /* NULL-terminated; the first is the program: a path, or a name looked for in PATH */
    const char *const *environment; /* NAME=value, NULL-terminated: all that it gets */
    const char *folder;             /* where it runs */
    const void *input;              /* its standard input; NULL: none */
    size_t input_len;
    size_t max_bytes;   /* of standard output and of standard error, each */
    int64_t timeout_ms; /* then it is killed */
};

struct process_result {
    int exit_code, signal; /* signal: 0, or what ended it; exit_code is -1 then */
    const char *output, *errors;
    size_t output_len, errors_len;
};

/* Called once, never from inside process_start. ERR_OK: it ended by itself, `result` is valid during the call. Else
 * `error` is: ERR_DEADLINE, ERR_LIMIT when it wrote too much. Whatever of its group still runs has been killed. */
typedef void (*process_done_fn)(void *user, const struct process_result *result, const struct error *error);

/* ERR_NODE when there is no such program or it may not be run. */
enum err process_start(struct loop *loop, const struct process_options *options, process_done_fn done, void *user,
                       struct process **ret, struct error *reterr) ERROR_MUST_CHECK;
void process_kill(struct process *process); /* with its group; no done follows; NULL ok */
