/* The code node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/node_run.h"

static void examples(void **state)
{
    (void)state;
    node_assert_examples("code");
}

static void modes(void **state)
{
    (void)state;
    node_assert_outputs("code", "{\"code\":\"return input\",\"input\":{\"a\":1}}", "{\"output\":{\"a\":1}}");
    node_assert_outputs("code", "{\"code\":\"return items.length\",\"input\":{\"a\":1}}", "{\"output\":1}");
    node_assert_outputs("code", "{\"code\":\"const n = await Promise.resolve(4); return n * 2\"}", "{\"output\":8}");
    node_assert_outputs("code", "{\"code\":\"\\n\"}", "{\"output\":null}");
}

static void errors_name_the_line(void **state)
{
    (void)state;
    node_assert_fails("code", "{\"code\":\"let a;\\nlet b = 1;\\nreturn a.b;\"}", ERR_NODE, "code",
                      "Line 3: TypeError");
    node_assert_fails("code", "{\"code\":\"throw new Error('no stock')\"}", ERR_NODE, "code", "Line 1: no stock");
    node_assert_fails("code", "{\"code\":\"let a;\\nreturn )\"}", ERR_NODE, "code", "SyntaxError");
    node_assert_fails("code", "{\"mode\":\"each\",\"input\":[1,0],\"code\":\"if (!item) throw 'zero'\"}", ERR_NODE,
                      "code", "Item 1: It threw zero.");
    node_assert_fails("code", "{\"code\":\"await new Promise(() => {})\"}", ERR_NODE, "code", "nothing will settle");
    node_assert_fails("code", "{\"code\":\"return 10n\"}", ERR_NODE, "code", "BigInt");
    node_assert_fails("code", "{\"code\":7}", ERR_VALIDATION, "code", "string");
    node_assert_fails("code", "{}", ERR_VALIDATION, "code", "code");
}

static void console_is_the_log(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "code",
             "{\"code\":\"console.log('got', {a: 1}); console.warn('x'); for (let i = 0; i < 500; i++) "
             "console.debug(i); return 1\"}");
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(json_count(run.call.logs), 100);
    assert_string_equal(json_get_str(json_at(run.call.logs, 0), "message"), "got {\"a\":1}");
    assert_string_equal(json_get_str(json_at(run.call.logs, 1), "level"), "warn");
    assert_string_equal(json_get_str(json_at(run.call.logs, 99), "message"), "403 more lines are left out.");
    node_run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(modes),
                                       cmocka_unit_test(errors_name_the_line), cmocka_unit_test(console_is_the_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
