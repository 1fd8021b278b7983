/* Hides the secrets that a run has used wherever they would show: outputs, inputs, log lines, errors.
 * One mask for each execution; one thread. With no secret used everything is handed through untouched and nothing is
 * searched.
 *
 * What is hidden: the value itself, as it stands in JSON, and URL-encoded (either case of the digits, and with + for
 * blanks); of values of MASK_ENCODED_MIN bytes and more also their base64 and base64url at each of the three
 * alignments, so inside "user:password" too, and their hexadecimal digits. Other transformations (a hash, a part of the
 * value) are not recognised. */
#pragma once
#include "json/fields.h"

#define MASK_TEXT "••••"
#define MASK_ENCODED_MIN 8

struct mask {
    struct mask_pattern {
        char *bytes;
        size_t size, least; /* least: so long a beginning of it is hidden in messages */
    } * patterns;
    size_t count, cap;
    bool is_address; /* what is being added is a URL */
};

void mask_done(struct mask *mask); /* wipes what it held; a zeroed mask is an empty one */
void mask_add(struct mask *mask, const char *secret, size_t size); /* of no bytes: nothing; twice: once */
/* Also the password inside a secret that is a URL or a connection string, when it has MASK_ENCODED_MIN bytes: drivers
 * quote it alone. */
void mask_add_secret(struct mask *mask, const char *secret, size_t size);
bool mask_is_empty(const struct mask *mask);

/* Appends the text with secrets hidden; false: there were none, and nothing was appended. */
bool mask_text(const struct mask *mask, const char *text, size_t size, struct buf *out);
/* The same value when nothing is hidden (a new reference), else a copy of what changed; names of members too. Yours. */
struct json *mask_json(const struct mask *mask, const struct json *value);
/* Messages and log lines may have been cut: in these a beginning of a secret is hidden, too, of a quarter and at least
 * 6 bytes of it; of half of it, where it is a URL, as others begin in the same way. */
void mask_error(const struct mask *mask, struct error *error);
void mask_replace_lines(const struct mask *mask, struct json **lines); /* like mask_replace */
/* Puts the hidden value in the place of *value. */
void mask_replace(const struct mask *mask, struct json **value);

/* Passwords in URLs (scheme://user:password@host) and in connection strings (password=…) that stand in the text, as
 * history must not show them. False: there are none, nothing was appended. */
bool mask_passwords(const char *text, size_t size, struct buf *out);
struct json *mask_json_passwords(const struct json *value); /* like mask_json */
/* A configuration as history may show it: what its field table calls secret is hidden, of connection strings and in all
 * other texts the passwords. Like mask_json; without such fields it is the same value. */
struct json *mask_json_fields(const struct field *fields, const struct json *config);
