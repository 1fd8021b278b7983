/* The hub over socket pairs: what tests/api/test_websocket.py cannot show without waiting half a minute or losing a
 * race. */
#include "base/buf.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/messages.h"
#include "gateway/ws.h"
#include "metrics/metrics.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0198a000-0000-7000-8000-000000000001"
#define NEVER_MS 3600000
#define PATIENCE_MS 60000 /* only a defect waits so long */

struct fixture {
    struct store *store;
    struct broker *broker;
    struct loop *loop; /* never run: the publisher's connection receives nothing */
    struct broker_connection *publisher;
    struct metrics *metrics;
    struct ws_hub *hub;
    char directory[32];
};

static void fixture_start(struct fixture *f, struct ws_options options)
{
    struct error error = {0};
    *f = (struct fixture){.directory = "/tmp/caudal-ws-XXXXXX"};
    assert_non_null(mkdtemp(f->directory));
    AUTO_FREE char *url = mem_printf("sqlite:%s/ws.db", f->directory);
    assert_int_equal(store_open(url, NULL, &f->store, &error), ERR_OK);
    assert_int_equal(broker_open("memory:", "", &f->broker, &error), ERR_OK);
    f->loop = loop_new();
    f->publisher = broker_connect(f->broker, f->loop);
    f->metrics = metrics_new();
    options.store = f->store;
    options.broker = f->broker;
    options.metrics = f->metrics;
    f->hub = ws_start(&options);
}

static void fixture_stop(struct fixture *f)
{
    ws_stop(f->hub);
    ws_free(f->hub);
    broker_disconnect(f->publisher);
    loop_free(f->loop);
    broker_close(f->broker);
    store_close(f->store);
    metrics_free(f->metrics);
    static const char *const files[] = {"ws.db", "ws.db-wal", "ws.db-shm", "ws.db.lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", f->directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->directory);
}

/* The client's end; the other one is the hub's. */
static int connect_pair(struct fixture *f, const void *early, size_t size)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    ws_take(f->hub, pair[1], early, size, INT64_MAX);
    return pair[0];
}

/* Up to n bytes; fewer when the connection ends first. */
static size_t read_bytes(int fd, void *bytes, size_t n)
{
    size_t got = 0;
    while (got < n) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) == 0)
            fail_msg("nothing came");
        ssize_t now = read(fd, (char *)bytes + got, n - got);
        if (now <= 0)
            break;
        got += (size_t)now;
    }
    return got;
}

/* The opcode, with the payload as text; -1 at the end. */
static int read_frame(int fd, char *text, size_t size)
{
    uint8_t head[2], more[2];
    if (read_bytes(fd, head, 2) < 2)
        return -1;
    size_t length = head[1] & 0x7f;
    if (length == 126) {
        assert_int_equal(read_bytes(fd, more, 2), 2);
        length = (size_t)more[0] << 8 | more[1];
    }
    assert_true(length < size);
    assert_int_equal(read_bytes(fd, text, length), length);
    text[length] = '\0';
    return head[0] & 0x0f;
}

static void send_frame(int fd, uint8_t opcode, const char *text)
{
    uint8_t frame[200] = {(uint8_t)(0x80 | opcode),
                          (uint8_t)(0x80 | strlen(text))}; /* masked with 0, which changes nothing */
    assert_true(strlen(text) < 126);
    memcpy(frame + 6, text, strlen(text));
    size_t n = 6 + strlen(text);
    assert_int_equal(write(fd, frame, n), n);
}

/* What was sent before is understood when this returns. */
static void sync_with(int fd)
{
    char text[200];
    send_frame(fd, 1, "{\"type\":\"ping\"}");
    assert_int_equal(read_frame(fd, text, sizeof text), 1);
    assert_string_equal(text, "{\"type\":\"pong\"}");
}

static char *update_of(int number, const char *status)
{
    return mem_printf("{\"type\":\"execution_update\",\"executionId\":\"" ID
                      "\",\"flowId\":\"f\",\"status\":\"%s\",\"progress\":%d,"
                      "\"recordsProcessed\":0,\"message\":\"%0600d\",\"timestamp\":\"2025-01-01T00:00:"
                      "00.000Z\",\"result\":\"secret\","
                      "\"responded\":true,\"errorId\":\"X\",\"errorMessage\":\"x\"}",
                      status, number, number);
}

static void publish(struct fixture *f, int number, const char *status)
{
    AUTO_FREE char *body = update_of(number, status);
    broker_broadcast(f->publisher, TOPIC_LIVE, body, strlen(body));
}

static bool has_dropped(struct fixture *f, const char *reason, int count)
{
    AUTO_BUF struct buf text;
    AUTO_FREE char *line = mem_printf("caudal_ws_dropped_total{reason=\"%s\"} %d\n", reason, count);
    buf_init(&text, 0);
    metrics_print(f->metrics, &text);
    return strstr(buf_str(&text), line) != NULL;
}

/* A tick finds who said nothing; the ping before it is answered by one and not by the other. */
static void test_silence(void **state)
{
    (void)state;
    struct fixture f;
    char text[2000];
    fixture_start(&f, (struct ws_options){.ping_ms = 20, .silence_ms = 400});
    int silent = connect_pair(&f, NULL, 0), alive = connect_pair(&f, NULL, 0), pings = 0, opcode;
    for (int i = 0; i < 60; i++) { /* three silences long, if the other were not dropped before */
        assert_int_equal(read_frame(alive, text, sizeof text), 9);
        send_frame(alive, 10, "");
    }
    while ((opcode = read_frame(silent, text, sizeof text)) == 9)
        pings++;
    assert_int_equal(opcode, -1); /* the end, and no Close before it */
    assert_true(pings > 0);
    while (!has_dropped(&f, "silent", 1)) {
        assert_int_equal(read_frame(alive, text, sizeof text), 9);
        send_frame(alive, 10, "");
    }
    close(silent);
    close(alive);
    fixture_stop(&f);
}

/* Who does not read is dropped once its queue is full; who reads gets everything, in order, without the other's
 * waiting. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct fixture f;
    char text[2000];
    int published = 0;
    fixture_start(&f, (struct ws_options){.ping_ms = NEVER_MS, .silence_ms = NEVER_MS});
    int slow = connect_pair(&f, NULL, 0), fast = connect_pair(&f, NULL, 0);
    send_frame(slow, 1, "{\"type\":\"subscribe\",\"channel\":\"executions\"}");
    sync_with(slow);
    send_frame(fast, 1, "{\"type\":\"subscribe\",\"channel\":\"execution\",\"executionId\":\"" ID "\"}");
    sync_with(fast);
    while (!has_dropped(&f, "slow", 1)) {
        assert_true(published < 20000);
        for (int i = 0; i < 50; i++)
            publish(&f, published + i, "running");
        for (int i = 0; i < 50; i++) {
            AUTO_FREE char *wanted = mem_printf("\"progress\":%d,", published + i);
            assert_int_equal(read_frame(fast, text, sizeof text), 1);
            assert_non_null(strstr(text, wanted));
        }
        published += 50;
    }
    assert_true(published >= 256);
    sync_with(fast);
    close(slow);
    close(fast);
    fixture_stop(&f);
}

/* What was written together comes as one message; who follows hears of each. */
static void test_updates_that_come_together(void **state)
{
    (void)state;
    struct fixture f;
    char text[2000];
    fixture_start(&f, (struct ws_options){.ping_ms = NEVER_MS, .silence_ms = NEVER_MS});
    int all = connect_pair(&f, NULL, 0), one = connect_pair(&f, NULL, 0);
    send_frame(all, 1, "{\"type\":\"subscribe\",\"channel\":\"executions\"}");
    sync_with(all);
    send_frame(one, 1, "{\"type\":\"subscribe\",\"channel\":\"execution\",\"executionId\":\"" ID "\"}");
    sync_with(one);
    AUTO_FREE char *first = update_of(1, "running"), *second = update_of(2, "running"),
                   *third = update_of(3, "success");
    AUTO_FREE char *body = mem_printf("%.*s,\"more\":[%s,%s]}", (int)strlen(first) - 1, first, second, third);
    broker_broadcast(f.publisher, TOPIC_LIVE, body, strlen(body));
    for (int number = 1; number <= 3; number++) {
        AUTO_FREE char *wanted = mem_printf("\"progress\":%d,", number);
        assert_int_equal(read_frame(all, text, sizeof text), 1);
        assert_non_null(strstr(text, wanted));
        assert_int_equal(read_frame(one, text, sizeof text), 1);
        assert_non_null(strstr(text, wanted));
    }
    close(all);
    close(one);
    fixture_stop(&f);
}

static void test_fields(void **state)
{
    (void)state;
    struct fixture f;
    char text[2000];
    struct error error;
    AUTO_JSON struct json *update = NULL;
    fixture_start(&f, (struct ws_options){.ping_ms = NEVER_MS, .silence_ms = NEVER_MS});
    int fd = connect_pair(&f, NULL, 0);
    send_frame(fd, 1, "{\"type\":\"subscribe\",\"channel\":\"executions\"}");
    sync_with(fd);
    broker_broadcast(f.publisher, TOPIC_LIVE, "no json", 7); /* logged, and nothing else */
    broker_broadcast(f.publisher, TOPIC_LIVE, "{\"status\":\"running\"}", 20);
    publish(&f, 7, "success");
    assert_int_equal(read_frame(fd, text, sizeof text), 1);
    assert_int_equal(json_parse(text, strlen(text), &update, &error), ERR_OK);
    static const char *const fields[] = {"type",    "executionId", "status", "progress", "recordsProcessed",
                                         "message", "timestamp"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_true(json_has(update, fields[i]));
    assert_int_equal(json_count(update),
                     sizeof fields / sizeof *fields); /* no flowId, result, responded, errorId, errorMessage */
    close(fd);
    fixture_stop(&f);
}

/* Bytes that came with the handshake count, however they are cut. */
static void test_early_bytes(void **state)
{
    (void)state;
    struct fixture f;
    char text[200];
    fixture_start(&f, (struct ws_options){.ping_ms = NEVER_MS, .silence_ms = NEVER_MS});
    const char frame[] = "\x81\x8f\0\0\0\0{\"type\":\"ping\"}";
    for (size_t cut = 0; cut < sizeof frame; cut++) {
        int fd = connect_pair(&f, frame, cut);
        assert_int_equal(write(fd, frame + cut, sizeof frame - 1 - cut), sizeof frame - 1 - cut);
        assert_int_equal(read_frame(fd, text, sizeof text), 1);
        assert_string_equal(text, "{\"type\":\"pong\"}");
        close(fd);
    }
    fixture_stop(&f);
}

static void test_bounds_and_stop(void **state)
{
    (void)state;
    struct fixture f;
    char text[200];
    fixture_start(&f, (struct ws_options){.ping_ms = NEVER_MS, .silence_ms = NEVER_MS, .max_connections = 2});
    int first = connect_pair(&f, NULL, 0), second = connect_pair(&f, NULL, 0), third = connect_pair(&f, NULL, 0);
    assert_int_equal(read_frame(third, text, sizeof text), -1);
    sync_with(first);
    sync_with(second);
    send_frame(first, 8, "\x03\xe8");
    assert_int_equal(read_frame(first, text, sizeof text), 8);
    assert_int_equal(read_frame(first, text, sizeof text), -1); /* so it is gone, and its place free */
    int fourth = connect_pair(&f, NULL, 0);
    sync_with(fourth);
    ws_stop(f.hub);
    assert_int_equal(read_frame(second, text, sizeof text), -1); /* no Close: pages come again */
    assert_int_equal(read_frame(fourth, text, sizeof text), -1);
    int late = connect_pair(&f, NULL, 0);
    assert_int_equal(read_frame(late, text, sizeof text), -1);
    int fds[] = {first, second, third, fourth, late};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
    ws_free(f.hub);
    f.hub = NULL;
    fixture_stop(&f);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_silence),
                                       cmocka_unit_test(test_slow_reader),
                                       cmocka_unit_test(test_updates_that_come_together),
                                       cmocka_unit_test(test_fields),
                                       cmocka_unit_test(test_early_bytes),
                                       cmocka_unit_test(test_bounds_and_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
