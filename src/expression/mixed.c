/* Splits text into what stands there and what is to be evaluated. */
#include "expression/mixed.h"

#include "base/buf.h"
#include "base/limits.h"
#include "expression/scan.h"
#include <string.h>

static const char *find_braces(const char *text, size_t len)
{
    return len < 2 ? NULL : memmem(text, len, "{{", 2);
}

bool mixed_is_any(const char *text, size_t len)
{
    return find_braces(text, len) != NULL;
}

static struct mixed_part *add(struct mixed *mixed, struct arena *arena)
{
    /* Doubled at powers of two; the arena forgets the smaller ones at its end. */
    if ((mixed->count & (mixed->count - 1)) == 0) {
        size_t room = mixed->count == 0 ? 1 : mixed->count * 2;
        struct mixed_part *parts = arena_alloc(arena, room * sizeof *parts);
        if (mixed->count > 0)
            memcpy(parts, mixed->parts, mixed->count * sizeof *parts);
        mixed->parts = parts;
    }
    return &mixed->parts[mixed->count++];
}

static void add_text(struct mixed *mixed, struct arena *arena, const struct buf *text)
{
    if (text->len > 0)
        *add(mixed, arena) = (struct mixed_part){.text = arena_dup_n(arena, text->data, text->len), .len = text->len};
}

/* `text` follows the opening braces. *ret_used: bytes up to behind the closing ones. */
static enum err add_expression(struct mixed *mixed, struct arena *arena, const char *text, size_t len, size_t *ret_used,
                               struct error *reterr)
{
    size_t end = scan_expression(text, len);
    if (end == len)
        return error_set(reterr, ERR_VALIDATION, NULL,
                         "The expression {{%.*s has no closing }}; for two plain braces write \\{{.",
                         (int)(len < 60 ? len : 60), text);
    *ret_used = end + 2;
    while (end > 0 && scan_is_blank(*text))
        text++, end--;
    while (end > 0 && scan_is_blank(text[end - 1]))
        end--;
    if (end == 0)
        return error_set(reterr, ERR_VALIDATION, NULL,
                         "An expression is empty: write JavaScript between {{ and }}, or \\{{ for plain braces.");
    if (end > LIMIT_EXPRESSION_BYTES)
        return error_set(reterr, ERR_VALIDATION, NULL, "An expression has %zu bytes; at most %d are allowed.", end,
                         LIMIT_EXPRESSION_BYTES);
    if (memchr(text, '\0', end) != NULL)
        return error_set(reterr, ERR_VALIDATION, NULL, "An expression must not hold a NUL character.");
    *add(mixed, arena) = (struct mixed_part){.is_expression = true, .text = arena_dup_n(arena, text, end), .len = end};
    mixed->expressions++;
    return ERR_OK;
}

enum err mixed_parse(const char *text, size_t len, struct arena *arena, struct mixed *ret, struct error *reterr)
{
    struct mixed mixed = {0};
    AUTO_BUF struct buf plain;
    buf_init(&plain, 0);
    size_t at = 0;
    for (;;) {
        const char *braces = find_braces(text + at, len - at);
        size_t before = braces == NULL ? len - at : (size_t)(braces - text) - at;
        bool escaped = braces != NULL && before > 0 && braces[-1] == '\\';
        bool backslash = escaped && before > 1 && braces[-2] == '\\';
        buf_add(&plain, text + at, before - (escaped ? 1 : 0));
        if (braces == NULL)
            break;
        at += before + 2;
        if (escaped && !backslash) {
            buf_add(&plain, "{{", 2);
            continue;
        }
        add_text(&mixed, arena, &plain);
        buf_clear(&plain);
        size_t used = 0;
        enum err code = add_expression(&mixed, arena, text + at, len - at, &used, reterr);
        if (code != ERR_OK)
            return code;
        at += used;
    }
    add_text(&mixed, arena, &plain);
    mixed.is_whole = mixed.count == 1 && mixed.expressions == 1;
    *ret = mixed;
    return ERR_OK;
}
