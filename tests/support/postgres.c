/* A real PostgreSQL 15 for tests. */
#include "support/postgres.h"

#include "base/clock.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"

struct test_postgres {
    char folder[64];
    char url[128];
    int port;
    pid_t pid;
};

static void run(const char *command)
{
    if (system(command) != 0) /* the shell's output is in the test's log */
        fail_msg("failed: %s", command);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* postgres refuses to run as root. PDEATHSIG is set after the change of user, which clears it. */
static void start_server(struct test_postgres *server)
{
    pid_t parent = getpid();
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid > 0)
        return;
    char port[16], log[96], data[96];
    (void)snprintf(port, sizeof port, "%d", server->port);
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    (void)snprintf(log, sizeof log, "%s/log", server->folder);
    struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && (user == NULL || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(1);
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(1);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    (void)chdir("/");
    execl(BIN "postgres", "postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
          "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=50", "-c", "autovacuum=off",
          /* statistics are what a test makes them */ (char *)NULL);
    _exit(1);
}

static void wait_until_up(struct test_postgres *server)
{
    for (int64_t end_us = clock_monotonic_us() + 60000000;;) { /* until it answers */
        PGPing ping = PQping(server->url);
        if (ping == PQPING_OK)
            return;
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid || clock_monotonic_us() > end_us)
            fail_msg("PostgreSQL did not start; see %s/log", server->folder);
        (void)poll(NULL, 0, 20);
    }
}

/* A server's folder, the prefix of commands that fill it, its port. */
static struct test_postgres *make_folder(const char **ret_as_user)
{
    struct test_postgres *server = mem_alloc(sizeof *server);
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/caudal-pg-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    *ret_as_user = "";
    if (geteuid() == 0) {
        struct passwd *user = getpwnam("postgres");
        assert_non_null(user);
        assert_int_equal(chown(server->folder, user->pw_uid, user->pw_gid), 0);
        *ret_as_user = "runuser -u postgres -- ";
    }
    server->port = free_port();
    (void)snprintf(server->url, sizeof server->url, "postgresql://caudal@127.0.0.1:%d/postgres", server->port);
    return server;
}

struct test_postgres *test_postgres_start(void)
{
    const char *as_user;
    struct test_postgres *server = make_folder(&as_user);
    AUTO_FREE char *init = mem_printf(
        "cd / && %s" BIN "initdb -D %s/data -U caudal -A trust -E UTF8 --no-sync --locale=C >%s/../%s.log 2>&1",
        as_user, server->folder, server->folder, server->folder + 5);
    run(init);
    start_server(server);
    wait_until_up(server);
    return server;
}

struct test_postgres *test_postgres_replica(const struct test_postgres *primary)
{
    const char *as_user;
    struct test_postgres *server = make_folder(&as_user);
    AUTO_FREE char *copy =
        mem_printf("cd / && %s" BIN "pg_basebackup -R -D %s/data -h 127.0.0.1 -p %d -U caudal -c fast"
                   " --no-sync >%s.log 2>&1",
                   as_user, server->folder, primary->port, server->folder);
    run(copy);
    start_server(server);
    wait_until_up(server);
    return server;
}

void test_postgres_crash(struct test_postgres *server)
{
    (void)kill(server->pid, SIGQUIT);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    start_server(server);
    wait_until_up(server);
}

const char *test_postgres_url(const struct test_postgres *server)
{
    return server->url;
}

int test_postgres_port(const struct test_postgres *server)
{
    return server->port;
}

void test_postgres_stop(struct test_postgres *server)
{
    if (server == NULL)
        return;
    (void)kill(server->pid, SIGINT); /* fast shutdown */
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    AUTO_FREE char *clean = mem_printf("rm -rf %s %s.log", server->folder, server->folder);
    run(clean);
    free(server);
}
