#include "gateway/http_watch.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_MS 250

struct http_watched {
    struct http_watched *prev, *next;
    int fd;
    atomic_int_fast64_t until_us;
};

struct http_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopped;
    struct http_watched *first;
};

static void look(struct http_watch *watch)
{
    int64_t now_us = clock_monotonic_us();
    for (struct http_watched *watched = watch->first; watched != NULL; watched = watched->next)
        if (atomic_load(&watched->until_us) <= now_us) {
            (void)shutdown(watched->fd, SHUT_RDWR);
            atomic_store(&watched->until_us, HTTP_WATCH_NEVER);
        }
}

static void *run(void *user)
{
    struct http_watch *watch = user;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopped) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (watch->first == NULL)
            pthread_cond_wait(&watch->wake, &watch->lock);
        else if (pthread_cond_timedwait(&watch->wake, &watch->lock, &until) == ETIMEDOUT)
            look(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

struct http_watch *http_watch_new(void)
{
    struct http_watch *watch = mem_alloc(sizeof *watch);
    pthread_condattr_t attributes;
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0)
        abort();
    return watch;
}

void http_watch_free(struct http_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stopped = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

struct http_watched *http_watch_add(struct http_watch *watch, int fd, int64_t until_us)
{
    struct http_watched *watched = mem_alloc(sizeof *watched);
    watched->fd = fd;
    atomic_init(&watched->until_us, until_us);
    pthread_mutex_lock(&watch->lock);
    watched->next = watch->first;
    if (watch->first != NULL)
        watch->first->prev = watched;
    else
        pthread_cond_signal(&watch->wake);
    watch->first = watched;
    pthread_mutex_unlock(&watch->lock);
    return watched;
}

void http_watch_set(struct http_watched *watched, int64_t until_us)
{
    atomic_store(&watched->until_us, until_us);
}

void http_watch_remove(struct http_watch *watch, struct http_watched *watched)
{
    pthread_mutex_lock(&watch->lock);
    *(watched->prev == NULL ? &watch->first : &watched->prev->next) = watched->next;
    if (watched->next != NULL)
        watched->next->prev = watched->prev;
    pthread_mutex_unlock(&watch->lock);
    free(watched);
}
