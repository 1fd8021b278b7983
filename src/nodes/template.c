/* template: makes text of a template and the input, once or for each record. */
#include "nodes/records.h"
#include "nodes/template_text.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MAX (8 << 20)

static enum err each(const struct node_call *call, const struct template *template, struct template_options *options,
                     struct buf *text, struct json *texts, struct error *reterr)
{
    const struct json *data = json_get(call->inputs, "data");
    const char *separator = node_input_str(call, "separator", "\n");
    if (!json_is(data, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "data", "data must be an array for mode each, not %s.",
                         json_kind_name(data));
    enum err code = ERR_OK;
    for (size_t i = 0, n = json_count(data); i < n && code == ERR_OK; i++) {
        if (i > 0)
            buf_add_str(text, separator);
        size_t from = text->len;
        options->index = i;
        code = template_render(template, json_at(data, i), options, text, reterr);
        if (code != ERR_OK) {
            char prefix[40];
            (void)snprintf(prefix, sizeof prefix, "data[%zu]", i);
            error_prefix_field(reterr, prefix);
            break;
        }
        json_push(texts, json_string_new_n(buf_str(text) + from, text->len - from));
    }
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *source = json_get(call->inputs, "template");
    struct template *template = NULL;
    struct template_options options = {.escapes_html = strcmp(node_input_str(call, "escape", "none"), "html") == 0,
                                       .is_strict = json_get_bool(call->inputs, "strict", false)};
    code = template_parse(json_as_str(source), json_as_str_len(source), &template, reterr);
    if (code != ERR_OK)
        return code;
    bool per_record = strcmp(node_input_str(call, "mode", "once"), "each") == 0;
    struct json *texts = json_array_new();
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    if (per_record)
        code = each(call, template, &options, &text, texts, reterr);
    else
        code = template_render(template, json_get(call->inputs, "data"), &options, &text, reterr);
    if (code == ERR_OK) {
        call->records = per_record ? (int64_t)json_count(texts) : 1;
        node_call_set(call, "text", json_string_new_n(buf_str(&text), text.len));
        if (per_record)
            node_call_set(call, "texts", json_ref(texts));
    }
    buf_done(&text);
    json_unref(texts);
    template_free(template);
    return code;
}

static const char *const modes[] = {"once", "each", NULL};
static const char *const escapes[] = {"none", "html", NULL};
static const struct flow_pin inputs[] = {{.name = "data", .type = "any", .description = "What the template reads."},
                                         {0}};
static const struct flow_pin outputs[] = {
    {.name = "text", .type = "string", .description = "The text; with mode each all of them, joined."},
    {.name = "texts", .type = "array", .description = "With mode each: a text for each record."},
    {0}};
static const struct field fields[] = {
    {.name = "template",
     .kind = FIELD_STRING,
     .required = true,
     .max = TEMPLATE_BYTES_MAX,
     .widget = "textarea",
     .help = "Text with ${path}, ${path|filter}, ${#each list} … ${/each}, ${#if path} … ${else} … ${/if}; $${ is ${ "
             "itself."},
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"once\"",
     .help = "once reads the whole input, each makes a text for each record."},
    {.name = "escape",
     .kind = FIELD_ENUM,
     .values = escapes,
     .default_json = "\"none\"",
     .help = "html makes values safe to stand in a page or an e-mail."},
    {.name = "strict",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .label = "Fail on missing values",
     .help = "Fail when a path leads to nothing, instead of writing nothing."},
    {.name = "separator",
     .kind = FIELD_STRING,
     .max = 1000,
     .default_json = "\"\\n\"",
     .help = "With mode each: what stands between the texts in text."},
    {.name = "data", .kind = FIELD_ANY, .help = "What the template reads, when no connection brings it."},
    {0}};
static const struct node_example examples[] = {
    {"A letter", "Inside of each, paths begin at the element.",
     "{\"template\":\"Dear ${name|default:\\\"customer\\\"},\\n${#each lines}- ${sku}: "
     "${price|fixed:2}\\n${/each}${#if paid}Paid.${else}Please pay.${/if}\",\"data\":{\"name\":\"Ana\",\"lines\":[{"
     "\"sku\":\"a-1\",\"price\":9.5},{\"sku\":\"b\",\"price\":3}],\"paid\":false}}",
     "{\"text\":\"Dear Ana,\\n- a-1: 9.50\\n- b: 3.00\\nPlease pay.\"}"},
    {"A row for each record", "Values are made safe for a page.",
     "{\"template\":\"<li>${@index} "
     "${name}</li>\",\"mode\":\"each\",\"escape\":\"html\",\"separator\":\"\",\"data\":[{\"name\":\"A & "
     "B\"},{\"name\":\"C\"}]}",
     "{\"text\":\"<li>0 A &amp; B</li><li>1 C</li>\",\"texts\":[\"<li>0 A &amp; B</li>\",\"<li>1 C</li>\"]}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"template, line 3: ${#each …} is not closed in its turn", "Blocks close in the reverse order they were opened.",
     "Add ${/each} where the part ends."},
    {"A value is missing in the text", "Its path leads to nothing.", "Set strict to learn which one."},
    {0}};

const struct node_type node_template = {
    .spec = {.type = "template",
             .inputs = inputs,
             .outputs = outputs,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Template",
    .version = "1.0.0",
    .description = "Makes text of a template and the input.",
    .category = "transformation",
    .icon = "text",
    .timeout_ms = 10000,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"transformation", "text", "html", "letter", NULL},
    .related = (const char *const[]){"email-send", "write-file", NULL},
    .purpose =
        "Use it for messages, letters, pages and reports. Its own ${ } stays apart from the {{ }} of expressions, "
        "which are computed before the template is read.",
    .limitations =
        (const char *const[]){"The template has at most 1 MiB, the text 8 MiB.",
                              "A template reads values; it computes nothing. Use expressions or code for that.",
                              "upper and lower change the letters A to Z only.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
