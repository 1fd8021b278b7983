/* Flow definitions from outside: checked, compiled and run to the end with every node answering at once. */
#include "flow/run.h"
#include "nodes/node.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct flow *flow)
{
    struct run_options options = {.execution_id = "e", .trigger = "manual", .epoch = 1};
    struct flow_run *flow_run = flow_run_new(flow, &options, NULL);
    struct run_command command;
    flow_run_advance(flow_run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = 1});
    for (int steps = 0; steps < 5000 && flow_run_next_command(flow_run, &command); steps++)
        if (command.kind == RUN_COMMAND_START_NODE)
            flow_run_advance(flow_run, &(struct run_event){.kind = RUN_EVENT_NODE_DONE,
                                                           .now_ms = 2,
                                                           .node = command.node,
                                                           .attempt = command.attempt,
                                                           .take_outputs = json_object_new()});
    json_unref(flow_run_document(flow_run));
    flow_run_free(flow_run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *definition = NULL;
    struct error error;
    struct flow *flow = NULL;
    if (json_parse((const char *)data, size, &definition, &error) != ERR_OK)
        return 0;
    if (fields_check(flow_body_fields, definition, &error) == ERR_OK) {
        struct json *errors = json_array_new(), *warnings = json_array_new();
        flow_validate(definition, node_registry_catalog(), errors, warnings);
        if (flow_compile("f", 1, definition, node_registry_catalog(), &flow, NULL, &error) == ERR_OK)
            run(flow);
        flow_free(flow);
        json_unref(errors);
        json_unref(warnings);
    }
    json_unref(definition);
    return 0;
}
