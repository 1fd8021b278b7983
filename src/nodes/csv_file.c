/* csv-file: reads records from CSV, given as text or as a file. */
#include "nodes/csv.h"
#include "nodes/data_dir.h"
#include "nodes/node_int.h"

#include <string.h>

#define BYTES_MAX (16 << 20)
#define ROWS_MAX 1000000

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *text = json_get(call->inputs, "text");
    const char *path = node_input_str(call, "path", NULL), *delimiter = node_input_str(call, "delimiter", ",");
    if (path != NULL && !json_is(text, JSON_STRING))
        text = NULL; /* what merely started the reading, such as a trigger's value */
    if (text != NULL && !json_is(text, JSON_STRING))
        return error_set(reterr, ERR_VALIDATION, "text", "text must be a string, not %s.", json_kind_name(text));
    if ((text == NULL) == (path == NULL))
        return error_set(reterr, ERR_VALIDATION, "text", "Set either text or path%s.",
                         path != NULL ? ", not both" : "");
    if (strchr("\"\r\n", *delimiter) != NULL || strlen(delimiter) != 1)
        return error_set(reterr, ERR_VALIDATION, "delimiter",
                         "delimiter must be one ASCII character, no quote and no line break.");
    struct csv_options options = {.delimiter = *delimiter,
                                  .has_header = json_get_bool(call->inputs, "header", true),
                                  .numbers = json_get_bool(call->inputs, "numbers", true),
                                  .max_rows = (size_t)json_get_int(call->inputs, "maxRows", 100000)};
    struct buf content;
    buf_init(&content, 0);
    if (path != NULL && strlen(path) != json_as_str_len(json_get(call->inputs, "path")))
        code = error_set(reterr, ERR_VALIDATION, "path", "path must not contain a NUL character.");
    else if (path != NULL)
        code = data_dir_read(call->host->data_dir, path, BYTES_MAX, &content, reterr);
    else if (json_as_str_len(text) > BYTES_MAX)
        code = error_set(reterr, ERR_LIMIT, "text", "text is larger than %d bytes.", BYTES_MAX);
    else
        buf_add(&content, json_as_str(text), json_as_str_len(text));
    struct json *rows = NULL, *columns = NULL;
    if (code == ERR_OK)
        code = csv_parse(buf_str(&content), content.len, &options, &rows, &columns, reterr);
    buf_done(&content);
    if (code != ERR_OK)
        return code;
    call->records = (int64_t)json_count(rows);
    node_call_set(call, "rows", rows);
    node_call_set(call, "rowCount", json_int_new(call->records));
    node_call_set(call, "columns", columns);
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "text", .type = "string", .description = "CSV text; instead of a path."},
    {.name = "path", .type = "string", .description = "A file below the data directory; instead of text."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "rows", .type = "array", .description = "One object for each row."},
    {.name = "rowCount", .type = "number", .description = "How many rows there are."},
    {.name = "columns", .type = "array", .description = "The columns' names."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "rows", "data", "full"}, {"field-mapper", "rows", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "text",
     .widget = "textarea",
     .kind = FIELD_ANY,
     .help = "CSV text, up to 16 MiB. With a path, a value that is no text only starts the reading."},
    {.name = "path",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1000,
     .help = "A file below the data directory, such as in/orders.csv."},
    {.name = "delimiter",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1,
     .default_json = "\",\"",
     .help = "What stands between cells."},
    {.name = "header",
     .label = "First row has names",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .help = "The first row names the columns; else they are column1, column2 …"},
    {.name = "numbers",
     .label = "Recognise numbers",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .help = "Make numbers of unquoted cells that are exactly one; 007 stays text."},
    {.name = "maxRows",
     .label = "Most rows",
     .kind = FIELD_INT,
     .min = 1,
     .max = ROWS_MAX,
     .default_json = "100000",
     .help = "More rows fail the node."},
    {0}};
static const struct node_example examples[] = {
    {"Orders", "Numbers are recognised, codes with leading zeros stay text.",
     "{\"text\":\"id,country,total,code\\n1,ES,10.5,007\\n2,\\\"P,T\\\",3,\\\"8\\\"\\n\"}",
     "{\"rows\":[{\"id\":1,\"country\":\"ES\",\"total\":10.5,\"code\":\"007\"},{\"id\":2,\"country\":\"P,T\",\"total\":"
     "3,\"code\":\"8\"}],"
     "\"rowCount\":2,\"columns\":[\"id\",\"country\",\"total\",\"code\"]}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"Line 7 has more than 3 cells", "A cell holds the delimiter without quotes.",
     "Quote it, or set the delimiter the file was written with."},
    {"The CSV text is no valid UTF-8", "The file is in another encoding, often Windows-1252.", "Export it as UTF-8."},
    {0}};

const struct node_type node_csv_file = {
    .spec = {.type = "csv-file",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "text"},
    .name = "CSV File",
    .version = "1.0.0",
    .description = "Reads records from CSV, given as text or as a file.",
    .category = "storage",
    .icon = "table",
    .timeout_ms = 30000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"csv", "file", "read", NULL},
    .related = (const char *const[]){"write-file", "data-filter", "field-mapper", "summarize", NULL},
    .purpose = "Use it to bring a table from a file or a download into a flow.",
    .requirements = (const char *const[]){"For path: the worker has a data directory.", NULL},
    .limitations = (const char *const[]){"At most 16 MiB, 1000 columns and maxRows rows; UTF-8 only.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
