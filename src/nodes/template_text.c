/* Parsing and rendering of text templates. */
#include "nodes/template_text.h"

#include "base/mem.h"
#include "json/fields.h"
#include "nodes/value.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 20
#define FILTERS_MAX 8
#define ARGUMENT_BYTES_MAX 200
#define STEPS_MAX 1000000

enum part_kind { PART_TEXT, PART_VALUE, PART_IF, PART_UNLESS, PART_EACH };
enum filter { UPPER, LOWER, TRIM, LENGTH, JSON, HTML, URL, FIXED, DEFAULT, JOIN, FILTER_COUNT };
static const struct {
    const char *name;
    bool takes_argument;
} filter_kinds[] = {{"upper", false}, {"lower", false}, {"trim", false}, {"length", false}, {"json", false},
                    {"html", false},  {"url", false},   {"fixed", true}, {"default", true}, {"join", true}};

struct applied {
    enum filter filter;
    const char *argument;
};

struct part {
    enum part_kind kind;
    struct part *next, *body, *otherwise;
    const char *text; /* TEXT; else the path */
    size_t len;
    int line;
    struct applied filters[FILTERS_MAX];
    size_t filter_count;
};

struct template
{
    struct arena arena;
    struct part *parts;
};

struct parser {
    struct template *template;
    const char *at, *end;
    int line, depth;
    struct error *reterr;
};

static enum err broken(struct parser *parser, const char *format, const char *what)
{
    char text[200];
    (void)snprintf(text, sizeof text, format, what);
    return error_set(parser->reterr, ERR_VALIDATION, "template", "template, line %d: %s", parser->line, text);
}

static struct part *new_part(struct parser *parser, enum part_kind kind)
{
    struct part *part = arena_alloc(&parser->template->arena, sizeof *part);
    part->kind = kind;
    part->line = parser->line;
    return part;
}

/* "…", or what stands there until the next bar. */
static enum err parse_argument(struct parser *parser, const char **at, const char *end, const char **ret)
{
    const char *from = *at, *to;
    if (from < end && *from == '"') {
        from++;
        to = memchr(from, '"', (size_t)(end - from));
        if (to == NULL)
            return broken(parser, "a quote is not closed%s.", "");
        *at = to + 1;
    } else {
        to = memchr(from, '|', (size_t)(end - from));
        to = to == NULL ? end : to;
        *at = to;
    }
    if (to - from > ARGUMENT_BYTES_MAX)
        return broken(parser, "an argument of a filter is too long%s.", "");
    *ret = arena_dup_n(&parser->template->arena, from, (size_t)(to - from));
    return ERR_OK;
}

static enum err parse_filter(struct parser *parser, struct part *part, const char **at, const char *end)
{
    const char *from = *at;
    while (*at < end && isalpha((unsigned char)**at))
        (*at)++;
    AUTO_FREE char *name = mem_dup_n(from, (size_t)(*at - from));
    struct applied applied = {.filter = 0};
    while (applied.filter < FILTER_COUNT && strcmp(filter_kinds[applied.filter].name, name) != 0)
        applied.filter++;
    if (applied.filter == FILTER_COUNT)
        return broken(parser,
                      "there is no filter \"%.40s\"; there are upper, lower, trim, length, json, html, url, fixed:N, "
                      "default:\"…\" and join:\"…\".",
                      name);
    if (part->filter_count == FILTERS_MAX)
        return broken(parser, "a value has too many filters%s.", "");
    bool has_argument = *at < end && **at == ':';
    if (has_argument != filter_kinds[applied.filter].takes_argument)
        return broken(
            parser, has_argument ? "the filter %.40s takes no argument." : "the filter %.40s needs an argument.", name);
    if (has_argument) {
        (*at)++;
        enum err code = parse_argument(parser, at, end, &applied.argument);
        if (code != ERR_OK)
            return code;
    }
    if (applied.filter == FIXED && !(isdigit((unsigned char)applied.argument[0]) && applied.argument[1] == '\0'))
        return broken(parser, "fixed takes a digit, not \"%.40s\".", applied.argument);
    part->filters[part->filter_count++] = applied;
    return ERR_OK;
}

static void skip_spaces(const char **at, const char *end)
{
    while (*at < end && isspace((unsigned char)**at))
        (*at)++;
}

/* path | filter | filter:argument, in [at, end). */
static enum err parse_value(struct parser *parser, struct part *part, const char *at, const char *end)
{
    skip_spaces(&at, end);
    const char *from = at, *to = at;
    while (to < end && *to != '|')
        to++;
    at = to;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    if (to == from)
        return broken(parser, "a path is missing, as in ${customer.name}%s.", "");
    if (memchr(from, '\0', (size_t)(to - from)) != NULL)
        return broken(parser, "a path holds a NUL character%s.", "");
    part->text = arena_dup_n(&parser->template->arena, from, (size_t)(to - from));
    while (at < end) {
        at++; /* the bar */
        skip_spaces(&at, end);
        enum err code = parse_filter(parser, part, &at, end);
        if (code != ERR_OK)
            return code;
        skip_spaces(&at, end);
        if (at < end && *at != '|')
            return broken(parser, "after a filter must come | or }%s.", "");
    }
    return ERR_OK;
}

/* The } of a tag, outside of quotes; NULL: there is none. */
static const char *tag_end(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at == '}' && !quoted)
            return at;
    }
    return NULL;
}

static bool is_word(const char *from, const char *to, const char *word)
{
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    return (size_t)(to - from) == strlen(word) && memcmp(from, word, (size_t)(to - from)) == 0;
}

/* The closing tag's name that ended a list, "else", or "" at the end of the text. */
static enum err parse_parts(struct parser *parser, struct part **ret, const char **ret_close);

static const struct {
    const char *name;
    enum part_kind kind;
} blocks[] = {{"if", PART_IF}, {"unless", PART_UNLESS}, {"each", PART_EACH}};
#define BLOCK_COUNT (sizeof blocks / sizeof *blocks)

static enum err parse_block(struct parser *parser, const char *from, const char *to, struct part **ret)
{
    size_t which = 0, n = 0;
    while (from + n < to && isalpha((unsigned char)from[n]))
        n++;
    while (which < BLOCK_COUNT && !(strlen(blocks[which].name) == n && memcmp(blocks[which].name, from, n) == 0))
        which++;
    if (which == BLOCK_COUNT)
        return broken(parser, "a block is #if, #unless or #each%s.", "");
    if (parser->depth == DEPTH_MAX)
        return broken(parser, "blocks are nested too deep%s.", "");
    struct part *part = new_part(parser, blocks[which].kind);
    const char *close = "";
    enum err code = parse_value(parser, part, from + n, to);
    if (code != ERR_OK)
        return code;
    if (part->filter_count > 0)
        return broken(parser, "#%.20s takes a path without filters.", blocks[which].name);
    parser->depth++;
    int line = parser->line;
    code = parse_parts(parser, &part->body, &close);
    if (code == ERR_OK && strcmp(close, "else") == 0)
        code = parse_parts(parser, &part->otherwise, &close);
    parser->depth--;
    if (code == ERR_OK && strcmp(close, blocks[which].name) != 0) {
        parser->line = *close == '\0' ? line : parser->line;
        code = broken(parser, "${#%.20s …} is not closed in its turn.", blocks[which].name);
    }
    *ret = part;
    return code;
}

static void count_lines(struct parser *parser, const char *to)
{
    for (; parser->at < to; parser->at++)
        parser->line += *parser->at == '\n';
}

/* A tag that stands at parser->at; *ret NULL: it gives nothing. *ret_close as in parse_parts, NULL: none. */
static enum err parse_tag(struct parser *parser, struct part **ret, const char **ret_close)
{
    const char *from = parser->at + 2, *to = tag_end(from, parser->end);
    if (to == NULL)
        return broken(parser, "${ is not closed by }%s.", "");
    count_lines(parser, to + 1);
    if (*from == '!')
        return ERR_OK;
    if (*from == '#')
        return parse_block(parser, from + 1, to, ret);
    if (is_word(from, to, "else")) {
        *ret_close = "else";
        return parser->depth > 0 ? ERR_OK : broken(parser, "${else} stands in no block%s.", "");
    }
    if (*from == '/') {
        for (size_t i = 0; i < BLOCK_COUNT; i++)
            if (is_word(from + 1, to, blocks[i].name))
                *ret_close = blocks[i].name;
        return parser->depth > 0 && *ret_close != NULL ? ERR_OK : broken(parser, "${/…} closes no block%s.", "");
    }
    *ret = new_part(parser, PART_VALUE);
    return parse_value(parser, *ret, from, to);
}

/* The next ${ that is none of $${; *ret_escaped: it is one. */
static const char *find_tag(const char *at, const char *end, bool *ret_escaped)
{
    for (; at + 1 < end; at++) {
        *ret_escaped = at + 2 < end && at[0] == '$' && at[1] == '$' && at[2] == '{';
        if (*ret_escaped || (at[0] == '$' && at[1] == '{'))
            return at;
    }
    return NULL;
}

static enum err parse_parts(struct parser *parser, struct part **ret, const char **ret_close)
{
    struct part **tail = ret;
    *ret_close = NULL;
    while (*ret_close == NULL && parser->at < parser->end) {
        bool escaped = false;
        const char *tag = find_tag(parser->at, parser->end, &escaped);
        const char *to = tag == NULL ? parser->end : tag + escaped; /* of $${ the first $ is left out below */
        if (to > parser->at) {
            struct part *text = new_part(parser, PART_TEXT);
            text->text = parser->at;
            text->len = (size_t)(to - parser->at) - escaped;
            *tail = text;
            tail = &text->next;
        }
        count_lines(parser, to);
        if (escaped) { /* "${" itself is text */
            struct part *text = new_part(parser, PART_TEXT);
            text->text = parser->at;
            text->len = 2;
            *tail = text;
            tail = &text->next;
            parser->at += 2;
        } else if (tag != NULL) {
            enum err code = parse_tag(parser, tail, ret_close);
            if (code != ERR_OK)
                return code;
            tail = *tail == NULL ? tail : &(*tail)->next;
        }
    }
    *ret_close = *ret_close == NULL ? "" : *ret_close;
    return ERR_OK;
}

enum err template_parse(const char *text, size_t len, struct template **ret, struct error *reterr)
{
    struct template *template = mem_alloc(sizeof *template);
    arena_init(&template->arena);
    struct parser parser = {.template = template, .line = 1, .reterr = reterr};
    enum err code = ERR_OK;
    const char *close = NULL;
    if (len > TEMPLATE_BYTES_MAX)
        code = error_set(reterr, ERR_LIMIT, "template", "template must have at most %d bytes.", TEMPLATE_BYTES_MAX);
    if (code == ERR_OK) {
        parser.at = arena_dup_n(&template->arena, text, len);
        parser.end = parser.at + len;
        code = parse_parts(&parser, &template->parts, &close);
    }
    if (code != ERR_OK) {
        template_free(template);
        return code;
    }
    *ret = template;
    return ERR_OK;
}

void template_free(struct template *template)
{
    if (template == NULL)
        return;
    arena_done(&template->arena);
    free(template);
}

/* ---- rendering */

struct scope {
    const struct scope *outer;
    const struct json *value;
    size_t index;
};

struct renderer {
    const struct template_options *options;
    struct buf *out;
    size_t steps;
    struct error *reterr;
};

/* In the innermost scope that has it. */
static struct value look_up(const struct scope *scope, const char *path)
{
    if (strcmp(path, "@index") == 0) {
        struct json *index = json_int_new((int64_t)scope->index);
        return (struct value){.present = true, .json = index, .owned = index};
    }
    if (strcmp(path, ".") == 0)
        return (struct value){.present = true, .json = scope->value};
    for (; scope != NULL; scope = scope->outer) {
        struct value value = value_at_path(scope->value, path);
        if (value.present)
            return value;
        value_done(&value);
    }
    return (struct value){0};
}

static bool is_true(const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        return json_as_bool(value);
    case JSON_INT:
    case JSON_DOUBLE:
        return json_as_double(value) != 0;
    case JSON_STRING:
        return json_as_str_len(value) > 0;
    case JSON_ARRAY:
        return json_count(value) > 0;
    case JSON_OBJECT:
        return true;
    }
    return false;
}

static void add_text(const struct json *value, struct buf *out)
{
    if (json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT))
        json_print(value, out);
    else if (value != NULL)
        value_add_text(&(struct value){.present = true, .json = value}, out);
}

static void add_url(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (isalnum(c) || (c != '\0' && strchr("-_.~", c) != NULL))
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void add_joined(struct buf *out, const struct json *list, const char *separator)
{
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        if (i > 0)
            buf_add_str(out, separator);
        add_text(json_at(list, i), out);
    }
}

static void add_fixed(struct buf *out, const struct json *value, int digits)
{
    double number = value_number_of(&(struct value){.present = true, .json = value});
    if (value == NULL || !isfinite(number) || fabs(number) >= 1e15)
        add_text(value, out);
    else
        buf_printf(out, "%.*f", digits, number);
}

/* Filters of ASCII letters only: other alphabets stay as they are. */
static void change_case(struct buf *out, const char *text, size_t n, bool upper)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        buf_add_char(out, (char)(c >= 0x80 ? c : upper ? toupper(c) : tolower(c)));
    }
}

static void apply(const struct applied *applied, const struct json *value, struct buf *out)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    add_text(value, &text);
    const char *from = buf_str(&text), *to = from + text.len;
    switch (applied->filter) {
    case UPPER:
    case LOWER:
        change_case(out, from, text.len, applied->filter == UPPER);
        break;
    case TRIM:
        while (from < to && isspace((unsigned char)*from))
            from++;
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
        buf_add(out, from, (size_t)(to - from));
        break;
    case LENGTH:
        buf_add_int(out, (int64_t)(json_is(value, JSON_STRING) ? fields_code_points(from) : json_count(value)));
        break;
    case JSON:
        json_print(value, out);
        break;
    case HTML:
        buf_add_html(out, from, text.len);
        break;
    case URL:
        add_url(out, from, text.len);
        break;
    case FIXED:
        add_fixed(out, value, applied->argument[0] - '0');
        break;
    case DEFAULT:
        if (text.len == 0)
            buf_add_str(out, applied->argument);
        else
            buf_add(out, from, text.len);
        break;
    case JOIN:
        if (json_is(value, JSON_ARRAY))
            add_joined(out, value, applied->argument);
        else
            buf_add(out, from, text.len);
        break;
    case FILTER_COUNT:
        break;
    }
}

static void render_value(struct renderer *renderer, const struct part *part, const struct json *value)
{
    bool is_safe = !renderer->options->escapes_html;
    AUTO_JSON struct json *current = json_ref(value);
    for (size_t i = 0; i < part->filter_count; i++) {
        AUTO_BUF struct buf text;
        buf_init(&text, renderer->out->max);
        apply(&part->filters[i], current, &text);
        json_unref(current);
        current = json_string_new_n(buf_str(&text), text.len);
        enum filter filter = part->filters[i].filter;
        is_safe |= filter == HTML || filter == JSON || filter == URL;
    }
    AUTO_BUF struct buf text;
    buf_init(&text, renderer->out->max);
    add_text(current, &text);
    if (is_safe)
        buf_add(renderer->out, buf_str(&text), text.len);
    else
        buf_add_html(renderer->out, buf_str(&text), text.len);
}

static bool has_default(const struct part *part)
{
    for (size_t i = 0; i < part->filter_count; i++)
        if (part->filters[i].filter == DEFAULT)
            return true;
    return false;
}

static enum err render(struct renderer *renderer, const struct part *part, const struct scope *scope);

static enum err render_each(struct renderer *renderer, const struct part *part, const struct json *list,
                            const struct scope *scope)
{
    if (list != NULL && !json_is(list, JSON_ARRAY))
        return error_set(renderer->reterr, ERR_NODE, "template", "template, line %d: %.100s must be a list, not %s.",
                         part->line, part->text, json_kind_name(list));
    enum err code = ERR_OK;
    for (size_t i = 0, n = json_count(list); i < n && code == ERR_OK; i++) {
        struct scope inner = {.outer = scope, .value = json_at(list, i), .index = i};
        code = render(renderer, part->body, &inner);
    }
    return json_count(list) > 0 ? code : render(renderer, part->otherwise, scope);
}

static enum err render_part(struct renderer *renderer, const struct part *part, const struct scope *scope)
{
    if (part->kind == PART_TEXT) {
        buf_add(renderer->out, part->text, part->len);
        return ERR_OK;
    }
    AUTO_VALUE struct value value = look_up(scope, part->text);
    switch (part->kind) {
    case PART_IF:
        return render(renderer, is_true(value.json) ? part->body : part->otherwise, scope);
    case PART_UNLESS:
        return render(renderer, is_true(value.json) ? part->otherwise : part->body, scope);
    case PART_EACH:
        return render_each(renderer, part, value.json, scope);
    default:
        if (!value.present && renderer->options->is_strict && !has_default(part))
            return error_set(renderer->reterr, ERR_NODE, "template", "template, line %d: there is no value at %.100s.",
                             part->line, part->text);
        render_value(renderer, part, value.json);
        return ERR_OK;
    }
}

static enum err render(struct renderer *renderer, const struct part *part, const struct scope *scope)
{
    enum err code = ERR_OK;
    for (; part != NULL && code == ERR_OK; part = part->next) {
        if (++renderer->steps > STEPS_MAX)
            return error_set(renderer->reterr, ERR_LIMIT, "template", "The template takes more than %d steps.",
                             STEPS_MAX);
        code = render_part(renderer, part, scope);
        if (code == ERR_OK && renderer->out->overflow)
            code = error_set(renderer->reterr, ERR_LIMIT, "template", "The text would be larger than %zu bytes.",
                             renderer->out->max);
    }
    return code;
}

enum err template_render(const struct template *template, const struct json *root,
                         const struct template_options *options, struct buf *out, struct error *reterr)
{
    struct renderer renderer = {.options = options, .out = out, .reterr = reterr};
    struct scope scope = {.value = root, .index = options->index};
    return render(&renderer, template->parts, &scope);
}
