/* The tables that a move copies, parents first. */
#include "store/postgres/move_int.h"

/* A column that a migration adds must be added here: tests/unit/store/test_move.c compares this with the schema. */
const struct move_table move_tables[] = {
    {.name = "flows",
     .source = "flows",
     .columns = "id, name, description, nodes, connections, settings, version, status, metadata, created_by, "
                "created_ms, updated_ms, node_count, published_version",
     .kinds = "ttttttitttiiii",
     .keys = 1,
     .insert = "INSERT INTO flows(id, name, description, nodes, connections, settings, version, status, metadata, "
               "created_by, created_ms, updated_ms, node_count, published_version) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?,"
               " ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "flow_versions",
     .source = "flow_versions",
     .columns = "flow_id, version, nodes, connections, settings, created_by, created_ms, note, node_count, "
                "published_ms, published_by, publish_note, listens",
     .kinds = "tittttitiitti",
     .keys = 2,
     .insert = "INSERT INTO flow_versions(flow_id, version, nodes, connections, settings, created_by, created_ms, "
               "note, node_count, published_ms, published_by, publish_note, listens) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, "
               "?, ?, ?, ?) ON "
               "CONFLICT DO NOTHING"},
    {.name = "schedules",
     .source = "schedules",
     .columns = "id, flow_id, name, description, cron, timezone, enabled, max_retries, retry_delay, last_run_ms, "
                "next_run_ms, metadata, created_by, created_ms, updated_ms, overlap, catch_up, catch_up_window",
     .kinds = "ttttttiiiiittiitti",
     .keys = 1,
     .insert = "INSERT INTO schedules(id, flow_id, name, description, cron, timezone, enabled, max_retries, "
               "retry_delay, last_run_ms, next_run_ms, metadata, created_by, created_ms, updated_ms, overlap, "
               "catch_up, catch_up_window) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT "
               "DO NOTHING"},
    {.name = "schedule_instants",
     .source = "schedule_instants",
     .columns = "schedule_id, instant_ms, id, last_ms, outcome, reason, count, more, execution_id, backfill_id, at_ms",
     .kinds = "titittiitti",
     .keys = 2,
     .insert = "INSERT INTO schedule_instants(schedule_id, instant_ms, id, last_ms, outcome, reason, count, more, "
               "execution_id, backfill_id, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "executions",
     .source = "executions",
     .columns =
         "id, flow_id, flow_version, schedule_id, schedule_instant_ms, trigger_kind, trigger_node, priority, "
         "status, epoch, retry_count, created_ms, started_ms, ended_ms, wake_ms, records, worker_id, error_id,"
         " error_message, idempotency_key, settled, lost, request_hash, waiting_for, limit_key, rate_key, queue_ms, "
         "parent_id, parent_node_id, parent_iteration, parent_waits, depth, body, signals, kept",
     .kinds = "ttitittiiiiiiiiittttiiitttitttiitii",
     .keys = 1,
     .insert = "INSERT INTO executions(id, flow_id, flow_version, schedule_id, schedule_instant_ms, trigger_kind, "
               "trigger_node, priority, status, epoch, retry_count, created_ms, started_ms, ended_ms, wake_ms, "
               "records, worker_id, error_id, error_message, idempotency_key, settled, lost, request_hash, "
               "waiting_for, limit_key, rate_key, queue_ms, parent_id, parent_node_id, "
               "parent_iteration, parent_waits, depth, body, signals, kept) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
               "?, ?, ?, "
               "?, ?, ?, ?, ?, ?, ?, ?, ?, "
               "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON "
               "CONFLICT DO NOTHING"},
    {.name = "limit_starts",
     .source = "limit_starts",
     .columns = "flow_id, rate_key, at_ms, execution",
     .kinds = "ttit",
     .keys = 4,
     .insert = "INSERT INTO limit_starts(flow_id, rate_key, at_ms, execution) VALUES(?, ?, ?, ?) ON CONFLICT DO "
               "NOTHING"},
    {.name = "execution_keys",
     .source = "(SELECT flow_id, idempotency_key, id AS execution FROM executions WHERE idempotency_key IS NOT NULL)",
     .columns = "flow_id, idempotency_key, execution",
     .kinds = "ttt",
     .keys = 2,
     .insert = "INSERT INTO execution_keys(flow_id, idempotency_key, execution) VALUES(?, ?, ?) ON CONFLICT DO "
               "NOTHING"},
    {.name = "execution_instants",
     .source = "(SELECT schedule_id, schedule_instant_ms, id AS execution FROM executions WHERE schedule_id IS NOT "
               "NULL AND schedule_instant_ms IS NOT NULL)",
     .columns = "schedule_id, schedule_instant_ms, execution",
     .kinds = "tit",
     .keys = 2,
     .insert = "INSERT INTO execution_instants(schedule_id, schedule_instant_ms, execution) VALUES(?, ?, ?) ON "
               "CONFLICT DO NOTHING"},
    {.name = "execution_inputs",
     .source = "(SELECT e.id AS execution, c.input, c.metadata, c.restore, c.options FROM execution_inputs c JOIN "
               "executions e ON e.seq = c.execution)",
     .columns = "execution, input, metadata, restore, options",
     .kinds = "ttttt",
     .keys = 1,
     .insert = "INSERT INTO execution_inputs(execution, input, metadata, restore, options) VALUES(?, ?, ?, ?, ?) ON "
               "CONFLICT DO NOTHING"},
    {.name = "node_executions",
     .source = "(SELECT e.id AS execution, c.document, c.result FROM node_executions c JOIN executions e ON e.seq = "
               "c.execution)",
     .columns = "execution, document, result",
     .kinds = "tbb",
     .keys = 1,
     .insert = "INSERT INTO node_executions(execution, document, result) VALUES(?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "checkpoints",
     .source = "(SELECT e.id AS execution, c.node_id, c.iteration, c.attempt, c.epoch, c.state, c.outputs, c.records, "
               "c.started_ms, c.ended_ms, c.wake_ms, c.error_id, c.error_message, c.waiting, c.evaluated FROM "
               "checkpoints c JOIN "
               "executions e ON e.seq = c.execution)",
     .columns = "execution, node_id, iteration, attempt, epoch, state, outputs, records, started_ms, ended_ms, "
                "wake_ms, error_id, error_message, waiting, evaluated",
     .kinds = "tttiittiiiitttt",
     .keys = 3,
     .insert = "INSERT INTO checkpoints(execution, node_id, iteration, attempt, epoch, state, outputs, records, "
               "started_ms, ended_ms, wake_ms, error_id, error_message, waiting, evaluated) VALUES(?, ?, ?, ?, ?, ?, "
               "?, ?, ?, ?, "
               "?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "signals",
     .source = "(SELECT e.id AS execution, c.id, c.of_child, c.name, c.node_id, c.iteration, c.payload, c.key, c.taken,"
               " c.at_ms FROM signals c JOIN executions e ON e.seq = c.execution)",
     .columns = "execution, id, of_child, name, node_id, iteration, payload, key, taken, at_ms",
     .kinds = "tiitttttii",
     .keys = 2,
     .insert = "INSERT INTO signals(execution, id, of_child, name, node_id, iteration, payload, key, taken, at_ms) "
               "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "wait_tokens",
     .source = "(SELECT c.token, e.id AS execution, c.node_id, c.iteration, c.answer, c.answered_ms FROM wait_tokens c "
               "JOIN executions e ON e.seq = c.execution)",
     .columns = "token, execution, node_id, iteration, answer, answered_ms",
     .kinds = "ttttti",
     .keys = 1,
     .insert = "INSERT INTO wait_tokens(token, execution, node_id, iteration, answer, answered_ms) VALUES(?, ?, ?, ?, "
               "?, ?) ON CONFLICT DO NOTHING"},
    {.name = "execution_logs",
     .source = "(SELECT e.id AS execution, c.chunk, c.lines, c.content FROM execution_logs c JOIN executions e ON "
               "e.seq = c.execution)",
     .columns = "execution, chunk, lines, content",
     .kinds = "tiib",
     .keys = 2,
     .insert = "INSERT INTO execution_logs(execution, chunk, lines, content) VALUES(?, ?, ?, ?) ON CONFLICT DO "
               "NOTHING"},
    {.name = "attempts",
     .source = "(SELECT e.id AS execution, c.epoch, c.node_id, c.iteration, c.attempt, c.state, c.worker_id, "
               "c.started_ms, c.ended_ms, c.error_message FROM attempts c JOIN executions e ON e.seq = c.execution)",
     .columns = "execution, epoch, node_id, iteration, attempt, state, worker_id, started_ms, ended_ms, error_message",
     .kinds = "tittittiit",
     .keys = 5,
     .insert = "INSERT INTO attempts(execution, epoch, node_id, iteration, attempt, state, worker_id, started_ms, "
               "ended_ms, error_message) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "workers",
     .source = "workers",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO workers(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "dead_letters",
     .source = "dead_letters",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO dead_letters(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO "
               "NOTHING"},
    {.name = "users",
     .source = "users",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO users(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "api_keys",
     .source = "api_keys",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO api_keys(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "settings",
     .source = "settings",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO settings(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "audit_log",
     .source = "audit_log",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO audit_log(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "node_definitions",
     .source = "node_definitions",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO node_definitions(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO "
               "NOTHING"},
    {.name = "backfills",
     .source = "backfills",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO backfills(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "variables",
     .source = "variables",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO variables(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {.name = "secrets",
     .source = "secrets",
     .columns = "id, key, status, at_ms, document",
     .kinds = "tttit",
     .keys = 1,
     .insert = "INSERT INTO secrets(id, key, status, at_ms, document) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
    {0}};
