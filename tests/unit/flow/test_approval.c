#include "flow/approval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "a-token_of-an-earlier_node"
#define KEY "a key of the gateways, 32 bytes or more"

static void a_reference_does_not_tell_its_token(void **state)
{
    (void)state;
    char one[APPROVAL_REFERENCE_BYTES], again[APPROVAL_REFERENCE_BYTES];
    approval_reference("abc", one);
    assert_string_equal(one, "~ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-2, B.1 */
    approval_reference("abd", again);
    assert_string_not_equal(one, again);
    assert_true(approval_is_token(TOKEN));
    assert_false(approval_is_token(one));
}

static void only_who_has_the_key_signs_links(void **state)
{
    (void)state;
    char reference[APPROVAL_REFERENCE_BYTES], link[APPROVAL_LINK_BYTES], other[APPROVAL_LINK_BYTES],
        read[APPROVAL_REFERENCE_BYTES];
    approval_reference(TOKEN, reference);
    assert_true(approval_link(KEY, reference, link));
    assert_null(strchr(link, '~'));
    assert_false(approval_is_token(link));
    assert_true(approval_link_read(KEY, link, read));
    assert_string_equal(read, reference);
    assert_true(approval_link("", reference, other));
    assert_string_not_equal(link, other);
    assert_false(approval_link_read(KEY, other, read));
    assert_true(approval_link_read("", other, read));
}

static void what_is_no_link_is_refused(void **state)
{
    (void)state;
    char reference[APPROVAL_REFERENCE_BYTES], link[APPROVAL_LINK_BYTES], read[APPROVAL_REFERENCE_BYTES];
    assert_false(approval_link(KEY, TOKEN, link)); /* stored in clear: it is its own link */
    approval_reference(TOKEN, reference);
    assert_true(approval_link(KEY, reference, link));
    for (size_t i = 0; i < strlen(link); i++) {
        char changed[APPROVAL_LINK_BYTES];
        memcpy(changed, link, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_false(approval_link_read(KEY, changed, read));
        memcpy(changed, link, sizeof changed);
        changed[i] = '\0';
        assert_false(approval_link_read(KEY, changed, read));
    }
    assert_false(approval_link_read(KEY, reference, read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_reference_does_not_tell_its_token),
                                       cmocka_unit_test(only_who_has_the_key_signs_links),
                                       cmocka_unit_test(what_is_no_link_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
