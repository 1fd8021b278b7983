/* The store's contract on SQLite: a file and memory, with the writer thread and in manual mode. */
#include "base/mem.h"
#include "support/store_contract.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reset_file(const char *url)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        AUTO_FREE char *path = mem_printf("%s%s", url + strlen("sqlite:"), endings[i]);
        (void)unlink(path); /* most of them are not there */
    }
}

static void reset_memory(const char *url)
{
    (void)url; /* it is gone when it is closed */
}

int main(void)
{
    char folder[] = "/tmp/caudal-store-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    AUTO_FREE char *url = mem_printf("sqlite:%s/test.db", folder);
    const struct store_contract contracts[] = {
        {.name = "sqlite file", .url = url, .lasting = true, .reset = reset_file},
        {.name = "sqlite file, manual", .url = url, .manual = true, .lasting = true, .reset = reset_file},
        {.name = "sqlite memory", .url = "sqlite::memory:", .reset = reset_memory},
        {.name = "sqlite memory, manual", .url = "sqlite::memory:", .manual = true, .reset = reset_memory}};
    int failed = 0;
    for (size_t i = 0; i < sizeof contracts / sizeof *contracts; i++)
        failed += store_contract_run(&contracts[i]);
    if (rmdir(folder) != 0) {
        perror(folder);
        failed++;
    }
    return failed;
}
