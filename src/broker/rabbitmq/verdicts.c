/* Acknowledgements on their way to the broker. A quorum queue writes each one down, as it does a message, so those of a
 * moment go together: nobody waits for them, and what a crash forgets comes again, as it would have a moment before. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>

#define REST_US 50000 /* an acknowledgement waits so long at the most */
#define REST_MOST 64  /* or until there are so many */

/* ---- under the lock */

/* Not when its place, or what it holds back, is what somebody waits for: a consumer that is to stop or to go, or one
 * whose window is half full. */
static bool may_rest(const struct rabbit_consumer *consumer, const struct feed *feed)
{
    return consumer->connection != NULL && !consumer->cancelled && consumer->wanted > 0 && feed->prefetch > 0 &&
           !feed->partial && !feed->unshown && (feed->held + feed->resting) * 2 < feed->prefetch;
}

void verdicts_add(struct rabbit_consumer *consumer, const struct held *held, bool ack, bool requeue)
{
    struct rabbit *rabbit = consumer->rabbit;
    struct feed *feed = &consumer->feeds[held->feed];
    struct verdict *verdict = mem_alloc(sizeof *verdict);
    *verdict = (struct verdict){.consumer = consumer,
                                .feed = held->feed,
                                .incarnation = held->incarnation,
                                .tag = held->tag,
                                .ack = ack,
                                .requeue = requeue};
    if (rabbit->verdicts == NULL)
        rabbit->verdicts_since_us = clock_monotonic_us();
    *rabbit->last_verdict = verdict;
    rabbit->last_verdict = &verdict->next;
    feed->resting++;
    bool first = rabbit->verdict_count++ == 0;
    bool rests = ack && may_rest(consumer, feed) && rabbit->verdict_count < REST_MOST;
    rabbit->verdicts_hurry |= !rests;
    if (first || !rests)
        link_wake(&rabbit->consuming);
}

int verdicts_wait_ms(const struct rabbit *rabbit)
{
    if (rabbit->verdicts == NULL)
        return -1;
    int64_t left_us = rabbit->verdicts_since_us + REST_US - clock_monotonic_us();
    return rabbit->verdicts_hurry || rabbit->consuming.stopping || left_us <= 0 ? 0 : (int)(left_us / 1000) + 1;
}

static void unlink_verdict(struct rabbit *rabbit, struct verdict **place)
{
    struct verdict *verdict = *place;
    *place = verdict->next;
    if (verdict->next == NULL)
        rabbit->last_verdict = place;
    verdict->consumer->feeds[verdict->feed].resting--;
    rabbit->verdict_count--;
}

void verdicts_forget(struct rabbit *rabbit, const struct rabbit_consumer *consumer)
{
    for (struct verdict **place = &rabbit->verdicts, *verdict; (verdict = *place) != NULL;) {
        if (consumer != NULL && verdict->consumer != consumer) {
            place = &verdict->next;
            continue;
        }
        unlink_verdict(rabbit, place);
        free(verdict);
    }
}

static bool is_of_same_channel(const struct verdict *a, const struct verdict *b)
{
    return a->consumer == b->consumer && a->feed == b->feed && a->incarnation == b->incarnation;
}

struct oldest {
    const struct verdict *of;
    uint64_t tag;
};

static void look_for_older(void *user, const char *key, void *value)
{
    struct oldest *oldest = user;
    const struct held *held = value;
    (void)key;
    if (held->feed == oldest->of->feed && held->incarnation == oldest->of->incarnation && held->tag < oldest->tag)
        oldest->tag = held->tag;
}

/* The first delivery of its channel that is not to be acknowledged now. */
static uint64_t first_kept(const struct rabbit *rabbit, const struct verdict *verdict)
{
    struct oldest oldest = {.of = verdict, .tag = UINT64_MAX};
    if (verdict->consumer->feeds[verdict->feed].unshown)
        return 0; /* some are neither held nor known here */
    map_each(&verdict->consumer->unacked, look_for_older, &oldest);
    for (const struct verdict *other = rabbit->verdicts; other != NULL; other = other->next)
        if (!other->ack && is_of_same_channel(other, verdict) && other->tag < oldest.tag)
            oldest.tag = other->tag;
    return oldest.tag;
}

/* Takes all acknowledgements of its channel that one can stand for; the greatest tag of them. */
static uint64_t take_together(struct rabbit *rabbit, const struct verdict *verdict, bool *ret_multiple)
{
    uint64_t kept = first_kept(rabbit, verdict), greatest = verdict->tag;
    *ret_multiple = false;
    for (struct verdict **place = &rabbit->verdicts, *other; verdict->tag < kept && (other = *place) != NULL;) {
        if (!other->ack || !is_of_same_channel(other, verdict) || other->tag >= kept) {
            place = &other->next;
            continue;
        }
        greatest = other->tag > greatest ? other->tag : greatest;
        *ret_multiple = true;
        unlink_verdict(rabbit, place);
        free(other);
    }
    return greatest;
}

/* ---- on the thread */

/* Places that a verdict frees are for as many deliveries as are wanted by then, not as were before: who lowered the
 * prefetch and then acknowledges gets nothing for it. So the broker hears of the one before the other. */
static struct verdict *next_verdict(struct rabbit *rabbit, bool *ret_end_first, bool *ret_multiple)
{
    pthread_mutex_lock(&rabbit->lock);
    struct verdict *verdict = rabbit->verdicts;
    *ret_end_first = *ret_multiple = false;
    if (verdict != NULL) {
        const struct feed *feed = &verdict->consumer->feeds[verdict->feed];
        *ret_end_first = feed->channel != 0 && feed_must_end(verdict->consumer, feed);
    } else {
        rabbit->verdicts_hurry = false;
    }
    if (verdict != NULL && !*ret_end_first) {
        unlink_verdict(rabbit, &rabbit->verdicts);
        if (verdict->ack)
            verdict->tag = take_together(rabbit, verdict, ret_multiple);
    }
    pthread_mutex_unlock(&rabbit->lock);
    return verdict;
}

bool verdicts_send(struct link *link)
{
    struct verdict *verdict;
    bool end_first, multiple;
    while ((verdict = next_verdict(link->rabbit, &end_first, &multiple)) != NULL) {
        const struct feed *feed = &verdict->consumer->feeds[verdict->feed];
        if (end_first) {
            if (!consuming_end(link, verdict->consumer, verdict->feed))
                return false;
            continue;
        }
        int status = AMQP_STATUS_OK;
        if (feed->channel != 0 && feed->incarnation == verdict->incarnation)
            status = verdict->ack ? amqp_basic_ack(link->amqp, feed->channel, verdict->tag, multiple)
                                  : amqp_basic_nack(link->amqp, feed->channel, verdict->tag, 0, verdict->requeue);
        free(verdict);
        if (status != AMQP_STATUS_OK)
            return false;
    }
    return true;
}

bool verdicts_send_due(struct link *link)
{
    pthread_mutex_lock(&link->rabbit->lock);
    bool due = verdicts_wait_ms(link->rabbit) == 0;
    pthread_mutex_unlock(&link->rabbit->lock);
    return !due || verdicts_send(link);
}
