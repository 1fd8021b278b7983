#include "support/broker_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *kit_url;

/* ---- waiting */

static void on_turn(void *user)
{
    struct broker_kit *f = user;
    if (f->until(f->until_arg))
        loop_stop(f->loop);
    else
        loop_timer_set(f->turn, 1);
}

void kit_wait_until(struct broker_kit *f, bool (*until)(const void *arg), const void *arg)
{
    f->until = until;
    f->until_arg = arg;
    loop_timer_set(f->turn, 0);
    loop_run(f->loop);
}

bool kit_is_reached(const void *arg)
{
    const struct kit_at_least *at_least = arg;
    return *at_least->value >= at_least->least;
}

void kit_wait_count(struct broker_kit *f, const struct kit_sink *sink, size_t count)
{
    kit_wait_until(f, kit_is_reached, &(struct kit_at_least){&sink->count, count});
    assert_int_equal(sink->count, count);
}

static bool has_all_markers(const void *arg)
{
    const struct broker_kit *f = arg;
    return f->markers_seen == f->markers_sent;
}

/* ---- the broker in few words */

struct kit_name kit_name_of(const struct broker_kit *f, const char *name)
{
    struct kit_name full;
    (void)snprintf(full.text, sizeof full.text, "test.%s.%s", f->prefix, name);
    return full;
}

void kit_declare(struct broker_kit *f, const char *name, struct broker_queue_options options)
{
    struct error error = {0};
    if (broker_declare(f->first, Q(name), &options, &error) != ERR_OK)
        fail_msg("%s", error.message);
}

void kit_on_confirm(void *user, enum err code)
{
    struct kit_confirmation *confirmation = user;
    assert_false(confirmation->there);
    *confirmation = (struct kit_confirmation){true, code};
}

bool kit_is_there(const void *arg)
{
    const struct kit_confirmation *confirmation = arg;
    return confirmation->there;
}

enum err kit_publish_at(struct broker_kit *f, const char *name, int priority, const char *body)
{
    struct kit_confirmation confirmation = {0};
    broker_publish(f->first, Q(name), priority, body, strlen(body), kit_on_confirm, &confirmation);
    kit_wait_until(f, kit_is_there, &confirmation);
    return confirmation.code;
}

void kit_publish(struct broker_kit *f, const char *name, const char *bodies)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", bodies);
    char *rest = text;
    for (char *body; (body = strtok_r(rest, " ", &rest)) != NULL;)
        assert_int_equal(kit_publish_at(f, name, 0, body), ERR_OK);
}

static void record(struct kit_sink *sink, const struct broker_delivery *d)
{
    assert_true(sink->count < KIT_SEEN_MAX);
    struct kit_seen *seen = &sink->seen[sink->count++];
    *seen = (struct kit_seen){.tag = d->tag, .priority = d->priority, .redelivered = d->redelivered};
    (void)snprintf(seen->body, sizeof seen->body, "%.*s", (int)d->size, (const char *)d->body);
    (void)snprintf(seen->queue, sizeof seen->queue, "%s", d->queue);
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", d->dead_reason == NULL ? "" : d->dead_reason);
    (void)snprintf(seen->from, sizeof seen->from, "%s", d->dead_from == NULL ? "" : d->dead_from);
}

void kit_on_delivery(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct kit_sink *sink = user;
    if (sink->ack)
        broker_ack(consumer, d->tag);
    record(sink, d); /* what it lends stays good after the acknowledgement */
}

struct broker_consumer *kit_consume(struct broker_kit *f, struct broker_connection *connection, const char *name,
                                    unsigned prefetch, struct kit_sink *sink)
{
    struct broker_consumer *consumer = broker_consume(connection, Q(name), prefetch, kit_on_delivery, sink);
    assert_non_null(consumer);
    return consumer;
}

static void on_marker(void *user, struct broker_consumer *consumer, const struct broker_delivery *d)
{
    struct broker_kit *f = user;
    f->markers_seen++;
    broker_ack(consumer, d->tag);
}

void kit_settle(struct broker_kit *f)
{
    for (int i = 0; i < 3; i++) {
        f->markers_sent++;
        broker_publish(f->first, Q("markers"), 0, "m", 1, NULL, NULL);
        kit_wait_until(f, has_all_markers, f);
    }
}

void kit_expect_bodies(const struct kit_sink *sink, const char *bodies)
{
    char text[1024] = "";
    for (size_t i = 0; i < sink->count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", i == 0 ? "" : " ", sink->seen[i].body,
                       sink->seen[i].redelivered ? "'" : "");
    assert_string_equal(text, bodies);
}

void kit_expect_dead(struct broker_kit *f, const struct kit_sink *sink, size_t i, const char *body, const char *reason,
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
void kit_expect_counts(struct broker_kit *f, const char *name, size_t ready, size_t unacked)
{
    const struct kit_name queue = kit_name_of(f, name);
    kit_wait_until(f, has_depth, &(struct counts){f->broker, queue.text, ready});
    assert_int_equal(broker_queue_unacked(f->broker, queue.text), unacked);
}

void kit_disconnect(struct broker_connection **connection)
{
    broker_disconnect(*connection);
    *connection = NULL;
}

int kit_set_up(void **state)
{
    struct broker_kit *f = mem_alloc(sizeof *f);
    struct error error = {0};
    if (broker_open(kit_url, "caudal", &f->broker, &error) != ERR_OK)
        fail_msg("%s", error.message);
    id_new(f->prefix);
    f->loop = loop_new();
    f->turn = loop_timer_new(f->loop, on_turn, f);
    f->first = broker_connect(f->broker, f->loop);
    f->second = broker_connect(f->broker, f->loop);
    kit_declare(f, "markers", PLAIN);
    f->markers = broker_consume(f->first, Q("markers"), 10, on_marker, f);
    *state = f;
    return 0;
}

int kit_tear_down(void **state)
{
    struct broker_kit *f = *state;
    broker_disconnect(f->second);
    broker_disconnect(f->first);
    broker_close(f->broker);
    loop_timer_free(f->turn);
    loop_free(f->loop);
    free(f);
    return 0;
}
