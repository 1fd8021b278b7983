/* file: reads, lists, deletes and moves files below the data directory. */
#include "nodes/data_dir.h"
#include "nodes/http_draft.h"
#include "nodes/node_int.h"

#include "base/utf8.h"
#include <string.h>

#define READ_DEFAULT_BYTES (8 << 20)
#define READ_BYTES_MAX (32 << 20)
#define ENTRIES_MAX 10000

static bool is_utf8(const char *text, size_t n)
{
    uint32_t code_point;
    for (size_t i = 0, step; i < n; i += step)
        if ((step = utf8_decode(text + i, n - i, &code_point)) == 0)
            return false;
    return true;
}

static enum err decode(const char *as, const struct buf *bytes, struct json **ret, struct error *reterr)
{
    struct error error = {0};
    if (strcmp(as, "binary") == 0)
        *ret = http_binary_json(buf_str(bytes), bytes->len, "application/octet-stream");
    else if (strcmp(as, "json") == 0 && json_parse(buf_str(bytes), bytes->len, ret, &error) != ERR_OK)
        return error_set(reterr, ERR_NODE, "outputAs", "The file is not the JSON it must be: %s", error.message);
    else if (strcmp(as, "text") == 0 && !is_utf8(buf_str(bytes), bytes->len))
        return error_set(reterr, ERR_NODE, "outputAs", "The file is no UTF-8 text; set outputAs to binary.");
    else if (strcmp(as, "text") == 0)
        *ret = json_string_new_n(buf_str(bytes), bytes->len);
    return ERR_OK;
}

static enum err read_file(struct node_call *call, const char *path, struct error *reterr)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, 0);
    struct json *content = NULL;
    size_t max = (size_t)json_get_int(call->inputs, "maxBytes", READ_DEFAULT_BYTES);
    enum err code = data_dir_read(call->host->data_dir, path, max, &bytes, reterr);
    if (code == ERR_OK)
        code = decode(node_input_str(call, "outputAs", "text"), &bytes, &content, reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(call, "result", content);
    node_call_set(call, "path", json_string_new(path));
    node_call_set(call, "count", json_int_new(1));
    return ERR_OK;
}

static enum err list(struct node_call *call, const char *path, struct error *reterr)
{
    struct json *entries = json_array_new();
    enum err code =
        data_dir_list(call->host->data_dir, path, node_input_str(call, "pattern", NULL), ENTRIES_MAX, entries, reterr);
    if (code != ERR_OK) {
        json_unref(entries);
        return code;
    }
    call->records = (int64_t)json_count(entries);
    node_call_set(call, "count", json_int_new(call->records));
    node_call_set(call, "result", entries);
    node_call_set(call, "path", json_string_new(path));
    return ERR_OK;
}

static enum err delete (struct node_call *call, const char *path, struct error *reterr) {
    bool was_there = false; enum err code = data_dir_remove(call->host->data_dir, path, &was_there, reterr);
    if (code == ERR_OK && !was_there && json_get_bool(call->inputs, "mustExist", false))
        code = error_set(reterr, ERR_NODE, "path", "There is no file %s below the data directory.", path);
    if (code != ERR_OK) return code;
    node_call_set(call, "result", json_bool_new(was_there));
    node_call_set(call, "path", json_string_new(path));
    node_call_set(call, "count", json_int_new(was_there));
    return ERR_OK;
}

static enum err move(struct node_call *call, const char *path, struct error *reterr)
{
    const char *to = node_input_str(call, "to", NULL);
    if (to == NULL)
        return error_set(reterr, ERR_VALIDATION, "to", "to is required to move: the file's new path.");
    enum err code =
        data_dir_move(call->host->data_dir, path, to, json_get_bool(call->inputs, "replace", false), reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(call, "result", json_bool_new(true));
    node_call_set(call, "path", json_string_new(to));
    node_call_set(call, "count", json_int_new(1));
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    static const char *const texts[] = {"path", "to", "pattern"};
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strlen(node_input_str(call, texts[i], "")) != json_as_str_len(json_get(call->inputs, texts[i])))
            return error_set(reterr, ERR_VALIDATION, texts[i], "%s must not contain a NUL character.", texts[i]);
    const char *operation = node_input_str(call, "operation", "read"), *path = node_input_str(call, "path", "");
    call->records = 1;
    if (strcmp(operation, "list") == 0)
        return list(call, path, reterr);
    if (strcmp(operation, "delete") == 0)
        return delete (call, path, reterr);
    return strcmp(operation, "move") == 0 ? move(call, path, reterr) : read_file(call, path, reterr);
}

static const char *const operations[] = {"read", "list", "delete", "move", NULL};
static const char *const forms[] = {"text", "json", "binary", NULL};
static const struct flow_pin inputs[] = {
    {.name = "path", .type = "string", .description = "A file, or a folder to list, below the data directory."},
    {.name = "to", .type = "string", .description = "With move: its new path."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "result",
     .type = "any",
     .description = "read: the content; list: {name, path, type, bytes, modifiedAt} each; delete: whether it was "
                    "there; move: true."},
    {.name = "path", .type = "string", .description = "The file's path; after move its new one."},
    {.name = "count", .type = "number", .description = "How many files or entries there were."},
    {0}};
static const struct field fields[] = {
    {.name = "operation",
     .kind = FIELD_ENUM,
     .values = operations,
     .default_json = "\"read\"",
     .help = "What is done; write-file writes."},
    {.name = "path",
     .kind = FIELD_STRING,
     .max = 1000,
     .help = "A file, or a folder to list, below the data directory; nothing lists that itself."},
    {.name = "to", .kind = FIELD_STRING, .nullable = true, .max = 1000, .help = "With move: the file's new path."},
    {.name = "replace",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "With move: replace a file that is there; else it fails."},
    {.name = "mustExist",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .label = "Must exist",
     .help = "With delete: fail when there is no such file."},
    {.name = "pattern",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 200,
     .help = "With list: only names such as *.csv or orders-??.json."},
    {.name = "outputAs",
     .kind = FIELD_ENUM,
     .values = forms,
     .default_json = "\"text\"",
     .label = "Content as",
     .help = "With read: json reads it; binary gives {base64, contentType, size}."},
    {.name = "maxBytes",
     .kind = FIELD_INT,
     .min = 1,
     .max = READ_BYTES_MAX,
     .default_json = "8388608",
     .label = "Largest file (bytes)",
     .help = "With read: a larger file fails the node."},
    {0}};
static const struct node_example examples[] = {
    {"Read JSON", "The file holds {\"total\": 12}.", "{\"path\":\"in/report.json\",\"outputAs\":\"json\"}",
     "{\"result\":{\"total\":12},\"path\":\"in/report.json\",\"count\":1}"},
    {"Put away what is done", "The folder done is made when it is not there.",
     "{\"operation\":\"move\",\"path\":\"in/report.json\",\"to\":\"done/report.json\"}",
     "{\"result\":true,\"path\":\"done/report.json\",\"count\":1}"},
    {"Delete", "A second time it is not there any more, and that is fine.",
     "{\"operation\":\"delete\",\"path\":\"done/report.json\"}",
     "{\"result\":true,\"path\":\"done/report.json\",\"count\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"There is no file …", "Paths begin at the data directory of the worker that runs the node.",
     "List the folder to see what is there."},
    {"The file is no UTF-8 text", "It is an image, an archive or in another encoding.", "Set outputAs to binary."},
    {"… is there already; set replace to replace it", "move does not overwrite by itself.",
     "Set replace, or give another name."},
    {0}};

const struct node_type node_file = {
    .spec = {.type = "file", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "path"},
    .name = "File",
    .version = "1.0.0",
    .description = "Reads, lists, deletes and moves files below the data directory.",
    .category = "storage",
    .icon = "file",
    .timeout_ms = 30000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"file", "folder", "read", "list", "move", "delete", NULL},
    .related = (const char *const[]){"write-file", "csv-file", NULL},
    .purpose = "Use it to work through a folder: list it, read each file, and move it away when it is done.",
    .requirements = (const char *const[]){"The worker has a data directory.", NULL},
    .limitations = (const char *const[]){"At most 32 MiB of a file and 10000 entries of a folder.",
                                         "Hidden files are not listed; symbolic links are not followed.",
                                         "delete removes files and empty folders; move moves files only.",
                                         "The files are those of the worker that runs the node.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
