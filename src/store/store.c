/* Group commit: a queue of writes, and the writer that takes all that wait into one transaction. */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "json/json.h"
#include "store/readers.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READERS_MAX = 64, TRIES_MAX = 4, REST_MOST_US = 10000, REST_BELOW = 32 };

struct write {
    struct write *next;
    store_write_fn fn;
    void *arg;
    store_done_fn done; /* NULL: somebody waits for `finished` */
    void *user;
    sem_t finished;
    enum err code;
    struct error error;
};

struct store {
    const struct store_backend_ops *ops;
    struct store_backend *backend;
    struct store_session *writer;
    uint64_t transactions; /* writer's thread */
    size_t max_batch;
    bool manual, read_only;
    struct readers *readers;

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t wake;  /* of the writer */
    struct write *head, **tail;
    bool stopping;
    enum store_fault (*fault)(void *user);
    void *fault_user;

    pthread_mutex_t counts_lock; /* the next two */
    struct json *counts;
    int64_t counts_until_us;
    struct totals *totals;

    pthread_t thread;
    atomic_size_t pending;
    atomic_int_least64_t commits, writes, failed_commits;
};

static const struct store_backend_ops *const backends[] = {&store_sqlite_ops, &store_postgres_ops,
                                                           &store_postgres_short_ops};

/* ---- one batch */

static enum store_fault ask_fault(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    enum store_fault (*fault)(void *) = store->fault;
    void *user = store->fault_user;
    pthread_mutex_unlock(&store->lock);
    return fault == NULL ? STORE_FAULT_NONE : fault(user);
}

static enum err commit_or_fault(struct store *store, bool *ret_injected, struct error *error)
{
    enum store_fault fault = ask_fault(store);
    *ret_injected = fault != STORE_FAULT_NONE;
    if (fault == STORE_FAULT_NONE || fault == STORE_FAULT_UNKNOWN_COMMITTED) {
        enum err code = store->ops->commit(store->writer, error);
        if (code != ERR_OK || fault == STORE_FAULT_NONE)
            return code;
        return error_set(error, ERR_STORE_UNKNOWN, NULL, "The store did not say whether it committed.");
    }
    store->ops->rollback(store->writer);
    if (fault == STORE_FAULT_FULL)
        return error_set(error, ERR_STORE_FULL, NULL, "The store's disk is full.");
    if (fault == STORE_FAULT_UNKNOWN_LOST)
        return error_set(error, ERR_STORE_UNKNOWN, NULL, "The store did not say whether it committed.");
    return error_set(error, ERR_STORE_BUSY, NULL, "The store refused the commit.");
}

static void fail_write(struct write *write, const struct error *error)
{
    write->code = error->code;
    write->error = *error;
}

static void fail_all(struct write *from, const struct error *error, bool even_failed)
{
    for (struct write *w = from; w != NULL; w = w->next)
        if (even_failed || w->code == ERR_OK)
            fail_write(w, error);
}

static enum err begin(struct store *store, enum store_transaction kind, struct error *error)
{
    enum err code = store->ops->begin(store->writer, kind, error);
    store->writer->writable = code == ERR_OK;
    store->writer->whole = kind == STORE_TRANSACTION_DEFERRED ? ++store->transactions : 0;
    return code;
}

static void run_one(struct store *store, struct write *write)
{
    write->error = (struct error){0};
    write->code = write->fn(store->writer, write->arg, &write->error);
    if (write->code != ERR_OK && write->error.code != write->code)
        (void)error_set(&write->error, write->code, NULL, "%s", error_text(write->code));
}

static enum err finish(struct store *store, bool *ret_injected, struct error *error)
{
    enum err code = commit_or_fault(store, ret_injected, error);
    store->writer->writable = false;
    if (code == ERR_OK)
        store->commits++;
    else
        store->failed_commits++;
    return code;
}

/* true: it failed of something that passes, and changed nothing. */
static bool run_once_alone(struct store *store, struct write *w)
{
    struct error error = {0};
    bool injected = false;
    if (begin(store, STORE_TRANSACTION_EXACT, &error) != ERR_OK) {
        fail_write(w, &error);
        return false;
    }
    run_one(store, w);
    if (w->code == ERR_OK) {
        if (finish(store, &injected, &error) == ERR_OK)
            return false;
        fail_write(w, &error);
        return !injected && store->ops->again(store->writer);
    }
    store->ops->rollback(store->writer);
    store->writer->writable = false;
    return store->ops->again(store->writer);
}

/* Third and last way: each write in a transaction of its own, so that on a nearly full disk what fits still goes in. */
static void run_alone(struct store *store, struct write *first)
{
    for (struct write *w = first; w != NULL; w = w->next)
        for (int i = 0; i < TRIES_MAX && run_once_alone(store, w); i++) {
        }
}

enum outcome { BATCH_DONE, BATCH_AGAIN };

/* A write that fails by itself is undone alone; what breaks the transaction asks for another way. */
static enum outcome run_members(struct store *store, struct write *first, bool savepoints)
{
    const struct store_backend_ops *ops = store->ops;
    for (struct write *w = first; w != NULL; w = w->next) {
        struct error error = {0};
        if (savepoints && ops->savepoint(store->writer, &error) != ERR_OK)
            return BATCH_AGAIN;
        run_one(store, w);
        if (!ops->in_transaction(store->writer) || (w->code != ERR_OK && !savepoints))
            return BATCH_AGAIN;
        if (savepoints && (w->code == ERR_OK ? ops->savepoint_release(store->writer, &error)
                                             : ops->savepoint_rollback(store->writer, &error)) != ERR_OK)
            return BATCH_AGAIN;
    }
    return BATCH_DONE;
}

static enum outcome run_together(struct store *store, struct write *first, bool savepoints)
{
    struct error error = {0};
    bool injected = false;
    if (begin(store, savepoints ? STORE_TRANSACTION_EXACT : STORE_TRANSACTION_DEFERRED, &error) != ERR_OK) {
        fail_all(first, &error, true);
        return BATCH_DONE;
    }
    if (run_members(store, first, savepoints) == BATCH_AGAIN || store->ops->settle(store->writer, &error) != ERR_OK) {
        store->ops->rollback(store->writer);
        store->writer->writable = false;
        return BATCH_AGAIN;
    }
    enum err code = finish(store, &injected, &error);
    if (code == ERR_STORE_FULL && !injected && first->next != NULL)
        return BATCH_AGAIN;
    if (code != ERR_OK)
        fail_all(first, &error, false);
    return BATCH_DONE;
}

/* With the writer's lost connection or a deadlock the same way is tried again; a write that fails asks for another. */
static void run_batch(struct store *store, struct write *first)
{
    bool together = first->next != NULL;
    if (!together && !store->ops->defers) {
        run_alone(store, first);
        return;
    }
    for (int i = 0; i < TRIES_MAX; i++) {
        if (run_together(store, first, false) == BATCH_DONE)
            return;
        if (!store->ops->again(store->writer))
            break;
    }
    if (!together || run_together(store, first, true) == BATCH_AGAIN)
        run_alone(store, first);
}

static void answer(struct store *store, struct write *first)
{
    for (struct write *w = first, *next; w != NULL; w = next) {
        next = w->next;
        store->writes++;
        store->pending--;
        if (w->done == NULL) {
            sem_post(&w->finished); /* w may be gone from here on */
            continue;
        }
        w->done(w->user, w->code, w->code == ERR_OK ? NULL : &w->error);
        free(w);
    }
}

/* With the lock held. */
static struct write *take_batch(struct store *store)
{
    struct write *first = store->head, *last = first;
    if (first == NULL)
        return NULL;
    for (size_t n = 1; n < store->max_batch && last->next != NULL; n++)
        last = last->next;
    store->head = last->next;
    if (store->head == NULL)
        store->tail = &store->head;
    last->next = NULL;
    return first;
}

static size_t count_batch(const struct write *first)
{
    size_t n = 0;
    for (; first != NULL; first = first->next)
        n++;
    return n;
}

/* What a transaction costs a database hardly depends on how few rows are in it, and others want the database, too.
 * After one that some writes shared, but not many, the writer rests for as long as it took, and finds more of them. Who
 * writes alone waits for nothing. */
static void rest(const struct store *store, size_t together, int64_t took_us)
{
    if (store->ops->is_shared && together > 1 && together < REST_BELOW)
        (void)usleep((useconds_t)(took_us < REST_MOST_US ? took_us : REST_MOST_US));
}

static void *writer_main(void *arg)
{
    struct store *store = arg;
    for (;;) {
        pthread_mutex_lock(&store->lock);
        while (store->head == NULL && !store->stopping)
            pthread_cond_wait(&store->wake, &store->lock);
        struct write *batch = take_batch(store);
        pthread_mutex_unlock(&store->lock);
        if (batch == NULL)
            return NULL;
        int64_t began_us = clock_monotonic_us();
        size_t together = count_batch(batch);
        run_batch(store, batch);
        answer(store, batch);
        rest(store, together, clock_monotonic_us() - began_us);
    }
}

size_t store_pump(struct store *store)
{
    if (!store->manual)
        return 0;
    pthread_mutex_lock(&store->lock);
    struct write *batch = take_batch(store);
    pthread_mutex_unlock(&store->lock);
    size_t n = count_batch(batch);
    if (batch != NULL) {
        run_batch(store, batch);
        answer(store, batch);
    }
    return n;
}

/* ---- asking for writes */

/* A store for reading only has nobody who would answer. */
static enum err refuse_write(const struct store *store, struct error *reterr)
{
    return store->read_only ? error_set(reterr, ERR_INTERNAL, NULL, "The store was opened for reading only.") : ERR_OK;
}

static void enqueue(struct store *store, struct write *write)
{
    store->pending++;
    pthread_mutex_lock(&store->lock);
    *store->tail = write;
    store->tail = &write->next;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

enum err store_write(struct store *store, store_write_fn fn, void *arg, struct error *reterr)
{
    struct write write = {.fn = fn, .arg = arg};
    enum err refused = refuse_write(store, reterr);
    if (refused != ERR_OK)
        return refused;
    sem_init(&write.finished, 0, 0);
    enqueue(store, &write);
    if (store->manual)
        while (sem_trywait(&write.finished) != 0)
            (void)store_pump(store);
    else
        while (sem_wait(&write.finished) != 0 && errno == EINTR) {
        }
    sem_destroy(&write.finished);
    if (write.code != ERR_OK && reterr != NULL)
        *reterr = write.error;
    return write.code;
}

void store_write_async(struct store *store, store_write_fn fn, void *arg, store_done_fn done, void *user)
{
    struct error error = {0};
    if (refuse_write(store, &error) != ERR_OK) {
        done(user, error.code, &error);
        return;
    }
    struct write *write = mem_alloc(sizeof *write);
    write->fn = fn;
    write->arg = arg;
    write->done = done;
    write->user = user;
    enqueue(store, write);
}

size_t store_pending(const struct store *store)
{
    return store->pending;
}

/* ---- read sessions */

enum err store_read_begin(struct store *store, struct store_session **ret, struct error *reterr)
{
    if (store->manual) { /* one thread, one connection: what it reads is what is committed */
        *ret = store->writer;
        return ERR_OK;
    }
    struct store_session *session = NULL;
    enum err code = readers_take(store->readers, &session, reterr);
    if (code != ERR_OK)
        return code;
    session->totals = store->totals;
    code = store->ops->begin(session, STORE_TRANSACTION_READ, reterr);
    if (code != ERR_OK) {
        readers_give(store->readers, session);
        return code;
    }
    *ret = session;
    return ERR_OK;
}

void store_read_end(struct store *store, struct store_session *session)
{
    if (session == NULL || store->manual)
        return;
    store->ops->rollback(session);
    readers_give(store->readers, session);
}

/* ---- opening, closing, watching */

static const struct store_backend_ops *find_backend(const char *url)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strncmp(url, backends[i]->scheme, strlen(backends[i]->scheme)) == 0)
            return backends[i];
    return NULL;
}

static enum err open_reader(void *user, struct store_session **ret, struct error *reterr)
{
    struct store *store = user;
    return store->ops->session_open(store->backend, false, ret, reterr);
}

static void close_reader(void *user, struct store_session *session)
{
    struct store *store = user;
    store->ops->session_close(session);
}

static void store_free(struct store *store)
{
    readers_free(store->readers);
    if (store->writer != NULL)
        store->ops->session_close(store->writer);
    if (store->backend != NULL)
        store->ops->close(store->backend);
    json_unref(store->counts);
    totals_free(store->totals);
    pthread_mutex_destroy(&store->counts_lock);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->wake);
    free(store);
}

enum err store_open(const char *url, const struct store_options *options, struct store **ret, struct error *reterr)
{
    static const struct store_options defaults = {0};
    options = options == NULL ? &defaults : options;
    const struct store_backend_ops *ops = find_backend(url);
    if (ops == NULL)
        return error_set(reterr, ERR_VALIDATION, "url",
                         "The store's URL must start with sqlite: (such as sqlite:caudal.db) or postgresql:// (such as "
                         "postgresql://caudal@127.0.0.1:5432/caudal).");
    struct store *store = mem_alloc(sizeof *store);
    store->ops = ops;
    store->manual = options->manual;
    store->read_only = options->read_only;
    store->readers =
        readers_new(&(struct readers_options){.most = options->max_readers == 0 ? READERS_MAX : options->max_readers,
                                              .open = open_reader,
                                              .close = close_reader,
                                              .user = store});
    store->max_batch = options->max_batch == 0 ? LIMIT_BATCH : options->max_batch;
    store->tail = &store->head;
    store->totals = totals_new();
    pthread_mutex_init(&store->counts_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->wake, NULL);
    enum err code = ops->open(url, options, &store->backend, reterr);
    if (code == ERR_OK)
        code = ops->session_open(store->backend, true, &store->writer, reterr);
    if (code == ERR_OK && !store->manual && pthread_create(&store->thread, NULL, writer_main, store) != 0)
        code = error_set(reterr, ERR_IO, NULL, "The writer thread of the store cannot be started.");
    if (code != ERR_OK) {
        store_free(store);
        return code;
    }
    *ret = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->manual) {
        while (store_pump(store) > 0) {
        }
    } else {
        pthread_mutex_lock(&store->lock);
        store->stopping = true;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->thread, NULL);
    }
    store_free(store);
}

/* ---- counts that are asked for often */

/* Whoever comes meanwhile waits for the same answer: counts_lock is held. */
static enum err count_anew(struct store *store, struct error *reterr)
{
    struct store_session *session;
    struct json *fresh = NULL;
    int64_t began_us = clock_monotonic_us();
    enum err code = store_read_begin(store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = store_execution_counts(session, 0, &fresh, reterr);
    store_read_end(store, session);
    if (code != ERR_OK)
        return code;
    json_unref(store->counts);
    store->counts = fresh;
    store->counts_until_us = totals_until_us(began_us, clock_monotonic_us());
    return ERR_OK;
}

enum err store_counts(struct store *store, struct json **ret, struct error *reterr)
{
    pthread_mutex_lock(&store->counts_lock);
    enum err code = ERR_OK;
    if (store->counts == NULL || clock_monotonic_us() >= store->counts_until_us)
        code = count_anew(store, reterr);
    if (code == ERR_OK)
        *ret = json_dup(store->counts);
    pthread_mutex_unlock(&store->counts_lock);
    return code;
}

void store_stats(struct store *store, struct store_stats *ret)
{
    *ret = (struct store_stats){
        .commits = store->commits, .writes = store->writes, .failed_commits = store->failed_commits};
    store->ops->stats(store->backend, ret);
}

void store_set_fault_hook(struct store *store, enum store_fault (*hook)(void *user), void *user)
{
    pthread_mutex_lock(&store->lock);
    store->fault = hook;
    store->fault_user = user;
    pthread_mutex_unlock(&store->lock);
}
