/* write-file: writes what it gets into a file below the data directory. */
#include "nodes/csv.h"
#include "nodes/data_dir.h"
#include "nodes/node_int.h"

#include "base/limits.h"
#include <string.h>

static const char *format_of(const struct node_call *call, const char *path)
{
    const char *format = node_input_str(call, "format", "auto"), *dot = strrchr(path, '.');
    if (strcmp(format, "auto") != 0)
        return format;
    if (dot != NULL && strcasecmp(dot, ".csv") == 0)
        return "csv";
    return dot != NULL && strcasecmp(dot, ".txt") == 0 ? "text" : "json";
}

static enum err print_csv(const struct node_call *call, const struct json *data, struct buf *out, struct error *reterr)
{
    const char *delimiter = node_input_str(call, "delimiter", ",");
    if (strchr("\"\r\n", *delimiter) != NULL || strlen(delimiter) != 1)
        return error_set(reterr, ERR_VALIDATION, "delimiter",
                         "delimiter must be one ASCII character, no quote and no line break.");
    if (json_is(data, JSON_ARRAY))
        return csv_format(data, *delimiter, out, reterr);
    if (!json_is(data, JSON_OBJECT))
        return error_set(reterr, ERR_VALIDATION, "data",
                         "data must be a list of objects, or one, to be written as CSV, not %s.", json_kind_name(data));
    AUTO_JSON struct json *one = json_array_new();
    json_push(one, json_ref(data));
    return csv_format(one, *delimiter, out, reterr);
}

static enum err print(const struct node_call *call, const char *format, struct buf *out, struct error *reterr)
{
    const struct json *data = json_get(call->inputs, "data");
    enum err code = ERR_OK;
    if (strcmp(format, "csv") == 0) {
        code = print_csv(call, data, out, reterr);
    } else if (strcmp(format, "text") == 0) {
        if (!json_is(data, JSON_STRING))
            return error_set(reterr, ERR_VALIDATION, "data", "data must be a string to be written as text, not %s.",
                             json_kind_name(data));
        buf_add(out, json_as_str(data), json_as_str_len(data));
    } else {
        (json_get_bool(call->inputs, "pretty", true) ? json_print_pretty : json_print)(data, out);
        buf_add_char(out, '\n');
    }
    if (code == ERR_OK && out->overflow)
        return error_set(reterr, ERR_LIMIT, "data", "The file would be larger than %d bytes.", LIMIT_OUTPUT_BYTES);
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const char *path = node_input_str(call, "path", "");
    if (strlen(path) != json_as_str_len(json_get(call->inputs, "path")))
        return error_set(reterr, ERR_VALIDATION, "path", "path must not contain a NUL character.");
    struct buf content;
    buf_init(&content, LIMIT_OUTPUT_BYTES);
    code = print(call, format_of(call, path), &content, reterr);
    if (code == ERR_OK)
        code = data_dir_write(call->host->data_dir, path, buf_str(&content), content.len, reterr);
    if (code == ERR_OK) {
        const struct json *data = json_get(call->inputs, "data");
        call->records = json_is(data, JSON_ARRAY) ? (int64_t)json_count(data) : 1;
        node_call_set(call, "path", json_string_new(path));
        node_call_set(call, "bytes", json_int_new((int64_t)content.len));
        node_call_set(call, "recordCount", json_int_new(call->records));
    }
    buf_done(&content);
    return code;
}

static const char *const formats[] = {"auto", "json", "csv", "text", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "What is written."},
    {.name = "path", .type = "string", .required = true, .description = "A file below the data directory."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "path", .type = "string", .description = "The file that was written."},
    {.name = "bytes", .type = "number", .description = "Its size."},
    {.name = "recordCount", .type = "number", .description = "How many records were written."},
    {0}};
static const struct field fields[] = {
    {.name = "path",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1000,
     .help = "A file below the data directory, such as out/summary.csv; it is replaced."},
    {.name = "format",
     .kind = FIELD_ENUM,
     .values = formats,
     .default_json = "\"auto\"",
     .help = "auto goes by the file's ending: .csv, .txt, else JSON."},
    {.name = "delimiter",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1,
     .default_json = "\",\"",
     .help = "What stands between cells of CSV."},
    {.name = "pretty", .kind = FIELD_BOOL, .default_json = "true", .help = "Write JSON with line breaks."},
    {.name = "data", .kind = FIELD_ANY, .help = "What is written, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"A table", "The file holds a line of names and two of values.",
     "{\"path\":\"out/summary.csv\",\"data\":[{\"country\":\"ES\",\"sales\":12},{\"country\":\"PT\",\"sales\":5.5}]}",
     "{\"path\":\"out/summary.csv\",\"bytes\":30,\"recordCount\":2}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"path must not hold . or ..", "Files stay below the data directory.",
     "Give a plain path such as out/orders.json."},
    {"data[0] must be an object to be a row", "CSV needs records.", "Map the values to objects first, or write JSON."},
    {0}};

const struct node_type node_write_file = {
    .spec = {.type = "write-file", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data"},
    .name = "Write File",
    .version = "1.0.0",
    .description = "Writes JSON, CSV or text into a file below the data directory.",
    .category = "storage",
    .icon = "file",
    .timeout_ms = 30000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"file", "csv", "json", "write", NULL},
    .related = (const char *const[]){"csv-file", "summarize", NULL},
    .purpose = "Use it to leave a result as a file. The file is replaced as a whole: a reader sees the old one or the "
               "new one.",
    .requirements = (const char *const[]){"The worker has a data directory.", NULL},
    .limitations = (const char *const[]){"At most 64 MiB.", "The file is on the worker that ran the node.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
