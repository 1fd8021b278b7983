/* Cron expressions: what is read, what is refused, and when they run next. */
#include "flow/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* "2025-03-30T01:00:00Z" */
static int64_t utc(const char *text)
{
    int year, month, day, hour, minute, second;
    assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%dZ", &year, &month, &day, &hour, &minute, &second), 6);
    return civil_to_days(year, month, day) * INT64_C(86400000) + ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
}

static const char *text_of(int64_t ms, char ret[40])
{
    int64_t day = ms / 86400000 - (ms % 86400000 < 0);
    int64_t rest = ms - day * 86400000;
    struct civil_time date;
    civil_from_days(day, &date);
    int n = snprintf(ret, 40, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month, date.day, (int)(rest / 3600000),
                     (int)(rest / 60000 % 60), (int)(rest / 1000 % 60));
    if (rest % 1000 != 0)
        (void)snprintf(ret + n, 40 - (size_t)n, "+%dms", (int)(rest % 1000));
    return ret;
}

struct run {
    const char *expression, *zone, *after;
    const char *expected[6]; /* one after another */
};

static void check_runs(const struct run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t at = utc(runs[i].after);
        for (size_t k = 0; k < LENGTH(runs[i].expected) && runs[i].expected[k] != NULL; k++) {
            struct error error = {0};
            char shown[40];
            if (cron_next_text(runs[i].expression, runs[i].zone, at, &at, &error) != ERR_OK)
                fail_msg("%s in %s: %s", runs[i].expression, runs[i].zone, error.message);
            if (strcmp(text_of(at, shown), runs[i].expected[k]) != 0)
                fail_msg("%s in %s after %s: run %zu is %s, not %s", runs[i].expression,
                         runs[i].zone == NULL ? "UTC" : runs[i].zone, runs[i].after, k, shown, runs[i].expected[k]);
        }
    }
}

/* 1 January 2025 was a Wednesday. */
static void runs_as_written(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"* * * * *", NULL, "2025-01-01T00:00:00Z", {"2025-01-01T00:01:00Z", "2025-01-01T00:02:00Z"}},
        {"* * * * * *", NULL, "2025-01-01T00:00:58Z", {"2025-01-01T00:00:59Z", "2025-01-01T00:01:00Z"}},
        {"30 15 9 * * *", NULL, "2025-01-01T00:00:00Z", {"2025-01-01T09:15:30Z", "2025-01-02T09:15:30Z"}},
        {"*/20 0 9 * * *", NULL, "2025-01-01T09:00:20Z", {"2025-01-01T09:00:40Z", "2025-01-02T09:00:00Z"}},
        {"\t 0  9\t* * 1-5 ", NULL, "2025-01-03T08:59:59Z", {"2025-01-03T09:00:00Z", "2025-01-06T09:00:00Z"}},
        {"0 9 * * MON-FRI", NULL, "2025-01-03T09:00:00Z", {"2025-01-06T09:00:00Z"}},
        {"0 9 * * monday,Wed,FRIDAY",
         NULL,
         "2025-01-01T09:00:00Z",
         {"2025-01-03T09:00:00Z", "2025-01-06T09:00:00Z", "2025-01-08T09:00:00Z"}},
        {"0 0 1 jan,JUL,December *",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-07-01T00:00:00Z", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"}},
        {"0 0 1 FEB-APR ?",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z", "2025-04-01T00:00:00Z", "2026-02-01T00:00:00Z"}},
        {"5,10-12,58/1 0 * * *",
         NULL,
         "2025-01-01T00:05:00Z",
         {"2025-01-01T00:10:00Z", "2025-01-01T00:11:00Z", "2025-01-01T00:12:00Z", "2025-01-01T00:58:00Z",
          "2025-01-01T00:59:00Z", "2025-01-02T00:05:00Z"}},
        {"10-30/10 0 * * *",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-01T00:10:00Z", "2025-01-01T00:20:00Z", "2025-01-01T00:30:00Z", "2025-01-02T00:10:00Z"}},
        {"*/15 * * * *", NULL, "2025-01-01T23:30:00Z", {"2025-01-01T23:45:00Z", "2025-01-02T00:00:00Z"}},
        {"0 */7 * * *", NULL, "2025-01-01T14:00:00Z", {"2025-01-01T21:00:00Z", "2025-01-02T00:00:00Z"}},
        {"0 0 */10 * *",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-11T00:00:00Z", "2025-01-21T00:00:00Z", "2025-01-31T00:00:00Z", "2025-02-01T00:00:00Z"}},
        {"0 0 * */5 *", NULL, "2025-01-31T00:00:00Z", {"2025-06-01T00:00:00Z"}},
        {"0 0 31 * *", NULL, "2025-01-31T00:00:00Z", {"2025-03-31T00:00:00Z", "2025-05-31T00:00:00Z"}},
        {"59 59 23 31 12 *", NULL, "2025-01-01T00:00:00Z", {"2025-12-31T23:59:59Z", "2026-12-31T23:59:59Z"}},
        {"? ? ? * ?", NULL, "2025-01-01T00:00:00Z", {"2025-01-01T00:01:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

static void weekdays(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"0 0 * * 7", NULL, "2025-01-01T00:00:00Z", {"2025-01-05T00:00:00Z", "2025-01-12T00:00:00Z"}},
        {"0 0 * * 0", NULL, "2025-01-01T00:00:00Z", {"2025-01-05T00:00:00Z", "2025-01-12T00:00:00Z"}},
        {"0 0 * * Sun", NULL, "2025-01-01T00:00:00Z", {"2025-01-05T00:00:00Z", "2025-01-12T00:00:00Z"}},
        {"0 0 * * 6-7",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-04T00:00:00Z", "2025-01-05T00:00:00Z", "2025-01-11T00:00:00Z"}},
        {"0 0 * * SAT-SUN",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-04T00:00:00Z", "2025-01-05T00:00:00Z", "2025-01-11T00:00:00Z"}},
        {"0 0 * * 7-1",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-05T00:00:00Z", "2025-01-06T00:00:00Z", "2025-01-12T00:00:00Z"}},
        {"0 0 * * 7/3",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-04T00:00:00Z", "2025-01-05T00:00:00Z", "2025-01-08T00:00:00Z"}},
        {"0 0 * * 5L",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-31T00:00:00Z", "2025-02-28T00:00:00Z", "2025-03-28T00:00:00Z"}},
        {"0 0 * * friL", NULL, "2025-01-31T00:00:00Z", {"2025-02-28T00:00:00Z"}},
        {"0 0 * * 7L", NULL, "2025-01-01T00:00:00Z", {"2025-01-26T00:00:00Z", "2025-02-23T00:00:00Z"}},
        {"0 0 * * 5#2", NULL, "2025-01-01T00:00:00Z", {"2025-01-10T00:00:00Z", "2025-02-14T00:00:00Z"}},
        {"0 0 * * WED#1,wed#5",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-29T00:00:00Z", "2025-02-05T00:00:00Z", "2025-03-05T00:00:00Z", "2025-04-02T00:00:00Z",
          "2025-04-30T00:00:00Z"}},
        {"0 0 * * 7#1", NULL, "2025-01-01T00:00:00Z", {"2025-01-05T00:00:00Z", "2025-02-02T00:00:00Z"}},
        {"0 0 * 2 6#5", NULL, "2025-01-01T00:00:00Z", {"2048-02-29T00:00:00Z", "2076-02-29T00:00:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

static void days_of_month(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"0 0 L * *",
         NULL,
         "2023-12-31T00:00:00Z",
         {"2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"}},
        {"0 0 L 2 *", NULL, "2024-02-29T00:00:00Z", {"2025-02-28T00:00:00Z"}},
        {"0 0 L-3 * *",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-28T00:00:00Z", "2025-02-25T00:00:00Z", "2025-03-28T00:00:00Z"}},
        {"0 0 l-30 * *", NULL, "2025-01-01T00:00:00Z", {"2025-03-01T00:00:00Z"}},
        {"0 0 L-28 2 *", NULL, "2025-01-01T00:00:00Z", {"2028-02-01T00:00:00Z"}},
        {"0 0 15,L-1,L * *",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-15T00:00:00Z", "2025-01-30T00:00:00Z", "2025-01-31T00:00:00Z", "2025-02-15T00:00:00Z",
          "2025-02-27T00:00:00Z"}},
        /* 31 May 2025 is a Saturday, 31 August a Sunday */
        {"0 0 LW * *",
         NULL,
         "2025-04-30T00:00:00Z",
         {"2025-05-30T00:00:00Z", "2025-06-30T00:00:00Z", "2025-07-31T00:00:00Z", "2025-08-29T00:00:00Z"}},
        /* 15 February 2025 and 15 March are Saturdays, 15 June is a Sunday, 15 April a Tuesday */
        {"0 0 15W * *",
         NULL,
         "2025-02-01T00:00:00Z",
         {"2025-02-14T00:00:00Z", "2025-03-14T00:00:00Z", "2025-04-15T00:00:00Z", "2025-05-15T00:00:00Z",
          "2025-06-16T00:00:00Z"}},
        /* never into another month: 1 February 2025 is a Saturday, 1 June a Sunday; 31 May is a Saturday, 31 August a
           Sunday */
        {"0 0 1W 2,6 *", NULL, "2025-01-01T00:00:00Z", {"2025-02-03T00:00:00Z", "2025-06-02T00:00:00Z"}},
        {"0 0 31W 5-8 *",
         NULL,
         "2025-05-01T00:00:00Z",
         {"2025-05-30T00:00:00Z", "2025-07-31T00:00:00Z", "2025-08-29T00:00:00Z"}},
        {"0 0 29 2 *", NULL, "2024-02-29T00:00:00Z", {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
        {"0 0 29 2 *", NULL, "2096-02-29T00:00:00Z", {"2104-02-29T00:00:00Z"}}, /* 2100 is no leap year */
        {"0 0 29 2 *", NULL, "1996-02-29T00:00:00Z", {"2000-02-29T00:00:00Z"}}, /* 2000 is one */
        {"* * 29 FEB *", "Europe/Madrid", "2025-01-01T00:00:00Z", {"2028-02-28T23:00:00Z", "2028-02-28T23:01:00Z"}},
        {"0 0 29W 2 *", NULL, "2025-01-01T00:00:00Z", {"2028-02-29T00:00:00Z"}},
        {"0 0 1 1 *", NULL, "0001-01-01T00:00:00Z", {"0002-01-01T00:00:00Z"}},
        {"0 0 1 1 *", NULL, "9999-06-01T00:00:00Z", {"10000-01-01T00:00:00Z"}},
        {"0 0 1 1 *", NULL, "1969-12-31T23:59:59Z", {"1970-01-01T00:00:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

/* POSIX crontab: both day fields restricted, either suffices. */
static void either_day(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"0 0 13 * 5",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-03T00:00:00Z", "2025-01-10T00:00:00Z", "2025-01-13T00:00:00Z", "2025-01-17T00:00:00Z"}},
        {"0 0 1,15 * 1",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-06T00:00:00Z", "2025-01-13T00:00:00Z", "2025-01-15T00:00:00Z", "2025-01-20T00:00:00Z"}},
        {"0 0 L * 5#2",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-10T00:00:00Z", "2025-01-31T00:00:00Z", "2025-02-14T00:00:00Z", "2025-02-28T00:00:00Z"}},
        {"0 0 30 2 1", NULL, "2025-01-01T00:00:00Z", {"2025-02-03T00:00:00Z"}}, /* the Mondays do come */
        {"0 0 ? * 1",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-06T00:00:00Z", "2025-01-13T00:00:00Z", "2025-01-20T00:00:00Z"}},
        {"0 0 */1 * 1", NULL, "2025-01-01T00:00:00Z", {"2025-01-06T00:00:00Z", "2025-01-13T00:00:00Z"}},
        {"0 0 13 * *", NULL, "2025-01-01T00:00:00Z", {"2025-01-13T00:00:00Z", "2025-02-13T00:00:00Z"}},
        {"0 0 13 * 1,*", NULL, "2025-01-01T00:00:00Z", {"2025-01-13T00:00:00Z", "2025-02-13T00:00:00Z"}},
        {"0 0 */20 * 1",
         NULL,
         "2025-01-01T00:00:00Z",
         {"2025-01-06T00:00:00Z", "2025-01-13T00:00:00Z", "2025-01-20T00:00:00Z", "2025-01-21T00:00:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

static void macros(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"@yearly", NULL, "2025-01-01T00:00:00Z", {"2026-01-01T00:00:00Z"}},
        {"@annually", NULL, "2025-01-01T00:00:00Z", {"2026-01-01T00:00:00Z"}},
        {"@monthly", NULL, "2025-01-01T00:00:00Z", {"2025-02-01T00:00:00Z"}},
        {"@weekly", NULL, "2025-01-01T00:00:00Z", {"2025-01-05T00:00:00Z"}},
        {"@daily", NULL, "2025-01-01T00:00:00Z", {"2025-01-02T00:00:00Z"}},
        {" @midnight ", "America/New_York", "2025-01-01T00:00:00Z", {"2025-01-01T05:00:00Z"}},
        {"@HOURLY", NULL, "2025-01-01T00:00:00Z", {"2025-01-01T01:00:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

/* Madrid: 2025-03-30 02:00 -> 03:00 at 01:00Z, 2025-10-26 03:00 -> 02:00 at 01:00Z. New York: 2025-03-09 02:00 -> 03:00
 * at 07:00Z, 2025-11-02 02:00 -> 01:00 at 06:00Z. Lord Howe: 2025-10-05 02:00 -> 02:30 at 15:30Z of the 4th, 2025-04-06
 * 02:00 -> 01:30 at 15:00Z of the 5th. */
static void fixed_hours_run_once(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"30 2 * * *",
         "Europe/Madrid",
         "2025-03-29T00:00:00Z",
         {"2025-03-29T01:30:00Z", "2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"}},
        {"*/10 2 * * *", "Europe/Madrid", "2025-03-29T01:50:00Z", {"2025-03-30T01:00:00Z", "2025-03-31T00:00:00Z"}},
        {"30 2,3 * * *",
         "Europe/Madrid",
         "2025-03-29T22:00:00Z",
         {"2025-03-30T01:00:00Z", "2025-03-30T01:30:00Z", "2025-03-31T00:30:00Z"}},
        {"0 2,3 * * *", "Europe/Madrid", "2025-03-29T22:00:00Z", {"2025-03-30T01:00:00Z", "2025-03-31T00:00:00Z"}},
        {"30 2 30 3 *", "Europe/Madrid", "2025-01-01T00:00:00Z", {"2025-03-30T01:00:00Z", "2026-03-30T00:30:00Z"}},
        {"30 2 * * *", "Europe/Madrid", "2025-10-25T12:00:00Z", {"2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"}},
        {"*/30 2 * * *",
         "Europe/Madrid",
         "2025-10-25T12:00:00Z",
         {"2025-10-26T00:00:00Z", "2025-10-26T00:30:00Z", "2025-10-27T01:00:00Z"}},
        {"30 2 * * *",
         "Europe/Madrid",
         "2025-10-26T01:10:00Z",
         {"2025-10-27T01:30:00Z"}}, /* asked in the second 02:10 */
        {"0 2,3 * * *", "Europe/Madrid", "2025-10-26T00:00:00Z", {"2025-10-26T02:00:00Z", "2025-10-27T01:00:00Z"}},
        {"30 2 * * *", "America/New_York", "2025-03-08T12:00:00Z", {"2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"}},
        {"30 1 * * *", "America/New_York", "2025-11-01T12:00:00Z", {"2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"}},
        {"* 1 2 11 *", "America/New_York", "2025-11-02T05:58:00Z", {"2025-11-02T05:59:00Z", "2026-11-02T06:00:00Z"}},
        {"15 2 * * *", "Australia/Lord_Howe", "2025-10-04T00:00:00Z", {"2025-10-04T15:30:00Z", "2025-10-05T15:15:00Z"}},
        {"45 2 * * *", "Australia/Lord_Howe", "2025-10-04T00:00:00Z", {"2025-10-04T15:45:00Z", "2025-10-05T15:45:00Z"}},
        {"45 1 * * *", "Australia/Lord_Howe", "2025-04-05T00:00:00Z", {"2025-04-05T14:45:00Z", "2025-04-06T15:15:00Z"}},
        {"15 1 * * *", "Australia/Lord_Howe", "2025-04-05T00:00:00Z", {"2025-04-05T14:15:00Z", "2025-04-06T14:45:00Z"}},
        /* a day that Samoa left out, 30 December 2011: the clocks went from the 29th, 24:00, to the 31st at 10:00Z */
        {"0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", {"2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

static void any_hour_follows_elapsed_time(void **state)
{
    (void)state;
    static const struct run runs[] = {
        {"30 * * * *",
         "Europe/Madrid",
         "2025-03-29T23:30:00Z",
         {"2025-03-30T00:30:00Z", "2025-03-30T01:30:00Z", "2025-03-30T02:30:00Z"}},
        {"0 */2 * * *",
         "Europe/Madrid",
         "2025-03-29T23:00:00Z",
         {"2025-03-30T02:00:00Z", "2025-03-30T04:00:00Z"}}, /* 02:00 is missing */
        {"30 * * * *",
         "Europe/Madrid",
         "2025-10-26T00:00:00Z",
         {"2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-26T02:30:00Z"}},
        {"0 */2 * * *",
         "Europe/Madrid",
         "2025-10-25T22:00:00Z",
         {"2025-10-26T00:00:00Z", "2025-10-26T01:00:00Z", "2025-10-26T03:00:00Z"}},
        {"@hourly",
         "America/New_York",
         "2025-11-02T04:00:00Z",
         {"2025-11-02T05:00:00Z", "2025-11-02T06:00:00Z", "2025-11-02T07:00:00Z"}},
        {"*/30 * * * *",
         "America/New_York",
         "2025-03-09T06:00:00Z",
         {"2025-03-09T06:30:00Z", "2025-03-09T07:00:00Z", "2025-03-09T07:30:00Z"}},
        {"0 * * * *",
         "Australia/Lord_Howe",
         "2025-10-04T14:30:00Z",
         {"2025-10-04T16:00:00Z", "2025-10-04T17:00:00Z"}}, /* 02:00 is missing */
        {"45 * * * *",
         "Australia/Lord_Howe",
         "2025-04-05T14:00:00Z",
         {"2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z", "2025-04-05T16:15:00Z"}},
        {"*/20 * * * * *", "Europe/Madrid", "2025-10-26T00:59:40Z", {"2025-10-26T01:00:00Z", "2025-10-26T01:00:20Z"}},
    };
    check_runs(runs, LENGTH(runs));
}

static void milliseconds_are_cut_not_rounded(void **state)
{
    (void)state;
    int64_t at, base = utc("2025-01-01T00:00:00Z");
    struct error error;
    assert_int_equal(cron_next_text("* * * * * *", NULL, base - 1, &at, &error), ERR_OK);
    assert_int_equal(at, base);
    assert_int_equal(cron_next_text("* * * * * *", NULL, base + 999, &at, &error), ERR_OK);
    assert_int_equal(at, base + 1000);
    assert_int_equal(cron_next_text("* * * * * *", NULL, -1, &at, &error), ERR_OK);
    assert_int_equal(at, 0);
    assert_int_equal(cron_next_text("* * * * * *", NULL, -1001, &at, &error), ERR_OK);
    assert_int_equal(at, -1000);
}

struct refusal {
    const char *expression;
    const char *words; /* that the message must have */
};

static void refuses_with_the_field_s_name(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"", "required"},
        {" \t ", "required"},
        {NULL, "required"},
        {"* * * *", "4 fields"},
        {"* * * * * * *", "7 fields"},
        {"@daily *", "2 fields"},
        {"@reboot", "@reboot"},
        {"@", "@hourly"},
        {"* * * * \xc3\xa9", "ASCII"},
        {"* * * *\n*", "ASCII"},
        {"60 * * * * *", "second field"},
        {"x * * * * *", "second field"},
        {"*/0 * * * * *", "second field"},
        {"60 * * * *", "minute field"},
        {"-1 * * * *", "minute field"},
        {"1-60 * * * *", "minute field"},
        {"5-1 * * * *", "ends before it begins"},
        {"*/0 * * * *", "step is out of range"},
        {"*/60 * * * *", "minute field"},
        {"*/ * * * *", "after / a number"},
        {"1,,2 * * * *", "beside a comma"},
        {",1 * * * *", "minute field"},
        {"1, * * * *", "minute field"},
        {"1- * * * *", "minute field"},
        {"1-2-3 * * * *", "minute field"},
        {"*5 * * * *", "minute field"},
        {"1/2/3 * * * *", "minute field"},
        {"99999999999999999999 * * * *", "minute field"},
        {"1.5 * * * *", "minute field"},
        {"0x5 * * * *", "minute field"},
        {"MON * * * *", "minute field"},
        {"?,5 * * * *", "minute field"},
        {"?/5 * * * *", "minute field"},
        {"*-5 * * * *", "minute field"},
        {"5L * * * *", "minute field"},
        {"* 24 * * *", "hour field"},
        {"* 22-2 * * *", "hour field"},
        {"* */24 * * *", "hour field"},
        {"* L * * *", "hour field"},
        {"* * 0 * *", "day-of-month field"},
        {"* * 32 * *", "day-of-month field"},
        {"* * L-0 * *", "day-of-month field"},
        {"* * L-31 * *", "day-of-month field"},
        {"* * L- * *", "day-of-month field"},
        {"* * LL * *", "day-of-month field"},
        {"* * L-3W * *", "day-of-month field"},
        {"* * W * *", "day-of-month field"},
        {"* * 0W * *", "day-of-month field"},
        {"* * 32W * *", "day-of-month field"},
        {"* * 1-5W * *", "day-of-month field"},
        {"* * 15WW * *", "day-of-month field"},
        {"* * 5#2 * *", "day-of-month field"},
        {"* * 5L * *", "day-of-month field"},
        {"* * FRI * *", "day-of-month field"},
        {"* * * 0 *", "month field"},
        {"* * * 13 *", "month field"},
        {"* * * FOO *", "month field"},
        {"* * * JANU *", "month field"},
        {"* * * MON *", "month field"},
        {"* * * JAN-FOO *", "month field"},
        {"* * * DEC-JAN *", "month field"},
        {"* * * L *", "month field"},
        {"* * * JANL *", "month field"},
        {"* * * * 8", "day-of-week field"},
        {"* * * * L", "day-of-week field"},
        {"* * * * JAN", "day-of-week field"},
        {"* * * * 5#0", "day-of-week field"},
        {"* * * * 5#6", "day-of-week field"},
        {"* * * * 5#", "day-of-week field"},
        {"* * * * #2", "day-of-week field"},
        {"* * * * 5#2L", "day-of-week field"},
        {"* * * * 8L", "day-of-week field"},
        {"* * * * 5W", "day-of-week field"},
        {"* * * * FRI-MON", "day-of-week field"},
        {"* * * * */7", "day-of-week field"},
        {"* * * * 1-5L", "day-of-week field"},
        {"0 0 30 2 *", "never come"},
        {"0 0 31 4,6,9,11 *", "never come"},
        {"0 0 30,31 FEB ?", "never come"},
        {"0 0 L-29 2 *", "never come"},
        {"0 0 31W 2 *", "never come"},
    };
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        struct error error = {0};
        struct cron cron, before;
        memset(&cron, 0x5a, sizeof cron);
        before = cron;
        const char *shown = refusals[i].expression == NULL ? "NULL" : refusals[i].expression;
        if (cron_parse(refusals[i].expression, &cron, &error) != ERR_VALIDATION)
            fail_msg("%s is not refused", shown);
        assert_int_equal(error.code, ERR_VALIDATION);
        assert_string_equal(error.field, "cronExpression");
        if (strstr(error.message, refusals[i].words) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", shown, error.message, refusals[i].words);
        assert_memory_equal(&cron, &before, sizeof cron);
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    char text[CRON_TEXT_MAX + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "* * * * *", 9);
    text[CRON_TEXT_MAX] = '\0';
    struct cron cron;
    struct error error = {0};
    assert_int_equal(cron_parse(text, &cron, &error), ERR_OK);
    text[CRON_TEXT_MAX] = ' ';
    text[CRON_TEXT_MAX + 1] = '\0';
    assert_int_equal(cron_parse(text, &cron, &error), ERR_VALIDATION);
    assert_string_equal(error.field, "cronExpression");
    assert_non_null(strstr(error.message, "200"));
}

static void refuses_zones_and_instants(void **state)
{
    (void)state;
    struct error error = {0};
    int64_t at = 7;
    assert_int_equal(cron_next_text("* * * * *", "Europe/Atlantis", 0, &at, &error), ERR_VALIDATION);
    assert_string_equal(error.field, "timezone");
    static const int64_t outside[] = {INT64_MIN, INT64_MAX, INT64_C(-62135596800001), INT64_C(253402300800000)};
    for (size_t i = 0; i < LENGTH(outside); i++) {
        assert_int_equal(cron_next_text("* * * * *", NULL, outside[i], &at, &error), ERR_VALIDATION);
        assert_string_equal(error.field, "after");
    }
    /* Nothing can be parsed that comes as rarely as that, but a hand-made expression can. */
    struct cron never = {
        .seconds = 1, .minutes = 1, .hours = 1, .days = UINT32_C(1) << 30, .months = 1 << 2, .any_weekday = true};
    const struct time_zone *zone;
    assert_int_equal(timezone_find("UTC", &zone, &error), ERR_OK);
    assert_int_equal(cron_next(&never, zone, 0, &at, &error), ERR_NOT_FOUND);
    never.any_hour = true;
    assert_int_equal(cron_next(&never, zone, 0, &at, &error), ERR_NOT_FOUND);
    assert_int_equal(at, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_as_written),
        cmocka_unit_test(weekdays),
        cmocka_unit_test(days_of_month),
        cmocka_unit_test(either_day),
        cmocka_unit_test(macros),
        cmocka_unit_test(fixed_hours_run_once),
        cmocka_unit_test(any_hour_follows_elapsed_time),
        cmocka_unit_test(milliseconds_are_cut_not_rounded),
        cmocka_unit_test(refuses_with_the_field_s_name),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(refuses_zones_and_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
