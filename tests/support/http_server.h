/* A small HTTP server for tests: a thread for each connection, answers are bytes the test writes itself. */
#pragma once
#include "base/buf.h"

struct test_http;

struct test_http_request {
    const char *method, *target, *headers /* lines, as they came */, *body;
    size_t body_len;
    int port; /* the server's */
};
/* Writes a whole answer, status line and all. Returns whether the connection goes on. On the connection's thread. */
typedef bool (*test_http_handler)(void *user, const struct test_http_request *request, struct buf *answer);

struct test_http *test_http_start(test_http_handler handler, void *user); /* 127.0.0.1, any free port */
int test_http_port(const struct test_http *server);
unsigned test_http_count(struct test_http *server); /* requests so far */
void test_http_stop(struct test_http *server);

/* The value of a header of the request, to be freed; NULL: absent. */
char *test_http_header(const struct test_http_request *request, const char *name);
/* An answer with a body; headers are lines with \r\n each, or "". */
void test_http_answer(struct buf *answer, int status, const char *headers, const char *body);
