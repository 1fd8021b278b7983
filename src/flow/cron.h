/* Cron expressions. Pure; no clock of its own. Any thread.
 *
 * Five fields (minute hour day-of-month month day-of-week) or six (second first), separated by blanks.
 *   every field    *, ?, n, a-b, and a step after a slash: of *, of a-b, of a (from a on); lists of these with commas
 *   month, weekday names instead of numbers, short or whole, in any case: JAN, January, mon; weekdays 0 and 7 are
 * Sunday day of month   L (last), L-3 (three days before it), LW (last weekday), 15W (the weekday nearest the 15th, in
 * that month; none in months without that day) day of week    5L (the last Friday), 5#2 (the second Friday) macros
 * @yearly @annually @monthly @weekly @daily @midnight @hourly When both day fields are restricted, either suffices
 * (POSIX crontab). A field with * in its list is not restricted; one with a step from * other than 1 is.
 *
 * Daylight saving, as in Vixie cron: expressions with a fixed hour run once per wall-clock time: what falls into the
 * gap runs at the first instant after it, what comes twice runs the first time only. Expressions with * (or a step from
 * *) as hour follow elapsed time: they run in both of the doubled hours and not in the missing one. */
#pragma once
#include "flow/timezone.h"
#include <stdbool.h>
#include <stddef.h>

#define CRON_TEXT_MAX 200

struct cron {
    uint64_t seconds, minutes;    /* bit n: value n */
    uint32_t hours, days, months; /* days: bit 1..31; months: bit 1..12 */
    uint8_t weekdays;             /* bit 0 = Sunday */
    bool any_hour;                /* hour is * or steps from it only: elapsed time (see above) */
    bool any_day, any_weekday;    /* the field is ? or has * */
    uint32_t before_last;         /* bit 0: L, bit n: L-n */
    bool last_weekday;            /* LW */
    uint32_t nearest;             /* bit n: nW */
    uint8_t last_days;            /* bit n: nL, the last such weekday of the month */
    uint8_t nth[6];               /* nth[k] bit n: n#k */
};

/* VALIDATION (field cronExpression) saying which field is wrong and what it may be; also for one that can never come,
 * such as 30 February. *ret is untouched on failure. */
enum err cron_parse(const char *expression, struct cron *ret, struct error *reterr) ERROR_MUST_CHECK;

/* The first instant after `after_ms`. NOT_FOUND when there is none within 100 years of it; VALIDATION (field after)
 * when after_ms is not in the years 1 to 9999. */
enum err cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms,
                   struct error *reterr) ERROR_MUST_CHECK;

/* Both steps from texts; zone_name NULL: UTC. */
enum err cron_next_text(const char *expression, const char *zone_name, int64_t after_ms, int64_t *ret_ms,
                        struct error *reterr) ERROR_MUST_CHECK;
