/* csv-file, write-file, sqlite-write and the data directory they are held in; summarize. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* holds data/ and, outside of it, secret.csv */
static char data[80];

static void in_folder(const char *command)
{
    AUTO_FREE char *line = mem_printf("cd %s && %s", folder, command);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

static int make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/caudal-files-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(data, sizeof data, "%s/data", folder);
    in_folder("mkdir -p data/sub out && printf 'a\\n1\\n' >secret.csv && ln -s ../secret.csv data/link.csv && ln -s "
              "../out data/away && mkfifo data/pipe");
    node_run_data_dir = data;
    return 0;
}

static int clean(void **state)
{
    (void)state;
    in_folder("cd / && rm -rf \"$OLDPWD\"");
    node_run_data_dir = NULL;
    return 0;
}

static void assert_file(const char *name, const char *content)
{
    AUTO_FREE char *path = mem_printf("%s/%s", data, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char text[4096];
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    assert_string_equal(text, content);
}

static void examples(void **state)
{
    (void)state;
    node_assert_examples("csv-file");
    node_assert_examples("write-file");
    node_assert_examples("summarize");
    node_assert_examples("sqlite-write");
}

static void csv_reads(void **state)
{
    (void)state;
    node_assert_outputs(
        "csv-file",
        "{\"text\":\"\\ufeffa;b\\r\\n\\\"x\\r\\ny\\\";-1.5\\r\\n\\r\\n\\\"q\\\"\\\"\\\";\\r\\n\",\"delimiter\":\";\"}",
        "{\"rows\":[{\"a\":\"x\\r\\ny\",\"b\":-1.5},{\"a\":\"q\\\"\",\"b\":\"\"}],\"rowCount\":2,\"columns\":[\"a\","
        "\"b\"]}");
    node_assert_outputs("csv-file", "{\"text\":\"1,1e3\\n007,\\\"2\\\"\",\"header\":false}",
                        "{\"rows\":[{\"column1\":1,\"column2\":\"1e3\"},{\"column1\":\"007\",\"column2\":\"2\"}],"
                        "\"rowCount\":2,\"columns\":[\"column1\",\"column2\"]}");
    node_assert_outputs("csv-file", "{\"text\":\"a\\n1\",\"numbers\":false}",
                        "{\"rows\":[{\"a\":\"1\"}],\"rowCount\":1,\"columns\":[\"a\"]}");
    node_assert_outputs("csv-file", "{\"text\":\"\"}", "{\"rows\":[],\"rowCount\":0,\"columns\":[]}");
    node_assert_fails("csv-file", "{\"text\":\"a\\n1,2\"}", ERR_NODE, NULL, "line 2 has more than 1 cells");
    node_assert_fails("csv-file", "{\"text\":\"a\\n\\\"1\"}", ERR_NODE, NULL, "opened in line 2");
    node_assert_fails("csv-file", "{\"text\":\"a\\n\\\"1\\\"2\"}", ERR_NODE, NULL, "closing quote");
    node_assert_fails("csv-file", "{\"text\":\"a\\n1\\n2\",\"maxRows\":1}", ERR_LIMIT, NULL, "more than 1 rows");
    node_assert_fails("csv-file", "{}", ERR_VALIDATION, "text", "either");
    node_assert_fails("csv-file", "{\"text\":\"a\",\"path\":\"b\"}", ERR_VALIDATION, "text", "not both");
    node_assert_fails("csv-file", "{\"text\":\"a\",\"delimiter\":\"\\\"\"}", ERR_VALIDATION, "delimiter", "quote");
    in_folder("printf 'a\\n\\377\\n' >data/latin.csv");
    node_assert_fails("csv-file", "{\"path\":\"latin.csv\"}", ERR_NODE, NULL, "UTF-8");
}

/* No node reads or writes outside of the data directory. */
static void nothing_leads_out(void **state)
{
    (void)state;
    static const char *const bad[] = {"../secret.csv", "sub/../../secret.csv",
                                      "/etc/passwd",   "link.csv",
                                      "away/x.csv",    ".",
                                      "sub/",          "a//b",
                                      "./x",           "a\\\\b",
                                      "a\\nb",         "a\\u0000b",
                                      "secret.csv/.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_FREE char *in = mem_printf("{\"path\":\"%s\"}", bad[i]),
                       *out = mem_printf("{\"path\":\"%s\",\"data\":[{\"a\":1}]}", bad[i]);
        AUTO_FREE char *db = mem_printf("{\"path\":\"%s\",\"table\":\"t\",\"data\":[{\"a\":1}]}", bad[i]);
        node_assert_fails("csv-file", in, ERR_VALIDATION, "path", NULL);
        node_assert_fails("write-file", out, ERR_VALIDATION, "path", NULL);
        node_assert_fails("sqlite-write", db, ERR_VALIDATION, "path", NULL);
    }
    in_folder("test \"$(cat secret.csv)\" = \"$(printf 'a\\n1')\" && test -z \"$(ls out)\"");
    node_assert_fails("csv-file", "{\"path\":\"none.csv\"}", ERR_NODE, "path", "no file none.csv");
    node_assert_fails("csv-file", "{\"path\":\"pipe\"}", ERR_VALIDATION, "path", "regular");
    node_assert_fails("write-file", "{\"path\":\"pipe\",\"data\":1}", ERR_VALIDATION, "path", "regular");
    node_assert_fails("sqlite-write", "{\"path\":\"pipe\",\"table\":\"t\",\"data\":{\"a\":1}}", ERR_VALIDATION, "path",
                      "regular");
    node_assert_fails("write-file", "{\"path\":\"sub\",\"data\":1}", ERR_VALIDATION, "path", NULL);
    node_run_data_dir = NULL;
    node_assert_fails("csv-file", "{\"path\":\"x.csv\"}", ERR_UNSUPPORTED, "path", "data directory");
    node_assert_fails("write-file", "{\"path\":\"x.csv\",\"data\":[]}", ERR_UNSUPPORTED, "path", "data directory");
    node_assert_fails("sqlite-write", "{\"path\":\"x\",\"table\":\"t\",\"data\":[]}", ERR_UNSUPPORTED, "path",
                      "data directory");
    node_run_data_dir = data;
}

static void write_replaces_the_whole_file(void **state)
{
    (void)state;
    node_assert_outputs("write-file", "{\"path\":\"n/m/a.json\",\"data\":{\"a\":[1]}}",
                        "{\"path\":\"n/m/a.json\",\"bytes\":23,\"recordCount\":1}");
    node_assert_outputs("write-file", "{\"path\":\"n/m/a.json\",\"data\":[1],\"pretty\":false}",
                        "{\"path\":\"n/m/a.json\",\"bytes\":4,\"recordCount\":1}");
    assert_file("n/m/a.json", "[1]\n");
    node_assert_outputs(
        "write-file", "{\"path\":\"t.csv\",\"data\":[{\"a\":\"x,\\\"y\\\"\",\"b\":null},{\"c\":{\"k\":1},\"a\":true}]}",
        "{\"path\":\"t.csv\",\"bytes\":39,\"recordCount\":2}");
    assert_file("t.csv", "a,b,c\r\n\"x,\"\"y\"\"\",,\r\ntrue,,\"{\"\"k\"\":1}\"\r\n");
    node_assert_outputs("write-file", "{\"path\":\"a.txt\",\"data\":\"h\\u00e9\"}",
                        "{\"path\":\"a.txt\",\"bytes\":3,\"recordCount\":1}");
    assert_file("a.txt", "h\u00e9");
    node_assert_fails("write-file", "{\"path\":\"t.csv\",\"data\":[1]}", ERR_VALIDATION, "data[0]", "object");
    node_assert_fails("write-file", "{\"path\":\"a.txt\",\"data\":[1]}", ERR_VALIDATION, "data", "string");
    assert_file("a.txt", "h\u00e9"); /* a refused write leaves the old file */
    in_folder("test -z \"$(find data -name '*.tmp')\"");
}

/* Several thousand orders through the nodes of a flow, into a JSON file. */
static void orders_become_a_summary(void **state)
{
    (void)state;
    AUTO_FREE char *path = mem_printf("%s/orders.csv", data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("id,country,status,total\n", file);
    for (int i = 0; i < 5000; i++)
        (void)fprintf(file, "%d,%s,%s,%d.5\n", i, i % 2 == 0 ? "ES" : "PT", i % 5 == 0 ? "cancelled" : "paid", i % 10);
    assert_int_equal(fclose(file), 0);
    struct node_run run;
    node_run(&run, "csv-file", "{\"path\":\"orders.csv\"}");
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(run.call.records, 5000);
    struct json *inputs =
        json_from("{\"conditions\":[{\"field\":\"status\",\"operator\":\"equals\",\"value\":\"paid\"}]}");
    json_set(inputs, "data", json_ref(json_get(run.call.outputs, "rows")));
    node_run_done(&run);
    node_run_json(&run, "data-filter", inputs);
    assert_int_equal(run.call.records, 4000);
    inputs =
        json_from("{\"mapping\":[{\"sourceField\":\"country\",\"targetField\":\"land\",\"transformation\":\"rename\"},"
                  "{\"sourceField\":\"total\",\"targetField\":\"sum\",\"transformation\":\"rename\"}]}");
    json_set(inputs, "source", json_ref(json_get(run.call.outputs, "filtered")));
    node_run_done(&run);
    node_run_json(&run, "field-mapper", inputs);
    assert_int_equal(run.call.records, 4000);
    inputs = json_from("{\"groupBy\":\"land\",\"operations\":[{\"operation\":\"count\"},{\"operation\":\"sum\","
                       "\"field\":\"sum\",\"as\":\"sales\"},{\"operation\":\"max\",\"field\":\"sum\"}]}");
    json_set(inputs, "data", json_ref(json_get(run.call.outputs, "mapped")));
    node_run_done(&run);
    node_run_json(&run, "summarize", inputs);
    inputs = json_from("{\"path\":\"out/summary.json\",\"pretty\":false}");
    json_set(inputs, "data", json_ref(json_get(run.call.outputs, "summary")));
    node_run_done(&run);
    node_run_json(&run, "write-file", inputs);
    assert_int_equal(run.code, ERR_OK);
    node_run_done(&run);
    /* PT: 1 3 7 9, ES: 2 4 6 8 of each ten, 500 times, a half added to each */
    assert_file("out/summary.json", "[{\"land\":\"PT\",\"count\":2000,\"sales\":11000,\"max_sum\":9.5},{\"land\":"
                                    "\"ES\",\"count\":2000,\"sales\":11000,\"max_sum\":8.5}]\n");
}

static void summarize_counts(void **state)
{
    (void)state;
#define OPS                                                                                                            \
    "\"operations\":[{\"operation\":\"count\"},{\"operation\":\"sum\",\"field\":\"n\"},{\"operation\":\"avg\","        \
    "\"field\":\"n\"},{\"operation\":\"min\",\"field\":\"n\"}]"
    node_assert_outputs("summarize", "{\"data\":[]," OPS "}",
                        "{\"summary\":[{\"count\":0,\"sum_n\":0,\"avg_n\":null,\"min_n\":null}],\"count\":1}");
    node_assert_outputs("summarize", "{\"data\":[],\"groupBy\":\"g\"," OPS "}", "{\"summary\":[],\"count\":0}");
    node_assert_outputs("summarize",
                        "{\"data\":[{\"n\":0.1},{\"n\":\"0.2\"},{\"n\":null},{\"n\":9007199254740993}]," OPS "}",
                        "{\"summary\":[{\"count\":4,\"sum_n\":9007199254740992.0,\"avg_n\":3002399751580330.5,\"min_"
                        "n\":0.1}],\"count\":1}");
    node_assert_outputs("summarize",
                        "{\"data\":[{\"a\":1,\"b\":{\"c\":\"x\"}},{\"a\":\"1\",\"b\":{\"c\":\"x\"}},{\"a\":1,\"b\":{"
                        "\"c\":\"x\"}},{}],\"groupBy\":[\"a\",\"b.c\"],\"operations\":[{\"operation\":\"count\"}]}",
                        "{\"summary\":[{\"a\":1,\"b.c\":\"x\",\"count\":2},{\"a\":\"1\",\"b.c\":\"x\",\"count\":1},{"
                        "\"a\":null,\"b.c\":null,\"count\":1}],\"count\":3}");
    node_assert_fails("summarize", "{\"data\":[{\"n\":1},{\"n\":\"x\"}]," OPS "}", ERR_NODE, "data[1].n", "number");
    node_assert_fails("summarize", "{\"data\":[],\"operations\":[{\"operation\":\"sum\"}]}", ERR_VALIDATION,
                      "operations[0].field", "required");
    node_assert_fails("summarize", "{\"data\":[],\"operations\":[{\"operation\":\"median\",\"field\":\"n\"}]}",
                      ERR_VALIDATION, "operations[0].operation", NULL);
    node_assert_fails("summarize", "{\"data\":[],\"groupBy\":7," OPS "}", ERR_VALIDATION, "groupBy", "field");
    node_assert_fails("summarize", "{\"data\":{}," OPS "}", ERR_VALIDATION, "data", "array");
}

/* One attempt with that idempotency key. */
static void write_rows(const char *key, const char *inputs, enum err code, const char *outputs)
{
    struct node_run run = {.inputs = json_from(inputs), .host = {.data_dir = data}};
    run.call = (struct node_call){.type = node_registry_find("sqlite-write"),
                                  .inputs = run.inputs,
                                  .attempt = 1,
                                  .now_ms = NODE_RUN_NOW_MS,
                                  .host = &run.host};
    (void)snprintf(run.call.idempotency_key, sizeof run.call.idempotency_key, "%s", key);
    run.code = run.call.type->execute(&run.call, &run.error);
    if (run.code != code)
        fail_msg("%s: %s: %s", error_id(run.code), run.error.field, run.error.message);
    if (outputs != NULL)
        json_assert_equal(run.call.outputs, outputs);
    node_run_done(&run);
}

/* The first column of the rows, joined. */
static void assert_sql(const char *name, const char *sql, const char *expected)
{
    AUTO_FREE char *path = mem_printf("%s/%s", data, name),
                   *whole = mem_printf("SELECT group_concat(v,'|') FROM (SELECT %s)", sql);
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, whole, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void sqlite_keeps_types(void **state)
{
    (void)state;
    write_rows("types",
               "{\"path\":\"types.db\",\"table\":\"t\",\"data\":[{\"i\":9007199254740993,\"d\":0.5,\"s\":\"007\",\"b\":"
               "true,\"n\":null,\"l\":[1,{\"a\":2}],\"we\\\"ird; --\":1}]}",
               ERR_OK, "{\"insertedCount\":1,\"repeated\":false}");
    assert_sql(
        "types.db",
        "i||','||d||','||s||','||b||','||(n IS NULL)||','||l||','||\"we\"\"ird; --\"||typeof(s)||typeof(d) AS v FROM t",
        "9007199254740993,0.5,007,1,1,[1,{\"a\":2}],1textreal");
}

static void sqlite_inserts_once(void **state)
{
    (void)state;
#define TWO "{\"path\":\"once.db\",\"table\":\"orders\",\"data\":[{\"id\":1},{\"id\":2,\"x\":\"y\"}]}"
    write_rows("e1:n1:0", TWO, ERR_OK, "{\"insertedCount\":2,\"repeated\":false}");
    write_rows("e1:n1:0", TWO, ERR_OK, "{\"insertedCount\":2,\"repeated\":true}");
    assert_sql("once.db", "id AS v FROM orders ORDER BY id", "1|2");
    write_rows("e2:n1:0", TWO, ERR_OK, "{\"insertedCount\":2,\"repeated\":false}");
    assert_sql("once.db", "id AS v FROM orders ORDER BY id", "1|1|2|2");
    assert_sql("once.db", "key||'='||inserted AS v FROM caudal_writes ORDER BY key", "e1:n1:0=2|e2:n1:0=2");
    write_rows("quote'; DROP TABLE orders; --", "{\"path\":\"once.db\",\"table\":\"orders\",\"data\":[]}", ERR_OK,
               "{\"insertedCount\":0,\"repeated\":false}");
    assert_sql("once.db", "count(*) AS v FROM orders", "4");
}

static void run_sql(const char *name, const char *sql)
{
    AUTO_FREE char *path = mem_printf("%s/%s", data, name);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A failure in the middle leaves neither rows nor the key, so the next attempt writes. */
static void sqlite_writes_all_or_nothing(void **state)
{
    (void)state;
    run_sql("key.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(2,'old')");
#define ROWS(conflict)                                                                                                 \
    "{\"path\":\"key.db\",\"table\":\"t\",\"onConflict\":\"" conflict                                                  \
    "\",\"data\":[{\"id\":1,\"v\":\"new\"},{\"id\":2,\"v\":\"new\"}]}"
    node_assert_fails("sqlite-write", ROWS("fail"), ERR_NODE, "data[1]", "UNIQUE");
    assert_sql("key.db", "id||v AS v FROM t ORDER BY id", "2old");
    write_rows("e1/n1/0", ROWS("ignore"), ERR_OK,
               "{\"insertedCount\":1,\"repeated\":false}"); /* the key node_assert_fails used */
    assert_sql("key.db", "id||v AS v FROM t ORDER BY id", "1new|2old");
    write_rows("other", ROWS("replace"), ERR_OK, "{\"insertedCount\":2,\"repeated\":false}");
    assert_sql("key.db", "id||v AS v FROM t ORDER BY id", "1new|2new");
    write_rows("zz", "{\"path\":\"key.db\",\"table\":\"t\",\"data\":[{\"id\":9,\"zz\":1}]}", ERR_NODE,
               NULL); /* no such column */
}

static void sqlite_refuses(void **state)
{
    (void)state;
    static const char *const tables[] = {
        "", "1a", "a b", "a\\\"b", "sqlite_master", "SQLITE_x", "Caudal_Writes", "a\\u0000b", "a;b"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        AUTO_FREE char *in = mem_printf("{\"path\":\"r.db\",\"table\":\"%s\",\"data\":[{\"a\":1}]}", tables[i]);
        node_assert_fails("sqlite-write", in, ERR_VALIDATION, "table", NULL);
    }
    node_assert_fails("sqlite-write", "{\"path\":\"r.db\",\"table\":\"t\",\"data\":[{\"a\":1},3]}", ERR_VALIDATION,
                      "data[1]", "number");
    node_assert_fails("sqlite-write", "{\"path\":\"r.db\",\"table\":\"t\",\"data\":[{}]}", ERR_VALIDATION, "data[0]",
                      "empty");
    node_assert_fails("sqlite-write", "{\"path\":\"r.db\",\"table\":\"t\",\"data\":null}", ERR_VALIDATION, "data[0]",
                      "null");
    node_assert_fails("sqlite-write", "{\"path\":\"r.db\",\"data\":[]}", ERR_VALIDATION, "table", "required");
    node_assert_fails("sqlite-write",
                      "{\"path\":\"r.db\",\"table\":\"none\",\"createTable\":false,\"data\":[{\"a\":1}]}", ERR_NODE,
                      "table", "none");
    in_folder("printf 'this is certainly no database file, but text of some length' >data/text.db");
    node_assert_fails("sqlite-write", "{\"path\":\"text.db\",\"table\":\"t\",\"data\":[{\"a\":1}]}", ERR_NODE, "path",
                      "no sound SQLite");
}

static void sqlite_may_be_retried_when_locked(void **state)
{
    (void)state;
    AUTO_FREE char *path = mem_printf("%s/locked.db", data);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a); BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    node_run_timeout_ms = 50;
    node_assert_fails("sqlite-write", "{\"path\":\"locked.db\",\"table\":\"t\",\"data\":[{\"a\":1}]}", ERR_NODE_RETRY,
                      NULL, "in use");
    node_run_timeout_ms = 0;
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    node_assert_outputs("sqlite-write", "{\"path\":\"locked.db\",\"table\":\"t\",\"data\":[{\"a\":1}]}",
                        "{\"insertedCount\":1,\"repeated\":false}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(csv_reads),
        cmocka_unit_test(nothing_leads_out),
        cmocka_unit_test(write_replaces_the_whole_file),
        cmocka_unit_test(orders_become_a_summary),
        cmocka_unit_test(summarize_counts),
        cmocka_unit_test(sqlite_keeps_types),
        cmocka_unit_test(sqlite_inserts_once),
        cmocka_unit_test(sqlite_writes_all_or_nothing),
        cmocka_unit_test(sqlite_refuses),
        cmocka_unit_test(sqlite_may_be_retried_when_locked),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
