/* data-filter against api-contract 4.3. */
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
    node_assert_examples("data-filter");
}

/* v = item.f against c, as JSON; NULL: the field or the value is missing. */
static const struct {
    const char *operator, * v, *c;
    bool holds;
} cases[] = {
    {"equals", "\"a\"", "\"a\"", true},
    {"equals", "\"a\"", "\"A\"", false},
    {"equals", "1", "1", true},
    {"equals", "1", "1.0", true},
    {"equals", "1", "\"1\"", false},
    {"equals", "true", "true", true},
    {"equals", "true", "1", false},
    {"equals", "null", "null", true},
    {"equals", NULL, "null", false},
    {"equals", NULL, NULL, true},
    {"equals", "null", NULL, false},
    {"equals", "{}", "{}", false},
    {"equals", "[1]", "[1]", false},
    {"equals", "\"a\\u0000b\"", "\"a\\u0000c\"", false},
    {"equals", "9007199254740993", "9007199254740992", false},
    {"not_equals", "1", "\"1\"", true},
    {"not_equals", "1", "1", false},
    {"not_equals", NULL, "null", true},
    {"not_equals", NULL, NULL, false},
    {"not_equals", "{}", "{}", true},
    {"greater_than", "2", "1", true},
    {"greater_than", "1", "1", false},
    {"greater_than", "\"b\"", "\"a\"", true},
    {"greater_than", "\"10\"", "\"9\"", false},
    {"greater_than", "\"10\"", "9", true},
    {"greater_than", "10", "\"9\"", true},
    {"greater_than", "null", "-1", true},
    {"greater_than", "null", "0", false},
    {"greater_than", "true", "0.5", true},
    {"less_than", "false", "0.5", true},
    {"less_than", NULL, "1", false},
    {"greater_than", NULL, "-1", false},
    {"greater_than", "\"  12\\n\"", "11", true},
    {"less_than", "\"\"", "1", true},
    {"greater_than", "\"0x10\"", "15", true},
    {"greater_than", "\"0b11\"", "2", true},
    {"greater_than", "\"0o17\"", "14", true},
    {"less_than", "\"-0x1\"", "1", false},
    {"greater_than", "\"Infinity\"", "1e308", true},
    {"less_than", "\"-Infinity\"", "0", true},
    {"less_than", "\"nan\"", "1", false},
    {"less_than", "\"inf\"", "1", false},
    {"greater_than", "\"1e3\"", "999", true},
    {"greater_than", "\".5\"", "0.4", true},
    {"greater_than", "\"5.\"", "4", true},
    {"greater_than", "\"5 6\"", "4", false},
    {"greater_than", "\"1_000\"", "1", false},
    {"greater_than", "\"\u00a05\ufeff\"", "4", true},
    {"greater_than", "[5]", "4", true},
    {"greater_than", "[5,6]", "4", false},
    {"less_than", "[]", "1", true},
    {"greater_than", "{}", "0", false},
    {"less_than", "{}", "\"a\"", true},
    {"greater_than", "[\"b\"]", "\"a\"", true},
    {"less_than", "{}", "[\"a\"]", true},
    {"greater_than", "9007199254740993", "9007199254740992", true},
    {"less_than", "\"\U0001F600\"", "\"\uFF5E\"", true}, /* surrogates sort below U+FF5E in UTF-16 */
    {"greater_than", "\"\u00e9\"", "\"z\"", true},
    {"less_than", "\"a\"", "\"ab\"", true},
    {"contains", "\"caudal\"", "\"uda\"", true},
    {"contains", "\"caudal\"", "\"UDA\"", false},
    {"contains", "\"x\"", "\"\"", true},
    {"contains", NULL, "\"defin\"", true},
    {"contains", "null", "\"ul\"", true},
    {"contains", "\"is undefined\"", NULL, true},
    {"contains", "1e21", "\"e+21\"", true},
    {"contains", "1e-7", "\"1e-7\"", true},
    {"contains", "0.000001", "\"0.000001\"", true},
    {"contains", "123456789012345680000.0", "\"123456789012345680000\"", true},
    {"contains", "-0.0", "\"-\"", false},
    {"contains", "0.1", "\"0.1\"", true},
    {"contains", "1.50", "\"1.50\"", false},
    {"contains", "12345", "34", true},
    {"contains", "[1,[2,null],\"x\"]", "\"1,2,,x\"", true},
    {"contains", "{}", "\"[object Object]\"", true},
    {"contains", "true", "\"ru\"", true},
    {"contains", "[]", "\"\"", true},
    {">=", "2", "1", false},
    {"exists", "2", "1", false},
    {"EQUALS", "1", "1", false},
    {"", "1", "1", false},
};

static void follows_javascript(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *item = cases[i].v == NULL ? mem_dup("{}") : mem_printf("{\"f\":%s}", cases[i].v);
        AUTO_FREE char *value = cases[i].c == NULL ? mem_dup("") : mem_printf(",\"value\":%s", cases[i].c);
        AUTO_FREE char *inputs = mem_printf("{\"data\":[%s],\"conditions\":[{\"field\":\"f\",\"operator\":\"%s\"%s}]}",
                                            item, cases[i].operator, value);
        struct node_run run;
        node_run(&run, "data-filter", inputs);
        if (run.code != ERR_OK || json_get_int(run.call.outputs, "filtered_count", -1) != cases[i].holds)
            fail_msg("case %zu should be %d: %s", i, cases[i].holds, inputs);
        node_run_done(&run);
    }
}

static void keeps_order_and_counts(void **state)
{
    (void)state;
    node_assert_outputs("data-filter",
                        "{\"data\":[{\"a\":3,\"b\":{\"c\":1}},{\"a\":1},{\"a\":2}],\"conditions\":[{\"field\":\"a\","
                        "\"operator\":\"greater_than\",\"value\":1}]}",
                        "{\"filtered\":[{\"a\":3,\"b\":{\"c\":1}},{\"a\":2}],\"filtered_count\":2}");
    node_assert_outputs("data-filter", "{\"data\":[1,null,\"x\"],\"conditions\":[]}",
                        "{\"filtered\":[1,null,\"x\"],\"filtered_count\":3}");
    node_assert_outputs("data-filter", "{\"data\":[],\"conditions\":7}", "{\"filtered\":[],\"filtered_count\":0}");
    /* a dotted name is one key, no path */
    node_assert_outputs("data-filter",
                        "{\"data\":[{\"a\":{\"b\":1}},{\"a.b\":1}],\"conditions\":[{\"field\":\"a.b\",\"operator\":"
                        "\"equals\",\"value\":1}]}",
                        "{\"filtered\":[{\"a.b\":1}],\"filtered_count\":1}");
    struct node_run run;
    node_run(&run, "data-filter",
             "{\"data\":[{\"a\":1},{\"a\":2}],\"conditions\":[{\"field\":\"a\",\"operator\":\"equals\",\"value\":2}]}");
    assert_int_equal(run.call.records, 1);
    node_run_done(&run);
}

static void primitive_records_have_their_properties(void **state)
{
    (void)state;
    node_assert_outputs("data-filter",
                        "{\"data\":[\"abc\",\"ab\",7,true],\"conditions\":[{\"field\":\"length\",\"operator\":"
                        "\"equals\",\"value\":3}]}",
                        "{\"filtered\":[\"abc\"],\"filtered_count\":1}");
    node_assert_outputs("data-filter",
                        "{\"data\":[\"\u00e9b\",\"b\"],\"conditions\":[{\"field\":\"0\",\"operator\":\"equals\","
                        "\"value\":\"\u00e9\"}]}",
                        "{\"filtered\":[\"\u00e9b\"],\"filtered_count\":1}");
    node_assert_outputs(
        "data-filter",
        "{\"data\":[\"\U0001F600\"],\"conditions\":[{\"field\":\"length\",\"operator\":\"equals\",\"value\":2}]}",
        "{\"filtered\":[\"\U0001F600\"],\"filtered_count\":1}");
    node_assert_outputs("data-filter",
                        "{\"data\":[[4,5],[6]],\"conditions\":[{\"field\":\"1\",\"operator\":\"equals\",\"value\":5},{"
                        "\"field\":\"length\",\"operator\":\"equals\",\"value\":2}]}",
                        "{\"filtered\":[[4,5]],\"filtered_count\":1}");
}

static void refuses_wrong_inputs(void **state)
{
    (void)state;
    node_assert_fails("data-filter", "{\"conditions\":[]}", ERR_VALIDATION, "data", "missing");
    node_assert_fails("data-filter", "{\"data\":null,\"conditions\":[]}", ERR_VALIDATION, "data", "null");
    node_assert_fails("data-filter", "{\"data\":\"abc\",\"conditions\":[]}", ERR_VALIDATION, "data", "string");
    node_assert_fails("data-filter", "{\"data\":{},\"conditions\":[]}", ERR_VALIDATION, "data", "object");
    node_assert_fails("data-filter", "{\"data\":[{}]}", ERR_VALIDATION, "conditions", "required");
    node_assert_fails("data-filter", "{\"data\":[{}],\"conditions\":{}}", ERR_VALIDATION, "conditions", "object");
    node_assert_fails("data-filter", "{\"data\":[{}],\"conditions\":[1]}", ERR_VALIDATION, "conditions[0]", "number");
    node_assert_fails("data-filter", "{\"data\":[{}],\"conditions\":[{\"operator\":\"equals\"}]}", ERR_VALIDATION,
                      "conditions[0].field", NULL);
    node_assert_fails(
        "data-filter",
        "{\"data\":[{\"a\":1},null],\"conditions\":[{\"field\":\"a\",\"operator\":\"equals\",\"value\":1}]}", ERR_NODE,
        "data[1]", "null");
    struct json *inputs = json_from("{\"data\":[1]}"), *many = json_array_new();
    for (int i = 0; i < 1001; i++)
        json_push(many, json_object_new());
    json_set(inputs, "conditions", many);
    struct node_run run;
    node_run_json(&run, "data-filter", inputs);
    assert_int_equal(run.code, ERR_VALIDATION);
    assert_string_equal(run.error.field, "conditions");
    node_run_done(&run);
}

static void warns_of_unknown_operators(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "data-filter",
             "{\"data\":[{\"a\":1}],\"conditions\":[{\"field\":\"a\",\"operator\":\"regex\",\"value\":1}]}");
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(json_count(run.call.logs), 1);
    assert_string_equal(json_get_str(json_at(run.call.logs, 0), "level"), "warn");
    node_run_done(&run);
}

static void takes_a_hundred_thousand_records(void **state)
{
    (void)state;
    struct json *inputs =
                    json_from("{\"conditions\":[{\"field\":\"n\",\"operator\":\"greater_than\",\"value\":99998}]}"),
                *data = json_array_new();
    for (int i = 0; i < 100000; i++) {
        struct json *item = json_object_new();
        json_set_int(item, "n", i);
        json_push(data, item);
    }
    json_set(inputs, "data", data);
    struct node_run run;
    node_run_json(&run, "data-filter", inputs);
    assert_int_equal(run.call.records, 1);
    node_run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(follows_javascript),
        cmocka_unit_test(keeps_order_and_counts),
        cmocka_unit_test(primitive_records_have_their_properties),
        cmocka_unit_test(refuses_wrong_inputs),
        cmocka_unit_test(warns_of_unknown_operators),
        cmocka_unit_test(takes_a_hundred_thousand_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
