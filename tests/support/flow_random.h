/* Random flows of loops, for-each (in place and distributed), sub-flows, waits and joins inside each other, made of the
 * types of flow_kit.h. */
#pragma once
#include "base/clock.h"
#include "flow/flow.h"

/* The same seed gives the same flow, which is printed when FLOW_SEED is set. Yours. */
struct flow *flow_random(uint64_t seed);
/* Of about `size` nodes, as {name, nodes, connections}; its last node "end" is a `respond` that is always reached
 * unless the run fails. Yours. */
struct json *flow_random_definition(struct rng *rng, unsigned size);
