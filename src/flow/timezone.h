/* Time zones of the IANA database, through ICU. Handles are immutable and may be shared between threads. */
#pragma once
#include "base/error.h"
#include <stdint.h>

struct time_zone;

/* An IANA name such as Europe/Madrid, or UTC; kept for the life of the process. VALIDATION (field timezone) otherwise. */
enum err timezone_find(const char *name, const struct time_zone **ret, struct error *reterr) ERROR_MUST_CHECK;

struct civil_time {
    int year, month, day;     /* month 1..12 */
    int hour, minute, second;
    int weekday;              /* 0 = Sunday */
};
void timezone_to_civil(const struct time_zone *zone, int64_t ms, struct civil_time *ret);

/* The instants that a wall-clock time stands for: 0 in a gap (clocks went forward), 1, or 2 where clocks went back. Earlier
 * one first. In a gap ret[0] is the first instant after the gap. */
int timezone_from_civil(const struct time_zone *zone, const struct civil_time *time, int64_t ret[2]);
