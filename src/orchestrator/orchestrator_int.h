/* The orchestrator's inner structures. */
#pragma once
#include "base/map.h"
#include "base/recall.h"
#include "broker/messages.h"
#include "dispatch/strategy.h"
#include "orchestrator/orchestrator.h"
#include <stdatomic.h>

enum order { ORDER_RESUME, ORDER_PAUSE, ORDER_CANCEL };

struct worker_entry {
    char *id, *queue;
    unsigned capacity, assigned;
    int64_t seen_ms; /* monotonic */
    bool gone;       /* work for it came back; until it is heard of again */
};

/* One submit message: acknowledged when all its items were handed to workers. */
struct submission {
    struct orchestrator *orchestrator;
    uint64_t tag;
    unsigned open;
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
    struct orchestrator *orchestrator;
    uint64_t *tags;
    size_t tag_count, tag_cap;
    struct entry {
        struct json *event; /* an event, or an item that came back, or NULL */
        char *reassign_id;  /* raise the epoch and dispatch again */
        int reassign_epoch;
        bool skip, applied;
        int64_t retry_at_ms;   /* its schedule starts it again then; 0: not */
        struct json *dispatch; /* result of a reassignment */
    } * entries;
    size_t count, cap;
    struct json **messages;
    size_t message_count, message_cap;
    int64_t at_ms; /* when it was handed to the store */
    enum err code;
    struct error error;
};

struct orchestrator {
    struct orchestrator_options options;
    struct broker_connection *connection;
    struct broker_consumer *submit_consumer, *events_consumer;
    struct dispatch_state strategy;
    struct worker_entry **workers;
    size_t worker_count;
    struct item_queue pending[3]; /* by priority */
    size_t pending_count;
    struct map flights;
    struct map held;        /* execution id -> struct item: pending, or on its way to a worker */
    struct recall orders;   /* execution id -> enum order: a person's word that what is pending was not loaded with */
    struct recall suspects; /* execution id -> `emptied` when a sweep first found nobody at it */
    unsigned emptied;       /* how often the submit queue was seen empty */
    struct loop_timer *handover_timer;
    struct handover *handovers;
    struct batch *gathering, *writing; /* writing: the one batch that is handed to the store until it is committed */
    bool write_under_way;              /* the store has it now */
    struct recall submitted;           /* execution id -> latest epoch taken: a message may come twice */
    struct loop_timer *retry_timer, *wake_timer, *sweep_timer, *schedule_timer, *gather_timer;
    int64_t wake_at_ms;
    char recover_after[ID_TEXT_BYTES_MAX];
    int64_t started_ms;       /* wall clock */
    bool recovering, stopped; /* stopped: nothing begins any more */
    struct loop_timer *drain_timer;
    int64_t drain_deadline_us;
    void (*on_drained)(void *user);
    void *drained_user;
    struct scheduler *scheduler;
    struct retention *retention;
    _Atomic size_t stat_pending, stat_in_flight, stat_workers;
    _Atomic uint64_t dispatched, finished, reassigned, failed_writes;
    _Atomic int64_t last_progress_ms;
};

/* dispatching.c */
void dispatch_submit(struct orchestrator *orchestrator, struct json *take_item, struct submission *submission);
void dispatch_pump(struct orchestrator *orchestrator);
void dispatch_forget(struct orchestrator *orchestrator, const char *id, int epoch);
void dispatch_worker_report(struct orchestrator *orchestrator, const struct json *report);
void dispatch_worker_gone(struct orchestrator *orchestrator, const char *queue);
void dispatch_settle(struct orchestrator *orchestrator,
                     struct submission *submission); /* one item of it is done; NULL ok */
bool dispatch_is_held(struct orchestrator *orchestrator, const char *id);
/* Somebody who is alive has it. What a silent worker had is forgotten. */
bool dispatch_is_in_flight(struct orchestrator *orchestrator, const char *id);
void dispatch_look(void *orchestrator); /* timer callback: hand-overs without a confirm */
void dispatch_free(struct orchestrator *orchestrator);

/* applying.c */
void apply_message(struct orchestrator *orchestrator, struct json *take_message, uint64_t tag);
void apply_reassign(struct orchestrator *orchestrator, const char *id, int epoch);
void apply_pump(void *orchestrator); /* also a timer callback */
void apply_free(struct orchestrator *orchestrator);

/* waking.c: recovery, due waits, the sweeper */
void waking_start(struct orchestrator *orchestrator);
void waking_look(void *orchestrator);                             /* timer callback */
void waking_at(struct orchestrator *orchestrator, int64_t at_ms); /* something is due then */
void waking_more(struct orchestrator *orchestrator);              /* recovery goes on when there is room */

/* scheduler.c */
struct scheduler *scheduler_new(struct orchestrator *orchestrator);
void scheduler_free(struct scheduler *scheduler);
bool scheduler_is_busy(const struct scheduler *scheduler); /* a firing is on its way into the store */

/* schedule_retry.c: after FINISHED was applied, in the same write. *ret_wake_ms 0: no retry. */
enum err schedule_retry(struct store_session *session, const struct store_event *event, int64_t *ret_wake_ms,
                        struct error *reterr) ERROR_MUST_CHECK;

/* retention.c */
struct retention *retention_new(struct orchestrator *orchestrator);
void retention_free(struct retention *retention);
bool retention_is_busy(const struct retention *retention);

void orchestrator_progress(struct orchestrator *orchestrator);
