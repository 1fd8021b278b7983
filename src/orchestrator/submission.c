/* Submit messages. */
#include "orchestrator/submission.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/messages.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PRIORITIES 3
#define MESSAGE_MAX ((size_t)4 << 20)
#define KEPT_MAX ((size_t)64 << 10) /* of a buffer between two messages */

/* What was accepted for one queue since its last message. */
struct gathering {
    struct submissions *submissions;
    unsigned shard, count, under_way; /* under_way: messages that are not confirmed */
    int priority;
    struct buf body;
};

struct submissions {
    struct broker_connection *connection;
    pthread_mutex_t lock; /* of what is gathered */
    unsigned shards;
    struct gathering gathered[];
};

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

/* ---- many */

static void on_confirm(void *user, enum err code);

/* With the lock held. */
static void send(struct gathering *gathering)
{
    char queue[sizeof QUEUE_SUBMIT_PREFIX + 12];
    (void)snprintf(queue, sizeof queue, QUEUE_SUBMIT_PREFIX "%u", gathering->shard);
    message_end(&gathering->body);
    gathering->under_way++;
    broker_publish(gathering->submissions->connection, queue, gathering->priority, gathering->body.data,
                   gathering->body.len, on_confirm, gathering);
    gathering->count = 0;
    if (gathering->body.cap > KEPT_MAX)
        buf_done(&gathering->body);
    else
        buf_clear(&gathering->body);
}

/* Whether it arrived or not: what is lost the sweeper finds. */
static void on_confirm(void *user, enum err code)
{
    struct gathering *gathering = user;
    (void)code;
    pthread_mutex_lock(&gathering->submissions->lock);
    if (--gathering->under_way == 0 && gathering->count > 0)
        send(gathering);
    pthread_mutex_unlock(&gathering->submissions->lock);
}

void submissions_add(struct submissions *submissions, const struct store_execution *row)
{
    int priority = row->priority < 0 ? 0 : row->priority >= PRIORITIES ? PRIORITIES - 1 : row->priority;
    unsigned shard = id_shard(row->id, submissions->shards);
    struct gathering *gathering = &submissions->gathered[shard * PRIORITIES + (unsigned)priority];
    pthread_mutex_lock(&submissions->lock);
    if (gathering->count++ == 0)
        message_begin(&gathering->body, "work");
    else
        buf_add_char(&gathering->body, ',');
    submission_item(&gathering->body, row);
    if (gathering->under_way == 0 || gathering->count == LIMIT_BATCH || gathering->body.len > MESSAGE_MAX)
        send(gathering);
    pthread_mutex_unlock(&submissions->lock);
}

void submissions_flush(struct submissions *submissions)
{
    pthread_mutex_lock(&submissions->lock);
    for (unsigned i = 0; i < submissions->shards * PRIORITIES; i++)
        if (submissions->gathered[i].count > 0)
            send(&submissions->gathered[i]);
    pthread_mutex_unlock(&submissions->lock);
}

struct submissions *submissions_new(struct broker_connection *connection, unsigned shards)
{
    size_t count = (size_t)shards * PRIORITIES;
    struct submissions *submissions = mem_alloc(sizeof *submissions + count * sizeof submissions->gathered[0]);
    submissions->connection = connection;
    submissions->shards = shards;
    pthread_mutex_init(&submissions->lock, NULL);
    for (unsigned i = 0; i < count; i++) {
        submissions->gathered[i] =
            (struct gathering){.submissions = submissions, .shard = i / PRIORITIES, .priority = (int)(i % PRIORITIES)};
        buf_init(&submissions->gathered[i].body, 0);
    }
    return submissions;
}

void submissions_free(struct submissions *submissions)
{
    if (submissions == NULL)
        return;
    for (unsigned i = 0; i < submissions->shards * PRIORITIES; i++)
        buf_done(&submissions->gathered[i].body);
    pthread_mutex_destroy(&submissions->lock);
    free(submissions);
}
