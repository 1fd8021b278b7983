/* Expressions without JavaScript: paths, types, texts, names, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "expression/expression.h"
#include "expression/path.h"
#include "support/flow_kit.h"
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1740792600250) /* 2025-03-01T01:30:00.250Z */

static struct json *values; /* name -> value */

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    (void)user;
    const struct json *object = values;
    const char *member = expression_name_text(name);
    if (key != NULL) {
        object = json_get(values, member);
        member = key;
    }
    *ret = json_ref(json_get(object, member));
    return json_has(object, member);
}

static const struct expression_source source = {.now_ms = NOW_MS, .find = find};

static int setup(void **state)
{
    (void)state;
    values = kit_json("{'input':{'a':{'b':[1,{'c d':true}]},'name':'Zoë 😀','n':null,'big':9007199254740993,"
                      "'o':{},'length':7,'f':1.5},'nodes':{'x':{'output':5},'c-d':{'rows':[]}},'variables':{'v':'w'}}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_unref(values);
    return 0;
}

/* The value as JSON, "undefined", "error: …", "script" or "no path". */
static char *outcome_of(const char *text)
{
    struct arena arena;
    struct path path;
    struct json *value = NULL;
    struct error error;
    char *result;
    arena_init(&arena);
    if (!path_parse(text, strlen(text), &arena, &path)) {
        arena_done(&arena);
        return mem_dup("no path");
    }
    switch (path_evaluate(&path, &source, &value, &error)) {
    case PATH_VALUE:
        result = json_dup_text(value);
        break;
    case PATH_UNDEFINED:
        result = mem_dup("undefined");
        break;
    case PATH_ERROR:
        result = mem_printf("error: %s", error.message);
        break;
    default:
        result = mem_dup("script");
        break;
    }
    json_unref(value);
    path_done(&path);
    arena_done(&arena);
    return result;
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"input.a.b[0]", "1"},
        {"input . a\n.b [ 1 ] [\"c d\"]", "true"},
        {"input['a'].b.length", "2"},
        {"input.a.b[2]", "undefined"},
        {"input.a.b['1']['c d']", "true"},
        {"input.a.b[01]", "no path"},
        {"input.a.b[-1]", "no path"},
        {"input.a.x", "undefined"},
        {"input.a.x.y", "error: input.a.x is undefined, so \"y\" cannot be read of it"},
        {"input.n.y", "error: input.n is null, so \"y\" cannot be read of it"},
        {"input.a.x?.y.z", "undefined"},
        {"input.n?.['y']", "undefined"},
        {"input.n", "null"},
        {"input.name.length", "6"},
        {"input.name[2]", "\"ë\""},
        {"input.name[4]", "\"\xEF\xBF\xBD\""},
        {"input.length", "7"},
        {"input.f.x", "undefined"},
        {"input.o.toString", "script"},
        {"input.o.__proto__", "script"},
        {"input.big", "9007199254740993"},
        {"nodes.x.output", "5"},
        {"nodes['c-d'].rows", "[]"},
        {"nodes.c-d", "no path"},
        {"nodes.y", "undefined"},
        {"nodes.y.output", "error: nodes.y is undefined, so \"output\" cannot be read of it"},
        {"nodes.constructor", "script"},
        {"nodes", "no path"},
        {"variables.v", "\"w\""},
        {"secrets.s", "error: There is no secret \"s\" for this flow"},
        {"item", "undefined"},
        {"item.x", "error: item is undefined, so \"x\" cannot be read of it"},
        {"index", "undefined"},
        {"now", "\"2025-03-01T01:30:00.250Z\""},
        {"now.x", "no path"},
        {"12", "12"},
        {"-0", "0"},
        {"1.50", "1.5"},
        {"1.", "no path"},
        {"007", "no path"},
        {"1e3", "no path"},
        {"9007199254740994", "9007199254740994"},
        {"'a b'", "\"a b\""},
        {"'a\\n'", "no path"},
        {"true", "true"},
        {"null", "null"},
        {"undefined", "undefined"},
        {"other.a", "no path"},
        {"input.a()", "no path"},
        {"input.a + 1", "no path"},
        {"input.", "no path"},
        {"input..a", "no path"},
        {"input[", "no path"},
        {"input.año", "undefined"},
        {"input.日本", "no path"},
        {"input.\\u0061", "no path"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *outcome = outcome_of(cases[i].text);
        assert_string_equal(outcome, cases[i].expected);
    }
}

/* The evaluated inputs, or the error's field and message. */
static char *evaluated(const char *config_quoted, const char *inputs_quoted)
{
    AUTO_JSON struct json *config = kit_json(config_quoted), *inputs = json_object_new();
    struct json_iter member;
    JSON_EACH(config, member) json_set(inputs, member.key, json_ref(member.value));
    AUTO_JSON struct json *delivered = kit_json(inputs_quoted);
    JSON_EACH(delivered, member) json_set(inputs, member.key, json_ref(member.value));
    struct error error;
    struct expressions *expressions = expressions_new(config, NULL);
    if (expressions == NULL)
        return mem_dup("none");
    struct expression_job *job = expression_job_new(expressions, inputs, &source, &error);
    char *text;
    if (job == NULL) {
        text = mem_printf("%s | %s", error.field, error.message);
    } else if (expression_job_needs_script(job)) {
        text = mem_dup("script");
    } else {
        AUTO_JSON struct json *made = expression_job_take_inputs(job);
        text = json_dup_text(made);
    }
    expression_job_free(job);
    expressions_free(expressions);
    return text;
}

static void test_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *config, *inputs, *expected;
    } cases[] = {
        {"{'a':1,'b':['x']}", "{}", "none"},
        {"{'a':'{{ input.a.b }}'}", "{}", "{\"a\":[1,{\"c d\":true}]}"},
        {"{'a':'n: {{ nodes.x.output }}, {{ input.n }}{{ input.x }}, {{ input.f }}'}", "{}", "{\"a\":\"n: 5, , 1.5\"}"},
        {"{'a':'{{ input.a }}!'}", "{}", "{\"a\":\"{\\\"b\\\":[1,{\\\"c d\\\":true}]}!\"}"},
        {"{'a':{'b':['{{ 1 }}','c',{'d':'x{{ 2 }}','e':'{{ input.x }}','f':'{{ null }}'}],'g':'\\\\{{ h }}'},'i':true}",
         "{}", "{\"a\":{\"b\":[1,\"c\",{\"d\":\"x2\",\"f\":null}],\"g\":\"{{ h }}\"},\"i\":true}"},
        {"{'a':'{{ input.x }}','b':['{{ input.x }}']}", "{}", "{\"b\":[null]}"},
        {"{'a':'{{ input.x.y }}','b':'{{ 1 }}'}", "{'a':'{{ 7 }}'}", "{\"a\":\"{{ 7 }}\",\"b\":1}"},
        {"{'timeout':'{{ 1 }}','retry':{'delayMs':'{{ 2 }}'},'critical':'{{ 3 }}'}", "{}", "none"},
        {"{'a':['{{ input.f }}',{'b':'{{ input.x.y }}'}]}", "{}",
         "a[1].b | a[1].b: the expression {{ input.x.y }} failed: input.x is undefined, so \"y\" cannot be read of "
         "it."},
        {"{'a':'{{ input.f'}", "{}",
         "a | a: The expression {{ input.f has no closing }}; for two plain braces write \\{{."},
        {"{'a':'{{ input.f + 1 }}'}", "{}", "script"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *text = evaluated(cases[i].config, cases[i].inputs);
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_code_is_left_alone(void **state)
{
    (void)state;
    static const struct field inner[] = {
        {.name = "body", .kind = FIELD_STRING, .code = true}, {.name = "text", .kind = FIELD_STRING}, {0}};
    static const struct field fields[] = {{.name = "code", .kind = FIELD_STRING, .code = true},
                                          {.name = "list", .kind = FIELD_ARRAY, .fields = inner},
                                          {0}};
    AUTO_JSON struct json *config = kit_json("{'code':'{{ 1 }}','list':[{'body':'{{ 2 }}','text':'{{ 3 }}'}]}");
    struct expressions *expressions = expressions_new(config, fields);
    struct error error;
    struct expression_job *job = expression_job_new(expressions, config, &source, &error);
    assert_non_null(job);
    AUTO_JSON struct json *made = expression_job_take_inputs(job);
    AUTO_FREE char *text = json_dup_text(made);
    assert_string_equal(text, "{\"code\":\"{{ 1 }}\",\"list\":[{\"body\":\"{{ 2 }}\",\"text\":3}]}");
    expression_job_free(job);
    expressions_free(expressions);
}

static void expect_named(const char *config_quoted, const char *field, const char *message)
{
    AUTO_JSON struct json *config = kit_json(config_quoted);
    struct expressions *expressions = expressions_new(config, NULL);
    struct error reason, error;
    struct expression_job *job = expression_job_new(expressions, config, &source, &error);
    assert_non_null(job);
    (void)error_set(&reason, ERR_LIMIT, NULL, "The script took longer than 9 ms.");
    assert_int_equal(expression_job_fail(job, &reason, &error), ERR_LIMIT);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_string_equal(error.field, field);
    assert_string_equal(error.message, message);
    expression_job_free(job);
    expressions_free(expressions);
}

/* An endless loop gives no answer that could name its place. */
static void test_who_gets_no_answer_is_named(void **state)
{
    (void)state;
    expect_named("{'a':'x','b':['{{ f() }}']}", "b[0]",
                 "b[0]: the expression {{ f() }} failed: The script took longer than 9 ms.");
    expect_named("{'a':'{{ f() }} {{ g() }}'}", "a",
                 "a: one of its 2 expressions in JavaScript failed: The script took longer than 9 ms.");
    expect_named("{'a':'{{ f() }}','b':7,'c':'{{ g() }}'}", "a",
                 "a to c: one of 2 expressions in JavaScript failed: The script took longer than 9 ms.");
}

static void test_script_results(void **state)
{
    (void)state;
    AUTO_JSON struct json *config =
        kit_json("{'a':'{{ input.f * 2 }}','b':['{{ 1 }} {{ nodes.x.output+1 }}'],'c':'{{ [].x }}'}");
    struct expressions *expressions = expressions_new(config, NULL);
    struct error error;
    assert_true(expressions_need_script(expressions));
    for (int failing = 0; failing < 2; failing++) {
        struct expression_job *job = expression_job_new(expressions, config, &source, &error);
        assert_non_null(job);
        AUTO_BUF struct buf program, data;
        buf_init(&program, 0);
        buf_init(&data, 0);
        expression_job_program(job, &program);
        expression_job_data(job, &source, &data);
        assert_string_equal(buf_str(&program), "[\"input.f * 2\",\"nodes.x.output+1\",\"[].x\"]");
        assert_non_null(strstr(buf_str(&data), "\"nodes\":{\"x\":{\"output\":5}}}"));
        AUTO_JSON struct json *results =
            kit_json(failing ? "[{'v':3},{'e':{'message':'No luck'}},{}]" : "[{'v':3},{'v':6},{}]");
        enum err code = expression_job_answer(job, results, &error);
        if (failing) {
            assert_int_equal(code, ERR_NODE);
            assert_string_equal(error.field, "b[0]");
            assert_string_equal(error.message, "b[0]: the expression {{ nodes.x.output+1 }} failed: No luck.");
        } else {
            assert_int_equal(code, ERR_OK);
            AUTO_JSON struct json *made = expression_job_take_inputs(job);
            AUTO_FREE char *text = json_dup_text(made);
            assert_string_equal(text, "{\"a\":3,\"b\":[\"1 6\"]}");
        }
        expression_job_free(job);
    }
    expressions_free(expressions);
}

static void assert_data(const char *text, const char *expected)
{
    struct expression_needs needs = {0};
    AUTO_BUF struct buf data;
    buf_init(&data, 0);
    expression_needs_add(&needs, text, strlen(text));
    expression_needs_print(&needs, &source, &data);
    expression_needs_done(&needs);
    assert_string_equal(buf_str(&data), expected);
}

/* Only what a source refers to travels. */
static void test_needs(void **state)
{
    (void)state;
    assert_data("1 + 1", "{\"now\":1740792600250}");
    assert_data("nodes.x.output + nodes [ 'c-d' ].rows",
                "{\"now\":1740792600250,\"nodes\":{\"x\":{\"output\":5},\"c-d\":{\"rows\":[]}}}");
    assert_data("nodes?.x + nodes?.[\"y\"]", "{\"now\":1740792600250,\"nodes\":{\"x\":{\"output\":5}}}");
    assert_data("nodes[k]", "{\"now\":1740792600250,\"nodes\":{\"x\":{\"output\":5},\"c-d\":{\"rows\":[]}}}");
    assert_data("nodes.xß日", "{\"now\":1740792600250,\"nodes\":{\"x\":{\"output\":5},\"c-d\":{\"rows\":[]}}}");
    assert_data("variables.v + secrets.s", "{\"now\":1740792600250,\"variables\":{\"v\":\"w\"},\"secrets\":{}}");
    assert_data("my_input + inputs + $index", "{\"now\":1740792600250}");
    AUTO_JSON struct json *all = NULL;
    struct expression_needs needs = {0};
    AUTO_BUF struct buf data;
    buf_init(&data, 0);
    expression_needs_add(&needs, "eval('in' + 'put')", 18);
    expression_needs_print(&needs, &source, &data);
    expression_needs_done(&needs);
    assert_int_equal(json_parse(data.data, data.len, &all, NULL), ERR_OK);
    assert_true(json_has(all, "input") && json_has(all, "nodes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_code_is_left_alone),
        cmocka_unit_test(test_script_results),
        cmocka_unit_test(test_who_gets_no_answer_is_named),
        cmocka_unit_test(test_needs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
