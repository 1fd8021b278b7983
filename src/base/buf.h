/* A growable byte buffer; always NUL-terminated when non-empty of capacity. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data; /* NULL when nothing was added */
    size_t len, cap;
    size_t max;    /* 0 = no limit */
    bool overflow; /* an addition was refused because of max; content is then incomplete */
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);
bool buf_reserve(struct buf *buf, size_t n); /* room for n bytes and the NUL; false: beyond max, which is noted */
static inline void buf_add(struct buf *buf, const void *bytes, size_t n)
{
    bool fits = n < buf->cap - buf->len && buf->max == 0;
    if (n == 0 || (!fits && !buf_reserve(buf, n)))
        return;
    memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    buf->data[buf->len] = '\0';
}
static inline void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}
static inline void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}
void buf_add_int(struct buf *buf, int64_t value);               /* in decimal */
void buf_add_html(struct buf *buf, const char *text, size_t n); /* as text or as the value of an attribute */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *buf);
const char *buf_str(const struct buf *buf); /* "" when empty */
char *buf_take(struct buf *buf);            /* heap string, yours; the buffer is empty after */
#define AUTO_BUF CLEANUP(buf_done)
