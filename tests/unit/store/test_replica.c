/* Reading from a streaming replica, as a worker may: what has not come yet is told apart from what cannot be reached.
 */
#include "support/postgres.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN_US INT64_C(120000000)

static struct test_postgres *primary, *replica;
static struct store *writer, *reader;
static struct error error_; /* of the last call that failed */

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        enum err code_ = (call);                                                                                       \
        if (code_ != ERR_OK)                                                                                           \
            fail_msg("%s: %s (%s)", #call, error_id(code_), error_.message);                                           \
    } while (0)

/* Waits until `condition` holds. */
#define wait_for(condition)                                                                                            \
    for (int64_t end_us_ = clock_monotonic_us() + WITHIN_US; !(condition); (void)poll(NULL, 0, 20))                    \
        if (clock_monotonic_us() > end_us_)                                                                            \
    fail_msg("%s did not come to be", #condition)

static bool replica_says(const char *sql)
{
    PGconn *connection = PQconnectdb(test_postgres_url(replica));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    bool yes = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    PQfinish(connection);
    return yes;
}

static enum err save(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *document = NULL;
    const char *text = arg;
    enum err code = json_parse(text, strlen(text), &document, reterr);
    if (code != ERR_OK)
        return code;
    return json_has(document, "id") ? store_flow_insert(s, document, 1, reterr)
                                    : store_flow_update(s, "f", document, 2, reterr);
}

static void save_flow(char *text)
{
    assert_ok(store_write(writer, save, text, &error_));
}

/* What the replica says of a version. */
static enum err look_for(int version)
{
    struct store_session *s = NULL;
    AUTO_JSON struct json *flow = NULL;
    enum err code = store_read_begin(reader, &s, &error_);
    if (code != ERR_OK)
        return code;
    code = store_flow_load_version(s, "f", version, &flow, &error_);
    store_read_end(reader, s);
    return code;
}

static int set_up(void **state)
{
    (void)state;
    const struct store_options options = {.read_only = true, .max_readers = 4};
    primary = test_postgres_start();
    replica = test_postgres_replica(primary);
    /* Before the schema has come it is told to come again. */
    assert_int_equal(store_open(test_postgres_url(replica), &options, &reader, &error_), ERR_STORE_BUSY);
    assert_ok(store_open(test_postgres_url(primary), NULL, &writer, &error_));
    enum err code = ERR_OK;
    wait_for((code = store_open(test_postgres_url(replica), &options, &reader, &error_)) != ERR_STORE_BUSY);
    assert_ok(code);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(reader);
    if (writer != NULL)
        store_close(writer);
    test_postgres_stop(replica);
    test_postgres_stop(primary);
    return 0;
}

static void tells_what_has_not_come_yet(void **state)
{
    (void)state;
    save_flow("{\"id\":\"f\",\"name\":\"orders\",\"nodes\":[],\"connections\":[]}");
    wait_for(look_for(1) != ERR_NOT_FOUND);
    assert_int_equal(look_for(1), ERR_OK);
    assert_true(replica_says("SELECT pg_wal_replay_pause() IS NOT NULL"));
    wait_for(replica_says("SELECT pg_get_wal_replay_pause_state() = 'paused'"));
    save_flow("{\"settings\":{\"timeout\":5}}");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(look_for(2), ERR_NOT_FOUND);
        assert_int_equal(look_for(1), ERR_OK);
    }
    assert_true(replica_says("SELECT pg_wal_replay_resume() IS NOT NULL"));
    wait_for(look_for(2) != ERR_NOT_FOUND);
    assert_int_equal(look_for(2), ERR_OK);
}

static void is_never_written_to(void **state)
{
    (void)state;
    struct store *store = NULL;
    assert_int_equal(store_write(reader, save, "{}", &error_), ERR_INTERNAL);
    assert_int_equal(store_open(test_postgres_url(replica), NULL, &store, &error_), ERR_STORE_BUSY);
    assert_non_null(strstr(error_.message, "read-only"));
}

static void comes_back_after_a_crash(void **state)
{
    (void)state;
    test_postgres_crash(replica);
    wait_for(look_for(2) == ERR_OK); /* BUSY, for connections that were lost; never NOT_FOUND */
    save_flow("{\"settings\":{\"timeout\":6}}");
    wait_for(look_for(3) == ERR_OK);
}

static void reads_without_the_primary(void **state)
{
    (void)state;
    store_close(writer);
    writer = NULL;
    test_postgres_stop(primary);
    primary = NULL;
    assert_int_equal(look_for(3), ERR_OK);
    assert_int_equal(look_for(4), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_has_not_come_yet),
        cmocka_unit_test(is_never_written_to),
        cmocka_unit_test(comes_back_after_a_crash),
        cmocka_unit_test(reads_without_the_primary),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
