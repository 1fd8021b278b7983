/* RFC 4648, section 10, and texts that are none. */
#include "base/base64.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AUTO_BUF struct buf text, bytes;
        buf_init(&text, 0);
        buf_init(&bytes, 0);
        base64_add(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(buf_str(&text), pairs[i][1]);
        assert_true(base64_decode(pairs[i][1], strlen(pairs[i][1]), &bytes));
        assert_string_equal(buf_str(&bytes), pairs[i][0]);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg",   "Zg=", "Zg===",        "Z",        "Zm9v!",    "Zm 9v",
                                      "Zh==", "=",   "Zm9vZg==Zg==", "Zm9v    ", "    Zg==", "Zm9v\n\n\n\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_BUF struct buf bytes;
        buf_init(&bytes, 0);
        assert_false(base64_decode(bad[i], strlen(bad[i]), &bytes));
        assert_int_equal(bytes.len, 0);
    }
}

static void test_room(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t room;
        bool fits;
    } cases[] = {{"Zg==", 1, true}, {"Zm8=", 2, true}, {"Zm9v", 3, true}, {"Zm9v", 2, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_BUF struct buf bytes;
        buf_init(&bytes, cases[i].room);
        assert_true(base64_decode(cases[i].text, strlen(cases[i].text), &bytes)); /* it is base64 */
        assert_int_equal(bytes.overflow, !cases[i].fits);
        assert_int_equal(bytes.len, cases[i].fits ? cases[i].room : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_refuses),
                                       cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
