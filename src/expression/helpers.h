/* What expressions and code may call and name, for those who write them. */
#pragma once
#include "json/json.h"

/* An array of {name, kind: name|function, signature, help}: the names of names.h and the helpers of script/prelude.js.
 * Yours. */
struct json *expression_helpers(void);
