/* AWS Signature Version 4. */
#include "nodes/sigv4.h"

#include "base/digest.h"
#include "base/mem.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARAMETERS_MAX 200

struct signing {
    struct arena arena;
    const struct sigv4_keys *keys;
    const struct sigv4_request *request;
    char date[SIGV4_DATE_BYTES];
    char *host, *path, *scope;
    char *parameters[PARAMETERS_MAX + 8]; /* encoded name=value */
    size_t parameter_count;
};

void sigv4_encode(struct buf *out, const char *text, size_t n, bool keep_slash)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (isalnum(c) || (c != '\0' && strchr("-_.~", c) != NULL) || (c == '/' && keep_slash))
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Encoded again, so that what the caller encoded less strictly is signed as servers read it. */
static char *normalised(struct arena *arena, const char *text, size_t n, bool keep_slash)
{
    AUTO_BUF struct buf plain, encoded;
    buf_init(&plain, 0);
    buf_init(&encoded, 0);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '%' && i + 2 < n && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            buf_add_char(&plain, (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
            i += 2;
        } else {
            buf_add_char(&plain, text[i]);
        }
    }
    sigv4_encode(&encoded, buf_str(&plain), plain.len, keep_slash);
    return arena_dup(arena, buf_str(&encoded));
}

static bool is_scope_part(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
            return false;
    return n > 0 && n <= 64;
}

static enum err split_url(struct signing *s, struct error *reterr)
{
    const char *host = strstr(s->request->url, "://"), *end;
    host = host == NULL ? "" : host + 3;
    size_t n = strcspn(host, "/?#");
    if (n == 0 || memchr(host, '@', n) != NULL)
        return error_set(reterr, ERR_VALIDATION, "url", "url must have a host, and no user, to be signed.");
    bool http = strncasecmp(s->request->url, "http://", 7) == 0,
         https = strncasecmp(s->request->url, "https://", 8) == 0;
    size_t shown = n; /* a client leaves the scheme's own port out of Host */
    if (http && n > 3 && memcmp(host + n - 3, ":80", 3) == 0)
        shown -= 3;
    if (https && n > 4 && memcmp(host + n - 4, ":443", 4) == 0)
        shown -= 4;
    s->host = arena_dup_n(&s->arena, host, shown);
    for (char *c = s->host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    const char *path = host + n;
    end = path + strcspn(path, "?#");
    s->path = end == path ? arena_dup(&s->arena, "/") : normalised(&s->arena, path, (size_t)(end - path), true);
    if (strcmp(s->keys->service, "s3") != 0) { /* all services but S3 encode the path once more */
        AUTO_BUF struct buf twice;
        buf_init(&twice, 0);
        sigv4_encode(&twice, s->path, strlen(s->path), true);
        s->path = arena_dup(&s->arena, buf_str(&twice));
    }
    for (const char *at = *end == '?' ? end + 1 : end; *at != '\0' && *at != '#';) {
        size_t pair = strcspn(at, "&#"), name = strcspn(at, "=&#");
        if (s->parameter_count == PARAMETERS_MAX)
            return error_set(reterr, ERR_LIMIT, "url", "url has more than %d parameters.", PARAMETERS_MAX);
        if (pair > 0)
            s->parameters[s->parameter_count++] =
                arena_printf(&s->arena, "%s=%s", normalised(&s->arena, at, name, false),
                             name < pair ? normalised(&s->arena, at + name + 1, pair - name - 1, false) : "");
        at += pair + (at[pair] == '&');
    }
    return ERR_OK;
}

static enum err start(struct signing *s, struct error *reterr)
{
    time_t seconds = (time_t)(s->request->now_ms / 1000);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(s->date, sizeof s->date, "%Y%m%dT%H%M%SZ", &utc);
    if (!is_scope_part(s->keys->region) || !is_scope_part(s->keys->service))
        return error_set(reterr, ERR_VALIDATION, "region",
                         "region and service must be names such as eu-west-1 and s3.");
    s->scope = arena_printf(&s->arena, "%.8s/%s/%s/aws4_request", s->date, s->keys->region, s->keys->service);
    return split_url(s, reterr);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by name, then value: '=' sorts after '-' and '.', so names are compared up to it. */
static int by_parameter(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t n = strcspn(x, "="), m = strcspn(y, "=");
    int order = memcmp(x, y, n < m ? n : m);
    return order != 0 ? order : n != m ? (n < m ? -1 : 1) : by_bytes(a, b);
}

static void add_query(struct signing *s, struct buf *out)
{
    qsort(s->parameters, s->parameter_count, sizeof *s->parameters, by_parameter);
    for (size_t i = 0; i < s->parameter_count; i++) {
        buf_add_str(out, i > 0 ? "&" : "");
        buf_add_str(out, s->parameters[i]);
    }
}

/* The signature over the canonical request. `headers`: lines name:value\n in order; `names`: name;name. */
static void sign(struct signing *s, const char *headers, const char *names, const char *body_hash,
                 char ret[DIGEST_HEX_BYTES])
{
    AUTO_BUF struct buf canonical;
    unsigned char digest[DIGEST_BYTES], key[DIGEST_BYTES];
    char hash[DIGEST_HEX_BYTES];
    buf_init(&canonical, 0);
    buf_printf(&canonical, "%s\n%s\n", s->request->method, s->path);
    add_query(s, &canonical);
    buf_printf(&canonical, "\n%s\n%s\n%s", headers, names, body_hash);
    digest_sha256(buf_str(&canonical), canonical.len, digest);
    digest_hex(digest, hash);
    const char *text = arena_printf(&s->arena, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->date, s->scope, hash);
    const char *secret = arena_printf(&s->arena, "AWS4%s", s->keys->secret_key);
    digest_hmac(secret, strlen(secret), s->date, 8, key);
    digest_hmac(key, sizeof key, s->keys->region, strlen(s->keys->region), key);
    digest_hmac(key, sizeof key, s->keys->service, strlen(s->keys->service), key);
    digest_hmac(key, sizeof key, "aws4_request", 12, key);
    digest_hmac(key, sizeof key, text, strlen(text), digest);
    digest_hex(digest, ret);
}

enum err sigv4_sign(const struct sigv4_keys *keys, const struct sigv4_request *request, struct sigv4_headers *ret,
                    struct error *reterr)
{
    struct signing s = {.keys = keys, .request = request};
    unsigned char digest[DIGEST_BYTES];
    char signature[DIGEST_HEX_BYTES];
    arena_init(&s.arena);
    enum err code = start(&s, reterr);
    if (code == ERR_OK) {
        AUTO_BUF struct buf headers;
        bool typed = request->content_type != NULL, token = keys->session_token != NULL;
        digest_sha256(request->body == NULL ? "" : request->body, request->body_len, digest);
        digest_hex(digest, ret->content_hash);
        buf_init(&headers, 0);
        if (typed)
            buf_printf(&headers, "content-type:%s\n", request->content_type);
        buf_printf(&headers, "host:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n", s.host, ret->content_hash, s.date);
        if (token)
            buf_printf(&headers, "x-amz-security-token:%s\n", keys->session_token);
        const char *names = arena_printf(&s.arena, "%shost;x-amz-content-sha256;x-amz-date%s",
                                         typed ? "content-type;" : "", token ? ";x-amz-security-token" : "");
        sign(&s, buf_str(&headers), names, ret->content_hash, signature);
        memcpy(ret->date, s.date, sizeof ret->date);
        (void)snprintf(ret->authorization, sizeof ret->authorization,
                       "AWS4-HMAC-SHA256 Credential=%.200s/%s,SignedHeaders=%s,Signature=%s", keys->access_key, s.scope,
                       names, signature);
    }
    arena_done(&s.arena);
    return code;
}

static void add_parameter(struct signing *s, const char *name, const char *value)
{
    AUTO_BUF struct buf encoded;
    buf_init(&encoded, 0);
    sigv4_encode(&encoded, value, strlen(value), false);
    s->parameters[s->parameter_count++] = arena_printf(&s->arena, "%s=%s", name, buf_str(&encoded));
}

enum err sigv4_presign(const struct sigv4_keys *keys, const struct sigv4_request *request, int64_t seconds,
                       struct buf *ret, struct error *reterr)
{
    struct signing s = {.keys = keys, .request = request};
    char signature[DIGEST_HEX_BYTES];
    arena_init(&s.arena);
    enum err code = start(&s, reterr);
    if (code == ERR_OK) {
        add_parameter(&s, "X-Amz-Algorithm", "AWS4-HMAC-SHA256");
        add_parameter(&s, "X-Amz-Credential", arena_printf(&s.arena, "%s/%s", keys->access_key, s.scope));
        add_parameter(&s, "X-Amz-Date", s.date);
        add_parameter(&s, "X-Amz-Expires", arena_printf(&s.arena, "%lld", (long long)seconds));
        add_parameter(&s, "X-Amz-SignedHeaders", "host");
        if (keys->session_token != NULL)
            add_parameter(&s, "X-Amz-Security-Token", keys->session_token);
        sign(&s, arena_printf(&s.arena, "host:%s\n", s.host), "host", "UNSIGNED-PAYLOAD", signature);
        buf_add(ret, request->url, strcspn(request->url, "?#"));
        buf_add_char(ret, '?');
        add_query(&s, ret);
        buf_printf(ret, "&X-Amz-Signature=%s", signature);
    }
    arena_done(&s.arena);
    return code;
}
