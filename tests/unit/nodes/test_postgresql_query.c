/* postgresql-query against a real server (api-contract 4.1). */
#include "base/clock.h"
#include "support/postgres.h"
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct test_postgres *server;

static int start(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Madrid", 1);
    tzset();
    server = test_postgres_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_postgres_stop(server);
    return 0;
}

static char *inputs(const char *sql, const char *parameters_json)
{
    struct json *object = json_object_new();
    json_set_str(object, "connectionString", test_postgres_url(server));
    json_set_str(object, "query", sql);
    if (parameters_json != NULL)
        json_set(object, "parameters", json_from(parameters_json));
    char *text = json_dup_text(object);
    json_unref(object);
    return text;
}

static void gives(const char *sql, const char *parameters_json, const char *outputs_json)
{
    AUTO_FREE char *text = inputs(sql, parameters_json);
    node_assert_outputs("postgresql-query", text, outputs_json);
}

static void fails(const char *sql, const char *parameters_json, enum err code, const char *field, const char *message)
{
    AUTO_FREE char *text = inputs(sql, parameters_json);
    node_assert_fails("postgresql-query", text, code, field, message);
}

static void example(void **state)
{
    (void)state;
    const struct node_example *example = node_registry_find("postgresql-query")->examples;
    struct json *configuration = json_from(example->configuration_json);
    json_set_str(configuration, "connectionString", test_postgres_url(server));
    AUTO_FREE char *text = json_dup_text(configuration);
    json_unref(configuration);
    node_assert_outputs("postgres-query", text, example->expected_output_json);
}

/* SQL expression, JSON of the value. Madrid is the process's zone. */
static const struct {
    const char *sql, *json;
} values[] = {
    {"1::int2", "1"},
    {"-5::int4", "-5"},
    {"7::oid", "7"},
    {"9007199254740993::int8", "\"9007199254740993\""},
    {"1.50::numeric", "\"1.50\""},
    {"1.5::float4", "1.5"},
    {"0.1::float8", "0.1"},
    {"'NaN'::float8", "null"},
    {"true", "true"},
    {"'x'::text", "\"x\""},
    {"'ñ'::varchar", "\"ñ\""},
    {"'0f8fad5b-d9cb-469f-a165-70867728950e'::uuid", "\"0f8fad5b-d9cb-469f-a165-70867728950e\""},
    {"'10:11:12'::time", "\"10:11:12\""},
    {"'{\"a\":[1,null]}'::jsonb", "{\"a\":[1,null]}"},
    {"'[1]'::json", "[1]"},
    {"null::int", "null"},
    {"'2025-01-02'::date", "\"2025-01-01T23:00:00.000Z\""},
    {"'2025-07-02 10:00:00.1239'::timestamp", "\"2025-07-02T08:00:00.123Z\""},
    {"'2025-07-02 10:00:00+05:30'::timestamptz", "\"2025-07-02T04:30:00.000Z\""},
    {"'1969-12-31 23:59:59+00'::timestamptz", "\"1969-12-31T23:59:59.000Z\""},
    {"'infinity'::timestamp", "null"},
    {"'\\xdeadbeef'::bytea", "{\"type\":\"Buffer\",\"data\":[222,173,190,239]}"},
    {"''::bytea", "{\"type\":\"Buffer\",\"data\":[]}"},
    {"ARRAY[1,null,3]", "[1,null,3]"},
    {"ARRAY[[1,2],[3,4]]", "[[1,2],[3,4]]"},
    {"'{}'::int[]", "[]"},
    {"'[2:3]={5,6}'::int[]", "[5,6]"},
    {"ARRAY['a,b','c\"d','NULL',null,'','e\\f']", "[\"a,b\",\"c\\\"d\",\"NULL\",null,\"\",\"e\\\\f\"]"},
    {"ARRAY[true,false]", "[true,false]"},
    {"ARRAY[1::int8]", "[\"1\"]"},
    {"ARRAY['{\"a\":1}'::json]", "[{\"a\":1}]"},
    {"ARRAY['2025-01-02'::date]", "[\"2025-01-01T23:00:00.000Z\"]"},
    {"'1 year 2 mons -3 days 04:05:06.789'::interval",
     "{\"years\":1,\"months\":2,\"days\":-3,\"hours\":4,\"minutes\":5,\"seconds\":6,\"milliseconds\":789}"},
    {"'-01:30:00'::interval", "{\"hours\":-1,\"minutes\":-30}"},
    {"'0'::interval", "{}"},
    {"point(1.5,2)", "{\"x\":1.5,\"y\":2}"},
};

static void decodes_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        AUTO_FREE char *sql = mem_printf("SELECT %s AS v", values[i].sql),
                       *expected = mem_printf("{\"result\":[{\"v\":%s}],\"rowCount\":1}", values[i].json);
        gives(sql, NULL, expected);
    }
}

static void encodes_parameters(void **state)
{
    (void)state;
    gives("SELECT $1::int AS a, $2::text AS b, $3::bool AS c, $4::text AS d, $5::float8 AS e",
          "[1,\"it's\",true,null,0.5]",
          "{\"result\":[{\"a\":1,\"b\":\"it's\",\"c\":true,\"d\":null,\"e\":0.5}],\"rowCount\":1}");
    gives("SELECT $1::int[] AS a, $2::text[] AS b", "[[[1,2],[3,null]],[\"a\\\"b\",\"c,d\",\"NULL\",\"\"]]",
          "{\"result\":[{\"a\":[[1,2],[3,null]],\"b\":[\"a\\\"b\",\"c,d\",\"NULL\",\"\"]}],\"rowCount\":1}");
    gives("SELECT $1::jsonb AS a", "[{\"k\":[1,\"x\"]}]", "{\"result\":[{\"a\":{\"k\":[1,\"x\"]}}],\"rowCount\":1}");
    gives("SELECT 1 AS a", "[]", "{\"result\":[{\"a\":1}],\"rowCount\":1}");
    gives("SELECT 1 AS a", "null", "{\"result\":[{\"a\":1}],\"rowCount\":1}");
    fails("SELECT $1::text", "[\"a\\u0000b\"]", ERR_VALIDATION, "parameters[0]", "NUL");
    fails("SELECT 1; SELECT $1::int", "[1]", ERR_NODE, "query", "multiple commands");
}

static void runs_statements(void **state)
{
    (void)state;
    gives("CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b'); SELECT * FROM t ORDER BY id",
          NULL, "{\"result\":[{\"id\":1,\"name\":\"a\"},{\"id\":2,\"name\":\"b\"}],\"rowCount\":2}");
    gives("SELECT * FROM t; UPDATE t SET name = 'c'", NULL, "{\"result\":[],\"rowCount\":2}");
    gives("INSERT INTO t VALUES ($1, $2) RETURNING id", "[3,\"z\"]", "{\"result\":[{\"id\":3}],\"rowCount\":1}");
    gives("SELECT count(*) AS n FROM t WHERE name = 'c'", NULL,
          "{\"result\":[{\"n\":\"2\"}],\"rowCount\":1}"); /* committed */
    gives("SELECT 1 AS a, 2 AS a", NULL, "{\"result\":[{\"a\":2}],\"rowCount\":1}");
    gives("", NULL, "{\"result\":[],\"rowCount\":0}");
    gives("SELECT * FROM t WHERE false", NULL, "{\"result\":[],\"rowCount\":0}");
    struct node_run run;
    AUTO_FREE char *text = inputs("DELETE FROM t", NULL);
    node_run(&run, "postgresql-query", text);
    assert_int_equal(run.call.records, 3);
    node_run_done(&run);
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    fails("SELECT * FROM nowhere", NULL, ERR_NODE, "query", "relation \"nowhere\" does not exist");
    fails("SELEC", NULL, ERR_NODE, "query", "syntax error");
    fails("COPY (SELECT 1) TO STDOUT", NULL, ERR_UNSUPPORTED, "query", "COPY");
    fails("SELECT pg_terminate_backend(pg_backend_pid())", NULL, ERR_NODE_RETRY, "query", NULL);
    fails("SELECT repeat('x', 1000000) FROM generate_series(1, 100)", NULL, ERR_LIMIT, "query", "larger");
    node_assert_fails("postgresql-query", "{\"query\":\"SELECT 1\"}", ERR_VALIDATION, "connectionString", "required");
    node_assert_fails("postgresql-query", "{\"connectionString\":\"postgresql://h/d\"}", ERR_VALIDATION, "query",
                      "required");
    node_assert_fails("postgresql-query", "{\"connectionString\":\"postgresql://h/d\",\"query\":7}", ERR_VALIDATION,
                      "query", "string");
    node_assert_fails("postgresql-query", "{\"connectionString\":\"mysql://h/d\",\"query\":\"SELECT 1\"}",
                      ERR_VALIDATION, "connectionString", "postgresql://");
    node_assert_fails("postgresql-query",
                      "{\"connectionString\":\"postgresql://h/d\",\"query\":\"SELECT 1\",\"parameters\":{}}",
                      ERR_VALIDATION, "parameters", "array");
    node_assert_fails("postgresql-query",
                      "{\"connectionString\":\"postgresql://caudal@127.0.0.1:1/x\",\"query\":\"SELECT 1\"}",
                      ERR_NODE_RETRY, "connectionString", "refused");
}

static void waits_no_longer_than_it_may(void **state)
{
    (void)state;
    node_run_timeout_ms = 300;
    fails("SELECT pg_sleep(60)", NULL, ERR_DEADLINE, "query", "cancelled");
    node_run_timeout_ms = 0;
    /* the statement does not go on at the server */
    gives("SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'",
          NULL, "{\"result\":[{\"n\":0}],\"rowCount\":1}");
    /* a listener that never answers */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    AUTO_FREE char *text =
        mem_printf("{\"connectionString\":\"postgresql://a@127.0.0.1:%d/b\",\"query\":\"SELECT 1\",\"timeout\":200}",
                   ntohs(address.sin_port));
    int64_t before_us = clock_monotonic_us();
    node_assert_fails("postgresql-query", text, ERR_NODE_RETRY, "connectionString", "200 ms");
    assert_true(clock_monotonic_us() - before_us < 10000000);
    close(fd);
}

static void other_styles_decode_the_same(void **state)
{
    (void)state;
    gives("ALTER ROLE caudal SET datestyle TO 'German'; ALTER ROLE caudal SET intervalstyle TO 'iso_8601'", NULL,
          "{\"result\":[],\"rowCount\":0}");
    gives("SELECT '2025-07-02'::date AS d, '1 day'::interval AS i", NULL,
          "{\"result\":[{\"d\":\"2025-07-01T22:00:00.000Z\",\"i\":{\"days\":1}}],\"rowCount\":1}");
    gives("ALTER ROLE caudal RESET ALL", NULL, "{\"result\":[],\"rowCount\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),
        cmocka_unit_test(decodes_types),
        cmocka_unit_test(encodes_parameters),
        cmocka_unit_test(runs_statements),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(waits_no_longer_than_it_may),
        cmocka_unit_test(other_styles_decode_the_same),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
