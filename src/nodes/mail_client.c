/* SMTP transfers of the HTTP client's libcurl. */
#include "nodes/mail_client.h"

#include "base/mem.h"
#include "nodes/http_client_int.h"
#include <stdlib.h>
#include <string.h>

#define HOST_BYTES_MAX 253
#define REPLY_BYTES_MAX 1000

/* The server's last line, for the error; but not the answer to QUIT, which follows a refusal. */
static size_t on_reply(char *bytes, size_t one, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    n *= one;
    if (n >= 4 && memcmp(bytes, "221 ", 4) == 0)
        return n;
    size_t len = n > REPLY_BYTES_MAX ? REPLY_BYTES_MAX : n;
    buf_clear(&transfer->body);
    for (size_t i = 0; i < len && bytes[i] != '\r' && bytes[i] != '\n'; i++) /* may be anything: printed as ASCII */
        buf_add_char(&transfer->body, bytes[i] >= 0x20 && bytes[i] < 0x7F ? bytes[i] : '?');
    return n;
}

static size_t on_more(char *bytes, size_t one, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    size_t left = transfer->mail_len - transfer->mail_at;
    n = n * one < left ? n * one : left;
    memcpy(bytes, transfer->body_sent + transfer->mail_at, n);
    transfer->mail_at += n;
    return n;
}

bool mail_reply_error(const struct http_transfer *transfer, CURLcode code, struct error *error)
{
    const char *reply = buf_str(&transfer->body);
    long status = strtol(reply, NULL, 10);
    if (code == CURLE_LOGIN_DENIED) {
        (void)error_set(error, status / 100 == 4 ? ERR_NODE_RETRY : ERR_NODE, "user",
                        "The mail server did not accept user and password: %.300s.",
                        *reply == '\0' ? "it offers no way to log in that both know" : reply);
        return true;
    }
    if (code == CURLE_USE_SSL_FAILED) {
        (void)error_set(error, ERR_NODE, "security",
                        "The mail server does not offer STARTTLS, so nothing was sent: %.200s. Try security tls, or "
                        "none where the network is trusted.",
                        transfer->error_text[0] == '\0' ? reply : transfer->error_text);
        return true;
    }
    if (code == CURLE_OPERATION_TIMEDOUT || status < 400 || status > 599)
        return false;
    (void)error_set(error, status < 500 ? ERR_NODE_RETRY : ERR_NODE, NULL, "The mail server said %.300s.", reply);
    return true;
}

static enum err check(const struct mail_request *request, struct error *reterr)
{
    size_t n = strlen(request->host);
    bool is_name = strspn(request->host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
    bool is_ipv6 = strchr(request->host, ':') != NULL && strspn(request->host, "0123456789abcdefABCDEF:.") == n;
    if (n == 0 || n > HOST_BYTES_MAX || (!is_name && !is_ipv6))
        return error_set(reterr, ERR_VALIDATION, "host",
                         "host must be the name or address of the mail server, such as smtp.example.com.");
    if (request->port < 1 || request->port > 65535)
        return error_set(reterr, ERR_VALIDATION, "port", "port must be from 1 to 65535.");
    return ERR_OK;
}

static void set_login(CURL *easy, const struct mail_request *request)
{
    if (request->user == NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
    if (request->bearer != NULL)
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, request->bearer);
    else
        curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password == NULL ? "" : request->password);
}

enum err mail_client_start(struct http_client *client, const struct mail_request *request, http_done_fn done,
                           void *user, struct http_transfer **ret, struct error *reterr)
{
    enum err code = check(request, reterr);
    if (code != ERR_OK)
        return code;
    struct http_transfer *transfer = http_transfer_new(client, request->timeout_ms, REPLY_BYTES_MAX,
                                                       request->skip_tls_checks, request->ca, done, user);
    CURL *easy = transfer->easy;
    bool is_ipv6 = strchr(request->host, ':') != NULL;
    AUTO_FREE char *url = mem_printf("%s://%s%s%s:%d", request->security == MAIL_TLS ? "smtps" : "smtp",
                                     is_ipv6 ? "[" : "", request->host, is_ipv6 ? "]" : "", request->port);
    AUTO_FREE char *from = mem_printf("<%s>", request->from);
    transfer->is_mail = true;
    transfer->body_sent = mem_dup_n(request->message, request->message_len);
    transfer->mail_len = request->message_len;
    for (const char *const *recipient = request->recipients; *recipient != NULL; recipient++) {
        AUTO_FREE char *address = mem_printf("<%s>", *recipient);
        transfer->headers = curl_slist_append(transfer->headers, address);
    }
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(request->security == MAIL_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_more);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->message_len);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    set_login(easy, request);
    return http_transfer_begin(transfer, ret, reterr);
}
