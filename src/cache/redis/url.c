/* REDIS_URL. */
#include "cache/redis/redis_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define PORT 6379
#define TIMEOUT_MS 250 /* a cache that needs longer is no help */
#define TIMEOUT_MS_MAX 60000

static enum err refuse(struct error *reterr, const char *what)
{
    return error_set(
        reterr, ERR_VALIDATION, "REDIS_URL",
        "REDIS_URL must be redis://user:password@host:port/db?timeout=ms, several separated by commas; %s.", what);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place; false: a % without two digits. */
static bool decode(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        if (hex(text[1]) < 0 || hex(text[2]) < 0 || (text[1] == '0' && text[2] == '0'))
            return false;
        *out++ = (char)(hex(text[1]) * 16 + hex(text[2]));
        text += 2;
    }
    *out = '\0';
    return true;
}

static bool parse_number(const char *text, long most, int *ret)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number > most)
        return false;
    *ret = (int)number;
    return true;
}

static enum err parse_user(struct redis_settings *settings, char *text, struct error *reterr)
{
    char *password = strchr(text, ':');
    if (password != NULL)
        *password++ = '\0';
    if (!decode(text) || (password != NULL && !decode(password)))
        return refuse(reterr, "user and password are percent-encoded");
    free(settings->user);
    free(settings->password);
    settings->user = *text == '\0' ? NULL : mem_dup(text);
    settings->password = mem_dup(password);
    return ERR_OK;
}

static enum err parse_host(struct redis *redis, char *text, struct error *reterr)
{
    int port = PORT;
    char *host = text, *end = *text == '[' ? strchr(text, ']') : NULL, *colon = strrchr(end == NULL ? text : end, ':');
    if (colon != NULL) {
        *colon = '\0';
        if (!parse_number(colon + 1, 65535, &port) || port == 0)
            return refuse(reterr, "a port is a number from 1 to 65535");
    }
    if (end != NULL) {
        host++;
        *end = '\0';
    }
    if (*host == '\0')
        return refuse(reterr, "one of them has no host");
    return redis_node_find(redis, host, port) == NULL ? refuse(reterr, "these are too many addresses") : ERR_OK;
}

static enum err parse_parameters(struct redis_settings *settings, const char *text, struct error *reterr)
{
    if (strncmp(text, "timeout=", 8) != 0 || !parse_number(text + 8, TIMEOUT_MS_MAX, &settings->timeout_ms) ||
        settings->timeout_ms == 0)
        return refuse(reterr, "the parameter after ? is timeout, in milliseconds (1 to 60000)");
    return ERR_OK;
}

static enum err parse_one(struct redis *redis, char *text, struct error *reterr)
{
    if (strncmp(text, "redis://", 8) != 0)
        return refuse(reterr, strncmp(text, "rediss://", 9) == 0
                                  ? "this build's client library has no TLS, so rediss:// cannot be used: let stunnel "
                                    "or the platform's proxy encrypt"
                                  : "each begins with redis://");
    char *rest = text + 8, *at = strrchr(rest, '@'), *slash;
    char *query = strrchr(at == NULL ? rest : at, '?');
    enum err code = ERR_OK;
    if (query != NULL) {
        *query++ = '\0';
        code = parse_parameters(&redis->settings, query, reterr);
    }
    if (code == ERR_OK && at != NULL) {
        *at = '\0';
        code = parse_user(&redis->settings, rest, reterr);
        rest = at + 1;
    }
    slash = strchr(rest, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (slash[1] != '\0' && !parse_number(slash + 1, 1000000, &redis->settings.db))
            return refuse(reterr, "what follows the host is the number of a database");
    }
    return code == ERR_OK ? parse_host(redis, rest, reterr) : code;
}

enum err redis_url_parse(struct redis *redis, const char *url, struct error *reterr)
{
    AUTO_FREE char *copy = mem_dup(url);
    char *rest = copy;
    redis->settings.timeout_ms = TIMEOUT_MS;
    for (char *text; (text = strtok_r(rest, ",", &rest)) != NULL;) {
        enum err code = parse_one(redis, text, reterr);
        if (code != ERR_OK)
            return code;
    }
    redis->first_count = redis->node_count;
    if (redis->cluster && redis->settings.db != 0)
        return refuse(reterr, "a cluster has database 0 only");
    return ERR_OK;
}
