/* email-send: sends a mail by SMTP. */
#include "nodes/mail_client.h"
#include "nodes/mail_message.h"
#include "nodes/node_int.h"

#include "base/digest.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 60000

struct email {
    struct mail_list from, to, cc, bcc, reply_to;
    struct buf message;
    char *id;
    struct http_transfer *transfer;
};

static void email_free(struct email *email)
{
    if (email == NULL)
        return;
    mail_list_done(&email->from);
    mail_list_done(&email->to);
    mail_list_done(&email->cc);
    mail_list_done(&email->bcc);
    mail_list_done(&email->reply_to);
    buf_done(&email->message);
    free(email->id);
    free(email);
}

static void on_done(void *user, const struct http_response *response, const struct error *error)
{
    struct node_call *call = user;
    struct email *email = call->state;
    call->state = NULL;
    if (error != NULL) {
        email_free(email);
        node_call_failed(call, error);
        return;
    }
    const struct mail_list *const lists[] = {&email->to, &email->cc, &email->bcc};
    struct json *accepted = json_array_new();
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < lists[k]->count; i++)
            json_push(accepted, json_string_new(lists[k]->items[i].address));
    call->records = 1;
    node_call_set(call, "messageId", json_string_new(email->id));
    node_call_set(call, "accepted", accepted);
    node_call_set(call, "reply", json_string_new(response->body));
    email_free(email);
    node_call_done(call);
}

static enum err no_nul(const struct node_call *call, struct error *reterr)
{
    static const char *const names[] = {"host", "user", "password", "accessToken", "security", NULL};
    for (size_t i = 0; names[i] != NULL; i++)
        if (strlen(node_input_str(call, names[i], "")) != json_as_str_len(json_get(call->inputs, names[i])))
            return error_set(reterr, ERR_VALIDATION, names[i], "%s must not contain NUL characters.", names[i]);
    return ERR_OK;
}

static enum err read_addresses(const struct node_call *call, struct email *email, struct error *reterr)
{
    const struct {
        const char *name;
        struct mail_list *list;
    } all[] = {{"from", &email->from},
               {"to", &email->to},
               {"cc", &email->cc},
               {"bcc", &email->bcc},
               {"replyTo", &email->reply_to}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        enum err code = mail_list_parse(json_get(call->inputs, all[i].name), all[i].name, all[i].list, reterr);
        if (code != ERR_OK)
            return code;
    }
    size_t count = email->to.count + email->cc.count + email->bcc.count;
    if (email->from.count != 1)
        return error_set(reterr, ERR_VALIDATION, "from", "from must be one mail address.");
    if (count == 0)
        return error_set(reterr, ERR_VALIDATION, "to", "to, cc or bcc must name somebody who gets the mail.");
    if (count > MAIL_RECIPIENTS_MAX)
        return error_set(reterr, ERR_LIMIT, "to", "to, cc and bcc must name at most %d addresses together.",
                         MAIL_RECIPIENTS_MAX);
    return ERR_OK;
}

/* The same over retries, so that a mail that comes twice can be known for one. */
static char *message_id(const struct node_call *call, const struct email *email)
{
    unsigned char digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    digest_sha256(call->idempotency_key, strlen(call->idempotency_key), digest);
    digest_hex(digest, hex);
    return mem_printf("%.32s%s", hex, strrchr(email->from.items[0].address, '@'));
}

static enum err print(const struct node_call *call, struct email *email, struct error *reterr)
{
    struct mail_content content = {.from = &email->from,
                                   .to = &email->to,
                                   .cc = &email->cc,
                                   .reply_to = &email->reply_to,
                                   .subject = json_get(call->inputs, "subject"),
                                   .text = json_get(call->inputs, "text"),
                                   .html = json_get(call->inputs, "html"),
                                   .attachments = json_get(call->inputs, "attachments"),
                                   .message_id = email->id,
                                   .now_ms = call->now_ms};
    if (content.text == NULL && content.html == NULL)
        return error_set(reterr, ERR_VALIDATION, "text", "text or html is required: what the mail says.");
    return mail_message_print(&content, &email->message, reterr);
}

static enum err start(struct node_call *call, struct email *email, struct error *reterr)
{
    const char *security = node_input_str(call, "security", "starttls"), *recipients[MAIL_RECIPIENTS_MAX + 1] = {0};
    const struct mail_list *const lists[] = {&email->to, &email->cc, &email->bcc};
    size_t count = 0;
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < lists[k]->count; i++)
            recipients[count++] = lists[k]->items[i].address;
    struct mail_request request = {.host = node_input_str(call, "host", ""),
                                   .security = strcmp(security, "tls") == 0    ? MAIL_TLS
                                               : strcmp(security, "none") == 0 ? MAIL_PLAIN
                                                                               : MAIL_STARTTLS,
                                   .user = node_input_str(call, "user", NULL),
                                   .password = node_input_str(call, "password", NULL),
                                   .bearer = node_input_str(call, "accessToken", NULL),
                                   .from = email->from.items[0].address,
                                   .recipients = recipients,
                                   .message = buf_str(&email->message),
                                   .message_len = email->message.len,
                                   .timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS,
                                   .skip_tls_checks = !json_get_bool(call->inputs, "verifyTls", true),
                                   .ca = node_input_str(call, "ca", NULL)};
    int64_t usual = request.security == MAIL_TLS ? 465 : request.security == MAIL_PLAIN ? 25 : 587;
    request.port = (int)json_get_int(call->inputs, "port", usual);
    if (request.user == NULL && (request.password != NULL || request.bearer != NULL))
        return error_set(reterr, ERR_VALIDATION, "user", "user is required with password or accessToken.");
    return mail_client_start(call->host->http, &request, on_done, call, &email->transfer, reterr);
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code == ERR_OK)
        code = no_nul(call, reterr);
    if (code != ERR_OK)
        return code;
    struct email *email = mem_alloc(sizeof *email);
    buf_init(&email->message, MAIL_BYTES_MAX);
    code = read_addresses(call, email, reterr);
    if (code == ERR_OK) {
        email->id = message_id(call, email);
        code = print(call, email, reterr);
    }
    call->state = email;
    if (code == ERR_OK)
        code = start(call, email, reterr);
    if (code != ERR_OK) {
        call->state = NULL;
        email_free(email);
        return code;
    }
    buf_done(&email->message); /* the transfer has its copy */
    return ERR_OK;
}

static void abort_sending(struct node_call *call)
{
    struct email *email = call->state;
    call->state = NULL;
    if (email != NULL)
        http_transfer_abort(email->transfer);
    email_free(email);
}

static const char *const securities[] = {"starttls", "tls", "none", NULL};
static const struct flow_pin inputs[] = {
    {.name = "to", .type = "any", .description = "Who gets it: addresses separated by commas, or a list of them."},
    {.name = "subject", .type = "string", .description = "The subject."},
    {.name = "text", .type = "string", .description = "What it says, as plain text."},
    {.name = "html", .type = "string", .description = "What it says, as HTML."},
    {.name = "attachments", .type = "array", .description = "Files: {name, contentType, base64} each."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "messageId", .type = "string", .description = "The mail's Message-ID, the same over retries."},
    {.name = "accepted", .type = "array", .description = "The addresses it was sent to."},
    {.name = "reply", .type = "string", .description = "What the server said when it took the mail."},
    {0}};
#define SERVER "Server"
static const struct field attachment_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .required = true, .min = 1, .max = 200, .help = "The file's name."},
    {.name = "contentType",
     .kind = FIELD_STRING,
     .max = 100,
     .nullable = true,
     .default_json = "\"application/octet-stream\"",
     .help = "Its media type, such as application/pdf."},
    {.name = "base64",
     .kind = FIELD_STRING,
     .required = true,
     .help = "Its bytes as base64 text, as http-request gives them."},
    {.name = "contentId",
     .kind = FIELD_STRING,
     .nullable = true,
     .max = 200,
     .help = "For images of the HTML: logo@example.com is shown by <img src=\"cid:logo@example.com\">."},
    {0}};
static const struct field fields[] = {
    {.name = "host",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .group = SERVER,
     .help = "Name or address of the mail server, such as smtp.example.com."},
    {.name = "port",
     .kind = FIELD_INT,
     .nullable = true,
     .min = 1,
     .max = 65535,
     .group = SERVER,
     .help = "Its port; without one 587 with starttls, 465 with tls, 25 with none."},
    {.name = "security",
     .kind = FIELD_ENUM,
     .values = securities,
     .default_json = "\"starttls\"",
     .group = SERVER,
     .help = "starttls and tls encrypt, or do not send; none sends mail and password in the clear."},
    {.name = "user",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 500,
     .group = SERVER,
     .help = "Who logs in, at a server that offers that; nobody does when absent."},
    {.name = "password",
     .kind = FIELD_STRING,
     .nullable = true,
     .max = 2000,
     .secret = true,
     .widget = "password",
     .group = SERVER,
     .help = "The user's password."},
    {.name = "accessToken",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 10000,
     .secret = true,
     .widget = "password",
     .group = SERVER,
     .help = "An OAuth 2 access token, instead of a password (XOAUTH2)."},
    {.name = "verifyTls",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .group = SERVER,
     .label = "Check certificates",
     .help = "false accepts any certificate: anyone on the way can read the mail and the password."},
    {.name = "ca",
     .kind = FIELD_STRING,
     .nullable = true,
     .max = 200000,
     .widget = "textarea",
     .group = SERVER,
     .label = "Authorities",
     .help = "Certificates in PEM to trust instead of the system's."},
    {.name = "from",
     .kind = FIELD_STRING,
     .required = true,
     .min = 3,
     .max = 500,
     .help = "Who sends it: ana@example.com or Ana <ana@example.com>."},
    {.name = "to", .kind = FIELD_ANY, .help = "Who gets it: addresses separated by commas, or a list of them."},
    {.name = "cc", .kind = FIELD_ANY, .help = "Who gets a copy, seen by all."},
    {.name = "bcc", .kind = FIELD_ANY, .help = "Who gets a copy, seen by nobody."},
    {.name = "replyTo", .kind = FIELD_ANY, .help = "Where answers go, when not to from."},
    {.name = "subject", .kind = FIELD_STRING, .nullable = true, .max = 2000, .help = "The subject, in one line."},
    {.name = "text",
     .kind = FIELD_STRING,
     .nullable = true,
     .widget = "textarea",
     .help = "What it says, as plain text; with html, for readers that show none."},
    {.name = "html", .kind = FIELD_STRING, .nullable = true, .widget = "textarea", .help = "What it says, as HTML."},
    {.name = "attachments",
     .kind = FIELD_ARRAY,
     .nullable = true,
     .max = MAIL_ATTACHMENTS_MAX,
     .fields = attachment_fields,
     .help = "Files that go along."},
    {0}};
static const struct node_example examples[] = {
    {"A report", "Text for everybody, HTML for who shows it, and a file.",
     "{\"host\":\"localhost\",\"port\":2525,\"security\":\"none\",\"from\":\"Caudal "
     "<caudal@example.com>\",\"to\":\"Ana "
     "<ana@example.com>, ben@example.com\",\"bcc\":\"archive@example.com\",\"subject\":\"Ventas de "
     "ma\xc3\xb1"
     "ana\",\"text\":\"Twelve orders.\",\"html\":\"<b>Twelve</b> "
     "orders.\",\"attachments\":[{\"name\":\"orders.csv\",\"contentType\":\"text/csv\",\"base64\":\"aWQKMQo=\"}]}",
     "{\"messageId\":\"5d41402abc4b2a76b9719d911017c592@example.com\",\"accepted\":[\"ana@example.com\",\"ben@example."
     "com\",\"archive@example.com\"],\"reply\":\"250 queued\"}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"The mail server did not accept user and password", "They are wrong, or the service wants one made for programs.",
     "Check them; many services need an application password or an accessToken."},
    {"The mail server said 550 …", "It refuses the sender, a recipient or the content; no recipient got the mail.",
     "Read its words: they name the reason."},
    {"The mail server does not offer STARTTLS", "It listens encrypted from the start, or not at all.",
     "Try security tls with port 465."},
    {"to holds \"…\", which is no mail address", "Addresses are checked before anything is sent.",
     "Write ana@example.com or Ana <ana@example.com>."},
    {0}};

const struct node_type node_email_send = {
    .spec = {.type = "email-send", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "text"},
    .name = "Send E-mail",
    .version = "1.0.0",
    .description = "Sends a mail by SMTP, with attachments.",
    .category = "notification",
    .icon = "mail",
    .timeout_ms = TIMEOUT_DEFAULT_MS,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"email", "mail", "smtp", "notification", NULL},
    .related = (const char *const[]){"template", "http-request", NULL},
    .purpose = "Use it to tell people what happened. The Message-ID stays the same over retries, so that mail systems "
               "can drop a mail that comes twice.",
    .requirements = (const char *const[]){"A mail server that takes mail from this worker.", NULL},
    .limitations =
        (const char *const[]){
            "At most 100 recipients, 50 attachments and 25 MiB, all encoded.",
            "Sent once or more: when the connection breaks after the mail was given over, a retry sends it again.",
            "Addresses are ASCII; names and subjects may be anything.",
            "When the server refuses one recipient, nobody gets the mail.", NULL},
    .best_practices =
        (const char *const[]){"Keep the password in a secret.",
                              "Make HTML with template and escape html, so that values cannot break it.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_ASYNC,
    .execute = execute,
    .abort = abort_sending,
};
