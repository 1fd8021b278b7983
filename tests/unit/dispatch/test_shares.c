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

/* Each released shard goes to the next in its line, and who released it to the line's end, as with the broker. */
static void settle(struct rng *rng, size_t n, unsigned shards, size_t *at, size_t *ret_moves)
{
    size_t rounds = 0, before;
    *ret_moves = 0;
    do {
        before = *ret_moves;
        for (size_t k = 0, i = (size_t)rng_below(rng, n); k < n; k++, i = (i + 1) % n) {
            const char *mine[OWNERS];
            size_t shares[SHARDS];
            bool owned[SHARDS], surplus[SHARDS];
            for (size_t j = 0; j < n; j++)
                mine[j] = owners[(i + j) % n];
            for (unsigned s = 0; s < shards; s++)
                owned[s] = at[s] == i;
            dispatch_shares(mine, n, shards, shares);
            dispatch_surplus(shares, owned, shards, surplus);
            for (unsigned s = 0; s < shards; s++) {
                assert_true(owned[s] || !surplus[s]);
                at[s] = surplus[s] ? (at[s] + 1) % n : at[s];
                *ret_moves += surplus[s];
            }
        }
        assert_true(++rounds < 2000);
    } while (*ret_moves > before);
}

static void all_come_to_an_even_share_and_stay(void **state)
{
    (void)state;
    struct rng rng = {.state = 7};
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + (size_t)rng_below(&rng, OWNERS), at[SHARDS], counts[OWNERS] = {0}, moves = 0, least = SIZE_MAX;
        unsigned shards = shard_counts[rng_below(&rng, sizeof shard_counts / sizeof *shard_counts)];
        size_t most = 0;
        for (unsigned s = 0; s < shards; s++)
            at[s] = (size_t)rng_below(&rng, n);
        settle(&rng, n, shards, at, &moves);
        for (unsigned s = 0; s < shards; s++)
            counts[at[s]]++;
        for (size_t i = 0; i < n; i++) {
            least = counts[i] < least ? counts[i] : least;
            most = counts[i] > most ? counts[i] : most;
        }
        assert_true(most - least <= 1);
        settle(&rng, n, shards, at, &moves);
        assert_int_equal(moves, 0);
    }
}

/* Two that have two each, though each would get others: nothing moves. */
static void what_is_even_does_not_move(void **state)
{
    (void)state;
    const size_t shares[] = {0, 1, 0, 1};
    bool surplus[4];
    dispatch_surplus(shares, (const bool[]){false, true, true, false}, 4, surplus);
    assert_false(surplus[0] || surplus[1] || surplus[2] || surplus[3]);
    dispatch_surplus(shares, (const bool[]){false, true, true, true}, 4, surplus);
    assert_true(surplus[1] && !surplus[0] && !surplus[2] && !surplus[3]);
    dispatch_surplus(shares, (const bool[]){true, true, true, true}, 4, surplus);
    assert_true(surplus[1] && surplus[3] && !surplus[0] && !surplus[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_as_many_as_any_other), cmocka_unit_test(the_order_of_names_does_not_matter),
        cmocka_unit_test(few_move_when_one_comes), cmocka_unit_test(all_come_to_an_even_share_and_stay),
        cmocka_unit_test(what_is_even_does_not_move)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
