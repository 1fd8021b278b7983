/* What a person said of an execution may be heard while it waits for a worker, and the taking back of it may never be
 * (docs/decisions/0160). */
#include "base/mem.h"
#include "broker/messages.h"
#include "support/orchestrator_scene.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static int open_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);
    scene_open(scene);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    scene_close(scene);
    mem_free_ptr(&scene);
    return 0;
}

/* The worker loses it; the store was asked for it, and nobody is there who takes it. */
static void take_away(struct scene *scene)
{
    engine_kit_pass(&scene->kit, 2 * SCENE_TIMEOUT_MS);
    scene_expect(scene, 0, (uint64_t)scene->epoch);
}

static bool is_handed_out_paused(struct scene *scene)
{
    int before = scene->epoch;
    scene_report(scene);
    engine_kit_pass(&scene->kit, 1000);
    assert_int_equal(scene->epoch, before + 1);
    return scene->paused;
}

static enum err write_pause(struct store_session *session, void *arg, struct error *reterr)
{
    return store_execution_pause(session, KIT_EXECUTION, ((const struct scene *)arg)->kit.now, reterr);
}

static void what_is_heard_meanwhile_goes_along(void **state)
{
    struct scene *scene = *state;
    take_away(scene);
    engine_kit_say(&scene->kit, "pause");
    assert_true(is_handed_out_paused(scene));
}

/* The store does not know of the pause (any more): it would stop the execution each time that it comes back. */
static void a_resume_that_is_not_heard_holds(void **state)
{
    struct scene *scene = *state;
    take_away(scene);
    engine_kit_say(&scene->kit, "pause");
    assert_true(is_handed_out_paused(scene));
    take_away(scene);
    assert_false(is_handed_out_paused(scene));
}

static void a_pause_that_is_not_heard_holds(void **state)
{
    struct scene *scene = *state;
    struct error error;
    engine_kit_say(&scene->kit, "resume");
    assert_int_equal(store_write(scene->kit.store, write_pause, scene, &error), ERR_OK);
    take_away(scene);
    assert_true(is_handed_out_paused(scene));
}

/* A cancel is final: what was loaded before it is not handed out. */
static void a_cancel_is_kept(void **state)
{
    struct scene *scene = *state;
    take_away(scene);
    int before = scene->epoch;
    engine_kit_say(&scene->kit, "cancel");
    scene_report(scene);
    engine_kit_pass(&scene->kit, 1000);
    assert_int_equal(scene->epoch, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_heard_meanwhile_goes_along, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_resume_that_is_not_heard_holds, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_pause_that_is_not_heard_holds, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_cancel_is_kept, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
