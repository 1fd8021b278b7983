/* Error names, statuses and messages. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *id;
    int http;
    bool retry;
    const char *text;
} errors[] = {
#define X(symbol, id, http, retry, text) {id, http, retry, text},
    ERROR_LIST(X)
#undef X
};

const char *error_id(enum err code)
{
    return errors[code < ERR_COUNT ? code : ERR_INTERNAL].id;
}

int error_http_status(enum err code)
{
    return errors[code < ERR_COUNT ? code : ERR_INTERNAL].http;
}

bool error_is_retryable(enum err code)
{
    return errors[code < ERR_COUNT ? code : ERR_INTERNAL].retry;
}

const char *error_text(enum err code)
{
    return errors[code < ERR_COUNT ? code : ERR_INTERNAL].text;
}

enum err error_parse_id(const char *id)
{
    for (unsigned i = 0; id != NULL && i < ERR_COUNT; i++)
        if (strcmp(errors[i].id, id) == 0)
            return (enum err)i;
    return ERR_INTERNAL;
}

/* A cut in the middle of a UTF-8 sequence would make the answer invalid JSON. */
static void trim_partial_utf8(char *text)
{
    size_t n = strlen(text), back = 0;
    while (back < 4 && back < n && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back >= n)
        return;
    unsigned char lead = (unsigned char)text[n - 1 - back];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (need > back + 1)
        text[n - 1 - back] = '\0';
}

enum err error_set(struct error *reterr, enum err code, const char *field, const char *format, ...)
{
    if (reterr == NULL)
        return code;
    reterr->code = code;
    (void)snprintf(reterr->field, sizeof reterr->field, "%s", field == NULL ? "" : field);
    trim_partial_utf8(reterr->field);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reterr->message, sizeof reterr->message, format, args);
    va_end(args);
    trim_partial_utf8(reterr->message);
    return code;
}

void error_prefix_field(struct error *error, const char *prefix)
{
    char joined[sizeof error->field];
    const char *separator = error->field[0] == '\0' || error->field[0] == '[' ? "" : ".";
    (void)snprintf(joined, sizeof joined, "%s%s%.100s", prefix, separator, error->field);
    trim_partial_utf8(joined);
    memcpy(error->field, joined, sizeof joined);
}
