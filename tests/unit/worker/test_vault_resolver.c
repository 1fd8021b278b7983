/* Look-ups for a worker's nodes: at once when remembered, later otherwise, never when nobody waits any more. */
#include "base/loop.h"
#include "base/mem.h"
#include "worker/vault_resolver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOW "11111111-0000-7000-8000-000000000001"
#define WORD "0123456789abcdef0123456789abcdef"

struct fixture {
    struct store *store;
    struct vault *vault;
    struct loop *loop;
    struct vault_resolver *own;
    const struct resolver *resolver;
    /* the last answer */
    unsigned answers;
    bool runs; /* the loop */
    struct error error;
    char *variables, *secrets;
};

static enum err put(struct store_session *session, void *arg, struct error *reterr)
{
    struct fixture *f = arg;
    AUTO_JSON struct json *variable = json_object_new(), *secret = json_object_new(), *foreign = json_object_new();
    json_set_str(variable, "name", "V");
    json_set_int(variable, "value", 7);
    json_set_str(secret, "name", "S");
    json_set_str(foreign, "name", "OTHER");
    enum err code = vault_seal(f->vault, secret, "a value of it", 13, reterr);
    if (code == ERR_OK)
        code = vault_seal(f->vault, foreign, "a value of it", 13, reterr);
    json_set_str(foreign, "name", "UNREADABLE"); /* it was sealed for another place */
    if (code == ERR_OK)
        code = store_put(session, STORE_VARIABLES, "global/V", variable, 1, reterr);
    if (code == ERR_OK)
        code = store_put(session, STORE_SECRETS, "global/S", secret, 1, reterr);
    return code == ERR_OK ? store_put(session, STORE_SECRETS, "global/UNREADABLE", foreign, 1, reterr) : code;
}

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    struct seal_ring ring = {0};
    struct error error;
    if (store_open("sqlite::memory:", &(struct store_options){0}, &f->store, &error) != ERR_OK ||
        seal_ring_add(&ring, WORD, strlen(WORD), &error) != ERR_OK)
        return -1;
    f->vault = vault_new(f->store, &ring);
    f->loop = loop_new();
    f->own = vault_resolver_new(f->vault, f->loop);
    f->resolver = vault_resolver_get(f->own);
    *state = f;
    return store_write(f->store, put, f, &error) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    vault_resolver_free(f->own);
    loop_free(f->loop);
    vault_free(f->vault);
    store_close(f->store);
    free(f->variables);
    free(f->secrets);
    free(f);
    return 0;
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct fixture *f = user;
    f->answers++;
    f->error = answer->error;
    free(f->variables);
    free(f->secrets);
    f->variables = json_dup_text(answer->variables);
    f->secrets = json_dup_text(answer->secrets);
    if (f->runs)
        loop_stop(f->loop);
}

static void wait_for_answer(struct fixture *f)
{
    f->runs = true;
    loop_run(f->loop);
    f->runs = false;
}

/* What start() returned. */
static void *ask(struct fixture *f, bool variables, const char *first, const char *second)
{
    AUTO_JSON struct json *names = json_object_new();
    if (first != NULL)
        json_set_bool(names, first, true);
    if (second != NULL)
        json_set_bool(names, second, true);
    return f->resolver->start(
        f->resolver->user,
        &(struct resolver_request){.flow_id = FLOW, .variables = variables, .secrets = first == NULL ? NULL : names},
        on_answer, f);
}

static void answers_later_and_then_at_once(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 1; round <= 2; round++) {
        assert_non_null(ask(f, true, "S", "NONE"));
        wait_for_answer(f);
        assert_int_equal(f->answers, 2 * round - 1);
        assert_int_equal(f->error.code, ERR_OK);
        assert_string_equal(f->variables, "{\"V\":7}");
        assert_string_equal(f->secrets, "{\"S\":\"a value of it\"}");
        assert_null(ask(f, true, "S", "NONE"));
        assert_int_equal(f->answers, 2 * round);
        assert_string_equal(f->secrets, "{\"S\":\"a value of it\"}");
        f->resolver->forget(f->resolver->user);
    }
}

static void gives_what_there_is_beside_an_error(void **state)
{
    struct fixture *f = *state;
    assert_non_null(ask(f, false, "S", "UNREADABLE"));
    wait_for_answer(f);
    assert_int_equal(f->error.code, ERR_UNPROCESSABLE);
    assert_non_null(strstr(f->error.message, "UNREADABLE"));
    assert_string_equal(f->secrets, "{\"S\":\"a value of it\"}");
    assert_string_equal(f->variables, "null");
}

static void never_answers_who_left(void **state)
{
    struct fixture *f = *state;
    void *started = ask(f, true, NULL, NULL);
    assert_non_null(started);
    f->resolver->abort(f->resolver->user, started);
    assert_non_null(ask(f, false, "S", NULL)); /* behind it, on the same thread */
    wait_for_answer(f);
    assert_int_equal(f->answers, 1);
    assert_string_equal(f->variables, "null");
}

static void ends_with_lookups_under_way(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "NONE%d", i);
        assert_non_null(ask(f, true, name, NULL));
    }
    assert_int_equal(f->answers, 0); /* the rest is tear_down's and the sanitizer's */
}

static void *read_often(void *user)
{
    struct fixture *f = user;
    for (int i = 0; i < 300; i++) {
        AUTO_JSON struct json *value = NULL;
        AUTO_BUF struct buf secret = {0};
        struct error error;
        if (vault_variable(f->vault, FLOW, "V", 1, &value, &error) != ERR_OK || json_as_int(value) != 7 ||
            vault_secret(f->vault, FLOW, "S", 1, &secret, &error) != ERR_OK)
            abort();
        if (i % 50 == 0)
            vault_forget(f->vault);
    }
    return NULL;
}

static void threads_share_a_vault(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, f), 0);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_later_and_then_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gives_what_there_is_beside_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_answers_who_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_with_lookups_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_share_a_vault, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
