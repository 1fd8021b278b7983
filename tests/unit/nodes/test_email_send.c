/* email-send against a mail server of the test's own: what is sent, what is refused, what may be tried again. */
#include "base/mem.h"
#include "support/node_run.h"
#include "support/smtp_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct test_smtp *server, *with_login, *sulking;

static int start(void **state)
{
    (void)state;
    server = test_smtp_start("220 test\r\n", "");
    with_login = test_smtp_start("220 test\r\n", "250-AUTH PLAIN XOAUTH2\r\n");
    sulking = test_smtp_start("554 not today\r\n", "");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_smtp_stop(server);
    test_smtp_stop(with_login);
    test_smtp_stop(sulking);
    return 0;
}

/* `members` begin with a comma, and win. */
static struct json *inputs(const struct test_smtp *to, const char *members)
{
    AUTO_FREE char *text = mem_printf("{\"host\":\"127.0.0.1\",\"port\":%d,\"security\":\"none\",\"from\":\"caudal@"
                                      "example.com\",\"to\":\"ana@example.com\",\"text\":\"hello\"}",
                                      test_smtp_port(to));
    AUTO_FREE char *extra = mem_printf("{\"x\":0%s}", members);
    struct json *config = json_from(text);
    AUTO_JSON struct json *more = json_from(extra);
    struct json_iter i;
    JSON_EACH(more, i)
    json_set(config, i.key, json_ref(i.value));
    return config;
}

static void send_mail(const struct test_smtp *to, const char *members)
{
    struct node_run run;
    node_run_json(&run, "email-send", inputs(to, members));
    if (run.code != ERR_OK)
        fail_msg("failed: %s: %s (%s)", error_id(run.code), run.error.message, members);
    node_run_done(&run);
}

static void assert_refused(const struct test_smtp *to, const char *members, enum err code, const char *field,
                           const char *text)
{
    struct json *config = inputs(to, members);
    AUTO_FREE char *json = json_dup_text(config);
    json_unref(config);
    node_assert_fails("email-send", json, code, field, text);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("lacks: %s\nis: %s", part, text);
}

static void example(void **state)
{
    (void)state;
    const struct node_example *shown = node_registry_find("email-send")->examples;
    struct json *config = json_from(shown->configuration_json);
    struct node_run run;
    json_set_int(config, "port", test_smtp_port(server));
    test_smtp_clear(server);
    node_run_json(&run, "email-send", config);
    assert_int_equal(run.code, ERR_OK);
    AUTO_JSON struct json *expected = json_from(shown->expected_output_json);
    assert_true(json_equal(json_get(run.call.outputs, "accepted"), json_get(expected, "accepted")));
    assert_string_equal(json_get_str(run.call.outputs, "reply"), json_get_str(expected, "reply"));
    AUTO_FREE char *commands = test_smtp_commands(server), *mail = test_smtp_mail(server);
    AUTO_FREE char *id = mem_printf("Message-ID: <%s>\r\n", json_get_str(run.call.outputs, "messageId"));
    assert_holds(commands, "MAIL FROM:<caudal@example.com>");
    assert_holds(commands, "RCPT TO:<ana@example.com>\nRCPT TO:<ben@example.com>\nRCPT TO:<archive@example.com>\n");
    assert_holds(mail, id);
    assert_holds(mail, "Date: Sat, 1 Mar 2025 01:30:00 +0000\r\n");
    assert_holds(mail, "From: \"Caudal\"\r\n <caudal@example.com>\r\nTo: \"Ana\"\r\n <ana@example.com>,\r\n "
                       "ben@example.com\r\nSubject: =?UTF-8?B?VmVudGFzIGRlIG1hw7FhbmE=?=\r\n");
    assert_holds(mail, "Content-Type: multipart/mixed; boundary=\"=_caudal_1\"\r\n\r\n--=_caudal_1\r\nContent-Type: "
                       "multipart/alternative; boundary=\"=_caudal_2\"");
    assert_holds(mail,
                 "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nVHdlbHZlIG9yZGVycy4=\r\n");
    assert_holds(mail, "text/html; charset=utf-8\r\nContent-Transfer-Encoding: "
                       "base64\r\n\r\nPGI+VHdlbHZlPC9iPiBvcmRlcnMu\r\n--=_caudal_2--\r\n");
    assert_holds(mail,
                 "Content-Type: text/csv\r\nContent-Disposition: attachment;\r\n "
                 "filename=\"orders.csv\"\r\nContent-Transfer-Encoding: base64\r\n\r\naWQKMQo=\r\n--=_caudal_1--\r\n");
    assert_null(strstr(mail, "archive@")); /* bcc */
    node_run_done(&run);
}

static void recipients_and_names(void **state)
{
    (void)state;
    test_smtp_clear(server);
    send_mail(server, ",\"to\":[\"\\\"Ruiz, Ana\\\" <ana@example.com>, b@example.com\",\"Jos\xc3\xa9 "
                      "<jose@example.com>\"],\"cc\":\"c@example.com\",\"replyTo\":\"r@example.com\"");
    AUTO_FREE char *mail = test_smtp_mail(server), *commands = test_smtp_commands(server);
    assert_holds(mail,
                 "To: \"Ruiz, Ana\"\r\n <ana@example.com>,\r\n b@example.com,\r\n "
                 "=?UTF-8?B?Sm9zw6k=?=\r\n <jose@example.com>\r\nCc: c@example.com\r\nReply-To: r@example.com\r\n");
    assert_holds(commands, "RCPT TO:<c@example.com>\n");
    assert_null(strstr(commands, "RCPT TO:<r@"));
    test_smtp_clear(server);
    send_mail(server, ",\"to\":null,\"bcc\":\"hidden@example.com\",\"text\":null,\"html\":\"<p>\"");
    AUTO_FREE char *hidden = test_smtp_mail(server);
    assert_null(strstr(hidden, "hidden@"));
    assert_null(strstr(hidden, "To:"));
}

/* Long subjects are folded between characters; lines with a dot and long bodies arrive whole. */
static void long_and_odd_content(void **state)
{
    (void)state;
    test_smtp_clear(server);
    send_mail(server, ",\"subject\":\"\xc3\xa1\xc3\xa9\xc3\xad\xc3\xb3\xc3\xba\xc3\xa1\xc3\xa9\xc3\xad\xc3\xb3\xc3\xba"
                      "\xc3\xa1\xc3\xa9\xc3\xad\xc3\xb3\xc3\xba\xc3\xa1\xc3\xa9\xc3\xad\xc3\xb3\xc3\xba\xc3\xa1\xc3\xa9"
                      "\xc3\xad\",\"text\":\".\\r\\n.\\r\\n\",\"attachments\":[{\"name\":\"a\xc3\xb1\\\"o.bin\","
                      "\"base64\":\"\"}]");
    AUTO_FREE char *mail = test_smtp_mail(server);
    assert_holds(mail, "Subject: =?UTF-8?B?w6HDqcOtw7PDusOhw6nDrcOzw7rDocOpw63Ds8O6w6HDqcOtw7PDusOh?=\r\n "
                       "=?UTF-8?B?w6nDrQ==?=\r\n");
    assert_holds(mail, "\r\n\r\nLg0KLg0K\r\n");
    assert_holds(mail, "filename=\"a___o.bin\";\r\n filename*=UTF-8''a%C3%B1%22o.bin\r\n");
    for (const char *line = mail; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\r") <= 78);
}

static void nothing_slips_into_headers(void **state)
{
    (void)state;
    test_smtp_clear(server);
    assert_refused(server, ",\"subject\":\"a\\r\\nBcc: x@example.com\"", ERR_VALIDATION, "subject", "line breaks");
    assert_refused(server, ",\"subject\":\"a\\u0000b\"", ERR_VALIDATION, "subject", "control");
    assert_refused(server, ",\"to\":\"a@example.com\\r\\nDATA\"", ERR_VALIDATION, "to", "line breaks");
    assert_refused(server, ",\"to\":[\"a@example.com\",\"<a@example.com> BODY=8BITMIME\"]", ERR_VALIDATION, "to[1]",
                   "no mail address");
    assert_refused(server, ",\"from\":\"Ana\\n <ana@example.com>\"", ERR_VALIDATION, "from", "line breaks");
    assert_refused(server, ",\"attachments\":[{\"name\":\"a\\r\\nX: y\",\"base64\":\"\"}]", ERR_VALIDATION,
                   "attachments[0].name", "file name");
    assert_refused(server, ",\"attachments\":[{\"name\":\"a\",\"contentType\":\"text/csv\\r\\nX: y\",\"base64\":\"\"}]",
                   ERR_VALIDATION, "attachments[0].contentType", "media type");
    assert_refused(server, ",\"attachments\":[{\"name\":\"a\",\"contentId\":\"x@y>\\r\\nX: y\",\"base64\":\"\"}]",
                   ERR_VALIDATION, "attachments[0].contentId", "address");
    assert_refused(server, ",\"host\":\"127.0.0.1/a\\r\\nMAIL\"", ERR_VALIDATION, "host", "name or address");
    assert_refused(server, ",\"host\":\"user@example.com\"", ERR_VALIDATION, "host", NULL);
    AUTO_FREE char *commands = test_smtp_commands(server);
    assert_string_equal(commands, "");
}

static void wrong_and_missing(void **state)
{
    (void)state;
    static const char *const bad[] = {"ana",
                                      "@example.com",
                                      "ana@",
                                      "a b@example.com",
                                      "a..b@example.com",
                                      "a@-b",
                                      "jos\xc3\xa9@example.com",
                                      "a@b@c",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_FREE char *members = mem_printf(",\"to\":\"%s\"", bad[i]);
        assert_refused(server, members, ERR_VALIDATION, "to", "no mail address");
    }
    assert_refused(server, ",\"to\":7", ERR_VALIDATION, "to", "not number");
    assert_refused(server, ",\"to\":[7]", ERR_VALIDATION, "to[0]", "not number");
    assert_refused(server, ",\"to\":null", ERR_VALIDATION, "to", "somebody");
    assert_refused(server, ",\"from\":\"a@example.com,b@example.com\"", ERR_VALIDATION, "from", "one mail address");
    assert_refused(server, ",\"text\":null", ERR_VALIDATION, "text", "required");
    assert_refused(server, ",\"text\":7", ERR_VALIDATION, "text", NULL);
    assert_refused(server, ",\"port\":70000", ERR_VALIDATION, "port", NULL);
    assert_refused(server, ",\"security\":\"ssl\"", ERR_VALIDATION, "security", NULL);
    assert_refused(server, ",\"password\":\"p\"", ERR_VALIDATION, "user", "required");
    assert_refused(server, ",\"attachments\":[7]", ERR_VALIDATION, "attachments[0]", NULL);
    assert_refused(server, ",\"attachments\":[{\"name\":\"a\",\"base64\":\"%\"}]", ERR_VALIDATION,
                   "attachments[0].base64", "base64");
    node_assert_fails("email-send", "{\"from\":\"a@example.com\",\"to\":\"b@example.com\",\"text\":\"\"}",
                      ERR_VALIDATION, "host", NULL);
}

static void bounds(void **state)
{
    (void)state;
    struct json *config = inputs(server, ""), *many = json_array_new();
    for (int i = 0; i < 101; i++) {
        AUTO_FREE char *address = mem_printf("u%d@example.com", i);
        json_push(many, json_string_new(address));
    }
    json_set(config, "to", many);
    AUTO_FREE char *text = json_dup_text(config);
    json_unref(config);
    node_assert_fails("email-send", text, ERR_LIMIT, "to[100]", "more than 100");
    struct json *large = inputs(server, "");
    AUTO_FREE char *body = mem_alloc((20 << 20) + 1);
    memset(body, 'a', 20 << 20);
    json_set_str(large, "text", body);
    struct node_run run;
    node_run_json(&run, "email-send", large);
    assert_int_equal(run.code, ERR_LIMIT);
    node_run_done(&run);
}

static void the_server_says_no(void **state)
{
    (void)state;
    assert_refused(server, ",\"cc\":\"unknown@example.com\"", ERR_NODE, NULL, "550 5.1.1 no such user");
    assert_refused(server, ",\"cc\":\"busy@example.com\"", ERR_NODE_RETRY, NULL, "451 4.3.0 later");
    assert_refused(sulking, "", ERR_NODE, NULL, "554 not today");
    assert_refused(server, ",\"security\":\"starttls\"", ERR_NODE, "security", "STARTTLS");
    assert_refused(server, ",\"from\":\"dropped@example.com\"", ERR_NODE_RETRY, NULL, "connection");
    AUTO_FREE char *commands = test_smtp_commands(server);
    assert_null(strstr(commands, "AUTH"));
}

static void nobody_answers(void **state)
{
    (void)state;
    node_run_timeout_ms = 300;
    assert_refused(server, ",\"from\":\"silent@example.com\"", ERR_NODE_RETRY, NULL, "within 300 ms");
    node_run_timeout_ms = 0;
    assert_refused(server, ",\"port\":1", ERR_NODE_RETRY, NULL, "connection failed");
    node_run_deny_private = true;
    assert_refused(server, "", ERR_NODE, "host", "HTTP_DENY_PRIVATE");
    node_run_deny_private = false;
}

static void logs_in(void **state)
{
    (void)state;
    send_mail(with_login, ",\"user\":\"ana\",\"password\":\"pass\"");
    send_mail(with_login, ",\"user\":\"ana\",\"accessToken\":\"tok\"");
    assert_refused(with_login, ",\"user\":\"ana\",\"password\":\"wrong\"", ERR_NODE, "user", "did not accept");
    test_smtp_clear(server);
    send_mail(server,
              ",\"user\":\"ana\",\"password\":\"pass\""); /* offers no login: it decides whether it takes the mail */
    AUTO_FREE char *commands = test_smtp_commands(server);
    assert_null(strstr(commands, "AUTH"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),
        cmocka_unit_test(recipients_and_names),
        cmocka_unit_test(long_and_odd_content),
        cmocka_unit_test(nothing_slips_into_headers),
        cmocka_unit_test(wrong_and_missing),
        cmocka_unit_test(bounds),
        cmocka_unit_test(the_server_says_no),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(logs_in),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
