/* Time zones: names, wall clocks, gaps, doubled hours, and questions from several threads. */
#include "flow/timezone.h"
#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define HOUR_MS INT64_C(3600000)

static const struct time_zone *zone_of(const char *name)
{
    const struct time_zone *zone = NULL;
    struct error error = {0};
    if (timezone_find(name, &zone, &error) != ERR_OK)
        fail_msg("%s: %s", name, error.message);
    return zone;
}

static struct civil_time civil_of(const char *text)
{
    struct civil_time civil = {0};
    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d", &civil.year, &civil.month, &civil.day, &civil.hour,
                            &civil.minute, &civil.second),
                     6);
    return civil;
}

static int64_t utc(const char *text)
{
    struct civil_time c = civil_of(text);
    return civil_to_days(c.year, c.month, c.day) * 24 * HOUR_MS +
           ((c.hour * 60 + c.minute) * 60 + c.second) * INT64_C(1000);
}

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC",
                                       "Europe/Madrid",
                                       "America/New_York",
                                       "Australia/Lord_Howe",
                                       "America/Argentina/Buenos_Aires",
                                       "Etc/GMT+5",
                                       "Asia/Kolkata",
                                       "Asia/Calcutta",
                                       "EST5EDT",
                                       "GMT",
                                       "Europe/Kyiv",
                                       "US/Pacific"};
    for (size_t i = 0; i < LENGTH(good); i++)
        assert_ptr_equal(zone_of(good[i]), zone_of(good[i]));
    assert_ptr_not_equal(zone_of("UTC"), zone_of("Europe/Madrid"));
}

static void refuses_other_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } bad[] = {
        {NULL, "required"},
        {"", "required"},
        {"Europe/Atlantis", "IANA"},
        {"europe/madrid", "did you mean Europe/Madrid"},
        {"utc", "did you mean UTC"},
        {"GMT+2", "IANA"},
        {"GMT+02:00", "letters"},
        {"+02:00", "letters"},
        {"+02", "IANA"},
        {"IST", "IANA"},
        {"cst", "IANA"},
        {"SystemV/EST5", "IANA"},
        {"Etc/Unknown", "IANA"},
        {"Europe/Madrid ", "letters"},
        {"Europe/Madrid\n", "letters"},
        {"Espa\xc3\xb1"
         "a",
         "letters"},
        {"../etc/passwd", "letters"},
        {"Europe/Madriddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "at most 64"},
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        const struct time_zone *zone = NULL;
        struct error error = {0};
        const char *shown = bad[i].name == NULL ? "NULL" : bad[i].name;
        if (timezone_find(bad[i].name, &zone, &error) != ERR_VALIDATION)
            fail_msg("%s is not refused", shown);
        assert_null(zone);
        assert_string_equal(error.field, "timezone");
        if (strstr(error.message, bad[i].words) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", shown, error.message, bad[i].words);
    }
}

static void shows_the_wall_clock(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *utc, *wall;
        int weekday;
    } cases[] = {
        {"UTC", "1970-01-01 00:00:00", "1970-01-01 00:00:00", 4},
        {"UTC", "1969-12-31 23:59:59", "1969-12-31 23:59:59", 3},
        {"UTC", "2000-02-29 12:34:56", "2000-02-29 12:34:56", 2},
        {"UTC", "1582-10-10 00:00:00", "1582-10-10 00:00:00", 0}, /* Gregorian at all times */
        {"Europe/Madrid", "2025-01-01 12:00:00", "2025-01-01 13:00:00", 3},
        {"Europe/Madrid", "2025-07-01 22:30:00", "2025-07-02 00:30:00", 3},
        {"Europe/Madrid", "2025-03-30 00:59:59", "2025-03-30 01:59:59", 0},
        {"Europe/Madrid", "2025-03-30 01:00:00", "2025-03-30 03:00:00", 0},
        {"Europe/Madrid", "2025-10-26 00:59:59", "2025-10-26 02:59:59", 0},
        {"Europe/Madrid", "2025-10-26 01:00:00", "2025-10-26 02:00:00", 0},
        {"America/New_York", "2024-12-31 23:00:00", "2024-12-31 18:00:00", 2},
        {"America/New_York", "2025-03-09 07:00:00", "2025-03-09 03:00:00", 0},
        {"Australia/Lord_Howe", "2025-01-01 00:00:00", "2025-01-01 11:00:00", 3},
        {"Australia/Lord_Howe", "2025-07-01 00:00:00", "2025-07-01 10:30:00", 2},
        {"Asia/Kathmandu", "2025-01-01 00:00:00", "2025-01-01 05:45:00", 3},
        {"Pacific/Apia", "2011-12-30 09:59:59", "2011-12-29 23:59:59", 4},
        {"Pacific/Apia", "2011-12-30 10:00:00", "2011-12-31 00:00:00", 6},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct civil_time got, want = civil_of(cases[i].wall);
        want.weekday = cases[i].weekday;
        timezone_to_civil(zone_of(cases[i].zone), utc(cases[i].utc), &got);
        if (memcmp(&got, &want, sizeof got) != 0)
            fail_msg("%s at %s: %d-%02d-%02d %02d:%02d:%02d weekday %d", cases[i].zone, cases[i].utc, got.year,
                     got.month, got.day, got.hour, got.minute, got.second, got.weekday);
    }
}

static void finds_the_instants(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *wall;
        int count;
        const char *first, *second;
    } cases[] = {
        {"UTC", "2025-03-30 02:30:00", 1, "2025-03-30 02:30:00", NULL},
        {"Europe/Madrid", "2025-03-30 01:59:59", 1, "2025-03-30 00:59:59", NULL},
        {"Europe/Madrid", "2025-03-30 02:00:00", 0, "2025-03-30 01:00:00", NULL},
        {"Europe/Madrid", "2025-03-30 02:59:59", 0, "2025-03-30 01:00:00", NULL},
        {"Europe/Madrid", "2025-03-30 03:00:00", 1, "2025-03-30 01:00:00", NULL},
        {"Europe/Madrid", "2025-10-26 01:59:59", 1, "2025-10-25 23:59:59", NULL},
        {"Europe/Madrid", "2025-10-26 02:00:00", 2, "2025-10-26 00:00:00", "2025-10-26 01:00:00"},
        {"Europe/Madrid", "2025-10-26 02:59:59", 2, "2025-10-26 00:59:59", "2025-10-26 01:59:59"},
        {"Europe/Madrid", "2025-10-26 03:00:00", 1, "2025-10-26 02:00:00", NULL},
        {"America/New_York", "2025-03-09 02:30:00", 0, "2025-03-09 07:00:00", NULL},
        {"America/New_York", "2025-11-02 01:30:00", 2, "2025-11-02 05:30:00", "2025-11-02 06:30:00"},
        {"Australia/Lord_Howe", "2025-10-05 02:15:00", 0, "2025-10-04 15:30:00", NULL},
        {"Australia/Lord_Howe", "2025-10-05 02:30:00", 1, "2025-10-04 15:30:00", NULL},
        {"Australia/Lord_Howe", "2025-04-06 01:29:59", 1, "2025-04-05 14:29:59", NULL},
        {"Australia/Lord_Howe", "2025-04-06 01:45:00", 2, "2025-04-05 14:45:00", "2025-04-05 15:15:00"},
        {"Australia/Lord_Howe", "2025-04-06 02:00:00", 1, "2025-04-05 15:30:00", NULL},
        {"Pacific/Apia", "2011-12-30 12:00:00", 0, "2011-12-30 10:00:00", NULL},  /* the day left out */
        {"Europe/Madrid", "2075-03-31 02:30:00", 0, "2075-03-31 01:00:00", NULL}, /* by the rule, beyond any table */
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t got[2] = {0, 0};
        struct civil_time wall = civil_of(cases[i].wall);
        int count = timezone_from_civil(zone_of(cases[i].zone), &wall, got);
        if (count != cases[i].count || got[0] != utc(cases[i].first) || (count == 2 && got[1] != utc(cases[i].second)))
            fail_msg("%s at %s: %d instants, %lld %lld", cases[i].zone, cases[i].wall, count, (long long)got[0],
                     (long long)got[1]);
    }
}

static void spans_meet(void **state)
{
    (void)state;
    struct timezone_span span, next;
    timezone_span_at(zone_of("UTC"), 0, &span);
    assert_true(span.from_ms == INT64_MIN && span.until_ms == INT64_MAX && span.offset_ms == 0 &&
                span.offset_before_ms == 0);
    timezone_span_at(zone_of("Europe/Madrid"), utc("2025-07-01 00:00:00"), &span);
    assert_int_equal(span.from_ms, utc("2025-03-30 01:00:00"));
    assert_int_equal(span.until_ms, utc("2025-10-26 01:00:00"));
    assert_int_equal(span.offset_ms, 2 * HOUR_MS);
    assert_int_equal(span.offset_before_ms, HOUR_MS);
    int64_t end = utc("2100-01-01 00:00:00");
    static const char *const zones[] = {"Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
                                        "Asia/Manila"};
    for (size_t i = 0; i < LENGTH(zones); i++) {
        timezone_span_at(zone_of(zones[i]), utc("1800-01-01 00:00:00"), &span);
        for (; span.until_ms < end; span = next) {
            timezone_span_at(zone_of(zones[i]), span.until_ms, &next);
            assert_int_equal(next.from_ms, span.until_ms);
            assert_int_equal(next.offset_before_ms, span.offset_ms);
        }
    }
}

static void days_and_dates_agree(void **state)
{
    (void)state;
    int64_t days = civil_to_days(1, 1, 1);
    int weekday = 1; /* 1 January of the year 1 was a Monday */
    for (int year = 1; year <= 2500; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= civil_days_in_month(year, month); day++, days++, weekday = (weekday + 1) % 7) {
                struct civil_time date;
                civil_from_days(days, &date);
                if (date.year != year || date.month != month || date.day != day || date.weekday != weekday ||
                    civil_to_days(year, month, day) != days)
                    fail_msg("%04d-%02d-%02d", year, month, day);
            }
    assert_int_equal(days, civil_to_days(2501, 1, 1));
    assert_int_equal(civil_to_days(1970, 1, 1), 0);
    assert_int_equal(civil_to_days(2000, 3, 1), 11017);
}

/* There and back again: every instant is among those of its own wall-clock time. */
static void there_and_back(void **state)
{
    (void)state;
    static const char *const zones[] = {"Europe/Madrid", "America/New_York",  "Australia/Lord_Howe",
                                        "Pacific/Apia",  "Africa/Casablanca", "Asia/Manila"};
    struct rng rng = {.state = 11};
    for (int i = 0; i < 20000; i++) {
        const struct time_zone *zone = zone_of(zones[rng_below(&rng, LENGTH(zones))]);
        int64_t ms = utc("1830-01-01 00:00:00") + (int64_t)rng_below(&rng, UINT64_C(300) * 365 * 86400) * 1000, got[2];
        struct civil_time wall;
        timezone_to_civil(zone, ms, &wall);
        int count = timezone_from_civil(zone, &wall, got);
        assert_in_range(count, 1, 2);
        assert_true(got[0] == ms || (count == 2 && got[1] == ms));
        assert_true(count == 1 || got[0] < got[1]);
    }
}

struct asker {
    pthread_t thread;
    uint64_t seed;
    int64_t sum;
};

static void *ask(void *user)
{
    static const char *const zones[] = {"Europe/Paris", "America/Chicago", "Australia/Sydney", "Asia/Tokyo"};
    struct asker *asker = user;
    struct rng rng = {.state = asker->seed};
    for (int i = 0; i < 3000; i++) {
        const struct time_zone *zone = NULL;
        if (timezone_find(zones[rng_below(&rng, LENGTH(zones))], &zone, NULL) != ERR_OK)
            return NULL;
        struct civil_time wall;
        int64_t ms = (int64_t)rng_below(&rng, UINT64_C(4000000000)) * 1000, got[2];
        timezone_to_civil(zone, ms, &wall);
        (void)timezone_from_civil(zone, &wall, got);
        asker->sum += wall.hour * 3600 + wall.minute * 60 + wall.second + (got[0] - ms) / 1000;
    }
    return asker;
}

/* Threads that ask the same questions get the same answers; under ThreadSanitizer this is the test of the locks. */
static void threads_may_share(void **state)
{
    (void)state;
    struct asker askers[4] = {0}, alone = {.seed = 5};
    for (size_t i = 0; i < LENGTH(askers); i++) {
        askers[i].seed = 5;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(askers); i++) {
        void *done;
        assert_int_equal(pthread_join(askers[i].thread, &done), 0);
        assert_ptr_equal(done, &askers[i]);
    }
    assert_ptr_equal(ask(&alone), &alone);
    for (size_t i = 0; i < LENGTH(askers); i++)
        assert_int_equal(askers[i].sum, alone.sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(refuses_other_names),
        cmocka_unit_test(shows_the_wall_clock),
        cmocka_unit_test(finds_the_instants),
        cmocka_unit_test(spans_meet),
        cmocka_unit_test(days_and_dates_agree),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(threads_may_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
