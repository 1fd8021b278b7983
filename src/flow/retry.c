/* The delay before the next attempt. */
#include "flow/flow.h"

#include <math.h>

int64_t retry_delay_ms(const struct retry_policy *policy, int next_attempt, double unit)
{
    double delay = (double)policy->delay_ms * pow(policy->factor, next_attempt > 2 ? next_attempt - 2 : 0);
    if (policy->max_delay_ms > 0 && delay > (double)policy->max_delay_ms)
        delay = (double)policy->max_delay_ms;
    delay *= 1 + policy->jitter * (2 * unit - 1);
    return delay < 0 ? 0 : (int64_t)llround(delay);
}
