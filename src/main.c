/* The program: its commands are the table in cli/cli.c. */
#include "cli/cli.h"

/* jemalloc's, in the release build (docs/decisions/0005): few arenas, and memory goes back soon. */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0";

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
