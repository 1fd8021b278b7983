/* The run, rule by rule (flow/run.h). What comes out of flow_run_next_command is written as text:
 * "start b#1", "abort b#1", "keep b#1 waiting", "end success". */
#include "support/flow_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 1000000

struct stage {
    struct flow *flow;
    struct flow_run *run;
    int64_t now_ms;
    struct buf seen;
};

static void stage_run(struct stage *s, struct run_options options, const char *input)
{
    AUTO_JSON struct json *value = input == NULL ? NULL : kit_json(input);
    options.execution_id = "e1";
    options.created_ms = T0;
    if (options.epoch == 0)
        options.epoch = 1;
    s->run = flow_run_new(s->flow, &options, value);
    s->now_ms = T0;
    buf_init(&s->seen, 0);
}

static struct stage stage_new(const char *nodes, const char *connections, const char *settings)
{
    struct stage s = {.flow = kit_flow_of(nodes, connections, settings)};
    stage_run(&s, (struct run_options){.trigger = "manual"}, NULL);
    return s;
}

static void stage_done(struct stage *s)
{
    flow_run_free(s->run);
    flow_free(s->flow);
    buf_done(&s->seen);
}

static void advance(struct stage *s, struct run_event event)
{
    event.now_ms = s->now_ms;
    flow_run_advance(s->run, &event);
}

static void start(struct stage *s)
{
    advance(s, (struct run_event){.kind = RUN_EVENT_START});
}

static unsigned node_of(const struct stage *s, const char *id)
{
    int index = flow_find_node(s->flow, id);
    if (index < 0)
        fail_msg("no node %s", id);
    return (unsigned)index;
}

static void done_as(struct stage *s, const char *id, int attempt, const char *outputs)
{
    advance(s, (struct run_event){.kind = RUN_EVENT_NODE_DONE,
                                  .node = node_of(s, id),
                                  .attempt = attempt,
                                  .records = 1,
                                  .take_outputs = kit_json(outputs)});
}

static void done(struct stage *s, const char *id)
{
    done_as(s, id, 1, "{'out':1,'other':2}");
}

static void failed_as(struct stage *s, const char *id, int attempt, bool retryable)
{
    struct error error;
    (void)error_set(&error, ERR_NODE_RETRY, NULL, "planned");
    advance(s, (struct run_event){.kind = RUN_EVENT_NODE_FAILED,
                                  .node = node_of(s, id),
                                  .attempt = attempt,
                                  .error = &error,
                                  .retryable = retryable});
}

static void wait_until(struct stage *s, const char *id, int64_t wake_ms)
{
    advance(s, (struct run_event){.kind = RUN_EVENT_NODE_WAIT,
                                  .node = node_of(s, id),
                                  .attempt = 1,
                                  .wake_ms = wake_ms,
                                  .take_outputs = kit_json("{'out':1}")});
}

static void time_is(struct stage *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    advance(s, (struct run_event){.kind = RUN_EVENT_TIME});
}

static void add_word(struct stage *s, const struct run_command *command)
{
    const char *id = s->flow->nodes[command->node].id;
    if (s->seen.len > 0)
        buf_add_str(&s->seen, ", ");
    switch (command->kind) {
    case RUN_COMMAND_START_NODE:
        buf_printf(&s->seen, "start %s#%d", id, command->attempt);
        return;
    case RUN_COMMAND_ABORT_NODE:
        buf_printf(&s->seen, "abort %s#%d", id, command->attempt);
        return;
    case RUN_COMMAND_CHECKPOINT:
        assert_string_equal(command->checkpoint.node_id, id);
        buf_printf(&s->seen, "keep %s#%d %s", id, command->attempt, node_state_name(command->checkpoint.state));
        if (command->checkpoint.lost_attempts != NULL) {
            buf_add_str(&s->seen, " lost ");
            json_print(command->checkpoint.lost_attempts, &s->seen);
        }
        return;
    case RUN_COMMAND_CANCEL_CHILD:
        buf_printf(&s->seen, "drop %s", json_get_str(command->checkpoint.waiting, "childId"));
        return;
    case RUN_COMMAND_FINISH:
        buf_printf(&s->seen, "end %s", run_status_name(command->status));
        return;
    }
}

/* What was commanded since the last look. */
#define COMMANDS(s, expected)                                                                                          \
    do {                                                                                                               \
        struct run_command command_;                                                                                   \
        buf_clear(&(s)->seen);                                                                                         \
        while (flow_run_next_command((s)->run, &command_))                                                             \
            add_word((s), &command_);                                                                                  \
        assert_string_equal(buf_str(&(s)->seen), expected);                                                            \
    } while (0)

/* The inputs of the only node that is commanded to start. */
static void starts_with(struct stage *s, const char *id, const char *inputs)
{
    struct run_command command;
    assert_true(flow_run_next_command(s->run, &command));
    assert_int_equal(command.kind, RUN_COMMAND_START_NODE);
    assert_string_equal(s->flow->nodes[command.node].id, id);
    AUTO_JSON struct json *expected = kit_json(inputs);
    AUTO_FREE char *got = json_dup_text(command.inputs), *wanted = json_dup_text(expected);
    assert_string_equal(got, wanted);
    assert_false(flow_run_next_command(s->run, &command));
}

/* ---- order */

static void test_one_after_the_other(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:pure", "a>b b>c", NULL);
    COMMANDS(&s, "");
    start(&s);
    COMMANDS(&s, "start a#1");
    done(&s, "a");
    COMMANDS(&s, "start b#1");
    done(&s, "b");
    COMMANDS(&s, "start c#1");
    assert_int_equal(flow_run_status(s.run), RUN_RUNNING);
    done(&s, "c");
    COMMANDS(&s, "end success");
    assert_int_equal(flow_run_status(s.run), RUN_SUCCESS);
    assert_int_equal(flow_run_records(s.run), 3);
    stage_done(&s);
}

static void test_branches_run_together_and_a_join_waits_for_all(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:pure d:pure", "a>b a>c b>d.in c>d.data", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1, start c#1");
    done(&s, "c");
    COMMANDS(&s, "");
    done(&s, "b");
    COMMANDS(&s, "start d#1");
    done(&s, "d");
    COMMANDS(&s, "end success");
    stage_done(&s);
}

/* A pin without a value is a path not taken; what only follows from such paths is skipped, a join goes on. */
static void test_paths_that_are_not_taken(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:pure d:pure e:pure", "a.out>b a.other>c c>d b>e.in d>e.data", NULL);
    start(&s);
    done_as(&s, "a", 1, "{'out':1}");
    COMMANDS(&s, "start a#1, start b#1");
    done_as(&s, "b", 1, "{'out':7}");
    starts_with(&s, "e", "{'in':7}");
    done(&s, "e");
    COMMANDS(&s, "end success");
    AUTO_JSON struct json *document = flow_run_document(s.run);
    assert_int_equal(json_count(json_get(document, "nodes")), 3); /* c and d never started */
    stage_done(&s);
}

static void test_null_is_a_value_too(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure", "a>b", NULL);
    start(&s);
    COMMANDS(&s, "start a#1");
    done_as(&s, "a", 1, "{'out':null}");
    starts_with(&s, "b", "{'in':null}");
    stage_done(&s);
}

static void test_inputs_overlay_the_configuration(void **state)
{
    (void)state;
    struct stage s =
        stage_new("a:trigger b:pure c:pure{'in':'own','data':'own','third':3}", "a>b b.out>c.in b.other>c.in", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1");
    done_as(&s, "b", 1, "{'out':1,'other':2}");
    starts_with(&s, "c", "{'in':2,'data':'own','third':3}"); /* the later connection wins */
    stage_done(&s);
}

/* ---- triggers */

static void test_triggers(void **state)
{
    (void)state;
    static const struct {
        const char *trigger, *node, *starts, *inputs;
    } cases[] = {{"manual", NULL, "m", "{'output':{'x':1}}"},
                 {"webhook", NULL, "h", "{'x':1}"},
                 {"webhook", "h2", "h2", "{'x':1}"},
                 {"schedule", NULL, "m", "{'output':{'x':1}}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage s = {.flow = kit_flow_of("m:trigger h:hook h2:hook b:pure", "m>b h>b h2>b", NULL)};
        stage_run(&s, (struct run_options){.trigger = cases[i].trigger, .trigger_node = cases[i].node}, "{'x':1}");
        start(&s);
        starts_with(&s, cases[i].starts, cases[i].inputs);
        done(&s, cases[i].starts);
        COMMANDS(&s, "start b#1");
        stage_done(&s);
    }
}

/* ---- failures */

static void test_a_failure_ends_the_run_and_aborts_the_others(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:effect d:pure", "a>b a>c b>d", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1, start c#1");
    failed_as(&s, "b", 1, false);
    COMMANDS(&s, "abort c#1, end failed");
    assert_int_equal(flow_run_status(s.run), RUN_FAILED);
    assert_string_equal(flow_run_error(s.run)->message, "node b: planned");
    done(&s, "c"); /* too late */
    COMMANDS(&s, "");
    assert_int_equal(flow_run_status(s.run), RUN_FAILED);
    stage_done(&s);
}

static void test_the_error_output(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect good:pure bad:pure", "a>b b>good b.error>bad", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1");
    failed_as(&s, "b", 1, false);
    COMMANDS(&s, "keep b#1 failed, start bad#1");
    done(&s, "bad");
    COMMANDS(&s, "end success");
    stage_done(&s);
    s = stage_new("a:trigger b:effect good:pure bad:pure", "a>b b>good b.error>bad", NULL);
    start(&s);
    done(&s, "a");
    done(&s, "b");
    COMMANDS(&s, "start a#1, start b#1, keep b#1 success, start good#1");
    done(&s, "good");
    COMMANDS(&s, "end success");
    stage_done(&s);
}

static void test_the_error_that_is_handed_on(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure bad:pure", "a>b b.error>bad", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1");
    failed_as(&s, "b", 1, false);
    starts_with(&s, "bad", "{'in':{'code':'NODE_FAILED_TRANSIENT','message':'planned','nodeId':'b'}}");
    stage_done(&s);
}

static void test_what_is_not_critical_is_skipped_over(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure{'critical':false} c:pure d:pure", "a>b b>c a>d.in c>d.data", NULL);
    start(&s);
    done_as(&s, "a", 1, "{'out':5}");
    COMMANDS(&s, "start a#1, start b#1");
    failed_as(&s, "b", 1, false);
    starts_with(&s, "d", "{'in':5}");
    done(&s, "d");
    COMMANDS(&s, "end success");
    stage_done(&s);
}

#define RETRY "{'retry':{'maxAttempts':3,'delayMs':100,'factor':2,'jitter':0}}"

static void test_retries(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect" RETRY, "a>b", NULL);
    start(&s);
    done(&s, "a");
    failed_as(&s, "b", 1, true);
    COMMANDS(&s, "start a#1, start b#1, keep b#1 backoff");
    assert_int_equal(flow_run_due_ms(s.run), T0 + 100);
    time_is(&s, T0 + 99);
    COMMANDS(&s, "");
    time_is(&s, T0 + 100);
    COMMANDS(&s, "start b#2");
    failed_as(&s, "b", 1, true); /* an echo of the first attempt */
    COMMANDS(&s, "");
    failed_as(&s, "b", 2, true);
    COMMANDS(&s, "keep b#2 backoff");
    assert_int_equal(flow_run_due_ms(s.run), T0 + 300);
    time_is(&s, T0 + 300);
    COMMANDS(&s, "start b#3");
    failed_as(&s, "b", 3, true);
    COMMANDS(&s, "end failed");
    AUTO_JSON struct json *document = flow_run_document(s.run);
    const struct json *attempts = json_get(json_at(json_get(document, "nodes"), 1), "attempts");
    assert_int_equal(json_count(attempts), 3);
    assert_string_equal(json_get_str(json_at(attempts, 2), "error"), "planned");
    stage_done(&s);
}

static void test_what_a_retry_does_not_mend_is_not_retried(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect" RETRY, "a>b", NULL);
    start(&s);
    done(&s, "a");
    failed_as(&s, "b", 1, false);
    COMMANDS(&s, "start a#1, start b#1, end failed");
    stage_done(&s);
}

/* ---- time */

static void test_the_time_limit_of_a_node(void **state)
{
    (void)state;
    struct stage s =
        stage_new("a:trigger b:effect{'timeout':50,'retry':{'maxAttempts':2,'delayMs':10,'jitter':0}}", "a>b", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1");
    assert_int_equal(flow_run_due_ms(s.run), T0 + 50);
    time_is(&s, T0 + 50);
    COMMANDS(&s, "abort b#1, keep b#1 backoff");
    done(&s, "b"); /* the first attempt after all: it was given up */
    COMMANDS(&s, "");
    time_is(&s, T0 + 60);
    COMMANDS(&s, "start b#2");
    time_is(&s, T0 + 110);
    COMMANDS(&s, "abort b#2, end failed");
    assert_int_equal(flow_run_error(s.run)->code, ERR_DEADLINE);
    stage_done(&s);
}

static void test_the_time_limit_of_the_flow(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect c:effect", "a>b a>c", "{'timeoutMs':70}");
    start(&s);
    done(&s, "a");
    wait_until(&s, "b", T0 + 5000);
    COMMANDS(&s, "start a#1, start b#1, start c#1, keep b#1 waiting");
    assert_int_equal(flow_run_due_ms(s.run), T0 + 70);
    time_is(&s, T0 + 70);
    COMMANDS(&s, "abort c#1, end timeout");
    assert_int_equal(flow_run_status(s.run), RUN_TIMEOUT);
    stage_done(&s);
}

static void test_waits(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:pure", "a>b b>c", NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#1");
    assert_false(flow_run_is_parkable(s.run));
    wait_until(&s, "b", T0 + 9000);
    COMMANDS(&s, "keep b#1 waiting");
    assert_true(flow_run_is_parkable(s.run));
    assert_int_equal(flow_run_due_ms(s.run), T0 + 9000);
    time_is(&s, T0 + 9000);
    COMMANDS(&s, "start c#1");
    stage_done(&s);
}

/* ---- limits */

static void test_the_limit_of_steps(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:pure", "a>b b>c", "{'maxSteps':2}");
    start(&s);
    done(&s, "a");
    done(&s, "b");
    COMMANDS(&s, "start a#1, start b#1, end failed");
    assert_int_equal(flow_run_error(s.run)->code, ERR_LIMIT);
    assert_non_null(strstr(flow_run_error(s.run)->message, "2 steps"));
    stage_done(&s);
}

static void test_the_limit_of_outputs(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure", "a>b", "{'maxOutputBytes':1024}");
    AUTO_FREE char *large = mem_alloc(2000);
    memset(large, 'x', 1999);
    AUTO_FREE char *outputs = mem_printf("{'out':'%s'}", large);
    start(&s);
    done_as(&s, "a", 1, outputs);
    COMMANDS(&s, "start a#1, end failed");
    assert_int_equal(flow_run_error(s.run)->code, ERR_LIMIT);
    stage_done(&s);
}

/* ---- cancel, pause, resume */

static void test_cancel(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect c:effect d:effect" RETRY " e:pure", "a>b a>c a>d b>e", NULL);
    start(&s);
    done(&s, "a");
    wait_until(&s, "c", T0 + 5000);
    failed_as(&s, "d", 1, true);
    COMMANDS(&s, "start a#1, start b#1, start c#1, start d#1, keep c#1 waiting, keep d#1 backoff");
    advance(&s, (struct run_event){.kind = RUN_EVENT_CANCEL});
    COMMANDS(&s, "abort b#1, end cancelled");
    assert_int_equal(flow_run_error(s.run)->code, ERR_CANCELLED);
    done(&s, "b");
    time_is(&s, T0 + 100000);
    advance(&s, (struct run_event){.kind = RUN_EVENT_RESUME});
    advance(&s, (struct run_event){.kind = RUN_EVENT_CANCEL});
    COMMANDS(&s, "");
    assert_int_equal(flow_run_status(s.run), RUN_CANCELLED);
    AUTO_JSON struct json *document = flow_run_document(s.run);
    const struct json *of_d = json_at(json_get(document, "nodes"), 3),
                      *attempt = json_at(json_get(of_d, "attempts"), 0);
    assert_string_equal(json_get_str(of_d, "status"), "aborted");
    assert_string_equal(json_get_str(attempt, "status"), "failed"); /* it had its outcome before */
    assert_non_null(json_get_str(attempt, "error"));
    stage_done(&s);
}

static void test_cancel_before_the_start(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger", "", NULL);
    advance(&s, (struct run_event){.kind = RUN_EVENT_CANCEL});
    start(&s);
    COMMANDS(&s, "end cancelled");
    stage_done(&s);
}

static void test_a_pause_lets_end_what_runs_and_starts_nothing(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:effect c:effect d:pure", "a>b a>c b>d", NULL);
    start(&s);
    done(&s, "a");
    wait_until(&s, "c", T0 + 10);
    COMMANDS(&s, "start a#1, start b#1, start c#1, keep c#1 waiting");
    advance(&s, (struct run_event){.kind = RUN_EVENT_PAUSE});
    assert_int_equal(flow_run_status(s.run), RUN_PAUSED);
    assert_false(flow_run_is_parkable(s.run));
    done(&s, "b");
    COMMANDS(&s, "keep b#1 success");
    assert_true(flow_run_is_parkable(s.run));
    time_is(&s, T0 + 50); /* the wait is over, and nobody acts on it */
    COMMANDS(&s, "");
    assert_true(flow_run_due_ms(s.run) == INT64_MAX);
    advance(&s, (struct run_event){.kind = RUN_EVENT_RESUME});
    COMMANDS(&s, "start d#1");
    time_is(&s, T0 + 50);
    done(&s, "d");
    COMMANDS(&s, "end success");
    stage_done(&s);
}

static void test_paused_from_the_beginning(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger", "", NULL);
    advance(&s, (struct run_event){.kind = RUN_EVENT_PAUSE});
    start(&s);
    COMMANDS(&s, "");
    assert_int_equal(flow_run_status(s.run), RUN_PAUSED);
    advance(&s, (struct run_event){.kind = RUN_EVENT_RESUME});
    COMMANDS(&s, "start a#1");
    done(&s, "a");
    COMMANDS(&s, "end success");
    stage_done(&s);
}

/* ---- going on from checkpoints */

static void restore(struct stage *s, const char *id, enum node_state known, const char *outputs, int64_t wake_ms)
{
    AUTO_JSON struct json *value = outputs == NULL ? NULL : kit_json(outputs);
    flow_run_restore(s->run, &(struct run_checkpoint){.node_id = id,
                                                      .attempt = 1,
                                                      .state = known,
                                                      .outputs = value,
                                                      .started_ms = T0 - 100,
                                                      .ended_ms = T0 - 50,
                                                      .wake_ms = wake_ms,
                                                      .error_id = known == NODE_FAILED ? "NODE_FAILED" : NULL,
                                                      .error_message = known == NODE_FAILED ? "before" : NULL});
}

static struct stage stage_again(const char *nodes, const char *connections)
{
    struct stage s = {.flow = kit_flow_of(nodes, connections, NULL)};
    stage_run(&s, (struct run_options){.trigger = "manual", .epoch = 2}, NULL);
    return s;
}

static void test_what_is_known_is_not_done_again(void **state)
{
    (void)state;
    struct stage s = stage_again("a:trigger b:effect c:effect", "a>b b>c");
    restore(&s, "b", NODE_SUCCEEDED, "{'out':9}", 0);
    start(&s);
    COMMANDS(&s, "start a#1"); /* pure: computed again */
    done(&s, "a");
    starts_with(&s, "c", "{'data':9}");
    stage_done(&s);
}

static void test_a_known_failure_takes_its_error_path(void **state)
{
    (void)state;
    struct stage s = stage_again("a:trigger b:effect bad:pure", "a>b b.error>bad");
    restore(&s, "b", NODE_FAILED, NULL, 0);
    start(&s);
    COMMANDS(&s, "start a#1");
    done(&s, "a");
    starts_with(&s, "bad", "{'in':{'code':'NODE_FAILED','message':'before','nodeId':'b'}}");
    stage_done(&s);
}

static void test_waits_and_backoffs_go_on(void **state)
{
    (void)state;
    struct stage s = stage_again("a:trigger b:effect c:effect" RETRY " d:pure", "a>b a>c b>d");
    restore(&s, "b", NODE_WAITING, "{'out':3}", T0 + 40);
    restore(&s, "c", NODE_BACKOFF, NULL, T0 + 60);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1");
    assert_true(flow_run_is_parkable(s.run));
    assert_int_equal(flow_run_due_ms(s.run), T0 + 40);
    time_is(&s, T0 + 60);
    COMMANDS(&s, "start c#2, start d#1");
    stage_done(&s);
}

/* After a crash nobody knows whether an effect without a checkpoint was begun: it shows, and does not count. */
static void test_a_lost_epoch(void **state)
{
    (void)state;
    struct stage s = {.flow = kit_flow_of("a:trigger b:effect{'retry':{'maxAttempts':1}}", "a>b", NULL)};
    stage_run(&s, (struct run_options){.trigger = "manual", .epoch = 2, .lost_epochs = 1}, NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#2");
    done_as(&s, "b", 2, "{'out':1}");
    AUTO_JSON struct json *document = flow_run_document(s.run);
    const struct json *attempts = json_get(json_at(json_get(document, "nodes"), 1), "attempts");
    assert_int_equal(json_count(attempts), 2);
    assert_string_equal(json_get_str(json_at(attempts, 0), "status"), "unknown");
    assert_int_equal(json_get_int(json_at(attempts, 0), "epoch", 0), 1);
    stage_done(&s);
}

static void test_each_lost_epoch_shows(void **state)
{
    (void)state;
    struct stage s = {.flow = kit_flow_of("a:trigger b:effect{'retry':{'maxAttempts':2}}", "a>b", NULL)};
    stage_run(&s, (struct run_options){.trigger = "manual", .epoch = 5, .lost_epochs = 1 | 1 << 3}, NULL);
    start(&s);
    done(&s, "a");
    COMMANDS(&s, "start a#1, start b#3");
    done_as(&s, "b", 3, "{'out':1}");
    COMMANDS(&s, "keep b#3 success lost [[1,1],[4,2]], end success");
    AUTO_JSON struct json *document = flow_run_document(s.run);
    const struct json *attempts = json_get(json_at(json_get(document, "nodes"), 1), "attempts");
    static const int epochs[] = {1, 4, 5};
    assert_int_equal(json_count(attempts), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(json_get_str(json_at(attempts, (size_t)i), "status"), i < 2 ? "unknown" : "success");
        assert_int_equal(json_get_int(json_at(attempts, (size_t)i), "epoch", 0), epochs[i]);
        assert_int_equal(json_get_int(json_at(attempts, (size_t)i), "attempt", 0), i + 1);
    }
    stage_done(&s);
}

/* Of a node that failed and was to be tried again, the next attempt may have been made in the epochs lost since. */
static void test_epochs_lost_in_a_backoff(void **state)
{
    (void)state;
    struct stage s = {.flow = kit_flow_of("a:trigger b:effect{'retry':{'maxAttempts':3,'delayMs':10}}", "a>b", NULL)};
    stage_run(&s, (struct run_options){.trigger = "manual", .epoch = 5, .lost_epochs = 1 | 1 << 1 | 1 << 3}, NULL);
    flow_run_restore(s.run, &(struct run_checkpoint){.node_id = "b",
                                                     .attempt = 2,
                                                     .epoch = 3,
                                                     .unknown = 1,
                                                     .state = NODE_BACKOFF,
                                                     .started_ms = T0 - 100,
                                                     .ended_ms = T0 - 50,
                                                     .wake_ms = T0 - 40,
                                                     .error_id = "NODE_FAILED",
                                                     .error_message = "before"});
    start(&s);
    done(&s, "a");
    time_is(&s, T0 + 1);
    COMMANDS(&s, "start a#1, start b#5");
    failed_as(&s, "b", 5, true); /* the second of which the outcome is known */
    COMMANDS(&s, "keep b#5 backoff lost [[3,3],[4,4]]");
    time_is(&s, T0 + 10000);
    COMMANDS(&s, "start b#6");
    failed_as(&s, "b", 6, true);
    COMMANDS(&s, "end failed");
    stage_done(&s);
}

static void test_a_repeat_keeps_its_idempotency_key(void **state)
{
    (void)state;
    char before[ID_TEXT_BYTES_MAX], after[ID_TEXT_BYTES_MAX], another[ID_TEXT_BYTES_MAX];
    struct stage s = stage_new("a:trigger b:effect", "a>b", NULL);
    flow_run_idempotency_key(s.run, 0, 1, before);
    flow_run_idempotency_key(s.run, 0, 0, another);
    flow_run_free(s.run);
    buf_done(&s.seen);
    stage_run(&s, (struct run_options){.trigger = "manual", .epoch = 7, .lost_epochs = 1}, NULL);
    flow_run_idempotency_key(s.run, 0, 1, after);
    assert_string_equal(before, after);
    assert_string_not_equal(before, another);
    stage_done(&s);
}

/* ---- echoes, and the result */

static void test_events_that_concern_nobody(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure", "a>b", NULL);
    done(&s, "a"); /* before the start */
    COMMANDS(&s, "");
    start(&s);
    start(&s); /* twice */
    COMMANDS(&s, "start a#1");
    done_as(&s, "a", 2, "{}");
    done(&s, "b");
    COMMANDS(&s, "");
    advance(&s,
            (struct run_event){.kind = RUN_EVENT_NODE_DONE, .node = 99, .attempt = 1, .take_outputs = kit_json("{}")});
    COMMANDS(&s, "");
    done(&s, "a");
    done(&s, "a");
    COMMANDS(&s, "start b#1");
    stage_done(&s);
}

static void test_the_result(void **state)
{
    (void)state;
    struct stage s = stage_new("a:trigger b:pure c:respond", "a>b a>c", NULL);
    start(&s);
    done(&s, "a");
    done_as(&s, "c", 1, "{'body':'answer'}");
    done_as(&s, "b", 1, "{'out':'leaf'}");
    assert_true(flow_run_has_response(s.run));
    assert_string_equal(json_get_str(flow_run_result(s.run), "body"), "answer");
    stage_done(&s);
    s = stage_new("a:trigger b:pure c:pure", "a>b a>c", NULL);
    assert_null(flow_run_result(s.run));
    start(&s);
    done(&s, "a");
    done_as(&s, "c", 1, "{'out':'first'}");
    done_as(&s, "b", 1, "{'out':'last'}");
    assert_false(flow_run_has_response(s.run));
    assert_string_equal(json_get_str(flow_run_result(s.run), "out"), "last");
    unsigned ended, total;
    flow_run_progress(s.run, &ended, &total);
    assert_int_equal(ended, 3);
    assert_int_equal(total, 3);
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_after_the_other),
                                       cmocka_unit_test(test_branches_run_together_and_a_join_waits_for_all),
                                       cmocka_unit_test(test_paths_that_are_not_taken),
                                       cmocka_unit_test(test_null_is_a_value_too),
                                       cmocka_unit_test(test_inputs_overlay_the_configuration),
                                       cmocka_unit_test(test_triggers),
                                       cmocka_unit_test(test_a_failure_ends_the_run_and_aborts_the_others),
                                       cmocka_unit_test(test_the_error_output),
                                       cmocka_unit_test(test_the_error_that_is_handed_on),
                                       cmocka_unit_test(test_what_is_not_critical_is_skipped_over),
                                       cmocka_unit_test(test_retries),
                                       cmocka_unit_test(test_what_a_retry_does_not_mend_is_not_retried),
                                       cmocka_unit_test(test_the_time_limit_of_a_node),
                                       cmocka_unit_test(test_the_time_limit_of_the_flow),
                                       cmocka_unit_test(test_waits),
                                       cmocka_unit_test(test_the_limit_of_steps),
                                       cmocka_unit_test(test_the_limit_of_outputs),
                                       cmocka_unit_test(test_cancel),
                                       cmocka_unit_test(test_cancel_before_the_start),
                                       cmocka_unit_test(test_a_pause_lets_end_what_runs_and_starts_nothing),
                                       cmocka_unit_test(test_paused_from_the_beginning),
                                       cmocka_unit_test(test_what_is_known_is_not_done_again),
                                       cmocka_unit_test(test_a_known_failure_takes_its_error_path),
                                       cmocka_unit_test(test_waits_and_backoffs_go_on),
                                       cmocka_unit_test(test_a_lost_epoch),
                                       cmocka_unit_test(test_each_lost_epoch_shows),
                                       cmocka_unit_test(test_epochs_lost_in_a_backoff),
                                       cmocka_unit_test(test_a_repeat_keeps_its_idempotency_key),
                                       cmocka_unit_test(test_events_that_concern_nobody),
                                       cmocka_unit_test(test_the_result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
