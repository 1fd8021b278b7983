/* Which orchestrator has which shard. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* ret: for each shard an index into `owners`. Whoever knows the same owners comes to the same, in whatever order they
 * are named; what two of them have differs by one at most; few shards move when one comes or goes (rendezvous hashing
 * within these bounds). owners: distinct ids, at least one. */
void dispatch_shares(const char *const *owners, size_t owner_count, unsigned shard_count, size_t *ret);

/* ret: which of the shards that are `owned` the first of the owners gives away. As many as it has more than its share;
 * none before, since each that moves stands still for a moment. Those go that `shares` gives to others. */
void dispatch_surplus(const size_t *shares, const bool *owned, unsigned shard_count, bool *ret);
