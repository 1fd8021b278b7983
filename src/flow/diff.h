/* What changed between two versions of a flow. Pure. */
#pragma once
#include "json/json.h"

/* {nodes: {added: [{id,type}], removed: [{id,type}], changed: [{id,type,fields: [{path,before,after}]}]},
 *  connections: {added: […], removed: […]}, settings: [{path,before,after}], changes: how many in all}. A path is that
 * inside the node, such as config.conditions[0].value; positions count under `moved` (ids), since they change nothing.
 * At most FLOW_DIFF_FIELDS fields of a node are listed one by one; what is beyond is told as the whole node's `config`.
 * Yours. */
#define FLOW_DIFF_FIELDS 200
struct json *flow_diff(const struct json *before, const struct json *after);
