/* Files of the page: compressed beforehand, cached by name, under a strict Content-Security-Policy. */
#include "gateway/page.h"

#include "gateway/api_int.h"
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct page {
    char *dir;
};

static bool has_index(const char *dir)
{
    AUTO_FREE char *path = mem_printf("%s/index.html", dir);
    return access(path, R_OK) == 0;
}

/* The program's own folder with `below` appended, in *ret. */
static bool beside_program(const char *below, char **ret)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    *ret = mem_printf("%s/%s", self, below);
    return true;
}

struct page *page_open(const struct config *config)
{
    static const char *const places[] = {"../web", "../share/caudal/web"};
    const char *given = config_str(config, CONFIG_WEB_DIR);
    char *dir = NULL;
    if (given != NULL && has_index(given))
        dir = mem_dup(given);
    else if (given != NULL)
        log_event(LOG_WARN, "WEB_DIR has no index.html that can be read; the page is not served",
                  LOG_STR("WEB_DIR", given), LOG_END);
    for (size_t i = 0; given == NULL && dir == NULL && i < sizeof places / sizeof *places; i++)
        if (beside_program(places[i], &dir) && !has_index(dir)) {
            free(dir);
            dir = NULL;
        }
    if (dir == NULL)
        return NULL;
    struct page *page = mem_alloc(sizeof *page);
    page->dir = dir;
    return page;
}

void page_close(struct page *page)
{
    if (page == NULL)
        return;
    free(page->dir);
    free(page);
}

/* ---- which file */

static bool begins(const char *path, const char *with)
{
    size_t n = strlen(with);
    return strncmp(path, with, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Of the service, whatever the page says: a mistyped route is an error, never a page. */
static bool is_reserved(const char *path)
{
    static const char *const names[] = {"/api", "/ws", "/metrics", "/wait"};
    if (begins(path, "/webhooks") && path[strlen("/webhooks")] == '/') /* /webhooks itself is the page's list of them */
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (begins(path, names[i]))
            return true;
    return false;
}

/* Only names that a build makes: no empty or dotted segment, so nothing outside the folder, and nothing hidden. */
static bool is_plain(const char *path)
{
    if (strlen(path) > 255)
        return false;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/' && (at[1] == '.' || at[1] == '/'))
            return false;
        if (*at != '/' && !isalnum((unsigned char)*at) && strchr("._-", *at) == NULL)
            return false;
    }
    return true;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".json", "application/json; charset=utf-8"},
                                           {".txt", "text/plain; charset=utf-8"},
                                           {".webmanifest", "application/manifest+json"},
                                           {".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".ico", "image/x-icon"},
                                           {".woff2", "font/woff2"}};
    const char *end = strrchr(path, '.');
    for (size_t i = 0; end != NULL && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(end, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

/* ---- which form of it */

/* Whether a list as in Accept-Encoding has a coding without q=0. */
static bool accepts(const char *list, const char *coding)
{
    size_t n = strlen(coding);
    while (list != NULL && *list != '\0') {
        list += strspn(list, " \t,");
        size_t entry = strcspn(list, ",");
        if (strncasecmp(list, coding, n) == 0 && (entry == n || strchr(" \t;", list[n]) != NULL)) {
            const char *q = memchr(list, ';', entry);
            q = q == NULL ? NULL : q + 1 + strspn(q + 1, " \t");
            return q == NULL || strncasecmp(q, "q=", 2) != 0 || strtod(q + 2, NULL) > 0;
        }
        list += entry;
    }
    return false;
}

struct file {
    int fd;
    struct stat about;
    const char *coding; /* NULL: as it is */
};

static bool file_open(const char *path, struct file *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    if (fstat(fd, &ret->about) != 0 || !S_ISREG(ret->about.st_mode) || ret->about.st_size > LIMIT_PAGE_FILE_BYTES) {
        close(fd);
        return false;
    }
    ret->fd = fd;
    return true;
}

static bool file_open_best(const struct page *page, const struct http_request *request, const char *name,
                           struct file *ret)
{
    static const char *const codings[][2] = {{"br", ".br"}, {"gzip", ".gz"}};
    const char *accepted = http_request_header(request, "Accept-Encoding");
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        if (!accepts(accepted, codings[i][0]))
            continue;
        AUTO_FREE char *packed = mem_printf("%s%s%s", page->dir, name, codings[i][1]);
        ret->coding = codings[i][0];
        if (file_open(packed, ret))
            return true;
    }
    AUTO_FREE char *plain = mem_printf("%s%s", page->dir, name);
    ret->coding = NULL;
    return file_open(plain, ret);
}

static enum err file_read(const struct file *file, const char *name, struct buf *out, struct error *reterr)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(file->fd, chunk, sizeof chunk)) > 0)
        buf_add(out, chunk, (size_t)n);
    return n == 0 ? ERR_OK : error_set(reterr, ERR_IO, NULL, "The page's file %s cannot be read: %m.", name);
}

/* ---- the answer */

/* connect-src 'self' has the WebSocket of the same host and port too. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static enum err answer_file(struct api *api, struct http_request *request, struct error *reterr)
{
    return page_answer(api->page, request, reterr);
}

const struct route *page_route(const struct page *page, const struct http_request *request)
{
    static const struct route route = {"GET", "/*",   ROLE_NONE,  ROUTE_UNLIMITED, NULL, NULL,
                                       200,   "page", "The page", answer_file,     NULL};
    if (page == NULL || strcmp(request->method, "GET") != 0 || is_reserved(request->path))
        return NULL;
    return &route;
}

static enum err send_file(struct http_request *request, const char *name, const struct file *file, struct error *reterr)
{
    bool named_by_content = begins(name, "/assets");
    const char *known = http_request_header(request, "If-None-Match");
    const char *tag = arena_printf(&request->arena, "\"%llx-%llx%s%s\"", (unsigned long long)file->about.st_size,
                                   (unsigned long long)file->about.st_mtim.tv_sec * 1000000000ULL +
                                       (unsigned long long)file->about.st_mtim.tv_nsec,
                                   file->coding == NULL ? "" : "-", file->coding == NULL ? "" : file->coding);
    http_response_header(request, "Cache-Control",
                         named_by_content ? "public, max-age=31536000, immutable" : "no-cache");
    http_response_header(request, "ETag", tag);
    http_response_header(request, "Vary", "Accept-Encoding");
    http_response_header(request, "Content-Security-Policy", policy);
    http_response_header(request, "Referrer-Policy", "same-origin");
    if (known != NULL && strstr(known, tag) != NULL) {
        request->response.status = 304;
        return ERR_OK;
    }
    if (file->coding != NULL)
        http_response_header(request, "Content-Encoding", file->coding);
    request->response.content_type = type_of(name);
    return file_read(file, name, &request->response.body, reterr);
}

enum err page_answer(const struct page *page, struct http_request *request, struct error *reterr)
{
    const char *name = request->path;
    /* What looks like a file is one or is missing: an old script's name must not give a page. */
    bool is_file = type_of(name) != NULL || begins(name, "/assets");
    struct file file;
    if (!is_file)
        name = "/index.html";
    if (!is_plain(name) || !file_open_best(page, request, name, &file))
        return error_set(reterr, ERR_NOT_FOUND, NULL, "The page has no file %.200s.", name);
    enum err code = send_file(request, name, &file, reterr);
    close(file.fd);
    return code;
}
