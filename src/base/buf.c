/* The growable byte buffer. */
#include "base/buf.h"

#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

bool buf_reserve(struct buf *buf, size_t n)
{
    if (buf->overflow || (buf->max != 0 && n > buf->max - buf->len)) {
        buf->overflow = true;
        return false;
    }
    if (buf->len + n + 1 > buf->cap) {
        size_t cap = buf->cap == 0 ? 128 : buf->cap * 2;
        while (cap < buf->len + n + 1)
            cap *= 2;
        buf->data = mem_resize(buf->data, cap);
        buf->cap = cap;
    }
    return true;
}

void buf_add_int(struct buf *buf, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    buf_add(buf, digits + at, sizeof digits - at);
}

void buf_add_html(struct buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '&':
            buf_add_str(buf, "&amp;");
            break;
        case '<':
            buf_add_str(buf, "&lt;");
            break;
        case '>':
            buf_add_str(buf, "&gt;");
            break;
        case '"':
            buf_add_str(buf, "&quot;");
            break;
        case '\'':
            buf_add_str(buf, "&#39;");
            break;
        default:
            buf_add_char(buf, text[i]);
        }
    }
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    size_t room = buf->max == 0 ? buf->cap - buf->len : 0;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(room == 0 ? NULL : buf->data + buf->len, room, format, args);
    va_end(args);
    bool fits = n > 0 && ((size_t)n < room || buf_reserve(buf, (size_t)n));
    if (fits && (size_t)n >= room)
        (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
    if (fits)
        buf->len += (size_t)n;
    va_end(again);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data == NULL ? mem_dup("") : buf->data;
    *buf = (struct buf){.max = buf->max};
    return data;
}
