/* Children that wait for a slot which, through others, waits for them: nobody would ever go on.
 *
 * From such a child the question goes to those that hold the slots it waits for, from these to the children that they
 * wait for, and so on. Who may go on by itself (it runs, has a deadline, waits for a signal too, is paused) ends the
 * search: nothing waits for ever then. What nobody ends is a cycle, and the child in it can only fail. The rows of the
 * flows that have somebody waiting are held meanwhile (limits.c), so nobody is let in while it is looked. */
#include "store/sql/sql_int.h"

#include "base/map.h"
#include "base/mem.h"
#include "flow/limits.h"
#include <stdio.h>
#include <string.h>

#define PORTION 50      /* children looked at in one go */
#define REACHED_MAX 500 /* executions from one of them: of more it is not known, and nothing is done */

struct search {
    struct store_session *s;
    const char *root;            /* the child that it is about */
    struct json *reached;        /* ids; it grows while it is gone through */
    struct map known;            /* executions, and groups that compete for the same slots */
    char holder[STORE_ID_BYTES]; /* one of those that hold what root waits for */
    bool moves;                  /* somebody may go on */
    bool closed;                 /* the way led back to root */
};

static bool is_new(struct search *search, const char *kind, const char *name, const char *more)
{
    AUTO_FREE char *key = mem_printf("%s%s %s", kind, name, more);
    return map_put(&search->known, key, search) == NULL;
}

static void reach(struct search *search, const char *id)
{
    if (strcmp(id, search->root) == 0)
        search->closed = true;
    else if (is_new(search, "x", id, ""))
        json_push(search->reached, json_string_new(id));
    search->moves |= json_count(search->reached) > REACHED_MAX;
}

static enum err reach_all(struct search *search, struct sql_rows *q, size_t *ret_count, struct error *reterr)
{
    AUTO_JSON struct json *ids = NULL;
    enum err code = sql_ids(search->s, q, &ids, reterr);
    *ret_count = json_count(ids);
    for (size_t i = 0; i < *ret_count; i++)
        reach(search, json_as_str(json_at(ids, i)));
    return code;
}

/* ---- who waits for a slot */

#define HOLDERS "SELECT id FROM executions WHERE status <= 2 AND limit_key IS NOT NULL AND queue_ms IS NULL AND "

static enum err reach_holders(struct search *search, const char *flow_id, const char *key, const char *reason,
                              struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool of_key = strcmp(reason, "key") == 0;
    size_t count = 0, before = json_count(search->reached);
    if (!of_key && strcmp(reason, "concurrency") != 0) { /* a rate, a schedule: time goes on */
        search->moves = true;
        return ERR_OK;
    }
    if (!is_new(search, of_key ? "k" : "f", flow_id, of_key ? key : ""))
        return ERR_OK;
    enum err code =
        of_key ? sql_query(search->s, &q, reterr, HOLDERS "flow_id=? AND limit_key=? LIMIT 501", "tt", flow_id, key)
               : sql_query(search->s, &q, reterr, HOLDERS "flow_id=? LIMIT 501", "t", flow_id);
    if (code == ERR_OK)
        code = reach_all(search, q, &count, reterr);
    search->moves |= count == 0; /* there is a slot */
    if (search->holder[0] == '\0' && json_count(search->reached) > before)
        (void)snprintf(search->holder, sizeof search->holder, "%s", json_as_str(json_at(search->reached, before)));
    return code;
}

/* ---- who waits for children */

/* Each child that it waits for is a waiting node; another one waits for something else. */
static enum err reach_children(struct search *search, const char *id, struct error *reterr)
{
    struct sql_rows *q = NULL;
    size_t children = 0;
    int64_t waits = 0;
    enum err code =
        sql_query(search->s, &q, reterr,
                  "SELECT id FROM executions WHERE parent_id=? AND parent_waits = 1 AND status <= 2", "t", id);
    if (code == ERR_OK)
        code = reach_all(search, q, &children, reterr);
    sql_reset(&q);
    if (code == ERR_OK)
        code =
            sql_number(search->s, &waits, reterr,
                       "SELECT count(*) FROM checkpoints c JOIN executions e ON c.execution = e.{key} WHERE e.id=? AND"
                       " c.state IN ('waiting', 'backoff')",
                       "t", id);
    search->moves |= children == 0 || (int64_t)children != waits;
    return code;
}

struct standing {
    char flow_id[STORE_FLOW_ID_BYTES], key[FLOW_KEY_BYTES], reason[24];
    bool queued, parked, gone; /* gone: it is over, or a person has paused it */
};

static enum err read_standing(struct store_session *s, const char *id, struct standing *ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT status, CASE WHEN queue_ms IS NULL THEN 0 ELSE 1 END, flow_id, limit_key, "
                              "waiting_for, settled, wake_ms FROM"
                              " executions WHERE id=?",
                              "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    *ret = (struct standing){.gone = code == ERR_OK && (!row || sql_int(q, 0) > 1)};
    if (code != ERR_OK || ret->gone)
        return code;
    sql_copy(q, 2, ret->flow_id, sizeof ret->flow_id);
    sql_copy(q, 3, ret->key, sizeof ret->key);
    sql_copy(q, 4, ret->reason, sizeof ret->reason);
    ret->queued = sql_int(q, 1) != 0;
    ret->parked = sql_int(q, 5) != 0 && sql_int(q, 6) >= RUN_WAKE_NEVER && sql_int(q, 6) < INT64_MAX;
    return ERR_OK;
}

static enum err look_at(struct search *search, const char *id, struct error *reterr)
{
    struct standing at;
    enum err code = read_standing(search->s, id, &at, reterr);
    if (code != ERR_OK)
        return code;
    if (!at.gone && at.queued)
        return reach_holders(search, at.flow_id, at.key, at.reason, reterr);
    search->moves |= at.gone || !at.parked;
    return search->moves ? ERR_OK : reach_children(search, id, reterr);
}

static enum err is_in_cycle(struct search *search, bool *ret, struct error *reterr)
{
    search->reached = json_array_new();
    map_init(&search->known);
    enum err code = look_at(search, search->root, reterr);
    for (size_t i = 0; code == ERR_OK && !search->moves && i < json_count(search->reached); i++)
        code = look_at(search, json_as_str(json_at(search->reached, i)), reterr);
    *ret = code == ERR_OK && !search->moves && search->closed;
    map_done(&search->known);
    json_unref(search->reached);
    return code;
}

/* ---- the children that wait */

/* From the latest on: who closed the cycle gives way. */
static enum err read_candidates(struct store_session *s, struct store_place *at, struct json *ids, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    int64_t before_ms = at->id[0] == '\0' ? INT64_MAX : at->at_ms;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT c.id, c.created_ms FROM executions c JOIN executions p ON p.id = c.parent_id WHERE"
                  " c.status = 0 AND c.queue_ms IS NOT NULL AND c.parent_waits = 1 AND c.waiting_for IN"
                  " ('key', 'concurrency') AND p.settled = 1 AND p.wake_ms >= ?1 AND (c.created_ms < ?2 OR"
                  " (c.created_ms = ?2 AND c.id < ?3)) ORDER BY c.created_ms DESC, c.id DESC LIMIT ?4",
                  "iiti", RUN_WAKE_NEVER, before_ms, at->id, (int64_t)PORTION);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        json_push(ids, json_string_new(sql_text(q, 0)));
        sql_copy(q, 0, at->id, sizeof at->id);
        at->at_ms = sql_int(q, 1);
    }
    if (json_count(ids) < PORTION)
        *at = (struct store_place){0};
    return code;
}

static enum err break_at(const struct search *search, int64_t now_ms, struct error *reterr)
{
    struct error why, refused;
    (void)error_set(
        &why, ERR_LIMIT, "concurrency",
        "It would wait for ever: who holds its slot under the limits of its flow (execution %.60s) waits, by "
        "itself or through others, for this one. Let one of these flows run more at once, start the sub-flow "
        "without waiting for it, or let them not start each other.",
        search->holder);
    enum err code = sql_execution_fail(search->s, search->root, now_ms, &why, &refused);
    if (code != ERR_OK && code != ERR_CONFLICT && code != ERR_NOT_FOUND) /* a person was quicker */
        *reterr = refused;
    return code == ERR_CONFLICT || code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err sql_limits_break(struct store_session *s, int64_t now_ms, struct store_place *at,
                          char ret_id[STORE_PLACE_BYTES], struct error *reterr)
{
    AUTO_JSON struct json *ids = json_array_new();
    bool found = false;
    ret_id[0] = '\0';
    enum err code = read_candidates(s, at, ids, reterr);
    for (size_t i = 0; code == ERR_OK && !found && i < json_count(ids); i++) {
        struct search search = {.s = s, .root = json_as_str(json_at(ids, i))};
        code = is_in_cycle(&search, &found, reterr);
        if (code == ERR_OK && found)
            code = break_at(&search, now_ms, reterr);
        if (code == ERR_OK && found)
            (void)snprintf(ret_id, STORE_PLACE_BYTES, "%s", search.root);
    }
    return code;
}
