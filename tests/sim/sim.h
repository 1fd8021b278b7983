/* The simulator: gateway, orchestrator, workers, broker and store of one installation in one thread, on virtual loops.
 * Every choice (flows, interleaving, faults, what people do) is drawn from one seed, so that a seed is a history that
 * repeats. tests/CMakeLists.txt lets the linker lead calls of some store verbs through check.c, which keeps a model of
 * what was committed and compares it with what happens. */
#pragma once
#include "base/clock.h"
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
    SIM_PERSON = 512,
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
    SIM_PLANT_COUNT
};

enum {
    SIM_WORKERS = 3,
    SIM_FLOWS = 4,
    SIM_NODES = 8,
    SIM_EXECUTIONS = 24,
    SIM_STARTS = 64,
    SIM_ORCHESTRATORS = 2,
    SIM_LOOPS = SIM_WORKERS + SIM_ORCHESTRATORS + 1
};
enum { LOOP_ORCHESTRATOR = SIM_WORKERS, LOOP_GATEWAY = SIM_WORKERS + SIM_ORCHESTRATORS };

enum sim_kind { KIND_START, KIND_PURE, KIND_EFFECT, KIND_BLOCKING, KIND_FLAKY, KIND_WAIT };

struct sim_flow {
    char id[ID_TEXT_BYTES];
    unsigned count;
    enum sim_kind kinds[SIM_NODES];
    int attempts[SIM_NODES];
    bool from[SIM_NODES][SIM_NODES]; /* from[to][source] */
    int concurrency, per_key;        /* 0: any number */
};

/* What the model knows of one node of one execution. */
struct sim_node {
    char key[ID_TEXT_BYTES_MAX];
    unsigned starts;
    int done_epoch;       /* the latest epoch in which it came to its end */
    int checkpoint_epoch; /* whose success is committed, or 0 */
    bool done, waiting;
    int64_t wake_ms; /* the earliest of its waits */
    struct {
        int epoch, attempt;
    } seen[SIM_STARTS];
};

struct sim_execution {
    struct sim *sim;
    char id[ID_TEXT_BYTES];
    unsigned flow;
    bool accepted, uncertain;
    int epoch;                       /* committed; 0: no row */
    uint64_t parked;                 /* bit n: epoch n was parked */
    int final, final_epoch;          /* enum run_status, or -1 */
    int64_t cancelled_at, paused_at; /* global time, or 0 */
    bool unheard;                    /* somebody was not told of that, or late */
    bool holds, waits;               /* a slot under its flow's limits; waits for one */
    int key;
    struct sim_node nodes[SIM_NODES];
    struct store_execution row;
    char input[64];
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

struct sim {
    uint64_t seed;
    unsigned faults;
    enum sim_plant plant;
    bool quiet, tracing; /* quiet: the faults are over */
    struct rng rng;      /* of the world */
    struct rng fault_rng;
    int64_t now, wall_max;
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
    struct sim_execution executions[SIM_EXECUTIONS];
    unsigned execution_count, wanted;
    int64_t next_submit, next_fault, faults_end;
    unsigned lose_percent, double_percent, delay_percent, store_percent, deaf_percent, late_percent;
    struct sim_listener *listeners;
    struct sim_late_word *late_words;
    enum store_fault forced;
    bool force;
    uint64_t digest; /* of everything that happened: two runs of a seed must agree */
    uint64_t steps;
    uint64_t crashes, lost, doubled, delayed, failed_commits, jumps, hangs, cancels, pauses, unheard, late;
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
void sim_flow_make(struct sim *sim, struct sim_flow *flow);

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

/* check.c */
struct sim *sim_watched(void);
void sim_watch(struct sim *sim); /* whose history the store's verbs tell from now on; NULL: nobody's */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_problem(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct sim_execution *sim_find(struct sim *sim, const char *id);
void sim_on_commit(struct sim *sim, bool committed);
void sim_on_node_start(struct sim_worker *worker, const struct node_call *call, int epoch);
void sim_on_node_done(struct sim_worker *worker, const struct node_call *call, int epoch);
void sim_on_node_wait(struct sim_worker *worker, const struct node_call *call, int64_t wake_ms);
bool sim_all_final(struct sim *sim);
void sim_check_end(struct sim *sim);
