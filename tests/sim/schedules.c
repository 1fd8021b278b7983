/* A schedule of the installation: each of its instants is dealt with once, as its rules say, whoever dies. What became
 * of them is told by the store (store_instant_list), what they started by the model. */
#include "sim.h"

#include "flow/schedule.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANTS_MAX 100 /* of one history; a page */
#define WINDOW_S 3600

struct json *sim_schedule_input(void)
{
    return json_object_new(); /* its members differ from instant to instant, and count for nothing (nodes.c) */
}

static enum err write_schedule(struct store_session *session, void *arg, struct error *reterr)
{
    const struct sim *sim = arg;
    return store_schedule_insert(session, sim->schedule.document, sim->now, reterr);
}

static enum err write_disabled(struct store_session *session, void *arg, struct error *reterr)
{
    const struct sim *sim = arg;
    AUTO_JSON struct json *changes = json_object_new();
    json_set_bool(changes, "enabled", false);
    return store_schedule_update(session, sim->schedule.id, changes, sim->now, reterr);
}

/* ---- a backfill */

static void set_time(struct json *document, const char *name, int64_t at_ms)
{
    char text[ISO_TEXT_BYTES];
    clock_format_iso(at_ms, text);
    json_set_str(document, name, text);
}

static enum err write_backfill(struct store_session *session, void *arg, struct error *reterr)
{
    const struct sim *sim = arg;
    const struct sim_schedule *schedule = &sim->schedule;
    struct schedule_rule rule;
    AUTO_JSON struct json *backfill = json_object_new();
    enum err code = schedule_rule_parse(schedule->document, 0, &rule, reterr);
    if (code != ERR_OK)
        return code;
    json_set_str(backfill, "id", schedule->backfill_id);
    json_set_str(backfill, "scheduleId", schedule->id);
    set_time(backfill, "from", schedule->from_ms);
    set_time(backfill, "to", schedule->to_ms);
    set_time(backfill, "next", schedule_at_or_after(&rule, schedule->from_ms));
    json_set_int(backfill, "total", schedule_count(&rule, schedule->from_ms, schedule->to_ms, INSTANTS_MAX));
    json_set_int(backfill, "fired", 0);
    json_set_int(backfill, "skipped", 0);
    json_set_int(backfill, "concurrency", schedule->fill_most);
    json_set_str(backfill, "status", "running");
    return store_put(session, STORE_BACKFILLS, schedule->backfill_id, backfill, sim->now, reterr);
}

/* The period before the schedule was made, as a person asks for it (src/gateway/schedule_times.c). */
static void make_backfill(struct sim *sim, int64_t every_ms)
{
    struct sim_schedule *schedule = &sim->schedule;
    struct error error;
    if (!sim_chance(&sim->rng, 50) || sim->flows[schedule->flow].timed)
        return;
    id_format(sim->now, &sim->rng, schedule->backfill_id);
    schedule->to_ms = sim->now;
    schedule->from_ms = sim->now - (2 + (int64_t)rng_below(&sim->rng, 4)) * every_ms;
    schedule->fill_most = 1 + (int)rng_below(&sim->rng, 2);
    if (store_write(sim->store, write_backfill, sim, &error) != ERR_OK)
        sim_problem(sim, "the backfill cannot be stored: %s", error.message);
}

static bool is_filled(const struct sim *sim, int64_t instant_ms)
{
    return sim->schedule.backfill_id[0] != '\0' && instant_ms <= sim->schedule.to_ms;
}

static int64_t count_filled(const struct sim *sim)
{
    int64_t filled = 0;
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        filled += e->filled && e->epoch > 0;
    return filled;
}

static int64_t count_to_fill(const struct sim *sim)
{
    struct schedule_rule rule;
    struct error ignored; /* it was read before */
    return schedule_rule_parse(sim->schedule.document, 0, &rule, &ignored) == ERR_OK
               ? schedule_count(&rule, sim->schedule.from_ms, sim->schedule.to_ms, INSTANTS_MAX)
               : 0;
}

bool sim_schedule_is_filled(const struct sim *sim)
{
    return sim->schedule.backfill_id[0] == '\0' || count_filled(sim) >= count_to_fill(sim);
}

bool sim_schedule_is_second(const struct sim *sim, int64_t instant_ms)
{
    struct schedule_rule rule;
    struct error ignored; /* it was read before */
    return schedule_rule_parse(sim->schedule.document, 0, &rule, &ignored) == ERR_OK &&
           schedule_count(&rule, sim->schedule.from_ms, instant_ms, INSTANTS_MAX) == 2;
}

/* ---- the schedule */

void sim_schedule_make(struct sim *sim)
{
    struct sim_schedule *schedule = &sim->schedule;
    struct schedule_rule rule;
    struct error error;
    char cron[40], next[ISO_TEXT_BYTES];
    if (!sim_chance(&sim->rng, 50))
        return;
    int64_t every_s = 5 + (int64_t)rng_below(&sim->rng, 16);
    schedule->flow = (unsigned)rng_below(&sim->rng, sim->flow_count);
    schedule->overlap = (unsigned)rng_below(&sim->rng, 4);
    id_format(sim->now, &sim->rng, schedule->id);
    (void)snprintf(cron, sizeof cron, "*/%lld * * * * *", (long long)every_s);
    struct json *document = schedule->document = json_object_new();
    json_set_str(document, "id", schedule->id);
    json_set_str(document, "flowId", sim->flows[schedule->flow].id);
    json_set_str(document, "name", "often");
    json_set_str(document, "cronExpression", cron);
    json_set_str(document, "timezone", "UTC");
    json_set_bool(document, "enabled", true);
    json_set_str(document, "overlap", schedule_overlaps[schedule->overlap]);
    json_set_str(document, "catchUp", schedule_catch_ups[rng_below(&sim->rng, 3)]);
    json_set_int(document, "catchUpWindow", WINDOW_S);
    json_set_int(document, "maxRetries", 0); /* people retry, and the model knows of these */
    if (schedule_rule_parse(document, 0, &rule, &error) != ERR_OK) {
        sim_problem(sim, "the schedule is refused: %s", error.message);
        return;
    }
    schedule->first_ms = schedule_at_or_after(&rule, sim->now + 1);
    clock_format_iso(schedule->first_ms, next);
    json_set_str(document, "nextRun", next);
    if (store_write(sim->store, write_schedule, sim, &error) != ERR_OK)
        sim_problem(sim, "the schedule cannot be stored: %s", error.message);
    make_backfill(sim, every_s * 1000);
}

void sim_schedule_stop(struct sim *sim)
{
    struct error error;
    if (sim->schedule.document != NULL && store_write(sim->store, write_disabled, sim, &error) != ERR_OK)
        sim_problem(sim, "the schedule cannot be switched off: %s", error.message);
}

/* ---- what it starts */

struct sim_execution *sim_schedule_starts(struct sim *sim, const struct store_execution *row)
{
    struct sim_execution *execution = sim_find(sim, row->id);
    if (execution != NULL)
        return execution;
    if (sim->schedule.document == NULL || strcmp(row->schedule_id, sim->schedule.id) != 0) {
        sim_problem(sim, "execution %s is started by a schedule that nobody has made", row->id);
        return NULL;
    }
    AUTO_JSON struct json *input = sim_schedule_input();
    execution = sim_execution_new(sim, row->id, sim->schedule.flow);
    execution->scheduled = true;
    execution->instant_ms = row->schedule_instant_ms;
    execution->filled = is_filled(sim, row->schedule_instant_ms);
    execution->key = -1;
    execution->expected = sim_expect(sim, sim->schedule.flow, NULL, false, input);
    return execution;
}

static bool is_unfinished(const struct sim_execution *e)
{
    return e->scheduled && e->epoch > 0 && e->final < 0;
}

static void check_room(struct sim *sim)
{
    int unfinished = 0;
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        unfinished += e->filled && is_unfinished(e);
    if (unfinished > sim->schedule.fill_most)
        sim_problem(sim, "%d executions of the backfill are unfinished, it allows %d", unfinished,
                    sim->schedule.fill_most);
}

void sim_schedule_fired(struct sim *sim, struct sim_execution *fired)
{
    fired->accepted = true;
    sim->firings++;
    sim_trace(sim, "the instant %lld is fired: %s", (long long)(fired->instant_ms % 1000000000), fired->id);
    sim_signals_plan(fired);
    sim->fillings += fired->filled;
    if (fired->filled)
        check_room(sim);
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (e != fired && e->scheduled && e->epoch > 0 && e->instant_ms == fired->instant_ms)
            sim_problem(sim, "the instant of execution %s was fired twice", fired->id);
}

/* Whoever does not allow it never has two that have started. Those of a backfill are beside all others. */
void sim_schedule_started(struct sim *sim, const struct sim_execution *started)
{
    if (started->filled)
        return;
    for (const struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (sim->schedule.overlap != SCHEDULE_ALLOW && e != started && !e->filled && is_unfinished(e) && e->holds)
            sim_problem(sim, "execution %s runs beside another one of its schedule (overlap: %s)", started->id,
                        schedule_overlaps[sim->schedule.overlap]);
}

/* ---- the end */

static int64_t time_of(const struct json *row, const char *key)
{
    int64_t ms = 0;
    const char *text = json_get_str(row, key);
    return text != NULL && clock_parse_iso(text, &ms) == 0 ? ms : 0;
}

static void check_instant(struct sim *sim, const struct json *instant)
{
    const char *outcome = json_get_str(instant, "outcome"), *id = json_get_str(instant, "executionId");
    const struct sim_execution *e = id == NULL ? NULL : sim_find(sim, id);
    if (strcmp(outcome, "skipped") != 0 && (e == NULL || e->epoch == 0))
        sim_problem(sim, "the instant %s counts as %s and started nothing", json_get_str(instant, "instant"), outcome);
}

/* All of its instants have fired, and it knows that. */
static void check_backfill(struct sim *sim, struct store_session *session)
{
    const struct sim_schedule *schedule = &sim->schedule;
    AUTO_JSON struct json *backfill = NULL;
    struct error error;
    if (schedule->backfill_id[0] == '\0')
        return;
    if (store_get(session, STORE_BACKFILLS, schedule->backfill_id, &backfill, &error) != ERR_OK) {
        sim_problem(sim, "the backfill cannot be read: %s", error.message);
        return;
    }
    int64_t total = count_to_fill(sim), fired = count_filled(sim);
    if (fired != total || json_get_int(backfill, "fired", 0) != total || json_get_int(backfill, "skipped", 0) != 0)
        sim_problem(sim, "of %lld instants of the backfill %lld were filled, and it counts %lld and %lld skipped",
                    (long long)total, (long long)fired, (long long)json_get_int(backfill, "fired", 0),
                    (long long)json_get_int(backfill, "skipped", 0));
    if (strcmp(json_get_str(backfill, "status"), "done") != 0)
        sim_problem(sim, "all is over and the backfill is %s", json_get_str(backfill, "status"));
}

/* Newest first: each begins where the next older one ended. */
void sim_schedule_check(struct sim *sim, struct store_session *session)
{
    AUTO_JSON struct json *filter = NULL;
    AUTO_JSON struct json *page = NULL;
    struct schedule_rule rule;
    struct error error;
    if (sim->schedule.document == NULL || sim->problem[0] != '\0')
        return;
    filter = json_object_new();
    json_set_str(filter, "scheduleId", sim->schedule.id);
    json_set_int(filter, "limit", INSTANTS_MAX);
    if (schedule_rule_parse(sim->schedule.document, 0, &rule, &error) != ERR_OK ||
        store_instant_list(session, filter, &page, &error) != ERR_OK) {
        sim_problem(sim, "the schedule's instants cannot be read: %s", error.message);
        return;
    }
    check_backfill(sim, session);
    const struct json *instants = json_get(page, "data");
    int64_t expected = sim->schedule.first_ms;
    for (size_t i = json_count(instants); i-- > 0;) {
        const struct json *instant = json_at(instants, i);
        if (json_get_str(instant, "backfillId") != NULL) {
            check_instant(sim, instant);
            continue;
        }
        if (json_count(instants) < INSTANTS_MAX && time_of(instant, "instant") != expected)
            sim_problem(sim, "nobody has dealt with the instant %lld ms; the next that is told is %s",
                        (long long)expected, json_get_str(instant, "instant"));
        check_instant(sim, instant);
        expected = schedule_at_or_after(&rule, time_of(instant, "last") + 1);
    }
}
