/* The one list of errors: symbol, wire id, HTTP status, whether a retry can help, meaning. */
#pragma once
#include <stdbool.h>
#include <stdarg.h>

#define ERROR_LIST(X)                                                                                                  \
    X(OK, "OK", 200, false, "no error")                                                                                \
    X(VALIDATION, "VALIDATION_ERROR", 400, false, "a value from outside is not what it must be")                       \
    X(UNAUTHORIZED, "UNAUTHORIZED", 401, false, "no valid credential was given")                                       \
    X(FORBIDDEN, "FORBIDDEN", 403, false, "the credential does not allow this")                                        \
    X(NOT_FOUND, "NOT_FOUND", 404, false, "nothing has that id")                                                       \
    X(METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", 405, false, "the route exists, but not with this method")              \
    X(CONFLICT, "CONFLICT", 409, false, "the present state does not allow this")                                       \
    X(TOO_LARGE, "PAYLOAD_TOO_LARGE", 413, false, "more bytes than the limit")                                         \
    X(UNPROCESSABLE, "UNPROCESSABLE_ENTITY", 422, false, "well formed, but it cannot be done")                         \
    X(RATE_LIMIT, "RATE_LIMIT_EXCEEDED", 429, true, "too many requests")                                               \
    X(INTERNAL, "INTERNAL_SERVER_ERROR", 500, false, "a defect of this program")                                       \
    X(UNAVAILABLE, "SERVICE_UNAVAILABLE", 503, true, "overloaded, starting or stopping")                               \
    X(STORE_BUSY, "STORE_UNAVAILABLE", 503, true, "the store cannot be reached or written now")                        \
    X(STORE_FULL, "STORE_FULL", 503, true, "the store's disk is full")                                                 \
    X(STORE_UNKNOWN, "STORE_OUTCOME_UNKNOWN", 503, true, "the store did not say whether it committed")                 \
    X(BROKER, "BROKER_UNAVAILABLE", 503, true, "the broker cannot be reached")                                         \
    X(CANCELLED, "CANCELLED", 409, false, "cancelled by a person or by shutdown")                                      \
    X(DEADLINE, "DEADLINE_EXCEEDED", 422, true, "a node or a flow took longer than it may")                            \
    X(LIMIT, "LIMIT_EXCEEDED", 422, false, "a run did more steps or made more data than it may")                       \
    X(NODE, "NODE_FAILED", 422, false, "a node failed in a way that a retry does not mend")                            \
    X(NODE_RETRY, "NODE_FAILED_TRANSIENT", 422, true, "a node failed in a way that a retry may mend")                  \
    X(WORKER_LOST, "WORKER_LOST", 422, false, "its worker was lost again and again while it ran")                      \
    X(STOPPED, "STOPPED_WITH_ERROR", 422, false, "the flow stopped itself with an error")                              \
    X(UNSUPPORTED, "NOT_SUPPORTED", 422, false, "this build cannot do that yet")                                       \
    X(IO, "IO_ERROR", 500, true, "the operating system refused an operation")

enum err {
#define X(symbol, id, http, retry, text) ERR_##symbol,
    ERROR_LIST(X)
#undef X
        ERR_COUNT
};

#define ERROR_MUST_CHECK __attribute__((warn_unused_result))

/* What went wrong, for a person. `field` is a path such as nodes[2].config.url, or empty. */
struct error {
    enum err code;
    char message[512];
    char field[160];
};

const char *error_id(enum err code);
int error_http_status(enum err code);
bool error_is_retryable(enum err code);
const char *error_text(enum err code);

/* Finds the code of a wire id; ERR_INTERNAL when there is none. */
enum err error_parse_id(const char *id);

/* Fills reterr (may be NULL) and returns `code`, so that callers can `return error_set(...)`.
 * `field` may be NULL. The message is cut at a UTF-8 boundary. */
enum err error_set(struct error *reterr, enum err code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix" before the field path of an error: prefix.field, or prefix[…] when field starts with '['. */
void error_prefix_field(struct error *error, const char *prefix);
