/* A service as a process: made of parts that are opened in order, serve until a signal, are drained from the last to
 * the first and closed likewise. The four services are the same parts, some of them left out. */
#pragma once
#include "config/config.h"

struct service_options {
    enum service service;
    /* Called when it serves, with the address and the port of its HTTP interface and the directory for files of nodes;
     * NULL: nothing.
     */
    void (*on_ready)(void *user, const char *host, int port, const char *files);
    void *user;
};

/* Runs to the end of the process. False: it did not start, and *reterr says why. */
bool service_run(const struct service_options *options, struct error *reterr);
