/* The topology and its messages as an AsyncAPI document, and as a page. */
#include "broker/topology.h"

#include "base/mem.h"
#include "broker/message_types.h"
#include "broker/queues.h"
#include <string.h>

/* ---- AsyncAPI 2.6.0 */

static struct json *reference(const char *message)
{
    struct json *object = json_object_new();
    AUTO_FREE char *path = mem_printf("#/components/messages/%s", message);
    json_set_str(object, "$ref", path);
    return object;
}

/* Names separated by blanks: one message, or a choice. */
static struct json *messages_of(const char *names)
{
    AUTO_FREE char *copy = mem_dup(names);
    struct json *choice = json_array_new();
    char *rest = copy;
    for (char *name; (name = strtok_r(rest, " ", &rest)) != NULL;)
        json_push(choice, reference(name));
    struct json *message;
    if (json_count(choice) == 1) {
        message = json_ref(json_at(choice, 0));
        json_unref(choice);
    } else {
        message = json_object_new();
        json_set(message, "oneOf", choice);
    }
    return message;
}

/* Of the kind publish or subscribe, which in AsyncAPI 2 say what others do with the channel. */
static struct json *operation(const char *id, const char *summary, const char *messages)
{
    struct json *object = json_object_new();
    json_set_str(object, "operationId", id);
    json_set_str(object, "summary", summary);
    if (*messages != '\0')
        json_set(object, "message", messages_of(messages));
    return object;
}

static struct json *amqp_exchange(const char *name)
{
    struct json *exchange = json_object_new();
    json_set_str(exchange, "name", name);
    json_set_str(exchange, "type", "direct");
    json_set_bool(exchange, "durable", true);
    json_set_bool(exchange, "autoDelete", false);
    return exchange;
}

static void set_amqp(struct json *channel, const char *exchange, const char *queue, const char *is)
{
    struct json *bindings = json_object_new(), *amqp = json_object_new();
    json_set_str(amqp, "is", is);
    json_set(amqp, "exchange", amqp_exchange(exchange));
    if (queue != NULL) {
        struct json *object = json_object_new();
        json_set_str(object, "name", queue);
        json_set_bool(object, "durable", true);
        json_set_bool(object, "exclusive", false);
        json_set_bool(object, "autoDelete", false);
        json_set(amqp, "queue", object);
    }
    json_set_str(amqp, "bindingVersion", "0.2.0");
    json_set(bindings, "amqp", amqp);
    json_set(channel, "bindings", bindings);
}

static void set_parameter(struct json *channel, const char *name, const char *help, struct json *take_schema)
{
    struct json *parameters = json_object_new(), *parameter = json_object_new();
    json_set_str(parameter, "description", help);
    json_set(parameter, "schema", take_schema);
    json_set(parameters, name, parameter);
    json_set(channel, "parameters", parameters);
}

static void add_queue(struct json *channels, const struct topology *topology, const struct queue_entry *entry)
{
    const char *parameter = entry->each == QUEUE_OF_SHARD ? "shard" : entry->each == QUEUE_OF_WORKER ? "worker" : NULL;
    AUTO_FREE char *name = parameter == NULL ? mem_dup(entry->name) : mem_printf("%s{%s}", entry->name, parameter);
    AUTO_FREE char *queue = mem_printf("%s.%s", topology->exchange, name);
    AUTO_FREE char *publish = mem_printf("publish %s", name), *receive = mem_printf("receive %s", name);
    AUTO_FREE char *by = mem_printf("Published by: %s.", entry->publishers);
    AUTO_FREE char *to = mem_printf("Consumed by: %s.", entry->consumers);
    struct json *channel = json_object_new(), *schema = json_object_new();
    json_set_str(channel, "description", entry->help);
    if (entry->each == QUEUE_OF_SHARD) {
        json_set_str(schema, "type", "integer");
        json_set_int(schema, "minimum", 0);
        json_set_int(schema, "maximum", (int64_t)topology->shards - 1);
        set_parameter(channel, parameter, "The shard: of the execution's id.", schema);
    } else if (entry->each == QUEUE_OF_WORKER) {
        json_set_str(schema, "type", "string");
        set_parameter(channel, parameter, "WORKER_ID.", schema);
    } else {
        json_unref(schema);
    }
    json_set(channel, "publish", operation(publish, by, entry->messages));
    json_set(channel, "subscribe", operation(receive, to, entry->messages));
    set_amqp(channel, topology->exchange, queue, "queue");
    json_set(channels, name, channel);
}

static void add_topic(struct json *channels, const struct topology *topology, const struct topic_entry *entry)
{
    AUTO_FREE char *exchange = mem_printf("%s.topics", topology->exchange);
    AUTO_FREE char *publish = mem_printf("publish %s", entry->name), *receive = mem_printf("receive %s", entry->name);
    AUTO_FREE char *by = mem_printf("Published by: %s.", entry->publishers);
    AUTO_FREE char *to = mem_printf("Heard by: %s.", entry->subscribers);
    struct json *channel = json_object_new();
    json_set_str(channel, "description", entry->help);
    json_set(channel, "publish", operation(publish, by, entry->message));
    json_set(channel, "subscribe", operation(receive, to, entry->message));
    set_amqp(channel, exchange, NULL, "routingKey");
    json_set(channels, entry->name, channel);
}

static struct json *components(void)
{
    struct json *all = json_object_new(), *messages = json_object_new();
    for (const struct message_type *type = message_types; type->name != NULL; type++) {
        struct json *message = json_object_new();
        json_set_str(message, "name", type->name);
        json_set_str(message, "summary", type->help);
        json_set_str(message, "contentType", "application/json");
        json_set_str(message, "schemaFormat", "application/schema+json;version=draft-07");
        json_set(message, "payload", fields_schema(type->fields));
        json_set(messages, type->name, message);
    }
    json_set(all, "messages", messages);
    return all;
}

struct json *topology_asyncapi(const struct topology *topology, const char *version)
{
    struct json *document = json_object_new(), *info = json_object_new(), *channels = json_object_new();
    json_set_str(document, "asyncapi", "2.6.0");
    json_set_str(info, "title", "Caudal");
    json_set_str(info, "version", version);
    json_set_str(info, "description", "What Caudal's services say to each other over RabbitMQ (AMQP 0-9-1).");
    json_set(document, "info", info);
    json_set_str(document, "defaultContentType", "application/json");
    for (const struct queue_entry *entry = queue_table; entry->name != NULL; entry++)
        add_queue(channels, topology, entry);
    for (const struct topic_entry *entry = topic_table; entry->name != NULL; entry++)
        add_topic(channels, topology, entry);
    json_set(document, "channels", channels);
    json_set(document, "components", components());
    return document;
}

/* ---- the page */

static void print_fields(const struct field *fields, const char *before, struct buf *out)
{
    static const char *const kinds[] = {
        [FIELD_STRING] = "string", [FIELD_INT] = "integer",     [FIELD_NUMBER] = "number",
        [FIELD_BOOL] = "boolean",  [FIELD_ENUM] = "string",     [FIELD_OBJECT] = "object",
        [FIELD_ARRAY] = "array",   [FIELD_STRINGS] = "strings", [FIELD_ANY] = "any"};
    for (const struct field *field = fields; field->name != NULL; field++) {
        buf_printf(out, "| `%s%s` | %s%s | %s | %s", before, field->name, kinds[field->kind],
                   field->nullable ? " or null" : "", field->required ? "yes" : "", field->help);
        for (size_t i = 0; field->values != NULL && field->values[i] != NULL; i++)
            buf_printf(out, "%s`%s`", i == 0 ? " One of " : ", ", field->values[i]);
        buf_printf(out, "%s%s%s%s |\n", field->values == NULL ? "" : ".",
                   field->default_json == NULL ? "" : " Default `",
                   field->default_json == NULL ? "" : field->default_json, field->default_json == NULL ? "" : "`.");
        if (field->fields != NULL) {
            AUTO_FREE char *path = mem_printf("%s%s%s.", before, field->name, field->kind == FIELD_ARRAY ? "[]" : "");
            print_fields(field->fields, path, out);
        }
    }
}

static void print_queues(struct buf *out)
{
    buf_add_str(out,
                "## Queues\n\nQuorum queues on the exchange `RABBITMQ_EXCHANGE`, whose name and a dot stand before "
                "theirs. A queue with priorities is several: `~1`, `~2` behind its name.\n\n"
                "| queue | messages | published by | consumed by | options | |\n|---|---|---|---|---|---|\n");
    for (const struct queue_entry *entry = queue_table; entry->name != NULL; entry++) {
        const struct broker_queue_options *options = &entry->options;
        buf_printf(out, "| `%s%s` | %s | %s | %s | ", entry->name,
                   entry->each == QUEUE_OF_SHARD    ? "SHARD"
                   : entry->each == QUEUE_OF_WORKER ? "WORKER_ID"
                                                    : "",
                   *entry->messages == '\0' ? "any" : entry->messages, entry->publishers, entry->consumers);
        if (options->ttl0)
            buf_add_str(out, "TTL 0; ");
        if (options->single_active)
            buf_add_str(out, "single active consumer; ");
        if (queue_levels(options) > 1)
            buf_printf(out, "%u priorities; ", queue_levels(options));
        if (options->delivery_limit > 0)
            buf_printf(out, "delivery limit %u; ", options->delivery_limit);
        if (options->dead_letter_queue != NULL)
            buf_printf(out, "dead letters to `%s`", options->dead_letter_queue);
        buf_printf(out, " | %s |\n", entry->help);
    }
}

void topology_print_markdown(struct buf *out)
{
    buf_add_str(out,
                "# Messages\n\nGenerated by `caudal messages reference` from `src/broker/queues.c` and "
                "`src/broker/message_types.c`. The schemas stand in [docs/messages](../messages/), with an AsyncAPI "
                "document of all of it; `caudal topology` prints what is declared under the configuration in "
                "force.\n\nMembers that are not listed are ignored, and those that are not required may be missing: "
                "services of different versions work side by side while `v` is the same.\n\n");
    print_queues(out);
    buf_add_str(out, "\n## Topics\n\nOn the exchange `RABBITMQ_EXCHANGE.topics`; who subscribes has an exclusive queue "
                     "while it is there.\n\n| topic | message | published by | heard by | |\n|---|---|---|---|---|\n");
    for (const struct topic_entry *entry = topic_table; entry->name != NULL; entry++)
        buf_printf(out, "| `%s` | %s | %s | %s | %s |\n", entry->name, entry->message, entry->publishers,
                   entry->subscribers, entry->help);
    for (const struct message_type *type = message_types; type->name != NULL; type++) {
        buf_printf(out, "\n## Message `%s`\n\n%s\n\n| member | kind | required | |\n|---|---|---|---|\n", type->name,
                   type->help);
        print_fields(type->fields, "", out);
    }
}
