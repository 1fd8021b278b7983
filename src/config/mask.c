/* Hides secrets and the passwords inside URLs. */
#include "config/config_int.h"

#include <string.h>
#include <strings.h>

static const char *find_last(const char *start, const char *end, char c)
{
    return start == end ? NULL : memrchr(start, c, (size_t)(end - start));
}

/* From `start` (behind ://) to `end`: user:••••@host/path?password=••••&… The last @ counts, for a password that should
 * have been percent-encoded must not show its tail. */
static void add_masked(const char *start, const char *end, struct buf *out)
{
    static const char key[] = "password=";
    const char *at = find_last(start, end, '@');
    if (at != NULL) {
        const char *colon = memchr(start, ':', (size_t)(at - start));
        if (colon != NULL)
            buf_add(out, start, (size_t)(colon + 1 - start));
        buf_add_str(out, CONFIG_MASK);
        start = at;
    }
    while (start < end) {
        if ((size_t)(end - start) > strlen(key) && strncasecmp(start, key, strlen(key)) == 0) {
            buf_add(out, start, strlen(key));
            buf_add_str(out, CONFIG_MASK);
            while (start < end && *start != '&')
                start++;
        } else {
            buf_add_char(out, *start++);
        }
    }
}

static void mask_urls(const char *text, struct buf *out)
{
    const char *at = text;
    for (;;) {
        const char *separator = strstr(at, "://");
        const char *start = separator == NULL ? at : separator + 3;
        const char *next = strstr(start, "://");
        /* The next URL of a list begins behind the last comma before its :// */
        const char *comma = next == NULL ? NULL : find_last(start, next, ',');
        const char *end = comma == NULL ? start + strlen(start) : comma;
        buf_add(out, at, (size_t)(start - at));
        add_masked(start, end, out);
        if (comma == NULL)
            return;
        at = comma;
    }
}

void config_value_mask(const struct config_variable *variable, const char *text, struct buf *out)
{
    if (variable->secret)
        buf_add_str(out, CONFIG_MASK);
    else if (variable->password)
        mask_urls(text, out);
    else
        buf_add_str(out, text);
}
