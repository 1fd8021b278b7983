/* How often executions of a flow start: never more than its rate allows in any period, by the clock of whoever lets
 * them in. Which have been let in is read of the rows themselves, not of what the store counts by. */
#include "sim.h"

#include "store/sql/sql_int.h"

#define JUMP_MS 10000 /* who looked at the clock before it jumped has told by then */
#define SLACK_MS 1000 /* two who let in at once may have looked at it in the other order */

bool sim_rate_is_over(const struct sim_execution *e, struct store_session *s)
{
    int64_t count = 0;
    struct error ignored; /* the write itself tells */
    return e->sim->flows[e->flow].rate_limit > 0 && e->body == NULL && !e->let_in &&
           sql_number(s, &count, &ignored,
                      "SELECT count(*) FROM executions WHERE id=? AND queue_ms IS NULL AND limit_key IS NOT NULL", "t",
                      e->id) == ERR_OK &&
           count > 0;
}

static bool is_counted(const struct sim_execution *e, const struct sim_execution *other)
{
    return other->let_in && other->timed && other->flow == e->flow &&
           (!e->sim->flows[e->flow].rate_keyed || other->key == e->key);
}

/* It is counted for the period that it ends, and for the one that it begins: the last to be told may be neither the
 * first nor the last by the clock. */
void sim_rate_let_in(struct sim_execution *e, int64_t at_ms)
{
    struct sim *sim = e->sim;
    const struct sim_flow *flow = &sim->flows[e->flow];
    int before = 0, after = 0;
    if (e->let_in)
        return; /* told once more */
    sim->held_back += e->epoch > 0 && e->parent == NULL && flow->concurrency + flow->per_key == 0;
    e->let_in = true;
    e->let_in_at = at_ms;
    e->timed = sim->jumped_at == 0 || sim->now > sim->jumped_at + JUMP_MS;
    for (const struct sim_execution *other = sim->executions; e->timed && other != NULL; other = other->next) {
        int64_t ago = at_ms - other->let_in_at, most = flow->rate_period_ms - SLACK_MS;
        before += is_counted(e, other) && ago >= 0 && ago < most;
        after += is_counted(e, other) && ago <= 0 && -ago < most;
    }
    if (before > flow->rate_limit || after > flow->rate_limit)
        sim_problem(sim, "%d executions of flow %u were let in within its period of %lld ms, its rate allows %d",
                    before > after ? before : after, e->flow, (long long)flow->rate_period_ms, flow->rate_limit);
}
