/* sqlite-write: inserts records into a table of an SQLite file below the data directory, once per idempotency key. */
#include "nodes/data_dir.h"
#include "nodes/node_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 500
#define ROWS_MAX 1000000
#define BUSY_MS 5000
#define GUARD_DAYS 30 /* no attempt is repeated later than that */

static const char guard_sql[] = "CREATE TABLE IF NOT EXISTS caudal_writes(key TEXT PRIMARY KEY, inserted INTEGER NOT "
                                "NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;"
                                "CREATE INDEX IF NOT EXISTS caudal_writes_at ON caudal_writes(at_ms);";

struct job {
    struct node_call *call;
    sqlite3 *db;
    const char *table, *verb;
    struct json *rows, *columns; /* columns: object, its keys in order */
    int64_t deadline_us;         /* 0: none */
    int64_t inserted;
    bool repeated;
};

static enum err sql_error(const struct job *job, const char *field, struct error *reterr)
{
    int status = sqlite3_errcode(job->db) & 0xFF;
    const char *text = sqlite3_errmsg(job->db);
    switch (status) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(reterr, ERR_NODE_RETRY, NULL, "The SQLite file is in use by someone else: %s.", text);
    case SQLITE_INTERRUPT:
        return error_set(reterr, ERR_DEADLINE, NULL, "Writing took longer than %lld ms; nothing was written.",
                         (long long)job->call->timeout_ms);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return error_set(reterr, ERR_IO, "path", "The SQLite file could not be written: %s.", text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return error_set(reterr, ERR_NODE, "path", "The file is no sound SQLite database: %s.", text);
    default:
        return error_set(reterr, ERR_NODE, field, "SQLite refused it: %s.", text);
    }
}

static int is_late(void *user)
{
    const struct job *job = user;
    return job->deadline_us > 0 && clock_monotonic_us() > job->deadline_us;
}

static enum err open_db(struct job *job, const char *path, struct error *reterr)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    int status = sqlite3_open_v2(path, &job->db, flags, NULL);
    if (job->db == NULL)
        abort(); /* out of memory */
    if (status != SQLITE_OK)
        return sql_error(job, "path", reterr);
    int64_t wait_ms = job->call->timeout_ms > 0 && job->call->timeout_ms < BUSY_MS ? job->call->timeout_ms : BUSY_MS;
    /* The file may come from anywhere: its schema must not call functions with effects. */
    (void)sqlite3_db_config(job->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(job->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_busy_timeout(job->db, (int)wait_ms);
    job->deadline_us = job->call->timeout_ms > 0 ? clock_monotonic_us() + job->call->timeout_ms * 1000 : 0;
    sqlite3_progress_handler(job->db, 10000, is_late, job);
    return ERR_OK;
}

static enum err run_sql(const struct job *job, const char *sql, const char *field, struct error *reterr)
{
    return sqlite3_exec(job->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : sql_error(job, field, reterr);
}

static void add_name(struct buf *sql, const char *name)
{
    buf_add_char(sql, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            buf_add_char(sql, '"');
        buf_add_char(sql, *name);
    }
    buf_add_char(sql, '"');
}

static void add_names(struct buf *sql, const struct json *columns)
{
    struct json_iter column;
    const char *join = "(";
    JSON_EACH(columns, column)
    {
        buf_add_str(sql, join);
        add_name(sql, column.key);
        join = ",";
    }
    buf_add_char(sql, ')');
}

static enum err create_table(const struct job *job, struct error *reterr)
{
    AUTO_BUF struct buf sql;
    buf_init(&sql, 0);
    buf_add_str(&sql, "CREATE TABLE IF NOT EXISTS ");
    add_name(&sql, job->table);
    add_names(&sql, job->columns); /* without types: each value keeps its own */
    return run_sql(job, buf_str(&sql), "data", reterr);
}

static int bind(sqlite3_stmt *statement, int at, const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_NULL:
        return sqlite3_bind_null(statement, at);
    case JSON_BOOL:
        return sqlite3_bind_int(statement, at, json_as_bool(value));
    case JSON_INT:
        return sqlite3_bind_int64(statement, at, json_as_int(value));
    case JSON_DOUBLE:
        return sqlite3_bind_double(statement, at, json_as_double(value));
    case JSON_STRING:
        return sqlite3_bind_text64(statement, at, json_as_str(value), json_as_str_len(value), SQLITE_STATIC,
                                   SQLITE_UTF8);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return sqlite3_bind_text(statement, at, json_dup_text(value), -1, free);
    }
    return SQLITE_MISUSE;
}

static enum err insert_rows(struct job *job, sqlite3_stmt *statement, struct error *reterr)
{
    for (size_t i = 0, n = json_count(job->rows); i < n; i++) {
        char field[64];
        (void)snprintf(field, sizeof field, "data[%zu]", i);
        struct json_iter column;
        int at = 0, status = SQLITE_OK;
        JSON_EACH(job->columns, column)
        {
            if (status == SQLITE_OK)
                status = bind(statement, ++at, json_get(json_at(job->rows, i), column.key));
        }
        if (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE)
            job->inserted += sqlite3_changes(job->db);
        else
            return sql_error(job, field, reterr);
        (void)sqlite3_reset(statement);
        if (is_late(job))
            return error_set(reterr, ERR_DEADLINE, NULL, "Writing took longer than %lld ms; nothing was written.",
                             (long long)job->call->timeout_ms);
    }
    return ERR_OK;
}

static enum err insert(struct job *job, struct error *reterr)
{
    AUTO_BUF struct buf sql;
    buf_init(&sql, 0);
    buf_printf(&sql, "%s INTO ", job->verb);
    add_name(&sql, job->table);
    add_names(&sql, job->columns);
    for (size_t i = 0, n = json_count(job->columns); i < n; i++)
        buf_add_str(&sql, i == 0 ? " VALUES(?" : ",?");
    buf_add_char(&sql, ')');
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(job->db, buf_str(&sql), -1, &statement, NULL) != SQLITE_OK)
        return sql_error(job, "table", reterr);
    enum err code = insert_rows(job, statement, reterr);
    (void)sqlite3_finalize(statement); /* repeats the error that step has reported */
    return code;
}

/* Whether this key has written before; then what it inserted. */
static enum err look_up(struct job *job, struct error *reterr)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(job->db, "SELECT inserted FROM caudal_writes WHERE key=?1", -1, &statement, NULL) !=
        SQLITE_OK)
        return sql_error(job, "path", reterr);
    (void)sqlite3_bind_text(statement, 1, job->call->idempotency_key, -1, SQLITE_STATIC);
    int status = sqlite3_step(statement);
    job->repeated = status == SQLITE_ROW;
    if (job->repeated)
        job->inserted = sqlite3_column_int64(statement, 0);
    enum err code = status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : sql_error(job, "path", reterr);
    (void)sqlite3_finalize(statement);
    return code;
}

static enum err remember(const struct job *job, struct error *reterr)
{
    char *sql =
        sqlite3_mprintf("INSERT INTO caudal_writes VALUES(%Q,%lld,%lld); DELETE FROM caudal_writes WHERE at_ms<%lld",
                        job->call->idempotency_key, (long long)job->inserted, (long long)job->call->now_ms,
                        (long long)(job->call->now_ms - GUARD_DAYS * INT64_C(86400000)));
    if (sql == NULL)
        abort(); /* out of memory */
    enum err code = run_sql(job, sql, "path", reterr);
    sqlite3_free(sql);
    return code;
}

/* The rows and the key are in one transaction: both are there or neither. */
static enum err write_once(struct job *job, struct error *reterr)
{
    bool guarded = job->call->idempotency_key[0] != '\0';
    enum err code = run_sql(job, "BEGIN IMMEDIATE", "path", reterr);
    if (code != ERR_OK)
        return code;
    if (guarded)
        code = run_sql(job, guard_sql, "path", reterr);
    if (code == ERR_OK && guarded)
        code = look_up(job, reterr);
    if (code == ERR_OK && !job->repeated && json_count(job->columns) > 0) {
        if (json_get_bool(job->call->inputs, "createTable", true))
            code = create_table(job, reterr);
        if (code == ERR_OK)
            code = insert(job, reterr);
    }
    if (code == ERR_OK && guarded && !job->repeated)
        code = remember(job, reterr);
    if (code == ERR_OK)
        code = run_sql(job, "COMMIT", "path", reterr);
    if (code != ERR_OK && sqlite3_get_autocommit(job->db) == 0)
        (void)sqlite3_exec(job->db, "ROLLBACK", NULL, NULL, NULL); /* closing would do it too */
    return code;
}

static enum err read_rows(struct job *job, struct error *reterr)
{
    const struct json *data = json_get(job->call->inputs, "data");
    struct json_iter column;
    job->columns = json_object_new();
    job->rows = json_is(data, JSON_ARRAY) ? json_ref(data) : json_array_new();
    if (!json_is(data, JSON_ARRAY))
        json_push(job->rows, json_ref(data));
    size_t n = json_count(job->rows);
    if (n > ROWS_MAX)
        return error_set(reterr, ERR_LIMIT, "data", "data must have at most %d records, not %zu.", ROWS_MAX, n);
    for (size_t i = 0; i < n; i++) {
        char field[64];
        (void)snprintf(field, sizeof field, "data[%zu]", i);
        const struct json *row = json_at(job->rows, i);
        if (json_count(row) == 0 || !json_is(row, JSON_OBJECT))
            return error_set(reterr, ERR_VALIDATION, field, "%s must be an object with the columns' values, not %s.",
                             field, json_is(row, JSON_OBJECT) ? "an empty one" : json_kind_name(row));
        JSON_EACH(row, column) json_set(job->columns, column.key, NULL);
        if (json_count(job->columns) > COLUMNS_MAX)
            return error_set(reterr, ERR_LIMIT, field, "The records must have at most %d different columns.",
                             COLUMNS_MAX);
    }
    return ERR_OK;
}

static enum err check_table(const struct node_call *call, const char **ret, struct error *reterr)
{
    const char *table = node_input_str(call, "table", "");
    bool fine = json_as_str_len(json_get(call->inputs, "table")) == strlen(table) && !isdigit((unsigned char)*table);
    for (const char *c = table; *c != '\0'; c++)
        fine = fine && (isalnum((unsigned char)*c) || *c == '_');
    if (!fine || strncasecmp(table, "sqlite_", 7) == 0 || strcasecmp(table, "caudal_writes") == 0)
        return error_set(reterr, ERR_VALIDATION, "table",
                         "table must be a name of letters, digits and _ that begins with no digit, "
                         "and neither sqlite_… nor caudal_writes.");
    *ret = table;
    return ERR_OK;
}

static enum err run_job(struct job *job, struct error *reterr)
{
    const char *path = node_input_str(job->call, "path", "");
    AUTO_FREE char *real = NULL;
    enum err code = ERR_OK;
    if (strlen(path) != json_as_str_len(json_get(job->call->inputs, "path")))
        code = error_set(reterr, ERR_VALIDATION, "path", "path must not contain a NUL character.");
    if (code == ERR_OK)
        code = check_table(job->call, &job->table, reterr);
    if (code == ERR_OK)
        code = read_rows(job, reterr);
    if (code == ERR_OK)
        code = data_dir_locate(job->call->host->data_dir, path, &real, reterr);
    if (code == ERR_OK)
        code = open_db(job, real, reterr);
    if (code == ERR_OK)
        code = write_once(job, reterr);
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *conflict = node_input_str(call, "onConflict", "fail");
    struct job job = {.call = call,
                      .verb = strcmp(conflict, "ignore") == 0    ? "INSERT OR IGNORE"
                              : strcmp(conflict, "replace") == 0 ? "INSERT OR REPLACE"
                                                                 : "INSERT"};
    code = run_job(&job, reterr);
    if (code == ERR_OK) {
        call->records = job.repeated ? 0 : job.inserted;
        if (job.repeated)
            node_call_log(call, "info", "An earlier attempt has written these records; nothing was inserted again.");
        node_call_set(call, "insertedCount", json_int_new(job.inserted));
        node_call_set(call, "repeated", json_bool_new(job.repeated));
    }
    (void)sqlite3_close(job.db); /* NULL ok; no statement is left open */
    json_unref(job.rows);
    json_unref(job.columns);
    return code;
}

static const char *const conflicts[] = {"fail", "ignore", "replace", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records, or one record."},
    {.name = "path", .type = "string", .required = true, .description = "An SQLite file below the data directory."},
    {.name = "table", .type = "string", .required = true, .description = "The table."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "insertedCount",
     .type = "number",
     .description = "How many rows were inserted, by this attempt or the one it repeats."},
    {.name = "repeated", .type = "boolean", .description = "Whether an earlier attempt had done it already."},
    {0}};
static const struct field fields[] = {
    {.name = "path",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1000,
     .help = "An SQLite file below the data directory, such as out/orders.db; it is made when it is not there."},
    {.name = "table",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 64,
     .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
     .help = "Name of the table."},
    {.name = "createTable",
     .label = "Make the table",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .help = "Make the table, with the records' fields as columns, when it is not there."},
    {.name = "onConflict",
     .label = "When a key exists",
     .kind = FIELD_ENUM,
     .values = conflicts,
     .default_json = "\"fail\"",
     .help = "What a unique key that exists does: fail writes nothing, ignore leaves that record out, replace "
             "overwrites the row."},
    {.name = "data", .kind = FIELD_ANY, .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"Orders", "The table is made with the columns id, country and tags; lists are stored as JSON text.",
     "{\"path\":\"out/"
     "orders.db\",\"table\":\"orders\",\"data\":[{\"id\":1,\"country\":\"ES\"},{\"id\":2,\"tags\":[\"new\"]}]}",
     "{\"insertedCount\":2,\"repeated\":false}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"SQLite refused it: table orders has no column named total", "The table exists and lacks a field of the records.",
     "Add the column, or map the records to the table's columns."},
    {"SQLite refused it: UNIQUE constraint failed", "A record with that key is there already.",
     "Set onConflict to ignore or replace."},
    {"The SQLite file is in use by someone else", "Another program holds a write lock for more than five seconds.",
     "Give the node a retry policy."},
    {0}};

const struct node_type node_sqlite_write = {
    .spec = {.type = "sqlite-write", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data"},
    .name = "SQLite Write",
    .version = "1.0.0",
    .description = "Inserts records into a table of an SQLite file below the data directory.",
    .category = "database",
    .icon = "database",
    .timeout_ms = 30000,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"database", "sqlite", "insert", NULL},
    .related = (const char *const[]){"write-file", "field-mapper", "summarize", NULL},
    .purpose = "Use it to keep results in a small database of their own. All records are inserted in one transaction, "
               "together with the "
               "attempt's idempotency key, so that a repeat after a crash inserts nothing twice.",
    .requirements = (const char *const[]){"The worker has a data directory.", NULL},
    .limitations =
        (const char *const[]){"At most 1000000 records and 500 columns.",
                              "The file is on the worker that ran the node.",
                              "Keys are remembered for 30 days, in the table caudal_writes of the same file.", NULL},
    .best_practices = (const char *const[]){"Make the table yourself when you need types and keys.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
