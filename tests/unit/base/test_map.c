/* The hash map against an array that does the same slowly. */
#include "base/clock.h"
#include "base/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static void behaves_like_an_array(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    uintptr_t expected[200] = {0};
    struct rng rng = {.state = 7};
    size_t live = 0;
    for (int step = 0; step < 50000; step++) {
        unsigned k = (unsigned)rng_below(&rng, 200);
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", k);
        uintptr_t value = rng_below(&rng, 3) == 0 ? 0 : (uintptr_t)step + 1;
        assert_int_equal((uintptr_t)map_put(&map, key, (void *)value), expected[k]);
        live += (value != 0) - (expected[k] != 0);
        expected[k] = value;
        assert_int_equal(map.count, live);
        (void)snprintf(key, sizeof key, "k%u", (unsigned)rng_below(&rng, 200));
        unsigned other = 0;
        assert_int_equal(sscanf(key, "k%u", &other), 1);
        assert_int_equal((uintptr_t)map_get(&map, key), expected[other]);
    }
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(behaves_like_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
