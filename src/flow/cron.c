/* Reads cron expressions. */
#include "flow/cron_int.h"

#include <string.h>
#include <strings.h>

#define FIELD "cronExpression"
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum which { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

struct rule {
    const char *name;
    int min, max;
    const char *const *names; /* whole names from min on; their first three letters do, too */
    int names_count;
    const char *may; /* what it may be, for a person */
};

static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
                                     "july",    "august",   "september", "october", "november", "december"};
static const char *const weekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

#define USUAL "lists (1,5), ranges (1-5) and steps (*/5)"
static const struct rule rules[FIELDS] = {
    [SECOND] = {"second", 0, 59, NULL, 0, "*, 0 to 59, " USUAL},
    [MINUTE] = {"minute", 0, 59, NULL, 0, "*, 0 to 59, " USUAL},
    [HOUR] = {"hour", 0, 23, NULL, 0, "*, 0 to 23, " USUAL},
    [DAY] = {"day-of-month", 1, 31, NULL, 0, "*, ?, 1 to 31, L, L-3, LW, 15W, " USUAL},
    [MONTH] = {"month", 1, 12, months, COUNT(months), "*, 1 to 12, JAN to DEC, " USUAL},
    [WEEKDAY] = {"day-of-week", 0, 7, weekdays, COUNT(weekdays),
                 "*, ?, 0 to 7 (0 and 7 are Sunday), SUN to SAT, 5L, 5#2, " USUAL},
};

/* One field while it is read; the day fields' own forms go to the expression directly. */
struct field {
    const struct rule *rule;
    struct cron *cron;
    struct error *reterr;
    const char *item; /* of the list, as written */
    uint64_t bits;
    bool any;        /* an item was *, and so everything is named */
    bool only_stars; /* every item was * or a step from it */
};

static enum err refuse(const struct field *field, const char *why)
{
    return error_set(field->reterr, ERR_VALIDATION, FIELD,
                     "the %s field of the cron expression has \"%s\": %s; it may be %s", field->rule->name, field->item,
                     why, field->rule->may);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Up to three digits, so that nothing overflows; false when there is no number or a longer one. */
static bool take_number(const char **at, int *ret)
{
    int n = 0, value = 0;
    for (; is_digit((*at)[n]); n++)
        if (n < 3)
            value = value * 10 + ((*at)[n] - '0');
    *at += n;
    *ret = value;
    return n > 0 && n <= 3;
}

static bool take_name(const struct rule *rule, const char **at, int *ret)
{
    size_t n = 0;
    while (is_letter((*at)[n]))
        n++;
    for (int i = 0; i < rule->names_count; i++) {
        const char *name = rule->names[i];
        /* 5L is also written FRIL */
        bool last = rule == &rules[WEEKDAY] && n == 4 && ((*at)[3] == 'L' || (*at)[3] == 'l');
        size_t length = last ? 3 : n;
        if ((length == 3 || length == strlen(name)) && strncasecmp(*at, name, length) == 0) {
            *at += length;
            *ret = rule->min + i;
            return true;
        }
    }
    return false;
}

static enum err take_value(const struct field *field, const char **at, int *ret)
{
    const struct rule *rule = field->rule;
    bool taken = is_digit(**at) ? take_number(at, ret) : take_name(rule, at, ret);
    if (!taken)
        return refuse(field, rule->names != NULL ? "a number or a name is expected" : "a number is expected");
    if (*ret < rule->min || *ret > rule->max)
        return refuse(field, "the number is out of range");
    return ERR_OK;
}

static void set_bits(struct field *field, int from, int to, int step)
{
    for (int value = from; value <= to; value += step)
        field->bits |= UINT64_C(1) << (field->rule == &rules[WEEKDAY] ? value % 7 : value);
}

/* L, L-3, LW and lists of them. */
static enum err read_last_day(struct field *field, const char *at)
{
    int before = 0;
    if (strcasecmp(at, "LW") == 0) {
        field->cron->last_weekday = true;
        return ERR_OK;
    }
    at++;
    if (*at == '-') {
        at++;
        if (!take_number(&at, &before) || before < 1 || before > 30)
            return refuse(field, "after L- a number from 1 to 30 is expected");
    }
    if (*at != '\0')
        return refuse(field, "after L only W or -n may come");
    field->cron->before_last |= UINT32_C(1) << before;
    return ERR_OK;
}

static enum err read_nth_weekday(struct field *field, int weekday, const char *at)
{
    int nth = 0;
    if (!take_number(&at, &nth) || nth < 1 || nth > 5 || *at != '\0')
        return refuse(field, "after # a number from 1 to 5 is expected");
    field->cron->nth[nth] |= (uint8_t)(1 << weekday % 7);
    return ERR_OK;
}

/* 15W, 5L and 5#2; *ret_done is false when the value is followed by none of these. */
static enum err read_mark(struct field *field, int value, const char *at, bool *ret_done)
{
    *ret_done = true;
    if (field->rule == &rules[DAY] && strcasecmp(at, "W") == 0)
        field->cron->nearest |= UINT32_C(1) << value;
    else if (field->rule == &rules[WEEKDAY] && strcasecmp(at, "L") == 0)
        field->cron->last_days |= (uint8_t)(1 << value % 7);
    else if (field->rule == &rules[WEEKDAY] && *at == '#')
        return read_nth_weekday(field, value, at + 1);
    else
        *ret_done = false;
    return ERR_OK;
}

/* What follows the a of a-b. Sunday may begin a range of weekdays and end it, whichever way it is written. */
static enum err read_range_end(const struct field *field, const char **at, int *from, int *to)
{
    (*at)++;
    enum err err = take_value(field, at, to);
    if (err != ERR_OK)
        return err;
    if (field->rule == &rules[WEEKDAY] && *from > *to) {
        if (*to == 0)
            *to = 7;
        else if (*from == 7)
            *from = 0;
    }
    return *from > *to ? refuse(field, "the range ends before it begins (write two ranges with a comma between)")
                       : ERR_OK;
}

static enum err read_step(const struct field *field, const char **at, int *ret)
{
    int most = field->rule == &rules[WEEKDAY] ? 6 : field->rule->max;
    (*at)++;
    if (!take_number(at, ret))
        return refuse(field, "after / a number is expected");
    return *ret < 1 || *ret > most ? refuse(field, "the step is out of range") : ERR_OK;
}

static enum err read_item(struct field *field)
{
    const struct rule *rule = field->rule;
    const char *at = field->item;
    bool star = *at == '*', done;
    int from = rule->min, to = rule == &rules[WEEKDAY] ? 6 : rule->max, step = 1;
    enum err err = ERR_OK;
    if (*at == '\0')
        return refuse(field, "something is missing beside a comma");
    if (rule == &rules[DAY] && (*at == 'L' || *at == 'l'))
        return read_last_day(field, at);
    if (star)
        at++;
    else if ((err = take_value(field, &at, &from)) != ERR_OK || (err = read_mark(field, from, at, &done)) != ERR_OK ||
             done)
        return err;
    if (!star && *at == '-')
        err = read_range_end(field, &at, &from, &to);
    else if (!star && *at != '/')
        to = from;
    else if (!star && from > to) /* 7/2: from Sunday on */
        from = 0;
    if (err == ERR_OK && *at == '/')
        err = read_step(field, &at, &step);
    if (err != ERR_OK)
        return err;
    if (*at != '\0')
        return refuse(field, "it goes on where it should end");
    field->any |= star && step == 1;
    field->only_stars &= star;
    set_bits(field, from, to, step);
    return ERR_OK;
}

static enum err read_field(struct field *field, char *text)
{
    field->only_stars = true;
    if (strcmp(text, "?") == 0)
        text[0] = '*';
    for (char *item = text; item != NULL;) {
        char *comma = strchr(item, ',');
        if (comma != NULL)
            *comma = '\0';
        field->item = item;
        enum err err = read_item(field);
        if (err != ERR_OK)
            return err;
        item = comma == NULL ? NULL : comma + 1;
    }
    return ERR_OK;
}

static void store_field(struct cron *cron, enum which which, const struct field *field)
{
    switch (which) {
    case SECOND:
        cron->seconds = field->bits;
        break;
    case MINUTE:
        cron->minutes = field->bits;
        break;
    case HOUR:
        cron->hours = (uint32_t)field->bits;
        cron->any_hour = field->only_stars;
        break;
    case DAY:
        cron->days = (uint32_t)field->bits;
        cron->any_day = field->any;
        break;
    case MONTH:
        cron->months = (uint32_t)field->bits;
        break;
    case WEEKDAY:
        cron->weekdays = (uint8_t)field->bits;
        cron->any_weekday = field->any;
        break;
    case FIELDS:
        break;
    }
}

static const char *macro_find(const char *name)
{
    static const struct {
        const char *name, *expression;
    } macros[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                  {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                  {"@hourly", "0 * * * *"}};
    for (size_t i = 0; i < COUNT(macros); i++)
        if (strcasecmp(name, macros[i].name) == 0)
            return macros[i].expression;
    return NULL;
}

/* Copies the expression; refuses what is too long or could not be shown in a message. */
static enum err copy_text(const char *expression, char ret[CRON_TEXT_MAX + 1], struct error *reterr)
{
    if (expression == NULL || expression[strspn(expression, " \t")] == '\0')
        return error_set(reterr, ERR_VALIDATION, FIELD, "a cron expression is required, such as \"0 9 * * MON-FRI\"");
    size_t n = strnlen(expression, CRON_TEXT_MAX + 1);
    if (n > CRON_TEXT_MAX)
        return error_set(reterr, ERR_VALIDATION, FIELD, "a cron expression has at most %d characters", CRON_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        if ((expression[i] < ' ' && expression[i] != '\t') || expression[i] > '~')
            return error_set(reterr, ERR_VALIDATION, FIELD, "a cron expression has printable ASCII characters only");
    memcpy(ret, expression, n + 1);
    return ERR_OK;
}

/* Cuts the text at blanks; returns how many fields there are, of which the first six are kept. */
static int split(char *text, char *fields[FIELDS])
{
    int count = 0;
    char *rest = NULL;
    for (char *field = strtok_r(text, " \t", &rest); field != NULL; field = strtok_r(NULL, " \t", &rest)) {
        if (count < FIELDS)
            fields[count] = field;
        count++;
    }
    return count;
}

/* A hundred years hold every month with every first weekday, leap Februaries among them (1900 was no leap year, 2000
 * was). */
static bool can_come(const struct cron *cron)
{
    int64_t unused;
    return cron_wall_next(cron, civil_to_days(2000, 1, 1) * 86400, civil_to_days(2100, 1, 1) * 86400, &unused);
}

enum err cron_parse(const char *expression, struct cron *ret, struct error *reterr)
{
    char text[CRON_TEXT_MAX + 1], *fields[FIELDS];
    enum err err = copy_text(expression, text, reterr);
    if (err != ERR_OK)
        return err;
    int count = split(text, fields);
    if (fields[0][0] == '@' && count == 1) {
        const char *meaning = macro_find(fields[0]);
        if (meaning == NULL)
            return error_set(
                reterr, ERR_VALIDATION, FIELD,
                "\"%s\" is no macro; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly",
                fields[0]);
        memcpy(text, meaning, strlen(meaning) + 1);
        count = split(text, fields);
    }
    if (count != 5 && count != 6)
        return error_set(
            reterr, ERR_VALIDATION, FIELD,
            "the cron expression has %d fields; it must have 5 (minute hour day-of-month month day-of-week) or 6 "
            "(second first)",
            count);
    struct cron cron = {.seconds = 1};
    for (int i = 0; i < count; i++) {
        enum which which = (enum which)(i + FIELDS - count);
        struct field field = {.rule = &rules[which], .cron = &cron, .reterr = reterr};
        if ((err = read_field(&field, fields[i])) != ERR_OK)
            return err;
        store_field(&cron, which, &field);
    }
    if (!can_come(&cron))
        return error_set(
            reterr, ERR_VALIDATION, FIELD,
            "the day-of-month field of the cron expression names no day that a month of its month field has, so it "
            "can never come");
    *ret = cron;
    return ERR_OK;
}
