/* Files below the working data directory, for nodes. No path leads out of it: absolute paths, "..", and symbolic links
 * are refused. Blocks. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "json/json.h"

/* Reads a regular file of at most max_bytes. ERR_VALIDATION for a bad path (field `path`), ERR_NODE when it is not
 * there, ERR_LIMIT when it is larger, ERR_IO otherwise. `ret` is added to. */
enum err data_dir_read(const char *root, const char *path, size_t max_bytes, struct buf *ret,
                       struct error *reterr) ERROR_MUST_CHECK;

/* Writes the whole file or nothing: into a temporary file that is synced and renamed over `path`. Folders are made. */
enum err data_dir_write(const char *root, const char *path, const void *bytes, size_t len,
                        struct error *reterr) ERROR_MUST_CHECK;

/* For libraries that open files by themselves: makes the folders and gives the absolute path, free of symbolic links,
 * of a regular file or of one that is not there yet. Heap, yours. Open it without following links: it is checked only
 * now. */
enum err data_dir_locate(const char *root, const char *path, char **ret, struct error *reterr) ERROR_MUST_CHECK;

/* What a folder holds, by name; path "" is the data directory itself. Appends {name, path, type (file, folder, other),
 * bytes, modifiedAt} for the names that match `pattern` (as a shell's, NULL: all). ERR_LIMIT for more than `max`. */
enum err data_dir_list(const char *root, const char *path, const char *pattern, size_t max, struct json *entries,
                       struct error *reterr) ERROR_MUST_CHECK;

/* Removes a regular file or an empty folder. *ret_was_there: false when there is none, which is no error. */
enum err data_dir_remove(const char *root, const char *path, bool *ret_was_there,
                         struct error *reterr) ERROR_MUST_CHECK;

/* Gives a regular file another name; folders are made. Without `replace` ERR_NODE (field to) when `to` is there. */
enum err data_dir_move(const char *root, const char *path, const char *to, bool replace,
                       struct error *reterr) ERROR_MUST_CHECK;
