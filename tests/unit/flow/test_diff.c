/* Comparing versions, and parts of flows. */
#include "base/mem.h"
#include "flow/diff.h"
#include "flow/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct error error = {0};
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK)
        fail_msg("%s: %s", text, error.message);
    return value;
}

static const char base[] = "{\"nodes\":[{\"id\":\"a\",\"type\":\"log\",\"position\":{\"x\":0,\"y\":0},\"config\":{"
                           "\"message\":\"x\",\"list\":[1,2]}},"
                           "{\"id\":\"b\",\"type\":\"delay\",\"position\":{\"x\":1,\"y\":0},\"config\":{}}],"
                           "\"connections\":[{\"fromNodeId\":\"a\",\"toNodeId\":\"b\"}],\"settings\":{\"timeout\":5}}";

static void check(const char *after_text, const char *expected)
{
    AUTO_JSON struct json *before = parse(base);
    AUTO_JSON struct json *after = parse(after_text);
    AUTO_JSON struct json *diff = flow_diff(before, after);
    AUTO_FREE char *text = json_dup_text(diff);
    assert_string_equal(text, expected);
}

static void tells_nothing_of_the_same(void **state)
{
    (void)state;
    check(base, "{\"nodes\":{\"added\":[],\"removed\":[],\"changed\":[],\"moved\":[]},\"connections\":{\"added\":[],"
                "\"removed\":[]},\"settings\":[],\"changes\":0}");
}

static void tells_each_change_with_its_path(void **state)
{
    (void)state;
    check("{\"nodes\":[{\"id\":\"a\",\"type\":\"log\",\"position\":{\"x\":9,\"y\":0},\"config\":{\"message\":\"y\","
          "\"list\":[1,3,4],"
          "\"more\":{}}},{\"id\":\"c\",\"type\":\"if\",\"config\":{}}],"
          "\"connections\":[{\"fromNodeId\":\"a\",\"toNodeId\":\"c\"}],\"settings\":{\"history\":\"none\"}}",
          "{\"nodes\":{\"added\":[{\"id\":\"c\",\"type\":\"if\"}],\"removed\":[{\"id\":\"b\",\"type\":\"delay\"}],"
          "\"changed\":[{\"id\":"
          "\"a\",\"type\":\"log\",\"fields\":[{\"path\":\"config.message\",\"before\":\"x\",\"after\":\"y\"},{\"path\":"
          "\"config.list[1]\",\"before\":2,\"after\":3},{\"path\":\"config.list[2]\",\"before\":null,\"after\":4},{"
          "\"path\":"
          "\"config.more\",\"before\":null,\"after\":{}}]}],\"moved\":[\"a\"]},\"connections\":{\"added\":[{"
          "\"fromNodeId\":\"a\","
          "\"toNodeId\":\"c\"}],\"removed\":[{\"fromNodeId\":\"a\",\"toNodeId\":\"b\"}]},\"settings\":[{\"path\":"
          "\"timeout\",\"before\":5,"
          "\"after\":null},{\"path\":\"history\",\"before\":null,\"after\":\"none\"}],\"changes\":7}");
}

static void keeps_its_answer_small(void **state)
{
    (void)state;
    AUTO_BUF struct buf after = {0};
    buf_add_str(&after, "{\"nodes\":[{\"id\":\"a\",\"type\":\"log\",\"position\":{\"x\":0,\"y\":0},\"config\":{"
                        "\"message\":\"x\",\"list\":[");
    for (int i = 0; i < 5000; i++)
        buf_printf(&after, "%s7", i == 0 ? "" : ",");
    buf_add_str(&after, "]}}]}");
    AUTO_JSON struct json *old = parse(base);
    AUTO_JSON struct json *new = parse(after.data);
    AUTO_JSON struct json *diff = flow_diff(old, new);
    const struct json *fields = json_get(json_at(json_get(json_get(diff, "nodes"), "changed"), 0), "fields");
    assert_int_equal(json_count(fields), 1);
    assert_string_equal(json_get_str(json_at(fields, 0), "path"), "config");
}

/* a -> b -> c, a -> d -> e, f (for-each, after b) holds g -> h, x -> h from outside; l1 <-> l2 a loop before e. */
static const char branched[] = "{\"name\":\"n\",\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":\"d\"},"
                               "{\"id\":\"e\"},{\"id\":\"f\"},{\"id\":\"g\","
                               "\"parentId\":\"f\"},{\"id\":\"h\",\"parentId\":\"f\"},{\"id\":\"x\"},{\"id\":\"l1\"},{"
                               "\"id\":\"l2\"}],\"connections\":["
                               "{\"fromNodeId\":\"a\",\"toNodeId\":\"b\"},{\"fromNodeId\":\"b\",\"toNodeId\":\"c\"},{"
                               "\"fromNodeId\":\"a\",\"toNodeId\":\"d\"},"
                               "{\"fromNodeId\":\"d\",\"toNodeId\":\"e\"},{\"fromNodeId\":\"b\",\"toNodeId\":\"f\"},{"
                               "\"fromNodeId\":\"g\",\"toNodeId\":\"h\"},"
                               "{\"fromNodeId\":\"x\",\"toNodeId\":\"h\"},{\"fromNodeId\":\"l1\",\"toNodeId\":\"l2\"},{"
                               "\"fromNodeId\":\"l2\",\"toNodeId\":\"l1\"},"
                               "{\"fromNodeId\":\"l2\",\"toNodeId\":\"e\"}]}";

static void keeps_what_a_node_needs(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "a", "0"},      {"c", "abc", "2"},    {"d", "ad", "1"},    {"e", "adel1l2", "5"},
        {"f", "abfghx", "4"}, {"g", "abfghx", "4"}, {"l1", "l1l2", "2"},
    };
    AUTO_JSON struct json *definition = parse(branched);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *part = NULL;
        AUTO_BUF struct buf ids = {0};
        struct error error = {0};
        char count[12];
        assert_int_equal(flow_part_until(definition, cases[i][0], &part, &error), ERR_OK);
        for (size_t k = 0; k < json_count(json_get(part, "nodes")); k++)
            buf_add_str(&ids, json_get_str(json_at(json_get(part, "nodes"), k), "id"));
        (void)snprintf(count, sizeof count, "%zu", json_count(json_get(part, "connections")));
        assert_string_equal(buf_str(&ids), cases[i][1]);
        assert_string_equal(count, cases[i][2]);
        assert_string_equal(json_get_str(part, "name"), "n");
    }
    AUTO_JSON struct json *part = NULL;
    struct error error = {0};
    assert_int_equal(flow_part_until(definition, "nobody", &part, &error), ERR_NOT_FOUND);
    assert_string_equal(error.field, "untilNode");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_nothing_of_the_same),
        cmocka_unit_test(tells_each_change_with_its_path),
        cmocka_unit_test(keeps_its_answer_small),
        cmocka_unit_test(keeps_what_a_node_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
