/* Workers' events as the store takes them; what is malformed is nothing for it. */
#include "orchestrator/orchestrator_int.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    if (json_parse(text, strlen(text), &value, NULL) != ERR_OK)
        fail_msg("broken JSON in a test: %s", text);
    return value;
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"kind\":3}",
        "{\"kind\":\"progress\",\"id\":\"e\"}",
        "{\"kind\":\"held\",\"id\":\"e\"}",
        "{\"kind\":\"checkpoint\",\"id\":\"e\",\"state\":\"success\"}",
        "{\"kind\":\"checkpoint\",\"id\":\"e\",\"nodeId\":\"n\",\"state\":\"so-so\"}",
        "{\"kind\":\"finished\",\"id\":\"e\"}",
        "{\"kind\":\"finished\",\"id\":\"e\",\"status\":\"over\"}",
        "{\"kind\":\"finished\",\"id\":\"e\",\"status\":\"success\",\"documentPacked\":\"?\"}",
        "{\"kind\":\"finished\",\"id\":\"e\",\"status\":\"success\",\"documentPacked\":7}",
        "{\"kind\":\"parked\",\"id\":\"e\",\"documentPacked\":\"Zm9v    \"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_JSON struct json *event = parse(bad[i]);
        assert_null(event_decode(event, "w"));
    }
}

static void test_finished(void **state)
{
    (void)state;
    AUTO_JSON struct json *event = parse(
        "{\"kind\":\"finished\",\"id\":\"e\",\"epoch\":2,\"at\":9,\"startedMs\":4,\"records\":3,\"stepless\":true,"
        "\"status\":\"failed\",\"errorMessage\":\"no\",\"documentPacked\":\"Zm9vYg==\"}");
    struct decoded *decoded = event_decode(event, "w");
    assert_non_null(decoded);
    assert_int_equal(decoded->event.kind, STORE_EVENT_FINISHED);
    assert_string_equal(decoded->event.execution_id, "e");
    assert_string_equal(decoded->event.worker_id, "w");
    assert_int_equal(decoded->event.epoch, 2);
    assert_true(decoded->event.stepless);
    const struct store_finish *finish = decoded->event.finish;
    assert_ptr_equal(finish, &decoded->finish);
    assert_int_equal(finish->status, RUN_FAILED);
    assert_int_equal(finish->started_ms, 4);
    assert_int_equal(finish->ended_ms, 9);
    assert_int_equal(finish->records, 3);
    assert_string_equal(finish->error_message, "no");
    assert_int_equal(finish->document_packed_bytes, 4);
    assert_memory_equal(finish->document_packed, "foob", 4);
    decoded_free(decoded);
}

static void test_checkpoint(void **state)
{
    (void)state;
    AUTO_JSON struct json *event = parse("{\"kind\":\"checkpoint\",\"id\":\"e\",\"epoch\":1,\"nodeId\":\"n\",\"state\":"
                                         "\"success\",\"outputs\":\"[]\",\"iteration\":\"0.1\",\"signalId\":5}");
    struct decoded *decoded = event_decode(event, NULL);
    assert_non_null(decoded);
    assert_null(decoded->event.finish);
    assert_string_equal(decoded->event.checkpoint.node_id, "n");
    assert_string_equal(decoded->event.checkpoint.iteration, "0.1");
    assert_int_equal(decoded->event.checkpoint.state, NODE_SUCCEEDED);
    assert_int_equal(decoded->event.checkpoint.attempt, 1);
    assert_int_equal(decoded->event.checkpoint.signal_id, 5);
    assert_string_equal(decoded->event.checkpoint_outputs_json, "[]");
    decoded_free(decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refuses), cmocka_unit_test(test_finished),
                                       cmocka_unit_test(test_checkpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
