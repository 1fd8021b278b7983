/* Processes of runners. */
#include "script/runner_spawn.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK "CAUDAL_SCRIPT_RUNNER"

/* Nothing of this process's environment (it holds passwords). The gigacage's huge reservations would hide from
 * RLIMIT_AS what is really used. */
static char *const environment[] = {MARK "=1",
                                    "TZ=UTC",
                                    "LANG=C.UTF-8",
                                    "GIGACAGE_ENABLED=0",
                                    "JSC_useWebAssembly=0",
                                    "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_"
                                    "abort=0:use_sigaltstack=0:allocator_may_return_null=1",
                                    NULL};

static int spawn(const char *program, char *const arguments[], int socket, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    /* In a group of its own: Ctrl-C on a terminal is for the service, which drains. */
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_adddup2(&actions, socket, 0);
    int bad = posix_spawn(ret, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return bad;
}

enum err spawned_start(const char *program, size_t memory_mb, struct spawned *ret, struct error *reterr)
{
    int ends[2];
    if (getenv(MARK) !=
        NULL) /* a program that does not know the command and ran as itself would start itself for ever */
        return error_set(reterr, ERR_INTERNAL, NULL, "A JavaScript runner starts no runners.");
    char memory[24], name[] = "caudal", command[] = "script-runner";
    char *const arguments[] = {name, command, memory, NULL};
    (void)snprintf(memory, sizeof memory, "%zu", memory_mb);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_set(reterr, ERR_IO, NULL, "A socket for a JavaScript runner cannot be made: %m.");
    int bad = spawn(program == NULL ? "/proc/self/exe" : program, arguments, ends[1], &ret->pid);
    (void)close(ends[1]);
    if (bad != 0) {
        (void)close(ends[0]);
        return error_set(reterr, ERR_IO, NULL, "A JavaScript runner cannot be started: %s.", strerror(bad));
    }
    ret->socket = ends[0];
    ret->pid_fd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
    (void)fcntl(ret->socket, F_SETFL, O_NONBLOCK);
    if (ret->pid_fd >= 0)
        return ERR_OK;
    enum err code = error_set(reterr, ERR_IO, NULL, "A JavaScript runner cannot be watched: %m.");
    spawned_kill(ret);
    (void)spawned_reap(ret);
    return code;
}

void spawned_kill(const struct spawned *process)
{
    (void)kill(process->pid, SIGKILL); /* its pid is ours until it is reaped */
}

int spawned_reap(struct spawned *process)
{
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (process->pid_fd >= 0)
        (void)close(process->pid_fd);
    (void)close(process->socket);
    *process = (struct spawned){.pid = -1, .pid_fd = -1, .socket = -1};
    return status;
}

int64_t spawned_cpu_us(const struct spawned *process)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(process->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return -1;
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

size_t spawned_resident_bytes(const struct spawned *process)
{
    char path[40], text[128];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)process->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *rest;
    (void)strtoul(text, &rest, 10);
    return strtoul(rest, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}
