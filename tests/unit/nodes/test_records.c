/* The nodes that work on lists of records: sort, limit, deduplicate, split, join-data, summarize, csv, json, template.
 */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void wrong_input_is_named(void **state)
{
    (void)state;
    static const char *const lists[] = {"sort", "limit", "deduplicate", "aggregate"};
    static const char *const rest[] = {"\"keys\":[{\"field\":\"a\"}]", "\"count\":1", "\"fields\":\"a\"",
                                       "\"operations\":[{\"operation\":\"count\"}]"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        AUTO_FREE char *text = mem_printf("{\"data\":\"x\",%s}", rest[i]), *nothing = mem_printf("{%s}", rest[i]),
                       *null = mem_printf("{\"data\":null,%s}", rest[i]),
                       *none = mem_printf("{\"data\":[],%s}", rest[i]);
        node_assert_fails(lists[i], text, ERR_VALIDATION, "data", "array");
        node_assert_fails(lists[i], nothing, ERR_VALIDATION, "data", "required");
        node_assert_fails(lists[i], null, ERR_VALIDATION, "data", "array");
        struct node_run run;
        node_run(&run, lists[i], none);
        assert_int_equal(run.code, ERR_OK);
        node_run_done(&run);
    }
    node_assert_fails("sort", "{\"data\":[]}", ERR_VALIDATION, "keys", "required");
    node_assert_fails("sort", "{\"data\":[],\"keys\":[]}", ERR_VALIDATION, "keys", "1 to 10");
    node_assert_fails("sort", "{\"data\":[],\"keys\":[{\"field\":\"a\",\"direction\":\"up\"}]}", ERR_VALIDATION,
                      "keys[0].direction", "asc");
    node_assert_fails("limit", "{\"data\":[],\"count\":-1}", ERR_VALIDATION, "count", NULL);
    node_assert_fails("limit", "{\"data\":[],\"offset\":1.5}", ERR_VALIDATION, "offset", "integer");
    node_assert_fails("deduplicate", "{\"data\":[],\"fields\":[1]}", ERR_VALIDATION, "fields", "list");
    node_assert_fails("deduplicate", "{\"data\":[],\"keep\":\"both\"}", ERR_VALIDATION, "keep", "first, last");
    node_assert_fails("aggregate", "{\"data\":[],\"operations\":[{\"operation\":\"sum\"}]}", ERR_VALIDATION,
                      "operations[0].field", "required");
}

static void sort_orders(void **state)
{
    (void)state;
    node_assert_outputs("sort", "{\"data\":[\"b\",null,10,9,true,\"a\",[1],false],\"keys\":[{\"field\":\"\"}]}",
                        "{\"sorted\":[false,true,9,10,\"a\",\"b\",[1],null],\"count\":8}");
    node_assert_outputs(
        "sort",
        "{\"data\":[\"b\",null,10,9,\"a\"],\"keys\":[{\"field\":\"\",\"direction\":\"desc\",\"nulls\":\"first\"}]}",
        "{\"sorted\":[null,\"b\",\"a\",10,9],\"count\":5}");
    node_assert_outputs(
        "sort",
        "{\"data\":[{\"n\":\"10\"},{\"n\":9},{\"n\":\" 1e1\"}],\"keys\":[{\"field\":\"n\",\"type\":\"number\"}]}",
        "{\"sorted\":[{\"n\":9},{\"n\":\"10\"},{\"n\":\" 1e1\"}],\"count\":3}");
    node_assert_outputs("sort", "{\"data\":[10,9,\"a\"],\"keys\":[{\"field\":\"\",\"type\":\"text\"}]}",
                        "{\"sorted\":[10,9,\"a\"],\"count\":3}");
    node_assert_outputs(
        "sort",
        "{\"data\":[{\"d\":\"2025-01-01T00:00:00+02:00\"},{\"d\":\"2024-12-31T22:30:00Z\"},{\"d\":0}],"
        "\"keys\":[{\"field\":\"d\",\"type\":\"date\",\"direction\":\"desc\"}]}",
        "{\"sorted\":[{\"d\":\"2024-12-31T22:30:00Z\"},{\"d\":\"2025-01-01T00:00:00+02:00\"},{\"d\":0}],"
        "\"count\":3}");
    node_assert_fails("sort", "{\"data\":[{\"n\":1},{\"n\":\"x\"}],\"keys\":[{\"field\":\"n\",\"type\":\"number\"}]}",
                      ERR_NODE, "data[1].n", "number");
    node_assert_fails("sort", "{\"data\":[{\"n\":\"soon\"}],\"keys\":[{\"field\":\"n\",\"type\":\"date\"}]}", ERR_NODE,
                      "data[0].n", "date");
}

/* Ten thousand records with few different keys keep their order among equals. */
static void sort_is_stable(void **state)
{
    (void)state;
    struct json *inputs = json_from("{\"keys\":[{\"field\":\"k\"}]}"), *data = json_array_new();
    for (int i = 0; i < 10000; i++) {
        struct json *record = json_object_new();
        json_set_int(record, "k", (i * 7919) % 13);
        json_set_int(record, "i", i);
        json_push(data, record);
    }
    json_set(inputs, "data", data);
    struct node_run run;
    node_run_json(&run, "sort", inputs);
    assert_int_equal(run.code, ERR_OK);
    const struct json *sorted = json_get(run.call.outputs, "sorted");
    assert_int_equal(json_count(sorted), 10000);
    for (size_t i = 1; i < json_count(sorted); i++) {
        const struct json *a = json_at(sorted, i - 1), *b = json_at(sorted, i);
        int64_t order = json_get_int(a, "k", -1) - json_get_int(b, "k", -1);
        assert_true(order < 0 || (order == 0 && json_get_int(a, "i", -1) < json_get_int(b, "i", -1)));
    }
    node_run_done(&run);
}

static void limit_keeps(void **state)
{
    (void)state;
    node_assert_outputs("limit", "{\"data\":[1,2,3,4],\"count\":2,\"from\":\"last\",\"offset\":1}",
                        "{\"items\":[2,3],\"count\":2,\"total\":4}");
    node_assert_outputs("limit", "{\"data\":[1,2],\"count\":5,\"offset\":9}", "{\"items\":[],\"count\":0,\"total\":2}");
    node_assert_outputs("limit", "{\"data\":[1,2],\"count\":5,\"from\":\"last\"}",
                        "{\"items\":[1,2],\"count\":2,\"total\":2}");
    node_assert_outputs("limit", "{\"data\":[1],\"count\":0}", "{\"items\":[],\"count\":0,\"total\":1}");
}

static void deduplicate_compares_values(void **state)
{
    (void)state;
    node_assert_outputs(
        "deduplicate",
        "{\"data\":[{\"a\":1,\"b\":{\"x\":1,\"y\":2}},{\"b\":{\"y\":2,\"x\":1.0},\"a\":1},"
        "{\"a\":\"1\",\"b\":null},{\"a\":\"1\"}]}",
        "{\"unique\":[{\"a\":1,\"b\":{\"x\":1,\"y\":2}},{\"a\":\"1\",\"b\":null},{\"a\":\"1\"}],\"count\":"
        "3,\"duplicateCount\":1,\"duplicates\":[{\"b\":{\"y\":2,\"x\":1.0},\"a\":1}]}");
    node_assert_outputs(
        "deduplicate",
        "{\"data\":[{\"a\":{\"k\":\"x\\ny\"},\"b\":\"z\"},{\"a\":{\"k\":\"x\"},\"b\":\"y\\nz\"},{\"a\":{\"k\":\"x\"},"
        "\"b\":\"y\\nz\",\"c\":1}],\"fields\":[\"a.k\",\"b\"]}",
        "{\"unique\":[{\"a\":{\"k\":\"x\\ny\"},\"b\":\"z\"},{\"a\":{\"k\":\"x\"},\"b\":\"y\\nz\"}],\"count\":2,"
        "\"duplicateCount\":1,\"duplicates\":[{\"a\":{\"k\":\"x\"},\"b\":\"y\\nz\",\"c\":1}]}");
}

static void split_takes_apart(void **state)
{
    (void)state;
    node_assert_outputs("split", "{\"data\":[1,[2]]}", "{\"items\":[1,[2]],\"count\":2}");
    node_assert_outputs("split", "{\"data\":{\"a\":{\"b\":[1,2]}},\"field\":\"a.b\"}", "{\"items\":[1,2],\"count\":2}");
    node_assert_outputs("split", "{\"data\":{\"o\":1,\"b\":[7]},\"field\":\"b\",\"include\":\"record\"}",
                        "{\"items\":[{\"o\":1,\"b\":7}],\"count\":1}");
    node_assert_outputs("split", "{\"data\":[],\"mode\":\"chunks\"}", "{\"items\":[],\"count\":0}");
    node_assert_fails("split", "{\"data\":{\"a\":1},\"field\":\"a\"}", ERR_NODE, "data.a", "array");
    node_assert_fails("split", "{\"data\":[{\"a\":[1]},{\"a\":\"x\"}],\"field\":\"a\"}", ERR_NODE, "data[1].a",
                      "array");
    node_assert_fails("split", "{\"data\":7}", ERR_NODE, "data", "array");
    node_assert_fails("split", "{}", ERR_VALIDATION, "data", "required");
    node_assert_fails("split", "{\"data\":{},\"mode\":\"chunks\"}", ERR_VALIDATION, "data", "chunks");
    node_assert_fails("split", "{\"data\":[],\"mode\":\"chunks\",\"size\":0}", ERR_VALIDATION, "size", NULL);
    node_assert_fails("split", "{\"data\":[1],\"include\":\"record\"}", ERR_VALIDATION, "include", "field");
}

static void join_joins(void **state)
{
    (void)state;
#define LISTS                                                                                                          \
    "\"left\":[{\"k\":1,\"l\":\"a\"},{\"k\":2,\"l\":\"b\"},{\"k\":null,\"l\":\"c\"}],\"right\":[{\"k\":1.0,\"r\":"     \
    "\"x\"},"                                                                                                          \
    "{\"k\":1,\"r\":\"y\"},{\"k\":3,\"r\":\"z\"},{\"r\":\"n\"}],\"leftKey\":\"k\""
#define PAIRS "{\"k\":1.0,\"l\":\"a\",\"r\":\"x\"},{\"k\":1,\"l\":\"a\",\"r\":\"y\"}"
    node_assert_outputs("join-data", "{" LISTS "}", "{\"joined\":[" PAIRS "],\"count\":2,\"matchedCount\":1}");
    node_assert_outputs("join-data", "{" LISTS ",\"type\":\"left\"}",
                        "{\"joined\":[" PAIRS
                        ",{\"k\":2,\"l\":\"b\"},{\"k\":null,\"l\":\"c\"}],\"count\":4,\"matchedCount\":"
                        "1}");
    node_assert_outputs("join-data", "{" LISTS ",\"type\":\"right\"}",
                        "{\"joined\":[" PAIRS ",{\"k\":3,\"r\":\"z\"},{\"r\":\"n\"}],\"count\":4,\"matchedCount\":1}");
    node_assert_outputs("join-data", "{" LISTS ",\"type\":\"full\"}",
                        "{\"joined\":[" PAIRS
                        ",{\"k\":2,\"l\":\"b\"},{\"k\":null,\"l\":\"c\"},{\"k\":3,\"r\":\"z\"},{\"r\":"
                        "\"n\"}],\"count\":6,\"matchedCount\":1}");
    node_assert_outputs(
        "join-data",
        "{\"left\":[{\"k\":1,\"v\":\"l\"}],\"right\":[{\"k\":1,\"v\":\"r\"}],\"leftKey\":\"k\",\"sameName\":"
        "\"left\"}",
        "{\"joined\":[{\"k\":1,\"v\":\"l\"}],\"count\":1,\"matchedCount\":1}");
    node_assert_fails("join-data", "{\"left\":[],\"leftKey\":\"k\"}", ERR_VALIDATION, "right", "required");
    node_assert_fails("join-data", "{\"left\":[],\"right\":[]}", ERR_VALIDATION, "leftKey", "required");
    node_assert_fails("join-data", "{\"left\":[],\"right\":[],\"leftKey\":[]}", ERR_VALIDATION, "leftKey", "at least");
    node_assert_fails("join-data", "{\"left\":[],\"right\":[],\"leftKey\":[\"a\",\"b\"],\"rightKey\":\"a\"}",
                      ERR_VALIDATION, "rightKey", "as many");
    node_assert_fails("join-data", "{\"left\":[{}],\"right\":[7],\"leftKey\":\"a\"}", ERR_NODE, "right[0]", "object");
    node_assert_fails("join-data", "{\"left\":{},\"right\":[],\"leftKey\":\"a\"}", ERR_VALIDATION, "left", "array");
}

/* 1,001 records of one key on both sides would make more than a million. */
static void join_is_bounded(void **state)
{
    (void)state;
    struct json *inputs = json_from("{\"leftKey\":\"k\"}"), *list = json_array_new();
    for (int i = 0; i < 1001; i++)
        json_push(list, json_from("{\"k\":1}"));
    json_set(inputs, "left", json_ref(list));
    json_set(inputs, "right", list);
    struct node_run run;
    node_run_json(&run, "join-data", inputs);
    assert_int_equal(run.code, ERR_LIMIT);
    assert_string_equal(run.error.field, "leftKey");
    node_run_done(&run);
}

static void aggregate_collects(void **state)
{
    (void)state;
    node_assert_outputs(
        "aggregate",
        "{\"data\":[{\"a\":1,\"b\":2},{\"a\":1.0,\"b\":null},{\"a\":\"1\",\"b\":2}],\"groupBy\":[\"a\"],"
        "\"operations\":[{\"operation\":\"collect\"},{\"operation\":\"distinct\",\"field\":\"b\"}]}",
        "{\"summary\":[{\"a\":1,\"collect\":[{\"a\":1,\"b\":2},{\"a\":1.0,\"b\":null}],\"distinct_b\":[2]},{"
        "\"a\":\"1\",\"collect\":[{\"a\":\"1\",\"b\":2}],\"distinct_b\":[2]}],\"count\":2}");
    node_assert_outputs("aggregate", "{\"data\":[],\"operations\":[{\"operation\":\"collect\",\"field\":\"x\"}]}",
                        "{\"summary\":[{\"collect_x\":[]}],\"count\":1}");
}

static void csv_reads_and_writes(void **state)
{
    (void)state;
    node_assert_outputs("csv",
                        "{\"operation\":\"format\",\"header\":false,\"data\":[{\"a\\nb\":1},{\"a\\nb\":\"x;y\"}],"
                        "\"delimiter\":\";\"}",
                        "{\"result\":\"1\\r\\n\\\"x;y\\\"\\r\\n\",\"rowCount\":2}");
    node_assert_outputs("csv", "{\"operation\":\"format\",\"data\":[]}", "{\"result\":\"\",\"rowCount\":0}");
    node_assert_outputs(
        "csv", "{\"data\":\"1,2\",\"header\":false}",
        "{\"result\":[{\"column1\":1,\"column2\":2}],\"rowCount\":1,\"columns\":[\"column1\",\"column2\"]}");
    node_assert_fails("csv", "{\"data\":[1]}", ERR_VALIDATION, "data", "text");
    node_assert_fails("csv", "{}", ERR_VALIDATION, "data", "required");
    node_assert_fails("csv", "{\"data\":\"a\\n1,2\"}", ERR_NODE, NULL, "line 2");
    node_assert_fails("csv", "{\"data\":\"a\",\"delimiter\":\"\\\"\"}", ERR_VALIDATION, "delimiter", "quote");
    node_assert_fails("csv", "{\"data\":\"a\\n1\\n2\",\"maxRows\":1}", ERR_LIMIT, NULL, "1 rows");
    node_assert_fails("csv", "{\"operation\":\"format\",\"data\":[7]}", ERR_VALIDATION, "data[0]", "object");
}

static void json_reads_and_writes(void **state)
{
    (void)state;
    node_assert_outputs("json", "{\"operation\":\"format\",\"data\":{\"a\":[1]}}", "{\"result\":\"{\\\"a\\\":[1]}\"}");
    node_assert_outputs("json", "{\"operation\":\"format\",\"data\":null}", "{\"result\":\"null\"}");
    node_assert_outputs("json", "{\"data\":\"null\"}", "{\"result\":null}");
    node_assert_outputs("json", "{\"operation\":\"pick\",\"path\":\"a.0\",\"data\":{\"a\":[5]}}", "{\"result\":5}");
    node_assert_fails("json", "{\"data\":\"{\"}", ERR_NODE, "data", "no valid JSON");
    node_assert_fails("json", "{\"data\":{}}", ERR_VALIDATION, "data", "text");
    node_assert_fails("json", "{\"operation\":\"pick\",\"data\":{}}", ERR_VALIDATION, "path", "required");
    node_assert_fails("json", "{\"operation\":\"pick\",\"data\":{},\"path\":7}", ERR_VALIDATION, "path", "list");
    node_assert_fails("json", "{\"operation\":\"sing\",\"data\":{}}", ERR_VALIDATION, "operation", "pick");
}

static void assert_text(const char *template, const char *data, const char *text)
{
    struct json *inputs = json_object_new();
    json_set_str(inputs, "template", template);
    json_set(inputs, "data", json_from(data));
    struct node_run run;
    node_run_json(&run, "template", inputs);
    if (run.code != ERR_OK)
        fail_msg("%s: %s", template, run.error.message);
    assert_string_equal(json_get_str(run.call.outputs, "text"), text);
    node_run_done(&run);
}

static void templates_render(void **state)
{
    (void)state;
    assert_text("", "{}", "");
    assert_text("a$b{c}$", "{}", "a$b{c}$");
    assert_text("$${a} ${a}", "{\"a\":1}", "${a} 1");
    assert_text("$$${a}", "{\"a\":1}", "$${a}");
    assert_text("${ a.b.0 }|${a.x}|${n}|${.}", "{\"a\":{\"b\":[\"z\"]},\"n\":null}",
                "z|||{\"a\":{\"b\":[\"z\"]},\"n\":null}");
    assert_text("${! nothing }${a|upper|lower}", "{\"a\":\"\\u00c9x\"}", "\u00c9x");
    assert_text("${a|length} ${b|length} ${c|length}", "{\"a\":\"\\u00e9\\u00e9\",\"b\":[1,2,3],\"c\":null}", "2 3 0");
    assert_text("${a|json} ${a|html} ${a|url} ${a|trim}", "{\"a\":\" <\\\"> \"}",
                "\" <\\\"> \"  &lt;&quot;&gt;  %20%3C%22%3E%20 <\">");
    assert_text("${a|fixed:2} ${b|fixed:0} ${c|fixed:1}", "{\"a\":1.005,\"b\":\"2.5\",\"c\":\"x\"}", "1.00 2 x");
    assert_text("${a|default:\"}|\"} ${b|default:z}", "{\"b\":\"\"}", "}| z");
    assert_text("${a|join:\", \"}", "{\"a\":[1,\"b\",null]}", "1, b, ");
    assert_text("${#each rows}${@index}${name}:${#each tags}${.}${root}${/each};${else}none${/each}",
                "{\"root\":\"!\",\"rows\":[{\"name\":\"a\",\"tags\":[1,2]},{\"name\":\"b\"}]}", "0a:1!2!;1b:;");
    assert_text("${#each rows}x${else}none${/each}", "{}", "none");
    assert_text("${#if a}1${else}0${/if}${#unless a}1${else}0${/unless}", "{\"a\":[]}", "01");
    assert_text("{{ input.a }}", "{}", "{{ input.a }}"); /* expressions are none of its business */
}

static void templates_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *template, *text;
    } cases[] = {{"${a", "line 1: ${ is not closed"},
                 {"x\\n${}", "line 2: a path is missing"},
                 {"${a|shout}", "no filter"},
                 {"${a|fixed}", "needs an argument"},
                 {"${a|fixed:12}", "takes a digit"},
                 {"${a|upper:1}", "takes no argument"},
                 {"${a|upper x}", "after a filter"},
                 {"${#if a}", "not closed in its turn"},
                 {"${#if a}${/each}", "not closed in its turn"},
                 {"${#each a|upper}${/each}", "without filters"},
                 {"${#loop a}${/loop}", "#if, #unless or #each"},
                 {"${/if}", "closes no block"},
                 {"${else}", "in no block"},
                 {"${#if a}${else}${else}${/if}", "not closed in its turn"},
                 {"${a|default:\\\"x}", "not closed"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *inputs = mem_printf("{\"template\":\"%s\"}", cases[i].template);
        node_assert_fails("template", inputs, ERR_VALIDATION, "template", cases[i].text);
    }
    node_assert_fails("template", "{}", ERR_VALIDATION, "template", "required");
    node_assert_fails("template", "{\"template\":7}", ERR_VALIDATION, "template", "string");
    node_assert_fails("template", "{\"template\":\"a\\n${b.c}\",\"strict\":true,\"data\":{}}", ERR_NODE, "template",
                      "line 2: there is no value at b.c");
    node_assert_fails("template", "{\"template\":\"${#each a}${/each}\",\"data\":{\"a\":{}}}", ERR_NODE, "template",
                      "must be a list");
    node_assert_fails("template", "{\"template\":\"${a}\",\"mode\":\"each\",\"data\":{}}", ERR_VALIDATION, "data",
                      "array");
    node_assert_fails("template", "{\"template\":\"${a}\",\"mode\":\"each\",\"strict\":true,\"data\":[{\"a\":1},{}]}",
                      ERR_NODE, "data[1].template", "no value at a");
    AUTO_BUF struct buf deep;
    buf_init(&deep, 0);
    buf_add_str(&deep, "{\"template\":\"");
    for (int i = 0; i < 25; i++)
        buf_add_str(&deep, "${#if a}");
    buf_add_str(&deep, "\"}");
    node_assert_fails("template", buf_str(&deep), ERR_VALIDATION, "template", "nested too deep");
}

/* Six loops inside of each other over a hundred elements would run for ever. */
static void templates_end(void **state)
{
    (void)state;
    AUTO_BUF struct buf inputs;
    buf_init(&inputs, 0);
    buf_add_str(&inputs, "{\"data\":{\"a\":[1");
    for (int i = 0; i < 99; i++)
        buf_add_str(&inputs, ",1");
    buf_add_str(&inputs, "]},\"template\":\"");
    for (int i = 0; i < 6; i++)
        buf_add_str(&inputs, "${#each a}");
    buf_add_str(&inputs, "0123456789");
    for (int i = 0; i < 6; i++)
        buf_add_str(&inputs, "${/each}");
    buf_add_str(&inputs, "\"}");
    node_assert_fails("template", buf_str(&inputs), ERR_LIMIT, "template", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_input_is_named), cmocka_unit_test(sort_orders),
        cmocka_unit_test(sort_is_stable),       cmocka_unit_test(limit_keeps),
        cmocka_unit_test(split_takes_apart),    cmocka_unit_test(deduplicate_compares_values),
        cmocka_unit_test(join_joins),           cmocka_unit_test(join_is_bounded),
        cmocka_unit_test(aggregate_collects),   cmocka_unit_test(csv_reads_and_writes),
        cmocka_unit_test(templates_render),     cmocka_unit_test(json_reads_and_writes),
        cmocka_unit_test(templates_refuse),     cmocka_unit_test(templates_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
