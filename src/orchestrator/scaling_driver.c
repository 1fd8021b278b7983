/* The drivers by name, and the one that does nothing. */
#include "orchestrator/scaling_driver.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static const struct scaling_driver_ops *const drivers[] = {&scaling_none, &scaling_process, &scaling_docker,
                                                           &scaling_kubernetes, &scaling_command};

enum err scaling_driver_open(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                             struct error *reterr)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strcmp(drivers[i]->name, options->driver) == 0)
            return drivers[i]->open(options, loop, ret, reterr);
    return error_set(reterr, ERR_VALIDATION, "AUTO_SCALING_DRIVER", "There is no driver \"%.40s\".", options->driver);
}

void scaling_driver_close(struct scaling_driver *driver)
{
    if (driver != NULL)
        driver->ops->close(driver);
}

/* ---- none: what would be right is told, in the settings and metrics, and somebody else does it */

struct telling {
    struct scaling_driver base;
    struct loop *loop;
    scaling_done_fn done;
    void *user;
};

static enum err open_telling(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                             struct error *reterr)
{
    (void)options;
    (void)reterr;
    struct telling *telling = mem_alloc(sizeof *telling);
    *telling = (struct telling){.base = {&scaling_none}, .loop = loop};
    *ret = &telling->base;
    return ERR_OK;
}

static void on_told(void *user)
{
    const struct telling *telling = user;
    telling->done(telling->user, NULL);
}

static void apply_telling(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done,
                          void *user)
{
    (void)order;
    struct telling *telling = (struct telling *)driver;
    telling->done = done;
    telling->user = user;
    loop_post(telling->loop, on_told, telling);
}

static void close_telling(struct scaling_driver *driver)
{
    struct telling *telling = (struct telling *)driver;
    loop_unpost(telling->loop, on_told, telling);
    free(telling);
}

const struct scaling_driver_ops scaling_none = {
    .name = "none", .by_number = true, .open = open_telling, .apply = apply_telling, .close = close_telling};
