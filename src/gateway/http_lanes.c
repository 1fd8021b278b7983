#include "gateway/http_lanes.h"

#include "base/mem.h"
#include "gateway/listening.h"
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct http_lanes {
    unsigned count;
    int *fds; /* listen */
    struct lane {
        struct MHD_Daemon *daemon;
        int wake_fd;
        atomic_bool woken, quiesced, stopping;
        pthread_t thread;
        bool running;
    } lanes[];
};

static void wake(struct lane *lane)
{
    if (!atomic_exchange(&lane->woken, true) && write(lane->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
        abort(); /* it is read long before it is full */
}

/* The library's own thread takes up to 128 events from the kernel and, when it got exactly as many, waits for more
 * before it looks at them: for ever, if those who sent them wait for it. Asked from here it takes them without waiting.
 */
static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    int epoll_fd = MHD_get_daemon_info(lane->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd fds[] = {{.fd = epoll_fd, .events = POLLIN}, {.fd = lane->wake_fd, .events = POLLIN}};
    while (!atomic_load(&lane->stopping)) {
        MHD_UNSIGNED_LONG_LONG most = 0;
        if (atomic_load(&lane->quiesced))
            (void)MHD_quiesce_daemon(lane->daemon); /* here: the library is asked by one thread only */
        (void)MHD_run(lane->daemon);                /* what failed is tried with the next turn */
        bool ends = MHD_get_timeout(lane->daemon, &most) == MHD_YES;
        if (poll(fds, 2, !ends ? -1 : most < INT_MAX ? (int)most : INT_MAX) < 0 && errno != EINTR)
            abort();
        uint64_t count;
        if (fds[1].revents != 0 && read(lane->wake_fd, &count, sizeof count) == sizeof count)
            atomic_store(&lane->woken, false); /* before what it was woken for is looked at */
    }
    return NULL;
}

static bool open_lane(struct lane *lane, const struct http_lanes_options *options, int fd)
{
    lane->daemon = options->open(options->user, fd);
    lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    lane->running =
        lane->daemon != NULL && lane->wake_fd >= 0 && pthread_create(&lane->thread, NULL, run_lane, lane) == 0;
    return lane->running;
}

enum err http_lanes_start(const struct http_lanes_options *options, struct http_lanes **ret, struct error *reterr)
{
    AUTO_FREE int *fds = mem_array(options->count, sizeof *fds);
    enum err code = listening_open(options->host, options->port, options->count, fds, reterr);
    if (code != ERR_OK)
        return code;
    struct http_lanes *lanes = mem_alloc(sizeof *lanes + options->count * sizeof *lanes->lanes);
    lanes->count = options->count;
    lanes->fds = fds;
    bool good = true;
    for (unsigned i = 0; i < lanes->count; i++)
        lanes->lanes[i].wake_fd = -1;
    for (unsigned i = 0; i < lanes->count && good; i++)
        good = open_lane(&lanes->lanes[i], options, fds[i]);
    fds = NULL; /* they are the lanes' now */
    if (!good) {
        http_lanes_free(lanes);
        return error_set(reterr, ERR_IO, NULL, "The HTTP server cannot start: threads or descriptors are short.");
    }
    *ret = lanes;
    return ERR_OK;
}

int http_lanes_port(const struct http_lanes *lanes)
{
    return listening_port(lanes->fds[0]);
}

void http_lanes_quiesce(struct http_lanes *lanes)
{
    for (unsigned i = 0; i < lanes->count; i++) {
        atomic_store(&lanes->lanes[i].quiesced, true);
        wake(&lanes->lanes[i]);
    }
}

static struct lane *lane_of(struct http_lanes *lanes, struct MHD_Connection *connection)
{
    const struct MHD_Daemon *daemon = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)->daemon;
    unsigned i = 0;
    while (lanes->lanes[i].daemon != daemon)
        i++;
    return &lanes->lanes[i];
}

void http_lanes_resume(struct http_lanes *lanes, struct MHD_Connection *connection)
{
    struct lane *lane = lane_of(lanes, connection);
    MHD_resume_connection(connection); /* it may be gone from here on */
    wake(lane);
}

void http_lanes_end(struct http_lanes *lanes, struct MHD_Connection *connection,
                    struct MHD_UpgradeResponseHandle *handle)
{
    struct lane *lane = lane_of(lanes, connection);
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    wake(lane); /* the library closes it with its next turn */
}

static void lane_close(struct lane *lane)
{
    if (lane->running) {
        atomic_store(&lane->stopping, true);
        wake(lane);
        pthread_join(lane->thread, NULL);
    }
    if (lane->daemon != NULL) {
        (void)MHD_quiesce_daemon(lane->daemon); /* else it would close what listens, which is ours */
        MHD_stop_daemon(lane->daemon);
    }
    if (lane->wake_fd >= 0)
        close(lane->wake_fd);
}

void http_lanes_free(struct http_lanes *lanes)
{
    for (unsigned i = 0; i < lanes->count; i++) {
        lane_close(&lanes->lanes[i]);
        close(lanes->fds[i]);
    }
    free(lanes->fds);
    free(lanes);
}
