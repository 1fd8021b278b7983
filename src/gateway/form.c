/* Reads forms. */
#include "gateway/form.h"

#include "base/utf8.h"
#include <string.h>
#include <strings.h>

bool form_is_sent(const struct http_request *request)
{
    static const char type[] = "application/x-www-form-urlencoded";
    const char *sent = http_request_header(request, "Content-Type");
    return request->size > 0 && sent != NULL && strncasecmp(sent, type, sizeof type - 1) == 0;
}

void form_add_value(struct json *object, const char *name, struct json *take_value)
{
    struct json *former = json_get(object, name);
    if (former == NULL) {
        json_set(object, name, take_value);
        return;
    }
    if (!json_is(former, JSON_ARRAY)) {
        struct json *list = json_array_new();
        json_push(list, json_ref(former));
        json_set(object, name, list);
        former = list;
    }
    json_push(former, take_value);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static char *decode(struct arena *arena, const char *text, size_t n)
{
    char *out = arena_alloc(arena, n + 1);
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        bool escape = text[i] == '%' && i + 2 < n && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        out[length++] = escape ? (char)(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i] == '+' ? ' ' : text[i];
        i += escape ? 2 : 0;
    }
    out[length] = '\0';
    for (size_t i = 0, step; i < length; i += step) { /* JSON holds text only */
        uint32_t ignored;
        step = utf8_decode(out + i, length - i, &ignored);
        if (step == 0)
            out[i] = '?', step = 1;
    }
    return out;
}

struct json *form_body(struct http_request *request)
{
    struct json *object = json_object_new();
    for (const char *at = request->body; *at != '\0';) {
        size_t n = strcspn(at, "&"), name = 0;
        while (name < n && at[name] != '=')
            name++;
        if (n > 0)
            form_add_value(object, decode(&request->arena, at, name),
                           json_string_new(name < n ? decode(&request->arena, at + name + 1, n - name - 1) : ""));
        at += n + (at[n] == '&');
    }
    return object;
}
