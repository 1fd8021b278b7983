/* The run's state machine: flow_run_advance is the one door through which its state changes. */
#include "flow/run_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flow_run *flow_run_new(const struct flow *flow, const struct run_options *options, const struct json *input)
{
    struct flow_run *run = mem_alloc(sizeof *run);
    arena_init(&run->arena);
    map_init(&run->restored);
    run->flow = flow;
    run->execution_id = arena_dup(&run->arena, options->execution_id);
    run->trigger = arena_dup(&run->arena, options->trigger);
    run->trigger_node = arena_dup(&run->arena, options->trigger_node);
    run->body = arena_dup(&run->arena, options->body);
    run->input = json_ref(input);
    run->created_ms = options->created_ms;
    run->rng.state = options->seed;
    run->epoch = options->epoch;
    run->lost_epochs = options->lost_epochs;
    run->last_signal = &run->signals;
    run->scope_free = 1;
    int each = options->body == NULL ? -1 : flow_find_node(flow, options->body);
    const struct flow_node *container = each < 0 ? NULL : &flow->nodes[each];
    unsigned body = container == NULL               ? 0
                    : container->apart != FLOW_NONE ? container->apart
                    : container->inner != FLOW_NONE ? container->inner
                                                    : 0;
    int64_t index = json_get_int(input, "index", 0);
    run->root = run_scope_new(run, body, NULL, FLOW_NONE, index < 0 ? 0 : (size_t)index,
                              body == 0 ? NULL : json_get(input, "item"));
    return run;
}

static void command_release(struct queued_command *command)
{
    json_unref(command->inputs);
    json_unref(command->outputs);
    json_unref(command->waiting);
    json_unref(command->lost);
    json_unref(command->evaluated);
    free(command->iteration);
    free(command->message);
}

static void free_kept(struct flow_run *run)
{
    for (unsigned i = 0; run->kept != NULL && i < run->flow->node_count; i++) {
        json_unref(run->kept[i].list);
        json_unref(run->kept[i].latest);
    }
    free(run->kept);
}

void flow_run_free(struct flow_run *run)
{
    if (run == NULL)
        return;
    for (unsigned i = run->scope_cap; i-- > 0;)
        if (run->scopes[i] != NULL)
            run_scope_free(run, run->scopes[i]);
    for (size_t i = run->command_head == 0 ? 0 : run->command_head - 1; i < run->command_count; i++)
        command_release(&run->commands[i]);
    run_restored_free(run);
    run_signals_free(run);
    free_kept(run);
    json_unref(run->input);
    json_unref(run->leaf_outputs);
    json_unref(run->response);
    free(run->commands);
    free(run->scopes);
    free(run->ready);
    free(run->ended);
    arena_done(&run->arena);
    free(run);
}

static struct queued_command *command_add(struct flow_run *run, enum run_command_kind kind, unsigned scope,
                                          unsigned node)
{
    if (run->command_count == run->command_cap) {
        run->command_cap = run->command_cap == 0 ? 8 : run->command_cap * 2;
        run->commands = mem_resize(run->commands, run->command_cap * sizeof *run->commands);
    }
    struct queued_command *added = &run->commands[run->command_count++];
    *added = (struct queued_command){.command = {.kind = kind, .scope = scope, .node = node}};
    return added;
}

struct run_command *run_command_add(struct flow_run *run, enum run_command_kind kind, unsigned scope, unsigned node)
{
    struct queued_command *added = command_add(run, kind, scope, node);
    if (kind == RUN_COMMAND_START_NODE) {
        const struct scope *in = run_scope_find(run, scope);
        added->command.inputs = added->inputs = json_ref(run_node_at(run, in, node)->inputs);
    }
    return &added->command;
}

/* Its iteration may be over before the command would be taken, and then nothing could tell which that was. */
void run_command_stop(struct flow_run *run, unsigned scope, unsigned node, int attempt)
{
    for (size_t i = run->command_head; i < run->command_count; i++) {
        const struct run_command *command = &run->commands[i].command;
        if (command->kind == RUN_COMMAND_START_NODE && command->scope == scope && command->node == node &&
            command->attempt == attempt) {
            run->commands[i].withdrawn = true;
            return;
        }
    }
    command_add(run, RUN_COMMAND_ABORT_NODE, scope, node)->command.attempt = attempt;
}

/* A command's borrowed values live until the next one is taken. */
bool flow_run_next_command(struct flow_run *run, struct run_command *ret)
{
    if (run->command_head > 0)
        command_release(&run->commands[run->command_head - 1]);
    while (run->command_head < run->command_count && run->commands[run->command_head].withdrawn)
        command_release(&run->commands[run->command_head++]);
    if (run->command_head == run->command_count) {
        run->command_head = run->command_count = 0;
        return false;
    }
    *ret = run->commands[run->command_head++].command;
    return true;
}

/* Attempts of unknown outcome, which nobody else tells of; NULL: none. */
static struct json *lost_attempts(const struct node_run *node)
{
    struct json *lost = NULL;
    for (const struct attempt *attempt = node->unknown > 0 ? node->attempts : NULL; attempt != NULL;
         attempt = attempt->next) {
        if (attempt->state != NODE_IDLE)
            continue;
        struct json *pair = json_array_new();
        json_push(pair, json_int_new(attempt->epoch));
        json_push(pair, json_int_new(attempt->number));
        lost = lost == NULL ? json_array_new() : lost;
        json_push(lost, pair);
    }
    return lost;
}

static void describe_checkpoint(struct flow_run *run, const struct scope *scope, unsigned index,
                                struct queued_command *added)
{
    const struct node_run *node = run_node_at(run, scope, index);
    if (scope->parent != NULL || node->pass > 0) {
        added->iteration = mem_alloc(RUN_ITERATION_BYTES_MAX);
        run_iteration(scope, node, added->iteration);
    }
    added->outputs = json_ref(node->outputs);
    added->waiting = json_ref(node->waiting);
    added->lost = lost_attempts(node);
    added->evaluated = run_evaluated(run, index, node);
    added->command.attempt = node->attempt;
    added->command.checkpoint = (struct run_checkpoint){.node_id = run->flow->nodes[index].id,
                                                        .iteration = added->iteration,
                                                        .attempt = node->attempt,
                                                        .state = node->state,
                                                        .outputs = node->outputs,
                                                        .records = node->records,
                                                        .started_ms = node->first_ms,
                                                        .ended_ms = node->ended_ms,
                                                        .wake_ms = node->wake_ms,
                                                        .waiting = node->waiting,
                                                        .signal_id = node->signal_id,
                                                        .lost_attempts = added->lost,
                                                        .evaluated = added->evaluated};
}

void run_checkpoint(struct flow_run *run, struct scope *scope, unsigned index, const struct error *error)
{
    struct queued_command *added = command_add(run, RUN_COMMAND_CHECKPOINT, scope->id, index);
    describe_checkpoint(run, scope, index, added);
    if (error != NULL) {
        added->message = mem_dup(error->message);
        added->command.checkpoint.error_id = error_id(error->code);
        added->command.checkpoint.error_message = added->message;
    }
}

/* The run is over: nothing that still runs may tell more. */
void run_end(struct flow_run *run, enum run_status status, const struct error *error)
{
    if (error != NULL)
        run->error = *error;
    run_scope_abort(run, run->root);
    run->status = status;
    command_add(run, RUN_COMMAND_FINISH, 0, 0)->command.status = status;
}

void run_end_limit(struct flow_run *run, const char *what, int64_t limit)
{
    struct error error;
    (void)error_set(&error, ERR_LIMIT, NULL, "The execution made more than %lld %s, which its settings allow.",
                    (long long)limit, what);
    run_end(run, RUN_FAILED, &error);
}

static bool take_ready(struct flow_run *run, struct place *ret)
{
    if (run->ready_head == run->ready_tail) {
        run->ready_head = run->ready_tail = 0;
        return false;
    }
    *ret = run->ready[run->ready_head++];
    return true;
}

static void pump(struct flow_run *run)
{
    struct place place;
    while (!run_status_is_final(run->status)) {
        if (run->ended_head < run->ended_tail)
            run_each_take_ended(run);
        else if (run->look_for_signals && run->started && !run->paused)
            run_match_signals(run);
        else if (!run->paused && take_ready(run, &place))
            run_start_node(run, place);
        else
            break;
    }
    if (run->started && !run->paused && !run_status_is_final(run->status) && run->root->active == 0)
        run_end(run, RUN_SUCCESS, NULL);
}

static void on_start(struct flow_run *run)
{
    if (run->started)
        return;
    run->started = true;
    run->started_ms = run->now_ms;
    run->status = run->paused ? RUN_PAUSED : RUN_RUNNING;
    run_begin(run);
}

static void on_cancel(struct flow_run *run, const struct run_event *event)
{
    struct error error;
    if (event->error != NULL)
        error = *event->error;
    else
        (void)error_set(&error, ERR_CANCELLED, NULL, "The execution was cancelled.");
    run_end(run, RUN_CANCELLED, &error);
}

static void set_paused(struct flow_run *run, bool paused)
{
    run->paused = paused;
    if (run->started)
        run->status = paused ? RUN_PAUSED : RUN_RUNNING;
}

static void on_node(struct flow_run *run, const struct run_event *event)
{
    struct scope *scope = run_scope_find(run, event->scope);
    const struct node_run *node = scope == NULL || event->node >= run->flow->node_count ||
                                          &run->flow->bodies[run->flow->nodes[event->node].body] != scope->body
                                      ? NULL
                                      : run_node_at(run, scope, event->node);
    if (node == NULL || node->state != NODE_RUNNING || node->attempt != event->attempt) {
        json_unref(event->take_outputs);
        json_unref(event->take_waiting);
        return;
    }
    if (event->kind == RUN_EVENT_NODE_DONE)
        run_on_done(run, scope, event);
    else if (event->kind == RUN_EVENT_NODE_WAIT)
        run_on_wait(run, scope, event);
    else
        run_node_failed(run, scope, event->node, event->error, event->retryable);
}

void flow_run_advance(struct flow_run *run, const struct run_event *event)
{
    if (run_status_is_final(run->status)) {
        json_unref(event->take_outputs);
        json_unref(event->take_waiting);
        return;
    }
    run->now_ms = event->now_ms;
    switch (event->kind) {
    case RUN_EVENT_START:
        on_start(run);
        break;
    case RUN_EVENT_NODE_DONE:
    case RUN_EVENT_NODE_WAIT:
    case RUN_EVENT_NODE_FAILED:
        on_node(run, event);
        break;
    case RUN_EVENT_TIME:
        run_on_time(run);
        break;
    case RUN_EVENT_PAUSE:
        set_paused(run, true);
        break;
    case RUN_EVENT_RESUME:
        set_paused(run, false);
        break;
    case RUN_EVENT_CANCEL:
        on_cancel(run, event);
        break;
    case RUN_EVENT_SIGNAL:
        run_on_signal(run, event->signal);
        break;
    }
    pump(run);
}

enum run_status flow_run_status(const struct flow_run *run)
{
    return run->status;
}

bool flow_run_is_parkable(const struct flow_run *run)
{
    return run->started && !run_status_is_final(run->status) && run->running == 0 && (run->paused || run->timed > 0);
}

const struct error *flow_run_error(const struct flow_run *run)
{
    return &run->error;
}

int64_t flow_run_records(const struct flow_run *run)
{
    return run->records;
}

const struct json *flow_run_result(const struct flow_run *run)
{
    if (run->response != NULL)
        return run->response;
    return run->root->has_result ? run->root->result : run->leaf_outputs;
}

bool flow_run_has_response(const struct flow_run *run)
{
    return run->response != NULL;
}

const struct flow *flow_run_flow(const struct flow_run *run)
{
    return run->flow;
}

void flow_run_progress(const struct flow_run *run, unsigned *ret_done, unsigned *ret_total)
{
    *ret_done = run->concluded;
    *ret_total = run->root->body->node_count;
}

int64_t flow_run_signals_seen(const struct flow_run *run)
{
    return run->signals_seen;
}

void flow_run_iteration(const struct flow_run *run, unsigned scope, unsigned node, char out[RUN_ITERATION_BYTES_MAX])
{
    const struct scope *in = run_scope_find(run, scope);
    (void)snprintf(out, RUN_ITERATION_BYTES_MAX, "0");
    if (in != NULL)
        run_iteration(in, run_node_at(run, in, node), out);
}

void flow_run_idempotency_key(const struct flow_run *run, unsigned scope, unsigned node, char out[ID_TEXT_BYTES_MAX])
{
    char iteration[RUN_ITERATION_BYTES_MAX];
    flow_run_iteration(run, scope, node, iteration);
    (void)snprintf(out, ID_TEXT_BYTES_MAX, "%.60s:%.72s:%s", run->execution_id, run->flow->nodes[node].id, iteration);
}
