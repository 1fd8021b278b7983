/* Results of node calls, and the catalog documents of a node type. */
#include "nodes/node_int.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void node_call_set(struct node_call *call, const char *pin, struct json *take_value)
{
    if (call->outputs == NULL)
        call->outputs = json_object_new();
    json_set(call->outputs, pin, take_value);
}

void node_call_log(struct node_call *call, const char *level, const char *format, ...)
{
    if (call->logs == NULL)
        call->logs = json_array_new();
    if (json_count(call->logs) >= NODE_LOG_LINES_MAX)
        return;
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort(); /* out of memory */
    va_end(args);
    size_t len = strlen(text);
    if (len > NODE_LOG_MESSAGE_BYTES_MAX)
        for (len = NODE_LOG_MESSAGE_BYTES_MAX; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--; /* cut at a UTF-8 boundary */
    struct json *line = json_object_new();
    json_set_str(line, "level", level);
    json_set(line, "message", json_string_new_n(text, len));
    json_push(call->logs, line);
    free(text);
}

void node_call_wait_for(struct node_call *call, struct json *take_waiting, int64_t wake_ms)
{
    node_call_wait(call, wake_ms);
    json_unref(call->waiting);
    call->waiting = take_waiting;
}

void node_call_wait(struct node_call *call, int64_t wake_ms)
{
    call->is_wait = true;
    call->wake_ms = wake_ms;
    if (call->type->mode == NODE_ASYNC)
        call->on_complete(call, ERR_OK);
}

void node_call_done(struct node_call *call)
{
    call->on_complete(call, ERR_OK);
}

void node_call_failed(struct node_call *call, const struct error *error)
{
    call->error = *error;
    call->on_complete(call, error->code);
}

enum node_mode node_mode_of(const struct node_type *type, const struct json *inputs)
{
    return type->mode_of == NULL ? type->mode : type->mode_of(inputs);
}

void node_call_free_results(struct node_call *call)
{
    json_unref(call->outputs);
    json_unref(call->logs);
    json_unref(call->waiting);
    call->outputs = call->logs = call->waiting = NULL;
    call->records = call->wake_ms = 0;
    call->is_wait = false;
    call->error = (struct error){0};
}

enum err node_inputs_check(const struct node_call *call, struct error *reterr)
{
    for (const struct flow_pin *pin = call->type->spec.inputs; pin != NULL && pin->name != NULL; pin++)
        if (pin->required && !json_has(call->inputs, pin->name))
            return error_set(reterr, ERR_VALIDATION, pin->name,
                             "%s is required: set it in the configuration or connect it.", pin->name);
    return call->type->spec.fields == NULL ? ERR_OK : fields_check(call->type->spec.fields, call->inputs, reterr);
}

struct json *node_input_ref(const struct node_call *call, const char *name)
{
    return json_ref(json_get(call->inputs, name));
}

const char *node_input_str(const struct node_call *call, const char *name, const char *otherwise)
{
    const char *text = json_get_str(call->inputs, name);
    return text == NULL ? otherwise : text;
}

void node_call_pass(struct node_call *call, const char *pin, const char *name)
{
    if (json_has(call->inputs, name))
        node_call_set(call, pin, node_input_ref(call, name));
}

bool node_is_engine_field(const char *name)
{
    return strcmp(name, "timeout") == 0 || strcmp(name, "retry") == 0 || strcmp(name, "critical") == 0 ||
           strcmp(name, "maxIterations") == 0;
}

/* ---- catalog documents (api-contract 1.5) ---- */

#define DEFINITION_DATE                                                                                                \
    "2025-01-01T00:00:00.000Z" /* of version 1.0.0; built-in types are not rows with times of their own */

static struct json *parse_own(const char *text)
{
    struct json *value = NULL;
    struct error error;
    if (text != NULL && json_parse(text, strlen(text), &value, &error) != ERR_OK) {
        (void)fprintf(stderr, "a node type holds broken JSON: %s: %s\n", error.message, text);
        abort(); /* a defect of this program; test_registry reads them all */
    }
    return value;
}

static struct json *strings(const char *const *list)
{
    struct json *array = json_array_new();
    for (; list != NULL && *list != NULL; list++)
        json_push(array, json_string_new(*list));
    return array;
}

static struct json *validation_of(const struct field *field)
{
    struct json *validation = json_object_new();
    bool text = field->kind == FIELD_STRING, number = field->kind == FIELD_INT || field->kind == FIELD_NUMBER;
    if ((field->min != 0 || field->max != 0) && (text || number)) {
        json_set_int(validation, text ? "minLength" : "minimum", field->min);
        json_set_int(validation, text ? "maxLength" : "maximum", field->max);
    }
    if (field->pattern != NULL)
        json_set_str(validation, "pattern", field->pattern);
    if (field->values != NULL)
        json_set(validation, "enum", strings(field->values));
    if (json_count(validation) > 0)
        return validation;
    json_unref(validation);
    return NULL;
}

static struct json *input_entry(const char *name, const char *type, bool required, const char *description,
                                const char *default_json, const struct field *field)
{
    struct json *entry = json_object_new();
    json_set_str(entry, "name", name);
    json_set_str(entry, "type", type);
    json_set_bool(entry, "required", required);
    json_set_str(entry, "description", description == NULL ? "" : description);
    const char *text = default_json != NULL ? default_json : field != NULL ? field->default_json : NULL;
    if (text != NULL)
        json_set(entry, "defaultValue", parse_own(text));
    struct json *validation = field == NULL ? NULL : validation_of(field);
    if (validation != NULL)
        json_set(entry, "validation", validation);
    return entry;
}

/* The page edits what is listed as inputs, so configuration fields follow the pins. */
static struct json *inputs_of(const struct node_type *type)
{
    static const char *const kinds[] = {"string", "number", "number", "boolean", "string",
                                        "object", "array",  "array",  "any"};
    struct json *inputs = json_array_new();
    for (const struct flow_pin *pin = type->spec.inputs; pin != NULL && pin->name != NULL; pin++)
        json_push(inputs, input_entry(pin->name, pin->type, pin->required, pin->description, pin->default_json,
                                      fields_find(type->spec.fields, pin->name)));
    for (const struct field *field = type->spec.fields; field != NULL && field->name != NULL; field++)
        if (flow_pin_find(type->spec.inputs, field->name) == NULL)
            json_push(inputs, input_entry(field->name, kinds[field->kind], field->required, field->help, NULL, field));
    return inputs;
}

static struct json *outputs_of(const struct node_type *type)
{
    struct json *outputs = json_array_new();
    for (const struct flow_pin *pin = type->spec.outputs; pin != NULL && pin->name != NULL; pin++) {
        struct json *entry = json_object_new();
        json_set_str(entry, "name", pin->name);
        json_set_str(entry, "type", pin->type);
        json_set_str(entry, "description", pin->description == NULL ? "" : pin->description);
        json_push(outputs, entry);
    }
    return outputs;
}

/* The node's own fields, then those every node has; `pin` says that a connection may bring the value too. */
static struct json *form_of(const struct node_type *type)
{
    struct json *own = fields_form(type->spec.fields), *common = fields_form(flow_node_settings_fields);
    for (size_t i = 0; i < json_count(own); i++) {
        struct json *entry = json_at(own, i);
        const struct flow_pin *pin = flow_pin_find(type->spec.inputs, json_get_str(entry, "name"));
        json_set_bool(entry, "pin", pin != NULL);
        if (pin != NULL && pin->required)
            json_set_bool(entry, "required", true);
        if (pin != NULL && pin->default_json != NULL && !json_has(entry, "default"))
            json_set(entry, "default", parse_own(pin->default_json));
    }
    for (size_t i = 0; i < json_count(common); i++)
        if (fields_find(type->spec.fields, json_get_str(json_at(common, i), "name")) == NULL) {
            struct json *entry = json_ref(json_at(common, i));
            json_set_bool(entry, "pin", false);
            json_push(own, entry);
        }
    json_unref(common);
    return own;
}

static struct json *rules_of(const struct node_type *type)
{
    struct json *rules = json_array_new();
    for (const struct flow_rule *rule = type->spec.rules; rule != NULL && rule->target_type != NULL; rule++) {
        struct json *entry = json_object_new();
        json_set_str(entry, "targetType", rule->target_type);
        json_set_str(entry, "outputPin", rule->output_pin);
        json_set_str(entry, "targetInputPin", rule->target_input_pin);
        json_set_str(entry, "compatibility", rule->compatibility);
        json_push(rules, entry);
    }
    return rules;
}

static void set_common(const struct node_type *type, struct json *document)
{
    json_set_str(document, "type", type->spec.type);
    json_set_str(document, "name", type->name);
    json_set_str(document, "description", type->description);
    json_set_str(document, "version", type->version);
    json_set_str(document, "category", type->category);
}

struct json *node_type_definition(const struct node_type *type)
{
    struct json *definition = json_object_new(), *configuration = json_object_new(), *metadata = json_object_new();
    AUTO_FREE char *id = mem_printf("dynamic-%s", type->spec.type);
    json_set_str(definition, "id", id);
    set_common(type, definition);
    json_set_str(definition, "icon", type->icon);
    json_set(definition, "inputs", inputs_of(type));
    json_set(definition, "outputs", outputs_of(type));
    json_set(definition, "fields", form_of(type));
    json_set(definition, "compatibilityMatrix", rules_of(type));
    json_set_int(configuration, "timeout", type->timeout_ms);
    json_set_int(configuration, "retries", type->retries);
    json_set_int(configuration, "concurrency", type->concurrency);
    json_set_int(configuration, "batchSize", type->batch_size);
    json_set(definition, "configuration", configuration);
    json_set(metadata, "tags", strings(type->tags));
    json_set(metadata, "relatedNodes", strings(type->related));
    json_set_bool(metadata, "dynamicSource", true);
    json_set(metadata, "configurationSchema", fields_schema(type->spec.fields));
    json_set(definition, "metadata", metadata);
    json_set_bool(definition, "dynamicSource", true);
    json_set_str(definition, "createdAt", DEFINITION_DATE);
    json_set_str(definition, "updatedAt", DEFINITION_DATE);
    return definition;
}

static struct json *brief(struct json *take_pins)
{
    struct json *list = json_array_new();
    for (size_t i = 0; i < json_count(take_pins); i++) {
        const struct json *pin = json_at(take_pins, i);
        struct json *entry = json_object_new();
        json_set_str(entry, "name", json_get_str(pin, "name"));
        json_set_str(entry, "type", json_get_str(pin, "type"));
        json_set_str(entry, "description", json_get_str(pin, "description"));
        json_push(list, entry);
    }
    json_unref(take_pins);
    return list;
}

static struct json *examples_of(const struct node_type *type)
{
    struct json *list = json_array_new();
    for (const struct node_example *example = type->examples; example != NULL && example->title != NULL; example++) {
        struct json *entry = json_object_new();
        json_set_str(entry, "title", example->title);
        json_set_str(entry, "description", example->description);
        json_set(entry, "configuration", parse_own(example->configuration_json));
        json_set(entry, "expectedOutput", parse_own(example->expected_output_json));
        json_push(list, entry);
    }
    return list;
}

static struct json *troubles_of(const struct node_type *type)
{
    struct json *list = json_array_new();
    for (const struct node_trouble *trouble = type->troubles; trouble != NULL && trouble->issue != NULL; trouble++) {
        struct json *entry = json_object_new();
        json_set_str(entry, "issue", trouble->issue);
        json_set_str(entry, "description", trouble->description);
        json_set_str(entry, "solution", trouble->solution);
        json_push(list, entry);
    }
    return list;
}

struct json *node_type_documentation(const struct node_type *type)
{
    struct json *document = json_object_new();
    set_common(type, document);
    json_set_str(document, "purpose", type->purpose);
    json_set(document, "inputs", brief(inputs_of(type)));
    json_set(document, "outputs", brief(outputs_of(type)));
    json_set(document, "usageExamples", examples_of(type));
    json_set(document, "requirements", strings(type->requirements));
    json_set(document, "limitations", strings(type->limitations));
    json_set(document, "troubleshooting", troubles_of(type));
    json_set(document, "bestPractices", strings(type->best_practices));
    json_set(document, "relatedNodes", strings(type->related));
    json_set(document, "tags", strings(type->tags));
    return document;
}
