/* Small node types and flows for tests of the flow core. */
#pragma once
#include "flow/run.h"

/* Types: trigger (manual), hook (webhook), pure and effect (in, data -> out, other), free (pins of any name), respond,
 * each (for-each: items -> results, failures, count; item, index inside), merge (any inputs -> out, other), wait (in ->
 * output, timeout), sub-flow
 * (input -> output, executionId), coded (pure; in, rows -> out, other; field `rows`: [{body: code}]), typed (field
 * `count`: an integer from 1 to 9, required). Undeclared inputs of `effect` lead to `data`; from `pure` to `effect` a
 * rule leads `other` to `in`. */
extern const struct flow_catalog kit_catalog;

/* JSON with ' for "; fails the test when broken; yours. */
struct json *kit_json(const char *quoted);
/* Compiles {nodes, connections, settings?}; fails the test when it does not. */
struct flow *kit_flow(const char *quoted);
/* Nodes "id:type[@parent][{config}]" separated by spaces, connections "a>b", "a.pin>b" or "a.pin>b.pin". */
struct flow *kit_flow_of(const char *nodes, const char *connections, const char *settings);
/* {name, nodes, connections} of such texts; yours. */
struct json *kit_definition(const char *nodes, const char *connections);
