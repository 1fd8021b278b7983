/* The orchestrator's inner structures. */
#pragma once
#include "base/map.h"
#include "broker/messages.h"
#include "broker/orders.h"
#include "dispatch/strategy.h"
#include "orchestrator/ended.h"
#include "orchestrator/orchestrator.h"
#include <stdatomic.h>

struct worker_entry {
    char *id, *queue;
    unsigned capacity, assigned;
    int64_t seen_ms;       /* monotonic */
    int64_t moved_ms;      /* when it last had nothing, or told of progress; monotonic */
    int64_t progress;      /* its own count */
    int64_t idle_since_ms; /* it says that it has nothing although something is counted as its own; 0: not */
    int64_t refused_ms;    /* until then it is taken to be full: it gave work back; monotonic */
    unsigned share,
        share_of;        /* of its capacity, for this orchestrator's shards; the capacity that it was computed of */
    uint64_t share_seen; /* orchestrator.shares at that time */
    int64_t interval_ms; /* between its reports, as it says; 0: not known */
    int64_t leaves_ms;   /* until then it is taken to be on its way out: it was told to drain; monotonic */
    unsigned active;     /* executions that it reported */
    unsigned refusals;   /* in a row, since it last had room: each pause is twice the one before */
    bool full;           /* it takes nothing, since memory or processor are used up */
    bool gone;           /* work for it came back; until it is heard of again */
    bool stalled;        /* it has work and moves nothing; until it does */
};

/* Owned: this orchestrator receives the shard's events and takes its submissions. Releasing: it finishes what it has of
 * it, then another may own it. */
enum shard_state { SHARD_STANDBY, SHARD_OWNED, SHARD_RELEASING };

struct shard {
    struct orchestrator *orchestrator;
    unsigned number;
    char *events_queue, *submit_queue;
    struct broker_consumer *events_consumer;
    struct broker_consumer *submit_consumer; /* while it is owned */
    unsigned submit_prefetch;
    enum shard_state state;
    int64_t owned_since_ms; /* wall clock */
    bool caught_up;         /* all that had been submitted before it was owned has come */
    int64_t delivered_us;   /* something last came from its events queue; monotonic, as are the next two */
    int64_t claimed_us;     /* another orchestrator last said that it owns it; 0: none did */
    int64_t census_us;      /* workers were asked what they hold of it; 0: to be asked */
    unsigned emptied;       /* how often everything that had been submitted was seen to have arrived */
    size_t unacked;         /* deliveries of its events that wait for a commit */
};

/* Another orchestrator. */
struct peer {
    char *id;
    int64_t seen_us, first_us; /* monotonic */
    uint64_t waiting;          /* executions that wait for a worker with it */
    uint64_t workers;          /* that it knows of */
};

/* A message of work that came back, on its way to the shards of its items. */
struct returning {
    struct returning *next, **place;
    struct orchestrator *orchestrator;
    uint64_t tag;
    unsigned open;
    bool failed, given_up;
    int64_t give_up_us;
};

/* One submit message: acknowledged when all its items were handed to workers. */
struct submission {
    struct orchestrator *orchestrator;
    struct broker_consumer *consumer;
    uint64_t tag;
    unsigned open;
    bool returned; /* goes back into the queue: the shard is another's now */
};

struct item {
    struct item *next;
    struct json *json;
    struct submission *submission; /* or NULL: reassigned */
};

struct item_queue {
    struct item *first, **last;
    size_t count;
};

/* An execution handed to a worker and not heard of since. */
struct flight {
    char *worker_id;
    int epoch;
};

/* A work message on its way to a worker's queue. */
struct handover {
    struct handover *next, **place;
    struct orchestrator *orchestrator;
    int64_t given_up_us; /* monotonic: without a confirm until then the sweeper takes over; its items are gone then */
    struct item *items;
};

/* What one write applies, in order. */
struct batch {
    struct batch *next; /* that is gathered */
    struct orchestrator *orchestrator;
    struct delivered {
        struct shard *shard;
        struct broker_consumer *consumer;
        uint64_t tag;
    } * tags;
    size_t tag_count, tag_cap;
    struct entry {
        struct json *event;             /* an event, or an item that came back, or NULL */
        struct json *given_up, *letter; /* the event of one that is given up, and its dead letter; its own */
        struct decoded *decoded;        /* the event as the store takes it; NULL: nothing for the store */
        char *reassign_id;              /* raise the epoch and dispatch again */
        int reassign_epoch;
        bool skip, applied;
        int64_t retry_at_ms;    /* its schedule starts it again then; 0: not */
        char *cancel_id;        /* nobody waits for it any more */
        bool wakes;             /* something is due now */
        struct json *cancelled; /* ids */
        struct json *dispatch;  /* result of a reassignment */
    } * entries;
    size_t count, cap;
    struct json **messages;
    size_t message_count, message_cap;
    int64_t at_ms;  /* when it was handed to the store */
    size_t reached; /* the entry that was written last, or refused */
    unsigned failures;
    enum err code;
    struct error error;
};

struct orchestrator {
    struct orchestrator_options options;
    struct broker_connection *connection;
    struct broker_consumer *return_consumer, *dead_consumer;
    struct letter *letters; /* not committed yet */
    struct loop_timer *letter_timer;
    struct shard *shards;
    unsigned shard_count;
    uint64_t shares; /* rises when shards are gained or lost; at first each worker's share is unknown */
    struct peer *peers;
    size_t peer_count;
    int64_t told_division; /* another number of shards than here, which was logged */
    struct loop_timer *presence_timer, *takeover_timer, *health_timer;
    int64_t heard_us; /* when its own word last came back from the broker; monotonic; 0: not yet */
    struct returning *returning;
    struct dispatch_state strategy;
    struct worker_entry **workers;
    size_t worker_count;
    struct item_queue pending[3]; /* by priority */
    size_t pending_count;
    struct map flights;
    struct map held;         /* execution id -> struct item: pending, or on its way to a worker */
    struct recall orders;    /* execution id -> enum order: a person's word that what is pending was not loaded with */
    struct recall suspects;  /* execution id -> its shard's `emptied` when a sweep first found nobody at it */
    struct recall signalled; /* execution id -> 1: one that ran was sent a signal; it may be due when it parks */
    struct recall losses, lost_epochs; /* execution id -> workers lost in a row; the latest epoch that was (poison.c) */
    struct loop_timer *handover_timer;
    struct handover *handovers;
    struct batch *gathering, *gathering_last; /* in the order in which they are written; last: while there is one */
    struct batch *writing;                    /* the one that is handed to the store until it is committed */
    struct map reassigning;                   /* execution id -> the epoch that is to end; gathered or being written */
    bool write_under_way;                     /* the store has it now */
    struct recall submitted;                  /* execution id -> latest epoch taken: a message may come twice */
    struct buf updates;                       /* a live message in the making */
    size_t update_count;
    struct loop_timer *retry_timer, *wake_timer, *sweep_timer, *schedule_timer, *gather_timer;
    int64_t wake_at_ms;
    char recover_after[ID_TEXT_BYTES_MAX];
    bool recovering, taking_over, stopped; /* stopped: nothing begins any more */
    struct loop_timer *drain_timer;
    int64_t drain_deadline_us;
    void (*on_drained)(void *user);
    void *drained_user;
    struct scheduler *scheduler;
    struct retention *retention;
    struct ended *ended;
    struct admission *admission;
    struct scaler *scaler; /* NULL: there is none */
    _Atomic unsigned stat_target;
    _Atomic size_t stat_pending, stat_in_flight, stat_workers, stat_shards;
    _Atomic uint64_t dispatched, finished, reassigned, failed_writes;
    _Atomic int64_t last_progress_ms;
};

/* dispatching.c */
void dispatch_submit(struct orchestrator *orchestrator, struct json *take_item, struct submission *submission);
void dispatch_pump(struct orchestrator *orchestrator);
void dispatch_forget(struct orchestrator *orchestrator, const char *id, int epoch);
void dispatch_worker_report(struct orchestrator *orchestrator, const struct json *report);
/* Work came back from its queue: it refused it, or is gone. */
void dispatch_worker_returned(struct orchestrator *orchestrator, const char *queue, const char *reason);
/* Timer: offers what waits again, and once more while a worker that refused is left alone. user: the orchestrator */
void dispatch_retry(void *user);
void dispatch_settle(struct orchestrator *orchestrator,
                     struct submission *submission); /* one item of it is done; NULL ok */
bool dispatch_is_held(struct orchestrator *orchestrator, const char *id);
/* Somebody who is alive has it, at this epoch or a later one. What a silent worker had is forgotten. */
bool dispatch_is_in_flight(struct orchestrator *orchestrator, const char *id, int epoch);
/* A worker has told of an execution that another orchestrator gave it. */
void dispatch_adopt(struct orchestrator *orchestrator, const char *worker_id, const struct json *event);
void dispatch_drop_shard(struct orchestrator *orchestrator, const struct shard *shard); /* another owns it now */
void dispatch_look(void *orchestrator); /* timer callback: hand-overs and returns without a confirm */
int64_t dispatch_silent_ms(const struct orchestrator *orchestrator,
                           int64_t since_ms);   /* how long somebody is silent who was last heard of then (monotonic) */
void dispatch_check_health(void *orchestrator); /* timer callback: silent workers, and those that move nothing */
void dispatch_free(struct orchestrator *orchestrator);

/* shards.c: who owns which */
void shards_init(struct orchestrator *orchestrator);
enum err shards_start(struct orchestrator *orchestrator, struct error *reterr) ERROR_MUST_CHECK;
void shards_leave(struct orchestrator *orchestrator); /* the others need not wait for its silence */
void shards_done(struct orchestrator *orchestrator);
struct shard *shards_of(struct orchestrator *orchestrator, const char *execution_id);
bool shards_own(struct orchestrator *orchestrator, const char *id); /* of an execution, or whatever has an id */
bool shards_lead(const struct orchestrator *orchestrator);          /* does what one of all does: owns shard 0 */
void shards_tell(struct orchestrator *orchestrator);                /* the others, now */
/* A mark in the shard's submissions: when it comes, what was submitted before it has come. */
void shards_mark(const struct shard *shard);
void shards_marked(struct shard *shard, const char *mark); /* one has come, its own or another's; NULL: unknown */
void shards_delivered(struct shard *shard);                /* something came: it is ours */
void shards_settled(struct shard *shard); /* nothing of it may wait for a commit: one to be handed over goes */
unsigned shards_share(struct orchestrator *orchestrator, struct worker_entry *worker); /* of its capacity */
size_t shards_waiting(struct orchestrator *orchestrator); /* executions that wait for a worker here */
bool shards_are_censused(const struct shard *shard);      /* whoever holds something of it has had time to say so */

/* orchestrator.c */
void orchestrator_on_events(void *shard, struct broker_consumer *consumer, const struct broker_delivery *delivery);
void orchestrator_on_submission(void *shard, struct broker_consumer *consumer, const struct broker_delivery *delivery);

/* returning.c */
void returning_start(struct orchestrator *orchestrator);
void returning_look(struct orchestrator *orchestrator);
void returning_free(struct orchestrator *orchestrator);

/* poison.c */
bool poison_is_limit(struct orchestrator *orchestrator, const char *reason, const struct json *item);
void poison_note(struct orchestrator *orchestrator, const struct json *event);               /* a step that is kept */
struct json *poison_event(const struct orchestrator *orchestrator, const struct json *item); /* yours */
void poison_init(struct orchestrator *orchestrator, size_t recalled);
void poison_done(struct orchestrator *orchestrator);

/* letters.c: what is dead-lettered, into the store */
/* Of an execution that is given up, with the work that it was; yours. letter_put: repeatable. */
struct json *letter_of_lost(const struct orchestrator *orchestrator, const struct json *item, const char *reason);
enum err letter_put(struct store_session *session, const struct json *letter, int64_t now_ms,
                    struct error *reterr) ERROR_MUST_CHECK;
void letters_start(struct orchestrator *orchestrator);
bool letters_are_busy(const struct orchestrator *orchestrator);
void letters_free(struct orchestrator *orchestrator);

/* batch.c. Batches are written in their order; one has no more entries than these before the last message came. */
#define BATCH_ENTRIES 512
struct batch *batch_gathering(struct orchestrator *orchestrator); /* what comes now goes into it */
struct entry *batch_add(struct batch *batch);
/* Before it is written: what goes out again, behind all events; what others in it make needless, skipped. */
void batch_prepare(struct batch *batch);
/* Whenever it is written: what was heard before of what goes out again is no news to the store. */
void batch_forget_orders(const struct batch *batch);
void batch_free(struct batch *batch);

/* decoding.c: an event of a message as the store takes it, done here so that the store's writer, for whom all wait,
 * need not. Points into `event` and `worker` (may be NULL). NULL: of no kind that the store keeps, or malformed. */
struct decoded {
    struct store_event event;
    struct store_finish finish;
    struct buf packed;
};
struct decoded *event_decode(const struct json *event, const char *worker);
void decoded_free(struct decoded *decoded); /* NULL ok */

/* applying.c */
void apply_message(struct shard *shard, struct broker_consumer *consumer, struct json *take_message, uint64_t tag);
void apply_reassign(struct orchestrator *orchestrator, const char *id, int epoch);
void apply_cancel(struct orchestrator *orchestrator, const char *id);
void apply_pump(void *orchestrator); /* also a timer callback */
void apply_free(struct orchestrator *orchestrator);

/* announcing.c: updates of executions for who watches, sent together */
void announcing_add(struct orchestrator *orchestrator, const struct json *event);
void announcing_send(struct orchestrator *orchestrator);

/* waking.c: recovery, due waits, the sweeper */
void waking_start(struct orchestrator *orchestrator);
void waking_look(void *orchestrator);                             /* timer callback */
void waking_at(struct orchestrator *orchestrator, int64_t at_ms); /* something is due then */
void waking_more(struct orchestrator *orchestrator);              /* recovery goes on when there is room */
void waking_take_over(void *orchestrator); /* timer callback: what a former owner had taken from its queues */

/* children.c: executions that others have started, and signals. The first two in the write that applies the event. */
enum err children_start(struct store_session *session, const struct store_event *event, bool *ret_started,
                        struct error *reterr) ERROR_MUST_CHECK;
enum err children_drop(struct store_session *session, const struct json *event, int64_t now_ms, struct json **ret_ids,
                       struct error *reterr) ERROR_MUST_CHECK;
void children_tell_cancelled(struct orchestrator *orchestrator, const struct json *ids); /* NULL is fine */
void signals_look(struct orchestrator *orchestrator, const char *execution_id);          /* the store has some for it */
void signals_sweep(struct orchestrator *orchestrator);

/* scheduler.c */
struct scheduler *scheduler_new(struct orchestrator *orchestrator);
void scheduler_free(struct scheduler *scheduler);
bool scheduler_is_busy(const struct scheduler *scheduler); /* a firing is on its way into the store */

/* schedule_retry.c: after FINISHED was applied, in the same write. *ret_wake_ms 0: no retry. */
enum err schedule_retry(struct store_session *session, const struct store_event *event, int64_t *ret_wake_ms,
                        struct error *reterr) ERROR_MUST_CHECK;

/* settings.c */
void settings_load(struct orchestrator *orchestrator);

/* scaler.c */
struct buf;
enum err scaler_new(struct orchestrator *orchestrator, struct scaler **ret, struct error *reterr) ERROR_MUST_CHECK;
void scaler_free(struct scaler *scaler);                                   /* NULL ok, as everywhere here */
void scaler_configure(struct scaler *scaler, const struct json *settings); /* {enabled,min,max}; NULL: as configured */
void scaler_hear(struct scaler *scaler, const struct json *told);   /* what another orchestrator says of its scaling */
void scaler_describe(const struct scaler *scaler, struct buf *out); /* a member of a JSON object: ,"scaling":{…} */

/* retention.c */
struct retention *retention_new(struct orchestrator *orchestrator);
void retention_free(struct retention *retention);
bool retention_is_busy(const struct retention *retention);

/* admission.c: what waits for its turn under the limits of its flow */
struct admission *admission_new(struct orchestrator *orchestrator);
void admission_free(struct admission *admission);
void admission_look(struct admission *admission); /* an execution has ended; NULL ok */
bool admission_is_busy(const struct admission *admission);

void orchestrator_progress(struct orchestrator *orchestrator);
