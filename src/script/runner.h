/* The process that runs people's JavaScript. Started by script/runner_spawn.h; descriptor 0 is its socket. */
#pragma once
#include <stddef.h>

/* Never returns before the socket is closed. `memory_bytes`: at least that much is free for each call. */
int script_runner_main(size_t memory_bytes);
