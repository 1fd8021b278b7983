/* Totals that are given again for a moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/totals.h"
#include <stdio.h>

static void test_rests_nineteen_times_as_long_as_it_took(void **state)
{
    (void)state;
    assert_int_equal(totals_until_us(1000, 1000), 1000);
    assert_int_equal(totals_until_us(1000, 3000), 3000 + 19 * 2000);
    assert_int_equal(totals_until_us(0, 1000000), 1000000 + 5000000);
}

static void test_gives_again_until_then(void **state)
{
    (void)state;
    struct totals *totals = totals_new();
    int64_t total = -1;
    assert_false(totals_find(totals, "a", 0, &total));
    totals_keep(totals, "a", 5000, 100);
    assert_false(totals_find(totals, "b", 50, &total));
    assert_int_equal(total, -1);
    assert_true(totals_find(totals, "a", 99, &total));
    assert_int_equal(total, 5000);
    assert_false(totals_find(totals, "a", 100, &total));
    totals_keep(totals, "a", 5001, 200);
    assert_true(totals_find(totals, "a", 199, &total));
    assert_int_equal(total, 5001);
    totals_free(totals);
}

static void test_short_lists_are_counted_each_time(void **state)
{
    (void)state;
    struct totals *totals = totals_new();
    int64_t total = -1;
    totals_keep(totals, "a", TOTALS_EXACT_BELOW - 1, 100);
    assert_false(totals_find(totals, "a", 0, &total));
    totals_keep(totals, "a", TOTALS_EXACT_BELOW, 100);
    assert_true(totals_find(totals, "a", 0, &total));
    totals_free(totals);
}

/* A thousand lists: the ones that end last are there still, in no more room than before. */
static void test_is_bounded(void **state)
{
    (void)state;
    struct totals *totals = totals_new();
    char key[16];
    int64_t total = 0;
    for (int i = 1; i <= 1000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        totals_keep(totals, key, 1000 + i, i);
    }
    int found = 0;
    for (int i = 1; i <= 1000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        if (totals_find(totals, key, 0, &total)) {
            assert_int_equal(total, 1000 + i);
            assert_true(i > 900);
            found++;
        }
    }
    assert_in_range(found, 1, 100);
    totals_free(totals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rests_nineteen_times_as_long_as_it_took), cmocka_unit_test(test_gives_again_until_then),
        cmocka_unit_test(test_short_lists_are_counted_each_time), cmocka_unit_test(test_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
