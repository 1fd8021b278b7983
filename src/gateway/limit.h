/* Requests a minute of one client: a sliding window, made of the present minute and the weighted one before it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cache;

struct limit_state {
    bool exceeded;     /* the request was not counted */
    int64_t remaining; /* requests that are left */
    int64_t wait_s;    /* until there is room again (exceeded), or the window ends */
};
void limit_take(struct cache *cache, const char *who, int64_t per_minute, int64_t now_ms, struct limit_state *ret);
