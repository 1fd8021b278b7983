/* What is PostgreSQL's own behind the store's contract: several services at once, lost connections and crashes, reading
 * only, partitions, indices. */
#include "support/postgres.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

static struct test_postgres *server;
static struct error error_; /* of the last call that failed; one thread */

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        enum err code_ = (call);                                                                                       \
        if (code_ != ERR_OK)                                                                                           \
            fail_msg("%s: %s (%s)", #call, error_id(code_), error_.message);                                           \
    } while (0)

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

/* An empty database before each test. */
static int set_up(void **state)
{
    (void)state;
    (void)ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caudal'");
    (void)ask("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return 0;
}

static struct store *open_store(void)
{
    struct store *store = NULL;
    assert_ok(store_open(test_postgres_url(server), NULL, &store, &error_));
    return store;
}

static enum err insert_flow(struct store_session *s, void *arg, struct error *reterr)
{
    static const char text[] = "{\"id\":\"f\",\"name\":\"orders\",\"nodes\":[],\"connections\":[]}";
    AUTO_JSON struct json *flow = NULL;
    (void)arg;
    enum err code = json_parse(text, strlen(text), &flow, reterr);
    return code == ERR_OK ? store_flow_insert(s, flow, T0, reterr) : code;
}

struct insertion {
    char id[ID_TEXT_BYTES];
    const char *key;
    int64_t created_ms;
};

static enum err insert_execution(struct store_session *s, void *arg, struct error *reterr)
{
    const struct insertion *i = arg;
    return store_execution_insert(s,
                                  &(struct store_execution){.id = i->id,
                                                            .flow_id = "f",
                                                            .flow_version = 1,
                                                            .trigger = "api",
                                                            .idempotency_key = i->key,
                                                            .priority = 1,
                                                            .created_ms = i->created_ms},
                                  reterr);
}

static enum err finish_execution(struct store_session *s, void *arg, struct error *reterr)
{
    bool applied = false;
    const struct insertion *i = arg;
    struct store_finish finish = {
        .status = RUN_SUCCESS, .started_ms = i->created_ms, .ended_ms = i->created_ms + 1, .document_json = "{}"};
    struct store_event event = {.kind = STORE_EVENT_FINISHED, .execution_id = i->id, .epoch = 1, .finish = &finish};
    return store_event_apply(s, &event, &applied, reterr);
}

/* ---- several services */

static void *start_service(void *arg)
{
    struct error *error = arg;
    struct store *store = NULL;
    error->code = store_open(test_postgres_url(server), NULL, &store, error);
    store_close(store);
    return NULL;
}

static void lets_several_start_at_once(void **state)
{
    (void)state;
    enum { SERVICES = 6 };
    struct error errors[SERVICES] = {0};
    pthread_t threads[SERVICES];
    for (int i = 0; i < SERVICES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_service, &errors[i]), 0);
    for (int i = 0; i < SERVICES; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (errors[i].code != ERR_OK)
            fail_msg("%s", errors[i].message);
    }
    assert_int_equal(ask("SELECT count(*) - max(version) FROM schema_version"), 0);
}

enum { SERVICES = 3, ROUNDS = 40 };

struct service {
    struct store *store;
    int number, keys, epochs, cancelled, problems;
    const char *shared; /* an execution that all want */
    pthread_t thread;
};

static enum err count_up(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *old = NULL;
    (void)arg;
    enum err code = store_get(s, STORE_SETTINGS, "count", &old, reterr);
    if (code != ERR_OK)
        return code;
    json_set_int(old, "value", json_get_int(old, "value", 0) + 1);
    return store_put(s, STORE_SETTINGS, "count", old, T0, reterr);
}

static enum err begin_count(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *zero = json_object_new();
    (void)arg;
    json_set_int(zero, "value", 0);
    return store_put(s, STORE_SETTINGS, "count", zero, T0, reterr);
}

struct reassignment {
    const char *id;
    int epoch;
};

static enum err reassign(struct store_session *s, void *arg, struct error *reterr)
{
    const struct reassignment *r = arg;
    struct store_dispatch dispatch;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    return store_execution_reassign(s, r->id, r->epoch, &arena, &dispatch, reterr);
}

static void *serve(void *arg)
{
    struct service *service = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        struct insertion insertion = {.key = key, .created_ms = T0};
        struct reassignment reassignment = {service->shared, i + 1};
        struct error error = {0};
        (void)snprintf(key, sizeof key, "round-%d", i);
        id_new(insertion.id);
        enum err code = store_write(service->store, insert_execution, &insertion, &error);
        service->keys += code == ERR_OK;
        service->problems += code != ERR_OK && code != ERR_CONFLICT;
        service->problems += store_write(service->store, count_up, NULL, &error) != ERR_OK;
        code = store_write(service->store, reassign, &reassignment, &error);
        service->epochs += code == ERR_OK;
        service->problems += code != ERR_OK && code != ERR_CONFLICT;
    }
    return NULL;
}

/* Each key has one winner, each epoch one owner, no change is lost. */
static void lets_several_write_at_once(void **state)
{
    (void)state;
    struct service services[SERVICES];
    struct insertion shared = {.created_ms = T0};
    int keys = 0, epochs = 0, problems = 0;
    for (int i = 0; i < SERVICES; i++)
        services[i] = (struct service){.store = open_store(), .number = i, .shared = shared.id};
    id_new(shared.id);
    assert_ok(store_write(services[0].store, insert_flow, NULL, &error_));
    assert_ok(store_write(services[0].store, begin_count, NULL, &error_));
    assert_ok(store_write(services[0].store, insert_execution, &shared, &error_));
    for (int i = 0; i < SERVICES; i++)
        assert_int_equal(pthread_create(&services[i].thread, NULL, serve, &services[i]), 0);
    for (int i = 0; i < SERVICES; i++) {
        assert_int_equal(pthread_join(services[i].thread, NULL), 0);
        keys += services[i].keys;
        epochs += services[i].epochs;
        problems += services[i].problems;
        store_close(services[i].store);
    }
    assert_int_equal(problems, 0);
    assert_int_equal(keys, ROUNDS);
    assert_int_equal(ask("SELECT document::json->>'value' FROM settings"), ROUNDS * SERVICES);
    /* An epoch may have been passed over by everybody, but never had two owners. */
    assert_int_equal(ask("SELECT max(epoch) FROM executions"), epochs + 1);
}

/* ---- what breaks */

struct writer {
    struct store *store;
    atomic_bool stop;
    atomic_int acknowledged;
    int failed;
    pthread_t thread;
};

static void *write_on(void *arg)
{
    struct writer *writer = arg;
    while (!writer->stop) {
        struct insertion insertion = {.created_ms = T0};
        struct error error = {0};
        char key[ID_TEXT_BYTES];
        id_new(insertion.id);
        memcpy(key, insertion.id, sizeof key);
        insertion.key = key;
        if (store_write(writer->store, insert_execution, &insertion, &error) == ERR_OK)
            writer->acknowledged++;
        else
            writer->failed++;
    }
    return NULL;
}

static void write_through(void (*breakage)(void), int times)
{
    struct writer writer = {.store = open_store()};
    assert_ok(store_write(writer.store, insert_flow, NULL, &error_));
    assert_int_equal(pthread_create(&writer.thread, NULL, write_on, &writer), 0);
    for (int i = 0; i < times; i++) {
        for (int seen = writer.acknowledged; writer.acknowledged < seen + 20;) /* until it has got on */
            (void)ask("SELECT pg_sleep(0.01)");
        breakage();
    }
    for (int seen = writer.acknowledged; writer.acknowledged < seen + 20;)
        (void)ask("SELECT pg_sleep(0.01)");
    writer.stop = true;
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
    store_close(writer.store);
    int64_t there = ask("SELECT count(*) FROM executions");
    /* Nothing acknowledged is lost; what was not acknowledged may be there (an unknown commit). */
    assert_in_range(there, writer.acknowledged, writer.acknowledged + writer.failed);
}

static void end_connections(void)
{
    (void)ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caudal'");
}

static void crash(void)
{
    test_postgres_crash(server);
}

static void survives_lost_connections(void **state)
{
    (void)state;
    write_through(end_connections, 10);
}

static void survives_a_crash_of_the_server(void **state)
{
    (void)state;
    write_through(crash, 3);
}

/* ---- reading only */

static void reads_without_writing(void **state)
{
    (void)state;
    struct store *reader = NULL;
    struct store_options options = {.read_only = true};
    assert_int_equal(store_open(test_postgres_url(server), &options, &reader, &error_), ERR_STORE_BUSY);
    struct store *writer = open_store();
    assert_ok(store_write(writer, insert_flow, NULL, &error_));
    assert_ok(store_open(test_postgres_url(server), &options, &reader, &error_));
    assert_int_equal(store_write(reader, insert_flow, NULL, &error_), ERR_INTERNAL);
    struct store_session *s = NULL;
    AUTO_JSON struct json *flow = NULL, *later = NULL;
    assert_ok(store_read_begin(reader, &s, &error_));
    assert_ok(store_flow_load_version(s, "f", 1, &flow, &error_));
    assert_int_equal(store_flow_load_version(s, "f", 2, &later, &error_), ERR_NOT_FOUND);
    store_read_end(reader, s);
    store_close(reader);
    store_close(writer);
}

/* ---- partitions */

static enum err apply_retention(struct store_session *s, void *arg, struct error *reterr)
{
    int64_t deleted = 0;
    enum err code = store_retention_apply(
        s, &(struct store_retention){.before_ms = *(int64_t *)arg, .failed_before_ms = *(int64_t *)arg}, 1000, &deleted,
        reterr);
    *(int64_t *)arg = deleted;
    return code;
}

static void drops_days_that_are_old(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct rng rng = {.state = 7};
    int64_t day = T0 / DAY_MS;
    AUTO_FREE char *prepare =
        mem_printf("SELECT count(*) FROM (SELECT caudal_prepare_day(d) FROM generate_series(%" PRId64
                   "::bigint, %" PRId64 ") d) x",
                   day, day + 2);
    (void)ask(prepare);
    assert_ok(store_write(store, insert_flow, NULL, &error_));
    for (int d = 0; d < 3; d++) {
        struct insertion insertion = {.created_ms = T0 + d * DAY_MS};
        id_format(insertion.created_ms, &rng, insertion.id);
        assert_ok(store_write(store, insert_execution, &insertion, &error_));
        if (d != 1) /* the second day has one that is not finished */
            assert_ok(store_write(store, finish_execution, &insertion, &error_));
    }
    AUTO_FREE char *first = mem_printf("SELECT count(*) FROM executions_%" PRId64, day);
    assert_int_equal(ask(first), 1);
    static const char bytes[] = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c WHERE c.relname LIKE"
                                " 'executions_%' OR c.relname LIKE 'node_executions_%'";
    int64_t before = ask(bytes), argument = (day + 2) * DAY_MS;
    assert_ok(store_write(store, apply_retention, &argument, &error_));
    assert_int_equal(argument, 1);
    assert_int_equal(ask("SELECT count(*) FROM executions"), 2);
    assert_int_equal(ask("SELECT count(*) FROM node_executions"), 1);
    AUTO_FREE char *gone = mem_printf("SELECT (to_regclass('executions_%" PRId64 "') IS NULL)::integer +"
                                      " (to_regclass('node_executions_%" PRId64 "') IS NULL)::integer",
                                      day, day);
    assert_int_equal(ask(gone), 2);
    int64_t after = ask(bytes);
    assert_true(after < before);
    print_message("executions and their documents: %lld bytes, %lld after a day was dropped\n", (long long)before,
                  (long long)after);
    store_close(store);
}

/* ---- indices */

/* What sweeps, and callers who wait for a result, ask for again and again. */
static void read_rare(struct store_session *s, const char *id)
{
    struct json *value = NULL;
    AUTO_JSON struct json *ids = json_array_new();
    json_push(ids, json_string_new(id));
    json_push(ids, json_string_new("nobody"));
    assert_ok(store_executions_ended(s, ids, &value, &error_));
    assert_int_equal(json_count(value), 1); /* the one that is not there; the other runs */
    json_unref(value);
    assert_ok(store_signals_open(s, 100, &value, &error_));
    json_unref(value);
    assert_ok(store_children_orphaned(s, 100, &value, &error_));
    json_unref(value);
    assert_ok(store_signals_load(s, id, &value, &error_));
    json_unref(value);
    assert_int_equal(store_wait_load(s, "nobody", T0, &value, &error_), ERR_NOT_FOUND);
    assert_ok(store_schedules_due(s, T0, 100, &value, &error_));
    json_unref(value);
}

/* What an orchestrator asks twice a second while somebody waits for a slot. */
static enum err look_for_cycles(struct store_session *s, void *arg, struct error *reterr)
{
    struct store_place at = {0};
    char id[STORE_PLACE_BYTES];
    return store_limits_break(s, *(const int64_t *)arg, &at, id, reterr);
}

static void read_hot(struct store *store, const char *id)
{
    static const char *const filters[] = {"{}", "{\"flowId\":\"f\"}", "{\"status\":\"failed\"}",
                                          "{\"status\":\"running\"}"};
    struct store_session *s = NULL;
    struct json *value = NULL;
    assert_ok(store_read_begin(store, &s, &error_));
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        AUTO_JSON struct json *filter = NULL;
        assert_ok(json_parse(filters[i], strlen(filters[i]), &filter, &error_));
        assert_ok(store_execution_list(s, filter, &value, &error_));
        json_unref(value);
    }
    assert_ok(store_execution_load_detail(s, id, &value, &error_));
    json_unref(value);
    assert_ok(store_execution_logs(s, id, NULL, NULL, &value, &error_));
    json_unref(value);
    assert_ok(store_executions_unfinished(s, "", 100, &value, &error_));
    json_unref(value);
    assert_ok(store_executions_due(s, T0, 100, &value, &error_));
    json_unref(value);
    (void)store_executions_next_due_ms(s);
    read_rare(s, id);
    store_read_end(store, s);
}

/* A session's scans are counted by its end at the latest, which comes a moment after the client has closed it. */
static void await_counts(void)
{
    while (ask("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('client backend', 'parallel worker') AND "
               "pid <> pg_backend_pid()") > 0)
        (void)poll(NULL, 0, 10);
}

/* The server counts sequential scans itself: of what ran, not of a copy of it. What filled the tables scanned them, and
 * who used them while they were empty had no reason not to: all of that is counted before. */
static void scans_no_large_table(void **state)
{
    (void)state;
    static const char scans[] =
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid ="
        " s.relid WHERE c.reltuples > 1000";
    const char *given = getenv("CAUDAL_TEST_ROWS"), *rows = given == NULL ? "100000" : given;
    struct store *store = open_store();
    struct insertion insertion = {.created_ms = clock_now_ms()};
    assert_ok(store_write(store, insert_flow, NULL, &error_));
    store_close(store);
    AUTO_FREE char *fill = mem_printf(
        "INSERT INTO executions(id, flow_id, flow_version, priority, status, epoch, retry_count, created_ms, "
        "started_ms, ended_ms, worker_id) SELECT overlay(lpad(to_hex(ms), 12, '0') PLACING '-' FROM 9 FOR 0) || "
        "'-7000-8000-' || lpad(to_hex(i), 12, '0'), 'f', 1, 1, CASE i %% 100 WHEN 0 THEN 4 ELSE 3 END, 1, 0, ms, "
        "ms, ms, 'w' FROM (SELECT i, floor(extract(epoch FROM now()) * 1000)::bigint - i AS ms FROM "
        "generate_series(1, %s) i) x",
        rows);
    (void)ask(fill);
    (void)ask("INSERT INTO node_executions SELECT id, '\\x00', NULL FROM executions");
    (void)ask("ANALYZE");
    await_counts();
    int64_t before = ask(scans);
    store = open_store();
    id_new(insertion.id);
    assert_ok(store_write(store, insert_execution, &insertion, &error_));
    assert_ok(store_write(store, reassign, &(struct reassignment){insertion.id, 1}, &error_));
    assert_ok(store_write(store, finish_execution, &insertion, &error_)); /* fenced off */
    assert_ok(store_write(store, look_for_cycles, &insertion.created_ms, &error_));
    read_hot(store, insertion.id);
    store_close(store);
    await_counts();
    int64_t after = ask(scans);
    if (after != before)
        (void)ask(
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT s.relname, s.seq_scan FROM pg_stat_user_tables s JOIN"
            " pg_class c ON c.oid = s.relid WHERE c.reltuples > 1000 AND s.seq_scan > 0 LOOP RAISE WARNING '%', r;"
            " END LOOP; END $$");
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lets_several_start_at_once, set_up),
        cmocka_unit_test_setup(lets_several_write_at_once, set_up),
        cmocka_unit_test_setup(survives_lost_connections, set_up),
        cmocka_unit_test_setup(survives_a_crash_of_the_server, set_up),
        cmocka_unit_test_setup(reads_without_writing, set_up),
        cmocka_unit_test_setup(drops_days_that_are_old, set_up),
        cmocka_unit_test_setup(scans_no_large_table, set_up),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
