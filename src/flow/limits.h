/* How many executions of a flow may run at once and start in a while (flow.settings). Pure. */
#pragma once
#include "json/json.h"

/* An execution that the limits hold back waits, and is started in the order in which it came; one of a higher priority
 * counts as if it had come FLOW_HEAD_START_MS earlier for each step, so that nothing waits for ever. */
#define FLOW_HEAD_START_MS INT64_C(60000)

/* 0: any number. Both keys are texts with plain {{ paths }}, or NULL: all executions of the flow share one key. */
struct flow_limits {
    int64_t concurrency, per_key;       /* unfinished executions of the flow, and of one key */
    int64_t rate_limit, rate_period_ms; /* starts of one rate key in any such period */
    const char *key, *rate_key;
    int priority; /* 0 low, 1 normal, 2 high: of executions that say nothing else */
};

/* Members that are missing or wrong count as not set. Texts are borrowed from `settings`, which may be NULL. */
void flow_limits_read(const struct json *settings, struct flow_limits *ret);
bool flow_limits_any(const struct flow_limits *limits);

/* What the field table cannot say; problems as flow_validate tells them. */
void flow_limits_check(const struct json *settings, struct json *problems);

/* What a key is made of: input, execution {id, flowId, trigger} and flow {id, version}. */
struct flow_start {
    const struct json *input;
    const char *execution_id, *flow_id, *trigger;
    int flow_version;
};
/* The key's text: "" when `text` is NULL or nothing is there; what is longer than the limit is told by its digest. */
#define FLOW_KEY_BYTES 201
void flow_limits_key(const char *text, const struct flow_start *start, char ret[FLOW_KEY_BYTES]);

/* The place in the order of what waits. */
int64_t flow_limits_place(int64_t since_ms, int priority);
