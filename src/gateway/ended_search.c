/* One question at a time, on the store's writer thread: neither the loop nor a thread of the server waits for it. */
#include "gateway/ended_search.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>

struct ended_search {
    struct store *store;
    struct loop *loop;
    ended_search_fn on_ended;
    void *user;
    struct json *ids, *ended; /* ids: a question is under way */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool asked; /* the store has not answered yet; under the lock */
};

struct ended_search *ended_search_new(struct store *store, struct loop *loop, ended_search_fn on_ended, void *user)
{
    struct ended_search *search = mem_alloc(sizeof *search);
    *search = (struct ended_search){.store = store, .loop = loop, .on_ended = on_ended, .user = user};
    pthread_mutex_init(&search->lock, NULL);
    pthread_cond_init(&search->answered, NULL);
    return search;
}

static enum err read_ended(struct store_session *session, void *arg, struct error *reterr)
{
    struct ended_search *search = arg;
    json_unref(search->ended); /* of a former try */
    search->ended = NULL;
    return store_executions_ended(session, search->ids, &search->ended, reterr);
}

static void on_answered(void *user)
{
    struct ended_search *search = user;
    AUTO_JSON struct json *ended = search->ended;
    json_unref(search->ids);
    search->ids = search->ended = NULL;
    for (size_t i = 0; i < json_count(ended); i++)
        search->on_ended(search->user, json_at(ended, i));
}

/* On the store's writer thread. */
static void on_read(void *user, enum err code, const struct error *error)
{
    struct ended_search *search = user;
    (void)code; /* without an answer the next question asks again */
    (void)error;
    loop_post(search->loop, on_answered, search);
    pthread_mutex_lock(&search->lock);
    search->asked = false;
    pthread_cond_signal(&search->answered);
    pthread_mutex_unlock(&search->lock);
}

void ended_search_start(struct ended_search *search, struct json *take_ids)
{
    if (search->ids != NULL || json_count(take_ids) == 0) {
        json_unref(take_ids);
        return;
    }
    search->ids = take_ids;
    search->asked = true; /* nobody else looks before the store has it */
    store_write_async(search->store, read_ended, search, on_read, search);
}

void ended_search_free(struct ended_search *search)
{
    if (search == NULL)
        return;
    pthread_mutex_lock(&search->lock);
    while (search->asked)
        pthread_cond_wait(&search->answered, &search->lock);
    pthread_mutex_unlock(&search->lock);
    loop_unpost(search->loop, on_answered, search);
    json_unref(search->ids);
    json_unref(search->ended);
    pthread_mutex_destroy(&search->lock);
    pthread_cond_destroy(&search->answered);
    free(search);
}
