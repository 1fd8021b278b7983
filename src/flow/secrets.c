/* Secrets that a flow refers to, and passwords that stand in it as they are. */
#include "flow/flow_int.h"

#include "expression/names.h"
#include <stdio.h>
#include <string.h>

/* From all texts: those of code too, and rather too many than too few. */
void flow_find_secrets(struct flow *flow)
{
    struct expression_needs needs = {0};
    for (unsigned i = 0; i < flow->node_count; i++)
        expression_needs_add_texts(&needs, flow->nodes[i].config);
    flow->secret_names = json_ref(needs.members[NAME_SECRETS]);
    expression_needs_done(&needs);
}

/* scheme://user:password@host, or password=… */
static bool has_password(const char *text)
{
    const char *at = strcasestr(text, "password=");
    if (at != NULL && at[9] != '\0')
        return true;
    at = strstr(text, "://");
    if (at == NULL)
        return false;
    size_t authority = strcspn(at + 3, "/?#");
    const char *sign = memrchr(at + 3, '@', authority);
    const char *colon = sign == NULL ? NULL : memchr(at + 3, ':', (size_t)(sign - at - 3));
    return colon != NULL && colon + 1 < sign;
}

static bool is_password(const struct field *field, const char *text)
{
    if (text == NULL || *text == '\0' || strstr(text, "{{") != NULL)
        return false;
    bool is_address =
        (field->widget != NULL && strcmp(field->widget, "connection") == 0) || strstr(text, "://") != NULL;
    return !is_address || has_password(text);
}

static void warn_node(const struct flow_node *node, const char *where, const struct field *fields,
                      const struct json *config, struct json *warnings)
{
    for (; fields != NULL && fields->name != NULL; fields++) {
        const struct json *value = json_get(config, fields->name);
        char field[200];
        (void)snprintf(field, sizeof field, "%.130s.%.60s", where, fields->name);
        if (fields->secret && is_password(fields, json_as_str(value)))
            problem_add(warnings, "LITERAL_SECRET", node->id, field,
                        "%s stands in the flow in plain text, where everybody who may see the flow can read it; keep "
                        "it as a secret, and write {{ secrets.NAME }} here.",
                        field);
        else if (fields->kind == FIELD_OBJECT && fields->fields != NULL)
            warn_node(node, field, fields->fields, value, warnings);
    }
}

void flow_warn_of_passwords(const struct flow *flow, struct json *warnings)
{
    for (unsigned i = 0; i < flow->node_count; i++) {
        const struct flow_node *node = &flow->nodes[i];
        char where[40];
        (void)snprintf(where, sizeof where, "nodes[%u].config", i);
        if (node->spec != NULL)
            warn_node(node, where, node->spec->fields, node->config, warnings);
    }
}
