/* The process's log sink and its level. Formatting is in log_line.c. */
#include "base/log.h"

#include "base/clock.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static struct {
    _Atomic int level;
    _Atomic uint64_t lost;
    enum log_format format;
    const char *service, *instance;
    log_sink *sink;
    void *user;
} state = {.level = LOG_INFO, .service = "caudal"};

void log_start(const struct log_options *options)
{
    state.format = options->format;
    state.service = options->service == NULL ? "caudal" : options->service;
    state.instance = options->instance;
    state.sink = options->sink;
    state.user = options->user;
    log_set_level(options->level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&state.level, (int)level, memory_order_relaxed);
}

bool log_is_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed);
}

uint64_t log_lost_count(void)
{
    return atomic_load_explicit(&state.lost, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return level_names[level <= LOG_ERROR ? level : LOG_ERROR];
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(level_names[i], name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

/* A log that cannot be written must not stop the service: the line is counted as lost. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            atomic_fetch_add_explicit(&state.lost, 1, memory_order_relaxed);
            return;
        }
        line += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    char line[LOG_LINE_BYTES + 1];
    int saved = errno; /* callers log between a failed call and their look at errno */
    size_t len =
        log_line_format(state.format, clock_now_ms(), level, state.service, state.instance, message, fields, line);
    if (state.sink != NULL)
        state.sink(state.user, line, len);
    else
        write_line(line, len);
    errno = saved;
}
