/* The node type sub-flow: what it asks to be started, and what it refuses. */
#include "base/limits.h"
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static enum err find(void *user, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES], int *ret_version,
                     struct error *reterr)
{
    (void)user;
    if (strcmp(flow, "known") != 0)
        return error_set(reterr, ERR_NOT_FOUND, "flow", "There is no flow \"%s\".", flow);
    (void)snprintf(ret_id, NODE_FLOW_ID_BYTES, "f9");
    *ret_version = version == 0 ? 4 : version;
    return ERR_OK;
}

/* Yours: what it waits for, or starts. */
static struct json *asked(const char *inputs_text, int depth, bool *ret_waits, enum err *ret_code)
{
    struct node_host host = {.find_flow = find};
    const struct node_type *type = node_registry_find("sub-flow");
    AUTO_JSON struct json *inputs = json_from(inputs_text);
    struct error error = {0};
    struct node_call call = {.type = type,
                             .inputs = inputs,
                             .execution_id = "e1",
                             .flow_id = "f1",
                             .flow_version = 2,
                             .node_id = "n1",
                             .idempotency_key = "e1:n1:0",
                             .attempt = 1,
                             .depth = depth,
                             .now_ms = NODE_RUN_NOW_MS,
                             .host = &host};
    *ret_code = type->execute(&call, &error);
    *ret_waits = call.is_wait;
    struct json *waiting = json_ref(call.waiting);
    node_call_free_results(&call);
    return waiting;
}

static void asked_is(const char *inputs, bool waits, const char *expected)
{
    bool is_wait;
    enum err code;
    AUTO_JSON struct json *waiting = asked(inputs, 3, &is_wait, &code);
    assert_int_equal(code, ERR_OK);
    assert_int_equal(is_wait, waits);
    assert_int_equal(strlen(json_get_str(waiting, "childId")), 36);
    json_remove(waiting, "childId");
    AUTO_JSON struct json *should = json_from(expected);
    AUTO_FREE char *is_text = json_dup_text(waiting), *should_text = json_dup_text(should);
    assert_string_equal(is_text, should_text);
}

static void says_what_to_start(void **state)
{
    (void)state;
    asked_is("{\"flow\":\"known\",\"input\":[1]}", true,
             "{\"kind\":\"child\",\"flowId\":\"f9\",\"flowVersion\":4,\"depth\":4,\"input\":[1]}");
    asked_is("{\"flow\":\"known\",\"mode\":\"start\",\"version\":3}", false,
             "{\"kind\":\"start\",\"flowId\":\"f9\",\"flowVersion\":3,\"depth\":4,\"input\":null}");
    asked_is("{\"flow\":\"known\",\"outputPath\":\"a.0.b\"}", true,
             "{\"kind\":\"child\",\"flowId\":\"f9\",\"flowVersion\":4,\"depth\":4,\"input\":null,\"pick\":[\"a\",\"0\","
             "\"b\"]}");
    asked_is(
        "{\"body\":\"each\",\"input\":7,\"index\":2}", true,
        "{\"kind\":\"child\",\"flowId\":\"f1\",\"flowVersion\":2,\"body\":\"each\",\"depth\":4,\"input\":{\"item\":"
        "7,\"index\":2}}");
}

static void refuses(void **state)
{
    (void)state;
    bool is_wait;
    enum err code;
    json_unref(asked("{\"flow\":\"known\"}", LIMIT_SUB_FLOW_DEPTH, &is_wait, &code));
    assert_int_equal(code, ERR_LIMIT);
    json_unref(asked("{\"flow\":\"unknown\"}", 0, &is_wait, &code));
    assert_int_equal(code, ERR_NOT_FOUND);
    node_assert_fails("sub-flow", "{}", ERR_VALIDATION, "flow", "id or the name");
    node_assert_fails("sub-flow", "{\"flow\":5}", ERR_VALIDATION, "flow", NULL);
    node_assert_fails("sub-flow", "{\"flow\":\"x\",\"version\":-1}", ERR_VALIDATION, "version", NULL);
    node_assert_fails("sub-flow", "{\"flow\":\"x\",\"timeoutMs\":-1}", ERR_VALIDATION, "timeoutMs", NULL);
    node_assert_fails("sub-flow", "{\"flow\":\"x\",\"mode\":\"run\"}", ERR_VALIDATION, "mode", NULL);
    node_assert_fails("sub-flow", "{\"flow\":\"x\"}", ERR_UNSUPPORTED, "flow", "from here");
    node_assert_fails("for-each", "{\"items\":[1],\"mode\":\"flow\"}", ERR_VALIDATION, "flow", "id or the name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_to_start), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
