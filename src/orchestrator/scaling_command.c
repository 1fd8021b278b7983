/* Whatever else starts and stops workers: a program that gets the number as its last argument. */
#include "orchestrator/scaling_driver.h"

#include "base/mem.h"
#include "nodes/process.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES 65536
#define WITHIN_MS 60000

extern char **environ;

struct running {
    struct scaling_driver base;
    struct loop *loop;
    const struct scaling_options *options;
    struct process *process;
    scaling_done_fn done;
    void *user;
    struct error error; /* it could not even be started */
};

static void on_ended(void *user, const struct process_result *result, const struct error *error)
{
    struct running *running = user;
    struct error failed = {0};
    running->process = NULL;
    if (error == NULL && result->exit_code != 0) {
        const char *said = result->errors_len > 0 ? result->errors : result->output;
        (void)error_set(&failed, ERR_IO, NULL, "%.100s ended with exit code %d: %.200s", running->options->command[0],
                        result->exit_code, said);
        error = &failed;
    }
    running->done(running->user, error);
}

static void on_refused(void *user)
{
    const struct running *running = user;
    running->done(running->user, &running->error);
}

static void apply_running(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done,
                          void *user)
{
    struct running *running = (struct running *)driver;
    const char *const *command = running->options->command;
    size_t count = 0;
    running->done = done;
    running->user = user;
    while (command[count] != NULL)
        count++;
    const char **arguments = mem_array(count + 2, sizeof *arguments);
    char number[16];
    (void)snprintf(number, sizeof number, "%u", order->target);
    memcpy(arguments, command, count * sizeof *arguments);
    arguments[count] = number;
    arguments[count + 1] = NULL;
    struct process_options options = {.arguments = arguments,
                                      .environment = (const char *const *)environ,
                                      .folder = "/",
                                      .max_bytes = MOST_BYTES,
                                      .timeout_ms = WITHIN_MS};
    if (process_start(running->loop, &options, on_ended, running, &running->process, &running->error) != ERR_OK)
        loop_post(running->loop, on_refused, running);
    free(arguments);
}

static void close_running(struct scaling_driver *driver)
{
    struct running *running = (struct running *)driver;
    process_kill(running->process);
    loop_unpost(running->loop, on_refused, running);
    free(running);
}

static enum err open_running(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                             struct error *reterr)
{
    if (options->command == NULL || options->command[0] == NULL)
        return error_set(reterr, ERR_VALIDATION, "AUTO_SCALING_COMMAND",
                         "AUTO_SCALING_DRIVER=command needs AUTO_SCALING_COMMAND: the program and its arguments, "
                         "separated by commas.");
    struct running *running = mem_alloc(sizeof *running);
    *running = (struct running){.base = {&scaling_command}, .loop = loop, .options = options};
    *ret = &running->base;
    return ERR_OK;
}

const struct scaling_driver_ops scaling_command = {
    .name = "command", .by_number = true, .open = open_running, .apply = apply_running, .close = close_running};
