/* Decodes one variable's text and says what would have been right. */
#include "config/config_int.h"

#include "base/utf8.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 120
#define LIST_MAX 64

static void describe_words(const char *const *words, const char *suffix, struct buf *out)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        const char *before = out->len == 0 || out->data[out->len - 1] == ' ' ? ""
                             : words[i + 1] == NULL                          ? " or "
                                                                             : ", ";
        buf_printf(out, "%s%s%s", before, words[i], suffix);
    }
}

static size_t most_of(const struct config_variable *variable)
{
    return variable->most == 0 ? LIST_MAX : variable->most;
}

void config_describe_allowed(const struct config_variable *variable, enum service service, struct buf *out)
{
    switch (variable->kind) {
    case CONFIG_INT:
        buf_printf(out, "an integer from %" PRId64 " to %" PRId64, variable->min, variable->max);
        break;
    case CONFIG_BYTES:
        buf_printf(out, "a number of bytes from %" PRId64 " to %" PRId64 ", such as 65536, 64KiB, 8MiB or 1GiB",
                   variable->min, variable->max);
        break;
    case CONFIG_BOOL:
        buf_add_str(out, "true or false");
        break;
    case CONFIG_ENUM:
        describe_words(variable->values, "", out);
        break;
    case CONFIG_URL:
        buf_add_str(out, variable->many ? "a URL, or several separated by commas, that begins with "
                                        : "a URL that begins with ");
        if (service == SERVICE_STANDALONE)
            describe_words(variable->local_schemes, ":", out);
        describe_words(variable->schemes, ":", out);
        break;
    case CONFIG_LIST:
        if (variable->max > 0)
            buf_printf(out,
                       "%" PRId64 " to %" PRId64 " printable characters, or up to %zu such words separated by commas",
                       variable->min, variable->max, most_of(variable));
        else
            buf_add_str(out, variable->origins ? "origins such as https://host:port, separated by commas, or *"
                                               : "words separated by commas");
        break;
    case CONFIG_STRING:
        buf_printf(out, "%" PRId64 " to %" PRId64 " %s", variable->min, variable->max,
                   variable->identifier ? "letters, digits, '.', '_' or '-'" : "printable characters");
        break;
    }
}

/* One line of bounded length, whatever the value holds. */
static void add_shown(const char *text, struct buf *out)
{
    size_t n = strlen(text), shown = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code_point = 0;
        size_t used = utf8_decode(text + i, n - i, &code_point);
        if (shown >= SHOWN_BYTES) {
            buf_add_str(out, "…");
            return;
        }
        bool plain = used > 0 && code_point >= 0x20 && (code_point < 0x7F || code_point >= 0xA0) &&
                     code_point != 0x2028 && code_point != 0x2029;
        if (plain)
            buf_add(out, text + i, used);
        else
            buf_printf(out, "\\x%02x", (unsigned char)text[i]);
        shown += plain ? used : 4;
        i += plain ? used : 1;
    }
}

enum err config_refuse(const struct config_variable *variable, enum service service, const char *text,
                       const char *allowed, struct error *reterr)
{
    AUTO_BUF struct buf masked, shown, right;
    buf_init(&masked, 0);
    buf_init(&shown, 0);
    buf_init(&right, 0);
    if (allowed == NULL)
        config_describe_allowed(variable, service, &right);
    else
        buf_add_str(&right, allowed);
    if (text == NULL)
        return error_set(reterr, ERR_VALIDATION, variable->name, "%s is not set; the %s needs it: it must be %s",
                         variable->name, config_service_name(service), buf_str(&right));
    config_value_mask(variable, text, &masked);
    add_shown(buf_str(&masked), &shown);
    return error_set(reterr, ERR_VALIDATION, variable->name, "%s is \"%s\"; it must be %s", variable->name,
                     buf_str(&shown), buf_str(&right));
}

static bool parse_int(const char *text, int64_t *ret, const char **ret_rest)
{
    if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
        return false; /* strtoll would take spaces and signs */
    char *end = NULL;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    *ret_rest = end;
    return errno == 0;
}

static bool decode_number(const struct config_variable *variable, const char *text, int64_t *ret)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    int64_t number = 0;
    const char *rest = NULL;
    if (!parse_int(text, &number, &rest))
        return false;
    size_t count = variable->kind == CONFIG_BYTES ? sizeof units / sizeof *units : 1, i = 0;
    while (i < count && strcmp(rest, units[i].suffix) != 0)
        i++;
    if (i == count || number > INT64_MAX >> units[i].shift || (number < 0 && units[i].shift > 0))
        return false;
    number *= (int64_t)1 << units[i].shift;
    *ret = number;
    return number >= variable->min && number <= variable->max;
}

static bool decode_bool(const char *text, int64_t *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *ret = (int64_t)(i % 2);
            return true;
        }
    return false;
}

static bool decode_enum(const struct config_variable *variable, const char *text, int64_t *ret)
{
    for (int64_t i = 0; variable->values[i] != NULL; i++)
        if (strcmp(text, variable->values[i]) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static bool is_printable(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0, used = 0; i < n; i += used) {
        uint32_t code_point = 0;
        used = utf8_decode(text + i, n - i, &code_point);
        if (used == 0 || code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0))
            return false;
    }
    return true;
}

static bool is_string(const struct config_variable *variable, const char *text)
{
    int64_t n = (int64_t)strlen(text);
    if (n < variable->min || n > variable->max || !is_printable(text))
        return false;
    for (; variable->identifier && *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
            return false;
    return true;
}

static bool has_scheme(const char *const *schemes, const char *text)
{
    size_t n = strcspn(text, ":");
    for (; schemes != NULL && *schemes != NULL; schemes++)
        if (text[n] == ':' && strlen(*schemes) == n && strncmp(*schemes, text, n) == 0)
            return true;
    return false;
}

/* host[:port], [v6][:port]; `end` is behind it. */
static bool is_host_and_port(const char *at, const char *end)
{
    const char *close = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
    const char *colon = close != NULL ? close + 1 : memchr(at, ':', (size_t)(end - at));
    if (colon == at || (*at == '[' && close == NULL))
        return false;
    if (colon == NULL || colon >= end)
        return true;
    int64_t port = 0;
    const char *rest = NULL;
    return *colon == ':' && parse_int(colon + 1, &port, &rest) && rest == end && port >= 1 && port <= 65535;
}

/* scheme://[user[:password]@]host[:port][,host[:port]…][/…]. libpq takes no host (a socket) or several. */
static bool is_authority(const char *text, bool postgres)
{
    const char *at = strstr(text, "://");
    if (at == NULL)
        return false;
    at += 3;
    const char *end = at + strcspn(at, "/?#");
    for (const char *c = at; c < end; c++)
        if (*c == '@')
            at = c + 1;
    if (at == end)
        return postgres;
    while (at < end) {
        const char *comma = postgres ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma == NULL ? end : comma;
        if (at == stop || !is_host_and_port(at, stop) || stop + 1 == end)
            return false;
        at = stop + (comma != NULL);
    }
    return true;
}

static bool is_url(const struct config_variable *variable, enum service service, const char *text)
{
    bool known = has_scheme(variable->schemes, text) ||
                 (service == SERVICE_STANDALONE && has_scheme(variable->local_schemes, text));
    if (!known || !is_printable(text))
        return false;
    if (strncmp(text, "memory:", 7) == 0)
        return text[7] == '\0';
    if (strncmp(text, "sqlite:", 7) == 0)
        return text[7] != '\0';
    return strchr(text, ' ') == NULL && is_authority(text, strncmp(text, "postgres", 8) == 0);
}

static bool is_origin(const char *text)
{
    const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
                       : strncmp(text, "https://", 8) == 0 ? text + 8
                                                           : NULL;
    if (strcmp(text, "*") == 0)
        return true;
    return host != NULL && host[0] != '\0' && host[strcspn(host, "/?#@ ")] == '\0' && is_printable(host) &&
           is_host_and_port(host, host + strlen(host));
}

static const char *trimmed(struct arena *arena, const char *start, size_t n)
{
    while (n > 0 && *start == ' ') {
        start++;
        n--;
    }
    while (n > 0 && start[n - 1] == ' ')
        n--;
    return arena_dup_n(arena, start, n);
}

/* Splits at commas, spaces around them left out. */
static void split(struct arena *arena, const char *text, struct config_value *value)
{
    size_t max = 1;
    for (const char *c = text; *c != '\0'; c++)
        max += *c == ',';
    value->items = arena_alloc(arena, max * sizeof *value->items);
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        value->items[value->count++] = trimmed(arena, at, n);
        at += n;
        if (*at == '\0')
            return;
    }
}

static bool is_word(const struct config_variable *variable, const char *text)
{
    if (variable->origins)
        return is_origin(text);
    return variable->max > 0 ? is_string(variable, text) : text[0] != '\0';
}

static bool decode_items(const struct config_variable *variable, enum service service, struct arena *arena,
                         struct config_value *value)
{
    bool is_list = variable->kind == CONFIG_LIST;
    if (is_list || variable->many) {
        split(arena, value->text, value);
    } else {
        value->items = arena_alloc(arena, sizeof *value->items);
        value->items[value->count++] = value->text;
    }
    bool right = value->count <= most_of(variable);
    for (size_t i = 0; right && i < value->count; i++)
        right = is_list ? is_word(variable, value->items[i])
                        : is_url(variable, service, value->items[i]) &&
                              (value->count == 1 || strcmp(value->items[i], "memory:") != 0);
    return right;
}

enum err config_value_decode(const struct config_variable *variable, enum service service, const char *text,
                             struct arena *arena, struct config_value *ret, struct error *reterr)
{
    struct config_value value = {.text = arena_dup(arena, text), .from_environment = ret->from_environment};
    bool right = false;
    switch (variable->kind) {
    case CONFIG_INT:
    case CONFIG_BYTES:
        right = decode_number(variable, text, &value.number);
        break;
    case CONFIG_BOOL:
        right = decode_bool(text, &value.number);
        break;
    case CONFIG_ENUM:
        right = decode_enum(variable, text, &value.number);
        break;
    case CONFIG_STRING:
        right = is_string(variable, text);
        break;
    case CONFIG_URL:
    case CONFIG_LIST:
        right = decode_items(variable, service, arena, &value);
        break;
    }
    if (!right)
        return config_refuse(variable, service, text, NULL, reterr);
    *ret = value;
    return ERR_OK;
}
