/* The store's contract: every verb, on every back end. A further back end is a further row of `backends`. */
#include "contract/store_contract.h"

#define F1 "11111111-0000-7000-8000-000000000001"
#define F2 "11111111-0000-7000-8000-000000000002"
#define S1 "22222222-0000-7000-8000-000000000001"
#define E1 "33333333-0000-7000-8000-000000000001"
#define E2 "33333333-0000-7000-8000-000000000002"
#define E3 "33333333-0000-7000-8000-000000000003"

static void sqlite_prepare_file(struct fixture *f)
{
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/caudal-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->url, sizeof f->url, "sqlite:%s/test.db", f->folder);
}

static void sqlite_remove_file(struct fixture *f)
{
    static const char *const names[] = {"test.db", "test.db-wal", "test.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->folder), 0);
}

static void sqlite_prepare_memory(struct fixture *f)
{
    (void)snprintf(f->url, sizeof f->url, "sqlite::memory:");
}

static void nothing(struct fixture *f)
{
    (void)f;
}

static const struct backend_under_test backends[] = {
    {"sqlite file", false, sqlite_prepare_file, sqlite_remove_file},
    {"sqlite file, manual", true, sqlite_prepare_file, sqlite_remove_file},
    {"sqlite memory", false, sqlite_prepare_memory, nothing},
    {"sqlite memory, manual", true, sqlite_prepare_memory, nothing},
};
static const struct backend_under_test *under_test;

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    under_test->prepare(f);
    assert_ok(store_open(f->url, &(struct store_options){.manual = under_test->manual}, &f->store, &error_));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    under_test->remove(f);
    free(f);
    return 0;
}

/* ---- flows */

static void keeps_flows(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    READ(f, s);
    AUTO_JSON struct json *flow = NULL;
    assert_ok(store_flow_load(s, F1, &flow, &error_));
    AUTO_JSON struct json *wanted =
        quoted("{'id':'" F1 "','name':'orders','description':null,'nodes':[{'id':'1','type':'set'},{'id':'2','type':'wait'}],"
               "'connections':[{'fromNodeId':'1','toNodeId':'2'}],'settings':null,'version':1,'status':'draft','metadata':{'a':1},"
               "'createdBy':null,'createdAt':'2023-11-14T22:13:20.000Z','updatedAt':'2023-11-14T22:13:20.000Z'}");
    AUTO_FREE char *got = json_dup_text(flow), *want = json_dup_text(wanted);
    assert_string_equal(got, want);
    char id[40];
    assert_ok(store_flow_find_by_name(s, "orders", id, &error_));
    assert_string_equal(id, F1);
    assert_int_equal(store_flow_find_by_name(s, "Orders", id, &error_), ERR_NOT_FOUND);
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
    assert_int_equal(WITH(f, do_flow_update, struct flow_args, .id = F2, .document = rename, .now_ms = T0), ERR_CONFLICT);
    assert_string_equal(error_.field, "name");
    assert_int_equal(WITH(f, do_flow_update, struct flow_args, .id = "nobody", .document = rename, .now_ms = T0), ERR_NOT_FOUND);
    AUTO_JSON struct json *broken = quoted("{'id':'y','name':'z','nodes':{},'connections':[]}");
    assert_int_equal(WITH(f, do_flow_insert, struct flow_args, .document = broken, .now_ms = T0), ERR_VALIDATION);
    assert_string_equal(error_.field, "nodes");
}

static void saves_versions(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    AUTO_JSON struct json *title = quoted("{'name':'orders 2','status':'active','description':'d'}");
    AUTO_JSON struct json *nodes = quoted("{'nodes':[{'id':'9','type':'stop'}],'connections':[],'note':'smaller','updatedBy':'ann'}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = title, .now_ms = T0 + 1));
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = nodes, .now_ms = T0 + 2));
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = nodes, .now_ms = T0 + 3)); /* nothing changed */
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
    assert_string_equal(text, "[{\"version\":2,\"createdAt\":\"2023-11-14T22:13:20.002Z\",\"createdBy\":\"ann\",\"nodeCount\":1,"
                              "\"changes\":\"smaller\"},{\"version\":1,\"createdAt\":\"2023-11-14T22:13:20.000Z\",\"createdBy\":null,"
                              "\"nodeCount\":2,\"changes\":null}]");
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
    assert_string_equal(text, "{\"id\":\"" F2 "\",\"name\":\"1000 other\",\"description\":\"All about BIRDS\",\"version\":1,"
                              "\"status\":\"active\",\"nodeCount\":2,\"createdAt\":\"2023-11-14T22:13:20.001Z\","
                              "\"updatedAt\":\"2023-11-14T22:13:20.002Z\"}");
    static const struct { const char *filter; int total; } cases[] = {
        {"{'search':'%'}", 1}, {"{'search':'_'}", 1}, {"{'search':'0% ñ'}", 1}, {"{'search':'birds'}", 1}, {"{'search':'ANDÚ'}", 1},
        {"{'search':'100'}", 2}, {"{'search':''}", 2}, {"{'search':'otherAll'}", 0}, {"{'status':'active'}", 1},
        {"{'status':'archived'}", 0}, {"{'page':9}", 2}, {"{'limit':'1'}", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (list_total(f, store_flow_list, cases[i].filter) != cases[i].total)
            fail_msg("%s", cases[i].filter);
}

static void refuses_bad_pages(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *filter, *field; list_fn list; } cases[] = {
        {"{'limit':0}", "limit", store_flow_list}, {"{'limit':101}", "limit", store_flow_list}, {"{'limit':'x'}", "limit", store_flow_list},
        {"{'page':0}", "page", store_flow_list}, {"{'page':1.5}", "page", store_flow_list}, {"{'cursor':'!'}", "cursor", store_flow_list},
        {"{'cursor':'abcd'}", "cursor", store_flow_list}, {"{'cursor':7}", "cursor", store_flow_list},
        {"{'enabled':'maybe'}", "enabled", store_schedule_list}, {"{'nextRunBefore':'soon'}", "nextRunBefore", store_schedule_list},
        {"{'status':'odd'}", "status", store_execution_list}, {"{'startTimeFrom':'x'}", "startTimeFrom", store_execution_list},
        {"{'startTimeTo':3}", "startTimeTo", store_execution_list}, {"{'status':'odd'}", "status", store_dead_letter_list},
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
    assert_string_equal(text, "{\"id\":\"" S1 "\",\"flowId\":\"" F1 "\",\"name\":\"nightly\",\"description\":null,"
                              "\"cronExpression\":\"0 3 * * *\",\"timezone\":\"UTC\",\"enabled\":true,\"maxRetries\":3,\"retryDelay\":300,"
                              "\"lastRun\":null,\"nextRun\":\"2023-11-14T23:00:00.000Z\",\"metadata\":{\"k\":1},\"createdBy\":null,"
                              "\"createdAt\":\"2023-11-14T22:13:20.000Z\",\"updatedAt\":\"2023-11-14T22:13:20.000Z\"}");
    AUTO_JSON struct json *changes = quoted("{'timezone':'Europe/Paris','nextRun':null,'lastRun':'2023-11-15T00:00:00Z'}");
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
    assert_int_equal(WITH(f, do_schedule_update, struct flow_args, .id = S1, .document = changes, .now_ms = T0), ERR_NOT_FOUND);
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
    static const struct { const char *filter; int total; } cases[] = {
        {"{'flowId':'" F1 "'}", 2}, {"{'enabled':true}", 3}, {"{'enabled':'false'}", 1}, {"{'search':'TAX'}", 1},
        {"{'search':'nightly'}", 4}, {"{'nextRunBefore':'2023-11-15T00:00:02Z'}", 2}, {"{'flowId':'nobody'}", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (list_total(f, store_schedule_list, cases[i].filter) != cases[i].total)
            fail_msg("%s", cases[i].filter);
}

static void fires_an_instant_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    struct store_execution row = {.id = E1, .flow_id = F1, .flow_version = 1, .schedule_id = S1, .schedule_instant_ms = T0,
                                  .trigger = "schedule", .priority = 1, .created_ms = T0};
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

/* ---- executions */

static void keeps_executions(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = E1, .flow_id = F1, .flow_version = 1, .trigger = "api",
                   .trigger_node = "1", .priority = 2, .input_json = "{\"n\":1}", .metadata_json = "{\"by\":\"me\"}", .created_ms = T0,
                   .retry_count = 3));
    READ(f, s);
    AUTO_JSON struct json *plain = NULL, *none = NULL;
    assert_ok(store_execution_load(s, E1, &plain, &error_));
    AUTO_FREE char *text = json_dup_text(plain);
    assert_string_equal(text, "{\"id\":\"" E1 "\",\"flowId\":\"" F1 "\",\"scheduleId\":null,\"status\":\"pending\","
                              "\"startTime\":\"2023-11-14T22:13:20.000Z\",\"endTime\":null,\"duration\":null,\"recordsProcessed\":0,"
                              "\"errorMessage\":null,\"retryCount\":3,\"errorCode\":null,\"priority\":2,\"flowVersion\":1,"
                              "\"trigger\":\"api\",\"waitingUntil\":null}");
    assert_int_equal(store_execution_load(s, E2, &none, &error_), ERR_NOT_FOUND);
    assert_int_equal(store_execution_load_detail(s, E2, &none, &error_), ERR_NOT_FOUND);
    assert_int_equal(store_execution_logs(s, E2, NULL, NULL, &none, &error_), ERR_NOT_FOUND);
    store_read_end(f->store, s);
    AUTO_JSON struct json *detail = load_execution(f, E1);
    assert_int_equal(json_get_int(json_get(detail, "input"), "n", 0), 1);
    assert_string_equal(json_get_str(json_get(detail, "metadata"), "by"), "me");
    assert_int_equal(json_get_int(detail, "epoch", 0), 1);
    assert_true(json_is(json_get(detail, "nodeExecutions"), JSON_ARRAY));
    struct store_execution again = {.id = E1, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0};
    assert_int_equal(write_now(f, do_execution_insert, &again, &error_), ERR_CONFLICT);
    assert_string_equal(error_.field, "id");
    again = (struct store_execution){.id = E2, .flow_id = "nobody", .flow_version = 1, .trigger = "api", .created_ms = T0};
    assert_int_equal(write_now(f, do_execution_insert, &again, &error_), ERR_NOT_FOUND);
    assert_string_equal(error_.field, "flowId");
}

static void keeps_an_execution_that_is_final_at_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    struct store_finish end = {.status = RUN_FAILED, .started_ms = T0 + 1, .ended_ms = T0 + 250, .records = 9, .error_id = "NODE_FAILED",
                               .error_message = "node 1: no", .document_json = "{\"nodes\":[]}", .result_json = "[1]"};
    struct store_execution row = {.id = E1, .flow_id = F1, .flow_version = 1, .trigger = "webhook", .created_ms = T0, .finish = &end};
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    AUTO_JSON struct json *detail = load_execution(f, E1);
    assert_string_equal(json_get_str(detail, "status"), "failed");
    assert_int_equal(json_get_int(detail, "duration", 0), 250);
    assert_int_equal(json_get_int(detail, "recordsProcessed", 0), 9);
    assert_string_equal(json_get_str(detail, "errorMessage"), "node 1: no");
    assert_string_equal(json_get_str(detail, "errorCode"), "NODE_FAILED");
    assert_int_equal(json_as_int(json_at(json_get(detail, "result"), 0)), 1);
    end.status = RUN_RUNNING;
    row.id = E2;
    assert_int_equal(write_now(f, do_execution_insert, &row, &error_), ERR_INTERNAL);
}

static void accepts_an_idempotency_key_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    struct store_execution row = {.id = E1, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0, .idempotency_key = "k"};
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    row.id = E2;
    assert_int_equal(write_now(f, do_execution_insert, &row, &error_), ERR_CONFLICT);
    assert_string_equal(error_.field, E1);
    row.flow_id = F2;
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    assert_int_equal(list_total(f, store_execution_list, "{}"), 2);
}

static void lists_executions(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    for (int i = 0; i < 25; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%08x-0000-7000-8000-00000000000a", i);
        add_execution(f, id, i % 5 == 0 ? F2 : F1, T0 + i / 4 * 1000); /* several at the same instant */
        if (i % 2 == 0)
            assert_true(finish(f, id, 1, i % 4 == 0 ? RUN_SUCCESS : RUN_FAILED));
    }
    static const struct { const char *filter; int total; } cases[] = {
        {"{}", 25}, {"{'flowId':'" F2 "'}", 5}, {"{'status':'success'}", 7}, {"{'status':'failed'}", 6}, {"{'status':'pending'}", 12},
        {"{'search':'0000000A-0000'}", 1}, {"{'search':'%'}", 0}, {"{'search':'" F2 "'}", 5},
        {"{'startTimeFrom':'2023-11-14T22:13:22.000Z','startTimeTo':'2023-11-14T22:13:23.000Z'}", 8},
        {"{'startTimeTo':'2023-11-14T22:13:20.000Z'}", 4}, {"{'flowId':'" F2 "','status':'success','startTimeFrom':'2023-11-14T22:13:21Z'}", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (list_total(f, store_execution_list, cases[i].filter) != cases[i].total)
            fail_msg("%s: %lld", cases[i].filter, (long long)list_total(f, store_execution_list, cases[i].filter));
    char seen[26][40] = {{0}}, cursor[200] = "";
    int count = 0;
    for (int pages = 0; pages < 9; pages++) {
        char filter[300];
        (void)snprintf(filter, sizeof filter, cursor[0] == '\0' ? "{'limit':7}" : "{'limit':7,'cursor':'%s'}", cursor);
        AUTO_JSON struct json *page = list_all(f, store_execution_list, filter);
        AUTO_JSON struct json *by_number = quoted("{'limit':7,'page':%d}", pages + 1);
        const struct json *data = json_get(page, "data"), *pagination = json_get(page, "pagination");
        assert_int_equal(json_get_int(pagination, "totalPages", 0), 4);
        AUTO_FREE char *filter_text = json_dup_text(by_number);
        AUTO_JSON struct json *other = list_all(f, store_execution_list, filter_text);
        assert_true(json_equal(data, json_get(other, "data")));
        for (size_t i = 0; i < json_count(data); i++)
            (void)snprintf(seen[count++], 40, "%s", json_get_str(json_at(data, i), "id"));
        if (json_get_str(pagination, "nextCursor") == NULL)
            break;
        (void)snprintf(cursor, sizeof cursor, "%s", json_get_str(pagination, "nextCursor"));
    }
    assert_int_equal(count, 25);
    for (int i = 1; i < count; i++)
        assert_true(strcmp(seen[i - 1], seen[i]) > 0); /* newest first, none twice */
}

/* ---- events */

static struct store_event checkpoint(const char *id, int epoch, const char *node, int attempt, enum node_state state, const char *outputs)
{
    return (struct store_event){.kind = STORE_EVENT_CHECKPOINT, .execution_id = id, .epoch = epoch, .worker_id = "w1", .at_ms = T0 + 100,
                                .checkpoint = {.node_id = node, .attempt = attempt, .state = state, .records = 2, .started_ms = T0 + 20,
                                               .ended_ms = T0 + 90},
                                .checkpoint_outputs_json = outputs};
}

static struct store_event started(const char *id, int epoch)
{
    return (struct store_event){.kind = STORE_EVENT_STARTED, .execution_id = id, .epoch = epoch, .worker_id = "w1", .at_ms = T0 + 10};
}

static struct store_event parked(const char *id, int epoch, int64_t wake_ms)
{
    return (struct store_event){.kind = STORE_EVENT_PARKED, .execution_id = id, .epoch = epoch, .wake_ms = wake_ms, .at_ms = T0 + 200};
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
    assert_true(apply(f, (struct store_event){.kind = STORE_EVENT_FINISHED, .execution_id = E1, .epoch = 1, .discard = true}));
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
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = E1, .flow_id = F1, .flow_version = 1, .trigger = "api",
                   .trigger_node = "1", .priority = 2, .input_json = "{\"n\":1}", .restore_json = "[]", .created_ms = T0));
    assert_true(apply(f, started(E1, 1)));
    struct store_event waits = checkpoint(E1, 1, "2", 1, NODE_WAITING, "{\"output\":\"\\u00e9\\\"\"}");
    waits.checkpoint.wake_ms = T0 + 9000;
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
    assert_int_equal(json_count(json_get(node, "attempts")), 2); /* … but is in the ledger */
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
    AUTO_JSON struct json *parked_one = load_execution(f, E1), *due = NULL, *unfinished = NULL, *counts = NULL, *after = NULL;
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
    assert_true(apply(f, parked(E1, 3, INT64_MAX))); /* a flow that waits for a person */
    expect_status(f, E1, "paused");
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
    struct store_event logs = {.kind = STORE_EVENT_LOGS, .execution_id = E1, .epoch = 1, .at_ms = T0,
                               .logs_json = "[{\"level\":\"info\",\"message\":\"a\",\"nodeId\":\"1\"},{\"level\":\"error\",\"message\":\"b\"}]"};
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
    AUTO_JSON struct json *lines = json_array_new();
    for (int i = 0; i < 300; i++)
        json_push(lines, quoted("{'level':'info','message':'%d'}", i));
    AUTO_FREE char *text = json_dup_text(lines);
    for (int i = 0; i < 6; i++)
        assert_true(apply(f, (struct store_event){.kind = STORE_EVENT_LOGS, .execution_id = E1, .epoch = 1, .logs_json = text}));
    READ(f, s);
    AUTO_JSON struct json *all = NULL;
    assert_ok(store_execution_logs(s, E1, NULL, NULL, &all, &error_));
    store_read_end(f->store, s);
    assert_int_equal(json_count(all), 1000);
    assert_string_equal(json_get_str(json_at(all, 0), "message"), "299");
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
    static const struct { const char *name; int all, late; } cases[] = {{"pending", 0, 0}, {"running", 1, 1}, {"paused", 1, 1},
        {"success", 2, 1}, {"failed", 1, 1}, {"cancelled", 1, 1}, {"timeout", 1, 1}, {"waiting", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(json_get_int(all, cases[i].name, -1), cases[i].all);
        assert_int_equal(json_get_int(late, cases[i].name, -1), cases[i].late);
    }
}

/* ---- retention */

static void forgets_by_age_and_number(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    for (int i = 0; i < 10; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "e%d", i);
        add_execution(f, id, i < 7 ? F1 : F2, T0 + i);
        if (i != 2)
            assert_true(finish(f, id, 1, RUN_SUCCESS)); /* ends at T0 + 1000 */
    }
    struct retention_args args = {.before_ms = T0 + 1000, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 0); /* ended at, not before */
    args = (struct retention_args){.keep = 2, .limit = 3};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 3);
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 2);
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F1 "','status':'success'}"), 2);
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F2 "'}"), 2);
    expect_status(f, "e6", "success"); /* the newest stay */
    args = (struct retention_args){.before_ms = T0 + 1001, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 4);
    expect_status(f, "e2", "pending"); /* what is not finished is never forgotten */
}

/* ---- operation */

static void keeps_documents(void **state)
{
    struct fixture *f = *state;
    static const enum store_table all_tables[] = {STORE_WORKERS, STORE_DEAD_LETTERS, STORE_USERS, STORE_API_KEYS, STORE_SETTINGS,
                                                  STORE_AUDIT, STORE_NODE_DEFINITIONS};
    for (size_t i = 0; i < sizeof all_tables / sizeof *all_tables; i++) {
        AUTO_JSON struct json *first = quoted("{'id':'a','n':1}"), *second = quoted("{'id':'a','n':2}"), *got = NULL, *list = NULL;
        assert_ok(WITH(f, do_put, struct put_args, .table = all_tables[i], .id = "a", .document = first));
        assert_ok(WITH(f, do_put, struct put_args, .table = all_tables[i], .id = "a", .document = second));
        assert_ok(WITH(f, do_put, struct put_args, .table = all_tables[i], .id = "b", .document = first));
        READ(f, s);
        assert_ok(store_get(s, all_tables[i], "a", &got, &error_));
        assert_int_equal(json_get_int(got, "n", 0), 2);
        assert_ok(store_all(s, all_tables[i], &list, &error_));
        assert_int_equal(json_count(list), 2);
        store_read_end(f->store, s);
        assert_ok(WITH(f, do_remove, struct put_args, .table = all_tables[i], .id = "a"));
        assert_int_equal(WITH(f, do_remove, struct put_args, .table = all_tables[i], .id = "a"), ERR_NOT_FOUND);
    }
    assert_int_equal(WITH(f, do_put, struct put_args, .table = STORE_USERS, .id = ""), ERR_VALIDATION);
}

static void finds_users_and_keys(void **state)
{
    struct fixture *f = *state;
    AUTO_JSON struct json *ann = quoted("{'id':'1','username':'ann'}"), *twin = quoted("{'id':'2','username':'ann'}");
    AUTO_JSON struct json *key = quoted("{'id':'k','hash':'abc'}"), *found = NULL, *found_key = NULL, *none = NULL;
    assert_ok(WITH(f, do_put, struct put_args, .table = STORE_USERS, .id = "1", .document = ann));
    assert_int_equal(WITH(f, do_put, struct put_args, .table = STORE_USERS, .id = "2", .document = twin), ERR_CONFLICT);
    assert_string_equal(error_.field, "username");
    assert_ok(WITH(f, do_put, struct put_args, .table = STORE_API_KEYS, .id = "k", .document = key));
    READ(f, s);
    assert_ok(store_find(s, STORE_USERS, "ann", &found, &error_));
    assert_string_equal(json_get_str(found, "id"), "1");
    assert_ok(store_find(s, STORE_API_KEYS, "abc", &found_key, &error_));
    assert_int_equal(store_find(s, STORE_USERS, "1", &none, &error_), ERR_NOT_FOUND);
    assert_int_equal(store_find(s, STORE_SETTINGS, "1", &none, &error_), ERR_NOT_FOUND);
    store_read_end(f->store, s);
}

static void lists_dead_letters_and_audit(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "d%d", i);
        AUTO_JSON struct json *letter = quoted("{'id':'%s','status':'%s','createdAt':'2023-11-15T00:00:0%dZ'}", id, i < 2 ? "open" : "retried", i);
        AUTO_JSON struct json *entry = quoted("{'id':'%s','action':'x','at':'2023-11-15T00:00:0%dZ'}", id, 9 - i);
        assert_ok(WITH(f, do_put, struct put_args, .table = STORE_DEAD_LETTERS, .id = id, .document = letter));
        assert_ok(WITH(f, do_put, struct put_args, .table = STORE_AUDIT, .id = id, .document = entry));
    }
    AUTO_JSON struct json *gone = quoted("{'id':'d0','status':'discarded','createdAt':'2023-11-15T00:00:00Z'}");
    assert_ok(WITH(f, do_put, struct put_args, .table = STORE_DEAD_LETTERS, .id = "d0", .document = gone));
    assert_int_equal(list_total(f, store_dead_letter_list, "{'status':'open'}"), 1);
    assert_int_equal(list_total(f, store_dead_letter_list, "{'status':'discarded'}"), 1);
    AUTO_JSON struct json *letters = list_all(f, store_dead_letter_list, "{'limit':2}"), *audit = list_all(f, store_audit_list, "{}");
    assert_string_equal(json_get_str(json_at(json_get(letters, "data"), 0), "id"), "d4");
    assert_int_equal(json_get_int(json_get(letters, "pagination"), "totalPages", 0), 3);
    assert_string_equal(json_get_str(json_at(json_get(audit, "data"), 0), "id"), "d0");
}

/* ---- transactions */

static enum err insert_two_and_fail(struct store_session *s, void *arg, struct error *reterr)
{
    const char *ids[] = {E1, E2};
    for (size_t i = 0; i < 2; i++) {
        struct store_execution row = {.id = ids[i], .flow_id = arg, .flow_version = 1, .trigger = "api", .created_ms = T0};
        enum err code = store_execution_insert(s, &row, reterr);
        if (code != ERR_OK)
            return code;
    }
    return error_set(reterr, ERR_UNPROCESSABLE, "x", "changed its mind");
}

static void undoes_a_failed_write(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    assert_int_equal(write_now(f, insert_two_and_fail, F1, &error_), ERR_UNPROCESSABLE);
    assert_string_equal(error_.message, "changed its mind");
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
}

static void refuses_writes_on_a_read_session(void **state)
{
    struct fixture *f = *state;
    READ(f, s);
    AUTO_JSON struct json *flow = quoted("{'id':'x','name':'n','nodes':[],'connections':[]}");
    assert_int_equal(store_flow_insert(s, flow, T0, &error_), ERR_INTERNAL);
    store_read_end(f->store, s);
    assert_int_equal(list_total(f, store_flow_list, "{}"), 0);
}

static void refuses_unknown_urls(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "mysql:x", "sqlite", "sqlite:"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct store *store = NULL;
        assert_int_equal(store_open(urls[i], NULL, &store, &error_), ERR_VALIDATION);
        assert_null(store);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_flows), TEST(refuses_a_taken_name), TEST(saves_versions), TEST(lists_flows), TEST(refuses_bad_pages),
        TEST(cascades_from_a_flow), TEST(keeps_schedules), TEST(finds_due_schedules), TEST(fires_an_instant_once),
        TEST(keeps_executions), TEST(keeps_an_execution_that_is_final_at_once), TEST(accepts_an_idempotency_key_once),
        TEST(lists_executions), TEST(follows_a_run), TEST(discards_when_asked), TEST(never_changes_a_final_status),
        TEST(fences_by_epoch), TEST(parks_and_wakes), TEST(pauses_and_resumes), TEST(cancels_for_good),
        TEST(deletes_only_what_is_final), TEST(keeps_logs), TEST(bounds_logs), TEST(counts_by_status),
        TEST(forgets_by_age_and_number), TEST(keeps_documents), TEST(finds_users_and_keys), TEST(lists_dead_letters_and_audit),
        TEST(undoes_a_failed_write), TEST(refuses_writes_on_a_read_session), cmocka_unit_test(refuses_unknown_urls)};
    int failed = 0;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        under_test = &backends[i];
        failed += _cmocka_run_group_tests(backends[i].name, tests, sizeof tests / sizeof *tests, NULL, NULL);
    }
    return failed;
}
