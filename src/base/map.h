/* A hash map from text to pointer. Keys are copied. */
#pragma once
#include <stddef.h>

struct map {
    struct map_entry *entries;
    size_t count, cap;
};
void map_init(struct map *map);
void map_done(struct map *map); /* not the values */
void *map_get(const struct map *map, const char *key);
void *map_put(struct map *map, const char *key, void *value); /* returns the former value; value NULL removes */
void map_each(const struct map *map, void (*fn)(void *user, const char *key, void *value),
              void *user); /* must not change the map */
