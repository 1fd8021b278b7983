/* Text templates over JSON values: ${path}, filters, conditions, loops. No I/O, no code: a template can only read.
 *
 *   ${customer.name}                       the value at a dotted path; null and missing are ""; ${.} is the value
 * itself
 *   ${total|fixed:2} ${name|default:"-"}   filters: upper lower trim length json html url fixed:N default:"…" join:"…"
 *   ${#if paid} … ${else} … ${/if}         true unless false, null, missing, 0, "" or an empty list
 *   ${#unless paid} … ${/unless}
 *   ${#each lines} … ${else} … ${/each}    inside, paths begin at the element, then at what is around it; ${@index}
 * from 0
 *   ${! a remark }   $${                   nothing; the characters ${
 */
#pragma once
#include "json/json.h"

#define TEMPLATE_BYTES_MAX (1 << 20)

struct template;

/* Reads a template. VALIDATION (field `template`) with the line otherwise. */
enum err template_parse(const char *text, size_t len, struct template **ret, struct error *reterr) ERROR_MUST_CHECK;
void template_free(struct template *template);

struct template_options {
    bool escapes_html; /* values not filtered by html, json or url */
    bool is_strict;    /* a missing value fails instead of being "" */
    size_t index;      /* what ${@index} is outside of loops */
};
/* Adds the text to `out`, whose bound holds. NODE: strict, and a path leads nowhere. LIMIT: `out` is full, or loops
 * ran more than a million times. */
enum err template_render(const struct template *template, const struct json *root,
                         const struct template_options *options, struct buf *out,
                         struct error *reterr) ERROR_MUST_CHECK;
