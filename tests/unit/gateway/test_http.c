/* The server's threads: bursts of any size are answered, a port is nobody else's. */
#include "gateway/http.h"

#include <arpa/inet.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define EVENTS 128 /* that libmicrohttpd takes from the kernel in one go */
#define PATIENCE_S 20

static sem_t entered, leave;

static enum err admit(void *app, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    (void)app;
    (void)request;
    (void)reterr;
    *ret_inline = true;
    return ERR_OK;
}

static int handle(void *app, struct http_request *request)
{
    (void)app;
    if (strcmp(request->path, "/hold") == 0) {
        sem_post(&entered);
        while (sem_wait(&leave) != 0)
            ;
    }
    http_reply(request, 200, NULL);
    return HTTP_DONE;
}

static struct http_server *start(unsigned threads, int port, enum err expected)
{
    static const char *const origins[] = {NULL};
    struct http_server *server = NULL;
    struct error error = {0};
    enum err code = http_start(&(struct http_options){.host = "127.0.0.1",
                                                      .port = port,
                                                      .threads = threads,
                                                      .handler_threads = 1,
                                                      .max_body = 1024,
                                                      .idle_timeout_s = 60,
                                                      .request_timeout_ms = 60000,
                                                      .origins = origins,
                                                      .admit = admit,
                                                      .handle = handle},
                               &server, &error);
    assert_int_equal(code, expected);
    if (expected != ERR_OK)
        assert_string_equal(error.field, "PORT");
    return server;
}

static int connect_to(const struct http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(server))};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask(int fd, const char *path)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    buf_printf(&text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(fd, text.data, text.len, MSG_NOSIGNAL), (ssize_t)text.len);
}

static void is_answered(int fd)
{
    char answer[4096];
    ssize_t size = recv(fd, answer, sizeof answer, 0);
    assert_true(size > 12);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
}

/* All of them are connected and known to the thread, which is held until each has sent its request. */
static void burst_of(unsigned count)
{
    struct http_server *server = start(1, 0, ERR_OK);
    int holder = connect_to(server), fds[2 * EVENTS];
    for (unsigned i = 0; i < count; i++) {
        fds[i] = connect_to(server);
        ask(fds[i], "/");
        is_answered(fds[i]);
    }
    ask(holder, "/hold");
    while (sem_wait(&entered) != 0)
        ;
    for (unsigned i = 0; i < count; i++)
        ask(fds[i], "/");
    sem_post(&leave);
    is_answered(holder);
    for (unsigned i = 0; i < count; i++) {
        is_answered(fds[i]);
        close(fds[i]);
    }
    close(holder);
    http_stop(server);
}

static void test_bursts(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&entered, 0, 0) + sem_init(&leave, 0, 0), 0);
    burst_of(EVENTS - 1);
    burst_of(EVENTS);
    burst_of(2 * EVENTS);
}

static void test_port_is_taken(void **state)
{
    (void)state;
    struct http_server *server = start(2, 0, ERR_OK);
    assert_null(start(2, http_port(server), ERR_IO));
    int port = http_port(server);
    http_stop(server);
    http_stop(start(2, port, ERR_OK));
}

static void test_several_threads(void **state)
{
    (void)state;
    struct http_server *server = start(3, 0, ERR_OK);
    int fds[60];
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        fds[i] = connect_to(server);
        ask(fds[i], "/");
    }
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        is_answered(fds[i]);
        close(fds[i]);
    }
    http_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bursts), cmocka_unit_test(test_port_is_taken),
                                       cmocka_unit_test(test_several_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
