/* The pool: a queue, a condition, threads. */
#include "worker/pool.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>

struct job {
    struct job *next;
    struct loop *loop;
    loop_fn work, after;
    void *user;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct job *first, **last;
    bool stop;
    unsigned threads;
    pthread_t ids[];
};

static void *pool_thread(void *user)
{
    struct pool *pool = user;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct job *job = pool->first;
        if (job == NULL) {
            if (pool->stop)
                break;
            pthread_cond_wait(&pool->ready, &pool->lock);
            continue;
        }
        pool->first = job->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pthread_mutex_unlock(&pool->lock);
        job->work(job->user);
        if (job->loop != NULL)
            loop_post(job->loop, job->after, job->user);
        free(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(unsigned threads)
{
    struct pool *pool = mem_alloc(sizeof *pool + threads * sizeof pool->ids[0]);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->ready, NULL);
    pool->last = &pool->first;
    pool->threads = threads;
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&pool->ids[i], NULL, pool_thread, pool) != 0)
            abort();
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->ready);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++)
        pthread_join(pool->ids[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->ready);
    free(pool);
}

void pool_submit(struct pool *pool, struct loop *loop, loop_fn work, loop_fn after, void *user)
{
    struct job *job = mem_alloc(sizeof *job);
    *job = (struct job){.loop = loop, .work = work, .after = after, .user = user};
    pthread_mutex_lock(&pool->lock);
    *pool->last = job;
    pool->last = &job->next;
    pthread_cond_signal(&pool->ready);
    pthread_mutex_unlock(&pool->lock);
}
