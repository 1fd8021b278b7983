/* HTTP requests to 127.0.0.1, so many a second whatever the answers take (rate), or as many as standard input asks for,
 * a number a line (rate 0: each line of standard output says how many were answered). Latency counts from the moment at
 * which a request was due. The last line: sent, errors, per second, percentiles in ms.
 * bench_load PORT SECONDS RATE CONNECTIONS TARGET…, where a TARGET is "METHOD PATH BODY"; they take turns. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 16
#define CONNECTIONS_MAX 4096
#define HEAD_BYTES 16384
#define ANSWERS_WITHIN_S 30 /* after the last request */

struct connection {
    int fd;
    bool busy;
    double due_s;
    char head[HEAD_BYTES]; /* what has come of the answer's head, or 0 bytes once it is read */
    size_t filled, body_left;
    bool in_body, good, ends; /* ends: the server closes it after this answer */
};

struct load {
    int port, epoll;
    double rate, start_s, ends_s;
    char *requests[TARGETS_MAX];
    size_t target_count, connection_count;
    struct connection *connections, **idle;
    size_t idle_count;
    uint64_t issued, sent, answered, errors, asked; /* issued: due so far; asked: by standard input */
    double *latencies;
    size_t latency_cap;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_connection(struct load *load, struct connection *c)
{
    int one = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("connecting");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("watching");
}

static void note(struct load *load, const struct connection *c, bool good)
{
    if (load->answered == load->latency_cap) {
        load->latency_cap = load->latency_cap == 0 ? 65536 : load->latency_cap * 2;
        load->latencies = realloc(load->latencies, load->latency_cap * sizeof *load->latencies);
        if (load->latencies == NULL)
            die("memory");
    }
    load->latencies[load->answered++] = now_s() - c->due_s;
    load->errors += !good;
}

static void finish(struct load *load, struct connection *c, bool good)
{
    note(load, c, good);
    c->busy = c->in_body = false;
    c->filled = 0;
    load->idle[load->idle_count++] = c;
}

/* Whatever was under way counts as an error. */
static void reopen(struct load *load, struct connection *c)
{
    (void)close(c->fd);
    open_connection(load, c);
    if (c->busy)
        finish(load, c, false);
}

/* How many bytes of a body follow the head; answers of the API always have a Content-Length. */
static size_t body_size(const char *head)
{
    for (const char *line = head; (line = strchr(line, '\n')) != NULL;)
        if (strncasecmp(++line, "content-length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    return 0;
}

static void on_bytes(struct load *load, struct connection *c, const char *bytes, size_t size)
{
    if (!c->in_body) {
        size_t part = size < HEAD_BYTES - 1 - c->filled ? size : HEAD_BYTES - 1 - c->filled, before = c->filled;
        memcpy(c->head + before, bytes, part);
        c->filled += part;
        c->head[c->filled] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        if (end == NULL)
            return;
        size_t head = (size_t)(end - c->head) + 4;
        c->in_body = true;
        c->good = strncmp(c->head, "HTTP/1.1 2", 10) == 0;
        c->ends = strcasestr(c->head, "\r\nconnection: close\r\n") != NULL; /* nginx, after so many requests */
        c->body_left = body_size(c->head);
        size -= head - before;
    }
    c->body_left -= size < c->body_left ? size : c->body_left;
    if (c->body_left > 0)
        return;
    finish(load, c, c->good);
    if (c->ends)
        reopen(load, c);
}

static void on_readable(struct load *load, struct connection *c)
{
    char bytes[65536];
    ssize_t got = read(c->fd, bytes, sizeof bytes);
    if (got > 0 && c->busy)
        on_bytes(load, c, bytes, (size_t)got);
    else if (got == 0 || (got < 0 && errno != EAGAIN))
        reopen(load, c);
}

static void send_one(struct load *load, double due_s)
{
    struct connection *c = load->idle[--load->idle_count];
    const char *request = load->requests[load->sent++ % load->target_count];
    size_t size = strlen(request);
    c->busy = true;
    c->due_s = due_s;
    if (write(c->fd, request, size) != (ssize_t)size)
        reopen(load, c);
}

static void send_due(struct load *load)
{
    double now = now_s();
    if (load->rate > 0 && now < load->ends_s)
        load->issued = (uint64_t)((now - load->start_s) * load->rate) + 1; /* the first at once */
    else if (load->rate <= 0)
        load->issued = load->asked;
    while (load->sent < load->issued && load->idle_count > 0)
        send_one(load, load->rate > 0 ? load->start_s + (double)load->sent / load->rate : now);
}

/* false: it has ended. */
static bool read_numbers(struct load *load)
{
    static char text[4096];
    static size_t filled;
    ssize_t got = read(STDIN_FILENO, text + filled, sizeof text - 1 - filled);
    if (got <= 0)
        return false;
    filled += (size_t)got;
    text[filled] = '\0';
    char *line = text, *end;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
        load->asked += strtoull(line, NULL, 10);
    filled = strlen(line);
    memmove(text, line, filled);
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *load, double q)
{
    if (load->answered == 0)
        return 0;
    return load->latencies[(size_t)((double)(load->answered - 1) * q)] * 1e3;
}

static char *make_request(const char *target, int port)
{
    char method[16], path[512], *request;
    int at = 0;
    if (sscanf(target, "%15s %511s %n", method, path, &at) != 2)
        return NULL;
    const char *body = target + at;
    if (asprintf(&request,
                 "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: "
                 "%zu\r\n\r\n%s",
                 method, path, port, strlen(body), body) < 0)
        die("memory");
    return request;
}

static void run(struct load *load)
{
    bool asking = load->rate <= 0;
    double last_s = load->ends_s;
    uint64_t told = 0;
    struct epoll_event events[256], input = {.events = EPOLLIN, .data.ptr = NULL};
    if (asking && epoll_ctl(load->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        die("watching standard input");
    while (asking ||
           ((now_s() < load->ends_s || load->answered < load->issued) && now_s() < last_s + ANSWERS_WITHIN_S)) {
        send_due(load);
        int count = epoll_wait(load->epoll, events, 256, load->rate > 0 ? 1 : 100);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr != NULL)
                on_readable(load, events[i].data.ptr);
            else
                asking = read_numbers(load);
        if (load->rate <= 0 && load->answered != told) {
            (void)printf("%llu\n", (unsigned long long)(told = load->answered));
            (void)fflush(stdout);
        }
    }
}

int main(int argc, char **argv)
{
    struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (argc < 6 || argc - 5 > TARGETS_MAX) {
        (void)fprintf(stderr, "bench_load PORT SECONDS RATE CONNECTIONS TARGET…\n");
        return 2;
    }
    load.port = (int)strtol(argv[1], NULL, 10);
    load.rate = strtod(argv[3], NULL);
    load.connection_count = strtoul(argv[4], NULL, 10);
    if (load.connection_count == 0 || load.connection_count > CONNECTIONS_MAX)
        return 2;
    for (int i = 5; i < argc; i++)
        if ((load.requests[load.target_count++] = make_request(argv[i], load.port)) == NULL)
            return 2;
    load.connections = calloc(load.connection_count, sizeof *load.connections);
    load.idle = calloc(load.connection_count, sizeof(struct connection *));
    if (load.connections == NULL || load.idle == NULL)
        die("memory");
    for (size_t i = 0; i < load.connection_count; i++) {
        open_connection(&load, &load.connections[i]);
        load.idle[load.idle_count++] = &load.connections[i];
    }
    load.start_s = now_s();
    load.ends_s = load.start_s + strtod(argv[2], NULL);
    run(&load);
    double took = now_s() - load.start_s;
    qsort(load.latencies, load.answered, sizeof *load.latencies, compare);
    (void)printf("sent=%llu errors=%llu per_second=%.0f p50_ms=%.2f p95_ms=%.2f p99_ms=%.2f\n",
                 (unsigned long long)load.sent, (unsigned long long)(load.errors + load.issued - load.answered),
                 (double)load.answered / took, percentile_ms(&load, 0.5), percentile_ms(&load, 0.95),
                 percentile_ms(&load, 0.99));
    return 0;
}
