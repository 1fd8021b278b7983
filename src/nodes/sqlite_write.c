/* sqlite-write: inserts records into a table of an SQLite file below the data directory, once per idempotency key. */
#include "nodes/sqlite_file.h"

#include "base/clock.h"
#include "base/mem.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 500
#define ROWS_MAX 1000000
#define GUARD_DAYS 30 /* no attempt is repeated later than that */

static const char guard_sql[] = "CREATE TABLE IF NOT EXISTS caudal_writes(key TEXT PRIMARY KEY, inserted INTEGER NOT "
                                "NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;"
                                "CREATE INDEX IF NOT EXISTS caudal_writes_at ON caudal_writes(at_ms);";

struct job {
    struct node_call *call;
    struct sqlite_file file;
    const char *table, *verb;
    struct json *rows, *columns; /* columns: object, its keys in order */
    int64_t inserted;
    bool repeated;
};

static enum err run_sql(const struct job *job, const char *sql, const char *field, struct error *reterr)
{
    return sqlite3_exec(job->file.db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ERR_OK
               : sqlite_file_error(&job->file, field, reterr);
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
                status = sqlite_file_bind(statement, ++at, json_get(json_at(job->rows, i), column.key));
        }
        if (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE)
            job->inserted += sqlite3_changes(job->file.db);
        else
            return sqlite_file_error(&job->file, field, reterr);
        (void)sqlite3_reset(statement);
        if (sqlite_file_is_late(&job->file))
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
    if (sqlite3_prepare_v2(job->file.db, buf_str(&sql), -1, &statement, NULL) != SQLITE_OK)
        return sqlite_file_error(&job->file, "table", reterr);
    enum err code = insert_rows(job, statement, reterr);
    (void)sqlite3_finalize(statement); /* repeats the error that step has reported */
    return code;
}

/* Whether this key has written before; then what it inserted. */
static enum err look_up(struct job *job, struct error *reterr)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(job->file.db, "SELECT inserted FROM caudal_writes WHERE key=?1", -1, &statement, NULL) !=
        SQLITE_OK)
        return sqlite_file_error(&job->file, "path", reterr);
    (void)sqlite3_bind_text(statement, 1, job->call->idempotency_key, -1, SQLITE_STATIC);
    int status = sqlite3_step(statement);
    job->repeated = status == SQLITE_ROW;
    if (job->repeated)
        job->inserted = sqlite3_column_int64(statement, 0);
    enum err code =
        status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : sqlite_file_error(&job->file, "path", reterr);
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
    if (code != ERR_OK && sqlite3_get_autocommit(job->file.db) == 0)
        (void)sqlite3_exec(job->file.db, "ROLLBACK", NULL, NULL, NULL); /* closing would do it too */
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
    enum err code = check_table(job->call, &job->table, reterr);
    if (code == ERR_OK)
        code = read_rows(job, reterr);
    if (code == ERR_OK)
        code = sqlite_file_open(&job->file, job->call, true, reterr);
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
    sqlite_file_close(&job.file);
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
