/* The growable buffer: each way to add, at every distance from the end of what is allocated. */
#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { AROUND = 300 }; /* beyond the first two sizes that are allocated */

static void fill(struct buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(buf, (char)('a' + i % 26));
}

static void check(const struct buf *buf, size_t before, const char *added)
{
    assert_false(buf->overflow);
    assert_int_equal(buf->len, before + strlen(added));
    assert_int_equal(strlen(buf_str(buf)), buf->len);
    for (size_t i = 0; i < before; i++)
        assert_int_equal(buf->data[i], 'a' + i % 26);
    assert_string_equal(buf_str(buf) + before, added);
}

static void test_all_ways_at_every_place(void **state)
{
    (void)state;
    for (size_t n = 0; n < AROUND; n++)
        for (int way = 0; way < 4; way++) {
            AUTO_BUF struct buf buf;
            buf_init(&buf, 0);
            fill(&buf, n);
            if (way == 0)
                buf_add(&buf, "bytes", 5);
            else if (way == 1)
                buf_add_str(&buf, "a text that is a little longer");
            else if (way == 2)
                buf_printf(&buf, "%d and %s", 17, "more");
            else
                buf_add_int(&buf, INT64_MIN);
            static const char *const added[] = {"bytes", "a text that is a little longer", "17 and more",
                                                "-9223372036854775808"};
            check(&buf, n, added[way]);
        }
}

static void test_nothing_adds_nothing(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 0);
    buf_add(&buf, NULL, 0);
    buf_printf(&buf, "%s", "");
    assert_null(buf.data);
    assert_string_equal(buf_str(&buf), "");
    buf_add_str(&buf, "x");
    buf_add(&buf, NULL, 0);
    assert_string_equal(buf_str(&buf), "x");
}

static void test_a_bound_holds_for_all_ways(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        AUTO_BUF struct buf buf;
        buf_init(&buf, 10);
        buf_add_str(&buf, "1234567890");
        assert_false(buf.overflow);
        if (way == 0)
            buf_add_char(&buf, 'x');
        else if (way == 1)
            buf_add_str(&buf, "xy");
        else
            buf_printf(&buf, "%d", 1);
        assert_true(buf.overflow);
        assert_string_equal(buf_str(&buf), "1234567890");
        buf_clear(&buf);
        buf_add_str(&buf, "again");
        assert_false(buf.overflow);
        assert_string_equal(buf_str(&buf), "again");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_ways_at_every_place),
                                       cmocka_unit_test(test_nothing_adds_nothing),
                                       cmocka_unit_test(test_a_bound_holds_for_all_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
