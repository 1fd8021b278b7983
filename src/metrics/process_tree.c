/* What a process and its descendants use, from /proc. */
#include "metrics/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 100000

struct member {
    int pid, parent;
    int64_t cpu_ticks;
    bool counted;
};

struct members {
    struct member *items;
    size_t count, cap;
};

static bool read_text(const char *proc, int pid, const char *name, char *out, size_t size)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%d/%s", proc, pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false; /* it has ended meanwhile */
    size_t n = fread(out, 1, size - 1, file);
    (void)fclose(file);
    out[n] = '\0';
    return n > 0;
}

static void add(struct members *all, const char *proc, int pid)
{
    char text[1024];
    if (!read_text(proc, pid, "stat", text, sizeof text))
        return;
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    int parent = 0;
    uint64_t user = 0, system = 0;
    if (rest == NULL || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &parent,
                               &user, &system) != 3)
        return;
    if (all->count == all->cap) {
        all->cap = all->cap == 0 ? 256 : all->cap * 2;
        all->items = mem_resize(all->items, all->cap * sizeof *all->items);
    }
    all->items[all->count++] = (struct member){.pid = pid, .parent = parent, .cpu_ticks = (int64_t)(user + system)};
}

static enum err read_all(const char *proc, struct members *all, struct error *reterr)
{
    DIR *directory = opendir(proc);
    if (directory == NULL)
        return error_set(reterr, ERR_IO, NULL, "%s cannot be opened: %s", proc, strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && all->count < PROCESSES_MAX) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (pid > 0 && *end == '\0')
            add(all, proc, (int)pid);
    }
    (void)closedir(directory);
    return ERR_OK;
}

static void count_in(const char *proc, struct member *member, bool root, struct process_usage *usage)
{
    char text[256];
    int64_t resident = 0, shared = 0, ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    member->counted = true;
    usage->cpu_user_us += member->cpu_ticks * 1000000 / ticks;
    if (read_text(proc, member->pid, "statm", text, sizeof text) &&
        sscanf(text, "%*d %" SCNd64 " %" SCNd64, &resident, &shared) == 2)
        usage->resident_bytes += (root ? resident : resident - shared) * page;
}

static int by_pid(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool is_counted(const struct members *all, int pid)
{
    struct member key = {.pid = pid};
    const struct member *found = bsearch(&key, all->items, all->count, sizeof key, by_pid);
    return found != NULL && found->counted;
}

enum err process_tree_read(const char *proc, struct process_usage *ret, struct error *reterr)
{
    struct members all = {0};
    struct process_usage usage = {0};
    enum err code = read_all(proc, &all, reterr);
    int self = getpid();
    if (all.count > 0)
        qsort(all.items, all.count, sizeof *all.items, by_pid);
    for (size_t i = 0; i < all.count; i++)
        if (all.items[i].pid == self)
            count_in(proc, &all.items[i], true, &usage);
    for (bool more = true; more;) { /* children of what is counted, until there are none */
        more = false;
        for (size_t i = 0; i < all.count; i++) {
            if (all.items[i].counted || !is_counted(&all, all.items[i].parent))
                continue;
            count_in(proc, &all.items[i], false, &usage);
            more = true;
        }
    }
    free(all.items);
    if (code == ERR_OK)
        *ret = usage;
    return code;
}
