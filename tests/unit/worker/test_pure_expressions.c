/* Expressions in a flow that runs in one go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/flow_kit.h"
#include "worker/pure_run.h"
#include <string.h>

static struct flow *flow_of(const char *quoted)
{
    AUTO_JSON struct json *definition = kit_json(quoted);
    struct flow *flow = NULL;
    struct error error;
    assert_int_equal(flow_compile("f", 3, definition, node_registry_catalog(), &flow, NULL, &error), ERR_OK);
    return flow;
}

static void run(const char *quoted, struct pure_result *ret)
{
    struct flow *flow = flow_of(quoted);
    AUTO_JSON struct json *input = kit_json("{'user':{'name':'Ann'},'trick':'{{ flow.id }}'}");
    struct run_options options = {.execution_id = "e", .trigger = "manual", .epoch = 1};
    assert_true(pure_run_is_possible(flow));
    assert_true(pure_run(flow, &options, input, ret));
    flow_free(flow);
}

#define TWO_NODES(config)                                                                                              \
    "{'name':'n','nodes':[{'id':'t','type':'manual-trigger','version':'1.0.0','config':{},'position':{'x':0,'y':0}},"  \
    "{'id':'s','type':'set-fields','version':'1.0.0','config':" config                                                 \
    ",'position':{'x':0,'y':0}}],'connections':[{'fromNodeId':'t','fromOutput':'output','toNodeId':'s',"               \
    "'toInput':'data'}]}"

static void test_values(void **state)
{
    (void)state;
    struct pure_result result;
    run(TWO_NODES("{'fields':[{'field':'hello','value':'Hello {{ input.user.name }}'},{'field':'flow',"
                  "'value':'{{ flow.version }}'},{'field':'same','value':'{{ nodes.t.output.trick }}'},"
                  "{'field':'how','value':'{{ execution.trigger }}'}]}"),
        &result);
    assert_int_equal(result.status, RUN_SUCCESS);
    assert_non_null(strstr(result.result_json, "\"hello\":\"Hello Ann\",\"flow\":3,\"same\":\"{{ flow.id }}\","
                                               "\"how\":\"manual\""));
    pure_result_done(&result);
}

static void test_an_error_names_all(void **state)
{
    (void)state;
    struct pure_result result;
    run(TWO_NODES("{'fields':[{'field':'x','value':'{{ input.a.b }}'}]}"), &result);
    assert_int_equal(result.status, RUN_FAILED);
    assert_string_equal(result.error.message,
                        "node s: fields[0].value: the expression {{ input.a.b }} failed: input.a is "
                        "undefined, so \"b\" cannot be read of it.");
    pure_result_done(&result);
}

static void test_javascript_is_for_the_worker(void **state)
{
    (void)state;
    struct flow *flow = flow_of(TWO_NODES("{'fields':[{'field':'x','value':'{{ input.a + 1 }}'}]}"));
    assert_false(pure_run_is_possible(flow));
    flow_free(flow);
    flow =
        flow_of(TWO_NODES("{'fields':[{'field':'x','value':'{{ input.toString }}'}]}")); /* known only while it runs */
    assert_true(pure_run_is_possible(flow));
    struct pure_result result;
    struct run_options options = {.execution_id = "e", .trigger = "manual", .epoch = 1};
    AUTO_JSON struct json *input = kit_json("{}");
    assert_false(pure_run(flow, &options, input, &result));
    pure_result_done(&result);
    flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_an_error_names_all),
                                       cmocka_unit_test(test_javascript_is_for_the_worker)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
