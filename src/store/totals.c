/* A small table of totals by the list's key. */
#include "store/totals.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REST 19 /* times as long as counting took it rests */
#define AGE_MAX_US INT64_C(5000000)
enum { KEPT = 64 }; /* as many different lists as are looked at at once, and more */

struct totals {
    pthread_mutex_t lock;
    struct kept {
        char *key; /* NULL: free */
        int64_t total, until_us;
    } kept[KEPT];
};

int64_t totals_until_us(int64_t began_us, int64_t now_us)
{
    int64_t rest_us = (now_us - began_us) * REST;
    return now_us + (rest_us < AGE_MAX_US ? rest_us : AGE_MAX_US);
}

struct totals *totals_new(void)
{
    struct totals *totals = mem_alloc(sizeof *totals);
    pthread_mutex_init(&totals->lock, NULL);
    return totals;
}

void totals_free(struct totals *totals)
{
    if (totals == NULL)
        return;
    for (int i = 0; i < KEPT; i++)
        free(totals->kept[i].key);
    pthread_mutex_destroy(&totals->lock);
    free(totals);
}

/* The key's own place, else the one that ends first. */
static struct kept *place_of(struct totals *totals, const char *key)
{
    struct kept *first = &totals->kept[0];
    for (struct kept *k = totals->kept; k < totals->kept + KEPT; k++) {
        if (k->key != NULL && strcmp(k->key, key) == 0)
            return k;
        if (k->until_us < first->until_us)
            first = k;
    }
    return first;
}

bool totals_find(struct totals *totals, const char *key, int64_t now_us, int64_t *ret)
{
    pthread_mutex_lock(&totals->lock);
    const struct kept *k = place_of(totals, key);
    bool found = k->key != NULL && strcmp(k->key, key) == 0 && now_us < k->until_us;
    if (found)
        *ret = k->total;
    pthread_mutex_unlock(&totals->lock);
    return found;
}

void totals_keep(struct totals *totals, const char *key, int64_t total, int64_t until_us)
{
    if (total < TOTALS_EXACT_BELOW)
        return;
    pthread_mutex_lock(&totals->lock);
    struct kept *k = place_of(totals, key);
    if (k->key == NULL || strcmp(k->key, key) != 0) {
        free(k->key);
        k->key = mem_dup(key);
    }
    k->total = total;
    k->until_us = until_us;
    pthread_mutex_unlock(&totals->lock);
}
