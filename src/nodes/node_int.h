/* What the node types of this folder share: reading inputs, making outputs. */
#pragma once
#include "nodes/node.h"

/* Required pins are there and every input is what the field table says; ERR_VALIDATION with the field otherwise. */
enum err node_inputs_check(const struct node_call *call, struct error *reterr) ERROR_MUST_CHECK;

/* The input as it came, counted for the next node; null when absent. Yours. */
struct json *node_input_ref(const struct node_call *call, const char *name);
const char *node_input_str(const struct node_call *call, const char *name, const char *otherwise);

/* Sets a pin to what input `name` is, keeping null; nothing when it is absent. */
void node_call_pass(struct node_call *call, const char *pin, const char *name);

#define NODE_LOG_MESSAGE_BYTES_MAX 8192
#define NODE_LOG_LINES_MAX 100 /* of one attempt */

/* The field every node has and that is no input of its own: the engine reads it (flow/flow.h). */
bool node_is_engine_field(const char *name);

extern const struct node_type node_code, node_command, node_csv, node_csv_file, node_data_filter, node_deduplicate,
    node_delay, node_email_send, node_field_mapper, node_file, node_http_request, node_if, node_join_data, node_json,
    node_limit, node_log, node_manual_trigger, node_merge, node_mongodb_operations, node_postgresql_query, node_respond,
    node_schedule_trigger, node_set_fields, node_sort, node_split, node_sqlite_query, node_sqlite_write,
    node_stop_with_error, node_summarize, node_switch, node_template, node_webhook_trigger, node_write_file;
extern const struct node_type node_flow_failed_trigger, node_for_each, node_sub_flow, node_wait;
