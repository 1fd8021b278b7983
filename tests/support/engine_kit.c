#include "support/engine_kit.h"

#include "base/mem.h"
#include "broker/messages.h"
#include "broker/queues.h"
#include "nodes/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    return store_flow_insert(session, arg, KIT_START_MS, reterr);
}

static enum err write_execution(struct store_session *session, void *arg, struct error *reterr)
{
    (void)arg;
    static const struct store_execution row = {.id = KIT_EXECUTION,
                                               .flow_id = KIT_FLOW,
                                               .flow_version = 1,
                                               .trigger = "manual",
                                               .priority = 1,
                                               .created_ms = KIT_START_MS};
    return store_execution_insert(session, &row, reterr);
}

static void write_now(struct engine_kit *kit, store_write_fn write, void *arg)
{
    struct error error = {0};
    if (store_write(kit->store, write, arg, &error) != ERR_OK)
        fail_msg("%s (%s)", error.message, error.field);
}

void engine_kit_open(struct engine_kit *kit, const char *nodes, const char *connections)
{
    struct error error = {0};
    AUTO_JSON struct json *flow = NULL;
    AUTO_FREE char *text = mem_printf("{\"id\":\"" KIT_FLOW "\",\"name\":\"f\",\"version\":1,\"status\":\"active\","
                                      "\"createdBy\":\"x\",\"settings\":{},\"nodes\":%s,\"connections\":%s}",
                                      nodes, connections);
    *kit = (struct engine_kit){.loop = loop_virtual_new(KIT_START_MS), .now = KIT_START_MS};
    assert_int_equal(store_open("sqlite::memory:", &(struct store_options){.manual = true}, &kit->store, &error),
                     ERR_OK);
    assert_int_equal(json_parse(text, strlen(text), &flow, &error), ERR_OK);
    write_now(kit, write_flow, flow);
    assert_int_equal(broker_open("memory:", "", &kit->broker, &error), ERR_OK);
    kit->connection = broker_connect(kit->broker, kit->loop);
}

void engine_kit_insert(struct engine_kit *kit)
{
    write_now(kit, write_execution, NULL);
}

void engine_kit_step(struct engine_kit *kit)
{
    while (loop_virtual_step(kit->loop, kit->now) || store_pump(kit->store) > 0)
        ;
}

void engine_kit_pass(struct engine_kit *kit, int64_t ms)
{
    for (int64_t end = kit->now + ms; kit->now < end; kit->now += 10)
        engine_kit_step(kit);
}

struct worker *engine_kit_worker(struct engine_kit *kit, struct node_host *host, broker_delivery_fn on_events,
                                 void *user)
{
    struct error error;
    assert_int_equal(queues_declare(kit->connection, 1, &error), ERR_OK);
    assert_non_null(broker_consume(kit->connection, QUEUE_EVENTS_PREFIX "0", 10, on_events, user));
    struct worker *worker = worker_new(&(struct worker_options){.id = "w",
                                                                .loop = kit->loop,
                                                                .broker = kit->broker,
                                                                .store = kit->store,
                                                                .shards = 1,
                                                                .catalog = node_registry_catalog(),
                                                                .find_type = node_registry_find,
                                                                .host = host,
                                                                .capacity = 10,
                                                                .report_interval_ms = 100000});
    assert_int_equal(worker_start(worker, &error), ERR_OK);
    engine_kit_pass(kit, 1000);
    return worker;
}

void engine_kit_say(struct engine_kit *kit, const char *verb)
{
    AUTO_FREE char *text = mem_printf("{\"%s\":\"" KIT_EXECUTION "\"}", verb);
    broker_broadcast(kit->connection, TOPIC_CONTROL, text, strlen(text));
    engine_kit_pass(kit, 100);
}

void engine_kit_close(struct engine_kit *kit)
{
    broker_disconnect(kit->connection);
    engine_kit_pass(kit, 1000);
    broker_close(kit->broker);
    store_close(kit->store);
    loop_free(kit->loop);
}
