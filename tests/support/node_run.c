/* Runs one node in a test, whatever its mode. */
#include "support/node_run.h"

#include "base/mem.h"
#include "nodes/http_client.h"
#include "script/script.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

const char *node_run_data_dir;
int64_t node_run_timeout_ms;
bool node_run_deny_private, node_run_allow_command;
const char *const *node_run_command_environment;

struct json *json_from(const char *text)
{
    struct json *value = NULL;
    struct error error;
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK)
        fail_msg("broken JSON in a test: %s: %s", error.message, text);
    return value;
}

void json_assert_equal(const struct json *value, const char *expected_json)
{
    AUTO_JSON struct json *expected = json_from(expected_json);
    if (json_equal(value, expected))
        return;
    AUTO_FREE char *is = json_dup_text(value), *should = json_dup_text(expected);
    if (strcmp(is, should) != 0) /* 5.0 and 5 differ in kind, not on the wire */
        fail_msg("is      %s\nshould be %s", is, should);
}

static void on_complete(struct node_call *call, enum err code)
{
    struct node_run *run = call->engine;
    assert_false(run->is_complete);
    run->is_complete = true;
    run->code = code;
    run->error = call->error;
    loop_stop(run->loop);
}

static void start(void *user)
{
    struct node_run *run = user;
    run->host.http = http_client_new(run->loop, &(struct http_client_options){.deny_private = node_run_deny_private});
    const char *program = getenv("CAUDAL_PROGRAM"); /* set by ctest; a test program cannot be its own runner */
    if (program != NULL)
        run->host.script = script_pool_new(&(struct script_options){
            .loop = run->loop, .program = program, .runners = 1, .timeout_ms = 20000, .memory_mb = 128});
    run->code = run->call.type->execute(&run->call, &run->error);
    if (run->code != ERR_OK)
        loop_stop(run->loop);
}

void node_run_json(struct node_run *run, const char *type, struct json *take_inputs)
{
    *run = (struct node_run){.inputs = take_inputs,
                             .host = {.data_dir = node_run_data_dir,
                                      .allow_command = node_run_allow_command,
                                      .command_environment = node_run_command_environment}};
    const struct node_type *found = node_registry_find(type);
    assert_non_null(found);
    run->call = (struct node_call){.type = found,
                                   .inputs = take_inputs,
                                   .execution_id = "e1",
                                   .flow_id = "f1",
                                   .node_id = "n1",
                                   .idempotency_key = "e1/n1/0",
                                   .attempt = 1,
                                   .now_ms = NODE_RUN_NOW_MS,
                                   .timeout_ms = node_run_timeout_ms,
                                   .host = &run->host,
                                   .on_complete = on_complete,
                                   .engine = run};
    if (node_mode_of(found, take_inputs) != NODE_ASYNC) {
        run->code = found->execute(&run->call, &run->error);
        run->is_complete = true;
        return;
    }
    run->loop = loop_new();
    loop_post(run->loop, start, run);
    loop_run(run->loop);
    script_pool_free(run->host.script);
    http_client_free(run->host.http);
    loop_free(run->loop);
    assert_true(run->is_complete || run->code != ERR_OK);
}

void node_run(struct node_run *run, const char *type, const char *inputs_json)
{
    node_run_json(run, type, json_from(inputs_json));
}

void node_run_done(struct node_run *run)
{
    node_call_free_results(&run->call);
    json_unref(run->inputs);
}

void node_assert_outputs(const char *type, const char *inputs_json, const char *outputs_json)
{
    struct node_run run;
    node_run(&run, type, inputs_json);
    if (run.code != ERR_OK)
        fail_msg("%s failed: %s: %s (%s)", type, error_id(run.code), run.error.message, inputs_json);
    json_assert_equal(run.call.outputs, outputs_json);
    node_run_done(&run);
}

void node_assert_fails(const char *type, const char *inputs_json, enum err code, const char *field, const char *text)
{
    struct node_run run;
    node_run(&run, type, inputs_json);
    if (run.code == ERR_OK)
        fail_msg("%s should have failed with %s: %s", type, error_id(code), inputs_json);
    if (run.code != code || run.error.code != code)
        fail_msg("failed with %s, not %s: %s", error_id(run.code), error_id(code), run.error.message);
    assert_string_equal(run.error.field, field == NULL ? "" : field);
    if (strlen(run.error.message) < 12 || (text != NULL && strstr(run.error.message, text) == NULL))
        fail_msg("the message should say '%s': %s", text == NULL ? "something" : text, run.error.message);
    node_run_done(&run);
}

void node_assert_examples(const char *type)
{
    const struct node_type *found = node_registry_find(type);
    assert_non_null(found);
    assert_non_null(found->examples);
    size_t count = 0;
    for (const struct node_example *example = found->examples; example->title != NULL; example++, count++)
        node_assert_outputs(type, example->configuration_json, example->expected_output_json);
    assert_true(count > 0);
}
