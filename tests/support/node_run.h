/* Runs one node in a test, whatever its mode. */
#pragma once
#include "base/loop.h"
#include "nodes/node.h"

#define NODE_RUN_NOW_MS INT64_C(1740792600250) /* 2025-03-01T01:30:00.250Z */

struct node_run {
    struct node_call call;
    struct node_host host;
    struct json *inputs;
    struct loop *loop; /* of ASYNC nodes */
    enum err code;
    struct error error; /* of the attempt, however it was told */
    bool is_complete;
};

/* Values of the host that apply to all runs after; NULL/0: none. */
extern const char *node_run_data_dir;
extern int64_t node_run_timeout_ms;
extern bool node_run_deny_private, node_run_allow_command;
extern const char *const *node_run_command_environment;

/* Runs it to its end; the inputs are JSON text, and a broken one fails the test. */
void node_run(struct node_run *run, const char *type, const char *inputs_json);
void node_run_json(struct node_run *run, const char *type, struct json *take_inputs);
void node_run_done(struct node_run *run);

/* One-line checks. The outputs must equal `outputs_json` as JSON. */
void node_assert_outputs(const char *type, const char *inputs_json, const char *outputs_json);
/* It must fail so; the message must be a sentence and hold `text` (may be NULL). */
void node_assert_fails(const char *type, const char *inputs_json, enum err code, const char *field, const char *text);
/* Runs every example of the type's documentation; each must give exactly its expected output. */
void node_assert_examples(const char *type);
void json_assert_equal(const struct json *value, const char *expected_json);
struct json *json_from(const char *text); /* fails the test when broken; yours */
