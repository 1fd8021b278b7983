/* Which flow a node means (node_host.find_flow). */
#pragma once
#include "nodes/node.h"

/* By id or name. `store` is a struct store; reads from it on the caller's thread. */
enum err find_flow(void *store, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES], int *ret_version,
                   struct error *reterr) ERROR_MUST_CHECK;
