/* csv: reads records from CSV text, or writes them as such. */
#include "nodes/csv.h"
#include "nodes/records.h"

#include <string.h>

#define BYTES_MAX (16 << 20)

static enum err check_delimiter(const struct node_call *call, char *ret, struct error *reterr)
{
    const char *delimiter = node_input_str(call, "delimiter", ",");
    if (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter) != NULL)
        return error_set(reterr, ERR_VALIDATION, "delimiter",
                         "delimiter must be one ASCII character, no quote and no line break.");
    *ret = *delimiter;
    return ERR_OK;
}

static enum err parse(struct node_call *call, char delimiter, struct error *reterr)
{
    const struct json *text = json_get(call->inputs, "data");
    if (!json_is(text, JSON_STRING))
        return error_set(reterr, ERR_VALIDATION, "data", "data must be text to be parsed as CSV, not %s.",
                         json_kind_name(text));
    if (json_as_str_len(text) > BYTES_MAX)
        return error_set(reterr, ERR_LIMIT, "data", "data is larger than %d bytes.", BYTES_MAX);
    struct csv_options options = {.delimiter = delimiter,
                                  .has_header = json_get_bool(call->inputs, "header", true),
                                  .numbers = json_get_bool(call->inputs, "numbers", true),
                                  .max_rows = (size_t)json_get_int(call->inputs, "maxRows", 100000)};
    struct json *rows = NULL, *columns = NULL;
    enum err code = csv_parse(json_as_str(text), json_as_str_len(text), &options, &rows, &columns, reterr);
    if (code != ERR_OK)
        return code;
    call->records = (int64_t)json_count(rows);
    node_call_set(call, "result", rows);
    node_call_set(call, "rowCount", json_int_new(call->records));
    node_call_set(call, "columns", columns);
    return ERR_OK;
}

static enum err format(struct node_call *call, char delimiter, struct error *reterr)
{
    const struct json *data = json_get(call->inputs, "data");
    AUTO_JSON struct json *rows = json_is(data, JSON_ARRAY) ? json_ref(data) : json_array_new();
    if (!json_is(data, JSON_ARRAY))
        json_push(rows, json_ref(data));
    struct buf out;
    buf_init(&out, BYTES_MAX);
    enum err code = csv_format(rows, delimiter, &out, reterr);
    if (code == ERR_OK && out.overflow)
        code = error_set(reterr, ERR_LIMIT, "data", "The CSV text would be larger than %d bytes.", BYTES_MAX);
    const char *text = buf_str(&out);
    size_t len = out.len;
    if (!json_get_bool(call->inputs, "header", true)) { /* names have no line breaks unless quoted: skip a record */
        bool quoted = false;
        while (len > 0 && (quoted || *text != '\n')) {
            quoted = (*text == '"') != quoted;
            text++;
            len--;
        }
        text += len > 0;
        len -= len > 0;
    }
    if (code == ERR_OK) {
        call->records = (int64_t)json_count(rows);
        node_call_set(call, "result", json_string_new_n(text, len));
        node_call_set(call, "rowCount", json_int_new(call->records));
    }
    buf_done(&out);
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    char delimiter = ',';
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = check_delimiter(call, &delimiter, reterr);
    if (code != ERR_OK)
        return code;
    return strcmp(node_input_str(call, "operation", "parse"), "parse") == 0 ? parse(call, delimiter, reterr)
                                                                            : format(call, delimiter, reterr);
}

static const char *const operations[] = {"parse", "format", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .required = true, .description = "CSV text, or records."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "result", .type = "any", .description = "The records of the text, or the text of the records."},
    {.name = "rowCount", .type = "number", .description = "How many records there are."},
    {.name = "columns", .type = "array", .description = "The columns' names, of parsed text."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "result", "data", "conditional"}, {"field-mapper", "result", "source", "conditional"}, {0}};
static const struct field fields[] = {
    {.name = "operation",
     .kind = FIELD_ENUM,
     .values = operations,
     .default_json = "\"parse\"",
     .help = "parse makes records of text, format makes text of records."},
    {.name = "delimiter",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 1,
     .default_json = "\",\"",
     .help = "What stands between cells."},
    {.name = "header",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .label = "First row has names",
     .help = "The first row holds the columns' names; without it they are column1, column2 …"},
    {.name = "numbers",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .label = "Recognise numbers",
     .help = "Make numbers of unquoted cells that are exactly one; 007 stays text."},
    {.name = "maxRows",
     .kind = FIELD_INT,
     .min = 1,
     .max = RECORDS_MAX,
     .default_json = "100000",
     .label = "Most rows",
     .help = "More rows in a text fail the node."},
    {.name = "data",
     .kind = FIELD_ANY,
     .widget = "textarea",
     .help = "The text or the records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"Read", "Semicolons, and a code that stays text.", "{\"data\":\"id;code\\n1;007\\n\",\"delimiter\":\";\"}",
     "{\"result\":[{\"id\":1,\"code\":\"007\"}],\"rowCount\":1,\"columns\":[\"id\",\"code\"]}"},
    {"Write", "Cells with the delimiter are quoted.",
     "{\"operation\":\"format\",\"data\":[{\"id\":1,\"name\":\"Ana, Lda\"},{\"id\":2}]}",
     "{\"result\":\"id,name\\r\\n1,\\\"Ana, Lda\\\"\\r\\n2,\\r\\n\",\"rowCount\":2}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"Line 7 has more than 3 cells", "A cell holds the delimiter without quotes.",
     "Quote it, or set the delimiter the text was written with."},
    {"data[0] must be an object to be a row", "CSV needs records.", "Map the values to objects first."},
    {0}};

const struct node_type node_csv = {
    .spec = {.type = "csv",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "CSV",
    .version = "1.0.0",
    .description = "Reads records from CSV text, or writes records as such.",
    .category = "transformation",
    .icon = "table",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "csv", "parse", "format", NULL},
    .related = (const char *const[]){"json", "csv-file", "write-file", NULL},
    .purpose = "Use it for CSV that comes from or goes to another system; csv-file and write-file work with files.",
    .limitations = (const char *const[]){"At most 16 MiB and 1000 columns; UTF-8 only.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
