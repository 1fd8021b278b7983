/* Reads settings.retention. */
#include "flow/retention.h"

void flow_retention_read(const struct json *settings, struct flow_retention *ret)
{
    const struct json *retention = json_get(settings, "retention");
    ret->days = json_get_int(retention, "days", -1);
    ret->failed_days = json_get_int(retention, "failedDays", -1);
    ret->count = json_get_int(retention, "count", -1);
}
