/* Runs flows: takes work from its queue, drives each run with its nodes, publishes checkpoints and results.
 * Lives on one loop; all functions are called there, unless said otherwise. */
#pragma once
#include "broker/broker.h"
#include "nodes/node.h"
#include "store/store.h"

struct worker;
struct pool;
struct resolver;

struct worker_options {
    const char *id;
    struct loop *loop;
    struct broker *broker;
    struct store *store; /* flow definitions are read from here */
    const struct flow_catalog *catalog;
    const struct node_type *(*find_type)(const char *type);
    struct node_host *host;          /* NULL: no network nodes */
    const struct resolver *resolver; /* worker/scope.h: variables and secrets; NULL: there are none */
    struct pool *pool;               /* for BLOCKING nodes; NULL: they run inline (simulator) */
    unsigned capacity;               /* MAX_CONCURRENT_FLOWS */
    unsigned shards;                 /* EVENT_SHARDS; 0: one */
    int64_t report_interval_ms;      /* HEALTH_REPORT_INTERVAL */
    int64_t memory_limit_bytes;      /* of the process and what it started; near it no work is taken; 0: none */
    unsigned cpu_limit_cores;        /* likewise; 0: none */
    void (*on_asked_to_leave)(void); /* by the control message {drain: id}; NULL: it drains, and no more */
    uint64_t seed;
};

struct worker *worker_new(const struct worker_options *options);
enum err worker_start(struct worker *worker, struct error *reterr) ERROR_MUST_CHECK;
/* Takes nothing new; parks or finishes what runs, hands the rest back by disconnecting. on_drained is called once. */
void worker_drain(struct worker *worker, int64_t deadline_ms, void (*on_drained)(void *user), void *user);
void worker_free(struct worker *worker); /* also in mid-flight, as a crash would: unacknowledged work goes back */

struct worker_stats {
    unsigned active, capacity;
    uint64_t started, finished, failed;
    int64_t moved_ms;                 /* wall clock: when it last was seen to move */
    int64_t memory_bytes, cpu_millis; /* of the process and what it started; cpu: thousandths of a core */
    bool full, draining;              /* full: memory or processor are at their limit */
};
void worker_stats(const struct worker *worker, struct worker_stats *ret); /* any thread */
struct metrics_writer;
void worker_collect(void *worker, struct metrics_writer *writer); /* a collector of metrics; any thread */
