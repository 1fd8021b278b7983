#include "gateway/limit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cache/cache.h"
#include <stdlib.h>

#define WINDOW_MS 60000

static int64_t count_of(struct cache *cache, const char *key, int64_t now_ms)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    return cache_get(cache, key, now_ms, &text) ? strtoll(buf_str(&text), NULL, 10) : 0;
}

static int64_t seconds(double ms)
{
    return ms <= 1000 ? 1 : ((int64_t)ms + 999) / 1000;
}

void limit_take(struct cache *cache, const char *who, int64_t per_minute, int64_t now_ms, struct limit_state *ret)
{
    int64_t window = now_ms / WINDOW_MS, passed = now_ms % WINDOW_MS;
    AUTO_FREE char *key = mem_printf("rate:%s:%lld", who, (long long)window);
    AUTO_FREE char *former_key = mem_printf("rate:%s:%lld", who, (long long)window - 1);
    int64_t count = cache_add(cache, key, 1, 2 * WINDOW_MS, now_ms), former = count_of(cache, former_key, now_ms);
    double carried = (double)former * (double)(WINDOW_MS - passed) / WINDOW_MS;
    double room = (double)per_minute - carried - (double)count; /* after this request */
    ret->exceeded = room < 0;
    ret->remaining = room < 0 ? 0 : (int64_t)room;
    ret->wait_s = seconds((double)(WINDOW_MS - passed));
    if (!ret->exceeded)
        return;
    (void)cache_add(cache, key, -1, 2 * WINDOW_MS, now_ms); /* who goes on asking is not shut out for ever */
    if (count <= per_minute && former > 0)
        ret->wait_s = seconds(-room * WINDOW_MS / (double)former);
}
