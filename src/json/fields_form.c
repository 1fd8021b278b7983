/* Field tables as forms: what a page needs to edit a value. */
#include "json/fields.h"

#include "base/mem.h"
#include <ctype.h>
#include <string.h>

const char *const field_widgets[] = {"code-javascript", "sql",      "json",      "expression", "secret", "cron",
                                     "password",        "textarea", "key-value", "connection", NULL};

static const char *const kinds[] = {"string", "integer", "number",  "boolean", "enum",
                                    "object", "array",   "strings", "any"};

/* maxResponseBytes: "Max response bytes". */
static void add_label(struct buf *out, const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (c == name)
            buf_add_char(out, (char)toupper((unsigned char)*c));
        else if (isupper((unsigned char)*c) && !isupper((unsigned char)c[-1])) {
            buf_add_char(out, ' ');
            buf_add_char(out, (char)(isupper((unsigned char)c[1]) ? *c : tolower((unsigned char)*c)));
        } else {
            buf_add_char(out, *c);
        }
    }
}

static const char *widget_of(const struct field *field)
{
    if (field->widget != NULL)
        return field->widget;
    if (field->secret)
        return "secret";
    bool free_form = field->kind == FIELD_ANY || (field->kind == FIELD_OBJECT && field->fields == NULL) ||
                     (field->kind == FIELD_ARRAY && field->fields == NULL);
    return free_form ? "json" : NULL;
}

static void set_bounds(const struct field *field, struct json *entry)
{
    if (field->min != 0 || field->max != 0) {
        json_set_int(entry, "min", field->min);
        json_set_int(entry, "max", field->max);
    }
    if (field->pattern != NULL)
        json_set_str(entry, "pattern", field->pattern);
    if (field->values == NULL)
        return;
    struct json *values = json_array_new();
    for (size_t i = 0; field->values[i] != NULL; i++)
        json_push(values, json_string_new(field->values[i]));
    json_set(entry, "values", values);
}

static struct json *form_entry(const struct field *field)
{
    struct json *entry = json_object_new(), *value = NULL;
    AUTO_BUF struct buf label;
    buf_init(&label, 0);
    if (field->label == NULL)
        add_label(&label, field->name);
    json_set_str(entry, "name", field->name);
    json_set_str(entry, "kind", kinds[field->kind]);
    json_set_str(entry, "label", field->label != NULL ? field->label : buf_str(&label));
    json_set_str(entry, "help", field->help == NULL ? "" : field->help);
    json_set_bool(entry, "required", field->required);
    json_set_bool(entry, "nullable", field->nullable);
    json_set_bool(entry, "secret", field->secret);
    if (field->default_json != NULL &&
        json_parse(field->default_json, strlen(field->default_json), &value, NULL) == ERR_OK)
        json_set(entry, "default", value);
    set_bounds(field, entry);
    if (widget_of(field) != NULL)
        json_set_str(entry, "widget", widget_of(field));
    if (field->group != NULL)
        json_set_str(entry, "group", field->group);
    if (field->fields != NULL)
        json_set(entry, "fields", fields_form(field->fields));
    return entry;
}

struct json *fields_form(const struct field *fields)
{
    struct json *form = json_array_new();
    for (; fields != NULL && fields->name != NULL; fields++)
        json_push(form, form_entry(fields));
    return form;
}
