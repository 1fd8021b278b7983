/* A flow in one go. */
#include "worker/pure_run.h"

#include "base/clock.h"
#include "store/store.h"
#include "worker/run_log.h"
#include "worker/scope.h"
#include <stdlib.h>

/* *ret stays NULL where there are no expressions. False: only a script can tell. */
static bool evaluate(struct flow_run *run, const struct run_command *command, const char *execution_id,
                     struct json **ret, struct error *reterr)
{
    const struct expressions *expressions = flow_run_flow(run)->nodes[command->node].expressions;
    struct call_names names = {.run = run,
                               .execution_id = execution_id,
                               .scope = command->scope,
                               .node = command->node,
                               .attempt = command->attempt};
    if (expressions == NULL)
        return true;
    call_names_init(&names, clock_now_ms());
    struct expression_job *job = expression_job_new(expressions, command->inputs, &names.source, reterr);
    bool known = job == NULL || !expression_job_needs_script(job);
    if (job != NULL && known) {
        *ret = expression_job_take_inputs(job);
        flow_run_show_inputs(run, command->scope, command->node, json_ref(*ret));
    }
    expression_job_free(job);
    return known;
}

/* False: it cannot be run here. */
static bool run_node(struct flow_run *run, const struct run_command *command, const char *execution_id,
                     struct json *logs)
{
    AUTO_JSON struct json *evaluated = NULL;
    struct error failure = {0};
    if (!evaluate(run, command, execution_id, &evaluated, &failure))
        return false;
    const struct flow *flow = flow_run_flow(run);
    const struct flow_node *node = &flow->nodes[command->node];
    const struct json *inputs = evaluated != NULL ? evaluated : command->inputs;
    if (node_mode_of(node_registry_find(node->type), inputs) != NODE_INLINE)
        return false; /* it turned out while it ran */
    struct node_call call = {.type = node_registry_find(node->type),
                             .inputs = inputs,
                             .execution_id = execution_id,
                             .flow_id = flow->id,
                             .node_id = node->id,
                             .attempt = command->attempt,
                             .now_ms = clock_now_ms(),
                             .timeout_ms = node->timeout_ms};
    call.error = failure;
    enum err code = failure.code != ERR_OK ? failure.code : call.type->execute(&call, &call.error);
    struct run_event event = {.kind = call.is_wait ? RUN_EVENT_NODE_WAIT : RUN_EVENT_NODE_DONE,
                              .now_ms = clock_now_ms(),
                              .scope = command->scope,
                              .node = command->node,
                              .attempt = command->attempt};
    struct error error = call.error;
    if (code != ERR_OK) {
        if (error.code == ERR_OK)
            (void)error_set(&error, code, NULL, "%s", error_text(code));
        event.kind = RUN_EVENT_NODE_FAILED;
        event.error = &error;
        event.retryable = error_is_retryable(code) || code == ERR_NODE;
    } else {
        event.take_outputs = call.outputs == NULL ? json_object_new() : call.outputs;
        event.records = call.records;
        event.wake_ms = call.wake_ms;
        call.outputs = NULL;
    }
    run_log_lines(logs, node->id, event.now_ms, call.logs);
    run_log_attempt(logs, node, &event);
    node_call_free_results(&call);
    flow_run_advance(run, &event);
    if (flow_run_due_ms(run) <= event.now_ms) /* the flow's deadline */
        flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_TIME, .now_ms = event.now_ms});
    return true;
}

static void take_result(const struct flow_run *run, struct json *logs, struct pure_result *ret)
{
    enum flow_history history = flow_run_flow(run)->settings.history;
    ret->status = flow_run_status(run);
    ret->ended_ms = clock_now_ms();
    ret->records = flow_run_records(run);
    ret->error = *flow_run_error(run);
    ret->responded = flow_run_has_response(run);
    if (flow_run_result(run) != NULL)
        ret->result_json = json_dup_text(flow_run_result(run));
    if (ret->status == RUN_SUCCESS && history != FLOW_HISTORY_ALL)
        return;
    struct json *document = flow_run_document(run);
    json_set(document, "logs", json_ref(logs));
    struct buf text;
    buf_init(&text, 0);
    json_print(document, &text);
    store_pack(text.data, text.len, &ret->document);
    buf_done(&text);
    json_unref(document);
}

bool pure_run(const struct flow *flow, const struct run_options *options, const struct json *input,
              struct pure_result *ret)
{
    struct run_command command;
    AUTO_JSON struct json *logs = json_array_new();
    struct flow_run *run = flow_run_new(flow, options, input);
    *ret = (struct pure_result){.started_ms = clock_now_ms()};
    flow_run_advance(run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = ret->started_ms});
    bool here = true;
    while (here && flow_run_next_command(run, &command))
        if (command.kind == RUN_COMMAND_START_NODE)
            here = run_node(run, &command, options->execution_id, logs);
    bool ended = here && run_status_is_final(flow_run_status(run));
    if (ended)
        take_result(run, logs, ret);
    flow_run_free(run);
    return ended;
}

void pure_result_done(struct pure_result *result)
{
    buf_done(&result->document);
    free(result->result_json);
    result->result_json = NULL;
}

/* Variables and secrets are looked up by the worker. */
static bool needs_resolver(const struct expressions *expressions)
{
    const struct expression_needs *needs = expressions_needs(expressions);
    return needs->used[NAME_VARIABLES] || needs->used[NAME_SECRETS];
}

bool pure_run_is_possible(const struct flow *flow)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        const struct node_type *type = node_registry_find(flow->nodes[i].type);
        if (type == NULL || !type->spec.pure || node_mode_of(type, flow->nodes[i].config) != NODE_INLINE ||
            expressions_need_script(flow->nodes[i].expressions) || needs_resolver(flow->nodes[i].expressions))
            return false;
    }
    return true;
}
