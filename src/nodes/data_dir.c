/* Files below the working data directory, opened step by step so that nothing leads out of it. */
#include "nodes/data_dir.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 1000

static enum err check_path(const char *root, const char *path, struct error *reterr)
{
    if (root == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, "path",
                         "No data directory is set on this worker, so nodes cannot use files.");
    size_t len = strlen(path);
    if (len == 0 || len > PATH_BYTES_MAX || path[0] == '/' || path[len - 1] == '/')
        return error_set(reterr, ERR_VALIDATION, "path",
                         "path must be a file name below the data directory, such as out/orders.csv.");
    for (const char *part = path; part != NULL; part = strchr(part, '/'), part = part == NULL ? NULL : part + 1) {
        size_t n = strcspn(part, "/");
        if (n == 0 || n > 200 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return error_set(reterr, ERR_VALIDATION, "path",
                             "path must not hold . or .. or empty parts: it stays below the data directory.");
    }
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == '\\')
            return error_set(reterr, ERR_VALIDATION, "path", "path must not hold control characters or backslashes.");
    return ERR_OK;
}

static enum err io_error(const char *path, const char *what, struct error *reterr)
{
    int code = errno;
    if (code == ENOENT)
        return error_set(reterr, ERR_NODE, "path", "There is no file %s below the data directory.", path);
    if (code == ELOOP || code == ENOTDIR || code == EMLINK)
        return error_set(
            reterr, ERR_VALIDATION, "path",
            "%s goes through a symbolic link or a file; only folders below the data directory are allowed.", path);
    if (code == EISDIR)
        return error_set(reterr, ERR_VALIDATION, "path", "%s is a folder.", path);
    return error_set(reterr, ERR_IO, "path", "%s could not be %s: %s.", path, what, strerror(code));
}

/* The folder that holds the last part; *ret_name points into `path`. -1 with errno. */
static int open_folder(const char *root, const char *path, bool make, const char **ret_name)
{
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        AUTO_FREE char *part = mem_dup_n(path, (size_t)(slash - path));
        if (make && mkdirat(folder, part, 0755) != 0 && errno != EEXIST) {
            close(folder);
            return -1;
        }
        int next = openat(folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int code = errno;
        close(folder);
        errno = code;
        folder = next;
    }
    *ret_name = path;
    return folder;
}

static enum err read_all(int fd, const char *path, size_t max_bytes, struct buf *ret, struct error *reterr)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return io_error(path, "read", reterr);
    if (!S_ISREG(info.st_mode))
        return error_set(reterr, ERR_VALIDATION, "path", "%s is not a regular file.", path);
    char chunk[32768];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return ERR_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(path, "read", reterr);
        total += (size_t)n;
        if (total > max_bytes)
            return error_set(reterr, ERR_LIMIT, "path", "%s is larger than %zu bytes.", path, max_bytes);
        buf_add(ret, chunk, (size_t)n);
    }
}

enum err data_dir_read(const char *root, const char *path, size_t max_bytes, struct buf *ret, struct error *reterr)
{
    enum err code = check_path(root, path, reterr);
    if (code != ERR_OK)
        return code;
    const char *name = NULL;
    int folder = open_folder(root, path, false, &name);
    if (folder < 0)
        return io_error(path, "read", reterr);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold the thread */
    int failure = errno;
    close(folder);
    errno = failure;
    if (fd < 0)
        return io_error(path, "read", reterr);
    code = read_all(fd, path, max_bytes, ret, reterr);
    close(fd);
    return code;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd) == 0;
}

static enum err write_in(int folder, const char *name, const char *path, const void *bytes, size_t len,
                         struct error *reterr)
{
    char id[ID_TEXT_BYTES], temporary[64];
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode))
        return error_set(reterr, ERR_VALIDATION, "path", "%s is there already, and not a regular file.", path);
    id_new(id);
    (void)snprintf(temporary, sizeof temporary, ".%s.tmp", id);
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(path, "written", reterr);
    bool fine = write_all(fd, bytes, len);
    int failure = errno;
    fine = close(fd) == 0 && fine;
    if (fine && renameat(folder, temporary, folder, name) == 0)
        return fsync(folder) == 0 ? ERR_OK : io_error(path, "written", reterr);
    failure = fine ? errno : failure;
    (void)unlinkat(folder, temporary, 0);
    errno = failure;
    return io_error(path, "written", reterr);
}

enum err data_dir_write(const char *root, const char *path, const void *bytes, size_t len, struct error *reterr)
{
    enum err code = check_path(root, path, reterr);
    if (code != ERR_OK)
        return code;
    const char *name = NULL;
    int folder = open_folder(root, path, true, &name);
    if (folder < 0)
        return io_error(path, "written", reterr);
    code = write_in(folder, name, path, bytes, len, reterr);
    close(folder);
    return code;
}

enum err data_dir_locate(const char *root, const char *path, char **ret, struct error *reterr)
{
    enum err code = check_path(root, path, reterr);
    if (code != ERR_OK)
        return code;
    const char *name = NULL;
    int folder = open_folder(root, path, true, &name);
    if (folder < 0)
        return io_error(path, "opened", reterr);
    char link[64], real[4096];
    struct stat info;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, real, sizeof real);
    bool other = fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode);
    int failure = errno;
    close(folder);
    errno = failure;
    if (other)
        return error_set(reterr, ERR_VALIDATION, "path", "%s is there already, and not a regular file.", path);
    if (n < 0 || n == (ssize_t)sizeof real)
        return error_set(reterr, ERR_IO, "path", "The folder of %s could not be found: %s.", path,
                         n < 0 ? strerror(errno) : "its path is too long");
    *ret = mem_printf("%.*s/%s", (int)n, real, name);
    return ERR_OK;
}
