/* The delay before the next attempt. */
#include "flow/flow.h"

#include <math.h>

#define DELAY_MAX_MS 604800000 /* a week; the highest maxDelayMs */

int64_t retry_delay_ms(const struct retry_policy *policy, int next_attempt, double unit)
{
    double cap = policy->max_delay_ms > 0 ? (double)policy->max_delay_ms : DELAY_MAX_MS;
    double delay = policy->delay_ms <= 0
                       ? 0
                       : (double)policy->delay_ms * pow(policy->factor, next_attempt > 2 ? next_attempt - 2 : 0);
    if (!(delay <= cap))
        delay = cap;
    delay *= 1 + policy->jitter * (2 * unit - 1);
    return delay < 0 ? 0 : (int64_t)llround(delay);
}
