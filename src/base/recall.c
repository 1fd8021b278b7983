/* A bounded memory of values by key. */
#include "base/recall.h"

#include "base/mem.h"
#include <stdint.h>
#include <stdlib.h>

void recall_init(struct recall *recall, size_t cap)
{
    *recall = (struct recall){.cap = cap, .keys = mem_array(cap, sizeof(char *))};
    map_init(&recall->values);
}

void recall_done(struct recall *recall)
{
    for (size_t i = 0; i < recall->cap; i++)
        free(recall->keys[i]);
    free(recall->keys);
    map_done(&recall->values);
}

void recall_put(struct recall *recall, const char *key, int value)
{
    void *held = (void *)((uintptr_t)value + 1);
    if (map_get(&recall->values, key) == NULL) {
        char **slot = &recall->keys[recall->next];
        recall->next = (recall->next + 1) % recall->cap;
        if (*slot != NULL)
            (void)map_put(&recall->values, *slot, NULL);
        free(*slot);
        *slot = mem_dup(key);
    }
    (void)map_put(&recall->values, key, held);
}

int recall_get(const struct recall *recall, const char *key)
{
    const void *held = map_get(&recall->values, key);
    return held == NULL ? -1 : (int)((uintptr_t)held - 1);
}
