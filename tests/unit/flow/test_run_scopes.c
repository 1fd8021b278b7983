/* Loops, for-each, waits and children, rule by rule (docs/internals/engine.md). */
#include "support/flow_kit.h"
#include "support/flow_stage.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- loops */

#define POLL "t:trigger get:effect ready:pure pause:effect use:effect"
#define POLL_LINES "t>get get>ready ready.out>use ready.other>pause pause>get.data"

static void test_a_loop_runs_until_no_connection_leads_back(void **state)
{
    (void)state;
    struct stage *s = stage_new(POLL, POLL_LINES, NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "get@0", "{'out':1}");
    stage_done(s, "ready@0", "{'other':1}");
    SEEN(s, "start t@0, start get@0, keep get@0 success, start ready@0, start pause@0");
    stage_waits(s, "pause@0", T0 + 50, NULL, "{'out':7}");
    stage_time_is(s, T0 + 50);
    SEEN(s, "keep pause@0 waiting, start get@1");
    stage_inputs_are(s, "get@1", "{'data':7}");
    stage_done(s, "get@1", "{'out':2}");
    stage_done(s, "ready@1", "{'out':5}");
    SEEN(s, "keep get@1 success, start ready@1, start use@1");
    stage_done(s, "use@1", "{'out':9}");
    SEEN(s, "keep use@1 success, end success");
    stage_free(s);
}

/* What hangs on a loop's node alone belongs to the loop: it runs in each pass, and the next waits for it. */
static void test_side_branches_run_in_each_pass(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger page:pure save:effect", "t>page page.other>page.data page.out>save", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "page@0", "{'out':1,'other':2}");
    SEEN(s, "start t@0, start page@0, start save@0");
    stage_done(s, "save@0", "{}");
    SEEN(s, "keep save@0 success, start page@1");
    stage_inputs_are(s, "page@1", "{'in':1,'data':2}");
    stage_done(s, "page@1", "{'out':3}");
    stage_done(s, "save@1", "{}");
    SEEN(s, "start save@1, keep save@1 success, end success");
    stage_free(s);
}

/* A join with something from outside gets a loop's value when the loop has ended, the last that was delivered. */
static void test_connections_that_leave_a_loop_count_at_its_end(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger a:pure b:pure join:pure", "t>a t>b b.other>b.data b.out>join.in a>join.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'out':1}");
    stage_done(s, "b@0", "{'out':1,'other':1}");
    SEEN(s, "start t@0, start a@0, start b@0, start b@1");
    stage_done(s, "b@1", "{'out':null,'other':1}");
    stage_done(s, "b@2", "{}");
    SEEN(s, "start b@2, start join@0");
    stage_inputs_are(s, "join@0", "{'in':null,'data':1}");
    stage_free(s);
}

static void test_loops_in_loops(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger o:pure i:pure e:pure", "t>o o>i i.other>i.data i.out>e e.other>o.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "o@0", "{'out':1}");
    stage_done(s, "i@0", "{'other':1}");
    SEEN(s, "start t@0, start o@0, start i@0, start i@1");
    stage_done(s, "i@1", "{'out':1}");
    stage_done(s, "e@1", "{'other':1}");
    SEEN(s, "start e@1, start o@1");
    stage_done(s, "o@1", "{'out':1}");
    stage_done(s, "i@2", "{'out':2}");
    SEEN(s, "start i@2, start e@2");
    stage_done(s, "e@2", "{'out':3}");
    SEEN(s, "end success");
    stage_free(s);
}

static void test_two_loops_side_by_side(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:pure b:pure j:pure",
                                "t>a t>b a.other>a.data b.other>b.data a.out>j.in b.out>j.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'out':1}");
    stage_done(s, "b@0", "{'other':1}");
    stage_done(s, "b@1", "{'out':2}");
    SEEN(s, "start t@0, start a@0, start b@0, start b@1, start j@0");
    stage_inputs_are(s, "j@0", "{'in':1,'data':2}");
    stage_free(s);
}

static void test_a_loop_that_is_skipped_has_ended(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger a:pure b:pure c:pure", "t.other>a a.other>a.data a.out>c.in t.out>b b>c.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "b@0", "{'out':1}");
    SEEN(s, "start t@0, start b@0, start c@0");
    stage_done(s, "c@0", "{'out':4}");
    SEEN(s, "end success");
    stage_result_is(s, "{'out':4}");
    stage_free(s);
}

static void test_a_loop_has_a_bound(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:pure{'maxIterations':3}", "t>a a>a.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'out':1}");
    stage_done(s, "a@1", "{'out':1}");
    buf_clear(&s->seen);
    stage_done(s, "a@2", "{'out':1}");
    SEEN(s, "end failed");
    stage_error_is(s, ERR_LIMIT, "node a: the loop that begins here ran 3 times, which is its maxIterations.");
    stage_free(s);
}

static void test_a_loop_goes_on_from_its_checkpoints(void **state)
{
    (void)state;
    struct stage *s = stage_new(POLL, POLL_LINES, NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "get@0", "{'out':1}");
    stage_done(s, "ready@0", "{'other':1}");
    stage_done(s, "pause@0", "{'out':1}");
    stage_done(s, "get@1", "{'out':1}");
    stage_done(s, "ready@1", "{'other':1}");
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "ready@0", "{'other':1}");
    stage_done(s, "ready@1", "{'other':1}");
    SEEN(s, "start t@0, start ready@0, start ready@1, start pause@1");
    stage_free(s);
}

static void test_history_keeps_some_passes_and_counts_all(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:pure", "t>a a.other>a.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    for (int i = 0; i < 150; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "a@%d", i);
        stage_done(s, name, i < 149 ? "{'other':1}" : "{'out':1}");
    }
    AUTO_JSON struct json *document = flow_run_document(s->run);
    const struct json *a = json_at(json_get(document, "nodes"), 1);
    assert_string_equal(json_get_str(a, "iteration"), "149");
    assert_int_equal(json_get_int(a, "iterationCount", 0), 150);
    assert_int_equal(json_count(json_get(a, "iterations")), LIMIT_HISTORY_ITERATIONS);
    assert_int_equal(flow_run_records(s->run), 151);
    stage_free(s);
}

static void test_history_tells_the_pass_of_a_node_that_was_skipped_before(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:pure b:effect", "t>a a.other>a.data a.out>b", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'other':1}");
    stage_done(s, "a@1", "{'out':1}");
    stage_done(s, "b@1", "{'out':1}");
    AUTO_JSON struct json *document = flow_run_document(s->run);
    const struct json *b = json_at(json_get(document, "nodes"), 2);
    assert_string_equal(json_get_str(b, "iteration"), "1");
    assert_int_equal(json_get_int(b, "iterationCount", 0), 1);
    AUTO_JSON struct json *known = flow_run_known(json_get(document, "nodes"));
    assert_string_equal(json_get_str(json_at(known, json_count(known) - 1), "iteration"), "1");
    stage_free(s);
}

/* ---- for-each */

#define EACH "t:trigger each:each x:effect@each y:pure@each after:pure"
#define EACH_LINES "t>each.items each.item>x.in each.index>x.data x>y y.out>each.result each.results>after"

/* The for-each is the only node that runs after the trigger. */
static void expand(struct stage *s, const char *plan)
{
    char name[120];
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    (void)snprintf(name, sizeof name, "%s", s->running[0].name);
    stage_done(s, name, plan);
}

static void test_each_item_has_its_own_nodes_and_results_are_in_order(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':['a','b','c'],'concurrency':2}");
    SEEN(s, "start t@0, start each@0, start x@0.0, start x@1.0");
    stage_inputs_are(s, "x@1.0", "{'in':'b','data':1}");
    stage_done(s, "x@1.0", "{'out':1}");
    stage_done(s, "y@1.0", "{'out':'B'}");
    SEEN(s, "keep x@1.0 success, start y@1.0, start x@2.0");
    stage_done(s, "x@2.0", "{'out':1}");
    stage_done(s, "y@2.0", "{'out':'C'}");
    stage_done(s, "x@0.0", "{'out':1}");
    stage_done(s, "y@0.0", "{'out':'A'}");
    stage_inputs_are(s, "after@0", "{'in':['A','B','C']}");
    buf_clear(&s->seen);
    stage_done(s, "after@0", "{'out':1}");
    SEEN(s, "end success");
    AUTO_JSON struct json *document = flow_run_document(s->run);
    assert_int_equal(json_count(json_get(document, "nodes")), 5);
    assert_int_equal(json_get_int(json_at(json_get(document, "nodes"), 2), "iterationCount", 0), 3);
    stage_free(s);
}

static void test_no_items_no_iterations(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':[]}");
    SEEN(s, "start t@0, start each@0, start after@0");
    stage_inputs_are(s, "after@0", "{'in':[]}");
    stage_free(s);
}

static void test_without_a_result_connection_the_last_leaf_gives_it(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger each:each x:pure@each", "t>each.items each.item>x", NULL);
    expand(s, "{'items':[1]}");
    stage_done(s, "x@0.0", "{'out':5}");
    stage_result_is(s, "{'results':[{'out':5}],'failures':[],'count':1}");
    stage_free(s);
}

static void test_a_failed_item_fails_the_for_each_and_stops_the_others(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':[1,2,3],'concurrency':2}");
    buf_clear(&s->seen);
    stage_failed(s, "x@0.0");
    SEEN(s, "keep x@0.0 failed, abort x@1.0, end failed");
    stage_error_is(s, ERR_NODE_RETRY, "node each: item 0: node x: planned");
    stage_free(s);
}

static void test_failures_may_be_collected(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':[1,2],'continueOnError':true}");
    stage_failed(s, "x@0.0");
    stage_done(s, "x@1.0", "{'out':1}");
    stage_done(s, "y@1.0", "{'out':2}");
    stage_inputs_are(s, "after@0", "{'in':[null,2]}");
    AUTO_JSON struct json *outputs = NULL;
    assert_true(flow_run_node_outputs(s->run, 0, "each", &outputs));
    AUTO_FREE char *text = json_dup_text(json_get(outputs, "failures"));
    assert_string_equal(text, "[{\"index\":0,\"item\":1,\"error\":{\"code\":\"NODE_FAILED_TRANSIENT\","
                              "\"message\":\"node x: planned\"}}]");
    stage_free(s);
}

static void test_a_for_each_has_an_error_output(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger each:each x:effect@each late:pure", "t>each.items each.item>x each.error>late", NULL);
    expand(s, "{'items':[1,2],'concurrency':2}");
    buf_clear(&s->seen);
    stage_failed(s, "x@1.0");
    SEEN(s, "keep x@1.0 failed, abort x@0.0, keep each@0 failed, start late@0");
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    SEEN(s, "start t@0, start late@0");
    stage_free(s);
}

static void test_for_each_in_for_each(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:each b:each@a x:effect@b",
                                "t>a.items a.item>b.items b.item>x x>b.result b.results>a.result", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'items':[10,20],'concurrency':2}");
    stage_done(s, "b@1.0", "{'items':[1,2],'concurrency':2}");
    stage_done(s, "b@0.0", "{'items':[3]}");
    stage_done(s, "x@1.1.0", "{'out':21}");
    stage_done(s, "x@0.0.0", "{'out':13}");
    stage_done(s, "x@1.0.0", "{'out':20}");
    stage_result_is(s, "{'results':[[13],[20,21]],'failures':[],'count':2}");
    stage_free(s);
}

static void test_loops_and_waits_inside_a_for_each(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger e:each g:effect@e w:effect@e",
                                "t>e.items e.item>g.in g.other>w.in w>g.data g.out>e.result", NULL);
    expand(s, "{'items':[1]}");
    stage_done(s, "g@0.0", "{'other':1}");
    stage_waits(s, "w@0.0", T0 + 9000, NULL, "{'out':1}");
    assert_true(flow_run_is_parkable(s->run));
    assert_int_equal(flow_run_due_ms(s->run), T0 + 9000);
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "e@0", "{'items':[1]}");
    SEEN(s, "start t@0, start e@0");
    assert_true(flow_run_is_parkable(s->run));
    stage_time_is(s, T0 + 9000);
    SEEN(s, "start g@0.1");
    char key[ID_TEXT_BYTES_MAX];
    flow_run_idempotency_key(s->run, s->running[0].scope, s->running[0].node, key);
    assert_string_equal(key, "e1:g:0.1");
    stage_done(s, "g@0.1", "{'out':'x'}");
    SEEN(s, "keep g@0.1 success, end success");
    stage_result_is(s, "{'results':['x'],'failures':[],'count':1}");
    stage_free(s);
}

static void test_a_for_each_inside_a_loop(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger e:each x:effect@e c:pure",
                                "t>e.items e.item>x x>e.result e.results>c c.other>e.items", NULL);
    expand(s, "{'items':[1]}");
    stage_done(s, "x@0.0", "{'out':1}");
    stage_done(s, "c@0", "{'other':[5,6]}");
    stage_done(s, "e@1", "{'items':[5,6]}");
    buf_clear(&s->seen);
    stage_done(s, "x@1-0.0", "{'out':1}");
    SEEN(s, "keep x@1-0.0 success, start x@1-1.0");
    stage_free(s);
}

static void test_an_iteration_has_a_time_limit(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':[1,2],'continueOnError':true,'itemTimeoutMs':100}");
    buf_clear(&s->seen);
    assert_int_equal(flow_run_due_ms(s->run), T0 + 100);
    stage_time_is(s, T0 + 100);
    SEEN(s, "abort x@0.0, start x@1.0");
    stage_free(s);
}

static void test_a_for_each_with_a_time_limit_ends_all(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger each:each{'timeout':70} x:effect@each", "t>each.items each.item>x", NULL);
    expand(s, "{'items':[1,2],'concurrency':2}");
    buf_clear(&s->seen);
    stage_time_is(s, T0 + 70);
    SEEN(s, "abort x@0.0, abort x@1.0, end failed");
    stage_error_is(s, ERR_DEADLINE, "node each: The node took longer than 70 ms.");
    stage_free(s);
}

static void test_cancel_and_pause_reach_inside(void **state)
{
    (void)state;
    struct stage *s = stage_new(EACH, EACH_LINES, NULL);
    expand(s, "{'items':[1,2,3],'concurrency':1}");
    buf_clear(&s->seen);
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_PAUSE});
    stage_done(s, "x@0.0", "{'out':1}");
    SEEN(s, "keep x@0.0 success");
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_RESUME});
    SEEN(s, "start y@0.0");
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_CANCEL});
    SEEN(s, "abort y@0.0, end cancelled");
    stage_free(s);
}

static void test_thousands_of_items_leave_little_behind(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger e:each x:pure@e", "t>e.items e.item>x x>e.result", NULL);
    AUTO_JSON struct json *plan = json_object_new();
    struct json *items = json_array_new();
    for (int i = 0; i < 5000; i++)
        json_push(items, json_int_new(i));
    json_set(plan, "items", items);
    json_set_int(plan, "concurrency", 3);
    AUTO_FREE char *text = json_dup_text(plan);
    expand(s, text);
    for (int i = 0; i < 5000; i++) {
        char name[24];
        assert_true(s->running_count <= 3);
        (void)snprintf(name, sizeof name, "x@%d.0", i);
        stage_done(s, name, "{'out':1}");
    }
    assert_int_equal(flow_run_status(s->run), RUN_SUCCESS);
    AUTO_JSON struct json *document = flow_run_document(s->run);
    const struct json *x = json_at(json_get(document, "nodes"), 2);
    assert_int_equal(json_get_int(x, "iterationCount", 0), 5000);
    assert_int_equal(json_count(json_get(x, "iterations")), LIMIT_HISTORY_ITERATIONS);
    stage_free(s);
}

static void test_distribute_runs_items_as_children_and_those_run_the_body(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger e:each{'distribute':true} x:effect@e", "t>e.items e.item>x x>e.result", NULL);
    expand(s, "{'items':['p','q'],'concurrency':2}");
    SEEN(s, "start t@0, start e@0, start e.item@0.0, start e.item@1.0");
    stage_inputs_are(s, "e.item@1.0", "{'body':'e','input':'q','index':1}");
    stage_waits(s, "e.item@0.0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c0'}", "{}");
    stage_waits(s, "e.item@1.0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c1'}", "{}");
    buf_clear(&s->seen);
    stage_signalled(s, 1, true, NULL, "{'status':'success','result':'Q','executionId':'c1'}");
    stage_signalled(s, 2, true, NULL, "{'status':'success','result':'P','executionId':'c0'}");
    SEEN(s, "keep e.item@1.0 success, keep e.item@0.0 success, end success");
    stage_result_is(s, "{'results':['P','Q'],'failures':[],'count':2}");
    stage_forget_running(s);
    flow_run_free(s->run);
    stage_begin(s, (struct run_options){.body = "e"}, "{'item':'q','index':1}");
    stage_start(s);
    SEEN(s, "start x@0");
    stage_inputs_are(s, "x@0", "{'data':'q'}");
    stage_done(s, "x@0", "{'out':'Q'}");
    SEEN(s, "keep x@0 success, end success");
    AUTO_FREE char *text = json_dup_text(flow_run_result(s->run));
    assert_string_equal(text, "\"Q\"");
    stage_free(s);
}

/* Whichever ended last: as in place. */
static void test_a_distributed_item_gives_what_it_would_give_in_place(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger e:each{'distribute':true} x:effect@e y:effect@e", "t>e.items e.item>x e.item>y", NULL);
    flow_run_free(s->run);
    stage_begin(s, (struct run_options){.body = "e"}, "{'item':'q','index':0}");
    stage_start(s);
    stage_done(s, "y@0", "{'out':'Y'}");
    stage_done(s, "x@0", "{'out':'X'}");
    stage_result_is(s, "{'out':'Y'}");
    stage_free(s);
}

/* ---- waits */

#define WAIT_LINES "t>w w.output>a w.timeout>b"

static struct stage *waiting_stage(void)
{
    struct stage *s = stage_new("t:trigger w:wait a:pure b:pure", WAIT_LINES, NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    return s;
}

static void test_a_signal_ends_a_wait(void **state)
{
    (void)state;
    struct stage *s = waiting_stage();
    stage_waits(s, "w@0", T0 + 500, "{'kind':'signal','name':'go'}", "{'timeout':1}");
    SEEN(s, "start t@0, start w@0, keep w@0 waiting");
    stage_signalled(s, 1, false, "other", "{}");
    SEEN(s, "");
    stage_signalled(s, 2, false, "go", "{'by':'me'}");
    SEEN(s, "keep w@0 success, start a@0");
    stage_inputs_are(s, "a@0", "{'in':{'by':'me'}}");
    stage_time_is(s, T0 + 500);
    SEEN(s, "");
    assert_int_equal(flow_run_signals_seen(s->run), 2);
    stage_free(s);
}

static void test_a_signal_before_the_wait_is_kept(void **state)
{
    (void)state;
    struct stage *s = waiting_stage();
    stage_signalled(s, 7, false, "go", "1");
    stage_signalled(s, 7, false, "go", "2");
    buf_clear(&s->seen);
    stage_waits(s, "w@0", RUN_WAKE_NEVER, "{'kind':'signal','name':'go'}", "{'timeout':1}");
    SEEN(s, "keep w@0 waiting, keep w@0 success, start a@0");
    stage_inputs_are(s, "a@0", "{'in':1}");
    stage_free(s);
}

static void test_a_wait_may_be_too_late(void **state)
{
    (void)state;
    struct stage *s = waiting_stage();
    stage_waits(s, "w@0", T0 + 500, "{'kind':'signal','name':'go'}", "{'timeout':3}");
    buf_clear(&s->seen);
    stage_time_is(s, T0 + 500);
    SEEN(s, "keep w@0 success, start b@0");
    stage_inputs_are(s, "b@0", "{'in':3}");
    stage_signalled(s, 1, false, "go", "1");
    SEEN(s, "");
    stage_free(s);
}

static void test_a_wait_survives_a_crash(void **state)
{
    (void)state;
    struct stage *s = waiting_stage();
    stage_waits(s, "w@0", T0 + 500, "{'kind':'signal','name':'go'}", "{'timeout':3}");
    stage_crash(s);
    stage_signalled(s, 4, false, NULL, "9");
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    SEEN(s, "start t@0, keep w@0 success, start a@0");
    stage_free(s);
}

static void test_a_paused_run_takes_no_signal(void **state)
{
    (void)state;
    struct stage *s = waiting_stage();
    stage_waits(s, "w@0", RUN_WAKE_NEVER, "{'kind':'signal','name':'go'}", "{'timeout':3}");
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_PAUSE});
    buf_clear(&s->seen);
    stage_signalled(s, 1, false, "go", "1");
    SEEN(s, "");
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_RESUME});
    SEEN(s, "keep w@0 success, start a@0");
    stage_free(s);
}

/* ---- children */

static void test_a_childs_failure_is_the_nodes(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger c:sub-flow{'retry':{'maxAttempts':2,'delayMs':0}}", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c1'}", "{}");
    buf_clear(&s->seen);
    stage_signalled(s, 1, true, NULL, "{'status':'failed','executionId':'c1','error':{'message':'no'}}");
    SEEN(s, "keep c@0 backoff");
    stage_time_is(s, s->now_ms + 1);
    SEEN(s, "start c@0#2");
    stage_waits(s, "c@0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c2'}", "{}");
    stage_signalled(s, 2, true, NULL, "{'status':'success','executionId':'c1','result':1}");
    SEEN(s, "keep c@0 waiting");
    stage_signalled(s, 3, true, NULL, "{'status':'cancelled','executionId':'c2'}");
    SEEN(s, "end failed");
    stage_error_is(s, ERR_NODE, "node c: The sub-flow's execution c2 ended as cancelled: it gave no reason");
    stage_free(s);
}

static void test_nobody_waits_for_a_child_any_more(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger c:sub-flow", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", T0 + 10, "{'kind':'child','childId':'c1'}", "{}");
    buf_clear(&s->seen);
    stage_time_is(s, T0 + 10);
    SEEN(s, "drop c1, end failed");
    stage_free(s);
    s = stage_new("t:trigger c:sub-flow", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", T0 + 10, "{'kind':'child','childId':'c1'}", "{}");
    buf_clear(&s->seen);
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_CANCEL});
    SEEN(s, "drop c1, end cancelled");
    stage_free(s);
}

/* ---- merge */

static void test_merge_may_take_the_first(void **state)
{
    (void)state;
    struct stage *s =
        stage_new("t:trigger a:pure b:pure m:merge{'mode':'first'} z:pure", "t>a t>b a>m.one b>m.two m>z", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    buf_clear(&s->seen);
    stage_done(s, "b@0", "{'out':2}");
    SEEN(s, "start m@0");
    stage_inputs_are(s, "m@0", "{'mode':'first','two':2}");
    stage_done(s, "m@0", "{'out':2}");
    SEEN(s, "keep m@0 success, start z@0");
    stage_done(s, "a@0", "{'out':1}");
    SEEN(s, "");
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'out':1}");
    SEEN(s, "start t@0, start a@0, start b@0, start z@0");
    stage_inputs_are(s, "z@0", "{'in':2}");
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_loop_runs_until_no_connection_leads_back),
                                       cmocka_unit_test(test_side_branches_run_in_each_pass),
                                       cmocka_unit_test(test_connections_that_leave_a_loop_count_at_its_end),
                                       cmocka_unit_test(test_loops_in_loops),
                                       cmocka_unit_test(test_two_loops_side_by_side),
                                       cmocka_unit_test(test_a_loop_that_is_skipped_has_ended),
                                       cmocka_unit_test(test_a_loop_has_a_bound),
                                       cmocka_unit_test(test_a_loop_goes_on_from_its_checkpoints),
                                       cmocka_unit_test(test_history_keeps_some_passes_and_counts_all),
                                       cmocka_unit_test(test_history_tells_the_pass_of_a_node_that_was_skipped_before),
                                       cmocka_unit_test(test_each_item_has_its_own_nodes_and_results_are_in_order),
                                       cmocka_unit_test(test_no_items_no_iterations),
                                       cmocka_unit_test(test_without_a_result_connection_the_last_leaf_gives_it),
                                       cmocka_unit_test(test_a_failed_item_fails_the_for_each_and_stops_the_others),
                                       cmocka_unit_test(test_failures_may_be_collected),
                                       cmocka_unit_test(test_a_for_each_has_an_error_output),
                                       cmocka_unit_test(test_for_each_in_for_each),
                                       cmocka_unit_test(test_loops_and_waits_inside_a_for_each),
                                       cmocka_unit_test(test_a_for_each_inside_a_loop),
                                       cmocka_unit_test(test_an_iteration_has_a_time_limit),
                                       cmocka_unit_test(test_a_for_each_with_a_time_limit_ends_all),
                                       cmocka_unit_test(test_cancel_and_pause_reach_inside),
                                       cmocka_unit_test(test_thousands_of_items_leave_little_behind),
                                       cmocka_unit_test(test_distribute_runs_items_as_children_and_those_run_the_body),
                                       cmocka_unit_test(test_a_distributed_item_gives_what_it_would_give_in_place),
                                       cmocka_unit_test(test_a_signal_ends_a_wait),
                                       cmocka_unit_test(test_a_signal_before_the_wait_is_kept),
                                       cmocka_unit_test(test_a_wait_may_be_too_late),
                                       cmocka_unit_test(test_a_wait_survives_a_crash),
                                       cmocka_unit_test(test_a_paused_run_takes_no_signal),
                                       cmocka_unit_test(test_a_childs_failure_is_the_nodes),
                                       cmocka_unit_test(test_nobody_waits_for_a_child_any_more),
                                       cmocka_unit_test(test_merge_may_take_the_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
