/* Text with {{ expressions }} in it. */
#pragma once
#include "base/error.h"
#include "base/mem.h"

struct mixed_part {
    bool is_expression;
    const char *text; /* an expression without its braces and outer blanks */
    size_t len;
};

struct mixed {
    struct mixed_part *parts;
    unsigned count, expressions;
    bool is_whole; /* it is exactly one expression: its value keeps its type */
};

/* Whether a text has anything for mixed_parse to do: {{ in it, also an escaped one. */
bool mixed_is_any(const char *text, size_t len);

/* Splits a text. \{{ stands for {{, and \\{{ for a backslash before an expression. The end of an expression is the
 * first }} outside of strings, comments, regular expressions and brackets. ERR_VALIDATION with a sentence when one does
 * not end, is empty or too long. Everything lives in the arena. */
enum err mixed_parse(const char *text, size_t len, struct arena *arena, struct mixed *ret,
                     struct error *reterr) ERROR_MUST_CHECK;
