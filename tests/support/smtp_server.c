#include "support/smtp_server.h"

#include "base/buf.h"
#include "base/mem.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct test_smtp {
    const char *greeting, *features;
    int fd, port, connection; /* under `lock`, connection too; -1: none */
    bool is_stopped;
    pthread_t thread;
    pthread_mutex_t lock;
    struct buf commands, mail;
};

static bool say(int fd, const char *text)
{
    size_t n = strlen(text);
    return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* A line without its end; false when the peer has gone. */
static bool read_line(int fd, struct buf *line)
{
    buf_clear(line);
    for (char c; recv(fd, &c, 1, 0) == 1;) {
        if (c == '\n')
            return true;
        if (c != '\r')
            buf_add_char(line, c);
    }
    return false;
}

static bool read_mail(struct test_smtp *server, int fd, struct buf *line)
{
    struct buf mail;
    buf_init(&mail, 0);
    bool whole = false;
    while (!whole && read_line(fd, line)) {
        const char *text = buf_str(line);
        whole = strcmp(text, ".") == 0;
        if (!whole)
            buf_printf(&mail, "%s\r\n", text[0] == '.' ? text + 1 : text);
    }
    pthread_mutex_lock(&server->lock);
    buf_done(&server->mail);
    server->mail = mail;
    pthread_mutex_unlock(&server->lock);
    return whole;
}

/* The second line of a login: \0ana\0pass, or user=ana\1auth=Bearer tok\1\1. */
static const char *answer_login(const char *text)
{
    return strcmp(text, "AGFuYQBwYXNz") == 0 || strcmp(text, "dXNlcj1hbmEBYXV0aD1CZWFyZXIgdG9rAQE=") == 0
               ? "235 welcome\r\n"
               : "535 5.7.8 wrong user or password\r\n";
}

/* false: the connection ends. */
static bool serve_line(struct test_smtp *server, int fd, struct buf *line, bool *is_dropped)
{
    const char *text = buf_str(line);
    if (strncasecmp(text, "EHLO", 4) == 0)
        return say(fd, server->features) && say(fd, "250 test\r\n");
    if (strncmp(text, "AUTH", 4) == 0)
        return say(fd, "334 \r\n") && read_line(fd, line) && say(fd, answer_login(buf_str(line)));
    if (strncmp(text, "MAIL FROM:<silent@", 18) == 0)
        return true;
    if (strncmp(text, "MAIL FROM:<dropped@", 19) == 0)
        *is_dropped = true;
    if (strncmp(text, "RCPT TO:<unknown@", 17) == 0)
        return say(fd, "550 5.1.1 no such user\r\n");
    if (strncmp(text, "RCPT TO:<busy@", 14) == 0)
        return say(fd, "451 4.3.0 later please\r\n");
    if (strncmp(text, "DATA", 4) == 0)
        return say(fd, "354 go on\r\n") && read_mail(server, fd, line) && !*is_dropped && say(fd, "250 queued\r\n");
    if (strncmp(text, "QUIT", 4) == 0) {
        (void)say(fd, "221 bye\r\n");
        return false;
    }
    return say(fd, "250 fine\r\n");
}

static void serve(struct test_smtp *server, int fd)
{
    struct buf line;
    bool is_dropped = false, goes_on = say(fd, server->greeting);
    buf_init(&line, 0);
    while (goes_on && read_line(fd, &line)) {
        pthread_mutex_lock(&server->lock);
        buf_printf(&server->commands, "%s\n", buf_str(&line));
        pthread_mutex_unlock(&server->lock);
        goes_on = serve_line(server, fd, &line, &is_dropped);
    }
    buf_done(&line);
}

static void *run(void *user)
{
    struct test_smtp *server = user;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        pthread_mutex_lock(&server->lock);
        bool ends = fd < 0 || server->is_stopped;
        server->connection = ends ? -1 : fd;
        pthread_mutex_unlock(&server->lock);
        if (!ends)
            serve(server, fd);
        pthread_mutex_lock(&server->lock);
        server->connection = -1;
        if (fd >= 0)
            close(fd);
        pthread_mutex_unlock(&server->lock);
        if (ends)
            return NULL;
    }
}

struct test_smtp *test_smtp_start(const char *greeting, const char *features)
{
    struct test_smtp *server = mem_alloc(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct test_smtp){.greeting = greeting, .features = features, .connection = -1};
    pthread_mutex_init(&server->lock, NULL);
    buf_init(&server->commands, 0);
    buf_init(&server->mail, 0);
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, size) != 0 || listen(server->fd, 64) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&server->thread, NULL, run, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

int test_smtp_port(const struct test_smtp *server)
{
    return server->port;
}

static char *copy(struct test_smtp *server, const struct buf *buf)
{
    pthread_mutex_lock(&server->lock);
    char *text = mem_dup(buf_str(buf));
    pthread_mutex_unlock(&server->lock);
    return text;
}

char *test_smtp_commands(struct test_smtp *server)
{
    return copy(server, &server->commands);
}

char *test_smtp_mail(struct test_smtp *server)
{
    return copy(server, &server->mail);
}

void test_smtp_clear(struct test_smtp *server)
{
    pthread_mutex_lock(&server->lock);
    buf_done(&server->commands);
    buf_done(&server->mail);
    pthread_mutex_unlock(&server->lock);
}

void test_smtp_stop(struct test_smtp *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_stopped = true;
    (void)shutdown(server->fd, SHUT_RDWR);
    if (server->connection >= 0)
        (void)shutdown(server->connection, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    close(server->fd);
    pthread_mutex_destroy(&server->lock);
    buf_done(&server->commands);
    buf_done(&server->mail);
    free(server);
}
