/* The store's contract: executions, their lists. */
#include "support/store_contract/fixture.h"

/* ---- executions */

static void keeps_executions(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = E1, .flow_id = F1, .flow_version = 1,
                   .trigger = "api", .trigger_node = "1", .priority = 2, .input_json = "{\"n\":1}",
                   .metadata_json = "{\"by\":\"me\"}", .created_ms = T0, .retry_count = 3));
    READ(f, s);
    AUTO_JSON struct json *plain = NULL, *none = NULL;
    assert_ok(store_execution_load(s, E1, &plain, &error_));
    AUTO_FREE char *text = json_dup_text(plain);
    assert_string_equal(
        text, "{\"id\":\"" E1 "\",\"flowId\":\"" F1 "\",\"scheduleId\":null,\"status\":\"pending\","
              "\"startTime\":\"2023-11-14T22:13:20.000Z\",\"endTime\":null,\"duration\":null,\"recordsProcessed\":0,"
              "\"errorMessage\":null,\"retryCount\":3,\"errorCode\":null,\"priority\":2,\"flowVersion\":1,"
              "\"trigger\":\"api\",\"waitingUntil\":null,\"waitingFor\":null,\"parentExecutionId\":null,"
              "\"parentNodeId\":null,\"kept\":false}");
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
    again =
        (struct store_execution){.id = E2, .flow_id = "nobody", .flow_version = 1, .trigger = "api", .created_ms = T0};
    assert_int_equal(write_now(f, do_execution_insert, &again, &error_), ERR_NOT_FOUND);
    assert_string_equal(error_.field, "flowId");
}

static void keeps_an_execution_that_is_final_at_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    struct store_finish end = {.status = RUN_FAILED,
                               .started_ms = T0 + 1,
                               .ended_ms = T0 + 250,
                               .records = 9,
                               .error_id = "NODE_FAILED",
                               .error_message = "node 1: no",
                               .document_json = "{\"nodes\":[]}",
                               .result_json = "[1]"};
    struct store_execution row = {
        .id = E1, .flow_id = F1, .flow_version = 1, .trigger = "webhook", .created_ms = T0, .finish = &end};
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

static enum err read_ended(struct store_session *s, void *arg, struct error *reterr)
{
    struct json **value = arg;
    AUTO_JSON struct json *ids = quoted("['%s','%s','%s','gone']", E1, E2, E3);
    json_unref(*value);
    *value = NULL;
    return store_executions_ended(s, ids, value, reterr);
}

/* What was told of an end and not heard is asked for: by a reader, and by a writer between its writes. */
static void tells_how_executions_ended(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    struct store_finish responded = {.status = RUN_SUCCESS,
                                     .started_ms = T0,
                                     .ended_ms = T0 + 1,
                                     .document_json = "{\"nodes\":[],\"responded\":true}",
                                     .result_json = "{\"statusCode\":201}"};
    struct store_finish failed = {.status = RUN_FAILED,
                                  .started_ms = T0,
                                  .ended_ms = T0 + 1,
                                  .error_id = "NODE_FAILED",
                                  .error_message = "node 1: no"};
    struct store_execution row = {
        .id = E1, .flow_id = F1, .flow_version = 1, .trigger = "webhook", .created_ms = T0, .finish = &responded};
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    row.id = E2;
    row.finish = &failed;
    assert_ok(write_now(f, do_execution_insert, &row, &error_));
    add_execution(f, E3, F1, T0);
    for (int write = 0; write < 2; write++) {
        AUTO_JSON struct json *ended = NULL;
        struct store_session *s = NULL;
        if (write) {
            assert_ok(write_now(f, read_ended, &ended, &error_));
        } else {
            assert_ok(store_read_begin(f->store, &s, &error_));
            assert_ok(read_ended(s, &ended, &error_));
            store_read_end(f->store, s);
        }
        assert_int_equal(json_count(ended), 3);
        for (size_t i = 0; i < 3; i++) {
            const struct json *entry = json_at(ended, i);
            const char *id = json_get_str(entry, "id"), *status = json_get_str(entry, "status");
            if (strcmp(id, E1) == 0) {
                assert_string_equal(status, "success");
                assert_true(json_get_bool(entry, "responded", false));
                assert_int_equal(json_get_int(json_get(entry, "result"), "statusCode", 0), 201);
            } else if (strcmp(id, E2) == 0) {
                assert_string_equal(status, "failed");
                assert_false(json_get_bool(entry, "responded", true));
                assert_null(json_get(entry, "result"));
                assert_string_equal(json_get_str(entry, "errorId"), "NODE_FAILED");
                assert_string_equal(json_get_str(entry, "errorMessage"), "node 1: no");
            } else {
                assert_string_equal(id, "gone");
                assert_null(status);
            }
        }
    }
}

static void accepts_an_idempotency_key_once(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    struct store_execution row = {
        .id = E1, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0, .idempotency_key = "k"};
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
    static const struct {
        const char *filter;
        int total;
    } cases[] = {{"{}", 25},
                 {"{'flowId':'" F2 "'}", 5},
                 {"{'status':'success'}", 7},
                 {"{'status':'failed'}", 6},
                 {"{'status':'pending'}", 12},
                 {"{'search':'0000000A-0000'}", 1},
                 {"{'search':'%'}", 0},
                 {"{'search':'" F2 "'}", 5},
                 {"{'startTimeFrom':'2023-11-14T22:13:22.000Z','startTimeTo':'2023-11-14T22:13:23.000Z'}", 8},
                 {"{'startTimeTo':'2023-11-14T22:13:20.000Z'}", 4},
                 {"{'flowId':'" F2 "','status':'success','startTimeFrom':'2023-11-14T22:13:21Z'}", 1}};
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

static enum err insert_thousands(struct store_session *s, void *arg, struct error *reterr)
{
    const int *range = arg;
    enum err code = ERR_OK;
    for (int i = range[0]; i < range[1] && code == ERR_OK; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%08x-0000-7000-8000-00000000000a", i);
        struct store_execution row = {
            .id = id, .flow_id = i % 2 == 0 ? F1 : F2, .flow_version = 1, .trigger = "api", .created_ms = T0 + i};
        code = store_execution_insert(s, &row, reterr);
    }
    return code;
}

/* The total of a long list may be that of a moment ago, but of the same list; its rows are those of now. */
static void long_lists_rest_their_totals(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    assert_ok(write_now(f, insert_thousands, (int[]){0, 2400}, &error_));
    assert_int_equal(list_total(f, store_execution_list, "{}"), 2400);
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F2 "'}"), 1200);
    assert_ok(write_now(f, insert_thousands, (int[]){2400, 2401}, &error_));
    AUTO_JSON struct json *page = list_all(f, store_execution_list, "{'limit':1}");
    assert_string_equal(json_get_str(json_at(json_get(page, "data"), 0), "id"), "00000960-0000-7000-8000-00000000000a");
    int64_t total = 0;
    while (total != 2401) {
        total = list_total(f, store_execution_list, "{}");
        assert_in_range(total, 2400, 2401);
    }
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F2 "'}"), 1200);
    assert_int_equal(
        list_total(f, store_execution_list, "{'flowId':'" F2 "','startTimeTo':'2023-11-14T22:13:20.009Z'}"), 5);
}

/* More different questions than a session keeps prepared, each of a session that has answered the others before. */
static void answers_more_questions_than_are_prepared(void **state)
{
    static const char *const parts[] = {",'flowId':'" F1 "'", ",'startTimeFrom':'2023-11-14T22:13:20.000Z'",
                                        ",'startTimeTo':'2033-11-14T22:13:20.000Z'", ",'search':'-7000-'",
                                        ",'status':'pending'"};
    static const int limits[] = {5, 20, 21, 50, 51, 100};
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    for (int i = 0; i < 110; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%08x-0000-7000-8000-00000000000a", i);
        add_execution(f, id, F1, T0 + i);
    }
    for (int round = 0; round < 2; round++)
        for (unsigned set = 0; set < 32; set++)
            for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
                struct buf filter = {0};
                buf_printf(&filter, "{'limit':%d", limits[k]);
                for (unsigned i = 0; i < 5; i++)
                    buf_add_str(&filter, (set >> i & 1) != 0 ? parts[i] : "");
                buf_add_char(&filter, '}');
                AUTO_JSON struct json *page = list_all(f, store_execution_list, buf_str(&filter));
                const struct json *data = json_get(page, "data");
                buf_done(&filter);
                assert_int_equal(json_get_int(json_get(page, "pagination"), "total", 0), 110);
                assert_int_equal(json_count(data), limits[k]);
                assert_string_equal(json_get_str(json_at(data, 0), "id"), "0000006d-0000-7000-8000-00000000000a");
                assert_non_null(json_get_str(json_get(page, "pagination"), "nextCursor"));
            }
}

/* A cursor names a place among the rows, so rows that come meanwhile neither hide nor repeat any. */
static void pages_by_cursor_while_rows_come(void **state)
{
    struct fixture *f = *state;
    char cursor[400] = "", id[40];
    int next = 29, newer = 1000;
    add_flow(f, F1, "orders", T0);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(id, sizeof id, "e%04d", i);
        add_execution(f, id, F1, T0 + i / 3); /* several at the same instant */
    }
    for (;;) {
        AUTO_JSON struct json *filter =
            cursor[0] == '\0' ? quoted("{'limit':4}") : quoted("{'limit':4,'cursor':'%s'}", cursor);
        AUTO_FREE char *filter_text = json_dup_text(filter);
        AUTO_JSON struct json *page = list_all(f, store_execution_list, filter_text);
        const struct json *data = json_get(page, "data");
        for (size_t i = 0; i < json_count(data); i++, next--) {
            (void)snprintf(id, sizeof id, "e%04d", next);
            assert_string_equal(json_get_str(json_at(data, i), "id"), id);
        }
        const char *after = json_get_str(json_get(page, "pagination"), "nextCursor");
        if (after == NULL)
            break;
        (void)snprintf(cursor, sizeof cursor, "%s", after);
        for (int i = 0; i < 3; i++) {
            (void)snprintf(id, sizeof id, "e%04d", newer++);
            add_execution(f, id, F1, T0 + (i == 0 ? 9 : 100)); /* at the newest row's instant, and later */
        }
    }
    assert_int_equal(next, -1);
}

static void bounds_ids(void **state)
{
    struct fixture *f = *state;
    char id[200];
    memset(id, 'x', sizeof id);
    add_flow(f, F1, "orders", T0);
    id[128] = '\0';
    struct store_execution row = {.id = id, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0};
    assert_int_equal(write_now(f, do_execution_insert, &row, &error_), ERR_VALIDATION);
    assert_string_equal(error_.field, "id");
    for (char last = 'a'; last <= 'b'; last++) { /* as long as may be: they can still be paged through */
        id[126] = last;
        id[127] = '\0';
        assert_ok(write_now(f, do_execution_insert, &row, &error_));
    }
    AUTO_JSON struct json *page = list_all(f, store_execution_list, "{'limit':1}");
    assert_string_equal(json_get_str(json_at(json_get(page, "data"), 0), "id"), id);
    AUTO_JSON struct json *filter = json_object_new(), *second = NULL;
    json_set_int(filter, "limit", 1);
    json_set_str(filter, "cursor", json_get_str(json_get(page, "pagination"), "nextCursor"));
    READ(f, s);
    assert_ok(store_execution_list(s, filter, &second, &error_));
    store_read_end(f->store, s);
    id[126] = 'a';
    assert_string_equal(json_get_str(json_at(json_get(second, "data"), 0), "id"), id);
    id[40] = '\0';
    AUTO_JSON struct json *flow = quoted("{'id':'%s','name':'n','nodes':[],'connections':[]}", id);
    assert_int_equal(WITH(f, do_flow_insert, struct flow_args, .document = flow, .now_ms = T0), ERR_VALIDATION);
    AUTO_JSON struct json *twin = quoted("{'id':'" F1 "','name':'n','nodes':[],'connections':[]}");
    assert_int_equal(WITH(f, do_flow_insert, struct flow_args, .document = twin, .now_ms = T0), ERR_CONFLICT);
    assert_string_equal(error_.field, "id");
}

const struct CMUnitTest store_contract_executions[] = {
    CONTRACT_TEST(keeps_executions),
    CONTRACT_TEST(keeps_an_execution_that_is_final_at_once),
    CONTRACT_TEST(tells_how_executions_ended),
    CONTRACT_TEST(accepts_an_idempotency_key_once),
    CONTRACT_TEST(lists_executions),
    CONTRACT_TEST(long_lists_rest_their_totals),
    CONTRACT_TEST(answers_more_questions_than_are_prepared),
    CONTRACT_TEST(pages_by_cursor_while_rows_come),
    CONTRACT_TEST(bounds_ids),
    {0},
};
