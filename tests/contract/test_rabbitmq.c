/* What the RabbitMQ back end does when the broker fails: a server that is killed and comes back, a disk that is full,
 * an address where nobody is. Nothing that was confirmed is lost. */
#include "broker/broker.h"
#include "support/broker_load.h"
#include "support/rabbitmq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#define HANG_SECONDS 560 /* the whole program is ended then: something never came */

static void kill_and_restart(void *user)
{
    test_rabbitmq_kill(user, 0);
    test_rabbitmq_restart(user, 0);
}

static void a_server_that_comes_back_has_what_it_confirmed(void **state)
{
    broker_load_run(test_rabbitmq_url(*state), "restarted", kill_and_restart, *state);
}

/* ---- no room on the disk */

struct answer {
    struct loop *loop;
    bool there;
    enum err code;
};

static void on_answer(void *user, enum err code)
{
    struct answer *answer = user;
    answer->there = true;
    answer->code = code;
    loop_stop(answer->loop);
}

static enum err publish_one(struct broker_connection *connection, struct loop *loop)
{
    struct answer answer = {.loop = loop};
    broker_publish(connection, "disk", 0, "x", 1, on_answer, &answer);
    loop_run(loop);
    assert_true(answer.there);
    return answer.code;
}

static void a_full_disk_makes_publications_wait_and_then_fail(void **state)
{
    struct test_rabbitmq *server = *state;
    struct broker *broker;
    struct error error = {0};
    struct loop *loop = loop_new();
    assert_int_equal(broker_open(test_rabbitmq_url(server), "faults", &broker, &error), ERR_OK);
    struct broker_connection *connection = broker_connect(broker, loop);
    assert_int_equal(broker_declare(connection, "disk", &(struct broker_queue_options){0}, &error), ERR_OK);
    assert_int_equal(publish_one(connection, loop), ERR_OK);
    test_rabbitmq_ctl(server, 0, "set_disk_free_limit 100000GB");
    assert_int_equal(publish_one(connection, loop), ERR_UNAVAILABLE); /* the first finds it out */
    assert_false(broker_is_ready(broker));
    assert_true(broker_is_blocked(broker));
    assert_int_equal(publish_one(connection, loop), ERR_UNAVAILABLE);
    test_rabbitmq_ctl(server, 0, "set_disk_free_limit 1MB");
    while (publish_one(connection, loop) != ERR_OK)
        ; /* each waits for the broker */
    assert_true(broker_is_ready(broker));
    assert_false(broker_is_blocked(broker));
    broker_disconnect(connection);
    broker_close(broker);
    loop_free(loop);
}

/* ---- who is ready */

struct ready {
    struct loop *loop;
    struct loop_timer *timer;
    struct broker_consumer *consumer;
    bool wanted;
    unsigned taken, dead;
};

static void on_look(void *user)
{
    struct ready *ready = user;
    if (broker_consumer_is_ready(ready->consumer) == ready->wanted)
        loop_stop(ready->loop);
    else
        loop_timer_set(ready->timer, 1);
}

static void wait_ready(struct ready *ready, bool wanted)
{
    ready->wanted = wanted;
    loop_timer_set(ready->timer, 0);
    loop_run(ready->loop);
}

static void on_taken(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct ready *ready = user;
    ready->taken++;
    broker_ack(consumer, delivery->tag);
    loop_stop(ready->loop);
}

static void on_dead(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct ready *ready = user;
    ready->dead++;
    broker_ack(consumer, delivery->tag);
    loop_stop(ready->loop);
}

/* Work for a worker that is ready arrives; for one that is not it goes back. */
static void who_is_ready_gets_what_comes(void **state)
{
    struct test_rabbitmq *server = *state;
    struct broker *broker;
    struct error error = {0};
    struct ready ready = {.loop = loop_new()};
    ready.timer = loop_timer_new(ready.loop, on_look, &ready);
    assert_int_equal(broker_open(test_rabbitmq_url(server), "ready", &broker, &error), ERR_OK);
    struct broker_connection *connection = broker_connect(broker, ready.loop);
    struct broker_queue_options plain = {0}, ttl0 = {.ttl0 = true, .dead_letter_queue = "dead"};
    assert_int_equal(broker_declare(connection, "dead", &plain, &error), ERR_OK);
    assert_int_equal(broker_declare(connection, "work", &ttl0, &error), ERR_OK);
    (void)broker_consume(connection, "dead", 5, on_dead, &ready);
    ready.consumer = broker_consume(connection, "work", 5, on_taken, &ready);
    for (unsigned i = 1; i <= 2; i++) {
        wait_ready(&ready, true);
        broker_publish(connection, "work", 0, "x", 1, NULL, NULL);
        loop_run(ready.loop);
        assert_int_equal(ready.taken, i);
        broker_consumer_set_prefetch(ready.consumer, 0);
        wait_ready(&ready, false);
        broker_consumer_set_prefetch(ready.consumer, i == 1 ? 5 : 0);
    }
    assert_int_equal(ready.dead, 0);
    broker_publish(connection, "work", 0, "x", 1, NULL, NULL);
    loop_run(ready.loop);
    assert_int_equal(ready.dead, 1);
    loop_timer_free(ready.timer);
    broker_disconnect(connection);
    broker_close(broker);
    loop_free(ready.loop);
}

static void without_a_broker_nothing_hangs(void **state)
{
    (void)state;
    struct broker *broker;
    struct error error = {0};
    struct loop *loop = loop_new();
    assert_int_equal(broker_open("amqp://guest:guest@127.0.0.1:1,amqp://127.0.0.1:2", "faults", &broker, &error),
                     ERR_OK);
    struct broker_connection *connection = broker_connect(broker, loop);
    assert_int_equal(broker_declare(connection, "disk", &(struct broker_queue_options){0}, &error), ERR_OK);
    assert_false(broker_is_ready(broker));
    assert_false(broker_is_blocked(broker)); /* it may come any moment */
    assert_int_equal(publish_one(connection, loop), ERR_UNAVAILABLE);
    broker_disconnect(connection);
    broker_close(broker);
    loop_free(loop);
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"amqp://h:x", "amqp://h?heartbeat=0", "amqp://h?colour=red", "amqp://h?x",
                                       "amqps://h,http://h"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct broker *broker = NULL;
        struct error error = {0};
        if (broker_open(urls[i], "faults", &broker, &error) != ERR_VALIDATION)
            fail_msg("%s is taken", urls[i]);
        assert_string_equal(error.field, "RABBITMQ_URL");
    }
}

int main(void)
{
    (void)alarm(HANG_SECONDS);
    struct test_rabbitmq *server = test_rabbitmq_start(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_addresses_are_refused), cmocka_unit_test(without_a_broker_nothing_hangs),
        cmocka_unit_test_prestate(a_server_that_comes_back_has_what_it_confirmed, server),
        cmocka_unit_test_prestate(who_is_ready_gets_what_comes, server),
        cmocka_unit_test_prestate(a_full_disk_makes_publications_wait_and_then_fail, server)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rabbitmq_stop(server);
    return failed;
}
