/* PostgreSQL's schema, as a list of migrations. A migration that has shipped never changes: a change is a further one.
 */
#include "store/postgres/postgres_int.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As SQLite's (sqlite/schema.c), with these differences. Ids sort as bytes. Executions and what belongs to one are
 * partitioned by the execution's id: ids are UUIDs of version 7, whose first twelve digits are the time in ms, so that
 * a day's rows stand together and can be dropped together. Other ids, and days without a partition, go to the default
 * one. What must be unique across all partitions stands in tables of its own. What belongs to an execution has no
 * foreign key (one check for each row), but goes with it by a trigger. */
static const char version_1[] =
    "CREATE FUNCTION contains(whole text, part text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS"
    " $$ SELECT position(lower(part COLLATE \"und-x-icu\") IN lower(whole COLLATE \"und-x-icu\")) > 0 $$;"
    "CREATE TABLE flows(id text COLLATE \"C\" PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE, description text,"
    " nodes text NOT NULL, connections text NOT NULL, settings text, version integer NOT NULL, status text NOT NULL,"
    " metadata text, created_by text, created_ms bigint NOT NULL, updated_ms bigint NOT NULL, node_count bigint NOT"
    " NULL);"
    "CREATE INDEX flows_created ON flows(created_ms, id);"
    "CREATE TABLE flow_versions(flow_id text COLLATE \"C\" NOT NULL REFERENCES flows(id) ON DELETE CASCADE,"
    " version integer NOT NULL, nodes text NOT NULL, connections text NOT NULL, settings text, created_by text,"
    " created_ms bigint NOT NULL, note text, node_count bigint NOT NULL, PRIMARY KEY(flow_id, version));"
    "CREATE TABLE schedules(id text COLLATE \"C\" PRIMARY KEY, flow_id text COLLATE \"C\" NOT NULL REFERENCES flows(id)"
    " ON DELETE CASCADE, name text NOT NULL, description text, cron text NOT NULL, timezone text NOT NULL, enabled"
    " integer NOT NULL, max_retries bigint NOT NULL, retry_delay bigint NOT NULL, last_run_ms bigint, next_run_ms"
    " bigint, metadata text, created_by text, created_ms bigint NOT NULL, updated_ms bigint NOT NULL);"
    "CREATE INDEX schedules_created ON schedules(created_ms, id);"
    "CREATE INDEX schedules_flow ON schedules(flow_id);"
    "CREATE INDEX schedules_due ON schedules(next_run_ms, id) WHERE enabled = 1 AND next_run_ms IS NOT NULL;"
    "CREATE TABLE executions(id text COLLATE \"C\" PRIMARY KEY, flow_id text COLLATE \"C\" NOT NULL REFERENCES"
    " flows(id) ON DELETE CASCADE, flow_version integer NOT NULL, schedule_id text COLLATE \"C\" REFERENCES"
    " schedules(id) ON DELETE SET NULL, schedule_instant_ms bigint, trigger_kind text, trigger_node text, priority"
    " integer NOT NULL, status integer NOT NULL, epoch integer NOT NULL, retry_count integer NOT NULL, created_ms "
    "bigint"
    " NOT NULL, started_ms bigint, ended_ms bigint, wake_ms bigint, records bigint NOT NULL DEFAULT 0, worker_id text,"
    " error_id text, error_message text, idempotency_key text, settled integer NOT NULL DEFAULT 0, lost integer NOT "
    "NULL"
    " DEFAULT 0) PARTITION BY RANGE (id);"
    "CREATE INDEX executions_created ON executions(created_ms, id);"
    "CREATE INDEX executions_flow ON executions(flow_id, created_ms, id);"
    "CREATE INDEX executions_schedule ON executions(schedule_id, created_ms, id) WHERE schedule_id IS NOT NULL;"
    "CREATE INDEX executions_unfinished ON executions(id) WHERE status <= 2 AND wake_ms IS NULL;"
    "CREATE INDEX executions_wake ON executions(wake_ms) WHERE status <= 2 AND wake_ms IS NOT NULL;"
    "CREATE INDEX executions_active ON executions(created_ms, id) WHERE status <= 2;"
    "CREATE INDEX executions_bad ON executions(status, created_ms, id) WHERE status > 3;"
    "CREATE TABLE execution_inputs(execution text COLLATE \"C\" PRIMARY KEY, input text, metadata text, restore text)"
    " PARTITION BY RANGE (execution);"
    "CREATE TABLE node_executions(execution text COLLATE \"C\" PRIMARY KEY, document bytea, result bytea) PARTITION BY"
    " RANGE (execution);"
    "ALTER TABLE node_executions ALTER document SET STORAGE EXTERNAL, ALTER result SET STORAGE EXTERNAL;"
    "CREATE TABLE execution_logs(execution text COLLATE \"C\" NOT NULL, chunk bigint NOT NULL, lines bigint NOT NULL,"
    " content bytea NOT NULL, PRIMARY KEY(execution, chunk)) PARTITION BY RANGE (execution);"
    "CREATE TABLE attempts(execution text COLLATE \"C\" NOT NULL, node_id text COLLATE \"C\" NOT NULL, epoch integer"
    " NOT NULL, attempt integer NOT NULL, state text NOT NULL, worker_id text, started_ms bigint, ended_ms bigint,"
    " error_message text, PRIMARY KEY(execution, epoch, node_id, attempt)) PARTITION BY RANGE (execution);"
    "CREATE TABLE checkpoints(execution text COLLATE \"C\" NOT NULL, node_id text COLLATE \"C\" NOT NULL, attempt"
    " integer NOT NULL, epoch integer NOT NULL, state text NOT NULL, outputs text, records bigint NOT NULL, started_ms"
    " bigint, ended_ms bigint, wake_ms bigint, error_id text, error_message text, PRIMARY KEY(execution, node_id));"
    "CREATE TABLE execution_keys(flow_id text COLLATE \"C\" NOT NULL, idempotency_key text COLLATE \"C\" NOT NULL,"
    " execution text COLLATE \"C\" NOT NULL, PRIMARY KEY(flow_id, idempotency_key));"
    "CREATE INDEX execution_keys_execution ON execution_keys(execution);"
    "CREATE TABLE execution_instants(schedule_id text COLLATE \"C\" NOT NULL, schedule_instant_ms bigint NOT NULL,"
    " execution text COLLATE \"C\" NOT NULL, PRIMARY KEY(schedule_id, schedule_instant_ms));"
    "CREATE INDEX execution_instants_execution ON execution_instants(execution);"
    "CREATE TABLE executions_default PARTITION OF executions DEFAULT;"
    "CREATE TABLE execution_inputs_default PARTITION OF execution_inputs DEFAULT;"
    "CREATE TABLE node_executions_default PARTITION OF node_executions DEFAULT;"
    "CREATE TABLE execution_logs_default PARTITION OF execution_logs DEFAULT;"
    "CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;"
    "CREATE FUNCTION caudal_executions_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM execution_inputs c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM node_executions c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_logs c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM attempts c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM checkpoints c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_keys c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_instants c USING gone WHERE c.execution = gone.id;"
    " RETURN NULL; END $$;"
    "CREATE TRIGGER executions_deleted AFTER DELETE ON executions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"
    " EXECUTE FUNCTION caudal_executions_deleted();"
    "CREATE TABLE workers(id text COLLATE \"C\" PRIMARY KEY, key text COLLATE \"C\" UNIQUE, status text, at_ms bigint"
    " NOT NULL, document text NOT NULL);"
    "CREATE TABLE dead_letters(LIKE workers INCLUDING ALL);"
    "CREATE INDEX dead_letters_at ON dead_letters(at_ms, id);"
    "CREATE INDEX dead_letters_status ON dead_letters(status, at_ms, id);"
    "CREATE TABLE users(LIKE workers INCLUDING ALL);"
    "CREATE TABLE api_keys(LIKE workers INCLUDING ALL);"
    "CREATE TABLE settings(LIKE workers INCLUDING ALL);"
    "CREATE TABLE audit_log(LIKE workers INCLUDING ALL);"
    "CREATE INDEX audit_log_at ON audit_log(at_ms, id);"
    "CREATE TABLE node_definitions(LIKE workers INCLUDING ALL);"
    /* The first id of a day, which is a number of days since 1970. */
    "CREATE FUNCTION caudal_day_start(day bigint) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT overlay(lpad(to_hex(day * 86400000), 12, '0') PLACING '-' FROM 9 FOR 0) $$;"
    "CREATE TABLE execution_days(day bigint PRIMARY KEY);" /* that have partitions */
    /* Makes a day's partitions; false: they are there, or its rows stand in the default one already. */
    "CREATE FUNCTION caudal_prepare_day(d bigint) RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN"
    " IF EXISTS (SELECT 1 FROM execution_days WHERE day = d) OR EXISTS (SELECT 1 FROM executions_default WHERE id >="
    " caudal_day_start(d) AND id < caudal_day_start(d + 1)) THEN RETURN false; END IF;"
    " INSERT INTO execution_days VALUES (d);"
    " FOREACH t IN ARRAY ARRAY['executions','execution_inputs','node_executions','execution_logs','attempts'] LOOP"
    " EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', t || '_' "
    "||"
    " d, t);"
    " EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', t, t || '_' || d,"
    " caudal_day_start(d), caudal_day_start(d + 1)); END LOOP; RETURN true;"
    " EXCEPTION WHEN lock_not_available OR check_violation OR unique_violation OR duplicate_table THEN RETURN false;"
    " END $$;"
    /* Yesterday's to those of `ahead` days from now. Returns how many were made. */
    "CREATE FUNCTION caudal_prepare_days(ahead bigint) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE today bigint :="
    " floor(extract(epoch FROM clock_timestamp()) / 86400); made bigint := 0; d bigint; BEGIN"
    " IF (SELECT count(*) FROM execution_days WHERE day BETWEEN today - 1 AND today + ahead) = ahead + 2 THEN RETURN 0;"
    " END IF;"
    " PERFORM set_config('lock_timeout', '2s', true);"
    " FOR d IN SELECT generate_series(today - 1, today + ahead) LOOP"
    " IF caudal_prepare_day(d) THEN made := made + 1; END IF; END LOOP;"
    " PERFORM set_config('lock_timeout', '20s', true); RETURN made; END $$;"
    /* Drops the partitions of days that ended before and hold nothing unfinished or younger; deletes what is as old
     * from the default ones. Returns how many executions went. */
    "CREATE FUNCTION caudal_drop_day(d bigint, before_ms bigint) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE t text;"
    " young boolean; n bigint; BEGIN"
    " EXECUTE format('SELECT EXISTS (SELECT 1 FROM %1$I WHERE status <= 2) OR EXISTS (SELECT 1 FROM %1$I WHERE"
    " coalesce(ended_ms, created_ms) >= $1)', 'executions_' || d) INTO young USING before_ms;"
    " IF young THEN RETURN 0; END IF;"
    " EXECUTE format('LOCK TABLE %I', 'executions_' || d);"
    " EXECUTE format('SELECT count(*), coalesce(bool_or(status <= 2 OR coalesce(ended_ms, created_ms) >= $1), false)"
    " FROM %I', 'executions_' || d) INTO n, young USING before_ms;"
    " IF young THEN RETURN 0; END IF;"
    " FOREACH t IN ARRAY ARRAY['executions','execution_inputs','node_executions','execution_logs','attempts'] LOOP"
    " EXECUTE format('DROP TABLE %I', t || '_' || d); END LOOP;"
    " DELETE FROM execution_keys WHERE execution >= caudal_day_start(d) AND execution < caudal_day_start(d + 1);"
    " DELETE FROM execution_instants WHERE execution >= caudal_day_start(d) AND execution < caudal_day_start(d + 1);"
    " DELETE FROM execution_days WHERE day = d; RETURN n;"
    " EXCEPTION WHEN lock_not_available THEN RETURN 0; END $$;"
    "CREATE FUNCTION caudal_drop_days(before_ms bigint, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE"
    " dropped bigint := 0; n bigint; d bigint; BEGIN"
    " PERFORM set_config('lock_timeout', '2s', true);"
    " FOR d IN SELECT day FROM execution_days WHERE (day + 1) * 86400000 <= before_ms ORDER BY day LOOP"
    " dropped := dropped + caudal_drop_day(d, before_ms); END LOOP;"
    " PERFORM set_config('lock_timeout', '20s', true);"
    " DELETE FROM executions WHERE id IN (SELECT id FROM executions_default WHERE created_ms < before_ms AND status > 2"
    " AND coalesce(ended_ms, created_ms) < before_ms ORDER BY created_ms LIMIT greatest(most - dropped, 0));"
    " GET DIAGNOSTICS n = ROW_COUNT; RETURN dropped + n; END $$;";

/* As SQLite's version 4. */
static const char version_2[] =
    "ALTER TABLE schedules ADD COLUMN overlap text NOT NULL DEFAULT 'allow', ADD COLUMN catch_up text NOT NULL DEFAULT"
    " 'last', ADD COLUMN catch_up_window bigint NOT NULL DEFAULT -1;"
    "CREATE TABLE schedule_instants(schedule_id text COLLATE \"C\" NOT NULL REFERENCES schedules(id) ON DELETE CASCADE,"
    " instant_ms bigint NOT NULL, id text COLLATE \"C\" NOT NULL, last_ms bigint NOT NULL, outcome text NOT NULL, "
    "reason"
    " text, count bigint NOT NULL, more integer NOT NULL, execution_id text, backfill_id text, at_ms bigint NOT NULL,"
    " PRIMARY KEY(schedule_id, instant_ms));"
    "CREATE INDEX schedule_instants_at ON schedule_instants(at_ms);"
    "CREATE TABLE backfills(LIKE workers INCLUDING ALL);"
    "CREATE TABLE variables(LIKE workers INCLUDING ALL);"
    "CREATE TABLE secrets(LIKE workers INCLUDING ALL);"
    "ALTER TABLE flows ADD COLUMN published_version integer;"
    "ALTER TABLE executions ADD COLUMN request_hash bigint, ADD COLUMN waiting_for text;"
    "ALTER TABLE execution_inputs ADD COLUMN options text;"
    "CREATE INDEX executions_waiting ON executions(waiting_for) WHERE status <= 2 AND waiting_for IS NOT NULL;";

/* A node may run once for each pass of a loop and each item of a for-each. `waiting`: for what, or what is to come of a
 * node's success. */
static const char version_3[] =
    "ALTER TABLE checkpoints ADD COLUMN iteration text COLLATE \"C\" NOT NULL DEFAULT '0', ADD COLUMN waiting text,"
    " DROP CONSTRAINT checkpoints_pkey, ADD PRIMARY KEY(execution, node_id, iteration);"
    "ALTER TABLE attempts ADD COLUMN iteration text COLLATE \"C\" NOT NULL DEFAULT '0', DROP CONSTRAINT attempts_pkey,"
    " ADD PRIMARY KEY(execution, epoch, node_id, iteration, attempt);";

/* Who published a version, when and why. */
static const char version_4[] =
    "ALTER TABLE flow_versions ADD COLUMN published_ms bigint, ADD COLUMN published_by text,"
    " ADD COLUMN publish_note text;";

/* As SQLite's version 7. */
static const char version_5[] =
    "ALTER TABLE executions ADD COLUMN limit_key text COLLATE \"C\", ADD COLUMN rate_key text COLLATE \"C\","
    " ADD COLUMN queue_ms bigint;"
    "CREATE INDEX executions_held ON executions(flow_id, limit_key) WHERE status <= 2 AND limit_key IS NOT NULL;"
    "CREATE INDEX executions_queued ON executions(flow_id, queue_ms, id) WHERE status <= 2 AND queue_ms IS NOT NULL;"
    "CREATE TABLE limit_starts(flow_id text COLLATE \"C\" NOT NULL REFERENCES flows(id) ON DELETE CASCADE,"
    " rate_key text COLLATE \"C\" NOT NULL, at_ms bigint NOT NULL, execution text COLLATE \"C\" NOT NULL,"
    " PRIMARY KEY(flow_id, rate_key, at_ms, execution));";

/* Executions that others have started, and words from outside that nodes wait for: `signals` counts those that an
 * execution was ever sent, so that whoever parks it can say which it has seen. Links to waits for a person. Versions
 * that start when another flow fails. */
static const char version_6[] =
    "ALTER TABLE executions ADD COLUMN parent_id text COLLATE \"C\", ADD COLUMN parent_node_id text COLLATE \"C\","
    " ADD COLUMN parent_iteration text, ADD COLUMN parent_waits integer NOT NULL DEFAULT 0, ADD COLUMN depth integer"
    " NOT NULL DEFAULT 0, ADD COLUMN body text, ADD COLUMN signals bigint NOT NULL DEFAULT 0;"
    "CREATE INDEX executions_children ON executions(parent_id, created_ms, id) WHERE parent_id IS NOT NULL;"
    "CREATE INDEX executions_awaited ON executions(parent_id) WHERE status <= 2 AND parent_waits = 1;"
    "CREATE TABLE signals(execution text COLLATE \"C\" NOT NULL, id bigint NOT NULL, of_child integer NOT NULL, name"
    " text, node_id text COLLATE \"C\", iteration text, payload text, key text COLLATE \"C\", taken integer NOT NULL"
    " DEFAULT 0, at_ms bigint NOT NULL, PRIMARY KEY(execution, id));"
    "CREATE UNIQUE INDEX signals_key ON signals(execution, key) WHERE key IS NOT NULL;"
    "CREATE INDEX signals_open ON signals(execution) WHERE taken = 0;"
    "CREATE TABLE wait_tokens(token text COLLATE \"C\" PRIMARY KEY, execution text COLLATE \"C\" NOT NULL, node_id text"
    " COLLATE \"C\" NOT NULL, iteration text NOT NULL, answer text, answered_ms bigint);"
    "CREATE INDEX wait_tokens_execution ON wait_tokens(execution);"
    "ALTER TABLE flow_versions ADD COLUMN listens integer NOT NULL DEFAULT 0;"
    "CREATE INDEX flow_versions_listening ON flow_versions(flow_id, version) WHERE listens = 1;"
    "CREATE OR REPLACE FUNCTION caudal_executions_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM execution_inputs c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM node_executions c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_logs c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM attempts c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM checkpoints c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM signals c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM wait_tokens c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_keys c USING gone WHERE c.execution = gone.id;"
    " DELETE FROM execution_instants c USING gone WHERE c.execution = gone.id;"
    " RETURN NULL; END $$;"
    "CREATE OR REPLACE FUNCTION caudal_drop_day(d bigint, before_ms bigint) RETURNS bigint LANGUAGE plpgsql AS $$ "
    "DECLARE t text; young boolean; n bigint; BEGIN"
    " EXECUTE format('SELECT EXISTS (SELECT 1 FROM %1$I WHERE status <= 2) OR EXISTS (SELECT 1 FROM %1$I WHERE"
    " coalesce(ended_ms, created_ms) >= $1)', 'executions_' || d) INTO young USING before_ms;"
    " IF young THEN RETURN 0; END IF;"
    " EXECUTE format('LOCK TABLE %I', 'executions_' || d);"
    " EXECUTE format('SELECT count(*), coalesce(bool_or(status <= 2 OR coalesce(ended_ms, created_ms) >= $1), false)"
    " FROM %I', 'executions_' || d) INTO n, young USING before_ms;"
    " IF young THEN RETURN 0; END IF;"
    " FOREACH t IN ARRAY ARRAY['executions','execution_inputs','node_executions','execution_logs','attempts'] LOOP"
    " EXECUTE format('DROP TABLE %I', t || '_' || d); END LOOP;"
    " FOREACH t IN ARRAY ARRAY['execution_keys','execution_instants','signals','wait_tokens'] LOOP"
    " EXECUTE format('DELETE FROM %I WHERE execution >= caudal_day_start($1) AND execution < caudal_day_start($1 + 1)',"
    " t) USING d; END LOOP;"
    " DELETE FROM execution_days WHERE day = d; RETURN n;"
    " EXCEPTION WHEN lock_not_available THEN RETURN 0; END $$;";

/* What retention leaves alone; a day stays as long as one of its executions does. Services of the version before go on
 * with the functions that they know. */
#define STAYS                                                                                                          \
    "status <= 2 OR kept = 1 OR coalesce(ended_ms, created_ms) >= CASE WHEN status IN (4, 6) THEN $2 ELSE $1 END"      \
    " OR flow_id IN (SELECT f.id FROM flows f JOIN flow_versions v ON v.flow_id = f.id AND v.version ="                \
    " coalesce(f.published_version, f.version) WHERE v.settings LIKE ''%%\"retention\"%%'')"
static const char version_7[] =
    "ALTER TABLE executions ADD COLUMN kept integer NOT NULL DEFAULT 0;"
    "CREATE FUNCTION caudal_drop_day(d bigint, before_ms bigint, failed_ms bigint) RETURNS bigint LANGUAGE plpgsql AS"
    " $$ DECLARE t text; young boolean; n bigint; BEGIN"
    " EXECUTE format('SELECT EXISTS (SELECT 1 FROM %1$I WHERE " STAYS ")', 'executions_' || d) INTO young USING"
    " before_ms, failed_ms;"
    " IF young THEN RETURN 0; END IF;"
    " EXECUTE format('LOCK TABLE %I', 'executions_' || d);"
    " EXECUTE format('SELECT count(*), coalesce(bool_or(" STAYS "), false) FROM %1$I', 'executions_' || d) INTO n,"
    " young USING before_ms, failed_ms;"
    " IF young THEN RETURN 0; END IF;"
    " FOREACH t IN ARRAY ARRAY['executions','execution_inputs','node_executions','execution_logs','attempts'] LOOP"
    " EXECUTE format('DROP TABLE %I', t || '_' || d); END LOOP;"
    " FOREACH t IN ARRAY ARRAY['execution_keys','execution_instants','signals','wait_tokens'] LOOP"
    " EXECUTE format('DELETE FROM %I WHERE execution >= caudal_day_start($1) AND execution < caudal_day_start($1 + 1)',"
    " t) USING d; END LOOP;"
    " DELETE FROM execution_days WHERE day = d; RETURN n;"
    " EXCEPTION WHEN lock_not_available THEN RETURN 0; END $$;"
    "CREATE FUNCTION caudal_drop_days(before_ms bigint, failed_ms bigint, most bigint) RETURNS bigint LANGUAGE plpgsql"
    " AS $$ DECLARE dropped bigint := 0; n bigint; d bigint; BEGIN"
    " PERFORM set_config('lock_timeout', '2s', true);"
    " FOR d IN SELECT day FROM execution_days WHERE (day + 1) * 86400000 <= greatest(before_ms, failed_ms) ORDER BY"
    " day LOOP dropped := dropped + caudal_drop_day(d, before_ms, failed_ms); END LOOP;"
    " PERFORM set_config('lock_timeout', '20s', true);"
    " DELETE FROM executions WHERE id IN (SELECT id FROM executions_default WHERE created_ms < greatest(before_ms,"
    " failed_ms) AND status > 2 AND kept = 0 AND coalesce(ended_ms, created_ms) < CASE WHEN status IN (4, 6) THEN"
    " failed_ms ELSE before_ms END AND flow_id NOT IN (SELECT f.id FROM flows f JOIN flow_versions v ON v.flow_id ="
    " f.id AND v.version = coalesce(f.published_version, f.version) WHERE v.settings LIKE '%\"retention\"%')"
    " ORDER BY created_ms LIMIT greatest(most - dropped, 0));"
    " GET DIAGNOSTICS n = ROW_COUNT; RETURN dropped + n; END $$;"
    "CREATE OR REPLACE FUNCTION caudal_drop_days(before_ms bigint, most bigint) RETURNS bigint LANGUAGE sql AS"
    " $$ SELECT caudal_drop_days(before_ms, before_ms, most) $$;";

/* As SQLite's version 10. */
static const char version_8[] = "ALTER TABLE checkpoints ADD COLUMN evaluated text;";

static const char *const migrations[] = {version_1, version_2, version_3, version_4,
                                         version_5, version_6, version_7, version_8};

/* Any number that nothing else in the database locks. */
#define LOCK_SCHEMA "SELECT pg_advisory_xact_lock(4702887161235784051)"

int pg_schema_latest(void)
{
    return (int)(sizeof migrations / sizeof *migrations);
}

enum err pg_simple(PGconn *connection, const char *sql, char **ret_text, struct error *reterr)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    enum sql_constraint constraint;
    bool passing = false;
    enum err code = ERR_OK;
    if (PQstatus(connection) != CONNECTION_OK)
        code = pg_lost(connection, reterr);
    else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        code = pg_error(result, &constraint, &passing, reterr);
    else if (ret_text != NULL)
        *ret_text = mem_dup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return code;
}

static enum err number_of(PGconn *connection, const char *sql, int *ret, struct error *reterr)
{
    AUTO_FREE char *text = NULL;
    enum err code = pg_simple(connection, sql, &text, reterr);
    if (code == ERR_OK)
        *ret = (int)strtol(text, NULL, 10);
    return code;
}

static enum err refuse_newer(int present, int version, struct error *reterr)
{
    return present <= version
               ? ERR_OK
               : error_set(reterr, ERR_CONFLICT, NULL,
                           "The database has schema version %d, this program knows up to %d: a newer program made it."
                           " Run that one, or restore a backup from before the upgrade.",
                           present, version);
}

static enum err apply(PGconn *connection, int from, int to, struct error *reterr)
{
    enum err code = ERR_OK;
    for (int version = from + 1; code == ERR_OK && version <= to; version++) {
        AUTO_FREE char *mark = mem_printf(
            "INSERT INTO schema_version VALUES(%d, floor(extract(epoch FROM clock_timestamp()) * 1000))", version);
        code = pg_simple(connection, migrations[version - 1], NULL, reterr);
        if (code == ERR_OK)
            code = pg_simple(connection, mark, NULL, reterr);
    }
    return code;
}

/* Several services start at once: one of them works, the others wait for it and find it done. */
enum err pg_schema_migrate(PGconn *connection, int version, struct error *reterr)
{
    int present = 0;
    enum err code = pg_simple(connection, "BEGIN; SET LOCAL lock_timeout = 0; " LOCK_SCHEMA, NULL, reterr);
    if (code == ERR_OK)
        code = pg_simple(
            connection,
            "CREATE TABLE IF NOT EXISTS schema_version(version integer PRIMARY KEY, applied_ms bigint NOT NULL)", NULL,
            reterr);
    if (code == ERR_OK)
        code = number_of(connection, "SELECT coalesce(max(version), 0) FROM schema_version", &present, reterr);
    if (code == ERR_OK)
        code = refuse_newer(present, version, reterr);
    if (code == ERR_OK)
        code = apply(connection, present, version, reterr);
    if (code == ERR_OK)
        code = pg_simple(connection, "SELECT caudal_prepare_days(7)", NULL, reterr);
    if (code == ERR_OK)
        return pg_simple(connection, "COMMIT", NULL, reterr);
    PQclear(PQexec(connection, "ROLLBACK")); /* the reason is known */
    return code;
}

enum err pg_schema_check(PGconn *connection, struct error *reterr)
{
    int present = 0;
    enum err code =
        number_of(connection, "SELECT (to_regclass('schema_version') IS NOT NULL)::integer", &present, reterr);
    if (code == ERR_OK && present != 0)
        code = number_of(connection, "SELECT coalesce(max(version), 0) FROM schema_version", &present, reterr);
    if (code == ERR_OK)
        code = refuse_newer(present, pg_schema_latest(), reterr);
    if (code == ERR_OK && present < pg_schema_latest())
        code = error_set(reterr, ERR_STORE_BUSY, NULL,
                         "The database has schema version %d, this program needs %d: a gateway or an orchestrator of"
                         " this version, or caudal migrate, must start first.",
                         present, pg_schema_latest());
    return code;
}
