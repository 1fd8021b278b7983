/* The text of a mail (RFC 5322, MIME): addresses, headers, parts. No I/O. Nothing that comes in can end a header line:
 * control characters are refused, all but plain ASCII is encoded. */
#pragma once
#include "base/buf.h"
#include "json/json.h"

#define MAIL_RECIPIENTS_MAX 100
#define MAIL_ATTACHMENTS_MAX 50
#define MAIL_BYTES_MAX (25 << 20) /* of the whole message, encoded */

struct mail_address {
    char *name; /* NULL: none */
    char *address;
};
struct mail_list {
    struct mail_address items[MAIL_RECIPIENTS_MAX];
    size_t count;
};
void mail_list_done(struct mail_list *list);

/* "Ana <ana@example.com>, b@example.com", a list of such texts, or null; adds to `list`. VALIDATION with `field` (or
 * field[i]) and what is wrong with which address. */
enum err mail_list_parse(const struct json *value, const char *field, struct mail_list *list,
                         struct error *reterr) ERROR_MUST_CHECK;

struct mail_content {
    const struct mail_list *from, *to, *cc, *reply_to; /* from has one address; the others may be empty */
    const struct json *subject, *text, *html;          /* strings or null; one of text and html */
    const struct json *attachments;                    /* array of {name, contentType?, base64, contentId?}, or null */
    const char *message_id;                            /* without < > */
    int64_t now_ms;
};
/* VALIDATION names subject, attachments[i].…; ERR_LIMIT when it would be larger than MAIL_BYTES_MAX. */
enum err mail_message_print(const struct mail_content *content, struct buf *out, struct error *reterr) ERROR_MUST_CHECK;
