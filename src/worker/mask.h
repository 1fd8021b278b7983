/* Hides the secrets that a run has used wherever they would show: outputs, inputs, log lines, errors.
 * One mask for each execution; one thread. With no secret used everything is handed through untouched and nothing is
 * searched.
 *
 * What is hidden: the value itself, as it stands in JSON, and URL-encoded (either case of the digits, and with + for
 * blanks); of values of MASK_ENCODED_MIN bytes and more also their base64 and base64url at each of the three
 * alignments, so inside "user:password" too, and their hexadecimal digits. Other transformations (a hash, a part of the
 * value) are not recognised. */
#pragma once
#include "json/json.h"

#define MASK_TEXT "••••"
#define MASK_ENCODED_MIN 8

struct mask {
    struct mask_pattern {
        char *bytes;
        size_t size;
    } * patterns;
    size_t count, cap;
};

void mask_done(struct mask *mask); /* wipes what it held; a zeroed mask is an empty one */
void mask_add(struct mask *mask, const char *secret, size_t size); /* of no bytes: nothing; twice: once */
bool mask_is_empty(const struct mask *mask);

/* Appends the text with secrets hidden; false: there were none, and nothing was appended. */
bool mask_text(const struct mask *mask, const char *text, size_t size, struct buf *out);
/* The same value when nothing is hidden (a new reference), else a copy of what changed; names of members too. Yours. */
struct json *mask_json(const struct mask *mask, const struct json *value);
void mask_error(const struct mask *mask, struct error *error);
/* Puts the hidden value in the place of *value. */
void mask_replace(const struct mask *mask, struct json **value);

/* Passwords in URLs (scheme://user:password@host) and in connection strings (password=…) that stand in the text, as
 * history must not show them. False: there are none, nothing was appended. */
bool mask_passwords(const char *text, size_t size, struct buf *out);
struct json *mask_json_passwords(const struct json *value); /* like mask_json */
