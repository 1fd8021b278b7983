/* Bytes of a connection, as the gateway's HTTP server and its routes get them: request lines, query strings, headers,
 * bodies. Whatever comes, the server goes on. */
#include "base/loop.h"
#include "cache/cache.h"
#include "gateway/api.h"
#include "gateway/auth.h"
#include "gateway/ws.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static int port;

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static void must(enum err code, const struct error *error)
{
    if (code == ERR_OK)
        return;
    (void)fprintf(stderr, "%s\n", error->message);
    abort();
}

static const char *no_variable(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

/* Lives as long as the process. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct config config;
    static const char *const origins[] = {NULL};
    static struct api_options options = {.config = &config, .origins = origins};
    struct error error = {0};
    pthread_t thread;
    (void)argc;
    (void)argv;
    must(config_load(SERVICE_STANDALONE, no_variable, NULL, &config, &error), &error);
    must(store_open("sqlite::memory:", NULL, &options.store, &error), &error);
    must(broker_open("memory:", "", &options.broker, &error), &error);
    must(cache_open("memory:", false, 1 << 20, &options.cache, &error), &error);
    must(auth_start(&config, options.store, options.cache, &options.auth, &error), &error);
    options.metrics = metrics_new();
    options.loop = loop_new();
    options.ws = ws_start(&(struct ws_options){
        .broker = options.broker, .store = options.store, .metrics = options.metrics, .origins = origins});
    struct api *api = api_new(&options);
    if (pthread_create(&thread, NULL, run_loop, options.loop) != 0)
        abort();
    static struct http_options http = {.host = "127.0.0.1",
                                       .threads = 1,
                                       .handler_threads = 2,
                                       .max_body = 1 << 20,
                                       .idle_timeout_s = 60,
                                       .request_timeout_ms = 60000,
                                       .origins = origins,
                                       .admit = api_admit,
                                       .handle = api_handle,
                                       .finished = api_finished,
                                       .quiesced = api_quiesced};
    struct http_server *server;
    http.app = api;
    must(http_start(&http, &server, &error), &error);
    port = http_port(server);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char answer[4096];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    struct linger at_once = {.l_onoff = 1};       /* no socket is left in TIME_WAIT: there are only so many ports */
    struct timeval patience = {.tv_usec = 20000}; /* a connection that is kept for a further request says nothing */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, data, size, MSG_NOSIGNAL) >= 0 && shutdown(fd, SHUT_WR) == 0)
        while (recv(fd, answer, sizeof answer, 0) > 0)
            ;
    close(fd);
    return 0;
}
