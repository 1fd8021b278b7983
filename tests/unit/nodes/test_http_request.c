/* http-request against a server of the test's own: what is sent, what comes of each answer, redirects, pages. */
#include "base/loop.h"
#include "base/mem.h"
#include "nodes/http_client.h"
#include "support/http_server.h"
#include "support/node_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_http *server, *other;
static const char json_type[] = "Content-Type: application/json\r\n";

/* What came, as JSON. */
static void answer_echo(const struct test_http_request *request, struct buf *answer)
{
    static const char *const shown[] = {"Content-Type", "Authorization",   "X-Api-Key",
                                        "Accept",       "Idempotency-Key", "Cookie"};
    AUTO_JSON struct json *echo = json_object_new();
    json_set_str(echo, "method", request->method);
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

/* /redirect/STATUS/where: where = same, other, loop, file, nowhere */
static void answer_redirect(const struct test_http_request *request, struct buf *answer)
{
    int status = atoi(request->target + strlen("/redirect/"));
    const char *where = strrchr(request->target, '/') + 1;
    AUTO_FREE char *location = strcmp(where, "same") == 0 ? mem_dup("/echo?redirected=1")
                               : strcmp(where, "other") == 0
                                   ? mem_printf("http://127.0.0.1:%d/echo", test_http_port(other))
                               : strcmp(where, "loop") == 0 ? mem_dup(request->target)
                                                            : mem_dup("file:///etc/passwd");
    AUTO_FREE char *header = mem_printf("Location: %s\r\n", location);
    test_http_answer(answer, status, strcmp(where, "nowhere") == 0 ? "" : header, "moved");
}

static int number_of(const char *target, const char *name, int otherwise)
{
    const char *at = strstr(target, name);
    return at == NULL ? otherwise : atoi(at + strlen(name));
}

/* Seven items in pages of three: /pages/{number,cursor,next,link}. */
static void answer_page(const struct test_http_request *request, struct buf *answer)
{
    enum { ITEMS = 7, SIZE = 3 };
    int first = number_of(request->target, "number?page=", 0) > 0
                    ? (number_of(request->target, "number?page=", 1) - 1) * SIZE
                    : number_of(request->target, "offset=", number_of(request->target, "after=", 0));
    AUTO_JSON struct json *items = json_array_new();
    for (int i = first; i < ITEMS && i < first + SIZE; i++)
        json_push(items, json_int_new(i));
    AUTO_FREE char *list = json_dup_text(items);
    bool more = first + SIZE < ITEMS;
    if (strstr(request->target, "/number") != NULL) {
        test_http_answer(answer, 200, json_type, list);
    } else if (strstr(request->target, "/cursor") != NULL) {
        AUTO_FREE char *body = more
                                   ? mem_printf("{\"data\":{\"items\":%s},\"meta\":{\"after\":%d}}", list, first + SIZE)
                                   : mem_printf("{\"data\":{\"items\":%s},\"meta\":{\"after\":null}}", list);
        test_http_answer(answer, 200, json_type, body);
    } else if (strstr(request->target, "/next") != NULL) {
        AUTO_FREE char *body = more
                                   ? mem_printf("{\"items\":%s,\"next\":\"/pages/next?offset=%d\"}", list, first + SIZE)
                                   : mem_printf("{\"items\":%s}", list);
        test_http_answer(answer, 200, json_type, body);
    } else {
        AUTO_FREE char *header =
            mem_printf("%sLink: </first>; rel=\"first\"; title=\"a, <b>; rel=next\"%s%d>; rel=\"last next\"\r\n",
                       json_type, more ? ", <?offset=" : ", </last?x=", first + SIZE);
        AUTO_FREE char *plain = mem_printf("%sLink: </first>; rel=first\r\n", json_type);
        test_http_answer(answer, 200, more ? header : plain, list);
    }
}

static bool on_request(void *user, const struct test_http_request *request, struct buf *answer)
{
    (void)user;
    const char *target = request->target;
    if (strncmp(target, "/echo", 5) == 0) {
        answer_echo(request, answer);
    } else if (strncmp(target, "/redirect/", 10) == 0) {
        answer_redirect(request, answer);
    } else if (strncmp(target, "/pages/", 7) == 0) {
        answer_page(request, answer);
    } else if (strncmp(target, "/status/", 8) == 0) {
        test_http_answer(answer, atoi(target + 8), "", "because");
    } else if (strcmp(target, "/text") == 0) {
        test_http_answer(answer, 200, "Content-Type: text/plain\r\nX-Twice: a\r\nX-Twice: b\r\n", "h\xc3\xa9");
    } else if (strcmp(target, "/binary") == 0) {
        test_http_answer(answer, 200, "Content-Type: image/png\r\n", "\x89PNG\xff");
    } else if (strcmp(target, "/broken-json") == 0) {
        test_http_answer(answer, 200, json_type, "{\"a\":");
    } else if (strcmp(target, "/empty") == 0) {
        test_http_answer(answer, 204, "", "");
    } else if (strcmp(target, "/cut") == 0) {
        buf_add_str(answer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        return false;
    } else if (strcmp(target, "/garbage") == 0) {
        buf_add_str(answer, "this is not HTTP at all\r\n\r\n");
        return false;
    } else if (strcmp(target, "/gzip") == 0) {
        static const unsigned char hello[] = {0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 3, 0xcb, 0x48, 0xcd,
                                              0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0}; /* "hello" */
        buf_printf(
            answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
            sizeof hello);
        buf_add(answer, hello, sizeof hello);
    } else if (strncmp(target, "/silence", 8) == 0) {
        return true; /* no answer; test_http_stop ends it */
    } else if (strcmp(target, "/elsewhere") == 0) {
        test_http_answer(answer, 200, json_type, "{\"items\":[1],\"next\":\"http://127.0.0.1:1/page\"}");
    } else if (strcmp(target, "/again") == 0) {
        test_http_answer(answer, 200, json_type, "{\"items\":[1],\"next\":\"/again\"}");
    } else {
        test_http_answer(answer, 404, "", "no such path");
    }
    return true;
}

static int start_servers(void **state)
{
    (void)state;
    server = test_http_start(on_request, NULL);
    other = test_http_start(on_request, NULL);
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    test_http_stop(server);
    test_http_stop(other);
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

/* The echo of a request must equal this. */
static void sends(const char *text, const char *expected)
{
    struct node_run r;
    run(&r, text);
    struct json *echo = json_dup(json_get(r.call.outputs, "response"));
    json_remove(echo, "Accept");
    json_remove(echo, "Idempotency-Key");
    json_assert_equal(echo, expected);
    json_unref(echo);
    node_run_done(&r);
}

static void test_what_is_sent(void **state)
{
    (void)state;
    sends("{\"url\":\"$/echo\"}", "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\"}");
    sends("{\"url\":\"$/echo?a=1#part\",\"query\":{\"b\":[1,\"x y\"],\"c\":null,\"d\":\"&=é\"}}",
          "{\"method\":\"GET\",\"target\":\"/echo?a=1&b=1&b=x%20y&d=%26%3D%C3%A9\",\"body\":\"\"}");
    sends(
        "{\"url\":\"$/echo\",\"method\":\"POST\",\"body\":{\"a\":1}}",
        "{\"method\":\"POST\",\"target\":\"/echo\",\"body\":\"{\\\"a\\\":1}\",\"Content-Type\":\"application/json\"}");
    sends(
        "{\"url\":\"$/echo\",\"method\":\"PUT\",\"body\":\"plain\",\"bodyType\":\"text\"}",
        "{\"method\":\"PUT\",\"target\":\"/echo\",\"body\":\"plain\",\"Content-Type\":\"text/plain; charset=utf-8\"}");
    sends("{\"url\":\"$/echo\",\"method\":\"POST\",\"body\":{\"a\":\"1&2\",\"b\":true},\"bodyType\":\"form\"}",
          "{\"method\":\"POST\",\"target\":\"/echo\",\"body\":\"a=1%262&b=true\",\"Content-Type\":\"application/"
          "x-www-form-urlencoded\"}");
    sends("{\"url\":\"$/echo\",\"method\":\"DELETE\"}", "{\"method\":\"DELETE\",\"target\":\"/echo\",\"body\":\"\"}");
    sends("{\"url\":\"$/echo\",\"method\":\"POST\"}", "{\"method\":\"POST\",\"target\":\"/echo\",\"body\":\"\"}");
    sends("{\"url\":\"$/echo\",\"headers\":{\"X-Api-Key\":\"k\",\"Content-Type\":\"a/"
          "b\"},\"method\":\"POST\",\"body\":1}",
          "{\"method\":\"POST\",\"target\":\"/echo\",\"body\":\"1\",\"Content-Type\":\"a/b\",\"X-Api-Key\":\"k\"}");
    sends("{\"url\":\"$/echo\",\"auth\":{\"type\":\"basic\",\"username\":\"u\",\"password\":\"p\"}}",
          "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\",\"Authorization\":\"Basic dTpw\"}");
    sends("{\"url\":\"$/echo\",\"auth\":{\"type\":\"bearer\",\"token\":\"t\"}}",
          "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\",\"Authorization\":\"Bearer t\"}");
}

static void test_the_idempotency_key_goes_along(void **state)
{
    (void)state;
    struct node_run r;
    run(&r, "{\"url\":\"$/echo\",\"method\":\"POST\"}");
    assert_string_equal(json_get_str(json_get(r.call.outputs, "response"), "Idempotency-Key"), "e1/n1/0");
    node_run_done(&r);
}

static void test_answers(void **state)
{
    (void)state;
    struct node_run r;
    run(&r, "{\"url\":\"$/text\"}");
    assert_string_equal(json_get_str(r.call.outputs, "response"), "hé");
    assert_string_equal(json_get_str(json_get(r.call.outputs, "headers"), "x-twice"), "a, b");
    assert_int_equal(json_get_int(r.call.outputs, "statusCode", 0), 200);
    assert_false(json_has(r.call.outputs, "pages"));
    node_run_done(&r);
    run(&r, "{\"url\":\"$/gzip\"}");
    assert_string_equal(json_get_str(r.call.outputs, "response"), "hello");
    node_run_done(&r);
    run(&r, "{\"url\":\"$/empty\"}");
    assert_string_equal(json_get_str(r.call.outputs, "response"), "");
    node_run_done(&r);
    run(&r, "{\"url\":\"$/status/503\",\"failOnStatus\":false}");
    assert_int_equal(json_get_int(r.call.outputs, "statusCode", 0), 503);
    node_run_done(&r);
    run(&r, "{\"url\":\"$/echo\",\"method\":\"HEAD\"}");
    assert_int_equal(json_get_int(r.call.outputs, "statusCode", 0), 200);
    node_run_done(&r);
}

static void test_bad_answers(void **state)
{
    (void)state;
    fails("{\"url\":\"$/status/404\"}", ERR_NODE, NULL, "404: because");
    fails("{\"url\":\"$/status/400\"}", ERR_NODE, NULL, "400");
    fails("{\"url\":\"$/status/408\"}", ERR_NODE_RETRY, NULL, "408");
    fails("{\"url\":\"$/status/429\"}", ERR_NODE_RETRY, NULL, "429");
    fails("{\"url\":\"$/status/503\"}", ERR_NODE_RETRY, NULL, "503");
    fails("{\"url\":\"$/binary\",\"responseType\":\"text\"}", ERR_NODE, NULL, "no UTF-8 text (image/png)");
    fails("{\"url\":\"$/broken-json\"}", ERR_NODE, NULL, "says that it is JSON");
    fails("{\"url\":\"$/cut\"}", ERR_NODE_RETRY, NULL, "connection failed");
    fails("{\"url\":\"$/garbage\"}", ERR_NODE, NULL, "request failed");
    fails("{\"url\":\"$/text\",\"maxResponseBytes\":2}", ERR_LIMIT, NULL, "larger than 2 bytes");
    fails("{\"url\":\"$/silence\",\"timeout\":50}", ERR_NODE_RETRY, NULL, "within 50 ms");
    fails("{\"url\":\"http://127.0.0.1:1/\"}", ERR_NODE_RETRY, NULL, "127.0.0.1 port 1");
    fails("{\"url\":\"http://no-such-host.invalid/\"}", ERR_NODE_RETRY, NULL, "no-such-host.invalid");
}

static void test_bad_configuration(void **state)
{
    (void)state;
    fails("{}", ERR_VALIDATION, "url", NULL);
    fails("{\"url\":5}", ERR_VALIDATION, "url", NULL);
    fails("{\"url\":\"ftp://x\"}", ERR_VALIDATION, "url", "http://");
    fails("{\"url\":\"http://\"}", ERR_VALIDATION, "url", NULL);
    fails("{\"url\":\"http://a b/\"}", ERR_VALIDATION, "url", "%20");
    fails("{\"url\":\"$/\",\"method\":\"BREW\"}", ERR_VALIDATION, "method", NULL);
    fails("{\"url\":\"$/\",\"headers\":[]}", ERR_VALIDATION, "headers", NULL);
    fails("{\"url\":\"$/\",\"headers\":{\"X\":\"a\\r\\nY: b\"}}", ERR_VALIDATION, "headers", NULL);
    fails("{\"url\":\"$/\",\"headers\":{\"bad name\":\"a\"}}", ERR_VALIDATION, "headers", NULL);
    fails("{\"url\":\"$/\",\"headers\":{\"X\":{}}}", ERR_VALIDATION, "headers", "headers.X");
    fails("{\"url\":\"$/\",\"method\":\"POST\",\"body\":1,\"bodyType\":\"form\"}", ERR_VALIDATION, "body", NULL);
    fails("{\"url\":\"$/\",\"method\":\"POST\",\"body\":1,\"bodyType\":\"text\"}", ERR_VALIDATION, "body", NULL);
    fails("{\"url\":\"$/\",\"auth\":{\"type\":\"basic\"}}", ERR_VALIDATION, "auth.username", NULL);
    fails("{\"url\":\"$/\",\"auth\":{\"type\":\"bearer\",\"token\":\"a\\nb\"}}", ERR_VALIDATION, "auth.token", NULL);
    fails("{\"url\":\"$/\",\"timeout\":0}", ERR_VALIDATION, "timeout", NULL);
    fails("{\"url\":\"$/\",\"paging\":{}}", ERR_VALIDATION, "paging.mode", NULL);
    fails("{\"url\":\"$/\",\"paging\":{\"mode\":\"page\"}}", ERR_VALIDATION, "paging.parameter", NULL);
    fails("{\"url\":\"$/\",\"paging\":{\"mode\":\"cursor\",\"parameter\":\"c\"}}", ERR_VALIDATION, "paging.next", NULL);
    fails("{\"url\":\"$/\",\"paging\":{\"mode\":\"page\",\"parameter\":\"p\",\"maxPages\":0}}", ERR_VALIDATION,
          "paging.maxPages", NULL);
}

#define SECRETS "\"headers\":{\"X-Api-Key\":\"k\",\"Cookie\":\"c\",\"Authorization\":\"mine\"}"

static void test_redirects_on_the_same_site_keep_what_was_sent(void **state)
{
    (void)state;
    sends("{\"url\":\"$/redirect/302/same\"," SECRETS "}",
          "{\"method\":\"GET\",\"target\":\"/echo?redirected=1\",\"body\":\"\",\"X-Api-Key\":\"k\",\"Cookie\":\"c\","
          "\"Authorization\":\"mine\"}");
    sends(
        "{\"url\":\"$/redirect/307/"
        "same\",\"method\":\"POST\",\"body\":[1],\"auth\":{\"type\":\"bearer\",\"token\":\"t\"}}",
        "{\"method\":\"POST\",\"target\":\"/echo?redirected=1\",\"body\":\"[1]\",\"Content-Type\":\"application/json\","
        "\"Authorization\":\"Bearer t\"}");
    static const char *const turned[] = {"301", "302", "303"};
    for (size_t i = 0; i < sizeof turned / sizeof *turned; i++) {
        AUTO_FREE char *text =
            mem_printf("{\"url\":\"$/redirect/%s/same\",\"method\":\"POST\",\"body\":[1]}", turned[i]);
        sends(text, "{\"method\":\"GET\",\"target\":\"/echo?redirected=1\",\"body\":\"\"}");
    }
    sends("{\"url\":\"$/redirect/302/same\",\"method\":\"PUT\",\"body\":[1]}",
          "{\"method\":\"PUT\",\"target\":\"/echo?redirected=1\",\"body\":\"[1]\",\"Content-Type\":\"application/"
          "json\"}");
    sends("{\"url\":\"$/redirect/303/same\",\"method\":\"DELETE\"}",
          "{\"method\":\"GET\",\"target\":\"/echo?redirected=1\",\"body\":\"\"}");
}

static void test_redirects_to_another_site_take_no_secret_along(void **state)
{
    (void)state;
    sends("{\"url\":\"$/redirect/302/other\"," SECRETS "}", "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\"}");
    sends("{\"url\":\"$/redirect/307/other\",\"method\":\"POST\",\"body\":[1]," SECRETS "}",
          "{\"method\":\"POST\",\"target\":\"/echo\",\"body\":\"[1]\",\"Content-Type\":\"application/json\"}");
    sends("{\"url\":\"$/redirect/308/other\",\"auth\":{\"type\":\"basic\",\"username\":\"u\",\"password\":\"p\"}}",
          "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\"}");
    sends("{\"url\":\"$/redirect/301/other\",\"auth\":{\"type\":\"bearer\",\"token\":\"t\"}}",
          "{\"method\":\"GET\",\"target\":\"/echo\",\"body\":\"\"}");
}

static void test_redirects_have_bounds(void **state)
{
    (void)state;
    unsigned before = test_http_count(server);
    fails("{\"url\":\"$/redirect/302/loop\"}", ERR_NODE, "url", "more than 10 times");
    assert_int_equal(test_http_count(server) - before, 11);
    fails("{\"url\":\"$/redirect/302/file\"}", ERR_NODE, "url", "file:///etc/passwd");
    struct node_run r;
    run(&r, "{\"url\":\"$/redirect/302/same\",\"followRedirects\":false}");
    assert_int_equal(json_get_int(r.call.outputs, "statusCode", 0), 302);
    node_run_done(&r);
    run(&r, "{\"url\":\"$/redirect/302/nowhere\"}");
    assert_string_equal(json_get_str(r.call.outputs, "response"), "moved");
    node_run_done(&r);
}

static void pages(const char *paging, const char *items, int count)
{
    struct node_run r;
    run(&r, paging);
    json_assert_equal(json_get(r.call.outputs, "response"), items);
    assert_int_equal(json_get_int(r.call.outputs, "pages", 0), count);
    assert_int_equal(r.call.records, json_count(json_get(r.call.outputs, "response")));
    node_run_done(&r);
}

static void test_pages(void **state)
{
    (void)state;
    static const char all[] = "[0,1,2,3,4,5,6]";
    pages("{\"url\":\"$/pages/number\",\"paging\":{\"mode\":\"page\",\"parameter\":\"page\"}}", all, 4);
    pages("{\"url\":\"$/pages/"
          "number\",\"query\":{\"page\":9},\"paging\":{\"mode\":\"page\",\"parameter\":\"page\",\"pageSize\":3}}",
          all, 3);
    pages("{\"url\":\"$/pages/number\",\"paging\":{\"mode\":\"page\",\"parameter\":\"offset\",\"start\":0,\"step\":3,"
          "\"pageSize\":3}}",
          all, 3);
    pages("{\"url\":\"$/pages/cursor\",\"paging\":{\"mode\":\"cursor\",\"parameter\":\"after\",\"next\":\"meta.after\","
          "\"items\":\"data.items\"}}",
          all, 3);
    pages("{\"url\":\"$/pages/next\",\"paging\":{\"mode\":\"nextUrl\",\"next\":\"next\",\"items\":\"items\"}}", all, 3);
    pages("{\"url\":\"$/pages/link\",\"paging\":{\"mode\":\"nextUrl\"}}", all, 3);
    pages("{\"url\":\"$/pages/number\",\"paging\":{\"mode\":\"page\",\"parameter\":\"page\",\"start\":4}}", "[]", 1);
}

static void test_pages_that_do_not_end_or_are_none(void **state)
{
    (void)state;
    fails("{\"url\":\"$/pages/number\",\"paging\":{\"mode\":\"page\",\"parameter\":\"page\",\"maxPages\":2}}",
          ERR_LIMIT, "paging.maxPages", "more than 2 pages");
    pages("{\"url\":\"$/pages/"
          "number\",\"paging\":{\"mode\":\"page\",\"parameter\":\"page\",\"maxPages\":2,\"atMaxPages\":\"stop\"}}",
          "[0,1,2,3,4,5]", 2);
    fails("{\"url\":\"$/again\",\"paging\":{\"mode\":\"nextUrl\",\"next\":\"next\",\"items\":\"items\"}}", ERR_NODE,
          "paging.next", "read before");
    fails("{\"url\":\"$/elsewhere\",\"paging\":{\"mode\":\"nextUrl\",\"next\":\"next\",\"items\":\"items\"}}", ERR_NODE,
          "paging.next", "same site");
    fails("{\"url\":\"$/echo\",\"paging\":{\"mode\":\"nextUrl\"}}", ERR_NODE, "paging.items", "must be an array");
    fails("{\"url\":\"$/"
          "elsewhere\",\"paging\":{\"mode\":\"cursor\",\"parameter\":\"c\",\"next\":\"items\",\"items\":\"items\"}}",
          ERR_NODE, "paging.next", "text or a number");
    fails("{\"url\":\"$/status/500\",\"paging\":{\"mode\":\"page\",\"parameter\":\"p\"}}", ERR_NODE_RETRY, NULL, "500");
}

/* ---- the client: many at once, and ends before the answer */

struct many {
    struct loop *loop;
    struct http_client *client;
    unsigned left, good, wanted;
    const char *path;
    bool aborts;
};

static void on_one(void *user, const struct http_response *response, const struct error *error)
{
    struct many *many = user;
    (void)error;
    many->good += response != NULL && response->status == 200;
    if (--many->left == 0)
        loop_stop(many->loop);
}

static void start_many(void *user)
{
    struct many *many = user;
    AUTO_FREE char *url = mem_printf("http://127.0.0.1:%d%s", test_http_port(server), many->path);
    many->client = http_client_new(many->loop, &(struct http_client_options){0});
    struct error error;
    for (unsigned i = 0; i < many->wanted; i++) {
        struct http_transfer *transfer;
        const struct http_request request = {.method = "GET", .url = url, .follow_redirects = true};
        assert_int_equal(http_client_start(many->client, &request, on_one, many, &transfer, &error), ERR_OK);
        if (many->aborts && i % 2 == 1)
            http_transfer_abort(transfer);
        else
            many->left++;
    }
}

static void run_many(struct many *many)
{
    many->loop = loop_new();
    loop_post(many->loop, start_many, many);
    loop_run(many->loop);
    http_client_free(many->client);
    loop_free(many->loop);
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct many many = {.wanted = 300, .path = "/echo"};
    run_many(&many);
    assert_int_equal(many.good, 300);
    many = (struct many){.wanted = 100, .path = "/redirect/302/same", .aborts = true};
    run_many(&many);
    assert_int_equal(many.good, 50);
}

static void stop_soon(void *user)
{
    loop_stop(user);
}

static void test_the_client_may_go_while_requests_wait(void **state)
{
    (void)state;
    struct many many = {.wanted = 20, .path = "/silence"};
    many.loop = loop_new();
    struct loop_timer *timer = loop_timer_new(many.loop, stop_soon, many.loop);
    loop_timer_set(timer, 20);
    loop_post(many.loop, start_many, &many);
    loop_run(many.loop);
    assert_int_equal(many.left, 20);
    http_client_free(many.client);
    loop_timer_free(timer);
    loop_free(many.loop);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(http_url_same_origin("http://a.example/x", "http://A.example:80/y"));
    assert_false(http_url_same_origin("http://a.example", "https://a.example"));
    assert_false(http_url_same_origin("http://a.example", "http://a.example:81"));
    assert_false(http_url_same_origin("http://a.example", "http://b.example"));
    assert_false(http_url_same_origin("http://a.example", "nonsense"));
    AUTO_FREE char *relative = http_url_resolve("http://a.example/x/y?z=1", "?z=2");
    assert_string_equal(relative, "http://a.example/x/y?z=2");
    AUTO_FREE char *absolute = http_url_resolve("http://a.example/x/y?z=1", "/w");
    assert_string_equal(absolute, "http://a.example/w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_sent),
                                       cmocka_unit_test(test_the_idempotency_key_goes_along),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_bad_answers),
                                       cmocka_unit_test(test_bad_configuration),
                                       cmocka_unit_test(test_redirects_on_the_same_site_keep_what_was_sent),
                                       cmocka_unit_test(test_redirects_to_another_site_take_no_secret_along),
                                       cmocka_unit_test(test_redirects_have_bounds),
                                       cmocka_unit_test(test_pages),
                                       cmocka_unit_test(test_pages_that_do_not_end_or_are_none),
                                       cmocka_unit_test(test_many_at_once),
                                       cmocka_unit_test(test_the_client_may_go_while_requests_wait),
                                       cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
