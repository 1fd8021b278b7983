/* JavaScript for threads that may wait: a pool on a loop and a thread of its own, both made when first needed. */
#pragma once
#include "script/script.h"

struct script_desk;

/* `options.loop` is not looked at. */
struct script_desk *script_desk_new(const struct script_options *options);
void script_desk_free(struct script_desk *desk); /* nobody asks any more; NULL ok */

/* Any thread; waits for the answer. *ret_result is yours when this gives ERR_OK, and so is *ret_logs (may be NULL:
 * not wanted) in any case. */
enum err script_desk_ask(struct script_desk *desk, const struct script_request *request, struct json **ret_result,
                         struct json **ret_logs, struct error *reterr) ERROR_MUST_CHECK;
