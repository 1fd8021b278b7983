/* What a runner gives up before it sees a line of anybody's code. */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* At the very start: dies with its parent, and has no other descriptors than those up to `keep`. */
void sandbox_enter(int keep);
/* After warming up: memory bounded by what is mapped now and `memory_bytes` more, no files, no network, no processes.
 * `statm`: a descriptor of /proc/self/statm, which stays readable. */
enum err sandbox_close(size_t memory_bytes, int statm, struct error *reterr) ERROR_MUST_CHECK;
/* Bytes of address space and of memory in use. */
bool sandbox_memory(int statm, size_t *ret_mapped, size_t *ret_resident);
