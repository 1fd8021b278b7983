/* The registry and the catalog documents of every type (api-contract 1.5). */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void finds_types_and_the_alias(void **state)
{
    (void)state;
    assert_null(node_registry_find("no-such-type"));
    assert_null(node_registry_find(""));
    const struct flow_catalog *catalog = node_registry_catalog();
    assert_null(catalog->find(catalog, "no-such-type"));
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        assert_ptr_equal(node_registry_find((*type)->spec.type), *type);
        assert_ptr_equal(catalog->find(catalog, (*type)->spec.type), &(*type)->spec);
        if (type[1] != NULL)
            assert_true(strcmp(type[0]->spec.type, type[1]->spec.type) < 0); /* sorted, so none twice */
    }
}

static void assert_text(const struct json *object, const char *key)
{
    const char *text = json_get_str(object, key);
    if (text == NULL || *text == '\0')
        fail_msg("%s lacks %s", json_get_str(object, "type"), key);
}

static void assert_pins(const struct json *pins, bool are_inputs)
{
    static const char types[] = " string number boolean array object date binary any ";
    assert_true(json_is(pins, JSON_ARRAY));
    for (size_t i = 0; i < json_count(pins); i++) {
        const struct json *pin = json_at(pins, i);
        assert_text(pin, "name");
        assert_text(pin, "description");
        AUTO_FREE char *type = mem_printf(" %s ", json_get_str(pin, "type"));
        assert_non_null(strstr(types, type));
        assert_int_equal(json_is(json_get(pin, "required"), JSON_BOOL), are_inputs);
        if (strcmp(type, " string ") == 0 && json_has(pin, "defaultValue"))
            assert_true(json_is(json_get(pin, "defaultValue"), JSON_STRING)); /* the page shows it as placeholder */
    }
}

static void definitions_have_the_contract_s_shape(void **state)
{
    (void)state;
    static const char categories[] = " database transformation external-api notification storage logic ai-ml ";
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        AUTO_JSON struct json *definition = node_type_definition(*type);
        static const char *const texts[] = {"id",       "type", "name",      "description", "version",
                                            "category", "icon", "createdAt", "updatedAt"};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            assert_text(definition, texts[i]);
        assert_string_equal(json_get_str(definition, "id") + 8, (*type)->spec.type);
        AUTO_FREE char *category = mem_printf(" %s ", json_get_str(definition, "category"));
        assert_non_null(strstr(categories, category));
        assert_pins(json_get(definition, "inputs"), true);
        assert_pins(json_get(definition, "outputs"), false);
        assert_true(json_count(json_get(definition, "outputs")) > 0 ||
                    strcmp((*type)->spec.type, "stop-with-error") == 0);
        const struct json *configuration = json_get(definition, "configuration"),
                          *metadata = json_get(definition, "metadata");
        assert_true(json_get_int(configuration, "timeout", 0) > 0);
        assert_true(json_has(configuration, "retries") && json_has(configuration, "concurrency") &&
                    json_has(configuration, "batchSize"));
        assert_true(json_get_bool(metadata, "dynamicSource", false));
        assert_true(json_count(json_get(metadata, "tags")) > 0);
        assert_true(json_is(json_get(metadata, "relatedNodes"), JSON_ARRAY));
        assert_true(json_is(json_get(definition, "compatibilityMatrix"), JSON_ARRAY));
    }
}

static void every_configuration_field_has_help(const struct field *fields, const char *where)
{
    for (; fields != NULL && fields->name != NULL; fields++) {
        if (fields->help == NULL || strlen(fields->help) < 8)
            fail_msg("%s.%s has no help", where, fields->name);
        every_configuration_field_has_help(fields->fields, fields->name);
    }
}

static void assert_form(const struct json *form, const char *where)
{
    for (size_t i = 0; i < json_count(form); i++) {
        const struct json *entry = json_at(form, i);
        const char *name = json_get_str(entry, "name"), *label = json_get_str(entry, "label"),
                   *help = json_get_str(entry, "help"), *widget = json_get_str(entry, "widget");
        if (label == NULL || strlen(label) < 2 || help == NULL || strlen(help) < 8)
            fail_msg("%s.%s has no label or no help", where, name);
        bool known = widget == NULL;
        for (size_t k = 0; field_widgets[k] != NULL; k++)
            known |= widget != NULL && strcmp(widget, field_widgets[k]) == 0;
        if (!known)
            fail_msg("%s.%s: %s is no widget", where, name, widget);
        assert_form(json_get(entry, "fields"), name);
    }
}

/* The page makes its forms from `fields`. */
static void definitions_have_forms(void **state)
{
    (void)state;
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        AUTO_JSON struct json *definition = node_type_definition(*type);
        const struct json *form = json_get(definition, "fields");
        assert_form(form, (*type)->spec.type);
        assert_true(json_count(form) >= 3); /* those that every node has */
        for (const struct flow_pin *pin = (*type)->spec.inputs; pin != NULL && pin->name != NULL; pin++) {
            bool found = false;
            for (size_t i = 0; i < json_count(form); i++)
                found |= strcmp(json_get_str(json_at(form, i), "name"), pin->name) == 0 &&
                         json_get_bool(json_at(form, i), "pin", false);
            bool inner = (*type)->spec.container && strcmp(pin->name, "result") == 0; /* nothing to set */
            if (!found && !(*type)->spec.any_input && !inner)
                fail_msg("%s: the form lacks the pin %s", (*type)->spec.type, pin->name);
        }
    }
    AUTO_JSON struct json *query = node_type_definition(node_registry_find("postgresql-query"));
    const struct json *connection = json_at(json_get(query, "fields"), 0);
    assert_true(json_get_bool(connection, "secret", false) && json_get_bool(connection, "required", false));
    assert_string_equal(json_get_str(connection, "widget"), "connection");
}

static void documentation_is_complete(void **state)
{
    (void)state;
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        every_configuration_field_has_help((*type)->spec.fields, (*type)->spec.type);
        AUTO_JSON struct json *document = node_type_documentation(*type);
        static const char *const texts[] = {"type", "name", "description", "category", "version", "purpose"};
        static const char *const lists[] = {"inputs",        "outputs",      "usageExamples",
                                            "requirements",  "limitations",  "troubleshooting",
                                            "bestPractices", "relatedNodes", "tags"};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            assert_text(document, texts[i]);
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            assert_true(json_is(json_get(document, lists[i]), JSON_ARRAY));
        const struct json *examples = json_get(document, "usageExamples"),
                          *troubles = json_get(document, "troubleshooting");
        assert_true(json_count(examples) > 0);
        assert_true(json_count(troubles) > 0);
        for (size_t i = 0; i < json_count(examples); i++) {
            struct error error = {0};
            const struct json *configuration = json_get(json_at(examples, i), "configuration");
            assert_text(json_at(examples, i), "title");
            assert_text(json_at(examples, i), "description");
            assert_true(json_is(configuration, JSON_OBJECT));
            if ((*type)->spec.fields != NULL && fields_check((*type)->spec.fields, configuration, &error) != ERR_OK)
                fail_msg("%s, example %zu: %s", (*type)->spec.type, i, error.message);
        }
        for (size_t i = 0; i < json_count(troubles); i++) {
            assert_text(json_at(troubles, i), "issue");
            assert_text(json_at(troubles, i), "description");
            assert_text(json_at(troubles, i), "solution");
        }
    }
}

static void lists_what_the_page_can_edit(void **state)
{
    (void)state;
    AUTO_JSON struct json *definition = node_type_definition(node_registry_find("data-filter"));
    json_assert_equal(json_get(definition, "configuration"),
                      "{\"timeout\":10000,\"retries\":2,\"concurrency\":1,\"batchSize\":5000}");
    const struct json *conditions = json_at(json_get(definition, "inputs"), 1);
    assert_string_equal(json_get_str(conditions, "name"), "conditions");
    json_assert_equal(json_get(conditions, "defaultValue"),
                      "[{\"field\":\"status\",\"operator\":\"equals\",\"value\":\"active\"}]");
    AUTO_JSON struct json *trigger = node_type_definition(node_registry_find("webhook-trigger"));
    json_assert_equal(json_get(json_at(json_get(trigger, "inputs"), 2), "validation"),
                      "{\"enum\":[\"onReceived\",\"lastNode\"]}");
}

/* What the documentation shows is what the node gives; those with effects are run by their own tests. */
static void examples_of_pure_types_are_true(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        if (!(*type)->spec.pure ||
            strcmp((*type)->spec.type, "stop-with-error") == 0) /* its output is an error: test_logic */
            continue;
        if (!(*type)->spec.container) /* their outputs are the run's (flow/run_each.c) */
            node_assert_examples((*type)->spec.type);
        count++;
    }
    assert_true(count >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_types_and_the_alias), cmocka_unit_test(definitions_have_the_contract_s_shape),
        cmocka_unit_test(documentation_is_complete), cmocka_unit_test(examples_of_pure_types_are_true),
        cmocka_unit_test(definitions_have_forms),    cmocka_unit_test(lists_what_the_page_can_edit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
