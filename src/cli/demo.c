/* Loads the examples and runs one of them. */
#include "cli/demo.h"

#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLOWS_MAX 100

static bool copy_file(const char *from, const char *to)
{
    struct buf bytes;
    struct error error;
    buf_init(&bytes, 0);
    bool good = cli_read_file(from, &bytes, &error) == ERR_OK;
    int fd = good ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;
    good = fd >= 0 && write(fd, buf_str(&bytes), bytes.len) == (ssize_t)bytes.len;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    buf_done(&bytes);
    return good;
}

static void copy_data(const char *directory, const char *files)
{
    AUTO_FREE char *source = mem_printf("%s/data", directory);
    DIR *dir = opendir(source);
    if (dir == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        AUTO_FREE char *from = mem_printf("%s/%s", source, entry->d_name);
        AUTO_FREE char *to = mem_printf("%s/%s", files, entry->d_name);
        struct stat status;
        if (stat(from, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        if (!copy_file(from, to))
            (void)fprintf(stderr, "caudal: %s cannot be copied to %s: %m.\n", from, to);
    }
    (void)closedir(dir);
}

static int is_flow_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

static void run_flow(const struct cli *cli, const struct json *flow)
{
    AUTO_FREE char *path = mem_printf("/flows/%s/run", json_get_str(flow, "id"));
    AUTO_JSON struct json *started = NULL;
    (void)printf("\nRunning \"%s\":\n", json_get_str(flow, "name"));
    if (client_call(cli, "POST", path, NULL, &started) == EXIT_OK)
        (void)cli_follow(cli, json_get_str(started, "executionId"));
}

void demo_run(const struct cli *cli, int port, const char *directory, const char *files)
{
    struct dirent **entries = NULL;
    char url[64];
    struct cli local = *cli;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    local.url = url;
    copy_data(directory, files);
    int count = scandir(directory, &entries, is_flow_file, alphasort);
    if (count < 0)
        (void)fprintf(stderr, "caudal: the examples in %s cannot be read: %m.\n", directory);
    struct json *shown = NULL;
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", directory, entries[i]->d_name);
        AUTO_JSON struct json *flow = NULL;
        if (cli_import(&local, path, &flow) == EXIT_OK) {
            (void)printf("Loaded %s\n", json_get_str(flow, "name"));
            if (json_get_bool(json_get(flow, "metadata"), "demo", false) && shown == NULL)
                shown = json_ref(flow);
        }
        free(entries[i]);
    }
    free(entries);
    if (shown != NULL)
        run_flow(&local, shown);
    json_unref(shown);
    (void)printf("\nOpen %s to draw, run and watch flows; the API is documented at %s/api/docs. Ctrl-C stops.\n", url,
                 url);
    (void)fflush(stdout);
}
