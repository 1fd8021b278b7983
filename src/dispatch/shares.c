#include "dispatch/shares.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static uint64_t weight(const char *owner, unsigned shard)
{
    AUTO_FREE char *pair = mem_printf("%s/%u", owner, shard);
    return hash_str(pair);
}

void dispatch_shares(const char *const *owners, size_t owner_count, unsigned shard_count, size_t *ret)
{
    size_t least = shard_count / owner_count, with_one_more = shard_count % owner_count;
    AUTO_FREE size_t *counts = mem_array(owner_count, sizeof *counts);
    for (unsigned shard = 0; shard < shard_count; shard++) {
        size_t best = owner_count;
        uint64_t most = 0;
        for (size_t i = 0; i < owner_count; i++) {
            if (counts[i] > least || (counts[i] == least && with_one_more == 0))
                continue;
            uint64_t hash = weight(owners[i], shard);
            if (best == owner_count || hash > most || (hash == most && strcmp(owners[i], owners[best]) > 0)) {
                best = i;
                most = hash;
            }
        }
        ret[shard] = best;
        with_one_more -= counts[best]++ == least;
    }
}

void dispatch_surplus(const size_t *shares, const bool *owned, unsigned shard_count, bool *ret)
{
    unsigned has = 0, keeps = 0;
    for (unsigned shard = 0; shard < shard_count; shard++) {
        has += owned[shard];
        keeps += shares[shard] == 0;
    }
    for (unsigned shard = 0; shard < shard_count; shard++) {
        ret[shard] = has > keeps && owned[shard] && shares[shard] != 0;
        has -= ret[shard];
    }
}
