/* The cache's contract on every back end: memory:, a Redis and a Redis Cluster that the test starts. Keys have a prefix
 * of their own in each test, so that a shared server may be used; instants are given, near the real one because a
 * server has its own clock. */
#include "base/clock.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "support/redis.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)64 << 10)
#define MINUTE INT64_C(60000)
#define THREADS 4

static const char *url;
static bool cluster;

struct fixture {
    struct cache *cache;
    int64_t now;
    char prefix[ID_TEXT_BYTES];
};

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    struct error error = {0};
    if (cache_open(url, cluster, MAX_BYTES, &f->cache, &error) != ERR_OK)
        fail_msg("%s", error.message);
    id_new(f->prefix);
    f->now = clock_now_ms();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cache_close(f->cache);
    free(f);
    return 0;
}

struct key {
    char text[96];
};

static struct key key_of(const struct fixture *f, const char *name, unsigned n)
{
    struct key key;
    (void)snprintf(key.text, sizeof key.text, "%s:%s:%u", f->prefix, name, n);
    return key;
}
#define KEY(name) key_of(f, name, 0).text

static void put(struct fixture *f, const char *name, const char *value, int64_t ttl_ms, int64_t at_ms)
{
    cache_put(f->cache, KEY(name), value, strlen(value), ttl_ms, f->now + at_ms);
}

/* value NULL: must not be there. */
static void expect(struct fixture *f, const char *name, int64_t at_ms, const char *value)
{
    struct buf buf;
    buf_init(&buf, 0);
    bool found = cache_get(f->cache, KEY(name), f->now + at_ms, &buf);
    if (value == NULL)
        assert_int_equal(buf.len, 0);
    assert_int_equal(found, value != NULL);
    assert_string_equal(buf_str(&buf), value == NULL ? "" : value);
    buf_done(&buf);
}

static void keeps_replaces_and_removes(void **state)
{
    struct fixture *f = *state;
    expect(f, "a", 0, NULL);
    put(f, "a", "one", 0, 0);
    put(f, "b", "other", 0, 0);
    expect(f, "a", 0, "one");
    put(f, "a", "a longer two", 0, 0);
    expect(f, "a", 0, "a longer two");
    cache_remove(f->cache, KEY("a"));
    expect(f, "a", 0, NULL);
    expect(f, "b", 0, "other");
    cache_remove(f->cache, KEY("a")); /* twice is no fault */
}

static void values_are_any_bytes_and_get_appends(void **state)
{
    struct fixture *f = *state;
    const char bytes[] = {'x', '\0', '\n', (char)0xff};
    cache_put(f->cache, KEY("bytes"), bytes, sizeof bytes, 0, f->now);
    cache_put(f->cache, KEY("empty"), NULL, 0, 0, f->now);
    struct buf buf;
    buf_init(&buf, 0);
    buf_add_str(&buf, "before ");
    assert_true(cache_get(f->cache, KEY("bytes"), f->now, &buf));
    assert_int_equal(buf.len, 7 + sizeof bytes);
    assert_memory_equal(buf.data + 7, bytes, sizeof bytes);
    assert_true(cache_get(f->cache, KEY("empty"), f->now, &buf));
    assert_int_equal(buf.len, 7 + sizeof bytes);
    assert_true(cache_get(f->cache, KEY("bytes"), f->now, NULL));
    assert_false(cache_get(f->cache, KEY("absent"), f->now, NULL));
    buf_done(&buf);
}

static void nothing_outlives_its_ttl(void **state)
{
    struct fixture *f = *state;
    put(f, "short", "s", MINUTE, 0);
    put(f, "forever", "f", 0, 0);
    put(f, "past", "p", -1, 0);
    expect(f, "past", 0, NULL);
    expect(f, "short", MINUTE - 1, "s");
    expect(f, "short", MINUTE, NULL);
    expect(f, "forever", 1000 * MINUTE, "f");
    put(f, "short", "again", MINUTE, MINUTE); /* a put starts a new life */
    expect(f, "short", 2 * MINUTE - 1, "again");
    expect(f, "short", 2 * MINUTE, NULL);
    put(f, "renewed", "r", MINUTE, 0);
    put(f, "renewed", "r", 0, 0); /* and may take the ttl away */
    expect(f, "renewed", 2 * MINUTE, "r");
}

static void counters_add_and_keep_their_first_ttl(void **state)
{
    struct fixture *f = *state;
    const struct key key = key_of(f, "counter", 0);
    assert_int_equal(cache_add(f->cache, key.text, 5, MINUTE, f->now), 5);
    assert_int_equal(cache_add(f->cache, key.text, -7, 100 * MINUTE, f->now + MINUTE / 2), -2);
    expect(f, "counter", MINUTE - 1, "-2");
    assert_int_equal(cache_add(f->cache, key.text, 1, MINUTE, f->now + MINUTE), 1); /* expired: a fresh one */
    expect(f, "counter", 2 * MINUTE - 1, "1");
    expect(f, "counter", 2 * MINUTE, NULL);
    put(f, "counter", "no number", 0, 0);
    assert_int_equal(cache_add(f->cache, key.text, 3, 0, f->now), 3);
    put(f, "counter", "40", 0, 0);
    assert_int_equal(cache_add(f->cache, key.text, 2, MINUTE, f->now), 42);
    expect(f, "counter", 2 * MINUTE, "42"); /* it had no expiry and gets none */
}

static void counters_stop_at_the_ends(void **state)
{
    struct fixture *f = *state;
    const struct key up = key_of(f, "up", 0), down = key_of(f, "down", 0);
    assert_true(cache_add(f->cache, up.text, INT64_MAX - 1, 0, f->now) == INT64_MAX - 1);
    assert_true(cache_add(f->cache, up.text, 5, 0, f->now) == INT64_MAX);
    assert_true(cache_add(f->cache, up.text, -1, 0, f->now) == INT64_MAX - 1);
    assert_true(cache_add(f->cache, down.text, INT64_MIN, 0, f->now) == INT64_MIN);
    assert_true(cache_add(f->cache, down.text, -1, 0, f->now) == INT64_MIN);
}

struct racer {
    struct fixture *f;
    unsigned won;
    int64_t seen_last;
    bool rising;
};

#define ROUNDS 2000
static void *race(void *user)
{
    struct racer *racer = user;
    struct fixture *f = racer->f;
    racer->rising = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t value = cache_add(f->cache, KEY("shared"), 1, MINUTE, f->now);
        racer->rising &= value > racer->seen_last;
        racer->seen_last = value;
        cache_add(f->cache, key_of(f, "spread", i % 50).text, 1, MINUTE, f->now);
        racer->won += cache_put_if_absent(f->cache, key_of(f, "prize", i % 100).text, "x", 1, MINUTE, f->now);
    }
    return NULL;
}

static void additions_and_claims_of_many_threads_are_atomic(void **state)
{
    struct fixture *f = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    unsigned won = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(racers[i].rising);
        won += racers[i].won;
    }
    assert_int_equal(won, 100);
    assert_int_equal(cache_add(f->cache, KEY("shared"), 0, MINUTE, f->now), THREADS * ROUNDS);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(cache_add(f->cache, key_of(f, "spread", i).text, 0, MINUTE, f->now), THREADS * ROUNDS / 50);
}

static void *add_one(void *user)
{
    struct fixture *f = user;
    (void)cache_add(f->cache, KEY("first"), 1, MINUTE, f->now);
    return NULL;
}

/* Nobody goes on without the others while one of them finds out where the servers are. */
static void the_very_first_calls_are_shared(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 40; i++) {
        struct error error = {0};
        pthread_t threads[THREADS];
        cache_close(f->cache);
        assert_int_equal(cache_open(url, cluster, MAX_BYTES, &f->cache, &error), ERR_OK);
        id_new(f->prefix);
        for (int k = 0; k < THREADS; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, add_one, f), 0);
        for (int k = 0; k < THREADS; k++)
            assert_int_equal(pthread_join(threads[k], NULL), 0);
        assert_int_equal(cache_add(f->cache, KEY("first"), 0, MINUTE, f->now), THREADS);
    }
}

static void put_if_absent_lets_the_first_stay(void **state)
{
    struct fixture *f = *state;
    const struct key key = key_of(f, "claim", 0);
    assert_true(cache_put_if_absent(f->cache, key.text, "first", 5, MINUTE, f->now));
    assert_false(cache_put_if_absent(f->cache, key.text, "second", 6, 100 * MINUTE, f->now + 1));
    expect(f, "claim", MINUTE - 1, "first");
    assert_true(cache_put_if_absent(f->cache, key.text, "third", 5, 0, f->now + MINUTE));
    expect(f, "claim", MINUTE, "third");
    cache_remove(f->cache, key.text);
    assert_true(cache_put_if_absent(f->cache, key.text, "fourth", 6, 0, f->now + MINUTE));
    expect(f, "claim", MINUTE, "fourth");
}

/* Random verbs against an array. What the cache holds must be right; that nothing is lost is promised as long as it all
 * fits: 40 keys of at most 200 bytes do. */
static void behaves_like_an_array(void **state)
{
    struct fixture *f = *state;
    struct model {
        char value[201];
        int64_t expires;
        bool there;
    } models[40] = {0};
    struct rng rng = {.state = 11};
    for (int step = 0; step < 4000; step++) {
        unsigned k = (unsigned)rng_below(&rng, 40);
        struct model *m = &models[k];
        const struct key key = key_of(f, "model", k);
        f->now += (int64_t)rng_below(&rng, 1000);
        m->there = m->there && f->now < m->expires;
        int64_t ttl = rng_below(&rng, 3) == 0 ? 0 : 1 + (int64_t)rng_below(&rng, 60000);
        size_t size = (size_t)rng_below(&rng, 201);
        char value[201] = {0};
        memset(value, 'a' + (int)rng_below(&rng, 26), size);
        unsigned verb = (unsigned)rng_below(&rng, 4);
        if (verb == 0 || (verb == 1 && !m->there)) {
            if (verb == 0)
                cache_put(f->cache, key.text, value, size, ttl, f->now);
            else
                assert_true(cache_put_if_absent(f->cache, key.text, value, size, ttl, f->now));
            *m = (struct model){.expires = ttl == 0 ? INT64_MAX : f->now + ttl, .there = true};
            memcpy(m->value, value, sizeof value);
        } else if (verb == 1) {
            assert_false(cache_put_if_absent(f->cache, key.text, value, size, ttl, f->now));
        } else if (verb == 2) {
            cache_remove(f->cache, key.text);
            m->there = false;
        }
        struct buf buf;
        buf_init(&buf, 0);
        assert_int_equal(cache_get(f->cache, key.text, f->now, &buf), m->there);
        assert_string_equal(buf_str(&buf), m->there ? m->value : "");
        buf_done(&buf);
    }
}

/* ---- what only a cache of this process promises: it keeps to its own bytes */

static size_t bytes_held(struct fixture *f, const char *name, unsigned count, int64_t now_ms)
{
    struct buf buf;
    buf_init(&buf, 0);
    for (unsigned i = 0; i < count; i++)
        (void)cache_get(f->cache, key_of(f, name, i).text, now_ms, &buf);
    size_t len = buf.len;
    buf_done(&buf);
    return len;
}

static void holds_no_more_than_its_bytes(void **state)
{
    struct fixture *f = *state;
    char value[3000];
    memset(value, 'v', sizeof value);
    struct rng rng = {.state = 5};
    for (unsigned i = 0; i < 2000; i++) {
        cache_put(f->cache, key_of(f, "big", i).text, value, (size_t)rng_below(&rng, sizeof value + 1), 0, f->now);
        if (i % 100 == 0)
            assert_in_range(bytes_held(f, "big", i + 1, f->now), 1, MAX_BYTES);
    }
    assert_in_range(bytes_held(f, "big", 2000, f->now), MAX_BYTES / 2, MAX_BYTES); /* and makes use of them */
    for (unsigned i = 0; i < 20000; i++) /* the keys of empty values count, too */
        cache_put(f->cache, key_of(f, "empty", i).text, "", 0, 0, f->now);
    size_t live = 0;
    for (unsigned i = 0; i < 20000; i++)
        live += cache_get(f->cache, key_of(f, "empty", i).text, f->now, NULL);
    assert_in_range(live, 1, MAX_BYTES / (ID_TEXT_BYTES + 1));
}

static void what_was_used_last_stays(void **state)
{
    struct fixture *f = *state;
    char value[500] = {0};
    put(f, "read", "r", 0, 0);
    put(f, "unread", "u", 0, 0);
    assert_int_equal(cache_add(f->cache, KEY("counted"), 1, 0, f->now), 1);
    for (unsigned i = 0; i < 1000; i++) {
        cache_put(f->cache, key_of(f, "filler", i).text, value, sizeof value, 0, f->now);
        expect(f, "read", 0, "r");
        assert_int_equal(cache_add(f->cache, KEY("counted"), 1, 0, f->now), i + 2);
        assert_true(cache_get(f->cache, key_of(f, "filler", i).text, f->now, NULL));
    }
    expect(f, "unread", 0, NULL);
}

static void a_value_too_large_is_not_kept_and_costs_nobody_else(void **state)
{
    struct fixture *f = *state;
    char *large = mem_alloc(2 * MAX_BYTES);
    put(f, "other", "o", 0, 0);
    put(f, "large", "small before", 0, 0);
    cache_put(f->cache, KEY("large"), large, 2 * MAX_BYTES, 0, f->now);
    expect(f, "large", 0, NULL); /* the former value would be stale */
    expect(f, "other", 0, "o");
    cache_put(f->cache, KEY("large"), large, MAX_BYTES, 0, f->now);
    expect(f, "large", 0, NULL);
    expect(f, "other", 0, "o");
    free(large);
}

/* Dead entries make room without being asked for: otherwise they would push out the older living ones. */
static void the_expired_go_by_themselves(void **state)
{
    struct fixture *f = *state;
    char value[100] = {0};
    for (unsigned i = 0; i < 100; i++)
        cache_put(f->cache, key_of(f, "living", i).text, value, sizeof value, 0, f->now);
    for (unsigned i = 0; i < 5000; i++)
        cache_put(f->cache, key_of(f, "brief", i).text, value, sizeof value, 10, f->now + i);
    assert_int_equal(bytes_held(f, "living", 100, f->now), 100 * sizeof value);
}

static void a_large_cache_keeps_many(void **state)
{
    struct fixture *f = *state;
    cache_close(f->cache);
    struct error error = {0};
    assert_int_equal(cache_open(url, false, (size_t)128 << 20, &f->cache, &error),
                     ERR_OK); /* several shards, growing tables */
    for (unsigned i = 0; i < 20000; i++)
        cache_put(f->cache, key_of(f, "many", i).text, &i, sizeof i, 0, f->now);
    struct buf buf;
    buf_init(&buf, 0);
    for (unsigned i = 0; i < 20000; i++) {
        buf_clear(&buf);
        assert_true(cache_get(f->cache, key_of(f, "many", i).text, f->now, &buf));
        assert_memory_equal(buf.data, &i, sizeof i);
    }
    buf_done(&buf);
}

static void what_cannot_be_opened_is_refused_with_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        size_t max_bytes;
        const char *field;
    } cases[] = {{"", 1 << 20, "REDIS_URL"},
                 {"carrier-pigeon:", 1 << 20, "REDIS_URL"},
                 {"memory:x", 1 << 20, "REDIS_URL"},
                 {"redis:x", 1 << 20, "REDIS_URL"},
                 {"rediss://127.0.0.1", 1 << 20, "REDIS_URL"},
                 {"redis://", 1 << 20, "REDIS_URL"},
                 {"redis://127.0.0.1:0", 1 << 20, "REDIS_URL"},
                 {"redis://127.0.0.1:1/x", 1 << 20, "REDIS_URL"},
                 {"redis://a%z@127.0.0.1:1", 1 << 20, "REDIS_URL"},
                 {"redis://127.0.0.1:1?timeout=0", 1 << 20, "REDIS_URL"},
                 {"redis://127.0.0.1:1/0?timeout=60001", 1 << 20, "REDIS_URL"},
                 {"redis://u:p@127.0.0.1:1?colour=red", 1 << 20, "REDIS_URL"},
                 {"redis://127.0.0.1:1,http://x", 1 << 20, "REDIS_URL"},
                 {"memory:", 4095, "CACHE_MAX_BYTES"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cache *cache = NULL;
        struct error error = {0};
        assert_int_equal(cache_open(cases[i].url, false, cases[i].max_bytes, &cache, &error), ERR_VALIDATION);
        assert_string_equal(error.field, cases[i].field);
        assert_null(cache);
    }
    cache_close(NULL);
}

/* Redis away: nothing is there, counters and claims are this process's, and no call fails; back: shared again. */
static void without_redis_everything_goes_on(void **state)
{
    (void)state;
    struct test_redis *server = test_redis_start(1);
    struct fixture fixture = {.now = clock_now_ms()}, *f = &fixture;
    struct error error = {0};
    id_new(f->prefix);
    assert_int_equal(cache_open(test_redis_url(server), false, MAX_BYTES, &f->cache, &error), ERR_OK);
    put(f, "kept", "k", 0, 0);
    assert_int_equal(cache_add(f->cache, KEY("count"), 40, 0, f->now), 40);
    expect(f, "kept", 0, "k");
    assert_true(cache_is_ready(f->cache));
    test_redis_kill(server, 0);
    expect(f, "kept", 0, NULL);
    assert_false(cache_is_ready(f->cache));
    put(f, "lost", "l", 0, 0);
    expect(f, "lost", 0, NULL);
    for (int i = 1; i <= 100; i++)
        assert_int_equal(cache_add(f->cache, KEY("count"), 1, 0, f->now), i);
    expect(f, "count", 0, "100");
    assert_true(cache_put_if_absent(f->cache, KEY("claim"), "1", 1, 0, f->now));
    assert_false(cache_put_if_absent(f->cache, KEY("claim"), "2", 1, 0, f->now));
    cache_remove(f->cache, KEY("claim"));
    assert_true(cache_put_if_absent(f->cache, KEY("claim"), "3", 1, 0, f->now));
    test_redis_restart(server, 0);
    while (!cache_is_ready(f->cache))
        (void)poll(NULL, 0, 20);
    assert_int_equal(cache_add(f->cache, KEY("count"), 5, 0, f->now), 5);
    put(f, "again", "a", 0, 0);
    expect(f, "again", 0, "a");
    cache_close(f->cache);
    test_redis_stop(server);
}

/* A slot that has moved is found at its new place, without an error and without loss. */
static void moved_slots_are_followed(void **state)
{
    (void)state;
    struct test_redis *server = test_redis_start(3);
    struct fixture fixture = {.now = clock_now_ms()}, *f = &fixture;
    struct error error = {0};
    id_new(f->prefix);
    assert_int_equal(cache_open(test_redis_url(server), true, MAX_BYTES, &f->cache, &error), ERR_OK);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(cache_add(f->cache, key_of(f, "n", i).text, i, 0, f->now), i);
    test_redis_move_all(server, 0, 1); /* now the first has nothing, and says MOVED */
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(cache_add(f->cache, key_of(f, "n", i).text, 0, 0, f->now), i);
    assert_true(cache_is_ready(f->cache));
    cache_close(f->cache);
    test_redis_stop(server);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest every[] = {TEST(keeps_replaces_and_removes),
                                       TEST(values_are_any_bytes_and_get_appends),
                                       TEST(nothing_outlives_its_ttl),
                                       TEST(counters_add_and_keep_their_first_ttl),
                                       TEST(counters_stop_at_the_ends),
                                       TEST(additions_and_claims_of_many_threads_are_atomic),
                                       TEST(the_very_first_calls_are_shared),
                                       TEST(put_if_absent_lets_the_first_stay),
                                       TEST(behaves_like_an_array)};
    const struct CMUnitTest own[] = {TEST(holds_no_more_than_its_bytes),
                                     TEST(what_was_used_last_stays),
                                     TEST(a_value_too_large_is_not_kept_and_costs_nobody_else),
                                     TEST(the_expired_go_by_themselves),
                                     TEST(a_large_cache_keeps_many),
                                     cmocka_unit_test(without_redis_everything_goes_on),
                                     cmocka_unit_test(moved_slots_are_followed),
                                     cmocka_unit_test(what_cannot_be_opened_is_refused_with_its_name)};
    url = "memory:";
    int failed = cmocka_run_group_tests_name("memory:", every, NULL, NULL) +
                 cmocka_run_group_tests_name("memory:, its bounds", own, NULL, NULL);
    struct test_redis *one = test_redis_start(1);
    url = test_redis_url(one);
    failed += cmocka_run_group_tests_name("redis:", every, NULL, NULL);
    test_redis_stop(one);
    struct test_redis *three = test_redis_start(3);
    url = test_redis_url(three);
    cluster = true;
    failed += cmocka_run_group_tests_name("redis: cluster", every, NULL, NULL);
    test_redis_stop(three);
    return failed;
}
