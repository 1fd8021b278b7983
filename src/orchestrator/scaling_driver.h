/* How workers are started and taken away. A back end is one of these tables; all calls on the orchestrator's loop. */
#pragma once
#include "base/error.h"
#include "base/loop.h"

/* Borrowed for the orchestrator's life. */
struct scaling_options {
    bool enabled; /* until the settings say otherwise, as do the next two */
    unsigned min, max;
    int64_t high_mark, low_mark, cooldown_ms;
    const char *driver;                              /* none, process, docker, kubernetes, command */
    const char *const *command;                      /* command: the program and its arguments, NULL-terminated */
    const char *docker_socket;                       /* docker: path */
    const char *docker_template;                     /* docker: name of the container that new ones are made like */
    const char *kubernetes_url, *kubernetes_account; /* the API server; folder of token, ca.crt and namespace */
    const char *kubernetes_deployment;
};

struct scaling_order {
    unsigned target, present; /* workers that there shall be, and are */
    const char *const *start; /* names of workers to be started now; of those to be taken away none is told: */
    size_t start_count;       /* they are asked to drain, and end by themselves */
};

struct scaling_driver;
/* error NULL: done. Called once for each order, never from inside `apply`. */
typedef void (*scaling_done_fn)(void *user, const struct error *error);

struct scaling_driver_ops {
    const char *name;
    bool by_number; /* it is told the target only, and chooses itself which workers go */
    enum err (*open)(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                     struct error *reterr);
    /* One order at a time. */
    void (*apply)(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done, void *user);
    void (*close)(struct scaling_driver *driver); /* no done follows; workers that it started go on */
};

struct scaling_driver {
    const struct scaling_driver_ops *ops;
};

extern const struct scaling_driver_ops scaling_none, scaling_process, scaling_docker, scaling_kubernetes,
    scaling_command;

/* By options->driver; VALIDATION when there is none of that name or something it needs is missing. */
enum err scaling_driver_open(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                             struct error *reterr) ERROR_MUST_CHECK;
void scaling_driver_close(struct scaling_driver *driver); /* NULL ok */
