/* Bytes of a WebSocket: frames whole and broken, and the messages in them. Whatever comes, the hub goes on. */
#include "broker/broker.h"
#include "gateway/ws.h"
#include "metrics/metrics.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct ws_hub *hub;

/* Lives as long as the process. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const origins[] = {NULL};
    static struct ws_options options = {.origins = origins};
    struct error error = {0};
    (void)argc;
    (void)argv;
    if (store_open("sqlite::memory:", NULL, &options.store, &error) != ERR_OK ||
        broker_open("memory:", "", &options.broker, &error) != ERR_OK)
        abort();
    options.metrics = metrics_new();
    hub = ws_start(&options);
    return 0;
}

/* The first byte says how much of the rest came with the handshake. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    char answer[4096];
    if (size == 0)
        return 0;
    size_t early = data[0] % size;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || fcntl(pair[1], F_SETFL, O_NONBLOCK) != 0)
        abort();
    ws_take(hub, pair[1], data + 1, early, INT64_MAX);
    if (send(pair[0], data + 1 + early, size - 1 - early, MSG_NOSIGNAL) >= 0 && shutdown(pair[0], SHUT_WR) == 0)
        while (recv(pair[0], answer, sizeof answer, 0) > 0)
            ;
    close(pair[0]);
    return 0;
}
