/* Addresses and networks. */
#include "base/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_parse_takes_addresses_and_networks(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "::/0", "1.2.3.4/32"};
    static const char *const bad[] = {
        "",           "x",      "10.0.0",       "10.0.0.0/",  "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/x", "::/129", "10.0.0.0/8/8", "10.0.0.0 /8"};
    struct network network;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(network_parse(good[i], &network));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(network_parse(bad[i], &network));
}

static void test_contains(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool in;
    } cases[] = {{"10.0.0.0/8", "10.255.0.1", true},  {"10.0.0.0/8", "11.0.0.1", false},
                 {"192.0.2.1", "192.0.2.1", true},    {"192.0.2.1", "192.0.2.2", false},
                 {"10.32.0.0/11", "10.63.0.1", true}, {"10.32.0.0/11", "10.64.0.1", false},
                 {"0.0.0.0/0", "203.0.113.9", true},  {"0.0.0.0/0", "2001:db8::1", false},
                 {"::/0", "2001:db8::1", true},       {"fd00::/8", "fdab::1", true},
                 {"fd00::/8", "fe00::1", false},      {"10.0.0.0/8", "::ffff:10.0.0.1", true},
                 {"10.0.0.0/8", "no address", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network network;
        assert_true(network_parse(cases[i].network, &network));
        assert_int_equal(network_contains(&network, cases[i].address), cases[i].in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse_takes_addresses_and_networks),
                                       cmocka_unit_test(test_contains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
