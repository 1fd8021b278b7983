/* The cache of access tokens: a few slots, the one that runs out first goes first. */
#include "nodes/http_tokens.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define SLOTS 256

struct slot {
    char *key, *token;
    int64_t until_ms;
};

struct http_tokens {
    struct slot slots[SLOTS];
};

struct http_tokens *http_tokens_new(void)
{
    return mem_alloc(sizeof(struct http_tokens));
}

static void clear(struct slot *slot)
{
    free(slot->key);
    if (slot->token != NULL)
        explicit_bzero(slot->token, strlen(slot->token));
    free(slot->token);
    *slot = (struct slot){0};
}

void http_tokens_free(struct http_tokens *tokens)
{
    for (size_t i = 0; tokens != NULL && i < SLOTS; i++)
        clear(&tokens->slots[i]);
    free(tokens);
}

static struct slot *find(struct http_tokens *tokens, const char *key)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (tokens->slots[i].key != NULL && strcmp(tokens->slots[i].key, key) == 0)
            return &tokens->slots[i];
    return NULL;
}

const char *http_tokens_find(struct http_tokens *tokens, const char *key, int64_t now_ms)
{
    struct slot *slot = find(tokens, key);
    if (slot != NULL && slot->until_ms > now_ms)
        return slot->token;
    if (slot != NULL)
        clear(slot);
    return NULL;
}

/* A free slot, else the one that runs out first. */
static struct slot *make_room(struct http_tokens *tokens)
{
    struct slot *slot = &tokens->slots[0];
    for (size_t i = 0; i < SLOTS && slot->key != NULL; i++)
        if (tokens->slots[i].key == NULL || tokens->slots[i].until_ms < slot->until_ms)
            slot = &tokens->slots[i];
    return slot;
}

void http_tokens_put(struct http_tokens *tokens, const char *key, const char *token, int64_t until_ms)
{
    struct slot *slot = find(tokens, key);
    if (slot == NULL)
        slot = make_room(tokens);
    clear(slot);
    *slot = (struct slot){.key = mem_dup(key), .token = mem_dup(token), .until_ms = until_ms};
}

void http_tokens_forget(struct http_tokens *tokens, const char *key)
{
    struct slot *slot = find(tokens, key);
    if (slot != NULL)
        clear(slot);
}
