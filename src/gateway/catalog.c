/* Routes of the catalog (api-contract 1.5): the node types of this program, and definitions that others registered. */
#include "gateway/api_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const struct category {
    const char *name, *description, *icon;
} categories[] = {
    {"database", "Queries and changes in databases", "database"},
    {"transformation", "Filters, maps and summaries of data", "transform"},
    {"external-api", "Requests to other systems", "api"},
    {"notification", "Messages to people", "notification"},
    {"storage", "Files", "storage"},
    {"logic", "Branches, joins and waits", "logic"},
    {"ai-ml", "Language models and machine learning", "ai"},
};
static const char *const category_names[] = {"database", "transformation", "external-api", "notification",
                                             "storage",  "logic",          "ai-ml",        NULL};

struct definition_access {
    const char *id;
    const struct json *document;
    struct json *loaded;
};

static enum err read_definitions(struct store_session *session, void *arg, struct error *reterr)
{
    struct definition_access *access = arg;
    return store_all(session, STORE_NODE_DEFINITIONS, &access->loaded, reterr);
}

static struct json *own_definitions(void)
{
    struct json *list = json_array_new();
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++)
        json_push(list, node_type_definition(*type));
    return list;
}

/* The program's own first, then the registered ones. */
static enum err all_definitions(struct api *api, struct json **ret, struct error *reterr)
{
    struct definition_access access = {0};
    enum err code = api_read(api, read_definitions, &access, reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = own_definitions();
    for (size_t i = 0; i < json_count(access.loaded); i++)
        json_push(list, json_ref(json_at(access.loaded, i)));
    json_unref(access.loaded);
    *ret = list;
    return ERR_OK;
}

static enum err get_metadata(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    (void)reterr;
    http_reply(request, 200, own_definitions());
    return ERR_OK;
}

static enum err get_documentation(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    const struct node_type *type = node_registry_find(request->params[0]);
    if (type == NULL)
        return error_set(reterr, ERR_NOT_FOUND, "nodeType", "There is no node type \"%.60s\".", request->params[0]);
    http_reply(request, 200, node_type_documentation(type));
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(json_get_str(*(struct json *const *)a, "name"), json_get_str(*(struct json *const *)b, "name"));
}

/* Compares dotted numbers; the greater is the newer. */
static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        char *end_a, *end_b;
        long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = *end_a == '.' ? end_a + 1 : "";
        b = *end_b == '.' ? end_b + 1 : "";
    }
    return 0;
}

/* Those a filter keeps, sorted. */
static struct json *sorted(const struct json *list, bool (*keep)(const struct json *definition, const void *arg),
                           const void *arg, int (*compare)(const void *, const void *))
{
    size_t count = 0;
    struct json **kept = mem_array(json_count(list) + 1, sizeof *kept), *result = json_array_new();
    for (size_t i = 0; i < json_count(list); i++)
        if (keep(json_at(list, i), arg))
            kept[count++] = json_at(list, i);
    qsort(kept, count, sizeof *kept, compare);
    for (size_t i = 0; i < count; i++)
        json_push(result, json_ref(kept[i]));
    free(kept);
    return result;
}

struct wanted {
    const char *category, *version, *search, *type;
};

static bool is_wanted(const struct json *definition, const void *arg)
{
    const struct wanted *wanted = arg;
    return (wanted->category == NULL || strcmp(wanted->category, json_get_str(definition, "category")) == 0) &&
           (wanted->version == NULL || strcmp(wanted->version, json_get_str(definition, "version")) == 0) &&
           (wanted->type == NULL || strcmp(wanted->type, json_get_str(definition, "type")) == 0) &&
           (wanted->search == NULL || strcasestr(json_get_str(definition, "name"), wanted->search) != NULL);
}

static bool is_category(const char *name)
{
    for (size_t i = 0; category_names[i] != NULL; i++)
        if (strcmp(category_names[i], name) == 0)
            return true;
    return false;
}

static enum err list_nodes(struct api *api, struct http_request *request, struct error *reterr)
{
    struct wanted wanted = {.category = http_request_query(request, "category"),
                            .version = http_request_query(request, "version"),
                            .search = http_request_query(request, "search")};
    if (wanted.category != NULL && !is_category(wanted.category))
        return error_set(reterr, ERR_VALIDATION, "category", "There is no category \"%.40s\".", wanted.category);
    AUTO_JSON struct json *all = NULL;
    enum err code = all_definitions(api, &all, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, sorted(all, is_wanted, &wanted, by_name));
    return code;
}

static int by_version(const void *a, const void *b)
{
    return compare_versions(json_get_str(*(struct json *const *)b, "version"),
                            json_get_str(*(struct json *const *)a, "version"));
}

/* All versions of a type, the newest first; NOT_FOUND if there is none. */
static enum err find_type(struct api *api, const char *type, const char *version, struct json **ret,
                          struct error *reterr)
{
    AUTO_JSON struct json *all = NULL;
    const struct node_type *own = node_registry_find(type); /* knows aliases */
    struct wanted wanted = {.type = own == NULL ? type : own->spec.type, .version = version};
    enum err code = all_definitions(api, &all, reterr);
    if (code != ERR_OK)
        return code;
    struct json *found = sorted(all, is_wanted, &wanted, by_version);
    if (json_count(found) == 0) {
        json_unref(found);
        return error_set(reterr, ERR_NOT_FOUND, "type", "There is no node type \"%.60s\"%s%.20s.", type,
                         version == NULL ? "" : " in version ", version == NULL ? "" : version);
    }
    *ret = found;
    return ERR_OK;
}

static enum err get_node(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *found = NULL;
    enum err code = find_type(api, request->params[0], http_request_query(request, "version"), &found, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, json_ref(json_at(found, 0)));
    return code;
}

static enum err list_versions(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *found = NULL;
    enum err code = find_type(api, request->params[0], NULL, &found, reterr);
    if (code != ERR_OK)
        return code;
    struct json *versions = json_array_new();
    for (size_t i = 0; i < json_count(found); i++) {
        const struct json *definition = json_at(found, i);
        struct json *version = json_object_new();
        json_set_str(version, "version", json_get_str(definition, "version"));
        json_set_str(version, "releaseDate", json_get_str(definition, "createdAt"));
        json_set_str(version, "changelog", json_get_str(definition, "description"));
        json_set_bool(version, "deprecated", false);
        json_set_bool(version, "breaking", false);
        json_push(versions, version);
    }
    http_reply(request, 200, versions);
    return ERR_OK;
}

static enum err get_compatibility(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *found = NULL;
    enum err code = find_type(api, request->params[0], http_request_query(request, "version"), &found, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, json_ref(json_get(json_at(found, 0), "compatibilityMatrix")));
    return code;
}

/* ---- registering a definition */

static const char *const data_types[] = {"string", "number", "boolean", "array", "object",
                                         "date",   "binary", "any",     NULL};
static const char *const compatibilities[] = {"full", "partial", "conditional", "none", NULL};
static const struct field input_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "Name of the pin."},
    {.name = "type", .kind = FIELD_ENUM, .required = true, .values = data_types, .help = "What it takes."},
    {.name = "required", .kind = FIELD_BOOL, .help = "Whether the node needs it."},
    {.name = "description", .kind = FIELD_STRING, .nullable = true, .max = 500, .help = "What it is."},
    {0}};
static const struct field output_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "Name of the pin."},
    {.name = "type", .kind = FIELD_ENUM, .required = true, .values = data_types, .help = "What it gives."},
    {.name = "description", .kind = FIELD_STRING, .nullable = true, .max = 500, .help = "What it is."},
    {0}};
static const struct field rule_fields[] = {
    {.name = "targetType",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 100,
     .help = "Type of the other node."},
    {.name = "outputPin", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "From this output."},
    {.name = "targetInputPin", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "To that input."},
    {.name = "compatibility",
     .kind = FIELD_ENUM,
     .required = true,
     .values = compatibilities,
     .help = "How well they fit."},
    {0}};
static const struct field definition_fields[] = {
    {.name = "type",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 100,
     .pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
     .help = "Words in lower case with hyphens."},
    {.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = LIMIT_NAME_CHARS, .help = "Name shown."},
    {.name = "description",
     .kind = FIELD_STRING,
     .nullable = true,
     .max = LIMIT_DESCRIPTION_CHARS,
     .help = "What it does."},
    {.name = "version",
     .kind = FIELD_STRING,
     .required = true,
     .min = 5,
     .max = 30,
     .pattern = "^\\d+\\.\\d+\\.\\d+$",
     .help = "Three numbers with dots."},
    {.name = "category", .kind = FIELD_ENUM, .required = true, .values = category_names, .help = "Where it is listed."},
    {.name = "icon", .kind = FIELD_STRING, .nullable = true, .max = 100, .help = "Name of its icon."},
    {.name = "inputs",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = 100,
     .fields = input_fields,
     .help = "Input pins."},
    {.name = "outputs",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = 100,
     .fields = output_fields,
     .help = "Output pins."},
    {.name = "compatibilityMatrix",
     .kind = FIELD_ARRAY,
     .required = true,
     .max = 500,
     .fields = rule_fields,
     .help = "Which nodes may follow."},
    {.name = "configuration",
     .kind = FIELD_OBJECT,
     .nullable = true,
     .help = "Time limits and retries, for information."},
    {.name = "metadata", .kind = FIELD_OBJECT, .nullable = true, .help = "Yours; kept as it is."},
    {0}};

static bool is_kebab(const char *text)
{
    bool hyphen = true;
    for (; *text != '\0'; text++) {
        bool is_hyphen = *text == '-';
        if (is_hyphen ? hyphen : !islower((unsigned char)*text) && !isdigit((unsigned char)*text))
            return false;
        hyphen = is_hyphen;
    }
    return !hyphen;
}

static bool is_version(const char *text)
{
    int dots = 0;
    bool digit = false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !digit)
            return false;
        dots += *text == '.';
        digit = isdigit((unsigned char)*text) != 0;
        if (!digit && *text != '.')
            return false;
    }
    return digit && dots == 2;
}

static bool has_pin(const struct json *pins, const char *name, size_t below)
{
    for (size_t i = 0; i < json_count(pins) && i < below; i++)
        if (strcmp(json_get_str(json_at(pins, i), "name"), name) == 0)
            return true;
    return false;
}

static enum err check_definition(const struct json *body, struct error *reterr)
{
    static const char *const sides[] = {"inputs", "outputs"};
    char field[80];
    if (!is_kebab(json_get_str(body, "type")))
        return error_set(reterr, ERR_VALIDATION, "type",
                         "type must be words of lower-case letters and digits joined by hyphens, such as my-node.");
    if (!is_version(json_get_str(body, "version")))
        return error_set(reterr, ERR_VALIDATION, "version",
                         "version must be three numbers joined by dots, such as 1.0.0.");
    for (size_t side = 0; side < 2; side++) {
        const struct json *pins = json_get(body, sides[side]);
        for (size_t i = 0; i < json_count(pins); i++)
            if (has_pin(pins, json_get_str(json_at(pins, i), "name"), i)) {
                (void)snprintf(field, sizeof field, "%s[%zu].name", sides[side], i);
                return error_set(reterr, ERR_VALIDATION, field, "The name \"%.60s\" stands twice in %s.",
                                 json_get_str(json_at(pins, i), "name"), sides[side]);
            }
    }
    const struct json *rules = json_get(body, "compatibilityMatrix");
    for (size_t i = 0; i < json_count(rules); i++)
        if (!has_pin(json_get(body, "outputs"), json_get_str(json_at(rules, i), "outputPin"), SIZE_MAX)) {
            (void)snprintf(field, sizeof field, "compatibilityMatrix[%zu].outputPin", i);
            return error_set(reterr, ERR_VALIDATION, field, "The rule's output \"%.60s\" is not among the outputs.",
                             json_get_str(json_at(rules, i), "outputPin"));
        }
    return ERR_OK;
}

static enum err write_definition(struct store_session *session, void *arg, struct error *reterr)
{
    struct definition_access *access = arg;
    struct json *former = NULL;
    struct error ignored;
    enum err code = store_get(session, STORE_NODE_DEFINITIONS, access->id, &former, &ignored);
    json_unref(former);
    if (code == ERR_OK)
        return error_set(reterr, ERR_CONFLICT, "version", "This version of the type is registered already.");
    if (code != ERR_NOT_FOUND)
        return error_set(reterr, code, NULL, "%s", ignored.message);
    return store_put(session, STORE_NODE_DEFINITIONS, access->id, access->document, clock_now_ms(), reterr);
}

static enum err create_node(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct json *body = request->json;
    enum err code = check_definition(body, reterr);
    if (code != ERR_OK)
        return code;
    const struct node_type *own = node_registry_find(json_get_str(body, "type"));
    if (own != NULL && strcmp(own->version, json_get_str(body, "version")) == 0)
        return error_set(reterr, ERR_CONFLICT, "type", "%s %s is a node of this program.", own->spec.type,
                         own->version);
    char id[ID_TEXT_BYTES], at[ISO_TEXT_BYTES];
    AUTO_JSON struct json *definition = json_object_new();
    id_new(id);
    clock_format_iso(clock_now_ms(), at);
    json_set_str(definition, "id", id);
    for (const struct field *field = definition_fields; field->name != NULL; field++)
        json_set(definition, field->name, json_dup(json_get(body, field->name)));
    json_set_str(definition, "createdAt", at);
    json_set_str(definition, "updatedAt", at);
    AUTO_FREE char *key = mem_printf("%s@%s", json_get_str(body, "type"), json_get_str(body, "version"));
    struct definition_access access = {.id = key, .document = definition};
    code = store_write(api->options.store, write_definition, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 201, json_ref(definition));
    return code;
}

/* ---- compatibility (3.5a) */

static const struct field node_ref_fields[] = {
    {.name = "type", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "Node type."},
    {.name = "version",
     .kind = FIELD_STRING,
     .nullable = true,
     .max = 30,
     .help = "Its version; the newest if absent."},
    {0}};
static const struct field link_fields[] = {
    {.name = "outputPin",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 100,
     .help = "Output of the source."},
    {.name = "inputPin", .kind = FIELD_STRING, .required = true, .min = 1, .max = 100, .help = "Input of the target."},
    {0}};
static const struct field check_fields[] = {
    {.name = "sourceNode",
     .kind = FIELD_OBJECT,
     .required = true,
     .fields = node_ref_fields,
     .help = "Where the connection begins."},
    {.name = "targetNode", .kind = FIELD_OBJECT, .required = true, .fields = node_ref_fields, .help = "Where it ends."},
    {.name = "connection", .kind = FIELD_OBJECT, .required = true, .fields = link_fields, .help = "The two pins."},
    {0}};

static void add_issue(struct json *issues, const char *type, const char *field, const char *message)
{
    struct json *issue = json_object_new();
    json_set_str(issue, "type", type);
    json_set_str(issue, "message", message);
    if (field != NULL)
        json_set_str(issue, "field", field);
    json_push(issues, issue);
}

static const struct json *find_pin(const struct json *pins, const char *name)
{
    for (size_t i = 0; i < json_count(pins); i++)
        if (strcmp(json_get_str(json_at(pins, i), "name"), name) == 0)
            return json_at(pins, i);
    return NULL;
}

static const struct json *find_rule(const struct json *source, const char *target_type, const struct json *link)
{
    const struct json *rules = json_get(source, "compatibilityMatrix");
    for (size_t i = 0; i < json_count(rules); i++) {
        const struct json *rule = json_at(rules, i);
        if (strcmp(json_get_str(rule, "targetType"), target_type) == 0 &&
            strcmp(json_get_str(rule, "outputPin"), json_get_str(link, "outputPin")) == 0 &&
            strcmp(json_get_str(rule, "targetInputPin"), json_get_str(link, "inputPin")) == 0)
            return rule;
    }
    return NULL;
}

static struct json *transformations_of(const struct json *rule)
{
    struct json *list = json_array_new();
    const struct json *given = json_get(rule, "transformations");
    for (size_t i = 0; i < json_count(given); i++) {
        struct json *entry = json_object_new();
        json_set(entry, "from", json_ref(json_get(json_at(given, i), "from")));
        json_set(entry, "to", json_ref(json_get(json_at(given, i), "to")));
        json_set(entry, "transformation", json_ref(json_get(json_at(given, i), "function")));
        json_push(list, entry);
    }
    return list;
}

static struct json *judge(const struct json *source, const struct json *target, const struct json *link)
{
    struct json *answer = json_object_new(), *issues = json_array_new();
    const struct json *rule = find_rule(source, json_get_str(target, "type"), link);
    const struct json *output = find_pin(json_get(source, "outputs"), json_get_str(link, "outputPin"));
    const struct json *input = find_pin(json_get(target, "inputs"), json_get_str(link, "inputPin"));
    if (rule == NULL)
        add_issue(issues, "error", NULL, "The source type has no rule for this connection.");
    if (output == NULL)
        add_issue(issues, "error", "outputPin", "The source type has no such output.");
    if (input == NULL)
        add_issue(issues, "error", "inputPin", "The target type has no such input.");
    if (output != NULL && input != NULL) {
        const char *from = json_get_str(output, "type"), *to = json_get_str(input, "type");
        if (strcmp(from, to) != 0 && strcmp(from, "any") != 0 && strcmp(to, "any") != 0)
            add_issue(issues, "warning", NULL, "The two pins have different types.");
    }
    const char *compatibility = rule == NULL ? "none" : json_get_str(rule, "compatibility");
    json_set_bool(answer, "compatible", strcmp(compatibility, "none") != 0 && output != NULL && input != NULL);
    json_set_str(answer, "compatibility", compatibility);
    json_set(answer, "issues", issues);
    json_set(answer, "requiredTransformations", transformations_of(rule));
    return answer;
}

static enum err check_compatibility(struct api *api, struct http_request *request, struct error *reterr)
{
    const struct json *body = request->json, *from = json_get(body, "sourceNode"), *to = json_get(body, "targetNode");
    AUTO_JSON struct json *source = NULL;
    AUTO_JSON struct json *target = NULL;
    enum err code = find_type(api, json_get_str(from, "type"), json_get_str(from, "version"), &source, reterr);
    if (code == ERR_OK)
        code = find_type(api, json_get_str(to, "type"), json_get_str(to, "version"), &target, reterr);
    if (code == ERR_OK)
        http_reply_flat(request, 200, judge(json_at(source, 0), json_at(target, 0), json_get(body, "connection")));
    return code;
}

static enum err get_matrix(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *all = NULL;
    enum err code = all_definitions(api, &all, reterr);
    if (code != ERR_OK)
        return code;
    struct json *matrix = json_object_new();
    for (size_t i = 0; i < json_count(all); i++)
        json_set(matrix, json_get_str(json_at(all, i), "type"),
                 json_ref(json_get(json_at(all, i), "compatibilityMatrix")));
    http_reply_flat(request, 200, matrix);
    return ERR_OK;
}

static enum err get_categories(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *all = NULL;
    enum err code = all_definitions(api, &all, reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = json_array_new();
    for (size_t c = 0; c < sizeof categories / sizeof *categories; c++) {
        int64_t count = 0;
        for (size_t i = 0; i < json_count(all); i++)
            count += strcmp(json_get_str(json_at(all, i), "category"), categories[c].name) == 0;
        if (count == 0)
            continue;
        struct json *category = json_object_new();
        json_set_str(category, "name", categories[c].name);
        json_set_str(category, "description", categories[c].description);
        json_set_str(category, "icon", categories[c].icon);
        json_set_int(category, "nodeCount", count);
        json_push(list, category);
    }
    http_reply(request, 200, list);
    return ERR_OK;
}

#define BASE "/api/v1/catalog"
const struct route catalog_routes[] = {
    {"GET", BASE, ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "List node types", list_nodes, &answer_node_types},
    {"GET", BASE "/metadata", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "The node types that this program runs",
     get_metadata, &answer_node_types},
    {"GET", BASE "/documentation/:nodeType", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "Documentation of a node type",
     get_documentation, &answer_node_documentation},
    {"GET", BASE "/nodes", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "List node types", list_nodes,
     &answer_node_types},
    {"POST", BASE "/nodes", ROLE_EDITOR, 0, definition_fields, NULL, 201, "catalog",
     "Register the definition of a node type", create_node, &answer_node_type},
    {"GET", BASE "/nodes/:type", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "Get a node type", get_node,
     &answer_node_type},
    {"GET", BASE "/nodes/:type/versions", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog",
     "List the versions of a node type", list_versions, &answer_node_versions},
    {"GET", BASE "/nodes/:type/compatibility", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog",
     "Which nodes may follow a node type", get_compatibility, &answer_rules},
    {"POST", BASE "/compatibility/check", ROLE_VIEWER, ROUTE_FLAT, check_fields, NULL, 200, "catalog",
     "Check one connection", check_compatibility, &answer_compatibility},
    {"GET", BASE "/compatibility/matrix", ROLE_VIEWER, ROUTE_FLAT, NULL, NULL, 200, "catalog",
     "All rules, by node type", get_matrix, &answer_rules_by_type},
    {"GET", BASE "/categories", ROLE_VIEWER, 0, NULL, NULL, 200, "catalog", "List the categories that have nodes",
     get_categories, &answer_categories},
    {0}};
