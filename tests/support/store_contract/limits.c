/* The store's contract: starting under the limits of a flow. */
#include "support/store_contract/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

struct admit_args {
    int64_t now_ms;
    struct store_admitted admitted;
};
struct break_args {
    struct store_place at;
    char id[STORE_PLACE_BYTES];
};
VERB(do_admit, struct admit_args, store_limits_admit(s, a->now_ms, true, &a->admitted, reterr))
VERB(do_break, struct break_args, store_limits_break(s, T0 + 500, &a->at, a->id, reterr))
VERB(do_child, struct store_execution, store_child_insert(s, a, reterr))

static void add_limited(struct fixture *f, const char *settings)
{
    AUTO_JSON struct json *flow =
        quoted("{'id':'" F1 "','name':'limited','nodes':[],'connections':[],'settings':%s}", settings);
    assert_ok(WITH(f, do_flow_insert, struct flow_args, .document = flow, .now_ms = T0));
}

/* Whether it waits; `n` is its place in time. */
static bool start(struct fixture *f, const char *id, int n, int priority, const char *input)
{
    bool waits = false;
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = id, .flow_id = F1, .flow_version = 1,
                   .trigger = "manual", .priority = priority, .created_ms = T0 + n, .input_json = input,
                   .ret_waits = &waits));
    return waits;
}

static int64_t admit(struct fixture *f, int64_t after_ms)
{
    struct admit_args args = {.now_ms = T0 + after_ms};
    assert_ok(write_now(f, do_admit, &args, &error_));
    return args.admitted.count;
}

static void expect_waiting(struct fixture *f, const char *id, const char *what)
{
    AUTO_JSON struct json *execution = load_execution(f, id);
    const char *found = json_get_str(execution, "waitingFor");
    assert_string_equal(found == NULL ? "" : found, what);
    assert_string_equal(json_get_str(execution, "status"), "pending");
}

/* Ids of what is due, in one text. */
static char *due(struct fixture *f, int64_t after_ms)
{
    AUTO_JSON struct json *rows = NULL;
    AUTO_BUF struct buf text = {0};
    READ(f, s);
    assert_ok(store_executions_due(s, T0 + after_ms, 10, &rows, &error_));
    store_read_end(f->store, s);
    for (size_t i = 0; i < json_count(rows); i++)
        buf_printf(&text, "%s ", json_get_str(json_at(rows, i), "id"));
    return mem_dup(buf_str(&text));
}

static void expect_due(struct fixture *f, int64_t after_ms, const char *ids)
{
    AUTO_FREE char *text = due(f, after_ms);
    assert_string_equal(text, ids);
}

static enum err reassign(struct fixture *f, const char *id)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct reassign_args args = {.id = id, .arena = &arena};
    return write_now(f, do_reassign, &args, &error_);
}

static void holds_a_flow_back(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'concurrency':2}");
    assert_false(start(f, "a", 1, 1, NULL));
    assert_false(start(f, "b", 2, 1, NULL));
    assert_true(start(f, "c", 3, 1, NULL));
    assert_true(start(f, "d", 4, 1, NULL));
    expect_waiting(f, "a", "");
    expect_waiting(f, "c", "concurrency");
    READ(f, s);
    AUTO_JSON struct json *unfinished = NULL;
    assert_ok(store_executions_unfinished(s, "", 10, &unfinished, &error_));
    assert_int_equal(json_count(unfinished), 2); /* nobody may start what waits */
    assert_true(store_limits_waiting(s));
    store_read_end(f->store, s);
    assert_int_equal(reassign(f, "c"), ERR_CONFLICT);
    assert_int_equal(admit(f, 10), 0);
    expect_due(f, 1000000, "");
    assert_true(finish(f, "a", 1, RUN_SUCCESS));
    assert_int_equal(admit(f, 20), 1);
    expect_due(f, 20, "c ");
    expect_waiting(f, "c", "");
    assert_ok(reassign(f, "c"));
    assert_true(finish(f, "c", 2, RUN_FAILED));
    assert_ok(ON(f, do_cancel, "b"));
    assert_int_equal(admit(f, 30), 1);
    expect_due(f, 30, "d ");
    READ(f, t);
    assert_false(store_limits_waiting(t));
    store_read_end(f->store, t);
    assert_false(start(f, "e", 40, 1, NULL));
    assert_true(start(f, "g", 41, 1, NULL));
}

static void holds_a_key_back(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'concurrency':3,'concurrencyKey':'{{ input.customer }}'}");
    assert_false(start(f, "a1", 1, 1, "{\"customer\":\"a\"}"));
    assert_true(start(f, "a2", 2, 1, "{\"customer\":\"a\"}"));
    assert_false(start(f, "b1", 3, 1, "{\"customer\":\"b\"}"));
    assert_true(start(f, "a3", 4, 1, "{\"customer\":\"a\"}"));
    assert_false(start(f, "none", 5, 1, NULL));
    assert_true(start(f, "none2", 6, 1, "{\"customer\":null}")); /* nothing is a key too */
    expect_waiting(f, "a2", "key");
    expect_waiting(f, "none2", "key");
    assert_true(finish(f, "b1", 1, RUN_SUCCESS));
    assert_false(start(f, "c1", 10, 1, "{\"customer\":\"c\"}"));
    assert_true(start(f, "c2", 11, 1, "{\"customer\":\"d\"}"));
    expect_waiting(f, "c2", "concurrency");
    assert_ok(ON(f, do_cancel, "c1"));
    assert_ok(ON(f, do_cancel, "c2"));
    assert_int_equal(admit(f, 20), 0);
    assert_true(finish(f, "a1", 1, RUN_SUCCESS));
    assert_int_equal(admit(f, 30), 1);
    expect_due(f, 30, "a2 ");
    assert_true(finish(f, "none", 1, RUN_SUCCESS));
    assert_int_equal(admit(f, 40), 1);
    expect_due(f, 40, "a2 none2 ");
}

static void holds_a_rate_back(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'rateLimit':{'limit':2,'periodMs':1000,'key':'{{ input }}'}}");
    assert_false(start(f, "a", 0, 1, "1"));
    assert_false(start(f, "b", 100, 1, "1"));
    assert_true(start(f, "c", 200, 1, "1"));
    assert_true(start(f, "d", 300, 1, "1"));
    assert_false(start(f, "e", 300, 1, "2"));
    expect_waiting(f, "c", "rate");
    assert_true(finish(f, "a", 1, RUN_SUCCESS));
    assert_ok(ON(f, do_execution_delete, "a")); /* it has started all the same */
    struct admit_args args = {.now_ms = T0 + 999};
    assert_ok(write_now(f, do_admit, &args, &error_));
    assert_int_equal(args.admitted.count, 0);
    assert_int_equal(args.admitted.next_ms, T0 + 1000);
    assert_int_equal(admit(f, 1000), 1);
    expect_due(f, 1000, "c ");
    assert_int_equal(admit(f, 1099), 0);
    assert_int_equal(admit(f, 1100), 1);
}

static void keeps_the_order(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'concurrency':1}");
    assert_false(start(f, "run", 0, 1, NULL));
    assert_true(start(f, "low", 1, 0, NULL));
    assert_true(start(f, "first", 2, 1, NULL));
    assert_true(start(f, "second", 3, 1, NULL));
    assert_true(start(f, "high", 4, 2, NULL));
    assert_true(start(f, "late", 60002, 1, NULL)); /* low has waited long enough */
    static const char *const order[] = {"high", "first", "second", "low", "late"};
    assert_true(finish(f, "run", 1, RUN_SUCCESS));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        AUTO_FREE char *expected = mem_printf("%s ", order[i]);
        assert_int_equal(admit(f, 70000), 1);
        expect_due(f, 70000, expected);
        assert_ok(reassign(f, order[i]));
        assert_true(finish(f, order[i], 2, RUN_SUCCESS));
    }
}

/* What a person has paused keeps its place and takes nobody else's. */
static void leaves_the_paused_alone(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'concurrency':1}");
    assert_false(start(f, "run", 0, 1, NULL));
    assert_true(start(f, "paused", 1, 1, NULL));
    assert_true(start(f, "other", 2, 1, NULL));
    assert_ok(ON(f, do_pause, "paused"));
    assert_true(finish(f, "run", 1, RUN_SUCCESS));
    assert_int_equal(admit(f, 10), 1);
    expect_due(f, 10, "other ");
    assert_ok(ON(f, do_resume, "paused"));
    expect_due(f, 9000, "other ");
    assert_int_equal(admit(f, 9000), 0);
    assert_ok(ON(f, do_cancel, "other"));
    assert_int_equal(admit(f, 9000), 1);
    expect_due(f, 9000, "paused ");
}

static void obeys_the_published_limits(void **state)
{
    struct fixture *f = *state;
    struct store_flow_start flow = {0};
    add_limited(f, "{'concurrency':1,'priority':'high'}");
    assert_false(start(f, "a", 1, 1, NULL));
    assert_true(start(f, "b", 2, 1, NULL));
    assert_true(start(f, "c", 3, 1, NULL));
    READ(f, s);
    assert_ok(store_flow_start(s, F1, false, &flow, &error_));
    store_read_end(f->store, s);
    assert_true(flow.limited && flow.priority == 2 && flow.version == 1);
    AUTO_JSON struct json *none = quoted("{'settings':{}}");
    assert_ok(WITH(f, do_flow_update, struct flow_args, .id = F1, .document = none, .now_ms = T0));
    assert_int_equal(admit(f, 10), 2); /* nothing holds them back any more */
    READ(f, t);
    assert_ok(store_flow_start(t, F1, true, &flow, &error_));
    assert_int_equal(store_flow_start(t, F2, true, &flow, &error_), ERR_NOT_FOUND);
    store_read_end(f->store, t);
    assert_true(!flow.limited && flow.priority == 1 && flow.version == 2);
}

/* A retry comes at its time, and then has to wait for its turn like others. */
static void delays_and_then_queues(void **state)
{
    struct fixture *f = *state;
    add_limited(f, "{'concurrency':1}");
    assert_ok(WITH(f, do_execution_insert, struct store_execution, .id = "late", .flow_id = F1, .flow_version = 1,
                   .trigger = "manual", .priority = 1, .created_ms = T0, .wake_ms = T0 + 500));
    assert_false(start(f, "run", 10, 1, NULL)); /* the other one does not count yet */
    assert_int_equal(admit(f, 600), 0);
    expect_due(f, 600, "");
    assert_true(finish(f, "run", 1, RUN_SUCCESS));
    assert_int_equal(admit(f, 499), 0);
    assert_int_equal(admit(f, 600), 1);
    expect_due(f, 600, "late ");
}

/* ---- many at once: the number under way, counted from outside, is never above the limit */

enum { STARTERS = 3, EACH = 25, MOST = 2 };

/* ---- who waits for itself */

static void tell_wait(struct fixture *f, const char *id, const char *node_id, enum node_state wait)
{
    assert_true(apply(
        f,
        (struct store_event){
            .kind = STORE_EVENT_CHECKPOINT,
            .execution_id = id,
            .epoch = 1,
            .at_ms = T0 + 20,
            .checkpoint = {
                .node_id = node_id, .attempt = 1, .state = wait, .started_ms = T0 + 10, .wake_ms = RUN_WAKE_NEVER}}));
}

static void park(struct fixture *f, const char *id, int64_t wake_ms)
{
    assert_true(apply(
        f, (struct store_event){
               .kind = STORE_EVENT_PARKED, .execution_id = id, .epoch = 1, .at_ms = T0 + 30, .wake_ms = wake_ms}));
}

static void add_child(struct fixture *f, const char *id, const char *flow_id, const char *parent_id, int64_t at_ms)
{
    tell_wait(f, parent_id, "2", NODE_WAITING);
    assert_ok(WITH(f, do_child, struct store_execution, .id = id, .flow_id = flow_id, .flow_version = 1,
                   .trigger = "flow", .priority = 1, .created_ms = T0 + at_ms, .wake_ms = T0 + at_ms,
                   .parent_id = parent_id, .parent_node_id = "2", .parent_iteration = "0", .parent_waits = true,
                   .depth = 1));
    (void)admit(f, at_ms);
}

static void expect_broken(struct fixture *f, const char *id)
{
    struct break_args args = {0};
    assert_ok(write_now(f, do_break, &args, &error_));
    assert_string_equal(args.id, id);
}

/* a holds the slot of F1 and waits for a child of F2, b the other way round. */
static void add_cycle(struct fixture *f)
{
    add_limited(f, "{'concurrency':1}");
    AUTO_JSON struct json *other = quoted("{'id':'" F2 "','name':'other','nodes':[],'connections':[],'settings':"
                                          "{'concurrencyKey':'one','concurrencyPerKey':1}}");
    assert_ok(WITH(f, do_flow_insert, struct flow_args, .document = other, .now_ms = T0));
    assert_false(start(f, "a", 1, 1, NULL));
    add_execution(f, "b", F2, T0 + 2);
    add_child(f, "of-a", F2, "a", 10);
    park(f, "a", RUN_WAKE_NEVER);
    expect_waiting(f, "of-a", "key");
}

static void breaks_a_cycle(void **state)
{
    struct fixture *f = *state;
    add_cycle(f);
    expect_broken(f, ""); /* b runs */
    add_child(f, "of-b", F1, "b", 11);
    expect_waiting(f, "of-b", "concurrency");
    expect_broken(f, ""); /* it may give up by itself */
    park(f, "b", RUN_WAKE_NEVER);
    expect_due(f, 400, "");
    expect_broken(f, "of-b"); /* it came last */
    AUTO_JSON struct json *failed = load_execution(f, "of-b");
    assert_string_equal(json_get_str(failed, "status"), "failed");
    assert_string_equal(json_get_str(failed, "errorCode"), "LIMIT_EXCEEDED");
    assert_non_null(strstr(json_get_str(failed, "errorMessage"), "waits, by itself or through others, for this one"));
    expect_due(f, 600, "b "); /* it is told */
    expect_broken(f, "");
    expect_waiting(f, "of-a", "key"); /* until b is over */
}

static void leaves_alone_who_may_go_on(void **state)
{
    struct fixture *f = *state;
    add_cycle(f);
    add_child(f, "of-b", F1, "b", 11);
    tell_wait(f, "b", "1", NODE_WAITING); /* for a signal, say */
    park(f, "b", RUN_WAKE_NEVER);
    expect_broken(f, "");
    tell_wait(f, "b", "1", NODE_SUCCEEDED);
    assert_ok(ON(f, do_pause, "a"));
    expect_broken(f, "");
    assert_ok(ON(f, do_resume, "a"));
    expect_broken(f, ""); /* it goes on at once, and comes back */
}

static void a_deadline_is_no_cycle(void **state)
{
    struct fixture *f = *state;
    add_cycle(f);
    add_child(f, "of-b", F1, "b", 11);
    park(f, "b", T0 + 3600000);
    expect_broken(f, "");
}

/* of-c waits for the same slot as of-a does, but nobody waits for c. */
static void breaks_no_bystander(void **state)
{
    struct fixture *f = *state;
    add_cycle(f);
    add_child(f, "of-b", F1, "b", 11);
    park(f, "b", RUN_WAKE_NEVER);
    add_flow(f, F3, "unlimited", T0);
    add_execution(f, "c", F3, T0 + 3);
    add_child(f, "of-c", F2, "c", 12);
    park(f, "c", RUN_WAKE_NEVER);
    expect_waiting(f, "of-c", "key");
    expect_broken(f, "of-b");
}

struct crowd {
    struct store *stores[STARTERS];
    atomic_int under_way, worst, ended;
    atomic_bool broken;
};
struct starter {
    struct crowd *crowd;
    int number;
    pthread_t thread;
};

static void enter(struct crowd *crowd)
{
    int now = atomic_fetch_add(&crowd->under_way, 1) + 1, worst = atomic_load(&crowd->worst);
    while (now > worst && !atomic_compare_exchange_weak(&crowd->worst, &worst, now)) {
    }
}

struct end_args {
    const char *id;
    int epoch;
};

static enum err write_end(struct store_session *s, void *arg, struct error *reterr)
{
    const struct end_args *args = arg;
    bool applied = false;
    struct store_finish end = {.status = RUN_SUCCESS, .started_ms = T0, .ended_ms = T0 + 5};
    struct store_event event = {
        .kind = STORE_EVENT_FINISHED, .execution_id = args->id, .epoch = args->epoch, .finish = &end};
    enum err code = store_event_apply(s, &event, &applied, reterr);
    return code == ERR_OK && !applied ? error_set(reterr, ERR_INTERNAL, "id", "the end of %s did not count", args->id)
                                      : code;
}

static enum err write_nothing(struct store_session *s, void *arg, struct error *reterr)
{
    (void)s;
    (void)arg;
    (void)reterr;
    return ERR_OK;
}

static void run(struct crowd *crowd, struct store *store, const char *id, int epoch)
{
    struct error error;
    struct end_args end = {.id = id, .epoch = epoch};
    enter(crowd);
    if (store_write(store, write_nothing, NULL, &error) != ERR_OK) /* it takes a while, so that others come along */
        atomic_store(&crowd->broken, true);
    atomic_fetch_sub(&crowd->under_way, 1);
    if (store_write(store, write_end, &end, &error) != ERR_OK)
        atomic_store(&crowd->broken, true);
    atomic_fetch_add(&crowd->ended, 1);
}

/* Whoever has the reassignment runs it: the epoch says whose it is. */
static void run_due(struct crowd *crowd, struct store *store)
{
    struct admit_args args = {.now_ms = T0 + 1000};
    struct store_session *s = NULL;
    struct error error;
    AUTO_JSON struct json *rows = NULL;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    if (store_write(store, do_admit, &args, &error) != ERR_OK || store_read_begin(store, &s, &error) != ERR_OK ||
        store_executions_due(s, T0 + 1000, 10, &rows, &error) != ERR_OK)
        atomic_store(&crowd->broken, true);
    if (s != NULL)
        store_read_end(store, s);
    for (size_t i = 0; i < json_count(rows); i++) {
        struct reassign_args reassign = {.id = json_get_str(json_at(rows, i), "id"), .epoch = 1, .arena = &arena};
        if (store_write(store, do_reassign, &reassign, &error) == ERR_OK)
            run(crowd, store, reassign.id, 2);
    }
}

static void *start_many(void *arg)
{
    struct starter *starter = arg;
    struct crowd *crowd = starter->crowd;
    struct store *store = crowd->stores[starter->number];
    for (int i = 0; i < EACH; i++) {
        char id[40];
        bool waits = false;
        struct error error;
        (void)snprintf(id, sizeof id, "s%d-%04d", starter->number, i);
        struct store_execution row = {.id = id,
                                      .flow_id = F1,
                                      .flow_version = 1,
                                      .trigger = "manual",
                                      .priority = 1,
                                      .created_ms = T0 + i,
                                      .ret_waits = &waits};
        if (store_write(store, do_execution_insert, &row, &error) != ERR_OK)
            atomic_store(&crowd->broken, true);
        else if (!waits)
            run(crowd, store, id, 1);
        run_due(crowd, store);
    }
    while (atomic_load(&crowd->ended) < STARTERS * EACH && !atomic_load(&crowd->broken))
        run_due(crowd, store);
    return NULL;
}

static void never_lets_too_many_in(void **state)
{
    struct fixture *f = *state;
    if (f->contract->manual)
        return;
    bool shared = strncmp(f->contract->url, "postgresql:", strlen("postgresql:")) == 0;
    struct crowd crowd = {0};
    struct starter starters[STARTERS];
    add_limited(f, "{'concurrency':2}");
    for (int i = 0; i < STARTERS; i++) { /* as several orchestrators, where the back end lets them */
        crowd.stores[i] = f->store;
        if (shared)
            assert_ok(store_open(f->contract->url, NULL, &crowd.stores[i], &error_));
    }
    for (int i = 0; i < STARTERS; i++) {
        starters[i] = (struct starter){.crowd = &crowd, .number = i};
        assert_int_equal(pthread_create(&starters[i].thread, NULL, start_many, &starters[i]), 0);
    }
    for (int i = 0; i < STARTERS; i++) {
        (void)pthread_join(starters[i].thread, NULL);
        if (shared)
            store_close(crowd.stores[i]);
    }
    assert_false(atomic_load(&crowd.broken));
    assert_int_equal(atomic_load(&crowd.ended), STARTERS * EACH);
    assert_in_range(atomic_load(&crowd.worst), 1, MOST);
}

const struct CMUnitTest store_contract_limits[] = {
    CONTRACT_TEST(holds_a_flow_back),
    CONTRACT_TEST(holds_a_key_back),
    CONTRACT_TEST(holds_a_rate_back),
    CONTRACT_TEST(keeps_the_order),
    CONTRACT_TEST(leaves_the_paused_alone),
    CONTRACT_TEST(obeys_the_published_limits),
    CONTRACT_TEST(delays_and_then_queues),
    CONTRACT_TEST(breaks_a_cycle),
    CONTRACT_TEST(leaves_alone_who_may_go_on),
    CONTRACT_TEST(a_deadline_is_no_cycle),
    CONTRACT_TEST(breaks_no_bystander),
    CONTRACT_TEST(never_lets_too_many_in),
    {0},
};
