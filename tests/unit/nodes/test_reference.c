/* docs/reference/nodes.md is what the registry prints. */
#include "base/mem.h"
#include "nodes/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "docs/reference/nodes.md" /* ctest runs at the top of the checkout */

static void write_page(const struct buf *text)
{
    FILE *file = fopen(PAGE, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->len, file), text->len);
    assert_int_equal(fclose(file), 0);
}

static void the_page_has_not_drifted(void **state)
{
    (void)state;
    AUTO_BUF struct buf expected, page;
    buf_init(&expected, 0);
    buf_init(&page, 0);
    node_reference_markdown(&expected);
    if (getenv("CAUDAL_UPDATE_REFERENCE") != NULL)
        write_page(&expected);
    FILE *file = fopen(PAGE, "r");
    if (file == NULL)
        fail_msg("%s is missing; set CAUDAL_UPDATE_REFERENCE=1 to write it", PAGE);
    char chunk[4096];
    for (size_t n = fread(chunk, 1, sizeof chunk, file); n > 0; n = fread(chunk, 1, sizeof chunk, file))
        buf_add(&page, chunk, n);
    (void)fclose(file);
    if (strcmp(buf_str(&page), buf_str(&expected)) != 0)
        fail_msg("%s differs from the registry; set CAUDAL_UPDATE_REFERENCE=1 to write it again", PAGE);
}

static size_t count(const char *text, const char *part, const char *end)
{
    size_t n = 0;
    for (const char *at = strstr(text, part); at != NULL && (end == NULL || at < end); at = strstr(at + 1, part))
        n++;
    return n;
}

static void every_type_has_its_section_and_settings(void **state)
{
    (void)state;
    AUTO_BUF struct buf page;
    buf_init(&page, 0);
    node_reference_markdown(&page);
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        AUTO_FREE char *title = mem_printf("\n## %s\n", (*type)->spec.type);
        assert_int_equal(count(buf_str(&page), title, NULL), 1);
        const char *from = strstr(buf_str(&page), title), *end = strstr(from + 4, "\n## ");
        for (const struct field *field = (*type)->spec.fields; field != NULL && field->name != NULL; field++) {
            AUTO_FREE char *row = mem_printf("\n| `%s` | ", field->name);
            if (count(from, row, end) == 0)
                fail_msg("%s: no row of %s", (*type)->spec.type, field->name);
        }
        assert_true(count(from, "\nExample: ", end) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_not_drifted),
        cmocka_unit_test(every_type_has_its_section_and_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
