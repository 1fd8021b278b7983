/* The next instant against an oracle that goes minute by minute: random expressions, zones and starting times. */
#include "base/clock.h"
#include "flow/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define MINUTE_MS INT64_C(60000)
#define DAY_MINUTES 1440

enum kind { VALUE, RANGE, STAR, LAST, LAST_WEEKDAY, NEAREST, LAST_SUCH, NTH };

/* What was written, kept as it was meant, so that the oracle needs nothing of the parser. */
struct item {
    enum kind kind;
    int a, b, step;
};
struct field {
    int count;
    struct item items[3];
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const int lowest[FIELDS] = {0, 0, 1, 1, 0}, highest[FIELDS] = {59, 23, 31, 12, 7};

static int below(struct rng *rng, int n)
{
    return (int)rng_below(rng, (uint64_t)n);
}

static struct item item_random(struct rng *rng, int which)
{
    int low = lowest[which], high = highest[which];
    struct item item = {.kind = VALUE, .a = low + below(rng, high - low + 1), .step = 1};
    int dice = below(rng, 10);
    if (which == DAY && dice < 3) {
        static const enum kind kinds[] = {LAST, LAST_WEEKDAY, NEAREST};
        item.kind = kinds[dice];
        item.b = below(rng, 6);
    } else if (which == WEEKDAY && dice < 3) {
        item.kind = dice == 0 ? LAST_SUCH : NTH;
        item.b = 1 + below(rng, 5);
    } else if (dice < 6) {
        item.kind = RANGE;
        item.b = item.a + below(rng, high - item.a + 1);
        item.step = 1 + below(rng, 3);
    } else if (dice == 6) {
        item.kind = STAR;
        item.step = 2 + below(rng, which == WEEKDAY ? 4 : 10);
    }
    return item;
}

static struct field field_random(struct rng *rng, int which)
{
    struct field field = {.count = 1, .items = {{.kind = STAR, .step = 1}}};
    static const int stars_of_10[FIELDS] = {3, 3, 6, 7, 6};
    if (below(rng, 10) < stars_of_10[which])
        return field;
    field.count = 1 + below(rng, 3);
    for (int i = 0; i < field.count; i++)
        field.items[i] = item_random(rng, which);
    return field;
}

static int item_format(const struct item *item, int which, char *out, size_t n)
{
    static const char *const days[] = {"SUN", "mon", "Tuesday", "WED", "thu", "FRIDAY", "Sat", "sunday"};
    static const char *const months[] = {"",    "JAN", "feb", "March",   "APR", "may", "JUNE",
                                         "Jul", "aug", "SEP", "october", "Nov", "DEC"};
    char a[16];
    bool by_name = item->b % 2 == 0;
    (void)snprintf(a, sizeof a, "%d", item->a);
    if (by_name && which == WEEKDAY && item->kind != LAST_SUCH)
        (void)snprintf(a, sizeof a, "%s", days[item->a]);
    if (by_name && which == MONTH)
        (void)snprintf(a, sizeof a, "%s", months[item->a]);
    switch (item->kind) {
    case VALUE:
        return snprintf(out, n, "%s", a);
    case RANGE:
        return item->step == 1 ? snprintf(out, n, "%s-%d", a, item->b)
                               : snprintf(out, n, "%s-%d/%d", a, item->b, item->step);
    case STAR:
        return item->step == 1 ? snprintf(out, n, "*") : snprintf(out, n, "*/%d", item->step);
    case LAST:
        return item->b == 0 ? snprintf(out, n, "L") : snprintf(out, n, "L-%d", item->b);
    case LAST_WEEKDAY:
        return snprintf(out, n, "LW");
    case NEAREST:
        return snprintf(out, n, "%dW", item->a);
    case LAST_SUCH:
        return snprintf(out, n, "%dL", item->a);
    case NTH:
        return snprintf(out, n, "%s#%d", a, item->b);
    }
    return 0;
}

static void expression_format(const struct field fields[FIELDS], char *out, size_t n)
{
    size_t used = 0;
    for (int which = 0; which < FIELDS; which++)
        for (int i = 0; i < fields[which].count; i++) {
            char item[32];
            (void)item_format(&fields[which].items[i], which, item, sizeof item);
            used += (size_t)snprintf(out + used, n - used, "%s%s", i > 0 ? "," : which > 0 ? " " : "", item);
        }
}

/* The weekday nearest the n-th, found by trying days further and further away, the earlier one first on equal terms. */
static int nearest_to(const struct civil_time *now, int n)
{
    int length = civil_days_in_month(now->year, now->month);
    for (int away = 0; n <= length && away < 3; away++)
        for (int sign = -1; sign <= 1; sign += 2) {
            int day = n + sign * away;
            int weekday = (now->weekday + 70 + day - now->day) % 7;
            if (day >= 1 && day <= length && weekday != 0 && weekday != 6)
                return day;
        }
    return 0;
}

static bool item_names(const struct item *item, int value, const struct civil_time *now)
{
    int length = civil_days_in_month(now->year, now->month);
    switch (item->kind) {
    case VALUE:
        return value == item->a;
    case RANGE:
        return value >= item->a && value <= item->b && (value - item->a) % item->step == 0;
    case STAR:
        return true; /* steps of it: see field_names */
    case LAST:
        return now->day == length - item->b;
    case LAST_WEEKDAY:
        return now->day == nearest_to(now, length);
    case NEAREST:
        return now->day == nearest_to(now, item->a);
    case LAST_SUCH:
        return value == item->a && now->day > length - 7;
    case NTH:
        return value == item->a && (now->day - 1) / 7 + 1 == item->b;
    }
    return false;
}

static bool field_names(const struct field *field, int which, const struct civil_time *now)
{
    int values[FIELDS] = {now->minute, now->hour, now->day, now->month, now->weekday};
    for (int i = 0; i < field->count; i++) {
        const struct item *item = &field->items[i];
        if (item->kind == STAR) {
            if ((values[which] - lowest[which]) % item->step == 0)
                return true;
        } else if (item_names(item, values[which], now) ||
                   (which == WEEKDAY && now->weekday == 0 && item_names(item, 7, now)))
            return true;
    }
    return false;
}

static bool is_star(const struct field *field)
{
    return field->items[0].kind == STAR && field->items[0].step == 1;
}

static bool fields_name(const struct field fields[FIELDS], const struct civil_time *now)
{
    bool named[FIELDS];
    for (int which = 0; which < FIELDS; which++)
        named[which] = field_names(&fields[which], which, now);
    bool either = !is_star(&fields[DAY]) && !is_star(&fields[WEEKDAY]);
    bool day = either ? named[DAY] || named[WEEKDAY] : named[DAY] && named[WEEKDAY];
    return named[MINUTE] && named[HOUR] && named[MONTH] && day;
}

static int64_t wall_minutes(const struct civil_time *c)
{
    return (civil_to_days(c->year, c->month, c->day) * 24 + c->hour) * 60 + c->minute;
}

/* Did the clocks already show this less than two hours ago? */
static bool shown_before(const struct time_zone *zone, int64_t at_ms, const struct civil_time *now)
{
    for (int64_t back = 30; back <= 120; back += 30) {
        struct civil_time then;
        timezone_to_civil(zone, at_ms - back * MINUTE_MS, &then);
        if (wall_minutes(&then) == wall_minutes(now))
            return true;
    }
    return false;
}

/* Was one of the minutes named that the clocks skipped to arrive here? */
static bool skipped(const struct field fields[FIELDS], const struct time_zone *zone, int64_t at_ms,
                    const struct civil_time *now)
{
    struct civil_time wall;
    timezone_to_civil(zone, at_ms - MINUTE_MS, &wall);
    for (int64_t minute = wall_minutes(&wall) + 1; minute < wall_minutes(now); minute++) {
        civil_from_days(minute / DAY_MINUTES, &wall); /* after 1970 */
        wall.hour = (int)(minute / 60 % 24);
        wall.minute = (int)(minute % 60);
        if (fields_name(fields, &wall))
            return true;
    }
    return false;
}

static bool oracle_next(const struct field fields[FIELDS], const struct time_zone *zone, int64_t after_ms,
                        int64_t until_ms, int64_t *ret_ms)
{
    bool elapsed = true;
    for (int i = 0; i < fields[HOUR].count; i++)
        elapsed = elapsed && fields[HOUR].items[i].kind == STAR;
    for (int64_t at = (after_ms / MINUTE_MS + 1) * MINUTE_MS; at <= until_ms; at += MINUTE_MS) {
        struct civil_time now;
        timezone_to_civil(zone, at, &now);
        bool named = fields_name(fields, &now);
        if (!elapsed && named)
            named = !shown_before(zone, at, &now);
        if (named || (!elapsed && skipped(fields, zone, at, &now))) {
            *ret_ms = at;
            return true;
        }
    }
    return false;
}

/* Half of the starting times lie within two days before a change of clocks, or three hours after it. */
static int64_t start_random(struct rng *rng, const struct time_zone *zone)
{
    int64_t at = INT64_C(631152000000) + (int64_t)rng_below(rng, UINT64_C(60) * 365 * 86400000); /* 1990 to 2050 */
    struct timezone_span span;
    timezone_span_at(zone, at, &span);
    if (below(rng, 2) == 0 && span.until_ms != INT64_MAX)
        at = span.until_ms - (int64_t)rng_below(rng, 51 * 3600000) + 3 * 3600000;
    return at;
}

static void agrees_with_the_oracle(void **state)
{
    (void)state;
    static const char *const names[] = {
        "UTC",         "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns",
        "Pacific/Apia"};
    struct rng rng = {.state = 20250330};
    int found = 0, refused = 0, beyond = 0;
    for (int round = 0; round < 3000; round++) {
        struct field fields[FIELDS];
        char text[CRON_TEXT_MAX + 1];
        for (int which = 0; which < FIELDS; which++)
            fields[which] = field_random(&rng, which);
        expression_format(fields, text, sizeof text);
        const char *name = names[rng_below(&rng, LENGTH(names))];
        const struct time_zone *zone;
        struct error error = {0};
        assert_int_equal(timezone_find(name, &zone, &error), ERR_OK);
        int64_t after = start_random(&rng, zone), got = 0, want = 0;
        int64_t until = after + 12 * DAY_MINUTES * MINUTE_MS;
        enum err err = cron_next_text(text, name, after, &got, &error);
        bool has = oracle_next(fields, zone, after, until, &want);
        if (err == ERR_VALIDATION && strstr(error.message, "never come") != NULL && !has) {
            refused++;
            continue;
        }
        if (err != ERR_OK || (has ? got != want : got <= until))
            fail_msg("round %d: %s in %s after %lld: %s %lld, not %lld", round, text, name, (long long)after,
                     error.message, (long long)got, (long long)want);
        found += has;
        beyond += !has;
    }
    /* the generator must not drift to what says nothing */
    assert_true(found > 1500);
    assert_true(beyond > 100);
    assert_true(refused < 150);
}

/* From anywhere between two runs the next one is the same; nothing depends on where the search began. */
static void does_not_depend_on_the_start(void **state)
{
    (void)state;
    static const char *const texts[] = {"*/7 * * * *", "30 2 * * *",        "15,45 1-3 * * *",
                                        "0 */2 * * *", "*/25 30 1,2 * * *", "10 3 LW * 5#2"};
    static const char *const names[] = {"Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"};
    struct rng rng = {.state = 3};
    for (int round = 0; round < 20000; round++) {
        struct cron cron;
        const struct time_zone *zone;
        struct error error = {0};
        int64_t first, again;
        assert_int_equal(cron_parse(texts[rng_below(&rng, LENGTH(texts))], &cron, &error), ERR_OK);
        assert_int_equal(timezone_find(names[rng_below(&rng, LENGTH(names))], &zone, &error), ERR_OK);
        int64_t after = start_random(&rng, zone);
        assert_int_equal(cron_next(&cron, zone, after, &first, &error), ERR_OK);
        assert_true(first > after);
        int64_t between = after + (int64_t)rng_below(&rng, (uint64_t)(first - after));
        assert_int_equal(cron_next(&cron, zone, between, &again, &error), ERR_OK);
        assert_int_equal(again, first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_oracle),
                                       cmocka_unit_test(does_not_depend_on_the_start)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
