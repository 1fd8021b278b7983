/* While the platform's own store is away a node that needs it waits, within its attempt; it does not fail. */
#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "nodes/node.h"
#include "worker/worker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define START_MS INT64_C(1750000000000)
#define EXECUTION "01977420-dc00-7422-8c70-158200bb127a"
#define FLOW "01977420-dc00-7000-8000-000000000001"

struct scene {
    struct loop *loop;
    struct broker *broker;
    struct broker_connection *connection;
    struct store *store;
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

static void pass(struct scene *scene, int64_t ms)
{
    static int64_t now = START_MS;
    now += ms;
    while (loop_virtual_step(scene->loop, now)) {
    }
}

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    return store_flow_insert(session, arg, START_MS, reterr);
}

static void open_scene(struct scene *scene, unsigned away)
{
    static const char document[] =
        "{\"id\":\"" FLOW
        "\",\"name\":\"parent\",\"version\":1,\"status\":\"active\",\"createdBy\":\"test\",\"settings\":{},"
        "\"nodes\":[{\"id\":\"start\",\"type\":\"manual-trigger\",\"version\":\"1.0.0\",\"config\":{},\"position\":{"
        "\"x\":0,\"y\":0}},"
        "{\"id\":\"sub\",\"type\":\"sub-flow\",\"version\":\"1.0.0\",\"config\":{\"flow\":\"" FLOW
        "\",\"mode\":\"start\"},\"position\":{\"x\":0,\"y\":0}}],"
        "\"connections\":[{\"fromNodeId\":\"start\",\"fromOutput\":\"output\",\"toNodeId\":\"sub\",\"toInput\":"
        "\"input\"}]}";
    struct error error;
    AUTO_JSON struct json *flow = NULL;
    *scene = (struct scene){.loop = loop_virtual_new(START_MS), .away = away};
    scene->host = (struct node_host){.find_flow = find, .find_flow_user = scene};
    assert_int_equal(store_open("sqlite::memory:", &(struct store_options){.manual = true}, &scene->store, &error),
                     ERR_OK);
    assert_int_equal(json_parse(document, sizeof document - 1, &flow, &error), ERR_OK);
    assert_int_equal(store_write(scene->store, write_flow, flow, &error), ERR_OK);
    assert_int_equal(broker_open("memory:", "", &scene->broker, &error), ERR_OK);
    scene->connection = broker_connect(scene->broker, scene->loop);
    assert_int_equal(queues_declare(scene->connection, 1, &error), ERR_OK);
    assert_non_null(broker_consume(scene->connection, QUEUE_EVENTS_PREFIX "0", 10, on_events, scene));
    scene->worker = worker_new(&(struct worker_options){.id = "w",
                                                        .loop = scene->loop,
                                                        .broker = scene->broker,
                                                        .store = scene->store,
                                                        .shards = 1,
                                                        .catalog = node_registry_catalog(),
                                                        .find_type = node_registry_find,
                                                        .host = &scene->host,
                                                        .capacity = 10,
                                                        .report_interval_ms = 100000});
    assert_int_equal(worker_start(scene->worker, &error), ERR_OK);
    pass(scene, 1000);
    static const char work[] = "{\"v\":1,\"work\":[{\"id\":\"" EXECUTION "\",\"flowId\":\"" FLOW
                               "\",\"flowVersion\":1,\"epoch\":1,\"triggerType\":\"manual\"}]}";
    broker_publish(scene->connection, QUEUE_WORKER_PREFIX "w", 0, work, sizeof work - 1, NULL, NULL);
}

static void close_scene(struct scene *scene)
{
    worker_free(scene->worker);
    broker_disconnect(scene->connection);
    pass(scene, 1000);
    broker_close(scene->broker);
    store_close(scene->store);
    loop_free(scene->loop);
}

static void test_it_waits_for_the_store(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 5);
    pass(&scene, 1000);
    assert_true(scene.asked > 0 && scene.asked <= 5);
    assert_string_equal(scene.status, "");
    pass(&scene, 10000);
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
    pass(&scene, 2000);
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
