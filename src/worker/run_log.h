/* Log lines of a run: {timestamp, level, message, nodeId}, at most LIMIT_LOG_LINES of them. */
#pragma once
#include "flow/run.h"

/* How an attempt ended (contract 5.5). Events that end no attempt add nothing. */
void run_log_attempt(struct json *logs, const struct flow_node *node, const struct run_event *event);
/* What the node itself wrote: array of {level, message}. */
void run_log_lines(struct json *logs, const char *node_id, int64_t now_ms, const struct json *lines);
