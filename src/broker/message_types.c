/* The field tables of the messages. */
#include "broker/message_types.h"

#include "base/limits.h"
#include "base/mem.h"
#include <string.h>

#define VERSION(...)                                                                                                   \
    {                                                                                                                  \
        .name = "v", .kind = FIELD_INT, .min = 1, .max = 1, __VA_ARGS__                                                \
    }
#define TEXT(field_name, ...)                                                                                          \
    {                                                                                                                  \
        .name = field_name, .kind = FIELD_STRING, __VA_ARGS__                                                          \
    }
#define NUMBER(field_name, ...)                                                                                        \
    {                                                                                                                  \
        .name = field_name, .kind = FIELD_INT, .max = INT64_MAX, __VA_ARGS__                                           \
    }
#define FLAG(field_name, ...)                                                                                          \
    {                                                                                                                  \
        .name = field_name, .kind = FIELD_BOOL, __VA_ARGS__                                                            \
    }

static const struct field execution_options[] = {
    TEXT("untilNode", .nullable = true, .help = "The run ends behind this node."),
    {.name = "pins", .kind = FIELD_OBJECT, .nullable = true, .help = "Outputs that are given, by node and pin."},
    {0}};

static const struct field work_item[] = {
    TEXT("id", .required = true, .help = "The execution."),
    {.name = "epoch",
     .kind = FIELD_INT,
     .required = true,
     .min = 1,
     .max = INT32_MAX,
     .help = "Rises with each hand-over; what an older one tells moves nothing."},
    TEXT("flowId", .nullable = true, .help = "The flow; without it the execution fails."),
    {.name = "flowVersion", .kind = FIELD_INT, .max = INT32_MAX, .default_json = "1", .help = "The flow's version."},
    {.name = "priority", .kind = FIELD_INT, .max = 9, .default_json = "1", .help = "0 low, 1 normal, 2 high."},
    TEXT("trigger", .nullable = true, .help = "What started it."),
    TEXT("triggerNode", .nullable = true, .help = "The node that it starts from."),
    NUMBER("createdMs", .help = "When its row was made; 0 where it is missing."),
    {.name = "input", .kind = FIELD_ANY, .nullable = true, .help = "The input; none where it is missing."},
    {.name = "restore", .kind = FIELD_ANY, .nullable = true, .help = "Outputs of an earlier run that are kept."},
    {.name = "options",
     .kind = FIELD_OBJECT,
     .nullable = true,
     .fields = execution_options,
     .help = "Of a run by hand."},
    {.name = "checkpoints", .kind = FIELD_ANY, .nullable = true, .help = "Nodes that have been run in earlier epochs."},
    FLAG("paused", .default_json = "false", .help = "It starts no nodes until it is resumed."),
    FLAG("lostEpoch", .default_json = "false", .help = "An earlier epoch ended without a word."),
    NUMBER("lostEpochs",
           .help = "Which ones did, as bits: 1 is the epoch before this one, 2 the one before that, and so on."),
    {.name = "signals", .kind = FIELD_ANY, .nullable = true, .help = "Signals that no node has taken yet."},
    NUMBER("seen", .help = "The number of the last signal that it was sent."),
    TEXT("body", .nullable = true, .help = "The for-each whose nodes alone it runs."),
    NUMBER("depth", .help = "How many executions started each other before it."),
    TEXT("parentId", .nullable = true, .help = "The execution that waits for its end."),
    {0}};

static const struct field work_message[] = {
    VERSION(.required = true, .help = "The message's version; another is refused."),
    {.name = "work",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = LIMIT_BATCH,
     .fields = work_item,
     .help = "None: a mark, which shows that what came before has been handled."},
    TEXT("mark", .help = "Who made the mark."),
    {0}};

static const struct field returned_message[] = {
    VERSION(.required = true, .help = "The message's version; another is refused."),
    TEXT("from", .nullable = true, .help = "The queue it came back from."),
    TEXT("reason", .nullable = true, .help = "The broker's word for why: rejected, expired, delivery_limit, closed."),
    {.name = "work",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = LIMIT_BATCH,
     .fields = work_item,
     .help = "What came back."},
    {0}};

static const char *const event_kinds[] = {"started", "checkpoint", "parked",      "finished", "progress",
                                          "held",    "logs",       "cancelChild", NULL};

static const struct field event_fields[] = {
    {.name = "kind",
     .kind = FIELD_ENUM,
     .required = true,
     .values = event_kinds,
     .help = "What happened; kinds that are not known are passed over."},
    TEXT("id", .required = true, .help = "The execution."),
    {.name = "epoch",
     .kind = FIELD_INT,
     .required = true,
     .min = 1,
     .max = INT32_MAX,
     .help = "Of the worker's hand-over."},
    TEXT("flowId", .nullable = true, .help = "The flow."),
    NUMBER("at", .help = "When, in milliseconds since 1970."),
    TEXT("nodeId", .nullable = true, .help = "checkpoint, progress: the node."),
    TEXT("iteration", .nullable = true, .help = "checkpoint, progress: of which iteration; none outside of loops."),
    NUMBER("attempt", .default_json = "1", .help = "checkpoint: which attempt of the node."),
    TEXT("state", .nullable = true, .help = "checkpoint: the node's state."),
    NUMBER("records", .default_json = "0", .help = "Records processed."),
    NUMBER("startedMs", .help = "checkpoint, finished: the beginning."),
    NUMBER("endedMs", .help = "checkpoint: the end."),
    NUMBER("wakeMs", .help = "checkpoint, parked: when it goes on; the largest number: when it is told to."),
    TEXT("errorId", .nullable = true, .help = "checkpoint, finished: a stable code."),
    TEXT("errorMessage", .nullable = true, .help = "checkpoint, finished: a sentence."),
    TEXT("outputs", .nullable = true, .help = "checkpoint: the node's outputs, as JSON text."),
    TEXT("evaluated", .nullable = true,
         .help = "checkpoint: values of the node's expressions by field, as JSON text, for its history."),
    TEXT("waiting", .nullable = true, .help = "checkpoint: what the node waits for, as JSON text."),
    NUMBER("signalId", .help = "checkpoint: the signal that it has used."),
    {.name = "lost",
     .kind = FIELD_ARRAY,
     .max = 64,
     .help = "checkpoint: [epoch, attempt] of the node's attempts that lost workers may have made."},
    TEXT("token", .nullable = true, .help = "checkpoint: what an approval is stored under, its token's hash."),
    NUMBER("seen", .help = "parked: the last of its signals that the run has seen."),
    TEXT("childId", .nullable = true, .help = "cancelChild: the execution that nobody waits for any more."),
    {.name = "progress", .kind = FIELD_INT, .max = 100, .help = "progress: percent of the nodes that are done."},
    TEXT("logs", .nullable = true, .help = "logs: the lines, as JSON text."),
    TEXT("status", .nullable = true, .help = "finished: the execution's status."),
    FLAG("discard", .default_json = "false", .help = "finished: its history is not kept."),
    TEXT("document", .nullable = true, .help = "finished: the history, as JSON text."),
    TEXT("documentPacked", .nullable = true,
         .help = "finished: the same, compressed, in base64. parked: the history so far, with its epoch; what is long "
                 "is left out."),
    TEXT("result", .nullable = true, .help = "finished: the flow's result, as JSON text."),
    FLAG("responded", .default_json = "false", .help = "finished: the result is the answer to a webhook."),
    TEXT("parentId", .nullable = true, .help = "finished: the execution that waits for this one."),
    FLAG("signalled", .default_json = "false", .help = "finished: it was sent signals."),
    FLAG("stepless", .default_json = "false", .help = "finished: no checkpoint of it was ever told."),
    {0}};

static const struct field events_message[] = {
    VERSION(.required = true, .help = "The message's version; another is refused."),
    TEXT("worker", .nullable = true, .help = "Who tells."),
    {.name = "events",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = LIMIT_BATCH,
     .fields = event_fields,
     .help = "In the order in which they happened. None: a question that only an owner receives."},
    {0}};

static const struct field control_message[] = {
    VERSION(.default_json = "1", .help = "The message's version; another is passed over."),
    TEXT("cancel", .help = "An execution that is cancelled in the store."),
    TEXT("pause", .help = "An execution that starts no more nodes."),
    TEXT("resume", .help = "An execution that goes on."),
    TEXT("watch", .help = "An execution that somebody watches: whoever runs it tells when its nodes begin and end."),
    TEXT("signals", .help = "An execution for which the store has a signal: its shard's owner looks."),
    {.name = "signal",
     .kind = FIELD_OBJECT,
     .help = "{id, signals, seen}: what an execution was sent and nobody has taken; for whoever runs it."},
    FLAG("wake", .default_json = "false", .help = "Something that waits may go on: orchestrators look."),
    FLAG("report", .default_json = "false", .help = "Workers are asked to tell of themselves now."),
    {.name = "census", .kind = FIELD_ARRAY, .help = "Shards of which workers are asked to say what they hold."},
    NUMBER("of", .help = "How many shards there are."),
    FLAG("settings", .default_json = "false", .help = "The settings have changed."),
    FLAG("flows", .default_json = "false", .help = "Some flow has changed."),
    FLAG("vault", .default_json = "false", .help = "Some variable or secret has changed."),
    TEXT("drain", .help = "The worker that is asked to finish and leave."),
    {0}};

static const struct field worker_message[] = {
    VERSION(.default_json = "1", .help = "The message's version; another is passed over."),
    TEXT("id", .required = true, .help = "The worker."),
    TEXT("host", .help = "The machine's name."),
    NUMBER("pid", .help = "The process."),
    TEXT("version", .help = "The program's version."),
    NUMBER("capacity", .help = "Executions at once."),
    NUMBER("active", .help = "Executions now."),
    FLAG("draining", .default_json = "false", .help = "It takes no more work and will leave."),
    FLAG("leaving", .default_json = "false", .help = "It has nothing left, and this is the last of its reports."),
    FLAG("full", .default_json = "false", .help = "It takes no work now: memory or processor are used up."),
    NUMBER("progress", .help = "Rises while the worker moves."),
    NUMBER("started", .help = "Executions begun."),
    NUMBER("finished", .help = "Executions that succeeded."),
    NUMBER("failed", .help = "Executions that failed."),
    NUMBER("memoryBytes", .help = "Of the process and what it started."),
    {.name = "cpuCores", .kind = FIELD_NUMBER, .max = 100000, .help = "Processors in use."},
    NUMBER("intervalMs", .default_json = "15000", .help = "Until it tells again."),
    {0}};

static const struct field orchestrator_message[] = {
    VERSION(.default_json = "1", .help = "The message's version; another is passed over."),
    TEXT("id", .required = true, .help = "The orchestrator."),
    TEXT("version", .help = "The program's version."),
    NUMBER("of", .help = "How many shards there are; who is configured with another number is no peer."),
    FLAG("leaving", .default_json = "false", .help = "It gives its shards up."),
    {.name = "shards", .kind = FIELD_ARRAY, .max = 256, .help = "Those it owns."},
    TEXT("strategy", .help = "How it chooses workers."),
    NUMBER("waiting", .help = "Executions that wait for a worker, in the queues too."),
    NUMBER("pending", .help = "Executions that it holds and that wait for a worker."),
    NUMBER("inFlight", .help = "Executions on workers."),
    NUMBER("workers", .help = "Workers that it knows of."),
    NUMBER("dispatched", .help = "Hand-overs."),
    NUMBER("finished", .help = "Executions whose end it has written."),
    NUMBER("success", .help = "Those of them that succeeded."),
    NUMBER("failed", .help = "Those of them that failed or took too long."),
    {.name = "durations", .kind = FIELD_ARRAY, .help = "How long they took: counts of a histogram."},
    NUMBER("reassigned", .help = "Executions given to another worker."),
    NUMBER("failedWrites", .help = "Writes that the store did not take at once."),
    NUMBER("lastProgressMs", .help = "When it last got on."),
    {.name = "scaling",
     .kind = FIELD_OBJECT,
     .help = "Auto-scaling: its driver and bounds; of the one that scales, "
             "also what it decided last, and the workers that it called for and that have not reported."},
    {0}};

static const struct field gateway_message[] = {
    VERSION(.default_json = "1", .help = "The message's version; another is passed over."),
    TEXT("id", .required = true, .help = "The gateway."),
    NUMBER("success", .help = "Executions that it ran itself (webhooks of pure nodes) and that succeeded."),
    NUMBER("failed", .help = "Those that failed or took too long."),
    {.name = "durations", .kind = FIELD_ARRAY, .help = "How long they took: counts of a histogram."},
    {0}};

static const char *const live_types[] = {"execution_update", NULL};
#define UPDATE                                                                                                         \
    VERSION(.default_json = "1", .help = "The message's version; another is passed over."),                            \
        {.name = "type", .kind = FIELD_ENUM, .required = true, .values = live_types, .help = "What it is."},           \
        TEXT("executionId", .required = true, .help = "The execution."),                                               \
        TEXT("flowId", .nullable = true, .help = "The flow, where it is known."),                                      \
        TEXT("status", .required = true, .help = "The execution's status."),                                           \
        {.name = "progress", .kind = FIELD_INT, .max = 100, .help = "Percent; missing: as before."},                   \
        TEXT("currentNode", .nullable = true, .help = "The node that it is about."),                                   \
        TEXT("nodeStatus", .nullable = true, .help = "That node's state."),                                            \
        TEXT("iteration", .nullable = true, .help = "Of which iteration."),                                            \
        {.name = "nodes",                                                                                              \
         .kind = FIELD_OBJECT,                                                                                         \
         .help = "The nodes whose state has changed since, with their states."},                                       \
        NUMBER("recordsProcessed", .default_json = "0", .help = "Records processed."),                                 \
        TEXT("message", .help = "A sentence."), TEXT("timestamp", .help = "When, ISO 8601."),                          \
        TEXT("result", .nullable = true, .help = "At the end: the result, as JSON text."),                             \
        FLAG("responded", .default_json = "false", .help = "At the end: the result is the answer to a webhook."),      \
        TEXT("errorId", .nullable = true, .help = "At the end: a stable code."),                                       \
        TEXT("errorMessage", .nullable = true, .help = "At the end: a sentence.")
static const struct field live_update[] = {UPDATE, {0}};
static const struct field live_message[] = {UPDATE,
                                            {.name = "more",
                                             .kind = FIELD_ARRAY,
                                             .max = LIMIT_BATCH,
                                             .fields = live_update,
                                             .help = "Further updates that were written together with this one."},
                                            {0}};

const struct message_type message_types[] = {
    {"work", "Executions that are to be run.", work_message},
    {"returned", "Work that came back, for the owner of its shard.", returned_message},
    {"events", "What happened to executions on a worker.", events_message},
    {"control", "Orders and questions to whom they concern; each holds one of the members.", control_message},
    {"worker", "A worker's health and figures.", worker_message},
    {"orchestrator", "An orchestrator's health and figures.", orchestrator_message},
    {"gateway", "A gateway's figures.", gateway_message},
    {"live", "An execution's progress, for who watches.", live_message},
    {0}};

const struct message_type *message_type_find(const char *name)
{
    for (const struct message_type *type = message_types; type->name != NULL; type++)
        if (strcmp(type->name, name) == 0)
            return type;
    return NULL;
}

struct json *message_type_schema(const struct message_type *type)
{
    struct json *schema = json_object_new();
    AUTO_FREE char *id = mem_printf("urn:caudal:message:%s:1", type->name);
    json_set_str(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_set_str(schema, "$id", id);
    json_set_str(schema, "title", type->name);
    json_set_str(schema, "description", type->help);
    AUTO_JSON struct json *fields = fields_schema(type->fields);
    struct json_iter member;
    JSON_EACH(fields, member)
    json_set(schema, member.key, json_ref(member.value));
    return schema;
}
