/* The store's contract: retention and the documents of operation. */
#include "support/store_contract/fixture.h"

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

static void add_ended(struct fixture *f, const char *id, const char *flow_id, int n, enum run_status status)
{
    struct store_finish end = {.status = status, .started_ms = T0 + n, .ended_ms = T0 + n};
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = id, .flow_id = flow_id, .flow_version = 1,
                   .trigger = "manual", .created_ms = T0 + n, .finish = &end));
}

struct keep_args {
    const char *id;
    bool keep;
};
VERB(do_keep, struct keep_args, store_execution_keep(s, a->id, a->keep, reterr))

static void keeps_failures_longer_and_what_is_kept(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_ended(f, "good", F1, 1, RUN_SUCCESS);
    add_ended(f, "bad", F1, 2, RUN_FAILED);
    add_ended(f, "late", F1, 3, RUN_TIMEOUT);
    add_ended(f, "kept", F1, 4, RUN_SUCCESS);
    add_ended(f, "stopped", F1, 5, RUN_CANCELLED);
    assert_ok(WITH(f, do_keep, struct keep_args, .id = "kept", .keep = true));
    AUTO_JSON struct json *kept = load_execution(f, "kept");
    assert_true(json_get_bool(kept, "kept", false));
    assert_int_equal(WITH(f, do_keep, struct keep_args, .id = "nobody", .keep = true), ERR_NOT_FOUND);
    struct retention_args args = {.before_ms = T0 + 100, .failed = T0 + 3, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    AUTO_JSON struct json *left = list_all(f, store_execution_list, "{}");
    AUTO_BUF struct buf ids = {0};
    for (size_t i = 0; i < json_count(json_get(left, "data")); i++)
        buf_printf(&ids, "%s ", json_get_str(json_at(json_get(left, "data"), i), "id"));
    assert_string_equal(buf_str(&ids), "kept late ");
    add_ended(f, "new", F1, 6, RUN_SUCCESS);
    args = (struct retention_args){.keep = 1, .before_ms = T0 + 1, .failed = T0, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 0); /* neither what failed nor what is kept takes the place of another one */
    assert_ok(WITH(f, do_keep, struct keep_args, .id = "kept"));
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 1);
    expect_status(f, "new", "success");
}

static void lets_flows_decide_for_themselves(void **state)
{
    struct fixture *f = *state;
    AUTO_JSON struct json *own = quoted("{'id':'" F1 "','name':'own','nodes':[],'connections':[],'settings':"
                                        "{'retention':{'days':2,'failedDays':0,'count':2}}}");
    assert_ok(WITH(f, do_flow_insert, struct flow_args, .document = own, .now_ms = T0));
    add_flow(f, F2, "others", T0);
    for (int i = 0; i < 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "a%d", i);
        add_ended(f, id, F1, i, RUN_SUCCESS);
        (void)snprintf(id, sizeof id, "b%d", i);
        add_ended(f, id, F2, i, RUN_SUCCESS);
    }
    add_ended(f, "bad", F1, 0, RUN_FAILED);
    struct retention_args args = {.now_ms = T0 + 1, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(args.deleted, 2); /* its own count; the others are all kept */
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F2 "'}"), 4);
    args = (struct retention_args){.now_ms = T0 + INT64_C(2) * 86400000 + 1000, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F1 "'}"), 1);
    expect_status(f, "bad", "failed"); /* for ever */
    args = (struct retention_args){.now_ms = T0 + 1000, .before_ms = T0 + INT64_C(3) * 86400000, .limit = 100};
    assert_ok(write_now(f, do_retention, &args, &error_));
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F2 "'}"), 0);
    assert_int_equal(list_total(f, store_execution_list, "{'flowId':'" F1 "'}"), 1);
}

/* ---- operation */

static void keeps_documents(void **state)
{
    struct fixture *f = *state;
    static const enum store_table all_tables[] = {
        STORE_WORKERS, STORE_DEAD_LETTERS,     STORE_USERS,     STORE_API_KEYS,  STORE_SETTINGS,
        STORE_AUDIT,   STORE_NODE_DEFINITIONS, STORE_BACKFILLS, STORE_VARIABLES, STORE_SECRETS};
    for (size_t i = 0; i < sizeof all_tables / sizeof *all_tables; i++) {
        AUTO_JSON struct json *first = quoted("{'id':'a','n':1}"), *second = quoted("{'id':'a','n':2}"), *got = NULL,
                              *list = NULL;
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
        AUTO_JSON struct json *letter =
            quoted("{'id':'%s','status':'%s','createdAt':'2023-11-15T00:00:0%dZ'}", id, i < 2 ? "open" : "retried", i);
        AUTO_JSON struct json *entry = quoted("{'id':'%s','action':'x','at':'2023-11-15T00:00:0%dZ'}", id, 9 - i);
        assert_ok(WITH(f, do_put, struct put_args, .table = STORE_DEAD_LETTERS, .id = id, .document = letter));
        assert_ok(WITH(f, do_put, struct put_args, .table = STORE_AUDIT, .id = id, .document = entry));
    }
    AUTO_JSON struct json *gone = quoted("{'id':'d0','status':'discarded','createdAt':'2023-11-15T00:00:00Z'}");
    assert_ok(WITH(f, do_put, struct put_args, .table = STORE_DEAD_LETTERS, .id = "d0", .document = gone));
    assert_int_equal(list_total(f, store_dead_letter_list, "{'status':'open'}"), 1);
    assert_int_equal(list_total(f, store_dead_letter_list, "{'status':'discarded'}"), 1);
    AUTO_JSON struct json *letters = list_all(f, store_dead_letter_list, "{'limit':2}"),
                          *audit = list_all(f, store_audit_list, "{}");
    assert_string_equal(json_get_str(json_at(json_get(letters, "data"), 0), "id"), "d4");
    assert_int_equal(json_get_int(json_get(letters, "pagination"), "totalPages", 0), 3);
    assert_string_equal(json_get_str(json_at(json_get(audit, "data"), 0), "id"), "d0");
}

/* ---- scopes */

static void put_scoped(struct fixture *f, enum store_table table, const char *id)
{
    AUTO_JSON struct json *document = quoted("{'id':'%s'}", id);
    assert_ok(WITH(f, do_put, struct put_args, .table = table, .id = id, .document = document));
}

static void expect_scope(struct fixture *f, enum store_table table, const char *scope, const char *after, size_t limit,
                         const char *expected)
{
    AUTO_JSON struct json *list = NULL;
    AUTO_BUF struct buf ids = {0};
    READ(f, s);
    assert_ok(store_scope_list(s, table, scope, after, limit, &list, &error_));
    store_read_end(f->store, s);
    for (size_t i = 0; i < json_count(list); i++)
        buf_printf(&ids, "%s%s", i == 0 ? "" : " ", json_get_str(json_at(list, i), "id"));
    assert_string_equal(ids.len == 0 ? "" : buf_str(&ids), expected);
}

/* Names of one scope, whatever names beside it begin with; capitals stand before small letters. */
static void lists_a_scope_by_id(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = {"global/b",  "global/B", "global/a_1", "global",
                                      "global0/x", "glob/x",   "zz/\xc3\xa9"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        put_scoped(f, STORE_VARIABLES, ids[i]);
    expect_scope(f, STORE_VARIABLES, "global", NULL, 100, "global/B global/a_1 global/b");
    expect_scope(f, STORE_VARIABLES, "global", NULL, 2, "global/B global/a_1");
    expect_scope(f, STORE_VARIABLES, "global", "global/a_1", 2, "global/b");
    expect_scope(f, STORE_VARIABLES, "global", "a", 1, "global/B");
    expect_scope(f, STORE_VARIABLES, "none", NULL, 2, "");
    expect_scope(f, STORE_SECRETS, "global", NULL, 100, "");
    expect_scope(f, STORE_VARIABLES, NULL, "global/b", 100, "global0/x zz/\xc3\xa9");
    expect_scope(f, STORE_VARIABLES, NULL, NULL, 2, "glob/x global");
}

static void forgets_a_flows_scope_with_it(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    add_flow(f, F2, "bills", T0);
    for (enum store_table table = STORE_VARIABLES; table <= STORE_SECRETS; table++) {
        put_scoped(f, table, F1 "/A");
        put_scoped(f, table, F2 "/A");
        put_scoped(f, table, "global/A");
    }
    assert_ok(WITH(f, do_flow_delete, struct flow_args, .id = F1));
    for (enum store_table table = STORE_VARIABLES; table <= STORE_SECRETS; table++)
        expect_scope(f, table, NULL, NULL, 100, F2 "/A global/A");
}

const struct CMUnitTest store_contract_operation[] = {
    CONTRACT_TEST(keeps_failures_longer_and_what_is_kept),
    CONTRACT_TEST(lets_flows_decide_for_themselves),
    CONTRACT_TEST(forgets_by_age_and_number),
    CONTRACT_TEST(keeps_documents),
    CONTRACT_TEST(finds_users_and_keys),
    CONTRACT_TEST(lists_dead_letters_and_audit),
    CONTRACT_TEST(lists_a_scope_by_id),
    CONTRACT_TEST(forgets_a_flows_scope_with_it),
    {0},
};
