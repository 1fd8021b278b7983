/* What a schedule does when it is looked at: which instants fire, which are passed over and why. Pure. Any thread.
 *
 * An instant that is at most SCHEDULE_LATE_MS past is on time. Older ones were missed (nothing ran, or the store could
 * not be written); catchUp says what becomes of those within the window: none of them fires, only the last one (unless
 * a later instant is on time), or all of them in order. Those older than the window never fire. A due instant that
 * meets an unfinished execution of its schedule is decided by the overlap policy. */
#pragma once
#include "flow/cron.h"
#include "json/json.h"

#define SCHEDULE_LATE_MS 10000
#define SCHEDULE_WINDOW_MAX_S (366 * 24 * 3600)
#define SCHEDULE_STEPS_MAX 50      /* of one look; the rest follows at the next one */
#define SCHEDULE_MISSED_COUNT 1000 /* further ones of one gap are not counted */

enum schedule_overlap { SCHEDULE_ALLOW, SCHEDULE_SKIP, SCHEDULE_QUEUE, SCHEDULE_CANCEL };
enum schedule_catch_up { SCHEDULE_CATCH_NONE, SCHEDULE_CATCH_LAST, SCHEDULE_CATCH_ALL };
extern const char *const schedule_overlaps[], *const schedule_catch_ups[]; /* names as the API has them, NULL-ended */

struct schedule_rule {
    struct cron cron;
    const struct time_zone *zone;
    enum schedule_overlap overlap;
    enum schedule_catch_up catch_up;
    int64_t window_ms;
};
/* Of a schedule's document; absent members: allow, last, `window_ms`. VALIDATION with the member's name. */
enum err schedule_rule_parse(const struct json *schedule, int64_t window_ms, struct schedule_rule *ret,
                             struct error *reterr) ERROR_MUST_CHECK;

enum schedule_step_kind { SCHEDULE_FIRE, SCHEDULE_MISS };
struct schedule_step {
    enum schedule_step_kind kind;
    int64_t instant_ms;
    /* MISS: all instants from instant_ms to last_ms; that many, or more (SCHEDULE_MISSED_COUNT was reached). */
    int64_t last_ms, count;
    bool more;
    const char *reason; /* MISS */
};
struct schedule_plan {
    struct schedule_step steps[SCHEDULE_STEPS_MAX];
    size_t count;
    int64_t next_ms; /* the schedule's next instant, perhaps past already; INT64_MAX: there is none */
};
/* For a schedule whose next instant is next_ms. Nothing is due when next_ms > now_ms. */
void schedule_plan(const struct schedule_rule *rule, int64_t next_ms, int64_t now_ms, struct schedule_plan *ret);

enum schedule_verdict { SCHEDULE_START, SCHEDULE_PASS, SCHEDULE_WAIT, SCHEDULE_REPLACE };
/* running: unfinished executions of the schedule that have been started; waiting: those that wait for them to end.
 * START; PASS over it, for *ret_reason; let it WAIT for the others; cancel the others and start (REPLACE). */
enum schedule_verdict schedule_meet(enum schedule_overlap overlap, size_t running, size_t waiting,
                                    const char **ret_reason);

/* How many instants lie in from_ms <= t <= to_ms, counted up to `most` + 1. */
int64_t schedule_count(const struct schedule_rule *rule, int64_t from_ms, int64_t to_ms, int64_t most);
/* The first instant at or after at_ms; INT64_MAX: none. */
int64_t schedule_at_or_after(const struct schedule_rule *rule, int64_t at_ms);
