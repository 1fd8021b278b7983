/* Workers as processes of this machine: the same program, with this one's environment but for what each has of its own.
 * They outlive whoever started them; another orchestrator drains them as well. */
#include "orchestrator/scaling_driver.h"

#include "base/mem.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAP_MS 500

extern char **environ;

struct starting {
    struct scaling_driver base;
    struct loop *loop;
    char program[4096];
    struct loop_timer *reaper;
    pid_t *children;
    size_t child_count;
    scaling_done_fn done;
    void *user;
    struct error error; /* of the last order */
};

static enum err open_starting(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                              struct error *reterr);

static void on_reap(void *user)
{
    struct starting *starting = user;
    for (size_t i = 0; i < starting->child_count;) {
        pid_t ended = waitpid(starting->children[i], NULL, WNOHANG);
        if (ended == 0 || (ended < 0 && errno == EINTR))
            i++;
        else
            starting->children[i] = starting->children[--starting->child_count];
    }
    if (starting->child_count > 0)
        loop_timer_set(starting->reaper, REAP_MS);
}

/* What belongs to this process alone. */
static bool is_own(const char *variable)
{
    static const char *const own[] = {
        "PORT=", "METRICS_PORT=", "HEALTH_CHECK_PORT=", "INSTANCE_ID=", "WORKER_ID=", "RABBITMQ_PREFETCH="};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strncmp(variable, own[i], strlen(own[i])) == 0)
            return true;
    return false;
}

/* Ends with NULL; the first three are to be freed, as is the array. */
static char **environment_of(const char *worker_id)
{
    size_t count = 0, at = 3;
    while (environ[count] != NULL)
        count++;
    char **list = mem_array(count + 4, sizeof *list);
    list[0] = mem_printf("WORKER_ID=%s", worker_id);
    list[1] = mem_dup("PORT=0");
    list[2] = mem_dup("METRICS_PORT=0");
    for (size_t i = 0; i < count; i++)
        if (!is_own(environ[i]))
            list[at++] = environ[i];
    list[at] = NULL;
    return list;
}

/* In a session of its own, so that what ends this process from a terminal does not end it, and with none of its files.
 */
static int spawn(const struct starting *starting, const char *worker_id, pid_t *ret)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t none, all;
    char *arguments[] = {(char *)starting->program, "worker", NULL};
    char **environment = environment_of(worker_id);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", 0, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int failed = posix_spawn(ret, starting->program, &files, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    for (int i = 0; i < 3; i++)
        free(environment[i]);
    free(environment);
    return failed;
}

static void on_started(void *user)
{
    struct starting *starting = user;
    starting->done(starting->user, starting->error.code == ERR_OK ? NULL : &starting->error);
}

static void apply_starting(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done,
                           void *user)
{
    struct starting *starting = (struct starting *)driver;
    starting->done = done;
    starting->user = user;
    starting->error = (struct error){0};
    for (size_t i = 0; i < order->start_count && starting->error.code == ERR_OK; i++) {
        pid_t pid;
        int failed = spawn(starting, order->start[i], &pid);
        if (failed != 0) {
            starting->error.code = error_set(&starting->error, ERR_IO, NULL, "%.200s cannot be started: %s.",
                                             starting->program, strerror(failed));
            break;
        }
        starting->children = mem_resize(starting->children, (starting->child_count + 1) * sizeof *starting->children);
        starting->children[starting->child_count++] = pid;
    }
    loop_timer_set(starting->reaper, REAP_MS);
    loop_post(starting->loop, on_started, starting);
}

static void close_starting(struct scaling_driver *driver)
{
    struct starting *starting = (struct starting *)driver;
    loop_unpost(starting->loop, on_started, starting);
    loop_timer_free(starting->reaper);
    free(starting->children);
    free(starting);
}

const struct scaling_driver_ops scaling_process = {
    .name = "process", .by_number = false, .open = open_starting, .apply = apply_starting, .close = close_starting};

static enum err open_starting(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                              struct error *reterr)
{
    (void)options;
    struct starting *starting = mem_alloc(sizeof *starting);
    *starting = (struct starting){.base = {&scaling_process}, .loop = loop};
    ssize_t length = readlink("/proc/self/exe", starting->program, sizeof starting->program - 1);
    if (length <= 0) {
        free(starting);
        return error_set(reterr, ERR_IO, "AUTO_SCALING_DRIVER", "/proc/self/exe does not tell where this program is.");
    }
    starting->program[length] = '\0';
    starting->reaper = loop_timer_new(loop, on_reap, starting);
    *ret = &starting->base;
    return ERR_OK;
}
