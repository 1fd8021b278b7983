/* Times as text. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_format(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {1740792600250, "2025-03-01T01:30:00.250Z"},
                 {951782400000, "2000-02-29T00:00:00.000Z"},
                 {253402300799999, "9999-12-31T23:59:59.999Z"},
                 {-62167219200000, "0000-01-01T00:00:00.000Z"},
                 {INT64_MAX, "9999-12-31T23:59:59.999Z"},
                 {INT64_MIN, "0000-01-01T00:00:00.000Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[ISO_TEXT_BYTES];
        clock_format_iso(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        int64_t ms = 1;
        assert_int_equal(clock_parse_iso(text, &ms), cases[i].ms < 0 ? -1 : 0);
        if (cases[i].ms >= 0 && cases[i].ms != INT64_MAX)
            assert_int_equal(ms, cases[i].ms);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2025-13-01",
                                      "2025-02-30T00:00:00Z",
                                      "2025-01-01T25:00:00Z",
                                      "2025-01-01T00:00:00+99",
                                      "2025-01-01T00:00:00Zx",
                                      "2025-02-29",
                                      " 025-01-01",
                                      "2025-01-1 ",
                                      "+025-01-01",
                                      "1969-12-31",
                                      "2025-01-01T00:00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 7;
        assert_int_equal(clock_parse_iso(bad[i], &ms), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_format), cmocka_unit_test(test_parse_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
