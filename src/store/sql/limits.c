/* Starting under the limits of a flow: how many of its executions, and of one key, run at once, and start in a while.
 *
 * An execution of a limited flow has a limit_key. While it waits for its turn it has a place in the order too
 * (queue_ms); from then on it holds a slot until it is final: there is no counter that could go wrong. Whoever admits
 * holds the flow's row, so that two never admit for one flow at the same time. */
#include "store/sql/sql_int.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "flow/limits.h"
#include <stdlib.h>
#include <string.h>

#define PORTION 100 /* candidates looked at in one query */
#define UNBOUNDED (INT64_MAX - 1)

struct admission {
    struct store_session *s;
    const char *flow_id;
    struct flow_limits limits;
    struct json *settings; /* holds the texts of the limits */
    int version;           /* that the limits are of; 0: there is no such flow */
    int newest;
    int64_t now_ms, admitted, most;
    int64_t next_ms; /* when a rate lets the next one start */
    bool limited;
};

static void admission_done(struct admission *a)
{
    json_unref(a->settings);
}

/* ---- the limits in force: those of the version that triggers run */

#define IN_FORCE                                                                                                       \
    "SELECT v.settings, v.version, f.version FROM flows f JOIN flow_versions v ON v.flow_id=f.id AND v.version="       \
    "coalesce(f.published_version, f.version) WHERE f.id=?"

static enum err read_settings(struct admission *a, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false, damaged = false;
    enum err code = sql_query(a->s, &q, reterr, IN_FORCE, "t", a->flow_id);
    if (code == ERR_OK)
        code = sql_step(a->s, q, &row, reterr);
    if (code != ERR_OK || !row) /* a flow that is not there is refused elsewhere */
        return code;
    a->settings = sql_json(q, 0, &damaged);
    a->version = (int)sql_int(q, 1);
    a->newest = (int)sql_int(q, 2);
    return damaged ? sql_damaged("flow", a->flow_id, reterr) : ERR_OK;
}

static enum err admission_init(struct admission *a, struct store_session *s, const char *flow_id, int64_t now_ms,
                               struct error *reterr)
{
    *a = (struct admission){.s = s, .flow_id = flow_id, .now_ms = now_ms, .most = PORTION, .next_ms = INT64_MAX};
    enum err code = read_settings(a, reterr);
    flow_limits_read(a->settings, &a->limits);
    a->limited = flow_limits_any(&a->limits);
    return code;
}

static enum err read_start(struct store_session *s, const char *id, struct sql_start *ret, struct error *reterr)
{
    struct admission a;
    enum err code = admission_init(&a, s, id, 0, reterr);
    if (code == ERR_OK && a.version == 0)
        code = error_set(reterr, ERR_NOT_FOUND, "id", "There is no flow %.60s.", id);
    ret->published = (struct store_flow_start){a.version, a.limits.priority, a.limited};
    ret->newest = (struct store_flow_start){a.newest, a.limits.priority, a.limited};
    admission_done(&a);
    return code;
}

static struct sql_start *start_slot(struct store_session *s, const char *id)
{
    return &((struct sql_session *)s)->starts[hash_str(id) % SQL_STARTS_KNOWN];
}

void sql_starts_forget(struct store_session *s)
{
    for (size_t i = 0; i < SQL_STARTS_KNOWN; i++)
        ((struct sql_session *)s)->starts[i].transaction = 0;
}

/* Of many starts of a flow that are written together only the first asks: a question costs more than an insert. */
enum err sql_flow_start(struct store_session *s, const char *id, bool published, struct store_flow_start *ret,
                        struct error *reterr)
{
    struct sql_start *kept = start_slot(s, id), fresh = {.transaction = s->whole};
    if (s->whole == 0 || kept->transaction != s->whole || strcmp(kept->flow_id, id) != 0) {
        enum err code = read_start(s, id, &fresh, reterr);
        if (code != ERR_OK)
            return code;
        if (strlen(id) >= sizeof fresh.flow_id)
            fresh.transaction = 0;
        else
            memcpy(fresh.flow_id, id, strlen(id) + 1);
        *kept = fresh;
    }
    *ret = published ? kept->published : kept->newest;
    return ERR_OK;
}

/* ---- counting */

#define HELD "status <= 2 AND limit_key IS NOT NULL AND queue_ms IS NULL AND flow_id=?1"
#define WAITING "status <= 2 AND queue_ms IS NOT NULL AND flow_id=?1"
/* Not what a person has paused, nor what is not to start yet. */
#define READY "status = 0 AND (wake_ms <= ?2 OR wake_ms = 9223372036854775807)"
#define FULL_KEYS "(SELECT limit_key FROM executions WHERE " HELD " GROUP BY limit_key HAVING count(*) >= ?3)"
#define FULL_RATES                                                                                                     \
    "(SELECT rate_key FROM limit_starts WHERE flow_id=?1 AND at_ms > ?4 GROUP BY rate_key HAVING count(*) >= ?5)"

static int64_t per_key(const struct admission *a)
{
    return a->limits.per_key > 0 ? a->limits.per_key : UNBOUNDED;
}

static int64_t per_period(const struct admission *a)
{
    return a->limits.rate_limit > 0 && a->limits.rate_period_ms > 0 ? a->limits.rate_limit : UNBOUNDED;
}

static int64_t period_start(const struct admission *a)
{
    return a->now_ms - a->limits.rate_period_ms;
}

static enum err find_room(struct admission *a, int64_t *ret, struct error *reterr)
{
    int64_t held = 0;
    *ret = UNBOUNDED;
    if (a->limits.concurrency == 0)
        return ERR_OK;
    enum err code = sql_number(a->s, &held, reterr, "SELECT count(*) FROM executions WHERE " HELD, "t", a->flow_id);
    *ret = a->limits.concurrency > held ? a->limits.concurrency - held : 0;
    return code;
}

/* ---- admitting */

struct candidate {
    char *id, *limit_key, *rate_key;
};

static void candidates_done(struct candidate *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(candidates[i].id);
        free(candidates[i].limit_key);
        free(candidates[i].rate_key);
    }
}

static enum err find_candidates(struct admission *a, int64_t most, struct candidate *ret, size_t *ret_count,
                                struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    *ret_count = 0;
    enum err code = sql_query(a->s, &q, reterr,
                              "SELECT id, limit_key, rate_key FROM executions WHERE " WAITING " AND " READY
                              " AND limit_key NOT IN " FULL_KEYS " AND (rate_key IS NULL OR rate_key NOT IN " FULL_RATES
                              ") ORDER BY queue_ms, id LIMIT ?6",
                              "tiiiii", a->flow_id, a->now_ms, per_key(a), period_start(a), per_period(a), most);
    while (code == ERR_OK && (code = sql_step(a->s, q, &row, reterr)) == ERR_OK && row) {
        struct candidate *c = &ret[(*ret_count)++];
        const char *rate = sql_text(q, 2);
        *c = (struct candidate){.id = mem_dup(sql_text(q, 0)), .limit_key = mem_dup(sql_text(q, 1))};
        c->rate_key = rate == NULL ? NULL : mem_dup(rate);
    }
    return code;
}

static enum err admit_one(struct admission *a, const struct candidate *c, struct error *reterr)
{
    int64_t changed = 0; /* none: it was cancelled or paused meanwhile */
    enum err code = sql_change(a->s, &changed, reterr,
                               "UPDATE executions SET queue_ms=NULL, waiting_for=NULL, wake_ms=? WHERE id=? AND"
                               " status=0 AND queue_ms IS NOT NULL",
                               "it", a->now_ms, c->id);
    if (code == ERR_OK && changed > 0 && c->rate_key != NULL)
        code = sql_run(a->s, reterr, "INSERT INTO limit_starts(flow_id, rate_key, at_ms, execution) VALUES(?,?,?,?)",
                       "ttit", a->flow_id, c->rate_key, a->now_ms, c->id);
    a->admitted += changed;
    return code;
}

/* One of each key goes in a round, since no more is known than that it is below its limit; the next round finds the
 * others. */
static bool is_first(struct map *seen, const char *key, const char *kind)
{
    AUTO_FREE char *name = mem_printf("%s%s", kind, key);
    return map_put(seen, name, seen) == NULL;
}

static enum err admit_round(struct admission *a, int64_t room, size_t *ret_admitted, struct error *reterr)
{
    struct candidate candidates[PORTION];
    size_t count = 0;
    struct map seen;
    int64_t most = room < PORTION ? room : PORTION;
    *ret_admitted = 0;
    map_init(&seen);
    enum err code = find_candidates(a, most, candidates, &count, reterr);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        const struct candidate *c = &candidates[i];
        bool first = a->limits.per_key == 0 || is_first(&seen, c->limit_key, "k");
        if (c->rate_key != NULL)
            first = is_first(&seen, c->rate_key, "r") && first;
        if (!first)
            continue;
        code = admit_one(a, c, reterr);
        (*ret_admitted)++;
    }
    map_done(&seen);
    candidates_done(candidates, count);
    return code;
}

/* What started before the period says nothing any more. */
static enum err forget_starts(struct admission *a, struct error *reterr)
{
    return sql_run(a->s, reterr, "DELETE FROM limit_starts WHERE flow_id=? AND at_ms <= ?", "ti", a->flow_id,
                   a->limits.rate_period_ms > 0 ? period_start(a) : a->now_ms);
}

static enum err find_next(struct admission *a, struct error *reterr)
{
    int64_t first = 0;
    if (per_period(a) == UNBOUNDED)
        return ERR_OK;
    enum err code = sql_number(a->s, &first, reterr,
                               "SELECT min(first_ms) FROM (SELECT min(at_ms) AS first_ms FROM limit_starts WHERE"
                               " flow_id=?1 AND at_ms > ?2 GROUP BY rate_key HAVING count(*) >= ?3) AS full_keys",
                               "tii", a->flow_id, period_start(a), per_period(a));
    if (code == ERR_OK && first > 0)
        a->next_ms = first + a->limits.rate_period_ms;
    return code;
}

/* Holds the flow: nobody else admits for it until the transaction's end. */
static enum err hold(struct admission *a, struct error *reterr)
{
    int64_t version = 0;
    return sql_number(a->s, &version, reterr, "SELECT version FROM flows WHERE id=?{lock}", "t", a->flow_id);
}

static enum err admit(struct admission *a, struct error *reterr)
{
    int64_t room = 0;
    size_t admitted = 1;
    enum err code = forget_starts(a, reterr);
    while (code == ERR_OK && admitted > 0 && a->admitted < a->most) {
        code = find_room(a, &room, reterr);
        admitted = 0;
        if (code == ERR_OK && room > 0)
            code = admit_round(a, room, &admitted, reterr);
    }
    return code == ERR_OK ? find_next(a, reterr) : code;
}

/* ---- saying what each waits for */

#define TOLD WAITING " AND (?2 = '' OR id = ?2) AND coalesce(waiting_for, '') <> 'schedule'"
#define FULL_HERE "(SELECT limit_key FROM executions WHERE " HELD " GROUP BY limit_key HAVING count(*) >= ?3)"

/* `id` NULL: of all of the flow. */
static enum err tell_reasons(struct admission *a, const char *id, struct error *reterr)
{
    int64_t room = 0;
    const char *whose = id == NULL ? "" : id;
    enum err code = find_room(a, &room, reterr);
    if (code == ERR_OK)
        code = sql_run(a->s, reterr,
                       "UPDATE executions SET waiting_for='key' WHERE " TOLD
                       " AND coalesce(waiting_for, '') <> 'key' AND limit_key IN " FULL_HERE,
                       "tti", a->flow_id, whose, per_key(a));
    if (code == ERR_OK)
        code = sql_run(a->s, reterr,
                       "UPDATE executions SET waiting_for=?4 WHERE " TOLD
                       " AND coalesce(waiting_for, '') <> ?4 AND limit_key NOT IN " FULL_HERE,
                       "ttit", a->flow_id, whose, per_key(a), room == 0 ? "concurrency" : "rate");
    return code;
}

/* ---- a start */

static enum err write_keys(struct admission *a, const struct store_execution *row, struct error *reterr)
{
    struct flow_start start = {
        .execution_id = row->id, .flow_id = row->flow_id, .flow_version = row->flow_version, .trigger = row->trigger};
    AUTO_JSON struct json *input = NULL;
    char key[FLOW_KEY_BYTES], rate[FLOW_KEY_BYTES];
    enum err code =
        row->input_json == NULL ? ERR_OK : json_parse(row->input_json, strlen(row->input_json), &input, reterr);
    if (code != ERR_OK)
        return code;
    start.input = input;
    flow_limits_key(a->limits.key, &start, key);
    flow_limits_key(a->limits.rate_key, &start, rate);
    return sql_run(
        a->s, reterr, "UPDATE executions SET limit_key=?, rate_key=?, queue_ms=?, wake_ms=?, settled=1 WHERE id=?",
        "ttiit", key, per_period(a) == UNBOUNDED ? NULL : rate,
        flow_limits_place(row->wake_ms > 0 && row->waiting_for == NULL ? row->wake_ms : row->created_ms, row->priority),
        row->wake_ms > 0 ? row->wake_ms : INT64_MAX, row->id);
}

/* Its turn may have come at once: then it is as any other that was just inserted. */
static enum err take_off(struct admission *a, const char *id, bool *ret_waits, struct error *reterr)
{
    int64_t changed = 0;
    enum err code =
        sql_change(a->s, &changed, reterr,
                   "UPDATE executions SET wake_ms=NULL, settled=0 WHERE id=? AND queue_ms IS NULL", "t", id);
    *ret_waits = changed == 0;
    return code;
}

static enum err admit_new(struct admission *a, const struct store_execution *row, bool *ret_waits, struct error *reterr)
{
    *ret_waits = true;
    enum err code = write_keys(a, row, reterr);
    if (code != ERR_OK || row->wake_ms > 0)
        return code;
    code = admit(a, reterr);
    if (code == ERR_OK)
        code = take_off(a, row->id, ret_waits, reterr);
    return code == ERR_OK && *ret_waits ? tell_reasons(a, row->id, reterr) : code;
}

enum err sql_limits_insert(struct store_session *s, const struct store_execution *row,
                           enum err (*insert)(struct store_session *s, const struct store_execution *row,
                                              struct error *reterr),
                           struct error *reterr)
{
    struct admission a;
    bool waits = row->wake_ms > 0;
    enum err code = admission_init(&a, s, row->flow_id, row->created_ms, reterr);
    if (code == ERR_OK && a.limited)
        code = hold(&a, reterr);
    if (code == ERR_OK)
        code = insert(s, row, reterr);
    if (code == ERR_OK && a.limited)
        code = admit_new(&a, row, &waits, reterr);
    if (code == ERR_OK && row->ret_waits != NULL)
        *row->ret_waits = waits;
    admission_done(&a);
    return code;
}

/* ---- the others */

/* In an order that has an index: a plan made while a day's tables were empty would search them for ever. */
bool sql_limits_waiting(struct store_session *s)
{
    int64_t waiting = 0;
    struct error ignored; /* asked again soon */
    enum err code =
        sql_number(s, &waiting, &ignored,
                   "SELECT 1 FROM executions WHERE status <= 2 AND queue_ms IS NOT NULL ORDER BY flow_id LIMIT 1", "");
    return code == ERR_OK && waiting > 0;
}

static enum err admit_flow(struct store_session *s, const char *flow_id, int64_t now_ms, bool tell,
                           struct store_admitted *ret, struct error *reterr)
{
    struct admission a;
    enum err code = admission_init(&a, s, flow_id, now_ms, reterr);
    if (code == ERR_OK)
        code = hold(&a, reterr);
    if (code == ERR_OK)
        code = admit(&a, reterr);
    if (code == ERR_OK && tell)
        code = tell_reasons(&a, NULL, reterr);
    ret->count += a.admitted;
    ret->more |= a.admitted >= a.most;
    ret->next_ms = a.next_ms < ret->next_ms ? a.next_ms : ret->next_ms;
    admission_done(&a);
    return code;
}

static enum err next_flow(struct store_session *s, char id[STORE_FLOW_ID_BYTES], bool *ret_found, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT flow_id FROM executions WHERE status <= 2 AND queue_ms IS NOT NULL AND flow_id > ?"
                  " ORDER BY flow_id LIMIT 1",
                  "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, ret_found, reterr);
    if (code == ERR_OK && *ret_found)
        sql_copy(q, 0, id, STORE_FLOW_ID_BYTES);
    return code;
}

/* Flows in the order of their ids: two that admit for several never wait for each other. */
enum err sql_limits_admit(struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
                          struct error *reterr)
{
    char flow_id[STORE_FLOW_ID_BYTES] = "";
    bool found = true;
    *ret = (struct store_admitted){.next_ms = INT64_MAX};
    enum err code = ERR_OK;
    while (code == ERR_OK && (code = next_flow(s, flow_id, &found, reterr)) == ERR_OK && found)
        code = admit_flow(s, flow_id, now_ms, tell, ret, reterr);
    return code;
}
