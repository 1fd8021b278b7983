/* The store's contract: events, epochs, waits, logs, counts. */
#include "support/store_contract/fixture.h"

/* ---- events */

static struct store_event checkpoint(const char *id, int epoch, const char *node, int attempt, enum node_state state,
                                     const char *outputs)
{
    return (struct store_event){.kind = STORE_EVENT_CHECKPOINT,
                                .execution_id = id,
                                .epoch = epoch,
                                .worker_id = "w1",
                                .at_ms = T0 + 100,
                                .checkpoint = {.node_id = node,
                                               .attempt = attempt,
                                               .state = state,
                                               .records = 2,
                                               .started_ms = T0 + 20,
                                               .ended_ms = T0 + 90},
                                .checkpoint_outputs_json = outputs};
}

static struct store_event started(const char *id, int epoch)
{
    return (struct store_event){
        .kind = STORE_EVENT_STARTED, .execution_id = id, .epoch = epoch, .worker_id = "w1", .at_ms = T0 + 10};
}

static struct store_event parked(const char *id, int epoch, int64_t wake_ms)
{
    return (struct store_event){
        .kind = STORE_EVENT_PARKED, .execution_id = id, .epoch = epoch, .wake_ms = wake_ms, .at_ms = T0 + 200};
}

static void follows_a_run(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, started(E1, 1)));
    expect_status(f, E1, "running");
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_BACKOFF, NULL)));
    assert_true(apply(f, checkpoint(E1, 1, "1", 2, NODE_SUCCEEDED, "{\"output\":[1]}")));
    AUTO_JSON struct json *running = load_execution(f, E1);
    const struct json *nodes = json_get(running, "nodeExecutions"), *node = json_at(nodes, 0);
    assert_int_equal(json_count(nodes), 1);
    assert_string_equal(json_get_str(node, "nodeType"), "set");
    assert_string_equal(json_get_str(node, "status"), "success");
    assert_int_equal(json_get_int(node, "duration", 0), 70);
    assert_int_equal(json_get_int(node, "recordsProcessed", 0), 2);
    assert_int_equal(json_count(json_get(node, "attempts")), 2);
    assert_true(finish(f, E1, 1, RUN_SUCCESS));
    AUTO_JSON struct json *done = load_execution(f, E1);
    assert_string_equal(json_get_str(done, "status"), "success");
    assert_int_equal(json_get_int(done, "duration", 0), 1000);
    assert_int_equal(json_get_int(done, "recordsProcessed", 0), 7);
    assert_int_equal(json_get_int(json_get(done, "result"), "answer", 0), 42);
    assert_int_equal(json_count(json_get(done, "nodeExecutions")), 1);
    assert_int_equal(json_count(json_get(json_at(json_get(done, "nodeExecutions"), 0), "attempts")), 1);
    assert_false(apply(f, started("nobody", 1)));
}

static void discards_when_asked(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_SUCCEEDED, "{}")));
    assert_true(
        apply(f, (struct store_event){.kind = STORE_EVENT_FINISHED, .execution_id = E1, .epoch = 1, .discard = true}));
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
    add_execution(f, E2, F1, T0); /* may stand where the other stood: nothing of it is left */
    AUTO_JSON struct json *detail = load_execution(f, E2);
    assert_int_equal(json_count(json_get(detail, "nodeExecutions")), 0);
}

static void never_changes_a_final_status(void **state)
{
    struct fixture *f = *state;
    static const enum run_status finals[] = {RUN_SUCCESS, RUN_FAILED, RUN_CANCELLED, RUN_TIMEOUT};
    static const char *const names[] = {"success", "failed", "cancelled", "timeout"};
    add_flow(f, F1, "orders", T0);
    for (size_t i = 0; i < 4; i++) {
        char id[8];
        AUTO_ARENA struct arena arena = {0};
        (void)snprintf(id, sizeof id, "e%zu", i);
        add_execution(f, id, F1, T0);
        assert_true(finish(f, id, 1, finals[i]));
        for (size_t j = 0; j < 4; j++)
            assert_false(finish(f, id, 1, finals[j]));
        assert_false(apply(f, started(id, 1)));
        assert_false(apply(f, parked(id, 1, T0)));
        assert_false(apply(f, checkpoint(id, 1, "2", 1, NODE_SUCCEEDED, "{}")));
        assert_int_equal(ON(f, do_cancel, id), ERR_CONFLICT);
        assert_int_equal(ON(f, do_pause, id), ERR_CONFLICT);
        assert_int_equal(ON(f, do_resume, id), ERR_CONFLICT);
        struct reassign_args again = {.id = id, .arena = &arena};
        assert_int_equal(write_now(f, do_reassign, &again, &error_), ERR_CONFLICT);
        expect_status(f, id, names[i]);
    }
}

static void fences_by_epoch(void **state)
{
    struct fixture *f = *state;
    AUTO_ARENA struct arena arena = {0};
    add_flow(f, F1, "orders", T0);
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = E1, .flow_id = F1, .flow_version = 1,
                   .trigger = "api", .trigger_node = "1", .priority = 2, .input_json = "{\"n\":1}",
                   .restore_json = "[]", .created_ms = T0));
    assert_true(apply(f, started(E1, 1)));
    struct store_event waits = checkpoint(E1, 1, "2", 1, NODE_WAITING, "{\"output\":\"\\u00e9\\\"\"}");
    waits.checkpoint.wake_ms = T0 + 9000;
    waits.checkpoint_evaluated_json = "{\"until\":\"\u00e9\"}";
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_SUCCEEDED, NULL)));
    assert_true(apply(f, waits));
    struct reassign_args again = {.id = E1, .epoch = 7, .arena = &arena};
    assert_int_equal(write_now(f, do_reassign, &again, &error_), ERR_CONFLICT);
    assert_string_equal(error_.field, "epoch");
    again.epoch = 1;
    assert_ok(write_now(f, do_reassign, &again, &error_));
    const struct store_dispatch *d = &again.dispatch;
    assert_int_equal(d->epoch, 2);
    assert_int_equal(d->priority, 2);
    assert_int_equal(d->created_ms, T0);
    assert_false(d->paused);
    assert_string_equal(d->flow_id, F1);
    assert_string_equal(d->trigger_node, "1");
    assert_string_equal(d->input_json, "{\"n\":1}");
    assert_string_equal(d->restore_json, "[]");
    AUTO_JSON struct json *points = parse(d->checkpoints_json);
    assert_int_equal(json_count(points), 2);
    const struct json *wait = json_at(points, 1);
    assert_string_equal(json_get_str(wait, "nodeId"), "2");
    assert_string_equal(json_get_str(wait, "state"), "waiting");
    assert_int_equal(json_get_int(wait, "wakeMs", 0), T0 + 9000);
    assert_string_equal(json_get_str(json_get(wait, "outputs"), "output"), "é\"");
    assert_string_equal(json_get_str(json_get(wait, "evaluated"), "until"), "é");
    assert_false(json_has(json_at(points, 0), "evaluated"));
    expect_status(f, E1, "pending");
    assert_int_equal(write_now(f, do_reassign, &again, &error_), ERR_CONFLICT); /* it stands at 2 now */
    assert_false(apply(f, started(E1, 1)));
    assert_false(apply(f, checkpoint(E1, 1, "1", 5, NODE_FAILED, NULL)));
    assert_false(finish(f, E1, 1, RUN_FAILED));
    expect_status(f, E1, "pending");
    assert_true(apply(f, started(E1, 2)));
    assert_true(finish(f, E1, 2, RUN_SUCCESS));
    AUTO_JSON struct json *detail = load_execution(f, E1);
    const struct json *node = json_at(json_get(detail, "nodeExecutions"), 0);
    assert_string_equal(json_get_str(node, "status"), "success"); /* the stale failure moved nothing … */
    assert_int_equal(json_count(json_get(node, "attempts")), 2);  /* … but is in the ledger */
    assert_int_equal(json_get_int(json_at(json_get(node, "attempts"), 1), "attempt", 0), 5);
}

static void parks_and_wakes(void **state)
{
    struct fixture *f = *state;
    AUTO_ARENA struct arena arena = {0};
    add_flow(f, F1, "orders", T0);
    READ(f, s0);
    assert_true(store_executions_next_due_ms(s0) == INT64_MAX);
    store_read_end(f->store, s0);
    add_execution(f, E1, F1, T0);
    add_execution(f, E2, F1, T0);
    add_execution(f, E3, F1, T0);
    assert_true(apply(f, started(E1, 1)));
    assert_true(apply(f, parked(E1, 1, T0 + 3000)));
    assert_true(apply(f, parked(E2, 1, T0 + 2000)));
    AUTO_JSON struct json *parked_one = load_execution(f, E1), *due = NULL, *unfinished = NULL, *counts = NULL,
                          *after = NULL;
    assert_string_equal(json_get_str(parked_one, "status"), "running");
    assert_string_equal(json_get_str(parked_one, "waitingUntil"), "2023-11-14T22:13:23.000Z");
    READ(f, s);
    assert_true(store_executions_next_due_ms(s) == T0 + 2000);
    assert_ok(store_executions_due(s, T0 + 2500, 10, &due, &error_));
    AUTO_FREE char *text = json_dup_text(due);
    assert_string_equal(text, "[{\"id\":\"" E2 "\",\"epoch\":1,\"priority\":1,\"flowId\":\"" F1 "\"}]");
    assert_ok(store_executions_unfinished(s, NULL, 10, &unfinished, &error_));
    assert_int_equal(json_count(unfinished), 1);
    assert_string_equal(json_get_str(json_at(unfinished, 0), "id"), E3);
    assert_ok(store_executions_unfinished(s, E3, 10, &after, &error_));
    assert_int_equal(json_count(after), 0);
    assert_ok(store_execution_counts(s, 0, &counts, &error_));
    assert_int_equal(json_get_int(counts, "waiting", 0), 2);
    assert_int_equal(json_get_int(counts, "pending", 0), 1);
    store_read_end(f->store, s);
    struct reassign_args again = {.id = E2, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    READ(f, s2);
    assert_true(store_executions_next_due_ms(s2) == T0 + 3000);
    store_read_end(f->store, s2);
}

static void pauses_and_resumes(void **state)
{
    struct fixture *f = *state;
    AUTO_ARENA struct arena arena = {0};
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_int_equal(ON(f, do_resume, E1), ERR_CONFLICT);
    assert_true(apply(f, started(E1, 1)));
    assert_ok(ON(f, do_pause, E1));
    assert_int_equal(ON(f, do_pause, E1), ERR_CONFLICT);
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_SUCCEEDED, "{}"))); /* what was under way still counts */
    assert_true(apply(f, started(E1, 1)));
    assert_true(apply(f, parked(E1, 1, T0 + 1)));
    expect_status(f, E1, "paused");
    READ(f, s);
    assert_true(store_executions_next_due_ms(s) == INT64_MAX);
    store_read_end(f->store, s);
    struct reassign_args again = {.id = E1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    assert_true(again.dispatch.paused);
    expect_status(f, E1, "paused");
    assert_ok(ON(f, do_resume, E1));
    expect_status(f, E1, "pending");
    READ(f, s2);
    assert_true(store_executions_next_due_ms(s2) == T0 + 5000);
    store_read_end(f->store, s2);
    assert_ok(write_now(f, do_reassign, &again, &error_));
    assert_false(again.dispatch.paused);
    assert_int_equal(again.dispatch.epoch, 3);
    assert_true(
        apply(f, parked(E1, 3, INT64_MAX))); /* it had been paused, and heard of the resume only now: it goes on */
    expect_status(f, E1, "running");
    READ(f, s3);
    assert_true(store_executions_next_due_ms(s3) != INT64_MAX);
    store_read_end(f->store, s3);
    assert_int_equal(ON(f, do_pause, "nobody"), ERR_NOT_FOUND);
    assert_int_equal(ON(f, do_resume, "nobody"), ERR_NOT_FOUND);
}

static void cancels_for_good(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_execution(f, E2, F1, T0);
    assert_true(apply(f, started(E1, 1)));
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_SUCCEEDED, "{}")));
    assert_ok(ON(f, do_cancel, E1));
    assert_ok(ON(f, do_pause, E2));
    assert_ok(ON(f, do_cancel, E2));
    for (int epoch = 1; epoch <= 3; epoch++) {
        assert_false(finish(f, E1, epoch, RUN_SUCCESS));
        assert_false(apply(f, started(E2, epoch)));
    }
    AUTO_JSON struct json *detail = load_execution(f, E1);
    assert_string_equal(json_get_str(detail, "status"), "cancelled");
    assert_int_equal(json_get_int(detail, "epoch", 0), 2);
    assert_int_equal(json_get_int(detail, "duration", 0), 5000);
    assert_int_equal(json_count(json_get(detail, "nodeExecutions")), 1); /* what it had done stays visible */
    assert_int_equal(ON(f, do_resume, E2), ERR_CONFLICT);
    assert_int_equal(ON(f, do_cancel, "nobody"), ERR_NOT_FOUND);
}

static void deletes_only_what_is_final(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_int_equal(ON(f, do_execution_delete, E1), ERR_CONFLICT);
    assert_true(finish(f, E1, 1, RUN_SUCCESS));
    assert_ok(ON(f, do_execution_delete, E1));
    assert_int_equal(ON(f, do_execution_delete, E1), ERR_NOT_FOUND);
}

static void keeps_logs(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    struct store_event logs = {
        .kind = STORE_EVENT_LOGS,
        .execution_id = E1,
        .epoch = 1,
        .at_ms = T0,
        .logs_json =
            "[{\"level\":\"info\",\"message\":\"a\",\"nodeId\":\"1\"},{\"level\":\"error\",\"message\":\"b\"}]"};
    assert_true(apply(f, logs));
    logs.logs_json = "[{\"level\":\"info\",\"message\":\"c\",\"nodeId\":\"2\"}]";
    assert_true(apply(f, logs));
    logs.epoch = 9;
    assert_false(apply(f, logs));
    READ(f, s);
    AUTO_JSON struct json *all = NULL, *errors = NULL, *node = NULL;
    assert_ok(store_execution_logs(s, E1, NULL, NULL, &all, &error_));
    assert_int_equal(json_count(all), 3);
    assert_string_equal(json_get_str(json_at(all, 0), "message"), "c");
    assert_string_equal(json_get_str(json_at(all, 2), "message"), "a");
    assert_ok(store_execution_logs(s, E1, "error", NULL, &errors, &error_));
    assert_int_equal(json_count(errors), 1);
    assert_ok(store_execution_logs(s, E1, "info", "1", &node, &error_));
    assert_int_equal(json_count(node), 1);
    store_read_end(f->store, s);
    struct event_args bad = {.event = logs};
    bad.event.epoch = 1;
    bad.event.logs_json = "{}";
    assert_int_equal(write_now(f, do_event, &bad, &error_), ERR_VALIDATION);
}

static void bounds_logs(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    for (int event = 0; event < 6; event++) {
        AUTO_JSON struct json *lines = json_array_new();
        for (int i = 0; i < 300; i++)
            json_push(lines, quoted("{'level':'info','message':'%d'}", event * 300 + i));
        AUTO_FREE char *text = json_dup_text(lines);
        struct store_event logs = {.kind = STORE_EVENT_LOGS, .execution_id = E1, .epoch = 1, .logs_json = text};
        for (int delivery = 0; delivery < 2; delivery++) /* once more counts once */
            assert_true(apply(f, logs));
    }
    READ(f, s);
    AUTO_JSON struct json *all = NULL;
    assert_ok(store_execution_logs(s, E1, NULL, NULL, &all, &error_));
    store_read_end(f->store, s);
    assert_int_equal(json_count(all), 1000);
    assert_string_equal(json_get_str(json_at(all, 0), "message"), "1799");
    assert_string_equal(json_get_str(json_at(all, 999), "message"), "800");
}

static void counts_by_status(void **state)
{
    struct fixture *f = *state;
    static const enum run_status finals[] = {RUN_SUCCESS, RUN_SUCCESS, RUN_FAILED, RUN_CANCELLED, RUN_TIMEOUT};
    add_flow(f, F1, "orders", T0);
    for (int i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "e%d", i);
        add_execution(f, id, F1, T0 + i);
        assert_true(finish(f, id, 1, finals[i]));
    }
    add_execution(f, E1, F1, T0 + 10);
    add_execution(f, E2, F1, T0 + 10);
    assert_true(apply(f, started(E1, 1)));
    assert_ok(ON(f, do_pause, E2));
    READ(f, s);
    AUTO_JSON struct json *all = NULL, *late = NULL;
    assert_ok(store_execution_counts(s, 0, &all, &error_));
    assert_ok(store_execution_counts(s, T0 + 1, &late, &error_));
    store_read_end(f->store, s);
    static const struct {
        const char *name;
        int all, late;
    } cases[] = {{"pending", 0, 0}, {"running", 1, 1},   {"paused", 1, 1},  {"success", 2, 1},
                 {"failed", 1, 1},  {"cancelled", 1, 1}, {"timeout", 1, 1}, {"waiting", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(json_get_int(all, cases[i].name, -1), cases[i].all);
        assert_int_equal(json_get_int(late, cases[i].name, -1), cases[i].late);
    }
}

/* What rests is given again for a while; what has changed shows in the end, and whoever has an answer owns it. */
static void counts_that_rest(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    for (int n = 1; n <= 3; n++) {
        char id[8];
        int64_t pending = -1;
        (void)snprintf(id, sizeof id, "e%d", n);
        add_execution(f, id, F1, T0 + n);
        while (pending != n) {
            AUTO_JSON struct json *counts = NULL;
            assert_ok(store_counts(f->store, &counts, &error_));
            pending = json_get_int(counts, "pending", -1);
            assert_in_range(pending, n == 1 ? 1 : n - 1, n);
            assert_int_equal(json_get_int(counts, "success", -1), 0);
            json_set_int(counts, "success", 7);
        }
    }
}

/* ---- lost epochs */

static unsigned reassign_lost(struct fixture *f, const char *id)
{
    AUTO_ARENA struct arena arena = {0};
    struct reassign_args again = {.id = id, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    return again.dispatch.lost_epochs;
}

static void marks_lost_epochs(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, started(E1, 1)));
    assert_true(apply(f, parked(E1, 1, T0 + 1)));
    assert_int_equal(reassign_lost(f, E1), 0); /* 2: the former epoch said good-bye */
    assert_true(apply(f, parked(E1, 2, T0 + 2)));
    assert_int_equal(reassign_lost(f, E1), 0); /* 3 */
    assert_true(apply(f, started(E1, 3)));
    assert_int_equal(reassign_lost(f, E1), 1); /* 4: epoch 3 was taken away from a worker */
    assert_true(apply(f, parked(E1, 4, T0 + 3)));
    assert_int_equal(reassign_lost(f, E1), 2); /* 5: it stays known */
    assert_true(apply(f, parked(E1, 5, T0 + 4)));
    assert_int_equal(reassign_lost(f, E1), 4); /* 6: however often */
    assert_int_equal(reassign_lost(f, E1), 9); /* 7: now epoch 6 as well */
    add_execution(f, E2, F1, T0);
    assert_int_equal(reassign_lost(f, E2), 1); /* nobody said that it was not handed out */
    add_execution(f, E3, F1, T0);
    assert_true(apply(f, checkpoint(E3, 1, "1", 1, NODE_SUCCEEDED, "{}")));
    assert_int_equal(reassign_lost(f, E3), 1);
}

static const char *outcome_of(struct fixture *f, const char *id, size_t attempt)
{
    static char outcome[32];
    AUTO_JSON struct json *detail = NULL;
    READ(f, s);
    assert_ok(store_execution_load_detail(s, id, &detail, &error_));
    store_read_end(f->store, s);
    const struct json *attempts = json_get(json_at(json_get(detail, "nodeExecutions"), 0), "attempts");
    (void)snprintf(outcome, sizeof outcome, "%s", json_get_str(json_at(attempts, attempt), "status"));
    return outcome;
}

static void expect_uncounted(struct fixture *f, const char *expected)
{
    AUTO_ARENA struct arena arena = {0};
    struct reassign_args again = {.id = E1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    assert_non_null(strstr(again.dispatch.checkpoints_json, expected));
}

/* Attempts that lost workers may have made are told by who came after, until a ghost tells itself. */
static void keeps_attempts_of_unknown_outcome(void **state)
{
    struct fixture *f = *state;
    AUTO_JSON struct json *lost = NULL;
    assert_ok(json_parse("[[1,1],[2,2]]", 13, &lost, &error_));
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_int_equal(reassign_lost(f, E1), 1);
    assert_int_equal(reassign_lost(f, E1), 3);
    struct store_event told = checkpoint(E1, 3, "1", 3, NODE_BACKOFF, NULL);
    told.checkpoint.lost_attempts = lost;
    assert_true(apply(f, told));
    assert_string_equal(outcome_of(f, E1, 0), "unknown");
    assert_string_equal(outcome_of(f, E1, 1), "unknown");
    assert_string_equal(outcome_of(f, E1, 2), "backoff");
    assert_false(apply(f, checkpoint(E1, 2, "1", 2, NODE_SUCCEEDED, "{}")));
    assert_true(apply(f, told)); /* once more */
    assert_string_equal(outcome_of(f, E1, 0), "unknown");
    assert_string_equal(outcome_of(f, E1, 1), "success");
    expect_uncounted(f, "\"epoch\":3,\"unknown\":2}");
    assert_false(apply(f, checkpoint(E1, 1, "1", 1, NODE_BACKOFF, NULL)));
    expect_uncounted(f, "\"epoch\":3,\"unknown\":1}"); /* what failed counts for the retry policy */
}

/* Whoever was lost since the wait began may have come to its failure, and made the next attempt. */
static void a_backoff_is_of_the_epoch_of_its_wait(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_WAITING, NULL)));
    assert_true(apply(f, parked(E1, 1, T0 + 1)));
    assert_int_equal(reassign_lost(f, E1), 0);
    assert_int_equal(reassign_lost(f, E1), 1);
    assert_true(apply(f, checkpoint(E1, 3, "1", 1, NODE_BACKOFF, NULL)));
    expect_uncounted(f, "\"epoch\":1,\"unknown\":0}"); /* 4 */
    assert_true(apply(f, checkpoint(E1, 4, "1", 4, NODE_BACKOFF, NULL)));
    expect_uncounted(f, "\"epoch\":4,\"unknown\":2}");
}

static size_t attempts_of_node(struct fixture *f, const char *id, size_t node)
{
    AUTO_JSON struct json *detail = NULL;
    READ(f, s);
    assert_ok(store_execution_load_detail(s, id, &detail, &error_));
    store_read_end(f->store, s);
    return json_count(json_get(json_at(json_get(detail, "nodeExecutions"), node), "attempts"));
}

static size_t attempts_of(struct fixture *f, const char *id)
{
    return attempts_of_node(f, id, 0);
}

/* A lost worker's last word was that an attempt failed: it may have made the next one. Who parked has not. */
static void shows_what_a_lost_worker_may_have_done_next(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, checkpoint(E1, 1, "1", 1, NODE_BACKOFF, NULL)));
    assert_int_equal(attempts_of(f, E1), 1);
    assert_int_equal(reassign_lost(f, E1), 1);
    assert_int_equal(attempts_of(f, E1), 2);
    assert_string_equal(outcome_of(f, E1, 1), "unknown");
    assert_false(apply(f, checkpoint(E1, 1, "1", 2, NODE_SUCCEEDED, "{}"))); /* it has, and is still there */
    assert_int_equal(attempts_of(f, E1), 2);
    assert_string_equal(outcome_of(f, E1, 1), "success");
    assert_false(apply(f, checkpoint(E1, 1, "2", 1, NODE_BACKOFF, NULL)));
    assert_false(apply(f, checkpoint(E1, 1, "2", 3, NODE_WAITING, NULL))); /* a further one says it for the next */
    assert_int_equal(attempts_of_node(f, E1, 1), 2);
    add_execution(f, E2, F1, T0);
    assert_true(apply(f, checkpoint(E2, 1, "1", 1, NODE_BACKOFF, NULL)));
    assert_true(apply(f, parked(E2, 1, T0 + 1000)));
    assert_int_equal(reassign_lost(f, E2), 0);
    assert_int_equal(attempts_of(f, E2), 1);
    assert_int_equal(reassign_lost(f, E2), 1); /* the one that came after */
    assert_int_equal(attempts_of(f, E2), 1);
}

/* As many are told apart as fit; the oldest stands for those before it. */
static void keeps_track_of_the_latest_lost_epochs(void **state)
{
    struct fixture *f = *state;
    int epoch = 1;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    for (; epoch <= 32; epoch++)
        assert_int_equal(reassign_lost(f, E1), epoch < 30 ? (1u << epoch) - 1 : (1u << 30) - 1);
    for (; epoch <= 64; epoch++) {
        assert_true(apply(f, parked(E1, epoch, T0 + epoch)));
        assert_true((reassign_lost(f, E1) >> 29 & 1) == 1);
    }
    assert_true(apply(f, parked(E1, epoch, T0 + epoch)));
    assert_int_equal(reassign_lost(f, E1), 1u << 29);
}

static void does_not_take_a_persons_pause_for_parking(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(apply(f, started(E1, 1)));
    assert_ok(ON(f, do_pause, E1));
    assert_ok(ON(f, do_resume, E1)); /* it waits for its waking, yet a worker may still be at it */
    assert_int_equal(reassign_lost(f, E1), 1);
    add_execution(f, E2, F1, T0);
    assert_true(apply(f, started(E2, 1)));
    assert_ok(ON(f, do_pause, E2));
    assert_true(apply(f, parked(E2, 1, T0 + 1)));
    assert_ok(ON(f, do_resume, E2));
    assert_int_equal(reassign_lost(f, E2), 0);
}

static void parks_an_epoch_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_ok(ON(f, do_pause, E1));
    assert_true(apply(f, parked(E1, 1, INT64_MAX)));
    expect_status(f, E1, "paused");
    assert_ok(ON(f, do_resume, E1));
    (void)apply(f, parked(E1, 1, INT64_MAX)); /* delivered once more */
    expect_status(f, E1, "pending");
    READ(f, s);
    assert_true(store_executions_next_due_ms(s) == T0 + 5000);
    store_read_end(f->store, s);
}

static void refuses_a_checkpoint_of_no_node(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    struct event_args bad = {.event = checkpoint(E1, 1, NULL, 1, NODE_SUCCEEDED, "{}")};
    assert_int_equal(write_now(f, do_event, &bad, &error_), ERR_VALIDATION);
    assert_string_equal(error_.field, "nodeId");
    bad.event.kind = (enum store_event_kind)99;
    assert_int_equal(write_now(f, do_event, &bad, &error_), ERR_INTERNAL);
}

static void merges_logs_of_events_and_document(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    struct store_event logs = {
        .kind = STORE_EVENT_LOGS,
        .execution_id = E1,
        .epoch = 1,
        .at_ms = T0,
        .logs_json =
            "[{\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"level\":\"info\",\"message\":\"a\",\"nodeId\":\"1\"},"
            "{\"timestamp\":\"2023-11-14T22:13:24.000Z\",\"level\":\"error\",\"message\":\"d\",\"nodeId\":\"2\"}]"};
    assert_true(apply(f, logs));
    logs.logs_json =
        "[{\"timestamp\":\"2023-11-14T22:13:22.000Z\",\"level\":\"info\",\"message\":\"b\",\"nodeId\":\"2\"}]";
    assert_true(apply(f, logs));
    struct store_finish end = {
        .status = RUN_SUCCESS,
        .started_ms = T0,
        .ended_ms = T0 + 9000,
        .document_json =
            "{\"nodes\":[],\"logs\":[{\"timestamp\":\"2023-11-14T22:13:23.000Z\",\"level\":\"info\",\"message\":\"c\","
            "\"nodeId\":\"1\"},"
            "{\"timestamp\":\"2023-11-14T22:13:24.000Z\",\"level\":\"info\",\"message\":\"e\",\"nodeId\":\"1\"}]}"};
    assert_true(
        apply(f, (struct store_event){.kind = STORE_EVENT_FINISHED, .execution_id = E1, .epoch = 1, .finish = &end}));
    static const struct {
        const char *level, *node_id, *messages;
    } cases[] = {{NULL, NULL, "edcba"}, {"info", NULL, "ecba"}, {"error", NULL, "d"},
                 {NULL, "1", "eca"},    {"info", "2", "b"},     {"warn", NULL, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *lines = NULL;
        char messages[8] = "";
        READ(f, s);
        assert_ok(store_execution_logs(s, E1, cases[i].level, cases[i].node_id, &lines, &error_));
        store_read_end(f->store, s);
        for (size_t k = 0; k < json_count(lines) && k < sizeof messages - 1; k++)
            messages[k] = json_get_str(json_at(lines, k), "message")[0];
        assert_string_equal(messages, cases[i].messages);
    }
    /* An execution that was final at once has only its document. */
    struct store_execution row = {
        .id = E2, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0, .finish = &end};
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    AUTO_JSON struct json *lines = NULL;
    READ(f, s);
    assert_ok(store_execution_logs(s, E2, NULL, NULL, &lines, &error_));
    store_read_end(f->store, s);
    assert_int_equal(json_count(lines), 2);
}

/* A node of a loop or a for-each has a checkpoint for each iteration; each replaces its own only. */
static void keeps_a_checkpoint_for_each_iteration(void **state)
{
    struct fixture *f = *state;
    static const char *const iterations[] = {NULL, "1", "5.0", "1"};
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    for (size_t i = 0; i < 4; i++) {
        struct store_event event = checkpoint(E1, 1, "n", (int)i + 1, NODE_SUCCEEDED, "{\"output\":1}");
        event.checkpoint.iteration = iterations[i];
        event.checkpoint_waiting_json = "{\"kind\":\"time\"}";
        assert_true(apply(f, event));
    }
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args again = {.id = E1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    AUTO_JSON struct json *known = NULL;
    assert_ok(json_parse(again.dispatch.checkpoints_json, strlen(again.dispatch.checkpoints_json), &known, &error_));
    assert_int_equal(json_count(known), 3);
    int attempts = 0;
    for (size_t i = 0; i < 3; i++) {
        attempts += (int)json_get_int(json_at(known, i), "attempt", 0);
        assert_string_equal(json_get_str(json_get(json_at(known, i), "waiting"), "kind"), "time");
    }
    assert_int_equal(attempts, 1 + 4 + 3);
    AUTO_JSON struct json *detail = NULL;
    READ(f, s);
    assert_ok(store_execution_load_detail(s, E1, &detail, &error_));
    store_read_end(f->store, s);
    const struct json *nodes = json_get(detail, "nodeExecutions");
    assert_int_equal(json_count(nodes), 1);
    assert_int_equal(json_get_int(json_at(nodes, 0), "iterationCount", 0), 3);
    assert_int_equal(json_count(json_get(json_at(nodes, 0), "attempts")), 4);
}

static const struct json *node_in(const struct json *detail, const char *id)
{
    const struct json *nodes = json_get(detail, "nodeExecutions");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (strcmp(json_get_str(json_at(nodes, i), "nodeId"), id) == 0)
            return json_at(nodes, i);
    return NULL;
}

#define SO_FAR                                                                                                         \
    "{\"epoch\":1,\"nodes\":[{\"nodeId\":\"1\",\"nodeType\":\"set\",\"status\":\"success\",\"input\":{\"a\":1},"       \
    "\"output\":"                                                                                                      \
    "{\"output\":1},\"attempts\":[{\"attempt\":1,\"epoch\":1,\"status\":\"success\"}]},{\"nodeId\":\"w\","             \
    "\"nodeType\":"                                                                                                    \
    "\"wait\",\"status\":\"waiting\",\"input\":{\"b\":2},\"output\":null,\"attempts\":[{\"attempt\":1,\"epoch\":1,"    \
    "\"status\":\"waiting\"}]}]}"

static void park_with_document(struct fixture *f, const char *id)
{
    static const struct store_finish so_far = {.records = 9, .document_json = SO_FAR};
    struct store_event waits = checkpoint(id, 1, "w", 1, NODE_WAITING, "{}");
    waits.checkpoint.wake_ms = T0 + 5000;
    waits.checkpoint.ended_ms = 0;
    assert_true(apply(f, waits));
    struct store_event event = parked(id, 1, T0 + 5000);
    event.finish = &so_far;
    assert_true(apply(f, event));
}

/* What checkpoints do not tell: nodes that follow from others, and inputs. */
static void shows_what_led_to_a_wait(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    park_with_document(f, E1);
    AUTO_JSON struct json *waiting = load_execution(f, E1);
    assert_int_equal(json_get_int(waiting, "recordsProcessed", 0), 9);
    assert_int_equal(json_count(json_get(waiting, "nodeExecutions")), 2);
    const struct json *wait = node_in(waiting, "w");
    assert_int_equal(json_get_int(json_get(node_in(waiting, "1"), "input"), "a", 0), 1);
    assert_string_equal(json_get_str(wait, "status"), "waiting");
    assert_string_equal(json_get_str(wait, "waitingUntil"),
                        json_get_str(json_at(json_get(waiting, "waits"), 0), "until"));
    assert_int_equal(json_count(json_get(wait, "attempts")), 1);
    assert_int_equal(json_get_int(wait, "iterationCount", 0), 0);

    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args again = {.id = E1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &again, &error_));
    assert_true(apply(f, checkpoint(E1, 2, "w", 1, NODE_SUCCEEDED, "{\"output\":3}")));
    struct store_event pass = checkpoint(E1, 2, "w", 1, NODE_SUCCEEDED, "{\"output\":4}");
    pass.checkpoint.iteration = "1";
    pass.checkpoint.started_ms = T0 + 6000;
    AUTO_JSON struct json *on = load_execution(f, E1);
    wait = node_in(on, "w");
    assert_string_equal(json_get_str(wait, "status"), "success");
    assert_int_equal(json_get_int(json_get(wait, "output"), "output", 0), 3);
    assert_int_equal(json_get_int(json_get(wait, "input"), "b", 0), 2);
    assert_int_equal(json_count(json_get(wait, "attempts")), 2);
    assert_non_null(node_in(on, "1"));
    assert_true(apply(f, pass));
    AUTO_JSON struct json *further = load_execution(f, E1);
    wait = node_in(further, "w");
    assert_string_equal(json_get_str(wait, "iteration"), "1");
    assert_int_equal(json_get_int(wait, "iterationCount", 0), 2);
    assert_int_equal(json_get_int(json_get(wait, "output"), "output", 0), 4);
    assert_false(json_has(wait, "input"));
    assert_int_equal(json_get_int(json_get(json_at(json_get(wait, "iterations"), 0), "output"), "output", 0), 3);

    assert_true(finish(f, E1, 2, RUN_SUCCESS));
    AUTO_JSON struct json *done = load_execution(f, E1);
    assert_false(json_has(node_in(done, "w"), "input")); /* an epoch ago it was begun; no more is known of it */
    assert_int_equal(json_get_int(json_get(done, "result"), "answer", 0), 42);
}

/* A document has no node of an iteration under way; its checkpoint has. */
static void shows_what_waits_inside_a_for_each(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    struct store_event inside = checkpoint(E1, 1, "in", 1, NODE_WAITING, "{}");
    inside.checkpoint.iteration = "3.0";
    assert_true(apply(f, inside));
    park_with_document(f, E1);
    AUTO_JSON struct json *waiting = load_execution(f, E1);
    assert_int_equal(json_count(json_get(waiting, "nodeExecutions")), 3);
    assert_string_equal(json_get_str(node_in(waiting, "in"), "status"), "waiting");
    assert_string_equal(json_get_str(node_in(waiting, "in"), "iteration"), "3.0");
    assert_int_equal(json_get_int(node_in(waiting, "in"), "iterationCount", 0), 1);
}

const struct CMUnitTest store_contract_events[] = {
    CONTRACT_TEST(shows_what_waits_inside_a_for_each),
    CONTRACT_TEST(follows_a_run),
    CONTRACT_TEST(shows_what_led_to_a_wait),
    CONTRACT_TEST(discards_when_asked),
    CONTRACT_TEST(never_changes_a_final_status),
    CONTRACT_TEST(fences_by_epoch),
    CONTRACT_TEST(parks_and_wakes),
    CONTRACT_TEST(pauses_and_resumes),
    CONTRACT_TEST(cancels_for_good),
    CONTRACT_TEST(deletes_only_what_is_final),
    CONTRACT_TEST(keeps_logs),
    CONTRACT_TEST(bounds_logs),
    CONTRACT_TEST(counts_by_status),
    CONTRACT_TEST(counts_that_rest),
    CONTRACT_TEST(marks_lost_epochs),
    CONTRACT_TEST(keeps_track_of_the_latest_lost_epochs),
    CONTRACT_TEST(keeps_attempts_of_unknown_outcome),
    CONTRACT_TEST(a_backoff_is_of_the_epoch_of_its_wait),
    CONTRACT_TEST(shows_what_a_lost_worker_may_have_done_next),
    CONTRACT_TEST(does_not_take_a_persons_pause_for_parking),
    CONTRACT_TEST(parks_an_epoch_once),
    CONTRACT_TEST(refuses_a_checkpoint_of_no_node),
    CONTRACT_TEST(keeps_a_checkpoint_for_each_iteration),
    CONTRACT_TEST(merges_logs_of_events_and_document),
    {0},
};
