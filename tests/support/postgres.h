/* A real PostgreSQL 15 for tests, in a temporary folder on a free port of 127.0.0.1. */
#pragma once

struct test_postgres;

/* Makes and starts one; the test fails when that is impossible. The server ends with the test's process, whatever
 * happens. */
struct test_postgres *test_postgres_start(void);
/* A streaming replica of it, in a folder and on a port of its own; it reads only. */
struct test_postgres *test_postgres_replica(const struct test_postgres *primary);
const char *test_postgres_url(const struct test_postgres *server); /* postgresql://caudal@127.0.0.1:port/postgres */
int test_postgres_port(const struct test_postgres *server);
/* Ends it as a crash does (immediate shutdown) and starts it again on the same port and data. */
void test_postgres_crash(struct test_postgres *server);
void test_postgres_stop(struct test_postgres *server); /* stops it by its pid and removes the folder; NULL ok */
