#include "nodes/http_paging.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "nodes/http_client.h"
#include "nodes/value.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGES_DEFAULT 100
#define NEXT_MAX 8000 /* bytes of an address or a cursor */

enum mode { BY_ADDRESS, BY_CURSOR, BY_NUMBER };
static const char *const modes[] = {"nextUrl", "cursor", "page", NULL};
static const char *const endings[] = {"fail", "stop", NULL};

const struct field http_paging_fields[] = {
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .required = true,
     .help = "nextUrl: the answer has the next page's address; cursor: a token for it; page: pages are counted."},
    {.name = "items",
     .kind = FIELD_STRING,
     .max = 200,
     .default_json = "\"\"",
     .help = "Path of the list in the answer, such as data.items; empty: the answer is the list."},
    {.name = "next",
     .kind = FIELD_STRING,
     .max = 200,
     .help = "Path of the next address or the cursor in the answer; empty with nextUrl: the Link header's rel=next."},
    {.name = "parameter",
     .kind = FIELD_STRING,
     .max = 200,
     .help = "Query parameter for the cursor or the page number."},
    {.name = "start",
     .kind = FIELD_INT,
     .min = 0,
     .max = 1000000000,
     .default_json = "1",
     .help = "The first page's number."},
    {.name = "step",
     .kind = FIELD_INT,
     .min = 1,
     .max = 1000000,
     .default_json = "1",
     .help = "Added for each page; the page size, where the parameter is an offset."},
    {.name = "pageSize",
     .kind = FIELD_INT,
     .min = 1,
     .max = 1000000,
     .help = "With page: one with fewer items is the last. Without it an empty one is."},
    {.name = "maxPages",
     .kind = FIELD_INT,
     .min = 1,
     .max = 10000,
     .default_json = "100",
     .help = "At most so many pages."},
    {.name = "atMaxPages",
     .kind = FIELD_ENUM,
     .values = endings,
     .default_json = "\"fail\"",
     .help = "When there are more: fail, so that nothing is missed unseen, or stop with what was read."},
    {0}};

struct http_paging {
    enum mode mode;
    char *items_path, *next_path, *parameter, *site; /* the node's url: pages come from its origin only */
    int64_t number, step, page_size, max_pages;
    bool may_stop, is_cut;
    char *next; /* address, cursor or number of the page to ask for; NULL: the node's own address as it is */
    struct json *items;
    struct map seen;
    int count;
    size_t bytes;
};

static char *path_of(const struct json *config, const char *key)
{
    const char *text = json_get_str(config, key);
    return mem_dup(text == NULL ? "" : text);
}

enum err http_paging_new(const struct json *config, const char *url, struct http_paging **ret, struct error *reterr)
{
    *ret = NULL;
    if (config == NULL)
        return ERR_OK;
    const char *mode = json_get_str(config, "mode"), *parameter = json_get_str(config, "parameter"),
               *next = json_get_str(config, "next"), *ending = json_get_str(config, "atMaxPages");
    enum mode how = strcmp(mode, "nextUrl") == 0 ? BY_ADDRESS : strcmp(mode, "cursor") == 0 ? BY_CURSOR : BY_NUMBER;
    if (how != BY_ADDRESS && (parameter == NULL || *parameter == '\0'))
        return error_set(reterr, ERR_VALIDATION, "paging.parameter",
                         "paging.parameter is required for paging.mode %s: the query parameter's name.", mode);
    if (how == BY_CURSOR && (next == NULL || *next == '\0'))
        return error_set(reterr, ERR_VALIDATION, "paging.next",
                         "paging.next is required for paging.mode cursor: where the answer has the cursor.");
    struct http_paging *paging = mem_alloc(sizeof *paging);
    *paging = (struct http_paging){.mode = how,
                                   .items_path = path_of(config, "items"),
                                   .next_path = path_of(config, "next"),
                                   .parameter = path_of(config, "parameter"),
                                   .site = mem_dup(url),
                                   .number = json_get_int(config, "start", 1),
                                   .step = json_get_int(config, "step", 1),
                                   .page_size = json_get_int(config, "pageSize", 0),
                                   .max_pages = json_get_int(config, "maxPages", PAGES_DEFAULT),
                                   .may_stop = ending != NULL && strcmp(ending, "stop") == 0,
                                   .items = json_array_new()};
    map_init(&paging->seen);
    if (how == BY_NUMBER)
        paging->next = mem_printf("%lld", (long long)paging->number);
    *ret = paging;
    return ERR_OK;
}

void http_paging_free(struct http_paging *paging)
{
    if (paging == NULL)
        return;
    free(paging->items_path);
    free(paging->next_path);
    free(paging->parameter);
    free(paging->site);
    free(paging->next);
    json_unref(paging->items);
    map_done(&paging->seen);
    free(paging);
}

const char *http_paging_url(const struct http_paging *paging)
{
    return paging != NULL && paging->mode == BY_ADDRESS ? paging->next : NULL;
}

bool http_paging_parameter(const struct http_paging *paging, const char **ret_name, const char **ret_value)
{
    if (paging == NULL || paging->mode == BY_ADDRESS || paging->next == NULL)
        return false;
    *ret_name = paging->parameter;
    *ret_value = paging->next;
    return true;
}

int http_paging_count(const struct http_paging *paging)
{
    return paging == NULL ? 0 : paging->count;
}

bool http_paging_is_cut(const struct http_paging *paging)
{
    return paging->is_cut;
}

struct json *http_paging_take_items(struct http_paging *paging)
{
    struct json *items = paging->items;
    paging->items = NULL;
    return items;
}

/* ---- what comes next */

/* The end of a parameter's value, quotes and the escapes in them respected. */
static const char *skip_value(const char *at)
{
    bool quoted = false;
    for (; *at != '\0' && (quoted || (*at != ',' && *at != ';')); at++) {
        if (quoted && *at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return at;
}

/* rel is a list of words, quoted or one alone. */
static bool says_next(const char *value, const char *end)
{
    while (value < end) {
        value += strspn(value, " \t\"");
        size_t n = strcspn(value, " \t\",;");
        if (n == 4 && value + n <= end && strncasecmp(value, "next", 4) == 0)
            return true;
        value += n > 0 ? n : 1;
    }
    return false;
}

/* The target of `<…>; rel="next"` (RFC 8288, 3); yours, or NULL. */
static char *next_of_link(const char *link)
{
    while (link != NULL && (link = strchr(link, '<')) != NULL) {
        const char *target = link + 1, *close = strchr(target, '>');
        bool found = false;
        if (close == NULL)
            return NULL;
        const char *at = close + 1;
        for (at += strspn(at, " \t"); *at == ';'; at += strspn(at, " \t")) {
            at += 1 + strspn(at + 1, " \t");
            size_t n = strcspn(at, " \t=;,");
            const char *equals = at + n + strspn(at + n, " \t");
            bool is_rel = n == 3 && strncasecmp(at, "rel", 3) == 0 && *equals == '=';
            const char *end = skip_value(at);
            found |= is_rel && says_next(equals + 1, end);
            at = end;
        }
        if (found)
            return mem_dup_n(target, (size_t)(close - target));
        link = at;
    }
    return NULL;
}

/* A cursor may be a text or a number; null, false, "" and absence are the end. */
static enum err next_of_body(const struct http_paging *paging, const struct json *body, char **ret,
                             struct error *reterr)
{
    AUTO_VALUE struct value value = value_at_path(body, paging->next_path);
    struct buf text;
    if (!value.present || value.json == NULL || (json_is(value.json, JSON_BOOL) && !json_as_bool(value.json)))
        return ERR_OK;
    if (!json_is(value.json, JSON_STRING) && !json_is_number(value.json))
        return error_set(reterr, ERR_NODE, "paging.next", "%s of page %d is of type %s; it must be text or a number.",
                         paging->next_path, paging->count, json_kind_name(value.json));
    buf_init(&text, NEXT_MAX);
    value_add_text(&value, &text);
    bool good = !text.overflow && strlen(buf_str(&text)) == text.len;
    if (good && text.len > 0)
        *ret = mem_dup(text.data);
    buf_done(&text);
    return good ? ERR_OK
                : error_set(reterr, ERR_NODE, "paging.next", "%s of page %d is longer than %d bytes or has a NUL.",
                            paging->next_path, paging->count, NEXT_MAX);
}

static enum err next_address(const struct http_paging *paging, const struct json *body, const char *link, char **ret,
                             struct error *reterr)
{
    AUTO_FREE char *found = NULL;
    if (*paging->next_path == '\0')
        found = next_of_link(link);
    enum err code = *paging->next_path == '\0' ? ERR_OK : next_of_body(paging, body, &found, reterr);
    if (code != ERR_OK || found == NULL)
        return code;
    char *url = http_url_resolve(paging->next == NULL ? paging->site : paging->next, found);
    *ret = url;
    if (url == NULL || !http_url_same_origin(url, paging->site))
        return error_set(reterr, ERR_NODE, "paging.next",
                         "Page %d names %.200s as the next; it must be an address of the same site as url.",
                         paging->count, found);
    return ERR_OK;
}

static enum err find_next(struct http_paging *paging, const struct json *body, size_t items, const char *link,
                          char **ret, struct error *reterr)
{
    if (paging->mode == BY_ADDRESS)
        return next_address(paging, body, link, ret, reterr);
    if (paging->mode == BY_CURSOR)
        return next_of_body(paging, body, ret, reterr);
    bool last = items == 0 || (paging->page_size > 0 && items < (size_t)paging->page_size);
    paging->number += paging->step;
    if (!last)
        *ret = mem_printf("%lld", (long long)paging->number);
    return ERR_OK;
}

static enum err add_items(struct http_paging *paging, const struct json *body, size_t *ret_count, struct error *reterr)
{
    AUTO_VALUE struct value list = value_at_path(body, paging->items_path);
    if (!list.present || !json_is(list.json, JSON_ARRAY))
        return error_set(reterr, ERR_NODE, "paging.items", "%s of page %d must be an array, not %s.",
                         *paging->items_path == '\0' ? "The answer" : paging->items_path, paging->count,
                         list.present ? json_kind_name(list.json) : "absent");
    *ret_count = json_count(list.json);
    for (size_t i = 0; i < *ret_count; i++)
        json_push(paging->items, json_ref(json_at(list.json, i)));
    return ERR_OK;
}

enum err http_paging_add(struct http_paging *paging, const struct json *body, size_t bytes, const char *link,
                         bool *ret_more, struct error *reterr)
{
    size_t count = 0;
    char *next = NULL;
    *ret_more = false;
    paging->count++;
    paging->bytes += bytes;
    if (paging->bytes > LIMIT_OUTPUT_BYTES)
        return error_set(reterr, ERR_LIMIT, "paging.maxPages", "The pages together have more than %d bytes.",
                         LIMIT_OUTPUT_BYTES);
    enum err code = add_items(paging, body, &count, reterr);
    if (code == ERR_OK)
        code = find_next(paging, body, count, link, &next, reterr);
    if (code == ERR_OK && next != NULL && map_put(&paging->seen, next, paging) != NULL)
        code = error_set(reterr, ERR_NODE, "paging.next", "Page %d names as the next one that was read before: %.200s.",
                         paging->count, next);
    free(paging->next);
    paging->next = next;
    if (code != ERR_OK || next == NULL)
        return code;
    if (paging->count < paging->max_pages) {
        *ret_more = true;
        return ERR_OK;
    }
    paging->is_cut = true;
    return paging->may_stop
               ? ERR_OK
               : error_set(reterr, ERR_LIMIT, "paging.maxPages",
                           "There are more than %lld pages; raise paging.maxPages, or set paging.atMaxPages to stop.",
                           (long long)paging->max_pages);
}
