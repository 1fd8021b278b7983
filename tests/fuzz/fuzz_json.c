/* JSON from outside: what is accepted prints to text that is accepted again and means the same. */
#include "json/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *value = NULL, *again = NULL;
    struct error error;
    if (json_parse((const char *)data, size, &value, &error) != ERR_OK)
        return 0;
    struct buf text;
    buf_init(&text, 0);
    json_print(value, &text);
    if (json_parse(text.data, text.len, &again, &error) != ERR_OK || !json_equal(value, again))
        abort();
    buf_done(&text);
    json_unref(value);
    json_unref(again);
    return 0;
}
