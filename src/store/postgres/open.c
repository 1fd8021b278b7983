/* The PostgreSQL back end: sessions and transactions. */
#include "store/postgres/postgres_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static void backend_close(struct store_backend *backend)
{
    free(backend->url);
    free(backend);
}

static enum err backend_open(const char *url, const struct store_options *options, struct store_backend **ret,
                             struct error *reterr)
{
    char *problem = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &problem);
    if (parsed == NULL) {
        enum err code = error_set(reterr, ERR_VALIDATION, "url", "The database's URL cannot be read: %.*s",
                                  (int)strcspn(problem, "\n"), problem);
        PQfreemem(problem);
        return code;
    }
    PQconninfoFree(parsed);
    struct store_backend *backend = mem_alloc(sizeof *backend);
    backend->url = mem_dup(url);
    backend->read_only = options->read_only;
    *ret = backend;
    return ERR_OK;
}

static void session_close(struct store_session *s)
{
    struct pg_session *session = pg_of(s);
    pg_disconnect(session);
    PQclear(session->result);
    sql_session_done(&session->base);
    free(session->sent);
    free(session->outcomes);
    free(session->known);
    free(session);
}

static enum err prepare_schema(struct pg_session *session, struct error *reterr)
{
    if (PQexitPipelineMode(session->connection) != 1 || PQsetnonblocking(session->connection, 0) != 0)
        return pg_lost(session->connection, reterr);
    enum err code = session->backend->read_only ? pg_schema_check(session->connection, reterr)
                                                : pg_schema_migrate(session->connection, pg_schema_latest(), reterr);
    if (code == ERR_OK &&
        (PQsetnonblocking(session->connection, 1) != 0 || PQenterPipelineMode(session->connection) != 1))
        code = pg_lost(session->connection, reterr);
    return code;
}

/* The first session of a store brings the schema up to date, or looks at it. */
static enum err session_open(struct store_backend *backend, bool first, struct store_session **ret,
                             struct error *reterr)
{
    struct pg_session *session = mem_alloc(sizeof *session);
    session->base = (struct sql_session){.base.ops = &store_postgres_ops, .driver = &postgres_driver};
    session->backend = backend;
    session->writer = first && !backend->read_only;
    enum err code = pg_connect(backend, session->writer, &session->connection, reterr);
    if (code == ERR_OK && first)
        code = prepare_schema(session, reterr);
    if (code != ERR_OK) {
        session_close(&session->base.base);
        return code;
    }
    *ret = &session->base.base;
    return ERR_OK;
}

/* ---- transactions */

/* What the last run of the same writes has shown is of use only if it ended by something passing. */
static void keep_outcomes(struct pg_session *session)
{
    bool *known = session->known;
    size_t cap = session->known_cap;
    bool useful = session->defers && session->failure == PG_FAILURE_PASSING;
    session->known_count = useful ? session->outcome_count : 0;
    session->known = session->outcomes;
    session->known_cap = session->outcome_cap;
    session->outcomes = known;
    session->outcome_cap = cap;
    session->outcome_count = session->asked_count = 0;
}

static enum err begin(struct store_session *s, enum store_transaction kind, struct error *reterr)
{
    struct pg_session *session = pg_of(s);
    keep_outcomes(session);
    session->broken = false;
    session->failure = PG_FAILURE_NONE;
    session->in_transaction = false;
    enum err code = pg_reconnect(session, reterr);
    if (code != ERR_OK)
        return code;
    session->defers = kind == STORE_TRANSACTION_DEFERRED;
    session->in_transaction = true;
    code = pg_send_command(
        session, kind == STORE_TRANSACTION_READ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN", reterr);
    if (code != ERR_OK)
        session->in_transaction = false;
    return code;
}

static bool in_transaction(struct store_session *s)
{
    return pg_of(s)->in_transaction && !pg_of(s)->broken;
}

static void rollback(struct store_session *s)
{
    struct pg_session *session = pg_of(s);
    struct error ignored;
    if (!session->in_transaction)
        return;
    enum pg_failure failure = session->failure; /* stays for `again` */
    session->broken = false;
    if (session->connection != NULL &&
        (pg_send_command(session, "ROLLBACK", &ignored) != ERR_OK || pg_settle(session, &ignored) != ERR_OK))
        pg_disconnect(session); /* then the server rolls back */
    session->in_transaction = false;
    session->broken = false;
    session->failure = failure;
}

static enum err settle(struct store_session *s, struct error *reterr)
{
    return pg_settle(pg_of(s), reterr);
}

static enum err commit(struct store_session *s, struct error *reterr)
{
    struct pg_session *session = pg_of(s);
    enum err code = pg_settle(session, reterr); /* a failure up to here is known to have changed nothing */
    if (code == ERR_OK && !session->in_transaction)
        code = error_set(reterr, ERR_STORE_BUSY, NULL, "The database gave the transaction up before its commit.");
    if (code != ERR_OK) {
        rollback(s);
        return code;
    }
    code = pg_send_command(session, "COMMIT", reterr);
    if (code == ERR_OK)
        code = pg_settle(session, reterr);
    bool lost = session->connection == NULL;
    session->in_transaction = false;
    session->broken = false;
    session->failure = PG_FAILURE_FINAL; /* not PASSING: it must not run again */
    if (lost)
        return error_set(reterr, ERR_STORE_UNKNOWN, NULL, "The database did not say whether it committed.");
    return code; /* the server has rolled back what it refused to commit */
}

static bool again(struct store_session *s)
{
    return pg_of(s)->failure == PG_FAILURE_PASSING;
}

static enum err savepoint(struct store_session *s, struct error *reterr)
{
    return pg_send_command(pg_of(s), "SAVEPOINT member", reterr);
}

static enum err savepoint_release(struct store_session *s, struct error *reterr)
{
    return pg_send_command(pg_of(s), "RELEASE SAVEPOINT member", reterr);
}

static enum err savepoint_rollback(struct store_session *s, struct error *reterr)
{
    enum err code = pg_send_command(pg_of(s), "ROLLBACK TO SAVEPOINT member", reterr);
    return code == ERR_OK ? savepoint_release(s, reterr) : code;
}

static void stats(struct store_backend *backend, struct store_stats *ret)
{
    struct store_session *s = NULL;
    struct error ignored; /* sizes that cannot be had are 0 */
    if (session_open(backend, false, &s, &ignored) != ERR_OK)
        return;
    int64_t bytes = 0;
    if (sql_number(s, &bytes, &ignored, "SELECT pg_database_size(current_database())", "") == ERR_OK)
        ret->db_bytes = bytes;
    session_close(s);
}

#define OPERATIONS                                                                                                     \
    .open = backend_open, .close = backend_close, .session_open = session_open, .session_close = session_close,        \
    .defers = true, .is_shared = true, .begin = begin, .settle = settle, .commit = commit, .rollback = rollback,       \
    .again = again, .savepoint = savepoint, .savepoint_release = savepoint_release,                                    \
    .savepoint_rollback = savepoint_rollback, .in_transaction = in_transaction, .stats = stats

const struct store_backend_ops store_postgres_ops = {.scheme = "postgresql://", OPERATIONS};
const struct store_backend_ops store_postgres_short_ops = {.scheme = "postgres://", OPERATIONS};
