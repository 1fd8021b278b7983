/* JavaScript in a definition, and what a check of its syntax says of it. */
#pragma once
#include "flow/spec.h"

/* All that C does not evaluate by itself: an array of {as, source, nodeId, field}, where `as` is "expression"; "code",
 * the body of an async function that sees the names; or "body", that of a function of one value, as members of lists
 * hold it. Texts with broken braces are not in it: flow_validate tells of them. Yours. */
struct json *flow_scripts(const struct json *definition, const struct flow_catalog *catalog);

/* Whether a configuration holds code in any of its fields, and whether the member of that name may hold some. */
bool flow_has_code(const struct json *config, const struct field *fields);
bool flow_takes_code(const struct field *fields, const char *name);

/* Appends INVALID_EXPRESSION and INVALID_CODE, as flow_validate does, with `line` where it is known. `results`: an
 * array with one element for each script, {} or {e: {message, line?}}. */
void flow_scripts_judge(const struct json *scripts, const struct json *results, struct json *problems);
/* Nothing could be checked: UNCHECKED_SCRIPT says why. */
void flow_scripts_unchecked(const char *reason, struct json *problems);
