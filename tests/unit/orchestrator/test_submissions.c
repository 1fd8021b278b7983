/* What is submitted is handed out as it is, unless something may have been said of it that this orchestrator has not
 * heard: then the store is asked. */
#include "support/orchestrator_scene.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR_MS 3600000

/* The epoch at which it is handed out: 1, or 2 when the store was asked. `before`: it was in the queue already. */
static int epoch_of(bool before, int64_t created_ms)
{
    struct scene scene;
    scene_begin(&scene, before, created_ms);
    if (!before)
        scene_submit(&scene, created_ms);
    scene_until_work(&scene);
    int epoch = scene.epoch;
    scene_close(&scene);
    return epoch;
}

static void what_comes_later_is_handed_out_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(epoch_of(false, KIT_START_MS + HOUR_MS), 1);
}

/* The clock may have been set back since, or be behind the gateway's. */
static void of_what_was_there_before_the_store_is_asked(void **state)
{
    (void)state;
    assert_int_equal(epoch_of(true, KIT_START_MS + HOUR_MS), 2);
}

static void of_what_was_accepted_before_and_comes_late_the_store_is_asked(void **state)
{
    (void)state;
    assert_int_equal(epoch_of(false, KIT_START_MS - 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_later_is_handed_out_as_it_is),
        cmocka_unit_test(of_what_was_there_before_the_store_is_asked),
        cmocka_unit_test(of_what_was_accepted_before_and_comes_late_the_store_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
