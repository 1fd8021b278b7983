/* How executions ended and how long they took, which Prometheus reads and gateways tell each other: an orchestrator
 * notes those whose end it wrote down, a gateway those that it ran itself (pure webhooks). All of one process share its
 * registry, and so the counts. Any thread. */
#pragma once
#include "flow/run.h"
#include "metrics/metrics.h"

struct json;
struct ended;

struct ended *ended_new(struct metrics *metrics); /* NULL: nobody else reads it */
void ended_free(struct ended *ended);             /* before the registry; NULL ok */
void ended_note(struct ended *ended, enum run_status status, int64_t started_ms, int64_t ended_ms);

/* Since the process began: failed counts timeouts too; the durations (of ended_durations_desc) are those of every
 * outcome. */
struct ended_counts {
    uint64_t success, failed;
    struct metric_histogram durations;
};
extern const struct metric_desc ended_durations_desc;
void ended_read(const struct ended *ended, struct ended_counts *ret);

/* As members of a message: appended after others. False: another version's, or none. */
void ended_print(const struct ended *ended, struct buf *body);
bool ended_parse(const struct json *message, struct ended_counts *ret);
