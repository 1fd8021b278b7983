/* The next instant of a cron expression: by field and month, not second by second. */
#include "flow/cron_int.h"

#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define YEARS_MAX 100
/* 0001-01-01 and 10000-01-01 */
#define AFTER_MIN_MS INT64_C(-62135596800000)
#define AFTER_MAX_MS INT64_C(253402300800000)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The lowest bit set from `from` on, or -1. */
static int bit_from(uint64_t bits, int from)
{
    if (from > 63)
        return -1;
    uint64_t rest = bits & (UINT64_MAX << from);
    return rest == 0 ? -1 : __builtin_ctzll(rest);
}

struct month {
    int length;
    int first_weekday; /* of the 1st */
};

static int weekday_of(const struct month *month, int day)
{
    return (month->first_weekday + day - 1) % 7;
}

/* The Monday to Friday nearest a day without leaving the month. */
static int nearest_weekday(const struct month *month, int day)
{
    int weekday = weekday_of(month, day);
    if (weekday == 6)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 0)
        return day < month->length ? day + 1 : day - 2;
    return day;
}

static uint32_t days_of_month_field(const struct cron *cron, const struct month *month)
{
    uint32_t days = cron->days;
    for (int n = 0; n < month->length; n++)
        if (cron->before_last & (UINT32_C(1) << n))
            days |= UINT32_C(1) << (month->length - n);
    for (int n = 1; n <= month->length; n++)
        if (cron->nearest & (UINT32_C(1) << n))
            days |= UINT32_C(1) << nearest_weekday(month, n);
    if (cron->last_weekday) /* the last day is no weekday: the nearest is the one before, as none follows on a Saturday
                             */
        days |= UINT32_C(1) << nearest_weekday(month, month->length);
    return days;
}

static uint32_t days_of_weekday_field(const struct cron *cron, const struct month *month)
{
    uint32_t days = 0;
    for (int day = 1; day <= month->length; day++) {
        uint8_t bit = (uint8_t)(1 << weekday_of(month, day));
        bool last = day + 7 > month->length;
        if ((cron->weekdays & bit) || (cron->nth[(day + 6) / 7] & bit) || (last && (cron->last_days & bit)))
            days |= UINT32_C(1) << day;
    }
    return days;
}

static uint32_t days_in_month(const struct cron *cron, const struct civil_time *date)
{
    struct month month = {.length = civil_days_in_month(date->year, date->month)};
    month.first_weekday = (date->weekday + 35 - (date->day - 1)) % 7;
    uint32_t exist = (uint32_t)((UINT64_C(2) << month.length) - 2);
    if (cron->any_day && cron->any_weekday)
        return exist;
    if (cron->any_day)
        return days_of_weekday_field(cron, &month);
    if (cron->any_weekday)
        return days_of_month_field(cron, &month) & exist;
    return (days_of_month_field(cron, &month) | days_of_weekday_field(cron, &month)) & exist;
}

/* The first second of a day from `from` (0..86399) on that the expression names, or -1. */
static int second_of_day_from(const struct cron *cron, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    for (int h = bit_from(cron->hours, hour); h >= 0; h = bit_from(cron->hours, h + 1)) {
        if (h > hour)
            minute = second = 0;
        for (int m = bit_from(cron->minutes, minute); m >= 0; m = bit_from(cron->minutes, m + 1)) {
            int s = bit_from(cron->seconds, h == hour && m == minute ? second : 0);
            if (s >= 0)
                return (h * 60 + m) * 60 + s;
        }
    }
    return -1;
}

bool cron_wall_next(const struct cron *cron, int64_t from_s, int64_t until_s, int64_t *ret_s)
{
    int64_t day = floor_div(from_s, DAY_S);
    int from = (int)(from_s - day * DAY_S);
    while (day * DAY_S < until_s) {
        struct civil_time date;
        civil_from_days(day, &date);
        uint32_t days = cron->months & (UINT32_C(1) << date.month) ? days_in_month(cron, &date) : 0;
        int match = bit_from(days, date.day);
        if (match < 0) { /* to the 1st of the next month */
            day += civil_days_in_month(date.year, date.month) - date.day + 1;
            from = 0;
            continue;
        }
        if (match > date.day)
            from = 0;
        day += match - date.day;
        int second = second_of_day_from(cron, from);
        if (second >= 0) {
            *ret_s = day * DAY_S + second;
            return *ret_s < until_s;
        }
        day++;
        from = 0;
    }
    return false;
}

/* * as hour: whatever the wall clock shows counts, so each span of constant offset is searched for itself. */
static bool next_elapsed(const struct cron *cron, const struct time_zone *zone, int64_t from_s, int64_t until_s,
                         int64_t *ret_s)
{
    while (from_s < until_s) {
        struct timezone_span span;
        timezone_span_at(zone, from_s * 1000, &span);
        int64_t offset_s = span.offset_ms / 1000, end_s = span.until_ms / 1000, wall_s;
        if (end_s > until_s)
            end_s = until_s;
        if (cron_wall_next(cron, from_s + offset_s, end_s + offset_s, &wall_s)) {
            *ret_s = wall_s - offset_s;
            return true;
        }
        from_s = end_s;
    }
    return false;
}

/* A fixed hour: the wall-clock times are listed and each is run once, so nothing that the clocks showed before they
 * were put back is searched again. */
static bool next_wall(const struct cron *cron, const struct time_zone *zone, int64_t from_s, int64_t until_s,
                      int64_t *ret_s)
{
    struct timezone_span span;
    timezone_span_at(zone, from_s * 1000, &span);
    int64_t offset_s = span.offset_ms / 1000, wall_s = from_s + offset_s;
    if (span.offset_before_ms > span.offset_ms && span.from_ms / 1000 + span.offset_before_ms / 1000 > wall_s)
        wall_s = span.from_ms / 1000 + span.offset_before_ms / 1000;
    else if (span.offset_before_ms < span.offset_ms && span.from_ms / 1000 == from_s)
        wall_s = from_s + span.offset_before_ms / 1000; /* what fell into the gap that ends at this second */
    if (!cron_wall_next(cron, wall_s, until_s + offset_s, &wall_s))
        return false;
    struct civil_time wall;
    int64_t day = floor_div(wall_s, DAY_S), instants[2];
    int second_of_day = (int)(wall_s - day * DAY_S);
    civil_from_days(day, &wall);
    wall.hour = second_of_day / 3600;
    wall.minute = second_of_day / 60 % 60;
    wall.second = second_of_day % 60;
    (void)timezone_from_civil(zone, &wall, instants); /* in a gap, too, the first is what is wanted */
    *ret_s = instants[0] / 1000;
    return true;
}

enum err cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_ms, int64_t *ret_ms,
                   struct error *reterr)
{
    if (after_ms < AFTER_MIN_MS || after_ms >= AFTER_MAX_MS)
        return error_set(reterr, ERR_VALIDATION, "after", "the instant to start from must be in the years 1 to 9999");
    int64_t from_s = floor_div(after_ms, 1000) + 1, next_s;
    int64_t until_s = from_s + YEARS_MAX * 36525 * DAY_S / 100;
    bool found = cron->any_hour ? next_elapsed(cron, zone, from_s, until_s, &next_s)
                                : next_wall(cron, zone, from_s, until_s, &next_s);
    if (!found)
        return error_set(reterr, ERR_NOT_FOUND, "cronExpression",
                         "the cron expression names no instant within %d years", YEARS_MAX);
    *ret_ms = next_s * 1000;
    return ERR_OK;
}

enum err cron_next_text(const char *expression, const char *timezone_name, int64_t after_ms, int64_t *ret_ms,
                        struct error *reterr)
{
    struct cron cron;
    const struct time_zone *zone;
    enum err err = cron_parse(expression, &cron, reterr);
    if (err == ERR_OK)
        err = timezone_find(timezone_name == NULL ? "UTC" : timezone_name, &zone, reterr);
    if (err == ERR_OK)
        err = cron_next(&cron, zone, after_ms, ret_ms, reterr);
    return err;
}
