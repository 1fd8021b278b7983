/* Executions that lose their worker each time they run: they may be what brings it down. After so many times in a row
 * without a step that is kept they fail, and a dead letter says so. Who owns their shard counts; who takes over begins
 * anew. */
#include "orchestrator/orchestrator_int.h"

#include "base/log.h"
#include <stdio.h>
#include <string.h>

/* A worker that refused it is not lost. An epoch counts once, however often its work comes back. */
bool poison_is_limit(struct orchestrator *o, const char *reason, const struct json *item)
{
    const char *id = json_get_str(item, "id");
    int epoch = (int)json_get_int(item, "epoch", 1);
    if (o->options.loss_limit == 0 || reason == NULL || strcmp(reason, "rejected") == 0 ||
        recall_get(&o->lost_epochs, id) >= epoch)
        return false;
    int losses = recall_get(&o->losses, id) < 0 ? 1 : recall_get(&o->losses, id) + 1;
    recall_put(&o->lost_epochs, id, epoch);
    recall_put(&o->losses, id, losses);
    return losses >= (int)o->options.loss_limit;
}

void poison_note(struct orchestrator *o, const struct json *event)
{
    static const char *const kept[] = {"checkpoint", "parked", "finished"};
    const char *kind = json_get_str(event, "kind"), *id = json_get_str(event, "id");
    for (size_t i = 0; kind != NULL && i < sizeof kept / sizeof *kept; i++)
        if (strcmp(kind, kept[i]) == 0 && recall_get(&o->losses, id) > 0)
            recall_put(&o->losses, id, 0);
}

/* As a worker tells of one that it cannot run. */
struct json *poison_event(const struct orchestrator *o, const struct json *item)
{
    struct json *event = json_object_new();
    char text[160];
    int64_t now = loop_now_ms(o->options.loop);
    const char *id = json_get_str(item, "id");
    (void)snprintf(text, sizeof text, "Its worker was lost %u times in a row while it ran (MAX_WORKER_LOSSES).",
                   o->options.loss_limit);
    json_set_str(event, "kind", "finished");
    json_set_str(event, "id", id);
    json_set_int(event, "epoch", json_get_int(item, "epoch", 1));
    json_set_str(event, "flowId", json_get_str(item, "flowId"));
    json_set_int(event, "at", now);
    json_set_int(event, "startedMs", now);
    json_set_str(event, "status", run_status_name(RUN_FAILED));
    json_set_str(event, "errorId", error_id(ERR_WORKER_LOST));
    json_set_str(event, "errorMessage", text);
    json_set_str(event, "document", "{\"nodes\":[],\"logs\":[]}");
    log_event(LOG_ERROR, "an execution has lost its worker too often and is given up", LOG_STR("executionId", id),
              LOG_UINT("losses", o->options.loss_limit), LOG_END);
    return event;
}

void poison_init(struct orchestrator *o, size_t recalled)
{
    recall_init(&o->losses, recalled);
    recall_init(&o->lost_epochs, recalled);
}

void poison_done(struct orchestrator *o)
{
    recall_done(&o->losses);
    recall_done(&o->lost_epochs);
}
