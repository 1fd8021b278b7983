/* A pool of JavaScript runners in a test, called as if it were synchronous. */
#pragma once
#include "script/script.h"

struct script_kit {
    struct loop *loop;
    struct script_pool *pool;
};
void script_kit_init(struct script_kit *kit, unsigned runners, int64_t timeout_ms, size_t memory_mb);
void script_kit_done(struct script_kit *kit);

/* The answer as text: the result as JSON, or "CODE: message". Yours. `logs` (may be NULL) gets the log lines. */
char *script_kit_call(struct script_kit *kit, enum script_kind kind, const char *realm, const char *program,
                      const char *data, struct json **ret_logs);
/* The value of one expression with that data as JSON; "undefined"; "error: message". Yours. */
char *script_kit_expression(struct script_kit *kit, const char *realm, const char *source, const char *data);
/* The value that code gives. */
char *script_kit_code(struct script_kit *kit, const char *realm, const char *code, const char *data);
