/* The next instant of an expression. */
#include "flow/cron.h"

#include <string.h>

#define DAYS_SEARCHED 36600
#define SECOND_MS 1000

static int days_in(int year, int month)
{
    static const int lengths[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month] + (month == 2 && leap);
}

/* The weekday (Monday to Friday) nearest to `day` in its month. */
static int nearest_weekday(int day, int length, int weekday_of_first)
{
    int weekday = (weekday_of_first + day - 1) % 7;
    if (weekday == 6)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 0)
        return day < length ? day + 1 : day - 2;
    return day;
}

static bool day_of_month_matches(const struct cron *cron, const struct civil_time *t)
{
    int length = days_in(t->year, t->month), first = ((t->weekday - (t->day - 1)) % 7 + 7) % 7;
    if ((cron->days >> t->day & 1) != 0)
        return true;
    if (cron->last_offset >= 0 && t->day == length - cron->last_offset)
        return true;
    if (cron->last_weekday && t->day == nearest_weekday(length, length, first))
        return true;
    for (int day = 1; day <= length; day++)
        if ((cron->nearest >> day & 1) != 0 && t->day == nearest_weekday(day, length, first))
            return true;
    return false;
}

static bool weekday_matches(const struct cron *cron, const struct civil_time *t)
{
    return (cron->weekdays >> t->weekday & 1) != 0 || ((cron->last_days >> t->weekday & 1) != 0 && t->day + 7 > days_in(t->year, t->month)) ||
           (cron->nth[(t->day - 1) / 7 + 1] >> t->weekday & 1) != 0;
}

static bool date_matches(const struct cron *cron, const struct civil_time *t)
{
    if ((cron->months >> t->month & 1) == 0)
        return false;
    if (cron->any_day || cron->any_weekday)
        return (cron->any_day || day_of_month_matches(cron, t)) && (cron->any_weekday || weekday_matches(cron, t));
    return day_of_month_matches(cron, t) || weekday_matches(cron, t);
}

static void next_day(struct civil_time *t)
{
    t->hour = t->minute = t->second = 0;
    t->weekday = (t->weekday + 1) % 7;
    if (++t->day <= days_in(t->year, t->month))
        return;
    t->day = 1;
    if (++t->month > 12) {
        t->month = 1;
        t->year++;
    }
}

/* Moves the time of day to the first match at or after it; false: none is left on this day. */
static bool settle_time(const struct cron *cron, struct civil_time *t)
{
    for (; t->hour < 24; t->hour++, t->minute = t->second = 0) {
        if ((cron->hours >> t->hour & 1) == 0)
            continue;
        for (; t->minute < 60; t->minute++, t->second = 0) {
            if ((cron->minutes >> t->minute & 1) == 0)
                continue;
            for (; t->second < 60; t->second++)
                if ((cron->seconds >> t->second & 1) != 0)
                    return true;
        }
    }
    return false;
}

/* Wall-clock times in order; each stands for its first instant, those of a gap for the end of the gap. */
static bool next_fixed(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms)
{
    struct civil_time t;
    timezone_to_civil(zone, after_ms, &t);
    t.second++;
    for (int days = 0; days < DAYS_SEARCHED; days++, next_day(&t)) {
        if (!date_matches(cron, &t))
            continue;
        for (; settle_time(cron, &t); t.second++) {
            int64_t instants[2];
            (void)timezone_from_civil(zone, &t, instants);
            if (instants[0] > after_ms) {
                *ret_ms = instants[0];
                return true;
            }
        }
    }
    return false;
}

/* Instants in order; whole hours, minutes and days are skipped where nothing can match. */
static bool next_elapsed(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms)
{
    int64_t at = after_ms - ((after_ms % SECOND_MS) + SECOND_MS) % SECOND_MS + SECOND_MS, limit = after_ms + DAYS_SEARCHED * INT64_C(86400000);
    while (at < limit) {
        struct civil_time t;
        timezone_to_civil(zone, at, &t);
        if (!date_matches(cron, &t)) {
            int64_t instants[2];
            next_day(&t);
            (void)timezone_from_civil(zone, &t, instants);
            at = instants[0] > at ? instants[0] : at + 60 * SECOND_MS; /* a midnight that comes twice */
        } else if ((cron->hours >> t.hour & 1) == 0) {
            at += (3600 - t.minute * 60 - t.second) * (int64_t)SECOND_MS;
        } else if ((cron->minutes >> t.minute & 1) == 0) {
            at += (60 - t.second) * (int64_t)SECOND_MS;
        } else if ((cron->seconds >> t.second & 1) == 0) {
            at += SECOND_MS;
        } else {
            *ret_ms = at;
            return true;
        }
    }
    return false;
}

enum err cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms, struct error *reterr)
{
    if (cron->any_hour ? next_elapsed(cron, zone, after_ms, ret_ms) : next_fixed(cron, zone, after_ms, ret_ms))
        return ERR_OK;
    return error_set(reterr, ERR_NOT_FOUND, "cronExpression", "The expression has no instant in the next hundred years.");
}

enum err cron_next_text(const char *expression, const char *zone_name, int64_t after_ms, int64_t *ret_ms, struct error *reterr)
{
    struct cron cron;
    const struct time_zone *zone;
    enum err code = cron_parse(expression, &cron, reterr);
    if (code == ERR_OK)
        code = timezone_find(zone_name == NULL ? "UTC" : zone_name, &zone, reterr);
    return code == ERR_OK ? cron_next(&cron, zone, after_ms, ret_ms, reterr) : code;
}
