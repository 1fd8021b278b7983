/* A bounded pool of threads for work that blocks. */
#pragma once
#include "base/loop.h"

struct pool;
struct pool *pool_new(unsigned threads);
void pool_free(struct pool *pool); /* waits for running work; queued work is still done */
/* work on a pool thread, then after on the loop's thread; loop NULL: no after. */
void pool_submit(struct pool *pool, struct loop *loop, loop_fn work, loop_fn after, void *user);
