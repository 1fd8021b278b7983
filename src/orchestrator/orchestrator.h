/* Decides where work goes, and writes down what became of it: takes submissions when a worker has room, applies
 * workers' events in batches, sends on what comes back, wakes what is due, fires schedules. Lives on one loop; all
 * functions are called there, unless said otherwise.
 *
 * Executions are divided into shards (id_shard). Everything of an execution is done by the orchestrator that owns its
 * shard: the one that receives from the shard's queue of events, which has a single active consumer. Several
 * orchestrators share the shards evenly, and take over those of one that dies. */
#pragma once
#include "broker/broker.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct orchestrator;
struct scaling_options; /* orchestrator/scaling_driver.h */

struct orchestrator_options {
    const char *id;  /* among several; NULL: there is no other, and what is unfinished at start is handed out at once */
    unsigned shards; /* EVENT_SHARDS; 0: one */
    struct loop *loop;
    struct broker *broker;
    struct store *store;
    int64_t worker_timeout_ms;  /* a worker that is silent, or moves nothing, for so long loses its executions */
    unsigned loss_limit;        /* one that loses its worker so often in a row fails (poison.c); 0: no limit */
    int64_t health_interval_ms; /* between two looks at the workers; 0: 1 s */
    int64_t sweep_interval_ms;  /* 0: no sweeper */
    int64_t schedule_window_ms; /* how far back missed instants are caught up, unless a schedule says it itself */
    bool schedules;             /* fire schedules */
    const char *strategy;       /* LOAD_BALANCE_STRATEGY */
    int64_t retention_ms;       /* finished executions older than this are deleted; 0: kept */
    int64_t retention_count;    /* finished executions of each flow that are kept; 0: all */
    struct metrics *metrics;    /* how executions end is counted there; NULL: nobody reads it */
    const struct scaling_options *scaling; /* borrowed; NULL: no workers are started or stopped */
    /* Delete finished executions, as flows say or else as above; those that failed after so long, 0: as the others. */
    bool retention;
    int64_t retention_failed_ms;
};

struct orchestrator *orchestrator_new(const struct orchestrator_options *options);
enum err orchestrator_start(struct orchestrator *orchestrator,
                            struct error *reterr) ERROR_MUST_CHECK; /* recovery included */
/* Takes no new work and starts no new write of its own; applies what workers have sent. on_drained is called once, when
 * all of that is committed or the time is over. */
void orchestrator_drain(struct orchestrator *orchestrator, int64_t deadline_ms, void (*on_drained)(void *user),
                        void *user);
void orchestrator_free(
    struct orchestrator *orchestrator); /* also in mid-flight; with the store's pending writes finished */
enum err orchestrator_set_strategy(struct orchestrator *orchestrator, const char *strategy,
                                   struct error *reterr) ERROR_MUST_CHECK;

#define SCALER_PREFIX "auto-" /* of the names of workers that are started, and drained, by auto-scaling */
bool scaler_started(const char *worker_id);

struct orchestrator_stats {
    size_t pending, in_flight, workers, shards; /* shards: owned */
    size_t wanted;                              /* workers that there shall be; 0: it does not scale */
    uint64_t dispatched, finished, reassigned, failed_writes;
    int64_t last_progress_ms; /* when an event was last applied or work dispatched */
};
void orchestrator_stats(const struct orchestrator *orchestrator, struct orchestrator_stats *ret); /* any thread */
void orchestrator_collect(void *orchestrator, struct metrics_writer *writer); /* a collector of metrics; any thread */
