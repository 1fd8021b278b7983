#include "support/orchestrator_scene.h"

#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define QUEUE QUEUE_WORKER_PREFIX "w"
#define PATIENCE_MS 30000 /* of the virtual clock */

void scene_report(struct scene *scene)
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
    const struct json *work = json_at(json_get(message, "work"), 0);
    scene->epoch = (int)json_get_int(work, "epoch", 0);
    scene->paused = json_get_bool(work, "paused", false);
}

void scene_submit(struct scene *scene, int64_t created_ms)
{
    AUTO_FREE char *text = mem_printf("{\"v\":1,\"work\":[{\"id\":\"" KIT_EXECUTION "\",\"flowId\":\"" KIT_FLOW
                                      "\",\"flowVersion\":1,\"epoch\":1,\"trigger\":\"manual\",\"createdMs\":%lld}]}",
                                      (long long)created_ms);
    broker_publish(scene->kit.connection, QUEUE_SUBMIT_PREFIX "0", 1, text, strlen(text), NULL, NULL);
}

void scene_begin(struct scene *scene, bool submitted, int64_t created_ms)
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
                                                                          .worker_timeout_ms = SCENE_TIMEOUT_MS,
                                                                          .strategy = "round_robin"});
    assert_int_equal(orchestrator_start(scene->orchestrator, &error), ERR_OK);
    if (submitted)
        scene_submit(scene, created_ms);
    engine_kit_pass(&scene->kit, 2000);
    assert_int_equal(queues_declare_worker(scene->kit.connection, QUEUE, &error), ERR_OK);
    assert_non_null(broker_consume(scene->kit.connection, QUEUE, 5, on_work, scene));
}

void scene_until_work(struct scene *scene)
{
    for (int64_t end = scene->kit.now + PATIENCE_MS; scene->epoch == 0 && scene->kit.now < end;) {
        scene_report(scene);
        engine_kit_pass(&scene->kit, 200);
    }
}

void scene_open(struct scene *scene)
{
    scene_begin(scene, false, 0);
    scene_submit(scene, 1);
    scene_until_work(scene);
    assert_int_equal(scene->epoch, 2); /* it was accepted before the shard was this orchestrator's */
}

void scene_close(struct scene *scene)
{
    orchestrator_free(scene->orchestrator);
    engine_kit_close(&scene->kit);
}

void scene_expect(const struct scene *scene, size_t in_flight, uint64_t reassigned)
{
    struct orchestrator_stats stats;
    orchestrator_stats(scene->orchestrator, &stats);
    assert_int_equal(stats.in_flight, in_flight);
    assert_int_equal(stats.reassigned, reassigned);
}
