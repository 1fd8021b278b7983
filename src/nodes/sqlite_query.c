/* sqlite-query: runs one SQL statement on an SQLite file below the data directory. */
#include "nodes/sqlite_file.h"

#include "base/base64.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>

#define SQL_BYTES_MAX 100000
#define PARAMETERS_MAX 1000
#define ROWS_MAX 1000000

/* A statement stays in its file: no other file is attached (VACUUM INTO attaches too), and no pragma changes how the
 * file is read; those that only tell something are allowed. */
static int authorize(void *user, int action, const char *name, const char *argument, const char *database,
                     const char *trigger)
{
    static const char *const allowed[] = {"table_info", "table_xinfo",      "table_list",   "index_list",
                                          "index_info", "foreign_key_list", "user_version", "schema_version"};
    (void)user;
    (void)argument;
    (void)database;
    (void)trigger;
    if (action == SQLITE_ATTACH || action == SQLITE_DETACH)
        return SQLITE_DENY;
    if (action != SQLITE_PRAGMA)
        return SQLITE_OK;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcasecmp(name, allowed[i]) == 0)
            return SQLITE_OK;
    return SQLITE_DENY;
}

static struct json *column_json(sqlite3_stmt *statement, int at)
{
    struct buf text;
    struct json *value = NULL;
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        return json_int_new(sqlite3_column_int64(statement, at));
    case SQLITE_FLOAT:
        return json_double_new(sqlite3_column_double(statement, at));
    case SQLITE_TEXT:
        return json_string_new_n((const char *)sqlite3_column_text(statement, at),
                                 (size_t)sqlite3_column_bytes(statement, at));
    case SQLITE_BLOB:
        buf_init(&text, 0);
        base64_add(&text, sqlite3_column_blob(statement, at), (size_t)sqlite3_column_bytes(statement, at));
        value = json_string_new(buf_str(&text));
        buf_done(&text);
        return value;
    default:
        return NULL;
    }
}

/* A list for ?1, ?2 …; an object for :name, @name or $name. */
static enum err bind_all(const struct sqlite_file *file, const struct json *parameters, sqlite3_stmt *statement,
                         struct error *reterr)
{
    int count = sqlite3_bind_parameter_count(statement);
    if (json_is(parameters, JSON_ARRAY) && json_count(parameters) != (size_t)count)
        return error_set(reterr, ERR_VALIDATION, "parameters", "The statement takes %d parameters, not %zu.", count,
                         json_count(parameters));
    for (int i = 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        char field[120];
        bool by_name = json_is(parameters, JSON_OBJECT);
        if (by_name)
            (void)snprintf(field, sizeof field, "parameters.%.100s", name == NULL ? "?" : name + 1);
        else
            (void)snprintf(field, sizeof field, "parameters[%d]", i - 1);
        if (by_name ? name == NULL || !json_has(parameters, name + 1) : !json_is(parameters, JSON_ARRAY))
            return error_set(reterr, ERR_VALIDATION, field, "%s is missing: the statement takes %d parameters.", field,
                             count);
        const struct json *value = by_name ? json_get(parameters, name + 1) : json_at(parameters, (size_t)i - 1);
        if (sqlite_file_bind(statement, i, value) != SQLITE_OK)
            return sqlite_file_error(file, field, reterr);
    }
    return ERR_OK;
}

static enum err read_rows(const struct sqlite_file *file, const struct node_call *call, sqlite3_stmt *statement,
                          struct json *rows, struct error *reterr)
{
    size_t max_rows = (size_t)json_get_int(call->inputs, "maxRows", 100000), bytes = 0;
    int status;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        struct json *row = json_object_new();
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            bytes += (size_t)sqlite3_column_bytes(statement, i) + 16;
            json_set(row, sqlite3_column_name(statement, i), column_json(statement, i));
        }
        json_push(rows, row);
        if (json_count(rows) > max_rows || bytes > LIMIT_OUTPUT_BYTES)
            return error_set(reterr, ERR_LIMIT, "maxRows", "The answer has more than %zu rows or %d bytes.", max_rows,
                             LIMIT_OUTPUT_BYTES);
    }
    return status == SQLITE_DONE ? ERR_OK : sqlite_file_error(file, "query", reterr);
}

static enum err run(struct sqlite_file *file, struct node_call *call, struct error *reterr)
{
    const struct json *query = json_get(call->inputs, "query");
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    if (strlen(json_as_str(query)) != json_as_str_len(query))
        return error_set(reterr, ERR_VALIDATION, "query", "query must not contain a NUL character.");
    (void)sqlite3_set_authorizer(file->db, authorize, NULL);
    if (sqlite3_prepare_v2(file->db, json_as_str(query), -1, &statement, &rest) != SQLITE_OK)
        return sqlite_file_error(file, "query", reterr);
    if (statement == NULL || rest[strspn(rest, " \t\r\n;")] != '\0') {
        (void)sqlite3_finalize(statement);
        return error_set(reterr, ERR_VALIDATION, "query", "query must be one SQL statement.");
    }
    struct json *rows = json_array_new();
    int before = sqlite3_total_changes(file->db);
    enum err code = bind_all(file, json_get(call->inputs, "parameters"), statement, reterr);
    if (code == ERR_OK)
        code = read_rows(file, call, statement, rows, reterr);
    (void)sqlite3_finalize(statement); /* repeats the error that step has reported */
    if (code == ERR_OK) {
        int changes = sqlite3_total_changes(file->db) - before;
        call->records = json_count(rows) > 0 ? (int64_t)json_count(rows) : changes;
        node_call_set(call, "rows", json_ref(rows));
        node_call_set(call, "rowCount", json_int_new((int64_t)json_count(rows)));
        node_call_set(call, "changes", json_int_new(changes));
    }
    json_unref(rows);
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *parameters = json_get(call->inputs, "parameters");
    if (parameters != NULL && !json_is(parameters, JSON_ARRAY) && !json_is(parameters, JSON_OBJECT))
        return error_set(reterr, ERR_VALIDATION, "parameters", "parameters must be an array or an object, not %s.",
                         json_kind_name(parameters));
    struct sqlite_file file = {0};
    code = sqlite_file_open(&file, call, json_get_bool(call->inputs, "write", false), reterr);
    if (code == ERR_OK)
        code = run(&file, call, reterr);
    sqlite_file_close(&file);
    return code;
}

static const struct flow_pin inputs[] = {
    {.name = "parameters", .type = "any", .description = "Values of the statement's parameters."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "rows", .type = "array", .description = "One object for each row."},
    {.name = "rowCount", .type = "number", .description = "How many rows there are."},
    {.name = "changes", .type = "number", .description = "How many rows the statement changed."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "rows", "data", "full"}, {"field-mapper", "rows", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "path",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 1000,
     .help = "An SQLite file below the data directory, such as out/orders.db."},
    {.name = "query",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = SQL_BYTES_MAX,
     .widget = "sql",
     .label = "SQL",
     .help = "One statement; values go into parameters, not into the text."},
    {.name = "parameters",
     .kind = FIELD_ANY,
     .help = "A list for ?1, ?2 …, or an object for :name; lists and objects inside are stored as JSON text."},
    {.name = "write",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .label = "May write",
     .help = "Open the file for writing, and make it when it is not there."},
    {.name = "maxRows",
     .kind = FIELD_INT,
     .min = 1,
     .max = ROWS_MAX,
     .default_json = "100000",
     .label = "Most rows",
     .help = "More rows fail the node."},
    {0}};
static const struct node_example examples[] = {
    {"A parameter", "Written values can be read by the next node.",
     "{\"path\":\"out/example.db\",\"query\":\"SELECT ?1 + 1 AS n, :name AS "
     "name\",\"parameters\":[41,\"Ana\"],\"write\":"
     "true}",
     "{\"rows\":[{\"n\":42,\"name\":\"Ana\"}],\"rowCount\":1,\"changes\":0}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"SQLite refused it: attempt to write a readonly database", "The file was opened for reading.", "Set write."},
    {"SQLite refused it: not authorized, or authorization denied",
     "ATTACH, VACUUM INTO and most pragmas are not allowed.", "Use one file for each node."},
    {0}};

const struct node_type node_sqlite_query = {
    .spec = {.type = "sqlite-query",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "parameters"},
    .name = "SQLite Query",
    .version = "1.0.0",
    .description = "Runs one SQL statement on an SQLite file below the data directory.",
    .category = "database",
    .icon = "database",
    .timeout_ms = 30000,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"database", "sqlite", "sql", "query", NULL},
    .related = (const char *const[]){"sqlite-write", "data-filter", "field-mapper", NULL},
    .purpose = "Use it to read what sqlite-write has kept, and to change it.",
    .requirements = (const char *const[]){"The worker has a data directory.", NULL},
    .limitations = (const char *const[]){"One statement, at most maxRows rows and 64 MiB.",
                                         "A writing statement that runs again after a crash writes again; sqlite-write "
                                         "does not.",
                                         "The file is on the worker that ran the node.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
