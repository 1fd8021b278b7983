/* A definition's JavaScript is compiled, not run. */
#include "nodes/script_check.h"

#include "base/mem.h"
#include "flow/scripts.h"
#include "nodes/node.h"
#include <string.h>

void node_scripts_check(struct script_desk *desk, const struct json *definition, struct json *problems)
{
    AUTO_JSON struct json *scripts = flow_scripts(definition, node_registry_catalog());
    AUTO_JSON struct json *results = NULL;
    struct error error = {0};
    if (json_count(scripts) == 0)
        return;
    AUTO_FREE char *program = json_dup_text(scripts);
    const struct script_request request = {.kind = SCRIPT_CHECK,
                                           .realm = "",
                                           .program = program,
                                           .program_bytes = strlen(program),
                                           .data = "{}",
                                           .data_bytes = 2};
    if (script_desk_ask(desk, &request, &results, NULL, &error) == ERR_OK)
        flow_scripts_judge(scripts, results, problems);
    else
        flow_scripts_unchecked(error.message, problems);
}
