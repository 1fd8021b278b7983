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
        cmocka_unit_test_prestate(a_full_disk_makes_publications_wait_and_then_fail, server)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rabbitmq_stop(server);
    return failed;
}
