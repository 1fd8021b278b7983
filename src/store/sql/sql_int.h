/* The verbs of store.h in SQL, once for every back end; what they need of a driver. Private to src/store/.
 *
 * The SQL is what both dialects understand. Where they differ it has a name in braces, which the driver replaces
 * (struct sql_dialect); parameters are ? in order, or ?1, ?2 … Statements are prepared once a connection and found
 * again by the address of their literal. Types are the same small set everywhere: text, 64-bit integers (truth is 0 or
 * 1), bytes. Those that are composed of parts, of which there are few different ones, are found again by their text.
 *
 * Deferred statements: a driver with a network between may send a statement and look at its outcome later, at the next
 * statement that gives rows or a count, or at the commit. So sql_run says nothing about what a deferred statement met,
 * and sql_expect says that the expectation was met, which is nearly always so. Where it was not, the whole transaction
 * is undone and its writes run again (they must be repeatable, store.h), that time with the right answers. */
#pragma once
#include "store/store_int.h"
#include <zstd.h>

enum sql_constraint {
    SQL_CONSTRAINT_NONE,
    SQL_CONSTRAINT_UNIQUE,
    SQL_CONSTRAINT_PRIMARY_KEY,
    SQL_CONSTRAINT_REFERENCE
};

/* What refers to an execution's row: its `{key}`. */
struct sql_key {
    int64_t seq; /* SQLite */
    const char *id;
};

struct sql_value {
    enum { SQL_NULL, SQL_TEXT, SQL_INT, SQL_BYTES } kind;
    const char *text; /* borrowed until the rows are reset */
    int64_t number;
    const void *bytes;
    size_t size;
};

/* A statement with its values: its rows, one at a time. Each driver begins its own struct with it. */
struct sql_rows {
    const struct sql_driver *driver;
};

struct sql_driver {
    int64_t retention_grace_ms; /* rows are deleted one by one only so long after drop_old should have dropped them */
    bool keyed_by_id;           /* {key} is the id; else the number that the last insert gave the row */
    /* What stands for {name}. A literal; NULL ends the list. */
    const struct sql_word {
        const char *name, *text;
    } * words;

    /* `cached`: sql is a literal. The rows are the caller's until reset. */
    enum err (*query)(struct store_session *s, const char *sql, bool cached, const struct sql_value *values, int count,
                      struct sql_rows **ret, struct error *reterr);
    /* Gives no rows. May be deferred unless `now`; ret_changed (rows) is valid with `now` only. */
    enum err (*run)(struct store_session *s, const char *sql, bool now, const struct sql_value *values, int count,
                    int64_t *ret_changed, struct error *reterr);
    /* See above: whether at least one row was changed, or will have been. */
    enum err (*expect)(struct store_session *s, const char *sql, const struct sql_value *values, int count,
                       bool *ret_met, struct error *reterr);
    enum err (*step)(struct sql_rows *rows, bool *ret_row, struct error *reterr);
    void (*reset)(struct sql_rows *rows);
    const char *(*text)(struct sql_rows *rows, int column); /* borrowed until the next step; NULL when null */
    int64_t (*number)(struct sql_rows *rows, int column);   /* 0 when null */
    const void *(*bytes)(struct sql_rows *rows, int column, size_t *ret_size); /* as text */
    bool (*is_null)(struct sql_rows *rows, int column);
    int64_t (*last_seq)(struct store_session *s); /* of the row inserted last; 0 if keyed by id */
    /* Which rule of the table the last failed statement broke. */
    enum sql_constraint (*constraint)(struct store_session *s);
    /* Retention: drops what is old as a whole, where the back end keeps it apart (it may be more than `limit`); gives
     * free space back. */
    enum err (*drop_old)(struct store_session *s, int64_t before_ms, int64_t failed_before_ms, int64_t limit,
                         int64_t *ret_deleted, struct error *reterr);
    enum err (*give_back)(struct store_session *s, struct error *reterr);
};

/* What starts of a flow need to know of it, for all that are written together. */
enum { SQL_STARTS_KNOWN = 16 };
struct sql_start {
    uint64_t transaction; /* store_session.whole */
    char flow_id[STORE_FLOW_ID_BYTES];
    struct store_flow_start published, newest;
};

enum { SQL_COMPOSED_MAX = 96 };
struct sql_session {
    struct store_session base; /* first */
    const struct sql_driver *driver;
    char *composed[SQL_COMPOSED_MAX]; /* texts of sql_query_composed: as good as literals while the session lives */
    ZSTD_DCtx *decompressor;
    struct sql_start starts[SQL_STARTS_KNOWN]; /* by the id's hash */
};

static inline const struct sql_driver *sql_driver_of(const struct store_session *s)
{
    return ((const struct sql_session *)s)->driver;
}
void sql_session_done(struct sql_session *session); /* for the driver, at the session's end */
/* The statement in the driver's words, heap: {names} replaced, ? numbered as `mark` and a number ('?' or '$'). */
char *sql_translate(const struct sql_driver *driver, const char *sql, char mark);

/* ---- statements. `sql` is a string literal. `kinds` says what the further arguments are, one letter each: t text
 * (NULL: null) · i int64_t · p int64_t, null when <= 0 · d int · b blob (const void *, size_t; NULL: null) · k an
 * execution's key (const struct sql_key *). Texts and blobs must live until the statement is reset. */
enum err sql_query(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                   const char *kinds, ...) ERROR_MUST_CHECK;
/* The same with a text composed of parts: kept and prepared as a literal is, unless the session has kept
 * SQL_COMPOSED_MAX others. */
enum err sql_query_composed(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                            const struct sql_value *values, int count) ERROR_MUST_CHECK;
/* The same with a text made for the occasion, and not prepared. */
enum err sql_query_once(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                        const struct sql_value *values, int count) ERROR_MUST_CHECK;
/* Runs a statement that gives no rows; may be deferred. */
enum err sql_run(struct store_session *s, struct error *reterr, const char *sql, const char *kinds,
                 ...) ERROR_MUST_CHECK;
/* The same with the number of rows changed; never deferred. */
enum err sql_change(struct store_session *s, int64_t *ret_changed, struct error *reterr, const char *sql,
                    const char *kinds, ...) ERROR_MUST_CHECK;
/* Runs a statement that should change at least one row; may be deferred. */
enum err sql_expect(struct store_session *s, bool *ret_met, struct error *reterr, const char *sql, const char *kinds,
                    ...) ERROR_MUST_CHECK;
enum err sql_step(struct store_session *s, struct sql_rows *rows, bool *ret_row, struct error *reterr) ERROR_MUST_CHECK;
/* The single number of the first row; *ret untouched when there is no row. */
enum err sql_number(struct store_session *s, int64_t *ret, struct error *reterr, const char *sql, const char *kinds,
                    ...) ERROR_MUST_CHECK;
void sql_reset(struct sql_rows **rows); /* for CLEANUP */
#define AUTO_RESET CLEANUP(sql_reset)
enum sql_constraint sql_constraint(struct store_session *s); /* after ERR_CONFLICT; NONE: it was another refusal */

/* ---- columns */
const char *sql_text(struct sql_rows *rows, int column); /* borrowed until the next step; NULL when null */
int64_t sql_int(struct sql_rows *rows, int column);
struct json *sql_json(struct sql_rows *rows, int column,
                      bool *damaged); /* yours; null when null; sets *damaged when it is no JSON */
/* Hands a decoded row out, or refuses it when a text of it was damaged: ERR_INTERNAL that names the noun and the id.
 * Consumes value. */
enum err sql_decoded(struct json *take_value, bool damaged, const char *noun, const char *id, struct json **ret,
                     struct error *reterr) ERROR_MUST_CHECK;
enum err sql_damaged(const char *noun, const char *id, struct error *reterr); /* returns ERR_INTERNAL */
char *sql_dup(struct sql_rows *rows, int column, struct arena *arena);
void sql_copy(struct sql_rows *rows, int column, char *out, size_t cap); /* cut at cap; "" when null */

/* ---- compressed texts: JSON; ERR_INTERNAL that names the execution when it is damaged. *ret is untouched when null.
 */
enum err sql_decompress_json(struct store_session *s, struct sql_rows *rows, int column, const char *id,
                             struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* ---- lists.c: one page of a table, newest first. WHERE is added piece by piece. */
struct sql_where {
    struct buf sql;
    struct sql_value values[24];
    int count;
};
void sql_where_text(struct sql_where *where, const char *condition, const char *value);
void sql_where_number(struct sql_where *where, const char *condition, int64_t value);
struct sql_list {
    const char *table, *columns; /* the columns begin with the sort key (ms) and the id */
    const char *sort_key;
    const char *noun; /* of one row, for errors */
    struct json *(*row)(struct sql_rows *rows, bool *damaged);
};
/* Consumes `where`. */
enum err sql_list(struct store_session *s, const struct sql_list *list, struct sql_where *take_where,
                  const struct json *filter, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* ---- executions.c */
/* With epoch=epoch+1: what was lost, as seen from the next epoch (store_dispatch.lost_epochs). */
#define SQL_LOSE_EPOCH "lost = (lost % 536870912) * 2 + 1 - settled"
struct sql_locator {
    struct sql_key key;
    bool found;
    int status, epoch;
    int64_t wake_ms; /* 0: not parked */
    bool settled;
    unsigned lost;   /* see store_dispatch.lost_epochs */
    bool queued;     /* its turn has not come (limits.c) */
    int64_t signals; /* the number of its last one */
};
/* In a write it holds the row until the transaction's end: what it says stays true. */
enum err sql_locate(struct store_session *s, const char *id, struct sql_locator *ret,
                    struct error *reterr) ERROR_MUST_CHECK;
enum err sql_locate_or_fail(struct store_session *s, const char *id, struct sql_locator *ret,
                            struct error *reterr) ERROR_MUST_CHECK;
/* The key alone, by the cheapest way; a key that no row has if there is none. `id` must outlive it. */
enum err sql_find_key(struct store_session *s, const char *id, struct sql_key *ret,
                      struct error *reterr) ERROR_MUST_CHECK;
enum err sql_insert_document(struct store_session *s, const struct sql_key *key, const struct store_finish *finish,
                             struct error *reterr) ERROR_MUST_CHECK;

/* ---- signals.c, children.c */
struct sql_parent {
    char id[STORE_ID_BYTES], node_id[STORE_ID_BYTES], iteration[RUN_ITERATION_BYTES_MAX]; /* id "": nobody */
    bool waits;
};
enum err sql_parent_load(struct store_session *s, const struct sql_key *child, struct sql_parent *ret,
                         struct error *reterr) ERROR_MUST_CHECK;
/* The child's end, in the transaction that makes it final. Nothing when nobody waits for it. */
enum err sql_parent_tell(struct store_session *s, const struct sql_parent *parent, const char *child_id,
                         const struct store_finish *end, struct error *reterr) ERROR_MUST_CHECK;
enum err sql_signal_of_child(struct store_session *s, const struct store_signal *signal,
                             struct error *reterr) ERROR_MUST_CHECK;
/* Signals that are not taken as a JSON text; *ret is untouched when there are none. */
enum err sql_signals_text(struct store_session *s, const struct sql_key *execution, struct arena *arena,
                          const char **ret, struct error *reterr) ERROR_MUST_CHECK;
/* The first column of all rows as an array of texts. */
enum err sql_ids(struct store_session *s, struct sql_rows *rows, struct json **ret,
                 struct error *reterr) ERROR_MUST_CHECK;

/* ---- the verbs */
enum err sql_flow_insert(struct store_session *s, const struct json *flow, int64_t now_ms, struct error *reterr);
enum err sql_flow_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                         struct error *reterr);
enum err sql_flow_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sql_flow_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sql_flow_version(struct store_session *s, const char *id, bool published, int *ret, struct error *reterr);
enum err sql_flow_start(struct store_session *s, const char *id, bool published, struct store_flow_start *ret,
                        struct error *reterr);
void sql_starts_forget(struct store_session *s); /* flows change */
/* Inserts by `insert`, under the limits of its flow. */
enum err sql_limits_insert(struct store_session *s, const struct store_execution *row,
                           enum err (*insert)(struct store_session *s, const struct store_execution *row,
                                              struct error *reterr),
                           struct error *reterr) ERROR_MUST_CHECK;
enum err sql_limits_break(struct store_session *s, int64_t now_ms, struct store_place *at,
                          char ret_id[STORE_PLACE_BYTES], struct error *reterr); /* cycles.c */
enum err sql_limits_admit(struct store_session *s, int64_t now_ms, bool tell, struct store_admitted *ret,
                          struct error *reterr);
bool sql_limits_waiting(struct store_session *s);
enum err sql_flows_stamp(struct store_session *s, int64_t *ret, struct error *reterr);
enum err sql_flow_listeners(struct store_session *s, struct json **ret, struct error *reterr);
enum err sql_flow_publish(struct store_session *s, const char *id, int version, const char *author, const char *note,
                          int64_t now_ms, struct error *reterr);
enum err sql_flow_load_version(struct store_session *s, const char *id, int version, struct json **ret,
                               struct error *reterr);
enum err sql_flow_find_by_name(struct store_session *s, const char *name, char ret_id[40], struct error *reterr);
enum err sql_flow_versions(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sql_flow_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sql_schedule_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sql_execution_list(struct store_session *s, const struct json *filter, struct json **ret,
                            struct error *reterr);
enum err sql_dead_letter_list(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr);
enum err sql_audit_prune(struct store_session *s, int64_t before_ms, size_t limit, struct error *reterr);
enum err sql_audit_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sql_schedule_insert(struct store_session *s, const struct json *schedule, int64_t now_ms,
                             struct error *reterr);
enum err sql_schedule_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                             struct error *reterr);
enum err sql_schedule_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sql_schedule_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sql_schedules_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                           struct error *reterr);
enum err sql_instant_insert(struct store_session *s, const struct store_instant *instant, struct error *reterr);
enum err sql_instant_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
enum err sql_instants_prune(struct store_session *s, int64_t before_ms, struct error *reterr);
enum err sql_schedule_unfinished(struct store_session *s, const char *schedule_id, size_t limit, struct json **ret,
                                 struct error *reterr);
enum err sql_backfill_unfinished(struct store_session *s, const char *schedule_id, const char *backfill_id,
                                 int64_t *ret, struct error *reterr);
enum err sql_schedules_release(struct store_session *s, int64_t now_ms, int64_t *ret_released, struct error *reterr);
bool sql_schedules_waiting(struct store_session *s);
enum err sql_execution_insert(struct store_session *s, const struct store_execution *row, struct error *reterr);
enum err sql_event_apply(struct store_session *s, const struct store_event *event, bool *ret_applied,
                         struct error *reterr);
enum err sql_execution_reassign(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                struct store_dispatch *ret, struct error *reterr);
enum err sql_executions_unfinished(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                   struct error *reterr);
enum err sql_executions_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                            struct error *reterr);
int64_t sql_executions_next_due_ms(struct store_session *s);
enum err sql_execution_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sql_execution_load_detail(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
enum err sql_execution_logs(struct store_session *s, const char *id, const char *level, const char *node_id,
                            struct json **ret, struct error *reterr);
enum err sql_execution_delete(struct store_session *s, const char *id, struct error *reterr);
enum err sql_execution_cancel_all(struct store_session *s, const char *id, int64_t now_ms, struct json **ret_ids,
                                  struct error *reterr);
enum err sql_signal_insert(struct store_session *s, const struct store_signal *signal, struct store_receipt *ret,
                           struct error *reterr);
enum err sql_signals_load(struct store_session *s, const char *execution_id, struct json **ret, struct error *reterr);
enum err sql_signals_open(struct store_session *s, size_t limit, struct json **ret, struct error *reterr);
enum err sql_wait_load(struct store_session *s, const char *token, int64_t now_ms, struct json **ret,
                       struct error *reterr);
enum err sql_wait_answer(struct store_session *s, const char *token, const char *answer_json, int64_t now_ms,
                         struct error *reterr);
enum err sql_child_insert(struct store_session *s, const struct store_execution *row, struct error *reterr);
enum err sql_child_drop(struct store_session *s, const char *parent_id, int epoch, const char *child_id, int64_t now_ms,
                        struct json **ret_ids, struct error *reterr);
enum err sql_executions_ended(struct store_session *s, const struct json *ids, struct json **ret, struct error *reterr);
enum err sql_children_orphaned(struct store_session *s, size_t limit, struct json **ret, struct error *reterr);
enum err sql_execution_fail(struct store_session *s, const char *id, int64_t now_ms, const struct error *why,
                            struct error *reterr);
enum err sql_execution_pause(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err sql_execution_resume(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
enum err sql_execution_counts(struct store_session *s, int64_t since_ms, struct json **ret, struct error *reterr);
enum err sql_execution_keep(struct store_session *s, const char *id, bool keep, struct error *reterr);
enum err sql_retention_apply(struct store_session *s, const struct store_retention *rule, size_t limit,
                             int64_t *ret_deleted, struct error *reterr);
enum err sql_put(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                 int64_t now_ms, struct error *reterr);
enum err sql_get(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                 struct error *reterr);
enum err sql_find(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                  struct error *reterr);
enum err sql_remove(struct store_session *s, enum store_table table, const char *id, struct error *reterr);
enum err sql_all(struct store_session *s, enum store_table table, struct json **ret, struct error *reterr);
enum err sql_scope_list(struct store_session *s, enum store_table table, const char *scope, const char *after,
                        size_t limit, struct json **ret, struct error *reterr);
enum err sql_scope_remove(struct store_session *s, enum store_table table, const char *scope, struct error *reterr);
