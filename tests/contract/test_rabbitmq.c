/* What the RabbitMQ back end does when the broker fails: a server that is killed and comes back, a disk that is full,
 * an address where nobody is. Nothing that was confirmed is lost. */
#include "base/mem.h"
#include "broker/broker.h"
#include "support/rabbitmq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_SECONDS 560 /* the whole program is ended then: something never came */
#define MESSAGES 3000
#define OUTSTANDING 100
#define TURN_MS 10
#define TURNS_BEFORE 300 /* a server writes down after a moment only which quorum queues it has */

struct load {
    struct broker *broker;
    struct loop *loop;
    struct loop_timer *timer;
    struct broker_connection *publisher, *consumer;
    const char *queue;
    unsigned turns;
    size_t outstanding, confirmed_count, received_count;
    bool sent[MESSAGES], confirmed[MESSAGES]; /* sent: not to be sent again */
    unsigned received[MESSAGES];
    void (*fault)(struct load *load); /* once, in the middle */
    struct test_rabbitmq *server;
};

struct sending {
    struct load *load;
    unsigned number;
};

static void on_confirm(void *user, enum err code)
{
    struct sending *sending = user;
    struct load *load = sending->load;
    load->outstanding--;
    if (code != ERR_OK) {
        load->sent[sending->number] = false; /* whoever publishes tries again */
    } else {
        load->confirmed[sending->number] = true;
        load->confirmed_count++;
    }
    free(sending);
}

static void on_delivery(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct load *load = user;
    unsigned number;
    assert_int_equal(d->size, sizeof number);
    memcpy(&number, d->body, sizeof number);
    assert_true(number < MESSAGES);
    load->received_count += load->received[number]++ == 0;
    broker_ack(consumer, d->tag);
}

static void on_turn(void *user)
{
    struct load *load = user;
    if (load->fault != NULL && load->confirmed_count >= MESSAGES / 2) {
        load->fault(load);
        load->fault = NULL;
    }
    unsigned end = load->turns++ < TURNS_BEFORE ? MESSAGES / 4 : MESSAGES;
    for (unsigned i = 0; i < end && load->outstanding < OUTSTANDING; i++) {
        if (load->sent[i])
            continue;
        struct sending *sending = mem_alloc(sizeof *sending);
        *sending = (struct sending){load, i};
        load->sent[i] = true;
        load->outstanding++;
        broker_publish(load->publisher, load->queue, 0, &i, sizeof i, on_confirm, sending);
    }
    if (load->confirmed_count == MESSAGES && load->received_count == MESSAGES)
        loop_stop(load->loop);
    else
        loop_timer_set(load->timer, TURN_MS);
}

static void run_load(struct test_rabbitmq *server, const char *queue, void (*fault)(struct load *load))
{
    struct load *load = mem_alloc(sizeof *load);
    struct error error = {0};
    load->server = server;
    load->queue = queue;
    load->fault = fault;
    load->loop = loop_new();
    assert_int_equal(broker_open(test_rabbitmq_url(server), "faults", &load->broker, &error), ERR_OK);
    load->publisher = broker_connect(load->broker, load->loop);
    load->consumer = broker_connect(load->broker, load->loop);
    if (broker_declare(load->publisher, queue, &(struct broker_queue_options){0}, &error) != ERR_OK)
        fail_msg("%s", error.message);
    assert_non_null(broker_consume(load->consumer, queue, 50, on_delivery, load));
    load->timer = loop_timer_new(load->loop, on_turn, load);
    loop_timer_set(load->timer, 0);
    loop_run(load->loop);
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_true(load->received[i] > 0);
    assert_int_equal(load->outstanding, 0);
    assert_true(broker_is_ready(load->broker));
    broker_delete_queue(load->publisher, queue);
    broker_disconnect(load->publisher);
    broker_disconnect(load->consumer);
    broker_close(load->broker);
    loop_timer_free(load->timer);
    loop_free(load->loop);
    free(load);
}

static void kill_and_restart(struct load *load)
{
    test_rabbitmq_kill(load->server, 0);
    test_rabbitmq_restart(load->server, 0);
}

static void a_server_that_comes_back_has_what_it_confirmed(void **state)
{
    run_load(*state, "restarted", kill_and_restart);
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
    assert_int_equal(publish_one(connection, loop), ERR_UNAVAILABLE);
    test_rabbitmq_ctl(server, 0, "set_disk_free_limit 1MB");
    while (publish_one(connection, loop) != ERR_OK)
        ; /* each waits for the broker */
    assert_true(broker_is_ready(broker));
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
