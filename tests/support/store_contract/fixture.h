/* What the store's contract tests share: a fresh store of the back end under test, one-call writes and reads. */
#pragma once
#include "support/store_contract.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000)
#define F1 "11111111-0000-7000-8000-000000000001"
#define F2 "11111111-0000-7000-8000-000000000002"
#define F3 "11111111-0000-7000-8000-000000000003"
#define S1 "22222222-0000-7000-8000-000000000001"
#define E1 "33333333-0000-7000-8000-000000000001"
#define E2 "33333333-0000-7000-8000-000000000002"
#define E3 "33333333-0000-7000-8000-000000000003"

struct fixture {
    struct store *store;
    const struct store_contract *contract;
};

/* Each of these ends with an empty entry. */
extern const struct CMUnitTest store_contract_flows[], store_contract_executions[], store_contract_events[],
    store_contract_operation[], store_contract_commit[], store_contract_threads[], store_contract_control[],
    store_contract_limits[], store_contract_waits[];
int store_contract_set_up(void **state);
int store_contract_tear_down(void **state);
#define CONTRACT_TEST(function)                                                                                        \
    cmocka_unit_test_setup_teardown(function, store_contract_set_up, store_contract_tear_down)

/* Runs verbs in one write: WRITE(f, code = store_x(s, ...)). */
typedef enum err (*verb_fn)(struct store_session *s, void *arg, struct error *reterr);

static inline enum err write_now(struct fixture *f, verb_fn fn, const void *arg, struct error *reterr)
{
    return store_write(f->store, fn, (void *)(uintptr_t)arg, reterr);
}

static inline struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct error error = {0};
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK)
        fail_msg("%s: %s", text, error.message);
    return value;
}

/* JSON text with ' for ". */
static inline struct json *quoted(const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return parse(text);
}

static struct error error_; /* of the last call that failed; one thread */

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        enum err code_ = (call);                                                                                       \
        if (code_ != ERR_OK)                                                                                           \
            fail_msg("%s: %s (%s)", #call, error_id(code_), error_.message);                                           \
    } while (0)

/* ---- verbs as write functions */
struct flow_args {
    const char *id;
    const struct json *document;
    int64_t now_ms;
};
struct event_args {
    struct store_event event;
    bool applied;
};
struct reassign_args {
    const char *id;
    int epoch;
    struct arena *arena;
    struct store_dispatch dispatch;
};
struct retention_args {
    int64_t before_ms, failed, keep, now_ms; /* failed 0: as the others */
    size_t limit;
    int64_t deleted;
};
struct put_args {
    enum store_table table;
    const char *id;
    const struct json *document;
};

#define VERB(name, type, call)                                                                                         \
    static inline enum err name(struct store_session *s, void *arg, struct error *reterr)                              \
    {                                                                                                                  \
        type *a = arg;                                                                                                 \
        return call;                                                                                                   \
    }
VERB(do_flow_insert, struct flow_args, store_flow_insert(s, a->document, a->now_ms, reterr))
VERB(do_flow_update, struct flow_args, store_flow_update(s, a->id, a->document, a->now_ms, reterr))
VERB(do_flow_delete, struct flow_args, store_flow_delete(s, a->id, reterr))
VERB(do_schedule_insert, struct flow_args, store_schedule_insert(s, a->document, a->now_ms, reterr))
VERB(do_schedule_update, struct flow_args, store_schedule_update(s, a->id, a->document, a->now_ms, reterr))
VERB(do_schedule_delete, struct flow_args, store_schedule_delete(s, a->id, reterr))
VERB(do_execution_insert, struct store_execution, store_execution_insert(s, a, reterr))
VERB(do_execution_delete, struct flow_args, store_execution_delete(s, a->id, reterr))
VERB(do_cancel, struct flow_args, store_execution_cancel(s, a->id, a->now_ms, reterr))
VERB(do_pause, struct flow_args, store_execution_pause(s, a->id, a->now_ms, reterr))
VERB(do_resume, struct flow_args, store_execution_resume(s, a->id, a->now_ms, reterr))
VERB(do_event, struct event_args, store_event_apply(s, &a->event, &a->applied, reterr))
VERB(do_reassign, struct reassign_args, store_execution_reassign(s, a->id, a->epoch, a->arena, &a->dispatch, reterr))
VERB(do_retention, struct retention_args,
     store_retention_apply(s,
                           &(struct store_retention){.before_ms = a->before_ms,
                                                     .failed_before_ms = a->failed ? a->failed : a->before_ms,
                                                     .keep = a->keep,
                                                     .now_ms = a->now_ms},
                           a->limit, &a->deleted, reterr))
VERB(do_put, struct put_args, store_put(s, a->table, a->id, a->document, T0, reterr))
VERB(do_remove, struct put_args, store_remove(s, a->table, a->id, reterr))

#define WITH(f, fn, type, ...) write_now((f), (fn), &(type){__VA_ARGS__}, &error_)
#define ON(f, fn, id_) write_now((f), (fn), &(struct flow_args){.id = (id_), .now_ms = T0 + 5000}, &error_)

static inline void add_flow(struct fixture *f, const char *id, const char *name, int64_t now_ms)
{
    AUTO_JSON struct json *flow =
        quoted("{'id':'%s','name':'%s','nodes':[{'id':'1','type':'set'},{'id':'2','type':'wait'}],"
               "'connections':[{'fromNodeId':'1','toNodeId':'2'}],'metadata':{'a':1}}",
               id, name);
    assert_ok(WITH(f, do_flow_insert, struct flow_args, .document = flow, .now_ms = now_ms));
}

static inline void add_schedule(struct fixture *f, const char *id, const char *flow_id, const char *more)
{
    AUTO_JSON struct json *schedule =
        quoted("{'id':'%s','flowId':'%s','name':'nightly','cronExpression':'0 3 * * *'%s}", id, flow_id, more);
    assert_ok(WITH(f, do_schedule_insert, struct flow_args, .document = schedule, .now_ms = T0));
}

static inline void add_execution(struct fixture *f, const char *id, const char *flow_id, int64_t created_ms)
{
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = id, .flow_id = flow_id, .flow_version = 1,
                   .trigger = "manual", .priority = 1, .created_ms = created_ms));
}

static inline bool apply(struct fixture *f, struct store_event event)
{
    struct event_args args = {.event = event};
    assert_ok(write_now(f, do_event, &args, &error_));
    return args.applied;
}

static inline bool finish(struct fixture *f, const char *id, int epoch, enum run_status status)
{
    struct store_finish end = {.status = status,
                               .started_ms = T0 + 10,
                               .ended_ms = T0 + 1000,
                               .records = 7,
                               .document_json =
                                   "{\"nodes\":[{\"nodeId\":\"1\",\"nodeType\":\"set\",\"status\":\"success\","
                                   "\"attempts\":[{\"attempt\":1,\"epoch\":1,\"status\":\"success\"}]}]}",
                               .result_json = "{\"answer\":42}"};
    return apply(
        f, (struct store_event){
               .kind = STORE_EVENT_FINISHED, .execution_id = id, .epoch = epoch, .at_ms = T0 + 1000, .finish = &end});
}

/* ---- reads */
#define READ(f, s)                                                                                                     \
    struct store_session *s = NULL;                                                                                    \
    assert_ok(store_read_begin((f)->store, &s, &error_))

static inline struct json *load_execution(struct fixture *f, const char *id)
{
    struct json *value = NULL;
    READ(f, s);
    assert_ok(store_execution_load_detail(s, id, &value, &error_));
    store_read_end(f->store, s);
    return value;
}

typedef enum err (*list_fn)(struct store_session *s, const struct json *filter, struct json **ret,
                            struct error *reterr);

static inline struct json *list_all(struct fixture *f, list_fn fn, const char *filter_text)
{
    AUTO_JSON struct json *filter = quoted("%s", filter_text);
    struct json *value = NULL;
    READ(f, s);
    assert_ok(fn(s, filter, &value, &error_));
    store_read_end(f->store, s);
    return value;
}

static inline int64_t list_total(struct fixture *f, list_fn fn, const char *filter_text)
{
    AUTO_JSON struct json *page = list_all(f, fn, filter_text);
    return json_get_int(json_get(page, "pagination"), "total", -1);
}

static inline void expect_status(struct fixture *f, const char *id, const char *status)
{
    AUTO_JSON struct json *execution = load_execution(f, id);
    assert_string_equal(json_get_str(execution, "status"), status);
}
