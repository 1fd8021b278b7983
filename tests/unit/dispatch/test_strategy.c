/* Each strategy's promise, over random workers. */
#include "base/clock.h"
#include "dispatch/strategy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define MOST (DISPATCH_WORKERS_MAX + 6) /* beyond those that are looked at */
#define SEEDS 300

static bool has_room(const struct dispatch_worker *w)
{
    return w->healthy && w->active < w->capacity;
}

static size_t some_workers(struct rng *rng, struct dispatch_worker workers[MOST])
{
    size_t count = 1 + (size_t)rng_below(rng, 64);
    for (size_t i = 0; i < count; i++) {
        unsigned capacity = (unsigned)rng_below(rng, 20);
        workers[i] = (struct dispatch_worker){.id = "w",
                                              .capacity = capacity,
                                              .active = (unsigned)rng_below(rng, capacity + 2),
                                              .weight = 1 + (unsigned)rng_below(rng, 9),
                                              .healthy = rng_below(rng, 5) != 0};
    }
    return count;
}

static struct dispatch_state state_of(const char *strategy)
{
    struct dispatch_state state;
    struct error error = {0};
    assert_int_equal(dispatch_state_set(&state, strategy, &error), ERR_OK);
    return state;
}

static const char *const strategies[] = {"round_robin", "least_busy", "weighted"};

static void names_are_known_or_refused(void **unused)
{
    (void)unused;
    struct dispatch_state zeroed = {0};
    assert_string_equal(dispatch_strategy_name(zeroed.strategy), "round_robin");
    for (size_t i = 0; i < 3; i++) {
        struct dispatch_state state;
        memset(&state, 0xa5, sizeof state); /* all of it is set, whatever was there */
        struct error error = {0};
        assert_int_equal(dispatch_state_set(&state, strategies[i], &error), ERR_OK);
        assert_string_equal(dispatch_strategy_name(state.strategy), strategies[i]);
        assert_int_equal(state.turn, 0);
        for (size_t j = 0; j < 64; j++)
            assert_int_equal(state.current[j], 0);
    }
    static const char *const wrong[] = {"", "ROUND_ROBIN", "round_robin ", "random", NULL};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct dispatch_state state = {.strategy = DISPATCH_WEIGHTED, .turn = 5}, before = state;
        struct error error = {0};
        assert_int_equal(dispatch_state_set(&state, wrong[i], &error), ERR_VALIDATION);
        assert_string_equal(error.field, "strategy");
        for (size_t j = 0; j < 3; j++)
            assert_non_null(strstr(error.message, strategies[j]));
        assert_memory_equal(&state, &before, sizeof state);
    }
}

/* Somebody healthy with room is found whenever there is one, and nobody else ever, while the pool changes size and
 * load. */
static void the_chosen_has_room_and_is_found(void **unused)
{
    (void)unused;
    struct rng rng = {.state = 1};
    for (int seed = 0; seed < SEEDS; seed++) {
        struct dispatch_state state = state_of(strategies[seed % 3]);
        for (int round = 0; round < 30; round++) {
            struct dispatch_worker workers[MOST];
            size_t count = some_workers(&rng, workers);
            bool any = false;
            for (size_t i = 0; i < count; i++)
                any |= has_room(&workers[i]);
            int chosen = dispatch_choose(&state, workers, count);
            assert_int_equal(chosen >= 0, any);
            assert_true(chosen < (int)count);
            assert_true(chosen < 0 || has_room(&workers[chosen]));
        }
    }
}

static void nobody_is_chosen_of_none(void **unused)
{
    (void)unused;
    struct dispatch_worker workers[MOST] = {0};
    for (size_t i = 0; i < MOST; i++)
        workers[i] = (struct dispatch_worker){.id = "w", .capacity = 1, .active = 1, .weight = 1, .healthy = true};
    workers[0] = (struct dispatch_worker){.id = "ill", .capacity = 5, .weight = 1};
    workers[1] = (struct dispatch_worker){.id = "over", .capacity = 1, .active = 3, .weight = 1, .healthy = true};
    workers[DISPATCH_WORKERS_MAX + 2].active = 0; /* has room, but is not looked at */
    for (size_t i = 0; i < 3; i++) {
        struct dispatch_state state = state_of(strategies[i]);
        assert_int_equal(dispatch_choose(&state, NULL, 0), -1);
        assert_int_equal(dispatch_choose(&state, workers, MOST), -1);
        workers[63].active = 0;
        assert_int_equal(dispatch_choose(&state, workers, MOST), 63);
        workers[63].active = 1;
    }
}

/* In turn: over n picks, each of the n with room is chosen once, in the order of their places. */
static void round_robin_goes_round(void **unused)
{
    (void)unused;
    struct rng rng = {.state = 2};
    for (int seed = 0; seed < SEEDS; seed++) {
        struct dispatch_worker workers[MOST];
        size_t count = some_workers(&rng, workers), with_room = 0;
        for (size_t i = 0; i < count; i++)
            with_room += has_room(&workers[i]);
        struct dispatch_state state = state_of("round_robin");
        for (int round = 0; round < 3; round++) {
            int last = -1;
            for (size_t i = 0; i < with_room; i++) {
                int chosen = dispatch_choose(&state, workers, count);
                assert_true(chosen > last);
                last = chosen;
            }
        }
    }
}

/* Nobody with room is less busy than the chosen; with the load growing by each choice. */
static void least_busy_takes_the_lowest_share(void **unused)
{
    (void)unused;
    struct rng rng = {.state = 3};
    for (int seed = 0; seed < SEEDS; seed++) {
        struct dispatch_worker workers[MOST];
        size_t count = some_workers(&rng, workers);
        struct dispatch_state state = state_of("least_busy");
        for (int chosen; (chosen = dispatch_choose(&state, workers, count)) >= 0; workers[chosen].active++)
            for (size_t i = 0; i < count; i++)
                if (has_room(&workers[i]))
                    assert_true((uint64_t)workers[chosen].active * workers[i].capacity <=
                                (uint64_t)workers[i].active * workers[chosen].capacity);
        for (size_t i = 0; i < count; i++)
            assert_false(has_room(&workers[i])); /* it ended because all were full */
    }
}

static void least_busy_takes_equals_in_turn(void **unused)
{
    (void)unused;
    struct rng rng = {.state = 4};
    for (int seed = 0; seed < SEEDS; seed++) {
        size_t count = 1 + (size_t)rng_below(&rng, 64);
        struct dispatch_worker workers[MOST];
        for (size_t i = 0; i < count;
             i++) /* a half each, in different sizes, up to those whose product leaves 32 bits */
            workers[i] = (struct dispatch_worker){
                .id = "w", .active = (unsigned)i + 1, .capacity = 2 * (unsigned)(i + 1), .weight = 1, .healthy = true};
        if (seed % 2 == 0)
            workers[count / 2] = (struct dispatch_worker){
                .id = "w", .active = 1u << 30, .capacity = 1u << 31, .weight = 1, .healthy = true};
        struct dispatch_state state = state_of("least_busy");
        for (size_t i = 0; i < 3 * count; i++)
            assert_int_equal(dispatch_choose(&state, workers, count), i % count);
    }
}

/* Of W picks each gets exactly its weight, over and over; and smoothly: at no point is anybody a whole round ahead. */
static void weighted_gives_each_its_weight(void **unused)
{
    (void)unused;
    struct rng rng = {.state = 5};
    for (int seed = 0; seed < SEEDS; seed++) {
        struct dispatch_worker workers[MOST];
        size_t count = some_workers(&rng, workers);
        unsigned total = 0, got[MOST] = {0};
        for (size_t i = 0; i < count; i++)
            total += has_room(&workers[i]) ? workers[i].weight : 0;
        struct dispatch_state state = state_of("weighted");
        for (unsigned pick = 1; pick <= 3 * total; pick++) {
            got[dispatch_choose(&state, workers, count)]++;
            for (size_t i = 0; i < count; i++) {
                unsigned weight = has_room(&workers[i]) ? workers[i].weight : 0;
                if (pick % total == 0)
                    assert_int_equal(got[i], weight * (pick / total));
                else
                    assert_in_range(got[i], weight * (pick / total), weight * (pick / total + 1));
            }
        }
    }
    struct dispatch_worker pair[] = {{.id = "a", .capacity = 9, .weight = 2, .healthy = true},
                                     {.id = "b", .capacity = 9, .weight = 1, .healthy = true}};
    struct dispatch_state state = state_of("weighted");
    static const int smooth[] = {0, 1, 0, 0, 1, 0};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(dispatch_choose(&state, pair, 2), smooth[i]);
}

/* The promise holds again soon after somebody was full or ill for a while: what it missed is not made up for. */
static void weighted_does_not_make_up_for_an_absence(void **unused)
{
    (void)unused;
    struct dispatch_worker workers[] = {{.id = "a", .capacity = 9, .weight = 3, .healthy = true},
                                        {.id = "b", .capacity = 9, .weight = 1, .healthy = true},
                                        {.id = "c", .capacity = 9, .weight = 4, .healthy = true}};
    for (unsigned before = 0; before < 8; before++) {
        struct dispatch_state state = state_of("weighted");
        for (unsigned i = 0; i < before; i++)
            (void)dispatch_choose(&state, workers, 3);
        workers[2].healthy = false;
        for (int i = 0; i < 400; i++)
            assert_int_not_equal(dispatch_choose(&state, workers, 3), 2);
        workers[2].healthy = true;
        unsigned got[3] = {0};
        for (int i = 0; i < 80; i++)
            got[dispatch_choose(&state, workers, 3)]++;
        assert_in_range(got[0], 29, 31);
        assert_in_range(got[1], 9, 11);
        assert_in_range(got[2], 39, 41);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_known_or_refused),
                                       cmocka_unit_test(the_chosen_has_room_and_is_found),
                                       cmocka_unit_test(nobody_is_chosen_of_none),
                                       cmocka_unit_test(round_robin_goes_round),
                                       cmocka_unit_test(least_busy_takes_the_lowest_share),
                                       cmocka_unit_test(least_busy_takes_equals_in_turn),
                                       cmocka_unit_test(weighted_gives_each_its_weight),
                                       cmocka_unit_test(weighted_does_not_make_up_for_an_absence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
