/* Routes of variables: values that flows read as {{ variables.NAME }}. */
#include "gateway/scoped.h"

#include <stdlib.h>

#define BASE "/api/v1/variables"
#define FLOW_BASE "/api/v1/flows/:id/variables"

#define VALUE_FIELDS                                                                                                   \
    {.name = "value", .kind = FIELD_ANY, .required = true, .help = "Any JSON value, of at most 16 KiB as text."},      \
    {                                                                                                                  \
        .name = "description", .kind = FIELD_STRING, .nullable = true, .max = LIMIT_DESCRIPTION_CHARS,                 \
        .help = "What it is for."                                                                                      \
    }
static const struct field new_fields[] = {{.name = "name",
                                           .kind = FIELD_STRING,
                                           .required = true,
                                           .min = 1,
                                           .max = VAULT_NAME_MAX,
                                           .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
                                           .help = "As in {{ variables.NAME }}."},
                                          VALUE_FIELDS,
                                          {0}};
static const struct field put_fields[] = {VALUE_FIELDS, {0}};

static struct json *view(const struct api *api, const struct json *document)
{
    (void)api;
    struct json *shown = scoped_view(document);
    json_set(shown, "value", json_ref(json_get(document, "value")));
    return shown;
}

static enum err set_value(const struct api *api, const struct json *body, struct json *document, struct error *reterr)
{
    (void)api;
    const struct json *value = json_get(body, "value");
    AUTO_FREE char *text = json_dup_text(value);
    size_t size = strlen(text);
    if (size > VAULT_VALUE_BYTES)
        return error_set(reterr, ERR_TOO_LARGE, "value", "value has %zu bytes as JSON, it may have %d.", size,
                         VAULT_VALUE_BYTES);
    json_set(document, "value", json_ref(value));
    return ERR_OK;
}

static const struct scoped_kind variables = {
    .table = STORE_VARIABLES, .noun = "variable", .view = view, .set_value = set_value};

static enum err list_variables(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_list(api, request, &variables, reterr);
}

static enum err create_variable(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_write(api, request, &variables, SCOPED_CREATE, reterr);
}

static enum err get_variable(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_get(api, request, &variables, reterr);
}

static enum err put_variable(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_write(api, request, &variables, SCOPED_PUT, reterr);
}

static enum err delete_variable(struct api *api, struct http_request *request, struct error *reterr)
{
    return scoped_delete(api, request, &variables, reterr);
}

const struct route variable_routes[] = {
    {"GET", BASE, ROLE_VIEWER, 0, NULL, NULL, 200, "variables", "List the global variables", list_variables,
     &answer_variables},
    {"POST", BASE, ROLE_EDITOR, 0, new_fields, NULL, 201, "variables", "Create a global variable", create_variable,
     &answer_variable},
    {"GET", BASE "/:name", ROLE_VIEWER, 0, NULL, NULL, 200, "variables", "Get a global variable", get_variable,
     &answer_variable},
    {"PUT", BASE "/:name", ROLE_EDITOR, 0, put_fields, NULL, 200, "variables",
     "Create a global variable, or give it another value", put_variable, &answer_variable},
    {"DELETE", BASE "/:name", ROLE_EDITOR, 0, NULL, NULL, 204, "variables", "Delete a global variable", delete_variable,
     NULL},
    {"GET", FLOW_BASE, ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "variables",
     "List a flow's own variables, which hide global ones of the same name", list_variables, &answer_variables},
    {"POST", FLOW_BASE, ROLE_EDITOR, ROUTE_ID, new_fields, NULL, 201, "variables", "Create a variable of a flow",
     create_variable, &answer_variable},
    {"GET", FLOW_BASE "/:name", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "variables", "Get a variable of a flow",
     get_variable, &answer_variable},
    {"PUT", FLOW_BASE "/:name", ROLE_EDITOR, ROUTE_ID, put_fields, NULL, 200, "variables",
     "Create a variable of a flow, or give it another value", put_variable, &answer_variable},
    {"DELETE", FLOW_BASE "/:name", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 204, "variables", "Delete a variable of a flow",
     delete_variable, NULL},
    {0}};
