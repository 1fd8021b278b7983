/* A scanner of JavaScript's tokens, as far as brackets, strings, comments and regular expressions go. */
#include "expression/scan.h"

#include <string.h>

#define NESTED_MAX 100 /* template literals within template literals */

bool scan_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* U+00C0 to U+024F without the signs for multiplication and division: two bytes each. */
static bool is_latin(const unsigned char *at, size_t len)
{
    if (len < 2 || at[0] < 0xC3 || at[0] > 0xC9 || (at[1] & 0xC0) != 0x80)
        return false;
    return !(at[0] == 0xC3 && (at[1] == 0x97 || at[1] == 0xB7)) && !(at[0] == 0xC9 && at[1] > 0x8F);
}

size_t scan_identifier(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        if (is_letter(at[i]) || (i > 0 && at[i] >= '0' && at[i] <= '9'))
            i++;
        else if (is_latin(at + i, len - i))
            i += 2;
        else
            break;
    }
    return i;
}

static size_t skip_string(const char *text, size_t len, size_t i)
{
    char quote = text[i++];
    while (i < len && text[i] != quote)
        i += text[i] == '\\' ? 2 : 1;
    return i < len ? i + 1 : len;
}

static size_t skip_comment(const char *text, size_t len, size_t i)
{
    if (text[i + 1] == '/') {
        const char *end = memchr(text + i, '\n', len - i);
        return end == NULL ? len : (size_t)(end - text);
    }
    for (i += 2; i + 1 < len; i++)
        if (text[i] == '*' && text[i + 1] == '/')
            return i + 2;
    return len;
}

/* A slash begins a regular expression where no value stands before it. */
static bool starts_regex(const char *text, size_t i)
{
    static const char *const words[] = {"return", "typeof", "case", "in", "of", "void", "delete", "do", "else"};
    while (i > 0 && scan_is_blank(text[i - 1]))
        i--;
    if (i == 0)
        return true;
    unsigned char before = (unsigned char)text[i - 1];
    if (before >= 0x80 || is_letter(before) || (before >= '0' && before <= '9')) {
        size_t end = i;
        while (i > 0 && is_letter((unsigned char)text[i - 1]))
            i--;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strlen(words[k]) == end - i && memcmp(words[k], text + i, end - i) == 0)
                return true;
        return false;
    }
    return strchr(")]}'\"`", (char)before) == NULL;
}

static size_t skip_regex(const char *text, size_t len, size_t from)
{
    bool in_class = false;
    for (size_t i = from + 1; i < len && text[i] != '\n'; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '[')
            in_class = true;
        else if (text[i] == ']')
            in_class = false;
        else if (text[i] == '/' && !in_class)
            return i + 1;
    }
    return from + 1; /* it was a division */
}

static size_t skip_literal(const char *text, size_t len, size_t i, unsigned nested);

/* From inside code to the bracket that closes it (nested > 0: a single one; 0: the }} of the expression). */
static size_t skip_code(const char *text, size_t len, size_t i, unsigned nested)
{
    size_t depth = 0;
    while (i < len) {
        char c = text[i];
        if (c == '\'' || c == '"') {
            i = skip_string(text, len, i);
        } else if (c == '`') {
            i = nested > NESTED_MAX ? len : skip_literal(text, len, i, nested);
        } else if (c == '/' && i + 1 < len && (text[i + 1] == '/' || text[i + 1] == '*')) {
            i = skip_comment(text, len, i);
        } else if (c == '/' && starts_regex(text, i)) {
            i = skip_regex(text, len, i);
        } else if (c == '}' && depth == 0) {
            if (nested > 0 || (i + 1 < len && text[i + 1] == '}'))
                return i;
            i++;
        } else {
            depth += c == '(' || c == '[' || c == '{';
            depth -= depth > 0 && (c == ')' || c == ']' || c == '}');
            i++;
        }
    }
    return len;
}

/* A template literal with its ${ } parts. */
static size_t skip_literal(const char *text, size_t len, size_t i, unsigned nested)
{
    for (i++; i < len && text[i] != '`';) {
        if (text[i] == '\\')
            i += 2;
        else if (text[i] == '$' && i + 1 < len && text[i + 1] == '{')
            i = skip_code(text, len, i + 2, nested + 1) + 1;
        else
            i++;
    }
    return i < len ? i + 1 : len;
}

size_t scan_expression(const char *text, size_t len)
{
    size_t end = skip_code(text, len, 0, 0);
    return end < len ? end : len;
}
