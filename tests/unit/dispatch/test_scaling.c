/* Scaling, case by case, and over random loads. */
#include "base/clock.h"
#include "dispatch/scaling.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct scaling_rules rules = {
    .min = 2, .max = 10, .high_mark = 1000, .low_mark = 100, .cooldown_ms = 30000};

/* One look at a system that stands at `target`. */
struct look {
    const char *what;
    unsigned target, workers;
    int64_t pressed_ms, calm_ms, changed_ms; /* ago; 0: not */
    uint64_t slots, busy, waiting;
    unsigned expected;
    enum scaling_reason reason;
};

#define NOW INT64_C(1000000)

static const struct look looks[] = {
    {"fewer than the minimum", 1, 1, 0, 0, 0, 10, 0, 0, 2, SCALING_MINIMUM},
    {"nobody is there", 0, 0, 0, 0, 0, 0, 0, 0, 2, SCALING_MINIMUM},
    {"more than the maximum", 12, 12, 0, 0, 0, 120, 100, 0, 10, SCALING_MAXIMUM},
    {"the high mark is passed: at once", 4, 4, 0, 0, 60000, 40, 10, 1001, 8, SCALING_QUEUE},
    {"the high mark is not passed", 4, 4, 0, 0, 60000, 40, 30, 1000, 4, SCALING_STEADY},
    {"never beyond the maximum", 8, 8, 0, 0, 60000, 80, 80, 5000, 10, SCALING_QUEUE},
    {"nor when it is reached", 10, 10, 0, 0, 60000, 100, 100, 5000, 10, SCALING_STEADY},
    {"those called for have not come yet", 8, 4, 5000, 0, 5000, 40, 40, 5000, 8, SCALING_STEADY},
    {"they had time to come", 8, 4, 5000, 0, 10000, 40, 40, 5000, 10, SCALING_QUEUE},
    {"short of slots for a moment", 4, 4, 999, 0, 60000, 40, 40, 3, 4, SCALING_STEADY},
    {"short of slots", 4, 4, 1000, 0, 60000, 40, 40, 3, 7, SCALING_UTILISATION},
    {"short of slots, one more would do", 4, 4, 1000, 0, 60000, 400, 340, 1, 5, SCALING_UTILISATION},
    {"busy, and nothing waits", 4, 4, 0, 0, 60000, 40, 40, 0, 4, SCALING_STEADY},
    {"something waits, and there is room", 4, 4, 0, 0, 60000, 40, 33, 5, 4, SCALING_STEADY},
    {"calm, but not for long enough", 8, 8, 0, 29999, 60000, 80, 0, 0, 8, SCALING_STEADY},
    {"calm for the whole cool-down: half at most", 8, 8, 0, 30000, 60000, 80, 0, 0, 4, SCALING_IDLE},
    {"as many stay as are needed", 8, 8, 0, 30000, 60000, 80, 38, 0, 6, SCALING_IDLE},
    {"never below the minimum", 3, 3, 0, 30000, 60000, 30, 0, 0, 2, SCALING_IDLE},
    {"nor when it is reached", 2, 2, 0, 30000, 60000, 20, 0, 0, 2, SCALING_STEADY},
    {"too much waits to be calm", 8, 8, 0, 30000, 60000, 80, 0, 101, 8, SCALING_STEADY},
    {"half busy is calm", 8, 8, 0, 30000, 60000, 80, 40, 0, 6, SCALING_IDLE},
    {"more than half is not", 8, 8, 0, 30000, 60000, 80, 41, 0, 8, SCALING_STEADY},
};

static void each_case(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const struct look *l = &looks[i];
        struct scaling_state state = {.known = true,
                                      .target = l->target,
                                      .changed_ms = NOW - l->changed_ms,
                                      .pressed_ms = l->pressed_ms > 0 ? NOW - l->pressed_ms : 0,
                                      .calm_ms = l->calm_ms > 0 ? NOW - l->calm_ms : 0};
        struct scaling_view view = {NOW, l->workers, l->slots, l->busy, l->waiting, 0, 0, false};
        enum scaling_reason reason = scaling_decide(&state, &rules, &view);
        if (reason != l->reason || state.target != l->expected)
            fail_msg("%s: %u (%s) instead of %u (%s)", l->what, state.target, scaling_reason_name(reason), l->expected,
                     scaling_reason_name(l->reason));
    }
}

static void it_begins_with_what_is_there(void **unused)
{
    (void)unused;
    struct scaling_state state = {0};
    struct scaling_view view = {NOW, 5, 50, 30, 0, 0, 0, false};
    assert_int_equal(scaling_decide(&state, &rules, &view), SCALING_STEADY);
    assert_int_equal(state.target, 5);
}

/* Who takes over counts those that its predecessor called for, and those that are silent at this moment. */
static void a_new_leader_begins_with_all_that_may_be_there(void **unused)
{
    (void)unused;
    struct scaling_state state = {0};
    struct scaling_view view = {NOW, 2, 20, 20, 500, 3, 5, true};
    assert_int_equal(scaling_decide(&state, &rules, &view), SCALING_STEADY);
    assert_false(state.known);
    assert_int_equal(scaling_starts(&state, &rules, &view), 0);
    view.gathering = false;
    assert_int_equal(scaling_decide(&state, &rules, &view), SCALING_STEADY);
    assert_int_equal(state.target, 10);
    assert_int_equal(scaling_starts(&state, &rules, &view), 0);
}

static const struct start {
    const char *what;
    unsigned target, workers, coming, doubtful;
    bool gathering;
    unsigned expected;
} starts[] = {
    {"what is lacking", 6, 2, 0, 0, false, 4},
    {"those on their way count", 6, 2, 3, 0, false, 1},
    {"all are there", 6, 6, 0, 0, false, 0},
    {"more than enough", 6, 5, 4, 0, false, 0},
    {"some may not have been heard of", 6, 2, 0, 0, true, 0},
    {"a silent one is replaced", 6, 5, 0, 1, false, 1},
    {"but not beyond the maximum, if it comes back", 10, 9, 0, 1, false, 0},
    {"room for some of them", 10, 5, 1, 3, false, 1},
    {"too many in doubt", 10, 5, 0, 9, false, 0},
};

static void starts_stay_within_the_maximum(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const struct start *s = &starts[i];
        struct scaling_state state = {.known = true, .target = s->target};
        struct scaling_view view = {.now_ms = NOW,
                                    .workers = s->workers,
                                    .coming = s->coming,
                                    .doubtful = s->doubtful,
                                    .gathering = s->gathering};
        unsigned found = scaling_starts(&state, &rules, &view);
        if (found != s->expected)
            fail_msg("%s: %u instead of %u", s->what, found, s->expected);
    }
}

/* Workers that come at once, ten slots each, under a constant load: it ends within bounds and stays where it is. */
static void a_constant_load_comes_to_rest(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng rng = {.state = seed};

        struct scaling_state state = {0};
        uint64_t load = rng_below(&rng, 140); /* executions that want to run at the same time */
        unsigned workers = (unsigned)rng_below(&rng, 14), changes = 0;
        int64_t now = NOW;
        for (int step = 0; step < 1000; step++, now += 500) {
            uint64_t slots = 10 * (uint64_t)workers, busy = load < slots ? load : slots;
            struct scaling_view view = {now, workers, slots, busy, load - busy, 0, 0, false};
            unsigned before = state.known ? state.target : workers;
            enum scaling_reason reason = scaling_decide(&state, &rules, &view);
            assert_in_range(state.target, reason == SCALING_STEADY && step == 0 ? 0 : rules.min, 14);
            assert_true((reason == SCALING_STEADY) == (state.target == before));
            assert_true(state.target <= 2 * before || reason == SCALING_MINIMUM);
            if (step > 600 && reason != SCALING_STEADY)
                changes++;
            workers = state.target;
        }
        assert_int_equal(changes, 0);
        assert_in_range(state.target, rules.min, rules.max);
        assert_true(10 * (uint64_t)state.target >= load || state.target == rules.max);
        assert_true(state.target == rules.min || 5 * (uint64_t)(state.target - 1) < load + 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_case), cmocka_unit_test(it_begins_with_what_is_there),
                                       cmocka_unit_test(a_new_leader_begins_with_all_that_may_be_there),
                                       cmocka_unit_test(starts_stay_within_the_maximum),
                                       cmocka_unit_test(a_constant_load_comes_to_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
