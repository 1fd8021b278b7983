/* Submit messages. */
#include "orchestrator/submission.h"

#include "base/clock.h"
#include "broker/messages.h"
#include <stdio.h>

static void member(struct buf *out, const char *key, const char *text)
{
    struct json *value = json_string_new(text);
    buf_printf(out, ",\"%s\":", key);
    json_print(value, out);
    json_unref(value);
}

void submission_item(struct buf *out, const struct store_execution *row)
{
    buf_printf(out, "{\"id\":\"%s\",\"flowVersion\":%d,\"epoch\":1,\"priority\":%d,\"createdMs\":%lld", row->id,
               row->flow_version, row->priority, (long long)row->created_ms);
    member(out, "flowId", row->flow_id);
    member(out, "trigger", row->trigger);
    member(out, "triggerNode", row->trigger_node);
    if (row->input_json != NULL)
        buf_printf(out, ",\"input\":%s", row->input_json);
    if (row->restore_json != NULL)
        buf_printf(out, ",\"restore\":%s", row->restore_json);
    if (row->options_json != NULL)
        buf_printf(out, ",\"options\":%s", row->options_json);
    buf_add_char(out, '}');
}

void submission_publish(struct broker_connection *connection, unsigned shards, const struct store_execution *row)
{
    struct buf body;
    char queue[sizeof QUEUE_SUBMIT_PREFIX + 12];
    (void)snprintf(queue, sizeof queue, QUEUE_SUBMIT_PREFIX "%u", id_shard(row->id, shards));
    buf_init(&body, 0);
    message_begin(&body, "work");
    submission_item(&body, row);
    message_end(&body);
    broker_publish(connection, queue, row->priority, body.data, body.len, NULL, NULL);
    buf_done(&body);
}
