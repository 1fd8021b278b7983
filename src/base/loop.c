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
    int64_t due_ms;           /* virtual only */
    uint64_t order;           /* virtual only */
    struct loop_timer *timer; /* virtual only: the timer this call belongs to */
};

struct loop {
    bool is_virtual;
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t lock;
    struct call *calls; /* posted (FIFO), or the virtual loop's heap: no call before its parent */
    size_t count, cap;
    struct call *running; /* those that on_wake is at, until its end */
    size_t running_count;
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
    size_t slot; /* virtual and armed: where its call is in the heap */
};

struct loop_watch {
    uv_poll_t uv;
    loop_watch_fn fn;
    void *user;
    int fd;
};

static struct call *add(struct loop *loop)
{
    if (loop->count == loop->cap) {
        loop->cap = loop->cap == 0 ? 64 : loop->cap * 2;
        loop->calls = mem_resize(loop->calls, loop->cap * sizeof *loop->calls);
    }
    return &loop->calls[loop->count++];
}

/* ---- the virtual loop's heap */

static bool is_before(const struct call *a, const struct call *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order);
}

static void heap_set(struct loop *loop, size_t slot, struct call call)
{
    loop->calls[slot] = call;
    if (call.timer != NULL)
        call.timer->slot = slot;
}

/* Puts the call where it belongs on the way from this free slot up or down. */
static void heap_settle(struct loop *loop, size_t slot, struct call call)
{
    while (slot > 0 && is_before(&call, &loop->calls[(slot - 1) / 2])) {
        heap_set(loop, slot, loop->calls[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    for (size_t child; (child = 2 * slot + 1) < loop->count; slot = child) {
        if (child + 1 < loop->count && is_before(&loop->calls[child + 1], &loop->calls[child]))
            child++;
        if (!is_before(&loop->calls[child], &call))
            break;
        heap_set(loop, slot, loop->calls[child]);
    }
    heap_set(loop, slot, call);
}

static void heap_add(struct loop *loop, int64_t delay_ms, loop_fn fn, void *user, struct loop_timer *timer)
{
    struct call call = {
        .fn = fn, .user = user, .due_ms = loop->now_ms + delay_ms, .order = loop->order++, .timer = timer};
    *add(loop) = call;
    heap_settle(loop, loop->count - 1, call);
}

static struct call heap_take(struct loop *loop, size_t slot)
{
    struct call taken = loop->calls[slot], last = loop->calls[--loop->count];
    if (slot < loop->count)
        heap_settle(loop, slot, last);
    return taken;
}

/* ---- calls posted to the libuv loop */

static bool run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->running = loop->calls;
    loop->running_count = loop->count;
    loop->calls = NULL;
    loop->count = loop->cap = 0;
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < loop->running_count; i++)
        if (loop->running[i].fn != NULL)
            loop->running[i].fn(loop->running[i].user);
    bool any = loop->running_count > 0;
    free(loop->running);
    loop->running = NULL;
    loop->running_count = 0;
    return any;
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    (void)run_posted(loop);
    pthread_mutex_lock(&loop->lock);
    bool stop = loop->stop && loop->count == 0;
    pthread_mutex_unlock(&loop->lock);
    if (stop)
        uv_stop(&loop->uv);
}

static void forget(struct call *calls, size_t count, loop_fn fn, const void *user)
{
    for (size_t i = 0; i < count; i++)
        if (calls[i].fn == fn && calls[i].user == user)
            calls[i].fn = NULL;
}

void loop_unpost(struct loop *loop, loop_fn fn, void *user)
{
    if (loop->is_virtual) {
        for (size_t i = 0; i < loop->count;)
            if (loop->calls[i].timer == NULL && loop->calls[i].fn == fn && loop->calls[i].user == user) {
                (void)heap_take(loop, i);
                i = 0; /* the heap was moved about */
            } else {
                i++;
            }
        return;
    }
    forget(loop->running, loop->running_count, fn, user);
    pthread_mutex_lock(&loop->lock);
    forget(loop->calls, loop->count, fn, user);
    pthread_mutex_unlock(&loop->lock);
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
    while (run_posted(loop)) /* a timer of libuv's last round may have posted */
        ;
    pthread_mutex_lock(&loop->lock);
    loop->stop = false;
    pthread_mutex_unlock(&loop->lock);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    if (!loop->is_virtual) /* that one never runs by itself */
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
    heap_add(loop, delay_ms, fn, user, NULL);
}

void loop_post(struct loop *loop, loop_fn fn, void *user)
{
    if (loop->is_virtual) {
        loop_virtual_post_at(loop, 0, fn, user);
        return;
    }
    pthread_mutex_lock(&loop->lock);
    *add(loop) = (struct call){.fn = fn, .user = user};
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
    if (timer->armed)
        (void)heap_take(timer->loop, timer->slot);
    timer->armed = false;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    struct loop *loop = timer->loop;
    if (loop->is_virtual) {
        virtual_disarm(timer);
        if (delay_ms >= 0) {
            timer->armed = true;
            heap_add(loop, delay_ms, timer->fn, timer->user, timer);
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
    if (loop->count == 0 || loop->calls[0].due_ms > until_ms) {
        loop->now_ms = until_ms > loop->now_ms ? until_ms : loop->now_ms;
        return false;
    }
    struct call call = heap_take(loop, 0);
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
