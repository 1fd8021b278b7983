/* How long a flow's finished executions are kept (flow.settings.retention). Pure. */
#pragma once
#include "json/json.h"

/* -1: as the installation says; 0: for ever, all. */
struct flow_retention {
    int64_t days, failed_days, count;
};
/* Members that are missing or wrong count as not set. */
void flow_retention_read(const struct json *settings, struct flow_retention *ret);
