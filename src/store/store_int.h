/* What store.c shares with its back ends: the session's head, the table of operations. Private to src/store/. */
#pragma once
#include "store/store.h"

struct store_backend; /* each back end begins its own struct with nothing: it is opaque to store.c */

struct store_session {
    const struct store_backend_ops *ops;
    struct store_session *next; /* the pool's list; owned by store.c */
    bool writable;              /* a write transaction is open; set by store.c only */
};

struct store_backend_ops {
    const char *scheme; /* what the URL starts with, colon included */

    /* Opens the database and brings its schema up to date. */
    enum err (*open)(const char *url, const struct store_options *options, struct store_backend **ret,
                     struct error *reterr);
    void (*close)(struct store_backend *backend); /* after all sessions are closed */
    enum err (*session_open)(struct store_backend *backend, bool writer, struct store_session **ret,
                             struct error *reterr);
    void (*session_close)(struct store_session *s);
    /* A read transaction sees one snapshot; a write transaction excludes other writers. */
    enum err (*begin)(struct store_session *s, bool write, struct error *reterr);
    enum err (*commit)(struct store_session *s,
                       struct error *reterr);  /* on failure rolled back, or ERR_STORE_UNKNOWN */
    void (*rollback)(struct store_session *s); /* harmless without a transaction */
    /* One member of a batch: undone alone by savepoint_rollback. in_transaction is false once a grave error ended it.
     */
    enum err (*savepoint)(struct store_session *s, struct error *reterr);
    enum err (*savepoint_release)(struct store_session *s, struct error *reterr);
    enum err (*savepoint_rollback)(struct store_session *s, struct error *reterr);
    bool (*in_transaction)(struct store_session *s);
    void (*stats)(struct store_backend *backend, struct store_stats *ret); /* sizes only; any thread */

    enum err (*flow_insert)(struct store_session *s, const struct json *flow, int64_t now_ms, struct error *reterr);
    enum err (*flow_update)(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                            struct error *reterr);
    enum err (*flow_delete)(struct store_session *s, const char *id, struct error *reterr);
    enum err (*flow_load)(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
    enum err (*flow_version)(struct store_session *s, const char *id, int *ret, struct error *reterr);
    enum err (*flow_load_version)(struct store_session *s, const char *id, int version, struct json **ret,
                                  struct error *reterr);
    enum err (*flow_find_by_name)(struct store_session *s, const char *name, char ret_id[40], struct error *reterr);
    enum err (*flow_versions)(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
    enum err (*flow_list)(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
    enum err (*schedule_list)(struct store_session *s, const struct json *filter, struct json **ret,
                              struct error *reterr);
    enum err (*execution_list)(struct store_session *s, const struct json *filter, struct json **ret,
                               struct error *reterr);
    enum err (*dead_letter_list)(struct store_session *s, const struct json *filter, struct json **ret,
                                 struct error *reterr);
    enum err (*audit_prune)(struct store_session *s, int64_t before_ms, size_t limit, struct error *reterr);
    enum err (*audit_list)(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr);
    enum err (*schedule_insert)(struct store_session *s, const struct json *schedule, int64_t now_ms,
                                struct error *reterr);
    enum err (*schedule_update)(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                                struct error *reterr);
    enum err (*schedule_delete)(struct store_session *s, const char *id, struct error *reterr);
    enum err (*schedule_load)(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
    enum err (*schedules_due)(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                              struct error *reterr);
    enum err (*execution_insert)(struct store_session *s, const struct store_execution *row, struct error *reterr);
    enum err (*event_apply)(struct store_session *s, const struct store_event *event, bool *ret_applied,
                            struct error *reterr);
    enum err (*execution_reassign)(struct store_session *s, const char *id, int expected_epoch, struct arena *arena,
                                   struct store_dispatch *ret, struct error *reterr);
    enum err (*executions_unfinished)(struct store_session *s, const char *after_id, size_t limit, struct json **ret,
                                      struct error *reterr);
    enum err (*executions_due)(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                               struct error *reterr);
    int64_t (*executions_next_due_ms)(struct store_session *s);
    enum err (*execution_load)(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
    enum err (*execution_load_detail)(struct store_session *s, const char *id, struct json **ret, struct error *reterr);
    enum err (*execution_logs)(struct store_session *s, const char *id, const char *level, const char *node_id,
                               struct json **ret, struct error *reterr);
    enum err (*execution_delete)(struct store_session *s, const char *id, struct error *reterr);
    enum err (*execution_cancel)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    enum err (*execution_pause)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    enum err (*execution_resume)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    enum err (*execution_counts)(struct store_session *s, int64_t since_ms, struct json **ret, struct error *reterr);
    enum err (*retention_apply)(struct store_session *s, int64_t before_ms, int64_t keep, size_t limit,
                                int64_t *ret_deleted, struct error *reterr);
    enum err (*put)(struct store_session *s, enum store_table table, const char *id, const struct json *document,
                    int64_t now_ms, struct error *reterr);
    enum err (*get)(struct store_session *s, enum store_table table, const char *id, struct json **ret,
                    struct error *reterr);
    enum err (*find)(struct store_session *s, enum store_table table, const char *key, struct json **ret,
                     struct error *reterr);
    enum err (*remove)(struct store_session *s, enum store_table table, const char *id, struct error *reterr);
    enum err (*all)(struct store_session *s, enum store_table table, struct json **ret, struct error *reterr);
};

extern const struct store_backend_ops store_sqlite_ops;

/* Names as the API spells them (contract 3.4); a run status is stored as its number. */
const char *store_status_name(int status);
int store_status_parse(const char *name); /* -1: no such status */

enum {
    STORE_ID_BYTES = 128,
    STORE_FLOW_ID_BYTES = 40
}; /* of an id, its NUL included: cursors and ret_id have that much room */

/* Pages of lists. */
struct store_page {
    int64_t limit, page;
    bool has_cursor;
    int64_t cursor_ms;
    char cursor_id[STORE_ID_BYTES];
};
enum err store_page_parse(const struct json *filter, struct store_page *ret, struct error *reterr) ERROR_MUST_CHECK;
/* Takes `rows`; `next_id` NULL: the last page. */
struct json *store_page_answer(const struct store_page *page, struct json *take_rows, int64_t total, int64_t next_ms,
                               const char *next_id);
/* A time of a filter or a document: absent or null gives *ret = otherwise. */
enum err store_time_parse(const struct json *object, const char *key, int64_t otherwise, int64_t *ret,
                          struct error *reterr) ERROR_MUST_CHECK;
void store_set_time(struct json *object, const char *key, int64_t ms); /* ms <= 0: null */
/* true if `text` holds `part`, without regard to case (simple case mapping of Unicode). Thread-safe. */
bool store_text_contains(const char *text, const char *part);
