/* The store's contract: instants of schedules, published versions, what starts were told. */
#include "support/store_contract/fixture.h"

struct release_args {
    int64_t released;
};
struct publish_args {
    const char *id;
    int version;
    const char *note;
};
VERB(do_instant, struct store_instant, store_instant_insert(s, a, reterr))
VERB(do_release, struct release_args, store_schedules_release(s, T0 + 9, &a->released, reterr))
VERB(do_publish, struct publish_args, store_flow_publish(s, a->id, a->version, "ana", a->note, T0, reterr))

static void tells_each_instant_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    assert_ok(WITH(f, do_instant, struct store_instant, .schedule_id = S1, .instant_ms = T0, .outcome = "fired",
                   .execution_id = E1, .at_ms = T0 + 1));
    assert_int_equal(WITH(f, do_instant, struct store_instant, .schedule_id = S1, .instant_ms = T0,
                          .outcome = "skipped", .at_ms = T0 + 2),
                     ERR_CONFLICT);
    assert_ok(WITH(f, do_instant, struct store_instant, .schedule_id = S1, .instant_ms = T0 + 60000,
                   .last_ms = T0 + 600000, .count = 10, .more = true, .outcome = "skipped", .reason = "missed",
                   .at_ms = T0 + 3));
    assert_int_equal(
        WITH(f, do_instant, struct store_instant, .schedule_id = E1, .instant_ms = T0, .outcome = "fired", .at_ms = T0),
        ERR_NOT_FOUND);
    AUTO_JSON struct json *page = list_all(f, store_instant_list, "{'scheduleId':'" S1 "'}");
    AUTO_FREE char *text = json_dup_text(json_get(page, "data"));
    assert_string_equal(
        text, "[{\"instant\":\"2023-11-14T22:14:20.000Z\",\"last\":\"2023-11-14T22:23:20.000Z\",\"count\":10,\"more\":"
              "true,\"outcome\":\"skipped\",\"reason\":\"missed\",\"executionId\":null,\"backfillId\":null,\"at\":"
              "\"2023-11-14T22:13:20.003Z\"},{\"instant\":\"2023-11-14T22:13:20.000Z\",\"last\":"
              "\"2023-11-14T22:13:20.000Z\",\"count\":1,\"more\":false,\"outcome\":\"fired\",\"reason\":null,"
              "\"executionId\":\"" E1 "\",\"backfillId\":null,\"at\":\"2023-11-14T22:13:20.001Z\"}]");
    assert_int_equal(list_total(f, store_instant_list, "{'scheduleId':'" S1 "','outcome':'fired'}"), 1);
    struct retention_args args = {.before_ms = T0 + 3, .limit = 10};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(list_total(f, store_instant_list, "{'scheduleId':'" S1 "'}"), 1);
    assert_ok(ON(f, do_schedule_delete, S1));
    assert_int_equal(list_total(f, store_instant_list, "{}"), 0);
}

static void add_scheduled(struct fixture *f, const char *id, int64_t instant_ms, const char *waiting_for)
{
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = id, .flow_id = F1, .flow_version = 1,
                   .schedule_id = S1, .schedule_instant_ms = instant_ms, .trigger = "schedule", .priority = 1,
                   .created_ms = instant_ms, .waiting_for = waiting_for,
                   .wake_ms = waiting_for == NULL ? 0 : INT64_MAX - 1));
}

static int64_t release(struct fixture *f)
{
    struct release_args args = {0};
    assert_ok(write_now(f, do_release, &args, &error_));
    return args.released;
}

static void releases_what_waits_for_its_schedule(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    add_scheduled(f, E1, T0, NULL);
    add_scheduled(f, E2, T0 + 1, "schedule");
    AUTO_JSON struct json *waiting = load_execution(f, E2);
    assert_string_equal(json_get_str(waiting, "waitingFor"), "schedule");
    READ(f, s);
    AUTO_JSON struct json *unfinished = NULL, *due = NULL;
    assert_ok(store_schedule_unfinished(s, S1, 10, &unfinished, &error_));
    AUTO_FREE char *text = json_dup_text(unfinished);
    assert_string_equal(text, "[{\"id\":\"" E1 "\",\"waiting\":false},{\"id\":\"" E2 "\",\"waiting\":true}]");
    assert_true(store_schedules_waiting(s));
    assert_ok(store_executions_unfinished(s, "", 10, &due, &error_));
    assert_int_equal(json_count(due), 1); /* nobody may start what waits */
    store_read_end(f->store, s);
    assert_int_equal(release(f), 0);
    assert_ok(ON(f, do_pause, E2));
    assert_ok(ON(f, do_resume, E2)); /* takes back the pause, no more */
    READ(f, r);
    json_unref(due);
    due = NULL;
    assert_ok(store_executions_due(r, T0 + 10000, 10, &due, &error_));
    assert_int_equal(json_count(due), 0);
    json_unref(due);
    due = NULL;
    store_read_end(f->store, r);
    assert_true(finish(f, E1, 1, RUN_FAILED));
    assert_int_equal(release(f), 1);
    assert_int_equal(release(f), 0);
    READ(f, t);
    json_unref(due);
    due = NULL;
    assert_ok(store_executions_due(t, T0 + 9, 10, &due, &error_));
    assert_int_equal(json_count(due), 1);
    assert_false(store_schedules_waiting(t));
    store_read_end(f->store, t);
}

/* Executions of a backfill are no overlap. */
static void counts_backfills_apart(void **state)
{
    struct fixture *f = *state;
    int64_t count = 0;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    add_scheduled(f, E1, T0, NULL);
    assert_ok(WITH(f, do_instant, struct store_instant, .schedule_id = S1, .instant_ms = T0, .outcome = "fired",
                   .execution_id = E1, .backfill_id = "b", .at_ms = T0));
    READ(f, s);
    AUTO_JSON struct json *unfinished = NULL;
    assert_ok(store_schedule_unfinished(s, S1, 10, &unfinished, &error_));
    assert_int_equal(json_count(unfinished), 0);
    assert_ok(store_backfill_unfinished(s, S1, "b", &count, &error_));
    assert_int_equal(count, 1);
    assert_ok(store_backfill_unfinished(s, S1, "c", &count, &error_));
    assert_int_equal(count, 0);
    store_read_end(f->store, s);
}

static void knows_the_published_version(void **state)
{
    struct fixture *f = *state;
    int newest = 0, published = 0;
    add_flow(f, F1, "orders", T0);
    AUTO_JSON struct json *change = quoted("{'nodes':[{'id':'9','type':'set'}],'connections':[]}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = change, .now_ms = T0));
    READ(f, s);
    assert_ok(store_flow_version(s, F1, true, &published, &error_));
    assert_int_equal(published, 2); /* never published: the newest */
    store_read_end(f->store, s);
    assert_ok(WITH(f, do_publish, struct publish_args, .id = F1, .version = 1, .note = "tried"));
    READ(f, t);
    AUTO_JSON struct json *versions = NULL;
    assert_ok(store_flow_versions(t, F1, &versions, &error_));
    assert_null(json_get(json_at(versions, 0), "publishedAt"));
    assert_string_equal(json_get_str(json_at(versions, 1), "publishedBy"), "ana");
    assert_string_equal(json_get_str(json_at(versions, 1), "publishNote"), "tried");
    assert_string_equal(json_get_str(json_at(versions, 1), "publishedAt"), "2023-11-14T22:13:20.000Z");
    assert_ok(store_flow_version(t, F1, true, &published, &error_));
    assert_ok(store_flow_version(t, F1, false, &newest, &error_));
    assert_int_equal(published, 1);
    assert_int_equal(newest, 2);
    AUTO_JSON struct json *flow = NULL;
    assert_ok(store_flow_load(t, F1, &flow, &error_));
    assert_int_equal(json_get_int(flow, "publishedVersion", 0), 1);
    store_read_end(f->store, t);
    assert_int_equal(WITH(f, do_publish, struct publish_args, .id = F1, .version = 3), ERR_NOT_FOUND);
    assert_int_equal(WITH(f, do_publish, struct publish_args, .id = F2, .version = 0), ERR_NOT_FOUND);
    assert_ok(WITH(f, do_publish, struct publish_args, .id = F1, .version = 0));
    READ(f, u);
    assert_ok(store_flow_version(u, F1, true, &published, &error_));
    assert_int_equal(published, 2);
    store_read_end(f->store, u);
}

static int64_t stamp(struct fixture *f)
{
    int64_t stamp = 0;
    READ(f, s);
    assert_ok(store_flows_stamp(s, &stamp, &error_));
    store_read_end(f->store, s);
    return stamp;
}

static void tells_that_flows_changed(void **state)
{
    struct fixture *f = *state;
    int64_t nothing = stamp(f);
    add_flow(f, F1, "orders", T0);
    int64_t added = stamp(f);
    assert_true(added != nothing);
    assert_true(stamp(f) == added);
    AUTO_JSON struct json *change = quoted("{'nodes':[{'id':'9','type':'set'}],'connections':[]}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = change, .now_ms = T0));
    int64_t saved = stamp(f);
    assert_true(saved != added);
    AUTO_JSON struct json *archived = quoted("{'status':'inactive'}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = archived, .now_ms = T0));
    int64_t inactive = stamp(f);
    assert_true(inactive != saved);
    assert_ok(WITH(f, do_publish, struct publish_args, .id = F1, .version = 1));
    int64_t published = stamp(f);
    assert_true(published != inactive);
    assert_ok(ON(f, do_flow_delete, F1));
    assert_true(stamp(f) == nothing);
}

static enum err start(struct fixture *f, const char *id, const char *key, int64_t hash)
{
    return WITH(f, do_execution_insert, struct store_execution, .id = id, .flow_id = F1, .flow_version = 1,
                .trigger = "manual", .priority = 1, .created_ms = T0, .idempotency_key = key, .request_hash = hash,
                .options_json = "{\"untilNode\":\"1\"}");
}

static void same_key_same_request(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    assert_ok(start(f, E1, "k", -7));
    assert_int_equal(start(f, E2, "k", -7), ERR_CONFLICT);
    assert_string_equal(error_.field, E1);
    assert_int_equal(start(f, E2, "k", 8), ERR_UNPROCESSABLE);
    assert_string_equal(error_.field, "idempotencyKey");
    assert_int_equal(start(f, E2, "k", 0), ERR_CONFLICT); /* it does not say what it asks for */
    assert_ok(start(f, E2, "other", 8));
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args args = {.id = E1, .arena = &arena};
    assert_ok(write_now(f, do_reassign, &args, &error_));
    assert_string_equal(args.dispatch.options_json, "{\"untilNode\":\"1\"}");
}

const struct CMUnitTest store_contract_control[] = {
    CONTRACT_TEST(tells_each_instant_once),
    CONTRACT_TEST(releases_what_waits_for_its_schedule),
    CONTRACT_TEST(counts_backfills_apart),
    CONTRACT_TEST(knows_the_published_version),
    CONTRACT_TEST(tells_that_flows_changed),
    CONTRACT_TEST(same_key_same_request),
    {0},
};
