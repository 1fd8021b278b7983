/* Starting and ending a runner's process. */
#pragma once
#include "base/error.h"
#include <stdint.h>
#include <sys/types.h>

struct spawned {
    pid_t pid;
    int pid_fd; /* readable once it has ended */
    int socket; /* non-blocking */
};

/* `program`: NULL is the program that runs here, which must know the command script-runner. */
enum err spawned_start(const char *program, size_t memory_mb, struct spawned *ret,
                       struct error *reterr) ERROR_MUST_CHECK;
void spawned_kill(const struct spawned *process);
/* The wait status of an ended one; closes what belongs to it. Waits when it has not ended yet. */
int spawned_reap(struct spawned *process);
int64_t spawned_cpu_us(const struct spawned *process);        /* processor time of all its threads; -1: unknown */
size_t spawned_resident_bytes(const struct spawned *process); /* 0: unknown */
