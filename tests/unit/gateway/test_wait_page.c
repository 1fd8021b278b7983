/* The page of a wait for a person: languages, what a form may hold, escaping. */
#include "gateway/wait_page.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    if (json_parse(text, strlen(text), &value, NULL) != ERR_OK)
        fail_msg("broken JSON in a test: %s", text);
    return value;
}

static void languages(void **state)
{
    (void)state;
    static const struct {
        const char *accepted;
        enum wait_language language;
    } cases[] = {{NULL, WAIT_ENGLISH},
                 {"", WAIT_ENGLISH},
                 {"fr, de", WAIT_ENGLISH},
                 {"es", WAIT_SPANISH},
                 {"ES-mx", WAIT_SPANISH},
                 {"est", WAIT_ENGLISH},
                 {"en;q=0.5, es;q=0.9", WAIT_SPANISH},
                 {"es;q=0.2,en", WAIT_ENGLISH},
                 {"fr, es-ES;q=0.8, en;q=0.5", WAIT_SPANISH},
                 {"es;q=0", WAIT_ENGLISH},
                 {"es; q=x, en;q=", WAIT_ENGLISH},
                 {",,;;q", WAIT_ENGLISH}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(wait_language_of(cases[i].accepted), cases[i].language);
}

#define FIELDS                                                                                                         \
    "{\"fields\":[{\"name\":\"n\",\"type\":\"number\",\"required\":true},{\"name\":\"s\",\"type\":\"select\","         \
    "\"options\":[\"a\",\"b\"]},{\"name\":\"c\",\"type\":\"checkbox\",\"required\":true},{\"name\":\"d\",\"type\":"    \
    "\"date\"},{\"name\":\"t\"}]}"

static void read_is(const char *form_text, const char *answer_text, const char *problem_names)
{
    AUTO_JSON struct json *approval = parse(FIELDS), *form = parse(form_text), *problems = json_object_new();
    AUTO_JSON struct json *answer = wait_answer_read(approval, form, WAIT_ENGLISH, problems);
    AUTO_BUF struct buf names;
    buf_init(&names, 0);
    struct json_iter problem;
    JSON_EACH(problems, problem) buf_printf(&names, "%s ", problem.key);
    assert_string_equal(buf_str(&names), problem_names);
    if (answer_text == NULL) {
        assert_null(answer);
        return;
    }
    AUTO_FREE char *text = json_dup_text(answer);
    assert_string_equal(text, answer_text);
}

static void forms(void **state)
{
    (void)state;
    read_is(
        "{\"decision\":\"approve\",\"field.n\":\"3\",\"field.s\":\"b\",\"field.c\":\"yes\",\"field.d\":\"2026-01-31\"}",
        "{\"approved\":true,\"comment\":null,\"fields\":{\"n\":3,\"s\":\"b\",\"c\":true,\"d\":\"2026-01-31\",\"t\":"
        "null}}",
        "");
    read_is("{\"decision\":\"reject\",\"comment\":\"no\"}",
            "{\"approved\":false,\"comment\":\"no\",\"fields\":{\"n\":null,\"s\":null,\"c\":false,\"d\":null,\"t\":"
            "null}}",
            "");
    read_is("{}", NULL, "decision ");
    read_is("{\"decision\":[\"approve\",\"reject\"]}", NULL, "decision ");
    read_is("{\"decision\":\"approve\",\"field.n\":\"1e999\",\"field.s\":\"c\",\"field.d\":\"2026-13-01\"}", NULL,
            "n s c d ");
    read_is("{\"decision\":\"approve\",\"field.n\":\"0x\"}", NULL, "n c ");
    AUTO_FREE char *text = mem_alloc(WAIT_FIELD_CHARS + 2);
    memset(text, 'x', WAIT_FIELD_CHARS + 1);
    AUTO_FREE char *form = mem_printf("{\"decision\":\"reject\",\"field.t\":\"%s\",\"comment\":\"%s\"}", text, text);
    read_is(form, NULL, "comment t ");
}

static void pages_are_escaped(void **state)
{
    (void)state;
    AUTO_JSON struct json *wait = parse("{\"state\":\"open\",\"approval\":{\"title\":\"<i>'\\\"&\",\"message\":\"<b>\","
                                        "\"fields\":[{\"name\":\"\\\"><x\",\"label\":\"<y>\",\"default\":\"<z>\"}]}}");
    AUTO_JSON struct json *form = parse("{\"comment\":\"</textarea><w>\"}"), *none = json_object_new();
    AUTO_BUF struct buf page;
    buf_init(&page, 0);
    wait_page_add(&page, wait, NULL, NULL, false, WAIT_ENGLISH);
    wait_page_add(&page, wait, form, none, false, WAIT_SPANISH);
    static const char *const never[] = {"<i>", "<b>", "<x", "<y>", "<z>", "<w>", "<script", "style=\"", "onclick"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(buf_str(&page), never[i]) != NULL)
            fail_msg("the page holds %s", never[i]);
    assert_non_null(strstr(buf_str(&page), "&lt;i&gt;&#39;&quot;&amp;"));
    assert_non_null(strstr(buf_str(&page), "formnovalidate"));
    assert_non_null(strstr(wait_page_policy(), "'sha256-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(languages), cmocka_unit_test(forms),
                                       cmocka_unit_test(pages_are_escaped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
