/* AWS Signature Version 4 (docs.aws.amazon.com, "Signing AWS API requests"): headers or a presigned address. No I/O;
 * time is a parameter. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

struct sigv4_keys {
    const char *access_key, *secret_key, *session_token; /* session_token may be NULL */
    const char *region, *service;
};

struct sigv4_request {
    const char *method, *url; /* the address exactly as it is sent */
    const char *content_type; /* signed too; NULL: none */
    const void *body;
    size_t body_len;
    int64_t now_ms;
};

#define SIGV4_DATE_BYTES 17 /* 20250301T013000Z */
struct sigv4_headers {
    char date[SIGV4_DATE_BYTES], content_hash[65]; /* X-Amz-Date, X-Amz-Content-Sha256 */
    char authorization[1024];
};

/* VALIDATION (field url) when the address has no host; (field region) when a scope part has odd characters. */
enum err sigv4_sign(const struct sigv4_keys *keys, const struct sigv4_request *request, struct sigv4_headers *ret,
                    struct error *reterr) ERROR_MUST_CHECK;
/* The whole address with its signature, valid for so many seconds (1..604800). */
enum err sigv4_presign(const struct sigv4_keys *keys, const struct sigv4_request *request, int64_t seconds,
                       struct buf *ret, struct error *reterr) ERROR_MUST_CHECK;

/* Percent-encoding as the signature wants it: all but letters, digits and -_.~ ; a slash stays with `keep_slash`. */
void sigv4_encode(struct buf *out, const char *text, size_t n, bool keep_slash);
