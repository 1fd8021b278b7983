/* The pool: every job once, no more at a time than threads, `after` on the loop's thread, freeing finishes the queue.
 */
#include "base/mem.h"
#include "worker/pool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define JOBS 3000
#define THREADS 4

struct crowd {
    struct loop *loop;
    struct pool *pool;
    pthread_t loop_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside, most_inside, done, left;
};

struct job {
    struct crowd *crowd;
    struct job *next;       /* submitted by this one's after */
    unsigned worked, after; /* plain on purpose: the pool must order them for the thread sanitizer */
};

static struct crowd *crowd_new(unsigned threads, unsigned jobs)
{
    struct crowd *c = mem_alloc(sizeof *c);
    *c = (struct crowd){.loop = loop_new(), .pool = pool_new(threads), .loop_thread = pthread_self(), .left = jobs};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    return c;
}

static void crowd_free(struct crowd *c)
{
    pool_free(c->pool);
    loop_free(c->loop);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void do_work(void *user)
{
    struct job *job = user;
    struct crowd *c = job->crowd;
    pthread_mutex_lock(&c->lock);
    c->inside++;
    c->most_inside = c->inside > c->most_inside ? c->inside : c->most_inside;
    pthread_mutex_unlock(&c->lock);
    job->worked++;
    pthread_mutex_lock(&c->lock);
    c->inside--;
    c->done++;
    pthread_mutex_unlock(&c->lock);
}

static void on_done(void *user)
{
    struct job *job = user;
    struct crowd *c = job->crowd;
    assert_true(pthread_equal(pthread_self(), c->loop_thread));
    assert_int_equal(job->worked, 1);
    job->after++;
    if (job->next != NULL)
        pool_submit(c->pool, c->loop, do_work, on_done, job->next);
    if (--c->left == 0)
        loop_stop(c->loop);
}

static void every_job_is_done_once_and_then_its_after(void **state)
{
    (void)state;
    struct crowd *c = crowd_new(THREADS, 2 * JOBS);
    struct job *jobs = mem_array(2 * JOBS, sizeof *jobs);
    for (int i = 0; i < 2 * JOBS; i++)
        jobs[i] = (struct job){.crowd = c, .next = i < JOBS ? &jobs[JOBS + i] : NULL};
    for (int i = 0; i < JOBS; i++)
        pool_submit(c->pool, c->loop, do_work, on_done, &jobs[i]);
    loop_run(c->loop);
    for (int i = 0; i < 2 * JOBS; i++) {
        assert_int_equal(jobs[i].worked, 1);
        assert_int_equal(jobs[i].after, 1);
    }
    assert_in_range(c->most_inside, 1, THREADS);
    crowd_free(c);
    free(jobs);
}

/* Each waits until all the threads are inside: it ends only if that many work at the same time. */
static void meet(void *user)
{
    struct job *job = user;
    struct crowd *c = job->crowd;
    pthread_mutex_lock(&c->lock);
    c->inside++;
    pthread_cond_broadcast(&c->changed);
    while (c->inside < THREADS)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    job->worked++;
}

static void as_many_work_at_once_as_there_are_threads(void **state)
{
    (void)state;
    struct crowd *c = crowd_new(THREADS, THREADS);
    struct job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.crowd = c};
        pool_submit(c->pool, c->loop, meet, on_done, &jobs[i]);
    }
    loop_run(c->loop);
    assert_int_equal(c->inside, THREADS);
    crowd_free(c);
}

struct line {
    unsigned next;
    bool wrong;
};

struct place {
    struct line *line;
    unsigned number;
};

static void take_turn(void *user)
{
    struct place *place = user;
    place->line->wrong |= place->line->next++ != place->number;
}

static void one_thread_keeps_the_order_and_free_finishes_the_queue(void **state)
{
    (void)state;
    struct pool *pool = pool_new(1);
    struct line line = {0};
    struct place *places = mem_array(JOBS, sizeof *places);
    for (unsigned i = 0; i < JOBS; i++) {
        places[i] = (struct place){&line, i};
        pool_submit(pool, NULL, take_turn, NULL, &places[i]); /* no loop: no after */
    }
    pool_free(pool);
    assert_int_equal(line.next, JOBS);
    assert_false(line.wrong);
    free(places);
}

struct submitter {
    struct crowd *crowd;
    struct job *jobs;
};

static void *submit_all(void *user)
{
    const struct submitter *s = user;
    for (int i = 0; i < JOBS; i++)
        pool_submit(s->crowd->pool, NULL, do_work, NULL, &s->jobs[i]);
    return NULL;
}

static void any_thread_may_submit(void **state)
{
    (void)state;
    struct crowd *c = crowd_new(2, 0);
    struct job *jobs = mem_array(THREADS * JOBS, sizeof *jobs);
    for (int i = 0; i < THREADS * JOBS; i++)
        jobs[i].crowd = c;
    struct submitter submitters[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){c, jobs + i * JOBS};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &submitters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pool_free(c->pool);
    c->pool = NULL;
    for (int i = 0; i < THREADS * JOBS; i++)
        assert_int_equal(jobs[i].worked, 1);
    assert_int_equal(c->done, THREADS * JOBS);
    assert_in_range(c->most_inside, 1, 2);
    crowd_free(c);
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_job_is_done_once_and_then_its_after),
                                       cmocka_unit_test(as_many_work_at_once_as_there_are_threads),
                                       cmocka_unit_test(one_thread_keeps_the_order_and_free_finishes_the_queue),
                                       cmocka_unit_test(any_thread_may_submit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
