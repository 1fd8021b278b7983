/* Node attempts under way: inline, asynchronous, or on the pool. */
#include "worker/worker_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "worker/run_log.h"
#include <stdlib.h>
#include <string.h>

static struct call *call_new(struct active *active, const struct run_command *command)
{
    struct worker *worker = active->worker;
    const struct flow *flow = flow_run_flow(active->run);
    const struct flow_node *node = &flow->nodes[command->node];
    struct call *call = mem_alloc(sizeof *call);
    call->active = active;
    call->worker = worker;
    call->started_us = loop_monotonic_us(worker->options.loop);
    call->scope = command->scope;
    call->node = command->node;
    call->execution_id = mem_dup(active->id);
    call->flow_id = mem_dup(flow->id);
    call->node_id = mem_dup(node->id);
    call->node_call = (struct node_call){
        .type = worker->options.find_type(node->type),
        .inputs = call->inputs = json_ref(command->inputs), /* its iteration may be over before the call */
        .execution_id = call->execution_id,
        .flow_id = call->flow_id,
        .node_id = call->node_id,
        .attempt = command->attempt,
        .now_ms = loop_now_ms(worker->options.loop),
        .timeout_ms = node->timeout_ms,
        .host = worker->options.host,
        .engine = call,
    };
    call->realm = mem_printf("%s/%d", flow->id, flow->version);
    call->names = (struct call_names){.run = active->run,
                                      .execution_id = call->execution_id,
                                      .scope = call->scope,
                                      .node = call->node,
                                      .attempt = command->attempt};
    call_names_init(&call->names, call->node_call.now_ms);
    call->node_call.names = &call->names.source;
    call->node_call.realm = call->realm;
    flow_run_idempotency_key(active->run, command->scope, command->node, call->node_call.idempotency_key);
    call->next = worker->calls;
    call->place = &worker->calls;
    if (call->next != NULL)
        call->next->place = &call->next;
    worker->calls = call;
    active->calls++;
    return call;
}

static void call_free(struct call *call)
{
    *call->place = call->next;
    if (call->next != NULL)
        call->next->place = call->place;
    if (call->active != NULL)
        call->active->calls--;
    node_call_free_results(&call->node_call);
    json_unref(call->inputs);
    json_unref(call->own_inputs);
    expression_job_free(call->job);
    free(call->realm);
    free(call->execution_id);
    free(call->flow_id);
    free(call->node_id);
    free(call);
}

/* Ends the call and tells the run. */
static void finish(struct call *call, enum err code)
{
    struct active *active = call->active;
    struct node_call *result = &call->node_call;
    if (active == NULL) {
        call_free(call);
        return;
    }
    run_log_lines(active->logs, call->node_id, loop_now_ms(active->worker->options.loop), result->logs);
    struct error error = result->error;
    if (code != ERR_OK && error.code == ERR_OK)
        (void)error_set(&error, code, NULL, "%s", error_text(code));
    struct run_event event = {.now_ms = loop_now_ms(active->worker->options.loop),
                              .scope = call->scope,
                              .node = call->node,
                              .attempt = result->attempt};
    if (code != ERR_OK) {
        event.kind = RUN_EVENT_NODE_FAILED;
        event.error = &error;
        event.retryable = error_is_retryable(code) || code == ERR_NODE;
    } else {
        event.kind = result->is_wait ? RUN_EVENT_NODE_WAIT : RUN_EVENT_NODE_DONE;
        event.take_outputs = result->outputs == NULL ? json_object_new() : result->outputs;
        event.records = result->records;
        event.wake_ms = result->wake_ms;
        event.take_waiting = result->waiting;
        result->outputs = result->waiting = NULL;
    }
    call_free(call);
    active_advance(active, &event);
}

static void on_complete(struct node_call *node_call, enum err code)
{
    finish(node_call->engine, code);
}

static void run_blocking(void *user)
{
    struct call *call = user;
    call->code = call->node_call.type->execute(&call->node_call, &call->node_call.error);
}

static void after_blocking(void *user)
{
    struct call *call = user;
    finish(call, call->code);
}

/* What a person gave for a node's execution. */
static void finish_pinned(struct call *call, const struct json *outputs)
{
    struct json *line = json_object_new();
    json_set_str(line, "level", "info");
    json_set_str(line, "message", "Not executed: its outputs were given for this run.");
    call->node_call.logs = json_array_new();
    json_push(call->node_call.logs, line);
    call->node_call.outputs = json_ref(outputs);
    finish(call, ERR_OK);
}

/* The inputs are what they shall be: the node does its work. */
static void execute(struct call *call)
{
    struct active *active = call->active;
    struct node_call *node_call = &call->node_call;
    const struct node_type *type = node_call->type;
    enum node_mode mode = node_mode_of(type, node_call->inputs);
    if (mode == NODE_BLOCKING && active->worker->options.pool != NULL) {
        struct json *copy = json_dup(node_call->inputs); /* reference counts are not atomic */
        json_unref(call->own_inputs);
        node_call->inputs = call->own_inputs = copy;
        node_call->host = active->worker->options.host == NULL ? NULL : &active->worker->blocking_host;
        call->pooled = true;
        pool_submit(active->worker->options.pool, active->worker->options.loop, run_blocking, after_blocking, call);
    } else if (mode == NODE_ASYNC) {
        node_call->on_complete = on_complete;
        enum err code = type->execute(node_call, &node_call->error);
        if (code != ERR_OK)
            finish(call, code);
    } else {
        finish(call, type->execute(node_call, &node_call->error));
    }
}

/* All expressions have their values. */
static void take_values(struct call *call)
{
    json_unref(call->own_inputs);
    call->own_inputs = expression_job_take_inputs(call->job);
    call->node_call.inputs = call->own_inputs;
    flow_run_show_inputs(call->active->run, call->scope, call->node, json_ref(call->own_inputs));
    expression_job_free(call->job);
    call->job = NULL;
}

static void on_script(void *user, const struct script_answer *answer)
{
    struct call *call = user;
    struct node_call *node_call = &call->node_call;
    enum err code = answer->error.code;
    call->script = NULL;
    for (size_t i = 0; i < json_count(answer->logs); i++)
        node_call_log(node_call, json_as_str(json_at(json_at(answer->logs, i), 0)), "%s",
                      json_as_str(json_at(json_at(answer->logs, i), 1)));
    if (code != ERR_OK)
        node_call->error = answer->error;
    else
        code = expression_job_answer(call->job, answer->result, &node_call->error);
    if (code != ERR_OK) {
        finish(call, code);
        return;
    }
    take_values(call);
    execute(call);
}

static enum err ask_script(struct call *call, struct error *reterr)
{
    const struct node_host *host = call->worker->options.host;
    if (host == NULL || host->script == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, NULL, "This worker does not run JavaScript.");
    AUTO_BUF struct buf program, data;
    buf_init(&program, 0);
    buf_init(&data, 0);
    expression_job_program(call->job, &program);
    expression_job_data(call->job, &call->names.source, &data);
    call->script = script_pool_start(host->script,
                                     &(struct script_request){.kind = SCRIPT_EXPRESSIONS,
                                                              .realm = call->realm,
                                                              .program = program.data,
                                                              .program_bytes = program.len,
                                                              .data = data.data,
                                                              .data_bytes = data.len,
                                                              .timeout_ms = call->node_call.timeout_ms},
                                     on_script, call);
    return ERR_OK;
}

void calls_start(struct active *active, const struct run_command *command)
{
    struct call *call = call_new(active, command);
    struct node_call *node_call = &call->node_call;
    const struct flow_node *node = &flow_run_flow(active->run)->nodes[command->node];
    enum err code = ERR_OK;
    if (active->pins != NULL && json_has(active->pins, call->node_id)) {
        finish_pinned(call, json_get(active->pins, call->node_id));
        return;
    }
    if (node_call->type == NULL) {
        code = error_set(&node_call->error, ERR_UNSUPPORTED, NULL, "This worker does not know the node type %s.",
                         node->type);
    } else if (node->expressions != NULL) {
        call->job = expression_job_new(node->expressions, node_call->inputs, &call->names.source, &node_call->error);
        if (call->job == NULL)
            code = node_call->error.code;
        else if (expression_job_needs_script(call->job))
            code = ask_script(call, &node_call->error);
        else
            take_values(call);
    }
    if (code != ERR_OK)
        finish(call, code);
    else if (call->script == NULL)
        execute(call);
}

/* Stops what is under way for it, off the pool's threads. */
static void stop(struct call *call)
{
    if (call->script != NULL)
        script_call_abort(call->script); /* the node has not begun */
    else if (call->node_call.type != NULL && call->node_call.type->abort != NULL)
        call->node_call.type->abort(&call->node_call);
    call_free(call);
}

static bool is_of(const struct call *call, const struct run_command *command)
{
    return call->scope == command->scope && call->node == command->node && call->node_call.attempt == command->attempt;
}

void calls_abort(struct active *active, const struct run_command *which)
{
    struct call *next;
    for (struct call *call = active->worker->calls; call != NULL && active->calls > 0; call = next) {
        next = call->next;
        if (call->active != active || (which != NULL && !is_of(call, which)))
            continue;
        if (call->pooled) { /* the thread cannot be stopped; its result will find nobody */
            call->active = NULL;
            active->calls--;
            continue;
        }
        stop(call);
    }
}

/* With the pool already stopped: whatever it had to run has run, its `after` may or may not have come. */
void calls_free(struct worker *worker)
{
    while (worker->calls != NULL) {
        struct call *call = worker->calls;
        if (call->pooled)
            call_free(call);
        else
            stop(call);
    }
}
