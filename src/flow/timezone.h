/* Time zones of the IANA database, through ICU. Handles live as long as the process and may be shared between threads.
 * Instants are milliseconds since 1970-01-01T00:00Z; the calendar is Gregorian at all times (no Julian dates). */
#pragma once
#include "base/error.h"
#include <stdint.h>

#define TIMEZONE_NAME_MAX 64

struct time_zone;

/* An IANA name such as Europe/Madrid, or UTC; kept for the life of the process. VALIDATION (field timezone) otherwise:
 * also for offsets (GMT+2) and for ICU's ambiguous abbreviations (IST, CST), which are not IANA names. NULL is refused.
 */
enum err timezone_find(const char *name, const struct time_zone **ret, struct error *reterr) ERROR_MUST_CHECK;

struct civil_time {
    int year, month, day; /* month 1..12 */
    int hour, minute, second;
    int weekday; /* 0 = Sunday */
};
void timezone_to_civil(const struct time_zone *zone, int64_t ms, struct civil_time *ret);

/* The instants that a wall-clock time stands for: 0 in a gap (clocks went forward), 1, or 2 where clocks went back.
 * Earlier one first. In a gap ret[0] is the first instant after the gap. The weekday is not read. */
int timezone_from_civil(const struct time_zone *zone, const struct civil_time *time, int64_t ret[2]);

/* A stretch of time during which the clocks of the zone were not changed. */
struct timezone_span {
    int64_t from_ms, until_ms; /* from_ms <= t < until_ms; INT64_MIN and INT64_MAX where there is no change */
    int64_t offset_ms;         /* wall clock minus UTC */
    int64_t offset_before_ms;  /* before from_ms; the same as offset_ms when from_ms is INT64_MIN */
};
void timezone_span_at(const struct time_zone *zone, int64_t ms, struct timezone_span *ret);

/* Days since 1970-01-01 of a Gregorian date and back. */
int64_t civil_to_days(int year, int month, int day);
void civil_from_days(int64_t days, struct civil_time *ret); /* sets year, month, day and weekday */
int civil_days_in_month(int year, int month);
