/* Which runner gets which call. */
#include "script/pool_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 20
#define CALLS_AHEAD 64 /* given to a runner beyond the one it works at */
#define STUCK_FACTOR 4 /* runners in all, while calls are stuck */

void call_list_init(struct call_list *list)
{
    *list = (struct call_list){.last = &list->first};
}

void call_list_push(struct call_list *list, struct script_call *call)
{
    call->next = NULL;
    *list->last = call;
    list->last = &call->next;
    list->count++;
}

void call_list_push_front(struct call_list *list, struct script_call *call)
{
    call->next = list->first;
    if (list->first == NULL)
        list->last = &call->next;
    list->first = call;
    list->count++;
}

void call_list_remove(struct call_list *list, struct script_call *call)
{
    struct script_call **place = &list->first;
    while (*place != NULL && *place != call)
        place = &(*place)->next;
    if (*place == NULL)
        return;
    *place = call->next;
    if (list->last == &call->next)
        list->last = place;
    list->count--;
}

void call_list_replace(struct call_list *list, struct script_call *call, struct script_call *by)
{
    struct script_call **place = &list->first;
    while (*place != call)
        place = &(*place)->next;
    by->next = call->next;
    *place = by;
    if (list->last == &call->next)
        list->last = &by->next;
}

void script_call_free(struct script_call *call)
{
    buf_done(&call->frame);
    free(call);
}

void script_call_finish(struct script_call *call, const struct script_answer *answer)
{
    script_done_fn *done = call->abandoned ? NULL : call->done;
    void *user = call->user;
    call->pool->stats.failed += answer->error.code != ERR_OK;
    script_call_free(call);
    if (done != NULL)
        done(user, answer);
}

void script_call_fail(struct script_call *call, enum err code, const char *format, ...)
{
    struct script_answer answer = {0};
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)error_set(&answer.error, code, NULL, "%s", text);
    script_call_finish(call, &answer);
}

/* The runner with the least to do; NULL: none takes more. *ret_able: those that are not stuck. */
static struct runner_process *choose(const struct script_pool *pool, unsigned *ret_able)
{
    struct runner_process *best = NULL;
    *ret_able = 0;
    for (struct runner_process *runner = pool->runners; runner != NULL; runner = runner->next) {
        if (runner->slow || runner->state >= RUNNER_RETIRED)
            continue;
        (*ret_able)++;
        if (runner->calls.count <= CALLS_AHEAD && (best == NULL || runner->calls.count < best->calls.count))
            best = runner;
    }
    return best;
}

static void fail_queue(struct script_pool *pool, const struct error *error)
{
    while (pool->queue.first != NULL) {
        struct script_call *call = pool->queue.first;
        call_list_remove(&pool->queue, call);
        script_call_fail(call, error->code, "%s", error->message);
    }
}

void pool_give(struct script_pool *pool)
{
    while (pool->queue.first != NULL) {
        unsigned able;
        struct error error;
        struct runner_process *runner = choose(pool, &able);
        bool busy = runner == NULL || runner->calls.count > 1;
        if (busy && able < pool->options.runners && pool->runner_count < pool->options.runners * STUCK_FACTOR) {
            struct runner_process *fresh = runner_process_new(pool, &error);
            if (fresh == NULL && pool->runners == NULL) {
                fail_queue(pool, &error);
                return;
            }
            runner = fresh != NULL ? fresh : runner;
        }
        if (runner == NULL)
            break;
        struct script_call *call = pool->queue.first;
        call_list_remove(&pool->queue, call);
        runner_process_send(runner, call);
    }
    for (struct runner_process *runner = pool->runners; runner != NULL; runner = runner->next)
        runner_process_flush(runner);
    if (!pool->looking && pool->runners != NULL) {
        pool->looking = true;
        loop_timer_set(pool->look_timer, LOOK_MS);
    }
}

static void on_give(void *user)
{
    struct script_pool *pool = user;
    pool->pumping = false;
    pool_give(pool);
}

static void on_look(void *user)
{
    struct script_pool *pool = user;
    int64_t now_us = loop_monotonic_us(pool->options.loop);
    bool busy = pool->queue.first != NULL;
    struct runner_process *next;
    for (struct runner_process *runner = pool->runners; runner != NULL; runner = next) {
        next = runner->next;
        busy |= runner->calls.first != NULL || runner->state != RUNNER_READY;
        runner_process_look(runner, now_us);
    }
    pool->looking = busy;
    if (busy)
        loop_timer_set(pool->look_timer, LOOK_MS);
    pool_give(pool);
}

struct script_pool *script_pool_new(const struct script_options *options)
{
    struct script_pool *pool = mem_alloc(sizeof *pool);
    pool->options = *options;
    pool->program = mem_dup(options->program);
    pool->look_timer = loop_timer_new(options->loop, on_look, pool);
    pool->pump_timer = loop_timer_new(options->loop, on_give, pool);
    call_list_init(&pool->queue);
    return pool;
}

static void drop(struct call_list *list)
{
    while (list->first != NULL) {
        struct script_call *call = list->first;
        call_list_remove(list, call);
        script_call_free(call);
    }
}

void script_pool_free(struct script_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->runners != NULL) {
        drop(&pool->runners->calls);
        runner_process_free(pool->runners);
    }
    drop(&pool->queue);
    loop_timer_free(pool->look_timer);
    loop_timer_free(pool->pump_timer);
    free(pool->program);
    free(pool);
}

static void on_refused(void *user)
{
    struct script_call *call = user;
    script_call_fail(call, ERR_UNAVAILABLE, "Too many calls (%d) wait for JavaScript.", LIMIT_SCRIPT_QUEUE);
}

static void on_too_large(void *user)
{
    struct script_call *call = user;
    script_call_fail(call, ERR_LIMIT, "JavaScript would be given %zu bytes; at most %d are allowed.", call->frame.len,
                     LIMIT_SCRIPT_INPUT_BYTES);
}

struct script_call *script_pool_start(struct script_pool *pool, const struct script_request *request,
                                      script_done_fn *done, void *user)
{
    static const enum frame_kind kinds[] = {[SCRIPT_EXPRESSIONS] = FRAME_EXPRESSIONS,
                                            [SCRIPT_CODE] = FRAME_CODE,
                                            [SCRIPT_MAP] = FRAME_MAP,
                                            [SCRIPT_CHECK] = FRAME_CHECK};
    struct script_call *call = mem_alloc(sizeof *call);
    int64_t most = pool->options.timeout_ms;
    *call = (struct script_call){
        .pool = pool,
        .id = ++pool->last_id,
        .done = done,
        .user = user,
        .timeout_ms = request->timeout_ms > 0 && request->timeout_ms < most ? request->timeout_ms : most};
    buf_init(&call->frame, 0);
    frame_encode(&(struct frame){.call = call->id,
                                 .kind = kinds[request->kind],
                                 .count = 3,
                                 .texts = {{request->realm, strlen(request->realm)},
                                           {request->program, request->program_bytes},
                                           {request->data, request->data_bytes}}},
                 &call->frame);
    pool->stats.calls++;
    if (call->frame.len > LIMIT_SCRIPT_INPUT_BYTES || pool->queue.count >= LIMIT_SCRIPT_QUEUE) {
        loop_post(pool->options.loop, call->frame.len > LIMIT_SCRIPT_INPUT_BYTES ? on_too_large : on_refused, call);
        return call;
    }
    call_list_push(&pool->queue, call);
    if (!pool->pumping) { /* those that come together go together, and `done` never comes from within */
        pool->pumping = true;
        loop_timer_set(pool->pump_timer, 0);
    }
    return call;
}

void script_call_abort(struct script_call *call)
{
    struct script_pool *pool = call->pool;
    if (call->runner != NULL && call->runner->calls.first == call) {
        call->abandoned = true; /* runner_process_look ends it if it goes on for long */
        return;
    }
    if (call->runner != NULL)
        runner_process_cancel(call->runner, call);
    call_list_remove(&pool->queue, call);
    loop_unpost(pool->options.loop, on_refused, call);
    loop_unpost(pool->options.loop, on_too_large, call);
    script_call_free(call);
}

void script_pool_stats(const struct script_pool *pool, struct script_stats *ret)
{
    *ret = pool->stats;
    ret->runners = pool->runner_count;
}
