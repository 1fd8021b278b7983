/* Ends connections whose client takes too long. The HTTP library counts only silence, so a client that sends a byte now
 * and then would stay for ever. */
#pragma once
#include <stdint.h>

struct http_watch;
struct http_watched;
#define HTTP_WATCH_NEVER INT64_MAX

struct http_watch *http_watch_new(void);        /* with a thread of its own */
void http_watch_free(struct http_watch *watch); /* when nothing is watched any more; NULL ok */

/* From `until_us` (monotonic) on the socket is shut down; its owner then sees the end and closes it. Any thread. */
struct http_watched *http_watch_add(struct http_watch *watch, int fd, int64_t until_us);
void http_watch_set(struct http_watched *watched, int64_t until_us);
void http_watch_remove(struct http_watch *watch, struct http_watched *watched); /* before the socket is closed */
