/* Text templates, parsed and rendered. */
#include "nodes/template_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char root[] = "{\"a\":\"x<y\",\"b\":[1,{\"c\":null},\"\"],\"n\":1.25,\"t\":true}";
    struct template *template = NULL;
    struct json *value = NULL;
    struct error error = {0};
    if (template_parse((const char *)data, size, &template, &error) != ERR_OK)
        return 0;
    if (json_parse(root, strlen(root), &value, &error) == ERR_OK) {
        struct template_options options = {.escapes_html = size % 2 == 0, .is_strict = size % 3 == 0};
        struct buf out;
        buf_init(&out, 1 << 16);
        if (template_render(template, value, &options, &out, &error) != ERR_OK && error.message[0] == '\0')
            __builtin_trap(); /* a refusal says why */
        buf_done(&out);
    }
    json_unref(value);
    template_free(template);
    return 0;
}
