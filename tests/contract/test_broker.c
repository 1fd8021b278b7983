/* The broker's contract, sentence by sentence, on every back end: memory:, and a RabbitMQ that the test starts. Waiting
 * is running the loop until a condition holds; that nothing comes is known when a marker sent behind it has come. */
#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "support/rabbitmq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_SECONDS 200
#define HANG_SECONDS 240 /* the whole program is ended then: a condition never came */
#define NAME_BYTES 96
#define SEEN_MAX 256

static const char *url;

struct name {
    char text[NAME_BYTES];
};

struct fixture {
    struct broker *broker;
    struct loop *loop;
    struct loop_timer *turn;
    struct broker_connection *first, *second; /* NULL after their test closed them */
    struct broker_consumer *markers;
    unsigned markers_sent, markers_seen;
    char prefix[ID_TEXT_BYTES];
    bool (*until)(const void *arg);
    const void *until_arg;
};

struct seen {
    uint64_t tag;
    char body[24], queue[NAME_BYTES], reason[16], from[NAME_BYTES];
    int priority;
    bool redelivered;
};

struct sink {
    size_t count;
    bool ack;
    struct seen seen[SEEN_MAX];
};

/* ---- waiting */

static void on_turn(void *user)
{
    struct fixture *f = user;
    if (f->until(f->until_arg))
        loop_stop(f->loop);
    else
        loop_timer_set(f->turn, 1);
}

static void wait_until(struct fixture *f, bool (*until)(const void *arg), const void *arg)
{
    f->until = until;
    f->until_arg = arg;
    loop_timer_set(f->turn, 0);
    loop_run(f->loop);
}

struct at_least {
    const size_t *value;
    size_t least;
};

static bool is_reached(const void *arg)
{
    const struct at_least *at_least = arg;
    return *at_least->value >= at_least->least;
}

static void wait_count(struct fixture *f, const struct sink *sink, size_t count)
{
    wait_until(f, is_reached, &(struct at_least){&sink->count, count});
    assert_int_equal(sink->count, count);
}

static bool has_all_markers(const void *arg)
{
    const struct fixture *f = arg;
    return f->markers_seen == f->markers_sent;
}

/* ---- the broker in few words */

static struct name name_of(const struct fixture *f, const char *name)
{
    struct name full;
    (void)snprintf(full.text, sizeof full.text, "test.%s.%s", f->prefix, name);
    return full;
}
#define Q(name) name_of(f, name).text

static void declare(struct fixture *f, const char *name, struct broker_queue_options options)
{
    struct error error = {0};
    if (broker_declare(f->first, Q(name), &options, &error) != ERR_OK)
        fail_msg("%s", error.message);
}
#define PLAIN ((struct broker_queue_options){0})

struct confirmation {
    bool there;
    enum err code;
};

static void on_confirm(void *user, enum err code)
{
    struct confirmation *confirmation = user;
    assert_false(confirmation->there);
    *confirmation = (struct confirmation){true, code};
}

static bool is_there(const void *arg)
{
    const struct confirmation *confirmation = arg;
    return confirmation->there;
}

static enum err publish_at(struct fixture *f, const char *name, int priority, const char *body)
{
    struct confirmation confirmation = {0};
    broker_publish(f->first, Q(name), priority, body, strlen(body), on_confirm, &confirmation);
    wait_until(f, is_there, &confirmation);
    return confirmation.code;
}

/* Publishes one after the other what stands between the blanks. */
static void publish(struct fixture *f, const char *name, const char *bodies)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", bodies);
    char *rest = text;
    for (char *body; (body = strtok_r(rest, " ", &rest)) != NULL;)
        assert_int_equal(publish_at(f, name, 0, body), ERR_OK);
}

static void record(struct sink *sink, const struct broker_delivery *d)
{
    assert_true(sink->count < SEEN_MAX);
    struct seen *seen = &sink->seen[sink->count++];
    *seen = (struct seen){.tag = d->tag, .priority = d->priority, .redelivered = d->redelivered};
    (void)snprintf(seen->body, sizeof seen->body, "%.*s", (int)d->size, (const char *)d->body);
    (void)snprintf(seen->queue, sizeof seen->queue, "%s", d->queue);
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", d->dead_reason == NULL ? "" : d->dead_reason);
    (void)snprintf(seen->from, sizeof seen->from, "%s", d->dead_from == NULL ? "" : d->dead_from);
}

static void on_delivery(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct sink *sink = user;
    if (sink->ack)
        broker_ack(consumer, d->tag);
    record(sink, d); /* what it lends stays good after the acknowledgement */
}

static struct broker_consumer *consume(struct fixture *f, struct broker_connection *connection, const char *name,
                                       unsigned prefetch, struct sink *sink)
{
    struct broker_consumer *consumer = broker_consume(connection, Q(name), prefetch, on_delivery, sink);
    assert_non_null(consumer);
    return consumer;
}

static void on_marker(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct fixture *f = user;
    f->markers_seen++;
    broker_ack(consumer, d->tag);
}

/* All that was on its way before has come. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        f->markers_sent++;
        broker_publish(f->first, Q("markers"), 0, "m", 1, NULL, NULL);
        wait_until(f, has_all_markers, f);
    }
}

static void expect_bodies(const struct sink *sink, const char *bodies)
{
    char text[1024] = "";
    for (size_t i = 0; i < sink->count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", i == 0 ? "" : " ", sink->seen[i].body,
                       sink->seen[i].redelivered ? "'" : "");
    assert_string_equal(text, bodies);
}

static void expect_dead(struct fixture *f, const struct sink *sink, size_t i, const char *body, const char *reason,
                        const char *from)
{
    assert_true(i < sink->count);
    assert_string_equal(sink->seen[i].body, body);
    assert_string_equal(sink->seen[i].reason, reason);
    assert_string_equal(sink->seen[i].from, Q(from));
    assert_false(sink->seen[i].redelivered);
}

struct counts {
    struct broker *broker;
    const char *queue;
    size_t ready;
};

static bool has_depth(const void *arg)
{
    const struct counts *counts = arg;
    return broker_queue_depth(counts->broker, counts->queue) == counts->ready;
}

/* A depth may be that of a moment ago. */
static void expect_counts(struct fixture *f, const char *name, size_t ready, size_t unacked)
{
    const struct name queue = name_of(f, name);
    wait_until(f, has_depth, &(struct counts){f->broker, queue.text, ready});
    assert_int_equal(broker_queue_unacked(f->broker, queue.text), unacked);
}

static void disconnect(struct broker_connection **connection)
{
    broker_disconnect(*connection);
    *connection = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    struct error error = {0};
    if (broker_open(url, "caudal", &f->broker, &error) != ERR_OK)
        fail_msg("%s", error.message);
    id_new(f->prefix);
    f->loop = loop_new();
    f->turn = loop_timer_new(f->loop, on_turn, f);
    f->first = broker_connect(f->broker, f->loop);
    f->second = broker_connect(f->broker, f->loop);
    declare(f, "markers", PLAIN);
    f->markers = broker_consume(f->first, Q("markers"), 10, on_marker, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    broker_disconnect(f->second);
    broker_disconnect(f->first);
    broker_close(f->broker);
    loop_timer_free(f->turn);
    loop_free(f->loop);
    free(f);
    return 0;
}

/* ---- queues */

static void publish_forty(struct fixture *f)
{
    declare(f, "q", (struct broker_queue_options){.priorities = 10});
    for (int i = 0; i < 40; i++) {
        char body[8];
        (void)snprintf(body, sizeof body, "%d", i);
        assert_int_equal(publish_at(f, "q", i % 10, body), ERR_OK);
    }
    expect_counts(f, "q", 40, 0);
}

static void first_in_first_out_within_a_priority(void **state)
{
    struct fixture *f = *state;
    publish_forty(f);
    struct sink sink = {.ack = true};
    (void)consume(f, f->first, "q", 1, &sink);
    wait_count(f, &sink, 40);
    int next[10] = {0};
    for (int i = 0; i < 40; i++) {
        int priority = sink.seen[i].priority;
        assert_in_range(priority, 0, 9);
        assert_int_equal(atoi(sink.seen[i].body), priority + 10 * next[priority]++);
        assert_false(sink.seen[i].redelivered);
        assert_string_equal(sink.seen[i].queue, Q("q"));
        assert_string_equal(sink.seen[i].reason, "");
    }
    settle(f);
    expect_counts(f, "q", 0, 0);
}

/* In one process; over a network a consumer holds some of each priority. */
static void higher_priorities_come_first(void **state)
{
    struct fixture *f = *state;
    publish_forty(f);
    struct sink sink = {.ack = true}, flat = {.ack = true};
    (void)consume(f, f->first, "q", 1, &sink);
    wait_count(f, &sink, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(sink.seen[i].priority, 9 - i / 4);
    declare(f, "flat", PLAIN);
    assert_int_equal(publish_at(f, "flat", 0, "1"), ERR_OK);
    assert_int_equal(publish_at(f, "flat", 9, "2"), ERR_OK); /* told, but no reason to overtake */
    (void)consume(f, f->first, "flat", 1, &flat);
    wait_count(f, &flat, 2);
    expect_bodies(&flat, "1 2");
    assert_int_equal(flat.seen[1].priority, 9);
}

static void what_comes_back_too_often_is_dead_lettered(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.delivery_limit = 2, .dead_letter_queue = Q("dead")});
    struct sink sink = {0}, dead = {.ack = true};
    publish(f, "q", "x");
    struct broker_consumer *consumer = consume(f, f->first, "q", 1, &sink);
    for (size_t i = 0; i < 3; i++) {
        wait_count(f, &sink, i + 1);
        broker_nack(consumer, sink.seen[i].tag, true);
    }
    (void)consume(f, f->second, "dead", 1, &dead);
    wait_count(f, &dead, 1);
    expect_dead(f, &dead, 0, "x", "delivery_limit", "q");
    settle(f);
    assert_int_equal(sink.count, 3);
}

static void bodies_are_any_bytes_and_copied(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    struct sink sink = {.ack = true};
    char body[] = "abc";
    broker_publish(f->first, Q("q"), 0, body, 3, NULL, NULL);
    memset(body, 'x', 3);
    broker_publish(f->first, Q("q"), 0, NULL, 0, NULL, NULL);
    (void)consume(f, f->second, "q", 5, &sink);
    wait_count(f, &sink, 2);
    expect_bodies(&sink, "abc ");
}

static void a_consumer_holds_at_most_its_prefetch(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    publish(f, "q", "1 2 3 4 5");
    struct sink sink = {0};
    struct broker_consumer *consumer = consume(f, f->first, "q", 3, &sink);
    wait_count(f, &sink, 3);
    settle(f);
    expect_bodies(&sink, "1 2 3");
    expect_counts(f, "q", 2, 3);
    broker_ack(consumer, sink.seen[1].tag);
    broker_ack(consumer, sink.seen[1].tag); /* a second time, or a tag that never was, frees no place */
    broker_ack(consumer, UINT64_MAX);
    wait_count(f, &sink, 4);
    settle(f);
    expect_bodies(&sink, "1 2 3 4");
    expect_counts(f, "q", 1, 3);
}

static void set_prefetch_stops_and_resumes(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    struct sink sink = {0};
    struct broker_consumer *consumer = consume(f, f->first, "q", 0, &sink);
    publish(f, "q", "1 2 3 4");
    settle(f);
    expect_bodies(&sink, "");
    broker_consumer_set_prefetch(consumer, 1);
    wait_count(f, &sink, 1);
    broker_consumer_set_prefetch(consumer, 0);
    broker_ack(consumer, sink.seen[0].tag);
    settle(f);
    expect_bodies(&sink, "1");
    expect_counts(f, "q", 3, 0);
    broker_consumer_set_prefetch(consumer, 2);
    wait_count(f, &sink, 3);
    settle(f);
    expect_bodies(&sink, "1 2 3");
}

static void give_back_three_of_five(struct fixture *f, struct sink *again)
{
    declare(f, "q", PLAIN);
    publish(f, "q", "1 2 3 4 5");
    struct sink sink = {0};
    struct broker_consumer *consumer = consume(f, f->first, "q", 3, &sink);
    wait_count(f, &sink, 3);
    broker_consumer_set_prefetch(consumer, 0);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++)
        broker_nack(consumer, sink.seen[order[i]].tag, true);
    settle(f);
    expect_counts(f, "q", 5, 0);
    (void)consume(f, f->second, "q", 1, again);
    wait_count(f, again, 5);
}

static void requeued_deliveries_come_again(void **state)
{
    struct fixture *f = *state;
    struct sink again = {.ack = true};
    give_back_three_of_five(f, &again);
    unsigned seen = 0;
    for (size_t i = 0; i < 5; i++) {
        int body = atoi(again.seen[i].body);
        assert_int_equal(again.seen[i].redelivered, body <= 3);
        seen |= 1u << body;
    }
    assert_int_equal(seen, 0x3e);
}

static void requeued_deliveries_go_back_to_their_place(void **state)
{
    struct fixture *f = *state;
    struct sink again = {.ack = true};
    give_back_three_of_five(f, &again);
    expect_bodies(&again, "1' 2' 3' 4 5");
}

static void refused_deliveries_are_dead_lettered_as_rejected(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    declare(f, "no way out", PLAIN);
    struct sink sink = {0}, dropped = {0}, dead = {.ack = true};
    assert_int_equal(publish_at(f, "q", 7, "a"), ERR_OK);
    publish(f, "no way out", "b");
    struct broker_consumer *consumer = consume(f, f->first, "q", 1, &sink),
                           *other = consume(f, f->first, "no way out", 1, &dropped);
    wait_count(f, &sink, 1);
    wait_count(f, &dropped, 1);
    broker_nack(consumer, sink.seen[0].tag, true); /* redelivered, but in the queue of the dead it is new */
    wait_count(f, &sink, 2);
    broker_nack(consumer, sink.seen[1].tag, false);
    broker_nack(other, dropped.seen[0].tag, false);
    (void)consume(f, f->second, "dead", 5, &dead);
    wait_count(f, &dead, 1);
    expect_dead(f, &dead, 0, "a", "rejected", "q");
    assert_int_equal(dead.seen[0].priority, 7);
    assert_string_equal(dead.seen[0].queue, Q("dead"));
    settle(f);
    expect_counts(f, "q", 0, 0);
    expect_counts(f, "no way out", 0, 0);
    assert_int_equal(dropped.count, 1);
}

static void ttl0_passes_on_what_nobody_takes_at_once(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("dead")});
    struct sink sink = {0}, dead = {.ack = true};
    (void)consume(f, f->second, "dead", 10, &dead);
    publish(f, "q", "nobody");
    wait_count(f, &dead, 1);
    expect_dead(f, &dead, 0, "nobody", "expired", "q");
    struct broker_consumer *consumer = consume(f, f->first, "q", 1, &sink);
    settle(f);
    publish(f, "q", "room full");
    wait_count(f, &sink, 1);
    wait_count(f, &dead, 2);
    expect_bodies(&sink, "room");
    expect_dead(f, &dead, 1, "full", "expired", "q");
    broker_consumer_set_prefetch(consumer, 0);
    broker_nack(consumer, sink.seen[0].tag, true); /* given back, and nobody else there */
    wait_count(f, &dead, 3);
    expect_dead(f, &dead, 2, "room", "expired", "q");
    expect_counts(f, "q", 0, 0);
}

static void dead_letters_do_not_go_in_circles(void **state)
{
    struct fixture *f = *state;
    declare(f, "a", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("b")});
    declare(f, "b", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("a")});
    declare(f, "work", (struct broker_queue_options){.dead_letter_queue = Q("again")});
    declare(f, "again", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("work")});
    publish(f, "a", "x");
    settle(f);
    expect_counts(f, "a", 0, 0);
    expect_counts(f, "b", 0, 0);
    struct sink sink = {0};
    struct broker_consumer *consumer = consume(f, f->first, "work", 1, &sink);
    publish(f, "work", "y");
    wait_count(f, &sink, 1);
    broker_nack(consumer, sink.seen[0].tag, false); /* rejected by somebody: it may come round */
    wait_count(f, &sink, 2);
    expect_dead(f, &sink, 1, "y", "expired", "again");
}

static void a_full_queue_refuses(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", (struct broker_queue_options){.max_length = 2});
    publish(f, "q", "1 2");
    assert_int_equal(publish_at(f, "q", 9, "3"), ERR_UNAVAILABLE);
    broker_publish(f->first, Q("q"), 0, "4", 1, NULL, NULL); /* refused too, without a word */
    struct sink sink = {.ack = true};
    (void)consume(f, f->second, "q", 1, &sink);
    wait_count(f, &sink, 2);
    publish(f, "q", "5");
    wait_count(f, &sink, 3);
    expect_bodies(&sink, "1 2 5");
}

static void single_active_lets_only_the_longest_standing_receive(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", (struct broker_queue_options){.single_active = true});
    struct sink a = {0}, b = {0}, c = {.ack = true};
    struct broker_consumer *first = consume(f, f->first, "q", 2, &a);
    settle(f);
    (void)consume(f, f->second, "q", 2, &b);
    settle(f);
    publish(f, "q", "1 2 3 4 5");
    wait_count(f, &a, 2);
    settle(f);
    expect_bodies(&b, ""); /* though the first is full */
    broker_cancel(first);
    wait_count(f, &b, 2);
    expect_bodies(&b, "3 4");
    broker_ack(first, a.seen[0].tag); /* a cancelled one may still acknowledge */
    settle(f);
    expect_counts(f, "q", 1, 3);
    (void)consume(f, f->first, "q", 1, &c);
    settle(f);
    expect_bodies(&c, "");
    disconnect(&f->second); /* what it held goes on in order, to the next */
    wait_count(f, &c, 3);
    expect_bodies(&c, "3' 4' 5");
}

static void a_closed_connection_gives_back_in_order(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    publish(f, "q", "1 2 3 4 5 6");
    struct sink a = {0}, b = {0}, rest = {.ack = true};
    struct broker_consumer *one = consume(f, f->second, "q", 2, &a);
    wait_count(f, &a, 2);
    (void)consume(f, f->second, "q", 3, &b);
    wait_count(f, &b, 3);
    broker_consumer_set_prefetch(one, 1);
    broker_ack(one, a.seen[1].tag);
    settle(f);
    struct sink watching = {.ack = true};
    (void)consume(f, f->first, "q", 0, &watching);
    disconnect(&f->second);
    settle(f);
    expect_counts(f, "q", 5, 0);
    (void)consume(f, f->first, "q", 1, &rest);
    wait_count(f, &rest, 5);
    bool elder_first = strcmp(rest.seen[0].body, "1") == 0; /* over a network the consumers may come in any order */
    expect_bodies(&rest, elder_first ? "1' 3' 4' 5' 6" : "3' 4' 5' 1' 6");
    if (strcmp(url, "memory:") == 0)
        assert_true(elder_first);
    assert_int_equal(watching.count, 0);
}

static void a_closed_connection_passes_ttl0_work_on(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("dead")});
    struct sink dying = {0}, other = {0}, dead = {.ack = true};
    (void)consume(f, f->second, "q", 3, &dying);
    (void)consume(f, f->first, "dead", 10, &dead);
    settle(f);
    publish(f, "q", "1 2 3");
    wait_count(f, &dying, 3);
    (void)consume(f, f->first, "q", 1, &other);
    settle(f);
    disconnect(&f->second);
    wait_until(f, is_reached, &(struct at_least){&dead.count, 2});
    if (other.count == 0) /* a quorum queue's messages have expired when they come back: nobody gets them */
        wait_count(f, &dead, 3);
    else
        expect_bodies(&other, "1'");
    for (size_t i = 0; i < dead.count; i++) { /* RabbitMQ calls it expired; both say that nobody refused it */
        char body[] = {(char)('1' + other.count + i), '\0'};
        assert_true(strcmp(dead.seen[i].reason, "closed") == 0 || strcmp(dead.seen[i].reason, "expired") == 0);
        expect_dead(f, &dead, i, body, dead.seen[i].reason, "q");
    }
    expect_counts(f, "q", 0, other.count);
}

static void a_cancelled_consumer_gets_nothing_more(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    struct sink sink = {0}, next = {.ack = true};
    struct broker_consumer *consumer = consume(f, f->first, "q", 2, &sink);
    publish(f, "q", "1");
    wait_count(f, &sink, 1);
    broker_publish(f->first, Q("q"), 0, "2", 1, NULL, NULL); /* perhaps on its way already */
    broker_cancel(consumer);
    settle(f);
    assert_int_equal(sink.count, 1);
    (void)consume(f, f->second, "q", 5, &next);
    wait_count(f, &next, 1);
    assert_string_equal(next.seen[0].body, "2");
    disconnect(&f->first); /* what it was shown stayed its connection's until now */
    wait_count(f, &next, 2);
    assert_string_equal(next.seen[1].body, "1");
    assert_true(next.seen[1].redelivered);
}

static void unknown_queues_are_said_to_be_so(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(publish_at(f, "nowhere", 0, "x"), ERR_NOT_FOUND);
    broker_publish(f->first, Q("nowhere"), 0, "x", 1, NULL, NULL);
    struct sink sink = {0};
    assert_null(broker_consume(f->second, Q("nowhere"), 1, on_delivery, &sink));
    expect_counts(f, "nowhere", 0, 0);
}

static void a_queue_is_declared_once(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", (struct broker_queue_options){.max_length = 3});
    publish(f, "q", "kept");
    declare(f, "q", (struct broker_queue_options){.max_length = 3});
    expect_counts(f, "q", 1, 0);
    struct error error = {0};
    assert_int_equal(
        broker_declare(f->second, Q("q"), &(struct broker_queue_options){.max_length = 3, .ttl0 = true}, &error),
        ERR_CONFLICT);
    assert_non_null(strstr(error.message, Q("q")));
    expect_counts(f, "q", 1, 0);
}

struct order {
    unsigned next;
    bool wrong;
};
static struct order confirms;

static void on_ordered_confirm(void *user, enum err code)
{
    confirms.wrong |= code != ERR_OK || (uintptr_t)user != confirms.next;
    confirms.next++;
}

static bool has_all_confirms(const void *arg)
{
    (void)arg;
    return confirms.next == 100;
}

static void every_publication_is_confirmed_in_order(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    confirms = (struct order){0};
    for (uintptr_t i = 0; i < 100; i++)
        broker_publish(f->first, Q("q"), 0, "x", 1, on_ordered_confirm, (void *)i);
    wait_until(f, has_all_confirms, NULL);
    assert_false(confirms.wrong);
    expect_counts(f, "q", 100, 0);
}

static void deleting_a_queue_closes_its_contents(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    struct sink sink = {0}, dead = {.ack = true};
    publish(f, "q", "1 2 3 4 5");
    struct broker_consumer *consumer = consume(f, f->second, "q", 3, &sink);
    (void)consume(f, f->first, "dead", 10, &dead);
    wait_count(f, &sink, 3);
    broker_delete_queue(f->first, Q("q"));
    broker_delete_queue(f->first, Q("q")); /* unknown by now */
    wait_count(f, &dead, 2);
    expect_dead(f, &dead, 0, "4", "closed", "q");
    expect_dead(f, &dead, 1, "5", "closed", "q");
    assert_int_equal(publish_at(f, "q", 0, "late"), ERR_NOT_FOUND);
    declare(f, "q", PLAIN); /* a new one of that name is another queue */
    broker_ack(consumer, sink.seen[0].tag);
    broker_nack(consumer, sink.seen[1].tag, true);
    publish(f, "q", "new");
    disconnect(&f->second);
    settle(f);
    assert_int_equal(sink.count, 3);
    expect_counts(f, "q", 1, 0);
}

/* In one process nothing of a deleted queue gets lost, whoever held it. */
static void what_consumers_held_of_a_deleted_queue_is_closed(void **state)
{
    struct fixture *f = *state;
    declare(f, "dead", PLAIN);
    declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    struct sink sink = {0}, dead = {.ack = true};
    publish(f, "q", "1 2 3");
    struct broker_consumer *consumer = consume(f, f->second, "q", 3, &sink);
    (void)consume(f, f->first, "dead", 10, &dead);
    wait_count(f, &sink, 3);
    broker_delete_queue(f->first, Q("q"));
    broker_ack(consumer, sink.seen[0].tag);
    broker_nack(consumer, sink.seen[1].tag, true);
    wait_count(f, &dead, 1);
    expect_dead(f, &dead, 0, "2", "closed", "q");
    disconnect(&f->second);
    wait_count(f, &dead, 2);
    expect_dead(f, &dead, 1, "3", "closed", "q");
}

/* ---- topics */

struct topic_of {
    struct broker *broker;
    struct broker_connection *connection;
    const char *name;
};

struct heard {
    size_t count;
    char last[16];
};

static void on_message(void *user, const void *body, size_t size)
{
    struct heard *heard = user;
    heard->count++;
    (void)snprintf(heard->last, sizeof heard->last, "%.*s", (int)size, (const char *)body);
}

static void wait_heard(struct fixture *f, const struct heard *heard, size_t count, const char *last)
{
    wait_until(f, is_reached, &(struct at_least){&heard->count, count});
    assert_int_equal(heard->count, count);
    assert_string_equal(heard->last, last);
}

static bool is_unheard(const void *arg)
{
    const struct topic_of *topic = arg;
    broker_broadcast(topic->connection, topic->name, "?", 1); /* a broker elsewhere tells by what becomes of it */
    return !broker_has_subscribers(topic->broker, topic->name);
}

static void wait_unheard(struct fixture *f, const char *name)
{
    const struct name topic = name_of(f, name);
    wait_until(f, is_unheard, &(struct topic_of){f->broker, f->first, topic.text});
}

static void topics_reach_every_subscriber_that_is_there(void **state)
{
    struct fixture *f = *state;
    struct heard a = {0}, b = {0}, other = {0};
    broker_broadcast(f->first, Q("topic"), "early", 5);
    wait_unheard(f, "topic");
    broker_subscribe(f->first, Q("topic"), on_message, &a);
    broker_subscribe(f->second, Q("topic"), on_message, &b);
    broker_subscribe(f->second, Q("other"), on_message, &other);
    assert_true(broker_has_subscribers(f->broker, Q("topic")));
    settle(f);
    broker_broadcast(f->first, Q("topic"), "one", 3);
    wait_heard(f, &a, 1, "one");
    wait_heard(f, &b, 1, "one");
    broker_broadcast(f->second, Q("topic"), "two", 3);
    wait_heard(f, &a, 2, "two");
    wait_heard(f, &b, 2, "two");
    disconnect(&f->second);
    assert_true(broker_has_subscribers(f->broker, Q("topic")));
    wait_unheard(f, "other");
    broker_broadcast(f->first, Q("topic"), "three", 5);
    wait_heard(f, &a, 3, "three");
    settle(f);
    assert_int_equal(b.count, 2);
    assert_int_equal(other.count, 0);
}

/* ---- faults */

static int hooked_fault(void *user, const char *queue)
{
    const int *fault = user;
    return strstr(queue, ".q") != NULL ? *fault : 0;
}

static void faults_lose_double_and_delay(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    int fault = 1;
    broker_set_fault_hook(f->broker, hooked_fault, &fault);
    struct sink sink = {.ack = true};
    (void)consume(f, f->second, "q", 10, &sink);
    struct confirmation lost = {0}, delayed = {0}, on_the_way = {0};
    broker_publish(f->first, Q("q"), 0, "lost", 4, on_confirm, &lost);
    settle(f);
    fault = 2;
    publish(f, "q", "doubled");
    wait_count(f, &sink, 2);
    fault = 3;
    broker_publish(f->first, Q("q"), 4, "delayed", 7, on_confirm, &delayed);
    fault = 0;
    publish(f, "q", "overtaking");
    wait_count(f, &sink, 3);
    wait_count(f, &sink, 4);
    wait_until(f, is_there, &delayed);
    assert_int_equal(delayed.code, ERR_OK);
    expect_bodies(&sink, "doubled doubled overtaking delayed");
    assert_int_equal(sink.seen[3].priority, 4);
    fault = 3;
    broker_publish(f->second, Q("q"), 0, "last", 4, on_confirm, &on_the_way);
    struct sink heir = {.ack = true};
    (void)consume(f, f->first, "q", 10, &heir);
    disconnect(&f->second); /* what it had sent is in the queue all the same */
    wait_count(f, &heir, 1);
    assert_string_equal(heir.seen[0].body, "last");
    settle(f);
    assert_false(on_the_way.there); /* no callback after */
    assert_false(lost.there);
    broker_set_fault_hook(f->broker, NULL, NULL);
}

/* ---- loops and threads */

static void on_delivery_close_all(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct fixture *f = user;
    assert_string_equal(d->queue, Q("q"));
    broker_ack(consumer, d->tag);
    broker_delete_queue(f->first, Q("q"));
    disconnect(&f->second);
    disconnect(&f->first);
    broker_close(f->broker);
    f->broker = NULL;
    assert_memory_equal(d->body, "1", 1);
    assert_string_equal(d->queue, Q("q"));
}

static bool is_closed(const void *arg)
{
    const struct fixture *f = arg;
    return f->broker == NULL;
}

static void a_callback_may_close_everything(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    publish(f, "q", "1 2 3");
    assert_non_null(broker_consume(f->second, Q("q"), 3, on_delivery_close_all, f));
    wait_until(f, is_closed, f);
}

static void nothing_is_called_after_a_disconnect(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    publish(f, "q", "1");
    struct sink sink = {0};
    struct confirmation confirmation = {0};
    struct heard heard = {0};
    (void)consume(f, f->second, "q", 1, &sink);
    broker_publish(f->second, Q("q"), 0, "2", 1, on_confirm, &confirmation);
    broker_subscribe(f->second, Q("topic"), on_message, &heard);
    broker_broadcast(f->first, Q("topic"), "x", 1);
    disconnect(&f->second);
    settle(f);
    assert_int_equal(sink.count + confirmation.there + heard.count, 0);
    expect_counts(f, "q", 2, 0);
}

#define MESSAGES 3000
#define THREADS 3
struct peer {
    struct broker *broker;
    struct loop *loop;
    struct broker_connection *connection;
    atomic_uint *acked; /* of every message */
    atomic_size_t *total, *started;
    const char *queue, *topic;
    unsigned seen, dies_after; /* 0: never */
    size_t heard;
    pthread_t thread;
};

static void on_shared_delivery(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct peer *peer = user;
    unsigned i;
    assert_int_equal(d->size, sizeof i);
    memcpy(&i, d->body, sizeof i);
    if (++peer->seen == peer->dies_after) {
        disconnect(&peer->connection);
        return;
    }
    if (!d->redelivered && i % 7 == 0) {
        broker_nack(consumer, d->tag, true);
        return;
    }
    if (peer->dies_after > 0 && i % 2 == 0)
        return; /* held until the connection goes */
    atomic_fetch_add(&peer->acked[i], 1);
    atomic_fetch_add(peer->total, 1);
    broker_ack(consumer, d->tag);
}

static void on_shared_message(void *user, const void *body, size_t size)
{
    struct peer *peer = user;
    (void)body;
    peer->heard += size;
}

static void *run_peer(void *user)
{
    struct peer *peer = user;
    peer->connection = broker_connect(peer->broker, peer->loop);
    broker_subscribe(peer->connection, peer->topic, on_shared_message, peer);
    if (broker_consume(peer->connection, peer->queue, 20, on_shared_delivery, peer) == NULL)
        abort();
    atomic_fetch_add(peer->started, 1);
    loop_run(peer->loop);
    broker_disconnect(peer->connection);
    return NULL;
}

static bool has_all_started(const void *arg)
{
    return atomic_load((const atomic_size_t *)arg) == THREADS;
}

static bool is_all_done(const void *arg)
{
    return atomic_load((const atomic_size_t *)arg) == MESSAGES;
}

static void connections_on_different_loops_share_the_work(void **state)
{
    struct fixture *f = *state;
    declare(f, "q", PLAIN);
    const struct name queue = name_of(f, "q"), topic = name_of(f, "topic");
    atomic_uint *acked = mem_array(MESSAGES, sizeof *acked);
    atomic_size_t total = 0, started = 0;
    struct peer peers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        peers[i] =
            (struct peer){.broker = f->broker,
                          .loop = loop_new(),
                          .acked = acked,
                          .total = &total,
                          .queue = queue.text,
                          .topic = topic.text,
                          .started = &started,
                          .dies_after = i == 0 ? 10 : 0}; /* in turn, it gets its ten before the others run out */
        assert_int_equal(pthread_create(&peers[i].thread, NULL, run_peer, &peers[i]), 0);
    }
    wait_until(f, has_all_started, &started);
    confirms = (struct order){0};
    for (unsigned i = 0; i < MESSAGES; i++) {
        broker_publish(f->first, queue.text, (int)(i % 3), &i, sizeof i, i < 100 ? on_ordered_confirm : NULL,
                       (void *)(uintptr_t)i);
        if (i % 100 == 0)
            broker_broadcast(f->first, topic.text, "x", 1);
        (void)broker_queue_depth(f->broker, queue.text);
    }
    wait_until(f, is_all_done, &total);
    wait_until(f, has_all_confirms, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        loop_stop(peers[i].loop);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(peers[i].thread, NULL), 0);
        loop_free(peers[i].loop);
        assert_true(peers[i].heard <= MESSAGES / 100);
    }
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_int_equal(acked[i], 1);
    assert_false(confirms.wrong);
    assert_int_equal(peers[0].seen, 10); /* it did go in the middle of its work */
    expect_counts(f, "q", 0, 0);
    free(acked);
}

/* ---- memory: only */

static void on_the_virtual_loop_time_is_given(void **state)
{
    (void)state;
    struct broker *broker = NULL;
    struct error error = {0};
    assert_int_equal(broker_open(url, "caudal", &broker, &error), ERR_OK);
    struct loop *loop = loop_virtual_new(1000);
    struct broker_connection *connection = broker_connect(broker, loop);
    assert_int_equal(broker_declare(connection, "a.q", &PLAIN, &error), ERR_OK);
    struct sink sink = {.ack = true};
    int fault = 3;
    broker_set_fault_hook(broker, hooked_fault, &fault);
    assert_non_null(broker_consume(connection, "a.q", 1, on_delivery, &sink));
    broker_publish(connection, "a.q", 0, "late", 4, NULL, NULL);
    fault = 0;
    broker_publish(connection, "a.q", 99, "high", 4, NULL, NULL);
    while (loop_virtual_step(loop, 1000))
        ;
    expect_bodies(&sink, "high");
    assert_int_equal(sink.seen[0].priority, 9);
    while (loop_virtual_step(loop, 2000))
        ;
    expect_bodies(&sink, "high late");
    broker_publish(connection, "a.q", -1, "never called", 12, NULL, NULL);
    broker_disconnect(connection);
    broker_close(broker);
    while (loop_virtual_step(loop, 3000)) /* nothing may be left that knows the broker */
        ;
    loop_free(loop);
    assert_int_equal(sink.count, 2);
}

static void other_urls_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "carrier-pigeon:", "memory:x"};
    for (size_t i = 0; i < 3; i++) {
        struct broker *broker = NULL;
        struct error error = {0};
        assert_int_equal(broker_open(urls[i], "caudal", &broker, &error), ERR_VALIDATION);
        assert_string_equal(error.field, "RABBITMQ_URL");
        assert_null(broker);
    }
    broker_close(NULL);
    broker_disconnect(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest every[] = {TEST(first_in_first_out_within_a_priority),
                                       TEST(bodies_are_any_bytes_and_copied),
                                       TEST(what_comes_back_too_often_is_dead_lettered),
                                       TEST(a_consumer_holds_at_most_its_prefetch),
                                       TEST(set_prefetch_stops_and_resumes),
                                       TEST(requeued_deliveries_come_again),
                                       TEST(refused_deliveries_are_dead_lettered_as_rejected),
                                       TEST(ttl0_passes_on_what_nobody_takes_at_once),
                                       TEST(dead_letters_do_not_go_in_circles),
                                       TEST(a_full_queue_refuses),
                                       TEST(single_active_lets_only_the_longest_standing_receive),
                                       TEST(a_closed_connection_gives_back_in_order),
                                       TEST(a_closed_connection_passes_ttl0_work_on),
                                       TEST(a_cancelled_consumer_gets_nothing_more),
                                       TEST(unknown_queues_are_said_to_be_so),
                                       TEST(a_queue_is_declared_once),
                                       TEST(every_publication_is_confirmed_in_order),
                                       TEST(deleting_a_queue_closes_its_contents),
                                       TEST(topics_reach_every_subscriber_that_is_there),
                                       TEST(faults_lose_double_and_delay),
                                       TEST(a_callback_may_close_everything),
                                       TEST(nothing_is_called_after_a_disconnect),
                                       TEST(connections_on_different_loops_share_the_work)};
    const struct CMUnitTest own[] = {
        TEST(higher_priorities_come_first), TEST(requeued_deliveries_go_back_to_their_place),
        TEST(what_consumers_held_of_a_deleted_queue_is_closed), cmocka_unit_test(on_the_virtual_loop_time_is_given),
        cmocka_unit_test(other_urls_are_refused)};
    (void)alarm(HANG_SECONDS);
    url = "memory:";
    int failed = cmocka_run_group_tests_name("memory:", every, NULL, NULL) +
                 cmocka_run_group_tests_name("memory:, its own", own, NULL, NULL);
    (void)alarm(START_SECONDS);
    struct test_rabbitmq *server = test_rabbitmq_start(1);
    (void)alarm(HANG_SECONDS);
    url = test_rabbitmq_url(server);
    failed += cmocka_run_group_tests_name("amqp:", every, NULL, NULL);
    test_rabbitmq_stop(server);
    return failed;
}
