#include "base/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96u /* in front of an IPv4 address */

static bool parse_address(const char *text, unsigned char bytes[16], unsigned *ret_offset)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    *ret_offset = 0;
    if (inet_pton(AF_INET6, text, bytes) == 1)
        return true;
    memcpy(bytes, mapped, sizeof mapped);
    *ret_offset = MAPPED_BITS;
    return inet_pton(AF_INET, text, bytes + sizeof mapped) == 1;
}

bool network_parse(const char *text, struct network *ret)
{
    char address[ADDRESS_TEXT_BYTES];
    size_t n = strcspn(text, "/");
    unsigned offset;
    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    if (!parse_address(address, ret->bytes, &offset))
        return false;
    ret->bits = 128;
    if (text[n] == '\0')
        return true;
    char *end;
    unsigned long bits = strtoul(text + n + 1, &end, 10);
    if (text[n + 1] < '0' || text[n + 1] > '9' || *end != '\0' || bits > 128 - offset)
        return false;
    ret->bits = (unsigned)bits + offset;
    return true;
}

bool network_contains(const struct network *network, const char *address)
{
    unsigned char bytes[16];
    unsigned offset, whole = network->bits / 8, rest = network->bits % 8;
    if (!parse_address(address, bytes, &offset) || memcmp(bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}
