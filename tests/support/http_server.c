#include "support/http_server.h"

#include "base/mem.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct connection *next;
    struct test_http *server;
    pthread_t thread;
    int fd;
};

struct test_http {
    test_http_handler handler;
    void *user;
    int fd, port;
    pthread_t thread;
    struct connection *connections; /* the accepting thread's, then test_http_stop's */
    atomic_uint count;
};

char *test_http_header(const struct test_http_request *request, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = request->headers; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *value = line + n + 1 + strspn(line + n + 1, " ");
            return mem_dup_n(value, (size_t)(end - value));
        }
        line = end + 2;
    }
    return NULL;
}

void test_http_answer(struct buf *answer, int status, const char *headers, const char *body)
{
    buf_printf(answer, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
}

static bool read_more(const struct connection *connection, struct buf *in)
{
    char bytes[4096];
    ssize_t n = recv(connection->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        buf_add(in, bytes, (size_t)n);
    return n > 0;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* One request from `in`, which keeps what came behind it. */
static bool serve_one(struct connection *connection, struct buf *in)
{
    char *end;
    while ((end = in->len == 0 ? NULL : strstr(in->data, "\r\n\r\n")) == NULL)
        if (!read_more(connection, in))
            return false;
    size_t head = (size_t)(end - in->data) + 4;
    AUTO_FREE char *text = mem_dup_n(in->data, head - 2);
    char *headers = strstr(text, "\r\n") + 2, *save;
    AUTO_FREE char *line = mem_dup_n(text, (size_t)(headers - text - 2));
    struct test_http_request request = {.headers = headers, .port = connection->server->port};
    request.method = strtok_r(line, " ", &save);
    request.target = strtok_r(NULL, " ", &save);
    AUTO_FREE char *length = test_http_header(&request, "Content-Length");
    request.body_len = length == NULL ? 0 : strtoull(length, NULL, 10);
    while (in->len < head + request.body_len)
        if (!read_more(connection, in))
            return false;
    AUTO_FREE char *body = mem_dup_n(in->data + head, request.body_len);
    request.body = body;
    struct buf answer;
    buf_init(&answer, 0);
    atomic_fetch_add(&connection->server->count, 1);
    bool more = connection->server->handler(connection->server->user, &request, &answer);
    bool good = send_all(connection->fd, buf_str(&answer), answer.len) && more;
    buf_done(&answer);
    struct buf rest;
    buf_init(&rest, 0);
    buf_add(&rest, in->data + head + request.body_len, in->len - head - request.body_len);
    buf_done(in);
    *in = rest;
    return good;
}

static void *serve(void *user)
{
    struct connection *connection = user;
    struct buf in;
    buf_init(&in, 0);
    while (serve_one(connection, &in)) {
    }
    buf_done(&in);
    (void)shutdown(connection->fd,
                   SHUT_RDWR); /* closed by test_http_stop: the number must not be another's meanwhile */
    return NULL;
}

static void *accept_all(void *user)
{
    struct test_http *server = user;
    int fd;
    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        struct connection *connection = mem_alloc(sizeof *connection);
        *connection = (struct connection){.server = server, .fd = fd, .next = server->connections};
        server->connections = connection;
        if (pthread_create(&connection->thread, NULL, serve, connection) != 0)
            abort();
    }
    return NULL;
}

struct test_http *test_http_start(test_http_handler handler, void *user)
{
    struct test_http *server = mem_alloc(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->handler = handler;
    server->user = user;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, size) != 0 || listen(server->fd, 1024) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    if (pthread_create(&server->thread, NULL, accept_all, server) != 0)
        abort();
    return server;
}

int test_http_port(const struct test_http *server)
{
    return server->port;
}

unsigned test_http_count(struct test_http *server)
{
    return atomic_load(&server->count);
}

void test_http_stop(struct test_http *server)
{
    (void)shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    while (server->connections != NULL) {
        struct connection *connection = server->connections;
        server->connections = connection->next;
        (void)shutdown(connection->fd, SHUT_RDWR);
        pthread_join(connection->thread, NULL);
        close(connection->fd);
        free(connection);
    }
    free(server);
}
