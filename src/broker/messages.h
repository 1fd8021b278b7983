/* What travels: queue names and the members of each message. All messages are JSON objects with `v` 1 and one list.
 * N is the shard of the execution (id_shard of its id); the items of one message in such a queue share it.
 *
 * submit  flow.submit.N    {v, work:[item]}           gateway -> shard owner, after the execution's row is committed
 * work    flow.worker.ID   {v, work:[item]}           orchestrator -> worker; ttl 0, dead-letters to flow.reassign
 * return  flow.reassign    work messages that came back -> any orchestrator, which sends them to the shards
 * events  flow.events.N    {v, worker, events:[event]} worker -> shard owner; {v, from, reason, work:[item]} what came
 *                          back from the queue `from`; {v, events:[]} asks nothing: who receives it owns the shard
 * dead    flow.dead        what could not be read, or was given back too often, of the three above -> any orchestrator,
 *                          which keeps it in the store
 * control topic control    {cancel|pause|resume: id}, {wake: true}, {report: true}, {census: [N], of: shards},
 *                          {settings: true}, {flows: true}, {drain: worker}
 * workers topic workers    {id, capacity, active, draining, version, progress, ...} of each worker, by and by;
 *                          `progress` rises while the worker moves
 * orchestrators topic      {id, shards: [N], of, pending, inFlight, ...} of each orchestrator, by and by
 * live    topic live       execution_update objects (api-contract 2a); from the orchestrator with flowId; when final
 * with result, responded, errorId, errorMessage where there are any
 *
 * item: {id, flowId, flowVersion, epoch, priority, trigger, triggerNode, createdMs, input, restore, checkpoints,
 * paused} event: {kind: started|checkpoint|parked|finished|progress|held, id, epoch, at, ...} with checkpoint: nodeId
 * attempt state outputs records startedMs endedMs wakeMs errorId errorMessage parked: wakeMs      finished: status
 * startedMs records errorId errorMessage document|documentPacked result responded discard flowId `outputs`, `document`
 * and `result` are JSON texts in strings: who passes them on need not parse them. `documentPacked` is the base64 of
 * what store_pack made of the document: a fifth of the bytes. */
#pragma once
#include "json/json.h"

#define QUEUE_SUBMIT_PREFIX "flow.submit."
#define QUEUE_REASSIGN "flow.reassign"
#define QUEUE_DEAD "flow.dead"
#define QUEUE_WORKER_PREFIX "flow.worker."
#define QUEUE_EVENTS_PREFIX "flow.events."
#define TOPIC_CONTROL "control"
#define TOPIC_LIVE "live"
#define TOPIC_WORKERS "workers"
#define TOPIC_ORCHESTRATORS "orchestrators"

/* Appends {"v":1,"<list>":[ to out; message_end closes it. Entries are separated by the caller with ','. */
void message_begin(struct buf *out, const char *list);
void message_end(struct buf *out);

/* Checks the frame: an object, v 1, `list` an array of at most LIMIT_BATCH objects. ERR_VALIDATION otherwise. */
enum err message_parse(const void *body, size_t size, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
