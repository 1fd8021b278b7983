/* Offsets come from ICU; the calendar is arithmetic. */
#include "flow/timezone.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#define NAME_MAX_CHARS 64
#define DAY_MS 86400000

struct time_zone {
    struct time_zone *next;
    char name[NAME_MAX_CHARS + 1];
    pthread_mutex_t lock; /* a UCalendar belongs to one thread at a time */
    UCalendar *calendar;
};

static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct time_zone *zones;

static enum err unknown(const char *name, struct error *reterr)
{
    return error_set(reterr, ERR_VALIDATION, "timezone", "\"%.80s\" is no time zone; it must be an IANA name such as Europe/Madrid, or UTC.", name);
}

static enum err open_zone(const char *name, struct time_zone **ret, struct error *reterr)
{
    UChar id[NAME_MAX_CHARS + 1], canonical[128];
    UErrorCode status = U_ZERO_ERROR;
    UBool system_id = 0;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            return unknown(name, reterr);
    u_charsToUChars(name, id, (int32_t)strlen(name) + 1);
    ucal_getCanonicalTimeZoneID(id, -1, canonical, 128, &system_id, &status);
    if (U_FAILURE(status) || !system_id || strcmp(name, "Etc/Unknown") == 0)
        return unknown(name, reterr);
    status = U_ZERO_ERROR;
    UCalendar *calendar = ucal_open(id, -1, "en_US", UCAL_GREGORIAN, &status);
    if (U_FAILURE(status))
        return error_set(reterr, ERR_INTERNAL, "timezone", "The time zone data cannot be read: %s.", u_errorName(status));
    struct time_zone *zone = mem_alloc(sizeof *zone);
    (void)strcpy(zone->name, name);
    pthread_mutex_init(&zone->lock, NULL);
    zone->calendar = calendar;
    *ret = zone;
    return ERR_OK;
}

enum err timezone_find(const char *name, const struct time_zone **ret, struct error *reterr)
{
    if (name == NULL || *name == '\0' || strlen(name) > NAME_MAX_CHARS)
        return unknown(name == NULL ? "" : name, reterr);
    enum err code = ERR_OK;
    pthread_mutex_lock(&zones_lock);
    struct time_zone *zone = zones;
    while (zone != NULL && strcmp(zone->name, name) != 0)
        zone = zone->next;
    if (zone == NULL && (code = open_zone(name, &zone, reterr)) == ERR_OK) {
        zone->next = zones;
        zones = zone;
    }
    pthread_mutex_unlock(&zones_lock);
    if (code == ERR_OK)
        *ret = zone;
    return code;
}

static int64_t offset_at(const struct time_zone *zone, int64_t ms)
{
    struct time_zone *own = (struct time_zone *)zone;
    UErrorCode status = U_ZERO_ERROR;
    pthread_mutex_lock(&own->lock);
    ucal_setMillis(own->calendar, (UDate)ms, &status);
    int64_t offset = ucal_get(own->calendar, UCAL_ZONE_OFFSET, &status);
    offset += ucal_get(own->calendar, UCAL_DST_OFFSET, &status);
    pthread_mutex_unlock(&own->lock);
    return U_FAILURE(status) ? 0 : offset;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, chrono-Compatible Low-Level Date Algorithms). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year, era = floor_div(y, 400), year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, struct civil_time *ret)
{
    int64_t z = days + 719468, era = floor_div(z, 146097), day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), shifted = (5 * day_of_year + 2) / 153;
    ret->day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    ret->month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    ret->year = (int)(year_of_era + era * 400 + (ret->month <= 2));
    ret->weekday = (int)((days % 7 + 11) % 7);
}

void timezone_to_civil(const struct time_zone *zone, int64_t ms, struct civil_time *ret)
{
    int64_t local = ms + offset_at(zone, ms), days = floor_div(local, DAY_MS), rest = (local - days * DAY_MS) / 1000;
    date_of(days, ret);
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
}

/* The instant at which the offset changes between two instants with different offsets. */
static int64_t transition_between(const struct time_zone *zone, int64_t low, int64_t high)
{
    int64_t before = offset_at(zone, low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(zone, middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

int timezone_from_civil(const struct time_zone *zone, const struct civil_time *time, int64_t ret[2])
{
    int64_t local = days_of(time->year, time->month, time->day) * DAY_MS + ((time->hour * 60 + time->minute) * 60 + time->second) * (int64_t)1000;
    int64_t early = offset_at(zone, local - DAY_MS), late = offset_at(zone, local + DAY_MS);
    int count = 0;
    if (offset_at(zone, local - early) == early)
        ret[count++] = local - early;
    if (late != early && offset_at(zone, local - late) == late)
        ret[count++] = local - late;
    if (count == 0)
        ret[0] = transition_between(zone, local - DAY_MS, local + DAY_MS);
    if (count == 2 && ret[0] > ret[1]) {
        int64_t first = ret[1];
        ret[1] = ret[0];
        ret[0] = first;
    }
    return count;
}
