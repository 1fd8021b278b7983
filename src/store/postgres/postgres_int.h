/* What the files of the PostgreSQL driver share. The only place in the store that knows libpq. */
#pragma once
#include "store/sql/sql_int.h"
#include <libpq-fe.h>

enum { PG_STATEMENT_SLOTS = 512 };

struct store_backend {
    char *url;
    bool read_only;
};

/* A statement that was sent and whose result has not been read. */
struct pg_sent {
    enum { PG_SENT_COMMAND, PG_SENT_PREPARE, PG_SENT_EXPECTATION, PG_SENT_ROWS } kind;
    bool predicted; /* EXPECTATION: what was said of it */
    size_t slot;    /* PREPARE */
};

/* What the next transaction should do, after the one before it failed. */
enum pg_failure { PG_FAILURE_NONE, PG_FAILURE_FINAL, PG_FAILURE_PASSING };

struct pg_session {
    struct sql_session base; /* first */
    struct store_backend *backend;
    PGconn *connection; /* always in pipeline mode; NULL: to be opened */
    bool writer;

    bool in_transaction; /* BEGIN was sent, and neither COMMIT nor ROLLBACK */
    bool defers;         /* this transaction's statements may be deferred */
    bool broken;         /* nothing more can be done in this transaction */
    struct error reason; /* of that */
    enum pg_failure failure;
    enum sql_constraint constraint; /* that the last statement broke */

    struct pg_sent *sent; /* oldest first */
    size_t sent_count, sent_cap;
    /* What the expectations of this transaction met, in order, and what is known from the run before. */
    bool *outcomes, *known;
    size_t outcome_count, outcome_cap, known_count, known_cap, asked_count;

    PGresult *result;    /* of the statement asked for last */
    int64_t changed;     /* rows */
    int64_t retry_at_us; /* no new connection before this */
    int backoff_ms;
    struct pg_slot {
        const char *sql;
        bool prepared; /* on this connection */
    } slots[PG_STATEMENT_SLOTS];
};

static inline struct pg_session *pg_of(struct store_session *s)
{
    return (struct pg_session *)s;
}

extern const struct sql_driver postgres_driver;

/* ---- connection.c */
/* A connection in pipeline mode, or an error. */
enum err pg_connect(const struct store_backend *backend, bool writer, PGconn **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
/* Makes sure that there is one, trying again for a while. */
enum err pg_reconnect(struct pg_session *session, struct error *reterr) ERROR_MUST_CHECK;
void pg_disconnect(struct pg_session *session);
/* The next result of the pipeline; NULL: the connection was lost or the end of a statement's results. */
PGresult *pg_next_result(PGconn *connection);
/* The failed result in our words; *ret_constraint, *ret_passing: see pg_session. */
enum err pg_error(const PGresult *result, enum sql_constraint *ret_constraint, bool *ret_passing, struct error *reterr);
enum err pg_lost(const PGconn *connection, struct error *reterr); /* returns ERR_STORE_BUSY */

/* ---- statement.c */
/* Sends a text without values whose outcome is looked at later. */
enum err pg_send_command(struct pg_session *session, const char *sql, struct error *reterr) ERROR_MUST_CHECK;
/* Reads what all that was sent has come to. Its first failure breaks the transaction. */
enum err pg_settle(struct pg_session *session, struct error *reterr) ERROR_MUST_CHECK;

/* ---- schema.c */
int pg_schema_latest(void);
enum err pg_schema_migrate(PGconn *connection, int version, struct error *reterr) ERROR_MUST_CHECK;
/* For those who may not migrate: ERR_STORE_BUSY while the schema is older than this program's. */
enum err pg_schema_check(PGconn *connection, struct error *reterr) ERROR_MUST_CHECK;
/* Runs texts without values one after the other, outside of the pipeline's bookkeeping; *ret_text (heap, may be NULL):
 * the first column of the last one's first row. */
enum err pg_simple(PGconn *connection, const char *sql, char **ret_text, struct error *reterr) ERROR_MUST_CHECK;
