/* Real Redis servers for tests. */
#include "support/redis.h"

#include "base/clock.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODES_MAX 3
#define START_WITHIN_US INT64_C(60000000)

struct test_redis {
    char folder[64], url[256];
    unsigned count;
    struct {
        int port;
        pid_t pid;
    } nodes[NODES_MAX];
};

/* The port of the cluster's bus is 10000 above. */
static int free_port(void)
{
    for (;;) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
        close(fd);
        if (ntohs(address.sin_port) < 55000)
            return ntohs(address.sin_port);
    }
}

static redisReply *command(const struct test_redis *server, unsigned node, const char *text)
{
    redisContext *context = redisConnect("127.0.0.1", server->nodes[node].port);
    redisReply *reply = context == NULL || context->err != 0 ? NULL : redisCommand(context, text);
    if (context != NULL)
        redisFree(context);
    return reply;
}

static bool answers(const struct test_redis *server, unsigned node, const char *text, const char *expected)
{
    redisReply *reply = command(server, node, text);
    bool good =
        reply != NULL && reply->type != REDIS_REPLY_ERROR && reply->str != NULL && strstr(reply->str, expected) != NULL;
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static void await(const struct test_redis *server, unsigned node, const char *text, const char *expected)
{
    for (int64_t end_us = clock_monotonic_us() + START_WITHIN_US; !answers(server, node, text, expected);) {
        if (clock_monotonic_us() > end_us)
            fail_msg("Redis does not answer %s to %s; see %s", expected, text, server->folder);
        (void)poll(NULL, 0, 20);
    }
}

static void start_node(struct test_redis *server, unsigned node)
{
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    server->nodes[node].pid = pid;
    if (pid > 0)
        return;
    char port[16], log[96], nodes[96];
    (void)snprintf(port, sizeof port, "%d", server->nodes[node].port);
    (void)snprintf(log, sizeof log, "%s/log%u", server->folder, node);
    (void)snprintf(nodes, sizeof nodes, "nodes%u.conf", node);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
           "--dir", server->folder, "--logfile", log, "--cluster-enabled", server->count > 1 ? "yes" : "no",
           "--cluster-config-file", nodes, (char *)NULL);
    _exit(1);
}

static void order(const struct test_redis *server, unsigned node, const char *text)
{
    redisReply *reply = command(server, node, text);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", text, reply == NULL ? "no answer" : reply->str);
    freeReplyObject(reply);
}

static void form_cluster(const struct test_redis *server)
{
    char text[128];
    for (unsigned i = 0; i < server->count; i++) {
        (void)snprintf(text, sizeof text, "CLUSTER ADDSLOTSRANGE %u %u", 16384 * i / server->count,
                       16384 * (i + 1) / server->count - 1);
        order(server, i, text);
        (void)snprintf(text, sizeof text, "CLUSTER SET-CONFIG-EPOCH %u", i + 1);
        order(server, i, text);
    }
    for (unsigned i = 1; i < server->count; i++) {
        (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", server->nodes[i].port);
        order(server, 0, text);
    }
    (void)snprintf(text, sizeof text, "cluster_known_nodes:%u", server->count);
    for (unsigned i = 0; i < server->count; i++) {
        await(server, i, "CLUSTER INFO", text);
        await(server, i, "CLUSTER INFO", "cluster_state:ok");
    }
}

struct test_redis *test_redis_start(unsigned nodes)
{
    struct test_redis *server = mem_alloc(sizeof *server);
    assert_in_range(nodes, 1, NODES_MAX);
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/caudal-redis-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    server->count = nodes;
    for (unsigned i = 0; i < nodes; i++) {
        server->nodes[i].port = free_port();
        size_t len = strlen(server->url);
        (void)snprintf(server->url + len, sizeof server->url - len, "%sredis://127.0.0.1:%d?timeout=30000",
                       i == 0 ? "" : ",", server->nodes[i].port);
        start_node(server, i);
        await(server, i, "PING", "PONG");
    }
    if (nodes > 1)
        form_cluster(server);
    return server;
}

const char *test_redis_url(const struct test_redis *server)
{
    return server->url;
}

int test_redis_port(const struct test_redis *server, unsigned node)
{
    return server->nodes[node].port;
}

void test_redis_kill(struct test_redis *server, unsigned node)
{
    (void)kill(server->nodes[node].pid, SIGKILL);
    (void)waitpid(server->nodes[node].pid, NULL, 0);
    server->nodes[node].pid = 0;
}

void test_redis_restart(struct test_redis *server, unsigned node)
{
    start_node(server, node);
    await(server, node, "PING", "PONG");
}

/* redis-cli's own resharding: slot by slot, by way of MIGRATING and IMPORTING. */
void test_redis_move_all(struct test_redis *server, unsigned from, unsigned to)
{
    redisReply *ids[2] = {command(server, from, "CLUSTER MYID"), command(server, to, "CLUSTER MYID")};
    assert_true(ids[0] != NULL && ids[1] != NULL);
    AUTO_FREE char *text =
        mem_printf("redis-cli --cluster reshard 127.0.0.1:%d --cluster-from %s --cluster-to %s "
                   "--cluster-slots %u --cluster-yes >%s/reshard 2>&1",
                   server->nodes[to].port, ids[0]->str, ids[1]->str, 16384 / server->count, server->folder);
    freeReplyObject(ids[0]);
    freeReplyObject(ids[1]);
    if (system(text) != 0)
        fail_msg("the slots do not move; see %s/reshard", server->folder);
}

void test_redis_stop(struct test_redis *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->count; i++)
        if (server->nodes[i].pid > 0)
            test_redis_kill(server, i);
    AUTO_FREE char *text = mem_printf("rm -rf %s", server->folder);
    if (system(text) != 0)
        (void)fprintf(stderr, "%s stays behind\n", server->folder);
    free(server);
}
