/* Mails by SMTP (RFC 5321), over the connections and the loop of the HTTP client. */
#pragma once
#include "nodes/http_client.h"

enum mail_security {
    MAIL_STARTTLS, /* in the clear, then encrypted before anything is said; refused when the server cannot */
    MAIL_TLS,      /* encrypted from the first byte */
    MAIL_PLAIN
};

/* Everything is copied. Addresses are checked by the caller (mail_message.h): they go into commands as they are. */
struct mail_request {
    const char *host; /* a name, or an address; checked here */
    int port;
    enum mail_security security;
    const char *user, *password, *bearer; /* NULL: none; bearer: an OAuth token instead of a password */
    const char *from;
    const char *const *recipients; /* NULL-terminated */
    const char *message;           /* headers and body, lines with \r\n */
    size_t message_len;
    int64_t timeout_ms;
    bool skip_tls_checks;
    const char *ca; /* PEM, NULL: the system's */
};

/* As http_client_start. The response has the code of the server's last reply as status, its line as body. A mail is
 * taken for all recipients or for none. ERR_NODE_RETRY also for what the server calls passing (4xx). */
enum err mail_client_start(struct http_client *client, const struct mail_request *request, http_done_fn done,
                           void *user, struct http_transfer **ret, struct error *reterr) ERROR_MUST_CHECK;
