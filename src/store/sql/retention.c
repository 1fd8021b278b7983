/* Deletes old executions and gives their pages back to the file system. Those that a person keeps stay, those that
 * failed may stay longer, and a flow may say for itself how long its own stay. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include "flow/retention.h"

#define DAY_MS INT64_C(86400000)

struct deleting {
    struct store_session *s;
    const struct store_retention *rule; /* of the flow, or of all the others */
    int64_t most, deleted;
};

/* Flows with a retention of their own. */
#define OWN                                                                                                            \
    "flows f JOIN flow_versions v ON v.flow_id=f.id AND v.version=coalesce(f.published_version, f.version)"            \
    " WHERE v.settings LIKE '%\"retention\"%'"
/* 4: failed, 6: timeout. An execution ends after it was created, so the index on creation finds the old ones. */
#define IS_OLD                                                                                                         \
    "created_ms < ?1 AND status > 2 AND kept = 0 AND coalesce(ended_ms, created_ms) < CASE WHEN status IN (4, 6)"      \
    " THEN CAST(?2 AS bigint) ELSE CAST(?3 AS bigint) END"

static int64_t latest(const struct store_retention *rule)
{
    return rule->failed_before_ms > rule->before_ms ? rule->failed_before_ms : rule->before_ms;
}

static enum err delete_old(struct deleting *d, int64_t grace_ms, struct error *reterr)
{
    int64_t count = 0;
    const struct store_retention *rule = d->rule;
    enum err code = sql_change(d->s, &count, reterr,
                               "DELETE FROM executions WHERE {key} IN (SELECT {key} FROM executions WHERE " IS_OLD
                               " AND flow_id NOT IN (SELECT f.id FROM " OWN ") ORDER BY created_ms LIMIT ?4)",
                               "iiii", latest(rule) - grace_ms, rule->failed_before_ms - grace_ms,
                               rule->before_ms - grace_ms, d->most - d->deleted);
    d->deleted += count;
    return code;
}

static enum err delete_old_of(struct deleting *d, const char *flow_id, struct error *reterr)
{
    int64_t count = 0;
    const struct store_retention *rule = d->rule;
    enum err code =
        sql_change(d->s, &count, reterr,
                   "DELETE FROM executions WHERE {key} IN (SELECT {key} FROM executions WHERE flow_id=?4"
                   " AND " IS_OLD " ORDER BY created_ms LIMIT ?5)",
                   "iiiti", latest(rule), rule->failed_before_ms, rule->before_ms, flow_id, d->most - d->deleted);
    d->deleted += count;
    return code;
}

/* What failed does not count as long as it stays longer than the others. */
static enum err delete_beyond(struct deleting *d, const char *flow_id, struct error *reterr)
{
    int64_t count = 0;
    const struct store_retention *rule = d->rule;
    bool apart = rule->failed_before_ms < rule->before_ms;
    if (rule->keep == 0 || d->deleted >= d->most)
        return ERR_OK;
    enum err code = sql_change(
        d->s, &count, reterr,
        "DELETE FROM executions WHERE {key} IN (SELECT {key} FROM executions WHERE flow_id = ? AND status > 2 AND"
        " kept = 0 AND NOT (status IN (4, 6) AND coalesce(ended_ms, created_ms) >= ?) ORDER BY created_ms DESC, id DESC"
        " LIMIT ? OFFSET ?)",
        "tiii", flow_id, apart ? rule->failed_before_ms : INT64_MAX, d->most - d->deleted, rule->keep);
    d->deleted += count;
    return code;
}

/* ---- flows that say it themselves */

static int64_t before(const struct store_retention *all, int64_t days, int64_t otherwise)
{
    return days < 0 ? otherwise : days == 0 ? 0 : all->now_ms - days * DAY_MS;
}

static void rule_of(const struct store_retention *all, const struct json *settings, struct store_retention *ret)
{
    struct flow_retention own;
    flow_retention_read(settings, &own);
    *ret = *all;
    ret->before_ms = before(all, own.days, all->before_ms);
    ret->failed_before_ms = before(all, own.failed_days, own.days < 0 ? all->failed_before_ms : ret->before_ms);
    if (own.count >= 0)
        ret->keep = own.count;
}

static enum err each_own(struct deleting *d, struct sql_rows *q, struct error *reterr)
{
    bool row = false, damaged = false;
    enum err code = ERR_OK;
    const struct store_retention *all = d->rule;
    while (code == ERR_OK && d->deleted < d->most && (code = sql_step(d->s, q, &row, reterr)) == ERR_OK && row) {
        struct store_retention own;
        AUTO_JSON struct json *settings = sql_json(q, 1, &damaged);
        rule_of(all, settings, &own);
        d->rule = &own;
        code = delete_old_of(d, sql_text(q, 0), reterr);
        if (code == ERR_OK)
            code = delete_beyond(d, sql_text(q, 0), reterr);
        d->rule = all;
    }
    return code;
}

static enum err delete_own(struct deleting *d, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code = sql_query(d->s, &q, reterr, "SELECT f.id, v.settings FROM " OWN " ORDER BY f.id", "");
    return code == ERR_OK ? each_own(d, q, reterr) : code;
}

/* ---- all the others */

static enum err delete_excess(struct deleting *d, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        sql_query(d->s, &q, reterr, "SELECT id FROM flows WHERE id NOT IN (SELECT f.id FROM " OWN ") ORDER BY id", "");
    while (code == ERR_OK && d->deleted < d->most && (code = sql_step(d->s, q, &row, reterr)) == ERR_OK && row)
        code = delete_beyond(d, sql_text(q, 0), reterr);
    return code;
}

static enum err delete_by_age(struct deleting *d, struct error *reterr)
{
    const struct sql_driver *driver = sql_driver_of(d->s);
    int64_t dropped = 0;
    if (latest(d->rule) <= 0)
        return ERR_OK;
    enum err code = driver->drop_old(d->s, d->rule->before_ms, d->rule->failed_before_ms, d->most, &dropped, reterr);
    d->deleted += dropped;
    if (code == ERR_OK && d->deleted < d->most)
        code = delete_old(d, driver->retention_grace_ms, reterr);
    if (code == ERR_OK && d->rule->before_ms > 0) /* what became of instants is told for as long */
        code = sql_instants_prune(d->s, d->rule->before_ms, reterr);
    return code;
}

enum err sql_retention_apply(struct store_session *s, const struct store_retention *rule, size_t limit,
                             int64_t *ret_deleted, struct error *reterr)
{
    struct deleting d = {.s = s, .rule = rule, .most = limit > INT32_MAX ? INT32_MAX : (int64_t)limit};
    enum err code = delete_own(&d, reterr);
    if (code == ERR_OK)
        code = delete_by_age(&d, reterr);
    if (code == ERR_OK && rule->keep > 0)
        code = delete_excess(&d, reterr);
    if (code == ERR_OK)
        code = sql_driver_of(s)->give_back(s, reterr);
    if (code == ERR_OK)
        *ret_deleted = d.deleted;
    return code;
}
