/* An execution that loses its worker again and again fails, and a dead letter says so; one that gets on, or that is
 * only refused, does not. */
#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "orchestrator/orchestrator.h"
#include "support/engine_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define QUEUE QUEUE_WORKER_PREFIX "w"
#define LIMIT 3
#define PATIENCE_MS 30000 /* of the virtual clock */

struct scene {
    struct engine_kit kit;
    struct broker_connection *worker;
    struct broker_consumer *consumer;
    struct orchestrator *orchestrator;
    uint64_t tag;
    int epoch; /* of the work that came; 0: none */
};

static void on_work(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    struct json *message = NULL;
    struct error error = {0};
    (void)consumer;
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    scene->tag = delivery->tag;
    scene->epoch = (int)json_get_int(json_at(json_get(message, "work"), 0), "epoch", 0);
    json_unref(message);
}

static void report(struct scene *scene)
{
    static const char text[] = "{\"v\":1,\"id\":\"w\",\"capacity\":5,\"active\":0,\"progress\":1,\"intervalMs\":1000}";
    broker_broadcast(scene->kit.connection, TOPIC_WORKERS, text, sizeof text - 1);
}

static void start_worker(struct scene *scene)
{
    struct error error = {0};
    scene->worker = broker_connect(scene->kit.broker, scene->kit.loop);
    assert_int_equal(queues_declare_worker(scene->worker, QUEUE, &error), ERR_OK);
    scene->consumer = broker_consume(scene->worker, QUEUE, 5, on_work, scene);
    assert_non_null(scene->consumer);
    engine_kit_pass(&scene->kit, 100);
    report(scene);
}

static bool has_work(struct scene *scene)
{
    for (int64_t end = scene->kit.now + PATIENCE_MS; scene->epoch == 0 && scene->kit.now < end;) {
        report(scene);
        engine_kit_pass(&scene->kit, 200);
    }
    return scene->epoch > 0;
}

/* It has the work, and dies of it. */
static void lose_worker(struct scene *scene)
{
    scene->epoch = 0;
    broker_disconnect(scene->worker);
    scene->worker = NULL;
    engine_kit_pass(&scene->kit, 500);
}

static void open_scene(struct scene *scene, unsigned limit)
{
    struct error error = {0};
    *scene = (struct scene){0};
    engine_kit_open(&scene->kit, "[]", "[]");
    engine_kit_insert(&scene->kit);
    scene->orchestrator = orchestrator_new(&(struct orchestrator_options){.loop = scene->kit.loop,
                                                                          .broker = scene->kit.broker,
                                                                          .store = scene->kit.store,
                                                                          .worker_timeout_ms = 600000,
                                                                          .loss_limit = limit,
                                                                          .strategy = "round_robin"});
    assert_int_equal(orchestrator_start(scene->orchestrator, &error), ERR_OK); /* it takes over what is unfinished */
    engine_kit_pass(&scene->kit, 2000);
    start_worker(scene);
}

static void close_scene(struct scene *scene)
{
    orchestrator_free(scene->orchestrator);
    broker_disconnect(scene->worker);
    engine_kit_close(&scene->kit);
}

/* The execution; `letters` of it. */
static struct json *look(struct scene *scene, struct json **letters)
{
    struct store_session *session;
    struct error error = {0};
    struct json *execution = NULL;
    assert_int_equal(store_read_begin(scene->kit.store, &session, &error), ERR_OK);
    assert_int_equal(store_execution_load(session, KIT_EXECUTION, &execution, &error), ERR_OK);
    assert_int_equal(store_all(session, STORE_DEAD_LETTERS, letters, &error), ERR_OK);
    store_read_end(scene->kit.store, session);
    return execution;
}

static void expect_unfinished(struct scene *scene)
{
    AUTO_JSON struct json *letters = NULL, *execution = look(scene, &letters);
    assert_string_not_equal(json_get_str(execution, "status"), "failed");
    assert_int_equal(json_count(letters), 0);
}

static void what_brings_its_workers_down_is_given_up(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, LIMIT);
    for (int i = 0; i < LIMIT; i++) {
        assert_true(has_work(&scene));
        if (i < LIMIT - 1)
            expect_unfinished(&scene);
        lose_worker(&scene);
        start_worker(&scene);
    }
    assert_false(has_work(&scene));
    AUTO_JSON struct json *letters = NULL, *execution = look(&scene, &letters);
    assert_string_equal(json_get_str(execution, "status"), "failed");
    const struct json *letter = json_at(letters, 0);
    assert_int_equal(json_count(letters), 1);
    assert_string_equal(json_get_str(letter, "executionId"), KIT_EXECUTION);
    assert_string_equal(json_get_str(letter, "status"), "open");
    assert_non_null(strstr(json_get_str(letter, "reason"), "lost 3 times in a row"));
    assert_non_null(strstr(json_get_str(letter, "payload"), KIT_EXECUTION));
    assert_false(json_has(letter, "queue"));
    close_scene(&scene);
}

static void what_gets_on_is_not(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, LIMIT);
    for (int i = 0; i < 2 * LIMIT; i++) {
        assert_true(has_work(&scene));
        if (i % 2 == 1) {
            AUTO_FREE char *step =
                mem_printf("{\"v\":1,\"worker\":\"w\",\"events\":[{\"kind\":\"checkpoint\",\"id\":\"" KIT_EXECUTION
                           "\",\"epoch\":%d,\"at\":%lld,\"nodeId\":\"n\",\"state\":\"success\"}]}",
                           scene.epoch, (long long)scene.kit.now);
            broker_publish(scene.kit.connection, QUEUE_EVENTS_PREFIX "0", 0, step, strlen(step), NULL, NULL);
            engine_kit_pass(&scene.kit, 200);
        }
        lose_worker(&scene);
        start_worker(&scene);
    }
    assert_true(has_work(&scene));
    expect_unfinished(&scene);
    close_scene(&scene);
}

static void who_refuses_is_not_lost(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, LIMIT);
    for (int i = 0; i < 2 * LIMIT; i++) {
        assert_true(has_work(&scene));
        scene.epoch = 0;
        broker_nack(scene.consumer, scene.tag, false);
        engine_kit_pass(&scene.kit, 500);
    }
    assert_true(has_work(&scene));
    expect_unfinished(&scene);
    close_scene(&scene);
}

static void without_a_limit_it_goes_on(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    for (int i = 0; i < 15; i++) {
        assert_true(has_work(&scene));
        lose_worker(&scene);
        start_worker(&scene);
    }
    assert_true(has_work(&scene));
    expect_unfinished(&scene);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_brings_its_workers_down_is_given_up),
                                       cmocka_unit_test(what_gets_on_is_not), cmocka_unit_test(who_refuses_is_not_lost),
                                       cmocka_unit_test(without_a_limit_it_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
