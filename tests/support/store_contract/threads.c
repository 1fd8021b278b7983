/* The store's contract: several threads that write and read at once. cmocka's assertions belong to the test's thread,
 * so the threads note what went wrong and the test asserts it. */
#include "support/store_contract/fixture.h"

#include <pthread.h>

enum { WRITERS = 4, READERS = 2, EACH = 40 };

struct shared {
    struct fixture *f;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answered, writers_left; /* with the lock */
    char problem[256];          /* the first one */
};

struct worker {
    struct shared *shared;
    int number;
    pthread_t thread;
};

static void note(struct shared *shared, const char *what, const struct error *error)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->problem[0] == '\0')
        (void)snprintf(shared->problem, sizeof shared->problem, "%s: %.200s", what,
                       error == NULL ? "" : error->message);
    pthread_mutex_unlock(&shared->lock);
}

static void on_finished(void *user, enum err code, const struct error *error)
{
    struct worker *worker = *(struct worker **)user;
    if (code != ERR_OK)
        note(worker->shared, "finish", error);
    pthread_mutex_lock(&worker->shared->lock);
    worker->shared->answered++;
    pthread_cond_broadcast(&worker->shared->changed);
    pthread_mutex_unlock(&worker->shared->lock);
    free(user);
}

/* What a write needs until it is answered. */
struct finish_args {
    struct worker *worker; /* first: see on_finished */
    char id[40];
};

static enum err write_finish(struct store_session *s, void *arg, struct error *reterr)
{
    struct finish_args *args = arg;
    bool applied = false;
    struct store_finish end = {
        .status = RUN_SUCCESS, .started_ms = T0, .ended_ms = T0 + 5, .document_json = "{\"nodes\":[]}"};
    struct store_event event = {.kind = STORE_EVENT_FINISHED, .execution_id = args->id, .epoch = 1, .finish = &end};
    enum err code = store_event_apply(s, &event, &applied, reterr);
    return code == ERR_OK && !applied ? error_set(reterr, ERR_INTERNAL, "id", "the end of %s did not count", args->id)
                                      : code;
}

static void *writer(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    for (int i = 0; i < EACH; i++) {
        struct finish_args *args = mem_alloc(sizeof *args);
        struct error error = {0};
        args->worker = worker;
        (void)snprintf(args->id, sizeof args->id, "w%d-%04d", worker->number, i);
        struct store_execution row = {
            .id = args->id, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0 + i};
        if (store_write(shared->f->store, do_execution_insert, &row, &error) != ERR_OK)
            note(shared, "insert", &error);
        store_write_async(shared->f->store, write_finish, args, on_finished, args);
    }
    pthread_mutex_lock(&shared->lock);
    shared->writers_left--;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    return NULL;
}

/* Walks the whole list in one snapshot: as many rows as its total says, in order. */
static void walk(struct shared *shared, struct store_session *s)
{
    char last[40] = "";
    int64_t seen = 0, total = 0;
    AUTO_JSON struct json *filter = quoted("{'limit':50}");
    for (bool more = true; more;) {
        AUTO_JSON struct json *page = NULL;
        struct error error = {0};
        if (store_execution_list(s, filter, &page, &error) != ERR_OK) {
            note(shared, "list", &error);
            return;
        }
        total = json_get_int(json_get(page, "pagination"), "total", -1);
        for (size_t i = 0; i < json_count(json_get(page, "data")); i++, seen++) {
            const struct json *row = json_at(json_get(page, "data"), i);
            char place[40];
            (void)snprintf(place, sizeof place, "%s%.8s", json_get_str(row, "startTime") + 17, json_get_str(row, "id"));
            if (last[0] != '\0' && strcmp(place, last) >= 0)
                note(shared, "a row is out of order", NULL);
            memcpy(last, place, sizeof last);
        }
        const char *cursor = json_get_str(json_get(page, "pagination"), "nextCursor");
        more = cursor != NULL;
        if (more)
            json_set_str(filter, "cursor", cursor);
    }
    if (seen != total)
        note(shared, "a snapshot changed while it was read", NULL);
}

static void *reader(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    for (bool more = true; more;) {
        struct store_session *s = NULL;
        struct error error = {0};
        if (store_read_begin(shared->f->store, &s, &error) != ERR_OK) {
            note(shared, "read", &error);
            return NULL;
        }
        walk(shared, s);
        store_read_end(shared->f->store, s);
        pthread_mutex_lock(&shared->lock);
        more = shared->writers_left > 0;
        pthread_mutex_unlock(&shared->lock);
    }
    return NULL;
}

static void start(struct worker *workers, int count, struct shared *shared, void *(*body)(void *))
{
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.shared = shared, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
    }
}

static void join(struct worker *workers, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static void writes_and_reads_at_once(void **state)
{
    struct fixture *f = *state;
    if (f->contract->manual)
        return; /* one thread by definition */
    struct shared shared = {.f = f, .writers_left = WRITERS};
    struct worker writers[WRITERS], readers[READERS];
    pthread_mutex_init(&shared.lock, NULL);
    pthread_cond_init(&shared.changed, NULL);
    add_flow(f, F1, "orders", T0);
    start(readers, READERS, &shared, reader);
    start(writers, WRITERS, &shared, writer);
    join(writers, WRITERS);
    join(readers, READERS);
    pthread_mutex_lock(&shared.lock);
    while (shared.answered < WRITERS * EACH)
        pthread_cond_wait(&shared.changed, &shared.lock);
    pthread_mutex_unlock(&shared.lock);
    assert_string_equal(shared.problem, "");
    assert_int_equal(list_total(f, store_execution_list, "{'status':'success'}"), WRITERS * EACH);
    assert_int_equal(store_pending(f->store), 0);
    pthread_mutex_destroy(&shared.lock);
    pthread_cond_destroy(&shared.changed);
}

/* ---- one winner */

struct racer {
    struct fixture *f;
    pthread_barrier_t *barrier;
    struct store_execution row;
    char id[8];
    enum err code;
    pthread_t thread;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct error error = {0};
    (void)pthread_barrier_wait(racer->barrier);
    racer->code = store_write(racer->f->store, do_execution_insert, &racer->row, &error);
    return NULL;
}

static void expect_one_winner(struct fixture *f, const struct store_execution *row)
{
    struct racer racers[WRITERS];
    pthread_barrier_t barrier;
    int winners = 0;
    pthread_barrier_init(&barrier, NULL, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        struct racer *racer = &racers[i];
        *racer = (struct racer){.f = f, .barrier = &barrier, .row = *row};
        (void)snprintf(racer->id, sizeof racer->id, "%c%d", row->schedule_id == NULL ? 'k' : 's', i);
        racer->row.id = racer->id;
        assert_int_equal(pthread_create(&racer->thread, NULL, race, racer), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        assert_true(racers[i].code == ERR_OK || racers[i].code == ERR_CONFLICT);
        winners += racers[i].code == ERR_OK;
    }
    assert_int_equal(winners, 1);
    pthread_barrier_destroy(&barrier);
}

static void lets_one_of_many_win(void **state)
{
    struct fixture *f = *state;
    if (f->contract->manual)
        return;
    add_flow(f, F1, "orders", T0);
    add_schedule(f, S1, F1, "");
    struct store_execution row = {.flow_id = F1,
                                  .flow_version = 1,
                                  .trigger = "schedule",
                                  .created_ms = T0,
                                  .schedule_id = S1,
                                  .schedule_instant_ms = T0};
    expect_one_winner(f, &row);
    row = (struct store_execution){
        .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0, .idempotency_key = "k"};
    expect_one_winner(f, &row);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 2);
}

const struct CMUnitTest store_contract_threads[] = {
    CONTRACT_TEST(writes_and_reads_at_once),
    CONTRACT_TEST(lets_one_of_many_win),
    {0},
};
