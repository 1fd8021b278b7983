#include "gateway/listening.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

static int bind_to(const struct sockaddr *address, socklen_t size, int option)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
                    setsockopt(fd, SOL_SOCKET, option, &yes, sizeof yes) != 0 || bind(fd, address, size) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Alone first: to share, another program's consent to sharing would do. */
static bool is_free(const struct sockaddr *address, socklen_t size)
{
    int fd = bind_to(address, size, SO_REUSEADDR);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool open_all(struct sockaddr *address, socklen_t size, unsigned count, int *ret)
{
    bool good = is_free(address, size);
    for (unsigned i = 0; i < count; i++)
        ret[i] = -1;
    for (unsigned i = 0; i < count && good; i++) {
        ret[i] = bind_to(address, size, SO_REUSEPORT);
        good = ret[i] >= 0 && getsockname(ret[i], address, &size) == 0; /* its port, if any was good */
    }
    for (unsigned i = 0; i < count && good; i++)
        good = listen(ret[i], BACKLOG) == 0;
    return good;
}

enum err listening_open(const char *host, int port, unsigned count, int *ret, struct error *reterr)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char service[12];
    (void)snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0)
        return error_set(reterr, ERR_VALIDATION, "HOST", "HOST \"%s\" is no address of this machine: %s.", host,
                         gai_strerror(failed));
    enum err code = ERR_OK;
    if (!open_all(found->ai_addr, found->ai_addrlen, count, ret)) {
        code = error_set(reterr, ERR_IO, "PORT", "Cannot listen on %s port %d: %m.", host, port);
        for (unsigned i = 0; i < count; i++)
            if (ret[i] >= 0)
                close(ret[i]);
    }
    freeaddrinfo(found);
    return code;
}

int listening_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}
