/* The frame of messages. */
#include "broker/messages.h"

#include "base/clock.h"
#include "base/limits.h"

void message_begin(struct buf *out, const char *list)
{
    buf_printf(out, "{\"v\":1,\"%s\":[", list);
}

void message_end(struct buf *out)
{
    buf_add_str(out, "]}");
}

enum err message_parse(const void *body, size_t size, struct json **ret, struct error *reterr)
{
    struct json *message = NULL;
    if (size > LIMIT_MESSAGE_BYTES)
        return error_set(reterr, ERR_TOO_LARGE, NULL, "The message has %zu bytes; at most %d are allowed.", size,
                         LIMIT_MESSAGE_BYTES);
    enum err code = json_parse(body, size, &message, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *list = json_get(message, "work");
    if (list == NULL)
        list = json_get(message, "events");
    bool good = json_get_int(message, "v", 0) == 1 && json_is(list, JSON_ARRAY);
    for (size_t i = 0; good && i < json_count(list); i++) {
        const struct json *entry = json_at(list, i);
        good = json_get_str(entry, "id") != NULL && json_get_int(entry, "epoch", 0) > 0;
    }
    if (!good) {
        json_unref(message);
        return error_set(reterr, ERR_VALIDATION, "v",
                         "The message is no version 1 list of work or events with id and epoch.");
    }
    *ret = message;
    return ERR_OK;
}

struct json *message_update_new(const char *execution_id, const char *flow_id, const char *status, int64_t records,
                                int64_t at_ms)
{
    char at[ISO_TEXT_BYTES];
    struct json *update = json_object_new();
    clock_format_iso(at_ms, at);
    json_set_int(update, "v", 1);
    json_set_str(update, "type", "execution_update");
    json_set_str(update, "executionId", execution_id);
    if (flow_id != NULL)
        json_set_str(update, "flowId", flow_id);
    json_set_str(update, "status", status);
    json_set_int(update, "recordsProcessed", records);
    json_set_str(update, "timestamp", at);
    return update;
}

const struct json *message_update(const struct json *live, size_t index)
{
    if (index == 0)
        return live;
    const struct json *more = json_get(live, "more");
    return json_is(more, JSON_ARRAY) && index <= json_count(more) ? json_at(more, index - 1) : NULL;
}

struct json *message_parse_topic(const void *body, size_t size)
{
    struct json *message = NULL;
    if (size > LIMIT_MESSAGE_BYTES || json_parse(body, size, &message, NULL) != ERR_OK)
        return NULL;
    if (json_is(message, JSON_OBJECT) && json_get_int(message, "v", 1) == 1)
        return message;
    json_unref(message);
    return NULL;
}
