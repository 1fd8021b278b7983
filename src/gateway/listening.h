/* Sockets that listen on one port together: the kernel spreads connections over them. Of a single socket whichever
 * thread wakes first would take nearly all connections of a burst, and its processor be all that answers them. */
#pragma once
#include "base/error.h"

/* All or none into `ret`; they are the caller's. port 0: any free one, the same for all. VALIDATION: host is no address
 * of this machine; IO: the port is taken, also when its owner would share it, or may not be had. */
enum err listening_open(const char *host, int port, unsigned count, int *ret, struct error *reterr) ERROR_MUST_CHECK;
int listening_port(int fd);
