/* Parts of a flow: what is needed to run up to one node. Pure. */
#pragma once
#include "json/json.h"

/* The definition with only that node and what can reach it, over connections or as what contains it (a for-each brings
 * the nodes inside it, and what these need). NOT_FOUND (field untilNode) when there is no such node. Yours. */
enum err flow_part_until(const struct json *definition, const char *node_id, struct json **ret,
                         struct error *reterr) ERROR_MUST_CHECK;
