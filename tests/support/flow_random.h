/* Random flows of loops, for-each (in place and distributed), sub-flows, waits and joins inside each other, made of the
 * types of flow_kit.h. */
#pragma once
#include "flow/flow.h"

/* The same seed gives the same flow, which is printed when FLOW_SEED is set. Yours. */
struct flow *flow_random(uint64_t seed);
