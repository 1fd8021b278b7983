/* Programs: posix_spawn, pipes, and a process descriptor that says when it ended. */
#include "nodes/process.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT, OUTPUT, ERRORS, ENDS, DESCRIPTORS };

struct process {
    pid_t pid;
    int fds[DESCRIPTORS]; /* our ends of its pipes, then the process; -1: closed */
    struct loop_watch *watches[DESCRIPTORS];
    struct loop_timer *timer;
    char *input;
    size_t input_len, input_at;
    struct buf output, errors;
    int64_t timeout_ms;
    process_done_fn done;
    void *user;
};

static void close_one(struct process *process, int i)
{
    loop_watch_free(process->watches[i]);
    process->watches[i] = NULL;
    if (process->fds[i] >= 0)
        close(process->fds[i]);
    process->fds[i] = -1;
}

/* The group goes before its leader is reaped: until then nobody else can have its number. */
static int end(struct process *process)
{
    int status = 0;
    (void)kill(-process->pid, SIGKILL);
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void process_free(struct process *process)
{
    for (int i = 0; i < DESCRIPTORS; i++)
        close_one(process, i);
    loop_timer_free(process->timer);
    buf_done(&process->output);
    buf_done(&process->errors);
    free(process->input);
    free(process);
}

void process_kill(struct process *process)
{
    if (process == NULL)
        return;
    (void)end(process);
    process_free(process);
}

static void fail(struct process *process, const struct error *error)
{
    (void)end(process);
    process->done(process->user, NULL, error);
    process_free(process);
}

/* Reads what is there; false: the process is over, and so is `process`. */
static bool drain(struct process *process, int i)
{
    struct buf *into = i == OUTPUT ? &process->output : &process->errors;
    char chunk[16384];
    for (;;) {
        ssize_t n = process->fds[i] < 0 ? 0 : read(process->fds[i], chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            close_one(process, i);
            return true;
        }
        buf_add(into, chunk, (size_t)n);
        if (!into->overflow)
            continue;
        struct error error = {0};
        (void)error_set(&error, ERR_LIMIT, NULL, "The program wrote more than %zu bytes to its standard %s.", into->max,
                        i == OUTPUT ? "output" : "error");
        fail(process, &error);
        return false;
    }
}

static void on_output(void *user, int fd, int events)
{
    struct process *process = user;
    (void)events;
    (void)drain(process, fd == process->fds[OUTPUT] ? OUTPUT : ERRORS);
}

/* A program may end without reading all: that is no failure. */
static void on_input(void *user, int fd, int events)
{
    struct process *process = user;
    (void)events;
    while (process->input_at < process->input_len) {
        ssize_t n = write(fd, process->input + process->input_at, process->input_len - process->input_at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        process->input_at += (size_t)n;
    }
    close_one(process, INPUT);
}

static void on_end(void *user, int fd, int events)
{
    struct process *process = user;
    (void)fd;
    (void)events;
    int status = end(process);
    process->pid = 0;
    struct error error = {0};
    struct buf *const outputs[] = {&process->output, &process->errors};
    for (int i = OUTPUT; i <= ERRORS; i++) {
        char chunk[16384];
        ssize_t n = 0;
        while (process->fds[i] >= 0 && !outputs[i - OUTPUT]->overflow &&
               (n = read(process->fds[i], chunk, sizeof chunk)) > 0)
            buf_add(outputs[i - OUTPUT], chunk, (size_t)n);
        if (outputs[i - OUTPUT]->overflow)
            (void)error_set(&error, ERR_LIMIT, NULL, "The program wrote more than %zu bytes to its standard %s.",
                            outputs[i - OUTPUT]->max, i == OUTPUT ? "output" : "error");
    }
    struct process_result result = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                    .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                    .output = buf_str(&process->output),
                                    .errors = buf_str(&process->errors),
                                    .output_len = process->output.len,
                                    .errors_len = process->errors.len};
    bool is_fine = error.code == ERR_OK;
    process->done(process->user, is_fine ? &result : NULL, is_fine ? NULL : &error);
    process_free(process);
}

static void on_timeout(void *user)
{
    struct process *process = user;
    struct error error = {0};
    (void)error_set(&error, ERR_DEADLINE, NULL, "The program did not end within %lld ms and was killed.",
                    (long long)process->timeout_ms);
    fail(process, &error);
}

/* ---- the start */

static enum err make_pipes(struct process *process, int theirs[3], struct error *reterr)
{
    for (int i = INPUT; i <= ERRORS; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return error_set(reterr, ERR_IO, NULL, "No pipe could be made for the program: %s.", strerror(errno));
        theirs[i] = ends[i == INPUT ? 0 : 1];
        process->fds[i] = ends[i == INPUT ? 1 : 0];
        (void)fcntl(process->fds[i], F_SETFL, O_NONBLOCK);
    }
    return ERR_OK;
}

/* 0, or the error's number. In a group of its own, with the signals as a shell would leave them and no descriptor but
 * its three. */
static int spawn(struct process *process, const struct process_options *options, const int theirs[3])
{
    static const int defaults[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, reset;
    sigemptyset(&none);
    sigemptyset(&reset);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        sigaddset(&reset, defaults[i]);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawn_file_actions_addchdir_np(&actions, options->folder);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &reset);
    int failure =
        posix_spawnp(&process->pid, options->arguments[0], &actions, &attributes,
                     (char *const *)(uintptr_t)options->arguments, (char *const *)(uintptr_t)options->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static void watch(struct process *process, struct loop *loop, const struct process_options *options)
{
    process->timer = loop_timer_new(loop, on_timeout, process);
    loop_timer_set(process->timer, process->timeout_ms);
    process->watches[OUTPUT] = loop_watch_new(loop, process->fds[OUTPUT], 1, on_output, process);
    process->watches[ERRORS] = loop_watch_new(loop, process->fds[ERRORS], 1, on_output, process);
    process->watches[ENDS] = loop_watch_new(loop, process->fds[ENDS], 1, on_end, process);
    if (options->input == NULL || options->input_len == 0) {
        close_one(process, INPUT);
        return;
    }
    process->input = mem_dup_n(options->input, options->input_len);
    process->input_len = options->input_len;
    process->watches[INPUT] = loop_watch_new(loop, process->fds[INPUT], 2, on_input, process);
}

enum err process_start(struct loop *loop, const struct process_options *options, process_done_fn done, void *user,
                       struct process **ret, struct error *reterr)
{
    struct process *process = mem_alloc(sizeof *process);
    *process = (struct process){.fds = {-1, -1, -1, -1}, .timeout_ms = options->timeout_ms, .done = done, .user = user};
    buf_init(&process->output, options->max_bytes);
    buf_init(&process->errors, options->max_bytes);
    int theirs[3] = {-1, -1, -1}, failure = 0;
    enum err code = make_pipes(process, theirs, reterr);
    if (code == ERR_OK)
        failure = spawn(process, options, theirs);
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    if (code == ERR_OK && failure != 0)
        code = error_set(reterr, failure == EAGAIN || failure == ENOMEM ? ERR_NODE_RETRY : ERR_NODE, "command[0]",
                         "%.200s could not be started: %s.", options->arguments[0], strerror(failure));
    if (code == ERR_OK && (process->fds[ENDS] = pidfd_open(process->pid, 0)) < 0) {
        code = error_set(reterr, ERR_IO, NULL, "The program cannot be watched: %s.", strerror(errno));
        (void)end(process);
    }
    if (code != ERR_OK) {
        process_free(process);
        return code;
    }
    watch(process, loop, options);
    *ret = process;
    return ERR_OK;
}
