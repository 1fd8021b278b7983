/* Limits of starting: reading and checking the settings. */
#include "flow/limits.h"

#include "flow/flow_int.h"
#include <string.h>

#define HIGHEST 2

void flow_limits_read(const struct json *settings, struct flow_limits *ret)
{
    static const char *const priorities[] = {"low", "normal", "high"};
    const struct json *rate = json_get(settings, "rateLimit");
    const char *priority = json_get_str(settings, "priority");
    *ret = (struct flow_limits){.concurrency = json_get_int(settings, "concurrency", 0),
                                .per_key = json_get_int(settings, "concurrencyPerKey", 0),
                                .key = json_get_str(settings, "concurrencyKey"),
                                .rate_limit = json_get_int(rate, "limit", 0),
                                .rate_period_ms = json_get_int(rate, "periodMs", 0),
                                .rate_key = json_get_str(rate, "key"),
                                .priority = 1};
    if (ret->key != NULL && ret->per_key == 0)
        ret->per_key = 1;
    for (int i = 0; priority != NULL && i <= HIGHEST; i++)
        if (strcmp(priority, priorities[i]) == 0)
            ret->priority = i;
}

bool flow_limits_any(const struct flow_limits *limits)
{
    return limits->concurrency > 0 || limits->per_key > 0 || (limits->rate_limit > 0 && limits->rate_period_ms > 0);
}

int64_t flow_limits_place(int64_t since_ms, int priority)
{
    return since_ms - (priority - 1) * FLOW_HEAD_START_MS;
}
