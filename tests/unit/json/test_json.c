/* JSON values and field tables. */
#include "base/mem.h"
#include "json/fields.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void round_trips(void **state)
{
    (void)state;
    static const char *const texts[] = {"null", "1",     "-9223372036854775808",
                                        "0.1",  "1e+21", "\"\\u0001\\n\\\"é\"",
                                        "[]",   "{}",    "{\"a\":[1,true,null,{\"b\":\"c\"}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO_JSON struct json *value = NULL;
        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &value, NULL), ERR_OK);
        AUTO_FREE char *printed = json_dup_text(value);
        assert_string_equal(printed, texts[i]);
    }
}

/* RFC 8259, section 7, for each byte of ASCII at each place of strings of up to 24 bytes. */
static void each_character_at_each_place(void **state)
{
    (void)state;
    static const char *const brief[0x80] = {
        ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
    for (int c = 0; c < 0x80; c++)
        for (size_t n = 1; n <= 24; n++)
            for (size_t at = 0; at < n; at++) {
                char text[25], wanted[64], escaped[8];
                memset(text, 'a' + (int)(n % 7), n);
                text[at] = (char)c;
                (void)snprintf(escaped, sizeof escaped, c < 0x20 ? "\\u%04x" : "%c", (unsigned)c);
                (void)snprintf(wanted, sizeof wanted, "[\"%.*s%s%.*s\",1]", (int)at, text,
                               brief[c] != NULL ? brief[c] : escaped, (int)(n - at - 1), text + at + 1);
                AUTO_JSON struct json *array = json_array_new(), *back = NULL;
                json_push(array, json_string_new_n(text, n));
                json_push(array, json_int_new(1));
                AUTO_FREE char *printed = json_dup_text(array);
                assert_string_equal(printed, wanted);
                assert_int_equal(json_parse(wanted, strlen(wanted), &back, NULL), ERR_OK);
                assert_int_equal(json_as_str_len(json_at(back, 0)), n);
                assert_memory_equal(json_as_str(json_at(back, 0)), text, n);
                size_t end = strlen(wanted);
                wanted[end - 2] = '\''; /* outside of the string */
                assert_int_equal(json_parse(wanted, end, &back, NULL), ERR_VALIDATION);
            }
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "{",        "[1,]",       "{'a':1}", "nul", "NaN",
                                        "1 2", "\"\xff\"", "{\"a\":1}x", "01",      "\"a"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json *value = NULL;
        struct error error;
        if (json_parse(texts[i], strlen(texts[i]), &value, &error) == ERR_OK)
            fail_msg("accepted: %s", texts[i]);
        assert_true(strlen(error.message) > 10);
    }
    char deep[201];
    memset(deep, '[', 200);
    deep[200] = '\0';
    struct json *value = NULL;
    assert_int_equal(json_parse(deep, 200, &value, NULL), ERR_VALIDATION);
}

static const struct field position[] = {{.name = "x", .kind = FIELD_NUMBER, .required = true}, {0}};
static const char *const colours[] = {"red", "blue", NULL};
static const struct field table[] = {{.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = 5},
                                     {.name = "count", .kind = FIELD_INT, .min = 0, .max = 10, .default_json = "3"},
                                     {.name = "colour", .kind = FIELD_ENUM, .values = colours},
                                     {.name = "at", .kind = FIELD_ARRAY, .fields = position},
                                     {0}};

static void names_the_path(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{}", "name"},
        {"{\"name\":\"\"}", "name"},
        {"{\"name\":\"ñandúes\"}", "name"},
        {"{\"name\":\"ab\",\"count\":11}", "count"},
        {"{\"name\":\"ab\",\"count\":1.5}", "count"},
        {"{\"name\":\"ab\",\"colour\":\"green\"}", "colour"},
        {"{\"name\":\"ab\",\"at\":[{\"x\":1},{\"x\":\"1\"}]}", "at[1].x"},
        {"{\"name\":\"ab\",\"at\":[3]}", "at[0]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *value = NULL;
        struct error error = {0};
        assert_int_equal(json_parse(cases[i].text, strlen(cases[i].text), &value, NULL), ERR_OK);
        assert_int_equal(fields_check(table, value, &error), ERR_VALIDATION);
        assert_string_equal(error.field, cases[i].field);
    }
    AUTO_JSON struct json *good = NULL;
    const char *text = "{\"name\":\"ñandú\",\"count\":2.0,\"colour\":null,\"extra\":1}";
    assert_int_equal(json_parse(text, strlen(text), &good, NULL), ERR_OK);
    assert_int_equal(fields_check(table, good, NULL), ERR_OK);
}

/* The field, and a sentence that begins with it. */
static void says_what_would_be_right(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "name is required."},
        {"{\"name\":\"\"}", "name must have 1 to 5 characters."},
        {"{\"name\":7}", "name must be a string, not number."},
        {"{\"name\":\"ab\",\"count\":11}", "count must be from 0 to 10."},
        {"{\"name\":\"ab\",\"colour\":\"green\"}", "colour must be one of red, blue."},
        {"{\"name\":\"ab\",\"at\":[{\"x\":1},{}]}", "at[1].x is required."},
        {"{\"name\":\"ab\",\"at\":[3]}", "at[0] must be an object, not number."},
        {"[]", "The body must be an object, not array."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_JSON struct json *value = NULL, *problems = json_array_new();
        struct error error = {0};
        assert_int_equal(json_parse(cases[i][0], strlen(cases[i][0]), &value, NULL), ERR_OK);
        assert_int_equal(fields_check(table, value, &error), ERR_VALIDATION);
        assert_string_equal(error.message, cases[i][1]);
        assert_int_equal(fields_check_all(table, value, problems), 1);
        assert_string_equal(json_get_str(json_at(problems, 0), "message"), cases[i][1]);
        assert_string_equal(json_get_str(json_at(problems, 0), "field"), error.field);
    }
}

/* However little room there is, what is written is the text's beginning, and what is missing is noted. */
static void prints_into_little_room(void **state)
{
    (void)state;
    AUTO_JSON struct json *value = json_object_new();
    json_set_str(value, "long name", "a \"quoted\"\n text of some length");
    AUTO_FREE char *whole = json_dup_text(value);
    for (size_t room = 1; room < 80; room++) {
        AUTO_BUF struct buf out;
        buf_init(&out, room);
        json_print(value, &out);
        assert_int_equal(out.overflow, room < strlen(whole));
        assert_true(out.len <= room);
        assert_int_equal(strlen(buf_str(&out)), out.len);
        assert_memory_equal(buf_str(&out), whole, out.len);
    }
}

static void applies_defaults_and_describes(void **state)
{
    (void)state;
    AUTO_JSON struct json *value = json_object_new();
    fields_apply_defaults(table, value);
    assert_int_equal(json_get_int(value, "count", 0), 3);
    AUTO_JSON struct json *schema = fields_schema(table);
    assert_string_equal(json_get_str(json_get(json_get(schema, "properties"), "name"), "type"), "string");
}

static void test_numbers_that_are_not_finite(void **state)
{
    (void)state;
    struct json *value = NULL;
    struct error error;
    assert_int_equal(json_parse("33E331", 6, &value, &error), ERR_VALIDATION);
    assert_int_equal(json_parse("{\"a\":[1,-1e999]}", 16, &value, &error), ERR_VALIDATION);
    assert_int_equal(json_parse("[1e308,\"3e999\"]", 15, &value, &error), ERR_OK);
    json_unref(value);
    assert_null(json_double_new(1e308 * 10));
}

static void tables_become_forms(void **state)
{
    (void)state;
    static const char *const levels[] = {"low", "high", NULL};
    static const struct field inner[] = {{.name = "token", .kind = FIELD_STRING, .secret = true, .help = "A token."},
                                         {0}};
    static const struct field wide[] = {
        {.name = "maxURLBytes", .kind = FIELD_INT, .min = 1, .max = 9, .default_json = "5", .help = "A size."},
        {.name = "level", .kind = FIELD_ENUM, .values = levels, .required = true, .label = "How much"},
        {.name = "sql", .kind = FIELD_STRING, .widget = "sql", .group = "Query", .pattern = "^S"},
        {.name = "auth", .kind = FIELD_OBJECT, .fields = inner, .nullable = true},
        {.name = "data", .kind = FIELD_ANY},
        {0}};
    AUTO_JSON struct json *form = fields_form(wide), *nothing = fields_form(NULL);
    assert_int_equal(json_count(nothing), 0);
    AUTO_FREE char *text = json_dup_text(form);
    assert_string_equal(
        text, "[{\"name\":\"maxURLBytes\",\"kind\":\"integer\",\"label\":\"Max URLBytes\",\"help\":\"A "
              "size.\",\"required\":false,\"nullable\":false,\"secret\":false,\"default\":5,\"min\":1,\"max\":9},"
              "{\"name\":\"level\",\"kind\":\"enum\",\"label\":\"How much\",\"help\":\"\",\"required\":true,"
              "\"nullable\":false,\"secret\":false,\"values\":[\"low\",\"high\"]},"
              "{\"name\":\"sql\",\"kind\":\"string\",\"label\":\"Sql\",\"help\":\"\",\"required\":false,"
              "\"nullable\":false,\"secret\":false,\"pattern\":\"^S\",\"widget\":\"sql\",\"group\":\"Query\"},"
              "{\"name\":\"auth\",\"kind\":\"object\",\"label\":\"Auth\",\"help\":\"\",\"required\":false,"
              "\"nullable\":true,\"secret\":false,\"fields\":[{\"name\":\"token\",\"kind\":\"string\",\"label\":"
              "\"Token\",\"help\":\"A token.\",\"required\":false,\"nullable\":false,\"secret\":true,\"widget\":"
              "\"secret\"}]},"
              "{\"name\":\"data\",\"kind\":\"any\",\"label\":\"Data\",\"help\":\"\",\"required\":false,"
              "\"nullable\":false,\"secret\":false,\"widget\":\"json\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_that_are_not_finite),
                                       cmocka_unit_test(round_trips),
                                       cmocka_unit_test(each_character_at_each_place),
                                       cmocka_unit_test(refuses_what_is_not_json),
                                       cmocka_unit_test(names_the_path),
                                       cmocka_unit_test(says_what_would_be_right),
                                       cmocka_unit_test(prints_into_little_room),
                                       cmocka_unit_test(tables_become_forms),
                                       cmocka_unit_test(applies_defaults_and_describes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
