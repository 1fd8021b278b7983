/* Process figures from /proc. */
#include "metrics/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROC_FILE_BYTES 8192 /* self/stat and self/limits have a fixed number of fields */

static enum err read_file(const char *proc, const char *name, char *out, size_t size, struct error *reterr)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", proc, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(reterr, ERR_IO, NULL, "%s cannot be opened: %s", path, strerror(errno));
    size_t n = fread(out, 1, size - 1, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    out[n] = '\0';
    return failed ? error_set(reterr, ERR_IO, NULL, "%s cannot be read", path) : ERR_OK;
}

/* proc(5): the name of the program, field 2, may hold spaces and parentheses; fields are counted after the last ')'. */
static enum err parse_self_stat(const char *text, struct process_usage *usage, int64_t *ret_start_ticks,
                                struct error *reterr)
{
    const char *rest = strrchr(text, ')');
    uint64_t user = 0, system = 0, start = 0, size = 0;
    int64_t threads = 0, pages = 0;
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                               " %*d %*d %*d %*d %" SCNd64 " %*d %" SCNu64 " %" SCNu64 " %" SCNd64,
                               &user, &system, &threads, &start, &size, &pages) != 6)
        return error_set(reterr, ERR_IO, NULL, "self/stat does not have the fields of proc(5)");
    int64_t ticks = sysconf(_SC_CLK_TCK);
    usage->cpu_user_us = (int64_t)user * 1000000 / ticks;
    usage->cpu_system_us = (int64_t)system * 1000000 / ticks;
    usage->threads = threads;
    usage->virtual_bytes = (int64_t)size;
    usage->resident_bytes = pages * sysconf(_SC_PAGESIZE);
    *ret_start_ticks = (int64_t)start;
    return ERR_OK;
}

/* Piece by piece: the line of interrupts before it has no useful bound, and holds only digits after its first word. */
static enum err read_boot_time(const char *proc, int64_t *ret_seconds, struct error *reterr)
{
    char path[256], piece[256];
    (void)snprintf(path, sizeof path, "%s/stat", proc);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(reterr, ERR_IO, NULL, "%s cannot be opened: %s", path, strerror(errno));
    bool found = false;
    while (!found && fgets(piece, sizeof piece, file) != NULL)
        found = sscanf(piece, "btime %" SCNd64, ret_seconds) == 1;
    (void)fclose(file);
    return found ? ERR_OK : error_set(reterr, ERR_IO, NULL, "%s has no line btime", path);
}

static enum err parse_max_fds(const char *text, int64_t *ret, struct error *reterr)
{
    const char *line = strstr(text, "Max open files");
    if (line == NULL)
        return error_set(reterr, ERR_IO, NULL, "self/limits has no line Max open files");
    if (sscanf(line, "Max open files %" SCNd64, ret) != 1)
        *ret = -1; /* unlimited */
    return ERR_OK;
}

static enum err count_fds(const char *proc, int64_t *ret, struct error *reterr)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/self/fd", proc);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return error_set(reterr, ERR_IO, NULL, "%s cannot be opened: %s", path, strerror(errno));
    int64_t n = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        n += entry->d_name[0] != '.';
    (void)closedir(directory);
    *ret = n - 1; /* not the one that is open for counting */
    return ERR_OK;
}

enum err process_usage_read(const char *proc, struct process_usage *ret, struct error *reterr)
{
    struct process_usage usage = {0};
    int64_t start_ticks = 0, boot_seconds = 0;
    char text[PROC_FILE_BYTES];
    enum err err = read_file(proc, "self/stat", text, sizeof text, reterr);
    if (err == ERR_OK)
        err = parse_self_stat(text, &usage, &start_ticks, reterr);
    if (err == ERR_OK)
        err = read_boot_time(proc, &boot_seconds, reterr);
    if (err == ERR_OK)
        err = read_file(proc, "self/limits", text, sizeof text, reterr);
    if (err == ERR_OK)
        err = parse_max_fds(text, &usage.max_fds, reterr);
    if (err == ERR_OK)
        err = count_fds(proc, &usage.open_fds, reterr);
    if (err != ERR_OK)
        return err;
    usage.start_ms = boot_seconds * 1000 + start_ticks * 1000 / sysconf(_SC_CLK_TCK);
    *ret = usage;
    return ERR_OK;
}

#define GAUGE(n, h, d)                                                                                                 \
    {                                                                                                                  \
        .name = (n), .help = (h), .kind = METRIC_GAUGE, .decimals = (d)                                                \
    }
static const struct metric_desc cpu = {.name = "process_cpu_seconds_total",
                                       .help = "CPU time used, user and system.",
                                       .kind = METRIC_COUNTER,
                                       .decimals = 6};
static const struct metric_desc gauges[] = {
    GAUGE("process_resident_memory_bytes", "Memory that is in RAM.", 0),
    GAUGE("process_virtual_memory_bytes", "Address space in use.", 0),
    GAUGE("process_start_time_seconds", "Start of the process, Unix time.", 3),
    GAUGE("process_open_fds", "Open file descriptors.", 0),
    GAUGE("process_threads", "Threads.", 0),
    GAUGE("process_max_fds", "File descriptors that may be open; absent when there is no limit.", 0),
};
static const struct metric_desc build = {.name = "caudal_build_info",
                                         .help = "Always 1; the label tells the version that runs.",
                                         .kind = METRIC_GAUGE,
                                         .labels = {"version"}};

static void on_collect(void *user, struct metrics_writer *writer)
{
    (void)user;
    metrics_emit_with(writer, &build, 1, CAUDAL_VERSION);
    struct process_usage usage;
    if (process_usage_read("/proc", &usage, NULL) != ERR_OK)
        return;
    const int64_t values[] = {usage.resident_bytes, usage.virtual_bytes, usage.start_ms,
                              usage.open_fds,       usage.threads,       usage.max_fds};
    metrics_emit_with(writer, &cpu, usage.cpu_user_us + usage.cpu_system_us, NULL);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i] >= 0)
            metrics_emit_with(writer, &gauges[i], values[i], NULL);
}

void metrics_add_process(struct metrics *metrics)
{
    metrics_add_collector(metrics, on_collect, NULL);
}
