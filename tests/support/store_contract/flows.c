/* The store's contract: flows, schedules, pages. */
#include "support/store_contract/fixture.h"

/* ---- flows */

static void keeps_flows(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    READ(f, s);
    AUTO_JSON struct json *flow = NULL;
    assert_ok(store_flow_load(s, F1, &flow, &error_));
    AUTO_JSON struct json *wanted = quoted(
        "{'id':'" F1 "','name':'orders','description':null,'nodes':[{'id':'1','type':'set'},{'id':'2','type':'wait'}],"
        "'connections':[{'fromNodeId':'1','toNodeId':'2'}],'settings':null,'version':1,'status':'draft','metadata':{'a'"
        ":1},"
        "'createdBy':null,'createdAt':'2023-11-14T22:13:20.000Z','updatedAt':'2023-11-14T22:13:20.000Z','"
        "publishedVersion':null}");
    AUTO_FREE char *got = json_dup_text(flow), *want = json_dup_text(wanted);
    assert_string_equal(got, want);
    char id[40];
    assert_ok(store_flow_find_by_name(s, "orders", id, &error_));
    assert_string_equal(id, F1);
    assert_int_equal(store_flow_find_by_name(s, "Orders", id, &error_), ERR_NOT_FOUND);
    int version = 0;
    assert_ok(store_flow_version(s, F1, false, &version, &error_));
    assert_int_equal(version, 1);
    assert_int_equal(store_flow_version(s, F2, false, &version, &error_), ERR_NOT_FOUND);
    assert_int_equal(version, 1);
    AUTO_JSON struct json *none = NULL;
    assert_int_equal(store_flow_load(s, F2, &none, &error_), ERR_NOT_FOUND);
    assert_null(none);
    store_read_end(f->store, s);
}

static void refuses_a_taken_name(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    AUTO_JSON struct json *twin = quoted("{'id':'x','name':'orders','nodes':[],'connections':[]}");
    assert_int_equal(WITH(f, do_flow_insert, struct flow_args, .document = twin, .now_ms = T0), ERR_CONFLICT);
    assert_string_equal(error_.field, "name");
    AUTO_JSON struct json *rename = quoted("{'name':'orders'}");
    assert_int_equal(WITH(f, do_flow_update, struct flow_args, .id = F2, .document = rename, .now_ms = T0),
                     ERR_CONFLICT);
    assert_string_equal(error_.field, "name");
    assert_int_equal(WITH(f, do_flow_update, struct flow_args, .id = "nobody", .document = rename, .now_ms = T0),
                     ERR_NOT_FOUND);
    AUTO_JSON struct json *broken = quoted("{'id':'y','name':'z','nodes':{},'connections':[]}");
    assert_int_equal(WITH(f, do_flow_insert, struct flow_args, .document = broken, .now_ms = T0), ERR_VALIDATION);
    assert_string_equal(error_.field, "nodes");
}

static void saves_versions(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    AUTO_JSON struct json *title = quoted("{'name':'orders 2','status':'active','description':'d'}");
    AUTO_JSON struct json *nodes =
        quoted("{'nodes':[{'id':'9','type':'stop'}],'connections':[],'note':'smaller','updatedBy':'ann'}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = title, .now_ms = T0 + 1));
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = nodes, .now_ms = T0 + 2));
    assert_ok(
        WITH(f, do_flow_update, struct flow_args, .id = F1, .document = nodes, .now_ms = T0 + 3)); /* nothing changed */
    READ(f, s);
    AUTO_JSON struct json *flow = NULL, *first = NULL, *versions = NULL;
    assert_ok(store_flow_load(s, F1, &flow, &error_));
    assert_int_equal(json_get_int(flow, "version", 0), 2);
    assert_string_equal(json_get_str(flow, "name"), "orders 2");
    assert_string_equal(json_get_str(flow, "status"), "active");
    assert_int_equal(json_get_int(json_get(flow, "metadata"), "a", 0), 1);
    assert_ok(store_flow_load_version(s, F1, 1, &first, &error_));
    assert_int_equal(json_count(json_get(first, "nodes")), 2);
    assert_int_equal(store_flow_load_version(s, F1, 3, &first, &error_), ERR_NOT_FOUND);
    assert_ok(store_flow_versions(s, F1, &versions, &error_));
    AUTO_FREE char *text = json_dup_text(versions);
    assert_string_equal(
        text, "[{\"version\":2,\"createdAt\":\"2023-11-14T22:13:20.002Z\",\"createdBy\":\"ann\",\"nodeCount\":1,"
              "\"changes\":\"smaller\",\"publishedAt\":null,\"publishedBy\":null,\"publishNote\":null},{\"version\":1,"
              "\"createdAt\":\"2023-11-14T22:13:20.000Z\",\"createdBy\":null,"
              "\"nodeCount\":2,\"changes\":null,\"publishedAt\":null,\"publishedBy\":null,\"publishNote\":null}]");
    AUTO_JSON struct json *none = NULL;
    assert_int_equal(store_flow_versions(s, F2, &none, &error_), ERR_NOT_FOUND);
    store_read_end(f->store, s);
}

static void lists_flows(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "100% Ñandú_x", T0);
    add_flow(f, F2, "1000 other", T0 + 1);
    AUTO_JSON struct json *about = quoted("{'description':'All about BIRDS','status':'active'}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F2, .document = about, .now_ms = T0 + 2));
    AUTO_JSON struct json *page = list_all(f, store_flow_list, "{}");
    const struct json *row = json_at(json_get(page, "data"), 0);
    AUTO_FREE char *text = json_dup_text(row);
    assert_string_equal(text,
                        "{\"id\":\"" F2 "\",\"name\":\"1000 other\",\"description\":\"All about BIRDS\",\"version\":1,"
                        "\"status\":\"active\",\"nodeCount\":2,\"createdAt\":\"2023-11-14T22:13:20.001Z\","
                        "\"updatedAt\":\"2023-11-14T22:13:20.002Z\"}");
    static const struct {
        const char *filter;
        int total;
    } cases[] = {{"{'search':'%'}", 1},      {"{'search':'_'}", 1},
                 {"{'search':'0% ñ'}", 1},   {"{'search':'birds'}", 1},
                 {"{'search':'ANDÚ'}", 1},   {"{'search':'100'}", 2},
                 {"{'search':''}", 2},       {"{'search':'otherAll'}", 0},
                 {"{'status':'active'}", 1}, {"{'status':'archived'}", 0},
                 {"{'page':9}", 2},          {"{'limit':'1'}", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (list_total(f, store_flow_list, cases[i].filter) != cases[i].total)
            fail_msg("%s", cases[i].filter);
}

static void refuses_bad_pages(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *filter, *field;
        list_fn list;
    } cases[] = {{"{'limit':0}", "limit", store_flow_list},
                 {"{'limit':101}", "limit", store_flow_list},
                 {"{'limit':'x'}", "limit", store_flow_list},
                 {"{'page':0}", "page", store_flow_list},
                 {"{'page':1.5}", "page", store_flow_list},
                 {"{'cursor':'!'}", "cursor", store_flow_list},
                 {"{'cursor':'abcd'}", "cursor", store_flow_list},
                 {"{'cursor':7}", "cursor", store_flow_list},
                 {"{'enabled':'maybe'}", "enabled", store_schedule_list},
                 {"{'nextRunBefore':'soon'}", "nextRunBefore", store_schedule_list},
                 {"{'status':'odd'}", "status", store_execution_list},
                 {"{'startTimeFrom':'x'}", "startTimeFrom", store_execution_list},
                 {"{'startTimeTo':3}", "startTimeTo", store_execution_list},
                 {"{'status':'odd'}", "status", store_dead_letter_list},
                 {"{'limit':1000}", "limit", store_audit_list}};
    READ(f, s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *filter = quoted("%s", cases[i].filter), *page = NULL;
        assert_int_equal(cases[i].list(s, filter, &page, &error_), ERR_VALIDATION);
        assert_string_equal(error_.field, cases[i].field);
    }
    store_read_end(f->store, s);
}

static void cascades_from_a_flow(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    add_execution(f, E1, F1, T0);
    assert_int_equal(ON(f, do_flow_delete, F1), ERR_CONFLICT);
    assert_non_null(strstr(error_.message, "active schedules"));
    AUTO_JSON struct json *off = quoted("{'enabled':false}");
    assert_ok(WITH(f, do_schedule_update, struct flow_args, .id = S1, .document = off, .now_ms = T0));
    assert_int_equal(ON(f, do_flow_delete, F1), ERR_CONFLICT);
    assert_non_null(strstr(error_.message, "not finished"));
    assert_ok(ON(f, do_pause, E1)); /* parked ones count as well */
    assert_int_equal(ON(f, do_flow_delete, F1), ERR_CONFLICT);
    assert_ok(ON(f, do_cancel, E1));
    assert_ok(ON(f, do_flow_delete, F1));
    assert_int_equal(ON(f, do_flow_delete, F1), ERR_NOT_FOUND);
    assert_int_equal(list_total(f, store_schedule_list, "{}"), 0);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
}

/* ---- schedules */

static void keeps_schedules(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, ",'nextRun':'2023-11-14T23:00:00.000Z','metadata':{'k':1}");
    READ(f, s);
    AUTO_JSON struct json *schedule = NULL;
    assert_ok(store_schedule_load(s, S1, &schedule, &error_));
    store_read_end(f->store, s);
    AUTO_FREE char *text = json_dup_text(schedule);
    assert_string_equal(
        text,
        "{\"id\":\"" S1 "\",\"flowId\":\"" F1 "\",\"name\":\"nightly\",\"description\":null,"
        "\"cronExpression\":\"0 3 * * *\",\"timezone\":\"UTC\",\"enabled\":true,\"maxRetries\":3,\"retryDelay\":300,"
        "\"lastRun\":null,\"nextRun\":\"2023-11-14T23:00:00.000Z\",\"metadata\":{\"k\":1},\"createdBy\":null,"
        "\"createdAt\":\"2023-11-14T22:13:20.000Z\",\"updatedAt\":\"2023-11-14T22:13:20.000Z\",\"overlap\":\"allow\","
        "\"catchUp\":\"last\",\"catchUpWindow\":null}");
    AUTO_JSON struct json *changes =
        quoted("{'timezone':'Europe/Paris','nextRun':null,'lastRun':'2023-11-15T00:00:00Z'}");
    assert_ok(WITH(f, do_schedule_update, struct flow_args, .id = S1, .document = changes, .now_ms = T0 + 1));
    AUTO_JSON struct json *after = list_all(f, store_schedule_list, "{}");
    const struct json *row = json_at(json_get(after, "data"), 0);
    assert_string_equal(json_get_str(row, "timezone"), "Europe/Paris");
    assert_string_equal(json_get_str(row, "lastRun"), "2023-11-15T00:00:00.000Z");
    assert_null(json_get(row, "nextRun"));
    assert_int_equal(json_get_int(row, "maxRetries", 0), 3);
    AUTO_JSON struct json *orphan = quoted("{'id':'x','flowId':'nobody','name':'n','cronExpression':'* * * * *'}");
    assert_int_equal(WITH(f, do_schedule_insert, struct flow_args, .document = orphan, .now_ms = T0), ERR_NOT_FOUND);
    assert_string_equal(error_.field, "flowId");
    assert_ok(ON(f, do_schedule_delete, S1));
    assert_int_equal(ON(f, do_schedule_delete, S1), ERR_NOT_FOUND);
    assert_int_equal(WITH(f, do_schedule_update, struct flow_args, .id = S1, .document = changes, .now_ms = T0),
                     ERR_NOT_FOUND);
}

static void finds_due_schedules(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    add_schedule(f, "a", F1, ",'nextRun':'2023-11-15T00:00:02Z'");
    add_schedule(f, "b", F1, ",'nextRun':'2023-11-15T00:00:01Z','description':'Tax'");
    add_schedule(f, "c", F2, ",'nextRun':'2023-11-15T00:00:00Z','enabled':false");
    add_schedule(f, "d", F2, "");
    int64_t now_ms = 0;
    assert_int_equal(clock_parse_iso("2023-11-15T00:00:02Z", &now_ms), 0);
    READ(f, s);
    AUTO_JSON struct json *due = NULL, *one = NULL, *none = NULL;
    assert_ok(store_schedules_due(s, now_ms, 10, &due, &error_));
    assert_int_equal(json_count(due), 2);
    assert_string_equal(json_get_str(json_at(due, 0), "id"), "b");
    assert_ok(store_schedules_due(s, now_ms, 1, &one, &error_));
    assert_int_equal(json_count(one), 1);
    assert_ok(store_schedules_due(s, now_ms - 2000, 10, &none, &error_));
    assert_int_equal(json_count(none), 0);
    store_read_end(f->store, s);
    static const struct {
        const char *filter;
        int total;
    } cases[] = {{"{'flowId':'" F1 "'}", 2},  {"{'enabled':true}", 3},
                 {"{'enabled':'false'}", 1},  {"{'search':'TAX'}", 1},
                 {"{'search':'nightly'}", 4}, {"{'nextRunBefore':'2023-11-15T00:00:02Z'}", 2},
                 {"{'flowId':'nobody'}", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (list_total(f, store_schedule_list, cases[i].filter) != cases[i].total)
            fail_msg("%s", cases[i].filter);
}

static void fires_an_instant_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    struct store_execution row = {.id = E1,
                                  .flow_id = F1,
                                  .flow_version = 1,
                                  .schedule_id = S1,
                                  .schedule_instant_ms = T0,
                                  .trigger = "schedule",
                                  .priority = 1,
                                  .created_ms = T0};
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    row.id = E2;
    assert_int_equal(write_now(f, do_execution_insert, &row, &error_), ERR_CONFLICT);
    row.schedule_instant_ms = T0 + 60000;
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    row.id = E3;
    row.schedule_instant_ms = 0; /* a person ran the schedule: no instant, no limit */
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    row.id = "another";
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    assert_int_equal(list_total(f, store_execution_list, "{'scheduleId':'" S1 "'}"), 4);
    assert_ok(ON(f, do_schedule_delete, S1));
    AUTO_JSON struct json *execution = load_execution(f, E1);
    assert_true(json_has(execution, "scheduleId") && json_get(execution, "scheduleId") == NULL);
    row.id = "later";
    assert_int_equal(write_now(f, do_execution_insert, &row, &error_), ERR_NOT_FOUND);
    assert_string_equal(error_.field, "scheduleId");
}

const struct CMUnitTest store_contract_flows[] = {
    CONTRACT_TEST(keeps_flows),           CONTRACT_TEST(refuses_a_taken_name),
    CONTRACT_TEST(saves_versions),        CONTRACT_TEST(lists_flows),
    CONTRACT_TEST(refuses_bad_pages),     CONTRACT_TEST(cascades_from_a_flow),
    CONTRACT_TEST(keeps_schedules),       CONTRACT_TEST(finds_due_schedules),
    CONTRACT_TEST(fires_an_instant_once), {0},
};
