/* Definitions: what is refused, what is warned of, and what is compiled. */
#include "base/limits.h"
#include "support/flow_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NODE(id, type) "{'id':'" id "','type':'" type "','config':{}}"
#define LINK(a, b) "{'fromNodeId':'" a "','toNodeId':'" b "'}"
#define FLOW(nodes, connections) "{'nodes':[" nodes "],'connections':[" connections "]}"

/* ---- what flow_validate finds */

struct verdict {
    struct json *errors, *warnings;
};

static struct verdict judge_json(const struct json *definition)
{
    struct verdict verdict = {.errors = json_array_new(), .warnings = json_array_new()};
    flow_validate(definition, &kit_catalog, verdict.errors, verdict.warnings);
    return verdict;
}

static struct verdict judge(const char *quoted)
{
    AUTO_JSON struct json *definition = kit_json(quoted);
    return judge_json(definition);
}

static void verdict_done(const struct verdict *verdict)
{
    json_unref(verdict->errors);
    json_unref(verdict->warnings);
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The list has exactly one problem of that code, of that node and field, in a sentence. */
static void has(const struct json *list, const char *code, const char *node_id, const char *field, const char *says)
{
    const struct json *found = NULL;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *problem = json_at(list, i);
        if (strcmp(json_get_str(problem, "code"), code) != 0 || !same(json_get_str(problem, "nodeId"), node_id) ||
            !same(json_get_str(problem, "field"), field))
            continue;
        if (found != NULL)
            fail_msg("%s is there twice", code);
        found = problem;
    }
    AUTO_FREE char *all = json_dup_text(list);
    if (found == NULL)
        fail_msg("no %s of node %s, field %s in %s", code, node_id, field, all);
    const char *message = json_get_str(found, "message");
    if (strlen(message) < 15 || message[strlen(message) - 1] != '.' || strstr(message, says) == NULL)
        fail_msg("the message should be a sentence and say '%s': %s", says, message);
}

static void is_refused(const char *quoted, const char *code, const char *node_id, const char *field, const char *says)
{
    struct verdict verdict = judge(quoted);
    has(verdict.errors, code, node_id, field, says);
    verdict_done(&verdict);
}

static void is_warned(const char *quoted, const char *code, const char *node_id, const char *field, const char *says)
{
    struct verdict verdict = judge(quoted);
    assert_int_equal(json_count(verdict.errors), 0);
    has(verdict.warnings, code, node_id, field, says);
    verdict_done(&verdict);
}

static void test_a_good_flow_has_no_problems(void **state)
{
    (void)state;
    struct verdict verdict = judge(FLOW(NODE("a", "trigger") "," NODE("b", "pure"), LINK("a", "b")));
    assert_int_equal(json_count(verdict.errors) + json_count(verdict.warnings), 0);
    verdict_done(&verdict);
}

static void test_errors(void **state)
{
    (void)state;
    is_refused("{'nodes':[],'connections':[]}", "NO_NODES", NULL, "nodes", "at least one");
    is_refused("{'connections':[]}", "NO_NODES", NULL, "nodes", "at least one");
    is_refused("{'nodes':[" NODE("a", "trigger") "],'connections':{}}", "INVALID_CONNECTION", NULL, "connections",
               "must be an array");
    is_refused(FLOW(NODE("a", "trigger"), LINK("a", "z")), "INVALID_CONNECTION", "z", "connections[0].toNodeId", "z");
    is_refused(FLOW(NODE("a", "trigger"), LINK("y", "a")), "INVALID_CONNECTION", "y", "connections[0].fromNodeId", "y");
    is_refused("{'nodes':[" NODE("a", "trigger") "],'connections':[],'settings':{'timeoutMs':-1}}", "INVALID_SETTINGS",
               NULL, "settings.timeoutMs", "timeoutMs");
    is_refused("{'nodes':[" NODE("a", "trigger") "],'connections':[],'settings':[]}", "INVALID_SETTINGS", NULL,
               "settings", "must be an object");
#define NOTE(more) "{'nodes':[" NODE("a", "trigger") "],'connections':[],'settings':{'notes':[{'text':'Why'" more "}]}}"
    is_refused(NOTE(""), "INVALID_SETTINGS", NULL, "settings.notes[0].position", "position");
    is_refused(NOTE(",'position':{'x':'1','y':2}"), "INVALID_SETTINGS", NULL, "settings.notes[0].position.x", "number");
    is_refused(NOTE(",'position':{'x':1,'y':2},'color':'mauve'"), "INVALID_SETTINGS", NULL, "settings.notes[0].color",
               "yellow");
    is_refused(NOTE(",'position':{'x':1,'y':2},'size':{'width':0,'height':9}"), "INVALID_SETTINGS", NULL,
               "settings.notes[0].size.width", "width");
}

static void test_warnings(void **state)
{
    (void)state;
    is_warned(FLOW(NODE("a", "trigger") "," NODE("b", "pure"), ""), "ORPHANED_NODE", "b", NULL, "no connection");
    is_warned(FLOW(NODE("a", "trigger") "," NODE("a", "pure"), LINK("a", "a")), "DUPLICATE_NODE_ID", "a", "nodes[1].id",
              "needs its own");
    is_warned(FLOW(NODE("", "trigger"), ""), "INVALID_NODE_ID", "", "nodes[0].id", "1 to 64 bytes");
    is_warned(FLOW(NODE("a", "teleport"), ""), "UNKNOWN_NODE_TYPE", "a", "nodes[0].type", "teleport");
    is_warned("{'nodes':[" NODE("a", "trigger") "," NODE("b", "pure") "],'connections':[{'fromNodeId':'a','fromOutput':"
                                                                      "'nose','toNodeId':'b'}]}",
              "UNKNOWN_PIN", "a", "connections[0].fromOutput", "it has out, other, error");
    is_warned("{'nodes':[" NODE("a", "trigger") "," NODE("b", "pure") "],'connections':[{'fromNodeId':'a','toNodeId':"
                                                                      "'b','toInput':'nose'}]}",
              "UNKNOWN_PIN", "b", "connections[0].toInput", "it has in, data");
    is_warned(FLOW(NODE("a", "trigger") "," NODE("b", "pure") "," NODE("c", "pure"), LINK("b", "c") "," LINK("c", "b")),
              "CYCLE", "b", "connections", "depends on itself");
    is_warned(FLOW(NODE("a", "trigger") "," NODE("b", "pure") "," NODE("c", "pure"),
                   LINK("a", "b") "," LINK("a", "c") "," LINK("b", "c") "," LINK("c", "b")),
              "CYCLE", "b", "connections", "entered at c too");
    is_warned(FLOW(NODE("b", "pure") "," NODE("c", "pure") "," NODE("d", "pure"),
                   LINK("b", "c") "," LINK("c", "b") "," LINK("c", "d")),
              "UNREACHABLE_NODE", "d", "connections", "never run");
    is_warned("{'nodes':[{'id':'a','type':'pure','config':{'timeout':-5}}],'connections':[]}", "INVALID_CONFIG", "a",
              "nodes[0].config.timeout", "timeout");
    is_warned("{'nodes':[{'id':'a','type':'pure','config':{'retry':{'maxAttempts':1000}}}],'connections':[]}",
              "INVALID_CONFIG", "a", "nodes[0].config.retry.maxAttempts", "maxAttempts");
    is_warned("{'nodes':[{'id':'a','type':'pure','config':{'critical':'yes'}}],'connections':[]}", "INVALID_CONFIG",
              "a", "nodes[0].config.critical", "critical");
}

#define TYPED(config) "{'id':'t','type':'typed','config':" config "}"

static void has_no_warning_of_inputs(const char *quoted)
{
    struct verdict verdict = judge(quoted);
    for (size_t i = 0; i < json_count(verdict.warnings); i++) {
        const char *code = json_get_str(json_at(verdict.warnings, i), "code");
        assert_string_not_equal(code, "MISSING_INPUT");
        assert_string_not_equal(code, "INVALID_CONFIG");
    }
    verdict_done(&verdict);
}

static void test_what_a_node_needs(void **state)
{
    (void)state;
    is_warned(FLOW(TYPED("{}"), ""), "MISSING_INPUT", "t", "nodes[0].config.count", "connect it");
    is_warned(FLOW(NODE("s", "strict"), ""), "MISSING_INPUT", "s", "nodes[0].config.text", "is required");
    is_warned(FLOW(TYPED("{'count':'many'}"), ""), "INVALID_CONFIG", "t", "nodes[0].config.count", "an integer");
    is_warned(FLOW(TYPED("{'count':10}"), ""), "INVALID_CONFIG", "t", "nodes[0].config.count", "1 to 9");
    has_no_warning_of_inputs(FLOW(TYPED("{'count':9,'other':true}"), ""));
    has_no_warning_of_inputs(FLOW(TYPED("{'count':'{{ input.n }}'}"), ""));
    has_no_warning_of_inputs(FLOW(NODE("a", "trigger") "," TYPED("{}"),
                                  "{'fromNodeId':'a','fromOutput':'out','toNodeId':'t','toInput':'count'}"));
    is_warned("{'nodes':[{'id':'c','type':'coded','config':{'rows':[{'body':1}]}}],'connections':[]}", "INVALID_CONFIG",
              "c", "nodes[0].config.rows[0].body", "a string");
}

/* A cycle is told once, by its first node; the others on it are not "unreachable" besides. */
static void test_a_cycle_is_told_once(void **state)
{
    (void)state;
    struct verdict verdict = judge(FLOW(NODE("b", "pure") "," NODE("c", "pure"), LINK("b", "c") "," LINK("c", "b")));
    assert_int_equal(json_count(verdict.warnings), 1);
    verdict_done(&verdict);
    is_warned(FLOW(NODE("a", "pure"), LINK("a", "a")), "CYCLE", "a", "connections", "depends on itself");
}

static void test_a_loop_with_one_entry_is_no_cycle(void **state)
{
    (void)state;
    struct verdict verdict = judge(FLOW(NODE("a", "trigger") "," NODE("b", "pure") "," NODE("c", "pure"),
                                        LINK("a", "b") "," LINK("b", "c") "," LINK("c", "b")));
    assert_int_equal(json_count(verdict.warnings), 0);
    verdict_done(&verdict);
}

#define INSIDE(id, type, parent) "{'id':'" id "','type':'" type "','config':{},'parentId':'" parent "'}"
#define PIN_LINK(from, out, to, in)                                                                                    \
    "{'fromNodeId':'" from "','fromOutput':'" out "','toNodeId':'" to "','toInput':'" in "'}"

static void test_what_stands_inside_a_for_each(void **state)
{
    (void)state;
    is_warned(FLOW(NODE("a", "trigger") "," INSIDE("b", "pure", "a"), ""), "INVALID_PARENT", "b", "nodes[1].parentId",
              "the id of a for-each");
    is_warned(FLOW(NODE("e", "each") "," INSIDE("b", "trigger", "e"), ""), "INVALID_PARENT", "b", "nodes[1].parentId",
              "cannot stand inside");
    is_warned(FLOW(INSIDE("e", "each", "f") "," INSIDE("f", "each", "e"), ""), "INVALID_PARENT", "e", "nodes",
              "inside itself");
    is_warned(FLOW(NODE("a", "trigger") "," NODE("e", "each") "," INSIDE("b", "pure", "e"), LINK("a", "b")),
              "INVALID_SCOPE", "a", "connections[0]", "crosses the border");
    is_warned(FLOW(NODE("e", "each") "," NODE("b", "pure"), PIN_LINK("e", "item", "b", "in")), "INVALID_SCOPE", "e",
              "connections[0]", "nodes inside it only");
    is_warned(FLOW(NODE("e", "each") "," NODE("b", "pure"), PIN_LINK("b", "out", "e", "result")), "INVALID_SCOPE", "e",
              "connections[0]", "from nodes inside it only");
}

static void test_all_problems_come_at_once(void **state)
{
    (void)state;
    struct verdict verdict = judge("{'nodes':[" NODE("a", "teleport") "," NODE(
        "a", "pure") ",{'id':'c','type':'pure',"
                     "'config':{'timeout':-5,'critical':1}}],'connections':[" LINK("a", "x") "," LINK(
                         "y", "c") "],'settings':{'durability':'often','maxSteps':0}}");
    has(verdict.warnings, "UNKNOWN_NODE_TYPE", "a", "nodes[0].type", "teleport");
    has(verdict.warnings, "DUPLICATE_NODE_ID", "a", "nodes[1].id", "Two nodes");
    has(verdict.warnings, "INVALID_CONFIG", "c", "nodes[2].config.timeout", "timeout");
    has(verdict.warnings, "INVALID_CONFIG", "c", "nodes[2].config.critical", "critical");
    has(verdict.errors, "INVALID_CONNECTION", "x", "connections[0].toNodeId", "x");
    has(verdict.errors, "INVALID_CONNECTION", "y", "connections[1].fromNodeId", "y");
    has(verdict.errors, "INVALID_SETTINGS", NULL, "settings.durability", "durability");
    has(verdict.errors, "INVALID_SETTINGS", NULL, "settings.maxSteps", "maxSteps");
    assert_int_equal(json_count(verdict.errors), 4);
    verdict_done(&verdict);
}

static struct json *many(size_t nodes, size_t connections)
{
    struct json *definition = json_object_new(), *node_list = json_array_new(), *connection_list = json_array_new();
    for (size_t i = 0; i < nodes; i++) {
        struct json *node = json_object_new();
        char id[24];
        (void)snprintf(id, sizeof id, "n%zu", i);
        json_set_str(node, "id", id);
        json_set_str(node, "type", "free");
        json_push(node_list, node);
    }
    for (size_t i = 0; i < connections; i++) {
        struct json *connection = json_object_new();
        json_set_str(connection, "fromNodeId", "n0");
        json_set_str(connection, "toNodeId", "n1");
        json_push(connection_list, connection);
    }
    json_set(definition, "nodes", node_list);
    json_set(definition, "connections", connection_list);
    return definition;
}

static void test_limits(void **state)
{
    (void)state;
    AUTO_JSON struct json *nodes = many(LIMIT_FLOW_NODES + 1, 0);
    struct verdict verdict = judge_json(nodes);
    has(verdict.errors, "TOO_MANY_NODES", NULL, "nodes", "2000 nodes, not 2001");
    verdict_done(&verdict);
    AUTO_JSON struct json *connections = many(2, LIMIT_FLOW_CONNECTIONS + 1);
    verdict = judge_json(connections);
    has(verdict.errors, "TOO_MANY_CONNECTIONS", NULL, "connections", "10000 connections, not 10001");
    verdict_done(&verdict);
    AUTO_JSON struct json *most = many(LIMIT_FLOW_NODES, LIMIT_FLOW_CONNECTIONS);
    verdict = judge_json(most);
    assert_int_equal(json_count(verdict.errors), 0);
    verdict_done(&verdict);
}

/* Names are cut short in messages; what is cut must still be UTF-8. */
static void test_messages_are_always_utf8(void **state)
{
    (void)state;
    struct buf name, text;
    buf_init(&name, 0);
    buf_init(&text, 0);
    for (int i = 0; i < 101; i++)
        buf_add_str(&name, i == 0 ? "x" : "é");
    AUTO_JSON struct json *definition = kit_json("{'nodes':[{'id':'a','type':'pure'}],'connections':[]}");
    json_set_str(json_at(json_get(definition, "nodes"), 0), "type", name.data);
    json_set_str(json_at(json_get(definition, "nodes"), 0), "id", name.data);
    struct verdict verdict = judge_json(definition);
    json_print(verdict.warnings, &text);
    struct json *parsed = NULL;
    struct error error;
    assert_int_equal(json_parse(text.data, text.len, &parsed, &error), ERR_OK);
    json_unref(parsed);
    verdict_done(&verdict);
    buf_done(&name);
    buf_done(&text);
}

/* ---- compiling */

static void refuses_to_run(const char *quoted, const char *code)
{
    AUTO_JSON struct json *definition = kit_json(quoted), *problems = json_array_new();
    struct flow *flow = NULL;
    struct error error = {0};
    assert_int_equal(flow_compile("f", 1, definition, &kit_catalog, &flow, problems, &error), ERR_VALIDATION);
    assert_null(flow);
    assert_true(strlen(error.message) > 10);
    assert_string_equal(json_get_str(json_at(problems, 0), "code"), code);
}

static void test_what_may_be_saved_may_not_run(void **state)
{
    (void)state;
    refuses_to_run(FLOW(NODE("a", "teleport"), ""), "UNKNOWN_NODE_TYPE");
    refuses_to_run(FLOW(NODE("a", "pure"), LINK("a", "a")), "CYCLE");
    refuses_to_run(FLOW(NODE("a", "pure") "," NODE("a", "pure"), ""), "DUPLICATE_NODE_ID");
    refuses_to_run("{'nodes':[" NODE("a", "trigger") "," NODE("b", "pure") "],'connections':[{'fromNodeId':'a',"
                                                                           "'fromOutput':'nose','toNodeId':'b'}]}",
                   "UNKNOWN_PIN");
    refuses_to_run("{'nodes':[]}", "NO_NODES");
}

static void test_settings_and_their_defaults(void **state)
{
    (void)state;
    struct flow *flow = kit_flow_of("a:trigger", "", NULL);
    assert_int_equal(flow->settings.durability, FLOW_DURABLE_STEP);
    assert_int_equal(flow->settings.history, FLOW_HISTORY_ALL);
    assert_int_equal(flow->settings.timeout_ms, 0);
    assert_int_equal(flow->settings.max_steps, LIMIT_RUN_STEPS);
    assert_int_equal(flow->settings.max_output_bytes, LIMIT_OUTPUT_BYTES);
    assert_true(flow->pure);
    const struct flow_node *node = &flow->nodes[0];
    assert_int_equal(node->timeout_ms, LIMIT_NODE_TIMEOUT_MS);
    assert_int_equal(node->retry.max_attempts, 1);
    assert_true(node->critical);
    flow_free(flow);
    flow = kit_flow_of("a:trigger b:effect{'timeout':50,'critical':false,'retry':{'maxAttempts':4,'delayMs':10,"
                       "'maxDelayMs':30,'factor':2,'jitter':0}}",
                       "a>b", "{'durability':'run','history':'errors','timeoutMs':900,'maxSteps':7}");
    assert_int_equal(flow->settings.durability, FLOW_DURABLE_RUN);
    assert_int_equal(flow->settings.history, FLOW_HISTORY_ERRORS);
    assert_int_equal(flow->settings.timeout_ms, 900);
    assert_int_equal(flow->settings.max_steps, 7);
    assert_false(flow->pure);
    node = &flow->nodes[flow_find_node(flow, "b")];
    assert_int_equal(node->timeout_ms, 50);
    assert_int_equal(node->retry.max_attempts, 4);
    assert_int_equal(node->retry.max_delay_ms, 30);
    assert_false(node->critical);
    assert_int_equal(flow_find_node(flow, "z"), -1);
    flow_free(flow);
}

/* ---- pins (api-contract 7.5) */

static void leads(const char *nodes, const char *connection, const char *output, const char *input)
{
    struct flow *flow = kit_flow_of(nodes, connection, NULL);
    assert_string_equal(flow->connections[0].output, output);
    assert_string_equal(flow->connections[0].input, input);
    flow_free(flow);
}

static void test_pins(void **state)
{
    (void)state;
    leads("a:pure b:pure", "a.other>b.data", "other", "data");
    leads("a:pure b:pure", "a>b", "out", "in");              /* nothing written: the first of each */
    leads("a:pure b:pure", "a.output>b.input", "out", "in"); /* the page's placeholders mean the same */
    leads("a:pure b:pure", "a.data>b.input", "out", "in");
    leads("a:pure b:pure", "a.error>b", "error", "in");             /* every node has it */
    leads("a:pure b:effect", "a.output>b.input", "other", "in");    /* the rule of the source for that target */
    leads("a:trigger b:effect", "a.output>b.input", "out", "data"); /* no rule: where undeclared data goes */
    leads("a:trigger b:effect", "a>b.in", "out", "in");
    leads("a:free b:free", "a.case_1>b.anything", "case_1", "anything");
    leads("a:pure b:free", "a>b", "out", "input");
}

static void test_error_outputs_are_known(void **state)
{
    (void)state;
    struct flow *flow = kit_flow_of("a:trigger b:effect c:pure d:pure", "a>b b.error>c b>d", NULL);
    assert_true(flow->nodes[1].error_connected);
    assert_false(flow->nodes[0].error_connected);
    assert_int_equal(flow->nodes[1].out_count, 2);
    assert_int_equal(flow->nodes[2].in_count, 1);
    flow_free(flow);
}

/* ---- delays between attempts */

static void test_backoff(void **state)
{
    (void)state;
    struct retry_policy policy = {.max_attempts = 9, .delay_ms = 100, .max_delay_ms = 1000, .factor = 2, .jitter = 0};
    static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
    for (int i = 0; i < 6; i++)
        assert_int_equal(retry_delay_ms(&policy, 2 + i, 0.5), expected[i]);
    policy.jitter = 0.5;
    assert_int_equal(retry_delay_ms(&policy, 2, 0), 50);
    assert_int_equal(retry_delay_ms(&policy, 2, 0.5), 100);
    assert_int_equal(retry_delay_ms(&policy, 2, 0.75), 125);
    policy = (struct retry_policy){.delay_ms = 1000, .factor = 10};
    assert_int_equal(retry_delay_ms(&policy, 1000, 0.5), 604800000); /* a week at most, whatever the power */
    policy.delay_ms = 0;
    assert_int_equal(retry_delay_ms(&policy, 1000, 0.5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_good_flow_has_no_problems),
                                       cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_warnings),
                                       cmocka_unit_test(test_what_a_node_needs),
                                       cmocka_unit_test(test_a_cycle_is_told_once),
                                       cmocka_unit_test(test_a_loop_with_one_entry_is_no_cycle),
                                       cmocka_unit_test(test_what_stands_inside_a_for_each),
                                       cmocka_unit_test(test_all_problems_come_at_once),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_messages_are_always_utf8),
                                       cmocka_unit_test(test_what_may_be_saved_may_not_run),
                                       cmocka_unit_test(test_settings_and_their_defaults),
                                       cmocka_unit_test(test_pins),
                                       cmocka_unit_test(test_error_outputs_are_known),
                                       cmocka_unit_test(test_backoff)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
