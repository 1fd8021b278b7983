/* The node type wait: until when, for what, and what it refuses. */
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
    node_assert_examples("wait");
}

static void waits_until(const char *inputs, int64_t wake_ms)
{
    struct node_run run;
    node_run(&run, "wait", inputs);
    if (run.code != ERR_OK)
        fail_msg("%s: %s", inputs, run.error.message);
    assert_true(run.call.is_wait);
    assert_int_equal(run.call.wake_ms, wake_ms);
    node_run_done(&run);
}

/* Now is 2025-03-01T01:30:00.250Z. */
static void times(void **state)
{
    (void)state;
    waits_until("{\"durationMs\":1000}", NODE_RUN_NOW_MS + 1000);
    waits_until("{\"durationMs\":1000,\"timeoutMs\":400}", NODE_RUN_NOW_MS + 400);
    waits_until("{\"mode\":\"until\",\"untilTime\":\"2025-03-30T02:30\",\"timezone\":\"Europe/Madrid\"}",
                INT64_C(1743296400000)); /* left out: 03:00 summer time, right after */
    waits_until("{\"mode\":\"until\",\"untilTime\":\"2025-10-26T02:30:00\",\"timezone\":\"Europe/Madrid\"}",
                INT64_C(1761438600000)); /* comes twice: the first time */
    waits_until("{\"mode\":\"until\",\"untilTime\":\"2025-03-01T08:00\"}", INT64_C(1740816000000));
    waits_until("{\"mode\":\"until\",\"untilTime\":1740816000000}", INT64_C(1740816000000));
    waits_until("{\"mode\":\"until\",\"cron\":\"0 8 * * *\",\"timezone\":\"Europe/Madrid\"}", INT64_C(1740812400000));
    waits_until("{\"mode\":\"signal\"}", RUN_WAKE_NEVER);
    waits_until("{\"mode\":\"approval\",\"timeoutMs\":5}", NODE_RUN_NOW_MS + 5);
    node_assert_outputs("wait", "{\"durationMs\":0,\"data\":7}", "{\"output\":7}");
}

static void tokens_differ(void **state)
{
    (void)state;
    struct node_run first, second;
    node_run(&first, "wait", "{\"mode\":\"approval\"}");
    node_run(&second, "wait", "{\"mode\":\"approval\"}");
    const char *a = json_get_str(first.call.waiting, "token"), *b = json_get_str(second.call.waiting, "token");
    assert_int_equal(strlen(a), 65);
    assert_int_equal(*a, '~'); /* a hash, of what nobody knows any more */
    assert_string_not_equal(a, b);
    node_run_done(&first);
    node_run_done(&second);
}

static void refuses(void **state)
{
    (void)state;
    node_assert_fails("wait", "{}", ERR_VALIDATION, "durationMs", "how long");
    node_assert_fails("wait", "{\"durationMs\":-1}", ERR_VALIDATION, "durationMs", NULL);
    node_assert_fails("wait", "{\"durationMs\":\"1\"}", ERR_VALIDATION, "durationMs", NULL);
    node_assert_fails("wait", "{\"mode\":\"never\"}", ERR_VALIDATION, "mode", NULL);
    node_assert_fails("wait", "{\"mode\":\"until\"}", ERR_VALIDATION, "untilTime", "either");
    node_assert_fails("wait", "{\"mode\":\"until\",\"untilTime\":1,\"cron\":\"@daily\"}", ERR_VALIDATION, "untilTime",
                      "not both");
    static const char *const bad[] = {"2025-02-30T08:00", "2025-03-01T24:00", "2025-03-01 08:00", "tomorrow",
                                      "2025-3-01T08:00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_FREE char *inputs = mem_printf("{\"mode\":\"until\",\"untilTime\":\"%s\"}", bad[i]);
        node_assert_fails("wait", inputs, ERR_VALIDATION, "untilTime", "2026-03-01T08:00");
    }
    node_assert_fails("wait", "{\"mode\":\"until\",\"untilTime\":\"2099-03-01T08:00\"}", ERR_VALIDATION, "untilTime",
                      "ten years");
    node_assert_fails("wait", "{\"mode\":\"until\",\"untilTime\":\"2026-03-01T08:00\",\"timezone\":\"Mars/Base\"}",
                      ERR_VALIDATION, "timezone", "Mars/Base");
    node_assert_fails("wait", "{\"mode\":\"until\",\"cron\":\"60 * * * *\"}", ERR_VALIDATION, "cron", NULL);
    node_assert_fails("wait", "{\"mode\":\"approval\",\"token\":\"with spaces, and long enough\"}", ERR_VALIDATION,
                      "token", "22 to 128");
    node_assert_fails("wait", "{\"mode\":\"approval\",\"fields\":[{}]}", ERR_VALIDATION, "fields[0].name", NULL);
    node_assert_fails("wait", "{\"mode\":\"approval\",\"fields\":[{\"name\":\"a\",\"type\":\"select\"}]}",
                      ERR_VALIDATION, "fields[0].options", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(times),
                                       cmocka_unit_test(tokens_differ), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
