/* docs/reference/configuration.md is what the table prints. */
#include "config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "docs/reference/configuration.md" /* ctest runs at the top of the checkout */

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
    config_print_markdown(&expected);
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
        fail_msg("%s differs from src/config/variables.h; set CAUDAL_UPDATE_REFERENCE=1 to write it again", PAGE);
}

static void every_variable_has_its_row(void **state)
{
    (void)state;
    AUTO_BUF struct buf page;
    buf_init(&page, 0);
    config_print_markdown(&page);
    for (int id = 0; id < CONFIG_COUNT; id++) {
        char row[80];
        (void)snprintf(row, sizeof row, "\n| `%s` | ", config_variables[id].name);
        const char *at = strstr(buf_str(&page), row);
        assert_non_null(at);
        int bars = 0;
        for (at++; *at != '\n'; at++)
            bars += *at == '|';
        assert_int_equal(bars, 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_not_drifted),
        cmocka_unit_test(every_variable_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
