/* The page under which a person answers a wait: plain HTML without scripts, in English or Spanish, and what its form
 * may hold. Pure. */
#pragma once
#include "json/json.h"

#define WAIT_COMMENT_CHARS 2000
#define WAIT_FIELD_CHARS 4000

enum wait_language { WAIT_ENGLISH, WAIT_SPANISH };
/* Of the Accept-Language header (RFC 9110, 12.5.4); English when it names neither, or is NULL. */
enum wait_language wait_language_of(const char *accept_language);

/* What a person sent, checked against approval.fields: {approved, comment, fields}, yours; NULL: `problems` (name ->
 * sentence, in that language) says what to mend. Who rejects need not fill in the rest. */
struct json *wait_answer_read(const struct json *approval, const struct json *form, enum wait_language language,
                              struct json *problems);

/* The whole page of a wait as store_wait_load describes it. `form` and `problems` (or NULL) are of what was refused;
 * `done`: it was answered just now. NULL `wait`: there is no such link. */
void wait_page_add(struct buf *out, const struct json *wait, const struct json *form, const struct json *problems,
                   bool done, enum wait_language language);
/* Content-Security-Policy that lets the page have its own style and send its form, and nothing else. Any thread. */
const char *wait_page_policy(void);
