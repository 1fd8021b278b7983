/* Frames to bytes and back. */
#include "script/frame.h"

#include <string.h>

static void add_number(struct buf *out, uint32_t number)
{
    buf_add(out, &number, sizeof number);
}

static uint32_t read_number(const char *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

void frame_encode(const struct frame *frame, struct buf *out)
{
    size_t bytes = FRAME_HEAD_BYTES - sizeof(uint32_t);
    for (unsigned i = 0; i < frame->count; i++)
        bytes += sizeof(uint32_t) + frame->texts[i].len + 1;
    add_number(out, (uint32_t)bytes);
    add_number(out, frame->call);
    buf_add_char(out, (char)frame->kind);
    buf_add_char(out, (char)frame->count);
    for (unsigned i = 0; i < frame->count; i++) {
        add_number(out, (uint32_t)frame->texts[i].len);
        buf_add(out, frame->texts[i].bytes, frame->texts[i].len);
        buf_add_char(out, '\0');
    }
}

enum frame_outcome frame_decode(const char *bytes, size_t len, struct frame *ret, size_t *ret_used)
{
    if (len < FRAME_HEAD_BYTES)
        return FRAME_PARTIAL;
    size_t whole = read_number(bytes) + sizeof(uint32_t);
    unsigned kind = (unsigned char)bytes[8], count = (unsigned char)bytes[9];
    if (whole < FRAME_HEAD_BYTES || whole > FRAME_BYTES_MAX || kind >= FRAME_KIND_COUNT || count > FRAME_TEXTS_MAX)
        return FRAME_BROKEN;
    if (len < whole)
        return FRAME_PARTIAL;
    *ret = (struct frame){.call = read_number(bytes + 4), .kind = (enum frame_kind)kind, .count = count};
    size_t at = FRAME_HEAD_BYTES;
    for (unsigned i = 0; i < count; i++) {
        if (whole - at < sizeof(uint32_t) + 1)
            return FRAME_BROKEN;
        size_t text = read_number(bytes + at);
        at += sizeof(uint32_t);
        if (text > whole - at - 1 || bytes[at + text] != '\0')
            return FRAME_BROKEN;
        ret->texts[i] = (struct frame_text){.bytes = bytes + at, .len = text};
        at += text + 1;
    }
    *ret_used = whole;
    return at == whole ? FRAME_WHOLE : FRAME_BROKEN;
}
