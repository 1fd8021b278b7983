/* The page of a wait for a person. */
#include "gateway/wait_page.h"

#include "base/base64.h"
#include "base/digest.h"
#include "base/mem.h"
#include "json/fields.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- words */

enum word {
    WORD_APPROVE,
    WORD_REJECT,
    WORD_COMMENT,
    WORD_UNTIL,
    WORD_TITLE,
    WORD_APPROVED,
    WORD_REJECTED,
    WORD_ANSWERED,
    WORD_OVER,
    WORD_UNKNOWN,
    WORD_REQUIRED,
    WORD_NUMBER,
    WORD_DATE,
    WORD_OPTION,
    WORD_LONG,
    WORD_DECIDE,
    WORD_MEND
};
static const char *const words[][2] = {
    [WORD_APPROVE] = {"Approve", "Aprobar"},
    [WORD_REJECT] = {"Reject", "Rechazar"},
    [WORD_COMMENT] = {"Comment", "Comentario"},
    [WORD_UNTIL] = {"To be answered before", "Se espera respuesta antes de"},
    [WORD_TITLE] = {"Approval", "Aprobación"},
    [WORD_APPROVED] = {"Thank you: it is approved.", "Gracias: queda aprobado."},
    [WORD_REJECTED] = {"Thank you: it is rejected.", "Gracias: queda rechazado."},
    [WORD_ANSWERED] = {"This has been answered already.", "Ya se ha respondido."},
    [WORD_OVER] = {"It is too late: nobody waits for this answer any more.",
                   "Es demasiado tarde: ya nadie espera esta respuesta."},
    [WORD_UNKNOWN] = {"There is no such link, or what it belonged to is gone.",
                      "El enlace no existe, o aquello a lo que pertenecía ya no está."},
    [WORD_REQUIRED] = {"This is needed.", "Es obligatorio."},
    [WORD_NUMBER] = {"This must be a number.", "Debe ser un número."},
    [WORD_DATE] = {"This must be a date such as 2026-03-01.", "Debe ser una fecha como 2026-03-01."},
    [WORD_OPTION] = {"Select one of the list.", "Elija uno de la lista."},
    [WORD_LONG] = {"This is too long.", "Es demasiado largo."},
    [WORD_DECIDE] = {"Approve or reject.", "Apruebe o rechace."},
    [WORD_MEND] = {"Some answers need mending.", "Hay respuestas que corregir."}};

static double quality_of(const char *entry, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++)
        if (entry[i] == ';' && strchr("qQ", entry[i + 1 + strspn(entry + i + 1, " ")]) != NULL) {
            const char *equals = memchr(entry + i, '=', n - i);
            return equals == NULL ? 1 : strtod(equals + 1, NULL);
        }
    return 1;
}

enum wait_language wait_language_of(const char *accept)
{
    enum wait_language best = WAIT_ENGLISH;
    double highest = 0;
    while (accept != NULL && *accept != '\0') {
        accept += strspn(accept, " ,");
        size_t n = strcspn(accept, ",");
        bool named = n >= 2 && (n == 2 || strchr("-; ", accept[2]) != NULL);
        double quality = quality_of(accept, n);
        if (named && quality > highest && (strncasecmp(accept, "es", 2) == 0 || strncasecmp(accept, "en", 2) == 0)) {
            best = strncasecmp(accept, "es", 2) == 0 ? WAIT_SPANISH : WAIT_ENGLISH;
            highest = quality;
        }
        accept += n;
    }
    return best;
}

/* ---- what was sent */

static const char *type_of(const struct json *field)
{
    const char *type = json_get_str(field, "type");
    return type == NULL ? "text" : type;
}

static bool is_type(const struct json *field, const char *type)
{
    return strcmp(type_of(field), type) == 0;
}

static const char *sent(const struct json *form, const struct json *field)
{
    AUTO_FREE char *key = mem_printf("field.%s", json_get_str(field, "name"));
    return json_get_str(form, key);
}

static bool is_option(const struct json *field, const char *text)
{
    const struct json *options = json_get(field, "options");
    for (size_t i = 0; i < json_count(options); i++)
        if (json_as_str(json_at(options, i)) != NULL && strcmp(json_as_str(json_at(options, i)), text) == 0)
            return true;
    return false;
}

static bool is_date(const char *text)
{
    int year, month, day, used = 0;
    return strlen(text) == 10 && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3 && used == 10 &&
           month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* The value for the answer; -1 as *ret_word when it is good. */
static struct json *value_of(const struct json *field, const char *text, int *ret_word)
{
    char *end;
    *ret_word = -1;
    if (is_type(field, "checkbox")) {
        if (text == NULL && json_get_bool(field, "required", false))
            *ret_word = WORD_REQUIRED;
        return json_bool_new(text != NULL);
    }
    if (text == NULL || *text == '\0') {
        if (json_get_bool(field, "required", false))
            *ret_word = WORD_REQUIRED;
        return NULL;
    }
    if (fields_code_points(text) > WAIT_FIELD_CHARS)
        *ret_word = WORD_LONG;
    else if (is_type(field, "select") && !is_option(field, text))
        *ret_word = WORD_OPTION;
    else if (is_type(field, "date") && !is_date(text))
        *ret_word = WORD_DATE;
    if (!is_type(field, "number"))
        return json_string_new(text);
    double number = strtod(text, &end);
    if (*end != '\0' || !isfinite(number))
        *ret_word = WORD_NUMBER;
    return number == floor(number) && fabs(number) < 9e15 ? json_int_new((int64_t)number) : json_double_new(number);
}

struct json *wait_answer_read(const struct json *approval, const struct json *form, enum wait_language language,
                              struct json *problems)
{
    const struct json *fields = json_get(approval, "fields");
    const char *decision = json_get_str(form, "decision"), *comment = json_get_str(form, "comment");
    bool approved = decision != NULL && strcmp(decision, "approve") == 0;
    struct json *answer = json_object_new(), *values = json_object_new();
    if (!approved && (decision == NULL || strcmp(decision, "reject") != 0))
        json_set_str(problems, "decision", words[WORD_DECIDE][language]);
    if (comment != NULL && fields_code_points(comment) > WAIT_COMMENT_CHARS)
        json_set_str(problems, "comment", words[WORD_LONG][language]);
    for (size_t i = 0; i < json_count(fields); i++) {
        const struct json *field = json_at(fields, i);
        int word;
        struct json *value = value_of(field, sent(form, field), &word);
        if (word == WORD_LONG || (word >= 0 && approved))
            json_set_str(problems, json_get_str(field, "name"), words[word][language]);
        if (word >= 0 && word != WORD_REQUIRED) {
            json_unref(value);
            value = NULL;
        }
        json_set(values, json_get_str(field, "name"), value);
    }
    json_set_bool(answer, "approved", approved);
    json_set_str(answer, "comment", comment == NULL || *comment == '\0' ? NULL : comment);
    json_set(answer, "fields", values);
    if (json_count(problems) == 0)
        return answer;
    json_unref(answer);
    return NULL;
}

/* ---- the page */

static const char style[] =
    ":root{color-scheme:light dark}*{box-sizing:border-box}"
    "body{margin:0;font:16px/1.5 system-ui,sans-serif;background:light-dark(#f5f6f8,#15181d);"
    "color:light-dark(#1b1f24,#e8eaed)}"
    "main{max-width:34rem;margin:0 auto;padding:1.5rem 1rem 3rem;overflow-wrap:anywhere}"
    "h1{font-size:1.4rem;line-height:1.25;margin:.5rem 0 1rem}p{margin:0 0 1rem}.message{white-space:pre-wrap}"
    "label{display:block;font-weight:600;margin:1rem 0 .25rem}"
    "label.check{display:flex;gap:.6rem;align-items:center;font-weight:400}"
    "input,textarea,select{font:inherit;width:100%;padding:.6rem;border:1px solid light-dark(#8a929c,#69717c);"
    "border-radius:.4rem;background:light-dark(#fff,#1f242b);color:inherit}"
    "input[type=checkbox]{width:1.4rem;height:1.4rem;flex:none}textarea{min-height:6rem;resize:vertical}"
    ".bad{color:light-dark(#a3160f,#ff9a92);margin:.25rem 0 0}"
    ".buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}"
    "button{font:inherit;font-weight:600;flex:1 1 8rem;min-height:2.9rem;border-radius:.4rem;cursor:pointer;"
    "border:1px solid light-dark(#1d4fbf,#7aa2ff);background:light-dark(#1d4fbf,#2f62d6);color:#fff}"
    "button.no{background:transparent;color:light-dark(#a3160f,#ff9a92);border-color:currentColor}"
    ":focus-visible{outline:3px solid light-dark(#1d4fbf,#7aa2ff);outline-offset:2px}";

static char policy_text[256];

static void make_policy(void)
{
    unsigned char digest[DIGEST_BYTES];
    AUTO_BUF struct buf hash;
    buf_init(&hash, 0);
    digest_sha256(style, sizeof style - 1, digest);
    base64_add(&hash, digest, sizeof digest);
    (void)snprintf(policy_text, sizeof policy_text,
                   "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; "
                   "frame-ancestors 'none'",
                   buf_str(&hash));
}

const char *wait_page_policy(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_policy);
    return policy_text;
}

static void add_text(struct buf *out, const char *text)
{
    if (text != NULL)
        buf_add_html(out, text, strlen(text));
}

static void add_element(struct buf *out, const char *open, const char *text, const char *close)
{
    if (text == NULL || *text == '\0')
        return;
    buf_add_str(out, open);
    add_text(out, text);
    buf_add_str(out, close);
}

/* The value that a field shows: what was sent, else its default. */
static void add_value(struct buf *out, const struct json *field, const struct json *form)
{
    const struct json *otherwise = json_get(field, "default");
    if (form != NULL) {
        add_text(out, sent(form, field));
    } else if (json_as_str(otherwise) != NULL) {
        add_text(out, json_as_str(otherwise));
    } else if (otherwise != NULL) {
        AUTO_FREE char *text = json_dup_text(otherwise);
        add_text(out, text);
    }
}

static void add_options(struct buf *out, const struct json *field, const struct json *form)
{
    const struct json *options = json_get(field, "options");
    const char *chosen = form != NULL ? sent(form, field) : json_get_str(field, "default");
    buf_add_str(out, "<option value=\"\"></option>");
    for (size_t i = 0; i < json_count(options); i++) {
        const char *option = json_as_str(json_at(options, i));
        bool selected = option != NULL && chosen != NULL && strcmp(option, chosen) == 0;
        add_element(out, selected ? "<option selected>" : "<option>", option, "</option>");
    }
}

static void add_control(struct buf *out, const struct json *field, size_t number, const struct json *form)
{
    bool required = json_get_bool(field, "required", false);
    const char *element = is_type(field, "select") ? "select" : is_type(field, "textarea") ? "textarea" : "input";
    buf_printf(out, "<%s id=\"f%zu\" name=\"field.", element, number);
    add_text(out, json_get_str(field, "name"));
    buf_printf(out, "\"%s", required ? " required" : "");
    if (strcmp(element, "select") == 0) {
        buf_add_char(out, '>');
        add_options(out, field, form);
        buf_add_str(out, "</select>");
    } else if (strcmp(element, "textarea") == 0) {
        buf_printf(out, " maxlength=\"%d\">", WAIT_FIELD_CHARS);
        add_value(out, field, form);
        buf_add_str(out, "</textarea>");
    } else if (is_type(field, "checkbox")) {
        bool checked = form != NULL ? sent(form, field) != NULL : json_get_bool(field, "default", false);
        buf_printf(out, " type=\"checkbox\" value=\"yes\"%s>", checked ? " checked" : "");
    } else {
        buf_printf(out, " type=\"%s\"%s value=\"", type_of(field), is_type(field, "number") ? " step=\"any\"" : "");
        add_value(out, field, form);
        buf_add_str(out, "\">");
    }
}

static void add_field(struct buf *out, const struct json *field, size_t number, const struct json *form,
                      const struct json *problems)
{
    const char *name = json_get_str(field, "name"), *label = json_get_str(field, "label");
    bool check = is_type(field, "checkbox");
    buf_printf(out, "<label for=\"f%zu\"%s>", number, check ? " class=\"check\"" : "");
    if (check)
        add_control(out, field, number, form);
    add_text(out, label == NULL || *label == '\0' ? name : label);
    buf_printf(out, "%s</label>", json_get_bool(field, "required", false) ? " *" : "");
    if (!check)
        add_control(out, field, number, form);
    add_element(out, "<p class=\"bad\" role=\"alert\">", json_get_str(problems, name), "</p>");
}

static void add_form(struct buf *out, const struct json *wait, const struct json *form, const struct json *problems,
                     enum wait_language language)
{
    const struct json *fields = json_get(json_get(wait, "approval"), "fields");
    if (json_count(problems) > 0)
        add_element(out, "<p class=\"bad\" role=\"alert\">", words[WORD_MEND][language], "</p>");
    if (json_get_str(wait, "until") != NULL) {
        buf_printf(out, "<p>%s ", words[WORD_UNTIL][language]);
        add_element(out, "<time>", json_get_str(wait, "until"), "</time>");
        buf_add_str(out, "</p>");
    }
    buf_add_str(out, "<form method=\"post\">");
    for (size_t i = 0; i < json_count(fields); i++)
        add_field(out, json_at(fields, i), i, form, problems);
    buf_printf(out, "<label for=\"comment\">%s</label><textarea id=\"comment\" name=\"comment\" maxlength=\"%d\">",
               words[WORD_COMMENT][language], WAIT_COMMENT_CHARS);
    add_text(out, json_get_str(form, "comment"));
    buf_add_str(out, "</textarea>");
    add_element(out, "<p class=\"bad\" role=\"alert\">", json_get_str(problems, "comment"), "</p>");
    add_element(out, "<p class=\"bad\" role=\"alert\">", json_get_str(problems, "decision"), "</p>");
    buf_printf(out,
               "<div class=\"buttons\"><button name=\"decision\" value=\"approve\">%s</button><button class=\"no\" "
               "name=\"decision\" value=\"reject\" formnovalidate>%s</button></div></form>",
               words[WORD_APPROVE][language], words[WORD_REJECT][language]);
}

static enum word outcome_of(const struct json *wait, bool done)
{
    const char *state = json_get_str(wait, "state");
    if (wait == NULL)
        return WORD_UNKNOWN;
    if (done)
        return json_get_bool(json_get(wait, "answer"), "approved", false) ? WORD_APPROVED : WORD_REJECTED;
    return state != NULL && strcmp(state, "answered") == 0 ? WORD_ANSWERED : WORD_OVER;
}

void wait_page_add(struct buf *out, const struct json *wait, const struct json *form, const struct json *problems,
                   bool done, enum wait_language language)
{
    const struct json *approval = json_get(wait, "approval");
    const char *title = json_get_str(approval, "title"), *state = json_get_str(wait, "state");
    if (title == NULL || *title == '\0')
        title = words[WORD_TITLE][language];
    buf_printf(out,
               "<!doctype html><html lang=\"%s\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
               "content=\"width=device-width,initial-scale=1\"><title>",
               language == WAIT_SPANISH ? "es" : "en");
    add_text(out, title);
    buf_printf(out, "</title><style>%s</style></head><body><main><h1>", style);
    add_text(out, title);
    buf_add_str(out, "</h1>");
    add_element(out, "<p class=\"message\">", json_get_str(approval, "message"), "</p>");
    if (!done && state != NULL && strcmp(state, "open") == 0)
        add_form(out, wait, form, problems, language);
    else
        add_element(out, "<p role=\"status\">", words[outcome_of(wait, done)][language], "</p>");
    buf_add_str(out, "</main></body></html>\n");
}
