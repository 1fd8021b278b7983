/* Services of different versions side by side: the messages of former versions (tests/messages) are understood as they
 * are, with members that nobody knows yet, and without those that may be missing. */
#include "base/mem.h"
#include "broker/message_types.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "nodes/node.h"
#include "orchestrator/orchestrator.h"
#include "worker/worker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/messages/0.1.0/" /* ctest runs at the top of the checkout */
#define CREATED_MS INT64_C(1795552757786)
#define START_MS (CREATED_MS - 60000) /* who owns a shard before knows that nobody had it handed out */
#define EXECUTION "01a20f48-c81a-78e6-8438-9674670d7159"
#define FLOW "01a20f48-c7e6-7aac-8e22-94bbacee6be7"
#define FORMER_QUEUE QUEUE_WORKER_PREFIX "before"
#define PATIENCE_MS 30000 /* of the virtual clock */

enum change { AS_IT_IS, WITH_MORE, WITH_LESS, CHANGES };

struct scene {
    struct loop *loop;
    struct store *store;
    struct broker *broker;
    struct broker_connection *connection;
    struct orchestrator *orchestrator;
    struct worker *worker;
    int64_t now;
    struct json *work, *events; /* the last message that came to a worker's queue, to the shard's events */
    unsigned reports, dead;
    bool finished;
};

/* ---- messages */

static struct json *load(const char *name)
{
    AUTO_FREE char *path = mem_printf(FOLDER "%s.json", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing", path);
    char text[16384];
    size_t n = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    struct json *message = NULL;
    struct error error = {0};
    if (json_parse(text, n, &message, &error) != ERR_OK)
        fail_msg("%s: %s", path, error.message);
    return message;
}

static bool is_required(const struct field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields->required;
    return false;
}

/* Only nulls and what has its default are left out: without the others it would be another message. */
static bool may_be_missing(const struct field *fields, const char *name, const struct json *value)
{
    if (is_required(fields, name))
        return false;
    struct json *other = NULL;
    for (; fields->name != NULL && strcmp(fields->name, name) != 0; fields++)
        ;
    if (fields->name == NULL || fields->default_json == NULL)
        return value == NULL;
    assert_int_equal(json_parse(fields->default_json, strlen(fields->default_json), &other, NULL), ERR_OK);
    bool same = json_equal(value, other);
    json_unref(other);
    return same;
}

static const struct field *inner(const struct field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields->kind == FIELD_ARRAY ? fields->fields : NULL;
    return NULL;
}

static struct json *changed(const struct field *fields, const struct json *message, enum change change)
{
    struct json *copy = json_object_new();
    struct json_iter member;
    JSON_EACH(message, member)
    {
        const struct field *entries = inner(fields, member.key);
        if (change == WITH_LESS && may_be_missing(fields, member.key, member.value))
            continue;
        struct json *list = entries == NULL ? NULL : json_array_new();
        for (size_t i = 0; list != NULL && i < json_count(member.value); i++)
            json_push(list, changed(entries, json_at(member.value, i), change));
        json_set(copy, member.key, list == NULL ? json_ref(member.value) : list);
    }
    if (change == WITH_MORE) {
        struct json *unknown = json_object_new();
        json_set_str(unknown, "of", "a later version");
        json_set(copy, "unknownMember", unknown);
    }
    return copy;
}

static void publish(struct scene *scene, const char *queue, const char *type, const char *name, enum change change)
{
    AUTO_JSON struct json *message = load(name), *sent = changed(message_type_find(type)->fields, message, change);
    AUTO_FREE char *text = json_dup_text(sent);
    broker_publish(scene->connection, queue, 1, text, strlen(text), NULL, NULL);
}

static void broadcast(struct scene *scene, const char *topic, const char *type, const struct json *message,
                      enum change change)
{
    AUTO_JSON struct json *sent = changed(message_type_find(type)->fields, message, change);
    AUTO_FREE char *text = json_dup_text(sent);
    broker_broadcast(scene->connection, topic, text, strlen(text));
}

/* ---- the scene */

static void pass(struct scene *scene, int64_t ms)
{
    for (int64_t end = scene->now + ms; scene->now < end; scene->now += 10)
        while (loop_virtual_step(scene->loop, scene->now) || store_pump(scene->store) > 0)
            ;
}

static void keep(struct json **place, const struct broker_delivery *delivery)
{
    json_unref(*place);
    *place = NULL;
    assert_int_equal(json_parse(delivery->body, delivery->size, place, NULL), ERR_OK);
}

static void on_work(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    keep(&scene->work, delivery);
    broker_ack(consumer, delivery->tag);
}

static void on_events(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct scene *scene = user;
    keep(&scene->events, delivery);
    const struct json *events = json_get(scene->events, "events");
    for (size_t i = 0; i < json_count(events); i++)
        scene->finished |= strcmp(json_get_str(json_at(events, i), "kind"), "finished") == 0 &&
                           strcmp(json_get_str(json_at(events, i), "status"), "success") == 0;
    broker_ack(consumer, delivery->tag);
}

static void on_report(void *user, const void *body, size_t size)
{
    struct scene *scene = user;
    (void)body;
    (void)size;
    scene->reports++;
}

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    (void)arg;
    static const char text[] =
        "{\"id\":\"" FLOW
        "\",\"name\":\"before\",\"version\":1,\"status\":\"active\",\"createdBy\":\"x\",\"settings\":{},"
        "\"nodes\":[{\"id\":\"1\",\"type\":\"manual-trigger\",\"config\":{}},{\"id\":\"2\",\"type\":\"set-"
        "fields\","
        "\"config\":{\"fields\":[{\"field\":\"done\",\"value\":true}]}}],\"connections\":[{\"fromNodeId\":\"1\","
        "\"fromOutput\":\"output\",\"toNodeId\":\"2\",\"toInput\":\"data\"}]}";
    AUTO_JSON struct json *flow = NULL;
    assert_int_equal(json_parse(text, sizeof text - 1, &flow, reterr), ERR_OK);
    return store_flow_insert(session, flow, START_MS, reterr);
}

static enum err write_execution(struct store_session *session, void *arg, struct error *reterr)
{
    (void)arg;
    return store_execution_insert(session,
                                  &(struct store_execution){.id = EXECUTION,
                                                            .flow_id = FLOW,
                                                            .flow_version = 1,
                                                            .trigger = "manual",
                                                            .priority = 1,
                                                            .input_json = "{\"number\":7}",
                                                            .created_ms = CREATED_MS},
                                  reterr);
}

struct done {
    bool there;
    enum err code;
    struct error error;
};

static void on_done(void *user, enum err code, const struct error *error)
{
    struct done *done = user;
    *done = (struct done){.there = true, .code = code};
    if (error != NULL)
        done->error = *error;
}

static void write(struct scene *scene, store_write_fn fn)
{
    struct done done = {0};
    store_write_async(scene->store, fn, NULL, on_done, &done);
    while (!done.there)
        (void)store_pump(scene->store);
    if (done.code != ERR_OK)
        fail_msg("%s (%s)", done.error.message, done.error.field);
}

static void open_scene(struct scene *scene)
{
    struct error error = {0};
    *scene = (struct scene){.loop = loop_virtual_new(START_MS), .now = START_MS};
    assert_int_equal(store_open("sqlite::memory:", &(struct store_options){.manual = true}, &scene->store, &error),
                     ERR_OK);
    assert_int_equal(broker_open("memory:", "", &scene->broker, &error), ERR_OK);
    scene->connection = broker_connect(scene->broker, scene->loop);
    assert_int_equal(queues_declare(scene->connection, 1, &error), ERR_OK);
    write(scene, write_flow);
}

static void start_orchestrator(struct scene *scene, enum change change)
{
    struct error error = {0};
    scene->orchestrator = orchestrator_new(&(struct orchestrator_options){.loop = scene->loop,
                                                                          .broker = scene->broker,
                                                                          .store = scene->store,
                                                                          .worker_timeout_ms = 600000,
                                                                          .strategy = "round_robin"});
    assert_int_equal(orchestrator_start(scene->orchestrator, &error), ERR_OK);
    assert_int_equal(queues_declare_worker(scene->connection, FORMER_QUEUE, &error), ERR_OK);
    assert_non_null(broker_consume(scene->connection, FORMER_QUEUE, 10, on_work, scene));
    pass(scene, 1000);
    AUTO_JSON struct json *report = load("worker");
    broadcast(scene, TOPIC_WORKERS, "worker", report, change);
    pass(scene, 1000);
    write(scene, write_execution);
}

static void close_scene(struct scene *scene)
{
    orchestrator_free(scene->orchestrator);
    if (scene->worker != NULL)
        worker_free(scene->worker);
    broker_disconnect(scene->connection);
    pass(scene, 1000);
    broker_close(scene->broker);
    store_close(scene->store);
    loop_free(scene->loop);
    json_unref(scene->work);
    json_unref(scene->events);
}

static bool has_status(struct scene *scene, const char *status)
{
    struct store_session *session;
    struct error error = {0};
    AUTO_JSON struct json *execution = NULL;
    assert_int_equal(store_read_begin(scene->store, &session, &error), ERR_OK);
    assert_int_equal(store_execution_load(session, EXECUTION, &execution, &error), ERR_OK);
    store_read_end(scene->store, session);
    if (strcmp(json_get_str(execution, "status"), status) == 0)
        return true;
    print_error("It is %s.\n", json_get_str(execution, "status"));
    return false;
}

static void expect_work(struct scene *scene, int epoch)
{
    for (int64_t end = scene->now + PATIENCE_MS; scene->work == NULL && scene->now < end;)
        pass(scene, 100);
    assert_non_null(scene->work);
    const struct json *item = json_at(json_get(scene->work, "work"), 0);
    assert_string_equal(json_get_str(item, "id"), EXECUTION);
    assert_int_equal(json_get_int(item, "epoch", 0), epoch);
    assert_int_equal(json_get_int(json_get(item, "input"), "number", 0), 7);
    json_unref(scene->work);
    scene->work = NULL;
}

/* ---- tests */

static void an_orchestrator_understands_former_services(void **state)
{
    (void)state;
    for (int change = AS_IT_IS; change < CHANGES; change++) {
        struct scene scene;
        open_scene(&scene);
        start_orchestrator(&scene, (enum change)change);
        publish(&scene, QUEUE_SUBMIT_PREFIX "0", "work", "submit", (enum change)change);
        expect_work(&scene, 1); /* to the worker whose report it has understood */
        publish(&scene, QUEUE_EVENTS_PREFIX "0", "events", "events-finished", (enum change)change);
        pass(&scene, 2000);
        assert_true(has_status(&scene, "success"));
        close_scene(&scene);
    }
}

static void what_comes_back_from_a_former_worker_goes_on(void **state)
{
    (void)state;
    for (int change = AS_IT_IS; change < CHANGES; change++) {
        struct scene scene;
        open_scene(&scene);
        start_orchestrator(&scene, (enum change)change);
        publish(&scene, QUEUE_SUBMIT_PREFIX "0", "work", "submit", (enum change)change);
        expect_work(&scene, 1);
        publish(&scene, QUEUE_EVENTS_PREFIX "0", "returned", "returned", (enum change)change);
        pass(&scene, 1000);
        AUTO_JSON struct json *report = load("worker"); /* it has room again */
        broadcast(&scene, TOPIC_WORKERS, "worker", report, (enum change)change);
        expect_work(&scene, 2);
        close_scene(&scene);
    }
}

/* What it tells before is applied: the execution is no longer queued, and its end is accepted. */
static void what_a_former_worker_tells_is_applied_in_order(void **state)
{
    (void)state;
    for (int change = AS_IT_IS; change < CHANGES; change++) {
        struct scene scene;
        open_scene(&scene);
        start_orchestrator(&scene, (enum change)change);
        publish(&scene, QUEUE_SUBMIT_PREFIX "0", "work", "submit", (enum change)change);
        expect_work(&scene, 1);
        publish(&scene, QUEUE_EVENTS_PREFIX "0", "events", "events-waiting", (enum change)change);
        pass(&scene, 2000);
        assert_true(has_status(&scene, "running"));
        publish(&scene, QUEUE_EVENTS_PREFIX "0", "events", "events-finished", (enum change)change);
        pass(&scene, 2000);
        assert_true(has_status(&scene, "success"));
        close_scene(&scene);
    }
}

static void a_worker_understands_former_services(void **state)
{
    (void)state;
    for (int change = AS_IT_IS; change < CHANGES; change++) {
        struct scene scene;
        struct error error = {0};
        open_scene(&scene);
        assert_non_null(broker_consume(scene.connection, QUEUE_EVENTS_PREFIX "0", 10, on_events, &scene));
        broker_subscribe(scene.connection, TOPIC_WORKERS, on_report, &scene);
        scene.worker = worker_new(&(struct worker_options){.id = "before",
                                                           .loop = scene.loop,
                                                           .broker = scene.broker,
                                                           .store = scene.store,
                                                           .catalog = node_registry_catalog(),
                                                           .find_type = node_registry_find,
                                                           .capacity = 10,
                                                           .report_interval_ms = 10000000});
        assert_int_equal(worker_start(scene.worker, &error), ERR_OK);
        pass(&scene, 1000);
        unsigned before = scene.reports;
        AUTO_JSON struct json *orders = load("control");
        broadcast(&scene, TOPIC_CONTROL, "control", json_at(orders, 0), (enum change)change); /* report */
        pass(&scene, 1000);
        assert_int_equal(scene.reports, before + 1);
        publish(&scene, FORMER_QUEUE, "work", "work", (enum change)change);
        pass(&scene, 2000);
        assert_true(scene.finished);
        close_scene(&scene);
    }
}

static void another_version_is_refused(void **state)
{
    (void)state;
    static const char work[] = "{\"v\":2,\"work\":[]}", order[] = "{\"v\":2,\"report\":true}",
                      now[] = "{\"report\":true}";
    struct json *message = NULL;
    struct error error = {0};
    assert_int_equal(message_parse(work, sizeof work - 1, &message, &error), ERR_VALIDATION);
    assert_string_equal(error.field, "v");
    assert_null(message_parse_topic(order, sizeof order - 1));
    assert_null(message_parse_topic("[]", 2));
    assert_null(message_parse_topic("null", 4));
    assert_null(message_parse_topic("{", 1));
    message = message_parse_topic(now, sizeof now - 1);
    assert_true(json_get_bool(message, "report", false));
    json_unref(message);
}

static void former_messages_fit_the_tables(void **state)
{
    (void)state;
    static const struct {
        const char *type, *file;
    } messages[] = {{"work", "submit"},
                    {"work", "work"},
                    {"returned", "returned"},
                    {"events", "events-waiting"},
                    {"events", "events-finished"},
                    {"worker", "worker"},
                    {"orchestrator", "orchestrator"},
                    {"live", "live"}};
    struct error error = {0};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        AUTO_JSON struct json *message = load(messages[i].file);
        if (fields_check(message_type_find(messages[i].type)->fields, message, &error) != ERR_OK)
            fail_msg("%s: %s: %s", messages[i].file, error.field, error.message);
    }
    AUTO_JSON struct json *orders = load("control");
    for (size_t i = 0; i < json_count(orders); i++)
        if (fields_check(message_type_find("control")->fields, json_at(orders, i), &error) != ERR_OK)
            fail_msg("control %zu: %s: %s", i, error.field, error.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(former_messages_fit_the_tables),
                                       cmocka_unit_test(another_version_is_refused),
                                       cmocka_unit_test(an_orchestrator_understands_former_services),
                                       cmocka_unit_test(what_comes_back_from_a_former_worker_goes_on),
                                       cmocka_unit_test(what_a_former_worker_tells_is_applied_in_order),
                                       cmocka_unit_test(a_worker_understands_former_services)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
