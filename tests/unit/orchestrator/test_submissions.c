/* What is submitted is handed out as it is, unless something may have been said of it that this orchestrator has not
 * heard: then the store is asked. */
#include "support/orchestrator_scene.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static void what_comes_later_is_handed_out_as_it_is(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, false, 0);
    scene_submit(&scene, scene.kit.now);
    scene_until_work(&scene);
    assert_int_equal(scene.epoch, 1);
    scene_close(&scene);
}

/* The clock may have been set back since, or be behind the gateway's. */
static void of_what_was_there_before_the_store_is_asked(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, true, KIT_START_MS + HOUR_MS);
    scene_until_work(&scene);
    assert_int_equal(scene.epoch, 2);
    scene_close(&scene);
}

static void of_what_was_accepted_before_and_comes_late_the_store_is_asked(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, false, 0);
    scene_submit(&scene, KIT_START_MS - 1);
    scene_until_work(&scene);
    assert_int_equal(scene.epoch, 2);
    scene_close(&scene);
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
