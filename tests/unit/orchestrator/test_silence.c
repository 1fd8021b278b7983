/* A worker that is silent loses what it has, once. */
#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "orchestrator/orchestrator.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define START_MS INT64_C(1750000000000)
#define EXECUTION "01a20f48-c81a-78e6-8438-9674670d7159"
#define FLOW "01a20f48-c7e6-7aac-8e22-94bbacee6be7"
#define QUEUE QUEUE_WORKER_PREFIX "w"
#define TIMEOUT_MS 5000
#define PATIENCE_MS 30000 /* of the virtual clock */

struct scene {
    struct loop *loop;
    struct store *store;
    struct broker *broker;
    struct broker_connection *connection;
    struct orchestrator *orchestrator;
    int64_t now;
    int epoch; /* of the work that came last; 0: none */
    int progress;
};

static void step(struct scene *scene)
{
    while (loop_virtual_step(scene->loop, scene->now) || store_pump(scene->store) > 0)
        ;
}

static void pass(struct scene *scene, int64_t ms)
{
    for (int64_t end = scene->now + ms; scene->now < end; scene->now += 10)
        step(scene);
}

static void report(struct scene *scene)
{
    AUTO_FREE char *text = mem_printf(
        "{\"v\":1,\"id\":\"w\",\"capacity\":5,\"active\":1,\"progress\":%d,\"intervalMs\":1000}", ++scene->progress);
    broker_broadcast(scene->connection, TOPIC_WORKERS, text, strlen(text));
}

static void on_work(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    AUTO_JSON struct json *message = NULL;
    struct error error = {0};
    (void)consumer;
    assert_int_equal(message_parse(delivery->body, delivery->size, &message, &error), ERR_OK);
    scene->epoch = (int)json_get_int(json_at(json_get(message, "work"), 0), "epoch", 0);
}

static enum err write_rows(struct store_session *session, void *arg, struct error *reterr)
{
    (void)arg;
    static const char text[] =
        "{\"id\":\"" FLOW "\",\"name\":\"f\",\"version\":1,\"status\":\"active\",\"createdBy\":\"x\","
        "\"settings\":{},\"nodes\":[],\"connections\":[]}";
    AUTO_JSON struct json *flow = NULL;
    assert_int_equal(json_parse(text, sizeof text - 1, &flow, reterr), ERR_OK);
    enum err code = store_flow_insert(session, flow, START_MS, reterr);
    if (code == ERR_OK)
        code = store_execution_insert(session,
                                      &(struct store_execution){.id = EXECUTION,
                                                                .flow_id = FLOW,
                                                                .flow_version = 1,
                                                                .trigger = "manual",
                                                                .priority = 1,
                                                                .created_ms = START_MS},
                                      reterr);
    return code;
}

static void on_done(void *user, enum err code, const struct error *error)
{
    if (code != ERR_OK)
        fail_msg("%s (%s)", error->message, error->field);
    *(bool *)user = true;
}

static void submit(struct scene *scene)
{
    static const char text[] = "{\"v\":1,\"work\":[{\"id\":\"" EXECUTION "\",\"flowId\":\"" FLOW
                               "\",\"flowVersion\":1,\"epoch\":1,\"trigger\":\"manual\",\"createdMs\":1}]}";
    broker_publish(scene->connection, QUEUE_SUBMIT_PREFIX "0", 1, text, sizeof text - 1, NULL, NULL);
}

/* One of several orchestrators, with a worker that has the execution. */
static void open_scene(struct scene *scene)
{
    struct error error = {0};
    bool done = false;
    *scene = (struct scene){.loop = loop_virtual_new(START_MS), .now = START_MS};
    assert_int_equal(store_open("sqlite::memory:", &(struct store_options){.manual = true}, &scene->store, &error),
                     ERR_OK);
    store_write_async(scene->store, write_rows, NULL, on_done, &done);
    while (!done)
        (void)store_pump(scene->store);
    assert_int_equal(broker_open("memory:", "", &scene->broker, &error), ERR_OK);
    scene->connection = broker_connect(scene->broker, scene->loop);
    scene->orchestrator = orchestrator_new(&(struct orchestrator_options){.id = "o",
                                                                          .loop = scene->loop,
                                                                          .broker = scene->broker,
                                                                          .store = scene->store,
                                                                          .shards = 1,
                                                                          .worker_timeout_ms = TIMEOUT_MS,
                                                                          .strategy = "round_robin"});
    assert_int_equal(orchestrator_start(scene->orchestrator, &error), ERR_OK);
    pass(scene, 2000);
    assert_int_equal(queues_declare_worker(scene->connection, QUEUE, &error), ERR_OK);
    assert_non_null(broker_consume(scene->connection, QUEUE, 5, on_work, scene));
    submit(scene);
    for (int64_t end = scene->now + PATIENCE_MS; scene->epoch == 0 && scene->now < end;) {
        report(scene);
        pass(scene, 200);
    }
    assert_int_equal(scene->epoch, 2); /* it was accepted before the shard was this orchestrator's */
    scene->epoch = 0;
}

static void close_scene(struct scene *scene)
{
    orchestrator_free(scene->orchestrator);
    broker_disconnect(scene->connection);
    pass(scene, 1000);
    broker_close(scene->broker);
    store_close(scene->store);
    loop_free(scene->loop);
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
    pass(&scene, TIMEOUT_MS - 1000);
    expect(&scene, 1, 1);
    pass(&scene, TIMEOUT_MS);
    expect(&scene, 0, 2); /* and waits for a worker */
    report(&scene);
    pass(&scene, 1000);
    assert_int_equal(scene.epoch, 3);
    expect(&scene, 1, 2);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_silent_loses_its_work_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
