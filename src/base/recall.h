/* The latest values of at most so many keys; beyond that the oldest are forgotten. */
#pragma once
#include "base/map.h"
#include <stdbool.h>

struct recall {
    struct map values; /* key -> value + 1, as a pointer */
    char **keys;       /* ring, oldest at `next` once full */
    size_t cap, next;
};
void recall_init(struct recall *recall, size_t cap); /* cap > 0 */
void recall_done(struct recall *recall);
void recall_put(struct recall *recall, const char *key, int value); /* value >= 0 */
int recall_get(const struct recall *recall, const char *key);       /* -1: not known (any more) */
