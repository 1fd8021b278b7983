/* Addresses and networks of IPv4 and IPv6 as text. */
#pragma once
#include <stdbool.h>

#define ADDRESS_TEXT_BYTES 46 /* INET6_ADDRSTRLEN */

struct network {
    unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) */
    unsigned bits;           /* of them that count */
};
bool network_parse(const char *text, struct network *ret); /* 10.0.0.0/8, 192.0.2.1, fd00::/8; false: neither */
bool network_contains(const struct network *network, const char *address); /* false for what is no address */
