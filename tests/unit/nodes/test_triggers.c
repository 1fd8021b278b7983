/* manual-trigger, webhook-trigger and schedule-trigger. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void examples(void **state)
{
    (void)state;
    node_assert_examples("manual-trigger");
    node_assert_examples("webhook-trigger");
    node_assert_examples("schedule-trigger");
}

static void are_triggers(void **state)
{
    (void)state;
    assert_string_equal(node_registry_find("manual-trigger")->spec.trigger, "manual");
    assert_string_equal(node_registry_find("webhook-trigger")->spec.trigger, "webhook");
    assert_string_equal(node_registry_find("schedule-trigger")->spec.trigger, "schedule");
}

static void manual_hands_the_input_on(void **state)
{
    (void)state;
    node_assert_outputs("manual-trigger", "{\"output\":[1,2],\"payload\":3}", "{\"output\":[1,2]}");
    node_assert_outputs("manual-trigger", "{\"output\":null}", "{\"output\":null}");
    node_assert_outputs("manual-trigger", "{\"customer\":7}", "{\"output\":{\"customer\":7}}");
    node_assert_outputs("manual-trigger", "{}", "{\"output\":{}}");
}

static void webhook_fills_what_is_missing(void **state)
{
    (void)state;
    node_assert_outputs("webhook-trigger", "{\"method\":\"GET\"}",
                        "{\"body\":null,\"headers\":{},\"query\":{},\"method\":\"GET\",\"output\":null}");
    node_assert_fails("webhook-trigger", "{\"method\":\"TEAPOT\"}", ERR_VALIDATION, "method", "GET");
    node_assert_fails("webhook-trigger", "{\"responseMode\":\"later\"}", ERR_VALIDATION, "responseMode", "lastNode");
    node_assert_fails("webhook-trigger", "{\"headers\":[]}", ERR_VALIDATION, "headers", "object");
    node_assert_fails("webhook-trigger", "{\"path\":\"\"}", ERR_VALIDATION, "path", "1 to 200");
}

static void schedule_gives_the_instant(void **state)
{
    (void)state;
    node_assert_outputs(
        "schedule-trigger", "{\"payload\":null}",
        "{\"scheduledTime\":\"2025-03-01T01:30:00.250Z\",\"output\":{\"scheduledTime\":\"2025-03-01T01:30:00.250Z\","
        "\"firedTime\":\"2025-03-01T01:30:00.250Z\",\"timezone\":\"UTC\",\"payload\":null}}");
    node_assert_fails("schedule-trigger", "{\"timezone\":5}", ERR_VALIDATION, "timezone", "string");
    node_assert_fails("schedule-trigger", "{\"timezone\":3}", ERR_VALIDATION, "timezone", "string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(are_triggers),
        cmocka_unit_test(manual_hands_the_input_on),
        cmocka_unit_test(webhook_fills_what_is_missing),
        cmocka_unit_test(schedule_gives_the_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
