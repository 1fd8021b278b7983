/* The sliding window of API_RATE_LIMIT, under a clock of the test's own. */
#include "base/error.h"
#include "cache/cache.h"
#include "gateway/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START_MS 600000000 /* the beginning of a minute */

static struct cache *cache;

static int open_cache(void **state)
{
    (void)state;
    struct error error;
    return cache_open("memory:", false, 1 << 20, &cache, &error) == ERR_OK ? 0 : -1;
}

static int close_cache(void **state)
{
    (void)state;
    cache_close(cache);
    return 0;
}

static unsigned take(const char *who, unsigned times, int64_t limit, int64_t now_ms)
{
    unsigned granted = 0;
    struct limit_state limited;
    for (unsigned i = 0; i < times; i++) {
        limit_take(cache, who, limit, now_ms, &limited);
        granted += !limited.exceeded;
    }
    return granted;
}

static void test_counts_down_and_refuses(void **state)
{
    (void)state;
    struct limit_state limited;
    for (int64_t left = 2; left >= 0; left--) {
        limit_take(cache, "a", 3, START_MS + 30000, &limited);
        assert_false(limited.exceeded);
        assert_int_equal(limited.remaining, left);
        assert_int_equal(limited.wait_s, 30);
    }
    limit_take(cache, "a", 3, START_MS + 30000, &limited);
    assert_true(limited.exceeded);
    assert_int_equal(limited.remaining, 0);
    assert_int_equal(limited.wait_s, 30);
    limit_take(cache, "b", 3, START_MS + 30000, &limited);
    assert_false(limited.exceeded);
}

static void test_no_burst_at_the_change_of_the_minute(void **state)
{
    (void)state;
    assert_int_equal(take("a", 200, 100, START_MS + 59999), 100);
    assert_int_equal(take("a", 200, 100, START_MS + 60000), 0);
    assert_int_equal(take("a", 200, 100, START_MS + 90000), 50);  /* half of the former minute counts */
    assert_int_equal(take("a", 200, 100, START_MS + 119999), 49); /* and so on */
    assert_int_equal(take("a", 200, 100, START_MS + 240000), 100);
}

static void test_the_wait_that_is_told_is_enough(void **state)
{
    (void)state;
    int64_t now_ms = START_MS + 59000;
    assert_int_equal(take("a", 100, 100, now_ms), 100);
    now_ms += 2000;
    struct limit_state limited;
    limit_take(cache, "a", 100, now_ms, &limited);
    for (int tries = 0; limited.exceeded && tries < 5; tries++)
        limit_take(cache, "a", 100, now_ms += limited.wait_s * 1000, &limited);
    assert_false(limited.exceeded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts_down_and_refuses, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_no_burst_at_the_change_of_the_minute, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_the_wait_that_is_told_is_enough, open_cache, close_cache)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
