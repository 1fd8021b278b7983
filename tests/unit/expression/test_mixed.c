/* Where expressions begin and end in a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "expression/mixed.h"
#include <string.h>

/* The parts as text: 'plain' and <expression>. */
static void assert_parts(const char *text, const char *expected)
{
    struct arena arena;
    struct mixed mixed;
    struct error error = {0};
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    arena_init(&arena);
    if (mixed_parse(text, strlen(text), &arena, &mixed, &error) != ERR_OK) {
        buf_add_str(&out, error.message);
        assert_int_equal(error.code, ERR_VALIDATION);
    } else {
        for (unsigned i = 0; i < mixed.count; i++)
            buf_printf(&out, mixed.parts[i].is_expression ? "<%s>" : "'%s'", mixed.parts[i].text);
        assert_int_equal(mixed.is_whole, out.len > 0 && mixed.count == 1 && mixed.expressions == 1);
    }
    assert_string_equal(buf_str(&out), expected);
    arena_done(&arena);
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"{{ a }}", "<a>"},
        {"{{a}}{{b}}", "<a><b>"},
        {"Hello {{ a.b }}!", "'Hello '<a.b>'!'"},
        {"{ {a} }", "'{ {a} }'"},
        {"\\{{ a }}", "'{{ a }}'"},
        {"\\\\{{ a }}", "'\\'<a>"},
        {"x\\{{ {{ a }}", "'x{{ '<a>"},
        {"{{ {a: {b: 1}} }}", "<{a: {b: 1}}>"},
        {"{{ {a:{b:1}}}}", "<{a:{b:1}}>"},
        {"{{ '}}' }}", "<'}}'>"},
        {"{{ \"\\\"}}\" }}", "<\"\\\"}}\">"},
        {"{{ `a ${ {x: `}}`} } }}` }}", "<`a ${ {x: `}}`} } }}`>"},
        {"{{ a /* }} */ }}", "<a /* }} */>"},
        {"{{ a // }}\n }}", "<a // }}>"},
        {"{{ a.replace(/}}/g, '') }}", "<a.replace(/}}/g, '')>"},
        {"{{ /[/}}]}}/.test(a) }}", "</[/}}]}}/.test(a)>"},
        {"{{ a / b }} / {{ c }}", "<a / b>' / '<c>"},
        {"{{ f(a) / 2 }}{{ '/' }}", "<f(a) / 2><'/'>"},
        {"{{ return_ / 2 }}x/", "<return_ / 2>'x/'"},
        {"{{ x => { return /}}/ } }}", "<x => { return /}}/ }>"},
        {"{{ a", "The expression {{ a has no closing }}; for two plain braces write \\{{."},
        {"{{ '}}", "The expression {{ '}} has no closing }}; for two plain braces write \\{{."},
        {"{{  }}", "An expression is empty: write JavaScript between {{ and }}, or \\{{ for plain braces."},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_parts(cases[i].text, cases[i].expected);
}

static void test_limit(void **state)
{
    (void)state;
    struct buf text;
    struct arena arena;
    struct mixed mixed;
    struct error error;
    buf_init(&text, 0);
    arena_init(&arena);
    buf_add_str(&text, "{{ ");
    for (int i = 0; i < 5000; i++)
        buf_add_str(&text, "a + ");
    buf_add_str(&text, "a }}");
    assert_int_equal(mixed_parse(text.data, text.len, &arena, &mixed, &error), ERR_VALIDATION);
    assert_non_null(strstr(error.message, "at most 16384"));
    arena_done(&arena);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
