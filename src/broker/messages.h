/* The frame of what travels between services. Which queues and topics there are stands in queues.c, what each message
 * holds in message_types.c (docs/reference/messages.md). N is the shard of the execution (id_shard of its id); the
 * items of one message in such a queue share it. Members that are JSON texts in strings need not be parsed by who
 * passes them on. */
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
#define TOPIC_GATEWAYS "gateways"

/* Appends {"v":1,"<list>":[ to out; message_end closes it. Entries are separated by the caller with ','. */
void message_begin(struct buf *out, const char *list);
void message_end(struct buf *out);

/* Checks the frame: an object, v 1, `list` an array of at most LIMIT_BATCH objects. ERR_VALIDATION otherwise. */
enum err message_parse(const void *body, size_t size, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* What comes over a topic: an object of v 1, which may be missing. NULL: something else, which nobody here understands;
 * it is passed over. Yours. */
struct json *message_parse_topic(const void *body, size_t size);

/* A new update of an execution for TOPIC_LIVE, with what every one has; flow_id NULL: not known. Yours. */
struct json *message_update_new(const char *execution_id, const char *flow_id, const char *status, int64_t records,
                                int64_t at_ms);
/* The updates of a message of TOPIC_LIVE, which is the first of them itself; NULL behind the last. Borrowed. */
const struct json *message_update(const struct json *live, size_t index);
