/* The tables of what routes answer with, and their schemas. */
#include "gateway/answers.h"

#include "base/mem.h"
#include <stdlib.h>

/* Members that are always there; those of NULLABLE may be null; those of MAYBE may be missing too. */
#define ALWAYS(n, k)                                                                                                   \
    {                                                                                                                  \
        .name = (n), .kind = (k), .required = true                                                                     \
    }
#define NULLABLE(n, k)                                                                                                 \
    {                                                                                                                  \
        .name = (n), .kind = (k), .required = true, .nullable = true                                                   \
    }
#define MAYBE(n, k)                                                                                                    \
    {                                                                                                                  \
        .name = (n), .kind = (k), .nullable = true                                                                     \
    }
#define NESTED(n, k, t)                                                                                                \
    {                                                                                                                  \
        .name = (n), .kind = (k), .required = true, .fields = (t)                                                      \
    }

static const struct field problem_fields[] = {ALWAYS("code", FIELD_STRING),  ALWAYS("message", FIELD_STRING),
                                              MAYBE("nodeId", FIELD_STRING), MAYBE("field", FIELD_STRING),
                                              MAYBE("line", FIELD_INT),      {0}};

/* ---- flows (api-contract 1.2) */
static const struct field position_fields[] = {ALWAYS("x", FIELD_NUMBER), ALWAYS("y", FIELD_NUMBER), {0}};
static const struct field size_fields[] = {ALWAYS("width", FIELD_NUMBER), ALWAYS("height", FIELD_NUMBER), {0}};
static const struct field node_fields[] = {ALWAYS("id", FIELD_STRING),
                                           ALWAYS("type", FIELD_STRING),
                                           ALWAYS("version", FIELD_STRING),
                                           ALWAYS("config", FIELD_OBJECT),
                                           NESTED("position", FIELD_OBJECT, position_fields),
                                           MAYBE("parentId", FIELD_STRING),
                                           {.name = "size", .kind = FIELD_OBJECT, .fields = size_fields},
                                           {0}};
static const struct field connection_fields[] = {ALWAYS("fromNodeId", FIELD_STRING),
                                                 ALWAYS("fromOutput", FIELD_STRING),
                                                 ALWAYS("toNodeId", FIELD_STRING),
                                                 ALWAYS("toInput", FIELD_STRING),
                                                 {0}};
static const struct field flow_fields[] = {ALWAYS("id", FIELD_STRING),
                                           ALWAYS("name", FIELD_STRING),
                                           NULLABLE("description", FIELD_STRING),
                                           NESTED("nodes", FIELD_ARRAY, node_fields),
                                           NESTED("connections", FIELD_ARRAY, connection_fields),
                                           NULLABLE("settings", FIELD_OBJECT),
                                           ALWAYS("version", FIELD_INT),
                                           NULLABLE("publishedVersion", FIELD_INT),
                                           ALWAYS("status", FIELD_STRING),
                                           NULLABLE("metadata", FIELD_OBJECT),
                                           NULLABLE("createdBy", FIELD_STRING),
                                           ALWAYS("createdAt", FIELD_STRING),
                                           ALWAYS("updatedAt", FIELD_STRING),
                                           {.name = "warnings", .kind = FIELD_ARRAY, .fields = problem_fields},
                                           {0}};
static const struct field flow_summary_fields[] = {
    ALWAYS("id", FIELD_STRING),        ALWAYS("name", FIELD_STRING),      NULLABLE("description", FIELD_STRING),
    ALWAYS("version", FIELD_INT),      ALWAYS("status", FIELD_STRING),    ALWAYS("nodeCount", FIELD_INT),
    ALWAYS("createdAt", FIELD_STRING), ALWAYS("updatedAt", FIELD_STRING), {0}};
static const struct field flow_check_fields[] = {ALWAYS("valid", FIELD_BOOL),
                                                 NESTED("errors", FIELD_ARRAY, problem_fields),
                                                 NESTED("warnings", FIELD_ARRAY, problem_fields),
                                                 {0}};
static const struct field flow_version_fields[] = {
    ALWAYS("version", FIELD_INT),          ALWAYS("createdAt", FIELD_STRING),     NULLABLE("createdBy", FIELD_STRING),
    ALWAYS("nodeCount", FIELD_INT),        NULLABLE("changes", FIELD_STRING),     NULLABLE("publishedAt", FIELD_STRING),
    NULLABLE("publishedBy", FIELD_STRING), NULLABLE("publishNote", FIELD_STRING), {0}};
static const struct field diff_field_fields[] = {
    ALWAYS("path", FIELD_STRING), NULLABLE("before", FIELD_ANY), NULLABLE("after", FIELD_ANY), {0}};
static const struct field diff_node_fields[] = {ALWAYS("id", FIELD_STRING), NULLABLE("type", FIELD_STRING), {0}};
static const struct field diff_changed_fields[] = {
    ALWAYS("id", FIELD_STRING), NULLABLE("type", FIELD_STRING), NESTED("fields", FIELD_ARRAY, diff_field_fields), {0}};
static const struct field diff_nodes_fields[] = {NESTED("added", FIELD_ARRAY, diff_node_fields),
                                                 NESTED("removed", FIELD_ARRAY, diff_node_fields),
                                                 NESTED("changed", FIELD_ARRAY, diff_changed_fields),
                                                 ALWAYS("moved", FIELD_STRINGS),
                                                 {0}};
static const struct field diff_connections_fields[] = {
    NESTED("added", FIELD_ARRAY, connection_fields), NESTED("removed", FIELD_ARRAY, connection_fields), {0}};
static const struct field flow_diff_fields[] = {NESTED("nodes", FIELD_OBJECT, diff_nodes_fields),
                                                NESTED("connections", FIELD_OBJECT, diff_connections_fields),
                                                NESTED("settings", FIELD_ARRAY, diff_field_fields),
                                                ALWAYS("changes", FIELD_INT),
                                                {0}};
static const struct field evaluation_fields[] = {{.name = "value", .kind = FIELD_ANY},
                                                 {.name = "type", .kind = FIELD_STRING},
                                                 {.name = "error", .kind = FIELD_STRING},
                                                 {.name = "code", .kind = FIELD_STRING},
                                                 {0}};
static const struct field helper_fields[] = {ALWAYS("name", FIELD_STRING),
                                             ALWAYS("kind", FIELD_STRING),
                                             ALWAYS("signature", FIELD_STRING),
                                             ALWAYS("help", FIELD_STRING),
                                             {0}};
const struct answer answer_evaluation = {"Evaluation", evaluation_fields, ANSWER_ONE};
const struct answer answer_helpers = {"ExpressionHelper", helper_fields, ANSWER_LIST};
const struct answer answer_flow_diff = {"FlowDiff", flow_diff_fields, ANSWER_ONE};
const struct answer answer_flow = {"Flow", flow_fields, ANSWER_ONE};
const struct answer answer_flow_page = {"FlowSummary", flow_summary_fields, ANSWER_PAGE};
const struct answer answer_flow_check = {"FlowCheck", flow_check_fields, ANSWER_ONE};
const struct answer answer_flow_versions = {"FlowVersion", flow_version_fields, ANSWER_LIST};

/* ---- variables and secrets */
static const char *const scopes[] = {"global", "flow", NULL};
#define SCOPED_FIELDS                                                                                                  \
    ALWAYS("name", FIELD_STRING), {.name = "scope", .kind = FIELD_ENUM, .required = true, .values = scopes},           \
        NULLABLE("flowId", FIELD_STRING), NULLABLE("description", FIELD_STRING), ALWAYS("createdAt", FIELD_STRING),    \
        NULLABLE("createdBy", FIELD_STRING), ALWAYS("updatedAt", FIELD_STRING), NULLABLE("updatedBy", FIELD_STRING)
static const struct field variable_fields[] = {SCOPED_FIELDS, NULLABLE("value", FIELD_ANY), {0}};
static const struct field secret_fields[] = {
    SCOPED_FIELDS,
    {.name = "readable",
     .kind = FIELD_BOOL,
     .required = true,
     .help = "Whether a key of SECRETS_KEY opens it; if not, nodes that need it fail until it has a value again."},
    {.name = "current",
     .kind = FIELD_BOOL,
     .required = true,
     .help = "Whether it is sealed under the first key of SECRETS_KEY; if not, POST /api/v1/secrets/rotate seals it "
             "anew."},
    {0}};
static const struct field secret_place_fields[] = {
    ALWAYS("name", FIELD_STRING),
    {.name = "scope", .kind = FIELD_ENUM, .required = true, .values = scopes},
    NULLABLE("flowId", FIELD_STRING),
    {0}};
static const struct field rotation_fields[] = {
    {.name = "done", .kind = FIELD_BOOL, .required = true, .help = "false: call it again for the remaining ones."},
    {.name = "total", .kind = FIELD_INT, .required = true, .help = "Secrets there are."},
    {.name = "resealed", .kind = FIELD_INT, .required = true, .help = "Those that this call sealed anew."},
    {.name = "remaining",
     .kind = FIELD_INT,
     .required = true,
     .help = "Those still sealed under another key than the first, without the unreadable ones."},
    {.name = "unreadableCount", .kind = FIELD_INT, .required = true, .help = "Those that no key opens."},
    {.name = "unreadable",
     .kind = FIELD_ARRAY,
     .required = true,
     .fields = secret_place_fields,
     .help = "The first 100 of these: they need their values again, or to be deleted."},
    {0}};
const struct answer answer_variable = {"Variable", variable_fields, ANSWER_ONE};
const struct answer answer_variables = {"Variable", variable_fields, ANSWER_LIST};
const struct answer answer_secret = {"Secret", secret_fields, ANSWER_ONE};
const struct answer answer_secrets = {"Secret", secret_fields, ANSWER_LIST};
const struct answer answer_rotation = {"Rotation", rotation_fields, ANSWER_ONE};

/* ---- executions (api-contract 1.4) */
static const struct field attempt_fields[] = {ALWAYS("attempt", FIELD_INT),     MAYBE("epoch", FIELD_INT),
                                              ALWAYS("status", FIELD_STRING),   MAYBE("worker", FIELD_STRING),
                                              MAYBE("startTime", FIELD_STRING), MAYBE("endTime", FIELD_STRING),
                                              MAYBE("error", FIELD_STRING),     {0}};
static const struct field node_execution_fields[] = {
    ALWAYS("nodeId", FIELD_STRING),
    ALWAYS("nodeType", FIELD_STRING),
    ALWAYS("status", FIELD_STRING),
    ALWAYS("startTime", FIELD_STRING),
    NULLABLE("endTime", FIELD_STRING),
    NULLABLE("duration", FIELD_INT),
    ALWAYS("recordsProcessed", FIELD_INT),
    NULLABLE("errorMessage", FIELD_STRING),
    MAYBE("input", FIELD_ANY),
    MAYBE("output", FIELD_ANY),
    {.name = "attempts", .kind = FIELD_ARRAY, .fields = attempt_fields},
    {0}};
#define EXECUTION_FIELDS                                                                                               \
    ALWAYS("id", FIELD_STRING), ALWAYS("flowId", FIELD_STRING), NULLABLE("scheduleId", FIELD_STRING),                  \
        ALWAYS("status", FIELD_STRING), ALWAYS("startTime", FIELD_STRING), NULLABLE("endTime", FIELD_STRING),          \
        NULLABLE("duration", FIELD_INT), ALWAYS("recordsProcessed", FIELD_INT),                                        \
        NULLABLE("errorMessage", FIELD_STRING), ALWAYS("retryCount", FIELD_INT), NULLABLE("errorCode", FIELD_STRING),  \
        ALWAYS("priority", FIELD_INT), ALWAYS("flowVersion", FIELD_INT), NULLABLE("trigger", FIELD_STRING),            \
        NULLABLE("waitingUntil", FIELD_STRING), NULLABLE("waitingFor", FIELD_STRING),                                  \
        NULLABLE("parentExecutionId", FIELD_STRING), NULLABLE("parentNodeId", FIELD_STRING),                           \
        ALWAYS("kept", FIELD_BOOL)
static const struct field execution_fields[] = {EXECUTION_FIELDS, {0}};
static const struct field wait_fields[] = {ALWAYS("nodeId", FIELD_STRING),     ALWAYS("iteration", FIELD_STRING),
                                           ALWAYS("kind", FIELD_STRING),       NULLABLE("since", FIELD_STRING),
                                           NULLABLE("until", FIELD_STRING),    MAYBE("name", FIELD_STRING),
                                           MAYBE("executionId", FIELD_STRING), MAYBE("title", FIELD_STRING),
                                           MAYBE("url", FIELD_STRING),         {0}};
static const struct field signal_fields[] = {ALWAYS("executionId", FIELD_STRING),
                                             ALWAYS("signalId", FIELD_INT),
                                             ALWAYS("awaited", FIELD_BOOL),
                                             ALWAYS("repeated", FIELD_BOOL),
                                             {0}};
const struct answer answer_signal = {"Signal", signal_fields, ANSWER_ONE};
static const struct field execution_detail_fields[] = {EXECUTION_FIELDS,
                                                       ALWAYS("epoch", FIELD_INT),
                                                       NULLABLE("workerId", FIELD_STRING),
                                                       NULLABLE("triggerNode", FIELD_STRING),
                                                       NULLABLE("input", FIELD_ANY),
                                                       NULLABLE("metadata", FIELD_OBJECT),
                                                       NULLABLE("result", FIELD_ANY),
                                                       NESTED("waits", FIELD_ARRAY, wait_fields),
                                                       NESTED("nodeExecutions", FIELD_ARRAY, node_execution_fields),
                                                       {0}};
static const struct field start_fields[] = {
    ALWAYS("executionId", FIELD_STRING), ALWAYS("status", FIELD_STRING), MAYBE("message", FIELD_STRING), {0}};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const struct field log_fields[] = {
    ALWAYS("timestamp", FIELD_STRING), {.name = "level", .kind = FIELD_ENUM, .required = true, .values = levels},
    ALWAYS("message", FIELD_STRING),   MAYBE("nodeId", FIELD_STRING),
    MAYBE("metadata", FIELD_OBJECT),   {0}};
static const struct field job_stats_fields[] = {ALWAYS("waiting", FIELD_INT),
                                                ALWAYS("active", FIELD_INT),
                                                ALWAYS("completed", FIELD_INT),
                                                ALWAYS("failed", FIELD_INT),
                                                ALWAYS("delayed", FIELD_INT),
                                                ALWAYS("paused", FIELD_INT),
                                                {0}};
const struct answer answer_execution_page = {"Execution", execution_fields, ANSWER_PAGE};
const struct answer answer_execution = {"ExecutionDetail", execution_detail_fields, ANSWER_ONE};
const struct answer answer_execution_start = {"ExecutionStart", start_fields, ANSWER_ONE};
const struct answer answer_execution_logs = {"ExecutionLog", log_fields, ANSWER_LIST};
static const struct field ledger_fields[] = {
    ALWAYS("nodeId", FIELD_STRING),
    ALWAYS("nodeType", FIELD_STRING),
    {.name = "iteration", .kind = FIELD_STRING, .required = true, .help = "Of its loops and for-each; 0: of none."},
    ALWAYS("attempt", FIELD_INT),
    NULLABLE("epoch", FIELD_INT),
    NULLABLE("worker", FIELD_STRING),
    NULLABLE("startTime", FIELD_STRING),
    NULLABLE("endTime", FIELD_STRING),
    {.name = "outcome",
     .kind = FIELD_STRING,
     .required = true,
     .help = "running, waiting, success, failed, …; unknown: its worker was lost before it told."},
    NULLABLE("error", FIELD_STRING),
    {.name = "idempotencyKey",
     .kind = FIELD_STRING,
     .required = true,
     .help = "What goes out as Idempotency-Key: the same for all attempts of a node in an iteration."},
    {0}};
const struct answer answer_attempts = {"Attempt", ledger_fields, ANSWER_LIST};
const struct answer answer_node_execution = {"NodeExecution", node_execution_fields, ANSWER_ONE};
const struct answer answer_job_stats = {"JobStats", job_stats_fields, ANSWER_ONE};

/* ---- schedules (api-contract 1.3) */
static const struct field schedule_fields[] = {ALWAYS("id", FIELD_STRING),
                                               ALWAYS("flowId", FIELD_STRING),
                                               ALWAYS("name", FIELD_STRING),
                                               NULLABLE("description", FIELD_STRING),
                                               ALWAYS("cronExpression", FIELD_STRING),
                                               ALWAYS("timezone", FIELD_STRING),
                                               ALWAYS("enabled", FIELD_BOOL),
                                               ALWAYS("maxRetries", FIELD_INT),
                                               ALWAYS("retryDelay", FIELD_INT),
                                               ALWAYS("overlap", FIELD_STRING),
                                               ALWAYS("catchUp", FIELD_STRING),
                                               NULLABLE("catchUpWindow", FIELD_INT),
                                               NULLABLE("lastRun", FIELD_STRING),
                                               NULLABLE("nextRun", FIELD_STRING),
                                               NULLABLE("metadata", FIELD_OBJECT),
                                               NULLABLE("createdBy", FIELD_STRING),
                                               ALWAYS("createdAt", FIELD_STRING),
                                               ALWAYS("updatedAt", FIELD_STRING),
                                               {0}};
static const struct field instants_fields[] = {ALWAYS("nextRuns", FIELD_STRINGS), {0}};
static const struct field bulk_error_fields[] = {
    ALWAYS("scheduleId", FIELD_STRING), ALWAYS("error", FIELD_STRING), {0}};
static const struct field bulk_fields[] = {ALWAYS("successCount", FIELD_INT),
                                           ALWAYS("failureCount", FIELD_INT),
                                           NESTED("errors", FIELD_ARRAY, bulk_error_fields),
                                           {0}};
static const struct field instant_fields[] = {ALWAYS("instant", FIELD_STRING),
                                              ALWAYS("last", FIELD_STRING),
                                              ALWAYS("count", FIELD_INT),
                                              ALWAYS("more", FIELD_BOOL),
                                              ALWAYS("outcome", FIELD_STRING),
                                              NULLABLE("reason", FIELD_STRING),
                                              NULLABLE("executionId", FIELD_STRING),
                                              NULLABLE("backfillId", FIELD_STRING),
                                              ALWAYS("at", FIELD_STRING),
                                              {0}};
static const struct field backfill_fields[] = {ALWAYS("id", FIELD_STRING),          ALWAYS("scheduleId", FIELD_STRING),
                                               ALWAYS("from", FIELD_STRING),        ALWAYS("to", FIELD_STRING),
                                               NULLABLE("next", FIELD_STRING),      ALWAYS("total", FIELD_INT),
                                               ALWAYS("fired", FIELD_INT),          ALWAYS("skipped", FIELD_INT),
                                               ALWAYS("concurrency", FIELD_INT),    ALWAYS("status", FIELD_STRING),
                                               NULLABLE("createdBy", FIELD_STRING), ALWAYS("createdAt", FIELD_STRING),
                                               ALWAYS("updatedAt", FIELD_STRING),   {0}};
const struct answer answer_schedule_history = {"ScheduleInstant", instant_fields, ANSWER_PAGE};
const struct answer answer_backfill = {"Backfill", backfill_fields, ANSWER_ONE};
const struct answer answer_backfills = {"Backfill", backfill_fields, ANSWER_LIST};
const struct answer answer_schedule = {"Schedule", schedule_fields, ANSWER_ONE};
const struct answer answer_schedule_page = {"Schedule", schedule_fields, ANSWER_PAGE};
const struct answer answer_schedule_instants = {"Instants", instants_fields, ANSWER_ONE};
static const struct field bulk_execution_error_fields[] = {
    ALWAYS("executionId", FIELD_STRING), ALWAYS("error", FIELD_STRING), {0}};
static const struct field bulk_execution_fields[] = {ALWAYS("successCount", FIELD_INT),
                                                     ALWAYS("failureCount", FIELD_INT),
                                                     NESTED("errors", FIELD_ARRAY, bulk_execution_error_fields),
                                                     {0}};
const struct answer answer_bulk_executions = {"BulkExecutions", bulk_execution_fields, ANSWER_ONE};
const struct answer answer_bulk_switch = {"BulkSwitch", bulk_fields, ANSWER_ONE};

/* ---- webhooks */
static const struct field webhook_fields[] = {
    ALWAYS("method", FIELD_STRING),
    ALWAYS("path", FIELD_STRING),
    ALWAYS("flowId", FIELD_STRING),
    ALWAYS("flowName", FIELD_STRING),
    ALWAYS("nodeId", FIELD_STRING),
    {.name = "active", .kind = FIELD_BOOL, .required = true, .help = "Whether the flow's status lets it answer."},
    {.name = "waits", .kind = FIELD_BOOL, .required = true, .help = "Whether the caller gets the flow's result."},
    {0}};
const struct answer answer_webhooks = {"Webhook", webhook_fields, ANSWER_LIST};

/* ---- catalog (api-contract 1.5) */
static const struct field pin_fields[] = {ALWAYS("name", FIELD_STRING),      ALWAYS("type", FIELD_STRING),
                                          MAYBE("required", FIELD_BOOL),     MAYBE("description", FIELD_STRING),
                                          MAYBE("validation", FIELD_OBJECT), {0}};
static const struct field out_pin_fields[] = {
    ALWAYS("name", FIELD_STRING), ALWAYS("type", FIELD_STRING), MAYBE("description", FIELD_STRING), {0}};
static const struct field rule_fields[] = {ALWAYS("targetType", FIELD_STRING),
                                           ALWAYS("outputPin", FIELD_STRING),
                                           ALWAYS("targetInputPin", FIELD_STRING),
                                           ALWAYS("compatibility", FIELD_STRING),
                                           {0}};
static const struct field node_type_fields[] = {
    ALWAYS("id", FIELD_STRING),
    ALWAYS("type", FIELD_STRING),
    ALWAYS("name", FIELD_STRING),
    NULLABLE("description", FIELD_STRING),
    ALWAYS("version", FIELD_STRING),
    ALWAYS("category", FIELD_STRING),
    NULLABLE("icon", FIELD_STRING),
    NESTED("inputs", FIELD_ARRAY, pin_fields),
    NESTED("outputs", FIELD_ARRAY, out_pin_fields),
    {.name = "compatibilityMatrix", .kind = FIELD_ARRAY, .required = true, .nullable = true, .fields = rule_fields},
    NULLABLE("configuration", FIELD_OBJECT),
    NULLABLE("metadata", FIELD_OBJECT),
    ALWAYS("createdAt", FIELD_STRING),
    ALWAYS("updatedAt", FIELD_STRING),
    {0}};
static const struct field brief_pin_fields[] = {
    ALWAYS("name", FIELD_STRING), ALWAYS("type", FIELD_STRING), NULLABLE("description", FIELD_STRING), {0}};
static const struct field example_fields[] = {ALWAYS("title", FIELD_STRING),
                                              NULLABLE("description", FIELD_STRING),
                                              NULLABLE("configuration", FIELD_ANY),
                                              NULLABLE("expectedOutput", FIELD_ANY),
                                              {0}};
static const struct field trouble_fields[] = {
    ALWAYS("issue", FIELD_STRING), ALWAYS("description", FIELD_STRING), ALWAYS("solution", FIELD_STRING), {0}};
static const struct field documentation_fields[] = {ALWAYS("type", FIELD_STRING),
                                                    ALWAYS("name", FIELD_STRING),
                                                    ALWAYS("description", FIELD_STRING),
                                                    ALWAYS("category", FIELD_STRING),
                                                    ALWAYS("version", FIELD_STRING),
                                                    ALWAYS("purpose", FIELD_STRING),
                                                    NESTED("inputs", FIELD_ARRAY, brief_pin_fields),
                                                    NESTED("outputs", FIELD_ARRAY, brief_pin_fields),
                                                    NESTED("usageExamples", FIELD_ARRAY, example_fields),
                                                    ALWAYS("requirements", FIELD_STRINGS),
                                                    ALWAYS("limitations", FIELD_STRINGS),
                                                    NESTED("troubleshooting", FIELD_ARRAY, trouble_fields),
                                                    ALWAYS("bestPractices", FIELD_STRINGS),
                                                    ALWAYS("relatedNodes", FIELD_STRINGS),
                                                    ALWAYS("tags", FIELD_STRINGS),
                                                    {0}};
static const struct field node_version_fields[] = {
    ALWAYS("version", FIELD_STRING),  ALWAYS("releaseDate", FIELD_STRING), NULLABLE("changelog", FIELD_STRING),
    ALWAYS("deprecated", FIELD_BOOL), ALWAYS("breaking", FIELD_BOOL),      {0}};
static const struct field issue_fields[] = {
    ALWAYS("type", FIELD_STRING), ALWAYS("message", FIELD_STRING), MAYBE("field", FIELD_STRING), {0}};
static const struct field transformation_fields[] = {
    MAYBE("from", FIELD_STRING), MAYBE("to", FIELD_STRING), MAYBE("transformation", FIELD_STRING), {0}};
static const struct field compatibility_fields[] = {
    ALWAYS("compatible", FIELD_BOOL),
    ALWAYS("compatibility", FIELD_STRING),
    NESTED("issues", FIELD_ARRAY, issue_fields),
    NESTED("requiredTransformations", FIELD_ARRAY, transformation_fields),
    {0}};
static const struct field category_fields[] = {ALWAYS("name", FIELD_STRING),
                                               ALWAYS("description", FIELD_STRING),
                                               ALWAYS("icon", FIELD_STRING),
                                               ALWAYS("nodeCount", FIELD_INT),
                                               {0}};
const struct answer answer_node_type = {"NodeType", node_type_fields, ANSWER_ONE};
const struct answer answer_node_types = {"NodeType", node_type_fields, ANSWER_LIST};
const struct answer answer_node_documentation = {"NodeDocumentation", documentation_fields, ANSWER_ONE};
const struct answer answer_node_versions = {"NodeVersion", node_version_fields, ANSWER_LIST};
const struct answer answer_rules = {"CompatibilityRule", rule_fields, ANSWER_LIST};
const struct answer answer_rules_by_type = {"CompatibilityRule", rule_fields, ANSWER_BY_NAME};
const struct answer answer_compatibility = {"Compatibility", compatibility_fields, ANSWER_ONE};
const struct answer answer_categories = {"Category", category_fields, ANSWER_LIST};

/* ---- monitoring (api-contract 1.6); what is unknown is answered with {error} and 200 there, so nothing is needed */
static const struct field memory_fields[] = {ALWAYS("rss", FIELD_INT),          ALWAYS("heapTotal", FIELD_INT),
                                             ALWAYS("heapUsed", FIELD_INT),     ALWAYS("external", FIELD_INT),
                                             ALWAYS("arrayBuffers", FIELD_INT), {0}};
static const struct field cpu_fields[] = {ALWAYS("user", FIELD_INT), ALWAYS("system", FIELD_INT), {0}};
static const struct field snapshot_fields[] = {ALWAYS("timestamp", FIELD_STRING),
                                               ALWAYS("activeExecutions", FIELD_INT),
                                               ALWAYS("queuedJobs", FIELD_INT),
                                               ALWAYS("completedExecutions", FIELD_INT),
                                               ALWAYS("failedExecutions", FIELD_INT),
                                               ALWAYS("averageExecutionTime", FIELD_NUMBER),
                                               NESTED("systemMemoryUsage", FIELD_OBJECT, memory_fields),
                                               NESTED("systemCpuUsage", FIELD_OBJECT, cpu_fields),
                                               ALWAYS("uptime", FIELD_INT),
                                               {0}};
static const struct field active_job_fields[] = {ALWAYS("jobId", FIELD_STRING),  ALWAYS("executionId", FIELD_STRING),
                                                 ALWAYS("startTime", FIELD_INT), ALWAYS("duration", FIELD_INT),
                                                 ALWAYS("attempts", FIELD_INT),  {0}};
static const struct field system_fields[] = {NESTED("current", FIELD_OBJECT, snapshot_fields),
                                             ALWAYS("activeJobs", FIELD_INT),
                                             NESTED("activeJobsList", FIELD_ARRAY, active_job_fields),
                                             {0}};
static const struct field execution_metrics_fields[] = {
    MAYBE("executionId", FIELD_STRING), MAYBE("flowId", FIELD_STRING),
    MAYBE("startTime", FIELD_STRING),   MAYBE("endTime", FIELD_STRING),
    MAYBE("duration", FIELD_INT),       MAYBE("status", FIELD_STRING),
    MAYBE("nodeCount", FIELD_INT),      MAYBE("completedNodes", FIELD_INT),
    MAYBE("failedNodes", FIELD_INT),    MAYBE("recordsProcessed", FIELD_INT),
    MAYBE("memoryUsage", FIELD_INT),    MAYBE("cpuUsage", FIELD_INT),
    MAYBE("errorCount", FIELD_INT),     MAYBE("retryCount", FIELD_INT),
    MAYBE("error", FIELD_STRING),       {0}};
#define TALLY_FIELDS                                                                                                   \
    MAYBE("executionCount", FIELD_INT), MAYBE("successCount", FIELD_INT), MAYBE("failureCount", FIELD_INT),            \
        MAYBE("averageExecutionTime", FIELD_NUMBER), MAYBE("totalRecordsProcessed", FIELD_INT),                        \
        MAYBE("lastExecutionTime", FIELD_STRING), MAYBE("error", FIELD_STRING)
static const struct field flow_metrics_fields[] = {MAYBE("flowId", FIELD_STRING),
                                                   MAYBE("flowName", FIELD_STRING),
                                                   MAYBE("successRate", FIELD_NUMBER),
                                                   MAYBE("averageNodeCount", FIELD_NUMBER),
                                                   TALLY_FIELDS,
                                                   {0}};
static const struct field node_metrics_fields[] = {MAYBE("nodeId", FIELD_STRING),
                                                   MAYBE("nodeType", FIELD_STRING),
                                                   MAYBE("errorRate", FIELD_NUMBER),
                                                   MAYBE("averageMemoryUsage", FIELD_INT),
                                                   TALLY_FIELDS,
                                                   {0}};
static const struct field failed_type_fields[] = {
    ALWAYS("nodeType", FIELD_STRING), ALWAYS("failureCount", FIELD_INT), {0}};
static const struct field executed_type_fields[] = {
    ALWAYS("nodeType", FIELD_STRING), ALWAYS("executionCount", FIELD_INT), {0}};
static const struct field stats_fields[] = {ALWAYS("totalExecutions", FIELD_INT),
                                            ALWAYS("successfulExecutions", FIELD_INT),
                                            ALWAYS("failedExecutions", FIELD_INT),
                                            ALWAYS("successRate", FIELD_NUMBER),
                                            ALWAYS("totalRecordsProcessed", FIELD_INT),
                                            ALWAYS("averageExecutionTime", FIELD_NUMBER),
                                            NESTED("topFailedNodeTypes", FIELD_ARRAY, failed_type_fields),
                                            NESTED("topExecutedNodeTypes", FIELD_ARRAY, executed_type_fields),
                                            {0}};
static const struct field job_fields[] = {MAYBE("executionId", FIELD_STRING),
                                          MAYBE("startTime", FIELD_INT),
                                          MAYBE("duration", FIELD_INT),
                                          MAYBE("memoryUsage", FIELD_INT),
                                          MAYBE("attempts", FIELD_INT),
                                          MAYBE("error", FIELD_STRING),
                                          {0}};
static const struct field check_fields[] = {ALWAYS("status", FIELD_STRING), ALWAYS("value", FIELD_ANY), {0}};
static const struct field checks_fields[] = {NESTED("memoryUsage", FIELD_OBJECT, check_fields),
                                             NESTED("successRate", FIELD_OBJECT, check_fields),
                                             NESTED("activeExecutions", FIELD_OBJECT, check_fields),
                                             NESTED("uptime", FIELD_OBJECT, check_fields),
                                             {0}};
static const struct field score_fields[] = {ALWAYS("status", FIELD_STRING),
                                            ALWAYS("healthScore", FIELD_INT),
                                            NESTED("checks", FIELD_OBJECT, checks_fields),
                                            ALWAYS("timestamp", FIELD_STRING),
                                            {0}};
static const struct field current_fields[] = {ALWAYS("activeExecutions", FIELD_INT),
                                              ALWAYS("completedExecutions", FIELD_INT),
                                              ALWAYS("failedExecutions", FIELD_INT),
                                              ALWAYS("successRate", FIELD_NUMBER),
                                              ALWAYS("averageExecutionTime", FIELD_NUMBER),
                                              ALWAYS("totalRecordsProcessed", FIELD_INT),
                                              ALWAYS("memoryUsageMB", FIELD_INT),
                                              ALWAYS("uptime", FIELD_INT),
                                              {0}};
static const struct field execution_point_fields[] = {ALWAYS("timestamp", FIELD_STRING),
                                                      ALWAYS("completed", FIELD_INT),
                                                      ALWAYS("failed", FIELD_INT),
                                                      ALWAYS("active", FIELD_INT),
                                                      {0}};
static const struct field memory_point_fields[] = {
    ALWAYS("timestamp", FIELD_STRING), ALWAYS("memoryMB", FIELD_INT), {0}};
static const struct field trends_fields[] = {NESTED("executionHistory", FIELD_ARRAY, execution_point_fields),
                                             NESTED("memoryHistory", FIELD_ARRAY, memory_point_fields),
                                             {0}};
static const struct field top_fields[] = {NESTED("mostExecuted", FIELD_ARRAY, executed_type_fields),
                                          NESTED("mostFailed", FIELD_ARRAY, failed_type_fields),
                                          {0}};
static const struct field dashboard_fields[] = {NESTED("current", FIELD_OBJECT, current_fields),
                                                NESTED("trends", FIELD_OBJECT, trends_fields),
                                                NESTED("topNodes", FIELD_OBJECT, top_fields),
                                                NESTED("flows", FIELD_ARRAY, flow_metrics_fields),
                                                {0}};
const struct answer answer_system = {"System", system_fields, ANSWER_ONE};
const struct answer answer_system_history = {"SystemMetrics", snapshot_fields, ANSWER_LIST};
const struct answer answer_execution_metrics = {"ExecutionMetrics", execution_metrics_fields, ANSWER_ONE};
const struct answer answer_execution_metrics_list = {"ExecutionMetrics", execution_metrics_fields, ANSWER_LIST};
const struct answer answer_flow_metrics = {"FlowMetrics", flow_metrics_fields, ANSWER_ONE};
const struct answer answer_flow_metrics_list = {"FlowMetrics", flow_metrics_fields, ANSWER_LIST};
const struct answer answer_node_metrics = {"NodeMetrics", node_metrics_fields, ANSWER_ONE};
const struct answer answer_node_metrics_list = {"NodeMetrics", node_metrics_fields, ANSWER_LIST};
const struct answer answer_stats = {"Stats", stats_fields, ANSWER_ONE};
const struct answer answer_job = {"Job", job_fields, ANSWER_ONE};
const struct answer answer_score = {"HealthScore", score_fields, ANSWER_ONE};
const struct answer answer_dashboard = {"Dashboard", dashboard_fields, ANSWER_ONE};
static const struct field timeline_point_fields[] = {ALWAYS("at", FIELD_STRING),    ALWAYS("success", FIELD_INT),
                                                     ALWAYS("failed", FIELD_INT),   NULLABLE("p50", FIELD_NUMBER),
                                                     NULLABLE("p95", FIELD_NUMBER), NULLABLE("p99", FIELD_NUMBER),
                                                     ALWAYS("waiting", FIELD_INT),  ALWAYS("running", FIELD_INT),
                                                     ALWAYS("workers", FIELD_INT),  {0}};
static const struct field timeline_fields[] = {
    ALWAYS("stepMs", FIELD_INT), NESTED("points", FIELD_ARRAY, timeline_point_fields), {0}};
const struct answer answer_timeline = {"Timeline", timeline_fields, ANSWER_ONE};

/* ---- operation */
static const struct field dependency_fields[] = {
    ALWAYS("database", FIELD_STRING), ALWAYS("redis", FIELD_STRING), ALWAYS("rabbitmq", FIELD_STRING), {0}};
static const struct field work_fields[] = {ALWAYS("moving", FIELD_BOOL),
                                           ALWAYS("waiting", FIELD_INT),
                                           ALWAYS("running", FIELD_INT),
                                           ALWAYS("workers", FIELD_INT),
                                           {0}};
static const struct field health_fields[] = {ALWAYS("status", FIELD_STRING),
                                             ALWAYS("timestamp", FIELD_STRING),
                                             NESTED("dependencies", FIELD_OBJECT, dependency_fields),
                                             NESTED("work", FIELD_OBJECT, work_fields),
                                             ALWAYS("uptime", FIELD_INT),
                                             ALWAYS("version", FIELD_STRING),
                                             {0}};
static const struct field live_fields[] = {ALWAYS("alive", FIELD_BOOL), {0}};
static const struct field ready_fields[] = {ALWAYS("ready", FIELD_BOOL), {0}};
static const struct field worker_fields[] = {ALWAYS("id", FIELD_STRING),
                                             ALWAYS("status", FIELD_STRING),
                                             ALWAYS("capacity", FIELD_INT),
                                             ALWAYS("active", FIELD_INT),
                                             ALWAYS("lastHeartbeat", FIELD_STRING),
                                             ALWAYS("scaled", FIELD_BOOL),
                                             {0}};
static const struct field dead_letter_fields[] = {ALWAYS("id", FIELD_STRING),
                                                  MAYBE("executionId", FIELD_STRING),
                                                  MAYBE("retriedAs", FIELD_STRING),
                                                  MAYBE("queue", FIELD_STRING),
                                                  ALWAYS("reason", FIELD_STRING),
                                                  MAYBE("payload", FIELD_ANY),
                                                  ALWAYS("status", FIELD_STRING),
                                                  MAYBE("payloadEncoding", FIELD_STRING),
                                                  MAYBE("payloadBytes", FIELD_INT),
                                                  MAYBE("payloadTruncated", FIELD_BOOL),
                                                  MAYBE("priority", FIELD_INT),
                                                  MAYBE("createdAt", FIELD_STRING),
                                                  {0}};
static const struct field auto_scaling_fields[] = {ALWAYS("enabled", FIELD_BOOL),
                                                   ALWAYS("min", FIELD_INT),
                                                   ALWAYS("max", FIELD_INT),
                                                   ALWAYS("driver", FIELD_STRING),
                                                   NULLABLE("target", FIELD_INT),
                                                   NULLABLE("workers", FIELD_INT),
                                                   NULLABLE("starting", FIELD_INT),
                                                   NULLABLE("reason", FIELD_STRING),
                                                   NULLABLE("decidedAt", FIELD_STRING),
                                                   NULLABLE("error", FIELD_STRING),
                                                   {0}};
static const struct field settings_fields[] = {
    ALWAYS("loadBalanceStrategy", FIELD_STRING), NESTED("autoScaling", FIELD_OBJECT, auto_scaling_fields), {0}};
const struct answer answer_health = {"Health", health_fields, ANSWER_ONE};
const struct answer answer_live = {"Live", live_fields, ANSWER_ONE};
const struct answer answer_ready = {"Ready", ready_fields, ANSWER_ONE};
const struct answer answer_work = {"Work", work_fields, ANSWER_ONE};
static const struct field orchestrator_fields[] = {ALWAYS("id", FIELD_STRING),
                                                   ALWAYS("status", FIELD_STRING),
                                                   ALWAYS("shards", FIELD_ARRAY),
                                                   ALWAYS("waiting", FIELD_INT),
                                                   ALWAYS("inFlight", FIELD_INT),
                                                   ALWAYS("workers", FIELD_INT),
                                                   ALWAYS("lastHeartbeat", FIELD_STRING),
                                                   {0}};
const struct answer answer_orchestrators = {"Orchestrator", orchestrator_fields, ANSWER_LIST};
const struct answer answer_worker = {"Worker", worker_fields, ANSWER_ONE};
const struct answer answer_workers = {"Worker", worker_fields, ANSWER_LIST};
const struct answer answer_dead_letter = {"DeadLetter", dead_letter_fields, ANSWER_ONE};
const struct answer answer_dead_letter_page = {"DeadLetter", dead_letter_fields, ANSWER_PAGE};
const struct answer answer_settings = {"Settings", settings_fields, ANSWER_ONE};

/* ---- access */
static const struct field login_status_fields[] = {ALWAYS("loginRequired", FIELD_BOOL), {0}};
static const struct field user_fields[] = {ALWAYS("id", FIELD_STRING),        ALWAYS("username", FIELD_STRING),
                                           ALWAYS("role", FIELD_STRING),      ALWAYS("disabled", FIELD_BOOL),
                                           ALWAYS("createdAt", FIELD_STRING), ALWAYS("updatedAt", FIELD_STRING),
                                           ALWAYS("sessions", FIELD_INT),     {0}};
static const struct field session_fields[] = {
    ALWAYS("accessToken", FIELD_STRING), ALWAYS("refreshToken", FIELD_STRING),      ALWAYS("tokenType", FIELD_STRING),
    ALWAYS("expiresIn", FIELD_INT),      NESTED("user", FIELD_OBJECT, user_fields), {0}};
static const struct field me_fields[] = {ALWAYS("loginRequired", FIELD_BOOL), NULLABLE("id", FIELD_STRING),
                                         NULLABLE("username", FIELD_STRING),  ALWAYS("role", FIELD_STRING),
                                         NULLABLE("apiKeyId", FIELD_STRING),  {0}};
#define API_KEY_FIELDS                                                                                                 \
    ALWAYS("id", FIELD_STRING), ALWAYS("name", FIELD_STRING), ALWAYS("prefix", FIELD_STRING),                          \
        ALWAYS("role", FIELD_STRING), ALWAYS("userId", FIELD_STRING), ALWAYS("username", FIELD_STRING),                \
        ALWAYS("createdAt", FIELD_STRING), NULLABLE("expiresAt", FIELD_STRING), NULLABLE("lastUsedAt", FIELD_STRING)
static const struct field api_key_fields[] = {API_KEY_FIELDS, {0}};
static const struct field new_api_key_fields[] = {API_KEY_FIELDS, ALWAYS("key", FIELD_STRING), {0}};
static const struct field audit_fields[] = {ALWAYS("id", FIELD_STRING),       ALWAYS("at", FIELD_STRING),
                                            ALWAYS("actor", FIELD_STRING),    ALWAYS("action", FIELD_STRING),
                                            NULLABLE("target", FIELD_STRING), NULLABLE("address", FIELD_STRING),
                                            MAYBE("apiKeyId", FIELD_STRING),  {0}};
const struct answer answer_login_status = {"LoginStatus", login_status_fields, ANSWER_ONE};
const struct answer answer_session = {"Session", session_fields, ANSWER_ONE};
const struct answer answer_me = {"Me", me_fields, ANSWER_ONE};
const struct answer answer_user = {"User", user_fields, ANSWER_ONE};
const struct answer answer_users = {"User", user_fields, ANSWER_LIST};
const struct answer answer_api_key = {"ApiKey", api_key_fields, ANSWER_ONE};
const struct answer answer_api_keys = {"ApiKey", api_key_fields, ANSWER_LIST};
const struct answer answer_new_api_key = {"NewApiKey", new_api_key_fields, ANSWER_ONE};
const struct answer answer_audit_page = {"AuditEntry", audit_fields, ANSWER_PAGE};

/* ---- schemas */

static const struct field pagination_fields[] = {ALWAYS("page", FIELD_INT),
                                                 ALWAYS("limit", FIELD_INT),
                                                 ALWAYS("total", FIELD_INT),
                                                 ALWAYS("totalIsExact", FIELD_BOOL),
                                                 ALWAYS("totalPages", FIELD_INT),
                                                 NULLABLE("nextCursor", FIELD_STRING),
                                                 {0}};

static struct json *array_of(struct json *take_items)
{
    struct json *schema = json_object_new();
    json_set_str(schema, "type", "array");
    json_set(schema, "items", take_items);
    return schema;
}

static struct json *object_of(struct json *take_properties, const char *first, const char *second)
{
    struct json *schema = json_object_new(), *required = json_array_new();
    json_set_str(schema, "type", "object");
    json_set(schema, "properties", take_properties);
    json_push(required, json_string_new(first));
    json_push(required, json_string_new(second));
    json_set(schema, "required", required);
    return schema;
}

struct json *answer_schema(const struct answer *answer)
{
    struct json *row = json_object_new();
    AUTO_FREE char *path = mem_printf("#/components/schemas/%s", answer->name);
    json_set_str(row, "$ref", path);
    if (answer->shape == ANSWER_LIST)
        return array_of(row);
    if (answer->shape == ANSWER_BY_NAME) {
        struct json *schema = json_object_new();
        json_set_str(schema, "type", "object");
        json_set(schema, "additionalProperties", array_of(row));
        return schema;
    }
    if (answer->shape == ANSWER_PAGE) {
        struct json *properties = json_object_new(), *pagination = json_object_new();
        json_set(properties, "data", array_of(row));
        json_set_str(pagination, "$ref", "#/components/schemas/Pagination");
        json_set(properties, "pagination", pagination);
        return object_of(properties, "data", "pagination");
    }
    return row;
}

void answer_add_components(const struct answer *answer, struct json *components)
{
    if (!json_has(components, answer->name))
        json_set(components, answer->name, fields_schema(answer->fields));
    if (answer->shape == ANSWER_PAGE && !json_has(components, "Pagination"))
        json_set(components, "Pagination", fields_schema(pagination_fields));
}
