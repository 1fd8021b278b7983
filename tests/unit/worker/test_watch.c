/* A worker near its memory limit says so, and gives work back. */
#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "metrics/process.h"
#include "nodes/node.h"
#include "support/engine_kit.h"
#include "worker/worker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    struct engine_kit kit;
    struct worker *worker;
    bool full;
    unsigned reports, returned;
};

static void on_report(void *user, const void *body, size_t size)
{
    struct scene *scene = user;
    struct json *report = NULL;
    struct error error;
    assert_int_equal(json_parse(body, size, &report, &error), ERR_OK);
    scene->full = json_get_bool(report, "full", false);
    assert_true(!scene->full || json_get_int(report, "memoryBytes", 0) > 0);
    scene->reports++;
    json_unref(report);
}

static void on_return(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    assert_string_equal(delivery->dead_reason, "rejected");
    scene->returned++;
    broker_ack(consumer, delivery->tag);
}

static void open_scene(struct scene *scene, int64_t memory_limit_bytes)
{
    struct error error;
    *scene = (struct scene){0};
    engine_kit_open(&scene->kit, "[]", "[]");
    assert_int_equal(queues_declare(scene->kit.connection, 1, &error), ERR_OK);
    broker_subscribe(scene->kit.connection, TOPIC_WORKERS, on_report, scene);
    assert_non_null(broker_consume(scene->kit.connection, QUEUE_REASSIGN, 10, on_return, scene));
    scene->worker = worker_new(&(struct worker_options){.id = "w",
                                                        .loop = scene->kit.loop,
                                                        .broker = scene->kit.broker,
                                                        .store = scene->kit.store,
                                                        .catalog = node_registry_catalog(),
                                                        .find_type = node_registry_find,
                                                        .capacity = 10,
                                                        .report_interval_ms = 100000,
                                                        .memory_limit_bytes = memory_limit_bytes});
    assert_int_equal(worker_start(scene->worker, &error), ERR_OK);
    engine_kit_pass(&scene->kit, 1000);
}

static void close_scene(struct scene *scene)
{
    worker_free(scene->worker);
    engine_kit_close(&scene->kit);
}

static void send_work(struct scene *scene)
{
    static const char work[] =
        "{\"v\":1,\"work\":[{\"id\":\"01977420-dc00-7422-8c70-158200bb127a\",\"flowId\":\"none\","
        "\"flowVersion\":1,\"epoch\":1}]}";
    broker_publish(scene->kit.connection, QUEUE_WORKER_PREFIX "w", 0, work, sizeof work - 1, NULL, NULL);
    engine_kit_pass(&scene->kit, 1000);
}

static void test_without_room_work_is_given_back(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 1 << 20); /* any process has more */
    assert_true(scene.reports >= 2);
    assert_true(scene.full);
    send_work(&scene);
    assert_int_equal(scene.returned, 1);
    close_scene(&scene);
}

static void test_with_room_it_is_taken(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, INT64_C(1) << 50);
    assert_false(scene.full);
    send_work(&scene);
    assert_int_equal(scene.returned, 0); /* a flow that has never been is an execution that fails */
    close_scene(&scene);
}

static void test_what_was_started_counts(void **state)
{
    (void)state;
    enum { BYTES = 48 << 20 };
    struct process_usage before, after;
    struct error error;
    int ready[2];
    assert_int_equal(process_tree_read("/proc", &before, &error), ERR_OK);
    assert_true(before.resident_bytes > 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *memory = malloc(BYTES);
        memset(memory, 1, BYTES);
        (void)!write(ready[1], memory, 1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(process_tree_read("/proc", &after, &error), ERR_OK);
    assert_true(after.resident_bytes - before.resident_bytes > BYTES / 2);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(process_tree_read("/nowhere", &after, &error), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_room_work_is_given_back),
                                       cmocka_unit_test(test_with_room_it_is_taken),
                                       cmocka_unit_test(test_what_was_started_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
