/* Going on from checkpoints, and retrying from what failed, inside for-each (docs/internals/engine.md). */
#include "support/flow_kit.h"
#include "support/flow_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CHANGING "t:trigger e:each{'v':'{{now}}'} x:effect@e"
#define LINES "t>e.items e.item>x x>e.result"

/* Up to the for-each, whose plan is given. */
static struct stage *expanded(const char *nodes, const char *lines, const char *plan)
{
    struct stage *s = stage_new(nodes, lines, NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "e@0", plan);
    return s;
}

static void crash_and_start(struct stage *s)
{
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
}

static void test_items_of_changing_expressions_are_kept(void **state)
{
    (void)state;
    struct stage *s = expanded(CHANGING, LINES, "{'items':[7,8]}");
    SEEN(s, "start t@0, start e@0, keep e@0 iterating, start x@0.0");
    stage_done(s, "x@0.0", "{'out':70}");
    crash_and_start(s);
    SEEN(s, "start t@0, start x@1.0");
    stage_inputs_are(s, "x@1.0", "{'data':8}");
    stage_done(s, "x@1.0", "{'out':80}");
    SEEN(s, "keep x@1.0 success, end success");
    stage_result_is(s, "{'results':[70,80],'failures':[],'count':2}");
    stage_free(s);
}

static void take_known(struct stage *s, const struct json *known)
{
    for (size_t i = 0; i < json_count(known); i++) {
        const struct json *entry = json_at(known, i);
        struct run_checkpoint point = {.node_id = json_get_str(entry, "nodeId"),
                                       .iteration = json_get_str(entry, "iteration"),
                                       .former = true,
                                       .attempt = 1,
                                       .outputs = json_get(entry, "outputs"),
                                       .evaluated = json_get(entry, "evaluated"),
                                       .started_ms = json_get_int(entry, "startedMs", 0)};
        assert_int_equal(node_state_parse(json_get_str(entry, "state"), &point.state), ERR_OK);
        flow_run_restore(s->run, &point);
    }
}

static void retry(struct stage *s)
{
    AUTO_JSON struct json *document = flow_run_document(s->run);
    AUTO_JSON struct json *known = flow_run_known(json_get(document, "nodes"));
    stage_forget_running(s);
    flow_run_free(s->run);
    stage_begin(s, (struct run_options){0}, NULL);
    take_known(s, known);
    buf_clear(&s->seen);
    stage_start(s);
}

/* Iterations are known by their number: the third item must be the third again. */
static void test_a_retry_keeps_the_items(void **state)
{
    (void)state;
    struct stage *s = expanded(CHANGING, LINES, "{'items':[7,8]}");
    stage_done(s, "x@0.0", "{'out':70}");
    stage_failed(s, "x@1.0");
    stage_error_is(s, ERR_NODE_RETRY, "node e: item 1: node x: planned");
    retry(s);
    SEEN(s, "start e@0");
    stage_done(s, "e@0", "{'items':[1,2,3],'concurrency':2}");
    SEEN(s, "keep e@0 iterating, start x@1.0");
    stage_inputs_are(s, "x@1.0", "{'data':8}");
    stage_done(s, "x@1.0", "{'out':80}");
    SEEN(s, "keep x@1.0 success, end success");
    stage_result_is(s, "{'results':[70,80],'failures':[],'count':2}");
    stage_free(s);
}

static void show(struct stage *s, const char *name, const char *inputs)
{
    for (unsigned i = 0; i < s->running_count; i++)
        if (strcmp(s->running[i].name, name) == 0)
            flow_run_show_inputs(s->run, s->running[i].scope, s->running[i].node, kit_json(inputs));
}

static void input_is(const struct stage *s, unsigned node, const char *expected)
{
    AUTO_JSON struct json *document = flow_run_document(s->run);
    AUTO_JSON struct json *wanted = kit_json(expected);
    const struct json *input = json_get(json_at(json_get(document, "nodes"), node), "input");
    AUTO_FREE char *text = json_dup_text(input);
    if (!json_equal(input, wanted))
        fail_msg("node %u: %s, not %s", node, text, expected);
}

/* A node that is not run again shows what its expressions came to when it ran; what connections bring is not kept with
 * it, asis brought again. */
static void test_evaluated_inputs_are_shown_after_a_crash(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:effect{'v':'{{input.n}}','w':'asis'} b:effect", "t>a.data a>b", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    show(s, "a@0", "{'v':41,'w':'asis','data':1}");
    stage_done(s, "a@0", "{'out':2}");
    AUTO_JSON struct json *kept = kit_json("{'v':41}");
    assert_true(json_equal(s->kept[0].point.evaluated, kept));
    crash_and_start(s);
    stage_failed(s, "b@0");
    input_is(s, 1, "{'v':41,'w':'asis','data':1}");
    retry(s);
    input_is(s, 1, "{'v':41,'w':'asis','data':1}");
    stage_free(s);
}

#define RETRY "'retry':{'maxAttempts':2,'delayMs':10,'jitter':0}"

/* The next attempt is shown with its own. */
static void test_a_further_attempt_shows_its_own_inputs(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:effect{'v':'{{now}}'," RETRY "}", "t>a.data", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    show(s, "a@0", "{'v':1,'data':1," RETRY "}");
    stage_failed(s, "a@0");
    crash_and_start(s);
    input_is(s, 1, "{'v':1,'data':1," RETRY "}");
    stage_time_is(s, T0 + 1000);
    show(s, "a@0", "{'v':2,'data':1," RETRY "}");
    stage_done(s, "a@0", "{'out':2}");
    input_is(s, 1, "{'v':2,'data':1," RETRY "}");
    stage_free(s);
}

#define WAITING "t:trigger e:each w:wait@e"
#define WAITING_LINES "t>e.items e.item>w.data w.output>e.result"
#define PLAN "{'items':[1,2],'continueOnError':true,'itemTimeoutMs':100}"

/* A wait that is longer than its iteration may take: however often the run is taken up, the time is the same. */
static void test_an_iterations_time_goes_on(void **state)
{
    (void)state;
    struct stage *s = expanded(WAITING, WAITING_LINES, PLAN);
    stage_waits(s, "w@0.0", RUN_WAKE_NEVER, "{'kind':'signal'}", "{}");
    s->now_ms = T0 + 60;
    crash_and_start(s);
    stage_done(s, "e@0", PLAN);
    SEEN(s, "start t@0, start e@0");
    assert_int_equal(flow_run_due_ms(s->run), T0 + 100);
    s->now_ms = T0 + 130;
    crash_and_start(s);
    stage_done(s, "e@0", PLAN);
    stage_signalled(s, 1, false, NULL, "5");
    SEEN(s, "start t@0, start e@0"); /* it comes too late for this iteration */
    stage_time_is(s, T0 + 130);
    SEEN(s, "start w@1.0");
    assert_int_equal(flow_run_due_ms(s->run), T0 + 230);
    stage_free(s);
}

static void test_a_for_eachs_time_goes_on(void **state)
{
    (void)state;
    struct stage *s = expanded("t:trigger e:each{'timeout':100} w:wait@e", WAITING_LINES, "{'items':[1]}");
    stage_waits(s, "w@0.0", RUN_WAKE_NEVER, "{'kind':'signal'}", "{}");
    s->now_ms = T0 + 60;
    crash_and_start(s);
    stage_done(s, "e@0", "{'items':[1]}");
    assert_int_equal(flow_run_due_ms(s->run), T0 + 100);
    stage_time_is(s, T0 + 100);
    stage_error_is(s, ERR_DEADLINE, "node e: The node took longer than 100 ms.");
    stage_free(s);
}

static void test_limits_count_what_was_before(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger a:effect b:effect", "t>a a>b", "{'maxSteps':2}");
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", "{'out':1}");
    stage_error_is(s, ERR_LIMIT, "The execution made more than 2 steps, which its settings allow.");
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_error_is(s, ERR_LIMIT, "The execution made more than 2 steps, which its settings allow.");
    stage_free(s);
    s = stage_new("t:trigger a:effect b:effect", "t>a a>b", "{'maxOutputBytes':2000}");
    AUTO_FREE char *half = mem_alloc(1500);
    memset(half, 'x', 1400);
    AUTO_FREE char *outputs = mem_printf("{'out':'%s'}", half);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "a@0", outputs);
    stage_crash(s);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_done(s, "b@0", outputs);
    stage_error_is(s, ERR_LIMIT, "The execution made more than 2000 bytes of outputs, which its settings allow.");
    stage_free(s);
}

/* Its iteration is over before anybody could start it, and then nobody could tell which iteration that was. */
static void test_what_is_stopped_at_once_is_not_started(void **state)
{
    (void)state;
    static const char plan[] = "{'items':[1,2],'continueOnError':true}";
    struct stage *s = expanded("t:trigger e:each x:effect@e y:effect@e", "t>e.items e.item>x e.item>y", plan);
    stage_failed(s, "y@0.0");
    SEEN(s, "start t@0, start e@0, start x@0.0, start y@0.0, keep y@0.0 failed, abort x@0.0, start x@1.0, start "
            "y@1.0");
    crash_and_start(s);
    stage_done(s, "e@0", plan);
    SEEN(s, "start t@0, start e@0, start x@1.0, start y@1.0");
    stage_free(s);
}

/* The word that the child is of no use any more was lost with the process. */
static void test_children_of_failed_iterations_are_dropped_again(void **state)
{
    (void)state;
    static const char plan[] = "{'items':[1],'continueOnError':true}";
    struct stage *s = expanded("t:trigger e:each y:effect@e c:sub-flow@e f:each z:sub-flow@f",
                               "t>e.items e.item>y e.item>c.input e>f.items f.item>z.input", plan);
    stage_waits(s, "c@0.0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c1'}", "{}");
    stage_failed(s, "y@0.0");
    stage_done(s, "f@0", "{'items':[1]}");
    stage_waits(s, "z@0.0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c2'}", "{}");
    crash_and_start(s);
    stage_done(s, "e@0", plan);
    stage_done(s, "f@0", "{'items':[1]}");
    SEEN(s, "start t@0, start e@0, drop c1, start f@0"); /* not that of the other for-each */
    stage_signalled(s, 1, true, NULL, "{'status':'success','result':5,'executionId':'c2'}");
    SEEN(s, "keep z@0.0 success, end success");
    stage_free(s);
}

static void lose_epochs(struct stage *s, int epoch, unsigned lost)
{
    stage_forget_running(s);
    flow_run_free(s->run);
    stage_begin(s, (struct run_options){.epoch = epoch, .lost_epochs = lost}, NULL);
    for (unsigned i = 0; i < s->kept_count; i++) {
        s->kept[i].point.epoch = 1;
        flow_run_restore(s->run, &s->kept[i].point);
    }
    buf_clear(&s->seen);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
}

static void attempt_is(const struct stage *s, size_t index, int epoch, const char *status)
{
    AUTO_JSON struct json *document = flow_run_document(s->run);
    const struct json *attempts = json_get(json_at(json_get(document, "nodes"), 1), "attempts");
    assert_int_equal(json_get_int(json_at(attempts, index), "attempt", 0), index + 1);
    assert_int_equal(json_get_int(json_at(attempts, index), "epoch", 0), epoch);
    assert_string_equal(json_get_str(json_at(attempts, index), "status"), status);
}

/* In a lost epoch the child's failure may have been taken already, and the next attempt made. */
static void test_epochs_lost_in_a_wait_for_a_child(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger c:sub-flow{'retry':{'maxAttempts':2,'delayMs':0}}", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c1'}", "{}");
    lose_epochs(s, 4, 1 << 1); /* 2; the third has parked */
    stage_signalled(s, 1, true, NULL, "{'status':'failed','executionId':'c1'}");
    stage_time_is(s, T0 + 1);
    SEEN(s, "start t@0, keep c@0 backoff, start c@0#3");
    attempt_is(s, 0, 1, "failed");
    attempt_is(s, 1, 2, "unknown");
    lose_epochs(s, 5, 1 | 1 << 2); /* in the backoff: the same again, and the fourth epoch */
    stage_time_is(s, T0 + 2);
    SEEN(s, "start t@0, start c@0#4");
    attempt_is(s, 1, 2, "unknown");
    attempt_is(s, 2, 4, "unknown");
    stage_waits(s, "c@0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c4'}", "{}");
    stage_signalled(s, 2, true, NULL, "{'status':'failed','executionId':'c4'}"); /* the second that counts */
    SEEN(s, "keep c@0 waiting, end failed");
    stage_free(s);
}

/* A child that succeeds is the end of the attempt that waited for it: there was no other. */
static void test_a_child_that_succeeds_leaves_no_attempt_unknown(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger c:sub-flow{'retry':{'maxAttempts':2,'delayMs':0}}", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", RUN_WAKE_NEVER, "{'kind':'child','childId':'c1'}", "{}");
    lose_epochs(s, 3, 1);
    stage_signalled(s, 1, true, NULL, "{'status':'success','result':5,'executionId':'c1'}");
    SEEN(s, "start t@0, keep c@0 success, end success");
    AUTO_JSON struct json *document = flow_run_document(s->run);
    assert_int_equal(json_count(json_get(json_at(json_get(document, "nodes"), 1), "attempts")), 1);
    stage_free(s);
}

/* But in the lost epoch its deadline may have passed, as it has by now. */
static void test_epochs_lost_after_the_deadline_of_a_child(void **state)
{
    (void)state;
    struct stage *s = stage_new("t:trigger c:sub-flow{'retry':{'maxAttempts':2,'delayMs':0}}", "t>c.input", NULL);
    stage_start(s);
    stage_done(s, "t@0", "{'out':1}");
    stage_waits(s, "c@0", T0 + 100, "{'kind':'child','childId':'c1'}", "{}");
    s->now_ms = T0 + 200;
    lose_epochs(s, 3, 1);
    stage_signalled(s, 1, true, NULL, "{'status':'success','result':5,'executionId':'c1'}");
    SEEN(s, "start t@0, keep c@0 success, end success");
    attempt_is(s, 0, 1, "success");
    attempt_is(s, 1, 2, "unknown");
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_items_of_changing_expressions_are_kept),
                                       cmocka_unit_test(test_evaluated_inputs_are_shown_after_a_crash),
                                       cmocka_unit_test(test_a_further_attempt_shows_its_own_inputs),
                                       cmocka_unit_test(test_a_retry_keeps_the_items),
                                       cmocka_unit_test(test_an_iterations_time_goes_on),
                                       cmocka_unit_test(test_a_for_eachs_time_goes_on),
                                       cmocka_unit_test(test_limits_count_what_was_before),
                                       cmocka_unit_test(test_what_is_stopped_at_once_is_not_started),
                                       cmocka_unit_test(test_children_of_failed_iterations_are_dropped_again),
                                       cmocka_unit_test(test_epochs_lost_in_a_wait_for_a_child),
                                       cmocka_unit_test(test_a_child_that_succeeds_leaves_no_attempt_unknown),
                                       cmocka_unit_test(test_epochs_lost_after_the_deadline_of_a_child)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
