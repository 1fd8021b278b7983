/* Lets executions start that waited for their turn under the limits of their flow, as soon as others have ended. Each
 * orchestrator does it: the store sees to it that no two together let in too many. */
#include "orchestrator/orchestrator_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "broker/messages.h"
#include "orchestrator/failures.h"
#include <stdlib.h>

#define LOOK_MS 500 /* between two looks for somebody who waits */

struct admission {
    struct orchestrator *orchestrator;
    struct loop_timer *timer;
    bool waiting; /* somebody did when it was looked last */
    bool busy, again;
    int64_t now_ms, told_ms; /* told: when what they wait for was last brought up to date */
    bool tell;
    struct store_admitted admitted;
    struct store_place looked; /* for cycles, up to there */
    bool broken;               /* one was found */
    enum err code;
    struct error error;
};

/* What waits for itself is failed, as if it had run. */
static enum err break_cycle(struct store_session *session, struct admission *admission, struct error *reterr)
{
    char id[STORE_PLACE_BYTES];
    enum err code = store_limits_break(session, admission->now_ms, &admission->looked, id, reterr);
    admission->broken = code == ERR_OK && id[0] != '\0';
    return admission->broken ? failures_start(session, id, admission->now_ms, &admission->broken, reterr) : code;
}

/* On the store's writer thread. */
static enum err write_admission(struct store_session *session, void *arg, struct error *reterr)
{
    struct admission *admission = arg;
    enum err code = store_limits_admit(session, admission->now_ms, admission->tell, &admission->admitted, reterr);
    admission->broken = false;
    return code == ERR_OK && admission->tell ? break_cycle(session, admission, reterr) : code;
}

/* Whichever orchestrator has their shard hands them out. */
static void wake(struct orchestrator *o)
{
    static const char message[] = "{\"wake\":true}";
    broker_broadcast(o->connection, TOPIC_CONTROL, message, sizeof message - 1);
    waking_at(o, loop_now_ms(o->options.loop));
}

static void on_written(void *user)
{
    struct admission *admission = user;
    struct orchestrator *o = admission->orchestrator;
    const struct store_admitted *admitted = &admission->admitted;
    int64_t delay = LOOK_MS, until = admitted->next_ms - admission->now_ms;
    admission->busy = false;
    if (admission->code != ERR_OK) {
        log_event(LOG_WARN, "what waits for its turn cannot be looked at now", LOG_CAUSE(&admission->error), LOG_END);
        loop_timer_set(admission->timer, LOOK_MS);
        return;
    }
    if (admitted->count > 0 || admission->broken) /* the parent is due */
        wake(o);
    if (admitted->next_ms != INT64_MAX && until < delay)
        delay = until < 1 ? 1 : until;
    loop_timer_set(admission->timer, admitted->more || admission->again ? 0 : delay);
    admission->again = false;
}

static void on_committed(void *user, enum err code, const struct error *error)
{
    struct admission *admission = user;
    admission->code = code;
    if (error != NULL)
        admission->error = *error;
    loop_post(admission->orchestrator->options.loop, on_written, admission);
}

static bool is_somebody_waiting(struct orchestrator *o)
{
    struct store_session *session;
    struct error ignored; /* asked again soon */
    if (store_read_begin(o->options.store, &session, &ignored) != ERR_OK)
        return false;
    bool waiting = store_limits_waiting(session);
    store_read_end(o->options.store, session);
    return waiting;
}

static void on_look(void *user)
{
    struct admission *admission = user;
    struct orchestrator *o = admission->orchestrator;
    if (o->stopped || admission->busy)
        return;
    admission->waiting = is_somebody_waiting(o);
    if (!admission->waiting) {
        loop_timer_set(admission->timer, LOOK_MS);
        return;
    }
    admission->busy = true;
    admission->now_ms = loop_now_ms(o->options.loop);
    admission->tell = admission->now_ms - admission->told_ms >= LOOK_MS || admission->now_ms < admission->told_ms;
    if (admission->tell)
        admission->told_ms = admission->now_ms;
    store_write_async(o->options.store, write_admission, admission, on_committed, admission);
}

void admission_look(struct admission *admission)
{
    if (admission == NULL || !admission->waiting)
        return;
    if (admission->busy)
        admission->again = true;
    else
        loop_timer_set(admission->timer, 0);
}

struct admission *admission_new(struct orchestrator *orchestrator)
{
    struct admission *admission = mem_alloc(sizeof *admission);
    admission->orchestrator = orchestrator;
    admission->timer = loop_timer_new(orchestrator->options.loop, on_look, admission);
    loop_timer_set(admission->timer, 0);
    return admission;
}

bool admission_is_busy(const struct admission *admission)
{
    return admission != NULL && admission->busy;
}

void admission_free(struct admission *admission)
{
    if (admission == NULL)
        return;
    loop_timer_free(admission->timer);
    loop_unpost(admission->orchestrator->options.loop, on_written, admission);
    free(admission);
}
