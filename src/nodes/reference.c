/* The reference page of node types, printed from the registry. */
#include "nodes/node.h"

/* In a table cell: no bar and no line break. */
static void add_cell(struct buf *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void add_default(struct buf *out, const struct json *entry)
{
    if (json_has(entry, "defaultValue")) {
        AUTO_BUF struct buf text;
        buf_init(&text, 0);
        json_print(json_get(entry, "defaultValue"), &text);
        buf_add_char(out, '`');
        add_cell(out, buf_str(&text));
        buf_add_char(out, '`');
    }
}

/* What a value may be: from `validation` of the definition. */
static void add_bounds(struct buf *out, const struct json *entry)
{
    const struct json *validation = json_get(entry, "validation"), *values = json_get(validation, "enum");
    for (size_t i = 0; i < json_count(values); i++)
        buf_printf(out, "%s`%s`", i == 0 ? " One of " : ", ", json_as_str(json_at(values, i)));
    if (values != NULL)
        buf_add_char(out, '.');
    if (json_has(validation, "maximum"))
        buf_printf(out, " %lld to %lld.", (long long)json_get_int(validation, "minimum", 0),
                   (long long)json_get_int(validation, "maximum", 0));
    if (json_has(validation, "maxLength"))
        buf_printf(out, " %lld to %lld characters.", (long long)json_get_int(validation, "minLength", 0),
                   (long long)json_get_int(validation, "maxLength", 0));
}

static void add_inputs(struct buf *out, const struct json *inputs)
{
    buf_add_str(out, "\n| input or setting | type | required | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < json_count(inputs); i++) {
        const struct json *entry = json_at(inputs, i);
        buf_printf(out, "| `%s` | %s | %s | ", json_get_str(entry, "name"), json_get_str(entry, "type"),
                   json_get_bool(entry, "required", false) ? "yes" : "no");
        add_default(out, entry);
        buf_add_str(out, " | ");
        add_cell(out, json_get_str(entry, "description"));
        add_bounds(out, entry);
        buf_add_str(out, " |\n");
    }
}

static void add_outputs(struct buf *out, const struct json *outputs)
{
    if (json_count(outputs) == 0) {
        buf_add_str(out, "\nIt has no output but `error`.\n");
        return;
    }
    buf_add_str(out, "\n| output | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < json_count(outputs); i++) {
        const struct json *entry = json_at(outputs, i);
        buf_printf(out, "| `%s` | %s | ", json_get_str(entry, "name"), json_get_str(entry, "type"));
        add_cell(out, json_get_str(entry, "description"));
        buf_add_str(out, " |\n");
    }
}

static void add_list(struct buf *out, const char *title, const struct json *list)
{
    if (json_count(list) == 0)
        return;
    buf_printf(out, "\n%s\n\n", title);
    for (size_t i = 0; i < json_count(list); i++)
        buf_printf(out, "- %s\n", json_as_str(json_at(list, i)));
}

static void add_examples(struct buf *out, const struct json *list)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *example = json_at(list, i);
        buf_printf(out, "\nExample: %s. %s\n\n```json\n", json_get_str(example, "title"),
                   json_get_str(example, "description"));
        json_print_pretty(json_get(example, "configuration"), out);
        buf_add_str(out, "\n```\n\ngives\n\n```json\n");
        json_print_pretty(json_get(example, "expectedOutput"), out);
        buf_add_str(out, "\n```\n");
    }
}

static void add_troubles(struct buf *out, const struct json *list)
{
    buf_add_str(out, "\n| when | why | what to do |\n|---|---|---|\n");
    for (size_t i = 0; i < json_count(list); i++) {
        static const char *const columns[] = {"issue", "description", "solution"};
        for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
            buf_add_str(out, "| ");
            add_cell(out, json_get_str(json_at(list, i), columns[k]));
            buf_add_char(out, ' ');
        }
        buf_add_str(out, "|\n");
    }
}

static void add_type(struct buf *out, const struct node_type *type)
{
    AUTO_JSON struct json *definition = node_type_definition(type), *document = node_type_documentation(type);
    buf_printf(out, "\n## %s\n\n%s (%s, version %s). %s\n\n%s\n", type->spec.type, type->name, type->category,
               type->version, type->description, type->purpose);
    add_inputs(out, json_get(definition, "inputs"));
    add_outputs(out, json_get(definition, "outputs"));
    add_list(out, "It needs:", json_get(document, "requirements"));
    add_list(out, "Its limits:", json_get(document, "limitations"));
    add_list(out, "Advice:", json_get(document, "bestPractices"));
    add_examples(out, json_get(document, "usageExamples"));
    add_troubles(out, json_get(document, "troubleshooting"));
}

void node_reference_markdown(struct buf *out)
{
    buf_add_str(
        out,
        "# Node types\n\nThis page is printed from the registry of node types; a test fails when it differs.\n\n"
        "A node's inputs are its configuration, overlaid by what connections bring. Besides what is listed, every node "
        "takes `timeout` (milliseconds of one attempt), `retry` and `critical`, and has an output `error`.\n\n"
        "| type | category | what it does |\n|---|---|---|\n");
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++)
        buf_printf(out, "| [`%s`](#%s) | %s | %s |\n", (*type)->spec.type, (*type)->spec.type, (*type)->category,
                   (*type)->description);
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++)
        add_type(out, *type);
}
