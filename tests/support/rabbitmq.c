/* Real RabbitMQ servers for tests. */
#include "support/rabbitmq.h"

#include "base/clock.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIN "/usr/lib/rabbitmq/bin/"
#define NODES_MAX 3
#define ANSWER_BYTES 16384
#define START_WITHIN_US INT64_C(180000000)

struct test_rabbitmq {
    char folder[64], url[256];
    int epmd_port;
    pid_t epmd;
    unsigned count;
    struct {
        int port, distribution_port;
        pid_t pid;
    } nodes[NODES_MAX];
};

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return good;
}

static void set_number(const char *name, int value)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", value);
    (void)setenv(name, text, 1);
}

static void set_text(const char *name, const char *format, const char *folder, int number)
{
    char text[256];
    (void)snprintf(text, sizeof text, format, folder, number);
    (void)setenv(name, text, 1);
}

/* In a child. */
static void set_environment(const struct test_rabbitmq *server, unsigned node)
{
    const char *folder = server->folder;
    set_text("HOME", "%s", folder, 0);
    set_text("RABBITMQ_NODENAME", "%.0snode%d@localhost", folder, (int)node);
    set_text("RABBITMQ_MNESIA_BASE", "%s/mnesia%d", folder, (int)node);
    set_text("RABBITMQ_LOG_BASE", "%s/log%d", folder, (int)node);
    set_text("RABBITMQ_CONFIG_FILE", "%s/rabbitmq.conf", folder, 0);
    set_text("RABBITMQ_CONF_ENV_FILE", "%s/no-env", folder, 0);
    set_text("RABBITMQ_ENABLED_PLUGINS_FILE", "%s/plugins", folder, 0);
    (void)setenv("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1", 1);
    (void)setenv("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none +sbwtdcpu none", 1);
    (void)setenv("ERL_EPMD_ADDRESS", "127.0.0.1", 1);
    set_number("ERL_EPMD_PORT", server->epmd_port);
    set_number("RABBITMQ_NODE_PORT", server->nodes[node].port);
    set_number("RABBITMQ_DIST_PORT", server->nodes[node].distribution_port);
}

static void send_output_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
}

static pid_t start_epmd(const struct test_rabbitmq *server)
{
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    char port[16];
    (void)snprintf(port, sizeof port, "%d", server->epmd_port);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execlp("epmd", "epmd", "-port", port, "-address", "127.0.0.1", (char *)NULL);
    _exit(1);
}

static void start_node(struct test_rabbitmq *server, unsigned node)
{
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    server->nodes[node].pid = pid;
    if (pid > 0)
        return;
    char log[128];
    (void)snprintf(log, sizeof log, "%s/out%u", server->folder, node);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* the script then ends the server */
    if (getppid() != parent)
        _exit(1);
    set_environment(server, node);
    send_output_to(log);
    execl(BIN "rabbitmq-server", "rabbitmq-server", (char *)NULL);
    _exit(1);
}

void test_rabbitmq_ctl(const struct test_rabbitmq *server, unsigned node, const char *arguments)
{
    free(test_rabbitmq_ask(server, node, arguments));
}

char *test_rabbitmq_ask(const struct test_rabbitmq *server, unsigned node, const char *arguments)
{
    char log[128];
    (void)snprintf(log, sizeof log, "%s/ctl", server->folder);
    (void)unlink(log);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        set_environment(server, node);
        send_output_to(log);
        AUTO_FREE char *command = mem_printf(BIN "rabbitmqctl -n node%u@localhost %s", node, arguments);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(1);
    }
    int status = -1;
    (void)waitpid(pid, &status, 0);
    if (status != 0)
        fail_msg("rabbitmqctl %s: status %d, see %s/ctl", arguments, status, server->folder);
    FILE *file = fopen(log, "re");
    assert_non_null(file);
    char *text = mem_alloc(ANSWER_BYTES + 1);
    text[fread(text, 1, ANSWER_BYTES, file)] = '\0';
    (void)fclose(file);
    return text;
}

static void await_node(struct test_rabbitmq *server, unsigned node)
{
    AUTO_FREE char *ready = mem_printf("grep -q 'completed with' %s/out%u", server->folder, node);
    for (int64_t end_us = clock_monotonic_us() + START_WITHIN_US;
         system(ready) != 0 || !answers(server->nodes[node].port);) {
        int status;
        if (waitpid(server->nodes[node].pid, &status, WNOHANG) != 0 || clock_monotonic_us() > end_us)
            fail_msg("RabbitMQ did not start; see %s/out%u", server->folder, node);
        (void)poll(NULL, 0, 200);
    }
}

static void write_file(const struct test_rabbitmq *server, const char *name, const char *text, mode_t mode)
{
    AUTO_FREE char *path = mem_printf("%s/%s", server->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

struct test_rabbitmq *test_rabbitmq_start(unsigned nodes)
{
    struct test_rabbitmq *server = mem_alloc(sizeof *server);
    assert_in_range(nodes, 1, NODES_MAX);
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/caudal-mq-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    server->count = nodes;
    server->epmd_port = free_port();
    write_file(server, ".erlang.cookie", "CAUDALTEST", 0400);
    write_file(server, "plugins", "[].\n", 0600);
    /* The first node is there before the others look for it. */
    write_file(server, "rabbitmq.conf",
               "cluster_formation.peer_discovery_backend = classic_config\n"
               "cluster_formation.classic_config.nodes.1 = node0@localhost\n"
               "cluster_formation.randomized_startup_delay_range.min = 0\n"
               "cluster_formation.randomized_startup_delay_range.max = 1\n"
               "disk_free_limit.absolute = 1MB\n",
               0600);
    server->epmd = start_epmd(server);
    for (unsigned i = 0; i < nodes; i++) {
        server->nodes[i].port = free_port();
        server->nodes[i].distribution_port = free_port();
        size_t len = strlen(server->url);
        (void)snprintf(server->url + len, sizeof server->url - len, "%samqp://guest:guest@127.0.0.1:%d/",
                       i == 0 ? "" : ",", server->nodes[i].port);
        start_node(server, i);
        await_node(server, i);
    }
    if (nodes > 1)
        test_rabbitmq_ctl(server, 0, nodes == 2 ? "await_online_nodes 2" : "await_online_nodes 3");
    return server;
}

const char *test_rabbitmq_url(const struct test_rabbitmq *server)
{
    return server->url;
}

char *test_rabbitmq_url_from(const struct test_rabbitmq *server, unsigned first)
{
    char *url = mem_dup("");
    for (unsigned i = 0; i < server->count; i++) {
        char *longer = mem_printf("%s%samqp://guest:guest@127.0.0.1:%d/", url, i == 0 ? "" : ",",
                                  server->nodes[(first + i) % server->count].port);
        free(url);
        url = longer;
    }
    return url;
}

int test_rabbitmq_port(const struct test_rabbitmq *server, unsigned node)
{
    return server->nodes[node].port;
}

void test_rabbitmq_kill(struct test_rabbitmq *server, unsigned node)
{
    pid_t pid = server->nodes[node].pid;
    (void)kill(-pid, SIGKILL); /* the script, and the server it started: a group of their own */
    (void)waitpid(pid, NULL, 0);
    server->nodes[node].pid = 0;
}

void test_rabbitmq_restart(struct test_rabbitmq *server, unsigned node)
{
    AUTO_FREE char *log = mem_printf("%s/out%u", server->folder, node);
    (void)unlink(log);
    start_node(server, node);
    await_node(server, node);
}

void test_rabbitmq_stop(struct test_rabbitmq *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->count; i++)
        if (server->nodes[i].pid > 0)
            test_rabbitmq_kill(server, i);
    (void)kill(server->epmd, SIGKILL);
    (void)waitpid(server->epmd, NULL, 0);
    AUTO_FREE char *command = mem_printf("rm -rf %s", server->folder);
    if (system(command) != 0)
        (void)fprintf(stderr, "%s stays behind\n", server->folder);
    free(server);
}
