/* Sealed texts: what opens, what does not, and what stays readable while keys change. */
#include "base/seal.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char old_word[] = "an old word of thirty-two characters",
                  new_word[] = "a new word of thirty-two characters!";

static struct seal_ring ring_of(const char *first, const char *second)
{
    struct seal_ring ring = {0};
    struct error error;
    assert_int_equal(seal_ring_add(&ring, first, strlen(first), &error), ERR_OK);
    if (second != NULL)
        assert_int_equal(seal_ring_add(&ring, second, strlen(second), &error), ERR_OK);
    return ring;
}

static char *sealed_under(const struct seal_ring *ring, const char *context, const char *plain)
{
    struct buf out = {0};
    struct error error;
    assert_int_equal(seal_close(ring, context, plain, strlen(plain), &out, &error), ERR_OK);
    return buf_take(&out);
}

static void opens_in_its_place_only(void **state)
{
    (void)state;
    struct seal_ring ring = ring_of(new_word, NULL);
    AUTO_FREE char *sealed = sealed_under(&ring, "flow/name", "the plain text");
    AUTO_BUF struct buf plain = {0};
    struct error error;
    assert_null(strstr(sealed, "plain"));
    assert_int_equal(seal_open(&ring, "flow/name", sealed, &plain, &error), ERR_OK);
    assert_string_equal(buf_str(&plain), "the plain text");
    assert_int_equal(seal_open(&ring, "other/name", sealed, &plain, &error), ERR_UNPROCESSABLE);
    assert_string_equal(buf_str(&plain), "the plain text");
}

static void same_text_never_looks_the_same(void **state)
{
    (void)state;
    struct seal_ring ring = ring_of(new_word, NULL);
    AUTO_FREE char *first = sealed_under(&ring, "a", "text"), *second = sealed_under(&ring, "a", "text");
    assert_string_not_equal(first, second);
}

/* Each single changed byte is noticed. */
static void refuses_what_was_changed(void **state)
{
    (void)state;
    struct seal_ring ring = ring_of(new_word, NULL);
    AUTO_FREE char *sealed = sealed_under(&ring, "a", "some text");
    struct error error;
    for (size_t i = 0; i < strlen(sealed); i++) {
        AUTO_BUF struct buf plain = {0};
        AUTO_FREE char *changed = mem_dup(sealed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(seal_open(&ring, "a", changed, &plain, &error), ERR_UNPROCESSABLE);
        changed[i] = '\0';
        assert_int_equal(seal_open(&ring, "a", changed, &plain, &error), ERR_UNPROCESSABLE);
        assert_int_equal(plain.len, 0);
    }
}

static void keys_change_without_a_break(void **state)
{
    (void)state;
    struct seal_ring before = ring_of(old_word, NULL), both = ring_of(new_word, old_word),
                     after = ring_of(new_word, NULL);
    struct error error;
    AUTO_BUF struct buf plain = {0};
    AUTO_FREE char *sealed = sealed_under(&before, "a", "text");
    assert_true(seal_is_current(&before, sealed));
    assert_false(seal_is_current(&both, sealed));
    assert_int_equal(seal_open(&both, "a", sealed, &plain, &error), ERR_OK);
    AUTO_FREE char *again = sealed_under(&both, "a", buf_str(&plain));
    buf_clear(&plain);
    assert_true(seal_is_current(&both, again));
    assert_int_equal(seal_open(&after, "a", again, &plain, &error), ERR_OK);
    assert_string_equal(buf_str(&plain), "text");
    assert_int_equal(seal_open(&after, "a", sealed, &plain, &error), ERR_UNPROCESSABLE);
    assert_non_null(strstr(error.message, before.keys[0].id));
}

static void refuses_bad_keys(void **state)
{
    (void)state;
    struct seal_ring ring = {0};
    struct error error;
    struct buf out = {0};
    char word[SEAL_WORD_BYTES];
    assert_int_equal(seal_ring_add(&ring, "short", 5, &error), ERR_VALIDATION);
    assert_int_equal(seal_close(&ring, "a", "x", 1, &out, &error), ERR_UNPROCESSABLE);
    for (int i = 0; i < SEAL_KEYS_MAX; i++) {
        seal_word_new(word);
        assert_int_equal(seal_ring_add(&ring, word, strlen(word), &error), ERR_OK);
        assert_int_equal(seal_ring_add(&ring, word, strlen(word), &error), ERR_OK); /* the same: once */
    }
    assert_int_equal(ring.count, SEAL_KEYS_MAX);
    seal_word_new(word);
    assert_int_equal(seal_ring_add(&ring, word, strlen(word), &error), ERR_VALIDATION);
    seal_ring_wipe(&ring);
    assert_int_equal(ring.count, 0);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_in_its_place_only),  cmocka_unit_test(same_text_never_looks_the_same),
        cmocka_unit_test(refuses_what_was_changed), cmocka_unit_test(keys_change_without_a_break),
        cmocka_unit_test(refuses_bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
