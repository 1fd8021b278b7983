/* What expressions see of a run, and what is kept of nodes that have some. */
#include "base/mem.h"
#include "support/flow_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct view {
    struct flow *flow;
    struct flow_run *run;
    struct run_command started[16];
    unsigned count;
    struct buf kept; /* ids of nodes with checkpoints */
};

static void take_commands(struct view *v)
{
    struct run_command command;
    while (flow_run_next_command(v->run, &command))
        if (command.kind == RUN_COMMAND_START_NODE) {
            assert_true(v->count < 16);
            v->started[v->count++] = command;
        } else if (command.kind == RUN_COMMAND_CHECKPOINT) {
            buf_printf(&v->kept, "%s ", command.checkpoint.node_id);
        }
}

static struct view *view_new(const char *nodes, const char *connections, const char *input)
{
    struct view *v = mem_alloc(sizeof *v);
    AUTO_JSON struct json *given = kit_json(input);
    buf_init(&v->kept, 0);
    v->flow = kit_flow_of(nodes, connections, NULL);
    v->run = flow_run_new(v->flow, &(struct run_options){.execution_id = "e", .trigger = "manual", .epoch = 1}, given);
    flow_run_advance(v->run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = 1000});
    take_commands(v);
    return v;
}

static void view_done(struct view *v)
{
    flow_run_free(v->run);
    flow_free(v->flow);
    buf_done(&v->kept);
    free(v);
}

/* The command that started the node last. */
static const struct run_command *started(const struct view *v, const char *node_id)
{
    for (unsigned i = v->count; i-- > 0;)
        if (strcmp(v->flow->nodes[v->started[i].node].id, node_id) == 0)
            return &v->started[i];
    fail_msg("%s was not started", node_id);
    return NULL;
}

static void end(struct view *v, const char *node_id, const char *outputs)
{
    const struct run_command *command = started(v, node_id);
    struct error error;
    struct run_event event = {.kind = outputs == NULL ? RUN_EVENT_NODE_FAILED : RUN_EVENT_NODE_DONE,
                              .now_ms = 2000,
                              .scope = command->scope,
                              .node = command->node,
                              .attempt = command->attempt,
                              .error = &error};
    if (outputs != NULL)
        event.take_outputs = kit_json(outputs);
    else
        (void)error_set(&error, ERR_NODE, NULL, "planned");
    flow_run_advance(v->run, &event);
    take_commands(v);
}

static void gives(const struct view *v, const char *seen_by, const char *node_id, const char *expected)
{
    AUTO_JSON struct json *outputs = NULL;
    bool found = flow_run_node_outputs(v->run, started(v, seen_by)->scope, node_id, &outputs);
    AUTO_FREE char *text = found ? json_dup_text(outputs) : mem_dup("nothing");
    assert_string_equal(text, expected);
}

static void gets(const struct view *v, const char *node_id, const char *expected)
{
    AUTO_JSON struct json *value = NULL;
    const struct run_command *command = started(v, node_id);
    bool found = flow_run_delivered(v->run, command->scope, command->node, &value);
    AUTO_FREE char *text = found ? json_dup_text(value) : mem_dup("nothing");
    assert_string_equal(text, expected);
}

static void test_nodes_give_what_they_ended_with(void **state)
{
    (void)state;
    struct view *v = view_new("t:trigger a:pure{'critical':false} b:pure c:pure", "t>a t>b a.error>c b>c", "{'x':1}");
    gets(v, "t", "{\"x\":1}");
    end(v, "t", "{'out':[1]}");
    gets(v, "a", "[1]");
    gives(v, "a", "t", "{\"out\":[1]}");
    gives(v, "a", "b", "nothing");
    gives(v, "a", "nobody", "nothing");
    end(v, "b", "{'out':null}");
    end(v, "a", NULL);
    gives(v, "c", "a", "{\"error\":{\"code\":\"NODE_FAILED\",\"message\":\"planned\",\"nodeId\":\"a\"}}");
    gives(v, "c", "b", "{\"out\":null}");
    view_done(v);
}

static void test_several_inputs_are_an_object(void **state)
{
    (void)state;
    struct view *v = view_new("t:trigger m:merge", "t>m.one t.other>m.two", "null");
    end(v, "t", "{'out':1,'other':{'b':2}}");
    gets(v, "m", "{\"one\":1,\"two\":{\"b\":2}}");
    view_done(v);
}

/* The pass before, until the node has ended again. */
static void test_loops_give_the_latest_pass(void **state)
{
    (void)state;
    struct view *v = view_new("t:trigger h:pure b:pure", "t>h h>b b>h", "null");
    end(v, "t", "{'out':1}");
    gives(v, "h", "b", "nothing");
    end(v, "h", "{'out':10}");
    end(v, "b", "{'out':11}");
    gives(v, "h", "b", "{\"out\":11}");
    gives(v, "h", "h", "{\"out\":10}");
    end(v, "h", "{'out':20}");
    gives(v, "b", "h", "{\"out\":20}");
    gives(v, "b", "b", "{\"out\":11}");
    view_done(v);
}

static void test_items_see_their_own_nodes_first(void **state)
{
    (void)state;
    struct view *v = view_new("t:trigger each:each x:pure@each y:pure@each", "t>each.items each.item>x x>y", "null");
    end(v, "t", "{'out':7}");
    end(v, "each", "{'items':['a','b'],'concurrency':1}");
    const struct json *item = NULL;
    int64_t index = -1;
    assert_true(flow_run_scope(v->run, started(v, "x")->scope, &item, &index));
    assert_string_equal(json_as_str(item), "a");
    assert_int_equal(index, 0);
    assert_false(flow_run_scope(v->run, 0, &item, &index));
    gets(v, "x", "\"a\"");
    end(v, "x", "{'out':1}");
    gives(v, "y", "x", "{\"out\":1}");
    gives(v, "y", "t", "{\"out\":7}");
    end(v, "y", "{'out':2}");
    gets(v, "x", "\"b\"");
    gives(v, "x", "y", "nothing");
    view_done(v);
}

static void test_history_shows_the_evaluated_inputs(void **state)
{
    (void)state;
    struct view *v = view_new("t:trigger a:pure{'in':'{{1}}'}", "t>a", "null");
    end(v, "t", "{'out':1}");
    const struct run_command *command = started(v, "a");
    flow_run_show_inputs(v->run, command->scope, command->node, kit_json("{'in':'shown'}"));
    end(v, "a", "{'out':1}");
    AUTO_JSON struct json *document = flow_run_document(v->run);
    assert_string_equal(json_get_str(json_get(json_at(json_get(document, "nodes"), 1), "input"), "in"), "shown");
    view_done(v);
}

/* What may come to something else is not computed again after a crash. */
static void test_changing_nodes_are_checkpointed(void **state)
{
    (void)state;
    static const struct {
        const char *node, *line;
        bool kept;
    } cases[] = {{"pure{'v':'text'}", "t>a", false},
                 {"pure{'v':'{{input.a}}'}", "t>a", false},
                 {"pure{'v':'{{nodes.t.out}}'}", "t>a", false},
                 {"pure{'v':'{{Math.random()}}'}", "t>a", true},
                 {"pure{'v':'{{now}}'}", "t>a", true},
                 {"pure{'v':'{{variables.x}}'}", "t>a", true},
                 {"pure{'v':'{{secrets.x}}'}", "t>a", true},
                 {"pure{'v':'{{execution.id}}'}", "t>a", true},
                 {"coded", "t>a.in", false},
                 {"coded{'rows':[{'body':''}]}", "t>a.in", false},
                 {"coded{'rows':[{},{'body':'return1'}]}", "t>a.in", true},
                 {"coded", "t>a.rows", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *nodes = mem_printf("t:trigger a:%s", cases[i].node);
        struct view *v = view_new(nodes, cases[i].line, "null");
        end(v, "t", "{'out':1}");
        end(v, "a", "{'out':1}");
        assert_string_equal(buf_str(&v->kept), cases[i].kept ? "a " : "");
        view_done(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nodes_give_what_they_ended_with),
                                       cmocka_unit_test(test_several_inputs_are_an_object),
                                       cmocka_unit_test(test_loops_give_the_latest_pass),
                                       cmocka_unit_test(test_items_see_their_own_nodes_first),
                                       cmocka_unit_test(test_history_shows_the_evaluated_inputs),
                                       cmocka_unit_test(test_changing_nodes_are_checkpointed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
