/* One runner as the pool sees it: what goes to it, what comes back, how it ends. */
#include "script/pool_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define START_MS 30000
#define WALL_FACTOR 10                 /* on a busy machine a call may wait for a processor this many times its limit */
#define SLOW_US 50000                  /* a call that takes longer keeps others waiting no more */
#define BASE_BYTES ((size_t)256 << 20) /* what a runner may have besides its calls' data: the engine, its heaps */
#define CHUNK_BYTES ((size_t)64 << 10)

static void unlink_runner(struct runner_process *runner)
{
    struct runner_process **place = &runner->pool->runners;
    while (*place != runner)
        place = &(*place)->next;
    *place = runner->next;
    runner->pool->runner_count--;
}

void runner_process_free(struct runner_process *runner)
{
    unlink_runner(runner);
    loop_watch_free(runner->socket_watch);
    loop_watch_free(runner->exit_watch);
    if (runner->process.pid > 0) {
        spawned_kill(&runner->process);
        (void)spawned_reap(&runner->process);
    }
    buf_done(&runner->in);
    buf_done(&runner->out);
    free(runner->refusal);
    free(runner);
}

void runner_process_kill(struct runner_process *runner, enum kill_reason reason)
{
    if (runner->state == RUNNER_KILLED)
        return;
    runner->state = RUNNER_KILLED;
    runner->reason = reason;
    runner->pool->stats.killed += reason == KILL_TIME || reason == KILL_MEMORY;
    spawned_kill(&runner->process);
}

/* ---- what goes to it */

static void flush(struct runner_process *runner)
{
    while (runner->out_at < runner->out.len) {
        ssize_t n = send(runner->process.socket, runner->out.data + runner->out_at, runner->out.len - runner->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                loop_watch_set(runner->socket_watch, 3);
            return; /* it has gone: its exit is told apart */
        }
        runner->out_at += (size_t)n;
    }
    buf_clear(&runner->out);
    runner->out_at = 0;
    loop_watch_set(runner->socket_watch, 1);
}

void runner_process_send(struct runner_process *runner, struct script_call *call)
{
    if (runner->calls.first == NULL && runner->state == RUNNER_READY)
        runner->since_us = loop_monotonic_us(runner->pool->options.loop);
    call->runner = runner;
    call_list_push(&runner->calls, call);
    runner->idle |= runner->out.len == 0;
    buf_add(&runner->out, call->frame.data, call->frame.len);
}

void runner_process_flush(struct runner_process *runner)
{
    if (!runner->idle)
        return; /* it goes on when the socket takes more */
    runner->idle = false;
    flush(runner);
}

void runner_process_cancel(struct runner_process *runner, struct script_call *call)
{
    bool idle = runner->out.len == 0;
    struct script_call *ghost = mem_alloc(sizeof *ghost);
    *ghost = (struct script_call){
        .pool = call->pool, .runner = runner, .id = call->id, .timeout_ms = call->timeout_ms, .abandoned = true};
    call_list_replace(&runner->calls, call, ghost);
    call->runner = NULL;
    frame_encode(&(struct frame){.call = call->id, .kind = FRAME_CANCEL}, &runner->out);
    if (idle && runner->state < RUNNER_RETIRED)
        flush(runner);
}

/* ---- what comes back */

static enum err read_result(const char *text, size_t len, struct script_answer *answer, struct json **ret)
{
    struct error error;
    if (len > LIMIT_SCRIPT_OUTPUT_BYTES * 3UL)
        return error_set(&answer->error, ERR_LIMIT, NULL, "The script's result is larger than %d bytes.",
                         LIMIT_SCRIPT_OUTPUT_BYTES);
    if (json_parse(text, len, ret, &error) != ERR_OK)
        return error_set(&answer->error, ERR_LIMIT, NULL, "The script's result cannot be kept: %s", error.message);
    const struct json *failure = json_get(*ret, "e");
    if (failure == NULL)
        return ERR_OK;
    const char *message = json_get_str(failure, "message");
    answer->line = (int)json_get_int(failure, "line", 0);
    int64_t item = json_get_int(failure, "item", -1);
    char where[64] = "";
    if (item >= 0 && answer->line > 0)
        (void)snprintf(where, sizeof where, "Item %lld, line %d: ", (long long)item, answer->line);
    else if (item >= 0)
        (void)snprintf(where, sizeof where, "Item %lld: ", (long long)item);
    else if (answer->line > 0)
        (void)snprintf(where, sizeof where, "Line %d: ", answer->line);
    return error_set(&answer->error, json_get_bool(failure, "limit", false) ? ERR_LIMIT : ERR_NODE, NULL, "%s%s", where,
                     message == NULL ? "It failed." : message);
}

static void answer_call(struct script_call *call, const struct frame_text *text)
{
    struct script_answer answer = {0};
    AUTO_JSON struct json *logs = NULL, *result = NULL;
    const char *end = memchr(text->bytes, '\n', text->len);
    if (end == NULL) {
        (void)error_set(&answer.error, ERR_INTERNAL, NULL, "The JavaScript runner gave a broken answer.");
    } else {
        size_t before = (size_t)(end - text->bytes);
        if (before > 0 && json_parse(text->bytes, before, &logs, NULL) != ERR_OK)
            logs = NULL; /* cut surrogates are no reason to lose the result */
        (void)read_result(end + 1, text->len - before - 1, &answer, &result);
    }
    answer.result = answer.error.code == ERR_OK ? result : NULL;
    answer.logs = logs;
    script_call_finish(call, &answer);
}

/* Each call is answered or dropped, in their order. */
static void on_answer(struct runner_process *runner, const struct frame *frame)
{
    struct script_call *call = runner->calls.first;
    runner->since_us = loop_monotonic_us(runner->pool->options.loop);
    if (call == NULL || call->id != frame->call || frame->count != 1) {
        runner_process_kill(runner, KILL_PROTOCOL);
        return;
    }
    call_list_remove(&runner->calls, call);
    call->runner = NULL;
    runner->slow = false;
    if (call->abandoned)
        script_call_free(call);
    else if (frame->kind == FRAME_DROPPED)
        script_call_fail(call, ERR_INTERNAL, "The JavaScript runner dropped a call.");
    else
        answer_call(call, &frame->texts[0]);
}

static void on_ready(struct runner_process *runner, const struct frame *frame)
{
    if (frame->count == 1 && frame->texts[0].len > 0) {
        runner->refusal = mem_dup_n(frame->texts[0].bytes, frame->texts[0].len);
        return; /* it ends by itself */
    }
    runner->state = RUNNER_READY;
    runner->since_us = loop_monotonic_us(runner->pool->options.loop);
}

static void take_frames(struct runner_process *runner)
{
    size_t at = 0, used;
    struct frame frame;
    enum frame_outcome outcome = FRAME_PARTIAL;
    while (at < runner->in.len &&
           (outcome = frame_decode(runner->in.data + at, runner->in.len - at, &frame, &used)) == FRAME_WHOLE) {
        at += used;
        if (frame.kind == FRAME_ANSWER || frame.kind == FRAME_DROPPED)
            on_answer(runner, &frame);
        else if (frame.kind == FRAME_READY)
            on_ready(runner, &frame);
        else if (frame.kind == FRAME_RETIRE && runner->state == RUNNER_READY)
            runner->state = RUNNER_RETIRED;
    }
    if (outcome == FRAME_BROKEN) {
        runner_process_kill(runner, KILL_PROTOCOL);
        buf_clear(&runner->in);
    } else if (at > 0) {
        memmove(runner->in.data, runner->in.data + at, runner->in.len - at);
        runner->in.len -= at;
    }
}

/* False: nothing more will come. */
static bool receive(struct runner_process *runner)
{
    static const size_t most = FRAME_BYTES_MAX + CHUNK_BYTES;
    char chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t n = recv(runner->process.socket, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (runner->in.len + (size_t)n > most) {
            runner_process_kill(runner, KILL_PROTOCOL);
            return false;
        }
        buf_add(&runner->in, chunk, (size_t)n);
        take_frames(runner);
    }
}

static void on_socket(void *user, int fd, int events)
{
    struct runner_process *runner = user;
    (void)fd;
    if ((events & 1) != 0 && !receive(runner)) {
        loop_watch_free(runner->socket_watch); /* its exit follows */
        runner->socket_watch = NULL;
        return;
    }
    if ((events & 2) != 0)
        flush(runner);
    pool_give(runner->pool);
}

/* ---- how it ends */

static void fail_first(const struct runner_process *runner, struct script_call *call, int status)
{
    const struct script_options *options = &runner->pool->options;
    int sign = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (runner->reason == KILL_TIME)
        script_call_fail(call, ERR_LIMIT, "The script took longer than %lld ms.", (long long)call->timeout_ms);
    else if (runner->reason == KILL_MEMORY)
        script_call_fail(call, ERR_LIMIT, "The script needed more memory than the %zu MiB it may use.",
                         options->memory_mb);
    else if (runner->reason == KILL_PROTOCOL)
        script_call_fail(call, ERR_LIMIT, "The script's runner gave a broken answer and was ended.");
    else if (runner->refusal != NULL || runner->state == RUNNER_STARTING || runner->reason == KILL_START)
        script_call_fail(call, runner->refusal != NULL ? ERR_UNSUPPORTED : ERR_UNAVAILABLE, "%s",
                         runner->refusal != NULL ? runner->refusal : "The JavaScript runner did not start.");
    else if (sign == SIGABRT || sign == SIGILL || sign == SIGTRAP || sign == SIGSEGV)
        script_call_fail(
            call, ERR_LIMIT,
            "The script's runner gave up (signal %d), as it does when a script needs more memory than the %zu MiB "
            "it may use.",
            sign, options->memory_mb);
    else
        script_call_fail(call, ERR_NODE, "The script's runner died (%s %d) while it ran the script.",
                         sign != 0 ? "signal" : "exit code", sign != 0 ? sign : WEXITSTATUS(status));
}

/* To the front of the pool's queue, in their order. */
static void give_back(struct script_pool *pool, struct call_list *rest)
{
    if (rest->first == NULL)
        return;
    *rest->last = pool->queue.first;
    if (pool->queue.first == NULL)
        pool->queue.last = rest->last;
    pool->queue.first = rest->first;
    pool->queue.count += rest->count;
}

/* Calls that it had not begun with. */
static void give_back_all(struct runner_process *runner)
{
    struct call_list rest;
    call_list_init(&rest);
    while (runner->calls.first != NULL) {
        struct script_call *call = runner->calls.first;
        call_list_remove(&runner->calls, call);
        call->runner = NULL;
        if (call->abandoned)
            script_call_free(call);
        else
            call_list_push(&rest, call);
    }
    give_back(runner->pool, &rest);
}

static void on_ended(void *user, int fd, int events)
{
    struct runner_process *runner = user;
    struct script_pool *pool = runner->pool;
    (void)fd;
    (void)events;
    if (runner->socket_watch != NULL)
        (void)receive(runner); /* what it said last */
    loop_watch_free(runner->socket_watch);
    loop_watch_free(runner->exit_watch);
    runner->socket_watch = runner->exit_watch = NULL;
    int status = spawned_reap(&runner->process);
    struct script_call *first = runner->calls.first;
    bool charged = first != NULL && runner->state != RUNNER_RETIRED && runner->reason != KILL_UNWANTED;
    if (charged && runner->reason == KILL_NONE && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV &&
        !first->retried) {
        first->retried = true;
        charged = false;
    }
    bool all = runner->refusal != NULL || runner->state == RUNNER_STARTING || runner->reason == KILL_START;
    if (charged || (first != NULL && first->abandoned)) {
        do {
            call_list_remove(&runner->calls, first);
            fail_first(runner, first, status);
        } while (all && (first = runner->calls.first) != NULL);
    }
    if (charged && !all)
        log_event(LOG_WARN, "a JavaScript runner ended in the middle of a call", LOG_INT("status", status), LOG_END);
    give_back_all(runner);
    runner_process_free(runner);
    pool_give(pool);
}

/* ---- looking after it */

/* Those behind its first call run elsewhere. */
static void move_rest(struct runner_process *runner)
{
    struct call_list rest;
    struct script_call *next;
    call_list_init(&rest);
    for (struct script_call *call = runner->calls.first->next; call != NULL; call = next) {
        next = call->next;
        if (call->abandoned)
            continue;
        runner_process_cancel(runner, call);
        call_list_push(&rest, call);
    }
    give_back(runner->pool, &rest);
}

/* A script cannot sleep: what it takes is processor time, and how busy the machine is is not its fault. */
static bool took_too_long(struct runner_process *runner, const struct script_call *first, int64_t took_us)
{
    int64_t limit_us = first->timeout_ms * 1000, cpu_us = spawned_cpu_us(&runner->process);
    if (first->id != runner->seen_call) {
        runner->seen_call = first->id;
        runner->seen_cpu_us = cpu_us;
        return false;
    }
    return cpu_us < 0 ? took_us >= limit_us
                      : cpu_us - runner->seen_cpu_us >= limit_us || took_us >= limit_us * WALL_FACTOR;
}

void runner_process_look(struct runner_process *runner, int64_t now_us)
{
    const struct script_call *first = runner->calls.first;
    int64_t took_us = now_us - runner->since_us;
    if (runner->state == RUNNER_STARTING && took_us > START_MS * 1000LL)
        runner_process_kill(runner, KILL_START);
    if (runner->state != RUNNER_READY || first == NULL)
        return;
    if (took_too_long(runner, first, took_us))
        runner_process_kill(runner, KILL_TIME);
    else if (took_us > SLOW_US && first->abandoned)
        runner_process_kill(runner, KILL_UNWANTED);
    else if (spawned_resident_bytes(&runner->process) > BASE_BYTES + (runner->pool->options.memory_mb << 20))
        runner_process_kill(runner, KILL_MEMORY);
    if (took_us > SLOW_US && runner->state == RUNNER_READY && !runner->slow) {
        runner->slow = true;
        move_rest(runner);
    }
}

struct runner_process *runner_process_new(struct script_pool *pool, struct error *reterr)
{
    struct runner_process *runner = mem_alloc(sizeof *runner);
    if (spawned_start(pool->program, pool->options.memory_mb, &runner->process, reterr) != ERR_OK) {
        free(runner);
        return NULL;
    }
    runner->pool = pool;
    runner->since_us = loop_monotonic_us(pool->options.loop);
    call_list_init(&runner->calls);
    buf_init(&runner->in, 0);
    buf_init(&runner->out, 0);
    runner->socket_watch = loop_watch_new(pool->options.loop, runner->process.socket, 1, on_socket, runner);
    runner->exit_watch = loop_watch_new(pool->options.loop, runner->process.pid_fd, 1, on_ended, runner);
    runner->next = pool->runners;
    pool->runners = runner;
    pool->runner_count++;
    return runner;
}
