/* Messages through a broker that fails in the middle. */
#include "support/broker_load.h"

#include "base/mem.h"
#include "broker/broker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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
    bool sent[BROKER_LOAD_MESSAGES], confirmed[BROKER_LOAD_MESSAGES]; /* sent: not to be sent again */
    unsigned received[BROKER_LOAD_MESSAGES];
    void (*fault)(void *user); /* once, in the middle */
    void *user;
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
    assert_true(number < BROKER_LOAD_MESSAGES);
    load->received_count += load->received[number]++ == 0;
    broker_ack(consumer, d->tag);
}

static void on_turn(void *user)
{
    struct load *load = user;
    if (load->fault != NULL && load->confirmed_count >= BROKER_LOAD_MESSAGES / 2) {
        load->fault(load->user);
        load->fault = NULL;
    }
    unsigned end = load->turns++ < TURNS_BEFORE ? BROKER_LOAD_MESSAGES / 4 : BROKER_LOAD_MESSAGES;
    for (unsigned i = 0; i < end && load->outstanding < OUTSTANDING; i++) {
        if (load->sent[i])
            continue;
        struct sending *sending = mem_alloc(sizeof *sending);
        *sending = (struct sending){load, i};
        load->sent[i] = true;
        load->outstanding++;
        broker_publish(load->publisher, load->queue, 0, &i, sizeof i, on_confirm, sending);
    }
    if (load->confirmed_count == BROKER_LOAD_MESSAGES && load->received_count == BROKER_LOAD_MESSAGES)
        loop_stop(load->loop);
    else
        loop_timer_set(load->timer, TURN_MS);
}

void broker_load_run(const char *url, const char *queue, void (*fault)(void *user), void *user)
{
    struct load *load = mem_alloc(sizeof *load);
    struct error error = {0};
    load->user = user;
    load->queue = queue;
    load->fault = fault;
    load->loop = loop_new();
    assert_int_equal(broker_open(url, "faults", &load->broker, &error), ERR_OK);
    load->publisher = broker_connect(load->broker, load->loop);
    load->consumer = broker_connect(load->broker, load->loop);
    if (broker_declare(load->publisher, queue, &(struct broker_queue_options){0}, &error) != ERR_OK)
        fail_msg("%s", error.message);
    assert_non_null(broker_consume(load->consumer, queue, 50, on_delivery, load));
    load->timer = loop_timer_new(load->loop, on_turn, load);
    loop_timer_set(load->timer, 0);
    loop_run(load->loop);
    for (unsigned i = 0; i < BROKER_LOAD_MESSAGES; i++)
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
