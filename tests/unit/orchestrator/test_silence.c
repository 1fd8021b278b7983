/* A worker that is silent loses what it has, once; one that is full is asked ever less often. */
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
#include <string.h>

#define QUEUE QUEUE_WORKER_PREFIX "w"
#define TIMEOUT_MS 5000
#define PATIENCE_MS 30000 /* of the virtual clock */

struct scene {
    struct engine_kit kit;
    struct orchestrator *orchestrator;
    int epoch; /* of the work that came last; 0: none */
    int active, progress;
    bool refuses;
};

static void report(struct scene *scene)
{
    AUTO_FREE char *text =
        mem_printf("{\"v\":1,\"id\":\"w\",\"capacity\":5,\"active\":%d,\"progress\":%d,\"intervalMs\":1000}",
                   scene->active, ++scene->progress);
    broker_broadcast(scene->kit.connection, TOPIC_WORKERS, text, strlen(text));
}

static void on_work(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    AUTO_JSON struct json *message = NULL;
    struct error error = {0};
    if (scene->refuses)
        broker_nack(consumer, delivery->tag, false);
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    scene->epoch = (int)json_get_int(json_at(json_get(message, "work"), 0), "epoch", 0);
}

static void submit(struct scene *scene)
{
    static const char text[] = "{\"v\":1,\"work\":[{\"id\":\"" KIT_EXECUTION "\",\"flowId\":\"" KIT_FLOW
                               "\",\"flowVersion\":1,\"epoch\":1,\"trigger\":\"manual\",\"createdMs\":1}]}";
    broker_publish(scene->kit.connection, QUEUE_SUBMIT_PREFIX "0", 1, text, sizeof text - 1, NULL, NULL);
}

/* One of several orchestrators, with a worker that has the execution. */
static void open_scene(struct scene *scene)
{
    struct error error = {0};
    *scene = (struct scene){.active = 1};
    engine_kit_open(&scene->kit, "[]", "[]");
    engine_kit_insert(&scene->kit);
    scene->orchestrator = orchestrator_new(&(struct orchestrator_options){.id = "o",
                                                                          .loop = scene->kit.loop,
                                                                          .broker = scene->kit.broker,
                                                                          .store = scene->kit.store,
                                                                          .shards = 1,
                                                                          .worker_timeout_ms = TIMEOUT_MS,
                                                                          .strategy = "round_robin"});
    assert_int_equal(orchestrator_start(scene->orchestrator, &error), ERR_OK);
    engine_kit_pass(&scene->kit, 2000);
    assert_int_equal(queues_declare_worker(scene->kit.connection, QUEUE, &error), ERR_OK);
    assert_non_null(broker_consume(scene->kit.connection, QUEUE, 5, on_work, scene));
    submit(scene);
    for (int64_t end = scene->kit.now + PATIENCE_MS; scene->epoch == 0 && scene->kit.now < end;) {
        report(scene);
        engine_kit_pass(&scene->kit, 200);
    }
    assert_int_equal(scene->epoch, 2); /* it was accepted before the shard was this orchestrator's */
    scene->epoch = 0;
}

static void close_scene(struct scene *scene)
{
    orchestrator_free(scene->orchestrator);
    engine_kit_close(&scene->kit);
}

static void expect(struct scene *scene, size_t in_flight, uint64_t reassigned)
{
    struct orchestrator_stats stats;
    orchestrator_stats(scene->orchestrator, &stats);
    assert_int_equal(stats.in_flight, in_flight);
    assert_int_equal(stats.reassigned, reassigned);
}

static void who_is_silent_loses_its_work_once(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    engine_kit_pass(&scene.kit, TIMEOUT_MS - 1000);
    expect(&scene, 1, 1);
    engine_kit_pass(&scene.kit, TIMEOUT_MS);
    expect(&scene, 0, 2); /* and waits for a worker */
    report(&scene);
    engine_kit_pass(&scene.kit, 1000);
    assert_int_equal(scene.epoch, 3);
    expect(&scene, 1, 2);
    close_scene(&scene);
}

/* Each offer costs a hand-over and an epoch: 50 a second would be for nothing. */
static void who_is_full_is_asked_less_and_less(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.refuses = true;
    scene.active = 5;
    engine_kit_pass(&scene.kit, 2 * TIMEOUT_MS); /* silent: it loses what it has */
    report(&scene);
    int first = 0;
    for (int i = 0; i < 20; i++) {
        engine_kit_pass(&scene.kit, 500);
        report(&scene);
        if (i == 0)
            first = scene.epoch;
    }
    assert_in_range(scene.epoch, first + 5, first + 25); /* 9.5 s */
    int last = scene.epoch;
    scene.refuses = false;
    scene.active = 1;
    report(&scene);
    engine_kit_pass(&scene.kit, 2000);
    assert_int_equal(scene.epoch, last + 1); /* room again: the next offer is taken */
    expect(&scene, 1, (uint64_t)scene.epoch - 1);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_silent_loses_its_work_once),
                                       cmocka_unit_test(who_is_full_is_asked_less_and_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
