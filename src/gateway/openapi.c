/* The OpenAPI 3.1 document and the page that shows it, both from the route tables. */
#include "gateway/api_int.h"

#include "gateway/page.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const error_statuses[][2] = {{"400", "The request is not what it must be."},
                                                {"401", "No valid credential was given."},
                                                {"403", "The credential does not allow this."},
                                                {"404", "Nothing has that id."},
                                                {"409", "The present state does not allow this."},
                                                {"413", "The body is too large."},
                                                {"422", "It cannot be done."},
                                                {"429", "Too many requests."},
                                                {"503", "Overloaded, starting, or the store cannot be reached."}};

static struct json *ref(const char *name)
{
    struct json *object = json_object_new();
    AUTO_FREE char *path = mem_printf("#/components/schemas/%s", name);
    json_set_str(object, "$ref", path);
    return object;
}

static struct json *typed(const char *type)
{
    struct json *schema = json_object_new();
    json_set_str(schema, "type", type);
    return schema;
}

static struct json *content(struct json *take_schema)
{
    struct json *by_type = json_object_new(), *media = json_object_new();
    json_set(media, "schema", take_schema);
    json_set(by_type, "application/json", media);
    return by_type;
}

static struct json *page_content(void)
{
    struct json *by_type = json_object_new(), *media = json_object_new(), *schema = json_object_new();
    json_set_str(schema, "type", "string");
    json_set(media, "schema", schema);
    json_set(by_type, "text/html", media);
    return by_type;
}

static struct json *parameter(const char *name, const char *in, struct json *take_schema, const char *description)
{
    struct json *entry = json_object_new();
    json_set_str(entry, "name", name);
    json_set_str(entry, "in", in);
    json_set_bool(entry, "required", strcmp(in, "path") == 0);
    json_set_str(entry, "description", description);
    json_set(entry, "schema", take_schema);
    return entry;
}

static void add_path_parameters(const struct route *route, struct json *parameters)
{
    for (const char *at = strchr(route->pattern, ':'); at != NULL; at = strchr(at, ':')) {
        size_t n = strcspn(++at, "/");
        AUTO_FREE char *name = mem_dup_n(at, n);
        struct json *schema = typed("string");
        if ((route->flags & ROUTE_ID) != 0 && strcmp(name, "id") == 0)
            json_set_str(schema, "format", "uuid");
        json_push(parameters, parameter(name, "path", schema, strcmp(name, "id") == 0 ? "Its id." : name));
    }
}

static void add_query_parameters(const struct route *route, struct json *parameters)
{
    if ((route->flags & ROUTE_LIST) != 0) {
        struct json *page = typed("integer"), *limit = typed("integer");
        json_set_int(page, "minimum", 1);
        json_set_int(page, "default", 1);
        json_set_int(limit, "minimum", 1);
        json_set_int(limit, "maximum", 100);
        json_set_int(limit, "default", 20);
        json_push(parameters, parameter("page", "query", page, "Page number."));
        json_push(parameters, parameter("limit", "query", limit, "Rows of a page."));
        json_push(parameters, parameter("cursor", "query", typed("string"),
                                        "pagination.nextCursor of the page before, instead of a page number."));
    }
    for (const struct field *field = route->query; field != NULL && field->name != NULL; field++) {
        struct json *schema = typed(field->kind == FIELD_INT    ? "integer"
                                    : field->kind == FIELD_BOOL ? "boolean"
                                                                : "string");
        if (field->kind == FIELD_ENUM) {
            struct json *values = json_array_new();
            for (size_t i = 0; field->values[i] != NULL; i++)
                json_push(values, json_string_new(field->values[i]));
            json_set(schema, "enum", values);
        }
        json_push(parameters, parameter(field->name, "query", schema, field->help));
    }
}

/* {data, timestamp, path}, with ROUTE_FLAT the members of data beside it too. */
static struct json *envelope_of(const struct route *route)
{
    struct json *envelope = ref("Envelope"), *data, *both;
    if (route->answer == NULL)
        return envelope;
    struct json *all = json_array_new(), *properties = json_object_new();
    data = json_object_new();
    json_set_str(data, "type", "object");
    json_set(properties, "data", answer_schema(route->answer));
    json_set(data, "properties", properties);
    json_push(all, envelope);
    json_push(all, data);
    if ((route->flags & ROUTE_FLAT) != 0 && route->answer->shape == ANSWER_ONE)
        json_push(all, answer_schema(route->answer));
    both = json_object_new();
    json_set(both, "allOf", all);
    return both;
}

static struct json *responses_of(const struct route *route)
{
    struct json *responses = json_object_new(), *success = json_object_new();
    char status[12];
    (void)snprintf(status, sizeof status, "%d", route->status);
    json_set_str(success, "description", route->summary);
    if (route->status != 204 && strncmp(route->pattern, "/api/v1/", 8) == 0)
        json_set(success, "content", content(envelope_of(route)));
    else if ((route->flags & ROUTE_PAGE) != 0)
        json_set(success, "content", page_content());
    json_set(responses, status, success);
    if (route->status == 101) {
        struct json *other = json_object_new();
        json_set_str(other, "description", "The request is no WebSocket handshake of version 13.");
        json_set(other, "content", content(ref("Error")));
        json_set(responses, "426", other);
    }
    for (size_t i = 0; i < sizeof error_statuses / sizeof *error_statuses; i++) {
        struct json *failure = json_object_new();
        json_set_str(failure, "description", error_statuses[i][1]);
        json_set(failure, "content", (route->flags & ROUTE_PAGE) != 0 ? page_content() : content(ref("Error")));
        if (!json_has(responses, error_statuses[i][0]))
            json_set(responses, error_statuses[i][0], failure);
        else
            json_unref(failure);
    }
    return responses;
}

/* Either scheme, where the service needs a login at all. */
static struct json *security_of(const struct route *route)
{
    static const char *const schemes[] = {"bearer", "apiKey"};
    struct json *list = json_array_new();
    for (size_t i = 0; route->role > ROLE_NONE && i < sizeof schemes / sizeof *schemes; i++) {
        struct json *scheme = json_object_new();
        json_set(scheme, schemes[i], json_array_new());
        json_push(list, scheme);
    }
    return list;
}

static struct json *operation_of(const struct route *route)
{
    struct json *operation = json_object_new(), *tags = json_array_new(), *parameters = json_array_new();
    json_push(tags, json_string_new(route->tag));
    json_set(operation, "tags", tags);
    json_set_str(operation, "summary", route->summary);
    add_path_parameters(route, parameters);
    add_query_parameters(route, parameters);
    if (json_count(parameters) > 0)
        json_set(operation, "parameters", parameters);
    else
        json_unref(parameters);
    if (route->body != NULL) {
        struct json *body = json_object_new();
        json_set(body, "content", content(fields_schema(route->body)));
        json_set(operation, "requestBody", body);
    }
    json_set(operation, "responses", responses_of(route));
    json_set(operation, "security", security_of(route));
    if (route->role > ROLE_NONE)
        json_set_str(operation, "x-role", role_name(route->role));
    return operation;
}

/* /flows/:id/run -> /flows/{id}/run; a trailing * becomes {path}. */
static char *path_of(const char *pattern)
{
    struct buf path;
    buf_init(&path, 0);
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at == '*') {
            buf_add_str(&path, "{path}");
        } else if (*at == ':') {
            size_t n = strcspn(at + 1, "/");
            buf_add_char(&path, '{');
            buf_add(&path, at + 1, n);
            buf_add_char(&path, '}');
            at += n;
        } else {
            buf_add_char(&path, *at);
        }
    }
    return buf_take(&path);
}

static void add_route(struct json *paths, const struct route *route)
{
    static const char *const any[] = {"get", "post", "put", "patch", "delete"};
    AUTO_FREE char *path = path_of(route->pattern);
    struct json *item = json_get(paths, path);
    if (item == NULL) {
        item = json_object_new();
        json_set(paths, path, item);
    }
    if (strcmp(route->method, "*") == 0) {
        for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
            struct json *operation = operation_of(route), *parameters = json_array_new();
            json_push(parameters, parameter("path", "path", typed("string"), "What the webhook-trigger's path says."));
            json_set(operation, "parameters", parameters);
            json_set(item, any[i], operation);
        }
        return;
    }
    char method[8] = "";
    for (size_t i = 0; route->method[i] != '\0' && i < sizeof method - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    json_set(item, method, operation_of(route));
}

static struct json *schemas(void)
{
    static const char envelope[] =
        "{\"type\":\"object\",\"required\":[\"data\",\"timestamp\",\"path\"],\"properties\":{\"data\":{},"
        "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"},\"path\":{\"type\":\"string\"}}}";
    static const char failure[] = "{\"type\":\"object\",\"required\":[\"code\",\"message\",\"timestamp\",\"path\"],"
                                  "\"properties\":{\"code\":{\"type\":\"string\"},"
                                  "\"message\":{\"type\":\"string\"},\"details\":{\"type\":\"object\"},\"timestamp\":{"
                                  "\"type\":\"string\",\"format\":\"date-time\"},"
                                  "\"path\":{\"type\":\"string\"}}}";
    struct json *all = json_object_new(), *schema = NULL;
    if (json_parse(envelope, sizeof envelope - 1, &schema, NULL) == ERR_OK)
        json_set(all, "Envelope", schema);
    if (json_parse(failure, sizeof failure - 1, &schema, NULL) == ERR_OK)
        json_set(all, "Error", schema);
    for (size_t t = 0; route_tables[t] != NULL; t++)
        for (const struct route *route = route_tables[t]; route->method != NULL; route++)
            if (route->answer != NULL)
                answer_add_components(route->answer, all);
    return all;
}

static struct json *security_schemes(void)
{
    static const char text[] =
        "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"The access token of POST "
        "/api/v1/auth/login, or an API key. Not needed while the service has no JWT_SECRET.\"},"
        "\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-Api-Key\"}}";
    struct json *schemes = NULL;
    if (json_parse(text, sizeof text - 1, &schemes, NULL) != ERR_OK)
        abort(); /* the text is ours */
    return schemes;
}

struct json *api_openapi(void)
{
    struct json *document = json_object_new(), *info = json_object_new(), *paths = json_object_new(),
                *components = json_object_new();
    json_set_str(document, "openapi", "3.1.0");
    json_set_str(info, "title", "Caudal");
    json_set_str(info, "version", CAUDAL_VERSION);
    json_set_str(info, "description", "Flows of typed nodes, run durably.");
    json_set(document, "info", info);
    for (size_t t = 0; route_tables[t] != NULL; t++)
        for (const struct route *route = route_tables[t]; route->method != NULL; route++)
            add_route(paths, route);
    json_set(document, "paths", paths);
    json_set(components, "schemas", schemas());
    json_set(components, "securitySchemes", security_schemes());
    json_set(document, "components", components);
    return document;
}

static enum err get_json(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    (void)reterr;
    AUTO_JSON struct json *document = api_openapi();
    json_print(document, &request->response.body);
    return ERR_OK;
}

/* ---- the page */

static void add_text(struct buf *out, const char *text)
{
    if (text != NULL)
        buf_add_html(out, text, strlen(text));
}

static const char *kind_name(enum field_kind kind)
{
    static const char *const names[] = {"string", "integer", "number",           "boolean", "one of",
                                        "object", "array",   "array of strings", "any"};
    return names[kind];
}

static void add_fields(struct buf *out, const struct field *fields)
{
    buf_add_str(out, "<table><tr><th>Field<th>Type<th>Default<th>Meaning</tr>");
    for (; fields->name != NULL; fields++) {
        buf_printf(out, "<tr><td><code>%s</code>%s<td>%s", fields->name, fields->required ? " *" : "",
                   kind_name(fields->kind));
        for (size_t i = 0; fields->kind == FIELD_ENUM && fields->values[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? " " : ", ", fields->values[i]);
        buf_add_str(out, "<td>");
        add_text(out, fields->default_json);
        buf_add_str(out, "<td>");
        add_text(out, fields->help);
        buf_add_str(out, "</tr>");
    }
    buf_add_str(out, "</table>");
}

static void add_route_html(struct buf *out, const struct route *route)
{
    AUTO_FREE char *path = path_of(route->pattern);
    buf_printf(out, "<details><summary><b class=\"%s\">%s</b> <code>%s</code> <span>", route->method,
               strcmp(route->method, "*") == 0 ? "ANY" : route->method, path);
    add_text(out, route->summary);
    buf_printf(out, "</span></summary><p>Answers <code>%d</code>.", route->status);
    if (route->role > ROLE_NONE)
        buf_printf(out, " Needs the role <code>%s</code> where there is a login.", role_name(route->role));
    if ((route->flags & ROUTE_LIST) != 0)
        buf_add_str(out, " Pages: <code>page</code>, <code>limit</code> (1 to 100), or <code>cursor</code>.");
    buf_add_str(out, "</p>");
    if (route->query != NULL) {
        buf_add_str(out, "<p>Query:</p>");
        add_fields(out, route->query);
    }
    if (route->body != NULL) {
        buf_add_str(out, "<p>JSON body (* needed):</p>");
        add_fields(out, route->body);
    }
    buf_add_str(out, "</details>");
}

static const char page_head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>Caudal API</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;color:#1b1f24;background:#fff}"
    "h1{margin-bottom:0}h2{margin-top:2.5rem;text-transform:capitalize}code{font:14px ui-monospace,monospace}"
    "details{border:1px solid #d5dae1;border-radius:6px;margin:.4rem 0;padding:.4rem "
    ".8rem}summary{cursor:pointer}summary span{color:#57606a}"
    "b{display:inline-block;min-width:4.2rem;color:#0b5cad}.POST,.PUT{color:#1a7f37}.DELETE{color:#b3261e}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #e5e9ee;padding:.3rem "
    ".5rem;text-align:left;vertical-align:top}"
    "@media(prefers-color-scheme:dark){body{background:#0f1419;color:#e6e9ed}details,td,th{border-color:#30363d}"
    "summary span{color:#9aa4af}b{color:#6cb6ff}}"
    "</style><h1>Caudal API</h1><p>Version " CAUDAL_VERSION
    ". The same as <a href=\"/api/docs-json\">OpenAPI 3.1</a>. Answers are "
    "<code>{data, timestamp, path}</code>, errors <code>{code, message, details, timestamp, path}</code>.</p>";

static enum err get_page(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    (void)reterr;
    struct buf *out = &request->response.body;
    const char *tag = "";
    request->response.content_type = "text/html; charset=utf-8";
    http_response_header(request, "Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'");
    buf_add_str(out, page_head);
    for (size_t t = 0; route_tables[t] != NULL; t++)
        for (const struct route *route = route_tables[t]; route->method != NULL; route++) {
            if (strcmp(tag, route->tag) != 0)
                buf_printf(out, "<h2>%s</h2>", tag = route->tag);
            add_route_html(out, route);
        }
    buf_add_str(out, "</html>");
    return ERR_OK;
}

static enum err get_root(struct api *api, struct http_request *request, struct error *reterr)
{
    if (api->page != NULL)
        return page_answer(api->page, request, reterr);
    request->response.status = 302;
    http_response_header(request, "Location", "/api/docs");
    return ERR_OK;
}

const struct route document_routes[] = {{"GET", "/", ROLE_NONE, ROUTE_UNLIMITED, NULL, NULL, 200, "documentation",
                                         "The page; where it is not built, the way to this documentation (302)",
                                         get_root, NULL},
                                        {"GET", "/api/docs", ROLE_NONE, 0, NULL, NULL, 200, "documentation",
                                         "This documentation as a page", get_page, NULL},
                                        {"GET", "/api/docs-json", ROLE_NONE, 0, NULL, NULL, 200, "documentation",
                                         "This documentation as OpenAPI 3.1", get_json, NULL},
                                        {0}};
