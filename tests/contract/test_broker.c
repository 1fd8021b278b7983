/* The broker's contract, sentence by sentence, on every back end: memory:, and a RabbitMQ that the test starts. */
#include "support/broker_kit.h"
#include "support/rabbitmq.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_SECONDS 200
#define HANG_SECONDS 240 /* the whole program is ended then: a condition never came */

/* ---- queues */

static void publish_forty(struct broker_kit *f)
{
    kit_declare(f, "q", (struct broker_queue_options){.priorities = 10});
    for (int i = 0; i < 40; i++) {
        char body[8];
        (void)snprintf(body, sizeof body, "%d", i);
        assert_int_equal(kit_publish_at(f, "q", i % 10, body), ERR_OK);
    }
    kit_expect_counts(f, "q", 40, 0);
}

static void first_in_first_out_within_a_priority(void **state)
{
    struct broker_kit *f = *state;
    publish_forty(f);
    struct kit_sink sink = {.ack = true};
    (void)kit_consume(f, f->first, "q", 1, &sink);
    kit_wait_count(f, &sink, 40);
    int next[10] = {0};
    for (int i = 0; i < 40; i++) {
        int priority = sink.seen[i].priority;
        assert_in_range(priority, 0, 9);
        assert_int_equal(atoi(sink.seen[i].body), priority + 10 * next[priority]++);
        assert_false(sink.seen[i].redelivered);
        assert_string_equal(sink.seen[i].queue, Q("q"));
        assert_string_equal(sink.seen[i].reason, "");
    }
    kit_settle(f);
    kit_expect_counts(f, "q", 0, 0);
}

/* In one process; over a network a consumer holds some of each priority. */
static void higher_priorities_come_first(void **state)
{
    struct broker_kit *f = *state;
    publish_forty(f);
    struct kit_sink sink = {.ack = true}, flat = {.ack = true};
    (void)kit_consume(f, f->first, "q", 1, &sink);
    kit_wait_count(f, &sink, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(sink.seen[i].priority, 9 - i / 4);
    kit_declare(f, "flat", PLAIN);
    assert_int_equal(kit_publish_at(f, "flat", 0, "1"), ERR_OK);
    assert_int_equal(kit_publish_at(f, "flat", 9, "2"), ERR_OK); /* told, but no reason to overtake */
    (void)kit_consume(f, f->first, "flat", 1, &flat);
    kit_wait_count(f, &flat, 2);
    kit_expect_bodies(&flat, "1 2");
    assert_int_equal(flat.seen[1].priority, 9);
}

static void what_comes_back_too_often_is_dead_lettered(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.delivery_limit = 2, .dead_letter_queue = Q("dead")});
    struct kit_sink sink = {0}, dead = {.ack = true};
    kit_publish(f, "q", "x");
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 1, &sink);
    for (size_t i = 0; i < 3; i++) {
        kit_wait_count(f, &sink, i + 1);
        broker_nack(consumer, sink.seen[i].tag, true);
    }
    (void)kit_consume(f, f->second, "dead", 1, &dead);
    kit_wait_count(f, &dead, 1);
    kit_expect_dead(f, &dead, 0, "x", "delivery_limit", "q");
    kit_settle(f);
    assert_int_equal(sink.count, 3);
}

static void bodies_are_any_bytes_and_copied(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    struct kit_sink sink = {.ack = true};
    char body[] = "abc";
    broker_publish(f->first, Q("q"), 0, body, 3, NULL, NULL);
    memset(body, 'x', 3);
    broker_publish(f->first, Q("q"), 0, NULL, 0, NULL, NULL);
    (void)kit_consume(f, f->second, "q", 5, &sink);
    kit_wait_count(f, &sink, 2);
    kit_expect_bodies(&sink, "abc ");
}

static void a_consumer_holds_at_most_its_prefetch(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    kit_publish(f, "q", "1 2 3 4 5");
    struct kit_sink sink = {0};
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 3, &sink);
    kit_wait_count(f, &sink, 3);
    kit_settle(f);
    kit_expect_bodies(&sink, "1 2 3");
    kit_expect_counts(f, "q", 2, 3);
    broker_ack(consumer, sink.seen[1].tag);
    broker_ack(consumer, sink.seen[1].tag); /* a second time, or a tag that never was, frees no place */
    broker_ack(consumer, UINT64_MAX);
    kit_wait_count(f, &sink, 4);
    kit_settle(f);
    kit_expect_bodies(&sink, "1 2 3 4");
    kit_expect_counts(f, "q", 1, 3);
}

static void set_prefetch_stops_and_resumes(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    struct kit_sink sink = {0};
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 0, &sink);
    kit_publish(f, "q", "1 2 3 4");
    kit_settle(f);
    kit_expect_bodies(&sink, "");
    broker_consumer_set_prefetch(consumer, 1);
    kit_wait_count(f, &sink, 1);
    broker_consumer_set_prefetch(consumer, 0);
    broker_ack(consumer, sink.seen[0].tag);
    kit_settle(f);
    kit_expect_bodies(&sink, "1");
    kit_expect_counts(f, "q", 3, 0);
    broker_consumer_set_prefetch(consumer, 2);
    kit_wait_count(f, &sink, 3);
    kit_settle(f);
    kit_expect_bodies(&sink, "1 2 3");
}

static void give_back_three_of_five(struct broker_kit *f, struct kit_sink *again)
{
    kit_declare(f, "q", PLAIN);
    kit_publish(f, "q", "1 2 3 4 5");
    struct kit_sink sink = {0};
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 3, &sink);
    kit_wait_count(f, &sink, 3);
    broker_consumer_set_prefetch(consumer, 0);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++)
        broker_nack(consumer, sink.seen[order[i]].tag, true);
    kit_settle(f);
    kit_expect_counts(f, "q", 5, 0);
    (void)kit_consume(f, f->second, "q", 1, again);
    kit_wait_count(f, again, 5);
}

static void requeued_deliveries_come_again(void **state)
{
    struct broker_kit *f = *state;
    struct kit_sink again = {.ack = true};
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
    struct broker_kit *f = *state;
    struct kit_sink again = {.ack = true};
    give_back_three_of_five(f, &again);
    kit_expect_bodies(&again, "1' 2' 3' 4 5");
}

static void refused_deliveries_are_dead_lettered_as_rejected(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    kit_declare(f, "no way out", PLAIN);
    struct kit_sink sink = {0}, dropped = {0}, dead = {.ack = true};
    assert_int_equal(kit_publish_at(f, "q", 7, "a"), ERR_OK);
    kit_publish(f, "no way out", "b");
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 1, &sink),
                           *other = kit_consume(f, f->first, "no way out", 1, &dropped);
    kit_wait_count(f, &sink, 1);
    kit_wait_count(f, &dropped, 1);
    broker_nack(consumer, sink.seen[0].tag, true); /* redelivered, but in the queue of the dead it is new */
    kit_wait_count(f, &sink, 2);
    broker_nack(consumer, sink.seen[1].tag, false);
    broker_nack(other, dropped.seen[0].tag, false);
    (void)kit_consume(f, f->second, "dead", 5, &dead);
    kit_wait_count(f, &dead, 1);
    kit_expect_dead(f, &dead, 0, "a", "rejected", "q");
    assert_int_equal(dead.seen[0].priority, 7);
    assert_string_equal(dead.seen[0].queue, Q("dead"));
    kit_settle(f);
    kit_expect_counts(f, "q", 0, 0);
    kit_expect_counts(f, "no way out", 0, 0);
    assert_int_equal(dropped.count, 1);
}

static void ttl0_passes_on_what_nobody_takes_at_once(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("dead")});
    struct kit_sink sink = {0}, dead = {.ack = true};
    (void)kit_consume(f, f->second, "dead", 10, &dead);
    kit_publish(f, "q", "nobody");
    kit_wait_count(f, &dead, 1);
    kit_expect_dead(f, &dead, 0, "nobody", "expired", "q");
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 1, &sink);
    kit_settle(f);
    kit_publish(f, "q", "room full");
    kit_wait_count(f, &sink, 1);
    kit_wait_count(f, &dead, 2);
    kit_expect_bodies(&sink, "room");
    kit_expect_dead(f, &dead, 1, "full", "expired", "q");
    broker_consumer_set_prefetch(consumer, 0);
    broker_nack(consumer, sink.seen[0].tag, true); /* given back, and nobody else there */
    kit_wait_count(f, &dead, 3);
    kit_expect_dead(f, &dead, 2, "room", "expired", "q");
    kit_expect_counts(f, "q", 0, 0);
}

static void dead_letters_do_not_go_in_circles(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "a", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("b")});
    kit_declare(f, "b", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("a")});
    kit_declare(f, "work", (struct broker_queue_options){.dead_letter_queue = Q("again")});
    kit_declare(f, "again", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("work")});
    kit_publish(f, "a", "x");
    kit_settle(f);
    kit_expect_counts(f, "a", 0, 0);
    kit_expect_counts(f, "b", 0, 0);
    struct kit_sink sink = {0};
    struct broker_consumer *consumer = kit_consume(f, f->first, "work", 1, &sink);
    kit_publish(f, "work", "y");
    kit_wait_count(f, &sink, 1);
    broker_nack(consumer, sink.seen[0].tag, false); /* rejected by somebody: it may come round */
    kit_wait_count(f, &sink, 2);
    kit_expect_dead(f, &sink, 1, "y", "expired", "again");
}

static void a_full_queue_refuses(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", (struct broker_queue_options){.max_length = 2});
    kit_publish(f, "q", "1 2");
    assert_int_equal(kit_publish_at(f, "q", 9, "3"), ERR_UNAVAILABLE);
    broker_publish(f->first, Q("q"), 0, "4", 1, NULL, NULL); /* refused too, without a word */
    struct kit_sink sink = {.ack = true};
    (void)kit_consume(f, f->second, "q", 1, &sink);
    kit_wait_count(f, &sink, 2);
    kit_publish(f, "q", "5");
    kit_wait_count(f, &sink, 3);
    kit_expect_bodies(&sink, "1 2 5");
}

static void single_active_lets_only_the_longest_standing_receive(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", (struct broker_queue_options){.single_active = true});
    struct kit_sink a = {0}, b = {0}, c = {.ack = true};
    struct broker_consumer *first = kit_consume(f, f->first, "q", 2, &a);
    kit_settle(f);
    (void)kit_consume(f, f->second, "q", 2, &b);
    kit_settle(f);
    kit_publish(f, "q", "1 2 3 4 5");
    kit_wait_count(f, &a, 2);
    kit_settle(f);
    kit_expect_bodies(&b, ""); /* though the first is full */
    broker_cancel(first);
    kit_wait_count(f, &b, 2);
    kit_expect_bodies(&b, "3 4");
    broker_ack(first, a.seen[0].tag); /* a cancelled one may still acknowledge */
    kit_settle(f);
    kit_expect_counts(f, "q", 1, 3);
    (void)kit_consume(f, f->first, "q", 1, &c);
    kit_settle(f);
    kit_expect_bodies(&c, "");
    kit_disconnect(&f->second); /* what it held goes on in order, to the next */
    kit_wait_count(f, &c, 3);
    kit_expect_bodies(&c, "3' 4' 5");
}

/* Whoever is asked to stop keeps its place until it is cancelled, with what it holds written down; then the next one
 * goes on right behind. */
static void single_active_is_handed_over_in_order(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", (struct broker_queue_options){.single_active = true});
    struct kit_sink a = {0}, b = {.ack = true};
    struct broker_consumer *first = kit_consume(f, f->first, "q", 2, &a);
    kit_settle(f);
    (void)kit_consume(f, f->second, "q", 2, &b);
    kit_settle(f);
    kit_publish(f, "q", "1 2 3 4 5 6");
    kit_wait_count(f, &a, 2);
    broker_consumer_set_prefetch(first, 0);
    kit_settle(f);
    kit_expect_bodies(&b, "");
    for (int i = 0; i < 2; i++) {
        broker_ack(first, a.seen[i].tag);
        kit_settle(f);
        kit_expect_bodies(&a, "1 2");
        kit_expect_bodies(&b, "");
    }
    broker_cancel(first);
    kit_wait_count(f, &b, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(b.seen[i].body[0], (char)('3' + i));
    kit_expect_bodies(&a, "1 2");
}

static void a_closed_connection_gives_back_in_order(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    kit_publish(f, "q", "1 2 3 4 5 6");
    struct kit_sink a = {0}, b = {0}, rest = {.ack = true};
    struct broker_consumer *one = kit_consume(f, f->second, "q", 2, &a);
    kit_wait_count(f, &a, 2);
    (void)kit_consume(f, f->second, "q", 3, &b);
    kit_wait_count(f, &b, 3);
    broker_consumer_set_prefetch(one, 1);
    broker_ack(one, a.seen[1].tag);
    kit_settle(f);
    struct kit_sink watching = {.ack = true};
    (void)kit_consume(f, f->first, "q", 0, &watching);
    kit_disconnect(&f->second);
    kit_settle(f);
    kit_expect_counts(f, "q", 5, 0);
    (void)kit_consume(f, f->first, "q", 1, &rest);
    kit_wait_count(f, &rest, 5);
    bool elder_first = strcmp(rest.seen[0].body, "1") == 0; /* over a network the consumers may come in any order */
    kit_expect_bodies(&rest, elder_first ? "1' 3' 4' 5' 6" : "3' 4' 5' 1' 6");
    if (strcmp(kit_url, "memory:") == 0)
        assert_true(elder_first);
    assert_int_equal(watching.count, 0);
}

static void a_closed_connection_passes_ttl0_work_on(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.ttl0 = true, .dead_letter_queue = Q("dead")});
    struct kit_sink dying = {0}, other = {0}, dead = {.ack = true};
    (void)kit_consume(f, f->second, "q", 3, &dying);
    (void)kit_consume(f, f->first, "dead", 10, &dead);
    kit_settle(f);
    kit_publish(f, "q", "1 2 3");
    kit_wait_count(f, &dying, 3);
    (void)kit_consume(f, f->first, "q", 1, &other);
    kit_settle(f);
    kit_disconnect(&f->second);
    kit_wait_until(f, kit_is_reached, &(struct kit_at_least){&dead.count, 2});
    if (other.count == 0) /* a quorum queue's messages have expired when they come back: nobody gets them */
        kit_wait_count(f, &dead, 3);
    else
        kit_expect_bodies(&other, "1'");
    for (size_t i = 0; i < dead.count; i++) { /* RabbitMQ calls it expired; both say that nobody refused it */
        char body[] = {(char)('1' + other.count + i), '\0'};
        assert_true(strcmp(dead.seen[i].reason, "closed") == 0 || strcmp(dead.seen[i].reason, "expired") == 0);
        kit_expect_dead(f, &dead, i, body, dead.seen[i].reason, "q");
    }
    kit_expect_counts(f, "q", 0, other.count);
}

static void a_cancelled_consumer_gets_nothing_more(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    struct kit_sink sink = {0}, next = {.ack = true};
    struct broker_consumer *consumer = kit_consume(f, f->first, "q", 2, &sink);
    kit_publish(f, "q", "1");
    kit_wait_count(f, &sink, 1);
    broker_publish(f->first, Q("q"), 0, "2", 1, NULL, NULL); /* perhaps on its way already */
    broker_cancel(consumer);
    kit_settle(f);
    assert_int_equal(sink.count, 1);
    (void)kit_consume(f, f->second, "q", 5, &next);
    kit_wait_count(f, &next, 1);
    assert_string_equal(next.seen[0].body, "2");
    kit_disconnect(&f->first); /* what it was shown stayed its connection's until now */
    kit_wait_count(f, &next, 2);
    assert_string_equal(next.seen[1].body, "1");
    assert_true(next.seen[1].redelivered);
}

static void unknown_queues_are_said_to_be_so(void **state)
{
    struct broker_kit *f = *state;
    assert_int_equal(kit_publish_at(f, "nowhere", 0, "x"), ERR_NOT_FOUND);
    broker_publish(f->first, Q("nowhere"), 0, "x", 1, NULL, NULL);
    struct kit_sink sink = {0};
    assert_null(broker_consume(f->second, Q("nowhere"), 1, kit_on_delivery, &sink));
    kit_expect_counts(f, "nowhere", 0, 0);
}

static void a_queue_is_declared_once(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", (struct broker_queue_options){.max_length = 3});
    kit_publish(f, "q", "kept");
    kit_declare(f, "q", (struct broker_queue_options){.max_length = 3});
    kit_expect_counts(f, "q", 1, 0);
    struct error error = {0};
    assert_int_equal(
        broker_declare(f->second, Q("q"), &(struct broker_queue_options){.max_length = 3, .ttl0 = true}, &error),
        ERR_CONFLICT);
    assert_non_null(strstr(error.message, Q("q")));
    kit_expect_counts(f, "q", 1, 0);
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
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    confirms = (struct order){0};
    for (uintptr_t i = 0; i < 100; i++)
        broker_publish(f->first, Q("q"), 0, "x", 1, on_ordered_confirm, (void *)i);
    kit_wait_until(f, has_all_confirms, NULL);
    assert_false(confirms.wrong);
    kit_expect_counts(f, "q", 100, 0);
}

static void deleting_a_queue_closes_its_contents(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    struct kit_sink sink = {0}, dead = {.ack = true};
    kit_publish(f, "q", "1 2 3 4 5");
    struct broker_consumer *consumer = kit_consume(f, f->second, "q", 3, &sink);
    (void)kit_consume(f, f->first, "dead", 10, &dead);
    kit_wait_count(f, &sink, 3);
    broker_delete_queue(f->first, Q("q"));
    broker_delete_queue(f->first, Q("q")); /* unknown by now */
    kit_wait_count(f, &dead, 2);
    kit_expect_dead(f, &dead, 0, "4", "closed", "q");
    kit_expect_dead(f, &dead, 1, "5", "closed", "q");
    assert_int_equal(kit_publish_at(f, "q", 0, "late"), ERR_NOT_FOUND);
    kit_declare(f, "q", PLAIN); /* a new one of that name is another queue */
    broker_ack(consumer, sink.seen[0].tag);
    broker_nack(consumer, sink.seen[1].tag, true);
    kit_publish(f, "q", "new");
    kit_disconnect(&f->second);
    kit_settle(f);
    assert_int_equal(sink.count, 3);
    kit_expect_counts(f, "q", 1, 0);
}

/* In one process nothing of a deleted queue gets lost, whoever held it. */
static void what_consumers_held_of_a_deleted_queue_is_closed(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "dead", PLAIN);
    kit_declare(f, "q", (struct broker_queue_options){.dead_letter_queue = Q("dead")});
    struct kit_sink sink = {0}, dead = {.ack = true};
    kit_publish(f, "q", "1 2 3");
    struct broker_consumer *consumer = kit_consume(f, f->second, "q", 3, &sink);
    (void)kit_consume(f, f->first, "dead", 10, &dead);
    kit_wait_count(f, &sink, 3);
    broker_delete_queue(f->first, Q("q"));
    broker_ack(consumer, sink.seen[0].tag);
    broker_nack(consumer, sink.seen[1].tag, true);
    kit_wait_count(f, &dead, 1);
    kit_expect_dead(f, &dead, 0, "2", "closed", "q");
    kit_disconnect(&f->second);
    kit_wait_count(f, &dead, 2);
    kit_expect_dead(f, &dead, 1, "3", "closed", "q");
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

static void wait_heard(struct broker_kit *f, const struct heard *heard, size_t count, const char *last)
{
    kit_wait_until(f, kit_is_reached, &(struct kit_at_least){&heard->count, count});
    assert_int_equal(heard->count, count);
    assert_string_equal(heard->last, last);
}

static bool is_unheard(const void *arg)
{
    const struct topic_of *topic = arg;
    broker_broadcast(topic->connection, topic->name, "?", 1); /* a broker elsewhere tells by what becomes of it */
    return !broker_has_subscribers(topic->broker, topic->name);
}

static void wait_unheard(struct broker_kit *f, const char *name)
{
    const struct kit_name topic = kit_name_of(f, name);
    kit_wait_until(f, is_unheard, &(struct topic_of){f->broker, f->first, topic.text});
}

static void topics_reach_every_subscriber_that_is_there(void **state)
{
    struct broker_kit *f = *state;
    struct heard a = {0}, b = {0}, other = {0};
    broker_broadcast(f->first, Q("topic"), "early", 5);
    wait_unheard(f, "topic");
    broker_subscribe(f->first, Q("topic"), on_message, &a);
    broker_subscribe(f->second, Q("topic"), on_message, &b);
    broker_subscribe(f->second, Q("other"), on_message, &other);
    assert_true(broker_has_subscribers(f->broker, Q("topic")));
    kit_settle(f);
    broker_broadcast(f->first, Q("topic"), "one", 3);
    wait_heard(f, &a, 1, "one");
    wait_heard(f, &b, 1, "one");
    broker_broadcast(f->second, Q("topic"), "two", 3);
    wait_heard(f, &a, 2, "two");
    wait_heard(f, &b, 2, "two");
    kit_disconnect(&f->second);
    assert_true(broker_has_subscribers(f->broker, Q("topic")));
    wait_unheard(f, "other");
    broker_broadcast(f->first, Q("topic"), "three", 5);
    wait_heard(f, &a, 3, "three");
    kit_settle(f);
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
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    int fault = 1;
    broker_set_fault_hook(f->broker, hooked_fault, &fault);
    struct kit_sink sink = {.ack = true};
    (void)kit_consume(f, f->second, "q", 10, &sink);
    struct kit_confirmation lost = {0}, delayed = {0}, on_the_way = {0};
    broker_publish(f->first, Q("q"), 0, "lost", 4, kit_on_confirm, &lost);
    kit_settle(f);
    fault = 2;
    kit_publish(f, "q", "doubled");
    kit_wait_count(f, &sink, 2);
    fault = 3;
    broker_publish(f->first, Q("q"), 4, "delayed", 7, kit_on_confirm, &delayed);
    fault = 0;
    kit_publish(f, "q", "overtaking");
    kit_wait_count(f, &sink, 3);
    kit_wait_count(f, &sink, 4);
    kit_wait_until(f, kit_is_there, &delayed);
    assert_int_equal(delayed.code, ERR_OK);
    kit_expect_bodies(&sink, "doubled doubled overtaking delayed");
    assert_int_equal(sink.seen[3].priority, 4);
    fault = 3;
    broker_publish(f->second, Q("q"), 0, "last", 4, kit_on_confirm, &on_the_way);
    struct kit_sink heir = {.ack = true};
    (void)kit_consume(f, f->first, "q", 10, &heir);
    kit_disconnect(&f->second); /* what it had sent is in the queue all the same */
    kit_wait_count(f, &heir, 1);
    assert_string_equal(heir.seen[0].body, "last");
    kit_settle(f);
    assert_false(on_the_way.there); /* no callback after */
    assert_false(lost.there);
    broker_set_fault_hook(f->broker, NULL, NULL);
}

/* ---- loops and threads */

static void on_delivery_close_all(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct broker_kit *f = user;
    assert_string_equal(d->queue, Q("q"));
    broker_ack(consumer, d->tag);
    broker_delete_queue(f->first, Q("q"));
    kit_disconnect(&f->second);
    kit_disconnect(&f->first);
    broker_close(f->broker);
    f->broker = NULL;
    assert_memory_equal(d->body, "1", 1);
    assert_string_equal(d->queue, Q("q"));
}

static bool is_closed(const void *arg)
{
    const struct broker_kit *f = arg;
    return f->broker == NULL;
}

static void a_callback_may_close_everything(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    kit_publish(f, "q", "1 2 3");
    assert_non_null(broker_consume(f->second, Q("q"), 3, on_delivery_close_all, f));
    kit_wait_until(f, is_closed, f);
}

static void nothing_is_called_after_a_disconnect(void **state)
{
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    kit_publish(f, "q", "1");
    struct kit_sink sink = {0};
    struct kit_confirmation confirmation = {0};
    struct heard heard = {0};
    (void)kit_consume(f, f->second, "q", 1, &sink);
    broker_publish(f->second, Q("q"), 0, "2", 1, kit_on_confirm, &confirmation);
    broker_subscribe(f->second, Q("topic"), on_message, &heard);
    broker_broadcast(f->first, Q("topic"), "x", 1);
    kit_disconnect(&f->second);
    kit_settle(f);
    assert_int_equal(sink.count + confirmation.there + heard.count, 0);
    kit_expect_counts(f, "q", 2, 0);
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
        kit_disconnect(&peer->connection);
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
    struct broker_kit *f = *state;
    kit_declare(f, "q", PLAIN);
    const struct kit_name queue = kit_name_of(f, "q"), topic = kit_name_of(f, "topic");
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
    kit_wait_until(f, has_all_started, &started);
    confirms = (struct order){0};
    for (unsigned i = 0; i < MESSAGES; i++) {
        broker_publish(f->first, queue.text, (int)(i % 3), &i, sizeof i, i < 100 ? on_ordered_confirm : NULL,
                       (void *)(uintptr_t)i);
        if (i % 100 == 0)
            broker_broadcast(f->first, topic.text, "x", 1);
        (void)broker_queue_depth(f->broker, queue.text);
    }
    kit_wait_until(f, is_all_done, &total);
    kit_wait_until(f, has_all_confirms, NULL);
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
    kit_expect_counts(f, "q", 0, 0);
    free(acked);
}

/* ---- memory: only */

static void on_the_virtual_loop_time_is_given(void **state)
{
    (void)state;
    struct broker *broker = NULL;
    struct error error = {0};
    assert_int_equal(broker_open(kit_url, "caudal", &broker, &error), ERR_OK);
    struct loop *loop = loop_virtual_new(1000);
    struct broker_connection *connection = broker_connect(broker, loop);
    assert_int_equal(broker_declare(connection, "a.q", &PLAIN, &error), ERR_OK);
    struct kit_sink sink = {.ack = true};
    int fault = 3;
    broker_set_fault_hook(broker, hooked_fault, &fault);
    assert_non_null(broker_consume(connection, "a.q", 1, kit_on_delivery, &sink));
    broker_publish(connection, "a.q", 0, "late", 4, NULL, NULL);
    fault = 0;
    broker_publish(connection, "a.q", 99, "high", 4, NULL, NULL);
    while (loop_virtual_step(loop, 1000))
        ;
    kit_expect_bodies(&sink, "high");
    assert_int_equal(sink.seen[0].priority, 9);
    while (loop_virtual_step(loop, 2000))
        ;
    kit_expect_bodies(&sink, "high late");
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_set_up, kit_tear_down)

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
                                       TEST(single_active_is_handed_over_in_order),
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
    kit_url = "memory:";
    int failed = cmocka_run_group_tests_name("memory:", every, NULL, NULL) +
                 cmocka_run_group_tests_name("memory:, its own", own, NULL, NULL);
    (void)alarm(START_SECONDS);
    struct test_rabbitmq *server = test_rabbitmq_start(1);
    (void)alarm(HANG_SECONDS);
    kit_url = test_rabbitmq_url(server);
    failed += cmocka_run_group_tests_name("amqp:", every, NULL, NULL);
    test_rabbitmq_stop(server);
    return failed;
}
