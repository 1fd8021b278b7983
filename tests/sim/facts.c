/* What the store was told: tentative until the commit, and what follows from it. The store's verbs come here by way of
 * the linker (--wrap); most planted defects are planted on this way. */
#include "sim.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATES_OVER_MS 60000
#define YEARS_MS (INT64_C(100) * 365 * 86400 * 1000)

static struct sim *watched;

struct sim *sim_watched(void)
{
    return watched;
}

void sim_watch(struct sim *sim)
{
    if (sim == NULL && watched != NULL)
        free(watched->pending_facts);
    watched = sim;
}

enum fact {
    FACT_INSERTED,
    FACT_EPOCH,
    FACT_CHECKPOINT,
    FACT_PARKED,
    FACT_FINISHED,
    FACT_CANCELLED,
    FACT_PAUSED,
    FACT_RESUMED,
    FACT_LET_IN
};

struct tentative {
    struct sim_execution *execution;
    enum fact fact;
    int epoch, status;
    bool waits, by_person;
    int64_t at_ms;
    struct sim_place *place;
    enum node_state state;
};

/* Nothing is cancelled twice in one transaction: what comes again was undone with its savepoint, and is done anew. */
static bool is_done_anew(const struct sim *sim, const struct tentative *fact)
{
    for (size_t i = 0; fact->fact == FACT_CANCELLED && i < sim->fact_count; i++)
        if (sim->pending_facts[i].fact == FACT_CANCELLED && sim->pending_facts[i].execution == fact->execution)
            return true;
    return false;
}

static void suppose(struct tentative fact)
{
    struct sim *sim = watched;
    if (fact.execution == NULL || is_done_anew(sim, &fact))
        return;
    if (sim->fact_count == sim->fact_cap) {
        sim->fact_cap = sim->fact_cap == 0 ? 64 : sim->fact_cap * 2;
        sim->pending_facts = mem_resize(sim->pending_facts, sim->fact_cap * sizeof *sim->pending_facts);
    }
    sim->pending_facts[sim->fact_count++] = fact;
}

/* Never more under way at once than the flow's limits allow. A distributed item runs within its parent's slot. */
static void take_slot(struct sim *sim, struct sim_execution *e)
{
    const struct sim_flow *flow = &sim->flows[e->flow];
    int held = 0, of_key = 0;
    bool begins = !e->holds;
    e->holds = true;
    if (begins && e->scheduled)
        sim_schedule_started(sim, e);
    if (e->body != NULL)
        return;
    for (const struct sim_execution *other = sim->executions; other != NULL; other = other->next) {
        bool counts = other->holds && other->flow == e->flow && other->body == NULL;
        held += counts;
        of_key += counts && other->key == e->key;
    }
    if (flow->concurrency > 0 && held > flow->concurrency)
        sim_problem(sim, "%d executions of flow %u are under way, it allows %d", held, e->flow, flow->concurrency);
    if (flow->per_key > 0 && of_key > flow->per_key)
        sim_problem(sim, "%d executions of flow %u and key %d are under way, it allows %d", of_key, e->flow, e->key,
                    flow->per_key);
}

static void take_finished(struct sim *sim, struct sim_execution *e, int status, int epoch)
{
    if (e->final >= 0 && (e->final != status || e->final_epoch != epoch))
        sim_problem(sim, "execution %s was %s and became %s", e->id, run_status_name((enum run_status)e->final),
                    run_status_name((enum run_status)status));
    if (epoch != e->epoch)
        sim_problem(sim, "execution %s stands at epoch %d and was finished by epoch %d", e->id, e->epoch, epoch);
    e->final = status;
    e->final_epoch = epoch;
    e->holds = false;
    sim->failures += status == RUN_FAILED;
}

static void take_inserted(struct sim *sim, struct sim_execution *e, bool waits)
{
    if (e->epoch > 0)
        return; /* told once more */
    e->epoch = 1;
    if (!waits)
        take_slot(sim, e);
    if (e->scheduled)
        sim_schedule_fired(sim, e);
    if (e->parent == NULL)
        return;
    e->parked = 2; /* it was inserted as one that is due */
    sim->children++;
    sim->bodies += e->body != NULL;
    sim_signals_plan(e);
}

static void take_cancelled(struct sim *sim, struct sim_execution *e, bool by_person)
{
    e->epoch++;
    take_finished(sim, e, RUN_CANCELLED, e->epoch);
    if (!by_person)
        return;
    e->cancelled_at = sim->now;
    for (struct sim_execution *at = e; at->parent != NULL && at->parent_waits; at = at->parent)
        at->parent->disturbed = true;
}

static void take_fact(struct sim *sim, const struct tentative *fact)
{
    struct sim_execution *e = fact->execution;
    static const char *const names[] = {"inserted",  "epoch",  "checkpoint", "parked", "finished",
                                        "cancelled", "paused", "resumed",    "let in"};
    sim_trace(sim, "committed %s %s epoch %d %s state %d status %d", e->id + 24, names[fact->fact], fact->epoch,
              fact->place == NULL ? "" : fact->place->name, (int)fact->state, fact->status);
    if ((fact->fact == FACT_CHECKPOINT || fact->fact == FACT_PARKED) && fact->epoch != e->epoch)
        sim_problem(sim, "execution %s stands at epoch %d and took an event of epoch %d", e->id, e->epoch, fact->epoch);
    switch (fact->fact) {
    case FACT_INSERTED:
        take_inserted(sim, e, fact->waits);
        break;
    case FACT_EPOCH:
        if (e->final >= 0)
            sim_problem(sim, "execution %s is final and was sent out again", e->id);
        e->epoch = fact->epoch;
        take_slot(sim, e);
        break;
    case FACT_CHECKPOINT:
        if (fact->state == NODE_SUCCEEDED)
            fact->place->checkpoint_epoch = fact->epoch;
        break;
    case FACT_PARKED:
        if (fact->epoch < 64)
            e->parked |= UINT64_C(1) << fact->epoch;
        break;
    case FACT_FINISHED:
        if (e->parent_waits && e->parent->cancelled_at > 0)
            sim_problem(sim, "execution %s ended by itself, but its parent was cancelled", e->id);
        take_finished(sim, e, fact->status, fact->epoch);
        break;
    case FACT_CANCELLED:
        take_cancelled(sim, e, fact->by_person);
        break;
    case FACT_PAUSED:
        e->paused_at = sim->now;
        break;
    case FACT_RESUMED:
        e->paused_at = 0;
        break;
    case FACT_LET_IN:
        sim_rate_let_in(e, fact->at_ms);
        break;
    }
}

void sim_on_commit(struct sim *sim, bool committed)
{
    for (size_t i = 0; committed && i < sim->fact_count; i++)
        take_fact(sim, &sim->pending_facts[i]);
    sim->fact_count = 0;
}

/* ---- the store's verbs */

#define WRAP(name, ...)                                                                                                \
    enum err __real_store_##name(__VA_ARGS__);                                                                         \
    enum err __wrap_store_##name(__VA_ARGS__)
WRAP(execution_insert, struct store_session *s, const struct store_execution *row, struct error *reterr);
WRAP(event_apply, struct store_session *s, const struct store_event *event, bool *ret_applied, struct error *reterr);
WRAP(execution_reassign, struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
     struct store_dispatch *ret, struct error *reterr);
WRAP(execution_cancel_all, struct store_session *s, const char *id, int64_t now_ms, struct json **ret_ids,
     struct error *reterr);
WRAP(instant_insert, struct store_session *s, const struct store_instant *instant, struct error *reterr);
WRAP(schedule_unfinished, struct store_session *s, const char *schedule_id, size_t limit, struct json **ret,
     struct error *reterr);
WRAP(backfill_unfinished, struct store_session *s, const char *schedule_id, const char *backfill_id, int64_t *ret,
     struct error *reterr);
WRAP(wait_answer, struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
     struct error *reterr);
WRAP(execution_pause, struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
WRAP(execution_resume, struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
WRAP(child_insert, struct store_session *s, const struct store_execution *row, struct error *reterr);
WRAP(child_drop, struct store_session *s, const char *parent_id, int epoch, const char *child_id, int64_t now_ms,
     struct json **ret_ids, struct error *reterr);
WRAP(limits_admit, struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
     struct error *reterr);
WRAP(children_orphaned, struct store_session *s, size_t limit, struct json **ret, struct error *reterr);

static void note(const char *id, enum fact fact)
{
    if (watched != NULL)
        suppose((struct tentative){.execution = sim_find(watched, id), .fact = fact});
}

static void note_let_in(struct store_session *s, int64_t now_ms)
{
    for (struct sim_execution *e = watched->executions; e != NULL; e = e->next)
        if (sim_rate_is_over(e, s))
            suppose((struct tentative){.execution = e, .fact = FACT_LET_IN, .at_ms = now_ms});
}

enum err __wrap_store_limits_admit(struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
                                   struct error *reterr)
{
    bool ignores = watched != NULL && watched->plant == SIM_PLANT_IGNORE_RATES;
    enum err code = __real_store_limits_admit(s, ignores ? now_ms + RATES_OVER_MS : now_ms, tell, ret, reterr);
    if (code == ERR_OK && watched != NULL)
        note_let_in(s, now_ms);
    return code;
}

static enum err fire_again(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    struct store_execution second = *row;
    (void)snprintf(id, sizeof id, "%s", row->id);
    id[ID_TEXT_BYTES - 2] = id[ID_TEXT_BYTES - 2] == '0' ? '1' : '0';
    second.id = id;
    second.schedule_instant_ms = 0;
    enum err code = __real_store_execution_insert(s, &second, reterr);
    second.schedule_instant_ms = row->schedule_instant_ms;
    if (code == ERR_OK)
        suppose((struct tentative){.execution = sim_schedule_starts(watched, &second), .fact = FACT_INSERTED});
    return code;
}

enum err __wrap_store_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    enum err code = __real_store_execution_insert(s, row, reterr);
    if (code != ERR_OK || watched == NULL)
        return code;
    struct sim_execution *e = row->schedule_id != NULL ? sim_schedule_starts(watched, row) : sim_find(watched, row->id);
    suppose(
        (struct tentative){.execution = e, .fact = FACT_INSERTED, .waits = row->ret_waits != NULL && *row->ret_waits});
    note_let_in(s, row->created_ms);
    return row->schedule_instant_ms > 0 && watched->plant == SIM_PLANT_FIRE_TWICE ? fire_again(s, row, reterr) : code;
}

/* Planted defects of the event's way into the store. False: the event is lost. */
static bool plant_event(struct sim *sim, struct store_event *event)
{
    const struct sim_execution *e = sim_find(sim, event->execution_id);
    switch (sim->plant) {
    case SIM_PLANT_OLDER_EPOCH:
        if (e != NULL && event->epoch < e->epoch)
            event->epoch = e->epoch;
        return true;
    case SIM_PLANT_LOSE_CHECKPOINT:
        return event->kind != STORE_EVENT_CHECKPOINT || event->checkpoint.state != NODE_SUCCEEDED;
    case SIM_PLANT_FORGET_WAIT:
        if (event->kind == STORE_EVENT_PARKED && event->wake_ms != INT64_MAX)
            event->wake_ms += YEARS_MS;
        return true;
    case SIM_PLANT_EARLY_WAIT:
        if (event->kind == STORE_EVENT_CHECKPOINT && event->checkpoint.state == NODE_WAITING &&
            event->checkpoint_waiting_json == NULL)
            event->checkpoint.wake_ms = event->at_ms;
        if (event->kind == STORE_EVENT_PARKED && event->wake_ms != INT64_MAX)
            event->wake_ms = event->at_ms;
        return true;
    case SIM_PLANT_NEW_ITEM_TIME:
        event->checkpoint.started_ms = 0;
        return true;
    case SIM_PLANT_MUTE_CHILD:
        event->has_parent = false;
        return true;
    case SIM_PLANT_EARLY_SIGNAL:
        event->signals_seen = event->kind == STORE_EVENT_PARKED ? INT64_MAX : event->signals_seen;
        return true;
    default:
        return true;
    }
}

enum err __wrap_store_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                                  struct error *reterr)
{
    if (watched == NULL)
        return __real_store_event_apply(s, event, ret_applied, reterr);
    struct store_event changed = *event;
    bool applied = true;
    enum err code = plant_event(watched, &changed) ? __real_store_event_apply(s, &changed, &applied, reterr) : ERR_OK;
    *ret_applied = applied; /* what a planted defect loses is acknowledged all the same */
    if (code != ERR_OK || !applied)
        return code;
    struct tentative fact = {.execution = sim_find(watched, event->execution_id), .epoch = event->epoch};
    if (fact.execution == NULL)
        return code;
    if (event->kind == STORE_EVENT_CHECKPOINT) {
        fact.fact = FACT_CHECKPOINT;
        fact.place = sim_place(fact.execution, event->checkpoint.node_id, event->checkpoint.iteration);
        fact.state = event->checkpoint.state;
    } else if (event->kind == STORE_EVENT_PARKED) {
        fact.fact = FACT_PARKED;
    } else if (event->kind == STORE_EVENT_FINISHED) {
        fact.fact = FACT_FINISHED;
        fact.status = (int)event->finish->status;
    } else {
        return code;
    }
    suppose(fact);
    return code;
}

enum err __wrap_store_execution_reassign(struct store_session *s, const char *id, int expected_epoch,
                                         struct arena *arena, struct store_dispatch *ret, struct error *reterr)
{
    if (watched != NULL && watched->plant == SIM_PLANT_DROP_REASSIGN)
        return error_set(reterr, ERR_CONFLICT, "epoch", "planted");
    enum err code = __real_store_execution_reassign(s, id, expected_epoch, arena, ret, reterr);
    if (code == ERR_OK && watched != NULL && watched->plant == SIM_PLANT_NO_LEDGER)
        ret->lost_epochs = 0;
    if (code == ERR_OK && watched != NULL)
        suppose((struct tentative){.execution = sim_find(watched, id), .fact = FACT_EPOCH, .epoch = ret->epoch});
    return code;
}

static void note_cancelled(const struct json *ids)
{
    for (size_t i = 0; i < json_count(ids); i++)
        suppose((struct tentative){.execution = sim_find(watched, json_as_str(json_at(ids, i))),
                                   .fact = FACT_CANCELLED,
                                   .by_person = watched->speaking});
}

enum err __wrap_store_execution_cancel_all(struct store_session *s, const char *id, int64_t now_ms,
                                           struct json **ret_ids, struct error *reterr)
{
    if (watched == NULL || watched->plant != SIM_PLANT_LEAVE_CHILDREN) {
        enum err code = __real_store_execution_cancel_all(s, id, now_ms, ret_ids, reterr);
        if (code == ERR_OK && watched != NULL)
            note_cancelled(*ret_ids);
        return code;
    }
    enum err code = store_execution_cancel(s, id, now_ms, reterr);
    *ret_ids = json_array_new();
    if (code == ERR_OK)
        json_push(*ret_ids, json_string_new(id));
    note_cancelled(*ret_ids);
    return code;
}

enum err __wrap_store_children_orphaned(struct store_session *s, size_t limit, struct json **ret, struct error *reterr)
{
    if (watched == NULL || watched->plant != SIM_PLANT_LEAVE_CHILDREN)
        return __real_store_children_orphaned(s, limit, ret, reterr);
    *ret = json_array_new();
    return ERR_OK;
}

enum err __wrap_store_child_drop(struct store_session *s, const char *parent_id, int epoch, const char *child_id,
                                 int64_t now_ms, struct json **ret_ids, struct error *reterr)
{
    enum err code = __real_store_child_drop(s, parent_id, epoch, child_id, now_ms, ret_ids, reterr);
    if (code == ERR_OK && watched != NULL)
        note_cancelled(*ret_ids);
    return code;
}

/* What has to come of it follows from what it was given. */
static struct sim_execution *make_child(struct sim *sim, const struct store_execution *row)
{
    AUTO_JSON struct json *input = NULL;
    struct error error;
    struct sim_execution *parent = sim_find(sim, row->parent_id);
    unsigned flow = sim_flow_index(sim, row->flow_id);
    if (parent == NULL || flow == sim->flow_count ||
        (row->input_json != NULL && json_parse(row->input_json, strlen(row->input_json), &input, &error) != ERR_OK)) {
        sim_problem(sim, "execution %s is started by nobody, or of nothing", row->id);
        return NULL;
    }
    struct sim_execution *child = sim_execution_new(sim, row->id, flow);
    child->parent = parent;
    child->parent_place = mem_printf("%s@%s", row->parent_node_id, row->parent_iteration);
    child->parent_waits = row->parent_waits;
    child->mended = parent->mended;
    child->body = mem_dup(row->body);
    child->input = mem_dup(row->input_json);
    child->key = (int)json_get_int(input, "key", -1);
    child->expected = sim_expect(sim, flow, row->body, child->mended, input);
    return child;
}

static bool is_second(const struct sim *sim, const struct store_execution *row, char id[ID_TEXT_BYTES])
{
    const struct sim_execution *child = sim_find(sim, row->id);
    (void)snprintf(id, ID_TEXT_BYTES, "%s", row->id);
    if (sim->plant != SIM_PLANT_SECOND_CHILD || child == NULL || child->epoch == 0)
        return false;
    id[0] = id[0] == 'f' ? 'e' : 'f';
    return true;
}

enum err __wrap_store_child_insert(struct store_session *s, const struct store_execution *row, struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    struct store_execution changed = *row;
    if (watched != NULL && is_second(watched, row, id))
        changed.id = id;
    enum err code = __real_store_child_insert(s, &changed, reterr);
    if (code != ERR_OK || watched == NULL)
        return code;
    struct sim_execution *child = sim_find(watched, changed.id);
    suppose((struct tentative){.execution = child != NULL ? child : make_child(watched, &changed),
                               .fact = FACT_INSERTED,
                               .waits = true}); /* it takes its slot at the latest when it is handed out */
    return code;
}

enum err __wrap_store_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err code = __real_store_execution_pause(s, id, now_ms, reterr);
    if (code == ERR_OK)
        note(id, FACT_PAUSED);
    return code;
}

enum err __wrap_store_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr)
{
    enum err code = __real_store_execution_resume(s, id, now_ms, reterr);
    if (code == ERR_OK)
        note(id, FACT_RESUMED);
    return code;
}

enum err __wrap_store_wait_answer(struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
                                  struct error *reterr)
{
    enum sim_plant plant = watched == NULL ? SIM_PLANT_NONE : watched->plant;
    if (plant == SIM_PLANT_LOSE_ANSWER)
        return ERR_OK;
    enum err code = __real_store_wait_answer(s, token, answer_json, now_ms, reterr);
    return plant == SIM_PLANT_SECOND_ANSWER && code == ERR_CONFLICT ? ERR_OK : code;
}

enum err __wrap_store_instant_insert(struct store_session *s, const struct store_instant *instant, struct error *reterr)
{
    bool forgets = watched != NULL && watched->plant == SIM_PLANT_FORGET_INSTANT;
    bool skips = watched != NULL && watched->plant == SIM_PLANT_SKIP_BACKFILL && instant->backfill_id != NULL;
    if (skips && sim_schedule_is_second(watched, instant->instant_ms))
        return error_set(reterr, ERR_CONFLICT, "instant", "planted");
    return forgets && instant->instant_ms != watched->schedule.first_ms && instant->instant_ms % 3 == 0
               ? ERR_OK
               : __real_store_instant_insert(s, instant, reterr);
}

enum err __wrap_store_schedule_unfinished(struct store_session *s, const char *schedule_id, size_t limit,
                                          struct json **ret, struct error *reterr)
{
    if (watched == NULL || watched->plant != SIM_PLANT_IGNORE_OVERLAP)
        return __real_store_schedule_unfinished(s, schedule_id, limit, ret, reterr);
    *ret = json_array_new();
    return ERR_OK;
}

enum err __wrap_store_backfill_unfinished(struct store_session *s, const char *schedule_id, const char *backfill_id,
                                          int64_t *ret, struct error *reterr)
{
    *ret = 0;
    return watched != NULL && watched->plant == SIM_PLANT_CROWD_BACKFILL
               ? ERR_OK
               : __real_store_backfill_unfinished(s, schedule_id, backfill_id, ret, reterr);
}
