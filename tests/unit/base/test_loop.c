/* Both kinds of loop: order, timers, posts from other threads, readiness; the virtual clock against a sorted array. */
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the loop on a thread */

struct trace {
    struct loop *loop;
    struct loop_timer *timer, *other;
    char text[64];
    size_t len;
};

static void mark(struct trace *trace, char c)
{
    assert_true(trace->len + 1 < sizeof trace->text);
    trace->text[trace->len++] = c;
}

static void on_a(void *user)
{
    mark(user, 'a');
}

static void on_b(void *user)
{
    mark(user, 'b');
}

static void on_stop(void *user)
{
    struct trace *trace = user;
    mark(trace, 's');
    loop_stop(trace->loop);
}

static void on_stop_and_post(void *user)
{
    struct trace *trace = user;
    loop_stop(trace->loop);
    loop_post(trace->loop, on_a, trace);
}

static void posts_run_in_order_and_before_run_returns(void **state)
{
    (void)state;
    struct trace t = {.loop = loop_new()};
    loop_post(t.loop, on_a, &t);
    loop_post(t.loop, on_b, &t);
    loop_post(t.loop, on_stop_and_post, &t);
    loop_post(t.loop, on_b, &t);
    loop_run(t.loop);
    assert_string_equal(t.text, "abba");
    loop_post(t.loop, on_stop, &t); /* it may run again */
    loop_run(t.loop);
    assert_string_equal(t.text, "abbas");
    loop_stop(t.loop); /* before run: that returns at once, with what was posted done */
    loop_post(t.loop, on_b, &t);
    loop_run(t.loop);
    assert_string_equal(t.text, "abbasb");
    loop_free(t.loop);
}

static void on_forget_b(void *user)
{
    struct trace *t = user;
    loop_unpost(t->loop, on_b, t);
}

static void a_post_can_be_taken_back(void **state)
{
    (void)state;
    struct trace t = {.loop = loop_new()}, other = {.loop = t.loop};
    loop_post(t.loop, on_b, &t);
    loop_unpost(t.loop, on_b, &t); /* the loop stands still */
    loop_post(t.loop, on_forget_b, &t);
    loop_post(t.loop, on_b, &t); /* in the same round */
    loop_post(t.loop, on_b, &other);
    loop_post(t.loop, on_a, &t);
    loop_post(t.loop, on_stop, &t);
    loop_run(t.loop);
    assert_string_equal(t.text, "as");
    assert_string_equal(other.text, "b");
    loop_post(t.loop, on_a, &t);
    loop_free(t.loop); /* dropped */
    assert_string_equal(t.text, "as");
}

static void on_timer_posts_and_stops(void *user)
{
    struct trace *t = user;
    mark(t, 't');
    loop_stop(t->loop);
    loop_post(t->loop, on_a, t);
}

static void on_timer_frees_itself_and_the_other(void *user)
{
    struct trace *t = user;
    mark(t, 'f');
    loop_timer_free(t->timer);
    loop_timer_free(t->other);
    loop_stop(t->loop);
}

static void timers_fire_once_in_order_replaced_and_disarmed(void **state)
{
    (void)state;
    struct trace t = {.loop = loop_new()};
    struct loop_timer *a = loop_timer_new(t.loop, on_a, &t), *b = loop_timer_new(t.loop, on_b, &t),
                      *stop = loop_timer_new(t.loop, on_timer_posts_and_stops, &t);
    loop_timer_set(a, 0);
    loop_timer_set(a, 2); /* replaces */
    loop_timer_set(b, 0);
    loop_timer_set(b, -1); /* disarms */
    int64_t before_us = loop_monotonic_us(t.loop), wall_ms = loop_now_ms(t.loop);
    loop_timer_set(stop, 20);
    loop_run(t.loop);
    assert_string_equal(t.text, "ata");
    assert_true(loop_monotonic_us(t.loop) > before_us);
    assert_true(loop_now_ms(t.loop) >= wall_ms);
    loop_timer_set(b, 0);
    loop_timer_free(b); /* never fires after */
    loop_timer_set(stop, 0);
    loop_run(t.loop);
    assert_string_equal(t.text, "atata");
    loop_timer_free(a);
    loop_timer_free(stop);
    loop_timer_free(NULL);
    t.timer = loop_timer_new(t.loop, on_timer_frees_itself_and_the_other, &t);
    t.other = loop_timer_new(t.loop, on_b, &t);
    loop_timer_set(t.timer, 0);
    loop_timer_set(t.other, 0);
    loop_run(t.loop);
    assert_string_equal(t.text, "atataf");
    loop_free(t.loop);
}

struct pipe_watch {
    struct loop *loop;
    struct loop_watch *watch;
    int fds[2], events_seen;
    char got;
};

static void on_ready(void *user, int fd, int events)
{
    struct pipe_watch *p = user;
    p->events_seen |= events;
    if (events & 1) {
        assert_int_equal(fd, p->fds[0]);
        assert_int_equal(read(fd, &p->got, 1), 1);
        loop_stop(p->loop);
    }
}

static void on_writable(void *user, int fd, int events)
{
    struct pipe_watch *p = user;
    assert_int_equal(fd, p->fds[1]);
    assert_int_equal(events, 2);
    assert_int_equal(write(fd, "x", 1), 1);
    loop_watch_free(p->watch);
    p->watch = NULL;
}

static void descriptors_are_watched(void **state)
{
    (void)state;
    struct pipe_watch p = {.loop = loop_new()};
    assert_int_equal(pipe(p.fds), 0);
    struct loop_watch *reader = loop_watch_new(p.loop, p.fds[0], 0, on_ready, &p);
    loop_watch_set(reader, 1);
    p.watch = loop_watch_new(p.loop, p.fds[1], 2, on_writable, &p);
    loop_run(p.loop);
    assert_int_equal(p.got, 'x');
    assert_int_equal(p.events_seen, 1);
    assert_null(p.watch);
    loop_watch_free(reader);
    loop_watch_free(NULL);
    loop_free(p.loop);
    (void)close(p.fds[0]);
    (void)close(p.fds[1]);
}

#define POSTS 2000
#define POSTERS 3
struct poster {
    struct loop *loop;
    unsigned sent, seen, *left;
    struct post {
        struct poster *poster;
        unsigned number;
    } posts[POSTS];
};

static void on_numbered(void *user)
{
    struct post *post = user;
    assert_int_equal(post->number, post->poster->seen); /* in order per caller */
    post->poster->seen++;
    if (--*post->poster->left == 0)
        loop_stop(post->poster->loop);
}

static void *post_all(void *user)
{
    struct poster *poster = user;
    for (unsigned i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct post){poster, i};
        loop_post(poster->loop, on_numbered, &poster->posts[i]);
    }
    return NULL;
}

static void posts_of_other_threads_all_arrive(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct poster *posters = mem_array(POSTERS, sizeof *posters);
    pthread_t threads[POSTERS];
    unsigned left = POSTS * POSTERS;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        posters[i].left = &left;
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(posters[i].seen, POSTS);
    }
    free(posters);
    loop_free(loop);
}

/* ---- the virtual loop */

static void the_virtual_clock_moves_only_in_steps(void **state)
{
    (void)state;
    struct trace t = {.loop = loop_virtual_new(1000)};
    struct loop_timer *timer = loop_timer_new(t.loop, on_b, &t);
    loop_timer_set(timer, 50);
    loop_virtual_post_at(t.loop, 20, on_a, &t);
    loop_post(t.loop, on_stop_and_post, &t); /* stop means nothing here; the post runs in a later step */
    assert_int_equal(loop_now_ms(t.loop), 1000);
    assert_true(loop_virtual_step(t.loop, 1030));
    assert_true(loop_virtual_step(t.loop, 1030));
    assert_string_equal(t.text, "a");
    assert_int_equal(loop_now_ms(t.loop), 1000);
    assert_true(loop_virtual_step(t.loop, 1030));
    assert_int_equal(loop_now_ms(t.loop), 1020);
    assert_false(loop_virtual_step(t.loop, 1030));
    assert_int_equal(loop_now_ms(t.loop), 1030);
    assert_string_equal(t.text, "aa");
    loop_virtual_jump(t.loop, -500); /* a wall clock set back does not hold timers up */
    assert_int_equal(loop_now_ms(t.loop), 530);
    assert_int_equal(loop_monotonic_us(t.loop), 1030000);
    assert_true(loop_virtual_step(t.loop, 1050));
    assert_string_equal(t.text, "aab");
    assert_int_equal(loop_monotonic_us(t.loop), 1050000);
    assert_false(loop_virtual_step(t.loop, 1040)); /* time does not go back */
    assert_int_equal(loop_monotonic_us(t.loop), 1050000);
    loop_timer_set(timer, 10);
    loop_post(t.loop, on_a, &t);
    loop_unpost(t.loop, on_a, &t);
    loop_timer_free(timer);
    assert_false(loop_virtual_step(t.loop, 9999));
    loop_free(t.loop);
}

#define TIMERS 60
struct model {
    struct loop *loop;
    struct rng rng;
    struct slot {
        struct model *model;
        struct loop_timer *timer;
        int64_t due_ms; /* < 0: not armed */
        uint64_t order;
    } slots[TIMERS], posts[TIMERS]; /* posts: each at most once at a time */
    uint64_t order;
    struct slot *expected;
    unsigned fired;
};

static void consider(struct slot *slot, struct slot **best)
{
    if (slot->due_ms >= 0 && (*best == NULL || slot->due_ms < (*best)->due_ms ||
                              (slot->due_ms == (*best)->due_ms && slot->order < (*best)->order)))
        *best = slot;
}

static void on_slot(void *user)
{
    struct slot *slot = user;
    struct model *m = slot->model;
    assert_ptr_equal(slot, m->expected);
    assert_int_equal(loop_now_ms(m->loop), slot->due_ms);
    slot->due_ms = -1;
    m->fired++;
}

static void change(struct model *m)
{
    struct slot *timer = &m->slots[rng_below(&m->rng, TIMERS)], *post = &m->posts[rng_below(&m->rng, TIMERS)];
    int64_t delay_ms = (int64_t)rng_below(&m->rng, 40), now_ms = loop_now_ms(m->loop);
    switch (rng_below(&m->rng, 6)) {
    case 0:
        loop_timer_set(timer->timer, -1);
        timer->due_ms = -1;
        break;
    case 1:
        loop_timer_free(timer->timer);
        timer->timer = loop_timer_new(m->loop, on_slot, timer);
        timer->due_ms = -1;
        break;
    case 2:
        if (post->due_ms < 0) {
            loop_virtual_post_at(m->loop, delay_ms, on_slot, post);
            *post = (struct slot){.model = m, .due_ms = now_ms + delay_ms, .order = m->order++};
        }
        break;
    case 3:
        if (rng_below(&m->rng, 4) == 0) {
            loop_unpost(m->loop, on_slot, post);
            post->due_ms = -1;
        }
        break;
    default:
        loop_timer_set(timer->timer, delay_ms);
        timer->due_ms = now_ms + delay_ms;
        timer->order = m->order++;
    }
}

static void virtual_calls_come_by_time_then_arrival(void **state)
{
    (void)state;
    struct model m = {.loop = loop_virtual_new(0), .rng = {.state = 3}};
    for (int i = 0; i < TIMERS; i++) {
        m.slots[i] = (struct slot){.model = &m, .due_ms = -1};
        m.slots[i].timer = loop_timer_new(m.loop, on_slot, &m.slots[i]);
        m.posts[i] = (struct slot){.model = &m, .due_ms = -1};
    }
    for (int step = 0; step < 20000; step++) {
        for (uint64_t n = rng_below(&m.rng, 4); n > 0; n--)
            change(&m);
        m.expected = NULL;
        for (int i = 0; i < TIMERS; i++) {
            consider(&m.slots[i], &m.expected);
            consider(&m.posts[i], &m.expected);
        }
        int64_t until_ms = loop_now_ms(m.loop) + (int64_t)rng_below(&m.rng, 5);
        bool due = m.expected != NULL && m.expected->due_ms <= until_ms;
        unsigned fired = m.fired;
        assert_int_equal(loop_virtual_step(m.loop, until_ms), due);
        assert_int_equal(m.fired, fired + due);
    }
    assert_true(m.fired > 5000);
    for (int i = 0; i < TIMERS; i++)
        loop_timer_free(m.slots[i].timer);
    loop_free(m.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(posts_run_in_order_and_before_run_returns),
                                       cmocka_unit_test(a_post_can_be_taken_back),
                                       cmocka_unit_test(timers_fire_once_in_order_replaced_and_disarmed),
                                       cmocka_unit_test(descriptors_are_watched),
                                       cmocka_unit_test(posts_of_other_threads_all_arrive),
                                       cmocka_unit_test(the_virtual_clock_moves_only_in_steps),
                                       cmocka_unit_test(virtual_calls_come_by_time_then_arrival)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
