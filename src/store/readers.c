/* A stack of idle sessions, and who may open another. */
#include "store/readers.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_int.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct readers {
    struct readers_options options;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t changed;
    struct store_session *idle;
    size_t idle_count, open; /* open: idle ones, those that were taken, and the one that is being opened */
    bool opening;
    int64_t opened_us; /* the latest */
    size_t idle_least; /* since looked_us */
    int64_t looked_us;
};

struct readers *readers_new(const struct readers_options *options)
{
    struct readers *readers = mem_alloc(sizeof *readers);
    pthread_condattr_t attributes;
    readers->options = *options;
    if (readers->options.wait_ms == 0)
        readers->options.wait_ms = READERS_WAIT_MS;
    if (readers->options.now_us == NULL)
        readers->options.now_us = clock_monotonic_us;
    readers->looked_us = readers->options.now_us();
    pthread_mutex_init(&readers->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&readers->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return readers;
}

static void close_all(struct readers *readers, struct store_session *list)
{
    for (struct store_session *session = list, *next; session != NULL; session = next) {
        next = session->next;
        readers->options.close(readers->options.user, session);
    }
}

void readers_free(struct readers *readers)
{
    if (readers == NULL)
        return;
    close_all(readers, readers->idle);
    pthread_mutex_destroy(&readers->lock);
    pthread_cond_destroy(&readers->changed);
    free(readers);
}

static struct store_session *pop(struct readers *readers)
{
    struct store_session *session = readers->idle;
    readers->idle = session->next;
    session->next = NULL;
    readers->idle_count--;
    if (readers->idle_count < readers->idle_least)
        readers->idle_least = readers->idle_count;
    return session;
}

static void wait_a_while(struct readers *readers)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += READERS_GROW_AFTER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(&readers->changed, &readers->lock, &until);
}

/* An idle one, or leave to open another (NULL). */
static enum err take_place(struct readers *readers, struct store_session **ret, struct error *reterr)
{
    int64_t began_us = clock_monotonic_us();
    while (readers->idle == NULL) {
        int64_t waited_ms = (clock_monotonic_us() - began_us) / 1000;
        bool rests = clock_monotonic_us() - readers->opened_us < INT64_C(1000) * READERS_GROW_REST_MS;
        bool may_open = readers->open < readers->options.most && !readers->opening && !rests;
        if (may_open && (readers->open == 0 || waited_ms >= READERS_GROW_AFTER_MS)) {
            readers->open++;
            readers->opening = true;
            *ret = NULL;
            return ERR_OK;
        }
        if (waited_ms >= readers->options.wait_ms)
            return error_set(reterr, ERR_STORE_BUSY, NULL, "All %zu read sessions of the store are in use.",
                             readers->options.most);
        wait_a_while(readers);
    }
    *ret = pop(readers);
    return ERR_OK;
}

static enum err open_another(struct readers *readers, struct store_session **ret, struct error *reterr)
{
    enum err code = readers->options.open(readers->options.user, ret, reterr);
    pthread_mutex_lock(&readers->lock);
    readers->opening = false;
    if (code == ERR_OK)
        readers->opened_us = clock_monotonic_us();
    else
        readers->open--; /* and whoever waits may try at once: what is refused costs the database nothing */
    pthread_cond_signal(&readers->changed);
    pthread_mutex_unlock(&readers->lock);
    return code;
}

enum err readers_take(struct readers *readers, struct store_session **ret, struct error *reterr)
{
    pthread_mutex_lock(&readers->lock);
    enum err code = take_place(readers, ret, reterr);
    pthread_mutex_unlock(&readers->lock);
    return code == ERR_OK && *ret == NULL ? open_another(readers, ret, reterr) : code;
}

/* Those at the bottom of the stack that were not taken since the last look. */
static struct store_session *cut_unused(struct readers *readers)
{
    int64_t now_us = readers->options.now_us();
    if (now_us - readers->looked_us < INT64_C(1000) * READERS_LOOK_MS)
        return NULL;
    struct store_session **at = &readers->idle, *unused;
    for (size_t keep = readers->idle_count - readers->idle_least; keep > 0; keep--)
        at = &(*at)->next;
    unused = *at;
    *at = NULL;
    readers->open -= readers->idle_least;
    readers->idle_count -= readers->idle_least;
    readers->idle_least = readers->idle_count;
    readers->looked_us = now_us;
    return unused;
}

void readers_give(struct readers *readers, struct store_session *session)
{
    pthread_mutex_lock(&readers->lock);
    session->next = readers->idle;
    readers->idle = session;
    readers->idle_count++;
    struct store_session *unused = cut_unused(readers);
    pthread_cond_signal(&readers->changed);
    pthread_mutex_unlock(&readers->lock);
    close_all(readers, unused);
}
