/* Flows and their versions. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* A document's columns as texts; NULL: null. */
struct flow_row {
    const char *id, *name, *description, *status, *created_by;
    char *nodes, *connections, *settings, *metadata; /* heap */
    int version;
    int64_t node_count, created_ms, updated_ms;
};

static void flow_row_done(struct flow_row *row)
{
    free(row->nodes);
    free(row->connections);
    free(row->settings);
    free(row->metadata);
}

static char *print_or_null(const struct json *value)
{
    return value == NULL ? NULL : json_dup_text(value);
}

static enum err require(const struct json *document, const char *key, enum json_kind kind, const char *what,
                        struct error *reterr)
{
    if (json_is(json_get(document, key), kind))
        return ERR_OK;
    return error_set(reterr, ERR_VALIDATION, key, "%s must be %s.", key, what);
}

static enum err encode(const struct json *flow, struct flow_row *row, struct error *reterr)
{
    enum err code = require(flow, "id", JSON_STRING, "a text", reterr);
    if (code == ERR_OK)
        code = require(flow, "name", JSON_STRING, "a text", reterr);
    if (code == ERR_OK)
        code = require(flow, "nodes", JSON_ARRAY, "an array", reterr);
    if (code == ERR_OK)
        code = require(flow, "connections", JSON_ARRAY, "an array", reterr);
    if (code != ERR_OK)
        return code;
    const char *status = json_get_str(flow, "status");
    *row = (struct flow_row){.id = json_get_str(flow, "id"),
                             .name = json_get_str(flow, "name"),
                             .description = json_get_str(flow, "description"),
                             .status = status == NULL ? "draft" : status,
                             .created_by = json_get_str(flow, "createdBy")};
    row->nodes = json_dup_text(json_get(flow, "nodes"));
    row->connections = json_dup_text(json_get(flow, "connections"));
    row->settings = print_or_null(json_get(flow, "settings"));
    row->metadata = print_or_null(json_get(flow, "metadata"));
    row->node_count = (int64_t)json_count(json_get(flow, "nodes"));
    return ERR_OK;
}

static enum err insert_version(struct store_session *s, const struct flow_row *row, int64_t now_ms, const char *author,
                               const char *note, struct error *reterr)
{
    return sql_run(
        s, reterr,
        "INSERT INTO flow_versions(flow_id, version, nodes, connections, settings, created_by, created_ms, note, "
        "node_count, listens) VALUES(?,?,?,?,?,?,?,?,?,?)",
        "tdttttitid", row->id, row->version, row->nodes, row->connections, row->settings, author, now_ms, note,
        row->node_count, (int)(strstr(row->nodes, "\"flow-failed-trigger\"") != NULL));
}

static enum err name_taken(struct store_session *s, enum err code, const char *id, const char *name,
                           struct error *reterr)
{
    if (code == ERR_CONFLICT && sql_constraint(s) == SQL_CONSTRAINT_PRIMARY_KEY)
        return error_set(reterr, ERR_CONFLICT, "id", "The flow %.60s is there already.", id);
    if (code == ERR_CONFLICT && sql_constraint(s) != SQL_CONSTRAINT_NONE)
        return error_set(reterr, ERR_CONFLICT, "name", "Another flow is named \"%.200s\".", name);
    return code;
}

enum err sql_flow_insert(struct store_session *s, const struct json *flow, int64_t now_ms, struct error *reterr)
{
    struct flow_row row;
    enum err code = encode(flow, &row, reterr);
    if (code != ERR_OK)
        return code;
    row.version = 1;
    code = sql_run(
        s, reterr,
        "INSERT INTO flows(id, name, description, nodes, connections, settings, version, status, metadata, created_by, "
        "created_ms, updated_ms, node_count) VALUES(?,?,?,?,?,?,1,?,?,?,?,?,?)",
        "tttttttttiii", row.id, row.name, row.description, row.nodes, row.connections, row.settings, row.status,
        row.metadata, row.created_by, now_ms, now_ms, row.node_count);
    code = name_taken(s, code, row.id, row.name, reterr);
    if (code == ERR_OK)
        code = insert_version(s, &row, now_ms, row.created_by, json_get_str(flow, "note"), reterr);
    flow_row_done(&row);
    return code;
}

#define FLOW_COLUMNS                                                                                                   \
    "id, name, description, nodes, connections, settings, version, status, metadata, created_by, created_ms, "         \
    "updated_ms, published_version"

static struct json *decode(struct sql_rows *q, bool *damaged)
{
    struct json *flow = json_object_new();
    json_set_str(flow, "id", sql_text(q, 0));
    json_set_str(flow, "name", sql_text(q, 1));
    json_set_str(flow, "description", sql_text(q, 2));
    json_set(flow, "nodes", sql_json(q, 3, damaged));
    json_set(flow, "connections", sql_json(q, 4, damaged));
    json_set(flow, "settings", sql_json(q, 5, damaged));
    json_set_int(flow, "version", sql_int(q, 6));
    json_set_str(flow, "status", sql_text(q, 7));
    json_set(flow, "metadata", sql_json(q, 8, damaged));
    json_set_str(flow, "createdBy", sql_text(q, 9));
    store_set_time(flow, "createdAt", sql_int(q, 10));
    store_set_time(flow, "updatedAt", sql_int(q, 11));
    json_set(flow, "publishedVersion", sql_int(q, 12) > 0 ? json_int_new(sql_int(q, 12)) : NULL);
    return flow;
}

static enum err not_found(const char *id, struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND, "id", "There is no flow %.60s.", id);
}

enum err sql_flow_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    /* In a write the row is held, so that a change builds on what it has read. */
    enum err code = s->writable
                        ? sql_query(s, &q, reterr, "SELECT " FLOW_COLUMNS " FROM flows WHERE id = ?{lock}", "t", id)
                        : sql_query(s, &q, reterr, "SELECT " FLOW_COLUMNS " FROM flows WHERE id = ?", "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return not_found(id, reterr);
    bool damaged = false;
    if (code != ERR_OK)
        return code;
    struct json *flow = decode(q, &damaged);
    return sql_decoded(flow, damaged, "flow", id, ret, reterr);
}

enum err sql_flow_version(struct store_session *s, const char *id, bool published, int *ret, struct error *reterr)
{
    int64_t version = 0;
    enum err code = published
                        ? sql_number(s, &version, reterr,
                                     "SELECT coalesce(published_version, version) FROM flows WHERE id = ?", "t", id)
                        : sql_number(s, &version, reterr, "SELECT version FROM flows WHERE id = ?", "t", id);
    if (code == ERR_OK && version == 0)
        return not_found(id, reterr);
    *ret = (int)version;
    return code;
}

/* The status counts too: it may change in the millisecond in which the flow was saved. */
enum err sql_flows_stamp(struct store_session *s, int64_t *ret, struct error *reterr)
{
    return sql_number(s, ret, reterr,
                      "SELECT CAST(coalesce(sum(updated_ms + 1000003 * version + 10007 * coalesce(published_version, 0)"
                      " + CASE status WHEN 'active' THEN 101 WHEN 'draft' THEN 11 WHEN 'archived' THEN 7 ELSE 1 END),"
                      " 0) + 1000000007 * count(*) AS bigint) FROM flows",
                      "");
}

enum err sql_flow_listeners(struct store_session *s, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *listeners = json_array_new();
    bool row = false, damaged = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT f.id, v.version, v.nodes FROM flow_versions v JOIN flows f ON f.id = v.flow_id AND"
                  " v.version = coalesce(f.published_version, f.version) WHERE v.listens = 1 AND f.status ="
                  " 'active' ORDER BY f.id",
                  "");
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *listener = json_object_new();
        json_set_str(listener, "flowId", sql_text(q, 0));
        json_set_int(listener, "version", sql_int(q, 1));
        json_set(listener, "nodes", sql_json(q, 2, &damaged)); /* one that is damaged hears nothing */
        json_push(listeners, listener);
    }
    if (code == ERR_OK)
        *ret = json_ref(listeners);
    return code;
}

enum err sql_flow_publish(struct store_session *s, const char *id, int version, const char *author, const char *note,
                          int64_t now_ms, struct error *reterr)
{
    int64_t changed = 0, found = 0;
    enum err code = ERR_OK;
    sql_starts_forget(s);
    if (version > 0)
        code = sql_change(s, &found, reterr,
                          "UPDATE flow_versions SET published_ms=?, published_by=?, publish_note=? WHERE flow_id=? AND "
                          "version=?",
                          "itttd", now_ms, author, note, id, version);
    if (code == ERR_OK && version > 0 && found == 0)
        return error_set(reterr, ERR_NOT_FOUND, "version", "There is no version %d of a flow %.60s.", version, id);
    if (code == ERR_OK)
        code = sql_change(s, &changed, reterr, "UPDATE flows SET published_version=?, updated_ms=? WHERE id=?", "pit",
                          (int64_t)version, now_ms, id);
    return code == ERR_OK && changed == 0 ? not_found(id, reterr) : code;
}

static bool changes_version(const struct json *old, const struct json *merged)
{
    static const char *const keys[] = {"nodes", "connections", "settings"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_equal(json_get(old, keys[i]), json_get(merged, keys[i])))
            return true;
    return false;
}

static struct json *merge(const struct json *old, const struct json *changes)
{
    static const char *const keys[] = {"name", "description", "nodes", "connections", "settings", "status", "metadata"};
    struct json *merged = json_dup(old);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_has(changes, keys[i]))
            json_set(merged, keys[i], json_dup(json_get(changes, keys[i])));
    return merged;
}

enum err sql_flow_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                         struct error *reterr)
{
    AUTO_JSON struct json *old = NULL;
    sql_starts_forget(s);
    enum err code = sql_flow_load(s, id, &old, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *merged = merge(old, changes);
    struct flow_row row;
    code = encode(merged, &row, reterr);
    if (code != ERR_OK)
        return code;
    bool new_version = changes_version(old, merged);
    row.version = (int)json_get_int(old, "version", 1) + new_version;
    code = sql_run(
        s, reterr,
        "UPDATE flows SET name=?, description=?, nodes=?, connections=?, settings=?, version=?, status=?, metadata=?, "
        "updated_ms=?, node_count=? WHERE id=?",
        "tttttdttiit", row.name, row.description, row.nodes, row.connections, row.settings, row.version, row.status,
        row.metadata, now_ms, row.node_count, id);
    code = name_taken(s, code, row.id, row.name, reterr);
    if (code == ERR_OK && new_version)
        code =
            insert_version(s, &row, now_ms, json_get_str(changes, "updatedBy"), json_get_str(changes, "note"), reterr);
    flow_row_done(&row);
    return code;
}

enum err sql_flow_delete(struct store_session *s, const char *id, struct error *reterr)
{
    int64_t enabled = 0, unfinished = 0, version = 0;
    sql_starts_forget(s);
    /* Held from here on: no execution and no schedule of it can come in between. */
    enum err code = sql_number(s, &version, reterr, "SELECT version FROM flows WHERE id=?{lock}", "t", id);
    if (code == ERR_OK)
        code = sql_number(s, &enabled, reterr, "SELECT count(*) FROM schedules WHERE flow_id=? AND enabled=1", "t", id);
    if (code == ERR_OK && enabled > 0)
        return error_set(reterr, ERR_CONFLICT, "id",
                         "The flow has active schedules (%lld): disable or delete them first.", (long long)enabled);
    if (code == ERR_OK)
        code =
            sql_number(s, &unfinished, reterr,
                       "SELECT EXISTS(SELECT 1 FROM executions WHERE status<=2 AND wake_ms IS NULL AND flow_id=?1) OR "
                       "EXISTS(SELECT 1 FROM executions WHERE status<=2 AND wake_ms IS NOT NULL AND flow_id=?1)",
                       "t", id);
    if (code == ERR_OK && unfinished > 0)
        return error_set(reterr, ERR_CONFLICT, "id",
                         "The flow has executions that are not finished: cancel them or wait for them first.");
    int64_t deleted = 0;
    if (code == ERR_OK)
        code = sql_change(s, &deleted, reterr, "DELETE FROM flows WHERE id=?", "t", id);
    if (code == ERR_OK && deleted > 0)
        code = sql_scope_remove(s, STORE_VARIABLES, id, reterr);
    if (code == ERR_OK && deleted > 0)
        code = sql_scope_remove(s, STORE_SECRETS, id, reterr);
    return code == ERR_OK && deleted == 0 ? not_found(id, reterr) : code;
}

enum err sql_flow_load_version(struct store_session *s, const char *id, int version, struct json **ret,
                               struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT f.id, f.name, f.description, v.nodes, v.connections, v.settings, v.version, f.status, "
                  "f.metadata, f.created_by, f.created_ms, v.created_ms, f.published_version FROM flow_versions v JOIN "
                  "flows f ON f.id = "
                  "v.flow_id WHERE v.flow_id=? AND v.version=?",
                  "td", id, version);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return error_set(reterr, ERR_NOT_FOUND, "version", "There is no version %d of a flow %.60s.", version, id);
    bool damaged = false;
    if (code != ERR_OK)
        return code;
    struct json *flow = decode(q, &damaged);
    return sql_decoded(flow, damaged, "flow", id, ret, reterr);
}

enum err sql_flow_find_by_name(struct store_session *s, const char *name, char ret_id[40], struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, "SELECT id FROM flows WHERE name = ?", "t", name);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return error_set(reterr, ERR_NOT_FOUND, "name", "No flow is named \"%.200s\".", name);
    if (code == ERR_OK)
        sql_copy(q, 0, ret_id, STORE_FLOW_ID_BYTES);
    return code;
}

enum err sql_flow_versions(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *rows = json_array_new();
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT version, created_ms, created_by, node_count, note, published_ms, published_by, publish_note "
                  "FROM flow_versions WHERE flow_id=? ORDER BY version DESC",
                  "t", id);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *version = json_object_new();
        json_set_int(version, "version", sql_int(q, 0));
        store_set_time(version, "createdAt", sql_int(q, 1));
        json_set_str(version, "createdBy", sql_text(q, 2));
        json_set_int(version, "nodeCount", sql_int(q, 3));
        json_set_str(version, "changes", sql_text(q, 4));
        store_set_time(version, "publishedAt", sql_int(q, 5));
        json_set_str(version, "publishedBy", sql_text(q, 6));
        json_set_str(version, "publishNote", sql_text(q, 7));
        json_push(rows, version);
    }
    if (code != ERR_OK)
        return code;
    if (json_count(rows) == 0)
        return not_found(id, reterr);
    *ret = json_ref(rows);
    return ERR_OK;
}

static struct json *summary(struct sql_rows *q, bool *damaged)
{
    (void)damaged; /* no JSON among its columns */
    struct json *flow = json_object_new();
    json_set_str(flow, "id", sql_text(q, 1));
    json_set_str(flow, "name", sql_text(q, 2));
    json_set_str(flow, "description", sql_text(q, 3));
    json_set_int(flow, "version", sql_int(q, 4));
    json_set_str(flow, "status", sql_text(q, 5));
    json_set_int(flow, "nodeCount", sql_int(q, 6));
    store_set_time(flow, "createdAt", sql_int(q, 0));
    store_set_time(flow, "updatedAt", sql_int(q, 7));
    return flow;
}

enum err sql_flow_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    static const struct sql_list list = {
        .table = "flows",
        .noun = "flow",
        .sort_key = "created_ms",
        .row = summary,
        .columns = "created_ms, id, name, description, version, status, node_count, updated_ms"};
    struct sql_where where = {0};
    const char *status = json_get_str(filter, "status"), *search = json_get_str(filter, "search");
    if (status != NULL)
        sql_where_text(&where, "status = ?", status);
    if (search != NULL && search[0] != '\0')
        sql_where_text(&where, "contains(name || {newline} || coalesce(description, ''), ?)", search);
    return sql_list(s, &list, &where, filter, ret, reterr);
}
