/* sqlite-query: reads and writes below the data directory, and stays there. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static int make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/caudal-sqlite-XXXXXX");
    assert_non_null(mkdtemp(folder));
    node_run_data_dir = folder;
    return 0;
}

static int clean(void **state)
{
    (void)state;
    AUTO_FREE char *line = mem_printf("rm -rf %s", folder);
    node_run_data_dir = NULL;
    return system(line);
}

#define FILE_AND(query) "{\"path\":\"a.db\",\"query\":\"" query "\""

static void reads_and_writes(void **state)
{
    (void)state;
    node_assert_examples("sqlite-query");
    node_assert_outputs("sqlite-query", FILE_AND("CREATE TABLE t(a INTEGER PRIMARY KEY, b)") ",\"write\":true}",
                        "{\"rows\":[],\"rowCount\":0,\"changes\":0}");
    node_assert_outputs(
        "sqlite-query",
        FILE_AND("INSERT INTO t VALUES(:id, :b), (2, x'6869')") ",\"parameters\":{\"id\":1,\"b\":[1,null]},"
                                                                "\"write\":true}",
        "{\"rows\":[],\"rowCount\":0,\"changes\":2}");
    node_assert_outputs(
        "sqlite-query", FILE_AND("SELECT * FROM t WHERE a < ? ORDER BY a;") ",\"parameters\":[9]}",
        "{\"rows\":[{\"a\":1,\"b\":\"[1,null]\"},{\"a\":2,\"b\":\"aGk=\"}],\"rowCount\":2,\"changes\":0}");
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    node_assert_fails("sqlite-query", "{\"query\":\"SELECT 1\"}", ERR_VALIDATION, "path", "required");
    node_assert_fails("sqlite-query", "{\"path\":\"a.db\"}", ERR_VALIDATION, "query", "required");
    node_assert_fails("sqlite-query", "{\"path\":\"../a.db\",\"query\":\"SELECT 1\"}", ERR_VALIDATION, "path", NULL);
    node_assert_fails("sqlite-query", FILE_AND("SELECT 1; SELECT 2") "}", ERR_VALIDATION, "query", "one SQL statement");
    node_assert_fails("sqlite-query", FILE_AND(" ; ") "}", ERR_VALIDATION, "query", NULL);
    node_assert_fails("sqlite-query", FILE_AND("SELECT") "}", ERR_NODE, "query", "SQLite refused it");
    node_assert_fails("sqlite-query", FILE_AND("SELECT ?1, ?2") ",\"parameters\":[1]}", ERR_VALIDATION, "parameters",
                      "2 parameters");
    node_assert_fails("sqlite-query", FILE_AND("SELECT :x") ",\"parameters\":{\"y\":1}}", ERR_VALIDATION,
                      "parameters.x", "missing");
    node_assert_fails("sqlite-query", FILE_AND("SELECT ?") "}", ERR_VALIDATION, "parameters[0]", "missing");
    node_assert_fails("sqlite-query", FILE_AND("SELECT ?") ",\"parameters\":7}", ERR_VALIDATION, "parameters", "array");
    node_assert_fails("sqlite-query", FILE_AND("DELETE FROM t") "}", ERR_NODE, "query", "readonly");
    node_assert_fails("sqlite-query", "{\"path\":\"none.db\",\"query\":\"SELECT 1\"}", ERR_IO, "path", NULL);
    node_assert_fails("sqlite-query", FILE_AND("SELECT * FROM t") ",\"maxRows\":1}", ERR_LIMIT, "maxRows",
                      "more than 1 rows");
}

static void a_statement_stays_in_its_file(void **state)
{
    (void)state;
    static const char *const ways[] = {"ATTACH '/tmp/x.db' AS x", "VACUUM INTO 'copy.db'", "PRAGMA writable_schema=1",
                                       "PRAGMA journal_mode=wal"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        AUTO_FREE char *json = mem_printf("{\"path\":\"a.db\",\"write\":true,\"query\":\"%s\"}", ways[i]);
        node_assert_fails("sqlite-query", json, ERR_NODE, "query", "authoriz");
    }
    node_run_timeout_ms = 200; /* a query without end */
    node_assert_fails(
        "sqlite-query",
        FILE_AND("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n") "}",
        ERR_DEADLINE, NULL, "200 ms");
    node_run_timeout_ms = 0;
    AUTO_FREE char *line = mem_printf("printf 'this is no database at all, is it' >%s/odd.db", folder);
    assert_int_equal(system(line), 0);
    node_assert_fails("sqlite-query", "{\"path\":\"odd.db\",\"query\":\"SELECT * FROM t\"}", ERR_NODE, "path",
                      "no sound SQLite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_writes), cmocka_unit_test(wrong_settings_are_named),
                                       cmocka_unit_test(a_statement_stays_in_its_file)};
    return cmocka_run_group_tests(tests, make, clean);
}
