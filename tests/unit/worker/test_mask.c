/* Hidden secrets: every form of a value in every place, and nothing else. */
#include "worker/mask.h"
#include "base/base64.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char secret[] = "pä ss/w\"ord+1";

static struct mask mask_of(const char *first, const char *second)
{
    struct mask mask = {0};
    mask_add(&mask, first, strlen(first));
    if (second != NULL)
        mask_add(&mask, second, strlen(second));
    return mask;
}

static void check(const struct mask *mask, const char *text, const char *expected)
{
    AUTO_BUF struct buf out = {0};
    bool hidden = mask_text(mask, text, strlen(text), &out);
    assert_int_equal(hidden, strcmp(text, expected) != 0);
    assert_string_equal(hidden ? buf_str(&out) : text, expected);
}

static void hides_each_form(void **state)
{
    (void)state;
    struct mask mask = mask_of(secret, NULL);
    check(&mask, "x pä ss/w\"ord+1 y", "x " MASK_TEXT " y");
    check(&mask, "{\"a\":\"pä ss/w\\\"ord+1\"}", "{\"a\":\"" MASK_TEXT "\"}");
    check(&mask, "?q=p%C3%A4%20ss%2Fw%22ord%2B1&x", "?q=" MASK_TEXT "&x");
    check(&mask, "?q=p%c3%a4+ss%2fw%22ord%2b1&x", "?q=" MASK_TEXT "&x");
    check(&mask, "70c3a42073732f77226f72642b31", MASK_TEXT);
    check(&mask, "nothing of it", "nothing of it");
    mask_done(&mask);
}

/* Inside a longer text too, wherever it begins. */
static void hides_base64_at_each_alignment(void **state)
{
    (void)state;
    struct mask mask = mask_of("correct horse battery", NULL);
    static const char *const before[] = {"", "u", "us", "usr", "user:"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        AUTO_BUF struct buf plain = {0}, encoded = {0}, out = {0};
        buf_add_str(&plain, before[i]);
        buf_add_str(&plain, "correct horse battery!");
        base64_add(&encoded, plain.data, plain.len);
        assert_true(mask_text(&mask, encoded.data, encoded.len, &out));
        assert_non_null(strstr(buf_str(&out), MASK_TEXT));
        assert_true(out.len < strlen(before[i]) * 2 + 24); /* what is left shows the surroundings only */
    }
    mask_done(&mask);
}

static void hides_what_overlaps(void **state)
{
    (void)state;
    struct mask mask = mask_of("abcdef", "defghi");
    check(&mask, "-abcdefghi-", "-" MASK_TEXT "-");
    check(&mask, "abcdefabcdef", MASK_TEXT);
    check(&mask, "abcde", "abcde");
    mask_done(&mask);
    mask = mask_of("aaaa", NULL);
    check(&mask, "aaaaaa", MASK_TEXT);
    mask_done(&mask);
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    assert_int_equal(json_parse(text, strlen(text), &value, NULL), ERR_OK);
    return value;
}

static void hides_in_json(void **state)
{
    (void)state;
    struct mask mask = mask_of("hunter2222", "123456789");
    AUTO_JSON struct json *value =
        parse("{\"a\":[1,{\"b\":\"x hunter2222\"}],\"hunter2222\":true,\"n\":123456789,\"keep\":[\"y\"]}");
    AUTO_JSON struct json *hidden = mask_json(&mask, value);
    AUTO_FREE char *text = json_dup_text(hidden);
    assert_string_equal(text, "{\"a\":[1,{\"b\":\"x " MASK_TEXT "\"}],\"" MASK_TEXT "\":true,\"n\":\"" MASK_TEXT
                              "\",\"keep\":[\"y\"]}");
    AUTO_JSON struct json *plain = parse("{\"a\":[1,{\"b\":\"x\"}],\"n\":1.5}");
    AUTO_JSON struct json *same = mask_json(&mask, plain);
    assert_ptr_equal(plain, same);
    mask_done(&mask);
}

static void touches_nothing_without_secrets(void **state)
{
    (void)state;
    struct mask mask = {0};
    AUTO_JSON struct json *value = parse("{\"a\":\"\"}");
    mask_add(&mask, "", 0);
    assert_true(mask_is_empty(&mask));
    check(&mask, "text", "text");
    AUTO_JSON struct json *same = mask_json(&mask, value);
    assert_ptr_equal(value, same);
    mask_done(&mask);
}

static void hides_in_errors(void **state)
{
    (void)state;
    struct mask mask = mask_of("hunter2222", NULL);
    struct error error = {0};
    (void)error_set(&error, ERR_NODE, "nodes[1]", "login with hunter2222 failed");
    mask_error(&mask, &error);
    assert_string_equal(error.message, "login with " MASK_TEXT " failed");
    assert_string_equal(error.field, "nodes[1]");
    assert_int_equal(error.code, ERR_NODE);
    mask_done(&mask);
}

static void check_message(const char *added, const char *text, const char *expected)
{
    struct mask mask = {0};
    struct error error = {0};
    mask_add_secret(&mask, added, strlen(added));
    (void)error_set(&error, ERR_NODE, NULL, "%s", text);
    mask_error(&mask, &error);
    assert_string_equal(error.message, expected);
    mask_done(&mask);
}

/* Messages are cut, so that a secret may begin in them and not end; in data only whole ones are hidden. */
static void hides_beginnings_in_messages(void **state)
{
    (void)state;
    check_message("abcdefghijklmnop", "it is abcdefghijk", "it is " MASK_TEXT);
    check_message("abcdefghijklmnop", "abcdef; only", MASK_TEXT "; only");
    check_message("abcdefghijklmnop", "abcde abcdfg", "abcde abcdfg");
    check_message("https://hooks.example/T0/B0/secret", "https://other.example failed", "https://other.example failed");
    check_message("https://hooks.example/T0/B0/secret", "https://hooks.example/T0/B0/s leads", MASK_TEXT " leads");
    struct mask mask = mask_of("abcdefghijklmnop", NULL);
    check(&mask, "abcdefghijklmno", "abcdefghijklmno");
    AUTO_JSON struct json *lines = parse("[{\"level\":\"info\",\"message\":\"is abcdefghijk\"}]");
    struct json *hidden = json_ref(lines);
    mask_replace_lines(&mask, &hidden);
    assert_string_equal(json_get_str(json_at(hidden, 0), "message"), "is " MASK_TEXT);
    json_unref(hidden);
    mask_done(&mask);
}

/* Drivers quote the password of a connection string alone, and decoded. */
static void hides_the_password_inside(void **state)
{
    (void)state;
    check_message("postgresql://ana:pass%21w0rd@db/x", "no pass%21w0rd here", "no " MASK_TEXT " here");
    check_message("postgresql://ana:pass%21w0rd@db/x", "no pass!w0rd here", "no " MASK_TEXT " here");
    check_message("host=db password=longer-one user=x", "no longer-one here", "no " MASK_TEXT " here");
    check_message("postgresql://ana:short@db/x", "too short", "too short");
    check_message("postgresql://ana:100%zz%4@db", "100%zz%4", MASK_TEXT);
}

static void hides_what_fields_call_secret(void **state)
{
    (void)state;
    static const struct field auth[] = {
        {.name = "user", .kind = FIELD_STRING}, {.name = "key", .kind = FIELD_STRING, .secret = true}, {0}};
    static const struct field fields[] = {
        {.name = "url", .kind = FIELD_STRING},
        {.name = "auth", .kind = FIELD_OBJECT, .fields = auth},
        {.name = "database", .kind = FIELD_STRING, .secret = true, .widget = "connection"},
        {0}};
    static const struct field plain[] = {{.name = "url", .kind = FIELD_STRING}, {0}};
    AUTO_JSON struct json *config = parse("{\"url\":\"http://u:p@h/\",\"auth\":{\"user\":\"u\",\"key\":\"k\"},"
                                          "\"database\":\"postgresql://u:p@h/d\",\"rest\":[1]}");
    AUTO_JSON struct json *shown = mask_json_fields(fields, config), *same = mask_json_fields(plain, config),
                          *none = mask_json_fields(NULL, config);
    AUTO_FREE char *text = json_dup_text(shown);
    assert_string_equal(text, "{\"url\":\"http://u:" MASK_TEXT "@h/\",\"auth\":{\"user\":\"u\",\"key\":\"" MASK_TEXT
                              "\"},\"database\":\"postgresql://u:" MASK_TEXT "@h/d\",\"rest\":[1]}");
    assert_ptr_equal(same, config);
    assert_ptr_equal(none, config);
    AUTO_JSON struct json *odd = parse("{\"auth\":7,\"database\":null}");
    AUTO_JSON struct json *odd_shown = mask_json_fields(fields, odd);
    assert_true(json_equal(odd, odd_shown));
}

static void hides_typed_passwords(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"postgresql://ana:s3cr:et@db:5432/x?sslmode=require",
         "postgresql://ana:" MASK_TEXT "@db:5432/x?sslmode=require"},
        {"see amqp://u:p@ss@host and redis://:pw@h", "see amqp://u:" MASK_TEXT "@host and redis://:" MASK_TEXT "@h"},
        {"host=db password=hunter2 user=x", "host=db password=" MASK_TEXT " user=x"},
        {"host=db PASSWORD = 'a b\\'c' user=x", "host=db PASSWORD = '" MASK_TEXT "' user=x"},
        {"postgresql://h/x?user=a&password=b&c=d", "postgresql://h/x?user=a&password=" MASK_TEXT "&c=d"},
        {"http://host:80/a:b@c", "http://host:80/a:b@c"},
        {"http://user@host", "http://user@host"},
        {"the password is long", "the password is long"},
        {"password=", "password="},
        {"://", "://"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_BUF struct buf out = {0};
        bool hidden = mask_passwords(cases[i][0], strlen(cases[i][0]), &out);
        assert_string_equal(hidden ? buf_str(&out) : cases[i][0], cases[i][1]);
    }
    AUTO_JSON struct json *value = parse("{\"connectionString\":\"postgresql://a:b@c/d\",\"query\":\"select 1\"}");
    AUTO_JSON struct json *shown = mask_json_passwords(value);
    assert_string_equal(json_get_str(shown, "connectionString"), "postgresql://a:" MASK_TEXT "@c/d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_each_form),           cmocka_unit_test(hides_base64_at_each_alignment),
        cmocka_unit_test(hides_what_overlaps),       cmocka_unit_test(hides_in_json),
        cmocka_unit_test(hides_in_errors),           cmocka_unit_test(touches_nothing_without_secrets),
        cmocka_unit_test(hides_typed_passwords),     cmocka_unit_test(hides_beginnings_in_messages),
        cmocka_unit_test(hides_the_password_inside), cmocka_unit_test(hides_what_fields_call_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
