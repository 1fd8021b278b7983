/* Contract: signals, links to waits, executions that others have started. */
#include "support/store_contract/fixture.h"

#include "base/limits.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

struct signal_args {
    struct store_signal signal;
    struct store_receipt receipt;
};
struct answer_args {
    const char *token, *answer;
    int64_t now_ms;
};
struct drop_args {
    const char *parent, *child;
    int epoch;
    struct json *ids;
};
VERB(do_signal, struct signal_args, store_signal_insert(s, &a->signal, &a->receipt, reterr))
VERB(do_answer, struct answer_args, store_wait_answer(s, a->token, a->answer, a->now_ms, reterr))
VERB(do_child, struct store_execution, store_child_insert(s, a, reterr))
VERB(do_drop, struct drop_args, store_child_drop(s, a->parent, a->epoch, a->child, T0 + 70, &a->ids, reterr))
VERB(do_cancel_all, struct drop_args, store_execution_cancel_all(s, a->parent, T0 + 70, &a->ids, reterr))

static struct store_receipt send(struct fixture *f, struct store_signal signal)
{
    struct signal_args args = {.signal = signal};
    assert_ok(write_now(f, do_signal, &args, &error_));
    return args.receipt;
}

static struct json *signals_of(struct fixture *f, const char *id)
{
    struct json *value = NULL;
    READ(f, s);
    assert_ok(store_signals_load(s, id, &value, &error_));
    store_read_end(f->store, s);
    return value;
}

static int64_t wake_of(struct fixture *f, const char *id)
{
    AUTO_JSON struct json *execution = load_execution(f, id);
    int64_t ms = 0;
    return json_get_str(execution, "waitingUntil") != NULL &&
                   clock_parse_iso(json_get_str(execution, "waitingUntil"), &ms) == 0
               ? ms
               : 0;
}

static bool checkpoint(struct fixture *f, const char *id, int epoch, enum node_state state, const char *waiting,
                       int64_t signal_id, const char *token)
{
    return apply(f, (struct store_event){.kind = STORE_EVENT_CHECKPOINT,
                                         .execution_id = id,
                                         .epoch = epoch,
                                         .at_ms = T0 + 20,
                                         .checkpoint_waiting_json = waiting,
                                         .checkpoint_token = token,
                                         .checkpoint = {.node_id = "2",
                                                        .attempt = 1,
                                                        .state = state,
                                                        .started_ms = T0 + 10,
                                                        .wake_ms = RUN_WAKE_NEVER,
                                                        .signal_id = signal_id}});
}

static bool park(struct fixture *f, const char *id, int epoch, int64_t seen)
{
    return apply(f, (struct store_event){.kind = STORE_EVENT_PARKED,
                                         .execution_id = id,
                                         .epoch = epoch,
                                         .at_ms = T0 + 30,
                                         .wake_ms = RUN_WAKE_NEVER,
                                         .signals_seen = seen});
}

static void keeps_signals_until_they_are_taken(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    struct store_receipt first =
        send(f, (struct store_signal){
                    .execution_id = E1, .name = "go", .payload_json = "{\"by\":1}", .key = "k", .at_ms = T0 + 1});
    assert_true(first.id == 1 && !first.repeated && !first.awaited);
    struct store_receipt again =
        send(f, (struct store_signal){.execution_id = E1, .name = "go", .key = "k", .at_ms = T0 + 2});
    assert_true(again.id == 1 && again.repeated);
    assert_int_equal(send(f, (struct store_signal){.execution_id = E1, .node_id = "2", .iteration = "0"}).id, 2);
    AUTO_JSON struct json *kept = signals_of(f, E1);
    AUTO_FREE char *text = json_dup_text(kept);
    assert_string_equal(text, "{\"id\":\"" E1
                              "\",\"signals\":[{\"id\":1,\"child\":false,\"name\":\"go\",\"nodeId\":null,\"iteration\":"
                              "null,\"payload\":{\"by\":1}},{\"id\":2,\"child\":false,\"name\":null,\"nodeId\":\"2\","
                              "\"iteration\":\"0\",\"payload\":null}],\"seen\":2}");
    assert_true(checkpoint(f, E1, 1, NODE_SUCCEEDED, NULL, 1, NULL));
    json_unref(kept);
    kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 1);
    assert_int_equal(json_get_int(kept, "seen", 0), 2);
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args args = {.id = E1, .epoch = 1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &args, &error_));
    assert_non_null(strstr(args.dispatch.signals_json, "\"id\":2"));
    assert_int_equal(args.dispatch.signals, 2);
    assert_false(checkpoint(f, E1, 1, NODE_SUCCEEDED, NULL, 2, NULL)); /* of an older epoch: nothing is taken */
    json_unref(kept);
    kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 1);
    assert_true(finish(f, E1, 2, RUN_SUCCESS));
    struct signal_args late = {.signal = {.execution_id = E1}};
    assert_int_equal(write_now(f, do_signal, &late, &error_), ERR_CONFLICT);
    assert_string_equal(error_.field, "status");
    late.signal.execution_id = E2;
    assert_int_equal(write_now(f, do_signal, &late, &error_), ERR_NOT_FOUND);
    json_unref(kept);
    kept = signals_of(f, E1);
    assert_null(kept);
}

static void a_signal_makes_due_what_is_parked(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(checkpoint(f, E1, 1, NODE_WAITING, "{\"kind\":\"signal\",\"name\":\"go\"}", 0, NULL));
    assert_true(park(f, E1, 1, 0));
    assert_int_equal(wake_of(f, E1), 0); /* for ever */
    assert_false(send(f, (struct store_signal){.execution_id = E1, .name = "no", .at_ms = T0 + 40}).awaited);
    assert_int_equal(wake_of(f, E1), T0 + 40);
    assert_true(send(f, (struct store_signal){.execution_id = E1, .name = "go", .at_ms = T0 + 41}).awaited);
    assert_int_equal(wake_of(f, E1), T0 + 40);
    AUTO_JSON struct json *detail = load_execution(f, E1);
    const struct json *wait = json_at(json_get(detail, "waits"), 0);
    assert_string_equal(json_get_str(wait, "kind"), "signal");
    assert_string_equal(json_get_str(wait, "name"), "go");
    assert_string_equal(json_get_str(wait, "nodeId"), "2");
}

/* It came while the run was on a worker that did not hear of it. */
static void parking_without_a_signal_makes_due(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_execution(f, E2, F1, T0);
    assert_true(checkpoint(f, E1, 1, NODE_WAITING, "{\"kind\":\"signal\"}", 0, NULL));
    (void)send(f, (struct store_signal){.execution_id = E1, .at_ms = T0 + 1});
    (void)send(f, (struct store_signal){.execution_id = E2, .at_ms = T0 + 1});
    READ(f, s);
    AUTO_JSON struct json *open = NULL;
    assert_ok(store_signals_open(s, 10, &open, &error_));
    store_read_end(f->store, s);
    assert_int_equal(json_count(open), 2);
    assert_true(park(f, E1, 1, 0));
    assert_true(park(f, E2, 1, 1)); /* seen, and of no use to it yet */
    assert_int_equal(wake_of(f, E1), T0 + 30);
    assert_int_equal(wake_of(f, E2), 0);
    READ(f, t);
    json_unref(open);
    open = NULL;
    assert_ok(store_signals_open(t, 10, &open, &error_));
    store_read_end(f->store, t);
    assert_int_equal(json_count(open), 0);
}

static void a_paused_execution_is_not_woken(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_ok(ON(f, do_pause, E1));
    (void)send(f, (struct store_signal){.execution_id = E1, .at_ms = T0 + 1});
    assert_int_equal(wake_of(f, E1), 0);
    expect_status(f, E1, "paused");
}

static void signals_are_bounded(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    for (int i = 0; i < LIMIT_SIGNALS; i++)
        (void)send(f, (struct store_signal){.execution_id = E1, .at_ms = T0});
    struct signal_args more = {.signal = {.execution_id = E1}};
    assert_int_equal(write_now(f, do_signal, &more, &error_), ERR_LIMIT);
}

static struct json *wait_of(struct fixture *f, const char *token, int64_t now_ms)
{
    struct json *value = NULL;
    READ(f, s);
    assert_ok(store_wait_load(s, token, now_ms, &value, &error_));
    store_read_end(f->store, s);
    return value;
}

static void state_is(struct fixture *f, int64_t now_ms, const char *state)
{
    AUTO_JSON struct json *wait = wait_of(f, TOKEN, now_ms);
    assert_string_equal(json_get_str(wait, "state"), state);
    assert_string_equal(json_get_str(wait, "executionId"), E1);
}

static void a_link_is_answered_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(checkpoint(f, E1, 1, NODE_WAITING,
                           "{\"kind\":\"signal\",\"token\":\"" TOKEN "\",\"approval\":{\"title\":\"Go?\"}}", 0, TOKEN));
    assert_true(park(f, E1, 1, 0));
    state_is(f, T0, "open");
    assert_false(send(f, (struct store_signal){.execution_id = E1}).awaited); /* only who has the link answers */
    struct answer_args answer = {.token = TOKEN, .answer = "{\"approved\":true}", .now_ms = T0 + 50};
    assert_ok(write_now(f, do_answer, &answer, &error_));
    state_is(f, T0 + 60, "answered");
    assert_int_equal(write_now(f, do_answer, &answer, &error_), ERR_CONFLICT);
    AUTO_JSON struct json *kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 2);
    assert_string_equal(json_get_str(json_at(json_get(kept, "signals"), 1), "name"), TOKEN);
    assert_true(finish(f, E1, 1, RUN_SUCCESS));
    state_is(f, T0 + 60, "answered");
    answer.token = "another";
    assert_int_equal(write_now(f, do_answer, &answer, &error_), ERR_NOT_FOUND);
    assert_ok(ON(f, do_execution_delete, E1));
    answer.token = TOKEN;
    assert_int_equal(write_now(f, do_answer, &answer, &error_), ERR_NOT_FOUND);
}

static void a_link_ends_with_its_wait(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    assert_true(checkpoint(f, E1, 1, NODE_WAITING, "{\"kind\":\"signal\",\"token\":\"" TOKEN "\"}", 0, TOKEN));
    state_is(f, RUN_WAKE_NEVER, "over"); /* the deadline */
    assert_ok(ON(f, do_cancel, E1));
    state_is(f, T0, "over");
    struct answer_args answer = {.token = TOKEN, .answer = "{}", .now_ms = T0};
    assert_int_equal(write_now(f, do_answer, &answer, &error_), ERR_CONFLICT);
    assert_string_equal(error_.field, "state");
}

/* ---- children */

static void add_child(struct fixture *f, const char *id, const char *parent, bool waits)
{
    assert_ok(WITH(f, do_child, struct store_execution, .id = id, .flow_id = F1, .flow_version = 1, .trigger = "flow",
                   .priority = 1, .created_ms = T0 + 5, .wake_ms = T0 + 5, .parent_id = parent, .parent_node_id = "2",
                   .parent_iteration = "3.0", .parent_waits = waits, .depth = 1, .body = "each"));
}

static void a_childs_end_is_told_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_child(f, E2, E1, true);
    add_child(f, E2, E1, true); /* the same event again */
    assert_true(park(f, E1, 1, 0));
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args args = {.id = E2, .epoch = 1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &args, &error_));
    assert_string_equal(args.dispatch.parent_id, E1);
    assert_string_equal(args.dispatch.body, "each");
    assert_int_equal(args.dispatch.depth, 1);
    assert_int_equal(args.dispatch.lost_epochs, 0);
    struct store_finish end = {.status = RUN_SUCCESS, .ended_ms = T0 + 60, .result_json = "[1]"};
    struct store_event event = {.kind = STORE_EVENT_FINISHED,
                                .execution_id = E2,
                                .epoch = 2,
                                .at_ms = T0 + 60,
                                .finish = &end,
                                .has_parent = true,
                                .discard = true};
    assert_true(apply(f, event));
    assert_false(apply(f, event));
    AUTO_JSON struct json *kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 1);
    AUTO_FREE char *text = json_dup_text(json_at(json_get(kept, "signals"), 0));
    assert_string_equal(text,
                        "{\"id\":1,\"child\":true,\"name\":null,\"nodeId\":\"2\",\"iteration\":\"3.0\",\"payload\":{"
                        "\"status\":\"success\",\"executionId\":\"" E2 "\",\"result\":[1]}}");
    assert_int_equal(wake_of(f, E1), T0 + 60);
}

static void children_are_listed_and_unknown_flows_told(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_child(f, E2, E1, false);
    AUTO_JSON struct json *child = load_execution(f, E2);
    assert_string_equal(json_get_str(child, "parentExecutionId"), E1);
    assert_string_equal(json_get_str(child, "parentNodeId"), "2");
    assert_int_equal(list_total(f, store_execution_list, "{'parentExecutionId':'" E1 "'}"), 1);
    assert_int_equal(list_total(f, store_execution_list, "{'parentExecutionId':'" E2 "'}"), 0);
    assert_ok(WITH(f, do_child, struct store_execution, .id = E3, .flow_id = F2, .flow_version = 1, .trigger = "flow",
                   .created_ms = T0 + 5, .parent_id = E1, .parent_node_id = "2", .parent_iteration = "0",
                   .parent_waits = true));
    AUTO_JSON struct json *kept = signals_of(f, E1);
    const struct json *payload = json_get(json_at(json_get(kept, "signals"), 0), "payload");
    assert_string_equal(json_get_str(payload, "status"), "failed");
    assert_string_equal(json_get_str(json_get(payload, "error"), "code"), "NOT_FOUND");
    assert_true(finish(f, E2, 1, RUN_SUCCESS)); /* nobody waits for it */
    json_unref(kept);
    kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 1);
}

static void cancelling_takes_along_those_that_are_awaited(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_child(f, E2, E1, true);
    add_child(f, E3, E2, true);
    add_child(f, "33333333-0000-7000-8000-000000000004", E1, false);
    struct drop_args args = {.parent = E1};
    assert_ok(write_now(f, do_cancel_all, &args, &error_));
    AUTO_JSON struct json *ids = args.ids;
    AUTO_FREE char *text = json_dup_text(ids);
    assert_string_equal(text, "[\"" E1 "\",\"" E2 "\",\"" E3 "\"]");
    expect_status(f, E3, "cancelled");
    expect_status(f, "33333333-0000-7000-8000-000000000004", "pending");
    args.ids = NULL;
    assert_int_equal(write_now(f, do_cancel_all, &args, &error_), ERR_CONFLICT);
}

static void a_dropped_child_is_cancelled_unheard(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_child(f, E2, E1, true);
    struct drop_args args = {.parent = E1, .child = E2, .epoch = 2};
    assert_ok(write_now(f, do_drop, &args, &error_)); /* of another epoch */
    assert_null(args.ids);
    expect_status(f, E2, "pending");
    args.epoch = 1;
    assert_ok(write_now(f, do_drop, &args, &error_));
    assert_int_equal(json_count(args.ids), 1);
    json_unref(args.ids);
    expect_status(f, E2, "cancelled");
    AUTO_JSON struct json *kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 0);
    add_child(f, E3, E1, true);
    assert_ok(ON(f, do_cancel, E3)); /* by a person: the parent hears of it */
    json_unref(kept);
    kept = signals_of(f, E1);
    assert_int_equal(json_count(json_get(kept, "signals")), 1);
}

static size_t orphans(struct fixture *f)
{
    AUTO_JSON struct json *ids = NULL;
    READ(f, s);
    assert_ok(store_children_orphaned(s, 10, &ids, &error_));
    store_read_end(f->store, s);
    return json_count(ids);
}

static void finds_children_whose_parent_is_over(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_execution(f, E1, F1, T0);
    add_child(f, E2, E1, true);
    add_child(f, E3, E1, false);
    assert_int_equal(orphans(f), 0);
    assert_true(finish(f, E1, 1, RUN_FAILED));
    assert_int_equal(orphans(f), 1);
    assert_ok(ON(f, do_execution_delete, E1));
    assert_int_equal(orphans(f), 1);
}

static size_t listeners(struct fixture *f)
{
    AUTO_JSON struct json *found = NULL;
    READ(f, s);
    assert_ok(store_flow_listeners(s, &found, &error_));
    store_read_end(f->store, s);
    if (json_count(found) > 0)
        assert_string_equal(json_get_str(json_at(json_get(json_at(found, 0), "nodes"), 0), "id"), "f");
    return json_count(found);
}

static void knows_who_listens_for_failures(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F2, "deaf", T0);
    AUTO_JSON struct json *flow = quoted("{'id':'" F1 "','name':'ears','status':'active','connections':[],"
                                         "'nodes':[{'id':'f','type':'flow-failed-trigger'}]}");
    assert_ok(WITH(f, do_flow_insert, struct flow_args, .document = flow, .now_ms = T0));
    assert_int_equal(listeners(f), 1);
    AUTO_JSON struct json *draft = quoted("{'status':'draft'}"), *active = quoted("{'status':'active'}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = draft, .now_ms = T0));
    assert_int_equal(listeners(f), 0);
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = active, .now_ms = T0));
    AUTO_JSON struct json *other = quoted("{'nodes':[{'id':'1','type':'set'}]}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = other, .now_ms = T0));
    assert_int_equal(listeners(f), 0); /* the version that triggers use */
}

const struct CMUnitTest store_contract_waits[] = {CONTRACT_TEST(knows_who_listens_for_failures),
                                                  CONTRACT_TEST(keeps_signals_until_they_are_taken),
                                                  CONTRACT_TEST(a_signal_makes_due_what_is_parked),
                                                  CONTRACT_TEST(parking_without_a_signal_makes_due),
                                                  CONTRACT_TEST(a_paused_execution_is_not_woken),
                                                  CONTRACT_TEST(signals_are_bounded),
                                                  CONTRACT_TEST(a_link_is_answered_once),
                                                  CONTRACT_TEST(a_link_ends_with_its_wait),
                                                  CONTRACT_TEST(a_childs_end_is_told_once),
                                                  CONTRACT_TEST(children_are_listed_and_unknown_flows_told),
                                                  CONTRACT_TEST(cancelling_takes_along_those_that_are_awaited),
                                                  CONTRACT_TEST(a_dropped_child_is_cancelled_unheard),
                                                  CONTRACT_TEST(finds_children_whose_parent_is_over),
                                                  {0}};
