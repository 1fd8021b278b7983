/* Reading cron expressions. */
#include "flow/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct range {
    const char *name;
    int min, max;
    const char *words; /* three letters each, from `min` on */
} ranges[FIELDS] = {{"second", 0, 59, NULL}, {"minute", 0, 59, NULL}, {"hour", 0, 23, NULL}, {"day of month", 1, 31, NULL},
                    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}, {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"}};

static const struct {
    const char *name, *expression;
} macros[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
              {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};

static enum err wrong(const struct range *range, const char *item, size_t n, struct error *reterr)
{
    return error_set(reterr, ERR_VALIDATION, "cronExpression", "\"%.*s\" cannot stand in the field for the %s: it must be *, a number from %d to %d%s, a range, a list or a step%s.",
                     (int)(n > 40 ? 40 : n), item, range->name, range->min, range->max, range->words == NULL ? "" : ", a name such as MON or JAN",
                     range == &ranges[DAY] ? ", L, L-3, LW or 15W" : range == &ranges[WEEKDAY] ? ", 5L or 5#2" : "");
}

/* A number or a name at *at, not beyond end; -1 if there is none in range. */
static int value_at(const struct range *range, const char **at, const char *end)
{
    int value = 0;
    const char *start = *at;
    if (range->words != NULL && end - start >= 3 && isalpha((unsigned char)*start)) {
        for (int i = 0; range->words[i * 3] != '\0'; i++)
            if (strncasecmp(range->words + i * 3, start, 3) == 0) {
                *at += 3;
                return range->min + i;
            }
        return -1;
    }
    while (*at < end && isdigit((unsigned char)**at) && *at - start < 4)
        value = value * 10 + (*(*at)++ - '0');
    return *at == start || value < range->min || value > range->max ? -1 : value;
}

/* L, L-n, LW, nW */
static bool parse_special_day(const char *item, const char *end, struct cron *cron)
{
    const char *at = item;
    if (end - item >= 1 && toupper((unsigned char)*item) == 'L') {
        if (end - item == 1) {
            cron->last_offset = 0;
            return true;
        }
        if (end - item == 2 && toupper((unsigned char)item[1]) == 'W')
            return cron->last_weekday = true;
        at = item + 2;
        int back = item[1] == '-' ? value_at(&ranges[DAY], &at, end) : -1;
        if (back < 1 || back > 30 || at != end)
            return false;
        cron->last_offset = (int8_t)back;
        return true;
    }
    int day = value_at(&ranges[DAY], &at, end);
    if (day < 1 || end - at != 1 || toupper((unsigned char)*at) != 'W')
        return false;
    cron->nearest |= 1u << day;
    return true;
}

/* nL, n#k */
static bool parse_special_weekday(const char *item, const char *end, struct cron *cron)
{
    const char *at = item;
    int day = value_at(&ranges[WEEKDAY], &at, end);
    if (day < 0)
        return false;
    day %= 7;
    if (end - at == 1 && toupper((unsigned char)*at) == 'L') {
        cron->last_days |= (uint8_t)(1u << day);
        return true;
    }
    if (end - at != 2 || at[0] != '#' || at[1] < '1' || at[1] > '5')
        return false;
    cron->nth[at[1] - '0'] |= (uint8_t)(1u << day);
    return true;
}

static bool parse_item(const struct range *range, const char *item, const char *end, uint64_t *bits)
{
    const char *at = item;
    int low = range->min, high = range == &ranges[WEEKDAY] ? 6 : range->max, step = 1;
    bool star = *at == '*' || (*at == '?' && end - at == 1), open = false;
    if (star) {
        at++;
    } else {
        low = high = value_at(range, &at, end);
        if (low < 0)
            return false;
        if (at < end && *at == '-') {
            at++;
            high = value_at(range, &at, end);
            if (high < low)
                return false;
        } else {
            open = true;
        }
    }
    if (at < end && *at == '/') {
        char *after;
        long given = strtol(++at, &after, 10);
        if (at == end || !isdigit((unsigned char)*at) || given < 1 || given > range->max)
            return false;
        step = (int)given;
        at = after;
        if (open)
            high = range->max;
    }
    for (int value = low; value <= high; value += step)
        *bits |= UINT64_C(1) << value;
    return at == end;
}

static enum err parse_field(int field, const char *text, size_t n, struct cron *cron, uint64_t *ret_bits, struct error *reterr)
{
    const struct range *range = &ranges[field];
    const char *end = text + n;
    for (const char *item = text;;) {
        const char *comma = memchr(item, ',', (size_t)(end - item)), *stop = comma == NULL ? end : comma;
        bool good = stop > item && (parse_item(range, item, stop, ret_bits) || (field == DAY && parse_special_day(item, stop, cron)) ||
                                    (field == WEEKDAY && parse_special_weekday(item, stop, cron)));
        if (!good)
            return wrong(range, item, (size_t)(stop - item), reterr);
        if (comma == NULL)
            return ERR_OK;
        item = comma + 1;
    }
}

static bool can_come(const struct cron *cron)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!cron->any_weekday || cron->any_day || cron->last_offset == 0 || cron->last_weekday)
        return true;
    for (int month = 1; month <= 12; month++) {
        uint32_t possible = (UINT32_C(2) << longest[month]) - 2;
        if ((cron->months >> month & 1) != 0 && (((cron->days | cron->nearest) & possible) != 0 || (cron->last_offset > 0 && cron->last_offset < longest[month])))
            return true;
    }
    return false;
}

static bool is_star(const char *text, size_t n)
{
    return n == 1 && (*text == '*' || *text == '?');
}

enum err cron_parse(const char *expression, struct cron *ret, struct error *reterr)
{
    struct cron cron = {.last_offset = -1};
    const char *fields[FIELDS + 1];
    size_t lengths[FIELDS + 1], count = 0;
    uint64_t bits[FIELDS] = {0};
    if (strlen(expression) > CRON_TEXT_MAX)
        return error_set(reterr, ERR_VALIDATION, "cronExpression", "A cron expression must have at most %d characters.", CRON_TEXT_MAX);
    expression += strspn(expression, " \t");
    if (*expression == '@') {
        size_t n = strcspn(expression, " \t"), i = 0;
        while (i < sizeof macros / sizeof *macros && (strlen(macros[i].name) != n || strncasecmp(macros[i].name, expression, n) != 0))
            i++;
        if (i == sizeof macros / sizeof *macros || expression[n + strspn(expression + n, " \t")] != '\0')
            return error_set(reterr, ERR_VALIDATION, "cronExpression", "\"%.40s\" is no macro; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.", expression);
        expression = macros[i].expression;
    }
    for (const char *at = expression; *at != '\0' && count <= FIELDS; at += strspn(at, " \t")) {
        fields[count] = at;
        lengths[count] = strcspn(at, " \t");
        at += lengths[count++];
    }
    if (count != FIELDS && count != FIELDS - 1)
        return error_set(reterr, ERR_VALIDATION, "cronExpression", "A cron expression has five fields (minute hour day-of-month month day-of-week) or six (second first), not %zu.", count);
    int first = count == FIELDS ? SECOND : MINUTE;
    bits[SECOND] = 1;
    for (int field = first; field < FIELDS; field++) {
        enum err code = parse_field(field, fields[field - first], lengths[field - first], &cron, &bits[field], reterr);
        if (code != ERR_OK)
            return code;
    }
    cron.seconds = bits[SECOND];
    cron.minutes = bits[MINUTE];
    cron.hours = (uint32_t)bits[HOUR];
    cron.days = (uint32_t)bits[DAY];
    cron.months = (uint32_t)bits[MONTH];
    cron.weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
    cron.any_hour = *fields[HOUR - first] == '*';
    cron.any_day = is_star(fields[DAY - first], lengths[DAY - first]);
    cron.any_weekday = is_star(fields[WEEKDAY - first], lengths[WEEKDAY - first]);
    if (!can_come(&cron))
        return error_set(reterr, ERR_VALIDATION, "cronExpression", "The expression can never come: none of its months has that day.");
    *ret = cron;
    return ERR_OK;
}
