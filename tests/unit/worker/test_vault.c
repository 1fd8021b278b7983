/* What a run gets of variables and secrets: scopes, memory, sealing. */
#include "base/mem.h"
#include "worker/vault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOW "11111111-0000-7000-8000-000000000001"
#define OTHER "11111111-0000-7000-8000-000000000002"
#define NOW INT64_C(1700000000000)
#define WORD "0123456789abcdef0123456789abcdef"
#define NEW_WORD "fedcba9876543210fedcba9876543210"

struct fixture {
    struct store *store;
    struct vault *vault;
};

static struct seal_ring ring_of(const char *first, const char *second)
{
    struct seal_ring ring = {0};
    struct error error;
    assert_int_equal(seal_ring_add(&ring, first, strlen(first), &error), ERR_OK);
    if (second != NULL)
        assert_int_equal(seal_ring_add(&ring, second, strlen(second), &error), ERR_OK);
    return ring;
}

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    struct error error;
    struct seal_ring ring = ring_of(WORD, NULL);
    if (store_open("sqlite::memory:", &(struct store_options){.manual = true}, &f->store, &error) != ERR_OK)
        return -1;
    f->vault = vault_new(f->store, &ring);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    vault_free(f->vault);
    store_close(f->store);
    free(f);
    return 0;
}

struct put {
    enum store_table table;
    const char *id;
    const struct json *document;
};

static enum err put(struct store_session *session, void *arg, struct error *reterr)
{
    const struct put *p = arg;
    return p->document == NULL ? store_remove(session, p->table, p->id, reterr)
                               : store_put(session, p->table, p->id, p->document, NOW, reterr);
}

static void on_done(void *user, enum err code, const struct error *error)
{
    (void)user;
    if (code != ERR_OK)
        fail_msg("%s", error->message);
}

static struct json *document_of(const char *flow_id, const char *name)
{
    struct json *document = json_object_new();
    json_set_str(document, "name", name);
    json_set_str(document, "flowId", flow_id);
    return document;
}

static void store_document(struct fixture *f, enum store_table table, const char *flow_id, const char *name,
                           const struct json *document)
{
    AUTO_ARENA struct arena arena = {0};
    struct put p = {.table = table, .id = vault_id(&arena, flow_id, name), .document = document};
    store_write_async(f->store, put, &p, on_done, NULL);
    while (store_pump(f->store) > 0)
        ;
}

static void set_variable(struct fixture *f, const char *flow_id, const char *name, const char *value)
{
    AUTO_JSON struct json *document = document_of(flow_id, name);
    json_set_str(document, "value", value);
    store_document(f, STORE_VARIABLES, flow_id, name, document);
}

static void set_secret(struct fixture *f, const char *flow_id, const char *name, const char *value)
{
    AUTO_JSON struct json *document = document_of(flow_id, name);
    struct error error;
    assert_int_equal(vault_seal(f->vault, document, value, strlen(value), &error), ERR_OK);
    store_document(f, STORE_SECRETS, flow_id, name, document);
}

/* NULL: there is none. */
static void expect_variable(struct fixture *f, const char *flow_id, const char *name, int64_t now_ms,
                            const char *expected)
{
    AUTO_JSON struct json *value = NULL;
    struct error error = {0};
    enum err code = vault_variable(f->vault, flow_id, name, now_ms, &value, &error);
    assert_int_equal(code, expected == NULL ? ERR_NOT_FOUND : ERR_OK);
    if (expected == NULL)
        assert_non_null(strstr(error.message, name));
    else
        assert_string_equal(json_as_str(value), expected);
}

static void expect_secret(struct vault *vault, const char *flow_id, const char *name, int64_t now_ms,
                          enum err expected_code, const char *expected)
{
    AUTO_BUF struct buf value = {0};
    struct error error = {0};
    enum err code = vault_secret(vault, flow_id, name, now_ms, &value, &error);
    if (code != expected_code)
        fail_msg("%s: %s", name, error.message);
    if (code == ERR_OK)
        assert_string_equal(buf_str(&value), expected);
    else
        assert_non_null(strstr(error.message, name));
}

static void a_flows_own_hide_global_ones(void **state)
{
    struct fixture *f = *state;
    set_variable(f, NULL, "A", "global a");
    set_variable(f, NULL, "B", "global b");
    set_variable(f, FLOW, "B", "own b");
    set_secret(f, NULL, "A", "global secret");
    set_secret(f, FLOW, "A", "own secret");
    expect_variable(f, FLOW, "A", NOW, "global a");
    expect_variable(f, FLOW, "B", NOW, "own b");
    expect_variable(f, OTHER, "B", NOW, "global b");
    expect_variable(f, FLOW, "C", NOW, NULL);
    expect_variable(f, FLOW, "not/a-name", NOW, NULL);
    expect_secret(f->vault, FLOW, "A", NOW, ERR_OK, "own secret");
    expect_secret(f->vault, OTHER, "A", NOW, ERR_OK, "global secret");
    expect_secret(f->vault, OTHER, "B", NOW, ERR_NOT_FOUND, NULL);
    AUTO_JSON struct json *all = NULL;
    struct error error;
    assert_int_equal(vault_variables(f->vault, FLOW, NOW, &all, &error), ERR_OK);
    AUTO_FREE char *text = json_dup_text(all);
    assert_string_equal(text, "{\"A\":\"global a\",\"B\":\"own b\"}");
    AUTO_JSON struct json *global = NULL;
    assert_int_equal(vault_variables(f->vault, NULL, NOW, &global, &error), ERR_OK);
    AUTO_FREE char *global_text = json_dup_text(global);
    assert_string_equal(global_text, "{\"A\":\"global a\",\"B\":\"global b\"}");
    expect_variable(f, NULL, "B", NOW, "global b");
    expect_secret(f->vault, NULL, "A", NOW, ERR_OK, "global secret");
}

static void remembers_for_a_moment(void **state)
{
    struct fixture *f = *state;
    set_variable(f, NULL, "A", "one");
    expect_variable(f, FLOW, "A", NOW, "one");
    expect_variable(f, FLOW, "NEW", NOW, NULL);
    set_variable(f, NULL, "A", "two");
    set_variable(f, NULL, "NEW", "new");
    expect_variable(f, FLOW, "A", NOW + VAULT_MEMORY_MS - 1, "one");
    expect_variable(f, FLOW, "NEW", NOW + VAULT_MEMORY_MS - 1, NULL);
    expect_variable(f, FLOW, "A", NOW + VAULT_MEMORY_MS, "two");
    expect_variable(f, FLOW, "NEW", NOW + VAULT_MEMORY_MS, "new");
    store_document(f, STORE_VARIABLES, NULL, "A", NULL);
    vault_forget(f->vault);
    expect_variable(f, FLOW, "A", NOW + VAULT_MEMORY_MS, NULL);
}

static void remembers_only_so_much(void **state)
{
    struct fixture *f = *state;
    set_variable(f, NULL, "A", "one");
    for (int i = 0; i < 10000; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "N%d", i);
        expect_variable(f, FLOW, name, NOW, NULL);
    }
    expect_variable(f, FLOW, "A", NOW, "one");
}

/* Somebody who can write to the database cannot let one flow read the secret of another. */
static void a_secret_opens_in_its_place_only(void **state)
{
    struct fixture *f = *state;
    AUTO_JSON struct json *document = document_of(OTHER, "A");
    struct error error;
    assert_int_equal(vault_seal(f->vault, document, "of the other", 12, &error), ERR_OK);
    json_set_str(document, "flowId", FLOW);
    store_document(f, STORE_SECRETS, FLOW, "A", document);
    expect_secret(f->vault, FLOW, "A", NOW, ERR_UNPROCESSABLE, NULL);
    assert_false(vault_is_readable(f->vault, document));
}

static void keys_are_changed(void **state)
{
    struct fixture *f = *state;
    struct seal_ring both = ring_of(NEW_WORD, WORD), new_only = ring_of(NEW_WORD, NULL), none = {0};
    struct vault *changing = vault_new(f->store, &both), *changed = vault_new(f->store, &new_only),
                 *keyless = vault_new(f->store, &none);
    struct vault_survey survey;
    struct error error;
    AUTO_JSON struct json *document = document_of(NULL, "A");
    assert_int_equal(vault_seal(f->vault, document, "value of a", 10, &error), ERR_OK);
    store_document(f, STORE_SECRETS, NULL, "A", document);
    set_secret(f, FLOW, "B", "value of b");
    assert_int_equal(vault_survey(changing, &survey, &error), ERR_OK);
    assert_int_equal(survey.secrets, 2);
    assert_int_equal(survey.readable, 2);
    assert_int_equal(survey.current, 0);
    expect_secret(changing, FLOW, "A", NOW, ERR_OK, "value of a");
    expect_secret(changed, FLOW, "A", NOW, ERR_UNPROCESSABLE, NULL);
    assert_int_equal(vault_reseal(changed, document, &error), ERR_UNPROCESSABLE);
    assert_int_equal(vault_reseal(changing, document, &error), ERR_OK);
    store_document(f, STORE_SECRETS, NULL, "A", document);
    vault_forget(changed);
    expect_secret(changed, FLOW, "A", NOW, ERR_OK, "value of a");
    assert_int_equal(vault_survey(changed, &survey, &error), ERR_OK);
    assert_int_equal(survey.readable, 1);
    assert_int_equal(survey.current, 1);
    assert_int_equal(vault_has_key(keyless, &error), ERR_UNPROCESSABLE);
    assert_non_null(strstr(error.message, "caudal secret key"));
    assert_int_equal(vault_seal(keyless, document, "x", 1, &error), ERR_UNPROCESSABLE);
    expect_secret(keyless, FLOW, "A", NOW, ERR_UNPROCESSABLE, NULL);
    vault_free(changing);
    vault_free(changed);
    vault_free(keyless);
}

static void surveys_in_portions(void **state)
{
    struct fixture *f = *state;
    struct vault_survey survey;
    struct error error;
    for (int i = 0; i < 1203; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "S%d", i);
        set_secret(f, i % 2 == 0 ? NULL : FLOW, name, "a value of it");
    }
    assert_int_equal(vault_survey(f->vault, &survey, &error), ERR_OK);
    assert_int_equal(survey.secrets, 1203);
    assert_int_equal(survey.readable, 1203);
    assert_int_equal(survey.current, 1203);
}

static void knows_names(void **state)
{
    (void)state;
    static const char *const good[] = {"A", "_a", "a1_B",
                                       "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"};
    static const char *const bad[] = {"",
                                      "1a",
                                      "a-b",
                                      "a.b",
                                      "a/b",
                                      "\xc3\xa9",
                                      "constructor",
                                      "__proto__",
                                      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggh"};
    struct error error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(vault_check_name(good[i], &error), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vault_check_name(bad[i], &error), ERR_VALIDATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flows_own_hide_global_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(remembers_for_a_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(remembers_only_so_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_secret_opens_in_its_place_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(surveys_in_portions, set_up, tear_down),
        cmocka_unit_test(knows_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
