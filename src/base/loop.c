/* The libuv loop and the virtual loop behind one face. */
#include "base/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

struct call {
    loop_fn fn;
    void *user;
    int64_t due_ms; /* virtual only */
    uint64_t order; /* virtual only */
    struct loop_timer *timer; /* virtual only: the timer this call belongs to */
};

struct loop {
    bool is_virtual;
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t lock;
    struct call *calls; /* posted (FIFO), or the virtual heap */
    size_t count, cap;
    bool stop, woken;
    int64_t now_ms, wall_offset_ms;
    uint64_t order;
};

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    loop_fn fn;
    void *user;
    bool armed;
};

struct loop_watch {
    uv_poll_t uv;
    loop_watch_fn fn;
    void *user;
    int fd;
};

static void push(struct loop *loop, struct call call)
{
    if (loop->count == loop->cap) {
        loop->cap = loop->cap == 0 ? 64 : loop->cap * 2;
        loop->calls = mem_resize(loop->calls, loop->cap * sizeof *loop->calls);
    }
    loop->calls[loop->count++] = call;
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    pthread_mutex_lock(&loop->lock);
    struct call *calls = loop->calls;
    size_t count = loop->count;
    loop->calls = NULL;
    loop->count = loop->cap = 0;
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < count; i++)
        calls[i].fn(calls[i].user);
    free(calls);
    pthread_mutex_lock(&loop->lock);
    bool stop = loop->stop && loop->count == 0;
    pthread_mutex_unlock(&loop->lock);
    if (stop)
        uv_stop(&loop->uv);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_alloc(sizeof *loop);
    pthread_mutex_init(&loop->lock, NULL);
    if (uv_loop_init(&loop->uv) != 0 || uv_async_init(&loop->uv, &loop->wake, on_wake) != 0)
        abort();
    loop->wake.data = loop;
    return loop;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    uv_async_send(&loop->wake);
}

static void close_any(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    if (!loop->is_virtual) {
        uv_walk(&loop->uv, close_any, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        if (uv_loop_close(&loop->uv) != 0)
            abort();
    }
    pthread_mutex_destroy(&loop->lock);
    free(loop->calls);
    free(loop);
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->is_virtual ? loop->now_ms + loop->wall_offset_ms : clock_now_ms();
}

int64_t loop_monotonic_us(const struct loop *loop)
{
    return loop->is_virtual ? loop->now_ms * 1000 : clock_monotonic_us();
}

void loop_virtual_post_at(struct loop *loop, int64_t delay_ms, loop_fn fn, void *user)
{
    push(loop, (struct call){.fn = fn, .user = user, .due_ms = loop->now_ms + delay_ms, .order = loop->order++});
}

void loop_post(struct loop *loop, loop_fn fn, void *user)
{
    if (loop->is_virtual) {
        loop_virtual_post_at(loop, 0, fn, user);
        return;
    }
    pthread_mutex_lock(&loop->lock);
    push(loop, (struct call){.fn = fn, .user = user});
    bool send = !loop->woken;
    loop->woken = true;
    pthread_mutex_unlock(&loop->lock);
    if (send)
        uv_async_send(&loop->wake);
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;
    timer->fn(timer->user);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *user)
{
    struct loop_timer *timer = mem_alloc(sizeof *timer);
    *timer = (struct loop_timer){.loop = loop, .fn = fn, .user = user};
    if (!loop->is_virtual && uv_timer_init(&loop->uv, &timer->uv) != 0)
        abort();
    timer->uv.data = timer;
    return timer;
}

static void virtual_disarm(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    for (size_t i = 0; timer->armed && i < loop->count; i++)
        if (loop->calls[i].timer == timer) {
            loop->calls[i] = loop->calls[--loop->count];
            break;
        }
    timer->armed = false;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    struct loop *loop = timer->loop;
    if (loop->is_virtual) {
        virtual_disarm(timer);
        if (delay_ms >= 0) {
            timer->armed = true;
            push(loop, (struct call){.fn = timer->fn, .user = timer->user, .due_ms = loop->now_ms + delay_ms, .order = loop->order++, .timer = timer});
        }
        return;
    }
    if (delay_ms < 0) {
        uv_timer_stop(&timer->uv);
        return;
    }
    uv_update_time(&loop->uv);
    uv_timer_start(&timer->uv, on_timer, (uint64_t)delay_ms, 0);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    if (timer->loop->is_virtual) {
        virtual_disarm(timer);
        free(timer);
        return;
    }
    uv_timer_stop(&timer->uv);
    uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_watch *watch = uv->data;
    int seen = status < 0 ? 3 : ((events & UV_READABLE) ? 1 : 0) | ((events & UV_WRITABLE) ? 2 : 0);
    watch->fn(watch->user, watch->fd, seen);
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, int events, loop_watch_fn fn, void *user)
{
    struct loop_watch *watch = mem_alloc(sizeof *watch);
    *watch = (struct loop_watch){.fn = fn, .user = user, .fd = fd};
    if (loop->is_virtual || uv_poll_init(&loop->uv, &watch->uv, fd) != 0)
        abort();
    watch->uv.data = watch;
    loop_watch_set(watch, events);
    return watch;
}

void loop_watch_set(struct loop_watch *watch, int events)
{
    uv_poll_start(&watch->uv, ((events & 1) ? UV_READABLE : 0) | ((events & 2) ? UV_WRITABLE : 0), on_poll);
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch == NULL)
        return;
    uv_poll_stop(&watch->uv);
    uv_close((uv_handle_t *)&watch->uv, free_handle);
}

struct loop *loop_virtual_new(int64_t start_ms)
{
    struct loop *loop = mem_alloc(sizeof *loop);
    loop->is_virtual = true;
    loop->now_ms = start_ms;
    pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

bool loop_virtual_step(struct loop *loop, int64_t until_ms)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < loop->count; i++) {
        const struct call *a = &loop->calls[i], *b = best == SIZE_MAX ? NULL : &loop->calls[best];
        if (a->due_ms <= until_ms && (b == NULL || a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order)))
            best = i;
    }
    if (best == SIZE_MAX) {
        loop->now_ms = until_ms > loop->now_ms ? until_ms : loop->now_ms;
        return false;
    }
    struct call call = loop->calls[best];
    loop->calls[best] = loop->calls[--loop->count];
    loop->now_ms = call.due_ms > loop->now_ms ? call.due_ms : loop->now_ms;
    if (call.timer != NULL)
        call.timer->armed = false;
    call.fn(call.user);
    return true;
}

int64_t loop_virtual_due_ms(const struct loop *loop)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < loop->count; i++)
        due = loop->calls[i].due_ms < due ? loop->calls[i].due_ms : due;
    return due;
}

void loop_virtual_jump(struct loop *loop, int64_t by_ms)
{
    loop->wall_offset_ms += by_ms;
}
