/* field-mapper against api-contract 4.4. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define RENAME "{\"sourceField\":\"a\",\"targetField\":\"x\",\"transformation\":\"rename\"}"

static void examples(void **state)
{
    (void)state;
    node_assert_examples("field-mapper");
}

static void maps(void **state)
{
    (void)state;
    node_assert_outputs("field-mapper", "{\"source\":[{\"a\":1},{\"b\":2},{\"a\":null}],\"mapping\":[" RENAME "]}",
                        "{\"mapped\":[{\"x\":1},{},{\"x\":null}]}");
    node_assert_outputs("field-mapper", "{\"source\":[],\"mapping\":[]}", "{\"mapped\":[]}");
    node_assert_outputs("field-mapper", "{\"source\":[{\"a\":1}],\"mapping\":[]}", "{\"mapped\":[{}]}");
    node_assert_outputs("field-mapper", "{\"source\":{\"a\":[1,{\"b\":2}]},\"mapping\":[" RENAME "]}",
                        "{\"mapped\":{\"x\":[1,{\"b\":2}]}}");
    /* later targets win; a missing source removes the key; a dotted name is one key */
    node_assert_outputs("field-mapper",
                        "{\"source\":{\"a\":1,\"b\":2},\"mapping\":[" RENAME
                        ",{\"sourceField\":\"b\",\"targetField\":\"x\",\"transformation\":\"rename\"}]}",
                        "{\"mapped\":{\"x\":2}}");
    node_assert_outputs("field-mapper",
                        "{\"source\":{\"a\":1},\"mapping\":[" RENAME
                        ",{\"sourceField\":\"z\",\"targetField\":\"x\",\"transformation\":\"rename\"}]}",
                        "{\"mapped\":{}}");
    node_assert_outputs("field-mapper",
                        "{\"source\":{\"a\":{\"b\":1}},\"mapping\":[{\"sourceField\":\"a.b\",\"targetField\":\"x.y\","
                        "\"transformation\":\"rename\"}]}",
                        "{\"mapped\":{}}");
    node_assert_outputs("field-mapper",
                        "{\"source\":[\"abc\"],\"mapping\":[{\"sourceField\":\"length\",\"targetField\":\"n\","
                        "\"transformation\":\"rename\"}]}",
                        "{\"mapped\":[{\"n\":3}]}");
    node_assert_outputs("field-mapper", "{\"source\":7,\"mapping\":[" RENAME "]}", "{\"mapped\":{}}");
}

static void sets_constants_and_skips_unknown(void **state)
{
    (void)state;
    node_assert_outputs(
        "field-mapper",
        "{\"source\":[{}],\"mapping\":[{\"targetField\":\"c\",\"transformation\":\"constant\",\"parameters\":{"
        "\"constantValue\":{\"d\":[null]}}},"
        "{\"targetField\":\"n\",\"transformation\":\"constant\",\"parameters\":{\"constantValue\":null}},"
        "{\"targetField\":\"u\",\"transformation\":\"constant\"},{\"sourceField\":\"a\",\"targetField\":\"z\","
        "\"transformation\":\"upper\"},{\"targetField\":\"q\"}]}",
        "{\"mapped\":[{\"c\":{\"d\":[null]},\"n\":null}]}");
}

#define FUNCTION(source, target, body)                                                                                 \
    "{\"sourceField\":\"" source "\",\"targetField\":\"" target "\",\"transformation\":\"function\",\"parameters\":{"  \
    "\"functionBody\":\"" body "\"}}"

static void functions_have_all_of_javascript(void **state)
{
    (void)state;
    node_assert_outputs(
        "field-mapper",
        "{\"source\":[{\"a\":1,\"t\":\"x\"},{\"a\":2},{\"a\":null}],\"mapping\":[" RENAME
        "," FUNCTION("a", "next", "return value + 1") "," FUNCTION(
            "t", "up", "total = (globalThis.total || 0) + 1; return value.toUpperCase() + total") "]}",
        "{\"mapped\":[{\"x\":1,\"next\":2,\"up\":\"X1\"},{\"x\":2,\"next\":3},{\"x\":null,\"next\":1}]}");
    /* no return: undefined; an exception, at compile time or later: the source value */
    node_assert_outputs(
        "field-mapper",
        "{\"source\":{\"a\":{\"k\":1}},\"mapping\":[" FUNCTION("a", "none", "value.k") "," FUNCTION(
            "a", "broken", "return (") "," FUNCTION("a", "thrown",
                                                    "throw value") "," FUNCTION("z", "missing",
                                                                                "return typeof value") "]}",
        "{\"mapped\":{\"broken\":{\"k\":1},\"thrown\":{\"k\":1},\"missing\":\"undefined\"}}");
    node_assert_outputs("field-mapper", "{\"source\":[],\"mapping\":[" FUNCTION("a", "b", "return value") "]}",
                        "{\"mapped\":[]}");
    /* without a body it gives the source value (4.4) */
    node_assert_outputs("field-mapper",
                        "{\"source\":{\"a\":1},\"mapping\":[{\"sourceField\":\"a\",\"targetField\":\"y\","
                        "\"transformation\":\"function\"}]}",
                        "{\"mapped\":{\"y\":1}}");
}

static void refuses_wrong_inputs(void **state)
{
    (void)state;
    node_assert_fails("field-mapper", "{\"mapping\":[]}", ERR_VALIDATION, "source", "required");
    node_assert_fails("field-mapper", "{\"source\":null,\"mapping\":[]}", ERR_NODE, "source", "null");
    node_assert_fails("field-mapper", "{\"source\":[]}", ERR_VALIDATION, "mapping", "missing");
    node_assert_fails("field-mapper", "{\"source\":[],\"mapping\":{}}", ERR_VALIDATION, "mapping", "object");
    node_assert_fails("field-mapper", "{\"source\":[],\"mapping\":[null]}", ERR_VALIDATION, "mapping[0]", NULL);
    node_assert_fails("field-mapper",
                      "{\"source\":[],\"mapping\":[{\"sourceField\":\"a\",\"transformation\":\"rename\"}]}",
                      ERR_VALIDATION, "mapping[0].targetField", NULL);
    node_assert_fails("field-mapper",
                      "{\"source\":[],\"mapping\":[{\"targetField\":\"a\",\"transformation\":\"rename\"}]}",
                      ERR_VALIDATION, "mapping[0].sourceField", NULL);
    node_assert_fails("field-mapper", "{\"source\":[{},null],\"mapping\":[" RENAME "]}", ERR_NODE, "source[1]", "null");
}

static void counts_records(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "field-mapper", "{\"source\":[{},{}],\"mapping\":[" RENAME "]}");
    assert_int_equal(run.call.records, 2);
    node_run_done(&run);
    node_run(&run, "field-mapper", "{\"source\":{},\"mapping\":[" RENAME "]}");
    assert_int_equal(run.call.records, 1);
    node_run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(maps),
        cmocka_unit_test(sets_constants_and_skips_unknown),
        cmocka_unit_test(functions_have_all_of_javascript),
        cmocka_unit_test(refuses_wrong_inputs),
        cmocka_unit_test(counts_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
