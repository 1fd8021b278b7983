/* The RabbitMQ back end's inner structures. Two connections to the broker, each owned by one thread: a broker in need
 * (memory, disk) stops reading from who publishes, and acknowledgements must not wait for that. Everything that other
 * threads touch is under `lock`; a thread never holds it while it talks to the broker. */
#pragma once
#include "base/map.h"
#include "broker/broker_int.h"
#include "broker/queues.h"
#include <amqp.h>
#include <pthread.h>
#include <stdatomic.h>

#define DEATH_REASON "caudal-death-reason" /* headers of what this program dead-letters itself */
#define DEATH_QUEUE "caudal-death-queue"

/* Bytes that several share: a body, a name. */
struct bytes {
    atomic_uint refs;
    size_t size;
    unsigned char data[];
};
struct bytes *bytes_new(const void *data, size_t size); /* NULL data: not filled */
struct bytes *bytes_ref(struct bytes *bytes);
void bytes_unref(struct bytes *bytes);

/* ---- address.c */

struct address {
    char *host, *user, *password, *vhost;
    int port, heartbeat_s;
    bool tls, verify;
    char *ca_file, *cert_file, *key_file;
};
enum err addresses_parse(const char *url, struct address **ret, size_t *ret_count,
                         struct error *reterr) ERROR_MUST_CHECK;
void addresses_free(struct address *addresses, size_t count);

/* ---- link.c: one connection and its thread */

struct link;
struct link_ops {
    const char *name;
    bool (*on_up)(struct link *link);   /* fresh connection; false: given up */
    void (*on_down)(struct link *link); /* everything on it is void */
    bool (*work)(struct link *link);    /* what there is to say; false: the connection is lost */
    bool (*on_frame)(struct link *link, const amqp_frame_t *frame);
    int (*next_ms)(struct link *link); /* until `work` has something to do by itself */
};

struct link {
    const struct link_ops *ops;
    struct rabbit *rabbit;
    pthread_t thread;
    int wake_fd;
    bool woken, stopping; /* under the lock */
    atomic_bool up, blocked;
    atomic_uint failures; /* attempts to connect since it was last up */
    amqp_connection_state_t amqp;
    size_t next_address;
    int64_t retry_at_us, stop_at_us;
    struct rng *rng;
};
void link_start(struct link *link);
void link_wake(struct link *link); /* the lock is held */
void link_stop(struct link *link); /* says what is left to say, then ends; not under the lock */

enum answer { ANSWER_OK, ANSWER_REFUSED, ANSWER_LOST };
/* What a request led to; REFUSED: the broker has closed the channel, the reason is in reterr. */
enum answer link_answer(struct link *link, amqp_channel_t channel, amqp_rpc_reply_t reply, struct error *reterr);
enum answer link_last_answer(struct link *link, amqp_channel_t channel, struct error *reterr);
bool link_channel_open(struct link *link, amqp_channel_t channel);
void link_close_ok(struct link *link, amqp_channel_t channel);
/* The next frame of that channel; others are dispatched. False: lost, or nothing came in time. */
bool link_await(struct link *link, amqp_channel_t channel, amqp_frame_t *ret);

/* ---- inbox.c: what a connection's loop still has to call */

struct rabbit_connection;
struct rabbit_consumer;
struct call {
    struct call *next;
    struct rabbit_consumer *consumer;
    struct broker_delivery delivery;
    struct bytes *body, *queue, *dead_from, *dead_reason;
    broker_confirm_fn on_confirm;
    enum err code;
    void (*on_message)(void *user, const void *body, size_t size);
    void *user;
};
/* All under the lock. */
struct call *inbox_add(struct rabbit_connection *connection);
size_t inbox_count_of(const struct rabbit_connection *connection, const struct rabbit_consumer *consumer);
struct call *inbox_take_of(struct rabbit_connection *connection,
                           const struct rabbit_consumer *consumer); /* the first of it; yours; NULL: none */
void inbox_drop_void(struct rabbit_connection *connection,
                     const struct rabbit_consumer *consumer); /* deliveries that nobody may acknowledge any more */
void inbox_empty(struct rabbit_connection *connection);
void call_free(struct call *call);

/* ---- publishing.c */

struct publication {
    struct publication *next;
    struct rabbit_connection *connection; /* who hears of it; NULL: nobody */
    char *key;
    bool topic, returned, sending;
    int priority;
    struct bytes *body;
    broker_confirm_fn on_confirm;
    void *user;
    uint64_t serial, tag;
    int64_t due_us, deadline_us;
};
struct publications {
    struct publication *first, **last;
};
void publishing_add(struct rabbit *rabbit, struct publication *take_publication, int fault); /* the lock is held */
void publishing_expire(struct rabbit *rabbit);
void publishing_forget(struct rabbit *rabbit, struct rabbit_connection *connection); /* the lock is held */
void publishing_free(struct rabbit *rabbit);
extern const struct link_ops publishing_ops;

/* ---- queues.c: declaring, deleting, counting */

struct known {
    char *name;
    struct broker_queue_options options; /* with its own text */
    bool declared;                       /* else only asked about */
    bool asked;
    size_t depth;
    int64_t fresh_us;
    struct known *next; /* all of them, for the consuming thread */
};
struct request { /* of the consuming thread */
    struct request *next;
    bool deletes, done, abandoned;
    char *name;
    struct broker_queue_options options;
    enum err code;
    struct error error;
};
bool queues_declare_all(struct link *link, amqp_channel_t channel); /* exchanges, and what was declared before */
bool queues_work(struct link *link, amqp_channel_t channel);
enum answer queues_declare_one(struct link *link, amqp_channel_t channel, const char *name,
                               const struct broker_queue_options *options, struct error *reterr);
bool queues_count(struct link *link, amqp_channel_t channel);
struct known *queues_find(struct rabbit *rabbit, const char *name); /* the lock is held */
amqp_bytes_t text_bytes(const char *text);
void known_free(struct known *known);
void request_free(struct request *request);
enum err rabbit_declare(struct broker_connection *connection, const char *name,
                        const struct broker_queue_options *options, struct error *reterr);
void rabbit_delete_queue(struct broker_connection *connection, const char *name);
size_t rabbit_queue_depth(struct broker *broker, const char *name);

/* ---- consuming.c, deliveries.c */

/* One stream of deliveries: of a priority of a queue, or of a topic. Its thread's own, but for `held`. */
struct feed {
    amqp_channel_t channel;     /* 0: none */
    unsigned incarnation;       /* of the channel: tags of former ones are void */
    unsigned prefetch;          /* of the present consuming; 0: none */
    unsigned consuming;         /* counts beginnings */
    unsigned held, held_before; /* under the lock; held_before: of former consumings, which prefetch does not count */
    unsigned resting;           /* under the lock: verdicts that were not sent yet */
    bool begun;                 /* the broker has confirmed the present consuming */
    bool partial;               /* prefetch is less than wanted because of held_before */
    bool unshown;               /* the broker's deliveries were kept from a stopped consumer: they go back, in their
                                 * place, with the channel */
    int64_t retry_at_us;
    struct { /* a message on its way */
        bool active, redelivered, refused;
        uint64_t tag;
        int priority;
        size_t filled;
        struct bytes *body, *dead_from, *dead_reason;
    } message;
};

struct rabbit_consumer {
    struct broker_consumer base;
    struct rabbit *rabbit;
    struct rabbit_connection *connection; /* NULL: closing */
    struct rabbit_consumer *next;         /* of all; only the consuming thread removes */
    struct bytes *queue;                  /* name; NULL: a topic's */
    char *topic;
    unsigned wanted;
    bool cancelled, orphaned; /* orphaned: its queue was deleted */
    bool single_active;       /* stopped, it keeps its place in the queue until it is cancelled */
    broker_delivery_fn on_delivery;
    void (*on_message)(void *user, const void *body, size_t size);
    void *user;
    struct map unacked; /* tag text -> struct held */
    unsigned feed_count;
    struct feed feeds[];
};

/* The one of its queue that receives is to get no more, or wants what was kept from it: nothing is shown to it. To end
 * its consuming would let the next one receive at once, before what this one holds is acknowledged and before what it
 * was not shown is back; the end of its channel does both in one step. The lock is held. */
bool feed_keeps_place(const struct rabbit_consumer *consumer, const struct feed *feed);
/* What the broker was told is no longer what is wanted. The lock is held. */
bool feed_must_end(const struct rabbit_consumer *consumer, const struct feed *feed);
bool consuming_end(struct link *link, struct rabbit_consumer *consumer, unsigned feed); /* on the thread */

struct held {
    uint64_t tag;
    unsigned feed, incarnation, consuming;
};

/* ---- verdicts.c */

struct verdict { /* ack or nack on its way */
    struct verdict *next;
    struct rabbit_consumer *consumer;
    unsigned feed, incarnation;
    uint64_t tag;
    bool ack, requeue;
};
/* These under the lock. */
void verdicts_add(struct rabbit_consumer *consumer, const struct held *held, bool ack, bool requeue);
int verdicts_wait_ms(const struct rabbit *rabbit); /* until they are due; -1: there are none */
void verdicts_forget(struct rabbit *rabbit, const struct rabbit_consumer *consumer); /* NULL: of all */
/* These on the thread; false: the connection is lost. */
bool verdicts_send(struct link *link);
bool verdicts_send_due(struct link *link);

struct rabbit_connection {
    struct broker_connection base;
    struct loop *loop;
    struct call *first, **last;
    size_t call_count;
    bool posted;
    bool *gone;
    struct rabbit_connection *next, **place;
};

#define CHANNELS_MAX 2047
#define CONTROL_CHANNEL 1
#define SPARE_CHANNEL 2
struct rabbit {
    struct broker base;
    char *prefix;
    struct address *addresses;
    size_t address_count;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct link publishing, consuming;
    struct rabbit_connection *connections;
    struct map queues; /* name -> struct known */
    struct known *knowns;
    struct publications waiting, unconfirmed, delayed;
    size_t publication_count, publication_bytes;
    uint64_t serial, tag;
    char instance[40];
    struct map unheard; /* topic -> struct unheard */
    struct request *requests, **last_request;
    struct rabbit_consumer *consumers;
    struct verdict *verdicts, **last_verdict;
    size_t verdict_count;
    bool verdicts_hurry;       /* one of them may not rest */
    int64_t verdicts_since_us; /* of the first */
    bool dirty;                /* some consumer differs from what the broker was told */
    int (*fault)(void *user, const char *queue);
    void *fault_user;
    uint64_t next_tag; /* publishing thread: of the next publication on the channel */
    bool returning[3];
    struct { /* consuming thread */
        struct rabbit_consumer *consumer;
        unsigned feed;
    } channels[CHANNELS_MAX + 1];
    amqp_channel_t last_channel;
    int64_t expire_at_us;
};

struct unheard {
    int64_t until_us;
};

bool consuming_on_delivery(struct link *link, const amqp_frame_t *frame);  /* deliveries.c */
void consuming_drop_held(struct rabbit_consumer *consumer, unsigned feed); /* the lock is held */
void tag_format(uint64_t tag, char out[20]);
extern const struct link_ops consuming_ops;

struct broker_consumer *rabbit_consume(struct broker_connection *connection, const char *queue, unsigned prefetch,
                                       broker_delivery_fn on_delivery, void *user);
void rabbit_set_prefetch(struct broker_consumer *consumer, unsigned prefetch);
bool rabbit_is_consuming(struct broker_consumer *consumer);
void rabbit_cancel(struct broker_consumer *consumer);
void rabbit_ack(struct broker_consumer *consumer, uint64_t tag);
void rabbit_nack(struct broker_consumer *consumer, uint64_t tag, bool requeue);
void rabbit_subscribe(struct broker_connection *connection, const char *topic,
                      void (*on_message)(void *user, const void *body, size_t size), void *user);
bool rabbit_has_subscribers(struct broker *broker, const char *topic);
size_t rabbit_queue_unacked(struct broker *broker, const char *name);
void consumers_close(struct rabbit *rabbit, struct rabbit_connection *connection); /* the lock is held */
void consumer_free(struct rabbit_consumer *consumer);
