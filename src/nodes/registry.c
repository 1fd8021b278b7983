/* The list of built-in node types. */
#include "nodes/node_int.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Sorted by their names, as they are looked up in each node that runs. */
static const struct node_type *const types[] = {
    &node_code,
    &node_command,
    &node_csv,
    &node_csv_file,
    &node_data_filter,
    &node_deduplicate,
    &node_delay,
    &node_email_send,
    &node_field_mapper,
    &node_file,
    &node_flow_failed_trigger,
    &node_for_each,
    &node_http_request,
    &node_if,
    &node_join_data,
    &node_json,
    &node_limit,
    &node_log,
    &node_manual_trigger,
    &node_merge,
    &node_mongodb_operations,
    &node_postgresql_query,
    &node_respond,
    &node_schedule_trigger,
    &node_set_fields,
    &node_sort,
    &node_split,
    &node_sqlite_query,
    &node_sqlite_write,
    &node_stop_with_error,
    &node_sub_flow,
    &node_summarize,
    &node_switch,
    &node_template,
    &node_wait,
    &node_webhook_trigger,
    &node_write_file,
    NULL,
};

static const struct {
    const char *alias, *type;
} aliases[] = {{"aggregate", "summarize"}, {"postgres-query", "postgresql-query" /* api-contract 7.11 i */}};

const struct node_type *const *node_registry_all(void)
{
    return types;
}

static int compare(const void *name, const void *type)
{
    return strcmp(name, (*(const struct node_type *const *)type)->spec.type);
}

const struct node_type *node_registry_find(const char *type)
{
    const struct node_type *const *found =
        bsearch(type, types, sizeof types / sizeof *types - 1, sizeof *types, compare);
    for (size_t i = 0; found == NULL && i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].alias, type) == 0)
            return node_registry_find(aliases[i].type);
    return found == NULL ? NULL : *found;
}

static const struct flow_node_spec *find_spec(const struct flow_catalog *catalog, const char *type)
{
    (void)catalog;
    const struct node_type *found = node_registry_find(type);
    return found == NULL ? NULL : &found->spec;
}

const struct flow_catalog *node_registry_catalog(void)
{
    static const struct flow_catalog catalog = {.find = find_spec};
    return &catalog;
}
