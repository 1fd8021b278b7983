/* The truth: flows, schedules, executions and what operates them. Domain verbs with stated atomicity; no SQL outside
 * src/store/.
 *
 * Writes go through group commit: a write is a function that calls verbs on a session; the writer thread takes all that
 * wait into one transaction. A write that returns an error is undone alone (the batch is rolled back and its members
 * run again one by one), so it must be repeatable. It may run several times before it counts: what it has seen
 * (ret_applied and the like) is true of its last run, which is the one that was committed. Its caller is answered only
 * after the commit. Reads use sessions of a pool, each with a snapshot of its own, as of its first read. More than 64
 * at once wait up to 5 s for a free one, then ERR_STORE_BUSY. Threads: everything on a struct store may be called from
 * any thread (manual: from one thread only, and reads see what is committed at that moment). Never call store_write
 * from a write function or from `done`: it would wait for itself. Durability: what was answered ERR_OK survives a loss
 * of power (docs/decisions/0002); sqlite::memory: survives nothing. A verb that fails with another error than
 * ERR_STORE_* has changed nothing: a write may go on to its other verbs. Ids are texts of 1 to 39 bytes for flows, 1 to
 * 127 for everything else (longer: VALIDATION). What is found damaged in the database is ERR_INTERNAL naming the id.
 * Errors: ERR_STORE_FULL (disk), ERR_STORE_BUSY (cannot be reached or written), ERR_STORE_UNKNOWN (commit without an
 * answer). */
#pragma once
#include "base/buf.h"
#include "flow/run.h"

struct store;
struct store_session; /* one connection; used by one thread at a time */

struct store_options {
    bool manual;      /* no writer thread: store_pump runs what waits (simulator) */
    size_t max_batch; /* writes of one transaction; 0 = LIMIT_BATCH */
    /* Only read_begin and the verbs that read; such as a worker at a replica. Its schema must be there (BUSY until
     * then). A replica lags: what was just written may be NOT_FOUND for a while. */
    bool read_only;
    size_t max_readers; /* read sessions at the same time; 0 = 64. Opened as they are needed (store/readers.h) */
};

/* url: sqlite:PATH, sqlite::memory:, postgresql://… or postgres://… as libpq understands it (several hosts: the one
 * that can be written). Applies migrations; ERR_CONFLICT if the schema is newer than this program. */
enum err store_open(const char *url, const struct store_options *options, struct store **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
void store_close(struct store *store); /* waiting writes are finished first */

typedef enum err (*store_write_fn)(struct store_session *session, void *arg, struct error *reterr);
typedef void (*store_done_fn)(void *user, enum err code, const struct error *error);
enum err store_write(struct store *store, store_write_fn fn, void *arg,
                     struct error *reterr) ERROR_MUST_CHECK; /* waits */
/* `done` is called once, on the writer's thread (manual: in store_pump), after the commit or the failure. */
void store_write_async(struct store *store, store_write_fn fn, void *arg, store_done_fn done, void *user);
size_t store_pump(struct store *store); /* manual only: one transaction; returns writes done */
size_t store_pending(const struct store *store);

enum err store_read_begin(struct store *store, struct store_session **ret, struct error *reterr) ERROR_MUST_CHECK;
void store_read_end(struct store *store, struct store_session *session);

struct store_stats {
    int64_t commits, writes, failed_commits, db_bytes, wal_bytes;
};
void store_stats(struct store *store, struct store_stats *ret);

/* Test and simulator hook, called before each commit of the writer: returns what shall happen. */
enum store_fault {
    STORE_FAULT_NONE,
    STORE_FAULT_FAIL,
    STORE_FAULT_FULL,
    STORE_FAULT_UNKNOWN_COMMITTED,
    STORE_FAULT_UNKNOWN_LOST
};
void store_set_fault_hook(struct store *store, enum store_fault (*hook)(void *user), void *user);

/* ---- flows. Documents:
 * {id,name,description,nodes,connections,settings,version,publishedVersion|null,status,metadata,createdBy,createdAt,updatedAt}
 * (times ISO). Each save with changed nodes, connections or settings is a new version. */
enum err store_flow_insert(struct store_session *s, const struct json *flow, int64_t now_ms,
                           struct error *reterr) ERROR_MUST_CHECK; /* CONFLICT: name taken */
/* Only members present in `changes` change; note and author of the version come from `changes.note`,
 * `changes.updatedBy`. */
enum err store_flow_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                           struct error *reterr) ERROR_MUST_CHECK;
enum err store_flow_delete(struct store_session *s, const char *id, struct error *reterr)
    ERROR_MUST_CHECK; /* cascades; CONFLICT while a schedule is enabled ("active schedules") or an execution is
                         unfinished */
enum err store_flow_load(struct store_session *s, const char *id, struct json **ret,
                         struct error *reterr) ERROR_MUST_CHECK;
/* Its present version, without loading it; with `published` the published one, if there is one. */
enum err store_flow_version(struct store_session *s, const char *id, bool published, int *ret,
                            struct error *reterr) ERROR_MUST_CHECK;
/* From now on triggers use that version; 0: the newest again. The version remembers who published it last, when and
 * why (author and note may be NULL). NOT_FOUND: no such version. */
enum err store_flow_publish(struct store_session *s, const char *id, int version, const char *author, const char *note,
                            int64_t now_ms, struct error *reterr) ERROR_MUST_CHECK;
/* Active flows whose version that triggers use has a flow-failed-trigger: array of {flowId, version, nodes}. */
enum err store_flow_listeners(struct store_session *s, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
enum err store_flow_load_version(struct store_session *s, const char *id, int version, struct json **ret,
                                 struct error *reterr) ERROR_MUST_CHECK;
/* A number that is another once a flow was saved, published, given another status or deleted. */
enum err store_flows_stamp(struct store_session *s, int64_t *ret, struct error *reterr) ERROR_MUST_CHECK;
enum err store_flow_find_by_name(struct store_session *s, const char *name, char ret_id[40],
                                 struct error *reterr) ERROR_MUST_CHECK;
/* ret: array of {version,createdAt,createdBy,nodeCount,changes,publishedAt|null,publishedBy|null,publishNote|null},
 * newest first. */
enum err store_flow_versions(struct store_session *s, const char *id, struct json **ret,
                             struct error *reterr) ERROR_MUST_CHECK;

/* One page of any list. `filter` members as in api-contract 1.2-1.4 plus limit, page (1..) or cursor. Ret:
 * {data:[...], pagination:{page,limit,total,totalIsExact,totalPages,nextCursor|null}}; more than 10,000 rows are not
 * counted: total is 10,000 then, and totalIsExact false. */
enum err store_flow_list(struct store_session *s, const struct json *filter, struct json **ret,
                         struct error *reterr) ERROR_MUST_CHECK; /* status, search; FlowSummary */
enum err store_schedule_list(struct store_session *s, const struct json *filter, struct json **ret,
                             struct error *reterr) ERROR_MUST_CHECK; /* flowId, enabled, nextRunBefore, search */
enum err store_execution_list(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr)
    ERROR_MUST_CHECK; /* flowId, scheduleId, status, startTimeFrom, startTimeTo, search */
enum err store_dead_letter_list(struct store_session *s, const struct json *filter, struct json **ret,
                                struct error *reterr) ERROR_MUST_CHECK; /* status open|retried|discarded */
enum err store_audit_list(struct store_session *s, const struct json *filter, struct json **ret,
                          struct error *reterr) ERROR_MUST_CHECK;

/* Deletes at most `limit` audit entries from before that time. */
enum err store_audit_prune(struct store_session *s, int64_t before_ms, size_t limit,
                           struct error *reterr) ERROR_MUST_CHECK;

/* ---- schedules. Documents as api-contract 1.3. */
enum err store_schedule_insert(struct store_session *s, const struct json *schedule, int64_t now_ms,
                               struct error *reterr) ERROR_MUST_CHECK;
enum err store_schedule_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                               struct error *reterr) ERROR_MUST_CHECK;
enum err store_schedule_delete(struct store_session *s, const char *id, struct error *reterr) ERROR_MUST_CHECK;
enum err store_schedule_load(struct store_session *s, const char *id, struct json **ret,
                             struct error *reterr) ERROR_MUST_CHECK;
enum err store_schedules_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                             struct error *reterr) ERROR_MUST_CHECK; /* enabled, nextRun <= now; array */

/* What became of an instant of a schedule, or of all from instant_ms to last_ms: told once. */
struct store_instant {
    const char *schedule_id;
    int64_t instant_ms, last_ms, count;
    bool more;                              /* there were more than `count` */
    const char *outcome;                    /* "fired", "waiting" (its execution waits for another one), "skipped" */
    const char *reason;                     /* skipped; or NULL */
    const char *execution_id, *backfill_id; /* or NULL */
    int64_t at_ms;
};
enum err store_instant_insert(struct store_session *s, const struct store_instant *instant,
                              struct error *reterr) ERROR_MUST_CHECK; /* CONFLICT: told already */
/* A page, newest first, of {instant,last,count,more,outcome,reason,executionId,backfillId,at}; filter scheduleId. */
enum err store_instant_list(struct store_session *s, const struct json *filter, struct json **ret,
                            struct error *reterr) ERROR_MUST_CHECK;
/* The unfinished executions of a schedule, oldest first, without those of backfills: array of {id, waiting}. */
enum err store_schedule_unfinished(struct store_session *s, const char *schedule_id, size_t limit, struct json **ret,
                                   struct error *reterr) ERROR_MUST_CHECK;
/* The number of unfinished executions of a backfill. */
enum err store_backfill_unfinished(struct store_session *s, const char *schedule_id, const char *backfill_id,
                                   int64_t *ret, struct error *reterr) ERROR_MUST_CHECK;
#define STORE_UNTIL_RELEASED_MS (INT64_MAX - 1) /* wake_ms of those that wait for others of their schedule */
/* Lets executions that waited for others of their schedule go on when all of those have ended: due at once. */
enum err store_schedules_release(struct store_session *s, int64_t now_ms, int64_t *ret_released,
                                 struct error *reterr) ERROR_MUST_CHECK;
bool store_schedules_waiting(struct store_session *s); /* whether some wait so */

#define STORE_PLACE_BYTES 128 /* of an execution's id */

/* ---- starting under limits (flow/limits.h). In force are those of the version that triggers run. An execution holds
 * its slot from its start until it is final, waits and pauses included. */
struct store_flow_start {
    int version, priority;
    bool limited;
};
/* What a start needs to know of a flow; version as store_flow_version. */
enum err store_flow_start(struct store_session *s, const char *id, bool published, struct store_flow_start *ret,
                          struct error *reterr) ERROR_MUST_CHECK;
struct store_admitted {
    int64_t count;
    bool more;       /* there may be more to admit at once */
    int64_t next_ms; /* a rate lets the next one start then; INT64_MAX: no rate holds one back */
};
/* Makes due what may start now, in order. Exact however many do it at the same time. `tell`: brings up to date what
 * the others wait for. */
enum err store_limits_admit(struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
                            struct error *reterr) ERROR_MUST_CHECK;
bool store_limits_waiting(struct store_session *s); /* whether some wait so */
/* Fails (LIMIT_EXCEEDED) one child that waits for a slot whose holders wait, themselves or through others, for that
 * child, and can do nothing else; its parent is told. In the write of store_limits_admit, which holds the flows. Looks
 * at some that wait, the latest first, and goes on at *at the next time; all zero at first. ret_id "": there is none
 * among them. */
struct store_place {
    int64_t at_ms;
    char id[STORE_PLACE_BYTES];
};
enum err store_limits_break(struct store_session *s, int64_t now_ms, struct store_place *at,
                            char ret_id[STORE_PLACE_BYTES], struct error *reterr) ERROR_MUST_CHECK;

/* ---- executions */
struct store_execution {
    const char *id, *flow_id;
    int flow_version;
    const char *schedule_id;     /* or NULL */
    int64_t schedule_instant_ms; /* unique with schedule_id when > 0: a second insert is CONFLICT */
    const char *trigger, *trigger_node;
    int priority;                                          /* 0 low, 1 normal, 2 high */
    const char *input_json, *metadata_json, *restore_json; /* texts or NULL; restore: checkpoints taken over (retry) */
    /* Unique per flow: ERR_CONFLICT with the existing id in reterr->field; UNPROCESSABLE (field idempotencyKey) when
     * that one's request_hash is another. */
    const char *idempotency_key;
    int64_t request_hash;     /* of what the start asked for; 0: not known */
    const char *options_json; /* of a run by hand: {untilNode, pins}, or NULL */
    const char *waiting_for;  /* why it may not start yet (wake_ms is set too), or NULL */
    bool unlimited;           /* the caller knows that its flow has no limits: they are not looked for */
    bool *ret_waits;          /* whether it waits: nobody may submit it; or NULL when it has wake_ms or finish */
    int64_t created_ms;
    int retry_count;
    int64_t wake_ms; /* > 0: it waits until then, as if parked; store_executions_due finds it */
    /* Who started it: an execution, from one of its nodes (sub-flow), or by failing. All NULL: nobody. */
    const char *parent_id, *parent_node_id, *parent_iteration;
    bool parent_waits; /* its end is told to the parent (store_signal); the parent's end is its own */
    int depth;         /* how many executions started each other before it */
    const char *body;  /* the for-each whose nodes alone it runs, or NULL */
    /* Only for an execution inserted already final: */
    const struct store_finish *finish;
};

struct store_finish {
    enum run_status status;
    int64_t started_ms, ended_ms, records;
    const char *error_id, *error_message;
    /* The history document, stored compressed: as text, or as store_pack made it of that; neither with history none.
     * That of a parked execution names its epoch: checkpoints of later ones tell what came after it. */
    const char *document_json;
    const void *document_packed;
    size_t document_packed_bytes;
    const char *result_json;
};

/* Appends the text in the form in which the store keeps documents. Any thread: it is done where the text is made, so
 * that less travels and the writer has less to do. */
void store_pack(const char *text, size_t size, struct buf *out);

/* Inserts one execution in status pending with epoch 1 (or final, with finish). Flow must exist: NOT_FOUND. If the
 * limits of its flow let it start only later it waits (waitingFor concurrency, key or rate) until store_limits_admit
 * makes it due. */
enum err store_execution_insert(struct store_session *s, const struct store_execution *row,
                                struct error *reterr) ERROR_MUST_CHECK;

enum store_event_kind {
    STORE_EVENT_STARTED,
    STORE_EVENT_CHECKPOINT,
    STORE_EVENT_PARKED,
    STORE_EVENT_FINISHED,
    STORE_EVENT_LOGS
};
struct store_event {
    enum store_event_kind kind;
    const char *execution_id;
    int epoch;
    const char *worker_id;
    int64_t at_ms;
    struct run_checkpoint checkpoint; /* CHECKPOINT; its values as text in checkpoint_…_json */
    const char *checkpoint_outputs_json, *checkpoint_waiting_json, *checkpoint_evaluated_json;
    const char *checkpoint_token; /* what stands for the link of an approval (flow/approval.h), or NULL */
    int64_t signals_seen;         /* PARKED: the last of its signals that the run has seen; a later one makes it due */
    bool has_parent;              /* FINISHED: the end may be told to a parent */
    bool signalled;               /* FINISHED: it was sent signals */
    bool stepless;                /* FINISHED: no step of it was ever told, in this epoch or before */
    int64_t
        wake_ms; /* PARKED; INT64_MAX = waits for the person who paused it: if resumed meanwhile, it is due at once */
    const struct store_finish *finish; /* FINISHED; PARKED: the document and records so far, or NULL */
    bool discard;          /* FINISHED with history none/errors on success: the row and all of it are deleted */
    const char *logs_json; /* LOGS: array of {timestamp,level,message,nodeId} */
};
/* Applies one event. An event of an older epoch, or for a final execution, changes nothing but the attempt ledger:
 * *ret_applied = false, OK. A CHECKPOINT replaces the former one of the node's same iteration; one with a signal_id
 * takes that signal, and its lost_attempts go into the ledger as "unknown". FINISHED removes checkpoints and signals,
 * and tells the parent that waits for it. Repeatable: an event delivered again changes nothing. Log lines beyond
 * LIMIT_LOG_LINES push the oldest out. */
enum err store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                           struct error *reterr) ERROR_MUST_CHECK;

/* What a worker needs to go on. Texts live in `arena`. */
struct store_dispatch {
    const char *id, *flow_id, *trigger, *trigger_node;
    const char *input_json, *restore_json, *options_json;
    const char *checkpoints_json; /* array of {nodeId,attempt,state (its
                                     name),outputs,records,startedMs,endedMs,wakeMs,errorId,errorMessage,
                                     iteration,waiting,epoch,unknown}, or NULL; unknown: attempts before that
                                     did not fail as far as is known */
    int flow_version, epoch, priority;
    int64_t created_ms;
    bool paused;              /* a person paused it */
    const char *signals_json; /* those that no node has taken, as store_signals_load gives them; or NULL */
    int64_t signals;          /* the last one it was sent */
    const char *body;
    int depth;
    const char *parent_id; /* that waits for its end, or NULL */
    /* Earlier epochs that were handed out, or may have been, and were taken away before their PARKED was applied: their
     * nodes with effects may have run without a checkpoint (run_options.lost_epochs). Bit 0 is the epoch before this
     * one, bit 1 the one before that, bit 29 that one or any before it. Cautious: an epoch that no worker ever took
     * counts too, since nothing here proves it. */
    unsigned lost_epochs;
};
/* Raises the epoch of an unfinished execution that stands at `expected_epoch` (0: whatever it is) and loads it for a
 * new dispatch; status pending, wake cleared (what a person has paused stays paused and parked). CONFLICT when it is
 * final, or at another epoch; INTERNAL when a text of it is damaged: nothing is changed then. */
enum err store_execution_reassign(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                  struct store_dispatch *ret, struct error *reterr) ERROR_MUST_CHECK;
/* Ids and epochs of executions: array of {id, epoch, priority, flowId}. */
enum err store_executions_unfinished(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                     struct error *reterr) ERROR_MUST_CHECK; /* not parked, by id */
enum err store_executions_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                              struct error *reterr) ERROR_MUST_CHECK; /* parked, wake <= now */
int64_t store_executions_next_due_ms(struct store_session *s);        /* INT64_MAX: none */

/* Execution | ExecutionDetail | document of contract 1.4 (duration, nodeExecutions from document or checkpoints). */
enum err store_execution_load(struct store_session *s, const char *id, struct json **ret,
                              struct error *reterr) ERROR_MUST_CHECK;
enum err store_execution_load_detail(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
    ERROR_MUST_CHECK; /* + metadata, input, result, nodeExecutions with attempts, epoch, trigger, waitingUntil */
enum err
store_execution_logs(struct store_session *s, const char *id, const char *level, const char *node_id, struct json **ret,
                     struct error *reterr) ERROR_MUST_CHECK; /* lines of LOGS events and of the history document's
                                                                `logs`, newest first, at most LIMIT_LOG_LINES */
/* Of executions (array of ids) those that are final: array of {id,status,errorId,errorMessage,
 * result,responded}. One that is not there, such as one whose history is not kept, has status null and nothing else. */
enum err store_executions_ended(struct store_session *s, const struct json *ids, struct json **ret,
                                struct error *reterr) ERROR_MUST_CHECK;
enum err store_execution_delete(struct store_session *s, const char *id,
                                struct error *reterr) ERROR_MUST_CHECK; /* CONFLICT unless final */
/* Cancel, pause and resume, by a person. cancel: final at once (status cancelled), epoch raised so that nothing later
 * counts. pause: pending|running -> paused; resume: paused -> pending with wake now, unless it still waits for others
 * of its schedule. CONFLICT from other states. */
enum err store_execution_cancel(struct store_session *s, const char *id, int64_t now_ms,
                                struct error *reterr) ERROR_MUST_CHECK;
enum err store_execution_pause(struct store_session *s, const char *id, int64_t now_ms,
                               struct error *reterr) ERROR_MUST_CHECK;
enum err store_execution_resume(struct store_session *s, const char *id, int64_t now_ms,
                                struct error *reterr) ERROR_MUST_CHECK;
/* The same with all that it waits for as their parent, and theirs: the ids of all that were cancelled, itself first. */
enum err store_execution_cancel_all(struct store_session *s, const char *id, int64_t now_ms, struct json **ret_ids,
                                    struct error *reterr) ERROR_MUST_CHECK;
/* Of one that can never go on, since what is stored of it is damaged: final at once (status failed), epoch raised.
 * CONFLICT when it is final. */
enum err store_execution_fail(struct store_session *s, const char *id, int64_t now_ms, const struct error *why,
                              struct error *reterr) ERROR_MUST_CHECK;
/* Counts by status since a time: {pending,running,paused,success,failed,cancelled,timeout,waiting}. */
enum err store_execution_counts(struct store_session *s, int64_t since_ms, struct json **ret,
                                struct error *reterr) ERROR_MUST_CHECK;
/* The same of all executions, without a session, for any thread. Counting takes longer the more rows there are: what
 * was found is given again for nineteen times as long as it took to find, 5 s at the most, so that who asks often
 * (pages, monitors) takes a twentieth of a processor at the most. ERR_STORE, ERR_UNAVAILABLE; yours. */
enum err store_counts(struct store *store, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
/* Retention leaves it alone from now on, or no longer. */
enum err store_execution_keep(struct store_session *s, const char *id, bool keep,
                              struct error *reterr) ERROR_MUST_CHECK;
/* Which final executions go: those that ended before a time (failed and timed out ones: before another one), and those
 * beyond a number per flow; 0: no such bound. While failed ones stay longer than others they do not count for the
 * number. What a flow's settings.retention says holds instead for its own; its days are counted from now_ms. */
struct store_retention {
    int64_t before_ms, failed_before_ms, keep, now_ms;
};
/* Deletes at most `limit` of them (more where a day goes as a whole), none that is kept; gives pages back. */
enum err store_retention_apply(struct store_session *s, const struct store_retention *rule, size_t limit,
                               int64_t *ret_deleted, struct error *reterr) ERROR_MUST_CHECK;

/* ---- words from outside, and children. Signals of an execution are numbered 1, 2, … Each is taken by one node, with
 * that node's checkpoint; until then it is kept. */
struct store_signal {
    const char *execution_id;
    const char *name, *node_id, *iteration; /* which wait it is for; NULL: any */
    const char *payload_json;               /* or NULL */
    const char *key;                        /* a second signal with this key is the first one; or NULL */
    int64_t at_ms;
};
struct store_receipt {
    int64_t id;
    bool repeated; /* its key was known */
    bool awaited;  /* a node waits for such a signal now */
};
/* CONFLICT (status): the execution is final; LIMIT: LIMIT_SIGNALS are kept already. A parked execution is due at once,
 * unless a person has paused it. */
enum err store_signal_insert(struct store_session *s, const struct store_signal *signal, struct store_receipt *ret,
                             struct error *reterr) ERROR_MUST_CHECK;
/* {id, signals: [{id, child, name, nodeId, iteration, payload}], seen}: those that are not taken, and the number of the
 * last one. NULL: there is no such execution, or it is final. */
enum err store_signals_load(struct store_session *s, const char *execution_id, struct json **ret,
                            struct error *reterr) ERROR_MUST_CHECK;
/* Executions that are not parked and have signals that nobody has taken: array of ids. */
enum err store_signals_open(struct store_session *s, size_t limit, struct json **ret,
                            struct error *reterr) ERROR_MUST_CHECK;

/* A wait by what stands for its link (flow/approval.h): {executionId, flowId, nodeId, iteration, state: open | answered
 * | over, until|null, approval, answer|null}. NOT_FOUND: no such link. */
enum err store_wait_load(struct store_session *s, const char *token, int64_t now_ms, struct json **ret,
                         struct error *reterr) ERROR_MUST_CHECK;
/* Answers it, once. CONFLICT (field state): answered already, or over. */
enum err store_wait_answer(struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
                           struct error *reterr) ERROR_MUST_CHECK;

/* Inserts what a parent has started (parent_id …), once: a second insert of the id changes nothing. When it cannot be
 * inserted (its flow is gone) a parent that waits is told that it failed. */
enum err store_child_insert(struct store_session *s, const struct store_execution *row,
                            struct error *reterr) ERROR_MUST_CHECK;
/* Nobody waits for that child of the parent's present epoch any more: cancelled with all of its own; ids as above, or
 * NULL when there is nothing to cancel. */
enum err store_child_drop(struct store_session *s, const char *parent_id, int epoch, const char *child_id,
                          int64_t now_ms, struct json **ret_ids, struct error *reterr) ERROR_MUST_CHECK;
/* Unfinished executions whose parent waited for them and is over: array of ids. */
enum err store_children_orphaned(struct store_session *s, size_t limit, struct json **ret,
                                 struct error *reterr) ERROR_MUST_CHECK;

/* ---- operation: workers {id,host,version,capacity,active,status,lastHeartbeat(ISO),metrics}, dead letters
 * {id,executionId|null,queue,reason,payload,status,createdAt}, users
 * {id,username,passwordHash,role,disabled,createdAt,updatedAt,sessions:[…]}, API keys
 * {id,name,hash,prefix,role,userId,username,createdAt,expiresAt|null,lastUsedAt|null}, settings
 * key -> JSON, audit entries {id,at,actor,action,target,detail}, node definitions of the catalog API
 * {type,version,...}. put = insert or replace by id. */
enum store_table {
    STORE_WORKERS,
    STORE_DEAD_LETTERS,
    STORE_USERS,
    STORE_API_KEYS,
    STORE_SETTINGS,
    STORE_AUDIT,
    STORE_NODE_DEFINITIONS,
    STORE_BACKFILLS,
    STORE_VARIABLES, /* id: scope/name, the scope of a flow's own being its id (worker/vault.h); they go with it */
    STORE_SECRETS
};
enum err store_put(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                   int64_t now_ms, struct error *reterr) ERROR_MUST_CHECK;
enum err store_get(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                   struct error *reterr) ERROR_MUST_CHECK;
enum err store_find(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                    struct error *reterr) ERROR_MUST_CHECK; /* users by username, api keys by hash, others by id */
enum err store_remove(struct store_session *s, enum store_table table, const char *id,
                      struct error *reterr) ERROR_MUST_CHECK;
enum err store_all(struct store_session *s, enum store_table table, struct json **ret,
                   struct error *reterr) ERROR_MUST_CHECK; /* array, at most 10000 */
/* Documents whose ids begin with scope and '/' (NULL: all), by id, from behind the id `after` (NULL: the first); an
 * array of at most `limit`. */
enum err store_scope_list(struct store_session *s, enum store_table table, const char *scope, const char *after,
                          size_t limit, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
