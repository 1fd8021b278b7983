/* Open addressing with linear probing and backward-shift deletion. */
#include "base/map.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct map_entry {
    char *key;
    void *value;
    size_t hash;
};

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->entries[i].key);
    free(map->entries);
    map_init(map);
}

static size_t slot_of(const struct map *map, const char *key, size_t hash)
{
    size_t i = hash & (map->cap - 1);
    while (map->entries[i].key != NULL && (map->entries[i].hash != hash || strcmp(map->entries[i].key, key) != 0))
        i = (i + 1) & (map->cap - 1);
    return i;
}

void *map_get(const struct map *map, const char *key)
{
    return map->cap == 0 ? NULL : map->entries[slot_of(map, key, hash_str(key))].value;
}

static void grow(struct map *map)
{
    struct map old = *map;
    map->cap = old.cap == 0 ? 16 : old.cap * 2;
    map->entries = mem_array(map->cap, sizeof *map->entries);
    for (size_t i = 0; i < old.cap; i++)
        if (old.entries[i].key != NULL)
            map->entries[slot_of(map, old.entries[i].key, old.entries[i].hash)] = old.entries[i];
    free(old.entries);
}

static void *take_out(struct map *map, size_t i)
{
    void *value = map->entries[i].value;
    free(map->entries[i].key);
    map->count--;
    size_t mask = map->cap - 1, hole = i;
    for (size_t j = (i + 1) & mask; map->entries[j].key != NULL; j = (j + 1) & mask)
        if (((j - map->entries[j].hash) & mask) >= ((j - hole) & mask)) {
            map->entries[hole] = map->entries[j];
            hole = j;
        }
    map->entries[hole] = (struct map_entry){0};
    return value;
}

void *map_put(struct map *map, const char *key, void *value)
{
    if (map->cap == 0 || map->count * 4 >= map->cap * 3)
        grow(map);
    size_t hash = hash_str(key), i = slot_of(map, key, hash);
    struct map_entry *entry = &map->entries[i];
    if (value == NULL)
        return entry->key == NULL ? NULL : take_out(map, i);
    void *former = entry->value;
    if (entry->key == NULL) {
        entry->key = mem_dup(key);
        entry->hash = hash;
        map->count++;
    }
    entry->value = value;
    return former;
}

void map_each(const struct map *map, void (*fn)(void *user, const char *key, void *value), void *user)
{
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].key != NULL)
            fn(user, map->entries[i].key, map->entries[i].value);
}
