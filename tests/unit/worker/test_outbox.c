/* How a worker's events go together: one message of a shard at a time, and a rest after it. The broker confirms each
 * message of events after CONFIRM_MS. */
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

#define CONFIRM_MS 20
#define MESSAGES_MAX 16

struct scene {
    struct engine_kit kit;
    struct worker *worker;
    int next;                      /* number of the next execution */
    size_t count;                  /* messages of events that have come */
    size_t ends[MESSAGES_MAX];     /* of each: how many executions it ends */
    int64_t came_ms[MESSAGES_MAX]; /* since KIT_START_MS */
};

static void on_events(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    AUTO_JSON struct json *message = NULL;
    struct error error;
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    assert_true(scene->count < MESSAGES_MAX);
    const struct json *events = json_get(message, "events");
    for (size_t i = 0; i < json_count(events); i++)
        scene->ends[scene->count] += strcmp(json_get_str(json_at(events, i), "kind"), "finished") == 0;
    scene->came_ms[scene->count++] = loop_now_ms(scene->kit.loop) - KIT_START_MS;
    broker_ack(consumer, delivery->tag);
}

static int delay_events(void *user, const char *queue)
{
    (void)user;
    return strncmp(queue, QUEUE_EVENTS_PREFIX, sizeof QUEUE_EVENTS_PREFIX - 1) == 0 ? 3 : 0;
}

static int open_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);
    engine_kit_open(&scene->kit, "[" KIT_TRIGGER "]", "[]");
    scene->worker = engine_kit_worker(&scene->kit, NULL, on_events, scene);
    broker_set_fault_hook(scene->kit.broker, delay_events, NULL);
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

/* An execution that ends in the turn of the loop in which it comes; then the time given. */
static void work(struct scene *scene, const char *trigger, int64_t pass_ms)
{
    AUTO_FREE char *text =
        mem_printf("{\"v\":1,\"work\":[{\"id\":\"01a20f48-c81a-78e6-8438-%012d\",\"flowId\":\"" KIT_FLOW
                   "\",\"flowVersion\":1,\"epoch\":1,\"trigger\":\"%s\",\"createdMs\":1}]}",
                   ++scene->next, trigger);
    broker_publish(scene->kit.connection, QUEUE_WORKER_PREFIX "w", 1, text, strlen(text), NULL, NULL);
    engine_kit_step(&scene->kit);
    engine_kit_pass(&scene->kit, pass_ms);
}

static void test_what_comes_while_a_message_is_under_way_goes_together(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 5; i++)
        work(scene, "manual", 10);
    engine_kit_pass(&scene->kit, 1000);
    assert_int_equal(scene->count, 2);
    assert_int_equal(scene->ends[0], 1);
    assert_int_equal(scene->ends[1], 4);
}

static void test_it_rests_for_twice_as_long_as_the_confirm_took(void **state)
{
    struct scene *scene = *state;
    work(scene, "manual", CONFIRM_MS + 1);
    assert_int_equal(scene->count, 1);
    work(scene, "manual", CONFIRM_MS / 2);
    work(scene, "manual", 1000);
    assert_int_equal(scene->count, 2);
    assert_int_equal(scene->ends[1], 2);
    assert_in_range(scene->came_ms[1] - scene->came_ms[0], 3 * CONFIRM_MS, 3 * CONFIRM_MS + 2);
}

static void test_who_comes_after_the_rest_waits_for_nothing(void **state)
{
    struct scene *scene = *state;
    work(scene, "manual", 1000);
    work(scene, "manual", CONFIRM_MS + 1);
    assert_int_equal(scene->count, 2);
}

static void test_what_somebody_waits_for_takes_the_others_along(void **state)
{
    struct scene *scene = *state;
    work(scene, "manual", CONFIRM_MS + 1);
    work(scene, "manual", 10);
    work(scene, "webhook", CONFIRM_MS + 1);
    assert_int_equal(scene->count, 2);
    assert_int_equal(scene->ends[1], 2);
    work(scene, "manual", CONFIRM_MS); /* the next one rests again */
    assert_int_equal(scene->count, 2);
    engine_kit_pass(&scene->kit, 1000);
    assert_int_equal(scene->count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_comes_while_a_message_is_under_way_goes_together, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(test_it_rests_for_twice_as_long_as_the_confirm_took, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_who_comes_after_the_rest_waits_for_nothing, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_what_somebody_waits_for_takes_the_others_along, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
