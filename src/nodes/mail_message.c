/* Mails as text. */
#include "nodes/mail_message.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "flow/timezone.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BYTES_MAX 254 /* RFC 5321, 4.5.3.1 */
#define NAME_BYTES_MAX 200
#define SUBJECT_BYTES_MAX 2000
#define FILE_NAME_BYTES_MAX 200
#define PLAIN_BYTES_MAX 60     /* a longer header value is encoded, and so folded */
#define WORD_BYTES 42          /* of an encoded word: 56 characters of base64 */
#define LINE_BYTES 57          /* of a line of base64: 76 characters */
#define BOUNDARY "=_caudal_%d" /* no line of base64 holds an underscore */

/* ---- addresses ---- */

void mail_list_done(struct mail_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].address);
    }
    list->count = 0;
}

static bool has_control(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return true;
    return false;
}

/* The usual form, in ASCII: no quotes, no comments, no routes. */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || at == text || at - text > 64 || strlen(text) > ADDRESS_BYTES_MAX)
        return false;
    for (const char *c = text; c < at; c++)
        if (!isalnum((unsigned char)*c) && strchr("!#$%&'*+-/=?^_`{|}~.", *c) == NULL)
            return false;
    if (text[0] == '.' || at[-1] == '.' || strstr(text, "..") != NULL)
        return false;
    const char *domain = at + 1;
    size_t n = strlen(domain);
    if (n == 0 || domain[0] == '.' || domain[0] == '-' || domain[n - 1] == '.' || domain[n - 1] == '-')
        return false;
    for (const char *c = domain; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-')
            return false;
    return true;
}

static char *trimmed(const char *from, const char *end)
{
    while (from < end && *from == ' ')
        from++;
    while (end > from && end[-1] == ' ')
        end--;
    return mem_dup_n(from, (size_t)(end - from));
}

static enum err add_one(const char *from, const char *end, const char *field, struct mail_list *list,
                        struct error *reterr)
{
    AUTO_FREE char *part = trimmed(from, end);
    size_t n = strlen(part);
    AUTO_FREE char *name = NULL, *address = NULL;
    char *angle = strrchr(part, '<');
    if (n > 0 && part[n - 1] == '>' && angle != NULL) {
        address = mem_dup_n(angle + 1, (size_t)(part + n - 1 - angle - 1));
        name = trimmed(part, angle);
        size_t len = strlen(name);
        if (len >= 2 && name[0] == '"' && name[len - 1] == '"') {
            memmove(name, name + 1, len - 2);
            name[len - 2] = '\0';
        }
    } else {
        address = mem_dup(part);
    }
    if (!is_address(address))
        return error_set(reterr, ERR_VALIDATION, field,
                         "%s holds \"%.100s\", which is no mail address; write ana@example.com or Ana "
                         "<ana@example.com>, in ASCII.",
                         field, part);
    if (name != NULL && strlen(name) > NAME_BYTES_MAX)
        return error_set(reterr, ERR_VALIDATION, field, "%s holds a name of more than %d bytes.", field,
                         NAME_BYTES_MAX);
    if (list->count == MAIL_RECIPIENTS_MAX)
        return error_set(reterr, ERR_LIMIT, field, "%s holds more than %d addresses.", field, MAIL_RECIPIENTS_MAX);
    struct mail_address *item = &list->items[list->count++];
    *item = (struct mail_address){.address = mem_dup(address)};
    if (name != NULL && *name != '\0')
        item->name = mem_dup(name);
    return ERR_OK;
}

static enum err add_text(const struct json *value, const char *field, struct mail_list *list, struct error *reterr)
{
    const char *text = json_as_str(value);
    size_t n = json_as_str_len(value);
    if (text == NULL)
        return error_set(reterr, ERR_VALIDATION, field,
                         "%s must be a mail address, several separated by commas, or a list of them, not %s.", field,
                         json_kind_name(value));
    if (has_control(text, n))
        return error_set(reterr, ERR_VALIDATION, field, "%s must not hold line breaks or other control characters.",
                         field);
    bool is_quoted = false;
    const char *from = text;
    for (const char *c = text;; c++) {
        is_quoted ^= *c == '"';
        if (*c != '\0' && (*c != ',' || is_quoted))
            continue;
        enum err code = add_one(from, c, field, list, reterr);
        if (code != ERR_OK || *c == '\0')
            return code;
        from = c + 1;
    }
}

enum err mail_list_parse(const struct json *value, const char *field, struct mail_list *list, struct error *reterr)
{
    if (value == NULL)
        return ERR_OK;
    if (!json_is(value, JSON_ARRAY))
        return add_text(value, field, list, reterr);
    enum err code = ERR_OK;
    for (size_t i = 0; i < json_count(value) && code == ERR_OK; i++) {
        AUTO_FREE char *path = mem_printf("%s[%zu]", field, i);
        code = add_text(json_at(value, i), path, list, reterr);
    }
    return code;
}

/* ---- headers ---- */

static bool is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7E)
            return false;
    return n <= PLAIN_BYTES_MAX && strstr(text, "=?") == NULL && (n == 0 || (text[0] != ' ' && text[n - 1] != ' '));
}

/* RFC 2047: words of whole characters, one a line. */
static void add_words(struct buf *out, const char *text, size_t n)
{
    for (size_t from = 0; from < n;) {
        size_t len = 0;
        while (from + len < n) {
            uint32_t point;
            size_t step = utf8_decode(text + from + len, n - from - len, &point);
            step = step == 0 ? 1 : step;
            if (len + step > WORD_BYTES)
                break;
            len += step;
        }
        buf_add_str(out, from > 0 ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
        base64_add(out, text + from, len);
        buf_add_str(out, "?=");
        from += len;
    }
}

static void add_addresses(struct buf *out, const char *header, const struct mail_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct mail_address *item = &list->items[i];
        buf_add_str(out, i == 0 ? header : ",\r\n ");
        if (item->name == NULL) {
            buf_add_str(out, item->address);
            continue;
        }
        if (is_plain(item->name, strlen(item->name)) && strpbrk(item->name, "\"\\") == NULL)
            buf_printf(out, "\"%s\"", item->name);
        else
            add_words(out, item->name, strlen(item->name));
        buf_printf(out, "\r\n <%s>", item->address);
    }
    if (list->count > 0)
        buf_add_str(out, "\r\n");
}

static void add_date(struct buf *out, int64_t now_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t day = now_ms / 86400000, second = now_ms % 86400000 / 1000;
    struct civil_time date = {0};
    civil_from_days(day, &date);
    buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[date.weekday], date.day, months[date.month - 1],
               date.year, (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

static enum err add_headers(const struct mail_content *content, struct buf *out, struct error *reterr)
{
    const char *subject = json_as_str(content->subject);
    size_t n = json_as_str_len(content->subject);
    if (has_control(subject == NULL ? "" : subject, n))
        return error_set(reterr, ERR_VALIDATION, "subject",
                         "subject must not hold line breaks or other control characters.");
    if (n > SUBJECT_BYTES_MAX)
        return error_set(reterr, ERR_VALIDATION, "subject", "subject must have at most %d bytes.", SUBJECT_BYTES_MAX);
    add_date(out, content->now_ms);
    buf_printf(out, "Message-ID: <%s>\r\n", content->message_id);
    add_addresses(out, "From: ", content->from);
    add_addresses(out, "To: ", content->to);
    add_addresses(out, "Cc: ", content->cc);
    add_addresses(out, "Reply-To: ", content->reply_to);
    buf_add_str(out, "Subject: ");
    if (subject != NULL && is_plain(subject, n))
        buf_add_str(out, subject);
    else if (subject != NULL)
        add_words(out, subject, n);
    buf_add_str(out, "\r\nMIME-Version: 1.0\r\n");
    return ERR_OK;
}

/* ---- parts ---- */

static void add_lines(struct buf *out, const char *bytes, size_t n)
{
    buf_add_str(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t from = 0; from < n && !out->overflow; from += LINE_BYTES) {
        base64_add(out, bytes + from, n - from < LINE_BYTES ? n - from : LINE_BYTES);
        buf_add_str(out, "\r\n");
    }
}

static void add_text_part(struct buf *out, const char *type, const struct json *text)
{
    buf_printf(out, "Content-Type: text/%s; charset=utf-8\r\n", type);
    add_lines(out, json_as_str(text), json_as_str_len(text));
}

static void add_body(const struct mail_content *content, struct buf *out)
{
    if (content->html == NULL) {
        add_text_part(out, "plain", content->text);
    } else if (content->text == NULL) {
        add_text_part(out, "html", content->html);
    } else { /* RFC 2046, 5.1.4: the best one last */
        buf_printf(out, "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\n", 2,
                   2);
        add_text_part(out, "plain", content->text);
        buf_printf(out, "--" BOUNDARY "\r\n", 2);
        add_text_part(out, "html", content->html);
        buf_printf(out, "--" BOUNDARY "--\r\n", 2);
    }
}

static bool is_type(const char *text)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || slash == text || slash[1] == '\0' || strlen(text) > 100)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (c != slash && !isalnum((unsigned char)*c) && strchr("!#$&-^_.+", *c) == NULL)
            return false;
    return true;
}

/* RFC 2231 for names that ASCII cannot hold; readers that do not know it see the plain one. */
static void add_file_name(struct buf *out, const char *name)
{
    bool is_ascii = true;
    buf_add_str(out, ";\r\n filename=\"");
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = (unsigned char)*c < 0x7F && *c != '"' && *c != '\\';
        is_ascii &= plain;
        buf_add_char(out, plain ? *c : '_');
    }
    buf_add_char(out, '"');
    if (is_ascii)
        return;
    buf_add_str(out, ";\r\n filename*=UTF-8''");
    for (const char *c = name; *c != '\0'; c++)
        if (isalnum((unsigned char)*c) || strchr("-._", *c) != NULL)
            buf_add_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
}

static enum err wrong(const char *path, const char *member, const char *should, struct error *reterr)
{
    AUTO_FREE char *field = mem_printf("%s.%s", path, member);
    return error_set(reterr, ERR_VALIDATION, field, "%s must be %s.", field, should);
}

static enum err add_attachment(const struct json *item, const char *path, struct buf *out, struct error *reterr)
{
    const struct json *name = json_get(item, "name"), *encoded = json_get(item, "base64"),
                      *id = json_get(item, "contentId");
    const char *file = json_as_str(name), *type = json_get_str(item, "contentType");
    size_t n = json_as_str_len(name);
    size_t type_len = json_as_str_len(json_get(item, "contentType"));
    if (json_has(item, "contentType") && (type == NULL || !is_type(type) || strlen(type) != type_len))
        return wrong(path, "contentType", "a media type such as application/pdf", reterr);
    type = type == NULL ? "application/octet-stream" : type;
    if (file == NULL || n == 0 || n > FILE_NAME_BYTES_MAX || has_control(file, n) || strchr(file, '/') != NULL)
        return wrong(path, "name", "a file name such as report.pdf, of at most 200 bytes", reterr);
    if (id != NULL &&
        (json_as_str(id) == NULL || !is_address(json_as_str(id)) || strlen(json_as_str(id)) != json_as_str_len(id)))
        return wrong(path, "contentId", "like an address, such as logo@example.com", reterr);
    struct buf bytes;
    buf_init(&bytes, MAIL_BYTES_MAX);
    if (json_as_str(encoded) == NULL || !base64_decode(json_as_str(encoded), json_as_str_len(encoded), &bytes)) {
        buf_done(&bytes);
        return wrong(path, "base64", "the file's bytes as base64 text", reterr);
    }
    if (bytes.overflow)
        out->overflow = true;
    buf_printf(out, "Content-Type: %s\r\nContent-Disposition: %s", type, id == NULL ? "attachment" : "inline");
    add_file_name(out, file);
    buf_add_str(out, "\r\n");
    if (id != NULL)
        buf_printf(out, "Content-ID: <%s>\r\n", json_as_str(id));
    add_lines(out, buf_str(&bytes), bytes.len);
    buf_done(&bytes);
    return ERR_OK;
}

enum err mail_message_print(const struct mail_content *content, struct buf *out, struct error *reterr)
{
    enum err code = add_headers(content, out, reterr);
    size_t count = json_count(content->attachments);
    if (code != ERR_OK)
        return code;
    if (count > 0)
        buf_printf(out, "Content-Type: multipart/mixed; boundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\n", 1, 1);
    add_body(content, out);
    for (size_t i = 0; i < count && !out->overflow; i++) {
        AUTO_FREE char *path = mem_printf("attachments[%zu]", i);
        buf_printf(out, "--" BOUNDARY "\r\n", 1);
        code = add_attachment(json_at(content->attachments, i), path, out, reterr);
        if (code != ERR_OK)
            return code;
    }
    if (count > 0)
        buf_printf(out, "--" BOUNDARY "--\r\n", 1);
    if (out->overflow)
        return error_set(reterr, ERR_LIMIT, "attachments", "The mail would be larger than %d bytes.", MAIL_BYTES_MAX);
    return ERR_OK;
}
