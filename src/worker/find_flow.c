/* The flow that a node names, and its version. */
#include "worker/find_flow.h"

#include "base/clock.h"
#include "store/store.h"
#include <stdio.h>

static enum err find(struct store_session *session, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES],
                     int *ret_version, struct error *reterr)
{
    AUTO_JSON struct json *definition = NULL;
    enum err code = ERR_OK;
    if (id_is_valid(flow))
        (void)snprintf(ret_id, NODE_FLOW_ID_BYTES, "%s", flow);
    else
        code = store_flow_find_by_name(session, flow, ret_id, reterr);
    if (code != ERR_OK || version == 0)
        return code != ERR_OK ? code : store_flow_version(session, ret_id, true, ret_version, reterr);
    *ret_version = version;
    return store_flow_load_version(session, ret_id, version, &definition, reterr);
}

enum err find_flow(void *store, const char *flow, int version, char ret_id[NODE_FLOW_ID_BYTES], int *ret_version,
                   struct error *reterr)
{
    struct store_session *session;
    struct error error = {0};
    enum err code = store_read_begin(store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = find(session, flow, version, ret_id, ret_version, &error);
    store_read_end(store, session);
    if (code == ERR_NOT_FOUND)
        return version == 0
                   ? error_set(reterr, code, "flow", "There is no flow \"%.100s\".", flow)
                   : error_set(reterr, code, "version", "There is no version %d of a flow \"%.100s\".", version, flow);
    if (code != ERR_OK)
        *reterr = error;
    return code;
}
