/* What an execution starts and does not wait for is started once its step is told, even behind its own end. */
#include "orchestrator/orchestrator_int.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define NOW_MS INT64_C(1750000000000)
#define FLOW "01a20f48-c7e6-7aac-8e22-94bbacee6be7"
#define PARENT "01a20f48-c81a-78e6-8438-9674670d7159"
#define CHILD "01a20f48-c81a-78e6-8438-9674670d7160"
#define WAITING(kind) "{\"kind\":\"" kind "\",\"childId\":\"" CHILD "\",\"flowId\":\"" FLOW "\",\"flowVersion\":1}"

struct step {
    int epoch;
    enum node_state state;
    const char *waiting;
    bool started;
};

static enum err insert_all(struct store_session *session, void *arg, struct error *reterr)
{
    static const struct store_finish end = {.status = RUN_FAILED, .ended_ms = NOW_MS + 1};
    static const struct store_execution row = {.id = PARENT,
                                               .flow_id = FLOW,
                                               .flow_version = 1,
                                               .trigger = "manual",
                                               .priority = 1,
                                               .created_ms = NOW_MS,
                                               .finish = &end};
    enum err code = store_flow_insert(session, arg, NOW_MS, reterr);
    return code == ERR_OK ? store_execution_insert(session, &row, reterr) : code;
}

static enum err tell_late(struct store_session *session, void *arg, struct error *reterr)
{
    struct step *step = arg;
    const struct store_event event = {
        .kind = STORE_EVENT_CHECKPOINT,
        .execution_id = PARENT,
        .epoch = step->epoch,
        .worker_id = "w",
        .at_ms = NOW_MS + 2,
        .checkpoint = {.node_id = "sub", .attempt = 1, .state = step->state},
        .checkpoint_waiting_json = step->waiting,
    };
    bool applied = true;
    enum err code = store_event_apply(session, &event, &applied, reterr);
    assert_false(applied);
    return code == ERR_OK ? children_start(session, &event, applied, &step->started, reterr) : code;
}

static void test_a_start_that_is_told_behind_the_end(void **state)
{
    (void)state;
    static const char document[] =
        "{\"id\":\"" FLOW
        "\",\"name\":\"f\",\"version\":1,\"status\":\"active\",\"createdBy\":\"test\",\"settings\":{},"
        "\"nodes\":[{\"id\":\"t\",\"type\":\"manual-trigger\",\"version\":\"1.0.0\",\"config\":{},\"position\":{\"x\":"
        "0,\"y\":0}}],"
        "\"connections\":[]}";
    struct step steps[] = {{2, NODE_SUCCEEDED, WAITING("start"), false}, /* of an epoch that never ended it */
                           {1, NODE_WAITING, WAITING("child"), false},   /* nobody waits any more */
                           {1, NODE_SUCCEEDED, WAITING("start"), true},
                           {1, NODE_SUCCEEDED, WAITING("start"), true}}; /* told again: it is there */
    struct store *store;
    struct store_session *session;
    struct error error = {0};
    AUTO_JSON struct json *flow = NULL, *child = NULL;
    assert_int_equal(store_open("sqlite::memory:", &(struct store_options){.manual = true}, &store, &error), ERR_OK);
    assert_int_equal(json_parse(document, sizeof document - 1, &flow, &error), ERR_OK);
    assert_int_equal(store_write(store, insert_all, flow, &error), ERR_OK);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct step step = steps[i];
        assert_int_equal(store_write(store, tell_late, &step, &error), ERR_OK);
        assert_int_equal(step.started, steps[i].started);
    }
    assert_int_equal(store_read_begin(store, &session, &error), ERR_OK);
    assert_int_equal(store_execution_load(session, CHILD, &child, &error), ERR_OK);
    store_read_end(store, session);
    assert_string_equal(json_get_str(child, "parentExecutionId"), PARENT);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_start_that_is_told_behind_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
