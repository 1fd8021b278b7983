/* The store's contract: transactions, group commit, faults. */
#include "support/store_contract/fixture.h"

#include <semaphore.h>

/* ---- transactions */

static enum err insert_two_and_fail(struct store_session *s, void *arg, struct error *reterr)
{
    const char *ids[] = {E1, E2};
    for (size_t i = 0; i < 2; i++) {
        struct store_execution row = {
            .id = ids[i], .flow_id = arg, .flow_version = 1, .trigger = "api", .created_ms = T0};
        enum err code = store_execution_insert(s, &row, reterr);
        if (code != ERR_OK)
            return code;
    }
    return error_set(reterr, ERR_UNPROCESSABLE, "x", "changed its mind");
}

static void undoes_a_failed_write(void **state)
{
    struct fixture *f = *state;
    add_flow(f, F1, "orders", T0);
    assert_int_equal(write_now(f, insert_two_and_fail, F1, &error_), ERR_UNPROCESSABLE);
    assert_string_equal(error_.message, "changed its mind");
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
}

static void refuses_writes_on_a_read_session(void **state)
{
    struct fixture *f = *state;
    READ(f, s);
    AUTO_JSON struct json *flow = quoted("{'id':'x','name':'n','nodes':[],'connections':[]}");
    assert_int_equal(store_flow_insert(s, flow, T0, &error_), ERR_INTERNAL);
    store_read_end(f->store, s);
    assert_int_equal(list_total(f, store_flow_list, "{}"), 0);
}

static void refuses_unknown_urls(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "mysql:x", "sqlite", "sqlite:"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct store *store = NULL;
        assert_int_equal(store_open(urls[i], NULL, &store, &error_), ERR_VALIDATION);
        assert_null(store);
    }
}

/* ---- group commit, step by step: manual mode */

enum { MEMBERS_MAX = 16 };

/* One write of a batch and what became of it. */
struct member {
    struct store_execution row;
    char id[16];
    int runs;        /* how often the function ran */
    int answers;     /* how often `done` was called */
    int order;       /* the how-manieth answer of all it was */
    int *answered;   /* shared counter */
    enum err wanted; /* what the function returns after its insert */
    bool mute;       /* … without a word in reterr */
    enum err code;
    struct error error;
};

static enum err run_member(struct store_session *s, void *arg, struct error *reterr)
{
    struct member *m = arg;
    m->runs++;
    enum err code = store_execution_insert(s, &m->row, reterr);
    if (code != ERR_OK || m->wanted == ERR_OK)
        return code;
    return m->mute ? m->wanted : error_set(reterr, m->wanted, "member", "%s changed its mind", m->id);
}

static void on_member_done(void *user, enum err code, const struct error *error)
{
    struct member *m = user;
    m->answers++;
    m->order = (*m->answered)++;
    m->code = code;
    if (error != NULL)
        m->error = *error;
}

static void reopen(struct fixture *f, const struct store_options *options)
{
    store_close(f->store);
    f->store = NULL;
    assert_ok(store_open(f->contract->url, options, &f->store, &error_));
}

/* An empty store with one flow. */
static void open_manual(struct fixture *f, size_t max_batch)
{
    store_close(f->store);
    f->store = NULL;
    f->contract->reset(f->contract->url);
    assert_ok(store_open(f->contract->url, &(struct store_options){.manual = true, .max_batch = max_batch}, &f->store,
                         &error_));
    add_flow(f, F1, "orders", T0);
}

static void queue(struct fixture *f, struct member *members, size_t count, int *answered)
{
    for (size_t i = 0; i < count; i++) {
        struct member *m = &members[i];
        (void)snprintf(m->id, sizeof m->id, "e%02zu", i);
        m->row =
            (struct store_execution){.id = m->id, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0};
        m->answered = answered;
        store_write_async(f->store, run_member, m, on_member_done, m);
    }
}

static void commits_what_waits_together(void **state)
{
    struct fixture *f = *state;
    struct member members[10] = {0};
    struct store_stats before, after;
    int answered = 0;
    open_manual(f, 4);
    store_stats(f->store, &before);
    queue(f, members, 10, &answered);
    assert_int_equal(store_pending(f->store), 10);
    assert_int_equal(answered, 0);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
    static const size_t pumped[] = {4, 4, 2, 0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(store_pump(f->store), pumped[i]);
    assert_int_equal(store_pending(f->store), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(members[i].answers, 1);
        assert_int_equal(members[i].order, i); /* in the order they were asked for */
        assert_int_equal(members[i].runs, 1);
        assert_int_equal(members[i].code, ERR_OK);
    }
    store_stats(f->store, &after);
    assert_int_equal(after.commits - before.commits, 3);
    assert_int_equal(after.writes - before.writes, 10);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 10);
}

static void undoes_a_failing_member_alone(void **state)
{
    struct fixture *f = *state;
    static const unsigned failing_sets[] = {1u << 0, 1u << 2, 1u << 4, 1u << 1 | 1u << 2, 31u};
    for (size_t set = 0; set < sizeof failing_sets / sizeof *failing_sets; set++) {
        struct member members[5] = {0};
        int answered = 0, good = 0;
        open_manual(f, 0);
        for (int i = 0; i < 5; i++)
            members[i].wanted = failing_sets[set] >> i & 1 ? ERR_UNPROCESSABLE : ERR_OK;
        members[2].mute = true;
        queue(f, members, 5, &answered);
        assert_int_equal(store_pump(f->store), 5);
        for (int i = 0; i < 5; i++) {
            bool fails = failing_sets[set] >> i & 1;
            good += !fails;
            assert_int_equal(members[i].answers, 1);
            assert_int_equal(members[i].code, fails ? ERR_UNPROCESSABLE : ERR_OK);
            if (fails && i != 2)
                assert_non_null(strstr(members[i].error.message, members[i].id)); /* its own error, not a neighbour's */
            if (fails)
                assert_int_equal(members[i].error.code, ERR_UNPROCESSABLE);
            AUTO_JSON struct json *row = NULL;
            READ(f, s);
            assert_int_equal(store_execution_load(s, members[i].id, &row, &error_), fails ? ERR_NOT_FOUND : ERR_OK);
            store_read_end(f->store, s);
        }
        assert_int_equal(list_total(f, store_execution_list, "{}"), good);
    }
}

/* Gives the faults of a list, one a commit, then none. */
struct faults {
    enum store_fault next;
    int asked;
};

static enum store_fault on_commit(void *user)
{
    struct faults *faults = user;
    enum store_fault fault = faults->next;
    faults->next = STORE_FAULT_NONE;
    faults->asked++;
    return fault;
}

static void answers_a_faulty_commit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum store_fault fault;
        enum err code;
        bool stored;
    } cases[] = {{STORE_FAULT_NONE, ERR_OK, true},
                 {STORE_FAULT_FAIL, ERR_STORE_BUSY, false},
                 {STORE_FAULT_FULL, ERR_STORE_FULL, false},
                 {STORE_FAULT_UNKNOWN_COMMITTED, ERR_STORE_UNKNOWN, true},
                 {STORE_FAULT_UNKNOWN_LOST, ERR_STORE_UNKNOWN, false}};
    static const size_t sizes[] = {1, 3};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < 2; k++) {
            struct member members[3] = {0};
            struct faults faults = {.next = cases[i].fault};
            struct store_stats before, after;
            int answered = 0;
            open_manual(f, 0);
            store_stats(f->store, &before);
            store_set_fault_hook(f->store, on_commit, &faults);
            queue(f, members, sizes[k], &answered);
            assert_int_equal(store_pump(f->store), sizes[k]);
            assert_int_equal(faults.asked, 1);
            for (size_t m = 0; m < sizes[k]; m++) {
                assert_int_equal(members[m].code, cases[i].code);
                assert_int_equal(members[m].error.code, cases[i].code);
            }
            assert_int_equal(list_total(f, store_execution_list, "{}"), cases[i].stored ? sizes[k] : 0);
            store_stats(f->store, &after);
            assert_int_equal(after.failed_commits - before.failed_commits, cases[i].fault == STORE_FAULT_NONE ? 0 : 1);
            /* Asked again, what was lost goes in, and what was not is found to be there. */
            queue(f, members, sizes[k], &answered);
            assert_int_equal(store_pump(f->store), sizes[k]);
            for (size_t m = 0; m < sizes[k]; m++)
                assert_int_equal(members[m].code, cases[i].stored ? ERR_CONFLICT : ERR_OK);
            assert_int_equal(list_total(f, store_execution_list, "{}"), sizes[k]);
            store_set_fault_hook(f->store, NULL, NULL);
        }
}

static void keeps_a_members_own_error_in_a_faulty_commit(void **state)
{
    struct fixture *f = *state;
    struct member members[3] = {[1] = {.wanted = ERR_UNPROCESSABLE}};
    struct faults faults = {.next = STORE_FAULT_UNKNOWN_LOST};
    int answered = 0;
    open_manual(f, 0);
    store_set_fault_hook(f->store, on_commit, &faults);
    queue(f, members, 3, &answered);
    assert_int_equal(store_pump(f->store), 3);
    assert_int_equal(members[0].code, ERR_STORE_UNKNOWN);
    assert_int_equal(members[1].code, ERR_UNPROCESSABLE);
    assert_int_equal(members[2].code, ERR_STORE_UNKNOWN);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 0);
}

static void waits_in_manual_mode_by_pumping(void **state)
{
    struct fixture *f = *state;
    struct member members[3] = {0};
    int answered = 0;
    open_manual(f, 0);
    queue(f, members, 3, &answered);
    add_execution(f, E1, F1, T0); /* takes those before it along */
    assert_int_equal(answered, 3);
    assert_int_equal(list_total(f, store_execution_list, "{}"), 4);
}

/* ---- a chain: each answer asks for the next write, on the writer's thread */

struct chain {
    struct store *store;
    struct member members[MEMBERS_MAX];
    int answered, next;
    sem_t finished;
};

static void on_link_done(void *user, enum err code, const struct error *error)
{
    struct chain *chain = user;
    on_member_done(&chain->members[chain->next], code, error);
    if (++chain->next == MEMBERS_MAX)
        sem_post(&chain->finished);
    else
        store_write_async(chain->store, run_member, &chain->members[chain->next], on_link_done, chain);
}

static void takes_writes_from_an_answer(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.store = f->store};
    sem_init(&chain.finished, 0, 0);
    add_flow(f, F1, "orders", T0);
    for (int i = 0; i < MEMBERS_MAX; i++) {
        struct member *m = &chain.members[i];
        (void)snprintf(m->id, sizeof m->id, "e%02d", i);
        m->row =
            (struct store_execution){.id = m->id, .flow_id = F1, .flow_version = 1, .trigger = "api", .created_ms = T0};
        m->answered = &chain.answered;
    }
    store_write_async(f->store, run_member, &chain.members[0], on_link_done, &chain);
    while (f->contract->manual && store_pump(f->store) > 0) {
    }
    while (sem_wait(&chain.finished) != 0) {
    }
    sem_destroy(&chain.finished);
    for (int i = 0; i < MEMBERS_MAX; i++)
        assert_int_equal(chain.members[i].code, ERR_OK);
    assert_int_equal(list_total(f, store_execution_list, "{}"), MEMBERS_MAX);
}

static void finishes_what_waits_before_it_closes(void **state)
{
    struct fixture *f = *state;
    struct member members[MEMBERS_MAX] = {0};
    struct store_options options = {.manual = f->contract->manual, .max_batch = 3};
    int answered = 0;
    reopen(f, &options);
    add_flow(f, F1, "orders", T0);
    queue(f, members, MEMBERS_MAX, &answered);
    reopen(f, &options);
    assert_int_equal(answered, MEMBERS_MAX);
    for (int i = 0; i < MEMBERS_MAX; i++)
        assert_int_equal(members[i].code, ERR_OK);
    assert_int_equal(list_total(f, store_execution_list, "{}"), f->contract->lasting ? MEMBERS_MAX : 0);
}

struct start_step {
    struct json *change; /* of the flow; NULL: asks what a start needs to know */
    struct store_flow_start flow;
    enum err code;
};

static enum err run_start_step(struct store_session *s, void *arg, struct error *reterr)
{
    struct start_step *step = arg;
    return step->change != NULL ? store_flow_update(s, F1, step->change, T0, reterr)
                                : store_flow_start(s, F1, false, &step->flow, reterr);
}

static void on_start_step(void *user, enum err code, const struct error *error)
{
    (void)error;
    ((struct start_step *)user)->code = code;
}

/* Starts that are written together know what was written between them. */
static void tells_starts_of_changes_before_them(void **state)
{
    struct fixture *f = *state;
    AUTO_JSON struct json *change = quoted("{'settings':{'concurrency':3,'priority':'high'}}");
    struct start_step steps[] = {{0}, {0}, {.change = change}, {0}, {0}};
    open_manual(f, 0);
    for (int i = 0; i < 5; i++)
        store_write_async(f->store, run_start_step, &steps[i], on_start_step, &steps[i]);
    assert_int_equal(store_pump(f->store), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(steps[i].code, ERR_OK);
        if (i == 2)
            continue;
        assert_int_equal(steps[i].flow.version, i < 2 ? 1 : 2);
        assert_int_equal(steps[i].flow.priority, i < 2 ? 1 : 2);
        assert_int_equal(steps[i].flow.limited, i > 2);
    }
}

static void reads_one_snapshot(void **state)
{
    struct fixture *f = *state;
    if (f->contract->manual)
        return; /* one connection: a read sees what is committed */
    AUTO_JSON struct json *filter = quoted("{}"), *first = NULL, *second = NULL;
    add_flow(f, F1, "orders", T0);
    READ(f, s);
    assert_ok(store_execution_list(s, filter, &first, &error_));
    add_execution(f, E1, F1, T0);
    assert_ok(store_execution_list(s, filter, &second, &error_));
    assert_true(json_equal(first, second));
    assert_int_equal(list_total(f, store_execution_list, "{}"), 1);
    store_read_end(f->store, s);
}

const struct CMUnitTest store_contract_commit[] = {
    CONTRACT_TEST(undoes_a_failed_write),
    CONTRACT_TEST(refuses_writes_on_a_read_session),
    CONTRACT_TEST(refuses_unknown_urls),
    CONTRACT_TEST(commits_what_waits_together),
    CONTRACT_TEST(undoes_a_failing_member_alone),
    CONTRACT_TEST(answers_a_faulty_commit),
    CONTRACT_TEST(keeps_a_members_own_error_in_a_faulty_commit),
    CONTRACT_TEST(waits_in_manual_mode_by_pumping),
    CONTRACT_TEST(takes_writes_from_an_answer),
    CONTRACT_TEST(finishes_what_waits_before_it_closes),
    CONTRACT_TEST(tells_starts_of_changes_before_them),
    CONTRACT_TEST(reads_one_snapshot),
    {0},
};
