/* The worker's inner structures. */
#pragma once
#include "base/map.h"
#include "broker/orders.h"
#include "broker/messages.h"
#include "script/script.h"
#include "worker/mask.h"
#include "worker/pool.h"
#include "worker/scope.h"
#include "worker/worker.h"
#include <stdatomic.h>

/* A compiled flow version, shared by the runs that use it. */
struct flow_entry {
    struct flow *flow;
    unsigned users;
    uint64_t used_at;
};

/* One work message: acknowledged when all its executions ended or parked and the broker confirmed their events. */
struct delivery_group {
    struct worker *worker;
    uint64_t tag;
    unsigned open;
    bool returned; /* given back instead */
};

struct worker {
    struct worker_options options;
    struct node_host blocking_host; /* without what belongs to the loop */
    char *id, *queue;
    struct broker_connection *connection;
    struct broker_consumer *consumer;
    struct outbox *outboxes; /* one for each shard */
    unsigned shards;
    struct map active; /* execution id -> struct active */
    struct map flows;  /* "id/version" -> struct flow_entry */
    uint64_t flow_clock;
    struct recall started_epochs; /* execution id -> latest epoch started here: work may be delivered twice */
    struct recall watched;        /* execution id -> 1: somebody watches it */
    struct recall orders;         /* execution id -> enum order: a person's word may be here before the work */
    bool draining, leaving;       /* leaving: it has told so, and tells nothing more */
    int64_t drain_deadline_ms;    /* monotonic */
    int64_t progress;             /* tells that it moves (broker/messages.h) */
    struct call *calls;           /* all node calls under way, also those whose run is gone */
    struct loop_timer *drain_timer, *report_timer, *reach_timer;
    bool reachable; /* what is sent to its queue arrives */
    void (*on_drained)(void *user);
    void *drained_user;
    struct watch *watch; /* memory and processor */
    _Atomic unsigned active_count;
    _Atomic int64_t moved_ms, memory_bytes, cpu_millis;
    _Atomic bool full, stat_draining;
    _Atomic uint64_t started, finished, failed;
};

/* Who only looks on can wait a moment; work that others go on with, and what must not happen twice, waits for no more
 * than the message under way. */
enum haste { RESTS, HURRIES };

/* Events of one shard on their way: in order, one message at a time. */
struct outbox {
    struct worker *worker;
    char *queue;
    struct buf body;
    unsigned count;
    struct delivery_group **settling; /* groups whose executions' last events are in `body`, one entry for each */
    size_t settling_count, settling_cap;
    struct outbox_batch *batches; /* the first is published, the others wait for its confirm */
    struct publication *publications;
    uint64_t batch_serial;
    struct loop_timer *confirm_timer, *flush_timer;
    int64_t rest_until_us; /* monotonic */
    bool hurries;          /* one of those in `body` does */
};

struct outbox_batch {
    struct outbox_batch *next;
    uint64_t serial;
    struct delivery_group **groups;
    size_t count;
    struct buf body;
};

/* One execution on this worker. */
struct active {
    struct worker *worker;
    char *id;
    int epoch;
    struct outbox *outbox; /* of its shard */
    struct flow_entry *flow;
    struct flow_run *run;
    struct delivery_group *group;
    struct loop_timer *timer;
    struct live *live; /* NULL: nobody watches */
    struct json *logs;
    struct mask mask; /* the secrets of its flow, once they are learned */
    bool learned;
    const struct json *pins; /* node id -> outputs that stand for its execution; or NULL */
    struct json *options;    /* of a run by hand; holds the pins */
    struct json *unsent;     /* with durability `run`: checkpoints that are told when it leaves the worker; or NULL */
    char *parent_id;         /* the execution that waits for its end, or NULL */
    bool awaited;            /* its end: by that execution, or by who called a webhook */
    int depth;               /* how many executions started each other before it */
    int64_t signals_seen, linger_until_ms;
    int64_t started_ms;
    unsigned calls;
    bool busy;     /* inside drive(): completions only queue up */
    bool stepless; /* no checkpoint of it was told, here or before */
};

/* One attempt of a node under way. */
struct call {
    struct call *next, **place;
    struct active *active; /* NULL: the run no longer waits for it */
    struct worker *worker;
    unsigned scope, node;
    struct node_call node_call;
    struct json *inputs;     /* its own reference */
    struct json *own_inputs; /* evaluated ones, or a copy that belongs to the pool's thread meanwhile (BLOCKING) */
    char *execution_id, *flow_id, *node_id, *realm;
    struct call_names names;
    struct expression_job *job; /* waits for a script */
    struct script_call *script;
    void *resolving;          /* waits for variables and secrets */
    struct loop_timer *again; /* waits for the store to come back */
    struct json *asked;       /* object: the secrets that the node itself names; NULL: none */
    bool needs_variables;
    char iteration[RUN_ITERATION_BYTES_MAX];
    int64_t started_us; /* monotonic */
    enum err code;
    bool pooled;
};

/* outbox.c */
void outbox_init(struct outbox *outbox, struct worker *worker, unsigned shard);
/* One complete JSON object. */
void outbox_event(struct outbox *outbox, const char *event_json, size_t size, enum haste haste);
/* Called just before an execution's last event is added, so that both go in one message. NULL is fine. */
void outbox_settle(struct outbox *outbox, struct delivery_group *group);
bool outbox_is_idle(const struct outbox *outbox);
void outbox_done(struct outbox *outbox);
struct outbox *outbox_of(struct worker *worker, const char *execution_id);

/* events.c: the events of an execution as JSON into the outbox */
void event_started(struct active *active);
void event_checkpoint(struct active *active, const struct run_checkpoint *checkpoint);
void event_cancel_child(struct active *active, const struct run_checkpoint *of);
void event_parked(struct active *active, int64_t wake_ms);
void event_finished(struct active *active);
void event_progress(struct active *active, unsigned node);
void event_held(struct active *active); /* it is here: an answer to a census */
void event_refused(struct worker *worker, const struct json *item, enum run_status status, const struct error *error);

/* live.c: what somebody who watches is told at once; nothing while nobody does */
void live_watch(struct active *active);   /* from now on; all that there is to tell is told once more */
void live_changed(struct active *active); /* nodes may have begun or ended */
void live_flush(struct active *active);   /* now, since it is about to leave */
void live_free(struct active *active);

/* watch.c: what the process and all it started use, once in a while */
void watch_start(struct worker *worker);
void watch_stop(struct worker *worker);

/* report.c: what the worker tells of itself */
void report_send(void *worker);           /* also a timer callback, as the next */
void report_when_reachable(void *worker); /* from now on */
void report_leaving(struct worker *worker);

/* calls.c */
void call_execute(struct call *call);               /* the inputs are what they shall be: the node does its work */
void call_finish(struct call *call, enum err code); /* tells the run; frees it */
void calls_start(struct active *active, const struct run_command *command);
void calls_abort(struct active *active, const struct run_command *which); /* NULL: all of the run */
void calls_free(struct worker *worker);

/* call_inputs.c: from the inputs as configured and delivered to those that the node works with */
void call_prepare(struct call *call); /* executes it then, or finishes it with an error */
void call_prepare_abort(struct call *call);

/* active.c */
void active_start(struct worker *worker, const struct json *item, struct delivery_group *group);
void active_advance(struct active *active, const struct run_event *event); /* may free it */
void active_signals(struct active *active, const struct json *message);    /* what came in for it; may free it */
void active_free(struct active *active);
void active_look(void *active); /* timer callback: time has passed */
/* until_node: only what a run up to that node needs; NULL: all of it. */
struct flow_entry *flow_entry_get(struct worker *worker, const char *flow_id, int version, const char *until_node,
                                  struct error *reterr);
void flow_entry_release(struct worker *worker, struct flow_entry *entry);
