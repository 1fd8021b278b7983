/* What the kinds of transfers of the client share. */
#pragma once
#include "base/buf.h"
#include "nodes/http_client.h"
#include <curl/curl.h>

struct http_client {
    CURLM *multi;
    struct loop *loop;
    struct loop_timer *timer;
    struct http_transfer *transfers; /* list */
    struct http_tokens *tokens;      /* NULL until the first is asked for */
    bool deny_private;
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next, *before;
    CURL *easy;
    struct curl_slist *headers; /* of a mail: its recipients */
    char *body_sent;
    size_t mail_len, mail_at; /* of body_sent, of a mail */
    struct buf body;          /* of a mail: the server's last reply */
    struct http_header *received;
    size_t received_count, received_bytes, max_bytes;
    int64_t timeout_ms, started_us;
    bool is_too_large, follows, is_denied, is_mail;
    unsigned redirects;
    char *method; /* NULL of a mail */
    char error_text[CURL_ERROR_SIZE];
    http_done_fn done;
    void *user;
};

/* In the client's list, with the options that all kinds share, not under way yet. */
struct http_transfer *http_transfer_new(struct http_client *client, int64_t timeout_ms, size_t max_bytes,
                                        bool skip_tls_checks, const char *ca, http_done_fn done, void *user);
/* Frees it when it does not start. */
enum err http_transfer_begin(struct http_transfer *transfer, struct http_transfer **ret,
                             struct error *reterr) ERROR_MUST_CHECK;

/* True: the mail server said no, and *error tells what. */
bool mail_reply_error(const struct http_transfer *transfer, CURLcode code, struct error *error);
