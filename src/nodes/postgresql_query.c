/* postgresql-query: runs SQL on a connection of its own (api-contract 4.1). */
#include "nodes/node_int.h"
#include "nodes/pg_value.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 30000
#define PARAMETERS_MAX 65535
#define QUERY_BYTES_MAX (1 << 20)
#define CANCEL_GRACE_MS 5000 /* how long a cancelled statement may take to answer */

struct query {
    PGconn *connection;
    int64_t deadline_us; /* of the call; INT64_MAX: none */
    const char *sql;
    char **values; /* parameters */
    int count;
    struct json *rows; /* of the last statement */
    int64_t row_count, bytes;
    bool in_statement;
};

static void query_done(struct query *query)
{
    PQfinish(query->connection);
    for (int i = 0; i < query->count; i++)
        free(query->values[i]);
    free(query->values);
    json_unref(query->rows);
}

/* libpq ends its messages with a line break. */
static enum err connection_error(const struct query *query, struct error *reterr)
{
    char text[400];
    (void)snprintf(text, sizeof text, "%s", PQerrorMessage(query->connection));
    for (size_t n = strlen(text); n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '); n--)
        text[n - 1] = '\0';
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    return error_set(reterr, ERR_NODE_RETRY, "connectionString", "%s",
                     *text != '\0' ? text : "The connection to PostgreSQL was lost.");
}

/* 1 ready, 0 deadline, -1 failed. */
static int wait_socket(PGconn *connection, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left_us = deadline_us == INT64_MAX ? INT64_C(60000000) : deadline_us - clock_monotonic_us();
        if (left_us <= 0)
            return 0;
        struct pollfd fd = {.fd = PQsocket(connection), .events = events};
        int n = poll(&fd, 1, (int)(left_us / 1000 > 60000 ? 60000 : left_us / 1000 + 1));
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return -1;
    }
}

static enum err connect_timeout(int64_t ms, struct error *reterr)
{
    return error_set(reterr, ERR_NODE_RETRY, "connectionString",
                     "PostgreSQL did not accept the connection within %lld ms.", (long long)ms);
}

static enum err connect_to(struct query *query, const char *address, int64_t timeout_ms, struct error *reterr)
{
    const char *const keys[] = {"dbname", "client_encoding", "fallback_application_name", NULL};
    const char *const values[] = {address, "UTF8", "caudal", NULL};
    int64_t deadline_us = clock_monotonic_us() + timeout_ms * 1000;
    deadline_us = deadline_us < query->deadline_us ? deadline_us : query->deadline_us;
    query->connection = PQconnectStartParams(keys, values, 1);
    if (query->connection == NULL)
        abort(); /* out of memory */
    if (PQstatus(query->connection) == CONNECTION_BAD)
        return connection_error(query, reterr);
    for (PostgresPollingStatusType status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK;) {
        int ready = wait_socket(query->connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us);
        if (ready == 0)
            return connect_timeout(timeout_ms, reterr);
        status = ready < 0 ? PGRES_POLLING_FAILED : PQconnectPoll(query->connection);
        if (status == PGRES_POLLING_FAILED)
            return connection_error(query, reterr);
    }
    return ERR_OK;
}

static enum err server_error(const PGresult *result, struct error *reterr)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE),
               *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    state = state == NULL ? "" : state;
    /* connection, rollback (deadlock, serialization), resources, operator intervention */
    bool retry = strncmp(state, "08", 2) == 0 || strncmp(state, "40", 2) == 0 || strncmp(state, "53", 2) == 0 ||
                 strncmp(state, "57P", 3) == 0;
    return error_set(reterr, retry ? ERR_NODE_RETRY : ERR_NODE, "query", "%s",
                     message != NULL ? message : PQresultErrorMessage(result));
}

static enum err take_rows(struct query *query, const PGresult *result, struct error *reterr)
{
    int columns = PQnfields(result);
    for (int row = 0; row < PQntuples(result); row++) {
        struct json *object = json_object_new();
        for (int i = 0; i < columns; i++) {
            bool is_null = PQgetisnull(result, row, i) != 0;
            int len = PQgetlength(result, row, i);
            query->bytes += len + 16;
            json_set(object, PQfname(result, i),
                     is_null ? NULL : pg_value_decode(PQftype(result, i), PQgetvalue(result, row, i), (size_t)len));
        }
        json_push(query->rows, object);
        if (query->bytes > LIMIT_OUTPUT_BYTES)
            return error_set(reterr, ERR_LIMIT, "query",
                             "The result is larger than %d bytes; select less, or page by page.", LIMIT_OUTPUT_BYTES);
    }
    return ERR_OK;
}

static enum err take_result(struct query *query, const PGresult *result, struct error *reterr)
{
    ExecStatusType status = PQresultStatus(result);
    if (!query->in_statement) { /* only the last statement's rows are kept */
        json_unref(query->rows);
        query->rows = json_array_new();
        query->bytes = query->row_count = 0;
    }
    query->in_statement = status == PGRES_SINGLE_TUPLE;
    switch (status) {
    case PGRES_SINGLE_TUPLE:
        return take_rows(query, result, reterr);
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        query->row_count = strtoll(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
        return ERR_OK;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return error_set(reterr, ERR_UNSUPPORTED, "query", "query must not be a COPY from or to the client.");
    default:
        return server_error(result, reterr);
    }
}

/* Asks the server to stop and waits for its answer, so that the statement does not go on alone. */
static void cancel(struct query *query)
{
    char text[256];
    PGcancel *handle = PQgetCancel(query->connection);
    bool asked = handle != NULL && PQcancel(handle, text, sizeof text) == 1;
    PQfreeCancel(handle);
    int64_t deadline_us = clock_monotonic_us() + (asked ? CANCEL_GRACE_MS * INT64_C(1000) : 0);
    while (PQstatus(query->connection) == CONNECTION_OK) {
        while (PQisBusy(query->connection))
            if (wait_socket(query->connection, POLLIN, deadline_us) != 1 || PQconsumeInput(query->connection) != 1)
                return;
        PGresult *result = PQgetResult(query->connection);
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (result == NULL || status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            return;
    }
}

static enum err next_result(struct query *query, PGresult **ret, struct error *reterr)
{
    while (PQisBusy(query->connection)) {
        int ready = wait_socket(query->connection, POLLIN, query->deadline_us);
        if (ready == 0)
            return error_set(reterr, ERR_DEADLINE, "query",
                             "The statement took longer than the node may, and was cancelled.");
        if (ready < 0 || PQconsumeInput(query->connection) != 1)
            return connection_error(query, reterr);
    }
    *ret = PQgetResult(query->connection);
    return ERR_OK;
}

/* Sends everything; a server that does not read must not hold the thread. */
static enum err flush(struct query *query, struct error *reterr)
{
    int left;
    while ((left = PQflush(query->connection)) == 1) {
        int ready = wait_socket(query->connection, POLLOUT | POLLIN, query->deadline_us);
        if (ready == 0)
            return error_set(reterr, ERR_DEADLINE, "query", "The query could not be sent in the node's time.");
        if (ready < 0 || PQconsumeInput(query->connection) != 1)
            return connection_error(query, reterr);
    }
    return left == 0 ? ERR_OK : connection_error(query, reterr);
}

static enum err run(struct query *query, struct error *reterr)
{
    (void)PQsetnonblocking(query->connection, 1);
    int sent = query->count == 0 ? PQsendQuery(query->connection, query->sql)
                                 : PQsendQueryParams(query->connection, query->sql, query->count, NULL,
                                                     (const char *const *)query->values, NULL, NULL, 0);
    if (sent != 1)
        return connection_error(query, reterr);
    (void)PQsetSingleRowMode(query->connection); /* bounds what is in memory */
    enum err code = flush(query, reterr);
    while (code == ERR_OK) {
        PGresult *result = NULL;
        code = next_result(query, &result, reterr);
        if (code != ERR_OK || result == NULL)
            break;
        code = take_result(query, result, reterr);
        PQclear(result);
    }
    if (code == ERR_DEADLINE || code == ERR_LIMIT || code == ERR_UNSUPPORTED)
        cancel(query);
    return code;
}

/* The decoding reads ISO dates and PostgreSQL's intervals; a server may be set otherwise. */
static enum err set_styles(struct query *query, struct error *reterr)
{
    static const struct {
        const char *name, *prefix, *sql;
    } styles[] = {{"DateStyle", "ISO", "SET datestyle TO ISO"},
                  {"IntervalStyle", "postgres", "SET intervalstyle TO postgres"}};
    for (size_t i = 0; i < 2; i++) {
        const char *now = PQparameterStatus(query->connection, styles[i].name);
        if (now == NULL ||
            (strncmp(now, styles[i].prefix, strlen(styles[i].prefix)) == 0 && strcmp(now, "postgres_verbose") != 0))
            continue;
        struct query own = *query;
        own.sql = styles[i].sql;
        own.count = 0;
        own.rows = NULL;
        enum err code = run(&own, reterr);
        json_unref(own.rows);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err encode_parameters(const struct json *list, struct query *query, struct error *reterr)
{
    size_t count = json_count(list);
    if (count > PARAMETERS_MAX)
        return error_set(reterr, ERR_VALIDATION, "parameters", "parameters must have at most %d elements, not %zu.",
                         PARAMETERS_MAX, count);
    query->values = mem_array(count == 0 ? 1 : count, sizeof *query->values);
    query->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "parameters[%zu]", i);
        enum err code = pg_value_encode(json_at(list, i), path, &query->values[i], reterr);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static bool has_nul(const struct node_call *call, const char *name)
{
    return strlen(node_input_str(call, name, "")) != json_as_str_len(json_get(call->inputs, name));
}

static enum err check(const struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *address = node_input_str(call, "connectionString", "");
    if (strncmp(address, "postgresql://", 13) != 0 && strncmp(address, "postgres://", 11) != 0)
        return error_set(reterr, ERR_VALIDATION, "connectionString",
                         "connectionString must look like postgresql://user:password@host:5432/database.");
    if (json_get(call->inputs, "query") == NULL)
        return error_set(reterr, ERR_VALIDATION, "query", "query must be SQL text, not null.");
    if (has_nul(call, "query") || has_nul(call, "connectionString"))
        return error_set(reterr, ERR_VALIDATION, has_nul(call, "query") ? "query" : "connectionString",
                         "It must not contain a NUL character.");
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = check(call, reterr);
    if (code != ERR_OK)
        return code;
    int64_t connect_ms = json_get_int(call->inputs, "timeout", CONNECT_TIMEOUT_MS);
    struct query query = {.sql = node_input_str(call, "query", ""),
                          .deadline_us =
                              call->timeout_ms > 0 ? clock_monotonic_us() + call->timeout_ms * 1000 : INT64_MAX};
    code = encode_parameters(json_get(call->inputs, "parameters"), &query, reterr);
    if (code == ERR_OK)
        code = connect_to(&query, node_input_str(call, "connectionString", ""), connect_ms, reterr);
    if (code == ERR_OK)
        code = set_styles(&query, reterr);
    if (code == ERR_OK)
        code = run(&query, reterr);
    if (code == ERR_OK) {
        node_call_set(call, "result", query.rows != NULL ? query.rows : json_array_new());
        node_call_set(call, "rowCount", json_int_new(query.row_count));
        call->records = query.row_count;
        query.rows = NULL;
    }
    query_done(&query);
    return code;
}

static const struct flow_pin inputs[] = {
    {.name = "connectionString",
     .type = "string",
     .required = true,
     .description = "postgresql://user:password@host:port/database"},
    {.name = "query",
     .type = "string",
     .required = true,
     .description = "SQL; $1, $2 … stand for the parameters.",
     .default_json = "\"SELECT * FROM users LIMIT 10\""},
    {.name = "parameters",
     .type = "array",
     .description = "Values for $1, $2 …; with any, the query must be one statement.",
     .default_json = "[]"},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "result", .type = "array", .description = "The rows, one object each."},
    {.name = "rowCount", .type = "number", .description = "Rows returned or changed."},
    {0}};
static const struct flow_rule rules[] = {{"data-filter", "result", "data", "full"},
                                         {"field-mapper", "result", "source", "full"},
                                         {"mongodb-operations", "result", "document", "partial"},
                                         {0}};
static const struct field fields[] = {
    {.name = "connectionString",
     .widget = "connection",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 4000,
     .pattern = "^postgres(ql)?://.*",
     .secret = true,
     .help = "Address of the database with user and password."},
    {.name = "query",
     .label = "SQL",
     .widget = "sql",
     .kind = FIELD_STRING,
     .max = QUERY_BYTES_MAX,
     .help = "SQL; several statements are allowed without parameters, the last one's rows count."},
    {.name = "parameters",
     .kind = FIELD_ARRAY,
     .max = PARAMETERS_MAX,
     .nullable = true,
     .help = "Values for $1, $2 …; lists become PostgreSQL arrays, objects JSON."},
    {.name = "timeout",
     .label = "Time to connect (ms)",
     .kind = FIELD_INT,
     .min = 1,
     .max = 3600000,
     .default_json = "30000",
     .help = "Milliseconds until the connection must stand."},
    {0}};
static const struct node_example examples[] = {
    {"Typed values", "bigint and numeric come as text, so that no digit is lost.",
     "{\"connectionString\":\"postgresql://user:password@localhost:5432/shop\","
     "\"query\":\"SELECT $1::int AS id, count(*) AS orders, sum(n) AS total FROM generate_series(1, 3) "
     "n\",\"parameters\":[7]}",
     "{\"result\":[{\"id\":7,\"orders\":\"3\",\"total\":\"6\"}],\"rowCount\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"Connection refused", "Nothing listens at that address.",
     "Check host and port, and that the server listens on more than localhost."},
    {"A count is text", "count(*) is bigint, which JavaScript numbers cannot hold.", "Cast it: count(*)::int."},
    {"cannot insert multiple commands into a prepared statement", "The query has parameters and several statements.",
     "Use one statement for each node."},
    {0}};

const struct node_type node_postgresql_query = {
    .spec = {.type = "postgresql-query",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "parameters"},
    .name = "PostgreSQL Query",
    .version = "1.0.0",
    .description = "Runs SQL on a PostgreSQL database.",
    .category = "database",
    .icon = "postgresql",
    .timeout_ms = 30000,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"database", "postgresql", "sql", "query", NULL},
    .related = (const char *const[]){"data-filter", "field-mapper", "mongodb-operations", NULL},
    .purpose = "Use it to read rows into a flow or to write from one. Each execution has a connection of its own, "
               "which is always closed.",
    .requirements = (const char *const[]){"The worker reaches the database.", NULL},
    .limitations =
        (const char *const[]){"Results are limited to 64 MiB.", "COPY from and to the client is not available.",
                              "Each execution commits by itself; a transaction cannot span nodes.", NULL},
    .best_practices = (const char *const[]){"Pass values as parameters, never by writing them into the SQL.",
                                            "Write so that a repeat does no harm (INSERT … ON CONFLICT).", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
