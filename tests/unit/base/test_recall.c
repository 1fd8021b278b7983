/* A bounded memory of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/recall.h"
#include <stdio.h>

static void test_the_oldest_are_forgotten(void **state)
{
    (void)state;
    struct recall recall;
    char key[16];
    recall_init(&recall, 3);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        recall_put(&recall, key, i);
    }
    assert_int_equal(recall_get(&recall, "k6"), -1);
    assert_int_equal(recall_get(&recall, "k7"), 7);
    assert_int_equal(recall_get(&recall, "k9"), 9);
    recall_put(&recall, "k7", 0); /* known: replaced in its place, nothing is pushed out */
    assert_int_equal(recall_get(&recall, "k7"), 0);
    assert_int_equal(recall_get(&recall, "k8"), 8);
    recall_done(&recall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_oldest_are_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
