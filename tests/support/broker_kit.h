/* A broker of either back end in few words, for tests of its contract. Waiting is running the loop until a condition
 * holds; that nothing comes is known when a marker sent behind it has come. */
#pragma once
#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define KIT_NAME_BYTES 96
#define KIT_SEEN_MAX 256

extern const char *kit_url; /* of the broker that kit_set_up opens */

struct kit_name {
    char text[KIT_NAME_BYTES];
};

struct broker_kit {
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

struct kit_seen {
    uint64_t tag;
    char body[24], queue[KIT_NAME_BYTES], reason[16], from[KIT_NAME_BYTES];
    int priority;
    bool redelivered;
};

/* What a consumer got. */
struct kit_sink {
    size_t count;
    bool ack;
    struct kit_seen seen[KIT_SEEN_MAX];
};

struct kit_at_least {
    const size_t *value;
    size_t least;
};

struct kit_confirmation {
    bool there;
    enum err code;
};

int kit_set_up(void **state); /* a struct broker_kit */
int kit_tear_down(void **state);

void kit_wait_until(struct broker_kit *f, bool (*until)(const void *arg), const void *arg);
bool kit_is_reached(const void *at_least);
bool kit_is_there(const void *confirmation);
void kit_wait_count(struct broker_kit *f, const struct kit_sink *sink, size_t count); /* so many, and no more */
void kit_settle(struct broker_kit *f); /* all that was on its way has come */

/* Of a queue or topic of this test alone. */
struct kit_name kit_name_of(const struct broker_kit *f, const char *name);
#define Q(name) kit_name_of(f, name).text
#define PLAIN ((struct broker_queue_options){0})
void kit_declare(struct broker_kit *f, const char *name, struct broker_queue_options options);
enum err kit_publish_at(struct broker_kit *f, const char *name, int priority, const char *body);
/* One after the other what stands between the blanks. */
void kit_publish(struct broker_kit *f, const char *name, const char *bodies);
void kit_on_confirm(void *confirmation, enum err code);
struct broker_consumer *kit_consume(struct broker_kit *f, struct broker_connection *connection, const char *name,
                                    unsigned prefetch, struct kit_sink *sink);
void kit_on_delivery(void *sink, struct broker_consumer *consumer, const struct broker_delivery *d);
void kit_disconnect(struct broker_connection **connection); /* NULL afterwards */

void kit_expect_bodies(const struct kit_sink *sink, const char *bodies); /* 1 2' 3: the second was redelivered */
void kit_expect_dead(struct broker_kit *f, const struct kit_sink *sink, size_t i, const char *body, const char *reason,
                     const char *from);
void kit_expect_counts(struct broker_kit *f, const char *name, size_t ready, size_t unacked);
