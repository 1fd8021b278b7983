/* What routes answer with, as tables: from them come the response schemas of the OpenAPI document, to which the API
 * tests hold each answer. */
#pragma once
#include "json/fields.h"

enum answer_shape {
    ANSWER_ONE,
    ANSWER_LIST,
    ANSWER_PAGE /* {data:[…], pagination} */,
    ANSWER_BY_NAME /* object of arrays */
};

struct answer {
    const char *name; /* of the schema; NULL: free-form */
    const struct field *fields;
    enum answer_shape shape;
};

extern const struct answer answer_flow, answer_flow_page, answer_flow_check, answer_flow_versions, answer_flow_diff;
extern const struct answer answer_signal, answer_execution_page, answer_execution, answer_execution_start,
    answer_execution_logs, answer_node_execution, answer_attempts, answer_job_stats;
extern const struct answer answer_schedule, answer_schedule_page, answer_schedule_instants, answer_bulk_switch,
    answer_bulk_executions, answer_schedule_history, answer_backfill, answer_backfills;
extern const struct answer answer_variable, answer_variables, answer_secret, answer_secrets, answer_rotation;
extern const struct answer answer_evaluation, answer_helpers;
extern const struct answer answer_webhooks;
extern const struct answer answer_node_type, answer_node_types, answer_node_documentation, answer_node_versions,
    answer_rules, answer_rules_by_type, answer_compatibility, answer_categories;
extern const struct answer answer_system, answer_system_history, answer_execution_metrics,
    answer_execution_metrics_list, answer_flow_metrics, answer_flow_metrics_list, answer_node_metrics,
    answer_node_metrics_list, answer_stats, answer_job, answer_score, answer_dashboard, answer_timeline;
extern const struct answer answer_health, answer_live, answer_ready, answer_work, answer_worker, answer_workers,
    answer_orchestrators, answer_dead_letter, answer_dead_letter_page, answer_settings;
extern const struct answer answer_login_status, answer_session, answer_me, answer_user, answer_users, answer_api_key,
    answer_api_keys, answer_new_api_key, answer_audit_page;

/* The schema of what stands under `data`; refers to the components that answer_add_components makes. Yours. */
struct json *answer_schema(const struct answer *answer);
void answer_add_components(const struct answer *answer, struct json *components);
