/* The sessions that read: how many there are, who gets one, when they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/readers.h"
#include "store/store_int.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static atomic_int opened, closed, at_once, most_at_once;
static bool refuse;
static int64_t now_us;

static enum err open_one(void *user, struct store_session **ret, struct error *reterr)
{
    (void)user;
    if (refuse)
        return error_set(reterr, ERR_STORE_BUSY, NULL, "The database cannot be reached.");
    opened++;
    *ret = mem_alloc(sizeof **ret);
    return ERR_OK;
}

static void close_one(void *user, struct store_session *session)
{
    (void)user;
    closed++;
    free(session);
}

static int64_t told_now_us(void)
{
    return now_us;
}

static struct readers *make(size_t most)
{
    opened = closed = at_once = most_at_once = 0;
    refuse = false;
    now_us = 0;
    return readers_new(&(struct readers_options){
        .most = most, .open = open_one, .close = close_one, .wait_ms = 400, .now_us = told_now_us});
}

static struct store_session *take(struct readers *readers)
{
    struct store_session *session = NULL;
    struct error error;
    assert_int_equal(readers_take(readers, &session, &error), ERR_OK);
    assert_non_null(session);
    return session;
}

static void test_takes_first_what_was_given_back_last(void **state)
{
    (void)state;
    struct readers *readers = make(3);
    struct store_session *a = take(readers), *b = take(readers);
    readers_give(readers, a);
    readers_give(readers, b);
    assert_ptr_equal(take(readers), b);
    assert_ptr_equal(take(readers), a);
    assert_int_equal(opened, 2);
    readers_give(readers, a);
    readers_give(readers, b);
    readers_free(readers);
    assert_int_equal(closed, 2);
}

static void test_there_are_never_more_than_the_most(void **state)
{
    (void)state;
    struct readers *readers = make(2);
    struct store_session *a = take(readers), *b = take(readers), *c = NULL;
    struct error error;
    assert_int_equal(readers_take(readers, &c, &error), ERR_STORE_BUSY);
    assert_string_equal(error.message, "All 2 read sessions of the store are in use.");
    readers_give(readers, a);
    assert_ptr_equal(take(readers), a);
    readers_give(readers, a);
    readers_give(readers, b);
    readers_free(readers);
}

static void test_one_that_cannot_be_opened_takes_no_place(void **state)
{
    (void)state;
    struct readers *readers = make(1);
    struct store_session *session = NULL;
    struct error error;
    refuse = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(readers_take(readers, &session, &error), ERR_STORE_BUSY);
    assert_string_equal(error.message, "The database cannot be reached.");
    refuse = false;
    readers_give(readers, take(readers));
    readers_free(readers);
}

/* Three were needed in the first minute, one in the second: the other two are closed, and not the one in use. */
static void test_what_a_minute_had_no_use_for_is_closed(void **state)
{
    (void)state;
    struct readers *readers = make(4);
    struct store_session *three[] = {take(readers), take(readers), take(readers)};
    for (size_t i = 0; i < 3; i++)
        readers_give(readers, three[i]);
    now_us = INT64_C(1000) * READERS_LOOK_MS;
    readers_give(readers, take(readers));
    assert_int_equal(closed, 0);
    for (int i = 0; i < 5; i++)
        readers_give(readers, take(readers));
    now_us *= 2;
    struct store_session *used = take(readers);
    assert_ptr_equal(used, three[2]);
    readers_give(readers, used);
    assert_int_equal(closed, 2);
    assert_ptr_equal(take(readers), used);
    struct store_session *another = take(readers);
    assert_int_equal(opened, 4);
    readers_give(readers, another);
    readers_give(readers, used);
    readers_free(readers);
    assert_int_equal(closed, 4);
}

static void *use(void *arg)
{
    struct readers *readers = arg;
    for (int i = 0; i < 500; i++) {
        struct store_session *session = NULL;
        struct error error;
        if (readers_take(readers, &session, &error) != ERR_OK)
            continue; /* the machine stands still for others */
        int now = ++at_once, most = most_at_once;
        while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now)) {
        }
        session->whole++; /* nobody else has it */
        at_once--;
        readers_give(readers, session);
    }
    return NULL;
}

static void test_threads_share_them(void **state)
{
    (void)state;
    enum { THREADS = 16, MOST = 4 };
    struct readers *readers = make(MOST);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, readers), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(most_at_once, 1, MOST);
    assert_in_range(opened, 1, MOST);
    readers_free(readers);
    assert_int_equal(closed, opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_first_what_was_given_back_last),
        cmocka_unit_test(test_there_are_never_more_than_the_most),
        cmocka_unit_test(test_one_that_cannot_be_opened_takes_no_place),
        cmocka_unit_test(test_what_a_minute_had_no_use_for_is_closed),
        cmocka_unit_test(test_threads_share_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
