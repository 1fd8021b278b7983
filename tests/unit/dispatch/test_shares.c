/* Who has which shard, for all numbers of owners and shards that make sense. */
#include "base/clock.h"
#include "base/mem.h"
#include "dispatch/shares.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNERS 24
#define SHARDS 256

static const unsigned shard_counts[] = {1, 2, 3, 4, 7, 16, 64, SHARDS};
static char names[OWNERS + 1][32];
static const char *owners[OWNERS + 1];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i <= OWNERS; i++) {
        snprintf(names[i], sizeof names[i], "orchestrator-%zu", i * 7919);
        owners[i] = names[i];
    }
    return 0;
}

static void each_has_as_many_as_any_other(void **state)
{
    (void)state;
    for (size_t n = 1; n <= OWNERS; n++)
        for (size_t c = 0; c < sizeof shard_counts / sizeof *shard_counts; c++) {
            size_t of[SHARDS], counts[OWNERS] = {0}, least = SIZE_MAX, most = 0;
            dispatch_shares(owners, n, shard_counts[c], of);
            for (unsigned s = 0; s < shard_counts[c]; s++) {
                assert_true(of[s] < n);
                counts[of[s]]++;
            }
            for (size_t i = 0; i < n; i++) {
                least = counts[i] < least ? counts[i] : least;
                most = counts[i] > most ? counts[i] : most;
            }
            assert_true(most - least <= 1);
        }
}

static void the_order_of_names_does_not_matter(void **state)
{
    (void)state;
    struct rng rng = {.state = 1};
    for (int round = 0; round < 200; round++) {
        const char *mixed[OWNERS];
        size_t n = 1 + (size_t)rng_below(&rng, OWNERS), here[SHARDS], there[SHARDS];
        unsigned shards = shard_counts[rng_below(&rng, sizeof shard_counts / sizeof *shard_counts)];
        memcpy(mixed, owners, n * sizeof *mixed);
        for (size_t i = n; i > 1; i--) {
            size_t at = (size_t)rng_below(&rng, i);
            const char *one = mixed[at];
            mixed[at] = mixed[i - 1];
            mixed[i - 1] = one;
        }
        dispatch_shares(owners, n, shards, here);
        dispatch_shares(mixed, n, shards, there);
        for (unsigned s = 0; s < shards; s++)
            assert_string_equal(owners[here[s]], mixed[there[s]]);
    }
}

/* The newcomer's own must move, and hardly more: at most three times as many, where dealing them out anew would move
 * nearly all. */
static void few_move_when_one_comes(void **state)
{
    (void)state;
    for (size_t n = 2; n <= OWNERS; n++) {
        size_t before[SHARDS], after[SHARDS], moved = 0;
        dispatch_shares(owners, n, SHARDS, before);
        dispatch_shares(owners, n + 1, SHARDS, after);
        for (unsigned s = 0; s < SHARDS; s++)
            moved += before[s] != after[s];
        assert_in_range(moved, SHARDS / (n + 1), 3 * (SHARDS / (n + 1) + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_has_as_many_as_any_other),
                                       cmocka_unit_test(the_order_of_names_does_not_matter),
                                       cmocka_unit_test(few_move_when_one_comes)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
