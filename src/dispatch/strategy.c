/* The three strategies. */
#include "dispatch/strategy.h"

#include <string.h>

static const char *const names[] = {"round_robin", "least_busy", "weighted"};

const char *dispatch_strategy_name(enum dispatch_strategy strategy)
{
    return names[strategy];
}

enum err dispatch_state_set(struct dispatch_state *state, const char *strategy, struct error *reterr)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strategy != NULL && strcmp(names[i], strategy) == 0) {
            *state = (struct dispatch_state){.strategy = (enum dispatch_strategy)i};
            return ERR_OK;
        }
    return error_set(reterr, ERR_VALIDATION, "strategy",
                     "The strategy \"%.40s\" must be round_robin, least_busy or weighted.",
                     strategy == NULL ? "" : strategy);
}

static bool has_room(const struct dispatch_worker *worker)
{
    return worker->healthy && worker->active < worker->capacity;
}

static int in_turn(struct dispatch_state *state, const struct dispatch_worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = (state->turn + i) % count;
        if (has_room(&workers[at])) {
            state->turn = at + 1;
            return (int)at;
        }
    }
    return -1;
}

static int least_busy(struct dispatch_state *state, const struct dispatch_worker *workers, size_t count)
{
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        size_t at = (state->turn + i) % count;
        const struct dispatch_worker *w = &workers[at];
        if (has_room(w) &&
            (best < 0 || (uint64_t)w->active * workers[best].capacity < (uint64_t)workers[best].active * w->capacity))
            best = (int)at;
    }
    if (best >= 0)
        state->turn = (uint64_t)best + 1;
    return best;
}

static int weighted(struct dispatch_state *state, const struct dispatch_worker *workers, size_t count)
{
    int best = -1;
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (!has_room(&workers[i]))
            continue;
        state->current[i] += workers[i].weight;
        total += workers[i].weight;
        if (best < 0 || state->current[i] > state->current[best])
            best = (int)i;
    }
    if (best >= 0)
        state->current[best] -= total;
    return best;
}

int dispatch_choose(struct dispatch_state *state, const struct dispatch_worker *workers, size_t count)
{
    count = count > DISPATCH_WORKERS_MAX ? DISPATCH_WORKERS_MAX : count;
    if (count == 0)
        return -1;
    switch (state->strategy) {
    case DISPATCH_ROUND_ROBIN:
        return in_turn(state, workers, count);
    case DISPATCH_LEAST_BUSY:
        return least_busy(state, workers, count);
    case DISPATCH_WEIGHTED:
        return weighted(state, workers, count);
    }
    return -1;
}
