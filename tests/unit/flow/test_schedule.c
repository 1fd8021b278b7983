/* What schedules do: catch-up, overlap, and both changes of the clocks. */
#include "flow/schedule.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static int64_t utc(const char *text)
{
    int64_t ms = 0;
    assert_int_equal(clock_parse_iso(text, &ms), 0);
    return ms;
}

static struct schedule_rule rule_of(const char *json)
{
    struct json *document = NULL;
    struct schedule_rule rule;
    struct error error = {0};
    assert_int_equal(json_parse(json, strlen(json), &document, &error), ERR_OK);
    if (schedule_rule_parse(document, DAY, &rule, &error) != ERR_OK)
        fail_msg("%s: %s", json, error.message);
    json_unref(document);
    return rule;
}

/* "F12:00" fires, "M10:00-11:00*3" was missed; one after another, then "next" when it differs. */
static char *describe(const struct schedule_plan *plan, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < plan->count; i++) {
        char at[ISO_TEXT_BYTES], last[ISO_TEXT_BYTES];
        const struct schedule_step *step = &plan->steps[i];
        clock_format_iso(step->instant_ms, at);
        clock_format_iso(step->last_ms, last);
        n += (size_t)(step->kind == SCHEDULE_FIRE ? snprintf(out + n, size - n, "F%.5s ", at + 11)
                                                  : snprintf(out + n, size - n, "M%.5s-%.5s*%d%s ", at + 11, last + 11,
                                                             (int)step->count, step->more ? "+" : ""));
    }
    if (plan->next_ms == INT64_MAX)
        (void)snprintf(out + n, size - n, "never");
    else {
        char at[ISO_TEXT_BYTES];
        clock_format_iso(plan->next_ms, at);
        (void)snprintf(out + n, size - n, "next %.5s", at + 11);
    }
    return out;
}

/* Every ten minutes; the next instant was to be 10:00. */
static void catches_up_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *catch_up;
        int window_s;
        const char *now, *expected;
    } cases[] = {
        /* on time: whatever the rule is */
        {"none", 3600, "10:00:00", "F10:00 next 10:10"},
        {"last", 3600, "10:00:10", "F10:00 next 10:10"},
        {"all", 0, "10:00:10", "F10:00 next 10:10"},
        {"none", 3600, "09:59:59", "next 10:00"},
        /* missed by more than ten seconds */
        {"none", 3600, "10:00:11", "M10:00-10:00*1 next 10:10"},
        {"last", 3600, "10:00:11", "F10:00 next 10:10"},
        {"all", 3600, "10:00:11", "F10:00 next 10:10"},
        /* several */
        {"none", 3600, "10:35:00", "M10:00-10:30*4 next 10:40"},
        {"last", 3600, "10:35:00", "M10:00-10:20*3 F10:30 next 10:40"},
        {"all", 3600, "10:35:00", "F10:00 F10:10 F10:20 F10:30 next 10:40"},
        /* several, and one on time */
        {"none", 3600, "10:30:05", "M10:00-10:20*3 F10:30 next 10:40"},
        {"last", 3600, "10:30:05", "M10:00-10:20*3 F10:30 next 10:40"},
        {"all", 3600, "10:30:05", "F10:00 F10:10 F10:20 F10:30 next 10:40"},
        /* beyond the window */
        {"last", 60, "10:35:00", "M10:00-10:30*4 next 10:40"},
        {"all", 900, "10:35:00", "M10:00-10:10*2 F10:20 F10:30 next 10:40"},
        {"all", 0, "10:35:00", "M10:00-10:30*4 next 10:40"},
        {"all", 900, "12:00:00", "M10:00-11:40*11 F11:50 F12:00 next 12:10"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char json[200], at[40], shown[400];
        struct schedule_plan plan;
        (void)snprintf(json, sizeof json,
                       "{\"cronExpression\":\"*/10 * * * *\",\"catchUp\":\"%s\",\"catchUpWindow\":%d}",
                       cases[i].catch_up, cases[i].window_s);
        struct schedule_rule rule = rule_of(json);
        (void)snprintf(at, sizeof at, "2025-01-01T%sZ", cases[i].now);
        schedule_plan(&rule, utc("2025-01-01T10:00:00Z"), utc(at), &plan);
        if (strcmp(describe(&plan, shown, sizeof shown), cases[i].expected) != 0)
            fail_msg("%s %d at %s: %s, not %s", cases[i].catch_up, cases[i].window_s, cases[i].now, shown,
                     cases[i].expected);
    }
}

/* A year without anybody, every second: bounded work, and each instant accounted for. */
static void long_gaps_cost_little(void **state)
{
    (void)state;
    struct schedule_plan plan;
    struct schedule_rule rule = rule_of("{\"cronExpression\":\"* * * * * *\",\"catchUp\":\"last\"}");
    int64_t from = utc("2024-01-01T00:00:00Z"), now = utc("2025-01-01T00:00:00Z");
    schedule_plan(&rule, from, now, &plan);
    assert_int_equal(plan.steps[0].kind, SCHEDULE_MISS);
    assert_true(plan.steps[0].more);
    assert_int_equal(plan.steps[0].count, SCHEDULE_MISSED_COUNT);
    assert_int_equal(plan.steps[0].last_ms, now - SCHEDULE_LATE_MS - 1000);
    assert_int_equal(plan.count, 1 + 11); /* what is on time fires */
    assert_int_equal(plan.next_ms, now + 1000);
    rule = rule_of("{\"cronExpression\":\"* * * * * *\",\"catchUp\":\"all\",\"catchUpWindow\":3600}");
    schedule_plan(&rule, from, now, &plan);
    assert_int_equal(plan.count, SCHEDULE_STEPS_MAX);
    assert_int_equal(plan.steps[1].instant_ms, now - 3600000);
    assert_int_equal(plan.next_ms, plan.steps[plan.count - 1].instant_ms + 1000);
}

/* Whatever the moments of looking: with catchUp all and a large window each instant is fired exactly once, in order. */
static void every_instant_once(void **state)
{
    (void)state;
    struct rng rng = {.state = 7};
    struct schedule_rule rule =
        rule_of("{\"cronExpression\":\"*/7 * * * "
                "*\",\"timezone\":\"Europe/Madrid\",\"catchUp\":\"all\",\"catchUpWindow\":864000}");
    int64_t from = utc("2025-03-29T00:00:00Z"), until = utc("2025-04-01T00:00:00Z");
    int64_t next = schedule_at_or_after(&rule, from), expected = next;
    for (int64_t now = from; now < until; now += (int64_t)rng_below(&rng, 6 * (uint64_t)HOUR)) {
        struct schedule_plan plan;
        do {
            schedule_plan(&rule, next, now, &plan);
            for (size_t i = 0; i < plan.count; i++) {
                assert_int_equal(plan.steps[i].kind, SCHEDULE_FIRE);
                assert_int_equal(plan.steps[i].instant_ms, expected);
                expected = schedule_at_or_after(&rule, expected + 1);
            }
            next = plan.next_ms;
        } while (next <= now);
        assert_int_equal(next, expected);
    }
}

/* And with any rule each instant is either fired or told to be missed. */
static void every_instant_accounted_for(void **state)
{
    (void)state;
    static const char *const rules[] = {"none", "last", "all"};
    struct rng rng = {.state = 11};
    for (size_t r = 0; r < LENGTH(rules); r++) {
        char json[200];
        (void)snprintf(json, sizeof json,
                       "{\"cronExpression\":\"*/5 2-4,9 * * *\",\"catchUp\":\"%s\",\"catchUpWindow\":7200}", rules[r]);
        struct schedule_rule rule = rule_of(json);
        int64_t from = utc("2025-01-01T00:00:00Z"), seen = 0, now = from, next = schedule_at_or_after(&rule, from);
        for (int look = 0; look < 60; look++) {
            struct schedule_plan plan;
            now += (int64_t)rng_below(&rng, 10 * (uint64_t)HOUR);
            do {
                int64_t before = next;
                schedule_plan(&rule, next, now, &plan);
                for (size_t i = 0; i < plan.count; i++) {
                    assert_int_equal(plan.steps[i].instant_ms, schedule_at_or_after(&rule, before));
                    seen += plan.steps[i].kind == SCHEDULE_FIRE ? 1 : plan.steps[i].count;
                    before =
                        (plan.steps[i].kind == SCHEDULE_FIRE ? plan.steps[i].instant_ms : plan.steps[i].last_ms) + 1;
                }
                next = plan.next_ms;
                assert_int_equal(next, schedule_at_or_after(&rule, before));
            } while (next <= now);
        }
        assert_int_equal(seen, schedule_count(&rule, from, now, INT64_MAX - 1));
    }
}

static void meets_what_runs(void **state)
{
    (void)state;
    static const struct {
        enum schedule_overlap overlap;
        size_t running, waiting;
        enum schedule_verdict expected;
    } cases[] = {
        {SCHEDULE_ALLOW, 5, 0, SCHEDULE_START},    {SCHEDULE_SKIP, 0, 0, SCHEDULE_START},
        {SCHEDULE_SKIP, 1, 0, SCHEDULE_PASS},      {SCHEDULE_QUEUE, 0, 0, SCHEDULE_START},
        {SCHEDULE_QUEUE, 1, 0, SCHEDULE_WAIT},     {SCHEDULE_QUEUE, 1, 1, SCHEDULE_PASS},
        {SCHEDULE_QUEUE, 0, 1, SCHEDULE_PASS},     {SCHEDULE_CANCEL, 0, 0, SCHEDULE_START},
        {SCHEDULE_CANCEL, 2, 1, SCHEDULE_REPLACE},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *reason = NULL;
        assert_int_equal(schedule_meet(cases[i].overlap, cases[i].running, cases[i].waiting, &reason),
                         cases[i].expected);
        assert_int_equal(reason != NULL, cases[i].expected == SCHEDULE_PASS);
    }
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"cronExpression\":\"nonsense\"}", "cronExpression"},
        {"{\"timezone\":\"UTC\"}", "cronExpression"},
        {"{\"cronExpression\":\"@daily\",\"timezone\":\"Mars/Base\"}", "timezone"},
        {"{\"cronExpression\":\"@daily\",\"overlap\":\"both\"}", "overlap"},
        {"{\"cronExpression\":\"@daily\",\"overlap\":1}", "overlap"},
        {"{\"cronExpression\":\"@daily\",\"catchUp\":\"some\"}", "catchUp"},
        {"{\"cronExpression\":\"@daily\",\"catchUpWindow\":-1}", "catchUpWindow"},
        {"{\"cronExpression\":\"@daily\",\"catchUpWindow\":99999999}", "catchUpWindow"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct json *document = NULL;
        struct schedule_rule rule;
        struct error error = {0};
        assert_int_equal(json_parse(cases[i][0], strlen(cases[i][0]), &document, &error), ERR_OK);
        assert_int_equal(schedule_rule_parse(document, DAY, &rule, &error), ERR_VALIDATION);
        assert_string_equal(error.field, cases[i][1]);
        assert_true(strlen(error.message) > 20);
        json_unref(document);
    }
}

/* The rule is that of Vixie cron as Debian ships it (man cron(8), "Daylight saving time and other time changes"):
 * "when the time is changed by fewer than 3 hours … if time has moved forward, those jobs which would have run in the
 * interval that has been skipped will be run immediately. Conversely, if time has moved backward, care is taken to
 * avoid running jobs twice", while jobs with a wildcard hour or minute run "based on the new time immediately". Where
 * we go beyond it: only a wildcard hour counts as one, and a change of any length is treated the same. The offsets are
 * those of the IANA database. Each line is one change of clocks: the instants of an expression in the day around it. */
static void keeps_the_rule_when_clocks_change(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *cron, *from, *until, *instants;
    } cases[] = {
        /* Madrid, 30 March 2025, 02:00 CET -> 03:00 CEST at 01:00Z */
        {"Europe/Madrid", "30 1 * * *", "2025-03-30T00:00:00Z", "2025-03-30T12:00:00Z", "00:30"},
        {"Europe/Madrid", "0 2 * * *", "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z", "01:00"},
        {"Europe/Madrid", "30 2 * * *", "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z", "01:00"},
        {"Europe/Madrid", "0 3 * * *", "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z", "01:00"},
        {"Europe/Madrid", "30 * * * *", "2025-03-30T00:00:00Z", "2025-03-30T02:59:00Z", "00:30 01:30 02:30"},
        {"Europe/Madrid", "0,30 2 * * *", "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z", "01:00"},
        /* Madrid, 26 October 2025, 03:00 CEST -> 02:00 CET at 01:00Z */
        {"Europe/Madrid", "30 1 * * *", "2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z", "23:30"},
        {"Europe/Madrid", "30 2 * * *", "2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z", "00:30"},
        {"Europe/Madrid", "0 3 * * *", "2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z", "02:00"},
        {"Europe/Madrid", "30 * * * *", "2025-10-26T00:00:00Z", "2025-10-26T02:59:00Z", "00:30 01:30 02:30"},
        /* New York, 9 March 2025, 02:00 EST -> 03:00 EDT at 07:00Z; 2 November back at 06:00Z */
        {"America/New_York", "15 2 * * *", "2025-03-09T00:00:00Z", "2025-03-09T20:00:00Z", "07:00"},
        {"America/New_York", "*/30 * * * *", "2025-03-09T06:00:00Z", "2025-03-09T08:00:00Z",
         "06:00 06:30 07:00 07:30 08:00"},
        {"America/New_York", "15 1 * * *", "2025-11-02T00:00:00Z", "2025-11-02T20:00:00Z", "05:15"},
        {"America/New_York", "*/30 * * * *", "2025-11-02T05:00:00Z", "2025-11-02T07:00:00Z",
         "05:00 05:30 06:00 06:30 07:00"},
        /* London, 30 March 2025, 01:00 GMT -> 02:00 BST at 01:00Z; 26 October back at 01:00Z */
        {"Europe/London", "30 1 * * *", "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z", "01:00"},
        {"Europe/London", "30 1 * * *", "2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z", "00:30"},
        /* Lord Howe changes by half an hour: 5 October 2025 02:00 -> 02:30 at 15:30Z (the 4th); 6 April back at 15:00Z
         */
        {"Australia/Lord_Howe", "15 2 * * *", "2025-10-04T12:00:00Z", "2025-10-05T12:00:00Z", "15:30"},
        {"Australia/Lord_Howe", "45 1 * * *", "2025-04-05T12:00:00Z", "2025-04-06T12:00:00Z", "14:45"},
        /* Santiago changes at midnight: 7 September 2025 00:00 -> 01:00 at 04:00Z; 6 April 00:00 back to 23:00, 03:00Z
         */
        {"America/Santiago", "0 0 * * *", "2025-09-06T12:00:00Z", "2025-09-07T12:00:00Z", "04:00"},
        {"America/Santiago", "30 23 * * *", "2025-04-05T12:00:00Z", "2025-04-06T12:00:00Z", "02:30"},
        {"America/Santiago", "0 0 * * *", "2025-04-05T12:00:00Z", "2025-04-06T12:00:00Z", "04:00"},
        /* Auckland, 28 September 2025, 02:00 NZST -> 03:00 NZDT at 14:00Z (the 27th); 6 April back at 14:00Z */
        {"Pacific/Auckland", "30 2 * * *", "2025-09-27T00:00:00Z", "2025-09-28T00:00:00Z", "14:00"},
        {"Pacific/Auckland", "30 2 * * *", "2025-04-05T00:00:00Z", "2025-04-06T00:00:00Z", "13:30"},
        /* Samoa left out 30 December 2011 altogether: what was due that day runs when the next one begins */
        {"Pacific/Apia", "0 12 * * *", "2011-12-29T23:00:00Z", "2011-12-30T23:00:00Z", "10:00 22:00"},
        /* without changes */
        {"Asia/Kolkata", "30 2 * * *", "2025-03-30T00:00:00Z", "2025-03-31T00:00:00Z", "21:00"},
        {"UTC", "30 2 * * *", "2025-03-30T00:00:00Z", "2025-03-31T00:00:00Z", "02:30"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char json[200], shown[200] = "";
        (void)snprintf(json, sizeof json, "{\"cronExpression\":\"%s\",\"timezone\":\"%s\"}", cases[i].cron,
                       cases[i].zone);
        struct schedule_rule rule = rule_of(json);
        int64_t until = utc(cases[i].until);
        for (int64_t at = schedule_at_or_after(&rule, utc(cases[i].from)); at <= until;
             at = schedule_at_or_after(&rule, at + 1)) {
            char text[ISO_TEXT_BYTES];
            size_t n = strlen(shown);
            clock_format_iso(at, text);
            (void)snprintf(shown + n, sizeof shown - n, "%s%.5s", n == 0 ? "" : " ", text + 11);
        }
        if (strcmp(shown, cases[i].instants) != 0)
            fail_msg("%s in %s from %s: %s, not %s", cases[i].cron, cases[i].zone, cases[i].from, shown,
                     cases[i].instants);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catches_up_as_told),
        cmocka_unit_test(long_gaps_cost_little),
        cmocka_unit_test(every_instant_once),
        cmocka_unit_test(every_instant_accounted_for),
        cmocka_unit_test(meets_what_runs),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(keeps_the_rule_when_clocks_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
