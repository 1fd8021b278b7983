/* SQLite files below the data directory, for the nodes that work with them. */
#pragma once
#include "nodes/node_int.h"
#include <sqlite3.h>

struct sqlite_file {
    sqlite3 *db;
    int64_t deadline_us; /* 0: none */
    int64_t timeout_ms;
};

/* Opens the file of the input `path`, which must stay below the data directory; written files are made when they are
 * not there. Statements stop at the call's time limit. sqlite_file_close also after a failure. */
enum err sqlite_file_open(struct sqlite_file *file, const struct node_call *call, bool writes,
                          struct error *reterr) ERROR_MUST_CHECK;
void sqlite_file_close(struct sqlite_file *file);
bool sqlite_file_is_late(const struct sqlite_file *file);
/* The error of the last call; `field` is what the statement is about. */
enum err sqlite_file_error(const struct sqlite_file *file, const char *field, struct error *reterr);
int sqlite_file_bind(sqlite3_stmt *statement, int at, const struct json *value); /* a status of SQLite */
