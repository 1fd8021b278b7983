/* What cron's parser needs of its calendar. */
#pragma once
#include "flow/cron.h"

/* The first second of the wall clock (seconds since 1970-01-01T00:00 as the wall clock counts) from `from_s` on, and
 * before `until_s`, that the expression names. Knows nothing of zones. */
bool cron_wall_next(const struct cron *cron, int64_t from_s, int64_t until_s, int64_t *ret_s);
