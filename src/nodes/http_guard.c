/* Which addresses are not of the public network. */
#include "nodes/http_client.h"

#include "base/network.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* RFC 6890 and its registries: this host, private, shared, loopback, link-local, protocol assignments, benchmarks,
 * documentation, relays, multicast and reserved; IPv4 inside of IPv6 is taken out first. */
static const char *const not_public[] = {
    "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24",  "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",   "240.0.0.0/4",    "::/128",         "::1/128",        "100::/64",
    "2001::/23",      "2001:db8::/32", "fc00::/7",       "fe80::/10",      "fec0::/10",      "ff00::/8",
};

static bool is_not_public(const char *address)
{
    struct network network;
    for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++)
        if (network_parse(not_public[i], &network) && network_contains(&network, address))
            return true;
    return false;
}

/* The IPv4 address that a translated or tunnelled IPv6 address leads to (mapped, compatible, NAT64, 6to4). */
static const unsigned char *inner_ipv4(const unsigned char *bytes)
{
    static const unsigned char zeros[12], mapped[12] = {[10] = 0xFF, [11] = 0xFF}, nat64[12] = {0, 0x64, 0xFF, 0x9B};
    if (memcmp(bytes, zeros, 12) == 0 || memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
        return bytes + 12;
    return bytes[0] == 0x20 && bytes[1] == 0x02 ? bytes + 2 : NULL;
}

bool http_address_is_private(const void *sockaddr)
{
    struct sockaddr generic;
    char text[INET6_ADDRSTRLEN];
    memcpy(&generic, sockaddr, sizeof generic);
    if (generic.sa_family == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, sockaddr, sizeof address);
        return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) == NULL || is_not_public(text);
    }
    if (generic.sa_family != AF_INET6)
        return true;
    struct sockaddr_in6 address;
    memcpy(&address, sockaddr, sizeof address);
    const unsigned char *inner = inner_ipv4(address.sin6_addr.s6_addr);
    if (inner != NULL && inet_ntop(AF_INET, inner, text, sizeof text) != NULL && is_not_public(text))
        return true;
    return inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text) == NULL || is_not_public(text);
}
