/* Files below the working data directory, opened step by step so that nothing leads out of it. */
#include "nodes/data_dir.h"

#include "base/clock.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- listing, removing, moving */

static struct json *entry_json(int folder, const char *path, const char *name)
{
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return NULL; /* gone meanwhile */
    char modified[ISO_TEXT_BYTES];
    clock_format_iso((int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000, modified);
    AUTO_FREE char *whole = *path == '\0' ? mem_dup(name) : mem_printf("%s/%s", path, name);
    struct json *entry = json_object_new();
    json_set_str(entry, "name", name);
    json_set_str(entry, "path", whole);
    json_set_str(entry, "type", S_ISREG(info.st_mode) ? "file" : S_ISDIR(info.st_mode) ? "folder" : "other");
    json_set_int(entry, "bytes", S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0);
    json_set_str(entry, "modifiedAt", modified);
    return entry;
}

/* Names that nodes may use: none of hidden files, where writing keeps its temporary ones. */
static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err list_folder(int folder, const char *path, const char *pattern, size_t max, struct json *entries,
                            struct error *reterr)
{
    struct dirent **names = NULL;
    int count = scandirat(folder, ".", &names, is_shown, by_name);
    enum err code = count < 0 ? io_error(path, "listed", reterr) : ERR_OK;
    for (int i = 0; i < count; i++) {
        bool matches = pattern == NULL || fnmatch(pattern, names[i]->d_name, 0) == 0;
        struct json *entry = code == ERR_OK && matches ? entry_json(folder, path, names[i]->d_name) : NULL;
        if (entry != NULL && json_count(entries) == max) {
            json_unref(entry);
            code = error_set(reterr, ERR_LIMIT, "path", "The folder holds more than %zu such entries.", max);
        } else if (entry != NULL) {
            json_push(entries, entry);
        }
        free(names[i]);
    }
    free(names);
    return code;
}

enum err data_dir_list(const char *root, const char *path, const char *pattern, size_t max, struct json *entries,
                       struct error *reterr)
{
    enum err code = check_path(root, *path == '\0' && root != NULL ? "x" : path, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_FREE char *inside = *path == '\0' ? mem_dup("") : mem_printf("%s/", path); /* so that all parts are opened */
    const char *rest = NULL;
    int folder = open_folder(root, inside, false, &rest);
    if (folder < 0)
        return io_error(path, "listed", reterr);
    code = list_folder(folder, path, pattern, max, entries, reterr);
    close(folder);
    return code;
}

static enum err remove_in(int folder, const char *name, const char *path, bool *ret_was_there, struct error *reterr)
{
    struct stat info;
    bool there = fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT)
        return io_error(path, "deleted", reterr);
    if (there && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return error_set(reterr, ERR_VALIDATION, "path", "%s is neither a regular file nor a folder.", path);
    if (there && unlinkat(folder, name, S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST)
            return error_set(reterr, ERR_NODE, "path", "%s is a folder that is not empty.", path);
        if (errno != ENOENT)
            return io_error(path, "deleted", reterr);
        there = false; /* another was faster */
    }
    *ret_was_there = there;
    return !there || fsync(folder) == 0 ? ERR_OK : io_error(path, "deleted", reterr);
}

enum err data_dir_remove(const char *root, const char *path, bool *ret_was_there, struct error *reterr)
{
    enum err code = check_path(root, path, reterr);
    if (code != ERR_OK)
        return code;
    const char *name = NULL;
    int folder = open_folder(root, path, false, &name);
    *ret_was_there = false;
    if (folder < 0)
        return errno == ENOENT ? ERR_OK : io_error(path, "deleted", reterr);
    code = remove_in(folder, name, path, ret_was_there, reterr);
    close(folder);
    return code;
}

static enum err to_field(enum err code, struct error *reterr)
{
    (void)snprintf(reterr->field, sizeof reterr->field, "to");
    return code;
}

static enum err move_between(const int folders[2], const char *const names[2], const char *const paths[2], bool replace,
                             struct error *reterr)
{
    struct stat info;
    if (fstatat(folders[0], names[0], &info, AT_SYMLINK_NOFOLLOW) != 0)
        return io_error(paths[0], "moved", reterr);
    if (!S_ISREG(info.st_mode))
        return error_set(reterr, ERR_VALIDATION, "path", "%s is not a regular file.", paths[0]);
    if (fstatat(folders[1], names[1], &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode))
        return error_set(reterr, ERR_VALIDATION, "to", "%s is there already, and not a regular file.", paths[1]);
    if (renameat2(folders[0], names[0], folders[1], names[1], replace ? 0 : RENAME_NOREPLACE) != 0)
        return errno == EEXIST
                   ? error_set(reterr, ERR_NODE, "to", "%s is there already; set replace to replace it.", paths[1])
                   : io_error(paths[0], "moved", reterr);
    return fsync(folders[1]) == 0 && fsync(folders[0]) == 0 ? ERR_OK : io_error(paths[1], "moved", reterr);
}

enum err data_dir_move(const char *root, const char *path, const char *to, bool replace, struct error *reterr)
{
    enum err code = check_path(root, path, reterr);
    if (code != ERR_OK)
        return code;
    code = check_path(root, to, reterr);
    if (code != ERR_OK)
        return to_field(code, reterr);
    const char *names[2] = {NULL, NULL}, *const paths[2] = {path, to};
    int folders[2] = {open_folder(root, path, false, &names[0]), -1};
    if (folders[0] < 0)
        return io_error(path, "moved", reterr);
    folders[1] = open_folder(root, to, true, &names[1]);
    code = folders[1] < 0 ? to_field(io_error(to, "written", reterr), reterr)
                          : move_between(folders, names, paths, replace, reterr);
    close(folders[0]);
    if (folders[1] >= 0)
        close(folders[1]);
    return code;
}
