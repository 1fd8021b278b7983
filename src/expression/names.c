/* Names and needs. */
#include "expression/names.h"

#include "expression/scan.h"
#include <string.h>

static const struct {
    const char *text;
    bool members;
} names[NAME_COUNT] = {
    [NAME_INPUT] = {"input", false}, [NAME_NODES] = {"nodes", true},         [NAME_EXECUTION] = {"execution", false},
    [NAME_FLOW] = {"flow", false},   [NAME_VARIABLES] = {"variables", true}, [NAME_SECRETS] = {"secrets", true},
    [NAME_ITEM] = {"item", false},   [NAME_INDEX] = {"index", false},        [NAME_NOW] = {"now", false}};

const char *expression_name_text(enum expression_name name)
{
    return names[name].text;
}

int expression_name_find(const char *text, size_t len)
{
    for (int i = 0; i < NAME_COUNT; i++)
        if (strlen(names[i].text) == len && memcmp(names[i].text, text, len) == 0)
            return i;
    return -1;
}

bool expression_name_has_members(enum expression_name name)
{
    return names[name].members;
}

static size_t skip_blanks(const char *source, size_t len, size_t i)
{
    while (i < len && scan_is_blank(source[i]))
        i++;
    return i;
}

/* The literal member behind a name: .id, ?.id, ["id"]; its length, 0 when it is computed. */
static size_t member_behind(const char *source, size_t len, size_t i, const char **ret)
{
    i = skip_blanks(source, len, i);
    if (i + 1 < len && source[i] == '?' && source[i + 1] == '.')
        i += source[i + 1] == '.' && i + 2 < len && source[i + 2] == '[' ? 2 : 1;
    if (i < len && source[i] == '.') {
        i = skip_blanks(source, len, i + 1);
        *ret = source + i;
        size_t n = scan_identifier(source + i, len - i);
        return i + n < len && (unsigned char)source[i + n] >= 0x80 ? 0 : n; /* a letter that is not known here */
    }
    if (i >= len || source[i] != '[')
        return 0;
    i = skip_blanks(source, len, i + 1);
    if (i >= len || (source[i] != '"' && source[i] != '\''))
        return 0;
    size_t from = i + 1, end = from;
    while (end < len && source[end] != source[i] && source[end] != '\\')
        end++;
    if (end >= len || source[end] == '\\')
        return 0;
    size_t close = skip_blanks(source, len, end + 1);
    *ret = source + from;
    return close < len && source[close] == ']' ? end - from : 0;
}

static void need(struct expression_needs *needs, enum expression_name name, const char *source, size_t len, size_t end)
{
    const char *member;
    needs->used[name] = true;
    if (!names[name].members)
        return;
    size_t n = member_behind(source, len, end, &member);
    if (n == 0) {
        needs->whole[name] = true;
        return;
    }
    if (needs->members[name] == NULL)
        needs->members[name] = json_object_new();
    AUTO_FREE char *key = mem_dup_n(member, n);
    json_set_bool(needs->members[name], key, true);
}

static bool hides_names(const char *word, size_t len)
{
    return (len == 4 && memcmp(word, "eval", 4) == 0) || (len == 8 && memcmp(word, "Function", 8) == 0);
}

void expression_needs_add(struct expression_needs *needs, const char *source, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = scan_identifier(source + i, len - i);
        if (n == 0) {
            i++;
            continue;
        }
        int name = expression_name_find(source + i, n);
        if (name >= 0)
            need(needs, (enum expression_name)name, source, len, i + n);
        else if (hides_names(source + i, n))
            for (int k = 0; k < NAME_COUNT; k++)
                needs->used[k] = needs->whole[k] = true;
        i += n;
    }
}

void expression_needs_add_texts(struct expression_needs *needs, const struct json *value)
{
    struct json_iter member;
    if (json_is(value, JSON_STRING))
        expression_needs_add(needs, json_as_str(value), json_as_str_len(value));
    else if (json_is(value, JSON_OBJECT))
        JSON_EACH(value, member) expression_needs_add_texts(needs, member.value);
    else if (json_is(value, JSON_ARRAY))
        for (size_t i = 0, n = json_count(value); i < n; i++)
            expression_needs_add_texts(needs, json_at(value, i));
}

void expression_needs_done(struct expression_needs *needs)
{
    for (int i = 0; i < NAME_COUNT; i++) {
        json_unref(needs->members[i]);
        needs->members[i] = NULL;
    }
}

static void print_member(const char *name, const struct json *value, bool *ret_any, struct buf *out)
{
    AUTO_JSON struct json *text = json_string_new(name);
    if (*ret_any)
        buf_add_char(out, ',');
    *ret_any = true;
    json_print(text, out);
    buf_add_char(out, ':');
    json_print(value, out);
}

static void print_members(const struct json *keys, enum expression_name name, const struct expression_source *source,
                          struct buf *out)
{
    bool any = false;
    struct json_iter key;
    buf_add_char(out, '{');
    JSON_EACH(keys, key)
    {
        AUTO_JSON struct json *value = NULL;
        if (source->find(source->user, name, key.key, &value))
            print_member(key.key, value, &any, out);
    }
    buf_add_char(out, '}');
}

void expression_needs_print(const struct expression_needs *needs, const struct expression_source *source,
                            struct buf *out)
{
    bool any = true;
    buf_printf(out, "{\"now\":%lld", (long long)source->now_ms);
    for (int i = 0; i < NAME_COUNT; i++) {
        enum expression_name name = (enum expression_name)i;
        if (!needs->used[i] || name == NAME_NOW)
            continue;
        if (names[i].members && !needs->whole[i]) {
            buf_printf(out, ",\"%s\":", names[i].text);
            print_members(needs->members[i], name, source, out);
            continue;
        }
        AUTO_JSON struct json *value = NULL;
        if (source->find(source->user, name, NULL, &value))
            print_member(names[i].text, value, &any, out);
    }
    buf_add_char(out, '}');
}
