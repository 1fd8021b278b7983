/* UTF-8 decoding. */
#include "base/utf8.h"

size_t utf8_decode(const char *bytes, size_t n, uint32_t *ret_code_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)bytes[0];
    if (lead < 0x80) {
        *ret_code_point = lead;
        return 1;
    }
    size_t need = lead >= 0xF8 ? 0 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
    if (need == 0 || need > n)
        return 0;
    uint32_t code_point = lead & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if (((unsigned char)bytes[i] & 0xC0) != 0x80)
            return 0;
        code_point = code_point << 6 | ((unsigned char)bytes[i] & 0x3Fu);
    }
    if (code_point < smallest[need] || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
        return 0;
    *ret_code_point = code_point;
    return need;
}
