/* AWS Signature Version 4 against the examples of its documentation (S3 API reference, "Signature Calculations"). */
#include "nodes/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define MAY_24_2013 INT64_C(1369353600000) /* 20130524T000000Z */

static const struct sigv4_keys keys = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                       .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                       .region = "us-east-1",
                                       .service = "s3"};

static void assert_signature(const char *url, const char *signature)
{
    struct sigv4_headers headers;
    struct error error = {0};
    struct sigv4_request request = {.method = "GET", .url = url, .now_ms = MAY_24_2013};
    assert_int_equal(sigv4_sign(&keys, &request, &headers, &error), ERR_OK);
    assert_string_equal(headers.date, "20130524T000000Z");
    assert_string_equal(headers.content_hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_non_null(strstr(headers.authorization,
                           "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;"
                           "x-amz-content-sha256;x-amz-date,Signature="));
    assert_string_equal(strstr(headers.authorization, "Signature=") + 10, signature);
}

static void signs_as_documented(void **state)
{
    (void)state;
    assert_signature("https://examplebucket.s3.amazonaws.com/?lifecycle",
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    assert_signature("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    assert_signature("https://examplebucket.s3.amazonaws.com:443/?prefix=J&max-keys=2",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void presigns_as_documented(void **state)
{
    (void)state;
    struct error error = {0};
    struct buf url;
    buf_init(&url, 0);
    struct sigv4_request request = {
        .method = "GET", .url = "https://examplebucket.s3.amazonaws.com/test.txt", .now_ms = MAY_24_2013};
    assert_int_equal(sigv4_presign(&keys, &request, 86400, &url, &error), ERR_OK);
    assert_string_equal(
        buf_str(&url),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-"
        "Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    buf_done(&url);
}

static void refuses(void **state)
{
    (void)state;
    struct sigv4_headers headers;
    struct error error = {0};
    struct sigv4_request request = {.method = "GET", .url = "nowhere"};
    assert_int_equal(sigv4_sign(&keys, &request, &headers, &error), ERR_VALIDATION);
    assert_string_equal(error.field, "url");
    struct sigv4_keys odd = keys;
    odd.region = "a/b";
    request.url = "http://x/";
    assert_int_equal(sigv4_sign(&odd, &request, &headers, &error), ERR_VALIDATION);
    assert_string_equal(error.field, "region");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signs_as_documented), cmocka_unit_test(presigns_as_documented),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
