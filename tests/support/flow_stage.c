/* Runs events through a run and writes down its commands. */
#include "support/flow_stage.h"

#include "support/flow_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void stage_begin(struct stage *s, struct run_options options, const char *input)
{
    AUTO_JSON struct json *value = input == NULL ? NULL : kit_json(input);
    options.execution_id = "e1";
    options.trigger = "manual";
    options.created_ms = T0;
    options.epoch = options.epoch == 0 ? 1 : options.epoch;
    s->run = flow_run_new(s->flow, &options, value);
    s->now_ms = s->now_ms == 0 ? T0 : s->now_ms;
}

struct stage *stage_new(const char *nodes, const char *connections, const char *settings)
{
    struct stage *s = mem_alloc(sizeof *s);
    s->flow = kit_flow_of(nodes, connections, settings);
    buf_init(&s->seen, 0);
    stage_begin(s, (struct run_options){0}, NULL);
    return s;
}

void stage_forget_running(struct stage *s)
{
    for (unsigned i = 0; i < s->running_count; i++)
        json_unref(s->running[i].inputs);
    s->running_count = 0;
}

void stage_free(struct stage *s)
{
    stage_forget_running(s);
    for (unsigned i = 0; i < s->kept_count; i++) {
        json_unref((struct json *)s->kept[i].point.outputs);
        json_unref((struct json *)s->kept[i].point.waiting);
        json_unref((struct json *)s->kept[i].point.evaluated);
        free((char *)s->kept[i].point.iteration);
    }
    flow_run_free(s->run);
    flow_free(s->flow);
    buf_done(&s->seen);
    free(s);
}

static void name_of(const struct stage *s, unsigned scope, unsigned node, char out[120])
{
    char iteration[RUN_ITERATION_BYTES_MAX];
    flow_run_iteration(s->run, scope, node, iteration);
    (void)snprintf(out, 120, "%s@%s", s->flow->nodes[node].id, iteration);
}

static void on_start(struct stage *s, const struct run_command *command)
{
    assert_true(s->running_count < RUNNING_MAX);
    struct running *running = &s->running[s->running_count++];
    *running = (struct running){.scope = command->scope,
                                .node = command->node,
                                .attempt = command->attempt,
                                .inputs = json_ref(command->inputs)};
    name_of(s, command->scope, command->node, running->name);
    buf_printf(&s->seen, "start %s", running->name);
    if (command->attempt > 1)
        buf_printf(&s->seen, "#%d", command->attempt);
}

static void on_abort(struct stage *s, const struct run_command *command)
{
    for (unsigned i = 0; i < s->running_count; i++)
        if (s->running[i].scope == command->scope && s->running[i].node == command->node) {
            buf_printf(&s->seen, "abort %s", s->running[i].name);
            json_unref(s->running[i].inputs);
            s->running[i] = s->running[--s->running_count];
            return;
        }
    fail_msg("something is aborted that does not run");
}

static void on_checkpoint(struct stage *s, const struct run_checkpoint *point)
{
    struct kept_checkpoint *kept = NULL;
    char name[140];
    (void)snprintf(name, sizeof name, "%s@%s", point->node_id, point->iteration == NULL ? "0" : point->iteration);
    buf_printf(&s->seen, "keep %s %s", name, node_state_name(point->state));
    for (unsigned i = 0; i < s->kept_count && kept == NULL; i++)
        if (strcmp(s->kept[i].name, name) == 0)
            kept = &s->kept[i];
    if (kept == NULL) {
        assert_true(s->kept_count < RUNNING_MAX);
        kept = &s->kept[s->kept_count++];
    } else {
        json_unref((struct json *)kept->point.outputs);
        json_unref((struct json *)kept->point.waiting);
        json_unref((struct json *)kept->point.evaluated);
        free((char *)kept->point.iteration);
    }
    (void)snprintf(kept->name, sizeof kept->name, "%s", name);
    kept->point = *point;
    kept->point.outputs = json_ref(point->outputs);
    kept->point.waiting = json_ref(point->waiting);
    kept->point.evaluated = json_ref(point->evaluated);
    kept->point.iteration = mem_dup(point->iteration);
    if (point->error_message != NULL)
        kept->point.error_message = "planned";
}

static void take_commands(struct stage *s)
{
    struct run_command command;
    while (flow_run_next_command(s->run, &command)) {
        if (s->seen.len > 0)
            buf_add_str(&s->seen, ", ");
        switch (command.kind) {
        case RUN_COMMAND_START_NODE:
            on_start(s, &command);
            break;
        case RUN_COMMAND_ABORT_NODE:
            on_abort(s, &command);
            break;
        case RUN_COMMAND_CHECKPOINT:
            on_checkpoint(s, &command.checkpoint);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            buf_printf(&s->seen, "drop %s", json_get_str(command.checkpoint.waiting, "childId"));
            break;
        case RUN_COMMAND_FINISH:
            buf_printf(&s->seen, "end %s", run_status_name(command.status));
            break;
        }
    }
}

void stage_advance(struct stage *s, struct run_event event)
{
    event.now_ms = s->now_ms;
    flow_run_advance(s->run, &event);
    take_commands(s);
}

void stage_start(struct stage *s)
{
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_START});
}

static struct running take_running(struct stage *s, const char *name)
{
    for (unsigned i = 0; i < s->running_count; i++)
        if (strcmp(s->running[i].name, name) == 0) {
            struct running found = s->running[i];
            memmove(&s->running[i], &s->running[i + 1], (--s->running_count - i) * sizeof s->running[0]);
            json_unref(found.inputs);
            return found;
        }
    fail_msg("%s does not run", name);
    return (struct running){0};
}

void stage_done(struct stage *s, const char *name, const char *outputs)
{
    struct running r = take_running(s, name);
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_NODE_DONE,
                                        .scope = r.scope,
                                        .node = r.node,
                                        .attempt = r.attempt,
                                        .records = 1,
                                        .take_outputs = kit_json(outputs)});
}

void stage_failed(struct stage *s, const char *name)
{
    struct running r = take_running(s, name);
    struct error error;
    (void)error_set(&error, ERR_NODE_RETRY, NULL, "planned");
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_NODE_FAILED,
                                        .scope = r.scope,
                                        .node = r.node,
                                        .attempt = r.attempt,
                                        .error = &error,
                                        .retryable = true});
}

void stage_waits(struct stage *s, const char *name, int64_t wake_ms, const char *waiting, const char *outputs)
{
    struct running r = take_running(s, name);
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_NODE_WAIT,
                                        .scope = r.scope,
                                        .node = r.node,
                                        .attempt = r.attempt,
                                        .wake_ms = wake_ms,
                                        .take_waiting = waiting == NULL ? NULL : kit_json(waiting),
                                        .take_outputs = kit_json(outputs)});
}

void stage_signalled(struct stage *s, int64_t id, bool of_child, const char *name, const char *payload)
{
    AUTO_JSON struct json *value = kit_json(payload);
    struct run_signal signal = {.id = id, .of_child = of_child, .name = name, .payload = value};
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_SIGNAL, .signal = &signal});
}

void stage_time_is(struct stage *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    stage_advance(s, (struct run_event){.kind = RUN_EVENT_TIME});
}

/* As after a crash: a new run with the checkpoints of the former. */
void stage_crash(struct stage *s)
{
    stage_forget_running(s);
    flow_run_free(s->run);
    stage_begin(s, (struct run_options){.epoch = 2}, NULL);
    for (unsigned i = 0; i < s->kept_count; i++)
        flow_run_restore(s->run, &s->kept[i].point);
    buf_clear(&s->seen);
}

void stage_inputs_are(const struct stage *s, const char *name, const char *expected)
{
    for (unsigned i = 0; i < s->running_count; i++)
        if (strcmp(s->running[i].name, name) == 0) {
            AUTO_JSON struct json *wanted = kit_json(expected);
            AUTO_FREE char *got = json_dup_text(s->running[i].inputs), *text = json_dup_text(wanted);
            assert_string_equal(got, text);
            return;
        }
    fail_msg("%s does not run", name);
}

void stage_result_is(const struct stage *s, const char *expected)
{
    AUTO_JSON struct json *wanted = kit_json(expected);
    AUTO_FREE char *got = json_dup_text(flow_run_result(s->run)), *text = json_dup_text(wanted);
    assert_string_equal(got, text);
}

void stage_error_is(const struct stage *s, enum err code, const char *message)
{
    assert_int_equal(flow_run_error(s->run)->code, code);
    assert_string_equal(flow_run_error(s->run)->message, message);
}
