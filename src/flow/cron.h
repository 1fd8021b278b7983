/* Cron expressions. Pure; no clock of its own.
 *
 * Five fields (minute hour day-of-month month day-of-week) or six (second first). Each: *, ?, n, a-b, lists with commas,
 * steps written after a slash (of *, of a-b, of a: from a on); months and weekdays by name (JAN, MON), weekday 0 and 7 are Sunday. Day of month: L (last), L-3, LW (last
 * weekday), 15W (the weekday nearest the 15th). Day of week: 5L (the last Friday), 5#2 (the second Friday). When both day
 * fields are restricted, either suffices (POSIX crontab). Macros: @yearly @annually @monthly @weekly @daily @midnight @hourly.
 *
 * Daylight saving, as in Vixie cron: expressions with a fixed hour run once per wall-clock time: what falls into the gap
 * runs at the first instant after it, what comes twice runs the first time only. Expressions with * (or a step from *) as
 * hour follow elapsed time: they run in both of the doubled hours and not in the missing one. */
#pragma once
#include "flow/timezone.h"
#include <stdbool.h>
#include <stddef.h>

#define CRON_TEXT_MAX 200

struct cron {
    uint64_t seconds, minutes;    /* bit n: value n */
    uint32_t hours, days, months; /* days: bit 1..31 */
    uint8_t weekdays;             /* bit 0 = Sunday */
    bool any_hour;                /* hour is * or a step from it: elapsed time (see above) */
    bool any_day, any_weekday;    /* the field is * or ? */
    int8_t last_offset;           /* L: 0, L-3: 3; -1: none */
    bool last_weekday;            /* LW */
    uint32_t nearest;             /* bit n: nW */
    uint8_t last_days;            /* bit n: nL, the last such weekday of the month */
    uint8_t nth[6];               /* nth[k] bit n: n#k */
};

/* VALIDATION (field cronExpression) saying which field is wrong and what it may be; also for one that can never come, such
 * as 30 February. */
enum err cron_parse(const char *expression, struct cron *ret, struct error *reterr) ERROR_MUST_CHECK;

/* The first instant after `after_ms`. NOT_FOUND when there is none within 100 years of it. */
enum err cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms, struct error *reterr) ERROR_MUST_CHECK;

/* Both steps from texts; zone_name NULL: UTC. */
enum err cron_next_text(const char *expression, const char *zone_name, int64_t after_ms, int64_t *ret_ms, struct error *reterr) ERROR_MUST_CHECK;
