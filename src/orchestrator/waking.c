/* What nobody works on but should: unfinished executions at start, waits that are due, submissions that got lost. */
#include "orchestrator/orchestrator_int.h"

#include <stdio.h>
#include <string.h>

#define PAGE 500
#define WAKE_AT_MOST_MS 60000 /* the wall clock may jump */
#define WAKE_AMONG_MS 1000    /* others may store waits of a shard that is owned here */
#define WAKE_AGAIN_MS 1000    /* when the store does not answer */
#define SWEEP_ON_MS 50        /* between two pages of a sweep */

static enum err read_page(struct orchestrator *o, bool due, struct json **ret)
{
    struct store_session *session;
    struct error error;
    enum err code = store_read_begin(o->options.store, &session, &error);
    if (code != ERR_OK)
        return code;
    int64_t now = loop_now_ms(o->options.loop);
    code = due ? store_executions_due(session, now, PAGE, ret, &error)
               : store_executions_unfinished(session, o->recover_after, PAGE, ret, &error);
    if (due && code == ERR_OK)
        o->wake_at_ms = store_executions_next_due_ms(session);
    store_read_end(o->options.store, session);
    return code;
}

static bool is_ours(struct orchestrator *o, const char *id, int epoch)
{
    return dispatch_is_held(o, id) || dispatch_is_in_flight(o, id, epoch);
}

/* A submission may still be in the queue. It is lost if it did not come although all that was submitted came since. */
static bool is_lost(struct orchestrator *o, const char *id, const struct shard *shard)
{
    int first_seen = recall_get(&o->suspects, id);
    if (first_seen < 0)
        recall_put(&o->suspects, id, (int)shard->emptied);
    return first_seen >= 0 && (int)shard->emptied > first_seen;
}

/* Nobody is at it. What was handed out before has no submission any more: with the workers asked, it is known at once.
 */
static bool is_abandoned(struct orchestrator *o, const char *id, int epoch)
{
    const struct shard *shard = shards_of(o, id);
    if (shard->state != SHARD_OWNED || is_ours(o, id, epoch))
        return false;
    if (o->recovering)
        return true;
    return shards_are_censused(shard) && ((o->taking_over && epoch > 1) || is_lost(o, id, shard));
}

/* One page of unfinished executions; those already on their way are left alone. */
static void recover_page(struct orchestrator *o)
{
    struct json *page = NULL;
    if (read_page(o, false, &page) != ERR_OK) {
        loop_timer_set(o->wake_timer, WAKE_AGAIN_MS);
        return;
    }
    size_t count = json_count(page);
    for (size_t i = 0; i < count; i++) {
        const struct json *entry = json_at(page, i);
        const char *id = json_get_str(entry, "id");
        int epoch = (int)json_get_int(entry, "epoch", 0);
        if (is_abandoned(o, id, epoch))
            apply_reassign(o, id, epoch);
        (void)snprintf(o->recover_after, sizeof o->recover_after, "%s", id);
    }
    bool more = count == PAGE;
    if (!more)
        o->recovering = o->taking_over = false;
    if (!o->recovering && o->sweep_timer != NULL)
        loop_timer_set(o->sweep_timer, more ? SWEEP_ON_MS : o->options.sweep_interval_ms);
    if (!more)
        o->recover_after[0] = '\0';
    json_unref(page);
    apply_pump(o);
}

void waking_more(struct orchestrator *o)
{
    if (o->recovering && o->pending_count < PAGE && o->gathering == NULL)
        recover_page(o);
}

void waking_at(struct orchestrator *o, int64_t at_ms)
{
    int64_t now = loop_now_ms(o->options.loop);
    if (at_ms < o->wake_at_ms || o->wake_at_ms == 0)
        o->wake_at_ms = at_ms;
    int64_t delay = o->wake_at_ms - now, most = o->options.id == NULL ? WAKE_AT_MOST_MS : WAKE_AMONG_MS;
    loop_timer_set(o->wake_timer, delay < 0 ? 0 : delay > most ? most : delay);
}

void waking_look(void *user)
{
    struct orchestrator *o = user;
    struct json *page = NULL;
    if (o->stopped)
        return;
    waking_more(o);
    o->wake_at_ms = INT64_MAX;
    if (read_page(o, true, &page) != ERR_OK) {
        loop_timer_set(o->wake_timer, WAKE_AGAIN_MS);
        return;
    }
    size_t count = json_count(page), taken = 0;
    for (size_t i = 0; i < count; i++) {
        const struct json *entry = json_at(page, i);
        const char *id = json_get_str(entry, "id");
        int epoch = (int)json_get_int(entry, "epoch", 0);
        if (!shards_own(o, id) || is_ours(o, id, epoch))
            continue;
        apply_reassign(o, id, epoch);
        taken++;
    }
    json_unref(page);
    apply_pump(o);
    int64_t now = loop_now_ms(o->options.loop);
    int64_t next = count > 0 && o->wake_at_ms <= now ? now + (taken > 0 ? 2 : 100) : o->wake_at_ms;
    o->wake_at_ms = INT64_MAX;
    waking_at(o, next);
}

/* Finds what nobody is at: submissions that were lost between their commit and the broker, work of workers that went
 * silent. */
static void on_sweep(void *user)
{
    struct orchestrator *o = user;
    loop_timer_set(o->sweep_timer, o->options.sweep_interval_ms);
    if (o->stopped || o->recovering)
        return;
    for (unsigned i = 0; i < o->shard_count; i++)
        if (o->shards[i].state == SHARD_OWNED)
            shards_mark(&o->shards[i]);
    signals_sweep(o);
    recover_page(o);
}

void waking_take_over(void *user)
{
    struct orchestrator *o = user;
    if (o->stopped || o->recovering)
        return;
    o->taking_over = true;
    o->recover_after[0] = '\0';
    recover_page(o);
}

void waking_start(struct orchestrator *o)
{
    o->recovering = o->options.id == NULL;
    if (o->recovering)
        recover_page(o);
    waking_at(o, loop_now_ms(o->options.loop));
    if (o->options.sweep_interval_ms > 0) {
        o->sweep_timer = loop_timer_new(o->options.loop, on_sweep, o);
        loop_timer_set(o->sweep_timer, o->options.sweep_interval_ms);
    }
}
