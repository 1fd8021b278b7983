/* Decisions of schedules. */
#include "flow/schedule.h"

#include <string.h>

const char *const schedule_overlaps[] = {"allow", "skip", "queue", "cancel", NULL};
const char *const schedule_catch_ups[] = {"none", "last", "all", NULL};

static const char missed[] = "missed: nothing could fire it in time",
                  too_old[] = "missed, and older than the catch-up window",
                  later_one[] = "missed, and a later instant fires instead";

static enum err parse_name(const struct json *schedule, const char *member, const char *const *names, int otherwise,
                           int *ret, struct error *reterr)
{
    const char *name = json_get_str(schedule, member);
    if (json_get(schedule, member) == NULL) {
        *ret = otherwise;
        return ERR_OK;
    }
    for (int i = 0; name != NULL && names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = i;
            return ERR_OK;
        }
    return error_set(reterr, ERR_VALIDATION, member, "%s must be %s, %s or %s.", member, names[0], names[1],
                     names[3] != NULL ? "queue or cancel" : names[2]);
}

enum err schedule_rule_parse(const struct json *schedule, int64_t window_ms, struct schedule_rule *ret,
                             struct error *reterr)
{
    struct schedule_rule rule = {.window_ms = window_ms};
    const char *expression = json_get_str(schedule, "cronExpression"), *zone = json_get_str(schedule, "timezone");
    int overlap = 0, catch_up = 0;
    enum err code = cron_parse(expression == NULL ? "" : expression, &rule.cron, reterr);
    if (code == ERR_OK)
        code = timezone_find(zone == NULL ? "UTC" : zone, &rule.zone, reterr);
    if (code == ERR_OK)
        code = parse_name(schedule, "overlap", schedule_overlaps, SCHEDULE_ALLOW, &overlap, reterr);
    if (code == ERR_OK)
        code = parse_name(schedule, "catchUp", schedule_catch_ups, SCHEDULE_CATCH_LAST, &catch_up, reterr);
    if (code != ERR_OK)
        return code;
    rule.overlap = (enum schedule_overlap)overlap;
    rule.catch_up = (enum schedule_catch_up)catch_up;
    if (json_get(schedule, "catchUpWindow") != NULL) {
        int64_t seconds = json_get_int(schedule, "catchUpWindow", -1);
        if (seconds < 0 || seconds > SCHEDULE_WINDOW_MAX_S)
            return error_set(reterr, ERR_VALIDATION, "catchUpWindow",
                             "catchUpWindow must be a number of seconds from 0 to %d (a year).", SCHEDULE_WINDOW_MAX_S);
        rule.window_ms = seconds * 1000;
    }
    *ret = rule;
    return ERR_OK;
}

static int64_t after(const struct schedule_rule *rule, int64_t at_ms)
{
    int64_t next;
    struct error none_left;
    return cron_next(&rule->cron, rule->zone, at_ms, &next, &none_left) == ERR_OK ? next : INT64_MAX;
}

int64_t schedule_at_or_after(const struct schedule_rule *rule, int64_t at_ms)
{
    return after(rule, at_ms - 1);
}

int64_t schedule_count(const struct schedule_rule *rule, int64_t from_ms, int64_t to_ms, int64_t most)
{
    int64_t count = 0;
    for (int64_t at = schedule_at_or_after(rule, from_ms); at <= to_ms && at != INT64_MAX && count <= most;
         at = after(rule, at))
        count++;
    return count;
}

/* The last instant of from_ms <= t < before_ms, where from_ms is an instant: looked for in ever longer stretches before
 * the end, so that a gap of years costs no more than its last two instants. */
static int64_t last_before(const struct schedule_rule *rule, int64_t from_ms, int64_t before_ms)
{
    for (int64_t stretch = 1000; before_ms - stretch > from_ms; stretch *= 2) {
        int64_t at = schedule_at_or_after(rule, before_ms - stretch), next;
        if (at >= before_ms)
            continue;
        while ((next = after(rule, at)) < before_ms)
            at = next;
        return at;
    }
    int64_t at = from_ms, next;
    while ((next = after(rule, at)) < before_ms)
        at = next;
    return at;
}

static void add_fire(struct schedule_plan *plan, int64_t instant_ms)
{
    plan->steps[plan->count++] = (struct schedule_step){.kind = SCHEDULE_FIRE, .instant_ms = instant_ms};
}

/* All instants from from_ms on, which is one, and before before_ms. */
static void add_missed(const struct schedule_rule *rule, struct schedule_plan *plan, int64_t from_ms, int64_t before_ms,
                       const char *reason)
{
    if (from_ms >= before_ms)
        return;
    int64_t count = schedule_count(rule, from_ms, before_ms - 1, SCHEDULE_MISSED_COUNT);
    bool more = count > SCHEDULE_MISSED_COUNT;
    plan->steps[plan->count++] = (struct schedule_step){.kind = SCHEDULE_MISS,
                                                        .instant_ms = from_ms,
                                                        .last_ms = last_before(rule, from_ms, before_ms),
                                                        .count = more ? SCHEDULE_MISSED_COUNT : count,
                                                        .more = more,
                                                        .reason = reason};
}

/* Of what was missed, the last one fires if it is young enough and no later one does. Returns the first on time. */
static int64_t catch_last(const struct schedule_rule *rule, struct schedule_plan *plan, int64_t from_ms, int64_t now_ms)
{
    int64_t on_time = schedule_at_or_after(rule, now_ms - SCHEDULE_LATE_MS);
    int64_t last = last_before(rule, from_ms, now_ms - SCHEDULE_LATE_MS);
    if (on_time <= now_ms) {
        add_missed(rule, plan, from_ms, on_time, later_one);
    } else if (last < now_ms - rule->window_ms) {
        add_missed(rule, plan, from_ms, on_time, too_old);
    } else {
        add_missed(rule, plan, from_ms, last, later_one);
        add_fire(plan, last);
    }
    return on_time;
}

void schedule_plan(const struct schedule_rule *rule, int64_t next_ms, int64_t now_ms, struct schedule_plan *ret)
{
    int64_t at = next_ms, on_time_ms = now_ms - SCHEDULE_LATE_MS, first;
    ret->count = 0;
    if (at < on_time_ms)
        switch (rule->catch_up) {
        case SCHEDULE_CATCH_NONE:
            first = schedule_at_or_after(rule, on_time_ms);
            add_missed(rule, ret, at, first, missed);
            at = first;
            break;
        case SCHEDULE_CATCH_LAST:
            at = catch_last(rule, ret, at, now_ms);
            break;
        case SCHEDULE_CATCH_ALL:
            first = rule->window_ms < SCHEDULE_LATE_MS ? on_time_ms : now_ms - rule->window_ms;
            if (at < first) {
                first = schedule_at_or_after(rule, first);
                add_missed(rule, ret, at, first, too_old);
                at = first;
            }
            break;
        }
    for (; at <= now_ms && ret->count < SCHEDULE_STEPS_MAX; at = after(rule, at))
        add_fire(ret, at);
    ret->next_ms = at;
}

enum schedule_verdict schedule_meet(enum schedule_overlap overlap, size_t running, size_t waiting,
                                    const char **ret_reason)
{
    *ret_reason = NULL;
    if (overlap == SCHEDULE_ALLOW || running + waiting == 0)
        return SCHEDULE_START;
    if (overlap == SCHEDULE_CANCEL)
        return SCHEDULE_REPLACE;
    if (overlap == SCHEDULE_QUEUE && waiting == 0)
        return SCHEDULE_WAIT;
    *ret_reason = overlap == SCHEDULE_QUEUE ? "overlap: another instant waits already"
                                            : "overlap: the execution before it is not finished";
    return SCHEDULE_PASS;
}
