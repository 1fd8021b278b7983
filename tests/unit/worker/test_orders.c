/* What a person said to a run may be heard before its work comes, and the taking back of it may never be. */
#include "base/mem.h"
#include "broker/messages.h"
#include "support/engine_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

struct scene {
    struct engine_kit kit;
    struct worker *worker;
    char left[16]; /* how the run left the worker the last time: parked, or the status that it finished with */
};

static void on_events(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    AUTO_JSON struct json *message = NULL;
    struct error error;
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    const struct json *events = json_get(message, "events");
    for (size_t i = 0; i < json_count(events); i++) {
        const char *kind = json_get_str(json_at(events, i), "kind"), *left = kind;
        if (strcmp(kind, "finished") == 0)
            left = json_get_str(json_at(events, i), "status");
        if (left != kind || strcmp(kind, "parked") == 0)
            (void)snprintf(scene->left, sizeof scene->left, "%s", left);
    }
    broker_ack(consumer, delivery->tag);
}

static int open_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);
    engine_kit_open(&scene->kit, "[" KIT_TRIGGER "]", "[]");
    scene->worker = engine_kit_worker(&scene->kit, NULL, on_events, scene);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    worker_free(scene->worker);
    engine_kit_close(&scene->kit);
    mem_free_ptr(&scene);
    return 0;
}

static const char *work(struct scene *scene, int epoch, bool paused)
{
    AUTO_FREE char *text =
        mem_printf("{\"v\":1,\"work\":[{\"id\":\"" KIT_EXECUTION "\",\"flowId\":\"" KIT_FLOW
                   "\",\"flowVersion\":1,\"epoch\":%d,\"trigger\":\"manual\",\"createdMs\":1,\"paused\":%s}]}",
                   epoch, paused ? "true" : "false");
    scene->left[0] = '\0';
    broker_publish(scene->kit.connection, QUEUE_WORKER_PREFIX "w", 1, text, strlen(text), NULL, NULL);
    engine_kit_pass(&scene->kit, 1000);
    return scene->left;
}

static void test_a_pause_may_come_before_the_work(void **state)
{
    struct scene *scene = *state;
    engine_kit_say(&scene->kit, "pause");
    assert_string_equal(work(scene, 1, false), "parked");
}

/* What has parked goes on only after a resume, heard or not: the store says so. */
static void test_a_resume_that_is_not_heard_holds(void **state)
{
    struct scene *scene = *state;
    engine_kit_say(&scene->kit, "pause");
    assert_string_equal(work(scene, 1, false), "parked");
    assert_string_equal(work(scene, 2, false), "success");
}

static void test_a_pause_that_is_not_heard_holds(void **state)
{
    struct scene *scene = *state;
    engine_kit_say(&scene->kit, "resume");
    assert_string_equal(work(scene, 1, true), "parked");
}

/* Who sent it may not have heard of the cancel, and counts it as the worker's until told. */
static void test_what_was_cancelled_before_is_told(void **state)
{
    struct scene *scene = *state;
    engine_kit_say(&scene->kit, "cancel");
    assert_string_equal(work(scene, 1, false), "cancelled");
    assert_int_equal(broker_queue_unacked(scene->kit.broker, QUEUE_WORKER_PREFIX "w"), 0);
    assert_string_equal(work(scene, 2, false), "cancelled"); /* it stays so */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pause_may_come_before_the_work, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_a_resume_that_is_not_heard_holds, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_a_pause_that_is_not_heard_holds, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_what_was_cancelled_before_is_told, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
