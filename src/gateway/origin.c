#include "gateway/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* The host of [scheme://]host[:port], an IPv6 address with its brackets. */
static size_t host_of(const char *text, const char **ret_host)
{
    const char *scheme = strstr(text, "://");
    *ret_host = scheme == NULL ? text : scheme + 3;
    if (**ret_host == '[')
        return strcspn(*ret_host, "]") + 1;
    return strcspn(*ret_host, ":/");
}

bool origin_list_is_open(const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (strcmp(*list, "*") == 0)
            return true;
    return false;
}

bool origin_is_listed(const char *const *list, const char *origin)
{
    if (origin_list_is_open(list))
        return true;
    for (; origin != NULL && list != NULL && *list != NULL; list++)
        if (strcasecmp(*list, origin) == 0)
            return true;
    return false;
}

bool origin_is_of_host(const char *origin, const char *host)
{
    const char *a, *b;
    if (host == NULL || (strncasecmp(origin, "http://", 7) != 0 && strncasecmp(origin, "https://", 8) != 0))
        return false;
    size_t n = host_of(origin, &a);
    return n > 0 && n == host_of(host, &b) && strncasecmp(a, b, n) == 0;
}

bool origin_host_is_local(const char *host)
{
    static const char name[] = "localhost";
    const char *at;
    char text[64];
    unsigned char address[16];
    size_t n = host_of(host, &at), length = sizeof name - 1;
    if (n >= length && strncasecmp(at + n - length, name, length) == 0 && (n == length || at[n - length - 1] == '.'))
        return true;
    if (n == 0 || n >= sizeof text)
        return false;
    bool bracketed = *at == '[';
    memcpy(text, bracketed ? at + 1 : at, n);
    text[bracketed ? n - 2 : n] = '\0';
    return inet_pton(bracketed ? AF_INET6 : AF_INET, text, address) == 1;
}

bool origin_host_is_listed(const char *const *list, const char *host)
{
    if (origin_list_is_open(list))
        return true;
    for (; list != NULL && *list != NULL; list++)
        if (origin_is_of_host(*list, host))
            return true;
    return false;
}
