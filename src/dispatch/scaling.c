/* Grow when pressed, shrink when calm for long. */
#include "dispatch/scaling.h"

#define PRESSED_PERCENT 85 /* of the slots are busy while something waits */
#define CALM_PERCENT 50    /* of the slots are busy at most */
#define WANTED_PERCENT 70  /* of the slots shall be busy: well between the two */
#define PRESSED_MS 1000    /* so long before more workers are called for, unless the high mark is passed */

const char *scaling_reason_name(enum scaling_reason reason)
{
    static const char *const names[] = {"steady", "minimum", "maximum", "queue", "utilisation", "idle"};
    return names[reason];
}

/* So many workers have enough slots for all that runs and waits. */
static uint64_t wanted(const struct scaling_view *view)
{
    uint64_t slots = view->workers == 0 ? 1 : view->slots / view->workers;
    uint64_t useful = (slots == 0 ? 1 : slots) * WANTED_PERCENT;
    return ((view->busy + view->waiting) * 100 + useful - 1) / useful;
}

static void since(int64_t *at_ms, bool holds, int64_t now_ms)
{
    if (!holds)
        *at_ms = 0;
    else if (*at_ms == 0)
        *at_ms = now_ms;
}

static enum scaling_reason set_target(struct scaling_state *state, uint64_t target, int64_t now_ms,
                                      enum scaling_reason reason)
{
    state->target = (unsigned)target;
    state->changed_ms = now_ms;
    state->pressed_ms = state->calm_ms = 0;
    return reason;
}

static enum scaling_reason grow(struct scaling_state *state, const struct scaling_rules *rules,
                                const struct scaling_view *view, bool flooded)
{
    bool settled = view->workers >= state->target || view->now_ms - state->changed_ms >= SCALING_SETTLE_MS;
    if (!settled || state->target >= rules->max || (!flooded && view->now_ms - state->pressed_ms < PRESSED_MS))
        return SCALING_STEADY;
    uint64_t target = wanted(view), most = state->target == 0 ? 1 : 2 * (uint64_t)state->target;
    if (target <= state->target)
        target = state->target + 1;
    target = target > most ? most : target;
    return set_target(state, target > rules->max ? rules->max : target, view->now_ms,
                      flooded ? SCALING_QUEUE : SCALING_UTILISATION);
}

static enum scaling_reason shrink(struct scaling_state *state, const struct scaling_rules *rules,
                                  const struct scaling_view *view)
{
    if (view->now_ms - state->calm_ms < rules->cooldown_ms || state->target <= rules->min)
        return SCALING_STEADY;
    uint64_t target = wanted(view), least = ((uint64_t)state->target + 1) / 2;
    target = target < least ? least : target;
    target = target < rules->min ? rules->min : target;
    if (target >= state->target) /* one alone would be half of it, and too few */
        target = wanted(view) < state->target && state->target - 1 >= rules->min ? state->target - 1 : state->target;
    if (target == state->target)
        return SCALING_STEADY;
    return set_target(state, target, view->now_ms, SCALING_IDLE);
}

enum scaling_reason scaling_decide(struct scaling_state *state, const struct scaling_rules *rules,
                                   const struct scaling_view *view)
{
    if (view->gathering)
        return SCALING_STEADY;
    if (!state->known)
        *state = (struct scaling_state){.known = true, .target = view->workers + view->coming + view->doubtful};
    if (state->target < rules->min)
        return set_target(state, rules->min, view->now_ms, SCALING_MINIMUM);
    if (state->target > rules->max)
        return set_target(state, rules->max, view->now_ms, SCALING_MAXIMUM);
    bool flooded = view->waiting > rules->high_mark;
    bool short_of_slots = view->waiting > 0 && view->busy * 100 >= view->slots * PRESSED_PERCENT;
    bool calm = view->waiting <= rules->low_mark && view->busy * 100 <= view->slots * CALM_PERCENT;
    since(&state->pressed_ms, flooded || short_of_slots, view->now_ms);
    since(&state->calm_ms, calm && !flooded && !short_of_slots, view->now_ms);
    if (state->pressed_ms > 0)
        return grow(state, rules, view, flooded);
    return state->calm_ms > 0 ? shrink(state, rules, view) : SCALING_STEADY;
}

unsigned scaling_starts(const struct scaling_state *state, const struct scaling_rules *rules,
                        const struct scaling_view *view)
{
    unsigned counted = view->workers + view->coming, most = counted + view->doubtful;
    if (view->gathering || counted >= state->target || most >= rules->max)
        return 0;
    unsigned lacking = state->target - counted, room = rules->max - most;
    return lacking < room ? lacking : room;
}
