/* The fixture of the store's contract and the group of all its tests. */
#include "support/store_contract/fixture.h"

enum { TESTS_MAX = 128 };

static const struct store_contract *under_test; /* cmocka hands no argument through to a test's set-up */

int store_contract_set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    f->contract = under_test;
    f->contract->reset(f->contract->url);
    assert_ok(store_open(f->contract->url, &(struct store_options){.manual = f->contract->manual}, &f->store, &error_));
    *state = f;
    return 0;
}

int store_contract_tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->contract->reset(f->contract->url);
    free(f);
    return 0;
}

int store_contract_run(const struct store_contract *contract)
{
    static const struct CMUnitTest *const parts[] = {
        store_contract_flows,     store_contract_executions, store_contract_events,
        store_contract_operation, store_contract_control,    store_contract_limits,
        store_contract_waits,     store_contract_commit,     store_contract_threads};
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const struct CMUnitTest *test = parts[i]; test->name != NULL; test++) {
            if (count == TESTS_MAX)
                abort(); /* enlarge it */
            tests[count++] = *test;
        }
    under_test = contract;
    return _cmocka_run_group_tests(contract->name, tests, count, NULL, NULL);
}
