/* Allocation that aborts when memory runs out; arenas; the cleanup attribute. */
#pragma once
#include <stddef.h>

void *mem_alloc(size_t bytes);               /* zeroed, never NULL */
void *mem_array(size_t count, size_t bytes); /* zeroed, overflow aborts */
void *mem_resize(void *old, size_t bytes);
char *mem_dup(const char *text); /* NULL stays NULL */
char *mem_dup_n(const char *text, size_t n);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Everything made in an arena dies with it. Not thread-safe. */
struct arena {
    struct arena_block *blocks;
};
void arena_init(struct arena *arena);
void arena_done(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t bytes);                /* zeroed, 16-byte aligned */
char *arena_dup(struct arena *arena, const char *text);              /* NULL stays NULL */
char *arena_dup_n(struct arena *arena, const void *bytes, size_t n); /* adds a NUL */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CLEANUP(function) __attribute__((cleanup(function)))
void mem_free_ptr(void *pointer_to_pointer); /* for CLEANUP */
#define AUTO_FREE CLEANUP(mem_free_ptr)
#define AUTO_ARENA CLEANUP(arena_done)
