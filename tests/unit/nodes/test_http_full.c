/* http-request: kinds of authentication, retries, bodies of all kinds, the guard of private networks. */
#include "base/base64.h"
#include "base/mem.h"
#include "nodes/http_client.h"
#include "nodes/http_tokens.h"
#include "support/http_server.h"
#include "support/node_run.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_http *server;
static const char json_type[] = "Content-Type: application/json\r\n";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int tokens_given, flaky_left; /* by the server; under lock */

static int step(int *counter, int by)
{
    pthread_mutex_lock(&lock);
    *counter += by;
    int now = *counter;
    pthread_mutex_unlock(&lock);
    return now;
}

static void set(int *counter, int value)
{
    pthread_mutex_lock(&lock);
    *counter = value;
    pthread_mutex_unlock(&lock);
}

/* Client credentials as RFC 6749 has them; the id is "app 1", the secret "s:1". */
static void answer_token(const struct test_http_request *request, struct buf *answer)
{
    AUTO_FREE char *authorization = test_http_header(request, "Authorization");
    AUTO_BUF struct buf expected;
    buf_init(&expected, 0);
    buf_add_str(&expected, "Basic ");
    base64_add(&expected, "app%201:s%3A1", 13);
    bool by_header = authorization != NULL && strcmp(authorization, buf_str(&expected)) == 0;
    bool by_body = strstr(request->body, "client_id=app%201&client_secret=s%3A1") != NULL;
    if (by_header == by_body || strstr(request->body, "grant_type=client_credentials") == NULL) {
        test_http_answer(answer, 401, json_type, "{\"error\":\"invalid_client\"}");
        return;
    }
    if (strcmp(request->target, "/token/odd") == 0) {
        test_http_answer(answer, 200, json_type, "{\"token\":\"x\"}");
        return;
    }
    AUTO_FREE char *body = mem_printf("{\"access_token\":\"token-%d\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
                                      step(&tokens_given, 1));
    test_http_answer(answer, 200, json_type, body);
}

/* Three pages for a bearer of any token but token-1. */
static void answer_guarded(const struct test_http_request *request, struct buf *answer)
{
    AUTO_FREE char *authorization = test_http_header(request, "Authorization");
    if (authorization == NULL || strncmp(authorization, "Bearer token-", 13) != 0 ||
        strcmp(authorization + 13, "1") == 0)
        test_http_answer(answer, 401, "", "who are you");
    else
        test_http_answer(answer, 200, json_type, strstr(request->target, "page=3") != NULL ? "[]" : "[1]");
}

static void answer_what_came(const struct test_http_request *request, struct buf *answer)
{
    static const char *const shown[] = {"Content-Type", "Authorization", "X-Key", "X-Amz-Date", "X-Amz-Security-Token"};
    AUTO_JSON struct json *echo = json_object_new();
    json_set_str(echo, "target", request->target);
    json_set(echo, "body", json_string_new_n(request->body, request->body_len));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        AUTO_FREE char *value = test_http_header(request, shown[i]);
        if (value != NULL)
            json_set_str(echo, shown[i], value);
    }
    AUTO_FREE char *text = json_dup_text(echo);
    test_http_answer(answer, 200, json_type, text);
}

static bool on_request(void *user, const struct test_http_request *request, struct buf *answer)
{
    (void)user;
    const char *target = request->target;
    if (strncmp(target, "/token", 6) == 0)
        answer_token(request, answer);
    else if (strncmp(target, "/guarded", 8) == 0)
        answer_guarded(request, answer);
    else if (strncmp(target, "/flaky", 6) == 0 && step(&flaky_left, -1) >= 0)
        test_http_answer(answer, 503, strstr(target, "later") != NULL ? "Retry-After: 86400\r\n" : "Retry-After: 0\r\n",
                         "busy");
    else if (strcmp(target, "/bytes") == 0)
        test_http_answer(answer, 200, "Content-Type: image/png\r\n", "\x89PNG\xff");
    else if (strcmp(target, "/away") == 0)
        test_http_answer(answer, 302, "Location: http://127.0.0.1:1/\r\n", "");
    else
        answer_what_came(request, answer);
    return true;
}

static int start_server(void **state)
{
    (void)state;
    server = test_http_start(on_request, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_http_stop(server);
    return 0;
}

/* Inputs with the server's address in place of $. */
static char *inputs(const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    for (; *text != '\0'; text++)
        if (*text == '$')
            buf_printf(&out, "http://127.0.0.1:%d", test_http_port(server));
        else
            buf_add_char(&out, *text);
    return buf_take(&out);
}

static void run(struct node_run *run_, const char *text)
{
    AUTO_FREE char *json = inputs(text);
    node_run(run_, "http-request", json);
    if (run_->code != ERR_OK)
        fail_msg("%s: %s (%s)", json, run_->error.message, error_id(run_->code));
}

static void fails(const char *text, enum err code, const char *field, const char *says)
{
    AUTO_FREE char *json = inputs(text);
    node_assert_fails("http-request", json, code, field, says);
}

static const char *came(const struct node_run *run_, const char *name)
{
    const char *text = json_get_str(json_get(run_->call.outputs, "response"), name);
    return text == NULL ? "" : text;
}

static void test_keys(void **state)
{
    (void)state;
    struct node_run r;
    run(&r, "{\"url\":\"$/echo\",\"auth\":{\"type\":\"header\",\"name\":\"X-Key\",\"value\":\"k 1\"}}");
    assert_string_equal(came(&r, "X-Key"), "k 1");
    node_run_done(&r);
    run(&r, "{\"url\":\"$/echo?a=1#f\",\"auth\":{\"type\":\"query\",\"name\":\"key\",\"value\":\"k&1\"}}");
    assert_string_equal(came(&r, "target"), "/echo?a=1&key=k%261");
    node_run_done(&r);
    fails("{\"url\":\"$/echo\",\"auth\":{\"type\":\"header\",\"value\":\"k\"}}", ERR_VALIDATION, "auth.name",
          "required");
    fails("{\"url\":\"$/echo\",\"auth\":{\"type\":\"header\",\"name\":\"X-Key\",\"value\":\"a\\r\\nb\"}}",
          ERR_VALIDATION, "auth.value", "one line");
    fails("{\"url\":\"$/echo\",\"auth\":{\"type\":\"query\",\"name\":\"k\"}}", ERR_VALIDATION, "auth.value",
          "required");
    fails("{\"url\":\"$/echo\",\"auth\":{\"type\":\"magic\"}}", ERR_VALIDATION, "auth.type", "oauth2");
    fails("{\"url\":\"$/echo\",\"auth\":{\"type\":\"bearer\",\"token\":\"a\\u0000b\"}}", ERR_VALIDATION, "auth.token",
          NULL);
}

static void test_aws(void **state)
{
    (void)state;
    struct node_run r;
    run(&r,
        "{\"url\":\"$/echo?b=2&a=1\",\"method\":\"POST\",\"body\":{\"x\":1},\"auth\":{\"type\":\"aws\",\"accessKeyId\":"
        "\"AK\",\"secretAccessKey\":\"sk\",\"sessionToken\":\"st\",\"region\":\"eu-west-1\",\"service\":\"execute-"
        "api\"}}");
    assert_non_null(strstr(came(&r, "Authorization"), "AWS4-HMAC-SHA256 Credential=AK/"));
    assert_non_null(strstr(came(&r, "Authorization"),
                           "/eu-west-1/execute-api/aws4_request,SignedHeaders=content-type;host;"
                           "x-amz-content-sha256;x-amz-date;x-amz-security-token,Signature="));
    assert_string_equal(came(&r, "X-Amz-Security-Token"), "st");
    assert_int_equal(strlen(came(&r, "X-Amz-Date")), 16);
    node_run_done(&r);
    fails("{\"url\":\"$/"
          "\",\"auth\":{\"type\":\"aws\",\"accessKeyId\":\"AK\",\"secretAccessKey\":\"sk\",\"service\":\"s3\"}}",
          ERR_VALIDATION, "auth.region", "required");
    fails("{\"url\":\"$/"
          "\",\"auth\":{\"type\":\"aws\",\"accessKeyId\":\"AK\",\"secretAccessKey\":\"sk\",\"service\":\"s3\","
          "\"region\":\"a/b\"}}",
          ERR_VALIDATION, "auth.region", "eu-west-1");
}

#define CLIENT "\"type\":\"oauth2\",\"clientId\":\"app 1\",\"clientSecret\":\"s:1\""
#define PAGES "\"paging\":{\"mode\":\"page\",\"parameter\":\"page\"}"

/* The first token is refused, so a second one is asked for, once, and serves all pages. */
static void test_oauth2(void **state)
{
    (void)state;
    struct node_run r;
    set(&tokens_given, 0);
    run(&r, "{\"url\":\"$/guarded\",\"auth\":{" CLIENT ",\"tokenUrl\":\"$/token\",\"scope\":\"read\"}," PAGES "}");
    json_assert_equal(json_get(r.call.outputs, "response"), "[1,1]");
    assert_int_equal(step(&tokens_given, 0), 2);
    node_run_done(&r);
    run(&r, "{\"url\":\"$/guarded\",\"auth\":{" CLIENT ",\"tokenUrl\":\"$/token\",\"clientAuth\":\"body\"}}");
    assert_int_equal(step(&tokens_given, 0), 3);
    node_run_done(&r);
    fails("{\"url\":\"$/x\",\"auth\":{\"type\":\"oauth2\",\"clientId\":\"a\",\"clientSecret\":\"b\",\"tokenUrl\":\"$/"
          "token\"}}",
          ERR_NODE, "auth.tokenUrl", "answered 401");
    fails("{\"url\":\"$/x\",\"auth\":{" CLIENT ",\"tokenUrl\":\"$/token/odd\"}}", ERR_NODE, "auth.tokenUrl",
          "no access_token");
    fails("{\"url\":\"$/x\",\"auth\":{" CLIENT ",\"tokenUrl\":\"ftp://x\"}}", ERR_VALIDATION, "auth.tokenUrl", "http");
    fails("{\"url\":\"$/x\",\"auth\":{" CLIENT "}}", ERR_VALIDATION, "auth.tokenUrl", "required");
}

static void test_tokens_are_kept_until_they_run_out(void **state)
{
    (void)state;
    struct http_tokens *tokens = http_tokens_new();
    assert_null(http_tokens_find(tokens, "a", 0));
    for (int i = 0; i < 300; i++) { /* more than there is room for: those that run out first go */
        AUTO_FREE char *key = mem_printf("k%d", i);
        http_tokens_put(tokens, key, key, 1000 + i);
    }
    assert_string_equal(http_tokens_find(tokens, "k299", 1000), "k299");
    assert_null(http_tokens_find(tokens, "k0", 1000));
    assert_null(http_tokens_find(tokens, "k299", 1299)); /* run out */
    http_tokens_put(tokens, "k299", "new", 9999);
    assert_string_equal(http_tokens_find(tokens, "k299", 2000), "new");
    http_tokens_forget(tokens, "k299");
    assert_null(http_tokens_find(tokens, "k299", 2000));
    http_tokens_free(tokens);
}

static void test_retries(void **state)
{
    (void)state;
    struct node_run r;
    set(&flaky_left, 2);
    run(&r, "{\"url\":\"$/flaky\",\"maxRetries\":2}");
    assert_int_equal(json_count(r.call.logs), 2);
    node_run_done(&r);
    set(&flaky_left, 2);
    fails("{\"url\":\"$/flaky\",\"maxRetries\":1}", ERR_NODE_RETRY, NULL, "answered 503: busy");
    set(&flaky_left, 1);
    fails("{\"url\":\"$/flaky\",\"maxRetries\":5,\"retryStatuses\":[429]}", ERR_NODE_RETRY, NULL, "answered 503");
    set(&flaky_left, 1);
    fails("{\"url\":\"$/flaky/later\",\"maxRetries\":5}", ERR_NODE_RETRY, NULL,
          "answered 503"); /* tomorrow is too late */
    fails("{\"url\":\"$/\",\"maxRetries\":100}", ERR_VALIDATION, "maxRetries", "0 to 20");
    fails("{\"url\":\"$/\",\"retryStatuses\":[200]}", ERR_VALIDATION, "retryStatuses", "400 to 599");
    set(&flaky_left, 0);
}

static void test_bodies(void **state)
{
    (void)state;
    struct node_run r;
    run(&r,
        "{\"url\":\"$/echo\",\"method\":\"POST\",\"bodyType\":\"multipart\",\"body\":{\"a\":1,\"n\":null,\"j\":{\"k\":"
        "[2]},\"f\":{\"base64\":\"aGk=\",\"contentType\":\"text/x\",\"fileName\":\"h.txt\"}}}");
    const char *type = came(&r, "Content-Type"), *boundary = strstr(type, "boundary=");
    assert_true(strncmp(type, "multipart/form-data; boundary=", 30) == 0);
    AUTO_FREE char *expected = mem_printf(
        "--%1$s\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--%1$s\r\nContent-Disposition: form-data; "
        "name=\"j\"\r\nContent-Type: application/json\r\n\r\n{\"k\":[2]}\r\n--%1$s\r\nContent-Disposition: form-data; "
        "name=\"f\"; filename=\"h.txt\"\r\nContent-Type: text/x\r\n\r\nhi\r\n--%1$s--\r\n",
        boundary + 9);
    assert_string_equal(came(&r, "body"), expected);
    node_run_done(&r);
    run(&r,
        "{\"url\":\"$/echo\",\"method\":\"PUT\",\"bodyType\":\"binary\",\"body\":{\"base64\":\"aGk=\",\"contentType\":"
        "\"a/b\"}}");
    assert_string_equal(came(&r, "body"), "hi");
    assert_string_equal(came(&r, "Content-Type"), "a/b");
    node_run_done(&r);
    run(&r, "{\"url\":\"$/bytes\"}");
    json_assert_equal(json_get(r.call.outputs, "response"),
                      "{\"base64\":\"iVBOR/8=\",\"contentType\":\"image/png\",\"size\":5}");
    node_run_done(&r);
    run(&r, "{\"url\":\"$/echo\",\"responseType\":\"text\"}");
    assert_true(json_is(json_get(r.call.outputs, "response"), JSON_STRING));
    node_run_done(&r);
    fails("{\"url\":\"$/bytes\",\"responseType\":\"json\"}", ERR_NODE, NULL, "must be JSON");
    fails("{\"url\":\"$/bytes\",\"responseType\":\"text\"}", ERR_NODE, NULL, "set responseType to binary");
    fails("{\"url\":\"$/echo\",\"method\":\"POST\",\"bodyType\":\"binary\",\"body\":\"x\"}", ERR_VALIDATION, "body",
          "base64");
    fails("{\"url\":\"$/echo\",\"method\":\"POST\",\"bodyType\":\"binary\",\"body\":{\"base64\":\"?\"}}",
          ERR_VALIDATION, "body", "base64");
    fails("{\"url\":\"$/echo\",\"method\":\"POST\",\"bodyType\":\"multipart\",\"body\":[1]}", ERR_VALIDATION, "body",
          "object");
    fails("{\"url\":\"$/echo\",\"method\":\"POST\",\"bodyType\":\"multipart\",\"body\":{\"a\\\"b\":1}}", ERR_VALIDATION,
          "body.a\"b", "quotes");
}

static void test_network_settings(void **state)
{
    (void)state;
    struct node_run r; /* the server of the test is the proxy: it is asked for the whole address */
    run(&r, "{\"url\":\"http://shop.invalid/a?b=1\",\"proxy\":\"$\"}");
    assert_string_equal(came(&r, "target"), "http://shop.invalid/a?b=1");
    node_run_done(&r);
    fails("{\"url\":\"$/\",\"proxy\":\"file:///x\"}", ERR_VALIDATION, "proxy", "socks5");
    fails("{\"url\":\"$/\",\"tls\":{\"certificate\":\"x\"}}", ERR_VALIDATION, "tls.key", "together");
    fails("{\"url\":\"$/\",\"tls\":{\"verify\":\"no\"}}", ERR_VALIDATION, "tls.verify", "true or false");
}

static void test_the_guard(void **state)
{
    (void)state;
    node_run_deny_private = true;
    fails("{\"url\":\"$/echo\"}", ERR_NODE, "url", "HTTP_DENY_PRIVATE");
    AUTO_FREE char *by_name = mem_printf("{\"url\":\"http://localhost:%d/\"}", test_http_port(server));
    node_assert_fails("http-request", by_name, ERR_NODE, "url", "HTTP_DENY_PRIVATE"); /* asked after the resolution */
    node_run_deny_private = false;
}

static bool is_private(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return http_address_is_private(&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return http_address_is_private(&six);
}

static void test_private_addresses(void **state)
{
    (void)state;
    static const char *const inner[] = {"127.0.0.1",      "10.1.2.3",        "172.16.0.1",  "172.31.255.255",
                                        "192.168.1.1",    "169.254.169.254", "0.0.0.0",     "100.64.0.1",
                                        "224.0.0.1",      "255.255.255.255", "::1",         "::",
                                        "fe80::1",        "fd00::1",         "ff02::1",     "::ffff:127.0.0.1",
                                        "64:ff9b::a00:1", "2002:7f00:1::",   "::127.0.0.1", "192.0.2.1"};
    static const char *const open[] = {"8.8.8.8",      "172.32.0.1",     "11.0.0.1",         "100.128.0.1",
                                       "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (!is_private(inner[i]))
            fail_msg("%s should be private", inner[i]);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (is_private(open[i]))
            fail_msg("%s should be public", open[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_aws),
        cmocka_unit_test(test_oauth2),
        cmocka_unit_test(test_tokens_are_kept_until_they_run_out),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_network_settings),
        cmocka_unit_test(test_the_guard),
        cmocka_unit_test(test_private_addresses),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
