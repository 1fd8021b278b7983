/* The threads that answer HTTP, each for one of the sockets that listen on a port. */
#pragma once
#include "base/error.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_UpgradeResponseHandle;
struct http_lanes;
struct http_lanes_options {
    const char *host;
    int port; /* 0: any free one */
    unsigned count;
    /* libmicrohttpd for one of them: with MHD_USE_EPOLL, MHD_ALLOW_SUSPEND_RESUME and no thread of its own; NULL: it
     * cannot be had. */
    struct MHD_Daemon *(*open)(void *user, int fd);
    void *user;
};
enum err http_lanes_start(const struct http_lanes_options *options, struct http_lanes **ret,
                          struct error *reterr) ERROR_MUST_CHECK;
int http_lanes_port(const struct http_lanes *lanes);
void http_lanes_quiesce(struct http_lanes *lanes); /* no connection is taken any more; nobody else can take the port */
void http_lanes_resume(struct http_lanes *lanes, struct MHD_Connection *connection); /* any thread; one that was
                                                                                         suspended */
void http_lanes_end(struct http_lanes *lanes, struct MHD_Connection *connection,
                    struct MHD_UpgradeResponseHandle *handle); /* one that was upgraded */
void http_lanes_free(struct http_lanes *lanes);                /* when nothing is under way; closes what is connected */
