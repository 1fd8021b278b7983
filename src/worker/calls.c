/* Node attempts under way: inline, asynchronous, or on the pool. */
#include "worker/worker_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "worker/run_log.h"
#include <stdlib.h>
#include <string.h>

#define STORE_AGAIN_MS 500

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
    flow_run_iteration(active->run, command->scope, command->node, call->iteration);
    call->node_call.iteration = call->iteration;
    call->node_call.flow_version = flow->version;
    call->node_call.depth = active->depth;
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
    loop_timer_free(call->again);
    node_call_free_results(&call->node_call);
    json_unref(call->inputs);
    json_unref(call->own_inputs);
    expression_job_free(call->job);
    json_unref(call->asked);
    call_names_done(&call->names);
    free(call->realm);
    free(call->execution_id);
    free(call->flow_id);
    free(call->node_id);
    free(call);
}

/* What leaves a node has no secrets in it, so nothing that comes behind the node has. */
static void hide_secrets(const struct mask *mask, struct node_call *result)
{
    mask_replace(mask, &result->outputs);
    mask_replace(mask, &result->waiting);
    mask_replace_lines(mask, &result->logs);
    mask_error(mask, &result->error);
}

static void on_again(void *user)
{
    struct call *call = user;
    struct active *active = call->active;
    AUTO_JSON struct json *inputs = json_ref(call->inputs);
    struct run_command command = {.kind = RUN_COMMAND_START_NODE,
                                  .scope = call->scope,
                                  .node = call->node,
                                  .attempt = call->node_call.attempt,
                                  .inputs = inputs};
    call_free(call);
    calls_start(active, &command);
}

/* The platform's own store was away: no fault of the node, which begins anew within the same attempt. */
static void begin_again(struct call *call)
{
    call->pooled = false; /* it can be stopped */
    call->again = loop_timer_new(call->worker->options.loop, on_again, call);
    loop_timer_set(call->again, STORE_AGAIN_MS);
}

void call_finish(struct call *call, enum err code)
{
    struct active *active = call->active;
    struct node_call *result = &call->node_call;
    if (active == NULL) {
        call_free(call);
        return;
    }
    if (code == ERR_STORE_BUSY) {
        begin_again(call);
        return;
    }
    hide_secrets(&active->mask, result);
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
    call_finish(node_call->engine, code);
}

static void run_blocking(void *user)
{
    struct call *call = user;
    call->code = call->node_call.type->execute(&call->node_call, &call->node_call.error);
}

static void after_blocking(void *user)
{
    struct call *call = user;
    call_finish(call, call->code);
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
    call_finish(call, ERR_OK);
}

/* History has the inputs without secrets and passwords. */
static void show_inputs(struct call *call)
{
    struct active *active = call->active;
    const struct flow_node *node = &flow_run_flow(active->run)->nodes[call->node];
    AUTO_JSON struct json *plain = mask_json(&active->mask, call->node_call.inputs);
    struct json *shown = mask_json_fields(node->spec == NULL ? NULL : node->spec->fields, plain);
    if (shown != call->inputs)
        flow_run_show_inputs(active->run, call->scope, call->node, shown);
    else
        json_unref(shown);
}

void call_execute(struct call *call)
{
    show_inputs(call);
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
            call_finish(call, code);
    } else {
        call_finish(call, type->execute(node_call, &node_call->error));
    }
}

void calls_start(struct active *active, const struct run_command *command)
{
    struct call *call = call_new(active, command);
    if (active->pins != NULL && json_has(active->pins, call->node_id))
        finish_pinned(call, json_get(active->pins, call->node_id));
    else if (call->node_call.type == NULL)
        call_finish(call, error_set(&call->node_call.error, ERR_UNSUPPORTED, NULL,
                                    "This worker does not know the node type %s.",
                                    flow_run_flow(active->run)->nodes[command->node].type));
    else
        call_prepare(call);
}

/* Stops what is under way for it, off the pool's threads. */
static void stop(struct call *call)
{
    if (call->script != NULL || call->resolving != NULL)
        call_prepare_abort(call); /* the node has not begun */
    else if (call->again != NULL)
        loop_timer_set(call->again, -1);
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
