/* What store.c shares with its back ends: the session's head, the table of operations. Private to src/store/. */
#pragma once
#include "store/store.h"
#include "store/totals.h"

struct store_backend; /* each back end begins its own struct with nothing: it is opaque to store.c */

struct store_session {
    const struct store_backend_ops *ops;
    struct store_session *next; /* the pool's list (readers.c) */
    struct totals *totals;      /* the store's; NULL: this one writes, and counts what it has written */
    bool writable;              /* a write transaction is open; set by store.c only */
    uint64_t whole; /* number of the open write transaction, if it is undone as a whole or not at all; 0: any other */
};

enum store_transaction {
    STORE_TRANSACTION_READ,     /* sees one snapshot */
    STORE_TRANSACTION_DEFERRED, /* a write; a failed statement ends it, and some outcomes are told by settle only */
    STORE_TRANSACTION_EXACT     /* a write; each statement is answered, a failed one undone alone */
};

struct store_backend_ops {
    const char *scheme; /* what the URL starts with, colon included */

    /* Opens the database and brings its schema up to date. */
    enum err (*open)(const char *url, const struct store_options *options, struct store_backend **ret,
                     struct error *reterr);
    void (*close)(struct store_backend *backend); /* after all sessions are closed */
    /* first: the store's own, which writes unless the store is read-only, and brings the schema up to date. */
    enum err (*session_open)(struct store_backend *backend, bool first, struct store_session **ret,
                             struct error *reterr);
    void (*session_close)(struct store_session *s);
    bool defers;    /* DEFERRED differs from EXACT */
    bool is_shared; /* by writers of other processes */
    enum err (*begin)(struct store_session *s, enum store_transaction kind, struct error *reterr);
    /* Whether all statements did what was said of them; otherwise the transaction can only be rolled back. */
    enum err (*settle)(struct store_session *s, struct error *reterr);
    enum err (*commit)(struct store_session *s,
                       struct error *reterr);  /* on failure rolled back, or ERR_STORE_UNKNOWN */
    void (*rollback)(struct store_session *s); /* harmless without a transaction */
    /* The last transaction failed of something that passes (a deadlock, a lost connection, a wrong assumption) and
     * changed nothing. */
    bool (*again)(struct store_session *s);
    /* One member of a batch: undone alone by savepoint_rollback. in_transaction is false once a grave error ended it.
     */
    enum err (*savepoint)(struct store_session *s, struct error *reterr);
    enum err (*savepoint_release)(struct store_session *s, struct error *reterr);
    enum err (*savepoint_rollback)(struct store_session *s, struct error *reterr);
    bool (*in_transaction)(struct store_session *s);
    void (*stats)(struct store_backend *backend, struct store_stats *ret); /* sizes only; any thread */
};

extern const struct store_backend_ops store_sqlite_ops, store_postgres_ops, store_postgres_short_ops;

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
enum { STORE_COUNT_MAX = 10000 }; /* a list's total is counted up to that many */
/* Takes `rows`; `total` above STORE_COUNT_MAX: that many and more. `next_id` NULL: the last page. */
struct json *store_page_answer(const struct store_page *page, struct json *take_rows, int64_t total, int64_t next_ms,
                               const char *next_id);
/* A time of a filter or a document: absent or null gives *ret = otherwise. */
enum err store_time_parse(const struct json *object, const char *key, int64_t otherwise, int64_t *ret,
                          struct error *reterr) ERROR_MUST_CHECK;
void store_set_time(struct json *object, const char *key, int64_t ms); /* ms <= 0: null */
/* true if `text` holds `part`, without regard to case (simple case mapping of Unicode). Thread-safe. */
bool store_text_contains(const char *text, const char *part);
