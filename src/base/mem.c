/* Allocation and arenas. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *pointer)
{
    if (pointer == NULL) {
        fputs("caudal: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

void *mem_alloc(size_t bytes)
{
    return or_abort(calloc(1, bytes == 0 ? 1 : bytes));
}

void *mem_array(size_t count, size_t bytes)
{
    return or_abort(calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes));
}

void *mem_resize(void *old, size_t bytes)
{
    return or_abort(realloc(old, bytes == 0 ? 1 : bytes));
}

char *mem_dup_n(const char *text, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n > 0)
        memcpy(copy, text, n);
    return copy;
}

char *mem_dup(const char *text)
{
    return text == NULL ? NULL : mem_dup_n(text, strlen(text));
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return or_abort(text);
}

void mem_free_ptr(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

/* Blocks double: ten thousand waiting executions hold an arena each, and most stay small. */
#define FIRST_BLOCK 1000
#define LARGEST_BLOCK 8000

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void arena_init(struct arena *arena)
{
    arena->blocks = NULL;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < bytes) {
        size_t size = block == NULL ? FIRST_BLOCK : block->size >= LARGEST_BLOCK / 2 ? LARGEST_BLOCK : 2 * block->size;
        size = size < bytes ? bytes : size;
        block = mem_alloc(sizeof *block + size);
        block->size = size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *result = block->bytes + block->used;
    block->used += bytes;
    return result;
}

char *arena_dup_n(struct arena *arena, const void *bytes, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

char *arena_dup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_dup_n(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0)
        (void)vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
