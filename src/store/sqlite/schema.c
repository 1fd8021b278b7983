/* The schema, as a list of migrations. A migration that has shipped never changes: a change is a further one. */
#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* Times are ms since 1970. JSON is text. `seq` is the row's place in the file: children refer to it because an integer
 * key costs a fraction of a text key. Texts that may be large stand in tables of their own, since an update writes its
 * whole row. */
static const char version_1[] =
    "CREATE TABLE flows(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, description TEXT, nodes TEXT NOT NULL,"
    " connections TEXT NOT NULL, settings TEXT, version INTEGER NOT NULL, status TEXT NOT NULL, metadata TEXT, "
    "created_by TEXT,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, node_count INTEGER NOT NULL);"
    "CREATE INDEX flows_created ON flows(created_ms, id);"
    "CREATE TABLE flow_versions(flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE, version INTEGER NOT NULL,"
    " nodes TEXT NOT NULL, connections TEXT NOT NULL, settings TEXT, created_by TEXT, created_ms INTEGER NOT NULL, "
    "note TEXT,"
    " node_count INTEGER NOT NULL, PRIMARY KEY(flow_id, version));"
    "CREATE TABLE schedules(id TEXT PRIMARY KEY NOT NULL, flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL, description TEXT, cron TEXT NOT NULL, timezone TEXT NOT NULL, enabled INTEGER NOT NULL,"
    " max_retries INTEGER NOT NULL, retry_delay INTEGER NOT NULL, last_run_ms INTEGER, next_run_ms INTEGER, metadata "
    "TEXT,"
    " created_by TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);"
    "CREATE INDEX schedules_created ON schedules(created_ms, id);"
    "CREATE INDEX schedules_flow ON schedules(flow_id);"
    "CREATE INDEX schedules_due ON schedules(next_run_ms) WHERE enabled = 1 AND next_run_ms IS NOT NULL;"
    "CREATE TABLE executions(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE, flow_version INTEGER NOT NULL,"
    " schedule_id TEXT REFERENCES schedules(id) ON DELETE SET NULL, schedule_instant_ms INTEGER, trigger_kind TEXT,"
    " trigger_node TEXT, priority INTEGER NOT NULL, status INTEGER NOT NULL, epoch INTEGER NOT NULL, retry_count "
    "INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER, wake_ms INTEGER, records INTEGER NOT NULL "
    "DEFAULT 0,"
    " worker_id TEXT, error_id TEXT, error_message TEXT, idempotency_key TEXT);"
    "CREATE INDEX executions_created ON executions(created_ms, id);"
    "CREATE INDEX executions_flow ON executions(flow_id, created_ms, id);"
    "CREATE INDEX executions_unfinished ON executions(id) WHERE status <= 2 AND wake_ms IS NULL;"
    "CREATE INDEX executions_wake ON executions(wake_ms) WHERE status <= 2 AND wake_ms IS NOT NULL;"
    "CREATE INDEX executions_bad ON executions(status, created_ms, id) WHERE status > 3;"
    "CREATE UNIQUE INDEX executions_instant ON executions(schedule_id, schedule_instant_ms) WHERE schedule_id IS NOT "
    "NULL;"
    "CREATE UNIQUE INDEX executions_idempotency ON executions(flow_id, idempotency_key) WHERE idempotency_key IS NOT "
    "NULL;"
    "CREATE TABLE execution_inputs(execution INTEGER PRIMARY KEY REFERENCES executions(seq) ON DELETE CASCADE, input "
    "TEXT,"
    " metadata TEXT, restore TEXT);"
    "CREATE TABLE node_executions(execution INTEGER PRIMARY KEY REFERENCES executions(seq) ON DELETE CASCADE, document "
    "BLOB,"
    " result BLOB);"
    "CREATE TABLE checkpoints(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE CASCADE, node_id TEXT "
    "NOT NULL,"
    " attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, outputs TEXT, records INTEGER NOT NULL,"
    " started_ms INTEGER, ended_ms INTEGER, wake_ms INTEGER, error_id TEXT, error_message TEXT, PRIMARY KEY(execution, "
    "node_id));"
    "CREATE TABLE execution_logs(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE CASCADE, chunk "
    "INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY(execution, chunk));"
    "CREATE TABLE workers(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, document "
    "TEXT NOT NULL);"
    "CREATE TABLE dead_letters(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE INDEX dead_letters_at ON dead_letters(at_ms, id);"
    "CREATE TABLE users(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, document "
    "TEXT NOT NULL);"
    "CREATE TABLE api_keys(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE TABLE settings(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE TABLE audit_log(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE INDEX audit_log_at ON audit_log(at_ms, id);"
    "CREATE TABLE node_definitions(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);";

/* Every attempt of a node that was checkpointed, fenced off ones included. */
static const char version_2[] = "CREATE TABLE attempts(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE "
                                "CASCADE, node_id TEXT NOT NULL,"
                                " epoch INTEGER NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, worker_id "
                                "TEXT, started_ms INTEGER, ended_ms INTEGER,"
                                " error_message TEXT, PRIMARY KEY(execution, epoch, node_id, attempt)) WITHOUT ROWID;";

/* settled: the present epoch has parked. lost: some earlier epoch had not when it was taken away. What stood there
 * before this version is judged with caution. The index serves lists of what is under way; it stays as small as that is
 * few. */
static const char version_3[] = "ALTER TABLE executions ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;"
                                "ALTER TABLE executions ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;"
                                "UPDATE executions SET settled = 1 WHERE status = 1 AND wake_ms IS NOT NULL;"
                                "UPDATE executions SET lost = 1 WHERE status <= 2 AND epoch > 1;"
                                "CREATE INDEX executions_active ON executions(created_ms, id) WHERE status <= 2;";

/* Schedules that say what becomes of instants; each instant's outcome, once (last_ms, count: of a range that was passed
 * over as a whole); backfills; variables and sealed secrets; the version that triggers use; what a run by hand was told
 * (options), what its start said (request_hash), and what an execution waits for before it may start. */
static const char version_4[] =
    "ALTER TABLE schedules ADD COLUMN overlap TEXT NOT NULL DEFAULT 'allow';"
    "ALTER TABLE schedules ADD COLUMN catch_up TEXT NOT NULL DEFAULT 'last';"
    "ALTER TABLE schedules ADD COLUMN catch_up_window INTEGER NOT NULL DEFAULT -1;"
    "CREATE TABLE schedule_instants(schedule_id TEXT NOT NULL REFERENCES schedules(id) ON DELETE CASCADE, instant_ms "
    "INTEGER NOT NULL, id TEXT NOT NULL, last_ms INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT, count INTEGER "
    "NOT NULL, more INTEGER NOT NULL, execution_id TEXT, backfill_id TEXT, at_ms INTEGER NOT NULL, PRIMARY "
    "KEY(schedule_id, instant_ms));"
    "CREATE INDEX schedule_instants_at ON schedule_instants(at_ms);"
    "CREATE TABLE backfills(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE TABLE variables(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "CREATE TABLE secrets(id TEXT PRIMARY KEY NOT NULL, key TEXT UNIQUE, status TEXT, at_ms INTEGER NOT NULL, "
    "document TEXT NOT NULL);"
    "ALTER TABLE flows ADD COLUMN published_version INTEGER;"
    "ALTER TABLE executions ADD COLUMN request_hash INTEGER;"
    "ALTER TABLE executions ADD COLUMN waiting_for TEXT;"
    "ALTER TABLE execution_inputs ADD COLUMN options TEXT;"
    "CREATE INDEX executions_schedule ON executions(schedule_id) WHERE status <= 2 AND schedule_id IS NOT NULL;"
    "CREATE INDEX executions_waiting ON executions(waiting_for) WHERE status <= 2 AND waiting_for IS NOT NULL;";

/* A node may run once for each pass of a loop and each item of a for-each. `waiting`: for what, or what is to come of a
 * node's success. */
static const char version_5[] =
    "CREATE TABLE checkpoints_5(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE CASCADE, node_id TEXT "
    "NOT NULL,"
    " iteration TEXT NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, outputs TEXT,"
    " records INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER, wake_ms INTEGER, error_id TEXT, error_message "
    "TEXT,"
    " waiting TEXT, PRIMARY KEY(execution, node_id, iteration));"
    "INSERT INTO checkpoints_5(execution, node_id, iteration, attempt, epoch, state, outputs, records, started_ms,"
    " ended_ms, wake_ms, error_id, error_message) SELECT execution, node_id, '0', attempt, epoch, state, outputs,"
    " records, started_ms, ended_ms, wake_ms, error_id, error_message FROM checkpoints;"
    "DROP TABLE checkpoints;"
    "ALTER TABLE checkpoints_5 RENAME TO checkpoints;"
    "CREATE TABLE attempts_5(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE CASCADE, node_id TEXT NOT "
    "NULL,"
    " iteration TEXT NOT NULL, epoch INTEGER NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, worker_id TEXT,"
    " started_ms INTEGER, ended_ms INTEGER, error_message TEXT,"
    " PRIMARY KEY(execution, epoch, node_id, iteration, attempt)) WITHOUT ROWID;"
    "INSERT INTO attempts_5(execution, node_id, iteration, epoch, attempt, state, worker_id, started_ms, ended_ms,"
    " error_message) SELECT execution, node_id, '0', epoch, attempt, state, worker_id, started_ms, ended_ms,"
    " error_message FROM attempts;"
    "DROP TABLE attempts;"
    "ALTER TABLE attempts_5 RENAME TO attempts;";

/* Who published a version, when and why. */
static const char version_6[] = "ALTER TABLE flow_versions ADD COLUMN published_ms INTEGER;"
                                "ALTER TABLE flow_versions ADD COLUMN published_by TEXT;"
                                "ALTER TABLE flow_versions ADD COLUMN publish_note TEXT;";

/* Limits of starting (sql/limits.c): the keys of an execution, its place among those that wait for their turn, and the
 * starts that a rate counts. */
static const char version_7[] =
    "ALTER TABLE executions ADD COLUMN limit_key TEXT;"
    "ALTER TABLE executions ADD COLUMN rate_key TEXT;"
    "ALTER TABLE executions ADD COLUMN queue_ms INTEGER;"
    "CREATE INDEX executions_held ON executions(flow_id, limit_key) WHERE status <= 2 AND limit_key IS NOT NULL;"
    "CREATE INDEX executions_queued ON executions(flow_id, queue_ms, id) WHERE status <= 2 AND queue_ms IS NOT NULL;"
    "CREATE TABLE limit_starts(flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE, rate_key TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, execution TEXT NOT NULL, PRIMARY KEY(flow_id, rate_key, at_ms, execution)) WITHOUT "
    "ROWID;";

/* Executions that others have started, and words from outside that nodes wait for: `signals` counts those that an
 * execution was ever sent, so that whoever parks it can say which it has seen. Links to waits for a person. Versions
 * that start when another flow fails. */
static const char version_8[] =
    "ALTER TABLE executions ADD COLUMN parent_id TEXT;"
    "ALTER TABLE executions ADD COLUMN parent_node_id TEXT;"
    "ALTER TABLE executions ADD COLUMN parent_iteration TEXT;"
    "ALTER TABLE executions ADD COLUMN parent_waits INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE executions ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE executions ADD COLUMN body TEXT;"
    "ALTER TABLE executions ADD COLUMN signals INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX executions_children ON executions(parent_id, created_ms, id) WHERE parent_id IS NOT NULL;"
    "CREATE INDEX executions_awaited ON executions(parent_id) WHERE status <= 2 AND parent_waits = 1;"
    "CREATE TABLE signals(execution INTEGER NOT NULL REFERENCES executions(seq) ON DELETE CASCADE, id INTEGER NOT NULL,"
    " of_child INTEGER NOT NULL, name TEXT, node_id TEXT, iteration TEXT, payload TEXT, key TEXT, taken INTEGER NOT "
    "NULL DEFAULT 0, at_ms INTEGER NOT NULL, PRIMARY KEY(execution, id)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX signals_key ON signals(execution, key) WHERE key IS NOT NULL;"
    "CREATE INDEX signals_open ON signals(execution) WHERE taken = 0;"
    "CREATE TABLE wait_tokens(token TEXT PRIMARY KEY NOT NULL, execution INTEGER NOT NULL REFERENCES executions(seq) "
    "ON "
    "DELETE CASCADE, node_id TEXT NOT NULL, iteration TEXT NOT NULL, answer TEXT, answered_ms INTEGER) WITHOUT ROWID;"
    "CREATE INDEX wait_tokens_execution ON wait_tokens(execution);"
    "ALTER TABLE flow_versions ADD COLUMN listens INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX flow_versions_listening ON flow_versions(flow_id, version) WHERE listens = 1;";

/* What retention leaves alone. */
static const char version_9[] = "ALTER TABLE executions ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;";

/* Values of a node's expressions, for the history of a run that goes on from there. */
static const char version_10[] = "ALTER TABLE checkpoints ADD COLUMN evaluated TEXT;";

static const char *const migrations[] = {version_1, version_2, version_3, version_4, version_5,
                                         version_6, version_7, version_8, version_9, version_10};

int sqlite_schema_latest(void)
{
    return (int)(sizeof migrations / sizeof *migrations);
}

static enum err execute(sqlite3 *db, const char *sql, struct error *reterr)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : sqlite_error(db, reterr);
}

static enum err present_version(sqlite3 *db, int *ret, struct error *reterr)
{
    sqlite3_stmt *statement = NULL;
    enum err code = ERR_OK;
    if (sqlite3_prepare_v2(db, "SELECT coalesce(max(version), 0) FROM schema_version", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        code = sqlite_error(db, reterr);
    else
        *ret = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code;
}

static enum err apply(sqlite3 *db, int from, int to, struct error *reterr)
{
    for (int version = from + 1; version <= to; version++) {
        char mark[160];
        (void)sqlite3_snprintf(
            (int)sizeof mark, mark,
            "INSERT INTO schema_version VALUES(%d, cast((julianday('now') - 2440587.5) * 86400000 AS INTEGER))",
            version);
        enum err code = execute(db, migrations[version - 1], reterr);
        if (code == ERR_OK)
            code = execute(db, mark, reterr);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err sqlite_schema_migrate(sqlite3 *db, int version, struct error *reterr)
{
    int present = 0;
    enum err code = execute(db, "BEGIN IMMEDIATE", reterr);
    if (code != ERR_OK)
        return code;
    code = execute(
        db, "CREATE TABLE IF NOT EXISTS schema_version(version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)",
        reterr);
    if (code == ERR_OK)
        code = present_version(db, &present, reterr);
    if (code == ERR_OK && present > version)
        code = error_set(
            reterr, ERR_CONFLICT, NULL,
            "The database has schema version %d, this program knows up to %d: a newer program made it. Run that one, "
            "or restore a backup from before the upgrade.",
            present, version);
    if (code == ERR_OK)
        code = apply(db, present, version, reterr);
    if (code == ERR_OK)
        code = execute(db, "COMMIT", reterr);
    if (code != ERR_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* there may be no transaction left: nothing to report */
    return code;
}
