/* The PostgreSQL driver: statements sent down a pipeline, results read when somebody asks for one. */
#include "store/postgres/postgres_int.h"

#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 40, SENT_MAX = 512 }; /* then results are read, so that neither side's buffers fill */

struct pg_rows {
    struct sql_rows base; /* first */
    PGresult *result;
    int row;
    unsigned char *bytes; /* the column decoded last */
};

/* ---- sending */

static enum err break_off(struct pg_session *session, enum pg_failure failure, const struct error *error)
{
    if (!session->broken) {
        session->broken = true;
        session->reason = *error;
        session->failure = failure;
    }
    return error->code;
}

static enum err lose(struct pg_session *session, struct error *reterr)
{
    struct error error = {0};
    enum err code = pg_lost(session->connection, &error);
    if (reterr != NULL)
        *reterr = error;
    (void)break_off(session, PG_FAILURE_PASSING, &error);
    pg_disconnect(session);
    return code;
}

static struct pg_sent *note_sent(struct pg_session *session, int kind, bool predicted)
{
    if (session->sent_count == session->sent_cap) {
        session->sent_cap = session->sent_cap == 0 ? 64 : session->sent_cap * 2;
        session->sent = mem_resize(session->sent, session->sent_cap * sizeof *session->sent);
    }
    struct pg_sent *sent = &session->sent[session->sent_count++];
    *sent = (struct pg_sent){.predicted = predicted};
    sent->kind = kind;
    return sent;
}

/* What is broken stays so until the rollback. Outside of a transaction a lost connection is opened again. */
static enum err check_usable(struct pg_session *session, struct error *reterr)
{
    if (session->broken) {
        if (reterr != NULL)
            *reterr = session->reason;
        if (reterr != NULL && !session->reason.code)
            reterr->code = ERR_STORE_BUSY;
        return ERR_STORE_BUSY;
    }
    if (session->connection == NULL && session->in_transaction)
        return lose(session, reterr);
    return session->connection == NULL ? pg_reconnect(session, reterr) : ERR_OK;
}

enum err pg_send_command(struct pg_session *session, const char *sql, struct error *reterr)
{
    enum err code = check_usable(session, reterr);
    if (code != ERR_OK)
        return code;
    if (PQsendQueryParams(session->connection, sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
        return lose(session, reterr);
    (void)note_sent(session, PG_SENT_COMMAND, false);
    return ERR_OK;
}

struct params {
    const char *values[VALUES_MAX];
    int lengths[VALUES_MAX], formats[VALUES_MAX];
    char numbers[VALUES_MAX][24];
};

static void fill(struct params *params, const struct sql_value *values, int count)
{
    for (int i = 0; i < count; i++) {
        const struct sql_value *value = &values[i];
        params->formats[i] = value->kind == SQL_BYTES;
        params->lengths[i] = value->kind == SQL_BYTES ? (int)value->size : 0;
        params->values[i] = value->kind == SQL_TEXT ? value->text : value->kind == SQL_BYTES ? value->bytes : NULL;
        if (value->kind == SQL_INT) {
            (void)snprintf(params->numbers[i], sizeof params->numbers[i], "%" PRId64, value->number);
            params->values[i] = params->numbers[i];
        }
    }
}

/* Literals have addresses of their own, so the address is key enough. *ret is the slot's number. */
static enum err find_slot(struct pg_session *session, const char *sql, size_t *ret, struct error *reterr)
{
    size_t at = ((uintptr_t)sql * 0x9E3779B97F4A7C15u) >> 55;
    for (size_t i = 0; i < PG_STATEMENT_SLOTS; i++, at = (at + 1) % PG_STATEMENT_SLOTS)
        if (session->slots[at].sql == NULL || session->slots[at].sql == sql) {
            session->slots[at].sql = sql;
            *ret = at;
            return ERR_OK;
        }
    return error_set(reterr, ERR_INTERNAL, NULL, "The store has more statements than its cache has room.");
}

static enum err send_prepared(struct pg_session *session, const char *sql, const struct params *params, int count,
                              struct error *reterr)
{
    size_t slot = 0;
    char name[16];
    enum err code = find_slot(session, sql, &slot, reterr);
    if (code != ERR_OK)
        return code;
    (void)snprintf(name, sizeof name, "s%zu", slot);
    if (!session->slots[slot].prepared) {
        AUTO_FREE char *text = sql_translate(&postgres_driver, sql, '$');
        if (PQsendPrepare(session->connection, name, text, 0, NULL) != 1)
            return lose(session, reterr);
        note_sent(session, PG_SENT_PREPARE, false)->slot = slot;
        session->slots[slot].prepared = true; /* until its result says otherwise */
    }
    if (PQsendQueryPrepared(session->connection, name, count, params->values, params->lengths, params->formats, 0) != 1)
        return lose(session, reterr);
    return ERR_OK;
}

static enum err send_once(struct pg_session *session, const char *sql, const struct params *params, int count,
                          struct error *reterr)
{
    AUTO_FREE char *text = sql_translate(&postgres_driver, sql, '$');
    return PQsendQueryParams(session->connection, text, count, NULL, params->values, params->lengths, params->formats,
                             0) == 1
               ? ERR_OK
               : lose(session, reterr);
}

static enum err send_values(struct pg_session *session, const char *sql, bool is_literal,
                            const struct sql_value *values, int count, int kind, bool predicted, struct error *reterr)
{
    struct params params;
    if (count > VALUES_MAX)
        return error_set(reterr, ERR_INTERNAL, NULL, "A statement has more than %d values.", VALUES_MAX);
    fill(&params, values, count);
    enum err code = check_usable(session, reterr);
    if (code == ERR_OK && session->sent_count >= SENT_MAX)
        code = pg_settle(session, reterr);
    if (code == ERR_OK)
        code = is_literal ? send_prepared(session, sql, &params, count, reterr)
                          : send_once(session, sql, &params, count, reterr);
    if (code == ERR_OK)
        (void)note_sent(session, kind, predicted);
    return code;
}

/* ---- reading results */

static void remember_outcome(struct pg_session *session, bool met)
{
    if (session->outcome_count == session->outcome_cap) {
        session->outcome_cap = session->outcome_cap == 0 ? 64 : session->outcome_cap * 2;
        session->outcomes = mem_resize(session->outcomes, session->outcome_cap * sizeof *session->outcomes);
    }
    session->outcomes[session->outcome_count++] = met;
}

/* What one sent statement came to. The first failure is kept; what was skipped because of it says nothing. */
static void note_result(struct pg_session *session, const struct pg_sent *sent, PGresult *take_result,
                        struct error *failure, bool *passing)
{
    ExecStatusType status = PQresultStatus(take_result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (sent->kind == PG_SENT_PREPARE)
        session->slots[sent->slot].prepared = good;
    if (!good && status != PGRES_PIPELINE_ABORTED && failure->code == ERR_OK)
        (void)pg_error(take_result, &session->constraint, passing, failure);
    if (good && (sent->kind == PG_SENT_EXPECTATION || sent->kind == PG_SENT_ROWS)) {
        session->changed = strtoll(PQcmdTuples(take_result), NULL, 10);
        PQclear(session->result);
        session->result = take_result;
        if (sent->kind == PG_SENT_EXPECTATION)
            remember_outcome(session, session->changed > 0);
        return;
    }
    PQclear(take_result);
}

/* Reads all results up to the sync. false: the connection was lost. */
static bool read_all(struct pg_session *session, struct error *failure, bool *passing, bool *ret_surprise)
{
    PGconn *connection = session->connection;
    for (size_t i = 0; i < session->sent_count; i++) {
        PGresult *result = pg_next_result(connection);
        if (result == NULL || PQstatus(connection) != CONNECTION_OK) {
            PQclear(result);
            return false;
        }
        size_t before = session->outcome_count;
        note_result(session, &session->sent[i], result, failure, passing);
        if (session->outcome_count > before &&
            session->outcomes[before] != session->sent[i].predicted) /* the rest of its verb did not fit */
            *ret_surprise = true;
        result = pg_next_result(connection); /* NULL ends a statement's results */
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK)
            return false;
    }
    PGresult *sync = pg_next_result(connection);
    bool good = sync != NULL && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return good;
}

enum err pg_settle(struct pg_session *session, struct error *reterr)
{
    struct error failure = {0};
    bool passing = false, surprise = false;
    if (session->broken || session->connection == NULL)
        return check_usable(session, reterr);
    if (session->sent_count == 0)
        return ERR_OK;
    session->changed = 0;
    session->constraint = SQL_CONSTRAINT_NONE;
    if (PQpipelineSync(session->connection) != 1 || !read_all(session, &failure, &passing, &surprise))
        return lose(session, reterr);
    session->sent_count = 0;
    if (failure.code == ERR_OK && surprise) {
        (void)error_set(&failure, ERR_STORE_BUSY, NULL, "A statement of the transaction met something else.");
        passing = true;
    }
    if (failure.code == ERR_OK)
        return ERR_OK;
    if (reterr != NULL)
        *reterr = failure;
    return break_off(session, passing ? PG_FAILURE_PASSING : PG_FAILURE_FINAL, &failure);
}

/* After a failure: the transaction lives on from before the statement. */
static void go_back(struct pg_session *session)
{
    struct error reason = session->reason, ignored;
    enum sql_constraint broke = session->constraint;
    if (session->connection == NULL || session->failure == PG_FAILURE_PASSING)
        return;
    session->broken = false;
    if (pg_send_command(session, "ROLLBACK TO SAVEPOINT statement", &ignored) != ERR_OK ||
        pg_settle(session, &ignored) != ERR_OK)
        session->broken = true;
    session->reason = reason;
    session->constraint = broke;
}

/* Sends a statement and waits for its result. Within an exact transaction its failure undoes it alone. */
static enum err send_and_wait(struct pg_session *session, const char *sql, bool is_literal,
                              const struct sql_value *values, int count, struct error *reterr)
{
    bool guarded = session->in_transaction && session->writer && !session->defers;
    enum err code = guarded ? pg_settle(session, reterr) : ERR_OK; /* what went before is not its concern */
    if (code == ERR_OK && guarded)
        code = pg_send_command(session, "SAVEPOINT statement", reterr);
    if (code == ERR_OK)
        code = send_values(session, sql, is_literal, values, count, PG_SENT_ROWS, false, reterr);
    if (code == ERR_OK && guarded)
        code = pg_send_command(session, "RELEASE SAVEPOINT statement", reterr);
    if (code != ERR_OK)
        return code;
    code = pg_settle(session, reterr);
    if (code != ERR_OK && guarded)
        go_back(session);
    if (code != ERR_OK && !session->in_transaction)
        session->broken = false; /* there is nothing to roll back */
    return code;
}

/* ---- the driver's verbs */

static enum err query(struct store_session *s, const char *sql, bool is_literal, const struct sql_value *values,
                      int count, struct sql_rows **ret, struct error *reterr)
{
    struct pg_session *session = pg_of(s);
    enum err code = send_and_wait(session, sql, is_literal, values, count, reterr);
    if (code != ERR_OK)
        return code;
    struct pg_rows *rows = mem_alloc(sizeof *rows);
    *rows = (struct pg_rows){.base.driver = &postgres_driver, .result = session->result, .row = -1};
    session->result = NULL;
    *ret = &rows->base;
    return ERR_OK;
}

static enum err run(struct store_session *s, const char *sql, bool now, const struct sql_value *values, int count,
                    int64_t *ret_changed, struct error *reterr)
{
    struct pg_session *session = pg_of(s);
    *ret_changed = 0;
    if (!now && session->defers)
        return send_values(session, sql, true, values, count, PG_SENT_COMMAND, false, reterr);
    enum err code = send_and_wait(session, sql, true, values, count, reterr);
    if (code == ERR_OK)
        *ret_changed = session->changed;
    return code;
}

/* What the run before has shown of the same expectation; without that, that it is met. */
static bool predict(struct pg_session *session)
{
    size_t at = session->asked_count++;
    return at >= session->known_count || session->known[at];
}

static enum err expect(struct store_session *s, const char *sql, const struct sql_value *values, int count,
                       bool *ret_met, struct error *reterr)
{
    struct pg_session *session = pg_of(s);
    enum err code = ERR_OK;
    if (session->defers) {
        bool predicted = predict(session);
        code = send_values(session, sql, true, values, count, PG_SENT_EXPECTATION, predicted, reterr);
        if (code == ERR_OK)
            *ret_met = predicted;
        return code;
    }
    code = send_and_wait(session, sql, true, values, count, reterr);
    if (code == ERR_OK)
        *ret_met = session->changed > 0;
    return code;
}

static enum err step(struct sql_rows *base, bool *ret_row, struct error *reterr)
{
    struct pg_rows *rows = (struct pg_rows *)base;
    (void)reterr;
    *ret_row = rows->row + 1 < PQntuples(rows->result);
    if (*ret_row)
        rows->row++;
    return ERR_OK;
}

static void reset(struct sql_rows *base)
{
    struct pg_rows *rows = (struct pg_rows *)base;
    PQclear(rows->result);
    PQfreemem(rows->bytes);
    free(rows);
}

static bool is_null(struct sql_rows *base, int column)
{
    struct pg_rows *rows = (struct pg_rows *)base;
    return PQgetisnull(rows->result, rows->row, column) != 0;
}

static const char *text(struct sql_rows *base, int column)
{
    struct pg_rows *rows = (struct pg_rows *)base;
    return is_null(base, column) ? NULL : PQgetvalue(rows->result, rows->row, column);
}

static int64_t number(struct sql_rows *base, int column)
{
    const char *value = text(base, column);
    return value == NULL ? 0 : strcmp(value, "t") == 0 ? 1 : strtoll(value, NULL, 10);
}

static const void *bytes(struct sql_rows *base, int column, size_t *ret_size)
{
    struct pg_rows *rows = (struct pg_rows *)base;
    *ret_size = 0;
    if (is_null(base, column))
        return NULL;
    PQfreemem(rows->bytes);
    rows->bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(rows->result, rows->row, column), ret_size);
    if (rows->bytes == NULL)
        abort(); /* memory */
    return rows->bytes;
}

static int64_t last_seq(struct store_session *s)
{
    (void)s;
    return 0;
}

static enum sql_constraint constraint(struct store_session *s)
{
    return pg_of(s)->constraint;
}

static enum err drop_old(struct store_session *s, int64_t before_ms, int64_t failed_before_ms, int64_t limit,
                         int64_t *ret_deleted, struct error *reterr)
{
    return sql_number(s, ret_deleted, reterr, "SELECT caudal_drop_days(?, ?, ?)", "iii", before_ms, failed_before_ms,
                      limit);
}

/* Vacuum gives pages back by itself; the days to come get their partitions. */
static enum err give_back(struct store_session *s, struct error *reterr)
{
    int64_t made = 0;
    return sql_number(s, &made, reterr, "SELECT caudal_prepare_days(?)", "i", INT64_C(7));
}

static const struct sql_word words[] = {
    {"key", "id"},
    {"lock", " FOR UPDATE"},
    {"share", " FOR SHARE"},
    {"newline", "chr(10)"},
    {"wanted", "jsonb_array_elements_text(?1::jsonb) w(value)"},
    {"by_idempotency_key", "SELECT execution FROM execution_keys WHERE flow_id=? AND idempotency_key=?"},
    /* Unique keys span all partitions, so they stand apart. */
    {"with_unique_keys", "WITH k AS (INSERT INTO execution_keys(flow_id, idempotency_key, execution) SELECT ?2, ?17, ?1"
                         " WHERE ?17::text IS NOT NULL), i AS (INSERT INTO execution_instants(schedule_id,"
                         " schedule_instant_ms, execution) SELECT ?4, ?5, ?1 WHERE ?4::text IS NOT NULL AND"
                         " ?5::bigint IS NOT NULL) "},
    {NULL, NULL}};

const struct sql_driver postgres_driver = {
    .keyed_by_id = true,
    .words = words,
    .retention_grace_ms = INT64_C(86400000),
    .query = query,
    .run = run,
    .expect = expect,
    .step = step,
    .reset = reset,
    .text = text,
    .number = number,
    .bytes = bytes,
    .is_null = is_null,
    .last_seq = last_seq,
    .constraint = constraint,
    .drop_old = drop_old,
    .give_back = give_back,
};
