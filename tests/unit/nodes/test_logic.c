/* if, switch, merge, set-fields, delay, log, stop-with-error and respond. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void examples(void **state)
{
    (void)state;
    static const char *const types[] = {"if", "switch", "merge", "set-fields", "delay", "log", "respond"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        node_assert_examples(types[i]);
}

/* v = data.f under the operator against c; NULL: missing. The page's operators beyond data-filter's. */
static const struct {
    const char *operator, * v, *c;
    bool holds;
} conditions[] = {
    {">=", "2", "2", true},           {">=", "1", "2", false},
    {"<=", "2", "2", true},           {"<=", "3", "2", false},
    {">=", NULL, "0", false},         {"greater_or_equal", "3", "2", true},
    {"exists", "null", NULL, true},   {"exists", NULL, NULL, false},
    {"not_exists", NULL, NULL, true}, {"not_exists", "0", NULL, false},
    {"empty", NULL, NULL, true},      {"empty", "null", NULL, true},
    {"empty", "\"\"", NULL, true},    {"empty", "[]", NULL, true},
    {"empty", "{}", NULL, true},      {"empty", "0", NULL, false},
    {"empty", "false", NULL, false},  {"not_empty", "\" \"", NULL, true},
    {"equals", "1", "\"1\"", false},  {"contains", "\"abc\"", "\"b\"", true},
};

static void if_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        AUTO_FREE char *data = conditions[i].v == NULL ? mem_dup("{}") : mem_printf("{\"f\":%s}", conditions[i].v);
        AUTO_FREE char *value = conditions[i].c == NULL ? mem_dup("") : mem_printf(",\"value\":%s", conditions[i].c);
        AUTO_FREE char *in = mem_printf("{\"data\":%s,\"conditions\":[{\"field\":\"f\",\"operator\":\"%s\"%s}]}", data,
                                        conditions[i].operator, value);
        AUTO_FREE char *out = mem_printf("{\"%s\":%s}", conditions[i].holds ? "true" : "false", data);
        node_assert_outputs("if", in, out);
    }
#define A_IS_1 "{\"field\":\"a\",\"operator\":\"equals\",\"value\":1}"
#define B_IS_1 "{\"field\":\"x.0.b\",\"operator\":\"equals\",\"value\":1}"
    node_assert_outputs("if", "{\"data\":{\"a\":1,\"x\":[{\"b\":2}]},\"conditions\":[" A_IS_1 "," B_IS_1 "]}",
                        "{\"false\":{\"a\":1,\"x\":[{\"b\":2}]}}");
    node_assert_outputs(
        "if", "{\"data\":{\"a\":1,\"x\":[{\"b\":2}]},\"combine\":\"any\",\"conditions\":[" B_IS_1 "," A_IS_1 "]}",
        "{\"true\":{\"a\":1,\"x\":[{\"b\":2}]}}");
    node_assert_outputs("if", "{\"data\":null,\"conditions\":[{\"field\":\"\",\"operator\":\"empty\"}]}",
                        "{\"true\":null}");
}

static void if_refuses(void **state)
{
    (void)state;
    node_assert_fails("if", "{\"conditions\":[" A_IS_1 "]}", ERR_VALIDATION, "data", "required");
    node_assert_fails("if", "{\"data\":1}", ERR_VALIDATION, "conditions", "required");
    node_assert_fails("if", "{\"data\":1,\"conditions\":[]}", ERR_VALIDATION, "conditions", "at least one");
    node_assert_fails("if", "{\"data\":1,\"combine\":\"xor\",\"conditions\":[" A_IS_1 "]}", ERR_VALIDATION, "combine",
                      "all");
    /* a broken condition is refused although the one before has decided */
    node_assert_fails("if", "{\"data\":{},\"conditions\":[" A_IS_1 ",{\"field\":\"a\",\"operator\":\"like\"}]}",
                      ERR_VALIDATION, "conditions[1].operator", "not_empty");
}

static void switch_chooses(void **state)
{
    (void)state;
#define RULE(output, op, value)                                                                                        \
    "{\"output\":\"" output "\",\"field\":\"n\",\"operator\":\"" op "\",\"value\":" value "}"
#define RULES "\"rules\":[" RULE("big", "greater_than", "10") "," RULE("positive", "greater_than", "0") "]"
    node_assert_outputs("switch", "{\"data\":{\"n\":11}," RULES "}", "{\"big\":{\"n\":11}}");
    node_assert_outputs("switch", "{\"data\":{\"n\":11},\"allMatches\":true," RULES "}",
                        "{\"big\":{\"n\":11},\"positive\":{\"n\":11}}");
    node_assert_outputs("switch", "{\"data\":{\"n\":1}," RULES "}", "{\"positive\":{\"n\":1}}");
    node_assert_outputs("switch", "{\"data\":{\"n\":0},\"fallback\":\"rest\"," RULES "}", "{\"rest\":{\"n\":0}}");
    node_assert_fails("switch", "{\"data\":1,\"rules\":[]}", ERR_VALIDATION, "rules", NULL);
    node_assert_fails("switch", "{\"data\":1,\"rules\":[" RULE("error", "equals", "1") "]}", ERR_VALIDATION,
                      "rules[0].output", "error");
    node_assert_fails("switch", "{\"data\":1,\"rules\":[" RULE("a", "equals", "1") "," RULE("b", "is", "1") "]}",
                      ERR_VALIDATION, "rules[1].operator", NULL);
    node_assert_fails("switch", "{\"data\":1,\"rules\":[{\"field\":\"a\",\"operator\":\"equals\"}]}", ERR_VALIDATION,
                      "rules[0].output", "required");
    assert_true(node_registry_find("switch")->spec.any_output);
}

static void merge_joins(void **state)
{
    (void)state;
    node_assert_outputs("merge", "{\"b\":[1,[2]],\"a\":{\"x\":1},\"c\":null,\"timeout\":5}",
                        "{\"output\":[1,[2],{\"x\":1},null]}");
    node_assert_outputs("merge", "{}", "{\"output\":[]}");
    node_assert_outputs("merge", "{\"mode\":\"combine\"}", "{\"output\":{}}");
    node_assert_outputs("merge", "{\"mode\":\"wait\",\"x\":null,\"retry\":{\"maxAttempts\":2}}",
                        "{\"output\":{\"x\":null}}");
    node_assert_fails("merge", "{\"mode\":\"combine\",\"input1\":{},\"input2\":[1]}", ERR_VALIDATION, "input2",
                      "array");
    node_assert_fails("merge", "{\"mode\":\"zip\"}", ERR_VALIDATION, "mode", "append");
    assert_true(node_registry_find("merge")->spec.any_input);
}

static void set_fields_sets(void **state)
{
    (void)state;
    node_assert_outputs("set-fields", "{\"fields\":[{\"field\":\"a.b\",\"value\":1},{\"field\":\"a.c\"}]}",
                        "{\"output\":{\"a\":{\"b\":1,\"c\":null}},\"count\":1}");
    node_assert_outputs("set-fields", "{\"data\":[{\"a\":5},{}],\"fields\":[{\"field\":\"a.b\",\"value\":[]}]}",
                        "{\"output\":[{\"a\":{\"b\":[]}},{\"a\":{\"b\":[]}}],\"count\":2}");
    node_assert_outputs("set-fields", "{\"data\":[],\"fields\":[]}", "{\"output\":[],\"count\":0}");
    node_assert_fails("set-fields", "{\"data\":[{},3],\"fields\":[]}", ERR_VALIDATION, "data[1]", "number");
    node_assert_fails("set-fields", "{\"data\":\"x\",\"fields\":[]}", ERR_VALIDATION, "data", "string");
    node_assert_fails("set-fields", "{\"data\":{},\"fields\":[{\"field\":\"a..b\"}]}", ERR_VALIDATION,
                      "fields[0].field", "dots");
    node_assert_fails("set-fields", "{\"data\":{}}", ERR_VALIDATION, "fields", "required");
}

/* Values are shared between nodes: a node that changed its input would change another node's. */
static void set_fields_leaves_its_input_alone(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "set-fields", "{\"data\":{\"a\":{\"b\":1}},\"fields\":[{\"field\":\"a.b\",\"value\":2}]}");
    assert_int_equal(run.code, ERR_OK);
    json_assert_equal(json_get(run.inputs, "data"), "{\"a\":{\"b\":1}}");
    json_assert_equal(json_get(run.call.outputs, "output"), "{\"a\":{\"b\":2}}");
    node_run_done(&run);
}

static void delay_wakes(const char *inputs, bool waits, int64_t wake_ms)
{
    struct node_run run;
    node_run(&run, "delay", inputs);
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(run.call.is_wait, waits);
    assert_int_equal(run.call.wake_ms, wake_ms);
    node_run_done(&run);
}

static void delay_waits(void **state)
{
    (void)state;
    delay_wakes("{\"durationMs\":1500}", true, NODE_RUN_NOW_MS + 1500);
    delay_wakes("{\"durationMs\":0}", false, 0);
    delay_wakes("{\"untilTime\":\"2025-03-01T02:30:00+01:00\"}", false, 0); /* a quarter of a second ago */
    delay_wakes("{\"untilTime\":\"2025-03-01T01:30:01Z\"}", true, NODE_RUN_NOW_MS + 750);
    delay_wakes("{\"untilTime\":1740792600251}", true, NODE_RUN_NOW_MS + 1);
    node_assert_fails("delay", "{}", ERR_VALIDATION, "durationMs", "either");
    node_assert_fails("delay", "{\"durationMs\":1,\"untilTime\":1}", ERR_VALIDATION, "durationMs", "not both");
    node_assert_fails("delay", "{\"durationMs\":-1}", ERR_VALIDATION, "durationMs", NULL);
    node_assert_fails("delay", "{\"untilTime\":\"tomorrow\"}", ERR_VALIDATION, "untilTime", "2025");
    node_assert_fails("delay", "{\"untilTime\":\"2099-01-01\"}", ERR_VALIDATION, "untilTime", "ten years");
    node_assert_fails("delay", "{\"untilTime\":1e300}", ERR_VALIDATION, "untilTime", NULL);
}

static void log_writes(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "log", "{\"level\":\"warn\",\"message\":\"low: 100%s\",\"data\":[1,{\"a\":null}]}");
    assert_int_equal(run.code, ERR_OK);
    json_assert_equal(run.call.logs, "[{\"level\":\"warn\",\"message\":\"low: 100%s [1,{\\\"a\\\":null}]\"}]");
    node_run_done(&run);
    struct json *inputs = json_object_new(), *list = json_array_new();
    for (int i = 0; i < 5000; i++)
        json_push(list, json_int_new(i));
    json_set(inputs, "data", list);
    node_run_json(&run, "log", inputs);
    assert_int_equal(run.code, ERR_OK);
    const char *line = json_get_str(json_at(run.call.logs, 0), "message");
    assert_non_null(strstr(line, "array of about"));
    assert_true(strlen(line) < 100);
    node_run_done(&run);
    node_assert_fails("log", "{\"level\":\"loud\"}", ERR_VALIDATION, "level", "warn");
}

static void stop_fails(void **state)
{
    (void)state;
    const struct node_example *example = node_registry_find("stop-with-error")->examples;
    AUTO_JSON struct json *expected = json_from(example->expected_output_json);
    node_assert_fails("stop-with-error", example->configuration_json, ERR_STOPPED, NULL,
                      json_get_str(expected, "error"));
    node_assert_fails("stop-with-error", "{}", ERR_STOPPED, NULL, "The flow stopped itself.");
    node_assert_fails("stop-with-error", "{\"message\":\"50%s off the caf\\u00e9\"}", ERR_STOPPED, NULL,
                      "50%s off the caf\u00e9");
    node_assert_fails("stop-with-error", "{\"message\":\"\"}", ERR_VALIDATION, "message", NULL);
    assert_false(error_is_retryable(ERR_STOPPED));
}

static void respond_answers(void **state)
{
    (void)state;
    node_assert_outputs("respond", "{}", "{\"statusCode\":200,\"headers\":{},\"body\":null}");
    node_assert_outputs("respond", "{\"body\":\"x\",\"headers\":{\"x-n\":3}}",
                        "{\"statusCode\":200,\"headers\":{\"x-n\":3},\"body\":\"x\"}");
    node_assert_fails("respond", "{\"statusCode\":100}", ERR_VALIDATION, "statusCode", "200");
    node_assert_fails("respond", "{\"statusCode\":600}", ERR_VALIDATION, "statusCode", "599");
    node_assert_fails("respond", "{\"headers\":{\"a\":\"b\\r\\nSet-Cookie: c\"}}", ERR_VALIDATION, "headers",
                      "line breaks");
    node_assert_fails("respond", "{\"headers\":{\"a\":\"b\\u0000c\"}}", ERR_VALIDATION, "headers", NULL);
    node_assert_fails("respond", "{\"headers\":{\"a b\":\"c\"}}", ERR_VALIDATION, "headers", NULL);
    node_assert_fails("respond", "{\"headers\":{\"\":\"c\"}}", ERR_VALIDATION, "headers", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(if_decides),
        cmocka_unit_test(if_refuses),
        cmocka_unit_test(switch_chooses),
        cmocka_unit_test(merge_joins),
        cmocka_unit_test(set_fields_sets),
        cmocka_unit_test(set_fields_leaves_its_input_alone),
        cmocka_unit_test(delay_waits),
        cmocka_unit_test(log_writes),
        cmocka_unit_test(stop_fails),
        cmocka_unit_test(respond_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
