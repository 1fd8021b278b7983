/* Who gets the next execution. Pure. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define DISPATCH_WORKERS_MAX 1000

struct dispatch_worker {
    const char *id;
    unsigned capacity, active; /* it has room while active < capacity */
    unsigned weight;           /* share under `weighted`, > 0 */
    bool healthy;
};

enum dispatch_strategy { DISPATCH_ROUND_ROBIN, DISPATCH_LEAST_BUSY, DISPATCH_WEIGHTED };

/* Belongs to one dispatcher; zeroed is round_robin at its beginning. */
struct dispatch_state {
    enum dispatch_strategy strategy;
    uint64_t turn;
    int64_t current[DISPATCH_WORKERS_MAX]; /* smooth weighted round-robin */
};

/* round_robin | least_busy | weighted; VALIDATION otherwise, the state unchanged. */
enum err dispatch_state_set(struct dispatch_state *state, const char *strategy, struct error *reterr) ERROR_MUST_CHECK;
const char *dispatch_strategy_name(enum dispatch_strategy strategy);

/* Index of the chosen worker, or -1 when nobody healthy has room. At most DISPATCH_WORKERS_MAX workers are looked at.
 * round_robin: in turn among those with room. least_busy: lowest active/capacity, the first of equals in turn.
 * weighted: smooth weighted round-robin among those with room: of W picks each gets exactly its weight. */
int dispatch_choose(struct dispatch_state *state, const struct dispatch_worker *workers, size_t count);
