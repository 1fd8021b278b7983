/* What one write applies: gathered while the one before is under way, put into the order in which it is written. */
#include "orchestrator/orchestrator_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct batch *batch_gathering(struct orchestrator *o)
{
    struct batch **last = &o->gathering;
    if (o->gathering != NULL)
        last = o->gathering_last->count < BATCH_ENTRIES ? &o->gathering_last : &o->gathering_last->next;
    if (*last == NULL) {
        *last = mem_alloc(sizeof **last);
        (*last)->orchestrator = o;
        o->gathering_last = *last;
    }
    return o->gathering_last;
}

struct entry *batch_add(struct batch *batch)
{
    if (batch->count == batch->cap) {
        batch->cap = batch->cap == 0 ? 64 : batch->cap * 2;
        batch->entries = mem_resize(batch->entries, batch->cap * sizeof *batch->entries);
    }
    struct entry *entry = &batch->entries[batch->count++];
    *entry = (struct entry){0};
    return entry;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        decoded_free(batch->entries[i].decoded);
        free(batch->entries[i].reassign_id);
        free(batch->entries[i].cancel_id);
        json_unref(batch->entries[i].cancelled);
        json_unref(batch->entries[i].dispatch);
        json_unref(batch->entries[i].given_up);
        json_unref(batch->entries[i].letter);
    }
    for (size_t i = 0; i < batch->message_count; i++)
        json_unref(batch->messages[i]);
    free(batch->entries);
    free(batch->messages);
    free(batch->tags);
    free(batch);
}

/* What is to go out again goes behind what is told in the same write: an end that was told makes it needless, and the
 * store need not answer in between. */
static void order_reassigns(struct batch *batch)
{
    struct entry *ordered = mem_array(batch->cap, sizeof *ordered);
    size_t count = 0;
    for (int again = 0; again <= 1; again++)
        for (size_t i = 0; i < batch->count; i++)
            if ((batch->entries[i].reassign_id != NULL) == again)
                ordered[count++] = batch->entries[i];
    free(batch->entries);
    batch->entries = ordered;
}

/* "started" says nothing that "finished" in the same write would not undo, nor does a checkpoint; but what concerns
 * other executions does. */
static void skip_overtaken(struct batch *batch)
{
    struct map ended;
    map_init(&ended);
    for (size_t i = batch->count; i-- > 0;) {
        const struct json *event = batch->entries[i].event;
        const char *kind = json_get_str(event, "kind"), *id = json_get_str(event, "id");
        if (kind == NULL)
            continue;
        bool ends = strcmp(kind, "finished") == 0;
        if (ends)
            (void)map_put(&ended, id, &batch->entries[i]);
        const struct entry *end = map_get(&ended, id);
        batch->entries[i].skip = strcmp(kind, "progress") == 0 || strcmp(kind, "held") == 0 ||
                                 (!ends && end != NULL && !json_has(event, "waiting") && !json_has(event, "childId") &&
                                  json_get_int(end->event, "epoch", 0) == json_get_int(event, "epoch", 0));
    }
    map_done(&ended);
}

void batch_prepare(struct batch *batch)
{
    order_reassigns(batch);
    skip_overtaken(batch);
}

/* What is heard from now on may be newer than what the store will have read. */
void batch_forget_orders(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->entries[i].reassign_id != NULL)
            orders_forget(&batch->orchestrator->orders, batch->entries[i].reassign_id);
}
