/* Which pages may speak to the service: RFC 6454 origins against the list of WS_CORS_ORIGINS, and Host headers. */
#pragma once
#include <stdbool.h>

/* The list is NULL-terminated, may be NULL; "*" holds every origin. `origin` may be NULL. */
bool origin_is_listed(const char *const *list, const char *origin);
bool origin_list_is_open(const char *const *list); /* holds "*" */
/* Whether origin and Host header name the same host; ports may differ: /ws is on two. */
bool origin_is_of_host(const char *origin, const char *host);
/* localhost, a name below it, or an address: no name that somebody else's DNS could lead here. */
bool origin_host_is_local(const char *host);
/* Whether one of the list's origins is of that host. */
bool origin_host_is_listed(const char *const *list, const char *host);
