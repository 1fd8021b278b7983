/* Finding JavaScript in a definition. */
#include "flow/scripts.h"

#include "base/mem.h"
#include "expression/expression.h"
#include "flow/flow_int.h"
#include <string.h>

struct collector {
    struct json *list;
    const char *node_id;
    size_t node;
};

static void add(const struct collector *collector, const char *as, const char *field, const char *source, size_t len)
{
    AUTO_FREE char *path = mem_printf("nodes[%zu].config.%s", collector->node, field);
    struct json *script = json_object_new();
    json_set_str(script, "as", as);
    json_set(script, "source", json_string_new_n(source, len));
    if (collector->node_id != NULL)
        json_set_str(script, "nodeId", collector->node_id);
    json_set_str(script, "field", path);
    json_push(collector->list, script);
}

bool flow_has_code(const struct json *config, const struct field *fields)
{
    bool has = false;
    for (const struct field *field = fields; !has && field != NULL && field->name != NULL; field++) {
        const struct json *value = json_get(config, field->name);
        bool object = json_is(value, JSON_OBJECT);
        if (field->code)
            has = json_is(value, JSON_STRING) && json_as_str_len(value) > 0;
        for (size_t i = 0; !has && field->fields != NULL && i < (object ? 1 : json_count(value)); i++)
            has = flow_has_code(object ? value : json_at(value, i), field->fields);
    }
    return has;
}

static bool takes_code(const struct field *field)
{
    bool takes = field->code;
    for (const struct field *inner = field->fields; !takes && inner != NULL && inner->name != NULL; inner++)
        takes = takes_code(inner);
    return takes;
}

bool flow_takes_code(const struct field *fields, const char *name)
{
    for (const struct field *field = fields; field != NULL && field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return takes_code(field);
    return false;
}

static void on_expression(void *user, const char *field, const char *source, size_t len)
{
    add(user, "expression", field, source, len);
}

static void add_code(const struct collector *collector, const struct json *object, const struct field *fields,
                     const char *prefix)
{
    for (const struct field *field = fields; field != NULL && field->name != NULL; field++) {
        const struct json *value = json_get(object, field->name);
        AUTO_FREE char *path = mem_printf("%s%s%s", prefix, *prefix == '\0' ? "" : ".", field->name);
        if (field->code && json_is(value, JSON_STRING)) {
            if (json_as_str_len(value) > 0)
                add(collector, *prefix == '\0' ? "code" : "body", path, json_as_str(value), json_as_str_len(value));
        } else if (field->fields != NULL && json_is(value, JSON_OBJECT)) {
            add_code(collector, value, field->fields, path);
        } else if (field->fields != NULL && json_is(value, JSON_ARRAY)) {
            for (size_t i = 0, n = json_count(value); i < n; i++) {
                AUTO_FREE char *element = mem_printf("%s[%zu]", path, i);
                add_code(collector, json_at(value, i), field->fields, element);
            }
        }
    }
}

struct json *flow_scripts(const struct json *definition, const struct flow_catalog *catalog)
{
    struct json *list = json_array_new();
    const struct json *nodes = json_get(definition, "nodes");
    for (size_t i = 0, n = json_is(nodes, JSON_ARRAY) ? json_count(nodes) : 0; i < n; i++) {
        const struct json *node = json_at(nodes, i), *config = json_get(node, "config");
        const char *type = json_get_str(node, "type");
        const struct flow_node_spec *spec = type == NULL ? NULL : catalog->find(catalog, type);
        if (!json_is(config, JSON_OBJECT))
            continue;
        struct collector collector = {.list = list, .node_id = json_get_str(node, "id"), .node = i};
        const struct field *fields = spec == NULL ? NULL : spec->fields;
        struct expressions *expressions = expressions_new(config, fields);
        expressions_each_script(expressions, on_expression, &collector);
        expressions_free(expressions);
        add_code(&collector, config, fields, "");
    }
    return list;
}

static int shown(const char *source, size_t len)
{
    size_t end = len < 80 ? len : 80;
    while (end > 0 && end < len && ((unsigned char)source[end] & 0xC0) == 0x80)
        end--;
    return (int)end;
}

static void judge_one(const struct json *script, const struct json *failure, struct json *problems)
{
    const struct json *source = json_get(script, "source");
    const char *as = json_get_str(script, "as"), *field = json_get_str(script, "field"),
               *reason = json_get_str(failure, "message"), *text = json_as_str(source);
    bool expression = strcmp(as, "expression") == 0;
    int64_t line = json_get_int(failure, "line", 0);
    if (reason == NULL)
        reason = "It is no JavaScript";
    if (expression)
        problem_add(problems, "INVALID_EXPRESSION", json_get_str(script, "nodeId"), field,
                    "%s: the expression {{ %.*s }} is not valid: %.200s.", field, shown(text, json_as_str_len(source)),
                    text, reason);
    else if (line > 0)
        problem_add(problems, "INVALID_CODE", json_get_str(script, "nodeId"), field,
                    "%s: line %lld is not valid: %.200s.", field, (long long)line, reason);
    else
        problem_add(problems, "INVALID_CODE", json_get_str(script, "nodeId"), field, "%s is not valid: %.200s.", field,
                    reason);
    if (line > 0) {
        struct json *added = json_at(problems, json_count(problems) - 1);
        json_set_int(added, "line", line);
    }
}

void flow_scripts_judge(const struct json *scripts, const struct json *results, struct json *problems)
{
    for (size_t i = 0, n = json_count(scripts); i < n; i++) {
        const struct json *failure = json_get(json_at(results, i), "e");
        if (failure != NULL)
            judge_one(json_at(scripts, i), failure, problems);
    }
}

void flow_scripts_unchecked(const char *reason, struct json *problems)
{
    problem_add(problems, "UNCHECKED_SCRIPT", NULL, NULL, "The syntax of JavaScript was not checked: %.300s", reason);
}
