/* The simulator: gateway, orchestrators, workers, broker and store of one installation in one thread, on virtual loops.
 * Every choice (flows, interleaving, faults, what people do) is drawn from one seed, so that a seed is a history that
 * repeats. tests/CMakeLists.txt lets the linker lead calls of some store verbs through facts.c, which keeps a model of
 * what was committed, and broadcasts through words.c. What has to come of each execution is known beforehand
 * (expect.c); check.c compares it with what happens. */
#pragma once
#include "base/clock.h"
#include "base/map.h"
#include "orchestrator/orchestrator.h"
#include "worker/worker.h"

/* Kinds of faults, as bits. */
enum sim_fault {
    SIM_CRASH_WORKER = 1,
    SIM_CRASH_ORCHESTRATOR = 2,
    SIM_RESTART_BROKER = 4,
    SIM_LOSE = 8,
    SIM_DOUBLE = 16,
    SIM_DELAY = 32,
    SIM_STORE = 64,
    SIM_CLOCK = 128,
    SIM_HANG = 256,
    SIM_PERSON = 512, /* cancels, pauses, resumes, retries what failed */
    SIM_WORDS = 1024, /* broadcasts are not heard by somebody, or late by all */
    SIM_ALL = 2047
};

/* Defects planted on purpose: the test of the test. */
enum sim_plant {
    SIM_PLANT_NONE,
    SIM_PLANT_DROP_REASSIGN,   /* what comes back is not sent out again */
    SIM_PLANT_OLDER_EPOCH,     /* events of an older epoch count */
    SIM_PLANT_LOSE_CHECKPOINT, /* a checkpoint is acknowledged and not written */
    SIM_PLANT_FORGET_WAIT,     /* a parked wait has no time to wake at */
    SIM_PLANT_EARLY_WAIT,      /* a wait is over before its time */
    SIM_PLANT_IGNORE_CANCEL,   /* workers are not told that an execution was cancelled */
    SIM_PLANT_UNSTABLE_KEY,    /* the idempotency key changes with the epoch */
    SIM_PLANT_FORGET_ACCEPTED, /* an execution is accepted and its row never written */
    SIM_PLANT_IGNORE_LIMITS,   /* what has to wait for its turn is handed out at once */
    SIM_PLANT_IGNORE_RATES,    /* what was let in before counts for no rate */
    SIM_PLANT_MUTE_CHILD,      /* the end of a child is not told to its parent */
    SIM_PLANT_EARLY_SIGNAL,    /* a signal that comes before the run parks is lost */
    SIM_PLANT_NO_LEDGER,       /* what may have run in a lost epoch shows as no attempt */
    SIM_PLANT_LEAVE_CHILDREN,  /* who is cancelled leaves those that it waits for running */
    SIM_PLANT_SECOND_CHILD,    /* each time that a checkpoint is told, a child is started */
    SIM_PLANT_DROP_RESTORE,    /* a retry from the failed node has forgotten what had succeeded */
    SIM_PLANT_LOSE_ANSWER,     /* an approval's answer is taken and not written */
    SIM_PLANT_SECOND_ANSWER,   /* an approval takes each answer */
    SIM_PLANT_FIRE_TWICE,      /* an instant of a schedule starts two executions */
    SIM_PLANT_IGNORE_OVERLAP,  /* a schedule does not see that another one of its executions is unfinished */
    SIM_PLANT_FORGET_INSTANT,  /* what became of an instant is not written */
    SIM_PLANT_CROWD_BACKFILL,  /* a backfill does not see that its executions are unfinished */
    SIM_PLANT_SKIP_BACKFILL,   /* a backfill goes on past an instant that it has not dealt with */
    SIM_PLANT_NEW_ITEM_TIME,   /* an item's time begins anew each time that its run is taken up */
    SIM_PLANT_COUNT
};

enum {
    SIM_WORKERS = 3,
    SIM_FLOWS = 4,
    SIM_NODES = 40,
    SIM_INPUTS = 3,
    SIM_EXECUTIONS = 12, /* that somebody starts; they start others */
    SIM_STARTS = 64,
    SIM_ORCHESTRATORS = 2,
    SIM_LOOPS = SIM_WORKERS + SIM_ORCHESTRATORS + 1
};
enum { LOOP_ORCHESTRATOR = SIM_WORKERS, LOOP_GATEWAY = SIM_WORKERS + SIM_ORCHESTRATORS };

enum sim_kind {
    KIND_START,
    KIND_PURE,
    KIND_EFFECT,
    KIND_BLOCKING,
    KIND_SLEEP,
    KIND_SIGNAL,
    KIND_CHILD,
    KIND_EACH,
    KIND_MERGE,
    KIND_END
};

struct sim_flow {
    char id[ID_TEXT_BYTES];
    struct flow *flow;
    struct json *definition;
    bool failing;              /* some of its nodes fail for good */
    bool bounded;              /* its loops may go on beyond their bound */
    bool signalled[SIM_NODES]; /* of n<index>: a wait that somebody sends a signal to */
    bool approved[SIM_NODES];  /* such a wait that only an answer under its link ends */
    bool approvals;            /* there are some */
    bool timed;                /* only the time of their items ends some of its waits */
    int concurrency, per_key;  /* 0: any number */
    int rate_limit;            /* starts in a period, of all or of each key; 0: any number */
    bool rate_keyed;
    int64_t rate_period_ms;
};

/* What has to come of an execution. */
struct sim_expected {
    enum run_status status;
    struct json *result;
    /* "node#hash of its inputs" -> in how many iterations it may begin, and has to end well, as pointers. When
     * something fails, what else was under way in its item may have ended or not: `ended` is of the flow's own nodes
     * then. */
    struct map begun, ended;
    bool failed;     /* something has: what would come after it may not happen */
    bool loose;      /* which nodes run depends on the order */
    unsigned starts; /* of nodes, of all that it starts too */
    unsigned children;
    int64_t took_ms;        /* there */
    unsigned executions;    /* all that it starts */
    struct sim_wait *waits; /* those that get a signal */
};
struct sim_wait {
    struct sim_wait *next;
    char node[16];
    char iteration[RUN_ITERATION_BYTES_MAX];
};

/* What the model knows of one iteration of a node of one execution. */
struct sim_place {
    struct sim_place *next;
    const char *name; /* node@iteration */
    enum sim_kind kind;
    char key[ID_TEXT_BYTES_MAX + 16];
    unsigned starts;
    int attempts;         /* that its policy allows */
    int done_epoch;       /* the latest epoch in which it came to its end */
    int checkpoint_epoch; /* whose success is committed, or 0 */
    bool done, waiting;
    bool never;           /* it had succeeded in the execution that this one retries */
    bool asked, answered; /* an approval: somebody will answer it, or has */
    int64_t wake_ms;      /* the earliest of its waits */
    struct {
        int epoch, attempt;
    } seen[SIM_STARTS];
};

struct sim_execution {
    struct sim_execution *next;
    struct sim *sim;
    char id[ID_TEXT_BYTES];
    unsigned flow;
    char *body, *input; /* input: its text */
    const struct sim_expected *expected;
    struct sim_execution *parent; /* that started it; NULL: somebody from outside */
    char *parent_place;
    bool parent_waits;
    struct sim_execution *retries; /* it goes on from where that one failed */
    bool retried;
    bool mended;    /* nothing of it fails */
    bool disturbed; /* a person cancelled one that it waited for */
    bool accepted, uncertain;
    bool scheduled, filled; /* by the schedule, for that instant; filled: by a backfill */
    int64_t instant_ms;
    int epoch;                       /* committed; 0: no row */
    uint64_t parked;                 /* bit n: epoch n was parked */
    int final, final_epoch;          /* enum run_status, or -1 */
    int64_t cancelled_at, paused_at; /* global time, or 0 */
    int64_t told_at;                 /* workers were told of the cancel */
    bool unheard;                    /* somebody was not told what a person said, or late */
    bool holds, waits;               /* a slot under its flow's limits; waits for one */
    bool let_in, timed;              /* under its flow's rate; timed: no clock has jumped just before */
    int64_t let_in_at;               /* by the clock of who did */
    int key;
    struct map places;
    struct sim_place *first_place;
    struct map done;  /* "node@iteration#hash" */
    struct map pairs; /* as of what is expected */
    struct store_execution row;
    char *restore;
};

struct sim_worker {
    struct node_host host; /* first: nodes find their world through it */
    struct sim *sim;
    unsigned index;
    char id[16];
    struct worker *worker; /* NULL: down */
    int64_t up_at, hung_until, last_hung;
    unsigned slowness;
};

struct sim_orchestrator {
    struct orchestrator *orchestrator; /* NULL: down */
    char id[16];
    int64_t up_at;
};

struct sim_schedule {
    char id[ID_TEXT_BYTES];
    struct json *document;           /* NULL: there is none */
    unsigned flow, overlap;          /* enum schedule_overlap */
    int64_t first_ms;                /* its first instant */
    char backfill_id[ID_TEXT_BYTES]; /* of the instants from then on until that; "": there is none */
    int64_t from_ms, to_ms;
    int fill_most; /* of its executions that are unfinished */
};

struct sim {
    uint64_t seed;
    unsigned faults;
    enum sim_plant plant;
    bool quiet, tracing; /* quiet: the faults are over */
    bool speaking;       /* the gateway is at the store */
    struct rng rng;      /* of the world */
    struct rng fault_rng;
    int64_t now, wall_max;
    int64_t jumped_at; /* the last time that the clocks did; 0: never */
    struct loop *loops[SIM_LOOPS];
    struct broker *broker;
    struct broker_connection *gateway;
    struct store *store;
    struct sim_orchestrator orchestrators[SIM_ORCHESTRATORS];
    unsigned orchestrator_count, shards;
    int64_t store_at;
    struct sim_worker workers[SIM_WORKERS];
    unsigned worker_count;
    struct sim_flow flows[SIM_FLOWS];
    unsigned flow_count;
    struct map expectations; /* "flow/body/mended/hash of input" -> struct sim_expected */
    struct sim_execution *executions, **last_execution;
    struct map by_id;
    struct sim_schedule schedule;
    unsigned execution_count, submitted, wanted;
    int64_t next_submit, next_fault, faults_end, next_look;
    unsigned lose_percent, double_percent, delay_percent, store_percent, deaf_percent, late_percent;
    struct sim_listener *listeners;
    struct sim_late_word *late_words;
    struct sim_sending *sendings;
    enum store_fault forced;
    bool force;
    uint64_t digest; /* of everything that happened: two runs of a seed must agree */
    uint64_t steps;
    uint64_t crashes, lost, doubled, delayed, failed_commits, jumps, hangs, cancels, pauses, unheard, late;
    uint64_t held_back; /* by a rate alone */
    uint64_t endless;   /* waits that only their item's time ends */
    uint64_t iterations, passes, children, bodies, signals, answers, firings, fillings, firsts, retries,
        failures;      /* that flows came to */
    char problem[600]; /* the first broken promise, or empty */
    struct tentative *pending_facts;
    size_t fact_count, fact_cap;
};

/* Runs one history; true when every promise held. The reason, with the seed, is in sim->problem otherwise. */
bool sim_run(struct sim *sim, uint64_t seed, unsigned faults, enum sim_plant plant);

/* world.c */
void sim_orchestrator_start(struct sim *sim, unsigned index);
void sim_worker_start(struct sim_worker *worker);
void sim_broker_start(struct sim *sim);
int64_t sim_wall(const struct sim *sim, unsigned loop);

/* nodes.c */
const struct flow_catalog *sim_catalog(void);
const struct node_type *sim_find_type(const char *type);
enum sim_kind sim_kind_of(const char *type);
uint64_t sim_hash_value(const struct json *value); /* the same in every history of a seed */
struct json *sim_value(uint64_t hash);             /* yours */
/* What an attempt comes to: of these inputs, whichever process it is and however often. */
struct sim_outcome {
    uint64_t hash;        /* of its inputs */
    bool fails, for_good; /* for good: each attempt does */
    struct json *outputs; /* yours; NULL: it fails, or others say (KIND_SIGNAL with a signal, KIND_CHILD) */
};
void sim_behave(const struct sim_flow *flow, bool mended, const char *node_id, const char *iteration, int attempt,
                enum sim_kind kind, const struct json *inputs, struct sim_outcome *ret);
struct json *sim_payload(const char *node_id); /* of the signal for that wait; yours */

/* A map as a table of counts. */
static inline uintptr_t sim_count(const struct map *counts, const char *key)
{
    return (uintptr_t)map_get(counts, key);
}
static inline void sim_count_add(struct map *counts, const char *key, uintptr_t more)
{
    (void)map_put(counts, key, (void *)(sim_count(counts, key) + more)); /* NOLINT(performance-no-int-to-ptr) */
}

/* flows.c */
void sim_flows_make(struct sim *sim);
void sim_flows_done(struct sim *sim);
unsigned sim_flow_index(const struct sim *sim, const char *id); /* flow_count: unknown */
bool sim_is_approved(const struct sim_flow *flow, const char *node_id);
bool sim_is_signalled(const struct sim_flow *flow, const char *node_id);
struct json *sim_input(unsigned number); /* yours */

/* expect.c */
const struct sim_expected *sim_expect(struct sim *sim, unsigned flow, const char *body, bool mended,
                                      const struct json *input);
void sim_expectations_forget(struct sim *sim);

/* people.c: who uses the gateway */
struct sim_execution *sim_execution_new(struct sim *sim, const char *id, unsigned flow);
void sim_submit(struct sim *sim);
void sim_signals_plan(struct sim_execution *execution); /* that it will wait for */
void sim_person_acts(struct sim *sim);
void sim_person_resumes(struct sim *sim);       /* all that is paused */
int64_t sim_signals_due(const struct sim *sim); /* INT64_MAX: there are none */
void sim_signals_step(struct sim *sim);
void sim_people_done(struct sim *sim);

/* schedules.c */
void sim_schedule_make(struct sim *sim); /* or none */
void sim_schedule_stop(struct sim *sim);
struct json *sim_schedule_input(void); /* as what it starts takes it; yours */
struct sim_execution *sim_schedule_starts(struct sim *sim, const struct store_execution *row);
void sim_schedule_fired(struct sim *sim, struct sim_execution *fired); /* it is committed */
void sim_schedule_started(struct sim *sim, const struct sim_execution *started);
void sim_schedule_check(struct sim *sim, struct store_session *session);
bool sim_schedule_is_filled(const struct sim *sim); /* its backfill has started all, or there is none */
bool sim_schedule_is_second(const struct sim *sim, int64_t instant_ms); /* of its backfill */

/* rates.c */
/* Whether it has been let in, and the model does not know it yet. */
bool sim_rate_is_over(const struct sim_execution *execution, struct store_session *session);
void sim_rate_let_in(struct sim_execution *execution, int64_t at_ms); /* it is committed */

/* faults.c */
void sim_faults_init(struct sim *sim);
void sim_faults_step(struct sim *sim); /* called when next_fault has come */
void sim_faults_stop(struct sim *sim);
void sim_crash_orchestrator(struct sim *sim, unsigned index, int64_t down_ms);
void sim_crash_worker(struct sim_worker *worker, int64_t down_ms);
int sim_publish_fault(void *sim, const char *queue);
enum store_fault sim_commit_fault(void *sim);
bool sim_chance(struct rng *rng, unsigned percent);

/* words.c */
int64_t sim_words_due(const struct sim *sim); /* of a late broadcast; INT64_MAX: none */
void sim_words_step(struct sim *sim);
void sim_words_forget(struct sim *sim); /* the late ones */
void sim_words_done(struct sim *sim);

/* facts.c */
struct sim *sim_watched(void);
void sim_watch(struct sim *sim); /* whose history the store's verbs tell from now on; NULL: nobody's */
void sim_on_commit(struct sim *sim, bool committed);

/* check.c */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_problem(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct sim_execution *sim_find(const struct sim *sim, const char *id); /* NULL: unknown */
struct sim_place *sim_place(struct sim_execution *execution, const char *node_id, const char *iteration);
int sim_lost_epochs(const struct sim_execution *execution, int before);
void sim_on_node_start(struct sim_worker *worker, const struct node_call *call, int epoch, uint64_t hash);
void sim_on_node_done(struct sim_worker *worker, const struct node_call *call, int epoch, uint64_t hash);
void sim_on_node_wait(struct sim_worker *worker, const struct node_call *call, int64_t wake_ms);
bool sim_all_final(struct sim *sim);
void sim_check_end(struct sim *sim);
