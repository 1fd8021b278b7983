/* Workers, dead letters, users, API keys, settings, audit entries, node definitions: documents by id, some with a
 * second key. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 10000 };

/* `key_member` is unique in its table; `status_member` can be filtered by. Statements are literals: the cache wants
 * them so. */
#define STATEMENTS(table)                                                                                              \
    .put = "INSERT INTO " table "(id, key, status, at_ms, document) VALUES(?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET "  \
           "key=excluded.key, status=excluded.status, document=excluded.document",                                     \
    .get = {"SELECT document FROM " table " WHERE id=?", "SELECT document FROM " table " WHERE id=?{lock}"},           \
    .find = {"SELECT document FROM " table " WHERE key=?", "SELECT document FROM " table " WHERE key=?{lock}"},        \
    .remove = "DELETE FROM " table " WHERE id=?", .all = "SELECT document, id FROM " table " ORDER BY id LIMIT ?",     \
    .range = "SELECT document, id FROM " table " WHERE id>? AND id<? ORDER BY id LIMIT ?",                             \
    .remove_range = "DELETE FROM " table " WHERE id>? AND id<?"

static const struct table {
    const char *noun, *key_member, *status_member, *time_member;
    const char *put, *get[2], *find[2], *remove, *all, *range, *remove_range; /* [1]: in a write, holding the row */
} tables[] = {
    [STORE_WORKERS] = {.noun = "worker", STATEMENTS("workers")},
    [STORE_DEAD_LETTERS] = {.noun = "dead letter",
                            .status_member = "status",
                            .time_member = "createdAt",
                            STATEMENTS("dead_letters")},
    [STORE_USERS] = {.noun = "user", .key_member = "username", STATEMENTS("users")},
    [STORE_API_KEYS] = {.noun = "API key", .key_member = "hash", STATEMENTS("api_keys")},
    [STORE_SETTINGS] = {.noun = "setting", STATEMENTS("settings")},
    [STORE_AUDIT] = {.noun = "audit entry", .time_member = "at", STATEMENTS("audit_log")},
    [STORE_NODE_DEFINITIONS] = {.noun = "node definition", STATEMENTS("node_definitions")},
    [STORE_BACKFILLS] = {.noun = "backfill", .status_member = "status", STATEMENTS("backfills")},
    [STORE_VARIABLES] = {.noun = "variable", STATEMENTS("variables")},
    [STORE_SECRETS] = {.noun = "secret", STATEMENTS("secrets")},
};

static enum err check_table(enum store_table table, const struct table **ret, struct error *reterr)
{
    if ((size_t)table >= sizeof tables / sizeof *tables)
        return error_set(reterr, ERR_INTERNAL, NULL, "The store has no table %d.", (int)table);
    *ret = &tables[table];
    return ERR_OK;
}

static const char *member(const struct json *document, const char *key)
{
    return key == NULL ? NULL : json_get_str(document, key);
}

enum err sql_put(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                 int64_t now_ms, struct error *reterr)
{
    const struct table *t = NULL;
    int64_t at_ms = now_ms;
    enum err code = check_table(table, &t, reterr);
    if (code == ERR_OK && t->time_member != NULL)
        code = store_time_parse(document, t->time_member, now_ms, &at_ms, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_FREE char *text = json_dup_text(document);
    const char *key = member(document, t->key_member);
    code = sql_run(s, reterr, t->put, "tttit", id, key, member(document, t->status_member), at_ms, text);
    if (code == ERR_CONFLICT && sql_constraint(s) != SQL_CONSTRAINT_NONE)
        return error_set(reterr, ERR_CONFLICT, t->key_member, "Another %s has that %s.", t->noun,
                         t->key_member == NULL ? "id" : t->key_member);
    return code;
}

static enum err load_one(struct store_session *s, const struct table *t, const char *sql, const char *key,
                         struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, sql, "t", key);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return error_set(reterr, ERR_NOT_FOUND, "id", "There is no such %s.", t->noun);
    if (code != ERR_OK)
        return code;
    bool damaged = false;
    struct json *document = sql_json(q, 0, &damaged);
    return sql_decoded(document, damaged, t->noun, key, ret, reterr);
}

static enum err load_rows(struct store_session *s, const struct table *t, struct sql_rows *q, struct json **ret,
                          struct error *reterr)
{
    AUTO_JSON struct json *rows = json_array_new();
    bool row = false;
    enum err code = ERR_OK;
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        bool damaged = false;
        struct json *document = sql_json(q, 0, &damaged);
        code = sql_decoded(document, damaged, t->noun, sql_text(q, 1), &document, reterr);
        if (code == ERR_OK)
            json_push(rows, document);
    }
    if (code == ERR_OK)
        *ret = json_ref(rows);
    return code;
}

enum err sql_get(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                 struct error *reterr)
{
    const struct table *t = NULL;
    enum err code = check_table(table, &t, reterr);
    return code == ERR_OK ? load_one(s, t, t->get[s->writable], id, ret, reterr) : code;
}

enum err sql_find(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                  struct error *reterr)
{
    const struct table *t = NULL;
    enum err code = check_table(table, &t, reterr);
    return code == ERR_OK
               ? load_one(s, t, t->key_member == NULL ? t->get[s->writable] : t->find[s->writable], key, ret, reterr)
               : code;
}

enum err sql_remove(struct store_session *s, enum store_table table, const char *id, struct error *reterr)
{
    const struct table *t = NULL;
    int64_t removed = 0;
    enum err code = check_table(table, &t, reterr);
    if (code == ERR_OK)
        code = sql_change(s, &removed, reterr, t->remove, "t", id);
    if (code == ERR_OK && removed == 0)
        return error_set(reterr, ERR_NOT_FOUND, "id", "There is no such %s.", t->noun);
    return code;
}

enum err sql_all(struct store_session *s, enum store_table table, struct json **ret, struct error *reterr)
{
    const struct table *t = NULL;
    AUTO_RESET struct sql_rows *q = NULL;
    enum err code = check_table(table, &t, reterr);
    if (code == ERR_OK)
        code = sql_query(s, &q, reterr, t->all, "i", (int64_t)ROWS_MAX);
    return code == ERR_OK ? load_rows(s, t, q, ret, reterr) : code;
}

/* ---- scopes: all ids that begin with a text and a slash, by the order of bytes */

#define LAST_CHARACTER "\xf4\x8f\xbf\xbf"
struct scope {
    char above[STORE_ID_BYTES + 1], below[STORE_ID_BYTES + 1];
};

static struct scope scope_of(const char *scope)
{
    struct scope range = {.below = LAST_CHARACTER};
    if (scope == NULL)
        return range;
    (void)snprintf(range.above, sizeof range.above, "%.*s/", STORE_ID_BYTES - 1, scope);
    (void)snprintf(range.below, sizeof range.below, "%.*s0", STORE_ID_BYTES - 1, scope); /* what follows a slash */
    return range;
}

enum err sql_scope_list(struct store_session *s, enum store_table table, const char *scope, const char *after,
                        size_t limit, struct json **ret, struct error *reterr)
{
    const struct table *t = NULL;
    AUTO_RESET struct sql_rows *q = NULL;
    struct scope range = scope_of(scope);
    enum err code = check_table(table, &t, reterr);
    const char *above = after != NULL && strcmp(after, range.above) > 0 ? after : range.above;
    if (code == ERR_OK)
        code = sql_query(s, &q, reterr, t->range, "tti", above, range.below,
                         limit > ROWS_MAX ? (int64_t)ROWS_MAX : (int64_t)limit);
    return code == ERR_OK ? load_rows(s, t, q, ret, reterr) : code;
}

enum err sql_scope_remove(struct store_session *s, enum store_table table, const char *scope, struct error *reterr)
{
    const struct table *t = NULL;
    struct scope range = scope_of(scope);
    enum err code = check_table(table, &t, reterr);
    return code == ERR_OK ? sql_run(s, reterr, t->remove_range, "tt", range.above, range.below) : code;
}

/* ---- lists */

static struct json *decode(struct sql_rows *q, bool *damaged)
{
    return sql_json(q, 2, damaged);
}

enum err sql_dead_letter_list(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr)
{
    static const struct sql_list list = {.table = "dead_letters",
                                         .noun = "dead letter",
                                         .sort_key = "at_ms",
                                         .row = decode,
                                         .columns = "at_ms, id, document"};
    struct sql_where where = {0};
    const char *status = json_get_str(filter, "status");
    if (status != NULL && strcmp(status, "open") != 0 && strcmp(status, "retried") != 0 &&
        strcmp(status, "discarded") != 0)
        return error_set(reterr, ERR_VALIDATION, "status", "status must be one of open, retried, discarded.");
    if (status != NULL)
        sql_where_text(&where, "status = ?", status);
    return sql_list(s, &list, &where, filter, ret, reterr);
}

enum err sql_audit_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    static const struct sql_list list = {.table = "audit_log",
                                         .noun = "audit entry",
                                         .sort_key = "at_ms",
                                         .row = decode,
                                         .columns = "at_ms, id, document"};
    struct sql_where where = {0};
    return sql_list(s, &list, &where, filter, ret, reterr);
}

enum err sql_audit_prune(struct store_session *s, int64_t before_ms, size_t limit, struct error *reterr)
{
    return sql_run(
        s, reterr,
        "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at_ms < ? ORDER BY at_ms LIMIT ?)", "ii",
        before_ms, limit > INT32_MAX ? (int64_t)INT32_MAX : (int64_t)limit);
}
