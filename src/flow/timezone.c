/* Time zones: which names exist, and what the wall clock of a zone shows at an instant. */
#include "flow/timezone.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/uenum.h>

#define DAY_MS INT64_C(86400000)
/* No zone was ever further from UTC (Manila before 1844: -15:56). */
#define OFFSET_MAX_MS (16 * INT64_C(3600000))

struct time_zone {
    pthread_mutex_t lock; /* an ICU calendar holds a present time, so even reading changes it */
    UCalendar *calendar;
    struct timezone_span last; /* what was found last; neighbouring questions are the usual ones */
};

/* Bounded by the number of names ICU knows: only those get in. */
static struct {
    pthread_mutex_t lock;
    struct map by_name;
} zones = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With a valid calendar ICU fails for want of memory only, and this program does not outlive that. */
static void expect(UErrorCode status, const char *what)
{
    if (U_SUCCESS(status))
        return;
    (void)fprintf(stderr, "time zones: %s: %s\n", what, u_errorName(status));
    abort();
}

/* ICU's own three-letter names; three of each may mean several zones, and IANA has none of them. */
static bool is_icu_only(const char *name)
{
    static const char *const abbreviations[] = {"ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT",
                                                "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST", "MIT", "NET",
                                                "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST"};
    for (size_t i = 0; i < sizeof abbreviations / sizeof *abbreviations; i++)
        if (strcmp(name, abbreviations[i]) == 0)
            return true;
    return strncmp(name, "SystemV/", 8) == 0 || strcmp(name, "Etc/Unknown") == 0;
}

/* Copies the name ICU writes that way but for upper and lower case; false when there is none. */
static bool name_find(const char *name, char ret[TIMEZONE_NAME_MAX + 1])
{
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *names = ucal_openTimeZoneIDEnumeration(UCAL_ZONE_TYPE_ANY, NULL, NULL, &status);
    expect(status, "listing the names");
    const char *each;
    bool found = false;
    while (!found && (each = uenum_next(names, NULL, &status)) != NULL && U_SUCCESS(status))
        if (strcasecmp(each, name) == 0 && strlen(each) <= TIMEZONE_NAME_MAX && !is_icu_only(each)) {
            memcpy(ret, each, strlen(each) + 1);
            found = true;
        }
    uenum_close(names);
    expect(status, "listing the names");
    return found;
}

static enum err name_check(const char *name, struct error *reterr)
{
    if (name == NULL || name[0] == '\0')
        return error_set(reterr, ERR_VALIDATION, "timezone", "a time zone is required, such as Europe/Madrid or UTC");
    if (strlen(name) > TIMEZONE_NAME_MAX)
        return error_set(reterr, ERR_VALIDATION, "timezone", "a time zone's name has at most %d characters",
                         TIMEZONE_NAME_MAX);
    for (const char *c = name; *c != '\0'; c++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", *c) == NULL)
            return error_set(
                reterr, ERR_VALIDATION, "timezone",
                "a time zone's name has letters, digits, _, +, - and / only, such as Europe/Madrid or UTC");
    char known[TIMEZONE_NAME_MAX + 1];
    if (!name_find(name, known))
        return error_set(reterr, ERR_VALIDATION, "timezone",
                         "\"%s\" is not a time zone of the IANA database; write a name such as Europe/Madrid or UTC",
                         name);
    if (strcmp(name, known) != 0)
        return error_set(reterr, ERR_VALIDATION, "timezone", "\"%s\" is not a time zone; did you mean %s?", name,
                         known);
    return ERR_OK;
}

static struct time_zone *zone_open(const char *name)
{
    UChar wide[TIMEZONE_NAME_MAX + 1];
    size_t n = strlen(name);
    for (size_t i = 0; i <= n; i++)
        wide[i] = (UChar)name[i]; /* ASCII, as name_check saw */
    struct time_zone *zone = mem_alloc(sizeof *zone);
    UErrorCode status = U_ZERO_ERROR;
    zone->calendar = ucal_open(wide, (int32_t)n, "en", UCAL_GREGORIAN, &status);
    expect(status, name);
    int failed = pthread_mutex_init(&zone->lock, NULL);
    expect(failed == 0 ? U_ZERO_ERROR : U_MEMORY_ALLOCATION_ERROR, name);
    return zone;
}

enum err timezone_find(const char *name, const struct time_zone **ret, struct error *reterr)
{
    (void)pthread_mutex_lock(&zones.lock);
    struct time_zone *zone = name == NULL ? NULL : map_get(&zones.by_name, name);
    enum err err = ERR_OK;
    if (zone == NULL && (err = name_check(name, reterr)) == ERR_OK) {
        zone = zone_open(name);
        (void)map_put(&zones.by_name, name, zone);
    }
    (void)pthread_mutex_unlock(&zones.lock);
    if (err == ERR_OK)
        *ret = zone;
    return err;
}

/* With the zone's lock held. */
static int64_t offset_at(const struct time_zone *zone, int64_t ms)
{
    UErrorCode status = U_ZERO_ERROR;
    ucal_setMillis(zone->calendar, (UDate)ms, &status);
    int64_t offset = ucal_get(zone->calendar, UCAL_ZONE_OFFSET, &status);
    offset += ucal_get(zone->calendar, UCAL_DST_OFFSET, &status);
    expect(status, "offset");
    return offset;
}

/* The change of clocks before or after the calendar's present time. With the zone's lock held. */
static bool transition(const struct time_zone *zone, UTimeZoneTransitionType type, int64_t *ret_ms)
{
    UErrorCode status = U_ZERO_ERROR;
    UDate date = 0;
    bool found = ucal_getTimeZoneTransitionDate(zone->calendar, type, &date, &status);
    expect(status, "change of clocks");
    if (found)
        *ret_ms = (int64_t)date;
    return found;
}

static void span_look_up(const struct time_zone *zone, int64_t ms, struct timezone_span *ret)
{
    struct timezone_span span = {.from_ms = INT64_MIN, .until_ms = INT64_MAX, .offset_ms = offset_at(zone, ms)};
    (void)transition(zone, UCAL_TZ_TRANSITION_NEXT, &span.until_ms);
    bool changed = transition(zone, UCAL_TZ_TRANSITION_PREVIOUS_INCLUSIVE, &span.from_ms);
    span.offset_before_ms = changed ? offset_at(zone, span.from_ms - 1) : span.offset_ms;
    *ret = span;
}

void timezone_span_at(const struct time_zone *zone, int64_t ms, struct timezone_span *ret)
{
    struct time_zone *own =
        (struct time_zone *)(uintptr_t)zone; /* all handles were made above; the cache is no visible state */
    (void)pthread_mutex_lock(&own->lock);
    if (ms < own->last.from_ms || ms >= own->last.until_ms) /* empty at first: from 0 until 0 */
        span_look_up(own, ms, &own->last);
    *ret = own->last;
    (void)pthread_mutex_unlock(&own->lock);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Both after Howard Hinnant's "chrono-compatible low-level date algorithms": years begin in March, eras have 400 years.
 */
int64_t civil_to_days(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void civil_from_days(int64_t days, struct civil_time *ret)
{
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    ret->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int)(month < 10 ? month + 3 : month - 9);
    ret->year = (int)(year_of_era + era * 400 + (ret->month <= 2));
    ret->weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7); /* 1970-01-01 was a Thursday */
}

int civil_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

void timezone_to_civil(const struct time_zone *zone, int64_t ms, struct civil_time *ret)
{
    struct timezone_span span;
    timezone_span_at(zone, ms, &span);
    int64_t local_ms = ms + span.offset_ms;
    int64_t days = floor_div(local_ms, DAY_MS);
    int second_of_day = (int)((local_ms - days * DAY_MS) / 1000);
    civil_from_days(days, ret);
    ret->hour = second_of_day / 3600;
    ret->minute = second_of_day / 60 % 60;
    ret->second = second_of_day % 60;
}

int timezone_from_civil(const struct time_zone *zone, const struct civil_time *time, int64_t ret[2])
{
    int64_t local_ms = civil_to_days(time->year, time->month, time->day) * DAY_MS +
                       (time->hour * INT64_C(3600) + time->minute * INT64_C(60) + time->second) * 1000;
    int found = 0;
    struct timezone_span span;
    for (int64_t at = local_ms - OFFSET_MAX_MS; at <= local_ms + OFFSET_MAX_MS; at = span.until_ms) {
        timezone_span_at(zone, at, &span);
        int64_t ms = local_ms - span.offset_ms;
        bool in_gap = span.from_ms == at && local_ms >= at + span.offset_before_ms && local_ms < at + span.offset_ms;
        if (in_gap && found == 0)
            ret[0] = at;
        if (ms >= span.from_ms && ms < span.until_ms && found < 2)
            ret[found++] = ms;
    }
    return found;
}
