/* Threads that wait for JavaScript. */
#include "base/mem.h"
#include "script/desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define CALLS 20

static struct script_desk *desk;

static int setup(void **state)
{
    (void)state;
    const char *program = getenv("CAUDAL_PROGRAM"); /* set by ctest */
    if (program == NULL)
        return -1; /* a test program cannot be its own runner */
    desk = script_desk_new(
        &(struct script_options){.program = program, .runners = 2, .timeout_ms = 2000, .memory_mb = 64});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    script_desk_free(desk);
    return 0;
}

/* The answer to one expression, or the error's text. */
static char *ask(const char *source)
{
    AUTO_JSON struct json *program = json_array_new();
    AUTO_JSON struct json *result = NULL;
    struct error error = {0};
    json_push(program, json_string_new(source));
    AUTO_FREE char *text = json_dup_text(program);
    const struct script_request request = {.kind = SCRIPT_EXPRESSIONS,
                                           .realm = "",
                                           .program = text,
                                           .program_bytes = strlen(text),
                                           .data = "{\"now\":0}",
                                           .data_bytes = 9};
    if (script_desk_ask(desk, &request, &result, NULL, &error) != ERR_OK)
        return mem_dup(error.message);
    return json_dup_text(json_at(result, 0));
}

static void *asking(void *user)
{
    size_t number = *(size_t *)user, *wrong = user;
    *wrong = 0;
    for (size_t i = 0; i < CALLS; i++) {
        AUTO_FREE char *source = mem_printf("%zu * 1000 + %zu", number, i);
        AUTO_FREE char *expected = mem_printf("{\"v\":%zu}", number * 1000 + i);
        AUTO_FREE char *given = ask(source);
        *wrong += strcmp(given, expected) != 0;
    }
    return NULL;
}

static void test_several_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, asking, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(numbers[i], 0);
    }
}

static void test_an_error_is_for_who_asked(void **state)
{
    (void)state;
    AUTO_FREE char *stuck = ask("(() => { for (;;); })()");
    AUTO_FREE char *good = ask("'a' + 1");
    assert_string_equal(stuck, "The script took longer than 2000 ms.");
    assert_string_equal(good, "{\"v\":\"a1\"}");
}

static void test_never_used(void **state)
{
    (void)state;
    script_desk_free(script_desk_new(&(struct script_options){.runners = 1, .timeout_ms = 10, .memory_mb = 64}));
    script_desk_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_several_threads),
                                       cmocka_unit_test(test_an_error_is_for_who_asked),
                                       cmocka_unit_test(test_never_used)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
