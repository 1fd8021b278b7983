/* Limits of starting: what settings say, what is refused, which key an execution has. */
#include "flow/limits.h"

#include "base/digest.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct error error;
    assert_int_equal(json_parse(text, strlen(text), &value, &error), ERR_OK);
    return value;
}

static void reads_settings(void **state)
{
    (void)state;
    struct flow_limits limits;
    flow_limits_read(NULL, &limits);
    assert_false(flow_limits_any(&limits));
    assert_int_equal(limits.priority, 1);
    AUTO_JSON struct json *settings =
        parse("{\"concurrency\":3,\"concurrencyKey\":\"{{ input.a }}\",\"priority\":\"high\","
              "\"rateLimit\":{\"limit\":5,\"periodMs\":1000,\"key\":\"x\"}}");
    flow_limits_read(settings, &limits);
    assert_true(flow_limits_any(&limits));
    assert_int_equal(limits.concurrency, 3);
    assert_int_equal(limits.per_key, 1);
    assert_int_equal(limits.rate_limit, 5);
    assert_int_equal(limits.priority, 2);
    AUTO_JSON struct json *wrong = parse("{\"concurrency\":\"3\",\"priority\":7,\"rateLimit\":{\"limit\":5}}");
    flow_limits_read(wrong, &limits);
    assert_false(flow_limits_any(&limits));
}

static void orders_by_time_and_priority(void **state)
{
    (void)state;
    assert_true(flow_limits_place(1000, 1) < flow_limits_place(1001, 1));
    assert_true(flow_limits_place(1001, 2) < flow_limits_place(1000, 1));
    assert_true(flow_limits_place(1000, 0) < flow_limits_place(1001 + FLOW_HEAD_START_MS, 1));
}

static void makes_keys(void **state)
{
    (void)state;
    AUTO_JSON struct json *input = parse("{\"a\":{\"b\":[1,\"two\"]},\"n\":null,\"t\":\"x y\"}");
    struct flow_start start = {
        .input = input, .execution_id = "e", .flow_id = "f", .trigger = "manual", .flow_version = 7};
    static const struct {
        const char *text, *key;
    } cases[] = {{NULL, ""},
                 {"all", "all"},
                 {"{{ input.t }}", "x y"},
                 {"{{ input.a.b[1] }}/{{ input.a.b[0] }}", "two/1"},
                 {"{{ input.a.b }}", "[1,\"two\"]"},
                 {"{{ input.n }}", ""},
                 {"{{ input.nothing.there }}", ""},
                 {"{{ flow.id }}:{{ flow.version }}:{{ execution.trigger }}", "f:7:manual"},
                 {"{{ Math.random() }}", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char key[FLOW_KEY_BYTES];
        flow_limits_key(cases[i].text, &start, key);
        assert_string_equal(key, cases[i].key);
    }
}

static void shortens_long_keys(void **state)
{
    (void)state;
    char text[400], first[FLOW_KEY_BYTES], second[FLOW_KEY_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    AUTO_JSON struct json *input = json_string_new(text);
    text[sizeof text - 2] = 'y';
    AUTO_JSON struct json *other = json_string_new(text);
    flow_limits_key("{{ input }}", &(struct flow_start){.input = input}, first);
    flow_limits_key("{{ input }}", &(struct flow_start){.input = other}, second);
    assert_int_equal(strlen(first), DIGEST_HEX_BYTES - 1);
    assert_string_not_equal(first, second);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *field;
    } cases[] = {
        {"{\"concurrencyKey\":\"{{ input.a }}\",\"concurrencyPerKey\":2,\"concurrency\":5}", NULL},
        {"{\"concurrencyPerKey\":2}", "settings.concurrencyKey"},
        {"{\"concurrencyKey\":\"{{ input.a.toUpperCase() + 1 }}\"}", "settings.concurrencyKey"},
        {"{\"concurrencyKey\":\"{{ secrets.a }}\"}", "settings.concurrencyKey"},
        {"{\"concurrencyKey\":\"{{ input.a\"}", "settings.concurrencyKey"},
        {"{\"concurrencyKey\":\"{{ input.a }}\",\"concurrencyPerKey\":6,\"concurrency\":5}",
         "settings.concurrencyPerKey"},
        {"{\"rateLimit\":{\"limit\":1,\"periodMs\":1,\"key\":\"{{ nodes.x.y }}\"}}", "settings.rateLimit.key"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *settings = parse(cases[i].settings), *problems = json_array_new();
        flow_limits_check(settings, problems);
        assert_int_equal(json_count(problems), cases[i].field != NULL);
        if (cases[i].field != NULL)
            assert_string_equal(json_get_str(json_at(problems, 0), "field"), cases[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_settings), cmocka_unit_test(orders_by_time_and_priority),
                                       cmocka_unit_test(makes_keys), cmocka_unit_test(shortens_long_keys),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
