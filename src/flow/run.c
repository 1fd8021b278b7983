/* The run's state machine: flow_run_advance is the one door through which its state changes. */
#include "flow/run_int.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum connection_state { CONNECTION_OPEN, CONNECTION_DELIVERED, CONNECTION_SKIPPED };

static const char *const status_names[] = {"pending", "running", "paused", "success", "failed", "cancelled", "timeout"};
static const char *const state_names[] = {
    [NODE_IDLE] = "idle",       [NODE_READY] = "ready",     [NODE_RUNNING] = "running",
    [NODE_WAITING] = "waiting", [NODE_BACKOFF] = "backoff", [NODE_SUCCEEDED] = "success",
    [NODE_FAILED] = "failed",   [NODE_SKIPPED] = "skipped", [NODE_ABORTED] = "aborted"};

const char *run_status_name(enum run_status status)
{
    return status_names[status];
}

enum err run_status_parse(const char *name, enum run_status *ret)
{
    for (size_t i = 0; name != NULL && i < sizeof status_names / sizeof *status_names; i++)
        if (strcmp(name, status_names[i]) == 0) {
            *ret = (enum run_status)i;
            return ERR_OK;
        }
    return ERR_VALIDATION;
}

bool run_status_is_final(enum run_status status)
{
    return status >= RUN_SUCCESS;
}

const char *node_state_name(enum node_state state)
{
    return state_names[state];
}

enum err node_state_parse(const char *name, enum node_state *ret)
{
    for (size_t i = 0; name != NULL && i < sizeof state_names / sizeof *state_names; i++)
        if (strcmp(state_names[i], name) == 0) {
            *ret = (enum node_state)i;
            return ERR_OK;
        }
    return ERR_VALIDATION;
}

struct flow_run *flow_run_new(const struct flow *flow, const struct run_options *options, const struct json *input)
{
    struct flow_run *run = mem_alloc(sizeof *run);
    arena_init(&run->arena);
    run->flow = flow;
    run->execution_id = arena_dup(&run->arena, options->execution_id);
    run->trigger = arena_dup(&run->arena, options->trigger);
    run->trigger_node = arena_dup(&run->arena, options->trigger_node);
    run->input = json_ref(input);
    run->created_ms = options->created_ms;
    run->rng.state = options->seed;
    run->epoch = options->epoch;
    run->lost_epoch = options->lost_epoch;
    run->nodes = arena_alloc(&run->arena, flow->node_count * sizeof *run->nodes);
    run->connections = arena_alloc(&run->arena, flow->connection_count);
    run->ready = arena_alloc(&run->arena, flow->node_count * sizeof *run->ready);
    run->last_leaf = run->last_respond = -1;
    return run;
}

void flow_run_free(struct flow_run *run)
{
    if (run == NULL)
        return;
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        json_unref(run->nodes[i].inputs);
        json_unref(run->nodes[i].outputs);
        json_unref(run->nodes[i].error);
    }
    json_unref(run->input);
    free(run->commands);
    arena_done(&run->arena);
    free(run);
}

static struct run_command *command(struct flow_run *run, enum run_command_kind kind, unsigned node)
{
    if (run->command_count == run->command_cap) {
        run->command_cap = run->command_cap == 0 ? 8 : run->command_cap * 2;
        run->commands = mem_resize(run->commands, run->command_cap * sizeof *run->commands);
    }
    struct run_command *added = &run->commands[run->command_count++];
    *added = (struct run_command){.kind = kind, .node = node};
    return added;
}

bool flow_run_next_command(struct flow_run *run, struct run_command *ret)
{
    if (run->command_head == run->command_count) {
        run->command_head = run->command_count = 0;
        return false;
    }
    *ret = run->commands[run->command_head++];
    return true;
}

static void checkpoint(struct flow_run *run, unsigned index, const struct error *error)
{
    const struct node_run *node = &run->nodes[index];
    struct run_command *added = command(run, RUN_COMMAND_CHECKPOINT, index);
    added->attempt = node->attempt;
    added->checkpoint = (struct run_checkpoint){.node_id = run->flow->nodes[index].id,
                                                .attempt = node->attempt,
                                                .state = node->state,
                                                .outputs = node->outputs,
                                                .records = node->records,
                                                .started_ms = node->first_ms,
                                                .ended_ms = node->ended_ms,
                                                .wake_ms = node->wake_ms};
    if (error != NULL) {
        added->checkpoint.error_id = error_id(error->code);
        added->checkpoint.error_message = arena_dup(&run->arena, error->message);
    }
}

static bool has_effects(const struct flow_run *run, unsigned index)
{
    const struct flow_node_spec *spec = run->flow->nodes[index].spec;
    return !spec->pure && spec->trigger == NULL;
}

static struct attempt *attempt_add(struct flow_run *run, struct node_run *node, int number, int epoch,
                                   enum node_state state, int64_t now)
{
    struct attempt *attempt = arena_alloc(&run->arena, sizeof *attempt);
    *attempt = (struct attempt){.number = number, .epoch = epoch, .state = state, .started_ms = now};
    if (node->last_attempt != NULL)
        node->last_attempt->next = attempt;
    else
        node->attempts = attempt;
    node->last_attempt = attempt;
    return attempt;
}

static void attempt_end(struct flow_run *run, struct node_run *node, enum node_state state, int64_t now,
                        const char *error)
{
    struct attempt *attempt = node->last_attempt;
    if (attempt == NULL)
        return;
    attempt->state = state;
    attempt->ended_ms = now;
    attempt->error = arena_dup(&run->arena, error);
}

/* The run is over: nothing that still runs may tell more. */
static void end(struct flow_run *run, enum run_status status, const struct error *error, int64_t now)
{
    if (error != NULL)
        run->error = *error;
    for (unsigned i = 0; i < run->flow->node_count && run->running + run->timed > 0; i++) {
        struct node_run *node = &run->nodes[i];
        if (node->state == NODE_RUNNING) {
            command(run, RUN_COMMAND_ABORT_NODE, i)->attempt = node->attempt;
            run->running--;
        } else if (node->state == NODE_WAITING || node->state == NODE_BACKOFF) {
            run->timed--;
        } else {
            continue;
        }
        node->state = NODE_ABORTED;
        node->ended_ms = now;
        attempt_end(run, node, NODE_ABORTED, now, NULL);
    }
    run->status = status;
    command(run, RUN_COMMAND_FINISH, 0)->status = status;
}

static void end_limit(struct flow_run *run, int64_t now, const char *what, int64_t limit)
{
    struct error error;
    (void)error_set(&error, ERR_LIMIT, NULL, "The execution made more than %lld %s, which its settings allow.",
                    (long long)limit, what);
    end(run, RUN_FAILED, &error, now);
}

static bool pin_value(const struct flow_run *run, const struct flow_connection *connection, struct json **ret)
{
    const struct node_run *from = &run->nodes[connection->from];
    bool is_error = strcmp(connection->output, "error") == 0;
    if (from->state == NODE_FAILED && is_error)
        *ret = from->error;
    else if (from->state == NODE_SUCCEEDED && json_has(from->outputs, connection->output))
        *ret = json_get(from->outputs, connection->output);
    else
        return false;
    return true;
}

static void conclude(struct flow_run *run, unsigned index, enum node_state state);

/* Each concluded node resolves its connections; a node that thereby becomes skipped is concluded in turn. */
static void resolve_outgoing(struct flow_run *run, unsigned index)
{
    const struct flow_node *node = &run->flow->nodes[index];
    for (unsigned i = 0; i < node->out_count; i++) {
        const struct flow_connection *connection = &run->flow->connections[node->out[i]];
        struct node_run *target = &run->nodes[connection->to];
        struct json *value;
        bool delivered = pin_value(run, connection, &value);
        run->connections[node->out[i]] = delivered ? CONNECTION_DELIVERED : CONNECTION_SKIPPED;
        target->delivered += delivered;
        if (++target->resolved < run->flow->nodes[connection->to].in_count || target->state != NODE_IDLE)
            continue;
        target->state = target->delivered > 0 ? NODE_READY : NODE_SKIPPED;
        run->ready[run->ready_tail++] = connection->to;
    }
}

static void conclude(struct flow_run *run, unsigned index, enum node_state state)
{
    struct node_run *node = &run->nodes[index];
    const struct flow_node *definition = &run->flow->nodes[index];
    node->state = state;
    run->concluded++;
    if (state == NODE_SUCCEEDED && definition->out_count == 0)
        run->last_leaf = (int)index;
    if (state == NODE_SUCCEEDED && strcmp(definition->type, "respond") == 0)
        run->last_respond = (int)index;
    resolve_outgoing(run, index);
}

static struct json *effective_inputs(const struct flow_run *run, unsigned index)
{
    const struct flow_node *node = &run->flow->nodes[index];
    struct json *inputs = json_object_new();
    struct json_iter member;
    JSON_EACH(node->config, member) json_set(inputs, member.key, json_ref(member.value));
    for (unsigned i = 0; i < node->in_count; i++) {
        const struct flow_connection *connection = &run->flow->connections[node->in[i]];
        struct json *value;
        if (run->connections[node->in[i]] == CONNECTION_DELIVERED && pin_value(run, connection, &value))
            json_set(inputs, connection->input, json_ref(value));
    }
    return inputs;
}

static void set_error(struct flow_run *run, unsigned index, const char *code, const char *message)
{
    struct node_run *node = &run->nodes[index];
    json_unref(node->error);
    node->error = json_object_new();
    json_set_str(node->error, "code", code);
    json_set_str(node->error, "message", message);
    json_set_str(node->error, "nodeId", run->flow->nodes[index].id);
}

static void start_attempt(struct flow_run *run, unsigned index, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    if (++run->steps > run->flow->settings.max_steps) {
        end_limit(run, now, "steps", run->flow->settings.max_steps);
        return;
    }
    node->attempt++;
    node->state = NODE_RUNNING;
    node->started_ms = now;
    if (node->first_ms == 0)
        node->first_ms = now;
    run->running++;
    (void)attempt_add(run, node, node->attempt, run->epoch, NODE_RUNNING, now);
    struct run_command *added = command(run, RUN_COMMAND_START_NODE, index);
    added->attempt = node->attempt;
    added->inputs = node->inputs;
}

/* Takes up what earlier epochs left: a result, a wait, a backoff. Returns whether there was something. */
static bool take_up(struct flow_run *run, unsigned index)
{
    struct node_run *node = &run->nodes[index];
    switch (node->restored) {
    case NODE_SUCCEEDED:
        (void)attempt_add(run, node, node->attempt, 0, NODE_SUCCEEDED, node->first_ms);
        attempt_end(run, node, NODE_SUCCEEDED, node->ended_ms, NULL);
        conclude(run, index, NODE_SUCCEEDED);
        return true;
    case NODE_FAILED:
        (void)attempt_add(run, node, node->attempt, 0, NODE_FAILED, node->first_ms);
        attempt_end(run, node, NODE_FAILED, node->ended_ms, json_get_str(node->error, "message"));
        conclude(run, index, NODE_FAILED);
        return true;
    case NODE_WAITING:
    case NODE_BACKOFF:
        (void)attempt_add(run, node, node->attempt, 0, node->restored == NODE_WAITING ? NODE_WAITING : NODE_FAILED,
                          node->first_ms);
        if (node->restored == NODE_BACKOFF)
            attempt_end(run, node, NODE_FAILED, node->ended_ms, json_get_str(node->error, "message"));
        node->state = node->restored;
        run->timed++;
        return true;
    default:
        return false;
    }
}

static void start_trigger(struct flow_run *run, unsigned index, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    if (node->inputs == NULL)
        node->inputs = effective_inputs(run, index);
    if (strcmp(run->flow->nodes[index].spec->trigger, "manual") == 0) {
        if (run->input != NULL)
            json_set(node->inputs, "output", json_ref(run->input));
    } else {
        struct json_iter member;
        JSON_EACH(run->input, member) json_set(node->inputs, member.key, json_ref(member.value));
    }
    start_attempt(run, index, now);
}

static void start_node(struct flow_run *run, unsigned index, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    if (node->state == NODE_SKIPPED) {
        conclude(run, index, NODE_SKIPPED);
        return;
    }
    if (node->inputs == NULL)
        node->inputs = effective_inputs(run, index);
    if (take_up(run, index))
        return;
    if (run->flow->nodes[index].spec->trigger != NULL && run->flow->nodes[index].in_count == 0) {
        start_trigger(run, index, now);
        return;
    }
    if (run->lost_epoch && node->attempt == 0 && has_effects(run, index)) {
        (void)attempt_add(run, node, 1, run->epoch - 1, NODE_IDLE, 0);
        node->attempt = node->unknown = 1;
    }
    start_attempt(run, index, now);
}

static void pump(struct flow_run *run, int64_t now)
{
    while (!run->paused && run->ready_head < run->ready_tail && !run_status_is_final(run->status))
        start_node(run, run->ready[run->ready_head++], now);
    if (run->started && !run->paused && !run_status_is_final(run->status) && run->running + run->timed == 0 &&
        run->ready_head == run->ready_tail)
        end(run, RUN_SUCCESS, NULL, now);
}

static bool is_chosen_trigger(const struct flow_run *run, unsigned index, int chosen)
{
    return run->flow->nodes[index].spec->trigger == NULL || chosen < 0 || (int)index == chosen;
}

/* The trigger that fires: the named one, else the first of the run's kind, else the first. */
static int choose_trigger(const struct flow_run *run)
{
    int first = -1, of_kind = -1;
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        const struct flow_node *node = &run->flow->nodes[i];
        if (node->spec->trigger == NULL || node->in_count > 0)
            continue;
        if (run->trigger_node != NULL && strcmp(node->id, run->trigger_node) == 0)
            return (int)i;
        if (first < 0)
            first = (int)i;
        if (of_kind < 0 && run->trigger != NULL && strcmp(node->spec->trigger, run->trigger) == 0)
            of_kind = (int)i;
    }
    return of_kind >= 0 ? of_kind : first;
}

static void on_start(struct flow_run *run, int64_t now)
{
    if (run->started)
        return;
    run->started = true;
    run->started_ms = now;
    run->status = run->paused ? RUN_PAUSED : RUN_RUNNING;
    int chosen = choose_trigger(run);
    for (unsigned i = 0; i < run->flow->node_count; i++) {
        if (run->flow->nodes[i].in_count > 0)
            continue;
        run->nodes[i].state = is_chosen_trigger(run, i, chosen) ? NODE_READY : NODE_SKIPPED;
        run->ready[run->ready_tail++] = i;
    }
}

static bool is_current(const struct flow_run *run, const struct run_event *event)
{
    return event->node < run->flow->node_count && run->nodes[event->node].state == NODE_RUNNING &&
           run->nodes[event->node].attempt == event->attempt;
}

static bool take_outputs(struct flow_run *run, const struct run_event *event)
{
    struct node_run *node = &run->nodes[event->node];
    json_unref(node->outputs);
    node->outputs = event->take_outputs;
    run->output_bytes += (int64_t)json_size(node->outputs);
    run->running--;
    if (run->output_bytes <= run->flow->settings.max_output_bytes)
        return true;
    node->state = NODE_FAILED;
    node->ended_ms = event->now_ms;
    attempt_end(run, node, NODE_FAILED, event->now_ms, "outputs over the limit");
    end_limit(run, event->now_ms, "bytes of outputs", run->flow->settings.max_output_bytes);
    return false;
}

static void on_done(struct flow_run *run, const struct run_event *event)
{
    struct node_run *node = &run->nodes[event->node];
    if (!take_outputs(run, event))
        return;
    node->records = event->records;
    node->ended_ms = event->now_ms;
    attempt_end(run, node, NODE_SUCCEEDED, event->now_ms, NULL);
    node->state = NODE_SUCCEEDED;
    if (has_effects(run, event->node))
        checkpoint(run, event->node, NULL);
    conclude(run, event->node, NODE_SUCCEEDED);
}

static void on_wait(struct flow_run *run, const struct run_event *event)
{
    struct node_run *node = &run->nodes[event->node];
    if (!take_outputs(run, event))
        return;
    node->records = event->records;
    node->state = NODE_WAITING;
    node->wake_ms = event->wake_ms;
    node->last_attempt->state = NODE_WAITING;
    run->timed++;
    checkpoint(run, event->node, NULL);
}

static void fail_for_good(struct flow_run *run, unsigned index, const struct error *error, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    const struct flow_node *definition = &run->flow->nodes[index];
    node->ended_ms = now;
    node->state = NODE_FAILED;
    set_error(run, index, error_id(error->code), error->message);
    if (definition->error_connected || !definition->critical) {
        if (has_effects(run, index))
            checkpoint(run, index, error);
        conclude(run, index, NODE_FAILED);
        return;
    }
    run->concluded++;
    struct error named;
    (void)error_set(&named, error->code, error->field, "node %s: %s", definition->id, error->message);
    end(run, RUN_FAILED, &named, now);
}

static void on_failed(struct flow_run *run, unsigned index, const struct error *error, bool retryable, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    const struct retry_policy *policy = &run->flow->nodes[index].retry;
    run->running--;
    attempt_end(run, node, NODE_FAILED, now, error->message);
    if (!retryable || node->attempt - node->unknown >= policy->max_attempts) {
        fail_for_good(run, index, error, now);
        return;
    }
    node->state = NODE_BACKOFF;
    node->ended_ms = now;
    node->wake_ms = now + retry_delay_ms(policy, node->attempt - node->unknown + 1, rng_unit(&run->rng));
    run->timed++;
    checkpoint(run, index, error);
}

static int64_t flow_deadline(const struct flow_run *run)
{
    return run->flow->settings.timeout_ms > 0 ? run->created_ms + run->flow->settings.timeout_ms : INT64_MAX;
}

static int64_t node_due(const struct flow_run *run, unsigned index)
{
    const struct node_run *node = &run->nodes[index];
    int64_t timeout = run->flow->nodes[index].timeout_ms;
    if (node->state == NODE_RUNNING && timeout > 0)
        return node->started_ms + timeout;
    return !run->paused && (node->state == NODE_WAITING || node->state == NODE_BACKOFF) ? node->wake_ms : INT64_MAX;
}

static void node_is_due(struct flow_run *run, unsigned index, int64_t now)
{
    struct node_run *node = &run->nodes[index];
    if (node->state == NODE_RUNNING) {
        struct error error;
        (void)error_set(&error, ERR_DEADLINE, "timeout", "The node took longer than %lld ms.",
                        (long long)run->flow->nodes[index].timeout_ms);
        command(run, RUN_COMMAND_ABORT_NODE, index)->attempt = node->attempt;
        on_failed(run, index, &error, true, now);
        return;
    }
    run->timed--;
    if (node->state == NODE_BACKOFF) {
        start_attempt(run, index, now);
        return;
    }
    node->ended_ms = now;
    attempt_end(run, node, NODE_SUCCEEDED, now, NULL);
    node->state = NODE_SUCCEEDED;
    conclude(run, index, NODE_SUCCEEDED);
}

static void on_time(struct flow_run *run, int64_t now)
{
    if (now >= flow_deadline(run)) {
        struct error error;
        (void)error_set(&error, ERR_DEADLINE, "settings.timeoutMs", "The execution took longer than %lld ms.",
                        (long long)run->flow->settings.timeout_ms);
        end(run, RUN_TIMEOUT, &error, now);
        return;
    }
    for (unsigned i = 0;
         i < run->flow->node_count && run->running + run->timed > 0 && !run_status_is_final(run->status); i++)
        if (node_due(run, i) <= now)
            node_is_due(run, i, now);
}

static void on_cancel(struct flow_run *run, const struct run_event *event)
{
    struct error error;
    if (event->error != NULL)
        error = *event->error;
    else
        (void)error_set(&error, ERR_CANCELLED, NULL, "The execution was cancelled.");
    end(run, RUN_CANCELLED, &error, event->now_ms);
}

static void set_paused(struct flow_run *run, bool paused)
{
    run->paused = paused;
    if (run->started)
        run->status = paused ? RUN_PAUSED : RUN_RUNNING;
}

void flow_run_advance(struct flow_run *run, const struct run_event *event)
{
    bool of_node = event->kind == RUN_EVENT_NODE_DONE || event->kind == RUN_EVENT_NODE_FAILED ||
                   event->kind == RUN_EVENT_NODE_WAIT;
    if (run_status_is_final(run->status) || (of_node && !is_current(run, event))) {
        json_unref(event->take_outputs);
        return;
    }
    switch (event->kind) {
    case RUN_EVENT_START:
        on_start(run, event->now_ms);
        break;
    case RUN_EVENT_NODE_DONE:
        on_done(run, event);
        break;
    case RUN_EVENT_NODE_WAIT:
        on_wait(run, event);
        break;
    case RUN_EVENT_NODE_FAILED:
        on_failed(run, event->node, event->error, event->retryable, event->now_ms);
        break;
    case RUN_EVENT_TIME:
        on_time(run, event->now_ms);
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
    }
    pump(run, event->now_ms);
}

void flow_run_restore(struct flow_run *run, const struct run_checkpoint *known)
{
    int index = flow_find_node(run->flow, known->node_id);
    if (index < 0 || run->started)
        return;
    struct node_run *node = &run->nodes[index];
    node->restored = known->state;
    node->attempt = known->attempt;
    json_unref(node->outputs);
    node->outputs = json_ref(known->outputs);
    node->records = known->records;
    node->first_ms = node->started_ms = known->started_ms;
    node->ended_ms = known->ended_ms;
    node->wake_ms = known->wake_ms;
    if (known->error_id != NULL)
        set_error(run, (unsigned)index, known->error_id, known->error_message == NULL ? "" : known->error_message);
}

enum run_status flow_run_status(const struct flow_run *run)
{
    return run->status;
}

int64_t flow_run_due_ms(const struct flow_run *run)
{
    int64_t due = flow_deadline(run);
    unsigned left = run->running + run->timed;
    for (unsigned i = 0; i < run->flow->node_count && left > 0; i++) {
        enum node_state state = run->nodes[i].state;
        if (state != NODE_RUNNING && state != NODE_WAITING && state != NODE_BACKOFF)
            continue;
        left--;
        int64_t at = node_due(run, i);
        due = at < due ? at : due;
    }
    return due;
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
    int64_t sum = 0;
    for (unsigned i = 0; i < run->flow->node_count; i++)
        if (run->nodes[i].state == NODE_SUCCEEDED)
            sum += run->nodes[i].records;
    return sum;
}

const struct json *flow_run_result(const struct flow_run *run)
{
    int index = run->last_respond >= 0 ? run->last_respond : run->last_leaf;
    return index < 0 ? NULL : run->nodes[index].outputs;
}

bool flow_run_has_response(const struct flow_run *run)
{
    return run->last_respond >= 0;
}

const struct flow *flow_run_flow(const struct flow_run *run)
{
    return run->flow;
}

void flow_run_progress(const struct flow_run *run, unsigned *ret_done, unsigned *ret_total)
{
    *ret_done = run->concluded;
    *ret_total = run->flow->node_count;
}

void flow_run_idempotency_key(const struct flow_run *run, unsigned node, char out[ID_TEXT_BYTES_MAX])
{
    (void)snprintf(out, ID_TEXT_BYTES_MAX, "%.60s:%.64s:0", run->execution_id, run->flow->nodes[node].id);
}
