/* What people said of executions, as it is heard over TOPIC_CONTROL and remembered by who has them or will: the word
 * may come before the work does (docs/decisions/0160). */
#pragma once
#include "base/recall.h"
#include "json/json.h"

enum order { ORDER_RESUME, ORDER_PAUSE, ORDER_CANCEL, ORDER_NONE }; /* as values of a recall by execution id */

void orders_hear(struct recall *orders, const struct json *message);
/* The store was asked for it, or will be: a pause or a resume from before is no news. A cancel is final. */
void orders_forget(struct recall *orders, const char *id);
