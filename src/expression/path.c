/* Parses and follows plain paths. */
#include "expression/path.h"

#include "base/clock.h"
#include "expression/scan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 64
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* Members that objects, arrays, strings, numbers and booleans inherit; sorted by byte. `length` is an own one. */
static const char *const inherited[] = {"__defineGetter__",
                                        "__defineSetter__",
                                        "__lookupGetter__",
                                        "__lookupSetter__",
                                        "__proto__",
                                        "anchor",
                                        "at",
                                        "big",
                                        "blink",
                                        "bold",
                                        "charAt",
                                        "charCodeAt",
                                        "codePointAt",
                                        "concat",
                                        "constructor",
                                        "copyWithin",
                                        "endsWith",
                                        "entries",
                                        "every",
                                        "fill",
                                        "filter",
                                        "find",
                                        "findIndex",
                                        "findLast",
                                        "findLastIndex",
                                        "fixed",
                                        "flat",
                                        "flatMap",
                                        "fontcolor",
                                        "fontsize",
                                        "forEach",
                                        "hasOwnProperty",
                                        "includes",
                                        "indexOf",
                                        "isPrototypeOf",
                                        "isWellFormed",
                                        "italics",
                                        "join",
                                        "keys",
                                        "lastIndexOf",
                                        "link",
                                        "localeCompare",
                                        "map",
                                        "match",
                                        "matchAll",
                                        "normalize",
                                        "padEnd",
                                        "padStart",
                                        "pop",
                                        "propertyIsEnumerable",
                                        "push",
                                        "reduce",
                                        "reduceRight",
                                        "repeat",
                                        "replace",
                                        "replaceAll",
                                        "reverse",
                                        "search",
                                        "shift",
                                        "slice",
                                        "small",
                                        "some",
                                        "sort",
                                        "splice",
                                        "split",
                                        "startsWith",
                                        "strike",
                                        "sub",
                                        "substr",
                                        "substring",
                                        "sup",
                                        "toExponential",
                                        "toFixed",
                                        "toLocaleLowerCase",
                                        "toLocaleString",
                                        "toLocaleUpperCase",
                                        "toLowerCase",
                                        "toPrecision",
                                        "toReversed",
                                        "toSorted",
                                        "toSpliced",
                                        "toString",
                                        "toUpperCase",
                                        "toWellFormed",
                                        "trim",
                                        "trimEnd",
                                        "trimLeft",
                                        "trimRight",
                                        "trimStart",
                                        "unshift",
                                        "valueOf",
                                        "values",
                                        "with"};

static int compare_names(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

bool path_is_inherited(const char *name)
{
    return bsearch(name, inherited, sizeof inherited / sizeof *inherited, sizeof *inherited, compare_names) != NULL;
}

struct parser {
    const char *text;
    size_t len, at;
    struct arena *arena;
    struct path_step steps[STEPS_MAX];
    unsigned count;
};

static void skip_blanks(struct parser *p)
{
    while (p->at < p->len && scan_is_blank(p->text[p->at]))
        p->at++;
}

static bool take(struct parser *p, const char *token)
{
    size_t n = strlen(token);
    if (p->len - p->at < n || memcmp(p->text + p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

static size_t take_identifier(struct parser *p)
{
    size_t n = scan_identifier(p->text + p->at, p->len - p->at);
    if (n == 0 || (p->at + n < p->len && ((unsigned char)p->text[p->at + n] >= 0x80 || p->text[p->at + n] == '\\')))
        return 0; /* letters of other scripts and escapes: JavaScript's business */
    p->at += n;
    return n;
}

/* A string without escapes; borrowed from the source. */
static bool take_string(struct parser *p, const char **ret, size_t *ret_len)
{
    if (p->at >= p->len || (p->text[p->at] != '"' && p->text[p->at] != '\''))
        return false;
    char quote = p->text[p->at++];
    *ret = p->text + p->at;
    for (; p->at < p->len; p->at++) {
        char c = p->text[p->at];
        if (c == quote) {
            *ret_len = (size_t)(p->text + p->at - *ret);
            p->at++;
            return true;
        }
        if (c == '\\' || c == '\n' || c == '\r' || c == '\0')
            return false;
    }
    return false;
}

/* Digits without a leading zero. */
static size_t take_digits(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9')
        p->at++;
    size_t n = p->at - from;
    return n > 1 && p->text[from] == '0' ? 0 : n;
}

static bool add_step(struct parser *p, const char *key, size_t len, bool optional)
{
    if (p->count == STEPS_MAX)
        return false;
    p->steps[p->count++] =
        (struct path_step){.key = arena_dup_n(p->arena, key, len), .optional = optional, .end = p->at};
    return true;
}

static bool take_bracket(struct parser *p, bool optional)
{
    const char *key;
    size_t len;
    skip_blanks(p);
    if (!take_string(p, &key, &len)) {
        key = p->text + p->at;
        len = take_digits(p);
        if (len == 0 || len > 9)
            return false;
    }
    skip_blanks(p);
    return take(p, "]") && add_step(p, key, len, optional);
}

static bool take_step(struct parser *p)
{
    bool optional = take(p, "?.");
    if (take(p, "["))
        return take_bracket(p, optional);
    if (!optional && !take(p, "."))
        return false;
    skip_blanks(p);
    size_t from = p->at, n = take_identifier(p);
    return n > 0 && add_step(p, p->text + from, n, optional);
}

static bool take_number(struct parser *p, struct value *ret)
{
    size_t from = p->at;
    (void)take(p, "-"); /* -0 is 0 in JSON */
    if (take_digits(p) == 0)
        return false;
    if (take(p, ".") && (p->at == p->len || p->text[p->at] < '0' || p->text[p->at] > '9'))
        return false;
    while (p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9')
        p->at++;
    if (p->at < p->len || p->at - from > 40)
        return false;
    char text[48] = {0};
    memcpy(text, p->text + from, p->at - from);
    double number = strtod(text, NULL);
    bool whole = floor(number) == number && fabs(number) <= EXACT_MAX;
    *ret = (struct value){.present = true, .owned = whole ? json_int_new((int64_t)number) : json_double_new(number)};
    ret->json = ret->owned;
    return true;
}

static bool take_literal(struct parser *p, struct value *ret)
{
    static const struct {
        const char *word;
        int kind;
    } words[] = {{"true", 1}, {"false", 0}, {"null", 2}, {"undefined", 3}};
    const char *text;
    size_t len;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (p->len != strlen(words[i].word) || memcmp(p->text, words[i].word, p->len) != 0)
            continue;
        *ret = (struct value){.present = words[i].kind != 3,
                              .owned = words[i].kind < 2 ? json_bool_new(words[i].kind == 1) : NULL};
        ret->json = ret->owned;
        return true;
    }
    if (take_string(p, &text, &len) && p->at == p->len) {
        *ret = (struct value){.present = true, .owned = json_string_new_n(text, len)};
        ret->json = ret->owned;
        return true;
    }
    p->at = 0;
    return take_number(p, ret);
}

bool path_parse(const char *source, size_t len, struct arena *arena, struct path *ret)
{
    struct parser p = {.text = source, .len = len, .arena = arena};
    *ret = (struct path){.source = source};
    if (take_literal(&p, &ret->literal)) {
        ret->is_literal = true;
        return true;
    }
    p.at = 0;
    size_t n = take_identifier(&p);
    int root = n == 0 ? -1 : expression_name_find(source, n);
    if (root < 0)
        return false;
    for (skip_blanks(&p); p.at < len; skip_blanks(&p))
        if (!take_step(&p))
            return false;
    ret->root = (enum expression_name)root;
    if ((expression_name_has_members(ret->root) && p.count == 0) || (ret->root == NAME_NOW && p.count > 0))
        return false;
    ret->count = p.count;
    ret->steps = arena_alloc(arena, (p.count + 1) * sizeof *ret->steps);
    memcpy(ret->steps, p.steps, p.count * sizeof *ret->steps);
    return true;
}

void path_done(struct path *path)
{
    value_done(&path->literal);
}

static enum path_outcome error_at(const struct path *path, unsigned step, bool is_null, struct error *reterr)
{
    size_t end = step == 0 ? strlen(expression_name_text(path->root)) : path->steps[step - 1].end;
    (void)error_set(reterr, ERR_NODE, NULL, "%.*s is %s, so \"%.64s\" cannot be read of it",
                    (int)(end < 200 ? end : 200), path->source, is_null ? "null" : "undefined", path->steps[step].key);
    return PATH_ERROR;
}

/* The value of the root; of one with members, of the first step. Returns the number of steps taken. */
static unsigned find_root(const struct path *path, const struct expression_source *source, struct value *ret)
{
    bool members = expression_name_has_members(path->root);
    if (path->root == NAME_NOW) {
        char text[ISO_TEXT_BYTES];
        clock_format_iso(source->now_ms, text);
        *ret = (struct value){.present = true, .owned = json_string_new(text)};
    } else {
        ret->present = source->find(source->user, path->root, members ? path->steps[0].key : NULL, &ret->owned);
    }
    ret->json = ret->owned;
    return members ? 1 : 0;
}

enum path_outcome path_evaluate(const struct path *path, const struct expression_source *source, struct json **ret,
                                struct error *reterr)
{
    if (path->is_literal) {
        *ret = json_ref(path->literal.json);
        return path->literal.present ? PATH_VALUE : PATH_UNDEFINED;
    }
    AUTO_VALUE struct value now = {0};
    unsigned step = find_root(path, source, &now);
    if (step == 1 && !now.present && path_is_inherited(path->steps[0].key))
        return PATH_NEEDS_SCRIPT;
    if (path->root == NAME_SECRETS && !now.present) {
        (void)error_set(reterr, ERR_NODE, NULL, "There is no secret \"%.64s\" for this flow", path->steps[0].key);
        return PATH_ERROR;
    }
    for (; step < path->count; step++) {
        if (!now.present || now.json == NULL)
            return path->steps[step].optional ? PATH_UNDEFINED : error_at(path, step, now.present, reterr);
        struct value next = value_property(now.json, path->steps[step].key);
        if (!next.present && path_is_inherited(path->steps[step].key))
            return PATH_NEEDS_SCRIPT;
        if (next.owned == NULL && next.present) /* borrowed from what is about to go */
            next.owned = json_ref(next.json);
        value_done(&now);
        now = next;
    }
    *ret = json_ref(now.json);
    return now.present ? PATH_VALUE : PATH_UNDEFINED;
}
