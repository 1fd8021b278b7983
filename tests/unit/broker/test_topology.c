/* The pages and schemas in docs/ are what the tables print, and the tables agree with each other. */
#include "broker/message_types.h"
#include "broker/queues.h"
#include "broker/topology.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "docs/reference/messages.md" /* ctest runs at the top of the checkout */
#define FOLDER "docs/messages/"
#define SHARDS 16

static void check_file(const char *path, const struct buf *expected)
{
    AUTO_BUF struct buf page;
    char chunk[4096];
    buf_init(&page, 0);
    if (getenv("CAUDAL_UPDATE_REFERENCE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(expected->data, 1, expected->len, file), expected->len);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing; set CAUDAL_UPDATE_REFERENCE=1 to write it", path);
    for (size_t n = fread(chunk, 1, sizeof chunk, file); n > 0; n = fread(chunk, 1, sizeof chunk, file))
        buf_add(&page, chunk, n);
    (void)fclose(file);
    if (strcmp(buf_str(&page), buf_str((struct buf *)(uintptr_t)expected)) != 0)
        fail_msg("%s differs from the tables in src/broker; set CAUDAL_UPDATE_REFERENCE=1 to write it again", path);
}

static void check_json(const char *path, const struct json *value)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    json_print_pretty(value, &text);
    buf_add_char(&text, '\n');
    check_file(path, &text);
}

static void the_page_has_not_drifted(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    topology_print_markdown(&text);
    check_file(PAGE, &text);
}

static void the_schemas_have_not_drifted(void **state)
{
    (void)state;
    for (const struct message_type *type = message_types; type->name != NULL; type++) {
        AUTO_FREE char *path = mem_printf(FOLDER "%s.json", type->name);
        AUTO_JSON struct json *schema = message_type_schema(type);
        check_json(path, schema);
    }
    AUTO_JSON struct json *document =
        topology_asyncapi(&(struct topology){.exchange = "flow_orchestration", .shards = SHARDS}, CAUDAL_VERSION);
    check_json(FOLDER "asyncapi.json", document);
}

static void every_message_is_described(void **state)
{
    (void)state;
    for (const struct queue_entry *entry = queue_table; entry->name != NULL; entry++) {
        AUTO_FREE char *names = mem_dup(entry->messages);
        char *rest = names;
        for (char *name; (name = strtok_r(rest, " ", &rest)) != NULL;)
            assert_non_null(message_type_find(name));
    }
    for (const struct topic_entry *entry = topic_table; entry->name != NULL; entry++)
        assert_non_null(message_type_find(entry->message));
    assert_null(message_type_find("nothing"));
}

static const struct json *find_queue(const struct json *all, const char *name)
{
    const struct json *queues = json_get(all, "queues");
    for (size_t i = 0; i < json_count(queues); i++)
        if (strcmp(json_get_str(json_at(queues, i), "name"), name) == 0)
            return json_at(queues, i);
    fail_msg("%s is not described", name);
    return NULL;
}

static void the_description_names_what_is_declared(void **state)
{
    (void)state;
    AUTO_JSON struct json *all = topology_describe(&(struct topology){.exchange = "x", .shards = 2});
    assert_int_equal(json_count(json_get(all, "exchanges")), 2);
    assert_int_equal(json_count(json_get(all, "queues")), 2 + 2 * 3 + 2 + 1); /* three priorities of two shards */
    assert_int_equal(json_count(json_get(all, "topics")), 5);
    const struct json *submit = find_queue(all, "x.flow.submit.1~2"),
                      *binding = json_at(json_get(submit, "bindings"), 0);
    assert_string_equal(json_get_str(binding, "exchange"), "x");
    assert_string_equal(json_get_str(binding, "routingKey"), "flow.submit.1~2");
    const struct json *arguments = json_get(submit, "arguments");
    assert_string_equal(json_get_str(arguments, "x-queue-type"), "quorum");
    assert_string_equal(json_get_str(arguments, "x-dead-letter-routing-key"), "flow.dead");
    assert_int_equal(json_get_int(arguments, "x-delivery-limit", 0), QUEUE_DELIVERY_LIMIT);
    arguments = json_get(find_queue(all, "x.flow.worker.<WORKER_ID>"), "arguments");
    assert_int_equal(json_get_int(arguments, "x-message-ttl", -1), 0);
    assert_true(
        json_get_bool(json_get(find_queue(all, "x.flow.events.0"), "arguments"), "x-single-active-consumer", false));
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    topology_print_text(&(struct topology){.exchange = "x", .shards = 2}, &text);
    assert_non_null(strstr(buf_str(&text), "x.flow.events.1\n    bound to x with flow.events.1; x-queue-type=quorum"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_not_drifted), cmocka_unit_test(the_schemas_have_not_drifted),
        cmocka_unit_test(every_message_is_described), cmocka_unit_test(the_description_names_what_is_declared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
