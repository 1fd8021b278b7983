/* Moving everything from SQLite to PostgreSQL: nothing is lost, an interruption is no harm, other data is not touched.
 */
#include "support/postgres.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/move.h"
#include "store/postgres/move_int.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000)

static struct test_postgres *server;
static struct error error_; /* of the last call that failed */
static char folder[64], source_url[128];

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        enum err code_ = (call);                                                                                       \
        if (code_ != ERR_OK)                                                                                           \
            fail_msg("%s: %s (%s: %s)", #call, error_id(code_), error_.field, error_.message);                         \
    } while (0)

/* ---- the source */

static struct json *parsed(const char *text)
{
    struct json *value = NULL;
    assert_ok(json_parse(text, strlen(text), &value, &error_));
    return value;
}

static enum err put_everywhere(struct store_session *s, struct error *reterr)
{
    AUTO_JSON struct json *document = parsed("{\"id\":\"d1\",\"username\":\"ana\",\"hash\":\"h\",\"name\":\"ñandú ✓\","
                                             "\"status\":\"open\",\"value\":[1,2.5,null]}");
    for (enum store_table table = STORE_WORKERS; table <= STORE_SECRETS; table++) {
        enum err code = store_put(s, table, "d1", document, T0, reterr);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err run_executions(struct store_session *s, struct error *reterr)
{
    bool applied = false;
    struct store_finish finish = {.status = RUN_SUCCESS,
                                  .started_ms = T0,
                                  .ended_ms = T0 + 9,
                                  .records = 3,
                                  .document_json = "{\"nodes\":[{\"nodeId\":\"a\",\"status\":\"success\"}]}",
                                  .result_json = "{\"sum\":7}"};
    struct store_execution open = {.id = "open",
                                   .flow_id = "f",
                                   .flow_version = 2,
                                   .schedule_id = "s",
                                   .schedule_instant_ms = T0,
                                   .trigger = "schedule",
                                   .input_json = "{\"text\":\"çedilla\"}",
                                   .metadata_json = "{\"m\":1}",
                                   .options_json = "{\"untilNode\":\"a\"}",
                                   .idempotency_key = "key-1",
                                   .request_hash = INT64_MIN,
                                   .priority = 2,
                                   .created_ms = T0};
    struct store_execution final = {
        .id = "final", .flow_id = "f", .flow_version = 1, .trigger = "api", .created_ms = T0, .finish = &finish};
    struct store_event checkpoint = {
        .kind = STORE_EVENT_CHECKPOINT,
        .execution_id = "open",
        .epoch = 1,
        .worker_id = "w",
        .at_ms = T0 + 1,
        .checkpoint = {.node_id = "a", .iteration = "5.0", .attempt = 2, .state = NODE_SUCCEEDED},
        .checkpoint_outputs_json = "{\"out\":[1]}"};
    struct store_event logs = {.kind = STORE_EVENT_LOGS,
                               .execution_id = "open",
                               .epoch = 1,
                               .at_ms = T0 + 2,
                               .logs_json = "[{\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"level\":\"info\","
                                            "\"message\":\"hello\",\"nodeId\":\"a\"}]"};
    enum err code = store_execution_insert(s, &open, reterr);
    if (code == ERR_OK)
        code = store_execution_insert(s, &final, reterr);
    if (code == ERR_OK)
        code = store_event_apply(s, &checkpoint, &applied, reterr);
    return code == ERR_OK ? store_event_apply(s, &logs, &applied, reterr) : code;
}

static enum err fill(struct store_session *s, void *arg, struct error *reterr)
{
    (void)arg;
    AUTO_JSON struct json *flow = parsed("{\"id\":\"f\",\"name\":\"orders\",\"nodes\":[],\"connections\":[]}");
    AUTO_JSON struct json *changes = parsed("{\"settings\":{\"timeout\":5},\"note\":\"slower\"}");
    AUTO_JSON struct json *schedule =
        parsed("{\"id\":\"s\",\"flowId\":\"f\",\"name\":\"nightly\",\"cronExpression\":\"0 3 * * *\","
               "\"timezone\":\"Europe/Madrid\",\"enabled\":true,\"maxRetries\":3,\"retryDelay\":60}");
    struct store_instant instant = {
        .schedule_id = "s", .instant_ms = T0, .last_ms = T0, .count = 1, .outcome = "fired", .at_ms = T0};
    enum err code = store_flow_insert(s, flow, T0, reterr);
    if (code == ERR_OK)
        code = store_flow_update(s, "f", changes, T0 + 1, reterr);
    if (code == ERR_OK)
        code = store_flow_publish(s, "f", 1, "ana", "ready", T0 + 2, reterr);
    if (code == ERR_OK)
        code = store_schedule_insert(s, schedule, T0, reterr);
    if (code == ERR_OK)
        code = store_instant_insert(s, &instant, reterr);
    if (code == ERR_OK)
        code = run_executions(s, reterr);
    return code == ERR_OK ? put_everywhere(s, reterr) : code;
}

/* Many rows of several days, null and odd values, bytes that are no text. */
static void add_many(void)
{
    static const char sql[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300) INSERT INTO executions(id,"
        " flow_id, flow_version, priority, status, epoch, retry_count, created_ms, ended_ms) SELECT"
        " substr(printf('%012x', 1700000000000 + i * 300000), 1, 8) || '-' || substr(printf('%012x', 1700000000000 + i"
        " * 300000), 9) || printf('-7000-8000-%012x', i), 'f', 1, 1, 3, 1, 0, 1700000000000 + i * 300000,"
        " 1700000000001 + i * 300000 FROM n;"
        "INSERT INTO execution_logs SELECT seq, 1, 1, x'0001ff00' FROM executions WHERE seq > 3;"
        "INSERT INTO node_executions SELECT seq, x'', NULL FROM executions WHERE seq > 3;"
        "INSERT INTO attempts SELECT seq, 'ñ' || (seq % 3), '5.' || seq, 1, 1, 'success', NULL, NULL, -5, 'it''s "
        "\"odd\"\n' FROM"
        " executions WHERE seq > 3;";
    sqlite3 *db = NULL;
    char *problem = NULL;
    assert_int_equal(sqlite3_open(source_url + strlen("sqlite:"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK)
        fail_msg("%s", problem);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct store *open_at(const char *url)
{
    struct store *store = NULL;
    assert_ok(store_open(url, NULL, &store, &error_));
    return store;
}

static int start_server(void **state)
{
    (void)state;
    server = test_postgres_start();
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_postgres_stop(server);
    return 0;
}

/* Runs a text; the first column of its first row as a number. */
static int64_t ask(const char *sql)
{
    PGconn *connection = PQconnectdb(test_postgres_url(server));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    int64_t number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    PQfinish(connection);
    return number;
}

/* A filled source and an empty target. */
static int set_up(void **state)
{
    (void)state;
    (void)ask("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    (void)snprintf(folder, sizeof folder, "/tmp/caudal-move-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(source_url, sizeof source_url, "sqlite:%s/a.db", folder);
    struct store *from = open_at(source_url);
    assert_ok(store_write(from, fill, NULL, &error_));
    store_close(from);
    add_many();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    AUTO_FREE char *command = mem_printf("rm -rf %s", folder);
    return system(command);
}

/* ---- moving */

struct attempt {
    int left; /* transactions until it is interrupted; < 0: never */
    int crash_at;
    int64_t copied, verified;
};

static bool go_on(void *user)
{
    struct attempt *attempt = user;
    if (attempt->crash_at > 0 && --attempt->crash_at == 0)
        test_postgres_crash(server);
    return attempt->left < 0 || attempt->left-- > 0;
}

static void on_copied(void *user, const char *table, int64_t rows)
{
    (void)table;
    ((struct attempt *)user)->copied += rows;
}

static void on_verified(void *user, const struct store_move_table *table)
{
    assert_int_equal(strlen(table->checksum), 64);
    ((struct attempt *)user)->verified += table->rows;
}

static enum err move_as(const char *source, struct attempt *attempt)
{
    struct store *from = open_at(source_url), *to = open_at(test_postgres_url(server));
    const struct store_move_options options = {.from = from,
                                               .to = to,
                                               .source = source,
                                               .batch_rows = 100,
                                               .go_on = go_on,
                                               .copied = on_copied,
                                               .verified = on_verified,
                                               .user = attempt};
    enum err code = store_move(&options, &error_);
    store_close(to);
    store_close(from);
    return code;
}

static enum err move_all(void)
{
    return move_as("a.db", &(struct attempt){.left = -1});
}

/* What the verbs answer of one and the other. */
static void assert_same_answers(void)
{
    struct store *stores[2] = {open_at(source_url), open_at(test_postgres_url(server))};
    struct buf texts[2];
    for (int i = 0; i < 2; i++) {
        struct json *parts[8] = {0};
        struct store_session *s = NULL;
        buf_init(&texts[i], 0);
        assert_ok(store_read_begin(stores[i], &s, &error_));
        assert_ok(store_flow_load(s, "f", &parts[0], &error_));
        assert_ok(store_flow_versions(s, "f", &parts[1], &error_));
        assert_ok(store_schedule_load(s, "s", &parts[2], &error_));
        assert_ok(store_execution_load_detail(s, "open", &parts[3], &error_));
        assert_ok(store_execution_load_detail(s, "final", &parts[4], &error_));
        assert_ok(store_execution_logs(s, "open", NULL, NULL, &parts[5], &error_));
        assert_ok(store_find(s, STORE_USERS, "ana", &parts[6], &error_));
        assert_ok(store_get(s, STORE_SECRETS, "d1", &parts[7], &error_));
        for (int k = 0; k < 8; k++) {
            json_print(parts[k], &texts[i]);
            json_unref(parts[k]);
        }
        store_read_end(stores[i], s);
        store_close(stores[i]);
    }
    assert_non_null(strstr(buf_str(&texts[0]), "çedilla"));
    assert_string_equal(buf_str(&texts[0]), buf_str(&texts[1]));
    buf_done(&texts[0]);
    buf_done(&texts[1]);
}

static enum err insert_again(struct store_session *s, void *arg, struct error *reterr)
{
    (void)arg;
    return store_execution_insert(
        s,
        &(struct store_execution){
            .id = "again", .flow_id = "f", .flow_version = 1, .trigger = "api", .idempotency_key = "key-1"},
        reterr);
}

static void moves_everything(void **state)
{
    (void)state;
    struct attempt attempt = {.left = -1};
    assert_ok(move_as("a.db", &attempt));
    assert_int_equal(attempt.copied, attempt.verified);
    assert_int_equal(ask("SELECT count(*) FROM executions"), 1302);
    assert_int_equal(ask("SELECT count(*) FROM attempts"), 1300);
    assert_int_equal(ask("SELECT count(*) FROM executions_default"), 2); /* the others stand in their days */
    assert_same_answers();
    struct store *to = open_at(test_postgres_url(server));
    assert_int_equal(store_write(to, insert_again, NULL, &error_), ERR_CONFLICT); /* its keys hold */
    assert_string_equal(error_.field, "open");
    store_close(to);
}

/* ---- interruptions */

static void goes_on_where_it_was_interrupted(void **state)
{
    (void)state;
    int interrupted = 0;
    struct attempt attempt = {0};
    enum err code;
    do {
        int64_t before = attempt.copied;
        attempt.left = 5 + interrupted * 9;
        code = move_as("a.db", &attempt);
        assert_true(attempt.copied >= before);
    } while (code == ERR_CANCELLED && ++interrupted < 100);
    assert_ok(code);
    assert_true(interrupted >= 3);
    assert_same_answers();
}

static void survives_a_crash_of_the_server(void **state)
{
    (void)state;
    struct attempt attempt = {.left = -1, .crash_at = 20};
    enum err code = move_as("a.db", &attempt);
    if (code != ERR_OK) /* as the connection that was reading was lost too */
        assert_ok(move_all());
    assert_same_answers();
}

static void compares_only_once_it_is_done(void **state)
{
    (void)state;
    assert_ok(move_all());
    struct attempt attempt = {.left = 0};
    assert_ok(move_as("a.db", &attempt));
    assert_int_equal(attempt.copied, 0);
    assert_true(attempt.verified > 5000);
    (void)ask("UPDATE settings SET document = '{}'");
    assert_int_equal(move_all(), ERR_CONFLICT);
    assert_string_equal(error_.field, "settings");
    (void)ask("DELETE FROM attempts WHERE execution = (SELECT max(execution) FROM attempts)");
    assert_int_equal(move_all(), ERR_CONFLICT);
    assert_string_equal(error_.field, "attempts");
    assert_int_equal(ask("SELECT count(*) FROM attempts"), 1299); /* nothing is written any more */
}

/* ---- refusals */

static void refuses_a_target_with_other_data(void **state)
{
    (void)state;
    struct store *to = open_at(test_postgres_url(server));
    store_close(to);
    (void)ask("INSERT INTO settings(id, at_ms, document) VALUES('x', 1, '{}')");
    assert_int_equal(move_all(), ERR_CONFLICT);
    assert_non_null(strstr(error_.message, "settings"));
    assert_int_equal(ask("SELECT count(*) FROM flows"), 0);
}

static void refuses_another_source(void **state)
{
    (void)state;
    struct attempt attempt = {.left = 3};
    assert_int_equal(move_as("a.db", &attempt), ERR_CANCELLED);
    attempt.left = -1;
    assert_int_equal(move_as("b.db", &attempt), ERR_CONFLICT);
    assert_ok(move_as("a.db", &attempt));
}

static void finds_what_was_changed_meanwhile(void **state)
{
    (void)state;
    struct attempt attempt = {.left = 30};
    assert_int_equal(move_as("a.db", &attempt), ERR_CANCELLED);
    (void)ask("UPDATE flows SET description = 'other'");
    assert_int_equal(move_all(), ERR_CONFLICT);
    assert_string_equal(error_.field, "flows");
}

static void moves_from_sqlite_to_postgresql_only(void **state)
{
    (void)state;
    struct store *store = open_at("sqlite::memory:");
    const struct store_move_options options = {.from = store, .to = store, .source = "x"};
    assert_int_equal(store_move(&options, &error_), ERR_VALIDATION);
    store_close(store);
}

/* ---- the schema */

/* Each column of PostgreSQL's schema is in the list, so that none is forgotten when one is added. */
static void knows_every_column(void **state)
{
    (void)state;
    struct store *to = open_at(test_postgres_url(server));
    int64_t version = 0;
    assert_ok(store_schema_version(to, &version, &error_));
    assert_true(version >= 2);
    store_close(to);
    PGconn *connection = PQconnectdb(test_postgres_url(server));
    PGresult *all =
        PQexec(connection, "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE"
                           " c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT"
                           " c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND c.relname NOT IN"
                           " ('schema_version', 'execution_days', 'moved_from')");
    assert_int_equal(PQresultStatus(all), PGRES_TUPLES_OK);
    assert_true(PQntuples(all) > 100);
    for (int i = 0; i < PQntuples(all); i++) {
        const struct move_table *table = move_tables;
        while (table->name != NULL && strcmp(table->name, PQgetvalue(all, i, 0)) != 0)
            table++;
        AUTO_FREE char *list = mem_printf(", %s,", table->name == NULL ? "" : table->columns);
        AUTO_FREE char *column = mem_printf(", %s,", PQgetvalue(all, i, 1));
        if (strstr(list, column) == NULL)
            fail_msg("move_tables.c lacks %s.%s", PQgetvalue(all, i, 0), PQgetvalue(all, i, 1));
    }
    PQclear(all);
    PQfinish(connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(moves_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_on_where_it_was_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_a_crash_of_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compares_only_once_it_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_target_with_other_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_another_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_what_was_changed_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moves_from_sqlite_to_postgresql_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(knows_every_column, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
