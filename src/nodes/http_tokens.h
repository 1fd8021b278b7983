/* Access tokens of OAuth 2, kept until they run out. On one thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct http_tokens;
struct http_tokens *http_tokens_new(void);
void http_tokens_free(struct http_tokens *tokens); /* NULL ok */
/* `key` names address, client and scope. Borrowed until the next call; NULL: none that still holds. */
const char *http_tokens_find(struct http_tokens *tokens, const char *key, int64_t now_ms);
void http_tokens_put(struct http_tokens *tokens, const char *key, const char *token, int64_t until_ms);
void http_tokens_forget(struct http_tokens *tokens, const char *key);
