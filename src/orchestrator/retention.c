/* Deletes finished executions that are old or too many, little by little. */
#include "orchestrator/orchestrator_int.h"

#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>

#define LOOK_MS 60000 /* between two looks when nothing is left to delete */
#define AGAIN_MS 50   /* between two portions: other writes come in between */
#define PORTION 500

struct retention {
    struct orchestrator *orchestrator;
    struct loop_timer *timer;
    struct store_retention rule;
    int64_t deleted;
    bool busy;
    enum err code;
    struct error error;
};

/* On the store's writer thread. */
static enum err write_portion(struct store_session *session, void *arg, struct error *reterr)
{
    struct retention *retention = arg;
    return store_retention_apply(session, &retention->rule, PORTION, &retention->deleted, reterr);
}

static void on_written(void *user)
{
    struct retention *retention = user;
    retention->busy = false;
    if (retention->code != ERR_OK)
        log_event(LOG_WARN, "old executions cannot be deleted now", LOG_CAUSE(&retention->error), LOG_END);
    loop_timer_set(retention->timer, retention->code == ERR_OK && retention->deleted >= PORTION ? AGAIN_MS : LOOK_MS);
}

static void on_committed(void *user, enum err code, const struct error *error)
{
    struct retention *retention = user;
    retention->code = code;
    if (error != NULL)
        retention->error = *error;
    loop_post(retention->orchestrator->options.loop, on_written, retention);
}

static void on_look(void *user)
{
    struct retention *retention = user;
    const struct orchestrator_options *options = &retention->orchestrator->options;
    if (retention->orchestrator->stopped)
        return;
    if (!shards_lead(retention->orchestrator)) {
        loop_timer_set(retention->timer, LOOK_MS);
        return;
    }
    retention->busy = true;
    int64_t now = loop_now_ms(options->loop),
            failed_ms = options->retention_failed_ms > 0 ? options->retention_failed_ms : options->retention_ms;
    retention->rule =
        (struct store_retention){.now_ms = now,
                                 .before_ms = options->retention_ms == 0 ? 0 : now - options->retention_ms,
                                 .failed_before_ms = failed_ms == 0 ? 0 : now - failed_ms,
                                 .keep = options->retention_count};
    retention->deleted = 0;
    store_write_async(options->store, write_portion, retention, on_committed, retention);
}

struct retention *retention_new(struct orchestrator *orchestrator)
{
    struct retention *retention = mem_alloc(sizeof *retention);
    retention->orchestrator = orchestrator;
    retention->timer = loop_timer_new(orchestrator->options.loop, on_look, retention);
    loop_timer_set(retention->timer, LOOK_MS);
    return retention;
}

bool retention_is_busy(const struct retention *retention)
{
    return retention != NULL && retention->busy;
}

void retention_free(struct retention *retention)
{
    if (retention == NULL)
        return;
    loop_timer_free(retention->timer);
    loop_unpost(retention->orchestrator->options.loop, on_written, retention);
    free(retention);
}
