/* Connections to PostgreSQL: opening, waiting for results, errors in our words. */
#include "store/postgres/postgres_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_WAIT_MS = 60000, /* a server silent for longer is given up */
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MOST_MS = 2000,
    RECONNECT_WAIT_MS = 10000 /* before those who wait are told */
};

/* ---- errors */

/* One line: libpq's messages have several. */
static void first_line(const char *text, char *out, size_t cap)
{
    size_t n = strcspn(text == NULL ? "" : text, "\n");
    n = n < cap ? n : cap - 1;
    memcpy(out, text == NULL ? "" : text, n);
    out[n] = '\0';
}

enum err pg_lost(const PGconn *connection, struct error *reterr)
{
    char line[300];
    first_line(connection == NULL ? "" : PQerrorMessage(connection), line, sizeof line);
    return error_set(reterr, ERR_STORE_BUSY, NULL, "The connection to the database is lost%s%s",
                     line[0] == '\0' ? "." : ": ", line);
}

static enum sql_constraint constraint_of(const char *state, const char *name)
{
    if (strcmp(state, "23503") == 0)
        return SQL_CONSTRAINT_REFERENCE;
    size_t n = strlen(name);
    if (strcmp(state, "23505") == 0 && n > 5 && strcmp(name + n - 5, "_pkey") == 0)
        return SQL_CONSTRAINT_PRIMARY_KEY;
    return SQL_CONSTRAINT_UNIQUE;
}

/* By class of SQLSTATE (PostgreSQL's appendix A). */
enum err pg_error(const PGresult *result, enum sql_constraint *ret_constraint, bool *ret_passing, struct error *reterr)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *name = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    state = state == NULL ? "08000" : state;
    text = text == NULL ? "no message" : text;
    *ret_constraint = SQL_CONSTRAINT_NONE;
    *ret_passing = strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
    if (strncmp(state, "23", 2) == 0) {
        *ret_constraint = constraint_of(state, name == NULL ? "" : name);
        return error_set(reterr, ERR_CONFLICT, NULL, "Something with that id or name is there already (%s).", text);
    }
    if (strcmp(state, "53100") == 0)
        return error_set(reterr, ERR_STORE_FULL, NULL, "The database's disk is full.");
    if (strcmp(state, "54000") == 0 || strcmp(state, "54001") == 0)
        return error_set(reterr, ERR_TOO_LARGE, NULL, "A value is larger than the database can hold: %s.", text);
    if (strncmp(state, "22", 2) == 0)
        return error_set(reterr, ERR_VALIDATION, NULL, "A value is not one that the database can hold: %s.", text);
    /* 42: this program's statements and the schema do not fit; XX: damage. The others pass or are an operator's. */
    if (strncmp(state, "42", 2) == 0 && strcmp(state, "42501") != 0)
        return error_set(reterr, ERR_INTERNAL, NULL, "PostgreSQL: %s (%s).", text, state);
    return error_set(reterr, ERR_STORE_BUSY, NULL, "The database cannot be used now: %s (%s).", text, state);
}

/* ---- opening */

/* A dead peer must be noticed; a writer wants a primary. What the URL says itself has precedence. */
static PGconn *open_connection(const struct store_backend *backend, bool primary)
{
    const char *const keys[] = {"connect_timeout",      "keepalives_idle",
                                "keepalives_interval",  "keepalives_count",
                                "tcp_user_timeout",     "application_name",
                                "target_session_attrs", "dbname",
                                "client_encoding",      NULL};
    const char *const values[] = {"5",          "5",    "2", "3", "15000", "caudal", primary ? "read-write" : "any",
                                  backend->url, "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result; /* such as that something is there already */
}

enum err pg_connect(const struct store_backend *backend, bool writer, PGconn **ret, struct error *reterr)
{
    PGconn *connection = open_connection(backend, writer);
    if (connection == NULL)
        abort(); /* memory */
    if (PQstatus(connection) != CONNECTION_OK) {
        char line[300];
        first_line(PQerrorMessage(connection), line, sizeof line);
        PQfinish(connection);
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The database cannot be reached: %s", line);
    }
    (void)PQsetNoticeReceiver(connection, ignore_notice, NULL);
    /* A writer's lock must not outlive a service that stands still. */
    enum err code = pg_simple(connection,
                              "SET idle_in_transaction_session_timeout = '60s'; SET lock_timeout = '20s';"
                              " SET synchronous_commit = 'on'; SET jit = off; SET plan_cache_mode = force_generic_plan",
                              NULL, reterr);
    if (code == ERR_OK && (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1))
        code = pg_lost(connection, reterr);
    if (code != ERR_OK) {
        PQfinish(connection);
        return code;
    }
    *ret = connection;
    return ERR_OK;
}

void pg_disconnect(struct pg_session *session)
{
    PQfinish(session->connection); /* NULL is fine */
    session->connection = NULL;
    session->sent_count = 0;
    for (size_t i = 0; i < PG_STATEMENT_SLOTS; i++)
        session->slots[i].prepared = false;
}

static void wait_ms(int64_t ms)
{
    if (ms > 0)
        (void)poll(NULL, 0, (int)ms);
}

enum err pg_reconnect(struct pg_session *session, struct error *reterr)
{
    if (session->connection != NULL && PQstatus(session->connection) == CONNECTION_OK)
        return ERR_OK;
    pg_disconnect(session);
    for (int64_t end_us = clock_monotonic_us() + INT64_C(1000) * RECONNECT_WAIT_MS;;) {
        wait_ms((session->retry_at_us - clock_monotonic_us()) / 1000);
        enum err code = pg_connect(session->backend, session->writer, &session->connection, reterr);
        if (code == ERR_OK) {
            session->backoff_ms = 0;
            return ERR_OK;
        }
        session->backoff_ms = session->backoff_ms == 0                    ? BACKOFF_FIRST_MS
                              : session->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS
                                                                          : session->backoff_ms * 2;
        session->retry_at_us = clock_monotonic_us() + INT64_C(1000) * session->backoff_ms;
        if (session->retry_at_us >= end_us)
            return code;
    }
}

/* ---- waiting */

/* false: the connection is no more. */
static bool wait_for_server(PGconn *connection)
{
    int flush = PQflush(connection);
    struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
    if (flush < 0 || fd.fd < 0)
        return false;
    if (flush == 1)
        fd.events |= POLLOUT;
    int ready = poll(&fd, 1, ANSWER_WAIT_MS);
    return ready > 0 ? PQconsumeInput(connection) == 1 : ready < 0; /* a signal: once more */
}

PGresult *pg_next_result(PGconn *connection)
{
    while (PQisBusy(connection))
        if (!wait_for_server(connection))
            return NULL;
    return PQgetResult(connection);
}
