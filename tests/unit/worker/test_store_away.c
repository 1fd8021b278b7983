/* While the platform's own store is away a node that needs it waits, within its attempt; it does not fail. */
#include "base/mem.h"
#include "broker/messages.h"
#include "nodes/node.h"
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
    struct node_host host;
    unsigned away, asked; /* the store is away for so many questions */
    char status[16];      /* with which it finished; empty: not yet */
    int attempts;         /* of the node that needs the store, as the history tells */
};

static enum err find(void *user, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES], int *ret_version,
                     struct error *reterr)
{
    struct scene *scene = user;
    scene->asked++;
    if (scene->asked <= scene->away)
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The connection to the database is lost.");
    (void)snprintf(ret_id, NODE_FLOW_ID_BYTES, "%s", flow);
    *ret_version = version == 0 ? 1 : version;
    return ERR_OK;
}

static void on_events(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    AUTO_JSON struct json *message = NULL;
    struct error error;
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    const struct json *events = json_get(message, "events");
    for (size_t i = 0; i < json_count(events); i++) {
        const struct json *event = json_at(events, i);
        if (strcmp(json_get_str(event, "kind"), "finished") == 0)
            (void)snprintf(scene->status, sizeof scene->status, "%s", json_get_str(event, "status"));
        if (strcmp(json_get_str(event, "kind"), "checkpoint") == 0 && strcmp(json_get_str(event, "nodeId"), "sub") == 0)
            scene->attempts = (int)json_get_int(event, "attempt", 0);
    }
    broker_ack(consumer, delivery->tag);
}

static void open_scene(struct scene *scene, unsigned away)
{
    *scene = (struct scene){.away = away};
    scene->host = (struct node_host){.find_flow = find, .find_flow_user = scene};
    engine_kit_open(
        &scene->kit,
        "[" KIT_TRIGGER ","
        "{\"id\":\"sub\",\"type\":\"sub-flow\",\"version\":\"1.0.0\",\"config\":{\"flow\":\"" KIT_FLOW
        "\",\"mode\":\"start\"},\"position\":{\"x\":0,\"y\":0}}]",
        "[{\"fromNodeId\":\"start\",\"fromOutput\":\"output\",\"toNodeId\":\"sub\",\"toInput\":\"input\"}]");
    scene->worker = engine_kit_worker(&scene->kit, &scene->host, on_events, scene);
    static const char work[] = "{\"v\":1,\"work\":[{\"id\":\"" KIT_EXECUTION "\",\"flowId\":\"" KIT_FLOW
                               "\",\"flowVersion\":1,\"epoch\":1,\"triggerType\":\"manual\"}]}";
    broker_publish(scene->kit.connection, QUEUE_WORKER_PREFIX "w", 0, work, sizeof work - 1, NULL, NULL);
}

static void close_scene(struct scene *scene)
{
    worker_free(scene->worker);
    engine_kit_close(&scene->kit);
}

static void test_it_waits_for_the_store(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 5);
    engine_kit_pass(&scene.kit, 1000);
    assert_true(scene.asked > 0 && scene.asked <= 5);
    assert_string_equal(scene.status, "");
    engine_kit_pass(&scene.kit, 10000);
    assert_int_equal(scene.asked, 6);
    assert_string_equal(scene.status, "success");
    assert_int_equal(scene.attempts, 1);
    close_scene(&scene);
}

static void test_it_can_be_left_while_it_waits(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 1000);
    engine_kit_pass(&scene.kit, 2000);
    assert_true(scene.asked > 1);
    assert_string_equal(scene.status, "");
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_waits_for_the_store),
                                       cmocka_unit_test(test_it_can_be_left_while_it_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
