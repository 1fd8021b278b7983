/* The program: its commands are the table in cli/cli.c; the runners of JavaScript are this program, too. */
#include "cli/cli.h"
#include "script/runner.h"

#include <stdlib.h>
#include <string.h>

/* jemalloc's, in the release build (docs/decisions/0005): few arenas, and memory goes back soon. */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0";

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "script-runner") == 0) /* started by script/runner_spawn.c only */
        return script_runner_main((size_t)strtoul(argv[2], NULL, 10) << 20);
    return cli_main(argc, argv);
}
