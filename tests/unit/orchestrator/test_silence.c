/* A worker that is silent loses what it has, once; one that is full is asked ever less often. */
#include "support/orchestrator_scene.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void who_is_silent_loses_its_work_once(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    engine_kit_pass(&scene.kit, SCENE_TIMEOUT_MS - 1000);
    scene_expect(&scene, 1, 1);
    engine_kit_pass(&scene.kit, SCENE_TIMEOUT_MS);
    scene_expect(&scene, 0, 2); /* and waits for a worker */
    scene_report(&scene);
    engine_kit_pass(&scene.kit, 1000);
    assert_int_equal(scene.epoch, 3);
    scene_expect(&scene, 1, 2);
    scene_close(&scene);
}

/* Each offer costs a hand-over and an epoch: 50 a second would be for nothing. */
static void who_is_full_is_asked_less_and_less(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    scene.refuses = true;
    scene.active = 5;
    engine_kit_pass(&scene.kit, 2 * SCENE_TIMEOUT_MS); /* silent: it loses what it has */
    scene_report(&scene);
    int first = 0;
    for (int i = 0; i < 20; i++) {
        engine_kit_pass(&scene.kit, 500);
        scene_report(&scene);
        if (i == 0)
            first = scene.epoch;
    }
    assert_in_range(scene.epoch, first + 5, first + 25); /* 9.5 s */
    int last = scene.epoch;
    scene.refuses = false;
    scene.active = 1;
    scene_report(&scene);
    engine_kit_pass(&scene.kit, 2000);
    assert_int_equal(scene.epoch, last + 1); /* room again: the next offer is taken */
    scene_expect(&scene, 1, (uint64_t)scene.epoch - 1);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_silent_loses_its_work_once),
                                       cmocka_unit_test(who_is_full_is_asked_less_and_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
