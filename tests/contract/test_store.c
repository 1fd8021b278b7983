/* The store's contract on every back end: SQLite in a file and in memory, PostgreSQL; with the writer thread and in
 * manual mode. */
#include "base/mem.h"
#include "support/postgres.h"
#include "support/store_contract.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reset_file(const char *url)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        AUTO_FREE char *path = mem_printf("%s%s", url + strlen("sqlite:"), endings[i]);
        (void)unlink(path); /* most of them are not there */
    }
}

static void reset_memory(const char *url)
{
    (void)url; /* it is gone when it is closed */
}

/* Nothing is there before the first store was opened. What belongs to a flow goes with it. */
static void reset_postgres(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, "DO $$ BEGIN IF to_regclass('schema_version') IS NOT NULL THEN"
                                          " DELETE FROM flows; DELETE FROM workers; DELETE FROM dead_letters;"
                                          " DELETE FROM users; DELETE FROM api_keys; DELETE FROM settings;"
                                          " DELETE FROM audit_log; DELETE FROM node_definitions; DELETE FROM backfills;"
                                          " DELETE FROM variables; DELETE FROM secrets; END IF; END $$");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        (void)fprintf(stderr, "%s\n", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

int main(void)
{
    char folder[] = "/tmp/caudal-store-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    AUTO_FREE char *url = mem_printf("sqlite:%s/test.db", folder);
    struct test_postgres *server = test_postgres_start();
    const char *postgres = test_postgres_url(server);
    const struct store_contract contracts[] = {
        {.name = "sqlite file", .url = url, .lasting = true, .reset = reset_file},
        {.name = "sqlite file, manual", .url = url, .manual = true, .lasting = true, .reset = reset_file},
        {.name = "sqlite memory", .url = "sqlite::memory:", .reset = reset_memory},
        {.name = "sqlite memory, manual", .url = "sqlite::memory:", .manual = true, .reset = reset_memory},
        {.name = "postgresql", .url = postgres, .lasting = true, .reset = reset_postgres},
        {.name = "postgresql, manual", .url = postgres, .manual = true, .lasting = true, .reset = reset_postgres}};
    int failed = 0;
    for (size_t i = 0; i < sizeof contracts / sizeof *contracts; i++)
        failed += store_contract_run(&contracts[i]);
    test_postgres_stop(server);
    if (rmdir(folder) != 0) {
        perror(folder);
        failed++;
    }
    return failed;
}
