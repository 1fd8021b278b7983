/* The log: one line per event, JSON or text, written with one write(2).
 *
 *     log_event(LOG_INFO, "execution finished", LOG_STR("executionId", id), LOG_INT("nodes", 3), LOG_END);
 *
 * A line never exceeds LOG_LINE_BYTES, so that lines of several processes sharing one pipe do not mix (PIPE_BUF).
 * Control characters are escaped and bytes that are not UTF-8 shown as \xNN: no value can forge a second line.
 * Values of secrets must not be given to it. Thread-safe; no heap. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES 4096  /* newline included; what does not fit is left out and "truncated":true added */
#define LOG_VALUE_BYTES 1024 /* of one escaped value; longer ones end in "…" */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* Receives whole lines, newline included; called from any thread, so it must lock what it shares. */
typedef void log_sink(void *user, const char *line, size_t len);

struct log_options {
    enum log_level level; /* events below it are dropped */
    enum log_format format;
    const char *service;  /* static text; NULL is "caudal" */
    const char *instance; /* which of several; must stay; NULL: not told */
    log_sink *sink;       /* NULL: standard error */
    void *user;
};

/* Sets the options of the process; before other threads log. */
void log_start(const struct log_options *options);

/* May be called at any time, from any thread. */
void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);
uint64_t log_lost_count(void); /* lines the operating system did not take */

const char *log_level_name(enum log_level level); /* debug, info, warn, error */
bool log_level_parse(const char *name, enum log_level *ret_level);

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_STR,
    LOG_KIND_INT,
    LOG_KIND_UINT,
    LOG_KIND_DOUBLE,
    LOG_KIND_BOOL,
    LOG_KIND_CAUSE
};

/* A key and its value, both borrowed for the call. Keys: camelCase, and none of time, level, service, message. */
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct {
            const char *bytes; /* NULL is null */
            size_t len;        /* SIZE_MAX: up to the NUL */
        } text;
        int64_t integer;
        uint64_t natural;
        double number;
        bool truth;
        const struct error *cause;
    } value;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .value = {.text = {(v), SIZE_MAX}}})
#define LOG_STR_N(k, v, n) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .value = {.text = {(v), (n)}}})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .value = {.integer = (v)}})
#define LOG_UINT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_UINT, .value = {.natural = (v)}})
#define LOG_DOUBLE(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_DOUBLE, .value = {.number = (v)}})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .value = {.truth = (v)}})
/* A struct error as the keys code, error and, when it has one, field. */
#define LOG_CAUSE(e) ((struct log_field){.kind = LOG_KIND_CAUSE, .value = {.cause = (e)}})
#define LOG_END ((struct log_field){.kind = LOG_KIND_END})

/* The fields are not evaluated when the level is off. The last one is LOG_END. */
#define log_event(level, message, ...)                                                                                 \
    (log_is_enabled(level) ? log_write((level), (message), (const struct log_field[]){__VA_ARGS__}) : (void)0)
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* The line of an event, as the sink gets it: at most LOG_LINE_BYTES - 1 characters and a NUL. Pure. Returns its length.
 */
size_t log_line_format(enum log_format format, int64_t now_ms, enum log_level level, const char *service,
                       const char *instance, const char *message, const struct log_field *fields,
                       char out[LOG_LINE_BYTES + 1]);
